//! The usage ledger of the session: every call that was counted, and what had come together by the instant.

use super::data::{Viewed, ask};
use super::{Focus, rows};
use crate::client::{self, Fetch, use_fetch_while};
use crate::components::states::Fetched;
use crate::pages::sessions::{cost, tokens};
use crate::state::param;
use crate::state::playhead::Playhead;
use leptos::prelude::*;
use meshscope_analysis::Sums;
use meshscope_api::{Params, UsageRow, UsageRowPage};
use meshscope_layout::format;
use std::sync::Arc;

const HEADS: [&str; 8] = [
    "#After", "What", "Model", "Agent", "#Input", "#Output", "#Took", "#Cost",
];

/// Rows of a request.
const PAGE: u32 = 10_000;

/// The calls of a session in the order of time, each with what had come together by then.
pub(crate) struct Ledger {
    rows: Vec<UsageRow>,
    /// Tokens, cost in pico-dollars, and calls without a known cost.
    pub tokens: Sums,
    pub cost: Sums,
    pub unpriced: Sums,
}

impl Ledger {
    fn new(mut rows: Vec<UsageRow>) -> Self {
        // What an ancestor claims over its calls is not counted.
        rows.retain(|row| !row.claim);
        rows.sort_by_key(known_at);
        let of = |figure: &dyn Fn(&UsageRow) -> Option<i64>| {
            Sums::new(rows.iter().map(|row| (known_at(row), figure(row))))
        };
        Self {
            tokens: of(&|row| row.tokens.total),
            cost: of(&|row| row.cost_pico_usd),
            unpriced: of(&|row| row.cost_pico_usd.is_none().then_some(1)),
            rows,
        }
    }
}

/// What a call used is known when it ends.
fn known_at(row: &UsageRow) -> i64 {
    row.time.saturating_add(row.duration_ns.unwrap_or(0))
}

/// Fetches the ledger where anybody looks at it: its panel, or figures at an instant.
pub(super) fn use_ledger(viewed: Viewed, playhead: Playhead) -> Fetch<Arc<Ledger>> {
    let origin = StoredValue::new(client::origin());
    let tab = param("tab");
    let travels = Memo::new(move |_| playhead.at.with(Option::is_some));
    let wanted = Memo::new(move |before: Option<&bool>| {
        before == Some(&true) || travels.get() || tab.with(|tab| tab.as_deref() == Some("usage"))
    });
    let key = move || wanted.get().then(|| (viewed.which.get(), viewed.version.get()));
    use_fetch_while(
        key,
        || false,
        move |(which, _), abort| async move {
            let mut rows = Vec::new();
            let mut cursor = None;
            loop {
                let mut params = Params::default();
                params.set("session", Some(&which.0));
                params.set("project", which.1.as_ref());
                params.set("from", Some(0));
                params.set("limit", Some(PAGE));
                params.set("cursor", cursor.as_ref());
                let page = ask::<UsageRowPage>("usage/rows".to_owned(), params, origin, abort.clone());
                let page = page.await?;
                rows.extend(page.rows);
                cursor = page.next_cursor;
                if cursor.is_none() {
                    return Ok(Arc::new(Ledger::new(rows)));
                }
            }
        },
    )
}

/// The calls, newest last.
pub(super) fn panel(focus: Focus) -> AnyView {
    let ledger = focus.ledger;
    let content = move |ledger: &Arc<Ledger>| {
        if ledger.rows.is_empty() {
            return view! {
                <div class="empty"><h2>"Nothing was used in this session"</h2>
                <p>"No call of a model or of speech was reported."</p></div>
            }
            .into_any();
        }
        let kept = Arc::clone(ledger);
        let window = Memo::new(move |_| {
            let (from, to) = focus.window();
            let before = |at: i64| kept.rows.partition_point(|row| known_at(row) <= at);
            (before(from.saturating_sub(1)), before(to))
        });
        let kept = Arc::clone(ledger);
        let first = focus.bounds().0;
        let row = move |at: usize| {
            kept.rows
                .get(at)
                .map(|row| usage_row(row, first, focus))
                .into_any()
        };
        let kept = Arc::clone(ledger);
        let foot = move || {
            let (from, to) = window.get();
            let used = kept.rows.get(from..to).unwrap_or_default();
            let sum = |figure: fn(&UsageRow) -> Option<i64>| {
                let known: Vec<i64> = used.iter().filter_map(figure).collect();
                (!known.is_empty()).then(|| known.iter().fold(0_i64, |sum, n| sum.saturating_add(*n)))
            };
            let (all, money) = (sum(|row| row.tokens.total), sum(|row| row.cost_pico_usd));
            let unpriced = used.iter().any(|row| row.cost_pico_usd.is_none());
            format!(
                "{} of {} calls \u{b7} {} tokens \u{b7} {}",
                format::integer(used.len() as i64),
                format::integer(kept.rows.len() as i64),
                tokens(all),
                cost(money, unpriced)
            )
        };
        rows::list(rows::Rows {
            role: "grid",
            class: "grid usage-rows",
            label: "Calls of the ledger",
            heads: &HEADS,
            window: window.into(),
            row: Arc::new(row),
            foot: Arc::new(foot),
        })
    };
    view! { <div class="panel view">{view! { <Fetched fetch=ledger what="the ledger" content /> }}</div> }
        .into_any()
}

fn usage_row(row: &UsageRow, first: i64, focus: Focus) -> AnyView {
    let what = match row.operation.as_str() {
        "" => row.service.clone(),
        word => word.replace('_', " "),
    };
    let failed = row.error.then_some(" \u{25cf} failed");
    let span = row.span_id.map(|span| span.to_string());
    let (mine, chosen) = (span.clone(), span.clone());
    let on = move || mine.is_some() && focus.shown.span.with(|span| *span == mine);
    let cells = [
        rows::after(row.time, first),
        what,
        row.model.clone().unwrap_or_default(),
        row.agent.clone().unwrap_or_default(),
        tokens(row.tokens.input),
        tokens(row.tokens.output),
        row.duration_ns
            .map_or_else(|| "\u{2013}".to_owned(), format::duration),
        cost(row.cost_pico_usd, false),
    ];
    let mut cells = cells.into_iter().enumerate().map(|(at, text)| {
        let class = if at == 0 || at > 3 { "cell num" } else { "cell" };
        view! { <div role="gridcell" class=class>{text}{(at == 1).then_some(failed)}</div> }.into_any()
    });
    let cells: Vec<AnyView> = cells.by_ref().collect();
    let choose = move |_| {
        if chosen.is_some() {
            focus.shown.select.run(chosen.clone());
        }
    };
    view! { <div class="grid-row" role="row" class:on=on on:click=choose>{cells}</div> }.into_any()
}
