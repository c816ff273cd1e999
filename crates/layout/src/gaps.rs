//! Idle gaps: stretches of a trace in which nothing works, told by a mark instead of by length.
//!
//! A span works while it has no children: one that has some is waiting for them, or for what comes
//! between them. Where no span works for long, time can be compressed to a few px. Between the
//! gaps time stays linear, all of one scale.

use crate::waterfall::drawn_times;
use meshscope_analysis::Tree;
use meshscope_model::SpanColumns;

/// Width of a gap, px, where there is room.
pub const GAP_WIDTH: f64 = 16.0;
/// No more gaps than this are compressed: the longest.
pub const MOST_GAPS: usize = 64;
/// A gap is at least this part of the time in which something works.
const LEAST_PART: i64 = 10;

/// A stretch in which nothing works, not empty. Times in ns since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// First ns.
    pub start: i64,
    /// First ns behind it.
    pub end: i64,
}

impl Gap {
    /// How long it is, ns.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

/// The gaps of a trace, ascending and apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gaps {
    gaps: Vec<Gap>,
    /// How long all gaps before each are together, ns.
    before: Vec<i128>,
}

impl Gaps {
    /// Finds the gaps of a trace that are worth compressing; spans in progress go on to `now`,
    /// ns since the epoch.
    #[must_use]
    pub fn find(columns: &SpanColumns, tree: &Tree, now: i64) -> Self {
        let times = |row: usize| drawn_times(columns, row, now);
        let all = || (0..tree.len()).map(times);
        let (Some(first), Some(last)) = (
            all().map(|(start, _)| start).min(),
            all().map(|(_, end)| end).max(),
        ) else {
            return Self::default();
        };
        let leaves = (0..tree.len()).filter(|row| tree.size(*row as u32) == 1);
        let mut work: Vec<(i64, i64)> = leaves.map(times).collect();
        if !work.is_sorted() {
            work.sort_unstable();
        }
        let mut gaps = Vec::new();
        let mut worked_to = first;
        for (start, end) in work.into_iter().chain([(last, last)]) {
            if start > worked_to {
                gaps.push(Gap {
                    start: worked_to,
                    end: start,
                });
            }
            worked_to = worked_to.max(end);
        }
        let idle: i128 = gaps.iter().map(|gap| i128::from(gap.length())).sum();
        let work = i128::from(last) - i128::from(first) - idle;
        gaps.retain(|gap| i128::from(gap.length()) * i128::from(LEAST_PART) >= work);
        gaps.sort_unstable_by_key(|gap| std::cmp::Reverse(gap.length()));
        gaps.truncate(MOST_GAPS);
        Self::new(gaps)
    }

    /// These gaps; what is empty or overlaps one that starts before it is left out.
    #[must_use]
    pub fn new(mut gaps: Vec<Gap>) -> Self {
        gaps.sort_unstable_by_key(|gap| (gap.start, gap.end));
        let mut kept = Self::default();
        let mut idle = 0;
        for gap in gaps {
            let apart = kept.gaps.last().is_none_or(|before| before.end <= gap.start);
            if apart && gap.start < gap.end {
                kept.before.push(idle);
                idle += i128::from(gap.end) - i128::from(gap.start);
                kept.gaps.push(gap);
            }
        }
        kept
    }

    /// The gaps.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// True when nothing is compressed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }

    /// How many ns of the gaps lie before `time`, and how many gaps, the part of the last one.
    pub(crate) fn before(&self, time: i64) -> (i128, f64) {
        let count = self.gaps.partition_point(|gap| gap.start < time);
        let last = count.checked_sub(1);
        let found = last.and_then(|last| Some((last, self.gaps.get(last)?, self.before.get(last)?)));
        let Some((last, gap, before)) = found else {
            return (0, 0.0);
        };
        let length = i128::from(gap.end) - i128::from(gap.start);
        let passed = i128::from(time.min(gap.end)) - i128::from(gap.start);
        let part = if passed == length {
            1.0
        } else {
            passed as f64 / length as f64
        };
        (before + passed, last as f64 + part)
    }
}

/// How time is laid out: `ns` ns outside of gaps on `px` px, a gap on `gap_px`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// The time at px 0.
    pub(crate) origin: i64,
    pub(crate) ns: f64,
    pub(crate) px: f64,
    pub(crate) gap_px: f64,
}

impl Scale {
    /// The scale that puts [`start`, `end`) on `width` px. All gaps together take half of it at
    /// most, were they all seen; where nothing but gap is seen, that takes it all.
    pub(crate) fn fit(gaps: &Gaps, start: i64, end: i64, width: f64) -> Self {
        let linear = Self {
            origin: start,
            ns: difference(end, start).max(1.0),
            px: width,
            gap_px: 0.0,
        };
        if gaps.is_empty() {
            return linear;
        }
        let ((idle_before, from), (idle, to)) = (gaps.before(start), gaps.before(end));
        let length = i128::from(end) - i128::from(start);
        let (work, seen) = (length - (idle - idle_before), to - from);
        if work <= 0 {
            let gap_px = width / seen;
            return Self { gap_px, ..linear };
        }
        let gap_px = GAP_WIDTH.min(width / 2.0 / gaps.gaps.len() as f64);
        Self {
            ns: work as f64,
            px: width - seen * gap_px,
            gap_px,
            ..linear
        }
    }

    /// Where `time` stands, px.
    pub(crate) fn x_of(&self, gaps: &Gaps, time: i64) -> f64 {
        if gaps.is_empty() {
            return difference(time, self.origin) * self.px / self.ns;
        }
        let ((idle_before, from), (idle, to)) = (gaps.before(self.origin), gaps.before(time));
        let work = i128::from(time) - i128::from(self.origin) - (idle - idle_before);
        work as f64 * self.px / self.ns + (to - from) * self.gap_px
    }

    /// The time at `x`, to the nearest ns.
    pub(crate) fn time_at(&self, gaps: &Gaps, x: f64) -> i64 {
        let after = |time: i64, px: f64, ns: f64, on_px: f64| {
            // All of i64 is longer than an i64.
            let found = i128::from(time).saturating_add((px * ns / on_px).round() as i128);
            found.clamp(i64::MIN.into(), i64::MAX.into()) as i64
        };
        let started = gaps.gaps.partition_point(|gap| self.x_of(gaps, gap.start) <= x);
        let last = started.checked_sub(1).and_then(|last| gaps.gaps.get(last));
        if let Some(gap) = last.filter(|gap| x < self.x_of(gaps, gap.end)) {
            let inside = x - self.x_of(gaps, gap.start);
            return after(gap.start, inside, gap.length() as f64, self.gap_px).min(gap.end);
        }
        // Counted from the nearest time that lies in the same stretch of work.
        let from = last.map_or(i64::MIN, |gap| gap.end);
        let to = gaps.gaps.get(started).map_or(i64::MAX, |gap| gap.start);
        let base = self.origin.clamp(from, to);
        after(base, x - self.x_of(gaps, base), self.ns, self.px).clamp(from, to)
    }

    /// How many ns a px covers at `x`.
    pub(crate) fn ns_per_px(&self, gaps: &Gaps, x: f64) -> f64 {
        let inside = gaps
            .gaps
            .iter()
            .find(|gap| self.x_of(gaps, gap.start) <= x && x < self.x_of(gaps, gap.end));
        inside.map_or(self.ns / self.px, |gap| gap.length() as f64 / self.gap_px)
    }
}

/// `a` less `b`, taken as integers: two times of this century are exact as f64 only to 256 ns.
fn difference(a: i64, b: i64) -> f64 {
    if a >= b {
        a.abs_diff(b) as f64
    } else {
        -(a.abs_diff(b) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Stage, columns, spans};
    use crate::viewport::TimeView;
    use crate::{Bar, BarPlace};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn found(spans: &[crate::testing::TestSpan]) -> Vec<(i64, i64)> {
        let c = columns(spans);
        let gaps = Gaps::find(&c, &Tree::build(&c), 0);
        gaps.gaps().iter().map(|gap| (gap.start, gap.end)).collect()
    }

    #[test]
    fn a_gap_is_where_no_span_without_children_runs() {
        // A root over all; two calls, the second with a tool of its own at its end.
        let trace = [
            (1, 0, 0, 1_000),
            (2, 1, 0, 100),
            (3, 1, 400, 500),
            (4, 3, 800, 100),
        ];
        assert_eq!(found(&trace), [(100, 800), (900, 1_000)]);
        assert_eq!(found(&trace[..2]), [(100, 1_000)]);
        assert_eq!(found(&trace[..1]), []);
        assert_eq!(found(&[]), []);
    }

    #[test]
    fn short_gaps_stay_and_the_longest_are_taken() {
        assert_eq!(
            found(&[(1, 0, 0, 100), (2, 0, 109, 50), (3, 0, 200, 10)]),
            [(159, 200)]
        );
        let many: Vec<_> = (1..=200_u64)
            .map(|id| (id, 0, (id * id) as i64 * 1_000, 1))
            .collect();
        let longest = found(&many);
        assert_eq!(longest.len(), MOST_GAPS);
        assert_eq!(longest.last(), Some(&(199 * 199 * 1_000 + 1, 200 * 200 * 1_000)));
    }

    /// 10 h of nothing between two calls of a second.
    fn pause() -> (Stage, i64, i64) {
        const S: i64 = 1_000_000_000;
        let later = 36_000 * S;
        let c = columns(&[(1, 0, 0, later + S), (2, 1, 0, S), (3, 1, later, S)]);
        let mut stage = Stage::new(c, 1_016.0);
        let gaps = Gaps::find(&stage.columns, &stage.tree, 0);
        stage.view.set_gaps(Arc::new(gaps));
        (stage, S, later)
    }

    #[test]
    fn a_gap_has_the_same_width_at_every_zoom() {
        let (mut stage, second, later) = pause();
        let view = &mut stage.view;
        assert_eq!(view.bounds(), (0, later + second + second / 10));
        let marks = |view: &TimeView| {
            let marks = view.gaps().map(|(_, x0, x1)| (x0.round(), x1.round()));
            marks.collect::<Vec<_>>()
        };
        let left = (1_000.0_f64 / 2.1).round();
        assert_eq!(marks(view), [(left, left + 16.0)]);
        let inside = left + 8.0;
        let time = view.time_at(inside);
        assert!(second < time && time < later);
        view.zoom(inside, 0.25);
        let marks_now = marks(view);
        assert_eq!(marks_now.len(), 1);
        assert!((marks_now[0].1 - marks_now[0].0 - 16.0).abs() < 1.1);
        assert!((view.x_of(time) - inside).abs() < 0.1, "the pointer stays on it");
        let length = view.ns_per_px();
        view.pan(300.0);
        view.pan(-300.0);
        assert!((view.ns_per_px() / length - 1.0).abs() < 1e-6);
        assert!((view.x_of(time) - inside).abs() < 0.1);
        view.zoom(0.0, 1e9);
        assert!(view.is_fitted());
    }

    #[test]
    fn a_window_within_a_gap_shows_it_as_it_is() {
        let (mut stage, second, later) = pause();
        stage.view.set_window(10 * second, 20 * second);
        assert!((stage.view.x_of(15 * second) - 508.0).abs() < 1e-6);
        assert_eq!(stage.view.time_at(508.0), 15 * second);
        stage.view.set_gaps(Arc::default());
        stage.view.fit();
        assert!(stage.view.x_of(later) > 900.0, "gaps undone");
    }

    /// Gaps within a trace of 100 µs, and moves of the view.
    fn scenes() -> impl Strategy<Value = (TimeView, Gaps)> {
        let gaps = prop::collection::vec((0..100_000_i64, 1..20_000_i64), 0..20);
        let zooms = prop::collection::vec((0.0..1.0_f64, 0.05..3.0_f64, -500.0..500.0_f64), 0..9);
        (gaps, zooms, 30.0..3_000.0_f64, any::<bool>()).prop_map(|(gaps, zooms, width, far)| {
            // Far: at a time of this century, and a day long.
            let (origin, unit) = if far {
                (1_795_000_000_123_456_789, 864_000_000)
            } else {
                (0, 1)
            };
            let gaps = gaps.into_iter().map(|(start, length)| Gap {
                start: origin + start * unit,
                end: origin + (start + length).min(100_000) * unit,
            });
            let gaps = Gaps::new(gaps.collect());
            let mut view = TimeView::new(origin, origin + 100_000 * unit, width);
            view.set_gaps(Arc::new(gaps.clone()));
            for (at, factor, px) in zooms {
                view.zoom(at * width, factor);
                view.pan(px);
            }
            (view, gaps)
        })
    }

    proptest! {
        #[test]
        fn time_and_px_lead_back_to_each_other((view, _) in scenes(), part in 0.0..1.0_f64) {
            let time = view.start() + (view.length() as f64 * part) as i64;
            let x = view.x_of(time);
            let slack = 1 + (view.length() >> 44);
            prop_assert!((view.time_at(x) - time).abs() <= slack, "{} at {} is {}", time, x, view.time_at(x));
            prop_assert!(-1e-6 <= x && x <= view.width() + 1e-6);
            let x = part * view.width();
            let back = view.x_of(view.time_at(x));
            let half = 0.5 / view.ns_per_px_at(x).min(view.ns_per_px_at(back)) + 1e-6;
            prop_assert!((back - x).abs() <= half, "{} is {}", x, back);
        }

        #[test]
        fn later_is_further_right((view, _) in scenes(), parts in prop::collection::vec(-0.5..1.5_f64, 2..20)) {
            let mut times: Vec<i64> = parts.iter().map(|part| view.start() + (view.length() as f64 * part) as i64).collect();
            times.sort_unstable();
            let places: Vec<f64> = times.iter().map(|time| view.x_of(*time)).collect();
            prop_assert!(places.is_sorted());
            prop_assert!(view.x_of(view.start()).abs() < 1e-6 && (view.x_of(view.end()) - view.width()).abs() < 1e-6);
        }

        #[test]
        fn the_window_stays_within_its_bounds((view, _) in scenes()) {
            let (first, last) = view.bounds();
            prop_assert!(first <= view.start() && view.start() < view.end() && view.end() <= last);
        }

        #[test]
        fn every_gap_in_the_window_is_marked_and_none_is_wide((view, gaps) in scenes()) {
            let marked: Vec<Gap> = view.gaps().map(|(gap, _, _)| gap).collect();
            let met = gaps.gaps().iter().filter(|gap| gap.start < view.end() && gap.end > view.start());
            prop_assert_eq!(&marked, &met.copied().collect::<Vec<_>>());
            let only_gap = marked.first().is_some_and(|gap| gap.start <= view.start() && view.end() <= gap.end);
            for (_, x0, x1) in view.gaps() {
                prop_assert!(only_gap || x1 - x0 <= GAP_WIDTH + 1e-6);
                prop_assert!(x0 >= -1e-6 && x1 <= view.width() + 1e-6);
            }
        }

        #[test]
        fn bars_lead_back_to_their_times_with_gaps(spans in spans(30), width in 50.0..2_000.0_f64, zooms in prop::collection::vec((0.0..1.0_f64, 0.3..2.0_f64), 0..6)) {
            let scaled: Vec<_> = spans.iter().map(|(id, parent, start, duration)| (*id, *parent, start * start * 9_973, duration * 1_009)).collect();
            let mut stage = Stage::new(columns(&scaled), width);
            let gaps = Gaps::find(&stage.columns, &stage.tree, stage.now);
            stage.view.set_gaps(Arc::new(gaps));
            for (at, factor) in zooms {
                stage.view.zoom(at * width, factor);
            }
            let view = stage.view.clone();
            let mut bars: Vec<Bar> = Vec::new();
            stage.waterfall().bars(&[], &|text| text.len() as f64, &mut bars);
            for bar in bars {
                let (start, end) = stage.waterfall().times(bar.span);
                let BarPlace::Within { x0, x1, cut_left, cut_right } = bar.place else { continue };
                let half = |x: f64| view.ns_per_px_at(x).max(view.ns_per_px_at(x - 1e-6)) / 2.0 + 1.0;
                if x1 - x0 > 2.0 + 1e-9 {
                    prop_assert!(cut_left || (view.time_at(x0) - start).abs() as f64 <= half(x0));
                    prop_assert!(cut_right || (view.time_at(x1) - end).abs() as f64 <= half(x1));
                }
            }
        }
    }
}
