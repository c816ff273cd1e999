//! What is told to whom, and what is refused.

use crate::common::{Server, span, traces};
use crate::follower::{Follower, names, request};
use crate::{gauge, keep, log, logs};
use serde_json::{Value, json};

fn with(service: &str, attributes: &[(&str, &str)], spans: &[Value]) -> Value {
    let mut body = traces(spans);
    let resource: Vec<Value> = attributes
        .iter()
        .chain(&[("service.name", service)])
        .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
        .collect();
    body["resourceSpans"][0]["resource"]["attributes"] = json!(resource);
    body
}

/// Sends one of everything; returns the cursor before.
async fn fill(server: &Server) -> String {
    let (follower, start) = Follower::start(server, "").await;
    let trace = |id: u64| json!({"traceId": format!("{id:032x}")});
    let named = [("meshagent.project.id", "p1"), ("session.id", "s1")];
    keep(server, "/v1/traces", &with("a", &named, &[span(1, &trace(1))])).await;
    keep(server, "/v1/traces", &with("b", &[], &[span(2, &trace(2))])).await;
    let mut failed = span(3, &trace(3));
    failed["status"] = json!({"code": 2, "message": "Quota exceeded"});
    keep(server, "/v1/traces", &with("b", &[], &[failed])).await;
    let warn = log(
        "disk full",
        &json!({"severityNumber": 13, "traceId": format!("{:032x}", 1)}),
    );
    let info = log("started", &json!({"severityNumber": 9}));
    keep(server, "/v1/logs", &logs("b", &[warn, info])).await;
    keep(server, "/v1/metrics", &gauge("queue.length", 5, 2.5)).await;
    drop(follower);
    start
}

#[tokio::test]
async fn filters_choose_the_same_live_and_out_of_the_store() {
    let expected: [(&str, &[&str]); 12] = [
        (
            "",
            &[
                "work 1",
                "work 2",
                "work 3",
                "disk full",
                "started",
                "queue.length",
            ],
        ),
        (
            "project=*",
            &[
                "work 1",
                "work 2",
                "work 3",
                "disk full",
                "started",
                "queue.length",
            ],
        ),
        ("service=b&signal=traces", &["work 2", "work 3"]),
        ("service=a", &["work 1"]),
        // The log record names no session: its trace does.
        ("session=s1", &["work 1", "disk full"]),
        ("session=00000000000000000000000000000002", &["work 2"]),
        ("signal=logs", &["disk full", "started"]),
        (
            "signal=metrics,logs&severity=warn",
            &["disk full", "queue.length"],
        ),
        ("q=QUOTA", &["work 3"]),
        ("q=queue", &["queue.length"]),
        ("system=opentelemetry&q=disk", &["disk full"]),
        ("room=nowhere", &[]),
    ];
    let server = Server::start().await;
    let mut live = Vec::new();
    for (query, wanted) in expected {
        live.push((Follower::start(&server, query).await.0, query, wanted));
    }
    let start = fill(&server).await;
    let head = Follower::start(&server, "").await.1;
    for (follower, query, wanted) in &mut live {
        let mut told = Vec::new();
        while told.len() < wanted.len() {
            told.extend(names(&follower.delta().await.data));
        }
        assert_eq!(told, *wanted, "live, {query:?}");
    }
    for (query, wanted) in expected {
        let query = format!("{query}&cursor={start}&until={head}");
        let (mut follower, _) = Follower::start(&server, &query).await;
        let mut told = Vec::new();
        let end = loop {
            let event = follower.next().await.unwrap();
            match event.name.as_str() {
                "delta" => told.extend(names(&event.data)),
                _ => break event,
            }
        };
        assert_eq!((end.name.as_str(), &end.id), ("end", &head));
        assert!(follower.next().await.is_none());
        assert_eq!(told, wanted, "kept, {query:?}");
    }
}

#[tokio::test]
async fn what_is_told_live_is_what_the_store_tells_later() {
    let server = Server::start().await;
    let (mut live, start) = Follower::start(&server, "").await;
    for name in [
        "meshagent/0011-traces.pb",
        "meshagent/0009-logs.pb",
        "meshagent/0010-metrics.pb",
        "videosdk/0047-traces.pb",
        "meshflow/0008-traces.pb",
        "dexto/0001-traces.raw.json",
        "reference/0006-traces.pb",
    ] {
        let (path, media, body) = crate::common::capture(name);
        let kept = server.post(&path, &[("content-type", media)], body).await;
        assert_eq!(kept.status().as_u16(), 200, "{name}");
    }
    let head = Follower::start(&server, "").await.1;
    let query = format!("cursor={start}&until={head}");
    let (mut later, _) = Follower::start(&server, &query).await;
    let mut kept: Vec<Value> = Vec::new();
    while let Some(event) = later.next().await {
        kept.extend(all(&event.data));
    }
    let mut told = Vec::new();
    while told.len() < kept.len() {
        told.extend(all(&live.delta().await.data));
    }
    assert!(told.len() > 80, "{}", told.len());
    for (told, kept) in told.iter().zip(&kept) {
        // A session may be known better later.
        let (mut told, mut kept) = (told.clone(), kept.clone());
        let sessions = (told["session_id"].take(), kept["session_id"].take());
        assert_eq!(told, kept);
        assert!(sessions.0 == sessions.1 || told.get("trace_id").is_some() || sessions.0.is_null());
    }
}

/// The records of a delta by their sequence numbers.
fn all(delta: &Value) -> Vec<Value> {
    let lists = ["spans", "logs", "metric_points"];
    let records = lists.into_iter().flat_map(|list| delta[list].as_array().cloned());
    let mut records: Vec<Value> = records.flatten().collect();
    records.sort_by_key(|record| record["sequence"].as_str().unwrap().parse::<i64>().unwrap());
    records
}

#[tokio::test]
async fn parameters_that_cannot_be_used_are_named() {
    let server = Server::start().await;
    for (query, parameter) in [
        ("limit=5", "limit"),
        ("signal=spans", "signal"),
        ("severity=loud", "severity"),
        ("system=other", "system"),
        ("cursor=yesterday", "cursor"),
        ("cursor=a.-5", "cursor"),
        ("until=ffff.5", "until"),
    ] {
        let response = request(&server, query).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 400, "{query}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["parameter"], parameter, "{problem}");
    }
}

#[tokio::test]
async fn the_document_describes_the_stream() {
    let server = Server::start().await;
    let document = server.get("openapi.json").await;
    let get = &document["paths"]["/api/v1/stream"]["get"];
    let named = |name: &str| {
        let parameters = get["parameters"].as_array().unwrap();
        parameters.iter().any(|parameter| parameter["name"] == name)
    };
    for name in [
        "cursor",
        "Last-Event-ID",
        "until",
        "project",
        "room",
        "session",
        "service",
        "signal",
        "system",
        "severity",
        "q",
    ] {
        assert!(named(name), "{name}");
    }
    assert!(get["responses"]["200"]["content"]["text/event-stream"].is_object());
    for schema in ["Delta", "LiveSpan", "LivePoint", "Log", "Gap", "Position"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
}
