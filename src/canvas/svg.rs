//! A picture as SVG: the same strokes as on the canvas, written down.

use super::painter::{Painter, Text};
use std::fmt::Write as _;

/// A picture that grows.
pub(crate) struct Svg {
    body: String,
    alpha: f64,
    clips: usize,
    width: f64,
    height: f64,
}

impl Svg {
    /// An empty picture of this size.
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self {
            body: String::new(),
            alpha: 1.0,
            clips: 0,
            width,
            height,
        }
    }

    /// What is drawn from here on stands lower by `y`, until [`Svg::end_group`].
    pub(crate) fn begin_group(&mut self, y: f64) {
        self.add(format_args!("<g transform=\"translate(0 {})\">", short(y)));
    }

    /// Ends [`Svg::begin_group`].
    pub(crate) fn end_group(&mut self) {
        self.add(format_args!("</g>"));
    }

    /// The whole file, its texts in this font.
    pub(crate) fn finish(self, font: &str) -> String {
        let (w, h) = (short(self.width), short(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"{}\" dominant-baseline=\"central\">{}</svg>\n",
            escaped(font),
            self.body
        )
    }

    fn add(&mut self, piece: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        if self.body.write_fmt(piece).is_err() {
            leptos::logging::error!("a picture cannot be written");
        }
    }

    fn opacity(&self) -> String {
        if self.alpha < 1.0 {
            format!(" opacity=\"{}\"", short(self.alpha))
        } else {
            String::new()
        }
    }

    fn paint(&self, color: &str) -> String {
        format!("fill=\"{}\"{}", escaped(color), self.opacity())
    }
}

/// A number to a hundredth.
fn short(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}

/// Points as SVG lists them.
fn pairs(points: &[(f64, f64)]) -> String {
    let pairs = points.iter().map(|(x, y)| format!("{} {}", short(*x), short(*y)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Text as XML holds it; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

impl Painter for Svg {
    fn rect(&mut self, color: &str, x: f64, y: f64, w: f64, h: f64) {
        let paint = self.paint(color);
        let [x, y, w, h] = [x, y, w.max(0.0), h.max(0.0)].map(short);
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {paint}/>"
        ));
    }

    fn rounded(&mut self, color: &str, x: f64, y: f64, w: f64, h: f64) {
        let paint = self.paint(color);
        let r = if w < 4.0 { 0.0 } else { 2.5 };
        let [x, y, w, h] = [x, y, w.max(0.0), h.max(0.0)].map(short);
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\" {paint}/>"
        ));
    }

    fn outline(&mut self, color: &str, (x, y, w, h): (f64, f64, f64, f64), dashed: bool) {
        let [x, y, w, h] = [x + 0.5, y + 0.5, (w - 1.0).max(1.0), (h - 1.0).max(0.0)].map(short);
        let dashes = if dashed { " stroke-dasharray=\"3 2\"" } else { "" };
        let color = escaped(color);
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"none\" stroke=\"{color}\"{dashes}/>"
        ));
    }

    fn line(&mut self, color: &str, width: f64, points: &[(f64, f64)]) {
        let (points, color, width) = (pairs(points), escaped(color), short(width));
        let opacity = self.opacity();
        self.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{opacity}/>"
        ));
    }

    fn polygon(&mut self, color: &str, corners: &[(f64, f64)]) {
        let (paint, corners) = (self.paint(color), pairs(corners));
        self.add(format_args!("<polygon points=\"{corners}\" {paint}/>"));
    }

    fn text(&mut self, color: &str, text: Text<'_>) {
        let paint = self.paint(color);
        let anchor = if text.ends { " text-anchor=\"end\"" } else { "" };
        let [x, y, size] = [text.x, text.y, text.size].map(short);
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{anchor} {paint}>{}</text>",
            escaped(text.text)
        ));
    }

    fn alpha(&mut self, alpha: f64) {
        self.alpha = alpha;
    }

    fn clip(&mut self, x: f64, y: f64, w: f64, h: f64) {
        self.clips += 1;
        let id = self.clips;
        let [x, y, w, h] = [x, y, w.max(0.0), h.max(0.0)].map(short);
        self.add(format_args!(
            "<clipPath id=\"c{id}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/></clipPath>\
             <g clip-path=\"url(#c{id})\">"
        ));
    }

    fn unclip(&mut self) {
        self.end_group();
    }
}
