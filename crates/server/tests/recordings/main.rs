//! Recordings over real HTTP: uploads that are cut off and go on, parts, what is never served, and
//! that they go with their session.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::process::serve;
use common::{Server, span, traces};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

const SESSION: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A tone as a WAV file: 16 bit, mono, 8,000 a second.
fn wav(seconds: usize) -> Vec<u8> {
    let samples = (0..seconds * 8_000).map(|n| {
        let wave = (n as f64 * 440.0 * std::f64::consts::TAU / 8_000.0).sin();
        (wave * 12_000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut file = Vec::new();
    for part in [
        b"RIFF".as_slice(),
        &(36 + data.len() as u32).to_le_bytes(),
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0",
        &8_000_u32.to_le_bytes(),
        &16_000_u32.to_le_bytes(),
        b"\x02\0\x10\0data",
        &(data.len() as u32).to_le_bytes(),
        &data,
    ] {
        file.extend_from_slice(part);
    }
    file
}

/// What a client does with the API at a place.
struct Api {
    client: Client,
    base: String,
}

impl Api {
    fn of(base: &str) -> Self {
        Self {
            client: Client::new(),
            base: base.to_owned(),
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let url = format!("{}/api/v1/sessions/{path}", self.base);
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.ask("GET", path, headers, Vec::new()).await
    }

    async fn list(&self, session: &str) -> Vec<Value> {
        let list: Value = self
            .get(&format!("{session}/recordings"), &[])
            .await
            .json()
            .await
            .unwrap();
        list["recordings"].as_array().unwrap().clone()
    }

    /// Makes an upload known; gives its path below `sessions/`.
    async fn describe(&self, session: &str, description: &Value) -> String {
        let json = [("content-type", "application/json")];
        let body = description.to_string().into_bytes();
        let answer = self
            .ask("POST", &format!("{session}/recordings"), &json, body)
            .await;
        assert_eq!(answer.status().as_u16(), 201);
        let location = answer.headers()["location"].to_str().unwrap();
        location.strip_prefix("/api/v1/sessions/").unwrap().to_owned()
    }

    /// Sends the beginning of a PATCH and leaves the connection open.
    fn begin(&self, path: &str, offset: usize, whole: usize, bytes: &[u8]) -> TcpStream {
        let host = self.base.strip_prefix("http://").unwrap();
        let mut connection = TcpStream::connect(host).unwrap();
        let head = format!(
            "PATCH /api/v1/sessions/{path} HTTP/1.1\r\nhost: {host}\r\nupload-offset: {offset}\r\ncontent-length: {whole}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(bytes).unwrap();
        connection
    }

    /// Waits until so many bytes of the only recording have come, without holding up its upload.
    async fn received(&self, session: &str, bytes: usize) {
        let expected = json!(bytes.to_string());
        for _ in 0..600 {
            if self.list(session).await[0]["received_bytes"] == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{bytes} bytes did not come: {:?}", self.list(session).await);
    }

    async fn offset(&self, path: &str) -> usize {
        let head = self.ask("HEAD", path, &[], Vec::new()).await;
        assert_eq!(head.status().as_u16(), 200);
        head.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
    }

    async fn go_on(&self, path: &str, file: &[u8]) -> Response {
        let offset = self.offset(path).await;
        let headers = [("upload-offset", offset.to_string())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.ask("PATCH", path, &headers, file[offset..].to_vec()).await
    }

    async fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.get(path, &[]).await;
        assert_eq!(answer.status().as_u16(), 200);
        answer.bytes().await.unwrap().to_vec()
    }
}

fn described(size: usize) -> Value {
    json!({"kind": "audio", "participant": "ada", "content_type": "audio/wav", "offset_ns": "500000000", "size_bytes": size.to_string()})
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("recordings")).map_or(0, Iterator::count)
}

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
    for (name, value, status) in [
        ("if-range", "\"another\"", 200),
        ("range", "bytes=0-1,4-5", 200),
        ("if-none-match", tag.as_str(), 304),
    ] {
        let answer = api.get(&path, &[("range", "bytes=0-9"), (name, value)]).await;
        // Two ranges in two headers are no range that is understood.
        let expected = if name == "range" { 206 } else { status };
        assert_eq!(answer.status().as_u16(), expected, "{name}: {value}");
    }
    assert_eq!(
        api.get(&path, &[("range", "bytes=0-1,4-5")])
            .await
            .status()
            .as_u16(),
        200
    );
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
async fn an_upload_that_was_cut_off_goes_on_where_it_was() {
    let server = Server::start().await;
    let (api, file) = (Api::of(&server.api), wav(60));
    let path = api.describe("s", &described(file.len())).await;
    assert_eq!(api.get(&path, &[]).await.status().as_u16(), 409, "not whole yet");
    // The connection breaks.
    drop(api.begin(&path, 0, file.len(), &file[..300_000]));
    api.received("s", 300_000).await;
    assert_eq!(api.offset(&path).await, 300_000);
    // Another breaks without the server's knowing: what the client asks for next takes over.
    let silent = api.begin(&path, 300_000, file.len() - 300_000, &file[300_000..400_000]);
    api.received("s", 400_000).await;
    assert_eq!(api.offset(&path).await, 400_000);
    drop(silent);
    let wrong = api
        .ask(
            "PATCH",
            &path,
            &[("upload-offset", "300000")],
            file[300_000..].to_vec(),
        )
        .await;
    assert_eq!(wrong.status().as_u16(), 409);
    assert_eq!(wrong.headers()["upload-offset"], "400000");
    assert_eq!(api.ask("PATCH", &path, &[], vec![1]).await.status().as_u16(), 400);
    // In several requests, the last of them with too much.
    let part = api
        .ask(
            "PATCH",
            &path,
            &[("upload-offset", "400000")],
            file[400_000..450_000].to_vec(),
        )
        .await;
    assert_eq!(part.headers()["upload-offset"], "450000");
    assert_eq!(part.json::<Value>().await.unwrap()["state"], "uploading");
    let mut more = file[450_000..].to_vec();
    more.push(0);
    let offset = ("upload-offset", "450000");
    let refused = api.ask("PATCH", &path, &[offset], more).await;
    assert_eq!(refused.status().as_u16(), 413);
    let done = api.go_on(&path, &file).await;
    // What came of the one with too much may be all of it already.
    assert!([200, 409].contains(&done.status().as_u16()));
    assert_eq!(api.list("s").await[0]["state"], "ready");
    assert!(api.bytes(&path).await == file);
}

#[tokio::test]
async fn an_upload_survives_kill_9_and_what_was_left_over_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let file = wav(60);
    let (mut child, base, _) = serve(dir.path(), &[]);
    let api = Api::of(&base);
    let path = api.describe("s", &described(file.len())).await;
    let held = api.begin(&path, 0, file.len(), &file[..300_000]);
    api.received("s", 300_000).await;
    // One request that the server does not see the end of, and a file that no row tells of.
    let orphan = dir.path().join(format!("recordings/{:032x}.part", 7));
    std::fs::write(&orphan, b"left over").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(held);

    let (mut child, base, _) = serve(dir.path(), &[]);
    let api = Api::of(&base);
    assert!(!orphan.exists());
    assert_eq!(api.go_on(&path, &file).await.status().as_u16(), 200);
    assert!(api.bytes(&path).await == file);
    child.kill().unwrap();
    child.wait().unwrap();

    // Killed between the file's last step and the store's.
    let id = path.rsplit('/').next().unwrap();
    let (mut child, base, _) = serve(dir.path(), &[]);
    let api = Api::of(&base);
    let second = api.describe("s", &described(file.len())).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let second_id = second.rsplit('/').next().unwrap();
    std::fs::copy(
        dir.path().join("recordings").join(id),
        dir.path().join("recordings").join(second_id),
    )
    .unwrap();
    let (mut child, base, _) = serve(dir.path(), &[]);
    let api = Api::of(&base);
    assert!(api.bytes(&second).await == file);
    assert_eq!(files(dir.path()), 2);
    child.kill().unwrap();
    child.wait().unwrap();
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
