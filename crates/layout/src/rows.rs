//! The visible lines of a waterfall: the tree depth first, less what is collapsed or hidden.

use crate::bitset::BitSet;
use meshscope_analysis::Tree;
use meshscope_model::SpanColumns;
use meshscope_model::columns::flag;

/// One visible line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Row number of the span.
    pub span: u32,
    /// How many of its ancestors are shown: the indent.
    pub depth: u32,
}

/// Where the keyboard goes from a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The line above.
    Up,
    /// The line below.
    Down,
    /// The nearest ancestor that is shown.
    Parent,
    /// The first line below that is deeper; none when collapsed.
    FirstChild,
    /// The next line at the same depth under the same parent.
    NextSibling,
    /// The one before.
    PreviousSibling,
    /// The top line.
    First,
    /// The bottom line.
    Last,
}

/// Which spans are visible, in which order.
///
/// All methods take the [`Tree`] (and columns) the rows were made from. Collapsing and
/// expanding one span costs no more than the lines that come or go.
///
/// Noise ([`flag::NOISE`]) can be hidden: its children then move up to the nearest ancestor
/// that is shown. Noise that failed or was blocked is shown all the same, and where a trace is
/// nothing but noise, all of it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    lines: Vec<Line>,
    collapsed: BitSet,
    /// How many spans are shown before a place in the tree's order, one entry more than spans;
    /// empty while nothing is hidden.
    shown_before: Vec<u32>,
}

impl Rows {
    /// All spans expanded, noise hidden or not.
    #[must_use]
    pub fn new(tree: &Tree, columns: &SpanColumns, hide_noise: bool) -> Self {
        let mut rows = Self::default();
        rows.set_noise_hidden(tree, columns, hide_noise);
        rows
    }

    /// The visible lines, top to bottom.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How many lines are visible.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True when nothing is visible.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The line of `span`, when it is visible.
    #[must_use]
    pub fn line_of(&self, tree: &Tree, span: u32) -> Option<usize> {
        // Lines stand in the tree's order, so that no table from span to line is needed.
        let line = self.lines_before(tree, tree.position(span));
        self.lines.get(line).filter(|found| found.span == span)?;
        Some(line)
    }

    /// How many lines stand before a place of the tree's order.
    fn lines_before(&self, tree: &Tree, place: u32) -> usize {
        self.lines
            .partition_point(|line| tree.position(line.span) < place)
    }

    /// The line of `span` or of its nearest ancestor that is visible.
    #[must_use]
    pub fn nearest_line(&self, tree: &Tree, span: u32) -> Option<usize> {
        self.line_of(tree, span).or_else(|| {
            tree.ancestors(span)
                .find_map(|ancestor| self.line_of(tree, ancestor))
        })
    }

    /// True when the children of `span` are folded away.
    #[must_use]
    pub fn is_collapsed(&self, span: u32) -> bool {
        self.collapsed.contains(span)
    }

    /// How many spans below `span` are shown, or would be were nothing collapsed. Not 0 means
    /// that it can be folded.
    #[must_use]
    pub fn below(&self, tree: &Tree, span: u32) -> u32 {
        let (place, size) = (tree.position(span) as usize, tree.size(span) as usize);
        let shown = |place: usize| self.shown_before.get(place).copied().unwrap_or(0);
        match size {
            0 => 0,
            _ if self.shown_before.is_empty() => size as u32 - 1,
            _ => shown(place + size) - shown(place + 1),
        }
    }

    /// How many spans are hidden as noise.
    #[must_use]
    pub fn hidden(&self) -> usize {
        match self.shown_before.last() {
            Some(shown) => self.shown_before.len() - 1 - *shown as usize,
            None => 0,
        }
    }

    /// Hides or shows noise.
    pub fn set_noise_hidden(&mut self, tree: &Tree, columns: &SpanColumns, hide: bool) {
        self.shown_before.clear();
        let hidden = |span: u32| {
            columns.has_flag(span as usize, flag::NOISE)
                && !columns.has_flag(span as usize, flag::ERROR | flag::BLOCKED)
        };
        if hide && tree.order().iter().any(|span| hidden(*span)) {
            let mut shown = 0;
            self.shown_before.reserve_exact(tree.len() + 1);
            self.shown_before.push(0);
            for span in tree.order() {
                shown += u32::from(!hidden(*span));
                self.shown_before.push(shown);
            }
            if shown == 0 {
                self.shown_before.clear();
            }
        }
        self.rebuild(tree);
    }

    /// Folds or unfolds the children of `span`; nothing happens when it has none that are shown.
    pub fn set_collapsed(&mut self, tree: &Tree, span: u32, collapse: bool) {
        if self.is_collapsed(span) == collapse || self.below(tree, span) == 0 {
            return;
        }
        if collapse {
            self.collapsed.insert(span);
        } else {
            self.collapsed.remove(span);
        }
        let Some(line) = self.line_of(tree, span) else {
            return;
        };
        let (from, to) = (tree.position(span), tree.position(span) + tree.size(span));
        let next = self.lines_before(tree, to);
        let mut inside = Vec::new();
        if !collapse {
            let depth = self.lines.get(line).map_or(0, |line| line.depth);
            self.walk(tree, from + 1..to, depth + 1, &mut inside);
        }
        self.lines.splice(line + 1..next, inside);
    }

    /// Folds what is unfolded and the other way round.
    pub fn toggle(&mut self, tree: &Tree, span: u32) {
        self.set_collapsed(tree, span, !self.is_collapsed(span));
    }

    /// Unfolds everything.
    pub fn expand_all(&mut self, tree: &Tree) {
        self.collapsed.clear();
        self.rebuild(tree);
    }

    /// Folds everything: only roots stay.
    pub fn collapse_all(&mut self, tree: &Tree) {
        self.expand_to(tree, 0);
    }

    /// Unfolds everything down to `depth` and folds what is there: nothing deeper is visible.
    pub fn expand_to(&mut self, tree: &Tree, depth: u32) {
        self.expand_all(tree);
        let lines = std::mem::take(&mut self.lines);
        for line in lines.iter().filter(|line| line.depth >= depth) {
            if self.below(tree, line.span) > 0 {
                self.collapsed.insert(line.span);
            }
        }
        self.rebuild(tree);
    }

    /// Folds everything but the way from the root to `span`; gives its line, `None` when it is
    /// hidden as noise.
    pub fn expand_path(&mut self, tree: &Tree, span: u32) -> Option<usize> {
        self.collapse_all(tree);
        self.reveal(tree, span)
    }

    /// Unfolds what hides `span`; gives its line, `None` when it is hidden as noise.
    pub fn reveal(&mut self, tree: &Tree, span: u32) -> Option<usize> {
        if self.line_of(tree, span).is_none() {
            tree.ancestors(span)
                .for_each(|ancestor| self.collapsed.remove(ancestor));
            self.rebuild(tree);
        }
        self.line_of(tree, span)
    }

    /// Where the keyboard goes from `span`; `None` when there is nothing, or `span` is not
    /// visible. [`Step::First`] and [`Step::Last`] go from anywhere.
    #[must_use]
    pub fn step(&self, tree: &Tree, span: u32, step: Step) -> Option<u32> {
        match step {
            Step::First => return self.lines.first().map(|line| line.span),
            Step::Last => return self.lines.last().map(|line| line.span),
            _ => {}
        }
        let at = self.line_of(tree, span)?;
        let depth = self.lines.get(at)?.depth;
        let line = match step {
            Step::First | Step::Up => self.lines.get(at.checked_sub(1)?),
            Step::Last | Step::Down => self.lines.get(at + 1),
            Step::Parent => self.lines.get(self.shown_parent(tree, span)?),
            Step::FirstChild => self.lines.get(at + 1).filter(|line| line.depth > depth),
            Step::NextSibling => {
                let next = self.lines_before(tree, tree.position(span) + tree.size(span));
                self.lines.get(next).filter(|line| line.depth == depth)
            }
            Step::PreviousSibling => {
                let mut line = self.lines.get(at.checked_sub(1)?)?;
                while line.depth > depth {
                    line = self.lines.get(self.shown_parent(tree, line.span)?)?;
                }
                Some(line).filter(|line| line.depth == depth)
            }
        };
        line.map(|line| line.span)
    }

    /// The line of the nearest ancestor that is shown.
    fn shown_parent(&self, tree: &Tree, span: u32) -> Option<usize> {
        tree.ancestors(span)
            .find_map(|ancestor| self.line_of(tree, ancestor))
    }

    /// Ids of the collapsed spans: what outlives a reload and the arrival of more spans, after
    /// which row numbers mean something else.
    #[must_use]
    pub fn collapsed_ids(&self, columns: &SpanColumns) -> Vec<u64> {
        self.collapsed
            .iter()
            .filter_map(|span| columns.span_id.get(span as usize).copied())
            .collect()
    }

    /// Collapses exactly the spans with these ids; unknown ids are passed over.
    pub fn restore_collapsed(&mut self, tree: &Tree, columns: &SpanColumns, ids: &[u64]) {
        self.collapsed.clear();
        for span in ids.iter().filter_map(|id| tree.row_of(columns, *id)) {
            if self.below(tree, span) > 0 {
                self.collapsed.insert(span);
            }
        }
        self.rebuild(tree);
    }

    fn rebuild(&mut self, tree: &Tree) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        self.walk(tree, 0..tree.len() as u32, 0, &mut lines);
        self.lines = lines;
    }

    fn is_shown(&self, place: u32) -> bool {
        let place = place as usize;
        self.shown_before.is_empty() || self.shown_before.get(place) != self.shown_before.get(place + 1)
    }

    /// Adds the lines of a part of the tree's order; `depth` is that of its top.
    fn walk(&self, tree: &Tree, places: std::ops::Range<u32>, depth: u32, lines: &mut Vec<Line>) {
        // Where the subtrees end that we are in: as many as ancestors that are shown.
        let mut ends: Vec<u32> = Vec::new();
        let mut place = places.start;
        while place < places.end {
            let Some(span) = tree.order().get(place as usize).copied() else {
                return;
            };
            while ends.last().is_some_and(|end| *end <= place) {
                ends.pop();
            }
            let end = place + tree.size(span);
            place += 1;
            if self.is_shown(place - 1) {
                lines.push(Line {
                    span,
                    depth: depth + ends.len() as u32,
                });
                if self.is_collapsed(span) {
                    place = end;
                } else {
                    ends.push(end);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans};
    use proptest::prelude::*;

    /// 0 root > (1 > (2 noise > 3), 4 noise that failed), 5 root
    fn example() -> (SpanColumns, Tree) {
        let mut c = columns(&[
            (1, 0, 0, 9),
            (2, 1, 1, 5),
            (3, 2, 2, 2),
            (4, 3, 3, 1),
            (5, 1, 7, 1),
            (6, 0, 20, 1),
        ]);
        c.flags[2] = flag::NOISE;
        c.flags[4] = flag::NOISE | flag::ERROR;
        let tree = Tree::build(&c);
        (c, tree)
    }

    fn shape(rows: &Rows) -> Vec<(u32, u32)> {
        rows.lines().iter().map(|line| (line.span, line.depth)).collect()
    }

    #[test]
    fn noise_gives_its_place_to_its_children() {
        let (c, tree) = example();
        let mut rows = Rows::new(&tree, &c, true);
        assert_eq!(shape(&rows), [(0, 0), (1, 1), (3, 2), (4, 1), (5, 0)]);
        assert_eq!(
            (rows.hidden(), rows.below(&tree, 0), rows.below(&tree, 1)),
            (1, 3, 1)
        );
        assert_eq!(rows.nearest_line(&tree, 2), Some(1));
        assert_eq!(rows.reveal(&tree, 2), None);
        rows.set_noise_hidden(&tree, &c, false);
        assert_eq!(shape(&rows), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 1), (5, 0)]);
    }

    #[test]
    fn a_trace_of_noise_alone_is_shown() {
        let mut c = columns(&[(1, 0, 0, 9), (2, 1, 1, 5)]);
        c.flags = vec![flag::NOISE; 2];
        assert_eq!(Rows::new(&Tree::build(&c), &c, true).len(), 2);
    }

    #[test]
    fn folding_to_a_level_and_to_a_path() {
        let (c, tree) = example();
        let mut rows = Rows::new(&tree, &c, false);
        rows.collapse_all(&tree);
        assert_eq!(shape(&rows), [(0, 0), (5, 0)]);
        assert_eq!(rows.nearest_line(&tree, 3), Some(0));
        rows.expand_to(&tree, 1);
        assert_eq!(shape(&rows), [(0, 0), (1, 1), (4, 1), (5, 0)]);
        assert_eq!(rows.expand_path(&tree, 3), Some(3));
        assert_eq!(shape(&rows), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 1), (5, 0)]);
        rows.collapse_all(&tree);
        rows.set_collapsed(&tree, 1, false);
        rows.set_collapsed(&tree, 0, false);
        assert_eq!(shape(&rows), [(0, 0), (1, 1), (2, 2), (4, 1), (5, 0)]);
    }

    #[test]
    fn the_keyboard_walks_lines() {
        let (c, tree) = example();
        let rows = Rows::new(&tree, &c, true);
        let go = |span, step| rows.step(&tree, span, step);
        assert_eq!((go(1, Step::Up), go(1, Step::Down)), (Some(0), Some(3)));
        assert_eq!((go(0, Step::Up), go(5, Step::Down)), (None, None));
        assert_eq!((go(3, Step::Parent), go(0, Step::Parent)), (Some(1), None));
        assert_eq!(
            (go(0, Step::FirstChild), go(3, Step::FirstChild)),
            (Some(1), None)
        );
        assert_eq!(
            (go(1, Step::NextSibling), go(4, Step::NextSibling)),
            (Some(4), None)
        );
        assert_eq!(
            (go(4, Step::PreviousSibling), go(1, Step::PreviousSibling)),
            (Some(1), None)
        );
        assert_eq!(
            (go(5, Step::PreviousSibling), go(3, Step::PreviousSibling)),
            (Some(0), None)
        );
        assert_eq!((go(3, Step::First), go(3, Step::Last)), (Some(0), Some(5)));
        assert_eq!(go(2, Step::Down), None, "a hidden span has no line to go from");
    }

    proptest! {
        #[test]
        fn folding_step_by_step_is_what_a_rebuild_gives(
            spans in spans(30), noise: u32, hide: bool, folds in prop::collection::vec((0..30_u32, any::<bool>()), 0..30),
        ) {
            let mut c = columns(&spans);
            for (row, flags) in c.flags.iter_mut().enumerate() {
                *flags = if noise >> row & 1 == 1 { flag::NOISE } else { 0 };
            }
            let tree = Tree::build(&c);
            let open = Rows::new(&tree, &c, hide);
            prop_assert_eq!(open.len() + open.hidden(), c.len());
            let mut rows = open.clone();
            for (span, collapse) in folds {
                rows.set_collapsed(&tree, span, collapse);
                let mut fresh = open.clone();
                fresh.restore_collapsed(&tree, &c, &[]);
                fresh.collapsed = rows.collapsed.clone();
                fresh.rebuild(&tree);
                prop_assert_eq!(&rows, &fresh);
                for (line, found) in rows.lines().iter().enumerate() {
                    prop_assert_eq!(rows.line_of(&tree, found.span), Some(line));
                    prop_assert!(!tree.ancestors(found.span).any(|a| rows.is_collapsed(a) && rows.line_of(&tree, a).is_some()));
                }
            }
            rows.expand_all(&tree);
            prop_assert_eq!(shape(&rows), shape(&open));
        }

        #[test]
        fn collapse_then_expand_gives_the_same_lines(spans in spans(30), span in 0..30_u32, hide: bool) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            let open = Rows::new(&tree, &c, hide);
            let mut rows = open.clone();
            rows.toggle(&tree, span);
            prop_assert_eq!(rows.len() as u32, open.len() as u32 - open.below(&tree, span));
            rows.toggle(&tree, span);
            prop_assert_eq!(shape(&rows), shape(&open));
        }
    }
}
