//! A figure with its name.

use leptos::prelude::*;

/// Name above, figure below.
#[component]
pub(crate) fn Fact(
    #[prop(into)] name: String,
    #[prop(into)] value: String,
    #[prop(optional, into)] title: String,
) -> impl IntoView {
    view! {
        <div class="fact" title=title>
            <div class="k">{name}</div>
            <div class="v">{value}</div>
        </div>
    }
}
