//! The lifecycle events of the session up to the instant.

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

/// The events.
pub(super) fn panel(focus: Focus) -> AnyView {
    let held = focus.viewed.held;
    let only = param("event");
    let patch = use_patch();
    let kept: Memo<Arc<Vec<u32>>> = Memo::new_with_compare(
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
    );
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
    // Only the kinds that there are.
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
    let rows = move || {
        kept.track();
        let first = focus.bounds().0;
        let row = move |at: usize| {
            let place = kept.with_untracked(|kept| kept.get(at).copied());
            let row = place.and_then(|place| event_row(place, first, focus));
            row.into_any()
        };
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
            row: Arc::new(row),
            foot: Arc::new(foot),
        })
    };
    view! {
        <div class="panel view">
            <div class="view-bar" role="toolbar" aria-label="Which events">{buttons}</div>
            {rows}
        </div>
    }
    .into_any()
}

fn event_row(place: u32, first: i64, focus: Focus) -> Option<AnyView> {
    let held = focus.viewed.held.get_untracked()?;
    let event = *held.timeline.events.get(place as usize)?;
    let columns = &held.loaded.columns;
    let (mark, word) = look(event.kind);
    let row = match event.source {
        Source::Span(row) => Some(row),
        Source::SpanEvent(place) => columns.event_row.get(place as usize).copied(),
        Source::Log(_) => None,
    };
    let span = row.map(|row| span_id(columns, row));
    let log = match event.source {
        Source::Log(place) => held.logs.logs.get(place as usize).map(|log| log.sequence),
        _ => None,
    };
    let patch = use_patch_of(focus);
    let mine = span.clone();
    let on = move || mine.is_some() && focus.shown.span.with(|span| *span == mine);
    let choose = move |_| patch(span.clone(), log);
    let class = format!("grid-row happened is-{}", event.kind.as_str());
    let view = view! {
        <div class=class role="row" class:on=on on:click=choose>
            <div role="gridcell" class="cell num muted">{rows::after(event.at, first)}</div>
            <div role="gridcell" class="cell kind">{format!("{mark} {word}")}</div>
            <div role="gridcell" class="cell">{text_of(&event, columns, &held.logs)}</div>
        </div>
    };
    Some(view.into_any())
}

/// What a click on an event does: selects its span, or opens its record.
fn use_patch_of(focus: Focus) -> impl Fn(Option<String>, Option<i64>) + Clone + Send + Sync + 'static {
    let open = focus.open_log;
    move |span, log| match log {
        Some(log) => open.run(log),
        None => focus.shown.select.run(span),
    }
}
