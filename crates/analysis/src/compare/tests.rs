use super::*;
use crate::testing::{TestSpan, columns, spans, with_names};
use proptest::prelude::*;

const MS: i64 = MILLISECOND;

/// Spans with a name each.
fn trace(spans: &[(TestSpan, &str)]) -> (SpanColumns, Tree) {
    let c = columns(&spans.iter().map(|(span, _)| *span).collect::<Vec<_>>());
    let names: Vec<String> = spans.iter().map(|(_, name)| (*name).to_owned()).collect();
    let c = with_names(c, &names);
    let tree = Tree::build(&c);
    (c, tree)
}

fn compare(left: &(SpanColumns, Tree), right: &(SpanColumns, Tree)) -> Comparison {
    compare_with(left, right, &|_| None, &|_| None)
}

fn compare_with(
    left: &(SpanColumns, Tree),
    right: &(SpanColumns, Tree),
    left_answer: &dyn Fn(u32) -> Option<u64>,
    right_answer: &dyn Fn(u32) -> Option<u64>,
) -> Comparison {
    let left = Side {
        columns: &left.0,
        tree: &left.1,
        answer: left_answer,
    };
    let right = Side {
        columns: &right.0,
        tree: &right.1,
        answer: right_answer,
    };
    Comparison::of(left, right, Tolerance::default())
}

/// Left row, right row, depth, changes.
fn found(comparison: &Comparison) -> Vec<(Option<u32>, Option<u32>, u32, u16)> {
    let pairs = comparison.pairs.iter();
    pairs
        .map(|pair| (pair.left, pair.right, pair.depth, pair.changes))
        .collect()
}

#[test]
fn what_came_what_went_and_what_changed() {
    let mut left = trace(&[
        ((1, 0, 0, 1_000 * MS), "run 1"),
        ((2, 1, 0, 100 * MS), "chat"),
        ((3, 1, 200 * MS, 100 * MS), "search"),
        ((4, 3, 210 * MS, 5 * MS), "fetch"),
        ((5, 1, 400 * MS, 100 * MS), "chat"),
    ]);
    left.0.cost = vec![ABSENT, 10, ABSENT, ABSENT, 10];
    let mut right = trace(&[
        ((1, 0, 0, 1_050 * MS), "run 2"),
        ((2, 1, 0, 150 * MS), "chat"),
        ((3, 1, 200 * MS, 100 * MS), "weather"),
        ((4, 1, 400 * MS, 100 * MS), "chat"),
        ((5, 1, 600 * MS, 100 * MS), "chat"),
    ]);
    right.0.cost = vec![ABSENT, 10, ABSENT, ABSENT, 30];
    right.0.flags[4] = flag::ERROR;
    let answers = |row: u32| Some(u64::from(row == 1));
    let comparison = compare_with(&left, &right, &|_| Some(0), &answers);
    use change::{ADDED, ANSWER, BROKE, COSTLIER, REMOVED, SLOWER};
    assert_eq!(
        found(&comparison),
        [
            (Some(0), Some(0), 0, COSTLIER),
            (Some(1), Some(1), 1, SLOWER | ANSWER),
            (Some(2), None, 1, REMOVED),
            (Some(3), None, 2, REMOVED),
            (None, Some(2), 1, ADDED),
            (None, Some(3), 1, ADDED),
            (Some(4), Some(4), 1, COSTLIER | BROKE),
        ]
    );
    let run = comparison.pairs[0];
    assert_eq!(
        (run.duration, run.cost, run.tokens),
        (Some(50 * MS), Some(20), None)
    );
    assert_eq!((comparison.count(ADDED), comparison.count(REMOVED)), (2, 2));
    assert!(!comparison.is_same());
}

#[test]
fn siblings_that_are_wholly_the_same_go_together_first() {
    // The second of two calls is the one that was kept.
    let left = trace(&[
        ((1, 0, 0, 100), "run"),
        ((2, 1, 0, 10), "call"),
        ((3, 2, 0, 1), "a"),
        ((4, 1, 20, 10), "call"),
        ((5, 4, 20, 1), "b"),
        ((6, 5, 20, 1), "c"),
    ]);
    let right = trace(&[
        ((1, 0, 0, 100), "run"),
        ((2, 1, 20, 10), "call"),
        ((3, 2, 20, 1), "b"),
        ((4, 3, 20, 1), "c"),
    ]);
    let pairs = found(&compare(&left, &right));
    assert!(
        pairs.contains(&(Some(3), Some(1), 1, 0)) && pairs.contains(&(Some(1), None, 1, change::REMOVED))
    );
}

#[test]
fn small_differences_do_not_count() {
    let one = |length| trace(&[((1, 0, 0, length), "run")]);
    let changes = |left, right| compare(&one(left), &one(right)).pairs[0].changes;
    assert_eq!(changes(100 * MS, 109 * MS), 0);
    assert_eq!(changes(100 * MS, 110 * MS), change::SLOWER);
    assert_eq!(changes(110 * MS, 100 * MS), change::FASTER);
    assert_eq!(changes(0, MS - 1), 0);
    assert_eq!(changes(0, MS), change::SLOWER);
    let empty = trace(&[]);
    assert!(compare(&empty, &empty).is_same());
    assert_eq!(
        found(&compare(&empty, &one(1))),
        [(None, Some(0), 0, change::ADDED)]
    );
}

#[test]
fn a_hundred_thousand_children_that_differ() {
    let wide = |skip: u64| {
        let mut all = vec![((1, 0, 0, 1_000_000), "root")];
        let names = ["a", "b", "c"];
        let ids = (2..100_000_u64).filter(|id| id % skip != 0);
        all.extend(ids.map(|id| ((id, 1, id as i64, 1), names[id as usize % 3])));
        trace(&all)
    };
    let comparison = compare(&wide(10_007), &wide(20_011));
    let matched = comparison.pairs.iter().filter(|pair| pair.changes == 0).count();
    assert!(matched > 95_000, "{matched}");
}

/// Changes as seen from the other side.
fn mirrored(changes: u16) -> u16 {
    use change::{ADDED, ANSWER, BROKE, CHEAPER, COSTLIER, FASTER, MENDED, REMOVED, SLOWER};
    let pairs = [
        (ADDED, REMOVED),
        (REMOVED, ADDED),
        (SLOWER, FASTER),
        (FASTER, SLOWER),
        (COSTLIER, CHEAPER),
        (CHEAPER, COSTLIER),
        (BROKE, MENDED),
        (MENDED, BROKE),
        (ANSWER, ANSWER),
    ];
    let met = pairs.iter().filter(|(from, _)| changes & from != 0);
    met.fold(0, |turned, (_, to)| turned | to)
}

fn traces() -> impl Strategy<Value = (SpanColumns, Tree)> {
    let more = prop::collection::vec((0..3_usize, prop::option::of(0..9_i64), 0..2_u8), 30);
    (spans(30), more).prop_map(|(spans, more)| {
        let scaled: Vec<TestSpan> = spans
            .into_iter()
            .map(|(id, parent, start, duration)| (id, parent, start * MS, duration * MS))
            .collect();
        let c = columns(&scaled);
        let names: Vec<String> = more
            .iter()
            .take(c.len())
            .map(|(name, _, _)| name.to_string())
            .collect();
        let mut c = with_names(c, &names);
        for (row, (_, cost, flags)) in more.into_iter().take(c.len()).enumerate() {
            c.cost[row] = cost.unwrap_or(ABSENT);
            c.flags[row] = flags;
        }
        let tree = Tree::build(&c);
        (c, tree)
    })
}

proptest! {
    #[test]
    fn a_trace_is_the_same_as_itself(trace in traces()) {
        let comparison = compare_with(&trace, &trace, &|row| Some(row.into()), &|row| Some(row.into()));
        prop_assert!(comparison.is_same());
        prop_assert_eq!(comparison.pairs.len(), trace.0.len());
        prop_assert!(comparison.pairs.iter().all(|pair| pair.left == pair.right));
        let order: Vec<u32> = comparison.pairs.iter().filter_map(|pair| pair.left).collect();
        prop_assert_eq!(order, trace.1.order());
    }

    #[test]
    fn sides_swapped_are_mirrored(left in traces(), right in traces()) {
        let (one, other) = (compare(&left, &right), compare(&right, &left));
        let mut turned: Vec<_> = other
            .pairs
            .iter()
            .map(|pair| (pair.right, pair.left, pair.depth, mirrored(pair.changes), pair.duration.map(|n| -n), pair.cost.map(|n| -n)))
            .collect();
        let mut there: Vec<_> = one
            .pairs
            .iter()
            .map(|pair| (pair.left, pair.right, pair.depth, pair.changes, pair.duration, pair.cost))
            .collect();
        turned.sort_unstable();
        there.sort_unstable();
        prop_assert_eq!(there, turned);
    }

    #[test]
    fn every_span_stands_once_and_with_its_parent(left in traces(), right in traces()) {
        let comparison = compare(&left, &right);
        let mut rows: Vec<u32> = comparison.pairs.iter().filter_map(|pair| pair.left).collect();
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..left.0.len() as u32).collect::<Vec<_>>());
        let mut rows: Vec<u32> = comparison.pairs.iter().filter_map(|pair| pair.right).collect();
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..right.0.len() as u32).collect::<Vec<_>>());
        for pair in &comparison.pairs {
            if let (Some(a), Some(b)) = (pair.left, pair.right) {
                let parents = (left.1.parent(a), right.1.parent(b));
                let together = parents == (None, None) || comparison.pairs.iter().any(|pair| (pair.left, pair.right) == parents);
                prop_assert!(together);
                let main = left.1.main_root() == Some(a) && right.1.main_root() == Some(b);
                prop_assert!(main || left.0.name(a as usize) == right.0.name(b as usize));
            }
        }
    }
}
