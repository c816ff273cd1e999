//! Attribute values as text with their type: the first character says which.
//!
//! | text | value |
//! |---|---|
//! | `s` text | string |
//! | `i` decimal | integer |
//! | `d` shortest decimal, `NaN`, `inf`, `-inf` | double |
//! | `t`, `f` | true, false |
//! | `j` OTLP/JSON | bytes, list, map, empty |
//!
//! So equality is equality of text, a number is `try_cast` of what follows `i` or `d`, and a
//! substring is found where it stands.

use duckdb::arrow::array::StringBuilder;
use meshscope_model::AttributeValue;
use std::fmt::Write;

/// Writes a value.
pub(super) fn write(value: &AttributeValue) -> String {
    let mut text = String::new();
    write_to(&mut text, value);
    text
}

/// Appends a value to a column.
pub(super) fn append(column: &mut StringBuilder, value: &AttributeValue) {
    write_to(column, value);
    column.append_value("");
}

fn write_to(out: &mut impl Write, value: &AttributeValue) {
    let written = match value {
        AttributeValue::String(text) => out.write_char('s').and_then(|()| out.write_str(text)),
        AttributeValue::Int(n) => write!(out, "i{n}"),
        AttributeValue::Double(x) => write!(out, "d{x:?}"),
        AttributeValue::Bool(true) => out.write_char('t'),
        AttributeValue::Bool(false) => out.write_char('f'),
        other => write!(out, "j{}", serde_json::to_string(other).unwrap_or_default()),
    };
    debug_assert!(written.is_ok(), "memory takes all text");
}

/// Reads a value; text that this crate did not write is kept as a string.
pub(super) fn read(text: &str) -> AttributeValue {
    let rest = text.get(1..).unwrap_or_default();
    let value = match text.as_bytes().first() {
        Some(b's') => Some(AttributeValue::String(rest.to_owned())),
        Some(b'i') => rest.parse().ok().map(AttributeValue::Int),
        Some(b'd') => rest.parse().ok().map(AttributeValue::Double),
        Some(b't') => Some(AttributeValue::Bool(true)),
        Some(b'f') => Some(AttributeValue::Bool(false)),
        Some(b'j') => serde_json::from_str(rest).ok(),
        _ => None,
    };
    value.unwrap_or_else(|| AttributeValue::String(text.to_owned()))
}

/// A value as a person reads it, where its text may be cut: of structures what stands there.
pub(super) fn text(text: &str) -> String {
    match text.as_bytes().first() {
        Some(b's' | b'i' | b'd') => text.get(1..).unwrap_or_default().to_owned(),
        Some(b'j') => match read(text) {
            AttributeValue::String(cut) => cut.get(1..).unwrap_or_default().to_owned(),
            AttributeValue::Empty => String::new(),
            whole => whole.to_text(),
        },
        _ => read(text).to_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::KeyValue;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_survive(text: String, n: i64, x: f64, bytes: Vec<u8>) {
            let map = AttributeValue::Map(vec![KeyValue::new("k", n), KeyValue::new("k", text.as_str())]);
            let list = AttributeValue::Array(vec![map, AttributeValue::Bytes(bytes), AttributeValue::Empty]);
            for value in [text.into(), n.into(), true.into(), false.into(), list, AttributeValue::Empty] {
                prop_assert_eq!(read(&write(&value)), value);
            }
            let AttributeValue::Double(again) = read(&write(&x.into())) else { panic!("a double") };
            prop_assert!(again == x || (again.is_nan() && x.is_nan()));
        }
    }
}
