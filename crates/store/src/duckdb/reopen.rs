//! Opening the file anew: after the engine gave it up, and now and then to let go of what it holds.
//!
//! The engine keeps in memory what there is to know of each row group that it wrote or read (where
//! its columns lie, their least and greatest values), beside its limit and for as long as the file is
//! open: 0.3 MB a checkpoint. Of an opened file it reads that only as it is asked for.

use super::checkpoint::{ROOM, short_of};
use super::open::{connect, wal_of};
use super::{DuckDb, Writing, engine_error, lock, migrate, space};
use crate::StoreError;
use duckdb::Connection;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Time between attempts to open a store that the engine gave up.
const REOPEN: Duration = Duration::from_secs(1);
/// Checkpoints after which the file is opened anew; about 40 MB of what the engine holds.
pub(super) const RENEW_AFTER: u32 = 128;
/// How often, and how far apart, it is looked whether nobody reads.
const LOOKS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

impl DuckDb {
    /// Opens the store anew where the engine gave it up; `Ok` when it is open.
    pub(super) fn recover(&self, writing: &mut Writing) -> Result<(), StoreError> {
        let Some(path) = self.path.as_deref().filter(|_| self.lost.load(Ordering::Acquire)) else {
            return Ok(());
        };
        let later = || StoreError::Lost {
            detail: "the engine closed the store; it is opened again in a moment".to_owned(),
        };
        if writing.reopened.is_some_and(|tried| tried.elapsed() < REOPEN) {
            return Err(later());
        }
        // Who removes old records has a connection of its own, which fails with its next statement.
        let _removing = match self.removing.try_lock() {
            Ok(removing) => removing,
            Err(TryLockError::Poisoned(removing)) => removing.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(later()),
        };
        writing.reopened = Some(Instant::now());
        let reopened = self.reopen(writing, path);
        match &reopened {
            Ok(()) => tracing::warn!("the store was opened anew after the engine had given it up"),
            Err(error) => tracing::error!(%error, "the store cannot be opened anew yet"),
        }
        // Whatever it is, it may be over when it is tried again.
        reopened.map_err(|error| StoreError::Lost {
            detail: error.to_string(),
        })
    }

    fn reopen(&self, writing: &mut Writing, path: &Path) -> Result<(), StoreError> {
        let _shut = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let connection = self.connect_anew(writing, path)?;
        migrate::migrate(&connection, Some(path))?;
        *writing = Writing::load(connection, &self.slots)?;
        self.lost.store(false, Ordering::Release);
        Ok(())
    }

    /// Opens the file anew after [`RENEW_AFTER`] checkpoints, if there is a moment in which nobody
    /// reads. Best right after a checkpoint: closing brings what is left of the log into the file.
    pub(super) fn renew(&self) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        if self.checkpoints.load(Ordering::Relaxed) < RENEW_AFTER {
            return Ok(());
        }
        let _removing = lock(&self.removing);
        let _keeping = lock(&self.keeping);
        for _ in 0..LOOKS {
            if self.renew_unread(path)? {
                break;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// False when somebody reads.
    fn renew_unread(&self, path: &Path) -> Result<bool, StoreError> {
        let mut writing = lock(&self.writer);
        let _shut = match self.gate.try_write() {
            Ok(shut) => shut,
            Err(TryLockError::Poisoned(shut)) => shut.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        // What came since the checkpoint is brought into the file as it closes.
        if self.lost.load(Ordering::Acquire) || short_of(path, space::size(&wal_of(path)) + ROOM).is_some() {
            return Ok(true);
        }
        let began = Instant::now();
        // What the writer knows of what is kept stays true.
        match self.connect_anew(&mut writing, path) {
            Ok(connection) => writing.connection = connection,
            Err(error) => {
                self.lost.store(true, Ordering::Release);
                return Err(error);
            }
        }
        tracing::debug!(took = ?began.elapsed(), "the store was opened anew to free memory");
        Ok(true)
    }

    /// Closes the file and opens it, for one that holds the gate; returns the writer's connection.
    fn connect_anew(&self, writing: &mut Writing, path: &Path) -> Result<Connection, StoreError> {
        // Every connection must go before the file can be opened: two instances must never be.
        let nowhere = || Connection::open_in_memory().map_err(engine_error("open the store"));
        lock(&self.readers).clear();
        writing.connection = nowhere()?;
        *lock(&self.source) = nowhere()?;
        let connection = connect(path, &self.options)?;
        *lock(&self.source) = connection.try_clone().map_err(engine_error("open a reader"))?;
        self.checkpoints.store(0, Ordering::Relaxed);
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use std::sync::atomic::AtomicBool;

    fn count(connection: &Connection) -> Result<i64, StoreError> {
        connection
            .query_row("SELECT count(*) FROM calls", [], |row| row.get(0))
            .map_err(engine_error("count"))
    }

    fn add(writing: &mut Writing) -> Result<(), StoreError> {
        writing
            .connection
            .execute_batch("INSERT INTO calls (call) SELECT count(*) FROM calls")
            .map_err(engine_error("add a row"))
    }

    /// Temporary tables are gone with the engine that they were made in.
    fn mark(store: &DuckDb) {
        let mark = "CREATE TEMP TABLE mark (n INTEGER)";
        let marked = |writing: &mut Writing| {
            let run = writing.connection.execute_batch(mark);
            run.map_err(engine_error("mark"))
        };
        store.written(marked).unwrap();
    }

    fn is_marked(store: &DuckDb) -> bool {
        let sql = "SELECT count(*) > 0 FROM duckdb_tables() WHERE table_name = 'mark'";
        let asked = |writing: &mut Writing| {
            let row = writing.connection.query_row(sql, [], |row| row.get(0));
            row.map_err(engine_error("look for the mark"))
        };
        store.written(asked).unwrap()
    }

    #[test]
    fn after_many_checkpoints_the_file_is_opened_anew_once_nobody_reads() {
        let dir = tempfile::tempdir().unwrap();
        let store = DuckDb::open(dir.path(), &Options::default()).unwrap();
        store.written(add).unwrap();
        mark(&store);
        store.renew().unwrap();
        assert!(is_marked(&store), "no checkpoint was made yet");
        for _ in 0..RENEW_AFTER {
            store.written(add).unwrap();
            store.checkpoint().unwrap();
        }
        let rows = i64::from(RENEW_AFTER) + 1;
        let read = store.read(|connection| {
            std::thread::scope(|scope| scope.spawn(|| store.renew()).join().unwrap())?;
            count(connection)
        });
        assert_eq!(read.unwrap(), rows);
        assert!(is_marked(&store), "somebody read");
        store.renew().unwrap();
        assert!(!is_marked(&store));
        assert_eq!(store.checkpoints.load(Ordering::Relaxed), 0);
        store.written(add).unwrap();
        assert_eq!(store.read(count).unwrap(), rows + 1);
    }

    #[test]
    fn who_writes_and_who_reads_see_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = DuckDb::open(dir.path(), &Options::default()).unwrap();
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..300 {
                    store.written(add).unwrap();
                }
                ended.store(true, Ordering::Release);
            });
            scope.spawn(|| {
                let mut before = 0;
                while !ended.load(Ordering::Acquire) {
                    let now = store.read(count).unwrap();
                    assert!(now >= before, "{now} rows after {before}");
                    before = now;
                }
            });
            let mut renewed = 0;
            while !ended.load(Ordering::Acquire) {
                store.checkpoints.store(RENEW_AFTER, Ordering::Relaxed);
                store.renew().unwrap();
                renewed += u32::from(store.checkpoints.load(Ordering::Relaxed) == 0);
            }
            assert!(renewed > 0);
        });
        drop(store);
        let store = DuckDb::open(dir.path(), &Options::default()).unwrap();
        let distinct = |connection: &Connection| {
            let sql = "SELECT count(DISTINCT call) FROM calls";
            let row = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
            row.map_err(engine_error("count"))
        };
        assert_eq!(store.read(distinct).unwrap(), 300);
    }
}
