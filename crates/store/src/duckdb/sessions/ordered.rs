//! Sessions in any order, and figures over all that are asked for: sums up whole what the filters let
//! through.

use super::{STATUS, chosen, page, standing};
use crate::StoreError;
use crate::duckdb::counted;
use crate::duckdb::read::{self, Filter};
use crate::duckdb::slots::Slots;
use duckdb::Connection;
use duckdb::types::Value;
use meshscope_api::{ListQuery, SessionOrder, SessionPage, SessionTotals, TimeRange};

/// Where a page in some order ends: the rank and value of its last session, and which it is.
type Cursor = (u8, i64, String, String);

/// Everything that a session can be ordered by, before it is summed up.
const MEASURES: &str =
    "count(DISTINCT trace_id) FILTER (spans > 0)::BIGINT AS runs, coalesce(sum(logs), 0)::BIGINT AS logs";

/// SQL of the value that an order goes by, and of its rank: what has no value stands last in either
/// direction, what is active first.
fn value_of(order: SessionOrder) -> (String, String) {
    let value = match order {
        SessionOrder::Started => "first",
        SessionOrder::Activity => {
            let active = format!("CASE WHEN ({STATUS}) = 'active' THEN 2 ELSE 1 END");
            return ("last".to_owned(), active);
        }
        SessionOrder::Duration => "last::HUGEINT - first::HUGEINT",
        SessionOrder::Runs => "runs",
        SessionOrder::Spans => "spans",
        SessionOrder::Logs => "logs",
        SessionOrder::Errors => "errors",
        SessionOrder::Tokens => "tokens",
        SessionOrder::Cost => "cost",
    };
    let rank = format!("CASE WHEN {value} IS NULL THEN 0 ELSE 1 END");
    // `least` passes over what is absent, so that this comes first.
    (format!("least(coalesce({value}, 0), 9223372036854775807)"), rank)
}

/// SQL of all sessions that the query asks for as a table, with every measure; and its values.
fn selected(slots: &Slots, query: &ListQuery, now: i64, used: bool) -> (String, Vec<Value>) {
    let measures = format!(
        ", {}, {}, {MEASURES}, min(room) AS room, {} AS agents, {} AS models",
        super::COUNTS,
        standing(now),
        super::AGENTS,
        super::MODELS
    );
    chosen(slots, query, now, &measures, used)
}

/// A page of sessions in the order that is asked for.
pub(super) fn list(
    connection: &Connection,
    slots: &Slots,
    query: &ListQuery,
    now: i64,
) -> Result<SessionPage, StoreError> {
    let by_use = matches!(query.order, SessionOrder::Tokens | SessionOrder::Cost);
    let (table, mut values) = selected(slots, query, now, by_use || query.min_cost_pico_usd.is_some());
    let (value, rank) = value_of(query.order);
    let (direction, behind) = if query.ascending {
        ("ASC", ">")
    } else {
        ("DESC", "<")
    };
    let mut after = Filter::default();
    if let Some((rank, value, project, id)) = read::read_cursor::<Cursor>(query.cursor.as_deref())? {
        after.add(
            &format!(
                "rank < ? OR (rank = ? AND (value {behind} ? OR (value = ? AND (project, session_id) > (?, ?))))"
            ),
            [
                Value::UTinyInt(rank),
                Value::UTinyInt(rank),
                Value::BigInt(value),
                Value::BigInt(value),
                Value::Text(project),
                Value::Text(id),
            ],
        );
    }
    values.extend(after.values.iter().cloned());
    let sql = format!(
        "SELECT project, session_id, first, last, rank, value FROM
            (SELECT project, session_id, first, last, ({rank})::UTINYINT AS rank, ({value})::BIGINT AS value FROM {table})
        WHERE {} ORDER BY rank DESC, value {direction}, project, session_id LIMIT {}",
        after.sql(),
        u64::from(query.limit) + 1
    );
    let mut found = read::rows(connection, "order sessions", &sql, values, |row| {
        let key: Cursor = (row.get(4)?, row.get(5)?, row.get(0)?, row.get(1)?);
        Ok((key, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    })?;
    let limit = query.limit as usize;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|(key, ..)| read::write_cursor(key));
    let places: hashbrown::HashMap<(String, String), usize> = found
        .iter()
        .enumerate()
        .map(|(place, ((.., project, id), ..))| ((project.clone(), id.clone()), place))
        .collect();
    let wanted = found
        .into_iter()
        .map(|((.., project, id), first, last)| (project, id, first, last))
        .collect();
    let mut sessions = page(connection, wanted, now)?;
    sessions.sort_by_cached_key(|session| {
        let key = (session.project.clone(), session.session_id.clone());
        places.get(&key).copied()
    });
    Ok(SessionPage {
        sessions,
        next_cursor,
    })
}

/// The first and last moment of the traces of sessions; `table` is SQL of these.
fn window(connection: &Connection, table: &str, values: &[Value]) -> Result<(i64, i64), StoreError> {
    let sql = format!(
        "WITH chosen AS (SELECT project, session_id FROM {table}) SELECT min(first), max(last) FROM parts
        WHERE trace_id IN (SELECT trace_id FROM parts SEMI JOIN chosen USING (project, session_id))"
    );
    let found = read::rows(connection, "find sessions", &sql, values.to_vec(), |row| {
        Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
    })?;
    // No moment lies in the window of none.
    Ok(found.into_iter().next().flatten().unwrap_or((1, 0)))
}

/// Figures over all sessions that are asked for.
pub(super) fn totals(
    connection: &Connection,
    slots: &Slots,
    query: &ListQuery,
    now: i64,
) -> Result<SessionTotals, StoreError> {
    let (table, values) = selected(slots, query, now, query.min_cost_pico_usd.is_some());
    let ledger = match query.range == TimeRange::ALL {
        true => "ledger".to_owned(),
        false => format!(
            "({})",
            counted::ledger_within(window(connection, &table, &values)?)
        ),
    };
    let sum = |column: &str| format!("coalesce(sum({column}), 0)::BIGINT");
    let columns = read::TOKEN_COLUMNS.join(", ");
    let sql = format!(
        "WITH chosen AS MATERIALIZED (SELECT *, {status} AS standing FROM {table}),
        used AS (SELECT {tokens}, {cost} AS cost, count(*) FILTER (cost IS NULL) AS unpriced
            FROM {ledger} SEMI JOIN chosen USING (project, session_id)),
        named({columns}, cost, unpriced) AS (SELECT * FROM used)
        SELECT {columns}, cost, unpriced, all_of.* FROM named, (SELECT count(*), count(*) FILTER (standing = 'active'),
            count(*) FILTER (standing = 'failed'), {runs}, {spans}, {logs}, {errors}, {blocked},
            least(coalesce(sum(last::HUGEINT - first::HUGEINT), 0), 9223372036854775807)::BIGINT FROM chosen) all_of",
        status = STATUS,
        tokens = read::token_sums(),
        cost = read::sum_of("cost"),
        runs = sum("runs"),
        spans = sum("spans"),
        logs = sum("logs"),
        errors = sum("errors"),
        blocked = sum("blocked"),
    );
    let found = read::rows(connection, "sum up sessions", &sql, values, |row| {
        let count = |at: usize| row.get::<_, i64>(at);
        let few = |at: usize| count(at).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        Ok(SessionTotals {
            tokens: read::tokens(row, 0)?,
            cost_pico_usd: row.get(8)?,
            unpriced_calls: count(9)?,
            sessions: few(10)?,
            active: few(11)?,
            failed: few(12)?,
            runs: count(13)?,
            spans: count(14)?,
            logs: count(15)?,
            errors: count(16)?,
            blocked: count(17)?,
            duration_ns: count(18)?,
        })
    })?;
    Ok(found.into_iter().next().unwrap_or_default())
}
