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
    /// The writer's queue.
    pub queue: Queue,
    /// The store.
    pub store: StoreStatus,
    /// Where it listens, by name (`otlp_http`, `otlp_grpc`, `api`).
    pub listeners: Vec<Listener>,
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
    /// The latest message.
    pub message: String,
}
