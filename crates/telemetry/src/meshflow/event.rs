//! Events of governed steps: the SIEM stream and webhooks.

use super::{SIEM, moment, resource, scope};
use crate::decoded::{DecodeError, Decoded};
use crate::{json, semconv, severity};
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::{AttributeValue, LogEntry, LogRecord, Origin};
use serde_json::{Map, Value};

/// Decodes events: `{"event_type", "timestamp", "run_id", "severity", "data"}` as the generic
/// SIEM stream posts one, the same within Splunk's `event` or Datadog's `message`, and webhooks'
/// `{"event", "timestamp", "payload"}`.
pub fn events(body: &[u8], received: i64) -> Result<Decoded, DecodeError> {
    let error = |detail: String| DecodeError::new("an event of MeshFlow", detail);
    let value: Value = serde_json::from_slice(body).map_err(|e| error(e.to_string()))?;
    let items = match &value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let (resource, scope) = (resource(), scope(SIEM));
    let mut decoded = Decoded::default();
    for (index, item) in items.iter().enumerate() {
        let Some(event) = Event::read(item) else {
            decoded.rejected.record(format!(
                "event {} was left out: event_type must be a text, got {}",
                index + 1,
                json::kind(item.get("event_type").unwrap_or(item))
            ));
            continue;
        };
        let record = LogRecord {
            resource: resource.clone(),
            scope: scope.clone(),
            time: event.time.unwrap_or(0),
            observed_time: received,
            severity_number: event.severity(),
            severity_text: event.level.unwrap_or_default().to_owned(),
            body: AttributeValue::String(event.text()),
            attributes: json::attributes(&event.attributes, &[]),
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: None,
            span_id: None,
            event_name: format!("meshflow.{}", event.kind),
        };
        decoded.batch.logs.push(LogEntry {
            record,
            origin: Origin::default(),
            identity: Some(event.identity),
        });
    }
    if !items.is_empty() && decoded.batch.is_empty() {
        return Err(error(decoded.rejected.message()));
    }
    semconv::understand(&mut decoded.batch);
    Ok(decoded)
}

struct Event<'a> {
    kind: &'a str,
    level: Option<&'a str>,
    time: Option<i64>,
    /// `data` or `payload`, and beside it what the envelope says.
    attributes: Map<String, Value>,
    identity: u64,
}

impl<'a> Event<'a> {
    fn read(item: &'a Value) -> Option<Event<'a>> {
        let fields = item.as_object()?;
        match (fields.get("event"), fields.get("payload")) {
            (Some(inner @ Value::Object(_)), _) => return Event::read(inner),
            (Some(Value::String(kind)), Some(payload)) => {
                return Some(Event::of(kind, fields, payload));
            }
            _ => {}
        }
        let kind = json::text(fields, "event_type")?;
        Some(Event::of(
            kind,
            fields,
            fields.get("data").unwrap_or(&Value::Null),
        ))
    }

    fn of(kind: &'a str, fields: &'a Map<String, Value>, data: &Value) -> Event<'a> {
        let mut attributes = data.as_object().cloned().unwrap_or_default();
        for key in ["run_id", "severity", "source"] {
            if let Some(value) = fields.get(key) {
                attributes.entry(key).or_insert_with(|| value.clone());
            }
        }
        let time = fields.get("timestamp").and_then(moment);
        // Not the envelope: a webhook that is delivered again counts its attempts there.
        let said = (kind, fields.get("timestamp"), data);
        let identity = fingerprint(&[serde_json::to_string(&said).unwrap_or_default().as_bytes()]);
        Event {
            kind,
            level: json::text(fields, "severity"),
            time,
            attributes,
            identity,
        }
    }

    /// As the event says, else by its kind.
    fn severity(&self) -> u8 {
        let said = self.level.map_or(0, severity::number);
        let bad = [
            "blocked",
            "violation",
            "failed",
            "denied",
            "injection",
            "exceeded",
            "alert",
        ];
        match said {
            0 if bad.iter().any(|word| self.kind.contains(word)) => 17,
            0 => 9,
            said => said,
        }
    }

    fn text(&self) -> String {
        let text = |key: &str| json::text(&self.attributes, key);
        let mut line = self.kind.replace('_', " ");
        if let Some(node) = text("node_id") {
            line = format!("{line}: {node}");
        }
        if let Some(reason) = text("block_reason")
            .or_else(|| text("reason"))
            .or_else(|| text("error"))
        {
            line = format!("{line}: {reason}");
        }
        line
    }
}
