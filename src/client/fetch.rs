//! A fetched value that follows the URL: asked again when what it depends on changes, kept on
//! the screen meanwhile, and dropped when the page goes.

use super::get;
use crate::state::Live;
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::{Params, Problem};
use serde::de::DeserializeOwned;
use std::future::Future;
use web_sys::{AbortController, AbortSignal};

/// What came of the latest request.
pub(crate) struct Fetch<T: Send + Sync + 'static> {
    /// The latest value; stays while the next one is on its way.
    pub value: RwSignal<Option<T>>,
    /// Why the latest request failed.
    pub error: RwSignal<Option<Problem>>,
    /// A request is under way that was not asked by a tick of the clock.
    pub loading: RwSignal<bool>,
    again: RwSignal<u32>,
}

impl<T: Send + Sync + 'static> Clone for Fetch<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Fetch<T> {}

impl<T: Send + Sync + 'static> Fetch<T> {
    /// Asks again.
    pub(crate) fn retry(&self) {
        self.again.update(|n| *n = n.wrapping_add(1));
    }
}

/// Fetches `key()` by `fetch` whenever the key changes, and again at each tick while live.
/// A key of `None` asks nothing.
pub(crate) fn use_fetch<T, K, F>(
    key: impl Fn() -> Option<K> + Send + Sync + 'static,
    fetch: impl Fn(K, Option<AbortSignal>) -> F + Send + Sync + 'static,
) -> Fetch<T>
where
    T: Send + Sync + 'static,
    K: PartialEq + Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, Problem>> + 'static,
{
    use_fetch_while(key, || true, fetch)
}

/// The same, but a tick asks again only while `changes()`: for what is done at some time.
pub(crate) fn use_fetch_while<T, K, F>(
    key: impl Fn() -> Option<K> + Send + Sync + 'static,
    changes: impl Fn() -> bool + Send + Sync + 'static,
    fetch: impl Fn(K, Option<AbortSignal>) -> F + Send + Sync + 'static,
) -> Fetch<T>
where
    T: Send + Sync + 'static,
    K: PartialEq + Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, Problem>> + 'static,
{
    let state = Fetch {
        value: RwSignal::new(None),
        error: RwSignal::new(None),
        loading: RwSignal::new(true),
        again: RwSignal::new(0),
    };
    let live = expect_context::<Live>();
    let under_way = StoredValue::new_local(None::<AbortController>);
    let generation = StoredValue::new(0_u32);
    on_cleanup(move || abort(under_way));
    Effect::new(move |before: Option<(Option<K>, u32)>| {
        let (key, again) = (key(), state.again.get());
        live.tick.track();
        let changed = before.as_ref().is_none_or(|(before, _)| *before != key);
        let ticked = !changed && before.is_some_and(|(_, before)| before == again);
        let Some(asked) = key.clone() else {
            state.loading.set(false);
            return (key, again);
        };
        if ticked && !changes() {
            return (key, again);
        }
        // A tick does not overtake a request that is still under way.
        if !changed && under_way.with_value(Option::is_some) && !state.error.with_untracked(Option::is_some) {
            return (key, again);
        }
        abort(under_way);
        let controller = AbortController::new().ok();
        let signal = controller.as_ref().map(AbortController::signal);
        under_way.set_value(controller);
        if changed {
            state.loading.set(true);
        }
        generation.update_value(|n| *n = n.wrapping_add(1));
        let mine = generation.get_value();
        let answer = fetch(asked, signal);
        spawn_local(async move {
            let answer = answer.await;
            if generation.try_get_value() != Some(mine) {
                return;
            }
            under_way.set_value(None);
            state.loading.set(false);
            match answer {
                Ok(value) => {
                    state.error.set(None);
                    state.value.set(Some(value));
                }
                Err(problem) => state.error.set(Some(problem)),
            }
        });
        (key, again)
    });
    state
}

/// Asks the API for JSON within a fetch.
pub(crate) async fn ask<T: DeserializeOwned>(
    path: String,
    params: Params,
    origin: StoredValue<String>,
    abort: Option<AbortSignal>,
) -> Result<T, Problem> {
    // Of several requests in a row, the later ones may be made when the page has been left.
    let origin = origin
        .try_get_value()
        .ok_or_else(|| Problem::unavailable("the page was left"))?;
    get(&origin, &path, &params, abort.as_ref()).await
}

fn abort(under_way: StoredValue<Option<AbortController>, LocalStorage>) {
    under_way.try_update_value(|controller| {
        if let Some(controller) = controller.take() {
            controller.abort();
        }
    });
}
