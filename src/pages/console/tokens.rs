//! Tokens by model, and what they cost: from the ledger, so that no call counts twice whatever
//! metrics tell of it.

use super::metrics::{Place, params};
use crate::charts::Chart;
use crate::client::{self, use_fetch};
use crate::components::figures::{cost, tokens as counted};
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
    let any = Memo::new(move |_| {
        let called = |report: &UsageReport| report.totals.measures.calls > 0;
        report.value.with(|report| report.as_ref().is_some_and(called))
    });
    let data = Memo::new(move |_| {
        let data = report.value.with(|report| report.as_ref().map(tokens_by_group));
        data.unwrap_or_default()
    });
    let models = move || {
        let models = |report: &UsageReport| report.groups.iter().map(model).collect::<Vec<_>>();
        report.value.with(|report| report.as_ref().map(models))
    };
    let shown = move || {
        any.get().then(|| {
            view! {
                <div class="multiples tokens">
                    <Chart title="Tokens by model" data fixed=true />
                    <section class="panel chart"><h2>"Cost by model"</h2>
                        <table class="list"><tbody>{models}</tbody></table></section>
                </div>
            }
            .into_any()
        })
    };
    shown.into_any()
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
