//! `{"logType": "INFO", "logText": ..., "attributes": {...}}`: one log record a body.

use super::SERVICE;
use crate::decoded::{DecodeError, Decoded, Rejected};
use crate::{json, semconv, severity};
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::time::{HOUR, MINUTE, SECOND, parse_rfc3339};
use meshscope_model::{
    AttributeValue, Attributes, Batch, KeyValue, LogEntry, LogRecord, Origin, Resource, Scope,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Attributes that describe the process rather than the record.
const RESOURCE: [&str; 3] = ["service.name", "sdk.name", "sdk.version"];

/// Decodes a log record; `received` is the present in ns since the epoch.
pub fn log(body: &[u8], received: i64) -> Result<Decoded, DecodeError> {
    let error = |detail: String| DecodeError::new("a log record of VideoSDK", detail);
    let value: Value = serde_json::from_slice(body).map_err(|e| error(e.to_string()))?;
    let Value::Object(fields) = &value else {
        return Err(error(format!("expected an object, got {}", json::kind(&value))));
    };
    let mut rejected = Rejected::default();
    let empty = Map::new();
    let sent = match fields.get("attributes") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(attributes)) => attributes,
        Some(other) => {
            rejected.note(format!(
                "a log record was kept without its attributes: attributes must be an object, got {}",
                json::kind(other)
            ));
            &empty
        }
    };
    let level = json::text(fields, "logType").or_else(|| json::text(sent, "level"));
    let time = json::text(sent, "dateTime").and_then(|text| local_time(text, received));
    if time.is_none() {
        rejected.note(
            "a log record was placed at its arrival: attributes.dateTime must be like 2026-11-21 00:03:17,676"
                .to_owned(),
        );
    }
    let record = LogRecord {
        resource: Arc::new(resource(fields, sent)),
        scope: Arc::new(Scope {
            name: json::text(sent, "origin").unwrap_or_default().to_owned(),
            ..Scope::default()
        }),
        time: time.unwrap_or(0),
        observed_time: received,
        severity_number: level.map_or(0, severity::number),
        severity_text: level.unwrap_or_default().to_owned(),
        body: fields
            .get("logText")
            .map_or(AttributeValue::Empty, json::attribute),
        attributes: attributes(fields, sent),
        dropped_attributes_count: 0,
        flags: 0,
        trace_id: None,
        span_id: None,
        event_name: String::new(),
    };
    let mut entry = LogEntry {
        record,
        origin: Origin::default(),
        identity: Some(fingerprint(&[value.to_string().as_bytes()])),
    };
    entry.origin = semconv::log(&entry.record);
    Ok(Decoded {
        batch: Batch {
            logs: vec![entry],
            ..Batch::default()
        },
        rejected,
    })
}

fn resource(fields: &Map<String, Value>, sent: &Map<String, Value>) -> Resource {
    let mut attributes: Attributes = RESOURCE
        .iter()
        .filter_map(|key| Some(KeyValue::new(*key, json::attribute(sent.get(*key)?))))
        .collect();
    if attributes.text("service.name").is_none() {
        let service = json::text(fields, "serviceName").unwrap_or(SERVICE);
        attributes.push("service.name", service);
    }
    if attributes.text("sdk.name").is_none() {
        attributes.push("sdk.name", "AGENTS");
    }
    Resource {
        attributes,
        ..Resource::default()
    }
}

/// What was sent beside text and level, under its own names.
fn attributes(fields: &Map<String, Value>, sent: &Map<String, Value>) -> Attributes {
    let mut attributes = json::attributes(sent, &RESOURCE);
    let more = json::attributes(fields, &["logType", "logText", "attributes", "serviceName"]);
    attributes.0.extend(more.0);
    attributes
}

/// How long a record may take to arrive and still tell its zone: the agent keeps it for five
/// seconds at the most.
const LATE: i64 = MINUTE;

/// The moment that a local time without a zone means. A record arrives within moments: when it
/// seems to come from another hour the sender's clock runs by another zone, which are quarters
/// of an hour apart. What arrives at another time is taken for UTC, the zone of most servers.
fn local_time(text: &str, received: i64) -> Option<i64> {
    let naive = parse_rfc3339(&format!("{}Z", text.replace(',', ".")))?;
    let quarter = 15 * MINUTE;
    // A clock may be a little ahead of ours.
    let early = 2 * SECOND;
    let age = received.saturating_sub(naive).saturating_add(early);
    let zone = age.div_euclid(quarter) * quarter;
    let arrived_at_once = age - zone <= LATE + early;
    if arrived_at_once && (-14 * HOUR..=12 * HOUR).contains(&zone) {
        Some(naive.saturating_add(zone))
    } else {
        Some(naive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_is_placed_by_when_it_arrives() {
        let utc = parse_rfc3339("2026-11-21T00:03:17.676Z").unwrap();
        let text = "2026-11-21 00:03:17,676";
        assert_eq!(local_time(text, utc + 3 * SECOND), Some(utc));
        // Kathmandu is 5:45 ahead: what its clock says is then.
        let ahead = 5 * HOUR + 45 * MINUTE;
        assert_eq!(local_time(text, utc - ahead + SECOND), Some(utc - ahead));
        let behind = 8 * HOUR;
        assert_eq!(local_time(text, utc + behind + SECOND), Some(utc + behind));
        // Sent again much later: there is no telling, and the day must not change.
        assert_eq!(local_time(text, utc + 40 * 24 * HOUR), Some(utc));
        assert_eq!(local_time(text, utc + 7 * MINUTE), Some(utc));
        assert_eq!(local_time("yesterday", utc), None);
    }
}
