//! Sessions: every time it ran.

use crate::client::{self, use_fetch};
use crate::components::badge::{Blocked, Errors, Interrupted, Status, SystemBadge};
use crate::components::onboarding::Onboarding;
use crate::components::sparkline::Sparkline;
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::components::top_bar::{scoped, scoped_params};
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::params::encode;
use meshscope_api::{Session, SessionPage as Page};
use meshscope_layout::format;
use meshscope_model::System;

/// Filters of the list, in the URL.
const FILTERS: [&str; 6] = ["q", "system", "status", "has_error", "blocked", "agent"];

/// Entries of one page.
const PAGE: u32 = 100;

/// The page.
#[component]
pub(crate) fn SessionsPage() -> impl IntoView {
    let scope = scoped();
    let filters = FILTERS.map(param);
    let limit = RwSignal::new(PAGE);
    let origin = client::origin();
    let key = move || Some((scope.get(), filters.map(|filter| filter.get()), limit.get()));
    let sessions = use_fetch(key, move |(scope, filters, limit), abort| {
        let mut params = scoped_params(&scope);
        FILTERS
            .iter()
            .zip(filters)
            .for_each(|(name, value)| params.set(name, value));
        params.set("limit", Some(limit));
        let origin = origin.clone();
        async move { client::get::<Page>(&origin, "sessions", &params, abort.as_ref()).await }
    });
    let count = move || {
        sessions.value.with(|page| {
            page.as_ref().map(|page| {
                let active = page.sessions.iter().filter(|s| s.ended_at.is_none()).count();
                let more = if page.next_cursor.is_some() { "+" } else { "" };
                let active = if active > 0 {
                    format!(" \u{b7} {active} active")
                } else {
                    String::new()
                };
                format!("{}{more}{active}", page.sessions.len())
            })
        })
    };
    view! {
        <div class="heading">
            <h1>"Sessions"</h1>
            <span class="sub">{count}</span>
            <div class="grow"></div>
            <Filters />
        </div>
        <Fetched fetch=sessions what="sessions" content=move |page: &Page| {
            if page.sessions.is_empty() {
                return view! { <Onboarding what="sessions" /> }.into_any();
            }
            let more = page.next_cursor.is_some();
            view! {
                <div class="panel scroll">
                    <SessionTable sessions=page.sessions.clone() />
                    {more.then(|| view! {
                        <button class="more" on:click=move |_| limit.update(|n| *n += PAGE)>"Show more"</button>
                    })}
                </div>
            }
            .into_any()
        } />
    }
}

/// A select bound to a parameter of the URL.
#[component]
pub(crate) fn Choice(
    name: &'static str,
    label: &'static str,
    options: Vec<(String, String)>,
) -> impl IntoView {
    let value = param(name);
    let patch = use_patch();
    let change = move |event| patch(&[(name, Some(event_target_value(&event)))]);
    let option = move |(word, title): (String, String)| {
        let selected = value.get_untracked().as_ref() == Some(&word);
        view! { <option value=word selected=selected>{title}</option> }
    };
    view! {
        <label class="pill pick">
            <span>{label}</span>
            <select on:change=change prop:value=move || value.get().unwrap_or_default()>
                <option value="">"any"</option>
                {options.into_iter().map(option).collect_view()}
            </select>
        </label>
    }
}

/// A switch bound to a parameter of the URL.
#[component]
pub(crate) fn Switch(name: &'static str, label: &'static str) -> impl IntoView {
    let value = param(name);
    let patch = use_patch();
    let toggle = move |_| patch(&[(name, value.get_untracked().is_none().then(|| "true".to_owned()))]);
    let on = move || value.get().is_some();
    view! { <button class="pill" class:on=on aria-pressed=move || on().to_string() on:click=toggle>{label}</button> }
}

#[component]
fn Filters() -> impl IntoView {
    let systems = System::ALL
        .map(|system| (system.as_str().to_owned(), system.title().to_owned()))
        .to_vec();
    let statuses = ["active", "ended", "failed"]
        .map(|word| (word.to_owned(), word.to_owned()))
        .to_vec();
    view! {
        <Choice name="system" label="system" options=systems />
        <Choice name="status" label="status" options=statuses />
        <Switch name="has_error" label="has error" />
        <Switch name="blocked" label="blocked" />
    }
}

/// Names as `a, b +2`.
pub(crate) fn some_of(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(2).map(String::as_str).collect();
    let more = names.len().saturating_sub(2);
    if more > 0 {
        format!("{} +{more}", shown.join(", "))
    } else {
        shown.join(", ")
    }
}

/// The first characters of an id, enough to tell it from its neighbours.
fn short_id(id: &str) -> String {
    let uuid = id.len() >= 32 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    id.chars().take(if uuid { 8 } else { 14 }).collect()
}

/// Tokens, or a dash when none are known.
pub(crate) fn tokens(total: Option<i64>) -> String {
    total.map_or_else(|| "\u{2013}".to_owned(), format::count)
}

/// Cost, "unknown" when there is none, and `≥` when some calls have no price.
pub(crate) fn cost(cost: Option<i64>, unpriced: bool) -> String {
    let lower = if unpriced && cost.is_some() {
        "\u{2265} "
    } else {
        ""
    };
    format!("{lower}{}", format::cost_or_unknown(cost))
}

#[component]
fn SessionTable(sessions: Vec<Session>) -> impl IntoView {
    let href = use_href();
    let row = move |s: Session| {
        let to = href(&format!("/sessions/{}", encode(&s.session_id)));
        let agents = some_of(&s.agents);
        let all = s.agents.join(", ");
        let called = s.tokens.total.is_some();
        let money = if called || s.cost_pico_usd.is_some() {
            cost(s.cost_pico_usd, s.unpriced_calls > 0)
        } else {
            "\u{2013}".to_owned()
        };
        let unknown = s.cost_pico_usd.is_none();
        // Two sessions of one agent have one title: their ids tell them apart.
        let short = short_id(&s.session_id);
        let id = (!s.title.contains(&short)).then(|| view! { <span class="id">{short}</span> });
        view! {
            <tr>
                <td class="title" title=s.session_id.clone()><A href=to>{s.title.clone()}</A>" "{id}</td>
                <td><SystemBadge system=s.system /></td>
                <td class="muted clip">{s.room.clone()}</td>
                <td class="clip" title=all>{agents}</td>
                <td><Status status=s.status /></td>
                <td><Sparkline counts=s.activity.clone() /></td>
                <td class="muted nowrap"><TimeText ns=s.started_at /></td>
                <td class="num">{format::duration(s.duration_ns)}</td>
                <td class="num">{s.traces}</td>
                <td class="num">{tokens(s.tokens.total)}</td>
                <td class="num" class:muted=unknown>{money}</td>
                <td class="num"><Errors count=s.errors />" "<Blocked count=s.blocked />" "<Interrupted count=s.interrupted /></td>
            </tr>
        }
    };
    view! {
        <table class="list sessions">
            <thead><tr>
                <th>"Session"</th><th>"System"</th><th>"Room"</th><th>"Agents"</th><th>"Status"</th><th>"Activity"</th>
                <th>"Started"</th><th class="num">"Duration"</th><th class="num">"Runs"</th><th class="num">"Tokens"</th>
                <th class="num">"Cost"</th><th class="num">"Trouble"</th>
            </tr></thead>
            <tbody>{sessions.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}
