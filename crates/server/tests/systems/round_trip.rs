//! What real clients sent, exported and imported elsewhere, tells the same.

use crate::common::{Server, args};
use crate::replay::{names, replay};
use meshscope_server::config::Config;
use serde_json::Value;
use std::process::Command;

/// Everything that a person can see of a store, without what belongs to the store itself.
async fn told(server: &Server) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    let mut pages = vec![
        "usage?from=0&by=model".to_owned(),
        "usage?from=0&by=session".to_owned(),
        "projects".to_owned(),
    ];
    for list in ["sessions", "traces", "logs", "metrics"] {
        let page = server.get(&format!("{list}?from=0&limit=5000")).await;
        for entry in page[list].as_array().unwrap() {
            match list {
                "sessions" => pages.push(format!("sessions/{}", entry["session_id"].as_str().unwrap())),
                "traces" => pages.push(format!("traces/{}", entry["trace_id"].as_str().unwrap())),
                "metrics" => pages.push(format!(
                    "metrics/{}?from=0&limit=1000",
                    entry["name"].as_str().unwrap()
                )),
                _ => {}
            }
        }
        told.push((list.to_owned(), page));
    }
    for page in pages {
        let answer = server.get(&page).await;
        told.push((page, answer));
    }
    told.iter_mut().for_each(|(_, page)| without_sequence(page));
    told
}

/// Without the numbers that a store gives to records as they arrive.
fn without_sequence(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("sequence");
            fields.values_mut().for_each(without_sequence);
        }
        Value::Array(items) => items.iter_mut().for_each(without_sequence),
        _ => {}
    }
}

fn run(args: &[&str]) -> Vec<u8> {
    let done = Command::new(env!("CARGO_BIN_EXE_meshscope"))
        .args(args)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    done.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_imported_elsewhere_tells_the_same() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        session_headers: Some(vec!["x-demo-session".to_owned()]),
        ..args
    })
    .await;
    for system in ["meshagent", "videosdk", "meshflow", "dexto", "reference"] {
        for name in names(system, &[""]) {
            replay(&server, &name).await;
        }
    }
    // A project and a session that only headers name.
    let body = crate::common::traces(&[crate::common::span(7, &serde_json::json!({}))]).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-meshscope-project", "headed"),
        ("x-meshscope-session", "called"),
    ];
    assert_eq!(
        server
            .post("/v1/traces", &headers, body.into_bytes())
            .await
            .status()
            .as_u16(),
        200
    );

    let counts = server.get("status").await["counts"].clone();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("all.jsonl");
    let file = file.to_str().unwrap();
    let api = server.api.clone();
    run(&["export", "--endpoint", &api, "-o", file]);

    // Into the same store nothing is new.
    let otlp = server.otlp.clone();
    let state = dir.path().join("state.json");
    run(&[
        "import",
        file,
        "--endpoint",
        &otlp,
        "--state",
        state.to_str().unwrap(),
    ]);
    assert_eq!(server.get("status").await["counts"], counts);

    // Into another directory, whose export is the same again.
    let other = tempfile::tempdir().unwrap();
    let place = other.path().to_str().unwrap();
    run(&["import", file, "--data-dir", place]);
    let again = run(&["export", "--data-dir", place]);
    assert_eq!(
        again.iter().filter(|byte| **byte == b'\n').count(),
        std::fs::read(file)
            .unwrap()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    );
    let running = meshscope_server::start(Config::resolve(args(&other)).unwrap())
        .await
        .unwrap();
    let copy = Server {
        api: format!("http://{}", running.api),
        otlp: format!("http://{}", running.otlp_http),
        running: Some(running),
        client: reqwest::Client::new(),
        dir: other,
    };
    assert_eq!(copy.get("status").await["counts"], counts);
    // A session may fall quiet between the two questions: then both say so the next time.
    let (mut expected, mut found) = (told(&server).await, told(&copy).await);
    for _ in 0..10 {
        if found != expected {
            (expected, found) = (told(&server).await, told(&copy).await);
        }
    }
    for ((page, expected), (_, found)) in expected.into_iter().zip(found) {
        assert_eq!(found, expected, "{page}");
    }
}
