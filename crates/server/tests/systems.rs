//! What real agent systems sent, replayed as they sent it: the figures that a person expects.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod common;

use common::{CAPTURES, Server};
use serde_json::{Value, json};
use std::path::Path;

/// Files of `captures/<system>` whose names start with one of `prefixes`, in the order sent.
fn names(system: &str, prefixes: &[&str]) -> Vec<String> {
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

/// Posts a capture with the path and headers that the client used.
async fn replay(server: &Server, name: &str) {
    let read = |ending: &str| std::fs::read(format!("{CAPTURES}/{name}{ending}"));
    let sent: Value = serde_json::from_slice(&read(".headers.json").unwrap()).unwrap();
    let raw = Path::new(&format!("{CAPTURES}/{name}.raw.json")).exists();
    let body = read(if raw { ".raw.json" } else { ".pb" }).unwrap();
    let path = match sent["path"].as_str().unwrap() {
        grpc if grpc.ends_with("TraceService/Export") => "/v1/traces",
        path => path,
    };
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
fn orders(names: &[String]) -> Vec<Vec<String>> {
    let reversed: Vec<_> = names.iter().rev().cloned().collect();
    let twice = names.iter().chain(names).cloned().collect();
    vec![names.to_vec(), reversed, twice]
}

/// A server that was sent a capture.
async fn sent(names: &[String]) -> Server {
    let server = Server::start().await;
    for name in names {
        replay(&server, name).await;
    }
    server
}

async fn sessions(server: &Server) -> Vec<Value> {
    let list = server.get("sessions?from=0&limit=1000").await;
    list["sessions"].as_array().unwrap().clone()
}

/// Totals of all usage: tokens, and how many calls they come from.
async fn totals(server: &Server) -> (Value, Value) {
    let usage = server.get("usage?from=0").await;
    (
        usage["totals"]["tokens"]["total"].clone(),
        usage["totals"]["calls"].clone(),
    )
}

/// The values of a metric in a session, sorted.
async fn values(server: &Server, session: &str, metric: &str) -> Vec<f64> {
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

/// The span of the model call of turn 2.
async fn failed_turn(server: &Server) -> Value {
    let trace = server.get("traces?from=0").await["traces"][0]["trace_id"].clone();
    server
        .get(&format!(
            "traces/{}/spans/31b9610d760c1ab2",
            trace.as_str().unwrap()
        ))
        .await
}

#[tokio::test]
async fn a_videosdk_call_counts_once_with_the_latencies_of_its_turns() {
    for order in orders(&names("videosdk", &["00"])) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        assert_eq!(list.len(), 1, "{list:#?}");
        let call = &list[0];
        assert_eq!(
            (
                &call["session_id"],
                &call["room"],
                &call["agents"],
                &call["logs"],
                &call["spans"]
            ),
            (
                &json!("65f0-session"),
                &json!("abcd-efgh-ijkl"),
                &json!(["Haley"]),
                &json!(44),
                &json!(28)
            )
        );
        assert_eq!(call["tokens"]["total"], "300");
        assert_eq!(call["tokens"]["cached_input"], "40");
        assert_eq!(call["interrupted"], 1);
        let turn = failed_turn(&server).await;
        assert_eq!(
            (turn["name"].as_str(), turn["meaning"]["error"].as_str()),
            (Some("OpenAILLM: LLM Processing"), Some("429 rate limited"))
        );
        assert_eq!(turn["status"]["code"], "ok");
        assert_eq!(call["time_to_first_token_ns"]["p95"], "62172000");
        assert_eq!(totals(&server).await.0, "300");
        let e2e = values(&server, "65f0-session", "videosdk.e2e_latency").await;
        assert_eq!(e2e, [161.9719, 165.9437]);
    }
}

#[tokio::test]
async fn videosdk_turn_metrics_alone_count_as_well_and_take_the_session_of_a_header() {
    let turns = names("videosdk", &["0001", "0024"]);
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        session_headers: Some(vec!["X-Demo-Session".to_owned()]),
        ..args
    })
    .await;
    for name in turns.iter().chain(&turns) {
        replay(&server, name).await;
    }
    let list = sessions(&server).await;
    assert_eq!((list.len(), &list[0]["session_id"]), (1, &json!("sess-9")));
    assert_eq!(list[0]["tokens"]["total"], "300");
    let rows = server.get("usage/rows?from=0&session=sess-9").await;
    let rows = rows["rows"].as_array().unwrap();
    let count = |operation: &str| rows.iter().filter(|row| row["operation"] == operation).count();
    assert_eq!(
        (count("chat"), count("text_to_speech"), count("speech_to_text")),
        (2, 2, 2)
    );
    // The spans come late: the session that they name holds, and nothing is counted again.
    replay(&server, "videosdk/0047-traces").await;
    let list = sessions(&server).await;
    assert_eq!((list.len(), &list[0]["session_id"]), (1, &json!("65f0-session")));
    assert_eq!(list[0]["tokens"]["total"], "300");
    assert_eq!(totals(&server).await.1, "6");
}

#[tokio::test]
async fn videosdk_logs_keep_level_logger_and_attributes() {
    let server = sent(&names("videosdk", &["00"])).await;
    let errors = server
        .get("logs?from=0&severity=error&session=65f0-session")
        .await;
    let errors = errors["logs"].as_array().unwrap();
    assert_eq!(errors.len(), 2);
    let last = &errors[0];
    assert_eq!(
        (
            &last["body"]["stringValue"],
            &last["severity_text"],
            &last["scope"]["name"]
        ),
        (
            &json!("final error"),
            &json!("ERROR"),
            &json!("videosdk.agents.demo")
        )
    );
    assert!(last["attributes"].to_string().contains("peerId"));
    let warnings = server.get("logs?from=0&severity=warn").await;
    assert_eq!(warnings["logs"].as_array().unwrap().len(), 4);
}
