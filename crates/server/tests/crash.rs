//! `kill -9` after an acknowledged batch loses nothing of it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::process::serve;
use common::{span, traces};
use serde_json::{Value, json};
use std::process::Command;

#[tokio::test]
async fn what_was_acknowledged_is_there_once_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let client = reqwest::Client::new();
    let mut acknowledged = 0;
    for round in 0..5_u64 {
        let (mut child, api, otlp) = serve(dir.path(), &[]);
        let status: Value = client
            .get(format!("{api}/api/v1/status"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(
            status["counts"]["spans"],
            acknowledged.to_string(),
            "after {round} kills"
        );
        let batch = |n: u64| {
            traces(
                &(1..=50)
                    .map(|k| span(n * 100 + k, &json!({})))
                    .collect::<Vec<_>>(),
            )
            .to_string()
        };
        // The batch before again, as a client does that did not hear the answer: it counts once.
        for n in [round.saturating_sub(1), round] {
            let post = client
                .post(format!("{otlp}/v1/traces"))
                .header("content-type", "application/json")
                .body(batch(n));
            assert_eq!(post.send().await.unwrap().status().as_u16(), 200);
        }
        acknowledged = (round + 1) * 50;
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_taken_port_and_a_locked_store_are_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, ..) = serve(dir.path(), &[]);
    let second = Command::new(env!("CARGO_BIN_EXE_meshscope"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--otlp-http",
            "127.0.0.1:0",
            "--otlp-grpc",
            "127.0.0.1:0",
        ])
        .arg("--data-dir")
        .arg(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains("open in another process"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
}
