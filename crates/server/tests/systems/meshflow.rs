//! Runs of MeshFlow.

use crate::common::Server;
use crate::replay::{attribute, names, ns, orders, sent, sessions, spans, totals};
use serde_json::{Value, json};

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

#[tokio::test]
async fn the_shape_of_meshflows_lesson_counts_calls_and_not_the_run_over_them() {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let double = |key: &str, value: f64| json!({"key": key, "value": {"doubleValue": value}});
    let int = |key: &str, value: u64| json!({"key": key, "value": {"intValue": value}});
    let run = text("meshflow.run_id", "run-1");
    let span = |id: u64, name: &str, attributes: Vec<Value>| {
        let parent = if id == 1 {
            Value::Null
        } else {
            json!(format!("{:016x}", 1))
        };
        crate::common::span(
            id,
            &json!({"name": name, "parentSpanId": parent, "attributes": attributes}),
        )
    };
    let spans = [
        span(
            1,
            "meshflow.run",
            vec![
                run.clone(),
                int("meshflow.tokens", 100),
                double("meshflow.cost_usd", 0.02),
                double("meshflow.carbon_g", 0.5),
            ],
        ),
        span(
            2,
            "meshflow.agent",
            vec![
                run.clone(),
                text("meshflow.role", "planner"),
                int("meshflow.tokens", 60),
                double("meshflow.cost_usd", 0.012),
            ],
        ),
        span(
            3,
            "meshflow.agent",
            vec![
                run.clone(),
                text("meshflow.role", "critic"),
                int("meshflow.tokens", 40),
                double("meshflow.cost_usd", 0.008),
            ],
        ),
        span(
            4,
            "meshflow.gate",
            vec![
                run,
                text("meshflow.gate_result", "blocked"),
                text("meshflow.verdict", "blocked"),
            ],
        ),
    ];
    let mut body = crate::common::traces(&spans);
    body["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"] = json!("meshflow");
    let server = Server::start().await;
    assert_eq!(server.json("/v1/traces", &body).await.0, 200);
    let list = sessions(&server).await;
    assert_eq!(
        (
            &list[0]["session_id"],
            &list[0]["tokens"]["total"],
            &list[0]["cost_pico_usd"],
            &list[0]["blocked"]
        ),
        (&json!("run-1"), &json!("100"), &json!("20000000000"), &json!(1))
    );
}
