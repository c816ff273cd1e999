//! Columns of figures beside the waterfall: what a span and all below it used, and its time.

use super::super::load::Loaded;
use crate::components::figures::cost;
use meshscope_analysis::{Group, own_time};
use meshscope_layout::format;
use meshscope_model::SpanColumns;
use meshscope_model::columns::ABSENT;
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

/// A figure that few spans have, for sums over stretches of the tree's order: one entry a figure.
#[derive(Debug, Default)]
struct Sparse {
    /// Places that have one, ascending.
    places: Vec<u32>,
    /// The sum up to and with each; what goes over the ends comes back in the difference.
    sums: Vec<i64>,
}

impl Sparse {
    fn new(loaded: &Loaded, of: &dyn Fn(usize) -> Option<i64>) -> Self {
        let mut sparse = Self::default();
        let mut sum = 0_i64;
        for (place, row) in (0..).zip(loaded.tree.order()) {
            if let Some(figure) = of(*row as usize) {
                sum = sum.wrapping_add(figure);
                sparse.places.push(place);
                sparse.sums.push(sum);
            }
        }
        sparse
    }

    /// The sum over `span` and all below it; `None` where none of them has a figure.
    fn below(&self, loaded: &Loaded, span: u32) -> Option<i64> {
        let from = loaded.tree.position(span);
        let to = from + loaded.tree.size(span);
        let before = |limit: u32| self.places.partition_point(|place| *place < limit);
        let sum = |count: usize| count.checked_sub(1).and_then(|last| self.sums.get(last)).copied();
        let (first, last) = (before(from), before(to));
        (first < last).then(|| sum(last).unwrap_or(0).wrapping_sub(sum(first).unwrap_or(0)))
    }
}

/// What the ledger counted: made when a column asks for it.
#[derive(Debug)]
struct Sums {
    tokens: Sparse,
    cost: Sparse,
    /// Calls whose cost is not known.
    unpriced: Sparse,
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

/// True for a call in the ledger whose cost is not known.
fn is_unpriced(columns: &SpanColumns, row: usize) -> bool {
    let figure = |column: &[i64]| column.get(row).is_some_and(|n| *n != ABSENT);
    figure(&columns.total_tokens) && !figure(&columns.cost)
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
            let columns = &loaded.columns;
            let figure = |column: &[i64], row: usize| column.get(row).copied().filter(|n| *n != ABSENT);
            Sums {
                tokens: Sparse::new(loaded, &|row| figure(&columns.total_tokens, row)),
                cost: Sparse::new(loaded, &|row| figure(&columns.cost, row)),
                unpriced: Sparse::new(loaded, &|row| is_unpriced(columns, row).then_some(1)),
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
                let tokens = self.sums(loaded).tokens.below(loaded, span);
                tokens.map_or_else(String::new, format::count)
            }
            Figure::Cost => {
                let sums = self.sums(loaded);
                let sum = sums.cost.below(loaded, span);
                let unknown = sums.unpriced.below(loaded, span).is_some();
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
