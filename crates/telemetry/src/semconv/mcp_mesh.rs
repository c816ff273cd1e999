//! MCP Mesh: what its agents publish, and what its registry sends on over OTLP under `mcp.*`
//! names of its own. A trace is a request; there is no session above it.

use super::{genai, read};
use crate::mcp_mesh::is_hidden;
use meshscope_model::{Attributes, Operation, Span, SpanFacts, Tokens, Usage};

pub(super) fn span(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    // An id that is not one of OpenTelemetry's is the caller's own name for what it does.
    facts.origin.session = read::text(a, &["trace_id"]);
    facts.origin.project = read::text(&span.resource.attributes, &["agent_namespace"])
        .filter(|name| name != "null")
        .or_else(|| facts.origin.project.take());
    facts.origin.agent = read::text(a, &["mcp.agent.name"])
        .or_else(|| Some(span.resource.service().to_owned()))
        .filter(|agent| agent != "unknown_service");
    let operation = read::text(a, &["mcp.operation", "operation.name"]).unwrap_or_else(|| span.name.clone());
    facts.noise = is_hidden(&operation);
    if span.duration() == 0 && span.end_time.is_some() {
        facts.reported_duration = read::milliseconds(a, "duration_ms")
            .or_else(|| read::milliseconds(a, "mcp.duration.ms"))
            .filter(|duration| *duration > 0);
    }
    if facts.noise {
        facts.operation = Operation::Other;
        return;
    }
    facts.operation = Operation::ExecuteTool;
    facts.tool = Some(operation).filter(|operation| !operation.is_empty());
    model(a, facts);
}

/// A function that calls a model carries the call's tokens: the calling tool's span has them,
/// the provider's has not. `llm_provider` is a selector of the mesh; the provider's name stands
/// before the slash of `llm_model`. A streamed call counts nothing and says `0`.
fn model(a: &Attributes, facts: &mut SpanFacts) {
    let named = a
        .text("llm_model")
        .filter(|name| !matches!(*name, "null" | "None"));
    let tokens = tokens(a);
    if named.is_none() && a.get("llm_total_tokens").is_none() {
        return;
    }
    facts.operation = Operation::Chat;
    if let Some(named) = named {
        let (provider, model) = named.split_once('/').unwrap_or(("", named));
        facts.model = Some(model.to_owned()).filter(|model| !model.is_empty());
        facts.provider = Some(genai::provider(provider).to_owned()).filter(|name| !name.is_empty());
    }
    // A call of unknown size is still a call.
    facts.usage = Some(Usage {
        tokens: tokens.with_total(),
        ..Usage::default()
    });
}

fn tokens(a: &Attributes) -> Tokens {
    let count = |name: &str| read::count(a, &[name]).or_else(|| read::count_in_string(a, name));
    let tokens = Tokens {
        input: count("llm_input_tokens"),
        output: count("llm_output_tokens"),
        total: count("llm_total_tokens"),
        ..Tokens::default()
    };
    if tokens.classes().iter().flatten().any(|n| *n > 0) {
        tokens
    } else {
        Tokens::default()
    }
}
