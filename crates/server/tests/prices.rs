//! What calls cost: the built-in table, the user's own, and models without a price.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{Server, args, span, traces};
use meshscope_server::config::{Config, ServeArgs};
use serde_json::{Value, json};

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn count(key: &str, value: i64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// A model call.
fn call(id: u64, provider: &str, model: &str, more: &[Value]) -> Value {
    let mut attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", provider),
        text("gen_ai.request.model", model),
    ];
    attributes.extend_from_slice(more);
    span(id, &json!({ "attributes": attributes }))
}

/// The group of a model in the usage of all times.
async fn model(server: &Server, name: &str) -> Value {
    let usage = server.get("usage?from=0&by=model").await;
    let groups = usage["groups"].as_array().unwrap();
    let found = groups.iter().find(|group| group["group"] == name);
    found.unwrap_or_else(|| panic!("{name} in {groups:#?}")).clone()
}

#[tokio::test]
async fn published_failures_of_others_do_not_happen_here() {
    let server = Server::start().await;
    let cached = [
        count("gen_ai.usage.input_tokens", 17_903),
        count("gen_ai.usage.cache_read.input_tokens", 17_817),
        count("gen_ai.usage.output_tokens", 0),
    ];
    let agent = |id, model: &str| {
        let mut span = call(id, "anthropic", model, &cached);
        span["attributes"][0] = text("gen_ai.operation.name", "invoke_agent");
        span
    };
    let mut child = call(2, "anthropic", "claude-sonnet-4-5", &cached);
    child["parentSpanId"] = json!(format!("{:016x}", 1));
    let spans = [agent(1, "claude-sonnet-4-5"), child];
    assert_eq!(server.json("/v1/traces", &traces(&spans)).await.0, 200);
    let found = model(&server, "claude-sonnet-4-5").await;
    // Cached tokens are within the input: 17,903 and not 35,720. The agent repeats its call: not twice.
    assert_eq!(
        (&found["tokens"]["input"], &found["tokens"]["total"]),
        (&json!("17903"), &json!("17903"))
    );
    // What was read from the cache pays the cache's price.
    let cost = 86_i64 * 3_000_000 + 17_817 * 300_000;
    assert_eq!(found["cost_pico_usd"], cost.to_string());
    let usage = server.get("usage?from=0").await;
    assert_eq!(usage["totals"]["claimed_tokens"], "17903");
    assert_eq!(usage["totals"]["calls"], "1");
}

#[tokio::test]
async fn a_model_without_a_price_is_listed_and_priced_when_its_price_is_given() {
    let mut server = Server::start().await;
    let used = [
        count("gen_ai.usage.input_tokens", 1_000),
        count("gen_ai.usage.output_tokens", 10),
    ];
    let spans = [
        call(1, "house", "in-house-1", &used),
        call(2, "openai", "gpt-4o", &used),
        call(3, "openai", "gpt-4o-gigantic", &used),
    ];
    assert_eq!(server.json("/v1/traces", &traces(&spans)).await.0, 200);
    let unknown = model(&server, "in-house-1").await;
    assert_eq!(
        (&unknown["cost_pico_usd"], &unknown["unpriced_calls"]),
        (&Value::Null, &json!("1"))
    );
    // A model that the table does not know is not priced as its kin.
    assert_eq!(
        model(&server, "gpt-4o-gigantic").await["cost_pico_usd"],
        Value::Null
    );
    assert_eq!(model(&server, "gpt-4o").await["cost_pico_usd"], "2600000000");
    let status = server.get("status").await;
    let file = status["prices"]["file"].as_str().unwrap().to_owned();
    assert_eq!(status["prices"]["tables"].as_array().unwrap().len(), 1);

    server.running.take().unwrap().stop().await.unwrap();
    let table = r#"{"version": "mine", "prices": [{"model": "in-house-1", "input": 1000, "output": 2000}]}"#;
    std::fs::write(&file, table).unwrap();
    let running = meshscope_server::start(Config::resolve(args(&server.dir)).unwrap())
        .await
        .unwrap();
    server.api = format!("http://{}", running.api);
    server.running = Some(running);
    let mut known = model(&server, "in-house-1").await;
    // Calls of the past are priced beside everything else.
    while known["unpriced_calls"] != "0" {
        known = model(&server, "in-house-1").await;
    }
    assert_eq!(
        (&known["cost_pico_usd"], &known["unpriced_calls"]),
        (&json!("1020000"), &json!("0"))
    );
    let rows = server.get("usage/rows?from=0&model=in-house-1").await;
    assert_eq!(rows["rows"][0]["cost_source"], json!({"price_table": "mine"}));
    let status = server.get("status").await;
    assert_eq!(status["prices"]["tables"][0]["version"], "mine");
}

#[tokio::test]
async fn a_price_table_that_is_wrong_stops_the_start_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.json");
    let config = |prices| {
        Config::resolve(ServeArgs {
            prices: Some(prices),
            ..args(&dir)
        })
        .unwrap()
    };
    let missing = meshscope_server::start(config(path.clone())).await.err().unwrap();
    assert!(missing.contains("mine.json"), "{missing}");
    std::fs::write(
        &path,
        r#"{"version": "x", "prices": [{"model": "m", "inptu": 1}]}"#,
    )
    .unwrap();
    let wrong = meshscope_server::start(config(path)).await.err().unwrap();
    assert!(
        wrong.contains("mine.json") && wrong.contains("prices[0].inptu"),
        "{wrong}"
    );
}
