//! How long things took: how many durations lie in each bucket of time and class of durations.

use super::super::read;
use super::super::slots::Slots;
use super::calendar::{self, Calendar};
use super::classes::{self, Classes};
use super::people;
use super::rolled::Rolled;
use super::source::{self, Source};
use crate::StoreError;
use duckdb::Connection;
use meshscope_api::usage_query::{LatencyOf, UsageQuery};
use meshscope_api::{HeatCell, UsageHeatMap};

/// Classes for each doubling that are shown.
const SHOWN: i16 = 4;

/// The answer of `GET /api/v1/usage/latency`.
pub(in super::super) fn heat_map(
    connection: &Connection,
    slots: &Slots,
    query: &UsageQuery,
    of: LatencyOf,
    now: i64,
) -> Result<UsageHeatMap, StoreError> {
    let query = &UsageQuery {
        by: Vec::new(),
        ..query.clone()
    };
    let zone = calendar::zone(query.tz.as_deref())?;
    let (from, to) = super::shown(connection, query, now)?;
    let calendar = Calendar::cut(from, to, query.bucket, &zone)?;
    let mut buckets = vec![Classes::default(); calendar.len()];
    let asked = Heat {
        connection,
        slots,
        query,
        calendar: &calendar,
        now,
    };
    let found = match of {
        LatencyOf::Runs => asked.runs()?,
        LatencyOf::Calls => asked.calls("duration")?,
        LatencyOf::FirstToken => asked.calls("time_to_first_token")?,
    };
    for (bucket, class, count) in found {
        if let Some(classes) = buckets.get_mut(bucket as usize) {
            classes.add(class, count);
        }
    }
    let bucket = calendar.bucket.as_str().to_owned();
    Ok(UsageHeatMap {
        bucket,
        tz: query.tz.clone().unwrap_or_else(|| "UTC".to_owned()),
        quantile_error: Some(classes::ERROR)
            .filter(|_| buckets.iter().any(|bucket| *bucket != Classes::default())),
        ..shown_as(&buckets, calendar.bounds)
    })
}

/// Cells out of the classes of each bucket.
fn shown_as(buckets: &[Classes], bounds: Vec<i64>) -> UsageHeatMap {
    let coarse = |class: i16| i32::from(class.div_euclid(classes::per_doubling() / SHOWN));
    let all = || {
        buckets
            .iter()
            .flat_map(Classes::iter)
            .map(|(class, _)| coarse(class))
    };
    let (Some(first), Some(last)) = (all().min(), all().max()) else {
        return UsageHeatMap {
            bounds,
            ..UsageHeatMap::default()
        };
    };
    let mut cells = Vec::new();
    for (bucket, classes) in (0_u32..).zip(buckets) {
        let mut counts = std::collections::BTreeMap::<u32, u64>::new();
        for (class, count) in classes.iter() {
            let index = u32::try_from(coarse(class) - first).unwrap_or(0);
            *counts.entry(index).or_default() += count;
        }
        cells.extend(counts.into_iter().map(|(class, count)| HeatCell {
            bucket,
            class,
            count: u32::try_from(count).unwrap_or(u32::MAX),
        }));
    }
    UsageHeatMap {
        bounds,
        classes: (first..=last + 1)
            .map(|class| classes::start(class, f64::from(SHOWN)))
            .collect(),
        cells,
        quantiles: buckets.iter().map(Classes::quantiles).collect(),
        ..UsageHeatMap::default()
    }
}

struct Heat<'a> {
    connection: &'a Connection,
    slots: &'a Slots,
    query: &'a UsageQuery,
    calendar: &'a Calendar,
    now: i64,
}

/// Bucket, class and count.
type Found = Vec<(u32, i16, u64)>;

impl Heat<'_> {
    fn runs(&self) -> Result<Found, StoreError> {
        source::find_traces(self.connection, self.slots, self.query)?;
        people::run_classes(&people::Asked {
            connection: self.connection,
            slots: self.slots,
            query: self.query,
            calendar: self.calendar,
            source: &Source::of(self.connection, self.slots, self.query, self.now)?,
            bounds: self.query.list.range.bounds(self.now),
            now: self.now,
        })
    }

    fn calls(&self, column: &str) -> Result<Found, StoreError> {
        let bounds = self.query.list.range.bounds(self.now);
        let filter = source::call_filter(self.slots, self.query, bounds);
        let named = source::named_filter(self.query);
        let rolled = Rolled::of(self.connection, self.query, self.calendar, named, bounds)?;
        let source = match &rolled {
            Some(rolled) => Source::beside(rolled),
            None => Source::of(self.connection, self.slots, self.query, self.now)?,
        };
        let (with, values) = source.chosen(&filter);
        let sql = format!(
            "{with} SELECT {}, {}, count(*) FROM chosen WHERE {column} IS NOT NULL GROUP BY ALL",
            self.calendar.index_sql("time"),
            classes::sql(column)
        );
        let doing = "read the latencies of calls";
        let mut found = read::rows(self.connection, doing, &sql, values, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        if let Some(rolled) = rolled {
            let column = if column == "duration" {
                "durations"
            } else {
                "first_tokens"
            };
            for (bucket, classes) in
                rolled.classes(self.connection, &self.calendar.index_sql("hour"), column)?
            {
                found.extend(classes.iter().map(|(class, count)| (bucket, class, count)));
            }
        }
        Ok(found)
    }
}
