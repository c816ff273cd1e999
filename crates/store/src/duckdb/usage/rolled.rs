//! Sums by the hour ([`super::super::sums`]) as the answer to a question, and the rows beside them:
//! those that came since, those of hours that lie in a bucket or in the range only in part, and
//! those that do not add up by the hour.

use super::super::read::{self, Filter};
use super::super::{counted, sums};
use super::calendar::Calendar;
use super::classes::Classes;
use super::source::{Source, chooses_sessions};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::usage_query::{UsageGroupBy, UsageKey, UsageOrder, UsageQuery};
use meshscope_model::time::HOUR;

/// Sums of the hours, in the order of `Sum::read`.
const SUMS: &str =
    "sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(unpriced)::UBIGINT, sum(reported)::UBIGINT,
    CASE WHEN min(provider) = max(provider) AND count(*) = count(provider) THEN min(provider) END, min(first),
    list(durations), list(first_tokens)";

/// Bucket, cost and tokens that are claimed.
pub(super) type Claimed = (i64, Option<i64>, Option<i64>);

/// Which sums hold.
pub(super) struct Rolled {
    /// Sequence number of the last record that is summed up.
    pub(super) upto: i64,
    /// First and last hour within the range.
    hours: (i64, i64),
    /// Hours that are read from the rows.
    pub(super) unusable: Vec<i64>,
    filter: Filter,
}

fn hour(moment: i64) -> i64 {
    moment.div_euclid(HOUR).saturating_mul(HOUR)
}

/// Whether the sums have a column for a key.
fn has(by: UsageGroupBy) -> bool {
    !matches!(
        by,
        UsageGroupBy::Session | UsageGroupBy::User | UsageGroupBy::Trace
    )
}

impl Rolled {
    /// The sums that hold for a question, if they can answer it.
    pub(super) fn of(
        connection: &Connection,
        query: &UsageQuery,
        calendar: &Calendar,
        filter: Filter,
        bounds: (i64, i64),
    ) -> Result<Option<Self>, StoreError> {
        let keys = query
            .by
            .iter()
            .all(|key| matches!(key, UsageKey::By(by) if has(*by)));
        let plain = query.user.is_none() && query.trace.is_none() && query.attributes.is_empty();
        let by_latency = query.order == Some(UsageOrder::Latency) && !query.by.is_empty();
        let known =
            keys && plain && !by_latency && query.none.iter().all(|by| has(*by)) && !chooses_sessions(query);
        if !known {
            return Ok(None);
        }
        Self::within(connection, bounds, calendar, filter)
    }

    /// The same for a question that they can answer.
    pub(super) fn within(
        connection: &Connection,
        (from, to): (i64, i64),
        calendar: &Calendar,
        filter: Filter,
    ) -> Result<Option<Self>, StoreError> {
        if calendar.bucket.nominal_ns() < HOUR {
            return Ok(None);
        }
        let Some(upto) = sums::upto(connection)? else {
            return Ok(None);
        };
        let sql = "SELECT DISTINCT hour FROM stale ORDER BY 1";
        let mut unusable = read::rows(connection, "read the sums of usage", sql, Vec::new(), |row| {
            row.get(0)
        })?;
        // Buckets, and the range, that begin within an hour.
        let inner = calendar.bounds.iter().skip(1).rev().skip(1).copied();
        for bound in inner.chain([from, to.saturating_add(1)]) {
            if bound > i64::MIN && bound < i64::MAX && bound.rem_euclid(HOUR) != 0 {
                unusable.push(hour(bound));
            }
        }
        unusable.sort_unstable();
        unusable.dedup();
        let hours = (hour(from.max(i64::MIN + HOUR)), hour(to));
        unusable.retain(|hour| (hours.0..=hours.1).contains(hour));
        Ok(Some(Self {
            upto,
            hours,
            unusable,
            filter,
        }))
    }

    /// Condition on `hour` of a row of the sums.
    pub(super) fn usable(&self) -> String {
        let (first, last) = self.hours;
        let range = format!("hour >= {first} AND hour <= {last}");
        match self.unusable.as_slice() {
            [] => range,
            hours => format!("{range} AND hour NOT IN ({})", list(hours)),
        }
    }

    /// SQL of the rows of the ledger that are `which` and not read from the sums. Each of its parts has a
    /// plain condition, by which the engine leaves out what it need not look at.
    fn unsummed(&self, which: &str) -> String {
        let upto = self.upto;
        let mut parts = vec![format!("sequence > {upto}")];
        let ranges = self.unusable_ranges();
        if ranges.len() <= 4 {
            let range = |(first, last)| format!("sequence <= {upto} AND time BETWEEN {first} AND {last}");
            parts.extend(ranges.into_iter().map(range));
        } else {
            let hour = sums::hour_sql("time");
            parts.push(format!(
                "sequence <= {upto} AND {hour} IN ({})",
                list(&self.unusable)
            ));
        }
        let parts: Vec<String> = parts
            .iter()
            .map(|part| format!("SELECT * FROM usage WHERE {which} AND {part}"))
            .collect();
        parts.join(" UNION ALL ")
    }

    /// The hours that are read from rows, as ranges of moments.
    pub(super) fn unusable_ranges(&self) -> Vec<(i64, i64)> {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for hour in &self.unusable {
            let end = hour.saturating_add(HOUR - 1);
            match ranges.last_mut() {
                Some((_, last)) if last.saturating_add(1) == *hour => *last = end,
                _ => ranges.push((*hour, end)),
            }
        }
        ranges
    }

    /// Named queries that end with `beside` and `beside_covered`: what counts and is not in the sums,
    /// and claims that do not count.
    pub(super) fn beside(&self) -> String {
        let open = match self.unusable.as_slice() {
            [] => "true".to_owned(),
            hours => format!("{} NOT IN ({})", sums::hour_sql("time"), list(hours)),
        };
        let from = counted::From {
            plain: "plain_rows",
            usage: "usage",
            claims: "doubtful",
        };
        // What was covered when its hour was summed up stays so, and need not be looked for among all calls.
        let known = format!(
            "sequence <= {} AND {} NOT IN (SELECT hour FROM stale) AND sequence NOT IN (SELECT sequence FROM open_claims)",
            self.upto,
            sums::hour_sql("time")
        );
        format!(
            "plain_rows AS ({}),
            claim_rows AS MATERIALIZED (SELECT *, {known} AS known FROM ({}
                UNION ALL BY NAME SELECT * FROM open_claims WHERE {open})),
            doubtful AS (SELECT * EXCLUDE (known) FROM claim_rows WHERE NOT known),
            beside AS ({}),
            beside_covered AS (SELECT * EXCLUDE (known) FROM claim_rows WHERE known UNION ALL BY NAME {})",
            self.unsummed(sums::PLAIN),
            self.unsummed("claim"),
            counted::counted(&from),
            counted::covered(&from)
        )
    }

    /// All rows, for what the sums do not have.
    pub(super) fn whole(&self) -> Source {
        Source::everything()
    }

    /// Every row of the sums by bucket and group; `keyed` is a named query over `hours`.
    pub(super) fn sums<T>(
        &self,
        connection: &Connection,
        keyed: &str,
        row: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let figures = ["cost", "carbon", "characters", "audio_ns"].map(read::sum_of);
        let sql = format!(
            "WITH hours AS (SELECT * FROM usage_hours WHERE NOT claim AND {} AND {}), {keyed}
            SELECT bucket, name1, name2, other, {}, {}, {SUMS} FROM keyed GROUP BY ALL",
            self.usable(),
            self.filter.sql(),
            read::token_sums(),
            figures.join(", ")
        );
        read::rows(
            connection,
            "read the sums of usage",
            &sql,
            self.filter.values.clone(),
            row,
        )
    }

    /// The classes of durations of each bucket; `column` has them and `index` is SQL of the bucket.
    pub(super) fn classes(
        &self,
        connection: &Connection,
        index: &str,
        column: &str,
    ) -> Result<Vec<(u32, Classes)>, StoreError> {
        let sql = format!(
            "SELECT {index}, list({column}) FROM usage_hours WHERE NOT claim AND {} AND {} GROUP BY 1",
            self.usable(),
            self.filter.sql()
        );
        read::rows(
            connection,
            "read the sums of usage",
            &sql,
            self.filter.values.clone(),
            |row| Ok((row.get(0)?, Classes::of_blobs(&row.get::<_, Value>(1)?))),
        )
    }

    /// Cost and tokens of claims that do not count, by bucket; `index` is its SQL.
    pub(super) fn claims(&self, connection: &Connection, index: &str) -> Result<Vec<Claimed>, StoreError> {
        let sql = format!(
            "SELECT {index}, {}, {} FROM usage_hours WHERE claim AND {} AND {} GROUP BY 1",
            read::sum_of("cost"),
            read::sum_of("total_tokens"),
            self.usable(),
            self.filter.sql()
        );
        read::rows(
            connection,
            "sum up claims",
            &sql,
            self.filter.values.clone(),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
    }
}

fn list(hours: &[i64]) -> String {
    let texts: Vec<String> = hours.iter().map(i64::to_string).collect();
    texts.join(", ")
}
