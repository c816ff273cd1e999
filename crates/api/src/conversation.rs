//! The conversation of a trace or session: who said what, once, in the order of time.

use crate::params::Params;
use crate::problem::Problem;
use meshscope_model::{Message, Operation, Part, SpanId, TraceId};
use serde::{Deserialize, Serialize};

/// What `GET /api/v1/traces/{trace_id}/conversation` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationQuery {
    /// Only what this span carries, all of it, whether or not it was said before.
    pub span: Option<SpanId>,
    /// Texts of more bytes are cut to this many.
    pub preview: Option<usize>,
}

impl ConversationQuery {
    /// Texts are cut to no less than this many bytes.
    pub const SHORTEST: usize = 16;

    /// Reads a query string; the error names the parameter.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&["span", "preview"])?;
        let span = params.get("span").map(str::parse).transpose();
        Ok(Self {
            span: span.map_err(|error| Problem::invalid_parameter("span", format!("{error}")))?,
            preview: params.number("preview", Self::SHORTEST, usize::MAX)?,
        })
    }
}

/// Answer of `GET /api/v1/traces/{trace_id}/conversation` and of the same of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// The trace; absent of a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub trace_id: Option<TraceId>,
    /// What was said, in the order of time. A message that later calls repeat as their history
    /// stands once.
    pub turns: Vec<Turn>,
    /// What spans answered, by a hash: equal answers of two traces have equal ones.
    pub answers: Vec<Answer>,
    /// True when the trace has more spans with messages than were read.
    pub more: bool,
}

/// One message, and the span that it was first seen in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Turn {
    /// The span.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub span_id: SpanId,
    /// What the span does.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub operation: Operation,
    /// On whose behalf, the span's own agent or that of the nearest ancestor with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The model that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When it was said, ns since the epoch: the span's start for what it was given, else its end.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub at: i64,
    /// How long the span took to say it, ns; absent for what it was given.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub duration_ns: Option<i64>,
    /// Time to its first token, ns.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub time_to_first_token_ns: Option<i64>,
    /// What went wrong; present (maybe empty) when the span failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was said; nothing where the call failed before.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub message: Message,
    /// The tool calls among its parts with what came of them, in the order of the parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Outcome>,
    /// The parts that were cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<CutPart>,
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outcome {
    /// Which part of the message the call is, from 0.
    pub part: u32,
    /// The span that ran the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub span_id: Option<SpanId>,
    /// What the tool answered; absent while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Bytes of the whole answer, where it is cut.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub bytes: Option<i64>,
    /// How long the tool took, ns.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub duration_ns: Option<i64>,
    /// What went wrong; present (maybe empty) when the tool failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A part whose text is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CutPart {
    /// Which part of the message, from 0.
    pub part: u32,
    /// Bytes of the whole.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub bytes: i64,
}

/// What a span answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Answer {
    /// The span.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub span_id: SpanId,
    /// Hash of the answer.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub hash: u64,
}

impl Conversation {
    /// Cuts every text of more than `limit` bytes and notes how long it was.
    pub fn cut(&mut self, limit: usize) {
        for turn in &mut self.turns {
            for (part, index) in turn.message.parts.iter_mut().zip(0..) {
                if let Some(bytes) = shorten(text_of(part), limit) {
                    turn.cut.push(CutPart { part: index, bytes });
                }
            }
            for outcome in &mut turn.calls {
                outcome.bytes = outcome.result.as_mut().and_then(|text| shorten(text, limit));
            }
        }
    }
}

/// The text that makes a part long.
fn text_of(part: &mut Part) -> &mut String {
    match part {
        Part::Text { content }
        | Part::Reasoning { content }
        | Part::ToolResult { content, .. }
        | Part::Other { content, .. } => content,
        Part::ToolCall { arguments, .. } => arguments,
        Part::Blob { data, .. } => data,
        Part::Uri { uri, .. } => uri,
    }
}

/// Cuts a text that is longer than `limit` bytes; returns how long it was.
fn shorten(text: &mut String, limit: usize) -> Option<i64> {
    let bytes = text.len();
    (bytes > limit).then(|| {
        text.truncate(text.floor_char_boundary(limit));
        text.shrink_to_fit();
        i64::try_from(bytes).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::Direction;

    fn turn(part: Part, result: Option<&str>) -> Turn {
        Turn {
            span_id: SpanId::from_u64(7),
            operation: Operation::Chat,
            agent: None,
            model: None,
            at: 5,
            duration_ns: None,
            time_to_first_token_ns: None,
            error: None,
            message: Message::new("assistant", Direction::Output, part),
            calls: vec![Outcome {
                result: result.map(str::to_owned),
                ..Outcome::default()
            }],
            cut: Vec::new(),
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters_and_their_length_is_told() {
        let long = "ü".repeat(20);
        let text = Part::Text {
            content: long.clone(),
        };
        let mut conversation = Conversation {
            turns: vec![
                turn(text, Some(&long)),
                turn(
                    Part::Text {
                        content: "short".into(),
                    },
                    None,
                ),
            ],
            ..Conversation::default()
        };
        conversation.cut(17);
        let [first, second] = &conversation.turns[..] else {
            panic!("two turns")
        };
        assert_eq!(first.message.text(), "ü".repeat(8));
        assert_eq!(first.cut, [CutPart { part: 0, bytes: 40 }]);
        assert_eq!(
            (first.calls[0].result.as_deref(), first.calls[0].bytes),
            (Some("ü".repeat(8).as_str()), Some(40))
        );
        assert_eq!((second.message.text().as_str(), second.cut.len()), ("short", 0));
        let json = serde_json::to_string(&conversation).unwrap();
        assert_eq!(serde_json::from_str::<Conversation>(&json).unwrap(), conversation);
    }

    #[test]
    fn a_query_names_what_is_wrong() {
        let read = |query: &str| ConversationQuery::read(&Params::parse(query));
        assert_eq!(
            read("span=00000000000000ff&preview=16").unwrap(),
            ConversationQuery {
                span: Some(SpanId::from_u64(255)),
                preview: Some(16)
            }
        );
        for (query, parameter) in [("span=x", "span"), ("preview=3", "preview"), ("pan=1", "pan")] {
            assert_eq!(read(query).unwrap_err().parameter.as_deref(), Some(parameter));
        }
    }
}
