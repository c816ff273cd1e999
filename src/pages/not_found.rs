//! A path that is no page.

use crate::state::use_href;
use leptos::prelude::*;
use leptos_router::components::A;

/// Says so, and leads back.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    let href = use_href();
    view! {
        <div class="failed">
            <h2>"There is no such page"</h2>
            <A href=move || href("/sessions")>"To the sessions"</A>
        </div>
    }
}
