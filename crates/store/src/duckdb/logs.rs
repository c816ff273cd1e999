//! Log records, newest first.

use super::read::{self, Filter};
use super::value;
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use hashbrown::HashMap;
use meshscope_api::{BriefLog, Log, LogPage, LogQuery, SessionLogQuery, SessionLogs};
use meshscope_model::SpanId;

/// One page of log records.
pub(super) fn list(connection: &Connection, query: &LogQuery, now: i64) -> Result<LogPage, StoreError> {
    let (from, to) = query.range.bounds(now);
    let mut filter = Filter::default();
    filter.add(
        "l.time >= ? AND l.time <= ?",
        [Value::BigInt(from), Value::BigInt(to)],
    );
    filter.equal("l.project", query.project.as_deref());
    // The session of a record is that of its trace: looked up for the page alone, or for the
    // traces of the session that is asked for.
    let of_page =
        "t AS (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
        WHERE trace_id IN (SELECT trace_id FROM page) GROUP BY trace_id)";
    let mut of_session = None;
    if let Some(session) = query.session.as_deref() {
        let (first, last) = window(connection, query.project.as_deref(), session)?;
        filter.add(&format!("l.time BETWEEN {first} AND {last}"), []);
        filter.text(
            "coalesce(l.session, t.session, l.fallback_session, replace(l.trace_id::VARCHAR, '-', '')) = ?",
            Some(session),
        );
        of_session = Some(sessions_of_traces((first, last)));
    }
    filter.equal("l.room", query.room.as_deref());
    filter.equal("l.service", query.service.as_deref());
    if let Some(min) = query.min_severity {
        filter.add("l.severity_number >= ?", [Value::UTinyInt(min)]);
    }
    if let Some(system) = query.system {
        filter.add("l.system = ?", [Value::UTinyInt(system as u8)]);
    }
    if let Some(trace_id) = query.trace_id {
        filter.add(&format!("l.trace_id = '{trace_id}'::UUID"), []);
    }
    let any = "contains(lower(l.body), lower(?)) OR contains(lower(l.event_name), lower(?)) \
               OR len(list_filter(l.attributes, lambda a: contains(lower(a.v), lower(?)))) > 0";
    filter.text(any, query.q.as_deref());
    if let Some((time, sequence)) = read::read_cursor::<(i64, i64)>(query.cursor.as_deref())? {
        let after = "l.time < ? OR (l.time = ? AND l.sequence < ?)";
        filter.add(
            after,
            [Value::BigInt(time), Value::BigInt(time), Value::BigInt(sequence)],
        );
    }
    let known = match of_session {
        None => "",
        Some(_) => "LEFT JOIN t ON t.trace_id = l.trace_id",
    };
    let order = "l.time DESC, l.sequence DESC";
    let page = format!(
        "page AS MATERIALIZED (SELECT l.* FROM logs l {known} WHERE {} ORDER BY {order} LIMIT {})",
        filter.sql(),
        u64::from(query.limit) + 1
    );
    let source = Rows {
        with: match of_session {
            Some(t) => format!("WITH {t}, {page}"),
            None => format!("WITH {page}, {of_page}"),
        },
        table: "(SELECT p.*, coalesce(p.session, t.session, p.fallback_session, replace(p.trace_id::VARCHAR, '-', '')) \
            AS session_id FROM page p LEFT JOIN t ON t.trace_id = p.trace_id)",
        condition: "true".to_owned(),
        order,
    };
    let session = query.session.iter().map(|session| Value::Text(session.clone()));
    let values = session.clone().chain(session).chain(filter.values).collect();
    let mut logs = rows(connection, &source, values, log)?;
    let more = logs.len() > query.limit as usize;
    logs.truncate(query.limit as usize);
    let next_cursor = logs
        .last()
        .filter(|_| more)
        .map(|last| read::write_cursor(&(last.time, last.sequence)));
    Ok(LogPage { logs, next_cursor })
}

/// The moments that the log records of a session lie in, of those that are kept.
fn window(
    connection: &Connection,
    project: Option<&str>,
    session_id: &str,
) -> Result<(i64, i64), StoreError> {
    let mut filter = Filter::default();
    filter.equal("project", project);
    filter.equal("session_id", Some(session_id));
    let sql = format!(
        "SELECT min(first), max(last) FROM parts WHERE logs > 0 AND {}",
        filter.sql()
    );
    let found = read::rows(connection, "find a session", &sql, filter.values, |row| {
        Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
    })?;
    // No moment lies in the window of none.
    Ok(found.into_iter().next().flatten().unwrap_or((1, 0)))
}

/// SQL of the sessions of the traces that records of a session between two moments may be of: of its
/// traces, and of those whose records fall back to it.
fn sessions_of_traces((first, last): (i64, i64)) -> String {
    format!(
        "t AS (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
        WHERE trace_id IN (SELECT trace_id FROM parts WHERE session_id = ? UNION ALL
            SELECT trace_id FROM logs WHERE fallback_session = ? AND time BETWEEN {first} AND {last}) GROUP BY trace_id)"
    )
}

/// Characters of a record's text that stand in its short form.
const BRIEF: usize = 240;

/// The log records of a session in short, in the order of time.
pub(super) fn of_session(
    connection: &Connection,
    project: &str,
    session_id: &str,
    query: &SessionLogQuery,
) -> Result<SessionLogs, StoreError> {
    let session = || Value::Text(session_id.to_owned());
    let (first, last) = window(connection, Some(project), session_id)?;
    let sql = format!(
        "WITH {}
        SELECT l.sequence, l.time, l.severity_number, l.service, l.agent, l.event_name, left(l.body, {BRIEF} + 1),
            l.trace_id::VARCHAR, l.span_id
        FROM logs l LEFT JOIN t ON t.trace_id = l.trace_id
        WHERE l.project = ? AND l.sequence > ? AND l.time BETWEEN {first} AND {last}
            AND coalesce(l.session, t.session, l.fallback_session, replace(l.trace_id::VARCHAR, '-', '')) = ?
        ORDER BY l.time, l.sequence LIMIT {}",
        sessions_of_traces((first, last)),
        u64::from(query.limit) + 1
    );
    let values = vec![
        session(),
        session(),
        Value::Text(project.to_owned()),
        Value::BigInt(query.after),
        session(),
    ];
    let mut strings = Strings::default();
    let mut logs = read::rows(connection, "read the logs of a session", &sql, values, |row| {
        let text = |index: usize| row.get::<_, Option<String>>(index);
        let [service, agent, event] = [text(3)?, text(4)?, text(5)?].map(|text| strings.index(text));
        Ok(BriefLog {
            sequence: row.get(0)?,
            time: row.get(1)?,
            severity_number: row.get(2)?,
            service,
            agent,
            event,
            text: value::text(&text(6)?.unwrap_or_default()),
            trace_id: text(7)?.map(|uuid| read::trace_id_of(&uuid)),
            span_id: row.get::<_, Option<u64>>(8)?.map(SpanId::from_u64),
        })
    })?;
    let more = logs.len() > query.limit as usize;
    logs.truncate(query.limit as usize);
    Ok(SessionLogs {
        strings: strings.all,
        logs,
        more,
    })
}

/// Texts, each once; the first is the empty one.
struct Strings {
    all: Vec<String>,
    places: HashMap<String, u32>,
}

impl Default for Strings {
    fn default() -> Self {
        Self {
            all: vec![String::new()],
            places: HashMap::new(),
        }
    }
}

impl Strings {
    fn index(&mut self, text: Option<String>) -> u32 {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return 0;
        };
        if let Some(place) = self.places.get(&text) {
            return *place;
        }
        let place = u32::try_from(self.all.len()).unwrap_or(0);
        self.all.push(text.clone());
        self.places.insert(text, place);
        place
    }
}

/// Which log records to read, in which order.
pub(super) struct Rows<'a> {
    /// Named queries before the table, or nothing.
    pub(super) with: String,
    /// SQL of a table with the columns of `logs` and `session_id`; it is named `l`.
    pub(super) table: &'a str,
    pub(super) condition: String,
    pub(super) order: &'a str,
}

/// Log records; their columns are read by [`log`], and after them stands the session to fall
/// back to.
pub(super) fn rows<T>(
    connection: &Connection,
    Rows {
        with,
        table,
        condition,
        order,
    }: &Rows<'_>,
    values: Vec<Value>,
    read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let sql = format!(
        "{with} SELECT l.sequence, l.time, l.observed_time, l.severity_number, l.severity_text, l.body,
            to_json(l.attributes)::VARCHAR, l.dropped_attributes, l.event_name, l.flags, l.trace_id::VARCHAR, l.span_id,
            l.service, l.system, l.project, l.room, l.session_id, l.agent, r.content, c.content, l.fallback_session
        FROM {table} l LEFT JOIN emitters r ON r.id = l.resource LEFT JOIN emitters c ON c.id = l.scope
        WHERE {condition} ORDER BY {order}"
    );
    read::rows(connection, "list logs", &sql, values, read)
}

pub(super) fn log(row: &Row<'_>) -> duckdb::Result<Log> {
    let text = |index: usize| row.get::<_, Option<String>>(index);
    Ok(Log {
        sequence: row.get(0)?,
        time: row.get(1)?,
        observed_time: row.get(2)?,
        severity_number: row.get(3)?,
        severity_text: row.get(4)?,
        body: value::read(&text(5)?.unwrap_or_default()),
        attributes: read::attributes(text(6)?.as_deref()),
        dropped_attributes_count: row.get(7)?,
        event_name: row.get(8)?,
        flags: row.get(9)?,
        trace_id: text(10)?.map(|uuid| read::trace_id_of(&uuid)),
        span_id: row.get::<_, Option<u64>>(11)?.map(SpanId::from_u64),
        service: row.get(12)?,
        system: read::system(row.get(13)?),
        project: row.get(14)?,
        room: row.get(15)?,
        session_id: row.get(16)?,
        agent: row.get(17)?,
        resource: read::emitter(text(18)?.as_deref()),
        scope: read::emitter(text(19)?.as_deref()),
    })
}
