//! A run while it happens: its spans as an indented list, in the order of their start.

use meshscope_api::LiveSpan;
use meshscope_model::SpanId;
use std::collections::{HashMap, HashSet};

/// A span in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveRow {
    /// Its place in what the tree was made of.
    pub index: usize,
    /// How many of its ancestors are there.
    pub depth: usize,
    /// It is found itself, not only kept for what is above or below it.
    pub found: bool,
}

/// Puts spans under their parents; one whose parent has not come stands at the top. A span is kept
/// when it, an ancestor or a descendant is `found`. Spans that name each other as parents are all
/// listed once.
#[must_use]
pub fn live_tree(spans: &[&LiveSpan], found: impl Fn(&LiveSpan) -> bool) -> Vec<LiveRow> {
    let places: HashMap<SpanId, usize> = spans
        .iter()
        .enumerate()
        .map(|(index, span)| (span.span_id, index))
        .collect();
    let parent = |index: usize| {
        let parent = spans.get(index)?.parent_span_id?;
        places.get(&parent).copied().filter(|parent| *parent != index)
    };
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|index| spans.get(*index).map(|span| (span.start_time, span.span_id)));
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for index in &order {
        children.entry(parent(*index)).or_default().push(*index);
    }
    let roots = children.get(&None).cloned().unwrap_or_default();
    let (mut rows, mut seen) = (Vec::with_capacity(spans.len()), HashSet::new());
    // Spans in a circle have no root: each that is left over begins one.
    for root in roots.into_iter().chain(order) {
        let mut next = vec![(root, 0)];
        while let Some((index, depth)) = next.pop() {
            if !seen.insert(index) {
                continue;
            }
            let found = spans.get(index).is_some_and(|span| found(span));
            rows.push(LiveRow { index, depth, found });
            let below = children.get(&Some(index)).into_iter().flatten();
            next.extend(below.rev().map(|child| (*child, depth + 1)));
        }
    }
    keep(&rows)
}

/// The rows that are found, and those above and below them.
fn keep(rows: &[LiveRow]) -> Vec<LiveRow> {
    let mut kept = vec![false; rows.len()];
    // Downwards: what stands deeper than a row that is found, until one that does not.
    let mut under = None;
    for (row, kept) in rows.iter().zip(&mut kept) {
        if under.is_some_and(|depth| row.depth <= depth) {
            under = None;
        }
        if row.found && under.is_none() {
            under = Some(row.depth);
        }
        *kept = under.is_some();
    }
    // Upwards: the nearest row above of each lesser depth.
    let mut wanted = 0;
    for (row, kept) in rows.iter().zip(&mut kept).rev() {
        if *kept || row.depth < wanted {
            *kept = true;
            wanted = row.depth;
        }
    }
    let kept = rows.iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(row, _)| *row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(id: u64, parent: Option<u64>, start: i64) -> LiveSpan {
        serde_json::from_value(serde_json::json!({
            "sequence": id.to_string(), "trace_id": format!("{:032x}", 1), "span_id": format!("{id:016x}"),
            "parent_span_id": parent.map(|id| format!("{id:016x}")), "name": format!("{id}"), "service": "s",
            "operation": "chat", "start_time": start.to_string(), "status": "unset", "project": "p",
            "system": "opentelemetry",
        }))
        .unwrap()
    }

    fn rows(spans: &[LiveSpan], found: impl Fn(&LiveSpan) -> bool) -> Vec<(String, usize)> {
        let spans: Vec<&LiveSpan> = spans.iter().collect();
        let row = |row: LiveRow| (spans[row.index].name.clone(), row.depth);
        live_tree(&spans, found).into_iter().map(row).collect()
    }

    fn told(rows: &[(&str, usize)]) -> Vec<(String, usize)> {
        rows.iter()
            .map(|(name, depth)| ((*name).to_owned(), *depth))
            .collect()
    }

    /// 1 holds 2 (with 4) and 3 (with 5); the parent of 6 has not come.
    fn family() -> Vec<LiveSpan> {
        vec![
            span(5, Some(3), 50),
            span(3, Some(1), 30),
            span(4, Some(2), 25),
            span(2, Some(1), 20),
            span(1, None, 10),
            span(6, Some(9), 5),
        ]
    }

    #[test]
    fn spans_stand_under_their_parents_in_order_of_start() {
        let all = [("6", 0), ("1", 0), ("2", 1), ("4", 2), ("3", 1), ("5", 2)];
        assert_eq!(rows(&family(), |_| true), told(&all));
    }

    #[test]
    fn what_is_found_keeps_what_is_above_and_below() {
        let only = |name: &'static str| rows(&family(), move |span| span.name == name);
        assert_eq!(only("2"), told(&[("1", 0), ("2", 1), ("4", 2)]));
        assert_eq!(only("5"), told(&[("1", 0), ("3", 1), ("5", 2)]));
        assert_eq!(only("6"), told(&[("6", 0)]));
        assert_eq!(only("none"), told(&[]));
    }

    proptest! {
        #[test]
        fn every_span_is_listed_once_whoever_names_whom(parents in prop::collection::vec(0_u64..12, 0..12)) {
            let spans: Vec<LiveSpan> = (1..).zip(&parents).map(|(id, parent)| span(id, Some(*parent), 0)).collect();
            let mut names: Vec<u64> = rows(&spans, |_| true).iter().map(|(name, _)| name.parse().unwrap()).collect();
            names.sort_unstable();
            prop_assert_eq!(names, (1..=parents.len() as u64).collect::<Vec<_>>());
        }
    }
}
