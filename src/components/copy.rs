//! A button that copies a text.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

/// Copies `text`; says so for a moment.
#[component]
pub(crate) fn Copy(#[prop(into)] text: String, #[prop(optional, into)] label: String) -> impl IntoView {
    let said = RwSignal::new("");
    let kept = StoredValue::new(text);
    let copy = move |_| {
        let written = window().navigator().clipboard().write_text(&kept.get_value());
        spawn_local(async move {
            let written = JsFuture::from(written).await;
            said.set(if written.is_ok() { "copied" } else { "not allowed" });
            set_timeout(move || said.set(""), std::time::Duration::from_millis(1_500));
        });
    };
    let name = if label.is_empty() {
        "Copy".to_owned()
    } else {
        format!("Copy {label}")
    };
    view! {
        <button class="copy" aria-label=name title="Copy" on:click=copy>
            <svg viewBox="0 0 12 12" width="12" height="12" fill="none" stroke="currentColor" aria-hidden="true">
                <rect x="4" y="4" width="7" height="7" rx="1.5" />
                <path d="M8 4V2.5A1.5 1.5 0 0 0 6.5 1h-4A1.5 1.5 0 0 0 1 2.5v4A1.5 1.5 0 0 0 2.5 8H4" />
            </svg>
            <span aria-live="polite">{said}</span>
        </button>
    }
}
