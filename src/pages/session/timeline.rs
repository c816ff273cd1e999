//! The one timeline on which everything stands: a canvas that is drawn when the session or its place changes, and
//! over it the playhead and the brush, which move with the hand.

use super::data::Held;
use super::events::look;
use super::{Focus, metrics};
use crate::canvas::painter::Pen;
use crate::canvas::session::{self, AXIS, Measured, Row, Scene};
use crate::canvas::surface;
use crate::canvas::theme::Theme;
use crate::canvas::waterfall::{font, measure};
use crate::charts;
use crate::client::{self, ask, use_fetch_while};
use crate::pages::metrics::plain;
use crate::pages::trace::shared::span_id;
use crate::state::prefs::Prefs;
use crate::state::{param, use_patch, use_replace};
use leptos::html::Canvas;
use leptos::prelude::*;
use meshscope_analysis::timeline::text_of;
use meshscope_analysis::{Sums, Timeline};
use meshscope_api::{MetricDetail, MetricList};
use meshscope_layout::{Gap, Gaps, TimeView, format};
use std::sync::Arc;

/// Width of the names of lanes on a wide and on a narrow page.
const NAMES: (f64, f64) = (116.0, 68.0);
/// A page that is narrower is narrow, CSS pixels.
const NARROW: f64 = 620.0;
/// A press that moves less is a click, CSS pixels.
const CLICK: f64 = 4.0;
/// How far from the pointer something is still meant, CSS pixels.
const NEAR: f64 = 5.0;

/// What the picture is made of, but for the playhead.
#[derive(Clone)]
struct Picture {
    held: Arc<Held>,
    tokens: Arc<Sums>,
    metric: Option<Arc<Measured>>,
    view: TimeView,
    names: f64,
    /// Whether time in which nothing happens is skipped; absent where there is none.
    idle: Option<bool>,
}

impl Picture {
    fn of(
        focus: Focus,
        (tokens, metric): (Arc<Sums>, Option<Arc<Measured>>),
        (zoom, skip): (Option<(i64, i64)>, Option<String>),
        width: f64,
    ) -> Option<Self> {
        let held = focus.viewed.held.get()?;
        let (first, last) = focus.bounds();
        let names = if width < NARROW { NAMES.1 } else { NAMES.0 };
        let mut view = TimeView::new(first, last, (width - names).max(1.0));
        let gaps = idle(&held, last);
        let idle: i64 = gaps.gaps().iter().map(Gap::length).fold(0, i64::saturating_add);
        // Where nothing happens for most of the time, that time is skipped unless it is asked for.
        let skipped = match skip.as_deref() {
            None => idle > last.saturating_sub(first) / 5 * 4,
            Some(word) => word == "1",
        };
        let idle = (idle > 0).then_some(skipped);
        if skipped {
            view.set_gaps(Arc::new(gaps));
        }
        if let Some((from, to)) = zoom {
            view.set_window(from, to);
        }
        Some(Self {
            idle,
            held,
            tokens,
            metric,
            view,
            names,
        })
    }

    fn time_at(&self, x: f64) -> i64 {
        let (first, last) = self.view.bounds();
        self.view.time_at(x - self.names).clamp(first, last)
    }

    /// What is at a place: the span to be selected where there is one, and what it is in words.
    fn at(&self, x: f64, y: f64) -> Option<(Option<String>, String)> {
        let columns = &self.held.loaded.columns;
        let (rows, _) = session::rows(
            &self.held.timeline,
            &self.held.logs,
            &self.tokens,
            self.metric.as_deref(),
        );
        let (row, ..) = rows
            .iter()
            .find(|(_, top, tall)| (*top..*top + *tall).contains(&y))?;
        let time = self.time_at(x);
        let near = (self.view.ns_per_px() * NEAR) as i64;
        match row {
            Row::Lane(lane) => {
                // The latest that began before, of those that reach so far.
                let begun = lane
                    .stretches
                    .partition_point(|one| one.start <= time.saturating_add(near));
                let before = lane.stretches.get(..begun)?.iter().rev().take(200);
                let mut met = before.filter(|one| one.end.saturating_add(near) >= time);
                let one = met.next()?;
                let took = if one.end == i64::MAX {
                    "in progress".to_owned()
                } else {
                    format::duration(one.end.saturating_sub(one.start))
                };
                let name = columns.name(one.row as usize);
                Some((Some(span_id(columns, one.row)), format!("{name} \u{b7} {took}")))
            }
            Row::Events => {
                let events = self.held.timeline.events.iter();
                let marked = events.filter(|event| session::is_marked(event.kind));
                let nearest = marked.min_by_key(|event| event.at.abs_diff(time))?;
                let text = text_of(nearest, columns, &self.held.logs);
                let word = look(nearest.kind).1;
                let span = match nearest.source {
                    meshscope_analysis::timeline::Source::Span(row) => Some(span_id(columns, row)),
                    _ => None,
                };
                (nearest.at.abs_diff(time) <= near.unsigned_abs())
                    .then_some((span, format!("{word}: {text}")))
            }
            Row::Logs => {
                let logs = &self.held.logs.logs;
                let wide = (self.view.ns_per_px() * 1.5) as i64;
                let before = |time: i64| logs.partition_point(|log| log.time < time);
                let count = before(time.saturating_add(wide)) - before(time.saturating_sub(wide));
                Some((None, format!("{count} log records")))
            }
            Row::Metric(metric) => Some((None, metric.name.clone())),
            Row::Tokens => {
                let so_far = self.tokens.at(time).unwrap_or(0);
                Some((None, format!("{} tokens so far", format::integer(so_far))))
            }
        }
    }
}

/// The time in which nothing happens: between spans, and behind the last of them where only a metric is known
/// of the session later. Where there are log records, something happened.
fn idle(held: &Held, last: i64) -> Gaps {
    let Timeline {
        first, last: ended, ..
    } = held.timeline;
    let found = Gaps::find(&held.loaded.columns, &held.loaded.tree, ended);
    let mut gaps = found.gaps().to_vec();
    let worked = ended.saturating_sub(first);
    let behind = Gap {
        start: ended.saturating_add(worked / 20),
        end: last,
    };
    gaps.extend((behind.length() > worked).then_some(behind));
    let logs = &held.logs.logs;
    let before = |time: i64| logs.partition_point(|log| log.time < time);
    gaps.retain(|gap| before(gap.start) == before(gap.end));
    Gaps::new(gaps)
}

/// What the pointer does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Drag {
    /// Moves the playhead.
    Head,
    /// Brushes from one place to another.
    Brush(f64, f64),
}

/// The timeline.
pub(super) fn timeline(focus: Focus) -> AnyView {
    let canvas = NodeRef::<Canvas>::new();
    let width = RwSignal::new(0.0_f64);
    surface::on_resize(canvas, move || {
        if let Some(canvas) = canvas.get_untracked() {
            let now = f64::from(canvas.client_width());
            if width.get_untracked() != now {
                width.set(now);
            }
        }
    });
    let zoom = super::range("zoom_to");
    let picture = use_picture(focus, width, zoom);
    let height = use_height(picture);
    use_painted(canvas, picture, height);
    let lanes = move || {
        picture.with(|picture| {
            picture
                .as_ref()
                .map_or(0, |picture| picture.held.timeline.lanes.len())
        })
    };
    let replace = use_replace();
    let typed = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" && focus.playhead.at.with_untracked(Option::is_none) {
            replace(&[("brush", None), ("zoom_to", None)]);
        } else {
            go_by_key(&event, focus);
        }
    };
    view! {
        <section class="panel session-timeline" aria-label="Timeline" data-lanes=move || lanes().to_string()>
            <div class="timeline-plot" style=move || format!("height:{}px", height.get()) tabindex="0" role="slider"
                aria-label="Instant of the session" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || percent(focus)
                aria-valuetext=move || said(focus) on:keydown=typed>
                {plot(canvas, picture, focus)}
            </div>
            {range_bar(focus, zoom, picture)}
        </section>
    }
    .into_any()
}

/// What is drawn, made anew when the session, its place or what is asked for changes.
fn use_picture(focus: Focus, width: RwSignal<f64>, zoom: Memo<Option<(i64, i64)>>) -> Drawn {
    let skip = param("skip");
    let tokens = Memo::new_with_compare(
        move |_| {
            let sums = focus.viewed.held.with(|held| {
                let columns = &held.as_ref()?.loaded.columns;
                let figures = columns.total_tokens.iter().enumerate();
                Some(Sums::new(
                    figures.map(|(row, n)| (columns.end_time(row), Some(*n))),
                ))
            });
            Arc::new(sums.unwrap_or_default())
        },
        |_, _| true,
    );
    let metric = use_metric(focus);
    Memo::new_with_compare(
        move |_| {
            let width = width.get();
            let made = (tokens.get(), metric.get());
            let asked = (zoom.get(), skip.get());
            (width > 0.0)
                .then(|| Picture::of(focus, made, asked, width))
                .flatten()
        },
        |_, _| true,
    )
}

/// Height of the picture, CSS pixels.
fn use_height(picture: Drawn) -> Memo<f64> {
    Memo::new(move |_| {
        picture.with(|picture| {
            picture.as_ref().map_or(120.0, |picture| {
                session::rows(
                    &picture.held.timeline,
                    &picture.held.logs,
                    &picture.tokens,
                    picture.metric.as_deref(),
                )
                .1
            })
        })
    })
}

/// Draws it when it changes, or the theme does.
fn use_painted(canvas: NodeRef<Canvas>, picture: Drawn, height: Memo<f64>) {
    let prefs = expect_context::<Prefs>();
    Effect::new(move |_| {
        prefs.drawn.track();
        height.track();
        let Some(canvas) = canvas.get() else { return };
        picture.with(|picture| {
            if let Some(picture) = picture {
                // The height that was just set counts.
                let (picture, canvas) = (picture.clone(), canvas.clone());
                request_animation_frame(move || paint(&canvas, &picture));
            }
        });
    });
}

/// The canvas, and what the pointer does on it: on the axis it moves the playhead, below it brushes, and a
/// click selects.
fn plot(canvas: NodeRef<Canvas>, picture: Drawn, focus: Focus) -> AnyView {
    let drag = RwSignal::new(None::<Drag>);
    let hover = RwSignal::new(None::<(f64, f64)>);
    let patch = use_patch();
    let go_to = move |x: f64| {
        let time = picture.with_untracked(|picture| picture.as_ref().map(|picture| picture.time_at(x)));
        if let Some(time) = time {
            focus.playhead.playing.set(false);
            focus.playhead.at.set(Some(time));
        }
    };
    let place = |event: &web_sys::PointerEvent| (f64::from(event.offset_x()), f64::from(event.offset_y()));
    let pressed = move |event: web_sys::PointerEvent| {
        if event.button() != 0 {
            return;
        }
        surface::capture(&event);
        let (x, y) = place(&event);
        if y <= AXIS {
            drag.set(Some(Drag::Head));
            go_to(x);
        } else {
            drag.set(Some(Drag::Brush(x, x)));
        }
    };
    let moved = move |event: web_sys::PointerEvent| {
        let (x, y) = place(&event);
        match drag.get_untracked() {
            Some(Drag::Head) => go_to(x),
            Some(Drag::Brush(from, _)) => drag.set(Some(Drag::Brush(from, x))),
            None => hover.set(Some((x, y))),
        }
    };
    let released = move |event: web_sys::PointerEvent| {
        let ended = drag.get_untracked();
        drag.set(None);
        let (Some(Drag::Brush(a, b)), Some(picture)) = (ended, picture.get_untracked()) else {
            return;
        };
        if (a - b).abs() >= CLICK {
            let (from, to) = (picture.time_at(a.min(b)), picture.time_at(a.max(b)));
            patch(&[("brush", Some(format!("{from}-{to}")))]);
            return;
        }
        match picture.at(a, place(&event).1) {
            Some((Some(span), _)) => patch(&[("span", Some(span)), ("run", None)]),
            _ => go_to(a),
        }
    };
    view! {
        <canvas node_ref=canvas aria-hidden="true" on:pointerdown=pressed on:pointermove=moved
            on:pointerup=released on:pointerleave=move |_| hover.set(None)
            on:pointercancel=move |_| drag.set(None)></canvas>
        {move || brushed(picture, focus, drag)}
        {head_line(picture, focus)}
        {move || tip(picture, hover)}
    }
    .into_any()
}

/// Moves the playhead by a key: a step, to either end, or away.
fn go_by_key(event: &web_sys::KeyboardEvent, focus: Focus) {
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    let (first, last) = untrack(|| focus.bounds());
    let at = focus.playhead.at.get_untracked();
    let parts = if event.shift_key() { 20 } else { 200 };
    let step = (last.saturating_sub(first) / parts).max(1);
    let to = match event.key().as_str() {
        "ArrowLeft" => Some(at.unwrap_or(last).saturating_sub(step)),
        "ArrowRight" => Some(at.unwrap_or(first).saturating_add(step)),
        "Home" => Some(first),
        "End" => Some(last),
        "Escape" => None,
        _ => return,
    };
    event.prevent_default();
    event.stop_propagation();
    focus.playhead.playing.set(false);
    focus.playhead.at.set(to.map(|to| to.clamp(first, last)));
}

fn paint(canvas: &web_sys::HtmlCanvasElement, picture: &Picture) {
    let size = surface::fit(canvas);
    let Some(context) = surface::context(canvas) else {
        return;
    };
    let theme = Theme::read();
    context.set_font(&font(&theme, 11.0));
    let scene = Scene {
        theme: &theme,
        view: &picture.view,
        names: picture.names,
        timeline: &picture.held.timeline,
        logs: &picture.held.logs,
        tokens: &picture.tokens,
        metric: picture.metric.as_deref(),
        measure: &|text| measure(&context, text),
    };
    session::draw(&mut Pen::new(&context, &theme), &scene, size);
}

fn percent(focus: Focus) -> String {
    let (first, last) = focus.bounds();
    let at = focus.playhead.at.get().unwrap_or(last);
    let part = at.saturating_sub(first) as f64 / last.saturating_sub(first).max(1) as f64;
    format!("{:.0}", part * 100.0)
}

fn said(focus: Focus) -> String {
    let (first, _) = focus.bounds();
    focus.playhead.at.get().map_or_else(
        || "everything".to_owned(),
        |at| format!("{} after the start", format::duration(at.saturating_sub(first))),
    )
}

type Drawn = Memo<Option<Picture>>;

/// The playhead: moved by its own transform, so that a frame of scrubbing lays nothing out.
fn head_line(picture: Drawn, focus: Focus) -> AnyView {
    let place = move || {
        let at = focus.playhead.at.get()?;
        picture.with(|picture| {
            let picture = picture.as_ref()?;
            let x = picture.view.x_of(at);
            let seen = (-1.0..=picture.view.width() + 1.0).contains(&x);
            seen.then_some(picture.names + x)
        })
    };
    let style = move || match place() {
        Some(x) => format!("transform:translateX({x:.1}px)"),
        None => "display:none".to_owned(),
    };
    view! { <div class="playhead" style=style aria-hidden="true"><i></i></div> }.into_any()
}

/// What is brushed, or being brushed.
fn brushed(picture: Drawn, focus: Focus, drag: RwSignal<Option<Drag>>) -> Option<AnyView> {
    let range = picture.with(|picture| {
        let picture = picture.as_ref()?;
        match drag.get() {
            Some(Drag::Brush(a, b)) if (a - b).abs() >= CLICK => Some((a.min(b), a.max(b))),
            _ => {
                let (from, to) = focus.brush.get()?;
                let place = |time| picture.names + picture.view.x_of(time).clamp(0.0, picture.view.width());
                Some((place(from), place(to)))
            }
        }
    });
    let (from, to) = range?;
    let style = format!("left:{from:.1}px;width:{:.1}px", (to - from).max(1.0));
    Some(view! { <div class="brush" style=style></div> }.into_any())
}

/// What is under the pointer.
fn tip(picture: Drawn, hover: RwSignal<Option<(f64, f64)>>) -> Option<AnyView> {
    let (x, y) = hover.get()?;
    picture.with(|picture| {
        let picture = picture.as_ref()?;
        if x < picture.names {
            return None;
        }
        let first = picture.view.bounds().0;
        let after = super::rows::after(picture.time_at(x), first);
        let text = picture
            .at(x, y)
            .map_or(after.clone(), |(_, text)| format!("{after} \u{b7} {text}"));
        let whole = picture.names + picture.view.width();
        let style = if x < whole / 2.0 {
            format!("left:{:.0}px", x + 12.0)
        } else {
            format!("right:{:.0}px", whole - x + 12.0)
        };
        Some(view! { <div class="volume-tip" style=style>{text}</div> }.into_any())
    })
}

/// What is brushed in words, and what can be done with it.
fn range_bar(focus: Focus, zoom: Memo<Option<(i64, i64)>>, picture: Drawn) -> AnyView {
    let replace = use_replace();
    let bar = move || {
        let (brush, zoomed) = (focus.brush.get(), zoom.get());
        let idle = picture.with(|picture| picture.as_ref().and_then(|picture| picture.idle));
        if brush.is_none() && zoomed.is_none() && idle.is_none() {
            return ().into_any();
        }
        let first = focus.bounds().0;
        let text = brush.map(|(from, to)| {
            let (a, b) = (super::rows::after(from, first), super::rows::after(to, first));
            format!("{a} to {b} \u{b7} {}", format::duration(to.saturating_sub(from)))
        });
        let (zoom_in, fit, clear) = (replace.clone(), replace.clone(), replace.clone());
        let closer = brush.filter(|brush| zoomed != Some(*brush)).map(|(from, to)| {
            view! { <button class="pill" on:click=move |_| zoom_in(&[("zoom_to", Some(format!("{from}-{to}")))])>"Zoom to it"</button> }
        });
        let whole = zoomed.map(|_| view! { <button class="pill" on:click=move |_| fit(&[("zoom_to", None)])>"Whole session"</button> });
        let let_go = brush.map(|_| view! { <button class="pill" on:click=move |_| clear(&[("brush", None)])>"Show all times"</button> });
        let skip = replace.clone();
        let idle = idle.map(|on| {
            let other = if on { "0" } else { "1" };
            let change = move |_| skip(&[("skip", Some(other.to_owned()))]);
            view! { <button class="pill" class:on=on aria-pressed=on.to_string() title="Time in which nothing happens" on:click=change>"Skip idle time"</button> }
        });
        view! { <div class="range-bar" role="status"><span>{text}</span><span class="grow"></span>{idle}{closer}{whole}{let_go}</div> }.into_any()
    };
    bar.into_any()
}

/// The metric in the URL, else the one with the most points, once it is here.
fn use_metric(focus: Focus) -> Memo<Option<Arc<Measured>>> {
    let origin = StoredValue::new(client::origin());
    let chosen = param("metric");
    let viewed = focus.viewed;
    let measured = use_fetch_while(
        move || Some((viewed.which.get(), viewed.version.get(), chosen.get())),
        || false,
        move |(which, _, chosen), abort| async move {
            let list = ask::<MetricList>(
                "metrics".to_owned(),
                metrics::asked(&which, 1_000),
                origin,
                abort.clone(),
            );
            let list = list.await?.metrics;
            let most = list.into_iter().max_by_key(|metric| metric.points);
            let Some(name) = chosen.or(most.map(|metric| metric.name)) else {
                return Ok(None);
            };
            let path = format!("metrics/{}", meshscope_api::params::encode(&name));
            let detail =
                ask::<MetricDetail>(path, metrics::asked(&which, metrics::SERIES), origin, abort).await?;
            let data = charts::metric(&detail, charts::Show::Increase, plain);
            Ok(data.map(|data| Arc::new(measured(name, &data))))
        },
    );
    Memo::new_with_compare(move |_| measured.value.get().flatten(), |_, _| true)
}

/// A metric as the picture takes it.
fn measured(name: String, data: &charts::Data) -> Measured {
    let extent = metrics::extent(data);
    let points = |series: &charts::Series| {
        let values = series.values.iter().enumerate();
        let known = values.filter_map(|(step, value)| Some((data.moment(step as f64), (*value)?)));
        known.collect()
    };
    Measured {
        name,
        series: data.series.iter().map(points).collect(),
        extent,
        most: (data.format)(extent.1),
    }
}
