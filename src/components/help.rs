//! The list of keys under `?`.

use crate::state::keys::{GLOBAL, PAGES, SESSION, VIEWS, WATERFALL};
use leptos::prelude::*;

fn keys(keys: &str) -> impl IntoView + use<> {
    let words: Vec<String> = keys.split(' ').map(str::to_owned).collect();
    words
        .into_iter()
        .map(|key| view! { <kbd>{key}</kbd> })
        .collect_view()
}

/// The list, over the page.
#[component]
pub(crate) fn Help(open: RwSignal<bool>) -> impl IntoView {
    let row = |key: &str, what: &str| view! { <div class="key-row"><span>{keys(key)}</span><span>{what.to_owned()}</span></div> };
    view! {
        <Show when=move || open.get()>
            <div class="overlay" on:click=move |_| open.set(false)>
                <div class="dialog" role="dialog" aria-modal="true" aria-label="Keys" on:click=|event| event.stop_propagation()>
                    <h2>"Keys"<button class="copy" aria-label="Close" on:click=move |_| open.set(false)>"\u{2715}"</button></h2>
                    <div class="key-columns">
                        <section>
                            <h3>"Everywhere"</h3>
                            {GLOBAL.into_iter().map(|(key, what)| row(key, what)).collect_view()}
                            {PAGES.into_iter().map(|(_, title, key)| row(&format!("g {key}"), title)).collect_view()}
                            <h3>"A session"</h3>
                            {SESSION.into_iter().map(|(key, what)| row(key, what)).collect_view()}
                            <h3>"A trace"</h3>
                            {VIEWS.into_iter().map(|(key, what)| row(key, what)).collect_view()}
                        </section>
                        <section>
                            <h3>"Waterfall"</h3>
                            {WATERFALL.into_iter().map(|(key, what)| row(key, what)).collect_view()}
                        </section>
                    </div>
                </div>
            </div>
        </Show>
    }
}
