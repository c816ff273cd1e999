//! A story: the records of one session, each with the time at which its sender would send it.

use super::rng::Rng;
use meshscope_model::{
    AttributeValue, Attributes, KeyValue, LogRecord, Metric, MetricKind, MetricPoint, PointValue, Resource,
    Scope, Span, SpanEvent, SpanId, SpanKind, Status, StatusCode, Temporality, TraceId, metric,
};
use std::collections::HashMap;
use std::sync::Arc;

/// One millisecond in ns.
pub(super) const MS: i64 = 1_000_000;

/// Who emits: resource and scope.
#[derive(Debug, Clone)]
pub(super) struct Emitter {
    resource: Arc<Resource>,
    scope: Arc<Scope>,
}

/// A value that attributes can be written with.
pub(super) fn kv(key: &str, value: impl Into<AttributeValue>) -> KeyValue {
    KeyValue::new(key, value)
}

impl Emitter {
    pub(super) fn new(scope: &str, version: &str, resource: &[(&str, &str)]) -> Self {
        let attributes = resource.iter().map(|(key, value)| kv(key, *value)).collect();
        Self {
            resource: Arc::new(Resource {
                attributes,
                ..Resource::default()
            }),
            scope: Arc::new(Scope {
                name: scope.to_owned(),
                version: version.to_owned(),
                ..Scope::default()
            }),
        }
    }
}

/// A span under construction; ids are the story's.
#[derive(Debug, Clone)]
pub(super) struct Draft<'a> {
    pub(super) emitter: &'a Emitter,
    pub(super) parent: Option<SpanId>,
    pub(super) name: String,
    pub(super) kind: SpanKind,
    pub(super) start: i64,
    pub(super) duration: i64,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) error: Option<String>,
    pub(super) events: Vec<SpanEvent>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        emitter: &'a Emitter,
        parent: Option<SpanId>,
        name: &str,
        start: i64,
        duration: i64,
    ) -> Self {
        Self {
            emitter,
            parent,
            name: name.to_owned(),
            kind: SpanKind::Internal,
            start,
            duration,
            attributes: Vec::new(),
            error: None,
            events: Vec::new(),
        }
    }

    pub(super) fn client(mut self) -> Self {
        self.kind = SpanKind::Client;
        self
    }

    pub(super) fn with(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    pub(super) fn failed(mut self, message: &str) -> Self {
        self.error = Some(message.to_owned());
        self
    }

    pub(super) fn event(mut self, at: i64, name: &str, attributes: Vec<KeyValue>) -> Self {
        let event = SpanEvent {
            time: at,
            name: name.to_owned(),
            attributes: Attributes(attributes),
            ..SpanEvent::default()
        };
        self.events.push(event);
        self
    }
}

/// The records of one session.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) spans: Vec<Span>,
    pub(super) logs: Vec<LogRecord>,
    pub(super) points: Vec<MetricPoint>,
    metrics: HashMap<String, Arc<Metric>>,
}

impl Story {
    /// Adds a span to `trace` and returns its id.
    pub(super) fn span(&mut self, rng: &mut Rng, trace: TraceId, draft: Draft<'_>) -> SpanId {
        let id = SpanId::from_u64(rng.next() | 1);
        let code = if draft.error.is_some() {
            StatusCode::Error
        } else {
            StatusCode::Unset
        };
        self.spans.push(Span {
            resource: Arc::clone(&draft.emitter.resource),
            scope: Arc::clone(&draft.emitter.scope),
            trace_id: trace,
            span_id: id,
            parent_span_id: draft.parent,
            trace_state: String::new(),
            flags: 1,
            name: draft.name,
            kind: draft.kind,
            start_time: draft.start,
            end_time: Some(draft.start + draft.duration.max(1)),
            attributes: Attributes(draft.attributes),
            dropped_attributes_count: 0,
            events: draft.events,
            dropped_events_count: 0,
            links: Vec::new(),
            dropped_links_count: 0,
            status: Status {
                code,
                message: draft.error.unwrap_or_default(),
            },
        });
        id
    }

    /// Adds a log record within a span.
    pub(super) fn log(
        &mut self,
        emitter: &Emitter,
        at: i64,
        level: &str,
        body: &str,
        span: Option<(TraceId, SpanId)>,
    ) {
        let severity_number = match level {
            "DEBUG" => 5,
            "WARN" => 13,
            "ERROR" => 17,
            _ => 9,
        };
        self.logs.push(LogRecord {
            resource: Arc::clone(&emitter.resource),
            scope: Arc::clone(&emitter.scope),
            time: at,
            observed_time: at,
            severity_number,
            severity_text: level.to_owned(),
            body: AttributeValue::from(body),
            attributes: Attributes::default(),
            dropped_attributes_count: 0,
            flags: u32::from(span.is_some()),
            trace_id: span.map(|(trace, _)| trace),
            span_id: span.map(|(_, span)| span),
            event_name: String::new(),
        });
    }

    fn metric(&mut self, name: &str, unit: &str, kind: MetricKind, temporality: Temporality) -> Arc<Metric> {
        let monotonic = kind == MetricKind::Sum;
        let make = || {
            let (name, unit) = (name.to_owned(), unit.to_owned());
            Arc::new(Metric {
                name,
                unit,
                kind,
                temporality,
                monotonic,
                ..Metric::default()
            })
        };
        Arc::clone(self.metrics.entry(name.to_owned()).or_insert_with(make))
    }

    fn point(
        &mut self,
        emitter: &Emitter,
        metric: Arc<Metric>,
        times: (i64, i64),
        attributes: Vec<KeyValue>,
        value: PointValue,
    ) -> &mut MetricPoint {
        self.points.push(MetricPoint {
            resource: Arc::clone(&emitter.resource),
            scope: Arc::clone(&emitter.scope),
            metric,
            attributes: Attributes(attributes),
            start_time: times.0,
            time: times.1,
            flags: 0,
            value,
            exemplars: Vec::new(),
        });
        let last = self.points.len() - 1;
        &mut self.points[last]
    }

    /// A delta counter's point with the span it was counted in.
    pub(super) fn count(
        &mut self,
        emitter: &Emitter,
        name: &str,
        at: i64,
        n: i64,
        attributes: Vec<KeyValue>,
        span: (TraceId, SpanId),
    ) {
        let metric = self.metric(name, "tokens", MetricKind::Sum, Temporality::Delta);
        let value = PointValue::Double(n as f64);
        let point = self.point(emitter, metric, (at - 1_000 * MS, at), attributes, value.clone());
        point.exemplars.push(metric::Exemplar {
            time: at,
            value,
            trace_id: Some(span.0),
            span_id: Some(span.1),
            filtered_attributes: Attributes::default(),
        });
    }

    /// A gauge's point.
    pub(super) fn gauge(&mut self, emitter: &Emitter, name: &str, unit: &str, at: i64, value: i64) {
        let metric = self.metric(name, unit, MetricKind::Gauge, Temporality::Unspecified);
        self.point(emitter, metric, (0, at), Vec::new(), PointValue::Int(value));
    }

    /// A delta histogram's point over `values`.
    pub(super) fn histogram(
        &mut self,
        emitter: &Emitter,
        (name, unit): (&str, &str),
        times: (i64, i64),
        attributes: Vec<KeyValue>,
        (bounds, values): (&[f64], &[f64]),
    ) {
        let mut counts = vec![0_u64; bounds.len() + 1];
        for value in values {
            counts[bounds.partition_point(|bound| bound < value)] += 1;
        }
        let value = PointValue::Histogram(metric::Histogram {
            count: values.len() as u64,
            sum: Some(values.iter().sum()),
            min: values.iter().copied().reduce(f64::min),
            max: values.iter().copied().reduce(f64::max),
            explicit_bounds: bounds.to_vec(),
            bucket_counts: counts,
        });
        let metric = self.metric(name, unit, MetricKind::Histogram, Temporality::Delta);
        self.point(emitter, metric, times, attributes, value);
    }
}

/// A new trace id.
pub(super) fn trace(rng: &mut Rng) -> TraceId {
    TraceId::from_u128(u128::from(rng.next()) << 64 | u128::from(rng.next() | 1))
}

/// A UUID's text.
pub(super) fn uuid(rng: &mut Rng) -> String {
    let id = trace(rng).to_string();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts
        .map(|range| id.get(range).unwrap_or_default().to_owned())
        .join("-")
}
