//! A canvas that is as crisp as the screen: its pixels are the device's.

use leptos::html::ElementType;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ResizeObserver};

/// Device pixels a CSS pixel.
pub(crate) fn ratio() -> f64 {
    window().device_pixel_ratio().max(1.0)
}

/// Fits the canvas's pixels to its place on the page; returns its size in CSS pixels.
pub(crate) fn fit(canvas: &HtmlCanvasElement) -> (f64, f64) {
    let (width, height) = (
        f64::from(canvas.client_width()),
        f64::from(canvas.client_height()),
    );
    let scale = ratio();
    let (w, h) = ((width * scale).round() as u32, (height * scale).round() as u32);
    if canvas.width() != w || canvas.height() != h {
        canvas.set_width(w);
        canvas.set_height(h);
    }
    (width, height)
}

/// The 2D context, scaled so that coordinates are CSS pixels.
pub(crate) fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    let context = canvas
        .get_context("2d")
        .ok()??
        .dyn_into::<CanvasRenderingContext2d>()
        .ok()?;
    let scale = ratio();
    context.set_transform(scale, 0.0, 0.0, scale, 0.0, 0.0).ok()?;
    Some(context)
}

/// Calls `changed` when the element changes its size, for as long as the owner lives.
pub(crate) fn on_resize<E>(element: NodeRef<E>, changed: impl Fn() + Clone + 'static)
where
    E: ElementType + 'static,
    E::Output: AsRef<web_sys::Element> + JsCast + Clone + 'static,
{
    let observer = StoredValue::new_local(None::<(ResizeObserver, Closure<dyn FnMut()>)>);
    Effect::new(move |_| {
        let Some(element) = element.get() else { return };
        let changed = changed.clone();
        let callback = Closure::<dyn FnMut()>::new(changed);
        match ResizeObserver::new(callback.as_ref().unchecked_ref()) {
            Ok(new) => {
                new.observe(element.as_ref());
                observer.set_value(Some((new, callback)));
            }
            Err(error) => leptos::logging::error!("the size cannot be observed: {error:?}"),
        }
    });
    on_cleanup(move || {
        observer.try_update_value(|observer| {
            if let Some((observer, _)) = observer.take() {
                observer.disconnect();
            }
        });
    });
}

/// Leaves a mark in the browser's performance timeline: the latest of each name is kept.
pub(crate) fn mark(name: &str) {
    if let Some(performance) = window().performance() {
        performance.clear_marks_with_mark_name(name);
        if let Err(error) = performance.mark(name) {
            leptos::logging::warn!("{name} cannot be marked: {error:?}");
        }
    }
}

/// Goes on getting the pointer's moves when it leaves the canvas.
pub(crate) fn capture(event: &web_sys::PointerEvent) {
    let target = event.current_target();
    let canvas = target.and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    if let Some(Err(error)) = canvas.map(|canvas| canvas.set_pointer_capture(event.pointer_id())) {
        leptos::logging::warn!("the pointer cannot be captured: {error:?}");
    }
}
