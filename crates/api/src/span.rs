//! One span with everything it carries.

use crate::preview::CutValue;
use meshscope_model::{
    Attributes, CostSource, Link, Operation, Resource, Scope, Span, SpanEvent, SpanFacts, SpanId, SpanKind,
    Status, System, Tokens, TraceId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A span as sent, and what it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanDetail {
    /// Its trace.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub trace_id: TraceId,
    /// Its identity.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub span_id: SpanId,
    /// The span it was started under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub parent_span_id: Option<SpanId>,
    /// W3C tracestate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_state: String,
    /// W3C trace flags.
    #[serde(default)]
    pub flags: u32,
    /// Operation name.
    pub name: String,
    /// Role in the call.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kind: SpanKind,
    /// Start, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub started_at: i64,
    /// End as sent, ns since the epoch; absent while in progress.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub ended_at: Option<i64>,
    /// Duration in ns, the reported one where the span's own times do not carry it.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub duration_ns: i64,
    /// Status as sent.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub status: Status,
    /// Attributes in OTLP/JSON's form, in the order sent.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    #[serde(default)]
    pub dropped_attributes_count: u32,
    /// Events.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub events: Vec<SpanEvent>,
    /// How many events the sender dropped.
    #[serde(default)]
    pub dropped_events_count: u32,
    /// Links.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub links: Vec<Link>,
    /// How many links the sender dropped.
    #[serde(default)]
    pub dropped_links_count: u32,
    /// Who emitted it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub resource: Resource,
    /// The library that made it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub scope: Scope,
    /// What it means.
    pub meaning: SpanMeaning,
    /// What gave each fact of `meaning`, by its name: attributes, those of the resource, events,
    /// `name`, `scope` or `status`. Only where one span is asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub provenance: BTreeMap<String, Vec<String>>,
    /// Values that stand cut in this answer. Only where a preview was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<CutValue>,
}

/// What a span means, in one vocabulary for all dialects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct SpanMeaning {
    /// The dialect.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub system: System,
    /// The tenant.
    pub project: String,
    /// The room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The session, as known now; absent for what a framework does outside of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Who acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Role of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What it does.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub operation: Operation,
    /// Tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Thread of conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// End user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Verdict of a gate in its own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// A gate, guard or policy stopped it.
    pub blocked: bool,
    /// What went wrong; present (maybe empty) when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Time to first token, ns.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub time_to_first_token_ns: Option<i64>,
    /// Duration read from an attribute, ns.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub reported_duration_ns: Option<i64>,
    /// Internal chatter of the framework.
    pub noise: bool,
    /// Someone cut in before its end.
    pub interrupted: bool,
    /// How unsure its result is, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<f64>,
    /// Tokens it reports.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub tokens: Tokens,
    /// True when its tokens and cost are a claim over other calls, not counted again.
    pub claim: bool,
    /// Cost in pico-dollars.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cost_pico_usd: Option<i64>,
    /// Where the cost comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub cost_source: Option<CostSource>,
    /// Carbon in micrograms CO2e.
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub carbon_ug: Option<i64>,
}

impl SpanDetail {
    /// Joins a span with its facts, the project it was kept under and the session it belongs
    /// to as known now.
    #[must_use]
    pub fn new(span: &Span, facts: &SpanFacts, project: &str, session_id: Option<String>) -> Self {
        let usage = facts.usage.as_ref();
        Self {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            trace_state: span.trace_state.clone(),
            flags: span.flags,
            name: span.name.clone(),
            kind: span.kind,
            started_at: span.start_time,
            ended_at: span.end_time,
            duration_ns: facts.reported_duration.unwrap_or_else(|| span.duration()),
            status: span.status.clone(),
            attributes: span.attributes.clone(),
            dropped_attributes_count: span.dropped_attributes_count,
            events: span.events.clone(),
            dropped_events_count: span.dropped_events_count,
            links: span.links.clone(),
            dropped_links_count: span.dropped_links_count,
            resource: (*span.resource).clone(),
            scope: (*span.scope).clone(),
            meaning: SpanMeaning {
                system: facts.origin.system,
                project: project.to_owned(),
                room: facts.origin.room.clone(),
                session_id,
                agent: facts.origin.agent.clone(),
                role: facts.role.clone(),
                operation: facts.operation,
                tool: facts.tool.clone(),
                model: facts.model.clone(),
                provider: facts.provider.clone(),
                conversation: facts.conversation.clone(),
                user: facts.user.clone(),
                verdict: facts.verdict.clone(),
                blocked: facts.blocked,
                error: facts.error.clone(),
                time_to_first_token_ns: facts.time_to_first_token,
                reported_duration_ns: facts.reported_duration,
                noise: facts.noise,
                interrupted: facts.interrupted,
                uncertainty: facts.uncertainty,
                tokens: usage.map(|usage| usage.tokens).unwrap_or_default(),
                claim: usage.is_some_and(|usage| usage.claim),
                cost_pico_usd: usage.and_then(|usage| usage.cost_pico_usd),
                cost_source: usage.and_then(|usage| usage.cost_source.clone()),
                carbon_ug: usage.and_then(|usage| usage.carbon_ug),
            },
            provenance: BTreeMap::new(),
            cut: Vec::new(),
        }
    }

    /// The span as it was sent.
    #[must_use]
    pub fn to_span(&self) -> Span {
        Span {
            resource: Arc::new(self.resource.clone()),
            scope: Arc::new(self.scope.clone()),
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_span_id: self.parent_span_id,
            trace_state: self.trace_state.clone(),
            flags: self.flags,
            name: self.name.clone(),
            kind: self.kind,
            start_time: self.started_at,
            end_time: self.ended_at,
            attributes: self.attributes.clone(),
            dropped_attributes_count: self.dropped_attributes_count,
            events: self.events.clone(),
            dropped_events_count: self.dropped_events_count,
            links: self.links.clone(),
            dropped_links_count: self.dropped_links_count,
            status: self.status.clone(),
        }
    }
}
