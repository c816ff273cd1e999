//! From a number to its rows: the ledger's rows under a figure, each with where it was read, its price
//! and where that comes from, and what ancestors claim over it.

use super::measure::NOTHING;
use super::selection::{only, selection};
use crate::client::{self, Fetch};
use crate::components::badge::SystemBadge;
use crate::components::fact::Fact;
use crate::components::states::Fetched;
use crate::components::time_text::{TimeText, moment};
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use meshscope_api::{AppliedPrice, Params, Problem, UsageDispute, UsageRow, UsageRowPage, UsageSource};
use meshscope_layout::format;
use meshscope_model::CostSource;

/// Rows of a page.
const ROWS: &str = "100";

/// The drawer, while the URL has `rows`: the word of their order. `cell` narrows the selection to what the
/// figure stands for.
pub(super) fn drawer() -> AnyView {
    let (rows, cell) = (param("rows"), param("cell"));
    let order = Memo::new(move |_| rows.get());
    let open = move || {
        order
            .get()
            .map(|order| panel(order, cell.get().unwrap_or_default()))
    };
    open.into_any()
}

/// The parameters of the rows.
fn ask(mut params: Params, order: &str, cell: &str) -> Params {
    for (name, value) in Params::parse(cell).0 {
        only(&mut params, &name, &value);
    }
    params.set("order", Some(order));
    params.set("limit", Some(ROWS));
    params
}

/// Orders of the rows: their word, and what comes first.
const ORDERS: [(&str, &str); 5] = [
    ("time", "newest"),
    ("cost", "costliest"),
    ("tokens", "most tokens"),
    ("latency", "slowest"),
    ("carbon", "most carbon"),
];

fn panel(order: String, cell: String) -> AnyView {
    let (selection, origin, patch) = (selection(), client::origin(), use_patch());
    let narrowed = said(&cell);
    let sorts = sorts(&order);
    let asked = Memo::new(move |_| ask(selection.get().params(), &order, &cell));
    let page: Fetch<UsageRowPage> = {
        let origin = origin.clone();
        client::use_fetch_while(
            move || Some(asked.get()),
            || false,
            move |params, abort| {
                let origin = origin.clone();
                async move { client::get::<UsageRowPage>(&origin, "usage/rows", &params, abort.as_ref()).await }
            },
        )
    };
    let close = move || patch(&[("rows", None), ("cell", None)]);
    let escape = {
        let close = close.clone();
        move |event: web_sys::KeyboardEvent| {
            if event.key() == "Escape" {
                event.stop_propagation();
                close();
            }
        }
    };
    let place = NodeRef::<leptos::html::Section>::new();
    Effect::new(move |_| {
        if let Some(Err(error)) = place.get().map(|place| place.focus()) {
            leptos::logging::warn!("the rows cannot be focused: {error:?}");
        }
    });
    view! {
        <section class="rows-drawer panel" node_ref=place tabindex="-1" aria-label="Rows of the ledger" on:keydown=escape>
            <div class="row">
                <h2>"Rows of the ledger"</h2>
                <span class="muted">{narrowed}</span>
                <div class="grow"></div>
                {sorts}
                <button class="pill" aria-label="Close the rows" on:click=move |_| close()>"\u{2715}"</button>
            </div>
            <div class="scroll">
                <Fetched fetch=page what="the ledger" content=move |page: &UsageRowPage| {
                    list(page.clone(), asked.get_untracked(), origin.clone())
                } />
            </div>
        </section>
    }
    .into_any()
}

/// What `cell` narrows the selection to, in words.
fn said(cell: &str) -> String {
    let said = |(name, value): (String, String)| match name.as_str() {
        "none" => format!("without {value}"),
        "where" => value,
        "from" | "to" => match value.parse() {
            Ok(ns) => format!("{name} {}", moment(ns)),
            Err(_) => format!("{name} {value}"),
        },
        _ => format!("{name} {value}"),
    };
    let all: Vec<String> = Params::parse(cell).0.into_iter().map(said).collect();
    all.join(" \u{b7} ")
}

/// The buttons that choose the order.
fn sorts(order: &str) -> Vec<AnyView> {
    let patch = use_patch();
    let sort = |(word, title): (&'static str, &'static str)| {
        let (on, patch) = (order == word, patch.clone());
        view! {
            <button class="pill" class:on=on aria-pressed=on.to_string()
                on:click=move |_| patch(&[("rows", Some(word.to_owned()))])>{title}</button>
        }
        .into_any()
    };
    ORDERS.into_iter().map(sort).collect()
}

/// The rows of the first page, and of those that were asked for after it: what is there stays as it is.
fn list(first: UsageRowPage, asked: Params, origin: String) -> AnyView {
    if first.rows.is_empty() {
        return view! { <p class="muted empty">"No calls of the ledger are in this selection."</p> }
            .into_any();
    }
    let several = first.next_cursor.is_some();
    let pages = RwSignal::new(vec![first]);
    let rows = move |page: usize| {
        let rows = |page: &UsageRowPage| page.rows.iter().map(row).collect::<Vec<_>>();
        pages.with_untracked(|pages| pages.get(page).map(rows))
    };
    let more = several.then(|| more(pages, asked, origin));
    view! {
        <table class="list ledger">
            <thead><tr>
                <th></th><th>"Time"</th><th>"System"</th><th>"Agent"</th><th>"Model"</th>
                <th class="num">"Input"</th><th class="num">"Cached"</th><th class="num">"Output"</th><th class="num">"Total"</th>
                <th class="num">"Cost"</th><th>"Cost is"</th><th class="num">"Latency"</th><th>"Read from"</th>
            </tr></thead>
            <For each=move || 0..pages.with(Vec::len) key=|page| *page let:page>{rows(page)}</For>
        </table>
        {more}
    }
    .into_any()
}

/// The button that asks for the next page. It stays when there is none, so that the focus does.
fn more(pages: RwSignal<Vec<UsageRowPage>>, asked: Params, origin: String) -> AnyView {
    let (busy, failed) = (RwSignal::new(false), RwSignal::new(None::<Problem>));
    let cursor =
        Memo::new(move |_| pages.with(|pages| pages.last().and_then(|page| page.next_cursor.clone())));
    let more = move |_| {
        let Some(next) = cursor.get_untracked().filter(|_| !busy.get_untracked()) else {
            return;
        };
        let (mut params, origin) = (asked.clone(), origin.clone());
        params.set("cursor", Some(next));
        busy.set(true);
        spawn_local(async move {
            let answer = client::get::<UsageRowPage>(&origin, "usage/rows", &params, None).await;
            busy.set(false);
            match answer {
                Ok(page) => {
                    failed.set(None);
                    pages.update(|pages| pages.push(page));
                }
                Err(problem) => failed.set(Some(problem)),
            }
        });
    };
    let text = move || match (busy.get(), cursor.with(Option::is_some)) {
        (true, _) => "Loading\u{2026}",
        (false, true) => "More rows",
        (false, false) => "All rows are shown",
    };
    let can = move || !busy.get() && cursor.with(Option::is_some);
    let problem = move || {
        failed
            .get()
            .map(|problem| view! { <span class="error-text" role="alert">{problem.detail}</span> })
    };
    view! {
        <div class="row">
            <button class="pill" aria-disabled=move || (!can()).to_string() on:click=more>{text}</button>
            {problem}
        </div>
    }
    .into_any()
}

fn known(n: Option<i64>, text: fn(i64) -> String) -> String {
    n.map_or_else(|| NOTHING.to_owned(), text)
}

/// A row, and below it all it says when it is opened.
fn row(r: &UsageRow) -> AnyView {
    let open = RwSignal::new(false);
    let to = r.trace_id.map(|trace| {
        let span = r.span_id.map_or_else(String::new, |span| format!("?span={span}"));
        use_href()(&format!("/traces/{trace}{span}"))
    });
    let read = match r.source {
        UsageSource::Span => "span",
        UsageSource::Metric => "metric",
    };
    let source = match to {
        Some(to) => view! { <A href=to>"\u{2197} "{read}</A> }.into_any(),
        None => view! { <span class="muted">{read}</span> }.into_any(),
    };
    let disputed = (!r.disputes.is_empty()).then(|| view! { <span class="badge cut">"disputed"</span> });
    let failed = r
        .error
        .then(|| view! { <span class="badge err">"\u{25cf} failed"</span> });
    let cost_is = if r.claim {
        "claimed, not counted".to_owned()
    } else {
        match &r.cost_source {
            Some(CostSource::Reported) => "reported".to_owned(),
            Some(CostSource::PriceTable(version)) => format!("price table {version}"),
            None => "no price".to_owned(),
        }
    };
    let more = {
        let r = r.clone();
        move || {
            open.get()
                .then(|| view! { <tr class="row-details"><td></td><td colspan="12">{details(&r)}</td></tr> })
        }
    };
    let t = &r.tokens;
    view! {
        <tbody>
            <tr class:claim=r.claim>
                <td><button class="tool" aria-expanded=move || open.get().to_string() aria-label="All that the row says"
                    on:click=move |_| open.update(|open| *open = !*open)>{move || if open.get() { "\u{25be}" } else { "\u{25b8}" }}</button></td>
                <td class="nowrap"><TimeText ns=r.time /></td><td><SystemBadge system=r.system /></td>
                <td class="clip">{r.agent.clone()}</td>
                <td class="clip">{r.model.clone().or_else(|| r.tool.clone())}" "{failed}</td>
                <td class="num">{known(t.input, format::integer)}</td><td class="num">{known(t.cached_input, format::integer)}</td>
                <td class="num">{known(t.output, format::integer)}</td><td class="num">{known(t.total, format::integer)}</td>
                <td class="num">{format::cost_or_unknown(r.cost_pico_usd)}</td>
                <td class="muted nowrap">{cost_is}" "{disputed}</td>
                <td class="num">{known(r.duration_ns, format::duration)}</td>
                <td class="nowrap">{source}</td>
            </tr>
            {more}
        </tbody>
    }
    .into_any()
}

fn details(r: &UsageRow) -> AnyView {
    let t = &r.tokens;
    let texts = [
        ("Project", Some(r.project.clone())),
        ("Room", r.room.clone()),
        ("Session", r.session_id.clone()),
        ("Service", Some(r.service.clone())),
        ("Version", r.version.clone()),
        ("Operation", Some(r.operation.as_str().to_owned())),
        ("Role", r.role.clone()),
        ("Tool", r.tool.clone()),
        ("Provider", r.provider.clone()),
        ("User", r.user.clone()),
        ("Batch", r.batch.then(|| "yes".to_owned())),
        ("Cache write", t.cache_write.map(format::integer)),
        ("Reasoning", t.reasoning.map(format::integer)),
        ("Audio input", t.audio_input.map(format::integer)),
        ("Audio output", t.audio_output.map(format::integer)),
        ("Characters", r.characters.map(format::integer)),
        ("Audio", r.audio_ns.map(format::duration)),
        ("First token", r.time_to_first_token_ns.map(format::duration)),
        ("Carbon", r.carbon_ug.map(format::carbon)),
        ("Cost, pico-dollars", r.cost_pico_usd.map(format::integer)),
    ];
    let fact = |(name, value): (&'static str, Option<String>)| {
        value
            .filter(|value| !value.is_empty())
            .map(|value| view! { <Fact name value /> })
    };
    let facts = texts.map(fact).into_iter().collect_view();
    let price = r.price.as_ref().map(|price| applied(price, r.cost_pico_usd));
    let disputes = r.disputes.iter().map(dispute).collect_view();
    view! { <div class="facts small">{facts}</div>{price}{disputes} }.into_any()
}

/// The price that a cost was computed by.
fn applied(price: &AppliedPrice, cost: Option<i64>) -> AnyView {
    let table = if price.own { "own table" } else { "built-in table" };
    let long = price.above_input_tokens.map_or_else(String::new, |above| {
        format!(", for inputs above {} tokens", format::integer(above))
    });
    let from = price
        .entry
        .from
        .as_ref()
        .map_or_else(String::new, |day| format!(", from {day} on"));
    let changed = price
        .gives_pico_usd
        .filter(|gives| Some(*gives) != cost)
        .map(|gives| {
            let text = format!(
                "The price gives {} by now: the past was not priced anew.",
                format::cost(gives)
            );
            view! { <p class="worse">{text}</p> }
        });
    let text = format!(
        "Priced as {} by {table} {}{from}{long}.",
        price.entry.model, price.table
    );
    let prices = super::prices::classes(&price.entry);
    view! { <p class="muted">{text}" "{prices}</p>{changed} }.into_any()
}

fn dispute(dispute: &UsageDispute) -> AnyView {
    let tokens = dispute.claimed_tokens.map(|claimed| {
        let counted = known(dispute.counted_tokens, format::integer);
        format!(
            "{} tokens where its calls come to {counted}",
            format::integer(claimed)
        )
    });
    let cost = dispute.claimed_cost_pico_usd.map(|claimed| {
        let counted = format::cost_or_unknown(dispute.counted_cost_pico_usd);
        format!("{} where its calls come to {counted}", format::cost(claimed))
    });
    let said = [tokens, cost]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ");
    let who = dispute
        .span_id
        .map_or_else(|| "An ancestor".to_owned(), |span| format!("The span {span}"));
    view! { <p class="other">{format!("{who} claims {said}. The claim is not counted.")}</p> }.into_any()
}
