//! Bodies within limits: as sent, and after decompression.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use meshscope_api::Problem;
use std::io::Read;

/// Reads a body to its end, whatever its framing, and decompresses it.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    max_body: usize,
    max_decoded: usize,
) -> Result<Bytes, Problem> {
    let encoding = encoding(headers)?;
    let bytes = collect(body, max_body).await?;
    if encoding == Coding::Identity {
        return Ok(bytes);
    }
    let decoded = tokio::task::spawn_blocking(move || decompress(encoding, &bytes, max_decoded)).await;
    decoded.unwrap_or_else(|error| {
        tracing::error!(%error, "decompression panicked");
        Err(Problem::invalid_body("the body could not be decompressed"))
    })
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Coding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

fn encoding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let name = headers
        .get(header::CONTENT_ENCODING)
        .map_or("", |value| value.to_str().unwrap_or("?"));
    match name.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Coding::Identity),
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "deflate" => Ok(Coding::Deflate),
        "zstd" => Ok(Coding::Zstd),
        other => Err(Problem::unsupported_media_type(format!(
            "Content-Encoding {other:?} is not supported: use gzip, zstd, deflate or identity"
        ))),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::invalid_body(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(too_large("as sent", limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn decompress(coding: Coding, bytes: &[u8], limit: usize) -> Result<Bytes, Problem> {
    match coding {
        Coding::Identity => Ok(Bytes::copy_from_slice(bytes)),
        Coding::Gzip => read_within(flate2::read::MultiGzDecoder::new(bytes), limit),
        // RFC 9110 means zlib by deflate; some senders send the bare stream.
        Coding::Deflate => read_within(flate2::read::ZlibDecoder::new(bytes), limit).or_else(|problem| {
            if problem.status == 413 {
                return Err(problem);
            }
            read_within(flate2::read::DeflateDecoder::new(bytes), limit)
        }),
        Coding::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(bytes);
            read_within(
                decoder.map_err(|error| Problem::invalid_body(error.to_string()))?,
                limit,
            )
        }
    }
}

/// Reads to the end, but never more than the limit: a bomb costs no more memory than that.
fn read_within(decoder: impl Read, limit: usize) -> Result<Bytes, Problem> {
    let mut decoded = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(most)
        .read_to_end(&mut decoded)
        .map_err(|error| Problem::invalid_body(format!("the body cannot be decompressed: {error}")))?;
    if decoded.len() > limit {
        Err(too_large("after decompression", limit))
    } else {
        Ok(decoded.into())
    }
}

fn too_large(when: &str, limit: usize) -> Problem {
    Problem::too_large(format!(
        "the body is larger than {} MiB {when}: send smaller batches",
        limit / 1024 / 1024
    ))
}
