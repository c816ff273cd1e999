//! Many subscribers, and some that do not read.

use crate::common::{Server, span, traces};
use crate::follower::{Follower, records};
use crate::{keep, log, logs};
use meshscope_server::config::ServeArgs;
use serde_json::json;
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Follows and does not read: its connection takes little before it is full.
async fn stall(server: &Server, query: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let api = server.running.as_ref().unwrap().api;
    let mut stream = socket.connect(api).await.unwrap();
    let ask = format!("GET /api/v1/stream?{query} HTTP/1.0\r\nhost: x\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    // Until the answer begins, so that it is a subscriber.
    stream.readable().await.unwrap();
    stream
}

/// Log records that fill a stalled connection many times over.
async fn flood(server: &Server, from: usize, to: usize) {
    let text = "x".repeat(20_000);
    for first in (from..to).step_by(50) {
        let records: Vec<_> = (first..to.min(first + 50))
            .map(|n| {
                log(
                    &format!("log {n} {text}"),
                    &json!({"timeUnixNano": (n + 1).to_string()}),
                )
            })
            .collect();
        keep(server, "/v1/logs", &logs("svc", &records)).await;
    }
}

#[tokio::test]
async fn who_does_not_read_gets_a_gap_and_can_read_what_it_missed() {
    const RECORDS: usize = 1_500;
    let server = Server::with(|args| ServeArgs {
        stream_behind_records: Some(100),
        stream_buffer_mib: Some(4),
        ..args
    })
    .await;
    let mut stalled = stall(&server, "").await;
    let (mut live, _) = Follower::start(&server, "").await;
    flood(&server, 0, RECORDS).await;
    let mut told = BTreeSet::new();
    let mut left_out = Vec::new();
    // The client that reads: it may be behind for a moment, and reads what it missed.
    while told.len() < RECORDS {
        let event = live.next().await.unwrap();
        match event.name.as_str() {
            "delta" => told.extend(records(&event.data).into_iter().map(|(n, _)| n)),
            "gap" => told.extend(missed(&server, &event.data).await),
            _ => {}
        }
    }
    assert_eq!(told.len(), RECORDS);
    // The client that did not: what it got before, a gap, and what comes after.
    let mut text = Vec::new();
    let mut buffer = vec![0; 65_536];
    let gap = loop {
        let read = stalled.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the stream goes on");
        text.extend_from_slice(&buffer[..read]);
        if let Some(gap) = event(&text, "gap") {
            break gap;
        }
    };
    assert_eq!(gap["reason"], "behind");
    left_out.extend(missed(&server, &gap).await);
    let told_before = text.windows(12).filter(|w| *w == b"\"sequence\":\"").count();
    assert_eq!(
        told_before + left_out.len(),
        RECORDS,
        "told or in the gap, and never both"
    );
    flood(&server, RECORDS, RECORDS + 50).await;
    let status = server.get("status").await;
    assert_ne!(status["live"]["gaps"], "0");
    assert_eq!(status["live"]["subscribers"], 2);
}

/// What a gap left out, by its cursors.
async fn missed(server: &Server, gap: &serde_json::Value) -> Vec<i64> {
    let cursor = |name: &str| gap[name].as_str().unwrap().to_owned();
    let query = format!("cursor={}&until={}", cursor("from"), cursor("to"));
    let (mut follower, _) = Follower::start(server, &query).await;
    let mut told = Vec::new();
    while let Some(event) = follower.next().await {
        told.extend(records(&event.data).into_iter().map(|(n, _)| n));
    }
    told
}

/// The data of the first whole event with this name.
fn event(text: &[u8], name: &str) -> Option<serde_json::Value> {
    let text = String::from_utf8_lossy(text);
    let (_, after) = text.split_once(&format!("event: {name}\ndata: "))?;
    let (data, _) = after.split_once("\n\n")?;
    serde_json::from_str(data).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_follow_and_ten_of_them_stall() {
    const TRACES: u64 = 40;
    const SPANS: u64 = 50;
    let server = Server::start().await;
    let mut stalled = Vec::new();
    for _ in 0..10 {
        stalled.push(stall(&server, "").await);
    }
    let mut followers = Vec::new();
    for n in 0..190_u64 {
        // Some follow everything, most one session.
        let (query, wanted) = match n % 10 {
            0 => (String::new(), TRACES * SPANS),
            _ => (format!("session={:032x}", n % TRACES + 1), SPANS),
        };
        let (mut follower, _) = Follower::start(&server, &query).await;
        followers.push(tokio::spawn(async move {
            let mut told = BTreeSet::new();
            while (told.len() as u64) < wanted {
                for (sequence, _) in records(&follower.delta().await.data) {
                    assert!(told.insert(sequence), "record {sequence} once");
                }
            }
            told.len() as u64 == wanted
        }));
    }
    assert_eq!(server.get("status").await["live"]["subscribers"], 200);
    for part in 0..SPANS / 10 {
        let posts = (1..=TRACES).map(|trace| {
            let first = trace * 1_000 + part * 10;
            let trace = json!({"traceId": format!("{trace:032x}")});
            let spans: Vec<_> = (first..first + 10).map(|id| span(id, &trace)).collect();
            let server = &server;
            async move { keep(server, "/v1/traces", &traces(&spans)).await }
        });
        futures_util::future::join_all(posts).await;
    }
    for follower in followers {
        assert!(follower.await.unwrap());
    }
    assert_eq!(server.get("status").await["live"]["gaps"], "0");
    drop(stalled);
}

#[tokio::test]
async fn a_client_that_stands_still_does_not_hold_up_the_end() {
    let mut server = Server::start().await;
    let stalled = stall(&server, "").await;
    flood(&server, 0, 1_000).await;
    server.running.take().unwrap().stop().await.unwrap();
    drop(stalled);
}
