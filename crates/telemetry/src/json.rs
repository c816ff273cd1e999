//! JSON of senders that do not speak OTLP: reading it and keeping it as attributes.

use meshscope_model::{AttributeValue, Attributes, KeyValue};
use serde_json::{Map, Value};

/// A value with its type; integers beyond 64 bits become doubles.
pub(crate) fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Empty,
        Value::Bool(b) => AttributeValue::Bool(*b),
        Value::Number(n) => n.as_i64().map_or_else(
            || AttributeValue::Double(n.as_f64().unwrap_or_default()),
            AttributeValue::Int,
        ),
        Value::String(text) => AttributeValue::String(text.clone()),
        Value::Array(items) => AttributeValue::Array(items.iter().map(attribute).collect()),
        Value::Object(fields) => AttributeValue::Map(
            fields
                .iter()
                .map(|(key, value)| KeyValue::new(key.as_str(), attribute(value)))
                .collect(),
        ),
    }
}

/// The fields as attributes under their own names, without those that are null or left out.
pub(crate) fn attributes(fields: &Map<String, Value>, without: &[&str]) -> Attributes {
    fields
        .iter()
        .filter(|(key, value)| !value.is_null() && !without.contains(&key.as_str()))
        .map(|(key, value)| KeyValue::new(key.as_str(), attribute(value)))
        .collect()
}

/// Text that is there and not empty.
pub(crate) fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    fields.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// What a value is, for messages: a short value itself, else its kind.
pub(crate) fn kind(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        other => other.to_string().chars().take(40).collect(),
    }
}
