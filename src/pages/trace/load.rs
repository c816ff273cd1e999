//! The trace as the page holds it: drawn from its first chunk on, and kept up with while it runs.

use crate::client::columns::{Progress, columns_progressive};
use crate::client::{self, Fetch, use_fetch_while};
use crate::state::{Live, now, param};
use leptos::prelude::*;
use meshscope_analysis::{Skew, Tree};
use meshscope_layout::format;
use meshscope_model::SpanColumns;
use meshscope_model::columns::flag;
use meshscope_model::time::{MINUTE, SECOND};
use std::sync::Arc;

/// What came is built into a tree each time when there is this many times more of it, so that
/// all the building together costs little more than the last one.
const GROWTH: usize = 4;
/// Nothing is drawn between when so great a part of the spans is here and when all are.
const PART: u64 = 8;
/// A trace that has been quiet for so long is not asked for again, ns.
const QUIET: i64 = 2 * MINUTE;
/// Progress is told of what takes longer, ns.
const LONG: i64 = SECOND;
/// No more of the time than one part in so many is spent on fetching a trace again.
const REST: i64 = 10;

/// The columns with their tree: made once a fetch, shared by everything on the page.
#[derive(Debug, PartialEq)]
pub(crate) struct Loaded {
    /// The spans.
    pub columns: SpanColumns,
    /// Who called whom.
    pub tree: Tree,
    /// The clocks that differ, found on the times as they were sent.
    pub skew: Skew,
    /// The times in `columns` are the corrected ones.
    pub corrected: bool,
}

impl Loaded {
    /// Makes the tree and looks for clocks that differ.
    pub(crate) fn new(columns: SpanColumns) -> Self {
        let tree = Tree::build(&columns);
        let skew = Skew::find(&columns, &tree);
        Self {
            columns,
            tree,
            skew,
            corrected: false,
        }
    }

    /// The same trace with its clocks set right; `None` where there is nothing to correct.
    fn corrected(&self) -> Option<Self> {
        let start_time = self.skew.corrected_starts(&self.columns)?;
        let mut columns = self.columns.clone();
        columns.start_time = start_time;
        for (time, row) in columns.event_time.iter_mut().zip(&self.columns.event_row) {
            *time = time.saturating_sub(self.skew.ahead(&self.columns, *row));
        }
        Some(Self {
            tree: Tree::build(&columns),
            columns,
            skew: self.skew.clone(),
            corrected: true,
        })
    }

    /// First and last moment, ns since the epoch; not at the same ns.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        let columns = &self.columns;
        let first = columns.start_time.iter().copied().min().unwrap_or(0);
        let ends = (0..columns.len()).map(|row| columns.end_time(row));
        let last = ends.max().unwrap_or(first);
        (first, last.max(first.saturating_add(1)))
    }

    /// True when any span has not ended.
    pub(crate) fn is_running(&self) -> bool {
        self.columns
            .flags
            .iter()
            .any(|flags| flags & flag::IN_PROGRESS != 0)
    }
}

/// A trace on its way and when it is here.
#[derive(Clone, Copy)]
pub(crate) struct TraceLoad {
    /// As much of it as is here, with raw or corrected times as the URL's `clock` has it.
    pub loaded: Memo<Option<Arc<Loaded>>>,
    /// How far it is, while it takes longer than a second.
    pub progress: RwSignal<Option<Progress>>,
    /// The request.
    pub fetch: Fetch<Arc<Loaded>>,
}

/// Loads the trace of this id, and again while it goes on; leaving the page breaks off.
pub(crate) fn use_trace(id: Memo<String>) -> TraceLoad {
    let origin = client::origin();
    // What is here before all is, and of which trace.
    let part = RwSignal::new(None::<(String, Arc<Loaded>)>);
    let progress = RwSignal::new(None::<Progress>);
    // Whether the trace may still change, and from when on it may be asked for again.
    let again = StoredValue::new((true, 0_i64));
    let fetch = use_fetch_while(
        move || Some(id.get()),
        move || {
            let (changes, from) = again.get_value();
            changes && now() >= from
        },
        move |id, abort| {
            let (origin, of) = (origin.clone(), id.clone());
            let begun = now();
            // Only what is not on the screen yet is shown in parts.
            let fresh = part.with_untracked(|part| part.as_ref().is_none_or(|(of, _)| *of != id));
            if fresh {
                part.set(None);
            }
            let mut next = 1;
            async move {
                let on_chunk = |columns: &SpanColumns, so_far: Progress| {
                    if !fresh {
                        return;
                    }
                    if now() - begun > LONG && progress.try_get_untracked().is_some() {
                        progress.set(Some(so_far));
                    }
                    // What is nearly whole is not worth the memory of a second time.
                    let soon = so_far.expected.is_some_and(|all| all / PART <= so_far.spans);
                    let first = next == 1 && so_far.expected.is_some_and(|all| all > so_far.spans);
                    if columns.len() >= next && (first || !soon) {
                        next = columns.len().saturating_mul(GROWTH);
                        let loaded = Arc::new(Loaded::new(columns.clone()));
                        part.try_set(Some((of.clone(), loaded)));
                    }
                };
                let came = columns_progressive(&origin, &id, abort.as_ref(), on_chunk).await;
                progress.try_set(None);
                let (columns, problem) = match came {
                    Ok(columns) => (columns, None),
                    Err(broken) => (broken.columns, Some(broken.problem)),
                };
                if columns.is_empty()
                    && let Some(problem) = problem
                {
                    return Err(problem);
                }
                let loaded = Arc::new(Loaded::new(columns));
                let took = now() - begun;
                let recent = now() - loaded.bounds().1 < QUIET;
                let changes = recent || !loaded.tree.is_complete(&loaded.columns);
                again.try_update_value(|again| *again = (changes, now() + REST * took));
                if fresh || problem.is_none() {
                    part.try_set(Some((id, Arc::clone(&loaded))));
                }
                problem.map_or(Ok(loaded), Err)
            }
        },
    );
    let corrected = param("clock");
    let raw = Memo::new(move |_| part.with(|part| part.as_ref().map(|(_, loaded)| Arc::clone(loaded))));
    let loaded = Memo::new(move |_| {
        let raw = raw.get()?;
        let wanted = corrected.with(|clock| clock.as_deref() == Some("corrected"));
        let right = wanted.then(|| raw.corrected()).flatten();
        Some(right.map_or(raw, Arc::new))
    });
    TraceLoad {
        loaded,
        progress,
        fetch,
    }
}

/// How far a long trace has come.
#[component]
pub(crate) fn Coming(progress: Progress) -> impl IntoView {
    let spans = format::integer(progress.spans as i64);
    let text = match progress.expected {
        Some(all) => format!("{spans} of {} spans are here", format::integer(all as i64)),
        None => format!("{spans} spans are here"),
    };
    let all = progress.expected.unwrap_or(progress.spans).max(1);
    view! {
        <div class="coming" role="status">
            <progress max=all.to_string() value=progress.spans.to_string() aria-label="The trace is loading"></progress>
            {text}
        </div>
    }
}

/// Whether pages follow what arrives: what runs then grows on the screen.
pub(crate) fn is_live() -> bool {
    use_context::<Live>().is_some_and(|live| live.on.get_untracked())
}
