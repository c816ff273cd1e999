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
