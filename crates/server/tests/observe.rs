//! What the server says of itself to who runs it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Server, span, traces};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Samples by name and labels as written, after checking that the text is as the format wants it.
fn parse(text: &str) -> HashMap<String, f64> {
    let (mut helped, mut types, mut samples) = (Vec::new(), HashMap::new(), HashMap::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped.push(help.split_once(' ').expect("a help").0.to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(helped.last().map(String::as_str), Some(name), "help before type");
            assert!(
                types.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{name} twice"
            );
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let name = series.split('{').next().unwrap();
            let family = name.trim_end_matches("_bucket").trim_end_matches("_sum");
            let family = family.trim_end_matches("_count");
            let (last, kind) = (helped.last().unwrap(), &types[helped.last().unwrap()]);
            assert!(name == last || (family == last && kind == "histogram"), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
                let inner = labels
                    .strip_prefix('{')
                    .and_then(|l| l.strip_suffix('}'))
                    .unwrap();
                // A JSON text escapes as a label does, as far as these go.
                for label in inner
                    .split_inclusive("\",")
                    .map(|label| label.trim_end_matches(','))
                {
                    let (_, quoted) = label.split_once('=').unwrap();
                    serde_json::from_str::<String>(quoted).expect(label);
                }
            }
            let value = value.parse().expect(line);
            assert!(
                samples.insert(series.to_owned(), value).is_none(),
                "{series} twice"
            );
        }
    }
    samples
}

async fn text(server: &Server, path: &str) -> (u16, String, String) {
    let get = server.client.get(format!("{}{path}", server.api));
    let response = get.send().await.unwrap();
    let media = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), media, response.text().await.unwrap())
}

#[tokio::test]
async fn metrics_are_what_prometheus_reads_and_agree_with_the_status() {
    let server = Server::start().await;
    for ids in [1..4_u64, 2..6] {
        let spans: Vec<Value> = ids.map(|id| span(id, &json!({}))).collect();
        assert_eq!(server.json("/v1/traces", &traces(&spans)).await.0, 200);
    }
    let more = json!({"attributes": [{"key": "k", "value": {"intValue": "1"}}]});
    server.json("/v1/traces", &traces(&[span(1, &more)])).await;
    let bad = json!({"traceId": "00", "name": "say \"x\""});
    for _ in 0..2 {
        assert_eq!(server.json("/v1/traces", &traces(&[span(9, &bad)])).await.0, 200);
    }
    assert_eq!(server.json("/v1/logs", &json!({"resourceLogs": 5})).await.0, 400);

    // The writer puts the queue right after its answers.
    while server.get("status").await["queue"]["records"] != "0" {
        tokio::task::yield_now().await;
    }
    let (status, media, metrics) = text(&server, "/metrics").await;
    assert_eq!(
        (status, media.as_str()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    // A browser that goes to the studio's page of that name gets the studio.
    let page = server.client.get(format!("{}/metrics", server.api));
    let page = page.header("accept", "text/html,*/*").send().await.unwrap();
    let media = page.headers()["content-type"].to_str().unwrap();
    assert!(!media.starts_with("text/plain; version"), "{media}");
    let samples = parse(&metrics);
    let status = server.get("status").await;
    let figure = |pointer: &str| {
        let value = status
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer} in {status}"));
        value
            .as_f64()
            .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
    };
    for (series, pointer, expected) in [
        (
            "meshscope_records_total{signal=\"traces\"}",
            "/received/spans",
            5.0,
        ),
        ("meshscope_records_total{signal=\"logs\"}", "/received/logs", 0.0),
        ("meshscope_repeated_spans_total", "/received/repeated_spans", 2.0),
        ("meshscope_merged_spans_total", "/received/merged_spans", 1.0),
        (
            "meshscope_rejected_records_total{signal=\"traces\"}",
            "/received/rejected",
            2.0,
        ),
        ("meshscope_commit_duration_seconds_count", "/commits/count", 3.0),
        ("meshscope_queue_records", "/queue/records", 0.0),
        ("meshscope_queue_capacity_records", "/queue/capacity", 500_000.0),
        ("meshscope_refused_requests_total", "/queue/refused", 0.0),
        ("meshscope_stream_subscribers", "/live/subscribers", 0.0),
    ] {
        assert_eq!(
            (samples[series], figure(pointer)),
            (expected, expected),
            "{series}"
        );
    }
    assert_eq!(samples["meshscope_ingest_problems_total{signal=\"traces\"}"], 2.0);
    assert_eq!(samples["meshscope_ingest_problems_total{signal=\"logs\"}"], 1.0);
    for problem in status["problems"].as_array().unwrap() {
        let (signal, kind) = (&problem["signal"], problem["kind"].as_str().unwrap());
        let series = format!(
            "meshscope_ingest_problems{{signal={signal},kind={}}}",
            Value::from(kind)
        );
        assert_eq!(samples[&series].to_string(), problem["seen"].as_str().unwrap());
        assert_eq!(problem["examples"][0], problem["message"]);
    }
    assert_eq!(samples["meshscope_store_size_bytes"], figure("/store/size_bytes"));
    assert!(samples["process_resident_memory_bytes"] > 1.0e6 && figure("/memory_bytes") > 1.0e6);
    assert_eq!(samples["meshscope_ready"], 1.0);
    let version = status["version"].as_str().unwrap();
    assert!(metrics.contains(&format!(
        "meshscope_build_info{{version=\"{version}\",engine=\"DuckDB "
    )));
    let bucket = |le: &str| samples[&format!("meshscope_commit_duration_seconds_bucket{{le=\"{le}\"}}")];
    assert!(bucket("0.001") <= bucket("10") && bucket("10") <= bucket("+Inf"));
    assert_eq!(bucket("+Inf"), 3.0);
}

#[tokio::test]
async fn metrics_ask_for_a_key_and_health_does_not() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        keys: Some(vec!["k".to_owned()]),
        ..args
    })
    .await;
    assert_eq!(text(&server, "/metrics").await.0, 401);
    assert_eq!(text(&server, "/api/v1/stream").await.0, 401);
    assert_eq!(text(&server, "/healthz").await.0, 200);
    assert_eq!(text(&server, "/readyz").await.0, 200);
    let get = server
        .client
        .get(format!("{}/metrics", server.api))
        .bearer_auth("k");
    assert_eq!(get.send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn while_it_ends_it_is_alive_and_not_ready_and_keeps_what_is_under_way() {
    let mut server = Server::start().await;
    assert_eq!(text(&server, "/readyz").await.0, 200);
    // A request whose body is still to come: the server asks for it when it is under way.
    let body = traces(&[span(1, &json!({}))]).to_string();
    let mut upload = TcpStream::connect(server.running.as_ref().unwrap().otlp_http)
        .await
        .unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    upload.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    upload.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    let stop = tokio::spawn(server.running.take().unwrap().stop());
    let (media, problem) = loop {
        let (status, media, body) = text(&server, "/readyz").await;
        if status != 200 {
            assert_eq!(status, 503);
            break (media, serde_json::from_str::<Value>(&body).unwrap());
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(media, "application/problem+json");
    assert_eq!(problem["status"], 503);
    assert!(
        problem["detail"].as_str().unwrap().contains("shutting down"),
        "{problem}"
    );
    assert_eq!(text(&server, "/healthz").await.0, 200);
    let stream = server.client.get(format!("{}/api/v1/stream", server.api));
    assert_eq!(stream.send().await.unwrap().status().as_u16(), 503);
    upload.write_all(body.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    upload.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    drop(upload);
    stop.await.unwrap().unwrap();
}

#[test]
fn the_log_can_be_json() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshscope"))
        .args(["serve", "--listen", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"])
        .args(["--otlp-grpc", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path())
        .env("MESHSCOPE_LOG_FORMAT", "json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert!(line.starts_with("studio "), "{line}");
    let end = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(end.success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let end = lines
        .iter()
        .find(|line| line["message"] == "ending: writing what waits");
    assert_eq!(end.expect(&log)["level"], "INFO");
}
