//! Clients that send a workload over OTLP/HTTP and wait for every answer.

use crate::figures::Times;
use crate::generate::{Emitters, Workload};
use crate::http::Connection;
use meshscope_telemetry::otlp::encode_traces;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Spans of one request.
pub(crate) const BATCH: u64 = 2_000;
/// Spans of one request of a paced sender: about what OpenTelemetry's SDKs send at once.
pub(crate) const SMALL: u64 = 500;
/// Connections at a time.
pub(crate) const CONNECTIONS: usize = 8;

/// How a round of sending went.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Spans that were acknowledged.
    pub(crate) spans: u64,
    /// Times from a request's first byte to its answer.
    pub(crate) times: Times,
    /// Answers 503, after which the request was sent again.
    pub(crate) refused: u64,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
}

/// How many requests a workload is.
pub(crate) fn requests(workload: &Workload) -> u64 {
    workload.spans().div_ceil(BATCH)
}

/// The body of request `n`.
pub(crate) fn body(workload: &Workload, emitters: &Emitters, n: u64) -> Vec<u8> {
    encode_traces(&workload.records(emitters, n * BATCH, (n + 1) * BATCH))
}

/// Posts a body until it is taken; returns how long the answer took and how often it was refused.
pub(crate) fn post(connection: &mut Connection, path: &str, body: &[u8]) -> (Duration, u64) {
    let mut refused = 0;
    loop {
        let start = Instant::now();
        let answer = connection.post(path, body).expect("the server answers");
        match answer.status {
            200 => return (start.elapsed(), refused),
            503 => {
                refused += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            status => panic!("{path}: {status} {}", answer.text()),
        }
    }
}

/// Sends bodies as fast as they are taken.
pub(crate) fn flat_out(host: &str, bodies: &[Vec<u8>], spans: u64) -> Sent {
    let (next, all) = (AtomicU64::new(0), Mutex::new(Sent::default()));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = Connection::open(host).expect("the server listens");
                let mut mine = Sent::default();
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let (time, refused) = post(&mut connection, "/v1/traces", body);
                    mine.times.add(time);
                    mine.refused += refused;
                }
                let mut all = all.lock().expect("no sender panicked");
                all.times.append(mine.times);
                all.refused += mine.refused;
            });
        }
    });
    Sent {
        spans,
        took: start.elapsed(),
        ..all.into_inner().expect("no sender panicked")
    }
}

/// Sends a workload at `rate` spans a second until it is all sent or `stop` says so. A request
/// that is late for its moment goes at once; `each` gets the time of every answer.
pub(crate) fn paced(
    host: &str,
    workload: &Workload,
    rate: u64,
    stop: &AtomicBool,
    each: impl Fn(Duration) + Sync,
) -> Sent {
    let (next, all) = (AtomicU64::new(0), Mutex::new(Sent::default()));
    let start = Instant::now();
    // So many that the rate is kept while each waits for its commit.
    let connections = (rate / 500).clamp(4, 64);
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let emitters = Emitters::new();
                let mut connection = Connection::open(host).expect("the server listens");
                let mut mine = Sent::default();
                loop {
                    let first = next.fetch_add(1, Ordering::Relaxed) * SMALL;
                    if first >= workload.spans() || stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let records = workload.records(&emitters, first, first + SMALL);
                    let body = encode_traces(&records);
                    let due = start + Duration::from_secs_f64(first as f64 / rate as f64);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let (time, refused) = post(&mut connection, "/v1/traces", &body);
                    each(time);
                    mine.times.add(time);
                    mine.spans += records.len() as u64;
                    mine.refused += refused;
                }
                let mut all = all.lock().expect("no sender panicked");
                all.spans += mine.spans;
                all.refused += mine.refused;
                all.times.append(mine.times);
            });
        }
    });
    let all = all.into_inner().expect("no sender panicked");
    Sent {
        took: start.elapsed(),
        ..all
    }
}
