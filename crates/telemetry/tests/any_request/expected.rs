//! What a request should decode to, as another implementation decodes it.

use meshscope_model::metric::{self, PointValue};
use meshscope_model::{
    AttributeValue, Attributes, KeyValue, Link, LogRecord, Metric, MetricKind, MetricPoint, Resource, Scope,
    Span, SpanEvent, SpanId, SpanKind, Status, StatusCode, Temporality, TraceId,
};
use opentelemetry_proto::tonic as otlp;
use otlp::collector::logs::v1::ExportLogsServiceRequest;
use otlp::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp::collector::trace::v1::ExportTraceServiceRequest;
use otlp::common::v1::any_value::Value;
use otlp::metrics::v1::metric::Data;
use otlp::metrics::v1::{exemplar, number_data_point};
use prost::Message;
use std::sync::Arc;

fn value(value: &otlp::common::v1::AnyValue) -> AttributeValue {
    match &value.value {
        None | Some(Value::StringValueStrindex(_)) => AttributeValue::Empty,
        Some(Value::StringValue(text)) => AttributeValue::String(text.clone()),
        Some(Value::BoolValue(b)) => AttributeValue::Bool(*b),
        Some(Value::IntValue(n)) => AttributeValue::Int(*n),
        Some(Value::DoubleValue(x)) => AttributeValue::Double(*x),
        Some(Value::ArrayValue(list)) => AttributeValue::Array(list.values.iter().map(self::value).collect()),
        Some(Value::KvlistValue(list)) => AttributeValue::Map(attributes(&list.values).0),
        Some(Value::BytesValue(bytes)) => AttributeValue::Bytes(bytes.clone()),
    }
}

fn attributes(entries: &[otlp::common::v1::KeyValue]) -> Attributes {
    entries
        .iter()
        .map(|entry| KeyValue {
            key: entry.key.clone(),
            value: entry.value.as_ref().map(value).unwrap_or_default(),
        })
        .collect()
}

fn resource(resource: Option<&otlp::resource::v1::Resource>, schema_url: &str) -> Arc<Resource> {
    Arc::new(Resource {
        attributes: resource.map(|r| attributes(&r.attributes)).unwrap_or_default(),
        dropped_attributes_count: resource.map_or(0, |r| r.dropped_attributes_count),
        schema_url: schema_url.to_owned(),
    })
}

fn scope(scope: Option<&otlp::common::v1::InstrumentationScope>, schema_url: &str) -> Arc<Scope> {
    let known = scope.cloned().unwrap_or_default();
    Arc::new(Scope {
        attributes: attributes(&known.attributes),
        name: known.name,
        version: known.version,
        dropped_attributes_count: known.dropped_attributes_count,
        schema_url: schema_url.to_owned(),
    })
}

fn time(ns: u64) -> i64 {
    i64::try_from(ns).unwrap()
}

fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    bytes.try_into().ok().map(TraceId)
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    bytes.try_into().ok().map(SpanId)
}

pub(crate) fn traces(bytes: &[u8]) -> Vec<String> {
    let request = ExportTraceServiceRequest::decode(bytes).unwrap();
    let mut all = Vec::new();
    for group in &request.resource_spans {
        let resource = resource(group.resource.as_ref(), &group.schema_url);
        for inner in &group.scope_spans {
            let scope = scope(inner.scope.as_ref(), &inner.schema_url);
            all.extend(
                inner
                    .spans
                    .iter()
                    .map(|s| format!("{:?}", span(s, &resource, &scope))),
            );
        }
    }
    all
}

fn span(span: &otlp::trace::v1::Span, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Span {
    let status = span.status.clone().unwrap_or_default();
    Span {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        trace_id: trace_id(&span.trace_id).unwrap(),
        span_id: span_id(&span.span_id).unwrap(),
        parent_span_id: span_id(&span.parent_span_id),
        trace_state: span.trace_state.clone(),
        flags: span.flags,
        name: span.name.clone(),
        kind: SpanKind::from_number(span.kind.into()),
        start_time: time(span.start_time_unix_nano),
        end_time: Some(time(span.end_time_unix_nano)).filter(|end| *end != 0),
        attributes: attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span
            .events
            .iter()
            .map(|event| SpanEvent {
                time: time(event.time_unix_nano),
                name: event.name.clone(),
                attributes: attributes(&event.attributes),
                dropped_attributes_count: event.dropped_attributes_count,
            })
            .collect(),
        dropped_events_count: span.dropped_events_count,
        links: span
            .links
            .iter()
            .map(|link| Link {
                trace_id: trace_id(&link.trace_id).unwrap_or_default(),
                span_id: span_id(&link.span_id).unwrap_or_default(),
                trace_state: link.trace_state.clone(),
                attributes: attributes(&link.attributes),
                dropped_attributes_count: link.dropped_attributes_count,
                flags: link.flags,
            })
            .collect(),
        dropped_links_count: span.dropped_links_count,
        status: Status {
            code: StatusCode::from_number(status.code.into()),
            message: status.message,
        },
    }
}

pub(crate) fn logs(bytes: &[u8]) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(bytes).unwrap();
    let mut all = Vec::new();
    for group in &request.resource_logs {
        let resource = resource(group.resource.as_ref(), &group.schema_url);
        for inner in &group.scope_logs {
            let scope = scope(inner.scope.as_ref(), &inner.schema_url);
            for record in &inner.log_records {
                let record = LogRecord {
                    resource: Arc::clone(&resource),
                    scope: Arc::clone(&scope),
                    time: time(record.time_unix_nano),
                    observed_time: time(record.observed_time_unix_nano),
                    severity_number: u8::try_from(record.severity_number).unwrap(),
                    severity_text: record.severity_text.clone(),
                    body: record.body.as_ref().map(value).unwrap_or_default(),
                    attributes: attributes(&record.attributes),
                    dropped_attributes_count: record.dropped_attributes_count,
                    flags: record.flags,
                    trace_id: trace_id(&record.trace_id),
                    span_id: span_id(&record.span_id),
                    event_name: record.event_name.clone(),
                };
                all.push(format!("{record:?}"));
            }
        }
    }
    all
}

pub(crate) fn metrics(bytes: &[u8]) -> Vec<String> {
    let request = ExportMetricsServiceRequest::decode(bytes).unwrap();
    let mut all = Vec::new();
    for group in &request.resource_metrics {
        let resource = resource(group.resource.as_ref(), &group.schema_url);
        for inner in &group.scope_metrics {
            let scope = scope(inner.scope.as_ref(), &inner.schema_url);
            for metric in &inner.metrics {
                let point = MetricPoint {
                    resource: Arc::clone(&resource),
                    scope: Arc::clone(&scope),
                    metric: described(metric),
                    attributes: Attributes::default(),
                    start_time: 0,
                    time: 0,
                    flags: 0,
                    value: PointValue::None,
                    exemplars: Vec::new(),
                };
                all.extend(points(metric, &point).iter().map(|point| format!("{point:?}")));
            }
        }
    }
    all
}

fn described(metric: &otlp::metrics::v1::Metric) -> Arc<Metric> {
    let (kind, temporality, monotonic) = match &metric.data {
        None | Some(Data::Gauge(_)) => (MetricKind::Gauge, 0, false),
        Some(Data::Sum(sum)) => (MetricKind::Sum, sum.aggregation_temporality, sum.is_monotonic),
        Some(Data::Histogram(h)) => (MetricKind::Histogram, h.aggregation_temporality, false),
        Some(Data::ExponentialHistogram(h)) => {
            (MetricKind::ExponentialHistogram, h.aggregation_temporality, false)
        }
        Some(Data::Summary(_)) => (MetricKind::Summary, 0, false),
    };
    Arc::new(Metric {
        name: metric.name.clone(),
        description: metric.description.clone(),
        unit: metric.unit.clone(),
        kind,
        temporality: Temporality::from_number(temporality.into()),
        monotonic,
        metadata: attributes(&metric.metadata).0,
    })
}

/// What every kind of point has, set on a copy of `$base`.
macro_rules! point {
    ($base:expr, $point:expr, $value:expr, $exemplars:expr) => {
        MetricPoint {
            attributes: attributes(&$point.attributes),
            start_time: time($point.start_time_unix_nano),
            time: time($point.time_unix_nano),
            flags: $point.flags,
            value: $value,
            exemplars: $exemplars,
            ..$base.clone()
        }
    };
}

fn points(metric: &otlp::metrics::v1::Metric, base: &MetricPoint) -> Vec<MetricPoint> {
    let number = |p: &otlp::metrics::v1::NumberDataPoint| {
        let value = match p.value {
            None => PointValue::None,
            Some(number_data_point::Value::AsInt(n)) => PointValue::Int(n),
            Some(number_data_point::Value::AsDouble(x)) => PointValue::Double(x),
        };
        point!(base, p, value, exemplars(&p.exemplars))
    };
    match &metric.data {
        None => Vec::new(),
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(number).collect(),
        Some(Data::Sum(sum)) => sum.data_points.iter().map(number).collect(),
        Some(Data::Histogram(histogram)) => {
            let read = |p: &otlp::metrics::v1::HistogramDataPoint| {
                let value = PointValue::Histogram(metric::Histogram {
                    count: p.count,
                    sum: p.sum,
                    min: p.min,
                    max: p.max,
                    explicit_bounds: p.explicit_bounds.clone(),
                    bucket_counts: p.bucket_counts.clone(),
                });
                point!(base, p, value, exemplars(&p.exemplars))
            };
            histogram.data_points.iter().map(read).collect()
        }
        Some(Data::ExponentialHistogram(histogram)) => histogram
            .data_points
            .iter()
            .map(|p| exponential(p, base))
            .collect(),
        Some(Data::Summary(summary)) => {
            let read = |p: &otlp::metrics::v1::SummaryDataPoint| {
                let value = PointValue::Summary(metric::Summary {
                    count: p.count,
                    sum: p.sum,
                    quantiles: p.quantile_values.iter().map(|q| (q.quantile, q.value)).collect(),
                });
                point!(base, p, value, Vec::new())
            };
            summary.data_points.iter().map(read).collect()
        }
    }
}

fn exponential(p: &otlp::metrics::v1::ExponentialHistogramDataPoint, base: &MetricPoint) -> MetricPoint {
    let (positive, negative) = (
        p.positive.clone().unwrap_or_default(),
        p.negative.clone().unwrap_or_default(),
    );
    let value = PointValue::ExponentialHistogram(metric::ExponentialHistogram {
        count: p.count,
        sum: p.sum,
        min: p.min,
        max: p.max,
        scale: p.scale,
        zero_count: p.zero_count,
        zero_threshold: p.zero_threshold,
        positive_offset: positive.offset,
        positive_counts: positive.bucket_counts,
        negative_offset: negative.offset,
        negative_counts: negative.bucket_counts,
    });
    point!(base, p, value, exemplars(&p.exemplars))
}

fn exemplars(all: &[otlp::metrics::v1::Exemplar]) -> Vec<metric::Exemplar> {
    let read = |e: &otlp::metrics::v1::Exemplar| metric::Exemplar {
        time: time(e.time_unix_nano),
        value: match e.value {
            None => PointValue::None,
            Some(exemplar::Value::AsInt(n)) => PointValue::Int(n),
            Some(exemplar::Value::AsDouble(x)) => PointValue::Double(x),
        },
        trace_id: trace_id(&e.trace_id),
        span_id: span_id(&e.span_id),
        filtered_attributes: attributes(&e.filtered_attributes),
    };
    all.iter().map(read).collect()
}
