//! Spans at a steady rate for a long time: memory and latency must not climb.

use crate::figures::{Times, slope};
use crate::generate::Workload;
use crate::server::{Server, weigh};
use crate::{load, rate};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// From one line to the next.
const EVERY: Duration = Duration::from_secs(30);
/// Spans a second when neither the caller nor `bench ingest` says.
const RATE: u64 = 20_000;

/// A line of the table.
struct Line {
    /// Minutes since the start.
    minutes: f64,
    /// Memory of the server, MiB.
    memory: f64,
    /// p95 of the answers since the line before, ms.
    latency: f64,
}

pub(crate) fn run(minutes: u64, asked: Option<u64>) -> Result<(), String> {
    let rate = asked
        .or_else(|| rate::measured().map(|top| top / 2))
        .unwrap_or(RATE);
    let length = Duration::from_secs(minutes * 60);
    let workload = Workload::busy((rate * minutes * 60) as usize);
    println!(
        "soak: {minutes} minutes at {rate} spans/s, {} spans in all",
        workload.spans()
    );
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let server = Server::start(dir.path(), &[])?;
    let (window, stop) = (Mutex::new(Times::default()), AtomicBool::new(false));
    println!(
        "  {:>7} {:>10} {:>9} {:>9} {:>8} {:>8} {:>8} {:>9}",
        "minutes", "spans/s", "memory", "peak", "p50 ms", "p95 ms", "p99 ms", "on disk"
    );
    let begin = Instant::now();
    let (sent, lines) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let each = |time| window.lock().expect("no sender panicked").add(time);
            let sent = load::paced(&server.http, &workload, rate, &stop, each);
            stop.store(true, Ordering::Relaxed);
            sent
        });
        let mut lines = Vec::new();
        let mut last = begin;
        while begin.elapsed() < length && !stop.load(Ordering::Relaxed) {
            let next = EVERY.min(length.saturating_sub(last.duration_since(begin)));
            wait(last + next, &stop);
            let times = std::mem::take(&mut *window.lock().expect("no sender panicked"));
            lines.push(line(&server, dir.path(), begin, last.elapsed(), &times));
            last = Instant::now();
        }
        stop.store(true, Ordering::Relaxed);
        (sender.join().expect("the sender does not panic"), lines)
    });
    let counted = server.counted("spans")?;
    server.stop()?;
    println!(
        "  {} spans acknowledged, {} refused; {:.0} spans/s of {rate} asked for",
        sent.spans,
        sent.refused,
        sent.spans as f64 / sent.took.as_secs_f64()
    );
    // The first half fills caches.
    let later = &lines[lines.len() / 2..];
    if later.len() > 2 {
        let over = |of: fn(&Line) -> f64| {
            let points: Vec<_> = later.iter().map(|line| (line.minutes, of(line))).collect();
            slope(&points)
        };
        println!(
            "  slope over the second half: memory {:+.2} MiB a minute, p95 {:+.2} ms a minute",
            over(|line| line.memory),
            over(|line| line.latency)
        );
    } else {
        println!("  too short for a slope: give it three minutes at least");
    }
    if counted != sent.spans {
        return Err(format!(
            "{} spans were acknowledged, {counted} are kept",
            sent.spans
        ));
    }
    Ok(())
}

/// Waits until a moment, or until the sender is done.
fn wait(until: Instant, stop: &AtomicBool) {
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
}

/// Prints a line.
fn line(server: &Server, dir: &std::path::Path, begin: Instant, since: Duration, times: &Times) -> Line {
    let (memory, minutes) = (server.memory(), begin.elapsed().as_secs_f64() / 60.0);
    let spans = (times.len() as u64 * load::SMALL) as f64 / since.as_secs_f64();
    let at = |percent| times.percentile(percent);
    println!(
        "  {minutes:>7.1} {spans:>10.0} {:>5} MiB {:>5} MiB {:>8.1} {:>8.1} {:>8.1} {:>5} MiB",
        memory.now / 1024,
        memory.peak / 1024,
        at(50),
        at(95),
        at(99),
        weigh(dir) / 1_048_576
    );
    Line {
        minutes,
        memory: memory.now as f64 / 1024.0,
        latency: at(95),
    }
}
