//! The lifecycle events of the session up to the instant.

use super::data::Held;
use super::{Focus, rows};
use crate::pages::trace::shared::span_id;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_analysis::timeline::{Event, Source, text_of};
use meshscope_api::Lifecycle;
use meshscope_layout::format;
use std::sync::Arc;

const HEADS: [&str; 3] = ["#After", "What", "Of what"];

/// The mark and the word of a kind of event: colour never stands alone.
pub(super) fn look(kind: Lifecycle) -> (&'static str, &'static str) {
    match kind {
        Lifecycle::Started => ("\u{25b6}", "started"),
        Lifecycle::Joined => ("\u{2192}", "joined"),
        Lifecycle::Turn => ("\u{21bb}", "turn"),
        Lifecycle::Tool => ("\u{25b2}", "tool called"),
        Lifecycle::Interrupted => ("\u{25d0}", "interrupted"),
        Lifecycle::HandedOver => ("\u{21c4}", "handed over"),
        Lifecycle::Blocked => ("\u{25c6}", "blocked"),
        Lifecycle::Failed => ("\u{25cf}", "failed"),
        Lifecycle::Left => ("\u{2190}", "left"),
        Lifecycle::Ended => ("\u{25a0}", "ended"),
        Lifecycle::Other => ("\u{b7}", "event"),
    }
}

/// The events that are shown, as places among all: of the kind in the URL.
type Kept = Memo<Arc<Vec<u32>>>;

fn use_kept(held: Memo<Option<Arc<Held>>>, only: Memo<Option<String>>) -> Kept {
    Memo::new_with_compare(
        move |_| {
            let kept = held.with(|held| {
                let events = &held.as_ref()?.timeline.events;
                let fits = |event: &Event| {
                    only.with(|only| only.as_deref().is_none_or(|only| only == event.kind.as_str()))
                };
                let places = events.iter().zip(0..).filter(|(event, _)| fits(event));
                Some(places.map(|(_, place)| place).collect())
            });
            Arc::new(kept.unwrap_or_default())
        },
        |_, _| true,
    )
}

/// Buttons that choose a kind: those that there are, and all.
fn bar(held: Memo<Option<Arc<Held>>>, only: Memo<Option<String>>) -> AnyView {
    let patch = use_patch();
    let button = move |kind: Option<Lifecycle>| {
        let (patch, word) = (patch.clone(), kind.map_or("", Lifecycle::as_str));
        let on = move || only.with(|only| only.as_deref().unwrap_or("") == word);
        let choose = move |_| patch(&[("event", Some(word.to_owned()))]);
        let title = kind.map_or_else(
            || "All".to_owned(),
            |kind| format!("{} {}", look(kind).0, look(kind).1),
        );
        view! { <button class="pill" class:on=on aria-pressed=move || on().to_string() on:click=choose>{title}</button> }.into_any()
    };
    let kinds = Memo::new(move |_| {
        held.with(|held| {
            let mut kinds = [false; Lifecycle::ALL.len()];
            for event in held.iter().flat_map(|held| &held.timeline.events) {
                if let Some(kind) = kinds.get_mut(event.kind as usize) {
                    *kind = true;
                }
            }
            kinds
        })
    });
    let buttons = move || {
        let there = kinds.get();
        let known = Lifecycle::ALL.into_iter().zip(there);
        let known = known.filter(|(_, there)| *there).map(|(kind, _)| Some(kind));
        std::iter::once(None)
            .chain(known)
            .map(button.clone())
            .collect_view()
    };
    view! { <div class="view-bar" role="toolbar" aria-label="Which events">{buttons}</div> }.into_any()
}

/// The events.
pub(super) fn panel(focus: Focus) -> AnyView {
    let (held, only) = (focus.viewed.held, param("event"));
    let kept = use_kept(held, only);
    let window = Memo::new(move |_| {
        let (from, to) = focus.window();
        let (kept, held) = (kept.get(), held.get());
        let at = |place: &u32| {
            let event = held.as_ref()?.timeline.events.get(*place as usize)?;
            Some(event.at)
        };
        let begin = kept.partition_point(|place| at(place) < Some(from));
        let end = kept.partition_point(|place| at(place) <= Some(to));
        (begin, end.max(begin))
    });
    let event_at = move |at: usize| {
        let place = kept.with_untracked(|kept| kept.get(at).copied())?;
        let held = held.get_untracked()?;
        let event = *held.timeline.events.get(place as usize)?;
        Some((event, held))
    };
    let choose = Callback::new(move |at: usize| {
        let source = event_at(at).map(|(event, held)| source_of(&event, &held));
        match source {
            Some((_, Some(log))) => focus.open_log.run(log),
            Some((span, None)) => focus.shown.select.run(span),
            None => {}
        }
    });
    let cursor = RwSignal::new(None);
    let rows = move || {
        kept.track();
        let first = focus.bounds().0;
        let row = move |at: usize| event_at(at).map(|(event, held)| event_row(&event, first, &held, focus));
        let foot = move || {
            let (from, to) = window.get();
            let all = kept.with(|kept| kept.len());
            format!(
                "{} of {} events",
                format::integer(to.saturating_sub(from) as i64),
                format::integer(all as i64)
            )
        };
        rows::list(rows::Rows {
            role: "grid",
            class: "grid events",
            label: "Lifecycle events",
            heads: &HEADS,
            window: window.into(),
            cursor,
            row: Arc::new(row),
            choose,
            foot: Arc::new(foot),
        })
    };
    view! { <div class="panel view">{bar(held, only)}{rows}</div> }.into_any()
}

/// The span that an event belongs to, else the log record that tells of it.
fn source_of(event: &Event, held: &Held) -> (Option<String>, Option<i64>) {
    let columns = &held.loaded.columns;
    let row = match event.source {
        Source::Span(row) => Some(row),
        Source::SpanEvent(place) => columns.event_row.get(place as usize).copied(),
        Source::Log(place) => {
            let log = held.logs.logs.get(place as usize);
            return (None, log.map(|log| log.sequence));
        }
    };
    (row.map(|row| span_id(columns, row)), None)
}

fn event_row(event: &Event, first: i64, held: &Held, focus: Focus) -> rows::Row {
    let (mark, word) = look(event.kind);
    let (span, _) = source_of(event, held);
    let on = Signal::derive(move || span.is_some() && focus.shown.span.with(|now| *now == span));
    let cells = view! {
        <div role="gridcell" class="cell num muted">{rows::after(event.at, first)}</div>
        <div role="gridcell" class="cell kind">{format!("{mark} {word}")}</div>
        <div role="gridcell" class="cell">{text_of(event, &held.loaded.columns, &held.logs)}</div>
    }
    .into_any();
    rows::Row {
        class: format!("happened is-{}", event.kind.as_str()),
        cells,
        on,
    }
}
