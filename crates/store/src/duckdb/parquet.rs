//! Records as a Parquet file: a row a record, its facts as columns, its attributes as JSON.
//!
//! The rows go through a table of a store made for it and gone afterwards, so that the file's
//! columns do not depend on how the store keeps them and memory stays bounded.

use super::append::Columns;
use super::read::quoted;
use super::{DuckDb, engine_error, open};
use crate::{Options, StoreError};
use duckdb::Connection;
use meshscope_api::export::{ExportQuery, ExportSignal};
use meshscope_api::usage_export::{Cell, CellKind, Column, Table};
use meshscope_model::{
    AttributeValue, Attributes, Batch, LogEntry, PointEntry, PointValue, Resource, SpanEntry, SpanFacts,
    Tokens,
};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const SPANS: &str = "trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, name VARCHAR, kind VARCHAR,
    start_time BIGINT, end_time BIGINT, duration_ns BIGINT, status VARCHAR, status_message VARCHAR,
    trace_state VARCHAR, flags UINTEGER, service VARCHAR, scope VARCHAR, project VARCHAR, system VARCHAR, room VARCHAR,
    session VARCHAR, agent VARCHAR, operation VARCHAR, role VARCHAR, tool VARCHAR, model VARCHAR, provider VARCHAR,
    verdict VARCHAR, blocked BOOLEAN, error VARCHAR, time_to_first_token_ns BIGINT, input_tokens BIGINT,
    cached_input_tokens BIGINT, cache_write_tokens BIGINT, output_tokens BIGINT, reasoning_tokens BIGINT,
    audio_input_tokens BIGINT, audio_output_tokens BIGINT, total_tokens BIGINT, cost_pico_usd BIGINT,
    attributes VARCHAR, resource VARCHAR, events VARCHAR, links VARCHAR";
const LOGS: &str = "time BIGINT, observed_time BIGINT, severity_number UTINYINT, severity_text VARCHAR, event_name VARCHAR,
    body VARCHAR, trace_id VARCHAR, span_id VARCHAR, flags UINTEGER, service VARCHAR, scope VARCHAR, project VARCHAR,
    system VARCHAR, room VARCHAR, session VARCHAR, agent VARCHAR, attributes VARCHAR, resource VARCHAR";
const POINTS: &str = "name VARCHAR, description VARCHAR, unit VARCHAR, kind VARCHAR, monotonic BOOLEAN, temporality UTINYINT,
    start_time BIGINT, time BIGINT, value DOUBLE, distribution VARCHAR, flags UINTEGER, service VARCHAR, scope VARCHAR,
    project VARCHAR, system VARCHAR, room VARCHAR, session VARCHAR, agent VARCHAR, attributes VARCHAR, resource VARCHAR,
    exemplars VARCHAR";

impl DuckDb {
    pub(super) fn write_parquet(
        &self,
        query: &ExportQuery,
        signal: ExportSignal,
        path: &Path,
    ) -> Result<u64, StoreError> {
        let passing = Passing::beside(path);
        let options = Options {
            memory_mib: 256,
            threads: 1,
        };
        let connection = open::connect(&passing.0, &options)?;
        let (columns, times) = match signal {
            ExportSignal::Traces => (SPANS, ["start_time", "end_time"]),
            ExportSignal::Logs => (LOGS, ["time", "observed_time"]),
            ExportSignal::Metrics => (POINTS, ["start_time", "time"]),
        };
        let execute = |sql: &str| {
            connection
                .execute_batch(sql)
                .map_err(engine_error("write Parquet"))
        };
        execute(&format!("CREATE TABLE records ({columns})"))?;
        let query = ExportQuery {
            signals: vec![signal],
            ..query.clone()
        };
        let (mut rows, mut failed) = (0_u64, None);
        self.read_all(&query, &mut |batch| {
            rows += batch.len() as u64;
            match append(&connection, &batch).and_then(|bytes| execute("CHECKPOINT").map(|()| bytes)) {
                Ok(bytes) => ControlFlow::Continue(bytes),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        // Zero says that a time is not known.
        let times = times.map(|time| format!("make_timestamp_ns(nullif({time}, 0)) AS {time}"));
        execute(&format!(
            "COPY (SELECT * REPLACE ({}) FROM records) TO {} (FORMAT parquet, COMPRESSION zstd)",
            times.join(", "),
            quoted(&path.display().to_string())
        ))?;
        Ok(rows)
    }
}

/// Writes a table, and after its rows those of the tables that `more` gives, which have the same columns.
/// No more than one of these is held.
pub(super) fn write_table(
    table: &Table,
    more: &mut dyn FnMut() -> Result<Option<Table>, StoreError>,
    path: &Path,
) -> Result<(), StoreError> {
    let passing = Passing::beside(path);
    let options = Options {
        memory_mib: 256,
        threads: 1,
    };
    let connection = open::connect(&passing.0, &options)?;
    let execute = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(engine_error("write Parquet"))
    };
    let column = |column: &Column| {
        let name = column.name.replace('"', "\"\"");
        let kind = match column.kind {
            CellKind::Number => "BIGINT",
            CellKind::Text => "VARCHAR",
        };
        format!("\"{name}\" {kind}")
    };
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    execute(&format!("CREATE TABLE records ({})", columns.join(", ")))?;
    append_rows(&connection, table)?;
    while let Some(page) = more()? {
        append_rows(&connection, &page)?;
        execute("CHECKPOINT")?;
    }
    execute(&format!(
        "COPY records TO {} (FORMAT parquet, COMPRESSION zstd)",
        quoted(&path.display().to_string())
    ))
}

fn append_rows(connection: &Connection, table: &Table) -> Result<(), StoreError> {
    if table.rows.is_empty() {
        return Ok(());
    }
    let mut c = Columns::default();
    for (at, column) in table.columns.iter().enumerate() {
        let cells = table.rows.iter().map(|row| row.get(at));
        match column.kind {
            CellKind::Text => c.text(cells.map(|cell| match cell {
                Some(Cell::Text(text)) => text.as_deref(),
                _ => None,
            })),
            CellKind::Number => c.i64(cells.map(|cell| match cell {
                Some(Cell::Number(number)) => *number,
                _ => None,
            })),
        }
    }
    c.append(connection, "records")
}

/// The file of the passing store, removed in the end.
struct Passing(PathBuf);

impl Passing {
    fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.duckdb", std::process::id()));
        Self(PathBuf::from(name))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        for path in [open::wal_of(&self.0), self.0.clone()] {
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, path = %path.display(), "a file of the export was not removed");
            }
        }
    }
}

/// Appends the rows of a batch; returns about how many bytes they are.
fn append(connection: &Connection, batch: &Batch) -> Result<usize, StoreError> {
    let mut c = Columns::default();
    let mut bytes = batch.len() * 200;
    if !batch.spans.is_empty() {
        spans(&mut c, &batch.spans, &mut bytes);
    } else if !batch.logs.is_empty() {
        logs(&mut c, &batch.logs, &mut bytes);
    } else {
        points(&mut c, &batch.points, &mut bytes);
    }
    c.append(connection, "records")?;
    Ok(bytes)
}

fn text(c: &mut Columns, texts: impl Iterator<Item = Option<String>>, bytes: &mut usize) {
    c.owned_text(texts.inspect(|text| *bytes += text.as_ref().map_or(0, String::len)));
}

/// Attributes as an object of plain values.
fn object(attributes: &Attributes) -> Option<String> {
    let map = AttributeValue::Map(attributes.0.clone());
    (!attributes.is_empty()).then(|| map.to_json().to_string())
}

fn resource(resource: &Resource) -> Option<String> {
    object(&resource.attributes)
}

fn list<T: serde::Serialize>(items: &[T]) -> Option<String> {
    (!items.is_empty()).then(|| serde_json::to_string(items).unwrap_or_default())
}

fn spans(c: &mut Columns, rows: &[SpanEntry], bytes: &mut usize) {
    let spans = || rows.iter().map(|row| &row.span);
    let facts = || rows.iter().map(|row| &row.facts);
    c.owned_text(spans().map(|span| Some(span.trace_id.to_string())));
    c.owned_text(spans().map(|span| Some(span.span_id.to_string())));
    c.owned_text(spans().map(|span| span.parent_span_id.map(|id| id.to_string())));
    c.text(spans().map(|span| Some(span.name.as_str())));
    c.text(spans().map(|span| Some(span.kind.as_str())));
    c.i64(spans().map(|span| Some(span.start_time)));
    c.i64(spans().map(|span| span.end_time));
    c.i64(
        rows.iter()
            .map(|row| Some(row.facts.reported_duration.unwrap_or_else(|| row.span.duration()))),
    );
    c.text(spans().map(|span| Some(span.status.code.as_str())));
    c.text(spans().map(|span| Some(span.status.message.as_str())));
    c.text(spans().map(|span| Some(span.trace_state.as_str())));
    c.u32(spans().map(|span| span.flags));
    c.text(spans().map(|span| Some(span.resource.service())));
    c.text(spans().map(|span| Some(span.scope.name.as_str())));
    origins(c, facts().map(|facts| &facts.origin));
    c.text(facts().map(|facts| Some(facts.operation.as_str())));
    for fact in [
        |facts: &SpanFacts| facts.role.clone(),
        |facts: &SpanFacts| facts.tool.clone(),
        |facts: &SpanFacts| facts.model.clone(),
        |facts: &SpanFacts| facts.provider.clone(),
        |facts: &SpanFacts| facts.verdict.clone(),
    ] {
        c.owned_text(facts().map(fact));
    }
    c.bool(facts().map(|facts| facts.blocked));
    c.text(facts().map(|facts| facts.error.as_deref()));
    c.i64(facts().map(|facts| facts.time_to_first_token));
    let tokens = |facts: &SpanFacts| {
        facts
            .usage
            .as_ref()
            .map_or(Tokens::default(), |usage| usage.tokens)
    };
    for class in 0..8 {
        c.i64(facts().map(|facts| tokens(facts).classes().get(class).copied().flatten()));
    }
    c.i64(facts().map(|facts| facts.usage.as_ref()?.cost_pico_usd));
    text(c, spans().map(|span| object(&span.attributes)), bytes);
    text(c, spans().map(|span| resource(&span.resource)), bytes);
    text(c, spans().map(|span| list(&span.events)), bytes);
    text(c, spans().map(|span| list(&span.links)), bytes);
}

fn origins<'a>(c: &mut Columns, origins: impl Iterator<Item = &'a meshscope_model::Origin> + Clone) {
    c.text(origins.clone().map(|origin| origin.project.as_deref()));
    c.text(origins.clone().map(|origin| Some(origin.system.as_str())));
    c.text(origins.clone().map(|origin| origin.room.as_deref()));
    c.text(
        origins
            .clone()
            .map(|origin| origin.session.as_deref().or(origin.fallback_session.as_deref())),
    );
    c.text(origins.map(|origin| origin.agent.as_deref()));
}

fn logs(c: &mut Columns, rows: &[LogEntry], bytes: &mut usize) {
    let records = || rows.iter().map(|row| &row.record);
    c.i64(records().map(|record| Some(record.placed_at())));
    c.i64(records().map(|record| Some(record.observed_time)));
    c.u8(records().map(|record| record.severity_number));
    c.text(records().map(|record| Some(record.severity_text.as_str())));
    c.text(records().map(|record| Some(record.event_name.as_str())));
    text(c, records().map(|record| Some(record.body.to_text())), bytes);
    c.owned_text(records().map(|record| record.trace_id.map(|id| id.to_string())));
    c.owned_text(records().map(|record| record.span_id.map(|id| id.to_string())));
    c.u32(records().map(|record| record.flags));
    c.text(records().map(|record| Some(record.resource.service())));
    c.text(records().map(|record| Some(record.scope.name.as_str())));
    origins(c, rows.iter().map(|row| &row.origin));
    text(c, records().map(|record| object(&record.attributes)), bytes);
    text(c, records().map(|record| resource(&record.resource)), bytes);
}

fn points(c: &mut Columns, rows: &[PointEntry], bytes: &mut usize) {
    let points = || rows.iter().map(|row| &row.point);
    c.text(points().map(|point| Some(point.metric.name.as_str())));
    c.text(points().map(|point| Some(point.metric.description.as_str())));
    c.text(points().map(|point| Some(point.metric.unit.as_str())));
    c.text(points().map(|point| Some(point.metric.kind.as_str())));
    c.bool(points().map(|point| point.metric.monotonic));
    c.u8(points().map(|point| point.metric.temporality as u8));
    c.i64(points().map(|point| Some(point.start_time)));
    c.i64(points().map(|point| Some(point.time)));
    c.f64(points().map(|point| match point.value {
        PointValue::Int(n) => Some(n as f64),
        PointValue::Double(x) => Some(x),
        _ => None,
    }));
    let distribution = |value: &PointValue| match value {
        PointValue::None | PointValue::Int(_) | PointValue::Double(_) => None,
        value => serde_json::to_string(value).ok(),
    };
    text(c, points().map(|point| distribution(&point.value)), bytes);
    c.u32(points().map(|point| point.flags));
    c.text(points().map(|point| Some(point.resource.service())));
    c.text(points().map(|point| Some(point.scope.name.as_str())));
    origins(c, rows.iter().map(|row| &row.origin));
    text(c, points().map(|point| object(&point.attributes)), bytes);
    text(c, points().map(|point| resource(&point.resource)), bytes);
    text(c, points().map(|point| list(&point.exemplars)), bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_api::UsageRow;
    use meshscope_api::usage_export::row_table;

    /// Names and types of the columns of a file, and its rows' times.
    fn written(rows: &[&[UsageRow]]) -> (Vec<(String, String)>, Vec<i64>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.parquet");
        let mut pages = rows.iter().map(|rows| row_table(rows));
        write_table(&row_table(&[]), &mut || Ok(pages.next()), &path).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing else is left: {left:?}");
        let connection = Connection::open_in_memory().unwrap();
        let file = quoted(&path.display().to_string());
        let read = |sql: String| connection.prepare(&sql).unwrap();
        let columns = read(format!(
            "SELECT column_name, column_type FROM (DESCRIBE FROM {file})"
        ))
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
        let times = read(format!("SELECT time FROM {file}"))
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        (columns, times)
    }

    #[test]
    fn a_file_of_no_rows_has_the_columns_of_one_of_many_pages() {
        let row = |time: i64| UsageRow {
            time,
            ..UsageRow::default()
        };
        let (first, second) = ([row(1), row(2)], [row(3)]);
        let (columns, times) = written(&[&first, &[], &second]);
        assert_eq!(times, [1, 2, 3], "in their order");
        let kind = |name: &str| {
            let found = columns.iter().find(|(column, _)| column == name);
            found.map(|(_, kind)| kind.as_str())
        };
        assert_eq!(
            (kind("time"), kind("cost_pico_usd"), kind("model")),
            (Some("BIGINT"), Some("BIGINT"), Some("VARCHAR"))
        );
        assert_eq!(written(&[]), (columns, Vec::new()));
    }

    #[test]
    fn a_page_that_cannot_be_read_ends_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.parquet");
        let ended = write_table(&row_table(&[]), &mut || Err(StoreError::Stopped), &path);
        assert!(matches!(ended, Err(StoreError::Stopped)), "{ended:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
