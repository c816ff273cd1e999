//! Messages of VideoSDK agents: every value is a string, lists are Python's `repr`.

use super::{parts, shapes};
use meshscope_model::{Attributes, Direction, Message, Part};

/// What a span of a call carries: instructions, what was heard, thought of and said.
pub(super) fn messages(name: &str, attributes: &Attributes) -> Vec<Message> {
    let read = |key: &str, role: &str, direction| {
        let value = attributes.get(key);
        value.map_or_else(Vec::new, |value| shapes::read(value, role, direction))
    };
    if let Some(tool) = name.strip_prefix("Invoked Tool: ") {
        let call = Part::ToolCall {
            id: None,
            name: tool.to_owned(),
            arguments: String::new(),
        };
        return vec![Message::new("assistant", Direction::Output, call)];
    }
    match name {
        "Session Configuration" => plain(attributes, "system_instructions", "system", Direction::Input),
        "User Input Speech" => plain(attributes, "Transcript", "user", Direction::Input),
        "Agent Output Speech" => plain(attributes, "Transcript", "assistant", Direction::Output),
        _ if name.ends_with("Speech to Text Processing") => {
            plain(attributes, "output", "user", Direction::Output)
        }
        _ if name.ends_with("Text to Speech Processing") => {
            plain(attributes, "input", "assistant", Direction::Input)
        }
        _ if name.ends_with("LLM Processing") || name.ends_with("Realtime Processing") => {
            let mut found = read("input", "user", Direction::Input);
            found.append(&mut read("output", "assistant", Direction::Output));
            found
        }
        _ => Vec::new(),
    }
}

/// Speech is never anything but text, whatever it looks like.
fn plain(attributes: &Attributes, key: &str, role: &str, direction: Direction) -> Vec<Message> {
    let text = attributes.text(key).filter(|text| !shapes::is_nothing(text));
    let message = text.map(|text| Message::new(role, direction, parts::text(text.to_owned())));
    message.into_iter().collect()
}
