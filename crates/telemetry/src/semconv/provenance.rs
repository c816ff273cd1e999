//! Which attribute gave a fact.
//!
//! Asked of the rules themselves: an attribute gave a fact when the fact changes with it. So what
//! is said here cannot differ from what the dialects do, and they need no bookkeeping.

use super::span as understand;
use meshscope_model::{Attributes, KeyValue, Span, SpanFacts, System};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many attributes of a span, and of its resource, are asked; more are left out.
const MOST: usize = 512;

/// Names of facts with the names of what gave them: an attribute (`gen_ai.request.model`), one of
/// the resource (`resource room`), of an event (`event error`), or `name`, `scope`, `status`.
pub type Provenance = BTreeMap<&'static str, Vec<String>>;

/// Where the facts of a span come from. Costs as many readings of the span as it has attributes.
#[must_use]
pub fn provenance(span: &Span) -> Provenance {
    let before = understand(span);
    let mut found = Provenance::new();
    let mut ask = |source: String, changed: &Span| {
        let after = understand(changed);
        if before.origin.system != after.origin.system {
            // Another dialect would read all else differently as well.
            found.entry("system").or_default().push(source);
            return;
        }
        for ((name, old), (_, new)) in values(&before).into_iter().zip(values(&after)) {
            if old != new && old.is_some() {
                found.entry(name).or_default().push(source.clone());
            }
        }
    };
    // One copy, in which one attribute at a time is another: a copy for each would cost as many
    // copies of attributes as the square of their number.
    let mut changed = span.clone();
    for (at, kv) in span.attributes.iter().enumerate().take(MOST) {
        alter(&mut changed.attributes, at);
        ask(kv.key.clone(), &changed);
        restore(&mut changed.attributes, at, kv);
    }
    for (at, kv) in span.resource.attributes.iter().enumerate().take(MOST) {
        alter(&mut Arc::make_mut(&mut changed.resource).attributes, at);
        ask(format!("resource {}", kv.key), &changed);
        restore(&mut Arc::make_mut(&mut changed.resource).attributes, at, kv);
    }
    for (at, event) in span.events.iter().enumerate().take(MOST) {
        let mut changed = span.clone();
        changed.events.remove(at);
        ask(format!("event {}", event.name), &changed);
    }
    let mut changed = span.clone();
    changed.name.push('\u{1}');
    ask("name".to_owned(), &changed);
    let mut changed = span.clone();
    Arc::make_mut(&mut changed.scope).name.clear();
    ask("scope".to_owned(), &changed);
    let mut changed = span.clone();
    changed.status = meshscope_model::Status::default();
    ask("status".to_owned(), &changed);
    found
}

/// Makes the attribute at `at` another one: a value that no rule reads alike.
fn alter(attributes: &mut Attributes, at: usize) {
    use meshscope_model::AttributeValue as V;
    let Some(kv) = attributes.0.get_mut(at) else {
        return;
    };
    kv.value = match &kv.value {
        V::Bool(value) => V::Bool(!value),
        V::Int(value) => V::Int(value.wrapping_add(1)),
        V::Double(value) => V::Double(value.mul_add(2.0, 1.0)),
        V::String(text) => V::String(altered(text)),
        _ => V::Empty,
    };
}

/// Puts the attribute at `at` back as it was.
fn restore(attributes: &mut Attributes, at: usize, as_it_was: &KeyValue) {
    if let Some(kv) = attributes.0.get_mut(at) {
        kv.value.clone_from(&as_it_was.value);
    }
}

/// Another text of the same kind: numbers and truth in text stay numbers and truth.
fn altered(text: &str) -> String {
    if let Ok(number) = text.parse::<i64>() {
        return number.wrapping_add(1).to_string();
    }
    if let Ok(number) = text.parse::<f64>() {
        return (number * 2.0 + 1.0).to_string();
    }
    match text.to_ascii_lowercase().as_str() {
        "true" => "False".to_owned(),
        "false" => "True".to_owned(),
        _ => format!("{text}\u{1}"),
    }
}

/// The facts by name, as text to compare.
fn values(facts: &SpanFacts) -> Vec<(&'static str, Option<String>)> {
    let o = &facts.origin;
    let usage = facts.usage.clone().unwrap_or_default();
    let t = usage.tokens;
    let n = |n: Option<i64>| n.map(|n| n.to_string());
    let is = |is: bool| is.then(|| "true".to_owned());
    vec![
        (
            "system",
            (o.system != System::OpenTelemetry).then(|| o.system.as_str().to_owned()),
        ),
        ("project", o.project.clone()),
        ("room", o.room.clone()),
        (
            "session",
            o.session.clone().or_else(|| o.fallback_session.clone()),
        ),
        ("agent", o.agent.clone()),
        (
            "operation",
            Some(facts.operation.as_str().to_owned()).filter(|name| !name.is_empty()),
        ),
        ("role", facts.role.clone()),
        ("tool", facts.tool.clone()),
        ("model", facts.model.clone()),
        ("provider", facts.provider.clone()),
        ("conversation", facts.conversation.clone()),
        ("user", facts.user.clone()),
        ("title", facts.title.clone()),
        ("verdict", facts.verdict.clone()),
        ("blocked", is(facts.blocked)),
        ("error", facts.error.clone()),
        ("time_to_first_token", n(facts.time_to_first_token)),
        ("reported_duration", n(facts.reported_duration)),
        ("noise", is(facts.noise)),
        ("interrupted", is(facts.interrupted)),
        ("uncertainty", facts.uncertainty.map(|u| u.to_string())),
        ("tokens.input", n(t.input)),
        ("tokens.cached_input", n(t.cached_input)),
        ("tokens.cache_write", n(t.cache_write)),
        ("tokens.output", n(t.output)),
        ("tokens.reasoning", n(t.reasoning)),
        ("tokens.audio_input", n(t.audio_input)),
        ("tokens.audio_output", n(t.audio_output)),
        ("tokens.total", n(t.total)),
        ("characters", n(usage.characters)),
        ("audio", n(usage.audio_ns)),
        ("cost", n(usage.cost_pico_usd)),
        ("carbon", n(usage.carbon_ug)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoding, Signal, decode};

    fn spans(name: &str) -> Vec<Span> {
        let path = format!("{}/../../../shared/captures/{name}", env!("CARGO_MANIFEST_DIR"));
        let batch = decode(Signal::Traces, Encoding::Protobuf, &std::fs::read(path).unwrap())
            .unwrap()
            .batch;
        batch.spans.into_iter().map(|entry| entry.span).collect()
    }

    fn of(spans: &[Span], name: &str) -> Provenance {
        provenance(spans.iter().find(|span| span.name == name).unwrap())
    }

    #[test]
    fn each_fact_names_the_attribute_that_won() {
        let chat = of(&spans("reference/0006-traces.pb"), "chat gpt-4o-mini");
        assert_eq!(chat["tokens.input"], ["gen_ai.usage.input_tokens"]);
        assert_eq!(
            chat["tokens.total"],
            ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"]
        );
        assert_eq!(chat["session"], ["gen_ai.conversation.id"]);
        assert!(chat["operation"].contains(&"gen_ai.operation.name".to_owned()));
        // The response's model is asked first; the request's, here the same, gave nothing.
        assert_eq!(chat["model"], ["gen_ai.response.model"]);
    }

    #[test]
    fn resource_scope_name_events_and_numbers_in_text_are_sources_too() {
        let turn = of(&spans("meshagent/0011-traces.pb"), "agent.turn");
        assert_eq!(turn["session"], ["resource session"]);
        assert_eq!(turn["room"], ["resource room"]);
        let generate = of(&spans("dexto/0002-traces.pb"), "agent.generate");
        assert_eq!(generate["system"], ["scope"]);
        let videosdk = spans("videosdk/0047-traces.pb");
        let call = of(&videosdk, "OpenAILLM: LLM Processing");
        assert_eq!(call["tokens.input"], ["input_tokens", "name"]);
        assert!(
            call["provider"].contains(&"provider_class".to_owned()),
            "{call:?}"
        );
        let tool = videosdk
            .iter()
            .find(|span| span.name.starts_with("Invoked Tool"))
            .unwrap();
        assert_eq!(provenance(tool)["tool"], ["name"]);
    }

    #[test]
    fn a_span_that_says_nothing_has_no_sources() {
        let mut span = spans("reference/0006-traces.pb").remove(0);
        span.attributes = Attributes::default();
        span.events.clear();
        Arc::make_mut(&mut span.resource).attributes = Attributes::default();
        span.status = meshscope_model::Status::default();
        assert_eq!(provenance(&span), Provenance::new());
    }
}
