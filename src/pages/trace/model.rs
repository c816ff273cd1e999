//! The waterfall's state: plain data outside reactivity, changed by pointer and keyboard, drawn
//! a frame at a time.

mod figures;
mod find;
mod moves;
mod rule;
mod scene;

pub(crate) use figures::{Figure, Figures};
pub(crate) use find::Find;
pub(crate) use moves::Focus;
pub(crate) use rule::Rule;
use scene::Finds;

use super::load::Loaded;
use crate::canvas::row::Row;
use meshscope_analysis::{Segment, critical_path, subtree_flags};
use meshscope_layout::{Bar, Frame, Gaps, Hit, Minimap, Part, Rows, Scroll, TimeView, Waterfall};
use meshscope_model::SpanColumns;
use std::sync::Arc;

/// Lanes of the minimap.
pub(crate) const LANES: usize = 12;
/// Height of a lane, CSS pixels.
pub(crate) const LANE_HEIGHT: f64 = 2.5;
/// Width of a column of figures, CSS pixels.
pub(crate) const FIGURE_WIDTH: f64 = 68.0;
/// Width of the bar that scrolls the lines, CSS pixels.
pub(crate) const SCROLLBAR: f64 = 12.0;

/// Width of the names where there is room for it, CSS pixels.
const NAME_WIDTH: f64 = 300.0;
/// With more spans the minimap waits until nothing moves: to make it takes longer than a frame.
const QUICK: usize = 20_000;
/// Where the surface is narrower, no figures are shown that were not asked for, CSS pixels.
const ROOMY: f64 = 760.0;

/// What is shown and how: what the URL says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Options {
    /// The framework's own spans are hidden.
    pub hide_noise: bool,
    /// What repeats is told as one.
    pub fold: bool,
    /// Idle gaps are compressed.
    pub compress: bool,
    /// The critical path is drawn on the bars.
    pub critical: bool,
    /// Only what was found is shown, with its ancestors.
    pub only: bool,
    /// The columns of figures; `None` leaves the choice to the waterfall.
    pub figures: Option<Vec<Figure>>,
}

/// What the waterfall shows and where.
pub(crate) struct Model {
    pub loaded: Arc<Loaded>,
    pub rows: Rows,
    /// The lines as they are when not only finds are shown, meanwhile.
    kept: Option<Rows>,
    /// Names and time; figures and the scroll bar stand right of it.
    pub frame: Frame,
    /// Width of all of it.
    pub width: f64,
    /// Width of the names as the user dragged it.
    pub name_width: Option<f64>,
    pub view: TimeView,
    pub scroll: Scroll,
    pub options: Options,
    /// The span in the URL.
    pub selected: Option<u32>,
    /// The line that the keyboard is on: the selected span's, or a group's.
    pub focus: Option<Focus>,
    /// The line under the pointer.
    pub hover: Option<usize>,
    pub rule: Rule,
    pub find: Find,
    pub figures: Figures,
    bars: Vec<Bar>,
    /// The lines on the screen as drawn last.
    pub drawn: Vec<Row>,
    folded_flags: Vec<u8>,
    /// The critical path, by span and time.
    critical: Vec<Segment>,
    minimap: Option<Minimap>,
    /// The minimap is of lines as they were.
    stale: bool,
    /// Where finds are on minimap and scroll bar.
    finds: Option<Finds>,
    /// Changes when the minimap does.
    pub map_version: u32,
    /// Number of the hue of each interned string that is a service, by first appearance.
    hues: Vec<usize>,
    /// The window of time that the URL asks for, after the start of the trace in ns, until it is
    /// left: while the trace grows, the bounds may not hold it yet.
    wanted: Option<(i64, i64)>,
    now: i64,
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
    /// The whole trace, unfolded but for what repeats. `now` is where what runs ends, `wanted` the
    /// window to begin with.
    pub(crate) fn new(loaded: Arc<Loaded>, options: Options, now: i64, wanted: Option<(i64, i64)>) -> Self {
        let frame = Frame {
            width: 600.0,
            height: 400.0,
            name_width: NAME_WIDTH,
        };
        let mut model = Self {
            view: TimeView::new(0, 1, frame.time_width()),
            scroll: Scroll::new(0, frame.lines_height()),
            loaded: Arc::clone(&loaded),
            rows: Rows::default(),
            kept: None,
            frame,
            width: frame.width,
            name_width: None,
            options,
            selected: None,
            focus: None,
            hover: None,
            rule: Rule::default(),
            find: Find::default(),
            figures: Figures::default(),
            bars: Vec::new(),
            drawn: Vec::new(),
            folded_flags: Vec::new(),
            critical: Vec::new(),
            minimap: None,
            stale: false,
            finds: None,
            map_version: 0,
            hues: Vec::new(),
            wanted,
            now,
        };
        model.take(loaded, now);
        model.scroll.set_top(0.0);
        model
    }

    /// Takes newer columns of the same trace and keeps what is folded, shown and selected.
    pub(crate) fn renew(&mut self, loaded: Arc<Loaded>, now: i64) {
        let old = Arc::clone(&self.loaded);
        let rows = self.kept.as_ref().unwrap_or(&self.rows);
        let collapsed = rows.collapsed_ids(&old.columns);
        let unfolded = rows.unfolded_ids(&old.columns);
        let id = |span: u32| old.columns.span_id.get(span as usize).copied();
        let selected = self.selected.and_then(id);
        let focus = self.focus.and_then(|focus| Some((id(focus.span)?, focus.group)));
        self.take(loaded, now);
        let (tree, columns) = (&self.loaded.tree, &self.loaded.columns);
        let rows = self.kept.as_mut().unwrap_or(&mut self.rows);
        if !collapsed.is_empty() {
            rows.restore_collapsed(tree, columns, &collapsed);
        }
        if !unfolded.is_empty() {
            rows.restore_unfolded(tree, columns, &unfolded);
        }
        self.selected = selected.and_then(|id| tree.row_of(columns, id));
        self.focus = focus.and_then(|(id, group)| {
            let span = tree.row_of(columns, id)?;
            Some(Focus { span, group })
        });
        self.changed_rows();
    }

    /// Makes everything that is made of the columns.
    fn take(&mut self, loaded: Arc<Loaded>, now: i64) {
        let (columns, tree) = (&loaded.columns, &loaded.tree);
        let (first, last) = loaded.bounds();
        self.now = if loaded.is_running() { now.max(last) } else { last };
        self.view.set_bounds(first, self.now);
        self.folded_flags = subtree_flags(tree, &columns.flags);
        self.critical = tree
            .main_root()
            .map(|root| critical_path(columns, tree, root))
            .unwrap_or_default();
        self.critical.sort_unstable_by_key(|part| (part.row, part.start));
        self.critical.shrink_to_fit();
        self.hues = hues(columns);
        self.figures.forget();
        self.hover = None;
        self.find.look(&loaded);
        self.rows = if self.options.fold {
            Rows::grouped(tree, columns, self.options.hide_noise)
        } else {
            Rows::new(tree, columns, self.options.hide_noise)
        };
        self.kept = None;
        self.loaded = loaded;
        if self.options.only {
            self.make_rows();
        }
        self.changed_rows();
        self.refresh();
        self.set_gaps();
        self.want();
    }

    /// Shows the window that the URL asks for, as far as the bounds have it.
    fn want(&mut self) {
        if let Some((from, to)) = self.wanted {
            let origin = self.view.bounds().0;
            self.view
                .set_window(origin.saturating_add(from), origin.saturating_add(to));
        }
    }

    /// The window of time, in ns after the start of the trace; `None` when all of it is shown.
    pub(crate) fn window(&self) -> Option<(i64, i64)> {
        let origin = self.view.bounds().0;
        let window = (
            self.view.start().saturating_sub(origin),
            self.view.end().saturating_sub(origin),
        );
        (!self.view.is_fitted()).then_some(window)
    }

    /// Call after a person moved the window.
    pub(crate) fn moved(&mut self) {
        self.wanted = None;
    }

    /// Goes to a window as [`Model::window`] gives it.
    pub(crate) fn go_to(&mut self, window: Option<(i64, i64)>) {
        self.wanted = window;
        match window {
            Some(_) => self.want(),
            None => self.view.fit(),
        }
    }

    /// What runs ends later now; false when nothing does.
    pub(crate) fn grow(&mut self, now: i64) -> bool {
        if now <= self.now || !self.loaded.is_running() {
            return false;
        }
        self.now = now;
        let first = self.view.bounds().0;
        self.view.set_bounds(first, now);
        self.outdate();
        true
    }

    /// Makes the lines that the options ask for. What is folded stays so; while only finds are
    /// shown nothing is, and what was comes back later.
    fn make_rows(&mut self) {
        let (tree, columns) = (&self.loaded.tree, &self.loaded.columns);
        let hide_noise = self.options.hide_noise;
        if self.options.only && self.find.is_on() {
            let rows = std::mem::take(&mut self.rows);
            self.kept.get_or_insert(rows);
            self.rows
                .set_shown(tree, columns, hide_noise, Some(self.find.places()));
        } else {
            if let Some(kept) = self.kept.take() {
                self.rows = kept;
            }
            self.rows.set_noise_hidden(tree, columns, hide_noise);
            self.rows.set_grouping(tree, columns, self.options.fold);
        }
        self.changed_rows();
    }

    fn set_gaps(&mut self) {
        let gaps = if self.options.compress {
            Gaps::find(&self.loaded.columns, &self.loaded.tree, self.now)
        } else {
            Gaps::default()
        };
        self.view.set_gaps(Arc::new(gaps));
        self.minimap = None;
    }

    /// Takes what the URL says now.
    pub(crate) fn set_options(&mut self, options: Options) {
        let old = std::mem::replace(&mut self.options, options);
        let new = &self.options;
        if (old.hide_noise, old.fold, old.only) != (new.hide_noise, new.fold, new.only) {
            self.make_rows();
            self.reveal_focus();
        }
        if old.compress != self.options.compress {
            self.set_gaps();
        }
        self.resize(self.width, self.frame.height);
    }

    /// Looks for a text; `found` are the ids that the server found it in, once it has answered.
    pub(crate) fn look_for(&mut self, text: &str, found: Option<Vec<u64>>, more: bool) {
        self.find.set(text, found, more);
        self.find.look(&self.loaded);
        self.finds = None;
        if self.options.only {
            self.make_rows();
            self.reveal_focus();
        }
    }

    /// Fits to a surface of this size.
    pub(crate) fn resize(&mut self, width: f64, height: f64) {
        if self.width != width {
            self.minimap = None;
        }
        self.finds = None;
        self.width = width;
        let chosen = match &self.options.figures {
            Some(chosen) => chosen.clone(),
            None if width < ROOMY => Vec::new(),
            None => Figures::of_interest(&self.loaded),
        };
        let room = (width * 0.4 / FIGURE_WIDTH) as usize;
        self.figures.show(chosen.into_iter().take(room));
        self.frame.width = width - SCROLLBAR - self.figures.shown().len() as f64 * FIGURE_WIDTH;
        self.frame.height = height;
        let names = self.name_width.unwrap_or((width * 0.4).min(NAME_WIDTH));
        self.frame.name_width = names.clamp(80.0, (self.frame.width * 0.7).max(80.0));
        self.view.set_width(self.frame.time_width());
        self.scroll.resize(self.rows.len(), self.frame.lines_height());
    }

    /// Call after lines came or went.
    pub(crate) fn changed_rows(&mut self) {
        self.scroll.resize(self.rows.len(), self.frame.lines_height());
        self.hover = None;
        self.outdate();
    }

    /// The minimap is of something else now.
    fn outdate(&mut self) {
        self.stale = true;
        if self.loaded.tree.len() <= QUICK {
            self.refresh();
        }
    }

    /// Has the minimap made anew that is of lines as they were; false when there is none.
    pub(crate) fn refresh(&mut self) -> bool {
        if self.stale {
            self.minimap = None;
            self.finds = None;
        }
        std::mem::take(&mut self.stale)
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

    /// What is under the pointer; figures belong to the name of their line.
    pub(crate) fn hit(&self, x: f64, y: f64) -> Option<Hit> {
        if x < self.frame.width {
            return self.waterfall().hit(x, y);
        }
        match self.waterfall().hit(0.0, y)? {
            Hit::Line {
                line, span, group, ..
            } => Some(Hit::Line {
                line,
                span,
                group,
                part: Part::Name,
            }),
            other => Some(other),
        }
    }

    /// Makes the minimap for the present lines and width.
    pub(crate) fn paint_minimap(&mut self) {
        if self.minimap.is_none() {
            let overview = self.view.overview(self.width);
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

    /// Number of the hue of a span's service.
    pub(crate) fn hue(&self, span: u32) -> usize {
        let service = self.loaded.columns.service.get(span as usize).copied();
        let hue = service.and_then(|service| self.hues.get(service as usize));
        hue.copied().unwrap_or(0)
    }
}
