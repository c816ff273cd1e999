//! What records mean: one file a dialect, each a pure function over what was sent.
//!
//! The dialect is told by resource and scope, and for conventions that any library may use
//! (GenAI, OpenInference) by their attributes; never by guess.

mod dexto;
mod genai;
mod mcp_mesh;
mod meshagent;
mod meshflow;
mod openinference;
pub mod provenance;
mod read;
mod videosdk;

use crate::mcp_mesh::{EVENT_SCOPE, REGISTRY_SCOPE, SPAN_SCOPE};
use meshscope_model::{
    Batch, LogRecord, MetricPoint, Origin, Resource, Scope, Span, SpanFacts, StatusCode, System,
};

/// Fills in the facts of every record of the batch.
pub fn understand(batch: &mut Batch) {
    for entry in &mut batch.spans {
        entry.facts = span(&entry.span);
    }
    for entry in &mut batch.logs {
        entry.origin = log(&entry.record);
    }
    for entry in &mut batch.points {
        entry.origin = point(&entry.point);
        entry.usage = meshagent::usage(&entry.point);
    }
    crate::videosdk::understand(&mut batch.points);
}

/// The dialect of a resource and scope.
fn system(resource: &Resource, scope: &Scope) -> System {
    let attributes = &resource.attributes;
    match scope.name.as_str() {
        "dexto" => return System::Dexto,
        "openai.llm.responses" => return System::MeshAgent,
        "meshflow" => return System::MeshFlow,
        name if name.starts_with("meshflow.") => return System::MeshFlow,
        name if name.starts_with("meshagent.") => return System::MeshAgent,
        SPAN_SCOPE | EVENT_SCOPE => return System::McpMesh,
        name if name.starts_with(REGISTRY_SCOPE) => return System::McpMesh,
        _ => {}
    }
    let videosdk = attributes.str("sdk.name") == Some("AGENTS")
        || attributes.str("service.name") == Some("videosdk-otel-telemetry-agents");
    if videosdk {
        return System::VideoSdk;
    }
    // MeshAgent's containers set these three plain keys; one alone may be anybody's.
    let keys = ["project", "room", "session"]
        .into_iter()
        .filter(|key| attributes.text(key).is_some())
        .count();
    if keys >= 2 {
        System::MeshAgent
    } else {
        System::OpenTelemetry
    }
}

/// Where a record belongs by its resource alone.
fn origin(resource: &Resource, scope: &Scope) -> Origin {
    let attributes = &resource.attributes;
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| attributes.text(name))
            .map(str::to_owned)
    };
    Origin {
        system: system(resource, scope),
        project: text(&["meshagent.project.id", "meshscope.project", "project"]),
        room: text(&["room", "service.namespace"]),
        session: text(&["session"]),
        fallback_session: text(&["session.id"]),
        agent: text(&["gen_ai.agent.name"]),
    }
}

/// The service, where the resource names one.
fn service(resource: &Resource) -> Option<String> {
    resource.attributes.text("service.name").map(str::to_owned)
}

/// What a span means.
#[must_use]
pub fn span(span: &Span) -> SpanFacts {
    let mut facts = SpanFacts {
        origin: origin(&span.resource, &span.scope),
        ..SpanFacts::default()
    };
    genai::span(span, &mut facts);
    match facts.origin.system {
        System::OpenTelemetry | System::OpenInference => openinference::span(span, &mut facts),
        System::MeshAgent => meshagent::span(span, &mut facts),
        System::VideoSdk => videosdk::span(span, &mut facts),
        System::MeshFlow => meshflow::span(span, &mut facts),
        System::Dexto => dexto::span(span, &mut facts),
        System::McpMesh => mcp_mesh::span(span, &mut facts),
    }
    if facts.error.is_none() && span.status.code == StatusCode::Error && !facts.blocked {
        facts.error = Some(read::error_text(span));
    }
    // What failed is never folded away.
    facts.noise &= facts.error.is_none() && !facts.blocked;
    facts
}

/// A session for a span that names none, where the receiver knows none either.
///
/// In dialects whose frameworks make spans for themselves only the other spans make a trace a
/// session of its own: a start-up of the framework is no session.
pub fn last_resort(span: &Span, facts: &mut SpanFacts) {
    let origin = &mut facts.origin;
    if origin.session.is_some() || origin.fallback_session.is_some() {
        return;
    }
    origin.fallback_session = match origin.system {
        System::MeshFlow => Some(meshflow::no_run(span, origin.agent.as_deref())),
        System::Dexto | System::MeshAgent if !facts.noise => Some(span.trace_id.to_string()),
        _ => None,
    };
}

/// Where a log record belongs.
#[must_use]
pub fn log(record: &LogRecord) -> Origin {
    let mut origin = origin(&record.resource, &record.scope);
    let attributes = &record.attributes;
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| attributes.text(name))
            .map(str::to_owned)
    };
    origin.session = text(&["session.id", "sessionId", "gen_ai.conversation.id"]).or(origin.session);
    origin.room = text(&["roomId"]).or(origin.room);
    origin.agent = text(&["gen_ai.agent.name"]).or(origin.agent);
    if origin.system == System::MeshFlow {
        origin.session = text(&["run_id"]).or(origin.session);
        origin.room = text(&["workflow_name"]).or(origin.room);
        origin.agent = text(&["node_id"]).or(origin.agent);
    }
    if origin.system == System::MeshAgent {
        origin.agent = origin.agent.or_else(|| service(&record.resource));
    }
    origin
}

/// Where a metric point belongs.
#[must_use]
pub fn point(point: &MetricPoint) -> Origin {
    let mut origin = origin(&point.resource, &point.scope);
    let text = |name: &str| point.attributes.text(name).map(str::to_owned);
    origin.session = text("session.id")
        .or_else(|| text("gen_ai.conversation.id"))
        .or(origin.session);
    origin.agent = text("gen_ai.agent.name").or(origin.agent);
    if origin.system == System::MeshAgent {
        origin.agent = origin.agent.or_else(|| service(&point.resource));
    }
    origin
}
