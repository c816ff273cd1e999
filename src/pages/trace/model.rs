//! The waterfall's state: plain data outside reactivity, changed by pointer and keyboard, drawn
//! a frame at a time.

use super::Loaded;
use meshscope_analysis::{Segment, critical_path, subtree_flags};
use meshscope_layout::{Bar, Frame, Minimap, Rows, Scroll, Step, TimeView, Waterfall};
use meshscope_model::SpanColumns;
use std::sync::Arc;

/// Lanes of the minimap.
pub(crate) const LANES: usize = 12;
/// Height of a lane, CSS pixels.
pub(crate) const LANE_HEIGHT: f64 = 2.5;

/// Width of the names where there is room for it, CSS pixels.
const NAME_WIDTH: f64 = 300.0;

/// What the waterfall shows and where.
pub(crate) struct Model {
    pub loaded: Arc<Loaded>,
    pub rows: Rows,
    pub frame: Frame,
    /// Width of the names as the user dragged it.
    pub name_width: Option<f64>,
    pub view: TimeView,
    pub scroll: Scroll,
    pub hide_noise: bool,
    pub selected: Option<u32>,
    pub hover: Option<u32>,
    pub cursor: Option<f64>,
    pub bars: Vec<Bar>,
    pub folded_flags: Vec<u8>,
    pub critical: Vec<Segment>,
    pub minimap: Option<Minimap>,
    /// Number of the hue of each interned string that is a service, by first appearance.
    pub hues: Vec<usize>,
    now: i64,
}

/// First and last moment of a trace.
fn bounds(columns: &SpanColumns) -> (i64, i64) {
    let first = columns.start_time.iter().copied().min().unwrap_or(0);
    let last = (0..columns.len())
        .map(|row| columns.end_time(row))
        .max()
        .unwrap_or(first);
    (first, last.max(first.saturating_add(1)))
}

/// One hue a service, in the order in which the services start: neighbours then differ.
fn hues(columns: &SpanColumns) -> Vec<usize> {
    let mut hues = vec![usize::MAX; columns.strings.len()];
    let mut next = 0;
    for service in &columns.service {
        if let Some(hue) = hues.get_mut(*service as usize).filter(|hue| **hue == usize::MAX) {
            *hue = next;
            next += 1;
        }
    }
    hues
}

impl Model {
    /// The whole trace, unfolded, the framework's own spans hidden when `hide_noise`.
    pub(crate) fn new(loaded: Arc<Loaded>, hide_noise: bool) -> Self {
        let (columns, tree) = (&loaded.columns, &loaded.tree);
        let (first, last) = bounds(columns);
        let rows = Rows::new(tree, columns, hide_noise);
        let frame = Frame {
            width: 600.0,
            height: 400.0,
            name_width: NAME_WIDTH,
        };
        Self {
            view: TimeView::new(first, last, frame.time_width()),
            scroll: Scroll::new(rows.len(), frame.lines_height()),
            folded_flags: subtree_flags(tree, &columns.flags),
            critical: tree
                .main_root()
                .map(|root| critical_path(columns, tree, root))
                .unwrap_or_default(),
            rows,
            frame,
            hide_noise,
            name_width: None,
            selected: None,
            hover: None,
            cursor: None,
            bars: Vec::new(),
            minimap: None,
            hues: hues(columns),
            now: last,
            loaded,
        }
    }

    /// Takes newer columns of the same trace and keeps what is folded, shown and selected.
    pub(crate) fn renew(&mut self, loaded: Arc<Loaded>) {
        let old = &self.loaded;
        let collapsed = self.rows.collapsed_ids(&old.columns);
        let unfolded = self.rows.unfolded_ids(&old.columns);
        let selected = self
            .selected
            .and_then(|span| old.columns.span_id.get(span as usize).copied());
        let (first, last) = bounds(&loaded.columns);
        self.rows = Rows::new(&loaded.tree, &loaded.columns, self.hide_noise);
        self.rows
            .restore_collapsed(&loaded.tree, &loaded.columns, &collapsed);
        self.rows
            .restore_unfolded(&loaded.tree, &loaded.columns, &unfolded);
        self.view.set_bounds(first, last);
        self.folded_flags = subtree_flags(&loaded.tree, &loaded.columns.flags);
        let root = loaded.tree.main_root();
        self.critical = root
            .map(|root| critical_path(&loaded.columns, &loaded.tree, root))
            .unwrap_or_default();
        self.selected = selected.and_then(|id| loaded.tree.row_of(&loaded.columns, id));
        self.now = last;
        self.hues = hues(&loaded.columns);
        self.loaded = loaded;
        self.changed_rows();
    }

    /// Fits to a surface of this size.
    pub(crate) fn resize(&mut self, width: f64, height: f64) {
        self.frame.width = width;
        self.frame.height = height;
        let names = self.name_width.unwrap_or((width * 0.45).min(NAME_WIDTH));
        self.frame.name_width = names.clamp(80.0, (width * 0.7).max(80.0));
        self.view.set_width(self.frame.time_width());
        self.scroll.resize(self.rows.len(), self.frame.lines_height());
        self.minimap = None;
    }

    /// Call after lines came or went.
    pub(crate) fn changed_rows(&mut self) {
        self.scroll.resize(self.rows.len(), self.frame.lines_height());
        self.minimap = None;
    }

    /// The layout's view of all this.
    pub(crate) fn waterfall(&self) -> Waterfall<'_> {
        Waterfall {
            columns: &self.loaded.columns,
            tree: &self.loaded.tree,
            rows: &self.rows,
            frame: self.frame,
            view: self.view.clone(),
            scroll: self.scroll,
            now: self.now,
        }
    }

    /// Makes the minimap for the present lines and width.
    pub(crate) fn paint_minimap(&mut self) {
        if self.minimap.is_none() {
            let overview = self.view.overview(self.frame.width);
            self.minimap = Some(Minimap::paint(
                &self.loaded.columns,
                &self.loaded.tree,
                &self.rows,
                &overview,
                self.now,
                LANES,
            ));
        }
    }

    /// Shows the line of a span, unfolding what hides it.
    pub(crate) fn reveal(&mut self, span: u32) {
        let line = self.rows.reveal(&self.loaded.tree, span);
        self.changed_rows();
        if let Some(line) = line {
            self.scroll.show(line);
        }
    }

    /// Folds or unfolds a span.
    pub(crate) fn toggle(&mut self, span: u32) {
        self.rows.toggle(&self.loaded.tree, span);
        self.changed_rows();
    }

    /// Folds or unfolds a group of spans.
    pub(crate) fn toggle_group(&mut self, first: u32) {
        self.rows.toggle_group(&self.loaded.tree, first);
        self.changed_rows();
    }

    /// Where a key of the keyboard leads from the selection; `None` when it leads nowhere.
    pub(crate) fn step(&self, step: Step) -> Option<u32> {
        match self.selected {
            Some(span) => {
                let tree = &self.loaded.tree;
                let line = self.rows.step(tree, self.rows.nearest_line(tree, span)?, step)?;
                self.rows.lines().get(line).map(|line| line.span)
            }
            None => self.rows.lines().first().map(|line| line.span),
        }
    }

    /// Does what a key that moves no selection does; false when it is none of those.
    pub(crate) fn key(&mut self, key: &str) -> bool {
        let middle = self.frame.time_width() / 2.0;
        let at = self.cursor.unwrap_or(middle);
        let tree = &self.loaded.tree;
        match key {
            "w" | "+" => self.view.zoom(at, 1.0 / 1.4),
            "s" | "-" => self.view.zoom(at, 1.4),
            "a" => self.view.pan(-middle / 3.0),
            "d" => self.view.pan(middle / 3.0),
            "0" => self.view.fit(),
            "f" => {
                if let Some(span) = self.selected {
                    let (start, end) = self.waterfall().times(span);
                    self.view.show(start, end);
                }
            }
            "c" => self.rows.collapse_all(tree),
            "e" => self.rows.expand_all(tree),
            "PageDown" => self.scroll.by(self.frame.lines_height()),
            "PageUp" => self.scroll.by(-self.frame.lines_height()),
            _ => return false,
        }
        if matches!(key, "c" | "e") {
            self.changed_rows();
        }
        true
    }
}
