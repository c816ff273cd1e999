//! The URL is the state: what is shown can be copied as a link. What belongs to the person
//! rather than to the view (theme, zone) is a preference.

pub(crate) mod keys;
pub(crate) mod playhead;
pub(crate) mod prefs;
pub(crate) mod time_range;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use meshscope_api::Params;
use time_range::Range;

/// How often a live page asks again, ms.
const TICK_MS: i32 = 3_000;

/// Whether pages follow what arrives.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    /// Following, and the range is one that moves; a page that follows a stream has none.
    pub on: Memo<bool>,
    /// Changes at each tick while live and visible.
    pub tick: RwSignal<u32>,
    /// How the stream of the page stands, where the page follows one.
    pub told: RwSignal<Option<Standing>>,
}

/// How a stream stands, for the top bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// In words, with a mark.
    pub text: String,
    /// What comes is shown as it comes.
    pub live: bool,
}

/// Makes range and clock known to the pages; called once within the router.
pub(crate) fn provide() {
    let range = time_range::use_range();
    provide_context(range);
    let paused = param("paused");
    let told = RwSignal::new(None::<Standing>);
    let on = Memo::new(move |_| {
        let moves = told.with(Option::is_some) || matches!(range.get(), Range::Last(_));
        moves && paused.get().is_none()
    });
    let tick = RwSignal::new(0);
    provide_context(Live { on, tick, told });
    every(TICK_MS, move || {
        let visible = document().visibility_state() == web_sys::VisibilityState::Visible;
        if visible && on.get_untracked() {
            tick.update(|n| *n = n.wrapping_add(1));
        }
    });
}

/// Runs something again and again for as long as the owner lives.
pub(crate) fn every(ms: i32, run: impl Fn() + 'static) {
    let period = std::time::Duration::from_millis(u64::from(ms.unsigned_abs()));
    match set_interval_with_handle(run, period) {
        Ok(handle) => on_cleanup(move || handle.clear()),
        Err(error) => leptos::logging::error!("no clock: {error:?}"),
    }
}

/// A parameter of the URL; empty is absent.
pub(crate) fn param(name: &'static str) -> Memo<Option<String>> {
    let query = use_query_map();
    Memo::new(move |_| query.read().get(name).filter(|value| !value.is_empty()))
}

/// A way to change parameters of the URL and leave the others as they are.
pub(crate) fn use_patch() -> impl Fn(&[(&str, Option<String>)]) + Clone + Send + Sync + 'static {
    patching(false)
}

/// The same without a step in the browser's history: for what follows the hand.
pub(crate) fn use_replace() -> impl Fn(&[(&str, Option<String>)]) + Clone + Send + Sync + 'static {
    patching(true)
}

fn patching(replace: bool) -> impl Fn(&[(&str, Option<String>)]) + Clone + Send + Sync + 'static {
    let (location, navigate) = (use_location(), use_navigate());
    move |changes: &[(&str, Option<String>)]| {
        let query = location.search.get_untracked();
        let mut params = Params::parse(query.trim_start_matches('?'));
        for (name, value) in changes {
            params.0.retain(|(key, _)| key != name);
            params.set(name, value.as_deref().filter(|value| !value.is_empty()));
        }
        let query = params.to_query();
        let path = location.pathname.get_untracked();
        let to = if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        };
        navigate(
            &to,
            NavigateOptions {
                scroll: false,
                replace,
                ..NavigateOptions::default()
            },
        );
    }
}

/// Parameters that hold on every page, to be carried along links.
const CARRIED: [&str; 6] = ["project", "room", "range", "from", "to", "paused"];

/// A link to a page that keeps project, room and time.
pub(crate) fn use_href() -> impl Fn(&str) -> String + Clone + Send + Sync + 'static {
    let query = use_query_map();
    move |path: &str| {
        let mut params = Params::default();
        query.with_untracked(|query| CARRIED.iter().for_each(|name| params.set(name, query.get(name))));
        let query = params.to_query();
        if query.is_empty() {
            path.to_owned()
        } else {
            let mark = if path.contains('?') { '&' } else { '?' };
            format!("{path}{mark}{query}")
        }
    }
}

/// Adds what holds on every page (project, room, time) to a request.
pub(crate) fn scope_params(params: &mut Params, range: Range, project: Option<String>, room: Option<String>) {
    params.set("project", project);
    params.set("room", room);
    let (from, to) = range.bounds(now());
    params.set("from", from);
    params.set("to", to);
}

/// The present in ns since the epoch.
pub(crate) fn now() -> i64 {
    (js_sys::Date::now() * 1e6) as i64
}
