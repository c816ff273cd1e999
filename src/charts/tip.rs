//! What a chart says in words: in a sentence, at a step, and of its dots.

use super::data::{Data, Dot, Kind, Series};
use super::draw::{LEFT, RIGHT};
use super::legend::swatch;
use super::plot::Place;
use crate::components::time_text::moment;
use crate::state::use_href;
use leptos::prelude::*;

/// How many dots have a link of their own below the chart.
const EXEMPLARS: usize = 6;

/// What a chart says, in a sentence: its series with their sums or last values.
pub(super) fn summary(data: &Data) -> String {
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
pub(super) fn band(data: Signal<Data>, (a, b): (usize, usize), class: &'static str) -> AnyView {
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
pub(super) fn exemplars(data: &Data) -> Option<AnyView> {
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
pub(super) fn tip(data: Signal<Data>, (step, row): Place) -> AnyView {
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
