//! A chart's pixels, by plotters.

use super::data::{Data, Dot, Kind, Series, hue};
use super::sheet::Sheet;
use crate::canvas::painter::Painter;
use crate::canvas::theme::{Theme, rgb};
use crate::components::time_text::axis;
use meshscope_model::time::{DAY, MINUTE};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// Room for the value labels on the left, CSS pixels.
pub(crate) const LEFT: f64 = 56.0;
/// Room on the right.
pub(crate) const RIGHT: f64 = 8.0;
/// Room for the time labels.
pub(crate) const BOTTOM: f64 = 22.0;
/// Room above.
pub(crate) const TOP: f64 = 8.0;
/// Pixels that a click may be beside a dot.
const NEAR: f64 = 8.0;

/// Why a chart cannot be drawn.
type Failure = Box<dyn std::error::Error>;

fn color(text: &str) -> RGBColor {
    let (r, g, b) = rgb(text);
    RGBColor(r, g, b)
}

/// The colour of a hue.
fn ink(theme: &Theme, at: usize) -> RGBColor {
    color(match at {
        hue::REST => &theme.faint,
        hue::ERROR => &theme.error,
        hue::BLOCKED => &theme.blocked,
        other => theme.hue(other),
    })
}

/// Labels of the value axis, at the most.
fn value_labels(data: &Data, height: f64) -> usize {
    match data.kind {
        Kind::Heat => data.series.len().min((height / 18.0) as usize).max(1),
        // A border of a row each, where there is room.
        _ => data.heat.as_ref().map_or(4, |heat| heat.edges.len().min(7)),
    }
}

/// Draws `data` with this painter on so many CSS pixels, `ratio` of the device's each.
pub(super) fn draw(
    painter: &mut dyn Painter,
    size: (f64, f64),
    ratio: f64,
    data: &Data,
    theme: &Theme,
    shown: &[bool],
) -> Result<(), Failure> {
    let px = |css: f64| (css * ratio).round() as u32;
    painter.rect(&theme.surface, 0.0, 0.0, size.0, size.1);
    let root = Sheet::new(painter, size, ratio).into_drawing_area();
    let is_shown = |index: usize| shown.get(index).copied().unwrap_or(true);
    let steps = data.steps().max(1) as f64;
    let (bottom, top) = data.ends(is_shown);
    let mut chart = ChartBuilder::on(&root)
        .margin_top(px(TOP))
        .margin_right(px(RIGHT))
        .x_label_area_size(px(BOTTOM))
        .y_label_area_size(px(LEFT))
        .build_cartesian_2d(0.0..steps, bottom..top)?;
    let labels = ("sans-serif", px(10.5)).into_font().color(&color(&theme.muted));
    let length = data.moment(steps).saturating_sub(data.moment(0.0));
    let step = length / (steps as i64).max(1);
    let time = |place: &f64| axis(data.moment(*place), step >= DAY, length > DAY, step < MINUTE);
    let grid = match data.kind {
        Kind::Heat => TRANSPARENT,
        _ if data.heat.is_some() => TRANSPARENT,
        _ => color(&theme.line_soft).into(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(grid)
        .axis_style(color(&theme.line))
        .y_labels(value_labels(data, size.1))
        .x_labels((size.0 / 110.0).clamp(2.0, 8.0) as usize)
        .label_style(labels)
        .set_all_tick_mark_size(px(4.0))
        .y_label_formatter(&|height| data.label(*height))
        .x_label_formatter(&time)
        .draw()?;
    let area = chart.plotting_area();
    if let Some(heat) = &data.heat {
        let rows = heat.edges.len().saturating_sub(1).max(1);
        let counts = heat.counts.iter().enumerate();
        let counts = counts.map(|(at, count)| (at / rows, at % rows, *count));
        // Grey, so that the lines over it are seen.
        cells(area, ink(theme, hue::REST), 0.6, counts)?;
    }
    match data.kind {
        Kind::Stacked => bars(area, data, theme, &is_shown)?,
        Kind::Lines | Kind::Levels => lines(area, data, theme, &is_shown, px)?,
        Kind::Heat => {
            let row = |(row, series): (usize, &Series)| {
                let values: Vec<_> = series.values.iter().enumerate().collect();
                let cell = move |(step, value): (usize, &Option<f64>)| (step, row, value.unwrap_or(0.0));
                values.into_iter().map(cell).collect::<Vec<_>>()
            };
            cells(
                area,
                ink(theme, 0),
                1.0,
                data.series.iter().enumerate().flat_map(row),
            )?;
        }
    }
    if bottom < 0.0 {
        let zero = vec![(0.0, 0.0), (steps, 0.0)];
        area.draw(&PathElement::new(
            zero,
            color(&theme.line).stroke_width(px(1.0).max(1)),
        ))?;
    }
    for dot in &data.dots {
        let place = (dot.at, height(data, dot, (bottom, top)));
        area.draw(&Circle::new(place, px(3.0), color(&theme.text).filled()))?;
    }
    root.present()?;
    Ok(())
}

type Area<'a, 'b> = DrawingArea<Sheet<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn bars(
    area: &Area<'_, '_>,
    data: &Data,
    theme: &Theme,
    shown: &dyn Fn(usize) -> bool,
) -> Result<(), Failure> {
    // Where the next bar of a step begins, below 0 and above it.
    let mut ends = vec![(0.0, 0.0); data.steps()];
    let gap = if data.steps() > 120 { 0.0 } else { 0.14 };
    for (_, series) in data.series.iter().enumerate().filter(|(index, _)| shown(*index)) {
        let style = ink(theme, series.hue).filled();
        for (step, ((below, above), value)) in ends.iter_mut().zip(&series.values).enumerate() {
            let Some(value) = value.filter(|value| *value != 0.0) else {
                continue;
            };
            let (left, right) = (step as f64 + gap, step as f64 + 1.0 - gap);
            let base = if value < 0.0 { below } else { above };
            area.draw(&Rectangle::new([(left, *base), (right, *base + value)], style))?;
            *base += value;
        }
    }
    Ok(())
}

/// Neighbours that have a value, as (step, value): a line breaks where there is none, unless it is `joined`.
fn stretches<T: Copy>(values: &[Option<T>], joined: bool) -> Vec<Vec<(f64, T)>> {
    let place = |(step, value): (usize, &Option<T>)| value.map(|value| (step as f64 + 0.5, value));
    let places = values.iter().enumerate().map(place);
    let places: Vec<_> = places.filter(|place| !joined || place.is_some()).collect();
    let stretches = places
        .split(Option::is_none)
        .filter(|stretch| !stretch.is_empty());
    stretches
        .map(|stretch| stretch.iter().copied().flatten().collect())
        .collect()
}

fn lines(
    area: &Area<'_, '_>,
    data: &Data,
    theme: &Theme,
    shown: &dyn Fn(usize) -> bool,
    px: impl Fn(f64) -> u32,
) -> Result<(), Failure> {
    let joined = data.kind == Kind::Levels;
    let all = || data.series.iter().enumerate().filter(|(index, _)| shown(*index));
    for (_, series) in all() {
        for stretch in stretches(&series.band, joined) {
            let high = stretch.iter().map(|(x, (_, high))| (*x, data.place(*high)));
            let low = stretch.iter().rev().map(|(x, (low, _))| (*x, data.place(*low)));
            let corners: Vec<(f64, f64)> = high.chain(low).collect();
            area.draw(&Polygon::new(corners, ink(theme, series.hue).mix(0.22)))?;
        }
    }
    for (_, series) in all() {
        let color = ink(theme, series.hue);
        let places: Vec<_> = series
            .values
            .iter()
            .map(|value| value.map(|value| data.place(value)))
            .collect();
        for stretch in stretches(&places, joined) {
            if let [(x, y)] = stretch.as_slice() {
                // A lone point is no line: a short one stands for it.
                let dash = vec![(x - 0.3, *y), (x + 0.3, *y)];
                area.draw(&PathElement::new(dash, color.stroke_width(px(2.5).max(1))))?;
            } else {
                area.draw(&PathElement::new(stretch, color.stroke_width(px(1.5).max(1))))?;
            }
        }
    }
    Ok(())
}

/// Cells as (step, row, count): the fuller, the stronger, up to `most` of the colour.
fn cells(
    area: &Area<'_, '_>,
    color: RGBColor,
    most: f64,
    cells: impl Iterator<Item = (usize, usize, f64)>,
) -> Result<(), Failure> {
    let cells: Vec<_> = cells.filter(|(_, _, count)| *count > 0.0).collect();
    let fullest = cells.iter().map(|(_, _, count)| *count).fold(1.0, f64::max);
    for (step, row, count) in cells {
        // By the root: of counts that differ a hundredfold the small ones must be seen.
        let style = color
            .mix((0.12 + 0.88 * (count / fullest).sqrt()) * most)
            .filled();
        let (x, y) = (step as f64, row as f64);
        area.draw(&Rectangle::new([(x, y), (x + 1.0, y + 1.0)], style))?;
    }
    Ok(())
}

/// Where a dot stands, which is always within the ends of the axis.
fn height(data: &Data, dot: &Dot, (bottom, top): (f64, f64)) -> f64 {
    data.place(dot.value).clamp(bottom, top)
}

/// The dot under a place of the canvas, both in CSS pixels.
pub(super) fn dot_at<'a>(
    data: &'a Data,
    size: (f64, f64),
    (x, y): (f64, f64),
    shown: &[bool],
) -> Option<&'a Dot> {
    let (wide, high) = (size.0 - LEFT - RIGHT, size.1 - TOP - BOTTOM);
    let steps = data.steps().max(1) as f64;
    let (bottom, top) = data.ends(|at| shown.get(at).copied().unwrap_or(true));
    let far = |dot: &&Dot| {
        let part = (height(data, dot, (bottom, top)) - bottom) / (top - bottom);
        let (at, up) = (LEFT + dot.at / steps * wide, TOP + high - part * high);
        (at - x).hypot(up - y)
    };
    let nearest = data.dots.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
    nearest.filter(|dot| far(dot) <= NEAR)
}
