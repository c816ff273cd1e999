//! What a chart is made of: what it shows, where hands and keys are on it, and what lies there.

use super::data::{Data, Series};
use super::draw::{self, BOTTOM, LEFT, RIGHT, TOP};
use crate::canvas::painter::{Painter, Pen};
use crate::canvas::surface;
use crate::canvas::theme::Theme;
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::HtmlCanvasElement;

/// Where pointer or keys are: a step, and a series of it.
pub(super) type Place = (usize, Option<usize>);

/// What the pointer does.
#[derive(Clone, Copy)]
pub(super) enum Pointer {
    /// It is up.
    Up,
    /// It went down here, CSS pixels; a finger at first `reads` only.
    Down { x: f64, reads: bool },
    /// It brushes over time.
    Brushes,
}

/// A chart; copied into its handlers.
#[derive(Clone, Copy)]
pub(super) struct Plot {
    pub canvas: NodeRef<Canvas>,
    pub data: Signal<Data>,
    /// Names of series that the legend hides.
    pub hidden: RwSignal<Vec<String>>,
    pub hover: RwSignal<Option<Place>>,
    /// First and last step of the brush.
    pub brush: RwSignal<Option<(usize, usize)>>,
    pub pointer: StoredValue<Pointer>,
    /// The page opens rows of a step and a series.
    pub opens: bool,
    /// The page's time is not chosen here.
    pub fixed: bool,
}

impl Plot {
    /// Of this data, with nothing at it yet.
    pub(super) fn new(data: Signal<Data>, opens: bool, fixed: bool) -> Self {
        Self {
            canvas: NodeRef::new(),
            data,
            hidden: RwSignal::new(Vec::new()),
            hover: RwSignal::new(None),
            brush: RwSignal::new(None),
            pointer: StoredValue::new(Pointer::Up),
            opens,
            fixed,
        }
    }

    /// What hands and keys do on it.
    pub(super) fn help(&self) -> String {
        let (filters, dots) = self.data.with(|data| {
            let filters = data.series.iter().any(|series| series.key.is_some());
            (filters, !data.dots.is_empty())
        });
        let all = [
            (!self.fixed, "Drag to zoom."),
            (filters, "A click on a series filters by it."),
            (self.opens, "A click with Shift shows the rows."),
            (dots, "A click on a dot opens its span."),
            (true, "Arrow keys read values."),
            (
                !self.fixed,
                "With Shift they choose a time, and Enter zooms to it.",
            ),
            (filters || self.opens, "Enter does what a click does."),
        ];
        let all = all.into_iter().filter(|(can, _)| *can).map(|(_, what)| what);
        all.collect::<Vec<_>>().join(" ")
    }

    fn shown(&self) -> Vec<bool> {
        let hidden = self.hidden.get();
        self.data.with(|data| {
            let shown = |series: &Series| !hidden.contains(&series.name);
            data.series.iter().map(shown).collect()
        })
    }

    /// Draws with `pen` what the canvas shows.
    pub(super) fn draw(&self, pen: &mut dyn Painter, size: (f64, f64), ratio: f64, theme: &Theme) {
        let shown = self.shown();
        self.data.with(|data| {
            if let Err(error) = draw::draw(pen, size, ratio, data, theme, &shown) {
                leptos::logging::error!("a chart cannot be drawn: {error}");
            }
        });
    }

    /// Draws on the canvas.
    pub(super) fn paint(&self, canvas: &HtmlCanvasElement) {
        let (width, height) = surface::fit(canvas);
        if width < 80.0 || height < 60.0 {
            return;
        }
        let theme = Theme::read();
        if let Some(context) = surface::context(canvas) {
            let mut pen = Pen::new(&context, &theme);
            self.draw(&mut pen, (width, height), surface::ratio(), &theme);
            surface::mark("chart drawn");
        }
    }

    /// Width and height of the canvas, CSS pixels.
    pub(super) fn size(&self) -> Option<(f64, f64)> {
        let canvas = self.canvas.get_untracked()?;
        Some((
            f64::from(canvas.client_width()),
            f64::from(canvas.client_height()),
        ))
    }

    /// The place under a pointer.
    pub(super) fn place(&self, (x, y): (f64, f64)) -> Option<Place> {
        let (width, height) = self.size()?;
        let (width, height) = (width - LEFT - RIGHT, height - TOP - BOTTOM);
        let shown = untrack(|| self.shown());
        let shown = |at: usize| shown.get(at).copied().unwrap_or(true);
        self.data.with_untracked(|data| {
            let steps = data.steps() as f64;
            let at = (x - LEFT) / width * steps;
            let step = (at >= 0.0 && at < steps).then_some(at as usize)?;
            let (bottom, top) = data.ends(shown);
            let value = top - (y - TOP) / height * (top - bottom);
            Some((step, data.series_at(step, value, shown)))
        })
    }

    /// Where the span of the dot under a pointer is.
    pub(super) fn link(&self, at: (f64, f64)) -> Option<String> {
        let (size, shown) = (self.size()?, untrack(|| self.shown()));
        self.data
            .with_untracked(|data| draw::dot_at(data, size, at, &shown).map(|dot| dot.link.clone()))
    }

    /// The time range of the brush, ns since the epoch.
    pub(super) fn range(&self, (a, b): (usize, usize)) -> (i64, i64) {
        let data = self.data;
        data.with_untracked(|data| (data.moment(a.min(b) as f64), data.moment((a.max(b) + 1) as f64)))
    }

    /// Moves by the keys; false when the key means nothing here.
    pub(super) fn key(&self, key: &str, shift: bool) -> bool {
        let (steps, rows) = self.data.with_untracked(|data| (data.steps(), data.series.len()));
        let last = steps.saturating_sub(1);
        let (at, row) = self.hover.get_untracked().unwrap_or((last, None));
        let to = match key {
            "ArrowLeft" => at.saturating_sub(1),
            "ArrowRight" => (at + 1).min(last),
            "Home" => 0,
            "End" => last,
            "ArrowUp" => {
                let row = row.map_or(0, |row| (row + 1).min(rows.saturating_sub(1)));
                self.hover.set(Some((at, Some(row))));
                return true;
            }
            "ArrowDown" => {
                self.hover.set(Some((at, row.map(|row| row.saturating_sub(1)))));
                return true;
            }
            "Escape" if self.hover.get_untracked().is_some() || self.brush.get_untracked().is_some() => {
                self.hover.set(None);
                self.brush.set(None);
                return true;
            }
            _ => return false,
        };
        if shift && !self.fixed {
            let from = self.brush.get_untracked().map_or(at, |(from, _)| from);
            self.brush.set(Some((from, to)));
        }
        self.hover.set(Some((to, row)));
        true
    }
}
