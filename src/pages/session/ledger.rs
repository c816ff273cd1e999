//! The usage ledger of the session: every call that was counted, and what had come together by the instant.

use super::data::Viewed;
use super::{Focus, rows};
use crate::client::{self, Fetch, ask, use_fetch_while};
use crate::components::figures::{cost, money, tokens};
use crate::components::states::Fetched;
use crate::state::param;
use crate::state::playhead::Playhead;
use leptos::prelude::*;
use meshscope_analysis::Sums;
use meshscope_api::{Params, UsageRow, UsageRowPage};
use meshscope_layout::format;
use meshscope_model::TraceId;
use std::sync::Arc;

const HEADS: [&str; 8] = [
    "#After", "What", "Model", "Agent", "#Input", "#Output", "#Took", "#Cost",
];

/// Rows of a request.
const PAGE: u32 = 10_000;

/// What calls used, by when it was known.
pub(crate) struct Used {
    tokens: Sums,
    /// Pico-dollars.
    cost: Sums,
    /// Calls without a known cost.
    unpriced: Sums,
}

impl Used {
    fn new<'a>(rows: impl Iterator<Item = &'a UsageRow> + Clone) -> Self {
        let of = |figure: &dyn Fn(&UsageRow) -> Option<i64>| {
            Sums::new(rows.clone().map(|row| (known_at(row), figure(row))))
        };
        Self {
            tokens: of(&|row| row.tokens.total),
            cost: of(&|row| row.cost_pico_usd),
            unpriced: of(&|row| row.cost_pico_usd.is_none().then_some(1)),
        }
    }

    /// Tokens and cost by the instant, in words.
    pub(crate) fn at(&self, at: i64) -> (String, String) {
        let all = self.tokens.at(at);
        let unpriced = self.unpriced.at(at).is_some();
        (tokens(all), money(all, self.cost.at(at), unpriced))
    }
}

/// The calls of a session in the order of time.
pub(crate) struct Ledger {
    rows: Vec<UsageRow>,
    /// What all of them used.
    pub all: Used,
    /// The same of each run, by its id.
    runs: Vec<(TraceId, Used)>,
}

impl Ledger {
    fn new(mut rows: Vec<UsageRow>) -> Self {
        // What an ancestor claims over its calls is not counted.
        rows.retain(|row| !row.claim);
        rows.sort_by_key(known_at);
        let mut by_run: Vec<&UsageRow> = rows.iter().collect();
        by_run.sort_by_key(|row| row.trace_id);
        let runs = by_run.chunk_by(|a, b| a.trace_id == b.trace_id);
        let runs = runs.filter_map(|run| {
            let id = run.first()?.trace_id?;
            Some((id, Used::new(run.iter().copied())))
        });
        Self {
            all: Used::new(rows.iter()),
            runs: runs.collect(),
            rows,
        }
    }

    /// What the calls of a run used; nothing where none was counted.
    pub(crate) fn of_run(&self, id: TraceId) -> Option<&Used> {
        let at = self.runs.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.runs.get(at).map(|(_, used)| used)
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
    let cursor = RwSignal::new(None);
    let choose = Callback::new(move |at: usize| {
        let span = ledger
            .value
            .with_untracked(|ledger| ledger.as_ref()?.rows.get(at)?.span_id);
        if let Some(span) = span {
            focus.shown.select.run(Some(span.to_string()));
        }
    });
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
        let row = move |at: usize| kept.rows.get(at).map(|row| usage_row(row, first, focus));
        let kept = Arc::clone(ledger);
        let foot = move || {
            let (from, to) = window.get();
            let used = kept.rows.get(from..to).unwrap_or_default();
            let sum = |figure: fn(&UsageRow) -> Option<i64>| {
                let known: Vec<i64> = used.iter().filter_map(figure).collect();
                (!known.is_empty()).then(|| known.iter().fold(0_i64, |sum, n| sum.saturating_add(*n)))
            };
            let (all, paid) = (sum(|row| row.tokens.total), sum(|row| row.cost_pico_usd));
            let unpriced = used.iter().any(|row| row.cost_pico_usd.is_none());
            format!(
                "{} of {} calls \u{b7} {} tokens \u{b7} {}",
                format::integer(used.len() as i64),
                format::integer(kept.rows.len() as i64),
                tokens(all),
                money(all, paid, unpriced)
            )
        };
        rows::list(rows::Rows {
            role: "grid",
            class: "grid usage-rows",
            label: "Calls of the ledger",
            heads: &HEADS,
            window: window.into(),
            cursor,
            row: Arc::new(row),
            choose,
            foot: Arc::new(foot),
        })
    };
    view! { <div class="panel view">{view! { <Fetched fetch=ledger what="the ledger" content /> }}</div> }
        .into_any()
}

fn usage_row(row: &UsageRow, first: i64, focus: Focus) -> rows::Row {
    let what = match row.operation.as_str() {
        "" => row.service.clone(),
        word => word.replace('_', " "),
    };
    let failed = row.error.then_some(" \u{25cf} failed");
    let span = row.span_id.map(|span| span.to_string());
    let on = Signal::derive(move || span.is_some() && focus.shown.span.with(|now| *now == span));
    let texts = [
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
    let cells = texts.into_iter().enumerate().map(|(at, text)| {
        let class = if at == 0 || at > 3 { "cell num" } else { "cell" };
        view! { <div role="gridcell" class=class>{text}{(at == 1).then_some(failed)}</div> }.into_any()
    });
    rows::Row {
        class: String::new(),
        cells: cells.collect_view().into_any(),
        on,
    }
}
