//! Names of the series with their hues; a click hides or shows one.

use super::data::{Data, Kind};
use leptos::prelude::*;

/// The mark of a hue.
pub(crate) fn swatch(hue: usize) -> AnyView {
    let class = format!("swatch h{}", hue + 1);
    view! { <i class=class></i> }.into_any()
}

/// The legend; of a heat map the scale of its colour.
#[component]
pub(super) fn Legend(data: Signal<Data>, hidden: RwSignal<Vec<String>>) -> impl IntoView {
    let names = Memo::new(move |_| {
        data.with(|data| {
            let names = data.series.iter().map(|series| (series.hue, series.name.clone()));
            let scale = (data.kind == Kind::Heat).then(|| (data.format)(data.fullest()));
            // The title says what a single series is, unless it is one of a group.
            let told = data.series.len() > 1 || data.series.iter().any(|series| series.key.is_some());
            (scale, names.filter(|_| told).collect::<Vec<_>>())
        })
    });
    let entries = move || match names.get() {
        (Some(most), _) => view! { <span class="muted">"0 "<i class="scale"></i>{most}</span> }.into_any(),
        (None, names) => names
            .into_iter()
            .map(|(hue, name)| entry(hue, name, hidden))
            .collect_view()
            .into_any(),
    };
    view! { <span class="legend">{entries}</span> }.into_any()
}

fn entry(hue: usize, name: String, hidden: RwSignal<Vec<String>>) -> AnyView {
    let (kept, key) = (name.clone(), name.clone());
    let toggle = move |_| {
        hidden.update(|hidden| match hidden.iter().position(|known| *known == kept) {
            Some(at) => {
                hidden.remove(at);
            }
            None => hidden.push(kept.clone()),
        });
    };
    let title = name.clone();
    let shown = Signal::derive(move || !hidden.with(|hidden| hidden.contains(&key)));
    view! {
        <button class="legend-entry" title=title class:off=move || !shown.get() aria-pressed=move || shown.get().to_string()
            on:click=toggle>{swatch(hue)}{name}</button>
    }
    .into_any()
}
