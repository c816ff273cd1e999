//! How long the API's answers take, and whether they are right to the last digit: on a store
//! that was filled once, first with nothing else to do, then while spans come in.

mod check;
mod page;
mod questions;
mod usage;
mod world;

use crate::figures::Times;
use crate::generate::Workload;
use crate::http::Connection;
use crate::ledger::Bookkeeper;
use crate::server::Server;
use crate::{fill, load, rate};
use questions::{QUESTIONS, Question};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use world::World;

/// How often a question is asked when the caller does not say.
pub(crate) const TIMES: usize = 20;
/// A question that takes longer in all is asked less often, but three times at least.
const ENOUGH: Duration = Duration::from_secs(30);
/// Spans a second in the second round when `bench ingest` measured none: a tenth of the budget.
const BACKGROUND: u64 = 10_000;

/// How the answers to one question were.
#[derive(Debug, Default)]
struct Answers {
    times: Times,
    wrong: usize,
    /// What was wrong the first time.
    first: Option<String>,
}

/// The API, with the time of the last answer.
pub(crate) struct Api {
    connection: Connection,
    pub(crate) took: Duration,
}

impl Api {
    /// The body of an answer; a problem is an error.
    fn get(&mut self, path: &str, accept: &str) -> Result<Vec<u8>, String> {
        let begin = Instant::now();
        let answer = self.connection.get(&format!("/api/v1/{path}"), accept);
        self.took = begin.elapsed();
        let answer = answer.map_err(|error| format!("{path}: {error}"))?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(format!("{path}: {} {}", answer.status, answer.text()))
        }
    }

    /// An answer in JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Result<T, String> {
        let body = self.get(path, "application/json")?;
        serde_json::from_slice(&body).map_err(|error| format!("{path}: {error}"))
    }
}

/// Lists and charts of all pages.
pub(crate) fn run(spans: usize, times: usize) -> Result<(), String> {
    ask_all(spans, times, QUESTIONS, |_, _| Ok(()))
}

/// The usage page: what it asks, and the page itself.
pub(crate) fn run_usage(spans: usize, times: usize) -> Result<(), String> {
    let runtime = crate::runtime()?;
    ask_all(spans, times, usage::QUESTIONS, |server, world| {
        runtime.block_on(page::open(server, world))
    })
}

/// Asks `questions` and, while nothing else is to do, does `more`.
fn ask_all(
    spans: usize,
    times: usize,
    questions: &[Question],
    more: impl FnOnce(&Server, &World) -> Result<(), String>,
) -> Result<(), String> {
    let workload = Workload::over_days(spans, 30);
    println!(
        "query: {} spans in {} traces of {} sessions over 30 days, {} log records; each question {times} times",
        workload.spans(),
        workload.traces(),
        workload.sessions,
        workload.logs()
    );
    let filled = fill::cached(&workload)?;
    // What comes in while questions are asked is not kept for the next time.
    let dir = tempfile::tempdir_in(rate::dir()?).map_err(|error| error.to_string())?;
    copy(&filled, dir.path())?;
    let world = World::new(Bookkeeper::new(workload));
    let server = Server::start(dir.path(), &[])?;
    println!("  ready after {:.0} ms", server.ready_after.as_secs_f64() * 1e3);
    server.wait_idle();
    let idle = round(&server, &world, questions, times, 1);
    let memory = server.memory();
    more(&server, &world)?;

    let background = rate::measured().map_or(BACKGROUND, |top| top / 10);
    let (busy, sent) = under_load(&server, &world, questions, times, background);
    println!("\n  {:<42} {:^26}   {:^26}", "", "idle", "while spans come in");
    println!(
        "  {:<42} {:>8} {:>8} {:>8}   {:>8} {:>8} {:>8}  ms, asked",
        "", "p50", "p95", "max", "p50", "p95", "max"
    );
    let (mut wrong, mut asked) = (0, 0);
    for (question, (idle, busy)) in questions.iter().zip(idle.iter().zip(&busy)) {
        let at = |times: &Times| [50, 95, 100].map(|percent| times.percentile(percent));
        let ([a, b, c], [d, e, f]) = (at(&idle.times), at(&busy.times));
        let count = idle.times.len() + busy.times.len();
        println!(
            "  {:<42} {a:>8.1} {b:>8.1} {c:>8.1}   {d:>8.1} {e:>8.1} {f:>8.1}  {count:>4}",
            question.name
        );
        asked += count;
        for answers in [idle, busy] {
            wrong += answers.wrong;
            if let Some(first) = &answers.first {
                println!("    wrong {} times, first: {first}", answers.wrong);
            }
        }
    }
    println!(
        "  meanwhile {} spans came in at {background} a second ({:.0} durable), an answer p50 {:.1} ms, p95 {:.1} ms, {} refused",
        sent.spans,
        sent.spans as f64 / sent.took.as_secs_f64(),
        sent.times.percentile(50),
        sent.times.percentile(95),
        sent.refused
    );
    let after = server.memory();
    println!(
        "  server memory {} MiB after the first round, {} MiB at the end, peak {} MiB",
        memory.now / 1024,
        after.now / 1024,
        after.peak / 1024
    );
    server.stop()?;
    println!("  {asked} answers, {} right to the last digit", asked - wrong);
    if wrong > 0 {
        return Err(format!("{wrong} of {asked} answers do not agree with the ledger"));
    }
    Ok(())
}

/// Asks every question while another workload comes in.
fn under_load(
    server: &Server,
    world: &World,
    questions: &[Question],
    times: usize,
    rate: u64,
) -> (Vec<Answers>, load::Sent) {
    let more = world.book.workload.followed_by(Workload::busy(100_000_000));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| load::paced(&server.http, &more, rate, &stop, |_| ()));
        let answers = round(server, world, questions, times, 2);
        stop.store(true, Ordering::Relaxed);
        (answers, sender.join().expect("the sender does not panic"))
    })
}

/// Asks every question.
fn round(server: &Server, world: &World, questions: &[Question], times: usize, seed: u64) -> Vec<Answers> {
    let ask = |question: &Question| {
        let mut answers = Answers::default();
        let begin = Instant::now();
        for n in 0..times {
            let connection = Connection::open(&server.api).expect("the server listens");
            let mut api = Api {
                connection,
                took: Duration::ZERO,
            };
            let mut dice = world::Dice::new(seed << 32 | n as u64);
            let result = (question.ask)(world, &mut api, &mut dice);
            answers.times.add(api.took);
            if let Err(error) = result {
                answers.wrong += 1;
                answers.first.get_or_insert(error);
            }
            if n >= 2 && begin.elapsed() > ENOUGH {
                break;
            }
        }
        answers
    };
    questions.iter().map(ask).collect()
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot copy {}: {error}", from.display());
    for file in std::fs::read_dir(from).map_err(failed)? {
        let file = file.map_err(failed)?;
        std::fs::copy(file.path(), to.join(file.file_name())).map_err(failed)?;
    }
    Ok(())
}
