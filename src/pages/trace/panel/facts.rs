//! What a span means: figures and words, each with where it was read from.

use crate::components::time_text::TimeText;
use crate::pages::trace::SessionLink;
use leptos::prelude::*;
use meshscope_api::SpanDetail;
use meshscope_layout::format;
use meshscope_model::{AttributeValue, CostSource};

fn fact(name: &'static str, value: impl IntoView) -> impl IntoView {
    view! { <div class="k">{name}</div><div>{value}</div> }
}

/// Which attributes gave the facts of these names, for the pointer that asks.
fn sources(detail: &SpanDetail, facts: &[&str]) -> String {
    let mut from: Vec<&str> = facts
        .iter()
        .filter_map(|fact| detail.provenance.get(*fact))
        .flatten()
        .map(String::as_str)
        .collect();
    from.dedup();
    if from.is_empty() {
        String::new()
    } else {
        format!("from {}", from.join(", "))
    }
}

#[component]
pub(crate) fn Facts(detail: SpanDetail, own: Option<i64>) -> impl IntoView {
    let m = detail.meaning.clone();
    let words = [
        m.agent.clone(),
        m.provider.clone(),
        Some(detail.kind.as_str().to_owned()),
    ];
    let words = words.into_iter().flatten().collect::<Vec<_>>().join(" \u{b7} ");
    let own = own.map_or_else(String::new, |ns| format!(" \u{b7} self {}", format::duration(ns)));
    let time = format!("{}{own}", format::duration(detail.duration_ns));
    let cached = m
        .tokens
        .cached_input
        .map(|n| view! { <span class="muted">{format!(" ({} cached)", format::integer(n))}</span> });
    let source = match &m.cost_source {
        Some(CostSource::Reported) => " reported".to_owned(),
        Some(CostSource::PriceTable(version)) => format!(" price table {version}"),
        None => String::new(),
    };
    let claim = m
        .claim
        .then(|| view! { <span class="muted">" claimed over its calls, not counted again"</span> });
    let finish = detail
        .attributes
        .get("gen_ai.response.finish_reasons")
        .map(|value| match value {
            AttributeValue::Array(reasons) => reasons
                .iter()
                .map(AttributeValue::to_text)
                .collect::<Vec<_>>()
                .join(", "),
            one => one.to_text(),
        });
    let error = m.error.clone().map(|text| {
        let (class, mark) = if m.blocked {
            ("blocked-text", "\u{25c6} blocked")
        } else {
            ("error-text", "\u{25cf} failed")
        };
        view! { <div class=class>{mark}{(!text.is_empty()).then(|| format!(": {text}"))}</div> }
    });
    let from = |facts: &[&str]| sources(&detail, facts);
    let reported = m.reported_duration_ns.is_some();
    let raw_time = reported.then(|| {
        let sent = detail
            .ended_at
            .map_or(0, |end| end.saturating_sub(detail.started_at));
        fact(
            "Duration",
            format!(
                "reported by the sender; the span's own times say {}",
                format::duration(sent)
            ),
        )
    });
    view! {
        <header>
            <h2>{detail.name.clone()}</h2>
            <span class="muted nowrap">{time}</span>
        </header>
        <div class="muted">{words}</div>
        {error}
        <div class="kv">
            {fact("Service", detail.resource.service().to_owned())}
            {fact("Started", view! { <TimeText ns=detail.started_at /> })}
            {raw_time}
            {m.model.clone().map(|model| fact("Model", view! { <span title=from(&["model"])>{model}</span> }))}
            {m.tool.clone().map(|tool| fact("Tool", view! { <span title=from(&["tool"])>{tool}</span> }))}
            {m.tokens.input.map(|n| fact("Tokens in", view! { <span title=from(&["tokens.input", "tokens.cached_input"])>{format::integer(n)}{cached}</span> }))}
            {m.tokens.output.map(|n| fact("Tokens out", view! { <span title=from(&["tokens.output"])>{format::integer(n)}</span> }))}
            {m.tokens.total.filter(|_| m.tokens.input.is_none()).map(|n| fact("Tokens", format::integer(n)))}
            {m.cost_pico_usd.map(|pico| fact("Cost", view! { <span title=from(&["cost"])>{format::cost(pico)}</span><span class="muted">{source}</span> }))}
            {claim.map(|claim| fact("Claim", claim))}
            {m.carbon_ug.map(|ug| fact("Carbon", format::carbon(ug)))}
            {m.time_to_first_token_ns.map(|ns| fact("First token", view! { <span title=from(&["time_to_first_token"])>{format::duration(ns)}</span> }))}
            {m.interrupted.then(|| fact("Interrupted", view! { <span title=from(&["interrupted"])>"before its end"</span> }))}
            {m.uncertainty.map(|u| fact("Uncertainty", view! { <span title=from(&["uncertainty"])>{format!("{u:.3}")}</span> }))}
            {finish.map(|finish| fact("Finish", finish))}
            {m.verdict.clone().map(|verdict| fact("Verdict", view! { <span title=from(&["verdict"])>{verdict}</span> }))}
            {m.session_id.clone().map(|session| fact("Session", view! { <span title=from(&["session"])><SessionLink session /></span> }))}
        </div>
    }
}
