//! The newest groups (traces, sessions) that meet a query, without summing up all of them.
//!
//! The roll-up's rows are taken newest first, as many as may be needed; the groups they belong
//! to are summed up whole. A group that starts after the oldest row taken has a row among
//! them, so those groups are complete and in order. When they are too few, more rows are taken.

use super::read::{self, Filter};
use crate::StoreError;
use duckdb::Connection;
use duckdb::types::Value;

/// How many rows are taken first, for each entry of a page.
const FIRST: u64 = 16;
/// How many times more are taken when they were too few.
const MORE: u64 = 16;

/// Beyond so many rows, all are taken.
const MOST: u64 = 4_000_000;
const ALL: u64 = u64::MAX;

/// Where rows come from: SQL of the columns of the group's key and `moment`, ns since the epoch; a
/// row's group must not start after `moment`.
pub(super) struct Source {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// What is asked.
pub(super) struct Newest<'a> {
    /// Columns that name a group.
    pub(super) key: &'a str,
    /// SQL of the same for reading.
    pub(super) shown: &'a str,
    /// A group is asked for when any source has it.
    pub(super) sources: Vec<Source>,
    /// SQL of rows of the roll-up: the table, or more.
    pub(super) parts: &'a str,
    /// Aggregates that `filter` asks for, each with a comma before it.
    pub(super) measures: String,
    /// Joined to the groups, for what the roll-up does not know.
    pub(super) join: String,
    /// Conditions on a group: `first`, `last` and the measures.
    pub(super) filter: Filter,
    /// How many groups.
    pub(super) limit: u64,
}

impl Newest<'_> {
    /// The groups, latest start first and equal starts by key. `read` finds the key from column 0
    /// on, then a column to skip, then the first and last moment.
    pub(super) fn find<T>(
        &self,
        connection: &Connection,
        read: impl Fn(&duckdb::Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut take = (self.limit * FIRST).max(1_024);
        loop {
            let sql = self.sql(take);
            let values = self
                .sources
                .iter()
                .flat_map(|source| &source.values)
                .chain(&self.filter.values)
                .cloned()
                .collect();
            let key_columns = self.key.split(',').count();
            let mut whole = false;
            let found = read::rows(connection, "find the newest", &sql, values, |row| {
                whole = row.get(key_columns)?;
                read(row)
            })?;
            // Without a row nothing says whether there are more: the last try is over all.
            if found.len() as u64 >= self.limit || whole || take == ALL {
                return Ok(found);
            }
            take = take.saturating_mul(MORE);
            if take > MOST {
                take = ALL;
            }
        }
    }

    fn sql(&self, take: u64) -> String {
        let Self {
            key,
            shown,
            parts,
            measures,
            join,
            ..
        } = self;
        let (mut taken, mut edges, mut all) = (String::new(), Vec::new(), Vec::new());
        for (n, source) in self.sources.iter().enumerate() {
            let limit = if take == ALL {
                String::new()
            } else {
                format!("ORDER BY moment DESC LIMIT {take}")
            };
            taken.push_str(&format!(
                "taken{n} AS MATERIALIZED (SELECT {key}, moment FROM ({}) {limit}),\n",
                source.sql
            ));
            let edge = format!(
                "(SELECT CASE WHEN count(*) < {take} THEN -9223372036854775808 ELSE min(moment) END FROM taken{n})"
            );
            edges.push(if take == ALL {
                "-9223372036854775808".to_owned()
            } else {
                edge
            });
            all.push(format!("SELECT {key} FROM taken{n}"));
        }
        format!(
            "WITH {taken}edge AS (SELECT greatest({}) AS edge),
            hit AS (SELECT DISTINCT {key} FROM ({})),
            grouped AS (SELECT {key}, min(first) AS first, max(last) AS last{measures}
                FROM {parts} SEMI JOIN hit USING ({key}) GROUP BY {key})
            SELECT {shown}, edge = -9223372036854775808, first, last FROM grouped {join}, edge
            WHERE (first > edge OR edge = -9223372036854775808) AND {}
            ORDER BY first DESC, {key} LIMIT {}",
            edges.join(", "),
            all.join(" UNION ALL "),
            self.filter.sql(),
            self.limit,
        )
    }
}
