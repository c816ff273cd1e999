//! The ledger's rows under a figure of usage.

use crate::prices::PriceEntry;
use meshscope_model::{CostSource, Operation, SpanId, System, Tokens, TraceId};
use serde::{Deserialize, Serialize};

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageRow {
    /// What it was read from.
    #[serde(default)]
    pub source: UsageSource,
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
    /// Role of who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// `service.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Duration, ns.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub duration_ns: Option<i64>,
    /// Time to first token, ns.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub time_to_first_token_ns: Option<i64>,
    /// Tokens by class.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tokens: Tokens,
    /// Characters, where those are priced.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub characters: Option<i64>,
    /// Audio in ns, where that is priced.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub audio_ns: Option<i64>,
    /// Carbon in micrograms CO2e.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub carbon_ug: Option<i64>,
    /// Whether it was part of a batch.
    #[serde(default)]
    pub batch: bool,
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
    /// The price that the cost was computed by; absent for a reported cost, an unknown one, and
    /// when the table that it came from is gone: then `cost_source` still names its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<AppliedPrice>,
    /// What ancestors in the same run claim over calls, this one among them, where it is not what
    /// these calls come to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<UsageDispute>,
    /// True for a total an ancestor claims; compared, never added.
    pub claim: bool,
    /// True when it failed.
    pub error: bool,
}

/// What a row of the ledger was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum UsageSource {
    /// A span: `trace_id` and `span_id` name it.
    #[default]
    Span,
    /// Metric points; ids are those of their exemplar, when they have one.
    Metric,
}

/// A price as it was applied to a row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AppliedPrice {
    /// Version of the table.
    pub table: String,
    /// True for the user's own table, false for the built-in one.
    pub own: bool,
    /// The entry of the table.
    pub entry: PriceEntry,
    /// Of the entry's tiers, the one that held: inputs longer than this many tokens.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub above_input_tokens: Option<i64>,
    /// What the price gives now for this row, pico-dollars: another cost than the row's means that
    /// the entry was changed and the past not priced anew.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub gives_pico_usd: Option<i64>,
}

/// A total that an ancestor claims, beside what its calls come to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageDispute {
    /// The span that claims it, in the row's trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub span_id: Option<SpanId>,
    /// Tokens that it claims.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub claimed_tokens: Option<i64>,
    /// Tokens of the calls of the run that the ledger counts.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub counted_tokens: Option<i64>,
    /// Cost that it claims, pico-dollars.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub claimed_cost_pico_usd: Option<i64>,
    /// Cost of the calls of the run that the ledger counts, pico-dollars.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub counted_cost_pico_usd: Option<i64>,
}

/// Answer of `GET /api/v1/usage/rows`: newest first, or the most first of what `order` names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageRowPage {
    /// The rows.
    pub rows: Vec<UsageRow>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
