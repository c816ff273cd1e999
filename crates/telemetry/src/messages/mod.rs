//! The conversation a record carries: what went into a model or tool and what came out, read
//! from wherever its dialect puts it into one form.
//!
//! Nothing is judged here: text stays text, and what is not known stays as JSON.

mod dexto;
mod flattened;
mod genai;
mod meshagent;
mod openinference;
mod parts;
mod python;
mod shapes;
mod videosdk;

#[cfg(test)]
mod tests;

use meshscope_model::{AttributeValue, Attributes, Direction, Message, SpanEvent, System};

/// Beginnings of the attribute keys that hold messages by the conventions that a span of any system may follow.
/// A span whose system has no words of its own ([`has_own_words`]), with no such attribute ([`may_hold`]) and no
/// events, carries none.
pub const HOLDERS: [&str; 13] = [
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "llm.choices.",
    "input.value",
    "output.value",
];

/// May an attribute of this name hold messages, whatever the system?
#[must_use]
pub fn may_hold(key: &str) -> bool {
    HOLDERS.iter().any(|start| key.starts_with(start))
}

/// Do spans of the system hold messages in places of their own as well?
#[must_use]
pub fn has_own_words(system: System) -> bool {
    matches!(system, System::MeshAgent | System::VideoSdk | System::Dexto)
}

/// The messages of a span of `system`, those given to it before those it made; empty when it
/// carries none (senders capture content only when they are told to).
#[must_use]
pub fn of_span(system: System, name: &str, attributes: &Attributes, events: &[SpanEvent]) -> Vec<Message> {
    let mut found = Found::default();
    match system {
        System::MeshAgent => found.add(meshagent::messages(name, attributes)),
        System::VideoSdk => found.add(videosdk::messages(name, attributes)),
        System::Dexto => found.add(dexto::messages(name, attributes)),
        System::OpenTelemetry | System::OpenInference | System::MeshFlow | System::McpMesh => {}
    }
    found.add(genai::current(attributes));
    found.add(genai::events(events));
    found.add(genai::older(attributes));
    found.add(openinference::lists(attributes));
    found.add(genai::tool(attributes));
    found.add(openinference::values(attributes));
    let found = found.finish();
    let may = || has_own_words(system) || !events.is_empty() || attributes.iter().any(|kv| may_hold(&kv.key));
    debug_assert!(
        found.is_empty() || may(),
        "messages stand in a place that is not named"
    );
    found
}

/// The messages of a log record: an event of the GenAI conventions, by its `event_name`, or in
/// older senders by its attribute `event.name`.
#[must_use]
pub fn of_log(event_name: &str, body: &AttributeValue, attributes: &Attributes) -> Vec<Message> {
    let name = Some(event_name).filter(|name| !name.is_empty());
    let Some(name) = name.or_else(|| attributes.text("event.name")) else {
        return Vec::new();
    };
    let mut found = Found::default();
    found.add(genai::current(attributes));
    found.add(genai::log_event(name, body, attributes));
    found.finish()
}

/// Messages gathered from sources in the order of trust: for each direction the first source
/// that has any is believed, as a sender that writes two writes the same twice.
#[derive(Default)]
struct Found {
    input: Vec<Message>,
    output: Vec<Message>,
}

impl Found {
    fn add(&mut self, messages: Vec<Message>) {
        let (wants_input, wants_output) = (self.input.is_empty(), self.output.is_empty());
        for message in messages {
            match message.direction {
                Direction::Input if wants_input => self.input.push(message),
                Direction::Output if wants_output => self.output.push(message),
                Direction::Input | Direction::Output => {}
            }
        }
    }

    fn finish(mut self) -> Vec<Message> {
        self.input.append(&mut self.output);
        self.input
    }
}
