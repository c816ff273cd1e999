//! The waterfall's pixels: what `layout` decided, drawn.

use super::painter::{Painter, Text};
use super::row::{self, Row};
use super::theme::Theme;
use meshscope_layout::waterfall::RULER_HEIGHT;
use meshscope_layout::{Waterfall, format, ticks};
use web_sys::CanvasRenderingContext2d as Context;

/// Room between two labels of the time axis, CSS pixels.
const TICK_ROOM: f64 = 90.0;
/// Height of the letters of axis, labels and figures.
pub(crate) const SMALL: f64 = 10.5;

/// All that is on the surface at a moment.
pub(crate) struct Scene<'a> {
    /// What the layout decides.
    pub waterfall: Waterfall<'a>,
    /// The lines on the screen.
    pub rows: &'a [Row],
    /// Colours.
    pub theme: &'a Theme,
    /// Width of the surface: figures and the scroll bar stand right of the waterfall's frame.
    pub width: f64,
    /// Heads of the columns of figures.
    pub heads: Vec<&'static str>,
    /// Width of a column of figures.
    pub head_width: f64,
    /// The time cursor.
    pub cursor: Cursor,
    /// The bar that scrolls the lines.
    pub bar: ScrollBar<'a>,
}

/// The time cursor and what it is measured from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cursor {
    /// Where it stands, px from the left of the time area.
    pub at: Option<f64>,
    /// The time there, ns since the epoch.
    pub time: Option<i64>,
    /// The time that is measured from, ns since the epoch.
    pub mark: Option<i64>,
}

/// The bar that scrolls the lines.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ScrollBar<'a> {
    /// Its width.
    pub width: f64,
    /// Top and bottom of its thumb, px from the top of the lines; `None` when all is on the screen.
    pub thumb: Option<(f64, f64)>,
    /// Where lines with finds are, px from the top of the lines.
    pub finds: &'a [f64],
}

/// Font of the rows.
pub(crate) fn font(theme: &Theme, size: f64) -> String {
    format!("{size}px {}", theme.font)
}

/// Width of a text in px.
pub(crate) fn measure(context: &Context, text: &str) -> f64 {
    context.measure_text(text).map_or(0.0, |metrics| metrics.width())
}

/// Draws rows, bars and the time axis.
pub(crate) fn draw(p: &mut dyn Painter, s: &Scene<'_>) {
    let (frame, theme) = (s.waterfall.frame, s.theme);
    p.rect(&theme.surface, 0.0, 0.0, s.width, frame.height);
    p.clip(0.0, 0.0, frame.width, frame.height);
    axis(p, s);
    p.unclip();
    p.clip(0.0, RULER_HEIGHT, s.width, frame.lines_height());
    for row in s.rows {
        row::draw(p, s, row);
    }
    p.unclip();
    for (at, head) in s.heads.iter().enumerate() {
        let left = frame.width + at as f64 * s.head_width;
        p.rect(&theme.line_soft, left.round(), 0.0, 1.0, frame.height);
        p.text(
            &theme.faint,
            Text::ending(head, left + s.head_width - 8.0, RULER_HEIGHT / 2.0, SMALL),
        );
    }
    p.rect(&theme.line, frame.name_width.round(), 0.0, 1.0, frame.height);
    p.rect(&theme.line, 0.0, RULER_HEIGHT - 1.0, s.width, 1.0);
    cursor(p, s);
    scroll_bar(p, s);
}

fn axis(p: &mut dyn Painter, s: &Scene<'_>) {
    let (w, theme) = (&s.waterfall, s.theme);
    let frame = w.frame;
    for tick in ticks::ticks_in(w.view.bounds().0, &w.view, TICK_ROOM) {
        let x = (frame.name_width + w.view.x_of(tick.time)).round();
        if x < frame.name_width {
            continue;
        }
        p.rect(&theme.line_soft, x, 0.0, 1.0, frame.height);
        if x + 30.0 < frame.width {
            let at = Text::at(&tick.label, x + 5.0, RULER_HEIGHT / 2.0 - 1.0, SMALL);
            p.text(&theme.faint, at);
        }
    }
    for (gap, x0, x1) in w.view.gaps() {
        let (x0, x1) = (frame.name_width + x0, frame.name_width + x1);
        p.rect(&theme.line_soft, x0, 0.0, x1 - x0, frame.height);
        // A torn edge: here time does not run as it does beside it.
        let mut y = 0.0;
        while y < frame.height {
            for x in [x0, x1] {
                let corners = [(x - 2.0, y), (x + 2.0, y + 4.0), (x - 2.0, y + 8.0)];
                p.polygon(&theme.line, &corners);
            }
            y += 8.0;
        }
        let label = format!("\u{2026} {}", format::duration(gap.length()));
        p.text(&theme.muted, Text::at(&label, x0 + 2.0, RULER_HEIGHT - 6.0, 9.0));
    }
}

/// Covers what came after an instant.
pub(crate) fn cover(p: &mut dyn Painter, s: &Scene<'_>, at: i64) {
    let frame = s.waterfall.frame;
    let x = (frame.name_width + s.waterfall.view.x_of(at)).clamp(frame.name_width, frame.width);
    p.alpha(0.86);
    p.rect(
        &s.theme.surface,
        x,
        RULER_HEIGHT,
        frame.width - x,
        frame.height - RULER_HEIGHT,
    );
    p.alpha(1.0);
    p.rect(&s.theme.accent, x, 0.0, 1.5, frame.height);
}

fn cursor(p: &mut dyn Painter, s: &Scene<'_>) {
    let (w, theme) = (&s.waterfall, s.theme);
    let frame = w.frame;
    let width = frame.time_width();
    let mark = s.cursor.mark.map(|time| w.view.x_of(time));
    let at = s.cursor.at.filter(|x| (0.0..width).contains(x));
    if let (Some(mark), Some(at)) = (mark, at) {
        let (from, to) = (mark.min(at).max(0.0), mark.max(at).min(width));
        let height = frame.lines_height();
        p.rect(
            &theme.accent_bg,
            frame.name_width + from,
            RULER_HEIGHT,
            to - from,
            height,
        );
    }
    if let Some(mark) = mark.filter(|x| (0.0..width).contains(x)) {
        p.rect(
            &theme.accent,
            (frame.name_width + mark).round(),
            0.0,
            1.0,
            frame.height,
        );
    }
    let (Some(x), Some(time)) = (at, s.cursor.time) else {
        return;
    };
    let at = frame.name_width + x;
    let mut y = RULER_HEIGHT;
    while y < frame.height {
        p.rect(&theme.accent, at.round(), y, 1.0, 3.0);
        y += 6.0;
    }
    let label = match s.cursor.mark {
        Some(mark) => format!("\u{394} {}", format::duration_exact(time.saturating_sub(mark))),
        None => format::duration_exact(time.saturating_sub(w.view.bounds().0)),
    };
    // Digits of one width: what a letter takes is known well enough to make room for it.
    let room = label.chars().count() as f64 * SMALL * 0.62 + 8.0;
    let left = if at + room > frame.width { at - room } else { at };
    p.rect(&theme.surface, left, 3.0, room, RULER_HEIGHT - 6.0);
    p.text(
        &theme.accent,
        Text::at(&label, left + 4.0, RULER_HEIGHT / 2.0, SMALL),
    );
}

fn scroll_bar(p: &mut dyn Painter, s: &Scene<'_>) {
    let (theme, bar) = (s.theme, s.bar);
    let left = s.width - bar.width;
    p.rect(&theme.line_soft, left.round(), 0.0, 1.0, s.waterfall.frame.height);
    if let Some((top, bottom)) = bar.thumb {
        let y = RULER_HEIGHT + top;
        p.alpha(0.45);
        p.rounded(&theme.faint, left + 3.0, y, bar.width - 5.0, bottom - top);
        p.alpha(1.0);
    }
    for y in bar.finds {
        p.rect(&theme.warn, left + 2.0, RULER_HEIGHT + y, bar.width - 3.0, 2.0);
    }
}
