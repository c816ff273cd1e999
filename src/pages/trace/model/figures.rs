//! Columns of figures beside the waterfall: what a span and all below it used, and its time.

use super::super::load::Loaded;
use crate::pages::sessions::cost;
use meshscope_analysis::{Group, own_time, subtree_flags, subtree_sums};
use meshscope_layout::format;
use meshscope_model::columns::ABSENT;
use meshscope_model::{Operation, SpanColumns};
use std::collections::HashMap;

/// A column of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Tokens of the span and all below it, by the ledger.
    Tokens,
    /// Cost of the span and all below it, by the ledger.
    Cost,
    /// Time in which the span ran and none of its children did.
    Own,
    /// All of its time.
    Total,
}

impl Figure {
    /// All of them, in the order in which they stand.
    pub(crate) const ALL: [Self; 4] = [Self::Tokens, Self::Cost, Self::Own, Self::Total];

    /// Its word in the URL and at the head of its column.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Cost => "cost",
            Self::Own => "self",
            Self::Total => "total",
        }
    }

    /// What it says, in full.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Tokens => "Tokens of the span and all below it",
            Self::Cost => "Cost of the span and all below it",
            Self::Own => "Self time: the span runs and none of its children does",
            Self::Total => "Total time of the span",
        }
    }

    /// Reads the URL's list.
    pub(crate) fn list(words: &str) -> Vec<Self> {
        let chosen = Self::ALL.into_iter();
        chosen
            .filter(|figure| words.split(',').any(|word| word == figure.word()))
            .collect()
    }
}

/// Sums over each span and all below it: made when a column asks for them.
#[derive(Debug)]
struct Sums {
    tokens: Vec<i64>,
    cost: Vec<i64>,
    /// Not 0 where a call of unknown cost lies below.
    unpriced: Vec<u8>,
}

/// The columns that are shown, with what they were made of.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    shown: Vec<Figure>,
    sums: Option<Sums>,
    own: HashMap<u32, i64>,
    /// Own and total time of groups, by their first members.
    of_groups: HashMap<u32, (i64, i64)>,
}

/// For each span 1 where it is a call whose cost is not known.
fn unpriced(columns: &SpanColumns) -> Vec<u8> {
    let is_call = |row: usize| {
        let operation = columns.operation.get(row).copied().unwrap_or(0);
        let tokens = columns.total_tokens.get(row).is_some_and(|n| *n != ABSENT);
        tokens || Operation::from_number(operation).is_model_call()
    };
    let costs = columns.cost.iter().enumerate();
    costs
        .map(|(row, cost)| u8::from(*cost == ABSENT && is_call(row)))
        .collect()
}

fn present(n: i64) -> Option<i64> {
    (n != ABSENT).then_some(n)
}

impl Figures {
    /// What a trace shows when nobody chose: tokens and cost where there are any.
    pub(super) fn of_interest(loaded: &Loaded) -> Vec<Figure> {
        let any = |column: &[i64]| column.iter().any(|n| *n != ABSENT);
        let mut found = Vec::new();
        if any(&loaded.columns.total_tokens) {
            found.push(Figure::Tokens);
        }
        if any(&loaded.columns.cost) {
            found.push(Figure::Cost);
        }
        found
    }

    pub(super) fn show(&mut self, figures: impl Iterator<Item = Figure>) {
        self.shown = figures.collect();
    }

    /// The columns that are shown.
    pub(crate) fn shown(&self) -> &[Figure] {
        &self.shown
    }

    /// Call when the columns changed.
    pub(super) fn forget(&mut self) {
        self.sums = None;
        self.own.clear();
        self.of_groups.clear();
    }

    fn sums(&mut self, loaded: &Loaded) -> &Sums {
        self.sums.get_or_insert_with(|| {
            let (columns, tree) = (&loaded.columns, &loaded.tree);
            let mut own = unpriced(columns);
            let below = subtree_flags(tree, &own);
            for (own, below) in own.iter_mut().zip(below) {
                *own |= below;
            }
            Sums {
                tokens: subtree_sums(tree, &columns.total_tokens),
                cost: subtree_sums(tree, &columns.cost),
                unpriced: own,
            }
        })
    }

    fn own(&mut self, loaded: &Loaded, span: u32) -> i64 {
        let known = self.own.entry(span);
        *known.or_insert_with(|| own_time(&loaded.columns, &loaded.tree, span))
    }

    /// What a column says of a span; empty where there is nothing to say.
    pub(crate) fn of_span(&mut self, loaded: &Loaded, span: u32, figure: Figure) -> String {
        let row = span as usize;
        match figure {
            Figure::Tokens => {
                let tokens = self.sums(loaded).tokens.get(row).copied();
                tokens.and_then(present).map_or_else(String::new, format::count)
            }
            Figure::Cost => {
                let sums = self.sums(loaded);
                let sum = sums.cost.get(row).copied().and_then(present);
                let unknown = sums.unpriced.get(row).is_some_and(|bits| *bits != 0);
                if sum.is_none() && !unknown {
                    return String::new();
                }
                cost(sum, unknown)
            }
            Figure::Own => format::duration(self.own(loaded, span)),
            Figure::Total => {
                let duration = loaded.columns.duration.get(row).copied().unwrap_or(0);
                format::duration(duration)
            }
        }
    }

    /// What a column says of a group: the sum over its members.
    pub(crate) fn of_group(
        &mut self,
        loaded: &Loaded,
        group: &Group,
        members: &[u32],
        figure: Figure,
    ) -> String {
        let totals = &group.totals;
        match figure {
            Figure::Tokens => totals.total_tokens.map_or_else(String::new, format::count),
            Figure::Cost if totals.calls == 0 && totals.cost.is_none() => String::new(),
            Figure::Cost => cost(totals.cost, totals.unpriced_calls > 0),
            Figure::Own => format::duration(self.times(loaded, group, members).0),
            Figure::Total => format::duration(self.times(loaded, group, members).1),
        }
    }

    fn times(&mut self, loaded: &Loaded, group: &Group, members: &[u32]) -> (i64, i64) {
        let known = self.of_groups.entry(group.first);
        *known.or_insert_with(|| {
            let sum =
                |of: &dyn Fn(u32) -> i64| members.iter().map(|row| of(*row)).fold(0, i64::saturating_add);
            let duration = |row: u32| loaded.columns.duration.get(row as usize).copied().unwrap_or(0);
            (
                sum(&|row| own_time(&loaded.columns, &loaded.tree, row)),
                sum(&duration),
            )
        })
    }
}
