//! `meshscope tail` over connections that break.

use crate::command;
use crate::common::Server;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A door to the server whose connections break: the first after 600 bytes of the answer, each next one
/// after twice as many, from the seventh on none.
struct Door {
    url: String,
    opened: Arc<AtomicUsize>,
}

impl Door {
    async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let opened = Arc::new(AtomicUsize::new(0));
        let (count, to) = (
            Arc::clone(&opened),
            server.api.strip_prefix("http://").unwrap().to_owned(),
        );
        tokio::spawn(async move {
            while let Ok((inside, _)) = listener.accept().await {
                let nth = count.fetch_add(1, Ordering::SeqCst);
                let bytes = if nth < 6 { 600 << nth } else { usize::MAX };
                tokio::spawn(pass(inside, TcpStream::connect(to.clone()).await.unwrap(), bytes));
            }
        });
        Self { url, opened }
    }
}

/// Passes a request on, and so many bytes of the answer.
async fn pass(inside: TcpStream, outside: TcpStream, bytes: usize) {
    let (mut from_client, mut to_client) = inside.into_split();
    let (mut from_server, mut to_server) = outside.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let (mut left, mut buffer) = (bytes, vec![0; 4_096]);
    while left > 0 {
        let most = buffer.len().min(left);
        match from_server.read(&mut buffer[..most]).await {
            Ok(n) if n > 0 && to_client.write_all(&buffer[..n]).await.is_ok() => left -= n,
            _ => break,
        }
    }
    asking.abort();
}

fn start(mut command: Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

/// Sends log records with these numbers, a request each.
async fn send(server: &Server, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let record =
            json!({"message": format!("record {number}"), "time": "2026-11-21T00:03:17Z", "number": number});
        let (status, _) = server.json("/v1/developer/logs", &record).await;
        assert_eq!(status, 200);
    }
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[tokio::test]
async fn nothing_is_missed_and_nothing_doubled_over_broken_connections() {
    const RECORDS: usize = 80;
    let server = Server::start().await;
    let door = Door::to(&server).await;
    send(&server, 0..20).await;
    let (mut child, mut lines) = start(command(&door.url, &["tail", "--since", "0", "--json"]));
    let reading = tokio::task::spawn_blocking(move || {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&(RECORDS - 1)) {
            let line = lines.next().expect("tail goes on").unwrap();
            let log: Value = serde_json::from_str(&line).unwrap();
            let text = log["body"]["stringValue"].as_str().unwrap().to_owned();
            numbers.push(text.strip_prefix("record ").unwrap().parse::<usize>().unwrap());
        }
        (numbers, lines)
    });
    send(&server, 20..RECORDS).await;
    let (numbers, lines) = reading.await.unwrap();
    assert_eq!(numbers, (0..RECORDS).collect::<Vec<_>>());
    assert!(
        door.opened.load(Ordering::SeqCst) > 3,
        "the connection broke several times"
    );
    interrupt(&child);
    let ended = tokio::task::spawn_blocking(move || {
        assert_eq!(lines.count(), 0, "nothing comes after the last record");
        let status = child.wait().unwrap();
        let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        (status, said)
    });
    let (status, said) = ended.await.unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(
        said.contains("connection is lost") && said.contains("connected again"),
        "{said}"
    );
}

#[tokio::test]
async fn a_reader_that_goes_ends_it_though_nothing_comes() {
    let server = Server::start().await;
    send(&server, 0..3).await;
    let (mut child, mut lines) = start(command(&server.api, &["tail", "--since", "1h"]));
    let ended = tokio::task::spawn_blocking(move || {
        assert!(lines.next().unwrap().unwrap().contains("record 0"));
        drop(lines);
        child.wait().unwrap()
    });
    assert_eq!(ended.await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn filters_and_moments_choose_what_is_told() {
    let server = Server::start().await;
    send(&server, 0..5).await;
    let (status, _) = server
        .json(
            "/v1/developer/logs",
            &json!({"message": "trouble", "level": "error", "session": "s", "project": "p", "room": "r"}),
        )
        .await;
    assert_eq!(status, 200);
    for (options, told) in [
        ("--since 1h", 6),
        ("--since 0 --filter record", 5),
        ("--since 0 --filter TROUBLE", 1),
        ("--since 0 --level warn", 1),
        ("--since 0 --session s --project p --room r", 1),
        ("--since 0 --signal traces,metrics", 0),
        ("--since 2200-01-01", 0),
    ] {
        let found = crate::tell(&server, &format!("tail --no-follow {options}")).await;
        assert_eq!(
            (found.out.lines().count(), found.code),
            (told, i32::from(told == 0)),
            "{options}: {found:?}"
        );
    }
}
