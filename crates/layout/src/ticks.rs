//! Ticks of a time axis at round durations from the start of a trace.

use crate::viewport::TimeView;
use meshscope_model::time::{DAY, HOUR, MILLISECOND, MINUTE, SECOND};

/// A line of the time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// When, ns since the epoch.
    pub time: i64,
    /// How long after the origin: `0 s`, `250 ms`, `1.5 s`, `3 m 20 s`.
    pub label: String,
}

/// Ticks within [`start`, `end`], at most `most` of them, at multiples of a round duration from
/// `origin` (the start of the trace). All times in ns since the epoch.
#[must_use]
pub fn ticks(origin: i64, start: i64, end: i64, most: usize) -> Vec<Tick> {
    let (from, to) = (
        i128::from(start) - i128::from(origin),
        i128::from(end) - i128::from(origin),
    );
    if most == 0 || to < from {
        return Vec::new();
    }
    ticks_of(origin, start, end, step_for(to - from, most))
}

/// Ticks within [`start`, `end`] at multiples of `step` from `origin`.
fn ticks_of(origin: i64, start: i64, end: i64, step: i64) -> Vec<Tick> {
    let step = i128::from(step);
    let (from, to) = (
        i128::from(start) - i128::from(origin),
        i128::from(end) - i128::from(origin),
    );
    let first = from.div_euclid(step) + i128::from(from.rem_euclid(step) != 0);
    let last = to.div_euclid(step);
    let unit = unit_of(from.unsigned_abs().max(to.unsigned_abs()));
    (first..=last)
        .filter_map(|n| {
            let offset = i64::try_from(n * step).ok()?;
            Some(Tick {
                time: origin.checked_add(offset)?,
                label: label(offset, step as i64, unit),
            })
        })
        .collect()
}

/// Ticks of a view, `room` px apart or more, at multiples of a round duration from `origin`. There
/// are none within gaps, which have marks of their own.
#[must_use]
pub fn ticks_in(origin: i64, view: &TimeView, room: f64) -> Vec<Tick> {
    let most = (view.width() / room.max(1.0)).max(1.0) as usize;
    let mut gaps = view.gaps().peekable();
    if gaps.peek().is_none() {
        return ticks(origin, view.start(), view.end(), most);
    }
    let length = (view.ns_per_px() * view.width()).round() as i64;
    let step = step_for(i128::from(length), most);
    let mut found = Vec::new();
    let mut start = view.start();
    for gap in gaps.map(|(gap, _, _)| Some(gap)).chain([None]) {
        // A gap's own edges are where its mark is.
        let end = gap.map_or(view.end(), |gap| gap.start.saturating_sub(1));
        found.extend(ticks_of(origin, start, end, step));
        start = gap.map_or(end, |gap| gap.end.saturating_add(1));
    }
    let mut right = f64::NEG_INFINITY;
    found.retain(|tick| {
        let x = view.x_of(tick.time);
        let free = x - right >= room;
        if free {
            right = x;
        }
        free
    });
    found
}

/// The time at the pointer, `offset` ns after the start of the trace, with as many digits as a
/// px of `ns_per_px` can tell apart and one more: `3.320 s`.
#[must_use]
pub fn offset(offset: i64, ns_per_px: f64) -> String {
    let resolution = if ns_per_px.is_finite() {
        (ns_per_px / 10.0).max(1.0)
    } else {
        1.0
    };
    let unit = unit_of(u128::from(offset.unsigned_abs()));
    let mut step = 1_i64;
    while (step as f64) * 10.0 <= resolution && step < SECOND {
        step *= 10;
    }
    let rounded = offset / step * step;
    label(rounded, step, unit)
}

/// The shortest round duration of which at most `most` ticks fall into `length`.
fn step_for(length: i128, most: usize) -> i64 {
    const ROUND: [i64; 16] = [
        SECOND,
        2 * SECOND,
        5 * SECOND,
        10 * SECOND,
        15 * SECOND,
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
    ];
    // A length of k steps can hold k + 1 ticks.
    let fits = |step: &i64| length / i128::from(*step) < most as i128;
    let decimals = |unit: i64| std::iter::successors(Some(unit), |power| power.checked_mul(10));
    let below_a_second = decimals(1)
        .take_while(|power| *power < SECOND)
        .flat_map(|power| [power, 2 * power, 5 * power]);
    let days = decimals(DAY).flat_map(|power| [Some(power), power.checked_mul(2), power.checked_mul(5)]);
    below_a_second
        .chain(ROUND)
        .chain(days.flatten())
        .find(fits)
        .unwrap_or(i64::MAX)
}

/// The unit that labels of times up to `magnitude` ns are written in.
fn unit_of(magnitude: u128) -> i64 {
    match magnitude {
        0..1_000 => 1,
        1_000..1_000_000 => 1_000,
        1_000_000..1_000_000_000 => MILLISECOND,
        1_000_000_000..60_000_000_000 => SECOND,
        60_000_000_000..3_600_000_000_000 => MINUTE,
        3_600_000_000_000..86_400_000_000_000 => HOUR,
        _ => DAY,
    }
}

/// `offset` in `unit`, with the digits that multiples of `step` need.
fn label(offset: i64, step: i64, unit: i64) -> String {
    let sign = if offset < 0 { "\u{2212}" } else { "" };
    let n = offset.unsigned_abs();
    if n == 0 {
        return match unit {
            1 => "0 ns",
            1_000 => "0 µs",
            MILLISECOND => "0 ms",
            _ => "0 s",
        }
        .to_owned();
    }
    let small =
        |unit: i64, name: &str| format!("{} {name}", decimal(n, unit.unsigned_abs(), step.unsigned_abs()));
    let text = match unit {
        1 => small(1, "ns"),
        1_000 => small(1_000, "µs"),
        MILLISECOND => small(MILLISECOND, "ms"),
        SECOND => small(SECOND, "s"),
        _ => compound(n, step.unsigned_abs()),
    };
    format!("{sign}{text}")
}

/// `1 h 3 m 20 s`: units that are zero are left out.
fn compound(n: u64, step: u64) -> String {
    let whole = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
    let mut rest = n;
    let mut parts = Vec::new();
    for (unit, name) in whole {
        let count = rest / unit.unsigned_abs();
        rest %= unit.unsigned_abs();
        if count > 0 {
            parts.push(format!("{count} {name}"));
        }
    }
    if rest > 0 {
        parts.push(format!("{} s", decimal(rest, SECOND.unsigned_abs(), step)));
    }
    parts.join(" ")
}

/// `n / unit` with the digits behind the point that multiples of `step` need; both powers of
/// ten or a multiple of `unit`.
fn decimal(n: u64, unit: u64, step: u64) -> String {
    let mut digits = 0_usize;
    let mut power = unit;
    while power > 1 && !step.is_multiple_of(power) {
        power /= 10;
        digits += 1;
    }
    let (whole, rest) = (n / unit, n % unit / power);
    if digits == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{rest:0digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gap, Gaps};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn labels(from: i64, to: i64, most: usize) -> Vec<String> {
        let origin = 1_795_000_000_123_456_789;
        let ticks = ticks(origin, origin + from, origin + to, most);
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn labels_are_round_and_carry_their_unit() {
        assert_eq!(labels(0, 8_420_000_000, 6), ["0 s", "2 s", "4 s", "6 s", "8 s"]);
        assert_eq!(
            labels(0, 2_000_000_000, 5),
            ["0.0 s", "0.5 s", "1.0 s", "1.5 s", "2.0 s"].map(|text| text.replace("0.0 s", "0 s"))
        );
        assert_eq!(labels(0, 990_000_000, 4), ["0 ms", "500 ms"]);
        assert_eq!(labels(0, 900, 3), ["0 ns", "500 ns"]);
        assert_eq!(
            labels(190_000_000_000, 225_000_000_000, 5),
            ["3 m 10 s", "3 m 20 s", "3 m 30 s", "3 m 40 s"]
        );
        assert_eq!(
            labels(3_320_000_000, 3_320_004_000, 3),
            ["3.320000 s", "3.320002 s", "3.320004 s"]
        );
        assert_eq!(labels(0, 4 * HOUR, 5), ["0 s", "1 h", "2 h", "3 h", "4 h"]);
        assert_eq!(labels(-1_500_000_000, 500_000_000, 3), ["\u{2212}1 s", "0 s"]);
    }

    #[test]
    fn the_pointer_reads_one_digit_more_than_a_px() {
        assert_eq!(offset(3_320_400_000, 16_450_000.0), "3.320 s");
        assert_eq!(offset(250_123_456, 100_000.0), "250.12 ms");
        assert_eq!(offset(72_500_000_000, 50_000_000.0), "1 m 12.500 s");
        assert_eq!(offset(0, f64::NAN), "0 ns");
        assert_eq!(offset(5 * DAY + 90, 1e12), "5 d");
    }

    #[test]
    fn gaps_have_no_ticks_and_the_rest_one_scale() {
        let gap = Gap {
            start: 2 * SECOND,
            end: 10 * HOUR,
        };
        let mut view = TimeView::new(0, 10 * HOUR + 2 * SECOND, 816.0);
        view.set_gaps(Arc::new(Gaps::new(vec![gap])));
        view.set_window(0, 10 * HOUR + 2 * SECOND);
        let found = ticks_in(0, &view, 90.0);
        let labels: Vec<_> = found.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "0 s",
                "0.5 s",
                "1.0 s",
                "1.5 s",
                "10 h 0.5 s",
                "10 h 1.0 s",
                "10 h 1.5 s",
                "10 h 2.0 s"
            ]
        );
        view.set_gaps(Arc::default());
        assert_eq!(ticks_in(0, &view, 90.0), ticks(0, view.start(), view.end(), 9));
    }

    proptest! {
        #[test]
        fn ticks_are_few_ordered_inside_and_told_apart(origin: i64, start: i64, length in 0..i64::MAX, most in 1..40_usize) {
            let end = start.saturating_add(length);
            let ticks = ticks(origin, start, end, most);
            prop_assert!(ticks.len() <= most);
            for pair in ticks.windows(2) {
                prop_assert!(pair[0].time < pair[1].time && pair[0].label != pair[1].label);
            }
            prop_assert!(ticks.iter().all(|tick| (start..=end).contains(&tick.time)));
        }

        #[test]
        fn an_axis_is_never_left_bare(origin in 0..i64::MAX / 4, from in 0..i64::MAX / 4, length in 20..DAY * 300, most in 5..20_usize) {
            let start = origin + from;
            prop_assert!(ticks(origin, start, start + length, most).len() >= most / 5);
        }
    }
}
