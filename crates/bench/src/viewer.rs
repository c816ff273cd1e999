//! The session viewer in a real browser: how long a large session takes from the click to where it can be
//! used, and how smooth its playhead is dragged. The page is watched from outside: it does nothing for being
//! measured.

use crate::generate::{Emitters, TRACE, Workload};
use crate::http::Connection;
use crate::load::post;
use crate::server::Server;
use crate::waterfall::{WATCH, ask, open_studio, times};
use meshscope_model::time::SECOND;
use meshscope_model::{AttributeValue, KeyValue, LogRecord, Span};
use meshscope_telemetry::otlp::{encode_logs, encode_traces};
use meshscope_tests::Browser;
use std::time::Duration;

/// Times that each page is opened.
const TIMES: usize = 3;
/// Frames of dragging the playhead from the beginning to the end.
const FRAMES: usize = 240;
/// Records of a request.
const BATCH: usize = 5_000;
/// From one run of the session to the next.
const RUN_EVERY: i64 = 2 * SECOND;
/// Every so many model calls say something.
const SPOKEN: u64 = 8;

/// A session.
#[derive(Debug, Clone, Copy)]
struct Session {
    name: &'static str,
    spans: u64,
    logs: u64,
    /// Log records are events.
    events: bool,
}

const SESSIONS: [Session; 2] = [
    Session {
        name: "10k-spans-10k-logs",
        spans: 10_000,
        logs: 10_000,
        events: false,
    },
    Session {
        name: "100k-events",
        spans: 5_000,
        logs: 100_000,
        events: true,
    },
];
/// Panels that are opened.
const PANELS: [&str; 3] = ["conversation", "logs", "events"];

/// Opens a session as a click does, and waits until its timeline and the first rows of its panel are drawn; ms
/// after the click.
const OPEN: &str = r"
    const [path, done] = arguments;
    const link = document.createElement('a');
    link.href = path;
    document.body.append(link);
    const begin = performance.now();
    let seen = false;
    const look = () => {
        // One frame later it is on the screen.
        if (seen) { link.remove(); done(performance.now() - begin); return; }
        const timeline = document.querySelector('.timeline-plot canvas');
        seen = timeline?.height > 60 && !!document.querySelector('.view .grid-row, .view .turn');
        __raf(look);
    };
    link.click();
    __raf(look);
";

/// Drags the playhead along the axis, a step a frame; how long until the page's thread was free again in each
/// frame (handler, all that follows from it, layout and painting), and how far the frames were apart.
const SCRUB: &str = r"
    const [frames, done] = arguments;
    const plot = document.querySelector('.timeline-plot canvas'), area = plot.getBoundingClientRect();
    plot.setPointerCapture = () => {};
    const point = (name, n) => plot.dispatchEvent(new PointerEvent(name, { bubbles: true, pointerId: 1, pointerType: 'mouse', button: 0,
        clientX: area.left + 116 + (area.width - 116) / 1.05 * n / frames, clientY: area.top + 8 }));
    const busy = [], apart = [], free = new MessageChannel();
    let last = 0, n = 0, begin = 0;
    free.port1.onmessage = () => busy.push(performance.now() - begin);
    point('pointerdown', 0);
    const tick = time => {
        if (n > 0) apart.push(time - last);
        if (n === frames) { point('pointerup', n); done({ busy, apart }); return; }
        last = time;
        n += 1;
        begin = performance.now();
        point('pointermove', n);
        free.port2.postMessage(0);
        __raf(tick);
    };
    __raf(tick);
";

impl Session {
    /// Its span `n`.
    fn span(&self, workload: &Workload, emitters: &Emitters, n: u64) -> Span {
        let mut span = workload.span(emitters, n);
        let trace = n / TRACE;
        let shift = workload.base + trace as i64 * RUN_EVERY - workload.trace_start(trace);
        span.start_time += shift;
        span.end_time = span.end_time.map(|end| end + shift);
        let attributes = &mut span.attributes.0;
        attributes.retain(|kv| kv.key != "gen_ai.conversation.id");
        attributes.push(KeyValue::new("session.id", self.name));
        if span.name.starts_with("chat") && n.is_multiple_of(SPOKEN) {
            let said = format!(
                r#"[{{"role":"assistant","parts":[{{"type":"text","content":"The answer of step {n}."}}]}}]"#
            );
            attributes.push(KeyValue::new("gen_ai.output.messages", said));
        }
        span
    }

    /// Its log record `n`; they are spread evenly over its time.
    fn log(&self, workload: &Workload, emitters: &Emitters, n: u64) -> LogRecord {
        let lasts = (self.spans / TRACE) as i64 * RUN_EVERY;
        let mut record = workload.log(emitters, n % workload.logs());
        record.time = workload.base + (i128::from(lasts) * i128::from(n) / i128::from(self.logs)) as i64;
        record.observed_time = record.time;
        record.body = AttributeValue::String(workload.log_body(n));
        record.attributes.0.push(KeyValue::new("session.id", self.name));
        if self.events {
            "room.message".clone_into(&mut record.event_name);
        }
        record
    }

    fn send(&self, server: &Server) {
        let (workload, emitters) = (Workload::apart(self.spans as usize), Emitters::new());
        let mut connection = Connection::open(&server.http).expect("the server listens");
        let spans: Vec<Span> = (0..self.spans)
            .map(|n| self.span(&workload, &emitters, n))
            .collect();
        for spans in spans.chunks(BATCH) {
            post(&mut connection, "/v1/traces", &encode_traces(spans));
        }
        let logs: Vec<LogRecord> = (0..self.logs)
            .map(|n| self.log(&workload, &emitters, n))
            .collect();
        for logs in logs.chunks(BATCH) {
            post(&mut connection, "/v1/logs", &encode_logs(logs));
        }
    }
}

async fn measure(server: &Server, browser: &Browser, session: &str, panel: &str) -> Result<(), String> {
    let mut opened = crate::figures::Times::default();
    for _ in 0..TIMES {
        open_studio(browser, server).await?;
        let path = format!("/sessions/{session}?range=all&tab={panel}&paused=1");
        let ms = ask(browser, OPEN, vec![path.into()]).await?;
        opened.add(Duration::from_secs_f64(ms.as_f64().unwrap_or(0.0) / 1e3));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let moved = ask(browser, SCRUB, vec![FRAMES.into()]).await?;
    let three = |of: &str| {
        let times = times(&moved[of]);
        [50, 95, 100]
            .map(|p| format!("{:6.1}", times.percentile(p)))
            .join(" ")
    };
    println!(
        "{session:<19} {panel:<13} to useful {:>5.0} to {:>5.0} ms | scrubbing p50 p95 max: busy {} ms, a frame every {} ms",
        opened.percentile(0),
        opened.percentile(100),
        three("busy"),
        three("apart")
    );
    Ok(())
}

/// Prints the table.
pub(crate) async fn run() -> Result<(), String> {
    let dir = tempfile::tempdir_in(crate::rate::dir()?).map_err(|error| error.to_string())?;
    let server = Server::start(dir.path(), &[])?;
    for session in &SESSIONS {
        session.send(&server);
    }
    server.wait_idle();
    println!("session: ms after the click, {TIMES} times; busy is until the page is free again");
    for session in &SESSIONS {
        let browser = Browser::watching(WATCH).await;
        for panel in PANELS {
            measure(&server, &browser, session.name, panel).await?;
        }
        browser.stop().await;
    }
    server.stop()
}
