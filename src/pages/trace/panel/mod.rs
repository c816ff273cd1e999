//! Everything the selected span carries.

mod attributes;
mod facts;
mod tabs;

use super::shared::Shown;
use crate::client::{self, use_fetch_while};
use crate::components::states::Fetched;
use crate::state::{param, use_patch};
use facts::Facts;
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_analysis::own_time;
use meshscope_api::{Params, SpanDetail};
use tabs::Tabs;
use wasm_bindgen_futures::JsFuture;

/// Values of more bytes come cut; the whole comes by a click.
const PREVIEW: u32 = 64 * 1024;

/// Where the API has a span.
fn path_of(trace: &str, span: &str) -> String {
    let encode = meshscope_api::params::encode;
    format!("traces/{}/spans/{}", encode(trace), encode(span))
}

/// The panel beside a view; nothing when no span is selected.
#[component]
pub(crate) fn Panel(shown: Shown) -> impl IntoView {
    let origin = client::origin();
    let detail = use_fetch_while(
        move || shown.span.get().map(|span| (shown.id.get(), span)),
        move || shown.is_running(),
        move |(trace, span), abort| {
            let mut params = Params::default();
            params.set("preview", Some(PREVIEW));
            let origin = origin.clone();
            async move {
                client::get::<SpanDetail>(&origin, &path_of(&trace, &span), &params, abort.as_ref()).await
            }
        },
    );
    // The clock fetches the span again; what did not change is not built anew.
    let found = Memo::new(move |_| detail.value.get());
    let failed = Memo::new(move |_| detail.error.with(Option::is_some));
    let own = move |detail: &SpanDetail| {
        shown.loaded.with(|loaded| {
            let loaded = loaded.as_ref()?;
            let row = loaded.tree.row_of(&loaded.columns, detail.span_id.as_u64())?;
            Some(own_time(&loaded.columns, &loaded.tree, row))
        })
    };
    view! {
        <Show when=move || shown.span.get().is_some()>
            <aside class="panel details" aria-label="The selected span">
                <Actions shown />
                {move || match (found.get(), failed.get()) {
                    (Some(detail), false) => {
                        let own = own(&detail);
                        view! { <Facts detail=detail.clone() own /><Tabs detail shown /> }.into_any()
                    }
                    _ => view! { <Fetched fetch=detail what="the span" content=|_| () /> }.into_any(),
                }}
            </aside>
        </Show>
    }
}

/// What can be done with the span: copied as JSON, shown raw, closed.
#[component]
fn Actions(shown: Shown) -> impl IntoView {
    let detail = param("detail");
    let patch = use_patch();
    let said = RwSignal::new("");
    let origin = client::origin();
    let copy = move |_| {
        let (origin, trace) = (origin.clone(), shown.id.get_untracked());
        let Some(span) = shown.span.get_untracked() else {
            return;
        };
        said.set("\u{2026}");
        spawn_local(async move {
            let answer = client::text(&origin, &path_of(&trace, &span), &Params::default(), None).await;
            let value = answer
                .ok()
                .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
            let text = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
            let outcome = match text {
                None => "not reached",
                Some(text) => {
                    match JsFuture::from(window().navigator().clipboard().write_text(&text)).await {
                        Ok(_) => "copied",
                        Err(_) => "not allowed",
                    }
                }
            };
            said.try_set(outcome);
            set_timeout(
                move || {
                    said.try_set("");
                },
                std::time::Duration::from_millis(1_500),
            );
        });
    };
    let raw = move || detail.with(|detail| detail.as_deref() == Some("raw"));
    let toggle = move |_| patch(&[("detail", (!raw()).then(|| "raw".to_owned()))]);
    view! {
        <div class="details-actions">
            <span class="muted" aria-live="polite">{said}</span>
            <button class="copy" title="Copy the span as JSON" on:click=copy>"copy JSON"</button>
            <button class="copy" title="Everything as it was sent (r)" aria-pressed=move || raw().to_string() on:click=toggle>"raw"</button>
            <button class="copy" aria-label="Close" title="Close (Esc)" on:click=move |_| shown.select.run(None)>"\u{2715}"</button>
        </div>
    }
}
