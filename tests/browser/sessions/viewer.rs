//! One session: its timeline, its panels, its playhead.

use super::page::{AXIS, LANE, NAMES, WHOLE, drag, drawn, figure, open, parameter, press, press_text, rows};
use super::world::{START, agent, log, send, span, time, two_runs};
use meshscope_tests::{Browser, Server, replay};
use serde_json::json;
use thirtyfour::prelude::*;

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
        .script("return [...document.querySelectorAll('.said-at')].map(e => e.innerText).join()")
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
