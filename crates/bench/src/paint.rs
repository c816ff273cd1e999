//! First useful paint of the studio: a browser with an empty cache, over loopback.

use meshscope_tests::{Browser, Server};

/// First contentful paint and the first row of the sessions, ms after the navigation began.
pub(crate) async fn run(runs: usize) {
    let server = Server::start();
    server.demo(&["--history", "12h", "--once", "--seed", "7"]);
    println!("paint: {runs} cold starts of the sessions page");
    let (mut paints, mut rows) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let browser = Browser::start().await;
        browser.page.goto(&server.studio).await.unwrap();
        // Marks the first row when it comes, for runs in which it comes after the load event.
        let watch = "window.__row ??= 0; const look = () => { \
            if (document.querySelector('table.sessions tbody tr')) window.__row ||= performance.now(); \
            else requestAnimationFrame(look); }; look(); return true";
        browser.script(watch).await;
        browser.until("the first row", "return window.__row > 0").await;
        let paint = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0";
        paints.push(browser.script(paint).await.as_f64().unwrap_or(0.0));
        rows.push(
            browser
                .script("return window.__row")
                .await
                .as_f64()
                .unwrap_or(0.0),
        );
        browser.stop().await;
    }
    for (name, mut times) in [
        ("first contentful paint", paints),
        ("first row of sessions", rows),
    ] {
        times.sort_by(f64::total_cmp);
        let at = |index: usize| times.get(index).copied().unwrap_or(0.0);
        println!(
            "  {name}: min {:.0} ms, median {:.0} ms, max {:.0} ms",
            at(0),
            at(times.len() / 2),
            at(times.len() - 1)
        );
    }
}
