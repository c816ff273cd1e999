//! The flame graph of a trace: time from left to right, callers above whom they call.
//!
//! What a span calls one behind the other stands in one lane right below it. Calls at the same time
//! stand below one another, each with all that is below it, so that no bar covers another.

use crate::lanes::{Bars, Lanes, Rect};
use crate::viewport::TimeView;
use crate::waterfall::drawn_times;
use meshscope_analysis::Tree;
use meshscope_model::SpanColumns;
use std::borrow::Cow;
use std::ops::Range;

/// Height of a lane, px.
pub const LANE_HEIGHT: f64 = 20.0;
/// How far beside a bar the pointer still means it, px.
pub(crate) const REACH: f64 = 2.0;
/// Of so many calls at the same time each is put where there is room; what is beyond goes below.
const MOST_PACKED: usize = 64;

/// The lanes of a trace's spans; 4 bytes a span and lane tables of 4 more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flame {
    lane: Vec<u32>,
    lanes: Lanes,
    now: i64,
}

struct Spans<'a> {
    columns: &'a SpanColumns,
    now: i64,
}

impl Bars for Spans<'_> {
    fn times(&self, item: u32) -> (i64, i64) {
        drawn_times(self.columns, item as usize, self.now)
    }

    fn look(&self, item: u32) -> u32 {
        self.columns.service.get(item as usize).copied().unwrap_or(0)
    }
}

impl Flame {
    /// Gives every span a lane; spans in progress go on to `now`, ns since the epoch.
    #[must_use]
    pub fn build(columns: &SpanColumns, tree: &Tree, now: i64) -> Self {
        let lane = Packing::new(columns, tree, now).lanes(tree);
        // The end decides between a moment and the bar that starts with it, so that ends rise as well.
        let times = |row: &u32| drawn_times(columns, *row as usize, now);
        let mut by_start: Vec<u32> = (0..tree.len() as u32).collect();
        if !by_start.is_sorted_by_key(times) {
            by_start.sort_by_key(times);
        }
        let flags = |row: u32| columns.flags.get(row as usize).copied().unwrap_or(0);
        Self {
            lanes: Lanes::new(&lane, by_start.into_iter(), &flags),
            lane,
            now,
        }
    }

    /// How many lanes there are.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// The lane of `span`, from the top.
    #[must_use]
    pub fn lane_of(&self, span: u32) -> Option<usize> {
        self.lane.get(span as usize).map(|lane| *lane as usize)
    }

    /// Puts what `view` shows of `lanes` into `out`, which is emptied first: at most a rectangle
    /// a px and lane. `columns` are those the flame graph was built from.
    pub fn rects(&self, columns: &SpanColumns, view: &TimeView, lanes: Range<usize>, out: &mut Vec<Rect>) {
        out.clear();
        let spans = Spans {
            columns,
            now: self.now,
        };
        self.lanes.rects(&spans, view, lanes, out);
    }

    /// The span at `x` px in `lane`.
    #[must_use]
    pub fn hit(&self, columns: &SpanColumns, view: &TimeView, lane: usize, x: f64) -> Option<u32> {
        let spans = Spans {
            columns,
            now: self.now,
        };
        self.lanes.at(&spans, view, lane, x, REACH)
    }
}

/// A subtree as a block: from its first start to its last end, as high as lanes below one another.
struct Packing {
    from: Vec<i64>,
    to: Vec<i64>,
    height: Vec<u32>,
    /// How many lanes a block stands below the first free one under its parent.
    offset: Vec<u32>,
}

/// Lanes that are taken until a time.
struct Taken {
    until: i64,
    from: u32,
    to: u32,
}

impl Packing {
    fn new(columns: &SpanColumns, tree: &Tree, now: i64) -> Self {
        let times = (0..tree.len()).map(|row| drawn_times(columns, row, now));
        let (from, to) = times.unzip();
        let mut packing = Self {
            from,
            to,
            height: vec![1; tree.len()],
            offset: vec![0; tree.len()],
        };
        let mut taken = Vec::new();
        for row in tree.order().iter().rev() {
            let children = tree.children(*row);
            if !children.is_empty() {
                packing.height[*row as usize] = 1 + packing.pack(children, &mut taken);
                for child in children {
                    let (child, row) = (*child as usize, *row as usize);
                    packing.from[row] = packing.from[row].min(packing.from[child]);
                    packing.to[row] = packing.to[row].max(packing.to[child]);
                }
            }
        }
        packing.pack(tree.roots(), &mut taken);
        packing
    }

    /// Places siblings below one another where they overlap; gives the height of all.
    fn pack(&mut self, siblings: &[u32], taken: &mut Vec<Taken>) -> u32 {
        // A block may start before its span, when clocks differ.
        let from = |row: &u32| self.from[*row as usize];
        let mut sorted = Cow::Borrowed(siblings);
        if !siblings.is_sorted_by_key(from) {
            sorted.to_mut().sort_by_key(from);
        }
        taken.clear();
        let mut height = 0;
        for row in sorted.iter() {
            let row = *row as usize;
            let (start, end, high) = (self.from[row], self.to[row], self.height[row]);
            taken.retain(|taken| taken.until > start);
            let mut lane = 0;
            if taken.len() < MOST_PACKED {
                // They are in the order of lanes.
                let gap = taken.iter().position(|taken| {
                    let fits = taken.from >= lane + high;
                    if !fits {
                        lane = taken.to;
                    }
                    fits
                });
                let place = gap.unwrap_or(taken.len());
                taken.insert(
                    place,
                    Taken {
                        until: end,
                        from: lane,
                        to: lane + high,
                    },
                );
            } else if let Some(last) = taken.last_mut() {
                lane = last.to;
                last.to += high;
                last.until = last.until.max(end);
            }
            self.offset[row] = lane;
            height = height.max(lane + high);
        }
        height
    }

    /// The lane of each row.
    fn lanes(mut self, tree: &Tree) -> Vec<u32> {
        for row in tree.order() {
            if let Some(parent) = tree.parent(*row) {
                self.offset[*row as usize] += self.offset[parent as usize] + 1;
            }
        }
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans};
    use meshscope_model::columns::flag;
    use proptest::prelude::*;

    fn flame(c: &SpanColumns) -> Flame {
        Flame::build(c, &Tree::build(c), 0)
    }

    #[test]
    fn calls_at_the_same_time_stand_below_one_another() {
        let c = columns(&[
            (1, 0, 0, 100),
            (2, 1, 0, 50),
            (3, 2, 10, 10),
            (4, 1, 20, 50),
            (5, 4, 30, 10),
            (6, 1, 70, 10),
        ]);
        let flame = flame(&c);
        assert_eq!(flame.lane, [0, 1, 2, 3, 4, 1]);
        assert_eq!(
            (flame.lanes(), flame.lane_of(4), flame.lane_of(9)),
            (5, Some(4), None)
        );
    }

    #[test]
    fn a_bar_is_found_though_a_moment_in_its_lane_starts_with_it() {
        // The moment's block begins with its child, long before: it takes the lane first.
        let c = columns(&[(1, 0, 57, 10), (2, 0, 57, 0), (3, 2, 1, 0)]);
        let flame = flame(&c);
        let view = TimeView::new(0, 100, 100.0);
        assert_eq!((flame.lane_of(0), flame.lane_of(1)), (Some(0), Some(0)));
        assert_eq!(flame.hit(&c, &view, 0, 63.0), Some(0));
    }

    #[test]
    fn a_crowd_stays_apart() {
        let mut all = vec![(1, 0, 0, 10_000)];
        all.extend((2..=300).map(|id| (id, 1, id as i64, 5_000)));
        all.push((400, 1, 9_000, 10));
        let flame = flame(&columns(&all));
        assert_eq!(
            (flame.lanes(), flame.lane_of(299), flame.lane_of(300)),
            (300, Some(299), Some(1))
        );
    }

    #[test]
    fn what_a_px_cannot_tell_apart_is_one_rectangle() {
        // 1 px is 10 ns; a thousand calls of 1 ns, one failed, and one of 400 ns.
        let mut all = vec![(1, 0, 0, 10_000)];
        all.extend((0..1_000).map(|n| (n + 2, 1, n as i64 * 2, 1)));
        all.push((5_000, 1, 2_005, 400));
        let mut c = columns(&all);
        c.flags[500] = flag::ERROR;
        let flame = flame(&c);
        let mut view = TimeView::new(0, 10_000, 1_000.0);
        view.set_window(0, 10_000);
        let mut rects = Vec::new();
        flame.rects(&c, &view, 1..2, &mut rects);
        let counts: Vec<u32> = rects.iter().map(|rect| rect.count).collect();
        assert_eq!(counts.iter().sum::<u32>(), 1_001);
        assert_eq!(
            rects.len(),
            4,
            "before, at and behind the failed one, and the long one"
        );
        assert_eq!((rects[1].flags, rects[1].count), (flag::ERROR, 5));
        assert_eq!((rects[3].x0, rects[3].x1, rects[3].item), (200.5, 240.5, 1_001));
        assert_eq!(flame.hit(&c, &view, 1, 220.0), Some(1_001));
        assert_eq!(flame.hit(&c, &view, 0, 500.0), Some(0));
        assert_eq!(
            (flame.hit(&c, &view, 1, 500.0), flame.hit(&c, &view, 9, 5.0)),
            (None, None)
        );
        view.set_window(2_000, 3_000);
        flame.rects(&c, &view, 0..9, &mut rects);
        assert_eq!(rects.len(), 2);
        assert_eq!((rects[0].x0, rects[0].x1), (0.0, 1_000.0));
    }

    proptest! {
        #[test]
        fn no_bar_covers_another_and_children_are_below(spans in spans(40)) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            let flame = Flame::build(&c, &tree, 0);
            for a in 0..c.len() as u32 {
                if let Some(parent) = tree.parent(a) {
                    prop_assert!(flame.lane[a as usize] > flame.lane[parent as usize]);
                }
                for b in 0..a {
                    let (x, y) = (drawn_times(&c, a as usize, 0), drawn_times(&c, b as usize, 0));
                    let overlap = x.0.max(y.0) < x.1.min(y.1);
                    prop_assert!(!overlap || flame.lane[a as usize] != flame.lane[b as usize]);
                }
            }
        }

        #[test]
        fn rectangles_lead_back_to_their_spans(spans in spans(40), width in 20.0..500.0_f64, from in 0..9_000_i64, length in 100..10_000_i64) {
            let scaled: Vec<_> = spans.iter().map(|(id, parent, start, duration)| (*id, *parent, start * 100, duration * 100)).collect();
            let c = columns(&scaled);
            let tree = Tree::build(&c);
            let flame = Flame::build(&c, &tree, 0);
            let mut view = TimeView::new(0, 20_000, width);
            view.set_window(from, from + length);
            let mut rects = Vec::new();
            flame.rects(&c, &view, 0..flame.lanes(), &mut rects);
            let half = view.ns_per_px() / 2.0 + 1.0;
            let shown = (0..c.len()).filter(|row| view.meets(c.start_time[*row], c.end_time(*row))).count();
            prop_assert_eq!(rects.iter().map(|rect| rect.count as usize).sum::<usize>(), shown);
            for rect in &rects {
                prop_assert!(rect.x0 >= 0.0 && rect.x1 - rect.x0 >= 1.0 - 1e-9);
                let (start, end) = drawn_times(&c, rect.item as usize, 0);
                if rect.count == 1 && rect.x1 - rect.x0 > 1.0 + 1e-9 {
                    let px = view.ns_per_px();
                    // A neighbour of less than a px may take up to a px of its start.
                    prop_assert!(rect.x0 == 0.0 || (view.time_at(rect.x0) - start).abs() as f64 <= half + px);
                    prop_assert!(rect.x1 >= width || (view.time_at(rect.x1) - end).abs() as f64 <= half);
                    let middle = (rect.x0 + rect.x1) / 2.0;
                    prop_assert_eq!(flame.hit(&c, &view, rect.lane, middle), Some(rect.item));
                }
            }
            for pair in rects.windows(2) {
                prop_assert!(pair[0].lane < pair[1].lane || pair[0].x1 <= pair[1].x0 + 1e-9);
            }
            prop_assert!(rects.len() <= flame.lanes() * (width as usize + 2));
        }
    }
}
