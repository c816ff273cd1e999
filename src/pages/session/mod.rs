//! One session, from its first event to its last: a timeline on which everything stands, a playhead on it, and
//! panels that show what there was at that instant.

mod attributes;
pub(crate) mod data;
mod events;
mod head;
mod ledger;
mod logs;
mod metrics;
mod recordings;
mod rows;
mod runs;
mod talk;
mod timeline;
mod transport;

use crate::client::Fetch;
use crate::components::figures::tokens;
use crate::components::states::{Failed, Loading};
use crate::pages::trace::graph::GraphView;
use crate::pages::trace::panel::Panel;
use crate::pages::trace::shared::Shown;
use crate::state::playhead::Playhead;
use crate::state::{param, use_patch, use_replace};
use data::{Viewed, use_viewed};
use ledger::{Ledger, Used};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use meshscope_api::SessionDetail;
use meshscope_layout::format;
use meshscope_model::SpanId;
use std::sync::Arc;
use std::time::Duration;
use talk::Said;

/// The panels: name in the URL, title.
const PANELS: [(&str, &str); 9] = [
    ("conversation", "Conversation"),
    ("runs", "Runs"),
    ("logs", "Logs"),
    ("events", "Events"),
    ("metrics", "Metrics"),
    ("usage", "Usage"),
    ("graph", "Agents"),
    ("attributes", "Attributes"),
    ("recordings", "Recordings"),
];

/// The instant stands in the URL once it has not moved for so long.
const SETTLED: Duration = Duration::from_millis(200);

/// What every panel shows: the session, the instant, and the range that is brushed.
#[derive(Clone, Copy)]
pub(crate) struct Focus {
    /// The session.
    pub viewed: Viewed,
    /// The instant.
    pub playhead: Playhead,
    /// The range in the URL, ns since the epoch.
    pub brush: Memo<Option<(i64, i64)>>,
    /// The calls that were counted, once anybody looks at them.
    pub ledger: Fetch<Arc<Ledger>>,
    /// What was said.
    pub said: Said,
    /// Opens a log record by its sequence number.
    pub open_log: Callback<i64>,
    /// The spans as the views of traces take them, and the span that is selected.
    pub shown: Shown,
}

impl Focus {
    /// From which moment to which anything is shown: the brushed range, up to the instant.
    pub(crate) fn window(self) -> (i64, i64) {
        let (from, to) = self.brush.get().unwrap_or((i64::MIN, i64::MAX));
        (from, to.min(self.playhead.at.get().unwrap_or(i64::MAX)))
    }

    /// Tokens and cost by an instant, in words: of the calls of the ledger that are meant, dashes where there are
    /// none.
    pub(crate) fn used_at(self, at: i64, of: impl Fn(&Ledger) -> Option<&Used>) -> (String, String) {
        self.ledger.value.with(|ledger| {
            let Some(ledger) = ledger else {
                return ("\u{2026}".to_owned(), "\u{2026}".to_owned());
            };
            of(ledger).map_or_else(|| (tokens(None), tokens(None)), |used| used.at(at))
        })
    }

    /// First and last moment of the session, ns since the epoch, not at the same ns.
    pub(crate) fn bounds(self) -> (i64, i64) {
        let held = self.viewed.held.with(|held| {
            let timeline = &held.as_ref()?.timeline;
            let empty = timeline.lanes.is_empty() && timeline.events.is_empty() && timeline.last == 0;
            (!empty).then_some((timeline.first, timeline.last))
        });
        let said = || {
            self.viewed.detail.value.with(|detail| {
                let session = &detail.as_ref()?.session;
                let last = session.started_at.saturating_add(session.duration_ns);
                Some((session.started_at, last))
            })
        };
        // Metric points stand in neither spans nor logs.
        let (first, last) = match (held, said()) {
            (Some(held), Some(said)) => (held.0.min(said.0), held.1.max(said.1)),
            (held, said) => held.or(said).unwrap_or((0, 1)),
        };
        (first, last.max(first.saturating_add(1)))
    }
}

/// Two moments in the URL.
fn range(name: &'static str) -> Memo<Option<(i64, i64)>> {
    let text = param(name);
    Memo::new(move |_| {
        let text = text.get()?;
        let (from, to) = text.split_once('-')?;
        let range = (from.parse().ok()?, to.parse().ok()?);
        (range.0 < range.1).then_some(range)
    })
}

/// The page.
#[component]
pub(crate) fn SessionPage() -> impl IntoView {
    let route = use_params_map();
    let id = Memo::new(move |_| route.read().get("id").unwrap_or_default());
    let playhead = use_playhead();
    let viewed = use_viewed(id);
    let patch = use_patch();
    let tab = param("tab");
    // The panel that is opened where the link names none.
    let talks = Memo::new(move |_| tab.with(|tab| tab.as_deref().is_none_or(|tab| tab == "conversation")));
    let focus = Focus {
        viewed,
        playhead,
        brush: range("brush"),
        ledger: ledger::use_ledger(viewed, playhead),
        said: talk::use_said(viewed, talks),
        open_log: Callback::new(move |log: i64| {
            patch(&[("tab", Some("logs".to_owned())), ("log", Some(log.to_string()))]);
        }),
        shown: use_shown(viewed),
    };
    provide_context(focus);
    let problem = move || {
        let problem = viewed.detail.error.get().or_else(|| viewed.spans.error.get());
        problem.or_else(|| viewed.logs.error.get())
    };
    let failed = move || {
        problem().map(|problem| {
            let retry = Callback::new(move |()| {
                viewed.detail.retry();
                viewed.spans.retry();
                viewed.logs.retry();
            });
            view! { <Failed problem retry /> }.into_any()
        })
    };
    let there = Memo::new(move |_| viewed.held.with(Option::is_some));
    let waits = Memo::new(move |_| !there.get() && problem().is_none());
    view! {
        {failed}
        {move || viewed.detail.value.with(Option::is_some).then(|| head::head(focus))}
        {move || match (there.get(), waits.get()) {
            (true, _) => body(focus),
            (false, true) => view! { <Loading what="the session" /> }.into_any(),
            (false, false) => ().into_any(),
        }}
    }
}

/// The playhead, which the URL's `at` starts and follows.
fn use_playhead() -> Playhead {
    let at = param("at");
    let read = move || at.get().and_then(|at| at.parse::<i64>().ok());
    let playhead = Playhead::new(untrack(read));
    provide_context(playhead);
    let replace = use_replace();
    let moved = StoredValue::new(0_u32);
    Effect::new(move |first: Option<()>| {
        playhead.at.track();
        if first.is_none() {
            return;
        }
        moved.update_value(|moved| *moved = moved.wrapping_add(1));
        let (mine, replace) = (moved.get_value(), replace.clone());
        let settled = move || {
            // Where it plays, the link says from where on when it is stopped.
            if moved.try_get_value() == Some(mine)
                && let Some(instant) = playhead.at.try_get_untracked()
                && at
                    .try_get_untracked()
                    .is_some_and(|at| at != instant.map(|at| at.to_string()))
            {
                replace(&[("at", instant.map(|at| at.to_string()))]);
            }
        };
        set_timeout(settled, SETTLED);
    });
    // Back and forward in the browser's history, and links within the page.
    Effect::new(move |first: Option<()>| {
        let asked = read();
        if first.is_some() && playhead.at.get_untracked() != asked && !playhead.playing.get_untracked() {
            playhead.at.set(asked);
        }
    });
    playhead
}

/// The session's spans as the views of a trace take them.
fn use_shown(viewed: Viewed) -> Shown {
    let span = param("span");
    let patch = use_patch();
    let held = viewed.held;
    let loaded = Memo::new_with_compare(
        move |_| held.with(|held| held.as_ref().map(|held| Arc::clone(&held.loaded))),
        |_, _| true,
    );
    let run = param("run");
    let id = Memo::new(move |_| {
        let trace = loaded.with(|loaded| {
            let loaded = loaded.as_ref()?;
            let id = span.get()?.parse::<SpanId>().ok()?;
            let row = loaded.tree.row_of(&loaded.columns, id.as_u64())?;
            Some(loaded.columns.trace_of(row as usize).to_string())
        });
        run.get().or(trace).unwrap_or_default()
    });
    let select = Callback::new(move |span: Option<String>| patch(&[("span", span)]));
    Shown {
        id,
        loaded,
        span,
        select,
    }
}

/// Timeline, playhead, and the panel that is open.
fn body(focus: Focus) -> AnyView {
    view! {
        {timeline::timeline(focus)}
        {transport::transport(focus)}
        {tabs(focus)}
        {recordings(focus)}
        <div class="split session-split" class:alone=move || focus.shown.span.get().is_none()>
            {panel(focus)}
            <Panel shown=focus.shown />
        </div>
    }
    .into_any()
}

/// Which panel is open: the one in the URL, else the first that has anything.
fn current(focus: Focus) -> Memo<&'static str> {
    let tab = param("tab");
    Memo::new(move |_| {
        let asked = tab.get();
        let known = PANELS.iter().find(|(word, _)| asked.as_deref() == Some(*word));
        let empty = || {
            focus
                .viewed
                .held
                .with(|held| held.as_ref().is_some_and(|held| held.loaded.columns.is_empty()))
        };
        known.map_or_else(
            || if empty() { "logs" } else { "conversation" },
            |(word, _)| *word,
        )
    })
}

fn tabs(focus: Focus) -> AnyView {
    let current = current(focus);
    let patch = use_patch();
    let state = head::use_state(focus);
    let button = move |(word, title): (&'static str, &'static str)| {
        let patch = patch.clone();
        let on = move || current.get() == word;
        let count = move || {
            let state = state.get();
            let count = match word {
                "runs" => state.runs,
                "logs" => state.logs,
                "events" => state.events,
                _ => return String::new(),
            };
            format!(" {}", format::integer(count as i64))
        };
        // What is selected in one panel stays; what one sorts or filters by means nothing to another.
        let open = move |_| patch(&[("tab", Some(word.to_owned())), ("node", None), ("log", None)]);
        view! {
            <button role="tab" class:on=on aria-selected=move || on().to_string() on:click=open>{title}
                <span class="n">{count}</span></button>
        }
        .into_any()
    };
    view! { <div class="tabs" role="tablist" aria-label="Panels">{PANELS.map(button).collect_view()}</div> }
        .into_any()
}

fn panel(focus: Focus) -> AnyView {
    let current = current(focus);
    let open = move || match current.get() {
        "runs" => runs::panel(focus),
        "logs" => logs::panel(focus),
        "events" => events::panel(focus),
        "metrics" => metrics::panel(focus),
        "usage" => ledger::panel(focus),
        "graph" => view! { <GraphView shown=focus.shown /> }.into_any(),
        "attributes" => attributes::panel(focus),
        "recordings" => ().into_any(),
        _ => talk::panel(focus),
    };
    open.into_any()
}

/// The recordings, which sound on while another panel is looked at, once they were opened.
fn recordings(focus: Focus) -> AnyView {
    let current = current(focus);
    let opened = Memo::new(move |before: Option<&bool>| {
        before.is_some_and(|opened| *opened) || current.get() == "recordings"
    });
    let which = Memo::new(move |_| {
        let which =
            |detail: &SessionDetail| (detail.session.session_id.clone(), detail.session.project.clone());
        focus
            .viewed
            .detail
            .value
            .with(|detail| detail.as_ref().map(which))
    });
    let panel = move || {
        let (session, project) = which.get().filter(|_| opened.get())?;
        Some(view! { <recordings::Recordings session project /> }.into_any())
    };
    view! { <div hidden=move || current.get() != "recordings">{panel}</div> }.into_any()
}
