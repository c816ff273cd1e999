//! What all signals share: attributes, resource, scope, ids, times.

use super::Rejected;
use crate::wire::{Field, Reader, WireError};
use meshscope_model::{AttributeValue, Attributes, KeyValue, Resource, Scope, SpanId, TraceId};
use std::sync::Arc;

/// How deep a value may nest.
const MAX_DEPTH: u32 = 64;

/// The field under which the JSON reader says why a record cannot be kept; no OTLP message
/// uses it.
pub(super) const REASON_FIELD: u32 = 536_870_000;

/// Beside [`REASON_FIELD`]: how many records are lost with it, when not one.
pub(super) const COUNT_FIELD: u32 = 536_870_001;

/// Why a record cannot be kept.
#[derive(Debug, PartialEq)]
pub(super) struct Reason(pub(super) String);

impl From<WireError> for Reason {
    fn from(error: WireError) -> Self {
        Self(error.to_string())
    }
}

pub(super) type Kept<T> = Result<T, Reason>;

/// Collects what is wrong while a request is read.
#[derive(Debug, Default)]
pub(super) struct Context {
    rejected: Rejected,
    repaired: u64,
    seen: u64,
}

impl Context {
    /// Counts a record; call before reading it, so that messages can say which it was.
    pub(super) fn begin(&mut self) {
        self.seen += 1;
    }

    /// Reports `count` records that cannot be told apart as left out.
    pub(super) fn reject_all(&mut self, count: u64, what: &str, name: &str, reason: &Reason) {
        self.rejected.records += count;
        self.rejected
            .note(format!("{what} {:?} was left out: {}", shorten(name), reason.0));
    }

    /// Reports the record that was begun last as left out.
    pub(super) fn reject(&mut self, what: &str, name: &str, reason: &Reason) {
        let named = if name.is_empty() {
            String::new()
        } else {
            format!(" {:?}", shorten(name))
        };
        self.rejected
            .record(format!("{what} {}{named} was left out: {}", self.seen, reason.0));
    }

    /// Text that must be UTF-8; what is not becomes U+FFFD and is reported.
    pub(super) fn text(&mut self, bytes: &[u8]) -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                self.repaired += 1;
                String::from_utf8_lossy(bytes).into_owned()
            }
        }
    }

    pub(super) fn finish(mut self) -> Rejected {
        if self.repaired > 0 {
            self.rejected.note(format!(
                "{} text values were not UTF-8 and were kept with U+FFFD in place of what was not",
                self.repaired
            ));
        }
        self.rejected
    }
}

fn shorten(name: &str) -> String {
    name.chars().take(60).collect()
}

/// Each message of the repeated field `number` of `bytes`.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    number: u32,
    mut read: impl FnMut(&'a [u8]) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        if field.number == number {
            read(field.bytes()?)?;
        }
    }
    Ok(())
}

/// Resource (1) and schema URL (3) of a `ResourceSpans`, `ResourceLogs` or `ResourceMetrics`.
pub(super) fn resource(bytes: &[u8], context: &mut Context) -> Result<Arc<Resource>, WireError> {
    let mut resource = Resource::default();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => {
                let mut nested = Reader(field.bytes()?);
                while let Some(field) = nested.next()? {
                    match field.number {
                        1 => attribute(field, &mut resource.attributes, context)?,
                        2 => resource.dropped_attributes_count = field.uint32()?,
                        _ => {}
                    }
                }
            }
            3 => resource.schema_url = context.text(field.bytes()?),
            _ => {}
        }
    }
    Ok(Arc::new(resource))
}

/// Scope (1) and schema URL (3) of a `ScopeSpans`, `ScopeLogs` or `ScopeMetrics`.
pub(super) fn scope(bytes: &[u8], context: &mut Context) -> Result<Arc<Scope>, WireError> {
    let mut scope = Scope::default();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => {
                let mut nested = Reader(field.bytes()?);
                while let Some(field) = nested.next()? {
                    match field.number {
                        1 => scope.name = context.text(field.bytes()?),
                        2 => scope.version = context.text(field.bytes()?),
                        3 => attribute(field, &mut scope.attributes, context)?,
                        4 => scope.dropped_attributes_count = field.uint32()?,
                        _ => {}
                    }
                }
            }
            3 => scope.schema_url = context.text(field.bytes()?),
            _ => {}
        }
    }
    Ok(Arc::new(scope))
}

/// An attribute outside a record: one that cannot be read is kept empty rather than costing
/// every record under the resource or scope.
fn attribute(field: Field<'_>, into: &mut Attributes, context: &mut Context) -> Result<(), WireError> {
    let bytes = field.bytes()?;
    match key_value(bytes, context, 0) {
        Ok(kv) => into.0.push(kv),
        Err(reason) => {
            context.rejected.note(format!(
                "an attribute of a resource or scope was left out: {}",
                reason.0
            ));
        }
    }
    Ok(())
}

/// OTLP `KeyValue`.
pub(super) fn key_value(bytes: &[u8], context: &mut Context, depth: u32) -> Kept<KeyValue> {
    let mut kv = KeyValue::default();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => kv.key = context.text(field.bytes()?),
            2 => kv.value = any_value(field.bytes()?, context, depth)?,
            REASON_FIELD => return json_reason(field),
            _ => {}
        }
    }
    Ok(kv)
}

/// OTLP `AnyValue`.
pub(super) fn any_value(bytes: &[u8], context: &mut Context, depth: u32) -> Kept<AttributeValue> {
    if depth > MAX_DEPTH {
        return Err(Reason(format!("a value nests deeper than {MAX_DEPTH} levels")));
    }
    let mut value = AttributeValue::Empty;
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        value = match field.number {
            1 => AttributeValue::String(context.text(field.bytes()?)),
            2 => AttributeValue::Bool(field.varint()? != 0),
            3 => AttributeValue::Int(field.int64()?),
            4 => AttributeValue::Double(field.double()?),
            5 => {
                let mut items = Vec::new();
                let mut nested = Reader(field.bytes()?);
                while let Some(item) = nested.next()? {
                    if item.number == 1 {
                        items.push(any_value(item.bytes()?, context, depth + 1)?);
                    }
                }
                AttributeValue::Array(items)
            }
            6 => {
                let mut entries = Vec::new();
                let mut nested = Reader(field.bytes()?);
                while let Some(entry) = nested.next()? {
                    if entry.number == 1 {
                        entries.push(key_value(entry.bytes()?, context, depth + 1)?);
                    }
                }
                AttributeValue::Map(entries)
            }
            7 => AttributeValue::Bytes(field.bytes()?.to_vec()),
            _ => continue,
        };
    }
    Ok(value)
}

/// A trace id that must be there and valid.
pub(super) fn trace_id(bytes: &[u8]) -> Kept<TraceId> {
    TraceId::try_from(bytes)
        .ok()
        .filter(TraceId::is_valid)
        .ok_or_else(|| {
            Reason(format!(
                "trace_id must be 16 bytes that are not all zero, got {}",
                describe(bytes)
            ))
        })
}

/// A span id that must be there and valid.
pub(super) fn span_id(bytes: &[u8], field: &str) -> Kept<SpanId> {
    SpanId::try_from(bytes)
        .ok()
        .filter(SpanId::is_valid)
        .ok_or_else(|| {
            Reason(format!(
                "{field} must be 8 bytes that are not all zero, got {}",
                describe(bytes)
            ))
        })
}

/// An id that may be absent: empty or all zero is absent, any other length is an error.
pub(super) fn optional<T>(bytes: &[u8], read: impl FnOnce(&[u8]) -> Kept<T>) -> Kept<Option<T>> {
    if bytes.iter().all(|byte| *byte == 0) && matches!(bytes.len(), 0 | 8 | 16) {
        return Ok(None);
    }
    read(bytes).map(Some)
}

/// An id that a log record or exemplar points with. OTLP: one that is not valid points nowhere.
pub(super) fn pointer<T>(
    bytes: &[u8],
    context: &mut Context,
    read: impl FnOnce(&[u8]) -> Kept<T>,
) -> Option<T> {
    optional(bytes, read).unwrap_or_else(|reason| {
        context
            .rejected
            .note(format!("a record was kept without its id: {}", reason.0));
        None
    })
}

fn describe(bytes: &[u8]) -> String {
    if !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
        format!("{} zero bytes", bytes.len())
    } else {
        format!("{} bytes", bytes.len())
    }
}

/// A time in ns; OTLP's are unsigned, ours end in the year 2262.
pub(super) fn time(field: Field<'_>, name: &str) -> Kept<i64> {
    let ns = field.fixed64()?;
    i64::try_from(ns).map_err(|_| {
        Reason(format!(
            "{name} is {ns} ns, which lies after the year 2262: give nanoseconds since the Unix epoch"
        ))
    })
}

/// The reason that the JSON reader gives for a record it could not write.
pub(super) fn json_reason<T>(field: Field<'_>) -> Kept<T> {
    Err(Reason(String::from_utf8_lossy(field.bytes()?).into_owned()))
}

/// The text of field `number` of `bytes`, for messages.
pub(super) fn name_of(bytes: &[u8], number: u32) -> String {
    let mut reader = Reader(bytes);
    while let Ok(Some(field)) = reader.next() {
        if field.number == number {
            return field
                .bytes()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .unwrap_or_default();
        }
    }
    String::new()
}
