//! Figures of usage where records come late, apart, twice, or with wild times.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use meshscope_api::prices::Reprice;
use meshscope_api::{ListQuery, Params, TimeRange, UsageQuery, UsageReport};
use meshscope_model::batch::PointUsage;
use meshscope_model::metric::PointValue;
use meshscope_model::time::{DAY, HOUR, MINUTE, SECOND};
use meshscope_model::{
    AttributeValue, Attributes, Batch, Call, LogEntry, LogRecord, Metric, MetricPoint, Operation, Origin,
    PointEntry, Resource, Scope, Span, SpanEntry, SpanFacts, SpanId, SpanKind, Status, Tokens, TraceId,
    Usage,
};
use meshscope_store::{DuckDb, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const NOW: i64 = 1_795_220_548_168_533_800;

fn origin(session: Option<&str>) -> Origin {
    Origin {
        project: Some("p".to_owned()),
        session: session.map(str::to_owned),
        ..Origin::default()
    }
}

fn usage(total: i64) -> Usage {
    Usage {
        tokens: Tokens {
            total: Some(total),
            ..Tokens::default()
        },
        ..Usage::default()
    }
}

/// A call of ten tokens that took a second.
fn call(trace: u128, id: u64, start: i64, session: Option<&str>) -> SpanEntry {
    SpanEntry {
        span: Span {
            resource: Arc::new(Resource::default()),
            scope: Arc::new(Scope::default()),
            trace_id: TraceId::from_u128(trace),
            span_id: SpanId::from_u64(id),
            parent_span_id: None,
            trace_state: String::new(),
            flags: 0,
            name: "work".to_owned(),
            kind: SpanKind::Internal,
            start_time: start,
            end_time: Some(start + SECOND),
            attributes: Attributes::default(),
            dropped_attributes_count: 0,
            events: Vec::new(),
            dropped_events_count: 0,
            links: Vec::new(),
            dropped_links_count: 0,
            status: Status::default(),
        },
        facts: SpanFacts {
            origin: origin(session),
            operation: Operation::Chat,
            model: Some("x".to_owned()),
            usage: Some(usage(10)),
            ..SpanFacts::default()
        },
    }
}

/// A counter of a call, without how long it took.
fn point(time: i64, call: Option<Call>) -> PointEntry {
    PointEntry {
        point: MetricPoint {
            resource: Arc::new(Resource::default()),
            scope: Arc::new(Scope::default()),
            metric: Arc::new(Metric {
                name: "tokens".to_owned(),
                ..Metric::default()
            }),
            attributes: Attributes::default(),
            start_time: 0,
            time,
            flags: 0,
            value: PointValue::Int(10),
            exemplars: Vec::new(),
        },
        origin: origin(Some("counted")),
        usage: Some(PointUsage {
            usage: usage(10),
            model: Some("x".to_owned()),
            ..PointUsage::default()
        }),
        identity: None,
        call,
    }
}

fn log(time: i64) -> LogEntry {
    LogEntry {
        record: LogRecord {
            resource: Arc::new(Resource::default()),
            scope: Arc::new(Scope::default()),
            time,
            observed_time: 0,
            severity_number: 9,
            severity_text: String::new(),
            body: AttributeValue::from("a word"),
            attributes: Attributes::default(),
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: None,
            span_id: None,
            event_name: String::new(),
        },
        origin: origin(Some("logs")),
        identity: None,
    }
}

fn write(store: &DuckDb, spans: Vec<SpanEntry>) {
    let batch = Batch {
        spans,
        ..Batch::default()
    };
    store.write(&[batch]).unwrap();
}

fn ask(store: &DuckDb, text: &str) -> UsageReport {
    let query = UsageQuery::read(&Params::parse(text)).unwrap();
    store.usage(&query, NOW).unwrap()
}

fn listed(store: &DuckDb) -> Vec<String> {
    let all = ListQuery {
        range: TimeRange::ALL,
        limit: 100,
        ..ListQuery::default()
    };
    let sessions = store.sessions(&all, NOW).unwrap().sessions;
    sessions.into_iter().map(|session| session.session_id).collect()
}

#[test]
fn a_report_is_as_of_one_moment_while_others_write_and_sum_up() {
    const CALLS: u64 = 50;
    let store = DuckDb::in_memory().unwrap();
    let begin = NOW - 5 * HOUR;
    let write_next = |n: u64| {
        let spans = (0..CALLS)
            .map(|k| {
                call(
                    u128::from(n + 1),
                    k + 1,
                    begin + (n * CALLS + k) as i64 * SECOND,
                    Some("s"),
                )
            })
            .collect();
        write(&store, spans);
    };
    write_next(0);
    store.sum_up_all().unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..40 {
                write_next(n);
                store.sum_up_all().unwrap();
            }
            ended.store(true, Ordering::Release);
        });
        let mut seen = 0;
        while !ended.load(Ordering::Acquire) {
            let report = ask(&store, "from=0&bucket=1h");
            let calls = report.totals.measures.calls;
            assert_eq!(calls % CALLS, 0, "a write counts whole or not at all");
            assert_eq!((report.totals.runs * CALLS, report.totals.spans), (calls, calls));
            assert!(calls >= seen, "{calls} after {seen}");
            seen = calls;
        }
    });
    assert_eq!(ask(&store, "from=0").totals.measures.calls, 40 * CALLS);
}

/// More traces than are remembered of those that came lately.
const MANY: u128 = 120_000;

#[test]
fn a_run_that_grows_after_it_was_summed_up_stays_one() {
    let dir = tempfile::tempdir().unwrap();
    let open = || DuckDb::open(dir.path(), &meshscope_store::Options::default()).unwrap();
    let start = NOW - 3 * HOUR;
    let check = |store: &DuckDb, runs: u64, spans: u64| {
        for _ in 0..2 {
            let report = ask(store, "from=0&bucket=1h");
            assert_eq!((report.totals.runs, report.totals.spans), (runs, spans));
            store.sum_up_all().unwrap();
        }
    };
    let store = open();
    write(&store, vec![call(1, 1, start, None)]);
    check(&store, 1, 1);
    for from in (2..MANY + 2).step_by(20_000) {
        write(
            &store,
            (from..from + 20_000).map(|n| call(n, 1, start, None)).collect(),
        );
    }
    let (mut runs, mut spans) = (MANY as u64 + 1, MANY as u64 + 1);
    check(&store, runs, spans);
    let last = MANY + 2;
    let grow = |store: &DuckDb, trace: u128, id: u64| {
        write(store, vec![call(trace, id, start + id as i64 * SECOND, None)]);
    };
    // One that came just now, between others that are new.
    for id in 2..5 {
        write(&store, vec![call(last + u128::from(id), 1, start, None)]);
        grow(&store, MANY + 1, id);
        (runs, spans) = (runs + 1, spans + 2);
        check(&store, runs, spans);
    }
    grow(&store, 1, 2);
    spans += 1;
    check(&store, runs, spans);
    drop(store);
    let store = open();
    grow(&store, 1, 3);
    write(&store, vec![call(last, 1, start, None)]);
    (runs, spans) = (runs + 1, spans + 2);
    check(&store, runs, spans);
}

#[test]
fn a_run_whose_session_is_named_by_a_repeat_stays_one() {
    let store = DuckDb::in_memory().unwrap();
    let start = NOW - 3 * HOUR;
    write(&store, vec![call(1, 1, start, None)]);
    store.sum_up_all().unwrap();
    write(&store, vec![call(2, 1, start, None)]);
    write(&store, vec![call(1, 1, start, Some("chat"))]);
    for n in 3..6 {
        store.sum_up_all().unwrap();
        write(&store, vec![call(n, 1, start, None)]);
        let totals = ask(&store, "from=0&bucket=1h").totals;
        assert_eq!((u128::from(totals.runs), u128::from(totals.spans)), (n, n));
    }
}

#[test]
fn a_session_that_is_named_late_is_the_only_one() {
    let store = DuckDb::in_memory().unwrap();
    let start = NOW - 3 * HOUR;
    write(&store, vec![call(1, 2, start, None)]);
    store.sum_up_all().unwrap();
    write(&store, vec![call(1, 1, start - MINUTE, Some("chat"))]);
    for _ in 0..2 {
        assert_eq!(listed(&store), ["chat"]);
        let report = ask(&store, "from=0&bucket=1h");
        assert_eq!((report.totals.sessions, report.totals.runs), (1, 1));
        assert!(report.timeline.iter().all(|totals| totals.sessions <= 1));
        store.sum_up_all().unwrap();
    }
}

#[test]
fn a_run_of_days_counts_after_the_sums_have_known_none() {
    let store = DuckDb::in_memory().unwrap();
    let short = |n: u128| write(&store, vec![call(n, 1, NOW - HOUR, Some("short"))]);
    short(1);
    store.sum_up_all().unwrap();
    let begin = NOW - 3 * DAY;
    let mut long = call(2, 1, begin, Some("long"));
    long.span.end_time = Some(begin + 2 * DAY);
    write(&store, vec![long]);
    // In the midst of it nothing but that it is there is known.
    let amid = format!("from={}&to={}&bucket=1h", begin + DAY, begin + DAY + 6 * HOUR);
    for n in 3..6 {
        assert_eq!(ask(&store, &amid).totals.sessions, 1);
        let all = ask(&store, "from=0&bucket=1d");
        assert_eq!(all.totals.sessions, 2);
        let days: Vec<u64> = all.timeline.iter().map(|day| day.sessions).collect();
        assert_eq!(
            days.iter().sum::<u64>(),
            3,
            "where it begins, where it ends, and the other one: {days:?}"
        );
        store.sum_up_all().unwrap();
        short(n);
    }
}

#[test]
fn a_record_from_the_end_of_time_holds_up_nothing() {
    let store = DuckDb::in_memory().unwrap();
    let wild = Batch {
        logs: vec![log(i64::MAX)],
        ..Batch::default()
    };
    store.write(&[wild]).unwrap();
    store.sum_up_all().unwrap();
    assert_eq!(ask(&store, "from=0").totals.sessions, 1);
    let mut spans = vec![
        call(1, 1, NOW - HOUR, Some("chat")),
        call(2, 1, i64::MAX - SECOND, Some("far")),
    ];
    spans.push(call(3, 1, i64::MAX - SECOND, None));
    write(&store, spans);
    store.sum_up_all().unwrap();
    // The session of the far trace is named late too: its hour is made anew.
    write(&store, vec![call(3, 2, NOW - HOUR, Some("far"))]);
    for _ in 0..2 {
        let report = ask(&store, "from=0&bucket=1d&by=model");
        assert_eq!((report.totals.measures.calls, report.totals.runs), (4, 3));
        assert_eq!(report.totals.sessions, 3);
        assert!(
            report.to <= NOW + DAY && report.timeline.len() < 4,
            "{:?}",
            report.bounds
        );
        store.sum_up_all().unwrap();
    }
}

#[test]
fn a_call_of_unknown_duration_is_not_a_short_one() {
    let store = DuckDb::in_memory().unwrap().exact_up_to(10);
    let start = NOW - 3 * HOUR;
    let batch = Batch {
        spans: (1..=20)
            .map(|n| call(n, 1, start + n as i64, Some("chat")))
            .collect(),
        points: (1..=40).map(|n| point(start + n * SECOND, None)).collect(),
        ..Batch::default()
    };
    store.write(&[batch]).unwrap();
    for _ in 0..2 {
        let all = ask(&store, "from=0&by=model&bucket=1h").totals.measures;
        assert_eq!(all.calls, 60);
        let p50 = all.latency_ns.p50.unwrap() as f64;
        assert!((p50 / SECOND as f64 - 1.0).abs() < 0.023, "{p50}");
        let query = UsageQuery::read(&Params::parse("from=0")).unwrap();
        let map = store
            .usage_latency(&query, meshscope_api::usage_query::LatencyOf::Calls, NOW)
            .unwrap();
        assert_eq!(map.cells.iter().map(|cell| cell.count).sum::<u32>(), 20);
        store.sum_up_all().unwrap();
    }
}

#[test]
fn filters_of_sessions_and_of_calls_hold_together() {
    let store = DuckDb::in_memory().unwrap();
    let start = NOW - 3 * HOUR;
    let mut failed = call(1, 1, start, Some("failed"));
    failed.facts.error = Some("it broke".to_owned());
    failed.facts.origin.agent = Some("planner".to_owned());
    failed.facts.origin.room = Some("lab".to_owned());
    let mut fine = call(2, 1, start, Some("fine"));
    fine.facts.origin.agent = Some("writer".to_owned());
    fine.facts.origin.room = Some("lobby".to_owned());
    let mut other = call(3, 1, start, Some("other"));
    other.facts.error = Some("it broke".to_owned());
    other.facts.model = Some("y".to_owned());
    write(&store, vec![failed, fine, other]);
    for _ in 0..2 {
        let totals = ask(&store, "from=0&has_error=true&model=x").totals;
        assert_eq!((totals.measures.calls, totals.runs), (1, 1));
        assert_eq!((totals.sessions, totals.agents, totals.rooms), (1, 1, 1));
        let both = ask(&store, "from=0&model=x&provider=none-of-them").totals;
        assert_eq!((both.measures.calls, both.sessions, both.runs), (0, 0, 0));
        store.sum_up_all().unwrap();
    }
}

#[test]
fn lists_of_a_cost_have_all_that_cost_as_much_in_order() {
    let store = DuckDb::in_memory().unwrap();
    // More rows than are looked at first; few cost much, and those are old.
    let spans = (0..1_300_u128).map(|n| {
        let mut span = call(
            n + 1,
            1,
            NOW - DAY + n as i64 * SECOND,
            Some(&format!("s{}", n / 2)),
        );
        let cost = if n < 20 { 5_000 } else { n as i64 % 7 };
        span.facts.usage.as_mut().unwrap().cost_pico_usd = Some(cost);
        span
    });
    write(&store, spans.collect());
    // A call that only a counter tells, of a session without spans.
    let mut counted = point(NOW - 2 * DAY, None);
    counted.usage.as_mut().unwrap().usage.cost_pico_usd = Some(9_000);
    let batch = Batch {
        points: vec![counted],
        ..Batch::default()
    };
    store.write(&[batch]).unwrap();
    let query = |least: Option<i64>, limit: u32, cursor: Option<String>| ListQuery {
        range: TimeRange::ALL,
        min_cost_pico_usd: least,
        limit,
        cursor,
        ..ListQuery::default()
    };
    let sessions = |least: Option<i64>, limit: u32| {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.sessions(&query(least, limit, cursor), NOW).unwrap();
            found.extend(page.sessions.into_iter().map(|s| (s.session_id, s.cost_pico_usd)));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return found;
            }
        }
    };
    let traces = |least: Option<i64>, limit: u32| {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.traces(&query(least, limit, cursor), NOW).unwrap();
            found.extend(
                page.traces
                    .into_iter()
                    .map(|t| (t.trace_id.to_string(), t.cost_pico_usd)),
            );
            cursor = page.next_cursor;
            if cursor.is_none() {
                return found;
            }
        }
    };
    let costing = |all: &[(String, Option<i64>)], least: i64| -> Vec<_> {
        all.iter()
            .filter(|(_, cost)| *cost >= Some(least))
            .cloned()
            .collect()
    };
    let (all_sessions, all_traces) = (sessions(None, 500), traces(None, 500));
    assert_eq!((all_sessions.len(), all_traces.len()), (651, 1_300));
    for (least, limit) in [(1, 400), (6, 50), (5_000, 7), (5_001, 100), (20_000, 100)] {
        assert_eq!(
            sessions(Some(least), limit),
            costing(&all_sessions, least),
            "{least}"
        );
        assert_eq!(traces(Some(least), limit), costing(&all_traces, least), "{least}");
    }
    assert_eq!(sessions(Some(9_000), 10).len(), 11);
}

#[test]
fn pricing_anew_tells_of_every_call_once() {
    let store = DuckDb::in_memory().unwrap();
    let start = NOW - 3 * HOUR;
    let told = |source| Some(Call { key: 7, source });
    let mut span = call(1, 1, start, Some("chat"));
    span.facts.call = told(0);
    let batch = Batch {
        spans: vec![span, call(2, 1, start, Some("chat"))],
        points: vec![point(start + SECOND, told(1)), point(start + MINUTE, None)],
        ..Batch::default()
    };
    store.write(&[batch]).unwrap();
    store.sum_up_all().unwrap();
    assert_eq!(ask(&store, "from=0").totals.measures.calls, 3);
    let price = |_: Option<&str>, _: &str, usage: &Usage, _: i64| Some((usage.tokens.total?, "t".to_owned()));
    let which = |apply| Reprice {
        apply,
        ..Reprice::default()
    };
    let dry = store.reprice(&which(false), &price).unwrap();
    assert_eq!(ask(&store, "from=0").totals.measures.cost_pico_usd, None);
    let done = store.reprice(&which(true), &price).unwrap();
    assert_eq!(dry.total, done.total);
    assert_eq!((done.total.calls, done.total.newly_priced), (3, 3));
    assert_eq!(
        (done.total.before_pico_usd, done.total.after_pico_usd),
        (None, Some(30))
    );
    let cost = || ask(&store, "from=0&by=model").totals.measures.cost_pico_usd;
    assert_eq!(cost(), Some(30));
    store.sum_up_all().unwrap();
    assert_eq!(cost(), Some(30));
    // What does not count has its price as well: the span may go before the counter.
    let again = store.reprice(&which(true), &price).unwrap();
    assert_eq!((again.total.calls, again.total.changed), (3, 0));
    assert_eq!(store.price(&price).unwrap(), 0);
}

#[test]
fn a_run_of_two_rooms_is_in_both() {
    let store = DuckDb::in_memory().unwrap();
    let start = NOW - 3 * HOUR;
    let mut spans = vec![
        call(1, 1, start, Some("chat")),
        call(1, 2, start + SECOND, Some("chat")),
    ];
    for (entry, room) in spans.iter_mut().zip(["attic", "cellar"]) {
        entry.facts.origin.room = Some(room.to_owned());
    }
    for entry in spans {
        write(&store, vec![entry]);
    }
    for _ in 0..2 {
        for room in ["attic", "cellar"] {
            let totals = ask(&store, &format!("from=0&room={room}")).totals;
            assert_eq!((totals.runs, totals.sessions, totals.measures.calls), (1, 1, 1));
        }
        store.sum_up_all().unwrap();
    }
}
