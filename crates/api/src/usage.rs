//! Usage: buckets, groups, totals, and the ledger rows under a figure.

use crate::session::Quantiles;
use meshscope_model::{CostSource, Operation, SpanId, System, Tokens, TraceId};
use serde::{Deserialize, Serialize};

/// What was used, summed over some calls.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageMeasures {
    /// Tokens by class.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tokens: Tokens,
    /// Cost in pico-dollars; absent when no call has a known cost.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cost_pico_usd: Option<i64>,
    /// Calls without a known cost.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub unpriced_calls: u64,
    /// Model calls and other priced acts.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub calls: u64,
    /// Calls that failed.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub errors: u64,
    /// Carbon in micrograms CO2e.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub carbon_ug: Option<i64>,
    /// Latency of the calls.
    pub latency_ns: Quantiles,
    /// Time to first token of the calls.
    pub time_to_first_token_ns: Quantiles,
}

/// One bucket of time, for one group when grouped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageBucket {
    /// First moment, ns since the epoch, a multiple of the bucket's width.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub start: i64,
    /// The group's key; absent without grouping, empty for what has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub measures: UsageMeasures,
}

/// One group over the whole range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageGroup {
    /// The key; empty for what has none.
    pub group: String,
    /// The provider, when grouped by model and it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub measures: UsageMeasures,
}

/// Figures over the whole range.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageTotals {
    /// The figures of the calls.
    #[serde(flatten)]
    pub measures: UsageMeasures,
    /// Sessions with anything in the range.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sessions: u64,
    /// Runs (traces) that started in the range.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub runs: u64,
    /// Of those, with a failed span.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub failed_runs: u64,
    /// Of those, with a blocked span.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub blocked_runs: u64,
    /// Latency of the runs.
    pub run_latency_ns: Quantiles,
    /// Cost that ancestors claim over calls that are counted already; never added.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub claimed_cost_pico_usd: Option<i64>,
    /// Tokens that ancestors claim over calls that are counted already; never added.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub claimed_tokens: Option<i64>,
}

/// Answer of `GET /api/v1/usage`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageReport {
    /// First moment of the range as asked or, for "all", of the first call; ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: i64,
    /// First moment after the range; ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub to: i64,
    /// Width of a bucket in ns.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub bucket_ns: i64,
    /// Buckets with anything in them, by start, then by group.
    pub buckets: Vec<UsageBucket>,
    /// Groups, costliest first; empty without grouping.
    pub groups: Vec<UsageGroup>,
    /// Run latency a bucket, by start.
    #[serde(default)]
    pub run_latency: Vec<RunLatencyBucket>,
    /// Over the whole range.
    pub totals: UsageTotals,
    /// How far the quantiles of calls may be off, as a part of them: of very many calls they
    /// are read off classes of durations. Absent when they are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile_error: Option<f64>,
}

/// Latency of the runs that started in a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunLatencyBucket {
    /// First moment, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub start: i64,
    /// How many runs.
    pub runs: u32,
    /// Quantiles of their durations.
    pub latency_ns: Quantiles,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageRow {
    /// When the call started, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub time: i64,
    /// Trace it was read from, when it was a span or an exemplar names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub trace_id: Option<TraceId>,
    /// Span it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub span_id: Option<SpanId>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The tenant.
    pub project: String,
    /// The dialect.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub system: System,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// `service.name`.
    pub service: String,
    /// Who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What it was.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub operation: Operation,
    /// Model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Duration, ns.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub duration_ns: Option<i64>,
    /// Tokens by class.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tokens: Tokens,
    /// Cost in pico-dollars.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cost_pico_usd: Option<i64>,
    /// Where the cost comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub cost_source: Option<CostSource>,
    /// True for a total an ancestor claims; compared, never added.
    pub claim: bool,
    /// True when it failed.
    pub error: bool,
}

/// Answer of `GET /api/v1/usage/rows`: newest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageRowPage {
    /// The rows.
    pub rows: Vec<UsageRow>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
