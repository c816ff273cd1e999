//! The by-name tree drawn: callers above whom they call, the heaviest left.

use crate::flame::REACH;
use crate::lanes::{Bars, Lanes, Rect};
use crate::viewport::TimeView;
use meshscope_analysis::{Heavy, HeavyNode};
use meshscope_model::columns::flag;
use std::ops::Range;

/// The lanes of a by-name tree. Its [`TimeView`] goes from 0 to [`Heavy::weight`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeavyFlame {
    lanes: Lanes,
}

impl Bars for Heavy {
    fn times(&self, item: u32) -> (i64, i64) {
        let node = self.nodes().get(item as usize);
        node.map_or((0, 0), |node| {
            (node.start, node.start.saturating_add(node.weight))
        })
    }

    fn look(&self, item: u32) -> u32 {
        self.nodes().get(item as usize).map_or(0, |node| node.service)
    }
}

/// Bits of [`flag`] for what happened in the spans of a node.
fn flags(node: &HeavyNode) -> u8 {
    let error = if node.totals.errors > 0 { flag::ERROR } else { 0 };
    let blocked = if node.totals.blocked > 0 { flag::BLOCKED } else { 0 };
    error | blocked
}

impl HeavyFlame {
    /// Gives every node the lane of its depth.
    #[must_use]
    pub fn build(heavy: &Heavy) -> Self {
        let lane_of: Vec<u32> = heavy.nodes().iter().map(|node| node.depth).collect();
        // Depth first, heaviest first: that is by start within a depth.
        let by_start = 0..lane_of.len() as u32;
        let flags = |item: u32| heavy.nodes().get(item as usize).map_or(0, flags);
        Self {
            lanes: Lanes::new(&lane_of, by_start, &flags),
        }
    }

    /// How many lanes there are.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Puts what `view` shows of `lanes` into `out`, which is emptied first; items are places in
    /// [`Heavy::nodes`] of the tree this was built from.
    pub fn rects(&self, heavy: &Heavy, view: &TimeView, lanes: Range<usize>, out: &mut Vec<Rect>) {
        out.clear();
        self.lanes.rects(heavy, view, lanes, out);
    }

    /// The node at `x` px in `lane`, a place in [`Heavy::nodes`].
    #[must_use]
    pub fn hit(&self, heavy: &Heavy, view: &TimeView, lane: usize, x: f64) -> Option<u32> {
        self.lanes.at(heavy, view, lane, x, REACH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::columns;
    use meshscope_analysis::Tree;

    #[test]
    fn the_heaviest_stands_left() {
        let mut c = columns(&[
            (1, 0, 0, 1_000),
            (2, 1, 0, 100),
            (3, 1, 200, 600),
            (4, 1, 900, 100),
        ]);
        c.strings.push("other".to_owned());
        c.name[2] = c.strings.len() as u32 - 1;
        c.flags[3] = flag::ERROR;
        let heavy = Heavy::build(&c, &Tree::build(&c));
        let flame = HeavyFlame::build(&heavy);
        let mut view = TimeView::new(0, heavy.weight(), 1_000.0);
        view.set_window(0, 1_000);
        let mut rects = Vec::new();
        flame.rects(&heavy, &view, 0..9, &mut rects);
        let found: Vec<_> = rects
            .iter()
            .map(|rect| (rect.lane, rect.x0, rect.x1, rect.flags))
            .collect();
        assert_eq!(
            found,
            [
                (0, 0.0, 1_000.0, 0),
                (1, 0.0, 600.0, 0),
                (1, 600.0, 800.0, flag::ERROR)
            ]
        );
        assert_eq!(flame.lanes(), 2);
        let hit = flame.hit(&heavy, &view, 1, 700.0).unwrap();
        assert_eq!(heavy.nodes()[hit as usize].totals.spans, 2);
        assert_eq!(flame.hit(&heavy, &view, 1, 900.0), None);
    }
}
