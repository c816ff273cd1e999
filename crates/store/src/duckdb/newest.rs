//! The newest groups (traces, sessions) that meet a query, without summing up all of them.
//!
//! The roll-up's rows are taken newest first, as many as may be needed; the groups they belong
//! to are summed up whole. A group that starts after the oldest row taken has a row among
//! them, so those groups are complete and in order. When they are too few, more rows are taken.

use super::counted;
use super::read::{self, Filter};
use crate::StoreError;
use duckdb::Connection;
use duckdb::types::Value;

/// How many rows are taken first, for each entry of a page.
const FIRST: u64 = 16;
/// How many times more are taken when they were too few.
const MORE: u64 = 64;

/// Beyond so many rows, all are taken.
const MOST: u64 = 1_000_000;
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
    /// Where `filter` asks for the `cost` of a group, which the roll-up does not know: SQL of the sessions
    /// (project, session_id) whose calls belong to the groups named in `hit` beside those of their traces.
    pub(super) cost_of: Option<&'a str>,
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
            let costs = match self.cost_of {
                None => String::new(),
                Some(_) if take == ALL => self.costs_of_all(),
                Some(sessions) => self.costs(sessions, self.window(connection, take)?),
            };
            let sql = self.sql(take, &costs);
            let values = self.source_values().chain(&self.filter.values).cloned().collect();
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
            // Costs of a fifth of all groups take as long as those of all.
            if take > MOST || self.cost_of.is_some() {
                take = ALL;
            }
        }
    }

    fn source_values(&self) -> impl Iterator<Item = &Value> {
        self.sources.iter().flat_map(|source| &source.values)
    }

    /// First and last moment of the groups that the rows taken belong to.
    fn window(&self, connection: &Connection, take: u64) -> Result<(i64, i64), StoreError> {
        let Self { key, parts, .. } = self;
        let sql = format!(
            "{} SELECT min(first), max(last) FROM {parts} SEMI JOIN hit USING ({key})",
            self.taken(take)
        );
        let values = self.source_values().cloned().collect();
        let found = read::rows(connection, "find the newest", &sql, values, |row| {
            Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
        })?;
        // No moment lies in the window of none.
        Ok(found.into_iter().next().flatten().unwrap_or((1, 0)))
    }

    /// Named query `costs`: what the groups cost, which lie in `window`.
    fn costs(&self, sessions: &str, window: (i64, i64)) -> String {
        let Self { key, parts, .. } = self;
        format!(
            ", page_sessions AS ({sessions}),
            page_traces AS (SELECT DISTINCT trace_id FROM {parts} SEMI JOIN hit USING ({key}) WHERE spans > 0),
            {}, costs AS (SELECT {key}, sum(cost) AS cost FROM page_ledger GROUP BY ALL)",
            counted::of_page(window)
        )
    }

    /// The same of all groups that there are.
    fn costs_of_all(&self) -> String {
        let key = self.key;
        format!(", costs AS (SELECT {key}, sum(cost) AS cost FROM ledger GROUP BY ALL)")
    }

    /// Named queries: `taken` rows of each source, the `edge` beyond which groups are complete, and the groups
    /// `hit`.
    fn taken(&self, take: u64) -> String {
        let key = self.key;
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
            hit AS (SELECT DISTINCT {key} FROM ({}))",
            edges.join(", "),
            all.join(" UNION ALL "),
        )
    }

    fn sql(&self, take: u64, costs: &str) -> String {
        let Self {
            key,
            shown,
            parts,
            measures,
            ..
        } = self;
        let join = match self.cost_of {
            None => String::new(),
            Some(_) => format!("LEFT JOIN costs USING ({key})"),
        };
        format!(
            "{}{costs},
            grouped AS (SELECT {key}, min(first) AS first, max(last) AS last{measures}
                FROM {parts} SEMI JOIN hit USING ({key}) GROUP BY {key})
            SELECT {shown}, edge = -9223372036854775808, first, last FROM grouped {join}, edge
            WHERE (first > edge OR edge = -9223372036854775808) AND {}
            ORDER BY first DESC, {key} LIMIT {}",
            self.taken(take),
            self.filter.sql(),
            self.limit,
        )
    }
}
