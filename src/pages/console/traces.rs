//! Traces: runs as they happen, newest first; one opens in place.

use super::follow::Console;
use super::hue;
use super::rows::{Pool, Slot, row_of, set_attribute};
use super::run::Run;
use crate::canvas::surface;
use crate::components::time_text::clock;
use crate::state::{every, now, param, use_replace};
use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use meshscope_analysis::LiveTrace;
use meshscope_analysis::log_filter::contains;
use meshscope_api::LiveSpan;
use meshscope_layout::format;
use meshscope_model::TraceId;
use meshscope_model::time::HOUR;

/// Cells: state, name, service, start, bar and duration, spans, tokens, cost.
const TEMPLATE: &str = "<span class=state></span><span class=name></span><span class=who></span><time></time>\
    <span class=bar><i></i></span><span class=num></span><span class=num></span><span class=num></span><span class=num></span>";
/// Height of a row, pixels: that of the style sheet.
const ROW: f64 = 33.0;
/// How often the list is put together anew while it changes, ms.
const AGAIN_MS: i32 = 100;

/// How a run or span stands, in a mark, a word and a class.
pub(crate) fn state(open: bool, errors: bool, blocked: bool) -> (&'static str, &'static str) {
    match (open, errors, blocked) {
        (true, true, _) => ("\u{25d4} running, failing", "is-open is-failed"),
        (true, false, _) => ("\u{25d4} running", "is-open"),
        (false, true, _) => ("\u{25cf} error", "is-failed"),
        (false, false, true) => ("\u{25c6} blocked", "is-blocked"),
        (false, false, false) => ("\u{2713} ended", "is-ended"),
    }
}

/// How long something has taken: what is in progress grows, unless it began so long ago that it
/// will not end any more.
pub(crate) fn lasted(start: i64, end: Option<i64>, open: bool, now: i64) -> i64 {
    let known = end.unwrap_or(start).saturating_sub(start);
    let grown = now.saturating_sub(start);
    if open && grown < HOUR {
        grown.max(known)
    } else {
        known
    }
}

/// Whether a span has a word in what is shown of it.
pub(crate) fn finds(span: &LiveSpan, word: &str) -> bool {
    let known = [
        &span.agent,
        &span.model,
        &span.tool,
        &span.error,
        &span.session_id,
    ];
    let mut texts = known.into_iter().flatten().chain([&span.name, &span.service]);
    texts.any(|text| contains(text, word))
}

/// The tab.
#[component]
pub(crate) fn TracesTab() -> impl IntoView {
    let console = expect_context::<Console>();
    let (scroller, space, probe) = (
        NodeRef::<Div>::new(),
        NodeRef::<Div>::new(),
        NodeRef::<Canvas>::new(),
    );
    let (q, opened) = (param("q"), param("trace"));
    let opened = Memo::new(move |_| opened.get()?.parse::<TraceId>().ok());
    let word = Memo::new(move |_| q.get().unwrap_or_default().to_lowercase());
    let pool = StoredValue::new_local(Pool::new(TEMPLATE, ROW));
    let runs = StoredValue::new_local(Vec::<(TraceId, LiveTrace)>::new());
    let count = RwSignal::new((0_usize, 0_usize));
    let resized = RwSignal::new(0_u32);
    surface::on_resize(probe, move || resized.update(|n| *n = n.wrapping_add(1)));
    let draw = move || {
        let (Some(scroller), Some(space)) = (scroller.get_untracked(), space.get_untracked()) else {
            return;
        };
        let now = now();
        runs.with_value(|runs| {
            let lasts = |run: &LiveTrace| {
                lasted(
                    run.started_at.unwrap_or(now),
                    run.last_at,
                    run.counts.open > 0,
                    now,
                )
            };
            let longest = runs.iter().map(|(_, run)| lasts(run)).max().unwrap_or(1).max(1);
            pool.update_value(|pool| {
                pool.resize(runs.len());
                let key = |row: usize| match runs.get(row) {
                    Some((id, run)) => format!(
                        "{id}{:?}{}{}{}{}",
                        run.counts,
                        run.name,
                        lasts(run),
                        longest,
                        opened.get_untracked() == Some(*id)
                    ),
                    None => String::new(),
                };
                pool.draw(&scroller, &space, key, |slot, row| {
                    if let Some((id, run)) = runs.get(row) {
                        fill(
                            slot,
                            run,
                            lasts(run),
                            longest,
                            opened.get_untracked() == Some(*id),
                        );
                    }
                });
            });
        });
    };
    let gather = move || {
        let found = console.with_feed(|feed| {
            let mut found: Vec<_> = feed.fold.traces();
            let all = found.len();
            found.retain(|(_, run)| run.counts.spans > 0);
            word.with_untracked(|word| {
                let has = |id: &TraceId| feed.fold.spans(*id).any(|span| finds(span, word));
                found.retain(|(id, _)| word.is_empty() || id.to_string().contains(word.as_str()) || has(id));
            });
            found.sort_by_key(|(id, run)| (std::cmp::Reverse(run.started_at), *id));
            (found, all)
        });
        let Some((found, all)) = found else { return };
        if count.get_untracked() != (found.len(), all) {
            count.set((found.len(), all));
        }
        runs.set_value(found);
        draw();
    };
    // Drawn some times a second rather than at each frame: figures that flicker cannot be read.
    let drawn = StoredValue::new(None::<u32>);
    every(AGAIN_MS, move || {
        let latest = console.drawn.get_untracked();
        let running = console.figures.get_untracked().running > 0 && !console.paused.get_untracked();
        if drawn.get_value() != Some(latest) || running {
            drawn.set_value(Some(latest));
            gather();
        }
    });
    Effect::new(move |_| {
        word.track();
        opened.track();
        resized.track();
        if scroller.get().is_some() && space.get().is_some() {
            gather();
        }
    });
    let patch = use_replace();
    let clicked = move |event: web_sys::MouseEvent| {
        let id = row_of(&event).and_then(|row| runs.with_value(|runs| runs.get(row).map(|(id, _)| *id)));
        if let Some(id) = id {
            let chosen = (opened.get_untracked() != Some(id)).then(|| id.to_string());
            patch(&[("trace", chosen)]);
        }
    };
    let empty = move || {
        let (found, all) = count.get();
        (found == 0).then(|| {
            let text = if all > 0 {
                "No run that is held fits the filter"
            } else {
                "Waiting for spans\u{2026}"
            };
            view! { <div class="console-empty">{text}</div> }
        })
    };
    view! {
        <div class="console-split runs" class:alone=move || opened.get().is_none()>
            <div class="panel console-list">
                <canvas class="probe" node_ref=probe aria-hidden="true"></canvas>
                <div class="trow head" aria-hidden="true">
                    <span>"State"</span><span>"Run"</span><span>"Service"</span><span>"Started"</span><span>"Duration"</span>
                    <span></span><span class="num">"Spans"</span><span class="num">"Tokens"</span><span class="num">"Cost"</span>
                </div>
                <div class="console-scroll" id="console-traces" node_ref=scroller tabindex="0" role="list"
                    aria-label="Runs, newest first" on:scroll=move |_| draw() on:click=clicked>
                    <div class="console-space" node_ref=space></div>
                </div>
                {empty}
            </div>
            {move || opened.get().map(|id| view! { <Run id word /> })}
        </div>
    }
}

fn fill(slot: &Slot, run: &LiveTrace, lasts: i64, longest: i64, chosen: bool) {
    let counts = &run.counts;
    let (text, class) = state(counts.open > 0, counts.errors > 0, counts.blocked > 0);
    slot.row
        .set_class_name(&format!("trow {class}{}", if chosen { " on" } else { "" }));
    let more = if counts.errors > 0 && counts.blocked > 0 {
        " \u{25c6}"
    } else {
        ""
    };
    slot.text(0, &format!("{text}{more}"));
    slot.text(1, &run.name);
    slot.attribute(1, "title", &run.name);
    slot.text(2, &run.service);
    slot.attribute(2, "class", &format!("who c{}", hue(&run.service)));
    slot.text(3, &run.started_at.map_or_else(String::new, clock));
    let width = format!("width:{:.2}%", lasts as f64 / longest as f64 * 100.0);
    if let Some(bar) = slot.cells.get(4).and_then(web_sys::Element::first_element_child) {
        set_attribute(&bar, "style", &width);
    }
    slot.text(5, &format::duration(lasts));
    let open = if counts.open > 0 {
        format!("{} \u{25d4} ", counts.open)
    } else {
        String::new()
    };
    slot.text(6, &format!("{open}{}", format::integer(counts.spans as i64)));
    slot.text(
        7,
        &counts
            .tokens
            .total
            .map_or_else(|| "\u{2013}".to_owned(), format::count),
    );
    let called = counts.tokens.total.is_some() || counts.cost_pico_usd.is_some();
    let cost = if called {
        format::cost_or_unknown(counts.cost_pico_usd)
    } else {
        "\u{2013}".to_owned()
    };
    slot.text(8, &cost);
}
