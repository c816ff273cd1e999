//! A series of up to a million points as a chart: how long it takes to reduce it to what the pixels can
//! show on the host, and from having the points to the drawn chart in a real browser. The browser's
//! points are made up in the page, so that neither server nor network takes part.

use crate::figures::Times;
use crate::server::Server;
use meshscope_layout::reduce::reduce;
use meshscope_tests::Browser;
use std::time::{Duration, Instant};

/// The longest series.
pub(crate) const MOST: u64 = 1_000_000;
/// Points of the series.
const SIZES: [u64; 4] = [1_000, 10_000, 100_000, MOST];
/// Columns of pixels that the host reduces to.
const COLUMNS: usize = 1_000;
/// Times that each is done.
const TIMES: usize = 15;

/// Answers the page's questions for its metrics and for the metric `load` with a gauge of POINTS points.
const POINTS: &str = r"
    const real = window.fetch.bind(window);
    const wave = n => 50 + 40 * Math.sin(n / 5000) + (n * 2654435761 % 1000) / 100 + (n % 99991 === 0 ? 500 : 0);
    const metric = `{'name':'load','description':'','unit':'1','kind':'gauge','temporality':'unspecified','monotonic':false,'services':[],'series':1,'points':'1','last_at':'0'}`;
    const made = () => {
        const points = [];
        for (let n = 0; n < POINTS; n++)
            points.push(`{'start_time':'0','time':'${1790000000000000000n + BigInt(n) * 1000000000n}','value':{'double':${wave(n)}}}`);
        return `{'metric':${metric},'from':'0','series':[{'service':'bench','attributes':[],'points':[${points.join(',')}]}]}`;
    };
    window.fetch = (request, options) => {
        const path = new URL(request.url ?? request, location.href).pathname;
        const answer = path.endsWith('/api/v1/metrics') ? `{'metrics':[${metric}]}`
            : path.endsWith('/metrics/load') ? made() : null;
        if (answer === null) return real(request, options);
        const json = answer.replaceAll('\'', '\x22');
        return Promise.resolve(new Response(json, { headers: { 'content-type': 'application/json' } }));
    };
";

/// From having the points to the drawn chart, ms; nothing until it is drawn.
const DRAWN: &str = r"
    const [begin] = performance.getEntriesByName('chart reduce'), [end] = performance.getEntriesByName('chart drawn');
    return begin && end && end.startTime > begin.startTime ? end.startTime - begin.startTime : null;
";

fn host(points: u64) {
    let times: Vec<i64> = (0..points as i64).collect();
    let values: Vec<f64> = times
        .iter()
        .map(|n| (*n as f64 / 5_000.0).sin() + (n * 2_654_435_761 % 1_000) as f64)
        .collect();
    let mut took = Times::default();
    for _ in 0..TIMES {
        let begin = Instant::now();
        let reduced = reduce(&times, &values, 0, points as i64, COLUMNS);
        took.add(begin.elapsed());
        assert_eq!(
            reduced.iter().flatten().map(|c| u64::from(c.count)).sum::<u64>(),
            points
        );
    }
    println!(
        "host     {points:>9} points to {COLUMNS} columns | p50 {:>6.2} ms, p95 {:>6.2} ms",
        took.percentile(50),
        took.percentile(95)
    );
}

async fn page(server: &Server, points: u64) -> Result<(), String> {
    let mut took = Times::default();
    let browser = Browser::watching(&POINTS.replace("POINTS", &points.to_string())).await;
    for _ in 0..if points > 100_000 { 5 } else { TIMES } {
        let address = format!("http://{}/metrics?metric=load&range=all&paused=1", server.api);
        let went = browser.page.goto(address).await;
        went.map_err(|error| error.to_string())?;
        browser.until("the chart", DRAWN).await;
        let ms = browser.script(DRAWN).await.as_f64().unwrap_or(f64::NAN);
        took.add(Duration::from_secs_f64(ms.max(0.0) / 1e3));
    }
    browser.stop().await;
    println!(
        "browser  {points:>9} points to a drawn chart  | p50 {:>6.1} ms, max {:>6.1} ms",
        took.percentile(50),
        took.percentile(100)
    );
    Ok(())
}

/// Prints the table; `most` is the length of the longest series.
pub(crate) async fn run(most: u64) -> Result<(), String> {
    let sizes: Vec<u64> = SIZES.into_iter().filter(|points| *points <= most).collect();
    println!("charts: reducing a series, and drawing it first");
    sizes.iter().copied().for_each(host);
    let dir = tempfile::tempdir_in(crate::rate::dir()?).map_err(|error| error.to_string())?;
    let server = Server::start(dir.path(), &[])?;
    for points in sizes {
        page(&server, points).await?;
    }
    server.stop()
}
