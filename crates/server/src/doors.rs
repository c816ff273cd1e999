//! The receivers beside OTLP: bodies that agent systems post in JSON of their own.

use crate::app::{App, now};
use crate::ingest::{Fallback, ingest_with};
use crate::otlp;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use meshscope_api::Problem;
use meshscope_telemetry::meshflow::{self, Ingest};
use meshscope_telemetry::{DecodeError, Decoded, Encoding, Rejected, Signal, videosdk};
use std::sync::Arc;

/// What can be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Turn metrics of VideoSDK, found by their body at OTLP's paths.
    VideoSdkTurns,
    /// A log record of VideoSDK, found in the same way.
    VideoSdkLog,
    /// What MeshFlow's cloud reporter posts to `/api/ingest/...`.
    MeshFlow(Ingest),
    /// What MeshFlow streams to a SIEM or webhook: `/siem`, `/webhook`, or by its body.
    MeshFlowEvents,
}

impl Door {
    /// The door at a path, which may stand below another.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let (rest, last) = path.rsplit_once('/')?;
        match last {
            "siem" | "webhook" => Some(Self::MeshFlowEvents),
            kind if rest.ends_with("/api/ingest") => Ingest::parse(kind).map(Self::MeshFlow),
            _ => None,
        }
    }

    /// The signal under which problems are counted.
    fn signal(self) -> Signal {
        match self {
            Self::VideoSdkTurns => Signal::Metrics,
            Self::VideoSdkLog | Self::MeshFlowEvents | Self::MeshFlow(Ingest::Worker) => Signal::Logs,
            Self::MeshFlow(_) => Signal::Traces,
        }
    }

    /// Keeps a body and answers as its sender expects when it is durable.
    pub(crate) async fn enter(
        self,
        app: &Arc<App>,
        body: Bytes,
        fallback: Fallback,
    ) -> Result<Response, Problem> {
        let received = now();
        let read = move || self.decode(&body, received);
        let rejected = ingest_with(app, self.signal(), fallback, read).await?;
        Ok(match self {
            // Exactly 200: VideoSDK takes any other answer for a failure.
            Self::VideoSdkTurns | Self::VideoSdkLog => otlp::answer(self.signal(), Encoding::Json, &rejected),
            Self::MeshFlow(_) | Self::MeshFlowEvents => acknowledged(&rejected),
        })
    }

    fn decode(self, body: &[u8], received: i64) -> Result<Decoded, DecodeError> {
        match self {
            Self::VideoSdkTurns => videosdk::turns(body, received),
            Self::VideoSdkLog => videosdk::log(body, received),
            Self::MeshFlow(kind) => meshflow::ingest(kind, body, received),
            Self::MeshFlowEvents => meshflow::events(body, received),
        }
    }
}

/// `{"ok": true}`, with what was left out.
fn acknowledged(rejected: &Rejected) -> Response {
    let mut answer = serde_json::json!({ "ok": true });
    if !rejected.messages.is_empty() {
        answer["rejected"] = rejected.records.to_string().into();
        answer["message"] = rejected.message().into();
    }
    ([(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}
