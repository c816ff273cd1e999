//! Loading, empty and error states: every page shows one of them or its content.

use crate::client::Fetch;
use leptos::prelude::*;
use meshscope_api::Problem;

/// Quiet bars while the first answer is on its way; words after a second.
#[component]
pub(crate) fn Loading(#[prop(into)] what: String) -> impl IntoView {
    let late = RwSignal::new(false);
    let handle = set_timeout_with_handle(move || late.set(true), std::time::Duration::from_secs(1));
    on_cleanup(move || {
        if let Ok(handle) = handle {
            handle.clear();
        }
    });
    let text = format!("Loading {what}\u{2026}");
    view! {
        <div class="loading" role="status" aria-live="polite">
            <div class="bar"></div><div class="bar"></div><div class="bar"></div>
            {move || late.get().then(|| text.clone())}
        </div>
    }
}

/// What went wrong, what would be right, and a way to try again.
#[component]
pub(crate) fn Failed(problem: Problem, #[prop(into)] retry: Callback<()>) -> impl IntoView {
    let parameter = problem
        .parameter
        .map(|name| view! { <div class="muted">"Parameter " <code>{name}</code></div> });
    view! {
        <div class="failed" role="alert">
            <h2>{problem.title}</h2>
            <p>{problem.detail}</p>
            {parameter}
            <button class="pill" on:click=move |_| retry.run(())>"Try again"</button>
        </div>
    }
}

/// The content of a fetch, with its states around it. What was there stays while more comes,
/// and an error then stands above it. The content is made anew at each answer: what holds something of
/// its own, as a chart does, stands beside [`States`] instead.
#[component]
pub(crate) fn Fetched<T, V>(
    fetch: Fetch<T>,
    #[prop(into)] what: String,
    content: impl Fn(&T) -> V + Send + Sync + 'static,
) -> impl IntoView
where
    T: Send + Sync + 'static,
    V: IntoView + 'static,
{
    let shown = move || fetch.value.with(|value| value.as_ref().map(&content));
    view! { <States fetch what /> {shown} }
}

/// The states of a fetch alone.
#[component]
pub(crate) fn States<T>(fetch: Fetch<T>, #[prop(into)] what: String) -> impl IntoView
where
    T: Send + Sync + 'static,
{
    let there = Memo::new(move |_| fetch.value.with(Option::is_some));
    states(fetch.error, there, Callback::new(move |()| fetch.retry()), what)
}

fn states(error: RwSignal<Option<Problem>>, there: Memo<bool>, retry: Callback<()>, what: String) -> AnyView {
    let state = move || match error.get() {
        Some(problem) => view! { <Failed problem retry /> }.into_any(),
        None if there.get() => ().into_any(),
        None => view! { <Loading what=what.clone() /> }.into_any(),
    };
    state.into_any()
}
