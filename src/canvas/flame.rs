//! The flame graph's pixels: what `layout` decided, drawn.

use super::surface;
use super::theme::Theme;
use meshscope_layout::flame::LANE_HEIGHT;
use meshscope_layout::text::{Cut, fit};
use meshscope_layout::{Rect, TimeView, ticks};
use meshscope_model::columns::flag;
use web_sys::{CanvasRenderingContext2d as Context, HtmlCanvasElement};

/// Height of the time axis, CSS pixels.
pub(crate) const AXIS: f64 = 22.0;
/// Room between two labels of the time axis, CSS pixels.
const TICK_ROOM: f64 = 90.0;
/// A bar that is narrower has no label, CSS pixels.
const LABELLED: f64 = 26.0;

/// What is drawn.
pub(crate) struct Picture<'a> {
    /// The bars in view.
    pub rects: &'a [Rect],
    /// Time, or weight, from left to right.
    pub view: &'a TimeView,
    /// How far the lanes are scrolled, CSS pixels.
    pub top: f64,
    /// Label and hue of a bar.
    pub look: &'a dyn Fn(u32) -> (&'a str, usize),
    /// The bar that is selected.
    pub selected: Option<u32>,
    /// The bar under the pointer.
    pub hover: Option<u32>,
}

/// Draws the bars and the axis above them.
pub(crate) fn draw(canvas: &HtmlCanvasElement, theme: &Theme, picture: &Picture<'_>) {
    let (width, height) = surface::fit(canvas);
    let Some(c) = surface::context(canvas) else { return };
    c.set_fill_style_str(&theme.surface);
    c.fill_rect(0.0, 0.0, width, height);
    c.set_text_baseline("middle");
    c.set_font(&format!("10.5px {}", theme.font));
    for tick in ticks::ticks_in(picture.view.bounds().0, picture.view, TICK_ROOM) {
        let x = picture.view.x_of(tick.time).round();
        c.set_fill_style_str(&theme.line_soft);
        c.fill_rect(x, 0.0, 1.0, height);
        if x >= 0.0 && x + 30.0 < width {
            text(&c, &theme.faint, &tick.label, x + 5.0, AXIS / 2.0);
        }
    }
    c.save();
    c.begin_path();
    c.rect(0.0, AXIS, width, (height - AXIS).max(0.0));
    c.clip();
    c.set_font(&format!("11.5px {}", theme.font));
    for rect in picture.rects {
        bar(&c, theme, picture, rect);
    }
    c.restore();
    c.set_fill_style_str(&theme.line);
    c.fill_rect(0.0, AXIS - 1.0, width, 1.0);
}

fn bar(c: &Context, theme: &Theme, picture: &Picture<'_>, rect: &Rect) {
    let (label, hue) = (picture.look)(rect.item);
    let y = AXIS + rect.lane as f64 * LANE_HEIGHT - picture.top;
    // A hairline between neighbours, where there is room for it.
    let width = rect.x1 - rect.x0;
    let drawn = if width > 3.0 { width - 1.0 } else { width };
    let (error, blocked) = (rect.flags & flag::ERROR != 0, rect.flags & flag::BLOCKED != 0);
    let is = |marked: Option<u32>| rect.count == 1 && marked == Some(rect.item);
    let strength = match (is(picture.hover), rect.count) {
        (true, _) => 0.55,
        (false, 1) => 0.34,
        (false, _) => 0.22,
    };
    let high = LANE_HEIGHT - 1.0;
    c.set_fill_style_str(theme.hue(hue));
    c.set_global_alpha(strength);
    c.fill_rect(rect.x0, y, drawn, high);
    c.set_global_alpha(1.0);
    c.fill_rect(rect.x0, y, drawn.min(2.0), high);
    let trouble = match (error, blocked) {
        (_, true) => Some((&theme.blocked, "\u{25c6} ")),
        (true, false) => Some((&theme.error, "\u{25cf} ")),
        (false, false) => None,
    };
    if let Some((color, _)) = trouble {
        c.set_fill_style_str(color);
        c.fill_rect(rect.x0, y + high - 2.0, drawn, 2.0);
    }
    if width >= LABELLED && rect.count == 1 {
        let mark = trouble.map_or("", |(_, mark)| mark);
        let x = rect.x0.max(0.0) + 6.0;
        let room = rect.x1.min(picture.view.width()) - x - 4.0;
        let measure = |text: &str| c.measure_text(text).map_or(0.0, |metrics| metrics.width());
        let whole = format!("{mark}{label}");
        let fitted = fit(&whole, room, Cut::End, &measure);
        text(c, &theme.text, &fitted, x, y + high / 2.0 + 0.5);
    }
    if is(picture.selected) {
        c.set_stroke_style_str(&theme.text);
        c.set_line_width(1.5);
        c.stroke_rect(rect.x0 + 0.75, y + 0.75, (drawn - 1.5).max(1.0), high - 1.5);
    }
}

fn text(c: &Context, color: &str, text: &str, x: f64, y: f64) {
    c.set_fill_style_str(color);
    if let Err(error) = c.fill_text(text, x, y) {
        leptos::logging::error!("a text cannot be drawn: {error:?}");
    }
}
