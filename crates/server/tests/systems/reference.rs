//! The GenAI conventions' own SDKs: metrics exported again and again.

use crate::replay::{names, orders, sent};
use serde_json::Value;

/// What the series of a metric add, by the value of one of their attributes.
fn increase(detail: &Value, key: &str, value: &str) -> (f64, String) {
    let series = detail["series"].as_array().unwrap();
    let of = |series: &&Value| {
        let attributes = series["attributes"].as_array().unwrap();
        attributes
            .iter()
            .any(|kv| kv["key"] == key && kv["value"]["stringValue"] == value)
    };
    let found: Vec<_> = series.iter().filter(of).collect();
    assert_eq!(found.len(), 1, "{detail:#}");
    let increase = &found[0]["increase"];
    (
        increase["sum"].as_f64().unwrap(),
        increase["count"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn a_cumulative_series_exported_twice_counts_once() {
    for order in orders(&names("reference", &["0007", "0009"])) {
        let server = sent(&order).await;
        let tokens = server.get("metrics/gen_ai.client.token.usage?from=0").await;
        let one = || "1".to_owned();
        assert_eq!(increase(&tokens, "gen_ai.token.type", "input"), (123.0, one()));
        assert_eq!(increase(&tokens, "gen_ai.token.type", "output"), (45.0, one()));
        let agents = server.get("metrics/gen_ai.invoke_agent.duration?from=0").await;
        assert_eq!(increase(&agents, "gen_ai.agent.name", "planner").1, "1");
        // Seen from between the two exports: nothing was added since.
        let later = server
            .get("metrics/gen_ai.client.token.usage?from=1795220777995000000")
            .await;
        assert_eq!(
            increase(&later, "gen_ai.token.type", "input"),
            (0.0, "0".to_owned())
        );
    }
}
