//! Messages of Dexto: arguments and results of its methods, as JSON in strings.

use super::{parts, shapes};
use meshscope_model::{Attributes, Direction, Message, Part};
use serde_json::{Map, Value};

/// The messages of a call of the agent, of a model or of an MCP tool.
pub(super) fn messages(name: &str, attributes: &Attributes) -> Vec<Message> {
    match name {
        "agent.generate" | "agent.stream" | "agent.run" | "llm.vercel.stream" | "llm.vercel.generate" => {
            method(name, attributes)
        }
        _ if name.starts_with("mcp.tool.") => tool(attributes),
        _ => Vec::new(),
    }
}

/// What was asked is the method's first argument, what was answered its result.
fn method(name: &str, attributes: &Attributes) -> Vec<Message> {
    let json = |suffix: &str| -> Option<Value> {
        let text = attributes.text(&format!("{name}.{suffix}"))?;
        if shapes::is_nothing(text) {
            return None;
        }
        // Values are cut at 8192 characters, and then they are no JSON any more.
        Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
    };
    let mut found = Vec::new();
    if let Some(asked) = json("argument.0") {
        let read = shapes::conversation(&asked, "user", Direction::Input);
        let one = || {
            shapes::message(&asked, "user", Direction::Input)
                .into_iter()
                .collect()
        };
        found.append(&mut read.unwrap_or_else(one));
    }
    match json("result") {
        Some(Value::Object(answer)) => found.append(&mut answered(&answer)),
        Some(Value::String(text)) => {
            found.push(Message::new("assistant", Direction::Output, parts::text(text)));
        }
        _ => {}
    }
    found
}

/// `{content | text, reasoning, toolCalls: [{toolName, args, callId, result}]}`: each call with
/// its result, then what the agent said.
fn answered(answer: &Map<String, Value>) -> Vec<Message> {
    let mut found = Vec::new();
    if let Some(Value::Array(calls)) = answer.get("toolCalls") {
        for call in calls.iter().filter_map(Value::as_object) {
            let asked = parts::call(call);
            found.extend(asked.map(|part| Message::new("assistant", Direction::Output, part)));
            if let Some(result) = call.get("result") {
                let content = result.pointer("/data/content").unwrap_or(result);
                let part = Part::ToolResult {
                    id: parts::id(call),
                    name: parts::str(call, &["toolName"]).map(str::to_owned),
                    content: parts::joined(content),
                };
                found.push(Message::new("tool", Direction::Output, part));
            }
        }
    }
    let mut spoken = answer.clone();
    spoken.remove("toolCalls");
    let spoken = shapes::message(&Value::Object(spoken), "assistant", Direction::Output);
    found.extend(spoken.filter(|message| !message.parts.is_empty()));
    found
}

/// `tool.arguments` and `tool.result` of a call over MCP.
fn tool(attributes: &Attributes) -> Vec<Message> {
    let name = attributes.text("tool.name").map(str::to_owned);
    let call = attributes.text("tool.arguments").map(|arguments| Part::ToolCall {
        id: None,
        name: name.clone().unwrap_or_default(),
        arguments: arguments.to_owned(),
    });
    let result = attributes.text("tool.result").map(|text| {
        let whole = shapes::literal(text);
        let content = whole.as_ref().and_then(|value| value.get("content"));
        Part::ToolResult {
            id: None,
            name,
            content: content.map_or_else(|| text.to_owned(), parts::joined),
        }
    });
    let call = call.map(|part| Message::new("assistant", Direction::Input, part));
    let result = result.map(|part| Message::new("tool", Direction::Output, part));
    call.into_iter().chain(result).collect()
}
