//! A client of the live stream.

use crate::common::Server;
use futures_util::StreamExt as _;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::pin::Pin;
use std::time::Duration;

/// How long an event is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

type Bytes = Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>;

pub struct Follower {
    body: Bytes,
    buffer: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub data: Value,
}

/// The request of a stream.
pub fn request(server: &Server, query: &str) -> RequestBuilder {
    server.client.get(format!("{}/api/v1/stream?{query}", server.api))
}

impl Follower {
    /// Follows, and says where the stream starts.
    pub async fn start(server: &Server, query: &str) -> (Self, String) {
        Self::of(request(server, query).send().await.unwrap()).await
    }

    pub async fn of(response: Response) -> (Self, String) {
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut follower = Self {
            body: Box::pin(response.bytes_stream()),
            buffer: Vec::new(),
        };
        let open = follower.next().await.unwrap();
        assert_eq!(open.name, "open");
        assert_eq!(open.data["cursor"], open.id);
        (follower, open.id)
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let text: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = read(std::str::from_utf8(&text).unwrap()) {
                    return Some(event);
                }
                continue;
            }
            let next = tokio::time::timeout(PATIENCE, self.body.next());
            self.buffer
                .extend(next.await.expect("an event in time")?.unwrap());
        }
    }

    /// The next delta, heartbeats passed over.
    pub async fn delta(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("a delta");
            if event.name == "delta" {
                return event;
            }
            assert_eq!(event.name, "heartbeat", "{event:?}");
        }
    }
}

/// An event; `None` for fields without one, as `retry`.
fn read(text: &str) -> Option<Event> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    Some(Event {
        name: field("event: ")?.to_owned(),
        id: field("id: ")?.to_owned(),
        data: serde_json::from_str(field("data: ")?).unwrap(),
    })
}

/// What the records of a delta are called, with their sequence numbers: names of spans and
/// metrics, bodies of log records.
pub fn records(delta: &Value) -> Vec<(i64, String)> {
    let list = |name: &str, pointer: &'static str| {
        let records = delta[name].as_array().cloned().unwrap_or_default();
        records.into_iter().map(move |record| {
            let sequence = record["sequence"].as_str().unwrap().parse().unwrap();
            (
                sequence,
                record.pointer(pointer).unwrap().as_str().unwrap().to_owned(),
            )
        })
    };
    let mut records: Vec<(i64, String)> = list("spans", "/name")
        .chain(list("logs", "/body/stringValue"))
        .chain(list("metric_points", "/name"))
        .collect();
    records.sort();
    records
}

/// The names alone.
pub fn names(delta: &Value) -> Vec<String> {
    records(delta).into_iter().map(|(_, name)| name).collect()
}
