//! The lines on the screen as the rows of a tree grid, for those who hear the page. They are
//! made of text alone and written when the picture stands still.

use crate::pages::trace::model::{Figure, Focus, Model};
use leptos::prelude::document;
use meshscope_analysis::tree::mark;
use meshscope_layout::format;
use meshscope_model::columns::flag;
use web_sys::{Element, HtmlElement};

/// Id of the row of a line.
pub(crate) fn id(line: usize) -> String {
    format!("line-{line}")
}

/// Writes the lines on the screen into `place`.
pub(crate) fn write(place: &HtmlElement, model: &Model) {
    let visible = model.scroll.visible();
    let mut row = place.first_element_child();
    for line in visible {
        let found = row.take().or_else(|| add(place, "row"));
        let Some(found) = found else { return };
        write_row(&found, model, line);
        row = found.next_element_sibling();
    }
    while let Some(more) = row {
        row = more.next_element_sibling();
        more.remove();
    }
}

fn add(to: &Element, role: &str) -> Option<Element> {
    let new = document().create_element("div").ok()?;
    set(&new, "role", Some(role));
    to.append_child(&new).ok()?;
    Some(new)
}

fn set(element: &Element, name: &str, value: Option<&str>) {
    let done = match value {
        Some(value) => element.set_attribute(name, value),
        None => element.remove_attribute(name),
    };
    if let Err(error) = done {
        leptos::logging::warn!("{name} cannot be set: {error:?}");
    }
}

fn write_row(row: &Element, model: &Model, line: usize) {
    let Some(found) = model.rows.lines().get(line).copied() else {
        return;
    };
    let focus = Focus::from(found);
    let expanded = model.is_folded(focus).map(|folded| (!folded).to_string());
    let selected = !focus.group && model.selected == Some(focus.span);
    set(row, "id", Some(&id(line)));
    set(row, "aria-rowindex", Some(&(line + 1).to_string()));
    set(row, "aria-level", Some(&(found.depth + 1).to_string()));
    set(row, "aria-expanded", expanded.as_deref());
    set(
        row,
        "aria-selected",
        Some(if selected { "true" } else { "false" }),
    );
    let cells = [name(model, focus), facts(model, focus)];
    let mut cell = row.first_element_child();
    for text in cells {
        let Some(at) = cell.take().or_else(|| add(row, "gridcell")) else {
            return;
        };
        if at.text_content().unwrap_or_default() != text {
            at.set_text_content(Some(&text));
        }
        cell = at.next_element_sibling();
    }
}

fn name(model: &Model, line: Focus) -> String {
    let group = model.rows.folding().starting_with(&model.loaded.tree, line.span);
    match group.filter(|_| line.group) {
        Some(group) => model.waterfall().group_name(group),
        None => model.loaded.columns.name(line.span as usize).to_owned(),
    }
}

/// A line in words.
pub(crate) fn describe(model: &Model, line: Focus) -> String {
    format!("{} \u{b7} {}", name(model, line), facts(model, line))
}

/// All that can be seen of a line but its name.
fn facts(model: &Model, line: Focus) -> String {
    let (columns, tree) = (&model.loaded.columns, &model.loaded.tree);
    let row = line.span as usize;
    let mut facts = vec![columns.service(row).to_owned()];
    let group = model
        .rows
        .folding()
        .starting_with(tree, line.span)
        .filter(|_| line.group);
    let w = model.waterfall();
    let (start, end) = match group {
        Some(group) => {
            facts.push(format!(
                "{} spans in {} rounds",
                group.totals.spans,
                group.rounds()
            ));
            facts.push(meshscope_layout::group_bar::label_text(group));
            (group.start, group.end)
        }
        None => {
            facts.push(w.label_text(line.span));
            w.times(line.span)
        }
    };
    let origin = w.view.bounds().0;
    facts.push(format!(
        "starts {}",
        format::duration_exact(start.saturating_sub(origin))
    ));
    facts.push(format!(
        "lasts {}",
        format::duration_exact(end.saturating_sub(start))
    ));
    if group.is_none() {
        facts.extend(of_span(model, line.span));
    }
    let drawn = model.drawn.iter();
    let mut drawn = drawn.filter(|row| row.bar.span == line.span && row.bar.group.is_some() == line.group);
    if let Some(row) = drawn.next() {
        for (figure, text) in model.figures.shown().iter().zip(&row.figures) {
            if !text.is_empty() && *figure != Figure::Total {
                facts.push(format!("{} {text}", figure.word()));
            }
        }
    }
    facts.retain(|fact| !fact.is_empty());
    facts.join(" \u{b7} ")
}

fn of_span(model: &Model, span: u32) -> Vec<String> {
    let (columns, tree) = (&model.loaded.columns, &model.loaded.tree);
    let row = span as usize;
    let mut facts = Vec::new();
    if columns.has_flag(row, flag::IN_PROGRESS) {
        facts.push("in progress".to_owned());
    }
    if columns.has_flag(row, flag::ENDS_BEFORE_START) {
        facts.push("ends before it starts, as sent".to_owned());
    }
    let marks = tree.marks(span);
    if marks & mark::ORPHAN != 0 {
        facts.push("its parent is not here".to_owned());
    }
    if marks & mark::CYCLE != 0 {
        facts.push("its parents go round in a circle".to_owned());
    }
    let ahead = model.loaded.skew.ahead(columns, span);
    if ahead != 0 {
        let way = if ahead > 0 { "ahead" } else { "behind" };
        let by = format::duration(ahead.saturating_abs());
        let done = if model.loaded.corrected { ", corrected" } else { "" };
        facts.push(format!("its clock is {by} {way}{done}"));
    }
    let (events, links) = (columns.events(row).len(), columns.links(row));
    if events > 0 {
        facts.push(format!("{events} event{}", if events == 1 { "" } else { "s" }));
    }
    if links > 0 {
        facts.push(format!("{links} link{}", if links == 1 { "" } else { "s" }));
    }
    facts
}
