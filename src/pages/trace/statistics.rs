//! Figures of spans that have something in common: where the time, the tokens and the money go.

use super::grid::{Head, Heads, sort_key, step, use_sorted};
use super::only::{BYS, only, rows};
use super::shared::Shown;
use crate::components::virtual_list::VirtualList;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_analysis::own_times;
use meshscope_analysis::statistics::{By, Key, Row, sort, statistics};
use meshscope_layout::format;
use std::sync::Arc;

const HEADS: [Head; 13] = [
    Head::text("label", "Spans of"),
    Head::number("count", "Count", "How many spans"),
    Head::number("errors", "Errors", ""),
    Head::number("blocked", "Blocked", ""),
    Head::number(
        "sum",
        "Total",
        "How long they took together; spans within one another count twice",
    ),
    Head::number("own", "Self", "How long they were themselves at work"),
    Head::number("p50", "p50", "Median duration"),
    Head::number("p95", "p95", "95th percentile of the durations"),
    Head::number("max", "Max", "Longest duration"),
    Head::number("first", "First token", "Median time to first token"),
    Head::number("in", "Tokens in", ""),
    Head::number("out", "Tokens out", ""),
    Head::number("cost", "Cost", ""),
];

/// In the order of [`HEADS`].
const KEYS: [Key; 13] = [
    Key::Label,
    Key::Count,
    Key::Errors,
    Key::Blocked,
    Key::Sum,
    Key::Own,
    Key::P50,
    Key::P95,
    Key::Max,
    Key::FirstToken,
    Key::InputTokens,
    Key::OutputTokens,
    Key::Cost,
];

/// Usually the longest at work first.
const BY_OWN: (usize, bool) = (5, false);

/// The figures by the `at`th of [`BYS`].
#[component]
pub(crate) fn Statistics(shown: Shown, at: usize) -> impl IntoView {
    let (by, _, title) = BYS.get(at).copied().unwrap_or((By::Name, "name", "Name"));
    let sorted = use_sorted(&HEADS, BY_OWN);
    let filter = param("only");
    // Made once a trace; sorting works on a copy.
    let figures = Memo::new(move |_| {
        let loaded = shown.loaded.get()?;
        let own = own_times(&loaded.columns, &loaded.tree);
        let rows = rows(&loaded, filter.get().as_deref());
        let figures = statistics(&loaded.columns, &own, by, rows);
        let whole: i64 = figures.iter().map(|row| row.own).fold(0, i64::saturating_add);
        Some((Arc::new(figures), whole))
    });
    let made = Memo::new(move |before: Option<&(u64, Arc<Vec<Row>>)>| {
        let version = before.map_or(0, |(version, _)| *version) + 1;
        let mut rows = figures.get().map(|(rows, _)| (*rows).clone()).unwrap_or_default();
        let (at, ascending) = sorted.get();
        sort(&mut rows, KEYS.get(at).copied().unwrap_or(Key::Own), ascending);
        (version, Arc::new(rows))
    });
    let count = Signal::derive(move || made.with(|(_, rows)| rows.len()));
    let version = Signal::derive(move || made.with(|(version, _)| *version));
    let active = RwSignal::new(None::<usize>);
    Effect::new(move |_| {
        version.track();
        active.set(None);
    });
    let patch = use_patch();
    let open = {
        let patch = patch.clone();
        Callback::new(move |at: usize| {
            let label = made.with_untracked(|(_, rows)| Some(rows.get(at)?.label.clone()));
            if let Some(label) = label {
                patch(&[("by", None), ("sort", None), ("only", Some(only(by, &label)))]);
            }
        })
    };
    let row = move |at: usize| {
        let whole = figures.with_untracked(|figures| figures.as_ref().map_or(0, |(_, whole)| *whole));
        let row = made.with_untracked(|(_, rows)| rows.get(at).cloned());
        row.map(|row| figures_row(&row, whole, at, active, open))
            .into_any()
    };
    let typed = move |event: web_sys::KeyboardEvent| {
        let key = event.key();
        if let Some(sort) = sort_key(&key, &HEADS, sorted.get_untracked()) {
            patch(&[("sort", Some(sort))]);
        } else if let Some(to) = step(&key, active.get_untracked(), count.get_untracked()) {
            active.set(Some(to));
        } else if let ("Enter", Some(at)) = (key.as_str(), active.get_untracked()) {
            open.run(at);
        } else {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
    };
    view! {
        <div class="grid figures" role="grid" tabindex="0" aria-label=format!("Figures by {}", title.to_lowercase())
            aria-colcount=HEADS.len().to_string() aria-rowcount=move || (count.get() + 1).to_string()
            aria-activedescendant=move || active.get().map(|at| format!("figures-{at}")) on:keydown=typed>
            <VirtualList count version shown=Signal::derive(move || active.get()) row>
                <Heads heads=&HEADS sorted />
            </VirtualList>
        </div>
        <div class="view-foot muted">
            {move || match count.get() {
                0 => format!("No span of this trace has a {}", title.to_lowercase()),
                count => format!("{} of {}; a row opens its spans", format::integer(count as i64), title.to_lowercase()),
            }}
        </div>
    }
}

fn figures_row(
    row: &Row,
    whole: i64,
    at: usize,
    active: RwSignal<Option<usize>>,
    open: Callback<usize>,
) -> AnyView {
    let duration = |ns: Option<i64>| ns.map(format::duration).unwrap_or_default();
    let tokens = |count: Option<i64>| count.map(format::integer).unwrap_or_default();
    let counted = |count: u32| match count {
        0 => String::new(),
        count => format::integer(i64::from(count)),
    };
    let totals = &row.totals;
    let before = [format::integer(i64::from(totals.spans))];
    let after = [
        duration(row.p50),
        duration(row.p95),
        duration(row.max),
        duration(row.first_token_p50),
        tokens(totals.input_tokens),
        tokens(totals.output_tokens),
        totals.cost.map(format::cost).unwrap_or_default(),
    ];
    let cell = |text: String| view! { <div role="gridcell" class="cell num">{text}</div> };
    let share = if whole > 0 {
        row.own as f64 / whole as f64 * 100.0
    } else {
        0.0
    };
    let label = row.label.clone();
    view! {
        <div class="grid-row" role="row" id=format!("figures-{at}") aria-rowindex=(at + 2).to_string()
            class:on=move || active.get() == Some(at) on:click=move |_| open.run(at)>
            <div role="gridcell" class="cell title" title=label.clone()>{label.clone()}</div>
            {before.map(cell)}
            <div role="gridcell" class="cell num error-text">{counted(totals.errors)}</div>
            <div role="gridcell" class="cell num blocked-text">{counted(totals.blocked)}</div>
            {cell(format::duration(row.sum))}
            <div role="gridcell" class="cell num share">
                <i style=format!("width:{share:.1}%")></i><span>{format::duration(row.own)}</span>
            </div>
            {after.map(cell)}
        </div>
    }
    .into_any()
}
