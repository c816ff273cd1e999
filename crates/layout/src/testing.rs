//! Traces for tests.

use crate::rows::Rows;
use crate::viewport::{ROW_HEIGHT, Scroll, TimeView};
use crate::waterfall::{Frame, RULER_HEIGHT, Waterfall};
use meshscope_analysis::Tree;
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

/// A waterfall of some spans: names 300 px wide, all of the time in view, ten lines high.
pub(crate) struct Stage {
    pub(crate) columns: SpanColumns,
    pub(crate) tree: Tree,
    pub(crate) rows: Rows,
    pub(crate) view: TimeView,
    pub(crate) scroll: Scroll,
    pub(crate) now: i64,
}

impl Stage {
    pub(crate) fn new(columns: SpanColumns, time_width: f64) -> Self {
        let tree = Tree::build(&columns);
        let rows = Rows::new(&tree, &columns, false);
        let first = columns.start_time.iter().copied().min().unwrap_or(0);
        let last = (0..columns.len())
            .map(|row| columns.end_time(row))
            .max()
            .unwrap_or(0);
        Self {
            view: TimeView::new(first, last, time_width),
            scroll: Scroll::new(rows.len(), 10.0 * ROW_HEIGHT),
            columns,
            tree,
            rows,
            now: last,
        }
    }

    pub(crate) fn fold(&mut self, span: u32) {
        self.rows.toggle(&self.tree, span);
        self.scroll.resize(self.rows.len(), self.scroll.height());
    }

    pub(crate) fn waterfall(&self) -> Waterfall<'_> {
        Waterfall {
            columns: &self.columns,
            tree: &self.tree,
            rows: &self.rows,
            frame: Frame {
                width: 300.0 + self.view.width(),
                height: RULER_HEIGHT + self.scroll.height(),
                name_width: 300.0,
            },
            view: self.view.clone(),
            scroll: self.scroll,
            now: self.now,
        }
    }
}
