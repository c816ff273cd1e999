//! Bytes of a recording on their way in: to the disk as they come, never as a whole in memory.

use super::files::Files;
use axum::body::{Body, Bytes, HttpBody as _};
use http_body_util::BodyExt as _;
use meshscope_api::Problem;
use meshscope_model::TraceId;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OwnedMutexGuard, watch};

/// How long nothing may come before a request is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// After how many bytes they are made durable while more come.
const SYNC: u64 = 8 * 1024 * 1024;

/// Who writes which recording.
pub(crate) struct Uploads {
    turns: Mutex<HashMap<TraceId, Arc<Turns>>>,
    ended: watch::Sender<bool>,
}

/// Turns at one recording. A client that comes back has lost its connection, though the server may
/// not know yet: the later request makes the earlier one end.
struct Turns {
    latest: watch::Sender<u64>,
    file: Arc<tokio::sync::Mutex<()>>,
}

/// The right to write one recording, until a later request wants it.
pub(super) struct Turn {
    _file: OwnedMutexGuard<()>,
    latest: watch::Receiver<u64>,
    ended: watch::Receiver<bool>,
}

impl Uploads {
    pub(crate) fn new() -> Self {
        Self {
            turns: Mutex::default(),
            ended: watch::Sender::new(false),
        }
    }

    /// Breaks off what is under way: clients go on with the next server.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TraceId, Arc<Turns>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the earlier requests about this recording have ended, and makes them.
    pub(super) async fn turn(&self, id: TraceId) -> Turn {
        let (turns, latest) = {
            let mut all = self.lock();
            // Nobody else holds what no request is about.
            all.retain(|_, turns| Arc::strong_count(turns) > 1 || Arc::strong_count(&turns.file) > 1);
            let turns = Arc::clone(all.entry(id).or_insert_with(|| {
                Arc::new(Turns {
                    latest: watch::Sender::new(0),
                    file: Arc::default(),
                })
            }));
            // Both under the lock: of two requests at once the later one ends the earlier, never neither.
            turns.latest.send_modify(|latest| *latest += 1);
            let latest = turns.latest.subscribe();
            (turns, latest)
        };
        Turn {
            _file: Arc::clone(&turns.file).lock_owned().await,
            latest,
            ended: self.ended.subscribe(),
        }
    }
}

/// What is there after a request.
#[derive(Debug)]
pub(super) struct Came {
    /// How many bytes, durably.
    pub(super) size: u64,
    /// Why no more came, where the body did not come to its end.
    pub(super) broke_off: Option<String>,
}

/// Why a body is not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// It has more bytes than there is room for; none of them is kept.
    TooMany,
    /// They cannot be written.
    Disk(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// What is told when a file cannot be written.
pub(super) fn disk(error: &io::Error) -> Problem {
    tracing::error!(%error, "a recording cannot be written");
    let full = [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::FileTooLarge,
    ];
    if full.contains(&error.kind()) {
        Problem::unavailable(format!("the disk is full: {error}"))
    } else {
        Problem::internal(format!("the recording cannot be written: {error}"))
    }
}

impl Turn {
    /// Appends a body to what has come of a recording, up to `most` bytes in all. What came before it
    /// broke off stays, durably. Of a body with more bytes than that nothing stays, and where its length
    /// is known nothing is read.
    pub(super) async fn append(
        &mut self,
        files: &Files,
        id: TraceId,
        body: Body,
        most: u64,
    ) -> Result<Came, Refused> {
        let path = files.part(id);
        let mut file = OpenOptions::new().append(true).create(true).open(&path).await?;
        let before = file.metadata().await?.len();
        let room = most.saturating_sub(before);
        if body.size_hint().lower() > room {
            return Err(Refused::TooMany);
        }
        let mut durable = before;
        let came = self.take(&mut file, body, room, &mut durable).await;
        if let Err(refused) = &came {
            // Whether what was not made durable is there nobody knows: it is to come again.
            let keep = match refused {
                Refused::TooMany => before,
                Refused::Disk(_) => durable,
            };
            let cut = match file.set_len(keep).await {
                Ok(()) => file.sync_all().await,
                failed => failed,
            };
            if let Err(error) = cut {
                tracing::error!(%error, path = %path.display(), "bytes that are not to stay were not removed");
            }
        }
        came
    }

    /// Writes a body of at most `room` bytes and makes it durable; `durable` rises with the bytes that are.
    async fn take(
        &mut self,
        file: &mut File,
        mut body: Body,
        room: u64,
        durable: &mut u64,
    ) -> Result<Came, Refused> {
        let (mut left, mut unsynced) = (room, 0);
        let broke_off = loop {
            let data = match self.next(&mut body).await {
                Ok(Some(data)) => data,
                Ok(None) => break None,
                Err(why) => break Some(why),
            };
            let bytes = data.len() as u64;
            left = left.checked_sub(bytes).ok_or(Refused::TooMany)?;
            file.write_all(&data).await?;
            unsynced += bytes;
            if unsynced >= SYNC {
                file.flush().await?;
                file.sync_data().await?;
                *durable += std::mem::take(&mut unsynced);
            }
        };
        // A write is told of before it is done: only this says how it went.
        file.flush().await?;
        file.sync_all().await?;
        *durable += unsynced;
        Ok(Came {
            size: *durable,
            broke_off,
        })
    }

    /// The next bytes of a body; `None` at its end, and why when it does not come to its end.
    async fn next(&mut self, body: &mut Body) -> Result<Option<Bytes>, String> {
        loop {
            let frame = tokio::select! {
                frame = tokio::time::timeout(PATIENCE, body.frame()) => frame,
                _ = self.latest.changed() => {
                    return Err("a later request about this recording came".to_owned());
                }
                _ = self.ended.wait_for(|ended| *ended) => {
                    return Err("the server is shutting down".to_owned());
                }
            };
            let frame = frame.map_err(|_elapsed| format!("nothing came for {PATIENCE:?}"))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| format!("the body broke off: {error}"))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}
