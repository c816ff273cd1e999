//! Messages and whole conversations in JSON, in the shapes of the GenAI conventions and of the
//! model APIs' own requests and answers.

use super::{parts, python};
use meshscope_model::{AttributeValue, Direction, Message, Part};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The messages in an attribute: JSON or a Python literal in a string, a structured value, or
/// a plain text, which becomes one message of `role`.
pub(super) fn read(value: &AttributeValue, role: &str, direction: Direction) -> Vec<Message> {
    match value {
        AttributeValue::Empty => Vec::new(),
        AttributeValue::String(text) if is_nothing(text) => Vec::new(),
        AttributeValue::String(text) => literal(text)
            .and_then(|json| conversation(&json, role, direction))
            .unwrap_or_else(|| vec![Message::new(role, direction, parts::text(text.clone()))]),
        other => conversation(&other.to_json(), role, direction)
            .unwrap_or_else(|| vec![Message::new(role, direction, parts::text(other.to_text()))]),
    }
}

/// What senders write for "none".
pub(super) fn is_nothing(text: &str) -> bool {
    matches!(text.trim(), "" | "None" | "null" | "undefined" | "N/A")
}

/// The list or map that `text` spells, in JSON or as a Python literal.
pub(super) fn literal(text: &str) -> Option<Value> {
    let text = text.trim();
    if !text.starts_with(['[', '{']) {
        return None;
    }
    serde_json::from_str(text)
        .ok()
        .or_else(|| python::parse(text))
        .filter(|value| value.is_object() || value.is_array())
}

/// The messages `value` is made of; `None` when it has none of the known shapes.
pub(super) fn conversation(value: &Value, role: &str, direction: Direction) -> Option<Vec<Message>> {
    match value {
        Value::Array(items) => list(items, role, direction),
        Value::Object(map) => object(map, value, role, direction),
        _ => None,
    }
}

/// A list of messages, or of the parts of one.
fn list(items: &[Value], role: &str, direction: Direction) -> Option<Vec<Message>> {
    if items.is_empty() || items.iter().any(is_message) {
        return Some(each(items, role, direction));
    }
    items.iter().all(parts::looks_like).then(|| {
        vec![Message {
            role: role.to_owned(),
            direction,
            parts: items.iter().map(parts::one).collect(),
            ..Message::default()
        }]
    })
}

/// A model API's request or answer, or one message.
fn object(map: &Map<String, Value>, value: &Value, role: &str, direction: Direction) -> Option<Vec<Message>> {
    for key in ["messages", "contents", "choices", "candidates", "output", "input"] {
        let Some(Value::Array(items)) = map.get(key) else {
            continue;
        };
        let mut messages = instructions(map, direction);
        messages.extend(list(items, role, direction)?);
        return Some(messages);
    }
    is_message(value).then(|| message(value, role, direction).into_iter().collect())
}

/// The instructions that some APIs keep beside the messages.
fn instructions(map: &Map<String, Value>, direction: Direction) -> Vec<Message> {
    let keys = [
        "system",
        "instructions",
        "system_instruction",
        "systemInstruction",
    ];
    let found = keys.iter().find_map(|key| map.get(*key));
    let message = found.and_then(|value| message(value, "system", direction));
    message
        .into_iter()
        .filter(|message| !message.parts.is_empty())
        .collect()
}

/// True when `value` has what only messages have.
fn is_message(value: &Value) -> bool {
    let keys = [
        "role",
        "parts",
        "message",
        "content",
        "tool_calls",
        "kwargs",
        "contents",
    ];
    let kinds = [
        "message",
        "function_call",
        "function_call_output",
        "human",
        "ai",
        "system",
        "tool",
    ];
    value.as_object().is_some_and(|map| {
        let kind = parts::str(map, &["type"]);
        match kind {
            Some(kind) if kinds.contains(&kind) => true,
            // A part has a kind and often a content too.
            Some(_) => map.contains_key("role") || map.contains_key("kwargs"),
            None => keys.iter().any(|key| map.contains_key(*key)),
        }
    })
}

/// The message of each item; an item that is none stays as JSON.
pub(super) fn each(items: &[Value], role: &str, direction: Direction) -> Vec<Message> {
    items
        .iter()
        .filter(|item| !item.is_null())
        .map(|item| {
            message(item, role, direction)
                .unwrap_or_else(|| Message::new(role, direction, parts::unknown("", item)))
        })
        .collect()
}

/// The message that `value` is; one that does not say who speaks is of `role`.
pub(super) fn message(value: &Value, role: &str, direction: Direction) -> Option<Message> {
    let map = match value {
        Value::Null => return None,
        Value::Object(map) => map,
        other => {
            return Some(Message {
                role: role.to_owned(),
                direction,
                parts: parts::all(other),
                ..Message::default()
            });
        }
    };
    if let Some(wrapped) = wrapped(map) {
        let mut message = message(&wrapped, role, direction)?;
        message.finish_reason = finish_reason(map).or(message.finish_reason);
        return Some(message);
    }
    let role = speaker(map).unwrap_or_else(|| role.to_owned());
    let found = said(map, value, &role);
    let known = !found.is_empty() || map.contains_key("role");
    known.then(|| Message {
        parts: found,
        direction,
        name: parts::str(map, &["name"]).map(str::to_owned),
        finish_reason: finish_reason(map),
        role,
    })
}

/// The message inside a choice, a candidate, OpenInference's list or LangChain's envelope.
fn wrapped(map: &Map<String, Value>) -> Option<Cow<'_, Value>> {
    let inner = map.get("message").or_else(|| map.get("kwargs"));
    // Gemini's candidate: its content is the message.
    let inner = inner.or_else(|| {
        map.get("content")
            .filter(|content| content.get("parts").is_some())
    });
    let inner = inner?;
    let spelled = inner.as_str().and_then(literal);
    Some(spelled.map_or(Cow::Borrowed(inner), Cow::Owned))
}

fn speaker(map: &Map<String, Value>) -> Option<String> {
    let kind = parts::str(map, &["type"]).unwrap_or_default();
    let word = match (parts::str(map, &["role"]), kind) {
        (Some(role), _) => role,
        (None, "human" | "ai" | "system" | "tool") => kind,
        (None, "function_call" | "reasoning") => "assistant",
        (None, "function_call_output") => "tool",
        _ => return None,
    };
    let lower = word.to_ascii_lowercase();
    Some(match lower.as_str() {
        "human" => "user".to_owned(),
        "ai" | "model" => "assistant".to_owned(),
        "function" => "tool".to_owned(),
        _ => lower,
    })
}

/// Everything a message says, thoughts first and calls last.
fn said(map: &Map<String, Value>, value: &Value, role: &str) -> Vec<Part> {
    if let Some("function_call" | "function_call_output" | "reasoning") = parts::str(map, &["type"]) {
        return vec![parts::one(value)];
    }
    let thoughts = parts::str(map, &["reasoning_content", "reasoning"]).filter(|text| !text.is_empty());
    let mut found: Vec<Part> = thoughts
        .map(|content| Part::Reasoning {
            content: content.to_owned(),
        })
        .into_iter()
        .collect();
    let body = ["parts", "content", "contents", "text", "refusal"]
        .iter()
        .find_map(|key| map.get(*key).filter(|value| !value.is_null()));
    if let Some(body) = body {
        if role == "tool" && !answers(body) {
            found.push(Part::ToolResult {
                id: parts::id(map),
                name: parts::str(map, &["name"]).map(str::to_owned),
                content: parts::joined(body),
            });
        } else {
            found.append(&mut parts::all(body));
        }
    }
    found.append(&mut calls(map));
    found
}

/// True when the parts of a tool's message say themselves that they are results.
fn answers(body: &Value) -> bool {
    let results = |item: &Value| matches!(parts::one(item), Part::ToolResult { .. });
    body.as_array().is_some_and(|items| items.iter().any(results))
}

/// Calls beside the content, as OpenAI's chat has them, as a list or as JSON in a string.
fn calls(map: &Map<String, Value>) -> Vec<Part> {
    let list = map.get("tool_calls").or_else(|| map.get("toolCalls"));
    let spelled = list.and_then(Value::as_str).and_then(literal);
    let mut found = spelled.as_ref().or(list).map(parts::all).unwrap_or_default();
    if let Some(Value::Object(only)) = map.get("function_call") {
        found.extend(parts::call(only));
    }
    found
}

fn finish_reason(map: &Map<String, Value>) -> Option<String> {
    parts::str(map, &["finish_reason", "finishReason", "stop_reason"]).map(str::to_owned)
}
