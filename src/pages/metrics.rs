//! Metrics: every name, and the series of the chosen one.

use crate::canvas::surface::mark;
use crate::charts::{self, Chart, Show};
use crate::client::{self, Fetch, use_fetch};
use crate::components::onboarding::Onboarding;
use crate::components::states::States;
use crate::components::time_text::TimeText;
use crate::components::top_bar::{scoped, scoped_params};
use crate::pages::console::Counters;
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
    // The list is made anew at each answer, what stands beside it is not.
    let any = Memo::new(move |_| {
        metrics
            .value
            .with(|list| list.as_ref().map(|list| !list.metrics.is_empty()))
    });
    let names = move || {
        let names = |list: &MetricList| view! { <Names metrics=list.metrics.clone() chosen=first /> };
        metrics.value.with(|list| list.as_ref().map(names))
    };
    let content = move || match any.get() {
        None => ().into_any(),
        Some(false) => view! { <Onboarding what="metrics" /> }.into_any(),
        Some(true) => view! {
            <div class="metrics-split">
                <div class="panel scroll">{names}</div>
                <One name=first />
            </div>
        }
        .into_any(),
    };
    view! {
        <div class="heading"><h1>"Metrics"</h1><span class="sub">{count}</span></div>
        <States fetch=metrics what="metrics" />
        {content}
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
            {metric_chart(metric, show, false)}
        </div>
    }
    .into_any()
}

/// A metric as a chart, which stays when new points come: what is hidden in it, or shown as a table,
/// stays so. Another metric is another chart.
pub(crate) fn metric_chart(metric: Fetch<MetricDetail>, show: Memo<Show>, fixed: bool) -> AnyView {
    let data = Memo::new(move |_| {
        let show = show.get();
        let drawn = |detail: &MetricDetail| {
            mark("chart reduce");
            charts::metric(detail, show, plain)
        };
        let data = metric.value.with(|detail| detail.as_ref().and_then(drawn));
        data.unwrap_or_default()
    });
    let title = Memo::new(move |_| {
        let titled = |detail: &MetricDetail| title(&detail.metric, show.get());
        let title = metric.value.with(|detail| detail.as_ref().map(titled));
        title.unwrap_or_default()
    });
    let drawn = Memo::new(move |_| {
        let any = data.with(|data| data.steps() > 0);
        metric
            .value
            .with(|detail| Some((detail.as_ref()?.metric.name.clone(), any)))
    });
    let chart = move || match drawn.get() {
        None => ().into_any(),
        Some((_, false)) => view! { <div class="empty"><h2>"No points in this range"</h2></div> }.into_any(),
        Some((_, true)) => view! { <Chart title data fixed /> }.into_any(),
    };
    view! { <States fetch=metric what="the series" /> {chart} }.into_any()
}

/// Its name, what is shown of it, and in which unit.
fn title(metric: &MetricInfo, show: Show) -> String {
    let what = charts::what(metric.kind, show);
    format!("{} \u{b7} {what} {}", metric.name, metric.unit)
        .trim_end()
        .to_owned()
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
