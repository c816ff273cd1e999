//! What cost the most: sessions, runs, agents, tools, models.

use super::measure::whole;
use super::over_time::group_name;
use super::selection::{filter_of, pairs, use_report};
use crate::components::states::Fetched;
use crate::state::{use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::params::encode;
use meshscope_api::{UsageGroup, UsageGroupBy, UsageKey, UsageReport};
use meshscope_layout::format;

/// How many of each.
const TOP: &str = "6";

const LISTS: [(&str, UsageGroupBy); 5] = [
    ("Most costly sessions", UsageGroupBy::Session),
    ("Most costly runs", UsageGroupBy::Trace),
    ("Most costly agents", UsageGroupBy::Agent),
    ("Most costly tools", UsageGroupBy::Tool),
    ("Most costly models", UsageGroupBy::Model),
];

/// All of them.
pub(super) fn rankings() -> AnyView {
    let lists = LISTS.into_iter().map(|(title, by)| ranking(title, by));
    view! { <div class="rankings">{lists.collect_view()}</div> }.into_any()
}

fn ranking(title: &'static str, by: UsageGroupBy) -> AnyView {
    let more = pairs(&[("by", by.as_str()), ("top", TOP), ("bucket", "1mo")]);
    let report = use_report(Signal::stored(Some(more)), false);
    view! {
        <section class="panel card ranking" data-by=by.as_str()>
            <h2>{title}</h2>
            <Fetched fetch=report what=title content=move |report: &UsageReport| list(report, by) />
        </section>
    }
    .into_any()
}

fn list(report: &UsageReport, by: UsageGroupBy) -> AnyView {
    let named: Vec<&UsageGroup> = report
        .groups
        .iter()
        .filter(|g| !g.other && !g.group.is_empty())
        .collect();
    if named.is_empty() {
        return view! { <p class="muted">"None in this range"</p> }.into_any();
    }
    // Where nothing has a cost, what was called most often says more than a column of unknowns.
    let costs = named.iter().any(|group| group.measures.cost_pico_usd.is_some());
    let value = |group: &UsageGroup| match costs {
        true => group.measures.cost_pico_usd,
        false => Some(whole(group.measures.calls)),
    };
    let text = |group: &UsageGroup| match (costs, value(group)) {
        (true, cost) => format::cost_or_unknown(cost),
        (false, calls) => format!("{} calls", format::integer(calls.unwrap_or(0))),
    };
    let most = named
        .iter()
        .filter_map(|group| value(group))
        .max()
        .unwrap_or(1)
        .max(1);
    let row = |group: &&UsageGroup| {
        let width = value(group).unwrap_or(0) as f64 / most as f64 * 100.0;
        view! {
            <tr>
                <td class="share"><i style=format!("width:{width:.1}%")></i>{name(group, by)}</td>
                <td class="num">{text(group)}</td>
            </tr>
        }
    };
    view! { <table class="list"><tbody>{named.iter().map(row).collect_view()}</tbody></table> }.into_any()
}

/// The name, as a link to the session or run, or as a filter.
fn name(group: &UsageGroup, by: UsageGroupBy) -> AnyView {
    let name = group_name(group);
    let page = match by {
        UsageGroupBy::Session => "sessions",
        UsageGroupBy::Trace => "traces",
        _ => {
            let patch = use_patch();
            let key = group.group.clone();
            let filter = move |_| {
                let (name, value) = filter_of(&UsageKey::By(by), &key);
                patch(&[(&name, Some(value))]);
            };
            return view! { <button class="link clip" title="Filter by this" on:click=filter>{name}</button> }.into_any();
        }
    };
    // A trace id is told by its beginning; the whole one is a hover away.
    let short = match by {
        UsageGroupBy::Trace => name.chars().take(16).collect(),
        _ => name.clone(),
    };
    let to = use_href()(&format!("/{page}/{}", encode(&group.group)));
    view! { <A href=to attr:class="clip" attr:title=name>{short}</A> }.into_any()
}
