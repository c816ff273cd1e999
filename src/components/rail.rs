//! The rail: where one can go.

use crate::state::keys::PAGES;
use crate::state::use_href;
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;

/// Links to the pages; they keep project, room and time.
#[component]
pub(crate) fn Rail() -> impl IntoView {
    let query = use_query_map();
    let to = move |path: &'static str| {
        let href = use_href();
        move || {
            query.track();
            href(path)
        }
    };
    let links = PAGES.into_iter().map(|(path, title, key)| {
        let separated = (path == "/settings").then(|| view! { <div class="sep" role="separator"></div> });
        view! {
            {separated}
            <A href=to(path)>
                <span>{title}</span>
                <kbd class="n">{format!("g {key}")}</kbd>
            </A>
        }
    });
    view! {
        <nav class="rail" aria-label="Pages">
            <A href=to("/sessions") attr:class="brand">
                <svg viewBox="0 0 18 18" width="18" height="18" aria-hidden="true">
                    <circle cx="9" cy="9" r="7.5" fill="none" stroke="currentColor" stroke-width="1.5" />
                    <path d="M4.5 6.5h6M7 9h6.5M5.5 11.5h4" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" />
                </svg>
                <span>"Meshscope"</span>
            </A>
            {links.collect_view()}
        </nav>
    }
}
