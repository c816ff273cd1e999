//! JSON that folds; a branch is made when it is opened.

use leptos::prelude::*;
use serde_json::Value;

/// How many children a branch shows before it asks.
const PAGE: usize = 200;

/// A value; branches above `open` levels start open.
#[component]
pub(crate) fn JsonTree(value: Value, #[prop(default = 1)] open: usize) -> AnyView {
    match value {
        Value::Object(fields) => {
            let size = fields.len();
            let entries: Vec<_> = fields
                .into_iter()
                .map(|(key, value)| (Some(key), value))
                .collect();
            branch("{", "}", size, entries, open)
        }
        Value::Array(items) => {
            let size = items.len();
            branch(
                "[",
                "]",
                size,
                items.into_iter().map(|value| (None, value)).collect(),
                open,
            )
        }
        Value::String(text) => view! { <span class="json-text">{text}</span> }.into_any(),
        Value::Null => view! { <span class="json-word">"null"</span> }.into_any(),
        other => view! { <span class="json-number">{other.to_string()}</span> }.into_any(),
    }
}

fn branch(
    begin: &'static str,
    end: &'static str,
    size: usize,
    entries: Vec<(Option<String>, Value)>,
    open: usize,
) -> AnyView {
    if size == 0 {
        return view! { <span class="json-word">{begin}{end}</span> }.into_any();
    }
    let shown = RwSignal::new(open > 0);
    let limit = RwSignal::new(PAGE);
    let entries = StoredValue::new(entries);
    let children = move || {
        let rows = entries.with_value(|entries| {
            let take = |(key, value): &(Option<String>, Value)| (key.clone(), value.clone());
            entries.iter().take(limit.get()).map(take).collect::<Vec<_>>()
        });
        let row = |(key, value): (Option<String>, Value)| {
            let key = key.map(|key| view! { <span class="json-key">{key}": "</span> });
            view! { <div class="json-row">{key}<JsonTree value open=open.saturating_sub(1) /></div> }
        };
        let more = (size > limit.get()).then(|| {
            let text = format!("{} more", size - limit.get());
            view! { <button class="link" on:click=move |_| limit.update(|n| *n += PAGE * 5)>{text}</button> }
        });
        view! { <div class="json-children">{rows.into_iter().map(row).collect_view()}{more}</div> }
    };
    view! {
        <span class="json">
            <button class="json-fold" aria-expanded=move || shown.get().to_string()
                on:click=move |_| shown.update(|shown| *shown = !*shown)>
                {move || if shown.get() { "\u{25be} " } else { "\u{25b8} " }}{begin}
                {move || (!shown.get()).then(|| format!("{size}{end}"))}
            </button>
            <Show when=move || shown.get()>{children}</Show>
        </span>
    }
    .into_any()
}
