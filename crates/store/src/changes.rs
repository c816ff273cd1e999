//! Which records a write changed, and what the live stream asks a store for.

use meshscope_analysis::TraceSession;
use meshscope_api::{LivePoint, LiveSpan, Log};
use meshscope_model::{SpanEntry, TraceId};
use std::collections::HashMap;

/// A span that a write made or changed.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangedSpan {
    /// As it stands in the batches: its position among the spans of all of them.
    Sent(u32),
    /// What became of it together with what was there.
    Merged(Box<SpanEntry>),
}

/// The records that a write kept, in the order of their sequence numbers: spans, then log
/// records, then metric points, from `after` + 1 on without a hole. Positions count through the
/// records of that signal in all batches of the write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// The last sequence number before them.
    pub after: i64,
    /// Spans that are new or changed.
    pub spans: Vec<ChangedSpan>,
    /// Positions of the log records, ascending.
    pub logs: Vec<u32>,
    /// Positions of the metric points, ascending.
    pub points: Vec<u32>,
    /// What all records of the write's traces say of their session, earlier writes' too; traces
    /// of which none says anything are absent.
    pub sessions: HashMap<TraceId, TraceSession>,
}

impl Changes {
    /// How many records of all signals.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len() + self.logs.len() + self.points.len()
    }

    /// True when nothing was kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sequence number of the last of them.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.after + i64::try_from(self.len()).unwrap_or(i64::MAX)
    }
}

/// Which store this is, and which sequence numbers it can tell of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamPosition {
    /// Name of the store, made with its file and never again.
    pub store: String,
    /// The highest sequence number that retention has removed; 0 when it removed none.
    pub removed: i64,
    /// The latest sequence number that was given.
    pub last: i64,
}

/// Records out of the store as the live stream carries them, each list in the order of sequence
/// numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveRecords {
    /// The highest sequence number that retention has removed by now: when it is above the one
    /// that was read after, records between may be missing.
    pub removed: i64,
    /// Spans.
    pub spans: Vec<LiveSpan>,
    /// Log records.
    pub logs: Vec<Log>,
    /// Metric points.
    pub points: Vec<LivePoint>,
}
