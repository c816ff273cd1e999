//! Messages by OpenInference: flattened lists, and what any span puts into `input.value` and
//! `output.value`.

use super::{flattened, parts, shapes};
use meshscope_model::{AttributeValue, Attributes, Direction, Message, Part};
use serde_json::Value;

/// `llm.input_messages` and `llm.output_messages`, or the texts of a plain completion.
pub(super) fn lists(attributes: &Attributes) -> Vec<Message> {
    let mut found = Vec::new();
    for (prefix, role, direction) in [
        ("llm.input_messages.", "user", Direction::Input),
        ("llm.output_messages.", "assistant", Direction::Output),
    ] {
        if let Some(Value::Array(items)) = flattened::gather(attributes, prefix) {
            found.append(&mut shapes::each(&items, role, direction));
        }
    }
    for (prefix, inner, role, direction) in [
        ("llm.prompts.", "prompt", "user", Direction::Input),
        ("llm.choices.", "completion", "assistant", Direction::Output),
    ] {
        if let Some(Value::Array(items)) = flattened::gather(attributes, prefix) {
            let inner = items.iter().filter_map(|item| item.get(inner));
            found.extend(inner.filter_map(|item| shapes::message(item, role, direction)));
        }
    }
    if let Some(finish) = attributes.text("llm.finish_reason")
        && let Some(last) = found.iter_mut().rev().find(|m| m.direction == Direction::Output)
    {
        last.finish_reason.get_or_insert_with(|| finish.to_owned());
    }
    found
}

/// `input.value` and `output.value`. On a tool's span they are call and result.
pub(super) fn values(attributes: &Attributes) -> Vec<Message> {
    let input = attributes.get("input.value");
    let output = attributes.get("output.value");
    let is_tool = attributes
        .text("openinference.span.kind")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("tool"));
    if is_tool {
        return tool(attributes, input, output);
    }
    let mut found = Vec::new();
    if let Some(value) = input {
        found.append(&mut shapes::read(value, "user", Direction::Input));
    }
    if let Some(value) = output {
        found.append(&mut shapes::read(value, "assistant", Direction::Output));
    }
    found
}

fn tool(
    attributes: &Attributes,
    input: Option<&AttributeValue>,
    output: Option<&AttributeValue>,
) -> Vec<Message> {
    let name = attributes.text("tool.name").map(str::to_owned);
    let id = attributes.text("tool.id").map(str::to_owned);
    let call = input.map(|arguments| Part::ToolCall {
        id: id.clone(),
        name: name.clone().unwrap_or_default(),
        arguments: arguments.to_text(),
    });
    let result = output.map(|content| Part::ToolResult {
        id,
        name,
        content: parts::joined(&content.to_json()),
    });
    let call = call.map(|part| Message::new("assistant", Direction::Input, part));
    let result = result.map(|part| Message::new("tool", Direction::Output, part));
    call.into_iter().chain(result).collect()
}
