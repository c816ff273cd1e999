//! The critical path as a list: what the end of the trace was waiting for, moment by moment.

use super::Loaded;
use super::grid::{Head, Heads, sort_key, step, use_sorted};
use super::shared::{Services, Shown};
use crate::components::virtual_list::VirtualList;
use crate::state::use_patch;
use leptos::prelude::*;
use meshscope_analysis::{Segment, critical_path};
use meshscope_layout::format;
use std::sync::Arc;

const HEADS: [Head; 6] = [
    Head::text("name", "Waited for"),
    Head::text("service", "Service"),
    Head::number("from", "From", "From the start of the trace"),
    Head::number("to", "To", "From the start of the trace"),
    Head::number("length", "Length", ""),
    Head::number("share", "Share", "Of the root's duration"),
];

const BY_TIME: (usize, bool) = (2, true);

/// What the list is made of.
#[derive(Clone)]
struct Made {
    version: u64,
    loaded: Arc<Loaded>,
    services: Arc<Services>,
    path: Arc<Vec<Segment>>,
    whole: i64,
}

impl PartialEq for Made {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

/// Sorts the segments by a column.
fn sort(path: &mut [Segment], loaded: &Loaded, (at, ascending): (usize, bool)) {
    let columns = &loaded.columns;
    match at {
        0 => path.sort_by_key(|segment| columns.name(segment.row as usize)),
        1 => path.sort_by_key(|segment| columns.service(segment.row as usize)),
        3 => path.sort_by_key(|segment| segment.end),
        4 | 5 => path.sort_by_key(|segment| segment.end.saturating_sub(segment.start)),
        _ => path.sort_by_key(|segment| segment.start),
    }
    if !ascending {
        path.reverse();
    }
}

/// The segments; a click selects the span.
#[component]
pub(crate) fn CriticalView(shown: Shown) -> impl IntoView {
    let sorted = use_sorted(&HEADS, BY_TIME);
    let made = Memo::new(move |before: Option<&Option<Made>>| {
        let loaded = shown.loaded.get()?;
        let root = loaded.tree.main_root()?;
        let mut path = critical_path(&loaded.columns, &loaded.tree, root);
        sort(&mut path, &loaded, sorted.get());
        Some(Made {
            version: before.and_then(Option::as_ref).map_or(0, |made| made.version) + 1,
            services: Arc::new(Services::of(&loaded.columns)),
            path: Arc::new(path),
            whole: loaded.columns.duration.get(root as usize).copied().unwrap_or(0),
            loaded,
        })
    });
    let count = Signal::derive(move || made.with(|made| made.as_ref().map_or(0, |made| made.path.len())));
    let version = Signal::derive(move || made.with(|made| made.as_ref().map_or(0, |made| made.version)));
    // A span may have several segments: which of them is at hand.
    let active = RwSignal::new(None::<usize>);
    let place = Memo::new(move |_| {
        let row = shown.row()?;
        made.with(|made| {
            let path = &made.as_ref()?.path;
            let is = |at: &usize| path.get(*at).is_some_and(|segment| segment.row == row);
            active
                .get()
                .filter(is)
                .or_else(|| path.iter().position(|segment| segment.row == row))
        })
    });
    let choose = Callback::new(move |at: usize| {
        let row = made.with_untracked(|made| Some(made.as_ref()?.path.get(at)?.row));
        if let Some(row) = row {
            active.set(Some(at));
            shown.choose(row);
        }
    });
    let row = move |at: usize| {
        let made = made.get_untracked();
        made.and_then(|made| segment_row(&made, at, place, choose))
            .into_any()
    };
    let patch = use_patch();
    let typed = move |event: web_sys::KeyboardEvent| {
        let key = event.key();
        if let Some(sort) = sort_key(&key, &HEADS, sorted.get_untracked()) {
            patch(&[("sort", Some(sort))]);
        } else if let Some(to) = step(&key, place.get_untracked(), count.get_untracked()) {
            choose.run(to);
        } else if key == "Escape" {
            shown.select.run(None);
        } else {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let foot = move || {
        made.with(|made| match made {
            Some(made) => {
                let segments = format::integer(made.path.len() as i64);
                format!(
                    "{segments} segments tile {} of the root",
                    format::duration(made.whole)
                )
            }
            None => "The trace has no root yet".to_owned(),
        })
    };
    view! {
        <div class="panel view">
            <div class="grid critical" role="grid" tabindex="0" aria-label="Critical path" aria-colcount="6"
                aria-rowcount=move || (count.get() + 1).to_string()
                aria-activedescendant=move || place.get().map(|at| format!("segment-{at}")) on:keydown=typed>
                <VirtualList count version shown=Signal::derive(move || place.get()) row>
                    <Heads heads=&HEADS sorted />
                </VirtualList>
            </div>
            <div class="view-foot muted">{foot}</div>
        </div>
    }
}

fn segment_row(
    made: &Made,
    at: usize,
    place: Memo<Option<usize>>,
    choose: Callback<usize>,
) -> Option<AnyView> {
    let segment = *made.path.get(at)?;
    let columns = &made.loaded.columns;
    let row = segment.row as usize;
    let first = made.loaded.bounds().0;
    let length = segment.end.saturating_sub(segment.start);
    let swatch = format!(
        "swatch h{}",
        made.services.hue(columns.service.get(row).copied().unwrap_or(0)) % 6 + 1
    );
    let share = if made.whole > 0 {
        length as f64 / made.whole as f64 * 100.0
    } else {
        0.0
    };
    let after = |time: i64| format!("+{}", format::duration(time.saturating_sub(first)));
    let numbers = [after(segment.start), after(segment.end), format::duration(length)];
    let numbers = numbers.map(|text| view! { <div role="gridcell" class="cell num">{text}</div> });
    let on = move || place.get() == Some(at);
    let view = view! {
        <div class="grid-row" role="row" id=format!("segment-{at}") aria-rowindex=(at + 2).to_string() class:on=on
            aria-selected=move || on().to_string() on:click=move |_| choose.run(at)>
            <div role="gridcell" class="cell title"><i class=swatch></i>{columns.name(row).to_owned()}</div>
            <div role="gridcell" class="cell muted">{columns.service(row).to_owned()}</div>
            {numbers}
            <div role="gridcell" class="cell num share">
                <i style=format!("width:{share:.1}%")></i><span>{format::percent(length, made.whole)}</span>
            </div>
        </div>
    };
    Some(view.into_any())
}
