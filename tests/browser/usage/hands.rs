//! Hands and keys on the charts, and what can be taken along.

use super::{HOUR, START, open, send};
use meshscope_tests::{Browser, Server};
use thirtyfour::prelude::*;

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
    browser.stop().await;
}

/// What a pointer does at a place, one after the other.
async fn point(browser: &Browser, at: (i64, i64), kind: &str, button: i64, what: &[&str]) {
    for what in what {
        let script = format!(
            "document.elementFromPoint({x}, {y}).dispatchEvent(new PointerEvent({what:?}, \
             {{bubbles: true, clientX: {x}, clientY: {y}, pointerType: {kind:?}, button: {button}}}))",
            x = at.0,
            y = at.1
        );
        browser.script(&script).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_button_does_nothing_and_a_finger_reads_before_it_chooses() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "&bucket=1h").await;
    let (first, second) = (1.5 / 7.0, 2.5 / 7.0);
    let at = place(&browser, "Cost by", first, 0.95).await;
    point(
        &browser,
        at,
        "mouse",
        2,
        &["pointermove", "pointerdown", "pointerup"],
    )
    .await;
    let tap = ["pointerdown", "pointerup", "pointerout", "pointerleave"];
    let at = place(&browser, "Cost by", second, 0.95).await;
    point(&browser, at, "touch", 0, &tap).await;
    browser
        .until(
            "the value under the finger, and no filter",
            "return document.querySelector('.tip')?.innerText.includes('$0.0006') && !location.search.includes('model=')",
        )
        .await;
    point(&browser, at, "touch", 0, &tap).await;
    browser
        .until(
            "the filter",
            "return location.search.includes('model=gpt-4o-mini')",
        )
        .await;
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_gives_the_focus_back_and_cards_lead_to_what_is_shown() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, "&session=table-for-two&model=gpt-4o").await;
    let focused =
        "return document.activeElement.id === 'time-range' && !document.querySelector('.time-menu')";
    let button = browser.page.find(By::Id("time-range")).await.unwrap();
    button.click().await.unwrap();
    browser
        .until("the menu", "return !!document.querySelector('.time-menu')")
        .await;
    browser
        .page
        .action_chain()
        .send_keys(Key::Tab)
        .send_keys(Key::Escape)
        .perform()
        .await
        .unwrap();
    browser.until("the focus after Escape", focused).await;
    button.click().await.unwrap();
    browser
        .until("the menu again", "return !!document.querySelector('.time-menu')")
        .await;
    let shade = browser.page.find(By::Css(".shade")).await.unwrap();
    shade.click().await.unwrap();
    browser.until("the focus after a click beside it", focused).await;
    button.click().await.unwrap();
    let preset = "const item = [...document.querySelectorAll('.time-menu .item')].find(e => e.innerText === 'All time'); item?.focus(); item?.click(); return !!item";
    browser.until("a preset", preset).await;
    browser.until("the focus after a choice", focused).await;
    // The cards follow the time that was chosen, and keep the filters that their pages have.
    let link = |name: &str| {
        format!(
            "const card = [...document.querySelectorAll('a.figure')].find(e => e.querySelector('.k').innerText === {name:?}); \
             const link = new URL(card.href); return link.pathname + ' ' + [...link.searchParams].sort().join(' ')"
        )
    };
    browser
        .until(
            "the chosen time in a link",
            "return [...document.querySelectorAll('a.figure')].every(e => e.href.includes('range=all') && !e.href.includes('from='))",
        )
        .await;
    assert_eq!(
        browser.script(&link("Runs")).await,
        "/traces range,all session,table-for-two"
    );
    assert_eq!(
        browser.script(&link("Errors")).await,
        "/traces has_error,true range,all session,table-for-two"
    );
    assert_eq!(
        browser.script(&link("Sessions")).await,
        "/sessions model,gpt-4o range,all"
    );
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
        "&by=agent,model&columns=calls,tokens,cost&sort=tokens",
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
