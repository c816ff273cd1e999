//! Writes records as OTLP/JSON (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>):
//! an export request on one line. [`super::json`] reads all of it back.

use meshscope_model::metric::{Exemplar, ExponentialHistogram, Histogram, Summary};
use meshscope_model::{
    AttributeValue, Attributes, KeyValue, LogEntry, Metric, MetricKind, PointEntry, PointValue, Resource,
    Scope, Span, SpanEntry, SpanId, TraceId,
};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// A record that an export request can hold.
pub(super) trait Record {
    /// The request's key, a group's key, and the key of the records.
    const NAMES: [&'static str; 3];
    /// Who emitted it.
    fn owner(&self) -> (&Arc<Resource>, &Arc<Scope>);
    /// A run of records under one owner.
    fn write(run: &[Self]) -> Vec<impl Serialize>
    where
        Self: Sized;
}

/// An export request of `records`, with `more` as a last key that other readers pass over.
pub(super) struct Request<'a, T, M>(pub(super) &'a [T], pub(super) Option<(&'static str, &'a M)>);

impl<T: Record, M: Serialize> Serialize for Request<'_, T, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let groups = self.0.chunk_by(|a, b| same(a.owner().0, b.owner().0));
        map.serialize_entry(T::NAMES[0], &groups.map(OfResource).collect::<Vec<_>>())?;
        if let Some((key, more)) = self.1 {
            map.serialize_entry(key, more)?;
        }
        map.end()
    }
}

fn same<T: PartialEq>(a: &Arc<T>, b: &Arc<T>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// Neighbours under one resource.
struct OfResource<'a, T>(&'a [T]);

impl<T: Record> Serialize for OfResource<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(first) = self.0.first() {
            let resource = first.owner().0;
            map.serialize_entry(
                "resource",
                &Owner {
                    name: "",
                    version: "",
                    attributes: &resource.attributes,
                    dropped_attributes_count: resource.dropped_attributes_count,
                },
            )?;
            let groups = self.0.chunk_by(|a, b| same(a.owner().1, b.owner().1));
            map.serialize_entry(T::NAMES[1], &groups.map(OfScope).collect::<Vec<_>>())?;
            if !resource.schema_url.is_empty() {
                map.serialize_entry("schemaUrl", &resource.schema_url)?;
            }
        }
        map.end()
    }
}

/// Neighbours under one scope.
struct OfScope<'a, T>(&'a [T]);

impl<T: Record> Serialize for OfScope<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(first) = self.0.first() {
            let scope = first.owner().1;
            map.serialize_entry(
                "scope",
                &Owner {
                    name: &scope.name,
                    version: &scope.version,
                    attributes: &scope.attributes,
                    dropped_attributes_count: scope.dropped_attributes_count,
                },
            )?;
            map.serialize_entry(T::NAMES[2], &T::write(self.0))?;
            if !scope.schema_url.is_empty() {
                map.serialize_entry("schemaUrl", &scope.schema_url)?;
            }
        }
        map.end()
    }
}

/// A resource, or a scope, which has a name as well.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Owner<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: &'a Attributes,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A 64-bit integer: a decimal string.
struct Whole<T>(T);

impl<T: std::fmt::Display> Serialize for Whole<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A double: a number, or protobuf's word for one that is not finite.
struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            x if x.is_finite() => serializer.serialize_f64(x),
            x if x.is_nan() => serializer.serialize_str("NaN"),
            x if x > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<SpanId>,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: Whole<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time_unix_nano: Option<Whole<i64>>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: &'a Attributes,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventJson<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_events_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<LinkJson<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_links_count: u32,
    status: StatusJson<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventJson<'a> {
    time_unix_nano: Whole<i64>,
    name: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: &'a Attributes,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkJson<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: &'a Attributes,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

#[derive(Serialize)]
struct StatusJson<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    code: u8,
}

impl Record for SpanEntry {
    const NAMES: [&'static str; 3] = ["resourceSpans", "scopeSpans", "spans"];

    fn owner(&self) -> (&Arc<Resource>, &Arc<Scope>) {
        (&self.span.resource, &self.span.scope)
    }

    fn write(run: &[Self]) -> Vec<impl Serialize> {
        run.iter().map(|entry| span(&entry.span)).collect()
    }
}

fn span(span: &Span) -> SpanJson<'_> {
    SpanJson {
        trace_id: span.trace_id,
        span_id: span.span_id,
        trace_state: &span.trace_state,
        parent_span_id: span.parent_span_id,
        flags: span.flags,
        name: &span.name,
        kind: span.kind as u8,
        start_time_unix_nano: Whole(span.start_time),
        end_time_unix_nano: span.end_time.map(Whole),
        attributes: &span.attributes,
        dropped_attributes_count: span.dropped_attributes_count,
        events: span
            .events
            .iter()
            .map(|event| EventJson {
                time_unix_nano: Whole(event.time),
                name: &event.name,
                attributes: &event.attributes,
                dropped_attributes_count: event.dropped_attributes_count,
            })
            .collect(),
        dropped_events_count: span.dropped_events_count,
        links: span
            .links
            .iter()
            .map(|link| LinkJson {
                trace_id: link.trace_id,
                span_id: link.span_id,
                trace_state: &link.trace_state,
                attributes: &link.attributes,
                dropped_attributes_count: link.dropped_attributes_count,
                flags: link.flags,
            })
            .collect(),
        dropped_links_count: span.dropped_links_count,
        status: StatusJson {
            message: &span.status.message,
            code: span.status.code as u8,
        },
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogJson<'a> {
    time_unix_nano: Whole<i64>,
    observed_time_unix_nano: Whole<i64>,
    severity_number: u8,
    #[serde(skip_serializing_if = "str::is_empty")]
    severity_text: &'a str,
    body: &'a AttributeValue,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: &'a Attributes,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<SpanId>,
    #[serde(skip_serializing_if = "str::is_empty")]
    event_name: &'a str,
}

impl Record for LogEntry {
    const NAMES: [&'static str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];

    fn owner(&self) -> (&Arc<Resource>, &Arc<Scope>) {
        (&self.record.resource, &self.record.scope)
    }

    fn write(run: &[Self]) -> Vec<impl Serialize> {
        run.iter()
            .map(|entry| &entry.record)
            .map(|record| LogJson {
                time_unix_nano: Whole(record.time),
                observed_time_unix_nano: Whole(record.observed_time),
                severity_number: record.severity_number,
                severity_text: &record.severity_text,
                body: &record.body,
                attributes: &record.attributes,
                dropped_attributes_count: record.dropped_attributes_count,
                flags: record.flags,
                trace_id: record.trace_id,
                span_id: record.span_id,
                event_name: &record.event_name,
            })
            .collect()
    }
}

/// Neighbours that are points of one metric.
struct MetricJson<'a>(&'a Metric, &'a [PointEntry]);

impl Record for PointEntry {
    const NAMES: [&'static str; 3] = ["resourceMetrics", "scopeMetrics", "metrics"];

    fn owner(&self) -> (&Arc<Resource>, &Arc<Scope>) {
        (&self.point.resource, &self.point.scope)
    }

    fn write(run: &[Self]) -> Vec<impl Serialize> {
        run.chunk_by(|a, b| same(&a.point.metric, &b.point.metric))
            .filter_map(|points| Some(MetricJson(&points.first()?.point.metric, points)))
            .collect()
    }
}

impl Serialize for MetricJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Data<'a> {
            data_points: Vec<PointJson<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            aggregation_temporality: Option<u8>,
            #[serde(skip_serializing_if = "Option::is_none")]
            is_monotonic: Option<bool>,
        }
        let Self(metric, points) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &metric.name)?;
        for (key, text) in [("description", &metric.description), ("unit", &metric.unit)] {
            if !text.is_empty() {
                map.serialize_entry(key, text)?;
            }
        }
        if !metric.metadata.is_empty() {
            map.serialize_entry::<_, [KeyValue]>("metadata", &metric.metadata)?;
        }
        let key = match metric.kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Sum => "sum",
            MetricKind::Histogram => "histogram",
            MetricKind::ExponentialHistogram => "exponentialHistogram",
            MetricKind::Summary => "summary",
        };
        let has_temporality = !matches!(metric.kind, MetricKind::Gauge | MetricKind::Summary);
        let data = Data {
            data_points: points.iter().map(point).collect(),
            aggregation_temporality: has_temporality.then_some(metric.temporality as u8),
            is_monotonic: (metric.kind == MetricKind::Sum).then_some(metric.monotonic),
        };
        map.serialize_entry(key, &data)?;
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PointJson<'a> {
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: &'a Attributes,
    start_time_unix_nano: Whole<i64>,
    time_unix_nano: Whole<i64>,
    #[serde(flatten)]
    value: ValueJson,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exemplars: Vec<ExemplarJson<'a>>,
}

fn point(entry: &PointEntry) -> PointJson<'_> {
    let point = &entry.point;
    PointJson {
        attributes: &point.attributes,
        start_time_unix_nano: Whole(point.start_time),
        time_unix_nano: Whole(point.time),
        value: value(&point.value),
        flags: point.flags,
        exemplars: point.exemplars.iter().map(exemplar).collect(),
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum ValueJson {
    None {},
    Int {
        as_int: Whole<i64>,
    },
    Double {
        as_double: Double,
    },
    Histogram {
        #[serde(flatten)]
        counted: Counted,
        bucket_counts: Vec<Whole<u64>>,
        explicit_bounds: Vec<Double>,
    },
    Exponential {
        #[serde(flatten)]
        counted: Counted,
        scale: i32,
        zero_count: Whole<u64>,
        zero_threshold: Double,
        positive: Buckets,
        negative: Buckets,
    },
    Summary {
        count: Whole<u64>,
        sum: Double,
        quantile_values: Vec<Quantile>,
    },
}

/// What both kinds of histograms say of all their values.
#[derive(Serialize)]
struct Counted {
    count: Whole<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<Double>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Double>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Double>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Buckets {
    offset: i32,
    bucket_counts: Vec<Whole<u64>>,
}

#[derive(Serialize)]
struct Quantile {
    quantile: Double,
    value: Double,
}

fn value(value: &PointValue) -> ValueJson {
    match value {
        PointValue::None => ValueJson::None {},
        PointValue::Int(n) => ValueJson::Int { as_int: Whole(*n) },
        PointValue::Double(x) => ValueJson::Double {
            as_double: Double(*x),
        },
        PointValue::Histogram(h) => histogram(h),
        PointValue::ExponentialHistogram(h) => exponential(h),
        PointValue::Summary(s) => summary(s),
    }
}

fn counts(counts: &[u64]) -> Vec<Whole<u64>> {
    counts.iter().copied().map(Whole).collect()
}

fn histogram(h: &Histogram) -> ValueJson {
    ValueJson::Histogram {
        counted: Counted {
            count: Whole(h.count),
            sum: h.sum.map(Double),
            min: h.min.map(Double),
            max: h.max.map(Double),
        },
        bucket_counts: counts(&h.bucket_counts),
        explicit_bounds: h.explicit_bounds.iter().copied().map(Double).collect(),
    }
}

fn exponential(h: &ExponentialHistogram) -> ValueJson {
    ValueJson::Exponential {
        counted: Counted {
            count: Whole(h.count),
            sum: h.sum.map(Double),
            min: h.min.map(Double),
            max: h.max.map(Double),
        },
        scale: h.scale,
        zero_count: Whole(h.zero_count),
        zero_threshold: Double(h.zero_threshold),
        positive: Buckets {
            offset: h.positive_offset,
            bucket_counts: counts(&h.positive_counts),
        },
        negative: Buckets {
            offset: h.negative_offset,
            bucket_counts: counts(&h.negative_counts),
        },
    }
}

fn summary(s: &Summary) -> ValueJson {
    let quantile = |(quantile, value): &(f64, f64)| Quantile {
        quantile: Double(*quantile),
        value: Double(*value),
    };
    ValueJson::Summary {
        count: Whole(s.count),
        sum: Double(s.sum),
        quantile_values: s.quantiles.iter().map(quantile).collect(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExemplarJson<'a> {
    time_unix_nano: Whole<i64>,
    #[serde(flatten)]
    value: ValueJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<SpanId>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    filtered_attributes: &'a Attributes,
}

fn exemplar(exemplar: &Exemplar) -> ExemplarJson<'_> {
    ExemplarJson {
        time_unix_nano: Whole(exemplar.time),
        value: value(&exemplar.value),
        trace_id: exemplar.trace_id,
        span_id: exemplar.span_id,
        filtered_attributes: &exemplar.filtered_attributes,
    }
}
