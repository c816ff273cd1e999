//! Attributes asked for: before and after their keys become frequent, and after a restart.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use meshscope_analysis::conversation::Spoken;
use meshscope_api::query::TimeRange;
use meshscope_api::{AttributeFilter, ListQuery};
use meshscope_model::{AttributeValue, Attributes, Batch, KeyValue, Message, Operation, SpanEntry};
use meshscope_store::{DuckDb, Options, Store};
use meshscope_telemetry::{Encoding, Signal, decode};
use std::ops::ControlFlow;

const NOW: i64 = 1_795_300_000_000_000_000;
/// Enough that a key that every one of them has is frequent.
const SPANS: u64 = 600;

/// The `n`-th span, a trace of its own: its step, score, route, and now and then a flag.
fn span(n: u64) -> SpanEntry {
    let mut attributes = vec![
        KeyValue::new("app.step", (n % 10) as i64),
        KeyValue::new("app.score", n as f64 / SPANS as f64),
        KeyValue::new(
            "http.route",
            if n.is_multiple_of(2) {
                "/v1/Work"
            } else {
                "/v1/rest"
            },
        ),
        KeyValue::new(
            "app.list",
            AttributeValue::Array(vec![AttributeValue::Int(n as i64)]),
        ),
    ];
    if n.is_multiple_of(3) {
        attributes.push(KeyValue::new("app.retry", n.is_multiple_of(2)));
    }
    if n == 599 {
        attributes.push(KeyValue::new("app.rare", "once"));
        attributes.push(KeyValue::new("app.step", "told twice"));
    }
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{:032x}","spanId":"{:016x}","name":"work",
        "startTimeUnixNano":"{}","endTimeUnixNano":"{NOW}"}}]}}]}}]}}"#,
        n + 1,
        n + 1,
        NOW - 1_000_000 + n as i64,
    );
    let decoded = decode(Signal::Traces, Encoding::Json, json.as_bytes()).unwrap();
    let mut entry = decoded.batch.spans.into_iter().next().unwrap();
    entry.span.attributes = Attributes(attributes);
    entry.facts.origin.project = Some("default".to_owned());
    entry
}

/// How many traces meet all of the filters.
fn count(store: &DuckDb, filters: &[&str]) -> usize {
    let query = ListQuery {
        range: TimeRange::ALL,
        limit: 1_000,
        attributes: filters
            .iter()
            .map(|text| AttributeFilter::parse(text).unwrap())
            .collect(),
        ..ListQuery::default()
    };
    let traces = store.traces(&query, NOW).unwrap().traces.len();
    let sessions = store.sessions(&query, NOW).unwrap().sessions.len();
    assert_eq!(traces, sessions, "{filters:?}");
    traces
}

/// The answers, over all spans.
fn ask(store: &DuckDb) {
    for (filters, right) in [
        (&["app.step=7"][..], 60),
        (&["app.step!=7"], 540),
        (&["app.step=told twice"], 0),
        (&["app.step>=8"], 120),
        (&["app.score>0.9"], 59),
        (&["app.score<=0"], 1),
        (&["http.route~WORK"], 300),
        (&["http.route=/v1/work"], 0),
        (&["http.route=/v1/Work", "app.step=4"], 60),
        (&["app.retry"], 200),
        (&["app.retry=true"], 100),
        (&["app.retry=false", "http.route~rest"], 100),
        (&["app.list~599"], 1),
        (&["app.rare=once"], 1),
        (&["app.rare"], 1),
        (&["no.such"], 0),
    ] {
        assert_eq!(count(store, filters), right, "{filters:?}");
    }
    // All of a span's attributes come back, a repeated key as well.
    for n in [0, 300, 599] {
        let right = span(n).span;
        let found = store.span(right.trace_id, right.span_id).unwrap().unwrap();
        let sorted = |attributes: &Attributes| {
            let mut all: Vec<String> = attributes.iter().map(|kv| format!("{kv:?}")).collect();
            all.sort();
            all
        };
        assert_eq!(sorted(&found.attributes), sorted(&right.attributes));
        assert_eq!(found.attributes.get("app.step"), right.attributes.get("app.step"));
    }
}

#[test]
fn attributes_are_found_wherever_they_are_kept() {
    // All at once: frequent from the first row; few at a time: the first ones before; and
    // again with a restart between.
    for group in [SPANS, 50, 7] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = DuckDb::open(dir.path(), &Options::default()).unwrap();
        let spans: Vec<SpanEntry> = (0..SPANS).map(span).collect();
        for (n, spans) in spans.chunks(group as usize).enumerate() {
            let batch = Batch {
                spans: spans.to_vec(),
                ..Batch::default()
            };
            store.write(&[batch]).unwrap();
            if group == 50 && n == 8 {
                store.close().unwrap();
                drop(store);
                store = DuckDb::open(dir.path(), &Options::default()).unwrap();
            }
        }
        ask(&store);
        store.close().unwrap();
        drop(store);
        ask(&DuckDb::open(dir.path(), &Options::default()).unwrap());
    }
}

/// A step of a session: a call that speaks, a tool that says nothing but its name, or what is no step.
fn step(n: u64) -> SpanEntry {
    let mut entry = span(n);
    entry.facts.origin.session = Some("talk".to_owned());
    let said = format!(r#"[{{"role":"assistant","parts":[{{"type":"text","content":"step {n}"}}]}}]"#);
    let speaks = |key: &str| KeyValue::new(key, said.clone());
    match n % 4 {
        0 => {
            entry.facts.operation = Operation::Chat;
            entry.span.attributes.0.push(speaks("gen_ai.output.messages"));
        }
        // Too rare for a column.
        1 if n % 40 == 1 => {
            entry.facts.operation = Operation::Chat;
            entry
                .span
                .attributes
                .0
                .push(KeyValue::new("llm.output_messages.0.message.role", "assistant"));
            entry.span.attributes.0.push(KeyValue::new(
                "llm.output_messages.0.message.content",
                format!("step {n}"),
            ));
        }
        1 | 2 => {
            entry.facts.operation = Operation::ExecuteTool;
            entry.facts.tool = Some("search".to_owned());
            if n % 4 == 2 {
                entry.span.attributes = Attributes::default();
            }
        }
        _ => {}
    }
    entry
}

#[test]
fn what_is_said_is_found_in_columns_and_in_lists() {
    const STEPS: u64 = 2_400;
    let store = DuckDb::in_memory().unwrap();
    // The key becomes frequent in between, so that it stands in lists and in a column.
    for first in (0..STEPS).step_by(300) {
        let spans = (first..first + 300).map(step).collect();
        store
            .write(&[Batch {
                spans,
                ..Batch::default()
            }])
            .unwrap();
    }
    let mut heard = Vec::new();
    let hear = &mut |spoken: Spoken| {
        heard.push(spoken);
        ControlFlow::Continue(())
    };
    store
        .session_spoken("default", "talk", STEPS as usize, hear)
        .unwrap();
    let right: Vec<u64> = (0..STEPS).filter(|n| n % 4 != 3).collect();
    let steps: Vec<u64> = heard.iter().map(|spoken| spoken.span_id.as_u64() - 1).collect();
    assert_eq!(steps, right);
    for (spoken, n) in heard.iter().zip(right) {
        let said: Vec<String> = spoken.messages.iter().map(Message::text).collect();
        let speaks = n % 4 == 0 || n % 40 == 1;
        assert_eq!(
            said,
            if speaks {
                vec![format!("step {n}")]
            } else {
                Vec::new()
            }
        );
        assert_eq!(spoken.tool.is_some(), !speaks, "{n}");
    }

    // The first so many, and as many as are taken.
    let count = |limit: usize, most: usize| {
        let mut taken = 0;
        let take = &mut |_| {
            taken += 1;
            if taken == most {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        store.session_spoken("default", "talk", limit, take).unwrap();
        taken
    };
    assert_eq!((count(7, 100), count(1_700, 1_234)), (7, 1_234));
    // One span of a trace says what it says, whatever it does.
    let of = |n: u64| {
        let mut said = Vec::new();
        let (trace, id) = (step(n).span.trace_id, step(n).span.span_id);
        let there = store.spoken(trace, Some(id), 10, &mut |spoken| {
            said.push(spoken);
            ControlFlow::Continue(())
        });
        (there.unwrap(), said.len())
    };
    assert_eq!((of(8), of(3), of(STEPS + 1)), ((true, 1), (true, 1), (false, 0)));
}
