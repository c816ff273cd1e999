//! Tokens by model, and what they cost: from the ledger, so that no call counts twice whatever
//! metrics tell of it.

use super::metrics::{Place, params};
use crate::charts::Chart;
use crate::client::{self, use_fetch};
use crate::pages::sessions::{cost, tokens as counted};
use crate::pages::usage::{group_name, tokens_by_group};
use leptos::prelude::*;
use meshscope_api::{UsageGroup, UsageReport};

/// Models with a series of their own.
const MODELS: u32 = 5;

/// The chart and the costs; nothing where no call is known.
pub(super) fn tokens(place: Memo<Place>, since: Memo<Option<i64>>) -> AnyView {
    let origin = client::origin();
    let report = use_fetch(
        move || Some((place.get(), since.get())),
        move |(place, since), abort| {
            let mut params = params(place, since);
            params.set("by", Some("model"));
            params.set("top", Some(MODELS));
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
    let data = tokens_by_group(report);
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
    let name = group_name(group);
    view! {
        <tr><td class="title">{name}</td>
            <td class="num">{counted(measures.tokens.total)}" tokens"</td>
            <td class="num">{cost(measures.cost_pico_usd, measures.unpriced_calls > 0)}</td></tr>
    }
    .into_any()
}
