//! What is kept, and the questions it answers.
//!
//! [`Store`] is the wall between the server and an engine: no SQL stands outside this crate.
//! `writer::Writer` groups what waits into one transaction and answers each request after
//! the commit: an acknowledged record is durable.

mod changes;
mod duckdb;
pub mod stop;
pub mod writer;

pub use crate::changes::{ChangedSpan, Changes, LiveRecords, StreamPosition};
pub use crate::duckdb::{DuckDb, Options};

use meshscope_analysis::conversation::Spoken;
use meshscope_api::export::{BackupReport, ExportQuery, ExportSignal};
use meshscope_api::mcp_mesh::{ActiveTraces, CompletedTrace, FoundTraces, TraceSearch, TraceStats, Traffic};
use meshscope_api::prices::{Reprice, RepriceReport, UnpricedModel};
use meshscope_api::search::{SpanMatches, SpanSearch};
use meshscope_api::status::{Removed, Retention};
use meshscope_api::usage_export::Table;
use meshscope_api::usage_query::LatencyOf;
use meshscope_api::{
    Counts, ListQuery, LogPage, LogQuery, MetricDetail, MetricList, NewRecording, ProjectList, Recording,
    SeriesQuery, ServiceList, ServiceQuery, SessionDetail, SessionLogQuery, SessionLogs, SessionPage,
    SessionTotals, SpanDetail, StoreStatus, StreamQuery, TraceDetail, TracePage, UsageCalls, UsageHeatMap,
    UsageQuery, UsageReport, UsageRowPage,
};
use meshscope_model::{Batch, SpanColumns, SpanId, TraceId, Usage};
use std::ops::ControlFlow;
use std::path::Path;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A cursor that this list did not give out.
    #[error("the cursor is not one that this list gave out")]
    Cursor,
    /// Something was asked for that cannot be.
    #[error("{detail}")]
    Asked {
        /// The parameter.
        parameter: &'static str,
        /// What is wrong with it, and what would be right.
        detail: String,
    },
    /// Another process has the files open.
    #[error("the store at {path} is open in another process: {detail}")]
    Locked {
        /// The files.
        path: String,
        /// What the engine said.
        detail: String,
    },
    /// The files were written by a newer version.
    #[error("the store at {path} has schema version {found}; this version knows up to {known}")]
    Newer {
        /// The files.
        path: String,
        /// Version found.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// The files were written by a newer engine.
    #[error("the store at {path} was written by a newer version and is left as it is: {detail}")]
    NewerFormat {
        /// The files.
        path: String,
        /// What the engine said.
        detail: String,
    },
    /// The files are not what the engine wrote.
    #[error(
        "the store at {path} is damaged and is left as it is: {detail}; put a backup in its place, or start with \
         another --data-dir"
    )]
    Damaged {
        /// The files.
        path: String,
        /// What the engine said.
        detail: String,
    },
    /// There is no room left for what is to be written. Nothing that was kept is lost, and writing
    /// goes on when there is room again.
    #[error("the disk is full: {detail}")]
    Full {
        /// What the engine or system said.
        detail: String,
    },
    /// The engine gave up the store, which is opened anew. Nothing that was kept is lost.
    #[error("the store is closed for the moment: {detail}")]
    Lost {
        /// What the engine said.
        detail: String,
    },
    /// The query was stopped: who asked has gone, or it took too long.
    #[error("the query was stopped")]
    Stopped,
    /// A session that several projects have was named without its project.
    #[error("{0}")]
    Project(String),
    /// A place that cannot be used for what was asked.
    #[error("{0}")]
    Place(String),
    /// The engine failed.
    #[error("the store failed to {doing}: {detail}")]
    Engine {
        /// What it was doing.
        doing: &'static str,
        /// What the engine said.
        detail: String,
    },
}

impl StoreError {
    /// The error that the engine's words tell.
    pub(crate) fn of(doing: &'static str, detail: String) -> Self {
        let says = |words: &[&str]| words.iter().any(|word| detail.contains(word));
        if says(&["FATAL Error", "database has been invalidated"]) {
            Self::Lost { detail }
        } else if says(&["No space left on device", "File too large", "Disk quota exceeded"]) {
            Self::Full { detail }
        } else {
            Self::Engine { doing, detail }
        }
    }

    /// An engine's error by its words, however it was made.
    pub(crate) fn told(self) -> Self {
        match self {
            Self::Engine { doing, detail } => Self::of(doing, detail),
            other => other,
        }
    }
}

/// What a call costs: from provider, model, usage and its moment (ns since the epoch) to pico-dollars
/// and the version of the price table.
pub type PriceOf<'a> = dyn Fn(Option<&str>, &str, &Usage, i64) -> Option<(i64, String)> + Sync + 'a;

/// A piece of a trace as columns.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnsPiece {
    /// How many spans all pieces together have.
    pub spans: u64,
    /// The piece, as `ColumnsBuilder::take` gives it.
    pub columns: SpanColumns,
}

/// Which recordings are asked for; what is absent does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordingsOf {
    /// Of this project.
    pub project: Option<String>,
    /// Of this session.
    pub session_id: Option<String>,
    /// The one of this identity.
    pub recording_id: Option<String>,
}

/// A recording that is made known.
#[derive(Debug, Clone, PartialEq)]
pub struct AddedRecording {
    /// Its session.
    pub session_id: String,
    /// The session's project; absent is the only one that has such a session, also when it becomes known
    /// later, and `default` till then.
    pub project: Option<String>,
    /// Its first moment, ns since the epoch; absent is by the offset.
    pub started_at: Option<i64>,
    /// All else that is said of it, checked.
    pub recording: NewRecording,
    /// The present, ns since the epoch.
    pub now: i64,
}

/// What a write changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// Spans that were new.
    pub spans: u64,
    /// Spans that were there already and stayed as they were.
    pub repeated_spans: u64,
    /// Spans that were there and gained something (their end, another name, attributes).
    pub merged_spans: u64,
    /// Log records.
    pub logs: u64,
    /// Metric points.
    pub metric_points: u64,
    /// Which records these are, for the live stream.
    pub changes: Changes,
}

/// A store of telemetry. Calls block; the server makes them off its async threads. `now` is
/// the present in ns since the epoch, given so that answers can be tested.
///
/// Projects: every record's facts name one when it comes here (the receiver sees to it), and
/// `project: None` in a query means all of them.
pub trait Store: Send + Sync + 'static {
    /// Keeps the records of all batches in one transaction; when it returns they are durable.
    /// A span that is there already (trace id, span id) counts once.
    fn write(&self, batches: &[Batch]) -> Result<Written, StoreError>;

    /// How much is kept.
    fn counts(&self) -> Result<Counts, StoreError>;

    /// Engine, place and size.
    fn status(&self) -> Result<StoreStatus, StoreError>;

    /// Projects with their latest activity and rooms.
    fn projects(&self) -> Result<ProjectList, StoreError>;

    /// Sessions, latest start first.
    fn sessions(&self, query: &ListQuery, now: i64) -> Result<SessionPage, StoreError>;

    /// One session with its runs.
    fn session(
        &self,
        project: Option<&str>,
        session_id: &str,
        now: i64,
    ) -> Result<Option<SessionDetail>, StoreError>;

    /// Traces, latest start first.
    fn traces(&self, query: &ListQuery, now: i64) -> Result<TracePage, StoreError>;

    /// One trace with every span in full.
    fn trace(&self, trace_id: TraceId) -> Result<Option<TraceDetail>, StoreError>;

    /// Gives the spans of a trace to `take` as columns, piece by piece in the order of (start, span
    /// id), as they were at one moment; `take` may break off between pieces. The first piece is small
    /// and comes early. False when there is no such trace.
    fn trace_columns(
        &self,
        trace_id: TraceId,
        take: &mut dyn FnMut(ColumnsPiece) -> ControlFlow<()>,
    ) -> Result<bool, StoreError>;

    /// Spans of a trace in which what `query` wants is found, and where; `None` when there is no such
    /// trace.
    fn search_trace(&self, trace_id: TraceId, query: &SpanSearch) -> Result<Option<SpanMatches>, StoreError>;

    /// Gives the first `limit` spans of a trace that may say something, or only `span`, to `take`, in the
    /// order of (start, span id); `take` may break off. False when there is no such trace.
    fn spoken(
        &self,
        trace_id: TraceId,
        span: Option<SpanId>,
        limit: usize,
        take: &mut dyn FnMut(Spoken) -> ControlFlow<()>,
    ) -> Result<bool, StoreError>;

    /// The project of a session, where there is such a session: of several of one name the one with the
    /// latest record.
    fn session_project(&self, project: Option<&str>, session_id: &str) -> Result<Option<String>, StoreError>;

    /// Gives the spans of a session to `take` as columns with the trace of each, as
    /// [`Store::trace_columns`] does those of a trace. False when it has none.
    fn session_columns(
        &self,
        project: &str,
        session_id: &str,
        take: &mut dyn FnMut(ColumnsPiece) -> ControlFlow<()>,
    ) -> Result<bool, StoreError>;

    /// Gives the first `limit` spans of a session that may say something to `take`, in the order of
    /// (start, span id); `take` may break off.
    fn session_spoken(
        &self,
        project: &str,
        session_id: &str,
        limit: usize,
        take: &mut dyn FnMut(Spoken) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// The log records of a session in short, in the order of time.
    fn session_logs(
        &self,
        project: &str,
        session_id: &str,
        query: &SessionLogQuery,
    ) -> Result<SessionLogs, StoreError>;

    /// Figures over all sessions that [`Store::sessions`] would list.
    fn session_totals(&self, query: &ListQuery, now: i64) -> Result<SessionTotals, StoreError>;

    /// One span with everything it carries.
    fn span(&self, trace_id: TraceId, span_id: SpanId) -> Result<Option<SpanDetail>, StoreError>;

    /// Which store this is, and which sequence numbers it can tell of.
    fn position(&self) -> Result<StreamPosition, StoreError>;

    /// Services and their instances, what was heard of last first.
    fn services(&self, query: &ServiceQuery, now: i64) -> Result<ServiceList, StoreError>;

    /// The sequence number before the first record that arrived at `moment` or later, ns since the
    /// epoch; the latest one when none did.
    fn arrived_before(&self, moment: i64) -> Result<i64, StoreError>;

    /// The records with sequence numbers above `after` and up to `upto` that `query`'s project,
    /// room, service, system and signals leave in, in the order of their numbers. A span that
    /// changed stands under its latest number only. Session, severity and text may let through
    /// what is not wanted: to look again is the caller's.
    fn since(&self, query: &StreamQuery, after: i64, upto: i64) -> Result<LiveRecords, StoreError>;

    /// Log records, newest first.
    fn logs(&self, query: &LogQuery, now: i64) -> Result<LogPage, StoreError>;

    /// Metrics by name.
    fn metrics(&self, query: &SeriesQuery, now: i64) -> Result<MetricList, StoreError>;

    /// The series of one metric.
    fn metric(&self, name: &str, query: &SeriesQuery, now: i64) -> Result<Option<MetricDetail>, StoreError>;

    /// Usage in buckets, groups and totals.
    fn usage(&self, query: &UsageQuery, now: i64) -> Result<UsageReport, StoreError>;

    /// How long calls, or runs, of a selection took.
    fn usage_latency(&self, query: &UsageQuery, of: LatencyOf, now: i64) -> Result<UsageHeatMap, StoreError>;

    /// The calls of a selection as columns.
    fn usage_calls(&self, query: &UsageQuery, now: i64) -> Result<UsageCalls, StoreError>;

    /// The ledger rows under a figure of [`Store::usage`], in the order asked for.
    fn usage_rows(&self, query: &UsageQuery, now: i64) -> Result<UsageRowPage, StoreError>;

    /// Gives rows of the ledger that have no cost the one that `price` knows by now, some of them
    /// in one call; returns how many, 0 when none is left that it knows. A cost that is there stays:
    /// it names the table it was computed from.
    fn price(&self, price: &PriceOf<'_>) -> Result<u64, StoreError>;

    /// Models that calls without a cost name, those with the most calls first.
    fn unpriced(&self) -> Result<Vec<UnpricedModel>, StoreError>;

    /// Gives the rows of the ledger that `which` chooses the cost that `price` knows now, or tells what
    /// that would change. A cost that an agent reported stays, and so does that of a model which has no
    /// price now. It is one transaction.
    fn reprice(&self, which: &Reprice, price: &PriceOf<'_>) -> Result<RepriceReport, StoreError>;

    /// Traces of MCP Mesh that ended or went silent, the latest end first.
    fn mesh_search(&self, query: &TraceSearch, now: i64) -> Result<FoundTraces, StoreError>;

    /// One trace of MCP Mesh, ended or not.
    fn mesh_trace(&self, trace_id: TraceId) -> Result<Option<CompletedTrace>, StoreError>;

    /// Figures over the traces of MCP Mesh that ended or went silent.
    fn mesh_stats(&self, now: i64) -> Result<TraceStats, StoreError>;

    /// Traces of MCP Mesh with spans in progress.
    fn mesh_active(&self, now: i64) -> Result<ActiveTraces, StoreError>;

    /// What passed between agents of MCP Mesh in spans that started at `from` or later.
    fn mesh_traffic(&self, from: i64) -> Result<Traffic, StoreError>;

    /// Recordings, the earliest first. Those that are not complete yet say nothing of the bytes that
    /// have come: these are files of the server's.
    fn recordings(&self, of: &RecordingsOf) -> Result<Vec<Recording>, StoreError>;

    /// Makes a recording known, durably; returns its identity. One with a URL is complete at once.
    fn add_recording(&self, added: &AddedRecording) -> Result<String, StoreError>;

    /// Notes that all `size` bytes of a recording are there.
    fn finish_recording(&self, id: TraceId, size: u64) -> Result<(), StoreError>;

    /// Forgets a recording; false when there is none of that identity.
    fn remove_recording(&self, id: TraceId) -> Result<bool, StoreError>;

    /// Housekeeping that is due; to be called about once a second, from one thread.
    fn tend(&self) -> Result<(), StoreError>;

    /// Removes what is older than `rules` allow at `now`, the oldest first and recordings with their
    /// session, and gives its room back to the file system; `None` when nothing had to go. Works in small steps with pauses, so
    /// that writers go on, and ends early when `go_on` says no.
    fn retain(
        &self,
        rules: &Retention,
        now: i64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Removed>, StoreError>;

    /// Gives the records that `query` asks for to `take`, a part at a time and each part of one
    /// signal. `take` answers with how many bytes it made of them, by which the parts keep their size,
    /// or breaks off. What comes in meanwhile may or may not be among them.
    fn export(
        &self,
        query: &ExportQuery,
        take: &mut dyn FnMut(Batch) -> ControlFlow<(), usize>,
    ) -> Result<(), StoreError>;

    /// Writes the records of one signal that `query` asks for to a Parquet file; returns how many.
    fn export_parquet(
        &self,
        query: &ExportQuery,
        signal: ExportSignal,
        path: &Path,
    ) -> Result<u64, StoreError>;

    /// Writes a table to a Parquet file, and after its rows those of the tables that `more` gives, which
    /// have the same columns. These are held one at a time.
    fn write_table(
        &self,
        table: &Table,
        more: &mut dyn FnMut() -> Result<Option<Table>, StoreError>,
        path: &Path,
    ) -> Result<(), StoreError>;

    /// Copies the store as it is now into the directory `destination`, which must not be there or
    /// be empty, and opens the copy to see that it is whole. Writers and readers go on meanwhile.
    fn backup(&self, destination: &Path) -> Result<BackupReport, StoreError>;

    /// Writes the log into the main file and closes; for a graceful end.
    fn close(&self) -> Result<(), StoreError>;
}
