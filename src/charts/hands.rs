//! Hands and keys on a chart: they read values, brush over time, filter, and open spans and rows.

use super::data::Data;
use super::plot::{Plot, Pointer};
use super::tip::{band, summary, tip};
use crate::canvas::surface;
use crate::state::{use_href, use_patch};
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use meshscope_api::Params;
use std::sync::atomic::{AtomicU32, Ordering};
use web_sys::{KeyboardEvent, PointerEvent};

/// Moves of fewer pixels are a click, not a brush.
const STILL: f64 = 4.0;

/// Numbers of the charts, for the ids of what describes them.
static CHARTS: AtomicU32 = AtomicU32::new(0);

/// The canvas with what lies over it.
pub(super) fn stage(plot: Plot, title: Signal<String>) -> AnyView {
    let Plot {
        data, hover, brush, ..
    } = plot;
    let about = move || data.with(|data| format!("{}. {}", title.get(), summary(data)));
    let id = format!("chart-{}", CHARTS.fetch_add(1, Ordering::Relaxed));
    view! {
        <div class="plot">
            <canvas node_ref=plot.canvas role="img" aria-label=about aria-describedby=id.clone() tabindex="0"
                on:pointermove=move |event| moved(plot, &event) on:pointerdown=move |event| pressed(plot, &event)
                on:pointerup=released(plot) on:keydown=typed(plot)
                on:pointerleave=move |event| left(plot, &event) on:blur=move |_| hover.set(None)
                on:pointercancel=move |_| cancelled(plot)></canvas>
            <span class="visually-hidden" id=id>{move || plot.help()}</span>
            {move || brush.get().map(|range| band(data, range, "brush"))}
            {move || hover.get().map(|(step, _)| band(data, (step, step), "at"))}
            {move || hover.get().map(|place| tip(data, place))}
            {move || data.with(Data::is_empty)
                .then(|| view! { <div class="nothing muted">"nothing in this range"</div> })}
        </div>
    }
    .into_any()
}

/// Where the pointer is on the canvas, CSS pixels.
fn at(event: &PointerEvent) -> (f64, f64) {
    (f64::from(event.offset_x()), f64::from(event.offset_y()))
}

fn pressed(plot: Plot, event: &PointerEvent) {
    if event.button() != 0 {
        return;
    }
    surface::capture(event);
    let place = plot.place(at(event));
    // A finger comes without a move before it: at a new place it reads, there again it does what a click does.
    let reads = event.pointer_type() == "touch" && plot.hover.get_untracked() != place;
    plot.pointer.set_value(Pointer::Down {
        x: at(event).0,
        reads,
    });
    plot.hover.set(place);
    if !plot.fixed {
        plot.brush.set(place.map(|(step, _)| (step, step)));
    }
}

fn moved(plot: Plot, event: &PointerEvent) {
    let place = plot.place(at(event));
    if plot.hover.get_untracked() != place {
        plot.hover.set(place);
    }
    if let Pointer::Down { x, .. } = plot.pointer.get_value()
        && (x - at(event).0).abs() >= STILL
    {
        plot.pointer.set_value(Pointer::Brushes);
    }
    if let (Pointer::Brushes, Some((from, _)), Some((to, _))) =
        (plot.pointer.get_value(), plot.brush.get_untracked(), place)
    {
        plot.brush.set(Some((from, to)));
    }
}

fn released(plot: Plot) -> impl Fn(PointerEvent) {
    let (zoom, choose) = (zoom(plot), choose(plot));
    let (href, navigate) = (use_href(), use_navigate());
    move |event| {
        let (pointer, range) = (plot.pointer.get_value(), plot.brush.get_untracked());
        plot.pointer.set_value(Pointer::Up);
        plot.brush.set(None);
        match (pointer, range) {
            (Pointer::Brushes, Some(range)) => zoom(range),
            (Pointer::Down { reads, .. }, _) => match plot.link(at(&event)) {
                Some(link) => navigate(&href(&link), Default::default()),
                None if reads => {}
                None => choose(event.shift_key()),
            },
            _ => {}
        }
    }
}

/// What a mouse read goes with it; a finger is gone as soon as it is lifted, and what it read stays.
fn left(plot: Plot, event: &PointerEvent) {
    if event.pointer_type() != "touch" {
        plot.hover.set(None);
    }
}

/// The finger scrolls the page.
fn cancelled(plot: Plot) {
    plot.pointer.set_value(Pointer::Up);
    plot.brush.set(None);
    plot.hover.set(None);
}

fn typed(plot: Plot) -> impl Fn(KeyboardEvent) {
    let (zoom, choose) = (zoom(plot), choose(plot));
    move |event| {
        let key = event.key();
        if key == "Enter" {
            match plot.brush.get_untracked() {
                Some(range) => {
                    plot.brush.set(None);
                    zoom(range);
                }
                None => choose(event.shift_key()),
            }
        } else if !plot.key(&key, event.shift_key()) {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
    }
}

/// Sets the page's time range to steps of the chart.
fn zoom(plot: Plot) -> impl Fn((usize, usize)) {
    let patch = use_patch();
    move |range| {
        let (from, to) = plot.range(range);
        patch(&[
            ("range", None),
            ("from", Some(from.to_string())),
            ("to", Some(to.to_string())),
        ]);
    }
}

/// Sets the filter of the series at hand, or shows the rows of the step and the series.
fn choose(plot: Plot) -> impl Fn(bool) {
    let patch = use_patch();
    move |rows| {
        let Some((step, row)) = plot.hover.get_untracked() else {
            return;
        };
        let key = row.and_then(|row| plot.data.with_untracked(|data| data.series.get(row)?.key.clone()));
        let mut filter = Params::parse(key.as_deref().unwrap_or_default());
        if rows && plot.opens {
            let (from, to) = plot.range((step, step));
            filter.set("from", Some(from));
            filter.set("to", Some(to));
            let cell = Some(filter.to_query());
            patch(&[("rows", Some("time".to_owned())), ("cell", cell)]);
        } else if !rows && !filter.0.is_empty() {
            let set = filter
                .0
                .iter()
                .map(|(name, value)| (name.as_str(), Some(value.clone())));
            patch(&set.collect::<Vec<_>>());
        }
    }
}
