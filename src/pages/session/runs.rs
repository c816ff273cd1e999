//! The runs of the session: how each stands at the instant, and one opened in place as its waterfall.

use super::{Focus, rows};
use crate::components::badge::{Blocked, Errors};
use crate::components::figures::{money, some_of, tokens};
use crate::pages::trace::waterfall::WaterfallView;
use crate::pages::trace::{TraceLoad, use_trace};
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::TraceSummary;
use meshscope_layout::format;
use std::sync::Arc;

const HEADS: [&str; 8] = [
    "#After",
    "Run",
    "Agents",
    "In the session",
    "#Took",
    "#Spans",
    "#Tokens",
    "#Cost",
];

/// The runs, and the one that is open below them.
pub(super) fn panel(focus: Focus) -> AnyView {
    let open = param("run");
    let runs: Memo<Arc<Vec<TraceSummary>>> = Memo::new_with_compare(
        move |_| {
            let runs = focus
                .viewed
                .detail
                .value
                .with(|detail| detail.as_ref().map(|detail| detail.runs.clone()));
            Arc::new(runs.unwrap_or_default())
        },
        |_, _| true,
    );
    let window = Memo::new(move |_| {
        let (from, to) = focus.window();
        runs.with(|runs| {
            let end = runs.partition_point(|run| run.started_at <= to);
            let over =
                |run: &TraceSummary| run.complete && run.started_at.saturating_add(run.duration_ns) < from;
            // Those that ended before the range are not looked for among those that began in it.
            let begin = runs.iter().take(end).take_while(|run| over(run)).count();
            (begin, end)
        })
    });
    let patch = use_patch();
    let choose = Callback::new(move |at: usize| {
        let id = runs.with_untracked(|runs| runs.get(at).map(|run| run.trace_id.to_string()));
        // The one that is open is closed again.
        let other = id.filter(|id| open.with_untracked(|open| open.as_ref() != Some(id)));
        patch(&[("run", other), ("span", None), ("zoom", None)]);
    });
    let cursor = RwSignal::new(None);
    let list = move || {
        if runs.with(|runs| runs.is_empty()) {
            return view! {
                <div class="empty"><h2>"No runs in this session"</h2><p>"It has log records or metrics only."</p></div>
            }
            .into_any();
        }
        let bounds = focus.bounds();
        let row = move |at: usize| {
            let run = runs.with_untracked(|runs| runs.get(at).cloned())?;
            Some(run_row(&run, bounds, focus, open))
        };
        let foot = move || {
            let (from, to) = window.get();
            let all = runs.with(|runs| runs.len());
            format!(
                "{} of {} runs",
                format::integer((to - from) as i64),
                format::integer(all as i64)
            )
        };
        rows::list(rows::Rows {
            role: "treegrid",
            class: "grid runs",
            label: "Runs",
            heads: &HEADS,
            window: window.into(),
            cursor,
            row: Arc::new(row),
            choose,
            foot: Arc::new(foot),
        })
    };
    let there = Memo::new(move |_| open.with(Option::is_some));
    view! {
        <div class="panel view runs-view" class:opened=move || there.get()>
            {list}
            {move || there.get().then(|| in_place(focus, open))}
        </div>
    }
    .into_any()
}

fn run_row(
    run: &TraceSummary,
    (first, last): (i64, i64),
    focus: Focus,
    open: Memo<Option<String>>,
) -> rows::Row {
    let id = run.trace_id.to_string();
    let to = use_href()(&format!("/traces/{id}"));
    let on = Signal::derive(move || open.with(|open| open.as_deref() == Some(id.as_str())));
    let (started, end) = (run.started_at, run.started_at.saturating_add(run.duration_ns));
    let whole = last.saturating_sub(first).max(1) as f64;
    let part = move |time: i64| (time.saturating_sub(first) as f64 / whole * 100.0).clamp(0.0, 100.0);
    let at = focus.playhead.at;
    // At the instant a run is as long as it was by then, and used what it had used.
    let until = move || at.get().map_or(end, |at| at.clamp(started, end));
    let bar = move || {
        let left = part(started);
        format!("left:{left:.2}%;width:{:.2}%", (part(until()) - left).max(0.4))
    };
    let took = move || {
        let running = at.get().is_some_and(|at| at < end);
        let took = format::duration(until().saturating_sub(started));
        if running { format!("{took} \u{2026}") } else { took }
    };
    let all = (
        tokens(run.tokens.total),
        money(run.tokens.total, run.cost_pico_usd, false),
    );
    let mine = run.trace_id;
    let used = Memo::new(move |_| match at.get() {
        None => all.clone(),
        Some(at) => focus.used_at(at, |ledger| ledger.of_run(mine)),
    });
    let past = move || at.with(Option::is_none);
    let (name, errors, blocked) = (run.name.clone(), run.errors, run.blocked);
    let cells = view! {
        <div role="gridcell" class="cell num muted">{rows::after(started, first)}</div>
        <div role="gridcell" class="cell title"><A href=to attr:title="Open it on a page of its own">{name}</A>" "
            {move || past().then(|| view! { <Errors count=errors />" "<Blocked count=blocked /> })}</div>
        <div role="gridcell" class="cell muted">{some_of(&run.agents)}</div>
        <div role="gridcell" class="cell place"><i class:err=errors != 0 style=bar></i></div>
        <div role="gridcell" class="cell num">{took}</div>
        <div role="gridcell" class="cell num">{run.spans}</div>
        <div role="gridcell" class="cell num">{move || used.get().0}</div>
        <div role="gridcell" class="cell num">{move || used.get().1}</div>
    }
    .into_any();
    rows::Row {
        class: "run".to_owned(),
        cells,
        on,
    }
}

/// The waterfall of the run that is open.
fn in_place(focus: Focus, open: Memo<Option<String>>) -> AnyView {
    let id = Memo::new(move |_| open.get().unwrap_or_default());
    let TraceLoad { loaded, fetch, .. } = use_trace(id);
    let problem = move || {
        let retry = Callback::new(move |()| fetch.retry());
        fetch
            .error
            .get()
            .map(|problem| view! { <crate::components::states::Failed problem retry /> })
    };
    view! {
        <div class="run-open">
            {problem}
            <WaterfallView loaded span=focus.shown.span select=focus.shown.select />
        </div>
    }
    .into_any()
}
