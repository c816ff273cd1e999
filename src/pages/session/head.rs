//! What ran, where, how long, how it ended, and what it used: all of it, or up to the instant.

use super::Focus;
use crate::components::badge::{Blocked, Errors, Interrupted, Status, SystemBadge};
use crate::components::copy::Copy;
use crate::components::fact::Fact;
use crate::components::time_text::moment;
use crate::pages::sessions::{cost, tokens};
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
fn figure(name: &'static str, value: impl Fn() -> String + Send + Sync + 'static, title: String) -> AnyView {
    view! { <div class="fact" title=title><div class="k">{name}</div><div class="v">{value}</div></div> }
        .into_any()
}

fn figures(focus: Focus) -> AnyView {
    let state = use_state(focus);
    let ledger = focus.ledger;
    let of = move |read: fn(&Session) -> String| {
        focus
            .viewed
            .detail
            .value
            .with(|detail| detail.as_ref().map(|detail| read(&detail.session)))
            .unwrap_or_default()
    };
    let at = focus.playhead.at;
    let count = |n: usize| format::integer(n as i64);
    let used = move |cost_of: bool| {
        let Some(at) = at.get() else {
            return of(if cost_of {
                |s| cost(s.cost_pico_usd, s.unpriced_calls > 0)
            } else {
                |s| tokens(s.tokens.total)
            });
        };
        ledger.value.with(|ledger| match ledger {
            None => "\u{2026}".to_owned(),
            Some(ledger) if cost_of => {
                let unpriced = ledger.unpriced.at(at).is_some();
                ledger
                    .cost
                    .at(at)
                    .map_or_else(|| "\u{2013}".to_owned(), |pico| cost(Some(pico), unpriced))
            }
            Some(ledger) => tokens(ledger.tokens.at(at)),
        })
    };
    let duration = move || match at.get() {
        None => of(|s| format::duration(s.duration_ns)),
        Some(at) => {
            let (first, _) = focus.bounds();
            format::duration(at.saturating_sub(first).max(0))
        }
    };
    let runs = move || {
        let state = state.get();
        match (at.get(), state.runs - state.runs_ended) {
            (None, _) => of(|s| format::integer(i64::from(s.traces))),
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
    let trouble = move || {
        let state = state.get();
        match (state.errors, state.blocked) {
            (0, 0) => "none".to_owned(),
            (errors, 0) => format!("{errors} failed"),
            (0, blocked) => format!("{blocked} blocked"),
            (errors, blocked) => format!("{errors} failed, {blocked} blocked"),
        }
    };
    let working = move || {
        let at = at.get().unwrap_or(i64::MAX);
        let names = focus.viewed.held.with(|held| {
            let held = held.as_ref()?;
            let lane = held
                .timeline
                .lanes
                .iter()
                .find(|lane| lane.kind == LaneKind::Tools)?;
            let columns = &held.loaded.columns;
            let name = |place: u32| {
                let row = lane.stretches.get(place as usize)?.row as usize;
                let tool = columns.tool.get(row).map(|tool| columns.string(*tool));
                Some(
                    tool.filter(|tool| !tool.is_empty())
                        .unwrap_or(columns.name(row))
                        .to_owned(),
                )
            };
            Some(
                held.moments
                    .tools
                    .open_at(at, NAMED)
                    .into_iter()
                    .filter_map(name)
                    .collect::<Vec<_>>(),
            )
        });
        let names = names.unwrap_or_default();
        match state.get().tools.saturating_sub(names.len()) {
            0 if names.is_empty() => "none".to_owned(),
            0 => names.join(", "),
            more => format!("{} +{more}", names.join(", ")),
        }
    };
    let tools = move || {
        let past = at.with(Option::is_some);
        past.then(|| figure("Tools at work", working, String::new()))
    };
    view! {
        <div class="facts session-facts" class:past=move || at.get().is_some()>
            {figure("Duration", duration, String::new())}
            {figure("Runs", runs, String::new())}
            {figure("Spans", spans, String::new())}
            {figure("Logs", move || count(state.get().logs), String::new())}
            {figure("Tokens", move || used(false), "of the ledger's calls".to_owned())}
            {figure("Cost", move || used(true), "of the ledger's calls".to_owned())}
            {figure("First token", move || of(|s| s.time_to_first_token_ns.p50.map_or_else(|| "\u{2013}".to_owned(), format::duration)), "median of its calls".to_owned())}
            {figure("Trouble", trouble, String::new())}
            {tools}
        </div>
    }
    .into_any()
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
