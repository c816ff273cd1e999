//! A long list of which only what is seen is on the page: a fixed set of elements that are filled
//! anew as it scrolls or grows.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};

/// One element of the set, with its cells.
pub(crate) struct Slot {
    /// The row.
    pub row: HtmlElement,
    /// Its cells, in order.
    pub cells: Vec<Element>,
    /// What it was filled with; the same is not filled again.
    key: Option<String>,
}

impl Slot {
    fn new(template: &str) -> Option<Self> {
        let row: HtmlElement = document().create_element("div").ok()?.dyn_into().ok()?;
        row.set_inner_html(template);
        let mut cells = Vec::new();
        let mut next = row.first_element_child();
        while let Some(cell) = next {
            next = cell.next_element_sibling();
            cells.push(cell);
        }
        Some(Self {
            row,
            cells,
            key: None,
        })
    }

    /// Sets the text of a cell.
    pub(crate) fn text(&self, cell: usize, text: &str) {
        if let Some(cell) = self.cells.get(cell) {
            cell.set_text_content(Some(text));
        }
    }

    /// Sets an attribute of a cell.
    pub(crate) fn attribute(&self, cell: usize, name: &str, value: &str) {
        if let Some(cell) = self.cells.get(cell) {
            set_attribute(cell, name, value);
        }
    }
}

/// Sets an attribute of an element.
pub(crate) fn set_attribute(element: &Element, name: &str, value: &str) {
    if let Err(error) = element.set_attribute(name, value) {
        leptos::logging::warn!("the attribute {name} cannot be set: {error:?}");
    }
}

fn style(element: &HtmlElement, name: &str, value: &str) {
    if let Err(error) = element.style().set_property(name, value) {
        leptos::logging::warn!("the style {name} cannot be set: {error:?}");
    }
}

/// Sets the height of an element, pixels.
pub(crate) fn set_height(element: &HtmlElement, height: f64) {
    style(element, "height", &format!("{height:.0}px"));
}

/// The set of elements in a list that scrolls.
pub(crate) struct Pool {
    /// Cells of a row: fixed markup, into which only text is put.
    template: &'static str,
    slots: Vec<Slot>,
    /// Where each row begins and the last one ends; empty when all are equally high.
    tops: Vec<f64>,
    row: f64,
    rows: usize,
}

impl Pool {
    /// An empty list whose rows are `row` pixels high.
    pub(crate) fn new(template: &'static str, row: f64) -> Self {
        Self {
            template,
            slots: Vec::new(),
            tops: Vec::new(),
            row,
            rows: 0,
        }
    }

    /// Sets how many rows there are, all of the same height.
    pub(crate) fn resize(&mut self, rows: usize) {
        self.tops.clear();
        self.rows = rows;
    }

    /// Sets rows by how many lines each has; a line is `line` pixels high.
    pub(crate) fn resize_by(&mut self, lines: impl Iterator<Item = usize>, line: f64) {
        self.tops.clear();
        let mut top = 0.0;
        for lines in lines {
            self.tops.push(top);
            top += (lines as f64 - 1.0).max(0.0) * line + self.row;
        }
        self.rows = self.tops.len();
        self.tops.push(top);
    }

    /// Height of all rows.
    pub(crate) fn height(&self) -> f64 {
        let last = self.tops.last().copied();
        last.unwrap_or(self.rows as f64 * self.row)
    }

    /// Where a row begins.
    pub(crate) fn top(&self, row: usize) -> f64 {
        let top = self.tops.get(row).copied();
        top.unwrap_or(row as f64 * self.row)
    }

    fn row_at(&self, y: f64) -> usize {
        if self.tops.is_empty() {
            (y / self.row).max(0.0) as usize
        } else {
            self.tops.partition_point(|top| *top <= y).saturating_sub(1)
        }
    }

    /// Fills the rows that are seen in `scroller`, whose only child is `space`. `key` says what is in
    /// a row, and `fill` puts it there when it is something else than before.
    pub(crate) fn draw(
        &mut self,
        scroller: &HtmlElement,
        space: &HtmlElement,
        key: impl Fn(usize) -> String,
        mut fill: impl FnMut(&Slot, usize),
    ) {
        set_height(space, self.height());
        let top = f64::from(scroller.scroll_top());
        let height = f64::from(scroller.client_height());
        let first = self.row_at(top);
        let end = (self.row_at(top + height) + 1).min(self.rows);
        for (place, row) in (first..end).enumerate() {
            if self.slots.len() <= place {
                let Some(slot) = Slot::new(self.template) else {
                    return;
                };
                if scroller.get_attribute("role").as_deref() == Some("list") {
                    set_attribute(&slot.row, "role", "listitem");
                }
                if let Err(error) = space.append_child(&slot.row) {
                    leptos::logging::error!("a row cannot be shown: {error:?}");
                    return;
                }
                self.slots.push(slot);
            }
            let y = self.top(row);
            let Some(slot) = self.slots.get_mut(place) else {
                return;
            };
            style(&slot.row, "transform", &format!("translateY({y:.0}px)"));
            let key = key(row);
            if slot.key.as_ref() != Some(&key) {
                fill(slot, row);
                set_attribute(&slot.row, "data-row", &row.to_string());
                slot.key = Some(key);
            }
        }
        for slot in self.slots.iter_mut().skip(end.saturating_sub(first)) {
            if slot.key.take().is_some() {
                style(&slot.row, "transform", "translateY(-9999px)");
            }
        }
    }

    /// Fills every row anew at the next drawing.
    pub(crate) fn forget(&mut self) {
        self.slots
            .iter_mut()
            .for_each(|slot| slot.key = Some(String::new()));
    }
}

/// The row that an event is in.
pub(crate) fn row_of(event: &web_sys::Event) -> Option<usize> {
    let element: Element = event.target()?.dyn_into().ok()?;
    let row = element.closest("[data-row]").ok()??;
    row.get_attribute("data-row")?.parse().ok()
}
