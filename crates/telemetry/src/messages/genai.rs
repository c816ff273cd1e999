//! Messages by OpenTelemetry's GenAI conventions: today's attributes, the events before them,
//! and the prompt and completion before those.

use super::{flattened, shapes};
use meshscope_model::{AttributeValue, Attributes, Direction, Message, Part, SpanEvent};
use serde_json::{Map, Value};

/// `gen_ai.system_instructions`, `gen_ai.input.messages` and `gen_ai.output.messages`: JSON in
/// a string on spans, structured on events.
pub(super) fn current(attributes: &Attributes) -> Vec<Message> {
    let mut found = Vec::new();
    for (key, role, direction) in [
        ("gen_ai.system_instructions", "system", Direction::Input),
        ("gen_ai.input.messages", "user", Direction::Input),
        ("gen_ai.output.messages", "assistant", Direction::Output),
    ] {
        if let Some(value) = attributes.get(key) {
            found.append(&mut shapes::read(value, role, direction));
        }
    }
    found
}

/// `gen_ai.prompt` and `gen_ai.completion`, whole or spread over `gen_ai.prompt.0.role` and
/// its like.
pub(super) fn older(attributes: &Attributes) -> Vec<Message> {
    let mut found = Vec::new();
    for (key, role, direction) in [
        ("gen_ai.prompt", "user", Direction::Input),
        ("gen_ai.completion", "assistant", Direction::Output),
    ] {
        if let Some(value) = attributes.get(key) {
            found.append(&mut shapes::read(value, role, direction));
        } else if let Some(Value::Array(items)) = flattened::gather(attributes, &format!("{key}.")) {
            found.append(&mut shapes::each(&items, role, direction));
        }
    }
    found
}

/// The call and the result of a tool's own span.
pub(super) fn tool(attributes: &Attributes) -> Vec<Message> {
    let text = |key| attributes.get(key).map(AttributeValue::to_text);
    let id = attributes.text("gen_ai.tool.call.id").map(str::to_owned);
    let name = attributes.text("gen_ai.tool.name").map(str::to_owned);
    let call = text("gen_ai.tool.call.arguments").map(|arguments| Part::ToolCall {
        id: id.clone(),
        name: name.clone().unwrap_or_default(),
        arguments,
    });
    let result = text("gen_ai.tool.call.result").map(|content| Part::ToolResult { id, name, content });
    let call = call.map(|part| Message::new("assistant", Direction::Input, part));
    let result = result.map(|part| Message::new("tool", Direction::Output, part));
    call.into_iter().chain(result).collect()
}

/// The messages that stand as events on the span.
pub(super) fn events(events: &[SpanEvent]) -> Vec<Message> {
    events
        .iter()
        .flat_map(|event| {
            let attributes = &event.attributes;
            match event.name.as_str() {
                "gen_ai.client.inference.operation.details" => current(attributes),
                "gen_ai.content.prompt" | "gen_ai.content.completion" => older(attributes),
                name => event_message(name, event_value(attributes)).into_iter().collect(),
            }
        })
        .collect()
}

/// The message of a log record that is an event called `name`.
pub(super) fn log_event(name: &str, body: &AttributeValue, attributes: &Attributes) -> Vec<Message> {
    let value = match body {
        AttributeValue::Empty => event_value(attributes),
        AttributeValue::String(text) => shapes::literal(text).unwrap_or_else(|| Value::String(text.clone())),
        other => other.to_json(),
    };
    event_message(name, value).into_iter().collect()
}

/// What an event says with its attributes: as one JSON text, or one attribute a field.
fn event_value(attributes: &Attributes) -> Value {
    let whole = attributes.text("gen_ai.event.content").and_then(shapes::literal);
    whole.unwrap_or_else(|| {
        let entries = attributes
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.to_json()));
        Value::Object(entries.collect::<Map<_, _>>())
    })
}

/// The event's name is the role, unless it says another.
fn event_message(name: &str, value: Value) -> Option<Message> {
    let (role, direction) = match name {
        "gen_ai.system.message" => ("system", Direction::Input),
        "gen_ai.user.message" => ("user", Direction::Input),
        "gen_ai.assistant.message" => ("assistant", Direction::Input),
        "gen_ai.tool.message" => ("tool", Direction::Input),
        "gen_ai.choice" => ("assistant", Direction::Output),
        _ => return None,
    };
    let mut value = value;
    if let Value::Object(map) = &mut value
        && !map.contains_key("message")
    {
        map.entry("role").or_insert_with(|| Value::from(role));
    }
    shapes::message(&value, role, direction)
}
