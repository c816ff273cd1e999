//! A line of the waterfall.

use super::painter::{Painter, Text};
use super::theme::Theme;
use super::waterfall::{SMALL, Scene};
use meshscope_layout::viewport::ROW_HEIGHT;
use meshscope_layout::waterfall::{BAR_HEIGHT, SWATCH};
use meshscope_layout::{Bar, BarPlace, Frame, Side};
use meshscope_model::columns::{EventKind, flag};

/// Height of the letters of names.
pub(crate) const NAME: f64 = 12.0;
/// How wide the end of a bar is that has not ended.
const OPEN_END: f64 = 12.0;

/// A line as drawn: its bar, and what else there is to see of it. Places are px from the left of
/// the time area.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// What the layout decides.
    pub bar: Bar,
    /// Number of its hue.
    pub hue: usize,
    /// It is the selected span's.
    pub selected: bool,
    /// The keyboard is on it.
    pub focus: bool,
    /// The pointer is on it.
    pub hover: bool,
    /// It, or something folded away below it, was found.
    pub found: bool,
    /// Its parent is not here, or was its own child.
    pub astray: bool,
    /// It can be folded.
    pub folds: bool,
    /// Where the span itself is on the critical path.
    pub critical: Vec<(f64, f64)>,
    /// Its events.
    pub events: Vec<(f64, EventKind)>,
    /// How many links it has.
    pub links: u32,
    /// Where it would stand by the other clock, sent or set right.
    pub ghost: Option<(f64, f64)>,
    /// Its figures, in the order of their columns.
    pub figures: Vec<String>,
}

/// Draws a line.
pub(crate) fn draw(p: &mut dyn Painter, s: &Scene<'_>, row: &Row) {
    let (bar, frame, theme) = (&row.bar, s.waterfall.frame, s.theme);
    let top = bar.y - (ROW_HEIGHT - BAR_HEIGHT) / 2.0;
    let middle = top + ROW_HEIGHT / 2.0;
    let width = s.width - s.bar.width;
    if row.selected {
        p.rect(&theme.accent_bg, 0.0, top, width, ROW_HEIGHT);
    } else if row.hover {
        p.rect(&theme.line_soft, 0.0, top, width, ROW_HEIGHT);
    }
    if row.focus {
        p.outline(&theme.accent, (0.0, top, width, ROW_HEIGHT - 1.0), false);
    }
    p.rect(
        &theme.line_soft,
        0.0,
        (top + ROW_HEIGHT - 1.0).round(),
        width,
        1.0,
    );
    names(p, &frame, theme, row, top);
    for (at, figure) in row.figures.iter().enumerate() {
        let right = frame.width + (at as f64 + 1.0) * s.head_width - 8.0;
        p.text(&theme.muted, Text::ending(figure, right, middle + 0.5, SMALL));
    }
    p.clip(frame.name_width + 1.0, top, frame.time_width(), ROW_HEIGHT);
    times(p, &frame, theme, row, middle);
    p.unclip();
}

fn ink(theme: &Theme, flags: u8) -> &str {
    if flags & flag::ERROR != 0 {
        &theme.error
    } else if flags & flag::BLOCKED != 0 {
        &theme.blocked
    } else if flags & flag::NOISE != 0 {
        &theme.faint
    } else {
        &theme.text
    }
}

fn names(p: &mut dyn Painter, frame: &Frame, theme: &Theme, row: &Row, top: f64) {
    let bar = &row.bar;
    let middle = top + ROW_HEIGHT / 2.0;
    p.clip(0.0, top, frame.name_width, ROW_HEIGHT);
    for depth in 1..=bar.depth.min(40) {
        let x = (frame.toggle_x(depth - 1) + 5.0).round();
        p.rect(&theme.line, x, top, 1.0, ROW_HEIGHT);
    }
    if row.found {
        p.rect(&theme.warn, 0.0, top, 3.0, ROW_HEIGHT - 1.0);
    }
    let toggle = frame.toggle_x(bar.depth);
    if row.astray {
        // A line that comes from nowhere.
        for y in [2.0, 7.0, 12.0] {
            p.rect(&theme.warn, toggle - 5.0, top + y, 1.0, 3.0);
        }
        p.text(&theme.warn, Text::at("?", toggle - 9.0, middle + 5.0, 9.0));
    }
    if row.folds {
        let caret = if bar.folded > 0 { "\u{25b8}" } else { "\u{25be}" };
        p.text(&theme.muted, Text::at(caret, toggle + 1.0, middle, NAME));
    }
    let (x, y) = (frame.swatch_x(bar.depth), middle - SWATCH / 2.0);
    if bar.group.is_some() {
        p.alpha(0.5);
        p.rounded(theme.hue(row.hue), x + 2.0, y - 2.0, SWATCH, SWATCH);
        p.alpha(1.0);
    }
    p.rounded(theme.hue(row.hue), x, y, SWATCH, SWATCH);
    let name = Text::at(&bar.name, frame.name_x(bar.depth), middle + 0.5, NAME);
    p.text(ink(theme, bar.flags), name);
    p.unclip();
    // Trouble shows through what is folded.
    let mut x = frame.name_width - 12.0;
    let hidden = bar.folded_flags & !bar.flags;
    for (bit, sign, color) in [
        (flag::ERROR, "\u{25cf}", &theme.error),
        (flag::BLOCKED, "\u{25c6}", &theme.blocked),
    ] {
        if hidden & bit != 0 {
            p.rect(&theme.surface, x - 2.0, top + 4.0, 13.0, ROW_HEIGHT - 8.0);
            p.text(color, Text::at(sign, x, middle, 9.0));
            x -= 12.0;
        }
    }
}

fn times(p: &mut dyn Painter, frame: &Frame, theme: &Theme, row: &Row, middle: f64) {
    let bar = &row.bar;
    let left = frame.name_width;
    if let Some((x0, x1)) = row.ghost {
        p.outline(&theme.warn, (left + x0, bar.y, x1 - x0, BAR_HEIGHT), true);
    }
    match bar.place {
        BarPlace::Within {
            x0, x1, cut_right, ..
        } => match &bar.group {
            Some(group) if group.unfolded => bracket(p, theme.hue(row.hue), left + x0, left + x1, bar.y),
            Some(group) => {
                p.alpha(0.3);
                p.rect(theme.hue(row.hue), left + x0, middle - 0.5, x1 - x0, 1.0);
                p.alpha(0.85);
                for (from, to) in &group.runs {
                    p.rounded(theme.hue(row.hue), left + from, bar.y, to - from, BAR_HEIGHT);
                }
                p.alpha(1.0);
                if bar.folded_flags & (flag::ERROR | flag::BLOCKED) != 0 {
                    let color = ink(theme, bar.folded_flags & (flag::ERROR | flag::BLOCKED));
                    p.outline(color, (left + x0, bar.y, x1 - x0, BAR_HEIGHT), false);
                }
            }
            None => span(p, theme, row, left, (left + x0, left + x1), cut_right),
        },
        BarPlace::Before => p.text(&theme.faint, Text::at("\u{2039}", left + 5.0, middle, NAME)),
        BarPlace::After => p.text(
            &theme.faint,
            Text::at("\u{203a}", frame.width - 11.0, middle, NAME),
        ),
    }
    for (from, to) in &row.critical {
        let y = bar.y + BAR_HEIGHT + 1.0;
        p.rect(&theme.hues[2], left + from, y, (to - from).max(1.0), 2.0);
    }
    for (x, kind) in &row.events {
        event(p, theme, left + x, bar.y, *kind);
    }
    if let Some(label) = &bar.label {
        let trouble = (bar.flags | bar.folded_flags) & (flag::ERROR | flag::BLOCKED);
        let own = bar.flags & trouble != 0 || bar.group.is_some() && trouble != 0;
        let color = if own {
            ink(theme, trouble)
        } else if label.side == Side::Inside {
            &theme.surface
        } else {
            &theme.muted
        };
        if label.side == Side::Inside && bar.group.is_some() {
            let room = label.text.chars().count() as f64 * SMALL * 0.6;
            p.alpha(0.85);
            p.rect(
                &theme.surface,
                left + label.x - 3.0,
                bar.y + 1.0,
                room,
                BAR_HEIGHT - 2.0,
            );
            p.alpha(1.0);
        }
        let on_surface = label.side == Side::Inside && bar.group.is_some() && !own;
        let color = if on_surface { &theme.text } else { color };
        p.text(color, Text::at(&label.text, left + label.x, middle + 0.5, SMALL));
    }
}

/// The extent of a group whose members stand below.
fn bracket(p: &mut dyn Painter, color: &str, x0: f64, x1: f64, y: f64) {
    let middle = y + BAR_HEIGHT / 2.0;
    p.alpha(0.6);
    p.rect(color, x0, middle, x1 - x0, 1.5);
    p.rect(color, x0, middle, 1.5, BAR_HEIGHT / 2.0);
    p.rect(color, x1 - 1.5, middle, 1.5, BAR_HEIGHT / 2.0);
    p.alpha(1.0);
}

fn span(p: &mut dyn Painter, theme: &Theme, row: &Row, left: f64, (x0, x1): (f64, f64), cut_right: bool) {
    let bar = &row.bar;
    let (error, blocked) = (bar.flags & flag::ERROR != 0, bar.flags & flag::BLOCKED != 0);
    let color = theme.hue(row.hue);
    let alpha = if error || bar.flags & flag::NOISE != 0 {
        0.45
    } else {
        0.85
    };
    p.alpha(alpha);
    if bar.flags & flag::IN_PROGRESS != 0 && !cut_right {
        let solid = (x1 - x0 - OPEN_END).max(0.0);
        p.rounded(color, x0, bar.y, solid, BAR_HEIGHT);
        let step = (x1 - x0 - solid) / 4.0;
        for part in 0..4 {
            p.alpha(alpha * (0.8 - 0.2 * f64::from(part)));
            let x = x0 + solid + step * f64::from(part);
            p.rect(color, x, bar.y, (step - 1.0).max(0.5), BAR_HEIGHT);
        }
    } else {
        p.rounded(color, x0, bar.y, x1 - x0, BAR_HEIGHT);
    }
    p.alpha(1.0);
    if error || blocked {
        let color = if error { &theme.error } else { &theme.blocked };
        p.outline(color, (x0, bar.y, x1 - x0, BAR_HEIGHT), false);
    }
    if let Some(first) = bar.first_token {
        p.rect(
            &theme.text,
            (left + first).round(),
            bar.y - 1.0,
            1.5,
            BAR_HEIGHT + 2.0,
        );
    }
    if row.links > 0 {
        // Two rings of a chain at the start of the bar.
        for dx in [-5.0, -1.0] {
            p.outline(&theme.text, (x0 + dx, bar.y + 4.0, 6.0, 6.0), false);
        }
    }
}

/// A mark on the bar's lower edge: a diamond, a triangle where something went wrong.
fn event(p: &mut dyn Painter, theme: &Theme, x: f64, y: f64, kind: EventKind) {
    let bottom = y + BAR_HEIGHT;
    match kind {
        EventKind::Exception => {
            p.polygon(
                &theme.surface,
                &[
                    (x - 5.0, bottom + 2.0),
                    (x, bottom - 8.0),
                    (x + 5.0, bottom + 2.0),
                ],
            );
            p.polygon(
                &theme.error,
                &[
                    (x - 4.0, bottom + 1.0),
                    (x, bottom - 6.0),
                    (x + 4.0, bottom + 1.0),
                ],
            );
        }
        EventKind::FirstToken | EventKind::Other => {
            let around = |r: f64| [(x - r, bottom), (x, bottom - r), (x + r, bottom), (x, bottom + r)];
            p.polygon(&theme.surface, &around(4.0));
            p.polygon(&theme.text, &around(2.5));
        }
    }
}
