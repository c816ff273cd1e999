//! A record's text on the page: colours of the sender, and where the words stand that are looked
//! for. Only text is ever put there.

use super::entry::Entry;
use super::rows::set_attribute;
use leptos::prelude::*;
use meshscope_analysis::LogFilter;
use meshscope_layout::ansi::Style;
use std::ops::Range;
use web_sys::Element;

/// Bytes of a text that are shown in the list; the details have all of it.
const SHOWN: usize = 4_000;

/// Puts the text of a record into a cell.
pub(crate) fn write_line(cell: &Element, entry: &Entry, filter: &LogFilter) {
    let end = entry.text.floor_char_boundary(SHOWN);
    let text = entry.text.get(..end).unwrap_or_default();
    let marks = filter.highlights(text);
    if entry.pieces.is_empty() && marks.is_empty() {
        return cell.set_text_content(Some(text));
    }
    cell.set_text_content(None);
    for (range, style, marked) in cut(text.len(), &entry.pieces, &marks) {
        let part = text.get(range).unwrap_or_default();
        let name = if marked { "mark" } else { "span" };
        let Ok(element) = document().create_element(name) else {
            return;
        };
        element.set_text_content(Some(part));
        let class = classes(style);
        if !class.is_empty() {
            set_attribute(&element, "class", &class);
        }
        if let Err(error) = cell.append_child(&element) {
            leptos::logging::warn!("a text cannot be shown: {error:?}");
        }
    }
}

/// Pieces of one style each, and whether they are marked.
fn cut(
    length: usize,
    pieces: &[(Range<usize>, Style)],
    marks: &[Range<usize>],
) -> Vec<(Range<usize>, Style, bool)> {
    let styled = pieces.iter().map(|(range, _)| range);
    let ends = styled.chain(marks).flat_map(|range| [range.start, range.end]);
    let mut cuts: Vec<usize> = ends.filter(|at| *at < length).chain([0, length]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let between = cuts.iter().zip(cuts.iter().skip(1));
    let piece = |(from, to): (&usize, &usize)| {
        let styled = pieces.iter().find(|(range, _)| range.contains(from));
        let style = styled.map(|(_, style)| *style).unwrap_or_default();
        (*from..*to, style, marks.iter().any(|range| range.contains(from)))
    };
    between.map(piece).collect()
}

fn classes(style: Style) -> String {
    let mut classes: Vec<String> = style
        .color
        .map(|color| format!("ansi{color}"))
        .into_iter()
        .collect();
    let on = [
        (style.bold, "bold"),
        (style.faint, "faint"),
        (style.italic, "italic"),
        (style.underline, "underline"),
    ];
    classes.extend(
        on.iter()
            .filter(|(on, _)| *on)
            .map(|(_, class)| (*class).to_owned()),
    );
    classes.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_marks_cut_the_text_where_they_begin_and_end() {
        let red = Style {
            color: Some(1),
            ..Style::default()
        };
        let found = cut(10, &[(2..6, red)], &[4..8, 9..12]);
        let plain = Style::default();
        let expected = [
            (0..2, plain, false),
            (2..4, red, false),
            (4..6, red, true),
            (6..8, plain, true),
            (8..9, plain, false),
            (9..10, plain, true),
        ];
        assert_eq!(found, expected);
        assert_eq!(classes(Style { bold: true, ..red }), "ansi1 bold");
    }
}
