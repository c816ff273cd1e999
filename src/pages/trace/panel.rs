//! Everything a span carries.

use super::{Loaded, SessionLink};
use crate::client::{self, use_fetch};
use crate::components::copy::Copy;
use crate::components::json_tree::JsonTree;
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_analysis::own_time;
use meshscope_api::{Params, SpanDetail};
use meshscope_layout::format;
use meshscope_model::message::{Message, Part};
use meshscope_model::{AttributeValue, Attributes, CostSource};
use meshscope_telemetry::messages;
use std::sync::Arc;

/// Characters of a value that are shown before it is unfolded.
const SHORT: usize = 400;

/// The panel beside the waterfall; nothing when no span is selected.
#[component]
pub(crate) fn Panel(
    id: Memo<String>,
    span: Memo<Option<String>>,
    select: Callback<Option<String>>,
    loaded: Memo<Option<Arc<Loaded>>>,
) -> impl IntoView {
    let origin = client::origin();
    let detail = use_fetch(
        move || span.get().map(|span| (id.get(), span)),
        move |(trace, span), abort| {
            let origin = origin.clone();
            async move {
                let path = format!("traces/{trace}/spans/{}", meshscope_api::params::encode(&span));
                client::get::<SpanDetail>(&origin, &path, &Params::default(), abort.as_ref()).await
            }
        },
    );
    // The clock fetches the span again; what did not change is not built anew.
    let shown = Memo::new(move |_| detail.value.get());
    let own = move |detail: &SpanDetail| {
        loaded.with(|loaded| {
            let loaded = loaded.as_ref()?;
            let row = loaded.tree.row_of(&loaded.columns, detail.span_id.as_u64())?;
            Some(own_time(&loaded.columns, &loaded.tree, row))
        })
    };
    view! {
        <Show when=move || span.get().is_some()>
            <aside class="panel details" aria-label="The selected span">
                <button class="copy close" aria-label="Close" on:click=move |_| select.run(None)>"\u{2715}"</button>
                {move || match (shown.get(), detail.error.get()) {
                    (Some(found), None) => {
                        let own = own(&found);
                        view! { <Details detail=found own /> }.into_any()
                    }
                    _ => view! { <Fetched fetch=detail what="the span" content=|_| () /> }.into_any(),
                }}
            </aside>
        </Show>
    }
}

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
fn Details(detail: SpanDetail, own: Option<i64>) -> impl IntoView {
    let m = detail.meaning.clone();
    let words = [
        m.agent.clone(),
        m.provider.clone(),
        Some(detail.kind.as_str().to_owned()),
    ];
    let words = words.into_iter().flatten().collect::<Vec<_>>().join(" \u{b7} ");
    let own = own.map_or_else(String::new, |ns| format!(" \u{b7} own {}", format::duration(ns)));
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
        <Tabs detail />
    }
}

#[component]
fn Tabs(detail: SpanDetail) -> impl IntoView {
    let chosen = param("detail");
    let patch = use_patch();
    let talk = messages::of_span(
        detail.meaning.system,
        &detail.name,
        &detail.attributes,
        &detail.events,
    );
    let mut tabs: Vec<(&'static str, String)> = Vec::new();
    if !talk.is_empty() {
        tabs.push(("messages", "Messages".to_owned()));
    }
    tabs.push(("attributes", format!("Attributes {}", detail.attributes.len())));
    if !detail.events.is_empty() {
        tabs.push(("events", format!("Events {}", detail.events.len())));
    }
    if !detail.links.is_empty() {
        tabs.push(("links", format!("Links {}", detail.links.len())));
    }
    tabs.push(("resource", "Resource".to_owned()));
    tabs.push(("raw", "Raw".to_owned()));
    let first = tabs.first().map_or("attributes", |(word, _)| word);
    let words: Vec<&'static str> = tabs.iter().map(|(word, _)| *word).collect();
    let current = Memo::new(move |_| {
        let asked = chosen.get();
        words
            .iter()
            .copied()
            .find(|word| asked.as_deref() == Some(*word))
            .unwrap_or(first)
    });
    let button = move |(word, title): (&'static str, String)| {
        let patch = patch.clone();
        let on = move || current.get() == word;
        view! {
            <button role="tab" class:on=on aria-selected=move || on().to_string()
                on:click=move |_| patch(&[("detail", Some(word.to_owned()))])>{title}</button>
        }
    };
    let (detail, talk) = (StoredValue::new(detail), StoredValue::new(talk));
    let content = move || {
        match current.get() {
        "messages" => talk.with_value(|talk| conversation(talk)),
        "events" => detail.with_value(|detail| {
            let event = |event: &meshscope_model::SpanEvent| {
                let after = event.time.saturating_sub(detail.started_at);
                view! {
                    <section class="event">
                        <h3>{event.name.clone()}<span class="muted">{format!("+{}", format::duration(after))}</span></h3>
                        {attributes(&event.attributes)}
                    </section>
                }
            };
            detail.events.iter().map(event).collect_view().into_any()
        }),
        "links" => detail.with_value(|detail| {
            let link = |link: &meshscope_model::Link| view! {
                <section class="event"><h3 class="mono">{link.trace_id.to_string()}" / "{link.span_id.to_string()}</h3>{attributes(&link.attributes)}</section>
            };
            detail.links.iter().map(link).collect_view().into_any()
        }),
        "resource" => detail.with_value(|detail| view! {
            <section class="event"><h3>"Resource"</h3>{attributes(&detail.resource.attributes)}</section>
            <section class="event"><h3>"Scope " {detail.scope.name.clone()}" "{detail.scope.version.clone()}</h3>{attributes(&detail.scope.attributes)}</section>
        }.into_any()),
        "raw" => detail.with_value(|detail| {
            let value = serde_json::to_value(detail).unwrap_or_default();
            let text = serde_json::to_string_pretty(detail).unwrap_or_default();
            view! { <div class="mono raw"><Copy text label="the span as JSON" /><JsonTree value open=2 /></div> }.into_any()
        }),
        _ => detail.with_value(|detail| view! { <Searchable all=detail.attributes.clone() /> }.into_any()),
    }
    };
    view! {
        <div class="tabs" role="tablist">{tabs.into_iter().map(button).collect_view()}</div>
        <div class="details-body">{content}</div>
    }
}

/// Attributes with a field that filters them by key or value.
#[component]
fn Searchable(all: Attributes) -> impl IntoView {
    let q = RwSignal::new(String::new());
    let field = (all.len() > 6).then(|| {
        view! {
            <input class="filter" type="search" placeholder="filter" aria-label="Filter attributes"
                on:input=move |event| q.set(event_target_value(&event).to_lowercase()) />
        }
    });
    let found = move || {
        let q = q.get();
        let fits = |kv: &&meshscope_model::KeyValue| {
            q.is_empty()
                || kv.key.to_lowercase().contains(&q)
                || kv.value.to_text().to_lowercase().contains(&q)
        };
        attributes(&all.iter().filter(fits).cloned().collect())
    };
    view! { {field}{found} }
}

fn attributes(all: &Attributes) -> impl IntoView + use<> {
    let row = |kv: &meshscope_model::KeyValue| {
        view! { <div class="k mono">{kv.key.clone()}</div><div class="mono value">{value(&kv.value)}</div> }
    };
    view! { <div class="kv attributes">{all.iter().map(row).collect_view()}</div> }
}

/// A value: text as text, JSON in text and nested values as a tree.
fn value(value: &AttributeValue) -> AnyView {
    match value {
        AttributeValue::String(text) => long_text(text.clone()),
        AttributeValue::Array(_) | AttributeValue::Map(_) => {
            view! { <JsonTree value=value.to_json() open=1 /> }.into_any()
        }
        AttributeValue::Empty => view! { <span class="json-word">"empty"</span> }.into_any(),
        other => other.to_text().into_any(),
    }
}

/// Text, folded when it is long, and as a tree when it is JSON.
fn long_text(text: String) -> AnyView {
    let json = text.trim_start().starts_with(['{', '[']);
    if json && let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
        return view! { <JsonTree value open=1 /> }.into_any();
    }
    if text.chars().count() <= SHORT {
        return text.into_any();
    }
    let open = RwSignal::new(false);
    let short: String = text.chars().take(SHORT).collect();
    let size = format::bytes(text.len() as u64);
    let shown = move || {
        if open.get() {
            text.clone()
        } else {
            format!("{short}\u{2026}")
        }
    };
    let label = move || {
        if open.get() {
            "fold".to_owned()
        } else {
            format!("show all {size}")
        }
    };
    view! { <span>{shown}" "<button class="fold" on:click=move |_| open.update(|open| *open = !*open)>{label}</button></span> }
        .into_any()
}

fn conversation(talk: &[Message]) -> AnyView {
    let message = |message: &Message| {
        let class = format!("msg {}", message.role);
        let name = message.name.clone().map(|name| format!(" \u{b7} {name}"));
        view! {
            <div class=class>
                <div class="role">{message.role.clone()}{name}</div>
                {message.parts.iter().map(part).collect_view()}
            </div>
        }
    };
    talk.iter().map(message).collect_view().into_any()
}

fn part(part: &Part) -> AnyView {
    match part {
        Part::Text { content } => view! { <div class="said">{long_text(content.clone())}</div> }.into_any(),
        Part::Reasoning { content } => {
            view! { <details><summary class="muted">"reasoning"</summary><div class="said">{content.clone()}</div></details> }
                .into_any()
        }
        Part::ToolCall { name, arguments, .. } => view! {
            <div class="call"><span class="muted">"tool call "</span><b class="mono">{name.clone()}</b></div>
            <div class="mono">{long_text(arguments.clone())}</div>
        }
        .into_any(),
        Part::ToolResult { name, content, .. } => view! {
            <div class="call"><span class="muted">"tool result "</span><b class="mono">{name.clone()}</b></div>
            <div class="mono">{long_text(content.clone())}</div>
        }
        .into_any(),
        Part::Blob { mime_type, data, .. } => {
            let kind = mime_type.clone().unwrap_or_else(|| "binary".to_owned());
            let size = format::bytes(data.len() as u64);
            view! { <div class="muted">{format!("{kind}, {size} in base64")}</div> }.into_any()
        }
        Part::Uri { uri, .. } => {
            let safe = uri.starts_with("https://") || uri.starts_with("http://");
            if safe {
                view! { <a href=uri.clone() target="_blank" rel="noopener noreferrer">{uri.clone()}</a> }.into_any()
            } else {
                view! { <span class="mono">{uri.clone()}</span> }.into_any()
            }
        }
        Part::Other { kind, content } => {
            view! { <div class="muted">{kind.clone()}</div><div class="mono">{long_text(content.clone())}</div> }.into_any()
        }
    }
}
