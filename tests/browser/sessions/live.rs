//! A session that goes on while it is looked at.

use super::page::{open, press_text, rows};
use super::world::{agent, chat, gauge, log, send, span};
use meshscope_tests::{Browser, Server};
use serde_json::json;
use thirtyfour::prelude::*;

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
            "const fetch = window.fetch; window.fetch = (...asked) => asked[0].url?.includes('/spans') \
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
