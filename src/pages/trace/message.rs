//! Messages and values as a person reads them. All of it is the sender's word: text stays text, an address
//! is a link only when its scheme is harmless, and what would be shown or played waits for a click.

use crate::components::json_tree::JsonTree;
use crate::components::long_text::LongText;
use leptos::prelude::*;
use meshscope_layout::format;
use meshscope_model::{AttributeValue, Part};

/// JSON in text of more bytes is opened by a click.
const PARSED: usize = 256 * 1024;

/// Text, as a tree when it is JSON.
pub(crate) fn text_view(text: String) -> AnyView {
    let json = text.trim_start().starts_with(['{', '[']);
    if !json || text.len() > PARSED {
        if json {
            return view! { <LargeJson text /> }.into_any();
        }
        return view! { <LongText text /> }.into_any();
    }
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => view! { <JsonTree value open=1 /> }.into_any(),
        Err(_) => view! { <LongText text /> }.into_any(),
    }
}

/// JSON that is long: its text, or by a click a tree of it.
#[component]
fn LargeJson(text: String) -> impl IntoView {
    let tree = RwSignal::new(false);
    let text = StoredValue::new(text);
    let content = move || {
        let text = text.get_value();
        let value = tree
            .get()
            .then(|| serde_json::from_str::<serde_json::Value>(&text).ok())
            .flatten();
        match value {
            Some(value) => view! { <JsonTree value open=1 /> }.into_any(),
            None => view! { <LongText text /> }.into_any(),
        }
    };
    let label = move || if tree.get() { "as text" } else { "as a tree" };
    view! { <button class="fold" on:click=move |_| tree.update(|tree| *tree = !*tree)>{label}</button>" "{content} }
}

/// A value: text as text, JSON in text and nested values as a tree.
pub(crate) fn value(value: &AttributeValue) -> AnyView {
    match value {
        AttributeValue::String(text) => text_view(text.clone()),
        AttributeValue::Array(_) | AttributeValue::Map(_) => {
            view! { <JsonTree value=value.to_json() open=1 /> }.into_any()
        }
        AttributeValue::Empty => view! { <span class="json-word">"empty"</span> }.into_any(),
        other => other.to_text().into_any(),
    }
}

/// A part of a message. Tool calls are drawn by their owner, which knows what came of them.
pub(crate) fn part(part: &Part) -> AnyView {
    match part {
        Part::Text { content } => view! { <div class="said">{text_view(content.clone())}</div> }.into_any(),
        Part::Reasoning { content } => view! {
            <details class="reasoning"><summary>{format!("reasoning, {}", format::bytes(content.len() as u64))}</summary>
                <div class="said"><LongText text=content.clone() /></div></details>
        }
        .into_any(),
        Part::ToolCall { name, arguments, .. } => view! {
            <div class="call"><span class="muted">"calls "</span><b class="mono">{name.clone()}</b></div>
            {(!arguments.is_empty()).then(|| view! { <div class="mono">{text_view(arguments.clone())}</div> })}
        }
        .into_any(),
        Part::ToolResult { name, content, .. } => view! {
            <div class="call"><span class="muted">"result "</span><b class="mono">{name.clone()}</b></div>
            <div class="mono">{text_view(content.clone())}</div>
        }
        .into_any(),
        Part::Blob { mime_type, data } => view! { <Media kind=mime_type.clone().unwrap_or_default() data=data.clone() /> }.into_any(),
        Part::Uri { mime_type, uri } => {
            let kind = mime_type.clone().map(|kind| view! { <span class="muted">{kind}" "</span> });
            view! { <div>{kind}{link(uri)}</div> }.into_any()
        }
        Part::Other { kind, content } => view! {
            <div class="muted">{kind.clone()}</div>
            <div class="mono">{text_view(content.clone())}</div>
        }
        .into_any(),
    }
}

/// An address: a link when it is one of the web, else text.
pub(crate) fn link(uri: &str) -> AnyView {
    let lower = uri.trim_start().to_ascii_lowercase();
    if lower.starts_with("https://") || lower.starts_with("http://") {
        view! { <a class="outside" href=uri.to_owned() target="_blank" rel="noopener noreferrer nofollow">{uri.to_owned()}</a> }
            .into_any()
    } else {
        view! { <span class="mono"><LongText text=uri.to_owned() /></span> }.into_any()
    }
}

/// Kinds that a browser shows without running anything of theirs.
const IMAGES: [&str; 6] = [
    "image/png",
    "image/jpeg",
    "image/jpg",
    "image/gif",
    "image/webp",
    "image/avif",
];

/// Data within a message: an image or a sound waits for a click, anything else is only named.
#[component]
fn Media(kind: String, data: String) -> impl IntoView {
    let open = RwSignal::new(false);
    // Base64 and nothing else goes into the address.
    let plain = data
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(&b));
    let image = IMAGES.contains(&kind.as_str());
    let sound = kind.starts_with("audio/")
        && kind
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/.+-".contains(&b));
    let title = if kind.is_empty() {
        "binary".to_owned()
    } else {
        kind.clone()
    };
    let size = format::bytes(data.len() as u64 / 4 * 3);
    if !plain || !(image || sound) {
        return view! { <div class="muted">{format!("{title}, {size}")}</div> }.into_any();
    }
    let data = data.replace('-', "+").replace('_', "/");
    let address = StoredValue::new(format!("data:{kind};base64,{data}"));
    let label = format!("{} {title}, {size}", if image { "show" } else { "play" });
    view! {
        <div class="media">
            {move || if !open.get() {
                let label = label.clone();
                view! { <button class="pill" on:click=move |_| open.set(true)>{label}</button> }.into_any()
            } else if image {
                view! { <img src=address.get_value() alt="An image of this message" /> }.into_any()
            } else {
                view! { <audio src=address.get_value() controls=true autoplay=true></audio> }.into_any()
            }}
        </div>
    }
    .into_any()
}
