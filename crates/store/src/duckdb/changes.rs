//! Which records of its batches a write kept, for the live stream.

use super::met::Met;
use crate::{ChangedSpan, Changes};
use hashbrown::HashMap;
use meshscope_model::{Batch, LogEntry, PointEntry, SpanEntry, TraceId};
use std::borrow::Cow;
use std::ops::Range;

/// Finds the positions of records among those of all batches by where they stand in memory.
struct Positions {
    /// Addresses of each batch's records, ascending, and the position of its first.
    ranges: Vec<(Range<usize>, u32)>,
}

impl Positions {
    fn new<'a, T: 'a>(lists: impl Iterator<Item = &'a [T]>) -> Self {
        let mut first = 0_u32;
        let mut ranges = Vec::new();
        for list in lists.filter(|list| !list.is_empty()) {
            let range = list.as_ptr_range();
            ranges.push((range.start.addr()..range.end.addr(), first));
            first = first.saturating_add(u32::try_from(list.len()).unwrap_or(u32::MAX));
        }
        ranges.sort_unstable_by_key(|(range, _)| range.start);
        Self { ranges }
    }

    fn of<T>(&self, record: &T) -> Option<u32> {
        let at = std::ptr::from_ref(record).addr();
        let after = self.ranges.partition_point(|(range, _)| range.start <= at);
        let (range, first) = self.ranges.get(after.checked_sub(1)?)?;
        let within = (at - range.start) / size_of::<T>();
        range
            .contains(&at)
            .then(|| first + u32::try_from(within).unwrap_or(u32::MAX))
    }
}

/// What a write kept out of `batches`, with sequence numbers from `after` + 1 on in this order.
pub(super) fn changes<'a>(
    batches: &'a [Batch],
    after: i64,
    spans: Vec<Cow<'a, SpanEntry>>,
    logs: impl Iterator<Item = &'a LogEntry>,
    points: impl Iterator<Item = &'a PointEntry>,
    traces: &HashMap<TraceId, Met>,
) -> Changes {
    let of_spans = Positions::new(batches.iter().map(|batch| batch.spans.as_slice()));
    let of_logs = Positions::new(batches.iter().map(|batch| batch.logs.as_slice()));
    let of_points = Positions::new(batches.iter().map(|batch| batch.points.as_slice()));
    let span = |entry: Cow<'a, SpanEntry>| match entry {
        Cow::Owned(entry) => ChangedSpan::Merged(Box::new(entry)),
        Cow::Borrowed(entry) => match of_spans.of(entry) {
            Some(position) => ChangedSpan::Sent(position),
            None => ChangedSpan::Merged(Box::new(entry.clone())),
        },
    };
    Changes {
        after,
        spans: spans.into_iter().map(span).collect(),
        logs: logs.filter_map(|entry| of_logs.of(entry)).collect(),
        points: points.filter_map(|entry| of_points.of(entry)).collect(),
        sessions: traces
            .iter()
            .filter_map(|(id, met)| Some((*id, met.said()?)))
            .collect(),
    }
}
