//! Own time: how long a span ran while none of its children did.

use crate::tree::Tree;
use meshscope_model::SpanColumns;

/// Own time of `row` in ns: its duration less the union of its children's intervals, each cut
/// to the span's own. Children that run at the same time, or past their parent's end, are
/// counted once and only where the parent runs. 0 for a row out of range.
#[must_use]
pub fn own_time(columns: &SpanColumns, tree: &Tree, row: u32) -> i64 {
    let Some(start) = columns.start_time.get(row as usize).copied() else {
        return 0;
    };
    let end = columns.end_time(row as usize);
    let mut own = end.saturating_sub(start);
    // Children come by start, so that one sweep finds what they cover.
    let mut covered_to = start;
    for child in tree.children(row) {
        let Some(child_start) = columns.start_time.get(*child as usize) else {
            continue;
        };
        let from = (*child_start).max(covered_to);
        let to = columns.end_time(*child as usize).min(end);
        if to > from {
            own -= to - from;
            covered_to = to;
        }
    }
    own
}

/// [`own_time`] of every row.
#[must_use]
pub fn own_times(columns: &SpanColumns, tree: &Tree) -> Vec<i64> {
    (0..tree.len() as u32)
        .map(|row| own_time(columns, tree, row))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans};
    use proptest::prelude::*;

    #[test]
    fn overlapping_children_count_once_and_only_inside() {
        let c = columns(&[
            (9, 0, 100, 100),
            (1, 9, 90, 20),
            (2, 9, 105, 15),
            (3, 9, 150, 10),
            (4, 9, 152, 3),
            (5, 9, 195, 50),
        ]);
        let tree = Tree::build(&c);
        // Covered: 100..120, 150..160, 195..200.
        assert_eq!(own_time(&c, &tree, 0), 100 - 20 - 10 - 5);
        assert_eq!(own_times(&c, &tree), [65, 20, 15, 10, 3, 50]);
        assert_eq!(own_time(&c, &tree, 77), 0);
    }

    #[test]
    fn times_at_the_ends_of_their_type() {
        let c = columns(&[
            (1, 0, i64::MIN, i64::MAX),
            (2, 1, -9, 5),
            (3, 1, i64::MAX - 5, i64::MAX),
        ]);
        let tree = Tree::build(&c);
        // The parent runs from the earliest moment there is to -1, the last child never in it.
        assert_eq!(own_times(&c, &tree), [i64::MAX - 5, 5, 5]);
    }

    proptest! {
        #[test]
        fn own_time_is_what_counting_each_ns_gives(spans in spans(25)) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            for row in 0..c.len() {
                let runs = |row: usize, at: i64| c.start_time[row] <= at && at < c.end_time(row);
                let alone = |at: &i64| !tree.children(row as u32).iter().any(|child| runs(*child as usize, *at));
                let counted = (c.start_time[row]..c.end_time(row)).filter(alone).count();
                prop_assert_eq!(own_time(&c, &tree, row as u32), counted as i64);
            }
        }
    }
}
