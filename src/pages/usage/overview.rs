//! The figures of the overview, each with what it was before, how it went, and what it opens.

use super::measure::{NOTHING, whole};
use super::over_time::spark;
use crate::client::Fetch;
use crate::components::figures::cost;
use crate::components::sparkline::Trend;
use crate::state::{use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use meshscope_api::{Params, UsageReport, UsageTotals};
use meshscope_layout::format;

/// What a click on a figure opens.
#[derive(Clone, Copy)]
enum Opens {
    /// The ledger's rows in this order.
    Rows(&'static str),
    /// A page, and the filters of this page that it has too.
    Page(&'static str, &'static [&'static str]),
    /// The breakdown by this.
    By(&'static str),
}

/// A figure.
struct Figure {
    name: &'static str,
    value: fn(&UsageTotals) -> Option<i64>,
    format: fn(i64) -> String,
    /// More of it is worse.
    bad: bool,
    opens: Opens,
    note: fn(&UsageTotals) -> String,
    /// Calls without a price are missing in it.
    priced: bool,
    /// How far off it may be, as a part of one: of what is read from classes of durations.
    error: fn(&UsageReport) -> Option<f64>,
}

/// Filters that the list of traces has too.
const OF_TRACES: &[&str] = &["q", "system", "session", "has_error", "blocked"];
/// Filters that the list of sessions has too.
const OF_SESSIONS: &[&str] = &["q", "system", "agent", "model", "status", "has_error", "blocked"];

/// What most figures are not.
const FIGURE: Figure = Figure {
    name: "",
    value: |_| None,
    format: format::integer,
    bad: false,
    opens: Opens::Rows("time"),
    note: |_| String::new(),
    priced: false,
    error: |_| None,
};

fn joined(parts: &[String]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" \u{b7} ")
}

fn cost_note(t: &UsageTotals) -> String {
    let unpriced = match t.measures.unpriced_calls {
        0 => String::new(),
        n => format!("{} calls without a price", format::integer(whole(n))),
    };
    let claimed = t.claimed_cost_pico_usd.map_or_else(String::new, |pico| {
        format!("{} claimed twice, not counted", format::cost(pico))
    });
    joined(&[unpriced, claimed])
}

fn token_note(t: &UsageTotals) -> String {
    let t = &t.measures.tokens;
    let of =
        |name: &str, n: Option<i64>| n.map_or_else(String::new, |n| format!("{} {name}", format::count(n)));
    let cached = t
        .input
        .zip(t.cached_input)
        .map_or_else(String::new, |(all, cached)| {
            format!("{} of it cached", format::percent(cached, all))
        });
    joined(&[
        of("in", t.input),
        cached,
        of("out", t.output),
        of("reasoning", t.reasoning),
    ])
}

fn times(names: [&str; 2], values: [Option<i64>; 2]) -> String {
    let of = |(name, ns): (&str, Option<i64>)| {
        ns.map_or_else(String::new, |ns| format!("{name} {}", format::duration(ns)))
    };
    joined(&names.into_iter().zip(values).map(of).collect::<Vec<_>>())
}

const FIGURES: [Figure; 12] = [
    Figure {
        name: "Cost",
        value: |t| t.measures.cost_pico_usd,
        format: format::cost,
        bad: true,
        opens: Opens::Rows("cost"),
        note: cost_note,
        priced: true,
        ..FIGURE
    },
    Figure {
        name: "Tokens",
        value: |t| t.measures.tokens.total,
        format: format::count,
        bad: false,
        opens: Opens::Rows("tokens"),
        note: token_note,
        ..FIGURE
    },
    Figure {
        name: "Calls",
        value: |t| Some(whole(t.measures.calls)),
        format: format::integer,
        bad: false,
        opens: Opens::Rows("time"),
        note: |t| match t.measures.errors {
            0 => "none failed".to_owned(),
            n => format!("{} failed", format::integer(whole(n))),
        },
        ..FIGURE
    },
    Figure {
        name: "Runs",
        value: |t| Some(whole(t.runs)),
        format: format::integer,
        bad: false,
        opens: Opens::Page("/traces", OF_TRACES),
        note: |t| {
            let part = |n: u64| format::percent(whole(n), whole(t.runs));
            format!(
                "{} failed \u{b7} {} blocked",
                part(t.failed_runs),
                part(t.blocked_runs)
            )
        },
        ..FIGURE
    },
    Figure {
        name: "Sessions",
        value: |t| Some(whole(t.sessions)),
        format: format::integer,
        bad: false,
        opens: Opens::Page("/sessions", OF_SESSIONS),
        note: |t| {
            format!(
                "{} rooms \u{b7} {} agents",
                format::integer(whole(t.rooms)),
                format::integer(whole(t.agents))
            )
        },
        ..FIGURE
    },
    Figure {
        name: "Errors",
        value: |t| Some(whole(t.failed_spans)),
        format: format::integer,
        bad: true,
        opens: Opens::Page("/traces?has_error=true", OF_TRACES),
        note: |t| format!("failed spans in {} runs", format::integer(whole(t.failed_runs))),
        ..FIGURE
    },
    Figure {
        name: "Blocked",
        value: |t| Some(whole(t.blocked_spans)),
        format: format::integer,
        bad: true,
        opens: Opens::Page("/traces?blocked=true", OF_TRACES),
        note: |t| format!("blocked spans in {} runs", format::integer(whole(t.blocked_runs))),
        ..FIGURE
    },
    Figure {
        name: "Run latency p95",
        value: |t| t.run_latency_ns.p95,
        format: format::duration,
        bad: true,
        opens: Opens::Page("/traces", OF_TRACES),
        note: |t| times(["p50", "p99"], [t.run_latency_ns.p50, t.run_latency_ns.p99]),
        error: |report| report.run_quantile_error,
        ..FIGURE
    },
    Figure {
        name: "Call latency p95",
        value: |t| t.measures.latency_ns.p95,
        format: format::duration,
        bad: true,
        opens: Opens::Rows("latency"),
        note: |t| {
            times(
                ["p50", "p99"],
                [t.measures.latency_ns.p50, t.measures.latency_ns.p99],
            )
        },
        error: |report| report.quantile_error,
        ..FIGURE
    },
    Figure {
        name: "First token p95",
        value: |t| t.measures.time_to_first_token_ns.p95,
        format: format::duration,
        bad: true,
        opens: Opens::Rows("latency"),
        note: |t| {
            let q = &t.measures.time_to_first_token_ns;
            times(["p50", "p99"], [q.p50, q.p99])
        },
        error: |report| report.quantile_error,
        ..FIGURE
    },
    Figure {
        name: "Agents",
        value: |t| Some(whole(t.agents)),
        format: format::integer,
        bad: false,
        opens: Opens::By("agent"),
        note: |t| format!("in {} rooms", format::integer(whole(t.rooms))),
        ..FIGURE
    },
    Figure {
        name: "Carbon",
        value: |t| t.measures.carbon_ug,
        format: format::carbon,
        bad: true,
        opens: Opens::Rows("carbon"),
        note: |t| match t.measures.carbon_ug {
            Some(_) => "CO2e".to_owned(),
            None => "nothing reports it".to_owned(),
        },
        ..FIGURE
    },
];

/// All of them.
pub(super) fn cards(report: Fetch<UsageReport>) -> AnyView {
    let card = move |figure: &'static Figure| card(figure, report);
    view! { <div class="cards">{FIGURES.iter().map(card).collect_view()}</div> }.into_any()
}

/// The difference to the period before: better, worse, or neither.
fn change(figure: &Figure, now: Option<i64>, report: &UsageReport) -> Option<AnyView> {
    let before = report.previous.as_ref()?;
    let then = (figure.value)(&before.totals);
    let (now, then) = (now?, then?);
    let text = format::change(now, then)?;
    let class = match (figure.bad, now.cmp(&then)) {
        (_, std::cmp::Ordering::Equal) | (false, _) => "change",
        (true, std::cmp::Ordering::Greater) => "change worse",
        (true, std::cmp::Ordering::Less) => "change better",
    };
    let title = format!("{} in the period before", (figure.format)(then));
    Some(view! { <span class=class title=title>{text}</span> }.into_any())
}

/// A card. What is pressed stays, so that it keeps the focus; what it says changes.
fn card(figure: &'static Figure, report: Fetch<UsageReport>) -> AnyView {
    let inner = move || {
        let value = report.value;
        value.with(|report| report.as_ref().map(|report| content(figure, report)))
    };
    let inner = inner.into_any();
    match figure.opens {
        Opens::Page(page, filters) => {
            view! { <A href=link(page, filters) attr:class="panel card figure">{inner}</A> }.into_any()
        }
        Opens::Rows(order) => button("Show the ledger's rows", &[("rows", order), ("cell", "")], inner),
        Opens::By(by) => button("Break down", &[("by", by)], inner),
    }
}

/// The way to a page with the time, the place and those `filters` of now that the page does not set itself.
fn link(page: &'static str, filters: &'static [&'static str]) -> impl Fn() -> String {
    let (href, query) = (use_href(), use_query_map());
    move || {
        let (path, own) = page.split_once('?').unwrap_or((page, ""));
        let mut params = Params::parse(own);
        query.with(|query| {
            for name in filters {
                let value = query.get(name).filter(|value| !value.is_empty());
                params.set(name, value.filter(|_| params.get(name).is_none()));
            }
        });
        let own = params.to_query();
        let mark = if own.is_empty() { "" } else { "?" };
        href(&format!("{path}{mark}{own}"))
    }
}

fn content(figure: &'static Figure, report: &UsageReport) -> AnyView {
    let totals = &report.totals;
    let now = (figure.value)(totals);
    let text = match now {
        _ if figure.priced => cost(now, totals.measures.unpriced_calls > 0),
        Some(n) => (figure.format)(n),
        None => NOTHING.to_owned(),
    };
    let note = match (figure.error)(report) {
        Some(error) => joined(&[(figure.note)(totals), format!("\u{b1}{:.0} %", error * 100.0)]),
        None => (figure.note)(totals),
    };
    view! {
        <span class="k">{figure.name}</span>
        <span class="v">{text}{change(figure, now, report)}</span>
        <Trend values=spark(&report.timeline, figure.value) />
        <span class="d">{note}</span>
    }
    .into_any()
}

fn button(title: &'static str, to: &[(&'static str, &'static str)], inner: AnyView) -> AnyView {
    let patch = use_patch();
    let to = to.to_vec();
    let open = move |_| {
        let to: Vec<(&str, Option<String>)> = to
            .iter()
            .map(|(name, value)| (*name, Some((*value).to_owned())))
            .collect();
        patch(&to);
    };
    view! { <button class="panel card figure" title=title on:click=open>{inner}</button> }.into_any()
}
