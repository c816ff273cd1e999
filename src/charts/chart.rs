//! A chart on the page: canvas, legend, exact values under the pointer, a brush over time, a click that
//! filters, the same as a table, and files to keep.

use super::data::{Data, Dot, Kind, Series};
use super::draw::{self, BOTTOM, LEFT, RIGHT, TOP};
use super::legend::{Legend, swatch};
use super::table::Table;
use crate::canvas::painter::Pen;
use crate::canvas::surface;
use crate::canvas::svg::Svg;
use crate::canvas::theme::Theme;
use crate::components::menu::Menu;
use crate::components::save::{save_png, save_text};
use crate::components::time_text::moment;
use crate::state::prefs::Prefs;
use crate::state::{use_href, use_patch};
use leptos::html::Canvas;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use meshscope_api::Params;
use web_sys::HtmlCanvasElement;

/// Moves of fewer pixels are a click, not a brush.
const STILL: f64 = 4.0;

/// How many dots have a link of their own below the chart.
const EXEMPLARS: usize = 6;

/// What hands and keys do.
const HELP: &str = "Drag to zoom. A click filters, with Shift it shows the rows. Arrow keys read values, with Shift they choose a time; Enter does what a click does, or zooms";

/// Where pointer or keys are: a step, and a series of it.
type Place = (usize, Option<usize>);

/// What a chart is made of; copied into its handlers.
#[derive(Clone, Copy)]
struct Plot {
    canvas: NodeRef<Canvas>,
    data: Signal<Data>,
    /// Names of series that the legend hides.
    hidden: RwSignal<Vec<String>>,
    hover: RwSignal<Option<Place>>,
    /// First and last step of the brush.
    brush: RwSignal<Option<(usize, usize)>>,
    /// Where the pointer went down, CSS pixels.
    down: StoredValue<Option<f64>>,
}

impl Plot {
    fn shown(&self) -> Vec<bool> {
        let hidden = self.hidden.get();
        self.data.with(|data| {
            let shown = |series: &Series| !hidden.contains(&series.name);
            data.series.iter().map(shown).collect()
        })
    }

    /// Draws with `pen` what the canvas shows.
    fn draw(
        &self,
        pen: &mut dyn crate::canvas::painter::Painter,
        size: (f64, f64),
        ratio: f64,
        theme: &Theme,
    ) {
        let shown = self.shown();
        self.data.with(|data| {
            if let Err(error) = draw::draw(pen, size, ratio, data, theme, &shown) {
                leptos::logging::error!("a chart cannot be drawn: {error}");
            }
        });
    }

    fn paint(&self, canvas: &HtmlCanvasElement) {
        let (width, height) = surface::fit(canvas);
        if width < 80.0 || height < 60.0 {
            return;
        }
        let theme = Theme::read();
        if let Some(context) = surface::context(canvas) {
            self.draw(
                &mut Pen::new(&context, &theme),
                (width, height),
                surface::ratio(),
                &theme,
            );
            surface::mark("chart drawn");
        }
    }

    /// The place under a pointer.
    fn place(&self, x: f64, y: f64) -> Option<Place> {
        let canvas = self.canvas.get_untracked()?;
        let width = f64::from(canvas.client_width()) - LEFT - RIGHT;
        let height = f64::from(canvas.client_height()) - TOP - BOTTOM;
        let shown = untrack(|| self.shown());
        let shown = |at: usize| shown.get(at).copied().unwrap_or(true);
        self.data.with_untracked(|data| {
            let steps = data.steps() as f64;
            let at = (x - LEFT) / width * steps;
            let step = (at >= 0.0 && at < steps).then_some(at as usize)?;
            let value = (1.0 - (y - TOP) / height) * data.top(shown);
            Some((step, data.series_at(step, value, shown)))
        })
    }

    /// Where the span of the dot under a pointer is.
    fn link(&self, x: f64, y: f64) -> Option<String> {
        let canvas = self.canvas.get_untracked()?;
        let size = (
            f64::from(canvas.client_width()),
            f64::from(canvas.client_height()),
        );
        self.data
            .with_untracked(|data| draw::dot_at(data, size, (x, y)).map(|dot| dot.link.clone()))
    }

    /// The time range of the brush, ns since the epoch.
    fn range(&self, (a, b): (usize, usize)) -> (i64, i64) {
        let data = self.data;
        data.with_untracked(|data| (data.moment(a.min(b) as f64), data.moment((a.max(b) + 1) as f64)))
    }

    /// Moves by the keys; false when the key means nothing here.
    fn key(&self, key: &str, shift: bool) -> bool {
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
        if shift {
            let from = self.brush.get_untracked().map_or(at, |(from, _)| from);
            self.brush.set(Some((from, to)));
        }
        self.hover.set(Some((to, row)));
        true
    }
}

/// A titled chart. Dragging over it sets the page's time range; a click on a series that has a key sets its
/// filter. Where the page `opens` rows, a click with Shift shows those of the step and the series.
#[component]
pub(crate) fn Chart(
    #[prop(into)] title: Signal<String>,
    #[prop(into)] data: Signal<Data>,
    #[prop(optional)] opens: bool,
) -> impl IntoView {
    let plot = Plot {
        canvas: NodeRef::new(),
        data,
        hidden: RwSignal::new(Vec::new()),
        hover: RwSignal::new(None),
        brush: RwSignal::new(None),
        down: StoredValue::new(None),
    };
    let as_table = RwSignal::new(false);
    let resized = RwSignal::new(0_u32);
    let prefs = expect_context::<Prefs>();
    surface::on_resize(plot.canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        resized.track();
        prefs.drawn.track();
        if let Some(canvas) = plot.canvas.get() {
            plot.paint(&canvas);
        }
    });
    view! {
        <section class="panel chart">
            <h2><span>{title}</span><Legend data hidden=plot.hidden /><Options plot title as_table /></h2>
            {move || if as_table.get() {
                view! { <Table data /> }.into_any()
            } else {
                stage(plot, title, opens)
            }}
            {move || data.with(exemplars)}
        </section>
    }
    .into_any()
}

/// The canvas with what lies over it.
fn stage(plot: Plot, title: Signal<String>, opens: bool) -> AnyView {
    let Plot {
        data,
        hover,
        brush,
        down,
        ..
    } = plot;
    let patch = use_patch();
    let zooming = patch.clone();
    let zoom = move |range: (usize, usize)| {
        let (from, to) = plot.range(range);
        zooming(&[
            ("range", None),
            ("from", Some(from.to_string())),
            ("to", Some(to.to_string())),
        ]);
    };
    // Sets the filter of the series, or shows the rows of the step and the series.
    let choose = move |rows: bool| {
        let Some((step, row)) = hover.get_untracked() else {
            return;
        };
        let key = row.and_then(|row| data.with_untracked(|data| data.series.get(row)?.key.clone()));
        let mut filter = Params::parse(key.as_deref().unwrap_or_default());
        if rows && opens {
            let (from, to) = plot.range((step, step));
            filter.set("from", Some(from));
            filter.set("to", Some(to));
            patch(&[
                ("rows", Some("time".to_owned())),
                ("cell", Some(filter.to_query())),
            ]);
        } else if !rows && !filter.0.is_empty() {
            let set: Vec<_> = filter
                .0
                .iter()
                .map(|(name, value)| (name.as_str(), Some(value.clone())))
                .collect();
            patch(&set);
        }
    };
    let pressed = move |event: web_sys::PointerEvent| {
        surface::capture(&event);
        let x = f64::from(event.offset_x());
        down.set_value(Some(x));
        brush.set(
            plot.place(x, f64::from(event.offset_y()))
                .map(|(step, _)| (step, step)),
        );
    };
    let moved = move |event: web_sys::PointerEvent| {
        let x = f64::from(event.offset_x());
        let place = plot.place(x, f64::from(event.offset_y()));
        if hover.get_untracked() != place {
            hover.set(place);
        }
        let dragged = down.get_value().is_some_and(|down| (down - x).abs() >= STILL);
        if let (true, Some((from, _)), Some((to, _))) = (dragged, brush.get_untracked(), place) {
            down.set_value(Some(f64::NEG_INFINITY));
            brush.set(Some((from, to)));
        }
    };
    let released = {
        let (zoom, choose) = (zoom.clone(), choose.clone());
        let (href, navigate) = (use_href(), use_navigate());
        move |event: web_sys::PointerEvent| {
            let dragged = down.get_value() == Some(f64::NEG_INFINITY);
            let range = brush.get_untracked();
            down.set_value(None);
            brush.set(None);
            match range {
                Some(range) if dragged => zoom(range),
                _ => match plot.link(f64::from(event.offset_x()), f64::from(event.offset_y())) {
                    Some(link) => navigate(&href(&link), Default::default()),
                    None => choose(event.shift_key()),
                },
            }
        }
    };
    let typed = move |event: web_sys::KeyboardEvent| {
        let key = event.key();
        if key == "Enter" {
            match brush.get_untracked() {
                Some(range) => {
                    brush.set(None);
                    zoom(range);
                }
                None => choose(event.shift_key()),
            }
        } else if !plot.key(&key, event.shift_key()) {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let about = move || data.with(|data| format!("{}. {}", title.get(), summary(data)));
    view! {
        <div class="plot">
            <canvas node_ref=plot.canvas role="img" aria-label=about tabindex="0"
                title=HELP
                on:pointermove=moved on:pointerdown=pressed on:pointerup=released on:keydown=typed
                on:pointerleave=move |_| hover.set(None) on:blur=move |_| hover.set(None)
                on:pointercancel=move |_| { down.set_value(None); brush.set(None); }></canvas>
            {move || brush.get().map(|range| band(data, range, "brush"))}
            {move || hover.get().map(|(step, _)| band(data, (step, step), "at"))}
            {move || hover.get().map(|place| tip(data, place))}
            {move || data.with(|data| data.series.iter().all(|series| series.sum() == 0.0))
                .then(|| view! { <div class="nothing muted">"nothing in this range"</div> })}
        </div>
    }
    .into_any()
}

/// What a chart says, in a sentence: its series with their sums or last values.
fn summary(data: &Data) -> String {
    let of = |series: &Series| {
        let value = match data.kind {
            Kind::Lines | Kind::Levels => series.values.iter().rev().find_map(|value| *value),
            _ => Some(series.sum()),
        };
        value.map(|value| format!("{} {}", series.name, (data.format)(value)))
    };
    let word = match data.kind {
        Kind::Lines | Kind::Levels => "Latest",
        _ => "Totals",
    };
    let all: Vec<String> = data.series.iter().filter_map(of).collect();
    format!("{word}: {}", all.join(", "))
}

/// A band over some steps.
fn band(data: Signal<Data>, (a, b): (usize, usize), class: &'static str) -> AnyView {
    let steps = data.with(|data| data.steps().max(1)) as f64;
    let (from, to) = (a.min(b) as f64 / steps, (a.max(b) + 1) as f64 / steps);
    let room = LEFT + RIGHT;
    let style = format!(
        "left:calc({LEFT}px + (100% - {room}px) * {from});width:calc((100% - {room}px) * {})",
        to - from
    );
    view! { <div class=class style=style></div> }.into_any()
}

/// The spans of the latest dots, for those who have no pointer.
fn exemplars(data: &Data) -> Option<AnyView> {
    let href = use_href();
    let link = |dot: &Dot| {
        let text = (data.format)(dot.value);
        view! { <a class="mono" href=href(&dot.link) title="Open the span">{text}</a> }.into_any()
    };
    let links: Vec<_> = data.dots.iter().take(EXEMPLARS).map(link).collect();
    (!links.is_empty())
        .then(|| view! { <p class="exemplars muted">"\u{25cf} exemplars "{links}</p> }.into_any())
}

/// Exact values of a step.
fn tip(data: Signal<Data>, (step, row): Place) -> AnyView {
    data.with(|data| {
        let entry = |(index, series): (usize, &Series)| {
            let value = series.at(step)?;
            let on = row == Some(index);
            // A heat map has a row for every class; those without anything say nothing.
            if data.kind == Kind::Heat && value == 0.0 && !on {
                return None;
            }
            let text = match series.band.get(step).copied().flatten() {
                Some((low, high)) => {
                    let [value, low, high] = [value, low, high].map(|value| data.read(value));
                    format!("{value} ({low} \u{2013} {high})")
                }
                None => data.read(value),
            };
            let mark = (data.kind != Kind::Heat).then(|| swatch(series.hue));
            // The rows of a heat map are named by where they begin.
            let next = data.series.get(index + 1).filter(|_| data.kind == Kind::Heat);
            let name = next.map_or_else(
                || series.name.clone(),
                |next| format!("{} \u{2013} {}", series.name, next.name),
            );
            Some(view! { <div class="tip-row" class:on=on><span>{mark}{name}</span><b>{text}</b></div> })
        };
        let mut rows: Vec<_> = data.series.iter().enumerate().filter_map(entry).collect();
        if data.kind != Kind::Lines {
            // From the top, as they are drawn.
            rows.reverse();
        }
        let summed = matches!(data.kind, Kind::Stacked | Kind::Heat) && rows.len() > 1;
        let total = summed.then(|| {
            let sum: f64 = data.series.iter().filter_map(|series| series.at(step)).sum();
            view! { <div class="tip-row total"><span>"total"</span><b>{data.read(sum)}</b></div> }
        });
        let steps = data.steps().max(1) as f64;
        let left = (step as f64) < steps / 2.0;
        let (side, edge, at) = if left {
            ("left", LEFT, step as f64 + 1.0)
        } else {
            ("right", RIGHT, steps - step as f64)
        };
        let style = format!(
            "{side}:calc({edge}px + 6px + (100% - {}px) * {})",
            LEFT + RIGHT,
            at / steps
        );
        let (from, to) = (data.moment(step as f64), data.moment(step as f64 + 1.0));
        view! {
            <div class="tip" style=style role="status">
                <div class="muted">{format!("{} \u{2013} {}", moment(from), moment(to))}</div>
                {rows}{total}
            </div>
        }
        .into_any()
    })
}

/// Table or picture, and files to keep.
#[component]
fn Options(plot: Plot, title: Signal<String>, as_table: RwSignal<bool>) -> impl IntoView {
    let open = RwSignal::new(false);
    // The title as the name of a file.
    let file = move |ending: &str| {
        let title = title.get_untracked().to_lowercase();
        let words = title
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty());
        format!("{}.{ending}", words.collect::<Vec<_>>().join("-"))
    };
    let svg = move |_| {
        open.set(false);
        let Some(canvas) = plot.canvas.get_untracked() else {
            return;
        };
        let size = (
            f64::from(canvas.client_width()),
            f64::from(canvas.client_height()),
        );
        let theme = Theme::read();
        let mut svg = Svg::new(size.0, size.1);
        // Plotters counts in whole pixels: four of them to one of the picture make it smooth.
        untrack(|| plot.draw(&mut svg, size, 4.0, &theme));
        save_text(&svg.finish(&theme.font), "image/svg+xml", &file("svg"));
    };
    let png = move |_| {
        open.set(false);
        if let Some(canvas) = plot.canvas.get_untracked() {
            save_png(&canvas, file("png"));
        }
    };
    let csv = move |_| {
        open.set(false);
        save_text(&plot.data.with_untracked(Data::csv), "text/csv", &file("csv"));
    };
    let turn = move |_| {
        open.set(false);
        as_table.update(|on| *on = !*on);
    };
    let items = Box::new(move || {
        let table = as_table.get();
        let pictures = (!table).then(|| {
            view! {
                <button class="item" on:click=png>"Save as PNG"</button>
                <button class="item" on:click=svg>"Save as SVG"</button>
            }
        });
        view! {
            <button class="item" on:click=turn>{if table { "Show as a chart" } else { "Show as a table" }}</button>
            {pictures}
            <button class="item" on:click=csv>"Save as CSV"</button>
        }
        .into_any()
    });
    let about: &'static str = "Table, PNG, SVG, CSV";
    // What the menu is of, for those who hear it.
    view! { <span class="chart-menu" role="group" aria-label=title><Menu label="\u{22ef}" about open items /></span> }
        .into_any()
}
