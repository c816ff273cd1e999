//! Metrics: names, and the series of one.

use meshscope_model::metric::Exemplar;
use meshscope_model::{Attributes, MetricKind, PointValue, Temporality};
use serde::{Deserialize, Serialize};

/// A metric in the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricInfo {
    /// Name.
    pub name: String,
    /// For people.
    pub description: String,
    /// UCUM unit, may be empty.
    pub unit: String,
    /// Type.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kind: MetricKind,
    /// How consecutive points relate.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub temporality: Temporality,
    /// For a sum: true when it only grows.
    pub monotonic: bool,
    /// Services that report it, alphabetical.
    pub services: Vec<String>,
    /// How many series (sets of attributes) in the range.
    pub series: u32,
    /// How many points in the range.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub points: u64,
    /// Time of the latest point, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub last_at: i64,
}

/// Answer of `GET /api/v1/metrics`, by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricList {
    /// The metrics.
    pub metrics: Vec<MetricInfo>,
}

/// One point of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricSample {
    /// Start of what it covers, ns since the epoch; 0 when not said.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub start_time: i64,
    /// When it was taken, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub time: i64,
    /// The value.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: PointValue,
    /// Examples with their spans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub exemplars: Vec<Exemplar>,
}

/// What a series added in a range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Increase {
    /// The amount, or of a histogram or summary the sum of its values, in the metric's unit.
    pub sum: f64,
    /// Of a histogram or summary: how many values.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "meshscope_model::decimal::option"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub count: Option<i64>,
}

/// The points of one set of attributes of one service, in the order of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricSeries {
    /// `service.name`.
    pub service: String,
    /// The attributes that tell it from the others.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub attributes: Attributes,
    /// What its points add in the range, each amount once however often it was exported: a
    /// cumulative series by its growth, restarts included, a delta one by its sum. Absent for
    /// levels (gauges, and cumulative sums that also fall).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increase: Option<Increase>,
    /// The points.
    pub points: Vec<MetricSample>,
}

/// Answer of `GET /api/v1/metrics/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricDetail {
    /// The metric.
    pub metric: MetricInfo,
    /// Start of the range, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: i64,
    /// Its series, the one with the latest point first.
    pub series: Vec<MetricSeries>,
}
