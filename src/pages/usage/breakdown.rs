//! The breakdown: a row a group, the columns that are chosen, in any order, and the sum of all.

use super::measure::{COLUMNS, Column, NOTHING, USUAL};
use super::over_time::group_name;
use super::selection::{filter_of, keys, only, pairs, selection, use_report};
use crate::client;
use crate::components::figures::cost;
use crate::components::menu::Menu;
use crate::components::states::States;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_api::{Params, UsageGroup, UsageKey, UsageReport};

/// Groups that are shown one by one; the others are one row.
const TOP: &str = "100";

/// What the URL's `sort` asks for (`cost`, or `-cost` for downwards): a column, and whether the least comes first.
fn sorting() -> Memo<(usize, bool)> {
    let sort = param("sort");
    Memo::new(move |_| {
        let sort = sort.get().unwrap_or_else(|| "-cost".to_owned());
        let (word, least) = sort
            .strip_prefix('-')
            .map_or((sort.as_str(), true), |word| (word, false));
        let column = COLUMNS.iter().position(|column| column.word == word);
        (column.unwrap_or_default(), least)
    })
}

/// The column of this number.
fn column((at, least): (usize, bool)) -> (&'static Column, bool) {
    (COLUMNS.get(at).unwrap_or(&COLUMNS[0]), least)
}

/// Numbers of the columns that are shown.
fn shown() -> Memo<Vec<usize>> {
    let words = param("columns");
    Memo::new(move |_| {
        let words = words.get().unwrap_or_else(|| USUAL.to_owned());
        let on = |at: &usize| {
            COLUMNS
                .get(*at)
                .is_some_and(|column| words.split(',').any(|word| word == column.word))
        };
        (0..COLUMNS.len()).filter(on).collect()
    })
}

/// The URL's words for these columns; absent for the usual ones.
fn words(mut columns: Vec<usize>) -> Option<String> {
    columns.sort_unstable();
    let words: Vec<&str> = columns
        .iter()
        .filter_map(|at| Some(COLUMNS.get(*at)?.word))
        .collect();
    match words.join(",") {
        // Of none at all the URL would be silent.
        none if none.is_empty() => Some("none".to_owned()),
        words => Some(words).filter(|words| words != USUAL),
    }
}

/// The panel.
pub(super) fn breakdown() -> AnyView {
    let by = param("by");
    let (sorted, shown) = (sorting(), shown());
    let words = Memo::new(move |_| {
        let keys: Vec<String> = keys(by.get().as_deref())
            .iter()
            .map(UsageKey::to_string)
            .collect();
        (keys, column(sorted.get()).0.order)
    });
    let more = Signal::derive(move || {
        let (by, order) = words.get();
        let mut more = pairs(&[
            ("top", TOP),
            ("order", order),
            ("bucket", "1mo"),
            ("compare", "previous"),
        ]);
        more.extend(by.into_iter().map(|key| ("by".to_owned(), key)));
        Some(more)
    });
    let report = use_report(more, true);
    // Made anew when a figure changes, not at every answer: what has the focus keeps it.
    let rows = Memo::new(move |_| report.value.with(|report| report.as_ref().map(Rows::of)));
    view! {
        <div class="row breakdown-tools">
            <h2>"Breakdown"</h2>
            <div class="grow"></div>
            {columns_menu(shown)}
            {export_menu()}
        </div>
        <div class="panel scroll breakdown">
            <States fetch=report what="the breakdown" />
            {move || rows.get().map(|rows| {
                table(&rows, &keys(by.get_untracked().as_deref()), column(sorted.get()), &shown.get())
            })}
        </div>
    }
    .into_any()
}

/// What the table shows.
#[derive(Clone, PartialEq, Default)]
struct Rows {
    groups: Vec<UsageGroup>,
    /// The totals as a group, so that they have the same columns.
    all: UsageGroup,
    /// How many groups there are.
    count: u32,
}

impl Rows {
    fn of(report: &UsageReport) -> Self {
        let before = report.previous.as_ref();
        Self {
            groups: report.groups.clone(),
            all: UsageGroup {
                measures: report.totals.measures.clone(),
                previous: before.map(|before| Box::new(before.totals.measures.clone())),
                ..UsageGroup::default()
            },
            count: report.group_count,
        }
    }

    /// Groups in their order; the sum of the others is last whatever it comes to.
    fn in_order(&self, (column, least): (&Column, bool)) -> Vec<UsageGroup> {
        let mut groups = self.groups.clone();
        groups.sort_by(|a, b| {
            let (x, y) = ((column.value)(a), (column.value)(b));
            let order = if least { x.cmp(&y) } else { y.cmp(&x) };
            // What has no figure is no smallest one: it comes last either way.
            let known = x.is_none().cmp(&y.is_none());
            a.other.cmp(&b.other).then(known).then(order)
        });
        groups
    }
}

fn table(rows: &Rows, keys: &[UsageKey], sorted: (&'static Column, bool), shown: &[usize]) -> AnyView {
    let columns: Vec<&'static Column> = shown.iter().filter_map(|at| COLUMNS.get(*at)).collect();
    let heads = columns.iter().map(|column| head(column, sorted));
    let names = keys
        .iter()
        .map(|key| view! { <th scope="col">{key.to_string()}</th> });
    let all = &rows.all;
    let count = i64::from(rows.count);
    let rows = rows
        .in_order(sorted)
        .into_iter()
        .map(|group| row(&group, keys, &columns));
    let title = format!("All of {}", meshscope_layout::format::integer(count));
    let sums = columns.iter().map(|column| cell(column, all, ""));
    view! {
        <table class="list">
            <thead><tr>{names.collect_view()}{heads.collect_view()}</tr></thead>
            <tbody>{rows.collect_view()}</tbody>
            <tfoot><tr><th scope="row" colspan=keys.len().to_string()>{title}</th>{sums.collect_view()}</tr></tfoot>
        </table>
    }
    .into_any()
}

fn head(column: &'static Column, (by, least): (&'static Column, bool)) -> AnyView {
    let patch = use_patch();
    let mine = by.word == column.word;
    // The greatest first, then the other way round.
    let sign = if mine && !least { "" } else { "-" };
    let next = format!("{sign}{}", column.word);
    let (order, arrow) = match (mine, least) {
        (false, _) => ("none", ""),
        (true, false) => ("descending", " \u{2193}"),
        (true, true) => ("ascending", " \u{2191}"),
    };
    view! {
        <th class="num" scope="col" aria-sort=order title=column.about>
            <button class="link" on:click=move |_| patch(&[("sort", Some(next.clone()))])>{column.title}{arrow}</button>
        </th>
    }
    .into_any()
}

/// The figure of a group. `rows` is the query of the rows it opens, empty where it opens none.
fn cell(column: &'static Column, group: &UsageGroup, rows: &str) -> AnyView {
    let value = (column.value)(group);
    let text = match (column.word, value) {
        ("cost", cost_of) => cost(cost_of, group.measures.unpriced_calls > 0),
        (_, Some(value)) => (column.format)(value),
        (_, None) => NOTHING.to_owned(),
    };
    if rows.is_empty() || value.is_none() {
        return view! { <td class="num" class:muted=value.is_none()>{text}</td> }.into_any();
    }
    let patch = use_patch();
    let cell = rows.to_owned();
    let order = match column.order {
        order @ ("cost" | "tokens" | "latency" | "carbon") => order,
        _ => "time",
    };
    let open = move |_| patch(&[("rows", Some(order.to_owned())), ("cell", Some(cell.clone()))]);
    view! { <td class="num"><button class="link" title="Show the ledger's rows" on:click=open>{text}</button></td> }
        .into_any()
}

fn row(group: &UsageGroup, keys: &[UsageKey], columns: &[&'static Column]) -> AnyView {
    let values = [Some(group.group.as_str()), group.second.as_deref()];
    let mut under = Params::default();
    let mut names = Vec::new();
    for (at, (key, value)) in keys.iter().zip(values).enumerate() {
        let value = value.unwrap_or_default();
        if group.other {
            let text = if at == 0 { group_name(group) } else { String::new() };
            names.push(view! { <td class="title muted">{text}</td> }.into_any());
            continue;
        }
        let (name, value_of) = filter_of(key, value);
        add(&mut under, &name, &value_of);
        let provider = group.provider.clone().filter(|_| at == 0);
        names.push(named(value, name, value_of, provider));
    }
    let under = if group.other {
        String::new()
    } else {
        under.to_query()
    };
    let cells = columns.iter().map(|column| cell(column, group, &under));
    view! { <tr class:other=group.other>{names}{cells.collect_view()}</tr> }.into_any()
}

/// Adds a filter; of what has neither of two keys both are named in one.
fn add(params: &mut Params, name: &str, value: &str) {
    let both = params.get(name).map(|before| format!("{before},{value}"));
    only(params, name, &both.unwrap_or_else(|| value.to_owned()));
}

/// A key's value; a click filters by it.
fn named(value: &str, name: String, filter: String, provider: Option<String>) -> AnyView {
    let text = if value.is_empty() {
        "none".to_owned()
    } else {
        value.to_owned()
    };
    let patch = use_patch();
    let set = move |_| patch(&[(&name, Some(filter.clone()))]);
    let provider = provider.map(|provider| view! { <span class="id">{provider}</span> });
    view! {
        <td class="title" class:muted=value.is_empty()>
            <button class="link" title="Filter by this" on:click=set>{text}</button>{provider}
        </td>
    }
    .into_any()
}

fn columns_menu(shown: Memo<Vec<usize>>) -> AnyView {
    let (open, patch) = (RwSignal::new(false), use_patch());
    let item = move |(at, column): (usize, &'static Column)| {
        let patch = patch.clone();
        let toggle = move |_| {
            let mut now = shown.get_untracked();
            match now.iter().position(|other| *other == at) {
                Some(place) => {
                    now.remove(place);
                }
                None => now.push(at),
            }
            patch(&[("columns", words(now))]);
        };
        view! {
            <label class="check" title=column.about>
                <input type="checkbox" prop:checked=move || shown.with(|shown| shown.contains(&at)) on:change=toggle />
                {column.title}
            </label>
        }
        .into_any()
    };
    let items = Box::new(move || {
        COLUMNS
            .iter()
            .enumerate()
            .map(item.clone())
            .collect_view()
            .into_any()
    });
    view! { <Menu label="columns" open items /> }.into_any()
}

/// The breakdown and the ledger's rows as files that the server makes.
fn export_menu() -> AnyView {
    let (open, selection, by, origin) = (RwSignal::new(false), selection(), param("by"), client::origin());
    let link = move |path: &'static str, format: &'static str, title: &'static str| {
        let mut params = selection.get().params();
        if path == "usage" {
            let keys = keys(by.get().as_deref());
            keys.iter().for_each(|key| params.set("by", Some(key)));
        }
        params.set("format", Some(format));
        let to = client::url(&origin, path, &params);
        view! { <a class="item" href=to download=format!("usage.{format}") rel="external">{title}</a> }
            .into_any()
    };
    let items = Box::new(move || {
        view! {
            {link("usage", "csv", "This breakdown as CSV")}
            {link("usage", "parquet", "This breakdown as Parquet")}
            {link("usage/rows", "csv", "The ledger's rows as CSV")}
            {link("usage/rows", "parquet", "The ledger's rows as Parquet")}
        }
        .into_any()
    });
    view! { <Menu label="export" open items /> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_api::UsageMeasures;

    fn group(name: &str, calls: u64, cost: Option<i64>) -> UsageGroup {
        UsageGroup {
            group: name.to_owned(),
            other: name.is_empty(),
            measures: UsageMeasures {
                calls,
                cost_pico_usd: cost,
                ..UsageMeasures::default()
            },
            ..UsageGroup::default()
        }
    }

    #[test]
    fn unknown_figures_and_the_others_come_last_either_way() {
        let rows = Rows {
            groups: vec![
                group("", 9, Some(99)),
                group("a", 1, None),
                group("b", 2, Some(1)),
                group("c", 3, Some(7)),
            ],
            ..Rows::default()
        };
        let cost = COLUMNS
            .iter()
            .find(|column| column.word == "cost")
            .unwrap_or(&COLUMNS[0]);
        let names = |least| -> Vec<String> {
            rows.in_order((cost, least))
                .into_iter()
                .map(|g| g.group)
                .collect()
        };
        assert_eq!(names(false), ["c", "b", "a", ""]);
        assert_eq!(names(true), ["b", "c", "a", ""]);
    }

    #[test]
    fn columns_survive_the_url_and_none_is_said() {
        let at = |word: &str| COLUMNS.iter().position(|column| column.word == word);
        let usual: Vec<usize> = USUAL.split(',').filter_map(at).rev().collect();
        assert_eq!(words(usual), None);
        assert_eq!(words(Vec::new()).as_deref(), Some("none"));
        let two = ["cost", "calls"].into_iter().filter_map(at).collect();
        assert_eq!(words(two).as_deref(), Some("calls,cost"));
    }

    #[test]
    fn what_has_neither_key_is_asked_for_by_both() {
        let mut params = Params::default();
        for key in
            ["model", "agent"].map(|word| UsageKey::parse(word).unwrap_or(UsageKey::Attribute(String::new())))
        {
            let (name, value) = filter_of(&key, "");
            add(&mut params, &name, &value);
        }
        assert_eq!(params.get("none"), Some("model,agent"));
    }
}
