//! A recording on its way out.

use super::files::Files;
use super::range::{self, Asked};
use crate::api::{Answer, Failure};
use crate::file;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use meshscope_api::{Problem, Recording, recording};
use meshscope_model::TraceId;
use std::io::SeekFrom;
use tokio::io::AsyncSeekExt as _;

/// What a page that shows a recording by itself may do: nothing.
const POLICY: &str = "default-src 'none'; sandbox";

/// The bytes that a request asks for of a recording that is whole.
pub(super) async fn bytes(files: &Files, id: TraceId, recording: &Recording, headers: &HeaderMap) -> Answer {
    let mut opened = tokio::fs::File::open(files.whole(id))
        .await
        .map_err(|error| lost(&error))?;
    let size = opened.metadata().await.map_err(|error| lost(&error))?.len();
    let tag = format!("\"{id}\"");
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|shown| shown.contains(&tag)) {
        return Ok(dressed(StatusCode::NOT_MODIFIED.into_response(), recording, &tag));
    }
    // A range is of what the client has the beginning of, or of nothing.
    let same = text(header::IF_RANGE).is_none_or(|shown| shown == tag);
    let asked = text(header::RANGE)
        .filter(|_| same)
        .map_or(Asked::Whole, |range| range::read(range, size));
    let (status, from, to) = match asked {
        Asked::Whole => (StatusCode::OK, 0, size),
        Asked::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Asked::Beyond => {
            let problem = Problem::invalid_parameter("Range", format!("there are {size} bytes"));
            let problem = Problem {
                status: 416,
                ..problem
            };
            let answer = crate::api::problem(&problem);
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], answer).into_response());
        }
    };
    opened
        .seek(SeekFrom::Start(from))
        .await
        .map_err(|error| lost(&error))?;
    let mut answer = Response::new(file::body(opened, to - from, ()));
    *answer.status_mut() = status;
    let into = answer.headers_mut();
    into.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = HeaderValue::from_str(&format!("bytes {from}-{}/{size}", to - 1))
    {
        into.insert(header::CONTENT_RANGE, range);
    }
    Ok(dressed(answer, recording, &tag))
}

/// How much of a recording is there, without its bytes.
pub(super) fn standing(recording: &Recording) -> Response {
    let mut answer = Response::new(Body::empty());
    let ready = recording.received_bytes == recording.size_bytes;
    if let Some(size) = recording.size_bytes.filter(|_| ready) {
        answer
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        answer = dressed(answer, recording, &format!("\"{}\"", recording.recording_id));
    }
    let into = answer.headers_mut();
    into.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    with_offset(into, recording);
    answer
}

/// Says how many bytes are there, and how many there will be.
pub(super) fn with_offset(headers: &mut HeaderMap, recording: &Recording) {
    for (name, number) in [
        ("upload-offset", recording.received_bytes),
        ("upload-length", recording.size_bytes),
    ] {
        if let Some(number) = number {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
        }
    }
}

/// Whatever the bytes are, they are taken for sound or pictures or for nothing.
fn dressed(mut answer: Response, recording: &Recording, tag: &str) -> Response {
    let known = recording
        .content_type
        .as_deref()
        .and_then(recording::content_type);
    let into = answer.headers_mut();
    let disposition = if known.is_some() { "inline" } else { "attachment" };
    for (name, value) in [
        (header::CONTENT_TYPE, known.unwrap_or("application/octet-stream")),
        (header::CONTENT_DISPOSITION, disposition),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, max-age=3600"),
    ] {
        into.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(tag) {
        into.insert(header::ETAG, tag);
    }
    answer
}

fn lost(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Problem::not_found("the recording's bytes are not there any more").into();
    }
    tracing::error!(%error, "a recording cannot be read");
    Problem::internal(format!("the recording cannot be read: {error}")).into()
}
