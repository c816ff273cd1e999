//! A log record as the console holds it. Pure.

use meshscope_api::{Gap, Log};
use meshscope_layout::ansi::{self, Style, Styled};
use meshscope_model::log::severity_name;
use meshscope_model::{AttributeValue, Resource};
use serde_json::{Map, Value, json};
use std::ops::Range;
use std::rc::Rc;

/// What stands in the list.
#[derive(Debug)]
// Gaps are few among many records, so that their room does not matter.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Item {
    /// A record.
    Log(Entry),
    /// Records were left out here.
    Gap(Gap),
}

/// A record, with what is shown of it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The record; its resource is empty, and so is a body that is text.
    pub log: Log,
    /// Who emitted it: many records share one.
    pub resource: Rc<Resource>,
    /// Its event name and body, without control characters.
    pub text: String,
    /// Where the sender coloured the text.
    pub pieces: Vec<(Range<usize>, Style)>,
    /// The level, by its number or in the sender's word.
    pub level: String,
    /// Bytes that it takes, about.
    pub weight: usize,
}

/// Bytes that a record takes beside its texts, about.
const WEIGHT: usize = 600;

impl Entry {
    /// The record as it is shown; `resource` is a copy of its own that others share.
    pub(crate) fn new(mut log: Log, resource: Rc<Resource>) -> Self {
        log.resource = Resource::default();
        let body = match std::mem::take(&mut log.body) {
            AttributeValue::String(text) => text,
            AttributeValue::Empty => String::new(),
            other => {
                let text = other.to_text();
                log.body = other;
                text
            }
        };
        let text = match log.event_name.as_str() {
            "" => body,
            name if body.is_empty() => name.to_owned(),
            name => format!("{name} {body}"),
        };
        let Styled { text, pieces } = ansi::read(text);
        let level = match severity_name(log.severity_number) {
            "" => log.severity_text.clone(),
            name => name.to_owned(),
        };
        let values = log.attributes.iter();
        let values: usize = values.map(|pair| pair.key.len() + size(&pair.value)).sum();
        let weight = WEIGHT + 2 * text.len() + values + size(&log.body);
        Self {
            log,
            resource,
            text,
            pieces,
            level,
            weight,
        }
    }

    /// Everything that it carries, for reading and copying.
    pub(crate) fn to_json(&self) -> Value {
        let log = &self.log;
        let body = match &log.body {
            AttributeValue::Empty => Value::String(self.text.clone()),
            body => body.to_json(),
        };
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| {
            let empty = match &value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                _ => false,
            };
            if !empty {
                fields.insert(name.to_owned(), value);
            }
        };
        set("time", json!(meshscope_model::time::to_rfc3339(log.time)));
        set("level", json!(self.level));
        set("service", json!(log.service));
        set("agent", json!(log.agent));
        set("event", json!(log.event_name));
        set("body", body);
        set("attributes", pairs(&log.attributes.0));
        set("session", json!(log.session_id));
        set("room", json!(log.room));
        set("project", json!(log.project));
        set("trace_id", json!(log.trace_id));
        set("span_id", json!(log.span_id));
        set("logger", json!(log.scope.name));
        set("resource", pairs(&self.resource.attributes.0));
        Value::Object(fields)
    }
}

fn pairs(pairs: &[meshscope_model::KeyValue]) -> Value {
    let pairs = pairs.iter().map(|pair| (pair.key.clone(), pair.value.to_json()));
    Value::Object(pairs.collect())
}

/// Bytes of a value, about.
fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::String(text) => text.len(),
        AttributeValue::Bytes(bytes) => bytes.len(),
        AttributeValue::Array(items) => items.iter().map(|item| 32 + size(item)).sum(),
        AttributeValue::Map(pairs) => pairs.iter().map(|p| 64 + p.key.len() + size(&p.value)).sum(),
        _ => 32,
    }
}
