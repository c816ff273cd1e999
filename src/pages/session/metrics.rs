//! The metrics of the session up to the instant, each as a small picture over the session's time.

use super::Focus;
use super::data::Which;
use crate::charts;
use crate::client::{self, ask, use_fetch_while};
use crate::components::states::Fetched;
use crate::pages::metrics::plain;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_api::params::encode;
use meshscope_api::{MetricDetail, MetricInfo, MetricList, Params};
use std::sync::Arc;

/// Pictures that are drawn before more are asked for.
const PAGE: usize = 12;
/// Series of a picture.
pub(super) const SERIES: u32 = 6;
/// Size of a picture in its own units.
const SIZE: (f64, f64) = (300.0, 64.0);

pub(super) fn asked(which: &Which, limit: u32) -> Params {
    let mut params = Params::default();
    params.set("session", Some(&which.0));
    params.set("project", which.1.as_ref());
    params.set("from", Some(0));
    params.set("limit", Some(limit));
    params
}

/// The metrics.
pub(super) fn panel(focus: Focus) -> AnyView {
    let origin = StoredValue::new(client::origin());
    let viewed = focus.viewed;
    let shown = RwSignal::new(PAGE);
    let list = use_fetch_while(
        move || Some((viewed.which.get(), viewed.version.get())),
        || false,
        move |(which, _), abort| async move {
            ask::<MetricList>("metrics".to_owned(), asked(&which, 1_000), origin, abort).await
        },
    );
    let none = |list: &MetricList| {
        list.metrics
            .is_empty()
            .then(|| view! { <div class="empty"><h2>"No metrics in this session"</h2></div> })
    };
    // A picture is made when its metric is new, not each time the list is asked for.
    let each = move || {
        list.value.with(|list| {
            let all = list.iter().flat_map(|list| &list.metrics);
            all.take(shown.get()).cloned().collect::<Vec<_>>()
        })
    };
    let more = move || {
        let all = list
            .value
            .with(|list| list.as_ref().map_or(0, |list| list.metrics.len()));
        (all > shown.get()).then(|| {
            view! { <button class="more" on:click=move |_| shown.update(|shown| *shown += PAGE)>{format!("Show more of {all}")}</button> }
        })
    };
    view! {
        <div class="panel view metrics-view"><div class="attributes-scroll">
            <Fetched fetch=list what="metrics" content=none />
            <div class="session-metrics">
                <For each key=|metric| metric.name.clone() children=move |metric| one(metric, focus) />
            </div>
            {more}
        </div></div>
    }
    .into_any()
}

/// The least and the most of all that is shown, 0 among it, so that it has a base.
pub(super) fn extent(data: &charts::Data) -> (f64, f64) {
    let values = data
        .series
        .iter()
        .flat_map(|series| series.values.iter().flatten());
    values.fold((0.0_f64, 0.0_f64), |(low, high), x| (low.min(*x), high.max(*x)))
}

fn one(metric: MetricInfo, focus: Focus) -> AnyView {
    let origin = StoredValue::new(client::origin());
    let viewed = focus.viewed;
    let (name, unit) = (metric.name.clone(), metric.unit.clone());
    let detail = use_fetch_while(
        move || Some((viewed.which.get(), viewed.version.get(), name.clone())),
        || false,
        move |(which, _, name), abort| async move {
            let path = format!("metrics/{}", encode(&name));
            let detail = ask::<MetricDetail>(path, asked(&which, SERIES), origin, abort);
            Ok(Arc::new(detail.await?))
        },
    );
    let content = move |detail: &Arc<MetricDetail>| picture(detail, focus);
    let (patch, at_hand) = (use_patch(), param("metric"));
    let (mine, chosen) = (metric.name.clone(), metric.name.clone());
    let on = move || at_hand.with(|at_hand| at_hand.as_deref() == Some(mine.as_str()));
    let choose = move |_| patch(&[("metric", Some(chosen.clone()))]);
    let kind = metric.kind.as_str().replace('_', " ");
    view! {
        <section class="multiple">
            <h3 title=metric.description><button class:on=on title="Show it on the timeline" on:click=choose>{metric.name}</button></h3>
            <div class="muted">{format!("{kind} {unit}")}</div>
            {view! { <Fetched fetch=detail what="the series" content /> }}
        </section>
    }
    .into_any()
}

/// The series as lines, as far as they had come by the instant.
fn picture(detail: &Arc<MetricDetail>, focus: Focus) -> AnyView {
    let Some(data) = charts::metric(detail, charts::Show::Increase, plain) else {
        return view! { <p class="muted">"no points"</p> }.into_any();
    };
    let (low, high) = extent(&data);
    let extent = (high - low).max(f64::MIN_POSITIVE);
    let data = Arc::new(data);
    let kept = Arc::clone(&data);
    // How many steps of the data there are by the instant.
    let steps = Memo::new(move |_| {
        let (_, to) = focus.window();
        (0..kept.steps())
            .take_while(|step| kept.moment(*step as f64) <= to)
            .count()
    });
    let kept = Arc::clone(&data);
    let lines = move || {
        let (steps, (first, last)) = (steps.get(), focus.bounds());
        let x = |step: usize| {
            let part = kept.moment(step as f64).saturating_sub(first) as f64
                / last.saturating_sub(first).max(1) as f64;
            part.clamp(0.0, 1.0) * SIZE.0
        };
        let y = |value: f64| SIZE.1 - 2.0 - (value - low) / extent * (SIZE.1 - 4.0);
        let line = |(at, series): (usize, &charts::Series)| {
            let known = series.values.iter().take(steps).enumerate();
            let known = known.filter_map(|(step, value)| Some((step, (*value)?)));
            let path: String = known
                .enumerate()
                .map(|(n, (step, value))| {
                    format!(
                        "{}{:.1} {:.1}h1.5",
                        if n == 0 { "M" } else { "L" },
                        x(step),
                        y(value)
                    )
                })
                .collect();
            view! { <path class=format!("s{}", at % 6 + 1) d=path /> }
        };
        kept.series.iter().enumerate().map(line).collect_view()
    };
    let kept = Arc::clone(&data);
    let latest = move || {
        let steps = steps.get();
        let of = |series: &charts::Series| {
            let value = series.values.iter().take(steps).rev().flatten().next()?;
            let name = if series.name.is_empty() || kept.series.len() == 1 {
                String::new()
            } else {
                format!("{} ", series.name)
            };
            Some(format!("{name}{}", (kept.format)(*value)))
        };
        let all: Vec<String> = kept.series.iter().filter_map(of).collect();
        if all.is_empty() {
            "nothing yet".to_owned()
        } else {
            all.join(" \u{b7} ")
        }
    };
    view! {
        <svg viewBox="0 0 300 64" preserveAspectRatio="none" aria-hidden="true">{lines}</svg>
        <div class="latest">{latest}</div>
    }
    .into_any()
}
