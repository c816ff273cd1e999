//! Lists that grow or change under the hand: rows of the ledger, columns, budgets, prices.

use super::{HOUR, SECOND, START, attributes, open, range, send};
use meshscope_tests::{Browser, Server};
use serde_json::{Value, json};

/// More calls than a page of rows holds.
const MANY: usize = 130;

/// Sends that many calls, a second apart.
async fn send_many(server: &Server) {
    let span = |n: usize| {
        let start = START + n as i64 * SECOND;
        let call = [
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.request.model", json!("gpt-4o")),
            ("gen_ai.usage.input_tokens", json!(n + 1)),
        ];
        json!({
            "traceId": format!("{:032x}", n + 1), "spanId": format!("{:016x}", n + 1), "name": "chat", "kind": 3,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + SECOND).to_string(), "attributes": attributes(&call),
        })
    };
    let spans: Vec<Value> = (0..MANY).map(span).collect();
    let resource = json!({"attributes": attributes(&[("service.name", json!("restaurant"))])});
    let body =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": spans}]}]});
    let body = serde_json::to_vec(&body).unwrap();
    server.post("/v1/traces", "application/json", body).await;
}

/// Waits until `rows` rows of the ledger are shown.
async fn rows(browser: &Browser, rows: usize) {
    let script = format!("return document.querySelectorAll('.ledger > tbody').length === {rows}");
    browser.until(&format!("{rows} rows"), &script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_come_once_and_leave_what_is_there() {
    let server = Server::start();
    send_many(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, "&rows=time").await;
    rows(&browser, 100).await;
    let button =
        "[...document.querySelectorAll('.rows-drawer button')].find(e => e.innerText === 'More rows')";
    browser
        .script("document.querySelector('.ledger .tool').click()")
        .await;
    browser
        .until("an opened row", "return !!document.querySelector('.row-details')")
        .await;
    // Pressed twice it asks once.
    browser
        .script(&format!(
            "const more = {button}; more.focus(); more.click(); more.click()"
        ))
        .await;
    rows(&browser, MANY).await;
    browser
        .until(
            "the focus where it was",
            "return document.activeElement.innerText === 'All rows are shown'",
        )
        .await;
    let open = browser.texts(".row-details").await;
    assert_eq!(open.len(), 1, "{open:?}");
    rows(&browser, MANY).await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_column_can_be_taken_away_and_sorting_begins_with_the_greatest() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    open(&browser, &server, "&columns=cost,calls").await;
    let order = "return document.querySelector('.breakdown th[aria-sort=descending]')?.innerText.startsWith";
    browser
        .until("the greatest cost first", &format!("{order}('Cost')"))
        .await;
    browser
        .script("[...document.querySelectorAll('.breakdown th button')].find(e => e.innerText === 'Calls').click()")
        .await;
    browser
        .until("the most calls first", &format!("{order}('Calls')"))
        .await;
    browser
        .until("it in the URL", "return location.search.includes('sort=-calls')")
        .await;
    browser
        .script("document.querySelector('.breakdown-tools .menu-of button').click()")
        .await;
    let checked = "[...document.querySelectorAll('.breakdown-tools .check input')].find(e => e.checked)";
    for left in [2, 1] {
        let heads = format!(
            "return document.querySelectorAll('.breakdown thead th').length === {}",
            left + 1
        );
        browser.until("the columns", &heads).await;
        browser.script(&format!("{checked}.click()")).await;
    }
    let none = "return document.querySelectorAll('.breakdown thead th').length === 1";
    browser.until("no columns", none).await;
    browser.page.refresh().await.unwrap();
    browser
        .until(
            "no columns after a reload",
            &format!("{none} && !!document.querySelector('.breakdown tfoot')"),
        )
        .await;
    browser.stop().await;
}

/// Presses the button of the budget's card that says this.
async fn press(browser: &Browser, text: &str) {
    let script = format!(
        "const button = [...document.querySelectorAll('.budget-card button')].find(e => e.innerText === {text:?}); \
         button?.click(); return !!button"
    );
    browser.until(text, &script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_removed_when_that_is_meant_and_trouble_is_said() {
    let server = Server::start();
    send(&server).await;
    // Where the month begins long before it does in the browser's zone.
    let zone = "Pacific/Kiritimati";
    let put = reqwest::Client::new()
        .put(format!("{}/api/v1/budgets", server.studio))
        .json(&json!({"monthly_pico_usd": "5000000000000", "tz": zone}));
    let answer = put.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let browser = Browser::start().await;
    let page = format!("{}/usage?{}&tab=budgets", server.studio, range());
    browser.page.goto(page).await.unwrap();
    browser.sees("of $5.00").await;
    let card = browser.texts(".budget-card").await.join(" ");
    let month = card.split_once(&format!(" in {zone}")).unwrap().0;
    let month = month.lines().last().unwrap();
    let (from, to) = month.split_once(" \u{2013} ").unwrap();
    assert!(from.starts_with("1 "), "{card}");
    let last: u32 = to.split(' ').next().unwrap().parse().unwrap();
    assert!((28..=31).contains(&last), "{card}");
    // The server does not take the removal: that is said, until something else is done.
    browser
        .script(
            "const real = window.fetch.bind(window); window.broken = true; \
             window.fetch = (request, options) => broken && request.method === 'DELETE' \
                 ? Promise.resolve(new Response(JSON.stringify({type: 'about:blank', title: 'The file is locked', status: 409, detail: 'Try again.'}), {status: 409})) \
                 : real(request, options)",
        )
        .await;
    press(&browser, "Remove").await;
    press(&browser, "Remove for good?").await;
    browser.sees("The file is locked. Try again.").await;
    press(&browser, "Change").await;
    browser
        .until(
            "the form without old trouble",
            "return !!document.querySelector('#budget-form') && !document.body.innerText.includes('locked')",
        )
        .await;
    browser.script("window.broken = false").await;
    press(&browser, "Remove").await;
    press(&browser, "Remove for good?").await;
    browser.sees("No budgets yet").await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_can_be_left_while_the_past_is_priced_anew() {
    let server = Server::start();
    send(&server).await;
    let price = json!({"model": "house-model", "input": "1000000", "output": "2000000"});
    let post = reqwest::Client::new()
        .post(format!("{}/api/v1/prices", server.studio))
        .json(&price);
    let answer = post.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let browser = Browser::start().await;
    let to = START + 6 * HOUR;
    let page = format!("{}/usage?from={}&to={to}&tab=prices", server.studio, START - HOUR);
    browser.page.goto(page).await.unwrap();
    browser
        .until("the card", "return !!document.querySelector('#reprice')")
        .await;
    browser.script("document.querySelector('#reprice').click()").await;
    browser.sees("2 of 4 calls would get another cost").await;
    // The answer comes when the page is another one.
    browser
        .script(
            "const real = window.fetch.bind(window); window.said = []; \
             console.error = (...words) => said.push(words.join(' ')); \
             addEventListener('error', event => said.push(event.message)); \
             window.fetch = (request, options) => request.url?.endsWith('/reprice') \
                 ? real(request, options).then(answer => new Promise(go => window.release = () => go(answer))) \
                 : real(request, options)",
        )
        .await;
    browser
        .script("document.querySelector('#reprice-apply').click()")
        .await;
    browser.until("the answer", "return !!window.release").await;
    browser
        .script("document.querySelector('.rail a[href^=\"/sessions\"]:not(.brand)').click()")
        .await;
    browser.sees("table-for-two").await;
    browser.script("window.release()").await;
    browser
        .script("document.querySelector('.rail a[href^=\"/metrics\"]').click()")
        .await;
    browser
        .until(
            "the next page",
            "return document.querySelector('h1')?.innerText === 'Metrics'",
        )
        .await;
    assert_eq!(browser.script("return said").await, json!([]));
    browser.stop().await;
}
