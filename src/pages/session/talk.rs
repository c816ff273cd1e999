//! What was said in the session up to the instant, with where the time of each turn went.

use super::data::{path_of, scoped};
use super::{Focus, rows};
use crate::client::{self, ask, use_fetch_while};
use crate::components::states::Fetched;
use crate::pages::trace::talk::turn_view;
use leptos::prelude::*;
use meshscope_analysis::{Stages, turn_of};
use meshscope_api::Conversation;
use meshscope_api::conversation::Turn;
use meshscope_layout::format;
use std::sync::Arc;
use wasm_bindgen::JsCast as _;

/// Bytes of a text that come with the conversation.
const PREVIEW: u32 = 4 * 1024;
/// Turns that are made together.
const TOGETHER: usize = 30;
/// The same at an instant: as many as are made within a frame.
const AT_ONCE: usize = 10;

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
    let origin = StoredValue::new(client::origin());
    let whole = RwSignal::new(false);
    let viewed = focus.viewed;
    let fetched = use_fetch_while(
        move || Some((viewed.which.get(), viewed.version.get(), whole.get())),
        || false,
        move |(which, _, whole), abort| async move {
            let mut params = scoped(&which);
            params.set("preview", (!whole).then_some(PREVIEW));
            let path = path_of(&which, "/conversation");
            ask::<Conversation>(path, params, origin, abort).await
        },
    );
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
    // The messages that are made: around the instant, where there is one. Those behind it wait unseen, so that
    // a frame of scrubbing makes none.
    let made = Memo::new(move |_| {
        let (from, to) = window.get();
        if !travels.get() {
            return (from, to.min(from + limit.get()));
        }
        let first = (to / AT_ONCE).saturating_sub(2) * AT_ONCE;
        (first.max(from), (first + 4 * AT_ONCE).min(turns()))
    });
    let each = move || {
        let (from, to) = made.get();
        (from..to).collect::<Vec<_>>()
    };
    // What comes late may have begun before all that was known.
    let first = Memo::new(move |_| focus.bounds().0);
    let one = move |at: usize| message(at, talk, window, first, focus);
    // What was said last by the instant is in view.
    let place = NodeRef::<leptos::html::Div>::new();
    Effect::new(move |_| {
        if let (true, Some(last)) = (travels.get(), window.get().1.checked_sub(1))
            && let Some(element) = document().get_element_by_id(&format!("said-{last}"))
            && let (Ok(element), Some(place)) =
                (element.dyn_into::<web_sys::HtmlElement>(), place.get_untracked())
        {
            let bottom = element.offset_top() + element.offset_height() - place.offset_top();
            place.set_scroll_top((bottom + 12 - place.client_height()).max(0));
        }
    });
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
        <div class="talk" node_ref=place tabindex="0" role="log" aria-label="Conversation">
            {earlier}
            <For each key=|at| *at children=one />
            {more}{unread}
        </div>
        {foot(talk, window, whole)}
    }
    .into_any()
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
fn message(at: usize, talk: Told, window: Memo<(usize, usize)>, first: Memo<i64>, focus: Focus) -> AnyView {
    let turn = Memo::new(move |_| talk.with(|talk| talk.as_ref()?.turns.get(at).cloned()));
    let begins = move || talk.with(|talk| talk.as_ref()?.begins.get(at).copied().flatten());
    let strip = move || begins().and_then(|row| stages(row, focus));
    let said = move || {
        turn.with(|turn| {
            turn.as_ref()
                .map(|turn| turn_view(turn, first.get(), Some(focus.shown)))
        })
    };
    let later = move || window.with(|(_, to)| at >= *to);
    view! { <div class="said-at" class:later=later id=format!("said-{at}")>{strip}{said}</div> }.into_any()
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
