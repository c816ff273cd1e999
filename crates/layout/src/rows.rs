//! The visible lines of a waterfall: the tree depth first, less what is collapsed, folded or hidden.

mod groups;
mod step;

pub use step::Step;

use crate::bitset::BitSet;
use meshscope_analysis::{Folding, Tree};
use meshscope_model::SpanColumns;
use meshscope_model::columns::flag;
use std::ops::Range;

/// One visible line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Row number of the span; of a group's line that of its first member.
    pub span: u32,
    /// How many ancestors and groups are shown above it: the indent.
    pub depth: u32,
    /// It stands for a [`meshscope_analysis::Group`].
    pub group: bool,
}

/// Which spans are visible, in which order.
///
/// All methods take the [`Tree`] (and columns) the rows were made from. Collapsing and
/// expanding one span costs no more than the lines that come or go.
///
/// Noise ([`flag::NOISE`]) can be hidden: its children then move up to the nearest ancestor
/// that is shown. Noise that failed or was blocked is shown all the same, and where a trace is
/// nothing but noise, all of it is.
///
/// Spans that repeat can be grouped ([`Rows::set_grouping`]): a folded group is one line instead
/// of its members and all below them, an unfolded one a line above its members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    lines: Vec<Line>,
    collapsed: BitSet,
    grouping: bool,
    folding: Folding,
    /// First members of the groups that are unfolded.
    unfolded: BitSet,
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

    /// All spans expanded, what repeats folded into groups, noise hidden or not.
    #[must_use]
    pub fn grouped(tree: &Tree, columns: &SpanColumns, hide_noise: bool) -> Self {
        let mut rows = Self {
            grouping: true,
            ..Self::default()
        };
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

    /// The line of `span` itself, when it is visible.
    #[must_use]
    pub fn line_of(&self, tree: &Tree, span: u32) -> Option<usize> {
        // Lines stand in the tree's order, so that no table from span to line is needed. A
        // group's line stands right before that of its first member.
        let line = self.lines_before(tree, tree.position(span));
        let own = line + usize::from(self.lines.get(line)?.group);
        let found = self.lines.get(own)?;
        (found.span == span && !found.group).then_some(own)
    }

    /// How many lines stand before a place of the tree's order.
    fn lines_before(&self, tree: &Tree, place: u32) -> usize {
        self.lines
            .partition_point(|line| tree.position(line.span) < place)
    }

    /// The line of `span`, or of the folded group or nearest ancestor that hides it.
    #[must_use]
    pub fn nearest_line(&self, tree: &Tree, span: u32) -> Option<usize> {
        std::iter::once(span)
            .chain(tree.ancestors(span))
            .find_map(|span| self.line_of(tree, span).or_else(|| self.folded_line(tree, span)))
    }

    /// The line of the folded group that hides `span`.
    fn folded_line(&self, tree: &Tree, span: u32) -> Option<usize> {
        let around = self.folding.around(tree.position(span));
        around
            .filter(|group| !self.is_unfolded(group.first))
            .find_map(|group| self.group_line(tree, group.first))
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

    /// How many spans are hidden, as noise or because others are looked for.
    #[must_use]
    pub fn hidden(&self) -> usize {
        match self.shown_before.last() {
            Some(shown) => self.shown_before.len() - 1 - *shown as usize,
            None => 0,
        }
    }

    /// Hides or shows noise.
    pub fn set_noise_hidden(&mut self, tree: &Tree, columns: &SpanColumns, hide: bool) {
        self.set_shown(tree, columns, hide, None);
    }

    /// Hides or shows noise, and with `only` all but some spans and their ancestors: those at
    /// these places of [`Tree::order`], ascending. What is looked for is shown though it is noise.
    pub fn set_shown(&mut self, tree: &Tree, columns: &SpanColumns, hide_noise: bool, only: Option<&[u32]>) {
        self.shown_before.clear();
        let is_noise = |span: u32| {
            columns.has_flag(span as usize, flag::NOISE)
                && !columns.has_flag(span as usize, flag::ERROR | flag::BLOCKED)
        };
        let any_noise = || tree.order().iter().any(|span| is_noise(*span));
        if only.is_some() || hide_noise && any_noise() {
            let mut shown = 0;
            let mut wanted = only.unwrap_or_default();
            self.shown_before.reserve_exact(tree.len() + 1);
            self.shown_before.push(0);
            for (place, span) in (0..).zip(tree.order()) {
                while let [first, rest @ ..] = wanted
                    && *first < place
                {
                    wanted = rest;
                }
                let next = wanted.first().copied();
                let is_wanted = next == Some(place);
                let leads = only.is_none() || next.is_some_and(|next| next < place + tree.size(*span));
                let hidden = !is_wanted && (!leads || hide_noise && is_noise(*span));
                shown += u32::from(!hidden);
                self.shown_before.push(shown);
            }
            if shown == 0 && only.is_none() {
                self.shown_before.clear();
            }
        }
        self.find_groups(tree, columns);
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
        let from = tree.position(span);
        let places = from + 1..from + tree.size(span);
        let group = self.folding.next_from(places.start);
        self.refill(tree, line, places, group, collapse);
    }

    /// Replaces the lines behind `line`, which are those of `places`, by what is to be there now:
    /// nothing when it is `empty`. `group` is the first group that may start in `places`.
    fn refill(&mut self, tree: &Tree, line: usize, places: Range<u32>, group: usize, empty: bool) {
        let next = self.lines_before(tree, places.end);
        let mut inside = Vec::new();
        if !empty {
            let depth = self.lines.get(line).map_or(0, |line| line.depth);
            self.walk(tree, places, group, None, depth + 1, &mut inside);
        }
        self.lines.splice(line + 1..next, inside);
    }

    /// Folds what is unfolded and the other way round.
    pub fn toggle(&mut self, tree: &Tree, span: u32) {
        self.set_collapsed(tree, span, !self.is_collapsed(span));
    }

    /// Unfolds everything, groups too.
    pub fn expand_all(&mut self, tree: &Tree) {
        self.collapsed.clear();
        self.unfold_groups();
        self.rebuild(tree);
    }

    /// Folds everything: only roots stay, or the groups that they make.
    pub fn collapse_all(&mut self, tree: &Tree) {
        self.expand_to(tree, 0);
    }

    /// Unfolds everything down to `depth` and folds what is there and all below it: nothing
    /// deeper is visible, and what is then unfolded shows one level more.
    pub fn expand_to(&mut self, tree: &Tree, depth: u32) {
        self.collapsed.clear();
        self.unfold_groups();
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        self.walk(tree, 0..tree.len() as u32, 0, Some(depth), 0, &mut lines);
        for line in lines.iter().filter(|line| line.depth >= depth) {
            self.fold_below(tree, *line);
        }
        self.lines = lines;
    }

    /// Folds what a line stands for and all below it; the lines are left as they are.
    fn fold_below(&mut self, tree: &Tree, line: Line) {
        let from = tree.position(line.span);
        let first = self.folding.next_from(from);
        let own = self
            .folding
            .groups()
            .get(first)
            .filter(|group| group.first == line.span);
        let to = match own.filter(|_| line.group) {
            Some(group) => group.to,
            None => from + tree.size(line.span),
        };
        // The group that starts with a span stands above it, not below.
        let skipped = usize::from(own.is_some() && !line.group);
        let inside = self.folding.groups().iter().skip(first + skipped);
        for group in inside.take_while(|group| group.from < to) {
            self.unfolded.remove(group.first);
        }
        let rows = tree.order().get(from as usize..to as usize).unwrap_or_default();
        for row in rows {
            if tree.size(*row) > 1 && self.below(tree, *row) > 0 {
                self.collapsed.insert(*row);
            }
        }
    }

    /// Folds everything but the way from the root to `span`; gives its line, `None` when it is
    /// hidden as noise.
    pub fn expand_path(&mut self, tree: &Tree, span: u32) -> Option<usize> {
        self.collapse_all(tree);
        self.reveal(tree, span)
    }

    /// Unfolds what hides `span`, spans and groups; gives its line, `None` when it is hidden as noise.
    pub fn reveal(&mut self, tree: &Tree, span: u32) -> Option<usize> {
        let hidden = tree.size(span) == 0 || !self.is_shown(tree.position(span));
        if !hidden && self.line_of(tree, span).is_none() {
            tree.ancestors(span)
                .for_each(|ancestor| self.collapsed.remove(ancestor));
            for group in self.folding.around(tree.position(span)) {
                self.unfolded.insert(group.first);
            }
            self.rebuild(tree);
        }
        self.line_of(tree, span)
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
        self.walk(tree, 0..tree.len() as u32, 0, None, 0, &mut lines);
        self.lines = lines;
    }

    fn is_shown(&self, place: u32) -> bool {
        let place = place as usize;
        self.shown_before.is_empty() || self.shown_before.get(place) != self.shown_before.get(place + 1)
    }

    /// Adds the lines of a part of the tree's order; `group` is the first group that may start
    /// there, `depth` that of its top. What stands at `deepest` counts as folded.
    fn walk(
        &self,
        tree: &Tree,
        places: Range<u32>,
        group: usize,
        deepest: Option<u32>,
        depth: u32,
        lines: &mut Vec<Line>,
    ) {
        let mut groups = self.folding.groups().iter().skip(group).peekable();
        // Where the subtrees and groups end that we are in.
        let mut ends: Vec<u32> = Vec::new();
        let mut place = places.start;
        while place < places.end {
            let Some(span) = tree.order().get(place as usize).copied() else {
                return;
            };
            while ends.pop_if(|end| *end <= place).is_some() {}
            while groups.next_if(|group| group.from < place).is_some() {}
            let mut push = |group: bool, end: u32, folded: bool| {
                let depth = depth + ends.len() as u32;
                lines.push(Line { span, depth, group });
                let folded = folded || deepest.is_some_and(|deepest| depth >= deepest);
                if !folded && end > place + 1 {
                    ends.push(end);
                }
                folded
            };
            if let Some(group) = groups.next_if(|group| group.from == place)
                && push(true, group.to, !self.is_unfolded(span))
            {
                place = group.to;
                continue;
            }
            let end = place + tree.size(span);
            let folded = self.is_shown(place) && push(false, end, self.is_collapsed(span));
            place = if folded { end } else { place + 1 };
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
    fn what_is_looked_for_stands_among_its_ancestors_alone() {
        let (c, tree) = example();
        let mut rows = Rows::new(&tree, &c, true);
        let place = |span| tree.position(span);
        rows.set_shown(&tree, &c, true, Some(&[place(3)]));
        assert_eq!(shape(&rows), [(0, 0), (1, 1), (3, 2)]);
        rows.set_shown(&tree, &c, true, Some(&[place(2), place(5)]));
        assert_eq!(
            shape(&rows),
            [(0, 0), (1, 1), (2, 2), (5, 0)],
            "noise that is looked for is shown, what is below it is not"
        );
        rows.set_shown(&tree, &c, true, Some(&[]));
        assert!(rows.is_empty());
        assert_eq!(rows.hidden(), 6);
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
        let go = |span, step| {
            let line = rows.step(&tree, rows.line_of(&tree, span)?, step)?;
            Some(rows.lines()[line].span)
        };
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
        fn only_shows_exactly_what_is_asked_for_and_its_ancestors(spans in spans(30), asked: u32) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            let wanted: Vec<u32> = (0..tree.len() as u32).filter(|place| asked >> place & 1 == 1).collect();
            let mut rows = Rows::default();
            rows.set_shown(&tree, &c, false, Some(&wanted));
            let is_wanted = |span: u32| wanted.contains(&tree.position(span));
            for span in 0..tree.len() as u32 {
                let leads = tree.subtree(span).iter().any(|below| is_wanted(*below));
                prop_assert_eq!(rows.line_of(&tree, span).is_some(), leads);
            }
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
