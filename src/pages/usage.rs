//! Usage: what it cost, how it was used, how fast it was. Every figure comes from the ledger
//! and opens into its rows.

use super::sessions::cost;
use crate::charts::{Chart, Data, Kind, Series, top_groups};
use crate::client::{self, use_fetch};
use crate::components::badge::SystemBadge;
use crate::components::onboarding::Onboarding;
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::components::top_bar::{scoped, scoped_params};
use crate::state::time_range::Range;
use crate::state::{self, param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::query::UsageGroupBy;
use meshscope_api::{Params, UsageGroup, UsageReport, UsageRow, UsageRowPage, UsageTotals};
use meshscope_layout::format;

/// Filters, in the URL.
const FILTERS: [&str; 8] = [
    "q", "system", "session", "agent", "model", "provider", "tool", "service",
];

/// Rows of the ledger that one look opens.
const ROWS: u32 = 200;

/// Buckets beyond which a chart is not made.
const MAX_STEPS: i64 = 5_000;

/// The page.
#[component]
pub(crate) fn UsagePage() -> impl IntoView {
    let scope = scoped();
    let filters = FILTERS.map(param);
    let by = param("by");
    let grouped = Memo::new(move |_| {
        by.get()
            .and_then(|by| UsageGroupBy::parse(&by))
            .unwrap_or(UsageGroupBy::Model)
    });
    let with_filters = move |params: &mut Params, values: [Option<String>; 8]| {
        FILTERS
            .iter()
            .zip(values)
            .for_each(|(name, value)| params.set(name, value));
    };
    let key = move || {
        Some((
            scope.get(),
            filters.map(|filter| filter.get()),
            grouped.get().as_str(),
        ))
    };
    let origin = client::origin();
    let report = use_fetch(key, move |(scope, filters, by), abort| {
        let mut params = scoped_params(&scope);
        with_filters(&mut params, filters);
        params.set("by", Some(by));
        let origin = origin.clone();
        async move { client::get::<UsageReport>(&origin, "usage", &params, abort.as_ref()).await }
    });
    // The period of equal length before, to compare with; all time has none before it.
    let origin = client::origin();
    let before = use_fetch(
        move || {
            scope
                .get()
                .0
                .length()
                .map(|length| (scope.get(), filters.map(|filter| filter.get()), length))
        },
        move |(scope, filters, length), abort| {
            let start = match scope.0 {
                Range::Fixed(from, _) => from,
                Range::Last(_) => state::now() - length,
            };
            let mut params = scoped_params(&(Range::Fixed(start - length, start), scope.1, scope.2));
            with_filters(&mut params, filters);
            let origin = origin.clone();
            async move { client::get::<UsageReport>(&origin, "usage", &params, abort.as_ref()).await }
        },
    );
    let before = move || {
        before
            .value
            .with(|report| report.as_ref().map(|report| report.totals.clone()))
    };
    view! {
        <div class="heading">
            <h1>"Usage"</h1>
            <Chips />
            <div class="grow"></div>
            <GroupBy by=grouped />
        </div>
        <Fetched fetch=report what="usage" content=move |report: &UsageReport| {
            if report.totals.runs == 0 && report.totals.measures.calls == 0 {
                return view! { <Onboarding what="usage" /> }.into_any();
            }
            view! {
                <Cards totals=report.totals.clone() before=before() />
                <Charts report=report.clone() />
                <Breakdown groups=report.groups.clone() by=grouped.get_untracked() />
            }
            .into_any()
        } />
        <Rows />
    }
}

/// Filters that are set, each with a way to remove it.
#[component]
fn Chips() -> impl IntoView {
    let patch = use_patch();
    let chip = move |name: &'static str| {
        let value = param(name);
        let patch = patch.clone();
        move || {
            let patch = patch.clone();
            value.get().map(|text| view! {
                <button class="pill chip" title="Remove this filter" on:click=move |_| patch(&[(name, None)])>
                    {name}" "<b>{text}</b>" \u{2715}"
                </button>
            })
        }
    };
    FILTERS.into_iter().skip(1).map(chip).collect_view()
}

#[component]
fn GroupBy(by: Memo<UsageGroupBy>) -> impl IntoView {
    let patch = use_patch();
    let option = move |known: UsageGroupBy| {
        view! {
            <option value=known.as_str() selected=by.get_untracked() == known>{known.as_str()}</option>
        }
    };
    view! {
        <label class="pill pick">
            <span>"group by"</span>
            <select id="by" on:change=move |event| patch(&[("by", Some(event_target_value(&event)))]) prop:value=move || by.get().as_str()>
                {UsageGroupBy::ALL.map(option).collect_view()}
            </select>
        </label>
    }
}

/// One figure with what it was before.
fn card(name: &str, value: String, change: Option<String>, note: String) -> impl IntoView {
    let change = change.map(|change| view! { <span class="change">{change}</span>" " });
    view! {
        <div class="panel card figure">
            <div class="k">{name.to_owned()}</div>
            <div class="v">{value}</div>
            <div class="d">{change}{note}</div>
        </div>
    }
}

#[component]
fn Cards(totals: UsageTotals, before: Option<UsageTotals>) -> impl IntoView {
    let m = &totals.measures;
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let change = |now: Option<i64>, then: fn(&UsageTotals) -> Option<i64>| {
        format::change(now?, before.as_ref().and_then(then)?)
    };
    let unpriced = match m.unpriced_calls {
        0 => String::new(),
        n => format!("{} calls without a price", format::integer(whole(n))),
    };
    let claimed = totals.claimed_cost_pico_usd.map_or_else(String::new, |pico| {
        format!("{} claimed twice, not counted", format::cost(pico))
    });
    let note = [unpriced, claimed]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" \u{b7} ");
    let cached = m
        .tokens
        .input
        .zip(m.tokens.cached_input)
        .map_or_else(String::new, |(all, cached)| {
            format!("{} cached input", format::percent(cached, all))
        });
    let (runs, failed, blocked) = (
        whole(totals.runs),
        whole(totals.failed_runs),
        whole(totals.blocked_runs),
    );
    let trouble = format!(
        "{} failed \u{b7} {} blocked",
        format::percent(failed, runs),
        format::percent(blocked, runs)
    );
    let time = |ns: Option<i64>| ns.map_or_else(|| "\u{2013}".to_owned(), format::duration);
    let latency = totals.run_latency_ns;
    let first = m.time_to_first_token_ns;
    view! {
        <div class="cards">
            {card("Cost", cost(m.cost_pico_usd, m.unpriced_calls > 0), change(m.cost_pico_usd, |t| t.measures.cost_pico_usd), note)}
            {card("Tokens", m.tokens.total.map_or_else(|| "\u{2013}".to_owned(), format::count), change(m.tokens.total, |t| t.measures.tokens.total), cached)}
            {card("Sessions", format::integer(whole(totals.sessions)), change(Some(whole(totals.sessions)), |t| i64::try_from(t.sessions).ok()), String::new())}
            {card("Runs", format::integer(runs), change(Some(runs), |t| i64::try_from(t.runs).ok()), trouble)}
            {card("Run latency p95", time(latency.p95), change(latency.p95, |t| t.run_latency_ns.p95), format!("p50 {}", time(latency.p50)))}
            {card("First token p95", time(first.p95), change(first.p95, |t| t.measures.time_to_first_token_ns.p95), format!("p50 {}", time(first.p50)))}
        </div>
    }
}

/// Pico-dollars as a chart has them.
fn money(x: f64) -> String {
    if x == 0.0 {
        "$0".to_owned()
    } else {
        format::cost(x.round() as i64)
    }
}

fn count(x: f64) -> String {
    format::count(x.round() as i64)
}

fn time(x: f64) -> String {
    if x == 0.0 {
        "0".to_owned()
    } else {
        format::duration(x.round() as i64)
    }
}

#[component]
fn Charts(report: UsageReport) -> impl IntoView {
    let measure = param("measure");
    let patch = use_patch();
    let step = report.bucket_ns.max(1);
    let start = report.from.div_euclid(step) * step;
    let steps = (report.to.saturating_sub(start) / step + 1).clamp(1, MAX_STEPS) as usize;
    let at = move |moment: i64| usize::try_from(moment.saturating_sub(start) / step).unwrap_or(usize::MAX);
    let latency = {
        let quantile = |name: &str, of: fn(&meshscope_api::Quantiles) -> Option<i64>| {
            let mut values = vec![None; steps];
            for bucket in &report.run_latency {
                if let Some(slot) = values.get_mut(at(bucket.start)) {
                    *slot = of(&bucket.latency_ns).map(|ns| ns as f64);
                }
            }
            Series {
                name: name.to_owned(),
                values,
            }
        };
        let series = vec![
            quantile("p50", |q| q.p50),
            quantile("p95", |q| q.p95),
            quantile("p99", |q| q.p99),
        ];
        Data {
            kind: Kind::Lines,
            start,
            step,
            steps,
            series,
            format: time,
            heat: None,
            dots: Vec::new(),
        }
    };
    let buckets = report.buckets;
    let stacked = Memo::new(move |_| {
        let measure = measure.get();
        let value = |bucket: &meshscope_api::UsageBucket| match measure.as_deref() {
            Some("tokens") => bucket.measures.tokens.total.map(|n| n as f64),
            Some("calls") => Some(bucket.measures.calls as f64),
            _ => bucket.measures.cost_pico_usd.map(|n| n as f64),
        };
        let point = |bucket: &meshscope_api::UsageBucket| {
            Some((
                at(bucket.start),
                bucket.group.clone().unwrap_or_default(),
                value(bucket)?,
            ))
        };
        let series = top_groups(steps, buckets.iter().filter_map(point));
        let format = if measure.is_some() { count } else { money };
        Data {
            kind: Kind::Stacked,
            start,
            step,
            steps,
            series,
            format,
            heat: None,
            dots: Vec::new(),
        }
    });
    let measures = [
        (None, "cost"),
        (Some("tokens"), "tokens"),
        (Some("calls"), "calls"),
    ];
    let choice = move |(word, title): (Option<&'static str>, &'static str)| {
        let patch = patch.clone();
        let on = move || measure.get().as_deref() == word;
        view! {
            <button class="pill" class:on=on on:click=move |_| patch(&[("measure", word.map(str::to_owned))])>{title}</button>
        }
    };
    let title = move || {
        format!(
            "{} a bucket of {}",
            match measure.get().as_deref() {
                Some("tokens") => "Tokens",
                Some("calls") => "Calls",
                _ => "Cost",
            },
            format::duration(step)
        )
    };
    view! {
        <div class="row measures">{measures.map(choice).collect_view()}</div>
        <div class="charts">
            {move || view! { <Chart title=title() data=stacked /> }}
            <Chart title="Run latency" data=Signal::stored(latency) />
        </div>
    }
}

/// A column of figures: its word in the URL, its title, and what it sorts by.
type Column = (&'static str, &'static str, fn(&UsageGroup) -> i64);

#[component]
fn Breakdown(groups: Vec<UsageGroup>, by: UsageGroupBy) -> impl IntoView {
    let sort = param("sort");
    let patch = use_patch();
    let columns: [Column; 7] = [
        ("calls", "Calls", |g| g.measures.calls as i64),
        ("input", "Input", |g| g.measures.tokens.input.unwrap_or(-1)),
        ("cached", "Cached", |g| {
            g.measures.tokens.cached_input.unwrap_or(-1)
        }),
        ("output", "Output", |g| g.measures.tokens.output.unwrap_or(-1)),
        ("cost", "Cost", |g| g.measures.cost_pico_usd.unwrap_or(-1)),
        ("p95", "p95", |g| g.measures.latency_ns.p95.unwrap_or(-1)),
        ("errors", "Errors", |g| g.measures.errors as i64),
    ];
    let chosen = move || sort.get().unwrap_or_else(|| "cost".to_owned());
    let sorted = move || {
        let mut groups = groups.clone();
        let chosen = chosen();
        if let Some((.., value)) = columns.iter().find(|(word, ..)| *word == chosen) {
            groups.sort_by_key(|group| std::cmp::Reverse(value(group)));
        }
        groups
    };
    let head_patch = patch.clone();
    let head = move |(word, title): (&'static str, &'static str)| {
        let patch = head_patch.clone();
        let arrow = move || (chosen() == word).then_some(" \u{2193}");
        let sorted = move || if chosen() == word { "descending" } else { "none" };
        view! {
            <th class="num" aria-sort=sorted>
                <button class="link" on:click=move |_| patch(&[("sort", Some(word.to_owned()))])>{title}{arrow}</button>
            </th>
        }
    };
    let row = move |g: UsageGroup| {
        let patch = patch.clone();
        let m = g.measures;
        let name = if g.group.is_empty() {
            "none".to_owned()
        } else {
            g.group.clone()
        };
        let open = {
            let (patch, group) = (patch.clone(), g.group.clone());
            move |_| patch(&[(by.as_str(), Some(group.clone())), ("rows", Some("1".to_owned()))])
        };
        let filterable = !g.group.is_empty() && by != UsageGroupBy::Role;
        let title = if filterable {
            view! { <button class="link" title="Filter, and open the rows" on:click=open>{name}</button> }
                .into_any()
        } else {
            view! { <span class="muted">{name}</span> }.into_any()
        };
        let tokens = |n: Option<i64>| n.map_or_else(|| "\u{2013}".to_owned(), format::count);
        let p95 = m
            .latency_ns
            .p95
            .map_or_else(|| "\u{2013}".to_owned(), format::duration);
        let unknown = m.cost_pico_usd.is_none();
        let errors = format::percent(m.errors as i64, m.calls as i64);
        view! {
            <tr>
                <td class="title">{title}</td><td class="muted">{g.provider}</td>
                <td class="num">{format::integer(m.calls as i64)}</td>
                <td class="num">{tokens(m.tokens.input)}</td><td class="num">{tokens(m.tokens.cached_input)}</td>
                <td class="num">{tokens(m.tokens.output)}</td>
                <td class="num" class:muted=unknown>{cost(m.cost_pico_usd, m.unpriced_calls > 0)}</td>
                <td class="num">{p95}</td><td class="num">{errors}</td>
            </tr>
        }
    };
    view! {
        <div class="panel scroll breakdown">
            <table class="list">
                <thead><tr>
                    <th>{by.as_str()}</th><th>"Provider"</th>
                    {columns.map(|(word, title, _)| (word, title)).map(head).collect_view()}
                </tr></thead>
                <tbody>{move || sorted().into_iter().map(row.clone()).collect_view()}</tbody>
            </table>
        </div>
    }
}

/// The ledger's rows under the selection.
#[component]
fn Rows() -> impl IntoView {
    let open = param("rows");
    let scope = scoped();
    let filters = FILTERS.map(param);
    let patch = use_patch();
    let origin = client::origin();
    let rows = use_fetch(
        move || {
            open.get()
                .map(|_| (scope.get(), filters.map(|filter| filter.get())))
        },
        move |(scope, filters), abort| {
            let mut params = scoped_params(&scope);
            FILTERS
                .iter()
                .zip(filters)
                .for_each(|(name, value)| params.set(name, value));
            params.set("limit", Some(ROWS));
            let origin = origin.clone();
            async move { client::get::<UsageRowPage>(&origin, "usage/rows", &params, abort.as_ref()).await }
        },
    );
    let toggle = move |_| patch(&[("rows", open.get_untracked().is_none().then(|| "1".to_owned()))]);
    let title = move || {
        if open.get().is_some() {
            "Hide the ledger's rows"
        } else {
            "Show the ledger's rows"
        }
    };
    view! {
        <div class="row"><button class="pill" id="rows" on:click=toggle>{title}</button></div>
        {move || open.get().map(|_| view! {
            <Fetched fetch=rows what="the ledger" content=|page: &UsageRowPage| view! {
                <div class="panel scroll"><Ledger rows=page.rows.clone() /></div>
            } />
        })}
    }
}

#[component]
fn Ledger(rows: Vec<UsageRow>) -> impl IntoView {
    let href = use_href();
    let row = move |r: UsageRow| {
        let to = r.trace_id.map(|trace| {
            let span = r.span_id.map_or_else(String::new, |span| format!("?span={span}"));
            href(&format!("/traces/{trace}{span}"))
        });
        let tokens = |n: Option<i64>| n.map_or_else(|| "\u{2013}".to_owned(), format::integer);
        let source = match &r.cost_source {
            Some(meshscope_model::CostSource::Reported) => "reported".to_owned(),
            Some(meshscope_model::CostSource::PriceTable(version)) => format!("price table {version}"),
            None => "no price".to_owned(),
        };
        let source = if r.claim {
            "claimed, not counted".to_owned()
        } else {
            source
        };
        view! {
            <tr>
                <td class="nowrap"><TimeText ns=r.time /></td><td><SystemBadge system=r.system /></td>
                <td class="clip">{r.agent}</td><td class="clip">{r.model}</td><td class="muted">{r.provider}</td>
                <td class="num">{tokens(r.tokens.input)}</td><td class="num">{tokens(r.tokens.cached_input)}</td>
                <td class="num">{tokens(r.tokens.output)}</td><td class="num">{tokens(r.tokens.total)}</td>
                <td class="num">{format::cost_or_unknown(r.cost_pico_usd)}</td><td class="muted">{source}</td>
                <td>{to.map(|to| view! { <A href=to>"\u{2197} span"</A> })}</td>
            </tr>
        }
    };
    view! {
        <table class="list">
            <thead><tr>
                <th>"Time"</th><th>"System"</th><th>"Agent"</th><th>"Model"</th><th>"Provider"</th><th class="num">"Input"</th>
                <th class="num">"Cached"</th><th class="num">"Output"</th><th class="num">"Total"</th><th class="num">"Cost"</th>
                <th>"Cost is"</th><th></th>
            </tr></thead>
            <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}
