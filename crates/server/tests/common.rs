//! A server of its own for each test: real sockets, the real engine, a temporary store.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used
)]

use meshscope_server::config::{Config, ServeArgs};
use meshscope_server::{Running, start};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tempfile::TempDir;

pub const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");

pub struct Server {
    pub running: Option<Running>,
    pub client: Client,
    pub api: String,
    pub otlp: String,
    pub dir: TempDir,
}

pub fn args(dir: &TempDir) -> ServeArgs {
    let free = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    ServeArgs {
        data_dir: Some(dir.path().to_owned()),
        listen: free,
        otlp_http: free,
        otlp_grpc: free,
        ..ServeArgs::default()
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::with(|args| args).await
    }

    pub async fn with(change: impl FnOnce(ServeArgs) -> ServeArgs) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::resolve(change(args(&dir))).unwrap();
        let running = start(config).await.unwrap();
        let (api, otlp) = (
            format!("http://{}", running.api),
            format!("http://{}", running.otlp_http),
        );
        Self {
            running: Some(running),
            client: Client::new(),
            api,
            otlp,
            dir,
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        let response = self
            .client
            .get(format!("{}/api/v1/{path}", self.api))
            .send()
            .await
            .unwrap();
        let status = response.status();
        let body = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let mut request = self.client.post(format!("{}{path}", self.otlp)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub async fn json(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self
            .post(
                path,
                &[("content-type", "application/json")],
                body.to_string().into_bytes(),
            )
            .await;
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

/// One span, with more fields on top.
pub fn span(id: u64, more: &Value) -> Value {
    let mut span = json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": format!("{id:016x}"), "name": format!("work {id}"),
        "startTimeUnixNano": "1795220548168533800", "endTimeUnixNano": "1795220549168533800",
    });
    for (key, value) in more.as_object().unwrap() {
        span[key] = value.clone();
    }
    span
}

pub fn traces(spans: &[Value]) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "svc"}}]},
        "scopeSpans": [{"scope": {"name": "s"}, "spans": spans}],
    }]})
}

/// A capture with the signal and media type that its name says.
pub fn capture(name: &str) -> (String, &'static str, Vec<u8>) {
    let signal = ["traces", "logs", "metrics"]
        .into_iter()
        .find(|signal| name.contains(&format!("-{signal}")))
        .unwrap();
    let media = if name.ends_with(".pb") {
        "application/x-protobuf"
    } else {
        "application/json"
    };
    (
        format!("/v1/{signal}"),
        media,
        std::fs::read(format!("{CAPTURES}/{name}")).unwrap(),
    )
}

/// The real binary as a process of its own.
pub mod process {
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    /// Starts it on free ports; returns it with its API and OTLP addresses.
    pub fn serve(dir: &Path, options: &[&str]) -> (Child, String, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_meshscope"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"])
            .args(options)
            .arg("--data-dir")
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = |name: &str| {
            let line = lines.next().expect("the server says where it listens").unwrap();
            line.strip_prefix(name).unwrap().trim().to_owned()
        };
        let (api, otlp) = (next("studio"), next("otlp/http"));
        next("otlp/grpc");
        (child, api, otlp)
    }
}
