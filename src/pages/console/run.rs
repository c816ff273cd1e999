//! One run while it happens: its spans under each other, those in progress growing.

use super::follow::Console;
use super::hue;
use super::rows::{Pool, Slot, row_of, set_attribute};
use super::traces::{finds, lasted, state};
use crate::state::{every, now, use_href, use_replace};
use leptos::html::Div;
use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_navigate;
use meshscope_analysis::{LiveRow, live_tree};
use meshscope_api::LiveSpan;
use meshscope_layout::format;
use meshscope_model::TraceId;

/// Cells: name, bar in the run's time, duration.
const TEMPLATE: &str = "<span class=name></span><span class=bar><i></i></span><span class=num></span>";
/// Height of a row, pixels: that of the style sheet.
const ROW: f64 = 25.0;
/// How often it is drawn while it changes, ms.
const AGAIN_MS: i32 = 100;

/// The spans of a run; those that a word finds, with what is above and below them.
#[component]
pub(crate) fn Run(id: TraceId, word: Memo<String>) -> impl IntoView {
    let console = expect_context::<Console>();
    let (scroller, space) = (NodeRef::<Div>::new(), NodeRef::<Div>::new());
    let pool = StoredValue::new_local(Pool::new(TEMPLATE, ROW));
    let shown = StoredValue::new(Vec::<String>::new());
    let said = RwSignal::new(String::new());
    let (href, patch) = (use_href(), use_replace());
    let draw = move || {
        let (Some(scroller), Some(space)) = (scroller.get_untracked(), space.get_untracked()) else {
            return;
        };
        let now = now();
        let text = console.with_feed(|feed| {
            let spans: Vec<&LiveSpan> = feed.fold.spans(id).collect();
            let rows =
                word.with_untracked(|word| live_tree(&spans, |span| word.is_empty() || finds(span, word)));
            let lasts = |span: &LiveSpan| {
                let end = span
                    .duration_ns
                    .map(|duration| span.start_time.saturating_add(duration));
                lasted(span.start_time, end, span.duration_ns.is_none(), now)
            };
            let start = spans.iter().map(|span| span.start_time).min().unwrap_or(0);
            let end = spans
                .iter()
                .map(|span| span.start_time.saturating_add(lasts(span)))
                .max();
            let length = end.map_or(1, |end| end.saturating_sub(start)).max(1);
            let of = |row: usize| rows.get(row).and_then(|row| Some((*row, *spans.get(row.index)?)));
            pool.update_value(|pool| {
                pool.resize(rows.len());
                let key = |row: usize| {
                    of(row).map_or_else(String::new, |(row, span)| {
                        format!("{row:?}{}{}{length}{start}", span.sequence, lasts(span))
                    })
                };
                pool.draw(&scroller, &space, key, |slot, row| {
                    if let Some((row, span)) = of(row) {
                        let left = (span.start_time - start) as f64 / length as f64;
                        fill(slot, row, span, left, lasts(span), length);
                    }
                });
            });
            let ids = rows
                .iter()
                .filter_map(|row| Some(spans.get(row.index)?.span_id.to_string()));
            shown.set_value(ids.collect());
            let open = spans.iter().filter(|span| span.duration_ns.is_none()).count();
            let open = if open > 0 {
                format!(" \u{b7} {open} in progress")
            } else {
                String::new()
            };
            format!(
                "{} of {} spans{open} \u{b7} {}",
                rows.len(),
                spans.len(),
                format::duration(length)
            )
        });
        if let Some(text) = text.filter(|text| *text != said.get_untracked()) {
            said.set(text);
        }
    };
    Effect::new(move |_| {
        word.track();
        if scroller.get().is_some() && space.get().is_some() {
            draw();
        }
    });
    every(AGAIN_MS, move || {
        if !console.paused.get_untracked() {
            draw();
        }
    });
    let to = href(&format!("/traces/{id}"));
    let navigate = use_navigate();
    let clicked = move |event: web_sys::MouseEvent| {
        let span = row_of(&event).and_then(|row| shown.with_value(|shown| shown.get(row).cloned()));
        if let Some(span) = span {
            navigate(
                &href(&format!("/traces/{id}?span={span}")),
                leptos_router::NavigateOptions::default(),
            );
        }
    };
    view! {
        <aside class="panel console-run" aria-label="The run">
            <h2>
                <span class="sub" id="run-said">{said}</span>
                <span class="grow"></span>
                <A href=to attr:class="pill">"\u{2197} Open the trace"</A>
                <button class="copy" aria-label="Close" on:click=move |_| patch(&[("trace", None)])>"\u{2715}"</button>
            </h2>
            <div class="console-scroll" id="console-run" node_ref=scroller tabindex="0" role="list" aria-label="Spans of the run"
                on:scroll=move |_| draw() on:click=clicked>
                <div class="console-space" node_ref=space></div>
            </div>
        </aside>
    }
}

fn fill(slot: &Slot, row: LiveRow, span: &LiveSpan, left: f64, lasts: i64, length: i64) {
    let (text, class) = state(
        span.duration_ns.is_none(),
        span.error.is_some() && !span.blocked,
        span.blocked,
    );
    let found = if row.found { "" } else { " beside" };
    slot.row.set_class_name(&format!("srow {class}{found}"));
    let mark = match class {
        "is-ended" => "",
        _ => text.split(' ').next().unwrap_or_default(),
    };
    slot.text(0, &format!("{mark} {}", span.name));
    slot.attribute(0, "style", &format!("padding-left:{}px", row.depth.min(24) * 12));
    let error = span.error.as_deref().unwrap_or_default();
    slot.attribute(
        0,
        "title",
        format!("{} \u{b7} {} {error}", span.name, span.service).trim(),
    );
    if let Some(bar) = slot.cells.get(1).and_then(web_sys::Element::first_element_child) {
        let width = lasts as f64 / length as f64 * 100.0;
        set_attribute(
            &bar,
            "style",
            &format!("left:{:.2}%;width:{width:.2}%", left * 100.0),
        );
        set_attribute(&bar, "class", &format!("h{}", hue(&span.service)));
    }
    slot.text(2, &format::duration(lasts));
}
