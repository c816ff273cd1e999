//! Every view of a trace for what real agents sent, in both themes, to be looked at.

use meshscope_tests::{Browser, Redis, Server, replay};
use serde_json::Value;

const VIEWS: [(&str, &str); 7] = [
    ("waterfall", ".waterfall[data-rows]:not([data-rows='0'])"),
    ("flame", ".surface[data-bars]:not([data-bars='0'])"),
    ("table", ".spans .grid-row:not(.grid-head)"),
    ("graph", ".graph .node"),
    ("conversation", ".turn, .talk-view .empty"),
    ("logs", ".records .grid-row, .logs-view .empty"),
    ("critical", ".critical .grid-row:not(.grid-head)"),
];

/// The largest trace of a system in which something is said, else the largest, and the span that speaks last.
async fn largest(server: &Server, system: &str) -> (String, String) {
    let list = server
        .get(&format!("traces?from=0&limit=1000&system={system}"))
        .await;
    let mut traces = list["traces"].as_array().unwrap().clone();
    traces.sort_by_key(|trace| std::cmp::Reverse(trace["spans"].as_u64()));
    let id = |trace: &Value| trace["trace_id"].as_str().unwrap().to_owned();
    for trace in &traces {
        let talk = server.get(&format!("traces/{}/conversation", id(trace))).await;
        if let Some(turn) = talk["turns"].as_array().unwrap().last() {
            return (id(trace), turn["span_id"].as_str().unwrap().to_owned());
        }
    }
    let largest = id(&traces[0]);
    let whole = server.get(&format!("traces/{largest}")).await;
    let span = whole["spans"][0]["span_id"].as_str().unwrap().to_owned();
    (largest, span)
}

/// Looks at every view of a trace in both themes and on both screens.
async fn look(server: &Server, browser: &Browser, system: &str) {
    let (trace, span) = largest(server, system).await;
    browser.page.goto(&server.studio).await.unwrap();
    for theme in ["dark", "light"] {
        browser
            .script(&format!("localStorage.setItem('meshscope.theme', '{theme}')"))
            .await;
        for (view, ready) in VIEWS {
            browser.size(1440, 900).await;
            let url = format!("{}/traces/{trace}?tab={view}&span={span}", server.studio);
            browser.page.goto(&url).await.unwrap();
            let ready = serde_json::to_string(ready).unwrap();
            browser
                .until(
                    &format!("{system} {view}"),
                    &format!(
                        "return !!document.querySelector({ready}) && !!document.querySelector('.details h2')"
                    ),
                )
                .await;
            let failed = browser
                .script("return document.querySelector('.failed')?.innerText ?? null")
                .await;
            assert!(failed.is_null(), "{system} {view}: {failed}");
            let beside = "const [a, b] = [...document.querySelectorAll('.split > .panel')].map(e => e.getBoundingClientRect());
                return a.right <= b.left && a.height > 300 && b.right <= innerWidth";
            assert_eq!(
                browser.script(beside).await,
                true,
                "{system} {view}: the span stands beside the view"
            );
            browser
                .screenshot(&format!("system-{system}-{view}-{theme}"))
                .await;
            browser.size(390, 844).await;
            browser
                .until(
                    &format!("{system} {view} fits"),
                    "return document.documentElement.scrollWidth <= 390",
                )
                .await;
            if theme == "dark" {
                browser.screenshot(&format!("system-{system}-{view}-390")).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_of_every_system() {
    let redis = Redis::start();
    let server = Server::with(&["--mcp-mesh-redis", &redis.url()]);
    redis.replay();
    for system in ["meshagent", "videosdk", "dexto", "meshflow"] {
        replay(&server, system).await;
    }
    let browser = Browser::start().await;
    for (system, said) in [
        ("meshagent", "get_weather"),
        ("videosdk", "It is 21 degrees in Paris."),
        ("dexto", "Hello from the loopback stub."),
        ("meshflow", "report on"),
        ("mcp-mesh", "no answer was captured"),
    ] {
        look(&server, &browser, system).await;
        let (trace, _) = largest(&server, system).await;
        browser.size(1440, 900).await;
        let talk = format!("{}/traces/{trace}?tab=conversation", server.studio);
        browser.page.goto(&talk).await.unwrap();
        browser.sees(said).await;
    }
    browser.stop().await;
}
