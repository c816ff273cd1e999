//! Answers that are made piece by piece off the async threads, compressed on the way, and given
//! up when their reader goes.

pub(crate) mod columns;

use crate::api::Answer;
use crate::ask::{Asked, refusal_of};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use meshscope_api::Problem;
use meshscope_store::StoreError;
use meshscope_store::stop::Stop;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Pieces that wait for a slow reader.
const WAITING: usize = 4;
/// How large a piece grows when nothing flushes it.
const PIECE: usize = 256 * 1024;
/// A reader that takes nothing for so long is given up: what it reads from must not stay open.
const STILL: Duration = Duration::from_secs(60);

/// How an answer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// Those that can be asked for, the quickest for its size first.
    const ALL: [(Self, &'static str); 3] = [(Self::Zstd, "zstd"), (Self::Brotli, "br"), (Self::Gzip, "gzip")];

    /// The best that `Accept-Encoding` lets through: by its weights, and by ours where those are
    /// the same.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let weight_of = |name: &str| {
            let all = headers.get_all(header::ACCEPT_ENCODING).iter();
            let words = all.filter_map(|value| value.to_str().ok());
            let words = words.flat_map(|value| value.split(','));
            let named = words.filter_map(|word| {
                let mut parts = word.split(';').map(str::trim);
                let coding = parts.next()?;
                let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse::<f32>().ok());
                Some((coding, weight.unwrap_or(1.0)))
            });
            let (mut own, mut any) = (None, None);
            for (coding, weight) in named {
                if coding.eq_ignore_ascii_case(name) {
                    own = Some(weight);
                } else if coding == "*" {
                    any = Some(weight);
                }
            }
            own.or(any).unwrap_or(0.0)
        };
        let mut best = (Self::Identity, 0.0);
        for (coding, name) in Self::ALL {
            let weight = weight_of(name);
            if weight > best.1 {
                best = (coding, weight);
            }
        }
        best.0
    }

    fn name(self) -> Option<&'static str> {
        let found = Self::ALL.iter().find(|(coding, _)| *coding == self);
        found.map(|(_, name)| *name)
    }

    /// A writer that compresses into `pipe`; it ends its stream when dropped.
    fn writer(self, pipe: Pipe) -> io::Result<Box<dyn Write>> {
        Ok(match self {
            Self::Identity => Box::new(pipe),
            Self::Gzip => Box::new(flate2::write::GzEncoder::new(pipe, flate2::Compression::fast())),
            Self::Brotli => Box::new(brotli::CompressorWriter::new(pipe, 64 * 1024, 3, 20)),
            Self::Zstd => Box::new(zstd::stream::write::Encoder::new(pipe, 1)?.auto_finish()),
        })
    }
}

/// Why an answer ends early.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Its reader has gone, or stands still.
    Gone,
    /// It cannot be made.
    Problem(Problem),
}

impl From<io::Error> for Stopped {
    fn from(_: io::Error) -> Self {
        // A pipe fails only when nobody reads.
        Self::Gone
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        match error {
            // It is stopped only when nobody waits for it.
            StoreError::Stopped => Self::Gone,
            error => Self::Problem(refusal_of(&error)),
        }
    }
}

impl From<Problem> for Stopped {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Where the pieces go.
struct Pipe {
    sender: mpsc::Sender<Result<Bytes, Problem>>,
    runtime: Handle,
    gathered: Vec<u8>,
}

impl Pipe {
    fn send(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.gathered));
        let sent = self.sender.send_timeout(Ok(piece), STILL);
        self.runtime
            .block_on(sent)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // However much is written at once, it waits in pieces.
        let bytes = bytes.get(..PIECE).unwrap_or(bytes);
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Err(error) = self.send() {
            tracing::debug!(%error, "the reader of an answer had gone");
        }
    }
}

/// Answers with what `make` writes; a flush sends what is there. What it asks of the store under
/// the given [`Stop`] ends when the reader has gone. A problem before anything was
/// sent is the answer; one after it breaks off the connection, so that half an answer is not taken
/// for a whole one.
pub(crate) async fn pour(
    media_type: &'static str,
    coding: Coding,
    make: impl FnOnce(&mut dyn Write, &Arc<Stop>) -> Result<(), Stopped> + Send + 'static,
) -> Answer {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let runtime = Handle::current();
    let asked = Asked::default();
    let stop = Arc::clone(&asked.0);
    let making = tokio::task::spawn_blocking(move || {
        let failures = sender.clone();
        let pipe = Pipe {
            sender,
            runtime,
            gathered: Vec::new(),
        };
        let made = match coding.writer(pipe) {
            Ok(mut writer) => match make(&mut *writer, &stop) {
                Ok(()) => return,
                Err(stopped) => {
                    // The failure overtakes what was not sent: dropped is after it.
                    tell(&failures, stopped);
                    drop(writer);
                    return;
                }
            },
            Err(error) => Problem::internal(format!("the answer cannot be compressed: {error}")),
        };
        tell(&failures, Stopped::Problem(made));
    });
    let first = match receiver.recv().await {
        Some(Err(problem)) => return Err(problem.into()),
        Some(Ok(first)) => first,
        None => Bytes::new(),
    };
    let rest = stream::unfold(Some((receiver, making, asked)), |state| async move {
        let (mut receiver, making, asked) = state?;
        match receiver.recv().await {
            Some(Ok(piece)) => Some((Ok(piece), Some((receiver, making, asked)))),
            Some(Err(problem)) => Some((Err(io::Error::other(problem.detail)), None)),
            // What ended in a panic is not whole.
            None => making
                .await
                .err()
                .map(|error| (Err(io::Error::other(error)), None)),
        }
    });
    let pieces = stream::once(async { Ok(first) }).chain(rest);
    let mut response = (
        [
            (header::CONTENT_TYPE, media_type),
            (header::CACHE_CONTROL, "no-store"),
            (header::VARY, "accept, accept-encoding"),
        ],
        Body::from_stream(pieces),
    )
        .into_response();
    if let Some(name) = coding.name() {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    Ok(response)
}

/// A long answer as JSON, compressed as the reader wishes.
pub(crate) async fn pour_json(answer: impl Serialize + Send + 'static, headers: &HeaderMap) -> Answer {
    pour("application/json", Coding::of(headers), move |out, _| {
        serde_json::to_writer(out, &answer).map_err(io::Error::from)?;
        Ok(())
    })
    .await
}

fn tell(reader: &mpsc::Sender<Result<Bytes, Problem>>, stopped: Stopped) {
    match stopped {
        Stopped::Gone => tracing::debug!("the reader of an answer has gone"),
        Stopped::Problem(problem) => {
            tracing::warn!(detail = problem.detail, "an answer broke off");
            if reader.blocking_send(Err(problem)).is_err() {
                tracing::debug!("its reader had gone");
            }
        }
    }
}

/// Says that an answer is to be kept as a file.
pub(crate) fn attached(mut response: Response, file: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{file}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coding_is_the_best_that_is_asked_for() {
        for (asked, coding) in [
            ("", Coding::Identity),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("gzip, deflate, br", Coding::Brotli),
            ("gzip;q=1.0, br;q=0.5", Coding::Gzip),
            ("GZIP", Coding::Gzip),
            ("zstd;q=0, gzip", Coding::Gzip),
            ("*", Coding::Zstd),
            ("*;q=0.1, gzip", Coding::Gzip),
            ("*, zstd;q=0", Coding::Brotli),
            ("identity", Coding::Identity),
            ("deflate", Coding::Identity),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(asked));
            assert_eq!(Coding::of(&headers), coding, "{asked}");
        }
        assert_eq!(Coding::of(&HeaderMap::new()), Coding::Identity);
    }

    #[tokio::test]
    async fn what_nobody_reads_is_given_up() {
        let (told, ended) = tokio::sync::oneshot::channel();
        let answer = pour("text/plain", Coding::Gzip, |out, _| {
            let written = loop {
                if let Err(error) = out.write_all(b"more").and_then(|()| out.flush()) {
                    break Err(error.into());
                }
            };
            told.send(()).map_err(|()| Stopped::Gone)?;
            written
        });
        let mut body = answer.await.ok().unwrap().into_body().into_data_stream();
        assert!(body.next().await.unwrap().is_ok());
        drop(body);
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_problem_is_the_answer_before_the_first_byte_and_breaks_off_after_it() {
        let early = pour("text/plain", Coding::Identity, |out, _| {
            out.write_all(b"not sent yet")?;
            Err(Problem::not_found("none").into())
        });
        assert_eq!(early.await.into_response().status().as_u16(), 404);
        for coding in [Coding::Identity, Coding::Zstd] {
            let late = pour("text/plain", coding, |out, _| {
                out.write_all(b"a part")?;
                out.flush()?;
                Err(Problem::internal("no more").into())
            });
            let body = late.await.ok().unwrap().into_body();
            assert!(axum::body::to_bytes(body, 1_000).await.is_err(), "{coding:?}");
        }
        let panicked = pour("text/plain", Coding::Identity, |out, _| {
            out.write_all(b"a part")?;
            out.flush()?;
            panic!("while it is made")
        });
        let body = panicked.await.ok().unwrap().into_body();
        assert!(axum::body::to_bytes(body, 1_000).await.is_err());
    }

    #[tokio::test]
    async fn nothing_to_say_is_an_empty_answer() {
        let answer = pour("text/plain", Coding::Identity, |_, _| Ok(())).await;
        let body = answer.ok().unwrap().into_body();
        assert!(axum::body::to_bytes(body, 1_000).await.unwrap().is_empty());
    }
}
