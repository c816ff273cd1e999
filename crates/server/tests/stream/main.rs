//! The live stream as its clients meet it.

#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "../common.rs"]
mod common;
mod crowd;
mod follower;
mod lists;
#[path = "../mesh/mod.rs"]
mod mesh;
mod order;
mod pace;
#[path = "../systems/replay.rs"]
mod replay;
mod start;

use common::{Server, args};
use meshscope_server::config::Config;
use meshscope_server::start;
use serde_json::{Value, json};

/// One log record.
pub fn log(body: &str, more: &Value) -> Value {
    let mut log = json!({"timeUnixNano": "1795220548168533800", "body": {"stringValue": body}});
    for (key, value) in more.as_object().unwrap() {
        log[key] = value.clone();
    }
    log
}

/// Log records of a service.
pub fn logs(service: &str, records: &[Value]) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeLogs": [{"scope": {"name": "s"}, "logRecords": records}],
    }]})
}

/// A point of a gauge.
pub fn gauge(name: &str, time: u64, value: f64) -> Value {
    json!({"resourceMetrics": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "svc"}}]},
        "scopeMetrics": [{"scope": {"name": "s"}, "metrics": [{"name": name, "unit": "1", "gauge": {"dataPoints": [
            {"timeUnixNano": time.to_string(), "asDouble": value}
        ]}}]}],
    }]})
}

/// Posts and expects that it is kept.
pub async fn keep(server: &Server, path: &str, body: &Value) {
    let (status, answer) = server.json(path, body).await;
    assert_eq!((status, &answer), (200, &json!({})), "{path}");
}

/// Ends the server and starts it anew on its store, after `between`.
pub async fn restart(server: Server, between: impl FnOnce(&std::path::Path)) -> Server {
    let Server { running, dir, .. } = server;
    running.unwrap().stop().await.unwrap();
    between(dir.path());
    let config = Config::resolve(args(&dir)).unwrap();
    let running = start(config).await.unwrap();
    Server {
        api: format!("http://{}", running.api),
        otlp: format!("http://{}", running.otlp_http),
        running: Some(running),
        client: reqwest::Client::new(),
        dir,
    }
}
