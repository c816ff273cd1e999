//! Mutations that know JSON: of types, nesting, keys and numbers.

use super::bytes;
use super::dice::Dice;
use serde_json::{Map, Value, json};

/// Mutates a document, or lines of them; `other` is another one to take pieces from.
pub(crate) fn mutate(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let text = String::from_utf8_lossy(input);
    let mut out = match serde_json::from_str::<Value>(&text) {
        Ok(mut document) => {
            let donor = serde_json::from_slice(other).unwrap_or(Value::Null);
            for _ in 0..=dice.below(4) {
                change(&mut document, &donor, dice);
            }
            let mut text = document.to_string();
            if dice.once_in(8) {
                text = numbers(&text, dice);
            }
            if dice.once_in(8) {
                text = again(&text, dice);
            }
            text.into_bytes()
        }
        Err(_) => lines(&text, other, dice),
    };
    if dice.once_in(10) {
        bytes::mutate(&mut out, dice);
    }
    out
}

/// Mutates one of several lines.
fn lines(text: &str, other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let [_, _, ..] = lines.as_slice() {
        let at = dice.below(lines.len());
        let line = mutate(lines[at].as_bytes(), other, dice);
        lines[at] = String::from_utf8_lossy(&line).into_owned();
        let from = dice.below(lines.len());
        let copy = lines[from].clone();
        lines.insert(at, copy);
        return lines.join("\n").into_bytes();
    }
    let mut out = text.as_bytes().to_vec();
    bytes::mutate(&mut out, dice);
    out
}

/// Changes one value somewhere in the tree.
fn change(value: &mut Value, donor: &Value, dice: &mut Dice) {
    if !dice.once_in(6) {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let at = dice.below(items.len());
                if dice.once_in(8) {
                    return list(items, at, dice);
                }
                return change(&mut items[at], donor, dice);
            }
            Value::Object(fields) if !fields.is_empty() => {
                let at = dice.below(fields.len());
                let key = fields.keys().nth(at).cloned().unwrap_or_default();
                if dice.once_in(8) {
                    return object(fields, &key, donor, dice);
                }
                if let Some(inner) = fields.get_mut(&key) {
                    return change(inner, donor, dice);
                }
            }
            _ => {}
        }
    }
    *value = match dice.below(5) {
        0 => piece(donor, dice),
        1 => deep(value.take(), dice),
        2 => as_other_type(value, dice),
        _ => odd(dice),
    };
}

fn list(items: &mut Vec<Value>, at: usize, dice: &mut Dice) {
    match dice.below(3) {
        0 => _ = items.remove(at),
        1 => {
            let copy = items[at].clone();
            let times = dice.copies(copy.to_string().len());
            (0..times).for_each(|_| items.push(copy.clone()));
        }
        _ => {
            let to = dice.below(items.len());
            items.swap(at, to);
        }
    }
}

fn object(fields: &mut Map<String, Value>, key: &str, donor: &Value, dice: &mut Dice) {
    let value = fields.remove(key).unwrap_or_default();
    match dice.below(3) {
        0 => {}
        1 => {
            let name = match piece(donor, dice) {
                Value::Object(other) if !other.is_empty() => other
                    .keys()
                    .nth(dice.below(other.len()))
                    .cloned()
                    .unwrap_or_default(),
                _ => (*dice.pick(&bytes::TEXTS)).to_owned(),
            };
            fields.insert(name, value);
        }
        _ => {
            // Camel case for snake case and the other way about.
            let name = if key.contains('_') {
                key.replace('_', "")
            } else {
                key.chars()
                    .flat_map(|c| {
                        c.is_uppercase()
                            .then_some('_')
                            .into_iter()
                            .chain(c.to_lowercase())
                    })
                    .collect()
            };
            fields.insert(name, value);
        }
    }
}

/// A piece from somewhere in a tree.
fn piece(value: &Value, dice: &mut Dice) -> Value {
    let inner = match value {
        Value::Array(items) if !items.is_empty() => Some(dice.pick(items)),
        Value::Object(fields) if !fields.is_empty() => fields.values().nth(dice.below(fields.len())),
        _ => None,
    };
    match inner {
        Some(inner) if !dice.once_in(4) => piece(inner, dice),
        _ => value.clone(),
    }
}

/// A value within arrays or objects, about as deep as parsers let it be and beyond.
fn deep(value: Value, dice: &mut Dice) -> Value {
    let name = *dice.pick(&[
        "values",
        "arrayValue",
        "kvlistValue",
        "value",
        "a",
        "data",
        "content",
    ]);
    let (depth, objects) = (dice.below(160), dice.once_in(2));
    (0..depth).fold(value, |inner, _| {
        if objects {
            json!({ name: inner })
        } else {
            json!([inner])
        }
    })
}

/// The same as another type: what is a number as text, and the other way about.
fn as_other_type(value: &Value, dice: &mut Dice) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| json!({ "stringValue": text })),
        Value::Number(n) => Value::String(n.to_string()),
        Value::Bool(b) => Value::String(b.to_string()),
        Value::Array(items) => json!({ "values": items }),
        Value::Object(fields) if dice.once_in(2) => Value::String(Value::Object(fields.clone()).to_string()),
        Value::Object(fields) => Value::Array(fields.values().cloned().collect()),
        Value::Null => json!({}),
    }
}

fn odd(dice: &mut Dice) -> Value {
    match dice.below(8) {
        0 => Value::Null,
        1 => json!(dice.once_in(2)),
        2 => json!(dice.next() as i64),
        3 => json!(*dice.pick(&[
            0.0,
            -0.0,
            1e308,
            -1e308,
            5e-324,
            0.1,
            1e19,
            9.007_199_254_740_993e15
        ])),
        4 => json!(*dice.pick(&[
            0,
            -1,
            1,
            i64::MAX,
            i64::MIN,
            4_294_967_296,
            1_795_220_548_168_533_800
        ])),
        5 => json!([]),
        6 => Value::String(dice.pick(&bytes::TEXTS).repeat(dice.size().min(300))),
        _ => Value::String((*dice.pick(&bytes::TEXTS)).to_owned()),
    }
}

/// Puts a number that no tree holds in the place of some digits of the text.
fn numbers(text: &str, dice: &mut Dice) -> String {
    let odd = *dice.pick(&[
        "1e999",
        "-0",
        "1E+2",
        "123456789012345678901234567890",
        "0.1e-400",
        "01",
        "1.",
        "NaN",
    ]);
    let starts: Vec<usize> = text
        .char_indices()
        .filter(|(_, c)| c.is_ascii_digit())
        .map(|(at, _)| at)
        .collect();
    if starts.is_empty() {
        return text.to_owned();
    }
    let from = *dice.pick(&starts);
    let rest = &text[from..];
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    format!("{}{odd}{}", &text[..from], &rest[length..])
}

/// Repeats a member of an object, so that its key is there twice.
fn again(text: &str, dice: &mut Dice) -> String {
    let commas: Vec<usize> = text.match_indices(',').map(|(at, _)| at).collect();
    let Some(window) = commas.windows(2).nth(dice.below(commas.len().saturating_sub(1))) else {
        return text.to_owned();
    };
    let (from, to) = (window[0], window[1]);
    format!("{}{}{}", &text[..to], &text[from..to], &text[to..])
}
