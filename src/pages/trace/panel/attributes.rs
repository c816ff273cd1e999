//! Attributes: grouped by what they are about, searchable, long ones cut until they are asked for whole.

use super::path_of;
use crate::client;
use crate::components::long_text::LongText;
use crate::pages::trace::message::{text_view, value};
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::preview::{CutValue, ValueIn, ValuePlace};
use meshscope_api::{Problem, SpanDetail};
use meshscope_layout::format;
use meshscope_model::{AttributeValue, Attributes, KeyValue};
use std::collections::BTreeMap;

/// Values of more bytes are saved to a file rather than put on the page.
const MOST_SHOWN: u64 = 256 << 20;

/// A list of attributes of a span, and where it is.
#[derive(Clone, Copy)]
pub(crate) struct List {
    /// Of the span, an event, a link, the resource or the scope.
    pub list: ValueIn,
    /// Which event or link.
    pub index: Option<u32>,
}

/// Rows of attributes. What is cut says how long it is, and comes whole by a click.
pub(crate) fn rows<'a>(
    detail: &SpanDetail,
    of: List,
    all: impl IntoIterator<Item = &'a KeyValue>,
) -> AnyView {
    let row = |kv: &KeyValue| {
        let place = ValuePlace {
            list: of.list,
            index: of.index,
            key: kv.key.clone(),
        };
        let cut = detail.cut.iter().find(|cut| cut.place == place);
        let shown = match cut {
            Some(cut) => view! { <Cut cut=cut.clone() beginning=kv.value.clone() path=path_of(&detail.trace_id.to_string(), &detail.span_id.to_string()) /> }.into_any(),
            None => value(&kv.value),
        };
        view! { <div class="k mono">{kv.key.clone()}</div><div class="mono value">{shown}</div> }
    };
    let rows = all.into_iter().map(row).collect_view();
    view! { <div class="kv attributes">{rows}</div> }.into_any()
}

/// A value that is cut: its beginning, and the whole by a click.
#[component]
fn Cut(cut: CutValue, beginning: AttributeValue, path: String) -> impl IntoView {
    let whole = RwSignal::new(None::<Result<String, Problem>>);
    let loading = RwSignal::new(false);
    let origin = client::origin();
    let path = format!("{path}/value");
    let params = cut.place.to_params();
    let file = client::url(&origin, &path, &params);
    let size = format::bytes(cut.bytes);
    let readable = cut.kind != "bytes" && cut.bytes <= MOST_SHOWN;
    let load = move |_| {
        let (origin, path, params) = (origin.clone(), path.clone(), params.clone());
        loading.set(true);
        spawn_local(async move {
            let answer = client::text(&origin, &path, &params, None).await;
            loading.try_set(false);
            whole.try_set(Some(answer));
        });
    };
    let beginning = beginning.to_text();
    let label = format!("load all {size}");
    let content = move || match whole.get() {
        Some(Ok(text)) => text_view(text),
        Some(Err(problem)) => view! { <div class="error-text">{problem.detail}</div> }.into_any(),
        None => view! { <LongText text=beginning.clone() /> }.into_any(),
    };
    let ask = move || {
        (readable && !whole.with(|whole| matches!(whole, Some(Ok(_))))).then(|| {
            let text = if loading.get() {
                "loading\u{2026}".to_owned()
            } else {
                label.clone()
            };
            view! { <button class="fold" disabled=loading on:click=load.clone()>{text}</button>" " }
        })
    };
    view! {
        {content}
        <div class="cut">{format!("{size} in all ")}{ask}<a class="fold" href=file download>"save"</a></div>
    }
}

/// All attributes of a span, by groups, with a field that searches everything it carries.
#[component]
pub(crate) fn Searchable(detail: SpanDetail) -> impl IntoView {
    let q = RwSignal::new(String::new());
    let found = move || match q.get() {
        none if none.is_empty() => groups(&detail),
        q => matches(&detail, &q),
    };
    view! {
        <input class="filter" type="search" placeholder="search all that the span carries" aria-label="Search the span"
            on:input=move |event| q.set(event_target_value(&event).to_lowercase()) />
        {found}
    }
}

/// The attributes by the first word of their keys; words with one attribute go together.
fn groups(detail: &SpanDetail) -> AnyView {
    let mut by_word: BTreeMap<&str, Vec<&KeyValue>> = BTreeMap::new();
    for kv in detail.attributes.iter() {
        let word = kv.key.split(['.', '_']).next().unwrap_or_default();
        let word = if kv.key.starts_with("gen_ai") {
            "gen_ai"
        } else {
            word
        };
        by_word.entry(word).or_default().push(kv);
    }
    let of = List {
        list: ValueIn::Attributes,
        index: None,
    };
    let alone: Vec<&KeyValue> = by_word
        .values()
        .filter(|group| group.len() == 1)
        .flatten()
        .copied()
        .collect();
    by_word.retain(|_, group| group.len() > 1);
    if by_word.is_empty() {
        return rows(detail, of, alone);
    }
    let group = |(word, group): (&str, Vec<&KeyValue>)| {
        let title = format!("{word} \u{b7} {}", group.len());
        view! { <details class="group" open><summary>{title}</summary>{rows(detail, of, group)}</details> }
    };
    let groups = by_word.into_iter().map(group).collect_view();
    view! { {rows(detail, of, alone)}{groups} }.into_any()
}

/// Everything of the span that holds a text in its key or value, by where it is.
fn matches(detail: &SpanDetail, q: &str) -> AnyView {
    let holds =
        |kv: &&KeyValue| kv.key.to_lowercase().contains(q) || kv.value.to_text().to_lowercase().contains(q);
    let section = |title: String, list: ValueIn, index: Option<usize>, all: &Attributes| {
        let found: Vec<&KeyValue> = all.iter().filter(holds).collect();
        let index = index.and_then(|index| u32::try_from(index).ok());
        (!found.is_empty()).then(|| {
            let rows = rows(detail, List { list, index }, found);
            view! { <section class="event"><h3>{title}</h3>{rows}</section> }.into_any()
        })
    };
    let mut sections = vec![section(
        "Attributes".to_owned(),
        ValueIn::Attributes,
        None,
        &detail.attributes,
    )];
    for (index, event) in detail.events.iter().enumerate() {
        let title = format!("Event {}", event.name);
        sections.push(section(title, ValueIn::Events, Some(index), &event.attributes));
    }
    for (index, link) in detail.links.iter().enumerate() {
        let title = format!("Link to {}", link.span_id);
        sections.push(section(title, ValueIn::Links, Some(index), &link.attributes));
    }
    sections.push(section(
        "Resource".to_owned(),
        ValueIn::Resource,
        None,
        &detail.resource.attributes,
    ));
    sections.push(section(
        "Scope".to_owned(),
        ValueIn::Scope,
        None,
        &detail.scope.attributes,
    ));
    let sections: Vec<AnyView> = sections.into_iter().flatten().collect();
    if sections.is_empty() {
        return view! { <p class="muted">"Nothing of the span holds this."</p> }.into_any();
    }
    sections.into_any()
}
