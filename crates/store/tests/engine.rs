//! What the store promises, on the real engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use meshscope_api::session::SessionStatus;
use meshscope_api::{ListQuery, Session};
use meshscope_api::{LogQuery, Params, SeriesQuery, SessionLogQuery, TimeRange, UsageGroupBy, UsageQuery};
use meshscope_model::{AttributeValue, Batch, KeyValue, Operation, SpanEntry, System, Tokens, Usage};
use meshscope_store::writer::{WriteError, Writer};
use meshscope_store::{DuckDb, Options, Store, StoreError};
use meshscope_telemetry::{Encoding, Signal, decode};
use std::ops::ControlFlow;
use std::sync::Arc;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");
const NOW: i64 = 1_795_300_000_000_000_000;

fn capture(name: &str) -> Batch {
    let signal = if name.contains("-traces") {
        Signal::Traces
    } else if name.contains("-logs") {
        Signal::Logs
    } else {
        Signal::Metrics
    };
    let encoding = if name.ends_with(".pb") {
        Encoding::Protobuf
    } else {
        Encoding::Json
    };
    decode(
        signal,
        encoding,
        &std::fs::read(format!("{CAPTURES}/{name}")).unwrap(),
    )
    .unwrap()
    .batch
}

fn all() -> ListQuery {
    ListQuery {
        range: TimeRange::ALL,
        limit: 1_000,
        ..ListQuery::default()
    }
}

fn sessions(store: &DuckDb) -> Vec<Session> {
    store.sessions(&all(), NOW).unwrap().sessions
}

/// A span of `trace` with the given id and start (in ms), everything else plain.
fn span(trace: u8, id: u64, start_ms: i64) -> SpanEntry {
    let json = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"svc"}}}}]}},
        "scopeSpans":[{{"spans":[{{"traceId":"{trace:032x}","spanId":"{id:016x}","name":"work {id}",
        "startTimeUnixNano":"{}","endTimeUnixNano":"{}"}}]}}]}}]}}"#,
        start_ms * 1_000_000,
        start_ms * 1_000_000 + 5_000_000,
    );
    decode(Signal::Traces, Encoding::Json, json.as_bytes())
        .unwrap()
        .batch
        .spans
        .remove(0)
}

fn batch(spans: Vec<SpanEntry>) -> Batch {
    Batch {
        spans,
        ..Batch::default()
    }
}

const SETS: [&[&str]; 6] = [
    &[
        "meshagent/0006-logs.pb",
        "meshagent/0007-metrics.pb",
        "meshagent/0008-logs.pb",
        "meshagent/0009-logs.pb",
        "meshagent/0010-metrics.pb",
        "meshagent/0011-traces.pb",
    ],
    &["videosdk/0047-traces.pb"],
    &[
        "meshflow/0008-traces.pb",
        "meshflow/0006-traces.raw.json",
        "meshflow/0007-traces.raw.json",
        "meshflow/0009-traces.pb",
    ],
    &["dexto/0001-traces.raw.json"],
    &[
        "reference/0006-traces.pb",
        "reference/0007-metrics.pb",
        "reference/0008-logs.pb",
        "reference/0009-metrics.pb",
    ],
    &["reference/0001-traces.pb"],
];

/// What a person sees of all sessions, to compare runs.
fn seen(store: &DuckDb) -> Vec<String> {
    let line = |s: &Session| {
        format!(
            "{} {} {:?} {:?} {:?} {:?} {} {} {} {} {:?} {:?} {:?}",
            s.session_id,
            s.title,
            s.system,
            s.room,
            s.agents,
            s.models,
            s.traces,
            s.spans,
            s.logs,
            s.errors,
            s.tokens,
            s.cost_pico_usd,
            s.status
        )
    };
    let mut lines: Vec<_> = sessions(store).iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn captures_land_in_the_right_sessions_in_any_order_and_however_often() {
    let names: Vec<_> = SETS.iter().flat_map(|set| set.iter()).collect();
    let batches: Vec<_> = names.iter().map(|name| capture(name)).collect();
    let in_order = DuckDb::in_memory().unwrap();
    in_order.write(&batches).unwrap();
    let found = seen(&in_order);
    let reversed = DuckDb::in_memory().unwrap();
    for batch in batches.iter().rev() {
        reversed.write(std::slice::from_ref(batch)).unwrap();
    }
    assert_eq!(seen(&reversed), found);
    let twice = in_order.write(&batches).unwrap();
    assert_eq!((twice.spans, twice.logs, twice.metric_points), (0, 0, 0));
    assert_eq!(seen(&in_order), found);

    let one = |id: &str| {
        sessions(&in_order)
            .into_iter()
            .find(|s| s.session_id.starts_with(id))
            .unwrap_or_else(|| panic!("{id}: {found:#?}"))
    };
    let room = one("sess-def");
    assert_eq!(
        (room.system, room.room.as_deref(), room.project.as_str()),
        (System::MeshAgent, Some("gettingstarted"), "proj-123")
    );
    assert_eq!((room.spans, room.traces, room.logs, room.errors), (77, 7, 4, 0));
    assert_eq!(
        (room.tokens.input, room.tokens.cached_input),
        (Some(369), Some(69))
    );
    assert_eq!((room.tokens.output, room.tokens.total), (Some(135), Some(504)));
    let rows = UsageQuery {
        list: ListQuery {
            session: Some("sess-def".into()),
            ..all()
        },
        ..UsageQuery::default()
    };
    let rows = in_order.usage_rows(&rows, NOW).unwrap().rows;
    assert_eq!(rows.len(), 3, "three model calls: {rows:#?}");
    let call = one("65f0-session");
    assert_eq!(
        (call.title.as_str(), call.room.as_deref()),
        ("call with Haley", Some("abcd-efgh-ijkl"))
    );
    assert_eq!(
        (call.agents.as_slice(), call.tokens.total),
        (["Haley".to_owned()].as_slice(), Some(300))
    );
    assert_eq!(call.status, SessionStatus::Failed);
    let run = one("72cef9e3");
    assert_eq!((run.traces, run.tokens.total), (4, Some(265)));
    assert_eq!(run.agents, ["critic", "executor", "planner", "researcher"]);
    let run = one("443071a8");
    assert_eq!(
        (run.tokens.total, run.cost_pico_usd, run.blocked),
        (Some(148), Some(1_200_000_000), 1)
    );
    assert_eq!(
        one("6f9ed929").tokens.total.unwrap() + one("c04195d3").tokens.total.unwrap_or(0),
        840
    );
    assert_eq!(one("c04195d3").status, SessionStatus::Failed);
    let conversation = one("conv-123");
    assert_eq!((conversation.spans, conversation.errors), (5, 1));
    assert_eq!(
        (conversation.tokens.input, conversation.tokens.output),
        (Some(123), Some(45))
    );
    assert_eq!(one("sess-77").system, System::OpenInference);
}

#[test]
fn usage_sessions_and_traces_agree() {
    let store = DuckDb::in_memory().unwrap();
    let batches: Vec<_> = SETS
        .iter()
        .flat_map(|set| set.iter())
        .map(|name| capture(name))
        .collect();
    store.write(&batches).unwrap();
    let usage = store
        .usage(
            &UsageQuery {
                list: all(),
                by: vec![UsageGroupBy::Session.into()],
                ..UsageQuery::default()
            },
            NOW,
        )
        .unwrap();
    let sum =
        |tokens: &mut dyn Iterator<Item = Tokens>| tokens.fold(Tokens::default(), |sum, t| sum.plus(&t));
    let total = usage.totals.measures.tokens;
    assert_eq!(sum(&mut sessions(&store).iter().map(|s| s.tokens)), total);
    assert_eq!(sum(&mut usage.groups.iter().map(|g| g.measures.tokens)), total);
    assert_eq!(sum(&mut usage.buckets.iter().map(|b| b.measures.tokens)), total);
    let rows = store
        .usage_rows(
            &UsageQuery {
                list: all(),
                ..UsageQuery::default()
            },
            NOW,
        )
        .unwrap()
        .rows;
    assert_eq!(
        sum(&mut rows.iter().filter(|row| !row.claim).map(|row| row.tokens)),
        total
    );
    assert_eq!(usage.totals.sessions, sessions(&store).len() as u64);
}

#[test]
fn a_span_survives_with_every_type_it_carries() {
    let store = DuckDb::in_memory().unwrap();
    let mut entry = span(1, 1, 1_000);
    let attributes = &mut entry.span.attributes;
    for value in [
        AttributeValue::Empty,
        AttributeValue::String("nul \0 <script>alert(1)</script> \u{1f600}".to_owned()),
        AttributeValue::Int(i64::MIN),
        AttributeValue::Double(f64::NEG_INFINITY),
        AttributeValue::Double(5.0),
        AttributeValue::Bytes(vec![0, 255]),
        AttributeValue::Array(vec![
            AttributeValue::Bool(true),
            AttributeValue::Map(vec![KeyValue::new("a", 1_i64)]),
        ]),
    ] {
        attributes.push("same.key", value);
    }
    (0..10_000_i64).for_each(|n| attributes.push(format!("k{n}"), n));
    entry.span.name = "nul \0 name".to_owned();
    store.write(&[batch(vec![entry.clone()])]).unwrap();
    let kept = store
        .span(entry.span.trace_id, entry.span.span_id)
        .unwrap()
        .unwrap();
    // By key, and of a repeated key in the order sent.
    entry.span.attributes.0.sort_by(|a, b| a.key.cmp(&b.key));
    assert!(kept.attributes == entry.span.attributes);
    assert_eq!(kept.name, entry.span.name);
    assert_eq!(kept.resource, *entry.span.resource);
}

#[test]
fn the_wildest_times_are_kept_and_found() {
    let store = DuckDb::in_memory().unwrap();
    let mut odd = Vec::new();
    for (n, (start, end)) in [
        (0, Some(5)),
        (i64::MAX, Some(i64::MAX)),
        (i64::MAX, Some(0)),
        (5, None),
        (1, Some(i64::MAX)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut entry = span(n as u8 + 1, 1, 0);
        entry.span.start_time = start;
        entry.span.end_time = end;
        odd.push(entry);
    }
    store.write(&[batch(odd)]).unwrap();
    assert_eq!(sessions(&store).len(), 5);
    assert_eq!(store.traces(&all(), NOW).unwrap().traces.len(), 5);
    assert_eq!(
        store
            .usage(
                &UsageQuery {
                    list: all(),
                    ..UsageQuery::default()
                },
                NOW
            )
            .unwrap()
            .totals
            .runs,
        5
    );
}

#[test]
fn a_span_that_is_sent_again_counts_once_and_one_that_says_more_is_merged() {
    let mut first = span(1, 1, 1_000);
    first.span.end_time = None;
    first.span.attributes.push("early", 1_i64);
    let mut second = span(1, 1, 1_000);
    second.span.name = "another name".to_owned();
    second.span.attributes.push("late", 2_i64);
    second.facts.usage = Some(Usage {
        tokens: Tokens {
            total: Some(7),
            ..Tokens::default()
        },
        ..Usage::default()
    });
    let mut kept = Vec::new();
    for order in [[&first, &second], [&second, &first]] {
        let store = DuckDb::in_memory().unwrap();
        for entry in order {
            store.write(&[batch(vec![entry.clone()])]).unwrap();
        }
        let again = store
            .write(&[batch(vec![first.clone(), second.clone()])])
            .unwrap();
        assert_eq!((again.repeated_spans, again.merged_spans, again.spans), (2, 0, 0));
        assert!(again.changes.is_empty());
        let mut span = store
            .span(first.span.trace_id, first.span.span_id)
            .unwrap()
            .unwrap();
        span.attributes.0.sort_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(span.ended_at, second.span.end_time);
        assert_eq!(span.attributes.len(), 3);
        assert_eq!(sessions(&store)[0].tokens.total, Some(7));
        kept.push(span);
    }
    assert_eq!(kept[0], kept[1]);
    let together = DuckDb::in_memory().unwrap();
    let written = together
        .write(&[batch(vec![first]), batch(vec![second])])
        .unwrap();
    assert_eq!((written.spans, written.merged_spans), (1, 1));
}

#[test]
fn a_claim_is_not_added_to_what_it_claims() {
    let store = DuckDb::in_memory().unwrap();
    let used = |id: u64, parent: Option<u64>, total: i64, claim: bool, trace: u8| {
        let mut entry = span(trace, id, 1_000 + id as i64);
        entry.span.parent_span_id = parent.map(meshscope_model::SpanId::from_u64);
        entry.facts.operation = if claim {
            Operation::InvokeAgent
        } else {
            Operation::Chat
        };
        let tokens = Tokens {
            total: Some(total),
            ..Tokens::default()
        };
        entry.facts.usage = Some(Usage {
            tokens,
            claim,
            ..Usage::default()
        });
        entry
    };
    let with_calls = vec![
        used(1, None, 300, true, 1),
        used(2, Some(1), 100, false, 1),
        used(3, Some(1), 200, false, 1),
    ];
    let claims_only = vec![used(1, None, 50, true, 2), used(2, Some(1), 50, true, 2)];
    store.write(&[batch(with_calls), batch(claims_only)]).unwrap();
    let report = store
        .usage(
            &UsageQuery {
                list: all(),
                ..UsageQuery::default()
            },
            NOW,
        )
        .unwrap();
    assert_eq!(report.totals.measures.tokens.total, Some(350));
    assert_eq!(report.totals.claimed_tokens, Some(300));
}

#[test]
fn pages_are_complete_while_data_arrives() {
    let store = DuckDb::in_memory().unwrap();
    let entries: Vec<_> = (1..=50).map(|n| span(n, 1, 1_000 + i64::from(n % 7))).collect();
    store.write(&[batch(entries)]).unwrap();
    let mut query = ListQuery { limit: 8, ..all() };
    let mut ids = Vec::new();
    loop {
        let page = store.sessions(&query, NOW).unwrap();
        ids.extend(page.sessions.into_iter().map(|s| s.session_id));
        // Newer ones come before what was read already.
        store
            .write(&[batch(vec![span(100 + ids.len() as u8, 1, 9_000)])])
            .unwrap();
        let Some(cursor) = page.next_cursor else { break };
        query.cursor = Some(cursor);
    }
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), unique.len()), (50, 50));
    query.cursor = Some("nonsense".to_owned());
    assert!(matches!(store.traces(&query, NOW), Err(StoreError::Cursor)));
}

#[test]
fn filters_choose() {
    let store = DuckDb::in_memory().unwrap();
    let batches: Vec<_> = SETS
        .iter()
        .flat_map(|set| set.iter())
        .map(|name| capture(name))
        .collect();
    store.write(&batches).unwrap();
    let ids = |query: ListQuery| -> Vec<String> {
        store
            .sessions(&query, NOW)
            .unwrap()
            .sessions
            .into_iter()
            .map(|s| s.session_id)
            .collect()
    };
    assert_eq!(
        ids(ListQuery {
            system: Some(System::VideoSdk),
            ..all()
        }),
        ["65f0-session"]
    );
    assert_eq!(
        ids(ListQuery {
            room: Some("gettingstarted".into()),
            ..all()
        }),
        ["sess-def"]
    );
    assert_eq!(
        ids(ListQuery {
            agent: Some("Haley".into()),
            ..all()
        }),
        ["65f0-session"]
    );
    assert_eq!(
        ids(ListQuery {
            project: Some("proj-123".into()),
            ..all()
        }),
        ["sess-def"]
    );
    assert_eq!(
        ids(ListQuery {
            q: Some("BAD_TOOL".into()),
            ..all()
        })
        .len(),
        1
    );
    assert_eq!(
        ids(ListQuery {
            blocked: Some(true),
            ..all()
        })
        .len(),
        1
    );
    assert!(
        ids(ListQuery {
            min_cost_pico_usd: Some(1_000_000_000),
            ..all()
        })[0]
            .starts_with("443071a8")
    );
    assert!(
        ids(ListQuery {
            status: Some("failed".into()),
            ..all()
        })
        .contains(&"65f0-session".to_owned())
    );
    assert!(
        ids(ListQuery {
            range: TimeRange {
                from: Some(NOW),
                to: None
            },
            ..all()
        })
        .is_empty()
    );
    let logs = store.logs(
        &LogQuery {
            range: TimeRange::ALL,
            session: Some("sess-def".into()),
            ..LogQuery::default()
        },
        NOW,
    );
    assert_eq!(logs.unwrap().logs.len(), 4);
    let metrics = SeriesQuery {
        range: TimeRange::ALL,
        ..SeriesQuery::default()
    };
    let names: Vec<_> = store
        .metrics(&metrics, NOW)
        .unwrap()
        .metrics
        .into_iter()
        .map(|m| m.name)
        .collect();
    assert!(
        names.contains(&"gen_ai.client.token.usage".to_owned()),
        "{names:?}"
    );
    let detail = store
        .metric("gen_ai.client.token.usage", &metrics, NOW)
        .unwrap()
        .unwrap();
    assert!(detail.series.iter().all(|series| series.points.len() == 2));
    let trace = capture("dexto/0001-traces.raw.json").spans[0].span.trace_id;
    let (mut came, mut said) = (0, 0);
    let there = store.trace_columns(trace, &mut |piece| {
        came += piece.columns.len();
        said = piece.spans as usize;
        ControlFlow::Continue(())
    });
    assert!(there.unwrap());
    let spans = store.trace(trace).unwrap().unwrap().spans.len();
    assert_eq!((came, said), (spans, spans));
}

#[test]
fn a_repeat_that_names_a_session_for_the_first_time_is_heard() {
    let plain = span(7, 1, 1_000);
    let mut named = plain.clone();
    named.facts.origin.fallback_session = Some("late".to_owned());
    let trace = plain.span.trace_id.to_string();
    // Alone, and beside a span of another trace.
    for beside in [None, Some(span(8, 2, 2_000))] {
        let store = DuckDb::in_memory().unwrap();
        store.write(&[batch(vec![plain.clone()])]).unwrap();
        assert_eq!(sessions(&store)[0].session_id, trace);
        let spans = [named.clone()].into_iter().chain(beside).collect();
        store.write(&[batch(spans)]).unwrap();
        let all = sessions(&store);
        let late = all.iter().find(|session| session.session_id == "late").unwrap();
        assert_eq!((late.spans, late.traces), (1, 1));
        assert!(all.iter().all(|session| session.session_id != trace));
    }
}

#[test]
fn a_session_that_is_named_after_a_restart_takes_what_came_before_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let open = || DuckDb::open(dir.path(), &Options::default()).unwrap();
    let (mut first, mut second, mut root) = (span(7, 1, 1_000), span(7, 2, 2_000), span(7, 3, 500));
    for (span, session) in [(&mut first, "b"), (&mut second, "a")] {
        span.facts.origin.fallback_session = Some(session.to_owned());
    }
    root.facts.origin.session = Some("named".to_owned());
    let named = |store: &DuckDb| -> Vec<(String, u32)> {
        let sessions = sessions(store).into_iter();
        sessions
            .map(|session| (session.session_id, session.spans))
            .collect()
    };
    open()
        .write(&[batch(vec![first.clone(), span(8, 9, 1_000)])])
        .unwrap();
    for (span, session, spans) in [(second, "a", 2), (root, "named", 3), (first, "named", 3)] {
        let store = open();
        store.write(&[batch(vec![span])]).unwrap();
        let all = named(&store);
        assert!(all.contains(&(session.to_owned(), spans)), "{all:?}");
        assert_eq!(all.len(), 2, "that of the other trace beside it: {all:?}");
    }
}

#[test]
fn logs_are_of_the_session_that_is_known_now() {
    let store = DuckDb::in_memory().unwrap();
    let log = |trace: Option<u8>, fallback: &str, start_ms: i64| {
        let plain = span(trace.unwrap_or(9), 1, start_ms).span;
        let origin = meshscope_model::Origin {
            project: Some("default".to_owned()),
            fallback_session: Some(fallback.to_owned()),
            ..meshscope_model::Origin::default()
        };
        meshscope_model::LogEntry {
            record: meshscope_model::LogRecord {
                resource: plain.resource,
                scope: plain.scope,
                time: plain.start_time,
                observed_time: 0,
                severity_number: 9,
                severity_text: String::new(),
                body: AttributeValue::from(format!("at {start_ms}")),
                attributes: plain.attributes,
                dropped_attributes_count: 0,
                flags: 0,
                trace_id: trace.map(|_| plain.trace_id),
                span_id: None,
                event_name: String::new(),
            },
            origin,
            identity: None,
        }
    };
    // One far from the others, and one whose trace tells its session later.
    let logs = vec![
        log(None, "far", 1_000),
        log(None, "far", 90_000_000_000),
        log(Some(7), "far", 2_000),
    ];
    let batch_of = |logs| Batch {
        logs,
        ..Batch::default()
    };
    store.write(&[batch_of(logs)]).unwrap();
    let bodies = |session: &str| {
        let brief = SessionLogQuery::read(&Params::parse("")).unwrap();
        let brief = store.session_logs("default", session, &brief).unwrap().logs;
        let query = LogQuery {
            session: Some(session.to_owned()),
            range: TimeRange::ALL,
            limit: 100,
            ..LogQuery::default()
        };
        let mut logs = store.logs(&query, NOW).unwrap().logs;
        logs.reverse();
        let texts: Vec<String> = brief.into_iter().map(|log| log.text).collect();
        let bodies: Vec<_> = logs
            .into_iter()
            .map(|log| log.body.as_str().map(str::to_owned))
            .collect();
        assert_eq!(bodies, texts.iter().cloned().map(Some).collect::<Vec<_>>());
        texts
    };
    assert_eq!(bodies("far"), ["at 1000", "at 2000", "at 90000000000"]);
    let mut named = span(7, 1, 500_000);
    named.facts.origin.project = Some("default".to_owned());
    named.facts.origin.session = Some("near".to_owned());
    store.write(&[batch(vec![named])]).unwrap();
    assert_eq!(bodies("far"), ["at 1000", "at 90000000000"]);
    assert_eq!(bodies("near"), ["at 2000"]);
    assert!(bodies("nobody").is_empty());
}

#[test]
fn a_restart_finds_everything_and_still_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let names = [
        "meshagent/0011-traces.pb",
        "meshagent/0010-metrics.pb",
        "meshagent/0009-logs.pb",
    ];
    let batches: Vec<_> = names.iter().map(|name| capture(name)).collect();
    let store = DuckDb::open(dir.path(), &Options::default()).unwrap();
    store.write(&batches).unwrap();
    let found = seen(&store);
    let locked = DuckDb::open(dir.path(), &Options::default());
    assert!(matches!(locked, Ok(_) | Err(StoreError::Locked { .. })));
    drop(locked);
    drop(store);
    let store = DuckDb::open(dir.path(), &Options::default()).unwrap();
    assert_eq!(seen(&store), found);
    let again = store.write(&batches).unwrap();
    assert_eq!((again.spans, again.logs, again.metric_points), (0, 0, 0));
    assert_eq!(seen(&store), found);
}

#[tokio::test]
async fn the_writer_answers_after_the_commit_and_refuses_when_full() {
    let store = Arc::new(DuckDb::in_memory().unwrap());
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn Store>, 10, |_| {}).unwrap();
    writer
        .submit(batch((1..=30).map(|n| span(1, n, 1_000)).collect()))
        .await
        .unwrap();
    assert_eq!(store.counts().unwrap().spans, 30);
    let writer = Arc::new(writer);
    let many: Vec<_> = (0..40_u64)
        .map(|n| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                writer
                    .submit(batch((0..9).map(|k| span(2, n * 100 + k + 1, 1_000)).collect()))
                    .await
            })
        })
        .collect();
    let (mut kept, mut refused) = (0, 0);
    for task in many {
        match task.await.unwrap() {
            Ok(()) => kept += 1,
            Err(WriteError::Full { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(kept > 0 && refused > 0, "{kept} kept, {refused} refused");
    assert_eq!(store.counts().unwrap().spans, 30 + kept * 9);
    assert_eq!(writer.queue().refused, refused);
    writer.close();
    assert_eq!(
        writer.submit(batch(vec![span(3, 1, 1)])).await,
        Err(WriteError::Closed)
    );
}
