//! Searching the trace: names and what else the page holds here at once, attributes and payloads
//! as the server finds them.

use super::super::load::Loaded;
use meshscope_analysis::Tree;
use meshscope_model::{SpanColumns, SpanId};

/// What is looked for and where it was found.
#[derive(Debug, Default)]
pub(crate) struct Find {
    text: String,
    /// Ids of the spans that the server found it in; `None` while it looks.
    found: Option<Vec<u64>>,
    /// The server knows of more.
    more: bool,
    /// Places of the tree's order, ascending.
    places: Vec<u32>,
}

impl Find {
    /// Something is looked for.
    pub(crate) fn is_on(&self) -> bool {
        !self.text.is_empty()
    }

    /// The server still looks.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_on() && self.found.is_none()
    }

    /// There is more than was found.
    pub(crate) fn has_more(&self) -> bool {
        self.more
    }

    pub(super) fn set(&mut self, text: &str, found: Option<Vec<u64>>, more: bool) {
        text.trim().clone_into(&mut self.text);
        self.found = found;
        self.more = more;
    }

    /// Looks through the trace.
    pub(super) fn look(&mut self, loaded: &Loaded) {
        let (columns, tree) = (&loaded.columns, &loaded.tree);
        self.places.clear();
        if self.text.is_empty() {
            return;
        }
        let mut here = rows_with(columns, tree, &self.text);
        for id in self.found.iter().flatten() {
            if let Some(found) = tree
                .row_of(columns, *id)
                .and_then(|row| here.get_mut(row as usize))
            {
                *found = true;
            }
        }
        let is_here = |row: u32| here.get(row as usize).copied().unwrap_or(false);
        let places = (0..).zip(tree.order()).filter(|(_, row)| is_here(**row));
        self.places.extend(places.map(|(place, _)| place));
    }

    /// Where it was found: places of the tree's order, ascending.
    pub(crate) fn places(&self) -> &[u32] {
        &self.places
    }

    /// True when it was found within these places of the tree's order.
    pub(crate) fn any_in(&self, places: std::ops::Range<u32>) -> bool {
        let next = self.places.partition_point(|place| *place < places.start);
        self.places.get(next).is_some_and(|place| *place < places.end)
    }

    /// Number of the find behind `place`, or before it; around at the ends.
    pub(crate) fn next(&self, place: Option<u32>, back: bool) -> Option<usize> {
        let last = self.places.len().checked_sub(1)?;
        let Some(place) = place else {
            return Some(if back { last } else { 0 });
        };
        Some(if back {
            let before = self.places.partition_point(|found| *found < place);
            before.checked_sub(1).unwrap_or(last)
        } else {
            let behind = self.places.partition_point(|found| *found <= place);
            if behind > last { 0 } else { behind }
        })
    }
}

/// For each span whether the text stands in what the page holds of it, in any case.
fn rows_with(columns: &SpanColumns, tree: &Tree, text: &str) -> Vec<bool> {
    let needle = text.to_lowercase();
    let hits: Vec<bool> = columns
        .strings
        .iter()
        .map(|string| contains(string, &needle))
        .collect();
    let mut rows = vec![false; tree.len()];
    let texts = [
        &columns.name,
        &columns.service,
        &columns.agent,
        &columns.model,
        &columns.tool,
        &columns.message,
    ];
    if hits.iter().any(|hit| *hit) {
        for text in texts {
            for (row, string) in rows.iter_mut().zip(text) {
                *row |= hits.get(*string as usize).copied().unwrap_or(false);
            }
        }
    }
    let named = text
        .parse::<SpanId>()
        .ok()
        .and_then(|id| tree.row_of(columns, id.as_u64()));
    if let Some(row) = named.and_then(|row| rows.get_mut(row as usize)) {
        *row = true;
    }
    rows
}

/// True when `needle`, in small letters, stands in `text` in any case.
fn contains(text: &str, needle: &str) -> bool {
    if !text.is_ascii() || !needle.is_ascii() {
        return text.to_lowercase().contains(needle);
    }
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    let mut windows = text.windows(needle.len().max(1));
    windows.any(|window| window.eq_ignore_ascii_case(needle))
}
