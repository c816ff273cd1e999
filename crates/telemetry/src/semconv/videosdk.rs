//! VideoSDK agents: one trace a call. Every attribute is a string, a missing one is `None`,
//! and status is OK on almost everything that failed.

use super::read;
use crate::videosdk::calls::{self, Component};
use crate::videosdk::provider;
use meshscope_model::{Attributes, Call, Operation, Span, SpanFacts, Tokens, Usage};

pub(super) fn span(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    let text = |name: &str| a.text(name).filter(|text| *text != "None").map(str::to_owned);
    facts.origin.session = text("sessionId").or_else(|| facts.origin.session.take());
    facts.origin.room = text("roomId").or_else(|| facts.origin.room.take());
    facts.origin.agent = text("agent_name").or_else(|| facts.origin.agent.take());
    facts.model = text("model_name");
    facts.provider = text("provider_class").map(|class| provider(&class));
    let name = span.name.as_str();
    if name.starts_with("Agent Session: ") {
        facts.title = text("agent_name").map(|agent| format!("call with {agent}"));
    } else if name.starts_with("Turn #") {
        facts.operation = Operation::Turn;
    } else if name.ends_with(": LLM Processing") || name.ends_with(": Realtime Processing") {
        facts.operation = Operation::Chat;
        facts.usage = read::usage(tokens(a), None, None);
    } else if name.ends_with(": Text to Speech Processing") {
        facts.operation = Operation::TextToSpeech;
        let characters = read::count_in_string(a, "characters");
        facts.usage = characters.map(|n| Usage {
            characters: Some(n),
            ..Usage::default()
        });
    } else if name.ends_with(": Speech to Text Processing") {
        facts.operation = Operation::SpeechToText;
    } else if name.ends_with(": End-Of-Utterance Detection") {
        facts.operation = Operation::EndOfUtterance;
    } else if name == "Knowledge Base: Retrieval" {
        facts.operation = Operation::Retrieval;
    } else if let Some(tool) = name.strip_prefix("Invoked Tool: ") {
        facts.operation = Operation::ExecuteTool;
        facts.tool = Some(tool.to_owned());
    } else if name == "Time to First Token" {
        facts.time_to_first_token = read::milliseconds(a, "llm_ttft");
    } else if name == "LLM Error" {
        facts.error = Some(text("message").unwrap_or_default());
    } else if name.ends_with(" Error span") {
        facts.error = Some(text("error message").unwrap_or_else(|| span.status.message.clone()));
    }
    // `Errors` stands on the turn of a realtime model.
    let failed = |name: &str| name == "error" || name == "Errors";
    if let Some(event) = span.events.iter().find(|event| failed(&event.name)) {
        facts.error = Some(read::text(&event.attributes, &["message"]).unwrap_or_default());
    }
    facts.interrupted = name == "Turn Interrupted";
    facts.call = call(name, a);
    if span.duration() == 0 {
        let names = ["duration_ms", "retrieval_latency_ms"];
        facts.reported_duration = names.iter().find_map(|name| read::milliseconds(a, name));
    }
}

fn tokens(a: &Attributes) -> Tokens {
    let count = |name: &str| read::count_in_string(a, name);
    Tokens {
        input: count("input_tokens"),
        cached_input: count("cached_input_tokens"),
        output: count("output_tokens"),
        reasoning: count("thoughts"),
        total: count("total_tokens"),
        ..Tokens::default()
    }
}

/// The call that turn metrics describe as well.
fn call(name: &str, a: &Attributes) -> Option<Call> {
    let text = |name: &str| a.text(name).filter(|text| *text != "None");
    let of = Component {
        class: text("provider_class"),
        model: text("model_name"),
    };
    let ms = |name: &str| read::milliseconds(a, name);
    let count = |name: &str| read::count_in_string(a, name);
    let output = text("output").unwrap_or_default();
    if name.ends_with(": LLM Processing") {
        let tokens = ["input_tokens", "output_tokens", "total_tokens"].map(count);
        calls::llm(of, ms("duration_ms"), tokens, output, calls::SPAN)
    } else if name.ends_with(": Speech to Text Processing") {
        calls::speech_to_text(of, ms("duration_ms"), output, calls::SPAN)
    } else if name.ends_with(": Text to Speech Processing") {
        let (characters, spoken) = (count("characters"), ms("audio_duration_ms"));
        let spoken_text = text("input").unwrap_or_default();
        calls::text_to_speech(of, characters, spoken, spoken_text, calls::SPAN)
    } else if name == "Time to First Word" {
        calls::realtime(ms("duration_ms"), calls::SPAN)
    } else {
        None
    }
}
