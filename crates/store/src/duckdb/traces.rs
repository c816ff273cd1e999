//! Traces: the list, one in full, one as columns, and one span.

use super::read::{self, Filter};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::{ListQuery, SpanDetail, TraceDetail, TracePage, TraceSummary};
use meshscope_model::columns::{ColumnsBuilder, SpanRow, flag};
use meshscope_model::{Operation, SpanColumns, SpanId, SpanKind, StatusCode, TraceId};

/// The grouping: one row a trace, columns read by [`summary`]. `hits` selects the trace ids.
fn grouped(hits: &str) -> String {
    let (tokens, cost) = (read::token_sums(), read::sum_of("cost"));
    let (token_names, place) = (read::TOKEN_COLUMNS.join(", "), read::PLACE);
    format!(
        "WITH hit AS ({hits}),
    s AS (SELECT v.*, {place} AS place FROM session_spans v SEMI JOIN hit ON hit.trace_id = v.trace_id),
    missing AS (SELECT c.trace_id, count(*) AS n FROM s c
        WHERE c.parent_span_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM s p WHERE p.trace_id = c.trace_id AND p.span_id = c.parent_span_id)
        GROUP BY c.trace_id),
    span_part AS (SELECT trace_id, min(session_id) AS session_id, min(project) AS project, max(system) AS system,
        coalesce(arg_min(name, place) FILTER (parent_span_id IS NULL), arg_min(name, place)) AS name,
        coalesce(arg_min(service, place) FILTER (parent_span_id IS NULL), arg_min(service, place)) AS service,
        min(start_time) AS first, max(last_time) AS last, count(*) AS spans,
        count(*) FILTER (error IS NOT NULL AND NOT blocked) AS errors, count(*) FILTER (blocked) AS blocked,
        count(*) FILTER (parent_span_id IS NULL) AS roots, count(*) FILTER (end_time IS NULL) AS open,
        list_sort(list(DISTINCT agent) FILTER (agent IS NOT NULL)) AS agents,
        list_sort(list(DISTINCT model) FILTER (model IS NOT NULL)) AS models, min(room) AS room,
        coalesce(arg_min(error, place) FILTER (error <> '' AND NOT blocked),
            min(error) FILTER (NOT blocked)) AS error
        FROM s GROUP BY trace_id),
    usage_part AS (SELECT v.trace_id, {tokens}, {cost} FROM ledger v SEMI JOIN hit ON hit.trace_id = v.trace_id
        GROUP BY v.trace_id),
    usage_named(trace_id, {token_names}, cost) AS (SELECT * FROM usage_part),
    trace AS (SELECT t.*, u.* EXCLUDE (trace_id), coalesce(m.n, 0) = 0 AND roots > 0 AND open = 0 AS complete
        FROM span_part t LEFT JOIN usage_named u USING (trace_id) LEFT JOIN missing m USING (trace_id))
    SELECT trace_id::VARCHAR, session_id, project, system, name, service, first, last, spans, errors, blocked, complete,
        agents, models, error, {token_names}, cost
    FROM trace"
    )
}

fn summary(row: &Row<'_>) -> duckdb::Result<TraceSummary> {
    let (first, last): (i64, i64) = (row.get(6)?, row.get(7)?);
    let count = |index: usize| {
        row.get::<_, i64>(index)
            .map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    };
    Ok(TraceSummary {
        trace_id: read::trace_id_of(&row.get::<_, String>(0)?),
        session_id: row.get(1)?,
        project: row.get(2)?,
        system: read::system(row.get(3)?),
        name: row.get(4)?,
        service: row.get(5)?,
        started_at: first,
        duration_ns: last.saturating_sub(first),
        spans: count(8)?,
        errors: count(9)?,
        blocked: count(10)?,
        complete: row.get(11)?,
        agents: read::texts(row.get(12)?),
        models: read::texts(row.get(13)?),
        error: row.get(14)?,
        tokens: read::tokens(row, 15)?,
        cost_pico_usd: row.get(23)?,
    })
}

/// Traces, latest start first.
pub(super) fn list(connection: &Connection, query: &ListQuery, now: i64) -> Result<TracePage, StoreError> {
    let (from, to) = query.range.bounds(now);
    let mut hit = Filter::default();
    hit.add(
        "start_time <= ? AND last_time >= ?",
        [Value::BigInt(to), Value::BigInt(from)],
    );
    hit.equal("project", query.project.as_deref());
    hit.equal("session_id", query.session.as_deref());
    hit.equal("room", query.room.as_deref());
    let hits = format!("SELECT DISTINCT trace_id FROM session_spans WHERE {}", hit.sql());
    let mut values = hit.values;
    let mut filter = Filter::default();
    filter.text("list_contains(agents, ?)", query.agent.as_deref());
    filter.text("list_contains(models, ?)", query.model.as_deref());
    match query.status.as_deref() {
        Some("active") => filter.add("open > 0", []),
        Some("failed") => filter.add("errors > 0 OR blocked > 0", []),
        Some(_) => filter.add("open = 0 AND errors = 0 AND blocked = 0", []),
        None => {}
    }
    if let Some(system) = query.system {
        filter.add("system = ?", [Value::UTinyInt(system as u8)]);
    }
    if let Some(cost) = query.min_cost_pico_usd {
        filter.add("cost >= ?", [Value::BigInt(cost)]);
    }
    if let Some(duration) = query.min_duration_ns {
        filter.add("last::HUGEINT - first::HUGEINT >= ?", [Value::BigInt(duration)]);
    }
    if let Some(has) = query.has_error {
        filter.add(if has { "errors > 0" } else { "errors = 0" }, []);
    }
    if let Some(has) = query.blocked {
        filter.add(if has { "blocked > 0" } else { "blocked = 0" }, []);
    }
    let any = "trace_id IN (SELECT trace_id FROM s WHERE contains(lower(concat_ws(chr(10), name, service, agent, model, \
               tool, error, session_id, room, replace(trace_id::VARCHAR, '-', ''))), lower(?)))";
    filter.text(any, query.q.as_deref());
    if let Some((first, id)) = read::read_cursor::<(i64, TraceId)>(query.cursor.as_deref())? {
        let after = format!("first < ? OR (first = ? AND trace_id > '{id}'::UUID)");
        filter.add(&after, [Value::BigInt(first), Value::BigInt(first)]);
    }
    let sql = format!(
        "{} WHERE {} ORDER BY first DESC, trace_id LIMIT {}",
        grouped(&hits),
        filter.sql(),
        u64::from(query.limit) + 1
    );
    values.append(&mut filter.values);
    let mut traces = read::rows(connection, "list traces", &sql, values, summary)?;
    let more = traces.len() > query.limit as usize;
    traces.truncate(query.limit as usize);
    let last = traces.last().filter(|_| more);
    let next_cursor = last.map(|last| read::write_cursor(&(last.started_at, last.trace_id)));
    Ok(TracePage { traces, next_cursor })
}

/// One trace with every span in full.
pub(super) fn one(connection: &Connection, trace_id: TraceId) -> Result<Option<TraceDetail>, StoreError> {
    let sql = grouped(&format!("SELECT '{trace_id}'::UUID AS trace_id"));
    let Some(trace) = read::rows(connection, "read a trace", &sql, Vec::new(), summary)?.pop() else {
        return Ok(None);
    };
    let spans = read::spans(connection, &format!("s.trace_id = '{trace_id}'::UUID"))?;
    Ok(Some(TraceDetail {
        trace,
        spans: spans.iter().map(detail).collect(),
    }))
}

fn detail(kept: &read::KeptSpan) -> SpanDetail {
    let project = kept.entry.facts.origin.project.as_deref().unwrap_or("default");
    SpanDetail::new(
        &kept.entry.span,
        &kept.entry.facts,
        project,
        kept.session_id.clone(),
    )
}

/// One span with everything it carries.
pub(super) fn span(
    connection: &Connection,
    trace_id: TraceId,
    span_id: SpanId,
) -> Result<Option<SpanDetail>, StoreError> {
    let condition = format!(
        "s.trace_id = '{trace_id}'::UUID AND s.span_id = {}::UBIGINT",
        span_id.as_u64()
    );
    Ok(read::spans(connection, &condition)?.first().map(detail))
}

/// One trace as columns, in the order of (start, span id).
pub(super) fn columns(connection: &Connection, trace_id: TraceId) -> Result<Option<SpanColumns>, StoreError> {
    let sql = format!(
        "SELECT s.span_id, s.parent_span_id, s.start_time, s.duration, s.name, s.service, s.agent, s.model, s.tool,
            s.error, s.kind, s.status, s.operation, s.blocked, s.end_time, s.reported_duration IS NOT NULL, s.noise,
            s.time_to_first_token, u.input, u.output, u.total, u.cost
        FROM spans s LEFT JOIN (SELECT span_id, {} AS input, {} AS output, {} AS total, {} AS cost
            FROM ledger WHERE trace_id = '{trace_id}'::UUID GROUP BY span_id) u ON u.span_id = s.span_id
        WHERE s.trace_id = '{trace_id}'::UUID ORDER BY s.start_time, s.span_id",
        read::sum_of("input_tokens"),
        read::sum_of("output_tokens"),
        read::sum_of("total_tokens"),
        read::sum_of("cost"),
    );
    let mut builder = ColumnsBuilder::new(trace_id);
    read::rows(
        connection,
        "read the columns of a trace",
        &sql,
        Vec::new(),
        |row| {
            let text = |index: usize| row.get::<_, Option<String>>(index);
            let texts = [text(4)?, text(5)?, text(6)?, text(7)?, text(8)?, text(9)?];
            let [name, service, agent, model, tool, error] = &texts;
            let word = |text: &'_ Option<String>| text.clone().unwrap_or_default();
            let (blocked, ended): (bool, Option<i64>) = (row.get(13)?, row.get(14)?);
            let start: i64 = row.get(2)?;
            let bits = [
                (flag::ERROR, error.is_some() && !blocked),
                (flag::BLOCKED, blocked),
                (flag::IN_PROGRESS, ended.is_none()),
                (flag::REPORTED_DURATION, row.get(15)?),
                (flag::NOISE, row.get(16)?),
                (flag::ENDS_BEFORE_START, ended.is_some_and(|end| end < start)),
            ];
            builder.push(&SpanRow {
                span_id: SpanId::from_u64(row.get(0)?),
                parent_span_id: row.get::<_, Option<u64>>(1)?.map(SpanId::from_u64),
                start_time: start,
                duration: row.get(3)?,
                name: &word(name),
                service: &word(service),
                agent: &word(agent),
                model: &word(model),
                tool: &word(tool),
                message: &word(error),
                kind: SpanKind::from_number(i64::from(row.get::<_, u8>(10)?)),
                status: StatusCode::from_number(i64::from(row.get::<_, u8>(11)?)),
                operation: Operation::from_number(row.get(12)?),
                flags: bits
                    .iter()
                    .filter(|(_, set)| *set)
                    .fold(0, |flags, (bit, _)| flags | bit),
                time_to_first_token: row.get(17)?,
                input_tokens: row.get(18)?,
                output_tokens: row.get(19)?,
                total_tokens: row.get(20)?,
                cost: row.get(21)?,
            });
            Ok(())
        },
    )?;
    let columns = builder.finish();
    Ok((!columns.is_empty()).then_some(columns))
}
