//! Two traces side by side: what came, what went, and what of the rest took longer, cost more
//! or answered differently.
//!
//! Spans go together when their parents do, name, service and operation are the same, and so is
//! their order among the others: siblings that are the same with all that is below them first.

use crate::align::align;
use crate::totals::subtree_sums;
use crate::tree::Tree;
use meshscope_model::SpanColumns;
use meshscope_model::columns::{ABSENT, flag};
use meshscope_model::time::MILLISECOND;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What differs between two spans, from left to right; bits of [`Pair::changes`].
pub mod change {
    /// Only the right trace has it.
    pub const ADDED: u16 = 1;
    /// Only the left trace has it.
    pub const REMOVED: u16 = 2;
    /// It takes longer.
    pub const SLOWER: u16 = 4;
    /// It takes less long.
    pub const FASTER: u16 = 8;
    /// It costs more, with all that is below it.
    pub const COSTLIER: u16 = 16;
    /// It costs less, with all that is below it.
    pub const CHEAPER: u16 = 32;
    /// It answers differently.
    pub const ANSWER: u16 = 64;
    /// It fails or is blocked now.
    pub const BROKE: u16 = 128;
    /// It no longer fails or is blocked.
    pub const MENDED: u16 = 256;
}

/// From what on durations and costs count as different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// So many percent of the smaller figure, and
    pub percent: i64,
    /// so many ns (durations only).
    pub least: i64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            percent: 10,
            least: MILLISECOND,
        }
    }
}

impl Tolerance {
    /// True when `large` is more than `small` by what counts.
    fn counts(self, small: i64, large: i64, least: i64) -> bool {
        let more = i128::from(large) - i128::from(small);
        let part = i128::from(small) * i128::from(self.percent) / 100;
        more > 0 && more >= part.max(i128::from(least))
    }
}

/// One of the traces.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its spans.
    pub columns: &'a SpanColumns,
    /// Their tree.
    pub tree: &'a Tree,
    /// What a span answered, by a hash of the text; `None` where that is not known.
    pub answer: &'a dyn Fn(u32) -> Option<u64>,
}

/// Two spans that go together, or one that has no counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Row of the left trace.
    pub left: Option<u32>,
    /// Row of the right trace.
    pub right: Option<u32>,
    /// How many ancestors it has: the indent.
    pub depth: u32,
    /// Bits of [`change`].
    pub changes: u16,
    /// Right duration less left, ns; `None` unless both have ended.
    pub duration: Option<i64>,
    /// Right cost less left in pico-dollars, with all that is below; `None` unless both are known.
    pub cost: Option<i64>,
    /// Right tokens less left, with all that is below; `None` unless both are known.
    pub tokens: Option<i64>,
}

/// How two traces differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// All spans of both, depth first, a parent before its children; spans that went stand
    /// before those that came in their place.
    pub pairs: Vec<Pair>,
    /// How many pairs have each change, by the number of its bit.
    counts: [u32; 9],
}

impl Comparison {
    /// Compares two traces. In time by the number of spans: wide nodes that differ much are
    /// aligned less thoroughly.
    #[must_use]
    pub fn of(left: Side<'_>, right: Side<'_>, tolerance: Tolerance) -> Self {
        let mut work = Work {
            left: Prepared::new(left),
            right: Prepared::new(right),
            tolerance,
            waiting: Vec::new(),
        };
        let mut comparison = Self::default();
        work.align(left.tree.roots(), right.tree.roots(), 0);
        while let Some((found_left, found_right, depth)) = work.waiting.pop() {
            let left_children = found_left.map_or(&[][..], |row| left.tree.children(row));
            let right_children = found_right.map_or(&[][..], |row| right.tree.children(row));
            work.align(left_children, right_children, depth + 1);
            let pair = work.judge(found_left, found_right, depth);
            for (bit, count) in comparison.counts.iter_mut().enumerate() {
                *count += u32::from(pair.changes >> bit & 1);
            }
            comparison.pairs.push(pair);
        }
        comparison
    }

    /// How many pairs have a change, one of [`change`].
    #[must_use]
    pub fn count(&self, change: u16) -> u32 {
        let bit = change.trailing_zeros() as usize;
        self.counts.get(bit).copied().unwrap_or(0)
    }

    /// True when nothing came, went or changed.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }
}

/// A trace with what comparing it takes.
struct Prepared<'a> {
    side: Side<'a>,
    /// What makes spans go together: name, service, operation.
    kind: Vec<u64>,
    /// The same with all that is below.
    shape: Vec<u64>,
    costs: Vec<i64>,
    tokens: Vec<i64>,
}

fn hash(value: impl Hash) -> u64 {
    // With its fixed keys: the hashes of two traces are compared.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A hash of a hash and what follows.
fn join(hash: u64, next: u64) -> u64 {
    let mixed = (hash.rotate_left(23) ^ next).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

impl<'a> Prepared<'a> {
    fn new(side: Side<'a>) -> Self {
        let (columns, tree) = (side.columns, side.tree);
        let texts: Vec<u64> = columns.strings.iter().map(hash).collect();
        let none = hash("");
        let text = |column: &[u32], row: usize| {
            let index = column.get(row).map_or(usize::MAX, |index| *index as usize);
            texts.get(index).copied().unwrap_or(none)
        };
        let kind: Vec<u64> = (0..tree.len())
            .map(|row| {
                let operation = columns.operation.get(row).copied().unwrap_or(0);
                hash((text(&columns.name, row), text(&columns.service, row), operation))
            })
            .collect();
        let mut shape = kind.clone();
        for row in tree.order().iter().rev() {
            let own = shape[*row as usize];
            let children = tree.children(*row).iter();
            shape[*row as usize] = children.fold(own, |all, child| join(all, shape[*child as usize]));
        }
        // Whatever it is called, the one stands for its trace as the other does.
        let mut kind = kind;
        if let Some(root) = tree.main_root() {
            kind[root as usize] = 0;
        }
        Self {
            costs: subtree_sums(tree, &columns.cost),
            tokens: subtree_sums(tree, &columns.total_tokens),
            side,
            kind,
            shape,
        }
    }

    fn hashes(of: &[u64], rows: &[u32]) -> Vec<u64> {
        let hashes = rows.iter().map(|row| of.get(*row as usize).copied().unwrap_or(0));
        hashes.collect()
    }

    fn duration(&self, row: u32) -> Option<i64> {
        let duration = self.side.columns.duration.get(row as usize).copied();
        duration.filter(|_| !self.side.columns.has_flag(row as usize, flag::IN_PROGRESS))
    }

    fn is_trouble(&self, row: u32) -> bool {
        self.side
            .columns
            .has_flag(row as usize, flag::ERROR | flag::BLOCKED)
    }
}

struct Work<'a> {
    left: Prepared<'a>,
    right: Prepared<'a>,
    tolerance: Tolerance,
    /// Spans to be looked at with their depth, the next one last.
    waiting: Vec<(Option<u32>, Option<u32>, u32)>,
}

impl Work<'_> {
    /// Finds out which siblings go together.
    fn align(&mut self, left: &[u32], right: &[u32], depth: u32) {
        if left.is_empty() && right.is_empty() {
            return;
        }
        let shapes = (
            Prepared::hashes(&self.left.shape, left),
            Prepared::hashes(&self.right.shape, right),
        );
        let mut found: Vec<(Option<u32>, Option<u32>, u32)> = Vec::new();
        let mut done = (0, 0);
        let ends = std::iter::once((left.len(), right.len()));
        for (at_left, at_right) in align(&shapes.0, &shapes.1).into_iter().chain(ends) {
            let some_left = left.get(done.0..at_left).unwrap_or_default();
            let some_right = right.get(done.1..at_right).unwrap_or_default();
            self.align_kinds(some_left, some_right, depth, &mut found);
            if let (Some(left), Some(right)) = (left.get(at_left), right.get(at_right)) {
                found.push((Some(*left), Some(*right), depth));
            }
            done = (at_left + 1, at_right + 1);
        }
        found.reverse();
        self.waiting.append(&mut found);
    }

    /// Finds out which siblings between two that are the same go together.
    fn align_kinds(
        &self,
        left: &[u32],
        right: &[u32],
        depth: u32,
        found: &mut Vec<(Option<u32>, Option<u32>, u32)>,
    ) {
        if left.is_empty() && right.is_empty() {
            return;
        }
        let kinds = (
            Prepared::hashes(&self.left.kind, left),
            Prepared::hashes(&self.right.kind, right),
        );
        let (mut left, mut right) = (left.iter(), right.iter());
        let mut done = (0, 0);
        let ends = std::iter::once((kinds.0.len(), kinds.1.len()));
        for (at_left, at_right) in align(&kinds.0, &kinds.1).into_iter().chain(ends) {
            let gone = left.by_ref().take(at_left - done.0);
            found.extend(gone.map(|row| (Some(*row), None, depth)));
            let come = right.by_ref().take(at_right - done.1);
            found.extend(come.map(|row| (None, Some(*row), depth)));
            if let (Some(left), Some(right)) = (left.next(), right.next()) {
                found.push((Some(*left), Some(*right), depth));
            }
            done = (at_left + 1, at_right + 1);
        }
    }

    /// Says what differs between two spans.
    fn judge(&self, left: Option<u32>, right: Option<u32>, depth: u32) -> Pair {
        let mut pair = Pair {
            left,
            right,
            depth,
            changes: 0,
            duration: None,
            cost: None,
            tokens: None,
        };
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            (None, _) => {
                pair.changes = change::ADDED;
                return pair;
            }
            (_, None) => {
                pair.changes = change::REMOVED;
                return pair;
            }
        };
        let figure = |column: &[i64], row: u32| {
            let figure = column.get(row as usize).copied();
            figure.filter(|figure| *figure != ABSENT)
        };
        let durations = (self.left.duration(left), self.right.duration(right));
        let costs = (figure(&self.left.costs, left), figure(&self.right.costs, right));
        let tokens = (figure(&self.left.tokens, left), figure(&self.right.tokens, right));
        pair.duration = difference(durations);
        pair.cost = difference(costs);
        pair.tokens = difference(tokens);
        let least = self.tolerance.least;
        pair.changes |= self.direction(durations, least, change::SLOWER, change::FASTER);
        pair.changes |= self.direction(costs, 1, change::COSTLIER, change::CHEAPER);
        let answers = ((self.left.side.answer)(left), (self.right.side.answer)(right));
        if let (Some(left), Some(right)) = answers
            && left != right
        {
            pair.changes |= change::ANSWER;
        }
        pair.changes |= match (self.left.is_trouble(left), self.right.is_trouble(right)) {
            (false, true) => change::BROKE,
            (true, false) => change::MENDED,
            _ => 0,
        };
        pair
    }

    fn direction(&self, figures: (Option<i64>, Option<i64>), least: i64, more: u16, less: u16) -> u16 {
        match figures {
            (Some(left), Some(right)) if self.tolerance.counts(left, right, least) => more,
            (Some(left), Some(right)) if self.tolerance.counts(right, left, least) => less,
            _ => 0,
        }
    }
}

/// Right less left.
fn difference(figures: (Option<i64>, Option<i64>)) -> Option<i64> {
    Some(figures.1?.saturating_sub(figures.0?))
}

#[cfg(test)]
mod tests;
