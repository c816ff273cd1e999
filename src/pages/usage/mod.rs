//! Usage: what it cost, how it was used, how fast it was. Every figure comes from the ledger and opens
//! into its rows.

mod breakdown;
mod budgets;
mod desk;
mod gallery;
mod measure;
mod over_time;
mod overview;
mod prices;
mod ranking;
mod rows;
mod selection;
mod what_if;

pub(crate) use over_time::{group_name, tokens_by_group};

use crate::client::{self, Fetch};
use crate::components::onboarding::Onboarding;
use crate::components::states::States;
use crate::components::time_text::{moment, zone};
use crate::state::prefs::{Prefs, Theme};
use crate::state::{param, use_patch};
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::{Bucket, UsageGroupBy, UsageKey, UsageReport};
use selection::{FILTERS, keys, pairs, use_report};

/// Time to draw the charts for the printer, ms.
const PRINT_MS: i32 = 200;
/// Groups that a chart tells apart.
const TOP: &str = "6";

/// The parts of the page: their word in the URL and their title.
const TABS: [(&str, &str); 4] = [
    ("", "Overview"),
    ("prices", "Prices"),
    ("what-if", "What if"),
    ("budgets", "Budgets"),
];

/// The page.
#[component]
pub(crate) fn UsagePage() -> impl IntoView {
    let tab = param("tab");
    let tab = Memo::new(move |_| tab.get().unwrap_or_default());
    // The top bar, which says it otherwise, is not printed.
    let (project, room) = (param("project"), param("room"));
    let place = move || {
        let place = [project.get(), room.get()].into_iter().flatten();
        place.map(|name| format!(" \u{b7} {name}")).collect::<String>()
    };
    view! {
        <div class="heading usage-heading">
            <h1>"Usage"<span class="print-only">{place}</span></h1>
            {move || FILTERS.iter().skip(1).map(|name| chip(name)).collect_view()}
        </div>
        {tabs(tab)}
        {move || match tab.get().as_str() {
            "prices" => prices::page(),
            "what-if" => what_if::page(),
            "budgets" => budgets::page(),
            _ => overview_page(),
        }}
        {rows::drawer()}
    }
    .into_any()
}

fn tabs(tab: Memo<String>) -> AnyView {
    let patch = use_patch();
    let button = move |(word, title): (&'static str, &'static str)| {
        let patch = patch.clone();
        let on = move || tab.get() == word;
        view! {
            <button role="tab" class:on=on aria-selected=move || on().to_string()
                on:click=move |_| patch(&[("tab", Some(word.to_owned()))])>{title}</button>
        }
    };
    view! { <div class="tabs" role="tablist">{TABS.map(button).into_iter().collect_view()}</div> }.into_any()
}

/// A filter that is set, with a way to remove it.
fn chip(name: &'static str) -> AnyView {
    let (value, patch) = (param(name), use_patch());
    let chip = move || {
        let patch = patch.clone();
        let text = value.get()?;
        let said = if name == "none" { "without" } else { name };
        Some(view! {
            <button class="pill chip" title="Remove this filter" on:click=move |_| patch(&[(name, None)])>
                {said}" "<b>{text}</b>" \u{2715}"
            </button>
        })
    };
    chip.into_any()
}

/// Figures, charts, breakdown, rankings.
fn overview_page() -> AnyView {
    let by = param("by");
    let (bucket, prefs) = (param("bucket"), expect_context::<Prefs>());
    let first = Memo::new(move |_| keys(by.get().as_deref()).first().map(UsageKey::to_string));
    let chosen = selection::selection();
    let more = Signal::derive(move || {
        let by = first.get().unwrap_or_default();
        let mut more = pairs(&[("by", &by), ("top", TOP)]);
        if chosen.with(selection::Selection::has_before) {
            more.extend(pairs(&[("compare", "previous")]));
        }
        more.extend(bucket.get().map(|bucket| ("bucket".to_owned(), bucket)));
        Some(more)
    });
    let report = use_report(more, true);
    let standing = Memo::new(move |_| {
        report
            .value
            .with(|report| report.as_ref().map(over_time::is_empty))
    });
    view! {
        <div class="row usage-tools">
            {period(report)}
            <div class="grow"></div>
            {group_by()}
            {bucket_pick(bucket)}
            <button class="pill" on:click=move |_| print(prefs)>"Print"</button>
        </div>
        <States fetch=report what="usage" />
        {move || match standing.get() {
            None => ().into_any(),
            Some(true) if chosen.with(|chosen| !chosen.filters.is_empty()) => view! {
                <div class="empty"><h2>"Nothing in this selection"</h2><p>"No calls and no runs have all of the filters above in this time."</p></div>
            }
            .into_any(),
            Some(true) => view! { <Onboarding what="usage" /> }.into_any(),
            Some(false) => view! {
                {overview::cards(report)}
                {gallery::charts(report)}
                {breakdown::breakdown()}
                {gallery::more_charts(report)}
                {ranking::rankings()}
            }
            .into_any(),
        }}
    }
    .into_any()
}

/// Prints the page as a report, on white whatever the theme.
fn print(prefs: Prefs) {
    let theme = prefs.theme.get_untracked();
    prefs.theme.set(Theme::Light);
    spawn_local(async move {
        // The charts are drawn anew first.
        client::sleep(PRINT_MS).await;
        if let Err(error) = window().print() {
            leptos::logging::error!("the page cannot be printed: {error:?}");
        }
        prefs.theme.set(theme);
    });
}

/// How wide a bucket is.
fn bucket_pick(bucket: Memo<Option<String>>) -> AnyView {
    let patch = use_patch();
    let option = move |(word, _): (&'static str, Bucket)| {
        view! { <option value=word selected=move || bucket.get().as_deref() == Some(word)>{word}</option> }
            .into_any()
    };
    view! {
        <label class="pill pick">
            <span>"bucket"</span>
            <select id="bucket" on:change=move |event| patch(&[("bucket", Some(event_target_value(&event)))])
                prop:value=move || bucket.get().unwrap_or_default()>
                <option value="">"fitting"</option>{Bucket::ALL.map(option)}
            </select>
        </label>
    }
    .into_any()
}

/// What time the figures are of, and what they are compared with.
fn period(report: Fetch<UsageReport>) -> AnyView {
    let text = move || {
        report.value.with(|report| {
            let report = report.as_ref()?;
            let (from, to) = (moment(report.from), moment(report.to));
            let before = report.previous.as_ref().map_or_else(String::new, |before| {
                format!(
                    " \u{b7} compared with {} \u{2013} {}",
                    moment(before.from),
                    moment(before.to)
                )
            });
            Some(format!("{from} \u{2013} {to} {}{before}", zone()))
        })
    };
    view! { <span class="muted sub">{text}</span> }.into_any()
}

/// The one or two keys that figures are grouped by.
fn group_by() -> AnyView {
    let by = param("by");
    let chosen = Memo::new(move |_| {
        let mut words: Vec<String> = keys(by.get().as_deref())
            .iter()
            .map(UsageKey::to_string)
            .collect();
        words.resize(2, String::new());
        words
    });
    view! { {key_pick(chosen, 0)} {key_pick(chosen, 1)} }.into_any()
}

/// The word in a list of keys that asks for an attribute's name.
const ATTRIBUTE: &str = "attr:";

fn key_pick(chosen: Memo<Vec<String>>, which: usize) -> AnyView {
    let patch = use_patch();
    let mine = move || chosen.with(|chosen| chosen.get(which).cloned().unwrap_or_default());
    let set = Callback::new(move |word: String| {
        let mut words = chosen.get_untracked();
        if let Some(slot) = words.get_mut(which) {
            *slot = word;
        }
        words.retain(|word| !word.is_empty());
        words.dedup();
        patch(&[("by", Some(words.join(","))), ("sort", None)]);
    });
    let naming = RwSignal::new(false);
    let change = move |event| {
        let word = event_target_value(&event);
        naming.set(word == ATTRIBUTE);
        if word != ATTRIBUTE {
            set.run(word);
        }
    };
    let name = move |event| {
        let key = event_target_value(&event);
        naming.set(false);
        set.run(if key.is_empty() {
            key
        } else {
            format!("{ATTRIBUTE}{key}")
        });
    };
    let attribute = Memo::new(move |_| mine().strip_prefix(ATTRIBUTE).map(str::to_owned));
    let select = move || {
        if naming.get() || attribute.get().is_some() {
            ATTRIBUTE.to_owned()
        } else {
            mine()
        }
    };
    let option = move |word: &'static str, title: &'static str| {
        view! { <option value=word selected=move || select() == word>{title}</option> }.into_any()
    };
    let (id, label, nothing) = match which {
        0 => ("by", "group by", None),
        _ => ("by2", "and", Some(option("", "nothing"))),
    };
    let known = UsageGroupBy::ALL.map(|by| option(by.as_str(), by.as_str()));
    let field = move || {
        (naming.get() || attribute.get().is_some()).then(|| {
            view! {
                <input class="attribute" type="text" placeholder="attribute" aria-label="Attribute to group by"
                    prop:value=attribute.get().unwrap_or_default() on:change=name />
            }
        })
    };
    view! {
        <label class="pill pick">
            <span>{label}</span>
            <select id=id on:change=change prop:value=select>{nothing}{known}{option(ATTRIBUTE, "attribute\u{2026}")}</select>
            {field}
        </label>
    }
    .into_any()
}
