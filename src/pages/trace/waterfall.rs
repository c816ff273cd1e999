//! The waterfall on the page: canvas, pointer, keyboard.

use super::Loaded;
use super::model::{LANE_HEIGHT, LANES, Model};
use crate::canvas::surface;
use crate::canvas::theme::Theme;
use crate::canvas::waterfall::{self, Marks};
use crate::state::prefs::Prefs;
use crate::state::{param, use_patch};
use leptos::html::Canvas;
use leptos::prelude::*;
use meshscope_layout::{Hit, Part, Step, format};
use std::sync::Arc;
use wasm_bindgen::JsCast as _;

/// What a drag does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Drag {
    /// Widens the names.
    Divider,
    /// Moves window and lines; from where, and whether it moved at all.
    Pan { x: f64, y: f64, moved: bool },
    /// Chooses a window on the minimap, from this x on.
    Brush(f64),
}

/// The waterfall of `loaded`. `span` is the selection in the URL; `select` changes it.
#[component]
pub(crate) fn WaterfallView(
    loaded: Memo<Option<Arc<Loaded>>>,
    span: Memo<Option<String>>,
    select: Callback<Option<String>>,
) -> impl IntoView {
    let (rows, map) = (NodeRef::<Canvas>::new(), NodeRef::<Canvas>::new());
    let model = StoredValue::new_local(None::<Model>);
    let drag = StoredValue::new(None::<Drag>);
    let prefs = expect_context::<Prefs>();
    let all = param("all");
    let patch = use_patch();
    // The one thing that reacts a frame: what a reader and a test are told of the picture.
    let told = RwSignal::new((0_usize, 0_usize, String::new()));
    let dirty = StoredValue::new(false);
    let draw = move || {
        dirty.set_value(false);
        let (Some(canvas), Some(map)) = (rows.get_untracked(), map.get_untracked()) else {
            return;
        };
        model.try_update_value(|model| {
            let Some(model) = model else { return };
            paint(model, &canvas, &map);
            let selected = model
                .selected
                .map_or_else(String::new, |span| describe(model, span));
            let now = (model.rows.len(), model.scroll.visible().len(), selected);
            if told.with_untracked(|told| *told != now) {
                told.set(now);
            }
        });
    };
    let redraw = move || {
        if dirty.try_get_value() == Some(false) {
            dirty.set_value(true);
            request_animation_frame(draw);
        }
    };
    let resize = move || {
        if let Some(canvas) = rows.get_untracked() {
            let (width, height) = (
                f64::from(canvas.client_width()),
                f64::from(canvas.client_height()),
            );
            model.try_update_value(|model| {
                if let Some(model) = model {
                    model.resize(width, height);
                }
            });
            redraw();
        }
    };
    surface::on_resize(rows, resize);
    Effect::new(move |before: Option<bool>| {
        let Some(loaded) = loaded.get() else { return false };
        let show_all = all.get().is_some();
        model.update_value(|model| match model {
            Some(model)
                if before == Some(!show_all) && model.loaded.columns.trace_id == loaded.columns.trace_id =>
            {
                model.renew(loaded);
            }
            _ => *model = Some(Model::new(loaded, !show_all)),
        });
        resize();
        !show_all
    });
    Effect::new(move |_| {
        let chosen = span.get();
        loaded.track();
        model.update_value(|model| {
            let Some(model) = model else { return };
            let id = chosen.and_then(|id| id.parse::<meshscope_model::SpanId>().ok());
            let row = id.and_then(|id| model.loaded.tree.row_of(&model.loaded.columns, id.as_u64()));
            if model.selected != row {
                model.selected = row;
                if let Some(row) = row {
                    model.reveal(row);
                }
            }
        });
        redraw();
    });
    Effect::new(move |_| {
        prefs.drawn.track();
        redraw();
    });

    let choose = move |row: Option<u32>| {
        let id = model.with_value(|model| {
            let columns = &model.as_ref()?.loaded.columns;
            columns
                .span_id
                .get(row? as usize)
                .map(|id| meshscope_model::SpanId::from_u64(*id).to_string())
        });
        select.run(id);
    };
    let hit = move |event: &web_sys::PointerEvent| {
        let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        model.with_value(|model| model.as_ref().and_then(|model| model.waterfall().hit(x, y)))
    };
    let pressed = move |event: web_sys::PointerEvent| {
        let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        capture(&event);
        let start = if hit(&event) == Some(Hit::Divider) {
            Drag::Divider
        } else {
            Drag::Pan { x, y, moved: false }
        };
        drag.set_value(Some(start));
    };
    let moved = move |event: web_sys::PointerEvent| {
        let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        let under = hit(&event);
        model.update_value(|model| {
            let Some(model) = model else { return };
            model.cursor = Some(x - model.frame.name_width).filter(|x| *x >= 0.0);
            model.hover = match under {
                Some(Hit::Line { span, .. }) => Some(span),
                _ => None,
            };
            match drag.get_value() {
                Some(Drag::Divider) => {
                    model.name_width = Some(x);
                    let frame = model.frame;
                    model.resize(frame.width, frame.height);
                }
                Some(Drag::Pan {
                    x: from_x,
                    y: from_y,
                    moved,
                }) => {
                    let far = moved || (x - from_x).abs() + (y - from_y).abs() > 4.0;
                    if far {
                        if from_x > model.frame.name_width {
                            model.view.pan(from_x - x);
                        }
                        model.scroll.by(from_y - y);
                        drag.set_value(Some(Drag::Pan { x, y, moved: true }));
                    }
                }
                _ => {}
            }
        });
        redraw();
    };
    let released = move |event: web_sys::PointerEvent| {
        let was = drag.get_value();
        drag.set_value(None);
        if !matches!(was, Some(Drag::Pan { moved: false, .. })) {
            return;
        }
        match hit(&event) {
            Some(Hit::Line {
                span, group, part, ..
            }) if group || part == Part::Toggle => {
                model.update_value(|model| {
                    let Some(model) = model else { return };
                    if group {
                        model.toggle_group(span);
                    } else {
                        model.toggle(span);
                    }
                });
                redraw();
            }
            Some(Hit::Line { span, .. }) => choose(Some(span)),
            _ => {}
        }
    };
    let doubled = move |_| {
        model.update_value(|model| {
            if let Some(model) = model {
                model.key("f");
            }
        });
        redraw();
    };
    let left = move |_| {
        model.update_value(|model| {
            if let Some(model) = model {
                model.hover = None;
                model.cursor = None;
            }
        });
        redraw();
    };
    let wheeled = move |event: web_sys::WheelEvent| {
        event.prevent_default();
        let x = f64::from(event.offset_x());
        // Firefox counts lines where others count pixels.
        let unit = if event.delta_mode() == 1 { 18.0 } else { 1.0 };
        let (dx, dy) = (event.delta_x() * unit, event.delta_y() * unit);
        model.update_value(|model| {
            let Some(model) = model else { return };
            if event.ctrl_key() || event.meta_key() {
                model
                    .view
                    .zoom(x - model.frame.name_width, 1.002_f64.powf(dy * 2.0));
            } else if event.shift_key() {
                model.view.pan(dx + dy);
            } else {
                model.scroll.by(dy);
                model.view.pan(dx);
            }
        });
        redraw();
    };
    let typed = move |event: web_sys::KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let key = event.key();
        let step = |step| model.with_value(|model| model.as_ref().and_then(|model| model.step(step)));
        let (collapsed, below) = model.with_value(|model| {
            let found = model.as_ref().and_then(|model| Some((model, model.selected?)));
            found.map_or((false, 0), |(model, span)| {
                (
                    model.rows.is_collapsed(span),
                    model.rows.below(&model.loaded.tree, span),
                )
            })
        });
        let toggle = || {
            model.update_value(|model| {
                if let Some(model) = model
                    && let Some(span) = model.selected
                {
                    model.toggle(span);
                }
            });
        };
        match key.as_str() {
            "ArrowUp" | "ArrowDown" | "Home" | "End" => {
                let to = match key.as_str() {
                    "ArrowUp" => Step::Up,
                    "ArrowDown" => Step::Down,
                    "Home" => Step::First,
                    _ => Step::Last,
                };
                if let Some(span) = step(to) {
                    choose(Some(span));
                }
            }
            "ArrowLeft" if below > 0 && !collapsed => toggle(),
            "ArrowLeft" => {
                if let Some(span) = step(Step::Parent) {
                    choose(Some(span));
                }
            }
            "ArrowRight" if collapsed => toggle(),
            "ArrowRight" => {
                if let Some(span) = step(Step::FirstChild) {
                    choose(Some(span));
                }
            }
            "Enter" | " " => toggle(),
            "n" => patch(&[("all", all.get_untracked().is_none().then(|| "1".to_owned()))]),
            "Escape" => choose(None),
            other => {
                let mut done = false;
                model.update_value(|model| done = model.as_mut().is_some_and(|model| model.key(other)));
                if !done {
                    return;
                }
            }
        }
        event.prevent_default();
        event.stop_propagation();
        redraw();
    };

    let brush = move |event: web_sys::PointerEvent| {
        capture(&event);
        drag.set_value(Some(Drag::Brush(f64::from(event.offset_x()))));
    };
    let brushed = move |event: web_sys::PointerEvent| {
        let Some(Drag::Brush(from)) = drag.get_value() else {
            return;
        };
        let to = f64::from(event.offset_x());
        if (to - from).abs() < 3.0 {
            return;
        }
        model.update_value(|model| {
            let Some(model) = model else { return };
            let overview = model.view.overview(model.frame.width);
            let at = |x: f64| overview.time_at(x.clamp(0.0, overview.width()));
            model.view.set_window(at(from.min(to)), at(from.max(to)));
        });
        redraw();
    };
    let brush_end = move |_| drag.set_value(None);
    let unbrush = move |_| {
        model.update_value(|model| {
            if let Some(model) = model {
                model.view.fit();
            }
        });
        redraw();
    };
    let hidden = move || {
        loaded.track();
        all.track();
        told.track();
        model.with_value(|model| model.as_ref().map_or(0, |model| model.rows.hidden()))
    };
    let patch = use_patch();
    let noise = move || {
        let patch = patch.clone();
        let (hidden, shown) = (hidden(), all.get().is_some());
        let toggle = move |_| patch(&[("all", (!shown).then(|| "1".to_owned()))]);
        (hidden > 0 || shown).then(move || {
            let text = if shown {
                "Hide the framework's own spans".to_owned()
            } else {
                format!("{hidden} of the framework's own spans are hidden")
            };
            view! { <button class="noise" on:click=toggle>{text}</button> }
        })
    };
    view! {
        <div class="panel waterfall" data-rows=move || told.get().0.to_string()
            data-visible-rows=move || told.get().1.to_string()>
            <canvas class="minimap" node_ref=map aria-hidden="true" on:pointerdown=brush on:pointermove=brushed
                on:pointerup=brush_end on:dblclick=unbrush></canvas>
            <canvas class="rows" node_ref=rows tabindex="0" role="application" id="waterfall"
                aria-label="Waterfall of the trace; arrow keys move, ? lists the keys" aria-describedby="selected-span"
                on:pointerdown=pressed on:pointermove=moved on:pointerup=released on:pointerleave=left
                on:dblclick=doubled on:wheel=wheeled on:keydown=typed></canvas>
            <div class="visually-hidden" id="selected-span" aria-live="polite">{move || told.get().2}</div>
            {noise}
        </div>
    }
}

/// Goes on getting the pointer's moves when it leaves the canvas.
fn capture(event: &web_sys::PointerEvent) {
    let canvas = event
        .current_target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    if let Some(Err(error)) = canvas.map(|canvas| canvas.set_pointer_capture(event.pointer_id())) {
        leptos::logging::warn!("the pointer cannot be captured: {error:?}");
    }
}

/// A span in words, for those who hear the page.
fn describe(model: &Model, span: u32) -> String {
    let columns = &model.loaded.columns;
    let row = span as usize;
    let duration = columns.duration.get(row).copied().unwrap_or(0);
    let failed = if columns.has_flag(row, meshscope_model::columns::flag::ERROR) {
        ", failed"
    } else {
        ""
    };
    let level = model.loaded.tree.depth(span) + 1;
    format!(
        "{}, {}, {}{failed}, level {level}",
        columns.name(row),
        columns.service(row),
        format::duration(duration)
    )
}

fn paint(model: &mut Model, canvas: &web_sys::HtmlCanvasElement, map: &web_sys::HtmlCanvasElement) {
    surface::fit(canvas);
    surface::fit(map);
    let (Some(c), Some(m)) = (surface::context(canvas), surface::context(map)) else {
        return;
    };
    let theme = Theme::read();
    c.set_font(&waterfall::font(&theme, 12.0));
    let mut bars = std::mem::take(&mut model.bars);
    model.waterfall().bars(
        &model.folded_flags,
        &|text| waterfall::measure(&c, text),
        &mut bars,
    );
    model.paint_minimap();
    let columns = &model.loaded.columns;
    let hue = |span: u32| {
        let service = columns.service.get(span as usize).copied().unwrap_or(0);
        model.hues.get(service as usize).copied().unwrap_or(0)
    };
    let marks = Marks {
        selected: model.selected,
        hover: model.hover,
        cursor: model.cursor,
    };
    waterfall::draw(&c, &model.waterfall(), &bars, &theme, &hue, marks);
    if let Some(minimap) = &model.minimap {
        let lanes = (LANES, LANE_HEIGHT);
        waterfall::draw_minimap(
            &m,
            &model.waterfall(),
            minimap,
            lanes,
            &model.critical,
            &theme,
            &hue,
        );
    }
    model.bars = bars;
}
