//! Rooms of MeshAgent.

use crate::replay::{attribute, names, ns, orders, sent, sessions, spans, totals};
use serde_json::{Value, json};

#[tokio::test]
async fn a_meshagent_room_shows_turns_tools_and_tokens() {
    for order in orders(&names(
        "meshagent",
        &["0006", "0007", "0008", "0009", "0010", "0011"],
    )) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        assert_eq!(list.len(), 1, "{list:#?}");
        let room = &list[0];
        assert_eq!(
            (
                &room["session_id"],
                &room["room"],
                &room["project"],
                &room["spans"],
                &room["traces"],
                &room["errors"]
            ),
            (
                &json!("sess-def"),
                &json!("gettingstarted"),
                &json!("proj-123"),
                &json!(77),
                &json!(7),
                &json!(0)
            )
        );
        let tokens = &room["tokens"];
        assert_eq!(
            (
                &tokens["input"],
                &tokens["cached_input"],
                &tokens["output"],
                &tokens["total"]
            ),
            (&json!("369"), &json!("69"), &json!("135"), &json!("504"))
        );
        assert_eq!(totals(&server).await, (json!("504"), json!("3")));
        let tenths = |value: &Value| (ns(value) + 50_000) / 100_000;
        let first = &room["time_to_first_token_ns"];
        assert_eq!((tenths(&first["p50"]), tenths(&first["p95"])), (1_926, 21_286));
        let spans = spans(&server, "sess-def").await;
        let turns = spans.iter().filter(|span| span["meaning"]["operation"] == "turn");
        let threads: Vec<_> = turns
            .map(|span| span["meaning"]["conversation"].clone())
            .collect();
        assert_eq!(
            threads,
            [json!("/threads/t1.thread"), json!("/threads/t1.thread")]
        );
        let tools: Vec<_> = spans
            .iter()
            .filter(|span| span["meaning"]["operation"] == "execute_tool")
            .collect();
        assert_eq!(
            (tools.len(), &tools[0]["meaning"]["tool"]),
            (1, &json!("weather-toolkit/get_weather"))
        );
        assert_eq!(tenths(&tools[0]["duration_ns"]), 526);
        assert_eq!(attribute(tools[0], "arguments"), r#"{"city": "Costa Mesa"}"#);
        // One span an event of the stream is folded; what a person asks for is not.
        let folded = |name: &str| {
            spans
                .iter()
                .filter(|span| span["name"] == name)
                .all(|span| span["meaning"]["noise"] == true)
        };
        assert!(folded("llm.stream.event") && !folded("agent.turn") && !folded("llm.invoke"));
        assert_eq!(
            spans
                .iter()
                .filter(|span| span["meaning"]["noise"] == false)
                .count(),
            17
        );
    }
}

#[tokio::test]
async fn a_meshagent_users_own_spans_and_metrics_are_kept() {
    for order in orders(&names("meshagent", &["0001", "0002", "0003"])) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        assert_eq!(
            (list.len(), &list[0]["session_id"], &list[0]["errors"]),
            (1, &json!("sess-abc"), &json!(2))
        );
        let spans = spans(&server, "sess-abc").await;
        let failed: Vec<_> = spans
            .iter()
            .filter(|span| span["meaning"]["error"] == "Rate limited")
            .collect();
        assert_eq!(failed.len(), 2);
        assert!(
            failed
                .iter()
                .all(|span| span["events"][0]["name"] == "rate_limit_exceeded")
        );
        let metrics = server.get("metrics?from=0&session=sess-abc").await;
        let kinds: Vec<_> = metrics["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|metric| metric["name"].as_str().unwrap().starts_with("weather."))
            .map(|metric| (metric["name"].clone(), metric["kind"].clone()))
            .collect();
        assert_eq!(
            kinds,
            [
                (json!("weather.calls"), json!("sum")),
                (json!("weather.latency"), json!("histogram"))
            ]
        );
        let tokens = server.get("metrics/input_tokens?from=0&session=sess-abc").await;
        assert!(
            tokens["series"]
                .to_string()
                .contains(r#""key":"annotation.team","value":{"stringValue":"demo"}"#)
        );
    }
}
