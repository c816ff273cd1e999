//! Bytes of a recording on their way in: to the disk as they come, never as a whole in memory.

use super::files::Files;
use axum::body::Body;
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
        let turns = {
            let mut all = self.lock();
            // Nobody else holds what no request is about.
            all.retain(|_, turns| Arc::strong_count(turns) > 1 || Arc::strong_count(&turns.file) > 1);
            Arc::clone(all.entry(id).or_insert_with(|| {
                Arc::new(Turns {
                    latest: watch::Sender::new(0),
                    file: Arc::default(),
                })
            }))
        };
        turns.latest.send_modify(|latest| *latest += 1);
        let latest = turns.latest.subscribe();
        Turn {
            _file: Arc::clone(&turns.file).lock_owned().await,
            latest,
            ended: self.ended.subscribe(),
        }
    }
}

/// Why no more came.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The body broke off, a later request came, or the server ends.
    Early(String),
    /// More bytes than there should be.
    TooMany,
    /// They cannot be written.
    Disk(io::Error),
}

impl Stopped {
    pub(super) fn problem(&self, most: u64) -> Problem {
        match self {
            Self::Early(why) => Problem::invalid_body(format!(
                "{why}: ask with HEAD for Upload-Offset and go on from there"
            )),
            Self::TooMany => Problem::too_large(format!("more than the {most} bytes that may come")),
            Self::Disk(error) => disk(error),
        }
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
    /// Appends a body to what has come of a recording, up to `most` bytes in all; returns how many
    /// are there. What came before it broke off stays, durably.
    pub(super) async fn append(
        &mut self,
        files: &Files,
        id: TraceId,
        body: Body,
        most: u64,
    ) -> Result<u64, (u64, Stopped)> {
        let path = files.part(id);
        let opened = OpenOptions::new().append(true).create(true).open(&path).await;
        let mut file = opened.map_err(|error| (0, Stopped::Disk(error)))?;
        let mut size = match file.metadata().await {
            Ok(metadata) => metadata.len(),
            Err(error) => return Err((0, Stopped::Disk(error))),
        };
        let came = self.write(&mut file, body, most, &mut size).await;
        // Also what came before it broke off is not to come again.
        let synced = match file.flush().await {
            Ok(()) => file.sync_all().await,
            Err(error) => Err(error),
        };
        match came.and_then(|()| synced.map_err(Stopped::Disk)) {
            Ok(()) => Ok(size),
            Err(stopped) => Err((size, stopped)),
        }
    }

    async fn write(
        &mut self,
        file: &mut File,
        mut body: Body,
        most: u64,
        size: &mut u64,
    ) -> Result<(), Stopped> {
        let mut unsynced = 0;
        loop {
            let frame = tokio::select! {
                frame = tokio::time::timeout(PATIENCE, body.frame()) => frame,
                _ = self.latest.changed() => {
                    return Err(Stopped::Early("a later request about this recording came".to_owned()));
                }
                _ = self.ended.wait_for(|ended| *ended) => {
                    return Err(Stopped::Early("the server is shutting down".to_owned()));
                }
            };
            let Ok(frame) = frame else {
                return Err(Stopped::Early(format!("nothing came for {PATIENCE:?}")));
            };
            let Some(frame) = frame else { return Ok(()) };
            let frame = frame.map_err(|error| Stopped::Early(format!("the body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            let bytes = data.len() as u64;
            if size.saturating_add(bytes) > most {
                return Err(Stopped::TooMany);
            }
            file.write_all(&data).await.map_err(Stopped::Disk)?;
            *size += bytes;
            unsynced += bytes;
            if unsynced >= SYNC {
                unsynced = 0;
                file.flush().await.map_err(Stopped::Disk)?;
                file.sync_data().await.map_err(Stopped::Disk)?;
            }
        }
    }
}
