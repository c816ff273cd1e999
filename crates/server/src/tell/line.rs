//! A line of output: pieces of text in styles. The one way in which text of telemetry gets out: what
//! could control the terminal is made visible here.

use std::borrow::Cow;
use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How a piece of text looks on a terminal with colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Style {
    #[default]
    Plain,
    Dim,
    Bold,
    Red,
    Yellow,
    Green,
    Cyan,
    Blue,
    Magenta,
}

impl Style {
    /// The parameter of SGR (ECMA-48, 8.3.117).
    fn sgr(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Bold => Some(1),
            Self::Dim => Some(2),
            Self::Red => Some(31),
            Self::Green => Some(32),
            Self::Yellow => Some(33),
            Self::Blue => Some(34),
            Self::Magenta => Some(35),
            Self::Cyan => Some(36),
        }
    }
}

/// What takes the place of text that was cut.
const ELLIPSIS: char = '…';

/// Pieces of text in styles, without an end of line.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Vec<(Style, String)>);

impl Line {
    /// Adds a text; its control characters become visible.
    pub(super) fn add(&mut self, style: Style, text: impl AsRef<str>) -> &mut Self {
        let text = clean(text.as_ref());
        if !text.is_empty() {
            self.0.push((style, text.into_owned()));
        }
        self
    }

    /// The same in a chain that makes a line.
    pub(super) fn with(mut self, style: Style, text: impl AsRef<str>) -> Self {
        self.add(style, text);
        self
    }

    /// Adds another line's pieces.
    pub(super) fn append(&mut self, other: &Self) -> &mut Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// Columns of a terminal that it takes.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// Its text without styles.
    pub(super) fn plain(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The line cut to `width` columns.
    pub(super) fn cut(&self, width: usize) -> Cow<'_, Self> {
        if self.width() <= width {
            return Cow::Borrowed(self);
        }
        let mut left = width.saturating_sub(1);
        let mut cut = Self::default();
        for (style, text) in &self.0 {
            let end = fitting(text, left);
            let (fits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
            left -= fits.width().min(left);
            let mut fits = fits.to_owned();
            let last = !rest.is_empty();
            if last && width > 0 {
                fits.push(ELLIPSIS);
            }
            cut.0.push((*style, fits));
            if last {
                break;
            }
        }
        Cow::Owned(cut)
    }

    /// The line as it is written.
    pub(super) fn render(&self, colours: bool) -> String {
        let mut text = String::new();
        for (style, piece) in &self.0 {
            match style.sgr().filter(|_| colours) {
                Some(sgr) => text.push_str(&format!("\x1b[{sgr}m{piece}\x1b[0m")),
                None => text.push_str(piece),
            }
        }
        text
    }
}

/// How many bytes of `text` fit into `width` columns.
fn fitting(text: &str, width: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > width {
            return at;
        }
    }
    text.len()
}

/// Characters that do something to a terminal, or to the order of what is read: controls, ends of
/// lines and paragraphs, and those that turn the direction of text.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text with what acts on a terminal written out as escapes; a tab becomes spaces.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\t' => cleaned.push_str("    "),
            c if acts(c) => cleaned.extend(c.escape_default()),
            c => cleaned.push(c),
        }
    }
    Cow::Owned(cleaned)
}

/// JSON in which such characters are escaped as JSON does: they stand within its strings only.
pub(super) fn clean_json(json: &str) -> Cow<'_, str> {
    if !json.contains(acts) {
        return Cow::Borrowed(json);
    }
    let mut cleaned = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        if acts(c) {
            // All of them are below U+10000: one escape each. Writing to a string does not fail.
            if write!(cleaned, "\\u{:04x}", u32::from(c)).is_err() {
                return Cow::Borrowed("");
            }
        } else {
            cleaned.push(c);
        }
    }
    Cow::Owned(cleaned)
}

/// The text without the colours (SGR sequences) that its writer gave it.
pub(super) fn uncoloured(text: &str) -> Cow<'_, str> {
    if !text.contains("\x1b[") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let parameters = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == ':');
        match parameters.strip_prefix('m') {
            Some(following) => rest = following,
            None => {
                plain.push_str("\x1b[");
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_control_the_terminal() {
        let hostile = "a\x1b[2Jb\rc\u{9b}31md\u{202e}e\x07\x7f\ttab";
        let text = Line::default().with(Style::Plain, hostile).render(true);
        assert_eq!(text, "a\\u{1b}[2Jb\\rc\\u{9b}31md\\u{202e}e\\u{7}\\u{7f}    tab");
        let json = serde_json::to_string(hostile).unwrap();
        let cleaned = clean_json(&json);
        assert!(!cleaned.contains(acts), "{cleaned}");
        assert_eq!(serde_json::from_str::<String>(&cleaned).unwrap(), hostile);
    }

    #[test]
    fn colours_of_the_writer_are_left_out_and_nothing_else() {
        assert_eq!(
            uncoloured("\x1b[1;31mred\x1b[0m \x1b[2Jx \x1b["),
            "red \x1b[2Jx \x1b["
        );
    }

    #[test]
    fn lines_are_cut_by_columns_not_by_bytes() {
        let line = Line::default()
            .with(Style::Bold, "日本語")
            .with(Style::Plain, "text");
        assert_eq!(line.width(), 10);
        assert_eq!(line.cut(10).plain(), "日本語text");
        assert_eq!(line.cut(8).plain(), "日本語t…");
        assert_eq!(line.cut(6).plain(), "日本…");
        assert_eq!(line.cut(1).plain(), "…");
        assert_eq!(line.cut(0).plain(), "");
        assert_eq!(line.cut(6).render(true), "\x1b[1m日本…\x1b[0m");
    }
}
