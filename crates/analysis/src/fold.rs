//! Folding: siblings that repeat, and the rounds of an agent's loop, told as one group.
//!
//! Siblings are of one kind when name, service and operation are the same; what is below them
//! may differ. In a loop it is enough that they play the same role: a model is called, then some
//! tool, then a model again.

use crate::quantile::nearest_rank;
use crate::totals::Totals;
use crate::tree::{NONE, Tree};
use meshscope_model::SpanColumns;
use meshscope_model::columns::flag;

/// So many siblings of one kind in a row make a group.
pub const REPEATS: usize = 5;
/// So many rounds make a loop.
pub const ROUNDS: usize = 3;
/// So many siblings a round has at most.
pub const LONGEST_ROUND: usize = 4;

/// Siblings that are told as one, in the tree's order one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The first of them, a row number: what the group is known by.
    pub first: u32,
    /// How many siblings make a round: 1 where all are of one kind, 2 to [`LONGEST_ROUND`] in a loop.
    pub period: u32,
    /// Place of the first member in [`Tree::order`].
    pub from: u32,
    /// The place behind the last member and all that is below it.
    pub to: u32,
    /// First start of a member, ns since the epoch.
    pub start: i64,
    /// Last end of a member, ns since the epoch.
    pub end: i64,
    /// Since when a member runs that has not ended, ns since the epoch.
    pub running_from: Option<i64>,
    /// How long all rounds took together, ns. A round of several goes from its first start to
    /// its last end. Rounds that have not ended are in none of the three figures.
    pub sum: i64,
    /// Median of the rounds' durations by nearest rank, ns.
    pub p50: Option<i64>,
    /// 95th percentile of them.
    pub p95: Option<i64>,
    /// Sums over the members and all that is below them.
    pub totals: Totals,
    /// Its members, a part of the folding's.
    members: (u32, u32),
    /// The group it lies in, a number of [`Folding::groups`], or [`NONE`].
    outer: u32,
}

impl Group {
    /// How many siblings it has.
    #[must_use]
    pub fn members(&self) -> u32 {
        self.members.1 - self.members.0
    }

    /// How many rounds: as many as members where all are of one kind.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.members() / self.period.max(1)
    }

    /// True when several siblings make a round.
    #[must_use]
    pub fn is_loop(&self) -> bool {
        self.period > 1
    }

    /// True when the row at `place` of the tree's order is a member or below one.
    #[must_use]
    pub fn holds(&self, place: u32) -> bool {
        self.from <= place && place < self.to
    }
}

/// All groups of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folding {
    groups: Vec<Group>,
    members: Vec<u32>,
    /// For each member the latest end of it and of the members of its group before it.
    latest: Vec<i64>,
}

impl Folding {
    /// Finds the groups among the spans that are `shown`; the children of others count as
    /// children of their nearest ancestor that is. Takes time by the number of spans.
    #[must_use]
    pub fn build(columns: &SpanColumns, tree: &Tree, shown: &dyn Fn(u32) -> bool) -> Self {
        let mut folding = Self::default();
        // Children met so far of all spans that we are in, those of the innermost at the end.
        let mut siblings: Vec<u32> = Vec::new();
        let mut parents = vec![(tree.len(), 0)];
        for (place, row) in tree.order().iter().enumerate() {
            while let Some((_, first)) = parents.pop_if(|(end, _)| *end <= place) {
                folding.find(columns, tree, siblings.get(first..).unwrap_or_default());
                siblings.truncate(first);
            }
            if shown(*row) {
                siblings.push(*row);
                let size = tree.size(*row) as usize;
                if size > 1 {
                    parents.push((place + size, siblings.len()));
                }
            }
        }
        while let Some((_, first)) = parents.pop() {
            folding.find(columns, tree, siblings.get(first..).unwrap_or_default());
            siblings.truncate(first);
        }
        folding.groups.sort_unstable_by_key(|group| group.from);
        folding.add_totals(columns, tree);
        folding
    }

    /// Adds the groups among the children of a span.
    fn find(&mut self, columns: &SpanColumns, tree: &Tree, siblings: &[u32]) {
        const FEWEST: usize = if REPEATS < 2 * ROUNDS { REPEATS } else { 2 * ROUNDS };
        if siblings.len() < FEWEST {
            return;
        }
        let kinds: Vec<Kind> = siblings.iter().map(|row| kind(columns, *row)).collect();
        let mut at = 0;
        while let Some(rest) = kinds.get(at..).filter(|rest| rest.len() >= FEWEST) {
            at += match repetition(rest) {
                Some((period, members)) => {
                    let rows = siblings.get(at..at + members).unwrap_or_default();
                    self.add(columns, tree, period, rows);
                    members
                }
                None => 1,
            };
        }
    }

    fn add(&mut self, columns: &SpanColumns, tree: &Tree, period: usize, rows: &[u32]) {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return;
        };
        let start_of = |row: u32| columns.start_time.get(row as usize).copied().unwrap_or(0);
        let runs = |row: &u32| columns.has_flag(*row as usize, flag::IN_PROGRESS);
        let members_from = self.members.len() as u32;
        // Children of spans that are not shown may start before siblings that stand above them.
        let mut by_start = rows.to_vec();
        by_start.sort_by_key(|row| start_of(*row));
        let mut latest = i64::MIN;
        for row in &by_start {
            latest = latest.max(columns.end_time(*row as usize));
            self.members.push(*row);
            self.latest.push(latest);
        }
        let ended = rows.chunks(period).filter(|round| !round.iter().any(runs));
        let mut durations: Vec<i64> = ended
            .filter_map(|round| {
                let end = round.iter().map(|row| columns.end_time(*row as usize)).max()?;
                Some(end.saturating_sub(start_of(*round.first()?)))
            })
            .collect();
        self.groups.push(Group {
            first: *first,
            period: period as u32,
            from: tree.position(*first),
            to: tree.position(*last) + tree.size(*last),
            start: by_start.first().map_or(0, |row| start_of(*row)),
            end: latest,
            running_from: by_start.iter().find(|row| runs(row)).map(|row| start_of(*row)),
            sum: durations
                .iter()
                .fold(0, |sum: i64, duration| sum.saturating_add(*duration)),
            p50: nearest_rank(&mut durations, 50),
            p95: nearest_rank(&mut durations, 95),
            totals: Totals::default(),
            members: (members_from, self.members.len() as u32),
            outer: NONE,
        });
    }

    /// Sums up each group, those that lie in it included, in one sweep.
    fn add_totals(&mut self, columns: &SpanColumns, tree: &Tree) {
        let mut open: Vec<u32> = Vec::new();
        let mut next = 0;
        for (place, row) in tree.order().iter().enumerate() {
            let place = place as u32;
            self.close(&mut open, place);
            if let Some(group) = self.groups.get_mut(next).filter(|group| group.from == place) {
                group.outer = open.last().copied().unwrap_or(NONE);
                open.push(next as u32);
                next += 1;
            }
            if let Some(group) = open.last().and_then(|group| self.groups.get_mut(*group as usize)) {
                group.totals.add(columns, *row as usize);
            }
        }
        self.close(&mut open, u32::MAX);
    }

    /// Adds what ends at `place` to what it lies in.
    fn close(&mut self, open: &mut Vec<u32>, place: u32) {
        while let Some(inner) = open.last().and_then(|group| self.groups.get(*group as usize)) {
            if inner.to > place {
                return;
            }
            let totals = inner.totals;
            open.pop();
            if let Some(outer) = open.last().and_then(|group| self.groups.get_mut(*group as usize)) {
                outer.totals.merge(&totals);
            }
        }
    }

    /// All groups, in the tree's order; one that lies in another comes behind it.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// True when nothing repeats.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Number of the first group that starts at `place` of the tree's order or behind it.
    #[must_use]
    pub fn next_from(&self, place: u32) -> usize {
        self.groups.partition_point(|group| group.from < place)
    }

    /// The group that starts with `row`.
    #[must_use]
    pub fn starting_with(&self, tree: &Tree, row: u32) -> Option<&Group> {
        let group = self.groups.get(self.next_from(tree.position(row)))?;
        (group.first == row).then_some(group)
    }

    /// The groups that hold `place` of the tree's order, innermost first.
    pub fn around(&self, place: u32) -> impl Iterator<Item = &Group> + '_ {
        let last = self.groups.partition_point(|group| group.from <= place);
        let last = last.checked_sub(1).and_then(|group| self.groups.get(group));
        let outwards = std::iter::successors(last, |group| self.groups.get(group.outer as usize));
        outwards.filter(move |group| group.holds(place))
    }

    /// The members of `group`, by start.
    #[must_use]
    pub fn members(&self, group: &Group) -> &[u32] {
        let (from, to) = group.members;
        self.members.get(from as usize..to as usize).unwrap_or_default()
    }

    /// For each member of `group` the latest end of it and of those before it, ns since the
    /// epoch: with the starts, this finds what part of a stretch they fill without a look at each.
    #[must_use]
    pub fn latest_ends(&self, group: &Group) -> &[i64] {
        let (from, to) = group.members;
        self.latest.get(from as usize..to as usize).unwrap_or_default()
    }
}

/// What makes siblings of one kind: name, service, operation.
type Kind = (u32, u32, u8);

fn kind(columns: &SpanColumns, row: u32) -> Kind {
    let at = row as usize;
    let text = |column: &[u32]| column.get(at).copied().unwrap_or(0);
    let operation = columns.operation.get(at).copied().unwrap_or(0);
    (text(&columns.name), text(&columns.service), operation)
}

/// What a sibling does in a loop: its operation whatever its name, where that is known.
fn role(kind: &Kind) -> Kind {
    match *kind {
        (name, service, 0) => (name, service, 0),
        (_, service, operation) => (NONE, service, operation),
    }
}

/// The round and the length of the repetition that siblings of these kinds start with, in
/// members. The shortest round goes before longer ones.
fn repetition(kinds: &[Kind]) -> Option<(usize, usize)> {
    (1..=LONGEST_ROUND).find_map(|period| {
        let rounds = if period == 1 { REPEATS } else { ROUNDS };
        if kinds.len() < rounds * period {
            return None;
        }
        let (round, later) = kinds.split_at(period);
        let of_several_roles = round
            .iter()
            .any(|kind| Some(role(kind)) != round.first().map(role));
        let same = |(later, earlier): &(&Kind, &Kind)| match of_several_roles {
            true => role(later) == role(earlier),
            false => later == earlier,
        };
        let found = 1 + later.iter().zip(kinds).take_while(same).count() / period;
        (found >= rounds).then_some((period, found * period))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestSpan, columns, spans, with_names};
    use proptest::prelude::*;

    /// A root and children of these names, one a letter, 10 ns each.
    fn children(names: &str) -> SpanColumns {
        let mut all: Vec<TestSpan> = vec![(1, 0, 0, 1_000)];
        let ids = 2..;
        all.extend(ids.zip(names.chars()).map(|(id, _)| (id, 1, id as i64 * 20, 10)));
        let mut texts = vec!["root".to_owned()];
        texts.extend(names.chars().map(String::from));
        with_names(columns(&all), &texts)
    }

    fn fold(c: &SpanColumns) -> (Tree, Folding) {
        let tree = Tree::build(c);
        let folding = Folding::build(c, &tree, &|_| true);
        (tree, folding)
    }

    /// First row, round, members.
    fn found(names: &str) -> Vec<(u32, u32, u32)> {
        let (_, folding) = fold(&children(names));
        let groups = folding.groups().iter();
        groups
            .map(|group| (group.first, group.period, group.members()))
            .collect()
    }

    #[test]
    fn siblings_of_one_kind() {
        assert_eq!(found("aaaa"), []);
        assert_eq!(found("baaaaac"), [(2, 1, 5)]);
        assert_eq!(found("aaaaabbbbbb"), [(1, 1, 5), (6, 1, 6)]);
    }

    #[test]
    fn loops_of_two_to_four() {
        assert_eq!(found("abab"), []);
        assert_eq!(found("xababaab"), []);
        assert_eq!(found("xabababy"), [(2, 2, 6)]);
        assert_eq!(
            found("abababa"),
            [(1, 2, 6)],
            "a round that was not finished stays outside"
        );
        assert_eq!(found("abcabcabc"), [(1, 3, 9)]);
        assert_eq!(found("abbbabbbabbb"), [(1, 4, 12)]);
        assert_eq!(found("abcdeabcdeabcde"), []);
    }

    #[test]
    fn a_loop_may_use_a_different_tool_each_round() {
        let mut c = children("mxmymz");
        c.operation = vec![0, 1, 5, 1, 5, 1, 5];
        let (_, folding) = fold(&c);
        assert_eq!((folding.groups()[0].period, folding.groups()[0].rounds()), (2, 3));
        c.operation = vec![0, 5, 5, 5, 5, 5, 5];
        assert!(fold(&c).1.is_empty(), "different tools one behind the other");
    }

    #[test]
    fn a_group_tells_what_is_in_it() {
        let mut c = columns(&[
            (1, 0, 0, 100),
            (2, 1, 0, 10),
            (3, 1, 20, 30),
            (4, 1, 30, 5),
            (5, 1, 60, 20),
            (6, 1, 80, 0),
            (7, 3, 21, 3),
        ]);
        c.cost[1] = 5;
        c.cost[6] = 7;
        c.flags[6] = flag::ERROR;
        c.flags[5] = flag::IN_PROGRESS;
        let (tree, folding) = fold(&c);
        let group = &folding.groups()[0];
        assert_eq!((group.first, group.from, group.to), (1, 1, 7));
        assert_eq!(
            (group.sum, group.p50, group.p95),
            (65, Some(10), Some(30)),
            "the last has not ended"
        );
        assert_eq!((group.start, group.end, group.running_from), (0, 80, Some(80)));
        assert_eq!(
            (group.totals.spans, group.totals.errors, group.totals.cost),
            (6, 1, Some(12))
        );
        assert_eq!(folding.members(group), [1, 2, 3, 4, 5]);
        assert_eq!(folding.latest_ends(group), [10, 50, 50, 80, 80]);
        assert_eq!(folding.starting_with(&tree, 1), Some(group));
        assert_eq!(folding.starting_with(&tree, 2), None);
    }

    #[test]
    fn a_round_lasts_from_its_first_start_to_its_last_end() {
        let (_, folding) = fold(&children("ababab"));
        let group = &folding.groups()[0];
        assert_eq!((group.sum, group.p50, group.p95), (90, Some(30), Some(30)));
    }

    #[test]
    fn what_is_not_shown_does_not_part_its_neighbours() {
        let c = children("aaxaaa");
        let tree = Tree::build(&c);
        let folding = Folding::build(&c, &tree, &|row| row != 3);
        assert_eq!(folding.members(&folding.groups()[0]), [1, 2, 4, 5, 6]);
        // Without their parent the children stand beside one another at the top.
        let folding = Folding::build(&c, &tree, &|row| row != 0 && row != 3);
        assert_eq!((folding.groups()[0].from, folding.groups()[0].members()), (1, 5));
    }

    #[test]
    fn a_hundred_thousand_children() {
        let (_, folding) = fold(&children(&"a".repeat(100_000)));
        assert_eq!(folding.groups()[0].members(), 100_000);
        let (_, folding) = fold(&children(&"abcde".repeat(20_000)));
        assert!(folding.is_empty());
    }

    proptest! {
        #[test]
        fn groups_are_whole_siblings_and_add_up(spans in spans(60), kinds in prop::collection::vec(0..2_u8, 60), hidden: u64) {
            let mut c = columns(&spans);
            for (row, (operation, kind)) in c.operation.iter_mut().zip(kinds).enumerate() {
                *operation = kind;
                c.cost[row] = 1 << (row % 50);
            }
            let tree = Tree::build(&c);
            let shown = |row: u32| hidden >> (row % 64) & 1 == 1 || row.is_multiple_of(3);
            let folding = Folding::build(&c, &tree, &shown);
            let parent = |row: u32| tree.ancestors(row).find(|ancestor| shown(*ancestor));
            for (number, group) in folding.groups().iter().enumerate() {
                let members = folding.members(group);
                prop_assert!(members.iter().all(|row| shown(*row) && parent(*row) == parent(group.first)));
                let between = tree.order()[group.from as usize..group.to as usize].iter();
                let siblings: Vec<u32> = between.copied().filter(|row| shown(*row) && parent(*row) == parent(group.first)).collect();
                let mut sorted = siblings.clone();
                sorted.sort_by_key(|row| c.start_time[*row as usize]);
                prop_assert_eq!(members, sorted);
                let rows = tree.order()[group.from as usize..group.to as usize].iter().copied();
                prop_assert_eq!(group.totals, Totals::of(&c, rows));
                prop_assert!(members.len() >= REPEATS.min(ROUNDS * 2));
                let around: Vec<u32> = folding.around(group.from).map(|group| group.first).collect();
                let holding = folding.groups()[..=number].iter().rev().filter(|outer| outer.holds(group.from));
                prop_assert_eq!(around, holding.map(|group| group.first).collect::<Vec<_>>());
            }
            // Each span belongs to one group at most, and groups lie in one another or apart.
            let mut members: Vec<u32> = folding.groups().iter().flat_map(|group| folding.members(group)).copied().collect();
            let all = members.len();
            members.sort_unstable();
            members.dedup();
            prop_assert_eq!(members.len(), all);
        }
    }
}
