//! The engine alone: the same spans as record batches into one flat table with a column for every
//! attribute, no identity, no ledger, no facts, one transaction a million rows.

use crate::generate::{Emitters, Workload};
use duckdb::Connection;
use duckdb::arrow::array::{ArrayRef, Int64Array, StringArray, UInt8Array, UInt64Array};
use duckdb::arrow::datatypes::{DataType, Field, Schema};
use duckdb::arrow::record_batch::RecordBatch;
use meshscope_model::{AttributeValue, Span};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of one record batch.
const BATCH: u64 = 100_000;
/// Rows of one transaction.
const TRANSACTION: u64 = 1_000_000;

/// How fast the engine took the rows.
pub(crate) struct Raw {
    rows: u64,
    append: Duration,
    checkpoint: Duration,
    bytes: u64,
}

impl Raw {
    /// Prints it beside a rate of durable spans a second.
    pub(crate) fn print(&self, durable: f64) {
        let rate = |time: Duration| self.rows as f64 / time.as_secs_f64();
        let (alone, whole) = (rate(self.append), rate(self.append + self.checkpoint));
        println!(
            "  raw appender            {alone:>10.0} rows/s, the same rows, committed; ratio {:.2}",
            durable / alone
        );
        println!(
            "    with its checkpoint   {whole:>10.0} rows/s; ratio {:.2}",
            durable / whole
        );
        println!(
            "    on disk               {:>10.1} bytes a row",
            self.bytes as f64 / self.rows as f64
        );
    }
}

/// Appends the spans of a workload. Making the record batches is not timed.
pub(crate) fn run(workload: &Workload, emitters: &Emitters) -> Raw {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("raw.duckdb");
    let connection = Connection::open(&file).unwrap();
    let keys = keys(&workload.records(emitters, 0, workload.spans().min(BATCH)));
    let columns: String = keys.iter().map(|key| format!(", \"{key}\" VARCHAR")).collect();
    connection
        .execute_batch(&format!(
            "CREATE TABLE spans (trace_hi UBIGINT, trace_lo UBIGINT, span_id UBIGINT, parent UBIGINT, start BIGINT, \
             ended BIGINT, name VARCHAR, service VARCHAR, kind UTINYINT, status UTINYINT{columns})"
        ))
        .unwrap();
    let (mut append, mut rows) = (Duration::ZERO, 0);
    while rows < workload.spans() {
        let until = workload.spans().min(rows + TRANSACTION);
        let batches: Vec<RecordBatch> = (rows..until)
            .step_by(BATCH as usize)
            .map(|n| batch(&workload.records(emitters, n, until.min(n + BATCH)), &keys))
            .collect();
        let start = Instant::now();
        connection.execute_batch("BEGIN").unwrap();
        let mut appender = connection.appender("spans").unwrap();
        for batch in batches {
            appender.append_record_batch(batch).unwrap();
        }
        appender.flush().unwrap();
        drop(appender);
        connection.execute_batch("COMMIT").unwrap();
        append += start.elapsed();
        rows = until;
    }
    let start = Instant::now();
    connection.execute_batch("CHECKPOINT").unwrap();
    let checkpoint = start.elapsed();
    drop(connection);
    Raw {
        rows,
        append,
        checkpoint,
        bytes: std::fs::metadata(&file).unwrap().len(),
    }
}

/// The keys of all attributes of the spans.
fn keys(spans: &[Span]) -> BTreeSet<String> {
    let keys = spans.iter().flat_map(|span| span.attributes.iter());
    keys.map(|kv| kv.key.clone()).collect()
}

fn batch(spans: &[Span], keys: &BTreeSet<String>) -> RecordBatch {
    assert!(
        keys.is_superset(&self::keys(spans)),
        "every attribute has a column"
    );
    let u64s = |read: &dyn Fn(&Span) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(spans.iter().map(read)))
    };
    let i64s = |read: &dyn Fn(&Span) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(spans.iter().map(read)))
    };
    let u8s = |read: &dyn Fn(&Span) -> u8| -> ArrayRef {
        Arc::new(UInt8Array::from_iter_values(spans.iter().map(read)))
    };
    let attribute = |key: &String| -> (DataType, ArrayRef) {
        let texts = spans
            .iter()
            .map(|span| span.attributes.get(key).map(AttributeValue::to_text));
        (DataType::Utf8, Arc::new(texts.collect::<StringArray>()))
    };
    let mut columns: Vec<(DataType, ArrayRef)> = vec![
        (
            DataType::UInt64,
            u64s(&|span| (span.trace_id.as_u128() >> 64) as u64),
        ),
        (DataType::UInt64, u64s(&|span| span.trace_id.as_u128() as u64)),
        (DataType::UInt64, u64s(&|span| span.span_id.as_u64())),
        (
            DataType::UInt64,
            u64s(&|span| span.parent_span_id.map_or(0, |id| id.as_u64())),
        ),
        (DataType::Int64, i64s(&|span| span.start_time)),
        (DataType::Int64, i64s(&|span| span.end_time.unwrap_or(0))),
        (
            DataType::Utf8,
            Arc::new(StringArray::from_iter_values(spans.iter().map(|span| &span.name))),
        ),
        (
            DataType::Utf8,
            Arc::new(StringArray::from_iter_values(
                spans.iter().map(|span| span.resource.service()),
            )),
        ),
        (DataType::UInt8, u8s(&|span| span.kind as u8)),
        (DataType::UInt8, u8s(&|span| span.status.code as u8)),
    ];
    columns.extend(keys.iter().map(attribute));
    let fields: Vec<Field> = columns
        .iter()
        .enumerate()
        .map(|(n, (data_type, _))| Field::new(format!("c{n}"), data_type.clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}
