//! The spans of a trace as columns: one typed array a field, strings interned.
//!
//! This is what the studio holds and draws. A span is a row number; no object a span exists.
//! Payload attributes are not here: they are fetched for the span that is opened.

mod strings;

use crate::facts::Operation;
use crate::id::{SpanId, TraceId};
use crate::span::{SpanKind, StatusCode};
use strings::Interned;

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
    /// Somebody was cut short in it.
    pub const INTERRUPTED: u8 = 64;
}

/// Stands for an absent number in the optional columns.
pub const ABSENT: i64 = i64::MIN;

/// What a span event marks; the numbers stand in [`SpanColumns::event_kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventKind {
    /// Anything else.
    #[default]
    Other = 0,
    /// Something went wrong: `exception`, or `error` of dialects that have no exceptions.
    Exception = 1,
    /// The first token of an answer came.
    FirstToken = 2,
}

impl EventKind {
    /// The kind that an event's name says.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let last = name.rsplit(['.', ':']).next().unwrap_or(name);
        let is = |word: &str| last.eq_ignore_ascii_case(word);
        if is("exception") || is("error") {
            return Self::Exception;
        }
        // `gen_ai.first_token`, `llm.firstToken`, OpenInference's `First Token Stream Event`.
        let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        if letters.to_ascii_lowercase().contains("firsttoken") {
            Self::FirstToken
        } else {
            Self::Other
        }
    }

    /// The kind with number `n`; unknown numbers are [`EventKind::Other`].
    #[must_use]
    pub fn from_number(n: u8) -> Self {
        match n {
            1 => Self::Exception,
            2 => Self::FirstToken,
            _ => Self::Other,
        }
    }
}

/// Spans of one trace, or of the runs of a session, in the order of (start, span id). The columns of
/// spans have one value a span, those of events one a span event, those of links one a span that has
/// links.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpanColumns {
    /// The trace; all zero where they are of a session.
    pub trace_id: TraceId,
    /// The traces of a session; empty where all spans are of `trace_id`.
    pub runs: Vec<TraceId>,
    /// The trace of each span, index into `runs`; empty where all are of `trace_id`.
    pub run: Vec<u32>,
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
    /// The span (row) of each span event, ascending.
    pub event_row: Vec<u32>,
    /// When it happened, ns since the epoch.
    pub event_time: Vec<i64>,
    /// Its name, index into `strings`.
    pub event_name: Vec<u32>,
    /// [`EventKind`] number.
    pub event_kind: Vec<u8>,
    /// The spans (rows) that have links, ascending.
    pub link_row: Vec<u32>,
    /// How many links each of them has.
    pub link_count: Vec<u32>,
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
    /// How many links to other spans it has.
    pub links: u32,
    /// Which of the session's traces it is of; of one trace alone it is not looked at.
    pub run: u32,
}

/// Builds [`SpanColumns`] row by row.
#[derive(Debug, Default)]
pub struct ColumnsBuilder {
    columns: SpanColumns,
    interned: Interned,
    of_session: bool,
}

impl ColumnsBuilder {
    /// Empty columns of a trace.
    #[must_use]
    pub fn new(trace_id: TraceId) -> Self {
        Self {
            columns: SpanColumns {
                trace_id,
                ..SpanColumns::default()
            },
            interned: Interned::default(),
            of_session: false,
        }
    }

    /// Empty columns of the traces of a session.
    #[must_use]
    pub fn of_runs(runs: Vec<TraceId>) -> Self {
        let mut builder = Self::new(TraceId::default());
        builder.columns.runs = runs;
        builder.of_session = true;
        builder
    }

    fn intern(&mut self, text: &str) -> u32 {
        let (index, new) = self.interned.index(text);
        if let Some(text) = new {
            self.columns.strings.push(text.to_owned());
        }
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
        if self.of_session {
            c.run.push(row.run);
        }
        if row.links > 0 {
            c.link_row.push(c.last_row());
            c.link_count.push(row.links);
        }
    }

    /// Adds an event of the row that was added last; without a row it is passed over.
    pub fn push_event(&mut self, time: i64, name: &str) {
        if self.columns.is_empty() {
            return;
        }
        let (kind, name) = (EventKind::of(name), self.intern(name));
        let c = &mut self.columns;
        c.event_row.push(c.last_row());
        c.event_time.push(time);
        c.event_name.push(name);
        c.event_kind.push(kind as u8);
    }

    /// How many rows wait to be taken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.columns.len()
    }

    /// Takes the rows so far as a piece of a longer whole: its rows count from 0, its `strings` and
    /// `runs` are only those that are new, and its indexes are those of the whole, where 0 is the empty string
    /// and the new strings follow those of the pieces before.
    #[must_use]
    pub fn take(&mut self) -> SpanColumns {
        let next = SpanColumns {
            trace_id: self.columns.trace_id,
            ..SpanColumns::default()
        };
        std::mem::replace(&mut self.columns, next)
    }

    /// The finished columns, when nothing was taken before.
    #[must_use]
    pub fn finish(self) -> SpanColumns {
        let mut columns = self.columns;
        columns.strings.insert(0, String::new());
        columns
    }
}

impl SpanColumns {
    /// How many spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.span_id.len()
    }

    /// Adds the next piece of a whole, as [`ColumnsBuilder::take`] gave it.
    pub fn append(&mut self, piece: Self) {
        if self.strings.is_empty() {
            self.strings.push(String::new());
        }
        let first = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let later = |rows: Vec<u32>| rows.into_iter().map(move |row| row.saturating_add(first));
        self.trace_id = piece.trace_id;
        self.runs.extend(piece.runs);
        self.strings.extend(piece.strings);
        self.span_id.extend(piece.span_id);
        self.parent_span_id.extend(piece.parent_span_id);
        for (column, more) in [
            (&mut self.start_time, piece.start_time),
            (&mut self.duration, piece.duration),
            (&mut self.time_to_first_token, piece.time_to_first_token),
            (&mut self.input_tokens, piece.input_tokens),
            (&mut self.output_tokens, piece.output_tokens),
            (&mut self.total_tokens, piece.total_tokens),
            (&mut self.cost, piece.cost),
            (&mut self.event_time, piece.event_time),
        ] {
            column.extend(more);
        }
        for (column, more) in [
            (&mut self.run, piece.run),
            (&mut self.name, piece.name),
            (&mut self.service, piece.service),
            (&mut self.agent, piece.agent),
            (&mut self.model, piece.model),
            (&mut self.tool, piece.tool),
            (&mut self.message, piece.message),
            (&mut self.event_name, piece.event_name),
            (&mut self.link_count, piece.link_count),
        ] {
            column.extend(more);
        }
        for (column, more) in [
            (&mut self.kind, piece.kind),
            (&mut self.status, piece.status),
            (&mut self.operation, piece.operation),
            (&mut self.flags, piece.flags),
            (&mut self.event_kind, piece.event_kind),
        ] {
            column.extend(more);
        }
        self.event_row.extend(later(piece.event_row));
        self.link_row.extend(later(piece.link_row));
    }

    fn last_row(&self) -> u32 {
        u32::try_from(self.len().saturating_sub(1)).unwrap_or(u32::MAX)
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

    /// The trace of span `row`.
    #[must_use]
    pub fn trace_of(&self, row: usize) -> TraceId {
        let run = self.run.get(row).and_then(|run| self.runs.get(*run as usize));
        run.copied().unwrap_or(self.trace_id)
    }

    /// True when span `row` has any of the bits of [`flag`].
    #[must_use]
    pub fn has_flag(&self, row: usize, bits: u8) -> bool {
        self.flags.get(row).is_some_and(|flags| flags & bits != 0)
    }

    /// The events of span `row`, as indexes into the columns of events.
    #[must_use]
    pub fn events(&self, row: usize) -> std::ops::Range<usize> {
        let before = |limit: usize| self.event_row.partition_point(|of| (*of as usize) < limit);
        before(row)..before(row.saturating_add(1))
    }

    /// How many links span `row` has.
    #[must_use]
    pub fn links(&self, row: usize) -> u32 {
        let found = u32::try_from(row).ok();
        let found = found.and_then(|row| self.link_row.binary_search(&row).ok());
        found.and_then(|at| self.link_count.get(at).copied()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_links_are_found_by_their_span() {
        let mut builder = ColumnsBuilder::new(TraceId::from_u128(1));
        builder.push_event(1, "of no span");
        for (n, links) in [(1_u64, 0), (2, 3), (3, 0)] {
            builder.push(&SpanRow {
                span_id: SpanId::from_u64(n),
                links,
                ..SpanRow::default()
            });
            if n != 1 {
                builder.push_event(5, "exception");
                builder.push_event(6, "retry");
            }
        }
        let columns = builder.finish();
        assert_eq!(
            [0, 1, 2, 3].map(|row| columns.events(row)),
            [0..0, 0..2, 2..4, 4..4]
        );
        assert_eq!([0, 1, 2].map(|row| columns.links(row)), [0, 3, 0]);
        assert_eq!(columns.event_kind, [1, 0, 1, 0]);
        assert_eq!(columns.string(columns.event_name[3]), "retry");
    }

    #[test]
    fn kinds_of_events_are_read_off_their_names() {
        for (name, kind) in [
            ("exception", EventKind::Exception),
            ("error", EventKind::Exception),
            ("agent.Error", EventKind::Exception),
            ("error_budget", EventKind::Other),
            ("gen_ai.first_token", EventKind::FirstToken),
            ("First Token Stream Event", EventKind::FirstToken),
            ("llm.firstToken", EventKind::FirstToken),
            ("", EventKind::Other),
        ] {
            assert_eq!(EventKind::of(name), kind, "{name}");
            assert_eq!(EventKind::from_number(kind as u8), kind);
        }
    }

    #[test]
    fn pieces_go_on_with_the_strings_of_those_before() {
        let mut builder = ColumnsBuilder::new(TraceId::from_u128(1));
        let push = |builder: &mut ColumnsBuilder, name: &str| {
            builder.push(&SpanRow {
                name,
                ..SpanRow::default()
            });
            builder.take()
        };
        let pieces = ["a", "b", "a"].map(|name| push(&mut builder, name));
        assert_eq!(pieces.each_ref().map(|piece| piece.name[0]), [1, 2, 1]);
        assert_eq!(
            pieces.each_ref().map(|piece| piece.strings.len()),
            [1, 1, 0],
            "a string crosses once"
        );
        assert_eq!(builder.waiting(), 0);
    }

    #[test]
    fn pieces_make_the_whole() {
        let row = |builder: &mut ColumnsBuilder, n: u64| {
            let name = format!("name {}", n % 2);
            let texts = ["service", "agent", "model", "tool", "message"].map(|of| format!("{of} {n}"));
            let figure = i64::try_from(n).ok();
            builder.push(&SpanRow {
                span_id: SpanId::from_u64(n),
                parent_span_id: Some(SpanId::from_u64(n + 100)),
                start_time: n as i64,
                duration: 5,
                name: &name,
                service: &texts[0],
                agent: &texts[1],
                model: &texts[2],
                tool: &texts[3],
                message: &texts[4],
                kind: SpanKind::Client,
                status: StatusCode::Error,
                operation: Operation::ALL[1],
                flags: flag::NOISE,
                time_to_first_token: figure,
                input_tokens: figure,
                output_tokens: figure,
                total_tokens: figure,
                cost: figure,
                links: u32::from(n.is_multiple_of(2)),
                run: u32::from(n > 2),
            });
            builder.push_event(6, "exception");
        };
        let runs = vec![TraceId::from_u128(1), TraceId::from_u128(2)];
        let mut builder = ColumnsBuilder::of_runs(runs.clone());
        (1..=4).for_each(|n| row(&mut builder, n));
        let whole = builder.finish();
        let mut builder = ColumnsBuilder::of_runs(runs);
        let mut joined = SpanColumns::default();
        for part in [1..=1, 2..=3, 4..=4] {
            part.for_each(|n| row(&mut builder, n));
            joined.append(builder.take());
        }
        assert_eq!(joined, whole);
        assert_eq!(whole.links(3), 1);
    }
}
