//! Bytes into columns, as they come.

use super::{ColumnsError, MAGIC, Totals, tag};
use meshscope_model::columns::ABSENT;
use meshscope_model::{SpanColumns, TraceId};

/// Decodes a whole stream.
pub fn decode(bytes: &[u8]) -> Result<SpanColumns, ColumnsError> {
    let mut decoder = Decoder::default();
    decoder.push(bytes)?;
    decoder.finish()
}

/// Decodes a stream in pieces of any size into columns that grow. Never panics, reserves no more
/// than the bytes can hold, and holds back no more than a frame that is not whole yet.
#[derive(Debug, Default)]
pub struct Decoder {
    columns: SpanColumns,
    /// Bytes that wait for the rest of their frame.
    pending: Vec<u8>,
    begun: bool,
    expected: Option<u64>,
    ended: bool,
    failed: Option<ColumnsError>,
}

impl Decoder {
    /// Takes the next bytes; true when spans came with them. After an error the columns are those
    /// of the chunks before, and nothing more is taken.
    pub fn push(&mut self, bytes: &[u8]) -> Result<bool, ColumnsError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let before = self.columns.len();
        let mut all = std::mem::take(&mut self.pending);
        // What is whole is read where it lies.
        let bytes = if all.is_empty() {
            bytes
        } else {
            all.extend_from_slice(bytes);
            &all
        };
        let done = self.read(bytes).map(|rest| bytes.len() - rest.len());
        match done {
            Ok(done) => {
                self.pending = if all.is_empty() {
                    bytes.get(done..).unwrap_or_default().to_vec()
                } else {
                    all.drain(..done);
                    all
                };
                Ok(self.columns.len() > before)
            }
            Err(error) => {
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// The columns so far.
    #[must_use]
    pub fn columns(&self) -> &SpanColumns {
        &self.columns
    }

    /// How many spans there will be, as the server expected when it began.
    #[must_use]
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// True when the end has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ended
    }

    /// The columns so far, whole or not.
    #[must_use]
    pub fn into_partial(self) -> SpanColumns {
        self.columns
    }

    /// Whether all of them came; why not, otherwise.
    pub fn check(&self) -> Result<(), ColumnsError> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if self.ended => Ok(()),
            None if !self.begun => Err(ColumnsError::Truncated("the header")),
            None => Err(ColumnsError::Cut(self.columns.len())),
        }
    }

    /// The columns, when all of them came.
    pub fn finish(self) -> Result<SpanColumns, ColumnsError> {
        self.check().map(|()| self.columns)
    }

    /// Reads the frames that are whole; returns the rest.
    fn read<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], ColumnsError> {
        let mut rest = bytes;
        if !self.begun {
            match self.header(rest) {
                Err(ColumnsError::Truncated(_)) => return Ok(rest),
                read => rest = read?,
            }
        }
        while !rest.is_empty() {
            if self.ended {
                return Err(ColumnsError::Invalid("what follows the end"));
            }
            let Some((tag, content, after)) = frame(rest)? else {
                break;
            };
            self.frame(tag, content)?;
            rest = after;
        }
        Ok(rest)
    }

    fn header<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], ColumnsError> {
        let part = "the header";
        let seen = bytes.len().min(MAGIC.len());
        if bytes.get(..seen) != MAGIC.get(..seen) {
            return Err(ColumnsError::Magic);
        }
        let mut input = Input(bytes);
        input.take(MAGIC.len(), part)?;
        let id = input.take(16, part)?;
        let trace_id = TraceId::try_from(id).map_err(|_| ColumnsError::Invalid("the trace id"))?;
        self.expected = input.varint(part)?.checked_sub(1);
        self.columns.trace_id = trace_id;
        self.columns.strings = vec![String::new()];
        self.begun = true;
        Ok(input.0)
    }

    fn frame(&mut self, tag: u8, content: &[u8]) -> Result<(), ColumnsError> {
        match tag {
            tag::CHUNK => self.chunk(content),
            tag::END => self.end(content),
            tag::RUNS => self.runs(content),
            tag::REFUSAL => Err(ColumnsError::Refused(
                String::from_utf8_lossy(content).into_owned(),
            )),
            _ => Err(ColumnsError::Invalid("a frame's tag")),
        }
    }

    /// Traces of the spans of the chunk that comes next.
    fn runs(&mut self, content: &[u8]) -> Result<(), ColumnsError> {
        let part = "the runs";
        let mut input = Input(content);
        let c = &mut self.columns;
        if c.run.len() != c.len() {
            return Err(ColumnsError::Invalid(part));
        }
        let count = input.length(16, part)?;
        let (ids, _) = input.take(count * 16, part)?.as_chunks::<16>();
        c.runs.extend(ids.iter().map(|id| TraceId(*id)));
        while !input.0.is_empty() {
            let run = u32::try_from(input.varint(part)?).ok();
            let run = run.filter(|run| (*run as usize) < c.runs.len());
            c.run.push(run.ok_or(ColumnsError::Invalid(part))?);
        }
        Ok(())
    }

    fn end(&mut self, content: &[u8]) -> Result<(), ColumnsError> {
        let mut input = Input(content);
        let mut next = || input.varint("the end");
        let said = Totals {
            spans: next()?,
            strings: next()?,
            events: next()?,
            linked: next()?,
        };
        let c = &self.columns;
        let came = Totals {
            spans: c.len() as u64,
            strings: c.strings.len().saturating_sub(1) as u64,
            events: c.event_row.len() as u64,
            linked: c.link_row.len() as u64,
        };
        if said != came || !input.0.is_empty() {
            return Err(ColumnsError::Invalid("the end"));
        }
        self.ended = true;
        Ok(())
    }

    /// Appends a chunk; of one that is damaged nothing stays.
    fn chunk(&mut self, content: &[u8]) -> Result<(), ColumnsError> {
        let c = &self.columns;
        let before = [c.len(), c.strings.len(), c.event_row.len(), c.link_row.len()];
        let read = self.append(Input(content));
        if read.is_err() {
            truncate(&mut self.columns, before);
        }
        read
    }

    fn append(&mut self, mut input: Input<'_>) -> Result<(), ColumnsError> {
        let c = &mut self.columns;
        let first = c.len();
        let spans = input.length(16, "a chunk's spans")?;
        if first
            .checked_add(spans)
            .is_none_or(|all| u32::try_from(all).is_err())
        {
            return Err(ColumnsError::Invalid("a chunk's spans"));
        }
        // As far as the server knows how many come, no column reserves more.
        let most = self.expected.and_then(|spans| usize::try_from(spans).ok());
        let grow = Growth { spans, most };
        input.strings(&mut c.strings)?;
        let count = c.strings.len() as u64;
        let index = |n: u64| u32::try_from(n).ok().filter(|_| n < count);
        input.ids(&mut c.span_id, &grow, "span_id")?;
        input.ids(&mut c.parent_span_id, &grow, "parent_span_id")?;
        let mut before = 0_i64;
        input.values(&mut c.start_time, &grow, "start_time", |n| {
            before = before.wrapping_add(unzigzag(n));
            Some(before)
        })?;
        input.numbers(&mut c.duration, &grow, "duration", |n| i64::try_from(n).ok())?;
        for (column, part) in [
            (&mut c.name, "name"),
            (&mut c.service, "service"),
            (&mut c.agent, "agent"),
            (&mut c.model, "model"),
            (&mut c.tool, "tool"),
            (&mut c.message, "message"),
        ] {
            input.numbers(column, &grow, part, index)?;
        }
        for (column, part) in [
            (&mut c.kind, "kind"),
            (&mut c.status, "status"),
            (&mut c.operation, "operation"),
            (&mut c.flags, "flags"),
        ] {
            input.bytes(column, &grow, part)?;
        }
        for (column, part) in [
            (&mut c.time_to_first_token, "time_to_first_token"),
            (&mut c.input_tokens, "input_tokens"),
            (&mut c.output_tokens, "output_tokens"),
            (&mut c.total_tokens, "total_tokens"),
            (&mut c.cost, "cost"),
        ] {
            input.numbers(column, &grow, part, optional)?;
        }
        events(&mut input, c, first, index)?;
        links(&mut input, c, first)?;
        if !input.0.is_empty() {
            return Err(ColumnsError::Invalid("what follows a chunk"));
        }
        if !c.run.is_empty() && c.run.len() != c.len() {
            return Err(ColumnsError::Invalid("the runs"));
        }
        Ok(())
    }
}

fn optional(n: u64) -> Option<i64> {
    match n.checked_sub(1) {
        None => Some(ABSENT),
        Some(n) => i64::try_from(n).ok(),
    }
}

/// A frame's tag and content, and what follows it.
type Frame<'a> = (u8, &'a [u8], &'a [u8]);

/// The first frame; `None` when it is not all there.
fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, ColumnsError> {
    let mut input = Input(bytes);
    let part = "a frame";
    let read = |input: &mut Input<'_>| -> Result<(u8, u64), ColumnsError> {
        let tag = input.take(1, part)?.first().copied().unwrap_or(0);
        Ok((tag, input.varint(part)?))
    };
    let (tag, length) = match read(&mut input) {
        Err(ColumnsError::Truncated(_)) => return Ok(None),
        read => read?,
    };
    if !matches!(tag, tag::CHUNK | tag::END | tag::REFUSAL | tag::RUNS) {
        return Err(ColumnsError::Invalid("a frame's tag"));
    }
    let length = usize::try_from(length).map_err(|_| ColumnsError::Invalid("a frame's length"))?;
    let split = input.0.split_at_checked(length);
    Ok(split.map(|(content, rest)| (tag, content, rest)))
}

/// The row of an entry that belongs to a span of the chunk: the one before, and a difference.
fn row(input: &mut Input<'_>, before: u32, end: usize, part: &'static str) -> Result<u32, ColumnsError> {
    let difference = input.varint(part)?;
    let row = u64::from(before).checked_add(difference);
    row.filter(|row| *row < end as u64)
        .and_then(|row| u32::try_from(row).ok())
        .ok_or(ColumnsError::Invalid(part))
}

fn events(
    input: &mut Input<'_>,
    c: &mut SpanColumns,
    first: usize,
    index: impl Fn(u64) -> Option<u32>,
) -> Result<(), ColumnsError> {
    let part = "the events";
    let mut before = u32::try_from(first).map_err(|_| ColumnsError::Invalid(part))?;
    for _ in 0..input.length(4, part)? {
        before = row(input, before, c.span_id.len(), part)?;
        let after = unzigzag(input.varint(part)?);
        let start = c.start_time.get(before as usize).copied().unwrap_or(0);
        let name = index(input.varint(part)?).ok_or(ColumnsError::Invalid(part))?;
        let kind = input.take(1, part)?.first().copied().unwrap_or(0);
        c.event_row.push(before);
        c.event_time.push(start.wrapping_add(after));
        c.event_name.push(name);
        c.event_kind.push(kind);
    }
    Ok(())
}

fn links(input: &mut Input<'_>, c: &mut SpanColumns, first: usize) -> Result<(), ColumnsError> {
    let part = "the links";
    let mut before = u32::try_from(first).map_err(|_| ColumnsError::Invalid(part))?;
    for _ in 0..input.length(2, part)? {
        before = row(input, before, c.span_id.len(), part)?;
        let count = u32::try_from(input.varint(part)?).map_err(|_| ColumnsError::Invalid(part))?;
        c.link_row.push(before);
        c.link_count.push(count);
    }
    Ok(())
}

fn truncate(c: &mut SpanColumns, [spans, strings, events, linked]: [usize; 4]) {
    c.strings.truncate(strings);
    for column in [&mut c.span_id, &mut c.parent_span_id] {
        column.truncate(spans);
    }
    c.run.truncate(spans);
    for column in [
        &mut c.start_time,
        &mut c.duration,
        &mut c.time_to_first_token,
        &mut c.input_tokens,
        &mut c.output_tokens,
        &mut c.total_tokens,
        &mut c.cost,
    ] {
        column.truncate(spans);
    }
    for column in [
        &mut c.name,
        &mut c.service,
        &mut c.agent,
        &mut c.model,
        &mut c.tool,
        &mut c.message,
    ] {
        column.truncate(spans);
    }
    for column in [&mut c.kind, &mut c.status, &mut c.operation, &mut c.flags] {
        column.truncate(spans);
    }
    c.event_row.truncate(events);
    c.event_time.truncate(events);
    c.event_name.truncate(events);
    c.event_kind.truncate(events);
    c.link_row.truncate(linked);
    c.link_count.truncate(linked);
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// How a column grows by a chunk.
struct Growth {
    /// Spans of the chunk.
    spans: usize,
    /// Spans of all chunks, where known.
    most: Option<usize>,
}

impl Growth {
    /// Makes room for the chunk: by doubling; where it is known how many come, by more at once but
    /// not beyond them, so that little memory is left behind in pieces.
    fn reserve<T>(&self, column: &mut Vec<T>) {
        let needed = column.len() + self.spans;
        if needed <= column.capacity() {
            return;
        }
        let room = match self.most {
            Some(most) => needed.saturating_mul(16).min(most).max(needed),
            None => needed.max(column.len() * 2),
        };
        column.reserve_exact(room - column.len());
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize, part: &'static str) -> Result<&'a [u8], ColumnsError> {
        let (head, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(ColumnsError::Truncated(part))?;
        self.0 = rest;
        Ok(head)
    }

    fn varint(&mut self, part: &'static str) -> Result<u64, ColumnsError> {
        let mut n = 0_u64;
        for (at, byte) in self.0.iter().take(10).enumerate() {
            n |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.0 = self.0.get(at + 1..).unwrap_or_default();
                return Ok(n);
            }
        }
        Err(if self.0.len() < 10 {
            ColumnsError::Truncated(part)
        } else {
            ColumnsError::Invalid(part)
        })
    }

    /// A number of things that take at least `least` bytes each.
    fn length(&mut self, least: usize, part: &'static str) -> Result<usize, ColumnsError> {
        let n = usize::try_from(self.varint(part)?).map_err(|_| ColumnsError::Invalid(part))?;
        if n > self.0.len() / least {
            Err(ColumnsError::Truncated(part))
        } else {
            Ok(n)
        }
    }

    fn strings(&mut self, into: &mut Vec<String>) -> Result<(), ColumnsError> {
        let part = "the strings";
        let count = self.length(1, part)?;
        let mut lengths = Vec::with_capacity(count);
        for _ in 0..count {
            lengths.push(usize::try_from(self.varint(part)?).map_err(|_| ColumnsError::Invalid(part))?);
        }
        into.reserve(count);
        for length in lengths {
            let text = std::str::from_utf8(self.take(length, part)?);
            into.push(text.map_err(|_| ColumnsError::Invalid(part))?.to_owned());
        }
        Ok(())
    }

    fn ids(&mut self, into: &mut Vec<u64>, growth: &Growth, part: &'static str) -> Result<(), ColumnsError> {
        let length = growth.spans.checked_mul(8).ok_or(ColumnsError::Invalid(part))?;
        let (ids, _) = self.take(length, part)?.as_chunks::<8>();
        growth.reserve(into);
        into.extend(ids.iter().map(|id| u64::from_le_bytes(*id)));
        Ok(())
    }

    /// A value a span.
    fn values<T>(
        &mut self,
        into: &mut Vec<T>,
        growth: &Growth,
        part: &'static str,
        mut read: impl FnMut(u64) -> Option<T>,
    ) -> Result<(), ColumnsError> {
        growth.reserve(into);
        for _ in 0..growth.spans {
            into.push(read(self.varint(part)?).ok_or(ColumnsError::Invalid(part))?);
        }
        Ok(())
    }

    /// True when the column's values follow, false when all of them are 0.
    fn present(&mut self, part: &'static str) -> Result<bool, ColumnsError> {
        match self.take(1, part)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(ColumnsError::Invalid(part)),
        }
    }

    fn numbers<T: Clone>(
        &mut self,
        into: &mut Vec<T>,
        growth: &Growth,
        part: &'static str,
        read: impl Fn(u64) -> Option<T>,
    ) -> Result<(), ColumnsError> {
        if self.present(part)? {
            return self.values(into, growth, part, read);
        }
        let zero = read(0).ok_or(ColumnsError::Invalid(part))?;
        growth.reserve(into);
        into.resize(into.len() + growth.spans, zero);
        Ok(())
    }

    fn bytes(&mut self, into: &mut Vec<u8>, growth: &Growth, part: &'static str) -> Result<(), ColumnsError> {
        growth.reserve(into);
        if self.present(part)? {
            into.extend_from_slice(self.take(growth.spans, part)?);
        } else {
            into.resize(into.len() + growth.spans, 0);
        }
        Ok(())
    }
}
