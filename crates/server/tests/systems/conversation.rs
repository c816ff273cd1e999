//! What was said in the captures, as a person would retell it.

use super::common::Server;
use super::replay::{names, orders, sent};
use serde_json::Value;

/// The turns of a trace as lines: who, the parts of the message, and what came of calls.
async fn retold(server: &Server, trace: &str) -> Vec<String> {
    let told = server.get(&format!("traces/{trace}/conversation")).await;
    let turns = told["turns"].as_array().unwrap();
    turns.iter().map(line).collect()
}

fn line(turn: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").trim().to_owned();
    let mut line = format!("{} {}:", text(&turn["agent"]), text(&turn["message"]["role"]));
    for part in turn["message"]["parts"].as_array().unwrap() {
        line += &match part["type"].as_str().unwrap() {
            "tool_call" => format!(" {}({})", text(&part["name"]), text(&part["arguments"])),
            _ => format!(" {}", text(&part["content"])),
        };
    }
    for outcome in turn["calls"].as_array().into_iter().flatten() {
        assert!(outcome["span_id"].is_string() == outcome["duration_ns"].is_string());
        line += &format!(" -> {}", text(&outcome["result"]));
    }
    line + &turn["error"]
        .as_str()
        .map_or(String::new(), |error| format!(" !{error}"))
}

async fn traces(server: &Server) -> Vec<Value> {
    let list = server.get("traces?from=0&limit=1000").await;
    list["traces"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_call_of_videosdk_is_retold_whatever_the_order() {
    for order in orders(&names("videosdk", &["0047"])) {
        let server = sent(&order).await;
        let all = traces(&server).await;
        let trace = all[0]["trace_id"].as_str().unwrap();
        assert_eq!(
            retold(&server, trace).await,
            [
                "Haley system: You are Haley.",
                "Haley user: What is the weather in Paris?",
                "Haley assistant: get_weather() -> -",
                "Haley assistant: It is 21 degrees in Paris.",
                "Haley user: Thanks, bye",
                "Haley assistant: Goodbye! !429 rate limited",
            ]
        );
    }
}

#[tokio::test]
async fn a_run_of_dexto_tells_its_tool_once_with_what_it_answered() {
    let server = sent(&names("dexto", &["0"])).await;
    let mut found = 0;
    for trace in traces(&server).await {
        let lines = retold(&server, trace["trace_id"].as_str().unwrap()).await;
        let calls = lines.iter().filter(|line| line.contains("get_weather(")).count();
        if calls == 0 {
            continue;
        }
        found += 1;
        assert_eq!(calls, 1, "{lines:?}");
        let call = lines.iter().find(|line| line.contains("get_weather(")).unwrap();
        assert!(
            call.contains(r#"get_weather({"city":"Paris"}) -> {"#),
            "{lines:?}"
        );
    }
    assert!(found > 0, "a run that asks for the weather");
}

#[tokio::test]
async fn texts_are_cut_on_demand_and_one_span_has_them_whole() {
    let server = sent(&names("reference", &["0006-traces"])).await;
    let all = traces(&server).await;
    let trace = all[0]["trace_id"].as_str().unwrap();
    let whole = retold(&server, trace).await;
    assert_eq!(
        whole.iter().filter(|line| line.contains("get_weather")).count(),
        1,
        "the call, its span and its result are one: {whole:?}"
    );
    let cut = server
        .get(&format!("traces/{trace}/conversation?preview=16"))
        .await;
    let turns = cut["turns"].as_array().unwrap();
    let call = turns.iter().find(|turn| turn["cut"].is_array()).unwrap();
    assert_eq!(call["cut"][0]["bytes"], "17", "{call}");
    let span = call["span_id"].as_str().unwrap();
    let one = server
        .get(&format!("traces/{trace}/conversation?span={span}"))
        .await;
    let turns = one["turns"].as_array().unwrap();
    assert!(
        !turns.is_empty()
            && turns
                .iter()
                .all(|turn| turn["span_id"] == span && turn["cut"].is_null())
    );
    let url = format!("{}/api/v1/traces/{:032x}/conversation", server.api, 1);
    assert_eq!(
        server.client.get(url).send().await.unwrap().status().as_u16(),
        404
    );
    let url = format!("{}/api/v1/traces/{trace}/conversation?span=x", server.api);
    let problem: Value = server.client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(problem["parameter"], "span");
}
