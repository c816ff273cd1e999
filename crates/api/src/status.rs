//! How the server stands.

use serde::{Deserialize, Serialize};

/// Answer of `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerStatus {
    /// Version of the server.
    pub version: String,
    /// When it started, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub started_at: i64,
    /// How long it has run, ns.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub uptime_ns: i64,
    /// What is kept.
    pub counts: Counts,
    /// What came in lately.
    pub rates: Rates,
    /// What came in since the start.
    #[serde(default)]
    pub received: Received,
    /// How long commits take.
    #[serde(default)]
    pub commits: Commits,
    /// The live stream.
    #[serde(default)]
    pub live: LiveStatus,
    /// Memory that the process holds, bytes; absent where the system does not tell.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub memory_bytes: Option<u64>,
    /// The writer's queue.
    pub queue: Queue,
    /// The store.
    pub store: StoreStatus,
    /// Where it listens, by name (`otlp_http`, `otlp_grpc`, `api`).
    pub listeners: Vec<Listener>,
    /// The reader of MCP Mesh's streams; absent when none is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_mesh: Option<McpMeshStatus>,
    /// What calls are priced by.
    #[serde(default)]
    pub prices: PricesStatus,
    /// How long what is kept stays.
    #[serde(default)]
    pub retention: Retention,
    /// What was wrong with records that came in, latest first, at most 50.
    pub problems: Vec<IngestProblem>,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counts {
    /// Spans.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spans: u64,
    /// Log records.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub logs: u64,
    /// Metric data points.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub metric_points: u64,
    /// Sessions.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sessions: u64,
}

/// Records a second over the last ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rates {
    /// Spans a second.
    pub spans_per_second: f64,
    /// Log records a second.
    pub logs_per_second: f64,
    /// Metric points a second.
    pub metric_points_per_second: f64,
}

/// What came in since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Received {
    /// Spans that were new.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spans: u64,
    /// Spans that were there already, as a sender repeats what it heard no answer to.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub repeated_spans: u64,
    /// Spans that said more of one that was there.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub merged_spans: u64,
    /// Log records.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub logs: u64,
    /// Metric points.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub metric_points: u64,
    /// Records that were left out; `problems` says why.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub rejected: u64,
}

/// How long commits take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Commits {
    /// Commits since the start.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub count: u64,
    /// Median of the latest 500, ns; 0 when there was none.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub p50_ns: i64,
    /// 95th percentile of the latest 500, ns; 0 when there was none.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub p95_ns: i64,
}

/// The live stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LiveStatus {
    /// Who follows it now.
    pub subscribers: u32,
    /// Deltas told since the start.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub deltas: u64,
    /// Gaps told since the start.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub gaps: u64,
    /// Bytes that the latest commits take in memory for those who follow, about.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub buffer_bytes: u64,
}

/// The writer's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Queue {
    /// Records that wait.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub records: u64,
    /// Records it takes before it answers 503.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub capacity: u64,
    /// Requests answered with 503 since the start.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub refused: u64,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoreStatus {
    /// Engine and version, for example `DuckDB v1.5.6`.
    pub engine: String,
    /// Where its files are.
    pub path: String,
    /// Bytes on disk, write-ahead log included.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub size_bytes: u64,
    /// Version of the schema.
    pub schema_version: u32,
    /// Bytes within the file that hold nothing and are used again.
    #[serde(with = "meshscope_model::decimal", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub free_bytes: u64,
    /// Recordings that are kept here.
    #[serde(default)]
    pub recordings: u32,
    /// Bytes of these recordings, which count towards the size that retention keeps.
    #[serde(with = "meshscope_model::decimal", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub recordings_bytes: u64,
    /// What retention removed last; absent when it has removed nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
    /// Why nothing can be written at present; absent when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// How long what is kept stays: what is older than a rule allows is removed, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Retention {
    /// Age at which records go, ns, in projects without a rule of their own; absent is never.
    #[serde(
        with = "meshscope_model::decimal::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub age_ns: Option<i64>,
    /// Size of the whole store with its recordings in bytes beyond which the oldest records go; absent is no limit.
    #[serde(
        with = "meshscope_model::decimal::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub size_bytes: Option<u64>,
    /// Projects with rules of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<ProjectRetention>,
}

/// How long what is kept of one project stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectRetention {
    /// The project.
    pub project: String,
    /// Age at which its records go, ns; absent is never.
    #[serde(
        with = "meshscope_model::decimal::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub age_ns: Option<i64>,
    /// Size in bytes beyond which its oldest records go, reckoned as its share of all records
    /// and its recordings; absent is no limit.
    #[serde(
        with = "meshscope_model::decimal::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub size_bytes: Option<u64>,
}

/// What a run of retention removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Removed {
    /// When it ended, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub at: i64,
    /// Spans.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spans: u64,
    /// Log records.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub logs: u64,
    /// Metric data points.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub metric_points: u64,
    /// Recordings, which go with their session.
    #[serde(with = "meshscope_model::decimal", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub recordings: u64,
    /// By how many bytes the file became smaller.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub freed_bytes: u64,
}

/// What calls are priced by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PricesStatus {
    /// Where a table of the user's own is looked for, whether it is there or not.
    pub file: String,
    /// The tables, the one that is asked first first.
    pub tables: Vec<PriceTableInfo>,
}

/// A price table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PriceTableInfo {
    /// Its version, which stands beside every cost computed from it.
    pub version: String,
    /// Day on which its prices were read, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// How many models and families it has prices for.
    pub prices: u32,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Listener {
    /// `api`, `otlp_http` or `otlp_grpc`.
    pub name: String,
    /// Base URL, for example `http://127.0.0.1:4318`.
    pub url: String,
}

/// The reader of MCP Mesh's trace streams.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpMeshStatus {
    /// The Redis server, without its password.
    pub url: String,
    /// Streams that are read.
    pub streams: Vec<String>,
    /// Consumer group.
    pub group: String,
    /// Name within the group.
    pub consumer: String,
    /// What it does now.
    pub state: McpMeshState,
    /// Entries kept since the start.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub entries: u64,
    /// Entries left out since the start; `problems` says why.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub rejected: u64,
    /// How often the connection was lost or not made since the start.
    pub reconnects: u32,
    /// Entries in the streams.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub stream_length: Option<u64>,
    /// Entries that were read and not yet acknowledged.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub pending: Option<u64>,
    /// Entries that nobody of the group has read, where the server knows.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub lag: Option<u64>,
    /// Id of the latest entry of the streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_entry_id: Option<String>,
    /// Id of the latest entry that the group has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivered_id: Option<String>,
    /// Why the connection was lost or not made the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When that was, ns since the epoch.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub last_error_at: Option<i64>,
}

/// What the reader of MCP Mesh's streams does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum McpMeshState {
    /// It connects and reads what was left over.
    #[default]
    Connecting,
    /// It reads.
    Consuming,
    /// The server was not there or the connection broke; it tries again soon.
    Waiting,
}

/// A kind of problem seen in what came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IngestProblem {
    /// When it was last seen, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub last_at: i64,
    /// `traces`, `logs` or `metrics`.
    pub signal: String,
    /// Records that were left out because of it.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub rejected: u64,
    /// How often it was seen.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub seen: u64,
    /// What was wrong, without its numbers: problems that have this in common are one kind.
    #[serde(default)]
    pub kind: String,
    /// The latest message.
    pub message: String,
    /// The latest messages that differ, latest first, at most 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}
