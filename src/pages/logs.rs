//! Logs: what services wrote, newest first.

use super::sessions::Choice;
use crate::client::{self, use_fetch};
use crate::components::json_tree::JsonTree;
use crate::components::onboarding::Onboarding;
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::components::top_bar::{scoped, scoped_params};
use crate::state::keys::is_within;
use crate::state::{param, use_href};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::query::SEVERITIES;
use meshscope_api::{Log, LogPage as Page};
use meshscope_model::Attributes;
use meshscope_model::log::severity_name;

const FILTERS: [&str; 4] = ["q", "severity", "session", "service"];

/// Records of one page.
const PAGE: u32 = 200;

/// The page.
#[component]
pub(crate) fn LogsPage() -> impl IntoView {
    let scope = scoped();
    let filters = FILTERS.map(param);
    let limit = RwSignal::new(PAGE);
    let origin = client::origin();
    let key = move || Some((scope.get(), filters.map(|filter| filter.get()), limit.get()));
    let logs = use_fetch(key, move |(scope, filters, limit), abort| {
        let mut params = scoped_params(&scope);
        FILTERS
            .iter()
            .zip(filters)
            .for_each(|(name, value)| params.set(name, value));
        params.set("limit", Some(limit));
        let origin = origin.clone();
        async move { client::get::<Page>(&origin, "logs", &params, abort.as_ref()).await }
    });
    let count = move || {
        logs.value.with(|page| {
            let page = page.as_ref()?;
            Some(format!(
                "{}{}",
                page.logs.len(),
                if page.next_cursor.is_some() { "+" } else { "" }
            ))
        })
    };
    let levels = SEVERITIES
        .iter()
        .map(|(word, _)| ((*word).to_owned(), format!("\u{2265} {word}")))
        .collect();
    view! {
        <div class="heading">
            <h1>"Logs"</h1>
            <span class="sub">{count}</span>
            <div class="grow"></div>
            <Choice name="severity" label="level" options=levels />
        </div>
        <Fetched fetch=logs what="logs" content=move |page: &Page| {
            if page.logs.is_empty() {
                return view! { <Onboarding what="log records" /> }.into_any();
            }
            let more = page.next_cursor.is_some();
            view! {
                <div class="panel scroll">
                    <LogRows logs=page.logs.clone() />
                    {more.then(|| view! {
                        <button class="more" on:click=move |_| limit.update(|n| *n += PAGE)>"Show more"</button>
                    })}
                </div>
            }
            .into_any()
        } />
    }
}

/// Records as dense rows; one opens to all it carries.
#[component]
pub(crate) fn LogRows(logs: Vec<Log>) -> impl IntoView {
    let row = |log: Log| view! { <LogRow log /> };
    view! { <div class="logs" role="list">{logs.into_iter().map(row).collect_view()}</div> }
}

/// Removes ANSI escape sequences, which colour a terminal and clutter a page.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(after.len(), |end| end + 1);
        rest = after.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The level in the words of OpenTelemetry, or the sender's own.
pub(crate) fn level_of(log: &Log) -> String {
    match severity_name(log.severity_number) {
        "" => log.severity_text.clone(),
        name => name.to_owned(),
    }
}

/// What a record says, on one line.
pub(crate) fn text_of(log: &Log) -> String {
    match log.event_name.as_str() {
        "" => plain(&log.body.to_text()),
        name => format!("{name} {}", plain(&log.body.to_text()))
            .trim_end_matches(" null")
            .to_owned(),
    }
}

/// Everything that a record carries.
pub(crate) fn details_of(log: &Log) -> serde_json::Value {
    let object = |all: &Attributes| {
        let fields = all.iter().map(|kv| (kv.key.clone(), kv.value.to_json()));
        fields.collect::<serde_json::Map<_, _>>()
    };
    serde_json::json!({
        "body": log.body.to_json(),
        "attributes": object(&log.attributes),
        "resource": object(&log.resource.attributes),
        "scope": log.scope.name,
        "severity": log.severity_text,
        "session": log.session_id,
        "trace_id": log.trace_id,
        "span_id": log.span_id,
    })
}

#[component]
fn LogRow(log: Log) -> impl IntoView {
    let open = RwSignal::new(false);
    let href = use_href();
    let level = level_of(&log);
    let class = format!("log {}", level.to_lowercase());
    let text = text_of(&log);
    let span = log.trace_id.map(|trace| {
        let span = log
            .span_id
            .map_or_else(String::new, |span| format!("?span={span}"));
        let to = href(&format!("/traces/{trace}{span}"));
        view! { <A href=to attr:class="to-span">"\u{2197} span"</A> }
    });
    let (time, service) = (log.time, log.service.clone());
    let log = StoredValue::new(log);
    let details = move || {
        let value = log.with_value(details_of);
        view! { <div class="log-details mono"><JsonTree value open=2 /></div> }
    };
    let toggle = move || open.update(|open| *open = !*open);
    view! {
        <div class=class role="listitem">
            <div class="log-line mono" tabindex="0" on:click=move |event| if !is_within(&event, "a[href]") { toggle() }
                on:keydown=move |event| if event.key() == "Enter" && !is_within(&event, "a[href]") { toggle() }>
                <TimeText ns=time short=true />
                <span class="level">{level}</span>
                <span class="who">{service}</span>
                <span class="text">{text}</span>
                {span}
            </div>
            <Show when=move || open.get()>{details}</Show>
        </div>
    }
}
