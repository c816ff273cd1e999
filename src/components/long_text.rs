//! Text of any length: its beginning first, and more of it by a click.

use leptos::prelude::*;
use meshscope_layout::format;

/// Bytes that are shown before it is unfolded.
const SHORT: usize = 600;
/// Bytes that a click adds: as much as a browser lays out in no time.
const PAGE: usize = 100_000;

/// A text, its beginning where it is long.
#[component]
pub(crate) fn LongText(text: String) -> AnyView {
    if text.len() <= SHORT {
        return text.into_any();
    }
    let size = text.len();
    let text = StoredValue::new(text);
    let until = RwSignal::new(SHORT);
    let shown = move || {
        text.with_value(|text| {
            let end = text.floor_char_boundary(until.get().min(size));
            let rest = if end < size { "\u{2026}" } else { "" };
            format!("{}{rest}", text.get(..end).unwrap_or_default())
        })
    };
    let all = move || until.get() >= size;
    let change = move |_| until.update(|until| *until = if *until >= size { SHORT } else { *until + PAGE });
    let label = move || match until.get() {
        _ if all() => "fold".to_owned(),
        until if until + PAGE >= size => format!("show all {}", format::bytes(size as u64)),
        until => format!(
            "show more: {} of {}",
            format::bytes(until as u64),
            format::bytes(size as u64)
        ),
    };
    view! { <span>{shown}" "<button class="fold" on:click=change>{label}</button></span> }.into_any()
}
