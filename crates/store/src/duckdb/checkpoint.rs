//! Checkpoints, and merging what they leave.
//!
//! A commit goes to the write-ahead log; a checkpoint brings the log into the file. The engine
//! would do that within the commit that makes the log too long, so that one sender waits for it;
//! and when the disk is full in the middle of it, the engine closes the store for good. So its own
//! are turned off: [`DuckDb::tend_file`] makes them beside the writer, and only where there is room.
//! A log that cannot grow is harmless: that commit fails, and the next one may not.
//!
//! Each checkpoint begins row groups of its own, which the engine would merge in a later one: all
//! that can be merged at once, while writers wait, for seconds and tens of seconds under load. So
//! checkpoints merge nothing, and [`DuckDb::merge`] does when nothing comes, a little at a time.

use super::open::wal_of;
use super::{DuckDb, engine_error, lock, space};
use crate::StoreError;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Length of the log at which it is brought into the file.
const CHECKPOINT_AT: u64 = 32 * MIB;
/// Room that a checkpoint must have beside the length of the log.
pub(super) const ROOM: u64 = 16 * MIB;
const MIB: u64 = 1024 * 1024;
/// Row groups are merged when nothing has come for so long.
const QUIET: Duration = Duration::from_secs(10);

/// What is to be merged, and whether it is time.
#[derive(Debug)]
pub(super) struct Merging {
    /// Steps that may still find something: each checkpoint leaves one.
    owed: u32,
    /// Sequence number of the last record when last looked at, and since when it is that.
    sequence: i64,
    since: Instant,
}

impl Default for Merging {
    fn default() -> Self {
        Self {
            owed: 0,
            sequence: -1,
            since: Instant::now(),
        }
    }
}

impl Merging {
    /// Whether a step is due, where the last record is `sequence` now.
    fn is_due(&mut self, sequence: i64) -> bool {
        if self.sequence != sequence {
            self.sequence = sequence;
            self.since = Instant::now();
        }
        self.owed > 0 && self.since.elapsed() >= QUIET
    }

    /// Takes a step as made. The next one waits as well: who reads meanwhile must not wait for many in a row.
    fn begin(&mut self) {
        self.owed = self.owed.saturating_sub(1);
        self.since = Instant::now();
    }
}

impl DuckDb {
    /// Merges some small row groups, if there may be any and nothing comes.
    pub(super) fn tend_row_groups(&self) -> Result<(), StoreError> {
        let sequence = lock(&self.writer).sequence;
        let due = lock(&self.merging).is_due(sequence);
        if due { self.merge() } else { Ok(()) }
    }

    /// Merges of each table some small row groups that lie side by side into one to three full ones.
    fn merge(&self) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        let _keeping = lock(&self.keeping);
        lock(&self.merging).begin();
        // How large rows are is not known: no table is larger than the file.
        if short_of(path, space::size(path).saturating_add(ROOM)).is_some() {
            return Ok(());
        }
        self.stir()?;
        self.set_merged(1)?;
        let merged = self.checkpoint_kept();
        self.set_merged(0)?;
        merged
    }

    /// Writes what says nothing: the engine makes a checkpoint only where the log has something.
    pub(super) fn stir(&self) -> Result<(), StoreError> {
        self.written(|writing| {
            let sql = "INSERT INTO meta VALUES ('stirred', ''); DELETE FROM meta WHERE key = 'stirred'";
            let run = writing.connection.execute_batch(sql);
            run.map_err(engine_error("write into the log"))
        })
    }

    /// How many times a checkpoint merges row groups of each table.
    fn set_merged(&self, times: u32) -> Result<(), StoreError> {
        self.read(|connection| {
            connection
                .execute_batch(&format!("SET GLOBAL max_vacuum_tasks = {times}"))
                .map_err(engine_error("merge row groups"))
        })
    }

    /// Makes the checkpoint that is due; false when none is.
    pub(super) fn tend_file(&self) -> Result<bool, StoreError> {
        match &self.path {
            Some(path) if space::size(&wal_of(path)) >= CHECKPOINT_AT => self.checkpoint().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Brings the log into the file. Waits for others that keep the file.
    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        let _keeping = lock(&self.keeping);
        self.checkpoint_kept()?;
        lock(&self.merging).owed += 1;
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The same for one that holds `keeping`.
    pub(super) fn checkpoint_kept(&self) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        let needed = space::size(&wal_of(path)).saturating_add(ROOM);
        if let Some(free) = short_of(path, needed) {
            return Err(StoreError::Full {
                detail: format!(
                    "bringing the log into {} needs {needed} bytes and {free} are free",
                    path.display()
                ),
            });
        }
        let began = Instant::now();
        let result = self.read(|connection| {
            connection
                .execute_batch("CHECKPOINT")
                .map_err(engine_error("bring the log into the file"))
        });
        tracing::debug!(took = ?began.elapsed(), "the log was brought into the file");
        if let Err(StoreError::Lost { .. }) = &result {
            self.lost.store(true, Ordering::Release);
        }
        result
    }
}

/// Bytes that are free for the file at `path` to grow, where they are known to be fewer than `needed`.
pub(super) fn short_of(path: &Path, needed: u64) -> Option<u64> {
    let free = path.parent().and_then(space::free);
    free.filter(|free| *free < needed)
}

#[cfg(test)]
mod tests {
    use super::super::Writing;
    use super::*;
    use crate::{Options, Store};

    #[test]
    fn checkpoints_leave_small_row_groups_and_quiet_times_merge_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = DuckDb::open(dir.path(), &Options::default()).unwrap();
        for n in 0..6 {
            let rows = format!("INSERT INTO calls (call) SELECT {n} * 10_000 + range FROM range(10_000)");
            let add = |writing: &mut Writing| {
                writing
                    .connection
                    .execute_batch(&rows)
                    .map_err(engine_error("add rows"))
            };
            store.written(add).unwrap();
            store.checkpoint().unwrap();
        }
        let count = |sql: &str| -> u64 {
            let asked = store.read(|connection| {
                connection
                    .query_row(sql, [], |row| row.get(0))
                    .map_err(engine_error("count"))
            });
            asked.unwrap()
        };
        let groups = "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('calls')";
        store.tend().unwrap();
        assert_eq!(count(groups), 6, "it was not quiet for long");
        lock(&store.merging).since -= QUIET;
        store.tend().unwrap();
        assert_eq!(count(groups), 1);
        assert_eq!(count("SELECT count(DISTINCT call) FROM calls"), 60_000);
        assert_eq!(count("SELECT count(*) FROM meta WHERE key = 'stirred'"), 0);
    }

    #[test]
    fn a_step_is_due_when_nothing_has_come_for_a_while_and_something_is_left() {
        let mut merging = Merging {
            owed: 1,
            ..Merging::default()
        };
        assert!(!merging.is_due(7), "a record came just now");
        merging.since -= QUIET;
        assert!(merging.is_due(7));
        assert!(!merging.is_due(8), "another came");
        merging.since -= QUIET;
        assert!(merging.is_due(8));
        merging.begin();
        assert!(!merging.is_due(8), "one has just been made");
        merging.since -= QUIET;
        assert!(!merging.is_due(8), "nothing is left");
    }
}
