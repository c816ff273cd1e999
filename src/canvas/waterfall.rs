//! The waterfall's pixels: what `layout` decided, drawn.

use super::theme::Theme;
use meshscope_analysis::Segment;
use meshscope_layout::viewport::ROW_HEIGHT;
use meshscope_layout::waterfall::{BAR_HEIGHT, RULER_HEIGHT, SWATCH};
use meshscope_layout::{Bar, BarPlace, Minimap, Side, Waterfall, format, ticks};
use meshscope_model::columns::flag;
use web_sys::CanvasRenderingContext2d as Context;

/// Height of the minimap, CSS pixels.
pub(crate) const MINIMAP_HEIGHT: f64 = 44.0;
/// Room between two labels of the time axis, CSS pixels.
const TICK_ROOM: f64 = 90.0;

/// What is drawn besides what the layout decides.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks {
    /// The selected span.
    pub selected: Option<u32>,
    /// The span under the pointer.
    pub hover: Option<u32>,
    /// Where the time cursor stands, px from the left of the time area.
    pub cursor: Option<f64>,
}

/// Font of the rows.
pub(crate) fn font(theme: &Theme, size: f64) -> String {
    format!("{size}px {}", theme.font)
}

/// Width of a text in px.
pub(crate) fn measure(context: &Context, text: &str) -> f64 {
    context.measure_text(text).map_or(0.0, |metrics| metrics.width())
}

fn rect(c: &Context, color: &str, x: f64, y: f64, w: f64, h: f64) {
    c.set_fill_style_str(color);
    c.fill_rect(x, y, w, h);
}

fn rounded(c: &Context, color: &str, x: f64, y: f64, w: f64, h: f64) {
    c.set_fill_style_str(color);
    c.begin_path();
    if c.round_rect_with_f64(x, y, w, h, 2.5_f64.min(w / 2.0)).is_err() {
        c.rect(x, y, w, h);
    }
    c.fill();
}

fn text(c: &Context, color: &str, text: &str, x: f64, y: f64) {
    c.set_fill_style_str(color);
    if let Err(error) = c.fill_text(text, x, y) {
        leptos::logging::error!("a text cannot be drawn: {error:?}");
    }
}

/// Draws rows, bars and the time axis.
pub(crate) fn draw(
    c: &Context,
    w: &Waterfall<'_>,
    bars: &[Bar],
    theme: &Theme,
    hue: &dyn Fn(u32) -> usize,
    marks: Marks,
) {
    let frame = w.frame;
    rect(c, &theme.surface, 0.0, 0.0, frame.width, frame.height);
    c.set_text_baseline("middle");
    axis(c, w, theme);
    c.save();
    c.begin_path();
    c.rect(0.0, RULER_HEIGHT, frame.width, frame.lines_height());
    c.clip();
    for bar in bars {
        row(c, w, bar, theme, hue(bar.span), marks);
    }
    c.restore();
    rect(c, &theme.line, frame.name_width.round(), 0.0, 1.0, frame.height);
    rect(c, &theme.line, 0.0, RULER_HEIGHT - 1.0, frame.width, 1.0);
    cursor(c, w, theme, marks);
}

fn axis(c: &Context, w: &Waterfall<'_>, theme: &Theme) {
    let frame = w.frame;
    c.set_font(&font(theme, 10.5));
    for tick in ticks::ticks_in(w.view.bounds().0, &w.view, TICK_ROOM) {
        let x = (frame.name_width + w.view.x_of(tick.time)).round();
        if x < frame.name_width {
            continue;
        }
        rect(c, &theme.line_soft, x, 0.0, 1.0, frame.height);
        if x + 30.0 < frame.width {
            text(c, &theme.faint, &tick.label, x + 5.0, RULER_HEIGHT / 2.0);
        }
    }
}

fn row(c: &Context, w: &Waterfall<'_>, bar: &Bar, theme: &Theme, hue: usize, marks: Marks) {
    let frame = w.frame;
    let top = bar.y - (ROW_HEIGHT - BAR_HEIGHT) / 2.0;
    let middle = top + ROW_HEIGHT / 2.0;
    let color = theme.hue(hue);
    if marks.selected == Some(bar.span) {
        rect(c, &theme.accent_bg, 0.0, top, frame.width, ROW_HEIGHT);
    } else if marks.hover == Some(bar.span) {
        rect(c, &theme.line_soft, 0.0, top, frame.width, ROW_HEIGHT);
    }
    rect(
        c,
        &theme.line_soft,
        0.0,
        (top + ROW_HEIGHT - 1.0).round(),
        frame.width,
        1.0,
    );
    for depth in 1..=bar.depth.min(40) {
        rect(
            c,
            &theme.line,
            (frame.toggle_x(depth - 1) + 5.0).round(),
            top,
            1.0,
            ROW_HEIGHT,
        );
    }
    let error = bar.flags & flag::ERROR != 0;
    let blocked = bar.flags & flag::BLOCKED != 0;
    c.set_font(&font(theme, 12.0));
    if w.rows.below(w.tree, bar.span) > 0 {
        let caret = if bar.folded > 0 { "\u{25b8}" } else { "\u{25be}" };
        text(c, &theme.muted, caret, frame.toggle_x(bar.depth) + 1.0, middle);
    }
    rounded(
        c,
        color,
        frame.swatch_x(bar.depth),
        middle - SWATCH / 2.0,
        SWATCH,
        SWATCH,
    );
    let ink = if error {
        &theme.error
    } else if blocked {
        &theme.blocked
    } else if bar.flags & flag::NOISE != 0 {
        &theme.faint
    } else {
        &theme.text
    };
    text(c, ink, &bar.name, frame.name_x(bar.depth), middle + 0.5);
    c.save();
    c.begin_path();
    c.rect(frame.name_width + 1.0, top, frame.time_width(), ROW_HEIGHT);
    c.clip();
    match bar.place {
        BarPlace::Within { x0, x1, .. } => {
            let (x, width) = (frame.name_width + x0, x1 - x0);
            c.set_global_alpha(if error || bar.flags & flag::NOISE != 0 {
                0.45
            } else {
                0.85
            });
            rounded(c, color, x, bar.y, width, BAR_HEIGHT);
            c.set_global_alpha(1.0);
            if error || blocked {
                c.set_stroke_style_str(if error { &theme.error } else { &theme.blocked });
                c.set_line_width(1.0);
                c.stroke_rect(x + 0.5, bar.y + 0.5, (width - 1.0).max(1.0), BAR_HEIGHT - 1.0);
            }
            if let Some(first) = bar.first_token {
                rect(
                    c,
                    &theme.text,
                    (frame.name_width + first).round(),
                    bar.y - 1.0,
                    1.5,
                    BAR_HEIGHT + 2.0,
                );
            }
        }
        BarPlace::Before => text(c, &theme.faint, "\u{2039}", frame.name_width + 5.0, middle),
        BarPlace::After => text(c, &theme.faint, "\u{203a}", frame.width - 11.0, middle),
    }
    if let Some(label) = &bar.label {
        c.set_font(&font(theme, 10.5));
        let ink = if error {
            &theme.error
        } else if blocked {
            &theme.blocked
        } else if label.side == Side::Inside {
            &theme.surface
        } else {
            &theme.muted
        };
        text(c, ink, &label.text, frame.name_width + label.x, middle + 0.5);
    }
    c.restore();
}

fn cursor(c: &Context, w: &Waterfall<'_>, theme: &Theme, marks: Marks) {
    let Some(x) = marks.cursor.filter(|x| (0.0..w.frame.time_width()).contains(x)) else {
        return;
    };
    let at = w.frame.name_width + x;
    c.set_fill_style_str(&theme.accent);
    let mut y = RULER_HEIGHT;
    while y < w.frame.height {
        c.fill_rect(at.round(), y, 1.0, 3.0);
        y += 6.0;
    }
    let label = format::duration_exact(w.view.time_at(x).saturating_sub(w.view.bounds().0));
    c.set_font(&font(theme, 10.5));
    let width = measure(c, &label) + 8.0;
    let left = if at + width > w.frame.width {
        at - width
    } else {
        at
    };
    rect(c, &theme.surface, left, 3.0, width, RULER_HEIGHT - 6.0);
    text(c, &theme.accent, &label, left + 4.0, RULER_HEIGHT / 2.0);
}

/// Draws the whole trace in little, the critical path, and the window that is shown.
pub(crate) fn draw_minimap(
    c: &Context,
    w: &Waterfall<'_>,
    map: &Minimap,
    (lanes, lane_height): (usize, f64),
    critical: &[Segment],
    theme: &Theme,
    hue: &dyn Fn(u32) -> usize,
) {
    let frame = w.frame;
    rect(c, &theme.surface, 0.0, 0.0, frame.width, MINIMAP_HEIGHT);
    for run in map.runs() {
        let y = 4.0 + run.lane as f64 * lane_height;
        let color = if w.columns.has_flag(run.span as usize, flag::ERROR) {
            &theme.error
        } else {
            theme.hue(hue(run.span))
        };
        rect(
            c,
            color,
            run.from as f64,
            y,
            (run.to - run.from) as f64,
            (lane_height - 0.5).max(1.0),
        );
    }
    let overview = w.view.overview(frame.width);
    let x_of = |time: i64| overview.x_of(time);
    let y = 4.0 + lanes as f64 * lane_height + 3.0;
    for segment in critical {
        let (x0, x1) = (x_of(segment.start), x_of(segment.end));
        rect(c, &theme.hues[2], x0, y, (x1 - x0).max(1.0), 2.0);
    }
    if !w.view.is_fitted() {
        let (x0, x1) = (x_of(w.view.start()), x_of(w.view.end()));
        c.set_global_alpha(0.55);
        rect(c, &theme.surface, 0.0, 0.0, x0, MINIMAP_HEIGHT);
        rect(c, &theme.surface, x1, 0.0, frame.width - x1, MINIMAP_HEIGHT);
        c.set_global_alpha(1.0);
        rect(c, &theme.accent, x0, 0.0, 1.0, MINIMAP_HEIGHT);
        rect(c, &theme.accent, x1, 0.0, 1.0, MINIMAP_HEIGHT);
    }
    rect(c, &theme.line, 0.0, MINIMAP_HEIGHT - 1.0, frame.width, 1.0);
}
