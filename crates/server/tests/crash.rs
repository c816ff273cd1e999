//! `kill -9` after an acknowledged batch loses nothing of it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::process::serve;
use common::{span, traces};
use serde_json::{Value, json};
use std::collections::BTreeSet;
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

/// Senders that are answered from the journal, as many waits as there may be.
#[tokio::test]
async fn what_was_answered_from_the_journal_is_there_once_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let client = reqwest::Client::new();
    let (mut acknowledged, mut left) = (BTreeSet::new(), 0);
    let journal = || std::fs::read_dir(dir.path().join("journal")).unwrap().count();
    for round in 0..4_u64 {
        let (mut child, api, otlp) = serve(dir.path(), &["--journal-at", "1"]);
        assert_eq!(
            journal(),
            0,
            "what an earlier process left is written before the server is ready"
        );
        let posts: Vec<_> = (0..40_u64)
            .map(|n| {
                let id = round * 100_000 + n * 1_000 + 1;
                let spans: Vec<Value> = (id..id + 20).map(|id| span(id, &json!({}))).collect();
                let post = client
                    .post(format!("{otlp}/v1/traces"))
                    .header("content-type", "application/json")
                    .header("x-meshscope-project", "kept")
                    .body(traces(&spans).to_string());
                tokio::spawn(async move {
                    let answer = post.send().await.map(|answer| answer.status().as_u16());
                    (id, answer.ok() == Some(200))
                })
            })
            .collect();
        let mut answered = 0;
        for post in posts {
            let (id, kept) = post.await.unwrap();
            if kept {
                acknowledged.insert(id);
                answered += 1;
            }
            if answered == 25 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(answered >= 25, "{answered}; the server at {api}");
        left += journal();
    }
    assert!(
        left > 0,
        "no kill came before the engine had all that was answered"
    );
    let (mut child, api, _) = serve(dir.path(), &[]);
    assert_eq!(journal(), 0);
    let trace = reqwest::get(format!("{api}/api/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736"));
    let trace: Value = trace.await.unwrap().json().await.unwrap();
    let spans = trace["spans"].as_array().unwrap();
    let ids: BTreeSet<u64> = spans
        .iter()
        .map(|span| u64::from_str_radix(span["span_id"].as_str().unwrap(), 16).unwrap())
        .collect();
    assert_eq!(ids.len(), spans.len(), "every span is there once");
    for id in acknowledged {
        assert!((id..id + 20).all(|id| ids.contains(&id)), "the request of {id}");
    }
    let projects = reqwest::get(format!("{api}/api/v1/projects")).await.unwrap();
    let projects: Value = projects.json().await.unwrap();
    assert_eq!(projects["projects"][0]["project"], "kept");
    child.kill().unwrap();
    child.wait().unwrap();
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
