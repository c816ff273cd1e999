//! The conversation a span carries, in one form for all dialects: messages of parts, as the
//! GenAI conventions have them.

use serde::{Deserialize, Serialize};

/// One message given to a model or tool, or made by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`, `tool`, or the sender's own word.
    pub role: String,
    /// Given to the span, or made by it.
    pub direction: Direction,
    /// Name of the speaker, where one is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it says, in order; may be empty.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Why the model stopped (`stop`, `tool_calls`, `length`), where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
}

/// Whether a span was given a message or made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Given to the span.
    #[default]
    Input,
    /// Made by the span.
    Output,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        content: String,
    },
    /// What the model thought before it spoke.
    Reasoning {
        /// The text.
        content: String,
    },
    /// A wish to call a tool.
    ToolCall {
        /// Ties the call to its result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Tool.
        name: String,
        /// Arguments as text, in most cases JSON.
        arguments: String,
    },
    /// What a tool answered.
    ToolResult {
        /// The call it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Tool, where it is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The answer as text, in many cases JSON.
        content: String,
    },
    /// Data that lies in the message itself.
    Blob {
        /// For example `image/png`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
        /// The data in base64, as sent.
        data: String,
    },
    /// Data that lies elsewhere. The address is the sender's word: check its scheme before
    /// making it a link.
    Uri {
        /// For example `image/png`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
        /// Address or provider's file id.
        uri: String,
    },
    /// A part of a kind that is not known here.
    Other {
        /// Its kind in the sender's word; may be empty.
        kind: String,
        /// The whole part as JSON.
        content: String,
    },
}

impl Message {
    /// A message of one part.
    #[must_use]
    pub fn new(role: &str, direction: Direction, part: Part) -> Self {
        Self {
            role: role.to_owned(),
            direction,
            parts: vec![part],
            ..Self::default()
        }
    }

    /// Its texts, joined by line breaks: what a title or a search needs.
    #[must_use]
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.parts.iter().filter_map(Part::as_text).collect();
        texts.join("\n")
    }
}

impl Part {
    /// The text of a text part.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { content } => Some(content),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_tagged_parts_and_leads_back() {
        let mut message = Message::new("assistant", Direction::Output, Part::Text { content: "a".into() });
        message.parts.push(Part::ToolCall {
            id: None,
            name: "f".into(),
            arguments: "{}".into(),
        });
        message.parts.push(Part::Text { content: "b".into() });
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(
            json,
            r#"{"role":"assistant","direction":"output","parts":[{"type":"text","content":"a"},{"type":"tool_call","name":"f","arguments":"{}"},{"type":"text","content":"b"}]}"#
        );
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
        assert_eq!(message.text(), "a\nb");
    }
}
