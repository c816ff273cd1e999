//! What the list of sessions is narrowed to; all of it stands in the URL.

use super::{Choice, Switch};
use crate::client::Fetch;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_api::SessionPage as Page;
use meshscope_model::System;

/// Filters: name in the page's URL, name in the API.
pub(super) const FILTERS: [(&str, &str); 9] = [
    ("q", "q"),
    ("system", "system"),
    ("agent", "agent"),
    ("model", "model"),
    ("status", "status"),
    ("min_cost_usd", "min_cost_usd"),
    ("min_duration_ms", "min_duration_ms"),
    ("has_error", "has_error"),
    ("blocked", "blocked"),
];

/// Agents and models that were seen in the list, to choose from.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    agents: Memo<Vec<String>>,
    models: Memo<Vec<String>>,
}

impl Heard {
    /// Those of what is listed, and of what was before: a filter does not take away the others.
    pub(super) fn of(sessions: Fetch<Page>) -> Self {
        let gather = move |before: Option<&Vec<String>>, models: bool| {
            let mut names = before.cloned().unwrap_or_default();
            sessions.value.with(|page| {
                for session in page.iter().flat_map(|page| &page.sessions) {
                    let more = if models { &session.models } else { &session.agents };
                    names.extend(more.iter().cloned());
                }
            });
            names.sort_unstable();
            names.dedup();
            names
        };
        Self {
            agents: Memo::new(move |before| gather(before, false)),
            models: Memo::new(move |before| gather(before, true)),
        }
    }
}

/// A choice among names that come with the list.
fn among(name: &'static str, names: Memo<Vec<String>>) -> AnyView {
    let chosen = param(name);
    let choice = move || {
        let mut names = names.get();
        names.extend(chosen.get_untracked().filter(|chosen| !names.contains(chosen)));
        let options = names.into_iter().map(|name| (name.clone(), name)).collect();
        view! { <Choice name label=name options /> }
    };
    choice.into_any()
}

/// A number at the least.
fn least(name: &'static str, label: &'static str, hint: &'static str) -> AnyView {
    let value = param(name);
    let patch = use_patch();
    let change = move |event| {
        let text = event_target_value(&event);
        // What is not a number asks for nothing.
        let number = text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite() && *n > 0.0);
        patch(&[(name, number.map(|n| n.to_string()))]);
    };
    view! {
        <label class="pill field" class:on=move || value.with(Option::is_some)><span>{label}</span>
            <input type="number" min="0" step="any" name=name placeholder=hint prop:value=move || value.get().unwrap_or_default() on:change=change /></label>
    }
    .into_any()
}

/// The filters.
pub(super) fn filters(heard: Heard) -> AnyView {
    let systems = System::ALL
        .map(|system| (system.as_str().to_owned(), system.title().to_owned()))
        .to_vec();
    let statuses = ["active", "ended", "failed"]
        .map(|word| (word.to_owned(), word.to_owned()))
        .to_vec();
    let set = FILTERS.map(|(name, _)| param(name));
    let patch = use_patch();
    let clear = move || {
        let any = set.iter().any(|value| value.with(Option::is_some));
        let patch = patch.clone();
        let clear = move |_| patch(&FILTERS.map(|(name, _)| (name, None)));
        any.then(|| view! { <button class="fold" id="clear-filters" on:click=clear>"Clear"</button> })
    };
    view! {
        <div class="list-filters" role="group" aria-label="Filters">
            <Choice name="system" label="system" options=systems />
            <Choice name="status" label="status" options=statuses />
            {among("agent", heard.agents)}
            {among("model", heard.models)}
            {least("min_cost_usd", "cost \u{2265} $", "0.01")}
            {least("min_duration_ms", "took \u{2265} ms", "1000")}
            <Switch name="has_error" label="has error" />
            <Switch name="blocked" label="blocked" />
            {clear}
        </div>
    }
    .into_any()
}
