//! The roll-up of spans and logs that lists are made of: what one commit brought of one trace
//! (or of no trace) for one session, as a row. Lists of millions of spans are sums over far
//! fewer rows.
//!
//! Rows are appended with the records. When a later record changes what earlier ones mean (a
//! session that becomes known, a span that ends), the rows of that trace are made anew from its
//! records, so that the roll-up always equals the grouping of everything that is kept.

use super::append::Columns;
use super::met::Met;
use super::{engine_error, read, sums, write};
use crate::StoreError;
use duckdb::Connection;
use hashbrown::{HashMap, HashSet};
use meshscope_model::TraceId;

/// A point that counts an interrupted turn of VideoSDK. Spans may say the same of the same turns,
/// so that the larger count holds.
const INTERRUPTED_TURN: &str =
    "p.name = 'videosdk.turns' AND list_contains(p.attributes, {'k': 'interrupted', 'v': 't'})";
/// An event that reports a blocked step of MeshFlow; the same goes for its spans.
const BLOCKED_STEP: &str = "l.event_name = 'meshflow.step_blocked'";

/// The temporary table of the traces at hand with their sessions as known now.
const KNOWN: &str = "CREATE OR REPLACE TEMP TABLE known (trace_id UUID, session VARCHAR)";

/// Rows made of the spans that meet `condition` (on `s`).
fn of_spans(condition: &str, sequence: i64) -> String {
    let place = read::PLACE;
    format!(
        "INSERT INTO parts BY NAME WITH v AS (SELECT s.*, {place} AS place, coalesce(s.session, known.session, s.fallback_session,
            CASE WHEN NOT s.noise THEN replace(s.trace_id::VARCHAR, '-', '') END) AS session_id
        FROM spans s LEFT JOIN known ON known.trace_id = s.trace_id WHERE {condition})
    SELECT {sequence} AS sequence, trace_id, project, session_id, max(system) AS system, min(room) AS room,
        min(start_time) AS first, max(last_time) AS last, count(*) AS spans,
        count(*) FILTER (error IS NOT NULL AND NOT blocked) AS errors, count(*) FILTER (blocked) AS blocked,
        count(*) FILTER (interrupted) AS interrupted, count(*) FILTER (end_time IS NULL) AS open,
        max(start_time) FILTER (end_time IS NULL) AS open_since, count(*) FILTER (parent_span_id IS NULL) AS roots,
        min(place) AS place, arg_min(name, place) AS name, arg_min(service, place) AS service,
        min(place) FILTER (parent_span_id IS NULL) AS root_place,
        arg_min(name, place) FILTER (parent_span_id IS NULL) AS root_name,
        arg_min(service, place) FILTER (parent_span_id IS NULL) AS root_service,
        max(place) FILTER (parent_span_id IS NULL) AS last_root_place,
        arg_max(error IS NOT NULL OR blocked, place) FILTER (parent_span_id IS NULL) AS root_failed,
        max(place) FILTER (operation = 1) AS call_place,
        arg_max(error IS NOT NULL, place) FILTER (operation = 1) AS call_failed,
        min(place) FILTER (title IS NOT NULL) AS title_place, arg_min(title, place) FILTER (title IS NOT NULL) AS title,
        min(place) FILTER (error <> '' AND NOT blocked) AS error_place,
        arg_min(error, place) FILTER (error <> '' AND NOT blocked) AS error, min(error) FILTER (NOT blocked) AS any_error,
        list_distinct(list(agent) FILTER (agent IS NOT NULL)) AS agents,
        list_distinct(list(model) FILTER (model IS NOT NULL)) AS models,
        {} AS words
    FROM v GROUP BY trace_id, project, session_id",
        words(&["name", "service", "tool", "error", "agent", "model", "title", "room"])
    )
}

/// SQL of what free text is looked for in: the texts of some columns and the session, each once
/// and in lower case, one a line.
fn words(columns: &[&str]) -> String {
    let lists: Vec<String> = columns
        .iter()
        .map(|column| format!("list({column}) FILTER ({column} <> '')"))
        .chain(["[session_id]".to_owned()])
        .collect();
    format!(
        "lower(array_to_string(list_distinct(flatten([{}])), chr(10)))",
        lists.join(", ")
    )
}

/// Rows made of the log records that meet `condition` (on `l`). What has no trace may be of a session
/// of days: it is one row an hour.
fn of_logs(condition: &str, sequence: i64) -> String {
    format!(
        "INSERT INTO parts BY NAME WITH v AS (SELECT l.*, coalesce(l.session, known.session, l.fallback_session,
            replace(l.trace_id::VARCHAR, '-', '')) AS session_id
        FROM logs l LEFT JOIN known ON known.trace_id = l.trace_id WHERE {condition})
    SELECT {sequence} AS sequence, trace_id, project, session_id, max(system) AS system, min(room) AS room, min(time) AS first, max(time) AS last,
        count(*) AS logs, count(*) FILTER (severity_number >= 17) AS log_errors,
        count(*) FILTER ({BLOCKED_STEP}) AS blocked_logs,
        list_distinct(list(agent) FILTER (agent IS NOT NULL)) AS agents, {} AS words
    FROM v l GROUP BY trace_id, project, session_id, CASE WHEN trace_id IS NULL THEN {} END",
        words(&["agent", "room"]),
        sums::hour_sql("time")
    )
}

/// Rows made of the metric points of a session of their own that meet `condition` (on `p`). A
/// point that names only a call has the session of the call's trace, which may be known later:
/// see [`all`]. They are one row an hour.
fn of_points(condition: &str, sequence: i64) -> String {
    format!(
        "INSERT INTO parts BY NAME
    SELECT {sequence} AS sequence, project, coalesce(session, fallback_session) AS session_id, max(system) AS system, min(room) AS room,
        min(time) AS first, max(time) AS last, count(*) AS points,
        count(*) FILTER ({INTERRUPTED_TURN}) AS interrupted_points,
        list_distinct(list(agent) FILTER (agent IS NOT NULL)) AS agents,
        lower(concat_ws(chr(10), coalesce(session, fallback_session), min(room), min(agent))) AS words
    FROM metric_points p WHERE NOT (p.call IS NOT NULL AND p.session IS NULL) AND {condition}
    GROUP BY project, coalesce(session, fallback_session), {}",
        sums::hour_sql("time")
    )
}

/// SQL of the roll-up together with the points whose session is that of a call's trace: these are
/// few, so that they are looked up with every question.
pub(super) fn all() -> String {
    format!("(SELECT * FROM parts UNION ALL BY NAME {})", of_calls())
}

/// SQL of the points whose session is that of a call's trace, as rows of the roll-up.
pub(super) fn of_calls() -> String {
    format!(
        "SELECT p.project, coalesce(s.session, p.fallback_session, replace(t.trace_id::VARCHAR, '-', '')) AS session_id,
        max(p.system) AS system, min(p.room) AS room, min(p.time) AS first, max(p.time) AS last,
        0::UINTEGER AS spans, 0::UINTEGER AS logs, count(*)::UINTEGER AS points,
        (count(*) FILTER ({INTERRUPTED_TURN}))::UINTEGER AS interrupted_points,
        list_distinct(list(p.agent) FILTER (p.agent IS NOT NULL)) AS agents,
        lower(concat_ws(chr(10), coalesce(s.session, p.fallback_session), min(p.room), min(p.agent))) AS words
    FROM metric_points p LEFT JOIN (SELECT call, min(trace_id) AS trace_id FROM calls GROUP BY call) t ON t.call = p.call
    LEFT JOIN (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
        WHERE trace_id IN (SELECT trace_id FROM calls) GROUP BY trace_id) s ON s.trace_id = t.trace_id
    WHERE p.call IS NOT NULL AND p.session IS NULL
    GROUP BY p.project, s.session, p.fallback_session, t.trace_id"
    )
}

/// What a commit brought.
pub(super) struct Brought<'a> {
    /// Sequence number of the last record before it.
    pub(super) since: i64,
    /// Whether there are spans, logs and points among it.
    pub(super) signals: [bool; 3],
    /// Its traces.
    pub(super) traces: &'a HashMap<TraceId, Met>,
    /// Those of them of which earlier records mean something else now.
    pub(super) changed: &'a HashSet<TraceId>,
}

/// Adds what a commit brought, within its transaction.
pub(super) fn add(connection: &Connection, brought: &Brought<'_>) -> Result<(), StoreError> {
    let run = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(engine_error("sum up the records"))
    };
    let sequence = brought.since + 1;
    run(KNOWN)?;
    let mut c = Columns::default();
    c.trace_ids(brought.traces.keys().copied().map(Some));
    c.text(brought.traces.values().map(Met::session));
    c.append(connection, "known")?;
    let mut fresh = ["s", "l", "p"].map(|alias| format!("{alias}.sequence > {}", brought.since));
    if !brought.changed.is_empty() {
        run("CREATE TEMP TABLE IF NOT EXISTS changed (trace_id UUID); DELETE FROM changed")?;
        let mut c = Columns::default();
        c.trace_ids(brought.changed.iter().copied().map(Some));
        c.append(connection, "changed")?;
        if let Some((first, last)) = window(connection, "changed")? {
            sums::forget_parts(connection, "trace_id IN (SELECT trace_id FROM changed)")?;
            run("DELETE FROM parts WHERE trace_id IN (SELECT trace_id FROM changed)")?;
            let old = |alias: &str, time: &str| {
                format!(
                    "{alias}.sequence <= {} AND {alias}.{time} BETWEEN {first} AND {last} AND {alias}.trace_id IN (SELECT trace_id FROM changed)",
                    brought.since
                )
            };
            run(&of_spans(&old("s", "start_time"), sequence))?;
            run(&of_logs(&old("l", "time"), sequence))?;
        }
    }
    for ((condition, there), sql) in fresh
        .iter_mut()
        .zip(brought.signals)
        .zip([of_spans, of_logs, of_points])
    {
        if there {
            run(&sql(condition, sequence))?;
        }
    }
    Ok(())
}

/// The first and last moment of the traces in a table, of those that are kept.
pub(super) fn window(connection: &Connection, table: &str) -> Result<Option<(i64, i64)>, StoreError> {
    let sql = format!("SELECT min(first), max(last) FROM parts SEMI JOIN {table} USING (trace_id)");
    let found = read::rows(connection, "find traces", &sql, Vec::new(), |row| {
        Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
    })?;
    Ok(found.into_iter().next().flatten())
}

/// The first and last moment of a trace.
pub(super) fn window_of(
    connection: &Connection,
    trace_id: TraceId,
) -> Result<Option<(i64, i64)>, StoreError> {
    let sql = format!("SELECT min(first), max(last) FROM parts WHERE trace_id = '{trace_id}'::UUID");
    let found = read::rows(connection, "find a trace", &sql, Vec::new(), |row| {
        Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
    })?;
    Ok(found.into_iter().next().flatten())
}

/// Makes the rows of what has no trace anew, within the connection's transaction: some of it was
/// removed. `sequence` is the number of the last record: rows that are not summed up yet must not get
/// one of those that are.
pub(super) fn renew_traceless(connection: &Connection, sequence: i64) -> Result<(), StoreError> {
    sums::forget_parts(connection, "trace_id IS NULL")?;
    let sql = format!(
        "{KNOWN}; DELETE FROM parts WHERE trace_id IS NULL; {}; {}",
        of_logs("l.trace_id IS NULL", sequence),
        of_points("true", sequence)
    );
    connection
        .execute_batch(&sql)
        .map_err(engine_error("sum up the records"))?;
    // What stood in a row that was too long for the sums is theirs now.
    sums::forget_parts(connection, "trace_id IS NULL")
}

/// Makes the roll-up of everything that is kept, for a file that has none.
pub(super) fn rebuild(connection: &Connection) -> Result<(), StoreError> {
    let run = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(engine_error("sum up the records"))
    };
    write::transaction(connection, "sum up the records", || {
        run(&format!(
            "DELETE FROM parts; {KNOWN}; INSERT INTO known SELECT trace_id,
                coalesce(min(session), min(fallback_session)) FROM trace_sessions GROUP BY trace_id"
        ))?;
        run(&of_spans("true", 0))?;
        run(&of_logs("true", 0))?;
        run(&of_points("true", 0))
    })
}
