//! Usage on the screen: overview, charts, breakdown, rows, session list and session page say the same as
//! the ledger, and hands and keys do what they should.

mod hands;
mod lists;
mod prices;

use meshscope_tests::{Browser, Server};
use serde_json::{Value, json};

/// Start of the first run, ns since the epoch: 2026-11-20 18:40 UTC.
const START: i64 = 1_795_200_000_000_000_000;
const HOUR: i64 = 3_600_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A model call: hour, session, agent, model, provider, input, cached input, output tokens, and whether it failed.
type Call = (
    i64,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    i64,
    i64,
    i64,
    bool,
);

/// What is known: 4,330 tokens; $0.0040 of gpt-4o, $0.0006 of gpt-4o-mini, and a model without a price.
const CALLS: [Call; 4] = [
    (
        0,
        "table-for-two",
        "planner",
        "gpt-4o",
        "openai",
        1_000,
        400,
        200,
        false,
    ),
    (
        1,
        "table-for-two",
        "researcher",
        "gpt-4o-mini",
        "openai",
        2_000,
        0,
        500,
        false,
    ),
    (
        3,
        "window-seat",
        "planner",
        "house-model",
        "kitchen",
        300,
        0,
        30,
        true,
    ),
    (
        3,
        "window-seat",
        "planner",
        "house-model",
        "kitchen",
        250,
        0,
        50,
        false,
    ),
];

fn attributes(pairs: &[(&str, Value)]) -> Value {
    let attribute = |(key, value): &(&str, Value)| {
        let value = match value {
            Value::String(text) => json!({"stringValue": text}),
            number => json!({"intValue": number.to_string()}),
        };
        json!({"key": key, "value": value})
    };
    pairs.iter().map(attribute).collect()
}

/// Sends the calls, each a run of its own: a root and the call below it.
async fn send(server: &Server) {
    let mut spans = Vec::new();
    for (n, (hour, session, agent, model, provider, input, cached, output, failed)) in
        CALLS.into_iter().enumerate()
    {
        let (trace, start) = (format!("{:032x}", n + 1), START + hour * HOUR);
        let id = ("gen_ai.conversation.id", json!(session));
        let agent = ("gen_ai.agent.name", json!(agent));
        let root = [
            id.clone(),
            agent.clone(),
            ("gen_ai.operation.name", json!("invoke_agent")),
        ];
        let call = [
            id,
            agent,
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.request.model", json!(model)),
            ("gen_ai.provider.name", json!(provider)),
            ("gen_ai.usage.input_tokens", json!(input)),
            ("gen_ai.usage.cache_read.input_tokens", json!(cached)),
            ("gen_ai.usage.output_tokens", json!(output)),
        ];
        let span = |id: usize, name: &str, end: i64, with: &[(&str, Value)]| {
            json!({
                "traceId": trace, "spanId": format!("{id:016x}"), "name": name, "kind": 1,
                "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + end).to_string(),
                "attributes": attributes(with),
            })
        };
        let root_id = 2 * n + 1;
        let mut below = span(root_id + 1, "chat", (n as i64 + 1) * SECOND, &call);
        below["parentSpanId"] = json!(format!("{root_id:016x}"));
        if failed {
            below["status"] = json!({"code": 2, "message": "the kitchen is closed"});
        }
        spans.push(span(root_id, "invoke_agent", 9 * SECOND, &root));
        spans.push(below);
    }
    let resource = json!({"attributes": attributes(&[("service.name", json!("restaurant")), ("service.version", json!("1.2.0"))])});
    let body =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": spans}]}]});
    server
        .post(
            "/v1/traces",
            "application/json",
            serde_json::to_vec(&body).unwrap(),
        )
        .await;
}

/// The range that holds all, as the URL has it.
fn range() -> String {
    format!("from={}&to={}", START - HOUR, START + 6 * HOUR)
}

async fn open(browser: &Browser, server: &Server, query: &str) {
    let to = format!("{}/usage?{}{query}", server.studio, range());
    browser.page.goto(to).await.unwrap();
    let ready =
        "return !!document.querySelector('.charts canvas') && !!document.querySelector('.breakdown tfoot')";
    browser.until("the charts and the breakdown", ready).await;
}

/// The value of the card with this name.
async fn card(browser: &Browser, name: &str) -> String {
    let script = format!(
        "const card = [...document.querySelectorAll('.figure')].find(e => e.querySelector('.k').innerText === {name:?}); \
         return card.querySelector('.v').firstChild.textContent"
    );
    browser.script(&script).await.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_place_says_what_the_ledger_says() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, "").await;
    let usage = server.get(&format!("usage?by=model&{}", range())).await;
    let totals = &usage["totals"];
    assert_eq!(totals["tokens"]["total"], "4330");
    assert_eq!(totals["cost_pico_usd"], "4600000000");
    assert_eq!(totals["unpriced_calls"], "2");
    let expected = [
        ("Cost", "\u{2265} $0.0046"),
        ("Tokens", "4,330"),
        ("Calls", "4"),
        ("Runs", "4"),
        ("Sessions", "2"),
        ("Errors", "1"),
        ("Agents", "2"),
    ];
    for (name, value) in expected {
        assert_eq!(card(&browser, name).await, value, "{name}");
    }
    // The breakdown: its rows, and a sum that is the overview's.
    let foot = browser.texts(".breakdown tfoot td").await;
    assert_eq!(foot[0], "4", "{foot:?}");
    assert!(foot.contains(&"\u{2265} $0.0046".to_owned()), "{foot:?}");
    let rows = browser.texts(".breakdown tbody tr").await;
    assert!(
        rows[0].contains("gpt-4o") && rows[0].contains("$0.0040"),
        "{rows:?}"
    );
    assert!(
        rows[2].contains("house-model") && rows[2].contains("unknown"),
        "{rows:?}"
    );
    // The chart as a table: the bars of the hours add up to the total.
    browser
        .script("document.querySelector('.chart .menu-of button').click()")
        .await;
    browser
        .until(
            "the menu",
            "return !!document.querySelector('.chart .menu .item')",
        )
        .await;
    browser
        .script("document.querySelector('.chart .menu .item').click()")
        .await;
    browser
        .until(
            "the table",
            "return !!document.querySelector('.chart table tbody tr')",
        )
        .await;
    let cells = browser.texts(".chart table td").await;
    assert!(
        cells.contains(&"$0.0040".to_owned()) && cells.contains(&"$0.0006".to_owned()),
        "{cells:?}"
    );
    // The heat map counts every call once.
    let heat = "[...document.querySelectorAll('.chart')].find(e => e.innerText.startsWith('How long'))?.querySelector('canvas')";
    browser.until("the heat map", &format!("return !!({heat})")).await;
    let said = browser.script(&format!("return ({heat}).getAttribute('aria-label').match(/ \\d+(?=,|$)/g).map(Number).reduce((a, b) => a + b)")).await;
    assert_eq!(said, 4);
    // The session list and a session.
    browser
        .page
        .goto(format!("{}/sessions?{}", server.studio, range()))
        .await
        .unwrap();
    browser.sees("table-for-two").await;
    let rows = browser.texts("table.sessions tbody tr").await;
    let row = rows.iter().find(|row| row.contains("table-for-two")).unwrap();
    assert!(row.contains("$0.0046") && row.contains("3,700"), "{row}");
    browser
        .page
        .goto(format!("{}/sessions/table-for-two", server.studio))
        .await
        .unwrap();
    browser.sees("$0.0046").await;
    browser.sees("3,700").await;
    // Chosen, the page says what that session's page says.
    open(&browser, &server, "&session=table-for-two").await;
    assert_eq!(card(&browser, "Cost").await, "$0.0046");
    assert_eq!(card(&browser, "Tokens").await, "3,700");
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_and_trouble_say_so() {
    let server = Server::start();
    let browser = Browser::start().await;
    browser
        .page
        .goto(format!("{}/usage?range=all", server.studio))
        .await
        .unwrap();
    browser
        .until("how to send", "return !!document.querySelector('.empty, .sends')")
        .await;
    browser
        .page
        .goto(format!("{}/usage?operation=sing", server.studio))
        .await
        .unwrap();
    browser
        .until("the problem", "return !!document.querySelector('.failed')")
        .await;
    let problem = browser.texts(".failed").await;
    assert!(problem[0].contains("operation"), "{problem:?}");
    send(&server).await;
    let nobody = format!("{}/usage?{}&model=nobody-has-this", server.studio, range());
    browser.page.goto(nobody).await.unwrap();
    browser.sees("Nothing in this selection").await;
    browser.stop().await;
}

/// Every control has a name, every table heads, in every part of the page.
#[tokio::test(flavor = "multi_thread")]
async fn everything_on_the_page_has_a_name() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, "&rows=cost").await;
    browser
        .until("rows", "return !!document.querySelector('.ledger tbody')")
        .await;
    let nameless = browser
        .script(
            "return [...document.querySelectorAll('main :is(button, a, input, select, canvas, [role=img])')] \
             .filter(e => !(e.getAttribute('aria-label') || e.getAttribute('title') || e.innerText?.trim() || e.closest('label')?.innerText.trim())) \
             .map(e => e.outerHTML.slice(0, 120))",
        )
        .await;
    assert_eq!(nameless, json!([]));
    let headless = browser.script("return [...document.querySelectorAll('main .breakdown table, main .ledger')].filter(t => !t.querySelector('th')).length").await;
    assert_eq!(headless, 0);
    browser.stop().await;
}
