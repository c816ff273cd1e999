//! The receivers beside OTLP: bodies that agent systems post in JSON of their own.

use crate::app::{App, now};
use crate::ingest::{Fallback, ingest_with};
use crate::otlp;
use axum::response::Response;
use bytes::Bytes;
use meshscope_api::Problem;
use meshscope_telemetry::{Body, Encoding, Signal, videosdk};
use std::sync::Arc;

/// Keeps a body that was posted where OTLP goes and is something else. The answer is exactly
/// 200, as VideoSDK takes any other for a failure.
pub(crate) async fn posted(
    app: &Arc<App>,
    body: Body,
    bytes: Bytes,
    fallback: Fallback,
) -> Result<Response, Problem> {
    let received = now();
    let (signal, rejected) = match body {
        Body::VideoSdkTurns => {
            let read = move || videosdk::turns(&bytes, received);
            (
                Signal::Metrics,
                ingest_with(app, Signal::Metrics, fallback, read).await?,
            )
        }
        Body::VideoSdkLog => {
            let read = move || videosdk::log(&bytes, received);
            (
                Signal::Logs,
                ingest_with(app, Signal::Logs, fallback, read).await?,
            )
        }
        Body::MeshFlowEvent | Body::Otlp(_) => return Err(Problem::invalid_body("not yet")),
    };
    Ok(otlp::answer(signal, Encoding::Json, &rejected))
}
