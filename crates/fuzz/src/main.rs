//! Mutated requests into every decoder, on stable Rust and in this process.
//!
//! Case `n` of seed `s` is a function of both, so that a number is enough to have it again. A
//! worker process runs the cases one after the other and writes down which one it is at; this
//! one watches over it, so that an abort, an exhausted stack or memory, and a hang are findings
//! as well as a panic is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;
mod case;
mod corpus;
mod dice;
mod json;
mod protobuf;
mod targets;
mod worker;

use case::Cases;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};
use targets::Target;

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// A worker that is at one case for so long hangs.
const HANG: Duration = Duration::from_secs(20);
/// Address space of a worker, KiB: what goes beyond ends it and not the machine.
const ADDRESS_SPACE: u64 = 4 << 20;
/// Stack that decoders have: what the threads of tokio give them in the server.
const STACK: usize = 2 << 20;
/// Workers that may be lost before it is enough.
const LOST: usize = 25;

const HELP: &str = "cargo xtask fuzz [--minutes N] [--seed N] [--replay FILE]

  --minutes N    how long, 10 by default
  --seed N       where the dice start; another one every time by default
  --replay FILE  only the input that a finding kept in target/fuzz/
";

/// What is asked for.
#[derive(Debug, Default)]
struct Options {
    minutes: Option<f64>,
    seed: Option<u64>,
    replay: Option<PathBuf>,
    /// Of a worker: the first case, and for how many seconds.
    worker: Option<(u64, f64)>,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| HELP.to_owned())?;
            let wrong = || format!("{name} {value:?} is no number\n{HELP}");
            match name.as_str() {
                "--minutes" => options.minutes = Some(value.parse().map_err(|_| wrong())?),
                "--seed" => options.seed = Some(value.parse().map_err(|_| wrong())?),
                "--replay" => options.replay = Some(value.into()),
                "--worker" => {
                    let (from, seconds) = value.split_once(',').ok_or_else(wrong)?;
                    let from = from.parse().map_err(|_| wrong())?;
                    options.worker = Some((from, seconds.parse().map_err(|_| wrong())?));
                }
                _ => return Err(HELP.to_owned()),
            }
        }
        Ok(options)
    }
}

/// `target/fuzz`, where findings are kept.
fn findings() -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    let dir = target.join("fuzz");
    fs::create_dir_all(&dir).map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
    Ok(dir)
}

/// Keeps an input that broke something.
fn keep(target: &Target, input: &[u8], seed: u64, n: u64, kind: &str) -> Result<PathBuf, String> {
    let file = findings()?.join(format!("{}.{kind}.{seed}-{n}", target.name));
    fs::write(&file, input).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(file)
}

fn replay(file: &Path) -> Result<(), String> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let target = targets::TARGETS
        .iter()
        .find(|target| name.split('.').next() == Some(target.name))
        .ok_or_else(|| format!("{name:?} does not begin with the name of a decoder"))?;
    let input = fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    println!("{}: {} bytes", target.name, input.len());
    worker::note_panics();
    match worker::run_one(target, &input) {
        Ok(outcome) => {
            println!("  {outcome}");
            Ok(())
        }
        Err(found) => Err(format!("{}: {}", found.kind, found.what)),
    }
}

/// Starts a worker at case `from`.
fn spawn(seed: u64, from: u64, left: Duration) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    Command::new("sh")
        .args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")])
        .arg(program)
        .args(["--seed", &seed.to_string()])
        .args(["--worker", &format!("{from},{}", left.as_secs_f64())])
        .spawn()
        .map_err(|error| format!("cannot start a worker: {error}"))
}

/// Watches a worker until it ends; returns why when it did not end well.
fn watch(child: &mut Child, seed: u64) -> Result<Option<&'static str>, String> {
    let (mut at, mut since) = (worker::case_reached(seed), Instant::now());
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok((!status.success()).then_some("abort"));
        }
        let now = worker::case_reached(seed);
        if now != at {
            (at, since) = (now, Instant::now());
        } else if since.elapsed() > HANG {
            let killed = child.kill().and_then(|()| child.wait());
            return killed.map(|_| Some("hang")).map_err(|error| error.to_string());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn fuzz(minutes: f64, seed: u64) -> Result<(), String> {
    let cases = Cases::new(seed);
    println!(
        "fuzz: {minutes} minutes, seed {seed}; {} decoders, {} seeds of which {} are real clients' bytes",
        targets::TARGETS.len(),
        cases.corpus.len(),
        cases.corpus.captures
    );
    let (length, begin) = (Duration::from_secs_f64(minutes * 60.0), Instant::now());
    let (mut from, mut lost) = (0, Vec::new());
    worker::forget(seed)?;
    while begin.elapsed() < length && lost.len() < LOST {
        let mut child = spawn(seed, from, length.saturating_sub(begin.elapsed()))?;
        let ended = watch(&mut child, seed)?;
        let at = worker::case_reached(seed);
        let Some(kind) = ended else {
            from = at;
            break;
        };
        let (target, input) = cases.case(at);
        let file = keep(target, &input, seed, at, kind)?;
        println!("  {kind} in {}, case {at}: {}", target.name, file.display());
        lost.push(file);
        from = at + 1;
    }
    let found = worker::found(seed) + lost.len();
    let took = begin.elapsed().as_secs_f64();
    println!(
        "  {from} cases in {:.1} minutes, {:.0} a second; {found} findings",
        took / 60.0,
        from as f64 / took
    );
    if found > 0 {
        return Err(format!("{found} findings are kept in {}", findings()?.display()));
    }
    Ok(())
}

fn main() -> ExitCode {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run);
    let result = thread.map_err(|error| error.to_string()).and_then(|thread| {
        let ended = thread.join();
        ended.unwrap_or_else(|_| Err("the fuzzer itself panicked".to_owned()))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fuzz: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    Options::read(std::env::args().skip(1)).and_then(|options| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = options
            .seed
            .unwrap_or_else(|| now.map_or(0, |now| now.as_millis() as u64 % 1_000_000_000));
        match (options.worker, options.replay) {
            (Some((from, seconds)), _) => {
                worker::work(&Cases::new(seed), from, Duration::from_secs_f64(seconds))
            }
            (None, Some(file)) => replay(&file),
            (None, None) => fuzz(options.minutes.unwrap_or(10.0), seed),
        }
    })
}
