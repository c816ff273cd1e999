//! What a commit kept of its batches, in the order of the sequence numbers.

use meshscope_model::{Batch, LogEntry, PointEntry, SpanEntry};
use meshscope_store::{ChangedSpan, Changes};

/// A record that was kept.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    Span(&'a SpanEntry),
    Log(&'a LogEntry),
    Point(&'a PointEntry),
}

/// The records that a commit kept.
pub(super) struct Kept<'a> {
    pub(super) spans: Vec<&'a SpanEntry>,
    logs: Vec<&'a LogEntry>,
    points: Vec<&'a PointEntry>,
}

impl<'a> Kept<'a> {
    pub(super) fn of(batches: &'a [Batch], changes: &'a Changes) -> Self {
        let lists = batches.iter().map(|batch| batch.spans.as_slice());
        let sent = Positions::new(lists);
        let span = |span: &'a ChangedSpan| match span {
            ChangedSpan::Sent(position) => sent.at(*position),
            ChangedSpan::Merged(entry) => Some(&**entry),
        };
        let logs = batches.iter().flat_map(|batch| &batch.logs);
        let points = batches.iter().flat_map(|batch| &batch.points);
        Self {
            spans: changes.spans.iter().filter_map(span).collect(),
            logs: pick(logs, &changes.logs).collect(),
            points: pick(points, &changes.points).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len() + self.logs.len() + self.points.len()
    }

    /// All of them, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        let spans = self.spans.iter().map(|entry| Entry::Span(entry));
        let logs = self.logs.iter().map(|entry| Entry::Log(entry));
        spans
            .chain(logs)
            .chain(self.points.iter().map(|entry| Entry::Point(entry)))
    }
}

/// Those of the items whose positions are `wanted`, which ascend.
pub(super) fn pick<T>(items: impl Iterator<Item = T>, wanted: &[u32]) -> impl Iterator<Item = T> {
    let mut wanted = wanted.iter().peekable();
    items
        .zip(0..)
        .filter_map(move |(item, at)| wanted.next_if_eq(&&at).map(|_| item))
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
