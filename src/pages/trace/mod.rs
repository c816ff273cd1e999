//! A trace: its waterfall, and everything a span carries.

mod critical;
mod flame;
pub(crate) mod graph;
pub(crate) mod grid;
mod load;
pub(crate) mod logs;
pub(crate) mod message;
mod model;
mod only;
pub(crate) mod panel;
pub(crate) mod shared;
mod statistics;
mod table;
pub(crate) mod talk;
pub(crate) mod waterfall;

use crate::client;
use crate::components::badge::{Blocked, Errors};
use crate::components::copy::Copy;
use crate::components::fact::Fact;
use crate::components::figures::{money, tokens};
use crate::state::keys::{Going, typing};
use crate::state::{param, use_href, use_patch};
use critical::CriticalView;
use flame::FlameView;
use graph::GraphView;
use leptos::ev::keydown;
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use load::Coming;
pub(crate) use load::{Loaded, TraceLoad, use_trace};
use logs::LogsView;
use meshscope_analysis::critical_path::below;
use meshscope_analysis::{TraceFacts, critical_path};
use meshscope_api::Params;
use meshscope_api::params::encode;
use meshscope_layout::format;
use panel::Panel;
use shared::Shown;
use std::sync::Arc;
use table::TableView;
use talk::TalkView;
use waterfall::WaterfallView;

/// The page.
#[component]
pub(crate) fn TracePage() -> impl IntoView {
    let route = use_params_map();
    let id = Memo::new(move |_| route.read().get("id").unwrap_or_default());
    let TraceLoad {
        loaded,
        progress,
        fetch,
    } = use_trace(id);
    view! {
        {move || fetch.error.get().map(|problem| {
            let retry = Callback::new(move |()| fetch.retry());
            view! { <crate::components::states::Failed problem retry /> }
        })}
        {move || loaded.get().map(|loaded| view! { <Header loaded=loaded /> })}
        {move || progress.get().map(|progress| view! { <Coming progress /> })}
        <Show when=move || loaded.with(Option::is_some)>
            <Body id loaded />
        </Show>
        {move || (fetch.loading.get() && loaded.with(Option::is_none)).then(|| {
            view! { <crate::components::states::Loading what="the trace" /> }
        })}
    }
}

#[component]
fn Header(loaded: Arc<Loaded>) -> impl IntoView {
    let Loaded { columns, tree, .. } = &*loaded;
    let facts = TraceFacts::of(columns);
    let root = tree.main_root();
    let name = root.map_or("", |root| columns.name(root as usize)).to_owned();
    let critical = root.map(|root| {
        let path = critical_path(columns, tree, root);
        let spent = below(&path, root);
        let whole = columns.duration.get(root as usize).copied().unwrap_or(0);
        format!(
            "{} \u{b7} {}",
            format::duration(spent),
            format::percent(spent, whole)
        )
    });
    let first = facts
        .first_token
        .map_or_else(|| "\u{2013}".to_owned(), format::duration);
    let t = facts.totals;
    let money = money(t.total_tokens, t.cost, t.unpriced_calls > 0);
    let partial = (!tree.is_complete(columns)).then(
        || view! { <span class="badge" title="A root, a parent or an end is missing">"incomplete"</span> },
    );
    let id = columns.trace_id.to_string();
    let agents = facts.agents.join(", ");
    let facts_name = name.clone();
    view! {
        <div class="heading">
            <h1>{name}</h1>
            <Errors count=t.errors word=true />
            <Blocked count=t.blocked word=true />
            {partial}
            <span class="mono muted clip">{id.clone()}</span>
            <Copy text=id.clone() label="the trace id" />
            <Out id name=facts_name />
        </div>
        <div class="facts">
            <Fact name="Duration" value=format::duration(facts.duration()) />
            <Fact name="Critical path" value=critical.unwrap_or_default() title="Time of the root that its descendants account for" />
            <Fact name="Spans" value=format::integer(i64::from(t.spans)) />
            <Fact name="Agents" value=facts.agents.len().to_string() title=agents />
            <Fact name="Tokens" value=tokens(t.total_tokens) />
            <Fact name="Cost" value=money />
            <Fact name="First token" value=first />
        </div>
    }
}

/// The views: name in the URL, title.
const VIEWS: [(&str, &str); 7] = [
    ("waterfall", "Waterfall"),
    ("flame", "Flame graph"),
    ("table", "Table"),
    ("graph", "Agents"),
    ("conversation", "Conversation"),
    ("logs", "Logs"),
    ("critical", "Critical path"),
];

/// One of the views, and the selected span beside it.
#[component]
fn Body(id: Memo<String>, loaded: Memo<Option<Arc<Loaded>>>) -> impl IntoView {
    let tab = param("tab");
    let span = param("span");
    let patch = use_patch();
    let current = Memo::new(move |_| {
        let asked = tab.get();
        let known = VIEWS.iter().find(|(word, _)| asked.as_deref() == Some(*word));
        known.map_or("waterfall", |(word, _)| *word)
    });
    let open = {
        let patch = patch.clone();
        // What a view sorts by means nothing to another.
        Callback::new(move |word: &'static str| patch(&[("tab", Some(word.to_owned())), ("sort", None)]))
    };
    let select = {
        let patch = patch.clone();
        Callback::new(move |span: Option<String>| patch(&[("span", span)]))
    };
    let shown = Shown {
        id,
        loaded,
        span,
        select,
    };
    let button = move |(word, title): (&'static str, &'static str)| {
        let on = move || current.get() == word;
        view! {
            <button role="tab" class:on=on aria-selected=move || on().to_string()
                on:click=move |_| open.run(word)>{title}</button>
        }
    };
    use_view_keys(current, open, patch);
    view! {
        <div class="tabs" role="tablist" aria-label="Views">{VIEWS.map(button).collect_view()}</div>
        <div class="split" class:alone=move || span.get().is_none()>
            {move || match current.get() {
                "flame" => view! { <FlameView shown /> }.into_any(),
                "table" => view! { <TableView shown /> }.into_any(),
                "graph" => view! { <GraphView shown /> }.into_any(),
                "conversation" => view! { <TalkView shown /> }.into_any(),
                "logs" => view! { <LogsView shown /> }.into_any(),
                "critical" => view! { <CriticalView shown /> }.into_any(),
                _ => view! { <WaterfallView loaded span select /> }.into_any(),
            }}
            <Panel shown />
        </div>
    }
}

/// Listens to the keys of the page: `v` and `V` go through the views, `r` shows the span raw.
fn use_view_keys(
    current: Memo<&'static str>,
    open: Callback<&'static str>,
    patch: impl Fn(&[(&str, Option<String>)]) + Clone + Send + Sync + 'static,
) {
    let detail = param("detail");
    let going = use_context::<Going>();
    let handle = window_event_listener(keydown, move |event| {
        let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        let taken = event.default_prevented() || going.is_some_and(|going| going.0.get_value());
        if !plain || taken || typing(&event) {
            return;
        }
        let at = VIEWS
            .iter()
            .position(|(word, _)| *word == current.get_untracked());
        let (at, count) = (at.unwrap_or(0), VIEWS.len());
        let to = match event.key().as_str() {
            "v" => at + 1,
            "V" => at + count - 1,
            "r" => {
                let raw = detail.with_untracked(|detail| detail.as_deref() == Some("raw"));
                patch(&[("detail", (!raw).then(|| "raw".to_owned()))]);
                return;
            }
            _ => return,
        };
        VIEWS
            .get(to % count)
            .into_iter()
            .for_each(|(word, _)| open.run(word));
    });
    on_cleanup(move || handle.remove());
}

/// Ways to take the trace elsewhere.
#[component]
fn Out(id: String, #[prop(into)] name: String) -> impl IntoView {
    let (origin, href) = (client::origin(), use_href());
    let path = format!("traces/{}/export", encode(&id));
    let file = move |format: &'static str, title: &'static str| {
        let mut params = Params::default();
        params.set("format", Some(format));
        view! { <a class="pill" href=client::url(&origin, &path, &params) download title=format!("Save {name} as a file")>{title}</a> }
    };
    let compare = href(&format!("/traces?pick={}", encode(&id)));
    view! {
        <div class="grow"></div>
        <div class="row">
            <A href=compare attr:class="pill" attr:title="Choose another trace to compare this one with">"Compare\u{2026}"</A>
            {file.clone()("otlp", "OTLP JSON")}{file("jaeger", "Jaeger JSON")}
        </div>
    }
}

/// A link to a session that keeps place and time.
#[component]
pub(crate) fn SessionLink(session: String) -> impl IntoView {
    let href = use_href();
    let to = href(&format!("/sessions/{}", encode(&session)));
    view! { <A href=to>{session}</A> }
}
