//! The embedded engine: DuckDB, one file.

mod append;
mod arrow;
mod attribute;
mod backup;
mod changes;
mod checkpoint;
mod columns;
mod compact;
mod counted;
mod export;
mod filter;
mod identity;
mod ledger;
mod logs;
mod mcp_mesh;
mod merge;
mod met;
mod metrics;
mod migrate;
mod newest;
mod open;
mod parquet;
mod parts;
mod price;
mod read;
mod recent;
mod recordings;
mod reopen;
mod retention;
mod rows;
mod runs;
mod schema;
mod search;
mod services;
mod sessions;
mod slots;
mod space;
mod spoken;
mod stream;
mod sums;
mod traces;
mod usage;
mod value;
mod write;

use crate::stop::running;
use crate::{
    AddedRecording, ColumnsPiece, LiveRecords, PriceOf, RecordingsOf, Store, StoreError, StreamPosition,
    Written,
};
use duckdb::Connection;
use identity::Known;
use meshscope_analysis::conversation::Spoken;
use meshscope_api::export::{BackupReport, ExportQuery, ExportSignal};
use meshscope_api::mcp_mesh::{ActiveTraces, CompletedTrace, FoundTraces, TraceSearch, TraceStats, Traffic};
use meshscope_api::prices::{Reprice, RepriceReport, UnpricedModel};
use meshscope_api::search::{SpanMatches, SpanSearch};
use meshscope_api::status::{Removed, Retention};
use meshscope_api::usage_export::Table;
use meshscope_api::usage_query::LatencyOf;
use meshscope_api::{
    Counts, ListQuery, LogPage, LogQuery, MetricDetail, MetricList, ProjectList, Recording, SeriesQuery,
    ServiceList, ServiceQuery, SessionDetail, SessionLogQuery, SessionLogs, SessionPage, SessionTotals,
    SpanDetail, StoreStatus, StreamQuery, TraceDetail, TracePage, UsageCalls, UsageHeatMap, UsageQuery,
    UsageReport, UsageRowPage,
};
use meshscope_model::{Batch, SpanId, TraceId};
use open::FILE;
use slots::{Counter, Published, Slots};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

/// What the engine may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory of the engine in MiB.
    pub memory_mib: u64,
    /// Threads of one query.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            memory_mib: 2_048,
            threads,
        }
    }
}

/// A store in a DuckDB file.
pub struct DuckDb {
    path: Option<PathBuf>,
    options: Options,
    writer: Mutex<Writing>,
    slots: Arc<Published>,
    /// The connection that others are made from.
    source: Mutex<Connection>,
    /// Connections that are free for reading; one is made when all are taken.
    readers: Mutex<Vec<Connection>>,
    /// Held for reading by those who use a connection, for writing while the store is opened anew.
    gate: RwLock<()>,
    /// The engine gave up the store: it must be opened anew.
    lost: AtomicBool,
    /// Held by who makes a checkpoint, or needs that none is made.
    keeping: Mutex<()>,
    /// Held while old records are removed, by a connection that the gate does not know of.
    removing: Mutex<()>,
    /// Checkpoints since the file was opened.
    checkpoints: AtomicU32,
    merging: Mutex<checkpoint::Merging>,
    /// Held by who makes a copy.
    copying: Mutex<()>,
    /// Why nothing can be written.
    trouble: Mutex<Option<String>>,
    /// Up to so many calls, or runs, the quantiles of a report are exact.
    exact: u64,
}

/// What the one writer holds.
struct Writing {
    connection: Connection,
    known: Known,
    slots: Arc<Slots>,
    /// How many columns of slots the table has: as many as slots or more.
    width: usize,
    published: Arc<Published>,
    counter: Counter,
    sequence: i64,
    /// When the store was last tried to be opened anew.
    reopened: Option<Instant>,
    summing: sums::Summing,
}

/// Turns the engine's error into ours.
pub(crate) fn engine_error(doing: &'static str) -> impl Fn(duckdb::Error) -> StoreError {
    move |error| StoreError::of(doing, error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DuckDb {
    /// Opens the store in `dir`, and makes it when it is not there.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        let doing = "open the store";
        std::fs::create_dir_all(dir).map_err(|error| StoreError::Engine {
            doing,
            detail: format!("cannot create {}: {error}", dir.display()),
        })?;
        let path = dir.join(FILE);
        let connection = open::connect(&path, options)?;
        let at = path.clone();
        Self::with(connection, Some(path), options).map_err(|error| open::unreadable(&at, error))
    }

    /// Whether there is a store in `dir`.
    #[must_use]
    pub fn is_in(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// A store in memory, gone when dropped; for tests.
    pub fn in_memory() -> Result<Self, StoreError> {
        let connection = Connection::open_in_memory().map_err(engine_error("open the store"))?;
        Self::with(connection, None, &Options::default())
    }

    fn with(connection: Connection, path: Option<PathBuf>, options: &Options) -> Result<Self, StoreError> {
        migrate::migrate(&connection, path.as_deref())?;
        stream::name(&connection)?;
        let slots = Arc::new(Published::default());
        let source = connection.try_clone().map_err(engine_error("open a reader"))?;
        Ok(Self {
            path,
            options: options.clone(),
            writer: Mutex::new(Writing::load(connection, &slots)?),
            slots,
            source: Mutex::new(source),
            readers: Mutex::default(),
            gate: RwLock::default(),
            lost: AtomicBool::new(false),
            keeping: Mutex::default(),
            removing: Mutex::default(),
            checkpoints: AtomicU32::new(0),
            merging: Mutex::default(),
            copying: Mutex::default(),
            trouble: Mutex::default(),
            exact: usage::EXACT,
        })
    }

    /// The store with quantiles of calls, or of runs, that are exact up to so many of them: beyond they are
    /// read off classes of durations, as the report says.
    #[must_use]
    pub fn exact_up_to(self, count: u64) -> Self {
        Self { exact: count, ..self }
    }

    /// Reads with a connection of its own, so that readers wait neither for the writer nor for
    /// each other.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        if self.lost.load(Ordering::Acquire) {
            return Err(StoreError::Lost {
                detail: "the engine closed the store; it is opened again with the next write".to_owned(),
            });
        }
        let free = lock(&self.readers).pop();
        let connection = match free {
            Some(connection) => connection,
            None => self.connection()?,
        };
        let interrupt = connection.interrupt_handle();
        let answer = running(move || interrupt.interrupt()).and_then(|_running| read(&connection))?;
        // One whose read failed is let go: it may be within a transaction that could not be ended.
        lock(&self.readers).push(connection);
        Ok(answer)
    }

    /// Reads what several statements say as it is at one moment.
    fn read_as_of_now<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read(|connection| read::as_of_now(connection, || read(connection)))
    }

    /// Reads, as of one moment, what depends on the slots; again when a key got one meanwhile.
    fn read_attributes<T>(
        &self,
        mut read: impl FnMut(&Connection, &Slots) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            let slots = self.slots.get();
            let answer = self.read_as_of_now(|connection| read(connection, &slots))?;
            if self.slots.get().keys().len() == slots.keys().len() {
                return Ok(answer);
            }
        }
    }

    /// Gives what the speakers say to `take`.
    fn said(
        &self,
        speakers: &[spoken::Speaker],
        take: &mut dyn FnMut(Spoken) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        for piece in spoken::pieces(speakers) {
            let said = self.read_attributes(|connection, slots| spoken::said(connection, slots, piece))?;
            if said.into_iter().any(|spoken| take(spoken).is_break()) {
                break;
            }
        }
        Ok(())
    }

    /// Bytes of the file and its log.
    fn size(&self) -> u64 {
        let path = self.path.as_deref();
        path.map_or(0, |path| space::size(path) + space::size(&open::wal_of(path)))
    }

    /// A new connection.
    fn connection(&self) -> Result<Connection, StoreError> {
        lock(&self.source)
            .try_clone()
            .map_err(engine_error("open a reader"))
    }

    /// Writes by `write`, and once more where the engine had given up the store.
    fn written<T>(&self, write: impl Fn(&mut Writing) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writing = lock(&self.writer);
        let mut result = self.recover(&mut writing).and_then(|()| write(&mut writing));
        if let Err(error) = result {
            let error = error.told();
            result = if matches!(error, StoreError::Lost { .. }) && !self.lost.swap(true, Ordering::AcqRel) {
                self.recover(&mut writing).and_then(|()| write(&mut writing))
            } else {
                Err(error)
            };
        }
        let trouble = match &result {
            Err(error @ (StoreError::Full { .. } | StoreError::Lost { .. })) => Some(error.to_string()),
            _ => None,
        };
        *lock(&self.trouble) = trouble;
        result
    }
}

impl Writing {
    /// The writer of an open store, with what it holds already.
    fn load(connection: Connection, published: &Arc<Published>) -> Result<Self, StoreError> {
        let known = Known::load(&connection, write::now())?;
        let slots = Arc::new(Slots::load(&connection)?);
        published.set(Arc::clone(&slots));
        let width = slots::width(&connection)?;
        let sequence = stream::last(&connection)?;
        Ok(Self {
            connection,
            known,
            slots,
            width,
            published: Arc::clone(published),
            counter: Counter::default(),
            sequence,
            reopened: None,
            summing: sums::Summing::default(),
        })
    }
}

impl Store for DuckDb {
    fn write(&self, batches: &[Batch]) -> Result<Written, StoreError> {
        self.written(|writing| writing.write(batches))
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.read(|connection| {
            let sql = format!(
                "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM logs), \
                 (SELECT count(*) FROM metric_points), ({})",
                sessions::count()
            );
            let counts = connection.query_row(&sql, [], |row| {
                Ok(Counts {
                    spans: row.get(0)?,
                    logs: row.get(1)?,
                    metric_points: row.get(2)?,
                    sessions: row.get(3)?,
                })
            });
            counts.map_err(engine_error("count the records"))
        })
    }

    fn status(&self) -> Result<StoreStatus, StoreError> {
        let (version, sizes, removed, recordings) = self.read(|connection| {
            let version = connection.query_row("SELECT version()", [], |row| row.get::<_, String>(0));
            let version = version.map_err(engine_error("ask for the engine's version"))?;
            let recordings = recordings::size(connection, None)?;
            Ok((
                version,
                compact::sizes(connection)?,
                retention::last(connection)?,
                recordings,
            ))
        })?;
        let path = self.path.clone().unwrap_or_default();
        Ok(StoreStatus {
            engine: format!("DuckDB {version}"),
            size_bytes: self.size(),
            path: path.display().to_string(),
            schema_version: schema::VERSION,
            free_bytes: sizes.free_bytes(),
            recordings: recordings.0,
            recordings_bytes: recordings.1,
            removed,
            trouble: lock(&self.trouble).clone(),
        })
    }

    fn projects(&self) -> Result<ProjectList, StoreError> {
        self.read(sessions::projects)
    }

    fn sessions(&self, query: &ListQuery, now: i64) -> Result<SessionPage, StoreError> {
        self.read_attributes(|connection, slots| sessions::list(connection, slots, query, now))
    }

    fn session(
        &self,
        project: Option<&str>,
        session_id: &str,
        now: i64,
    ) -> Result<Option<SessionDetail>, StoreError> {
        self.read_attributes(|connection, slots| sessions::one(connection, slots, project, session_id, now))
    }

    fn traces(&self, query: &ListQuery, now: i64) -> Result<TracePage, StoreError> {
        self.read_attributes(|connection, slots| traces::list(connection, slots, query, now))
    }

    fn trace(&self, trace_id: TraceId) -> Result<Option<TraceDetail>, StoreError> {
        self.read_attributes(|connection, slots| traces::one(connection, slots, trace_id))
    }

    fn trace_columns(
        &self,
        trace_id: TraceId,
        take: &mut dyn FnMut(ColumnsPiece) -> ControlFlow<()>,
    ) -> Result<bool, StoreError> {
        self.read_as_of_now(|connection| columns::read(connection, trace_id, take))
    }

    fn search_trace(&self, trace_id: TraceId, query: &SpanSearch) -> Result<Option<SpanMatches>, StoreError> {
        self.read_attributes(|connection, slots| search::search(connection, slots, trace_id, query))
    }

    fn spoken(
        &self,
        trace_id: TraceId,
        span: Option<SpanId>,
        limit: usize,
        take: &mut dyn FnMut(Spoken) -> ControlFlow<()>,
    ) -> Result<bool, StoreError> {
        let found = self.read_attributes(|connection, slots| {
            spoken::of_trace(connection, slots, trace_id, span, limit)
        })?;
        match found {
            Some(speakers) => self.said(&speakers, take).map(|()| true),
            None => Ok(false),
        }
    }

    fn session_project(&self, project: Option<&str>, session_id: &str) -> Result<Option<String>, StoreError> {
        let found = self.read(|connection| sessions::find(connection, project, session_id))?;
        Ok(found.map(|(project, ..)| project))
    }

    fn session_columns(
        &self,
        project: &str,
        session_id: &str,
        take: &mut dyn FnMut(ColumnsPiece) -> ControlFlow<()>,
    ) -> Result<bool, StoreError> {
        self.read_as_of_now(|connection| columns::read_session(connection, project, session_id, take))
    }

    fn session_spoken(
        &self,
        project: &str,
        session_id: &str,
        limit: usize,
        take: &mut dyn FnMut(Spoken) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let speakers = self.read_attributes(|connection, slots| {
            spoken::of_session(connection, slots, project, session_id, limit)
        })?;
        self.said(&speakers, take)
    }

    fn session_logs(
        &self,
        project: &str,
        session_id: &str,
        query: &SessionLogQuery,
    ) -> Result<SessionLogs, StoreError> {
        self.read_as_of_now(|connection| logs::of_session(connection, project, session_id, query))
    }

    fn session_totals(&self, query: &ListQuery, now: i64) -> Result<SessionTotals, StoreError> {
        self.read_attributes(|connection, slots| sessions::totals(connection, slots, query, now))
    }

    fn span(&self, trace_id: TraceId, span_id: SpanId) -> Result<Option<SpanDetail>, StoreError> {
        self.read_attributes(|connection, slots| traces::span(connection, slots, trace_id, span_id))
    }

    fn position(&self) -> Result<StreamPosition, StoreError> {
        self.read(stream::position)
    }

    fn services(&self, query: &ServiceQuery, now: i64) -> Result<ServiceList, StoreError> {
        self.read_as_of_now(|connection| services::list(connection, query, now))
    }

    fn arrived_before(&self, moment: i64) -> Result<i64, StoreError> {
        self.read(|connection| stream::arrived_before(connection, moment))
    }

    fn since(&self, query: &StreamQuery, after: i64, upto: i64) -> Result<LiveRecords, StoreError> {
        self.read(|connection| stream::since(connection, query, after, upto))
    }

    fn logs(&self, query: &LogQuery, now: i64) -> Result<LogPage, StoreError> {
        self.read_as_of_now(|connection| logs::list(connection, query, now))
    }

    fn metrics(&self, query: &SeriesQuery, now: i64) -> Result<MetricList, StoreError> {
        self.read(|connection| metrics::list(connection, query, now))
    }

    fn metric(&self, name: &str, query: &SeriesQuery, now: i64) -> Result<Option<MetricDetail>, StoreError> {
        self.read_as_of_now(|connection| metrics::one(connection, name, query, now))
    }

    fn usage(&self, query: &UsageQuery, now: i64) -> Result<UsageReport, StoreError> {
        self.read_attributes(|connection, slots| usage::report(connection, slots, query, now, self.exact))
    }

    fn price(&self, price: &PriceOf<'_>) -> Result<u64, StoreError> {
        self.written(|writing| price::price(&writing.connection, price))
    }

    fn unpriced(&self) -> Result<Vec<UnpricedModel>, StoreError> {
        self.read(price::unpriced)
    }

    fn reprice(&self, which: &Reprice, price: &PriceOf<'_>) -> Result<RepriceReport, StoreError> {
        if which.apply {
            self.written(|writing| {
                let connection = &writing.connection;
                write::transaction(connection, "price calls", || {
                    price::reprice(connection, which, price)
                })
            })
        } else {
            self.read_as_of_now(|connection| price::reprice(connection, which, price))
        }
    }

    fn usage_latency(&self, query: &UsageQuery, of: LatencyOf, now: i64) -> Result<UsageHeatMap, StoreError> {
        self.read_attributes(|connection, slots| usage::heat_map(connection, slots, query, of, now))
    }

    fn usage_calls(&self, query: &UsageQuery, now: i64) -> Result<UsageCalls, StoreError> {
        self.read_attributes(|connection, slots| usage::calls(connection, slots, query, now))
    }

    fn usage_rows(&self, query: &UsageQuery, now: i64) -> Result<UsageRowPage, StoreError> {
        self.read_attributes(|connection, slots| usage::rows::rows(connection, slots, query, now))
    }

    fn mesh_search(&self, query: &TraceSearch, now: i64) -> Result<FoundTraces, StoreError> {
        self.read_attributes(|connection, slots| mcp_mesh::search(connection, slots, query, now))
    }

    fn mesh_trace(&self, trace_id: TraceId) -> Result<Option<CompletedTrace>, StoreError> {
        self.read_attributes(|connection, slots| mcp_mesh::one(connection, slots, trace_id))
    }

    fn mesh_stats(&self, now: i64) -> Result<TraceStats, StoreError> {
        self.read(|connection| mcp_mesh::stats(connection, now))
    }

    fn mesh_active(&self, now: i64) -> Result<ActiveTraces, StoreError> {
        self.read(|connection| mcp_mesh::active(connection, now))
    }

    fn mesh_traffic(&self, from: i64) -> Result<Traffic, StoreError> {
        self.read_attributes(|connection, slots| mcp_mesh::traffic(connection, slots, from))
    }

    fn recordings(&self, of: &RecordingsOf) -> Result<Vec<Recording>, StoreError> {
        self.read(|connection| recordings::list(connection, of))
    }

    fn add_recording(&self, added: &AddedRecording) -> Result<String, StoreError> {
        self.written(|writing| recordings::add(&writing.connection, added))
    }

    fn finish_recording(&self, id: TraceId, size: u64) -> Result<(), StoreError> {
        self.written(|writing| recordings::finish(&writing.connection, id, size))
    }

    fn remove_recording(&self, id: TraceId) -> Result<bool, StoreError> {
        self.written(|writing| recordings::remove(&writing.connection, id))
    }

    fn tend(&self) -> Result<(), StoreError> {
        if self.tend_file()? {
            self.renew()?;
        }
        self.sum_up()?;
        self.tend_row_groups()
    }

    fn retain(
        &self,
        rules: &Retention,
        now: i64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Removed>, StoreError> {
        self.remove_old(rules, now, go_on)
    }

    fn export(
        &self,
        query: &ExportQuery,
        take: &mut dyn FnMut(Batch) -> ControlFlow<(), usize>,
    ) -> Result<(), StoreError> {
        self.read_all(query, take)
    }

    fn export_parquet(
        &self,
        query: &ExportQuery,
        signal: ExportSignal,
        path: &Path,
    ) -> Result<u64, StoreError> {
        self.write_parquet(query, signal, path)
    }

    fn write_table(
        &self,
        table: &Table,
        more: &mut dyn FnMut() -> Result<Option<Table>, StoreError>,
        path: &Path,
    ) -> Result<(), StoreError> {
        parquet::write_table(table, more, path)
    }

    fn backup(&self, destination: &Path) -> Result<BackupReport, StoreError> {
        self.copy_to(destination)
    }

    fn close(&self) -> Result<(), StoreError> {
        self.checkpoint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_runs_is_interrupted() {
        let store = DuckDb::in_memory().unwrap();
        let stop = Arc::new(crate::stop::Stop::default());
        let endless =
            "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = 7";
        let answer = std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                stop.run(|| {
                    store.read(|connection| connection.execute_batch(endless).map_err(engine_error("wait")))
                })
            });
            while !running.is_finished() {
                stop.stop();
            }
            running.join().unwrap()
        });
        assert!(matches!(answer, Err(StoreError::Stopped)), "{answer:?}");
        assert!(matches!(stop.run(|| store.counts()), Err(StoreError::Stopped)));
        assert_eq!(store.counts().unwrap(), Counts::default());
    }

    #[test]
    fn a_read_is_as_of_one_moment_and_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let store = DuckDb::open(dir.path(), &Options::default()).unwrap();
        let count = |connection: &Connection| {
            let sql = "SELECT count(*) FROM meta WHERE key = 'noted'";
            connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .map_err(engine_error("count"))
        };
        let note = |writing: &mut Writing| {
            let sql = "INSERT INTO meta VALUES ('noted', '')";
            writing
                .connection
                .execute_batch(sql)
                .map_err(engine_error("note"))
        };
        let seen = store.read_attributes(|connection, _| {
            let before = count(connection)?;
            std::thread::scope(|scope| {
                let other = || {
                    store.written(note)?;
                    store.sum_up_all()?;
                    store.checkpoint()
                };
                scope.spawn(other).join().unwrap()
            })?;
            Ok((before, count(connection)?))
        });
        assert_eq!(seen.unwrap(), (0, 0));
        // A read that fails leaves nothing behind for the next one.
        for _ in 0..2 {
            let failed = store.read_attributes(|connection, _| {
                let sql = "SELECT error('no')";
                connection.execute_batch(sql).map_err(engine_error("fail"))
            });
            assert!(failed.is_err());
            assert_eq!(store.read(count).unwrap(), 1);
        }
    }
}
