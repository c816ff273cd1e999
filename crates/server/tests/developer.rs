//! Log records and frames that developers post, and sessions that a header names.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{CAPTURES, Server, capture, span, traces};
use meshscope_server::config::ServeArgs;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let answer = server.post(path, headers, body.as_bytes().to_vec()).await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Log records, oldest first.
async fn logs(server: &Server, query: &str) -> Vec<Value> {
    let page = server.get(&format!("logs?from=0{query}")).await;
    let mut logs = page["logs"].as_array().unwrap().clone();
    logs.sort_by_key(|log| log["sequence"].as_str().unwrap().parse::<i64>().unwrap());
    logs
}

#[tokio::test]
async fn json_of_logging_libraries_is_understood() {
    let server = Server::start().await;
    let full = json!({"level": "warning", "message": "slow", "time": "2026-11-21T00:03:17.676Z", "session": "s-1",
        "room": "lobby", "project": "acme", "agent": "Haley", "service": "web", "logger": "app.db", "event_name": "db.slow",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "ms": 812, "attributes": {"table": "t"}});
    let answer = post(&server, "/v1/developer/logs", &[JSON], &full.to_string()).await;
    assert_eq!(answer, (200, json!({"accepted": "1", "rejected": "0"})));
    let log = &logs(&server, "").await[0];
    let expected = json!({"time": "1795219397676000000", "severity_number": 13, "severity_text": "warning",
        "session_id": "s-1", "room": "lobby", "project": "acme", "agent": "Haley", "service": "web", "event_name": "db.slow",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&log[key], value, "{key}");
    }
    assert_eq!(log["scope"]["name"], "app.db");
    assert_eq!(
        log["attributes"],
        json!([{"key": "ms", "value": {"intValue": "812"}}, {"key": "table", "value": {"stringValue": "t"}}])
    );
    // Pino, structlog, and times by their size; an array of objects and texts.
    let many = json!([{"level": 50, "msg": "pino", "time": 1_795_219_397_676_i64},
        {"level": "info", "event": "structlog", "timestamp": 1_795_219_397.5}, "just text"]);
    let answer = post(&server, "/v1/developer/logs", &[JSON], &many.to_string()).await;
    assert_eq!(answer.1["accepted"], "3");
    let seen: Vec<_> = logs(&server, "").await[1..]
        .iter()
        .map(|log| (log["body"]["stringValue"].clone(), log["severity_number"].clone()))
        .collect();
    let expected = [("pino", 17), ("structlog", 9), ("just text", 0)];
    assert_eq!(seen, expected.map(|(text, level)| (json!(text), json!(level))));
    let all = logs(&server, "").await;
    assert_eq!(
        [&all[1]["time"], &all[2]["time"]],
        [&json!("1795219397676000000"), &json!("1795219397500000000")]
    );
}

#[tokio::test]
async fn lines_come_as_json_or_plain_and_a_bad_one_costs_only_itself() {
    let server = Server::start().await;
    let lines = "{\"message\":\"one\"}\n\nnot json\n{\"level\":\"info\"}\n{\"message\":\"two\",\"trace_id\":\"xyz\"}\n5\n";
    let (status, answer) = post(
        &server,
        "/v1/developer/logs?session=s",
        &[("content-type", "application/x-ndjson")],
        lines,
    )
    .await;
    assert_eq!(
        (status, &answer["accepted"], &answer["rejected"]),
        (200, &json!("2"), &json!("3"))
    );
    let messages = answer["messages"].to_string();
    for part in [
        "log record 2 was left out: it is no JSON",
        "log record 3 was left out: message must be there",
        "log record 4 was kept without its trace_id: it must be 32 hexadecimal digits",
        "log record 5 was left out: it must be an object, got 5",
    ] {
        assert!(messages.contains(part), "{part}: {messages}");
    }
    // No Content-Type: plain lines, of which objects are read. Equal lines are two records.
    let plain =
        "2026-11-21 00:03:17,676 ERROR no disk\ntick\ntick\n{\"level\":\"debug\",\"message\":\"inner\"}";
    let url = format!("{}/api/v1/developer/logs?session=s", server.api);
    let answer = server.client.post(url).body(plain).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["accepted"], "4");
    let kept = logs(&server, "&session=s").await;
    assert_eq!(kept.len(), 6);
    assert_eq!(
        (
            &kept[2]["severity_number"],
            &kept[2]["time"],
            &kept[2]["body"]["stringValue"]
        ),
        (
            &json!(17),
            &json!("1795219397676000000"),
            &json!("2026-11-21 00:03:17,676 ERROR no disk")
        )
    );
    assert_eq!(
        (&kept[5]["severity_number"], &kept[5]["body"]["stringValue"]),
        (&json!(5), &json!("inner"))
    );
    let (status, problem) = post(&server, "/v1/developer/logs", &[JSON], "{\"level\": \"info\"}").await;
    assert_eq!(status, 400);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("message must be there")
    );
}

/// Ids in base64, as the developer stream has them.
fn base64_ids(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if let ("traceId" | "spanId" | "parentSpanId", Some(hex)) = (key.as_str(), value.as_str()) {
                    let bytes: Vec<u8> = (0..hex.len() / 2)
                        .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap())
                        .collect();
                    *value = STANDARD.encode(bytes).into();
                } else {
                    base64_ids(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(base64_ids),
        _ => {}
    }
}

#[tokio::test]
async fn frames_of_meshagents_developer_stream_are_the_telemetry_of_the_room() {
    let server = Server::start().await;
    let read = |name: &str| -> Value {
        let bytes = std::fs::read(format!("{CAPTURES}/meshagent/{name}.json")).unwrap();
        let mut value = serde_json::from_slice(&bytes).unwrap();
        base64_ids(&mut value);
        value
    };
    let mut frames = vec![
        json!({"type": "otel.trace", "data": read("0011-traces")}),
        json!({"type": "warning", "data": {"message": "low on memory", "free_mib": 12}}),
        json!({"type": "otel.log", "data": read("0009-logs").to_string()}),
        json!({"type": "container.started", "data": {}}),
    ];
    for name in ["0007-metrics", "0010-metrics"] {
        let metrics = read(name);
        let groups = metrics["resourceMetrics"].as_array().unwrap().clone();
        frames.extend(
            groups
                .iter()
                .map(|group| json!({"type": "otel.metric", "data": {"resource": group}})),
        );
    }
    let lines: Vec<_> = frames.iter().map(Value::to_string).collect();
    let headers = [
        ("content-type", "application/x-ndjson"),
        ("x-meshscope-session", "sess-def"),
    ];
    for _ in 0..2 {
        let (status, answer) = post(&server, "/v1/developer/frames", &headers, &lines.join("\n")).await;
        assert_eq!((status, &answer["rejected"]), (200, &json!("0")), "{answer}");
    }
    let list = server.get("sessions?from=0").await;
    let room = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["spans"] == 77)
        .unwrap();
    assert_eq!(
        (
            &room["session_id"],
            &room["tokens"]["total"],
            &room["tokens"]["cached_input"]
        ),
        (&json!("sess-def"), &json!("504"), &json!("69"))
    );
    let warnings = logs(&server, "&severity=warn&session=sess-def").await;
    assert_eq!(warnings[0]["body"]["stringValue"], "low on memory");
    let events = logs(&server, "&q=container.started").await;
    assert_eq!(events[0]["event_name"], "container.started");
    let bad = json!([{"type": "otel.trace", "data": {"spans": []}}, {"data": 1}, {"type": "info", "data": {"message": "kept"}}]);
    let (status, answer) = post(&server, "/v1/developer/frames", &[JSON], &bad.to_string()).await;
    assert_eq!(
        (status, &answer["accepted"], &answer["rejected"]),
        (200, &json!("1"), &json!("2"))
    );
    let messages = answer["messages"].to_string();
    assert!(
        messages.contains("expected the key resourceSpans") && messages.contains("type must say"),
        "{messages}"
    );
}

async fn session_ids(server: &Server) -> Vec<String> {
    let list = server.get("sessions?from=0&limit=1000").await;
    let ids = list["sessions"].as_array().unwrap().iter();
    let mut ids: Vec<_> = ids
        .map(|s| s["session_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_header_names_the_session_only_of_what_names_none() {
    let server = Server::with(|args| ServeArgs {
        session_headers: Some(vec!["X-Demo-Session".to_owned(), "x-call".to_owned()]),
        ..args
    })
    .await;
    let one = |trace: &str| {
        traces(&[span(1, &json!({"traceId": trace}))])
            .to_string()
            .into_bytes()
    };
    let (own, named, asked) = ("a".repeat(32), "b".repeat(32), "c".repeat(32));
    let demo = ("X-Demo-Session", "from-demo");
    for (path, headers, trace) in [
        (
            "/v1/traces",
            vec![JSON, demo, ("x-meshscope-session", "from-own")],
            &own,
        ),
        ("/v1/traces", vec![JSON, ("x-call", "from-call")], &named),
        ("/v1/traces?session=from-query", vec![JSON, demo], &asked),
    ] {
        assert_eq!(
            server.post(path, &headers, one(trace)).await.status().as_u16(),
            200
        );
    }
    assert_eq!(
        session_ids(&server).await,
        ["from-call", "from-own", "from-query"]
    );
    // A trace in which any record names a session is of that session, whatever the header says.
    let (path, media, body) = capture("videosdk/0047-traces.pb");
    server.post(&path, &[("content-type", media), demo], body).await;
    let (path, media, body) = capture("reference/0001-traces.pb");
    server.post(&path, &[("content-type", media), demo], body).await;
    assert_eq!(
        session_ids(&server).await,
        ["65f0-session", "from-call", "from-own", "from-query", "sess-77"]
    );
}

#[tokio::test]
async fn metadata_of_grpc_names_the_session_too() {
    let server = Server::with(|args| ServeArgs {
        session_headers: Some(vec!["x-demo-session".to_owned()]),
        ..args
    })
    .await;
    let address = format!("http://{}", server.running.as_ref().unwrap().otlp_grpc);
    let channel = tonic::transport::Endpoint::from_shared(address)
        .unwrap()
        .connect()
        .await
        .unwrap();
    for (key, value, byte) in [("x-meshscope-session", "one", 1), ("x-demo-session", "two", 2)] {
        let bytes = std::fs::read(format!("{CAPTURES}/meshagent/0003-traces.pb")).unwrap();
        let mut request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        for resource in &mut request.resource_spans {
            resource.resource = None;
            let spans = resource.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans);
            spans.for_each(|span| span.trace_id = vec![byte; 16]);
        }
        let mut request = tonic::Request::new(request);
        request.metadata_mut().insert(key, value.parse().unwrap());
        TraceServiceClient::new(channel.clone())
            .export(request)
            .await
            .unwrap();
    }
    assert_eq!(session_ids(&server).await, ["one", "two"]);
}

#[tokio::test]
async fn meshflow_steps_outside_of_a_run_stand_together_by_agent_and_day() {
    let server = Server::start().await;
    for n in 1..=5 {
        let (path, media, body) = capture(&format!("meshflow/000{n}-traces.raw.json"));
        server.post(&path, &[("content-type", media)], body).await;
    }
    assert_eq!(
        session_ids(&server).await,
        ["no-run:2026-11-21", "no-run:researcher:2026-11-21"]
    );
    let list = server.get("sessions?from=0&agent=researcher").await;
    let session = &list["sessions"][0];
    assert_eq!(
        (&session["title"], &session["spans"], &session["blocked"]),
        (&json!("no-run researcher 2026-11-21"), &json!(4), &json!(1))
    );
}

#[tokio::test]
async fn the_document_describes_the_endpoints() {
    let server = Server::start().await;
    let document = server.get("openapi.json").await;
    for path in ["logs", "frames"] {
        let post = &document["paths"][format!("/api/v1/developer/{path}")]["post"];
        assert!(
            post["requestBody"]["content"]["application/x-ndjson"].is_object(),
            "{post}"
        );
        assert!(post["description"].as_str().unwrap().contains("OTLP port"));
    }
    let url = format!("{}/api/v1/developer/logs", server.api);
    let answer = server.client.get(url).send().await.unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers()["allow"].to_str().unwrap()
        ),
        (405, "POST")
    );
}
