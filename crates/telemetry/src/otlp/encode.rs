//! Writes records as OTLP protobuf, for senders of our own: the demo, benches, export.

use crate::wire::Writer;
use meshscope_model::metric::Exemplar;
use meshscope_model::{
    AttributeValue, KeyValue, LogRecord, MetricKind, MetricPoint, PointValue, Resource, Scope, Span,
};
use std::sync::Arc;

/// An `ExportTraceServiceRequest` of `spans`; neighbours under the same resource and scope
/// share their block.
#[must_use]
pub fn encode_traces(spans: &[Span]) -> Vec<u8> {
    blocks(
        spans,
        |span| (&span.resource, &span.scope),
        |out, span| out.message(2, |out| write_span(out, span)),
    )
}

/// An `ExportLogsServiceRequest` of `records`.
#[must_use]
pub fn encode_logs(records: &[LogRecord]) -> Vec<u8> {
    blocks(
        records,
        |record| (&record.resource, &record.scope),
        |out, record| out.message(2, |out| write_log(out, record)),
    )
}

/// An `ExportMetricsServiceRequest` of `points`, one metric a point.
#[must_use]
pub fn encode_metrics(points: &[MetricPoint]) -> Vec<u8> {
    blocks(
        points,
        |point| (&point.resource, &point.scope),
        |out, point| out.message(2, |out| write_metric(out, point)),
    )
}

/// Resource and scope blocks around runs of records that share both.
fn blocks<T>(
    records: &[T],
    owner: impl Fn(&T) -> (&Arc<Resource>, &Arc<Scope>),
    write: impl Fn(&mut Writer, &T),
) -> Vec<u8> {
    let mut out = Writer::default();
    let same = |a: &T, b: &T| {
        let ((ra, sa), (rb, sb)) = (owner(a), owner(b));
        Arc::ptr_eq(ra, rb) && Arc::ptr_eq(sa, sb)
    };
    for run in records.chunk_by(same) {
        let Some(first) = run.first() else { continue };
        let (resource, scope) = owner(first);
        out.message(1, |out| {
            out.message(1, |out| {
                write_attributes(out, 1, &resource.attributes.0);
                count(out, 2, resource.dropped_attributes_count);
            });
            out.message(2, |out| {
                out.message(1, |out| {
                    text(out, 1, &scope.name);
                    text(out, 2, &scope.version);
                    write_attributes(out, 3, &scope.attributes.0);
                    count(out, 4, scope.dropped_attributes_count);
                });
                run.iter().for_each(|record| write(out, record));
                text(out, 3, &scope.schema_url);
            });
            text(out, 3, &resource.schema_url);
        });
    }
    out.0
}

fn text(out: &mut Writer, number: u32, text: &str) {
    if !text.is_empty() {
        out.bytes(number, text.as_bytes());
    }
}

fn count(out: &mut Writer, number: u32, n: u32) {
    if n != 0 {
        out.varint(number, u64::from(n));
    }
}

fn write_attributes(out: &mut Writer, number: u32, attributes: &[KeyValue]) {
    for kv in attributes {
        out.message(number, |out| {
            out.bytes(1, kv.key.as_bytes());
            out.message(2, |out| write_value(out, &kv.value));
        });
    }
}

fn write_value(out: &mut Writer, value: &AttributeValue) {
    match value {
        AttributeValue::Empty => {}
        AttributeValue::String(text) => out.bytes(1, text.as_bytes()),
        AttributeValue::Bool(b) => out.varint(2, u64::from(*b)),
        AttributeValue::Int(n) => out.varint(3, *n as u64),
        AttributeValue::Double(x) => out.fixed64(4, x.to_bits()),
        AttributeValue::Array(items) => out.message(5, |out| {
            items
                .iter()
                .for_each(|item| out.message(1, |out| write_value(out, item)));
        }),
        AttributeValue::Map(entries) => out.message(6, |out| write_attributes(out, 1, entries)),
        AttributeValue::Bytes(bytes) => out.bytes(7, bytes),
    }
}

fn write_span(out: &mut Writer, span: &Span) {
    out.bytes(1, &span.trace_id.0);
    out.bytes(2, &span.span_id.0);
    text(out, 3, &span.trace_state);
    if let Some(parent) = span.parent_span_id {
        out.bytes(4, &parent.0);
    }
    text(out, 5, &span.name);
    out.varint(6, span.kind as u64);
    out.fixed64(7, span.start_time as u64);
    out.fixed64(8, span.end_time.unwrap_or(0) as u64);
    write_attributes(out, 9, &span.attributes.0);
    count(out, 10, span.dropped_attributes_count);
    for event in &span.events {
        out.message(11, |out| {
            out.fixed64(1, event.time as u64);
            text(out, 2, &event.name);
            write_attributes(out, 3, &event.attributes.0);
            count(out, 4, event.dropped_attributes_count);
        });
    }
    count(out, 12, span.dropped_events_count);
    for link in &span.links {
        out.message(13, |out| {
            out.bytes(1, &link.trace_id.0);
            out.bytes(2, &link.span_id.0);
            text(out, 3, &link.trace_state);
            write_attributes(out, 4, &link.attributes.0);
            count(out, 5, link.dropped_attributes_count);
            if link.flags != 0 {
                out.fixed32(6, link.flags);
            }
        });
    }
    count(out, 14, span.dropped_links_count);
    out.message(15, |out| {
        text(out, 2, &span.status.message);
        out.varint(3, span.status.code as u64);
    });
    if span.flags != 0 {
        out.fixed32(16, span.flags);
    }
}

fn write_log(out: &mut Writer, record: &LogRecord) {
    out.fixed64(1, record.time as u64);
    out.fixed64(11, record.observed_time as u64);
    out.varint(2, u64::from(record.severity_number));
    text(out, 3, &record.severity_text);
    out.message(5, |out| write_value(out, &record.body));
    write_attributes(out, 6, &record.attributes.0);
    count(out, 7, record.dropped_attributes_count);
    if record.flags != 0 {
        out.fixed32(8, record.flags);
    }
    if let Some(id) = record.trace_id {
        out.bytes(9, &id.0);
    }
    if let Some(id) = record.span_id {
        out.bytes(10, &id.0);
    }
    text(out, 12, &record.event_name);
}

fn write_metric(out: &mut Writer, point: &MetricPoint) {
    let metric = &point.metric;
    text(out, 1, &metric.name);
    text(out, 2, &metric.description);
    text(out, 3, &metric.unit);
    write_attributes(out, 12, &metric.metadata);
    let number = match metric.kind {
        MetricKind::Gauge => 5,
        MetricKind::Sum => 7,
        MetricKind::Histogram => 9,
        MetricKind::ExponentialHistogram => 10,
        MetricKind::Summary => 11,
    };
    out.message(number, |out| {
        out.message(1, |out| write_point(out, point));
        if !matches!(metric.kind, MetricKind::Gauge | MetricKind::Summary) {
            out.varint(2, metric.temporality as u64);
        }
        if metric.kind == MetricKind::Sum {
            out.varint(3, u64::from(metric.monotonic));
        }
    });
}

fn write_point(out: &mut Writer, point: &MetricPoint) {
    out.fixed64(2, point.start_time as u64);
    out.fixed64(3, point.time as u64);
    // The numbers of what all kinds have differ between them.
    let (attributes, exemplars, flags) = match &point.value {
        PointValue::None => (7, 5, 8),
        PointValue::Int(n) => {
            out.fixed64(6, *n as u64);
            (7, 5, 8)
        }
        PointValue::Double(x) => {
            out.fixed64(4, x.to_bits());
            (7, 5, 8)
        }
        PointValue::Histogram(h) => {
            out.fixed64(4, h.count);
            optional_double(out, 5, h.sum);
            packed(out, 6, h.bucket_counts.iter().copied());
            packed(out, 7, h.explicit_bounds.iter().map(|x| x.to_bits()));
            optional_double(out, 11, h.min);
            optional_double(out, 12, h.max);
            (9, 8, 10)
        }
        PointValue::ExponentialHistogram(h) => {
            out.fixed64(4, h.count);
            optional_double(out, 5, h.sum);
            out.varint(6, zigzag(h.scale));
            out.fixed64(7, h.zero_count);
            for (number, offset, counts) in [
                (8, h.positive_offset, &h.positive_counts),
                (9, h.negative_offset, &h.negative_counts),
            ] {
                out.message(number, |out| {
                    out.varint(1, zigzag(offset));
                    counts.iter().for_each(|count| out.varint(2, *count));
                });
            }
            optional_double(out, 12, h.min);
            optional_double(out, 13, h.max);
            out.fixed64(14, h.zero_threshold.to_bits());
            (1, 11, 10)
        }
        PointValue::Summary(s) => {
            out.fixed64(4, s.count);
            out.fixed64(5, s.sum.to_bits());
            for (quantile, value) in &s.quantiles {
                out.message(6, |out| {
                    out.fixed64(1, quantile.to_bits());
                    out.fixed64(2, value.to_bits());
                });
            }
            (7, 5, 8)
        }
    };
    write_attributes(out, attributes, &point.attributes.0);
    count(out, flags, point.flags);
    for exemplar in &point.exemplars {
        out.message(exemplars, |out| write_exemplar(out, exemplar));
    }
}

fn write_exemplar(out: &mut Writer, exemplar: &Exemplar) {
    out.fixed64(2, exemplar.time as u64);
    match exemplar.value {
        PointValue::Double(x) => out.fixed64(3, x.to_bits()),
        PointValue::Int(n) => out.fixed64(6, n as u64),
        _ => {}
    }
    if let Some(id) = exemplar.span_id {
        out.bytes(4, &id.0);
    }
    if let Some(id) = exemplar.trace_id {
        out.bytes(5, &id.0);
    }
    write_attributes(out, 7, &exemplar.filtered_attributes.0);
}

fn zigzag(n: i32) -> u64 {
    u64::from(((n << 1) ^ (n >> 31)) as u32)
}

fn optional_double(out: &mut Writer, number: u32, x: Option<f64>) {
    if let Some(x) = x {
        out.fixed64(number, x.to_bits());
    }
}

fn packed(out: &mut Writer, number: u32, values: impl Iterator<Item = u64>) {
    let bytes: Vec<u8> = values.flat_map(u64::to_le_bytes).collect();
    if !bytes.is_empty() {
        out.bytes(number, &bytes);
    }
}
