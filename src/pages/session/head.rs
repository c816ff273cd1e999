//! What ran, where, how long, how it ended, and what it used: all of it, or up to the instant.

use super::Focus;
use crate::components::badge::{Blocked, Errors, Interrupted, Status, SystemBadge};
use crate::components::copy::Copy;
use crate::components::fact::Fact;
use crate::components::figures::{money, tokens};
use crate::components::time_text::moment;
use crate::state::use_href;
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_analysis::{LaneKind, State};
use meshscope_api::Session;
use meshscope_api::params::encode;
use meshscope_layout::format;

/// Tools at work that are named.
const NAMED: usize = 3;

/// How the session stands at the instant, or all of it.
pub(super) fn use_state(focus: Focus) -> Memo<State> {
    Memo::new(move |_| {
        let at = focus.playhead.at.get().unwrap_or(i64::MAX);
        focus
            .viewed
            .held
            .with(|held| held.as_ref().map(|held| held.moments.at(at)))
            .unwrap_or_default()
    })
}

/// Heading and figures.
pub(super) fn head(focus: Focus) -> AnyView {
    let session = move || {
        focus
            .viewed
            .detail
            .value
            .with(|detail| detail.as_ref().map(|detail| detail.session.clone()))
    };
    view! {
        {move || session().map(|session| heading(&session))}
        {figures(focus)}
        {move || session().map(|session| place(&session))}
    }
    .into_any()
}

fn heading(s: &Session) -> AnyView {
    let href = use_href();
    let compare = (s.traces > 0).then(|| {
        // The list knows what is picked by the id as a path takes it.
        let to = href(&format!("/sessions?pick={}", encode(&encode(&s.session_id))));
        view! { <A href=to attr:class="pill" attr:title="Choose another session to compare this one with">"Compare\u{2026}"</A> }
    });
    view! {
        <div class="heading">
            <h1>{s.title.clone()}</h1>
            <SystemBadge system=s.system />
            <Status status=s.status />
            <Errors count=s.errors word=true />
            <Blocked count=s.blocked word=true />
            <Interrupted count=s.interrupted word=true />
            <span class="mono muted clip">{s.session_id.clone()}</span>
            <Copy text=s.session_id.clone() label="the session id" />
            <div class="grow"></div>
            {compare}
        </div>
    }
    .into_any()
}

/// A figure that follows the playhead.
fn figure(
    name: &'static str,
    value: impl Fn() -> String + Send + Sync + 'static,
    title: &'static str,
) -> AnyView {
    view! { <div class="fact" title=title><div class="k">{name}</div><div class="v">{value}</div></div> }
        .into_any()
}

fn figures(focus: Focus) -> AnyView {
    let state = use_state(focus);
    let at = focus.playhead.at;
    let count = |n: usize| format::integer(n as i64);
    let used = Memo::new(move |_| match at.get() {
        None => of(focus, |s| {
            let unpriced = s.unpriced_calls > 0;
            (
                tokens(s.tokens.total),
                money(s.tokens.total, s.cost_pico_usd, unpriced),
            )
        }),
        Some(at) => focus.used_at(at, |ledger| Some(&ledger.all)),
    });
    let duration = move || match at.get() {
        None => of(focus, |s| format::duration(s.duration_ns)),
        Some(at) => {
            let (first, _) = focus.bounds();
            format::duration(at.saturating_sub(first).max(0))
        }
    };
    let runs = move || {
        let state = state.get();
        match (at.get(), state.runs - state.runs_ended) {
            (None, _) => of(focus, |s| format::integer(i64::from(s.traces))),
            (_, 0) => count(state.runs),
            (_, open) => format!("{} ({open} running)", state.runs),
        }
    };
    let spans = move || {
        let state = state.get();
        match state.spans - state.spans_ended {
            0 => count(state.spans),
            open => format!("{} ({} open)", count(state.spans), count(open)),
        }
    };
    view! {
        <div class="facts session-facts" class:past=move || at.get().is_some()>
            {figure("Duration", duration, "")}
            {figure("Runs", runs, "")}
            {figure("Spans", spans, "")}
            {figure("Logs", move || count(state.get().logs), "")}
            {figure("Tokens", move || used.get().0, "of the ledger's calls")}
            {figure("Cost", move || used.get().1, "of the ledger's calls")}
            {figure("Trouble", move || trouble(state.get()), "")}
            {move || if at.with(Option::is_some) {
                figure("Tools at work", move || working(focus, state.get()), "")
            } else {
                figure("First token", move || of(focus, first_token), "median of its calls")
            }}
        </div>
    }
    .into_any()
}

/// What the session says of itself.
fn of<T: Default>(focus: Focus, read: fn(&Session) -> T) -> T {
    let detail = focus.viewed.detail.value;
    let said = detail.with(|detail| detail.as_ref().map(|detail| read(&detail.session)));
    said.unwrap_or_default()
}

/// How long its calls took to their first token, by the whole session.
fn first_token(s: &Session) -> String {
    let median = s.time_to_first_token_ns.p50;
    median.map_or_else(|| "\u{2013}".to_owned(), format::duration)
}

fn trouble(state: State) -> String {
    match (state.errors, state.blocked) {
        (0, 0) => "none".to_owned(),
        (errors, 0) => format!("{errors} failed"),
        (0, blocked) => format!("{blocked} blocked"),
        (errors, blocked) => format!("{errors} failed, {blocked} blocked"),
    }
}

/// The tools that are at work at the instant.
fn working(focus: Focus, state: State) -> String {
    let at = focus.playhead.at.get().unwrap_or(i64::MAX);
    let names = focus.viewed.held.with(|held| {
        let held = held.as_ref()?;
        let mut lanes = held.timeline.lanes.iter();
        let lane = lanes.find(|lane| lane.kind == LaneKind::Tools)?;
        let columns = &held.loaded.columns;
        let name = |place: u32| {
            let row = lane.stretches.get(place as usize)?.row as usize;
            let tool = columns.tool.get(row).map(|tool| columns.string(*tool));
            let name = tool.filter(|tool| !tool.is_empty());
            Some(name.unwrap_or(columns.name(row)).to_owned())
        };
        let open = held.moments.tools.open_at(at, NAMED);
        Some(open.into_iter().filter_map(name).collect::<Vec<_>>())
    });
    let names = names.unwrap_or_default();
    match state.tools.saturating_sub(names.len()) {
        0 if names.is_empty() => "none".to_owned(),
        0 => names.join(", "),
        more => format!("{} +{more}", names.join(", ")),
    }
}

/// Where and when, and who took part.
fn place(s: &Session) -> AnyView {
    let place = [Some(s.project.clone()), s.room.clone()];
    let place: Vec<String> = place.into_iter().flatten().collect();
    let ended = s.ended_at.map_or_else(|| "still active".to_owned(), moment);
    let none = |names: &[String]| {
        if names.is_empty() {
            "\u{2013}".to_owned()
        } else {
            names.join(", ")
        }
    };
    view! {
        <div class="facts small">
            <Fact name="Started" value=moment(s.started_at) />
            <Fact name="Ended" value=ended />
            <Fact name="Place" value=place.join(" / ") />
            <Fact name="Agents" value=none(&s.agents) />
            <Fact name="Models" value=none(&s.models) />
        </div>
    }
    .into_any()
}
