//! Groups among the lines: folded they are one line, unfolded they stand above their members.

use super::{Line, Rows};
use meshscope_analysis::{Folding, Group, Tree};
use meshscope_model::SpanColumns;

impl Rows {
    /// Makes groups of spans that repeat, all folded, or undoes them.
    pub fn set_grouping(&mut self, tree: &Tree, columns: &SpanColumns, on: bool) {
        self.grouping = on;
        self.find_groups(tree, columns);
        self.rebuild(tree);
    }

    /// Finds the groups among what is shown.
    pub(super) fn find_groups(&mut self, tree: &Tree, columns: &SpanColumns) {
        let shown = |span: u32| self.is_shown(tree.position(span));
        self.folding = if self.grouping {
            Folding::build(columns, tree, &shown)
        } else {
            Folding::default()
        };
    }

    /// The groups; none when they are not asked for.
    #[must_use]
    pub fn folding(&self) -> &Folding {
        &self.folding
    }

    /// The group whose line stands at `line`.
    #[must_use]
    pub fn group_at(&self, tree: &Tree, line: usize) -> Option<&Group> {
        let line = self.lines.get(line).filter(|line| line.group)?;
        self.folding.starting_with(tree, line.span)
    }

    /// The spans whose bars stand on `line`: its own, all members of a folded group, none of an
    /// unfolded one, which have lines of their own.
    pub(crate) fn drawn_spans<'a>(&'a self, tree: &Tree, line: &Line, own: &'a [u32]) -> &'a [u32] {
        if !line.group {
            return own;
        }
        match self.folding.starting_with(tree, line.span) {
            Some(_) if self.is_unfolded(line.span) => &[],
            Some(group) => self.folding.members(group),
            None => &[],
        }
    }

    /// The line of the group that starts with `first`, when it is visible.
    #[must_use]
    pub fn group_line(&self, tree: &Tree, first: u32) -> Option<usize> {
        let line = self.lines_before(tree, tree.position(first));
        let found = self.lines.get(line)?;
        (found.span == first && found.group).then_some(line)
    }

    /// True when the members of the group that starts with `first` have lines of their own.
    #[must_use]
    pub fn is_unfolded(&self, first: u32) -> bool {
        self.unfolded.contains(first)
    }

    /// Unfolds or folds the group that starts with `first`; nothing happens when there is none.
    pub fn set_unfolded(&mut self, tree: &Tree, first: u32, unfold: bool) {
        let Some(group) = self.folding.starting_with(tree, first) else {
            return;
        };
        if self.is_unfolded(first) == unfold {
            return;
        }
        let places = group.from..group.to;
        if unfold {
            self.unfolded.insert(first);
        } else {
            self.unfolded.remove(first);
        }
        if let Some(line) = self.group_line(tree, first) {
            let inner = self.folding.next_from(places.start) + 1;
            self.refill(tree, line, places, inner, !unfold);
        }
    }

    /// Folds the group when it is unfolded and the other way round.
    pub fn toggle_group(&mut self, tree: &Tree, first: u32) {
        self.set_unfolded(tree, first, !self.is_unfolded(first));
    }

    /// Unfolds or folds all groups; what is collapsed stays so.
    pub fn set_all_unfolded(&mut self, tree: &Tree, unfold: bool) {
        self.unfolded.clear();
        if unfold {
            self.unfold_groups();
        }
        self.rebuild(tree);
    }

    pub(super) fn unfold_groups(&mut self) {
        for group in self.folding.groups() {
            self.unfolded.insert(group.first);
        }
    }

    /// Ids of the first spans of the groups that are unfolded: see [`Rows::collapsed_ids`].
    #[must_use]
    pub fn unfolded_ids(&self, columns: &SpanColumns) -> Vec<u64> {
        let ids = self.unfolded.iter();
        ids.filter_map(|span| columns.span_id.get(span as usize).copied())
            .collect()
    }

    /// Unfolds exactly the groups that start with the spans of these ids; others are passed over.
    pub fn restore_unfolded(&mut self, tree: &Tree, columns: &SpanColumns, ids: &[u64]) {
        self.unfolded.clear();
        for span in ids.iter().filter_map(|id| tree.row_of(columns, *id)) {
            if self.folding.starting_with(tree, span).is_some() {
                self.unfolded.insert(span);
            }
        }
        self.rebuild(tree);
    }
}

#[cfg(test)]
mod tests;
