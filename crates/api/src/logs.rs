//! Log records.

use crate::live::project_of;
use meshscope_model::{
    AttributeValue, Attributes, LogRecord, Origin, Resource, Scope, SpanId, System, TraceId,
};
use serde::{Deserialize, Serialize};

/// A log record in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Log {
    /// Order of arrival; unique, and stable for as long as the record is kept.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sequence: i64,
    /// When it happened (or was collected, when the sender does not know), ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub time: i64,
    /// When it was collected, ns since the epoch; 0 when not said.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub observed_time: i64,
    /// 1 to 24; 0 when not said.
    pub severity_number: u8,
    /// The sender's own word for the level.
    pub severity_text: String,
    /// Body in OTLP/JSON's form.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub body: AttributeValue,
    /// Attributes in OTLP/JSON's form.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    #[serde(default)]
    pub dropped_attributes_count: u32,
    /// Name that makes it an event.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_name: String,
    /// W3C trace flags.
    #[serde(default)]
    pub flags: u32,
    /// Trace it was written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub trace_id: Option<TraceId>,
    /// Span it was written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub span_id: Option<SpanId>,
    /// `service.name`.
    pub service: String,
    /// The dialect.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub system: System,
    /// The tenant.
    pub project: String,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The session, when it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Who acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Who emitted it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub resource: Resource,
    /// The logger.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub scope: Scope,
}

impl Log {
    /// The record in full, as one of `session_id`. One without any time is placed at `received`.
    #[must_use]
    pub fn new(
        sequence: i64,
        record: &LogRecord,
        origin: &Origin,
        session_id: Option<String>,
        received: i64,
    ) -> Self {
        let placed_at = Some(record.placed_at()).filter(|time| *time != 0);
        Self {
            sequence,
            time: placed_at.unwrap_or(received),
            observed_time: record.observed_time,
            severity_number: record.severity_number,
            severity_text: record.severity_text.clone(),
            body: record.body.clone(),
            attributes: record.attributes.clone(),
            dropped_attributes_count: record.dropped_attributes_count,
            event_name: record.event_name.clone(),
            flags: record.flags,
            trace_id: record.trace_id,
            span_id: record.span_id,
            service: record.resource.service().to_owned(),
            system: origin.system,
            project: project_of(origin).to_owned(),
            room: origin.room.clone(),
            session_id,
            agent: origin.agent.clone(),
            resource: (*record.resource).clone(),
            scope: (*record.scope).clone(),
        }
    }
}

/// Answer of `GET /api/v1/logs`: newest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogPage {
    /// The records.
    pub logs: Vec<Log>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
