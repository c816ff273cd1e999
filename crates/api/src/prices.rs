//! Prices: the tables, changes to the user's own, and pricing the past anew.
//!
//! Prices are integers of pico-dollars (10^-12 USD): a list price of $2.50 a million tokens is
//! 2500000 a token.

use serde::{Deserialize, Serialize};

/// Prices of one model or family of models.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PriceEntry {
    /// Model name, which stands for its snapshots too (`gpt-4o` for `gpt-4o-2024-08-06`); `*` at
    /// the start or end stands for anything.
    pub model: String,
    /// Providers it holds for, in the GenAI conventions' names; none means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// First day (UTC) on which it holds, `YYYY-MM-DD`; absent is ever since. Of several entries of the
    /// same name the latest that holds on the day of the call is the one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Prices of tokens.
    #[serde(flatten)]
    pub tokens: TokenPrices,
    /// Prices from a length of the input on, by rising length; the whole call pays them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTier>,
    /// What a call in a batch pays of these prices, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_percent: Option<u8>,
    /// A character of text to speech.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub character: Option<i64>,
    /// A second of audio.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub audio_second: Option<i64>,
}

/// Pico-dollars a token, by class.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct TokenPrices {
    /// Uncached input.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub input: Option<i64>,
    /// Input read from a cache; the input's price where there is none of its own.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cached_input: Option<i64>,
    /// Input written to a cache; the input's price where there is none of its own.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cache_write: Option<i64>,
    /// Output.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub output: Option<i64>,
    /// Reasoning within the output; the output's price where there is none of its own.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub reasoning: Option<i64>,
    /// Audio input; the input's price where there is none of its own.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub audio_input: Option<i64>,
    /// Audio output; the output's price where there is none of its own.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub audio_output: Option<i64>,
}

/// Prices for long inputs.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PriceTier {
    /// The input is longer than this many tokens.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub above_input_tokens: i64,
    /// Its prices.
    #[serde(flatten)]
    pub tokens: TokenPrices,
}

/// A table as `GET /api/v1/prices` shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PriceTableView {
    /// Version; it stands beside every cost computed from it. That of the user's own table changes with
    /// every change made here.
    pub version: String,
    /// Day on which its prices were read, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// True for the user's own, which is asked first and can be changed.
    pub own: bool,
    /// Its entries.
    pub entries: Vec<PriceView>,
}

/// An entry of a table, with what identifies it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PriceView {
    /// Identity within its table: a hash of model, providers and first day, hex.
    pub id: String,
    /// The entry.
    #[serde(flatten)]
    pub entry: PriceEntry,
}

/// A model that was called and has no price.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnpricedModel {
    /// The model; empty where calls name none.
    pub model: String,
    /// Its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Calls without a cost.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub calls: u64,
    /// Their tokens.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tokens: meshscope_model::Tokens,
    /// Their first, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub first_at: i64,
    /// Their last, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub last_at: i64,
    /// Whether there is a price by now that pricing the past anew would apply to at least one.
    #[serde(default)]
    pub priced_now: bool,
}

/// Answer of `GET /api/v1/prices`, and of every change to them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PriceList {
    /// Where the user's own table is kept.
    pub file: String,
    /// The tables, the one that is asked first first. The user's own is there also when it is empty.
    pub tables: Vec<PriceTableView>,
    /// Models seen without a price, those with the most calls first, over all times.
    pub unpriced: Vec<UnpricedModel>,
}

/// Body of `POST /api/v1/prices/reprice`: prices calls of the past anew with the tables of now, each at
/// the price that holds on its day. Costs that agents reported stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Reprice {
    /// False for a dry run, which only reports; true applies it in one transaction.
    pub apply: bool,
    /// Only this project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// First moment, ns since the epoch.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub from: Option<i64>,
    /// First moment after the range, ns since the epoch.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub to: Option<i64>,
}

/// Answer of `POST /api/v1/prices/reprice`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepriceReport {
    /// Whether it was applied.
    pub applied: bool,
    /// Over all models.
    pub total: RepriceSum,
    /// Models of which a cost changes, the largest change first.
    pub models: Vec<RepriceModel>,
    /// Calls with a cost that the agent reported, which stays.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reported_calls: u64,
}

/// What pricing anew changes of some calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepriceSum {
    /// Ledger rows looked at: all whose cost no agent reported.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub calls: u64,
    /// Of those, how many get another cost.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub changed: u64,
    /// Of these, how many had none.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub newly_priced: u64,
    /// Rows that keep the cost they have because no price is known for them now.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kept: u64,
    /// Cost before, pico-dollars; absent when none was known.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub before_pico_usd: Option<i64>,
    /// Cost after, pico-dollars.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub after_pico_usd: Option<i64>,
}

/// The same for one model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepriceModel {
    /// The model.
    pub model: String,
    /// Its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub sum: RepriceSum,
}
