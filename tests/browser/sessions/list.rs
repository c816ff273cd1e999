//! The list of sessions.

use super::page::{open, parameter, press, press_text};
use super::world::{agent, chat, failed, send, span};
use meshscope_tests::{Browser, Server};
use serde_json::json;

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
