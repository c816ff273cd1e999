//! The usage page over all that was filled in, in a real browser with an empty cache: when it says what
//! was used, and when all of it is drawn.

use super::world::World;
use crate::figures::Times;
use crate::server::Server;
use meshscope_tests::Browser;
use std::time::Duration;

/// Times that it is opened.
const TIMES: usize = 5;

/// Notes the first frame with a cost, and the first with chart and breakdown, ms after the navigation began.
const WATCH: &str = r"
    window.__cost = 0;
    window.__all = 0;
    const look = () => {
        const figures = [...document.querySelectorAll('.figure .v')];
        if (figures.some(figure => figure.textContent.includes('$'))) window.__cost ||= performance.now();
        if (document.querySelector('.charts canvas') && document.querySelector('.breakdown tfoot'))
            window.__all ||= performance.now();
        if (!window.__cost || !window.__all) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
";

/// Prints how long it took.
pub(super) async fn open(server: &Server, world: &World) -> Result<(), String> {
    let range = world.all();
    let address = format!("http://{}/usage?from={}&to={}", server.api, range.from, range.to);
    let (mut cost, mut all) = (Times::default(), Times::default());
    for _ in 0..TIMES {
        let browser = Browser::watching(WATCH).await;
        let went = browser.page.goto(&address).await;
        went.map_err(|error| error.to_string())?;
        browser
            .until("the usage page", "return window.__cost > 0 && window.__all > 0")
            .await;
        for (times, name) in [(&mut cost, "__cost"), (&mut all, "__all")] {
            let ms = browser.script(&format!("return window.{name}")).await;
            times.add(Duration::from_secs_f64(ms.as_f64().unwrap_or(0.0) / 1e3));
        }
        browser.stop().await;
    }
    for (name, times) in [("cost said", &cost), ("charts and breakdown", &all)] {
        println!(
            "  the page of 30 days, cold: {name} after p50 {:.0} ms, max {:.0} ms",
            times.percentile(50),
            times.percentile(100)
        );
    }
    Ok(())
}
