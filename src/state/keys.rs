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
pub(crate) const WATERFALL: [(&str, &str); 18] = [
    ("\u{2191} \u{2193}", "Line before, line after"),
    ("\u{2190} \u{2192}", "Collapse or go to the parent, expand"),
    ("Home End", "First line, last line"),
    ("Enter", "Collapse or expand the line, open or close a group"),
    ("c e", "Collapse all, expand all"),
    ("1 \u{2026} 9", "Expand to a level"),
    ("o", "Collapse all but the path to this"),
    ("w s", "Zoom in, zoom out (Ctrl and wheel, pinch)"),
    ("a d", "Pan left, pan right (drag, Shift and wheel)"),
    ("f", "Fit the line"),
    ("0", "Fit the trace"),
    ("m", "Mark a time; the cursor then reads from it"),
    ("[ ]", "Cursor to the line's start, to its end"),
    ("/", "Find in the trace"),
    ("n N", "Next find, the one before"),
    ("h", "Show or hide the framework's own spans"),
    ("y", "Copy a link to what is shown"),
    ("Esc", "Forget the mark, then the find, then the span"),
];

/// Keys of the other views of a trace, for the list.
pub(crate) const VIEWS: [(&str, &str); 5] = [
    ("v V", "Next view, the view before"),
    ("r", "The span as it was sent"),
    ("> <", "Tables: sort by the next column, the one before"),
    (".", "Tables: sort the other way round"),
    ("h", "Flame graph: by time or by name"),
];

/// Keys of a session, for the list.
pub(crate) const SESSION: [(&str, &str); 5] = [
    ("Space", "Play or pause"),
    ("\u{2191} \u{2193} Enter", "Lists: row before, row after, open it"),
    (
        "\u{2190} \u{2192}",
        "Timeline: the instant before, after (Shift: further)",
    ),
    ("Home End", "Timeline: the first instant, the last"),
    ("Esc", "Timeline: leave the instant, then the range"),
];

/// Whether the key after `g` is awaited: a page leaves that one alone.
#[derive(Clone, Copy)]
pub(crate) struct Going(pub StoredValue<bool>);

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

/// Whether the space bar belongs to what has the focus: to a field, or to what it presses.
pub(crate) fn is_taken(event: &web_sys::KeyboardEvent) -> bool {
    typing(event) || is_within(event, "button, a[href], summary, [role=button]")
}

/// Whether an event comes from within an element that the selector names: a click on a link in a row is the
/// link's and not the row's.
pub(crate) fn is_within(event: &web_sys::Event, selector: &str) -> bool {
    let element = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|element| matches!(element.closest(selector), Ok(Some(_))))
}

/// Listens to the keys; the signal says whether the list is open.
pub(crate) fn provide() -> RwSignal<bool> {
    let help = RwSignal::new(false);
    let prefs = expect_context::<Prefs>();
    let (navigate, href, patch) = (use_navigate(), use_href(), use_patch());
    let paused = super::param("paused");
    let go = StoredValue::new(false);
    provide_context(Going(go));
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
                // A page's own field goes before that of the frame.
                let field = |id| document().get_element_by_id(id);
                let search = field("find").or_else(|| field("search"));
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
