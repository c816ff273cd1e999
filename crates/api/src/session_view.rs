//! What the viewer of a session asks for: its log records in short, its lifecycle events, and the figures and
//! the order of lists of sessions.

use crate::params::Params;
use crate::problem::Problem;
use meshscope_model::{SpanId, Tokens, TraceId};
use serde::{Deserialize, Serialize};

/// What a list of sessions is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionOrder {
    /// When it started.
    #[default]
    Started,
    /// Active ones first, then by their latest moment.
    Activity,
    /// How long it took.
    Duration,
    /// How many runs.
    Runs,
    /// How many spans.
    Spans,
    /// How many log records.
    Logs,
    /// How many failed spans.
    Errors,
    /// Tokens of its calls; of those that report none, last.
    Tokens,
    /// Cost of its calls; unknown last.
    Cost,
}

impl SessionOrder {
    /// Every order, in that of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Started,
        Self::Activity,
        Self::Duration,
        Self::Runs,
        Self::Spans,
        Self::Logs,
        Self::Errors,
        Self::Tokens,
        Self::Cost,
    ];

    /// The word in the URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Activity => "activity",
            Self::Duration => "duration",
            Self::Runs => "runs",
            Self::Spans => "spans",
            Self::Logs => "logs",
            Self::Errors => "errors",
            Self::Tokens => "tokens",
            Self::Cost => "cost",
        }
    }

    /// The order named `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.as_str() == word)
    }
}

/// Figures over all sessions that a list would show, answer of `GET /api/v1/session-totals`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionTotals {
    /// How many sessions.
    pub sessions: u32,
    /// Of these, active ones.
    pub active: u32,
    /// Of these, failed ones.
    pub failed: u32,
    /// How many runs.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub runs: i64,
    /// How many spans.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spans: i64,
    /// How many log records.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub logs: i64,
    /// How many failed spans.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub errors: i64,
    /// How many blocked spans.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub blocked: i64,
    /// Their durations together, ns.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub duration_ns: i64,
    /// Tokens of their calls.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tokens: Tokens,
    /// Cost of their calls in pico-dollars; absent when no call has a known cost.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cost_pico_usd: Option<i64>,
    /// Calls without a known cost.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub unpriced_calls: i64,
}

/// What `GET /api/v1/sessions/{session_id}/logs` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLogQuery {
    /// Only records that arrived after the one with this sequence number.
    pub after: i64,
    /// How many records at the most.
    pub limit: u32,
}

impl SessionLogQuery {
    /// How many records come at the most, asked for or not.
    pub const MOST: u32 = 200_000;

    /// Reads a query string; the error names the parameter.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&["project", "after", "limit"])?;
        Ok(Self {
            after: params.number("after", 0, i64::MAX)?.unwrap_or(0),
            limit: params.number("limit", 1, Self::MOST)?.unwrap_or(Self::MOST),
        })
    }
}

/// A log record in short.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct BriefLog {
    /// Order of arrival; unique.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sequence: i64,
    /// When it happened, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub time: i64,
    /// 1 to 24; 0 when not said.
    pub severity_number: u8,
    /// `service.name`, index into [`SessionLogs::strings`].
    pub service: u32,
    /// Who acted, index into [`SessionLogs::strings`].
    pub agent: u32,
    /// Name that makes it an event, index into [`SessionLogs::strings`].
    pub event: u32,
    /// The beginning of its body as text.
    pub text: String,
    /// Trace it was written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub trace_id: Option<TraceId>,
    /// Span it was written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub span_id: Option<SpanId>,
}

/// Answer of `GET /api/v1/sessions/{session_id}/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionLogs {
    /// What is said often, each once; 0 is the empty text.
    pub strings: Vec<String>,
    /// The records in the order of (time, sequence).
    pub logs: Vec<BriefLog>,
    /// There are more than were asked for.
    pub more: bool,
}

impl SessionLogs {
    /// The text at `index`; empty when out of range.
    #[must_use]
    pub fn string(&self, index: u32) -> &str {
        self.strings.get(index as usize).map_or("", String::as_str)
    }
}

/// What happened in the life of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// A run, or the session by its own word, began.
    Started,
    /// Somebody came.
    Joined,
    /// A turn of a conversation began.
    Turn,
    /// A tool was called.
    Tool,
    /// Somebody was cut short.
    Interrupted,
    /// One agent handed over to another.
    HandedOver,
    /// A gate, guard or policy stopped something.
    Blocked,
    /// Something failed.
    Failed,
    /// Somebody went.
    Left,
    /// A run, or the session by its own word, ended.
    Ended,
    /// An event that senders name otherwise.
    Other,
}

impl Lifecycle {
    /// Every kind, in the order in which they are named.
    pub const ALL: [Self; 11] = [
        Self::Started,
        Self::Joined,
        Self::Turn,
        Self::Tool,
        Self::Interrupted,
        Self::HandedOver,
        Self::Blocked,
        Self::Failed,
        Self::Left,
        Self::Ended,
        Self::Other,
    ];

    /// Its name in the API and, but for the line, on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Joined => "joined",
            Self::Turn => "turn",
            Self::Tool => "tool",
            Self::Interrupted => "interrupted",
            Self::HandedOver => "handed_over",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Left => "left",
            Self::Ended => "ended",
            Self::Other => "other",
        }
    }
}

/// A lifecycle event of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionEvent {
    /// When, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub at: i64,
    /// What.
    pub kind: Lifecycle,
    /// Of what, in the sender's words: a name, an error.
    pub text: String,
    /// Who acted, where it is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent: String,
    /// The trace it is read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub trace_id: Option<TraceId>,
    /// The span it is read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub span_id: Option<SpanId>,
    /// Sequence number of the log record it is read from.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub log: Option<i64>,
}

/// Answer of `GET /api/v1/sessions/{session_id}/events`, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionEvents {
    /// The events.
    pub events: Vec<SessionEvent>,
    /// Others follow: the session has more spans or log records than are read for one answer.
    #[serde(default)]
    pub more: bool,
}

/// Who acts in a session, or what is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphNode {
    /// `agent`, `service`, `tool` or `model`.
    pub kind: String,
    /// Its name; empty for spans that name no service.
    pub name: String,
    /// How many spans.
    pub spans: u32,
    /// How many failed.
    pub errors: u32,
    /// How many were blocked.
    pub blocked: u32,
    /// How long its spans were themselves at work, ns.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub self_ns: i64,
}

/// Calls from one node to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphEdge {
    /// Who calls, a place among the nodes from 0.
    pub from: u32,
    /// Who is called.
    pub to: u32,
    /// How many calls.
    pub calls: u32,
    /// How many failed.
    pub errors: u32,
    /// How many were blocked.
    pub blocked: u32,
    /// How long they took together, ns.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub total_ns: i64,
}

/// Answer of `GET /api/v1/sessions/{session_id}/graph`: who called whom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionGraph {
    /// By kind and name.
    pub nodes: Vec<GraphNode>,
    /// By from and to.
    pub edges: Vec<GraphEdge>,
}
