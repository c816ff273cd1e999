//! What one commit changed, as the ring holds it: the records themselves, each encoded when the
//! first subscriber wants it and once for all of them.

use super::frame;
use super::index::Index;
use crate::app::now;
use bytes::Bytes;
use meshscope_analysis::TraceSession;
use meshscope_api::{LivePoint, LiveSpan, Log};
use meshscope_model::{
    AttributeValue, Attributes, Batch, KeyValue, Link, LogEntry, PointEntry, SpanEntry, SpanEvent, TraceId,
};
use meshscope_store::{ChangedSpan, Changes};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;

/// How many records one event carries at the most.
pub(super) const SEGMENT: usize = 500;
/// Bytes of what a trace says of its session.
const SESSION: usize = 150;
/// Bytes of a record's JSON beside its texts, twice: by itself and within an event.
const ENCODED: usize = 1_000;

/// What is left of a commit when the hub has taken its part.
#[derive(Default)]
pub(crate) struct Leftover {
    _batches: Vec<Batch>,
    _stripped: Vec<(Attributes, Vec<SpanEvent>, Vec<Link>)>,
    /// Commits that the hub no longer holds.
    pub(super) past: Vec<Arc<Chunk>>,
}

impl Leftover {
    pub(super) fn of(batches: Vec<Batch>) -> Self {
        Self {
            _batches: batches,
            ..Self::default()
        }
    }
}

/// A record of a commit.
#[derive(Clone, Copy)]
pub(super) enum Record<'a> {
    Span(&'a SpanEntry),
    Log(&'a LogEntry),
    Point(&'a PointEntry),
}

/// What one commit changed.
pub(super) struct Chunk {
    changes: Changes,
    batches: Vec<Batch>,
    /// Of each batch the position of its first span, log record and point.
    starts: Vec<[u32; 3]>,
    /// About how many bytes it takes, encoded records included.
    pub(super) weight: usize,
    /// When it was committed, ns since the epoch.
    received: i64,
    index: OnceCell<Index>,
    encoded: Box<[OnceLock<Box<[u8]>>]>,
    whole: Box<[OnceLock<Option<Bytes>>]>,
}

impl Chunk {
    /// Takes over what a commit changed, without what the stream does not carry.
    pub(super) fn new(mut batches: Vec<Batch>, mut changes: Changes) -> (Self, Leftover) {
        let mut stripped = Vec::new();
        let merged = changes.spans.iter_mut().filter_map(|span| match span {
            ChangedSpan::Sent(_) => None,
            ChangedSpan::Merged(entry) => Some(&mut **entry),
        });
        let sent = batches.iter_mut().flat_map(|batch| &mut batch.spans);
        for SpanEntry { span, .. } in merged.chain(sent) {
            // The resource has the service, the facts have the rest.
            stripped.push((
                std::mem::take(&mut span.attributes),
                std::mem::take(&mut span.events),
                std::mem::take(&mut span.links),
            ));
        }
        let mut at = [0_u32; 3];
        let starts = batches.iter().map(|batch| {
            let start = at;
            let lengths = [batch.spans.len(), batch.logs.len(), batch.points.len()];
            for (at, length) in at.iter_mut().zip(lengths) {
                *at = at.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
            }
            start
        });
        let starts = starts.collect();
        let records = changes.len();
        let chunk = Self {
            weight: batches.iter().map(weigh).sum::<usize>()
                + records * ENCODED
                + changes.sessions.len() * SESSION,
            starts,
            batches,
            changes,
            received: now(),
            index: OnceCell::new(),
            encoded: std::iter::repeat_with(OnceLock::new).take(records).collect(),
            whole: std::iter::repeat_with(OnceLock::new)
                .take(records.div_ceil(SEGMENT))
                .collect(),
        };
        let leftover = Leftover {
            _stripped: stripped,
            ..Leftover::default()
        };
        (chunk, leftover)
    }

    /// The last sequence number before it.
    pub(super) fn after(&self) -> i64 {
        self.changes.after
    }

    /// Its last sequence number.
    pub(super) fn last(&self) -> i64 {
        self.changes.last()
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(super) fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// What the records of its traces say of their sessions.
    pub(super) fn sessions(&self) -> &HashMap<TraceId, TraceSession> {
        &self.changes.sessions
    }

    pub(super) fn index(&self) -> &OnceCell<Index> {
        &self.index
    }

    /// The entry at a position among those of all batches.
    fn at<'a, T>(&'a self, signal: usize, place: u32, of: impl Fn(&'a Batch) -> &'a [T]) -> Option<&'a T> {
        let start = |starts: &[u32; 3]| starts.get(signal).copied().unwrap_or(0);
        let batch = self
            .starts
            .partition_point(|starts| start(starts) <= place)
            .checked_sub(1)?;
        let within = place - start(self.starts.get(batch)?);
        of(self.batches.get(batch)?).get(usize::try_from(within).ok()?)
    }

    /// The record with sequence number `after` + 1 + `number`.
    pub(super) fn record(&self, number: usize) -> Option<Record<'_>> {
        let Changes {
            spans, logs, points, ..
        } = &self.changes;
        if let Some(span) = spans.get(number) {
            return match span {
                ChangedSpan::Sent(place) => self.at(0, *place, |batch| &batch.spans).map(Record::Span),
                ChangedSpan::Merged(entry) => Some(Record::Span(entry)),
            };
        }
        let number = number - spans.len();
        if let Some(place) = logs.get(number) {
            return self.at(1, *place, |batch| &batch.logs).map(Record::Log);
        }
        let place = points.get(number - logs.len())?;
        self.at(2, *place, |batch| &batch.points).map(Record::Point)
    }

    fn sequence(&self, number: usize) -> i64 {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.changes.after.saturating_add(number).saturating_add(1)
    }

    pub(super) fn live_span(&self, index: &Index, number: usize, entry: &SpanEntry) -> LiveSpan {
        let session = index.place(number).session_id.map(str::to_owned);
        LiveSpan::new(self.sequence(number), &entry.span, &entry.facts, session)
    }

    pub(super) fn live_log(&self, index: &Index, number: usize, entry: &LogEntry) -> Log {
        let session = index.place(number).session_id.map(str::to_owned);
        Log::new(
            self.sequence(number),
            &entry.record,
            &entry.origin,
            session,
            self.received,
        )
    }

    pub(super) fn live_point(&self, index: &Index, number: usize, entry: &PointEntry) -> LivePoint {
        let session = index.place(number).session_id.map(str::to_owned);
        LivePoint::new(self.sequence(number), &entry.point, &entry.origin, session)
    }

    /// A record in JSON.
    pub(super) fn encoded(&self, index: &Index, number: usize) -> &[u8] {
        let encode = || {
            let json = match self.record(number) {
                Some(Record::Span(entry)) => serde_json::to_vec(&self.live_span(index, number, entry)),
                Some(Record::Log(entry)) => serde_json::to_vec(&self.live_log(index, number, entry)),
                Some(Record::Point(entry)) => serde_json::to_vec(&self.live_point(index, number, entry)),
                None => Ok(Vec::new()),
            };
            json.unwrap_or_default().into_boxed_slice()
        };
        self.encoded
            .get(number)
            .map_or(&[], |cell| cell.get_or_init(encode))
    }

    /// The event with all records of a segment, shared by all who want them all.
    pub(super) fn whole(&self, index: &Index, numbers: Range<usize>, cursor: &str) -> Option<Bytes> {
        let cell = self.whole.get(numbers.start / SEGMENT)?;
        let frame = || frame::of_chunk(self, index, numbers, cursor);
        cell.get_or_init(frame).clone()
    }
}

/// About how many bytes the records of a batch take.
fn weigh(batch: &Batch) -> usize {
    let spans = batch.spans.len() * (size_of::<SpanEntry>() + 200);
    let logs = batch.logs.iter().map(|entry| {
        let texts = weigh_value(&entry.record.body) + weigh_attributes(&entry.record.attributes.0);
        let emitter = weigh_attributes(&entry.record.resource.attributes.0);
        // As it is, by itself in JSON, and within an event.
        size_of::<LogEntry>() + 3 * texts + 2 * emitter
    });
    let points = batch
        .points
        .iter()
        .map(|entry| size_of::<PointEntry>() + 3 * weigh_attributes(&entry.point.attributes.0));
    spans + logs.sum::<usize>() + points.sum::<usize>()
}

fn weigh_attributes(attributes: &[KeyValue]) -> usize {
    let weights = attributes.iter().map(|kv| kv.key.len() + weigh_value(&kv.value));
    weights.sum::<usize>() + size_of_val(attributes)
}

fn weigh_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::String(text) => text.len(),
        AttributeValue::Bytes(bytes) => bytes.len() * 4 / 3,
        AttributeValue::Array(items) => items.iter().map(weigh_value).sum::<usize>() + size_of_val(&**items),
        AttributeValue::Map(entries) => weigh_attributes(entries),
        AttributeValue::Empty
        | AttributeValue::Bool(_)
        | AttributeValue::Int(_)
        | AttributeValue::Double(_) => 8,
    }
}
