//! A client that remembers what was acknowledged, and sends again what was not.

use crate::generate::{Emitters, Workload};
use crate::http::Connection;
use meshscope_telemetry::otlp::{encode_logs, encode_metrics, encode_traces};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tonic::transport::Channel;

/// Records of one request. Of spans so many that traces and sessions come in several requests.
pub(super) const BATCH: u64 = 90;

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Spans,
    Logs,
    Points,
}

/// How it sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Door {
    Http,
    Grpc,
}

/// What came of a request.
enum Outcome {
    Acknowledged,
    /// 503: nothing was kept, try again.
    Refused,
    /// No answer: it may have been kept.
    Gone,
}

/// A client.
pub(super) struct Client {
    pub(super) kind: Kind,
    door: Door,
    pub(super) workload: Workload,
    /// Requests that were acknowledged, by number; request `n` has records `n * BATCH` on.
    pub(super) acknowledged: Vec<u64>,
    /// Requests without an answer, to be sent again.
    pub(super) open: Vec<u64>,
    next: u64,
}

impl Client {
    pub(super) fn new(kind: Kind, door: Door, workload: Workload) -> Self {
        Self {
            kind,
            door,
            workload,
            acknowledged: Vec::new(),
            open: Vec::new(),
            next: 0,
        }
    }

    /// The number of a request that was never sent.
    pub(super) fn never_sent(&self) -> u64 {
        self.next
    }

    /// The records of a request, by number.
    pub(super) fn records(request: u64) -> std::ops::Range<u64> {
        request * BATCH..(request + 1) * BATCH
    }

    fn body(&self, emitters: &Emitters, request: u64) -> Vec<u8> {
        let (records, w) = (Self::records(request), &self.workload);
        match self.kind {
            Kind::Spans => encode_traces(&w.records(emitters, records.start, records.end)),
            Kind::Logs => encode_logs(&records.map(|n| w.log(emitters, n)).collect::<Vec<_>>()),
            Kind::Points => encode_metrics(&records.map(|n| w.point(emitters, n)).collect::<Vec<_>>()),
        }
    }

    /// Sends first what is open, then new requests one after the other, until the server is gone.
    pub(super) fn send_until(&mut self, http: &str, grpc: &str, stop: &AtomicBool) {
        let emitters = Emitters::new();
        let Some(mut line) = Line::open(self.door, http, grpc) else {
            return;
        };
        while !stop.load(Ordering::Relaxed) {
            let request = self.open.first().copied().unwrap_or(self.next);
            let body = self.body(&emitters, request);
            let outcome = line.send(self.kind, &body);
            let again = self.open.first() == Some(&request);
            if let Outcome::Refused = outcome {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            self.next += u64::from(!again);
            match (outcome, again) {
                (Outcome::Acknowledged, true) => self.acknowledged.push(self.open.remove(0)),
                (Outcome::Acknowledged, false) => self.acknowledged.push(request),
                (_, true) => return,
                (_, false) => {
                    self.open.push(request);
                    return;
                }
            }
        }
    }
}

/// A connection of either kind.
enum Line {
    Http(Connection),
    Grpc(tokio::runtime::Runtime, Channel),
}

impl Line {
    /// `None` when the server is gone already.
    fn open(door: Door, http: &str, grpc: &str) -> Option<Self> {
        match door {
            Door::Http => Connection::open(http).ok().map(Self::Http),
            Door::Grpc => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                let endpoint = Channel::from_shared(grpc.to_owned()).expect("a URL");
                let channel = runtime.block_on(endpoint.connect()).ok()?;
                Some(Self::Grpc(runtime, channel))
            }
        }
    }

    fn send(&mut self, kind: Kind, body: &[u8]) -> Outcome {
        match self {
            Self::Http(connection) => {
                let path = match kind {
                    Kind::Spans => "/v1/traces",
                    Kind::Logs => "/v1/logs",
                    Kind::Points => "/v1/metrics",
                };
                match connection.post(path, body) {
                    Ok(answer) if answer.status == 200 => Outcome::Acknowledged,
                    Ok(answer) if answer.status == 503 => Outcome::Refused,
                    Ok(answer) => panic!("{path}: {} {}", answer.status, answer.text()),
                    Err(_) => Outcome::Gone,
                }
            }
            Self::Grpc(runtime, channel) => runtime.block_on(call(kind, channel.clone(), body)),
        }
    }
}

async fn call(kind: Kind, channel: Channel, body: &[u8]) -> Outcome {
    const OURS: &str = "what we encoded decodes";
    let answer = match kind {
        Kind::Spans => {
            let request = ExportTraceServiceRequest::decode(body).expect(OURS);
            TraceServiceClient::new(channel).export(request).await.map(|_| ())
        }
        Kind::Logs => {
            let request = ExportLogsServiceRequest::decode(body).expect(OURS);
            LogsServiceClient::new(channel).export(request).await.map(|_| ())
        }
        Kind::Points => {
            let request = ExportMetricsServiceRequest::decode(body).expect(OURS);
            MetricsServiceClient::new(channel)
                .export(request)
                .await
                .map(|_| ())
        }
    };
    match answer {
        Ok(()) => Outcome::Acknowledged,
        // A server that says so itself refuses; one that is gone leaves no source but its connection's.
        Err(status) if status.code() == tonic::Code::Unavailable && status.message().contains("queue") => {
            Outcome::Refused
        }
        Err(_) => Outcome::Gone,
    }
}
