//! What the session says of itself, and everything that its first span carried.

use super::Focus;
use crate::client::{self, ask, use_fetch_while};
use crate::components::json_tree::JsonTree;
use crate::components::states::Fetched;
use leptos::prelude::*;
use meshscope_api::params::encode;
use meshscope_api::{Params, SpanDetail};
use meshscope_model::Attributes;
use serde_json::{Map, Value};

fn object(attributes: &Attributes) -> Value {
    let pairs = attributes
        .iter()
        .map(|pair| (pair.key.clone(), pair.value.to_json()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn section(title: &'static str, value: Value) -> AnyView {
    let empty = value.as_object().is_none_or(Map::is_empty);
    let content = if empty {
        view! { <p class="muted">"none"</p> }.into_any()
    } else {
        view! { <div class="mono"><JsonTree value open=3 /></div> }.into_any()
    };
    view! { <section class="card"><h2>{title}</h2>{content}</section> }.into_any()
}

/// The attributes.
pub(super) fn panel(focus: Focus) -> AnyView {
    let origin = StoredValue::new(client::origin());
    // The run that came first: what it says of the resource holds for the session.
    let first = Memo::new(move |_| {
        focus.viewed.held.with(|held| {
            let columns = &held.as_ref()?.loaded.columns;
            let row = held.as_ref()?.loaded.tree.main_root()?;
            let id = crate::pages::trace::shared::span_id(columns, row);
            Some((columns.trace_of(row as usize).to_string(), id))
        })
    });
    let span = use_fetch_while(
        move || first.get(),
        || false,
        move |(trace, span), abort| async move {
            let path = format!("traces/{}/spans/{}", encode(&trace), encode(&span));
            ask::<SpanDetail>(path, Params::default(), origin, abort).await
        },
    );
    let session = move || {
        let json = focus.viewed.detail.value.with(|detail| {
            detail
                .as_ref()
                .map(|detail| serde_json::to_value(&detail.session))
        });
        let mut json = json.and_then(Result::ok).unwrap_or_default();
        // It is drawn, not read.
        if let Some(fields) = json.as_object_mut() {
            fields.remove("activity");
        }
        section("Session", json)
    };
    let content = |span: &SpanDetail| {
        view! {
            {section("First span", object(&span.attributes))}
            {section("Resource", object(&span.resource.attributes))}
        }
        .into_any()
    };
    view! {
        <div class="panel view attributes-view">
            <div class="attributes-scroll">
                {session}
                {move || first.get().map(|_| view! { <Fetched fetch=span what="the first span" content /> })}
            </div>
        </div>
    }
    .into_any()
}
