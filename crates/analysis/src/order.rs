//! The spans of a trace in the order of any of their figures: the table behind "which are the worst".

use meshscope_model::SpanColumns;
use meshscope_model::columns::{ABSENT, flag};
use std::cmp::Reverse;

/// What spans are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
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
    /// Start.
    Start,
    /// Duration.
    Duration,
    /// How long it was itself at work.
    Own,
    /// Time to first token.
    FirstToken,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Cost.
    Cost,
    /// The others before blocked before failed ones.
    Trouble,
}

/// Sorts `rows` of `columns`: texts from A, numbers from the smallest, the other way round unless
/// `ascending`. What is absent comes last either way, and equals keep their order. `own` are
/// [`crate::own_times`].
pub fn order(columns: &SpanColumns, own: &[i64], rows: &mut [u32], by: Column, ascending: bool) {
    let texts = match by {
        Column::Name => Some(&columns.name),
        Column::Service => Some(&columns.service),
        Column::Agent => Some(&columns.agent),
        Column::Model => Some(&columns.model),
        Column::Tool => Some(&columns.tool),
        _ => None,
    };
    if let Some(texts) = texts {
        let ranks = ranks(&columns.strings);
        let rank = |row: u32| {
            let index = texts.get(row as usize).filter(|index| **index != 0)?;
            ranks.get(*index as usize).copied()
        };
        return sort(rows, ascending, rank);
    }
    let numbers = match by {
        Column::Duration => &columns.duration,
        Column::Own => own,
        Column::FirstToken => &columns.time_to_first_token,
        Column::InputTokens => &columns.input_tokens,
        Column::OutputTokens => &columns.output_tokens,
        Column::Cost => &columns.cost,
        Column::Trouble => return sort(rows, ascending, |row| Some(trouble(columns, row))),
        _ => &columns.start_time,
    };
    let number = |row: u32| numbers.get(row as usize).copied();
    sort(rows, ascending, |row| {
        number(row).filter(|number| *number != ABSENT)
    });
}

fn trouble(columns: &SpanColumns, row: u32) -> u8 {
    let has = |bit| columns.has_flag(row as usize, bit);
    match (has(flag::ERROR), has(flag::BLOCKED)) {
        (_, true) => 1,
        (true, false) => 2,
        (false, false) => 0,
    }
}

/// The place of each string among all in the order of the alphabet, whatever their case.
fn ranks(strings: &[String]) -> Vec<u32> {
    let mut order: Vec<(String, u32)> = strings.iter().map(|text| text.to_lowercase()).zip(0..).collect();
    order.sort_unstable();
    let mut ranks = vec![0; strings.len()];
    let mut rank = 0;
    let mut before = "";
    for (text, index) in &order {
        if text != before {
            rank += 1;
            before = text;
        }
        if let Some(place) = ranks.get_mut(*index as usize) {
            *place = rank;
        }
    }
    ranks
}

fn sort<K: Ord>(rows: &mut [u32], ascending: bool, key: impl Fn(u32) -> Option<K>) {
    // Absent is `true`, which comes behind `false`.
    if ascending {
        rows.sort_by_cached_key(|row| (key(*row).is_none(), key(*row)));
    } else {
        rows.sort_by_cached_key(|row| (key(*row).is_none(), Reverse(key(*row))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, with_names};
    use proptest::prelude::*;

    fn ordered(columns: &SpanColumns, by: Column, ascending: bool) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..columns.len() as u32).collect();
        let own: Vec<i64> = columns.duration.iter().map(|duration| duration / 2).collect();
        order(columns, &own, &mut rows, by, ascending);
        rows
    }

    fn named() -> SpanColumns {
        let spans = [(1, 0, 0, 90), (2, 1, 5, 20), (3, 1, 6, 40), (4, 1, 7, 20)];
        let names = ["beta", "Alpha", "", "alpha"].map(str::to_owned);
        let mut columns = with_names(columns(&spans), &names);
        columns.cost = vec![ABSENT, 7, 3, ABSENT];
        columns.flags[1] = flag::ERROR;
        columns.flags[2] = flag::ERROR | flag::BLOCKED;
        columns
    }

    #[test]
    fn texts_go_by_the_alphabet_and_nothing_comes_last() {
        let columns = named();
        assert_eq!(ordered(&columns, Column::Name, true), [1, 3, 0, 2]);
        assert_eq!(ordered(&columns, Column::Name, false), [0, 1, 3, 2]);
        assert_eq!(ordered(&columns, Column::Agent, false), [0, 1, 2, 3]);
    }

    #[test]
    fn numbers_go_by_size_and_what_is_not_known_comes_last() {
        let columns = named();
        assert_eq!(ordered(&columns, Column::Duration, false), [0, 2, 1, 3]);
        assert_eq!(ordered(&columns, Column::Own, true), [1, 3, 2, 0]);
        assert_eq!(ordered(&columns, Column::Cost, true), [2, 1, 0, 3]);
        assert_eq!(ordered(&columns, Column::Cost, false), [1, 2, 0, 3]);
        assert_eq!(ordered(&columns, Column::Start, false), [3, 2, 1, 0]);
        assert_eq!(ordered(&columns, Column::Trouble, false), [1, 2, 0, 3]);
    }

    proptest! {
        #[test]
        fn every_row_stays(durations in prop::collection::vec(0..5_i64, 0..40), ascending: bool) {
            let spans: Vec<_> = durations.iter().zip(1_u64..).map(|(duration, id)| (id, 0, 0, *duration)).collect();
            let columns = columns(&spans);
            let mut rows = ordered(&columns, Column::Duration, ascending);
            let sorted: Vec<i64> = rows.iter().map(|row| columns.duration[*row as usize]).collect();
            let expected = |pair: &[i64]| if ascending { pair[0] <= pair[1] } else { pair[0] >= pair[1] };
            prop_assert!(sorted.windows(2).all(expected));
            rows.sort_unstable();
            prop_assert!(rows.into_iter().eq(0..columns.len() as u32));
        }
    }
}
