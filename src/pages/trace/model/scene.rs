//! What is to be drawn at a moment.

use super::{FIGURE_WIDTH, Figure, Focus, LANE_HEIGHT, LANES, Model, SCROLLBAR};
use crate::canvas::minimap::Overview;
use crate::canvas::row::Row;
use crate::canvas::theme::Theme;
use crate::canvas::waterfall::{Cursor, Scene, ScrollBar};
use meshscope_analysis::Segment;
use meshscope_layout::viewport::ROW_HEIGHT;
use meshscope_layout::{Bar, TimeView};
use meshscope_model::columns::EventKind;

/// The least height of the scroll bar's thumb, CSS pixels.
const THUMB: f64 = 24.0;

/// Where finds are, one a px at most, and the critical path.
#[derive(Debug, Default)]
pub(super) struct Finds {
    /// Where on the minimap another span than the root is waited for: first px and the one behind
    /// the last.
    critical: Vec<(f64, f64)>,
    /// On the minimap, px from its left.
    map: Vec<f64>,
    /// On the scroll bar, px from its top.
    bar: Vec<f64>,
}

/// Adds `at` unless the px has one.
fn mark(marks: &mut [bool], at: f64) {
    if at >= 0.0
        && let Some(marked) = marks.get_mut(at as usize)
    {
        *marked = true;
    }
}

fn marked(marks: &[bool]) -> Vec<f64> {
    let found = marks.iter().enumerate().filter(|(_, marked)| **marked);
    found.map(|(at, _)| at as f64).collect()
}

/// What of `segments`, ascending and apart, is in the window, merged where a px cannot tell them
/// apart: takes time by the px, not by the segments.
fn by_px(segments: &[Segment], view: &TimeView) -> Vec<(f64, f64)> {
    let mut found: Vec<(f64, f64)> = Vec::new();
    let mut at = segments.partition_point(|segment| segment.end <= view.start());
    while let Some(segment) = segments.get(at).filter(|segment| segment.start < view.end()) {
        let x0 = view.x_of(segment.start).max(0.0);
        let x1 = view.x_of(segment.end).clamp(x0 + 1.0, view.width().max(x0 + 1.0));
        match found.last_mut().filter(|(_, end)| x0 <= *end) {
            Some((_, end)) => *end = x1,
            None => found.push((x0, x1)),
        }
        let seen = view.time_at(x1);
        let next = segments.partition_point(|segment| segment.end <= seen);
        at = next.max(at + 1);
    }
    found
}

impl Model {
    /// Works out the lines on the screen; `measure` gives the width of a name's or label's text.
    pub(crate) fn lay_out(&mut self, measure: &dyn Fn(&str) -> f64) {
        let mut bars = std::mem::take(&mut self.bars);
        self.waterfall().bars(&self.folded_flags, measure, &mut bars);
        let mut rows = std::mem::take(&mut self.drawn);
        rows.clear();
        let focus = self.focus_line();
        for bar in bars.drain(..) {
            rows.push(self.row(bar, focus));
        }
        (self.bars, self.drawn) = (bars, rows);
        if self.minimap.is_none() {
            self.finds = None;
        }
        if self.finds.is_none() {
            self.map_version = self.map_version.wrapping_add(1);
        }
        self.paint_minimap();
        self.find_marks();
    }

    fn row(&mut self, bar: Bar, focus: Option<usize>) -> Row {
        let line = Focus {
            span: bar.span,
            group: bar.group.is_some(),
        };
        let figures = self.figures_of(line);
        let selected = !line.group && self.selected == Some(line.span);
        let (critical, events, ghost) = if line.group {
            Default::default()
        } else {
            (
                self.critical_of(line.span),
                self.events_of(line.span),
                self.ghost_of(line.span),
            )
        };
        let columns = &self.loaded.columns;
        Row {
            hue: self.hue(line.span),
            selected,
            focus: focus == Some(bar.line) && !selected,
            hover: self.hover == Some(bar.line),
            found: self.find.is_on() && self.find.any_in(self.places(line)),
            astray: !line.group && self.loaded.tree.marks(line.span) != 0,
            folds: self.is_folded(line).is_some(),
            critical,
            events,
            links: if line.group {
                0
            } else {
                columns.links(line.span as usize)
            },
            ghost,
            figures,
            bar,
        }
    }

    /// The places of the tree's order that a line stands for: with all below it where that is folded.
    fn places(&self, line: Focus) -> std::ops::Range<u32> {
        let tree = &self.loaded.tree;
        let from = tree.position(line.span);
        let folded = self.is_folded(line) == Some(true);
        let group = self.rows.folding().starting_with(tree, line.span);
        match group.filter(|_| line.group) {
            Some(group) if folded => group.from..group.to,
            Some(_) => from..from,
            None if folded => from..from + tree.size(line.span),
            None => from..from + 1,
        }
    }

    fn figures_of(&mut self, line: Focus) -> Vec<String> {
        let loaded = &self.loaded;
        let folding = self.rows.folding();
        let group = folding
            .starting_with(&loaded.tree, line.span)
            .filter(|_| line.group);
        let shown: Vec<Figure> = self.figures.shown().to_vec();
        let figures = &mut self.figures;
        let of = |figure| match group {
            Some(group) => figures.of_group(loaded, group, folding.members(group), figure),
            None => figures.of_span(loaded, line.span, figure),
        };
        shown.into_iter().map(of).collect()
    }

    /// Where `span` itself is on the critical path, px from the left of the time area.
    fn critical_of(&self, span: u32) -> Vec<(f64, f64)> {
        if !self.options.critical {
            return Vec::new();
        }
        let before = |limit: u32| self.critical.partition_point(|part| part.row < limit);
        let found = before(span)..before(span.saturating_add(1));
        by_px(self.critical.get(found).unwrap_or_default(), &self.view)
    }

    /// The events of `span` in the window, one a px; trouble goes before all else. The mark of the
    /// first token is the bar's own.
    fn events_of(&self, span: u32) -> Vec<(f64, EventKind)> {
        let columns = &self.loaded.columns;
        let mut found: Vec<(f64, EventKind)> = Vec::new();
        for event in columns.events(span as usize) {
            let kind = columns.event_kind.get(event).copied().unwrap_or(0);
            let (kind, Some(time)) = (EventKind::from_number(kind), columns.event_time.get(event)) else {
                continue;
            };
            let x = self.view.x_of(*time).round();
            if !(0.0..=self.view.width()).contains(&x) || kind == EventKind::FirstToken {
                continue;
            }
            match found.last_mut().filter(|(last, _)| *last == x) {
                Some((_, known)) if kind == EventKind::Exception => *known = kind,
                Some(_) => {}
                None => found.push((x, kind)),
            }
        }
        found
    }

    /// Where `span` stands by the clock that is not shown: set right where times are as sent, and
    /// the other way round.
    fn ghost_of(&self, span: u32) -> Option<(f64, f64)> {
        let ahead = self.loaded.skew.ahead(&self.loaded.columns, span);
        let by = if self.loaded.corrected {
            ahead
        } else {
            ahead.saturating_neg()
        };
        let w = self.waterfall();
        let (start, end) = w.times(span);
        let ghost = (start.saturating_add(by), end.saturating_add(by));
        (ahead != 0).then(|| w.edges(ghost)).flatten()
    }

    /// Works out where finds are on minimap and scroll bar, once until something changes.
    fn find_marks(&mut self) {
        if self.finds.is_some() {
            return;
        }
        let (loaded, places) = (&self.loaded, self.find.places());
        let overview = self.view.overview(self.width);
        let mut map = vec![false; self.width.max(0.0) as usize + 1];
        for place in places {
            let row = loaded.tree.order().get(*place as usize);
            let start = row.and_then(|row| loaded.columns.start_time.get(*row as usize));
            if let Some(start) = start {
                mark(&mut map, overview.x_of(*start));
            }
        }
        let height = self.scroll.height();
        let scale = (height / (self.rows.len() as f64).max(1.0)).min(ROW_HEIGHT);
        let mut bar = vec![false; height as usize + 1];
        if !places.is_empty() {
            let lines = self.rows.lines();
            let place_of = |line: usize| lines.get(line).map(|line| loaded.tree.position(line.span));
            let mut rest = places.iter().peekable();
            for line in 0..lines.len() {
                let end = place_of(line + 1).unwrap_or(u32::MAX);
                while rest.next_if(|place| **place < end).is_some() {
                    mark(&mut bar, line as f64 * scale);
                }
            }
        }
        self.finds = Some(Finds {
            critical: self.critical_map(&overview),
            map: marked(&map),
            bar: marked(&bar),
        });
    }

    /// Where on the minimap the end waited for what is below the root.
    fn critical_map(&self, overview: &TimeView) -> Vec<(f64, f64)> {
        let root = self.loaded.tree.main_root();
        let width = overview.width() as usize;
        // How many stretches more run at a px than at the one before.
        let mut changes = vec![0_i32; width + 2];
        for part in self.critical.iter().filter(|part| Some(part.row) != root) {
            let px = |time: i64| overview.x_of(time).clamp(0.0, width as f64) as usize;
            let (from, to) = (px(part.start), px(part.end).max(px(part.start) + 1));
            changes[from] += 1;
            changes[to] -= 1;
        }
        let mut found: Vec<(f64, f64)> = Vec::new();
        let mut running = 0;
        for (x, change) in changes.into_iter().enumerate() {
            let before = running;
            running += change;
            match (before, running) {
                (0, 1..) => found.push((x as f64, x as f64)),
                (1.., 0) => {
                    if let Some(last) = found.last_mut() {
                        last.1 = x as f64;
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Top and bottom of the scroll bar's thumb, px from the top of the lines.
    pub(crate) fn thumb(&self) -> Option<(f64, f64)> {
        let (height, content) = (self.scroll.height(), self.scroll.content_height());
        if content <= height {
            return None;
        }
        let long = (height * height / content).clamp(THUMB.min(height), height);
        let top = self.scroll.top() / (content - height) * (height - long);
        Some((top, top + long))
    }

    /// Scrolls so that the middle of the thumb stands at `y` px from the top of the lines.
    pub(crate) fn drag_thumb(&mut self, y: f64) {
        if let Some((top, bottom)) = self.thumb() {
            let (height, long) = (self.scroll.height(), bottom - top);
            let part = (y - long / 2.0) / (height - long).max(1.0);
            let most = self.scroll.content_height() - height;
            self.scroll.set_top(part * most);
        }
    }

    /// All that is on the surface, as [`Model::lay_out`] worked it out; without the cursor where a
    /// picture is to be kept.
    pub(crate) fn scene<'a>(&'a self, theme: &'a Theme, cursor: bool) -> Scene<'a> {
        let rule = self.rule;
        Scene {
            waterfall: self.waterfall(),
            rows: &self.drawn,
            theme,
            width: self.width,
            heads: self.figures.shown().iter().map(|figure| figure.word()).collect(),
            head_width: FIGURE_WIDTH,
            cursor: Cursor {
                at: rule.x(&self.view).filter(|_| cursor),
                time: rule.time(&self.view),
                mark: rule.mark,
            },
            bar: ScrollBar {
                width: SCROLLBAR,
                thumb: self.thumb(),
                finds: self.finds.as_ref().map_or(&[], |finds| &finds.bar),
            },
        }
    }

    /// Gives what the minimap is drawn from to `draw`.
    pub(crate) fn with_overview(&self, theme: &Theme, draw: impl FnOnce(&Overview<'_>)) {
        let (Some(map), Some(finds)) = (&self.minimap, &self.finds) else {
            return;
        };
        draw(&Overview {
            waterfall: self.waterfall(),
            view: self.view.overview(self.width),
            map,
            lanes: (LANES, LANE_HEIGHT),
            critical: if self.options.critical {
                &finds.critical
            } else {
                &[]
            },
            finds: &finds.map,
            theme,
            hue: &|span| self.hue(span),
        });
    }
}
