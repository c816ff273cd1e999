//! The table of sessions: its columns can be chosen, and most of them order the list.

use super::short_id;
use crate::components::badge::{Blocked, Errors, Interrupted, Status, SystemBadge};
use crate::components::figures::{money, some_of, tokens};
use crate::components::menu::Menu;
use crate::components::sparkline::Sparkline;
use crate::components::time_text::TimeText;
use crate::pages::traces::use_picks;
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::Session;
use meshscope_api::params::encode;
use meshscope_layout::format;

/// A column: name in the URL, title, what the server orders by, whether it holds numbers, whether it is
/// there unless others are chosen.
struct Column {
    word: &'static str,
    title: &'static str,
    order: &'static str,
    number: bool,
    usual: bool,
}

const fn column(
    word: &'static str,
    title: &'static str,
    order: &'static str,
    number: bool,
    usual: bool,
) -> Column {
    Column {
        word,
        title,
        order,
        number,
        usual,
    }
}

const COLUMNS: [Column; 18] = [
    column("system", "System", "", false, true),
    column("project", "Project", "", false, false),
    column("room", "Room", "", false, true),
    column("agents", "Agents", "", false, true),
    column("models", "Models", "", false, false),
    column("status", "Status", "activity", false, true),
    column("activity", "Activity", "", false, true),
    column("started", "Started", "started", false, true),
    column("ended", "Ended", "", false, false),
    column("duration", "Duration", "duration", true, true),
    column("runs", "Runs", "runs", true, true),
    column("spans", "Spans", "spans", true, false),
    column("logs", "Logs", "logs", true, false),
    column("tokens", "Tokens", "tokens", true, true),
    column("cost", "Cost", "cost", true, true),
    column("first_token", "First token", "", true, false),
    column("carbon", "Carbon", "", true, false),
    column("trouble", "Trouble", "errors", true, true),
];

/// What the URL's `sort` (`cost`, or `-cost` for downwards) asks of the server.
pub(super) fn sort_of(sort: Option<&str>) -> (&'static str, Option<&'static str>) {
    let sort = sort.unwrap_or("-started");
    let (word, direction) = sort
        .strip_prefix('-')
        .map_or((sort, Some("asc")), |word| (word, None));
    let known = COLUMNS.iter().map(|column| column.order);
    let order = known
        .into_iter()
        .find(|order| !order.is_empty() && *order == word);
    order.map_or(("started", None), |order| (order, direction))
}

/// Which columns are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen([bool; COLUMNS.len()]);

/// The columns in the URL, else the usual ones.
pub(super) fn use_columns() -> Memo<Chosen> {
    let words = param("columns");
    Memo::new(move |_| {
        words.with(|words| {
            Chosen(COLUMNS.each_ref().map(|column| match words {
                None => column.usual,
                Some(words) => words.split(',').any(|word| word == column.word),
            }))
        })
    })
}

impl Chosen {
    fn has(self, at: usize) -> bool {
        self.0.get(at) == Some(&true)
    }

    /// The URL's words after one column was turned on or off; absent for the usual ones.
    fn toggled(mut self, at: usize) -> Option<String> {
        if let Some(on) = self.0.get_mut(at) {
            *on = !*on;
        }
        let usual = COLUMNS
            .iter()
            .enumerate()
            .all(|(at, column)| column.usual == self.has(at));
        let words = COLUMNS.iter().enumerate().filter(|(at, _)| self.has(*at));
        let words: Vec<&str> = words.map(|(_, column)| column.word).collect();
        // Of none at all the URL would be silent.
        let words = if words.is_empty() {
            "none".to_owned()
        } else {
            words.join(",")
        };
        (!usual).then_some(words)
    }

    /// The menu that chooses them.
    pub(super) fn menu(columns: Memo<Self>) -> AnyView {
        let open = RwSignal::new(false);
        let patch = use_patch();
        let item = move |(at, column): (usize, &'static Column)| {
            let patch = patch.clone();
            let change = move |_| patch(&[("columns", columns.get_untracked().toggled(at))]);
            view! {
                <label><input type="checkbox" class="pick-box" name=column.word prop:checked=move || columns.get().has(at) on:change=change />
                    {column.title}</label>
            }
            .into_any()
        };
        let items = move || {
            let items: Vec<AnyView> = COLUMNS.iter().enumerate().map(item.clone()).collect();
            view! { <div class="column-menu" role="group" aria-label="Columns">{items}</div> }.into_any()
        };
        view! { <Menu label="Columns \u{25be}" id="columns" class="pill" open items=Box::new(items) /> }
            .into_any()
    }
}

/// What stands in a column.
fn cell(word: &str, s: &Session) -> AnyView {
    let dash = || "\u{2013}".to_owned();
    match word {
        "system" => view! { <td><SystemBadge system=s.system /></td> }.into_any(),
        "project" => view! { <td class="muted clip">{s.project.clone()}</td> }.into_any(),
        "room" => view! { <td class="muted clip">{s.room.clone()}</td> }.into_any(),
        "agents" => names(&s.agents),
        "models" => names(&s.models),
        "status" => view! { <td><Status status=s.status /></td> }.into_any(),
        "activity" => view! { <td><Sparkline counts=s.activity.clone() /></td> }.into_any(),
        "started" => view! { <td class="muted nowrap"><TimeText ns=s.started_at /></td> }.into_any(),
        "ended" => {
            let ended = s.ended_at.map(|ns| view! { <TimeText ns=ns /> });
            view! { <td class="muted nowrap">{ended}</td> }.into_any()
        }
        "duration" => number(format::duration(s.duration_ns)),
        "runs" => number(format::integer(i64::from(s.traces))),
        "spans" => number(format::integer(i64::from(s.spans))),
        "logs" => number(format::integer(i64::from(s.logs))),
        "tokens" => number(tokens(s.tokens.total)),
        "cost" => {
            let money = money(s.tokens.total, s.cost_pico_usd, s.unpriced_calls > 0);
            let unknown = s.cost_pico_usd.is_none();
            view! { <td class="num" class:muted=unknown>{money}</td> }.into_any()
        }
        "first_token" => number(s.time_to_first_token_ns.p50.map_or_else(dash, format::duration)),
        "carbon" => number(s.carbon_ug.map_or_else(dash, format::carbon)),
        _ => view! {
            <td class="num"><Errors count=s.errors />" "<Blocked count=s.blocked />" "<Interrupted count=s.interrupted /></td>
        }
        .into_any(),
    }
}

fn number(text: String) -> AnyView {
    view! { <td class="num">{text}</td> }.into_any()
}

fn names(names: &[String]) -> AnyView {
    view! { <td class="clip" title=names.join(", ")>{some_of(names)}</td> }.into_any()
}

/// A head, which orders the list where the server can.
fn head(column: &'static Column, sort: Memo<Option<String>>) -> AnyView {
    if column.order.is_empty() {
        return view! { <th class:num=column.number>{column.title}</th> }.into_any();
    }
    let patch = use_patch();
    let now = move || sort.with(|sort| sort_of(sort.as_deref()));
    let change = move |_| {
        // The greatest first, then the other way round.
        let upwards = untrack(now) == (column.order, None);
        let sign = if upwards { "" } else { "-" };
        patch(&[("sort", Some(format!("{sign}{}", column.order)))]);
    };
    let order = move || match now() {
        (order, _) if order != column.order => "none",
        (_, Some(_)) => "ascending",
        (_, None) => "descending",
    };
    let mark = move || match order() {
        "ascending" => " \u{25b4}",
        "descending" => " \u{25be}",
        _ => "",
    };
    view! { <th class:num=column.number aria-sort=order><button on:click=change>{column.title}{mark}</button></th> }.into_any()
}

/// The table. A row stays for as long as its session is listed; what it shows follows.
pub(super) fn table(sessions: Memo<Vec<Session>>, columns: Memo<Chosen>) -> AnyView {
    let sort = param("sort");
    let (href, pick) = (use_href(), use_picks());
    let heads = move || {
        let chosen = columns.get();
        let shown = COLUMNS.iter().enumerate().filter(|(at, _)| chosen.has(*at));
        shown.map(|(_, column)| head(column, sort)).collect_view()
    };
    let key = |s: &Session| (s.project.clone(), s.session_id.clone());
    let each = move || sessions.with(|sessions| sessions.iter().map(key).collect::<Vec<_>>());
    let row = move |mine: (String, String)| {
        let session = Memo::new(move |_| {
            sessions.with(|sessions| {
                sessions
                    .iter()
                    .find(|s| (&s.project, &s.session_id) == (&mine.0, &mine.1))
                    .cloned()
            })
        });
        let (href, pick) = (href.clone(), pick.clone());
        move || {
            let chosen = columns.get();
            session.with(|s| s.as_ref().map(|s| row(s, chosen, &href, &pick)))
        }
    };
    view! {
        <table class="list sessions">
            <thead><tr><th class="pick"><span class="visually-hidden">"Compare"</span></th><th>"Session"</th>{heads}</tr></thead>
            <tbody><For each key=|mine| mine.clone() children=row /></tbody>
        </table>
    }
    .into_any()
}

fn row(
    s: &Session,
    chosen: Chosen,
    href: &dyn Fn(&str) -> String,
    pick: &dyn Fn(String, &str) -> AnyView,
) -> AnyView {
    let to = href(&format!("/sessions/{}", encode(&s.session_id)));
    let (title, whole) = (s.title.clone(), s.session_id.clone());
    let pick = pick(encode(&s.session_id), &s.title);
    // Two sessions of one agent have one title: their ids tell them apart.
    let short = short_id(&s.session_id);
    let id = (!s.title.contains(&short)).then(|| view! { <span class="id">{short}</span> });
    let shown = COLUMNS.iter().enumerate().filter(|(at, _)| chosen.has(*at));
    let cells: Vec<AnyView> = shown.map(|(_, column)| cell(column.word, s)).collect();
    view! {
        <tr>
            <td class="pick">{pick}</td>
            <td class="title" title=whole><A href=to>{title}</A>" "{id}</td>
            {cells}
        </tr>
    }
    .into_any()
}
