//! Every page in both themes, on both screens: axe finds nothing serious.

use meshscope_tests::{Browser, Server};

/// Asks axe for what is serious, as lines: rule, how many, the first places and what is wrong there.
///
/// Two of its findings are none, each at one kind of place: the rows of a grid scroll, and the keys of the grid,
/// which has the focus, bring them into view; the name of a graph's node says what is seen, without the sign
/// before it.
const CHECK: &str = "
    const found = await axe.run(document, { resultTypes: ['violations'] });
    const none = {
        'scrollable-region-focusable': ':is([role=grid], [role=treegrid])[tabindex=\"0\"] > .vlist',
        'label-content-name-mismatch': '.graph .node',
    };
    const counts = (rule, node) => !(none[rule.id] && document.querySelector(node.target[0])?.matches(none[rule.id]));
    return found.violations
        .filter(rule => ['serious', 'critical'].includes(rule.impact))
        .map(rule => ({ id: rule.id, nodes: rule.nodes.filter(node => counts(rule, node)) }))
        .filter(rule => rule.nodes.length > 0)
        .map(rule => `${rule.id} (${rule.nodes.length}): ${rule.nodes.slice(0, 3)
            .map(node => `${node.target} ${node.html.slice(0, 160)} ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message}`).join(' | ')}`);
";

/// Pages, and what is there when they are.
async fn pages(server: &Server) -> Vec<(String, &'static str)> {
    let traces = server.get("traces?q=invoke_workflow&limit=2").await;
    let of = |at: usize, key: &str| traces["traces"][at][key].as_str().unwrap().to_owned();
    let (trace, other, session) = (of(0, "trace_id"), of(1, "trace_id"), of(0, "session_id"));
    let mut pages: Vec<(String, &str)> = [
        ("/sessions", "table.sessions tbody tr"),
        ("/traces", "table.traces tbody tr"),
        ("/console", "#console-logs"),
        ("/console?tab=traces", ".tabs"),
        ("/console?tab=metrics", ".tabs"),
        ("/console?tab=services", ".tabs"),
        ("/logs", ".log"),
        ("/metrics", ".chart canvas"),
        ("/usage", ".breakdown tbody tr"),
        ("/usage?tab=prices", ".tabs"),
        ("/usage?tab=what-if", ".tabs"),
        ("/usage?tab=budgets", ".tabs"),
        ("/settings", ".card"),
    ]
    .map(|(path, ready)| (path.to_owned(), ready))
    .into();
    for tab in [
        "",
        "logs",
        "events",
        "runs",
        "metrics",
        "usage",
        "graph",
        "attributes",
        "recordings",
    ] {
        pages.push((format!("/sessions/{session}?tab={tab}"), ".timeline-plot canvas"));
    }
    for view in ["", "flame", "table", "graph", "conversation", "logs", "critical"] {
        pages.push((format!("/traces/{trace}?tab={view}"), ".tabs"));
    }
    pages.push((format!("/compare?a={trace}&b={other}"), "main h1"));
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_serious_on_any_page() {
    let axe = std::env::var("MESHSCOPE_AXE").expect("MESHSCOPE_AXE names axe.min.js: run `cargo xtask test`");
    let axe = std::fs::read_to_string(axe).unwrap();
    let server = Server::start();
    server.demo(&["--history", "1d", "--once", "--seed", "7", "--rate", "12"]);
    let pages = pages(&server).await;
    let browser = Browser::start().await;
    browser.page.goto(&server.studio).await.unwrap();
    let mut found = Vec::new();
    for (theme, width, height) in [("dark", 1440, 900), ("light", 1440, 900), ("light", 390, 844)] {
        browser
            .script(&format!("localStorage.setItem('meshscope.theme', '{theme}')"))
            .await;
        browser.size(width, height).await;
        for (path, ready) in &pages {
            browser
                .page
                .goto(format!("{}{path}", server.studio))
                .await
                .unwrap();
            let there = format!(
                "return !!document.querySelector('{ready}') && !document.querySelector('main .loading')"
            );
            browser.until(path, &there).await;
            browser.script(&axe).await;
            let serious = browser
                .script(&format!("return (async () => {{ {CHECK} }})()"))
                .await;
            for line in serious.as_array().unwrap() {
                found.push(format!("{theme} {width} {path}: {}", line.as_str().unwrap()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    browser.stop().await;
}
