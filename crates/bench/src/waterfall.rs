//! The waterfall in a real browser, up to a million spans: when the first rows are there and when
//! all of them, how long the page takes for a frame, for a search, and what a span weighs in its
//! memory. The page is watched from outside: it does nothing for being measured.

mod shapes;

use crate::figures::Times;
use crate::server::Server;
use meshscope_tests::Browser;
use serde_json::Value;
use shapes::{Shape, fill};
use std::time::Duration;

/// Spans of the traces.
const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// From so many spans on, pictures are taken, zoomed out and in: `target/screenshots/million-*.png`.
const PICTURED: u64 = 1_000_000;
/// Frames of a scripted movement.
const FRAMES: usize = 120;
/// Times that everything is collapsed and expanded.
const FOLDS: usize = 10;

/// Watches frames and memory of every page from its beginning.
pub(crate) const WATCH: &str = r"
    const raf = window.requestAnimationFrame.bind(window);
    window.__raf = raf;
    window.__frames = [];
    window.requestAnimationFrame = callback => raf(time => {
        const begin = performance.now();
        try { callback(time); } finally { window.__frames.push(performance.now() - begin); }
    });
    for (const name of ['instantiate', 'instantiateStreaming']) {
        const real = WebAssembly[name];
        WebAssembly[name] = async (...args) => {
            const made = await real.apply(WebAssembly, args);
            // The parts that come later take the memory of the first.
            window.__memory ??= (made.instance ?? made).exports.memory;
            return made;
        };
    }
";

/// Opens a trace as a click does, and waits for the first rows and for all of them. The times
/// are those of the first frame after which they are on the screen, ms after the click.
const OPEN: &str = r"
    const [path, spans, done] = arguments;
    const link = document.createElement('a');
    link.href = path;
    document.body.append(link);
    const begin = performance.now();
    const times = {};
    const look = () => {
        const now = performance.now() - begin;
        const rows = Number(document.querySelector('.waterfall')?.dataset.rows ?? 0);
        const facts = [...document.querySelectorAll('.fact')].map(fact => fact.textContent);
        const all = facts.includes('Spans' + spans.toLocaleString('en-US'));
        if (rows > 0) times.first ??= now;
        // One frame later what the header says is drawn below it.
        if (times.seen) { times.all = now; link.remove(); done(times); return; }
        if (all && rows > 0) times.seen = true;
        __raf(look);
    };
    link.click();
    __raf(look);
";

/// Makes a movement a frame, so many times; gives how long the page was busy in each frame
/// (its handler and its painting) and how far the frames were apart.
const MOVE: &str = r"
    const [what, frames, done] = arguments;
    const canvas = document.querySelector('.waterfall canvas.rows');
    const grid = document.getElementById('waterfall');
    const area = canvas.getBoundingClientRect();
    const wheel = (options) => canvas.dispatchEvent(new WheelEvent('wheel', {
        bubbles: true, cancelable: true, clientX: area.x + area.width * 0.7, clientY: area.y + 200, ...options }));
    const key = (key) => grid.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, key }));
    const moves = {
        zoom: n => wheel({ ctrlKey: true, deltaY: n % 60 < 30 ? -60 : 60 }),
        pan: n => wheel({ shiftKey: true, deltaY: n % 40 < 20 ? 40 : -40 }),
        scroll: n => wheel({ deltaY: n % 80 < 70 ? 180 : -900 }),
        fold: n => key(n % 2 ? 'e' : 'c'),
    };
    if (what === 'pan') for (let n = 0; n < 10; n++) wheel({ ctrlKey: true, deltaY: -100 });
    const busy = [], apart = [];
    let last = 0, n = 0, handler = 0;
    const tick = time => {
        if (n > 0) { busy.push(handler + __frames.reduce((a, b) => a + b, 0)); apart.push(time - last); }
        if (n === frames) { done({ busy, apart, bytes: __memory.buffer.byteLength }); return; }
        last = time;
        __frames.length = 0;
        const begin = performance.now();
        moves[what](n);
        handler = performance.now() - begin;
        n += 1;
        // The page asked for its frame before this asks for the next look: it is painted by then.
        __raf(tick);
    };
    __raf(tick);
";

/// Types a text into the search field; how long until its finds are counted and drawn.
const SEARCH: &str = r"
    const [text, done] = arguments;
    const field = document.getElementById('find');
    __frames.length = 0;
    const begin = performance.now();
    field.value = text;
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    const handler = performance.now() - begin;
    const look = () => {
        const count = document.querySelector('.find .count')?.textContent ?? '';
        if (!count) { __raf(look); return; }
        done({ ms: handler + (__frames[0] ?? 0), count });
    };
    __raf(look);
";

/// The last part is compiled so long after it has come.
const INSTANTIATED: Duration = Duration::from_millis(300);

/// Runs an asynchronous script of the page.
pub(crate) async fn ask(browser: &Browser, script: &str, arguments: Vec<Value>) -> Result<Value, String> {
    let answer = browser.page.execute_async(script, arguments).await;
    answer
        .map(|answer| answer.json().clone())
        .map_err(|error| error.to_string())
}

pub(crate) fn times(of: &Value) -> Times {
    let mut times = Times::default();
    for ms in of.as_array().into_iter().flatten().filter_map(Value::as_f64) {
        times.add(Duration::from_secs_f64(ms.max(0.0) / 1e3));
    }
    times
}

pub(crate) async fn bytes(browser: &Browser) -> f64 {
    let bytes = browser.script("return __memory.buffer.byteLength").await;
    bytes.as_f64().unwrap_or(0.0)
}

/// Opens a page of the studio, and waits until the parts of the others have come, as whoever looks at it does
/// before the next click.
pub(crate) async fn open_studio(browser: &Browser, server: &Server) -> Result<(), String> {
    let went = browser.page.goto(format!("http://{}/settings", server.api)).await;
    went.map_err(|error| error.to_string())?;
    let there = "return !!document.querySelector('.card') && !!window.__memory
        && performance.getEntriesByType('resource').some(entry => entry.name.includes('split_console'))";
    browser.until("the studio", there).await;
    tokio::time::sleep(INSTANTIATED).await;
    Ok(())
}

/// One trace: a page of its own, so that memory starts anew.
async fn measure(browser: &Browser, server: &Server, shape: Shape, spans: u64) -> Result<(), String> {
    open_studio(browser, server).await?;
    let before = bytes(browser).await;
    let path = format!("/traces/{}?paused=1", shape.trace(spans));
    let opened = ask(browser, OPEN, vec![path.into(), spans.into()]).await?;
    let ms = |of: &str| opened[of].as_f64().unwrap_or(f64::NAN);
    let held = bytes(browser).await - before;
    println!(
        "{:<5} {:>9} | first {:>6.0} ms, all {:>6.0} ms | {:>5.0} bytes/span",
        shape.name(),
        spans,
        ms("first"),
        ms("all"),
        held / spans as f64
    );
    let picture = async |state: &str| {
        if spans >= PICTURED {
            browser
                .screenshot(&format!("million-{}-{state}", shape.name()))
                .await;
        }
    };
    picture("out").await;
    let mut most = 0.0_f64;
    for (what, frames) in [
        ("fold", 2 * FOLDS),
        ("scroll", FRAMES),
        ("zoom", FRAMES),
        ("pan", FRAMES),
    ] {
        let moved = ask(browser, MOVE, vec![what.into(), frames.into()]).await?;
        let (busy, apart) = (times(&moved["busy"]), times(&moved["apart"]));
        most = most.max(moved["bytes"].as_f64().unwrap_or(0.0));
        let three = |times: &Times| {
            let at = [50, 95, 100].map(|percent| format!("{:6.1}", times.percentile(percent)));
            at.join(" ")
        };
        println!(
            "      {what:<9} p50 p95 max: busy {} ms, a frame every {} ms",
            three(&busy),
            three(&apart)
        );
    }
    picture("in").await;
    let found = ask(browser, SEARCH, vec![shape.sought().into()]).await?;
    println!(
        "      search    {:6.1} ms, {}; most {:.0} bytes/span",
        found["ms"].as_f64().unwrap_or(f64::NAN),
        found["count"].as_str().unwrap_or_default(),
        (most.max(bytes(browser).await) - before) / spans as f64
    );
    Ok(())
}

/// Prints the table; `most` is the size of the largest traces.
pub(crate) async fn run(most: u64) -> Result<(), String> {
    let sizes: Vec<u64> = SIZES.into_iter().filter(|spans| *spans <= most).collect();
    let dir = tempfile::tempdir_in(crate::rate::dir()?).map_err(|error| error.to_string())?;
    fill(dir.path(), &sizes)?;
    let server = Server::start(dir.path(), &[])?;
    println!("waterfall: ms after the click; busy is what the page itself does for a frame");
    for spans in sizes {
        for shape in Shape::ALL {
            let browser = Browser::watching(WATCH).await;
            let patience = Duration::from_secs(120);
            let waits = browser.page.set_script_timeout(patience).await;
            waits.map_err(|error| error.to_string())?;
            measure(&browser, &server, shape, spans).await?;
            browser.stop().await;
        }
    }
    server.stop()
}
