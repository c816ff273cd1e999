//! A button that removes something, and asks before.

use leptos::prelude::*;

/// A button that removes when it is pressed a second time.
pub(crate) fn remover(id: String, remove: Callback<String>) -> AnyView {
    let sure = RwSignal::new(false);
    let press = move |_| {
        if sure.get_untracked() {
            remove.run(id.clone());
        }
        sure.update(|sure| *sure = !*sure);
    };
    view! {
        <button type="button" class="pill" class:danger=sure on:click=press on:blur=move |_| sure.set(false)>
            {move || if sure.get() { "Remove for good?" } else { "Remove" }}
        </button>
    }
    .into_any()
}
