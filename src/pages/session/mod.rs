//! One session: what ran, where, how long, how it ended.

mod recordings;

use crate::client::{self, use_fetch};
use crate::components::badge::{Blocked, Errors, Interrupted, Status, SystemBadge};
use crate::components::copy::Copy;
use crate::components::fact::Fact;
use crate::components::states::Fetched;
use crate::components::time_text::moment;
use crate::pages::logs::LogRows;
use crate::pages::sessions::{cost, tokens};
use crate::pages::traces::TraceTable;
use crate::state::playhead::Playhead;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use meshscope_api::params::encode;
use meshscope_api::{LogPage, Params, SessionDetail};
use meshscope_layout::format;

/// How many of a session's log records are shown.
const LOGS: u32 = 500;

/// The page.
#[component]
pub(crate) fn SessionPage() -> impl IntoView {
    let route = use_params_map();
    let id = Memo::new(move |_| route.read().get("id").unwrap_or_default());
    let (project, instant) = (param("project"), param("at"));
    provide_context(Playhead::new(
        instant.get_untracked().and_then(|at| at.parse().ok()),
    ));
    let origin = client::origin();
    let session = use_fetch(
        move || Some((id.get(), project.get())),
        move |(id, project), abort| {
            let mut params = Params::default();
            params.set("project", project);
            let origin = origin.clone();
            async move {
                let path = format!("sessions/{}", encode(&id));
                client::get::<SessionDetail>(&origin, &path, &params, abort.as_ref()).await
            }
        },
    );
    view! {
        <Fetched fetch=session what="the session" content=move |detail: &SessionDetail| {
            view! { <Header detail=detail.clone() /> <Body detail=detail.clone() /> }
        } />
    }
}

#[component]
fn Header(detail: SessionDetail) -> impl IntoView {
    let s = detail.session;
    let ended = s.ended_at.map_or_else(|| "still active".to_owned(), moment);
    let place = [Some(s.project.clone()), s.room.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" / ");
    let input = s
        .tokens
        .input
        .map_or_else(String::new, |n| format!("{} input", format::integer(n)));
    let cached = s
        .tokens
        .cached_input
        .map_or_else(String::new, |n| format!(", {} of it cached", format::integer(n)));
    let output = s
        .tokens
        .output
        .map_or_else(String::new, |n| format!(", {} output", format::integer(n)));
    let first = s
        .time_to_first_token_ns
        .p50
        .map_or_else(|| "\u{2013}".to_owned(), format::duration);
    view! {
        <div class="heading">
            <h1>{s.title.clone()}</h1>
            <SystemBadge system=s.system />
            <Status status=s.status />
            <Errors count=s.errors word=true />
            <Blocked count=s.blocked word=true />
            <Interrupted count=s.interrupted word=true />
            <span class="mono muted clip">{s.session_id.clone()}</span>
            <Copy text=s.session_id.clone() label="the session id" />
        </div>
        <div class="facts">
            <Fact name="Started" value=moment(s.started_at) />
            <Fact name="Ended" value=ended />
            <Fact name="Duration" value=format::duration(s.duration_ns) />
            <Fact name="Runs" value=s.traces.to_string() />
            <Fact name="Spans" value=format::integer(i64::from(s.spans)) />
            <Fact name="Tokens" value=tokens(s.tokens.total) title=format!("{input}{cached}{output}") />
            <Fact name="Cost" value=cost(s.cost_pico_usd, s.unpriced_calls > 0) />
            <Fact name="First token" value=first title="median of its calls" />
            <Fact name="Place" value=place />
        </div>
        <div class="facts small">
            <Fact name="Agents" value=s.agents.join(", ") />
            <Fact name="Models" value=s.models.join(", ") />
        </div>
    }
}

/// Tabs under the header.
#[component]
fn Body(detail: SessionDetail) -> impl IntoView {
    let tab = param("tab");
    let patch = use_patch();
    let logs = detail.session.logs;
    let runs = detail.runs;
    let (session, project) = (detail.session.session_id, detail.session.project);
    let tab_button = move |word: &'static str, title: String| {
        let patch = patch.clone();
        let on = move || tab.get().unwrap_or_else(|| "runs".to_owned()) == word;
        view! {
            <button role="tab" class:on=on aria-selected=move || on().to_string()
                on:click=move |_| patch(&[("tab", Some(word.to_owned()))])>{title}</button>
        }
    };
    view! {
        <div class="tabs" role="tablist">
            {tab_button("runs", format!("Runs {}", runs.len()))}
            {tab_button("logs", format!("Logs {logs}"))}
            {tab_button("recordings", "Recordings".to_owned())}
        </div>
        {move || {
            if tab.get().as_deref() == Some("logs") {
                view! { <SessionLogs session=session.clone() project=project.clone() /> }.into_any()
            } else if tab.get().as_deref() == Some("recordings") {
                view! { <recordings::Recordings session=session.clone() project=project.clone() /> }.into_any()
            } else if runs.is_empty() {
                view! { <div class="empty"><h2>"No spans in this session"</h2></div> }.into_any()
            } else {
                view! { <div class="panel scroll"><TraceTable traces=runs.clone() /></div> }.into_any()
            }
        }}
    }
}

#[component]
fn SessionLogs(session: String, project: String) -> impl IntoView {
    let origin = client::origin();
    let logs = use_fetch(
        move || Some((session.clone(), project.clone())),
        move |(session, project), abort| {
            let mut params = Params::default();
            params.set("session", Some(session));
            params.set("project", Some(project));
            params.set("from", Some(0));
            params.set("limit", Some(LOGS));
            let origin = origin.clone();
            async move { client::get::<LogPage>(&origin, "logs", &params, abort.as_ref()).await }
        },
    );
    view! {
        <Fetched fetch=logs what="logs" content=|page: &LogPage| {
            if page.logs.is_empty() {
                return view! { <div class="empty"><h2>"No log records in this session"</h2></div> }.into_any();
            }
            view! { <div class="panel scroll"><LogRows logs=page.logs.clone() /></div> }.into_any()
        } />
    }
}
