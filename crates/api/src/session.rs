//! Projects and sessions.

use crate::trace::TraceSummary;
use meshscope_model::{System, Tokens};
use serde::{Deserialize, Serialize};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Project {
    /// Its name, `default` where senders name none.
    pub project: String,
    /// Time of its latest record, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub last_activity_at: i64,
    /// Its rooms, at most 1,000, alphabetical.
    pub rooms: Vec<String>,
}

/// Answer of `GET /api/v1/projects`, latest activity first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectList {
    /// The projects.
    pub projects: Vec<Project>,
}

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// A record of it is younger than two minutes, or a span of it is in progress.
    Active,
    /// Quiet, without a failure of a run.
    #[default]
    Ended,
    /// Quiet, and its last run failed or was blocked (a call: its last model call failed).
    Failed,
}

/// Quantiles in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Quantiles {
    /// Median.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub p50: Option<i64>,
    /// 95th percentile.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub p95: Option<i64>,
    /// 99th percentile.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub p99: Option<i64>,
}

/// One run of a room, call, chat or workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Identity within the project.
    pub session_id: String,
    /// The tenant.
    pub project: String,
    /// Where it ran, if it names a room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The dialect.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub system: System,
    /// What a person would call it.
    pub title: String,
    /// Who acted, alphabetical.
    pub agents: Vec<String>,
    /// Models called, alphabetical.
    pub models: Vec<String>,
    /// How it stands.
    pub status: SessionStatus,
    /// First moment, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub started_at: i64,
    /// Last moment known so far; absent while active.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub ended_at: Option<i64>,
    /// Last known moment less first, ns.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub duration_ns: i64,
    /// How many traces.
    pub traces: u32,
    /// How many spans.
    pub spans: u32,
    /// How many log records.
    pub logs: u32,
    /// How many failed spans.
    pub errors: u32,
    /// How many blocked spans.
    pub blocked: u32,
    /// How many turns someone cut into.
    #[serde(default)]
    pub interrupted: u32,
    /// Tokens of its calls.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tokens: Tokens,
    /// Cost of its calls in pico-dollars; absent when no call has a known cost.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cost_pico_usd: Option<i64>,
    /// Calls without a known cost; when not 0, `cost_pico_usd` is a lower bound.
    #[serde(default)]
    pub unpriced_calls: u32,
    /// Carbon in micrograms CO2e; absent when nothing reports it.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub carbon_ug: Option<i64>,
    /// Time to first token of its calls.
    pub time_to_first_token_ns: Quantiles,
    /// Latency of its runs.
    pub latency_ns: Quantiles,
    /// Spans a slice of its time, 20 slices from start to end: the sparkline.
    #[serde(default)]
    pub activity: Vec<u32>,
}

/// Answer of `GET /api/v1/sessions`: latest start first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Answer of `GET /api/v1/sessions/{session_id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionDetail {
    /// The session.
    #[serde(flatten)]
    pub session: Session,
    /// Its runs in the order of their start.
    pub runs: Vec<TraceSummary>,
}
