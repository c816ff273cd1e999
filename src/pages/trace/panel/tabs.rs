//! What a span carries, one tab a kind.

use super::attributes::{List, Searchable, rows};
use super::path_of;
use crate::client;
use crate::components::json_tree::JsonTree;
use crate::components::states::Fetched;
use crate::pages::logs::LogRows;
use crate::pages::trace::logs::use_logs;
use crate::pages::trace::shared::Shown;
use crate::pages::trace::talk::{turn_view, use_conversation};
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_analysis::conversation::{Spoken, conversation};
use meshscope_api::preview::ValueIn;
use meshscope_api::{Conversation, LogPage, Params, SpanDetail};
use meshscope_layout::format;
use meshscope_telemetry::messages;

/// The messages of a span as a conversation of its own.
fn conversation_of(detail: &SpanDetail) -> Conversation {
    let m = &detail.meaning;
    let spoken = Spoken {
        trace_id: detail.trace_id,
        span_id: detail.span_id,
        parent_span_id: None,
        start_time: detail.started_at,
        duration: detail.duration_ns,
        operation: m.operation,
        agent: m.agent.clone(),
        model: m.model.clone(),
        tool: m.tool.clone(),
        time_to_first_token: m.time_to_first_token_ns,
        error: None,
        messages: messages::of_span(m.system, &detail.name, &detail.attributes, &detail.events),
    };
    if spoken.messages.is_empty() {
        return Conversation::default();
    }
    conversation(Some(detail.trace_id), &[spoken], false)
}

#[component]
pub(crate) fn Tabs(detail: SpanDetail, shown: Shown) -> impl IntoView {
    let chosen = param("detail");
    let patch = use_patch();
    let talk = conversation_of(&detail);
    // Cut messages cannot be read here: the server reads them whole.
    let cut = !detail.cut.is_empty();
    let mut tabs: Vec<(&'static str, String)> = Vec::new();
    if cut || !talk.turns.is_empty() {
        tabs.push(("messages", "Messages".to_owned()));
    }
    tabs.push(("attributes", format!("Attributes {}", detail.attributes.len())));
    if !detail.events.is_empty() {
        tabs.push(("events", format!("Events {}", detail.events.len())));
    }
    if !detail.links.is_empty() {
        tabs.push(("links", format!("Links {}", detail.links.len())));
    }
    tabs.push(("logs", "Logs".to_owned()));
    tabs.push(("resource", "Resource".to_owned()));
    tabs.push(("raw", "Raw".to_owned()));
    let first = tabs.first().map_or("attributes", |(word, _)| word);
    let words: Vec<&'static str> = tabs.iter().map(|(word, _)| *word).collect();
    let current = Memo::new(move |_| {
        let asked = chosen.get();
        let known = words.iter().copied().find(|word| asked.as_deref() == Some(*word));
        known.unwrap_or(first)
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
    let content = move || match current.get() {
        "messages" if cut => view! { <Read shown /> }.into_any(),
        "messages" => talk.with_value(turns),
        "events" => detail.with_value(events),
        "links" => detail.with_value(links),
        "logs" => view! { <SpanLogs shown /> }.into_any(),
        "resource" => detail.with_value(resource),
        "raw" => detail.with_value(raw),
        _ => view! { <Searchable detail=detail.get_value() /> }.into_any(),
    };
    view! {
        <div class="tabs" role="tablist" aria-label="What the span carries">{tabs.into_iter().map(button).collect_view()}</div>
        <div class="details-body" role="tabpanel">{content}</div>
    }
}

fn turns(talk: &Conversation) -> AnyView {
    talk.turns
        .iter()
        .map(|turn| turn_view(turn, 0, None))
        .collect_view()
        .into_any()
}

/// Messages that the server reads out of values which came cut.
#[component]
fn Read(shown: Shown) -> impl IntoView {
    let whole = RwSignal::new(false);
    let talk = use_conversation(shown, move || Some((Some(shown.span.get()?), whole.get())));
    view! {
        <Fetched fetch=talk what="the messages" content=move |talk: &Conversation| {
            if talk.turns.is_empty() {
                return view! { <p class="muted">"The span carries no messages."</p> }.into_any();
            }
            let load = (!whole.get_untracked()).then(|| view! {
                <button class="fold" on:click=move |_| whole.set(true)>"load long texts whole"</button>
            });
            view! { {turns(talk)}{load} }.into_any()
        } />
    }
}

fn events(detail: &SpanDetail) -> AnyView {
    let event = |(event, index): (&meshscope_model::SpanEvent, u32)| {
        let after = event.time.saturating_sub(detail.started_at);
        let of = List {
            list: ValueIn::Events,
            index: Some(index),
        };
        view! {
            <section class="event">
                <h3>{event.name.clone()}<span class="muted">{format!("+{}", format::duration(after))}</span></h3>
                {rows(detail, of, event.attributes.iter())}
            </section>
        }
    };
    detail.events.iter().zip(0..).map(event).collect_view().into_any()
}

fn links(detail: &SpanDetail) -> AnyView {
    let href = use_href();
    let link = |(link, index): (&meshscope_model::Link, u32)| {
        let of = List {
            list: ValueIn::Links,
            index: Some(index),
        };
        let to = href(&format!("/traces/{}?span={}", link.trace_id, link.span_id));
        let name = format!("{} / {}", link.trace_id, link.span_id);
        view! {
            <section class="event">
                <h3 class="mono"><A href=to>{name}</A></h3>
                {rows(detail, of, link.attributes.iter())}
            </section>
        }
    };
    detail.links.iter().zip(0..).map(link).collect_view().into_any()
}

fn resource(detail: &SpanDetail) -> AnyView {
    let of = |list| List { list, index: None };
    let scope = [detail.scope.name.as_str(), detail.scope.version.as_str()].join(" ");
    view! {
        <section class="event"><h3>"Resource"</h3>{rows(detail, of(ValueIn::Resource), detail.resource.attributes.iter())}</section>
        <section class="event"><h3>{format!("Scope {scope}")}</h3>{rows(detail, of(ValueIn::Scope), detail.scope.attributes.iter())}</section>
    }
    .into_any()
}

fn raw(detail: &SpanDetail) -> AnyView {
    let value = serde_json::to_value(detail).unwrap_or_default();
    let path = path_of(&detail.trace_id.to_string(), &detail.span_id.to_string());
    let file = client::url(&client::origin(), &path, &Params::default());
    let cut = (!detail.cut.is_empty()).then(|| format!("{} long values are cut here; ", detail.cut.len()));
    view! {
        <div class="muted">{cut}<a class="fold" href=file target="_blank" rel="noopener">"as the API has it"</a></div>
        <div class="mono raw"><JsonTree value open=2 /></div>
    }
    .into_any()
}

/// The log records of the span.
#[component]
fn SpanLogs(shown: Shown) -> impl IntoView {
    let logs = use_logs(shown);
    let patch = use_patch();
    view! {
        <Fetched fetch=logs what="logs" content=move |page: &LogPage| {
            let span = shown.span.get();
            let is = |log: &&meshscope_api::Log| log.span_id.map(|id| id.to_string()) == span;
            let mut logs: Vec<_> = page.logs.iter().filter(is).cloned().collect();
            if logs.is_empty() {
                return view! { <p class="muted">"The span wrote no log records."</p> }.into_any();
            }
            logs.reverse();
            let patch = patch.clone();
            let open = move |_| patch(&[("tab", Some("logs".to_owned())), ("log", None)]);
            view! { <LogRows logs /><button class="fold" on:click=open>"among all of the trace"</button> }.into_any()
        } />
    }
}
