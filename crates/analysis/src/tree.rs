//! The tree of a trace: who called whom, as arrays over row numbers.
//!
//! Parents as sent cannot be trusted: they may be missing, late, or go round in circles. The
//! tree made from them is always a forest that holds every span exactly once.

use meshscope_model::SpanColumns;
use meshscope_model::columns::flag;

/// Stands for "no row".
pub const NONE: u32 = u32::MAX;

/// Why a row is a root although it names a parent; bits of [`Tree::marks`].
pub mod mark {
    /// Its parent is not among the spans (late, dropped, or outside this trace's senders).
    pub const ORPHAN: u8 = 1;
    /// It was its own ancestor; the link to its parent was cut here.
    pub const CYCLE: u8 = 2;
}

/// A forest over the rows of [`SpanColumns`], 33 bytes a span.
///
/// Siblings, and the roots among themselves, are in the order of (start, span id). Rows that
/// are out of range have no parent, no children, depth 0 and size 0: no method panics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    parent: Vec<u32>,
    /// Where a row's children start in `children`; one entry more than rows.
    first_child: Vec<u32>,
    children: Vec<u32>,
    roots: Vec<u32>,
    /// Rows depth first, a parent before its children: a subtree is one slice of it.
    order: Vec<u32>,
    /// Place of a row in `order`.
    position: Vec<u32>,
    depth: Vec<u32>,
    size: Vec<u32>,
    marks: Vec<u8>,
    /// Rows by [`mixed`] span id, for look-ups.
    by_id: Vec<u32>,
    max_depth: u32,
}

impl Tree {
    /// Builds the tree of `columns` in O(n log n) time at worst. Where several spans share an id the
    /// first is the parent of those who name it. A circle is cut at its earliest span.
    #[must_use]
    pub fn build(columns: &SpanColumns) -> Self {
        let n = columns
            .len()
            .min(columns.parent_span_id.len())
            .min(columns.start_time.len());
        let index = Index::build(columns, n);
        let mut marks = vec![0; n];
        let mut parent = parents(columns, &index, &mut marks);
        cut_cycles(columns, &mut parent, &mut marks);
        let mut tree = Self {
            parent,
            marks,
            by_id: index.rows,
            ..Self::default()
        };
        tree.link_children(&rows_by_start(columns, n));
        tree.walk();
        tree
    }

    /// Fills `first_child`, `children` and `roots`; `by_start` gives the order of siblings.
    fn link_children(&mut self, by_start: &[u32]) {
        let n = self.parent.len();
        let mut first_child = vec![0_u32; n + 1];
        for parent in self.parent.iter().filter(|parent| **parent != NONE) {
            first_child[*parent as usize + 1] += 1;
        }
        for row in 0..n {
            first_child[row + 1] += first_child[row];
        }
        let mut next = first_child.clone();
        self.children = vec![0; first_child[n] as usize];
        self.roots = Vec::with_capacity(n - self.children.len());
        for row in by_start {
            match self.parent[*row as usize] {
                NONE => self.roots.push(*row),
                parent => {
                    let place = &mut next[parent as usize];
                    self.children[*place as usize] = *row;
                    *place += 1;
                }
            }
        }
        self.first_child = first_child;
    }

    /// Fills `order` and what follows from it.
    fn walk(&mut self) {
        let n = self.parent.len();
        let mut order = Vec::with_capacity(n);
        let mut waiting: Vec<u32> = self.roots.iter().rev().copied().collect();
        while let Some(row) = waiting.pop() {
            order.push(row);
            waiting.extend(self.children(row).iter().rev());
        }
        self.position = vec![0; n];
        self.depth = vec![0; n];
        self.size = vec![1; n];
        for (place, row) in order.iter().enumerate() {
            self.position[*row as usize] = place as u32;
            let parent = self.parent[*row as usize];
            if parent != NONE {
                let depth = self.depth[parent as usize] + 1;
                self.depth[*row as usize] = depth;
                self.max_depth = self.max_depth.max(depth);
            }
        }
        for row in order.iter().rev() {
            let parent = self.parent[*row as usize];
            if parent != NONE {
                self.size[parent as usize] += self.size[*row as usize];
            }
        }
        self.order = order;
    }

    /// How many spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parent.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parent.is_empty()
    }

    /// Rows without a parent here, orphans and cut circles included.
    #[must_use]
    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// The root that stands for the trace: of those that name no parent, else of all, the one
    /// with most spans below it, and among equals the earliest.
    #[must_use]
    pub fn main_root(&self) -> Option<u32> {
        let best = |roots: &mut dyn Iterator<Item = &u32>| {
            roots.copied().reduce(|best, row| {
                if self.size(row) > self.size(best) {
                    row
                } else {
                    best
                }
            })
        };
        let mut true_roots = self.roots.iter().filter(|row| self.marks(**row) == 0);
        best(&mut true_roots).or_else(|| best(&mut self.roots.iter()))
    }

    /// Parent of `row`.
    #[must_use]
    pub fn parent(&self, row: u32) -> Option<u32> {
        self.parent
            .get(row as usize)
            .copied()
            .filter(|parent| *parent != NONE)
    }

    /// Children of `row` by (start, span id).
    #[must_use]
    pub fn children(&self, row: u32) -> &[u32] {
        let bounds = (
            self.first_child.get(row as usize),
            self.first_child.get(row as usize + 1),
        );
        match bounds {
            (Some(from), Some(to)) => self
                .children
                .get(*from as usize..*to as usize)
                .unwrap_or_default(),
            _ => &[],
        }
    }

    /// The parent of `row`, its parent, and so on up to a root.
    pub fn ancestors(&self, row: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.parent(row), |row| self.parent(*row))
    }

    /// How many ancestors `row` has.
    #[must_use]
    pub fn depth(&self, row: u32) -> u32 {
        self.depth.get(row as usize).copied().unwrap_or(0)
    }

    /// The depth of the deepest row.
    #[must_use]
    pub fn max_depth(&self) -> u32 {
        self.max_depth
    }

    /// How many spans the subtree of `row` has, itself included.
    #[must_use]
    pub fn size(&self, row: u32) -> u32 {
        self.size.get(row as usize).copied().unwrap_or(0)
    }

    /// All rows depth first: a parent before its children, siblings by (start, span id).
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Place of `row` in [`Tree::order`].
    #[must_use]
    pub fn position(&self, row: u32) -> u32 {
        self.position.get(row as usize).copied().unwrap_or(0)
    }

    /// `row` and all below it, depth first: a slice of [`Tree::order`].
    #[must_use]
    pub fn subtree(&self, row: u32) -> &[u32] {
        let from = self.position(row) as usize;
        self.order
            .get(from..from + self.size(row) as usize)
            .unwrap_or_default()
    }

    /// True when `row` lies below `ancestor` (and is not `ancestor`).
    #[must_use]
    pub fn is_below(&self, row: u32, ancestor: u32) -> bool {
        let (place, from) = (self.position(row), self.position(ancestor));
        place > from && place - from < self.size(ancestor)
    }

    /// Bits of [`mark`].
    #[must_use]
    pub fn marks(&self, row: u32) -> u8 {
        self.marks.get(row as usize).copied().unwrap_or(0)
    }

    /// True when `row` names a parent that is not here.
    #[must_use]
    pub fn is_orphan(&self, row: u32) -> bool {
        self.marks(row) & mark::ORPHAN != 0
    }

    /// True when the trace can be taken for whole: a root is there, every parent is there and
    /// no span is in progress.
    #[must_use]
    pub fn is_complete(&self, columns: &SpanColumns) -> bool {
        !self.is_empty()
            && self.marks.iter().all(|marks| marks & mark::ORPHAN == 0)
            && columns.flags.iter().all(|flags| flags & flag::IN_PROGRESS == 0)
    }

    /// The row of the span with this id; `columns` are those the tree was built from.
    #[must_use]
    pub fn row_of(&self, columns: &SpanColumns, span_id: u64) -> Option<u32> {
        find(columns, &self.by_id, span_id, None)
    }
}

/// An id such that its upper bits differ where any bits of ids do, and no two become one.
fn mixed(id: u64) -> u64 {
    id.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Rows by id in buckets of a few: a million look-ups one by one cost less than sorting them.
struct Index {
    /// Rows in the order of (mixed span id, row).
    rows: Vec<u32>,
    /// Where the bucket of each value of the upper bits starts, one entry more than values.
    first: Vec<u32>,
    /// How far the upper bits are shifted.
    shift: u32,
}

impl Index {
    fn build(columns: &SpanColumns, n: usize) -> Self {
        let bits = n.max(2).ilog2().min(20);
        let shift = 64 - bits;
        let bucket = |row: u32| (mixed(columns.span_id[row as usize]) >> shift) as usize;
        let mut first = vec![0_u32; (1 << bits) + 1];
        for row in 0..n as u32 {
            first[bucket(row) + 1] += 1;
        }
        for bucket in 0..1 << bits {
            first[bucket + 1] += first[bucket];
        }
        let mut next = first.clone();
        let mut rows = vec![0_u32; n];
        for row in 0..n as u32 {
            let place = &mut next[bucket(row)];
            rows[*place as usize] = row;
            *place += 1;
        }
        for bucket in first.windows(2) {
            let rows = &mut rows[bucket[0] as usize..bucket[1] as usize];
            if rows.len() > 1 {
                rows.sort_unstable_by_key(|row| (mixed(columns.span_id[*row as usize]), *row));
            }
        }
        Self { rows, first, shift }
    }

    /// The first row of the span with this id, in `run` where there are several.
    fn find(&self, columns: &SpanColumns, id: u64, run: Option<u32>) -> Option<u32> {
        let bucket = (mixed(id) >> self.shift) as usize;
        let (from, to) = (*self.first.get(bucket)?, *self.first.get(bucket + 1)?);
        find(columns, self.rows.get(from as usize..to as usize)?, id, run)
    }
}

/// Rows in the order of (start, span id, row): the order they come in, if their sender kept to it.
fn rows_by_start(columns: &SpanColumns, n: usize) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..n as u32).collect();
    if !rows.is_sorted_by_key(|row| moment(columns, *row)) {
        rows.sort_unstable_by_key(|row| moment(columns, *row));
    }
    rows
}

/// What siblings are ordered by.
fn moment(columns: &SpanColumns, row: u32) -> (i64, u64, u32) {
    let at = row as usize;
    (columns.start_time[at], columns.span_id[at], row)
}

/// The first of `rows`, which are in the order of (mixed span id, row), with this id, and of `run`
/// where spans are of several.
fn find(columns: &SpanColumns, rows: &[u32], id: u64, run: Option<u32>) -> Option<u32> {
    let id_of = |row: &u32| columns.span_id.get(*row as usize).copied();
    let place = rows.partition_point(|row| id_of(row).map(mixed) < Some(mixed(id)));
    let same = rows.get(place..).unwrap_or_default().iter();
    let mut same = same.take_while(|row| id_of(row) == Some(id));
    let here = |row: &&u32| run.is_none() || columns.run.get(**row as usize).copied() == run;
    same.find(here).copied()
}

/// The parent row of each row as sent, [`NONE`] where there is none; marks orphans.
fn parents(columns: &SpanColumns, index: &Index, marks: &mut [u8]) -> Vec<u32> {
    let mut parents = vec![NONE; marks.len()];
    // Siblings often come one behind the other.
    let mut last = ((0, None), None);
    for (row, marks) in marks.iter_mut().enumerate() {
        let id = columns.parent_span_id[row];
        if id == 0 {
            continue;
        }
        // Ids are of a trace alone: two runs of a session may have the same.
        let run = columns.run.get(row).copied();
        if last.0 != (id, run) {
            last = ((id, run), index.find(columns, id, run));
        }
        match last.1 {
            Some(parent) => parents[row] = parent,
            None => *marks |= mark::ORPHAN,
        }
    }
    parents
}

/// Cuts every circle at its earliest span, which becomes a root.
fn cut_cycles(columns: &SpanColumns, parent: &mut [u32], marks: &mut [u8]) {
    const ON_PATH: u8 = 1;
    const DONE: u8 = 2;
    // Where every parent comes before its children, as is usual by start, there is no circle.
    if parent
        .iter()
        .zip(0..)
        .all(|(parent, row)| *parent == NONE || *parent < row)
    {
        return;
    }
    let mut state = vec![0_u8; parent.len()];
    let mut path = Vec::new();
    for row in 0..parent.len() as u32 {
        let mut at = row;
        while at != NONE && state[at as usize] == 0 {
            state[at as usize] = ON_PATH;
            path.push(at);
            at = parent[at as usize];
        }
        if at != NONE && state[at as usize] == ON_PATH {
            let circle = path.iter().skip_while(|row| **row != at);
            if let Some(earliest) = circle.min_by_key(|row| moment(columns, **row)) {
                parent[*earliest as usize] = NONE;
                marks[*earliest as usize] |= mark::CYCLE;
            }
        }
        path.drain(..).for_each(|row| state[row as usize] = DONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans};
    use proptest::prelude::*;

    #[test]
    fn children_come_by_start_and_depth_first() {
        // (id, parent, start, duration)
        let c = columns(&[
            (1, 0, 0, 100),
            (2, 1, 10, 20),
            (3, 1, 10, 5),
            (4, 2, 12, 3),
            (5, 0, 50, 1),
        ]);
        let tree = Tree::build(&c);
        assert_eq!(tree.roots(), [0, 4]);
        assert_eq!(tree.children(0), [1, 2]);
        assert_eq!(tree.order(), [0, 1, 3, 2, 4]);
        assert_eq!(tree.subtree(1), [1, 3]);
        assert_eq!((tree.depth(3), tree.max_depth(), tree.size(0)), (2, 2, 4));
        assert_eq!(tree.ancestors(3).collect::<Vec<_>>(), [1, 0]);
        assert!(tree.is_below(3, 0) && !tree.is_below(4, 0) && !tree.is_below(0, 0));
        assert_eq!(tree.row_of(&c, 4), Some(3));
        assert_eq!(tree.row_of(&c, 9), None);
        assert!(tree.is_complete(&c));
        assert_eq!(tree.main_root(), Some(0));
    }

    #[test]
    fn an_orphan_is_a_root_and_says_so() {
        let c = columns(&[(2, 77, 0, 10), (3, 2, 1, 1), (1, 0, 5, 1)]);
        let tree = Tree::build(&c);
        assert_eq!(tree.roots(), [0, 2]);
        assert!(tree.is_orphan(0) && !tree.is_orphan(1) && !tree.is_orphan(2));
        assert!(!tree.is_complete(&c));
        assert_eq!(
            tree.main_root(),
            Some(2),
            "a true root stands before a larger orphan"
        );
    }

    #[test]
    fn circles_are_cut_at_the_earliest_span() {
        // 1 -> 3 -> 2 -> 1, with 4 hanging on it, and 5 its own parent.
        let c = columns(&[
            (2, 1, 5, 1),
            (3, 2, 7, 1),
            (1, 3, 9, 1),
            (4, 3, 9, 1),
            (5, 5, 9, 1),
        ]);
        let tree = Tree::build(&c);
        assert_eq!(tree.roots(), [0, 4]);
        assert_eq!(tree.order(), [0, 1, 2, 3, 4]);
        assert_eq!(
            (0..5).map(|row| tree.marks(row)).collect::<Vec<_>>(),
            [mark::CYCLE, 0, 0, 0, mark::CYCLE]
        );
    }

    #[test]
    fn rows_out_of_order_still_give_siblings_by_start() {
        let c = columns(&[(3, 1, 30, 1), (2, 1, 20, 1), (1, 0, 0, 100)]);
        let tree = Tree::build(&c);
        assert_eq!((tree.roots(), tree.children(2)), (&[2_u32][..], &[1_u32, 0][..]));
    }

    #[test]
    fn nothing_and_rows_out_of_range() {
        let tree = Tree::build(&SpanColumns::default());
        assert!(tree.is_empty() && tree.roots().is_empty() && tree.main_root().is_none());
        assert_eq!((tree.children(7), tree.subtree(7)), (&[][..], &[][..]));
        assert_eq!((tree.parent(NONE), tree.children(NONE)), (None, &[][..]));
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_levels() {
        let chain: Vec<_> = (1..=100_000_u64).map(|id| (id, id - 1, id as i64, 1)).collect();
        let tree = Tree::build(&columns(&chain));
        assert_eq!((tree.max_depth(), tree.size(0)), (99_999, 100_000));
        assert_eq!(tree.ancestors(99_999).count(), 99_999);
    }

    proptest! {
        #[test]
        fn any_parents_give_a_forest_of_every_span_once(spans in spans(40)) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            let mut seen = tree.order().to_vec();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..c.len() as u32).collect::<Vec<_>>());
            let (mut below_roots, mut linked) = (0, 0);
            for root in tree.roots() {
                below_roots += tree.size(*root) as usize;
                prop_assert_eq!(tree.parent(*root), None);
                prop_assert_eq!(tree.marks(*root) == 0, c.parent_span_id[*root as usize] == 0);
            }
            for row in 0..c.len() as u32 {
                linked += tree.children(row).len();
                prop_assert_eq!(tree.depth(row) as usize, tree.ancestors(row).count());
                prop_assert_eq!(tree.subtree(row).len(), tree.size(row) as usize);
                for child in tree.children(row) {
                    prop_assert_eq!(tree.parent(*child), Some(row));
                    prop_assert_eq!(c.span_id[row as usize], c.parent_span_id[*child as usize]);
                }
                prop_assert!(tree.children(row).is_sorted_by_key(|row| moment(&c, *row)));
            }
            prop_assert_eq!(below_roots, c.len());
            prop_assert_eq!(linked + tree.roots().len(), c.len());
        }
    }
}
