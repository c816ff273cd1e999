//! A button that opens what is chosen from.

use leptos::html::Button;
use leptos::prelude::*;

/// The button with its `label`, and below it what `items` gives while `open`. Escape closes it, and so
/// does a click beside it; the focus then is on the button again, unless what was chosen took it.
#[component]
pub(crate) fn Menu(
    #[prop(into)] label: Signal<String>,
    /// What the button is called, where its label is a sign.
    #[prop(optional)]
    about: Option<&'static str>,
    #[prop(optional)] id: Option<&'static str>,
    /// Class of the button.
    #[prop(default = "tool")]
    class: &'static str,
    /// Class of what opens.
    #[prop(default = "menu")]
    panel: &'static str,
    open: RwSignal<bool>,
    items: Box<dyn Fn() -> AnyView + Send>,
    /// What stands behind the label.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let escape = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" && open.get_untracked() {
            event.stop_propagation();
            open.set(false);
        }
    };
    let button = NodeRef::<Button>::new();
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if before == Some(true) && !now {
            take_back(button);
        }
        now
    });
    view! {
        <div class="menu-of" on:keydown=escape>
            <button node_ref=button id=id class=class aria-label=about title=about aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)>{label}{children.map(|children| children())}</button>
            {move || open.get().then(|| view! {
                <div class="shade" on:click=move |_| open.set(false)></div>
                <div class=panel>{items()}</div>
            })}
        </div>
    }
    .into_any()
}

/// Focuses the button, when what had the focus closed with the menu.
fn take_back(button: NodeRef<Button>) {
    let Some(button) = button.get_untracked() else {
        return;
    };
    let inside = |element: &web_sys::Element| {
        let menu = button.parent_element();
        element.tag_name() == "BODY" || menu.is_some_and(|menu| menu.contains(Some(element)))
    };
    if document().active_element().as_ref().is_none_or(inside)
        && let Err(error) = button.focus()
    {
        leptos::logging::warn!("a menu's button cannot be focused: {error:?}");
    }
}
