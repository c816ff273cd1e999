//! Agents at work: spans and log records of this moment, at a steady rate.

use crate::generate::{Emitters, TRACE, Workload};
use crate::http::Connection;
use crate::load::post;
use meshscope_model::time::SECOND;
use meshscope_model::{LogRecord, Span};
use meshscope_telemetry::otlp::{encode_logs, encode_traces};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;

/// Requests of each signal a second.
const REQUESTS: u64 = 10;
/// Connections of a signal: more than one waits for its commit at a time.
const CONNECTIONS: usize = 3;

/// Records a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) spans: u64,
    pub(crate) logs: u64,
}

/// What was sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) records: u64,
    /// Names of the runs, and when their export began, ms since the epoch.
    pub(crate) runs: Vec<(String, f64)>,
    pub(crate) took: Duration,
}

/// A sender at work.
pub(crate) struct Sender(JoinHandle<Sent>);

impl Sender {
    /// Sends for so many seconds, the spans of the workload from number `from` on, which begins a run.
    pub(crate) fn start(host: &str, rate: Rate, seconds: u64, from: u64) -> Self {
        let host = host.to_owned();
        Self(tokio::task::spawn_blocking(move || {
            send(&host, rate, seconds, from)
        }))
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for its end.
    pub(crate) async fn join(self) -> Result<Sent, String> {
        self.0.await.map_err(|error| error.to_string())
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn send(host: &str, rate: Rate, seconds: u64, from: u64) -> Sent {
    let all = Mutex::new(Sent::default());
    let start = Instant::now();
    let requests = seconds * REQUESTS;
    let workload = Workload::busy((from + requests * (rate.spans + rate.logs)) as usize);
    std::thread::scope(|scope| {
        for (logs, each) in [(false, rate.spans / REQUESTS), (true, rate.logs / REQUESTS)] {
            if each == 0 {
                continue;
            }
            let next = Arc::new(AtomicU64::new(0));
            for _ in 0..CONNECTIONS {
                let (next, all, workload) = (Arc::clone(&next), &all, &workload);
                scope.spawn(move || {
                    let emitters = Emitters::new();
                    let mut connection = Connection::open(host).expect("the server listens");
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= requests {
                            break;
                        }
                        let first = from + n * each;
                        let due = start + Duration::from_secs_f64(n as f64 / REQUESTS as f64);
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        let (path, body, runs) = if logs {
                            (
                                "/v1/logs",
                                log_records(workload, &emitters, first, each),
                                Vec::new(),
                            )
                        } else {
                            let (body, runs) = spans(workload, &emitters, first, each);
                            ("/v1/traces", body, runs)
                        };
                        let at = since_epoch().as_secs_f64() * 1e3;
                        post(&mut connection, path, &body);
                        let mut all = all.lock().expect("no sender panicked");
                        all.records += each;
                        all.runs.extend(runs.into_iter().map(|name| (name, at)));
                    }
                });
            }
        }
    });
    let mut sent = all.into_inner().expect("no sender panicked");
    sent.took = start.elapsed();
    sent
}

/// Spans that have just ended, in whole runs, and the names of the runs.
fn spans(workload: &Workload, emitters: &Emitters, first: u64, count: u64) -> (Vec<u8>, Vec<String>) {
    let now = since_epoch().as_nanos() as i64;
    let mut runs = Vec::new();
    let place = |n: u64| {
        let mut span: Span = workload.span(emitters, n);
        let within = (n % TRACE) as i64;
        span.start_time = now - SECOND + within * 10_000_000;
        span.end_time = Some(now - within * 10_000_000);
        if n.is_multiple_of(TRACE) {
            span.name = format!("run {}", n / TRACE);
            runs.push(span.name.clone());
        }
        span
    };
    let spans: Vec<Span> = (first..first + count).map(place).collect();
    (encode_traces(&spans), runs)
}

/// Log records of this moment.
fn log_records(workload: &Workload, emitters: &Emitters, first: u64, count: u64) -> Vec<u8> {
    let now = since_epoch().as_nanos() as i64;
    let place = |n: u64| {
        let record = workload.log(emitters, n);
        LogRecord {
            time: now + (n - first) as i64 * 1_000,
            observed_time: now,
            ..record
        }
    };
    let records: Vec<LogRecord> = (first..first + count).map(place).collect();
    encode_logs(&records)
}
