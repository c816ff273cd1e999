//! Messages of MeshAgent: items of OpenAI's Responses API as JSON in strings, tool calls, and
//! the chat of a thread.

use super::{parts, shapes};
use meshscope_model::{Attributes, Direction, Message, Part};
use serde_json::Value;

/// What a span of an agent's turn carries.
pub(super) fn messages(name: &str, attributes: &Attributes) -> Vec<Message> {
    match name {
        "llm.stream.event" => streamed(attributes),
        "llm.handle_response" => item(attributes.text("message").and_then(shapes::literal)),
        "llm.handle_tool_call" => call(attributes, "name"),
        "llm.tool_adapter.create_messages" => {
            let result = attributes.text("output").map(|output| Part::ToolResult {
                id: None,
                name: None,
                content: output.to_owned(),
            });
            let message = result.map(|part| Message::new("tool", Direction::Output, part));
            message.into_iter().collect()
        }
        "chatbot.thread.message" => spoken(attributes),
        _ if name.starts_with("execute.") => call(attributes, "tool"),
        _ => Vec::new(),
    }
}

/// Of the events of a stream only two carry something whole: an item that is done, and the
/// answer that is complete.
fn streamed(attributes: &Attributes) -> Vec<Message> {
    let event = || attributes.text("event").and_then(shapes::literal);
    match attributes.text("type") {
        Some("response.output_item.done") => item(event().and_then(|event| event.get("item").cloned())),
        Some("response.completed") => {
            let output = event().and_then(|event| event.pointer("/response/output").cloned());
            match output {
                Some(Value::Array(items)) => shapes::each(&items, "assistant", Direction::Output),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn item(value: Option<Value>) -> Vec<Message> {
    let message = value.and_then(|value| shapes::message(&value, "assistant", Direction::Output));
    message.into_iter().collect()
}

/// A call of a tool; its arguments may be JSON that was made a JSON string again.
fn call(attributes: &Attributes, name_key: &str) -> Vec<Message> {
    let Some(name) = attributes.text(name_key) else {
        return Vec::new();
    };
    let arguments = attributes.text("arguments").unwrap_or_default();
    let arguments = match serde_json::from_str(arguments) {
        Ok(Value::String(inner)) => inner,
        _ => arguments.to_owned(),
    };
    let part = Part::ToolCall {
        id: attributes.text("call_id").map(str::to_owned),
        name: name.to_owned(),
        arguments,
    };
    vec![Message::new("assistant", Direction::Input, part)]
}

/// A line of the chat in a thread.
fn spoken(attributes: &Attributes) -> Vec<Message> {
    let Some(text) = attributes.text("text") else {
        return Vec::new();
    };
    let role = attributes.text("role").unwrap_or("user").to_ascii_lowercase();
    let role = if role == "agent" {
        "assistant".to_owned()
    } else {
        role
    };
    let mut message = Message::new(&role, Direction::Input, parts::text(text.to_owned()));
    message.name = attributes.text("from_participant_name").map(str::to_owned);
    vec![message]
}
