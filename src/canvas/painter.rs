//! What draws: a canvas, or a picture to keep. Coordinates are CSS pixels, colours are CSS's.

use super::theme::Theme;
use web_sys::CanvasRenderingContext2d as Context;

/// A text and where it stands: `x` its left edge, or its right one where it `ends` there; `y` its middle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// What it says.
    pub text: &'a str,
    /// Its edge.
    pub x: f64,
    /// Its middle.
    pub y: f64,
    /// Height of its letters.
    pub size: f64,
    /// `x` is its right edge.
    pub ends: bool,
}

impl<'a> Text<'a> {
    /// A text that starts at `x`.
    pub(crate) fn at(text: &'a str, x: f64, y: f64, size: f64) -> Self {
        Self {
            text,
            x,
            y,
            size,
            ends: false,
        }
    }

    /// A text that ends at `x`.
    pub(crate) fn ending(text: &'a str, x: f64, y: f64, size: f64) -> Self {
        Self {
            ends: true,
            ..Self::at(text, x, y, size)
        }
    }
}

/// Something to draw on.
pub(crate) trait Painter {
    /// A filled rectangle.
    fn rect(&mut self, color: &str, x: f64, y: f64, w: f64, h: f64);
    /// The same with round corners.
    fn rounded(&mut self, color: &str, x: f64, y: f64, w: f64, h: f64);
    /// A line of 1 px around a rectangle, broken where it is `dashed`.
    fn outline(&mut self, color: &str, area: (f64, f64, f64, f64), dashed: bool);
    /// A line through points.
    fn line(&mut self, color: &str, width: f64, points: &[(f64, f64)]);
    /// A filled polygon.
    fn polygon(&mut self, color: &str, corners: &[(f64, f64)]);
    /// A text.
    fn text(&mut self, color: &str, text: Text<'_>);
    /// How opaque is what comes next, 0 to 1.
    fn alpha(&mut self, alpha: f64);
    /// Draws within this rectangle alone, until [`Painter::unclip`].
    fn clip(&mut self, x: f64, y: f64, w: f64, h: f64);
    /// Ends the last clip.
    fn unclip(&mut self);
}

/// Draws on a canvas.
pub(crate) struct Pen<'a> {
    context: &'a Context,
    theme: &'a Theme,
    now: Settings,
    /// What clips that are not ended yet were begun with, and end with.
    before: Vec<Settings>,
}

/// What the context has: to set it costs more than to compare.
#[derive(Debug, Clone, Default)]
struct Settings {
    fill: String,
    size: f64,
    ends: bool,
}

impl<'a> Pen<'a> {
    /// A pen for a context that is scaled to CSS pixels.
    pub(crate) fn new(context: &'a Context, theme: &'a Theme) -> Self {
        context.set_text_baseline("middle");
        context.set_text_align("left");
        context.set_global_alpha(1.0);
        Self {
            context,
            theme,
            now: Settings::default(),
            before: Vec::new(),
        }
    }

    fn fill(&mut self, color: &str) {
        if self.now.fill != color {
            color.clone_into(&mut self.now.fill);
            self.context.set_fill_style_str(color);
        }
    }
}

impl Painter for Pen<'_> {
    fn rect(&mut self, color: &str, x: f64, y: f64, w: f64, h: f64) {
        self.fill(color);
        self.context.fill_rect(x, y, w, h);
    }

    fn rounded(&mut self, color: &str, x: f64, y: f64, w: f64, h: f64) {
        self.fill(color);
        if w < 4.0 {
            self.context.fill_rect(x, y, w, h);
            return;
        }
        self.context.begin_path();
        if self.context.round_rect_with_f64(x, y, w, h, 2.5).is_err() {
            self.context.rect(x, y, w, h);
        }
        self.context.fill();
    }

    fn outline(&mut self, color: &str, (x, y, w, h): (f64, f64, f64, f64), dashed: bool) {
        let c = self.context;
        c.set_stroke_style_str(color);
        c.set_line_width(1.0);
        let dashes = if dashed {
            js_sys::Array::of2(&3.into(), &2.into())
        } else {
            js_sys::Array::new()
        };
        if c.set_line_dash(&dashes).is_err() {
            leptos::logging::warn!("a line cannot be dashed");
        }
        c.stroke_rect(x + 0.5, y + 0.5, (w - 1.0).max(1.0), h - 1.0);
    }

    fn line(&mut self, color: &str, width: f64, points: &[(f64, f64)]) {
        let c = self.context;
        c.set_stroke_style_str(color);
        c.set_line_width(width);
        c.set_line_join("round");
        c.begin_path();
        for (x, y) in points {
            c.line_to(*x, *y);
        }
        c.stroke();
    }

    fn polygon(&mut self, color: &str, corners: &[(f64, f64)]) {
        self.fill(color);
        self.context.begin_path();
        for (x, y) in corners {
            self.context.line_to(*x, *y);
        }
        self.context.fill();
    }

    fn text(&mut self, color: &str, text: Text<'_>) {
        self.fill(color);
        if self.now.size != text.size {
            self.now.size = text.size;
            self.context
                .set_font(&super::waterfall::font(self.theme, text.size));
        }
        if self.now.ends != text.ends {
            self.now.ends = text.ends;
            self.context
                .set_text_align(if text.ends { "right" } else { "left" });
        }
        if let Err(error) = self.context.fill_text(text.text, text.x, text.y) {
            leptos::logging::error!("a text cannot be drawn: {error:?}");
        }
    }

    fn alpha(&mut self, alpha: f64) {
        self.context.set_global_alpha(alpha);
    }

    fn clip(&mut self, x: f64, y: f64, w: f64, h: f64) {
        self.context.save();
        self.before.push(self.now.clone());
        self.context.begin_path();
        self.context.rect(x, y, w, h);
        self.context.clip();
    }

    fn unclip(&mut self) {
        self.context.restore();
        self.now = self.before.pop().unwrap_or_default();
    }
}
