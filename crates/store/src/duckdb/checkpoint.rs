//! Checkpoints, and opening anew after the engine gave up.
//!
//! A commit goes to the write-ahead log; a checkpoint brings the log into the file. The engine
//! would do that within the commit that makes the log too long, so that one sender waits for it;
//! and when the disk is full in the middle of it, the engine closes the store for good. So its own
//! are turned off: [`DuckDb::tend_file`] makes them beside the writer, and only where there is room.
//! A log that cannot grow is harmless: that commit fails, and the next one may not.

use super::open::{connect, wal_of};
use super::{DuckDb, Writing, engine_error, lock, space};
use crate::StoreError;
use duckdb::Connection;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Length of the log at which it is brought into the file.
const CHECKPOINT_AT: u64 = 32 * MIB;
/// Room that a checkpoint must have beside the length of the log.
const ROOM: u64 = 16 * MIB;
const MIB: u64 = 1024 * 1024;
/// Time between attempts to open a store that the engine gave up.
const REOPEN: Duration = Duration::from_secs(1);

impl DuckDb {
    /// Makes the checkpoint that is due, if one is.
    pub(super) fn tend_file(&self) -> Result<(), StoreError> {
        match &self.path {
            Some(path) if space::size(&wal_of(path)) >= CHECKPOINT_AT => self.checkpoint(),
            _ => Ok(()),
        }
    }

    /// Brings the log into the file. Waits for others that keep the file.
    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        let _keeping = lock(&self.keeping);
        self.checkpoint_kept()
    }

    /// The same for one that holds `keeping`.
    pub(super) fn checkpoint_kept(&self) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        let needed = space::size(&wal_of(path)).saturating_add(ROOM);
        if let Some(free) = path.parent().and_then(space::free)
            && free < needed
        {
            return Err(StoreError::Full {
                detail: format!(
                    "bringing the log into {} needs {needed} bytes and {free} are free",
                    path.display()
                ),
            });
        }
        let result = self.read(|connection| {
            connection
                .execute_batch("CHECKPOINT")
                .map_err(engine_error("bring the log into the file"))
        });
        if let Err(StoreError::Lost { .. }) = &result {
            self.lost.store(true, Ordering::Release);
        }
        result
    }

    /// Opens the store anew where the engine gave it up; `Ok` when it is open.
    pub(super) fn recover(&self, writing: &mut Writing) -> Result<(), StoreError> {
        let Some(path) = self.path.as_deref().filter(|_| self.lost.load(Ordering::Acquire)) else {
            return Ok(());
        };
        if let Some(tried) = writing.reopened
            && tried.elapsed() < REOPEN
        {
            return Err(StoreError::Lost {
                detail: "the engine closed the store; it is opened again in a moment".to_owned(),
            });
        }
        writing.reopened = Some(Instant::now());
        let reopened = self.reopen(writing, path);
        match &reopened {
            Ok(()) => tracing::warn!("the store was opened anew after the engine had given it up"),
            Err(error) => tracing::error!(%error, "the store cannot be opened anew yet"),
        }
        reopened
    }

    fn reopen(&self, writing: &mut Writing, path: &Path) -> Result<(), StoreError> {
        // Every connection must go before the file can be opened: two instances must never be.
        let _shut = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let nowhere = || Connection::open_in_memory().map_err(engine_error("open the store"));
        lock(&self.readers).clear();
        writing.connection = nowhere()?;
        *lock(&self.source) = nowhere()?;
        let connection = connect(path, &self.options)?;
        super::migrate(&connection, Some(path))?;
        *lock(&self.source) = connection.try_clone().map_err(engine_error("open a reader"))?;
        *writing = Writing::load(connection, &self.slots)?;
        self.lost.store(false, Ordering::Release);
        Ok(())
    }
}
