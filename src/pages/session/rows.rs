//! The lists of a session's panels: rows in the order of time, of which those within a window are shown. The
//! window moves with the playhead at each frame: rows that stay are not made anew.

use crate::components::virtual_list::VirtualList;
use crate::pages::trace::grid::step;
use crate::state::keys::is_within;
use crate::state::playhead::Playhead;
use leptos::prelude::*;
use meshscope_layout::format;
use std::sync::Arc;

/// What a list is made of. A place counts all rows, shown or not.
pub(super) struct Rows {
    /// `grid`, or `treegrid` where rows open.
    pub role: &'static str,
    /// Its classes.
    pub class: &'static str,
    /// What it is, for those who hear the page.
    pub label: &'static str,
    /// Titles of its columns, those of numbers with a sign before them.
    pub heads: &'static [&'static str],
    /// The places that are shown: from, and before which.
    pub window: Signal<(usize, usize)>,
    /// The place that the keys are at; the panel keeps it when the list is made anew.
    pub cursor: RwSignal<Option<usize>>,
    /// Makes the row of a place.
    pub row: Arc<dyn Fn(usize) -> Option<Row> + Send + Sync>,
    /// Selects or opens what stands at a place.
    pub choose: Callback<usize>,
    /// What stands below it.
    pub foot: Arc<dyn Fn() -> String + Send + Sync>,
}

/// A row.
pub(super) struct Row {
    /// Classes of its own.
    pub class: String,
    /// Its cells.
    pub cells: AnyView,
    /// Whether it is selected or open.
    pub on: Signal<bool>,
}

/// The list. Where there is a playhead it shows the latest rows, until the keys are at one.
pub(super) fn list(rows: Rows) -> AnyView {
    let Rows {
        role,
        class,
        label,
        heads,
        window,
        cursor,
        row,
        choose,
        foot,
    } = rows;
    let count = Signal::derive(move || window.with(|(from, to)| to.saturating_sub(*from)));
    // Where the window begins elsewhere, all places are others.
    let version = Signal::derive(move || window.with(|(from, _)| *from as u64));
    // The row of the window that the keys are at.
    let at = Signal::derive(move || {
        let (from, to) = window.get();
        let at = cursor.get().filter(|at| (from..to).contains(at))?;
        Some(at - from)
    });
    let travels = use_context::<Playhead>();
    let shown = Signal::derive(move || {
        at.get().or_else(|| {
            travels?.at.get()?;
            count.get().checked_sub(1)
        })
    });
    Effect::new(move |first: Option<()>| {
        if let Some(playhead) = travels {
            playhead.at.track();
        }
        if first.is_some() && cursor.with_untracked(Option::is_some) {
            cursor.set(None);
        }
    });
    let choose = Callback::new(move |place: usize| {
        cursor.set(Some(place));
        choose.run(place);
    });
    let make = move |at: usize| {
        let place = window.with_untracked(|(from, _)| from + at);
        let marked = Signal::derive(move || cursor.get() == Some(place));
        let chosen = Callback::new(move |()| choose.run(place));
        let row = row(place);
        row.map(|row| row_view(row, at, role == "treegrid", marked, chosen))
            .into_any()
    };
    let typed = move |event: web_sys::KeyboardEvent| {
        let (from, to) = window.get_untracked();
        let key = event.key();
        if event.ctrl_key() || event.meta_key() || event.alt_key() || is_within(&event, "a[href], button") {
            return;
        }
        if let Some(next) = step(&key, at.get_untracked(), to.saturating_sub(from)) {
            cursor.set(Some(from + next));
        } else if let ("Enter", Some(at)) = (key.as_str(), at.get_untracked()) {
            choose.run(from + at);
        } else {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let head = |title: &&'static str| {
        let text = title.trim_start_matches('#');
        let class = if text == *title { "cell" } else { "cell num" };
        view! { <div role="columnheader" class=class>{text}</div> }.into_any()
    };
    let heads = heads.iter().map(head).collect_view();
    view! {
        <div class=class role=role tabindex="0" aria-label=label aria-rowcount=move || (count.get() + 1).to_string()
            aria-activedescendant=move || at.get().map(row_id) data-rows=move || count.get().to_string() on:keydown=typed>
            <VirtualList count version shown row=make>
                <div class="grid-row grid-head" role="row" aria-rowindex="1">{heads}</div>
            </VirtualList>
        </div>
        <div class="view-foot muted">{move || foot()}</div>
    }
    .into_any()
}

/// Names a row of the window.
fn row_id(at: usize) -> String {
    format!("row-{at}")
}

/// The row `at` of the window, which opens or is selected.
fn row_view(row: Row, at: usize, opens: bool, marked: Signal<bool>, choose: Callback<()>) -> AnyView {
    let Row { class, cells, on } = row;
    let clicked = move |event: web_sys::MouseEvent| {
        // A link leads where it leads.
        if !is_within(&event, "a[href]") {
            choose.run(());
        }
    };
    let said = move |mine: bool| mine.then(|| on.get().to_string());
    view! {
        <div class=format!("grid-row {class}") role="row" id=row_id(at) aria-rowindex=(at + 2).to_string()
            class:on=on class:marked=marked
            aria-expanded=move || said(opens) aria-selected=move || said(!opens) on:click=clicked>{cells}</div>
    }
    .into_any()
}

/// `+1.23 s` after the start of the session.
pub(super) fn after(time: i64, first: i64) -> String {
    let ns = time.saturating_sub(first);
    let sign = if ns < 0 { "" } else { "+" };
    format!("{sign}{}", format::duration(ns))
}
