//! Where the waterfall is drawn: canvases, the model, and the one loop that paints them.

use super::readers;
use crate::canvas::painter::Pen;
use crate::canvas::svg::Svg;
use crate::canvas::theme::Theme;
use crate::canvas::{minimap, surface, waterfall};
use crate::pages::trace::model::{Focus, Model};
use crate::state::playhead::Playhead;
use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use meshscope_layout::format;
use std::time::Duration;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlCanvasElement;

/// What stands still for so long is told to readers and to the URL.
const SETTLED: Duration = Duration::from_millis(150);

/// What the page around the canvas says; changes when a figure in it does, not with each frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Told {
    /// Lines.
    pub rows: usize,
    /// Lines on the screen.
    pub visible: usize,
    /// Spans that are hidden.
    pub hidden: usize,
    /// How many spans were found, where something is looked for.
    pub finds: Option<usize>,
    /// Number of the find that the keyboard is on.
    pub at_find: Option<usize>,
    /// The server still looks, or knows of more.
    pub open: bool,
    /// The line that the keyboard is on.
    pub line: Option<usize>,
}

/// The canvases and what is drawn on them.
#[derive(Clone, Copy)]
pub(crate) struct Stage {
    pub model: StoredValue<Option<Model>, LocalStorage>,
    pub canvas: NodeRef<Canvas>,
    pub map: NodeRef<Canvas>,
    /// Rows in words, for those who hear the page.
    pub readers: NodeRef<Div>,
    /// What is under the pointer or the keyboard, in words.
    pub status: NodeRef<Div>,
    pub told: RwSignal<Told>,
    /// Changes when a window of time stands still.
    pub window: RwSignal<Option<(i64, i64)>>,
    /// Changes when the lines that readers hear are others.
    pub heard: RwSignal<u32>,
    /// The instant that a session is looked at, where the trace stands within one.
    playhead: Option<Playhead>,
    theme: StoredValue<Option<Theme>>,
    /// The minimap without its window, and which one it is.
    base: StoredValue<Option<(HtmlCanvasElement, u32)>, LocalStorage>,
    /// A frame is asked for.
    dirty: StoredValue<bool>,
    /// When it was painted last, ms; whether somebody waits for it to stand still.
    settling: StoredValue<(f64, bool)>,
}

impl Stage {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            model: StoredValue::new_local(None),
            canvas: NodeRef::new(),
            map: NodeRef::new(),
            readers: NodeRef::new(),
            status: NodeRef::new(),
            told: RwSignal::new(Told::default()),
            window: RwSignal::new(None),
            heard: RwSignal::new(0),
            playhead: use_context(),
            theme: StoredValue::new(None),
            base: StoredValue::new_local(None),
            dirty: StoredValue::new(false),
            settling: StoredValue::new((0.0, false)),
        }
    }

    /// Draws again when the instant is another.
    pub(crate) fn follow_playhead(self) {
        if let Some(playhead) = self.playhead {
            Effect::new(move |_| {
                playhead.at.track();
                self.redraw();
            });
        }
    }

    /// Reads from the model, when there is one.
    pub(crate) fn with<T>(self, read: impl FnOnce(&Model) -> T) -> Option<T> {
        self.model
            .try_with_value(|model| model.as_ref().map(read))
            .flatten()
    }

    /// Changes the model and paints it.
    pub(crate) fn change<T>(self, change: impl FnOnce(&mut Model) -> T) -> Option<T> {
        let changed = self.model.try_update_value(|model| model.as_mut().map(change));
        self.redraw();
        changed.flatten()
    }

    /// Asks for a frame.
    pub(crate) fn redraw(self) {
        if self.dirty.try_get_value() == Some(false) {
            self.dirty.set_value(true);
            request_animation_frame(move || self.paint());
        }
    }

    /// Draws with the colours as they are now.
    pub(crate) fn repaint(self) {
        self.theme.set_value(None);
        self.base.set_value(None);
        self.redraw();
    }

    /// Fits the model to the place of the canvas.
    pub(crate) fn resize(self) {
        if let Some(canvas) = self.canvas.get_untracked() {
            let size = (
                f64::from(canvas.client_width()),
                f64::from(canvas.client_height()),
            );
            self.change(|model| model.resize(size.0, size.1));
        }
    }

    fn paint(self) {
        if self.dirty.try_set_value(false).is_some() {
            return;
        }
        let (Some(canvas), Some(map)) = (self.canvas.get_untracked(), self.map.get_untracked()) else {
            return;
        };
        let theme = self.theme.get_value().unwrap_or_else(|| {
            let theme = Theme::read();
            self.theme.set_value(Some(theme.clone()));
            theme
        });
        let told = self.model.try_update_value(|model| {
            let model = model.as_mut()?;
            self.paint_rows(model, &canvas, &theme);
            self.paint_map(model, &map, &theme);
            self.say(model);
            Some(told(model))
        });
        if let Some(told) = told.flatten()
            && self.told.with_untracked(|before| *before != told)
        {
            self.told.set(told);
        }
        self.settle();
    }

    fn paint_rows(self, model: &mut Model, canvas: &HtmlCanvasElement, theme: &Theme) {
        surface::fit(canvas);
        let Some(c) = surface::context(canvas) else { return };
        c.set_font(&waterfall::font(theme, crate::canvas::row::NAME));
        model.lay_out(&|text| waterfall::measure(&c, text));
        let mut pen = Pen::new(&c, theme);
        waterfall::draw(&mut pen, &model.scene(theme, true));
        if let Some(at) = self.playhead.and_then(|playhead| playhead.at.get_untracked()) {
            waterfall::cover(&mut pen, &model.scene(theme, true), at);
        }
    }

    /// Draws the map from a picture of it, which is made anew only when it changes.
    fn paint_map(self, model: &Model, map: &HtmlCanvasElement, theme: &Theme) {
        surface::fit(map);
        let Some(c) = surface::context(map) else { return };
        let known = self.base.with_value(|base| {
            let base = base.as_ref().filter(|(canvas, version)| {
                *version == model.map_version
                    && (canvas.width(), canvas.height()) == (map.width(), map.height())
            });
            base.map(|(canvas, _)| canvas.clone())
        });
        let base = known.or_else(|| {
            let base = document().create_element("canvas").ok()?;
            let base: HtmlCanvasElement = base.dyn_into().ok()?;
            base.set_width(map.width());
            base.set_height(map.height());
            let context = surface::context(&base)?;
            model.with_overview(theme, |o| minimap::draw(&mut Pen::new(&context, theme), o));
            self.base.set_value(Some((base.clone(), model.map_version)));
            Some(base)
        });
        let (width, height) = (f64::from(map.client_width()), f64::from(map.client_height()));
        if let Some(base) = base
            && let Err(error) =
                c.draw_image_with_html_canvas_element_and_dw_and_dh(&base, 0.0, 0.0, width, height)
        {
            leptos::logging::error!("the minimap cannot be drawn: {error:?}");
        }
        model.with_overview(theme, |o| {
            minimap::draw_window(&mut Pen::new(&c, theme), &model.view, &o.view, theme);
        });
    }

    /// Says in words what the pointer is on, or the keyboard.
    fn say(self, model: &Model) {
        let line = model.hover.or_else(|| model.focus_line());
        let line = line.and_then(|line| model.rows.lines().get(line).copied());
        let mut text = line.map_or_else(String::new, |line| readers::describe(model, Focus::from(line)));
        if let (Some(mark), Some(time)) = (model.rule.mark, model.rule.time(&model.view)) {
            let delta = format::duration_exact(time.saturating_sub(mark));
            text = format!("\u{394} {delta} from the mark \u{b7} {text}");
        }
        if let Some(status) = self.status.get_untracked()
            && status.text_content().unwrap_or_default() != text
        {
            status.set_text_content(Some(&text));
        }
    }

    /// Does what can wait, once nothing has moved for a while.
    fn settle(self) {
        let waits = self.settling.get_value().1;
        self.settling.set_value((js_sys::Date::now(), true));
        if !waits {
            set_timeout(move || self.settled(), SETTLED);
        }
    }

    fn settled(self) {
        let Some((painted, _)) = self.settling.try_get_value() else {
            return;
        };
        let quiet = js_sys::Date::now() - painted;
        if quiet < SETTLED.as_millis() as f64 {
            set_timeout(move || self.settled(), SETTLED);
            return;
        }
        self.settling.set_value((painted, false));
        let stale = self
            .model
            .try_update_value(|model| model.as_mut().is_some_and(Model::refresh));
        if stale == Some(true) {
            self.redraw();
        }
        self.hear();
        let window = self.with(Model::window).flatten();
        if self.window.get_untracked() != window {
            self.window.set(window);
        }
    }

    /// Puts the lines on the screen into words.
    pub(crate) fn hear(self) {
        if let Some(place) = self.readers.get_untracked() {
            self.with(|model| readers::write(&place, model));
            self.heard.update(|n| *n = n.wrapping_add(1));
        }
    }

    /// What is on the screen as SVG.
    pub(crate) fn svg(self) -> Option<String> {
        let theme = self.theme.get_value()?;
        self.with(|model| {
            let height = minimap::MINIMAP_HEIGHT;
            let mut svg = Svg::new(model.width, height + model.frame.height);
            model.with_overview(&theme, |o| {
                minimap::draw(&mut svg, o);
                minimap::draw_window(&mut svg, &model.view, &o.view, &theme);
            });
            svg.begin_group(height);
            waterfall::draw(&mut svg, &model.scene(&theme, false));
            svg.end_group();
            svg.finish(&theme.font)
        })
    }

    /// What is on the screen on one canvas.
    pub(crate) fn picture(self) -> Option<HtmlCanvasElement> {
        let (canvas, map) = (self.canvas.get_untracked()?, self.map.get_untracked()?);
        let picture = document().create_element("canvas").ok()?;
        let picture: HtmlCanvasElement = picture.dyn_into().ok()?;
        picture.set_width(canvas.width());
        picture.set_height(canvas.height() + map.height());
        let c = picture.get_context("2d").ok()??;
        let c: web_sys::CanvasRenderingContext2d = c.dyn_into().ok()?;
        c.draw_image_with_html_canvas_element(&map, 0.0, 0.0).ok()?;
        c.draw_image_with_html_canvas_element(&canvas, 0.0, f64::from(map.height()))
            .ok()?;
        Some(picture)
    }
}

fn told(model: &Model) -> Told {
    let places = model.find.places();
    let focus = model.focus.map(|focus| model.loaded.tree.position(focus.span));
    Told {
        rows: model.rows.len(),
        visible: model.scroll.visible().len(),
        hidden: model.rows.hidden(),
        finds: model.find.is_on().then_some(places.len()),
        at_find: focus.and_then(|place| places.binary_search(&place).ok()),
        open: model.find.is_waiting() || model.find.has_more(),
        line: model.focus_line(),
    }
}
