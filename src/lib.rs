//! The Meshscope studio: sessions, traces, logs, metrics and usage of AI agents in the browser.
//!
//! A host page mounts it into an element of its own with [`mount`]; the binary mounts it on
//! the body.

// Leptos's component macro writes public items and takes props by value.
#![allow(unreachable_pub, clippy::needless_pass_by_value)]

mod canvas;
mod charts;
mod client;
mod components;
mod pages;
mod state;

use components::help::Help;
use components::rail::Rail;
use components::top_bar::TopBar;
use leptos::prelude::*;
use leptos_router::components::{Redirect, Route, Router, Routes};
use leptos_router::path;
use pages::{not_found::NotFound, sessions::SessionsPage, traces::TracesPage};

/// How a host page embeds the studio.
#[derive(Debug, Clone, Default)]
pub struct MountOptions {
    /// Path under which the studio stands, for example `/meshscope`; empty at the root.
    pub base: String,
    /// Origin of the API, for example `http://127.0.0.1:4319`; empty for the page's own.
    pub api: String,
}

/// Mounts the studio into `element`.
pub fn mount(element: web_sys::HtmlElement, options: MountOptions) {
    console_error_panic_hook::set_once();
    mount_to(element, move || view! { <App options /> }).forget();
}

/// Mounts the studio on the body, at the root, with the page's own API.
pub fn mount_to_body() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(|| view! { <App options=MountOptions::default() /> });
}

/// The studio.
#[component]
fn App(options: MountOptions) -> impl IntoView {
    client::provide(&options.api);
    state::prefs::provide();
    let base = options.base;
    view! {
        <Router base>
            <Frame />
        </Router>
    }
}

/// Rail, top bar, content: what is inside the router and may ask for the URL.
#[component]
fn Frame() -> impl IntoView {
    state::provide();
    let help = state::keys::provide();
    pages::console::provide();
    #[cfg(feature = "split")]
    pages::later::bring_parts();
    view! {
        <div class="app">
            <Rail />
            <TopBar />
            <main id="content" tabindex="-1">
                <Routes fallback=NotFound>
                    <Route path=path!("/") view=|| view! { <Redirect path="/sessions" /> } />
                    <Route path=path!("/console") view=pages::console />
                    <Route path=path!("/sessions") view=SessionsPage />
                    <Route path=path!("/sessions/:id") view=pages::session />
                    <Route path=path!("/traces") view=TracesPage />
                    <Route path=path!("/traces/:id") view=pages::trace />
                    <Route path=path!("/compare") view=pages::compare />
                    <Route path=path!("/logs") view=pages::logs />
                    <Route path=path!("/metrics") view=pages::metrics />
                    <Route path=path!("/usage") view=pages::usage />
                    <Route path=path!("/settings") view=pages::settings />
                </Routes>
            </main>
            <Help open=help />
        </div>
    }
}
