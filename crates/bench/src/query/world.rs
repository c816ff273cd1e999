//! What the store holds, put in the order in which the lists have it.

use crate::generate::{RUNS, SESSION, Step, TRACE, Workload, mix};
use crate::ledger::{Bookkeeper, Ledger};
use meshscope_model::TraceId;
use meshscope_model::time::SECOND;

/// No trace lasts longer.
const LONGEST_TRACE: i64 = 30 * SECOND;

/// Random choices from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(1 << 20);
        mix(self.0) % n.max(1)
    }
}

/// The workload with its ledger and its traces by start.
pub(crate) struct World {
    pub(crate) book: Bookkeeper,
    pub(crate) ledger: Ledger,
    /// Traces in the order of the list: the latest start first, then by id.
    traces: Vec<(i64, TraceId, u64)>,
    /// Times of the log records, the latest first.
    pub(crate) logs: Vec<i64>,
}

/// A range of time, `from <= t < to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl World {
    pub(crate) fn new(book: Bookkeeper) -> Self {
        let workload = book.workload;
        let mut traces: Vec<_> = (0..workload.traces())
            .map(|n| (workload.trace_start(n), workload.trace_id(n), n))
            .collect();
        traces.sort_unstable_by_key(|(start, id, _)| (std::cmp::Reverse(*start), *id));
        let mut logs: Vec<i64> = (0..workload.logs()).map(|n| workload.log_time(n)).collect();
        logs.sort_unstable_by_key(|time| std::cmp::Reverse(*time));
        Self {
            ledger: book.ledger(),
            book,
            traces,
            logs,
        }
    }

    pub(crate) fn workload(&self) -> &Workload {
        &self.book.workload
    }

    /// All 30 days.
    pub(crate) fn all(&self) -> Range {
        Range {
            from: self.workload().base,
            to: self.workload().end,
        }
    }

    /// From the beginning to just after a random session began.
    pub(crate) fn until_anywhere(&self, dice: &mut Dice) -> Range {
        let session = dice.below(self.workload().sessions);
        Range {
            from: self.workload().base,
            to: self.workload().trace_start(session * RUNS) + 1,
        }
    }

    /// A day that ends anywhere.
    pub(crate) fn any_day(&self, dice: &mut Dice) -> Range {
        let to = self.until_anywhere(dice).to;
        Range {
            from: to - meshscope_model::time::DAY,
            to,
        }
    }

    /// True when a span of the trace is in the range. Its root lasts as long as it does.
    fn trace_is_in(&self, trace: u64, range: Range) -> bool {
        let root = self.workload().step(trace * TRACE);
        root.start < range.to && root.end >= range.from
    }

    /// The traces of a list: those from `skip` on, `limit` at the most.
    pub(crate) fn traces(
        &self,
        range: Range,
        skip: usize,
        limit: usize,
        keep: impl Fn(u64) -> bool,
    ) -> Vec<u64> {
        let first = self.traces.partition_point(|(start, ..)| *start >= range.to);
        self.traces[first..]
            .iter()
            .take_while(|(start, ..)| *start >= range.from - LONGEST_TRACE)
            .map(|(.., trace)| *trace)
            .filter(|trace| self.trace_is_in(*trace, range) && keep(*trace))
            .skip(skip)
            .take(limit)
            .collect()
    }

    /// The sessions of a list: those from `skip` on, `limit` at the most.
    pub(crate) fn sessions(
        &self,
        range: Range,
        skip: usize,
        limit: usize,
        keep: impl Fn(u64) -> bool,
    ) -> Vec<u64> {
        let start = |session: u64| self.workload().trace_start(session * RUNS);
        let is_in =
            |session: u64| (session * RUNS..(session + 1) * RUNS).any(|trace| self.trace_is_in(trace, range));
        (0..self.workload().sessions)
            .rev()
            .skip_while(|session| start(*session) >= range.to)
            .take_while(|session| start(*session) >= range.from - RUNS as i64 * 60 * SECOND)
            .filter(|session| is_in(*session) && keep(*session))
            .skip(skip)
            .take(limit)
            .collect()
    }

    /// The session's traces that are in the range.
    pub(crate) fn runs_in(&self, session: u64, range: Range) -> impl Iterator<Item = u64> {
        (session * RUNS..(session + 1) * RUNS).filter(move |trace| self.trace_is_in(*trace, range))
    }

    /// True when a span of the trace that is in the range is as `is` says.
    pub(crate) fn has_span(&self, trace: u64, range: Range, is: impl Fn(&Step) -> bool) -> bool {
        let mut spans = (trace * TRACE..(trace + 1) * TRACE).map(|n| self.workload().step(n));
        spans.any(|step| step.start < range.to && step.end >= range.from && is(&step))
    }

    /// A random span.
    pub(crate) fn any_span(&self, dice: &mut Dice) -> u64 {
        dice.below(self.workload().sessions) * SESSION + dice.below(SESSION)
    }
}
