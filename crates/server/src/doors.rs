//! The receivers beside OTLP: bodies that agent systems post in JSON of their own.

use crate::app::{App, now};
use crate::ingest::{Fallback, ingest_with};
use crate::otlp;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use meshscope_api::{Accepted, Problem};
use meshscope_telemetry::meshflow::{self, Ingest};
use meshscope_telemetry::{DecodeError, Decoded, Encoding, Rejected, Signal, developer, jaeger, videosdk};
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
    /// Traces of Jaeger as its API and page write them, found by their body.
    Jaeger,
    /// Log records in JSON or as lines: `/v1/developer/logs`.
    DeveloperLogs,
    /// Frames of MeshAgent's developer stream: `/v1/developer/frames`.
    DeveloperFrames,
}

impl Door {
    /// The door at a path, which may stand below another.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let (rest, last) = path.rsplit_once('/')?;
        match last {
            "siem" | "webhook" => Some(Self::MeshFlowEvents),
            "logs" if rest.ends_with("/v1/developer") => Some(Self::DeveloperLogs),
            "frames" if rest.ends_with("/v1/developer") => Some(Self::DeveloperFrames),
            kind if rest.ends_with("/api/ingest") => Ingest::parse(kind).map(Self::MeshFlow),
            _ => None,
        }
    }

    /// The signal under which problems are counted.
    fn signal(self) -> Signal {
        match self {
            Self::VideoSdkTurns => Signal::Metrics,
            Self::MeshFlow(Ingest::Worker) => Signal::Logs,
            Self::MeshFlow(_) | Self::Jaeger => Signal::Traces,
            Self::VideoSdkLog | Self::MeshFlowEvents | Self::DeveloperLogs | Self::DeveloperFrames => {
                Signal::Logs
            }
        }
    }

    /// Keeps a body and answers as its sender expects when it is durable.
    pub(crate) async fn enter(
        self,
        app: &Arc<App>,
        headers: &HeaderMap,
        body: Bytes,
        fallback: Fallback,
    ) -> Result<Response, Problem> {
        let (received, plain) = (now(), !says_json(headers));
        let read = move || self.decode(&body, plain, received);
        let (kept, rejected) = ingest_with(app, self.signal(), fallback, read).await?;
        Ok(match self {
            // Exactly 200: VideoSDK takes any other answer for a failure.
            Self::VideoSdkTurns | Self::VideoSdkLog | Self::Jaeger => {
                otlp::answer(self.signal(), Encoding::Json, &rejected)
            }
            Self::MeshFlow(_) | Self::MeshFlowEvents => acknowledged(&rejected),
            Self::DeveloperLogs | Self::DeveloperFrames => accepted(kept, rejected)?,
        })
    }

    fn decode(self, body: &[u8], plain: bool, received: i64) -> Result<Decoded, DecodeError> {
        match self {
            Self::VideoSdkTurns => videosdk::turns(body, received),
            Self::VideoSdkLog => videosdk::log(body, received),
            Self::Jaeger => jaeger::decode(body),
            Self::MeshFlow(kind) => meshflow::ingest(kind, body, received),
            Self::MeshFlowEvents => meshflow::events(body, received),
            Self::DeveloperLogs => developer::logs(body, plain, received),
            Self::DeveloperFrames => developer::frames(body, received),
        }
    }
}

/// Whether the Content-Type is one of JSON or of JSON lines.
fn says_json(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    media_type.is_some_and(|media_type| media_type.to_ascii_lowercase().contains("json"))
}

fn accepted(kept: usize, rejected: Rejected) -> Result<Response, Problem> {
    let answer = Accepted {
        accepted: kept as u64,
        rejected: rejected.records,
        messages: rejected.messages,
    };
    let body = serde_json::to_vec(&answer).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Keeps log records of your own.
///
/// A JSON object, an array of objects or texts, or an object a line; with any other Content-Type
/// than JSON plain lines, of which those that are objects are read as such. Names that logging
/// libraries use are understood: `message` (`msg`, `text`, `body`), `level` by name or number, `time`
/// (RFC 3339, or a number of seconds to nanoseconds since the epoch), `session`, `room`, `project`,
/// `agent`, `service`, `logger`, `trace_id`, `span_id`, `event_name`. All else becomes attributes.
/// The same at `/v1/developer/logs` of the OTLP port.
#[utoipa::path(post, path = "/api/v1/developer/logs", request_body(
        content((Object = "application/json"), (String = "application/x-ndjson"), (String = "text/plain")),
        description = "`{\"level\":\"info\",\"message\":\"started\",\"session\":\"s1\"}`, many of them, or plain lines"),
    params(
        ("session" = Option<String>, Query, description = "The session of records that name none; also `X-Meshscope-Session`"),
        ("project" = Option<String>, Query, description = "The project of records that name none; also `X-Meshscope-Project`"),
    ),
    responses((status = 200, description = "Kept, durably", body = Accepted), (status = 400, body = Problem)))]
pub(crate) async fn developer_logs(app: State<Arc<App>>, request: Request) -> Response {
    otlp::receive(app, request).await
}

/// Keeps frames of MeshAgent's developer stream.
///
/// `{"type", "data"}`: one, an array, or one a line, as `meshagent room developer --format json`
/// prints them. `otel.log`, `otel.trace` and `otel.metric` carry OTLP in JSON; any other type is a log
/// line with its text in `data.message`. The same at `/v1/developer/frames` of the OTLP port.
#[utoipa::path(post, path = "/api/v1/developer/frames", request_body(
        content((Object = "application/json"), (String = "application/x-ndjson")),
        description = "`{\"type\":\"otel.trace\",\"data\":{\"resourceSpans\":[]}}`"),
    params(
        ("session" = Option<String>, Query, description = "The session of records that name none; also `X-Meshscope-Session`"),
        ("project" = Option<String>, Query, description = "The project of records that name none; also `X-Meshscope-Project`"),
    ),
    responses((status = 200, description = "Kept, durably", body = Accepted), (status = 400, body = Problem)))]
pub(crate) async fn developer_frames(app: State<Arc<App>>, request: Request) -> Response {
    otlp::receive(app, request).await
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
