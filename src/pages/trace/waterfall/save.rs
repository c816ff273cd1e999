//! Taking along what is shown: a link, a picture.

use super::stage::Stage;
use super::toolbar::{Menu, has_rows};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

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
    let png = move |_| done((!has_rows(stage) || !save_png(stage)).then_some("nothing to save"));
    let svg = move |_| {
        let saved = stage
            .svg()
            .filter(|_| has_rows(stage))
            .and_then(|svg| save_text(&svg, "image/svg+xml", "trace.svg"));
        done(saved.is_none().then_some("nothing to save"));
    };
    let items = move || {
        view! {
            <button class="item" on:click=link>"Copy a link to this"</button>
            <button class="item" on:click=png>"Save as PNG"</button>
            <button class="item" on:click=svg>"Save as SVG"</button>
        }
    };
    view! {
        <Menu label="share" open items=items />
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

fn save_png(stage: Stage) -> bool {
    let Some(picture) = stage.picture() else {
        return false;
    };
    let save = Closure::once_into_js(move |blob: Option<Blob>| {
        if blob.and_then(|blob| save_blob(&blob, "trace.png")).is_none() {
            leptos::logging::error!("the picture cannot be saved");
        }
    });
    picture.to_blob(save.unchecked_ref()).is_ok()
}

fn save_text(text: &str, media_type: &str, name: &str) -> Option<()> {
    let parts = js_sys::Array::of1(&JsValue::from_str(text));
    let kind = BlobPropertyBag::new();
    kind.set_type(media_type);
    let blob = Blob::new_with_str_sequence_and_options(&parts, &kind).ok()?;
    save_blob(&blob, name)
}

fn save_blob(blob: &Blob, name: &str) -> Option<()> {
    let url = Url::create_object_url_with_blob(blob).ok()?;
    let link: HtmlAnchorElement = document().create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(&url);
    link.set_download(name);
    link.click();
    Url::revoke_object_url(&url).ok()
}
