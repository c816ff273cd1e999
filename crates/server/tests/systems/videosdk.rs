//! Calls of VideoSDK agents.

use crate::common::Server;
use crate::replay::{names, orders, replay, sent, sessions, totals, values};
use serde_json::{Value, json};

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
    assert_eq!(list[0]["time_to_first_token_ns"]["p95"], "62172000");
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
async fn videosdk_bodies_are_known_at_any_path_and_a_bad_turn_costs_only_itself() {
    let server = Server::start().await;
    let turn = json!({"e2eLatency": 1.5, "ttft": "soon", "promptTokens": 5, "completionTokens": 2, "totalTokens": 7,
        "llmDuration": 3.25, "llmProviderClass": "OpenAILLM", "llmModelName": "gpt-4o-mini", "interrupted": null,
        "aFigureOfTheFuture": 4, "sessionId": "call-1"});
    let body = json!({"data": [5, turn], "agentId": "ag"});
    for path in ["/", "/v1/metrics", "/v1/logs", "/v1/metrics/v1/metrics"] {
        let (status, answer) = server.json(path, &body).await;
        assert_eq!(
            (status, &answer["partialSuccess"]["rejectedDataPoints"]),
            (200, &json!("1")),
            "{path}"
        );
        let message = answer["partialSuccess"]["errorMessage"].as_str().unwrap();
        assert!(
            message.contains("turn 1 was left out: it must be an object, got 5"),
            "{message}"
        );
        assert!(
            message.contains(r#"turn 2 was kept without its ttft: it must be a number, got "soon""#),
            "{message}"
        );
    }
    assert_eq!(totals(&server).await, (json!("7"), json!("1")));
    assert_eq!(sessions(&server).await[0]["session_id"], "call-1");
    assert_eq!(
        values(&server, "call-1", "videosdk.a_figure_of_the_future").await,
        [4.0]
    );
    let log = json!({"logType": "WARNING", "logText": "x", "attributes": 7});
    for path in ["/", "/v1/logs"] {
        let (status, answer) = server.json(path, &log).await;
        assert_eq!(status, 200, "{path}");
        let message = answer["partialSuccess"]["errorMessage"].as_str().unwrap();
        assert!(
            message.contains("attributes must be an object, got 7"),
            "{message}"
        );
    }
    let logs = server.get("logs?from=0").await;
    assert_eq!(
        (
            logs["logs"].as_array().unwrap().len(),
            &logs["logs"][0]["severity_number"]
        ),
        (1, &json!(13))
    );
    for (body, part) in [
        (json!({"data": {}}), "resourceMetrics"),
        (json!([1]), "resourceMetrics"),
    ] {
        let (status, problem) = server.json("/v1/metrics", &body).await;
        assert_eq!(status, 400);
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
    assert_eq!(
        server.json("/v1/metrics", &json!({"data": []})).await,
        (200, json!({}))
    );
}

#[tokio::test]
async fn a_turn_of_a_realtime_model_finds_its_call_by_its_latency() {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let spans = [
        crate::common::span(
            1,
            &json!({"name": "Agent Session: agentName_Haley", "attributes": [attribute("sessionId", "call-9")]}),
        ),
        crate::common::span(
            2,
            &json!({"name": "OpenAIRealtime: Realtime Processing", "parentSpanId": "0000000000000001"}),
        ),
        crate::common::span(
            3,
            &json!({"name": "Time to First Word", "parentSpanId": "0000000000000002",
            "attributes": [attribute("duration_ms", "412.5071")]}),
        ),
        crate::common::span(
            4,
            &json!({"name": "Turn Interrupted", "parentSpanId": "0000000000000001"}),
        ),
    ];
    let mut traces = crate::common::traces(&spans);
    traces["resourceSpans"][0]["resource"]["attributes"] = json!([attribute("sdk.name", "AGENTS")]);
    let turn = json!({"data": [{"e2eLatency": 412.5071, "interrupted": true, "realtimeProviderClass": "OpenAIRealtime",
        "realtimeModelName": "gpt-realtime", "realtimeInputTokens": 50, "realtimeOutputTokens": 20, "realtimeTotalTokens": 70,
        "realtimeInputAudioTokens": 30, "realtimeThoughtsTokens": 4, "agent_speech": "Hi"}]});
    for order in [[&traces, &turn], [&turn, &traces]] {
        let server = Server::start().await;
        for body in order {
            assert_eq!(server.json("/", body).await.0, 200);
        }
        let list = sessions(&server).await;
        assert_eq!(list.len(), 1, "{list:#?}");
        // Span and metrics tell of one interruption.
        assert_eq!(
            (&list[0]["session_id"], &list[0]["interrupted"]),
            (&json!("call-9"), &json!(1))
        );
        let tokens = &list[0]["tokens"];
        assert_eq!(
            (
                &tokens["total"],
                &tokens["audio_input"],
                &tokens["reasoning"],
                &list[0]["models"]
            ),
            (&json!("70"), &json!("30"), &json!("4"), &json!(["gpt-realtime"]))
        );
    }
}
