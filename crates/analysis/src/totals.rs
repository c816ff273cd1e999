//! Sums over spans: what a subtree used, and what stands at the head of a trace.
//!
//! A row's figures are those of the ledger: each call's tokens and cost stand on one row and
//! nowhere else, so that adding rows never counts a call twice.

use crate::tree::Tree;
use meshscope_model::SpanColumns;
use meshscope_model::columns::{ABSENT, flag};
use meshscope_model::usage::plus;
use std::collections::BTreeSet;

/// What some spans used and how they fared. An absent sum means that no row has a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many spans.
    pub spans: u32,
    /// How many failed; blocked ones are not counted here.
    pub errors: u32,
    /// How many were blocked.
    pub blocked: u32,
    /// How many have not ended.
    pub in_progress: u32,
    /// Rows with usage, as the ledger has them: a call that says nothing of what it used is not
    /// among them.
    pub calls: u32,
    /// Of those, how many have no known cost; when not 0 `cost` is a lower bound.
    pub unpriced_calls: u32,
    /// Input tokens, cached ones included.
    pub input_tokens: Option<i64>,
    /// Output tokens.
    pub output_tokens: Option<i64>,
    /// All tokens.
    pub total_tokens: Option<i64>,
    /// Cost in pico-dollars.
    pub cost: Option<i64>,
}

impl Totals {
    /// Sums over `rows`; rows out of range are passed over.
    #[must_use]
    pub fn of(columns: &SpanColumns, rows: impl IntoIterator<Item = u32>) -> Self {
        let mut totals = Self::default();
        let in_range = rows.into_iter().map(|row| row as usize);
        for row in in_range.filter(|row| *row < columns.len()) {
            totals.add(columns, row);
        }
        totals
    }

    /// Sums over `row` and all below it.
    #[must_use]
    pub fn of_subtree(columns: &SpanColumns, tree: &Tree, row: u32) -> Self {
        Self::of(columns, tree.subtree(row).iter().copied())
    }

    /// Adds the sums of other spans.
    pub fn merge(&mut self, other: &Self) {
        self.spans += other.spans;
        self.errors += other.errors;
        self.blocked += other.blocked;
        self.in_progress += other.in_progress;
        self.calls += other.calls;
        self.unpriced_calls += other.unpriced_calls;
        self.input_tokens = plus(self.input_tokens, other.input_tokens);
        self.output_tokens = plus(self.output_tokens, other.output_tokens);
        self.total_tokens = plus(self.total_tokens, other.total_tokens);
        self.cost = plus(self.cost, other.cost);
    }

    /// Adds a row, which must be in range.
    pub(crate) fn add(&mut self, columns: &SpanColumns, row: usize) {
        let figure = |column: &[i64]| column.get(row).copied().filter(|n| *n != ABSENT);
        let blocked = columns.has_flag(row, flag::BLOCKED);
        let cost = figure(&columns.cost);
        let tokens = [
            &columns.input_tokens,
            &columns.output_tokens,
            &columns.total_tokens,
        ];
        let [input, output, total] = tokens.map(|column| figure(column));
        let call = [input, output, total, cost].iter().any(Option::is_some);
        self.spans += 1;
        self.blocked += u32::from(blocked);
        self.errors += u32::from(!blocked && columns.has_flag(row, flag::ERROR));
        self.in_progress += u32::from(columns.has_flag(row, flag::IN_PROGRESS));
        self.calls += u32::from(call);
        self.unpriced_calls += u32::from(call && cost.is_none());
        self.input_tokens = plus(self.input_tokens, input);
        self.output_tokens = plus(self.output_tokens, output);
        self.total_tokens = plus(self.total_tokens, total);
        self.cost = plus(self.cost, cost);
    }
}

/// What stands at the head of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceFacts {
    /// First moment, ns since the epoch; 0 for a trace without spans.
    pub start_time: i64,
    /// Last moment, ns since the epoch.
    pub end_time: i64,
    /// Sums over all spans.
    pub totals: Totals,
    /// How long after the start the first token of any call came, ns.
    pub first_token: Option<i64>,
    /// Who acted, alphabetical.
    pub agents: Vec<String>,
    /// Services, alphabetical.
    pub services: Vec<String>,
    /// Models called, alphabetical.
    pub models: Vec<String>,
    /// Tools used, alphabetical.
    pub tools: Vec<String>,
}

impl TraceFacts {
    /// The facts of a trace.
    #[must_use]
    pub fn of(columns: &SpanColumns) -> Self {
        let rows = 0..columns.len();
        let start_time = columns.start_time.iter().copied().min().unwrap_or(0);
        let first_tokens = columns.start_time.iter().zip(&columns.time_to_first_token);
        Self {
            start_time,
            end_time: rows.map(|row| columns.end_time(row)).max().unwrap_or(0),
            totals: Totals::of(columns, 0..columns.len() as u32),
            first_token: first_tokens
                .filter(|(_, after)| **after != ABSENT)
                .map(|(start, after)| start.saturating_add(*after).saturating_sub(start_time))
                .min(),
            agents: names(columns, &columns.agent),
            services: names(columns, &columns.service),
            models: names(columns, &columns.model),
            tools: names(columns, &columns.tool),
        }
    }

    /// Last moment less first, ns.
    #[must_use]
    pub fn duration(&self) -> i64 {
        self.end_time.saturating_sub(self.start_time)
    }
}

/// Sums of `column` (one of the optional columns, [`ABSENT`] where there is no figure) over each
/// row and all below it.
#[must_use]
pub fn subtree_sums(tree: &Tree, column: &[i64]) -> Vec<i64> {
    let figure = |n: i64| Some(n).filter(|n| *n != ABSENT);
    let mut sums: Vec<i64> = column.to_vec();
    sums.resize(tree.len(), ABSENT);
    // Backwards every child comes before its parent.
    for row in tree.order().iter().rev() {
        if let Some(parent) = tree.parent(*row) {
            let sum = plus(figure(sums[parent as usize]), figure(sums[*row as usize]));
            sums[parent as usize] = sum.unwrap_or(ABSENT);
        }
    }
    sums
}

/// Bits of [`flag`] that any span *below* each row has, the row itself left out: what a folded
/// line hides.
#[must_use]
pub fn subtree_flags(tree: &Tree, flags: &[u8]) -> Vec<u8> {
    let mut below = vec![0; tree.len()];
    for row in tree.order().iter().rev() {
        if let Some(parent) = tree.parent(*row) {
            below[parent as usize] |= below[*row as usize] | flags.get(*row as usize).copied().unwrap_or(0);
        }
    }
    below
}

/// The different texts of an interned column, without the empty one.
fn names(columns: &SpanColumns, column: &[u32]) -> Vec<String> {
    let indexes: BTreeSet<u32> = column.iter().copied().collect();
    let mut names: Vec<String> = indexes
        .iter()
        .map(|index| columns.string(*index).to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans};
    use meshscope_model::columns::{ColumnsBuilder, SpanRow};
    use meshscope_model::{Operation, SpanId, TraceId};
    use proptest::prelude::*;

    /// A workflow with a failed call without usage, two calls of which one has no price, and a
    /// blocked tool.
    fn trip() -> SpanColumns {
        let mut builder = ColumnsBuilder::new(TraceId::from_u128(1));
        let row = |id: u64, parent: u64, start: i64, agent: &'static str| SpanRow {
            span_id: SpanId::from_u64(id),
            parent_span_id: (parent != 0).then(|| SpanId::from_u64(parent)),
            start_time: start,
            duration: 10,
            service: "trips",
            agent,
            ..SpanRow::default()
        };
        let call = |row: SpanRow<'static>, tokens: Option<(i64, i64)>, cost| SpanRow {
            operation: Operation::Chat,
            model: "gpt-4o",
            input_tokens: tokens.map(|(input, _)| input),
            output_tokens: tokens.map(|(_, output)| output),
            total_tokens: tokens.map(|(input, output)| input + output),
            cost,
            ..row
        };
        builder.push(&row(1, 0, 100, "planner"));
        builder.push(&SpanRow {
            time_to_first_token: Some(7),
            ..call(row(2, 1, 101, "writer"), Some((123, 45)), Some(500))
        });
        builder.push(&SpanRow {
            time_to_first_token: Some(2),
            ..call(row(3, 1, 120, "planner"), Some((10, 1)), None)
        });
        builder.push(&SpanRow {
            flags: flag::ERROR,
            ..call(row(4, 3, 121, ""), None, None)
        });
        builder.push(&SpanRow {
            flags: flag::ERROR | flag::BLOCKED,
            tool: "search",
            ..row(5, 3, 125, "")
        });
        builder.finish()
    }

    #[test]
    fn a_subtree_is_the_sum_of_its_rows() {
        let c = trip();
        let tree = Tree::build(&c);
        let all = Totals::of_subtree(&c, &tree, 0);
        assert_eq!((all.spans, all.errors, all.blocked), (5, 1, 1));
        // The failed call says nothing of what it used: the ledger has no row of it.
        assert_eq!((all.calls, all.unpriced_calls), (2, 1));
        assert_eq!(
            (all.input_tokens, all.total_tokens, all.cost),
            (Some(133), Some(179), Some(500))
        );
        let third = Totals::of_subtree(&c, &tree, 2);
        assert_eq!((third.total_tokens, third.cost), (Some(11), None));
        assert_eq!(Totals::of_subtree(&c, &tree, 4).total_tokens, None);
        let trouble = flag::ERROR | flag::BLOCKED;
        assert_eq!(subtree_flags(&tree, &c.flags), [trouble, 0, trouble, 0, 0]);
        assert_eq!(
            subtree_sums(&tree, &c.total_tokens),
            [179, 168, 11, ABSENT, ABSENT]
        );
    }

    #[test]
    fn the_head_of_a_trace() {
        let facts = TraceFacts::of(&trip());
        assert_eq!((facts.start_time, facts.duration()), (100, 35));
        assert_eq!(facts.first_token, Some(8));
        assert_eq!(facts.agents, ["planner", "writer"]);
        assert_eq!(
            (facts.models, facts.tools),
            (vec!["gpt-4o".to_owned()], vec!["search".to_owned()])
        );
        assert_eq!(TraceFacts::of(&SpanColumns::default()), TraceFacts::default());
    }

    proptest! {
        #[test]
        fn sums_of_all_subtrees_agree_with_each(spans in spans(30), figures in prop::collection::vec(prop::option::of(0..9_i64), 30)) {
            let mut c = columns(&spans);
            for (cost, figure) in c.cost.iter_mut().zip(figures) {
                *cost = figure.unwrap_or(ABSENT);
            }
            let tree = Tree::build(&c);
            for (row, sum) in subtree_sums(&tree, &c.cost).iter().enumerate() {
                let totals = Totals::of_subtree(&c, &tree, row as u32);
                prop_assert_eq!(totals.cost.unwrap_or(ABSENT), *sum);
            }
        }
    }
}
