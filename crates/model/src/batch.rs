//! What one request brings to the store.

use crate::facts::{Call, Operation, Origin, SpanFacts};
use crate::log::LogRecord;
use crate::metric::MetricPoint;
use crate::span::Span;
use crate::usage::Usage;

/// A span with what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanEntry {
    /// As sent.
    pub span: Span,
    /// As understood.
    pub facts: SpanFacts,
}

/// A log record with where it belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// As sent.
    pub record: LogRecord,
    /// As understood.
    pub origin: Origin,
    /// What tells the record from others where its times are the receiver's: a hash of what was
    /// sent, so that the same record sent twice counts once.
    pub identity: Option<u64>,
}

/// A metric point with where it belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct PointEntry {
    /// As sent.
    pub point: MetricPoint,
    /// As understood.
    pub origin: Origin,
    /// Usage that the point reports (MeshAgent's token counters), with model and provider.
    pub usage: Option<PointUsage>,
    /// What tells the point from others of its series where its times are the receiver's.
    pub identity: Option<u64>,
    /// The call it was measured in, where a span describes the same one: it belongs to the
    /// span's session, and its usage counts only where the span's is not there.
    pub call: Option<Call>,
}

/// Usage read from a metric point.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PointUsage {
    /// Tokens and cost.
    pub usage: Usage,
    /// What was used.
    pub operation: Operation,
    /// How long the call took, ns.
    pub duration: Option<i64>,
    /// Time to the first token of the call, ns.
    pub time_to_first_token: Option<i64>,
    /// Model, when the point names it.
    pub model: Option<String>,
    /// Provider, when the point names it.
    pub provider: Option<String>,
}

/// Records of any signal, decoded and understood, on their way to the store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Spans.
    pub spans: Vec<SpanEntry>,
    /// Log records.
    pub logs: Vec<LogEntry>,
    /// Metric points.
    pub points: Vec<PointEntry>,
}

impl Batch {
    /// How many records of all signals.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len() + self.logs.len() + self.points.len()
    }

    /// True when there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the records of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.spans.append(&mut other.spans);
        self.logs.append(&mut other.logs);
        self.points.append(&mut other.points);
    }
}
