//! Metric data points as sent: OTLP's metrics, one point a record.

use crate::id::{SpanId, TraceId};
use crate::resource::{Resource, Scope};
use crate::value::{Attributes, KeyValue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a metric is, shared by its points.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metric {
    /// Name, for example `gen_ai.client.token.usage`.
    pub name: String,
    /// For people.
    pub description: String,
    /// UCUM unit, for example `s` or `{token}`; may be empty.
    pub unit: String,
    /// Type.
    pub kind: MetricKind,
    /// How consecutive points relate.
    pub temporality: Temporality,
    /// For a sum: true when it only grows.
    pub monotonic: bool,
    /// Metadata beside the metric (OTLP `Metric.metadata`).
    pub metadata: Vec<KeyValue>,
}

/// Type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// A value at a moment.
    #[default]
    Gauge = 0,
    /// A total.
    Sum = 1,
    /// Counts in explicit buckets.
    Histogram = 2,
    /// Counts in exponential buckets.
    ExponentialHistogram = 3,
    /// Quantiles computed by the sender.
    Summary = 4,
}

impl MetricKind {
    /// Kinds in the order of their stored numbers.
    pub const ALL: [Self; 5] = [
        Self::Gauge,
        Self::Sum,
        Self::Histogram,
        Self::ExponentialHistogram,
        Self::Summary,
    ];

    /// Snake-case name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Sum => "sum",
            Self::Histogram => "histogram",
            Self::ExponentialHistogram => "exponential_histogram",
            Self::Summary => "summary",
        }
    }
}

/// OTLP `AggregationTemporality`; the numbers are OTLP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Temporality {
    /// Not said, or the type has none.
    #[default]
    Unspecified = 0,
    /// Each point counts since the one before.
    Delta = 1,
    /// Each point counts since `start_time`.
    Cumulative = 2,
}

impl Temporality {
    /// The temporality with OTLP number `n`; unknown numbers are unspecified.
    #[must_use]
    pub fn from_number(n: i64) -> Self {
        match n {
            1 => Self::Delta,
            2 => Self::Cumulative,
            _ => Self::Unspecified,
        }
    }
}

/// One data point.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricPoint {
    /// Who emitted it.
    pub resource: Arc<Resource>,
    /// The meter.
    pub scope: Arc<Scope>,
    /// The metric it belongs to.
    pub metric: Arc<Metric>,
    /// The attributes that tell its series from others.
    pub attributes: Attributes,
    /// Start of what it covers, ns since the epoch; 0 when not said.
    pub start_time: i64,
    /// When it was taken, ns since the epoch.
    pub time: i64,
    /// OTLP data point flags; bit 0: no recorded value.
    pub flags: u32,
    /// The value.
    pub value: PointValue,
    /// Examples with the spans they come from.
    pub exemplars: Vec<Exemplar>,
}

/// The value of a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointValue {
    /// No value was recorded.
    None,
    /// An integer (gauge or sum).
    Int(#[serde(with = "crate::decimal")] i64),
    /// A double (gauge or sum); JSON has null where it is not finite.
    Double(f64),
    /// Counts in explicit buckets.
    Histogram(Histogram),
    /// Counts in exponential buckets.
    ExponentialHistogram(ExponentialHistogram),
    /// Quantiles computed by the sender.
    Summary(Summary),
}

/// OTLP `HistogramDataPoint`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// How many values.
    #[serde(with = "crate::decimal")]
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Upper bounds, exclusive of the overflow bucket.
    pub explicit_bounds: Vec<f64>,
    /// One more than there are bounds, or empty.
    pub bucket_counts: Vec<u64>,
}

/// OTLP `ExponentialHistogramDataPoint`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExponentialHistogram {
    /// How many values.
    #[serde(with = "crate::decimal")]
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Resolution: the base is 2^(2^-scale).
    pub scale: i32,
    /// Values within `zero_threshold` of zero.
    #[serde(with = "crate::decimal")]
    pub zero_count: u64,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Index of the first positive bucket.
    pub positive_offset: i32,
    /// Counts of the positive buckets.
    pub positive_counts: Vec<u64>,
    /// Index of the first negative bucket.
    pub negative_offset: i32,
    /// Counts of the negative buckets.
    pub negative_counts: Vec<u64>,
}

/// OTLP `SummaryDataPoint`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// How many values.
    #[serde(with = "crate::decimal")]
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Quantile (0 to 1) and value.
    pub quantiles: Vec<(f64, f64)>,
}

/// One example value with the span it was measured in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exemplar {
    /// When, ns since the epoch.
    #[serde(with = "crate::decimal")]
    pub time: i64,
    /// The value: `Int` or `Double`.
    pub value: PointValue,
    /// Trace it was measured in.
    pub trace_id: Option<TraceId>,
    /// Span it was measured in.
    pub span_id: Option<SpanId>,
    /// Attributes that were dropped by aggregation.
    pub filtered_attributes: Attributes,
}
