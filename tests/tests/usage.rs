//! Usage on the screen: overview, charts, breakdown, rows, session list and session page say the same as
//! the ledger, and hands and keys do what they should.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use meshscope_tests::{Browser, Server};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

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

async fn ask(server: &Server, path: &str) -> Value {
    let response = reqwest::get(format!("{}/api/v1/{path}", server.studio))
        .await
        .unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
    response.json().await.unwrap()
}

async fn open(browser: &Browser, server: &Server, query: &str) {
    let to = format!("{}/usage?{}{query}", server.studio, range());
    browser.page.goto(to).await.unwrap();
    let ready =
        "return !!document.querySelector('.charts canvas') && !!document.querySelector('.breakdown tfoot')";
    browser.until("the charts and the breakdown", ready).await;
}

async fn url(browser: &Browser) -> String {
    browser.page.current_url().await.unwrap().to_string()
}

/// The value of the card with this name.
async fn card(browser: &Browser, name: &str) -> String {
    let script = format!(
        "const card = [...document.querySelectorAll('.figure')].find(e => e.querySelector('.k').innerText === {name:?}); \
         return card.querySelector('.v').firstChild.textContent"
    );
    browser.script(&script).await.as_str().unwrap().to_owned()
}

/// A place of the chart with this title, in parts of its plot's width and height, as pixels of the page.
async fn place(browser: &Browser, title: &str, x: f64, y: f64) -> (i64, i64) {
    let script = format!(
        "const chart = [...document.querySelectorAll('.chart')].find(e => e.querySelector('h2').innerText.startsWith({title:?})); \
         const canvas = chart.querySelector('canvas'); canvas.scrollIntoView({{block: 'center'}}); \
         const b = canvas.getBoundingClientRect(); \
         return [b.x + 56 + (b.width - 64) * {x}, b.y + 8 + (b.height - 30) * {y}]"
    );
    let at = browser.script(&script).await;
    (at[0].as_f64().unwrap() as i64, at[1].as_f64().unwrap() as i64)
}

async fn hover(browser: &Browser, at: (i64, i64)) {
    browser
        .page
        .action_chain()
        .move_to(at.0, at.1)
        .perform()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_place_says_what_the_ledger_says() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, "").await;
    let usage = ask(&server, &format!("usage?by=model&{}", range())).await;
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
async fn hands_and_keys_read_zoom_filter_and_open() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "&bucket=1h").await;
    let first =
        |text: &str| format!("return document.querySelector('.tip')?.innerText.includes({text:?}) ?? false");
    // Seven hours of which the second holds gpt-4o alone: hovering reads it.
    let at = place(&browser, "Cost by", 1.5 / 7.0, 0.95).await;
    hover(&browser, at).await;
    browser.until("the value of the hour", &first("$0.0040")).await;
    browser.screenshot("usage-hover").await;
    // The legend hides a series, and what is hidden is told to those who hear it.
    let legend =
        "[...document.querySelectorAll('.charts .legend-entry')].find(e => e.innerText === 'gpt-4o')";
    browser.script(&format!("{legend}.click()")).await;
    browser
        .until(
            "a hidden series",
            &format!("return {legend}.getAttribute('aria-pressed') === 'false'"),
        )
        .await;
    browser.script(&format!("{legend}.click()")).await;
    // Keys: to the end and back by a step, and what stands there.
    browser
        .script("document.querySelector('.charts canvas').focus()")
        .await;
    browser
        .page
        .action_chain()
        .send_keys(Key::Home)
        .send_keys(Key::Right)
        .perform()
        .await
        .unwrap();
    browser.until("the value by keys", &first("$0.0040")).await;
    // A click filters, with Shift it opens the rows.
    let at = place(&browser, "Cost by", 1.5 / 7.0, 0.95).await;
    let chain = browser
        .page
        .action_chain()
        .move_to(at.0, at.1)
        .key_down(Key::Shift)
        .click()
        .key_up(Key::Shift);
    chain.perform().await.unwrap();
    browser
        .until(
            "the rows",
            "return document.querySelectorAll('.ledger tbody').length === 1",
        )
        .await;
    let row = browser.texts(".ledger tbody").await;
    assert!(
        row[0].contains("gpt-4o") && row[0].contains("$0.0040") && row[0].contains("price table"),
        "{row:?}"
    );
    let link = browser
        .script("return document.querySelector('.ledger a').getAttribute('href')")
        .await;
    assert!(
        link.as_str()
            .unwrap()
            .starts_with(&format!("/traces/{:032x}?span={:016x}", 1, 2)),
        "{link}"
    );
    browser
        .script("document.querySelector('.ledger .tool').click()")
        .await;
    browser.sees("Priced as gpt-4o").await;
    browser.screenshot("usage-rows").await;
    browser
        .page
        .action_chain()
        .send_keys(Key::Escape)
        .perform()
        .await
        .unwrap();
    browser
        .until("no rows", "return !document.querySelector('.rows-drawer')")
        .await;
    let at = place(&browser, "Cost by", 1.5 / 7.0, 0.95).await;
    browser
        .page
        .action_chain()
        .move_to(at.0, at.1)
        .click()
        .perform()
        .await
        .unwrap();
    browser
        .until("the filter", "return location.search.includes('model=gpt-4o')")
        .await;
    browser
        .until(
            "figures of the filter",
            "return document.querySelector('.figure .v').innerText.startsWith('$0.0040')",
        )
        .await;
    browser.script("document.querySelector('.chip').click()").await;
    browser
        .until("no filter", "return !location.search.includes('model=')")
        .await;
    browser
        .until(
            "all figures",
            "return document.querySelector('.figure .v').innerText.includes('$0.0046')",
        )
        .await;
    // A brush sets the time of every page.
    let (from, to) = (
        place(&browser, "Cost by", 1.2 / 7.0, 0.5).await,
        place(&browser, "Cost by", 2.8 / 7.0, 0.5).await,
    );
    let chain = browser
        .page
        .action_chain()
        .move_to(from.0, from.1)
        .click_and_hold();
    chain.move_to(to.0, to.1).release().perform().await.unwrap();
    let zoomed = format!(
        "return location.search.includes('to=') && !location.search.includes('from={}')",
        START - HOUR
    );
    browser.until("the range of the brush", &zoomed).await;
    browser
        .until(
            "figures of the range",
            "return document.querySelector('.figure .v').innerText.startsWith('$0.0046')",
        )
        .await;
    assert!(url(&browser).await.contains("from="));
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_can_be_taken_along() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, "").await;
    // What is offered as a file is read instead.
    browser
        .script(
            "window.files = []; const real = URL.createObjectURL; \
             URL.createObjectURL = blob => { blob.arrayBuffer().then(b => files.push([blob.type, new TextDecoder().decode(b)])); return real(blob) };",
        )
        .await;
    let mut count = 0;
    for (item, kind) in [
        ("Save as CSV", "text/csv"),
        ("Save as SVG", "image/svg+xml"),
        ("Save as PNG", "image/png"),
    ] {
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
            .script(&format!("[...document.querySelectorAll('.chart .menu .item')].find(e => e.innerText === {item:?}).click()"))
            .await;
        count += 1;
        browser
            .until(item, &format!("return files.length === {count}"))
            .await;
        assert_eq!(
            browser.script(&format!("return files[{}][0]", count - 1)).await,
            kind
        );
    }
    let files = browser.script("return files.map(file => file[1])").await;
    let csv = files[0].as_str().unwrap();
    assert!(csv.starts_with("time,gpt-4o,gpt-4o-mini"), "{csv}");
    assert!(csv.contains(",4000000000,"), "pico-dollars in full: {csv}");
    let svg = files[1].as_str().unwrap();
    assert!(
        svg.starts_with("<svg") && svg.contains("<text") && svg.contains("<rect"),
        "{svg:.200}"
    );
    let parsed = browser
        .script("return new DOMParser().parseFromString(files[1][1], 'image/svg+xml').querySelector('parsererror')?.textContent ?? null")
        .await;
    assert!(parsed.is_null(), "{parsed}");
    // The breakdown by two keys, with columns chosen, sorted upwards, kept by the URL.
    open(
        &browser,
        &server,
        "&by=agent,model&columns=calls,tokens,cost&sort=-tokens",
    )
    .await;
    let rows = browser.texts(".breakdown tbody tr").await;
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(
        rows[0].contains("planner") && rows[0].contains("house-model"),
        "{rows:?}"
    );
    assert!(
        rows[2].contains("researcher") && rows[2].contains("2,500"),
        "{rows:?}"
    );
    let heads = browser.texts(".breakdown thead th").await;
    assert_eq!(heads.len(), 5, "{heads:?}");
    // Its file has the same rows and the sum of none of them changed.
    browser
        .script("document.querySelectorAll('.breakdown-tools .menu-of button')[1].click()")
        .await;
    browser
        .until(
            "the menu",
            "return !!document.querySelector('.breakdown-tools a.item')",
        )
        .await;
    let file = browser
        .script("return document.querySelector('.breakdown-tools a.item').href")
        .await;
    let file = reqwest::get(file.as_str().unwrap())
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(lines.len(), 4, "{file}");
    assert!(
        file.contains("4000000000") && file.contains("researcher"),
        "{file}"
    );
    // A figure opens its rows.
    browser
        .script("document.querySelector('.breakdown tbody td .link[title*=rows]').click()")
        .await;
    browser
        .until(
            "the rows",
            "return document.querySelectorAll('.ledger tbody').length === 2",
        )
        .await;
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

/// Types into a field of a form.
async fn fill(browser: &Browser, form: &str, name: &str, text: &str) {
    let script = format!(
        "const field = document.querySelector('{form} input[name={name:?}]'); field.value = {text:?}; \
         field.dispatchEvent(new InputEvent('input', {{bubbles: true}}))"
    );
    browser.script(&script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_change_on_purpose_and_what_if_and_budgets_reckon_with_them() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    let tab = |tab: &str| format!("{}/usage?{}&tab={tab}", server.studio, range());
    browser.page.goto(tab("prices")).await.unwrap();
    browser
        .until(
            "the model without a price",
            "return document.querySelector('#unpriced')?.innerText.includes('house-model')",
        )
        .await;
    browser
        .script("document.querySelector('#unpriced button').click()")
        .await;
    browser
        .until("the form", "return !!document.querySelector('#price-form')")
        .await;
    // What is wrong is said, and nothing is lost of what was typed.
    fill(&browser, "#price-form", "Input", "cheap").await;
    browser
        .script("document.querySelector('#price-form button[type=submit]').click()")
        .await;
    browser.sees("is no price").await;
    fill(&browser, "#price-form", "Input", "1.00").await;
    fill(&browser, "#price-form", "Output", "2.00").await;
    browser.screenshot("usage-price-form").await;
    browser
        .script("document.querySelector('#price-form button[type=submit]').click()")
        .await;
    browser
        .until(
            "the own price",
            "return document.querySelector('[data-own=true]').innerText.includes('house-model')",
        )
        .await;
    // The past costs what it did until it is priced anew.
    open(&browser, &server, "").await;
    assert_eq!(card(&browser, "Cost").await, "\u{2265} $0.0046");
    browser.page.goto(tab("prices")).await.unwrap();
    browser
        .until("the prices", "return !!document.querySelector('[data-own=true]')")
        .await;
    browser.script("document.querySelector('#reprice').click()").await;
    browser.sees("2 of 4 calls would get another cost").await;
    browser.screenshot("usage-reprice").await;
    browser
        .script("document.querySelector('#reprice-apply').click()")
        .await;
    browser.sees("Applied").await;
    browser.sees("Every model that was called has a price.").await;
    open(&browser, &server, "").await;
    assert_eq!(card(&browser, "Cost").await, "$0.0053");
    // What if: as it was, then with all input from a cache, then with another model.
    let figures = "document.querySelector('#what-if')?.innerText ?? ''";
    browser.page.goto(tab("what-if")).await.unwrap();
    browser
        .until(
            "the cost as it was",
            &format!("return ({figures}).split('$0.0053').length === 3"),
        )
        .await;
    browser.page.goto(tab("what-if&cached=100")).await.unwrap();
    browser
        .until(
            "the cost with a cache",
            &format!("return ({figures}).includes('$0.0044')"),
        )
        .await;
    let swap = "const all = [...document.querySelectorAll('select.swap')]; \
                const select = all.find(e => e.getAttribute('aria-label') === 'Instead of openai/gpt-4o'); \
                select.value = [...select.options].find(o => o.value === 'openai/gpt-4o-mini').value; \
                select.dispatchEvent(new Event('change', {bubbles: true}))";
    browser.page.goto(tab("what-if")).await.unwrap();
    browser
        .until(
            "the models",
            "return document.querySelectorAll('select.swap').length === 3",
        )
        .await;
    browser.script(swap).await;
    // 600 and 400 cached tokens in at $0.15 and $0.075 a million, 200 out at $0.60.
    browser
        .until(
            "the cost of the other model",
            &format!("return ({figures}).includes('$0.0016')"),
        )
        .await;
    browser
        .until("the URL", "return location.search.includes('swap=')")
        .await;
    browser.screenshot("usage-what-if").await;
    // A budget of everything.
    browser.page.goto(tab("budgets")).await.unwrap();
    browser.sees("No budgets yet").await;
    browser
        .script("document.querySelector('#add-budget').click()")
        .await;
    browser
        .until("the form", "return !!document.querySelector('#budget-form')")
        .await;
    fill(&browser, "#budget-form", "Dollars a month", "12.50").await;
    browser
        .script("document.querySelector('#budget-form button[type=submit]').click()")
        .await;
    browser.sees("of $12.50").await;
    browser.sees("lasts the month").await;
    browser.script("[...document.querySelectorAll('.budget-card button')].find(e => e.innerText === 'remove').click()").await;
    browser.sees("No budgets yet").await;
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
