//! Recordings over real HTTP: uploads that are cut off and go on, parts, what is never served, and
//! that they go with their session.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod client;
#[path = "../common.rs"]
mod common;
mod upload;

use client::{Api, files, wav};
use common::process::serve;
use common::{Server, args, span, traces};
use meshscope_server::config::Config;
use meshscope_store::{AddedRecording, DuckDb, Options, Store as _};
use reqwest::Client;
use serde_json::{Value, json};
use std::time::Duration;

const SESSION: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_file_is_posted_listed_on_the_sessions_clock_and_read_back() {
    let server = Server::start().await;
    assert_eq!(
        server.json("/v1/traces", &traces(&[span(1, &json!({}))])).await.0,
        200
    );
    let (api, file) = (Api::of(&server.api), wav(2));
    let path = format!(
        "{SESSION}/recordings?participant=ada&name=call.wav&offset_ns=250000000&duration_ns=2000000000"
    );
    let answer = api
        .ask("POST", &path, &[("content-type", "audio/x-wav")], file.clone())
        .await;
    assert_eq!(answer.status().as_u16(), 201);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let added: Value = answer.json().await.unwrap();
    assert_eq!(
        location,
        format!(
            "/api/v1/sessions/{SESSION}/recordings/{}",
            added["recording_id"].as_str().unwrap()
        )
    );
    let list = api.list(SESSION).await;
    assert_eq!(list, std::slice::from_ref(&added));
    for (field, value) in [
        ("kind", "audio"),
        ("participant", "ada"),
        ("name", "call.wav"),
        ("content_type", "audio/wav"),
        ("state", "ready"),
        ("offset_ns", "250000000"),
        ("started_at", "1795220548418533800"),
        ("duration_ns", "2000000000"),
        ("size_bytes", &file.len().to_string()),
    ] {
        assert_eq!(added[field], value, "{field}");
    }
    let path = location.strip_prefix("/api/v1/sessions/").unwrap();
    assert_eq!(api.bytes(path).await, file);
    let status = server.get("status").await;
    assert_eq!(status["store"]["recordings"], 1);
    assert_eq!(status["store"]["recordings_bytes"], file.len().to_string());
    assert_eq!(
        api.ask("DELETE", path, &[], Vec::new()).await.status().as_u16(),
        204
    );
    assert_eq!(api.get(path, &[]).await.status().as_u16(), 404);
    assert_eq!((api.list(SESSION).await.len(), files(server.dir.path())), (0, 0));
}

#[tokio::test]
async fn parts_are_given_as_they_are_asked_for_and_nothing_can_run() {
    let server = Server::start().await;
    let (api, file) = (Api::of(&server.api), wav(1));
    let post = api.ask(
        "POST",
        "s/recordings",
        &[("content-type", "audio/wav")],
        file.clone(),
    );
    let id = post.await.json::<Value>().await.unwrap()["recording_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("s/recordings/{id}");
    let whole = api.get(&path, &[("accept-encoding", "gzip, br")]).await;
    let headers = whole.headers().clone();
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(headers.get("content-encoding"), None);
    assert_eq!(header("content-length"), file.len().to_string());
    assert_eq!(header("content-type"), "audio/wav");
    assert_eq!(header("accept-ranges"), "bytes");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").contains("sandbox"));
    let tag = header("etag").to_owned();

    let size = file.len();
    for (range, expected) in [
        ("bytes=0-9", 0..10),
        ("bytes=100-", 100..size),
        ("bytes=-7", size - 7..size),
        ("bytes=16000-99999999", 16_000..size),
    ] {
        let part = api.get(&path, &[("range", range), ("if-range", &tag)]).await;
        assert_eq!(part.status().as_u16(), 206, "{range}");
        let says = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
        assert_eq!(part.headers()["content-range"], says.as_str());
        assert_eq!(part.bytes().await.unwrap(), file[expected], "{range}");
    }
    let beyond = api.get(&path, &[("range", "bytes=99999999-")]).await;
    assert_eq!(beyond.status().as_u16(), 416);
    assert_eq!(
        beyond.headers()["content-range"],
        format!("bytes */{size}").as_str()
    );
    for (headers, status) in [
        (vec![("range", "bytes=0-9"), ("if-range", "\"another\"")], 200),
        (vec![("range", "bytes=0-9"), ("if-none-match", tag.as_str())], 304),
        // Several parts are not given: all of it is.
        (vec![("range", "bytes=0-1,4-5")], 200),
    ] {
        let answer = api.get(&path, &headers).await;
        assert_eq!(answer.status().as_u16(), status, "{headers:?}");
    }
    let head = api.ask("HEAD", &path, &[], Vec::new()).await;
    assert_eq!(head.headers()["upload-offset"], head.headers()["upload-length"]);
    assert_eq!(head.headers()["content-length"], size.to_string().as_str());
}

#[tokio::test]
async fn what_is_not_a_recording_is_refused_and_leaves_nothing() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        max_recording: Some("20KB".to_owned()),
        ..args
    })
    .await;
    let api = Api::of(&server.api);
    let json = ("content-type", "application/json");
    let post = |headers: Vec<(&'static str, &'static str)>, query: &'static str, body: Vec<u8>| {
        let api = &api;
        async move {
            let path = format!("s/recordings{query}");
            let answer = api.ask("POST", &path, &headers, body).await;
            let status = answer.status().as_u16();
            (status, answer.json::<Value>().await.unwrap())
        }
    };
    let wave = ("content-type", "audio/wav");
    for (headers, query, body, status, says) in [
        (
            vec![("content-type", "text/html")],
            "",
            b"<script>".to_vec(),
            415,
            "text/html",
        ),
        (
            vec![("content-type", "image/svg+xml")],
            "",
            b"<svg>".to_vec(),
            415,
            "svg",
        ),
        (vec![], "", b"x".to_vec(), 415, "content type"),
        (vec![wave, ("content-encoding", "gzip")], "", wav(1), 415, "gzip"),
        (vec![wave], "?kind=video", wav(1), 400, "audio/wav"),
        (vec![wave], "?speaker=ada", wav(1), 400, "speaker"),
        (vec![wave], "?offset_ns=x", wav(1), 400, "offset_ns"),
        (
            vec![wave],
            "?offset_ns=9223372036854775807",
            wav(1),
            400,
            "offset_ns",
        ),
        (
            vec![wave],
            "?offset_ns=-9223372036854775808",
            wav(1),
            400,
            "offset_ns",
        ),
        (
            vec![wave],
            "?started_at=9223372036854775807",
            wav(1),
            400,
            "started_at",
        ),
        (vec![wave], "", Vec::new(), 400, "empty"),
        (vec![wave], "", wav(2), 413, "--max-recording"),
        (
            vec![json],
            "",
            br#"{"kind":"audio","content_type":"audio/wav"}"#.to_vec(),
            400,
            "size_bytes",
        ),
        (
            vec![json],
            "",
            br#"{"kind":"audio","content_type":"audio/wav","size_bytes":"30000"}"#.to_vec(),
            413,
            "20000",
        ),
        (
            vec![json],
            "",
            br#"{"kind":"smell","url":"https://a/b"}"#.to_vec(),
            400,
            "smell",
        ),
        (
            vec![json],
            "",
            br#"{"kind":"audio","url":"javascript:alert(1)"}"#.to_vec(),
            400,
            "url",
        ),
        (
            vec![json],
            "",
            br#"{"kind":"audio","url":"file:///etc/passwd"}"#.to_vec(),
            400,
            "url",
        ),
    ] {
        let (answered, problem) = post(headers.clone(), query, body).await;
        assert_eq!(answered, status, "{headers:?} {query}: {problem}");
        assert!(problem.to_string().contains(says), "{says}: {problem}");
    }
    assert_eq!((api.list("s").await.len(), files(server.dir.path())), (0, 0));
    for path in [
        "..%2F..%2Fmeshscope.duckdb",
        "%2Fetc%2Fpasswd",
        "..",
        "x",
        "0123456789ABCDEF0123456789ABCDEF",
    ] {
        let status = api
            .get(&format!("s/recordings/{path}"), &[])
            .await
            .status()
            .as_u16();
        assert_eq!(status, 404, "{path}");
    }
}

#[tokio::test]
async fn one_at_a_url_stays_there() {
    let server = Server::start().await;
    let api = Api {
        client: Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap(),
        base: server.api.clone(),
    };
    let path = api
        .describe("s", &json!({"kind": "video", "url": "https://media.example/call.mp4", "started_at": "2026-11-21T14:00:00Z"}))
        .await;
    let answer = api.get(&path, &[]).await;
    assert_eq!(answer.status().as_u16(), 307);
    assert_eq!(answer.headers()["location"], "https://media.example/call.mp4");
    let listed = &api.list("s").await[0];
    assert_eq!(listed["url"], "https://media.example/call.mp4");
    assert_eq!(listed["started_at"], "1795269600000000000");
    assert_eq!(
        (listed.get("size_bytes"), listed.get("received_bytes")),
        (None, None)
    );
    assert_eq!(
        api.ask("PATCH", &path, &[("upload-offset", "0")], vec![1])
            .await
            .status()
            .as_u16(),
        409
    );
}

#[tokio::test]
async fn a_row_that_is_odd_does_not_keep_the_server_from_starting() {
    let mut server = Server::start().await;
    assert_eq!(
        server.json("/v1/traces", &traces(&[span(1, &json!({}))])).await.0,
        200
    );
    server.running.take().unwrap().stop().await.unwrap();
    // The API does not take it; a store of before may have it.
    let store = DuckDb::open(server.dir.path(), &Options::default()).unwrap();
    let added = AddedRecording {
        session_id: SESSION.to_owned(),
        project: None,
        started_at: None,
        recording: serde_json::from_value(json!({
            "kind": "audio", "url": "https://media.example/call.wav", "offset_ns": i64::MAX.to_string(),
        }))
        .unwrap(),
        now: 0,
    };
    store.add_recording(&added).unwrap();
    store.close().unwrap();
    drop(store);

    let running = meshscope_server::start(Config::resolve(args(&server.dir)).unwrap())
        .await
        .unwrap();
    let api = Api::of(&format!("http://{}", running.api));
    let listed = api.list(SESSION).await;
    assert_eq!(listed[0]["started_at"], i64::MAX.to_string());
    let id = listed[0]["recording_id"].as_str().unwrap();
    let path = format!("{SESSION}/recordings/{id}");
    let gone = api.ask("DELETE", &path, &[], Vec::new()).await;
    assert_eq!(gone.status().as_u16(), 204);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn they_go_with_their_session_and_come_along_in_a_backup() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, copy) = (dir.path().join("data"), copy.path().join("copy"));
    let (mut child, base, otlp) = serve(&data, &[]);
    let api = Api::of(&base);
    let old = traces(&[span(
        1,
        &json!({"startTimeUnixNano": "1600000000000000000", "endTimeUnixNano": "1600000000000000001"}),
    )]);
    let post = api
        .client
        .post(format!("{otlp}/v1/traces"))
        .header("content-type", "application/json");
    assert_eq!(
        post.body(old.to_string()).send().await.unwrap().status().as_u16(),
        200
    );
    let wave = [("content-type", "audio/wav")];
    let path = format!("{SESSION}/recordings");
    assert_eq!(api.ask("POST", &path, &wave, wav(1)).await.status().as_u16(), 201);
    let backup = api
        .client
        .post(format!("{base}/api/v1/backup"))
        .header("content-type", "application/json");
    let backup = backup
        .body(json!({"destination": copy}).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(backup.status().as_u16(), 200);
    child.kill().unwrap();
    child.wait().unwrap();

    let (mut child, base, _) = serve(&data, &["--retention", "30d", "--retention-every", "1s"]);
    let api = Api::of(&base);
    for _ in 0..600 {
        if files(&data) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!((files(&data), api.list(SESSION).await.len()), (0, 0));
    child.kill().unwrap();
    child.wait().unwrap();

    let (mut child, base, _) = serve(&copy, &[]);
    let api = Api::of(&base);
    let kept = api.list(SESSION).await;
    let id = kept[0]["recording_id"].as_str().unwrap();
    assert!(api.bytes(&format!("{path}/{id}")).await == wav(1));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn they_are_behind_the_keys_too() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        keys: Some(vec!["k".to_owned()]),
        ..args
    })
    .await;
    let api = Api::of(&server.api);
    let wave = ("content-type", "audio/wav");
    assert_eq!(
        api.ask("POST", "s/recordings", &[wave], wav(1))
            .await
            .status()
            .as_u16(),
        401
    );
    let shown = [wave, ("x-meshscope-key", "k")];
    let added: Value = api
        .ask("POST", "s/recordings", &shown, wav(1))
        .await
        .json()
        .await
        .unwrap();
    let path = format!("s/recordings/{}", added["recording_id"].as_str().unwrap());
    for method in ["GET", "HEAD", "PATCH", "DELETE"] {
        assert_eq!(
            api.ask(method, &path, &[], Vec::new()).await.status().as_u16(),
            401,
            "{method}"
        );
    }
    assert_eq!(
        api.get(&path, &[("x-meshscope-key", "k")])
            .await
            .status()
            .as_u16(),
        200
    );
}
