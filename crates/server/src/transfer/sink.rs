//! Where imported bodies go: into a data directory, or to a server.

use super::files::{Body, Source};
use crate::client::{Client, Post, read, refusal};
use crate::ingest::{Fallback, complete};
use crate::prices;
use bytes::Bytes;
use futures_util::future::join_all;
use hyper::header;
use meshscope_analysis::Prices;
use meshscope_model::Batch;
use meshscope_store::{DuckDb, Store as _, StoreError};
use meshscope_telemetry::otlp::signal_of;
use meshscope_telemetry::{
    Body as Kind, DecodeError, Decoded, Encoding, Signal, decode, jaeger, meshflow, sniff, videosdk,
};
use std::time::Duration;
use tokio::runtime::Handle;

/// How many bodies are under way to a server at a time.
const UNDER_WAY: usize = 8;
/// How often a server that is full is asked again.
const TRIES: u32 = 60;

/// What became of some bodies.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Records that are durable; of a server, which does not say, none are counted.
    pub(super) records: u64,
    /// Records, or bodies, that were left out.
    pub(super) rejected: u64,
    /// What was wrong, with the number of the body.
    pub(super) messages: Vec<(u64, String)>,
}

impl Outcome {
    fn refuse(&mut self, body: u64, records: u64, message: String) {
        self.rejected += records;
        self.messages.push((body, message));
    }
}

/// What a body is and how it is written.
fn kind(body: &Body, source: &Source) -> Result<(Kind, Encoding), String> {
    if body.json {
        let found = sniff(&body.bytes).map(|kind| (kind, Encoding::Json));
        return found.ok_or_else(|| {
            "it is no telemetry: expected an object with resourceSpans, resourceLogs, resourceMetrics, or Jaeger's data"
                .to_owned()
        });
    }
    let name = source.path.to_string_lossy().to_ascii_lowercase();
    let by_name = || {
        [Signal::Traces, Signal::Logs, Signal::Metrics]
            .into_iter()
            .find(|signal| name.contains(signal.as_str()))
    };
    let signal = signal_of(&body.bytes).or_else(by_name);
    signal
        .map(|signal| (Kind::Otlp(signal), Encoding::Protobuf))
        .ok_or_else(|| "it is no OTLP export request in protobuf, and no JSON".to_owned())
}

/// Where bodies are kept.
pub(super) enum Sink {
    /// A data directory, which no server has open.
    Directory(Box<Directory>),
    /// A server's OTLP address.
    Server(Box<Server>),
}

impl Sink {
    /// Keeps the bodies; returns when they are durable.
    pub(super) fn keep(&mut self, source: &Source, bodies: Vec<Body>) -> Result<Outcome, String> {
        match self {
            Self::Directory(directory) => directory.keep(source, &bodies),
            Self::Server(server) => server.keep(source, bodies),
        }
    }

    /// Ends; what was kept stays.
    pub(super) fn close(self) -> Result<(), String> {
        match self {
            Self::Directory(directory) => directory.store.close().map_err(|error| error.to_string()),
            Self::Server(_) => Ok(()),
        }
    }
}

pub(super) struct Directory {
    pub(super) store: DuckDb,
    pub(super) prices: Prices,
    pub(super) fallback: Fallback,
}

impl Directory {
    fn keep(&self, source: &Source, bodies: &[Body]) -> Result<Outcome, String> {
        let (mut outcome, mut batch) = (Outcome::default(), Batch::default());
        for body in bodies {
            let decoded = kind(body, source).and_then(|(kind, encoding)| {
                read_as(kind, encoding, &body.bytes, source.modified).map_err(|error| error.to_string())
            });
            match decoded {
                Ok(Decoded {
                    batch: more,
                    rejected,
                }) => {
                    if !rejected.messages.is_empty() {
                        outcome.refuse(body.number, rejected.records, rejected.message());
                    }
                    batch.append(more);
                }
                Err(error) => outcome.refuse(body.number, 1, error),
            }
        }
        complete(&self.prices, &mut batch, &self.fallback);
        outcome.records = batch.len() as u64;
        let said = |error: StoreError| error.to_string();
        self.store.write(&[batch]).map_err(said)?;
        self.store.tend().map_err(said)?;
        Ok(outcome)
    }

    /// Prices calls of the past, as the server does when it starts.
    pub(super) fn price_past(&self) -> Result<(), String> {
        prices::price_past(&self.prices, &self.store, || true)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

/// What says no time happened when the file was written.
fn read_as(kind: Kind, encoding: Encoding, body: &[u8], written: i64) -> Result<Decoded, DecodeError> {
    match kind {
        Kind::Otlp(signal) => decode(signal, encoding, body),
        Kind::Jaeger => jaeger::decode(body),
        Kind::VideoSdkTurns => videosdk::turns(body, written),
        Kind::VideoSdkLog => videosdk::log(body, written),
        Kind::MeshFlowEvent => meshflow::events(body, written),
    }
}

pub(super) struct Server {
    pub(super) clients: Vec<Client>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) runtime: Handle,
}

impl Server {
    pub(super) fn new(client: &Client, fallback: &Fallback) -> Self {
        let named = [
            ("x-meshscope-project", &fallback.project),
            ("x-meshscope-session", &fallback.session),
        ];
        Self {
            clients: (0..UNDER_WAY).map(|_| client.another()).collect(),
            headers: named
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.clone()?)))
                .collect(),
            runtime: Handle::current(),
        }
    }

    fn keep(&mut self, source: &Source, bodies: Vec<Body>) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        let mut posts = Vec::new();
        for body in bodies {
            match kind(&body, source) {
                Ok((kind, encoding)) => posts.push((body.number, self.request(kind, encoding, body.bytes))),
                Err(error) => outcome.refuse(body.number, 1, error),
            }
        }
        let runtime = self.runtime.clone();
        for under_way in posts.chunks(UNDER_WAY) {
            let sent = under_way
                .iter()
                .zip(&mut self.clients)
                .map(|((number, post), client)| async move { (*number, deliver(client, post).await) });
            for (number, answer) in runtime.block_on(join_all(sent)) {
                if let Some((records, message)) = answer? {
                    outcome.refuse(number, records, message);
                }
            }
        }
        Ok(outcome)
    }

    fn request(&self, kind: Kind, encoding: Encoding, bytes: Vec<u8>) -> Post {
        // What is not OTLP is told by its body, at any of the paths.
        let signal = match kind {
            Kind::Otlp(signal) => signal,
            _ => Signal::Traces,
        };
        let media_type = match encoding {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        };
        let mut headers = self.headers.clone();
        headers.push(("content-type", media_type.to_owned()));
        headers.push(("accept", "application/json".to_owned()));
        Post {
            path: format!("/v1/{}", signal.as_str()),
            headers,
            body: Bytes::from(bytes),
        }
    }
}

/// Sends a body until the server has kept it; tells how many records were left out, and why.
async fn deliver(client: &mut Client, post: &Post) -> Result<Option<(u64, String)>, String> {
    let mut last = String::new();
    for attempt in 0..TRIES {
        let answer = match client.post(post).await {
            Ok(answer) => answer,
            // A connection that was kept may have ended meanwhile.
            Err(error) if attempt < 3 => {
                last = error.into();
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let status = answer.status().as_u16();
        let protobuf = answer
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|media_type| media_type == "application/x-protobuf");
        let body = read(answer).await?;
        match status {
            200 if protobuf => {
                return Ok((!body.is_empty())
                    .then(|| (0, "a part was left out; the server's status says what".to_owned())));
            }
            200 => return Ok(left_out(&body)),
            503 => {
                last = refusal(status, &body);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            400 | 413 | 415 => return Ok(Some((1, refusal(status, &body)))),
            _ => return Err(refusal(status, &body)),
        }
    }
    Err(last)
}

/// `partialSuccess` of an answer in JSON.
fn left_out(body: &[u8]) -> Option<(u64, String)> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let partial = answer.get("partialSuccess")?;
    let message = partial.get("errorMessage")?.as_str()?.to_owned();
    let count = ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"]
        .iter()
        .find_map(|key| partial.get(*key));
    let count = count.and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()));
    Some((count.unwrap_or(0), message))
}
