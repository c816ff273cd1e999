//! The critical path: at each moment of a span, the one span below it that the end was
//! waiting for.
//!
//! Walking back from the end of a span, the child that finished last before the cursor is what
//! it waited for; the gap up to the cursor is its own time; from the child's start the walk goes
//! on. What ran beside that child was not waited for. Within the child the same holds again.

use crate::tree::Tree;
use meshscope_model::SpanColumns;

/// A stretch of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The span that was waited for, itself at work rather than one of its children.
    pub row: u32,
    /// From here, ns since the epoch.
    pub start: i64,
    /// To here; later than `start`.
    pub end: i64,
}

/// A span whose stretches are being found, from its end backwards.
struct Visit {
    row: u32,
    start: i64,
    cursor: i64,
    /// Children with an end within the window, cut to it; the last to finish at the end.
    finished: Vec<(i64, u32)>,
}

impl Visit {
    fn new(columns: &SpanColumns, tree: &Tree, row: u32, start: i64, end: i64) -> Self {
        let time = |child: u32| {
            let from = columns.start_time.get(child as usize).copied().unwrap_or(end);
            (from, columns.end_time(child as usize).min(end))
        };
        let children = tree.children(row).iter().copied();
        let mut finished: Vec<(i64, u32)> = children
            .map(|child| (time(child), child))
            .filter(|((from, to), _)| from < to && *to > start)
            .map(|((_, to), child)| (to, child))
            .collect();
        // Of those that finish together the one that started first explains most of the wait;
        // children come by start, so a stable sort of the reverse puts it last.
        finished.reverse();
        finished.sort_by_key(|(to, _)| *to);
        Self {
            row,
            start,
            cursor: end,
            finished,
        }
    }

    fn own(&self, from: i64) -> Option<Segment> {
        (from < self.cursor).then_some(Segment {
            row: self.row,
            start: from,
            end: self.cursor,
        })
    }
}

/// The critical path of `root`, by time. The segments tile the span exactly: the first starts
/// with it, each next where the one before ends, the last ends with it. Children are cut to
/// their parent. Empty for a span without a duration and for a row out of range.
#[must_use]
pub fn critical_path(columns: &SpanColumns, tree: &Tree, root: u32) -> Vec<Segment> {
    let Some(start) = columns.start_time.get(root as usize).copied() else {
        return Vec::new();
    };
    let mut path = Vec::new();
    let end = columns.end_time(root as usize);
    let mut visits = vec![Visit::new(columns, tree, root, start, end)];
    while let Some(visit) = visits.last_mut() {
        match visit.finished.pop() {
            Some((to, child)) if to <= visit.cursor => {
                path.extend(visit.own(to));
                let from = columns.start_time.get(child as usize).copied().unwrap_or(to);
                visit.cursor = from.max(visit.start);
                let from = visit.cursor;
                visits.push(Visit::new(columns, tree, child, from, to));
            }
            // It ran beside one that is on the path already.
            Some(_) => {}
            None => {
                path.extend(visit.own(visit.start));
                visits.pop();
            }
        }
    }
    path.reverse();
    path.shrink_to_fit();
    path
}

/// How long the path runs below `root`, in ns: the part of the wait that calls explain.
#[must_use]
pub fn below(path: &[Segment], root: u32) -> i64 {
    let below = path.iter().filter(|segment| segment.row != root);
    below.map(|segment| segment.end - segment.start).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans};
    use proptest::prelude::*;

    fn path(spans: &[crate::testing::TestSpan]) -> Vec<(u32, i64, i64)> {
        let c = columns(spans);
        let path = critical_path(&c, &Tree::build(&c), 0);
        path.iter()
            .map(|segment| (segment.row, segment.start, segment.end))
            .collect()
    }

    #[test]
    fn the_last_to_finish_is_waited_for() {
        // Two calls at the same time; then one that has a call of its own.
        let found = path(&[
            (9, 0, 0, 100),
            (1, 9, 10, 20),
            (2, 9, 10, 30),
            (3, 9, 50, 40),
            (4, 3, 60, 10),
        ]);
        assert_eq!(
            found,
            [
                (0, 0, 10),
                (2, 10, 40),
                (0, 40, 50),
                (3, 50, 60),
                (4, 60, 70),
                (3, 70, 90),
                (0, 90, 100)
            ]
        );
        let c = columns(&[(9, 0, 0, 100), (1, 9, 10, 20)]);
        let tree = Tree::build(&c);
        assert_eq!(below(&critical_path(&c, &tree, 0), 0), 20);
    }

    #[test]
    fn children_are_cut_to_their_parent() {
        assert_eq!(
            path(&[(9, 0, 50, 50), (1, 9, 0, 60), (2, 9, 90, 400)]),
            [(1, 50, 60), (0, 60, 90), (2, 90, 100)]
        );
        assert_eq!(path(&[(9, 0, 50, 50), (1, 9, 0, 400)]), [(1, 50, 100)]);
        assert_eq!(
            path(&[(9, 0, 50, 50), (1, 9, 0, 10), (2, 9, 200, 10)]),
            [(0, 50, 100)]
        );
    }

    #[test]
    fn of_two_that_finish_together_the_longer_counts() {
        assert_eq!(
            path(&[(9, 0, 0, 10), (1, 9, 2, 6), (2, 9, 5, 3)]),
            [(0, 0, 2), (1, 2, 8), (0, 8, 10)]
        );
    }

    #[test]
    fn nothing_to_walk() {
        assert_eq!(path(&[(9, 0, 5, 0), (1, 9, 5, 0)]), []);
        assert_eq!(path(&[]), []);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_levels() {
        let chain: Vec<_> = (1..=100_000_u64)
            .map(|id| (id, id - 1, id as i64, 300_000 - 2 * id as i64))
            .collect();
        assert_eq!(path(&chain).len(), 199_999);
    }

    proptest! {
        #[test]
        fn the_path_tiles_its_root(spans in spans(25)) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            for root in 0..c.len() as u32 {
                let path = critical_path(&c, &tree, root);
                let mut cursor = c.start_time[root as usize];
                for segment in &path {
                    prop_assert_eq!(segment.start, cursor);
                    prop_assert!(segment.end > segment.start);
                    prop_assert!(segment.row == root || tree.is_below(segment.row, root));
                    let row = segment.row as usize;
                    prop_assert!(c.start_time[row] <= segment.start && segment.end <= c.end_time(row));
                    cursor = segment.end;
                }
                prop_assert_eq!(cursor, c.end_time(root as usize));
            }
        }

        #[test]
        fn no_child_finishes_within_a_stretch_of_its_parent(spans in spans(25)) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            for segment in tree.roots().iter().flat_map(|root| critical_path(&c, &tree, *root)) {
                for child in tree.children(segment.row) {
                    let (from, to) = (c.start_time[*child as usize], c.end_time(*child as usize));
                    prop_assert!(from >= to || to <= segment.start || to > segment.end, "{:?} {}", segment, child);
                }
            }
        }
    }
}
