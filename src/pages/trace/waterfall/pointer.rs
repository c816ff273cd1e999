//! What a pointer does: drag, pinch, wheel, click, brush.

use super::stage::Stage;
use crate::pages::trace::model::{Focus, Model};
use leptos::prelude::*;
use meshscope_layout::waterfall::RULER_HEIGHT;
use meshscope_layout::{Hit, Part};
use wasm_bindgen::JsCast as _;
use web_sys::{MouseEvent, PointerEvent, WheelEvent};

/// So far a press may move and still be a click, CSS pixels.
const STILL: f64 = 4.0;
/// What a line is in Firefox, where others count pixels.
const WHEEL_LINE: f64 = 18.0;

/// What a drag does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Drag {
    /// Widens the names.
    Divider,
    /// Scrolls the lines.
    Bar,
    /// Measures time from where it began.
    Rule,
    /// Moves window and lines; from where, and whether it moved at all.
    Pan { x: f64, y: f64, moved: bool },
    /// Zooms by two fingers, that far apart before, with their middle there.
    Pinch { apart: f64, middle: f64 },
    /// Chooses a window on the minimap, from this x on.
    Brush(f64),
}

/// The pointers that are down, and what they do.
#[derive(Clone, Copy)]
pub(super) struct Pointers {
    stage: Stage,
    drag: StoredValue<Option<Drag>>,
    /// Id and place of each.
    down: StoredValue<Vec<(i32, f64, f64)>>,
    choose: Callback<u32>,
}

fn place(event: &MouseEvent) -> (f64, f64) {
    (f64::from(event.offset_x()), f64::from(event.offset_y()))
}

/// Goes on getting the pointer's moves when it leaves the canvas.
fn capture(event: &PointerEvent) {
    let canvas = event
        .current_target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    if let Some(Err(error)) = canvas.map(|canvas| canvas.set_pointer_capture(event.pointer_id())) {
        leptos::logging::warn!("the pointer cannot be captured: {error:?}");
    }
}

/// Distance and middle of two fingers.
fn fingers(down: &[(i32, f64, f64)]) -> Option<(f64, f64)> {
    let [(_, x0, y0), (_, x1, y1)] = down else {
        return None;
    };
    Some((f64::hypot(x1 - x0, y1 - y0).max(1.0), f64::midpoint(*x0, *x1)))
}

impl Pointers {
    pub(super) fn new(stage: Stage, choose: Callback<u32>) -> Self {
        Self {
            stage,
            drag: StoredValue::new(None),
            down: StoredValue::new(Vec::new()),
            choose,
        }
    }

    fn hit(self, event: &MouseEvent) -> Option<Hit> {
        let (x, y) = place(event);
        self.stage.with(|model| model.hit(x, y)).flatten()
    }

    pub(super) fn pressed(self, event: &PointerEvent) {
        if event.button() != 0 {
            return;
        }
        let (x, y) = place(event);
        capture(event);
        let mut down = self.down.get_value();
        down.retain(|(id, ..)| *id != event.pointer_id());
        down.push((event.pointer_id(), x, y));
        let pinch = fingers(&down);
        self.down.set_value(down);
        let (width, frame) = self.stage.with(|model| (model.width, model.frame)).unwrap_or((
            0.0,
            meshscope_layout::Frame {
                width: 0.0,
                height: 0.0,
                name_width: 0.0,
            },
        ));
        let on_bar = x >= width - crate::pages::trace::model::SCROLLBAR && y >= RULER_HEIGHT;
        let drag = match (pinch, self.hit(event)) {
            (Some((apart, middle)), _) => Drag::Pinch {
                apart,
                middle: middle - frame.name_width,
            },
            _ if on_bar => Drag::Bar,
            (_, Some(Hit::Divider)) => Drag::Divider,
            (_, Some(Hit::Ruler { time })) => {
                self.stage.change(|model| model.rule.mark = Some(time));
                Drag::Rule
            }
            _ => Drag::Pan { x, y, moved: false },
        };
        self.drag.set_value(Some(drag));
        if drag == Drag::Bar {
            self.stage.change(|model| model.drag_thumb(y - RULER_HEIGHT));
        }
    }

    pub(super) fn moved(self, event: &PointerEvent) {
        let (x, y) = place(event);
        self.down.update_value(|down| {
            if let Some(pointer) = down.iter_mut().find(|(id, ..)| *id == event.pointer_id()) {
                (pointer.1, pointer.2) = (x, y);
            }
        });
        let fingers = self.down.with_value(|down| fingers(down));
        let under = self.hit(event);
        self.stage.change(|model| {
            let in_time = x - model.frame.name_width;
            let on_time = in_time >= 0.0 && x < model.frame.width;
            model.rule.point(on_time.then_some(in_time));
            model.hover = match under {
                Some(Hit::Line { line, .. }) => Some(line),
                _ => None,
            };
            if let Some(next) = self
                .drag
                .get_value()
                .and_then(|drag| dragged(model, drag, x, y, fingers))
            {
                self.drag.set_value(Some(next));
            }
        });
    }

    pub(super) fn released(self, event: &PointerEvent) {
        self.down
            .update_value(|down| down.retain(|(id, ..)| *id != event.pointer_id()));
        let was = self.drag.get_value();
        self.drag.set_value(None);
        if let Some(Drag::Pan { moved: false, .. }) = was
            && let Some(Hit::Line {
                span, group, part, ..
            }) = self.hit(event)
        {
            let line = Focus { span, group };
            if group || part == Part::Toggle {
                self.stage.change(|model| {
                    model.focus = Some(line);
                    model.toggle(line);
                });
            } else {
                self.choose.run(span);
            }
        }
    }

    /// The browser took the pointer away.
    pub(super) fn cancelled(self, event: &PointerEvent) {
        self.down
            .update_value(|down| down.retain(|(id, ..)| *id != event.pointer_id()));
        self.drag.set_value(None);
    }

    pub(super) fn left(self) {
        self.stage.change(|model| {
            model.hover = None;
            model.rule.point(None);
        });
    }

    /// A double click fits what is under it, on the axis the whole trace.
    pub(super) fn doubled(self, event: &MouseEvent) {
        match self.hit(event) {
            Some(Hit::Ruler { .. }) => {
                self.stage.change(|model| {
                    model.rule.mark = None;
                    model.go_to(None);
                });
            }
            Some(Hit::Line { part, .. }) if part != Part::Toggle => {
                self.stage.change(|model| model.key("f"));
            }
            _ => {}
        }
    }

    pub(super) fn wheeled(self, event: &WheelEvent) {
        let x = place(event).0;
        let unit = if event.delta_mode() == 1 { WHEEL_LINE } else { 1.0 };
        let (dx, dy) = (event.delta_x() * unit, event.delta_y() * unit);
        let zooms = event.ctrl_key() || event.meta_key();
        let moved = self.stage.change(|model| {
            let before = (model.scroll.top(), model.view.start(), model.view.end());
            if zooms {
                model
                    .view
                    .zoom(x - model.frame.name_width, 1.002_f64.powf(dy * 2.0));
            } else if event.shift_key() {
                model.view.pan(dx + dy);
            } else {
                model.scroll.by(dy);
                model.view.pan(dx);
            }
            let after = (model.scroll.top(), model.view.start(), model.view.end());
            if (before.1, before.2) != (after.1, after.2) {
                model.moved();
            }
            before != after
        });
        // At its end it gives way to the page.
        if zooms || moved == Some(true) {
            event.prevent_default();
        }
    }

    pub(super) fn brush(self, event: &PointerEvent) {
        capture(event);
        self.drag.set_value(Some(Drag::Brush(place(event).0)));
    }

    pub(super) fn brushed(self, event: &PointerEvent) {
        let Some(Drag::Brush(from)) = self.drag.get_value() else {
            return;
        };
        let to = place(event).0;
        if (to - from).abs() < STILL {
            return;
        }
        self.stage.change(|model| {
            let overview = model.view.overview(model.width);
            let at = |x: f64| overview.time_at(x.clamp(0.0, overview.width()));
            model.view.set_window(at(from.min(to)), at(from.max(to)));
            model.moved();
        });
    }

    pub(super) fn brush_end(self) {
        self.drag.set_value(None);
    }

    /// Shows all of the time again.
    pub(super) fn unbrush(self) {
        self.stage.change(|model| model.go_to(None));
    }
}

/// Moves what a drag moves; gives what it does from here on.
fn dragged(model: &mut Model, drag: Drag, x: f64, y: f64, fingers: Option<(f64, f64)>) -> Option<Drag> {
    match drag {
        Drag::Divider => {
            model.name_width = Some(x);
            model.resize(model.width, model.frame.height);
            None
        }
        Drag::Bar => {
            model.drag_thumb(y - RULER_HEIGHT);
            None
        }
        Drag::Pinch { apart, middle } => {
            let (now_apart, now_middle) = fingers?;
            let now_middle = now_middle - model.frame.name_width;
            model.view.pan(middle - now_middle);
            model.view.zoom(now_middle, apart / now_apart);
            model.moved();
            Some(Drag::Pinch {
                apart: now_apart,
                middle: now_middle,
            })
        }
        Drag::Pan {
            x: from_x,
            y: from_y,
            moved,
        } => {
            if !moved && (x - from_x).abs() + (y - from_y).abs() <= STILL {
                return None;
            }
            if from_x > model.frame.name_width {
                model.view.pan(from_x - x);
                model.moved();
            }
            model.scroll.by(from_y - y);
            Some(Drag::Pan { x, y, moved: true })
        }
        Drag::Rule | Drag::Brush(_) => None,
    }
}
