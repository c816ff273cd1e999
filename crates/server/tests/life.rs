//! The life of a store, with the real binary: imports that are cut off, retention, a full disk, files that
//! cannot be opened, copies.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::process::serve;
use common::{span, traces};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_meshscope");

fn run(args: &[&str]) -> Output {
    Command::new(BINARY).args(args).output().unwrap()
}

/// Runs a command that must succeed; gives what it wrote to standard output and error.
fn succeed(args: &[&str]) -> (String, String) {
    let done = run(args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(done.stdout), text(done.stderr));
    assert!(done.status.success(), "{args:?}: {err}");
    (out, err)
}

/// Ends a server as an administrator does.
fn stop(mut child: Child) {
    let asked = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(asked.success());
    assert!(child.wait().unwrap().success());
}

async fn get(api: &str, path: &str) -> Value {
    reqwest::get(format!("{api}/api/v1/{path}"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

/// Asks until the answer is as it should be.
async fn wait_for(api: &str, path: &str, ready: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let answer = get(api, path).await;
        if ready(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} did not become what it should: {}", get(api, path).await);
}

async fn post(otlp: &str, body: &Value) -> reqwest::Response {
    let post = reqwest::Client::new().post(format!("{otlp}/v1/traces"));
    post.header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

fn spans_in(dir: &Path) -> usize {
    let (lines, _) = succeed(&[
        "export",
        "--data-dir",
        dir.to_str().unwrap(),
        "--signal",
        "traces",
    ]);
    let spans = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    spans
        .map(|line| {
            let groups = line["resourceSpans"].as_array().unwrap();
            let scopes = groups
                .iter()
                .flat_map(|group| group["scopeSpans"].as_array().unwrap());
            scopes
                .map(|scope| scope["spans"].as_array().unwrap().len())
                .sum::<usize>()
        })
        .sum()
}

/// `lines` requests of ten spans each, as the Collector's file exporter writes them.
fn lines(lines: u64) -> String {
    let line = |n: u64| {
        let spans: Vec<_> = (1..=10)
            .map(|k| {
                span(
                    n * 10 + k,
                    &json!({"attributes": [{"key": "n", "value": {"intValue": n.to_string()}}]}),
                )
            })
            .collect();
        traces(&spans).to_string() + "\n"
    };
    (0..lines).map(line).collect()
}

#[test]
fn an_import_that_was_killed_goes_on_where_it_was_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("spans.jsonl.zst"), dir.path().join("data"));
    let bytes = zstd::stream::encode_all(lines(6_000).as_bytes(), 1).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let (file, place) = (file.to_str().unwrap(), data.to_str().unwrap());
    let note = data.join("import.json");
    let mut child = Command::new(BINARY)
        .args(["import", file, "--data-dir", place])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !note.exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let noted: Value = serde_json::from_slice(&std::fs::read(&note).unwrap()).unwrap();
    let progress = &noted.as_object().unwrap().values().next().unwrap();
    assert!(progress["bodies"].as_u64().unwrap() >= 1_000, "{noted}");
    assert_eq!(progress["done"], false, "{noted}");
    let there = spans_in(&data);
    assert!((10_000..60_000).contains(&there), "{there}");

    let (_, said) = succeed(&["import", file, "--data-dir", place]);
    // What was noted is not read into the store a second time.
    let records: usize = said
        .split(", ")
        .find_map(|part| part.strip_suffix(" records")?.parse().ok())
        .unwrap();
    assert_eq!(
        records,
        60_000 - 10 * progress["bodies"].as_u64().unwrap() as usize,
        "{said}"
    );
    assert_eq!(spans_in(&data), 60_000);
    let (_, said) = succeed(&["import", file, "--data-dir", place]);
    assert!(said.contains("imported already"), "{said}");
    succeed(&["import", file, "--data-dir", place, "--again"]);
    assert_eq!(spans_in(&data), 60_000);
}

#[tokio::test]
async fn files_of_many_kinds_go_to_a_running_server_and_bad_ones_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (child, api, otlp) = serve(&dir.path().join("data"), &[]);
    let files = dir.path().join("files");
    std::fs::create_dir_all(files.join("below")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(files.join(name), bytes).unwrap();
    let pretty = serde_json::to_string_pretty(&traces(&[span(1, &json!({}))])).unwrap();
    write("a.json", pretty.as_bytes());
    let broken = format!(
        "{}\n{{\"resourceSpans\": [\n{}",
        traces(&[span(2, &json!({}))]),
        traces(&[span(3, &json!({"spanId": "x"})), span(4, &json!({}))])
    );
    write("b.jsonl", broken.as_bytes());
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let jaeger = json!({"data": [{"traceID": "1", "processes": {"p1": {"serviceName": "shop"}}, "spans": [
        {"traceID": "1", "spanID": "5", "operationName": "buy", "startTime": 1_795_220_548_168_533_u64, "duration": 10, "processID": "p1"}]}]});
    gz.write_all(jaeger.to_string().as_bytes()).unwrap();
    write("below/c.json.gz", &gz.finish().unwrap());
    let capture = std::fs::read(format!("{}/reference/0008-logs.pb", common::CAPTURES)).unwrap();
    write("below/d.pb", &capture);
    let framed: Vec<u8> = [&u32::try_from(capture.len()).unwrap().to_be_bytes()[..], &capture].concat();
    write("below/e.bin", &framed);
    write("notes.txt", b"not for import");
    write("f.json", b"{\"hello\": 1}");

    let state = dir.path().join("state.json");
    let arguments = [
        "import",
        files.to_str().unwrap(),
        "--endpoint",
        &otlp,
        "--project",
        "filed",
        "--state",
        state.to_str().unwrap(),
    ];
    let (_, said) = succeed(&arguments);
    for named in [
        "b.jsonl:2: ",
        "b.jsonl:3: ",
        "spanId must be 16 hexadecimal digits",
        "f.json:1: it is no telemetry",
    ] {
        assert!(said.contains(named), "{named}: {said}");
    }
    let status = get(&api, "status").await;
    assert_eq!(status["counts"]["spans"], "4", "{said}");
    assert!(status["counts"]["logs"].as_str().unwrap().parse::<u32>().unwrap() > 0);
    let projects = get(&api, "projects").await;
    assert!(
        projects["projects"]
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["project"] == "filed"),
        "{projects}"
    );
    let (_, said) = succeed(&arguments);
    assert_eq!(said.matches("imported already").count(), 6, "{said}");
    stop(child);

    // A directory that a server has open is not touched; a truncated file is told and the rest is imported.
    let data = dir.path().join("data");
    let (child, api, _) = serve(&data, &[]);
    let locked = run(&["export", "--data-dir", data.to_str().unwrap()]);
    let said = String::from_utf8(locked.stderr).unwrap();
    assert!(!locked.status.success() && said.contains("--endpoint"), "{said}");
    let parquet = dir.path().join("spans.parquet");
    succeed(&[
        "export",
        "--endpoint",
        &api,
        "--format",
        "parquet",
        "--signal",
        "traces",
        "-o",
        parquet.to_str().unwrap(),
    ]);
    let bytes = std::fs::read(&parquet).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    stop(child);
    let cut = files.join("cut.jsonl.zst");
    let whole = zstd::stream::encode_all(lines(50).as_bytes(), 1).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let done = run(&[
        "import",
        cut.to_str().unwrap(),
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    assert!(!done.status.success());
    assert!(
        String::from_utf8(done.stderr)
            .unwrap()
            .contains("cut.jsonl.zst: ")
    );
}

#[tokio::test]
async fn retention_runs_in_the_server_and_the_status_tells_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("meshscope.toml");
    std::fs::write(
        &config,
        "retention = \"30d\"\nretention_every = \"1s\"\n[projects.kept]\nretention = \"forever\"\n",
    )
    .unwrap();
    let (child, api, otlp) = serve(&dir.path().join("data"), &["--config", config.to_str().unwrap()]);
    let old = |id: u64, project: &str| {
        let more = json!({"traceId": format!("{id:032x}"), "startTimeUnixNano": "1600000000000000000", "endTimeUnixNano": "1600000000000000001"});
        let mut body = traces(&[span(id, &more)]);
        body["resourceSpans"][0]["resource"]["attributes"]
            .as_array_mut()
            .unwrap()
            .push(json!({"key": "project", "value": {"stringValue": project}}));
        body
    };
    assert_eq!(post(&otlp, &old(1, "p")).await.status().as_u16(), 200);
    assert_eq!(post(&otlp, &old(2, "kept")).await.status().as_u16(), 200);
    let status = wait_for(&api, "status", |status| {
        status["store"]["removed"]["spans"] == "1"
    })
    .await;
    assert_eq!(status["counts"]["spans"], "1");
    assert_eq!(
        status["retention"]["age_ns"],
        (30_i64 * 24 * 3_600_000_000_000).to_string()
    );
    assert_eq!(status["retention"]["projects"][0]["project"], "kept");
    assert_eq!(status["retention"]["projects"][0].get("age_ns"), None);
    // The same may come again: it is not taken for a repeat.
    assert_eq!(post(&otlp, &old(1, "kept")).await.status().as_u16(), 200);
    assert_eq!(get(&api, "status").await["counts"]["spans"], "2");
    stop(child);
    let (child, api, _) = serve(&dir.path().join("data"), &[]);
    assert_eq!(get(&api, "status").await["store"]["removed"]["spans"], "1");
    stop(child);
}

/// A server whose files may not grow beyond about `blocks` of the shell's blocks.
fn serve_small(dir: &Path, blocks: u32) -> (Child, String, String, String) {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\""))
        .args([
            BINARY,
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--otlp-http",
            "127.0.0.1:0",
            "--otlp-grpc",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = |name: &str| {
        lines
            .next()
            .unwrap()
            .unwrap()
            .strip_prefix(name)
            .unwrap()
            .trim()
            .to_owned()
    };
    let (api, otlp, grpc) = (next("studio"), next("otlp/http"), next("otlp/grpc"));
    (child, api, otlp, grpc)
}

#[tokio::test]
async fn a_full_disk_is_said_loses_nothing_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let (child, api, otlp, grpc) = serve_small(dir.path(), 8_000);
    let batch = |n: u64| {
        traces(
            &(1..=500)
                .map(|k| {
                    span(
                        n * 500 + k,
                        &json!({"status": {"message": format!("{:0>500}", n * k)}}),
                    )
                })
                .collect::<Vec<_>>(),
        )
    };
    let mut acknowledged = 0_u64;
    let refused = loop {
        let answer = post(&otlp, &batch(acknowledged)).await;
        if answer.status().as_u16() != 200 {
            break answer;
        }
        acknowledged += 1;
        assert!(acknowledged < 1_000, "the disk never got full");
    };
    assert_eq!(refused.status().as_u16(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["type"], "urn:meshscope:problem:unavailable");
    assert!(
        problem["detail"].as_str().unwrap().contains("the disk is full"),
        "{problem}"
    );
    // gRPC has a word of its own for it.
    let spans = (1..=500_u64).map(|k| Span {
        trace_id: vec![7; 16],
        span_id: k.to_be_bytes().to_vec(),
        name: "x".repeat(500),
        start_time_unix_nano: 1_795_220_548_168_533_800,
        ..Span::default()
    });
    let scope = ScopeSpans {
        spans: spans.collect(),
        ..ScopeSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        }],
    };
    let mut client = TraceServiceClient::connect(grpc).await.unwrap();
    assert_eq!(
        client.export(request).await.unwrap_err().code(),
        tonic::Code::Unavailable
    );
    drop(client);
    // What was acknowledged is there and can be read meanwhile.
    let status = get(&api, "status").await;
    assert_eq!(status["counts"]["spans"], (acknowledged * 500).to_string());
    assert!(
        status["store"]["trouble"]
            .as_str()
            .unwrap()
            .contains("the disk is full"),
        "{status}"
    );
    // There is room again: the same goes on, and the sender's repeat counts once.
    let raised = Command::new("prlimit")
        .args(["--pid", &child.id().to_string(), "--fsize=unlimited:unlimited"])
        .status()
        .unwrap();
    assert!(raised.success());
    for n in [acknowledged, acknowledged] {
        assert_eq!(post(&otlp, &batch(n)).await.status().as_u16(), 200);
    }
    let status = get(&api, "status").await;
    assert_eq!(status["counts"]["spans"], ((acknowledged + 1) * 500).to_string());
    assert_eq!(status["store"].get("trouble"), None);
    stop(child);
    assert_eq!(spans_in(dir.path()) as u64, (acknowledged + 1) * 500);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (child, _, otlp) = serve(dir.path(), &[]);
    assert_eq!(
        post(&otlp, &traces(&[span(1, &json!({}))]))
            .await
            .status()
            .as_u16(),
        200
    );
    stop(child);
    let file = dir.path().join("meshscope.duckdb");
    let good = std::fs::read(&file).unwrap();
    let say = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let done = run(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--otlp-http",
            "127.0.0.1:0",
            "--otlp-grpc",
            "127.0.0.1:0",
            "--data-dir",
            dir.path().to_str().unwrap(),
        ]);
        assert_eq!(done.status.code(), Some(1));
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "the file was changed");
        String::from_utf8(done.stderr).unwrap()
    };
    let mut overwritten = good.clone();
    overwritten[4_096..12_288].fill(0xa5);
    let garbage: Vec<u8> = (0..200_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let truncated = good[..5_000].to_vec();
    for damaged in [truncated, overwritten, garbage, b"not a store".to_vec()] {
        let said = say(&damaged);
        assert!(said.contains("is damaged and is left as it is"), "{said}");
        assert!(
            said.contains("meshscope.duckdb") && said.contains("--data-dir"),
            "{said}"
        );
    }
    // From a version that is yet to come.
    std::fs::write(&file, &good).unwrap();
    let connection = duckdb::Connection::open(&file).unwrap();
    connection
        .execute_batch("UPDATE meta SET value = '900' WHERE key = 'schema_version'; CHECKPOINT;")
        .unwrap();
    drop(connection);
    let newer = std::fs::read(&file).unwrap();
    let said = say(&newer);
    assert!(
        said.contains("schema version 900") && said.contains("knows up to"),
        "{said}"
    );
    // The file from before is as good as ever.
    std::fs::write(&file, &good).unwrap();
    assert_eq!(spans_in(dir.path()), 1);
}

#[tokio::test]
async fn a_backup_is_made_while_the_server_runs_and_started_from() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let (child, api, otlp) = serve(&data, &[]);
    std::fs::write(data.join("prices.json"), "{}").unwrap();
    assert_eq!(
        post(&otlp, &traces(&[span(1, &json!({}))]))
            .await
            .status()
            .as_u16(),
        200
    );
    let (said, _) = succeed(&["backup", copy.to_str().unwrap(), "--endpoint", &api]);
    assert!(said.contains("1 spans"), "{said}");
    assert!(copy.join("prices.json").exists());
    assert_eq!(
        post(&otlp, &traces(&[span(2, &json!({}))]))
            .await
            .status()
            .as_u16(),
        200
    );
    // Over another copy none is made.
    let again = run(&["backup", copy.to_str().unwrap(), "--endpoint", &api]);
    assert!(
        String::from_utf8(again.stderr)
            .unwrap()
            .contains("is there already")
    );
    // The store is still locked by its server alone.
    let locked = run(&[
        "backup",
        dir.path().join("other").to_str().unwrap(),
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    assert!(
        String::from_utf8(locked.stderr)
            .unwrap()
            .contains("open in another process")
    );
    std::fs::remove_file(copy.join("prices.json")).unwrap();
    let (second, second_api, _) = serve(&copy, &[]);
    assert_eq!(get(&second_api, "status").await["counts"]["spans"], "1");
    assert_eq!(get(&api, "status").await["counts"]["spans"], "2");
    stop(second);
    stop(child);
    let cold = dir.path().join("cold");
    std::fs::remove_file(data.join("prices.json")).unwrap();
    succeed(&[
        "backup",
        cold.to_str().unwrap(),
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    assert_eq!(spans_in(&cold), 2);
}

#[tokio::test]
async fn a_graceful_end_answers_what_was_sent_and_leaves_no_log_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, _, otlp) = serve(dir.path(), &[]);
    for n in 0..5 {
        assert_eq!(
            post(&otlp, &traces(&[span(n + 1, &json!({}))]))
                .await
                .status()
                .as_u16(),
            200
        );
    }
    let mut out = child.stdout.take();
    stop(child);
    if let Some(out) = &mut out {
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
    }
    let wal = std::fs::metadata(dir.path().join("meshscope.duckdb.wal")).map_or(0, |wal| wal.len());
    assert_eq!(wal, 0, "the log was not brought into the file");
    assert_eq!(spans_in(dir.path()), 5);
}
