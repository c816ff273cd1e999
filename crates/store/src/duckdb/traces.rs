//! Traces: the list, one in full, one as columns, and one span.

use super::newest::{Newest, Source};
use super::read::{self, Filter, Wanted};
use super::slots::Slots;
use super::{attribute, counted, parts};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::{ListQuery, SpanDetail, TraceDetail, TracePage, TraceSummary};
use meshscope_model::{SpanId, TraceId};

/// A call of no trace belongs to none.
const NO_SESSIONS: &str = "SELECT NULL::VARCHAR AS project, NULL::VARCHAR AS session_id WHERE false";

/// The grouping: one row a trace of `page`, columns read by [`summary`].
fn grouped(page: &Page) -> String {
    let (tokens, cost) = (read::token_sums(), read::sum_of("cost"));
    let (token_names, ids) = (read::TOKEN_COLUMNS.join(", "), &page.ids);
    let (first, last) = page.window;
    format!(
        "WITH page_traces(trace_id) AS ({ids}),
    page_sessions AS ({NO_SESSIONS}),
    {},
    s AS (SELECT trace_id, span_id, parent_span_id FROM spans
        WHERE start_time BETWEEN {first} AND {last} AND trace_id IN (SELECT trace_id FROM page_traces)),
    missing AS (SELECT c.trace_id, count(*) AS n FROM s c
        WHERE c.parent_span_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM s p WHERE p.trace_id = c.trace_id AND p.span_id = c.parent_span_id)
        GROUP BY c.trace_id),
    span_part AS (SELECT trace_id, min(session_id) AS session_id, min(project) AS project, max(system) AS system,
        coalesce(arg_min(root_name, root_place), arg_min(name, place)) AS name,
        coalesce(arg_min(root_service, root_place), arg_min(service, place)) AS service,
        min(first) AS first, max(last) AS last, sum(spans)::BIGINT AS spans,
        sum(errors)::BIGINT AS errors, sum(blocked)::BIGINT AS blocked, sum(roots) AS roots, sum(open) AS open,
        {AGENTS} AS agents, {MODELS} AS models, coalesce(arg_min(error, error_place), min(any_error)) AS error
        FROM parts WHERE spans > 0 AND first >= {first} AND last <= {last}
            AND trace_id IN (SELECT trace_id FROM page_traces) GROUP BY trace_id),
    usage_part AS (SELECT trace_id, {tokens}, {cost} FROM page_ledger WHERE trace_id IN (SELECT trace_id FROM page_traces)
        GROUP BY trace_id),
    usage_named(trace_id, {token_names}, cost) AS (SELECT * FROM usage_part),
    trace AS (SELECT t.*, u.* EXCLUDE (trace_id), coalesce(m.n, 0) = 0 AND roots > 0 AND open = 0 AS complete
        FROM span_part t LEFT JOIN usage_named u USING (trace_id) LEFT JOIN missing m USING (trace_id))
    SELECT trace_id::VARCHAR, session_id, project, system, name, service, first, last, spans, errors, blocked, complete,
        agents, models, error, {token_names}, cost
    FROM trace ORDER BY first DESC, trace_id",
        counted::of_page(page.window)
    )
}

/// SQL of the agents and the models of the roll-up's rows.
pub(super) const AGENTS: &str = "list_sort(list_distinct(flatten(list(agents) FILTER (agents IS NOT NULL))))";
pub(super) const MODELS: &str = "list_sort(list_distinct(flatten(list(models) FILTER (models IS NOT NULL))))";

/// Traces that are read together: SQL of their ids, and the moments that they lie in.
struct Page {
    ids: String,
    window: (i64, i64),
}

impl Page {
    /// `None` when there are none.
    fn of(traces: &[(TraceId, i64, i64)]) -> Option<Self> {
        let first = traces.iter().map(|(_, first, _)| *first).min()?;
        let last = traces.iter().map(|(.., last)| *last).max()?;
        let ids: Vec<String> = traces.iter().map(|(id, ..)| format!("('{id}'::UUID)")).collect();
        Some(Self {
            ids: format!("VALUES {}", ids.join(", ")),
            window: (first, last),
        })
    }
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
pub(super) fn list(
    connection: &Connection,
    slots: &Slots,
    query: &ListQuery,
    now: i64,
) -> Result<TracePage, StoreError> {
    let limit = query.limit as usize;
    let newest = Newest {
        key: "trace_id",
        shown: "trace_id::VARCHAR",
        sources: sources(slots, query, now),
        parts: "(SELECT * FROM parts WHERE spans > 0)",
        measures:
            ", sum(spans) AS spans, sum(errors) AS errors, sum(blocked) AS blocked, sum(open) AS open, \
            max(system) AS system"
                .to_owned(),
        cost_of: query.min_cost_pico_usd.map(|_| NO_SESSIONS),
        filter: group_filter(query)?,
        limit: u64::from(query.limit) + 1,
    };
    let mut found = newest.find(connection, |row| {
        Ok((
            read::trace_id_of(&row.get::<_, String>(0)?),
            row.get(2)?,
            row.get(3)?,
        ))
    })?;
    let more = found.len() > limit;
    found.truncate(limit);
    let traces = match Page::of(&found) {
        None => Vec::new(),
        Some(page) => read::rows(connection, "list traces", &grouped(&page), Vec::new(), summary)?,
    };
    let last = traces.last().filter(|_| more);
    let next_cursor = last.map(|last| read::write_cursor(&(last.started_at, last.trace_id)));
    Ok(TracePage { traces, next_cursor })
}

/// Where the traces that are asked for come from: from the roll-up, or from spans when it is
/// attributes that are asked for.
fn sources(slots: &Slots, query: &ListQuery, now: i64) -> Vec<Source> {
    let part = part_filter(query, now);
    let rows = format!("SELECT trace_id, first AS moment FROM parts WHERE {}", part.sql());
    if query.attributes.is_empty() {
        return vec![Source {
            sql: rows,
            values: part.values,
        }];
    }
    // The roll-up is asked as well only for what spans do not know.
    let parts = Source {
        sql: format!("SEMI JOIN ({rows}) p ON p.trace_id = s.trace_id"),
        values: part.values,
    };
    let join = Some(parts).filter(|_| asks_more(query));
    attribute::spans(slots, &query.attributes)
        .into_iter()
        .map(|mut spans| {
            spans.equal("s.project", query.project.as_deref());
            let (from, to) = query.range.bounds(now);
            for (condition, bound, open) in [
                ("s.start_time <= ?", to, i64::MAX),
                ("s.last_time >= ?", from, i64::MIN),
            ] {
                if bound != open {
                    spans.add(condition, [Value::BigInt(bound)]);
                }
            }
            let (joined, values) = join
                .as_ref()
                .map_or(("", &[][..]), |join| (&join.sql, &join.values));
            Source {
                sql: format!(
                    "SELECT s.trace_id, s.start_time AS moment FROM spans s {joined} WHERE {}",
                    spans.sql()
                ),
                values: values.iter().chain(&spans.values).cloned().collect(),
            }
        })
        .collect()
}

/// Whether the roll-up is asked for more than project and time.
fn asks_more(query: &ListQuery) -> bool {
    let texts = [
        &query.session,
        &query.room,
        &query.agent,
        &query.model,
        &query.q,
        &query.status,
    ];
    texts.into_iter().any(Option::is_some)
        || query.system.is_some()
        || query.has_error == Some(true)
        || query.blocked == Some(true)
}

/// Conditions on a row of the roll-up.
fn part_filter(query: &ListQuery, now: i64) -> Filter {
    let (from, to) = query.range.bounds(now);
    let mut filter = Filter::default();
    filter.add("spans > 0", []);
    filter.add(
        "first <= ? AND last >= ?",
        [Value::BigInt(to), Value::BigInt(from)],
    );
    read::text(&mut filter, query.q.as_deref());
    filter.equal("project", query.project.as_deref());
    filter.equal("session_id", query.session.as_deref());
    filter.equal("room", query.room.as_deref());
    filter.text("list_contains(agents, ?)", query.agent.as_deref());
    filter.text("list_contains(models, ?)", query.model.as_deref());
    if let Some(system) = query.system {
        filter.add("system = ?", [Value::UTinyInt(system as u8)]);
    }
    match query.status.as_deref() {
        Some("active") => filter.add("open > 0", []),
        Some("failed") => filter.add("errors > 0 OR blocked > 0", []),
        _ => {}
    }
    if query.has_error == Some(true) {
        filter.add("errors > 0", []);
    }
    if query.blocked == Some(true) {
        filter.add("blocked > 0", []);
    }
    filter
}

/// Conditions on a trace as a whole.
fn group_filter(query: &ListQuery) -> Result<Filter, StoreError> {
    let mut filter = Filter::default();
    filter.add("spans > 0", []);
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
    if let Some((first, id)) = read::read_cursor::<(i64, TraceId)>(query.cursor.as_deref())? {
        let after = format!("first < ? OR (first = ? AND trace_id > '{id}'::UUID)");
        filter.add(&after, [Value::BigInt(first), Value::BigInt(first)]);
    }
    Ok(filter)
}

/// One trace with every span in full.
pub(super) fn one(
    connection: &Connection,
    slots: &Slots,
    trace_id: TraceId,
) -> Result<Option<TraceDetail>, StoreError> {
    let Some((first, last)) = parts::window_of(connection, trace_id)? else {
        return Ok(None);
    };
    let sql = Page::of(&[(trace_id, first, last)])
        .map(|page| grouped(&page))
        .unwrap_or_default();
    let Some(trace) = read::rows(connection, "read a trace", &sql, Vec::new(), summary)?.pop() else {
        return Ok(None);
    };
    let condition = format!("s.trace_id = '{trace_id}'::UUID");
    let spans = read::spans(
        connection,
        slots,
        &Wanted {
            source: "spans s",
            window: (first, last),
            condition: &condition,
        },
    )?;
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
    slots: &Slots,
    trace_id: TraceId,
    span_id: SpanId,
) -> Result<Option<SpanDetail>, StoreError> {
    let Some(window) = parts::window_of(connection, trace_id)? else {
        return Ok(None);
    };
    let condition = format!(
        "s.trace_id = '{trace_id}'::UUID AND s.span_id = {}::UBIGINT",
        span_id.as_u64()
    );
    let wanted = Wanted {
        source: "spans s",
        window,
        condition: &condition,
    };
    Ok(read::spans(connection, slots, &wanted)?.first().map(detail))
}
