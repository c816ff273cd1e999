//! The columnar form of a trace on the wire, media type [`crate::COLUMNS_MEDIA_TYPE`].
//!
//! ```text
//! "MSC1"  trace id (16 bytes)  spans: varint  strings: varint
//! strings:  length varint + UTF-8, from index 1 (index 0 is the empty string)
//! then the columns, one after the other, each of `spans` values:
//!   span_id, parent_span_id     8 bytes each, little-endian
//!   start_time                  zigzag varint of the difference to the one before
//!   duration                    varint
//!   name service agent model tool message    varint
//!   kind status operation flags              1 byte each
//!   time_to_first_token input_tokens output_tokens total_tokens cost
//!                               varint of value + 1, 0 when absent
//! ```
//!
//! Varints are LEB128 as in protobuf. Values are not negative but for `start_time`'s
//! differences; a negative optional value crosses as absent.

use meshscope_model::columns::ABSENT;
use meshscope_model::{SpanColumns, TraceId};

const MAGIC: &[u8; 4] = b"MSC1";

/// Why bytes are not columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// They do not start as columns do.
    #[error("not span columns of version 1")]
    Magic,
    /// They end too early, within the named part.
    #[error("the span columns end within {0}")]
    Truncated(&'static str),
    /// A value is not possible, in the named part.
    #[error("the span columns hold an impossible value in {0}")]
    Invalid(&'static str),
}

/// Encodes `columns`.
#[must_use]
pub fn encode(columns: &SpanColumns) -> Vec<u8> {
    let spans = columns.len();
    let mut out = Vec::with_capacity(64 + spans * 48);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&columns.trace_id.0);
    put(&mut out, spans as u64);
    put(&mut out, columns.strings.len().saturating_sub(1) as u64);
    for text in columns.strings.iter().skip(1) {
        put(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    for ids in [&columns.span_id, &columns.parent_span_id] {
        ids.iter().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
    }
    let mut before = 0_i64;
    for start in &columns.start_time {
        put(&mut out, zigzag(start.wrapping_sub(before)));
        before = *start;
    }
    columns
        .duration
        .iter()
        .for_each(|ns| put(&mut out, u64::try_from(*ns).unwrap_or(0)));
    for indexes in [
        &columns.name,
        &columns.service,
        &columns.agent,
        &columns.model,
        &columns.tool,
        &columns.message,
    ] {
        indexes.iter().for_each(|index| put(&mut out, u64::from(*index)));
    }
    for bytes in [&columns.kind, &columns.status, &columns.operation, &columns.flags] {
        out.extend_from_slice(bytes);
    }
    for optional in [
        &columns.time_to_first_token,
        &columns.input_tokens,
        &columns.output_tokens,
        &columns.total_tokens,
        &columns.cost,
    ] {
        optional
            .iter()
            .for_each(|n| put(&mut out, u64::try_from(*n).map_or(0, |n| n + 1)));
    }
    out
}

/// Decodes what [`encode`] made. Never panics, and reserves no more than the bytes can hold.
pub fn decode(bytes: &[u8]) -> Result<SpanColumns, ColumnsError> {
    let mut input = Input(bytes);
    if input.take(4, "the header")? != MAGIC {
        return Err(ColumnsError::Magic);
    }
    let id = input.take(16, "the header")?;
    let trace_id = TraceId::try_from(id).map_err(|_| ColumnsError::Invalid("the trace id"))?;
    let spans = input.length("the header")?;
    let strings = input.strings()?;
    let count = strings.len() as u64;
    let index = |n: u64| u32::try_from(n).ok().filter(|_| n < count);
    let optional = |n: u64| {
        if n == 0 {
            Some(ABSENT)
        } else {
            i64::try_from(n - 1).ok()
        }
    };
    let span_id = input.ids(spans, "span_id")?;
    let parent_span_id = input.ids(spans, "parent_span_id")?;
    let mut before = 0_i64;
    let start_time = input.varints(spans, "start_time", |n| {
        before = before.wrapping_add(unzigzag(n));
        Some(before)
    })?;
    Ok(SpanColumns {
        trace_id,
        span_id,
        parent_span_id,
        start_time,
        duration: input.varints(spans, "duration", |n| i64::try_from(n).ok())?,
        name: input.varints(spans, "name", index)?,
        service: input.varints(spans, "service", index)?,
        agent: input.varints(spans, "agent", index)?,
        model: input.varints(spans, "model", index)?,
        tool: input.varints(spans, "tool", index)?,
        message: input.varints(spans, "message", index)?,
        kind: input.take(spans, "kind")?.to_vec(),
        status: input.take(spans, "status")?.to_vec(),
        operation: input.take(spans, "operation")?.to_vec(),
        flags: input.take(spans, "flags")?.to_vec(),
        time_to_first_token: input.varints(spans, "time_to_first_token", optional)?,
        input_tokens: input.varints(spans, "input_tokens", optional)?,
        output_tokens: input.varints(spans, "output_tokens", optional)?,
        total_tokens: input.varints(spans, "total_tokens", optional)?,
        cost: input.varints(spans, "cost", optional)?,
        strings,
    })
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
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
        for shift in (0..64).step_by(7) {
            let byte = self.take(1, part)?.first().copied().unwrap_or(0);
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(ColumnsError::Invalid(part))
    }

    /// A number of things that take at least a byte each.
    fn length(&mut self, part: &'static str) -> Result<usize, ColumnsError> {
        let n = usize::try_from(self.varint(part)?).map_err(|_| ColumnsError::Invalid(part))?;
        if n > self.0.len() {
            Err(ColumnsError::Truncated(part))
        } else {
            Ok(n)
        }
    }

    fn strings(&mut self) -> Result<Vec<String>, ColumnsError> {
        let part = "the strings";
        let count = self.length(part)?;
        let mut strings = Vec::with_capacity(count + 1);
        strings.push(String::new());
        for _ in 0..count {
            let length = usize::try_from(self.varint(part)?).map_err(|_| ColumnsError::Invalid(part))?;
            let text =
                std::str::from_utf8(self.take(length, part)?).map_err(|_| ColumnsError::Invalid(part))?;
            strings.push(text.to_owned());
        }
        Ok(strings)
    }

    fn ids(&mut self, spans: usize, part: &'static str) -> Result<Vec<u64>, ColumnsError> {
        let length = spans.checked_mul(8).ok_or(ColumnsError::Invalid(part))?;
        let (ids, _) = self.take(length, part)?.as_chunks::<8>();
        Ok(ids.iter().map(|id| u64::from_le_bytes(*id)).collect())
    }

    fn varints<T>(
        &mut self,
        spans: usize,
        part: &'static str,
        mut read: impl FnMut(u64) -> Option<T>,
    ) -> Result<Vec<T>, ColumnsError> {
        let mut values = Vec::with_capacity(spans.min(self.0.len()));
        for _ in 0..spans {
            values.push(read(self.varint(part)?).ok_or(ColumnsError::Invalid(part))?);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::columns::{ColumnsBuilder, SpanRow};
    use meshscope_model::{Operation, SpanId, SpanKind, StatusCode};
    use proptest::prelude::*;

    fn example(rows: &[(u64, i64, i64, String, Option<i64>)]) -> SpanColumns {
        let mut builder = ColumnsBuilder::new(TraceId::from_u128(7));
        for (id, start, duration, name, tokens) in rows {
            builder.push(&SpanRow {
                span_id: SpanId::from_u64(*id),
                parent_span_id: id.checked_sub(1).map(SpanId::from_u64),
                start_time: *start,
                duration: *duration,
                name,
                service: "s",
                kind: SpanKind::Client,
                status: StatusCode::Error,
                operation: Operation::Chat,
                flags: 1,
                total_tokens: *tokens,
                ..SpanRow::default()
            });
        }
        builder.finish()
    }

    fn any_rows() -> impl Strategy<Value = Vec<(u64, i64, i64, String, Option<i64>)>> {
        let tokens = prop::option::of(0..i64::MAX);
        prop::collection::vec((any::<u64>(), any::<i64>(), 0..i64::MAX, ".{0,8}", tokens), 0..20)
    }

    proptest! {
        #[test]
        fn columns_survive_the_wire(rows in any_rows()) {
            let columns = example(&rows);
            prop_assert_eq!(decode(&encode(&columns)).unwrap(), columns);
        }

        #[test]
        fn no_bytes_panic(rows in any_rows(), cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(), to: u8) {
            let mut bytes = encode(&example(&rows));
            let end = cut.index(bytes.len());
            prop_assert!(decode(&bytes[..end]).is_err());
            let at = flip.index(bytes.len());
            bytes[at] = to;
            let again = decode(&bytes);
            prop_assert!(again.is_err() || again.is_ok_and(|columns| columns.duration.len() == columns.len()));
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        assert_eq!(decode(b"{}"), Err(ColumnsError::Truncated("the header")));
        assert_eq!(decode(b"<html></html>"), Err(ColumnsError::Magic));
    }
}
