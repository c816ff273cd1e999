//! Metrics in the console, drawn by their type.

use meshscope_tests::{Browser, Server};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use thirtyfour::prelude::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const SECOND: u128 = 1_000_000_000;

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

fn resource() -> Value {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]})
}

/// A counter that grows by ten every ten seconds, and a histogram of latencies with an exemplar.
async fn send(server: &Server) {
    let now = now();
    let start = (now - 300 * SECOND).to_string();
    let times: Vec<u128> = (0..30).map(|n| now - (300 - n * 10) * SECOND).collect();
    let counter: Vec<Value> = (1..).zip(&times).map(|(n, time)| {
        json!({"startTimeUnixNano": start, "timeUnixNano": time.to_string(), "asInt": (n * 10).to_string()})
    }).collect();
    let histogram: Vec<Value> = (0_u64..).zip(&times).map(|(n, time)| {
        let exemplars = if n == 15 {
            json!([{"timeUnixNano": time.to_string(), "asDouble": 1.7, "traceId": TRACE, "spanId": SPAN}])
        } else {
            json!([])
        };
        json!({"startTimeUnixNano": (time - SECOND).to_string(), "timeUnixNano": time.to_string(), "count": "20", "sum": 30.0,
            "explicitBounds": [0.5, 1.0, 2.0, 4.0], "bucketCounts": ["2", "6", "10", "2", "0"], "exemplars": exemplars})
    }).collect();
    let metrics = json!({"resourceMetrics": [{"resource": resource(), "scopeMetrics": [{"scope": {"name": "s"}, "metrics": [
        {"name": "app.requests", "unit": "{request}", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": counter}},
        {"name": "app.latency", "unit": "s", "histogram": {"aggregationTemporality": 1, "dataPoints": histogram}},
    ]}]}]});
    server
        .post(
            "/v1/metrics",
            "application/json",
            metrics.to_string().into_bytes(),
        )
        .await;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let number = |key: &str, value: &str| json!({"key": key, "value": {"intValue": value}});
    let call = json!({"traceId": TRACE, "spanId": SPAN, "name": "chat gpt-4o-mini",
        "startTimeUnixNano": (now - 150 * SECOND).to_string(), "endTimeUnixNano": (now - 148 * SECOND).to_string(),
        "attributes": [text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"),
            text("gen_ai.request.model", "gpt-4o-mini"), number("gen_ai.usage.input_tokens", "1000"),
            number("gen_ai.usage.output_tokens", "500")]});
    let spans = json!({"resourceSpans": [{"resource": resource(), "scopeSpans": [{"scope": {"name": "s"}, "spans": [call]}]}]});
    server
        .post("/v1/traces", "application/json", spans.to_string().into_bytes())
        .await;
}

/// Sends a gauge's value of this second after the `start`, and a call of a model with this many input tokens.
async fn send_more(server: &Server, start: u128, value: i64, second: u64, tokens: u64) {
    let now = (start + u128::from(second) * SECOND).to_string();
    let points = json!([{"timeUnixNano": now, "asInt": value.to_string()}]);
    let metrics = json!({"resourceMetrics": [{"resource": resource(), "scopeMetrics": [{"scope": {"name": "s"}, "metrics": [
        {"name": "app.balance", "unit": "1", "gauge": {"dataPoints": points}},
    ]}]}]});
    let body = metrics.to_string().into_bytes();
    server.post("/v1/metrics", "application/json", body).await;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let span = json!({"traceId": format!("{second:032x}"), "spanId": format!("{second:016x}"), "name": "chat",
        "startTimeUnixNano": now, "endTimeUnixNano": now, "attributes": [text("gen_ai.operation.name", "chat"),
            text("gen_ai.request.model", "gpt-4o-mini"), json!({"key": "gen_ai.usage.input_tokens", "value": {"intValue": tokens.to_string()}})]});
    let spans = json!({"resourceSpans": [{"resource": resource(), "scopeSpans": [{"scope": {"name": "s"}, "spans": [span]}]}]});
    let body = spans.to_string().into_bytes();
    server.post("/v1/traces", "application/json", body).await;
}

/// The canvas of the chart whose title begins with this.
fn canvas(title: &str) -> String {
    format!(
        "[...document.querySelectorAll('.chart')].find(e => e.querySelector('h2').innerText.startsWith({title:?}))?.querySelector('canvas')"
    )
}

#[tokio::test]
async fn a_chart_stays_when_new_points_come_and_zero_is_a_value() {
    let (server, start) = (Server::start(), now() - 60 * SECOND);
    send_more(&server, start, 0, 10, 100).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    let page = format!("{}/metrics?metric=app.balance&range=15m", server.studio);
    browser.page.goto(page).await.unwrap();
    let balance = canvas("app.balance");
    let says =
        |text: &str| format!("return ({balance})?.getAttribute('aria-label').includes('agent {text}')");
    browser.until("a balance of 0", &says("0")).await;
    assert_eq!(browser.texts(".chart .nothing").await.len(), 0);
    browser
        .script(&format!(
            "({balance}).kept = true; document.querySelector('.metrics-split tbody button').focus()"
        ))
        .await;
    send_more(&server, start, -40, 20, 0).await;
    browser.until("the next value", &says("-40")).await;
    let kept = format!("return ({balance}).kept === true");
    assert_eq!(browser.script(&kept).await, true, "the chart was made anew");
    let focused = "return document.activeElement.innerText === 'app.balance'";
    assert_eq!(browser.script(focused).await, true, "the list lost the focus");
    browser.screenshot("metrics-below-zero").await;

    // In the console too, whose charts no range of another page holds up, and which set none.
    let page = format!("{}/console?tab=metrics&from=1&to=2", server.studio);
    browser.page.goto(page).await.unwrap();
    browser.sees("100 tokens").await;
    let tokens = canvas("Tokens by model");
    browser.until("the chart", &format!("return !!({balance})")).await;
    browser
        .script(&format!("({balance}).kept = ({tokens}).kept = true"))
        .await;
    send_more(&server, start, 7, 30, 50).await;
    browser.sees("150 tokens").await;
    browser.until("the value after it", &says("7")).await;
    let kept = format!("return ({balance}).kept === true && ({tokens}).kept === true");
    assert_eq!(browser.script(&kept).await, true, "a chart was made anew");
    let drag = format!(
        "const canvas = {tokens}, area = canvas.getBoundingClientRect(); \
         const at = (what, part) => canvas.dispatchEvent(new PointerEvent(what, {{bubbles: true, clientX: area.x + area.width * part, clientY: area.y + 60}})); \
         at('pointerdown', 0.3); at('pointermove', 0.5); at('pointermove', 0.6); at('pointerup', 0.6)"
    );
    browser.script(&drag).await;
    browser
        .until("what is read there", "return !!document.querySelector('.tip')")
        .await;
    assert_eq!(
        browser.script("return location.search").await,
        "?tab=metrics&from=1&to=2"
    );
    browser.stop().await;
}

#[tokio::test]
async fn each_metric_is_drawn_by_its_type_and_an_exemplar_opens_its_span() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    browser
        .page
        .goto(format!("{}/console?tab=metrics", server.studio))
        .await
        .unwrap();
    browser.sees("app.latency \u{b7} p50, p95, p99 s").await;
    browser.sees("app.requests \u{b7} increase {request}").await;
    // What it cost, from the ledger: 1,000 input and 500 output tokens by the price table.
    browser.sees("Tokens by model").await;
    browser.sees("1,500 tokens").await;
    browser.sees("$0.00045").await;
    // Two thirds of 20 lie below 1.2 s: the median lies on the line within its bucket.
    browser.screenshot("metrics").await;
    let table = "const chart = [...document.querySelectorAll('.chart')].find(c => c.innerText.includes('app.latency')); \
        if (chart.querySelector('tbody tr')) return true; \
        const item = [...chart.querySelectorAll('.item')].find(item => item.innerText === 'Show as a table'); \
        (item ?? chart.querySelector('.chart-menu button')).click()";
    browser.until("the figures as a table", table).await;
    let cells = "const chart = [...document.querySelectorAll('.chart')].find(c => c.innerText.includes('app.latency')); \
        return [...chart.querySelector('tbody tr').children].slice(1).map(cell => cell.textContent)";
    assert_eq!(browser.script(cells).await, json!(["1.2", "3", "3.8"]));

    let chosen = browser
        .page
        .find(By::Css("#as option[value=rate]"))
        .await
        .unwrap();
    chosen.click().await.unwrap();
    browser.sees("app.requests \u{b7} per second {request}").await;
    let url = browser.page.current_url().await.unwrap();
    assert!(url.as_str().contains("as=rate"), "{url}");
    browser.page.refresh().await.unwrap();
    browser.sees("app.requests \u{b7} per second {request}").await;

    let exemplar = browser.page.find(By::Css(".exemplars a")).await.unwrap();
    assert_eq!(exemplar.text().await.unwrap(), "1.7");
    // The dot itself is found where it is drawn: in the middle of the time, within its bucket.
    let dot = "const chart = [...document.querySelectorAll('.chart')].find(c => c.innerText.includes('app.latency')); \
        const canvas = chart.querySelector('canvas'), area = canvas.getBoundingClientRect(); \
        for (let y = 8; y < area.height - 22; y += 3) for (let x = 52; x < area.width - 8; x += 3) { \
            if (location.pathname !== '/console') return true; \
            const at = { bubbles: true, clientX: area.x + x, clientY: area.y + y }; \
            canvas.dispatchEvent(new PointerEvent('pointerdown', at)); canvas.dispatchEvent(new PointerEvent('pointerup', at)); } \
        return location.pathname !== '/console'";
    browser.until("the dot", dot).await;
    browser.sees("chat gpt-4o-mini").await;
    let url = browser.page.current_url().await.unwrap();
    assert!(
        url.as_str().contains(&format!("/traces/{TRACE}?span={SPAN}")),
        "{url}"
    );
    browser.stop().await;
}
