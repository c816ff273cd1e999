//! The waterfall on the page: canvas, pointer, keyboard.

mod finding;
mod pointer;
mod readers;
mod save;
mod stage;
mod toolbar;

use super::load::{self, Loaded};
use super::model::{Figure, Model, Options};
use crate::canvas::surface;
use crate::state::keys::Going;
use crate::state::prefs::Prefs;
use crate::state::{now, param, use_patch, use_replace};
use leptos::prelude::*;
use meshscope_layout::Step;
use meshscope_model::SpanId;
use meshscope_model::time::MINUTE;
use pointer::Pointers;
use stage::Stage;
use std::sync::Arc;
use std::time::Duration;
use toolbar::{Noise, Toolbar};
use wasm_bindgen::JsCast as _;

/// How often what runs grows.
const GROWS: Duration = Duration::from_secs(1);
/// What was quiet for longer has most likely been given up, ns: it does not grow.
const GIVEN_UP: i64 = 10 * MINUTE;

/// The options in the URL.
fn options() -> Memo<Options> {
    let [all, fold, idle, critical, only, columns] =
        ["all", "fold", "idle", "critical", "only", "columns"].map(param);
    Memo::new(move |_| Options {
        hide_noise: all.get().is_none(),
        fold: fold.get().is_none(),
        compress: idle.get().is_some(),
        critical: critical.get().is_none(),
        only: only.get().is_some(),
        figures: columns.get().map(|words| Figure::list(&words)),
    })
}

/// The window of time in the URL: `FROM-TO`, ns after the start of the trace.
fn read_window(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.split_once('-')?;
    let window = (from.parse().ok()?, to.parse().ok()?);
    (window.0 < window.1).then_some(window)
}

/// Until when what runs is drawn.
fn running_to(loaded: &Loaded) -> i64 {
    let (last, now) = (loaded.bounds().1, now());
    if load::is_live() && now.saturating_sub(last) < GIVEN_UP {
        now
    } else {
        last
    }
}

/// Gives the keyboard to the lines.
fn focus_grid() {
    let grid = document().get_element_by_id("waterfall");
    let grid = grid.and_then(|grid| grid.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(Err(error)) = grid.map(|grid| grid.focus()) {
        leptos::logging::warn!("the waterfall cannot be focused: {error:?}");
    }
}

/// The waterfall of `loaded`. `span` is the selection in the URL; `select` changes it.
#[component]
pub(crate) fn WaterfallView(
    loaded: Memo<Option<Arc<Loaded>>>,
    span: Memo<Option<String>>,
    select: Callback<Option<String>>,
) -> impl IntoView {
    let stage = Stage::new();
    let prefs = expect_context::<Prefs>();
    follow(stage, loaded, span);
    stage.follow_playhead();
    Effect::new(move |_| {
        prefs.drawn.track();
        stage.repaint();
    });
    surface::on_resize(stage.canvas, move || stage.resize());

    // Puts the keyboard on a line and its span into the URL; a group's line leaves the span there.
    let choose = move |line: Option<usize>| {
        let focus = stage
            .change(|model| line.and_then(|line| model.focus_on(line)))
            .flatten();
        stage.hear();
        if let Some(focus) = focus.filter(|focus| !focus.group) {
            select.run(id_of(stage, focus.span));
        }
    };
    let choose_span = Callback::new(move |span: u32| {
        stage.change(|model| model.focus = None);
        select.run(id_of(stage, span));
    });
    let go = Callback::new(move |back: bool| {
        let to = stage.change(|model| {
            let tree = Arc::clone(&model.loaded);
            let from = model.focus.map(|focus| tree.tree.position(focus.span));
            let place = *model.find.places().get(model.find.next(from, back)?)?;
            let span = *tree.tree.order().get(place as usize)?;
            model.reveal(span);
            let line = model.rows.line_of(&tree.tree, span)?;
            Some(line)
        });
        choose(to.flatten());
    });
    let typed = keys(stage, choose, select, go);
    let pointers = Pointers::new(stage, choose_span);
    let trace = Memo::new(move |_| {
        loaded.with(|loaded| loaded.as_ref().map(|loaded| loaded.columns.trace_id.to_string()))
    });
    let told = stage.told;
    let active = move || {
        stage.heard.track();
        let line = told.with(|told| told.line)?;
        let seen = stage.with(|model| model.scroll.visible().contains(&line));
        (seen == Some(true)).then(|| readers::id(line))
    };
    let nothing = move || {
        let empty = told.with(|told| told.rows == 0 && told.finds == Some(0));
        empty.then(|| view! { <div class="nothing">"Nothing was found"</div> })
    };
    view! {
        <div class="panel waterfall" data-rows=move || told.with(|told| told.rows.to_string())
            data-visible-rows=move || told.with(|told| told.visible.to_string())>
            <Toolbar id=trace loaded stage go />
            <canvas class="minimap" node_ref=stage.map aria-hidden="true"
                on:pointerdown=move |event| pointers.brush(&event) on:pointermove=move |event| pointers.brushed(&event)
                on:pointerup=move |_| pointers.brush_end() on:dblclick=move |_| pointers.unbrush()></canvas>
            <div class="grid" id="waterfall" tabindex="0" role="treegrid" aria-label="Waterfall of the trace; ? lists the keys"
                aria-rowcount=move || told.with(|told| told.rows.to_string()) aria-activedescendant=active
                on:keydown=typed>
                <canvas class="rows" node_ref=stage.canvas aria-hidden="true"
                    on:pointerdown=move |event| pointers.pressed(&event) on:pointermove=move |event| pointers.moved(&event)
                    on:pointerup=move |event| pointers.released(&event) on:pointercancel=move |event| pointers.cancelled(&event)
                    on:pointerleave=move |_| pointers.left() on:dblclick=move |event| pointers.doubled(&event)
                    on:wheel=move |event| pointers.wheeled(&event)></canvas>
                <div class="visually-hidden" role="rowgroup" node_ref=stage.readers></div>
                {nothing}
            </div>
            <div class="status">
                <div class="said-of" node_ref=stage.status></div>
                <Noise stage />
            </div>
        </div>
    }
}

fn id_of(stage: Stage, span: u32) -> Option<String> {
    let id = stage.with(|model| model.loaded.columns.span_id.get(span as usize).copied());
    id.flatten().map(|id| SpanId::from_u64(id).to_string())
}

/// Keeps the model in step with the trace and the URL, and the URL with the window.
fn follow(stage: Stage, loaded: Memo<Option<Arc<Loaded>>>, span: Memo<Option<String>>) {
    let options = options();
    let zoom = param("zoom");
    let replace = use_replace();
    Effect::new(move |_| {
        let Some(loaded) = loaded.get() else { return };
        let to = running_to(&loaded);
        let window = || zoom.get_untracked().and_then(|text| read_window(&text));
        stage.model.update_value(|model| match model {
            Some(model) if model.loaded.columns.trace_id == loaded.columns.trace_id => {
                model.renew(loaded, to);
            }
            _ => *model = Some(Model::new(loaded, options.get_untracked(), to, window())),
        });
        stage.resize();
    });
    Effect::new(move |_| {
        let options = options.get();
        stage.change(|model| model.set_options(options));
    });
    Effect::new(move |_| {
        let chosen = span.get();
        loaded.track();
        stage.change(|model| {
            let id = chosen.and_then(|id| id.parse::<SpanId>().ok());
            let row = id.and_then(|id| model.loaded.tree.row_of(&model.loaded.columns, id.as_u64()));
            if model.selected != row || row.is_some() && model.focus.is_none() {
                model.selected = row;
                if let Some(span) = row {
                    model.focus = Some(super::model::Focus { span, group: false });
                    model.reveal(span);
                }
            }
        });
    });
    Effect::new(move |first: Option<()>| {
        let window = stage.window.get();
        if first.is_some() {
            let text = window.map(|(from, to)| format!("{from}-{to}"));
            if zoom.get_untracked() != text {
                replace(&[("zoom", text)]);
            }
        }
    });
    // Back and forward in the browser's history, and links within the page.
    Effect::new(move |first: Option<()>| {
        let window = zoom.with(|text| text.as_deref().and_then(read_window));
        if first.is_some() && stage.window.get_untracked() != window {
            stage.change(|model| model.go_to(window));
        }
    });
    let grow = move || {
        if load::is_live() && document().visibility_state() == web_sys::VisibilityState::Visible {
            let grew = stage.model.try_update_value(|model| {
                let model = model.as_mut()?;
                let to = running_to(&model.loaded);
                Some(model.grow(to))
            });
            if grew.flatten() == Some(true) {
                stage.redraw();
            }
        }
    };
    match set_interval_with_handle(grow, GROWS) {
        Ok(clock) => on_cleanup(move || clock.clear()),
        Err(error) => leptos::logging::error!("no clock: {error:?}"),
    }
}

/// What the keys do.
fn keys(
    stage: Stage,
    choose: impl Fn(Option<usize>) + Copy + 'static,
    select: Callback<Option<String>>,
    go: Callback<bool>,
) -> impl Fn(web_sys::KeyboardEvent) {
    let going = expect_context::<Going>();
    let (patch, replace) = (use_patch(), use_replace());
    let (all, find) = (param("all"), param("find"));
    let said = RwSignal::new("");
    move |event| {
        let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        if !plain || going.0.get_value() {
            return;
        }
        let key = event.key();
        let step = |step| choose(stage.with(|model| model.step(step)).flatten());
        let focus = stage.with(|model| model.focus).flatten();
        let folded = focus.and_then(|focus| stage.with(|model| model.is_folded(focus)).flatten());
        let toggle = || {
            if let Some(focus) = focus {
                stage.change(|model| model.toggle(focus));
                stage.hear();
            }
        };
        match (key.as_str(), folded) {
            ("ArrowUp", _) => step(Step::Up),
            ("ArrowDown", _) => step(Step::Down),
            ("Home", _) => step(Step::First),
            ("End", _) => step(Step::Last),
            ("ArrowLeft", Some(false)) | ("ArrowRight", Some(true)) | ("Enter" | " ", _) => toggle(),
            ("ArrowLeft", _) => step(Step::Parent),
            ("ArrowRight", _) => step(Step::FirstChild),
            ("n" | "N", _) => go.run(key == "N"),
            ("h", _) => patch(&[("all", all.get_untracked().is_none().then(|| "1".to_owned()))]),
            ("y", _) => save::copy_link(said),
            ("Escape", _) => {
                let marked = stage.change(|model| model.rule.mark.take().is_some());
                if marked == Some(true) {
                } else if find.get_untracked().is_some() {
                    replace(&[("find", None), ("only", None)]);
                } else {
                    stage.change(|model| model.focus = None);
                    select.run(None);
                }
            }
            (other, _) => {
                if stage.change(|model| model.key(other)) != Some(true) {
                    return;
                }
            }
        }
        event.prevent_default();
        event.stop_propagation();
    }
}
