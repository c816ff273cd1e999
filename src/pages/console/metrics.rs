//! Metrics: every one as a small chart.

use crate::charts::{self, Chart, Show};
use crate::client::{self, use_fetch};
use crate::components::onboarding::Onboarding;
use crate::components::states::Fetched;
use crate::pages::metrics::plain;
use crate::state::{now, param};
use leptos::prelude::*;
use meshscope_api::params::encode;
use meshscope_api::{MetricDetail, MetricInfo, MetricList, Params};
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
    // A chart stays when new points come: what is hidden in it, or shown as a table, stays so.
    let data = Memo::new(move |_| {
        let show = show.get();
        let drawn = |detail: &MetricDetail| charts::metric(detail, show, plain);
        metric.value.with(|detail| detail.as_ref().and_then(drawn))
    });
    let title = Memo::new(move |_| {
        let show = show.get();
        let titled = |detail: &MetricDetail| title(&detail.metric, show);
        metric
            .value
            .with(|detail| detail.as_ref().map(titled))
            .unwrap_or_default()
    });
    let any = Memo::new(move |_| data.with(Option::is_some));
    let chart = move || {
        let data = Signal::derive(move || data.get().unwrap_or_default());
        any.get().then(|| view! { <Chart title data /> }.into_any())
    };
    view! {
        <Fetched fetch=metric what="the series" content=only_states />
        {chart}
    }
    .into_any()
}

/// The states of a fetch alone: its content stands below.
fn only_states(_: &MetricDetail) {}

/// Its name, what is shown of it, and in which unit.
pub(crate) fn title(metric: &MetricInfo, show: Show) -> String {
    let what = charts::what(metric.kind, show);
    format!("{} \u{b7} {what} {}", metric.name, metric.unit)
        .trim_end()
        .to_owned()
}
