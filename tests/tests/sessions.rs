//! Sessions: the list in any order, the viewer with its one timeline, and time travel.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use meshscope_tests::{Browser, Server, replay};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

/// Start of the sessions, ns since the epoch.
const START: u64 = 1_795_200_000_000_000_000;
/// Width of the names of lanes, and height of the axis above them, CSS pixels.
const NAMES: f64 = 116.0;
const LANE: f64 = 18.0;
const AXIS: f64 = 26.0;
/// The timeline leaves a twentieth free at its right.
const WHOLE: f64 = 1.05;

fn time(ms: u64) -> String {
    (START + ms * 1_000_000).to_string()
}

fn attributes(pairs: &[(&str, Value)]) -> Value {
    let attribute = |(key, value): &(&str, Value)| {
        let value = match value {
            Value::String(text) => json!({"stringValue": text}),
            Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
            number => json!({"intValue": number.to_string()}),
        };
        json!({"key": key, "value": value})
    };
    pairs.iter().map(attribute).collect()
}

/// A span: its trace, its number, its parent's or 0, name, start and end in ms, or 0 while it is in progress.
fn span(
    session: &str,
    (trace, n, parent): (u64, u64, u64),
    name: &str,
    (start, end): (u64, u64),
    with: &[(&str, Value)],
) -> Value {
    let all: Vec<_> = [("session.id", json!(session))]
        .into_iter()
        .chain(with.iter().cloned())
        .collect();
    let mut span = json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{n:016x}"), "name": name, "kind": 1,
        "startTimeUnixNano": time(start), "attributes": attributes(&all),
    });
    if end > 0 {
        span["endTimeUnixNano"] = json!(time(end));
    }
    if parent > 0 {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

fn failed(mut span: Value, why: &str) -> Value {
    span["status"] = json!({"code": 2, "message": why});
    span
}

async fn send(server: &Server, spans: Vec<Value>) {
    let resource = json!({"attributes": attributes(&[("service.name", json!("svc"))])});
    let body =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": spans}]}]});
    let body = serde_json::to_vec(&body).unwrap();
    server.post("/v1/traces", "application/json", body).await;
}

/// Log records of a session at these ms, the last of them an error.
async fn log(server: &Server, session: &str, at: &[u64]) {
    let record = |(n, ms): (usize, &u64)| {
        let severity = if n + 1 == at.len() { 17 } else { 9 };
        json!({"timeUnixNano": time(*ms), "severityNumber": severity, "body": {"stringValue": format!("record at {ms}")},
            "attributes": attributes(&[("session.id", json!(session))])})
    };
    let records: Vec<Value> = at.iter().enumerate().map(record).collect();
    let resource = json!({"attributes": attributes(&[("service.name", json!("svc"))])});
    let body = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {}, "logRecords": records}]}]});
    let body = serde_json::to_vec(&body).unwrap();
    server.post("/v1/logs", "application/json", body).await;
}

fn chat(asked: &str, answered: &str, tokens: u64, cost: f64) -> Vec<(&'static str, Value)> {
    let said = |role: &str, text: &str| {
        json!([{"role": role, "parts": [{"type": "text", "content": text}]}]).to_string()
    };
    vec![
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.request.model", json!("m")),
        ("gen_ai.usage.input_tokens", json!(tokens)),
        ("gen_ai.usage.output_tokens", json!(1)),
        ("gen_ai.usage.cost", json!(cost)),
        ("gen_ai.input.messages", json!(said("user", asked))),
        ("gen_ai.output.messages", json!(said("assistant", answered))),
    ]
}

fn agent(name: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("gen_ai.operation.name", json!("invoke_agent")),
        ("gen_ai.agent.name", json!(name)),
    ]
}

fn tool(name: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("gen_ai.operation.name", json!("execute_tool")),
        ("gen_ai.tool.name", json!(name)),
    ]
}

/// A session of two runs over ten seconds: 0 to 4 s and 6 to 10 s, with a log record each 100 ms.
async fn two_runs(server: &Server, session: &str) {
    let town = span(
        session,
        (2, 3, 1),
        "execute_tool lookup",
        (9_000, 9_500),
        &tool("lookup"),
    );
    send(
        server,
        vec![
            span(session, (1, 1, 0), "run one", (0, 4_000), &agent("planner")),
            span(
                session,
                (1, 2, 1),
                "chat",
                (500, 1_500),
                &chat("Where to?", "To Paris.", 99, 0.01),
            ),
            span(
                session,
                (1, 3, 1),
                "execute_tool search",
                (2_000, 3_000),
                &tool("search"),
            ),
            span(session, (2, 1, 0), "run two", (6_000, 10_000), &agent("critic")),
            span(
                session,
                (2, 2, 1),
                "chat",
                (6_500, 8_500),
                &chat("And then?", "To Lyon.", 199, 0.02),
            ),
            failed(town, "no such town"),
        ],
    )
    .await;
    let times: Vec<u64> = (0..=100).map(|n| n * 100).collect();
    log(server, session, &times).await;
}

async fn open(browser: &Browser, server: &Server, path: &str, ready: &str) {
    let whole = if path.contains('?') { '&' } else { '?' };
    browser
        .page
        .goto(format!("{}{path}{whole}range=all", server.studio))
        .await
        .unwrap();
    let ready = serde_json::to_string(ready).unwrap();
    browser
        .until(path, &format!("return !!document.querySelector({ready})"))
        .await;
}

async fn press(browser: &Browser, selector: &str) {
    browser
        .page
        .find(By::Css(selector))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
}

/// Presses a button by what it says.
async fn press_text(browser: &Browser, within: &str, text: &str) {
    let script = format!(
        "const b = [...document.querySelectorAll('{within} button')].find(b => b.innerText.startsWith('{text}')); b.click(); return true"
    );
    browser.script(&script).await;
}

/// Drags over the timeline from one place to another, parts of the session's time, at a height.
async fn drag(browser: &Browser, from: f64, to: f64, y: f64) {
    let script = format!(
        "const e = document.querySelector('.timeline-plot canvas'), r = e.getBoundingClientRect();
        const x = part => r.left + {NAMES} + part / {WHOLE} * (r.width - {NAMES});
        e.setPointerCapture = () => {{}};
        const at = part => ({{clientX: x(part), clientY: r.top + {y}, bubbles: true, pointerId: 1, pointerType: 'mouse', button: 0}});
        e.dispatchEvent(new PointerEvent('pointerdown', at({from})));
        for (let n = 1; n <= 5; n++) e.dispatchEvent(new PointerEvent('pointermove', at({from} + ({to} - {from}) * n / 5)));
        e.dispatchEvent(new PointerEvent('pointerup', at({to})));"
    );
    browser.script(&script).await;
}

/// Whether something is drawn at a part of the session's time in a row of the timeline.
async fn drawn(browser: &Browser, part: f64, y: f64) -> bool {
    let script = format!(
        "const e = document.querySelector('.timeline-plot canvas'), r = e.width / e.clientWidth;
        const x = {NAMES} + {part} / {WHOLE} * (e.clientWidth - {NAMES});
        const c = e.getContext('2d'), at = (x, y) => [...c.getImageData(Math.round(x * r), Math.round(y * r), 1, 1).data].slice(0, 3);
        const empty = at(e.clientWidth - 3, {AXIS} + 9), here = at(x, {y});
        return here.some((v, n) => Math.abs(v - empty[n]) > 24);"
    );
    browser.script(&script).await.as_bool().unwrap()
}

/// A parameter of the page's URL.
async fn parameter(browser: &Browser, name: &str) -> Option<String> {
    let value = browser
        .script(&format!(
            "return new URLSearchParams(location.search).get('{name}')"
        ))
        .await;
    value.as_str().map(str::to_owned)
}

/// The figures at the head, by name.
async fn figure(browser: &Browser, name: &str) -> String {
    let script = format!(
        "const f = [...document.querySelectorAll('.session-facts .fact')].find(f => f.querySelector('.k').innerText === '{name}');
        return f ? f.querySelector('.v').innerText : ''"
    );
    browser.script(&script).await.as_str().unwrap().to_owned()
}

async fn rows(browser: &Browser, count: usize) {
    let script = format!("return document.querySelector('.grid')?.dataset.rows === '{count}'");
    browser.until(&format!("{count} rows"), &script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_ordered_narrowed_and_summed_up_by_the_server() {
    let server = Server::start();
    for n in 1..=5_u64 {
        let session = format!("s{n}");
        let cost = (n * 3 % 5) as f64;
        let run = span(
            &session,
            (n, 1, 0),
            &format!("trip {n}"),
            (n * 1_000, n * 1_000 + n * 500),
            &agent(if n % 2 == 0 { "planner" } else { "critic" }),
        );
        let call = span(
            &session,
            (n, 2, 1),
            "chat",
            (n * 1_000, n * 1_000 + 100),
            &chat("a", "b", n, cost),
        );
        send(
            &server,
            vec![run, if n == 2 { failed(call, "boom") } else { call }],
        )
        .await;
    }
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "/sessions", "table.sessions tbody tr").await;
    // Titles are the agents' names; the ids beside them tell the sessions apart.
    let titles = async || browser.texts("table.sessions td.title .id").await;
    assert_eq!(titles().await, ["s5", "s4", "s3", "s2", "s1"], "the latest first");
    browser
        .until(
            "totals",
            "return document.querySelector('.totals')?.innerText.includes('sessions 5')",
        )
        .await;
    assert!(
        browser.texts(".totals").await[0].contains("$10"),
        "{:?}",
        browser.texts(".totals").await
    );

    press_text(&browser, "table.sessions th", "Cost").await;
    browser
        .until(
            "order by cost",
            "return document.querySelector('table.sessions td.title .id')?.innerText === 's3'",
        )
        .await;
    assert_eq!(titles().await, ["s3", "s1", "s4", "s2", "s5"]);
    assert_eq!(parameter(&browser, "sort").await.as_deref(), Some("-cost"));
    press_text(&browser, "table.sessions th", "Cost").await;
    browser
        .until(
            "the other way",
            "return document.querySelector('table.sessions td.title .id')?.innerText === 's5'",
        )
        .await;
    assert_eq!(titles().await, ["s5", "s2", "s4", "s1", "s3"]);
    let sorted = browser
        .script("return document.querySelector('th[aria-sort=ascending]').innerText")
        .await;
    assert_eq!(sorted, json!("Cost \u{25b4}"));

    // A link shows the same; what is asked narrows list and totals.
    open(
        &browser,
        &server,
        "/sessions?sort=-cost&agent=critic&min_cost_usd=1",
        "table.sessions tbody tr",
    )
    .await;
    browser
        .until(
            "two are left",
            "return document.querySelectorAll('table.sessions tbody tr').length === 2",
        )
        .await;
    assert_eq!(titles().await, ["s3", "s1"]);
    browser
        .until(
            "their totals",
            "return document.querySelector('.totals')?.innerText.includes('sessions 2')",
        )
        .await;
    press(&browser, "#clear-filters").await;
    browser
        .until(
            "all again",
            "return document.querySelectorAll('table.sessions tbody tr').length === 5",
        )
        .await;
    press_text(&browser, ".list-filters", "has error").await;
    browser
        .until(
            "the failed one",
            "return document.querySelectorAll('table.sessions tbody tr').length === 1",
        )
        .await;
    assert_eq!(titles().await, ["s2"]);
    press_text(&browser, ".list-filters", "has error").await;
    browser
        .until(
            "all again",
            "return document.querySelectorAll('table.sessions tbody tr').length === 5",
        )
        .await;

    // Columns stay in the link.
    press(&browser, "#columns").await;
    press(&browser, ".column-menu [name=spans]").await;
    browser
        .until(
            "a column more",
            "return [...document.querySelectorAll('th')].some(h => h.innerText === 'Spans')",
        )
        .await;
    press(&browser, ".column-menu [name=room]").await;
    browser
        .until(
            "a column less",
            "return ![...document.querySelectorAll('th')].some(h => h.innerText === 'Room')",
        )
        .await;
    let columns = parameter(&browser, "columns").await.unwrap();
    assert!(
        columns.contains("spans") && !columns.contains("room"),
        "{columns}"
    );
    browser.page.refresh().await.unwrap();
    browser
        .until(
            "the columns again",
            "return [...document.querySelectorAll('th')].some(h => h.innerText === 'Spans')",
        )
        .await;
    browser.screenshot("sessions-list").await;

    // Two beside each other.
    for n in [1, 2] {
        let nth = format!("table.sessions tbody tr:nth-child({n}) .pick-box");
        press(&browser, &nth).await;
        browser
            .until(
                "picked",
                &format!("return document.querySelector('.picked')?.innerText.includes('{n} picked')"),
            )
            .await;
    }
    browser
        .until(
            "both",
            "return document.querySelectorAll('table.pair tbody tr').length === 6",
        )
        .await;
    let links = browser.texts("section[aria-label='Two sessions'] a").await;
    assert_eq!(links, ["Compare runs 1"]);
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_stands_on_one_timeline_and_the_brush_focuses_every_panel() {
    let server = Server::start();
    two_runs(&server, "s1").await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "/sessions/s1?tab=logs", ".timeline-plot").await;
    rows(&browser, 101).await;
    // Lanes: runs, both agents, models, tools.
    browser
        .until(
            "five lanes",
            "return document.querySelector('.session-timeline').dataset.lanes === '5'",
        )
        .await;
    let lane = |n: f64| AXIS + n * LANE + LANE / 2.0;
    browser
        .until(
            "the picture",
            "const c = document.querySelector('.timeline-plot canvas'); return c.height > 100",
        )
        .await;
    for (what, part, n, is) in [
        ("run one", 0.2, 0.0, true),
        ("between the runs", 0.5, 0.0, false),
        ("run two", 0.8, 0.0, true),
        ("the planner", 0.2, 1.0, true),
        ("not the planner", 0.8, 1.0, false),
        ("the critic", 0.8, 2.0, true),
        ("the first call", 0.1, 3.0, true),
        ("no call", 0.3, 3.0, false),
        ("the search", 0.25, 4.0, true),
        ("no tool", 0.7, 4.0, false),
    ] {
        assert_eq!(drawn(&browser, part, lane(n)).await, is, "{what}");
    }
    browser.screenshot("session-timeline").await;

    // From 6 to 8 s.
    drag(&browser, 0.6, 0.8, lane(2.0)).await;
    browser
        .until("a brush", "return location.search.includes('brush=')")
        .await;
    let brush = parameter(&browser, "brush").await.unwrap();
    let edges: Vec<f64> = brush
        .split('-')
        .map(|ns| (ns.parse::<u64>().unwrap() - START) as f64 / 1e9)
        .collect();
    assert!(
        (edges[0] - 6.0).abs() < 0.05 && (edges[1] - 8.0).abs() < 0.05,
        "{edges:?}"
    );
    browser
        .until(
            "fewer records",
            "const n = +document.querySelector('.grid').dataset.rows; return n >= 19 && n <= 21",
        )
        .await;
    press_text(&browser, ".tabs", "Runs").await;
    rows(&browser, 1).await;
    assert!(browser.texts(".runs .cell.title").await[0].contains("run two"));
    press_text(&browser, ".tabs", "Conversation").await;
    browser.sees("And then?").await;
    assert!(!browser.texts(".talk").await[0].contains("Where to?"));
    press_text(&browser, ".tabs", "Events").await;
    rows(&browser, 1).await;
    press_text(&browser, ".range-bar", "Show all times").await;
    // Both runs start and end, two tools, the failure and the error record.
    rows(&browser, 8).await;
    let events = browser.texts(".events .kind").await;
    assert!(events.iter().any(|event| event.contains("failed")), "{events:?}");

    // The other panels.
    press_text(&browser, ".tabs", "Usage").await;
    rows(&browser, 2).await;
    assert!(browser.texts(".view-foot").await.concat().contains("300 tokens"));
    press_text(&browser, ".tabs", "Agents").await;
    browser
        .until(
            "the graph",
            "return document.querySelectorAll('.graph .node').length >= 4",
        )
        .await;
    press_text(&browser, ".tabs", "Attributes").await;
    browser.sees("service.name").await;
    press_text(&browser, ".tabs", "Metrics").await;
    browser.sees("No metrics in this session").await;

    // A run opens as its waterfall in place, a span beside it.
    press_text(&browser, ".tabs", "Runs").await;
    rows(&browser, 2).await;
    press(&browser, ".runs .grid-row.run .cell.place").await;
    browser
        .until(
            "its waterfall",
            "return document.querySelector('.run-open .waterfall')?.dataset.rows === '3'",
        )
        .await;
    assert_eq!(
        parameter(&browser, "run").await.as_deref(),
        Some("00000000000000000000000000000001")
    );
    browser.screenshot("session-run").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_playhead_shows_the_session_as_it_stood() {
    let server = Server::start();
    two_runs(&server, "s1").await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "/sessions/s1", ".timeline-plot").await;
    browser.sees("To Lyon.").await;
    browser
        .until(
            "the figures",
            "return document.querySelectorAll('.session-facts .v').length >= 8",
        )
        .await;
    assert_eq!(figure(&browser, "Tokens").await, "300");
    assert_eq!(figure(&browser, "Cost").await, "$0.0300");

    // Dragged from the end to just after 2.5 s: the first answer is there, the search is at work.
    drag(&browser, 0.9, 0.254, 8.0).await;
    browser
        .until(
            "the link has the instant",
            "return location.search.includes('at=')",
        )
        .await;
    let at: u64 = parameter(&browser, "at").await.unwrap().parse().unwrap();
    assert!((at - START).abs_diff(2_540_000_000) < 30_000_000, "{at}");
    browser
        .until(
            "what was used by then",
            "return document.querySelector('.session-facts').innerText.includes('$0.01')",
        )
        .await;
    assert_eq!(figure(&browser, "Tokens").await, "100");
    assert_eq!(figure(&browser, "Tools at work").await, "search");
    // The median is of the whole session, so that it says nothing of an instant.
    assert_eq!(figure(&browser, "First token").await, "");
    assert_eq!(figure(&browser, "Runs").await, "1 (1 running)");
    assert_eq!(figure(&browser, "Logs").await, "26");
    let said = browser
        .script("return [...document.querySelectorAll('.said-at:not(.later)')].map(e => e.innerText).join()")
        .await;
    let said = said.as_str().unwrap();
    assert!(
        said.contains("To Paris.") && !said.contains("And then?"),
        "{said}"
    );
    let line = browser.script("const c = document.querySelector('.timeline-plot'), r = c.getBoundingClientRect(); return document.querySelector('.playhead').getBoundingClientRect().left - r.left").await;
    let width = browser
        .script("return document.querySelector('.timeline-plot').clientWidth")
        .await;
    let wanted = NAMES + 0.254 / WHOLE * (width.as_f64().unwrap() - NAMES);
    assert!(
        (line.as_f64().unwrap() - wanted).abs() < 3.0,
        "{line} is not {wanted}"
    );
    browser.screenshot("session-instant").await;

    // The link shows the same instant, in every panel.
    let here = browser.page.current_url().await.unwrap();
    browser.page.goto(here.as_str()).await.unwrap();
    browser
        .until(
            "the instant again",
            "return document.querySelector('.session-facts')?.innerText.includes('$0.01')",
        )
        .await;
    press_text(&browser, ".tabs", "Logs").await;
    rows(&browser, 26).await;
    press_text(&browser, ".tabs", "Runs").await;
    rows(&browser, 1).await;
    let last_cells = "return [...document.querySelectorAll('.runs .run')].map(run => [...run.children].slice(-2).map(cell => cell.innerText).join(' '))";
    assert_eq!(browser.script(last_cells).await, json!(["100 $0.0100"]));
    press_text(&browser, ".tabs", "Events").await;
    rows(&browser, 2).await;
    press_text(&browser, ".tabs", "Usage").await;
    rows(&browser, 1).await;
    press_text(&browser, ".tabs", "Agents").await;
    browser.until("who was not there yet", "return document.querySelectorAll('.graph .node.ahead').length >= 1 && document.querySelectorAll('.graph .node:not(.ahead)').length >= 2").await;

    // By the keyboard, then played to its end, where everything is as it is without a playhead.
    browser
        .script("document.querySelector('.timeline-plot').focus()")
        .await;
    let plot = browser.page.find(By::Css(".timeline-plot")).await.unwrap();
    plot.send_keys(Key::End).await.unwrap();
    browser
        .until(
            "the end",
            "return document.querySelector('#instant').innerText.startsWith('10 s of 10 s')",
        )
        .await;
    plot.send_keys(Key::Left).await.unwrap();
    browser
        .until(
            "before it",
            "return document.querySelector('#instant').innerText.startsWith('9.95 s')",
        )
        .await;
    plot.send_keys(" ").await.unwrap();
    browser.until("the end again", "return document.querySelector('#instant').innerText.startsWith('10 s of 10 s') && document.querySelector('#play').innerText.includes('Play')").await;
    let at_the_end = [
        figure(&browser, "Tokens").await,
        figure(&browser, "Cost").await,
        figure(&browser, "Runs").await,
        figure(&browser, "Spans").await,
        figure(&browser, "Trouble").await,
    ];
    press(&browser, "#now").await;
    browser
        .until("no instant", "return !location.search.includes('at=')")
        .await;
    let whole = [
        figure(&browser, "Tokens").await,
        figure(&browser, "Cost").await,
        figure(&browser, "Runs").await,
        figure(&browser, "Spans").await,
        figure(&browser, "Trouble").await,
    ];
    assert_eq!(at_the_end, whole);

    // Before its call ended, a run had used nothing.
    let at = time(7_000);
    open(
        &browser,
        &server,
        &format!("/sessions/s1?tab=runs&at={at}"),
        ".runs .run",
    )
    .await;
    browser
        .until(
            "what was used by then",
            "return document.querySelector('.runs .run .cell:last-child').innerText === '$0.0100'",
        )
        .await;
    assert_eq!(
        browser.script(last_cells).await,
        json!(["100 $0.0100", "\u{2013} \u{2013}"])
    );
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_grows_while_it_is_open_and_nothing_is_doubled() {
    let server = Server::start();
    send(
        &server,
        vec![span("s1", (1, 1, 0), "run one", (0, 0), &agent("planner"))],
    )
    .await;
    log(&server, "s1", &[10, 20]).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "/sessions/s1?tab=logs", ".timeline-plot").await;
    rows(&browser, 2).await;
    for n in 1..=5_u64 {
        log(&server, "s1", &[100 * n, 100 * n + 1]).await;
        send(
            &server,
            vec![span("s1", (1, n + 1, 1), "step", (100 * n, 100 * n + 50), &[])],
        )
        .await;
    }
    rows(&browser, 12).await;
    browser
        .until(
            "its spans",
            "return document.querySelector('.session-facts').innerText.includes('6 (1 open)')",
        )
        .await;
    send(
        &server,
        vec![span(
            "s1",
            (2, 1, 0),
            "run two",
            (900, 950),
            &chat("Late?", "Never.", 5, 0.5),
        )],
    )
    .await;
    browser
        .until(
            "the second run",
            "return document.querySelector('.tabs').innerText.includes('Runs 2')",
        )
        .await;
    press_text(&browser, ".tabs", "Conversation").await;
    browser.sees("Never.").await;
    browser
        .until(
            "what it cost",
            "return document.querySelector('.session-facts').innerText.includes('$0.50')",
        )
        .await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_alone_and_a_run_that_never_ends_are_sessions_too() {
    let server = Server::start();
    log(&server, "only-logs", &[0, 500, 1_000]).await;
    send(
        &server,
        vec![
            span("endless", (7, 1, 0), "loop", (0, 0), &agent("planner")),
            span("endless", (7, 2, 1), "step", (100, 900), &[]),
        ],
    )
    .await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "/sessions/only-logs", ".timeline-plot").await;
    rows(&browser, 3).await;
    browser.sees("record at 500").await;
    // Nothing was called, so that nothing has an unknown price.
    assert_eq!(figure(&browser, "Cost").await, "\u{2013}");
    drag(&browser, 0.1, 0.6, 8.0).await;
    rows(&browser, 2).await;
    press_text(&browser, ".tabs", "Runs").await;
    browser.sees("No runs in this session").await;
    browser.screenshot("session-only-logs").await;

    open(&browser, &server, "/sessions/endless?tab=runs", ".timeline-plot").await;
    rows(&browser, 1).await;
    browser
        .until(
            "it is open",
            "return document.querySelector('.session-facts').innerText.includes('2 (1 open)')",
        )
        .await;
    let part = |ms: f64| ms / 900.0;
    browser
        .until(
            "the picture",
            "return document.querySelector('.timeline-plot canvas').height > 60",
        )
        .await;
    assert!(drawn(&browser, part(500.0), AXIS + LANE / 2.0).await);
    open(&browser, &server, "/sessions/none", ".failed").await;
    browser.sees("there is no session").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_tells_where_the_time_of_its_turns_went() {
    let server = Server::start();
    replay(&server, "videosdk").await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(
        &browser,
        &server,
        "/sessions?sort=-spans",
        "table.sessions tbody tr",
    )
    .await;
    browser
        .script("document.querySelector('table.sessions td.title a').click()")
        .await;
    browser
        .until(
            "its turns",
            "return document.querySelectorAll('.turn-stages').length >= 2",
        )
        .await;
    let stages = browser.texts(".turn-stages").await.concat();
    for stage in ["STT", "EOU", "LLM", "first token", "TTS"] {
        assert!(stages.contains(stage), "{stage}: {stages}");
    }
    browser.screenshot("session-call").await;
    browser.size(390, 844).await;
    browser
        .until("it fits", "return document.documentElement.scrollWidth <= 390")
        .await;
    browser.screenshot("session-call-narrow").await;
    browser.stop().await;
}

/// A gauge of a session.
async fn gauge(server: &Server, session: &str, ms: u64, value: f64) {
    let point = json!({"timeUnixNano": time(ms), "asDouble": value, "attributes": attributes(&[("session.id", json!(session))])});
    let metric = json!({"name": "queue.length", "unit": "1", "gauge": {"dataPoints": [point]}});
    let resource = json!({"attributes": attributes(&[("service.name", json!("svc"))])});
    let body = json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {}, "metrics": [metric]}]}]});
    let body = serde_json::to_vec(&body).unwrap();
    server.post("/v1/metrics", "application/json", body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_the_focus_or_is_open_stays_when_more_comes() {
    let server = Server::start();
    let trip = async |session: &str, n: u64| {
        let run = span(
            session,
            (n, 1, 0),
            "trip",
            (n * 1_000, n * 1_000 + 500),
            &agent("planner"),
        );
        send(&server, vec![run]).await;
    };
    trip("s1", 1).await;
    trip("s2", 2).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "/sessions?pick=s1,s2", "table.pair tbody tr").await;
    let listed = async |count: usize| {
        let script =
            format!("return document.querySelectorAll('table.sessions tbody tr').length === {count}");
        browser.until(&format!("{count} sessions"), &script).await;
    };
    listed(2).await;
    let keep = |what: &str| {
        format!(
            "const e = {what}; e.focus(); e.kept = true; document.querySelector('table.pair').kept = true"
        )
    };
    let kept = "return document.activeElement.kept && document.querySelector('table.pair').kept";
    browser
        .script(&keep(
            "document.querySelector('table.sessions a[href^=\"/sessions/s1\"]')",
        ))
        .await;
    // The session itself changes, and another one comes before it.
    trip("s1", 3).await;
    trip("s3", 4).await;
    listed(3).await;
    browser
        .until(
            "its second run",
            "const at = [...document.querySelectorAll('table.sessions th')].findIndex(head => head.innerText.startsWith('Runs'));
            return document.activeElement.closest('tr')?.children[at].innerText === '2'",
        )
        .await;
    assert_eq!(browser.script(kept).await, json!(true), "a link");
    browser
        .script(&keep("document.querySelector('table.sessions th button')"))
        .await;
    trip("s4", 5).await;
    listed(4).await;
    assert_eq!(browser.script(kept).await, json!(true), "a head");

    // What cannot be loaded is not said to be loading.
    browser
        .script(
            "const fetch = window.fetch; window.fetch = (...asked) => asked[0].url.includes('/spans') \
             ? Promise.resolve(new Response('', { status: 500 })) : fetch(...asked); \
             document.querySelector('table.sessions a[href^=\"/sessions/s1\"]').click();",
        )
        .await;
    browser
        .until("the failure", "return !!document.querySelector('.failed')")
        .await;
    assert_eq!(
        browser
            .script("return document.querySelectorAll('.loading').length")
            .await,
        json!(0)
    );

    // In the session: a text that was opened, and a picture of a metric.
    let told = "You plan trips. ".repeat(30);
    let system = json!([{"type": "text", "content": told}]).to_string();
    let mut said = chat("Where to?", "To Paris.", 9, 0.01);
    said.push(("gen_ai.system_instructions", json!(system)));
    send(&server, vec![span("live", (11, 1, 0), "chat", (0, 500), &said)]).await;
    gauge(&server, "live", 100, 7.0).await;
    open(&browser, &server, "/sessions/live", ".talk summary").await;
    let summary = browser.page.find(By::Css(".talk summary")).await.unwrap();
    browser
        .script("document.querySelector('.talk details').kept = true")
        .await;
    // The space bar opens it, and does not play.
    summary.send_keys(" ").await.unwrap();
    let opened = "const open = document.querySelector('.talk details[open]'); return !!open && !!open.kept";
    browser.until("the text", opened).await;
    let still = "return document.querySelector('#instant').innerText.startsWith('all')";
    assert_eq!(browser.script(still).await, json!(true));
    let more = chat("And then?", "To Lyon.", 9, 0.01);
    send(&server, vec![span("live", (12, 1, 0), "chat", (600, 900), &more)]).await;
    browser.sees("To Lyon.").await;
    assert_eq!(browser.script(opened).await, json!(true));
    press_text(&browser, ".tabs", "Metrics").await;
    browser
        .until(
            "the metric",
            "const one = document.querySelector('.multiple'); return one?.innerText.includes('7') && (one.kept = true)",
        )
        .await;
    gauge(&server, "live", 950, 9.0).await;
    browser
        .until(
            "its next point",
            "return document.querySelector('.multiple .latest')?.innerText.includes('9')",
        )
        .await;
    assert_eq!(
        browser
            .script("return document.querySelector('.multiple').kept")
            .await,
        json!(true)
    );
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_a_session_are_used_by_the_keyboard() {
    let server = Server::start();
    two_runs(&server, "s1").await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "/sessions/s1?tab=logs", ".timeline-plot").await;
    rows(&browser, 101).await;
    let grid = async || browser.page.find(By::Css(".grid")).await.unwrap();
    let marks = async |what: &str| {
        let script = format!(
            "const at = document.querySelector('.grid').getAttribute('aria-activedescendant');
            return !!document.getElementById(at)?.innerText.includes('{what}')"
        );
        browser.until(what, &script).await;
    };
    for _ in 0..3 {
        grid().await.send_keys(Key::Down).await.unwrap();
    }
    marks("record at 200").await;
    assert_eq!(
        parameter(&browser, "log").await,
        None,
        "nothing is opened by going there"
    );
    grid().await.send_keys(Key::Enter).await.unwrap();
    browser
        .until(
            "the record",
            "return document.querySelector('.log-open')?.innerText.includes('record at 200')",
        )
        .await;
    // The last of all is made when the keys come to it.
    grid().await.send_keys(Key::End).await.unwrap();
    marks("record at 10000").await;
    grid().await.send_keys(Key::Up).await.unwrap();
    marks("record at 9900").await;
    // Where the keys are is seen in its place.
    let place = "const at = id => document.getElementById('row-' + id).getBoundingClientRect().top; return at(100) - at(99)";
    assert_eq!(browser.script(place).await, json!(26));
    grid().await.send_keys(Key::Enter).await.unwrap();
    browser
        .until(
            "another record",
            "return document.querySelector('.log-open')?.innerText.includes('record at 9900')",
        )
        .await;
    browser.screenshot("session-logs-keys").await;

    press_text(&browser, ".tabs", "Runs").await;
    rows(&browser, 2).await;
    grid().await.send_keys(Key::Down).await.unwrap();
    grid().await.send_keys(Key::Down).await.unwrap();
    marks("run two").await;
    grid().await.send_keys(Key::Enter).await.unwrap();
    browser
        .until(
            "its waterfall",
            "return document.querySelector('.run-open .waterfall')?.dataset.rows === '3'",
        )
        .await;
    assert_eq!(
        parameter(&browser, "run").await.as_deref(),
        Some("00000000000000000000000000000002")
    );
    let expanded = "return [...document.querySelectorAll('.runs .run')].map(run => run.getAttribute('aria-expanded')).join()";
    assert_eq!(browser.script(expanded).await, json!("false,true"));
    grid().await.send_keys(Key::Enter).await.unwrap();
    browser
        .until("it is closed", "return !location.search.includes('run=')")
        .await;

    // A link in a row leads to the run's own page, and opens nothing beside it.
    press(&browser, ".runs .run .title a").await;
    browser
        .until("its page", "return location.pathname.startsWith('/traces/')")
        .await;
    browser.page.back().await.unwrap();
    browser
        .until("back", "return location.pathname === '/sessions/s1'")
        .await;
    assert_eq!(parameter(&browser, "run").await, None);
    browser.stop().await;
}
