//! MCP Mesh as its registry exports it over OTLP. Its `mcp.*` names are its own.

use super::read;
use meshscope_model::{Operation, Span, SpanFacts};

pub(super) fn span(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    facts.origin.session = None;
    facts.origin.agent = read::text(a, &["mcp.agent.name"])
        .or_else(|| Some(span.resource.service().to_owned()))
        .filter(|agent| agent != "unknown_service");
    let operation = read::text(a, &["mcp.operation", "operation.name"]).unwrap_or_else(|| span.name.clone());
    facts.noise = operation.starts_with("proxy_call_wrapper") || operation.starts_with("_internal_");
    facts.operation = if facts.noise {
        Operation::Other
    } else {
        Operation::ExecuteTool
    };
    facts.tool = Some(operation).filter(|_| !facts.noise);
    if span.duration() == 0 {
        facts.reported_duration = read::milliseconds(a, "mcp.duration.ms");
    }
}
