use crate::rows::{Rows, Step};
use crate::testing::{columns, spans};
use meshscope_analysis::Tree;
use meshscope_model::SpanColumns;
use meshscope_model::columns::flag;
use proptest::prelude::*;

/// 0 root > six calls (1 to 6), the third of which (3) > 7; then a chain of one, 8.
fn example() -> (SpanColumns, Tree, Rows) {
    let mut c = columns(&[
        (1, 0, 0, 100),
        (2, 1, 1, 5),
        (3, 1, 11, 5),
        (4, 1, 21, 5),
        (5, 1, 31, 5),
        (6, 1, 41, 5),
        (7, 1, 51, 5),
        (8, 4, 22, 1),
        (9, 1, 60, 1),
    ]);
    c.operation[8] = 1;
    let tree = Tree::build(&c);
    let mut rows = Rows::new(&tree, &c, false);
    rows.set_grouping(&tree, &c, true);
    (c, tree, rows)
}

/// Span, depth; a group's line has its depth negative less one.
fn shape(rows: &Rows) -> Vec<(u32, i64)> {
    let depth = |depth: u32, group: bool| match group {
        true => -i64::from(depth) - 1,
        false => i64::from(depth),
    };
    let lines = rows.lines().iter();
    lines
        .map(|line| (line.span, depth(line.depth, line.group)))
        .collect()
}

#[test]
fn a_group_is_one_line_until_it_is_unfolded() {
    let (_, tree, mut rows) = example();
    let folded = [(0, 0), (1, -2), (8, 1)];
    assert_eq!(shape(&rows), folded);
    assert_eq!(
        rows.group_at(&tree, 1).map(meshscope_analysis::Group::members),
        Some(6)
    );
    assert_eq!(
        (rows.line_of(&tree, 1), rows.nearest_line(&tree, 7)),
        (None, Some(1))
    );
    rows.toggle_group(&tree, 1);
    let unfolded = [
        (0, 0),
        (1, -2),
        (1, 2),
        (2, 2),
        (3, 2),
        (7, 3),
        (4, 2),
        (5, 2),
        (6, 2),
        (8, 1),
    ];
    assert_eq!(shape(&rows), unfolded);
    assert_eq!(
        (rows.line_of(&tree, 1), rows.group_line(&tree, 1)),
        (Some(2), Some(1))
    );
    rows.set_collapsed(&tree, 3, true);
    assert_eq!(rows.nearest_line(&tree, 7), rows.line_of(&tree, 3));
    rows.toggle_group(&tree, 1);
    assert_eq!(shape(&rows), folded);
    rows.toggle_group(&tree, 2);
    assert_eq!(shape(&rows), folded, "no group starts there");
}

#[test]
fn what_is_revealed_unfolds_its_group() {
    let (_, tree, mut rows) = example();
    assert_eq!(rows.reveal(&tree, 7), Some(5));
    rows.set_all_unfolded(&tree, false);
    assert_eq!(rows.reveal(&tree, 1), Some(2), "the first member too");
    rows.expand_all(&tree);
    assert_eq!(rows.expand_path(&tree, 7), Some(5));
    rows.collapse_all(&tree);
    assert_eq!(shape(&rows), [(0, 0)]);
    rows.set_collapsed(&tree, 0, false);
    assert_eq!(shape(&rows), [(0, 0), (1, -2), (8, 1)]);
    rows.expand_to(&tree, 2);
    assert_eq!(rows.len(), 9, "all but the call within the third");
}

#[test]
fn the_keyboard_goes_into_a_group_and_out() {
    let (_, tree, mut rows) = example();
    let go = |rows: &Rows, line, step| rows.step(&tree, line, step);
    assert_eq!(go(&rows, 1, Step::FirstChild), None);
    assert_eq!(go(&rows, 1, Step::NextSibling), Some(2));
    assert_eq!(go(&rows, 2, Step::PreviousSibling), Some(1));
    rows.toggle_group(&tree, 1);
    assert_eq!(go(&rows, 1, Step::FirstChild), Some(2));
    assert_eq!(go(&rows, 2, Step::Parent), Some(1));
    assert_eq!(go(&rows, 5, Step::Parent), Some(4), "a member's child");
    assert_eq!(go(&rows, 8, Step::Parent), Some(1));
    assert_eq!(go(&rows, 1, Step::Parent), Some(0));
    assert_eq!(
        (
            go(&rows, 8, Step::NextSibling),
            go(&rows, 2, Step::PreviousSibling)
        ),
        (None, None)
    );
    assert_eq!(
        (
            go(&rows, 1, Step::NextSibling),
            go(&rows, 9, Step::PreviousSibling)
        ),
        (Some(9), Some(1))
    );
}

#[test]
fn what_is_unfolded_outlives_new_columns() {
    let (c, tree, mut rows) = example();
    rows.toggle_group(&tree, 1);
    let ids = rows.unfolded_ids(&c);
    // A span that starts earlier moves all rows by one.
    let mut all = vec![(77, 0, -5, 200)];
    all.extend((0..c.len()).map(|row| (c.span_id[row], c.parent_span_id[row], c.start_time[row], 5)));
    let mut newer = columns(&all);
    newer.operation[9] = 1;
    let newer_tree = Tree::build(&newer);
    let mut rows = Rows::new(&newer_tree, &newer, false);
    rows.set_grouping(&newer_tree, &newer, true);
    rows.restore_unfolded(&newer_tree, &newer, &ids);
    assert!(rows.is_unfolded(2));
    assert_eq!(rows.len(), 11);
}

#[derive(Debug, Clone)]
enum Act {
    Collapse(u32, bool),
    Unfold(u32, bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = (any::<bool>(), 0..60_u32, any::<bool>()).prop_map(|(group, span, on)| match group {
        true => Act::Unfold(span, on),
        false => Act::Collapse(span, on),
    });
    prop::collection::vec(one, 0..40)
}

/// Few parents, so that many siblings repeat; some noise.
fn bushes() -> impl Strategy<Value = SpanColumns> {
    let parents = prop::collection::vec((0..60_u64, 0..2_u8, 0..8_u8), 60);
    (spans(60), parents).prop_map(|(mut spans, parents)| {
        for (span, (parent, _, _)) in spans.iter_mut().zip(&parents) {
            span.1 = parent * parent / 300;
        }
        let mut c = columns(&spans);
        for (row, (_, operation, noise)) in parents.into_iter().take(c.len()).enumerate() {
            c.operation[row] = operation;
            c.flags[row] = if noise == 0 { flag::NOISE } else { 0 };
        }
        c
    })
}

proptest! {
    #[test]
    fn every_act_leaves_what_a_rebuild_gives(c in bushes(), hide: bool, acts in acts()) {
        let tree = Tree::build(&c);
        let mut rows = Rows::new(&tree, &c, hide);
        rows.set_grouping(&tree, &c, true);
        for act in acts {
            match act {
                Act::Collapse(span, on) => rows.set_collapsed(&tree, span, on),
                Act::Unfold(span, on) => rows.set_unfolded(&tree, span, on),
            }
            let mut fresh = rows.clone();
            fresh.rebuild(&tree);
            prop_assert_eq!(&rows, &fresh);
            for (number, line) in rows.lines().iter().enumerate() {
                let found = if line.group { rows.group_line(&tree, line.span) } else { rows.line_of(&tree, line.span) };
                prop_assert_eq!(found, Some(number));
                // The parent is the nearest line above that is less deep, the siblings likewise.
                let above = (0..number).rev().find(|above| rows.lines()[*above].depth < line.depth);
                prop_assert_eq!(rows.step(&tree, number, Step::Parent), above);
                let next = (number + 1..rows.len()).find(|next| rows.lines()[*next].depth <= line.depth);
                let next = next.filter(|next| rows.lines()[*next].depth == line.depth);
                prop_assert_eq!(rows.step(&tree, number, Step::NextSibling), next);
                if let Some(next) = next {
                    prop_assert_eq!(rows.step(&tree, next, Step::PreviousSibling), Some(number));
                }
            }
        }
        // Whatever was folded, revealing a span shows it.
        for span in 0..c.len() as u32 {
            let shown = rows.clone().reveal(&tree, span).is_some();
            let noise = hide && c.flags[span as usize] == flag::NOISE && rows.hidden() > 0;
            prop_assert_eq!(shown, !noise);
            prop_assert!(rows.nearest_line(&tree, span).is_some() || tree.ancestors(span).count() == 0 || noise);
        }
        rows.expand_all(&tree);
        let spans = rows.lines().iter().filter(|line| !line.group).count();
        prop_assert_eq!(spans + rows.hidden(), c.len());
    }

    #[test]
    fn unfold_then_fold_gives_the_same_lines(c in bushes(), hide: bool, acts in acts(), first in 0..60_u32) {
        let tree = Tree::build(&c);
        let mut rows = Rows::new(&tree, &c, hide);
        rows.set_grouping(&tree, &c, true);
        for act in acts {
            match act {
                Act::Collapse(span, on) => rows.set_collapsed(&tree, span, on),
                Act::Unfold(span, on) => rows.set_unfolded(&tree, span, on),
            }
        }
        let before = shape(&rows);
        rows.toggle_group(&tree, first);
        rows.toggle_group(&tree, first);
        prop_assert_eq!(shape(&rows), before);
    }

    #[test]
    fn groups_undone_are_as_if_they_had_never_been(c in bushes(), hide: bool) {
        let tree = Tree::build(&c);
        let plain = Rows::new(&tree, &c, hide);
        let mut rows = plain.clone();
        rows.set_grouping(&tree, &c, true);
        rows.set_grouping(&tree, &c, false);
        prop_assert_eq!(&rows, &plain);
        rows.set_grouping(&tree, &c, true);
        rows.set_all_unfolded(&tree, true);
        let spans: Vec<u32> = rows.lines().iter().filter(|line| !line.group).map(|line| line.span).collect();
        prop_assert_eq!(spans, plain.lines().iter().map(|line| line.span).collect::<Vec<_>>());
    }
}
