//! The measures of usage by bucket and group, by group, and in all, in few passes over the
//! ledger's rows: sums add up, and so do counts of durations by class.

use super::read::{self, Filter};
use super::usage::{Rows, bucket_sql, group_sql};
use crate::StoreError;
use duckdb::Connection;
use hashbrown::HashMap;
use meshscope_api::session::Quantiles;
use meshscope_api::usage::{UsageBucket, UsageGroup, UsageMeasures};
use meshscope_api::{UsageGroupBy, UsageQuery};

/// Up to so many calls quantiles are exact; beyond they are read off [`CLASSES`].
const EXACT: u64 = 200_000;
/// Classes of durations for each doubling.
const CLASSES: f64 = 16.0;
/// How far the middle of a class may lie from what is in it, as a part of it.
const ERROR: f64 = 0.022;

/// What was measured.
pub(super) struct Measured {
    pub(super) buckets: Vec<UsageBucket>,
    pub(super) groups: Vec<UsageGroup>,
    pub(super) total: UsageMeasures,
    /// How far quantiles may be off, as a part of them; absent when they are exact.
    pub(super) quantile_error: Option<f64>,
}

/// A bucket and group; `None` is all of them.
type Place = (Option<i64>, Option<String>);

/// Measures the rows that `filter` chooses.
pub(super) fn measure(
    connection: &Connection,
    query: &UsageQuery,
    rows: &Rows,
    filter: &Filter,
    bucket_ns: i64,
) -> Result<Measured, StoreError> {
    let by = super::usage::by(query);
    let key = by.map_or_else(
        || "''".to_owned(),
        |by| format!("coalesce({}, '')", group_sql(by)),
    );
    let place = format!("{} AS bucket, {key} AS name", bucket_sql("time", bucket_ns));
    let mut sums = sums(connection, rows, filter, &place)?;
    let calls = sums.values().map(|sum| sum.measures.calls).sum::<u64>();
    let quantile_error = (calls > EXACT).then_some(ERROR);
    let quantiles = if quantile_error.is_none() {
        exact(connection, rows, filter, &place)?
    } else {
        classed(connection, rows, filter, &place)?
    };
    let mut total = Sum::default();
    let mut groups: HashMap<String, Sum> = HashMap::new();
    for ((_, name), sum) in &sums {
        total.add(sum);
        groups.entry(name.clone()).or_default().add(sum);
    }
    let with = |mut measures: UsageMeasures, place: &Place| {
        if let Some((latency, first_token)) = quantiles.get(place) {
            measures.latency_ns = *latency;
            measures.time_to_first_token_ns = *first_token;
        }
        measures
    };
    let mut buckets: Vec<UsageBucket> = sums
        .drain()
        .map(|((start, name), sum)| UsageBucket {
            start,
            measures: with(sum.measures, &(Some(start), Some(name.clone()))),
            group: by.map(|_| name),
            second: None,
            other: false,
        })
        .collect();
    buckets.sort_by(|a, b| (a.start, &a.group).cmp(&(b.start, &b.group)));
    let by_model = by == Some(UsageGroupBy::Model);
    let mut groups: Vec<UsageGroup> = groups
        .into_iter()
        .filter(|_| by.is_some())
        .map(|(name, sum)| UsageGroup {
            measures: with(sum.measures, &(None, Some(name.clone()))),
            provider: sum.provider.flatten().filter(|_| by_model),
            group: name,
            ..UsageGroup::default()
        })
        .collect();
    // Costliest first; what has no cost last, and of the same cost what has the most tokens.
    groups.sort_by(|a, b| {
        let weight = |group: &UsageGroup| (group.measures.cost_pico_usd, group.measures.tokens.total);
        weight(b).cmp(&weight(a)).then_with(|| a.group.cmp(&b.group))
    });
    Ok(Measured {
        buckets,
        groups,
        total: with(total.measures, &(None, None)),
        quantile_error,
    })
}

/// Sums of calls, with their provider when all have one in common.
#[derive(Default)]
struct Sum {
    measures: UsageMeasures,
    provider: Option<Option<String>>,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        let (into, more) = (&mut self.measures, &other.measures);
        let plus = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        into.tokens = into.tokens.plus(&more.tokens);
        into.cost_pico_usd = plus(into.cost_pico_usd, more.cost_pico_usd);
        into.carbon_ug = plus(into.carbon_ug, more.carbon_ug);
        into.unpriced_calls += more.unpriced_calls;
        into.calls += more.calls;
        into.errors += more.errors;
        self.provider = match (self.provider.take(), &other.provider) {
            (None, provider) => provider.clone(),
            (Some(a), Some(b)) if a == *b => Some(a),
            _ => Some(None),
        };
    }
}

fn sums(
    connection: &Connection,
    rows: &Rows,
    filter: &Filter,
    place: &str,
) -> Result<HashMap<(i64, String), Sum>, StoreError> {
    let sql = format!(
        "SELECT {place}, {}, {}, count(*) FILTER (cost IS NULL), count(*), count(*) FILTER (error), {},
            CASE WHEN min(provider) = max(provider) THEN min(provider) END
        FROM chosen GROUP BY 1, 2",
        read::token_sums(),
        read::sum_of("cost"),
        read::sum_of("carbon"),
    );
    let found = rows.read(connection, "sum up usage", filter, &sql, |row| {
        let measures = UsageMeasures {
            tokens: read::tokens(row, 2)?,
            cost_pico_usd: row.get(10)?,
            unpriced_calls: row.get(11)?,
            calls: row.get(12)?,
            errors: row.get(13)?,
            carbon_ug: row.get(14)?,
            ..UsageMeasures::default()
        };
        let provider = Some(row.get(15)?);
        Ok(((row.get(0)?, row.get(1)?), Sum { measures, provider }))
    })?;
    Ok(found.into_iter().collect())
}

type AllQuantiles = HashMap<Place, (Quantiles, Quantiles)>;

/// Quantiles to the ns.
fn exact(
    connection: &Connection,
    rows: &Rows,
    filter: &Filter,
    place: &str,
) -> Result<AllQuantiles, StoreError> {
    let sql = format!(
        "SELECT bucket, name, {}, {} FROM (SELECT {place}, duration, time_to_first_token FROM chosen)
        GROUP BY GROUPING SETS ((bucket, name), (name), ())",
        read::quantiles_of("duration"),
        read::quantiles_of("time_to_first_token")
    );
    let found = rows.read(connection, "read the latencies of calls", filter, &sql, |row| {
        let quantiles = (read::quantiles(row.get(2)?), read::quantiles(row.get(3)?));
        Ok(((row.get(0)?, row.get(1)?), quantiles))
    })?;
    Ok(found.into_iter().collect())
}

/// How many durations lie in each class.
type Classes = HashMap<i64, u64>;

/// Quantiles off by [`ERROR`] at the most, from counts by class.
fn classed(
    connection: &Connection,
    rows: &Rows,
    filter: &Filter,
    place: &str,
) -> Result<AllQuantiles, StoreError> {
    let mut all = AllQuantiles::new();
    for (column, second) in [("duration", false), ("time_to_first_token", true)] {
        let sql = format!(
            "SELECT {place}, floor(log2(greatest({column}, 1)) * {CLASSES})::BIGINT AS class, count(*)
            FROM chosen WHERE {column} IS NOT NULL GROUP BY 1, 2, 3"
        );
        let mut places: HashMap<Place, Classes> = HashMap::new();
        rows.read(connection, "read the latencies of calls", filter, &sql, |row| {
            let (bucket, name): (i64, String) = (row.get(0)?, row.get(1)?);
            let (class, count): (i64, u64) = (row.get(2)?, row.get(3)?);
            for place in [
                (Some(bucket), Some(name.clone())),
                (None, Some(name)),
                (None, None),
            ] {
                *places.entry(place).or_default().entry(class).or_default() += count;
            }
            Ok(())
        })?;
        for (place, classes) in places {
            let both = all.entry(place).or_default();
            let quantiles = of_classes(classes);
            if second {
                both.1 = quantiles;
            } else {
                both.0 = quantiles;
            }
        }
    }
    Ok(all)
}

fn of_classes(classes: Classes) -> Quantiles {
    let mut classes: Vec<(i64, u64)> = classes.into_iter().collect();
    classes.sort_unstable();
    let count: u64 = classes.iter().map(|(_, count)| count).sum();
    let at = |quantile: f64| {
        let rank = ((count as f64 * quantile).ceil() as u64).max(1);
        let mut below = 0;
        let class = classes.iter().find(|(_, count)| {
            below += count;
            below >= rank
        });
        class.map(|(class, _)| ((*class as f64 + 0.5) / CLASSES).exp2().round() as i64)
    };
    Quantiles {
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_classes_are_as_near_as_they_say() {
        let durations: Vec<i64> = (1..=10_000).map(|n| n * n * 977).collect();
        let mut classes = Classes::new();
        for duration in &durations {
            let class = ((*duration as f64).log2() * CLASSES).floor() as i64;
            *classes.entry(class).or_default() += 1;
        }
        let found = of_classes(classes);
        for (found, rank) in [(found.p50, 5_000), (found.p95, 9_500), (found.p99, 9_900)] {
            let right = durations[rank - 1] as f64;
            let off = (found.unwrap() as f64 - right).abs() / right;
            assert!(off <= ERROR, "{found:?} for {right}: {off}");
        }
    }
}
