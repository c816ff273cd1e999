//! The ledger rows under a figure; claims that were not counted stand among them when asked for.

use super::super::counted;
use super::super::read::{self, Filter};
use super::super::slots::Slots;
use super::source::{self, Source};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use hashbrown::HashMap;
use meshscope_api::usage_query::{Claims, UsageOrder, UsageQuery};
use meshscope_api::{UsageDispute, UsageRow, UsageRowPage, UsageSource};
use meshscope_model::{Operation, SpanId, TraceId};

/// SQL of what rows are ordered by before their time, the most first.
fn weight(order: Option<UsageOrder>) -> &'static str {
    match order {
        Some(UsageOrder::Cost) => "coalesce(cost, -1)",
        Some(UsageOrder::Tokens) => "coalesce(total_tokens, -1)",
        Some(UsageOrder::Latency) => "coalesce(duration, -1)",
        Some(UsageOrder::Carbon) => "coalesce(carbon, -1)",
        _ => "0::BIGINT",
    }
}

/// Where a page ended: weight, time, sequence number.
type Place = (i64, i64, i64);

/// A page of rows in the order asked for.
pub(in super::super) fn rows(
    connection: &Connection,
    slots: &Slots,
    query: &UsageQuery,
    now: i64,
) -> Result<UsageRowPage, StoreError> {
    let mut filter = source::call_filter(slots, query, query.list.range.bounds(now));
    let weight = weight(query.order);
    if let Some((heavy, time, sequence)) = read::read_cursor::<Place>(query.list.cursor.as_deref())? {
        filter.add(
            &format!("({weight}, time, sequence) < (?, ?, ?)"),
            [Value::BigInt(heavy), Value::BigInt(time), Value::BigInt(sequence)],
        );
    }
    let limit = query.list.limit as usize;
    let ungrouped = UsageQuery {
        by: Vec::new(),
        ..query.clone()
    };
    let source = Source::of(connection, slots, &ungrouped, now)?;
    // Most often the page is among the first rows by one column alone.
    let mut found = Vec::new();
    let by_column = !source.has_sessions && query.attributes.is_empty();
    if by_column && let Some(first) = first_rows(connection, &filter, query)? {
        let mut near = filter.clone();
        near.add(&first, []);
        found = page(connection, &source, &near, query, weight)?;
    }
    if found.len() <= limit {
        found = page(connection, &source, &filter, query, weight)?;
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|(_, place)| read::write_cursor(place));
    let mut rows: Vec<UsageRow> = found.into_iter().map(|(row, _)| row).collect();
    dispute(connection, &mut rows)?;
    Ok(UsageRowPage { rows, next_cursor })
}

/// Rows that are looked at first, for each of a page.
const NEAR: u64 = 4;

/// Condition that the first rows of the ledger in the order asked for meet: more than the page has, of
/// all that lie in its range of time. Only a question for which few of them are chosen needs more.
fn first_rows(
    connection: &Connection,
    filter: &Filter,
    query: &UsageQuery,
) -> Result<Option<String>, StoreError> {
    let column = match query.order {
        Some(UsageOrder::Cost) => "cost",
        Some(UsageOrder::Tokens) => "total_tokens",
        Some(UsageOrder::Latency) => "duration",
        Some(UsageOrder::Carbon) => "carbon",
        _ => "time",
    };
    let take = u64::from(query.list.limit).saturating_add(1) * NEAR;
    let sql = format!(
        "SELECT min({column}) FROM (SELECT {column} FROM usage WHERE {column} IS NOT NULL AND {}
        ORDER BY {column} DESC LIMIT {take})",
        filter.sql()
    );
    let least = read::rows(
        connection,
        "look at the ledger",
        &sql,
        filter.values.clone(),
        |row| row.get::<_, Option<i64>>(0),
    )?;
    let least = least
        .into_iter()
        .next()
        .flatten()
        .filter(|least| *least > i64::MIN);
    Ok(least.map(|least| format!("{column} >= {least}")))
}

fn page(
    connection: &Connection,
    source: &Source,
    filter: &Filter,
    query: &UsageQuery,
    weight: &str,
) -> Result<Vec<(UsageRow, Place)>, StoreError> {
    // Sessions are looked up for the page alone where the rows come without.
    let session = if source.has_sessions {
        "session_id"
    } else {
        "NULL::VARCHAR AS session_id"
    };
    let columns = format!(
        "time, trace_id, span_id, project, system, room, service, agent, operation, model, provider, duration, {},
        cost, cost_source, error, sequence, source, session, fallback_session, call, {session}, role, tool, version, user_id,
        time_to_first_token, characters, audio_ns, carbon, batch, {weight} AS weight",
        read::TOKEN_COLUMNS.join(", ")
    );
    let (with, values) = source.both(filter);
    let counted = format!("SELECT {columns}, false AS uncounted FROM chosen");
    let claims = format!("SELECT {columns}, true AS uncounted FROM chosen_uncounted");
    let all = match query.claims {
        Claims::With => format!("{counted} UNION ALL {claims}"),
        Claims::Without => counted,
        Claims::Only => claims,
    };
    let sql = format!(
        "{with}, page AS MATERIALIZED (SELECT * FROM ({all}) ORDER BY weight DESC, time DESC, sequence DESC LIMIT {}),
        k AS (SELECT call, min(trace_id) AS trace_id FROM calls WHERE call IN (SELECT call FROM page) GROUP BY call),
        t AS (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
            WHERE trace_id IN (SELECT trace_id FROM page UNION ALL SELECT trace_id FROM k) GROUP BY trace_id)
        SELECT page.time, page.trace_id::VARCHAR, page.span_id,
            coalesce(page.session_id, page.session, t.session, page.fallback_session,
                replace(coalesce(page.trace_id, k.trace_id)::VARCHAR, '-', '')),
            project, system, room, service, agent, operation, model, provider, duration, {}, cost, cost_source, uncounted,
            error, source, role, tool, version, user_id, time_to_first_token, characters, audio_ns, carbon,
            coalesce(batch, false), weight, sequence
        FROM page LEFT JOIN k ON k.call = page.call LEFT JOIN t ON t.trace_id = coalesce(page.trace_id, k.trace_id)
        ORDER BY weight DESC, page.time DESC, sequence DESC",
        query.list.limit.saturating_add(1),
        read::TOKEN_COLUMNS.join(", "),
    );
    read::rows(connection, "read the ledger", &sql, values, row)
}

fn row(row: &Row<'_>) -> duckdb::Result<(UsageRow, Place)> {
    let uuid: Option<String> = row.get(1)?;
    let ledger = UsageRow {
        source: if row.get::<_, u8>(25)? == 0 {
            UsageSource::Span
        } else {
            UsageSource::Metric
        },
        time: row.get(0)?,
        trace_id: uuid.map(|uuid| read::trace_id_of(&uuid)),
        span_id: row.get::<_, Option<u64>>(2)?.map(SpanId::from_u64),
        session_id: row.get(3)?,
        project: row.get(4)?,
        system: read::system(row.get(5)?),
        room: row.get(6)?,
        service: row.get(7)?,
        agent: row.get(8)?,
        operation: Operation::from_number(row.get(9)?),
        model: row.get(10)?,
        provider: row.get(11)?,
        duration_ns: row.get(12)?,
        tokens: read::tokens(row, 13)?,
        cost_pico_usd: row.get(21)?,
        cost_source: row.get::<_, Option<String>>(22)?.map(read::cost_source),
        claim: row.get(23)?,
        error: row.get(24)?,
        role: row.get(26)?,
        tool: row.get(27)?,
        version: row.get(28)?,
        user: row.get(29)?,
        time_to_first_token_ns: row.get(30)?,
        characters: row.get(31)?,
        audio_ns: row.get(32)?,
        carbon_ug: row.get(33)?,
        batch: row.get(34)?,
        price: None,
        disputes: Vec::new(),
    };
    let place = (row.get(35)?, ledger.time, row.get(36)?);
    Ok((ledger, place))
}

/// Puts beside the rows what ancestors claim in their runs, where it is not what the ledger counts.
fn dispute(connection: &Connection, rows: &mut [UsageRow]) -> Result<(), StoreError> {
    let traces: hashbrown::HashSet<TraceId> = rows.iter().filter_map(|row| row.trace_id).collect();
    if traces.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = traces.iter().map(|id| format!("('{id}'::UUID)")).collect();
    let traces = format!("page_traces(trace_id) AS (VALUES {})", list.join(", "));
    let sql = format!(
        "WITH {traces} SELECT min(first), max(last) FROM parts
        WHERE spans > 0 AND trace_id IN (SELECT trace_id FROM page_traces)"
    );
    let window = read::rows(connection, "find runs", &sql, Vec::new(), |row| {
        Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
    })?;
    let window = window.into_iter().next().flatten().unwrap_or((0, 0));
    // Claims of MeshFlow (system 4) are over a session of many runs.
    let sql = format!(
        "WITH {traces}, page_sessions AS (SELECT NULL::VARCHAR AS project, NULL::VARCHAR AS session_id WHERE false), {},
        c AS (SELECT trace_id, span_id, total_tokens, cost FROM page_claims WHERE system <> 4),
        u AS (SELECT trace_id, {} AS tokens, {} AS cost FROM page_counted WHERE NOT claim GROUP BY trace_id)
        SELECT c.trace_id::VARCHAR, c.span_id, c.total_tokens, u.tokens, c.cost, u.cost FROM c JOIN u USING (trace_id)
        WHERE c.total_tokens <> u.tokens OR c.cost <> u.cost ORDER BY 1, 2",
        counted::of_page(window),
        read::sum_of("total_tokens"),
        read::sum_of("cost"),
    );
    let mut all: HashMap<TraceId, Vec<UsageDispute>> = HashMap::new();
    read::rows(connection, "read claims", &sql, Vec::new(), |row| {
        let dispute = UsageDispute {
            span_id: row.get::<_, Option<u64>>(1)?.map(SpanId::from_u64),
            claimed_tokens: row.get(2)?,
            counted_tokens: row.get(3)?,
            claimed_cost_pico_usd: row.get(4)?,
            counted_cost_pico_usd: row.get(5)?,
        };
        let trace = read::trace_id_of(&row.get::<_, String>(0)?);
        all.entry(trace).or_default().push(dispute);
        Ok(())
    })?;
    for row in rows {
        if let Some(disputes) = row.trace_id.and_then(|id| all.get(&id)) {
            row.disputes.clone_from(disputes);
        }
    }
    Ok(())
}
