//! The tokens of the style sheet, for what is drawn.

use leptos::prelude::*;

/// Colours and fonts as CSS has them now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Theme {
    /// Background of panels.
    pub surface: String,
    /// Hairlines.
    pub line: String,
    /// Hairlines within panels.
    pub line_soft: String,
    /// Text.
    pub text: String,
    /// Quieter text.
    pub muted: String,
    /// Quietest text.
    pub faint: String,
    /// The accent.
    pub accent: String,
    /// Band of the selection.
    pub accent_bg: String,
    /// Warnings.
    pub warn: String,
    /// Trouble.
    pub error: String,
    /// What a gate stopped.
    pub blocked: String,
    /// The hues of services and series.
    pub hues: [String; 6],
    /// Family of text.
    pub font: String,
}

impl Theme {
    /// Reads the custom properties of the page.
    pub(crate) fn read() -> Self {
        let style = document()
            .document_element()
            .and_then(|root| window().get_computed_style(&root).ok().flatten());
        let get = |name: &str| {
            let value = style
                .as_ref()
                .and_then(|style| style.get_property_value(name).ok());
            value.map(|value| value.trim().to_owned()).unwrap_or_default()
        };
        Self {
            surface: get("--surface"),
            line: get("--line"),
            line_soft: get("--line-soft"),
            text: get("--text"),
            muted: get("--muted"),
            faint: get("--faint"),
            accent: get("--accent"),
            accent_bg: get("--accent-bg"),
            warn: get("--warn"),
            error: get("--error"),
            blocked: get("--blocked"),
            hues: ["--h1", "--h2", "--h3", "--h4", "--h5", "--h6"].map(get),
            font: get("--font"),
        }
    }

    /// The hue of the `index`-th service or series.
    pub(crate) fn hue(&self, index: usize) -> &str {
        self.hues.get(index % 6).map_or("", String::as_str)
    }
}

/// Red, green and blue of `#rrggbb`.
pub(crate) fn rgb(color: &str) -> (u8, u8, u8) {
    let digits = color.trim_start_matches('#');
    let part = |at: usize| {
        digits
            .get(at..at + 2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .unwrap_or(128)
    };
    (part(0), part(2), part(4))
}
