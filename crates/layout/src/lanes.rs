//! Bars in lanes, with as many rectangles to draw as there are px, however many bars there are.

use crate::bitset::BitSet;
use crate::viewport::TimeView;
use meshscope_model::columns::flag;
use std::ops::Range;

/// What is to be drawn in a lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// The lane, from the top.
    pub lane: usize,
    /// Left edge, px from the left of the view.
    pub x0: f64,
    /// Right edge; 1 px right of the left one at least.
    pub x1: f64,
    /// The bar, or the first of those that share the rectangle because a px cannot tell them apart.
    pub item: u32,
    /// How many bars share it.
    pub count: u32,
    /// [`flag::ERROR`] and [`flag::BLOCKED`] of any of them.
    pub flags: u8,
}

/// Which bars are in which lane. Those of a lane do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lanes {
    /// Where a lane's bars start in `items`, one entry more than lanes.
    first: Vec<u32>,
    /// Bars by lane and start.
    items: Vec<u32>,
    /// Places in `items` of bars that failed, and of those that were blocked.
    errors: BitSet,
    blocked: BitSet,
}

/// What the lanes ask of a bar: start and end, and what bars that look the same have in common.
pub(crate) trait Bars {
    fn times(&self, item: u32) -> (i64, i64);
    fn look(&self, item: u32) -> u32;
}

impl Lanes {
    /// Sorts items (0, 1, 2, ...) into lanes; `by_start` gives them by start, a moment before what
    /// starts with it, so that ends rise along a lane as starts do.
    pub(crate) fn new(
        lane_of: &[u32],
        by_start: impl Iterator<Item = u32>,
        flags: &dyn Fn(u32) -> u8,
    ) -> Self {
        let count = lane_of.iter().max().map_or(0, |last| *last as usize + 1);
        let mut first = vec![0_u32; count + 1];
        for lane in lane_of {
            first[*lane as usize + 1] += 1;
        }
        for lane in 0..count {
            first[lane + 1] += first[lane];
        }
        let mut lanes = Self {
            items: vec![0; lane_of.len()],
            ..Self::default()
        };
        let mut next = first.clone();
        for item in by_start {
            let place = &mut next[lane_of[item as usize] as usize];
            lanes.items[*place as usize] = item;
            let flags = flags(item);
            if flags & flag::ERROR != 0 {
                lanes.errors.insert(*place);
            }
            if flags & flag::BLOCKED != 0 {
                lanes.blocked.insert(*place);
            }
            *place += 1;
        }
        lanes.first = first;
        lanes
    }

    /// How many lanes.
    pub(crate) fn len(&self) -> usize {
        self.first.len().saturating_sub(1)
    }

    /// Places of the bars of a lane.
    fn places(&self, lane: usize) -> Range<usize> {
        let at = |lane: usize| self.first.get(lane).map_or(self.items.len(), |at| *at as usize);
        at(lane)..at(lane + 1)
    }

    fn item(&self, place: usize) -> u32 {
        self.items.get(place).copied().unwrap_or(0)
    }

    fn flags(&self, places: Range<usize>) -> u8 {
        let error = if self.errors.any(places.clone()) {
            flag::ERROR
        } else {
            0
        };
        let blocked = if self.blocked.any(places) {
            flag::BLOCKED
        } else {
            0
        };
        error | blocked
    }

    /// Adds the rectangles of `lanes` that `view` shows to `out`.
    pub(crate) fn rects(&self, bars: &dyn Bars, view: &TimeView, lanes: Range<usize>, out: &mut Vec<Rect>) {
        for lane in lanes.start..lanes.end.min(self.len()) {
            self.rects_of(bars, view, lane, out);
        }
    }

    fn rects_of(&self, bars: &dyn Bars, view: &TimeView, lane: usize, out: &mut Vec<Rect>) {
        let times = |place: usize| bars.times(self.item(place));
        let all = self.places(lane);
        let mut at = first_not(all.clone(), |place| times(place).1 < view.start());
        let mut right = 0.0_f64;
        let first = out.len();
        while at < all.end {
            let (start, end) = times(at);
            if start >= view.end() {
                break;
            }
            let x0 = view.x_of(start).max(right);
            let x1 = view.x_of(end).min(view.width());
            let mut rect = Rect {
                lane,
                x0,
                x1,
                item: self.item(at),
                count: 1,
                flags: self.flags(at..at + 1),
            };
            if x1 - x0 < 1.0 {
                rect.x1 = x0 + 1.0;
                let limit = view.time_at(rect.x1).max(start.saturating_add(1));
                let mut next = first_not(at + 1..all.end, |place| times(place).0 < limit);
                // One that starts here and is seen to go on stands for itself.
                let goes_on = next > at + 1 && view.x_of(times(next - 1).1) >= rect.x1 + 1.0;
                next -= usize::from(goes_on);
                rect.count = (next - at) as u32;
                rect.flags = self.flags(at..next);
                at = next;
            } else {
                at += 1;
            }
            right = rect.x1;
            match out.get_mut(first..).and_then(<[Rect]>::last_mut) {
                Some(last) if joins(last, &rect, bars) => {
                    last.x1 = rect.x1;
                    last.count += rect.count;
                }
                _ => out.push(rect),
            }
        }
    }

    /// The bar at `x` px in `lane`; within `reach` px of it the nearest.
    pub(crate) fn at(
        &self,
        bars: &dyn Bars,
        view: &TimeView,
        lane: usize,
        x: f64,
        reach: f64,
    ) -> Option<u32> {
        if lane >= self.len() {
            return None;
        }
        let time = view.time_at(x);
        let all = self.places(lane);
        let started = first_not(all.clone(), |place| bars.times(self.item(place)).0 <= time);
        let beside = [started.checked_sub(1), Some(started)];
        let near = beside
            .into_iter()
            .flatten()
            .filter(|place| all.contains(place))
            .map(|place| {
                let (start, end) = bars.times(self.item(place));
                let away = (view.x_of(start) - x).max(x - view.x_of(end)).max(0.0);
                (away, self.item(place))
            });
        let nearest = near.min_by(|a, b| a.0.total_cmp(&b.0));
        nearest.filter(|(away, _)| *away <= reach).map(|(_, item)| item)
    }
}

/// Neighbours narrower than this are drawn as one where they look the same, px.
const NARROW: f64 = 3.0;

/// True when two narrow neighbours are but a part of a px apart and look the same, so that one
/// rectangle does for both.
fn joins(left: &Rect, right: &Rect, bars: &dyn Bars) -> bool {
    let small = |rect: &Rect| rect.count > 1 || rect.x1 - rect.x0 < NARROW;
    small(left)
        && small(right)
        && right.x0 - left.x1 < 0.5
        && left.flags == right.flags
        && bars.look(left.item) == bars.look(right.item)
}

/// The first of `places` for which `is` does not hold; from there on it holds for none. Looks near
/// their start first.
fn first_not(places: Range<usize>, is: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut step) = (places.start, 1);
    while from + step <= places.end && is(from + step - 1) {
        from += step;
        step *= 2;
    }
    let mut to = (from + step).min(places.end);
    while from < to {
        let middle = from + (to - from) / 2;
        if is(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_that_does_not_hold(from in 0..50_usize, length in 0..200_usize, limit in 0..300_usize) {
            let places = from..from + length;
            let expected = places.clone().find(|place| *place >= limit).unwrap_or(places.end);
            prop_assert_eq!(first_not(places, |place| place < limit), expected);
        }
    }
}
