//! `kill -9` at random moments under load: what was acknowledged must be there after the
//! restart, once; what was not may be there, but never twice.

mod audit;
mod client;

use crate::figures::Times;
use crate::generate::{Workload, mix};
use crate::server::{Server, weigh};
use client::{Client, Door, Kind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) kills: u64,
    pub(crate) seed: u64,
}

/// Spans that a client has to send: more than it ever comes to.
const SPANS: usize = 100_000_000;
/// Everything is read back and compared every so many kills, and at the end.
const FULL: u64 = 10;

/// When a kill comes.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// While clients send.
    Load,
    /// While the server starts, and reads its log.
    Start,
    /// While it ends gracefully, and writes its file.
    End,
}

impl Moment {
    fn of(dice: u64) -> Self {
        match dice % 6 {
            0 => Self::Start,
            1 => Self::End,
            _ => Self::Load,
        }
    }
}

/// The clients: every signal over both doors.
fn clients() -> Vec<Client> {
    let all = [
        (Kind::Spans, Door::Http),
        (Kind::Spans, Door::Http),
        (Kind::Spans, Door::Http),
        (Kind::Spans, Door::Grpc),
        (Kind::Logs, Door::Http),
        (Kind::Logs, Door::Grpc),
        (Kind::Points, Door::Http),
        (Kind::Points, Door::Grpc),
    ];
    let mut workload = Workload::apart(SPANS);
    all.into_iter()
        .enumerate()
        .map(|(n, (kind, door))| {
            workload = workload.followed_by(Workload::apart(SPANS));
            // So that no two clients report a point of the same moment.
            workload.base += n as i64 * 1_000_003;
            Client::new(kind, door, workload)
        })
        .collect()
}

pub(crate) fn run(options: Options) -> Result<(), String> {
    let Options { kills, seed } = options;
    println!("crash: {kills} kills, seed {seed}; spans, logs and metric points over OTLP/HTTP and gRPC");
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut clients = clients();
    let (mut ready, mut failures) = (Times::default(), Vec::new());
    println!(
        "  {:>4} {:<6} {:>8} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8}  verdict",
        "kill", "during", "after ms", "spans", "logs", "points", "unanswered", "of it", "ready ms"
    );
    for kill in 1..=kills {
        let dice = mix(seed ^ mix(kill));
        let moment = Moment::of(dice);
        let after = crash(dir.path(), &mut clients, moment, dice >> 8)?;
        let open: usize = clients.iter().map(|client| client.open.len()).sum();
        let mut server = Server::start(dir.path(), &[])?;
        ready.add(server.ready_after);
        let report = audit::audit(&server, &mut clients, kill % FULL == 0 || kill == kills, dice)?;
        let verdict = if report.wrong.is_empty() { "right" } else { "WRONG" };
        println!(
            "  {kill:>4} {:<6} {:>8.0} {:>9} {:>9} {:>9} {open:>10} {:>8} {:>8.0}  {verdict}{}",
            format!("{moment:?}").to_lowercase(),
            after.as_secs_f64() * 1e3,
            report.spans,
            report.logs,
            report.points,
            report.survived,
            server.ready_after.as_secs_f64() * 1e3,
            if report.full { ", all read back" } else { "" }
        );
        for wrong in report.wrong {
            println!("       {wrong}");
            failures.push(wrong);
        }
        if kill == kills && failures.is_empty() {
            failures = audit::blind_spots(&server, &mut clients, dice)?;
            failures.iter().for_each(|blind| println!("       {blind}"));
            if failures.is_empty() {
                println!(
                    "  shown a ledger with a request more and one with a request less, the audit saw both"
                );
            }
        }
        server.kill()?;
        // What comes after a loss is loss again.
        if !failures.is_empty() {
            break;
        }
    }
    let sent: usize = clients.iter().map(|client| client.acknowledged.len()).sum();
    println!(
        "  {sent} requests acknowledged, {} on disk; ready after a kill p50 {:.0} ms, max {:.0} ms",
        format_args!("{:.1} MiB", weigh(dir.path()) as f64 / 1_048_576.0),
        ready.percentile(50),
        ready.percentile(100)
    );
    if failures.is_empty() {
        println!("  {kills} of {kills} kills lost nothing and doubled nothing");
        Ok(())
    } else {
        let kept = dir.keep();
        Err(format!(
            "{} findings with seed {seed}; the store is kept at {}",
            failures.len(),
            kept.display()
        ))
    }
}

/// Starts the server, lets the clients send, and kills it; returns how long it had run.
fn crash(dir: &Path, clients: &mut [Client], moment: Moment, dice: u64) -> Result<Duration, String> {
    if let Moment::Start = moment {
        let after = Duration::from_micros(dice % 200_000);
        Server::kill_starting(dir, after)?;
        return Ok(after);
    }
    let mut server = Server::start(dir, &[])?;
    let (http, grpc) = (server.http.clone(), server.grpc.clone());
    let (begin, stop) = (Instant::now(), AtomicBool::new(false));
    let load = Duration::from_millis(100 + dice % 1_000);
    std::thread::scope(|scope| {
        for client in clients {
            let (http, grpc, stop) = (&http, &grpc, &stop);
            scope.spawn(move || client.send_until(http, grpc, stop));
        }
        std::thread::sleep(load);
        let told = match moment {
            Moment::End => server.terminate(),
            Moment::Load | Moment::Start => Ok(()),
        };
        if let Moment::End = moment {
            std::thread::sleep(Duration::from_micros((dice >> 20) % 60_000));
        }
        let after = begin.elapsed();
        let killed = told.and(server.kill());
        stop.store(true, Ordering::Relaxed);
        killed.map(|()| after)
    })
}
