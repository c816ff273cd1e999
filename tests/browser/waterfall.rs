//! The waterfall under pointer and keyboard: where its bars stand, and what it says.

use meshscope_tests::{Browser, Server};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SKEWED: &str = "0af7651916cd43dd8448eb211c80319d";
/// Start of the traces, ns since the epoch.
const START: u64 = 1_795_200_000_000_000_000;
/// Width of the names and of the scroll bar, height of the axis, of a line and above its bar.
const NAMES: f64 = 300.0;
const SCROLLBAR: f64 = 12.0;
const RULER: f64 = 24.0;
const LINE: f64 = 26.0;
const ABOVE_BAR: f64 = 6.0;

/// A span as OTLP/JSON: its number, its parent's or 0, name, start and end in ms, kind and a note.
fn span(
    trace: &str,
    n: u64,
    parent: u64,
    name: &str,
    (start, end): (i64, i64),
    kind: u8,
    note: &str,
) -> Value {
    let time = |ms: i64| (START as i64 + ms * 1_000_000).to_string();
    let mut span = json!({
        "traceId": trace,
        "spanId": format!("{n:016x}"),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": time(start),
        "endTimeUnixNano": time(end),
        "attributes": [{"key": "note", "value": {"stringValue": note}}],
    });
    if parent > 0 {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

/// Sends spans of a service.
async fn send(server: &Server, service: &str, spans: Vec<Value>) {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": service}}]});
    let body =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": spans}]}]});
    let body = serde_json::to_vec(&body).unwrap();
    server.post("/v1/traces", "application/json", body).await;
}

/// A second: `plan` with a child at its beginning, six steps, `answer` at its end; an orphan.
async fn fill(server: &Server) {
    let s = |n, parent, name, times| span(TRACE, n, parent, name, times, 1, "plain");
    let mut spans = vec![
        s(1, 0, "run", (0, 1_000)),
        s(2, 1, "plan", (0, 250)),
        span(TRACE, 3, 2, "look up", (50, 150), 1, "the needle-in-the-payload"),
        s(10, 1, "answer", (500, 1_000)),
        s(11, 99, "lost", (600, 700)),
    ];
    spans.extend((0..6).map(|n| s(4 + n, 1, "step", (260 + 40 * n as i64, 280 + 40 * n as i64))));
    send(server, "runner", spans).await;
    send(
        server,
        "caller",
        vec![span(SKEWED, 1, 0, "call", (0, 100), 3, "")],
    )
    .await;
    send(
        server,
        "callee",
        vec![span(SKEWED, 2, 1, "serve", (-50, 50), 2, "")],
    )
    .await;
}

async fn open(browser: &Browser, server: &Server, trace: &str, query: &str) {
    browser.size(1440, 900).await;
    let url = format!("{}/traces/{trace}?paused=1{query}", server.studio);
    browser.page.goto(url).await.unwrap();
    browser
        .until(
            "the rows",
            "return document.querySelector('.waterfall')?.dataset.rows > 0",
        )
        .await;
}

async fn rows(browser: &Browser, count: usize) {
    let script = format!("return document.querySelector('.waterfall')?.dataset.rows === '{count}'");
    browser.until(&format!("{count} rows"), &script).await;
}

/// What is said of the line that has this text, once it stands still.
async fn line(browser: &Browser, text: &str) -> String {
    let quoted = json!(text);
    let script = format!(
        "return [...document.querySelectorAll('#waterfall [role=row]')].map(row => row.textContent).find(t => t.includes({quoted})) ?? false"
    );
    browser.until(text, &script).await;
    browser
        .script(&script)
        .await
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Width of the canvas.
async fn width(browser: &Browser) -> f64 {
    let width = browser
        .script("return document.querySelector('.waterfall canvas.rows').clientWidth")
        .await;
    width.as_f64().unwrap()
}

/// First and last column of a line's bar, px from the left: what of it is in colour.
async fn bar(browser: &Browser, line: usize) -> (f64, f64) {
    let y = RULER + line as f64 * LINE + ABOVE_BAR + 1.0;
    let script = format!(
        "const canvas = document.querySelector('.waterfall canvas.rows'); \
         const c = canvas.getContext('2d'); \
         const row = c.getImageData(0, {y}, canvas.width, 1).data; \
         const found = []; \
         for (let x = {NAMES} + 2; x < canvas.width - {SCROLLBAR}; x++) {{ \
             const [r, g, b] = row.slice(4 * x, 4 * x + 3); \
             if (Math.max(r, g, b) - Math.min(r, g, b) > 40) found.push(x); \
         }} \
         return [found[0] ?? -1, found.at(-1) ?? -1]"
    );
    let found = browser.script(&script).await;
    (found[0].as_f64().unwrap(), found[1].as_f64().unwrap())
}

/// Asserts that a line's bar goes from one share of the time area to another.
async fn stands(browser: &Browser, line: usize, from: f64, to: f64) {
    let area = width(browser).await - SCROLLBAR - NAMES;
    let (x0, x1) = bar(browser, line).await;
    // What is under the line between names and time cannot be seen.
    let want = ((NAMES + from * area).max(NAMES + 2.0), NAMES + to * area);
    assert!(
        (x0 - want.0).abs() <= 1.5 && (x1 + 1.0 - want.1).abs() <= 1.5,
        "line {line} stands at {x0} to {x1}, it should be at {want:?}"
    );
}

/// Clicks on the canvas, px from its top left.
async fn click(browser: &Browser, selector: &str, x: f64, y: f64) {
    drag(browser, selector, (x, y), (x, y)).await;
}

/// Presses at a place and lets go at another.
async fn drag(browser: &Browser, selector: &str, from: (f64, f64), to: (f64, f64)) {
    let corner =
        format!("const r = document.querySelector('{selector}').getBoundingClientRect(); return [r.x, r.y]");
    let corner = browser.script(&corner).await;
    let at = |(x, y): (f64, f64)| {
        let (left, top) = (corner[0].as_f64().unwrap(), corner[1].as_f64().unwrap());
        ((left + x).round() as i64, (top + y).round() as i64)
    };
    let (from, to) = (at(from), at(to));
    let chain = browser
        .page
        .action_chain()
        .move_to(from.0, from.1)
        .click_and_hold();
    chain.move_to(to.0, to.1).release().perform().await.unwrap();
}

async fn press(browser: &Browser, keys: impl Into<TypingData>) {
    let grid = browser.page.find(By::Id("waterfall")).await.unwrap();
    grid.send_keys(keys).await.unwrap();
}

const CANVAS: &str = ".waterfall canvas.rows";

#[tokio::test(flavor = "multi_thread")]
async fn bars_stand_where_their_times_are_and_folding_hides_lines() {
    let server = Server::start();
    fill(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, TRACE, "").await;
    // run, plan, look up, 6 × step, answer, lost.
    rows(&browser, 6).await;
    let whole = 1_050.0;
    stands(&browser, 0, 0.0, 1_000.0 / whole).await;
    stands(&browser, 1, 0.0, 250.0 / whole).await;
    stands(&browser, 2, 50.0 / whole, 150.0 / whole).await;
    stands(&browser, 4, 500.0 / whole, 1_000.0 / whole).await;
    let group = line(&browser, "6 \u{d7} step").await;
    assert!(group.contains("120 ms, p50 20 ms, p95 20 ms"), "{group}");
    let lost = line(&browser, "lost").await;
    assert!(lost.contains("its parent is not here"), "{lost}");
    // The group opens by a click and closes by another.
    let middle = |line: usize| RULER + LINE * (line as f64 + 0.5);
    click(&browser, CANVAS, 120.0, middle(3)).await;
    rows(&browser, 12).await;
    stands(&browser, 4, 260.0 / whole, 280.0 / whole).await;
    click(&browser, CANVAS, 120.0, middle(3)).await;
    rows(&browser, 6).await;
    // The toggle of `plan` hides `look up`; its name selects it.
    click(&browser, CANVAS, 12.0 + 14.0 + 5.0, middle(1)).await;
    rows(&browser, 5).await;
    click(&browser, CANVAS, 100.0, middle(1)).await;
    browser
        .until(
            "the span in the URL",
            "return location.search.includes('span=0000000000000002')",
        )
        .await;
    browser.sees("self 150 ms").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_of_time_follows_brush_and_keys_and_is_in_the_link() {
    let server = Server::start();
    fill(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, TRACE, "").await;
    rows(&browser, 6).await;
    let map = width(&browser).await;
    let at = |ms: f64| ms / 1_050.0 * map;
    drag(
        &browser,
        ".waterfall .minimap",
        (at(420.0), 20.0),
        (at(630.0), 20.0),
    )
    .await;
    // From 420 to 630 ms, as near as a px of the map tells.
    let window = "const found = location.search.match(/zoom=(\\d+)-(\\d+)/); return found ? [+found[1], +found[2]] : false";
    browser.until("the window in the URL", window).await;
    let found = browser.script(window).await;
    let (from, to) = (found[0].as_f64().unwrap() / 1e6, found[1].as_f64().unwrap() / 1e6);
    let px = 1_050.0 / map;
    assert!(
        (from - 420.0).abs() <= px && (to - 630.0).abs() <= px,
        "{from} to {to}"
    );
    let part = |ms: f64| (ms - from) / (to - from);
    stands(&browser, 4, part(500.0), 1.0).await;
    // The link opens the same window.
    browser.page.refresh().await.unwrap();
    rows(&browser, 6).await;
    stands(&browser, 4, part(500.0), 1.0).await;
    // What the keyboard is on fills the window, a tenth free at either side.
    press(&browser, Key::End).await;
    press(&browser, Key::Up).await;
    press(&browser, "f").await;
    browser
        .until(
            "the fitted window",
            "return location.search.includes('zoom=450000000-')",
        )
        .await;
    press(&browser, "0").await;
    browser
        .until("all of the time", "return !location.search.includes('zoom=')")
        .await;
    stands(&browser, 4, 500.0 / 1_050.0, 1_000.0 / 1_050.0).await;
    // Exactly half a second from the start of `answer` to its end.
    press(&browser, "[").await;
    press(&browser, "m").await;
    press(&browser, "]").await;
    browser.sees("\u{394} 0.500 000 000 s from the mark").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_walks_folds_and_is_announced() {
    let server = Server::start();
    fill(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, TRACE, "").await;
    rows(&browser, 6).await;
    let on = |text: &'static str| {
        let browser = &browser;
        async move {
            let script = format!(
                "const grid = document.getElementById('waterfall'); \
                 const row = document.getElementById(grid.getAttribute('aria-activedescendant')); \
                 return grid === document.activeElement && row?.firstChild.textContent === {}",
                json!(text)
            );
            browser.until(text, &script).await;
        }
    };
    press(&browser, Key::Down).await;
    on("run").await;
    press(&browser, Key::Down).await;
    press(&browser, Key::Right).await;
    on("look up").await;
    press(&browser, Key::Left).await;
    on("plan").await;
    press(&browser, Key::Left).await;
    rows(&browser, 5).await;
    press(&browser, Key::Down).await;
    on("6 \u{d7} step").await;
    press(&browser, Key::Enter).await;
    rows(&browser, 11).await;
    let levels = "return [...document.querySelectorAll('#waterfall [role=row]')].map(row => row.getAttribute('aria-level') + (row.getAttribute('aria-expanded') ?? ''))";
    let found = browser.script(levels).await;
    let wanted = ["1true", "2false", "2true", "3", "3", "3", "3", "3", "3", "2", "1"];
    assert_eq!(found, json!(wanted));
    press(&browser, "c").await;
    rows(&browser, 2).await;
    press(&browser, "e").await;
    rows(&browser, 12).await;
    press(&browser, "2").await;
    rows(&browser, 5).await;
    press(&browser, "?").await;
    browser.sees("Collapse all but the path to this").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_for_is_found_here_and_in_payloads() {
    let server = Server::start();
    fill(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, TRACE, "").await;
    rows(&browser, 6).await;
    press(&browser, "/").await;
    let field = browser.page.find(By::Id("find")).await.unwrap();
    field.send_keys("STEP").await.unwrap();
    browser.sees("6 found").await;
    browser
        .until(
            "the search in the URL",
            "return location.search.includes('find=STEP')",
        )
        .await;
    // The first find opens its group; Shift goes back, around to the last.
    field.send_keys(Key::Enter).await.unwrap();
    rows(&browser, 12).await;
    browser.sees("1 of 6").await;
    field.send_keys(Key::Shift + Key::Enter).await.unwrap();
    browser.sees("6 of 6").await;
    browser
        .until(
            "the last step",
            "return location.search.includes('span=0000000000000009')",
        )
        .await;
    // What stands in a payload the server finds; alone with its ancestors it takes three lines.
    field.clear().await.unwrap();
    field.send_keys("needle-in-the").await.unwrap();
    browser.sees("1 found").await;
    let only = "const only = [...document.querySelectorAll('.find button')].find(b => b.textContent === 'only finds'); only?.click(); return !!only";
    browser.until("the filter", only).await;
    rows(&browser, 3).await;
    line(&browser, "look up").await;
    field.send_keys(Key::Escape).await.unwrap();
    rows(&browser, 12).await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_are_told_and_set_right_when_asked() {
    let server = Server::start();
    fill(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, SKEWED, "").await;
    browser.sees("clocks differ by 50 ms, times as sent").await;
    let serve = line(&browser, "serve").await;
    assert!(serve.contains("its clock is 50 ms behind"), "{serve}");
    // By the raw times the trace begins with what was called, 50 ms before the call.
    let whole = 150.0 * 1.05;
    stands(&browser, 0, 50.0 / whole, 150.0 / whole).await;
    let badge = browser.page.find(By::Css(".clocks")).await.unwrap();
    badge.click().await.unwrap();
    browser.sees("clocks corrected by up to 50 ms").await;
    let whole = 100.0 * 1.05;
    stands(&browser, 0, 0.0, 100.0 / whole).await;
    stands(&browser, 1, 0.0, 100.0 / whole).await;
    browser.stop().await;
}
