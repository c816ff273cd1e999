//! Text that fits: one line, cut with an ellipsis where it is too long.

use std::borrow::Cow;

/// Where a text that is too long is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// `invoke_agent pla…`: for names.
    End,
    /// `gpt-4o…08-06`: for ids and paths, whose ends tell them apart.
    Middle,
}

/// No line of the screen is longer; what is behind it is not even measured.
const LONGEST: usize = 400;

/// `text` on one line: line breaks and other control characters become spaces, and characters
/// that turn the direction of writing are left out, so that a text cannot dress up as another.
/// At most 400 characters are kept.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    let kept = text.get(..end).unwrap_or(text).trim();
    if !kept.contains(|c: char| c.is_control() || turns(c)) {
        return Cow::Borrowed(kept);
    }
    let plain = kept.chars().filter(|c| !turns(*c));
    Cow::Owned(plain.map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// The longest form of `text` that `measure` finds at most `width` px wide: all of it on one
/// line, or cut with an ellipsis; empty when not even one character fits. `measure` must grow
/// with the text; it is asked about as often as the text's length has binary digits.
#[must_use]
pub fn fit<'a>(text: &'a str, width: f64, cut: Cut, measure: &dyn Fn(&str) -> f64) -> Cow<'a, str> {
    let line = one_line(text);
    if measure(&line) <= width {
        return line;
    }
    let bounds: Vec<usize> = line
        .char_indices()
        .map(|(at, _)| at)
        .chain([line.len()])
        .collect();
    let all = bounds.len() - 1;
    let shortened = |keep: usize| {
        let head = match cut {
            Cut::End => keep,
            Cut::Middle => keep.div_ceil(2),
        };
        let place = |n: usize| bounds.get(n).copied().unwrap_or(line.len());
        let start = line.get(..place(head)).unwrap_or_default();
        let rest = line.get(place(all - (keep - head))..).unwrap_or_default();
        format!("{}…{rest}", start.trim_end())
    };
    let (mut fits, mut too_long) = (0, all);
    while too_long - fits > 1 {
        let keep = fits + (too_long - fits) / 2;
        if measure(&shortened(keep)) <= width {
            fits = keep;
        } else {
            too_long = keep;
        }
    }
    Cow::Owned(if fits == 0 { String::new() } else { shortened(fits) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn monospace(text: &str) -> f64 {
        text.chars().count() as f64 * 7.0
    }

    fn fitted(text: &str, characters: usize, cut: Cut) -> String {
        fit(text, characters as f64 * 7.0, cut, &monospace).into_owned()
    }

    #[test]
    fn cut_at_the_end_or_in_the_middle() {
        assert_eq!(fitted("chat gpt-4o", 11, Cut::End), "chat gpt-4o");
        assert_eq!(fitted("chat gpt-4o", 8, Cut::End), "chat gp…");
        assert_eq!(
            fitted("chat gpt-4o", 6, Cut::End),
            "chat…",
            "no space before the ellipsis"
        );
        assert_eq!(fitted("gpt-4o-2024-08-06", 12, Cut::Middle), "gpt-4o…08-06");
        assert_eq!(fitted("größer", 4, Cut::End), "grö…");
        assert_eq!(
            (fitted("abc", 1, Cut::End), fitted("abc", 0, Cut::Middle)),
            (String::new(), String::new())
        );
    }

    #[test]
    fn one_line_of_plain_characters() {
        assert_eq!(
            one_line("  Rate limited\r\nretry\tlater\n"),
            "Rate limited  retry later"
        );
        assert_eq!(one_line("user\u{202e}gnp.exe"), "usergnp.exe");
        assert_eq!(one_line(&"é".repeat(1_000)).chars().count(), 400);
    }

    proptest! {
        #[test]
        fn what_fits_is_within_the_width(text: String, characters in 0..40_usize, middle: bool) {
            let cut = if middle { Cut::Middle } else { Cut::End };
            let result = fitted(&text, characters, cut);
            prop_assert!(result.chars().count() <= characters);
            prop_assert!(!result.contains(char::is_control));
        }
    }
}
