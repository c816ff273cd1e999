//! The conversation of the trace: who said what, each message once, tool calls with what came of them.

use super::message::{part, text_view};
use super::shared::Shown;
use crate::client::{self, Fetch, use_fetch_while};
use crate::components::states::Fetched;
use crate::state::playhead::Playhead;
use leptos::prelude::*;
use meshscope_api::conversation::{Outcome, Turn};
use meshscope_api::{Conversation, Params};
use meshscope_layout::format;
use meshscope_model::{Part, SpanId};

/// Bytes of a text that come with the conversation; more by a click.
const PREVIEW: u32 = 16 * 1024;
/// Turns that are shown at first, and added by a click.
const PAGE: usize = 200;

/// Asks for a conversation: of the trace, or of one span; whole, or with long texts cut.
pub(crate) fn use_conversation(
    shown: Shown,
    what: impl Fn() -> Option<(Option<String>, bool)> + Send + Sync + 'static,
) -> Fetch<Conversation> {
    let origin = client::origin();
    use_fetch_while(
        move || what().map(|what| (shown.id.get(), what)),
        move || shown.is_running(),
        move |(id, (span, whole)), abort| {
            let mut params = Params::default();
            params.set("span", span);
            params.set("preview", (!whole).then_some(PREVIEW));
            let origin = origin.clone();
            async move {
                let path = format!("traces/{}/conversation", meshscope_api::params::encode(&id));
                client::get::<Conversation>(&origin, &path, &params, abort.as_ref()).await
            }
        },
    )
}

/// The conversation.
#[component]
pub(crate) fn TalkView(shown: Shown) -> impl IntoView {
    let whole = RwSignal::new(false);
    let talk = use_conversation(shown, move || Some((None, whole.get())));
    let first = Memo::new(move |_| {
        shown
            .loaded
            .with(|loaded| loaded.as_ref().map_or(0, |loaded| loaded.bounds().0))
    });
    let limit = RwSignal::new(PAGE);
    view! {
        <div class="panel view talk-view">
            <Fetched fetch=talk what="the conversation" content=move |talk: &Conversation| {
                if talk.turns.is_empty() {
                    return view! {
                        <div class="empty"><h2>"Nothing was said in this trace"</h2>
                        <p>"Its spans carry no messages: senders capture content only when they are told to."</p></div>
                    }.into_any();
                }
                let (count, more) = (talk.turns.len(), talk.more);
                let turns = StoredValue::new(talk.turns.clone());
                let cut = talk.turns.iter().any(|turn| !turn.cut.is_empty() || turn.calls.iter().any(|call| call.bytes.is_some()));
                let page = move || {
                    let first = first.get();
                    turns.with_value(|turns| turns.iter().take(limit.get()).map(|turn| turn_view(turn, first, Some(shown))).collect_view())
                };
                view! {
                    <div class="talk" tabindex="0" role="log" aria-label="Conversation">
                        {page}
                        {move || (count > limit.get()).then(|| view! {
                            <button class="more" on:click=move |_| limit.update(|limit| *limit += PAGE)>
                                {format!("Show more of {}", format::integer(count as i64))}</button>
                        })}
                        {more.then(|| view! { <p class="muted">"The trace says more than is read for one conversation; open its spans for the rest."</p> })}
                    </div>
                    <div class="view-foot muted">
                        {if count == 1 { "1 message".to_owned() } else { format!("{} messages, each where it was said first", format::integer(count as i64)) }}
                        {cut.then(|| view! { " "<button class="fold" on:click=move |_| whole.set(true)>"load long texts whole"</button> })}
                    </div>
                }.into_any()
            } />
        </div>
    }
}

/// A turn. `first` is the start of the trace; with `shown` its head selects the span.
pub(crate) fn turn_view(turn: &Turn, first: i64, shown: Option<Shown>) -> AnyView {
    let role = turn.message.role.to_lowercase();
    let class = format!(
        "turn is-{}",
        if ["system", "user", "assistant", "tool"].contains(&role.as_str()) {
            role.as_str()
        } else {
            "other"
        }
    );
    // Whose message it is; of one that an agent was given, whom it was for.
    let given = matches!(role.as_str(), "user" | "system");
    let agent = |agent: String| if given { format!("to {agent}") } else { agent };
    let who = turn
        .message
        .name
        .clone()
        .or_else(|| turn.agent.clone().map(agent));
    let mut facts: Vec<String> = Vec::new();
    facts.extend(who.filter(|who| *who != role));
    facts.extend(turn.model.clone().filter(|_| turn.duration_ns.is_some()));
    let mut times: Vec<String> = Vec::new();
    times.extend(
        turn.time_to_first_token_ns
            .map(|ns| format!("first token {}", format::duration(ns))),
    );
    times.extend(
        turn.duration_ns
            .map(|ns| format!("took {}", format::duration(ns))),
    );
    if shown.is_some() {
        times.push(format!("+{}", format::duration(turn.at.saturating_sub(first))));
    }
    let finish = turn
        .message
        .finish_reason
        .clone()
        .filter(|reason| !["stop", "end_turn", "tool_calls", "tool_use"].contains(&reason.as_str()));
    let finish = finish.map(|reason| view! { <span class="badge">{format!("ended by {reason}")}</span> });
    let error = turn.error.clone().map(|error| {
        let text = if error.is_empty() {
            "failed".to_owned()
        } else {
            format!("failed: {error}")
        };
        view! { <div class="error-text">"\u{25cf} "{text}</div> }
    });
    let parts = turn.message.parts.iter().zip(0_u32..).map(|(part, at)| {
        let cut = turn.cut.iter().find(|cut| cut.part == at).map(|cut| cut.bytes);
        let outcome = turn.calls.iter().find(|call| call.part == at);
        part_view(part, cut, outcome, shown)
    });
    let parts = parts.collect_view();
    let body = if role == "system" && turn.message.text().len() > 300 {
        view! { <details class="reasoning"><summary>{first_line(&turn.message.text())}</summary>{parts}</details> }.into_any()
    } else {
        parts.into_any()
    };
    let head = head(
        turn.span_id,
        &role,
        &facts.join(" \u{b7} "),
        &times.join(" \u{b7} "),
        shown,
    );
    view! { <article class=class>{head}{body}{error}{finish}</article> }.into_any()
}

fn first_line(text: &str) -> String {
    let line: String = text
        .trim()
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect();
    format!("{line}\u{2026}")
}

/// Who speaks, and when; a button that selects the span.
fn head(span: SpanId, role: &str, facts: &str, times: &str, shown: Option<Shown>) -> AnyView {
    let words = view! {
        <span class="role">{role.to_owned()}</span><span class="muted">{facts.to_owned()}</span>
        <span class="grow"></span><span class="muted nowrap">{times.to_owned()}</span>
    };
    let Some(shown) = shown else {
        return view! { <div class="turn-head">{words}</div> }.into_any();
    };
    let id = span.to_string();
    let (mine, chosen) = (id.clone(), id.clone());
    let on = move || shown.span.with(|span| span.as_deref() == Some(mine.as_str()));
    let choose = move |_| shown.select.run(Some(chosen.clone()));
    view! { <button class="turn-head" class:on=on title=format!("Select span {id}") on:click=choose>{words}</button> }.into_any()
}

fn cut_note(bytes: i64) -> impl IntoView {
    view! { <div class="muted">{format!("the beginning of {}", format::bytes(bytes.unsigned_abs()))}</div> }
}

fn part_view(one: &Part, cut: Option<i64>, outcome: Option<&Outcome>, shown: Option<Shown>) -> AnyView {
    let note = cut.map(cut_note);
    let Part::ToolCall { name, arguments, .. } = one else {
        if let (Some(bytes), Part::Blob { mime_type, .. }) = (cut, one) {
            let kind = mime_type.clone().unwrap_or_else(|| "binary".to_owned());
            let size = format::bytes(bytes.unsigned_abs() / 4 * 3);
            return view! { <div class="muted">{format!("{kind}, {size}; load it whole to open it")}</div> }
                .into_any();
        }
        return view! { {part(one)}{note} }.into_any();
    };
    let came = outcome.map(|outcome| outcome_view(outcome, shown));
    let took = outcome
        .and_then(|outcome| outcome.duration_ns)
        .map(format::duration);
    let given = (!["", "{}"].contains(&arguments.as_str()))
        .then(|| view! { <div class="mono">{text_view(arguments.clone())}</div> });
    view! {
        <div class="tool-call">
            <div class="call"><span class="muted">"calls "</span><b class="mono">{name.clone()}</b>
                <span class="grow"></span><span class="muted">{took}</span></div>
            {given}{note}{came}
        </div>
    }
    .into_any()
}

/// What came of a call.
fn outcome_view(outcome: &Outcome, shown: Option<Shown>) -> AnyView {
    let error = outcome.error.clone().map(|error| {
        let text = if error.is_empty() {
            "failed".to_owned()
        } else {
            format!("failed: {error}")
        };
        view! { <div class="error-text">"\u{25cf} "{text}</div> }
    });
    let nothing = outcome.result.is_none() && outcome.error.is_none();
    let result = outcome.result.clone().map(|text| match text.as_str() {
        "" => view! { <div class="muted">"an empty answer"</div> }.into_any(),
        _ => view! { <div class="mono">{text_view(text)}</div> }.into_any(),
    });
    let note = outcome.bytes.map(cut_note);
    let span = outcome.span_id.zip(shown).map(|(span, shown)| {
        let choose = move |_| shown.select.run(Some(span.to_string()));
        view! { <button class="fold" on:click=choose>"its span"</button> }
    });
    // Of one span alone it is not known what others answered.
    if nothing && shown.is_none() {
        return ().into_any();
    }
    let word = if nothing {
        "no answer was captured "
    } else {
        "answers "
    };
    // Within a session that is looked at as of an instant, what came later is not there yet.
    let place = use_context::<Playhead>().zip(outcome.span_id.zip(shown));
    let later = move || {
        place.is_some_and(|(playhead, (span, shown))| {
            playhead.at.with(Option::is_some)
                && shown.loaded.with(|loaded| {
                    let ends = loaded.as_ref().and_then(|loaded| {
                        let row = loaded.tree.row_of(&loaded.columns, span.as_u64())?;
                        Some(loaded.columns.end_time(row as usize))
                    });
                    ends.is_some_and(|ends| !playhead.has_passed(ends))
                })
        })
    };
    view! { <div class="outcome" class:later=later><div class="muted">{word}{span}</div>{error}{result}{note}</div> }.into_any()
}
