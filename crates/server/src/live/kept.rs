//! What a commit kept of its batches, in the order of the sequence numbers.

use meshscope_model::{Batch, SpanEntry};
use meshscope_store::{ChangedSpan, Changes};

/// The spans that a commit kept.
pub(super) fn spans<'a>(batches: &'a [Batch], changes: &'a Changes) -> Vec<&'a SpanEntry> {
    let sent = Positions::new(batches.iter().map(|batch| batch.spans.as_slice()));
    let kept = changes.spans.iter().filter_map(|span| match span {
        ChangedSpan::Sent(position) => sent.at(*position),
        ChangedSpan::Merged(entry) => Some(&**entry),
    });
    kept.collect()
}

/// Those of the items whose positions are `wanted`, which ascend.
pub(super) fn pick<T>(items: impl Iterator<Item = T>, wanted: &[u32]) -> Vec<T> {
    let mut wanted = wanted.iter().peekable();
    items
        .zip(0..)
        .filter_map(|(item, at)| wanted.next_if_eq(&&at).map(|_| item))
        .collect()
}

/// Lists whose items count through.
struct Positions<'a, T> {
    /// Each with the position of its first.
    lists: Vec<(u32, &'a [T])>,
}

impl<'a, T> Positions<'a, T> {
    fn new(lists: impl Iterator<Item = &'a [T]>) -> Self {
        let mut first = 0_u32;
        let lists = lists.map(|list| {
            let from = first;
            first = first.saturating_add(u32::try_from(list.len()).unwrap_or(u32::MAX));
            (from, list)
        });
        Self {
            lists: lists.collect(),
        }
    }

    fn at(&self, position: u32) -> Option<&'a T> {
        let after = self.lists.partition_point(|(first, _)| *first <= position);
        let (first, list) = self.lists.get(after.checked_sub(1)?)?;
        list.get(usize::try_from(position - first).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_through_all_lists_also_empty_ones() {
        let lists: [&[char]; 5] = [&[], &['a', 'b'], &[], &['c'], &[]];
        let positions = Positions::new(lists.into_iter());
        let found: Vec<_> = (0..5).map(|at| positions.at(at).copied()).collect();
        assert_eq!(found, [Some('a'), Some('b'), Some('c'), None, None]);
        let items = || lists.into_iter().flatten().copied();
        assert_eq!(pick(items(), &[0, 1, 2]), ['a', 'b', 'c']);
        assert_eq!(pick(items(), &[1, 2, 9]), ['b', 'c']);
        assert!(pick(items(), &[]).is_empty());
    }
}
