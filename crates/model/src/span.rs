//! Spans as sent: OTLP's `Span`, with resource and scope.

use crate::id::{SpanId, TraceId};
use crate::resource::{Resource, Scope};
use crate::value::Attributes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A span as its sender sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Who emitted it.
    pub resource: Arc<Resource>,
    /// The library that made it.
    pub scope: Arc<Scope>,
    /// Trace it belongs to; valid.
    pub trace_id: TraceId,
    /// Its identity within the trace; valid.
    pub span_id: SpanId,
    /// The span it was started under; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// W3C tracestate, empty when none.
    pub trace_state: String,
    /// W3C trace flags and OTLP's remote bits.
    pub flags: u32,
    /// Operation name.
    pub name: String,
    /// Role in the call.
    pub kind: SpanKind,
    /// Start, ns since the epoch.
    pub start_time: i64,
    /// End, ns since the epoch; `None` while the span is in progress. May lie before
    /// `start_time` when the sender's clock did: it is kept as sent.
    pub end_time: Option<i64>,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Events within the span.
    pub events: Vec<SpanEvent>,
    /// How many events the sender dropped.
    pub dropped_events_count: u32,
    /// Links to other spans.
    pub links: Vec<Link>,
    /// How many links the sender dropped.
    pub dropped_links_count: u32,
    /// Status as sent.
    pub status: Status,
}

impl Span {
    /// End less start in ns; zero while in progress or when the end lies before the start.
    #[must_use]
    pub fn duration(&self) -> i64 {
        self.end_time
            .map_or(0, |end| end.saturating_sub(self.start_time).max(0))
    }
}

/// OTLP `SpanKind`; the numbers are OTLP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// Not said.
    #[default]
    Unspecified = 0,
    /// Within a process.
    Internal = 1,
    /// Answers a remote call.
    Server = 2,
    /// Makes a remote call.
    Client = 3,
    /// Sends a message.
    Producer = 4,
    /// Receives a message.
    Consumer = 5,
}

impl SpanKind {
    /// Kinds in the order of their OTLP numbers.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::Internal,
        Self::Server,
        Self::Client,
        Self::Producer,
        Self::Consumer,
    ];

    /// The kind with OTLP number `n`; unknown numbers are unspecified, as proto3 enums are open.
    #[must_use]
    pub fn from_number(n: i64) -> Self {
        usize::try_from(n)
            .ok()
            .and_then(|n| Self::ALL.get(n).copied())
            .unwrap_or_default()
    }

    /// Lower-case name, for example `client`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// Status of a span.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// Code.
    pub code: StatusCode,
    /// Message; meant for errors, may be empty.
    #[serde(default)]
    pub message: String,
}

/// OTLP `Status.StatusCode`; the numbers are OTLP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusCode {
    /// Not set.
    #[default]
    Unset = 0,
    /// Set to success.
    Ok = 1,
    /// Failed.
    Error = 2,
}

impl StatusCode {
    /// The code with OTLP number `n`; unknown numbers are unset.
    #[must_use]
    pub fn from_number(n: i64) -> Self {
        match n {
            1 => Self::Ok,
            2 => Self::Error,
            _ => Self::Unset,
        }
    }

    /// Lower-case name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// Something that happened at a moment within a span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SpanEvent {
    /// When, ns since the epoch.
    #[serde(with = "crate::decimal")]
    pub time: i64,
    /// Name, for example `exception`.
    pub name: String,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    #[serde(default)]
    pub dropped_attributes_count: u32,
}

/// A pointer to another span.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Link {
    /// Trace of the other span.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// W3C tracestate.
    #[serde(default)]
    pub trace_state: String,
    /// Attributes.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    #[serde(default)]
    pub dropped_attributes_count: u32,
    /// W3C trace flags.
    #[serde(default)]
    pub flags: u32,
}
