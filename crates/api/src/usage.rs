//! Usage: buckets, groups and totals.

use crate::session::Quantiles;
use meshscope_model::Tokens;
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
    /// Of the calls, those whose cost the agent reported; the others' is computed from a price
    /// table, or unknown.
    #[serde(default, with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reported_calls: u64,
    /// Carbon in micrograms CO2e.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub carbon_ug: Option<i64>,
    /// Characters, where those are priced (text to speech).
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub characters: Option<i64>,
    /// Audio in ns, where that is priced (speech to text).
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub audio_ns: Option<i64>,
    /// Latency of the calls.
    pub latency_ns: Quantiles,
    /// Time to first token of the calls.
    pub time_to_first_token_ns: Quantiles,
}

/// One bucket of time for one group; only those with calls are sent (see [`UsageReport::bounds`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageBucket {
    /// First moment, ns since the epoch: one of the report's `bounds`.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub start: i64,
    /// The group's key; absent without grouping, empty for what has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The second key, when grouped by two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// True for the sum of the groups that are not among the top.
    #[serde(default, skip_serializing_if = "is_false")]
    pub other: bool,
    /// The figures.
    #[serde(flatten)]
    pub measures: UsageMeasures,
}

/// One group over the whole range.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageGroup {
    /// The key; empty for what has none, and for the sum of the others.
    pub group: String,
    /// The second key, when grouped by two; empty for what has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// True for the last entry when there are more groups than asked for: the sum of all that are
    /// not among the top, so that the groups still add up to the totals.
    #[serde(default, skip_serializing_if = "is_false")]
    pub other: bool,
    /// The provider, when grouped by model and it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// First call, ns since the epoch; when grouped by session or trace, to link to it.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub first_at: Option<i64>,
    /// The figures.
    #[serde(flatten)]
    pub measures: UsageMeasures,
    /// The same group in the period before, with `compare=previous`; absent when it had no calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<UsageMeasures>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Figures over the whole range, or over one bucket.
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
    /// Spans of the runs.
    #[serde(default, with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spans: u64,
    /// Failed spans of the runs, as sessions and traces count them; blocked ones are not among them.
    #[serde(default, with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub failed_spans: u64,
    /// Blocked spans of the runs.
    #[serde(default, with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub blocked_spans: u64,
    /// Agents that did anything in the range.
    #[serde(default, with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub agents: u64,
    /// Rooms in which anything happened in the range.
    #[serde(default, with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub rooms: u64,
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
    /// The time zone in which days are cut.
    #[serde(default)]
    pub tz: String,
    /// Word of the buckets' width, one that `bucket` takes.
    #[serde(default)]
    pub bucket: String,
    /// About how wide a bucket is, ns: see `bounds`.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub bucket_ns: i64,
    /// First moments of all buckets, rising and without a gap, and then the first moment after the
    /// last one: one more than `timeline` has entries. The first and the last bucket may reach beyond
    /// the range; what they count does not.
    #[serde(default, with = "meshscope_model::decimal::list")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub bounds: Vec<i64>,
    /// Figures of every bucket over all groups, the empty ones too; entry `n` is from `bounds[n]` to
    /// `bounds[n + 1]`.
    #[serde(default)]
    pub timeline: Vec<UsageTotals>,
    /// Buckets with calls in them, by start, then by group; with grouping one for each group.
    pub buckets: Vec<UsageBucket>,
    /// Groups in the order asked for, costliest first by default; empty without grouping.
    pub groups: Vec<UsageGroup>,
    /// How many groups there are, those in `other` included.
    #[serde(default)]
    pub group_count: u32,
    /// Run latency of the buckets with runs, by start.
    #[serde(default)]
    pub run_latency: Vec<RunLatencyBucket>,
    /// Over the whole range.
    pub totals: UsageTotals,
    /// The period before, with `compare=previous`. When the range is whole days, weeks or months of the
    /// zone it is as many of these, else it has the same length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<UsagePeriod>>,
    /// How far the quantiles of calls may be off, as a part of them: of very many calls they
    /// are read off classes of durations. Absent when they are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile_error: Option<f64>,
    /// The same of the quantiles of runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_quantile_error: Option<f64>,
}

/// A period to compare with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsagePeriod {
    /// First moment, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: i64,
    /// First moment after it, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub to: i64,
    /// As in [`UsageReport`].
    #[serde(with = "meshscope_model::decimal::list")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub bounds: Vec<i64>,
    /// As in [`UsageReport`].
    pub timeline: Vec<UsageTotals>,
    /// Over the whole period.
    pub totals: UsageTotals,
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

/// Answer of `GET /api/v1/usage/latency`: how many durations lie in each bucket of time and class
/// of durations. `of` chooses the durations: `calls` (the default), `first_token` or `runs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageHeatMap {
    /// Word of the buckets' width.
    pub bucket: String,
    /// The time zone in which days are cut.
    pub tz: String,
    /// First moments of all buckets, and the first moment after the last one.
    #[serde(with = "meshscope_model::decimal::list")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub bounds: Vec<i64>,
    /// Shortest durations of the classes in ns, never falling and without a gap, and then the first
    /// duration after the last class. A class is a quarter of a doubling wide, and begins at a whole ns: of a
    /// few ns several begin at the same, and all but the last of these are empty.
    #[serde(with = "meshscope_model::decimal::list")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub classes: Vec<i64>,
    /// What is not empty, by bucket, then by class.
    pub cells: Vec<HeatCell>,
    /// Quantiles of each bucket, one more line over the same time.
    pub quantiles: Vec<Quantiles>,
    /// How far these may be off, as a part of them; absent when they are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile_error: Option<f64>,
}

/// A cell of a [`UsageHeatMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeatCell {
    /// Index of the bucket.
    pub bucket: u32,
    /// Index of the class.
    pub class: u32,
    /// How many.
    pub count: u32,
}
