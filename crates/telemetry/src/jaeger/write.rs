//! Writes a trace as Jaeger's JSON, which [`super::decode`] and Jaeger's page read.
//!
//! Jaeger knows microseconds: moments are rounded down to them. It knows no lists and maps: they
//! become JSON in text. Of a link it keeps which span it leads to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use meshscope_model::{AttributeValue, Attributes, Link, Resource, Span, SpanEvent, StatusCode, TraceId};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// The largest whole number that a browser's numbers hold.
const EXACT: u64 = 1 << 53;

/// Writes one trace, a run of spans after the other, so that it need not be held.
#[derive(Debug)]
pub struct Writer {
    trace_id: TraceId,
    /// The processes so far, in the order of their numbers.
    processes: Vec<Arc<Resource>>,
    /// Where each stands, by its content.
    numbers: HashMap<String, usize>,
    spans: u64,
}

impl Writer {
    /// Begins a trace.
    #[must_use]
    pub fn new(trace_id: TraceId) -> Self {
        Self {
            trace_id,
            processes: Vec::new(),
            numbers: HashMap::new(),
            spans: 0,
        }
    }

    /// The text of the next spans, with the beginning before the first.
    pub fn spans<'a>(&mut self, spans: impl IntoIterator<Item = &'a Span>) -> String {
        let mut text = String::new();
        for span in spans {
            text.push_str(&if self.spans == 0 {
                format!("{{\"data\":[{{\"traceID\":\"{}\",\"spans\":[\n", self.trace_id)
            } else {
                ",\n".to_owned()
            });
            self.spans += 1;
            let span = self.span(span);
            text.push_str(&serde_json::to_string(&span).unwrap_or_default());
        }
        text
    }

    /// The rest of the trace.
    #[must_use]
    pub fn end(self) -> String {
        let mut text = if self.spans == 0 {
            format!("{{\"data\":[{{\"traceID\":\"{}\",\"spans\":[", self.trace_id)
        } else {
            String::new()
        };
        text.push_str("\n],\"processes\":{");
        for (index, resource) in self.processes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let own = resource.attributes.iter();
            let own = own.filter(|kv| !(kv.key == "service.name" && kv.value.as_str().is_some()));
            let tags: Vec<Tag<'_>> = own.map(|kv| Tag::of(&kv.key, &kv.value)).collect();
            let process = json!({"serviceName": resource.service(), "tags": tags});
            // Writing to a text does not fail.
            let written = write!(text, "{comma}\n\"p{index}\":{process}");
            debug_assert!(written.is_ok(), "memory takes all text");
        }
        text.push_str("},\"warnings\":null}],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}\n");
        text
    }

    /// The number of a resource's process.
    fn process(&mut self, resource: &Arc<Resource>) -> usize {
        let content = serde_json::to_string(resource).unwrap_or_default();
        let next = self.processes.len();
        let number = *self.numbers.entry(content).or_insert(next);
        if number == next {
            self.processes.push(Arc::clone(resource));
        }
        number
    }

    fn span<'a>(&mut self, span: &'a Span) -> JaegerSpan<'a> {
        let number = self.process(&span.resource);
        let warnings = match span.end_time {
            None => vec!["the span had not ended when it was exported"],
            Some(end) if end < span.start_time => vec!["the span ends before it starts"],
            Some(_) => Vec::new(),
        };
        JaegerSpan {
            trace_id: span.trace_id.to_string(),
            span_id: span.span_id.to_string(),
            flags: span.flags & 0xff,
            operation_name: &span.name,
            references: references(span),
            start_time: micros(span.start_time),
            duration: micros(span.start_time.saturating_add(span.duration())) - micros(span.start_time),
            tags: tags(span),
            logs: span.events.iter().map(JaegerLog::of).collect(),
            process_id: format!("p{number}"),
            warnings,
        }
    }
}

/// Moments before 1970 are none of Jaeger's.
fn micros(ns: i64) -> i64 {
    ns.max(0) / super::MICRO
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    flags: u32,
    operation_name: &'a str,
    references: Vec<Reference>,
    start_time: i64,
    duration: i64,
    tags: Vec<Tag<'a>>,
    logs: Vec<JaegerLog<'a>>,
    #[serde(rename = "processID")]
    process_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

#[derive(Serialize)]
struct Reference {
    #[serde(rename = "refType")]
    kind: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

fn references(span: &Span) -> Vec<Reference> {
    let parent = span.parent_span_id.map(|parent| Reference {
        kind: "CHILD_OF",
        trace_id: span.trace_id.to_string(),
        span_id: parent.to_string(),
    });
    let link = |link: &Link| Reference {
        // A root has no parent, so that no link of its may look like one.
        kind: match link.attributes.str("opentracing.ref_type") {
            Some("child_of") if span.parent_span_id.is_some() => "CHILD_OF",
            _ => "FOLLOWS_FROM",
        },
        trace_id: link.trace_id.to_string(),
        span_id: link.span_id.to_string(),
    };
    parent.into_iter().chain(span.links.iter().map(link)).collect()
}

#[derive(Serialize)]
struct JaegerLog<'a> {
    timestamp: i64,
    fields: Vec<Tag<'a>>,
}

impl<'a> JaegerLog<'a> {
    fn of(event: &'a SpanEvent) -> Self {
        let name = (!event.name.is_empty()).then(|| Tag::text("event", &event.name));
        Self {
            timestamp: micros(event.time),
            fields: name.into_iter().chain(of_attributes(&event.attributes)).collect(),
        }
    }
}

#[derive(Serialize)]
struct Tag<'a> {
    key: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: Value,
}

impl<'a> Tag<'a> {
    fn text(key: &'a str, text: &str) -> Self {
        Self {
            key,
            kind: "string",
            value: Value::from(text),
        }
    }

    fn of(key: &'a str, value: &AttributeValue) -> Self {
        let (kind, value) = match value {
            AttributeValue::Bool(b) => ("bool", Value::from(*b)),
            AttributeValue::Int(n) if n.unsigned_abs() < EXACT => ("int64", Value::from(*n)),
            AttributeValue::Int(n) => ("int64", Value::from(n.to_string())),
            AttributeValue::Double(x) if x.is_finite() => ("float64", Value::from(*x)),
            AttributeValue::Double(x) => ("float64", Value::from(x.to_string())),
            AttributeValue::Bytes(bytes) => ("binary", Value::from(BASE64.encode(bytes))),
            AttributeValue::Empty => ("string", Value::from("")),
            other => ("string", Value::from(other.to_text())),
        };
        Self { key, kind, value }
    }
}

fn of_attributes(attributes: &Attributes) -> impl Iterator<Item = Tag<'_>> {
    attributes.iter().map(|kv| Tag::of(&kv.key, &kv.value))
}

/// The attributes, and the fields that are tags in Jaeger.
fn tags(span: &Span) -> Vec<Tag<'_>> {
    let mut tags: Vec<Tag<'_>> = of_attributes(&span.attributes).collect();
    let kind = if span.kind == meshscope_model::SpanKind::Unspecified {
        ""
    } else {
        span.kind.as_str()
    };
    let code = match span.status.code {
        StatusCode::Unset => "",
        StatusCode::Ok => "OK",
        StatusCode::Error => "ERROR",
    };
    let texts = [
        ("span.kind", kind),
        ("otel.status_code", code),
        ("otel.status_description", span.status.message.as_str()),
        ("otel.scope.name", span.scope.name.as_str()),
        ("otel.scope.version", span.scope.version.as_str()),
        ("w3c.tracestate", span.trace_state.as_str()),
    ];
    let said = texts.into_iter().filter(|(_, text)| !text.is_empty());
    tags.extend(said.map(|(key, text)| Tag::text(key, text)));
    let counts = [
        ("otel.dropped_attributes_count", span.dropped_attributes_count),
        ("otel.dropped_events_count", span.dropped_events_count),
        ("otel.dropped_links_count", span.dropped_links_count),
    ];
    let dropped = counts.into_iter().filter(|(_, count)| *count > 0);
    tags.extend(dropped.map(|(key, count)| Tag::of(key, &AttributeValue::Int(i64::from(count)))));
    if span.status.code == StatusCode::Error && span.attributes.get("error").is_none() {
        tags.push(Tag::of("error", &AttributeValue::Bool(true)));
    }
    tags
}
