//! Runs cases one after the other, and says which one it is at.

use super::case::Cases;
use super::targets::{TARGETS, Target};
use super::{MEMORY, findings, keep};
use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Decoding anything of less than [`SMALL`] bytes may take so long.
const SLOW: Duration = Duration::from_secs(1);
const SMALL: usize = 1_000_000;
/// A decoder may hold so many bytes for each of its input, besides [`SPARE`].
const BLOW_UP: usize = 150;
const SPARE: usize = 8 << 20;
/// Findings at one place that are kept; more of the same teach nothing.
const ALIKE: usize = 3;

/// Where the worker of a seed writes the case it is at, and how many findings there were.
fn state(seed: u64) -> Result<PathBuf, String> {
    Ok(findings()?.join(format!("state.{seed}")))
}

/// Makes the state empty.
pub(crate) fn forget(seed: u64) -> Result<(), String> {
    std::fs::write(state(seed)?, [0; 16]).map_err(|error| format!("cannot write the state: {error}"))
}

fn read(seed: u64, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    let read = state(seed).and_then(|path| {
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.read_exact_at(&mut bytes, offset)
            .map_err(|error| error.to_string())
    });
    read.map_or(0, |()| u64::from_le_bytes(bytes))
}

/// The case that the worker is at, or was at when it was lost.
pub(crate) fn case_reached(seed: u64) -> u64 {
    read(seed, 0)
}

/// Findings of all workers.
pub(crate) fn found(seed: u64) -> usize {
    read(seed, 8) as usize
}

/// What a decoder did wrong.
pub(crate) struct Finding {
    pub(crate) kind: &'static str,
    pub(crate) what: String,
}

/// How a decoder did.
pub(crate) struct Outcome {
    pub(crate) records: usize,
    took: Duration,
    held: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, kib) = (self.took.as_secs_f64() * 1e3, self.held / 1024);
        write!(
            f,
            "{} records in {ms:.2} ms, {kib} KiB held at the most",
            self.records
        )
    }
}

/// Where the last panic was.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Has panics noted instead of printed.
pub(crate) fn note_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let text = panic.payload_as_str().unwrap_or_default();
        if let Ok(mut last) = PANIC.lock() {
            *last = format!("{place}: {text}");
        }
    }));
}

/// Runs a decoder on an input.
pub(crate) fn run_one(target: &Target, input: &[u8]) -> Result<Outcome, Finding> {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let begin = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let took = begin.elapsed();
    let held = MEMORY.peak_usage().saturating_sub(before);
    let finding = |kind, what| Err(Finding { kind, what });
    let Ok(records) = result else {
        let place = PANIC.lock().map(|last| last.clone()).unwrap_or_default();
        return finding("panic", place);
    };
    if took > SLOW && input.len() < SMALL {
        return finding(
            "slow",
            format!("{:.1} s for {} bytes", took.as_secs_f64(), input.len()),
        );
    }
    if held > input.len() * BLOW_UP + SPARE {
        return finding("memory", format!("{} KiB for {} bytes", held / 1024, input.len()));
    }
    Ok(Outcome { records, took, held })
}

/// Runs cases from `from` on for so long.
pub(crate) fn work(cases: &Cases, from: u64, length: Duration) -> Result<(), String> {
    note_panics();
    let state = OpenOptions::new().write(true).open(state(cases.seed)?);
    let state = state.map_err(|error| format!("cannot open the state: {error}"))?;
    let begin = Instant::now();
    let mut taken: HashMap<&str, (u64, u64)> = HashMap::new();
    let (mut places, mut findings): (HashMap<String, usize>, u64) = (HashMap::new(), read(cases.seed, 8));
    let note = |offset: u64, n: u64| {
        let written = state.write_all_at(&n.to_le_bytes(), offset);
        written.map_err(|error| format!("cannot write the state: {error}"))
    };
    let mut n = from;
    while begin.elapsed() < length {
        note(0, n)?;
        let (target, input) = cases.case(n);
        let (all, decoded) = taken.entry(target.name).or_default();
        *all += 1;
        match run_one(target, &input) {
            Ok(outcome) => *decoded += u64::from(outcome.records > 0),
            Err(found) => {
                let alike = places
                    .entry(format!("{} {} {}", target.name, found.kind, place(&found)))
                    .or_default();
                *alike += 1;
                if *alike <= ALIKE {
                    let file = keep(target, &input, cases.seed, n, found.kind)?;
                    println!(
                        "  {} in {}: {}; {}",
                        found.kind,
                        target.name,
                        found.what,
                        file.display()
                    );
                    findings += 1;
                    note(8, findings)?;
                }
            }
        }
        n += 1;
    }
    note(0, n)?;
    for target in TARGETS {
        let (all, decoded) = taken.get(target.name).copied().unwrap_or_default();
        println!("  {:<20} {all:>9} cases, {decoded:>9} with records", target.name);
    }
    Ok(())
}

/// What makes two findings alike: the place of a panic.
fn place(found: &Finding) -> &str {
    match found.kind {
        "panic" => found.what.split(": ").next().unwrap_or_default(),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Seeds;
    use super::super::targets::Form;
    use super::*;

    fn broken(run: fn(&[u8]) -> usize) -> String {
        let target = Target {
            name: "broken",
            form: Form::Bytes,
            seeds: Seeds::Query,
            run,
        };
        match run_one(&target, b"input") {
            Ok(outcome) => outcome.to_string(),
            Err(found) => format!("{}: {}", found.kind, found.what),
        }
    }

    #[test]
    fn what_breaks_is_found() {
        note_panics();
        let panicked = broken(|input| usize::from(input[99]));
        assert!(
            panicked.starts_with("panic: ") && panicked.contains("out of bounds"),
            "{panicked}"
        );
        let large = broken(|_| std::hint::black_box(vec![0_u8; 64 << 20]).len());
        assert!(large.starts_with("memory: "), "{large}");
        // Other tests want their panics printed.
        drop(std::panic::take_hook());
    }
}
