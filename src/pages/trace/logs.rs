//! The log records of the trace in the order of time, each beside its span.

use super::Loaded;
use super::grid::step;
use super::shared::{Services, Shown};
use crate::client::{self, Fetch, use_fetch_while};
use crate::components::json_tree::JsonTree;
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::components::virtual_list::VirtualList;
use crate::pages::logs::{details_of, level_of, text_of};
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_api::{Log, LogPage, Params};
use meshscope_layout::format;
use std::sync::Arc;

/// How many of a trace's log records are read.
const LOGS: u32 = 5_000;
/// From this severity on a record is a warning, and an error.
const LEVELS: [(&str, &str, u8); 3] = [
    ("", "All", 0),
    ("warn", "\u{2265} warn", 13),
    ("error", "\u{2265} error", 17),
];

/// Asks for the log records of the trace.
pub(crate) fn use_logs(shown: Shown) -> Fetch<LogPage> {
    let origin = client::origin();
    use_fetch_while(
        move || Some(shown.id.get()),
        move || shown.is_running(),
        move |id, abort| {
            let mut params = Params::default();
            params.set("trace_id", Some(id));
            params.set("from", Some(0));
            params.set("limit", Some(LOGS));
            let origin = origin.clone();
            async move { client::get::<LogPage>(&origin, "logs", &params, abort.as_ref()).await }
        },
    )
}

/// The log records.
#[component]
pub(crate) fn LogsView(shown: Shown) -> impl IntoView {
    let logs = use_logs(shown);
    let (mine, level) = (param("mine"), param("level"));
    let patch = use_patch();
    let level_button = |(word, title, _): (&'static str, &'static str, u8)| {
        let patch = patch.clone();
        let on = move || level.with(|level| level.as_deref().unwrap_or("") == word);
        let choose = move |_| patch(&[("level", Some(word.to_owned()))]);
        view! { <button class="pill" class:on=on aria-pressed=move || on().to_string() on:click=choose>{title}</button> }
    };
    let levels = LEVELS.map(level_button).collect_view();
    let only_mine = {
        let on = move || mine.get().is_some();
        let toggle = move |_| patch(&[("mine", mine.get_untracked().is_none().then(|| "1".to_owned()))]);
        view! {
            <button class="pill" class:on=on aria-pressed=move || on().to_string() on:click=toggle
                disabled=move || shown.span.get().is_none() && mine.get().is_none()>"Of the selected span"</button>
        }
    };
    view! {
        <div class="panel view logs-view">
            <div class="view-bar" role="toolbar" aria-label="Which records">{levels}<div class="grow"></div>{only_mine}</div>
            <Fetched fetch=logs what="logs" content=move |page: &LogPage| {
                if page.logs.is_empty() {
                    return view! { <div class="empty"><h2>"No log records in this trace"</h2></div> }.into_any();
                }
                let mut logs = page.logs.clone();
                logs.reverse();
                let more = page.next_cursor.is_some();
                view! { <Records logs=Arc::new(logs) more shown /> }.into_any()
            } />
        </div>
    }
}

#[component]
fn Records(logs: Arc<Vec<Log>>, more: bool, shown: Shown) -> impl IntoView {
    let (mine, level, at_hand) = (param("mine"), param("level"), param("log"));
    let (all, kept) = (logs.len(), Arc::clone(&logs));
    let rows = Memo::new(move |before: Option<&(u64, Arc<Vec<usize>>)>| {
        let least = level.with(|level| {
            let known = LEVELS.iter().find(|(word, ..)| level.as_deref() == Some(*word));
            known.map_or(0, |(.., least)| *least)
        });
        let span = mine.get().and_then(|_| shown.span.get());
        let fits = |log: &Log| {
            log.severity_number >= least
                && span
                    .as_ref()
                    .is_none_or(|span| log.span_id.is_some_and(|id| id.to_string() == *span))
        };
        let rows = kept
            .iter()
            .enumerate()
            .filter(|(_, log)| fits(log))
            .map(|(at, _)| at);
        shown.loaded.track();
        (
            before.map_or(0, |(version, _)| *version) + 1,
            Arc::new(rows.collect()),
        )
    });
    let log_at = {
        let logs = Arc::clone(&logs);
        move |at: usize| {
            let place = rows.with_untracked(|(_, rows)| rows.get(at).copied())?;
            logs.get(place).cloned()
        }
    };
    let (ids, shown_logs) = (Arc::clone(&logs), Arc::clone(&logs));
    let place = Memo::new(move |_| {
        let wanted = at_hand.get()?.parse::<i64>().ok()?;
        rows.with(|(_, rows)| {
            rows.iter()
                .position(|at| ids.get(*at).is_some_and(|log| log.sequence == wanted))
        })
    });
    // Where the selected span's records begin, when none of them is at hand.
    let of_span = Memo::new(move |_| {
        let span = shown.span.get()?;
        let is = |at: &usize| {
            let id = shown_logs.get(*at).and_then(|log| log.span_id);
            id.is_some_and(|id| id.to_string() == span)
        };
        rows.with(|(_, rows)| rows.iter().position(is))
    });
    let patch = use_patch();
    let choose = {
        let log_at = log_at.clone();
        Callback::new(move |at: usize| {
            let Some(log) = log_at(at) else { return };
            let mut change = vec![("log", Some(log.sequence.to_string()))];
            change.extend(log.span_id.map(|span| ("span", Some(span.to_string()))));
            patch(&change);
        })
    };
    let services = Memo::new_with_compare(
        move |_| {
            shown
                .loaded
                .get()
                .map(|loaded| Arc::new((Services::of(&loaded.columns), loaded)))
        },
        |_, _| true,
    );
    let row = {
        let log_at = log_at.clone();
        move |at: usize| {
            let trace = services.get_untracked();
            log_at(at)
                .map(|log| record(&log, at, trace.as_deref(), place, choose, shown))
                .into_any()
        }
    };
    let count = Signal::derive(move || rows.with(|(_, rows)| rows.len()));
    let version = Signal::derive(move || rows.with(|(version, _)| *version));
    let typed = move |event: web_sys::KeyboardEvent| {
        let key = event.key();
        let at = place.get_untracked().or_else(|| of_span.get_untracked());
        if let Some(to) = step(&key, at, count.get_untracked()) {
            choose.run(to);
        } else if key == "Escape" {
            shown.select.run(None);
        } else {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let opened = move || {
        let log = place.get().and_then(&log_at)?;
        Some(view! {
            <section class="log-open" aria-label="The record at hand">
                <div class="row"><TimeText ns=log.time /><span class="muted">{log.service.clone()}</span></div>
                <div class="said mono">{text_of(&log)}</div>
                <div class="mono"><JsonTree value=details_of(&log) open=2 /></div>
            </section>
        })
    };
    let foot = move || {
        let rest = if more { "; the newest are read" } else { "" };
        format!(
            "{} of {} records{rest}",
            format::integer(count.get() as i64),
            format::integer(all as i64)
        )
    };
    view! {
        <div class="grid records" role="grid" tabindex="0" aria-label="Log records" aria-colcount="5"
            aria-rowcount=move || count.get().to_string()
            aria-activedescendant=move || place.get().map(|at| format!("record-{at}")) on:keydown=typed>
            <VirtualList count version shown=Signal::derive(move || place.get().or_else(|| of_span.get())) row>
                {().into_any()}
            </VirtualList>
        </div>
        {opened}
        <div class="view-foot muted">{foot}</div>
    }
}

/// A record as a row: when, how grave, of which span, what.
fn record(
    log: &Log,
    at: usize,
    trace: Option<&(Services, Arc<Loaded>)>,
    place: Memo<Option<usize>>,
    choose: Callback<usize>,
    shown: Shown,
) -> AnyView {
    let level = level_of(log);
    let found = log.span_id.zip(trace).and_then(|(id, (services, loaded))| {
        let row = loaded.tree.row_of(&loaded.columns, id.as_u64())? as usize;
        let hue = services.hue(loaded.columns.service.get(row).copied().unwrap_or(0));
        Some((loaded.columns.name(row).to_owned(), hue))
    });
    let span = match found {
        Some((name, hue)) => {
            let swatch = format!("swatch h{}", hue % 6 + 1);
            view! { <i class=swatch></i>{name} }.into_any()
        }
        None if log.span_id.is_some() => "a span that is not here".into_any(),
        None => "\u{2013}".into_any(),
    };
    let after = trace.map(|(_, loaded)| log.time.saturating_sub(loaded.bounds().0));
    let after = after.map(|ns| {
        let sign = if ns < 0 { "" } else { "+" };
        format!("{sign}{}", format::duration(ns))
    });
    let class = format!("grid-row log {}", level.to_lowercase());
    let id = log.span_id.map(|id| id.to_string());
    let mine = move || id.is_some() && shown.span.with(|span| *span == id);
    let on = move || place.get() == Some(at);
    view! {
        <div class=class role="row" id=format!("record-{at}") aria-rowindex=(at + 1).to_string() class:on=on class:mine=mine
            aria-selected=move || on().to_string() on:click=move |_| choose.run(at)>
            <div role="gridcell" class="cell num muted">{after}</div>
            <div role="gridcell" class="cell level">{level}</div>
            <div role="gridcell" class="cell of">{span}</div>
            <div role="gridcell" class="cell text mono">{text_of(log)}</div>
        </div>
    }
    .into_any()
}
