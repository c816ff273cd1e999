//! Sessions are found, not declared: a grouping of what is kept, by what is known now.

use super::read::{self, Filter};
use super::{engine_error, traces};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::session::{Project, ProjectList, Session, SessionDetail, SessionPage, SessionStatus};
use meshscope_api::{ListQuery, TimeRange};
use meshscope_model::System;
use meshscope_model::time::{HOUR, MINUTE};

/// How long a session may be quiet and still count as active.
const QUIET: i64 = 2 * MINUTE;
/// How long a span may be in progress before it is taken for one that never ended.
const UNFINISHED: i64 = HOUR;
/// Slices of a session's sparkline.
const SLICES: i64 = 20;

/// A point that counts an interrupted turn of VideoSDK. Spans may say the same of the same turns,
/// so that the larger count holds.
const INTERRUPTED_TURN: &str =
    "name = 'videosdk.turns' AND list_contains(attributes, {'k': 'interrupted', 'v': 't'})";
/// An event that reports a blocked step of MeshFlow; the same goes for its spans.
const BLOCKED_STEP: &str = "event_name = 'meshflow.step_blocked'";

/// SQL that counts sessions.
pub(super) const COUNT: &str = "SELECT count(*) FROM (
    SELECT DISTINCT project, session_id FROM session_spans WHERE session_id IS NOT NULL
    UNION SELECT DISTINCT project, session_id FROM session_logs WHERE session_id IS NOT NULL
    UNION SELECT DISTINCT project, session_id FROM session_points WHERE session_id IS NOT NULL)";

/// Projects, latest activity first.
pub(super) fn projects(connection: &Connection) -> Result<ProjectList, StoreError> {
    let sql =
        "SELECT project, max(last), list_sort(list(DISTINCT room) FILTER (room IS NOT NULL))[:1000] FROM (
            SELECT project, room, max(last_time) AS last FROM spans GROUP BY ALL
            UNION ALL SELECT project, room, max(time) FROM logs GROUP BY ALL
            UNION ALL SELECT project, room, max(time) FROM metric_points GROUP BY ALL)
        GROUP BY project ORDER BY 2 DESC, 1";
    let projects = read::rows(connection, "list projects", sql, Vec::new(), |row| {
        Ok(Project {
            project: row.get(0)?,
            last_activity_at: row.get(1)?,
            rooms: read::texts(row.get(2)?),
        })
    })?;
    Ok(ProjectList { projects })
}

/// Which records belong to the sessions asked for, before they are grouped.
fn hits(query: &ListQuery, range: (i64, i64), only: Option<&str>) -> (String, Vec<Value>) {
    let mut parts = Vec::new();
    let mut values = Vec::new();
    for (view, first, last) in [
        ("session_spans", "start_time", "last_time"),
        ("session_logs", "time", "time"),
        ("session_points", "time", "time"),
    ] {
        let mut filter = Filter::default();
        filter.add("session_id IS NOT NULL", []);
        filter.add(
            &format!("{first} <= ? AND {last} >= ?"),
            [Value::BigInt(range.1), Value::BigInt(range.0)],
        );
        filter.equal("project", query.project.as_deref());
        filter.equal("session_id", only.or(query.session.as_deref()));
        parts.push(format!(
            "SELECT DISTINCT project, session_id FROM {view} WHERE {}",
            filter.sql()
        ));
        values.append(&mut filter.values);
    }
    (parts.join(" UNION "), values)
}

/// The grouping: one row a session, columns read by [`session`].
fn grouped(hits: &str) -> String {
    let (tokens, latency, first_token) = (
        read::token_sums(),
        read::quantiles_of("duration"),
        read::quantiles_of("time_to_first_token"),
    );
    let sum = read::sum_of;
    let (cost, carbon) = (sum("cost"), sum("carbon"));
    let (token_names, place) = (read::TOKEN_COLUMNS.join(", "), read::PLACE);
    format!(
        "WITH hit AS ({hits}),
    s AS (SELECT v.*, {place} AS place FROM session_spans v SEMI JOIN hit ON hit.project = v.project AND hit.session_id = v.session_id),
    span_part AS (SELECT project, session_id, min(start_time) AS first, max(last_time) AS last, count(*) AS spans,
        count(DISTINCT trace_id) AS traces, count(*) FILTER (error IS NOT NULL AND NOT blocked) AS errors,
        count(*) FILTER (blocked) AS blocked, count(*) FILTER (interrupted) AS interrupted, max(start_time) FILTER (end_time IS NULL) AS open_since,
        list(DISTINCT agent) FILTER (agent IS NOT NULL) AS agents, list(DISTINCT model) FILTER (model IS NOT NULL) AS models,
        max(system) AS system, min(room) AS room, arg_min(title, place) FILTER (title IS NOT NULL) AS title,
        arg_min(name, place) FILTER (parent_span_id IS NULL) AS root_name, arg_min(name, place) AS any_name,
        arg_max(error IS NOT NULL OR blocked, place) FILTER (parent_span_id IS NULL) AS root_failed,
        arg_max(error IS NOT NULL, place) FILTER (operation = 1) AS call_failed,
        {first_token} AS first_token
        FROM s GROUP BY project, session_id),
    runs AS (SELECT project, session_id, trace_id,
            least(max(last_time)::HUGEINT - min(start_time)::HUGEINT, 9223372036854775807)::BIGINT AS duration
        FROM s GROUP BY project, session_id, trace_id),
    run_part AS (SELECT project, session_id, {latency} AS latency FROM runs GROUP BY project, session_id),
    log_part AS (SELECT v.project, v.session_id, min(v.time) AS first, max(v.time) AS last, count(*) AS logs,
        max(system) AS system, min(room) AS room, list(DISTINCT agent) FILTER (agent IS NOT NULL) AS agents,
        count(*) FILTER (severity_number >= 17) AS log_errors, count(*) FILTER ({BLOCKED_STEP}) AS blocked
        FROM session_logs v SEMI JOIN hit ON hit.project = v.project AND hit.session_id = v.session_id
        GROUP BY v.project, v.session_id),
    point_part AS (SELECT v.project, v.session_id, min(v.time) AS first, max(v.time) AS last,
        max(system) AS system, min(room) AS room, list(DISTINCT agent) FILTER (agent IS NOT NULL) AS agents,
        count(*) FILTER ({INTERRUPTED_TURN}) AS interrupted
        FROM session_points v SEMI JOIN hit ON hit.project = v.project AND hit.session_id = v.session_id
        GROUP BY v.project, v.session_id),
    usage_part AS (SELECT v.project, v.session_id, {tokens}, {cost} AS cost,
        count(*) FILTER (cost IS NULL) AS unpriced, {carbon} AS carbon,
        list(DISTINCT model) FILTER (model IS NOT NULL) AS models, {first_token} AS call_first_token
        FROM ledger v SEMI JOIN hit ON hit.project = v.project AND hit.session_id = v.session_id
        GROUP BY v.project, v.session_id),
    usage_named(project, session_id, {token_names}, cost, unpriced, carbon, models, call_first_token) AS (SELECT * FROM usage_part),
    session AS (SELECT hit.project, hit.session_id,
        least(s.first, l.first, p.first) AS first, greatest(s.last, l.last, p.last) AS last,
        coalesce(s.spans, 0) AS spans, coalesce(s.traces, 0) AS traces, coalesce(l.logs, 0) AS logs,
        coalesce(s.errors, 0) AS errors, greatest(s.blocked, l.blocked, 0) AS blocked,
        greatest(s.interrupted, p.interrupted, 0) AS interrupted,
        greatest(s.system, l.system, p.system) AS system, coalesce(s.room, l.room, p.room) AS room,
        list_sort(list_distinct(list_concat(coalesce(s.agents, []), coalesce(l.agents, []), coalesce(p.agents, [])))) AS agents,
        list_sort(list_distinct(list_concat(coalesce(s.models, []), coalesce(u.models, [])))) AS models,
        s.title, s.root_name, s.any_name, s.open_since, coalesce(s.root_failed, false) AS root_failed,
        coalesce(s.call_failed, false) AS call_failed, coalesce(l.log_errors, 0) AS log_errors,
        coalesce(s.first_token, u.call_first_token) AS first_token, r.latency,
        u.* EXCLUDE (project, session_id, models, call_first_token)
        FROM hit LEFT JOIN span_part s USING (project, session_id) LEFT JOIN run_part r USING (project, session_id)
        LEFT JOIN log_part l USING (project, session_id) LEFT JOIN point_part p USING (project, session_id)
        LEFT JOIN usage_named u USING (project, session_id)),
    stood AS (SELECT *, CASE
        WHEN last >= ? OR (open_since IS NOT NULL AND open_since >= ?) THEN 'active'
        WHEN root_failed OR (system = 3 AND call_failed) OR (spans = 0 AND log_errors > 0) THEN 'failed'
        ELSE 'ended' END AS status FROM session)
    SELECT project, session_id, first, last, spans, traces, logs, errors, blocked, system, room, agents, models, title,
        root_name, any_name, status, first_token, latency, {token_names}, cost, coalesce(unpriced, 0), carbon,
        interrupted
    FROM stood"
    )
}

fn session(row: &Row<'_>) -> duckdb::Result<Session> {
    let (first, last): (i64, i64) = (row.get(2)?, row.get(3)?);
    let count = |index: usize| {
        row.get::<_, i64>(index)
            .map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    };
    let status = match row.get::<_, String>(16)?.as_str() {
        "active" => SessionStatus::Active,
        "failed" => SessionStatus::Failed,
        _ => SessionStatus::Ended,
    };
    let mut session = Session {
        project: row.get(0)?,
        session_id: row.get(1)?,
        started_at: first,
        ended_at: (status != SessionStatus::Active).then_some(last),
        duration_ns: last.saturating_sub(first),
        spans: count(4)?,
        traces: count(5)?,
        logs: count(6)?,
        errors: count(7)?,
        blocked: count(8)?,
        system: read::system(row.get(9)?),
        room: row.get(10)?,
        agents: read::texts(row.get(11)?),
        models: read::texts(row.get(12)?),
        title: String::new(),
        status,
        time_to_first_token_ns: read::quantiles(row.get(17)?),
        latency_ns: read::quantiles(row.get(18)?),
        tokens: read::tokens(row, 19)?,
        cost_pico_usd: row.get(27)?,
        unpriced_calls: count(28)?,
        carbon_ug: row.get(29)?,
        interrupted: count(30)?,
        activity: Vec::new(),
    };
    let text = |index: usize| row.get::<_, Option<String>>(index);
    session.title = text(13)?.unwrap_or_default();
    if session.title.is_empty() {
        session.title = title(&session, text(14)?.or(text(15)?));
    }
    Ok(session)
}

/// What a person would call a session that has no title of its own.
fn title(session: &Session, name: Option<String>) -> String {
    let id = &session.session_id;
    let short: String = id.chars().take(8).collect();
    let room = session.room.as_deref();
    match session.system {
        System::MeshAgent => room.map_or_else(|| id.clone(), str::to_owned),
        System::VideoSdk => format!("call {}", room.unwrap_or(id)),
        System::MeshFlow if id.starts_with("no-run:") => id.replace(':', " "),
        System::MeshFlow => format!("run {short}"),
        System::Dexto => format!("chat {short}"),
        _ => {
            let trace = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
            name.filter(|_| trace).unwrap_or_else(|| id.clone())
        }
    }
}

/// Sessions, latest start first.
pub(super) fn list(connection: &Connection, query: &ListQuery, now: i64) -> Result<SessionPage, StoreError> {
    let (hits, mut values) = hits(query, query.range.bounds(now), None);
    values.extend(active(now));
    let mut filter = Filter::default();
    filter.equal("status", query.status.as_deref());
    filter.equal("room", query.room.as_deref());
    filter.text("list_contains(agents, ?)", query.agent.as_deref());
    filter.text("list_contains(models, ?)", query.model.as_deref());
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
    let any = "contains(lower(concat_ws(chr(10), title, session_id, room, root_name, any_name, \
               array_to_string(agents, chr(10)), array_to_string(models, chr(10)))), lower(?)) \
               OR (project, session_id) IN (SELECT project, session_id FROM s \
               WHERE contains(lower(concat_ws(chr(10), error, tool, trace_id::VARCHAR, replace(trace_id::VARCHAR, '-', ''))), lower(?)))";
    filter.text(any, query.q.as_deref());
    if let Some((first, project, id)) = read::read_cursor::<(i64, String, String)>(query.cursor.as_deref())? {
        let after = "first < ? OR (first = ? AND (project, session_id) > (?, ?))";
        filter.add(
            after,
            [
                Value::BigInt(first),
                Value::BigInt(first),
                Value::Text(project),
                Value::Text(id),
            ],
        );
    }
    let sql = format!(
        "{} WHERE {} ORDER BY first DESC, project, session_id LIMIT {}",
        grouped(&hits),
        filter.sql(),
        u64::from(query.limit) + 1
    );
    values.append(&mut filter.values);
    let mut sessions = read::rows(connection, "list sessions", &sql, values, session)?;
    let more = sessions.len() > query.limit as usize;
    sessions.truncate(query.limit as usize);
    let last = sessions.last().filter(|_| more);
    let next_cursor =
        last.map(|last| read::write_cursor(&(last.started_at, &last.project, &last.session_id)));
    sparklines(connection, &mut sessions)?;
    Ok(SessionPage {
        sessions,
        next_cursor,
    })
}

/// Parameters of the status: since when a session's last moment makes it active, and since when
/// a span in progress does.
fn active(now: i64) -> [Value; 2] {
    [
        Value::BigInt(now.saturating_sub(QUIET)),
        Value::BigInt(now.saturating_sub(UNFINISHED)),
    ]
}

/// One session with its runs.
pub(super) fn one(
    connection: &Connection,
    project: Option<&str>,
    session_id: &str,
    now: i64,
) -> Result<Option<SessionDetail>, StoreError> {
    let query = ListQuery {
        project: project.map(str::to_owned),
        range: TimeRange::ALL,
        session: Some(session_id.to_owned()),
        limit: meshscope_api::query::MAX_LIMIT,
        ..ListQuery::default()
    };
    let (hits, mut values) = hits(&query, query.range.bounds(now), Some(session_id));
    values.extend(active(now));
    let sql = format!("{} ORDER BY last DESC, project LIMIT 1", grouped(&hits));
    let mut sessions = read::rows(connection, "read a session", &sql, values, session)?;
    sparklines(connection, &mut sessions)?;
    let Some(session) = sessions.pop() else {
        return Ok(None);
    };
    let query = ListQuery {
        project: Some(session.project.clone()),
        ..query
    };
    let mut runs = traces::list(connection, &query, now)?.traces;
    runs.reverse();
    Ok(Some(SessionDetail { session, runs }))
}

/// Fills in the sparklines of a page.
fn sparklines(connection: &Connection, sessions: &mut [Session]) -> Result<(), StoreError> {
    if sessions.is_empty() {
        return Ok(());
    }
    let places = vec!["(?, ?, ?::BIGINT, ?::BIGINT)"; sessions.len()].join(", ");
    let sql = format!(
        "WITH page(project, session_id, began, took) AS (VALUES {places})
        SELECT v.project, v.session_id,
            least(({SLICES} * (v.start_time::HUGEINT - began::HUGEINT)) // (took::HUGEINT + 1), {SLICES} - 1)::BIGINT AS slice, count(*)
        FROM session_spans v JOIN page ON page.project = v.project AND page.session_id = v.session_id
        GROUP BY ALL"
    );
    let values = sessions.iter().flat_map(|session| {
        let (project, id) = (session.project.clone(), session.session_id.clone());
        [
            Value::Text(project),
            Value::Text(id),
            Value::BigInt(session.started_at),
            Value::BigInt(session.duration_ns),
        ]
    });
    let doing = "read the activity of sessions";
    let mut statement = connection.prepare(&sql).map_err(engine_error(doing))?;
    let mut rows = statement
        .query(duckdb::params_from_iter(values))
        .map_err(engine_error(doing))?;
    let mut counts = hashbrown::HashMap::new();
    while let Some(row) = rows.next().map_err(engine_error(doing))? {
        let read = |row: &Row<'_>| {
            Ok((
                (row.get::<_, String>(0)?, row.get::<_, String>(1)?),
                row.get::<_, i64>(2)?,
                row.get::<_, i64>(3)?,
            ))
        };
        let (session, slice, count) = read(row).map_err(engine_error(doing))?;
        counts
            .entry(session)
            .or_insert_with(Vec::new)
            .push((slice, count));
    }
    for session in sessions {
        let Some(slices) = counts.get(&(session.project.clone(), session.session_id.clone())) else {
            continue;
        };
        session.activity = vec![0; SLICES as usize];
        for (slice, count) in slices {
            if let Some(bar) = usize::try_from(*slice)
                .ok()
                .and_then(|slice| session.activity.get_mut(slice))
            {
                *bar = u32::try_from(*count).unwrap_or(u32::MAX);
            }
        }
    }
    Ok(())
}
