//! A button that opens what is chosen from.

use leptos::prelude::*;

/// The button with its `label`, and below it what `items` gives while `open`. Escape closes it, and so
/// does a click beside it.
#[component]
pub(crate) fn Menu(
    label: &'static str,
    #[prop(optional)] about: Option<&'static str>,
    open: RwSignal<bool>,
    items: Box<dyn Fn() -> AnyView + Send>,
) -> impl IntoView {
    let escape = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" && open.get_untracked() {
            event.stop_propagation();
            open.set(false);
        }
    };
    view! {
        <div class="menu-of" on:keydown=escape>
            <button class="tool" aria-haspopup="true" aria-label=about title=about aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)>{label}</button>
            {move || open.get().then(|| view! {
                <div class="shade" on:click=move |_| open.set(false)></div>
                <div class="menu">{items()}</div>
            })}
        </div>
    }
    .into_any()
}
