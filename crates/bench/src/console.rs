//! The console in a real browser: how long a span takes from its export to its row at 1,000 spans a
//! second, and how smooth and how large the page stays at 10,000 records a second.

mod sender;

use crate::figures::Times;
use crate::server::Server;
use crate::waterfall::{WATCH, bytes, times};
use meshscope_tests::Browser;
use sender::{Rate, Sender};
use std::collections::HashMap;
use std::time::Duration;

/// Spans a second while the latency is measured, and for how many seconds.
const SPANS: u64 = 1_000;
const LATENCY_SECONDS: u64 = 20;
/// Records a second while frames are measured: logs, and spans.
const LOGS: u64 = 8_000;
const MORE_SPANS: u64 = 2_000;

/// From the first span of a measurement to that of the next: none is sent twice.
const APART: u64 = 10_000_000;

/// Notes in every frame which runs have a row, and when a row of that name was there first, in ms
/// since the epoch.
const SIGHTS: &str = r"
    window.__seen = {};
    const look = () => {
        const now = performance.timeOrigin + performance.now();
        for (const cell of document.querySelectorAll('#console-traces .trow .name')) __seen[cell.textContent] ??= now;
        __raf(look);
    };
    __raf(look);
    return true;
";

/// Notes how far frames are apart, how long the page was busy in each, and tasks that held it up.
const FRAMES: &str = r"
    window.__apart = []; window.__busy = []; window.__tasks = [];
    new PerformanceObserver(list => list.getEntries().forEach(task => __tasks.push(task.duration))).observe({ type: 'longtask' });
    let last;
    const look = time => {
        if (last !== undefined) { __apart.push(time - last); __busy.push(__frames.reduce((a, b) => a + b, 0)); }
        last = time;
        __frames.length = 0;
        __raf(look);
    };
    __raf(look);
    return true;
";

async fn open(server: &Server, tab: &str) -> Result<Browser, String> {
    let browser = Browser::watching(WATCH).await;
    let page = browser
        .page
        .goto(format!("http://{}/console?tab={tab}", server.api))
        .await;
    page.map_err(|error| error.to_string())?;
    browser
        .until(
            "the console",
            "return document.body.innerText.includes('\u{25cf} live')",
        )
        .await;
    Ok(browser)
}

/// From the first byte of a run's export to the frame in which its row was there.
async fn latency(server: &Server) -> Result<(), String> {
    let browser = open(server, "traces").await?;
    browser.script(SIGHTS).await;
    let rate = Rate {
        spans: SPANS,
        logs: 0,
    };
    let sent = Sender::start(&server.http, rate, LATENCY_SECONDS, 0)
        .join()
        .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seen = browser.script("return __seen").await;
    let seen: HashMap<&String, f64> = seen
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, at)| Some((name, at.as_f64()?)))
        .collect();
    let mut times = Times::default();
    for (name, at) in &sent.runs {
        if let Some(seen) = seen.get(name) {
            times.add(Duration::from_secs_f64((seen - at).max(0.0) / 1e3));
        }
    }
    println!(
        "console: {SPANS} spans/s for {LATENCY_SECONDS} s; from export to row p50 {:.0} ms, p95 {:.0} ms, max {:.0} ms; \
         {} of {} runs were in sight",
        times.percentile(50),
        times.percentile(95),
        times.percentile(100),
        times.len(),
        sent.runs.len()
    );
    browser.stop().await;
    Ok(())
}

/// Frames and memory of one tab.
async fn frames(server: &Server, tab: &str, seconds: u64, from: u64) -> Result<(), String> {
    let browser = open(server, tab).await?;
    let begun = bytes(&browser).await;
    browser.script(FRAMES).await;
    let rate = Rate {
        spans: MORE_SPANS,
        logs: LOGS,
    };
    let sending = Sender::start(&server.http, rate, seconds, from);
    let mut held = Vec::new();
    while !sending.is_finished() {
        tokio::time::sleep(Duration::from_secs((seconds / 6).max(1))).await;
        held.push(bytes(&browser).await / 1e6);
    }
    let sent = sending.join().await?;
    let told = browser
        .script(
            "return { apart: __apart, busy: __busy, tasks: __tasks, \
        heap: performance.memory.usedJSHeapSize, nodes: document.querySelectorAll('*').length }",
        )
        .await;
    let (busy, apart, tasks) = (times(&told["busy"]), times(&told["apart"]), times(&told["tasks"]));
    let three = |times: &Times| {
        [50, 95, 100]
            .map(|p| format!("{:6.1}", times.percentile(p)))
            .join(" ")
    };
    let number = |of: &str| told[of].as_f64().unwrap_or(f64::NAN);
    println!(
        "  {tab:<7} {:.0} records/s for {:.0} s | p50 p95 max: busy {} ms, a frame every {} ms | {} tasks over 50 ms, the longest {:.0} ms",
        sent.records as f64 / sent.took.as_secs_f64(),
        sent.took.as_secs_f64(),
        three(&busy),
        three(&apart),
        tasks.len(),
        tasks.percentile(100)
    );
    let held: Vec<String> = held.iter().map(|mb| format!("{mb:.0}")).collect();
    println!(
        "          memory of the studio {:.0} MB, then {} MB; scripts {:.0} MB; {} elements; late by {:.1} s",
        begun / 1e6,
        held.join(" "),
        number("heap") / 1e6,
        number("nodes"),
        caught_up(&browser).await
    );
    browser.stop().await;
    Ok(())
}

/// How long the page goes on after the last record was sent, s.
async fn caught_up(browser: &Browser) -> f64 {
    let begin = std::time::Instant::now();
    browser
        .until(
            "the end of it",
            "return document.getElementById('rate').innerText.startsWith('0 ')",
        )
        .await;
    // The rate is one of three seconds.
    (begin.elapsed().as_secs_f64() - 4.0).max(0.0)
}

/// Prints what it measures; frames of each tab for `seconds`.
pub(crate) async fn run(seconds: u64) -> Result<(), String> {
    let dir = tempfile::tempdir_in(crate::rate::dir()?).map_err(|error| error.to_string())?;
    let options: Vec<String> = std::env::var("MESHSCOPE_STUDIO_DIR")
        .map(|studio| vec!["--studio-dir".to_owned(), studio])
        .unwrap_or_default();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let server = Server::start(dir.path(), &options)?;
    latency(&server).await?;
    println!(
        "console: {} records/s, of them {LOGS} log records",
        LOGS + MORE_SPANS
    );
    for (tab, nth) in [("logs", 1), ("traces", 2)] {
        frames(&server, tab, seconds, nth * APART).await?;
    }
    server.stop()
}
