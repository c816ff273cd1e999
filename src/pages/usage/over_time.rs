//! The charts of a report, as series. Pure.

use super::measure::{CARBON, COUNT, MEASURES, MONEY, Measure, RATE, TIME, Unit};
use super::selection::filter_of;
use crate::charts::{Data, Kind, Series, hue};
use meshscope_api::{Params, UsageGroup, UsageHeatMap, UsageKey, UsageReport, UsageTotals};
use meshscope_layout::format;

fn data(report: &UsageReport, kind: Kind, unit: &Unit, series: Vec<Series>) -> Data {
    Data {
        kind,
        edges: report.bounds.clone(),
        // A series without a single value only makes the legend longer.
        series: series
            .into_iter()
            .filter(|series| series.values.iter().any(Option::is_some))
            .collect(),
        format: unit.short,
        exact: Some(unit.exact),
        ..Data::default()
    }
}

/// A series of what `value` is in each bucket.
fn line(report: &UsageReport, name: &str, hue: usize, value: fn(&UsageTotals) -> Option<f64>) -> Series {
    Series::new(name, hue, report.timeline.iter().map(value).collect())
}

/// What a group is called.
pub(crate) fn group_name(group: &UsageGroup) -> String {
    let name = |key: &str| {
        if key.is_empty() {
            "none".to_owned()
        } else {
            key.to_owned()
        }
    };
    match (&group.second, group.other) {
        (_, true) => "others".to_owned(),
        (Some(second), _) => format!("{} \u{b7} {}", name(&group.group), name(second)),
        (None, _) => name(&group.group),
    }
}

/// A measure over time, a series a group of `key`.
pub(super) fn groups(report: &UsageReport, measure: &Measure, key: Option<&UsageKey>) -> Data {
    let group = |(at, group): (usize, &UsageGroup)| {
        let hue = if group.other { hue::REST } else { at % hue::REST };
        let mut series = Series::new(&group_name(group), hue, vec![None; report.timeline.len()]);
        series.key = key
            .filter(|_| !group.other)
            .map(|key| Params(vec![filter_of(key, &group.group)]).to_query());
        for bucket in &report.buckets {
            let same = bucket.other == group.other
                && (group.other || bucket.group.as_ref() == Some(&group.group))
                && (group.other || bucket.second == group.second);
            let step = report.bounds.binary_search(&bucket.start).ok().filter(|_| same);
            if let Some(slot) = step.and_then(|step| series.values.get_mut(step)) {
                *slot = (measure.value)(&bucket.measures);
            }
        }
        series
    };
    let series = report.groups.iter().enumerate().map(group).collect();
    data(report, measure.kind, &measure.unit, series)
}

/// Tokens by class, none of them in two.
pub(super) fn classes(report: &UsageReport) -> Data {
    type Class = fn(&UsageTotals) -> Option<f64>;
    fn less(all: Option<i64>, parts: [Option<i64>; 3]) -> Option<f64> {
        let parts: i64 = parts.iter().flatten().sum();
        all.map(|all| (all - parts).max(0) as f64)
    }
    let all: [(&str, Class); 7] = [
        ("uncached input", |t| {
            let t = &t.measures.tokens;
            less(t.input, [t.cached_input, t.cache_write, t.audio_input])
        }),
        ("cached input", |t| {
            less(t.measures.tokens.cached_input, [None; 3])
        }),
        ("cache write", |t| less(t.measures.tokens.cache_write, [None; 3])),
        ("output", |t| {
            let t = &t.measures.tokens;
            less(t.output, [t.reasoning, t.audio_output, None])
        }),
        ("reasoning", |t| less(t.measures.tokens.reasoning, [None; 3])),
        ("audio input", |t| less(t.measures.tokens.audio_input, [None; 3])),
        ("audio output", |t| {
            less(t.measures.tokens.audio_output, [None; 3])
        }),
    ];
    let series = all
        .iter()
        .enumerate()
        .map(|(hue, (name, class))| line(report, name, hue, *class));
    data(report, Kind::Stacked, &COUNT, series.collect())
}

/// How much went on.
pub(super) fn activity(report: &UsageReport) -> Data {
    let series = vec![
        line(report, "calls", 0, |t| Some(t.measures.calls as f64)),
        line(report, "runs", 1, |t| Some(t.runs as f64)),
        line(report, "sessions", 2, |t| Some(t.sessions as f64)),
    ];
    data(report, Kind::Lines, &COUNT, series)
}

/// Quantiles of the latency of runs.
pub(super) fn run_latency(report: &UsageReport) -> Data {
    let series = vec![
        line(report, "p50", 0, |t| t.run_latency_ns.p50.map(|ns| ns as f64)),
        line(report, "p95", 1, |t| t.run_latency_ns.p95.map(|ns| ns as f64)),
        line(report, "p99", 2, |t| t.run_latency_ns.p99.map(|ns| ns as f64)),
    ];
    data(report, Kind::Lines, &TIME, series)
}

/// Quantiles of the latency of calls, and of their first token.
pub(super) fn call_latency(report: &UsageReport) -> Data {
    let series = vec![
        line(report, "p50", 0, |t| {
            t.measures.latency_ns.p50.map(|ns| ns as f64)
        }),
        line(report, "p95", 1, |t| {
            t.measures.latency_ns.p95.map(|ns| ns as f64)
        }),
        line(report, "p99", 2, |t| {
            t.measures.latency_ns.p99.map(|ns| ns as f64)
        }),
        line(report, "first token p95", 3, |t| {
            t.measures.time_to_first_token_ns.p95.map(|ns| ns as f64)
        }),
    ];
    data(report, Kind::Lines, &TIME, series)
}

fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// What part failed, what part was blocked.
pub(super) fn trouble(report: &UsageReport) -> Data {
    let series = vec![
        line(report, "failed runs", hue::ERROR, |t| {
            share(t.failed_runs, t.runs)
        }),
        line(report, "blocked runs", hue::BLOCKED, |t| {
            share(t.blocked_runs, t.runs)
        }),
        line(report, "failed calls", 2, |t| {
            share(t.measures.errors, t.measures.calls)
        }),
    ];
    data(report, Kind::Lines, &RATE, series)
}

/// All tokens over time, a series a group.
pub(crate) fn tokens_by_group(report: &UsageReport) -> Data {
    let tokens = MEASURES.iter().find(|measure| measure.word == "tokens");
    tokens.map_or_else(Data::default, |tokens| groups(report, tokens, None))
}

/// Cost of a run.
pub(super) fn cost_per_run(report: &UsageReport) -> Data {
    let each = |t: &UsageTotals| {
        let cost = t.measures.cost_pico_usd.filter(|_| t.runs > 0)?;
        Some(cost as f64 / t.runs as f64)
    };
    data(
        report,
        Kind::Lines,
        &MONEY,
        vec![line(report, "cost of a run", 0, each)],
    )
}

/// Carbon over time.
pub(super) fn carbon_over_time(report: &UsageReport) -> Data {
    let series = line(report, "carbon", 5, |t| t.measures.carbon_ug.map(|ug| ug as f64));
    data(report, Kind::Stacked, &CARBON, vec![series])
}

/// Classes of durations that one row of the heat map takes together: the map has quarters of doublings.
const TOGETHER: usize = 2;

/// How many calls took how long, and when.
pub(super) fn heat(map: &UsageHeatMap) -> Data {
    let steps = map.bounds.len().saturating_sub(1);
    let rows = map.classes.len().saturating_sub(1).div_ceil(TOGETHER);
    let row = |row: usize| {
        let name = map.classes.get(row * TOGETHER).copied().unwrap_or(0);
        Series::new(&format::duration(name), 0, vec![Some(0.0); steps])
    };
    let mut series: Vec<Series> = (0..rows).map(row).collect();
    for cell in &map.cells {
        let row = series.get_mut(cell.class as usize / TOGETHER);
        if let Some(Some(slot)) = row.and_then(|row| row.values.get_mut(cell.bucket as usize)) {
            *slot += f64::from(cell.count);
        }
    }
    Data {
        kind: Kind::Heat,
        edges: map.bounds.clone(),
        series,
        format: COUNT.short,
        exact: Some(COUNT.exact),
        ..Data::default()
    }
}

/// The values of a figure in each bucket, for a sparkline.
pub(super) fn spark(timeline: &[UsageTotals], value: fn(&UsageTotals) -> Option<i64>) -> Vec<Option<f64>> {
    timeline
        .iter()
        .map(|totals| value(totals).map(|n| n as f64))
        .collect()
}

/// Nothing ran and nothing was called.
pub(super) fn is_empty(report: &UsageReport) -> bool {
    report.totals.runs == 0 && report.totals.measures.calls == 0
}
