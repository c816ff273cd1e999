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
            name: "work",
            ..SpanRow::default()
        });
    }
    builder.finish()
}

/// Spans with ids of their own; parents may be absent or go round in circles.
pub(crate) fn spans(most: usize) -> impl Strategy<Value = Vec<TestSpan>> {
    let parent = prop_oneof![1 => Just(0), 4 => 0..=most as u64 + 2];
    let one = (parent, 0..60_i64, 0..40_i64);
    prop::collection::vec(one, 0..most).prop_map(|spans| {
        let numbered = spans.into_iter().zip(1..);
        numbered
            .map(|((parent, start, duration), id)| (id, parent, start, duration))
            .collect()
    })
}
