//! What was said in the session up to the instant, with where the time of each turn went.

use super::data::{Viewed, path_of, scoped};
use super::{Focus, rows};
use crate::client::{self, Fetch, ask, use_fetch_while};
use crate::components::states::Fetched;
use crate::pages::trace::talk::turn_view;
use leptos::prelude::*;
use meshscope_analysis::{Stages, turn_of};
use meshscope_api::Conversation;
use meshscope_api::conversation::Turn;
use meshscope_layout::format;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a text that come with the conversation.
const PREVIEW: u32 = 4 * 1024;
/// Turns that are made together.
const TOGETHER: usize = 30;
/// A message is no lower, CSS pixels.
const LOWEST: i32 = 32;
/// The instant rests when it has not moved for so long.
const REST: Duration = Duration::from_millis(150);

/// What was said: fetched while somebody looks at it.
#[derive(Clone, Copy)]
pub(crate) struct Said {
    fetched: Fetch<Conversation>,
    /// Long texts come whole.
    whole: RwSignal<bool>,
}

/// Fetches the conversation while it is `open`, beside everything else that the page asks for.
pub(super) fn use_said(viewed: Viewed, open: Memo<bool>) -> Said {
    let origin = StoredValue::new(client::origin());
    let whole = RwSignal::new(false);
    let fetched = use_fetch_while(
        move || {
            open.get()
                .then(|| (viewed.which.get(), viewed.version.get(), whole.get()))
        },
        || false,
        move |(which, _, whole), abort| async move {
            let mut params = scoped(&which);
            params.set("preview", (!whole).then_some(PREVIEW));
            let path = path_of(&which, "/conversation");
            ask::<Conversation>(path, params, origin, abort).await
        },
    );
    Said { fetched, whole }
}

/// A conversation with the turn (or run) that each message belongs to.
struct Talk {
    turns: Vec<Turn>,
    /// Row of the turn that begins with the message.
    begins: Vec<Option<u32>>,
    /// Some texts are the beginnings of longer ones.
    cut: bool,
    more: bool,
}

impl Talk {
    fn new(talk: &Conversation, focus: Focus) -> Self {
        let mut turns = talk.turns.clone();
        turns.sort_by_key(|turn| turn.at);
        let loaded = focus.shown.loaded.get_untracked();
        let mut before = None;
        let begins = turns.iter().map(|turn| {
            let loaded = loaded.as_ref()?;
            let row = loaded.tree.row_of(&loaded.columns, turn.span_id.as_u64())?;
            let begun = turn_of(&loaded.columns, &loaded.tree, row);
            (before.replace(begun) != Some(begun)).then_some(begun)
        });
        let is_cut = |turn: &Turn| !turn.cut.is_empty() || turn.calls.iter().any(|call| call.bytes.is_some());
        Self {
            begins: begins.collect(),
            cut: turns.iter().any(is_cut),
            turns,
            more: talk.more,
        }
    }
}

/// The conversation.
pub(super) fn panel(focus: Focus) -> AnyView {
    let Said { fetched, whole } = focus.said;
    let talk = Memo::new_with_compare(
        move |_| {
            // Once the spans are here, it is known whose turn a message is.
            focus.shown.loaded.track();
            let of = |talk: &Conversation| Arc::new(Talk::new(talk, focus));
            fetched.value.with(|talk| talk.as_ref().map(of))
        },
        |_, _| true,
    );
    let any = Memo::new(move |_| talk.with(|talk| talk.as_ref().is_some_and(|talk| !talk.turns.is_empty())));
    let none = |talk: &Conversation| {
        talk.turns.is_empty().then(|| {
            view! {
                <div class="empty"><h2>"Nothing was said in this session"</h2>
                <p>"Its spans carry no messages: senders capture content only when they are told to."</p></div>
            }
        })
    };
    view! {
        <div class="panel view talk-view">
            <Fetched fetch=fetched what="the conversation" content=none />
            {move || any.get().then(|| told(talk, whole, focus))}
        </div>
    }
    .into_any()
}

type Told = Memo<Option<Arc<Talk>>>;

/// The messages. They stay when more is said: what was opened, and how many are shown.
fn told(talk: Told, whole: RwSignal<bool>, focus: Focus) -> AnyView {
    let turns = move || talk.get().map_or(0, |talk| talk.turns.len());
    let window = Memo::new(move |_| {
        let (from, to) = focus.window();
        talk.with(|talk| {
            let before = |at: i64| {
                talk.as_ref()
                    .map_or(0, |talk| talk.turns.partition_point(|turn| turn.at <= at))
            };
            let end = before(to);
            (before(from.saturating_sub(1)).min(end), end)
        })
    });
    let limit = RwSignal::new(2 * TOGETHER);
    let travels = Memo::new(move |_| focus.playhead.at.with(Option::is_some));
    let rests = use_rest(window);
    let place = NodeRef::<leptos::html::Div>::new();
    // The messages that are made: of an instant those before it. While it moves far they are no more than can be
    // seen, and of those that are there none is made anew.
    let made = Memo::new(move |before: Option<&(usize, usize)>| {
        let (from, to) = window.get();
        if !travels.get() {
            return (from, to.min(from + limit.get()));
        }
        let high = place.get_untracked().map_or(0, |place| place.client_height());
        let seen = (high / LOWEST + 1).unsigned_abs() as usize;
        let [first, least] = [2 * TOGETHER, seen].map(|count| to.saturating_sub(count).max(from));
        match before {
            _ if rests.get() => (first, to),
            Some((begin, end)) if *begin <= least && least < *end => (first.max(*begin), to),
            _ => (least, to),
        }
    });
    // What was said last by the instant is in view: its place is laid out from the bottom up.
    Effect::new(move |_| {
        if let (true, false, Some(place)) = (travels.get(), rests.get(), place.get_untracked()) {
            place.set_scroll_top(0);
        }
    });
    let each = move || {
        let (from, to) = made.get();
        (from..to).collect::<Vec<_>>()
    };
    // What comes late may have begun before all that was known.
    let first = Memo::new(move |_| focus.bounds().0);
    let one = move |at: usize| message(at, talk, first, focus);
    let earlier = move || {
        let (from, _) = made.get();
        let hidden = from.saturating_sub(window.get().0);
        (hidden > 0).then(
            || view! { <p class="muted">{format!("{} messages before", format::integer(hidden as i64))}</p> },
        )
    };
    let more = move || {
        let (_, to) = window.get();
        (!travels.get() && made.get().1 < to).then(|| {
            view! { <button class="more" on:click=move |_| limit.update(|limit| *limit += 2 * TOGETHER)>
            {format!("Show more of {}", format::integer(turns() as i64))}</button> }
        })
    };
    let unread = move || {
        talk.with(|talk| talk.as_ref().is_some_and(|talk| talk.more))
            .then(|| view! { <p class="muted">"The session says more than is read for one conversation; open its runs for the rest."</p> })
    };
    view! {
        <div class="talk" class:travels=travels node_ref=place tabindex="0" role="log" aria-label="Conversation">
            <div class="talk-all">
                {earlier}
                <For each key=|at| *at children=one />
                {more}{unread}
            </div>
        </div>
        {foot(talk, window, whole)}
    }
    .into_any()
}

/// Whether the window has stood still for a while.
fn use_rest(window: Memo<(usize, usize)>) -> Memo<bool> {
    let rested = RwSignal::new(window.get_untracked());
    Effect::new(move |_| {
        let here = window.get();
        let rest = move || {
            if window.try_get_untracked() == Some(here) {
                rested.set(here);
            }
        };
        set_timeout(rest, REST);
    });
    Memo::new(move |_| rested.get() == window.get())
}

/// How many messages there are, and a way to have long texts whole.
fn foot(talk: Told, window: Memo<(usize, usize)>, whole: RwSignal<bool>) -> AnyView {
    let text = move || {
        let (from, to) = window.get();
        format!(
            "{} of {} messages",
            format::integer((to - from) as i64),
            format::integer(talk.get().map_or(0, |talk| talk.turns.len()) as i64)
        )
    };
    let cut = move || {
        talk.with(|talk| talk.as_ref().is_some_and(|talk| talk.cut))
            .then(|| view! { " "<button class="fold" on:click=move |_| whole.set(true)>"load long texts whole"</button> })
    };
    view! { <div class="view-foot muted">{text}{cut}</div> }.into_any()
}

/// The message of a place, below the stages of the turn that begins with it. It is made anew when it says
/// something else.
fn message(at: usize, talk: Told, first: Memo<i64>, focus: Focus) -> AnyView {
    let turn = Memo::new(move |_| talk.with(|talk| talk.as_ref()?.turns.get(at).cloned()));
    let begins = move || talk.with(|talk| talk.as_ref()?.begins.get(at).copied().flatten());
    let strip = move || begins().and_then(|row| stages(row, focus));
    let said = move || {
        turn.with(|turn| {
            turn.as_ref()
                .map(|turn| turn_view(turn, first.get(), Some(focus.shown)))
        })
    };
    view! { <div class="said-at">{strip}{said}</div> }.into_any()
}

/// A turn's name and where its time went.
fn stages(row: u32, focus: Focus) -> Option<AnyView> {
    let loaded = focus.shown.loaded.get_untracked()?;
    let (columns, tree) = (&loaded.columns, &loaded.tree);
    let stages = Stages::of(columns, tree, row);
    let named: Vec<(&'static str, i64)> = stages.named().collect();
    let start = columns.start_time.get(row as usize).copied().unwrap_or(0);
    let first = focus.bounds().0;
    let most = named.iter().map(|(_, ns)| *ns).max().unwrap_or(0).max(1);
    let stage = |(name, ns): (&'static str, i64)| {
        let width = format!("width:{:.1}%", ns as f64 / most as f64 * 100.0);
        view! { <span class="stage"><span class="muted">{name}</span><b>{format::duration(ns)}</b><i style=width></i></span> }.into_any()
    };
    let cut = stages
        .interrupted
        .then(|| view! { <span class="badge cut">"\u{25d0} interrupted"</span> });
    let view = view! {
        <div class="turn-stages">
            <div class="row"><b>{columns.name(row as usize).to_owned()}</b>
                <span class="muted">{rows::after(start, first)}</span>{cut}</div>
            <div class="stages">{named.into_iter().map(stage).collect_view()}</div>
        </div>
    };
    Some(view.into_any())
}
