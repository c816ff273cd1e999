//! The trace as a table: one row a span in any order, or one row for all spans that have something in
//! common.

use super::Loaded;
use super::grid::{Head, Heads, sort_key, step, use_sorted};
use super::only::{BYS, OnlyMark, rows};
use super::shared::{Services, Shown, span_id};
use super::statistics::Statistics;
use crate::components::virtual_list::VirtualList;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_analysis::order::{Column, order};
use meshscope_analysis::own_times;
use meshscope_layout::format;
use meshscope_model::columns::{ABSENT, flag};
use std::sync::Arc;

const HEADS: [Head; 13] = [
    Head::text("name", "Name"),
    Head::text("service", "Service"),
    Head::text("agent", "Agent"),
    Head::text("model", "Model"),
    Head::text("tool", "Tool"),
    Head::number("start", "Start", "From the start of the trace"),
    Head::number("duration", "Duration", ""),
    Head::number("own", "Self", "Time less that of the children"),
    Head::number("first", "First token", "Time to first token"),
    Head::number("in", "Tokens in", ""),
    Head::number("out", "Tokens out", ""),
    Head::number("cost", "Cost", ""),
    Head::text("trouble", "Trouble"),
];

/// In the order of [`HEADS`].
const COLUMNS: [Column; 13] = [
    Column::Name,
    Column::Service,
    Column::Agent,
    Column::Model,
    Column::Tool,
    Column::Start,
    Column::Duration,
    Column::Own,
    Column::FirstToken,
    Column::InputTokens,
    Column::OutputTokens,
    Column::Cost,
    Column::Trouble,
];

/// Of no table: by start.
const BY_START: (usize, bool) = (5, true);

/// The table, and what it is a table of.
#[component]
pub(crate) fn TableView(shown: Shown) -> impl IntoView {
    let by = param("by");
    let patch = use_patch();
    let grouped = Memo::new(move |_| {
        let by = by.get()?;
        BYS.iter().position(|(_, word, _)| *word == by)
    });
    let button = move |(at, title): (Option<usize>, &'static str)| {
        let patch = patch.clone();
        let word = at
            .and_then(|at| BYS.get(at))
            .map(|(_, word, _)| (*word).to_owned());
        let on = move || grouped.get() == at;
        view! {
            <button class="pill" class:on=on aria-pressed=move || on().to_string()
                on:click=move |_| patch(&[("by", word.clone()), ("sort", None)])>{title}</button>
        }
    };
    let groups = BYS
        .iter()
        .enumerate()
        .map(|(at, (_, _, title))| (Some(at), *title));
    let buttons = std::iter::once((None, "Spans"))
        .chain(groups)
        .map(button)
        .collect_view();
    view! {
        <div class="panel view">
            <div class="view-bar" role="toolbar" aria-label="What a row stands for">
                {buttons}
                <div class="grow"></div>
                <OnlyMark />
            </div>
            {move || match grouped.get() {
                Some(at) => view! { <Statistics shown at /> }.into_any(),
                None => view! { <Spans shown /> }.into_any(),
            }}
        </div>
    }
}

/// What the rows are made of.
#[derive(Clone)]
struct Made {
    /// Grows each time.
    version: u64,
    loaded: Arc<Loaded>,
    services: Arc<Services>,
    own: Arc<Vec<i64>>,
    rows: Arc<Vec<u32>>,
}

impl PartialEq for Made {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

#[component]
fn Spans(shown: Shown) -> impl IntoView {
    let sorted = use_sorted(&HEADS, BY_START);
    let only = param("only");
    let base = Memo::new(move |before: Option<&Option<Made>>| {
        let loaded = shown.loaded.get()?;
        Some(Made {
            version: before.and_then(Option::as_ref).map_or(0, |made| made.version) + (1 << 32),
            services: Arc::new(Services::of(&loaded.columns)),
            own: Arc::new(own_times(&loaded.columns, &loaded.tree)),
            rows: Arc::default(),
            loaded,
        })
    });
    let made = Memo::new(move |before: Option<&Option<Made>>| {
        let mut made = base.get()?;
        let mut rows = rows(&made.loaded, only.get().as_deref());
        let (at, ascending) = sorted.get();
        let column = COLUMNS.get(at).copied().unwrap_or(Column::Start);
        order(&made.loaded.columns, &made.own, &mut rows, column, ascending);
        made.rows = Arc::new(rows);
        made.version = made
            .version
            .max(before.and_then(Option::as_ref).map_or(0, |made| made.version))
            + 1;
        Some(made)
    });
    let count = Signal::derive(move || made.with(|made| made.as_ref().map_or(0, |made| made.rows.len())));
    let version = Signal::derive(move || made.with(|made| made.as_ref().map_or(0, |made| made.version)));
    let place = Memo::new(move |_| {
        let row = shown.row()?;
        made.with(|made| made.as_ref()?.rows.iter().position(|other| *other == row))
    });
    let row = move |at: usize| {
        let made = made.get_untracked();
        made.and_then(|made| Some(span_row(&made, *made.rows.get(at)?, at, shown)))
            .into_any()
    };
    let patch = use_patch();
    let typed = move |event: web_sys::KeyboardEvent| {
        let key = event.key();
        if let Some(sort) = sort_key(&key, &HEADS, sorted.get_untracked()) {
            patch(&[("sort", Some(sort))]);
        } else if let Some(to) = step(&key, place.get_untracked(), count.get_untracked()) {
            let row = made.with_untracked(|made| made.as_ref()?.rows.get(to).copied());
            row.into_iter().for_each(|row| shown.choose(row));
        } else if key == "Escape" {
            shown.select.run(None);
        } else {
            return;
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let active = move || shown.span.get().map(|id| format!("row-{id}"));
    view! {
        <div class="grid spans" role="grid" tabindex="0" aria-label="Spans" aria-colcount=HEADS.len().to_string()
            aria-rowcount=move || (count.get() + 1).to_string() aria-activedescendant=active on:keydown=typed>
            <VirtualList count version shown=Signal::derive(move || place.get()) row>
                <Heads heads=&HEADS sorted />
            </VirtualList>
        </div>
        <div class="view-foot muted">{move || format!("{} spans", format::integer(count.get() as i64))}</div>
    }
}

/// A figure, or nothing where it is not known.
fn known(column: &[i64], row: usize, text: fn(i64) -> String) -> String {
    let figure = column.get(row).copied().filter(|figure| *figure != ABSENT);
    figure.map(text).unwrap_or_default()
}

fn span_row(made: &Made, row: u32, at: usize, shown: Shown) -> AnyView {
    let (columns, place) = (&made.loaded.columns, row as usize);
    let id = span_id(columns, row);
    let text = |column: &[u32]| {
        let index = column.get(place).copied().unwrap_or(0);
        columns.string(index).to_owned()
    };
    let first = columns.start_time.first().copied().unwrap_or(0);
    let start = columns
        .start_time
        .get(place)
        .map(|start| start.saturating_sub(first));
    let service = columns.service.get(place).copied().unwrap_or(0);
    let swatch = format!("swatch h{}", made.services.hue(service) % 6 + 1);
    let has = |bit| columns.has_flag(place, bit);
    let trouble = match (has(flag::ERROR), has(flag::BLOCKED), has(flag::IN_PROGRESS)) {
        (_, true, _) => "\u{25c6} blocked",
        (true, ..) => "\u{25cf} failed",
        (_, _, true) => "\u{25d4} running",
        _ => "",
    };
    let (class, sign) = match (has(flag::ERROR), has(flag::BLOCKED)) {
        (_, true) => (
            "cell blocked-text",
            Some(view! { <span class="blocked-text">"\u{25c6} "</span> }),
        ),
        (true, _) => (
            "cell error-text",
            Some(view! { <span class="error-text">"\u{25cf} "</span> }),
        ),
        _ => ("cell muted", None),
    };
    let message = text(&columns.message);
    let numbers = [
        start.map_or_else(String::new, |start| format!("+{}", format::duration(start))),
        known(&columns.duration, place, format::duration),
        known(&made.own, place, format::duration),
        known(&columns.time_to_first_token, place, format::duration),
        known(&columns.input_tokens, place, format::integer),
        known(&columns.output_tokens, place, format::integer),
        known(&columns.cost, place, format::cost),
    ];
    let numbers = numbers.map(|text| view! { <div role="gridcell" class="cell num">{text}</div> });
    let texts = [&columns.agent, &columns.model, &columns.tool].map(|column| {
        let text = text(column);
        view! { <div role="gridcell" class="cell muted" title=text.clone()>{text.clone()}</div> }
    });
    let (name, service) = (text(&columns.name), columns.string(service).to_owned());
    let mine = id.clone();
    let on = Memo::new(move |_| shown.span.with(|span| span.as_deref() == Some(mine.as_str())));
    view! {
        <div class="grid-row" role="row" id=format!("row-{id}") aria-rowindex=(at + 2).to_string() class:on=move || on.get()
            aria-selected=move || on.get().to_string() on:click=move |_| shown.choose(row)>
            <div role="gridcell" class="cell title" title=name.clone()><i class=swatch></i>{sign}{name.clone()}</div>
            <div role="gridcell" class="cell muted" title=service.clone()>{service.clone()}</div>
            {texts}
            {numbers}
            <div role="gridcell" class=class title=message>{trouble}</div>
        </div>
    }
    .into_any()
}
