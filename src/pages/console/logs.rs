//! Logs: the latest at the bottom, as in a terminal.

use super::details::Details;
use super::entry::{Entry, Item};
use super::feed::Shown;
use super::follow::Console;
use super::histogram::{Histogram, brush};
use super::hue;
use super::line::write_line;
use super::rows::{Pool, Slot, row_of, set_attribute};
use crate::canvas::surface;
use crate::components::time_text::clock;
use crate::state::keys::is_within;
use crate::state::{param, use_href, use_replace};
use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use meshscope_analysis::LogFilter;
use meshscope_api::query::SEVERITIES;
use meshscope_api::{Gap, GapReason};
use web_sys::HtmlElement;

/// Cells of a row: time, level, service, text, link to the span.
const TEMPLATE: &str = "<time></time><span class=level></span><span class=who></span><span class=text></span><a class=to-span></a>";
/// Heights of a row, and of a line that is wrapped, pixels: those of the style sheet.
const ROW: f64 = 25.0;
const LINE: f64 = 18.0;
/// Lines of a wrapped row at the most; the details have the rest.
const LINES: usize = 30;
/// Pixels from the end that count as the end.
const END: f64 = 12.0;

/// The tab.
#[component]
pub(crate) fn LogsTab() -> impl IntoView {
    let console = expect_context::<Console>();
    let (scroller, space, probe) = (
        NodeRef::<Div>::new(),
        NodeRef::<Div>::new(),
        NodeRef::<Canvas>::new(),
    );
    let (q, severity, wrap, record) = (param("q"), param("severity"), param("wrap"), param("record"));
    let brush = brush();
    let record = Memo::new(move |_| record.get()?.parse::<i64>().ok());
    let pool = StoredValue::new_local(Pool::new(TEMPLATE, ROW));
    let filter = Memo::new(move |_| LogFilter::parse(q.get().as_deref().unwrap_or_default()));
    let resized = RwSignal::new(0_u32);
    // Scrolled up, so that the list stands still until it is at its end again.
    let held = StoredValue::new(false);
    let placed = StoredValue::new(false);
    let href = use_href();
    surface::on_resize(probe, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        let min_severity = severity.get().and_then(|word| {
            let known = SEVERITIES.iter().find(|(name, _)| *name == word);
            known.map(|(_, number)| *number)
        });
        let shown = Shown {
            filter: filter.get(),
            min_severity,
            brush: brush.get(),
        };
        pool.update_value(Pool::forget);
        console.change_feed(|feed| feed.show(shown));
    });
    let draw = {
        let href = href.clone();
        move |to_end: bool| {
            let (Some(scroller), Some(space)) = (scroller.get_untracked(), space.get_untracked()) else {
                return;
            };
            let (wrap, chosen) = (wrap.get_untracked().is_some(), record.get_untracked());
            let drawn = console.with_feed(|feed| {
                pool.update_value(|pool| {
                    if wrap {
                        let columns = columns(&scroller);
                        let lines = |place| feed.at(place).map_or(1, |(_, item)| lines(item, columns));
                        pool.resize_by((0..feed.len()).map(lines), LINE);
                    } else {
                        pool.resize(feed.len());
                    }
                    if to_end {
                        super::rows::set_height(&space, pool.height());
                        scroller.set_scroll_top(scroller.scroll_height());
                    }
                    let number = |place: usize| feed.at(place).map(|(number, _)| number);
                    let is = |place: usize| match feed.at(place).map(|(_, item)| item.as_ref()) {
                        Some(Item::Log(entry)) => Some(entry.log.sequence) == chosen,
                        _ => false,
                    };
                    let key = |place: usize| format!("{:?}{}", number(place), is(place));
                    filter.with_untracked(|filter| {
                        pool.draw(&scroller, &space, key, |slot, place| {
                            if let Some((_, item)) = feed.at(place) {
                                fill(slot, item, filter, is(place), &href);
                            }
                        });
                    });
                });
            });
            if drawn.is_none() {
                leptos::logging::warn!("the console is gone");
            }
        }
    };
    let drawing = draw.clone();
    Effect::new(move |_| {
        console.drawn.track();
        resized.track();
        wrap.track();
        record.track();
        let follow = !console.paused.get() || !placed.get_value();
        if scroller.get().is_some() && space.get().is_some() {
            if !console.paused.get_untracked() {
                held.set_value(false);
            }
            drawing(follow);
            placed.set_value(true);
        }
    });
    let patch = use_replace();
    let pause = patch.clone();
    let scrolled = move |_| {
        let Some(scroller) = scroller.get_untracked() else {
            return;
        };
        let below = f64::from(scroller.scroll_height() - scroller.scroll_top() - scroller.client_height());
        let paused = console.paused.get_untracked();
        if !paused && below > END {
            held.set_value(true);
            pause(&[("paused", Some("1".to_owned()))]);
        } else if paused && held.get_value() && below <= 1.0 {
            held.set_value(false);
            pause(&[("paused", None)]);
        }
        draw(false);
    };
    let choose = {
        let patch = patch.clone();
        move |place: usize| {
            let sequence = console.with_feed(|feed| match feed.at(place)?.1.as_ref() {
                Item::Log(entry) => Some(entry.log.sequence),
                Item::Gap(_) => None,
            });
            let sequence = sequence
                .flatten()
                .filter(|sequence| record.get_untracked() != Some(*sequence));
            patch(&[("record", sequence.map(|sequence| sequence.to_string()))]);
        }
    };
    let chosen = choose.clone();
    let clicked = move |event: web_sys::MouseEvent| {
        if let Some(place) = row_of(&event).filter(|_| !is_within(&event, "a[href]")) {
            chosen(place);
        }
    };
    let key = move |event: web_sys::KeyboardEvent| {
        let at = record.get_untracked();
        let at = at.and_then(|at| {
            console
                .with_feed(|feed| feed.find(at).map(|(place, _)| place))
                .flatten()
        });
        let last = console
            .with_feed(super::feed::Feed::len)
            .unwrap_or(0)
            .saturating_sub(1);
        let next = match event.key().as_str() {
            "ArrowUp" => at.map_or(last, |at| at.saturating_sub(1)),
            "ArrowDown" => at.map_or(last, |at| (at + 1).min(last)),
            "Escape" => return patch(&[("record", None)]),
            "End" => return patch(&[("paused", None)]),
            _ => return,
        };
        event.prevent_default();
        if at != Some(next) {
            choose(next);
        }
        if let Some(scroller) = scroller.get_untracked() {
            let (top, bottom) = pool.with_value(|pool| (pool.top(next), pool.top(next + 1)));
            let (above, height) = (
                f64::from(scroller.scroll_top()),
                f64::from(scroller.client_height()),
            );
            if top < above {
                scroller.set_scroll_top(top as i32);
            } else if bottom > above + height {
                scroller.set_scroll_top((bottom - height).ceil() as i32);
            }
        }
    };
    let empty = move || {
        let figures = console.figures.get();
        (figures.shown == 0).then(|| {
            let text = if figures.held > 0 {
                "No record that is held fits the filter"
            } else {
                "Waiting for log records\u{2026}"
            };
            view! { <div class="console-empty">{text}</div> }
        })
    };
    view! {
        <Histogram />
        <div class="console-split" class:alone=move || record.get().is_none()>
            <div class="panel console-list" class:wrap=move || wrap.get().is_some()>
                <canvas class="probe" node_ref=probe aria-hidden="true"></canvas>
                <div class="console-scroll mono" id="console-logs" node_ref=scroller tabindex="0" role="log" aria-live="off"
                    aria-label="Log records" on:scroll=scrolled on:click=clicked on:keydown=key>
                    <div class="console-space" node_ref=space></div>
                </div>
                {empty}
            </div>
            <Details record />
        </div>
    }
}

fn fill(slot: &Slot, item: &Item, filter: &LogFilter, chosen: bool, href: &impl Fn(&str) -> String) {
    let entry = match item {
        Item::Log(entry) => entry,
        Item::Gap(gap) => {
            slot.row.set_class_name("crow gap");
            for cell in 0..5 {
                slot.text(cell, "");
            }
            slot.attribute(4, "hidden", "");
            return slot.text(3, gap_text(gap));
        }
    };
    let log = &entry.log;
    let level = entry.level.to_lowercase();
    let level = level
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    slot.row
        .set_class_name(&format!("crow {level}{}", if chosen { " on" } else { "" }));
    slot.text(0, &clock(log.time));
    slot.attribute(0, "title", &meshscope_model::time::to_rfc3339(log.time));
    slot.text(1, &entry.level);
    let who = log
        .agent
        .as_deref()
        .filter(|agent| !agent.is_empty())
        .unwrap_or(&log.service);
    slot.text(2, who);
    slot.attribute(2, "class", &format!("who c{}", hue(who)));
    slot.attribute(2, "title", &log.service);
    if let Some(cell) = slot.cells.get(3) {
        write_line(cell, entry, filter);
    }
    let Some(link) = slot.cells.get(4) else { return };
    match log.trace_id {
        Some(trace) => {
            let span = log
                .span_id
                .map_or_else(String::new, |span| format!("?span={span}"));
            set_attribute(link, "href", &href(&format!("/traces/{trace}{span}")));
            link.set_text_content(Some("\u{2197} span"));
            if let Err(error) = link.remove_attribute("hidden") {
                leptos::logging::warn!("a link cannot be shown: {error:?}");
            }
        }
        None => set_attribute(link, "hidden", ""),
    }
}

fn gap_text(gap: &Gap) -> &'static str {
    match gap.reason {
        GapReason::Behind => "Records are left out here: they came faster than this page took them",
        GapReason::Retention => "Records are left out here: they are no longer kept",
        GapReason::UnknownCursor => "Records may be missing here: the store is another than before",
    }
}

/// How many characters of a wrapped text stand in a line.
fn columns(scroller: &HtmlElement) -> usize {
    let width = f64::from(scroller.client_width());
    // The other cells and the gaps between them, and a character, as the style sheet has them.
    let (others, character) = if width < 600.0 { (182.0, 7.0) } else { (428.0, 7.0) };
    (((width - others) / character) as usize).max(16)
}

fn lines(item: &Item, columns: usize) -> usize {
    match item {
        Item::Gap(_) => 1,
        Item::Log(entry) => wrapped(entry, columns).min(LINES),
    }
}

fn wrapped(entry: &Entry, columns: usize) -> usize {
    // Long enough to fill all lines however narrow its characters are.
    if entry.text.len() > LINES * columns * 4 {
        return LINES;
    }
    let of = |line: &str| {
        line.chars()
            .map(|c| if c >= '\u{1100}' { 2 } else { 1 })
            .sum::<usize>()
    };
    let lines = entry
        .text
        .split('\n')
        .map(|line| of(line).div_ceil(columns).max(1));
    lines.sum()
}
