//! Jaeger's JSON, as its API answers `GET /api/traces` and its page saves a trace:
//! `{"data": [{"traceID", "spans": [...], "processes": {...}}]}`, or one such trace alone.
//!
//! Meaning follows OpenTelemetry's mapping between the two
//! (<https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/>), read backwards: `span.kind`,
//! `otel.status_code`, `error`, `otel.scope.name` and `w3c.tracestate` are tags there and fields here.

mod write;

pub use write::Writer;

use crate::decoded::{DecodeError, Decoded, Rejected};
use crate::{json, semconv};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use meshscope_model::{
    AttributeValue, Attributes, Link, Resource, Scope, Span, SpanEntry, SpanEvent, SpanFacts, SpanId,
    SpanKind, Status, StatusCode, TraceId,
};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Nanoseconds of a microsecond, Jaeger's unit.
const MICRO: i64 = 1_000;

/// Decodes traces; a span that cannot be read is left out with the name of the field at fault.
pub fn decode(body: &[u8]) -> Result<Decoded, DecodeError> {
    let error = |detail: String| DecodeError::new("a trace of Jaeger in JSON", detail);
    let value: Value = serde_json::from_slice(body).map_err(|e| error(e.to_string()))?;
    let traces = match (&value, value.get("data"), value.get("spans")) {
        (_, Some(Value::Array(traces)), _) => traces.as_slice(),
        (_, _, Some(Value::Array(_))) => std::slice::from_ref(&value),
        (_, Some(other), _) => {
            return Err(error(format!(
                "data must be an array of traces, got {}",
                json::kind(other)
            )));
        }
        (other, ..) => {
            return Err(error(format!(
                "expected an object with the key data or spans, got {}",
                json::kind(other)
            )));
        }
    };
    let mut decoded = Decoded::default();
    for trace in traces {
        read_trace(trace, &mut decoded);
    }
    semconv::understand(&mut decoded.batch);
    Ok(decoded)
}

fn read_trace(trace: &Value, into: &mut Decoded) {
    let name = trace
        .get("traceID")
        .and_then(Value::as_str)
        .unwrap_or("without traceID");
    let Some(Value::Array(spans)) = trace.get("spans") else {
        into.rejected
            .record(format!("trace {name} was left out: spans must be an array"));
        return;
    };
    let mut emitters = Emitters {
        processes: trace.get("processes"),
        resources: HashMap::new(),
        scopes: HashMap::new(),
    };
    for (index, span) in spans.iter().enumerate() {
        match read_span(span, &mut emitters, &mut into.rejected) {
            Ok(span) => into.batch.spans.push(SpanEntry {
                span,
                facts: SpanFacts::default(),
            }),
            Err(reason) => into.rejected.record(format!(
                "span {} of trace {name} was left out: {reason}",
                index + 1
            )),
        }
    }
}

/// Resources and scopes of a trace, each made once.
struct Emitters<'a> {
    processes: Option<&'a Value>,
    resources: HashMap<String, Arc<Resource>>,
    scopes: HashMap<(String, String), Arc<Scope>>,
}

impl Emitters<'_> {
    /// The process that a span names, or has within itself.
    fn resource(&mut self, span: &Map<String, Value>) -> Result<Arc<Resource>, String> {
        if let Some(Value::Object(process)) = span.get("process") {
            return resource(process).map(Arc::new);
        }
        let id = json::text(span, "processID").ok_or("processID must name one of the trace's processes")?;
        if let Some(resource) = self.resources.get(id) {
            return Ok(Arc::clone(resource));
        }
        let Some(Value::Object(process)) = self.processes.and_then(|processes| processes.get(id)) else {
            return Err(format!(
                "processID must name one of the trace's processes, got {id:?}"
            ));
        };
        let resource = Arc::new(resource(process)?);
        self.resources.insert(id.to_owned(), Arc::clone(&resource));
        Ok(resource)
    }

    fn scope(&mut self, name: String, version: String) -> Arc<Scope> {
        let scope = self.scopes.entry((name, version));
        let make = |(name, version): &(String, String)| {
            Arc::new(Scope {
                name: name.clone(),
                version: version.clone(),
                ..Scope::default()
            })
        };
        Arc::clone(scope.or_insert_with_key(make))
    }
}

fn resource(process: &Map<String, Value>) -> Result<Resource, String> {
    let mut attributes = Attributes::default();
    if let Some(service) = json::text(process, "serviceName") {
        attributes.push("service.name", service);
    }
    attributes.0.extend(tags(process.get("tags"), "process.tags")?.0);
    Ok(Resource {
        attributes,
        ..Resource::default()
    })
}

fn read_span(value: &Value, emitters: &mut Emitters<'_>, rejected: &mut Rejected) -> Result<Span, String> {
    let Value::Object(fields) = value else {
        return Err(format!("it must be an object, got {}", json::kind(value)));
    };
    let (trace_id, span_id) = ids(fields)?;
    let start_time = micros(fields, "startTime")?;
    let duration = micros(fields, "duration")?;
    let mut attributes = tags(fields.get("tags"), "tags")?;
    let mut take = |key: &str| take(&mut attributes, key);
    let scope_name = take("otel.scope.name").or_else(|| take("otel.library.name"));
    let scope_version = take("otel.scope.version").or_else(|| take("otel.library.version"));
    let trace_state = take("w3c.tracestate").unwrap_or_default();
    let kind = take("span.kind").map_or(SpanKind::Unspecified, |word| kind(&word));
    let status = status(&mut attributes);
    let mut dropped = |what: &str| {
        let key = format!("otel.dropped_{what}_count");
        let index = attributes.0.iter().position(|kv| kv.key == key)?;
        let count = attributes.0.get(index)?.value.as_i64();
        let count = count.and_then(|n| u32::try_from(n).ok())?;
        attributes.0.remove(index);
        Some(count)
    };
    let [dropped_attributes, dropped_events, dropped_links] =
        ["attributes", "events", "links"].map(|what| dropped(what).unwrap_or(0));
    let (parent_span_id, links) = references(fields, trace_id)?;
    if let Some(Value::Array(warnings)) = fields.get("warnings") {
        for warning in warnings.iter().filter_map(Value::as_str) {
            rejected.note(format!("Jaeger warns of span {span_id}: {warning}"));
        }
    }
    Ok(Span {
        resource: emitters.resource(fields)?,
        scope: emitters.scope(scope_name.unwrap_or_default(), scope_version.unwrap_or_default()),
        trace_id,
        span_id,
        parent_span_id,
        trace_state,
        flags: fields
            .get("flags")
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0),
        name: json::text(fields, "operationName").unwrap_or_default().to_owned(),
        kind,
        start_time,
        end_time: Some(start_time.saturating_add(duration)),
        attributes,
        dropped_attributes_count: dropped_attributes,
        events: events(fields)?,
        dropped_events_count: dropped_events,
        links,
        dropped_links_count: dropped_links,
        status,
    })
}

fn ids(fields: &Map<String, Value>) -> Result<(TraceId, SpanId), String> {
    let trace_id = json::text(fields, "traceID").and_then(trace_id);
    let span_id = json::text(fields, "spanID").and_then(span_id);
    Ok((
        trace_id.ok_or_else(|| wrong(fields, "traceID", "up to 32 hexadecimal digits"))?,
        span_id.ok_or_else(|| wrong(fields, "spanID", "up to 16 hexadecimal digits"))?,
    ))
}

fn wrong(fields: &Map<String, Value>, key: &str, right: &str) -> String {
    let got = fields.get(key).map_or_else(|| "nothing".to_owned(), json::kind);
    format!("{key} must be {right}, got {got}")
}

/// Ids are written without leading zeros by older versions.
fn trace_id(text: &str) -> Option<TraceId> {
    let id: TraceId = format!("{text:0>32}").parse().ok()?;
    id.is_valid().then_some(id)
}

fn span_id(text: &str) -> Option<SpanId> {
    let id: SpanId = format!("{text:0>16}").parse().ok()?;
    id.is_valid().then_some(id)
}

/// Microseconds as ns.
fn micros(fields: &Map<String, Value>, key: &str) -> Result<i64, String> {
    let n = match fields.get(key) {
        Some(Value::Number(n)) => n.as_i64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    n.filter(|n| *n >= 0)
        .and_then(|n| n.checked_mul(MICRO))
        .ok_or_else(|| wrong(fields, key, "a whole number of microseconds"))
}

/// `[{"key", "type", "value"}]` with its types.
fn tags(value: Option<&Value>, path: &str) -> Result<Attributes, String> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Attributes::default()),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(format!("{path} must be an array, got {}", json::kind(other))),
    };
    let mut attributes = Attributes::default();
    for (index, item) in items.iter().enumerate() {
        let key = item.get("key").and_then(Value::as_str);
        let key = key.ok_or_else(|| format!("{path}[{index}].key must be a text"))?;
        let value = item.get("value").unwrap_or(&Value::Null);
        let typed = typed(item.get("type").and_then(Value::as_str), value);
        attributes.push(
            key,
            typed.ok_or_else(|| {
                format!(
                    "{path}[{index}].value ({key}) does not fit its type, got {}",
                    json::kind(value)
                )
            })?,
        );
    }
    Ok(attributes)
}

fn typed(kind: Option<&str>, value: &Value) -> Option<AttributeValue> {
    Some(match (kind, value) {
        (Some("int64"), Value::String(text)) => AttributeValue::Int(text.parse().ok()?),
        (Some("float64"), Value::String(text)) => AttributeValue::Double(text.parse().ok()?),
        (Some("float64"), Value::Number(n)) => AttributeValue::Double(n.as_f64()?),
        (Some("bool"), Value::String(text)) => AttributeValue::Bool(text.parse().ok()?),
        (Some("binary"), Value::String(text)) => AttributeValue::Bytes(BASE64.decode(text).ok()?),
        (_, value) => json::attribute(value),
    })
}

/// Takes a text out of the attributes.
fn take(attributes: &mut Attributes, key: &str) -> Option<String> {
    let index = attributes
        .0
        .iter()
        .position(|kv| kv.key == key && kv.value.as_str().is_some())?;
    match attributes.0.remove(index).value {
        AttributeValue::String(text) => Some(text),
        _ => None,
    }
}

fn kind(word: &str) -> SpanKind {
    SpanKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == word)
        .unwrap_or_default()
}

fn status(attributes: &mut Attributes) -> Status {
    let code = take(attributes, "otel.status_code");
    let message = take(attributes, "otel.status_description").unwrap_or_default();
    let said = attributes.0.iter().position(|kv| kv.key == "error");
    let error = said
        .and_then(|at| attributes.0.get(at))
        .map(|kv| kv.value.clone());
    let failed = error.is_some_and(|error| error.as_bool() == Some(true) || error.as_str() == Some("true"));
    // Beside the status it is that status once more.
    if failed
        && code.as_deref() == Some("ERROR")
        && let Some(at) = said
    {
        attributes.0.remove(at);
    }
    let code = match code.as_deref() {
        Some("OK") => StatusCode::Ok,
        Some("ERROR") => StatusCode::Error,
        _ if failed => StatusCode::Error,
        _ => StatusCode::Unset,
    };
    Status { code, message }
}

/// The parent, and links to the others. The first `CHILD_OF` within the trace is the parent.
fn references(fields: &Map<String, Value>, own: TraceId) -> Result<(Option<SpanId>, Vec<Link>), String> {
    let mut parent = json::text(fields, "parentSpanID").and_then(span_id);
    let mut links = Vec::new();
    let Some(Value::Array(references)) = fields.get("references") else {
        return Ok((parent, links));
    };
    for (index, reference) in references.iter().enumerate() {
        let Value::Object(reference) = reference else {
            return Err(format!("references[{index}] must be an object"));
        };
        let (to, span) = ids(reference).map_err(|reason| format!("references[{index}].{reason}"))?;
        let kind = json::text(reference, "refType").unwrap_or("CHILD_OF");
        if to == own && kind == "CHILD_OF" && parent.is_none_or(|parent| parent == span) {
            parent = Some(span);
            continue;
        }
        let mut attributes = Attributes::default();
        let word = if kind == "CHILD_OF" {
            "child_of"
        } else {
            "follows_from"
        };
        attributes.push("opentracing.ref_type", word);
        links.push(Link {
            trace_id: to,
            span_id: span,
            attributes,
            ..Link::default()
        });
    }
    Ok((parent, links))
}

/// `logs`: each with its time and fields, of which `event` is the name.
fn events(fields: &Map<String, Value>) -> Result<Vec<SpanEvent>, String> {
    let Some(Value::Array(logs)) = fields.get("logs") else {
        return Ok(Vec::new());
    };
    let event = |(index, log): (usize, &Value)| {
        let Value::Object(log) = log else {
            return Err(format!("logs[{index}] must be an object"));
        };
        let mut attributes = tags(log.get("fields"), &format!("logs[{index}].fields"))?;
        Ok(SpanEvent {
            time: micros(log, "timestamp").map_err(|reason| format!("logs[{index}].{reason}"))?,
            name: take(&mut attributes, "event").unwrap_or_default(),
            attributes,
            dropped_attributes_count: 0,
        })
    };
    logs.iter().enumerate().map(event).collect()
}
