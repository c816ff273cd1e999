//! Sessions are found, not declared: a grouping of what is kept, by what is known now.

mod ordered;

use super::newest::{Newest, Source};
use super::read::{self, Filter};
use super::slots::Slots;
use super::traces::{self, AGENTS, MODELS};
use super::{attribute, counted, engine_error, parts};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::session::{Project, ProjectList, Session, SessionDetail, SessionPage, SessionStatus};
use meshscope_api::{ListQuery, SessionOrder, SessionTotals, TimeRange};
use meshscope_model::System;
use meshscope_model::time::{HOUR, MINUTE};

/// How long a session may be quiet and still count as active.
const QUIET: i64 = 2 * MINUTE;
/// How long a span may be in progress before it is taken for one that never ended.
const UNFINISHED: i64 = HOUR;
/// How far ahead a clock may be: what is further in the future says nothing of the present.
const AHEAD: i64 = HOUR;
/// Slices of a session's sparkline.
const SLICES: i64 = 20;

/// SQL that counts sessions.
pub(super) fn count() -> String {
    format!(
        "SELECT count(*) FROM (SELECT DISTINCT project, session_id FROM {} WHERE session_id IS NOT NULL)",
        parts::all()
    )
}

/// Projects, latest activity first.
pub(super) fn projects(connection: &Connection) -> Result<ProjectList, StoreError> {
    let sql = format!(
        "SELECT project, max(last), list_sort(list(DISTINCT room) FILTER (room IS NOT NULL))[:1000]
        FROM {} GROUP BY project ORDER BY 2 DESC, 1",
        parts::all()
    );
    let projects = read::rows(connection, "list projects", &sql, Vec::new(), |row| {
        Ok(Project {
            project: row.get(0)?,
            last_activity_at: row.get(1)?,
            rooms: read::texts(row.get(2)?),
        })
    })?;
    Ok(ProjectList { projects })
}

/// SQL of a session's status out of its measures.
const STATUS: &str = "CASE WHEN stirs THEN 'active'
    WHEN root_failed OR (system = 3 AND call_failed) OR (spans = 0 AND log_errors > 0) THEN 'failed' ELSE 'ended' END";

/// Measures of a session that decide over its status at `now`.
fn standing(now: i64) -> String {
    let (quiet, unfinished) = (now.saturating_sub(QUIET), now.saturating_sub(UNFINISHED));
    let ahead = now.saturating_add(AHEAD);
    format!(
        "coalesce(bool_or(last BETWEEN {quiet} AND {ahead} OR open_since BETWEEN {unfinished} AND {ahead}), false) AS stirs,
        coalesce(arg_max(root_failed, last_root_place), false) AS root_failed,
        coalesce(arg_max(call_failed, call_place), false) AS call_failed, coalesce(sum(log_errors), 0) AS log_errors"
    )
}

/// Measures of a session that are counted.
const COUNTS: &str =
    "max(system) AS system, sum(spans)::BIGINT AS spans, coalesce(sum(errors), 0)::BIGINT AS errors,
    coalesce(greatest(sum(blocked), sum(blocked_logs)), 0)::BIGINT AS blocked";

/// Joined to sessions, what the ledger knows of them.
const USED: &str = "LEFT JOIN (SELECT project, session_id, sum(cost) AS cost, sum(total_tokens) AS tokens FROM ledger GROUP BY ALL) \
    USING (project, session_id)";

/// The session of a span, of a trace in `page_traces`.
pub(super) const SESSION_OF_SPAN: &str = "coalesce(s.session, t.session, s.fallback_session,
    CASE WHEN NOT s.noise THEN replace(s.trace_id::VARCHAR, '-', '') END)";

/// Sessions that are read together: their names, and the moments that they lie in.
struct Page {
    sessions: Vec<(String, String)>,
    window: (i64, i64),
}

impl Page {
    fn values(&self) -> Vec<Value> {
        let pairs = self.sessions.iter();
        pairs
            .flat_map(|(project, id)| [Value::Text(project.clone()), Value::Text(id.clone())])
            .collect()
    }
}

/// One row a session of the page, columns read by [`session`].
fn grouped(page: &Page, now: i64) -> String {
    let (tokens, latency, first_token) = (
        read::token_sums(),
        read::quantiles_of("duration"),
        read::quantiles_of("time_to_first_token"),
    );
    let (cost, carbon) = (read::sum_of("cost"), read::sum_of("carbon"));
    let token_names = read::TOKEN_COLUMNS.join(", ");
    let places = vec!["(?, ?)"; page.sessions.len()].join(", ");
    let (first, last) = page.window;
    let ours = "(project, session_id) IN (SELECT (project, session_id) FROM page_sessions)";
    format!(
        "WITH page_sessions(project, session_id) AS (VALUES {places}),
    p AS MATERIALIZED (SELECT * FROM {} WHERE first >= {first} AND last <= {last} AND {ours}),
    page_traces AS (SELECT DISTINCT trace_id FROM p WHERE spans > 0),
    {},
    part AS (SELECT project, session_id, min(first) AS first, max(last) AS last, {COUNTS}, {},
        count(DISTINCT trace_id) FILTER (spans > 0) AS traces, coalesce(sum(logs), 0)::BIGINT AS logs,
        coalesce(greatest(sum(interrupted), sum(interrupted_points)), 0)::BIGINT AS interrupted,
        min(room) AS room, {AGENTS} AS agents, {MODELS} AS models,
        arg_min(title, title_place) AS title, arg_min(root_name, root_place) AS root_name, arg_min(name, place) AS any_name
        FROM p GROUP BY project, session_id),
    runs AS (SELECT project, session_id, trace_id,
            least(max(last)::HUGEINT - min(first)::HUGEINT, 9223372036854775807)::BIGINT AS duration
        FROM p WHERE spans > 0 GROUP BY project, session_id, trace_id),
    run_part AS (SELECT project, session_id, {latency} AS latency FROM runs GROUP BY project, session_id),
    token_part AS (SELECT s.project, {SESSION_OF_SPAN} AS session_id, {first_token} AS first_token
        FROM spans s LEFT JOIN page_trace_session t ON t.trace_id = s.trace_id
        WHERE s.time_to_first_token IS NOT NULL AND s.start_time BETWEEN {first} AND {last}
            AND s.trace_id IN (SELECT trace_id FROM page_traces) GROUP BY ALL),
    usage_part AS (SELECT project, session_id, {tokens}, {cost} AS cost,
        count(*) FILTER (cost IS NULL) AS unpriced, {carbon} AS carbon,
        list(DISTINCT model) FILTER (model IS NOT NULL) AS models, {first_token} AS call_first_token
        FROM page_ledger WHERE {ours} GROUP BY project, session_id),
    usage_named(project, session_id, {token_names}, cost, unpriced, carbon, models, call_first_token) AS (SELECT * FROM usage_part),
    session AS (SELECT a.* EXCLUDE (models), list_sort(list_distinct(list_concat(coalesce(a.models, []), coalesce(u.models, [])))) AS models,
        coalesce(t.first_token, u.call_first_token) AS first_token, r.latency,
        u.* EXCLUDE (project, session_id, models, call_first_token)
        FROM part a LEFT JOIN run_part r USING (project, session_id) LEFT JOIN token_part t USING (project, session_id)
        LEFT JOIN usage_named u USING (project, session_id))
    SELECT project, session_id, first, last, spans, traces, logs, errors, blocked, system, room, coalesce(agents, []), models,
        title, root_name, any_name, {STATUS} AS status, first_token, latency, {token_names}, cost, coalesce(unpriced, 0), carbon,
        interrupted
    FROM session ORDER BY first DESC, project, session_id",
        parts::all(),
        counted::of_page(page.window),
        standing(now)
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

/// A page of sessions in the order that is asked for.
pub(super) fn list(
    connection: &Connection,
    slots: &Slots,
    query: &ListQuery,
    now: i64,
) -> Result<SessionPage, StoreError> {
    if (query.order, query.ascending) == (SessionOrder::Started, false) {
        newest(connection, slots, query, now)
    } else {
        ordered::list(connection, slots, query, now)
    }
}

/// Figures over all sessions of a list.
pub(super) fn totals(
    connection: &Connection,
    slots: &Slots,
    query: &ListQuery,
    now: i64,
) -> Result<SessionTotals, StoreError> {
    ordered::totals(connection, slots, query, now)
}

/// Sessions, latest start first.
fn newest(
    connection: &Connection,
    slots: &Slots,
    query: &ListQuery,
    now: i64,
) -> Result<SessionPage, StoreError> {
    let limit = query.limit as usize;
    let (measures, mut filter) = group_filter(query, now);
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
    let newest = Newest {
        key: "project, session_id",
        shown: "project, session_id",
        sources: sources(slots, query, now),
        parts: &parts::all(),
        measures,
        cost_of: query
            .min_cost_pico_usd
            .map(|_| "SELECT project, session_id FROM hit"),
        filter,
        limit: u64::from(query.limit) + 1,
    };
    let mut found = newest.find(connection, |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get::<_, i64>(3)?,
            row.get::<_, i64>(4)?,
        ))
    })?;
    let more = found.len() > limit;
    found.truncate(limit);
    let sessions = page(connection, found, now)?;
    let last = sessions.last().filter(|_| more);
    let next_cursor =
        last.map(|last| read::write_cursor(&(last.started_at, &last.project, &last.session_id)));
    Ok(SessionPage {
        sessions,
        next_cursor,
    })
}

/// The sessions with these names, first and last moments.
fn page(
    connection: &Connection,
    found: Vec<(String, String, i64, i64)>,
    now: i64,
) -> Result<Vec<Session>, StoreError> {
    let first = found.iter().map(|(.., first, _)| *first).min();
    let last = found.iter().map(|(.., last)| *last).max();
    let Some(window) = first.zip(last) else {
        return Ok(Vec::new());
    };
    let page = Page {
        sessions: found.into_iter().map(|(project, id, ..)| (project, id)).collect(),
        window,
    };
    let mut sessions = read::rows(
        connection,
        "list sessions",
        &grouped(&page, now),
        page.values(),
        session,
    )?;
    sparklines(connection, &mut sessions)?;
    Ok(sessions)
}

/// Where the sessions that are asked for come from: from the roll-up, or from spans when it is
/// attributes that are asked for.
fn sources(slots: &Slots, query: &ListQuery, now: i64) -> Vec<Source> {
    let part = part_filter(query, now);
    let rows = format!(
        "SELECT project, session_id, trace_id, first AS moment FROM {} WHERE {}",
        parts::all(),
        part.sql()
    );
    if query.attributes.is_empty() {
        return vec![Source {
            sql: rows,
            values: part.values,
        }];
    }
    attribute::spans(slots, &query.attributes)
        .into_iter()
        .map(|mut spans| {
            spans.add("coalesce(s.session, p.session_id) = p.session_id", []);
            Source {
                sql: format!(
                    "SELECT p.project, p.session_id, s.start_time AS moment FROM spans s JOIN ({rows}) p
                    ON p.trace_id = s.trace_id AND p.project = s.project WHERE {}",
                    spans.sql()
                ),
                values: part.values.iter().chain(&spans.values).cloned().collect(),
            }
        })
        .collect()
}

/// Conditions on a row of the roll-up.
fn part_filter(query: &ListQuery, now: i64) -> Filter {
    let (from, to) = query.range.bounds(now);
    let mut filter = Filter::default();
    filter.add("session_id IS NOT NULL", []);
    filter.add(
        "first <= ? AND last >= ?",
        [Value::BigInt(to), Value::BigInt(from)],
    );
    read::text(&mut filter, query.q.as_deref());
    filter.equal("project", query.project.as_deref());
    filter.equal("session_id", query.session.as_deref());
    filter.equal("room", query.room.as_deref());
    filter.text("list_contains(agents, ?)", query.agent.as_deref());
    if query.has_error == Some(true) {
        filter.add("errors > 0", []);
    }
    if query.blocked == Some(true) {
        filter.add("blocked > 0 OR blocked_logs > 0", []);
    }
    filter
}

/// Measures and conditions of a session as a whole.
fn group_filter(query: &ListQuery, now: i64) -> (String, Filter) {
    let mut measures = format!(", {COUNTS}, min(room) AS room");
    let mut filter = Filter::default();
    if let Some(status) = &query.status {
        measures = format!("{measures}, {}", standing(now));
        filter.add(&format!("({STATUS}) = ?"), [Value::Text(status.clone())]);
    }
    filter.equal("room", query.room.as_deref());
    if let Some(agent) = &query.agent {
        measures = format!("{measures}, {AGENTS} AS agents");
        filter.add("list_contains(agents, ?)", [Value::Text(agent.clone())]);
    }
    if let Some(model) = &query.model {
        measures = format!("{measures}, {MODELS} AS models");
        filter.add("list_contains(models, ?)", [Value::Text(model.clone())]);
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
    (measures, filter)
}

/// A session by its name, with its project, first and last moment: of several the one with the latest
/// record.
pub(super) fn find(
    connection: &Connection,
    project: Option<&str>,
    session_id: &str,
) -> Result<Option<(String, String, i64, i64)>, StoreError> {
    let mut filter = Filter::default();
    filter.equal("session_id", Some(session_id));
    filter.equal("project", project);
    let sql = format!(
        "SELECT project, session_id, min(first), max(last) FROM {} WHERE {}
        GROUP BY project, session_id ORDER BY max(last) DESC, project LIMIT 1",
        parts::all(),
        filter.sql()
    );
    let found = read::rows(connection, "find a session", &sql, filter.values, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    Ok(found.into_iter().next())
}

/// One session with its runs.
pub(super) fn one(
    connection: &Connection,
    slots: &Slots,
    project: Option<&str>,
    session_id: &str,
    now: i64,
) -> Result<Option<SessionDetail>, StoreError> {
    let found = find(connection, project, session_id)?;
    let Some(session) = page(connection, found.into_iter().collect(), now)?.pop() else {
        return Ok(None);
    };
    let query = ListQuery {
        project: Some(session.project.clone()),
        range: TimeRange::ALL,
        session: Some(session_id.to_owned()),
        limit: meshscope_api::query::MAX_LIMIT,
        ..ListQuery::default()
    };
    let mut runs = traces::list(connection, slots, &query, now)?.traces;
    runs.reverse();
    Ok(Some(SessionDetail { session, runs }))
}

/// Fills in the sparklines of a page.
fn sparklines(connection: &Connection, sessions: &mut [Session]) -> Result<(), StoreError> {
    if sessions.is_empty() {
        return Ok(());
    }
    let places = vec!["(?, ?, ?::BIGINT, ?::BIGINT)"; sessions.len()].join(", ");
    let starts = sessions.iter().map(|session| session.started_at);
    let ends = sessions
        .iter()
        .map(|session| session.started_at.saturating_add(session.duration_ns));
    let (first, last) = (starts.min().unwrap_or(0), ends.max().unwrap_or(0));
    let sql = format!(
        "WITH page(project, session_id, began, took) AS (VALUES {places}),
        page_traces AS (SELECT DISTINCT trace_id FROM parts
            WHERE spans > 0 AND (project, session_id) IN (SELECT (project, session_id) FROM page)),
        known AS (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
            WHERE trace_id IN (SELECT trace_id FROM page_traces) GROUP BY trace_id),
        v AS (SELECT s.project, s.start_time, {SESSION_OF_SPAN} AS session_id FROM spans s LEFT JOIN known t ON t.trace_id = s.trace_id
            WHERE s.start_time BETWEEN {first} AND {last} AND s.trace_id IN (SELECT trace_id FROM page_traces))
        SELECT v.project, v.session_id,
            least(({SLICES} * (v.start_time::HUGEINT - began::HUGEINT)) // (took::HUGEINT + 1), {SLICES} - 1)::BIGINT AS slice, count(*)
        FROM v JOIN page ON page.project = v.project AND page.session_id = v.session_id
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

/// SQL of the names of all sessions that `query` asks for, and its values.
pub(super) fn matching(slots: &Slots, query: &ListQuery, now: i64) -> (String, Vec<Value>) {
    let (measures, _) = group_filter(query, now);
    let used = query.min_cost_pico_usd.is_some();
    let (table, values) = chosen(slots, query, now, &measures, used);
    (format!("SELECT project, session_id FROM {table}"), values)
}

/// SQL of all sessions that `query` asks for as a table, and its values. It has `measures`, aggregates over
/// the roll-up with a comma before each, among them those of [`group_filter`]; and where `used` says so
/// what the ledger knows.
fn chosen(slots: &Slots, query: &ListQuery, now: i64, measures: &str, used: bool) -> (String, Vec<Value>) {
    let (_, filter) = group_filter(query, now);
    let (mut hits, mut values) = (Vec::new(), Vec::new());
    for source in sources(slots, query, now) {
        hits.push(format!("SELECT project, session_id FROM ({})", source.sql));
        values.extend(source.values);
    }
    let sql = format!(
        "(SELECT * FROM (SELECT project, session_id, min(first) AS first, max(last) AS last{measures}
            FROM {} SEMI JOIN (SELECT DISTINCT project, session_id FROM ({})) USING (project, session_id)
            GROUP BY project, session_id) {} WHERE {})",
        parts::all(),
        hits.join(" UNION ALL "),
        if used { USED } else { "" },
        filter.sql()
    );
    values.extend(filter.values);
    (sql, values)
}
