//! Columns into bytes.

use super::{MAGIC, Totals, tag};
use meshscope_model::{SpanColumns, TraceId};
use std::ops::Range;

/// Spans of the first chunk of [`encode`], and of the largest.
const FIRST: usize = 2_000;
const LARGEST: usize = 65_536;

/// The beginning of a stream. `expected` is how many spans will come, as far as known.
#[must_use]
pub fn header(trace_id: TraceId, expected: Option<u64>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&trace_id.0);
    put(&mut out, expected.map_or(0, |spans| spans.saturating_add(1)));
    out
}

/// A chunk of the spans of `piece`, as `ColumnsBuilder::take` gives them.
#[must_use]
pub fn chunk(piece: &SpanColumns) -> Vec<u8> {
    part(piece, 0..piece.len(), &piece.strings)
}

/// The end of a stream.
#[must_use]
pub fn end(totals: Totals) -> Vec<u8> {
    let mut out = Vec::new();
    for n in [totals.spans, totals.strings, totals.events, totals.linked] {
        put(&mut out, n);
    }
    frame(tag::END, out)
}

/// The end of a stream that does not go on, for the reason `why`.
#[must_use]
pub fn refusal(why: &str) -> Vec<u8> {
    frame(tag::REFUSAL, why.as_bytes().to_vec())
}

/// The whole stream of columns that are there already.
#[must_use]
pub fn encode(columns: &SpanColumns) -> Vec<u8> {
    let spans = columns.len();
    let strings = columns.strings.get(1..).unwrap_or_default();
    let mut out = header(columns.trace_id, Some(spans as u64));
    let (mut from, mut size) = (0, FIRST);
    while from < spans {
        let to = spans.min(from + size);
        // All strings go with the first chunk: which of them are new later is not known.
        let new = if from == 0 { strings } else { &[] };
        out.extend(part(columns, from..to, new));
        (from, size) = (to, LARGEST.min(size * 2));
    }
    let totals = Totals {
        spans: spans as u64,
        strings: if spans == 0 { 0 } else { strings.len() as u64 },
        events: columns.event_row.len() as u64,
        linked: columns.link_row.len() as u64,
    };
    out.extend(end(totals));
    out
}

fn frame(tag: u8, content: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 10);
    out.push(tag);
    put(&mut out, content.len() as u64);
    out.extend(content);
    out
}

/// A chunk of some rows.
fn part(columns: &SpanColumns, rows: Range<usize>, strings: &[String]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + rows.len() * 40);
    put(&mut out, rows.len() as u64);
    put(&mut out, strings.len() as u64);
    strings.iter().for_each(|text| put(&mut out, text.len() as u64));
    strings
        .iter()
        .for_each(|text| out.extend_from_slice(text.as_bytes()));
    for ids in [&columns.span_id, &columns.parent_span_id] {
        let ids = ids.get(rows.clone()).unwrap_or_default();
        ids.iter().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
    }
    let starts = columns.start_time.get(rows.clone()).unwrap_or_default();
    let mut before = 0_i64;
    for start in starts {
        put(&mut out, zigzag(start.wrapping_sub(before)));
        before = *start;
    }
    numbers(&mut out, &columns.duration, &rows, |ns| {
        u64::try_from(*ns).unwrap_or(0)
    });
    for indexes in [
        &columns.name,
        &columns.service,
        &columns.agent,
        &columns.model,
        &columns.tool,
        &columns.message,
    ] {
        numbers(&mut out, indexes, &rows, |index| u64::from(*index));
    }
    for bytes in [&columns.kind, &columns.status, &columns.operation, &columns.flags] {
        let bytes = bytes.get(rows.clone()).unwrap_or_default();
        if bytes.iter().any(|byte| *byte != 0) {
            out.push(1);
            out.extend_from_slice(bytes);
        } else {
            out.push(0);
        }
    }
    for optional in [
        &columns.time_to_first_token,
        &columns.input_tokens,
        &columns.output_tokens,
        &columns.total_tokens,
        &columns.cost,
    ] {
        numbers(&mut out, optional, &rows, |n| {
            u64::try_from(*n).map_or(0, |n| n + 1)
        });
    }
    events(&mut out, columns, &rows, starts);
    links(&mut out, columns, &rows);
    let mut framed = runs_of(columns, &rows);
    framed.extend(frame(tag::CHUNK, out));
    framed
}

/// The traces of some rows; nothing where all are of one.
fn runs_of(columns: &SpanColumns, rows: &Range<usize>) -> Vec<u8> {
    let Some(of) = columns.run.get(rows.clone()).filter(|of| !of.is_empty()) else {
        return Vec::new();
    };
    // All of them go with the first rows.
    let new = columns
        .runs
        .get(..)
        .filter(|_| rows.start == 0)
        .unwrap_or_default();
    let mut out = Vec::with_capacity(16 * new.len() + 2 * of.len());
    put(&mut out, new.len() as u64);
    new.iter().for_each(|id| out.extend_from_slice(&id.0));
    of.iter().for_each(|run| put(&mut out, u64::from(*run)));
    frame(tag::RUNS, out)
}

/// A column of numbers; one that is shorter than it should be counts as all zero.
fn numbers<T>(out: &mut Vec<u8>, column: &[T], rows: &Range<usize>, read: impl Fn(&T) -> u64) {
    let values = column.get(rows.clone()).unwrap_or_default();
    if values.iter().all(|value| read(value) == 0) {
        out.push(0);
        return;
    }
    out.push(1);
    values.iter().for_each(|value| put(out, read(value)));
}

/// Which entries of an ascending column of rows lie within `rows`.
fn within(of: &[u32], rows: &Range<usize>) -> Range<usize> {
    let before = |row: usize| of.partition_point(|of| (*of as usize) < row);
    before(rows.start)..before(rows.end)
}

fn events(out: &mut Vec<u8>, columns: &SpanColumns, rows: &Range<usize>, starts: &[i64]) {
    let which = within(&columns.event_row, rows);
    put(out, which.len() as u64);
    let mut before = 0;
    for event in which {
        let row = columns
            .event_row
            .get(event)
            .map_or(0, |row| *row as usize - rows.start);
        let start = starts.get(row).copied().unwrap_or(0);
        let time = columns.event_time.get(event).copied().unwrap_or(start);
        put(out, (row - before) as u64);
        put(out, zigzag(time.wrapping_sub(start)));
        put(out, columns.event_name.get(event).copied().unwrap_or(0).into());
        out.push(columns.event_kind.get(event).copied().unwrap_or(0));
        before = row;
    }
}

fn links(out: &mut Vec<u8>, columns: &SpanColumns, rows: &Range<usize>) {
    let which = within(&columns.link_row, rows);
    put(out, which.len() as u64);
    let mut before = 0;
    for linked in which {
        let row = columns
            .link_row
            .get(linked)
            .map_or(0, |row| *row as usize - rows.start);
        put(out, (row - before) as u64);
        put(out, columns.link_count.get(linked).copied().unwrap_or(0).into());
        before = row;
    }
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
