//! A trace over time at every level of detail: how much ran, how deep, and where trouble was.
//!
//! Built once for a trace, a pyramid of 4,096 buckets and their pairs, so that any stretch of
//! time at any width costs as much as it has px, however many spans there are.

use crate::viewport::TimeView;
use crate::waterfall::drawn_times;
use meshscope_analysis::Tree;
use meshscope_model::SpanColumns;
use meshscope_model::columns::flag;

/// Buckets of the finest level; a power of two.
const FINEST: usize = 4_096;
const LAST: i128 = FINEST as i128 - 1;

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// How many spans ran in it; over several buckets of the finest level, the most of any.
    pub running: u32,
    /// Depth of the deepest of them.
    pub depth: u32,
    /// [`flag::ERROR`] and [`flag::BLOCKED`] of spans that ended in it.
    pub flags: u8,
}

impl Bucket {
    fn join(self, other: Self) -> Self {
        Self {
            running: self.running.max(other.running),
            depth: self.depth.max(other.depth),
            flags: self.flags | other.flags,
        }
    }
}

/// The pyramid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    start: i64,
    /// Length of a bucket of the finest level, ns.
    unit: i128,
    /// The pyramid as a binary heap: the whole trace at 1, the halves of `n` at `2n` and `2n + 1`.
    heap: Vec<Bucket>,
}

impl Profile {
    /// The profile of a trace; spans in progress go on to `now`, ns since the epoch.
    #[must_use]
    pub fn build(columns: &SpanColumns, tree: &Tree, now: i64) -> Self {
        let times = || (0..columns.len()).map(|row| drawn_times(columns, row, now));
        let start = times().map(|(start, _)| start).min().unwrap_or(0);
        let end = times().map(|(_, end)| end).max().unwrap_or(0);
        let unit = (i128::from(end) - i128::from(start)) / FINEST as i128 + 1;
        let bucket = |time: i64| ((i128::from(time) - i128::from(start)) / unit).clamp(0, LAST) as usize;
        let mut profile = Self {
            start,
            unit,
            heap: vec![Bucket::default(); 2 * FINEST],
        };
        // How many more run in a bucket than in the one before.
        let mut changes = vec![0_i32; FINEST + 1];
        for (row, (start, end)) in times().enumerate() {
            // The ns of its end is not the span's, unless it has no other.
            let (from, to) = (bucket(start), bucket(end.saturating_sub(1).max(start)));
            changes[from] += 1;
            changes[to + 1] -= 1;
            profile.deepen(from, to, tree.depth(row as u32));
            let flags = columns.flags.get(row).copied().unwrap_or(0);
            profile.heap[FINEST + to].flags |= flags & (flag::ERROR | flag::BLOCKED);
        }
        profile.finish(&changes);
        profile
    }

    /// Notes a depth for the finest buckets `from..=to` on the fewest nodes that cover them.
    fn deepen(&mut self, from: usize, to: usize, depth: u32) {
        let (mut left, mut right) = (FINEST + from, FINEST + to + 1);
        while left < right {
            if left % 2 == 1 {
                self.heap[left].depth = self.heap[left].depth.max(depth);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                self.heap[right].depth = self.heap[right].depth.max(depth);
            }
            left /= 2;
            right /= 2;
        }
    }

    /// Brings what was noted on nodes down to the finest buckets, and all of these up again.
    fn finish(&mut self, changes: &[i32]) {
        for node in 1..FINEST {
            let depth = self.heap[node].depth;
            for half in [2 * node, 2 * node + 1] {
                self.heap[half].depth = self.heap[half].depth.max(depth);
            }
        }
        let mut running = 0_i32;
        for (bucket, change) in self.heap[FINEST..].iter_mut().zip(changes) {
            running += change;
            bucket.running = running.unsigned_abs();
        }
        for node in (1..FINEST).rev() {
            self.heap[node] = self.heap[2 * node].join(self.heap[2 * node + 1]);
        }
    }

    /// What ran within [`start`, `end`), in `width` stretches of equal length. Where a stretch
    /// is shorter than a bucket of the finest level it gets that bucket.
    #[must_use]
    pub fn sample(&self, start: i64, end: i64, width: usize) -> Vec<Bucket> {
        let length = (i128::from(end) - i128::from(start)).max(0);
        let edge =
            |n: usize| i128::from(start) - i128::from(self.start) + length * n as i128 / width.max(1) as i128;
        let stretch = |n: usize| {
            let (from, to) = (edge(n), edge(n + 1).max(edge(n) + 1));
            self.join(from.div_euclid(self.unit), (to - 1).div_euclid(self.unit))
        };
        (0..width).map(stretch).collect()
    }

    /// What ran under each px of a view; see [`Profile::sample`].
    #[must_use]
    pub fn sample_view(&self, view: &TimeView) -> Vec<Bucket> {
        let edge = |x: usize| i128::from(view.time_at(x as f64)) - i128::from(self.start);
        let px = |x: usize| {
            let (from, to) = (edge(x), edge(x + 1).max(edge(x) + 1));
            self.join(from.div_euclid(self.unit), (to - 1).div_euclid(self.unit))
        };
        (0..view.width() as usize).map(px).collect()
    }

    /// The finest buckets `from..=to` as one.
    fn join(&self, from: i128, to: i128) -> Bucket {
        if to < 0 || from > LAST {
            return Bucket::default();
        }
        let (from, to) = (from.clamp(0, LAST) as usize, to.clamp(0, LAST) as usize);
        let (mut left, mut right) = (FINEST + from, FINEST + to + 1);
        let mut sum = Bucket::default();
        while left < right {
            if left % 2 == 1 {
                sum = sum.join(self.heap[left]);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                sum = sum.join(self.heap[right]);
            }
            left /= 2;
            right /= 2;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gaps;
    use crate::testing::{columns, spans};
    use proptest::prelude::*;
    use std::sync::Arc;

    #[test]
    fn depth_count_and_trouble_over_time() {
        let mut c = columns(&[
            (1, 0, 1_000, 100),
            (2, 1, 1_010, 20),
            (3, 2, 1_015, 5),
            (4, 1, 1_025, 5),
        ]);
        c.flags[1] = flag::ERROR | flag::NOISE;
        let profile = Profile::build(&c, &Tree::build(&c), 0);
        let found = profile.sample(1_000, 1_100, 10);
        let running: Vec<_> = found
            .iter()
            .map(|bucket| (bucket.running, bucket.depth))
            .collect();
        assert_eq!(running[..4], [(1, 0), (3, 2), (3, 1), (1, 0)]);
        assert_eq!(found[2].flags, flag::ERROR, "where it ended");
        assert_eq!(found.iter().filter(|bucket| bucket.flags != 0).count(), 1);
        assert_eq!(profile.sample(0, 900, 3), [Bucket::default(); 3]);
        assert_eq!(profile.sample(5_000, 900, 1), [Bucket::default()]);
        assert!(profile.sample(0, 900, 0).is_empty());
    }

    #[test]
    fn a_view_with_a_gap_leaves_the_gap_few_px() {
        let c = columns(&[(1, 0, 0, 1_000), (2, 0, 1_001_000, 1_000)]);
        let tree = Tree::build(&c);
        let profile = Profile::build(&c, &tree, 0);
        let mut view = TimeView::new(0, 1_002_000, 100.0);
        view.set_gaps(Arc::new(Gaps::find(&c, &tree, 0)));
        view.set_window(0, 1_002_000);
        let found = profile.sample_view(&view);
        let running: Vec<_> = found.iter().map(|bucket| bucket.running).collect();
        assert_eq!(running.len(), 100);
        assert!(
            running[..42]
                .iter()
                .chain(&running[59..])
                .all(|count| *count == 1)
        );
        assert_eq!(running[43..57], [0; 14]);
    }

    #[test]
    fn nothing_and_all_of_time() {
        let none = Profile::build(&SpanColumns::default(), &Tree::default(), 0);
        assert_eq!(none.sample(i64::MIN, i64::MAX, 2), [Bucket::default(); 2]);
        let c = columns(&[(1, 0, i64::MIN, i64::MAX), (2, 1, i64::MAX, i64::MAX)]);
        let profile = Profile::build(&c, &Tree::build(&c), 0);
        let all = profile.sample(i64::MIN, i64::MAX, 2);
        let found: Vec<_> = all.iter().map(|bucket| (bucket.running, bucket.depth)).collect();
        assert_eq!(found, [(1, 0), (1, 1)], "one at a time");
    }

    proptest! {
        #[test]
        fn a_stretch_is_what_looking_at_every_span_gives(spans in spans(25), from in -5..90_i64, length in 1..60_i64, width in 1..30_usize) {
            let mut c = columns(&spans);
            c.flags.iter_mut().step_by(3).for_each(|flags| *flags = flag::BLOCKED);
            let tree = Tree::build(&c);
            let profile = Profile::build(&c, &tree, 0);
            // So short a trace has a bucket for each ns.
            for (n, bucket) in profile.sample(from, from + length, width).into_iter().enumerate() {
                let edge = |n: usize| from + length * n as i64 / width as i64;
                let mut expected = Bucket::default();
                for at in edge(n)..edge(n + 1).max(edge(n) + 1) {
                    let runs = |row: &usize| c.start_time[*row] <= at && at < c.end_time(*row).max(c.start_time[*row] + 1);
                    let running: Vec<usize> = (0..c.len()).filter(runs).collect();
                    let last = |row: &usize| (c.end_time(*row) - 1).max(c.start_time[*row]) == at;
                    expected = expected.join(Bucket {
                        running: running.len() as u32,
                        depth: running.iter().map(|row| tree.depth(*row as u32)).max().unwrap_or(0),
                        flags: running.iter().filter(|row| last(row)).fold(0, |flags, row| flags | c.flags[*row]),
                    });
                }
                prop_assert_eq!(bucket, expected);
            }
        }

        #[test]
        fn a_long_trace_never_shows_less_than_there_is(spans in spans(25), width in 1..500_usize) {
            let long: Vec<_> = spans.iter().map(|(id, parent, start, duration)| (*id, *parent, start * 1_000_003, duration * 999_983)).collect();
            let c = columns(&long);
            let tree = Tree::build(&c);
            let profile = Profile::build(&c, &tree, 0);
            let (start, end) = (0, 100_000_000);
            let found = profile.sample(start, end, width);
            for row in 0..c.len() {
                let at = ((c.start_time[row] - start) as i128 * width as i128 / (end - start) as i128) as usize;
                prop_assert!(found[at].running >= 1 && found[at].depth >= tree.depth(row as u32));
            }
        }
    }
}
