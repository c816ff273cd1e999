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

#[tokio::test]
async fn a_meshflow_run_reported_by_the_cloud_reporter_and_by_spans_counts_once() {
    let run = "356b5f06-b1c8-469f-9d71-8aa44bc941f3";
    for order in orders(&names("meshflow", &["0010", "0014"])) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        assert_eq!(list.len(), 1, "{order:?} {list:#?}");
        assert_eq!(
            (
                &list[0]["session_id"],
                &list[0]["tokens"]["total"],
                &list[0]["title"],
                &list[0]["room"]
            ),
            (&json!(run), &json!("67"), &json!("grpc-run"), &json!("grpc-run"))
        );
        assert_eq!(totals(&server).await.0, "67");
        let usage = server.get("usage?from=0").await;
        assert_eq!(usage["totals"]["claimed_tokens"], "67");
        assert_eq!(usage["totals"]["calls"], "4");
    }
    // Either alone counts too.
    for name in ["0010", "0014"] {
        let server = sent(&names("meshflow", &[name])).await;
        assert_eq!(sessions(&server).await[0]["session_id"], run);
        assert_eq!(totals(&server).await.0, "67", "{name}");
    }
}

#[tokio::test]
async fn what_the_meshflow_client_posts_is_kept_at_both_ports() {
    let server = sent(&names("meshflow", &["0010", "0011", "0012", "0013"])).await;
    let base = server.api.clone();
    let job = json!({"job_id": "job-abc", "workflow_name": "daily", "status": "failed", "retries": 3,
        "max_retries": 3, "duration_ms": 4200, "error_msg": "no disk", "scheduled_for": null});
    for _ in 0..2 {
        let url = format!("{base}/api/ingest/worker");
        let answer = server.client.post(url).json(&job).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"ok": true}));
    }
    let logs = server.get("logs?from=0").await["logs"].clone();
    assert_eq!(logs.as_array().unwrap().len(), 1);
    assert_eq!(
        logs[0]["body"]["stringValue"],
        "job job-abc of daily: failed: no disk"
    );
    assert_eq!(
        (&logs[0]["event_name"], &logs[0]["severity_number"]),
        (&json!("meshflow.worker"), &json!(17))
    );
    // The reported call of the model is another than those of the run's total.
    let rows = server
        .get("usage/rows?from=0&session=356b5f06-b1c8-469f-9d71-8aa44bc941f3")
        .await;
    let call = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["operation"] == "chat")
        .unwrap()
        .clone();
    assert_eq!(
        (
            &call["tokens"]["input"],
            &call["tokens"]["output"],
            &call["cost_pico_usd"],
            &call["agent"]
        ),
        (
            &json!("500"),
            &json!("1000"),
            &json!("50000000000"),
            &json!("researcher")
        )
    );
    let traces = server.get("traces?from=0&q=fs/read").await;
    assert_eq!(traces["traces"].as_array().unwrap().len(), 1);
    let wrong = json!({"spans": [{"agent_name": "a", "name": "n", "duration_ms": "long"}, 5,
        {"agent_name": "a", "run_id": "r", "name": "n", "started_at": "2026-06-06T12:00:00", "duration_ms": 5}]});
    let (status, answer) = server.json("/api/ingest/spans", &wrong).await;
    assert_eq!((status, answer["rejected"].as_str()), (200, Some("2")));
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains("duration_ms must be a number") && message.contains("spans 2"),
        "{message}"
    );
    let kept = server.get("traces?from=0&session=r").await;
    assert_eq!(
        (
            &kept["traces"][0]["started_at"],
            &kept["traces"][0]["duration_ns"]
        ),
        (&json!("1780747200000000000"), &json!("5000000"))
    );
    let (status, problem) = server.json("/api/ingest/run", &json!({"total_tokens": 5})).await;
    assert_eq!(status, 400);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("run_id must be the id of the run"), "{detail}");
    assert_eq!(server.json("/api/ingest/nothing", &json!({})).await.0, 404);
}

#[tokio::test]
async fn meshflow_steps_over_all_paths_are_one_run() {
    for order in orders(&names("meshflow", &["0006", "0007", "0009"])) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        assert_eq!(list.len(), 1, "{list:#?}");
        assert_eq!(
            (
                &list[0]["tokens"]["total"],
                &list[0]["cost_pico_usd"],
                &list[0]["blocked"],
                &list[0]["errors"]
            ),
            (&json!("148"), &json!("1200000000"), &json!(1), &json!(0))
        );
        let spans = spans(&server, list[0]["session_id"].as_str().unwrap()).await;
        let failing = spans.iter().find(|span| span["name"] == "step:failing").unwrap();
        assert_eq!(failing["meaning"]["error"], "node_exception:boom");
    }
    for order in orders(&names("meshflow", &["m3-0005", "m3-0006"])) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        assert_eq!((list.len(), &list[0]["blocked"]), (1, &json!(1)));
        let spans = spans(&server, list[0]["session_id"].as_str().unwrap()).await;
        let research = spans
            .iter()
            .find(|span| span["name"] == "meshflow.step.research")
            .unwrap();
        assert_eq!(
            (
                &research["meaning"]["verdict"],
                &research["meaning"]["uncertainty"]
            ),
            (&json!("commit"), &json!(0.738))
        );
        // The chain of the audit ledger is as sent: each entry names the one before.
        let failing = spans
            .iter()
            .find(|span| span["name"] == "meshflow.step.failing")
            .unwrap();
        assert_eq!(
            attribute(research, "meshflow.prev_hash"),
            attribute(failing, "meshflow.entry_hash")
        );
        assert_eq!(research["meaning"]["carbon_ug"], "0");
    }
    for order in orders(&names("meshflow", &["0008"])) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        assert_eq!(
            (
                list.len(),
                &list[0]["tokens"]["total"],
                &list[0]["traces"],
                &list[0]["agents"]
            ),
            (
                1,
                &json!("265"),
                &json!(4),
                &json!(["critic", "executor", "planner", "researcher"])
            )
        );
        let spans = spans(&server, list[0]["session_id"].as_str().unwrap()).await;
        let longest = spans.iter().max_by_key(|span| ns(&span["duration_ns"])).unwrap();
        // 20.9 ms as reported; the span's own times, 0.07 ms, stay beside it.
        assert_eq!(ns(&longest["duration_ns"]), 20_917_235);
        assert_eq!(ns(&longest["ended_at"]) - ns(&longest["started_at"]), 67_785);
    }
}

fn ns(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}

/// The text of an attribute.
fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|kv| kv["key"] == key).unwrap();
    found["value"]["stringValue"].as_str().unwrap().to_owned()
}

/// Every span of a session in full.
async fn spans(server: &Server, session: &str) -> Vec<Value> {
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

#[tokio::test]
async fn meshflow_siem_events_are_log_records_of_their_run() {
    for order in orders(&names("meshflow", &["m3-0007", "m3-0008", "m3-0009", "m3-0010"])) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        assert_eq!(
            (
                list.len(),
                &list[0]["session_id"],
                &list[0]["system"],
                &list[0]["logs"],
                &list[0]["blocked"]
            ),
            (
                1,
                &json!("f2c870a7-b141-4b83-9b39-9de7a020a3fc"),
                &json!("meshflow"),
                &json!(4),
                &json!(2)
            )
        );
        let logs = server.get("logs?from=0&q=step+blocked").await["logs"].clone();
        assert_eq!(
            (logs.as_array().unwrap().len(), &logs[0]["time"]),
            (2, &json!("1795221418011277200"))
        );
        let body = logs[0]["body"]["stringValue"].as_str().unwrap();
        assert!(
            body.starts_with("step blocked: research: zero_trust:auth_denied"),
            "{body}"
        );
    }
    let server = Server::start().await;
    let splunk = json!({"time": 1, "sourcetype": "s", "event": {"event_type": "run_started", "run_id": "r", "data": {}}});
    let hook = json!({"event": "run_failed", "delivery_id": "a", "attempt": 1, "payload": {"run_id": "r"}});
    let again = json!({"event": "run_failed", "delivery_id": "a", "attempt": 2, "payload": {"run_id": "r"}});
    for (path, body) in [("/siem", &splunk), ("/", &hook), ("/webhook", &again)] {
        assert_eq!(
            server.json(path, body).await,
            (200, json!({"ok": true})),
            "{path}"
        );
    }
    assert_eq!(sessions(&server).await[0]["logs"], 2);
    let (status, problem) = server.json("/siem", &json!({"event_type": 5})).await;
    assert_eq!(status, 400);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("event_type must be a text, got 5")
    );
}
