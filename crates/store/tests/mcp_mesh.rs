//! MCP Mesh in the store: events joined, the registry's copy below the agent's own, and the
//! answers of MCP Mesh's own API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use meshscope_api::SpanDetail;
use meshscope_api::mcp_mesh::TraceSearch;
use meshscope_model::columns::{EventKind, flag};
use meshscope_model::{Batch, SpanEntry, TraceId};
use meshscope_store::{DuckDb, Store};
use meshscope_telemetry::{Encoding, Signal, decode, mcp_mesh};
use proptest::prelude::*;
use std::ops::ControlFlow;

const NOW: i64 = 1_795_300_000_000_000_000;

const TRACE: &str = "67c1cd2786cd4b85b5fc937f354476df";
const SPAN: &str = "aa2c06fe989b47e6";

fn entry(fields: &[(&str, &str)]) -> SpanEntry {
    let ids = [("trace_id", TRACE), ("span_id", SPAN), ("agent_name", "reporter")];
    let fields: Vec<_> = ids
        .iter()
        .chain(fields)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    mcp_mesh::decode("1-0", &fields).unwrap()
}

fn batch(spans: Vec<SpanEntry>) -> Batch {
    Batch {
        spans,
        ..Batch::default()
    }
}

/// The span after these writes.
fn kept(writes: Vec<Vec<SpanEntry>>) -> SpanDetail {
    let store = DuckDb::in_memory().unwrap();
    for spans in writes {
        store.write(&[batch(spans)]).unwrap();
    }
    assert_eq!(store.counts().unwrap().spans, 1);
    let (trace, span) = (TRACE.parse().unwrap(), SPAN.parse().unwrap());
    store.span(trace, span).unwrap().unwrap()
}

fn events() -> [SpanEntry; 3] {
    [
        entry(&[
            ("event_type", "span_start"),
            ("timestamp", "10"),
            ("operation", "report"),
        ]),
        entry(&[
            ("event_type", "error"),
            ("timestamp", "11"),
            ("operation", "report"),
            ("error_message", "no route"),
        ]),
        entry(&[
            ("event_type", "span_end"),
            ("timestamp", "12"),
            ("operation", "report"),
            ("duration_ms", "2000"),
            ("success", "false"),
            ("llm_model", "openai/gpt-4o-mini"),
            ("llm_input_tokens", "123"),
            ("llm_output_tokens", "45"),
            ("llm_total_tokens", "168"),
        ]),
    ]
}

#[test]
fn events_join_in_any_order_across_writes_and_however_often() {
    let events = events();
    let at_once = kept(vec![events.to_vec()]);
    assert_eq!(
        (at_once.started_at, at_once.duration_ns),
        (10_000_000_000, 2_000_000_000)
    );
    assert_eq!(at_once.meaning.error.as_deref(), Some("no route"));
    assert_eq!(at_once.meaning.tokens.total, Some(168));
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let one_by_one = order.map(|index: usize| vec![events[index].clone()]);
        assert_eq!(kept(one_by_one.to_vec()), at_once, "{order:?}");
        let twice = [one_by_one.clone(), one_by_one].concat();
        assert_eq!(kept(twice), at_once, "{order:?} twice");
    }
}

#[test]
fn a_start_is_seen_before_its_end() {
    let [start, ..] = events();
    let seen = kept(vec![vec![start]]);
    assert_eq!((seen.started_at, seen.ended_at), (10_000_000_000, None));
}

/// What the registry makes of [`finished`]: its times are cut to the millisecond.
#[test]
fn its_columns_say_in_progress_until_the_end_is_heard_and_mark_its_events() {
    let [start, error, end] = events();
    let columns = |writes: &[&SpanEntry]| {
        let store = DuckDb::in_memory().unwrap();
        for entry in writes {
            store.write(&[batch(vec![(*entry).clone()])]).unwrap();
        }
        let mut pieces = Vec::new();
        let there = store.trace_columns(TRACE.parse().unwrap(), &mut |piece| {
            pieces.push(piece.columns);
            ControlFlow::Continue(())
        });
        assert!(there.unwrap() && pieces.len() == 1);
        pieces.remove(0)
    };
    let open = columns(&[&start]);
    assert_eq!((open.len(), open.duration[0]), (1, 0));
    assert!(open.has_flag(0, flag::IN_PROGRESS) && !open.has_flag(0, flag::ERROR));
    let ended = columns(&[&start, &error, &end]);
    assert!(!ended.has_flag(0, flag::IN_PROGRESS) && ended.has_flag(0, flag::ERROR));
    assert_eq!((ended.duration[0], ended.total_tokens[0]), (2_000_000_000, 168));
    let exceptions = ended
        .event_kind
        .iter()
        .filter(|kind| **kind == EventKind::Exception as u8);
    assert_eq!((ended.events(0).len(), exceptions.count()), (3, 1));
}

fn registrys_copy() -> SpanEntry {
    let json = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"reporter"}}}}]}},
        "scopeSpans":[{{"scope":{{"name":"mcp-mesh/reporter"}},"spans":[{{"traceId":"{TRACE}","spanId":"{SPAN}",
        "name":"chat","kind":2,"startTimeUnixNano":"10168000000","endTimeUnixNano":"10324000000",
        "attributes":[{{"key":"mcp.operation","value":{{"stringValue":"chat"}}}},
        {{"key":"mcp.duration.ms","value":{{"intValue":"156"}}}},
        {{"key":"mcp.extra","value":{{"stringValue":"kept"}}}}]}}]}}]}}]}}"#
    );
    let mut batch = decode(Signal::Traces, Encoding::Json, json.as_bytes())
        .unwrap()
        .batch;
    batch.spans.remove(0)
}

fn finished() -> SpanEntry {
    entry(&[
        ("function_name", "chat"),
        ("start_time", "10.1685338"),
        ("end_time", "10.3247156"),
        ("success", "True"),
        ("llm_model", "openai/gpt-4o-mini"),
        ("llm_input_tokens", "123"),
        ("llm_output_tokens", "45"),
        ("llm_total_tokens", "168"),
    ])
}

#[test]
fn the_agents_copy_wins_over_the_registrys_whichever_came_first() {
    let (own, copy) = (finished(), registrys_copy());
    for writes in [
        vec![vec![own.clone()], vec![copy.clone()]],
        vec![vec![copy.clone()], vec![own.clone()]],
        vec![vec![copy.clone(), own.clone()]],
        vec![vec![copy.clone()], vec![own], vec![copy]],
    ] {
        let span = kept(writes);
        assert_eq!((span.started_at, span.duration_ns), (10_168_533_800, 156_181_800));
        assert_eq!(span.scope.name, mcp_mesh::SPAN_SCOPE);
        assert_eq!(span.meaning.model.as_deref(), Some("gpt-4o-mini"));
        assert_eq!(span.meaning.tokens.total, Some(168));
        assert_eq!(span.attributes.text("mcp.extra"), Some("kept"));
    }
}

#[test]
fn a_finished_span_is_not_undone_by_events_of_it() {
    let [start, _, end] = events();
    let own = finished();
    for writes in [
        vec![vec![own.clone()], vec![start.clone()], vec![end.clone()]],
        vec![vec![start], vec![own], vec![end]],
    ] {
        let span = kept(writes);
        assert_eq!((span.started_at, span.duration_ns), (10_168_533_800, 156_181_800));
    }
}

/// The capture's entries, the registry's copy of one of its spans, and events of another trace.
fn everything() -> Vec<SpanEntry> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/captures/mcp-mesh/mesh_trace_v3.8.0_python.jsonl"
    );
    let text = std::fs::read_to_string(path).expect("the captures stand beside the checkout");
    let mut spans: Vec<SpanEntry> = text
        .lines()
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let fields: Vec<_> = entry["fields"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect();
            mcp_mesh::decode(entry["id"].as_str().unwrap(), &fields).unwrap()
        })
        .collect();
    let mut copy = registrys_copy();
    copy.span.trace_id = "c91914550726483382fa08bdb21c2f86".parse().unwrap();
    copy.span.span_id = "4aae25cd01a14aef".parse().unwrap();
    spans.push(copy);
    spans.extend(events().map(|mut event| {
        event.span.trace_id = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
        event
    }));
    spans
}

/// All that a reader can see of the spans, in one text.
fn seen(store: &DuckDb) -> String {
    let query = TraceSearch {
        limit: 100,
        ..TraceSearch::default()
    };
    let found = store.mesh_search(&query, NOW).unwrap();
    assert_eq!(found.total, found.traces.len() as u64);
    let ids: Vec<TraceId> = found
        .traces
        .iter()
        .map(|trace| trace.trace_id.parse().unwrap())
        .collect();
    let spans: Vec<Vec<SpanDetail>> = ids
        .iter()
        .map(|id| store.trace(*id).unwrap().unwrap().spans)
        .collect();
    let mut spans: Vec<SpanDetail> = spans.into_iter().flatten().collect();
    for span in &mut spans {
        span.attributes.0.sort_by(|a, b| a.key.cmp(&b.key));
    }
    let (stats, traffic) = (
        store.mesh_stats(NOW).unwrap(),
        store.mesh_traffic(i64::MIN).unwrap(),
    );
    format!("{:?} {stats:?} {traffic:?} {spans:?}", found.traces)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_order_batching_and_repetition_is_seen_the_same(
        order in Just((0..17_usize).chain(0..17).collect::<Vec<_>>()).prop_shuffle(),
        size in 1..12_usize,
    ) {
        let spans = everything();
        let in_order = DuckDb::in_memory().unwrap();
        in_order.write(&[batch(spans.clone())]).unwrap();
        let store = DuckDb::in_memory().unwrap();
        for part in order.chunks(size) {
            let part = part.iter().map(|index| spans[*index].clone()).collect();
            store.write(&[batch(part)]).unwrap();
        }
        prop_assert_eq!(store.counts().unwrap().spans, 14);
        prop_assert_eq!(seen(&store), seen(&in_order));
    }
}

#[test]
fn a_trace_in_progress_is_listed_when_it_goes_silent() {
    const SECOND: i64 = 1_000_000_000;
    let store = DuckDb::in_memory().unwrap();
    let [start, ..] = events();
    store.write(&[batch(vec![start])]).unwrap();
    let at = |seconds: i64| {
        let now = (10 + seconds) * SECOND;
        let query = TraceSearch {
            limit: 1,
            ..TraceSearch::default()
        };
        let listed = store.mesh_search(&query, now).unwrap().total;
        (listed, store.mesh_active(now).unwrap().traces)
    };
    assert_eq!((at(1), at(299), at(301)), ((0, 1), (0, 1), (1, 0)));
    let trace = store.mesh_trace(TRACE.parse().unwrap()).unwrap().unwrap();
    assert_eq!((trace.spans[0].end_time, trace.spans[0].success), (None, None));
}
