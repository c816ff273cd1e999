//! The log records of the session up to the instant.

use super::{Focus, rows};
use crate::client::{self, ask, use_fetch_while};
use crate::components::json_tree::JsonTree;
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::pages::logs::{details_of, text_of};
use crate::state::{param, use_patch, use_replace};
use leptos::prelude::*;
use meshscope_api::{BriefLog, Log, LogPage, Params, SessionLogs};
use meshscope_layout::format;
use meshscope_model::log::severity_name;
use std::sync::Arc;

/// From this severity on a record is a warning, and an error.
const LEVELS: [(&str, &str, u8); 3] = [
    ("", "All", 0),
    ("warn", "\u{2265} warn", 13),
    ("error", "\u{2265} error", 17),
];

const HEADS: [&str; 4] = ["#After", "Level", "Service", "Record"];

/// The records that level and words let through, in the order of time.
type Kept = Arc<Vec<u32>>;

fn fits(log: &BriefLog, logs: &SessionLogs, least: u8, words: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(words);
    log.severity_number >= least
        && (words.is_empty()
            || has(&log.text)
            || [log.service, log.agent, log.event]
                .iter()
                .any(|at| has(logs.string(*at))))
}

/// Level and words.
fn bar(level: Memo<Option<String>>, words: Memo<Option<String>>) -> AnyView {
    let (patch, replace) = (use_patch(), use_replace());
    let button = |(word, title, _): (&'static str, &'static str, u8)| {
        let patch = patch.clone();
        let on = move || level.with(|level| level.as_deref().unwrap_or("") == word);
        let choose = move |_| patch(&[("level", Some(word.to_owned()))]);
        view! { <button class="pill" class:on=on aria-pressed=move || on().to_string() on:click=choose>{title}</button> }.into_any()
    };
    let typed = move |event| replace(&[("find", Some(event_target_value(&event)))]);
    view! {
        <div class="view-bar" role="toolbar" aria-label="Which records">
            {LEVELS.map(button).collect_view()}
            <label class="pill search"><span aria-hidden="true">"\u{2315}"</span>
                <input id="find" type="search" placeholder="in these records" aria-label="Find in these records"
                    prop:value=move || words.get().unwrap_or_default() on:input=typed /></label>
        </div>
    }
    .into_any()
}

/// The records.
pub(super) fn panel(focus: Focus) -> AnyView {
    let (level, words, at_hand) = (param("level"), param("find"), param("log"));
    let held = focus.viewed.held;
    let kept: Memo<Kept> = Memo::new_with_compare(
        move |_| {
            let least = level.with(|level| {
                let known = LEVELS.iter().find(|(word, ..)| level.as_deref() == Some(*word));
                known.map_or(0, |(.., least)| *least)
            });
            let words = words.get().unwrap_or_default().to_lowercase();
            let kept = held.with(|held| {
                let logs = &held.as_ref()?.logs;
                let places = logs.logs.iter().zip(0..);
                let fitting = places.filter(|(log, _)| fits(log, logs, least, &words));
                Some(fitting.map(|(_, place)| place).collect())
            });
            Arc::new(kept.unwrap_or_default())
        },
        |_, _| true,
    );
    let time = move |place: &u32| {
        held.with(|held| {
            let log = held.as_ref()?.logs.logs.get(*place as usize)?;
            Some(log.time)
        })
    };
    let window = Memo::new(move |_| {
        let (from, to) = focus.window();
        kept.with(|kept| {
            let begin = kept.partition_point(|place| time(place) < Some(from));
            let end = kept.partition_point(|place| time(place) <= Some(to));
            (begin, end.max(begin))
        })
    });
    let patch = use_patch();
    let choose = Callback::new(move |at: usize| {
        let place = kept.with_untracked(|kept| kept.get(at).copied());
        let found = held.with_untracked(|held| {
            let log = held.as_ref()?.logs.logs.get(place? as usize)?;
            Some((log.sequence, log.span_id))
        });
        if let Some((sequence, span)) = found {
            let mut change = vec![("log", Some(sequence.to_string()))];
            change.extend(span.map(|span| ("span", Some(span.to_string()))));
            patch(&change);
        }
    });
    let cursor = RwSignal::new(None);
    // A list that is made anew with what came shows it.
    let rows = move || {
        kept.track();
        let first = focus.bounds().0;
        let row = move |at: usize| {
            let place = kept.with_untracked(|kept| kept.get(at).copied());
            let held = held.get_untracked()?;
            let log = held.logs.logs.get(place? as usize)?;
            Some(record(log, &held.logs, first, at_hand))
        };
        let foot = move || {
            let (from, to) = window.get();
            let more = held.with(|held| held.as_ref().is_some_and(|held| held.logs.more));
            let all = kept.with(|kept| kept.len());
            format!(
                "{} of {} records{}",
                format::integer(to.saturating_sub(from) as i64),
                format::integer(all as i64),
                if more { "; the first are read" } else { "" }
            )
        };
        rows::list(rows::Rows {
            role: "grid",
            class: "grid records",
            label: "Log records",
            heads: &HEADS,
            window: window.into(),
            cursor,
            row: Arc::new(row),
            choose,
            foot: Arc::new(foot),
        })
    };
    view! {
        <div class="panel view logs-view">
            {bar(level, words)}
            {rows}
            {opened(focus, at_hand)}
        </div>
    }
    .into_any()
}

fn record(log: &BriefLog, logs: &SessionLogs, first: i64, at_hand: Memo<Option<String>>) -> rows::Row {
    let level = severity_name(log.severity_number);
    let sequence = log.sequence.to_string();
    let on = Signal::derive(move || at_hand.with(|at_hand| at_hand.as_deref() == Some(sequence.as_str())));
    let text = match logs.string(log.event) {
        "" => log.text.clone(),
        name => format!("{name} {}", log.text),
    };
    let cells = view! {
        <div role="gridcell" class="cell num muted">{rows::after(log.time, first)}</div>
        <div role="gridcell" class="cell level">{level}</div>
        <div role="gridcell" class="cell of">{logs.string(log.service).to_owned()}</div>
        <div role="gridcell" class="cell text mono">{text}</div>
    }
    .into_any();
    rows::Row {
        class: format!("log {}", level.to_lowercase()),
        cells,
        on,
    }
}

/// The record at hand, with everything that it carries.
fn opened(focus: Focus, at_hand: Memo<Option<String>>) -> AnyView {
    let origin = StoredValue::new(client::origin());
    let time = Memo::new(move |_| {
        let wanted = at_hand.get()?.parse::<i64>().ok()?;
        focus.viewed.held.with(|held| {
            let logs = &held.as_ref()?.logs.logs;
            logs.iter()
                .find(|log| log.sequence == wanted)
                .map(|log| (wanted, log.time))
        })
    });
    let log = use_fetch_while(
        move || Some((focus.viewed.which.get(), time.get()?)),
        || false,
        move |(which, (wanted, time)), abort| async move {
            let mut params = Params::default();
            params.set("session", Some(&which.0));
            params.set("project", which.1.as_ref());
            params.set("from", Some(time));
            params.set("to", Some(time.saturating_add(1)));
            params.set("limit", Some(1_000));
            let page = ask::<LogPage>("logs".to_owned(), params, origin, abort).await?;
            Ok(page.logs.into_iter().find(|log| log.sequence == wanted))
        },
    );
    let content = |log: &Option<Log>| {
        log.as_ref()
            .map(|log| {
                view! {
                    <div class="row"><TimeText ns=log.time /><span class="muted">{log.service.clone()}</span></div>
                    <div class="said mono">{text_of(log)}</div>
                    <div class="mono"><JsonTree value=details_of(log) open=2 /></div>
                }
            })
            .into_any()
    };
    let view = move || {
        time.get()
            .map(|_| view! { <section class="log-open" aria-label="The record at hand"><Fetched fetch=log what="the record" content /></section> })
    };
    view.into_any()
}
