//! However the records of a capture arrive, the store tells the same of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use meshscope_api::ListQuery;
use meshscope_api::{TimeRange, UsageGroupBy, UsageQuery};
use meshscope_model::Batch;
use meshscope_store::{DuckDb, Store};
use meshscope_telemetry::{
    Body, Decoded, Encoding, Signal, decode, jaeger, meshflow, semconv, sniff, videosdk,
};
use proptest::prelude::*;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");
const NOW: i64 = 1_795_300_000_000_000_000;

/// The captures of a system, as their clients sent them. VideoSDK's turn metrics have no time of
/// their own: they get that of their arrival, which here is the same in every order.
fn captures(system: &str) -> Vec<Batch> {
    let dir = std::fs::read_dir(format!("{CAPTURES}/{system}")).unwrap();
    let mut paths: Vec<_> = dir.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name()?.to_str()?;
        let raw = name.ends_with(".raw.json");
        if !raw && !name.ends_with(".pb") {
            return None;
        }
        let body = std::fs::read(path).unwrap();
        let signal = [("-logs", Signal::Logs), ("-metrics", Signal::Metrics)]
            .into_iter()
            .find(|(word, _)| name.contains(word))
            .map_or(Signal::Traces, |(_, signal)| signal);
        let Decoded { mut batch, rejected } = match (raw, sniff(&body)) {
            (false, _) => decode(signal, Encoding::Protobuf, &body),
            (true, Some(Body::Otlp(signal))) => decode(signal, Encoding::Json, &body),
            (true, Some(Body::VideoSdkTurns)) => videosdk::turns(&body, NOW),
            (true, Some(Body::VideoSdkLog)) => videosdk::log(&body, NOW),
            (true, Some(Body::MeshFlowEvent)) => meshflow::events(&body, NOW),
            (true, Some(Body::Jaeger)) => jaeger::decode(&body),
            (true, None) => meshflow::ingest(door(path), &body, NOW),
        }
        .unwrap();
        assert_eq!(rejected.records, 0, "{name}");
        for entry in &mut batch.spans {
            semconv::last_resort(&entry.span, &mut entry.facts);
        }
        Some(batch)
    };
    paths.iter().filter_map(read).collect()
}

/// The kind that a capture of MeshFlow's cloud reporter was posted as.
fn door(path: &std::path::Path) -> meshflow::Ingest {
    let headers = path.to_str().unwrap().replace(".raw.json", ".headers.json");
    let sent: serde_json::Value = serde_json::from_slice(&std::fs::read(headers).unwrap()).unwrap();
    let kind = sent["path"].as_str().unwrap().rsplit('/').next().unwrap();
    meshflow::Ingest::parse(kind).unwrap()
}

/// Each record alone.
fn records(batches: Vec<Batch>) -> Vec<Batch> {
    let mut records = Vec::new();
    for batch in batches {
        let empty = Batch::default;
        let spans = batch.spans.into_iter().map(|span| Batch {
            spans: vec![span],
            ..empty()
        });
        records.extend(spans);
        let logs = batch.logs.into_iter().map(|log| Batch {
            logs: vec![log],
            ..empty()
        });
        records.extend(logs);
        let points = batch.points.into_iter().map(|point| Batch {
            points: vec![point],
            ..empty()
        });
        records.extend(points);
    }
    records
}

/// Everything that is told of sessions and of what they used.
fn told(store: &DuckDb) -> (Vec<String>, String, String) {
    let list = ListQuery {
        range: TimeRange::ALL,
        limit: 10_000,
        ..ListQuery::default()
    };
    let mut sessions: Vec<String> = store
        .sessions(&list, NOW)
        .unwrap()
        .sessions
        .iter()
        .map(|session| format!("{session:?}"))
        .collect();
    sessions.sort();
    let mut traces: Vec<String> = store
        .traces(&list, NOW)
        .unwrap()
        .traces
        .iter()
        .map(|trace| format!("{trace:?}"))
        .collect();
    traces.sort();
    let usage = UsageQuery {
        list,
        by: vec![UsageGroupBy::Model.into()],
        ..UsageQuery::default()
    };
    let report = store.usage(&usage, NOW).unwrap();
    (
        sessions,
        traces.join("\n"),
        format!("{:?} {:?}", report.groups, report.totals),
    )
}

/// Writes `order`, cut into transactions of the given sizes.
fn written(records: &[Batch], order: &[usize], sizes: &[usize]) -> DuckDb {
    let store = DuckDb::in_memory().unwrap();
    let mut left = order;
    let mut sizes = sizes.iter().cycle();
    while !left.is_empty() {
        let (now, later) = left.split_at((*sizes.next().unwrap()).min(left.len()));
        let batches: Vec<Batch> = now.iter().map(|index| records[*index].clone()).collect();
        store.write(&batches).unwrap();
        left = later;
    }
    store
}

const SYSTEMS: [&str; 5] = ["meshagent", "videosdk", "meshflow", "dexto", "reference"];

#[test]
fn any_order_any_batching_and_any_repetition_tell_the_same() {
    for system in SYSTEMS {
        let records = records(captures(system));
        assert!(records.len() > 10, "{system}");
        let in_order: Vec<usize> = (0..records.len()).collect();
        let expected = told(&written(&records, &in_order, &[records.len()]));
        assert!(!expected.0.is_empty(), "{system}");
        let twice: Vec<usize> = (0..records.len()).chain((0..records.len()).step_by(3)).collect();
        let orders = Just(twice).prop_shuffle();
        let sizes = prop::collection::vec(1..400_usize, 1..6);
        let config = ProptestConfig {
            cases: 12,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(order in orders, sizes in sizes)| {
            let found = told(&written(&records, &order, &sizes));
            prop_assert_eq!(&found.0, &expected.0, "{}", system);
            prop_assert_eq!(&found.1, &expected.1, "{}", system);
            prop_assert_eq!(&found.2, &expected.2, "{}", system);
        });
    }
}
