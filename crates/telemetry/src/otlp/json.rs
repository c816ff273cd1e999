//! OTLP/JSON, written as protobuf by the tables of [`super::schema`].
//!
//! Takes the specification's spelling and those seen in the wild: enums as numbers or names,
//! ids in hex or base64, 64-bit integers as strings or numbers, field names in camel or snake
//! case, `resource` for `resourceMetrics` (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).

use super::Signal;
use super::common::{COUNT_FIELD, REASON_FIELD};
use super::lines::KEY;
use super::schema::{
    Kind, LOGS, METRICS, RESOURCE_LOGS, RESOURCE_METRICS, RESOURCE_SPANS, Schema, TRACES, same,
};
use crate::wire::Writer;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;
use std::borrow::Cow;

use Kind::{
    Base64, Bool, Double, Enum, Fixed32, Fixed64, Id, Int64, Message, PackedDouble, PackedFixed64,
    PackedVarint, Record, Sfixed64, Sint32, Text, Varint,
};

/// Writes an export request as protobuf; `Err` says why it is not one. Beside it comes what stands
/// under the key of [`super::lines`].
pub(super) fn to_protobuf(signal: Signal, body: &[u8]) -> Result<(Vec<u8>, Option<Value>), String> {
    // Bytes that are not UTF-8 stand in strings, if anywhere: repair them and keep the rest.
    let text = String::from_utf8_lossy(body);
    let text = cut_depths(&text);
    let mut value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let (schema, group, key, inner) = match signal {
        Signal::Traces => (&TRACES, &RESOURCE_SPANS, "resourceSpans", "scopeSpans"),
        Signal::Logs => (&LOGS, &RESOURCE_LOGS, "resourceLogs", "scopeLogs"),
        Signal::Metrics => (&METRICS, &RESOURCE_METRICS, "resourceMetrics", "scopeMetrics"),
    };
    let extra = value.as_object_mut().and_then(|keys| keys.remove(KEY));
    let Value::Object(keys) = &value else {
        return Err(format!("expected an object with the key {key}"));
    };
    let known = |name: &String| schema.find(name).is_some() || same(name, inner);
    if !keys.is_empty() && !keys.keys().any(known) {
        let found: Vec<_> = keys.keys().take(5).cloned().collect();
        return Err(format!("expected the key {key}, found {}", found.join(", ")));
    }
    let mut out = Writer::default();
    // MeshAgent's developer stream sends a group alone, without the request around it.
    if keys.keys().any(|name| same(name, inner)) {
        field(1, Message(group), &value, &mut out, key)?;
    } else {
        message(schema, &value, &mut out, "")?;
    }
    Ok((out.0, extra))
}

/// How deep containers may lie in each other; serde_json refuses the body at 128.
const MAX_DEPTH: usize = 120;

/// The text with a word in place of every container that lies too deep, so that the record it
/// lies in is refused, and not the body.
fn cut_depths(text: &str) -> Cow<'_, str> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let (mut cut, mut kept) = (String::new(), 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth == MAX_DEPTH + 1 {
                    cut.push_str(&text[kept..at]);
                }
            }
            b']' | b'}' => {
                if depth == MAX_DEPTH + 1 {
                    cut.push_str("\"nested too deep\"");
                    kept = at + 1;
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    cut.push_str(&text[kept..]);
    Cow::Owned(cut)
}

/// Writes the fields of a message. `path` names it in errors.
fn message(schema: &Schema, value: &Value, out: &mut Writer, path: &str) -> Result<(), String> {
    let Value::Object(fields) = value else {
        return Err(format!("{path} must be an object, got {}", kind_of(value)));
    };
    for (name, value) in fields {
        let Some((number, kind)) = schema.find(name) else {
            continue;
        };
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        match (kind, value) {
            (_, Value::Null) => {}
            (PackedFixed64 | PackedDouble | PackedVarint, _) => packed(number, kind, value, out, &path)?,
            (_, Value::Array(items)) => {
                items
                    .iter()
                    .try_for_each(|item| field(number, kind, item, out, &path))?;
            }
            _ => field(number, kind, value, out, &path)?,
        }
    }
    Ok(())
}

fn field(number: u32, kind: Kind, value: &Value, out: &mut Writer, path: &str) -> Result<(), String> {
    match kind {
        Text => match value {
            Value::String(text) => out.bytes(number, text.as_bytes()),
            _ => return Err(expected(path, "a string", value)),
        },
        Id(length) => out.bytes(
            number,
            &id(value, length)
                .ok_or_else(|| expected(path, &format!("{} hexadecimal digits", length * 2), value))?,
        ),
        Base64 => out.bytes(
            number,
            &value
                .as_str()
                .and_then(base64)
                .ok_or_else(|| expected(path, "base64", value))?,
        ),
        Bool => match value {
            Value::Bool(b) => out.varint(number, u64::from(*b)),
            _ => return Err(expected(path, "true or false", value)),
        },
        Varint => out.varint(number, u64::from(unsigned32(value, path)?)),
        Fixed32 => out.fixed32(number, unsigned32(value, path)?),
        Fixed64 => out.fixed64(
            number,
            unsigned(value).ok_or_else(|| expected(path, UNSIGNED, value))?,
        ),
        Int64 => out.varint(
            number,
            signed(value).ok_or_else(|| expected(path, SIGNED, value))? as u64,
        ),
        Sfixed64 => out.fixed64(
            number,
            signed(value).ok_or_else(|| expected(path, SIGNED, value))? as u64,
        ),
        Sint32 => {
            let n = signed(value).and_then(|n| i32::try_from(n).ok());
            let n = n.ok_or_else(|| expected(path, "an integer of 32 bits", value))?;
            out.varint(number, u64::from(((n << 1) ^ (n >> 31)) as u32));
        }
        Double => {
            out.fixed64(
                number,
                double(value)
                    .ok_or_else(|| expected(path, "a number", value))?
                    .to_bits(),
            );
        }
        Enum(names) => {
            let known = value
                .as_str()
                .and_then(|text| names.iter().find(|(name, _)| *name == text));
            let n = known.map(|(_, n)| *n).or_else(|| signed(value).map(|n| n as u64));
            out.varint(
                number,
                n.ok_or_else(|| expected(path, "an enum's number or name", value))?,
            );
        }
        Message(schema) => {
            let mut nested = Writer::default();
            message(schema, value, &mut nested, path)?;
            out.bytes(number, &nested.0);
        }
        Record(schema) => {
            let mut nested = Writer::default();
            if let Err(reason) = message(schema, value, &mut nested, "") {
                nested = Writer::default();
                write_name(schema, value, &mut nested);
                nested.bytes(REASON_FIELD, reason.as_bytes());
                nested.varint(COUNT_FIELD, count_points(value));
            }
            out.bytes(number, &nested.0);
        }
        PackedFixed64 | PackedDouble | PackedVarint => packed(number, kind, value, out, path)?,
    }
    Ok(())
}

/// The name of a record that cannot be written, for the message about it.
fn write_name(schema: &Schema, value: &Value, out: &mut Writer) {
    for key in ["name", "eventName", "key"] {
        if let (Some((number, _)), Some(Value::String(name))) = (schema.find(key), value.get(key)) {
            out.bytes(number, name.as_bytes());
        }
    }
}

/// How many data points lie in a metric.
fn count_points(metric: &Value) -> u64 {
    let data = metric.as_object().into_iter().flat_map(|fields| fields.values());
    let points = data.filter_map(|data| {
        data.get("dataPoints")
            .or_else(|| data.get("data_points"))?
            .as_array()
    });
    points.map(|points| points.len() as u64).sum()
}

fn packed(number: u32, kind: Kind, value: &Value, out: &mut Writer, path: &str) -> Result<(), String> {
    let Value::Array(items) = value else {
        return Err(expected(path, "an array", value));
    };
    let mut values = Writer::default();
    for item in items {
        let wrong = || expected(path, "an array of numbers", item);
        match kind {
            PackedDouble => values
                .0
                .extend_from_slice(&double(item).ok_or_else(wrong)?.to_le_bytes()),
            PackedFixed64 => values
                .0
                .extend_from_slice(&unsigned(item).ok_or_else(wrong)?.to_le_bytes()),
            _ => values.raw_varint(unsigned(item).ok_or_else(wrong)?),
        }
    }
    out.bytes(number, &values.0);
    Ok(())
}

const SIGNED: &str = "an integer of 64 bits";
const UNSIGNED: &str = "an integer from 0 to 18446744073709551615";

/// An integer from 0, from a number or a decimal string.
fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Number(n) => n.as_u64().or_else(|| u64::try_from(whole(n.as_f64()?)?).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn unsigned32(value: &Value, path: &str) -> Result<u32, String> {
    unsigned(value)
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| expected(path, "an integer from 0 to 4294967295", value))
}

/// An integer of either sign, from a number or a decimal string.
fn signed(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64().or_else(|| whole(n.as_f64()?)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The integer a double is, where doubles are exact.
fn whole(x: f64) -> Option<i64> {
    (x.fract() == 0.0 && x.abs() < 9.0e15).then_some(x as i64)
}

/// A double, from a number or one of protobuf's names for what is not finite.
fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// An id's bytes. Text of any other length than hex or base64 of `length` bytes is no id, but an
/// empty text is an absent one.
fn id(value: &Value, length: usize) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    let (padded, bare) = (length.div_ceil(3) * 4, (length * 4).div_ceil(3));
    if text.len() == padded || text.len() == bare {
        return base64(text);
    }
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            let digits = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(digits, 16).ok()
        })
        .collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
}

fn expected(path: &str, what: &str, value: &Value) -> String {
    format!("{path} must be {what}, got {}", kind_of(value))
}

fn kind_of(value: &Value) -> String {
    let text = value.to_string();
    let shown: String = text.chars().take(40).collect();
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        _ => shown,
    }
}
