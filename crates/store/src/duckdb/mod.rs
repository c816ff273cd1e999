//! The embedded engine: DuckDB, one file.

mod append;
mod attribute;
mod counted;
mod identity;
mod ledger;
mod logs;
mod mcp_mesh;
mod merge;
mod metrics;
mod newest;
mod parts;
mod price;
mod read;
mod recent;
mod rows;
mod schema;
mod sessions;
mod slots;
mod traces;
mod usage;
mod value;
mod write;

use crate::{PriceOf, Store, StoreError, Written};
use duckdb::{Config, Connection};
use identity::Known;
use meshscope_api::mcp_mesh::{ActiveTraces, CompletedTrace, FoundTraces, TraceSearch, TraceStats, Traffic};
use meshscope_api::{
    Counts, ListQuery, LogPage, LogQuery, MetricDetail, MetricList, ProjectList, SeriesQuery, SessionDetail,
    SessionPage, SpanDetail, StoreStatus, TraceDetail, TracePage, UsageQuery, UsageReport, UsageRowPage,
};
use meshscope_model::{Batch, SpanColumns, SpanId, TraceId};
use slots::{Counter, Published, Slots};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Name of the file within the data directory.
const FILE: &str = "meshscope.duckdb";

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
    writer: Mutex<Writing>,
    slots: Arc<Published>,
    /// Connections that are free for reading; one is made when all are taken.
    readers: Mutex<Vec<Connection>>,
}

/// What the one writer holds.
struct Writing {
    connection: Connection,
    known: Known,
    slots: Arc<Slots>,
    published: Arc<Published>,
    counter: Counter,
    sequence: i64,
}

/// Turns the engine's error into ours.
pub(crate) fn engine_error(doing: &'static str) -> impl Fn(duckdb::Error) -> StoreError {
    move |error| StoreError::Engine {
        doing,
        detail: error.to_string(),
    }
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
        let config = Config::default()
            .max_memory(&format!("{}MiB", options.memory_mib))
            .and_then(|config| config.threads(i64::try_from(options.threads).unwrap_or(2)))
            .and_then(|config| config.enable_autoload_extension(false))
            .map_err(engine_error(doing))?;
        let connection = Connection::open_with_flags(&path, config).map_err(|error| {
            let detail = error.to_string();
            if detail.contains("lock on file") || detail.contains("Conflicting lock") {
                StoreError::Locked {
                    path: path.display().to_string(),
                    detail,
                }
            } else {
                StoreError::Engine { doing, detail }
            }
        })?;
        Self::with(connection, Some(path))
    }

    /// A store in memory, gone when dropped; for tests.
    pub fn in_memory() -> Result<Self, StoreError> {
        let connection = Connection::open_in_memory().map_err(engine_error("open the store"))?;
        Self::with(connection, None)
    }

    fn with(connection: Connection, path: Option<PathBuf>) -> Result<Self, StoreError> {
        migrate(&connection, path.as_deref())?;
        let known = Known::load(&connection, write::now())?;
        let slots = Arc::new(Slots::load(&connection)?);
        let published = Arc::new(Published::new(Arc::clone(&slots)));
        let last = "SELECT greatest((SELECT max(sequence) FROM spans), (SELECT max(sequence) FROM logs), \
                    (SELECT max(sequence) FROM metric_points), 0)";
        let sequence = connection
            .query_row(last, [], |row| row.get::<_, Option<i64>>(0))
            .map_err(engine_error("read the last sequence number"))?
            .unwrap_or(0);
        let writer = Mutex::new(Writing {
            connection,
            known,
            slots,
            published: Arc::clone(&published),
            counter: Counter::default(),
            sequence,
        });
        Ok(Self {
            path,
            writer,
            slots: published,
            readers: Mutex::default(),
        })
    }

    /// Reads with a connection of its own, so that readers wait neither for the writer nor for
    /// each other.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let free = lock(&self.readers).pop();
        let connection = match free {
            Some(connection) => connection,
            None => lock(&self.writer)
                .connection
                .try_clone()
                .map_err(engine_error("open a reader"))?,
        };
        let answer = read(&connection);
        lock(&self.readers).push(connection);
        answer
    }

    /// Reads what depends on the slots; again when a key got one meanwhile.
    fn read_attributes<T>(
        &self,
        read: impl Fn(&Connection, &Slots) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            let slots = self.slots.get();
            let answer = self.read(|connection| read(connection, &slots))?;
            if self.slots.get().keys().len() == slots.keys().len() {
                return Ok(answer);
            }
        }
    }
}

/// Brings the file's schema to [`schema::VERSION`].
fn migrate(connection: &Connection, path: Option<&Path>) -> Result<(), StoreError> {
    let doing = "read the schema's version";
    let make = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(engine_error("make the tables"))
    };
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'meta'";
    let there: i64 = connection
        .query_row(tables, [], |row| row.get(0))
        .map_err(engine_error(doing))?;
    if there == 0 {
        let first = "INSERT INTO meta VALUES ('schema_version', '1');";
        make(&format!("BEGIN; {} {first} COMMIT;", schema::CREATE))?;
    }
    let version = "SELECT value::UINTEGER FROM meta WHERE key = 'schema_version'";
    let found: u32 = connection
        .query_row(version, [], |row| row.get(0))
        .map_err(engine_error(doing))?;
    if found > schema::VERSION {
        let path = path.map_or_else(String::new, |path| path.display().to_string());
        return Err(StoreError::Newer {
            path,
            found,
            known: schema::VERSION,
        });
    }
    // Views are code, not data: each start makes them as this version has them.
    if found == schema::VERSION {
        return make(&views());
    }
    // The engine alters a table once a transaction, so that each statement is one of its own. All
    // of them may run again: a version counts when its last is done.
    (found + 1..=schema::VERSION).try_for_each(|version| make(&schema::upgrade_to(version)))?;
    make(&views())?;
    if found < schema::FIRST_WITH_PARTS {
        parts::rebuild(connection)?;
    }
    make(&format!(
        "UPDATE meta SET value = '{}' WHERE key = 'schema_version'",
        schema::VERSION
    ))
}

fn views() -> String {
    format!("{} {}", schema::VIEWS, counted::views())
}

impl Store for DuckDb {
    fn write(&self, batches: &[Batch]) -> Result<Written, StoreError> {
        lock(&self.writer).write(batches)
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
        let version = self.read(|connection| {
            let version = connection.query_row("SELECT version()", [], |row| row.get::<_, String>(0));
            version.map_err(engine_error("ask for the engine's version"))
        })?;
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let path = self.path.clone().unwrap_or_default();
        Ok(StoreStatus {
            engine: format!("DuckDB {version}"),
            size_bytes: size(&path) + size(&path.with_extension("duckdb.wal")),
            path: path.display().to_string(),
            schema_version: schema::VERSION,
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

    fn trace_columns(&self, trace_id: TraceId) -> Result<Option<SpanColumns>, StoreError> {
        self.read(|connection| traces::columns(connection, trace_id))
    }

    fn span(&self, trace_id: TraceId, span_id: SpanId) -> Result<Option<SpanDetail>, StoreError> {
        self.read_attributes(|connection, slots| traces::span(connection, slots, trace_id, span_id))
    }

    fn logs(&self, query: &LogQuery, now: i64) -> Result<LogPage, StoreError> {
        self.read(|connection| logs::list(connection, query, now))
    }

    fn metrics(&self, query: &SeriesQuery, now: i64) -> Result<MetricList, StoreError> {
        self.read(|connection| metrics::list(connection, query, now))
    }

    fn metric(&self, name: &str, query: &SeriesQuery, now: i64) -> Result<Option<MetricDetail>, StoreError> {
        self.read(|connection| metrics::one(connection, name, query, now))
    }

    fn usage(&self, query: &UsageQuery, now: i64) -> Result<UsageReport, StoreError> {
        self.read(|connection| usage::report(connection, query, now))
    }

    fn price(&self, price: &PriceOf<'_>) -> Result<u64, StoreError> {
        price::price(&lock(&self.writer).connection, price)
    }

    fn usage_rows(&self, query: &UsageQuery, now: i64) -> Result<UsageRowPage, StoreError> {
        self.read(|connection| usage::rows(connection, query, now))
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

    fn close(&self) -> Result<(), StoreError> {
        lock(&self.writer)
            .connection
            .execute_batch("CHECKPOINT")
            .map_err(engine_error("close the store"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_api::TimeRange;

    #[test]
    fn a_file_of_version_1_is_brought_up_and_keeps_what_it_holds() {
        let connection = Connection::open_in_memory().unwrap();
        let old = "INSERT INTO meta VALUES ('schema_version', '1');
            CREATE VIEW session_points AS SELECT p.*, p.session AS session_id FROM metric_points p;
            CREATE VIEW ledger AS SELECT u.*, u.session AS session_id FROM usage u;
            INSERT INTO spans BY NAME SELECT 1 AS sequence, 'f7e26af0-0000-0000-0000-000000000001'::UUID AS trace_id,
                1 AS span_id, 5 AS start_time, 9 AS end_time, 4 AS duration, 9 AS last_time, 'work' AS name, 'svc' AS service,
                0 AS kind, 0 AS status, 0 AS flags, 'default' AS project, 0 AS system, 0 AS operation, 's' AS session,
                false AS blocked, false AS noise, 0 AS dropped_attributes, 0 AS dropped_events, 0 AS dropped_links;
            INSERT INTO usage BY NAME SELECT 1 AS sequence, 0 AS source, 5 AS time, 1 AS span_id, 'default' AS project,
                'f7e26af0-0000-0000-0000-000000000001'::UUID AS trace_id, 's' AS session, 0 AS system, 'svc' AS service,
                1 AS operation, false AS error, 7 AS total_tokens, false AS claim;";
        connection
            .execute_batch(&format!("{}{old}", schema::CREATE))
            .unwrap();
        let store = DuckDb::with(connection, None).unwrap();
        assert_eq!(store.status().unwrap().schema_version, schema::VERSION);
        let query = ListQuery {
            range: TimeRange::ALL,
            limit: 10,
            ..ListQuery::default()
        };
        let session = store.sessions(&query, 100).unwrap().sessions.remove(0);
        assert_eq!(
            (session.spans, session.tokens.total, session.interrupted),
            (1, Some(7), 0)
        );
        let trace: TraceId = "f7e26af0000000000000000000000001".parse().unwrap();
        let span = store.span(trace, SpanId::from_u64(1)).unwrap().unwrap();
        assert_eq!((span.name.as_str(), span.meaning.interrupted), ("work", false));
    }

    #[test]
    fn a_file_of_a_later_version_is_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        let later = "CREATE TABLE meta (key VARCHAR, value VARCHAR); INSERT INTO meta VALUES ('schema_version', '900');";
        connection.execute_batch(later).unwrap();
        let error = DuckDb::with(connection, None).err().unwrap();
        assert!(matches!(error, StoreError::Newer { found: 900, .. }), "{error}");
    }
}
