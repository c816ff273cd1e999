//! What plotters draws on: the studio's painter, which is a canvas or a picture to keep. Plotters counts
//! in whole pixels; here they are the device's, so that a line is as crisp as the screen.

use crate::canvas::painter::{Painter, Text};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use std::convert::Infallible;

/// Width of a letter, of its height: digits and short words of a sans-serif.
const LETTER: f64 = 0.56;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// A painter as plotters sees it: `ratio` of its pixels are one of the painter's.
pub(super) struct Sheet<'a> {
    painter: &'a mut dyn Painter,
    size: (u32, u32),
    ratio: f64,
}

impl<'a> Sheet<'a> {
    /// A sheet of this size, CSS pixels.
    pub(super) fn new(painter: &'a mut dyn Painter, (width, height): (f64, f64), ratio: f64) -> Self {
        let px = |css: f64| (css * ratio).round().max(1.0) as u32;
        Self {
            painter,
            size: (px(width), px(height)),
            ratio,
        }
    }

    fn css(&self, (x, y): BackendCoord) -> (f64, f64) {
        (f64::from(x) / self.ratio, f64::from(y) / self.ratio)
    }

    fn ink(&mut self, color: BackendColor) -> String {
        self.painter.alpha(color.alpha);
        let (r, g, b) = color.rgb;
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    fn stroke(&mut self, points: &[(f64, f64)], color: BackendColor, width: u32) {
        let ink = self.ink(color);
        let width = f64::from(width) / self.ratio;
        self.painter.line(&ink, width, points);
    }
}

impl DrawingBackend for Sheet<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        self.painter.alpha(1.0);
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        let ((x, y), ink) = (self.css(point), self.ink(color));
        let side = 1.0 / self.ratio;
        self.painter.rect(&ink, x, y, side, side);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        // Half a pixel off its edge, so that a straight line is one pixel wide and not two half ones.
        let half = 0.5 / self.ratio;
        let points = [from, to].map(|at| self.css(at));
        let points = points.map(|(x, y)| (x + half, y + half));
        self.stroke(&points, style.color(), style.stroke_width());
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        let ((x, y), (right, bottom)) = (self.css(from), self.css(to));
        let ink = self.ink(style.color());
        self.painter.rect(&ink, x, y, right - x, bottom - y);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let half = 0.5 / self.ratio;
        let points: Vec<_> = path.into_iter().map(|at| self.css(at)).collect();
        let straight = points.len() == 2;
        let shift = if straight { half } else { 0.0 };
        let points: Vec<_> = points.iter().map(|(x, y)| (x + shift, y + shift)).collect();
        self.stroke(&points, style.color(), style.stroke_width());
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let points: Vec<_> = path.into_iter().map(|at| self.css(at)).collect();
        let ink = self.ink(style.color());
        self.painter.polygon(&ink, &points);
        Ok(())
    }

    /// Of corners: plotters' own circles are made of lines, and look it.
    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        let ((x, y), radius) = (self.css(center), f64::from(radius) / self.ratio);
        let corner = |n: u32| {
            let (sin, cos) = (f64::from(n) * std::f64::consts::TAU / 16.0).sin_cos();
            (x + radius * cos, y + radius * sin)
        };
        let corners: Vec<_> = (0..16).map(corner).collect();
        let ink = self.ink(style.color());
        self.painter.polygon(&ink, &corners);
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let ((x, y), size) = (self.css(at), style.size() / self.ratio);
        let ink = self.ink(style.color());
        let anchor = style.anchor();
        let y = match anchor.v_pos {
            VPos::Top => y + size / 2.0,
            VPos::Center => y,
            VPos::Bottom => y - size / 2.0,
        };
        let text = match anchor.h_pos {
            HPos::Left => Text::at(text, x, y, size),
            HPos::Right => Text::ending(text, x, y, size),
            HPos::Center => {
                // No label is cut off by the edge of the sheet.
                let width = text.chars().count() as f64 * size * LETTER;
                let most = f64::from(self.size.0) / self.ratio - width;
                Text::at(text, (x - width / 2.0).min(most).max(0.0), y, size)
            }
        };
        self.painter.text(&ink, text);
        Ok(())
    }

    /// By the count of letters: asking the page would have it lay out anew for every label.
    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let width = text.chars().count() as f64 * style.size() * LETTER;
        Ok((width as u32, style.size() as u32))
    }
}
