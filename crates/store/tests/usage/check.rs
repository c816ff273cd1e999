//! What a report says against the calls and runs that it is of.

use crate::world::{Call, Run, STEPS, World, base};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use meshscope_api::session::Quantiles;
use meshscope_api::{Bucket, Params, UsageMeasures, UsageQuery, UsageReport};
use meshscope_model::Tokens;
use meshscope_model::time::{DAY, SECOND};
use meshscope_store::{DuckDb, Store};
use std::collections::{BTreeMap, BTreeSet};

/// Sums as the ledger has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) unpriced: u64,
    pub(crate) reported: u64,
    pub(crate) tokens: Tokens,
    pub(crate) cost: Option<i64>,
}

impl Sum {
    pub(crate) fn add(&mut self, call: &Call) {
        self.calls += 1;
        self.errors += u64::from(call.error);
        self.unpriced += u64::from(call.cost.is_none());
        self.reported += u64::from(call.reported);
        self.tokens = self.tokens.plus(&call.tokens);
        if let Some(cost) = call.cost {
            self.cost = Some(self.cost.unwrap_or(0) + cost);
        }
    }

    pub(crate) fn of<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut sum = Self::default();
        calls.for_each(|call| sum.add(call));
        sum
    }

    pub(crate) fn found(m: &UsageMeasures) -> Self {
        Self {
            calls: m.calls,
            errors: m.errors,
            unpriced: m.unpriced_calls,
            reported: m.reported_calls,
            tokens: m.tokens,
            cost: m.cost_pico_usd,
        }
    }
}

/// First moment of the bucket of a moment, reckoned by the calendar alone.
fn bucket_of(moment: i64, bucket: Bucket, zone: &TimeZone) -> i64 {
    let at = Timestamp::from_nanosecond(i128::from(moment))
        .unwrap()
        .to_zoned(zone.clone());
    let day = |date: Date| {
        let first = date.to_zoned(zone.clone()).unwrap();
        i64::try_from(first.timestamp().as_nanosecond()).unwrap()
    };
    match bucket {
        Bucket::Seconds(n) => {
            let offset = i64::from(at.offset().seconds()) * SECOND;
            (moment + offset).div_euclid(n * SECOND) * n * SECOND - offset
        }
        Bucket::Day => day(at.date()),
        Bucket::Week => {
            let back = i64::from(at.date().weekday().to_monday_zero_offset());
            day(at.date().checked_sub(back.days()).unwrap())
        }
        Bucket::Month => day(at.date().first_of_month()),
        Bucket::Year => day(at.date().first_of_year()),
    }
}

pub(crate) fn key<'a>(call: &'a Call, by: &str) -> &'a str {
    match by {
        "model" => call.model,
        "agent" => call.agent,
        "room" => call.room,
        "session" => &call.session,
        "user" => &call.user,
        "version" => call.version,
        "provider" => call.provider,
        "attr:app.tier" if call.trace.is_multiple_of(3) => "gold",
        "attr:app.tier" => "tin",
        _ => panic!("{by}"),
    }
}

pub(crate) fn ask(store: &DuckDb, text: &str) -> UsageReport {
    let query = UsageQuery::read(&Params::parse(text)).unwrap();
    store.usage(&query, base() + 40 * DAY).unwrap()
}

/// Checks every figure of a report against the calls of the range.
pub(crate) fn check(
    store: &DuckDb,
    world: &World,
    (from, to): (i64, i64),
    bucket: Bucket,
    tz: &str,
    by: &[&str],
) {
    let text = format!(
        "from={from}&to={to}&bucket={}&tz={tz}&by={}&top=10000",
        bucket.as_str(),
        by.join(",")
    );
    let report = ask(store, &text);
    let zone = TimeZone::get(tz).unwrap();
    let calls: Vec<&Call> = world
        .calls
        .iter()
        .filter(|c| (from..to).contains(&c.time))
        .collect();
    assert_eq!(
        Sum::found(&report.totals.measures),
        Sum::of(calls.iter().copied()),
        "{text}"
    );
    let names = |call: &Call| {
        let second = by.get(1).map(|by| key(call, by).to_owned());
        (key(call, by[0]).to_owned(), second)
    };
    let mut groups: BTreeMap<_, Vec<&Call>> = BTreeMap::new();
    let mut buckets: BTreeMap<_, Sum> = BTreeMap::new();
    let mut line: BTreeMap<i64, Sum> = BTreeMap::new();
    for call in &calls {
        let start = bucket_of(call.time, bucket, &zone);
        groups.entry(names(call)).or_default().push(call);
        buckets.entry((start, names(call))).or_default().add(call);
        line.entry(start).or_default().add(call);
    }
    let found: BTreeMap<_, Sum> = report
        .groups
        .iter()
        .map(|g| ((g.group.clone(), g.second.clone()), Sum::found(&g.measures)))
        .collect();
    let sums: BTreeMap<_, Sum> = groups
        .iter()
        .map(|(name, calls)| (name.clone(), Sum::of(calls.iter().copied())))
        .collect();
    assert_eq!(found, sums, "{text}");
    assert_eq!(report.group_count as usize, groups.len());
    let found: BTreeMap<_, Sum> = report
        .buckets
        .iter()
        .map(|b| {
            let name = (b.group.clone().unwrap(), b.second.clone());
            ((b.start, name), Sum::found(&b.measures))
        })
        .collect();
    assert_eq!(found, buckets, "{text}");
    // The timeline has no gap, and is the sum of the buckets.
    assert_eq!(report.timeline.len() + 1, report.bounds.len());
    for (start, totals) in report.bounds.iter().zip(&report.timeline) {
        assert_eq!(bucket_of(*start, bucket, &zone), *start, "{text}");
        let expected = line.remove(start).unwrap_or_default();
        assert_eq!(Sum::found(&totals.measures), expected, "{text} at {start}");
    }
    assert!(line.is_empty(), "{text}: {line:?}");
    people(world, (from, to), &report, &text);
    let error = report.quantile_error.unwrap_or(0.0);
    quantiles(&calls, &report.totals.measures, error, &text);
    for group in &report.groups {
        let name = (group.group.clone(), group.second.clone());
        quantiles(
            &groups[&name],
            &group.measures,
            error,
            &format!("{text} {name:?}"),
        );
    }
}

fn people(world: &World, (from, to): (i64, i64), report: &UsageReport, text: &str) {
    let started: Vec<&Run> = world
        .runs
        .iter()
        .filter(|r| (from..to).contains(&r.start))
        .collect();
    let totals = &report.totals;
    assert_eq!(totals.runs, started.len() as u64, "{text}");
    assert_eq!(
        totals.failed_spans,
        started.iter().map(|r| r.failed).sum::<u64>(),
        "{text}"
    );
    assert_eq!(
        totals.failed_runs,
        started.iter().filter(|r| r.failed > 0).count() as u64
    );
    assert_eq!(
        totals.runs,
        report.timeline.iter().map(|t| t.runs).sum::<u64>(),
        "{text}"
    );
    assert_eq!(totals.spans, started.len() as u64 * (STEPS + 1));
    let ends = report.bounds.iter().zip(report.bounds.iter().skip(1));
    let buckets = ends.map(|(start, end)| ((*start).max(from), (*end).min(to)));
    let whole = std::iter::once(((from, to), totals));
    for ((from, to), found) in buckets.zip(&report.timeline).chain(whole) {
        let there = || world.runs.iter().filter(|r| r.start < to && r.end >= from);
        let sessions: BTreeSet<&str> = there().map(|r| r.session.as_str()).collect();
        assert_eq!(found.sessions, sessions.len() as u64, "{text} in {from}..{to}");
        let rooms: BTreeSet<&str> = there().map(|r| r.room).filter(|room| !room.is_empty()).collect();
        assert_eq!(found.rooms, rooms.len() as u64, "{text} in {from}..{to}");
        // An agent is there with its run, which may begin and end without it.
        let most: BTreeSet<&str> = there().flat_map(|r| r.agents.iter().copied()).collect();
        let calls = world.calls.iter().filter(|c| (from..to).contains(&c.time));
        let least: BTreeSet<&str> = calls.map(|c| c.agent).collect();
        assert!(
            (least.len()..=most.len()).contains(&(found.agents as usize)),
            "{text} in {from}..{to}: {} agents, {least:?} to {most:?}",
            found.agents
        );
    }
    let claimed: i64 = started.iter().filter_map(|r| r.claimed).sum();
    assert_eq!(totals.claimed_tokens, Some(claimed).filter(|n| *n > 0), "{text}");
    let took = started.iter().map(|r| r.end - r.start).collect();
    let error = report.run_quantile_error.unwrap_or(0.0);
    near(totals.run_latency_ns, took, error, text);
}

fn quantiles(calls: &[&Call], found: &UsageMeasures, error: f64, text: &str) {
    let durations = calls.iter().map(|call| call.duration).collect();
    near(found.latency_ns, durations, error, text);
    let first_tokens = calls.iter().filter_map(|call| call.first_token).collect();
    near(found.time_to_first_token_ns, first_tokens, error, text);
}

/// Checks that quantiles are those of the durations, up to a part of them.
fn near(found: Quantiles, mut durations: Vec<i64>, error: f64, text: &str) {
    durations.sort_unstable();
    for (found, part) in [(found.p50, 0.5), (found.p95, 0.95), (found.p99, 0.99)] {
        if durations.is_empty() {
            assert_eq!(found, None, "{text}");
            continue;
        }
        let rank = ((durations.len() as f64 * part).ceil() as usize).max(1) - 1;
        let (found, right) = (found.unwrap() as f64, durations[rank] as f64);
        let off = (found - right).abs() / right;
        assert!(off <= error, "{text}: {found} for {right}");
    }
}
