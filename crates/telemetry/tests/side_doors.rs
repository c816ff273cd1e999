//! The decoders beside OTLP take anything: no body panics, and what is odd costs only itself.
#![allow(clippy::unwrap_used)]

use meshscope_telemetry::meshflow::{self, Ingest};
use meshscope_telemetry::{Body, DecodeError, Decoded, developer, sniff, videosdk};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const NOW: i64 = 1_795_219_399_000_000_000;

/// Every decoder over one body.
fn all(body: &[u8]) -> Vec<Result<Decoded, DecodeError>> {
    let mut read = vec![
        videosdk::turns(body, NOW),
        videosdk::log(body, NOW),
        meshflow::events(body, NOW),
        developer::logs(body, false, NOW),
        developer::logs(body, true, NOW),
        developer::frames(body, NOW),
    ];
    for kind in ["run", "spans", "eval", "mcp", "worker"] {
        read.push(meshflow::ingest(Ingest::parse(kind).unwrap(), body, NOW));
    }
    read
}

/// Names that the decoders look for, with values of any kind under them.
const NAMES: [&str; 26] = [
    "data",
    "agentId",
    "logType",
    "logText",
    "attributes",
    "dateTime",
    "promptTokens",
    "ttft",
    "sttDuration",
    "interrupted",
    "run_id",
    "spans",
    "name",
    "started_at",
    "duration_ms",
    "latency_ms",
    "total_cost_usd",
    "job_id",
    "event_type",
    "timestamp",
    "event",
    "payload",
    "type",
    "message",
    "level",
    "time",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("2026-11-21 00:03:17,676")),
        Just(json!("otel.trace")),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop::sample::select(NAMES.to_vec());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6).prop_map(|fields| {
                let fields: Map<String, Value> = fields
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect();
                Value::Object(fields)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_panics_and_nothing_is_left_out_silently(value in value()) {
        let body = value.to_string();
        for read in all(body.as_bytes()) {
            match read {
                Ok(decoded) => {
                    prop_assert_eq!(decoded.rejected.records > 0 && decoded.rejected.messages.is_empty(), false);
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(sniff(&bytes).is_none() || bytes.contains(&123), "only an object is known");
        all(&bytes);
    }
}

#[test]
fn a_body_that_nests_without_end_is_refused() {
    let deep = format!("{}1{}", "{\"data\":[".repeat(5_000), "]}".repeat(5_000));
    assert_eq!(sniff(deep.as_bytes()), Some(Body::VideoSdkTurns));
    assert!(videosdk::turns(deep.as_bytes(), NOW).is_err());
    assert!(developer::logs(deep.as_bytes(), false, NOW).is_err());
}

#[test]
fn runs_with_ids_of_any_form_have_one_trace_each() {
    let trace = |run: &str| {
        let body = json!({"run_id": run, "total_tokens": 5}).to_string();
        let decoded = meshflow::ingest(Ingest::Run, body.as_bytes(), NOW).unwrap();
        decoded.batch.spans[0].span.trace_id.to_string()
    };
    // As MeshFlow's own exporter makes them, so that both stand in one trace.
    assert_eq!(
        trace("356b5f06-b1c8-469f-9d71-8aa44bc941f3"),
        "356b5f06b1c8469f9d718aa44bc941f3"
    );
    assert_eq!(trace("abc"), format!("abc{}", "0".repeat(29)));
    assert_ne!(trace("nightly run"), trace("nightly run 2"));
    assert_eq!(trace("nightly run"), trace("nightly run"));
}
