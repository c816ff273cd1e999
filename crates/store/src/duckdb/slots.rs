//! Frequent attributes of spans have columns of their own, `a0` to `a47`: a value is found in
//! one among millions without a look at the others, and values of one key compress together. A
//! column is made when its key comes: each costs every row that is written, also without a value.
//!
//! A key gets a slot when it has been on enough spans, and keeps it. Rows that were written
//! before hold it in their list `attributes`, as those of all keys without a slot do.

use super::{engine_error, read};
use crate::StoreError;
use duckdb::Connection;
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// How many keys have a column.
pub(super) const SLOTS: usize = 48;
/// On how many spans a key must be seen to get one.
const FREQUENT: u32 = 256;
/// How many keys without a slot are counted at a time; beyond it the rare ones are forgotten.
const COUNTED: usize = 4_096;

/// A key's column, and up to which sequence number rows may hold the key in their list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) since: i64,
}

/// Which keys have slots.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    by_key: HashMap<String, Slot>,
    keys: Vec<String>,
}

impl Slots {
    /// Reads them from the engine.
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT key, since FROM slots ORDER BY slot";
        let mut slots = Self::default();
        read::rows(connection, "read the slots", sql, Vec::new(), |row| {
            slots.add(row.get(0)?, row.get(1)?);
            Ok(())
        })?;
        Ok(slots)
    }

    fn add(&mut self, key: String, since: i64) {
        let index = self.keys.len();
        self.by_key.insert(key.clone(), Slot { index, since });
        self.keys.push(key);
    }

    /// The slot of a key.
    pub(super) fn of(&self, key: &str) -> Option<Slot> {
        self.by_key.get(key).copied()
    }

    /// The keys by slot.
    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    /// SQL of the columns in use, each with a comma before it; `alias` names the table.
    pub(super) fn columns(&self, alias: &str) -> String {
        (0..self.keys.len())
            .map(|index| format!(", {alias}.a{index}"))
            .collect()
    }
}

/// The slots as readers see them: never fewer than the rows that they can see have.
#[derive(Debug, Default)]
pub(super) struct Published(RwLock<Arc<Slots>>);

impl Published {
    pub(super) fn get(&self) -> Arc<Slots> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, slots: Arc<Slots>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = slots;
    }
}

/// Counts keys and gives the frequent ones their slots.
#[derive(Debug, Default)]
pub(super) struct Counter {
    seen: HashMap<String, u32>,
}

impl Counter {
    /// Counts the keys of spans; returns the slots with those of newly frequent keys, if any.
    /// `since` is the sequence number of the last row that is written without them.
    pub(super) fn count<'a>(
        &mut self,
        slots: &Slots,
        keys: impl Iterator<Item = &'a str>,
        since: i64,
    ) -> Option<Slots> {
        if slots.keys.len() >= SLOTS {
            return None;
        }
        let mut more: Option<Slots> = None;
        for key in keys {
            if more.as_ref().unwrap_or(slots).of(key).is_some() {
                continue;
            }
            let seen = match self.seen.get_mut(key) {
                Some(seen) => seen,
                None => self.seen.entry(key.to_owned()).or_default(),
            };
            *seen += 1;
            if *seen < FREQUENT {
                continue;
            }
            self.seen.remove(key);
            let more = more.get_or_insert_with(|| slots.clone());
            more.add(key.to_owned(), since);
            if more.keys.len() >= SLOTS {
                break;
            }
        }
        if self.seen.len() > COUNTED {
            self.seen.retain(|_, seen| *seen > 1);
            if self.seen.len() > COUNTED {
                self.seen.clear();
            }
        }
        more
    }
}

/// How many of the columns there are.
pub(super) fn width(connection: &Connection) -> Result<usize, StoreError> {
    let sql = "SELECT count(*) FROM information_schema.columns
        WHERE table_name = 'spans' AND regexp_full_match(column_name, 'a[0-9]+')";
    let count = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let count = count.map_err(engine_error("count the slots"))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Makes the column of a slot, outside any transaction: the engine alters a table once in one.
pub(super) fn widen(connection: &Connection, index: usize) -> Result<(), StoreError> {
    connection
        .execute_batch(&format!("ALTER TABLE spans ADD COLUMN a{index} VARCHAR"))
        .map_err(engine_error("make a slot"))
}

/// Keeps the slots beyond the first `known`, within the connection's transaction.
pub(super) fn save(connection: &Connection, slots: &Slots, known: usize) -> Result<(), StoreError> {
    let doing = "save the slots";
    let mut statement = connection
        .prepare("INSERT INTO slots VALUES (?, ?, ?)")
        .map_err(engine_error(doing))?;
    for (index, key) in slots.keys.iter().enumerate().skip(known) {
        let since = slots.of(key).map_or(0, |slot| slot.since);
        let row = duckdb::params![index as i64, key, since];
        statement.execute(row).map_err(engine_error(doing))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_a_slot_when_it_is_frequent_and_keeps_it() {
        let (mut counter, slots) = (Counter::default(), Slots::default());
        let often = std::iter::repeat_n("often", FREQUENT as usize - 1);
        assert!(counter.count(&slots, often.chain(["once"]), 0).is_none());
        let slots = counter.count(&slots, ["often", "once"].into_iter(), 7).unwrap();
        assert_eq!(slots.of("often"), Some(Slot { index: 0, since: 7 }));
        assert_eq!(slots.of("once"), None);
        assert!(
            counter
                .count(&slots, std::iter::repeat_n("often", 1_000), 9)
                .is_none()
        );
    }

    #[test]
    fn there_are_never_more_slots_than_columns_nor_more_counters_than_allowed() {
        let (mut counter, mut slots) = (Counter::default(), Slots::default());
        let keys: Vec<String> = (0..100).map(|n| format!("key {n}")).collect();
        for _ in 0..FREQUENT {
            slots = counter
                .count(&slots, keys.iter().map(String::as_str), 0)
                .unwrap_or(slots);
        }
        assert_eq!(slots.keys().len(), SLOTS);
        let mut counter = Counter::default();
        let wild: Vec<String> = (0..COUNTED * 3).map(|n| format!("wild {n}")).collect();
        counter.count(&Slots::default(), wild.iter().map(String::as_str), 0);
        assert!(counter.seen.len() <= COUNTED);
    }
}
