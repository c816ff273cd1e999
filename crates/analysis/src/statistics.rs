//! Statistics of a trace by what its spans have in common: the table behind "where does it go".

use crate::quantile::nearest_rank;
use crate::totals::Totals;
use meshscope_model::columns::{ABSENT, flag};
use meshscope_model::{Operation, SpanColumns};
use std::cmp::Ordering;

/// What spans are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// Name.
    Name,
    /// `service.name`.
    Service,
    /// Agent.
    Agent,
    /// Model.
    Model,
    /// Tool.
    Tool,
    /// What the span does.
    Operation,
}

/// What a table is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// What the spans have in common, alphabetical.
    Label,
    /// [`Totals::spans`].
    Count,
    /// [`Totals::errors`].
    Errors,
    /// [`Totals::blocked`].
    Blocked,
    /// [`Row::sum`].
    Sum,
    /// [`Row::own`].
    Own,
    /// [`Row::p50`].
    P50,
    /// [`Row::p95`].
    P95,
    /// [`Row::max`].
    Max,
    /// [`Row::first_token_p50`].
    FirstToken,
    /// [`Totals::input_tokens`].
    InputTokens,
    /// [`Totals::output_tokens`].
    OutputTokens,
    /// [`Totals::total_tokens`].
    TotalTokens,
    /// [`Totals::cost`].
    Cost,
}

/// The spans that have something in common. Durations are in ns; those of spans that have not
/// ended are in none of the figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What they have in common; not empty.
    pub label: String,
    /// The first of them, a row number.
    pub first: u32,
    /// Counts, tokens and cost of the spans themselves, not of what is below them.
    pub totals: Totals,
    /// How long they took together. Spans that lie in one another count twice: [`Row::own`] does not.
    pub sum: i64,
    /// How long they were themselves at work.
    pub own: i64,
    /// Median duration by nearest rank.
    pub p50: Option<i64>,
    /// 95th percentile of the durations.
    pub p95: Option<i64>,
    /// Longest duration.
    pub max: Option<i64>,
    /// Median time to the first token.
    pub first_token_p50: Option<i64>,
}

/// Statistics of `rows` (all that are in range), one row for each value of `by` that is there,
/// in the order of the values' first spans. `own` are [`crate::own_times`].
#[must_use]
pub fn statistics(
    columns: &SpanColumns,
    own: &[i64],
    by: By,
    rows: impl IntoIterator<Item = u32>,
) -> Vec<Row> {
    let mut gathered: Vec<Gathered> = Vec::new();
    // Place in `gathered` of each value, which is an interned string or an operation.
    let mut places = vec![usize::MAX; columns.strings.len().max(Operation::ALL.len())];
    for row in rows {
        let Some(value) = value(columns, by, row).filter(|value| *value != 0) else {
            continue;
        };
        let Some(place) = places.get_mut(value as usize) else {
            continue;
        };
        if *place == usize::MAX {
            *place = gathered.len();
            gathered.push(Gathered::new(value, row));
        }
        if let Some(gathered) = gathered.get_mut(*place) {
            gathered.add(columns, own, row);
        }
    }
    let rows = gathered.into_iter().map(|gathered| gathered.finish(columns, by));
    rows.filter(|row| !row.label.is_empty()).collect()
}

/// Sorts a table: numbers from the largest, labels from A; the other way round when `ascending`
/// is not what these have. What is absent comes last either way, and equals are in the order
/// of their labels.
pub fn sort(rows: &mut [Row], key: Key, ascending: bool) {
    rows.sort_by(|a, b| {
        let order = match key {
            Key::Label if ascending => return a.label.cmp(&b.label),
            Key::Label => return b.label.cmp(&a.label),
            _ => match (number(a, key), number(b, key)) {
                (Some(a), Some(b)) if ascending => a.cmp(&b),
                (Some(a), Some(b)) => b.cmp(&a),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            },
        };
        order.then_with(|| a.label.cmp(&b.label))
    });
}

/// The figure of a column.
fn number(row: &Row, key: Key) -> Option<i64> {
    let totals = &row.totals;
    match key {
        Key::Label => None,
        Key::Count => Some(totals.spans.into()),
        Key::Errors => Some(totals.errors.into()),
        Key::Blocked => Some(totals.blocked.into()),
        Key::Sum => Some(row.sum),
        Key::Own => Some(row.own),
        Key::P50 => row.p50,
        Key::P95 => row.p95,
        Key::Max => row.max,
        Key::FirstToken => row.first_token_p50,
        Key::InputTokens => totals.input_tokens,
        Key::OutputTokens => totals.output_tokens,
        Key::TotalTokens => totals.total_tokens,
        Key::Cost => totals.cost,
    }
}

/// The number that stands for what a span is put together by; 0: nothing.
fn value(columns: &SpanColumns, by: By, row: u32) -> Option<u32> {
    let text = |column: &[u32]| column.get(row as usize).copied();
    match by {
        By::Name => text(&columns.name),
        By::Service => text(&columns.service),
        By::Agent => text(&columns.agent),
        By::Model => text(&columns.model),
        By::Tool => text(&columns.tool),
        By::Operation => columns.operation.get(row as usize).copied().map(u32::from),
    }
}

/// A row in the making.
struct Gathered {
    value: u32,
    first: u32,
    totals: Totals,
    own: i64,
    durations: Vec<i64>,
    first_tokens: Vec<i64>,
}

impl Gathered {
    fn new(value: u32, first: u32) -> Self {
        Self {
            value,
            first,
            totals: Totals::default(),
            own: 0,
            durations: Vec::new(),
            first_tokens: Vec::new(),
        }
    }

    fn add(&mut self, columns: &SpanColumns, own: &[i64], row: u32) {
        let row = row as usize;
        self.totals.add(columns, row);
        if !columns.has_flag(row, flag::IN_PROGRESS) {
            self.durations.extend(columns.duration.get(row));
            self.own = self.own.saturating_add(own.get(row).copied().unwrap_or(0));
        }
        let first_token = columns.time_to_first_token.get(row);
        self.first_tokens
            .extend(first_token.filter(|after| **after != ABSENT));
    }

    fn finish(mut self, columns: &SpanColumns, by: By) -> Row {
        let label = match by {
            By::Operation => Operation::from_number(self.value as u8).as_str(),
            _ => columns.string(self.value),
        };
        let durations = self.durations.iter();
        Row {
            label: label.to_owned(),
            first: self.first,
            totals: self.totals,
            sum: durations.fold(0, |sum: i64, duration| sum.saturating_add(*duration)),
            own: self.own,
            max: self.durations.iter().copied().max(),
            p50: nearest_rank(&mut self.durations, 50),
            p95: nearest_rank(&mut self.durations, 95),
            first_token_p50: nearest_rank(&mut self.first_tokens, 50),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans, with_names};
    use crate::{Tree, own_times};
    use proptest::prelude::*;

    /// A run that calls a model three times, one of them still going on, and a tool that failed.
    fn trip() -> SpanColumns {
        let c = columns(&[
            (1, 0, 0, 100),
            (2, 1, 0, 10),
            (3, 1, 20, 30),
            (4, 1, 60, 5),
            (5, 1, 70, 0),
        ]);
        let names = ["run", "chat", "chat", "search", "chat"].map(str::to_owned);
        let mut c = with_names(c, &names);
        c.operation = [0, 1, 1, 5, 1].to_vec();
        c.flags = vec![0, 0, 0, flag::ERROR, flag::IN_PROGRESS];
        c.cost[1] = 7;
        c.time_to_first_token[2] = 4;
        c
    }

    fn table(c: &SpanColumns, by: By) -> Vec<Row> {
        let own = own_times(c, &Tree::build(c));
        statistics(c, &own, by, 0..c.len() as u32)
    }

    fn labels(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.label.as_str()).collect()
    }

    #[test]
    fn a_row_for_each_value() {
        let rows = table(&trip(), By::Name);
        assert_eq!(labels(&rows), ["run", "chat", "search"]);
        let chat = &rows[1];
        assert_eq!((chat.first, chat.totals.spans, chat.totals.cost), (1, 3, Some(7)));
        assert_eq!(
            (chat.sum, chat.own, chat.p50, chat.p95, chat.max),
            (40, 40, Some(10), Some(30), Some(30)),
            "one has not ended"
        );
        assert_eq!((chat.first_token_p50, rows[0].first_token_p50), (Some(4), None));
        assert_eq!((rows[0].sum, rows[0].own), (100, 55));
        assert_eq!(labels(&table(&trip(), By::Operation)), ["chat", "execute_tool"]);
        assert_eq!(
            table(&trip(), By::Agent),
            [],
            "spans without a value are in no row"
        );
        assert_eq!(statistics(&trip(), &[], By::Name, [2, 99])[0].totals.spans, 1);
    }

    #[test]
    fn every_column_sorts_and_the_absent_comes_last() {
        let mut rows = table(&trip(), By::Name);
        let mut sorted = |key, ascending| {
            sort(&mut rows, key, ascending);
            labels(&rows).join(" ")
        };
        assert_eq!(sorted(Key::Label, true), "chat run search");
        assert_eq!(sorted(Key::Label, false), "search run chat");
        assert_eq!(sorted(Key::Count, false), "chat run search");
        assert_eq!(sorted(Key::Own, false), "run chat search");
        assert_eq!(sorted(Key::Sum, true), "search chat run");
        assert_eq!(sorted(Key::Errors, false), "search chat run");
        assert_eq!(sorted(Key::Cost, false), "chat run search");
        assert_eq!(sorted(Key::FirstToken, true), "chat run search");
    }

    proptest! {
        #[test]
        fn rows_add_up_to_the_trace(spans in spans(40), kinds in prop::collection::vec(0..4_u32, 40)) {
            let mut c = columns(&spans);
            c.strings.extend(["a".to_owned(), "b".to_owned(), "c".to_owned()]);
            let first = c.strings.len() as u32 - 4;
            for (name, kind) in c.name.iter_mut().zip(kinds) {
                *name = if kind == 0 { 0 } else { first + kind };
            }
            let own = own_times(&c, &Tree::build(&c));
            let rows = table(&c, By::Name);
            let named = |row: &usize| c.name[*row] != 0;
            let sum: i64 = rows.iter().map(|row| row.sum).sum();
            let owns: i64 = rows.iter().map(|row| row.own).sum();
            prop_assert_eq!(sum, (0..c.len()).filter(named).map(|row| c.duration[row]).sum::<i64>());
            prop_assert_eq!(owns, (0..c.len()).filter(named).map(|row| own[row]).sum::<i64>());
            for row in &rows {
                prop_assert!(row.p50 <= row.p95 && row.p95 <= row.max && row.own <= row.sum);
                prop_assert_eq!(c.name(row.first as usize), row.label.as_str());
            }
        }
    }
}
