//! A trace: its waterfall, and everything a span carries.

mod load;
mod model;
mod panel;
mod waterfall;

use super::logs::LogRows;
use super::sessions::{cost, tokens};
use crate::client::{self, use_fetch};
use crate::components::badge::{Blocked, Errors};
use crate::components::copy::Copy;
use crate::components::fact::Fact;
use crate::components::states::Fetched;
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
pub(crate) use load::Loaded;
use load::{Coming, TraceLoad, use_trace};
use meshscope_analysis::critical_path::below;
use meshscope_analysis::{TraceFacts, critical_path};
use meshscope_api::params::encode;
use meshscope_api::{LogPage, Params};
use meshscope_layout::format;
use panel::Panel;
use std::sync::Arc;
use waterfall::WaterfallView;

/// How many of a trace's log records are shown.
const LOGS: u32 = 1_000;

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
    let money = if t.calls == 0 && t.cost.is_none() {
        "\u{2013}".to_owned()
    } else {
        cost(t.cost, t.unpriced_calls > 0)
    };
    let partial = (!tree.is_complete(columns)).then(
        || view! { <span class="badge" title="A root, a parent or an end is missing">"incomplete"</span> },
    );
    let id = columns.trace_id.to_string();
    let agents = facts.agents.join(", ");
    view! {
        <div class="heading">
            <h1>{name}</h1>
            <Errors count=t.errors word=true />
            <Blocked count=t.blocked word=true />
            {partial}
            <span class="mono muted clip">{id.clone()}</span>
            <Copy text=id label="the trace id" />
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

#[component]
fn Body(id: Memo<String>, loaded: Memo<Option<Arc<Loaded>>>) -> impl IntoView {
    let tab = param("tab");
    let span = param("span");
    let patch = use_patch();
    let tabs = [("waterfall", "Waterfall"), ("logs", "Logs")];
    let current = move || tab.get().unwrap_or_else(|| "waterfall".to_owned());
    let button = {
        let patch = patch.clone();
        move |(word, title): (&'static str, &'static str)| {
            let patch = patch.clone();
            let on = move || current() == word;
            view! {
                <button role="tab" class:on=on aria-selected=move || on().to_string()
                    on:click=move |_| patch(&[("tab", Some(word.to_owned()))])>{title}</button>
            }
        }
    };
    let select = Callback::new(move |span: Option<String>| patch(&[("span", span)]));
    view! {
        <div class="tabs" role="tablist">{tabs.map(button).collect_view()}</div>
        {move || if current() == "logs" {
            view! { <TraceLogs id /> }.into_any()
        } else {
            view! {
                <div class="split" class:alone=move || span.get().is_none()>
                    <WaterfallView loaded span select />
                    <Panel id span select loaded />
                </div>
            }.into_any()
        }}
    }
}

#[component]
fn TraceLogs(id: Memo<String>) -> impl IntoView {
    let origin = client::origin();
    let logs = use_fetch(
        move || Some(id.get()),
        move |id, abort| {
            let mut params = Params::default();
            params.set("trace_id", Some(id));
            params.set("from", Some(0));
            params.set("limit", Some(LOGS));
            let origin = origin.clone();
            async move { client::get::<LogPage>(&origin, "logs", &params, abort.as_ref()).await }
        },
    );
    view! {
        <Fetched fetch=logs what="logs" content=|page: &LogPage| {
            if page.logs.is_empty() {
                return view! { <div class="empty"><h2>"No log records in this trace"</h2></div> }.into_any();
            }
            let mut logs = page.logs.clone();
            logs.reverse();
            view! { <div class="panel scroll"><LogRows logs /></div> }.into_any()
        } />
    }
}

/// A link to a session that keeps place and time.
#[component]
pub(crate) fn SessionLink(session: String) -> impl IntoView {
    let href = use_href();
    let to = href(&format!("/sessions/{}", encode(&session)));
    view! { <A href=to>{session}</A> }
}
