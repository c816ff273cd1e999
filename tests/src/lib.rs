//! Browser tests of the whole: starts the real server and a real browser, and cleans up after.
//!
//! Where things are is told by `cargo xtask test` in `MESHSCOPE_BIN`, `MESHSCOPE_CHROMIUM`,
//! `MESHSCOPE_CHROMEDRIVER` and `MESHSCOPE_SCREENSHOTS`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod captures;

pub use captures::{Capture, Entry, Redis, captures, entries, replay};

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thirtyfour::prelude::*;

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn place(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from)
}

/// The real server on free ports with a temporary store.
pub struct Server {
    child: Child,
    /// Studio and API.
    pub studio: String,
    /// OTLP over HTTP.
    pub otlp_http: String,
    /// OTLP over gRPC.
    pub otlp_grpc: String,
    options: Vec<String>,
    dir: TempDir,
}

/// Starts the server; it says where it listens for the studio, OTLP over HTTP and over gRPC.
fn serve(dir: &TempDir, options: &[String], addresses: [&str; 3]) -> (Child, [String; 3]) {
    let [studio, http, grpc] = addresses;
    let mut child = Command::new(binary())
        .args(["serve", "--listen", studio])
        .args(["--otlp-http", http, "--otlp-grpc", grpc])
        .arg("--data-dir")
        .arg(dir.path())
        .args(options)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server's binary; `cargo xtask build` makes it");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = ["studio", "otlp/http", "otlp/grpc"].map(|name| {
        let line = lines.next().expect("the server says where it listens").unwrap();
        line.strip_prefix(name).unwrap().trim().to_owned()
    });
    (child, told)
}

/// The server's binary.
#[must_use]
pub fn binary() -> PathBuf {
    place(
        "MESHSCOPE_BIN",
        concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/meshscope"),
    )
}

impl Server {
    /// Starts it and waits until it says where it listens.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more options.
    #[must_use]
    pub fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let (child, [studio, otlp_http, otlp_grpc]) = serve(&dir, &options, ["127.0.0.1:0"; 3]);
        Self {
            child,
            studio,
            otlp_http,
            otlp_grpc,
            options,
            dir,
        }
    }

    /// Kills it, and starts it anew on the same ports and store after `between`.
    pub fn restart(&mut self, between: impl FnOnce()) {
        stop(&mut self.child);
        between();
        let addresses = [&self.studio, &self.otlp_http, &self.otlp_grpc];
        let addresses = addresses.map(|address| address.trim_start_matches("http://"));
        (self.child, _) = serve(&self.dir, &self.options, addresses);
    }

    /// Fills it with the demo's past, the same every time.
    pub fn demo(&self, arguments: &[&str]) {
        let demo = Command::new(binary())
            .args(["demo", "--endpoint", &self.otlp_http])
            .args(arguments)
            .output()
            .unwrap();
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
    }

    /// How it says that it stands: `GET /api/v1/status`.
    #[must_use]
    pub fn status(&self) -> serde_json::Value {
        let address = self.studio.trim_start_matches("http://");
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        let ask = format!("GET /api/v1/status HTTP/1.0\r\nhost: {address}\r\n\r\n");
        std::io::Write::write_all(&mut connection, ask.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut connection, &mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap()
    }

    /// What its API answers.
    pub async fn get(&self, path: &str) -> serde_json::Value {
        let answer = reqwest::get(format!("{}/api/v1/{path}", self.studio))
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// The number of its process.
    #[must_use]
    pub fn process(&self) -> String {
        self.child.id().to_string()
    }

    /// Posts a body as its client did.
    pub async fn post(&self, path: &str, media_type: &str, body: Vec<u8>) {
        let post = reqwest::Client::new()
            .post(format!("{}{path}", self.otlp_http))
            .header("content-type", media_type);
        let response = post.body(body).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn stop(child: &mut Child) {
    if child.kill().and_then(|()| child.wait()).is_err() {
        eprintln!("a process was gone already");
    }
}

/// A real browser of its own.
pub struct Browser {
    driver: Child,
    /// The browser.
    pub page: WebDriver,
    _profile: TempDir,
}

impl Browser {
    /// Starts chromedriver on a free port, and Chromium with an empty profile.
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let profile = tempfile::tempdir().unwrap();
        let driver = Command::new(place("MESHSCOPE_CHROMEDRIVER", "/usr/bin/chromedriver"))
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver; `cargo xtask setup` brings it");
        let mut capabilities = DesiredCapabilities::chrome();
        capabilities
            .set_binary(&place("MESHSCOPE_CHROMIUM", "/usr/bin/chromium").to_string_lossy())
            .unwrap();
        for flag in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1440,900",
        ] {
            capabilities.add_arg(flag).unwrap();
        }
        capabilities
            .add_arg(&format!("--user-data-dir={}", profile.path().display()))
            .unwrap();
        let start = Instant::now();
        let page = loop {
            match WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities.clone()).await {
                Ok(page) => break page,
                Err(error) if start.elapsed() > PATIENCE => panic!("no browser: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        Self {
            driver,
            page,
            _profile: profile,
        }
    }

    /// A browser of 1440 by 900 that runs `script` in every page before the page's own.
    pub async fn watching(script: &str) -> Self {
        let browser = Self::start().await;
        browser.size(1440, 900).await;
        let script = serde_json::json!({ "source": script });
        let cdp = browser.page.cdp();
        cdp.send_raw("Page.addScriptToEvaluateOnNewDocument", script)
            .await
            .unwrap();
        browser
    }

    /// Makes the page this wide and high, whatever the window's frame takes.
    pub async fn size(&self, width: u32, height: u32) {
        let metrics =
            serde_json::json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.page
            .cdp()
            .send_raw("Emulation.setDeviceMetricsOverride", metrics)
            .await
            .unwrap();
    }

    /// Runs a script that returns a value.
    pub async fn script(&self, script: &str) -> serde_json::Value {
        self.page
            .execute(script, Vec::new())
            .await
            .unwrap()
            .json()
            .clone()
    }

    /// Waits until a script returns something true.
    pub async fn until(&self, what: &str, script: &str) {
        let start = Instant::now();
        loop {
            let found = self.script(script).await;
            if !matches!(found, serde_json::Value::Null | serde_json::Value::Bool(false)) {
                return;
            }
            if start.elapsed() > PATIENCE {
                let text = self.script("return document.body.innerText").await;
                panic!(
                    "{what} did not come about; the page says:\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page shows a text.
    pub async fn sees(&self, text: &str) {
        let quoted = serde_json::to_string(text).unwrap();
        self.until(
            &format!("the text {text:?}"),
            &format!("return document.body.innerText.includes({quoted})"),
        )
        .await;
    }

    /// What the elements of a selector say.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let quoted = serde_json::to_string(selector).unwrap();
        let found = self
            .script(&format!(
                "return [...document.querySelectorAll({quoted})].map(e => e.innerText)"
            ))
            .await;
        let texts = found.as_array().cloned().unwrap_or_default();
        texts
            .iter()
            .map(|text| text.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Saves what is on the screen to look at.
    pub async fn screenshot(&self, name: &str) {
        let dir = place(
            "MESHSCOPE_SCREENSHOTS",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots"),
        );
        std::fs::create_dir_all(&dir).unwrap();
        self.page
            .screenshot(&dir.join(format!("{name}.png")))
            .await
            .unwrap();
    }

    /// Ends the browser.
    pub async fn stop(mut self) {
        if let Err(error) = self.page.clone().quit().await {
            eprintln!("the browser was gone already: {error}");
        }
        stop(&mut self.driver);
    }
}
