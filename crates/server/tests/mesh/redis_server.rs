//! A real `redis-server` of its own for a test: a free port, a temporary directory.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    dir: TempDir,
}

impl RedisServer {
    /// One that runs.
    pub fn start() -> Self {
        let mut server = Self::stopped();
        server.launch();
        server
    }

    /// One that is not there yet; its port is known.
    pub fn stopped() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        Self {
            child: None,
            port,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Starts it, empty, and waits until it answers.
    pub fn launch(&mut self) {
        let port = self.port.to_string();
        let program = std::env::var_os("MESHSCOPE_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let options = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let child = Command::new(program)
            .args(options)
            .arg("--dir")
            .arg(self.dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: `cargo xtask setup`, or apt-get install redis-server");
        self.child = Some(child);
        let start = Instant::now();
        while self
            .try_run(&["PING"])
            .is_none_or(|answer| answer.trim() != "PONG")
        {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "redis-server does not answer"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it; nothing of its data stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command and gives what `redis-cli` prints.
    pub fn run(&self, command: &[&str]) -> String {
        self.try_run(command).expect("redis-cli ran")
    }

    fn try_run(&self, command: &[&str]) -> Option<String> {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(command)
            .output()
            .ok()?;
        let printed = String::from_utf8(output.stdout).ok()?;
        output.status.success().then_some(printed)
    }

    /// Adds entries to a stream as MCP Mesh's agents do, all in one go.
    pub fn add(&self, stream: &str, entries: &[Vec<(String, String)>]) {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut commands = Vec::new();
        for entry in entries {
            let mut words = vec!["XADD", stream, "MAXLEN", "~", "100000", "*"];
            words.extend(
                entry
                    .iter()
                    .flat_map(|(name, value)| [name.as_str(), value.as_str()]),
            );
            write!(commands, "*{}\r\n", words.len()).unwrap();
            for word in words {
                write!(commands, "${}\r\n{word}\r\n", word.len()).unwrap();
            }
        }
        connection.write_all(&commands).unwrap();
        // An id is answered in two lines: its length, and itself.
        let answers = BufReader::new(connection).lines().take(entries.len() * 2);
        for line in answers {
            let line = line.unwrap();
            assert!(!line.starts_with('-'), "{line}");
        }
    }

    /// Ids of a stream's entries.
    pub fn ids(&self, stream: &str) -> Vec<String> {
        let printed = self.run(&["XRANGE", stream, "-", "+"]);
        let is_id = |line: &&str| {
            line.split_once('-').is_some_and(|(ms, n)| {
                ms.len() == 13 && ms.parse::<u64>().is_ok() && n.parse::<u64>().is_ok()
            })
        };
        printed.lines().filter(is_id).map(str::to_owned).collect()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
