//! Taking along what is shown: a link, a picture.

use super::stage::Stage;
use super::toolbar::has_rows;
use crate::components::menu::Menu;
use crate::components::save;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

/// The menu.
#[component]
pub(super) fn Save(stage: Stage) -> impl IntoView {
    let open = RwSignal::new(false);
    let said = RwSignal::new("");
    let done = move |problem: Option<&'static str>| {
        open.set(false);
        said.set(problem.unwrap_or(""));
    };
    let link = move |_| {
        copy_link(said);
        open.set(false);
    };
    let png = move |_| {
        let picture = stage.picture().filter(|_| has_rows(stage));
        let saved = picture.map(|picture| save::save_png(&picture, "trace.png".to_owned()));
        done(saved.is_none().then_some("nothing to save"));
    };
    let svg = move |_| {
        let svg = stage.svg().filter(|_| has_rows(stage));
        let saved = svg.map(|svg| save::save_text(&svg, "image/svg+xml", "trace.svg"));
        done(saved.is_none().then_some("nothing to save"));
    };
    let items = Box::new(move || {
        view! {
            <button class="item" on:click=link>"Copy a link to this"</button>
            <button class="item" on:click=png>"Save as PNG"</button>
            <button class="item" on:click=svg>"Save as SVG"</button>
        }
        .into_any()
    });
    view! {
        <Menu label="share" open items />
        <span class="muted" role="status">{said}</span>
    }
}

/// Copies the page's address: span, window, find and view are in it.
pub(super) fn copy_link(said: RwSignal<&'static str>) {
    spawn_local(async move {
        let Ok(link) = window().location().href() else {
            return;
        };
        let written = JsFuture::from(window().navigator().clipboard().write_text(&link)).await;
        said.set(if written.is_ok() {
            "link copied"
        } else {
            "not allowed to copy"
        });
        set_timeout(
            move || {
                said.try_set("");
            },
            std::time::Duration::from_millis(1_500),
        );
    });
}
