//! Preferences of the person, kept in the browser.

use leptos::prelude::*;

const THEME: &str = "meshscope.theme";

/// Light, dark, or as the system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

impl Theme {
    /// Every theme, in the order of the switch.
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::Dark, Self::Light];

    /// Name of the theme.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

/// The preferences.
#[derive(Clone, Copy)]
pub(crate) struct Prefs {
    /// Chosen theme.
    pub theme: RwSignal<Theme>,
    /// Changes when the colours on the screen do, for what is drawn rather than styled.
    pub drawn: RwSignal<u32>,
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// Reads the preferences and keeps the page and the browser's storage in step with them.
pub(crate) fn provide() {
    let kept = storage().and_then(|storage| storage.get_item(THEME).ok().flatten());
    let theme = Theme::ALL
        .into_iter()
        .find(|theme| Some(theme.as_str()) == kept.as_deref())
        .unwrap_or_default();
    let prefs = Prefs {
        theme: RwSignal::new(theme),
        drawn: RwSignal::new(0),
    };
    provide_context(prefs);
    Effect::new(move |_| {
        let theme = prefs.theme.get();
        if let Some(root) = document().document_element()
            && let Err(error) = root.set_attribute("data-theme", theme.as_str())
        {
            leptos::logging::error!("the theme cannot be set: {error:?}");
        }
        // Storage may be forbidden; the theme then holds until the page is left.
        if let Some(Err(error)) = storage().map(|storage| storage.set_item(THEME, theme.as_str())) {
            leptos::logging::warn!("the theme cannot be kept: {error:?}");
        }
        prefs.drawn.update(|n| *n += 1);
    });
    follow_system(prefs);
}

/// Draws anew when the system changes between dark and light.
fn follow_system(prefs: Prefs) {
    use wasm_bindgen::JsCast as _;
    use wasm_bindgen::prelude::Closure;
    let Ok(Some(query)) = window().match_media("(prefers-color-scheme: dark)") else {
        return;
    };
    let changed = Closure::<dyn FnMut()>::new(move || prefs.drawn.update(|n| *n += 1));
    query.set_onchange(Some(changed.as_ref().unchecked_ref()));
    // The studio lives as long as the page.
    changed.forget();
}
