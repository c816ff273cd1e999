//! The developer stream of a MeshAgent room: `{"type": ..., "data": ...}`.
//!
//! `otel.log`, `otel.trace` and `otel.metric` carry OTLP in JSON, with enums by name and ids in
//! base64; a metric may be one group alone under `resource`. Any other type is a log line with
//! its text in `data.message`.

use super::{items, no_object};
use crate::decoded::{DecodeError, Decoded};
use crate::otlp::{Encoding, Signal, decode};
use crate::{json, semconv, severity};
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::{AttributeValue, Attributes, LogEntry, LogRecord, Resource, Scope};
use serde_json::Value;
use std::sync::Arc;

/// Decodes one frame, an array of frames or one frame a line.
pub fn frames(body: &[u8], received: i64) -> Result<Decoded, DecodeError> {
    let text = String::from_utf8_lossy(body);
    let mut decoded = Decoded::default();
    for (index, item) in items(&text).into_iter().enumerate() {
        match item.and_then(|item| frame(&item, index, received)) {
            Ok(one) => {
                decoded.batch.append(one.batch);
                decoded.rejected.append(one.rejected);
            }
            Err(reason) => decoded
                .rejected
                .record(format!("frame {} was left out: {reason}", index + 1)),
        }
    }
    if decoded.batch.is_empty() && decoded.rejected.records > 0 {
        let detail = decoded.rejected.message();
        return Err(DecodeError::new("frames of MeshAgent's developer stream", detail));
    }
    Ok(decoded)
}

fn frame(item: &Value, index: usize, received: i64) -> Result<Decoded, String> {
    let fields = item.as_object().ok_or_else(|| no_object(item))?;
    let kind = json::text(fields, "type").ok_or("type must say what data is, for example otel.trace")?;
    let data = fields.get("data").unwrap_or(&Value::Null);
    let signal = match kind {
        "otel.trace" => Signal::Traces,
        "otel.log" => Signal::Logs,
        "otel.metric" => Signal::Metrics,
        _ => return Ok(line(kind, data, item, index, received)),
    };
    // Some senders put the request into a string.
    let request = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
    decode(signal, Encoding::Json, request.as_bytes()).map_err(|error| error.to_string())
}

/// A developer log: its type is its level, or says what happened.
fn line(kind: &str, data: &Value, item: &Value, index: usize, received: i64) -> Decoded {
    let fields = data.as_object();
    let message = fields.and_then(|fields| fields.get("message")).unwrap_or(data);
    let body = match message {
        Value::Null => AttributeValue::String(kind.to_owned()),
        message => json::attribute(message),
    };
    let number = severity::number(kind);
    let identity = [item.to_string(), received.to_string(), index.to_string()];
    let record = LogRecord {
        resource: Arc::new(Resource::default()),
        scope: Arc::new(Scope {
            name: "meshagent.developer".to_owned(),
            ..Scope::default()
        }),
        time: 0,
        observed_time: received,
        severity_number: if number == 0 { 9 } else { number },
        severity_text: kind.to_owned(),
        body,
        attributes: fields.map_or_else(Attributes::default, |fields| {
            json::attributes(fields, &["message"])
        }),
        dropped_attributes_count: 0,
        flags: 0,
        trace_id: None,
        span_id: None,
        event_name: if number == 0 { kind } else { "" }.to_owned(),
    };
    let mut decoded = Decoded::default();
    decoded.batch.logs.push(LogEntry {
        origin: semconv::log(&record),
        record,
        identity: Some(fingerprint(&identity.each_ref().map(String::as_bytes))),
    });
    decoded
}
