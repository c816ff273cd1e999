//! OpenTelemetry's GenAI and MCP conventions, the newest names and the older ones
//! (<https://github.com/open-telemetry/semantic-conventions-genai>).

use super::read;
use meshscope_model::{Attributes, Operation, Span, SpanFacts, Tokens};

/// How a call was sold.
const SERVICE_TIERS: [&str; 5] = [
    "gen_ai.openai.response.service_tier",
    "openai.response.service_tier",
    "gen_ai.response.service_tier",
    "gen_ai.openai.request.service_tier",
    "openai.request.service_tier",
];

pub(super) fn span(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    facts.origin.session = read::text(a, &["session.id", "gen_ai.conversation.id", "mcp.session.id"])
        .or_else(|| facts.origin.session.take());
    facts.user = read::text(a, &["user.id", "enduser.id"]);
    facts.verdict = read::text(a, &["meshscope.verdict"]);
    facts.blocked = a.bool("meshscope.blocked").unwrap_or(false);
    if !a
        .iter()
        .any(|kv| kv.key.starts_with("gen_ai.") || kv.key.starts_with("mcp.") || kv.key == "error.type")
    {
        return;
    }
    facts.conversation = read::text(a, &["gen_ai.conversation.id"]);
    facts.origin.agent = read::text(a, &["gen_ai.agent.name"]).or_else(|| facts.origin.agent.take());
    facts.model = read::text(a, &["gen_ai.response.model", "gen_ai.request.model"]);
    facts.provider =
        read::text(a, &["gen_ai.provider.name", "gen_ai.system"]).map(|name| provider(&name).to_owned());
    facts.tool = read::text(a, &["gen_ai.tool.name"]);
    facts.time_to_first_token = read::seconds(a, "gen_ai.response.time_to_first_chunk")
        .or_else(|| read::seconds(a, "gen_ai.server.time_to_first_token"));
    facts.operation = operation(a);
    facts.title = read::text(a, &["gen_ai.workflow.name"]);
    if facts.title.is_none() && facts.operation == Operation::InvokeAgent {
        facts.title.clone_from(&facts.origin.agent);
    }
    if let Some(kind) = a.text("error.type") {
        let text = read::error_text(span);
        facts.error = Some(if text.is_empty() { kind.to_owned() } else { text });
    }
    let cost = a.get("gen_ai.usage.cost").and_then(read::pico_usd);
    facts.usage = read::usage(tokens(a), cost, None);
    if let Some(usage) = &mut facts.usage {
        usage.batch = matches!(read::text(a, &SERVICE_TIERS).as_deref(), Some("batch" | "flex"));
        usage.claim = matches!(
            facts.operation,
            Operation::InvokeAgent | Operation::InvokeWorkflow
        );
    }
}

fn operation(a: &Attributes) -> Operation {
    match a.text("gen_ai.operation.name") {
        Some("chat" | "generate_content" | "text_completion") => Operation::Chat,
        Some("embeddings") => Operation::Embeddings,
        Some("invoke_agent" | "create_agent") => Operation::InvokeAgent,
        Some("invoke_workflow") => Operation::InvokeWorkflow,
        Some("execute_tool") => Operation::ExecuteTool,
        Some("retrieval") => Operation::Retrieval,
        Some("plan") => Operation::Plan,
        Some(_) => Operation::Other,
        None if a.text("mcp.method.name") == Some("tools/call") => Operation::ExecuteTool,
        None if a.get("gen_ai.evaluation.name").is_some() => Operation::Evaluation,
        None if a.get("gen_ai.request.model").is_some() => Operation::Chat,
        None if a.get("gen_ai.tool.name").is_some() => Operation::ExecuteTool,
        None => Operation::Other,
    }
}

fn tokens(a: &Attributes) -> Tokens {
    Tokens {
        input: read::count(a, &["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]),
        cached_input: read::count(
            a,
            &[
                "gen_ai.usage.cache_read.input_tokens",
                "gen_ai.usage.cache_read_input_tokens",
            ],
        ),
        cache_write: read::count(
            a,
            &[
                "gen_ai.usage.cache_write.input_tokens",
                "gen_ai.usage.cache_creation.input_tokens",
                "gen_ai.usage.cache_creation_input_tokens",
            ],
        ),
        output: read::count(
            a,
            &["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"],
        ),
        reasoning: read::count(
            a,
            &[
                "gen_ai.usage.reasoning.output_tokens",
                "gen_ai.usage.reasoning_tokens",
            ],
        ),
        audio_input: read::count(a, &["gen_ai.usage.audio.input_tokens"]),
        audio_output: read::count(a, &["gen_ai.usage.audio.output_tokens"]),
        total: read::count(a, &["gen_ai.usage.total_tokens"]),
    }
}

/// The conventions' present name of a provider.
pub(super) fn provider(name: &str) -> &str {
    match name {
        "az.ai.openai" => "azure.ai.openai",
        "az.ai.inference" => "azure.ai.inference",
        "vertex_ai" => "gcp.vertex_ai",
        "gemini" => "gcp.gemini",
        "xai" => "x_ai",
        other => other,
    }
}
