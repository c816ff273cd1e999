//! Traces.

use crate::span::SpanDetail;
use meshscope_model::{System, Tokens, TraceId};
use serde::{Deserialize, Serialize};

/// A trace in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceSummary {
    /// Identity.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub trace_id: TraceId,
    /// The session it belongs to, as known now; absent for what a framework does outside of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The tenant.
    pub project: String,
    /// The dialect.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub system: System,
    /// Name of the root span, or of the earliest span while the root is missing.
    pub name: String,
    /// `service.name` of that span.
    pub service: String,
    /// First moment, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub started_at: i64,
    /// Last moment less first, ns.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub duration_ns: i64,
    /// How many spans.
    pub spans: u32,
    /// How many failed.
    pub errors: u32,
    /// How many were blocked.
    pub blocked: u32,
    /// True when a root is there, every parent is there, and nothing is in progress.
    pub complete: bool,
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
    /// Who acted, alphabetical.
    #[serde(default)]
    pub agents: Vec<String>,
    /// Models called, alphabetical.
    #[serde(default)]
    pub models: Vec<String>,
    /// The first error's text, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Answer of `GET /api/v1/traces`: latest start first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TracePage {
    /// The traces.
    pub traces: Vec<TraceSummary>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Answer of `GET /api/v1/traces/{trace_id}` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceDetail {
    /// The summary.
    pub trace: TraceSummary,
    /// Every span in full, in the order of (start, span id).
    pub spans: Vec<SpanDetail>,
}
