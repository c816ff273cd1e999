//! The charts of the page.

use super::measure::{MEASURES, Measure, measure};
use super::over_time as make;
use super::selection::{keys, pairs, selection, use_report};
use crate::charts::{Chart, Data};
use crate::client::{self, Fetch, use_fetch_while};
use crate::components::states::Failed;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_api::{Problem, UsageHeatMap, UsageKey, UsageReport};

/// Where the heat map is.
const HEAT: &str = "usage/latency";

/// A chart of a fetched value, for as long as it has anything to show.
fn chart<T: Send + Sync + 'static>(
    title: Signal<String>,
    fetch: Fetch<T>,
    make: impl Fn(&T) -> Data + Send + Sync + 'static,
) -> AnyView {
    let data = Memo::new(move |_| {
        fetch
            .value
            .with(|value| value.as_ref().map_or_else(Data::default, &make))
    });
    let any = Memo::new(move |_| data.with(|data| !data.series.is_empty()));
    let shown = move || any.get().then(|| view! { <Chart title data opens=true /> });
    shown.into_any()
}

fn fixed(title: &'static str, report: Fetch<UsageReport>, make: fn(&UsageReport) -> Data) -> AnyView {
    chart(Signal::stored(title.to_owned()), report, make)
}

/// The chart whose measure and groups are chosen, and the latency of runs beside it.
pub(super) fn charts(report: Fetch<UsageReport>) -> AnyView {
    let word = param("measure");
    let by = param("by");
    let chosen = Memo::new(move |_| measure(word.get().as_deref()).word);
    let title = Signal::derive(move || {
        let key = keys(by.get().as_deref()).first().map(ToString::to_string);
        let bucket = report
            .value
            .with(|report| report.as_ref().map(|report| report.bucket.clone()));
        format!(
            "{} by {}, a bucket of {}",
            measure(Some(chosen.get())).title,
            key.unwrap_or_default(),
            bucket.unwrap_or_default()
        )
    });
    let main = chart(title, report, move |report| {
        make::groups(
            report,
            measure(Some(chosen.get())),
            keys(by.get().as_deref()).first(),
        )
    });
    view! {
        <div class="row measures" role="group" aria-label="What the chart shows">
            {MEASURES.iter().map(|measure| choice(measure, chosen)).collect_view()}
        </div>
        <div class="charts">{main}{fixed("Run latency", report, make::run_latency)}</div>
    }
    .into_any()
}

fn choice(measure: &'static Measure, chosen: Memo<&'static str>) -> AnyView {
    let patch = use_patch();
    let on = move || chosen.get() == measure.word;
    let choose = move |_| patch(&[("measure", Some(measure.word.to_owned()))]);
    view! {
        <button class="pill" class:on=on aria-pressed=move || on().to_string() on:click=choose>{measure.title}</button>
    }
    .into_any()
}

/// All others.
pub(super) fn more_charts(report: Fetch<UsageReport>) -> AnyView {
    let heat = heat_map();
    view! {
        <div class="charts even">
            {fixed("Tokens by class", report, make::classes)}
            {fixed("Activity", report, make::activity)}
            {fixed("Call latency", report, make::call_latency)}
            {failure(heat.error, Callback::new(move |()| heat.retry()))}
            {chart(Signal::stored("How long calls took".to_owned()), heat, make::heat)}
            {fixed("Failed and blocked", report, make::trouble)}
            {fixed("Cost of a run", report, make::cost_per_run)}
            {fixed("Carbon", report, make::carbon_over_time)}
            {grouped("version", &[("Tokens by service version", "tokens"), ("Carbon by service version", "carbon")])}
            {grouped("role", &[("Call latency p95 by role", "latency")])}
        </div>
    }
    .into_any()
}

/// Why a question was not answered, beside the charts that it is for.
fn failure(error: RwSignal<Option<Problem>>, retry: Callback<()>) -> AnyView {
    let failed = move || error.get().map(|problem| view! { <Failed problem retry /> });
    failed.into_any()
}

/// Measures by a key of their own, with their titles. What has no value of the key at all is no chart.
fn grouped(by: &'static str, charts: &[(&'static str, &'static str)]) -> AnyView {
    let more = Signal::stored(Some(pairs(&[("by", by), ("top", super::TOP)])));
    let report = use_report(more, false);
    let make = move |word: &'static str, report: &UsageReport| {
        let named = report.groups.iter().any(|group| !group.group.is_empty());
        if named {
            make::groups(report, measure(Some(word)), UsageKey::parse(by).as_ref())
        } else {
            Data::default()
        }
    };
    let one = |(title, word): &(&'static str, &'static str)| {
        let word = *word;
        chart(Signal::stored((*title).to_owned()), report, move |report| {
            make(word, report)
        })
    };
    let retry = Callback::new(move |()| report.retry());
    view! { {failure(report.error, retry)}{charts.iter().map(one).collect_view()} }.into_any()
}

fn heat_map() -> Fetch<UsageHeatMap> {
    let (selection, origin) = (selection(), client::origin());
    use_fetch_while(
        move || Some(selection.get()),
        || false,
        move |selection, abort| {
            let params = selection.params();
            let origin = origin.clone();
            async move { client::get::<UsageHeatMap>(&origin, HEAT, &params, abort.as_ref()).await }
        },
    )
}
