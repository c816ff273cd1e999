//! What must not be lost, and what must be said, when senders send what they should not.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Server, span, traces};
use serde_json::{Value, json};
use std::io::Write as _;

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// The problem document of a refusal, after checking that it is one.
async fn problem(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert!(
        body["type"]
            .as_str()
            .unwrap()
            .starts_with("urn:meshscope:problem:")
    );
    (status, body["detail"].as_str().unwrap().to_owned())
}

async fn names(server: &Server) -> Vec<String> {
    let trace = server.get("traces/4bf92f3577b34da6a3ce929d0e0e4736").await;
    let spans = trace["spans"].as_array().unwrap();
    spans
        .iter()
        .map(|span| span["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_with_a_reason() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        max_body_mib: Some(2),
        max_decoded_mib: Some(4),
        ..args
    })
    .await;
    let (_, _, whole) = common::capture("meshagent/0003-traces.pb");
    let cut = whole[..whole.len() - 7].to_vec();
    let (status, detail) = problem(server.post("/v1/traces", &[PROTOBUF], cut).await).await;
    assert_eq!(status, 400);
    assert!(
        detail.contains("ExportTraceServiceRequest in protobuf"),
        "{detail}"
    );

    let (status, detail) = problem(
        server
            .post("/v1/traces", &[("content-type", "text/plain")], vec![])
            .await,
    )
    .await;
    assert_eq!(status, 415);
    assert!(detail.contains("application/x-protobuf"), "{detail}");
    let (status, _) = problem(
        server
            .post("/v1/traces", &[JSON, ("content-encoding", "br")], vec![])
            .await,
    )
    .await;
    assert_eq!(status, 415);

    let (status, detail) = problem(server.post("/v1/traces", &[JSON], vec![b' '; 3 << 20]).await).await;
    assert_eq!(status, 413);
    assert!(detail.contains("2 MiB"), "{detail}");

    // A bomb: 100 MB of zeros in 100 KB, refused at the limit.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; 100 << 20]).unwrap();
    let bomb = gzip.finish().unwrap();
    let (status, detail) = problem(
        server
            .post("/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], bomb)
            .await,
    )
    .await;
    assert_eq!(status, 413);
    assert!(detail.contains("after decompression"), "{detail}");
    let broken = server
        .post(
            "/v1/traces",
            &[PROTOBUF, ("content-encoding", "gzip")],
            b"no gzip".to_vec(),
        )
        .await;
    assert_eq!(problem(broken).await.0, 400);

    let get = server
        .client
        .get(format!("{}/v1/traces", server.otlp))
        .send()
        .await
        .unwrap();
    assert_eq!(get.headers()["allow"], "POST");
    assert_eq!(problem(get).await.0, 405);
    assert_eq!(
        problem(server.post("/v1/nothing", &[JSON], vec![]).await).await.0,
        404
    );
    assert_eq!(server.get("status").await["counts"]["spans"], "0");
    assert!(
        !server.get("status").await["problems"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_without_being_kept() {
    let server = Server::start().await;
    let (status, _) = problem(server.post("/v1/logs", &[JSON], vec![b'['; 100 << 20]).await).await;
    assert_eq!(status, 413);
    assert_eq!(
        server.json("/v1/traces", &traces(&[span(1, &json!({}))])).await.0,
        200
    );
}

#[tokio::test]
async fn a_span_without_ids_is_named_and_its_neighbours_are_kept() {
    let server = Server::start().await;
    let bad = json!({"traceId": "", "name": "the bad one"});
    let (status, answer) = server
        .json(
            "/v1/traces",
            &traces(&[span(1, &json!({})), span(2, &bad), span(3, &json!({}))]),
        )
        .await;
    assert_eq!(status, 200);
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1");
    let message = answer["partialSuccess"]["errorMessage"].as_str().unwrap();
    assert!(
        message.contains("span 2") && message.contains("trace_id"),
        "{message}"
    );
    assert_eq!(names(&server).await, ["work 1", "work 3"]);
    let problems = server.get("status").await["problems"].clone();
    assert_eq!(
        (problems[0]["rejected"].as_str(), problems[0]["signal"].as_str()),
        (Some("1"), Some("traces"))
    );
}

#[tokio::test]
async fn odd_times_are_kept_as_they_are() {
    let server = Server::start().await;
    let spans = [
        span(1, &json!({"endTimeUnixNano": "5"})),
        span(2, &json!({"startTimeUnixNano": "1", "endTimeUnixNano": "2"})),
        span(
            3,
            &json!({"startTimeUnixNano": "9223372036854775807", "endTimeUnixNano": "9223372036854775807"}),
        ),
        span(4, &json!({"startTimeUnixNano": "18446744073709551615"})),
    ];
    let (status, answer) = server.json("/v1/traces", &traces(&spans)).await;
    assert_eq!(
        (status, answer["partialSuccess"]["rejectedSpans"].as_str()),
        (200, Some("1"))
    );
    let trace = server.get("traces/4bf92f3577b34da6a3ce929d0e0e4736").await;
    let found: Vec<_> = trace["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["started_at"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, ["1", "1795220548168533800", "9223372036854775807"]);
    assert_eq!(trace["spans"][1]["ended_at"], "5");
    assert_eq!(trace["spans"][1]["duration_ns"], "0");
    assert_eq!(
        server.get("sessions?from=0").await["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(server.get("usage?from=0").await["totals"]["runs"], "1");
}

#[tokio::test]
async fn odd_values_and_markup_survive_as_they_are() {
    let server = Server::start().await;
    let evil = "<script>alert(1)</script>\u{0}\u{1f600}";
    let text = |key: &str| json!({"key": key, "value": {"stringValue": evil}});
    let mut attributes: Vec<Value> = (0..10_000)
        .map(|n| json!({"key": format!("k{n}"), "value": {"intValue": n}}))
        .collect();
    attributes.push(text(evil));
    attributes.push(json!({"key": "nan", "value": {"doubleValue": "NaN"}}));
    attributes.push(json!({"key": "inf", "value": {"doubleValue": "-Infinity"}}));
    let mut body = traces(&[
        span(
            1,
            &json!({
                "name": evil, "attributes": attributes, "traceState": evil, "status": {"code": 2, "message": evil},
                "events": [{"name": evil, "timeUnixNano": "1", "attributes": [text("e")]}],
            }),
        ),
        span(2, &json!({})),
    ]);
    body["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"] = json!(evil);
    let (status, answer) = server.json("/v1/traces", &body).await;
    assert_eq!((status, answer), (200, json!({})));
    let span = server
        .get("traces/4bf92f3577b34da6a3ce929d0e0e4736/spans/0000000000000001")
        .await;
    for field in [
        &span["name"],
        &span["trace_state"],
        &span["status"]["message"],
        &span["scope"]["name"],
        &span["events"][0]["name"],
    ] {
        assert_eq!(field, evil);
    }
    let kept = span["attributes"].as_array().unwrap();
    assert_eq!(kept.len(), 10_003);
    assert!(kept.contains(&text(evil)));
    assert!(kept.iter().any(|kv| kv["value"]["doubleValue"] == "NaN"));
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1795220548168533800", "body": {"stringValue": evil}}]}]}]});
    assert_eq!(server.json("/v1/logs", &logs).await.0, 200);
    assert_eq!(
        server.get("logs?from=0").await["logs"][0]["body"]["stringValue"],
        evil
    );
}

#[tokio::test]
async fn text_that_is_not_utf8_is_repaired_and_reported() {
    let server = Server::start().await;
    let (_, _, mut bytes) = common::capture("meshagent/0003-traces.pb");
    let at = bytes
        .windows(14)
        .position(|window| window == b"validate_input")
        .unwrap();
    bytes[at] = 0xff;
    let response = server.post("/v1/traces", &[PROTOBUF], bytes).await;
    assert_eq!(response.status().as_u16(), 200);
    assert!(String::from_utf8_lossy(&response.bytes().await.unwrap()).contains("UTF-8"));
    assert_eq!(server.get("status").await["counts"]["spans"], "35");
}

#[tokio::test]
async fn questions_that_cannot_be_answered_name_their_parameter() {
    let server = Server::start().await;
    for (path, parameter) in [
        ("sessions?from=yesterday", "from"),
        ("sessions?limit=0", "limit"),
        ("traces?cursor=zzz", "cursor"),
        ("traces?colour=red", "colour"),
        ("logs?severity=loud", "severity"),
        ("usage?by=moon", "by"),
        ("traces/xyz", "trace_id"),
    ] {
        let response = server
            .client
            .get(format!("{}/api/v1/{path}", server.api))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 400, "{path}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["parameter"], parameter, "{path}");
    }
    for path in [
        "sessions/none",
        "traces/4bf92f3577b34da6a3ce929d0e0e4736",
        "metrics/none",
        "nowhere",
    ] {
        let response = server
            .client
            .get(format!("{}/api/v1/{path}", server.api))
            .send()
            .await
            .unwrap();
        assert_eq!(problem(response).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_given_up_and_says_so() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        query_timeout: Some(1e-6),
        ..args
    })
    .await;
    let late = reqwest::get(format!("{}/api/v1/sessions", server.api))
        .await
        .unwrap();
    let (status, detail) = problem(late).await;
    assert_eq!(status, 503);
    assert!(detail.contains("--query-timeout"), "{detail}");
    // What is written is not a query.
    let (status, _) = server.json("/v1/traces", &traces(&[span(1, &json!({}))])).await;
    assert_eq!(status, 200);
}
