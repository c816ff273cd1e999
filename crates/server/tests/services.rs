//! What is alive: services and their instances.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Server, span};
use serde_json::{Value, json};

/// Spans of an instance of the service `shop`; `session` differs, which makes no other instance.
fn sent(instance: &str, session: &str, spans: &[Value]) -> Value {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", "shop"), attribute("service.version", "1.2"),
            attribute("service.instance.id", instance), attribute("host.name", "node-1"),
            attribute("telemetry.sdk.language", "python"), attribute("telemetry.sdk.name", "opentelemetry"),
            attribute("telemetry.sdk.version", "1.30.0"), attribute("session.id", session),
        ]},
        "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}],
    }]})
}

#[tokio::test]
async fn instances_are_told_apart_and_their_figures_are_right() {
    let server = Server::start().await;
    assert_eq!(server.get("services").await["services"], json!([]));
    let failed = json!({"status": {"code": 2, "message": "no"}});
    let open = json!({"endTimeUnixNano": "0"});
    let batches = [
        sent("a", "first", &[span(1, &json!({})), span(2, &failed)]),
        sent("a", "second", &[span(3, &open)]),
        sent("b'; --", "third", &[span(4, &json!({}))]),
    ];
    for batch in &batches {
        assert_eq!(server.json("/v1/traces", batch).await.0, 200);
    }
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"timeUnixNano": "5", "body": {"stringValue": "hello"}}]}]}]});
    assert_eq!(server.json("/v1/logs", &logs).await.0, 200);
    let list = server.get("services").await;
    let services = list["services"].as_array().unwrap();
    let told: Vec<_> = services
        .iter()
        .map(|s| (s["service"].as_str().unwrap(), s["instance"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("unknown_service", None),
            ("shop", Some("b'; --")),
            ("shop", Some("a"))
        ]
    );
    let a = &services[2];
    for (field, value) in [
        ("version", "1.2"),
        ("host", "node-1"),
        ("sdk", "python opentelemetry"),
        ("sdk_version", "1.30.0"),
        ("spans", "3"),
        ("errors", "1"),
        ("spans_last_minute", "3"),
        ("p95_ns", "1000000000"),
        ("logs", "0"),
    ] {
        assert_eq!(a[field], value, "{field}");
    }
    let silent = &services[0];
    assert_eq!((&silent["logs"], &silent["spans"]), (&json!("1"), &json!("0")));
    assert!(silent.get("p95_ns").is_none() && silent.get("host").is_none());
    assert_eq!(server.get("services?project=none").await["services"], json!([]));
    assert_eq!(
        server.get("services?to=1000").await["services"],
        json!([]),
        "nothing arrived in 1970"
    );
    let refused = server.client.get(format!("{}/api/v1/services?q=x", server.api));
    assert_eq!(refused.send().await.unwrap().status(), 400);
}
