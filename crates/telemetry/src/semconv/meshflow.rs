//! MeshFlow: runs of agents under policy, over five paths with names of their own.

use super::read;
use crate::meshflow::CLOUD;
use meshscope_model::time::to_rfc3339;
use meshscope_model::{AttributeValue, Attributes, Call, Operation, Span, SpanFacts, StatusCode, Tokens};

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
    // Spans are made after the step, so that their own times tell nothing.
    let names = ["agent.duration_ms", "mcp.latency_ms"];
    facts.reported_duration = names.iter().find_map(|name| read::milliseconds(a, name));
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
    if span.scope.name == CLOUD {
        cloud(span, facts);
    }
    facts.uncertainty = facts
        .uncertainty
        .or_else(|| a.f64("meshflow.uncertainty"))
        .filter(|x| (0.0..=1.0).contains(x));
    if let Some(usage) = &mut facts.usage {
        usage.claim = span.name == "meshflow.run";
    }
    facts.call = call(span, facts);
}

/// What the cloud reporter says of a run, a step, an evaluation or a tool call, in names of its
/// own.
fn cloud(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    let text = |name: &str| read::text(a, &[name]);
    let kind = text("span_type").unwrap_or_default();
    facts.origin.agent = text("agent_name").or_else(|| facts.origin.agent.take());
    facts.origin.room = text("workflow_name").or_else(|| facts.origin.room.take());
    facts.title = text("workflow_name");
    facts.model = text("model").or_else(|| facts.model.take());
    match (span.name.as_str(), kind.as_str()) {
        ("meshflow.run", _) => {}
        ("meshflow.eval", _) => {
            facts.operation = Operation::Evaluation;
            facts.verdict = a
                .bool("passed")
                .map(|passed| if passed { "passed" } else { "failed" }.to_owned());
        }
        ("meshflow.mcp.call", _) => facts.tool = tool(a),
        (_, "llm_call" | "llm" | "generation" | "chat") => facts.operation = Operation::Chat,
        (name, "tool_call" | "tool" | "mcp") => {
            facts.operation = Operation::ExecuteTool;
            facts.tool = Some(name.to_owned());
        }
        (_, "retrieval" | "rag") => facts.operation = Operation::Retrieval,
        (_, "guardrail" | "policy" | "gate") => facts.operation = Operation::Guardrail,
        _ => facts.operation = Operation::InvokeAgent,
    }
    let state = text("status").unwrap_or_default();
    facts.blocked |= state == "blocked";
    if span.status.code == StatusCode::Error && !facts.blocked {
        let said = Some(read::error_text(span)).filter(|said| !said.is_empty());
        facts.error = said.or(Some(state));
    }
    if let Some(AttributeValue::Map(entries)) = a.get("metadata") {
        let found = entries.iter().find(|kv| kv.key == "uncertainty");
        facts.uncertainty = found.and_then(|kv| kv.value.as_f64());
    }
    let cost = ["cost_usd", "total_cost_usd"];
    let cost = cost.iter().find_map(|name| a.get(name)).and_then(read::pico_usd);
    facts.usage = read::usage(cloud_tokens(a), cost, read::micrograms(a, &["total_carbon_g"]));
}

fn tool(a: &Attributes) -> Option<String> {
    match (a.text("server_name"), a.text("tool_name")) {
        (Some(server), Some(tool)) => Some(format!("{server}/{tool}")),
        (_, tool) => tool.map(str::to_owned),
    }
}

/// An instrumented workflow puts the total of a step under `input_tokens` and no output: only
/// where there is some are both what they say.
fn cloud_tokens(a: &Attributes) -> Tokens {
    let total = read::count(a, &["total_tokens"]);
    let input = read::count(a, &["input_tokens"]);
    let output = read::count(a, &["output_tokens"]).filter(|n| *n > 0);
    if output.is_none() {
        return Tokens {
            total: total.or(input),
            ..Tokens::default()
        };
    }
    Tokens {
        input,
        output,
        total,
        ..Tokens::default()
    }
}

/// The call of a step that several paths report: the runtime's exporter, the tracer, the GenAI
/// recorder and the cloud reporter, in the order of what they know.
fn call(span: &Span, facts: &SpanFacts) -> Option<Call> {
    let usage = facts.usage.as_ref().filter(|usage| !usage.claim)?;
    let total = usage.tokens.total.filter(|n| *n > 0)?.to_string();
    let (run, agent) = (facts.origin.session.as_deref()?, facts.origin.agent.as_deref()?);
    let source = match span.scope.name.as_str() {
        CLOUD => 3,
        "meshflow" => 1,
        _ if span.name == "meshflow.agent.step" => 2,
        _ => 0,
    };
    Some(Call::new(&["meshflow", run, agent, &total], source))
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

/// What is reported outside of a run, together by agent and day.
pub(super) fn no_run(span: &Span, agent: Option<&str>) -> String {
    let day = to_rfc3339(span.start_time);
    let day = day.get(..10).unwrap_or_default();
    match agent {
        Some(agent) => format!("no-run:{agent}:{day}"),
        None => format!("no-run:{day}"),
    }
}
