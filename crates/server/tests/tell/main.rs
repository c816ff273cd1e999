//! The commands that tell of what a server keeps, as their users meet them: the real binary, a real
//! server, captures of real clients.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[path = "../common.rs"]
mod common;
mod follow;
mod log;
#[path = "../mesh/mod.rs"]
mod mesh;
mod pages;
#[path = "../systems/replay.rs"]
mod replay;

use common::Server;
use std::process::{Command, Stdio};

/// What a command did.
#[derive(Debug)]
pub struct Told {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A command of the binary, without anything of the caller's environment.
pub fn command(endpoint: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshscope"));
    command
        .env_clear()
        .env("MESHSCOPE_ENDPOINT", endpoint)
        .env("TZ", "UTC")
        .args(args)
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end while the server goes on.
pub async fn run(mut command: Command) -> Told {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    Told {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Asks the server; `args` are separated by blanks.
pub async fn tell(server: &Server, args: &str) -> Told {
    let args: Vec<&str> = args.split(' ').collect();
    run(command(&server.api, &args)).await
}

/// The same, when something is found.
pub async fn found(server: &Server, args: &str) -> String {
    let told = tell(server, args).await;
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{args}: {}", told.out);
    told.out
}

/// Compares with what is pinned; `MESHSCOPE_BLESS=1` pins it anew.
pub fn pinned(name: &str, text: &str) {
    let path = format!("{}/tests/tell/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("MESHSCOPE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = wanted
        .lines()
        .zip(text.lines())
        .position(|(wanted, is)| wanted != is);
    assert!(
        wanted == text,
        "{path} differs from line {differs:?} on (MESHSCOPE_BLESS=1 pins what is):\n{text}"
    );
}
