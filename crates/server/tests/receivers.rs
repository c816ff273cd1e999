//! The receivers as clients meet them.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{CAPTURES, Server, capture, span, traces};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use serde_json::{Value, json};
use std::io::Write as _;
use tonic::codec::CompressionEncoding;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[tokio::test]
async fn every_encoding_and_framing_is_read() {
    let server = Server::start().await;
    let body = |id| traces(&[span(id, &json!({}))]).to_string().into_bytes();
    let json_type = ("content-type", "application/json; charset=utf-8");
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(&body(2)).unwrap();
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&body(3)).unwrap();
    for (coding, bytes) in [
        ("gzip", gzip(&body(1))),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", deflate.finish().unwrap()),
        ("zstd", zstd::encode_all(&body(4)[..], 1).unwrap()),
        ("identity", body(5)),
    ] {
        let response = server
            .post("/v1/traces", &[json_type, ("content-encoding", coding)], bytes)
            .await;
        assert_eq!(response.status().as_u16(), 200, "{coding}");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.text().await.unwrap(), "{}");
    }
    // Chunked, as Dexto sends it; and the paths that clients make of a base URL.
    for (id, path) in [(6, "/v1/traces/v1/traces"), (7, "/"), (8, "/otlp/v1/traces")] {
        let whole = body(id);
        let chunks = whole
            .chunks(64)
            .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
            .collect::<Vec<_>>();
        let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        let request = server
            .client
            .post(format!("{}{path}", server.otlp))
            .header("content-type", "application/json")
            .body(stream);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200, "{path}");
    }
    assert_eq!(server.get("status").await["counts"]["spans"], "8");
    let empty = server
        .post(
            "/v1/metrics",
            &[("content-type", "application/x-protobuf")],
            Vec::new(),
        )
        .await;
    assert_eq!(
        (empty.status().as_u16(), empty.bytes().await.unwrap().len()),
        (200, 0)
    );
}

#[tokio::test]
async fn grpc_takes_all_three_signals_and_compression() {
    let server = Server::start().await;
    let address = format!("http://{}", server.running.as_ref().unwrap().otlp_grpc);
    let channel = tonic::transport::Endpoint::from_shared(address)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let read = |name: &str| std::fs::read(format!("{CAPTURES}/{name}")).unwrap();
    let request = ExportTraceServiceRequest::decode(&read("meshagent/0011-traces.pb")[..]).unwrap();
    let mut client = TraceServiceClient::new(channel.clone()).send_compressed(CompressionEncoding::Gzip);
    client.export(request).await.unwrap();
    let request = ExportLogsServiceRequest::decode(&read("meshagent/0009-logs.pb")[..]).unwrap();
    let mut client = LogsServiceClient::new(channel.clone()).send_compressed(CompressionEncoding::Zstd);
    client.export(request).await.unwrap();
    let request = ExportMetricsServiceRequest::decode(&read("meshagent/0010-metrics.pb")[..]).unwrap();
    MetricsServiceClient::new(channel.clone())
        .export(request)
        .await
        .unwrap();
    let counts = server.get("status").await["counts"].clone();
    assert_eq!(
        (counts["spans"].as_str(), counts["logs"].as_str()),
        (Some("77"), Some("1"))
    );
    assert_ne!(counts["metric_points"], "0");

    let mut bad = ExportTraceServiceRequest::decode(&read("meshagent/0003-traces.pb")[..]).unwrap();
    bad.resource_spans[0].scope_spans[0].spans[0].trace_id = vec![0; 16];
    let answer = TraceServiceClient::new(channel)
        .export(bad)
        .await
        .unwrap()
        .into_inner();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial.error_message.contains("trace_id"),
        "{}",
        partial.error_message
    );
}

#[tokio::test]
async fn a_full_queue_asks_to_come_back() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        queue_records: Some(1),
        ..args
    })
    .await;
    let bodies: Vec<_> = (0..60_u64)
        .map(|n| {
            traces(
                &(1..200)
                    .map(|k| span(n * 1_000 + k, &json!({})))
                    .collect::<Vec<_>>(),
            )
            .to_string()
            .into_bytes()
        })
        .collect();
    let posts = bodies
        .into_iter()
        .map(|body| server.post("/v1/traces", &[("content-type", "application/json")], body));
    let answers = futures_util::future::join_all(posts).await;
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status().as_u16() == 503)
        .collect();
    let kept = answers
        .iter()
        .filter(|answer| answer.status().as_u16() == 200)
        .count();
    assert!(!refused.is_empty() && kept > 0 && refused.len() + kept == 60);
    assert!(
        refused
            .iter()
            .all(|answer| answer.headers().contains_key("retry-after"))
    );
    let status = server.get("status").await;
    assert_eq!(status["counts"]["spans"], (kept * 199).to_string());
    assert_eq!(status["queue"]["refused"], refused.len().to_string());
}

#[tokio::test]
async fn captures_replayed_over_http_show_what_a_person_expects() {
    let names = [
        "meshagent/0006-logs.pb",
        "meshagent/0007-metrics.pb",
        "meshagent/0008-logs.pb",
        "meshagent/0009-logs.pb",
        "meshagent/0010-metrics.pb",
        "meshagent/0011-traces.pb",
        "videosdk/0047-traces.pb",
        "meshflow/0008-traces.pb",
        "dexto/0001-traces.raw.json",
        "reference/0001-traces.pb",
        "reference/0006-traces.pb",
    ];
    let server = Server::start().await;
    for name in names.iter().chain(names.iter().rev()) {
        let (path, media, body) = capture(name);
        assert_eq!(
            server
                .post(&path, &[("content-type", media)], body)
                .await
                .status()
                .as_u16(),
            200,
            "{name}"
        );
    }
    let list = server.get("sessions?from=0&limit=1000").await;
    let find = |id: &str| -> Value {
        let sessions = list["sessions"].as_array().unwrap();
        sessions
            .iter()
            .find(|s| s["session_id"].as_str().unwrap().starts_with(id))
            .unwrap()
            .clone()
    };
    let room = find("sess-def");
    assert_eq!(
        (&room["project"], &room["room"], &room["system"]),
        (&json!("proj-123"), &json!("gettingstarted"), &json!("meshagent"))
    );
    assert_eq!(
        (&room["tokens"]["total"], &room["spans"], &room["logs"]),
        (&json!("504"), &json!(77), &json!(4))
    );
    let call = find("65f0-session");
    assert_eq!(
        (&call["tokens"]["total"], &call["agents"]),
        (&json!("300"), &json!(["Haley"]))
    );
    assert_eq!(find("72cef9e3")["tokens"]["total"], "265");
    assert_eq!(find("conv-123")["errors"], 1);
    let detail = server.get("sessions/65f0-session").await;
    assert_eq!(detail["runs"].as_array().unwrap().len(), 1);
    let usage = server.get("usage?from=0&by=session").await;
    let groups = usage["groups"].as_array().unwrap();
    let sum: i64 = groups
        .iter()
        .filter_map(|g| g["tokens"]["total"].as_str()?.parse::<i64>().ok())
        .sum();
    assert_eq!(usage["totals"]["tokens"]["total"], sum.to_string());
    let rows = server.get("usage/rows?from=0&session=sess-def").await;
    assert_eq!(rows["rows"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn columns_come_by_accept() {
    let server = Server::start().await;
    let (path, media, body) = capture("reference/0006-traces.pb");
    server.post(&path, &[("content-type", media)], body).await;
    let trace = server.get("traces?from=0").await["traces"][0].clone();
    let id = trace["trace_id"].as_str().unwrap();
    let url = format!("{}/api/v1/traces/{id}", server.api);
    let columns = server
        .client
        .get(url)
        .header("accept", "application/vnd.meshscope.columns")
        .send()
        .await
        .unwrap();
    let columns = meshscope_api::columns::decode(&columns.bytes().await.unwrap()).unwrap();
    assert_eq!(columns.len(), 5);
    assert_eq!(
        server
            .client
            .get(format!("{}/healthz", server.api))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
}

#[tokio::test]
async fn keys_are_asked_for_when_there_are_any() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        keys: Some(vec!["secret".into()]),
        ..args
    })
    .await;
    let body = traces(&[span(1, &json!({}))]).to_string().into_bytes();
    let json_type = ("content-type", "application/json");
    assert_eq!(
        server
            .post("/v1/traces", &[json_type], body.clone())
            .await
            .status()
            .as_u16(),
        401
    );
    let shown = server
        .post(
            "/v1/traces",
            &[json_type, ("authorization", "Bearer secret")],
            body,
        )
        .await;
    assert_eq!(shown.status().as_u16(), 200);
    let status = server
        .client
        .get(format!("{}/api/v1/status", server.api))
        .send()
        .await
        .unwrap();
    assert_eq!(status.status().as_u16(), 401);
}

#[tokio::test]
async fn a_graceful_end_keeps_everything_and_a_restart_finds_it() {
    let mut server = Server::start().await;
    let (path, media, body) = capture("dexto/0001-traces.raw.json");
    server.post(&path, &[("content-type", media)], body).await;
    server.running.take().unwrap().stop().await.unwrap();
    let config = meshscope_server::config::Config::resolve(common::args(&server.dir)).unwrap();
    let again = meshscope_server::start(config).await.unwrap();
    let url = format!("http://{}/api/v1/status", again.api);
    let status: Value = server.client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(status["counts"]["spans"], "224");
    again.stop().await.unwrap();
}
