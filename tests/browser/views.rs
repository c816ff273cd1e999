//! The other views of a trace: what they say, where things stand in them, and that one selection is shared by
//! all.

use meshscope_tests::{Browser, Server};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

const TRACE: &str = "1af7651916cd43dd8448eb211c80319c";
const AGAIN: &str = "1af7651916cd43dd8448eb211c80319d";
const LARGE: &str = "1af7651916cd43dd8448eb211c80319e";
/// Start of the traces, ns since the epoch.
const START: u64 = 1_795_200_000_000_000_000;
/// Height of a row of any table.
const ROW: f64 = 26.0;

fn time(ms: i64) -> String {
    (START as i64 + ms * 1_000_000).to_string()
}

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

/// A span as OTLP/JSON: its number, its parent's or 0, name, start and end in ms, attributes.
fn span(
    trace: &str,
    n: u64,
    parent: u64,
    name: &str,
    (start, end): (i64, i64),
    with: &[(&str, Value)],
) -> Value {
    let mut span = json!({
        "traceId": trace,
        "spanId": format!("{n:016x}"),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": time(start),
        "endTimeUnixNano": time(end),
        "attributes": attributes(with),
    });
    if parent > 0 {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

async fn send(server: &Server, service: &str, spans: Vec<Value>) {
    let resource = json!({"attributes": attributes(&[("service.name", json!(service))])});
    let scope = json!([{"scope": {}, "spans": spans}]);
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": scope}]});
    server
        .post(
            "/v1/traces",
            "application/json",
            serde_json::to_vec(&body).unwrap(),
        )
        .await;
}

fn chat(system: &str, asked: &str, answered: &str) -> Vec<(&'static str, Value)> {
    let said = |role: &str, text: &str| json!({"role": role, "parts": [{"type": "text", "content": text}]});
    vec![
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.request.model", json!("gpt-4o")),
        ("gen_ai.provider.name", json!("openai")),
        ("gen_ai.usage.input_tokens", json!(1_000)),
        ("gen_ai.usage.output_tokens", json!(200)),
        (
            "gen_ai.input.messages",
            json!(json!([said("system", system), said("user", asked)]).to_string()),
        ),
        (
            "gen_ai.output.messages",
            json!(json!([said("assistant", answered)]).to_string()),
        ),
    ]
}

/// A second: a planner asks a model, calls a tool three times (the last one fails), and asks again.
async fn run(server: &Server, trace: &str, answer: &str, slow: i64) {
    let agent = [
        ("gen_ai.operation.name", json!("invoke_agent")),
        ("gen_ai.agent.name", json!("planner")),
    ];
    let call = [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.request.model", json!("gpt-4o")),
        (
            "gen_ai.output.messages",
            json!(json!([{"role": "assistant", "parts": [{"type": "tool_call", "name": "search", "arguments": {"q": "rail"}}]}]).to_string()),
        ),
    ];
    let tool = |answer: &str| {
        [
            ("gen_ai.operation.name", json!("execute_tool")),
            ("gen_ai.tool.name", json!("search")),
            ("gen_ai.tool.call.arguments", json!(r#"{"q":"rail"}"#)),
            ("gen_ai.tool.call.result", json!(answer)),
        ]
    };
    let mut failed = span(trace, 6, 2, "execute_tool search", (500, 560), &tool("none"));
    failed["status"] = json!({"code": 2, "message": "no network"});
    let answered = chat(
        "Plan by rail only.",
        "To Lyon <script>boom()</script>, please",
        answer,
    );
    send(
        server,
        "planner-service",
        vec![
            span(trace, 1, 0, "POST /trips", (0, 1_000), &[]),
            span(trace, 2, 1, "invoke_agent planner", (100, 900), &agent),
            span(trace, 3, 2, "chat gpt-4o", (100, 300), &call),
            span(trace, 4, 2, "execute_tool search", (300, 400), &tool("TGV")),
            span(trace, 5, 2, "execute_tool search", (400, 480), &tool("TER")),
            failed,
            span(trace, 7, 2, "chat gpt-4o", (600, 850 + slow), &answered),
        ],
    )
    .await;
    send(
        server,
        "tool-service",
        vec![span(trace, 8, 4, "GET /search", (310, 390), &[])],
    )
    .await;
    let record = |n: u64, ms: i64, severity: u8, text: &str| {
        json!({"timeUnixNano": time(ms), "severityNumber": severity, "body": {"stringValue": text},
            "traceId": trace, "spanId": format!("{n:016x}")})
    };
    let records = [
        record(6, 555, 17, "the network is down"),
        record(3, 250, 9, "a model was asked"),
    ];
    let logs =
        json!({"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": records}]}]});
    server
        .post("/v1/logs", "application/json", serde_json::to_vec(&logs).unwrap())
        .await;
}

async fn open(browser: &Browser, server: &Server, path: &str, ready: &str) {
    browser
        .page
        .goto(format!("{}{path}", server.studio))
        .await
        .unwrap();
    let ready = serde_json::to_string(ready).unwrap();
    browser
        .until(path, &format!("return !!document.querySelector({ready})"))
        .await;
}

async fn keys(browser: &Browser, selector: &str, keys: impl Into<TypingData>) {
    let element = browser.page.find(By::Css(selector)).await.unwrap();
    browser
        .script(&format!(
            "document.querySelector('{selector}').focus({{preventScroll: true}})"
        ))
        .await;
    element.send_keys(keys).await.unwrap();
}

async fn selected(browser: &Browser, n: u64) {
    let wanted = format!("return new URLSearchParams(location.search).get('span') === '{n:016x}'");
    browser.until(&format!("span {n} is selected"), &wanted).await;
}

/// Clicks at a place of an element, from its top left.
async fn click(browser: &Browser, selector: &str, x: f64, y: f64) {
    let script = format!(
        "const e = document.querySelector('{selector}'), r = e.getBoundingClientRect();
        const at = {{clientX: r.left + {x}, clientY: r.top + {y}, bubbles: true, pointerId: 1, pointerType: 'mouse'}};
        e.setPointerCapture = () => {{}};
        for (const kind of ['pointermove', 'pointerdown', 'pointerup']) e.dispatchEvent(new PointerEvent(kind, at));"
    );
    browser.script(&script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_sort_group_and_make_only_the_rows_in_view() {
    let server = Server::start();
    run(&server, TRACE, "Take the TGV.", 0).await;
    let many = (2..=5_001).map(|n| span(LARGE, n, 1, &format!("step {n}"), (n as i64, n as i64 + 1), &[]));
    let root = span(LARGE, 1, 0, "loop", (0, 6_000), &[]);
    send(&server, "looper", std::iter::once(root).chain(many).collect()).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;

    open(
        &browser,
        &server,
        &format!("/traces/{TRACE}?tab=table"),
        ".spans .grid-row.on, .spans [aria-rowindex='9']",
    )
    .await;
    let names = browser.texts(".spans .grid-row .title").await;
    let by_start = [
        "POST /trips",
        "invoke_agent planner",
        "chat gpt-4o",
        "execute_tool search",
        "GET /search",
    ];
    assert_eq!(names[..5], by_start);
    assert_eq!(
        names[6], "\u{25cf} execute_tool search",
        "a failed span is marked"
    );
    keys(&browser, ".spans", ">").await;
    browser
        .until(
            "sorted by duration",
            "return location.search.includes('sort=-duration')",
        )
        .await;
    browser
        .until(
            "the longest first",
            "return document.querySelectorAll('.spans .title')[2].innerText === 'chat gpt-4o'",
        )
        .await;
    keys(&browser, ".spans", ".").await;
    browser
        .until(
            "the shortest first",
            "return document.querySelector('.spans .title').innerText.includes('search')",
        )
        .await;
    let order = browser
        .script("return document.querySelector('[aria-sort=ascending]').innerText")
        .await;
    assert!(order.as_str().unwrap().starts_with("Duration"), "{order}");
    keys(&browser, ".spans", Key::End).await;
    selected(&browser, 1).await;
    browser.sees("self 200 ms").await;

    open(
        &browser,
        &server,
        &format!("/traces/{TRACE}?tab=table&by=name"),
        ".figures [aria-rowindex='2']",
    )
    .await;
    let rows = browser.texts(".figures .grid-row").await;
    let search = rows
        .iter()
        .find(|row| row.starts_with("execute_tool search"))
        .unwrap();
    let cells: Vec<&str> = search.split('\n').collect();
    assert_eq!(cells[..3], ["execute_tool search", "3", "1"], "count and errors");
    assert!(
        cells.contains(&"240 ms") && cells.contains(&"160 ms"),
        "total and self: {cells:?}"
    );
    let by_model =
        "[...document.querySelectorAll('.view-bar button')].find(e => e.innerText === 'Model').click()";
    browser.script(by_model).await;
    browser
        .until(
            "by model",
            "return document.querySelector('.figures .title')?.innerText === 'gpt-4o'",
        )
        .await;
    keys(&browser, ".figures", Key::Down + Key::Enter).await;
    browser
        .until(
            "its spans",
            "return document.querySelector('.spans')?.getAttribute('aria-rowcount') === '3'",
        )
        .await;
    browser.sees("model gpt-4o").await;

    open(
        &browser,
        &server,
        &format!("/traces/{LARGE}?tab=table"),
        ".spans [aria-rowindex='9']",
    )
    .await;
    let made = "return document.querySelectorAll('.spans .grid-row').length";
    assert!(browser.script(made).await.as_u64().unwrap() < 60, "of 5,001 rows");
    keys(&browser, ".spans", Key::End).await;
    selected(&browser, 5_001).await;
    let in_view = "const r = document.querySelector('.spans .grid-row.on')?.getBoundingClientRect(), v = document.querySelector('.vlist').getBoundingClientRect();
        return !!r && r.top >= v.top && r.bottom <= v.bottom + 1 && r.height";
    browser
        .until("the last row is in view", &format!("{in_view} === {ROW}"))
        .await;
    assert!(browser.script(made).await.as_u64().unwrap() < 60);
    assert_eq!(
        browser
            .script("return document.querySelector('.spans .grid-row.on').getAttribute('aria-rowindex')")
            .await,
        "5002"
    );
    browser.screenshot("view-table-large").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flame_graph_selects_zooms_and_reads() {
    let server = Server::start();
    run(&server, TRACE, "Take the TGV.", 0).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(
        &browser,
        &server,
        &format!("/traces/{TRACE}?tab=flame"),
        ".surface[data-lanes='4']",
    )
    .await;
    assert_eq!(
        browser.texts(".legend-entry").await,
        ["planner-service", "tool-service"]
    );
    // 1.05 s over the whole width; lanes of 20 px below an axis of 22.
    let width = browser
        .script("return document.querySelector('.surface').clientWidth")
        .await
        .as_f64()
        .unwrap();
    let x = |ms: f64| ms / 1_050.0 * width;
    click(&browser, ".surface", x(200.0), 22.0 + 2.5 * 20.0).await;
    selected(&browser, 3).await;
    browser.until("it is read", "return document.querySelector('#flame-told').innerText.startsWith('chat gpt-4o \u{b7} planner-service \u{b7} total 200 ms \u{b7} self 200 ms')").await;
    keys(&browser, ".surface", Key::Right).await;
    selected(&browser, 4).await;
    keys(&browser, ".surface", Key::Down).await;
    selected(&browser, 8).await;
    keys(&browser, ".surface", Key::Up + Key::Up).await;
    selected(&browser, 2).await;
    let bars = "return document.querySelector('.surface').dataset.bars";
    let before = browser.script(bars).await;
    keys(&browser, ".surface", "f").await;
    browser
        .until(
            "only what is within the agent and its caller",
            &format!("{bars} === '8'"),
        )
        .await;
    assert_eq!(before, "8", "all spans are wide enough to be drawn");
    keys(&browser, ".surface", "0h").await;
    browser
        .until("by name", "return location.search.includes('flame=name')")
        .await;
    browser
        .until("three calls of the tool are one bar", &format!("{bars} === '5'"))
        .await;
    keys(&browser, ".surface", Key::Down + Key::Right).await;
    browser.until("all of a name", "return document.querySelector('#flame-told').innerText.includes('total 240 ms \u{b7} self 160 ms \u{b7} 3 spans \u{b7} 1 failed')").await;
    selected(&browser, 4).await;
    browser.screenshot("view-flame-name").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_graph_stands_in_layers_with_its_counts() {
    let server = Server::start();
    run(&server, TRACE, "Take the TGV.", 0).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(
        &browser,
        &server,
        &format!("/traces/{TRACE}?tab=graph"),
        ".graph .node",
    )
    .await;
    let said =
        "return [...document.querySelectorAll('.graph .calls')].map(e => e.getAttribute('aria-label'))";
    let said: Vec<String> = serde_json::from_value(browser.script(said).await).unwrap();
    assert!(
        said.contains(&"planner to search: 3 calls, 1 failed".to_owned()),
        "{said:?}"
    );
    assert!(
        said.contains(&"planner to gpt-4o: 2 calls".to_owned()),
        "{said:?}"
    );
    let left = |name: &str| {
        format!(
            "[...document.querySelectorAll('.graph .node')].find(e => e.querySelector('.name').textContent.startsWith('{name}')).getBoundingClientRect()"
        )
    };
    let ordered = format!(
        "return {}.right < {}.left && {}.right < {}.left",
        left("planner-service"),
        left("planner"),
        left("planner"),
        left("gpt-4o")
    );
    let ordered = ordered.replace(&left("planner"), "[...document.querySelectorAll('.graph .node')].find(e => e.querySelector('.name').textContent === 'planner').getBoundingClientRect()");
    assert_eq!(
        browser.script(&ordered).await,
        true,
        "callers stand left of whom they call"
    );
    let apart = "const all = [...document.querySelectorAll('.graph .node')].map(e => e.getBoundingClientRect());
        return all.every((a, i) => all.every((b, j) => i === j || a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top))";
    assert_eq!(browser.script(apart).await, true, "no node covers another");
    let tool = "[...document.querySelectorAll('.graph .node')].find(e => e.querySelector('.name').textContent.startsWith('search'))";
    browser
        .script(&format!(
            "{tool}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))"
        ))
        .await;
    selected(&browser, 4).await;
    browser.sees("called 3 times").await;
    browser.script("[...document.querySelectorAll('.view-foot button')].find(e => e.innerText === 'its spans as a table').click()").await;
    browser
        .until(
            "its spans",
            "return document.querySelector('.spans')?.getAttribute('aria-rowcount') === '4'",
        )
        .await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversation_logs_and_critical_path_lead_to_spans_and_back() {
    let server = Server::start();
    run(&server, TRACE, "Take the TGV.", 0).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(
        &browser,
        &server,
        &format!("/traces/{TRACE}?tab=conversation"),
        ".turn",
    )
    .await;
    let turns = browser.texts(".turn").await;
    assert!(
        turns[0].contains("search") && turns[0].contains("TGV") && turns[0].contains("100 ms"),
        "a call with its answer: {turns:?}"
    );
    assert!(
        turns.iter().any(|turn| turn.contains("failed: no network")),
        "{turns:?}"
    );
    assert!(
        turns.iter().any(|turn| turn.contains("<script>boom()</script>")),
        "text stays text: {turns:?}"
    );
    assert!(
        turns.last().unwrap().contains("Take the TGV.") && turns.last().unwrap().contains("took 250 ms"),
        "{turns:?}"
    );
    assert_eq!(
        browser
            .script("return document.querySelectorAll('main script').length")
            .await,
        0
    );
    browser
        .script("[...document.querySelectorAll('.turn-head')].at(-1).click()")
        .await;
    selected(&browser, 7).await;
    browser.screenshot("view-conversation").await;

    let body = browser.page.find(By::Tag("body")).await.unwrap();
    body.send_keys("v").await.unwrap();
    browser
        .until(
            "the next view, the same span",
            "return location.search.includes('tab=logs') && location.search.includes('span=')",
        )
        .await;
    browser
        .until(
            "the records",
            "return document.querySelectorAll('.records .grid-row').length === 2",
        )
        .await;
    let texts = browser.texts(".records .text").await;
    assert_eq!(
        texts,
        ["a model was asked", "the network is down"],
        "in the order of time"
    );
    assert_eq!(
        browser.texts(".records .of").await,
        ["chat gpt-4o", "execute_tool search"]
    );
    keys(&browser, ".records", Key::End).await;
    selected(&browser, 6).await;
    browser
        .until(
            "the record opens",
            "return document.querySelector('.log-open')?.innerText.includes('the network is down')",
        )
        .await;
    let mine = "return document.querySelectorAll('.records .grid-row.mine').length";
    browser
        .until("what the span wrote is marked", &format!("{mine} === 1"))
        .await;

    open(
        &browser,
        &server,
        &format!("/traces/{TRACE}?tab=critical"),
        ".critical [aria-rowindex='3']",
    )
    .await;
    let shares = "return [...document.querySelectorAll('.critical .grid-row:not(.grid-head)')].map(e => e.children[4].innerText)";
    let lengths: Vec<String> = serde_json::from_value(browser.script(shares).await).unwrap();
    let sum: f64 = lengths
        .iter()
        .map(|text| text.trim_end_matches(" ms").parse::<f64>().unwrap())
        .sum();
    assert_eq!(sum, 1_000.0, "the segments tile the root: {lengths:?}");
    keys(&browser, ".critical", Key::Down).await;
    selected(&browser, 1).await;
    keys(&browser, ".critical", Key::Down).await;
    selected(&browser, 3).await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_20_mb_opens_cut_and_then_whole_as_a_lazy_tree() {
    let server = Server::start();
    let rows: Vec<Value> = (0..200_000)
        .map(|n| json!({"row": n, "text": "x".repeat(80)}))
        .collect();
    let large = json!({"rows": rows, "last": "the end of it"}).to_string();
    assert!(large.len() > 20_000_000);
    let note = [
        ("note.large", json!(large)),
        ("note.link", json!("javascript:alert(1)")),
    ];
    send(&server, "heavy", vec![span(TRACE, 1, 0, "heavy", (0, 10), &note)]).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(
        &browser,
        &server,
        &format!("/traces/{TRACE}?span={:016x}&detail=attributes", 1),
        ".details .cut",
    )
    .await;
    browser.sees("MB in all").await;
    assert_eq!(
        browser
            .script("return document.querySelectorAll('.details a[href^=javascript]').length")
            .await,
        0
    );
    browser.script("[...document.querySelectorAll('.cut button')].find(e => e.innerText.startsWith('load all')).click()").await;
    let tree = "const tree = [...document.querySelectorAll('.details button')].find(e => e.innerText === 'as a tree'); tree?.click(); return !!tree";
    browser.until("the whole is here", tree).await;
    browser
        .until(
            "its first level",
            "return document.querySelector('.details-body').innerText.includes('last: the end of it')",
        )
        .await;
    browser
        .script("document.querySelectorAll('.details .json-row .json-fold')[0].click()")
        .await;
    browser
        .until(
            "a page of rows",
            "return document.querySelector('.details').innerText.includes('199800 more')",
        )
        .await;
    let nodes = browser
        .script("return document.querySelectorAll('.details *').length")
        .await
        .as_u64()
        .unwrap();
    assert!(nodes < 3_000, "{nodes} elements for 200,000 rows");
    let body = browser.page.find(By::Tag("body")).await.unwrap();
    body.send_keys("r").await.unwrap();
    browser
        .until("raw by a key", "return !!document.querySelector('.details .raw')")
        .await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_traces_are_picked_in_the_list_and_compared() {
    let server = Server::start();
    run(&server, TRACE, "Take the TGV.", 0).await;
    run(&server, AGAIN, "Take the TER.", 140).await;
    send(
        &server,
        "planner-service",
        vec![span(AGAIN, 20, 2, "chat extra", (860, 890), &[])],
    )
    .await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "/traces?range=all", ".pick-box").await;
    for _ in 0..2 {
        browser
            .script("[...document.querySelectorAll('.pick-box')].find(e => !e.checked).click()")
            .await;
    }
    browser
        .until("both are picked", "return !!document.querySelector('.picked a')")
        .await;
    browser
        .script("document.querySelector('.picked a').click()")
        .await;
    browser
        .until(
            "the comparison",
            "return location.pathname === '/compare' && !!document.querySelector('.compare-row')",
        )
        .await;
    open(
        &browser,
        &server,
        &format!("/compare?a={TRACE}&b={AGAIN}"),
        ".compare-row",
    )
    .await;
    let summary = browser.texts("main [role=toolbar] button").await;
    for wanted in ["+ 1 added", "\u{25b2} 1 slower", "\u{2260} 1 different answer"] {
        assert!(
            summary.iter().any(|text| text == wanted),
            "{wanted} of {summary:?}"
        );
    }
    let rows = browser.texts(".compare-row").await;
    assert!(
        rows.iter()
            .any(|row| row.contains("chat extra") && row.contains("added")),
        "{rows:?}"
    );
    let changed = rows
        .iter()
        .position(|row| row.contains("different answer"))
        .unwrap();
    assert!(
        rows[changed].contains("250 ms")
            && rows[changed].contains("390 ms")
            && rows[changed].contains("+56.0 %"),
        "{rows:?}"
    );
    browser
        .script(&format!(
            "document.querySelectorAll('.compare-row')[{changed}].click()"
        ))
        .await;
    browser.sees("Take the TGV.").await;
    browser.sees("Take the TER.").await;
    browser.screenshot("view-compare").await;
    open(
        &browser,
        &server,
        &format!("/compare?a={TRACE}&b={TRACE}"),
        ".compare-row",
    )
    .await;
    browser.sees("The traces are the same").await;
    browser.stop().await;
}
