//! The spans of both traces, those that go together on one line.

use super::{Both, CHANGES, One, class_of};
use crate::components::virtual_list::VirtualList;
use crate::pages::trace::grid::step;
use crate::pages::trace::shared::span_id;
use crate::pages::trace::talk::turn_view;
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_analysis::Pair;
use meshscope_analysis::compare::change;
use meshscope_layout::format;
use meshscope_model::Direction;
use meshscope_model::columns::ABSENT;
use std::sync::Arc;

/// Indent of a level, px; deeper than some levels nothing moves any more.
const INDENT: u32 = 12;
const DEEPEST: u32 = 24;

/// Counts of all changes, which filter the list below.
#[component]
pub(crate) fn Pairs(both: Arc<Both>) -> impl IntoView {
    let show = param("show");
    let patch = use_patch();
    let same = both.comparison.is_same();
    let filter = Memo::new(move |_| {
        show.with(|show| match show.as_deref() {
            Some("all") => None,
            Some(word) => CHANGES
                .iter()
                .find(|(known, ..)| *known == word)
                .map(|(_, bit, ..)| *bit),
            None if same => None,
            None => Some(u16::MAX),
        })
    });
    let button = {
        let patch = patch.clone();
        move |(word, title, bits): (&'static str, String, Option<u16>)| {
            let patch = patch.clone();
            let on = move || filter.get() == bits;
            view! {
                <button class="pill" class:on=on aria-pressed=move || on().to_string()
                    on:click=move |_| patch(&[("show", Some(word.to_owned()))])>{title}</button>
            }
        }
    };
    let all = format!("all {}", format::integer(both.comparison.pairs.len() as i64));
    let counted = CHANGES.iter().filter_map(|(word, bit, title, sign)| {
        let count = both.comparison.count(*bit);
        (count > 0).then(|| (*word, format!("{sign} {count} {title}"), Some(*bit)))
    });
    let changed = (!same).then(|| ("", "all changes".to_owned(), Some(u16::MAX)));
    let buttons: Vec<_> = changed
        .into_iter()
        .chain(counted)
        .chain([("all", all, None)])
        .map(button)
        .collect();
    let said = if same {
        "The traces are the same: nothing came, went or changed beyond 10 %."
    } else {
        ""
    };
    let kept = Arc::clone(&both);
    let rows = Memo::new(move |before: Option<&(u64, Arc<Vec<usize>>)>| {
        let fits = |pair: &Pair| filter.get().is_none_or(|bits| pair.changes & bits != 0);
        let rows = kept
            .comparison
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| fits(pair));
        let rows = rows.map(|(at, _)| at).collect();
        (before.map_or(0, |(version, _)| *version) + 1, Arc::new(rows))
    });
    let at_hand = param("pair");
    let place = Memo::new(move |_| {
        let wanted = at_hand.get()?.parse::<usize>().ok()?;
        rows.with(|(_, rows)| rows.iter().position(|at| *at == wanted))
    });
    let choose = Callback::new(move |at: usize| {
        let pair = rows.with_untracked(|(_, rows)| rows.get(at).copied());
        patch(&[("pair", pair.map(|pair| pair.to_string()))]);
    });
    let count = Signal::derive(move || rows.with(|(_, rows)| rows.len()));
    let version = Signal::derive(move || rows.with(|(version, _)| *version));
    let row = {
        let both = Arc::clone(&both);
        move |at: usize| {
            let pair = rows.with_untracked(|(_, rows)| rows.get(at).copied());
            let pair = pair.and_then(|pair| both.comparison.pairs.get(pair));
            pair.map(|pair| pair_row(&both, pair, at, place, choose))
                .into_any()
        }
    };
    let typed = move |event: web_sys::KeyboardEvent| {
        if let Some(to) = step(&event.key(), place.get_untracked(), count.get_untracked()) {
            choose.run(to);
            event.prevent_default();
            event.stop_propagation();
        }
    };
    let opened = move || {
        let pair = at_hand.get()?.parse::<usize>().ok()?;
        let pair = *both.comparison.pairs.get(pair)?;
        let both = Arc::clone(&both);
        Some(view! { <Opened both pair /> })
    };
    view! {
        <div class="row" role="toolbar" aria-label="What is listed">{buttons}<span class="muted">{said}</span></div>
        <div class="panel pairs-panel">
            <div class="grid pairs" role="grid" tabindex="0" aria-label="Spans of both traces" aria-colcount="9"
                aria-rowcount=move || (count.get() + 1).to_string()
                aria-activedescendant=move || place.get().map(|at| format!("pair-{at}")) on:keydown=typed>
                <VirtualList count version shown=Signal::derive(move || place.get()) row>
                    <div class="grid-row grid-head" role="row" aria-rowindex="1">
                        {["", "Span", "Service"].map(|title| view! { <div role="columnheader" class="cell">{title}</div> })}
                        {["A", "B", "Change", "A cost", "B cost"].map(|title| view! { <div role="columnheader" class="cell num">{title}</div> })}
                        <div role="columnheader" class="cell">"What changed"</div>
                    </div>
                </VirtualList>
            </div>
        </div>
        {opened}
    }
}

/// A figure of a row that may be absent.
fn figure(column: &[i64], row: Option<u32>, text: fn(i64) -> String) -> String {
    let figure = row.and_then(|row| column.get(row as usize).copied());
    figure
        .filter(|figure| *figure != ABSENT)
        .map(text)
        .unwrap_or_default()
}

fn pair_row(
    both: &Both,
    pair: &Pair,
    at: usize,
    place: Memo<Option<usize>>,
    choose: Callback<usize>,
) -> AnyView {
    let (left, right) = (&both.left.loaded.columns, &both.right.loaded.columns);
    let name = |text: fn(&meshscope_model::SpanColumns, usize) -> &str| {
        let of = |columns, row: Option<u32>| row.map(|row| text(columns, row as usize).to_owned());
        of(right, pair.right)
            .or_else(|| of(left, pair.left))
            .unwrap_or_default()
    };
    let (title, service) = (
        name(|columns, row| columns.name(row)),
        name(|columns, row| columns.service(row)),
    );
    let (sign, class) = match pair.changes {
        bits if bits & change::ADDED != 0 => ("+", "added"),
        bits if bits & change::REMOVED != 0 => ("\u{2212}", "removed"),
        _ => ("", ""),
    };
    let durations = figure(&left.duration, pair.left, format::duration);
    let duration_after = figure(&right.duration, pair.right, format::duration);
    let before = pair.left.and_then(|row| left.duration.get(row as usize).copied());
    let after = pair
        .right
        .and_then(|row| right.duration.get(row as usize).copied());
    let differs = after.zip(before).filter(|_| pair.duration.is_some());
    let differs = differs.and_then(|(after, before)| format::change(after, before));
    let costs = [
        figure(&both.left.costs, pair.left, format::cost),
        figure(&both.right.costs, pair.right, format::cost),
    ];
    let speed = match pair.changes {
        bits if bits & change::SLOWER != 0 => "cell num worse",
        bits if bits & change::FASTER != 0 => "cell num better",
        _ => "cell num muted",
    };
    let words = CHANGES.iter().filter(|(_, bit, ..)| pair.changes & bit != 0);
    let words = words
        .map(|(_, bit, title, sign)| view! { <span class=class_of(*bit)>{format!("{sign} {title}")}</span> });
    let words = words.collect_view();
    let indent = format!("padding-left:{}px", pair.depth.min(DEEPEST) * INDENT);
    let on = move || place.get() == Some(at);
    let cell = |text: String| view! { <div role="gridcell" class="cell num">{text}</div> };
    view! {
        <div class=format!("grid-row compare-row {class}") role="row" id=format!("pair-{at}") aria-rowindex=(at + 2).to_string()
            class:on=on aria-selected=move || on().to_string() on:click=move |_| choose.run(at)>
            <div role="gridcell" class="cell">{sign}</div>
            <div role="gridcell" class="cell title" title=title.clone() style=indent>{title.clone()}</div>
            <div role="gridcell" class="cell muted">{service}</div>
            {cell(durations)}{cell(duration_after)}
            <div role="gridcell" class=speed>{differs}</div>
            {costs.map(cell)}
            <div role="gridcell" class="cell change">{words}</div>
        </div>
    }
    .into_any()
}

/// The pair at hand: what each span said, and ways to them.
#[component]
fn Opened(both: Arc<Both>, pair: Pair) -> impl IntoView {
    view! {
        <div class="compare-heads">
            {side(&both.left, pair.left, "A")}
            {side(&both.right, pair.right, "B")}
        </div>
    }
}

fn side(one: &One, row: Option<u32>, mark: &'static str) -> AnyView {
    let Some(row) = row else {
        return view! { <section class="panel card"><p class="muted">{format!("{mark} has no such span")}</p></section> }.into_any();
    };
    let columns = &one.loaded.columns;
    let (id, name) = (span_id(columns, row), columns.name(row as usize).to_owned());
    let href = use_href()(&format!("/traces/{}?span={id}", one.id));
    let spoken = one.talk.iter().flat_map(|talk| &talk.turns);
    let made =
        spoken.filter(|turn| turn.span_id.to_string() == id && turn.message.direction == Direction::Output);
    let turns: Vec<AnyView> = made.map(|turn| turn_view(turn, 0, None)).collect();
    let message = columns
        .string(columns.message.get(row as usize).copied().unwrap_or(0))
        .to_owned();
    let error = (!message.is_empty()).then(|| view! { <div class="error-text">"\u{25cf} "{message}</div> });
    let none = turns
        .is_empty()
        .then(|| view! { <p class="muted">"It says nothing of its own."</p> });
    view! {
        <section class="panel card">
            <h2><span class="badge">{mark}</span>" "<A href=href>{name}</A></h2>
            {error}{turns}{none}
        </section>
    }
    .into_any()
}
