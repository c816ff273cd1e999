//! Five agent systems that send at their own pace, watched in the console and in the session viewer while
//! the server goes and comes back.

use meshscope_tests::{Browser, Capture, Entry, Redis, Server, captures, entries, replay};
use serde_json::Value;
use std::time::{Duration, Instant};

const SYSTEMS: [&str; 4] = ["meshagent", "videosdk", "meshflow", "dexto"];
/// Longer silences are cut to this: between some captures lie minutes.
const SILENCE: Duration = Duration::from_secs(1);
/// Height of a run's row, and of a record's, pixels.
const RUN: usize = 33;
const RECORD: usize = 25;

/// Waits as long as the sender did.
async fn silence(before: &mut Option<f64>, at: f64) {
    let silence = before.map_or(0.0, |before| (at - before).max(0.0));
    *before = Some(at);
    tokio::time::sleep(Duration::from_secs_f64(silence).min(SILENCE)).await;
}

async fn play(server: &Server, captures: &[Capture]) {
    let mut before = None;
    for capture in captures {
        silence(&mut before, capture.at).await;
        capture.send(server).await;
    }
}

async fn play_mesh(redis: &Redis, entries: &[Entry]) {
    let mut before = None;
    for entry in entries {
        silence(&mut before, entry.at).await;
        redis.add(entry);
    }
}

/// Waits until everything that stands in Redis is kept: it is read a moment later.
async fn all_of_mesh(server: &Server) {
    let begun = Instant::now();
    loop {
        let mesh = server.status()["mcp_mesh"].take();
        if mesh["pending"] == "0" && mesh["last_entry_id"] == mesh["last_delivered_id"] {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{mesh}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The texts of a list's rows from the first to the last, each once: the cell of one selector, and of another.
async fn scrolled(
    browser: &Browser,
    list: &str,
    rows: usize,
    height: usize,
    cells: [&str; 2],
) -> Vec<[String; 2]> {
    browser
        .until(
            &format!("{rows} rows of {list}"),
            &format!(
                "return document.querySelector('{list} .console-space').style.height === '{}px'",
                rows * height
            ),
        )
        .await;
    let mut texts: Vec<Option<[String; 2]>> = vec![None; rows];
    for first in (0..rows).step_by(10) {
        let last = (first + 9).min(rows - 1);
        browser
            .script(&format!(
                "document.querySelector('{list}').scrollTop = {}",
                first * height
            ))
            .await;
        // The page hears of the scrolling some time later.
        let there = format!(
            "const rows = [...document.querySelectorAll('{list} [data-row]')].filter(e => !e.style.transform.includes('-9999'));
             return rows.some(e => e.dataset.row === '{first}') && rows.some(e => e.dataset.row === '{last}')"
        );
        browser.until("the rows there", &there).await;
        let seen = browser
            .script(&format!(
                "return [...document.querySelectorAll('{list} [data-row]')].filter(e => !e.style.transform.includes('-9999'))
                    .map(e => [+e.dataset.row, e.querySelector('{}').textContent, e.querySelector('{}').textContent])",
                cells[0], cells[1]
            ))
            .await;
        for row in seen.as_array().unwrap() {
            let text = |at: usize| row[at].as_str().unwrap().to_owned();
            let place = usize::try_from(row[0].as_u64().unwrap()).unwrap();
            texts[place] = Some([text(1), text(2)]);
        }
    }
    texts.into_iter().map(Option::unwrap).collect()
}

/// All runs as the API tells them: name, and how many spans.
async fn runs(server: &Server) -> Vec<[String; 2]> {
    let list = server.get("traces?from=0&limit=1000").await;
    let run = |run: &Value| [run["name"].as_str().unwrap().to_owned(), run["spans"].to_string()];
    list["traces"].as_array().unwrap().iter().map(run).collect()
}

/// All records in the order in which they came.
async fn records(server: &Server) -> Vec<Value> {
    let list = server.get("logs?from=0&limit=1000").await;
    let mut logs = list["logs"].as_array().unwrap().clone();
    logs.sort_by_key(|log| log["sequence"].as_str().unwrap().parse::<i64>().unwrap());
    logs
}

#[tokio::test(flavor = "multi_thread")]
async fn five_systems_are_seen_in_the_console_once_and_in_order_over_a_server_that_goes_and_comes_back() {
    let redis = Redis::start();
    let mut server = Server::with(&["--mcp-mesh-redis", &redis.url()]);
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    browser
        .page
        .goto(format!("{}/console?tab=traces", server.studio))
        .await
        .unwrap();
    browser.sees("\u{25cf} live").await;
    let sent = SYSTEMS.map(captures);
    let mesh = entries();
    for half in [0, 1] {
        let of = |all: usize| if half == 0 { 0..all / 2 } else { all / 2..all };
        let [a, b, c, d] = sent.each_ref().map(|all| play(&server, &all[of(all.len())]));
        tokio::join!(a, b, c, d, play_mesh(&redis, &mesh[of(mesh.len())]));
        if half == 0 {
            let some = "return document.querySelectorAll('#console-traces .trow').length > 3";
            browser.until("runs", some).await;
            server.restart(|| {});
        }
    }
    all_of_mesh(&server).await;
    for system in SYSTEMS.iter().chain(&["mcp-mesh"]) {
        let list = server
            .get(&format!("traces?from=0&limit=1&system={system}"))
            .await;
        assert_eq!(list["traces"].as_array().unwrap().len(), 1, "{system}");
    }

    let told = runs(&server).await;
    let seen = scrolled(
        &browser,
        "#console-traces",
        told.len(),
        RUN,
        [".name", ":nth-child(7)"],
    )
    .await;
    assert_eq!(seen, told);
    browser.screenshot("console-five-systems").await;

    browser
        .script("[...document.querySelectorAll('.tabs button, .tabs a')].find(e => e.textContent.startsWith('Logs')).click()")
        .await;
    let told = records(&server).await;
    browser.sees(&format!("{} shown", told.len())).await;
    browser.script("document.querySelector('#pause').click()").await;
    browser.sees("paused").await;
    let seen = scrolled(&browser, "#console-logs", told.len(), RECORD, [".text", ".who"]).await;
    for (log, [text, sender]) in told.iter().zip(&seen) {
        let body = log["body"]["stringValue"].as_str().unwrap_or_default();
        let event = log["event_name"].as_str().unwrap_or_default();
        let begin = if event.is_empty() { body } else { event };
        assert!(
            text.starts_with(begin.lines().next().unwrap_or_default()),
            "{text:?} is not {log}"
        );
        let from = log["agent"].as_str().or(log["service"].as_str());
        assert_eq!(from, Some(sender.as_str()), "{log}");
    }
    browser.screenshot("console-five-systems-logs").await;
    browser.stop().await;
}

/// The session of a system with the most records.
async fn largest(server: &Server, system: &str) -> Value {
    let list = server
        .get(&format!("sessions?from=0&limit=1000&system={system}"))
        .await;
    let records = |session: &&Value| session["spans"].as_u64().unwrap() + session["logs"].as_u64().unwrap();
    let sessions = list["sessions"].as_array().unwrap().iter();
    sessions.max_by_key(records).unwrap().clone()
}

async fn has_session(server: &Server, id: &Value) -> bool {
    let list = server.get("sessions?from=0&limit=1000").await;
    let mut sessions = list["sessions"].as_array().unwrap().iter();
    sessions.any(|session| session["session_id"] == *id)
}

/// Opens a session that there is.
async fn open(browser: &Browser, server: &Server, session: &Value) {
    let id = session["session_id"].as_str().unwrap();
    let url = format!("{}/sessions/{id}?range=all", server.studio);
    browser.page.goto(url).await.unwrap();
    let there = "return !!document.querySelector('.session-facts .fact')";
    browser.until("the session", there).await;
}

/// Waits until the page says of a session what is known of the whole of it.
async fn says_all(browser: &Browser, session: &Value) {
    for (name, figure) in [("Runs", "traces"), ("Spans", "spans"), ("Logs", "logs")] {
        let says = format!(
            "const fact = [...document.querySelectorAll('.session-facts .fact')].find(f => f.querySelector('.k').innerText === '{name}');
            return fact?.querySelector('.v').innerText === '{}'",
            session[figure]
        );
        let what = format!("{} {figure} of {}", session[figure], session["system"]);
        browser.until(&what, &says).await;
    }
    // What came late began before what was there.
    let none_before = "return !document.querySelector('.talk')?.innerText.includes('+\u{2212}')";
    browser.until("no message before the session", none_before).await;
    let system = session["system"].as_str().unwrap();
    browser.screenshot(&format!("session-live-{system}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_each_system_grows_in_the_viewer_as_it_was_sent() {
    let whole = Server::start();
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    for system in SYSTEMS {
        replay(&whole, system).await;
        let wanted = largest(&whole, system).await;
        let mut server = Server::start();
        let sent = captures(system);
        let mut begun = 0;
        while !has_session(&server, &wanted["session_id"]).await {
            sent[begun].send(&server).await;
            begun += 1;
        }
        open(&browser, &server, &wanted).await;
        let (before, after) = sent[begun..].split_at((sent.len() - begun) / 2);
        play(&server, before).await;
        server.restart(|| {});
        play(&server, after).await;
        says_all(&browser, &wanted).await;
    }
    browser.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_a_mesh_of_agents_grows_in_the_viewer_as_it_was_written() {
    let redis = [Redis::start(), Redis::start()];
    let [whole, mut server] = redis
        .each_ref()
        .map(|redis| Server::with(&["--mcp-mesh-redis", &redis.url()]));
    redis[0].replay();
    all_of_mesh(&whole).await;
    let wanted = largest(&whole, "mcp-mesh").await;
    let written = entries();
    let mut begun = 0;
    while !has_session(&server, &wanted["session_id"]).await {
        redis[1].add(&written[begun]);
        begun += 1;
        all_of_mesh(&server).await;
    }
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    open(&browser, &server, &wanted).await;
    let (before, after) = written[begun..].split_at((written.len() - begun) / 2);
    play_mesh(&redis[1], before).await;
    server.restart(|| {});
    play_mesh(&redis[1], after).await;
    all_of_mesh(&server).await;
    says_all(&browser, &wanted).await;
    browser.stop().await;
}
