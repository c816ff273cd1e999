//! What the tables of a trace share: heads that sort, an order that the URL keeps, and keys.

use crate::state::{param, use_patch};
use leptos::prelude::*;

/// A column of a table.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    /// Its name in the URL.
    pub word: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it shows, where the title is short of it.
    pub about: &'static str,
    /// It holds numbers: right-aligned, and sorted from the largest at first.
    pub number: bool,
}

impl Head {
    /// A column of texts.
    pub(crate) const fn text(word: &'static str, title: &'static str) -> Self {
        Self {
            word,
            title,
            about: "",
            number: false,
        }
    }

    /// A column of numbers.
    pub(crate) const fn number(word: &'static str, title: &'static str, about: &'static str) -> Self {
        Self {
            word,
            title,
            about,
            number: true,
        }
    }
}

/// What a table is sorted by: the column's number, and whether upwards.
pub(crate) type Sorted = Memo<(usize, bool)>;

/// The order that the URL's `sort` asks for (`cost`, or `-cost` for downwards), else `usual`.
pub(crate) fn use_sorted(heads: &'static [Head], usual: (usize, bool)) -> Sorted {
    let sort = param("sort");
    Memo::new(move |_| {
        sort.with(|sort| {
            let sort = sort.as_deref()?;
            let (word, ascending) = sort.strip_prefix('-').map_or((sort, true), |word| (word, false));
            let at = heads.iter().position(|head| head.word == word)?;
            Some((at, ascending))
        })
        .unwrap_or(usual)
    })
}

/// The row of heads; each sorts by its column, and the other way round when it does already.
#[component]
pub(crate) fn Heads(heads: &'static [Head], sorted: Sorted) -> impl IntoView {
    let patch = use_patch();
    let cell = move |(at, head): (usize, &'static Head)| {
        let patch = patch.clone();
        let change = move |_| {
            let (now, ascending) = sorted.get_untracked();
            let upwards = if now == at { !ascending } else { !head.number };
            let sign = if upwards { "" } else { "-" };
            patch(&[("sort", Some(format!("{sign}{}", head.word)))]);
        };
        let order = move || match sorted.get() {
            (now, _) if now != at => "none",
            (_, true) => "ascending",
            (_, false) => "descending",
        };
        let mark = move || match order() {
            "ascending" => " \u{25b4}",
            "descending" => " \u{25be}",
            _ => "",
        };
        view! {
            <div role="columnheader" class="cell" class:num=head.number aria-sort=order title=head.about>
                <button on:click=change tabindex="-1">{head.title}{mark}</button>
            </div>
        }
    };
    view! {
        <div class="grid-row grid-head" role="row" aria-rowindex="1">
            {heads.iter().enumerate().map(cell).collect_view()}
        </div>
    }
}

/// Where a key leads among `count` rows from `at`; `None` when it is not one that leads anywhere.
pub(crate) fn step(key: &str, at: Option<usize>, count: usize) -> Option<usize> {
    /// Rows of a page, about.
    const PAGE: usize = 20;
    let last = count.checked_sub(1)?;
    let to = match (key, at) {
        ("ArrowDown" | "ArrowUp" | "PageDown" | "PageUp", None) => 0,
        ("ArrowDown", Some(at)) => at + 1,
        ("ArrowUp", Some(at)) => at.saturating_sub(1),
        ("PageDown", Some(at)) => at + PAGE,
        ("PageUp", Some(at)) => at.saturating_sub(PAGE),
        ("Home", _) => 0,
        ("End", _) => last,
        _ => return None,
    };
    Some(to.min(last))
}

/// Sorts by the next or previous column with `>` and `<`, the other way round with `.`; the URL's `sort`
/// that this makes.
pub(crate) fn sort_key(key: &str, heads: &[Head], (at, ascending): (usize, bool)) -> Option<String> {
    let count = heads.len();
    let (at, ascending) = match key {
        ">" => ((at + 1) % count, !heads.get((at + 1) % count)?.number),
        "<" => (
            (at + count - 1) % count,
            !heads.get((at + count - 1) % count)?.number,
        ),
        "." => (at, !ascending),
        _ => return None,
    };
    let sign = if ascending { "" } else { "-" };
    Some(format!("{sign}{}", heads.get(at)?.word))
}
