//! A chart's pixels, by plotters.

use super::data::{Data, Kind, hue};
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
        _ => 4,
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
    let mut chart = ChartBuilder::on(&root)
        .margin_top(px(TOP))
        .margin_right(px(RIGHT))
        .x_label_area_size(px(BOTTOM))
        .y_label_area_size(px(LEFT))
        .build_cartesian_2d(0.0..steps, 0.0..data.top(is_shown))?;
    let labels = ("sans-serif", px(10.5)).into_font().color(&color(&theme.muted));
    let length = data.moment(steps).saturating_sub(data.moment(0.0));
    let step = length / (steps as i64).max(1);
    let value = |value: &f64| match data.kind {
        Kind::Heat => data
            .series
            .get(value.round() as usize)
            .map_or_else(String::new, |s| s.name.clone()),
        _ => (data.format)(*value),
    };
    let time = |place: &f64| axis(data.moment(*place), step >= DAY, length > DAY, step < MINUTE);
    let grid = match data.kind {
        Kind::Heat => TRANSPARENT,
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
        .y_label_formatter(&value)
        .x_label_formatter(&time)
        .draw()?;
    let area = chart.plotting_area();
    match data.kind {
        Kind::Stacked => bars(area, data, theme, &is_shown)?,
        Kind::Lines | Kind::Levels => lines(area, data, theme, &is_shown, px)?,
        Kind::Heat => cells(area, data, theme)?,
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
    let mut base = vec![0.0; data.steps()];
    let gap = if data.steps() > 120 { 0.0 } else { 0.14 };
    for (_, series) in data.series.iter().enumerate().filter(|(index, _)| shown(*index)) {
        let style = ink(theme, series.hue).filled();
        for (step, (base, value)) in base.iter_mut().zip(&series.values).enumerate() {
            let Some(value) = value.filter(|value| *value > 0.0) else {
                continue;
            };
            let (left, right) = (step as f64 + gap, step as f64 + 1.0 - gap);
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
            let high = stretch.iter().map(|(x, (_, high))| (*x, *high));
            let low = stretch.iter().rev().map(|(x, (low, _))| (*x, *low));
            let corners: Vec<(f64, f64)> = high.chain(low).collect();
            area.draw(&Polygon::new(corners, ink(theme, series.hue).mix(0.22)))?;
        }
    }
    for (_, series) in all() {
        let color = ink(theme, series.hue);
        for stretch in stretches(&series.values, joined) {
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

fn cells(area: &Area<'_, '_>, data: &Data, theme: &Theme) -> Result<(), Failure> {
    let fullest = data.fullest().max(1.0);
    let hue = ink(theme, 0);
    for (row, series) in data.series.iter().enumerate() {
        for (step, value) in series.values.iter().enumerate() {
            let Some(value) = value.filter(|value| *value > 0.0) else {
                continue;
            };
            // By the root: of counts that differ a hundredfold the small ones must be seen.
            let style = hue.mix(0.12 + 0.88 * (value / fullest).sqrt()).filled();
            let (x, y) = (step as f64, row as f64);
            area.draw(&Rectangle::new([(x, y), (x + 1.0, y + 1.0)], style))?;
        }
    }
    Ok(())
}
