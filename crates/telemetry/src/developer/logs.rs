//! Log records as applications write them: JSON objects under the names that logging libraries
//! use, and plain lines.

use super::{items, line, no_object};
use crate::decoded::{DecodeError, Decoded, Rejected};
use crate::{json, semconv, severity};
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::time::parse_rfc3339;
use meshscope_model::{Attributes, LogEntry, LogRecord, Origin, Resource, Scope, SpanId, TraceId};
use serde_json::{Map, Value};
use std::sync::Arc;

/// `event` is the text of structlog, and beside a text it names an event.
const MESSAGE: &[&str] = &["message", "msg", "text", "body", "event"];
const LEVEL: &[&str] = &[
    "level",
    "severity",
    "severity_text",
    "severityText",
    "levelname",
    "lvl",
];
const TIME: &[&str] = &["time", "timestamp", "ts", "@timestamp", "datetime"];
const SESSION: &[&str] = &["session", "session_id", "sessionId", "session.id"];
const ROOM: &[&str] = &["room", "room_id", "roomId"];
const PROJECT: &[&str] = &["project", "project_id"];
const AGENT: &[&str] = &["agent", "agent_name", "gen_ai.agent.name"];
const SERVICE: &[&str] = &["service", "service.name", "serviceName"];
const LOGGER: &[&str] = &["logger", "logger_name", "scope", "name"];
const TRACE: &[&str] = &["trace_id", "traceId", "trace.id"];
const SPAN: &[&str] = &["span_id", "spanId", "span.id"];
const EVENT: &[&str] = &["event_name", "eventName", "event"];

/// Decodes log records: a JSON object, an array of objects or texts, an object a line, or with
/// `plain` (a body that does not claim to be JSON) any lines. `received` is the present in ns
/// since the epoch.
pub fn logs(body: &[u8], plain: bool, received: i64) -> Result<Decoded, DecodeError> {
    let text = String::from_utf8_lossy(body);
    let found = if plain { lines(&text) } else { items(&text) };
    let mut decoded = Decoded::default();
    for (index, item) in found.into_iter().enumerate() {
        let nth = index + 1;
        let entry = item.and_then(|item| entry(&item, index, received, &mut decoded.rejected));
        match entry {
            Ok(entry) => decoded.batch.logs.push(entry),
            Err(reason) => decoded
                .rejected
                .record(format!("log record {nth} was left out: {reason}")),
        }
    }
    if decoded.batch.is_empty() && decoded.rejected.records > 0 {
        return Err(DecodeError::new(
            "log records in JSON",
            decoded.rejected.message(),
        ));
    }
    Ok(decoded)
}

/// Whether a record's fields name its `what` (`level`, `time`, `session`, `room`, `project`, `agent`,
/// `service`, `trace_id`, `span_id` or `event_name`) under any of the names that are understood.
#[must_use]
pub fn names(fields: &Map<String, Value>, what: &str) -> bool {
    let known = [
        LEVEL, TIME, SESSION, ROOM, PROJECT, AGENT, SERVICE, TRACE, SPAN, EVENT,
    ];
    let names = known.into_iter().find(|names| names.contains(&what));
    let there = |name: &&str| fields.get(*name).is_some_and(|value| !value.is_null());
    names.is_some_and(|names| names.iter().any(there))
}

/// Each line: an object where it is one, else its text.
fn lines(text: &str) -> Vec<Result<Value, String>> {
    let read = |line: &str| {
        let object = serde_json::from_str(line).ok().filter(Value::is_object);
        object.unwrap_or_else(|| Value::String(line.to_owned()))
    };
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.map(|line| Ok(read(line))).collect()
}

fn entry(item: &Value, index: usize, received: i64, rejected: &mut Rejected) -> Result<LogEntry, String> {
    let fields = match item {
        Value::Object(fields) => fields.clone(),
        Value::String(text) => line::fields(text),
        other => return Err(no_object(other)),
    };
    let mut fields = Fields(fields);
    let body = fields
        .take(MESSAGE)
        .ok_or("message must be there: it is what the record says")?;
    let note = |rejected: &mut Rejected, what: &str| {
        rejected.note(format!("log record {} was kept without {what}", index + 1));
    };
    let time = match fields.take(TIME) {
        None => 0,
        Some(value) => moment(&value).unwrap_or_else(|| {
            let got = json::kind(&value);
            note(
                rejected,
                &format!("its time: it must be RFC 3339 or a number since the epoch, got {got}"),
            );
            0
        }),
    };
    let (severity_number, severity_text) = level(fields.take(LEVEL));
    let mut id = |names: &[&str], digits: usize| {
        let text = fields.text(names)?;
        let valid = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !valid {
            let name = names.first().copied().unwrap_or_default();
            note(
                rejected,
                &format!("its {name}: it must be {digits} hexadecimal digits, got {text:?}"),
            );
        }
        valid.then_some(text)
    };
    let trace_id = id(TRACE, 32)
        .and_then(|text| text.parse().ok())
        .filter(TraceId::is_valid);
    let span_id = id(SPAN, 16)
        .and_then(|text| text.parse().ok())
        .filter(SpanId::is_valid);
    let mut resource = Attributes::default();
    if let Some(service) = fields.text(SERVICE) {
        resource.push("service.name", service);
    }
    let place = Origin {
        project: fields.text(PROJECT),
        room: fields.text(ROOM),
        session: fields.text(SESSION),
        agent: fields.text(AGENT),
        ..Origin::default()
    };
    let scope = fields.text(LOGGER).unwrap_or_default();
    let event_name = fields.text(EVENT).unwrap_or_default();
    let record = LogRecord {
        resource: Arc::new(Resource {
            attributes: resource,
            ..Resource::default()
        }),
        scope: Arc::new(Scope {
            name: scope,
            ..Scope::default()
        }),
        time,
        observed_time: received,
        severity_number,
        severity_text,
        body: json::attribute(&body),
        attributes: fields.rest(),
        dropped_attributes_count: 0,
        flags: 0,
        trace_id,
        span_id,
        event_name,
    };
    // A line without a time is told from the same line sent again by when each came.
    let when = if time == 0 { received } else { time };
    let identity = [item.to_string(), when.to_string(), index.to_string()];
    let understood = semconv::log(&record);
    Ok(LogEntry {
        record,
        origin: Origin {
            project: place.project.or(understood.project),
            room: place.room.or(understood.room),
            session: place.session.or(understood.session),
            agent: place.agent.or(understood.agent),
            ..understood
        },
        identity: Some(fingerprint(&identity.each_ref().map(String::as_bytes))),
    })
}

/// The fields that are not read yet.
struct Fields(Map<String, Value>);

impl Fields {
    /// Takes out the first of `names` that is there and not null.
    fn take(&mut self, names: &[&str]) -> Option<Value> {
        let name = names
            .iter()
            .find(|name| self.0.get(**name).is_some_and(|value| !value.is_null()))?;
        self.0.remove(*name)
    }

    /// Takes out the first of `names` that is a text.
    fn text(&mut self, names: &[&str]) -> Option<String> {
        let name = names.iter().find(|name| json::text(&self.0, name).is_some())?;
        self.0.remove(*name)?.as_str().map(str::to_owned)
    }

    /// What is left, as attributes by key; those under `attributes` beside the others.
    fn rest(mut self) -> Attributes {
        let nested = match self.0.remove("attributes") {
            Some(Value::Object(nested)) => nested,
            Some(other) => Map::from_iter([("attributes".to_owned(), other)]),
            None => Map::new(),
        };
        let mut attributes = json::attributes(&self.0, &[]);
        attributes.0.append(&mut json::attributes(&nested, &[]).0);
        // An object has no order, and taking fields out of it changes what order there was.
        attributes.0.sort_by(|a, b| a.key.cmp(&b.key));
        attributes
    }
}

/// A level by name, or by number: OpenTelemetry's up to 24, or those of pino and bunyan, which
/// are tens.
fn level(value: Option<Value>) -> (u8, String) {
    match value {
        Some(Value::String(word)) => (severity::number(&word), word),
        Some(Value::Number(n)) => {
            let number = match n.as_u64() {
                Some(tens @ (10 | 20 | 30 | 40 | 50 | 60)) => (tens / 10 - 1) * 4 + 1,
                Some(n @ 1..=24) => n,
                _ => 0,
            };
            (u8::try_from(number).unwrap_or(0), n.to_string())
        }
        _ => (0, String::new()),
    }
}

/// RFC 3339, or a number since the epoch, whose size tells seconds, milliseconds, microseconds
/// or nanoseconds apart.
fn moment(value: &Value) -> Option<i64> {
    if let Some(text) = value.as_str() {
        return parse_rfc3339(text)
            .or_else(|| parse_rfc3339(&format!("{text}Z")))
            .or_else(|| moment(&Value::from(text.parse::<i64>().ok()?)));
    }
    let x = value.as_f64().filter(|x| *x >= 0.0)?;
    let scale: i64 = match x {
        x if x < 1.0e11 => 1_000_000_000,
        x if x < 1.0e14 => 1_000_000,
        x if x < 1.0e17 => 1_000,
        _ => 1,
    };
    let ns = match value.as_i64() {
        Some(n) => n.checked_mul(scale)?,
        None => (x * scale as f64).round() as i64,
    };
    Some(ns)
}
