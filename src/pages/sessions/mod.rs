//! Sessions: every time it ran. The list is ordered by the server and follows what comes; two of it can be
//! compared.

mod columns;
mod filters;
mod pair;

use crate::client::{self, Fetch, use_fetch};
use crate::components::figures::{money, tokens};
use crate::components::onboarding::Onboarding;
use crate::components::states::Fetched;
use crate::components::top_bar::{scoped, scoped_params};
use crate::state::{param, use_patch};
use columns::{Chosen, sort_of, table, use_columns};
use filters::{FILTERS, Heard, filters};
use leptos::prelude::*;
use meshscope_api::{Params, SessionPage as Page, SessionTotals};
use meshscope_layout::format;

/// Entries of one page.
const PAGE: u32 = 100;

/// The page.
#[component]
pub(crate) fn SessionsPage() -> impl IntoView {
    let scope = scoped();
    let chosen = FILTERS.map(|(name, _)| param(name));
    let sort = param("sort");
    let limit = RwSignal::new(PAGE);
    let origin = StoredValue::new(client::origin());
    let asked = Memo::new(move |_| {
        let mut params = Params::default();
        let values = chosen.map(|value| value.get());
        FILTERS
            .iter()
            .zip(values)
            .for_each(|((_, name), value)| params.set(name, value));
        params
    });
    let query = move |scope: &crate::components::top_bar::Scope, more: &Params| {
        let mut params = scoped_params(scope);
        params.0.extend(more.0.iter().cloned());
        params
    };
    let sessions: Fetch<Page> = use_fetch(
        move || Some((scope.get(), asked.get(), sort.get(), limit.get())),
        move |(scope, asked, sort, limit), abort| {
            let mut params = query(&scope, &asked);
            let (order, direction) = sort_of(sort.as_deref());
            params.set("order", Some(order));
            params.set("direction", direction);
            params.set("limit", Some(limit));
            async move { client::get::<Page>(&origin.get_value(), "sessions", &params, abort.as_ref()).await }
        },
    );
    let totals: Fetch<SessionTotals> = use_fetch(
        move || Some((scope.get(), asked.get())),
        move |(scope, asked), abort| {
            let params = query(&scope, &asked);
            async move {
                client::get::<SessionTotals>(&origin.get_value(), "session-totals", &params, abort.as_ref())
                    .await
            }
        },
    );
    let heard = Heard::of(sessions);
    let columns = use_columns();
    let filtered = move || asked.with(|asked| !asked.0.is_empty());
    let none = move |page: &Page| {
        match (page.sessions.is_empty(), filtered()) {
        (false, _) => ().into_any(),
        (true, false) => view! { <Onboarding what="sessions" /> }.into_any(),
        (true, true) => {
            view! { <div class="empty"><h2>"No session is like this"</h2><p>"Take a filter away, or show a longer time."</p></div> }
                .into_any()
        }
    }
    };
    // The list stays when it is asked for again: what has the focus keeps it.
    let all = Memo::new(move |_| {
        let all = |page: &Page| page.sessions.clone();
        sessions
            .value
            .with(|page| page.as_ref().map(all).unwrap_or_default())
    });
    let any = Memo::new(move |_| all.with(|all| !all.is_empty()));
    let goes_on = Memo::new(move |_| {
        let next = |page: &Page| page.next_cursor.is_some();
        sessions.value.with(|page| page.as_ref().is_some_and(next))
    });
    let more = move || {
        goes_on.get().then(|| {
            view! { <button class="more" on:click=move |_| limit.update(|n| *n += PAGE)>"Show more"</button> }.into_any()
        })
    };
    let list = move || {
        view! {
            <div class="panel scroll">
                {sums(totals)}
                {pair::picked()}
                {table(all, columns)}
                {more}
            </div>
        }
        .into_any()
    };
    let count = move || {
        totals.value.with(|totals| {
            let totals = totals.as_ref()?;
            let active = if totals.active > 0 {
                format!(" \u{b7} {} active", totals.active)
            } else {
                String::new()
            };
            Some(format!("{}{active}", format::integer(i64::from(totals.sessions))))
        })
    };
    view! {
        <div class="heading">
            <h1>"Sessions"</h1>
            <span class="sub">{count}</span>
            <div class="grow"></div>
            {active_first()}
            {Chosen::menu(columns)}
        </div>
        {filters(heard)}
        <Fetched fetch=sessions what="sessions" content=none />
        {move || any.get().then(list)}
    }
}

/// What is active first, or what is recent.
fn active_first() -> AnyView {
    let sort = param("sort");
    let patch = use_patch();
    let on = move || sort.with(|sort| sort.as_deref() == Some("-activity"));
    let toggle = move |_| patch(&[("sort", (!untrack(on)).then(|| "-activity".to_owned()))]);
    view! { <button class="pill" id="active-first" class:on=on aria-pressed=move || on().to_string() on:click=toggle>"Active first"</button> }
        .into_any()
}

/// The sums over all that the filters let through, shown or not.
fn sums(totals: Fetch<SessionTotals>) -> AnyView {
    let figure =
        |name: &'static str, value: String| view! { <span>{name}" "<b>{value}</b></span> }.into_any();
    let sums = move || {
        totals.value.with(|totals| {
            let t = totals.as_ref()?;
            let mut all = vec![
                figure("sessions", format::integer(i64::from(t.sessions))),
                figure("runs", format::integer(t.runs)),
                figure("spans", format::integer(t.spans)),
                figure("logs", format::integer(t.logs)),
                figure("tokens", tokens(t.tokens.total)),
                figure(
                    "cost",
                    money(t.tokens.total, t.cost_pico_usd, t.unpriced_calls > 0),
                ),
            ];
            let trouble = [
                ("failed", i64::from(t.failed)),
                ("failed spans", t.errors),
                ("blocked", t.blocked),
            ];
            let trouble = trouble.into_iter().filter(|(_, count)| *count > 0);
            all.extend(trouble.map(|(name, count)| figure(name, format::integer(count))));
            Some(view! { <div class="totals" aria-label="Totals of the selection">{all}</div> })
        })
    };
    sums.into_any()
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

/// The first characters of an id, enough to tell it from its neighbours.
fn short_id(id: &str) -> String {
    let uuid = id.len() >= 32 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    id.chars().take(if uuid { 8 } else { 14 }).collect()
}
