//! OpenInference (<https://github.com/Arize-ai/openinference>, semantic conventions).

use super::{genai, read};
use meshscope_model::{Operation, Span, SpanFacts, System, Tokens};

pub(super) fn span(span: &Span, facts: &mut SpanFacts) {
    let a = &span.attributes;
    let Some(kind) = a.text("openinference.span.kind") else {
        return;
    };
    facts.origin.system = System::OpenInference;
    facts.operation = match kind.to_ascii_uppercase().as_str() {
        "LLM" => Operation::Chat,
        "EMBEDDING" => Operation::Embeddings,
        "AGENT" => Operation::InvokeAgent,
        "CHAIN" => Operation::InvokeWorkflow,
        "TOOL" => Operation::ExecuteTool,
        "RETRIEVER" | "RERANKER" => Operation::Retrieval,
        "GUARDRAIL" => Operation::Guardrail,
        "EVALUATOR" => Operation::Evaluation,
        _ => Operation::Other,
    };
    facts.origin.agent = read::text(a, &["agent.name"]).or_else(|| facts.origin.agent.take());
    facts.model = read::text(
        a,
        &[
            "llm.response.model_name",
            "llm.model_name",
            "llm.request.model_name",
            "embedding.model_name",
        ],
    )
    .or_else(|| facts.model.take());
    facts.provider = read::text(a, &["llm.provider", "llm.system"])
        .map(|name| genai::provider(&name).to_owned())
        .or_else(|| facts.provider.take());
    facts.tool = read::text(a, &["tool.name"]).or_else(|| facts.tool.take());
    if facts.operation == Operation::ExecuteTool && facts.tool.is_none() {
        facts.tool = Some(span.name.clone());
    }
    let first = span
        .events
        .iter()
        .find(|event| event.name == "First Token Stream Event");
    facts.time_to_first_token = first
        .map(|event| event.time.saturating_sub(span.start_time))
        .filter(|ns| *ns >= 0);
    let tokens = Tokens {
        input: read::count(a, &["llm.token_count.prompt"]),
        cached_input: read::count(a, &["llm.token_count.prompt_details.cache_read"]),
        cache_write: read::count(a, &["llm.token_count.prompt_details.cache_write"]),
        output: read::count(a, &["llm.token_count.completion"]),
        reasoning: read::count(a, &["llm.token_count.completion_details.reasoning"]),
        audio_input: read::count(a, &["llm.token_count.prompt_details.audio"]),
        audio_output: read::count(a, &["llm.token_count.completion_details.audio"]),
        total: read::count(a, &["llm.token_count.total"]),
    };
    let cost = a.get("llm.cost.total").and_then(read::pico_usd);
    if let Some(mut usage) = read::usage(tokens, cost, None) {
        usage.claim = !facts.operation.is_model_call();
        facts.usage = Some(usage);
    }
}
