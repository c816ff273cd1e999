//! The real server as a process, on a data directory that the caller chooses.

use crate::http::Connection;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc/PID/stat`: the same on every Linux.
const TICKS: f64 = 100.0;

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// `host:port` of the API.
    pub(crate) api: String,
    /// `host:port` of OTLP over HTTP.
    pub(crate) http: String,
    /// URL of OTLP over gRPC.
    pub(crate) grpc: String,
    /// From the start of the process until it answered that it is ready.
    pub(crate) ready_after: Duration,
}

/// Memory of a process, KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Held now.
    pub(crate) now: u64,
    /// The most it held.
    pub(crate) peak: u64,
}

/// Starts the process.
fn spawn(dir: &Path, options: &[&str]) -> Result<Child, String> {
    let binary = meshscope_tests::binary();
    Command::new(&binary)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(["--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"])
        .args(options)
        .arg("--data-dir")
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!(
                "cannot start {}: {error}; `cargo xtask build` makes it",
                binary.display()
            )
        })
}

/// Ends a process with a signal, without waiting for it.
fn signal(child: &Child, name: &str) -> Result<(), String> {
    let told = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    match told {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("kill {name} ended with {status}")),
        Err(error) => Err(format!("cannot run kill: {error}")),
    }
}

impl Server {
    /// Starts it on `dir` and waits until it is ready.
    pub(crate) fn start(dir: &Path, options: &[&str]) -> Result<Self, String> {
        let begin = Instant::now();
        let mut child = spawn(dir, options)?;
        let mut lines = child
            .stdout
            .take()
            .map(BufReader::new)
            .into_iter()
            .flat_map(BufRead::lines);
        let mut next = |name: &str| {
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            let url = line.strip_prefix(name).map(|url| url.trim().to_owned());
            url.ok_or_else(|| format!("the server does not say where {name} is: {line:?}"))
        };
        let (studio, http, grpc) = (next("studio")?, next("otlp/http")?, next("otlp/grpc")?);
        let host = |url: String| url.trim_start_matches("http://").to_owned();
        let api = host(studio);
        let ready = Connection::open(&api).and_then(|mut connection| connection.get("/readyz", "*/*"));
        let status = ready.map_err(|error| error.to_string())?.status;
        if status != 200 {
            return Err(format!("/readyz answers {status}"));
        }
        Ok(Self {
            child,
            api,
            http: host(http),
            grpc,
            ready_after: begin.elapsed(),
        })
    }

    /// Asks the API; a problem is an error.
    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        let answer = Connection::open(&self.api)
            .and_then(|mut connection| connection.get(&format!("/api/v1/{path}"), "application/json"))
            .map_err(|error| format!("{path}: {error}"))?;
        if answer.status != 200 {
            return Err(format!("{path}: {} {}", answer.status, answer.text()));
        }
        serde_json::from_slice(&answer.body).map_err(|error| format!("{path}: {error}"))
    }

    /// A count of `/status`.
    pub(crate) fn counted(&self, of: &str) -> Result<u64, String> {
        let status = self.get("status")?;
        let count = status["counts"][of].as_str().and_then(|count| count.parse().ok());
        count.ok_or_else(|| format!("/status has no count of {of}"))
    }

    /// What its process holds.
    pub(crate) fn memory(&self) -> Memory {
        memory(&self.child.id().to_string())
    }

    /// CPU seconds that its process took.
    pub(crate) fn cpu(&self) -> f64 {
        cpu(&self.child.id().to_string())
    }

    /// Waits until it has done what it does after a start, at most half a minute.
    pub(crate) fn wait_idle(&self) {
        let begun = Instant::now();
        let mut before = self.cpu();
        while begun.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.cpu();
            if now - before < 0.05 {
                return;
            }
            before = now;
        }
    }

    /// Starts it on `dir` and ends it as a crash does `after` so long, ready or not.
    pub(crate) fn kill_starting(dir: &Path, after: Duration) -> Result<(), String> {
        let mut child = spawn(dir, &[])?;
        std::thread::sleep(after);
        let killed = child.kill().and_then(|()| child.wait());
        killed.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Tells it to end gracefully.
    pub(crate) fn terminate(&self) -> Result<(), String> {
        signal(&self.child, "-TERM")
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map(|_| ())
            .map_err(|error| format!("cannot kill the server: {error}"))
    }

    /// Ends it gracefully.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        self.terminate()?;
        let ended = self.child.wait().map_err(|error| error.to_string())?;
        if ended.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {ended}"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `kill` and `stop` it is gone already.
        if matches!(self.child.try_wait(), Ok(None))
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait())
        {
            eprintln!("the server could not be ended: {error}");
        }
    }
}

/// What a process holds; `self` is this one.
pub(crate) fn memory(pid: &str) -> Memory {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    Memory {
        now: kib("VmRSS:"),
        peak: kib("VmHWM:"),
    }
}

/// CPU seconds, of user and system, that a process took; `self` is this one.
pub(crate) fn cpu(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = rest.split(' ').skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// Bytes of the files in a directory.
pub(crate) fn weigh(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}
