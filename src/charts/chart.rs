//! A chart on the page: canvas, legend, exact values under the pointer, a brush over time, and
//! the same as a table for those who do not see it.

use super::draw::{self, LEFT, RIGHT};
use super::series::{Data, Dot, Kind};
use crate::canvas::surface;
use crate::canvas::theme::Theme;
use crate::components::time_text::moment;
use crate::state::prefs::Prefs;
use crate::state::{use_href, use_patch};
use leptos::html::Canvas;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

/// How many dots have a link of their own below the chart.
const EXEMPLARS: usize = 6;

/// A titled chart. Dragging over it sets the page's time range.
#[component]
pub(crate) fn Chart(#[prop(into)] title: String, #[prop(into)] data: Signal<Data>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let hidden = RwSignal::new(Vec::<String>::new());
    let resized = RwSignal::new(0_u32);
    let prefs = expect_context::<Prefs>();
    let hover = RwSignal::new(None::<usize>);
    let brush = RwSignal::new(None::<(usize, usize)>);
    let patch = use_patch();
    surface::on_resize(canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        resized.track();
        prefs.drawn.track();
        let Some(canvas) = canvas.get() else { return };
        let (width, height) = surface::fit(&canvas);
        if width < 40.0 || height < 40.0 {
            return;
        }
        let hidden = hidden.get();
        data.with(|data| {
            let shown: Vec<bool> = data
                .series
                .iter()
                .map(|series| !hidden.contains(&series.name))
                .collect();
            if let Err(error) = draw::draw(canvas.clone(), surface::ratio(), data, &Theme::read(), &shown) {
                leptos::logging::error!("a chart cannot be drawn: {error}");
            }
        });
    });
    let step_at = move |x: i32| {
        let canvas = canvas.get_untracked()?;
        let width = f64::from(canvas.client_width()) - LEFT - RIGHT;
        let steps = data.with_untracked(|data| data.steps);
        let at = (f64::from(x) - LEFT) / width * steps as f64;
        (at >= 0.0 && at < steps as f64).then_some(at as usize)
    };
    let moved = move |event: web_sys::PointerEvent| {
        let step = step_at(event.offset_x());
        hover.set(step);
        if let (Some((start, _)), Some(step)) = (brush.get_untracked(), step) {
            brush.set(Some((start, step)));
        }
    };
    let (href, navigate) = (use_href(), use_navigate());
    let open_dot = move |event: &web_sys::PointerEvent| {
        let Some(canvas) = canvas.get_untracked() else {
            return;
        };
        let size = (
            f64::from(canvas.client_width()),
            f64::from(canvas.client_height()),
        );
        let at = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        let link = data.with_untracked(|data| draw::dot_at(data, size, at).map(|dot| dot.link.clone()));
        if let Some(link) = link {
            navigate(&href(&link), Default::default());
        }
    };
    let released = move |event: web_sys::PointerEvent| {
        let brushed = brush.get_untracked();
        if brushed.is_none_or(|(a, b)| a == b) {
            open_dot(&event);
        } else if let Some((a, b)) = brushed {
            let (from, to) = data.with_untracked(|data| (data.moment(a.min(b)), data.moment(a.max(b) + 1)));
            patch(&[
                ("range", None),
                ("from", Some(from.to_string())),
                ("to", Some(to.to_string())),
            ]);
        }
        brush.set(None);
    };
    let step_by_key = move |event: web_sys::KeyboardEvent| {
        let last = data.with_untracked(|data| data.steps.saturating_sub(1));
        let at = hover.get_untracked();
        let next = match event.key().as_str() {
            "ArrowLeft" => at.map_or(last, |at| at.saturating_sub(1)),
            "ArrowRight" => at.map_or(0, |at| (at + 1).min(last)),
            _ => return,
        };
        event.prevent_default();
        hover.set(Some(next));
    };
    let name = title.clone();
    view! {
        <section class="panel chart">
            <h2><span>{title}</span><Legend data hidden /></h2>
            <div class="plot">
                <canvas node_ref=canvas role="img" aria-label=name tabindex="0"
                    on:pointermove=moved
                    on:pointerleave=move |_| hover.set(None)
                    on:pointerdown=move |event| brush.set(step_at(event.offset_x()).map(|step| (step, step)))
                    on:pointerup=released
                    on:keydown=step_by_key></canvas>
                {move || brush.get().filter(|(a, b)| a != b).map(|(a, b)| {
                    let steps = data.with(|data| data.steps.max(1)) as f64;
                    let (from, to) = (a.min(b) as f64 / steps, (a.max(b) + 1) as f64 / steps);
                    let style = format!(
                        "left:calc({LEFT}px + (100% - {}px) * {from});width:calc((100% - {}px) * {})",
                        LEFT + RIGHT, LEFT + RIGHT, to - from
                    );
                    view! { <div class="brush" style=style></div> }
                })}
                {move || hover.get().map(|step| tip(data, step))}
            </div>
            {move || data.with(exemplars)}
            <Table data />
        </section>
    }
}

/// Names with their hues; a click hides or shows.
#[component]
fn Legend(data: Signal<Data>, hidden: RwSignal<Vec<String>>) -> impl IntoView {
    let names = Memo::new(move |_| {
        data.with(|data| {
            data.series
                .iter()
                .map(|series| series.name.clone())
                .collect::<Vec<_>>()
        })
    });
    let entry = move |(index, name): (usize, String)| {
        let kept = name.clone();
        let toggle = move |_| {
            hidden.update(|hidden| match hidden.iter().position(|known| *known == kept) {
                Some(at) => {
                    hidden.remove(at);
                }
                None => hidden.push(kept.clone()),
            });
        };
        let key = name.clone();
        let off = move || hidden.with(|hidden| hidden.contains(&key));
        let class = format!("swatch h{}", index % 6 + 1);
        let shown = if name.is_empty() { "none".to_owned() } else { name };
        view! { <button class="legend-entry" class:off=off on:click=toggle><i class=class></i>{shown}</button> }
    };
    view! { <span class="legend">{move || names.get().into_iter().enumerate().map(entry).collect_view()}</span> }
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
fn tip(data: Signal<Data>, step: usize) -> impl IntoView {
    data.with(|data| {
        let rows: Vec<_> = data
            .series
            .iter()
            .enumerate()
            .filter_map(|(index, series)| {
                let value = series.values.get(step).copied().flatten()?;
                let class = format!("swatch h{}", index % 6 + 1);
                Some(view! {
                    <div class="tip-row"><span><i class=class></i>{series.name.clone()}</span><b>{(data.format)(value)}</b></div>
                })
            })
            .collect();
        let total = (data.kind == Kind::Stacked && rows.len() > 1).then(|| {
            let sum: f64 = data.series.iter().filter_map(|series| series.values.get(step).copied().flatten()).sum();
            view! { <div class="tip-row total"><span>"total"</span><b>{(data.format)(sum)}</b></div> }
        });
        let steps = data.steps.max(1) as f64;
        let side = if (step as f64) < steps / 2.0 { "left" } else { "right" };
        let at = if side == "left" { step as f64 + 1.0 } else { steps - step as f64 };
        let edge = if side == "left" { LEFT } else { RIGHT };
        let style = format!("{side}:calc({edge}px + (100% - {}px) * {})", LEFT + RIGHT, at / steps);
        view! {
            <div class="tip" style=style role="status">
                <div class="muted">{moment(data.moment(step))}</div>
                {rows}{total}
            </div>
        }
    })
}

/// The figures for a screen reader.
#[component]
fn Table(data: Signal<Data>) -> impl IntoView {
    let rows = move || {
        data.with(|data| {
            let filled = |step: &usize| {
                data.series
                    .iter()
                    .any(|series| series.values.get(*step).copied().flatten().is_some())
            };
            let row = |step: usize| {
                let cells = data.series.iter().map(|series| {
                    let value = series.values.get(step).copied().flatten();
                    view! { <td>{value.map(data.format)}</td> }
                });
                view! { <tr><th>{moment(data.moment(step))}</th>{cells.collect_view()}</tr> }
            };
            (0..data.steps).filter(filled).map(row).collect_view()
        })
    };
    let head = move || {
        data.with(|data| {
            data.series
                .iter()
                .map(|s| view! { <th>{s.name.clone()}</th> })
                .collect_view()
        })
    };
    view! {
        <div class="visually-hidden">
            <table>
                <thead><tr><th>"Time"</th>{head}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
