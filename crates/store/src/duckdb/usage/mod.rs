//! Usage: sums over the ledger, in buckets, groups and totals, and the rows under them.

mod calendar;
mod calls;
pub(super) mod classes;
mod heat;
mod measures;
mod people;
mod rolled;
pub(super) mod rows;
mod source;

pub(super) use calls::calls;
pub(super) use heat::heat_map;

use super::read::{self, Filter};
use super::slots::Slots;
use crate::StoreError;
use calendar::Calendar;
use duckdb::Connection;
use measures::Measured;
use meshscope_api::usage_query::UsageQuery;
use meshscope_api::{RunLatencyBucket, UsagePeriod, UsageReport, UsageTotals};
use meshscope_model::time::DAY;
use meshscope_model::usage::plus;
use rolled::Rolled;
use source::Source;

/// Up to so many calls, or runs, quantiles are exact unless another number is asked for.
pub(super) const EXACT: u64 = 100_000;

/// The bounds that a report shows: those asked for, and for what is open those of the records.
fn shown(connection: &Connection, query: &UsageQuery, now: i64) -> Result<(i64, i64), StoreError> {
    let asked = query.list.range;
    let bounds = asked.bounds(now);
    if asked.from.is_some_and(|from| from != 0) || asked.from.is_none() {
        return Ok((bounds.0, asked.to.unwrap_or(now).max(bounds.0.saturating_add(1))));
    }
    let mut filter = Filter::default();
    filter.equal("project", query.list.project.as_deref());
    filter.equal("room", query.list.room.as_deref());
    filter.equal("session_id", query.list.session.as_deref());
    filter.add("spans > 0 AND first > 0", []);
    let sql = format!("SELECT min(first), max(last) FROM parts WHERE {}", filter.sql());
    let doing = "read the range of usage";
    let found = read::rows(connection, doing, &sql, filter.values, |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
    })?;
    let (first, last) = found.into_iter().next().unwrap_or((None, None));
    // What a wild clock tells must not stretch it: such records count in the last bucket.
    let latest = now.saturating_add(DAY);
    let from = first.unwrap_or(now).min(latest);
    let to = asked
        .to
        .unwrap_or_else(|| last.map_or(now, |last| last.saturating_add(1).min(latest)));
    Ok((from, to.max(from.saturating_add(1))))
}

/// A period with all its figures.
struct Period {
    measured: Measured,
    timeline: Vec<UsageTotals>,
    totals: UsageTotals,
    run_latency: Vec<RunLatencyBucket>,
}

/// What every period of a report is measured with.
struct Report<'a> {
    connection: &'a Connection,
    slots: &'a Slots,
    now: i64,
    /// Up to so many calls, or runs, quantiles are exact.
    exact: u64,
}

/// Measures what `query` asks for in its range, cut by `calendar`.
fn period(report: &Report<'_>, query: &UsageQuery, calendar: &Calendar) -> Result<Period, StoreError> {
    let Report {
        connection,
        slots,
        now,
        exact,
    } = *report;
    let bounds = query.list.range.bounds(now);
    let filter = source::call_filter(slots, query, bounds);
    let rolled = Rolled::of(connection, query, calendar, source::named_filter(query), bounds)?;
    let source = match &rolled {
        Some(rolled) => Source::beside(rolled),
        None => Source::of(connection, slots, query, now)?,
    };
    let mut measured = measures::measure(&measures::Asked {
        connection,
        query,
        calendar,
        source: &source,
        filter: &filter,
        rolled: rolled.as_ref(),
        exact,
    })?;
    let with = |measures| UsageTotals {
        measures,
        ..UsageTotals::default()
    };
    let mut timeline: Vec<UsageTotals> = std::mem::take(&mut measured.timeline)
        .into_iter()
        .map(with)
        .collect();
    let mut totals = with(std::mem::take(&mut measured.total));
    let asked = people::Asked {
        connection,
        slots,
        query,
        calendar,
        source: &source,
        bounds,
        now,
    };
    let run_latency = people::runs(&asked, exact, &mut timeline, &mut totals)?;
    people::present(&asked, &filter, &mut timeline, &mut totals)?;
    let claims = Claims {
        connection,
        source: &source,
        filter: &filter,
        rolled: rolled.as_ref(),
    };
    claims.sum(calendar, &mut timeline, &mut totals)?;
    Ok(Period {
        measured,
        timeline,
        totals,
        run_latency,
    })
}

/// What ancestors claim over calls that count already.
struct Claims<'a> {
    connection: &'a Connection,
    source: &'a Source,
    filter: &'a Filter,
    rolled: Option<&'a Rolled>,
}

impl Claims<'_> {
    fn sum(
        &self,
        calendar: &Calendar,
        timeline: &mut [UsageTotals],
        totals: &mut UsageTotals,
    ) -> Result<(), StoreError> {
        let (with, values) = self.source.chosen_claims(self.filter);
        let sql = format!(
            "{with} SELECT {}, {}, {} FROM chosen GROUP BY 1",
            calendar.index_sql("time"),
            read::sum_of("cost"),
            read::sum_of("total_tokens")
        );
        let mut found = read::rows(self.connection, "sum up claims", &sql, values, |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?))
        })?;
        if let Some(rolled) = self.rolled {
            found.extend(rolled.claims(self.connection, &calendar.index_sql("hour"))?);
        }
        for (bucket, cost, tokens) in found {
            let slot = usize::try_from(bucket)
                .ok()
                .and_then(|bucket| timeline.get_mut(bucket));
            for sums in slot.into_iter().chain([&mut *totals]) {
                sums.claimed_cost_pico_usd = plus(sums.claimed_cost_pico_usd, cost);
                sums.claimed_tokens = plus(sums.claimed_tokens, tokens);
            }
        }
        Ok(())
    }
}

/// The report of `GET /api/v1/usage`; up to `exact` calls, or runs, with exact quantiles.
pub(super) fn report(
    connection: &Connection,
    slots: &Slots,
    query: &UsageQuery,
    now: i64,
    exact: u64,
) -> Result<UsageReport, StoreError> {
    let report = Report {
        connection,
        slots,
        now,
        exact,
    };
    let zone = calendar::zone(query.tz.as_deref())?;
    let (from, to) = shown(connection, query, now)?;
    let calendar = Calendar::cut(from, to, query.bucket, &zone)?;
    source::find_traces(connection, slots, query)?;
    let mut this = period(&report, query, &calendar)?;
    let previous = match query.compare {
        true => Some(Box::new(before(
            &report,
            query,
            &calendar,
            (from, to),
            &mut this,
        )?)),
        false => None,
    };
    let run_quantile_error = (this.totals.runs > exact).then_some(classes::ERROR);
    Ok(UsageReport {
        from,
        to,
        tz: query.tz.clone().unwrap_or_else(|| "UTC".to_owned()),
        bucket: calendar.bucket.as_str().to_owned(),
        bucket_ns: calendar.bucket.nominal_ns(),
        bounds: calendar.bounds,
        timeline: this.timeline,
        buckets: this.measured.buckets,
        groups: this.measured.groups,
        group_count: this.measured.group_count,
        run_latency: this.run_latency,
        totals: this.totals,
        previous,
        quantile_error: this.measured.quantile_error,
        run_quantile_error,
    })
}

/// The period before, whose groups are put beside those of this one.
fn before(
    report: &Report<'_>,
    query: &UsageQuery,
    calendar: &Calendar,
    (from, to): (i64, i64),
    this: &mut Period,
) -> Result<UsagePeriod, StoreError> {
    let (from, to) = calendar.before(from, to);
    let cut = Calendar::cut(from, to, Some(calendar.bucket), &calendar.zone)?;
    let mut earlier = source::within(query, from, to);
    // A group that is among the top now may not have been then.
    earlier.top = Some(meshscope_api::usage_query::MAX_TOP);
    let period = period(report, &earlier, &cut)?;
    let mut groups: hashbrown::HashMap<_, _> = period
        .measured
        .groups
        .into_iter()
        .filter(|group| !group.other)
        .map(|group| ((group.group, group.second), group.measures))
        .collect();
    for group in this.measured.groups.iter_mut().filter(|group| !group.other) {
        let key = (group.group.clone(), group.second.clone());
        group.previous = groups.remove(&key).map(Box::new);
    }
    Ok(UsagePeriod {
        from,
        to,
        bounds: cut.bounds,
        timeline: period.timeline,
        totals: period.totals,
    })
}
