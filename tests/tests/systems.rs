//! Every view of a trace for what real agents sent, in both themes, to be looked at.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use meshscope_tests::{Browser, Redis, Server, replay};
use serde_json::Value;

const VIEWS: [(&str, &str); 7] = [
    ("waterfall", ".waterfall[data-rows]:not([data-rows='0'])"),
    ("flame", ".surface[data-bars]:not([data-bars='0'])"),
    ("table", ".spans [aria-rowindex='2']"),
    ("graph", ".graph .node"),
    ("conversation", ".turn, .talk-view .empty"),
    ("logs", ".records .grid-row, .logs-view .empty"),
    ("critical", ".critical [aria-rowindex='2']"),
];

/// The trace of a system with the most spans, and a span of it, most wanted one that speaks.
async fn largest(server: &Server, system: &str) -> (String, String) {
    let get = async |path: String| -> Value {
        let answer = reqwest::get(format!("{}/api/v1/{path}", server.studio))
            .await
            .unwrap();
        answer.json().await.unwrap()
    };
    let list = get(format!("traces?from=0&limit=1000&system={system}")).await;
    let traces = list["traces"].as_array().unwrap();
    let largest = traces.iter().max_by_key(|trace| trace["spans"].as_u64()).unwrap();
    let id = largest["trace_id"].as_str().unwrap().to_owned();
    let talk = get(format!("traces/{id}/conversation")).await;
    let whole = get(format!("traces/{id}")).await;
    let spoken = talk["turns"]
        .as_array()
        .unwrap()
        .last()
        .map(|turn| &turn["span_id"]);
    let span = spoken.unwrap_or(&whole["spans"][0]["span_id"]);
    (id, span.as_str().unwrap().to_owned())
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
        ("mcp-mesh", ""),
    ] {
        look(&server, &browser, system).await;
        let (trace, _) = largest(&server, system).await;
        browser.size(1440, 900).await;
        let talk = format!("{}/traces/{trace}?tab=conversation", server.studio);
        browser.page.goto(&talk).await.unwrap();
        browser
            .sees(if said.is_empty() { "Nothing was said" } else { said })
            .await;
    }
    browser.stop().await;
}
