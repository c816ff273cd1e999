//! Questions of MCP Mesh's own API, over its spans alone.

use super::parts;
use super::read::{self, Filter, Wanted};
use super::slots::Slots;
use crate::StoreError;
use duckdb::Connection;
use duckdb::types::Value;
use meshscope_api::mcp_mesh::{
    ActiveTraces, AgentStats, CompletedTrace, EdgeStats, FoundTraces, GoTime, ModelStats, TraceSearch,
    TraceStats, Traffic,
};
use meshscope_model::time::MINUTE;
use meshscope_model::{SpanEntry, System, TraceId};

/// How long a trace with an open span may be silent before it counts as it stands, as MCP
/// Mesh's registry has it.
const TIMEOUT: i64 = 5 * MINUTE;
const SYSTEM: u8 = System::McpMesh as u8;

/// One row a trace: `trace_id first last spans errors open agents`, for the spans that meet
/// `condition`.
fn traces(condition: &str, having: &str) -> String {
    format!(
        "SELECT trace_id, min(start_time) AS first, max(last_time) AS last, count(*) AS spans,
            count(*) FILTER (error IS NOT NULL) AS errors, count(*) FILTER (end_time IS NULL) AS open,
            list(DISTINCT agent) FILTER (agent IS NOT NULL) AS agents
        FROM spans WHERE system = {SYSTEM} AND {condition} GROUP BY trace_id HAVING {having}"
    )
}

/// Traces that ended, or went silent, and meet the search; the latest end first.
pub(super) fn search(
    connection: &Connection,
    slots: &Slots,
    query: &TraceSearch,
    now: i64,
) -> Result<FoundTraces, StoreError> {
    let doing = "search the traces of MCP Mesh";
    let mut filter = Filter::default();
    filter.add(
        "open = 0 OR last < ?",
        [Value::BigInt(now.saturating_sub(TIMEOUT))],
    );
    if let Some(parent) = query.parent_span_id {
        filter.add("bool_or(parent_span_id = ?)", [Value::UBigInt(parent)]);
    }
    filter.text("list_contains(agents, ?)", query.agent_name.as_deref());
    filter.text("bool_or(contains(name, ?))", query.operation.as_deref());
    match query.success {
        Some(true) => filter.add("errors = 0", []),
        Some(false) => filter.add("errors > 0", []),
        None => {}
    }
    for (condition, bound) in [
        ("first >= ?", query.start_time),
        ("last <= ?", query.end_time),
        ("(last::HUGEINT - first) // 1000000 >= ?", query.min_duration_ms),
        ("(last::HUGEINT - first) // 1000000 <= ?", query.max_duration_ms),
    ] {
        if let Some(bound) = bound {
            filter.add(condition, [Value::BigInt(bound)]);
        }
    }
    let met = traces("true", &filter.sql());
    let count = format!("SELECT count(*) FROM ({met})");
    let total = read::rows(connection, doing, &count, filter.values.clone(), |row| row.get(0))?
        .pop()
        .unwrap_or(0);
    let page = format!(
        "SELECT trace_id::VARCHAR FROM ({met}) ORDER BY last DESC, trace_id LIMIT {} OFFSET {}",
        query.limit, query.offset
    );
    let ids: Vec<String> = read::rows(connection, doing, &page, filter.values, |row| row.get(0))?;
    let ids: Vec<TraceId> = ids.iter().map(|uuid| read::trace_id_of(uuid)).collect();
    Ok(FoundTraces {
        traces: whole(connection, slots, &ids)?,
        total,
    })
}

/// One trace, whether it ended or not.
pub(super) fn one(
    connection: &Connection,
    slots: &Slots,
    trace_id: TraceId,
) -> Result<Option<CompletedTrace>, StoreError> {
    Ok(whole(connection, slots, &[trace_id])?.pop())
}

/// The traces with these ids, in their order.
fn whole(connection: &Connection, slots: &Slots, ids: &[TraceId]) -> Result<Vec<CompletedTrace>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = ids.iter().map(|id| format!("('{id}'::UUID)")).collect();
    let Some(window) = parts::window(connection, &format!("(VALUES {}) t(trace_id)", list.join(", ")))?
    else {
        return Ok(Vec::new());
    };
    let condition = format!("s.system = {SYSTEM} AND s.trace_id IN ({})", list.join(", "));
    let wanted = Wanted {
        source: "spans s",
        window,
        condition: &condition,
    };
    let spans: Vec<SpanEntry> = read::spans(connection, slots, &wanted)?
        .into_iter()
        .map(|kept| kept.entry)
        .collect();
    let trace = |id: &TraceId| {
        let of_trace: Vec<SpanEntry> = spans
            .iter()
            .filter(|entry| entry.span.trace_id == *id)
            .cloned()
            .collect();
        CompletedTrace::new(&of_trace)
    };
    Ok(ids.iter().filter_map(trace).collect())
}

/// Figures over all traces that ended or went silent.
pub(super) fn stats(connection: &Connection, now: i64) -> Result<TraceStats, StoreError> {
    let met = traces("true", "open = 0 OR last < ?");
    let sql = format!(
        "SELECT count(*), count(*) FILTER (errors = 0), coalesce(sum(spans), 0)::BIGINT,
            coalesce(sum((last::HUGEINT - first) // 1000000), 0)::BIGINT, min(first), max(last),
            list_sort(list_distinct(flatten(list(agents)))), coalesce(avg(last::HUGEINT - first), 0)::DOUBLE / 1e6
        FROM ({met})"
    );
    let silent = vec![Value::BigInt(now.saturating_sub(TIMEOUT))];
    let stats = read::rows(connection, "sum up the traces of MCP Mesh", &sql, silent, |row| {
        let (total, success): (u64, u64) = (row.get(0)?, row.get(1)?);
        Ok(TraceStats {
            total_traces: total,
            success_traces: success,
            failed_traces: total.saturating_sub(success),
            total_spans: row.get::<_, i64>(2)?.unsigned_abs(),
            total_duration_ms: row.get(3)?,
            avg_duration_ms: row.get(7)?,
            first_trace: row.get::<_, Option<i64>>(4)?.map(GoTime),
            last_trace: row.get::<_, Option<i64>>(5)?.map(GoTime),
            agents_seen: read::texts(row.get(6)?),
        })
    })?;
    Ok(stats.into_iter().next().unwrap_or_default())
}

/// Traces with spans in progress that are not silent yet.
pub(super) fn active(connection: &Connection, now: i64) -> Result<ActiveTraces, StoreError> {
    let sql = format!(
        "SELECT count(*), coalesce(sum(spans), 0)::BIGINT, min(first) FROM ({})",
        traces("true", "open > 0 AND last >= ?")
    );
    let silent = vec![Value::BigInt(now.saturating_sub(TIMEOUT))];
    let active = read::rows(connection, "count what is in progress", &sql, silent, |row| {
        Ok(ActiveTraces {
            traces: row.get(0)?,
            spans: row.get::<_, i64>(1)?.unsigned_abs(),
            oldest: row.get(2)?,
        })
    })?;
    Ok(active.into_iter().next().unwrap_or_default())
}

/// What passed between agents in spans that started at `from` or later.
pub(super) fn traffic(connection: &Connection, slots: &Slots, from: i64) -> Result<Traffic, StoreError> {
    let doing = "sum up the traffic of MCP Mesh";
    let since = || vec![Value::BigInt(from)];
    let totals = format!(
        "SELECT count(*), count(*) FILTER (errors > 0) FROM ({})",
        traces("start_time >= ?", "true")
    );
    let totals = read::rows(connection, doing, &totals, since(), |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let (total_calls, total_errors) = totals.first().copied().unwrap_or_default();
    Ok(Traffic {
        total_calls,
        total_errors,
        edges: read::rows(connection, doing, &edges(), since(), edge)?,
        agents: read::rows(
            connection,
            doing,
            &agents(slots),
            [since(), since()].concat(),
            |row| {
                Ok(AgentStats {
                    agent_name: row.get(0)?,
                    span_count: row.get(1)?,
                    total_request_bytes: row.get(2)?,
                    total_response_bytes: row.get(3)?,
                    total_input_tokens: row.get(4)?,
                    total_output_tokens: row.get(5)?,
                })
            },
        )?,
        models: read::rows(connection, doing, &models(), since(), |row| {
            let (provider, model): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(ModelStats {
                model: if provider.is_empty() {
                    model
                } else {
                    format!("{provider}/{model}")
                },
                provider,
                call_count: row.get(2)?,
                input_tokens: row.get(3)?,
                output_tokens: row.get(4)?,
                total_tokens: row.get(5)?,
            })
        })?,
    })
}

/// A wrapper runs at the caller: the agent of a call's direct parent is its source, wrapper or
/// not.
fn edges() -> String {
    format!(
        "SELECT p.agent AS source, c.agent AS target, c.name AS target_function, count(*) AS calls,
            count(*) FILTER (c.error IS NOT NULL) AS errors, avg(c.duration)::DOUBLE,
            quantile_disc(c.duration, 0.99)::DOUBLE, max(c.duration), min(c.duration)
        FROM spans c JOIN spans p ON p.trace_id = c.trace_id AND p.span_id = c.parent_span_id
        WHERE c.system = {SYSTEM} AND p.system = {SYSTEM} AND NOT c.noise AND c.end_time IS NOT NULL
            AND c.agent <> p.agent AND c.start_time >= ?
        GROUP BY ALL ORDER BY calls DESC, source, target, target_function"
    )
}

fn edge(row: &duckdb::Row<'_>) -> duckdb::Result<EdgeStats> {
    const MS: f64 = 1.0e6;
    let (calls, errors): (u64, u64) = (row.get(3)?, row.get(4)?);
    Ok(EdgeStats {
        source: row.get(0)?,
        target: row.get(1)?,
        target_function: row.get(2)?,
        call_count: calls,
        error_count: errors,
        error_rate: 100.0 * errors as f64 / calls.max(1) as f64,
        avg_latency_ms: row.get::<_, f64>(5)? / MS,
        p99_latency_ms: row.get::<_, f64>(6)? / MS,
        max_latency_ms: row.get::<_, i64>(7)? / 1_000_000,
        min_latency_ms: row.get::<_, i64>(8)? / 1_000_000,
    })
}

fn agents(slots: &Slots) -> String {
    let bytes = |name: &str| {
        let listed = format!("list_filter(attributes, lambda a: a.k = '{name}')[1].v");
        let value = match slots.of(name) {
            None => listed,
            Some(slot) => format!("coalesce(a{}, {listed})", slot.index),
        };
        format!("coalesce(sum(try_cast(substr({value}, 2) AS BIGINT)), 0)::BIGINT")
    };
    format!(
        "SELECT s.agent, s.spans, s.sent, s.received, coalesce(u.input, 0)::BIGINT, coalesce(u.output, 0)::BIGINT
        FROM (SELECT agent, count(*) AS spans, {} AS sent, {} AS received FROM spans
            WHERE system = {SYSTEM} AND agent IS NOT NULL AND start_time >= ? GROUP BY agent) s
        LEFT JOIN (SELECT agent, sum(input_tokens) AS input, sum(output_tokens) AS output FROM usage
            WHERE system = {SYSTEM} AND NOT claim AND time >= ? GROUP BY agent) u USING (agent)
        ORDER BY s.spans DESC, s.agent",
        bytes("request_bytes"),
        bytes("response_bytes"),
    )
}

fn models() -> String {
    format!(
        "SELECT coalesce(provider, '') AS provider, model, count(*), coalesce(sum(input_tokens), 0)::BIGINT,
            coalesce(sum(output_tokens), 0)::BIGINT, coalesce(sum(total_tokens), 0)::BIGINT AS total
        FROM usage WHERE system = {SYSTEM} AND NOT claim AND model IS NOT NULL AND time >= ?
        GROUP BY ALL ORDER BY total DESC, provider, model"
    )
}
