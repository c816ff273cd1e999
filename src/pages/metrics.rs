//! Metrics: every name, and the series of the chosen one.

use crate::canvas::surface::mark;
use crate::charts::{self, Chart, Show};
use crate::client::{self, use_fetch};
use crate::components::onboarding::Onboarding;
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::components::top_bar::{scoped, scoped_params};
use crate::pages::console::{Counters, title};
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_api::params::encode;
use meshscope_api::{MetricDetail, MetricInfo, MetricList};
use meshscope_layout::format;

/// The page.
#[component]
pub(crate) fn MetricsPage() -> impl IntoView {
    let scope = scoped();
    let q = param("q");
    let origin = client::origin();
    let metrics = use_fetch(
        move || Some((scope.get(), q.get())),
        move |(scope, q), abort| {
            let mut params = scoped_params(&scope);
            params.set("q", q);
            params.set("limit", Some(1_000));
            let origin = origin.clone();
            async move { client::get::<MetricList>(&origin, "metrics", &params, abort.as_ref()).await }
        },
    );
    let chosen = param("metric");
    let first = Memo::new(move |_| {
        let first = || {
            metrics
                .value
                .with(|list| list.as_ref()?.metrics.first().map(|m| m.name.clone()))
        };
        chosen.get().or_else(first)
    });
    let count = move || {
        metrics
            .value
            .with(|list| list.as_ref().map(|list| list.metrics.len()))
    };
    view! {
        <div class="heading"><h1>"Metrics"</h1><span class="sub">{count}</span></div>
        <Fetched fetch=metrics what="metrics" content=move |list: &MetricList| {
            if list.metrics.is_empty() {
                return view! { <Onboarding what="metrics" /> }.into_any();
            }
            view! {
                <div class="metrics-split">
                    <div class="panel scroll"><Names metrics=list.metrics.clone() chosen=first /></div>
                    <One name=first />
                </div>
            }
            .into_any()
        } />
    }
}

#[component]
fn Names(metrics: Vec<MetricInfo>, chosen: Memo<Option<String>>) -> impl IntoView {
    let patch = use_patch();
    let row = move |m: MetricInfo| {
        let patch = patch.clone();
        let (name, key) = (m.name.clone(), m.name.clone());
        let on = move || chosen.get().as_deref() == Some(key.as_str());
        let kind = m.kind.as_str().replace('_', " ");
        view! {
            <tr class:on=on>
                <td class="title">
                    <button class="link" title=m.description on:click=move |_| patch(&[("metric", Some(name.clone()))])>{m.name.clone()}</button>
                </td>
                <td class="muted">{kind}</td>
                <td class="muted">{m.unit}</td>
                <td class="num">{m.series}</td>
                <td class="muted nowrap"><TimeText ns=m.last_at /></td>
            </tr>
        }
    };
    view! {
        <table class="list">
            <thead><tr><th>"Metric"</th><th>"Type"</th><th>"Unit"</th><th class="num">"Series"</th><th>"Last"</th></tr></thead>
            <tbody>{metrics.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

#[component]
fn One(name: Memo<Option<String>>) -> impl IntoView {
    let scope = scoped();
    let word = param("as");
    let show = Memo::new(move |_| Show::read(word.get().as_deref()));
    let origin = client::origin();
    let metric = use_fetch(
        move || name.get().map(|name| (scope.get(), name)),
        move |(scope, name), abort| {
            let mut params = scoped_params(&scope);
            params.set("limit", Some(6));
            let origin = origin.clone();
            async move {
                let path = format!("metrics/{}", encode(&name));
                client::get::<MetricDetail>(&origin, &path, &params, abort.as_ref()).await
            }
        },
    );
    view! {
        <div class="stack">
            <div class="row"><Counters /></div>
            <Fetched fetch=metric what="the series" content=move |detail: &MetricDetail| {
                mark("chart reduce");
                let Some(data) = charts::metric(detail, show.get(), plain) else {
                    return view! { <div class="empty"><h2>"No points in this range"</h2></div> }.into_any();
                };
                let title = title(&detail.metric, show.get());
                view! { <Chart title data=Signal::stored(data) /> }.into_any()
            } />
        </div>
    }
}

/// A number with as many digits as tell something.
pub(crate) fn plain(x: f64) -> String {
    if x.abs() >= 1_000.0 {
        format::count(x.round() as i64)
    } else if x.fract() == 0.0 {
        format!("{x}")
    } else {
        format!("{x:.3}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    }
}
