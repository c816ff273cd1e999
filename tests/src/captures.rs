//! What real agents sent, sent again as they did.

use crate::{PATIENCE, Server, stop};
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures");

/// Posts every capture of an agent system by the path and in the order in which it was sent. What
/// went over gRPC goes over HTTP.
pub async fn replay(server: &Server, system: &str) {
    let files =
        std::fs::read_dir(format!("{CAPTURES}/{system}")).expect("the captures stand beside the checkout");
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().path().to_string_lossy().into_owned())
        .filter_map(|path| path.strip_suffix(".headers.json").map(str::to_owned))
        .collect();
    names.sort();
    for name in names {
        let headers: Value =
            serde_json::from_slice(&std::fs::read(format!("{name}.headers.json")).unwrap()).unwrap();
        let path = match headers["path"].as_str().unwrap() {
            grpc if grpc.ends_with("/Export") => "/v1/traces",
            path => path,
        };
        match std::fs::read(format!("{name}.raw.json")) {
            Ok(json) => server.post(path, "application/json", json).await,
            Err(_) => {
                let body = std::fs::read(format!("{name}.pb")).unwrap();
                server.post(path, "application/x-protobuf", body).await;
            }
        }
    }
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

    /// Adds what the agents of the capture wrote.
    pub fn replay(&self) {
        let file = format!("{CAPTURES}/mcp-mesh/mesh_trace_v3.8.0_python.jsonl");
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            let mut command = vec!["xadd", "mesh:trace", "*"];
            for (name, value) in entry["fields"].as_object().unwrap() {
                command.extend([name.as_str(), value.as_str().unwrap()]);
            }
            let answer = self.ask(&command);
            assert!(answer.status.success(), "{answer:?}");
        }
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
