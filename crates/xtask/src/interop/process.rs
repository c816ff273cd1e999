//! The programs of a run, each ended when its owner goes.

use super::systems::{Places, System};
use crate::command::{Result, on_path, root, target_dir};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A process that ends with its owner.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        if self.0.kill().and_then(|()| self.0.wait()).is_err() {
            eprintln!("process {} could not be ended", self.0.id());
        }
    }
}

/// Starts a program whose standard output tells where it is.
fn start(command: &mut Command) -> Result<(Owned, impl Iterator<Item = String> + use<>)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let lines = BufReader::new(stdout).lines().map_while(std::result::Result::ok);
    Ok((Owned(child), lines))
}

/// The server with an empty store.
pub(super) struct Server {
    pub(super) api: String,
    pub(super) otlp_http: String,
    pub(super) otlp_grpc: String,
    _process: Owned,
    _store: TempDir,
}

impl Server {
    pub(super) fn start(binary: &Path, redis: Option<&str>) -> Result<Self> {
        let store = TempDir::new().map_err(|error| format!("no temporary store: {error}"))?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data-dir").arg(store.path());
        for listener in ["--listen", "--otlp-http", "--otlp-grpc"] {
            command.args([listener, "127.0.0.1:0"]);
        }
        if let Some(redis) = redis {
            command.args(["--mcp-mesh-redis", redis]);
        }
        let (process, mut lines) = start(&mut command)?;
        let mut address = |name: &str| {
            let line = lines.next().unwrap_or_default();
            let url = line.strip_prefix(name).map(|url| url.trim().to_owned());
            url.ok_or_else(|| format!("the server said {line:?} where its address of {name} was expected"))
        };
        Ok(Self {
            api: address("studio")?,
            otlp_http: address("otlp/http")?,
            otlp_grpc: address("otlp/grpc")?,
            _process: process,
            _store: store,
        })
    }
}

/// The OpenAI-compatible stub.
pub(super) struct Stub {
    pub(super) url: String,
    _process: Owned,
}

impl Stub {
    pub(super) fn start(python: &Path) -> Result<Self> {
        let (process, mut lines) = start(Command::new(python).arg(script("openai_stub")))?;
        let url = lines.next().ok_or("the OpenAI stub did not say where it is")?;
        Ok(Self {
            url,
            _process: process,
        })
    }
}

/// A Redis that keeps nothing.
pub(super) struct Redis {
    pub(super) url: String,
    _process: Owned,
}

impl Redis {
    pub(super) fn start() -> Result<Self> {
        let program = on_path("redis-server")
            .ok_or("there is no redis-server on PATH (Debian: apt-get install redis-server)")?;
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("no free port: {error}"))?
            .port()
            .to_string();
        let (process, mut lines) = start(Command::new(program).args([
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]))?;
        if !lines.any(|line| line.contains("Ready to accept connections")) {
            return Err("redis-server ended before it took connections".to_owned());
        }
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            url: format!("redis://127.0.0.1:{port}"),
            _process: process,
        })
    }
}

fn script(name: &str) -> PathBuf {
    root()
        .join("tests/interop")
        .join(format!("{}.py", name.replace('-', "_")))
}

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs a system's client; returns the ids of the sessions that it says it made.
///
/// It gets nothing of the user's environment but PATH and HOME: no key, proxy or endpoint set
/// there may decide what it does.
pub(super) fn client(system: &System, python: &Path, places: &Places) -> Result<Vec<String>> {
    let dir = target_dir().join("interop");
    let log = dir.join(format!("{}.log", system.name));
    let failed = |error: std::io::Error| format!("{}: {error}", log.display());
    fs::create_dir_all(&dir).map_err(failed)?;
    let mut command = Command::new(python);
    // Some leave files where they run.
    command.arg(script(system.name)).current_dir(&dir).env_clear();
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    // Scripts are named as the packages that they use: their directory must not come first.
    command.env("PYTHONSAFEPATH", "1");
    command
        .env("OPENAI_BASE_URL", &places.openai)
        .env("OPENAI_API_KEY", "none");
    command.envs((system.environment)(places));
    command.stderr(File::create(&log).map_err(failed)?);
    let (mut process, lines) = start(&mut command)?;
    let reader = std::thread::spawn(move || lines.last());
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match process.0.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                return Err(format!(
                    "the client took over {} s{}",
                    PATIENCE.as_secs(),
                    tail(&log)
                ));
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    if !status.success() {
        return Err(format!("the client failed: {status}{}", tail(&log)));
    }
    let last = reader.join().ok().flatten().unwrap_or_default();
    serde_json::from_str(&last).map_err(|error| {
        format!(
            "the client printed {last:?}, not its sessions: {error}{}",
            tail(&log)
        )
    })
}

/// The end of a client's log, for a message.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let last = lines.len().saturating_sub(15);
    let shown = lines.get(last..).unwrap_or_default().join("\n  ");
    format!("; the end of {}:\n  {shown}", log.display())
}
