//! Traces: every run.

use super::sessions::{Choice, Switch};
use crate::client::{self, use_fetch};
use crate::components::badge::{Blocked, Errors, SystemBadge};
use crate::components::figures::{money, some_of, tokens};
use crate::components::onboarding::Onboarding;
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::components::top_bar::{scoped, scoped_params};
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::{TracePage as Page, TraceSummary};
use meshscope_layout::format;
use meshscope_model::System;

const FILTERS: [&str; 5] = ["q", "system", "session", "has_error", "blocked"];

/// Entries of one page.
const PAGE: u32 = 100;

/// The page.
#[component]
pub(crate) fn TracesPage() -> impl IntoView {
    let scope = scoped();
    let filters = FILTERS.map(param);
    let limit = RwSignal::new(PAGE);
    let origin = client::origin();
    let key = move || Some((scope.get(), filters.map(|filter| filter.get()), limit.get()));
    let traces = use_fetch(key, move |(scope, filters, limit), abort| {
        let mut params = scoped_params(&scope);
        FILTERS
            .iter()
            .zip(filters)
            .for_each(|(name, value)| params.set(name, value));
        params.set("limit", Some(limit));
        let origin = origin.clone();
        async move { client::get::<Page>(&origin, "traces", &params, abort.as_ref()).await }
    });
    let count = move || {
        traces.value.with(|page| {
            let page = page.as_ref()?;
            Some(format!(
                "{}{}",
                page.traces.len(),
                if page.next_cursor.is_some() { "+" } else { "" }
            ))
        })
    };
    let systems = System::ALL
        .map(|system| (system.as_str().to_owned(), system.title().to_owned()))
        .to_vec();
    view! {
        <div class="heading">
            <h1>"Traces"</h1>
            <span class="sub">{count}</span>
            <div class="grow"></div>
            <Choice name="system" label="system" options=systems />
            <Switch name="has_error" label="has error" />
            <Switch name="blocked" label="blocked" />
        </div>
        <Fetched fetch=traces what="traces" content=move |page: &Page| {
            if page.traces.is_empty() {
                return view! { <Onboarding what="traces" /> }.into_any();
            }
            let more = page.next_cursor.is_some();
            view! {
                <div class="panel scroll">
                    <TraceTable traces=page.traces.clone() />
                    {more.then(|| view! {
                        <button class="more" on:click=move |_| limit.update(|n| *n += PAGE)>"Show more"</button>
                    })}
                </div>
            }
            .into_any()
        } />
    }
}

/// Traces with a bar that compares their durations.
#[component]
pub(crate) fn TraceTable(traces: Vec<TraceSummary>) -> impl IntoView {
    let href = use_href();
    let pick = use_picks();
    let longest = traces
        .iter()
        .map(|trace| trace.duration_ns)
        .max()
        .unwrap_or(0)
        .max(1);
    let row = move |t: TraceSummary| {
        let to = href(&format!("/traces/{}", t.trace_id));
        let width = format!("width:{:.2}%", t.duration_ns as f64 / longest as f64 * 100.0);
        let money = money(t.tokens.total, t.cost_pico_usd, false);
        let incomplete = (!t.complete)
            .then(|| view! { <span class="badge" title="The root, a parent or an end is missing">"incomplete"</span> });
        let agents = t.agents.join(", ");
        view! {
            <tr>
                <td class="pick">{pick.clone()(t.trace_id.to_string(), &t.name)}</td>
                <td class="title"><A href=to>{t.name.clone()}</A>" "{incomplete}</td>
                <td><SystemBadge system=t.system /></td>
                <td class="muted clip">{t.service.clone()}</td>
                <td class="clip" title=agents>{some_of(&t.agents)}</td>
                <td class="muted nowrap"><TimeText ns=t.started_at /></td>
                <td class="duration">
                    <div class="duration-bar"><i style=width></i></div>
                    <span>{format::duration(t.duration_ns)}</span>
                </td>
                <td class="num">{t.spans}</td>
                <td class="num">{tokens(t.tokens.total)}</td>
                <td class="num">{money}</td>
                <td class="num"><Errors count=t.errors />" "<Blocked count=t.blocked /></td>
            </tr>
        }
    };
    view! {
        <Picked />
        <table class="list traces">
            <thead><tr>
                <th class="pick"><span class="visually-hidden">"Compare"</span></th><th>"Trace"</th><th>"System"</th><th>"Service"</th><th>"Agents"</th><th>"Started"</th><th>"Duration"</th>
                <th class="num">"Spans"</th><th class="num">"Tokens"</th><th class="num">"Cost"</th><th class="num">"Trouble"</th>
            </tr></thead>
            <tbody>{traces.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

/// The traces that are picked to be compared, two at the most, as the URL's `pick` has them.
pub(crate) fn picks(pick: Option<&str>) -> Vec<String> {
    let ids = pick.unwrap_or_default().split(',').filter(|id| !id.is_empty());
    ids.take(2).map(str::to_owned).collect()
}

/// Makes the box that picks a trace; of three the first gives way.
pub(crate) fn use_picks() -> impl Fn(String, &str) -> AnyView + Clone {
    let pick = param("pick");
    let patch = use_patch();
    move |id: String, name: &str| {
        let patch = patch.clone();
        let mine = id.clone();
        let on = move || picks(pick.get().as_deref()).contains(&mine);
        let change = move |_| {
            let mut ids = picks(pick.get_untracked().as_deref());
            if ids.contains(&id) {
                ids.retain(|other| *other != id);
            } else {
                ids.push(id.clone());
                let over = ids.len().saturating_sub(2);
                ids.drain(..over);
            }
            patch(&[("pick", Some(ids.join(",")))]);
        };
        let label = format!("Compare {name}");
        view! { <input type="checkbox" class="pick-box" aria-label=label.clone() title=label prop:checked=on on:change=change /> }
            .into_any()
    }
}

/// What to do with the traces that are picked.
#[component]
fn Picked() -> impl IntoView {
    let pick = param("pick");
    let (patch, href) = (use_patch(), use_href());
    move || {
        let ids = picks(pick.get().as_deref());
        let (patch, clear) = (patch.clone(), "Let go");
        let compare = match &ids[..] {
            [a, b] => {
                let to = href(&format!("/compare?a={a}&b={b}"));
                view! { <A href=to attr:class="pill on">"Compare the two"</A> }.into_any()
            }
            _ => view! { <span>"One more trace to compare it with"</span> }.into_any(),
        };
        (!ids.is_empty()).then(|| {
            view! {
                <div class="picked" role="status">
                    <span>{format!("{} picked", ids.len())}</span>{compare}
                    <button class="fold" on:click=move |_| patch(&[("pick", None)])>{clear}</button>
                </div>
            }
        })
    }
}
