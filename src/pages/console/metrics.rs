//! Metrics: every one as a small chart.

use crate::charts::Show;
use crate::client::{self, use_fetch};
use crate::components::onboarding::Onboarding;
use crate::components::states::Fetched;
use crate::pages::metrics::metric_chart;
use crate::state::{now, param};
use leptos::prelude::*;
use meshscope_api::params::encode;
use meshscope_api::{MetricDetail, MetricList, Params};
use meshscope_model::time::{HOUR, MINUTE};

/// How many charts are drawn; words choose among more.
const CHARTS: usize = 24;
/// What a chart shows.
const WINDOW: i64 = 15 * MINUTE;

pub(super) type Place = [Option<String>; 4];

pub(super) fn params(place: Place, since: Option<i64>) -> Params {
    let mut params = Params::default();
    for (name, value) in ["project", "room", "session", "service"].iter().zip(place) {
        params.set(name, value);
    }
    let from = since.unwrap_or(now() - WINDOW).max(now() - 24 * HOUR);
    params.set("from", Some(from));
    params
}

/// The tab.
#[component]
pub(crate) fn MetricsTab() -> impl IntoView {
    let place = ["project", "room", "session", "service"].map(param);
    let place = Memo::new(move |_| place.map(|part| part.get()));
    let since = expect_context::<super::follow::Console>().since;
    let (q, word) = (param("q"), param("as"));
    let show = Memo::new(move |_| Show::read(word.get().as_deref()));
    let origin = client::origin();
    let metrics = use_fetch(
        move || Some((place.get(), since.get())),
        move |(place, since), abort| {
            let mut params = params(place, since);
            params.set("limit", Some(1_000));
            let origin = origin.clone();
            async move { client::get::<MetricList>(&origin, "metrics", &params, abort.as_ref()).await }
        },
    );
    // A chart is made when its metric is new, not each time the list is asked for.
    let names = Memo::new(move |_| {
        let q = q.get().unwrap_or_default().to_lowercase();
        metrics.value.with(|list| {
            let all = list.iter().flat_map(|list| &list.metrics);
            let found = all.filter(|metric| metric.name.to_lowercase().contains(&q));
            found.map(|metric| metric.name.clone()).collect::<Vec<_>>()
        })
    });
    let more = move || {
        let more = names.with(Vec::len).saturating_sub(CHARTS);
        (more > 0).then(|| view! { <div class="sub">{more}" more: filter by name to see them"</div> })
    };
    let shown = move || names.get().into_iter().take(CHARTS).collect::<Vec<_>>();
    view! {
        <Fetched fetch=metrics what="metrics" content=|list: &MetricList| {
            list.metrics.is_empty().then(|| view! { <Onboarding what="metrics" /> })
        } />
        {super::tokens::tokens(place, since)}
        <div class="multiples">
            <For each=shown key=|name| name.clone() let:name><One name place since show /></For>
        </div>
        {more}
    }
}

/// One metric.
#[component]
fn One(name: String, place: Memo<Place>, since: Memo<Option<i64>>, show: Memo<Show>) -> impl IntoView {
    let origin = client::origin();
    let metric = use_fetch(
        move || Some((place.get(), since.get())),
        move |(place, since), abort| {
            let mut params = params(place, since);
            params.set("limit", Some(6));
            let (origin, path) = (origin.clone(), format!("metrics/{}", encode(&name)));
            async move { client::get::<MetricDetail>(&origin, &path, &params, abort.as_ref()).await }
        },
    );
    metric_chart(metric, show, true)
}
