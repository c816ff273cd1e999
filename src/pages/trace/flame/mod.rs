//! The flame graph: time from left to right, callers above whom they call; or by name, where the
//! heaviest stands left.

mod shape;

use super::Loaded;
use super::shared::{Legend, Services, Shown};
use crate::canvas::flame::{AXIS, Picture, draw};
use crate::canvas::surface;
use crate::canvas::theme::Theme;
use crate::state::prefs::Prefs;
use crate::state::{param, use_patch};
use leptos::html::Canvas;
use leptos::prelude::*;
use meshscope_layout::flame::LANE_HEIGHT;
use meshscope_layout::{Rect, TimeView};
use shape::{Shape, Way};
use std::sync::Arc;

/// What is drawn and where: plain data, changed by pointer and keyboard.
struct Model {
    loaded: Arc<Loaded>,
    services: Services,
    shape: Shape,
    by_name: bool,
    view: TimeView,
    height: f64,
    top: f64,
    selected: Option<u32>,
    hover: Option<u32>,
    rects: Vec<Rect>,
}

impl Model {
    fn new(loaded: Arc<Loaded>, by_name: bool) -> Self {
        let shape = Shape::of(&loaded, by_name);
        let (first, last) = shape.bounds(&loaded);
        Self {
            services: Services::of(&loaded.columns),
            view: TimeView::new(first, last, 600.0),
            height: 0.0,
            top: 0.0,
            selected: None,
            hover: None,
            rects: Vec::new(),
            shape,
            by_name,
            loaded,
        }
    }

    /// Takes newer columns of the same trace and goes on showing the same window.
    fn renew(&mut self, loaded: Arc<Loaded>) {
        self.shape = Shape::of(&loaded, self.by_name);
        let (first, last) = self.shape.bounds(&loaded);
        self.view.set_bounds(first, last);
        self.services = Services::of(&loaded.columns);
        self.hover = None;
        self.loaded = loaded;
    }

    fn room(&self) -> f64 {
        (self.height - AXIS).max(0.0)
    }

    fn scroll_to(&mut self, top: f64) {
        let most = self.shape.lanes() as f64 * LANE_HEIGHT - self.room();
        self.top = top.clamp(0.0, most.max(0.0));
    }

    fn resize(&mut self, width: f64, height: f64) {
        self.view.set_width(width);
        self.height = height;
        self.scroll_to(self.top);
    }

    /// Scrolls so that a bar can be seen, and moves the window when it lies outside.
    fn reveal(&mut self, item: u32) {
        let y = self.shape.lane_of(item) as f64 * LANE_HEIGHT;
        if y < self.top || y + LANE_HEIGHT > self.top + self.room() {
            self.scroll_to(y - self.room() / 2.0);
        }
        let (start, end) = self.shape.times(&self.loaded, item);
        if !self.view.meets(start, end) {
            self.view.show(start, end);
        }
    }

    fn hit(&self, x: f64, y: f64) -> Option<u32> {
        if y < AXIS {
            return None;
        }
        let lane = ((y - AXIS + self.top) / LANE_HEIGHT) as usize;
        self.shape.hit(&self.loaded, &self.view, lane, x)
    }

    /// Shows a bar over the whole width.
    fn zoom_to(&mut self, item: u32) {
        let (start, end) = self.shape.times(&self.loaded, item);
        self.view.set_window(start, end.max(start.saturating_add(1)));
    }

    fn paint(&mut self, canvas: &web_sys::HtmlCanvasElement) {
        let first = (self.top / LANE_HEIGHT) as usize;
        let last = ((self.top + self.room()) / LANE_HEIGHT) as usize + 1;
        let mut rects = std::mem::take(&mut self.rects);
        self.shape
            .rects(&self.loaded, &self.view, first..last, &mut rects);
        let look = |item: u32| {
            let (name, service) = self.shape.names(&self.loaded, item);
            (self.loaded.columns.string(name), self.services.hue(service))
        };
        let picture = Picture {
            rects: &rects,
            view: &self.view,
            top: self.top,
            look: &look,
            selected: self.selected,
            hover: self.hover,
        };
        draw(canvas, &Theme::read(), &picture);
        self.rects = rects;
    }

    /// Does what a key that selects nothing does; false when it is none of those.
    fn key(&mut self, key: &str) -> bool {
        let middle = self.view.width() / 2.0;
        match key {
            "w" | "+" => self.view.zoom(middle, 1.0 / 1.4),
            "s" | "-" => self.view.zoom(middle, 1.4),
            "a" => self.view.pan(-middle / 3.0),
            "d" => self.view.pan(middle / 3.0),
            "0" => self.view.fit(),
            "f" | "Enter" => {
                if let Some(item) = self.selected {
                    self.zoom_to(item);
                }
            }
            "PageDown" => self.scroll_to(self.top + self.room()),
            "PageUp" => self.scroll_to(self.top - self.room()),
            _ => return false,
        }
        true
    }
}

/// The flame graph of the trace. A click selects, a click on what is selected shows it over the whole width.
#[component]
pub(crate) fn FlameView(shown: Shown) -> impl IntoView {
    let flame = param("flame");
    let patch = use_patch();
    let by_name = Memo::new(move |_| flame.with(|flame| flame.as_deref() == Some("name")));
    let button = move |(name, title): (bool, &'static str)| {
        let patch = patch.clone();
        let on = move || by_name.get() == name;
        view! {
            <button class="pill" class:on=on aria-pressed=move || on().to_string()
                on:click=move |_| patch(&[("flame", name.then(|| "name".to_owned()))])>{title}</button>
        }
    };
    view! {
        <div class="panel view flame">
            <div class="view-bar">
                {[(false, "By time"), (true, "By name")].map(button).collect_view()}
                {move || shown.loaded.get().map(|loaded| view! { <Legend loaded /> })}
            </div>
            <Surface shown by_name />
        </div>
    }
}

/// Where the pointer went down, and whether it has moved since.
#[derive(Clone, Copy)]
struct Drag {
    x: f64,
    y: f64,
    moved: bool,
}

#[component]
fn Surface(shown: Shown, by_name: Memo<bool>) -> impl IntoView {
    let place = NodeRef::<Canvas>::new();
    let model = StoredValue::new_local(None::<Model>);
    let drag = StoredValue::new(None::<Drag>);
    let prefs = expect_context::<Prefs>();
    // What the pointer or the keyboard is at, in words, and the picture in figures for tests.
    let told = RwSignal::new(String::new());
    let figures = RwSignal::new((0_usize, 0_usize));
    let waiting = StoredValue::new(false);
    let frame = move || {
        // A value comes back where the page was left meanwhile.
        if waiting.try_set_value(false).is_some() {
            return;
        }
        let Some(canvas) = place.get_untracked() else {
            return;
        };
        model.try_update_value(|model| {
            let Some(model) = model else { return };
            model.paint(&canvas);
            let at = model.hover.or(model.selected);
            let words = at.map_or_else(String::new, |item| model.shape.describe(&model.loaded, item));
            if told.with_untracked(|told| *told != words) {
                told.set(words);
            }
            let now = (model.shape.lanes(), model.rects.len());
            if figures.get_untracked() != now {
                figures.set(now);
            }
        });
    };
    let redraw = move || {
        if waiting.try_get_value() == Some(false) {
            waiting.set_value(true);
            request_animation_frame(frame);
        }
    };
    let change = move |change: &mut dyn FnMut(&mut Model)| {
        model.try_update_value(|model| model.as_mut().map(change));
        redraw();
    };
    let resize = move || {
        if let Some(canvas) = place.get_untracked() {
            let size = (
                f64::from(canvas.client_width()),
                f64::from(canvas.client_height()),
            );
            change(&mut |model| model.resize(size.0, size.1));
        }
    };
    surface::on_resize(place, resize);
    Effect::new(move |_| {
        let Some(loaded) = shown.loaded.get() else { return };
        let by_name = by_name.get();
        model.update_value(|model| match model {
            Some(model)
                if model.by_name == by_name && model.loaded.columns.trace_id == loaded.columns.trace_id =>
            {
                model.renew(loaded);
            }
            _ => *model = Some(Model::new(loaded, by_name)),
        });
        resize();
    });
    Effect::new(move |_| {
        by_name.track();
        let row = shown.row();
        change(&mut |model| {
            model.selected = row.and_then(|row| model.shape.bar_of(&model.loaded, row));
            if let Some(item) = model.selected {
                model.reveal(item);
            }
        });
    });
    Effect::new(move |_| {
        prefs.drawn.track();
        redraw();
    });

    let choose = move |item: u32| {
        let span = model.with_value(|model| model.as_ref().map(|model| model.shape.span_of(item)));
        span.into_iter().for_each(|span| shown.choose(span));
    };
    let pressed = move |event: web_sys::PointerEvent| {
        surface::capture(&event);
        drag.set_value(Some(Drag {
            x: f64::from(event.offset_x()),
            y: f64::from(event.offset_y()),
            moved: false,
        }));
    };
    let moved = move |event: web_sys::PointerEvent| {
        let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        let from = drag.get_value();
        change(&mut |model| {
            model.hover = model.hit(x, y);
            if let Some(from) = from
                && (from.moved || (x - from.x).abs() + (y - from.y).abs() > 4.0)
            {
                model.view.pan(from.x - x);
                model.scroll_to(model.top + from.y - y);
                drag.set_value(Some(Drag { x, y, moved: true }));
            }
        });
    };
    let released = move |event: web_sys::PointerEvent| {
        let was = drag.get_value();
        drag.set_value(None);
        if was.is_none_or(|drag| drag.moved) {
            return;
        }
        let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        let hit = model.with_value(|model| {
            model
                .as_ref()
                .and_then(|model| Some((model.hit(x, y)?, model.selected)))
        });
        match hit {
            Some((item, selected)) if selected == Some(item) => change(&mut |model| model.zoom_to(item)),
            Some((item, _)) => choose(item),
            None => {}
        }
    };
    let left = move |_| change(&mut |model| model.hover = None);
    let wheeled = move |event: web_sys::WheelEvent| {
        event.prevent_default();
        let x = f64::from(event.offset_x());
        // Firefox counts lines where others count pixels.
        let unit = if event.delta_mode() == 1 { 18.0 } else { 1.0 };
        let (dx, dy) = (event.delta_x() * unit, event.delta_y() * unit);
        let (zooms, pans) = (event.ctrl_key() || event.meta_key(), event.shift_key());
        change(&mut |model| match (zooms, pans) {
            (true, _) => model.view.zoom(x, 1.002_f64.powf(dy * 2.0)),
            (_, true) => model.view.pan(dx + dy),
            _ => {
                model.scroll_to(model.top + dy);
                model.view.pan(dx);
            }
        });
    };
    let patch = use_patch();
    let typed = move |event: web_sys::KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let key = event.key();
        let way = match key.as_str() {
            "ArrowUp" => Some(Way::Up),
            "ArrowDown" => Some(Way::Down),
            "ArrowLeft" => Some(Way::Before),
            "ArrowRight" => Some(Way::Behind),
            _ => None,
        };
        if let Some(way) = way {
            let to = model.with_value(|model| {
                let model = model.as_ref()?;
                match model.selected {
                    Some(item) => model.shape.step(&model.loaded, item, way),
                    None => model
                        .loaded
                        .tree
                        .main_root()
                        .and_then(|root| model.shape.bar_of(&model.loaded, root)),
                }
            });
            to.into_iter().for_each(choose);
        } else if key == "h" {
            patch(&[("flame", (!by_name.get_untracked()).then(|| "name".to_owned()))]);
        } else if key == "Escape" {
            shown.select.run(None);
        } else {
            let mut done = false;
            change(&mut |model| done = model.key(&key));
            if !done {
                return;
            }
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let words = move || {
        match told.get() {
        none if none.is_empty() => {
            "A click selects, a second one zooms; arrows move, w s zoom, a d pan, 0 shows all, h changes the shape".to_owned()
        }
        words => words,
    }
    };
    view! {
        <canvas class="surface" node_ref=place tabindex="0" role="application" aria-describedby="flame-told"
            aria-label="Flame graph of the trace; arrow keys move, ? lists the keys"
            data-lanes=move || figures.get().0.to_string() data-bars=move || figures.get().1.to_string()
            on:pointerdown=pressed on:pointermove=moved on:pointerup=released on:pointerleave=left on:wheel=wheeled
            on:keydown=typed></canvas>
        <div class="view-foot muted" id="flame-told" aria-live="polite">{words}</div>
    }
}
