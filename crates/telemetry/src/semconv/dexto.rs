//! Dexto: one trace a call of `generate` or `stream`, with many spans of the framework itself.

use super::read;
use meshscope_model::{Operation, Span, SpanFacts, Tokens};

pub(super) fn span(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    facts.origin.session =
        read::text(a, &["sessionId", "baggage.sessionId"]).or_else(|| facts.origin.session.take());
    facts.origin.agent = Some(span.resource.service().to_owned());
    facts.conversation = read::text(a, &["threadId"]);
    facts.model = facts.model.take().or_else(|| read::text(a, &["llm.model"]));
    facts.provider = facts.provider.take().or_else(|| read::text(a, &["llm.provider"]));
    facts.usage = None;
    let name = span.name.as_str();
    match name {
        "agent.generate" | "agent.stream" | "agent.run" => facts.operation = Operation::InvokeAgent,
        "llm.stream" => {
            facts.operation = Operation::Chat;
            facts.time_to_first_token = read::milliseconds(a, "llm.stream.first_text_delta_received_ms");
        }
        // The only span with tokens; `input_tokens` is uncached, so all input is total less output.
        "llm.vercel.stream" => {
            facts.operation = Operation::Chat;
            facts.usage = read::usage(tokens(span), None, None);
        }
        "tool.execute" => {
            facts.operation = Operation::ExecuteTool;
            facts.tool = read::text(a, &["tool.name"]);
            if a.bool("tool.success") == Some(false) {
                facts.error = Some(read::error_text(span));
            }
        }
        // Made at start and end of a process or chat, each in a trace of its own.
        "agent.createSession" | "agent.stop" => facts.noise = true,
        _ if name.starts_with("agent.") || name.starts_with("turn.") => {}
        _ if name.starts_with("mcp.tool.") => {
            facts.operation = Operation::ExecuteTool;
            facts.tool = match (a.text("tool.server"), a.text("tool.name")) {
                (Some(server), Some(tool)) => Some(format!("{server}/{tool}")),
                (_, tool) => tool.map(str::to_owned),
            };
        }
        // Methods of the framework's own, some twenty around each call of a tool.
        _ => facts.noise = span.scope.name == "dexto",
    }
}

fn tokens(span: &Span) -> Tokens {
    let a = &span.attributes;
    let uncached = read::count(a, &["gen_ai.usage.input_tokens"]);
    let output = read::count(a, &["gen_ai.usage.output_tokens"]);
    let total = read::count(a, &["gen_ai.usage.total_tokens"]);
    let input = match (total, output) {
        (Some(total), Some(output)) if total >= output => Some(total - output),
        _ => uncached,
    };
    let cached = input
        .zip(uncached)
        .map(|(input, uncached)| input - uncached)
        .filter(|n| *n > 0);
    let reasoning = read::count(a, &["gen_ai.usage.reasoning_tokens"]);
    Tokens {
        input,
        cached_input: cached,
        output,
        reasoning,
        total,
        ..Tokens::default()
    }
}
