//! Usage over the API: breakdowns, exports, prices with days and pricing the past anew, what-ifs, budgets.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{Server, args, span, traces};
use meshscope_analysis::Prices;
use meshscope_analysis::what_if::{Change, what_if};
use meshscope_api::UsageCalls;
use meshscope_api::prices::PriceList;
use meshscope_server::config::Config;
use reqwest::Method;
use serde_json::{Value, json};

/// Noon of a day in November.
const NOON: i64 = 1_795_262_400_000_000_000;
const DAY: i64 = 86_400_000_000_000;
const SECOND: i64 = 1_000_000_000;

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn call(id: u64, day: i64, model: &str, user: &str, tokens: (i64, i64)) -> Value {
    let start = NOON + day * DAY + id as i64;
    let count = |key: &str, value: i64| json!({"key": key, "value": {"intValue": value.to_string()}});
    let attributes = [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "house"),
        text("gen_ai.request.model", model),
        text("user.id", user),
        count("gen_ai.usage.input_tokens", tokens.0),
        count("gen_ai.usage.output_tokens", tokens.1),
    ];
    span(
        id,
        &json!({
            "traceId": format!("{id:032x}"), "attributes": attributes, "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + 1_000_000).to_string(),
        }),
    )
}

impl Server {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}/api/v1/{path}", self.api));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    async fn bytes(&self, path: &str, accept: &str) -> (String, Vec<u8>) {
        let url = format!("{}/api/v1/{path}", self.api);
        let response = self
            .client
            .get(url)
            .header("accept", accept)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let media = response.headers()["content-type"].to_str().unwrap().to_owned();
        (media, response.bytes().await.unwrap().to_vec())
    }
}

async fn filled() -> Server {
    let server = Server::start().await;
    let spans = [
        call(1, 0, "big", "ann", (1_000, 100)),
        call(2, 1, "big", "bob", (2_000, 200)),
        call(3, 2, "small", "=ann", (10, 1)),
        call(4, 2, "", "bob", (5, 5)),
    ];
    assert_eq!(server.json("/v1/traces", &traces(&spans)).await.0, 200);
    server
}

#[tokio::test]
async fn usage_goes_by_two_keys_in_a_zone_and_leaves_as_csv_and_parquet() {
    let server = filled().await;
    let (from, to) = (NOON - DAY / 2, NOON + 3 * DAY);
    let range = format!("from={from}&to={to}");
    let report = server
        .get(&format!(
            "usage?{range}&by=model,user&tz=Asia%2FTokyo&bucket=1d&compare=previous"
        ))
        .await;
    assert_eq!(
        (&report["tz"], &report["bucket"]),
        (&json!("Asia/Tokyo"), &json!("1d"))
    );
    assert_eq!(report["groups"].as_array().unwrap().len(), 4);
    assert_eq!(report["groups"][0]["group"], "big");
    assert_eq!(report["groups"][0]["second"], "bob");
    assert_eq!(report["totals"]["calls"], "4");
    assert_eq!(report["previous"]["totals"]["calls"], "0");
    let bounds = report["bounds"].as_array().unwrap();
    assert_eq!(bounds.len(), report["timeline"].as_array().unwrap().len() + 1);
    // A group without a name opens into its rows.
    let rows = server.get(&format!("usage/rows?{range}&none=model")).await;
    assert_eq!(rows["rows"].as_array().unwrap().len(), 1);
    assert_eq!(rows["rows"][0]["user"], "bob");
    assert_eq!(rows["rows"][0]["source"], "span");

    let (media, csv) = server
        .bytes(&format!("usage?{range}&by=user&format=csv"), "*/*")
        .await;
    let csv = String::from_utf8(csv).unwrap();
    assert!(
        media.starts_with("text/csv") && csv.starts_with("user,calls,"),
        "{csv}"
    );
    assert!(csv.contains("\r\n'=ann,1,"), "no formula runs: {csv}");
    let (_, csv) = server.bytes(&format!("usage/rows?{range}"), "text/csv").await;
    assert_eq!(String::from_utf8(csv).unwrap().lines().count(), 5);
    for path in ["usage?by=model&", "usage/rows?"] {
        let (media, bytes) = server
            .bytes(&format!("{path}{range}&format=parquet"), "*/*")
            .await;
        assert_eq!(media, "application/vnd.apache.parquet");
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{path}");
    }
    let heat = server
        .get(&format!("usage/latency?{range}&of=runs&bucket=1d"))
        .await;
    assert_eq!(heat["cells"].as_array().unwrap().len(), 3);

    for (path, parameter) in [
        ("usage?tz=Nowhere", "tz"),
        ("usage?by=colour", "by"),
        ("usage?from=0&to=1795262400000000000&bucket=1m&x=1", "x"),
        ("usage?from=1&to=1795262400000000000&bucket=1m", "bucket"),
        ("usage/latency?of=dreams", "of"),
        ("usage/rows?order=calls", "order"),
    ] {
        let (status, problem) = server.ask(Method::GET, path, None).await;
        assert_eq!(
            (status, &problem["parameter"]),
            (400, &json!(parameter)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn prices_are_added_changed_and_kept_and_the_past_is_priced_on_purpose() {
    let mut server = filled().await;
    let list = server.get("prices").await;
    assert_eq!(list["tables"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&list["tables"][0]["own"], &list["unpriced"][0]["model"]),
        (&json!(true), &json!("big"))
    );
    assert_eq!(list["unpriced"][0]["calls"], "2");

    let price = |from: Option<&str>, input: i64| {
        let mut price =
            json!({"model": "big", "providers": ["house"], "input": input.to_string(), "output": "2000"});
        if let Some(from) = from {
            price["from"] = json!(from);
        }
        price
    };
    for (wrong, field) in [
        (json!({"model": "", "input": "1"}), "model"),
        (json!({"model": "x", "input": "-1"}), "input"),
        (json!({"model": "x", "input": "1", "from": "soon"}), "from"),
        (json!({"model": "x"}), "input"),
        (json!({"model": "x", "input": "1", "ouput": "2"}), "ouput"),
        (json!({"model": "x", "input": 0.5}), "input"),
        (
            json!({"model": "x", "tiers": [{"above_input_tokens": "9", "outpt": "1"}]}),
            "tiers[0].outpt",
        ),
        (json!(["x"]), ""),
    ] {
        let (status, problem) = server.ask(Method::POST, "prices", Some(wrong)).await;
        let parameter = problem["parameter"].as_str().unwrap_or_default();
        assert_eq!((status, parameter), (400, field), "{problem}");
    }
    assert_eq!(
        server
            .ask(Method::POST, "prices", Some(price(None, 1_000)))
            .await
            .0,
        200
    );
    assert_eq!(
        server.ask(Method::POST, "prices", Some(price(None, 5))).await.0,
        409
    );
    let (status, list) = server
        .ask(Method::POST, "prices", Some(price(Some("2026-11-22"), 3_000)))
        .await;
    assert_eq!(status, 200);
    assert_eq!(list["unpriced"][0]["priced_now"], true);
    assert_eq!(list["tables"][0]["entries"].as_array().unwrap().len(), 2);

    // Nothing changes before it is asked for; a dry run says what would.
    assert_eq!(server.get("usage?from=0").await["totals"]["unpriced_calls"], "4");
    let (_, dry) = server.ask(Method::POST, "prices/reprice", Some(json!({}))).await;
    assert_eq!(server.get("usage?from=0").await["totals"]["unpriced_calls"], "4");
    let (status, done) = server
        .ask(Method::POST, "prices/reprice", Some(json!({"apply": true})))
        .await;
    assert_eq!(
        (status, &done["total"], &done["applied"]),
        (200, &dry["total"], &json!(true))
    );
    assert_eq!(
        (&done["total"]["changed"], &done["total"]["newly_priced"]),
        (&json!("2"), &json!("2"))
    );
    // The first call lies before the second price holds.
    let cost = 1_000 * 1_000 + 100 * 2_000 + 2_000 * 3_000 + 200 * 2_000;
    let report = server.get("usage?from=0&by=model").await;
    assert_eq!(report["groups"][0]["cost_pico_usd"], cost.to_string());
    assert_eq!(report["totals"]["unpriced_calls"], "2");
    let rows = server.get("usage/rows?from=0&model=big&order=cost").await;
    let row = &rows["rows"][0];
    assert_eq!(
        (&row["price"]["own"], &row["price"]["entry"]["from"]),
        (&json!(true), &json!("2026-11-22"))
    );
    assert_eq!(row["price"]["gives_pico_usd"], row["cost_pico_usd"]);

    // The page computes what the server does.
    let prices: PriceList = serde_json::from_value(server.get("prices").await).unwrap();
    let prices = Prices::of_list(&prices);
    let (_, bytes) = server.bytes("usage/calls?from=0", "*/*").await;
    let outcome = what_if(&UsageCalls::decode(&bytes).unwrap(), &prices, &Change::default());
    assert_eq!((outcome.after.cost, outcome.after.unpriced), (Some(cost), 2));

    // Changed and removed, and kept over a restart.
    let own = server.get("prices").await["tables"][0]["entries"].clone();
    let id = own[0]["id"].as_str().unwrap();
    let (status, list) = server
        .ask(Method::PUT, &format!("prices/{id}"), Some(price(None, 7)))
        .await;
    assert_eq!(
        (status, list["tables"][0]["entries"].as_array().unwrap().len()),
        (200, 2)
    );
    let other = own[1]["id"].as_str().unwrap();
    assert_eq!(
        server
            .ask(Method::DELETE, &format!("prices/{other}"), None)
            .await
            .0,
        200
    );
    assert_eq!(
        server
            .ask(Method::DELETE, &format!("prices/{other}"), None)
            .await
            .0,
        404
    );
    server.running.take().unwrap().stop().await.unwrap();
    let running = meshscope_server::start(Config::resolve(args(&server.dir)).unwrap())
        .await
        .unwrap();
    server.api = format!("http://{}", running.api);
    server.running = Some(running);
    let list = server.get("prices").await;
    assert_eq!(list["tables"][0]["entries"].as_array().unwrap().len(), 1);
    assert_eq!(list["tables"][0]["entries"][0]["input"], "7");
    assert_eq!(
        server.get("usage?from=0").await["totals"]["cost_pico_usd"],
        cost.to_string()
    );
}

#[tokio::test]
async fn a_budget_says_what_is_spent_and_what_will_be() {
    let server = Server::start().await;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(now.as_nanos()).unwrap();
    let mut span = call(1, 0, "gpt-4o", "ann", (1_000, 0));
    span["startTimeUnixNano"] = json!((now - SECOND).to_string());
    span["endTimeUnixNano"] = json!(now.to_string());
    span["attributes"][1] = text("gen_ai.provider.name", "openai");
    assert_eq!(server.json("/v1/traces", &traces(&[span])).await.0, 200);
    let budget = |project: &str, pico: i64| json!({"project": project, "monthly_pico_usd": pico.to_string(), "tz": "Europe/Berlin"});
    let (status, _) = server
        .ask(Method::PUT, "budgets", Some(budget("default", 1)))
        .await;
    assert_eq!(status, 200);
    let (_, list) = server
        .ask(Method::PUT, "budgets", Some(budget("default", 1_000_000_000_000)))
        .await;
    let budgets = list["budgets"].as_array().unwrap();
    assert_eq!(budgets.len(), 1, "one a project");
    // A second ago may have been the month before.
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let month = number(&budgets[0]["from"]);
    let next = number(&budgets[0]["to"]);
    assert!(next > now && (27 * DAY..32 * DAY).contains(&(next - month)));
    let spent = if now - SECOND >= month { 2_500_000_000 } else { 0 };
    assert_eq!(number(&budgets[0]["spent_pico_usd"]), spent);
    let days = budgets[0]["days_pico_usd"].as_array().unwrap();
    assert_eq!(days.iter().map(number).sum::<i64>(), spent);
    assert_eq!(budgets[0]["daily_pico_usd"], (2_500_000_000_i64 / 7).to_string());
    let (status, problem) = server.ask(Method::PUT, "budgets", Some(budget("p", 0))).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("monthly_pico_usd")));
    let (_, list) = server
        .ask(Method::PUT, "budgets", Some(json!({"monthly_pico_usd": "5"})))
        .await;
    assert_eq!(list["budgets"].as_array().unwrap().len(), 2);
    assert_eq!(list["budgets"][0]["project"], Value::Null);
    let all = &list["budgets"][0];
    assert!(all["used_up_at"].is_string(), "{all}");
    // What lies before the month is not spent of it.
    let mut earlier = call(2, 0, "gpt-4o", "ann", (1_000, 0));
    earlier["startTimeUnixNano"] = json!((month - DAY).to_string());
    earlier["endTimeUnixNano"] = json!((month - DAY + SECOND).to_string());
    earlier["attributes"][1] = text("gen_ai.provider.name", "openai");
    assert_eq!(server.json("/v1/traces", &traces(&[earlier])).await.0, 200);
    let list = server.get("budgets").await;
    assert_eq!(number(&list["budgets"][1]["from"]), month);
    assert_eq!(number(&list["budgets"][1]["spent_pico_usd"]), spent);
    assert_eq!(
        server
            .ask(Method::DELETE, "budgets?project=default", None)
            .await
            .0,
        200
    );
    assert_eq!(
        server
            .ask(Method::DELETE, "budgets?project=default", None)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn what_was_edited_by_hand_meanwhile_is_not_overwritten() {
    let server = Server::start().await;
    let price = |model: &str| json!({"model": model, "input": "1"});
    let add = |model: &'static str| server.ask(Method::POST, "prices", Some(price(model)));
    assert_eq!(add("first").await.0, 200);
    let file = server.get("prices").await["file"].as_str().unwrap().to_owned();
    let mut table: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    table["prices"].as_array_mut().unwrap().push(price("by hand"));
    std::fs::write(&file, table.to_string()).unwrap();
    let (status, list) = add("last").await;
    assert_eq!(status, 200);
    let entries = list["tables"][0]["entries"].as_array().unwrap();
    let models: Vec<&str> = entries
        .iter()
        .map(|entry| entry["model"].as_str().unwrap())
        .collect();
    assert_eq!(models, ["first", "by hand", "last"]);

    let budget = |project: &str| json!({"project": project, "monthly_pico_usd": "5"});
    let set = |project: &'static str| server.ask(Method::PUT, "budgets", Some(budget(project)));
    assert_eq!(set("a").await.0, 200);
    let budgets = server.dir.path().join("budgets.json");
    std::fs::write(&budgets, json!([budget("a"), budget("b")]).to_string()).unwrap();
    let (status, list) = set("c").await;
    assert_eq!((status, list["budgets"].as_array().unwrap().len()), (200, 3));

    // Where it is not right, it says what is wrong and stays as it is.
    let wrong = r#"{"version": "x", "prices": [{"model": "m", "inptu": 1}]}"#;
    std::fs::write(&file, wrong).unwrap();
    let (status, problem) = add("more").await;
    assert_eq!(status, 409);
    assert!(
        problem["detail"].as_str().unwrap().contains("prices[0].inptu"),
        "{problem}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), wrong);
    std::fs::write(&budgets, "[").unwrap();
    assert_eq!(set("d").await.0, 409);
    assert_eq!(std::fs::read_to_string(&budgets).unwrap(), "[");
}
