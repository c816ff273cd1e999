//! The lists of a session's panels: rows in the order of time, of which those within a window are shown. The
//! window moves with the playhead at each frame: rows that stay are not made anew.

use crate::components::virtual_list::VirtualList;
use leptos::prelude::*;
use meshscope_layout::format;
use std::sync::Arc;

/// Makes the row of a place.
pub(super) type MakeRow = Arc<dyn Fn(usize) -> AnyView + Send + Sync>;

/// What a list is made of.
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
    /// Makes a row by its place among all.
    pub row: MakeRow,
    /// What stands below it.
    pub foot: Arc<dyn Fn() -> String + Send + Sync>,
}

/// The list. Where there is a playhead it shows the latest rows.
pub(super) fn list(rows: Rows) -> AnyView {
    let Rows {
        role,
        class,
        label,
        heads,
        window,
        row,
        foot,
    } = rows;
    let count = Signal::derive(move || window.with(|(from, to)| to.saturating_sub(*from)));
    // Where the window begins elsewhere, all places are others.
    let version = Signal::derive(move || window.with(|(from, _)| *from as u64));
    let travels = use_context::<crate::state::playhead::Playhead>();
    let shown = Signal::derive(move || {
        travels?.at.get()?;
        count.get().checked_sub(1)
    });
    let make = move |at: usize| row(window.with_untracked(|(from, _)| from + at));
    let head = |title: &&'static str| {
        let text = title.trim_start_matches('#');
        let class = if text == *title { "cell" } else { "cell num" };
        view! { <div role="columnheader" class=class>{text}</div> }.into_any()
    };
    let heads = heads.iter().map(head).collect_view();
    view! {
        <div class=class role=role tabindex="0" aria-label=label aria-rowcount=move || (count.get() + 1).to_string()
            data-rows=move || count.get().to_string()>
            <VirtualList count version shown row=make>
                <div class="grid-row grid-head" role="row">{heads}</div>
            </VirtualList>
        </div>
        <div class="view-foot muted">{move || foot()}</div>
    }
    .into_any()
}

/// `+1.23 s` after the start of the session.
pub(super) fn after(time: i64, first: i64) -> String {
    let ns = time.saturating_sub(first);
    let sign = if ns < 0 { "" } else { "+" };
    format!("{sign}{}", format::duration(ns))
}
