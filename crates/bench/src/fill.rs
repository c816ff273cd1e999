//! A store filled with a workload through [`Store::write`], without sockets.

use crate::generate::{self, Emitters, SESSION, Workload};
use crate::rate;
use meshscope_analysis::Prices;
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::{Batch, LogEntry, Origin, PointEntry, Span, SpanEntry};
use meshscope_store::{DuckDb, Options, Store};
use meshscope_telemetry::semconv;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Records of one write: whole sessions, about 20,000 spans.
const GROUP: u64 = 20_000 / SESSION * SESSION;

/// How filling went.
#[derive(Debug, Default)]
pub(crate) struct Filled {
    /// In [`Store::write`] alone.
    pub(crate) writing: Duration,
    /// In the final checkpoint.
    pub(crate) closing: Duration,
    /// Times of the writes.
    pub(crate) writes: crate::figures::Times,
}

fn engine(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn origin(mut origin: Origin) -> Origin {
    // The receiver names a project where the record does not.
    origin.project.get_or_insert_with(|| "default".to_owned());
    origin
}

/// A span as the receiver hands it to the store.
pub(crate) fn understood(span: Span, prices: &Prices) -> SpanEntry {
    let mut facts = semconv::span(&span);
    facts.origin = origin(facts.origin);
    semconv::last_resort(&span, &mut facts);
    prices.apply(&mut facts, span.start_time);
    SpanEntry { span, facts }
}

/// Writes a workload into a new store in `dir`, with `logs` log records and metric points too.
pub(crate) fn fill(dir: &Path, workload: &Workload, logs: bool) -> Result<Filled, String> {
    let store = DuckDb::open(dir, &Options::default()).map_err(engine)?;
    let (emitters, prices) = (Emitters::new(), Prices::built_in());
    let mut filled = Filled::default();
    for first in (0..workload.spans()).step_by(GROUP as usize) {
        let last = workload.spans().min(first + GROUP);
        let spans = workload.records(&emitters, first, last).into_iter();
        let mut batch = Batch {
            spans: spans.map(|span| understood(span, &prices)).collect(),
            ..Batch::default()
        };
        if logs {
            add_logs(&mut batch, workload, &emitters, first, last);
        }
        let begin = Instant::now();
        store.write(&[batch]).map_err(engine)?;
        filled.writes.add(begin.elapsed());
        filled.writing += begin.elapsed();
    }
    let begin = Instant::now();
    store.sum_up_all().map_err(engine)?;
    store.close().map_err(engine)?;
    drop(store);
    filled.closing = begin.elapsed();
    Ok(filled)
}

/// The log records of the traces of spans `first..last`, and as many metric points.
fn add_logs(batch: &mut Batch, workload: &Workload, emitters: &Emitters, first: u64, last: u64) {
    let a_span = |n: u64| n / generate::TRACE * generate::TRACE_LOGS;
    for n in a_span(first)..a_span(last) {
        let record = workload.log(emitters, n);
        batch.logs.push(LogEntry {
            origin: origin(semconv::log(&record)),
            record,
            identity: None,
        });
        let point = workload.point(emitters, n);
        batch.points.push(PointEntry {
            origin: origin(semconv::point(&point)),
            point,
            usage: None,
            identity: None,
            call: None,
        });
    }
}

/// What the tables are made by: a store that was filled for others is filled again, though the
/// schema's version be the same while it is worked on.
const TABLES: &str = include_str!("../../store/src/duckdb/schema.rs");

/// A store filled with a workload, made once a size, schema and generator.
pub(crate) fn cached(workload: &Workload) -> Result<PathBuf, String> {
    let schema = DuckDb::in_memory()
        .and_then(|store| store.status())
        .map_err(engine)?;
    let made_by = fingerprint(&[TABLES.as_bytes(), &generate::VERSION.to_le_bytes()]) as u32;
    let size = format!("{}-", workload.spans());
    let name = format!("{size}{}-{made_by:08x}", schema.schema_version);
    let all = rate::dir()?;
    let dir = all.join(&name);
    if dir.is_dir() {
        println!("  using {}", dir.display());
        return Ok(dir);
    }
    // Those of other schemas, and what an interrupted run left.
    for old in std::fs::read_dir(&all).map_err(engine)? {
        let old = old.map_err(engine)?;
        if old.file_name().to_string_lossy().starts_with(&size) {
            std::fs::remove_dir_all(old.path()).map_err(engine)?;
        }
    }
    println!("  filling {} (once)", dir.display());
    let new = dir.with_extension("new");
    fill(&new, workload, true)?;
    std::fs::rename(&new, &dir).map_err(engine)?;
    Ok(dir)
}
