//! MCP Mesh's stream entries: the capture of real agents, the documented events, bad entries.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use meshscope_model::{AttributeValue, Operation, SpanEntry, SpanKind, StatusCode, System};
use meshscope_telemetry::mcp_mesh::{EVENT_SCOPE, decode, settle, standing};
use serde_json::Value;
use std::collections::BTreeSet;

const CAPTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/captures/mcp-mesh/mesh_trace_v3.8.0_python.jsonl"
);

fn pairs(object: &Value) -> Vec<(String, String)> {
    let fields = object.as_object().unwrap().iter();
    fields
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn capture() -> Vec<(String, Vec<(String, String)>)> {
    let text = std::fs::read_to_string(CAPTURE).expect("the captures stand beside the checkout");
    text.lines()
        .map(|line| {
            let entry: Value = serde_json::from_str(line).unwrap();
            (entry["id"].as_str().unwrap().to_owned(), pairs(&entry["fields"]))
        })
        .collect()
}

fn entry(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let base = [
        ("trace_id", "67c1cd2786cd4b85b5fc937f354476df"),
        ("span_id", "aa2c06fe989b47e6"),
    ];
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in base.iter().chain(fields) {
        all.retain(|(there, _)| there != name);
        all.push(((*name).to_owned(), (*value).to_owned()));
    }
    all
}

fn decoded(fields: &[(&str, &str)]) -> SpanEntry {
    decode("1795220548289-0", &entry(fields)).unwrap()
}

#[test]
fn the_capture_has_its_golden_values() {
    let spans: Vec<SpanEntry> = capture()
        .iter()
        .map(|(id, fields)| decode(id, fields).unwrap())
        .collect();
    let traces: BTreeSet<_> = spans.iter().map(|entry| entry.span.trace_id).collect();
    let agents: BTreeSet<_> = spans
        .iter()
        .filter_map(|entry| entry.facts.origin.agent.as_deref())
        .collect();
    let failed = spans.iter().filter(|entry| entry.facts.error.is_some()).count();
    let hidden = spans.iter().filter(|entry| entry.facts.noise).count();
    assert_eq!((traces.len(), spans.len(), failed, hidden), (8, 13, 3, 3));
    let named = [
        "chat-agent",
        "dependent-service",
        "fastmcp-service",
        "llm-provider",
    ];
    assert_eq!(agents, BTreeSet::from(named));
    assert!(
        spans
            .iter()
            .all(|entry| entry.facts.origin.system == System::McpMesh
                && entry.facts.origin.project.as_deref() == Some("default")
                && entry.facts.origin.session.is_none())
    );
    let priced: Vec<_> = spans.iter().filter(|entry| entry.facts.model.is_some()).collect();
    assert_eq!(priced.len(), 1);
    let facts = &priced[0].facts;
    let tokens = facts.usage.as_ref().unwrap().tokens;
    assert_eq!(
        (tokens.input, tokens.output, tokens.total),
        (Some(123), Some(45), Some(168))
    );
    assert_eq!(
        (
            facts.provider.as_deref(),
            facts.model.as_deref(),
            facts.tool.as_deref(),
            facts.operation
        ),
        (Some("openai"), Some("gpt-4o-mini"), Some("chat"), Operation::Chat)
    );
    let streamed = spans
        .iter()
        .find(|entry| entry.span.attributes.str("llm_model") == Some("null"));
    let usage = streamed.unwrap().facts.usage.as_ref().unwrap();
    assert!(usage.tokens.is_empty(), "a 0 that nobody counted is not a count");
}

#[test]
fn nothing_of_an_entry_is_lost() {
    for (id, fields) in capture() {
        let SpanEntry { span, .. } = decode(&id, &fields).unwrap();
        for (name, text) in &fields {
            let kept = match name.as_str() {
                "trace_id" => span.trace_id.to_string(),
                "span_id" => span.span_id.to_string(),
                "parent_span" => span
                    .parent_span_id
                    .map_or_else(|| "null".to_owned(), |id| id.to_string()),
                "start_time" | "end_time" => {
                    let ns = if name == "start_time" {
                        span.start_time
                    } else {
                        span.end_time.unwrap()
                    };
                    let decimal = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
                    decimal.trim_end_matches('0').to_owned()
                }
                _ => {
                    let value = span
                        .attributes
                        .get(name)
                        .or_else(|| span.resource.attributes.get(name));
                    match value.unwrap_or_else(|| panic!("{name} of {id} is gone")) {
                        AttributeValue::Bool(true) => "True".to_owned(),
                        AttributeValue::Bool(false) => "False".to_owned(),
                        value => value.to_text(),
                    }
                }
            };
            assert_eq!(&kept, text, "{name} of {id}");
        }
    }
}

#[test]
fn a_finished_span_takes_its_times_from_what_it_has() {
    let times = |fields: &[(&str, &str)]| {
        let entry = decoded(fields);
        (
            entry.span.start_time,
            entry.span.end_time.unwrap(),
            entry.facts.reported_duration,
        )
    };
    let (start, end) = (("start_time", "10.5"), ("end_time", "11"));
    let length = ("duration_ms", "500.0");
    let whole = (10_500_000_000, 11_000_000_000, None);
    assert_eq!(times(&[start, end, length]), whole);
    assert_eq!(times(&[start, length]), whole);
    assert_eq!(times(&[end, length]), whole);
    assert_eq!(times(&[("published_at", "11"), length]), whole);
    // The entry's own id says when it was published.
    let published = 1_795_220_548_289_000_000;
    assert_eq!(times(&[]), (published, published, None));
    // An agent with a coarse clock: the length stands in the entry alone.
    assert_eq!(
        times(&[("start_time", "11"), end, length]),
        (11_000_000_000, 11_000_000_000, Some(500_000_000))
    );
}

#[test]
fn the_words_of_three_languages_are_understood() {
    for nobody in ["null", "None", "", "undefined"] {
        let span = decoded(&[("parent_span", nobody), ("end_time", "1")]).span;
        assert_eq!(
            (span.parent_span_id, span.kind),
            (None, SpanKind::Server),
            "{nobody:?}"
        );
    }
    for (word, code) in [
        ("True", StatusCode::Ok),
        ("true", StatusCode::Ok),
        ("FALSE", StatusCode::Error),
        ("maybe", StatusCode::Unset),
    ] {
        let span = decoded(&[("success", word), ("end_time", "1")]).span;
        assert_eq!(span.status.code, code, "{word}");
    }
    let failed = decoded(&[("error_message", "no route"), ("end_time", "1")]);
    assert_eq!(failed.facts.error.as_deref(), Some("no route"));
    let silent = decoded(&[("success", "False"), ("error", "null"), ("end_time", "1")]);
    assert_eq!(silent.facts.error.as_deref(), Some(""));
    let fine = decoded(&[("success", "true"), ("error", "retried once"), ("end_time", "1")]);
    assert_eq!(fine.facts.error, None);
}

#[test]
fn a_callers_own_trace_id_names_the_session() {
    let entry = decoded(&[("trace_id", "conversation 7"), ("end_time", "1")]);
    assert_eq!(entry.facts.origin.session.as_deref(), Some("conversation 7"));
    let other = decoded(&[
        ("trace_id", "conversation 7"),
        ("span_id", "x"),
        ("end_time", "1"),
    ]);
    assert_eq!(entry.span.trace_id, other.span.trace_id);
}

#[test]
fn a_bad_entry_says_what_would_be_right() {
    let wrong = |fields: &[(&str, &str)]| decode("1-0", &entry(fields)).unwrap_err().to_string();
    assert_eq!(
        wrong(&[("trace_id", "null")]),
        "trace_id is missing: give the trace's id, 32 hexadecimal digits"
    );
    assert!(wrong(&[("span_id", "")]).starts_with("span_id is missing"));
    assert!(wrong(&[("start_time", "yesterday")]).contains("start_time is \"yesterday\": give seconds"));
    assert!(wrong(&[("duration_ms", "-5")]).contains("duration_ms"));
    assert!(wrong(&[("event_type", "span_pause")]).contains("span_start, span_end or error"));
    assert!(wrong(&[("event_type", "span_end"), ("timestamp", "x")]).contains("timestamp"));
}

/// What the store makes of two copies of one span, less what the dialect does not care for.
fn joined(events: &[SpanEntry]) -> SpanEntry {
    let mut whole = events[0].clone();
    for event in &events[1..] {
        whole.span.events.extend(event.span.events.clone());
        whole.span.parent_span_id = whole.span.parent_span_id.or(event.span.parent_span_id);
    }
    settle(&mut whole);
    whole
}

#[test]
fn events_make_the_same_span_in_any_order() {
    let event = |kind: &str, time: &str, more: &[(&str, &str)]| {
        let mut fields = vec![
            ("event_type", kind),
            ("timestamp", time),
            ("agent_name", "reporter"),
            ("operation", "report"),
        ];
        fields.extend(more);
        decoded(&fields)
    };
    let start = event("span_start", "10", &[("parent_span", "00f067aa0ba902b7")]);
    let error = event("error", "11", &[("error_message", "no route")]);
    let end = event(
        "span_end",
        "12.5",
        &[("duration_ms", "2500"), ("success", "false")],
    );
    let alone = |entry: &SpanEntry| (entry.span.start_time, entry.span.end_time);
    let s = 1_000_000_000;
    assert_eq!(alone(&start), (10 * s, None), "in progress");
    assert_eq!(
        alone(&end),
        (12_500_000_000, Some(12_500_000_000)),
        "an orphan has no length"
    );
    assert_eq!(end.facts.reported_duration, Some(2_500_000_000));
    assert_eq!(alone(&error), (11 * s, Some(11 * s)), "an error by itself");
    assert_eq!(error.facts.error.as_deref(), Some("no route"));

    let parts = [start, error, end];
    let whole = joined(&parts);
    assert_eq!(alone(&whole), (10 * s, Some(12_500_000_000)));
    assert_eq!(whole.facts.reported_duration, None);
    assert_eq!(whole.facts.error.as_deref(), Some("no route"));
    assert_eq!(whole.facts.origin.agent.as_deref(), Some("reporter"));
    assert_eq!(whole.span.events.len(), 3);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let again = joined(&order.map(|index: usize| parts[index].clone()));
        assert_eq!(again.span.events, whole.span.events);
        assert_eq!(
            (&again.span, &again.facts),
            (&whole.span, &whole.facts),
            "{order:?}"
        );
    }
    let in_progress = joined(&parts[..2]);
    assert_eq!(alone(&in_progress), (10 * s, None));
    assert!(in_progress.facts.error.is_some());
    let twice = joined(&[whole.clone(), whole.clone()]);
    assert_eq!(twice, whole);
}

#[test]
fn a_span_of_endless_errors_stays_small() {
    let errors: Vec<SpanEntry> = (0..500)
        .map(|n| decoded(&[("event_type", "error"), ("timestamp", &n.to_string())]))
        .chain([decoded(&[("event_type", "span_end"), ("timestamp", "900")])])
        .collect();
    let whole = joined(&errors);
    assert_eq!(whole.span.end_time, Some(900_000_000_000));
    assert!(whole.span.events.len() <= 64, "{}", whole.span.events.len());
}

#[test]
fn the_agents_own_copy_stands_above_the_others() {
    let mut copy = decoded(&[("end_time", "1")]);
    assert_eq!(standing(&copy.span), 2);
    let event = decoded(&[("event_type", "span_end"), ("timestamp", "1")]);
    assert_eq!(
        (standing(&event.span), event.span.scope.name.as_str()),
        (1, EVENT_SCOPE)
    );
    std::sync::Arc::make_mut(&mut copy.span.scope).name = "mcp-mesh/reporter".to_owned();
    assert_eq!(standing(&copy.span), 0);
}
