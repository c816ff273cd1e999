//! Replaying captures and asking what came of them.

use crate::common::{CAPTURES, Server};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use serde_json::Value;
use std::path::Path;

/// Files of `captures/<system>` whose names start with one of `prefixes`, in the order sent.
pub fn names(system: &str, prefixes: &[&str]) -> Vec<String> {
    let mut found: Vec<_> = std::fs::read_dir(format!("{CAPTURES}/{system}"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".headers.json") && prefixes.iter().any(|p| name.starts_with(p)))
        .map(|name| format!("{system}/{}", name.trim_end_matches(".headers.json")))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{system} {prefixes:?}");
    found
}

/// Sends a capture by the transport, path and headers that the client used.
pub async fn replay(server: &Server, name: &str) {
    let read = |ending: &str| std::fs::read(format!("{CAPTURES}/{name}{ending}"));
    let sent: Value = serde_json::from_slice(&read(".headers.json").unwrap()).unwrap();
    let raw = Path::new(&format!("{CAPTURES}/{name}.raw.json")).exists();
    let body = read(if raw { ".raw.json" } else { ".pb" }).unwrap();
    if sent["transport"] == "grpc" {
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        let address = format!("http://{}", server.running.as_ref().unwrap().otlp_grpc);
        let mut client = TraceServiceClient::connect(address).await.unwrap();
        client.export(request).await.unwrap();
        return;
    }
    let path = sent["path"].as_str().unwrap();
    let media = if raw {
        "application/json"
    } else {
        "application/x-protobuf"
    };
    let mut headers = vec![("content-type", media)];
    let session = sent["headers"]["X-Demo-Session"].as_str();
    headers.extend(session.map(|session| ("x-demo-session", session)));
    let answer = server.post(path, &headers, body).await;
    let status = answer.status().as_u16();
    assert_eq!(status, 200, "{name}: {}", answer.text().await.unwrap());
}

/// In order, reversed, and twice: orders in which a capture must tell the same.
pub fn orders(names: &[String]) -> Vec<Vec<String>> {
    let reversed: Vec<_> = names.iter().rev().cloned().collect();
    let twice = names.iter().chain(names).cloned().collect();
    vec![names.to_vec(), reversed, twice]
}

/// A server that was sent a capture.
pub async fn sent(names: &[String]) -> Server {
    let server = Server::start().await;
    for name in names {
        replay(&server, name).await;
    }
    server
}

pub async fn sessions(server: &Server) -> Vec<Value> {
    let list = server.get("sessions?from=0&limit=1000").await;
    list["sessions"].as_array().unwrap().clone()
}

/// Totals of all usage: tokens, and how many calls they come from.
pub async fn totals(server: &Server) -> (Value, Value) {
    let usage = server.get("usage?from=0").await;
    (
        usage["totals"]["tokens"]["total"].clone(),
        usage["totals"]["calls"].clone(),
    )
}

/// The values of a metric in a session, sorted.
pub async fn values(server: &Server, session: &str, metric: &str) -> Vec<f64> {
    let detail = server
        .get(&format!("metrics/{metric}?from=0&session={session}"))
        .await;
    let series = detail["series"].as_array().unwrap();
    let points = series
        .iter()
        .flat_map(|series| series["points"].as_array().unwrap());
    let mut values: Vec<_> = points
        .map(|point| point["value"]["double"].as_f64().unwrap())
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

pub fn ns(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}

/// The text of an attribute.
pub fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|kv| kv["key"] == key).unwrap();
    found["value"]["stringValue"].as_str().unwrap().to_owned()
}

/// Every span of a session in full.
pub async fn spans(server: &Server, session: &str) -> Vec<Value> {
    let traces = server.get(&format!("traces?from=0&session={session}")).await;
    let mut spans = Vec::new();
    for trace in traces["traces"].as_array().unwrap() {
        let trace = server
            .get(&format!("traces/{}", trace["trace_id"].as_str().unwrap()))
            .await;
        spans.extend(trace["spans"].as_array().unwrap().clone());
    }
    spans
}
