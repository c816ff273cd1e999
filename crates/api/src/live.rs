//! The live stream: what each commit changed, as server-sent events of `GET /api/v1/stream`.
//!
//! | event | data | says |
//! |---|---|---|
//! | `open` | [`Position`] | where the stream starts; the first event, once a connection |
//! | `delta` | [`Delta`] | records that were kept |
//! | `gap` | [`Gap`] | records were left out; the stream goes on after them |
//! | `heartbeat` | [`Position`] | nothing happened; `cursor` has moved past records that the filters leave out |
//! | `end` | [`Position`] | the server ends, or `until` is reached |
//!
//! The id of each event is its cursor. Records come in the order of their sequence numbers. A
//! span that gained something (its end, attributes) comes again under a new number: its identity
//! is (trace id, span id), and the latest says all.

use crate::logs::Log;
use meshscope_model::{
    Attributes, MetricKind, MetricPoint, Operation, Origin, PointValue, Span, SpanFacts, SpanId, StatusCode,
    System, Temporality, Tokens, TraceId,
};
use serde::{Deserialize, Serialize};

/// A place in the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Position {
    /// Give it as `cursor` (or `Last-Event-ID`) to go on from here.
    pub cursor: String,
}

/// Records that were kept, in the order of their arrival.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delta {
    /// The place after these records.
    pub cursor: String,
    /// Spans that are new or changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<LiveSpan>,
    /// Log records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<Log>,
    /// Metric points.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metric_points: Vec<LivePoint>,
    /// The traces that the spans and log records belong to, each once with each session of theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<TouchedTrace>,
    /// The sessions that the records belong to, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<TouchedSession>,
}

impl Delta {
    /// How many records it carries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len() + self.logs.len() + self.metric_points.len()
    }

    /// True when it carries none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A trace of which something was kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TouchedTrace {
    /// Identity.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub trace_id: TraceId,
    /// The session it belongs to, as known now; a later delta may name another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// A session of which something was kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TouchedSession {
    /// The tenant.
    pub project: String,
    /// Identity within the project.
    pub session_id: String,
}

/// Records that the stream left out. Those that are still kept can be read with
/// `cursor=from&until=to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gap {
    /// The last place before what was left out.
    pub from: String,
    /// The place where the stream goes on.
    pub to: String,
    /// Why.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason: GapReason,
}

/// Why records were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The client took records more slowly than they came.
    Behind,
    /// Some of them are no longer kept.
    Retention,
    /// The cursor is of another store, or of a state of this one that is gone.
    UnknownCursor,
}

/// A span in short; the trace's own page has the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LiveSpan {
    /// Order of arrival; unique among all records.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sequence: i64,
    /// Trace it belongs to.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub trace_id: TraceId,
    /// Identity within the trace.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub span_id: SpanId,
    /// The span it was started under; absent for a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub parent_span_id: Option<SpanId>,
    /// Operation name.
    pub name: String,
    /// `service.name`.
    pub service: String,
    /// What it does.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub operation: Operation,
    /// Start, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub start_time: i64,
    /// How long it took, ns; absent while it is in progress.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub duration_ns: Option<i64>,
    /// Status as sent.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub status: StatusCode,
    /// What went wrong; empty when it failed without a text, absent when it did not fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// A gate, guard or policy stopped it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
    /// Internal chatter of a framework.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noise: bool,
    /// Who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Model it called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Provider of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Tool it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Title for its session or run, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Tokens of the call; what an ancestor claims over its calls is not given.
    #[serde(default, skip_serializing_if = "Tokens::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tokens: Tokens,
    /// Cost of the call in pico-dollars; absent when it is not known.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cost_pico_usd: Option<i64>,
    /// The session it belongs to, as known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The tenant.
    pub project: String,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The dialect.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub system: System,
}

impl LiveSpan {
    /// The short form of a span that belongs to `session_id`.
    #[must_use]
    pub fn new(sequence: i64, span: &Span, facts: &SpanFacts, session_id: Option<String>) -> Self {
        let usage = facts.usage.as_ref().filter(|usage| !usage.claim);
        let duration = || facts.reported_duration.unwrap_or_else(|| span.duration());
        Self {
            sequence,
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            name: span.name.clone(),
            service: span.resource.service().to_owned(),
            operation: facts.operation,
            start_time: span.start_time,
            duration_ns: span.end_time.map(|_| duration()),
            status: span.status.code,
            error: facts.error.clone(),
            blocked: facts.blocked,
            noise: facts.noise,
            agent: facts.origin.agent.clone(),
            model: facts.model.clone(),
            provider: facts.provider.clone(),
            tool: facts.tool.clone(),
            title: facts.title.clone(),
            tokens: usage.map(|usage| usage.tokens).unwrap_or_default(),
            cost_pico_usd: usage.and_then(|usage| usage.cost_pico_usd),
            session_id,
            project: project_of(&facts.origin).to_owned(),
            room: facts.origin.room.clone(),
            system: facts.origin.system,
        }
    }
}

/// A metric point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LivePoint {
    /// Order of arrival; unique among all records.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sequence: i64,
    /// Name of the metric.
    pub name: String,
    /// UCUM unit, may be empty.
    pub unit: String,
    /// Type.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kind: MetricKind,
    /// How consecutive points relate.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub temporality: Temporality,
    /// For a sum: true when it only grows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub monotonic: bool,
    /// `service.name`.
    pub service: String,
    /// The attributes that tell its series from others, in OTLP/JSON's form.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub attributes: Attributes,
    /// Start of what it covers, ns since the epoch; 0 when not said.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub start_time: i64,
    /// When it was taken, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub time: i64,
    /// The value.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: PointValue,
    /// Who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The session, when it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The tenant.
    pub project: String,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The dialect.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub system: System,
}

impl LivePoint {
    /// The point as it goes over the stream.
    #[must_use]
    pub fn new(sequence: i64, point: &MetricPoint, origin: &Origin, session_id: Option<String>) -> Self {
        Self {
            sequence,
            name: point.metric.name.clone(),
            unit: point.metric.unit.clone(),
            kind: point.metric.kind,
            temporality: point.metric.temporality,
            monotonic: point.metric.monotonic,
            service: point.resource.service().to_owned(),
            attributes: point.attributes.clone(),
            start_time: point.start_time,
            time: point.time,
            value: point.value.clone(),
            agent: origin.agent.clone(),
            session_id,
            project: project_of(origin).to_owned(),
            room: origin.room.clone(),
            system: origin.system,
        }
    }
}

/// The project of a record.
#[must_use]
pub fn project_of(origin: &Origin) -> &str {
    origin.project.as_deref().unwrap_or("default")
}
