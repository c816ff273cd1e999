//! What one commit changed, as the ring holds it: each record encoded when the first subscriber
//! wants it, and once for all of them.

use super::frame;
use super::index::{Index, index};
use super::kept::{self, pick};
use crate::app::now;
use bytes::Bytes;
use meshscope_api::{LivePoint, LiveSpan, Log};
use meshscope_model::{AttributeValue, Batch, KeyValue, LogEntry, PointEntry};
use meshscope_store::Changes;
use std::mem::take;
use std::ops::Range;
use std::sync::OnceLock;

/// How many records one event carries at the most.
pub(super) const SEGMENT: usize = 500;
/// Bytes of a record's JSON beside its texts, twice: by itself and within an event.
const ENCODED: usize = 1_000;

/// A record of a commit.
#[derive(Clone, Copy)]
pub(super) enum Record<'a> {
    Span(&'a LiveSpan),
    Log(&'a LogEntry),
    Point(&'a PointEntry),
}

/// What one commit changed. Spans are copied, so short as the stream carries them, and what was decoded is freed at
/// once: what stood between freed texts for as long as the ring is long made all that is decoded afterwards lie
/// scattered. Log records and points go into the ring as they are: little of them would be left out.
pub(super) struct Chunk {
    /// The last sequence number before it.
    after: i64,
    spans: Vec<LiveSpan>,
    logs: Vec<LogEntry>,
    points: Vec<PointEntry>,
    /// About how many bytes it takes, encoded records included.
    pub(super) weight: usize,
    /// When it was made, ns since the epoch: about when it was committed.
    received: i64,
    index: Index,
    encoded: Box<[OnceLock<Box<[u8]>>]>,
    whole: Box<[OnceLock<Option<Bytes>>]>,
}

impl Chunk {
    /// What a commit changed; log records and points are taken out of the batches.
    pub(super) fn new(batches: &mut [Batch], changes: &Changes) -> Self {
        let logs = batches.iter_mut().flat_map(|batch| take(&mut batch.logs));
        let logs = pick(logs, &changes.logs);
        let points = batches.iter_mut().flat_map(|batch| take(&mut batch.points));
        let points = pick(points, &changes.points);
        let spans = kept::spans(batches, changes);
        let records = spans.len() + logs.len() + points.len();
        let index = index(batches, (&spans, &logs, &points), &changes.sessions);
        let spans = spans.iter().enumerate().map(|(number, entry)| {
            let session = index.place(number).session_id.map(str::to_owned);
            let sequence = sequence(changes.after, number);
            LiveSpan::new(sequence, &entry.span, &entry.facts, session)
        });
        let spans: Vec<LiveSpan> = spans.collect();
        Self {
            after: changes.after,
            weight: spans.iter().map(weigh_span).sum::<usize>()
                + logs.iter().map(weigh_log).sum::<usize>()
                + points.iter().map(weigh_point).sum::<usize>()
                + records * ENCODED,
            spans,
            logs,
            points,
            received: now(),
            index,
            encoded: std::iter::repeat_with(OnceLock::new).take(records).collect(),
            whole: std::iter::repeat_with(OnceLock::new)
                .take(records.div_ceil(SEGMENT))
                .collect(),
        }
    }

    /// The last sequence number before it.
    pub(super) fn after(&self) -> i64 {
        self.after
    }

    /// Its last sequence number.
    pub(super) fn last(&self) -> i64 {
        self.after
            .saturating_add(i64::try_from(self.len()).unwrap_or(i64::MAX))
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len() + self.logs.len() + self.points.len()
    }

    /// Where its records belong.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The record with sequence number `after` + 1 + `number`.
    pub(super) fn record(&self, number: usize) -> Option<Record<'_>> {
        if let Some(span) = self.spans.get(number) {
            return Some(Record::Span(span));
        }
        let number = number - self.spans.len();
        if let Some(entry) = self.logs.get(number) {
            return Some(Record::Log(entry));
        }
        self.points.get(number - self.logs.len()).map(Record::Point)
    }

    pub(super) fn live_log(&self, number: usize, entry: &LogEntry) -> Log {
        let session = self.index.place(number).session_id.map(str::to_owned);
        let sequence = sequence(self.after, number);
        Log::new(sequence, &entry.record, &entry.origin, session, self.received)
    }

    pub(super) fn live_point(&self, number: usize, entry: &PointEntry) -> LivePoint {
        let session = self.index.place(number).session_id.map(str::to_owned);
        LivePoint::new(sequence(self.after, number), &entry.point, &entry.origin, session)
    }

    /// A record in JSON.
    pub(super) fn encoded(&self, number: usize) -> &[u8] {
        let encode = || {
            let json = match self.record(number) {
                Some(Record::Span(span)) => serde_json::to_vec(span),
                Some(Record::Log(entry)) => serde_json::to_vec(&self.live_log(number, entry)),
                Some(Record::Point(entry)) => serde_json::to_vec(&self.live_point(number, entry)),
                None => Ok(Vec::new()),
            };
            json.unwrap_or_default().into_boxed_slice()
        };
        self.encoded
            .get(number)
            .map_or(&[], |cell| cell.get_or_init(encode))
    }

    /// The event with all records of a segment, shared by all who want them all.
    pub(super) fn whole(&self, numbers: Range<usize>, cursor: &str) -> Option<Bytes> {
        let cell = self.whole.get(numbers.start / SEGMENT)?;
        let frame = || frame::of_chunk(self, numbers, cursor);
        cell.get_or_init(frame).clone()
    }
}

/// The sequence number of the record with number `number` after `after`.
fn sequence(after: i64, number: usize) -> i64 {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    after.saturating_add(number).saturating_add(1)
}

/// About how many bytes a span takes: as it is, by itself in JSON, and within an event.
fn weigh_span(span: &LiveSpan) -> usize {
    let named = [&span.name, &span.service, &span.project];
    let maybe = [
        &span.error,
        &span.agent,
        &span.model,
        &span.provider,
        &span.tool,
        &span.title,
        &span.session_id,
        &span.room,
    ];
    let texts = named.into_iter().chain(maybe.into_iter().flatten());
    size_of::<LiveSpan>() + 3 * texts.map(String::len).sum::<usize>()
}

/// The same of a log record.
fn weigh_log(entry: &LogEntry) -> usize {
    let texts = weigh_value(&entry.record.body) + weigh_attributes(&entry.record.attributes.0);
    let emitter = weigh_attributes(&entry.record.resource.attributes.0);
    size_of::<LogEntry>() + 3 * texts + 2 * emitter
}

/// The same of a metric point.
fn weigh_point(entry: &PointEntry) -> usize {
    size_of::<PointEntry>() + 3 * weigh_attributes(&entry.point.attributes.0)
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
