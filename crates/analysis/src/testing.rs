//! Traces for tests.

use meshscope_model::columns::{ColumnsBuilder, SpanRow};
use meshscope_model::{SpanColumns, SpanId, TraceId};
use proptest::prelude::*;

/// Id, parent's id or 0, start and duration.
pub(crate) type TestSpan = (u64, u64, i64, i64);

/// Columns of `spans`, in the order given.
pub(crate) fn columns(spans: &[TestSpan]) -> SpanColumns {
    let mut builder = ColumnsBuilder::new(TraceId::from_u128(1));
    for (id, parent, start, duration) in spans {
        builder.push(&SpanRow {
            span_id: SpanId::from_u64(*id),
            parent_span_id: (*parent != 0).then(|| SpanId::from_u64(*parent)),
            start_time: *start,
            duration: *duration,
            ..SpanRow::default()
        });
    }
    builder.finish()
}

/// The same spans with these names, in the order of rows.
pub(crate) fn with_names(mut columns: SpanColumns, names: &[String]) -> SpanColumns {
    for (row, name) in names.iter().enumerate() {
        columns.name[row] = intern(&mut columns.strings, name);
    }
    columns
}

/// The place of `text` among the interned strings.
pub(crate) fn intern(strings: &mut Vec<String>, text: &str) -> u32 {
    let place = strings.iter().position(|string| string == text);
    place.unwrap_or_else(|| {
        strings.push(text.to_owned());
        strings.len() - 1
    }) as u32
}

/// Any spans: parents may be absent or go round in circles, times may be anything small, ids
/// may repeat, rows may be out of order.
pub(crate) fn spans(most: usize) -> impl Strategy<Value = Vec<TestSpan>> {
    let id = 1..=most as u64;
    let parent = prop_oneof![1 => Just(0), 4 => 0..=most as u64 + 2];
    prop::collection::vec((id, parent, 0..60_i64, 0..40_i64), 0..most)
}
