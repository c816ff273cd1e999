//! Which spans of a trace may carry messages.

use super::parts;
use super::read;
use crate::StoreError;
use duckdb::Connection;
use meshscope_model::{SpanId, TraceId};

/// Spans of which nothing is known that speaks: the framework's own, and those of any OpenTelemetry
/// sender that do nothing the conventions have a word for.
pub(super) const MAY_SPEAK: &str = "NOT s.noise AND (s.operation <> 0 OR s.system <> 0)";

/// Ids and starts of the spans, or of only `span`, in the order of (start, id); `None` when there is no
/// such trace.
pub(super) fn spoken(
    connection: &Connection,
    trace_id: TraceId,
    span: Option<SpanId>,
) -> Result<Option<Vec<(u64, i64)>>, StoreError> {
    let Some((first, last)) = parts::window_of(connection, trace_id)? else {
        return Ok(None);
    };
    let condition = span.map_or_else(
        || MAY_SPEAK.to_owned(),
        |span| format!("s.span_id = {}", span.as_u64()),
    );
    let sql = format!(
        "SELECT s.span_id, s.start_time FROM spans s
        WHERE s.trace_id = '{trace_id}'::UUID AND s.start_time BETWEEN {first} AND {last} AND {condition}
        ORDER BY s.start_time, s.span_id"
    );
    let found = read::rows(connection, "look for messages", &sql, Vec::new(), |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    found.map(Some)
}
