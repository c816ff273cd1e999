//! The spans of a trace as columns: one typed array a field, strings interned.
//!
//! This is what the studio holds and draws. A span is a row number; no object a span exists.
//! Payload attributes are not here: they are fetched for the span that is opened.

use crate::facts::Operation;
use crate::id::{SpanId, TraceId};
use crate::span::{SpanKind, StatusCode};
use std::collections::HashMap;

/// Bits of [`SpanColumns::flags`].
pub mod flag {
    /// It failed, by its status or by what its dialect says elsewhere.
    pub const ERROR: u8 = 1;
    /// A gate, guard or policy stopped it.
    pub const BLOCKED: u8 = 2;
    /// It has not ended yet; its duration is unknown.
    pub const IN_PROGRESS: u8 = 4;
    /// Its duration was read from an attribute, because its own times do not carry it.
    pub const REPORTED_DURATION: u8 = 8;
    /// Internal chatter of the framework, folded by default.
    pub const NOISE: u8 = 16;
    /// Its end lies before its start as sent.
    pub const ENDS_BEFORE_START: u8 = 32;
}

/// Stands for an absent number in the optional columns.
pub const ABSENT: i64 = i64::MIN;

/// Spans of one trace, in the order of (start, span id). All columns have the same length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpanColumns {
    /// The trace.
    pub trace_id: TraceId,
    /// Interned strings; index 0 is the empty string.
    pub strings: Vec<String>,
    /// Identity of each span.
    pub span_id: Vec<u64>,
    /// Parent's identity as sent; 0 for a root. It may name a span that is not here.
    pub parent_span_id: Vec<u64>,
    /// Start, ns since the epoch.
    pub start_time: Vec<i64>,
    /// Duration in ns, never negative (the reported one where flagged).
    pub duration: Vec<i64>,
    /// Name, index into `strings`.
    pub name: Vec<u32>,
    /// `service.name`, index into `strings`.
    pub service: Vec<u32>,
    /// Agent, index into `strings`.
    pub agent: Vec<u32>,
    /// Model, index into `strings`.
    pub model: Vec<u32>,
    /// Tool, index into `strings`.
    pub tool: Vec<u32>,
    /// Error or block reason, index into `strings`.
    pub message: Vec<u32>,
    /// [`SpanKind`] number.
    pub kind: Vec<u8>,
    /// [`StatusCode`] number.
    pub status: Vec<u8>,
    /// [`Operation`] number.
    pub operation: Vec<u8>,
    /// Bits of [`flag`].
    pub flags: Vec<u8>,
    /// Time to first token in ns, or [`ABSENT`].
    pub time_to_first_token: Vec<i64>,
    /// Input tokens counted by the ledger, or [`ABSENT`].
    pub input_tokens: Vec<i64>,
    /// Output tokens counted by the ledger, or [`ABSENT`].
    pub output_tokens: Vec<i64>,
    /// Total tokens counted by the ledger, or [`ABSENT`].
    pub total_tokens: Vec<i64>,
    /// Cost in pico-dollars counted by the ledger, or [`ABSENT`].
    pub cost: Vec<i64>,
}

/// One row to add to columns.
#[derive(Debug, Clone, Default)]
pub struct SpanRow<'a> {
    /// Identity.
    pub span_id: SpanId,
    /// Parent, if any.
    pub parent_span_id: Option<SpanId>,
    /// Start, ns since the epoch.
    pub start_time: i64,
    /// Duration in ns.
    pub duration: i64,
    /// Name.
    pub name: &'a str,
    /// `service.name`.
    pub service: &'a str,
    /// Agent or empty.
    pub agent: &'a str,
    /// Model or empty.
    pub model: &'a str,
    /// Tool or empty.
    pub tool: &'a str,
    /// Error or block reason, or empty.
    pub message: &'a str,
    /// Kind.
    pub kind: SpanKind,
    /// Status.
    pub status: StatusCode,
    /// Operation.
    pub operation: Operation,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Time to first token in ns.
    pub time_to_first_token: Option<i64>,
    /// Input tokens.
    pub input_tokens: Option<i64>,
    /// Output tokens.
    pub output_tokens: Option<i64>,
    /// Total tokens.
    pub total_tokens: Option<i64>,
    /// Cost in pico-dollars.
    pub cost: Option<i64>,
}

/// Builds [`SpanColumns`] row by row.
#[derive(Debug, Default)]
pub struct ColumnsBuilder {
    columns: SpanColumns,
    interned: HashMap<String, u32>,
}

impl ColumnsBuilder {
    /// Empty columns of a trace.
    #[must_use]
    pub fn new(trace_id: TraceId) -> Self {
        let columns = SpanColumns {
            trace_id,
            strings: vec![String::new()],
            ..SpanColumns::default()
        };
        Self {
            columns,
            interned: HashMap::from([(String::new(), 0)]),
        }
    }

    fn intern(&mut self, text: &str) -> u32 {
        if let Some(index) = self.interned.get(text) {
            return *index;
        }
        let index = u32::try_from(self.columns.strings.len()).unwrap_or(0);
        self.columns.strings.push(text.to_owned());
        self.interned.insert(text.to_owned(), index);
        index
    }

    /// Adds a row; rows come in the order of (start, span id).
    pub fn push(&mut self, row: &SpanRow<'_>) {
        let [name, service, agent, model, tool, message] =
            [row.name, row.service, row.agent, row.model, row.tool, row.message]
                .map(|text| self.intern(text));
        let c = &mut self.columns;
        c.span_id.push(row.span_id.as_u64());
        c.parent_span_id
            .push(row.parent_span_id.map_or(0, |id| id.as_u64()));
        c.start_time.push(row.start_time);
        c.duration.push(row.duration.max(0));
        c.name.push(name);
        c.service.push(service);
        c.agent.push(agent);
        c.model.push(model);
        c.tool.push(tool);
        c.message.push(message);
        c.kind.push(row.kind as u8);
        c.status.push(row.status as u8);
        c.operation.push(row.operation as u8);
        c.flags.push(row.flags);
        c.time_to_first_token
            .push(row.time_to_first_token.unwrap_or(ABSENT));
        c.input_tokens.push(row.input_tokens.unwrap_or(ABSENT));
        c.output_tokens.push(row.output_tokens.unwrap_or(ABSENT));
        c.total_tokens.push(row.total_tokens.unwrap_or(ABSENT));
        c.cost.push(row.cost.unwrap_or(ABSENT));
    }

    /// The finished columns.
    #[must_use]
    pub fn finish(self) -> SpanColumns {
        self.columns
    }
}

impl SpanColumns {
    /// How many spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.span_id.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.span_id.is_empty()
    }

    /// The interned string at `index`; empty when out of range.
    #[must_use]
    pub fn string(&self, index: u32) -> &str {
        self.strings.get(index as usize).map_or("", String::as_str)
    }

    /// Name of span `row`; empty when out of range. The same for the accessors below.
    #[must_use]
    pub fn name(&self, row: usize) -> &str {
        self.name.get(row).map_or("", |index| self.string(*index))
    }

    /// Service of span `row`.
    #[must_use]
    pub fn service(&self, row: usize) -> &str {
        self.service.get(row).map_or("", |index| self.string(*index))
    }

    /// End of span `row`, ns since the epoch.
    #[must_use]
    pub fn end_time(&self, row: usize) -> i64 {
        match (self.start_time.get(row), self.duration.get(row)) {
            (Some(start), Some(duration)) => start.saturating_add(*duration),
            _ => 0,
        }
    }

    /// True when span `row` has any of the bits of [`flag`].
    #[must_use]
    pub fn has_flag(&self, row: usize, bits: u8) -> bool {
        self.flags.get(row).is_some_and(|flags| flags & bits != 0)
    }
}
