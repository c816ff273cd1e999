//! Giving room back to the file system.
//!
//! The engine uses blocks that are free again, and cuts off those at the end of the file; what lies
//! in the middle stays. So rows that lie behind are written anew, which puts them into the free
//! blocks in front, until the end of the file is free. Each step is a transaction of its own: a
//! crash in between leaves the same rows at one place or the other.

use super::open::wal_of;
use super::{DuckDb, engine_error, lock, read, space};
use crate::StoreError;
use duckdb::Connection;
use std::time::Instant;

/// Below this much of free room it is not worth the work.
const WORTH: u64 = 16 * 1024 * 1024;
/// How long the log may get before a checkpoint.
const LOG: u64 = 64 * 1024 * 1024;
/// About how many bytes a step moves.
const STEP_BYTES: u64 = 16 * 1024 * 1024;
/// Rows of a row group of the engine, the most that a step moves.
const GROUP: u64 = 122_880;

/// How the file is used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    block: u64,
    used: u64,
    free: u64,
    /// Of the rows in used blocks the part that is not removed, in thousandths.
    live: u64,
}

impl Sizes {
    /// Bytes of blocks that hold something.
    pub(super) fn used_bytes(self) -> u64 {
        self.used.saturating_mul(self.block)
    }

    /// Bytes of what is there: removed rows keep their blocks until the whole row group goes.
    pub(super) fn live_bytes(self) -> u64 {
        self.used_bytes() / 1_000 * self.live
    }

    /// Bytes of blocks that hold nothing.
    pub(super) fn free_bytes(self) -> u64 {
        self.free.saturating_mul(self.block)
    }

    /// Whether rows should be moved to make the file smaller.
    fn is_loose(self) -> bool {
        let whole = self.used_bytes() + self.free_bytes();
        let waste = whole.saturating_sub(self.live_bytes());
        waste >= WORTH && waste >= whole / 4
    }
}

/// How the file is used as of the last checkpoint.
pub(super) fn sizes(connection: &Connection) -> Result<Sizes, StoreError> {
    let sql = "SELECT block_size, used_blocks, free_blocks FROM pragma_database_size() \
               WHERE database_name = current_database()";
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let sizes = connection.query_row(sql, [], |row| {
        Ok(Sizes {
            block: number(row.get(0)?),
            used: number(row.get(1)?),
            free: number(row.get(2)?),
            live: 1_000,
        })
    });
    sizes.map_err(engine_error("ask for the file's size"))
}

/// The same, with how much of what is used is there.
pub(super) fn sizes_live(connection: &Connection) -> Result<Sizes, StoreError> {
    let groups = row_groups(connection)?;
    let rows: u64 = groups.iter().map(Rows::len).sum();
    let live: u64 = groups.iter().map(|group| group.live).sum();
    let live = (live * 1_000).checked_div(rows).unwrap_or(1_000);
    Ok(Sizes {
        live,
        ..sizes(connection)?
    })
}

/// Rows of a table that lie in one row group.
struct Rows {
    table: String,
    first: u64,
    end: u64,
    /// How many of them are not removed.
    live: u64,
    /// Where its last block is.
    block: u64,
}

impl Rows {
    fn len(&self) -> u64 {
        self.end - self.first
    }
}

impl DuckDb {
    /// Makes the file smaller where a quarter of it or more is waste.
    pub(super) fn compact(&self, go_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
        let mut budget = None;
        while go_on() {
            self.checkpoint()?;
            let sizes = self.read(sizes_live)?;
            if !sizes.is_loose() {
                return Ok(());
            }
            // Every row moves a few times at the most, even if the end will not get free.
            let left = budget.get_or_insert(sizes.live_bytes().saturating_mul(3));
            let moved = self.move_from_behind(sizes, go_on)?;
            *left = left.saturating_sub(moved);
            if moved == 0 {
                return self.move_metadata();
            }
            if *left == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes anew where the rows are, which lies behind all rows: the engine leaves it where it is for tables
    /// that do not change.
    fn move_metadata(&self) -> Result<(), StoreError> {
        let _keeping = lock(&self.keeping);
        let reuse = |on: bool| {
            self.read(|connection| {
                connection
                    .execute_batch(&format!("SET GLOBAL experimental_metadata_reuse = {on}"))
                    .map_err(engine_error("move where rows are"))
            })
        };
        reuse(false)?;
        // Blocks that one checkpoint leaves are cut off with the next one.
        let moved = (0..2).try_for_each(|_| {
            self.stir()?;
            self.checkpoint_kept()
        });
        reuse(true)?;
        moved
    }

    /// Writes rows anew that lie behind where the file could end, or among many that are removed;
    /// returns about how many bytes.
    fn move_from_behind(&self, sizes: Sizes, go_on: &dyn Fn() -> bool) -> Result<u64, StoreError> {
        // Rows are found by their places, which a checkpoint changes.
        let _keeping = lock(&self.keeping);
        let Some(path) = &self.path else { return Ok(0) };
        let end = sizes.live_bytes() / sizes.block.max(1) / 8 * 9;
        let groups = self.read(row_groups)?;
        let rows: u64 = groups.iter().map(Rows::len).sum();
        let width = (sizes.used_bytes() / rows.max(1)).max(1);
        let step = (STEP_BYTES / width).clamp(1_000, GROUP);
        let mut moved = 0_u64;
        let lies_wrong = |group: &&Rows| group.block > end || group.live < group.len() / 2;
        for group in groups.iter().filter(lies_wrong) {
            let mut first = group.first;
            while first < group.end {
                if !go_on() || space::size(&wal_of(path)) > LOG {
                    return Ok(moved);
                }
                let last = group.end.min(first + step);
                self.move_rows(&group.table, first, last)?;
                moved += (last - first) * width;
                first = last;
            }
        }
        Ok(moved)
    }

    fn move_rows(&self, table: &str, first: u64, end: u64) -> Result<(), StoreError> {
        let rows = format!("FROM \"{table}\" WHERE rowid >= {first} AND rowid < {end}");
        let sql = format!("BEGIN; INSERT INTO \"{table}\" SELECT * {rows}; DELETE {rows}; COMMIT;");
        self.step(|writing| {
            let moved = writing.connection.execute_batch(&sql);
            if moved.is_err()
                && let Err(error) = writing.connection.execute_batch("ROLLBACK")
            {
                tracing::debug!(%error, "the failed transaction was gone already");
            }
            moved.map_err(engine_error("move rows"))
        })
    }

    /// Does a step beside the writer, and leaves it as long to go on as the step took.
    pub(super) fn step<T>(
        &self,
        step: impl Fn(&mut super::Writing) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let done = self.written(step)?;
        std::thread::sleep(started.elapsed());
        Ok(done)
    }
}

/// Where each row group of each table is.
fn row_groups(connection: &Connection) -> Result<Vec<Rows>, StoreError> {
    let doing = "ask where rows are";
    let sql =
        "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND database_name = current_database()";
    let tables = read::rows(connection, doing, sql, Vec::new(), |row| row.get::<_, String>(0))?;
    let mut groups = Vec::new();
    for table in tables {
        // The first column's segments say how many rows a group has; its place is the furthest of
        // all its blocks.
        let sql = format!(
            "SELECT coalesce(sum(count) FILTER (column_id = 0 AND column_path = '[0]'), 0)::UBIGINT,
                greatest(max(block_id), max(list_max(additional_block_ids)), 0)::UBIGINT
            FROM pragma_storage_info('{table}') GROUP BY row_group_id ORDER BY row_group_id"
        );
        let mut first = 0;
        for (count, block) in read::rows(connection, doing, &sql, Vec::new(), |row| {
            Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
        })? {
            let end = first + count;
            groups.push(Rows {
                table: table.clone(),
                first,
                end,
                live: count,
                block,
            });
            first = end;
        }
    }
    for group in &mut groups {
        let Rows {
            table, first, end, ..
        } = group;
        let sql = format!("SELECT count(*) FROM \"{table}\" WHERE rowid >= {first} AND rowid < {end}");
        group.live = connection
            .query_row(&sql, [], |row| row.get(0))
            .map_err(engine_error(doing))?;
    }
    Ok(groups)
}
