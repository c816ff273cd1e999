//! The keys: one table drives both what they do and the list under `?`.

use super::prefs::{Prefs, Theme};
use super::{use_href, use_patch};
use leptos::ev::keydown;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast as _;

/// Pages with their keys: path, title, second key after `g`.
pub(crate) const PAGES: [(&str, &str, &str); 7] = [
    ("/console", "Console", "c"),
    ("/sessions", "Sessions", "s"),
    ("/traces", "Traces", "t"),
    ("/logs", "Logs", "l"),
    ("/metrics", "Metrics", "m"),
    ("/usage", "Usage", "u"),
    ("/settings", "Settings", ","),
];

/// Keys that hold on every page, for the list.
pub(crate) const GLOBAL: [(&str, &str); 5] = [
    ("/", "Search"),
    ("p", "Pause or go on"),
    ("x", "Change the theme"),
    ("?", "This list"),
    ("Esc", "Close what is open"),
];

/// Keys of the waterfall, for the list.
pub(crate) const WATERFALL: [(&str, &str); 8] = [
    ("\u{2191} \u{2193}", "Span before, span after"),
    ("\u{2190} \u{2192}", "Collapse or go to the parent, expand"),
    ("w s", "Zoom in, zoom out"),
    ("a d", "Pan left, pan right"),
    ("f", "Fit the span"),
    ("0", "Fit the trace"),
    ("c e", "Collapse all, expand all"),
    ("n", "Show or hide the framework's own spans"),
];

/// Whether typing goes into a field rather than to the page.
pub(crate) fn typing(event: &web_sys::KeyboardEvent) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok());
    target.is_some_and(|element| {
        matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA")
            || element.is_content_editable()
    })
}

/// Listens to the keys; the signal says whether the list is open.
pub(crate) fn provide() -> RwSignal<bool> {
    let help = RwSignal::new(false);
    let prefs = expect_context::<Prefs>();
    let (navigate, href, patch) = (use_navigate(), use_href(), use_patch());
    let paused = super::param("paused");
    let go = StoredValue::new(false);
    let handle = window_event_listener(keydown, move |event| {
        let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        if !plain || typing(&event) {
            return;
        }
        let key = event.key();
        if go.get_value() {
            go.set_value(false);
            if let Some((path, ..)) = PAGES.iter().find(|(.., second)| *second == key) {
                event.prevent_default();
                navigate(&untrack(|| href(path)), NavigateOptions::default());
            }
            return;
        }
        match key.as_str() {
            "g" => go.set_value(true),
            "?" => help.update(|open| *open = !*open),
            "Escape" => help.set(false),
            "p" => patch(&[("paused", paused.get_untracked().is_none().then(|| "1".to_owned()))]),
            "x" => prefs.theme.update(|theme| {
                *theme = match theme {
                    Theme::System => Theme::Dark,
                    Theme::Dark => Theme::Light,
                    Theme::Light => Theme::System,
                };
            }),
            "/" => {
                let search = document().get_element_by_id("search");
                if let Some(Ok(field)) = search.map(wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>) {
                    event.prevent_default();
                    if let Err(error) = field.focus() {
                        leptos::logging::warn!("the search cannot be focused: {error:?}");
                    }
                }
            }
            _ => {}
        }
    });
    on_cleanup(move || handle.remove());
    help
}
