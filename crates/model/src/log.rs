//! Log records as sent: OTLP's `LogRecord`, with resource and scope.

use crate::id::{SpanId, TraceId};
use crate::resource::{Resource, Scope};
use crate::value::{AttributeValue, Attributes};
use std::sync::Arc;

/// A log record or event.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    /// Who emitted it.
    pub resource: Arc<Resource>,
    /// The logger.
    pub scope: Arc<Scope>,
    /// When it happened, ns since the epoch; 0 when the sender does not know.
    pub time: i64,
    /// When it was collected, ns since the epoch; 0 when not said.
    pub observed_time: i64,
    /// 1 to 24, 0 when not said (<https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>).
    pub severity_number: u8,
    /// The sender's own word for the level.
    pub severity_text: String,
    /// Body of any type.
    pub body: AttributeValue,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags.
    pub flags: u32,
    /// The trace it was written in.
    pub trace_id: Option<TraceId>,
    /// The span it was written in.
    pub span_id: Option<SpanId>,
    /// Name that makes the record an event; empty for a plain log.
    pub event_name: String,
}

impl LogRecord {
    /// The time to place the record at: its own, else when it was collected.
    #[must_use]
    pub fn placed_at(&self) -> i64 {
        if self.time != 0 {
            self.time
        } else {
            self.observed_time
        }
    }
}

/// The short name of a severity number: TRACE, DEBUG, INFO, WARN, ERROR, FATAL; empty for 0.
#[must_use]
pub fn severity_name(number: u8) -> &'static str {
    match number {
        1..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21..=24 => "FATAL",
        _ => "",
    }
}
