//! MeshFlow: runs of agents under policy, over five paths with names of their own.

use super::read;
use meshscope_model::{Operation, Span, SpanFacts, Tokens};

pub(super) fn span(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    let text = |names: &[&str]| read::text(a, names);
    facts.origin.session = text(&["meshflow.run_id", "run_id"]).or_else(|| facts.origin.session.take());
    facts.origin.agent = text(&[
        "agent.role",
        "meshflow.agent.name",
        "meshflow.role",
        "meshflow.agent_id",
        "node.id",
        "meshflow.node_id",
    ])
    .or_else(|| facts.origin.agent.take());
    facts.role = text(&["agent.role", "meshflow.agent.role", "meshflow.role"]);
    facts.tool = text(&["meshflow.tool.name", "mcp.tool_name"]);
    facts.model = facts
        .model
        .take()
        .or_else(|| text(&["llm.request.model"]))
        .filter(|model| model != "unknown");
    facts.provider = facts.provider.take().or_else(|| text(&["llm.system"]));
    facts.verdict = text(&[
        "meshflow.verdict",
        "dasc.verdict",
        "verdict",
        "meshflow.gate_result",
    ]);
    facts.operation = operation(&span.name);
    facts.reported_duration = read::milliseconds(a, "agent.duration_ms");
    let flags = [
        "meshflow.blocked",
        "blocked",
        "meshflow.agent.blocked",
        "meshflow.guardrail.blocked",
        "mcp.blocked",
    ];
    facts.blocked = flags.iter().any(|name| a.bool(name) == Some(true))
        || ["meshflow.verdict", "meshflow.gate_result"]
            .iter()
            .any(|name| a.str(name) == Some("blocked"));
    if facts.blocked {
        let reason = text(&["meshflow.block_reason", "block_reason", "mcp.block_reason"]);
        facts.error =
            reason.or_else(|| Some(span.status.message.clone()).filter(|message| message != "error"));
    } else if a.bool("agent.success") == Some(false) {
        facts.error = Some(read::error_text(span));
    }
    // Input and output are halves of the total, invented by the sender: only the total is measured.
    let total = read::count(
        a,
        &[
            "agent.tokens",
            "tokens_used",
            "gen_ai.usage.total_tokens",
            "llm.usage.total_tokens",
            "meshflow.tokens",
        ],
    );
    let cost = [
        "agent.cost_usd",
        "cost_usd",
        "meshflow.agent.cost_usd",
        "meshflow.cost_usd",
    ];
    let cost = cost.iter().find_map(|name| a.get(name)).and_then(read::pico_usd);
    let carbon = read::micrograms(a, &["meshflow.carbon_gco2", "meshflow.carbon_g"]);
    facts.usage = read::usage(
        Tokens {
            total,
            ..Tokens::default()
        },
        cost,
        carbon,
    );
    if let Some(usage) = &mut facts.usage {
        usage.claim = span.name == "meshflow.run";
    }
}

fn operation(name: &str) -> Operation {
    match name {
        "meshflow.run" => Operation::InvokeWorkflow,
        "meshflow.agent.step" | "meshflow.agent" => Operation::InvokeAgent,
        "meshflow.tool.call" | "meshflow.mcp.call" => Operation::ExecuteTool,
        "meshflow.handoff" => Operation::Handoff,
        "meshflow.guardrail.check"
        | "meshflow.gate"
        | "meshflow.policy_check"
        | "meshflow.dasc_gate.evaluate" => Operation::Guardrail,
        "meshflow.rag.retrieve" => Operation::Retrieval,
        name if name.starts_with("step:") || name.starts_with("meshflow.step.") => Operation::InvokeAgent,
        _ => Operation::Other,
    }
}
