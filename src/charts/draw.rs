//! A chart's pixels, by plotters.

use super::series::{Data, Dot, Kind};
use crate::canvas::theme::{Theme, rgb};
use crate::components::time_text::axis;
use meshscope_model::time::DAY;
use plotters::prelude::*;
use plotters_canvas::CanvasBackend;
use web_sys::HtmlCanvasElement;

/// Room for the value labels on the left, CSS pixels.
pub(crate) const LEFT: f64 = 52.0;
/// Room on the right.
pub(crate) const RIGHT: f64 = 8.0;
/// Room for the time labels.
const BOTTOM: f64 = 22.0;
/// Room above.
const TOP: f64 = 8.0;
/// Pixels that a click may be beside a dot.
const NEAR: f64 = 8.0;

fn color(text: &str) -> RGBColor {
    let (r, g, b) = rgb(text);
    RGBColor(r, g, b)
}

/// Draws `data` into the canvas, which has `ratio` pixels a CSS pixel.
pub(crate) fn draw(
    canvas: HtmlCanvasElement,
    ratio: f64,
    data: &Data,
    theme: &Theme,
    shown: &[bool],
) -> Result<(), Box<dyn std::error::Error>> {
    let px = |css: f64| (css * ratio).round() as u32;
    let root = CanvasBackend::with_canvas_object(canvas)
        .ok_or("the canvas has no 2D context")?
        .into_drawing_area();
    root.fill(&color(&theme.surface))?;
    let is_shown = |index: usize| shown.get(index).copied().unwrap_or(true);
    let top = data.top(is_shown);
    let steps = data.steps.max(1) as f64;
    let mut chart = ChartBuilder::on(&root)
        .margin_top(px(TOP))
        .margin_right(px(RIGHT))
        .x_label_area_size(px(BOTTOM))
        .y_label_area_size(px(LEFT))
        .build_cartesian_2d(0.0..steps, 0.0..top)?;
    let labels = ("sans-serif", px(10.5)).into_font().color(&color(&theme.faint));
    let days = data.step.saturating_mul(data.steps as i64) > DAY;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(color(&theme.line_soft))
        .axis_style(color(&theme.line))
        .y_labels(data.heat.as_ref().map_or(4, |heat| heat.edges.len().min(7)))
        .x_labels(5)
        .label_style(labels)
        .set_all_tick_mark_size(px(4.0))
        .y_label_formatter(&|value| data.label(*value))
        .x_label_formatter(&|step| axis(data.moment(step.round().max(0.0) as usize), days))
        .draw()?;
    if let Some(heat) = &data.heat {
        let rows = heat.edges.len().saturating_sub(1).max(1);
        let most = heat.counts.iter().copied().fold(1.0, f64::max);
        let cells = heat.counts.iter().enumerate().filter(|(_, count)| **count > 0.0);
        let cell = |(at, count): (usize, &f64)| {
            let (step, row) = ((at / rows) as f64, (at % rows) as f64);
            // Few among many are to be seen too.
            let style = color(&theme.accent)
                .mix(0.1 + 0.5 * (count / most).sqrt())
                .filled();
            Rectangle::new([(step, row), (step + 1.0, row + 1.0)], style)
        };
        chart.draw_series(cells.map(cell))?;
    }
    match data.kind {
        Kind::Stacked => {
            let mut base = vec![0.0; data.steps];
            let gap = if steps > 120.0 { 0.0 } else { 0.14 };
            for (index, series) in data
                .series
                .iter()
                .enumerate()
                .filter(|(index, _)| is_shown(*index))
            {
                let style = color(theme.hue(index)).filled();
                let mut bars = Vec::new();
                for (step, (base, value)) in base.iter_mut().zip(&series.values).enumerate() {
                    let Some(value) = value.filter(|value| *value > 0.0) else {
                        continue;
                    };
                    let (left, right) = (step as f64 + gap, step as f64 + 1.0 - gap);
                    bars.push(Rectangle::new([(left, *base), (right, *base + value)], style));
                    *base += value;
                }
                chart.draw_series(bars)?;
            }
        }
        Kind::Lines => {
            for (index, series) in data
                .series
                .iter()
                .enumerate()
                .filter(|(index, _)| is_shown(*index))
            {
                let style = color(theme.hue(index)).stroke_width(px(1.5).max(1));
                let points = series.values.iter().enumerate();
                let points: Vec<(f64, f64)> = points
                    .filter_map(|(step, value)| value.map(|value| (step as f64 + 0.5, data.place(value))))
                    .collect();
                let lone = points.len() == 1;
                chart.draw_series(LineSeries::new(points.clone(), style))?;
                if lone {
                    let dot =
                        |point: &(f64, f64)| Circle::new(*point, px(2.5), color(theme.hue(index)).filled());
                    chart.draw_series(points.iter().map(dot))?;
                }
            }
        }
    }
    let dot = |dot: &Dot| {
        Circle::new(
            (dot.at, data.place(dot.value)),
            px(3.0),
            color(&theme.text).filled(),
        )
    };
    chart.draw_series(data.dots.iter().map(dot))?;
    root.present()?;
    Ok(())
}

/// The dot that is drawn within some pixels of a place on a canvas of `width` and `height`.
pub(crate) fn dot_at(data: &Data, (width, height): (f64, f64), (x, y): (f64, f64)) -> Option<&Dot> {
    let (top, steps) = (
        data.top(|_| true).max(f64::MIN_POSITIVE),
        data.steps.max(1) as f64,
    );
    let away = |dot: &Dot| {
        let at = LEFT + dot.at / steps * (width - LEFT - RIGHT);
        let from_top = TOP + (1.0 - data.place(dot.value) / top) * (height - TOP - BOTTOM);
        (at - x).hypot(from_top - y)
    };
    let nearest = data.dots.iter().min_by(|a, b| away(a).total_cmp(&away(b)));
    nearest.filter(|dot| away(dot) < NEAR)
}
