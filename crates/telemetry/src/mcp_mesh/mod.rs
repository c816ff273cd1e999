//! MCP Mesh's trace streams (Redis): one entry becomes one span.
//!
//! Entries have two shapes. The SDKs publish one entry a finished span. The documentation has
//! `span_start`, `span_end` and `error` events; each of them becomes what is known of its span
//! by it alone, and the store joins the events of one span by [`settle`]. The span is a function
//! of the set of its events, so it comes out the same in any order of arrival, after any
//! restart and however often an entry is read, and nothing has to be held in memory for it.

mod event;
mod fields;

pub use event::settle;
pub use fields::{span_id, trace_id};

use event::Lifecycle;
use fields::Fields;
use meshscope_model::{Attributes, KeyValue, Resource, Scope, Span, SpanEntry, SpanKind, Status, StatusCode};
use std::sync::Arc;

/// Scope of spans that an agent published whole.
pub const SPAN_SCOPE: &str = "mcp-mesh";
/// Scope of spans that are made of `span_start`, `span_end` and `error` events.
pub const EVENT_SCOPE: &str = "mcp-mesh.events";
/// How scopes begin of the copies that MCP Mesh's registry sends over OTLP; the agent follows.
pub const REGISTRY_SCOPE: &str = "mcp-mesh/";

/// Functions of MCP Mesh itself, which a reader of a trace does not look for.
const HIDDEN: [&str; 2] = ["proxy_call_wrapper", "_internal_"];

/// Why an entry of a stream is not a span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct EntryError {
    /// The field at fault.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl EntryError {
    fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }
}

/// True for a function of MCP Mesh itself: its spans are kept and folded, and their children
/// shown in their place.
#[must_use]
pub fn is_hidden(operation: &str) -> bool {
    HIDDEN.iter().any(|prefix| operation.starts_with(prefix))
}

/// How far a span is to be believed where the same one was sent twice: what an agent published
/// goes before what its events say, and both before the registry's copy, which has neither
/// tokens nor sizes. Spans of other systems all stand alike.
#[must_use]
pub fn standing(span: &Span) -> u8 {
    match span.scope.name.as_str() {
        name if name.starts_with(REGISTRY_SCOPE) => 0,
        EVENT_SCOPE => 1,
        _ => 2,
    }
}

/// Decodes one entry. `id` is its id in the stream (`1795220548289-0`): its time stands in
/// where the entry has none.
pub fn decode(id: &str, fields: &[(String, String)]) -> Result<SpanEntry, EntryError> {
    let fields = Fields(fields);
    let span = match Lifecycle::of(&fields)? {
        Some(lifecycle) => event::span(lifecycle, id, &fields)?,
        None => finished(id, &fields)?,
    };
    let facts = crate::semconv::span(&span);
    Ok(SpanEntry { span, facts })
}

/// A span that was published when it had ended.
fn finished(id: &str, fields: &Fields<'_>) -> Result<Span, EntryError> {
    let mut span = blank(fields, SPAN_SCOPE)?;
    let duration = fields.milliseconds("duration_ms")?;
    let (start, end) = (fields.seconds("start_time")?, fields.seconds("end_time")?);
    let (start, end) = match (start, end, duration) {
        (Some(start), Some(end), _) => (start, end),
        (Some(start), None, duration) => (start, start.saturating_add(duration.unwrap_or(0))),
        (None, end, duration) => {
            let end = match end {
                Some(end) => end,
                None => fields.published(id)?,
            };
            (end.saturating_sub(duration.unwrap_or(0)), end)
        }
    };
    span.start_time = start;
    span.end_time = Some(end);
    span.attributes = fields.attributes(&["start_time", "end_time"]);
    span.name = operation(&span.attributes);
    span.kind = kind(&span);
    span.status = status(&span.attributes);
    Ok(span)
}

/// A span with its identity and who emitted it.
fn blank(fields: &Fields<'_>, scope: &str) -> Result<Span, EntryError> {
    Ok(Span {
        resource: Arc::new(resource(fields)),
        scope: Arc::new(Scope {
            name: scope.to_owned(),
            ..Scope::default()
        }),
        trace_id: fields.trace_id()?,
        span_id: fields.span_id()?,
        parent_span_id: fields.parent_span_id(),
        trace_state: String::new(),
        flags: 0,
        name: String::new(),
        kind: SpanKind::Unspecified,
        start_time: 0,
        end_time: None,
        attributes: Attributes::default(),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status: Status::default(),
    })
}

/// The agent, under its own words and OpenTelemetry's.
fn resource(fields: &Fields<'_>) -> Resource {
    let mut attributes = Attributes::default();
    for (name, from) in [
        ("service.name", "agent_name"),
        ("service.instance.id", "agent_id"),
        ("host.name", "agent_hostname"),
    ] {
        if let Some(text) = fields.text(from) {
            attributes.0.push(KeyValue::new(name, text));
        }
    }
    attributes.0.extend(fields.of_agent());
    Resource {
        attributes,
        ..Resource::default()
    }
}

/// `function_name`, or `operation` as the documented events have it.
fn operation(attributes: &Attributes) -> String {
    ["function_name", "operation"]
        .into_iter()
        .find_map(|name| attributes.text(name))
        .filter(|name| fields::is_present(name))
        .unwrap_or_default()
        .to_owned()
}

/// As the registry has it: the root answers the caller, the others are within. A wrapper
/// around a call of another agent is the caller's side of it.
fn kind(span: &Span) -> SpanKind {
    if span.name.starts_with("proxy_call_wrapper") {
        SpanKind::Client
    } else if span.parent_span_id.is_none() {
        SpanKind::Server
    } else {
        SpanKind::Internal
    }
}

fn status(attributes: &Attributes) -> Status {
    let message = error_text(attributes);
    let code = match attributes.bool("success") {
        Some(true) => StatusCode::Ok,
        Some(false) => StatusCode::Error,
        None if message.is_some() => StatusCode::Error,
        None => StatusCode::Unset,
    };
    Status {
        message: message.filter(|_| code == StatusCode::Error).unwrap_or_default(),
        code,
    }
}

/// `error` as published, `error_message` as documented.
fn error_text(attributes: &Attributes) -> Option<String> {
    ["error", "error_message"]
        .into_iter()
        .filter_map(|name| attributes.text(name))
        .find(|text| fields::is_present(text))
        .map(str::to_owned)
}
