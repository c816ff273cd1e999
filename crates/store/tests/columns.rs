//! A trace as columns: whatever its spans are, they come once, in order, as of one moment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use meshscope_api::columns::{self, Totals};
use meshscope_model::columns::{ABSENT, flag};
use meshscope_model::{
    Attributes, Batch, Link, Operation, Span, SpanColumns, SpanEntry, SpanEvent, SpanFacts, SpanId, SpanKind,
    Status, Tokens, TraceId, Usage,
};
use meshscope_store::{DuckDb, Store};
use std::ops::ControlFlow;
use std::sync::Arc;

const START: i64 = 1_795_000_000_000_000_000;
const TRACE: TraceId = TraceId(7_u128.to_be_bytes());

fn span(trace_id: TraceId, id: u64, start: i64) -> SpanEntry {
    let span = Span {
        resource: Arc::default(),
        scope: Arc::default(),
        trace_id,
        span_id: SpanId::from_u64(id),
        parent_span_id: None,
        trace_state: String::new(),
        flags: 0,
        name: format!("work {}", id % 7),
        kind: SpanKind::Internal,
        start_time: START + start,
        end_time: Some(START + start + 5),
        attributes: Attributes::default(),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status: Status::default(),
    };
    let mut facts = SpanFacts::default();
    facts.origin.project = Some("default".to_owned());
    SpanEntry { span, facts }
}

fn store(spans: Vec<SpanEntry>) -> DuckDb {
    let store = DuckDb::in_memory().unwrap();
    let batch = Batch {
        spans,
        ..Batch::default()
    };
    store.write(&[batch]).unwrap();
    store
}

/// All pieces through the wire, and how many spans each had.
fn read(store: &DuckDb) -> (SpanColumns, Vec<usize>) {
    let (mut wire, mut totals, mut sizes) = (Vec::new(), Totals::default(), Vec::new());
    let there = store.trace_columns(TRACE, &mut |piece| {
        if wire.is_empty() {
            wire = columns::header(TRACE, Some(piece.spans));
        }
        totals.add(&piece.columns);
        sizes.push(piece.columns.len());
        wire.extend(columns::chunk(&piece.columns));
        ControlFlow::Continue(())
    });
    assert!(there.unwrap());
    wire.extend(columns::end(totals));
    (columns::decode(&wire).unwrap(), sizes)
}

#[test]
fn a_long_trace_comes_in_order_with_a_small_piece_first() {
    // Starts repeat, and come in no order.
    let spans: Vec<_> = (1..=20_000_u64)
        .map(|id| span(TRACE, id, (id * 7_919 % 5_003) as i64))
        .chain([span(TraceId::from_u128(8), 1, 3)])
        .collect();
    let store = store(spans.clone());
    let (columns, sizes) = read(&store);
    assert!(sizes.len() > 2 && sizes[0] < 2_100, "{sizes:?}");
    let mut expected: Vec<_> = spans
        .iter()
        .filter(|entry| entry.span.trace_id == TRACE)
        .map(|entry| (entry.span.start_time, entry.span.span_id.as_u64()))
        .collect();
    expected.sort_unstable();
    let came: Vec<_> = columns
        .start_time
        .iter()
        .copied()
        .zip(columns.span_id.iter().copied())
        .collect();
    assert_eq!(came, expected);
    let (names, service) = (7, 1);
    assert_eq!(
        columns.strings.len(),
        1 + names + service,
        "each string crosses once"
    );
    for row in [0, 9_999, 19_999] {
        assert_eq!(columns.name(row), format!("work {}", columns.span_id[row] % 7));
    }
}

#[test]
fn many_spans_of_one_moment_come_all_the_same() {
    let store = store((1..=70_000).map(|id| span(TRACE, id, 0)).collect());
    let (columns, sizes) = read(&store);
    assert!(columns.span_id.iter().copied().eq(1..=70_000), "{sizes:?}");
}

#[test]
fn a_reader_may_break_off_and_others_are_not_disturbed() {
    let store = store((1..=20_000).map(|id| span(TRACE, id, id as i64)).collect());
    let mut pieces = 0;
    let there = store.trace_columns(TRACE, &mut |_| {
        pieces += 1;
        ControlFlow::Break(())
    });
    assert!(there.unwrap());
    assert_eq!(pieces, 1);
    // The connection that it had is free for the next, which sees what came since.
    store
        .write(&[Batch {
            spans: vec![span(TRACE, 20_001, 20_001)],
            ..Batch::default()
        }])
        .unwrap();
    assert_eq!(read(&store).0.len(), 20_001);
    let none = store.trace_columns(TraceId::from_u128(9), &mut |_| panic!("there is no such trace"));
    assert!(!none.unwrap());
}

#[test]
fn marks_flags_and_figures_stand_at_their_spans() {
    let mut call = span(TRACE, 2, 10);
    call.span.parent_span_id = Some(SpanId::from_u64(1));
    call.facts.operation = Operation::Chat;
    call.facts.time_to_first_token = Some(3);
    call.facts.usage = Some(Usage {
        tokens: Tokens {
            input: Some(10),
            output: Some(4),
            total: Some(14),
            ..Tokens::default()
        },
        cost_pico_usd: Some(99),
        ..Usage::default()
    });
    let event = |after: i64, name: &str| SpanEvent {
        time: call.span.start_time + after,
        name: name.to_owned(),
        attributes: [meshscope_model::KeyValue::new("time", "no time of an event")]
            .into_iter()
            .collect(),
        ..SpanEvent::default()
    };
    let events = vec![
        event(3, "gen_ai.first_token"),
        event(-1, ""),
        event(4, "exception"),
    ];
    call.span.events = events;
    call.span.links = vec![Link::default(), Link::default()];
    let mut failed = span(TRACE, 3, 20);
    failed.facts.error = Some("x".repeat(100_000));
    let mut running = span(TRACE, 4, 30);
    running.span.end_time = None;
    running.facts.noise = true;
    let mut blocked = span(TRACE, 5, 40);
    blocked.facts.blocked = true;
    blocked.facts.error = Some("policy".to_owned());
    blocked.span.end_time = Some(START);
    blocked.facts.reported_duration = Some(77);
    let store = store(vec![blocked, running, failed, call, span(TRACE, 1, 0)]);
    let (c, _) = read(&store);
    assert_eq!(c.span_id, [1, 2, 3, 4, 5]);
    assert_eq!(c.parent_span_id, [0, 1, 0, 0, 0]);
    assert_eq!(c.duration, [5, 5, 5, 0, 77]);
    assert_eq!(
        c.flags,
        [
            0,
            0,
            flag::ERROR,
            flag::IN_PROGRESS | flag::NOISE,
            flag::BLOCKED | flag::REPORTED_DURATION | flag::ENDS_BEFORE_START
        ]
    );
    assert_eq!(c.events(1), 0..3);
    assert_eq!(c.event_time, [3, -1, 4].map(|after| START + 10 + after));
    assert_eq!(c.event_kind, [2, 0, 1]);
    assert_eq!(c.string(c.event_name[2]), "exception");
    assert_eq!([0, 1, 2].map(|row| c.links(row)), [0, 2, 0]);
    assert_eq!(
        (
            c.input_tokens[1],
            c.output_tokens[1],
            c.total_tokens[1],
            c.cost[1]
        ),
        (10, 4, 14, 99)
    );
    assert_eq!((c.cost[0], c.time_to_first_token[0]), (ABSENT, ABSENT));
    assert_eq!(
        (c.time_to_first_token[1], c.operation[1]),
        (3, Operation::Chat as u8)
    );
    assert!(c.string(c.message[2]).len() <= 512, "an error's text is cut");
    assert_eq!(c.string(c.message[4]), "policy");
}
