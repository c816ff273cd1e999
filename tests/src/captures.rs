//! What real agents sent, sent again as they did.

use crate::{PATIENCE, Server, stop};
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures");

/// What an agent sent in one request.
pub struct Capture {
    /// Its file, without an ending.
    name: String,
    /// When it was sent, seconds since the epoch.
    pub at: f64,
    path: String,
}

/// What an agent system sent, in the order in which it was sent.
#[must_use]
pub fn captures(system: &str) -> Vec<Capture> {
    let files =
        std::fs::read_dir(format!("{CAPTURES}/{system}")).expect("the captures stand beside the checkout");
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().path().to_string_lossy().into_owned())
        .filter_map(|path| path.strip_suffix(".headers.json").map(str::to_owned))
        .collect();
    names.sort();
    let read = |name: String| {
        let headers = std::fs::read(format!("{name}.headers.json")).unwrap();
        let headers: Value = serde_json::from_slice(&headers).unwrap();
        let path = match headers["path"].as_str().unwrap() {
            grpc if grpc.ends_with("/Export") => "/v1/traces",
            path => path,
        };
        Capture {
            at: headers["time"].as_f64().unwrap(),
            path: path.to_owned(),
            name,
        }
    };
    names.into_iter().map(read).collect()
}

impl Capture {
    /// Posts it by the path by which it was sent. What went over gRPC goes over HTTP.
    pub async fn send(&self, server: &Server) {
        let read = |ending: &str| std::fs::read(format!("{}{ending}", self.name));
        match read(".raw.json") {
            Ok(json) => server.post(&self.path, "application/json", json).await,
            Err(_) => {
                let body = read(".pb").unwrap();
                server.post(&self.path, "application/x-protobuf", body).await;
            }
        }
    }
}

/// Posts every capture of an agent system, one after the other.
pub async fn replay(server: &Server, system: &str) {
    for capture in captures(system) {
        capture.send(server).await;
    }
}

/// What an agent of an MCP Mesh wrote.
pub struct Entry {
    /// When, seconds since the epoch.
    pub at: f64,
    fields: Vec<(String, String)>,
}

/// What the agents of an MCP Mesh wrote, in order.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let file = format!("{CAPTURES}/mcp-mesh/mesh_trace_v3.8.0_python.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let read = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let fields = entry["fields"].as_object().unwrap();
        Entry {
            at: fields["published_at"].as_str().unwrap().parse().unwrap(),
            fields: fields
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
        }
    };
    text.lines().map(read).collect()
}

/// A Redis of its own, as the agents of an MCP Mesh write their traces to.
pub struct Redis {
    server: Child,
    port: String,
    _dir: TempDir,
}

impl Redis {
    /// Starts it on a free port, and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
            .to_string();
        let dir = tempfile::tempdir().unwrap();
        let server = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server; `cargo xtask setup` brings it");
        let redis = Self {
            server,
            port,
            _dir: dir,
        };
        let start = Instant::now();
        while !redis.ask(&["ping"]).status.success() {
            assert!(start.elapsed() < PATIENCE, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        redis
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Adds what an agent wrote.
    pub fn add(&self, entry: &Entry) {
        let mut command = vec!["xadd", "mesh:trace", "*"];
        for (name, value) in &entry.fields {
            command.extend([name.as_str(), value.as_str()]);
        }
        let answer = self.ask(&command);
        assert!(answer.status.success(), "{answer:?}");
    }

    /// Adds all that the agents of the capture wrote.
    pub fn replay(&self) {
        entries().iter().for_each(|entry| self.add(entry));
    }

    fn ask(&self, command: &[&str]) -> Output {
        Command::new("redis-cli")
            .args(["-p", &self.port])
            .args(command)
            .output()
            .unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        stop(&mut self.server);
    }
}
