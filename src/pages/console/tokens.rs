//! Tokens by model, and what they cost: from the ledger, so that no call counts twice whatever
//! metrics tell of it.

use super::metrics::{Place, params};
use crate::charts::{Chart, Data, Kind, top_groups};
use crate::client::{self, use_fetch};
use crate::pages::metrics::plain;
use crate::pages::sessions::{cost, tokens as counted};
use leptos::prelude::*;
use meshscope_api::{UsageGroup, UsageReport};

/// Steps of the chart at the most.
const STEPS: i64 = 1_000;

/// The chart and the costs; nothing where no call is known.
pub(super) fn tokens(place: Memo<Place>, since: Memo<Option<i64>>) -> AnyView {
    let origin = client::origin();
    let report = use_fetch(
        move || Some((place.get(), since.get())),
        move |(place, since), abort| {
            let mut params = params(place, since);
            params.set("by", Some("model"));
            let origin = origin.clone();
            async move { client::get::<UsageReport>(&origin, "usage", &params, abort.as_ref()).await }
        },
    );
    let shown = Memo::new(move |_| {
        report
            .value
            .get()
            .filter(|report| report.totals.measures.calls > 0)
    });
    (move || shown.get().map(|report| chart(&report))).into_any()
}

fn chart(report: &UsageReport) -> AnyView {
    let step = report.bucket_ns.max(1);
    let start = report.from.div_euclid(step) * step;
    let steps = (report.to.saturating_sub(start) / step + 1).clamp(1, STEPS) as usize;
    let point = |bucket: &meshscope_api::UsageBucket| {
        let at = usize::try_from(bucket.start.saturating_sub(start) / step).ok()?;
        let tokens = bucket.measures.tokens.total? as f64;
        Some((at, bucket.group.clone().unwrap_or_default(), tokens))
    };
    let data = Data {
        kind: Kind::Stacked,
        start,
        step,
        steps,
        series: top_groups(steps, report.buckets.iter().filter_map(point)),
        format: plain,
        heat: None,
        dots: Vec::new(),
    };
    let models: Vec<AnyView> = report.groups.iter().map(model).collect();
    view! {
        <div class="multiples tokens">
            <Chart title="Tokens by model" data=Signal::stored(data) />
            <section class="panel chart"><h2>"Cost by model"</h2>
                <table class="list"><tbody>{models}</tbody></table></section>
        </div>
    }
    .into_any()
}

fn model(group: &UsageGroup) -> AnyView {
    let measures = &group.measures;
    let name = if group.group.is_empty() {
        "no model"
    } else {
        &group.group
    };
    view! {
        <tr><td class="title">{name.to_owned()}</td>
            <td class="num">{counted(measures.tokens.total)}" tokens"</td>
            <td class="num">{cost(measures.cost_pico_usd, measures.unpriced_calls > 0)}</td></tr>
    }
    .into_any()
}
