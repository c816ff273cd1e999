//! Terminal colours in text (ECMA-48 control sequences, `CSI ... m`), told apart from the text.
//!
//! What comes out is text and a few numbers: whoever draws it chooses classes or colours by the
//! numbers, and nothing that a sender wrote becomes markup.

use std::ops::Range;

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// One of the sixteen colours of a terminal, 0 to 15.
    pub color: Option<u8>,
    /// Bold.
    pub bold: bool,
    /// Faint.
    pub faint: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
}

/// Text without control characters, and where it does not look as usual.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Styled {
    /// The text; of control characters only tab and line feed are left.
    pub text: String,
    /// Ranges of bytes with their style, in order.
    pub pieces: Vec<(Range<usize>, Style)>,
}

/// Reads text as a terminal would. Text without control characters is taken as it is.
#[must_use]
pub fn read(text: String) -> Styled {
    let control = |c: char| c.is_control() && c != '\t' && c != '\n';
    if !text.contains(control) {
        let pieces = Vec::new();
        return Styled { text, pieces };
    }
    let mut styled = Styled::default();
    let (mut style, mut since) = (Style::default(), 0);
    let mut rest = text.as_str();
    while let Some(at) = rest.find(control) {
        let (before, after) = rest.split_at(at);
        styled.text.push_str(before);
        let mut chars = after.chars();
        let found = chars.next();
        rest = chars.as_str();
        if found != Some('\u{1b}') {
            continue;
        }
        if let Some(sequence) = rest.strip_prefix('[') {
            let end = sequence.find(|c: char| ('\u{40}'..='\u{7e}').contains(&c));
            let (parameters, last) = sequence.split_at(end.unwrap_or(sequence.len()));
            let mut last = last.chars();
            if last.next() == Some('m') {
                let next = select(style, parameters);
                if next != style {
                    close(&mut styled, since, style);
                    (style, since) = (next, styled.text.len());
                }
            }
            rest = last.as_str();
        } else if let Some(command) = rest.strip_prefix(']') {
            // A title or link, up to BEL or ST; what it says is for terminals.
            let end = command
                .find(['\u{7}', '\u{1b}'])
                .map_or(command.len(), |end| end + 1);
            let after = command.get(end..).unwrap_or_default();
            rest = after.strip_prefix('\\').unwrap_or(after);
        }
    }
    styled.text.push_str(rest);
    close(&mut styled, since, style);
    styled
}

fn close(styled: &mut Styled, since: usize, style: Style) {
    let end = styled.text.len();
    if style != Style::default() && since < end {
        styled.pieces.push((since..end, style));
    }
}

/// The style after the parameters of a sequence `m`.
fn select(before: Style, parameters: &str) -> Style {
    let mut style = before;
    let mut numbers = parameters
        .split([';', ':'])
        .map(|number| number.parse::<u16>().unwrap_or(0));
    while let Some(number) = numbers.next() {
        match number {
            0 => style = Style::default(),
            1 => style.bold = true,
            2 => style.faint = true,
            3 => style.italic = true,
            4 => style.underline = true,
            22 => (style.bold, style.faint) = (false, false),
            23 => style.italic = false,
            24 => style.underline = false,
            30..=37 => style.color = Some((number - 30) as u8),
            39 => style.color = None,
            90..=97 => style.color = Some((number - 90 + 8) as u8),
            38 | 48 => {
                let color = match numbers.next() {
                    Some(5) => numbers.next().map(of_palette),
                    Some(2) => {
                        let mut next = || numbers.next().unwrap_or(0).min(255);
                        Some(nearest([next(), next(), next()]))
                    }
                    _ => None,
                };
                if number == 38 {
                    style.color = color.or(style.color);
                }
            }
            _ => {}
        }
    }
    style
}

/// The nearest of the sixteen to a colour of the palette of 256.
fn of_palette(number: u16) -> u8 {
    match number {
        0..=15 => number as u8,
        16..=231 => {
            let cube = number - 16;
            nearest([cube / 36, cube / 6 % 6, cube % 6].map(|part| part * 51))
        }
        _ => nearest([(number.min(255) - 232) * 10 + 8; 3]),
    }
}

/// The nearest of the sixteen to a mix of red, green and blue.
fn nearest(mix: [u16; 3]) -> u8 {
    let most = mix.into_iter().max().unwrap_or(0);
    if most < 48 {
        return 0;
    }
    let bit = |part: u16, bit: u8| if part * 3 > most * 2 { bit } else { 0 };
    let [red, green, blue] = mix;
    let hue = bit(red, 1) | bit(green, 2) | bit(blue, 4);
    match hue {
        7 if most < 150 => 8,
        7 if most < 230 => 7,
        _ if most >= 200 => hue + 8,
        _ => hue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(text: &str) -> (String, Vec<(String, Style)>) {
        let styled = read(text.to_owned());
        let piece = |(range, style): &(Range<usize>, Style)| (styled.text[range.clone()].to_owned(), *style);
        let pieces = styled.pieces.iter().map(piece).collect();
        (styled.text.clone(), pieces)
    }

    fn color(color: u8) -> Style {
        Style {
            color: Some(color),
            ..Style::default()
        }
    }

    #[test]
    fn colours_begin_change_and_end_where_they_are_said_to() {
        let (text, found) = pieces("a \u{1b}[31mred\u{1b}[1m bold\u{1b}[0m \u{1b}[92mgreen");
        assert_eq!(text, "a red bold green");
        let bold = Style {
            bold: true,
            ..color(1)
        };
        let expected = [("red", color(1)), (" bold", bold), ("green", color(10))];
        assert_eq!(found, expected.map(|(text, style)| (text.to_owned(), style)));
    }

    #[test]
    fn palettes_and_mixes_come_down_to_sixteen() {
        for (sequence, expected) in [
            ("38;5;9", 9),
            ("38;5;196", 9),
            ("38;2;200;10;10", 9),
            ("38:2:0:120:0", 2),
            ("38;5;240", 8),
        ] {
            let (_, found) = pieces(&format!("\u{1b}[{sequence}mx"));
            assert_eq!(found, [("x".to_owned(), color(expected))], "{sequence}");
        }
        // A background is not drawn, and its numbers are not taken for something else.
        assert_eq!(pieces("\u{1b}[48;5;31mx"), ("x".to_owned(), Vec::new()));
    }

    #[test]
    fn other_sequences_and_control_characters_go() {
        let (text, found) =
            pieces("\u{1b}]0;title\u{7}a\u{1b}[2Kb\u{1b}]8;;http://x\u{1b}\\c\r\u{8}\td\ne\u{1b}[31");
        assert_eq!((text.as_str(), found.len()), ("abc\td\ne", 0));
    }

    proptest! {
        #[test]
        fn any_text_reads_without_controls_and_with_ranges_in_it(text in "([ -~\u{e4}\n\r]|\u{1b}\\[|\u{1b}\\]|[0-9;]{1,4}m|\u{1b}|\u{7}){0,40}") {
            let styled = read(text);
            prop_assert!(!styled.text.contains(|c: char| c.is_control() && c != '\t' && c != '\n'));
            let mut last = 0;
            for (range, style) in &styled.pieces {
                prop_assert!(last <= range.start && range.start < range.end);
                prop_assert!(styled.text.get(range.clone()).is_some() && *style != Style::default());
                last = range.end;
            }
        }
    }
}
