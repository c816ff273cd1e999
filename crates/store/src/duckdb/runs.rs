//! The runs of one session, and its spans among those of their traces.

use super::read::{self, Filter};
use super::sessions::SESSION_OF_SPAN;
use crate::StoreError;
use duckdb::Connection;
use meshscope_model::TraceId;

/// A trace with spans of the session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) trace_id: TraceId,
    /// Its first and last moment, ns since the epoch.
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) spans: u64,
}

/// The runs of a session in the order of their start.
pub(super) fn of(connection: &Connection, project: &str, session_id: &str) -> Result<Vec<Run>, StoreError> {
    let mut filter = Filter::default();
    filter.equal("project", Some(project));
    filter.equal("session_id", Some(session_id));
    let sql = format!(
        "SELECT trace_id::VARCHAR, min(first), max(last), sum(spans)::BIGINT FROM parts
        WHERE trace_id IS NOT NULL AND spans > 0 AND {} GROUP BY trace_id ORDER BY 2, 1",
        filter.sql()
    );
    read::rows(
        connection,
        "find the runs of a session",
        &sql,
        filter.values,
        |row| {
            Ok(Run {
                trace_id: read::trace_id_of(&row.get::<_, String>(0)?),
                first: row.get(1)?,
                last: row.get(2)?,
                spans: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            })
        },
    )
}

/// SQL of the spans of `traces` (`(id, number), …`), each with `run`, the number of its trace, and
/// `session_id`, the session that it belongs to as known now.
pub(super) fn spans(traces: &str) -> String {
    format!(
        "(WITH runs(trace_id, run) AS (VALUES {traces}),
        known AS (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
            WHERE trace_id IN (SELECT trace_id FROM runs) GROUP BY trace_id)
        SELECT s.*, r.run, {SESSION_OF_SPAN} AS session_id
        FROM spans s JOIN runs r ON r.trace_id = s.trace_id LEFT JOIN known t ON t.trace_id = s.trace_id)"
    )
}
