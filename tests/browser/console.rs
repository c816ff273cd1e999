//! The developer console, as a person watches it.

use meshscope_tests::{Browser, Server};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(elapsed.as_nanos()).unwrap()
}

fn resource(service: &str) -> Value {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"attributes": [
        attribute("service.name", service), attribute("service.version", "2.1"), attribute("host.name", "node-7"),
        attribute("service.instance.id", "one"), attribute("telemetry.sdk.language", "rust"),
        attribute("telemetry.sdk.name", "opentelemetry"), attribute("telemetry.sdk.version", "0.33"),
    ]})
}

async fn post(server: &Server, path: &str, body: &Value) {
    server
        .post(path, "application/json", body.to_string().into_bytes())
        .await;
}

/// Log records of a service: severity and body, with an attribute `n` from `first` on.
async fn logs(server: &Server, service: &str, first: usize, records: &[(u8, &str)]) {
    let record = |(n, (severity, body)): (usize, &(u8, &str))| {
        json!({
            "timeUnixNano": (now() + n as u64).to_string(), "severityNumber": severity, "body": {"stringValue": body},
            "attributes": [{"key": "n", "value": {"intValue": (first + n).to_string()}}],
        })
    };
    let records: Vec<Value> = records.iter().enumerate().map(record).collect();
    let body = json!({"resourceLogs": [{
        "resource": resource(service), "scopeLogs": [{"scope": {"name": "app"}, "logRecords": records}]}]});
    post(server, "/v1/logs", &body).await;
}

/// Spans of [`TRACE`]: id, parent (0 for none), name, ended, failed.
async fn spans(server: &Server, spans: &[(u64, u64, &str, bool, bool)]) {
    let start = now();
    let span = |(id, parent, name, ended, failed): &(u64, u64, &str, bool, bool)| {
        let mut span = json!({
            "traceId": TRACE, "spanId": format!("{id:016x}"), "name": name, "startTimeUnixNano": (start + id).to_string(),
            "endTimeUnixNano": if *ended { (start + 40_000_000).to_string() } else { "0".to_owned() },
        });
        if *parent > 0 {
            span["parentSpanId"] = json!(format!("{parent:016x}"));
        }
        if *failed {
            span["status"] = json!({"code": 2, "message": "upstream timed out"});
        }
        span
    };
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let body = json!({"resourceSpans": [{
        "resource": resource("planner"), "scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]});
    post(server, "/v1/traces", &body).await;
}

/// The texts of the rows that are seen, from the top.
async fn rows(browser: &Browser) -> Vec<String> {
    let rows = browser
        .script(
            "const top = e => e.getBoundingClientRect().top;
             const list = document.querySelector('#console-logs');
             if (!list) return [];
             const [from, to] = [top(list), list.getBoundingClientRect().bottom];
             return [...list.querySelectorAll('.crow')].filter(e => top(e) >= from - 1 && top(e) < to)
                .sort((a, b) => top(a) - top(b)).map(e => e.querySelector('.text').textContent)",
        )
        .await;
    let rows = rows.as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

async fn says(browser: &Browser, id: &str, text: &str) {
    let script = format!("return document.querySelector('#{id}')?.textContent.includes('{text}')");
    browser.until(&format!("#{id} to say {text:?}"), &script).await;
}

async fn click(browser: &Browser, selector: &str) {
    let script = format!("const e = document.querySelector('{selector}'); e?.click(); return !!e");
    assert_eq!(browser.script(&script).await, json!(true), "{selector}");
}

async fn type_filter(browser: &Browser, text: &str) {
    let script = format!(
        "const e = document.querySelector('#filter'); e.value = {text:?};
         e.dispatchEvent(new Event('input', {{bubbles: true}}))"
    );
    browser.script(&script).await;
}

async fn open(server: &Server, path: &str) -> Browser {
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    browser
        .page
        .goto(format!("{}{path}", server.studio))
        .await
        .unwrap();
    says(&browser, "live", "live").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn log_records_come_in_order_and_are_filtered_paused_and_opened() {
    let server = Server::start();
    logs(&server, "voice", 0, &[(9, "before the console")]).await;
    let browser = open(&server, "/console").await;
    logs(
        &server,
        "planner",
        1,
        &[
            (9, "plan ready: 4 steps"),
            (13, "read_page retry 2/3"),
            (17, "read_page: \u{1b}[31mtimed out\u{1b}[0m <b>504</b>"),
        ],
    )
    .await;
    says(&browser, "held", "4 shown").await;
    let all = [
        "before the console",
        "plan ready: 4 steps",
        "read_page retry 2/3",
        "read_page: timed out <b>504</b>",
    ];
    assert_eq!(rows(&browser).await, all);
    assert_eq!(browser.texts(".crow .ansi1").await, ["timed out"]);
    browser.screenshot("console-logs").await;

    type_filter(&browser, "READ_page -retry").await;
    says(&browser, "held", "1 shown").await;
    assert_eq!(rows(&browser).await, [all[3]]);
    assert_eq!(browser.texts(".crow mark").await, ["read_page"]);
    type_filter(&browser, "n=1").await;
    browser
        .until(
            "the record with the attribute",
            "return document.querySelector('#held').textContent.startsWith('1 shown')",
        )
        .await;
    assert_eq!(rows(&browser).await, [all[1]]);
    type_filter(&browser, "").await;
    says(&browser, "held", "4 shown").await;

    // Paused: what comes waits, is counted, and is shown in order afterwards.
    click(&browser, "#pause").await;
    says(&browser, "live", "paused").await;
    logs(&server, "planner", 4, &[(9, "five"), (9, "six")]).await;
    says(&browser, "live", "2 waiting").await;
    assert_eq!(rows(&browser).await, all);
    click(&browser, "#pause").await;
    says(&browser, "held", "6 shown").await;
    says(&browser, "live", "live").await;
    assert_eq!(rows(&browser).await[4..], ["five", "six"]);

    click(&browser, "#console-logs .crow .text").await;
    browser.sees("telemetry.sdk.name").await;
    browser.screenshot("console-record").await;
    click(&browser, "#clear").await;
    says(&browser, "held", "0 shown").await;
    logs(&server, "planner", 6, &[(9, "after clearing")]).await;
    says(&browser, "held", "1 shown").await;
    assert_eq!(rows(&browser).await, ["after clearing"]);
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_and_comes_back_loses_and_doubles_nothing() {
    let mut server = Server::start();
    let browser = open(&server, "/console").await;
    let names: Vec<String> = (0..300).map(|n| format!("record {n:03}")).collect();
    let records: Vec<(u8, &str)> = names.iter().map(|name| (9, name.as_str())).collect();
    for (n, piece) in records[..150].chunks(10).enumerate() {
        logs(&server, "svc", n * 10, piece).await;
    }
    // Killed while the page may be reading; what was acknowledged comes, once.
    server.restart(|| {});
    for (n, piece) in records[150..].chunks(10).enumerate() {
        logs(&server, "svc", 150 + n * 10, piece).await;
    }
    says(&browser, "held", "300 shown").await;
    says(&browser, "live", "live").await;
    // Every row as one scrolls over all of them.
    click(&browser, "#pause").await;
    says(&browser, "live", "paused").await;
    let mut seen = Vec::new();
    for place in (0..300).step_by(10) {
        browser
            .script(&format!(
                "document.querySelector('#console-logs').scrollTop = {}",
                place * 25
            ))
            .await;
        // One that only this place brings: the page hears of the scrolling some time later.
        let last = (place + 20).min(299);
        let here = format!(
            "return [...document.querySelectorAll('#console-logs .crow')].some(e => e.dataset.row === '{last}' && e.textContent.includes('record {last:03}'))"
        );
        browser.until("the rows there", &here).await;
        for row in rows(&browser).await {
            if !seen.contains(&row) {
                seen.push(row);
            }
        }
    }
    assert_eq!(seen, names);
    let elements = browser
        .script("return document.querySelectorAll('#console-logs .crow').length")
        .await;
    assert!(
        elements.as_u64().unwrap() < 60,
        "{elements} elements for what is seen"
    );
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scrolling_up_holds_the_list_and_a_past_moment_is_replayed() {
    let server = Server::start();
    let names: Vec<String> = (0..700).map(|n| format!("record {n:03}")).collect();
    let records: Vec<(u8, &str)> = names.iter().map(|name| (9, name.as_str())).collect();
    let since = now();
    logs(&server, "svc", 0, &records).await;
    let browser = open(&server, "/console").await;
    says(&browser, "held", "500 shown").await;
    browser
        .script("document.querySelector('#console-logs').scrollTop -= 400")
        .await;
    says(&browser, "live", "paused").await;
    let before = rows(&browser).await;
    logs(&server, "svc", 700, &[(9, "while it is held")]).await;
    says(&browser, "live", "1 waiting").await;
    assert_eq!(rows(&browser).await, before);
    browser
        .script("const e = document.querySelector('#console-logs'); e.scrollTop = e.scrollHeight")
        .await;
    says(&browser, "live", "live").await;
    says(&browser, "held", "501 shown").await;
    assert_eq!(
        rows(&browser).await.last().map(String::as_str),
        Some("while it is held")
    );

    browser
        .page
        .goto(format!("{}/console?since={since}", server.studio))
        .await
        .unwrap();
    says(&browser, "held", "701 shown").await;
    says(&browser, "live", "live").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_grow_while_they_happen_and_services_are_told() {
    let server = Server::start();
    let browser = open(&server, "/console?tab=traces").await;
    spans(
        &server,
        &[
            (1, 0, "plan trip", false, false),
            (2, 1, "search flights", true, false),
            (3, 1, "read page", true, true),
            (4, 2, "call api", true, false),
        ],
    )
    .await;
    browser
        .until(
            "the run",
            "return document.querySelector('#console-traces .trow')?.textContent.includes('plan trip')",
        )
        .await;
    let run = browser.texts("#console-traces .trow").await.join(" ");
    assert!(run.contains("running, failing") && run.contains('4'), "{run}");
    click(&browser, "#console-traces .trow .name").await;
    says(&browser, "run-said", "4 of 4 spans \u{b7} 1 in progress").await;
    type_filter(&browser, "flights").await;
    says(&browser, "run-said", "3 of 4 spans").await;
    let names = browser.texts("#console-run .srow .name").await;
    let names: Vec<&str> = names
        .iter()
        .map(|name| name.trim_start_matches(['\u{25d4}', ' ']))
        .collect();
    assert_eq!(names[..3], ["plan trip", "search flights", "call api"]);
    type_filter(&browser, "").await;
    spans(&server, &[(1, 0, "plan trip", true, false)]).await;
    browser
        .until(
            "the end",
            "return document.querySelector('#console-traces .trow')?.textContent.includes('error')",
        )
        .await;
    says(&browser, "run-said", "4 of 4 spans").await;
    browser.screenshot("console-traces").await;

    browser
        .page
        .goto(format!("{}/console?tab=services", server.studio))
        .await
        .unwrap();
    browser.sees("rust opentelemetry 0.33").await;
    let rows = browser.texts("table.services tbody tr").await;
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0].contains("planner") && rows[0].contains("node-7") && rows[0].contains("25"),
        "{rows:?}"
    );
    browser.screenshot("console-services").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_looks_right_wide_and_narrow_dark_and_light() {
    let server = Server::start();
    server.demo(&["--once"]);
    let lines = [
        (9, "plan ready: 4 steps, budget 20k tokens"),
        (5, "search_flights q={\"from\":\"BER\",\"to\":\"HND\"}"),
        (13, "read_page retry 2/3 after timeout"),
        (17, "read_page: upstream timed out (504) host=hotels.example"),
        (9, "\u{1b}[32mdraft scored\u{1b}[0m 0.82"),
    ];
    for n in 0..30 {
        let service = ["planner", "tools-gateway", "researcher", "voice"][n % 4];
        logs(&server, service, n * 5, &lines).await;
    }
    spans(
        &server,
        &[
            (1, 0, "plan trip", false, false),
            (2, 1, "search flights", true, true),
        ],
    )
    .await;
    let browser = open(&server, "/console").await;
    for theme in ["dark", "light"] {
        browser
            .script(&format!("localStorage.setItem('meshscope.theme', '{theme}')"))
            .await;
        for (name, width, height) in [("wide", 1440, 900), ("narrow", 390, 844)] {
            browser.size(width, height).await;
            for tab in ["logs", "traces", "metrics", "services"] {
                let url = format!("{}/console?tab={tab}&since=1", server.studio);
                browser.page.goto(url).await.unwrap();
                says(&browser, "live", "live").await;
                let there = match tab {
                    "logs" => "return document.querySelectorAll('.crow').length > 5",
                    "traces" => "return document.querySelectorAll('#console-traces .trow').length > 3",
                    "metrics" => "return document.querySelectorAll('.multiples canvas').length > 0",
                    _ => "return document.querySelectorAll('table.services tbody tr').length > 3",
                };
                browser.until(tab, there).await;
                let wider = browser
                    .script("return document.documentElement.scrollWidth - window.innerWidth")
                    .await;
                assert_eq!(wider, json!(0), "{tab} {name}: the page is wider than the screen");
                browser.screenshot(&format!("console-{tab}-{name}-{theme}")).await;
            }
        }
    }
    browser.stop().await;
}
