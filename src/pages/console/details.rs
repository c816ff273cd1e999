//! One record with everything it carries.

use super::entry::Item;
use super::follow::Console;
use crate::components::copy::Copy;
use crate::components::json_tree::JsonTree;
use crate::state::{use_href, use_replace};
use leptos::prelude::*;
use leptos_router::components::A;
use serde_json::Value;

/// The record in the URL, beside the list.
#[component]
pub(crate) fn Details(record: Memo<Option<i64>>) -> impl IntoView {
    let console = expect_context::<Console>();
    let (href, patch) = (use_href(), use_replace());
    let found = Memo::new(move |before: Option<&Option<(i64, Value)>>| {
        let record = record.get()?;
        // Once found it stays, also when the list has let go of it.
        if let Some(Some(before)) = before
            && before.0 == record
        {
            return Some(before.clone());
        }
        console.drawn.track();
        let json = console.with_feed(|feed| match feed.find(record)?.1.as_ref() {
            Item::Log(entry) => Some(entry.to_json()),
            Item::Gap(_) => None,
        });
        Some((record, json.flatten()?))
    });
    move || {
        record.get()?;
        let patch = patch.clone();
        let close = view! {
            <button class="copy" aria-label="Close" on:click=move |_| patch(&[("record", None)])>"\u{2715}"</button>
        };
        let content = found.get().map(|(_, json)| {
            let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
            let span = text("trace_id").map(|trace| {
                let span = text("span_id").map_or_else(String::new, |span| format!("?span={span}"));
                let to = href(&format!("/traces/{trace}{span}"));
                let logs = href(&format!("/console?q=trace_id={trace}"));
                view! {
                    <A href=to attr:class="pill">"\u{2197} Open the span"</A>
                    <A href=logs attr:class="pill">"Logs of this trace"</A>
                }
            });
            let pretty = serde_json::to_string_pretty(&json).unwrap_or_default();
            view! {
                <div class="row">{span}<span class="grow"></span><Copy text=pretty label="the record" /></div>
                <div class="mono details-json"><JsonTree value=json open=2 /></div>
            }
        });
        let missing = content
            .is_none()
            .then(|| view! { <p class="muted">"This record is not among those that are held."</p> });
        Some(view! {
            <aside class="panel console-details" aria-label="The record">
                <h2><span>"Record"</span>{close}</h2>
                {content}{missing}
            </aside>
        })
    }
}
