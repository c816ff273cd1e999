//! JSON that folds: only what is open is on the page, and nothing of the value is copied.

use super::long_text::LongText;
use leptos::prelude::*;
use serde_json::Value;
use std::sync::Arc;

/// How many children a branch shows before it asks.
const PAGE: usize = 200;
/// More than this many are never added at once.
const MOST: usize = 2_000;

/// A place in a value: the children to go into, from the top.
type Path = Vec<u32>;

/// What is at a place.
fn at<'a>(whole: &'a Value, path: &[u32]) -> Option<&'a Value> {
    path.iter().try_fold(whole, |value, step| {
        child(value, *step as usize).map(|(_, value)| value)
    })
}

fn child(value: &Value, at: usize) -> Option<(Option<&str>, &Value)> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .nth(at)
            .map(|(key, value)| (Some(key.as_str()), value)),
        Value::Array(items) => items.get(at).map(|value| (None, value)),
        _ => None,
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    }
}

/// A value; branches above `open` levels start open.
#[component]
pub(crate) fn JsonTree(#[prop(into)] value: Arc<Value>, #[prop(default = 1)] open: usize) -> impl IntoView {
    node(value, Path::new(), open)
}

fn node(whole: Arc<Value>, path: Path, open: usize) -> AnyView {
    let Some(value) = at(&whole, &path) else {
        return ().into_any();
    };
    let (begin, end) = match value {
        Value::Object(_) => ("{", "}"),
        Value::Array(_) => ("[", "]"),
        Value::String(text) => {
            return view! { <span class="json-text"><LongText text=text.clone() /></span> }.into_any();
        }
        Value::Null => return view! { <span class="json-word">"null"</span> }.into_any(),
        other => return view! { <span class="json-number">{other.to_string()}</span> }.into_any(),
    };
    let size = size(value);
    if size == 0 {
        return view! { <span class="json-word">{begin}{end}</span> }.into_any();
    }
    let shown = RwSignal::new(open > 0);
    let children = move || branch(&whole, &path, size, open);
    view! {
        <span class="json">
            <button class="json-fold" aria-expanded=move || shown.get().to_string()
                on:click=move |_| shown.update(|shown| *shown = !*shown)>
                {move || if shown.get() { "\u{25be} " } else { "\u{25b8} " }}{begin}
                {move || (!shown.get()).then(|| format!("{size}{end}"))}
            </button>
            <Show when=move || shown.get()>{children.clone()}</Show>
        </span>
    }
    .into_any()
}

/// The children of an open branch, a page at a time.
fn branch(whole: &Arc<Value>, path: &Path, size: usize, open: usize) -> AnyView {
    let pages = RwSignal::new(vec![(0, PAGE.min(size))]);
    let (whole, path) = (Arc::clone(whole), path.clone());
    let page = move |(from, to): (usize, usize)| {
        let value = at(&whole, &path);
        let keys = value
            .and_then(Value::as_object)
            .map(|fields| fields.keys().skip(from));
        let mut keys = keys.into_iter().flatten();
        let rows = (from..to).map(|step| {
            let key = keys.next().map(|key| view! { <span class="json-key">{key.clone()}": "</span> });
            let mut path = path.clone();
            path.push(step as u32);
            view! { <div class="json-row">{key}{node(Arc::clone(&whole), path, open.saturating_sub(1))}</div> }
        });
        rows.collect_view()
    };
    let last = move || pages.with(|pages| pages.last().map_or(0, |page| page.1));
    let more = move || {
        (last() < size).then(|| {
            let add = move |_| {
                let from = last();
                let to = (from + (from * 2).min(MOST)).min(size);
                pages.update(|pages| pages.push((from, to)));
            };
            view! { <button class="link" on:click=add>{format!("{} more", size - last())}</button> }
        })
    };
    view! {
        <div class="json-children">
            <For each=move || pages.get() key=|(from, _)| *from children=page />
            {more}
        </div>
    }
    .into_any()
}
