//! The life of the store: retention, room given back, copies, exports.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use meshscope_api::export::ExportQuery;
use meshscope_api::status::{ProjectRetention, Retention};
use meshscope_api::{ListQuery, LogQuery, Params, SeriesQuery, TimeRange, UsageQuery};
use meshscope_model::batch::PointUsage;
use meshscope_model::metric::PointValue;
use meshscope_model::{
    AttributeValue, Attributes, Batch, LogEntry, LogRecord, Metric, MetricPoint, Origin, PointEntry,
    Resource, Scope, Span, SpanEntry, SpanFacts, SpanId, SpanKind, Status, Tokens, TraceId, Usage,
};
use meshscope_store::{DuckDb, Options, Store, StoreError};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

const HOUR: i64 = 3_600_000_000_000;
const NOW: i64 = 1_795_220_548_168_533_800;

fn open(dir: &Path) -> DuckDb {
    DuckDb::open(dir, &Options::default()).unwrap()
}

fn emitter(service: &str) -> (Arc<Resource>, Arc<Scope>) {
    let mut resource = Resource::default();
    resource.attributes.push("service.name", service);
    (Arc::new(resource), Arc::new(Scope::default()))
}

fn origin(project: &str, session: &str) -> Origin {
    Origin {
        project: Some(project.to_owned()),
        session: Some(session.to_owned()),
        ..Origin::default()
    }
}

/// Span `n` of a trace, an hour or so before `NOW`, with usage.
fn span(project: &str, trace: u128, n: u64, hours_ago: i64) -> SpanEntry {
    let (resource, scope) = emitter(project);
    let mut attributes = Attributes::default();
    // Text that does not compress away.
    let noise: String = (0..40_u64)
        .map(|k| {
            format!(
                "{:x}",
                meshscope_model::fingerprint::fingerprint(&[
                    &n.to_le_bytes(),
                    &trace.to_le_bytes(),
                    &k.to_le_bytes()
                ])
            )
        })
        .collect();
    attributes.push("payload", noise);
    let start_time = NOW - hours_ago * HOUR + i64::try_from(n).unwrap();
    let usage = Usage {
        tokens: Tokens {
            total: Some(10),
            ..Tokens::default()
        },
        ..Usage::default()
    };
    SpanEntry {
        span: Span {
            resource,
            scope,
            trace_id: TraceId::from_u128(trace),
            span_id: SpanId::from_u64(n),
            parent_span_id: None,
            trace_state: String::new(),
            flags: 0,
            name: "work".to_owned(),
            kind: SpanKind::Internal,
            start_time,
            end_time: Some(start_time + 1_000),
            attributes,
            dropped_attributes_count: 0,
            events: Vec::new(),
            dropped_events_count: 0,
            links: Vec::new(),
            dropped_links_count: 0,
            status: Status::default(),
        },
        facts: SpanFacts {
            origin: origin(project, &format!("session of {trace}")),
            operation: meshscope_model::Operation::Chat,
            usage: Some(usage),
            ..SpanFacts::default()
        },
    }
}

fn log(project: &str, trace: Option<u128>, text: &str, hours_ago: i64) -> LogEntry {
    let (resource, scope) = emitter(project);
    LogEntry {
        record: LogRecord {
            resource,
            scope,
            time: NOW - hours_ago * HOUR,
            observed_time: 0,
            severity_number: 9,
            severity_text: String::new(),
            body: AttributeValue::from(text),
            attributes: Attributes::default(),
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: trace.map(TraceId::from_u128),
            span_id: None,
            event_name: String::new(),
        },
        origin: origin(project, "logs"),
        identity: None,
    }
}

fn point(project: &str, hours_ago: i64) -> PointEntry {
    let (resource, scope) = emitter(project);
    PointEntry {
        point: MetricPoint {
            resource,
            scope,
            metric: Arc::new(Metric {
                name: "tokens".to_owned(),
                ..Metric::default()
            }),
            attributes: Attributes::default(),
            start_time: 0,
            time: NOW - hours_ago * HOUR,
            flags: 0,
            value: PointValue::Int(1),
            exemplars: Vec::new(),
        },
        origin: origin(project, "points"),
        usage: Some(PointUsage {
            usage: Usage {
                tokens: Tokens {
                    total: Some(1),
                    ..Tokens::default()
                },
                ..Usage::default()
            },
            ..PointUsage::default()
        }),
        identity: None,
        call: None,
    }
}

fn hours(hours: i64) -> Retention {
    Retention {
        age_ns: Some(hours * HOUR),
        ..Retention::default()
    }
}

fn traces(store: &DuckDb) -> Vec<u128> {
    let query = ListQuery {
        range: TimeRange::ALL,
        limit: 1_000,
        ..ListQuery::default()
    };
    let mut traces: Vec<_> = store
        .traces(&query, NOW)
        .unwrap()
        .traces
        .iter()
        .map(|trace| trace.trace_id.as_u128())
        .collect();
    traces.sort_unstable();
    traces
}

fn tokens(store: &DuckDb) -> Option<i64> {
    let list = ListQuery {
        range: TimeRange::ALL,
        ..ListQuery::default()
    };
    let query = UsageQuery {
        list,
        ..UsageQuery::default()
    };
    store.usage(&query, NOW).unwrap().totals.measures.tokens.total
}

fn counts(store: &DuckDb) -> (u64, u64, u64) {
    let counts = store.counts().unwrap();
    (counts.spans, counts.logs, counts.metric_points)
}

/// Traces of which one is old, one began long ago and goes on, and one is new; logs and points.
fn mixed() -> Batch {
    Batch {
        spans: vec![
            span("a", 1, 1, 50),
            span("a", 1, 2, 49),
            span("a", 2, 3, 50),
            span("a", 2, 4, 1),
            span("a", 3, 5, 1),
        ],
        logs: vec![
            log("a", Some(1), "of the old trace", 50),
            log("a", Some(2), "of the long one", 50),
            log("a", None, "old and alone", 50),
            log("a", None, "new and alone", 1),
            log("a", Some(9), "of a trace without spans", 50),
        ],
        points: vec![point("a", 50), point("a", 1)],
    }
}

#[test]
fn by_age_traces_go_whole_and_the_rest_by_its_own_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.write(&[mixed()]).unwrap();
    assert_eq!(tokens(&store), Some(52));
    assert_eq!(store.retain(&Retention::default(), NOW, &|| true).unwrap(), None);
    let removed = store.retain(&hours(24), NOW, &|| true).unwrap().unwrap();
    assert_eq!(
        (removed.spans, removed.logs, removed.metric_points, removed.at),
        (2, 3, 1, NOW)
    );
    assert_eq!(traces(&store), [2, 3]);
    assert_eq!(counts(&store), (3, 2, 1));
    assert_eq!(tokens(&store), Some(31));
    let left = store
        .logs(
            &LogQuery {
                range: TimeRange::ALL,
                limit: 10,
                ..LogQuery::default()
            },
            NOW,
        )
        .unwrap()
        .logs;
    assert_eq!(
        left.iter().map(|log| log.body.to_text()).collect::<Vec<_>>(),
        ["new and alone", "of the long one"]
    );
    // A second run finds nothing, and the first is still what is told.
    assert_eq!(store.retain(&hours(24), NOW, &|| true).unwrap(), None);
    assert_eq!(store.status().unwrap().removed, Some(removed));
}

#[test]
fn a_long_session_without_traces_stays_where_it_was() {
    let store = DuckDb::in_memory().unwrap();
    let batch = Batch {
        logs: [1, 30, 60, 200].map(|ago| log("p", None, "a word", ago)).to_vec(),
        points: [1, 30, 60, 200].map(|ago| point("p", ago)).to_vec(),
        ..Batch::default()
    };
    for entry in batch.logs {
        let logs = vec![entry];
        store
            .write(&[Batch {
                logs,
                ..Batch::default()
            }])
            .unwrap();
    }
    for entry in batch.points {
        let points = vec![entry];
        store
            .write(&[Batch {
                points,
                ..Batch::default()
            }])
            .unwrap();
    }
    store.sum_up_all().unwrap();
    store.retain(&hours(100), NOW, &|| true).unwrap().unwrap();
    let text = format!("from={}&to={NOW}&bucket=1h", NOW - 99 * HOUR);
    let query = UsageQuery::read(&Params::parse(&text)).unwrap();
    for _ in 0..2 {
        let report = store.usage(&query, NOW).unwrap();
        assert_eq!(report.totals.sessions, 2);
        for ago in [1, 30, 60] {
            let moment = NOW - ago * HOUR;
            let bucket = report.bounds.partition_point(|bound| *bound <= moment) - 1;
            assert_eq!(
                report.timeline.get(bucket).unwrap().sessions,
                2,
                "{ago} hours ago"
            );
        }
        let in_buckets: u64 = report.timeline.iter().map(|totals| totals.sessions).sum();
        assert_eq!(in_buckets, 6);
        store.sum_up_all().unwrap();
    }
}

#[test]
fn what_was_removed_is_new_when_it_comes_again_and_what_stayed_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.write(&[mixed()]).unwrap();
    store.retain(&hours(24), NOW, &|| true).unwrap();
    let written = store.write(&[mixed()]).unwrap();
    assert_eq!(
        (
            written.spans,
            written.repeated_spans,
            written.logs,
            written.metric_points
        ),
        (2, 3, 3, 1)
    );
    assert_eq!((counts(&store), tokens(&store)), ((5, 5, 2), Some(52)));
    // Emitters that went with the last of their records are there again as well.
    let one = store
        .span(TraceId::from_u128(1), SpanId::from_u64(1))
        .unwrap()
        .unwrap();
    assert_eq!(one.resource.attributes.str("service.name"), Some("a"));
    assert_eq!(one.meaning.session_id.as_deref(), Some("session of 1"));
    // The same after a restart, which reads what is kept from the file.
    drop(store);
    let store = open(dir.path());
    let again = store.write(&[mixed()]).unwrap();
    assert_eq!((again.spans, again.logs, again.metric_points), (0, 0, 0));
}

#[test]
fn projects_have_rules_of_their_own() {
    let store = DuckDb::in_memory().unwrap();
    let of = |project: &str, trace: u128| span(project, trace, 1, 50);
    let spans = vec![of("kept", 1), of("it's short", 2), of("other", 3)];
    store
        .write(&[Batch {
            spans,
            logs: vec![log("kept", None, "k", 50)],
            points: vec![point("kept", 50)],
        }])
        .unwrap();
    let rules = Retention {
        age_ns: Some(60 * HOUR),
        projects: vec![
            ProjectRetention {
                project: "kept".to_owned(),
                ..ProjectRetention::default()
            },
            ProjectRetention {
                project: "it's short".to_owned(),
                age_ns: Some(HOUR),
                size_bytes: None,
            },
        ],
        ..Retention::default()
    };
    store.retain(&rules, NOW, &|| true).unwrap();
    assert_eq!(traces(&store), [1, 3]);
    let rules = Retention {
        age_ns: Some(HOUR),
        ..rules
    };
    store.retain(&rules, NOW, &|| true).unwrap();
    assert_eq!((traces(&store), counts(&store)), (vec![1], (1, 1, 1)));
}

/// A batch of `n` traces of ten spans, the first the oldest.
fn many(project: &str, from: u64, n: u64) -> Batch {
    let spans = (from..from + n).flat_map(|trace| {
        let ago = 2_000 - i64::try_from(trace / 100).unwrap();
        (1..=10).map(move |k| (trace, k, ago))
    });
    Batch {
        spans: spans
            .map(|(trace, k, ago)| span(project, u128::from(trace) + 1, trace * 10 + k, ago))
            .collect(),
        ..Batch::default()
    }
}

#[test]
fn by_size_the_oldest_go_and_the_file_gets_smaller() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for part in 0..16 {
        store.write(&[many("p", part * 1_000, 1_000)]).unwrap();
        store.tend().unwrap();
    }
    store.close().unwrap();
    let full = store.status().unwrap().size_bytes;
    assert!(full > 20_000_000, "{full}");
    let limit = full / 5;
    let rules = Retention {
        size_bytes: Some(limit),
        ..Retention::default()
    };
    let removed = store.retain(&rules, NOW, &|| true).unwrap().unwrap();
    let status = store.status().unwrap();
    let file = std::fs::metadata(&status.path).unwrap().len();
    // What is used is within the limit; the file may have a quarter of room more, or some blocks.
    let bound = (limit + limit / 3).max(limit + 16 * 1024 * 1024);
    assert!(file <= bound, "{file} bytes where {limit} may be, {removed:?}");
    assert!(removed.freed_bytes > full / 2, "{removed:?}");
    let left = counts(&store).0;
    assert!(left > 16_000 && left + removed.spans == 160_000, "{left}");
    // The newest are there, the oldest are not.
    assert!(store.trace(TraceId::from_u128(16_000)).unwrap().is_some());
    assert!(store.trace(TraceId::from_u128(1)).unwrap().is_none());
    drop(store);
    let store = open(dir.path());
    assert_eq!(counts(&store).0, left);
    assert_eq!(tokens(&store), i64::try_from(left * 10).ok());
    let kept = store.trace(TraceId::from_u128(16_000)).unwrap().unwrap();
    assert_eq!((kept.spans.len(), kept.trace.tokens.total), (10, Some(100)));
}

#[test]
fn a_project_may_be_limited_in_size() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store
        .write(&[many("small", 0, 1_500), many("large", 1_500, 1_500)])
        .unwrap();
    store.close().unwrap();
    let half = store.status().unwrap().size_bytes / 2;
    let rules = Retention {
        projects: vec![ProjectRetention {
            project: "small".to_owned(),
            age_ns: None,
            size_bytes: Some(half / 2),
        }],
        ..Retention::default()
    };
    store.retain(&rules, NOW, &|| true).unwrap();
    let of = |project: &str| {
        let query = ListQuery {
            project: Some(project.to_owned()),
            range: TimeRange::ALL,
            limit: 10_000,
            ..ListQuery::default()
        };
        store.traces(&query, NOW).unwrap().traces.len()
    };
    assert_eq!(of("large"), 1_500);
    assert!((200..1_200).contains(&of("small")), "{}", of("small"));
}

#[test]
fn writers_go_on_while_much_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    for part in 0..6 {
        store.write(&[many("p", part * 1_000, 1_000)]).unwrap();
    }
    let retaining = Arc::clone(&store);
    let run = std::thread::spawn(move || retaining.retain(&hours(24), NOW, &|| true).unwrap());
    let mut written = 0;
    while !run.is_finished() || written == 0 {
        written += 1;
        let spans = vec![span("p", 1_000_000 + u128::from(written), written, 1)];
        store
            .write(&[Batch {
                spans,
                ..Batch::default()
            }])
            .unwrap();
    }
    let removed = run.join().unwrap().unwrap();
    assert_eq!((removed.spans, counts(&store).0), (60_000, written));
    // An end is heeded.
    store.write(&[many("p", 0, 10)]).unwrap();
    assert_eq!(store.retain(&hours(24), NOW, &|| false).unwrap(), None);
}

#[test]
fn a_backup_is_the_store_at_that_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("data"));
    store.write(&[mixed()]).unwrap();
    let place = dir.path().join("backup");
    let report = store.backup(&place).unwrap();
    assert_eq!((report.spans, report.logs, report.metric_points), (5, 5, 2));
    store.write(&[many("later", 100, 10)]).unwrap();
    // A second copy into the same place would replace the first.
    assert!(matches!(store.backup(&place), Err(StoreError::Place(_))));
    let copy = open(&place);
    assert_eq!((counts(&copy), tokens(&copy)), ((5, 5, 2), Some(52)));
    assert_eq!(copy.write(&[mixed()]).unwrap().repeated_spans, 5);
    assert_eq!(copy.write(&[many("later", 100, 10)]).unwrap().spans, 100);
    // The store is still locked by this process and goes on.
    assert_eq!(counts(&store).0, 105);
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn an_export_is_filtered_and_leaves_nothing_out() {
    let store = DuckDb::in_memory().unwrap();
    store.write(&[mixed()]).unwrap();
    store.write(&[many("p", 100, 700)]).unwrap();
    let export = |query: &ExportQuery| {
        let mut all = Batch::default();
        store
            .export(query, &mut |batch| {
                let bytes = batch.len() * 40_000;
                all.append(batch);
                ControlFlow::Continue(bytes)
            })
            .unwrap();
        (all.spans.len(), all.logs.len(), all.points.len())
    };
    assert_eq!(export(&ExportQuery::default()), (7_005, 5, 2));
    let only = |query: ExportQuery| export(&query);
    assert_eq!(
        only(ExportQuery {
            project: Some("a".to_owned()),
            ..ExportQuery::default()
        }),
        (5, 5, 2)
    );
    assert_eq!(
        only(ExportQuery {
            session: Some("session of 3".to_owned()),
            ..ExportQuery::default()
        }),
        (1, 0, 0)
    );
    assert_eq!(
        only(ExportQuery {
            trace_id: Some(TraceId::from_u128(2)),
            ..ExportQuery::default()
        }),
        (2, 1, 0)
    );
    let recent = ExportQuery {
        from: Some(NOW - 10 * HOUR),
        ..ExportQuery::default()
    };
    assert_eq!(only(recent.clone()), (2, 1, 1));
    let older = ExportQuery {
        from: None,
        to: recent.from,
        project: Some("a".to_owned()),
        ..recent
    };
    assert_eq!(only(older), (3, 4, 1));
    let series = SeriesQuery {
        range: TimeRange::ALL,
        limit: 10,
        ..SeriesQuery::default()
    };
    assert_eq!(store.metrics(&series, NOW).unwrap().metrics[0].points, 2);
}
