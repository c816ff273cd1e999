//! MeshAgent: rooms. Tokens come on counters only, named after the class of token.

use super::read;
use meshscope_model::batch::PointUsage;
use meshscope_model::{MetricPoint, Operation, PointValue, Span, SpanFacts, Temporality, Tokens, Usage};

pub(super) fn span(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    // `session_id` on `llm.turn` is an internal context, not the room's session.
    facts.origin.agent = Some(span.resource.service().to_owned());
    facts.conversation = read::text(a, &["thread_id"]);
    facts.model = facts.model.take().or_else(|| read::text(a, &["model"]));
    facts.provider = facts.provider.take().or_else(|| read::text(a, &["provider"]));
    match span.name.as_str() {
        "agent.turn" => {
            facts.operation = Operation::Turn;
            if a.bool("error") == Some(true) {
                facts.error = Some(read::text(a, &["error.code"]).unwrap_or_else(|| read::error_text(span)));
            }
        }
        "llm.invoke" => facts.operation = Operation::Chat,
        // Its duration is the time to the first token of the turn.
        "agent.turn.llm.first_text_delta" => {
            facts.time_to_first_token = Some(span.duration());
            facts.noise = true;
        }
        "agent.turn.llm.first_event"
        | "llm.stream.event"
        | "llm.handle_response"
        | "llm.turn.iteration"
        | "llm.turn.check_for_termination"
        | "llm.tool_adapter.create_messages"
        | "agent.turn.llm.start_session"
        | "agent.turn.queue"
        | "agent.turn.accepted.emit"
        | "agent.turn.started.emit"
        | "agent.turn.pending_status.remove" => facts.noise = true,
        name if name.starts_with("agent.turn.context.") => facts.noise = true,
        name if name.starts_with("execute.") => {
            facts.operation = Operation::ExecuteTool;
            facts.tool = match (a.text("toolkit"), a.text("tool")) {
                (Some(toolkit), Some(tool)) => Some(format!("{toolkit}/{tool}")),
                (_, tool) => tool.map(str::to_owned),
            };
        }
        _ => {}
    }
}

/// The tokens of a `meshagent.usage` counter. `total_tokens` repeats the others and is left out;
/// `input_tokens` is uncached input only.
pub(super) fn usage(point: &MetricPoint) -> Option<PointUsage> {
    if point.scope.name != "meshagent.usage" || point.metric.temporality != Temporality::Delta {
        return None;
    }
    let n = match point.value {
        PointValue::Double(x) if x.is_finite() && x >= 0.0 => x.round() as i64,
        PointValue::Int(n) if n >= 0 => n,
        _ => return None,
    };
    let some = Some(n);
    let tokens = match point.metric.name.as_str() {
        "input_tokens" => Tokens {
            input: some,
            total: some,
            ..Tokens::default()
        },
        "cached_tokens" | "cache_read_input_tokens" => Tokens {
            input: some,
            cached_input: some,
            total: some,
            ..Tokens::default()
        },
        "cache_write_tokens" | "cache_creation_input_tokens" => Tokens {
            input: some,
            cache_write: some,
            total: some,
            ..Tokens::default()
        },
        "output_tokens" => Tokens {
            output: some,
            total: some,
            ..Tokens::default()
        },
        "reasoning_tokens" => Tokens {
            reasoning: some,
            ..Tokens::default()
        },
        _ => return None,
    };
    Some(PointUsage {
        usage: Usage {
            tokens,
            ..Usage::default()
        },
        operation: Operation::Chat,
        model: read::text(&point.attributes, &["model"]),
        provider: read::text(&point.attributes, &["provider"]),
        ..PointUsage::default()
    })
}
