//! Files that the page makes and the browser keeps.

use leptos::prelude::*;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, HtmlCanvasElement, Url};

/// Offers a text as a file.
pub(crate) fn save_text(text: &str, media_type: &str, name: &str) {
    save_parts(&js_sys::Array::of1(&JsValue::from_str(text)), media_type, name);
}

/// The same of several texts.
pub(crate) fn save_parts(parts: &js_sys::Array, media_type: &str, name: &str) {
    let kind = BlobPropertyBag::new();
    kind.set_type(media_type);
    let saved = Blob::new_with_str_sequence_and_options(parts, &kind).and_then(|blob| offer(&blob, name));
    if let Err(error) = saved {
        leptos::logging::error!("{name} cannot be saved: {error:?}");
    }
}

/// Offers the pixels of a canvas as a PNG.
pub(crate) fn save_png(canvas: &HtmlCanvasElement, name: String) {
    let kept = name.clone();
    let save = Closure::once_into_js(move |blob: Option<Blob>| {
        if blob.and_then(|blob| offer(&blob, &kept).ok()).is_none() {
            leptos::logging::error!("{kept} cannot be saved");
        }
    });
    if let Err(error) = canvas.to_blob(save.unchecked_ref()) {
        leptos::logging::error!("{name} cannot be made: {error:?}");
    }
}

fn offer(blob: &Blob, name: &str) -> Result<(), JsValue> {
    let url = Url::create_object_url_with_blob(blob)?;
    let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(name);
    link.click();
    Url::revoke_object_url(&url)
}
