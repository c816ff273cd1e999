//! What is shown, copied as lines or downloaded as JSON.

use super::follow::Console;
use crate::components::save::save_parts;
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_model::time::to_rfc3339;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// Copies the records that are shown, a line each.
pub(crate) fn copy(console: Console) {
    let text = console.with_feed(|feed| {
        let mut text = String::new();
        for entry in feed.shown() {
            let (time, service) = (to_rfc3339(entry.log.time), &entry.log.service);
            text.push_str(&format!("{time} {:<5} {service} {}\n", entry.level, entry.text));
        }
        text
    });
    spawn_local(async move {
        let written = window()
            .navigator()
            .clipboard()
            .write_text(&text.unwrap_or_default());
        let said = if JsFuture::from(written).await.is_ok() {
            "Copied"
        } else {
            "Not allowed"
        };
        console.copied.set(Some(said));
        set_timeout(
            move || console.copied.set(None),
            std::time::Duration::from_millis(1_500),
        );
    });
}

/// What the button says.
pub(crate) fn copied(console: Console) -> impl Fn() -> &'static str + Send + 'static {
    move || console.copied.get().unwrap_or("Copy")
}

/// Downloads the records that are shown, as JSON, one a line.
pub(crate) fn download(console: Console) {
    let lines = js_sys::Array::new();
    let count = console.with_feed(|feed| {
        for entry in feed.shown() {
            lines.push(&JsValue::from_str(&format!("{}\n", entry.to_json())));
        }
    });
    if count.is_none() {
        return;
    }
    save_parts(&lines, "application/x-ndjson", "meshscope-logs.jsonl");
}
