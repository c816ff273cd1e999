//! The waterfall: names at the left, time at the right, a line a span.

use crate::rows::{Line, Rows};
use crate::viewport::{ROW_HEIGHT, Scroll, TimeView};
use meshscope_analysis::Tree;
use meshscope_model::SpanColumns;
use meshscope_model::columns::flag;

/// Height of the time axis above the lines, px.
pub const RULER_HEIGHT: f64 = 24.0;
/// Height of a bar, px; it stands in the middle of its line.
pub const BAR_HEIGHT: f64 = 14.0;
/// How far a level of the tree is indented, px.
pub const INDENT: f64 = 14.0;
/// The least width of a bar, px.
pub const MIN_BAR: f64 = 2.0;
/// Width of what folds and unfolds a line, px.
pub const TOGGLE: f64 = 12.0;
/// Size of the service's swatch, px.
pub const SWATCH: f64 = 8.0;
/// How far from the line between names and time the pointer still takes hold of it, px.
pub const DIVIDER_REACH: f64 = 4.0;

/// Where the parts of the waterfall stand on its surface. All in px from its top left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Width of the surface.
    pub width: f64,
    /// Height of the surface.
    pub height: f64,
    /// Width of the names; time takes the rest.
    pub name_width: f64,
}

impl Frame {
    /// Width of the time area: what the [`TimeView`] is to be as wide as.
    #[must_use]
    pub fn time_width(&self) -> f64 {
        (self.width - self.name_width).max(1.0)
    }

    /// Height of the lines: what the [`Scroll`] is to be as high as.
    #[must_use]
    pub fn lines_height(&self) -> f64 {
        (self.height - RULER_HEIGHT).max(0.0)
    }

    /// Left edge of a line's toggle. Deep levels share one indent, half the names' width, so
    /// that names stay readable a thousand levels down.
    #[must_use]
    pub fn toggle_x(&self, depth: u32) -> f64 {
        let most = (self.name_width / 2.0 / INDENT).floor().max(0.0);
        12.0 + f64::from(depth).min(most) * INDENT
    }

    /// Left edge of a line's swatch.
    #[must_use]
    pub fn swatch_x(&self, depth: u32) -> f64 {
        self.toggle_x(depth) + TOGGLE + 2.0
    }

    /// Left edge of a line's name.
    #[must_use]
    pub fn name_x(&self, depth: u32) -> f64 {
        self.swatch_x(depth) + SWATCH + 6.0
    }

    /// How wide a line's name may be.
    #[must_use]
    pub fn name_room(&self, depth: u32) -> f64 {
        (self.name_width - self.name_x(depth) - 8.0).max(0.0)
    }
}

/// All that decides what a waterfall looks like at a moment. `view` is as wide as the frame's
/// time area, `scroll` as high as its lines, of which there are as many as `rows` has.
#[derive(Debug, Clone)]
pub struct Waterfall<'a> {
    /// The spans.
    pub columns: &'a SpanColumns,
    /// Their tree.
    pub tree: &'a Tree,
    /// Its visible lines.
    pub rows: &'a Rows,
    /// Where things stand.
    pub frame: Frame,
    /// The window of time.
    pub view: TimeView,
    /// The window of lines.
    pub scroll: Scroll,
    /// Where spans end that have not ended yet, ns since the epoch.
    pub now: i64,
}

impl Waterfall<'_> {
    /// Start and end of `span` as drawn: one in progress goes on to `now`.
    #[must_use]
    pub fn times(&self, span: u32) -> (i64, i64) {
        drawn_times(self.columns, span as usize, self.now)
    }

    /// Start and end of what `line` stands for, as drawn: of a group from its first start to
    /// its last end.
    #[must_use]
    pub fn line_times(&self, line: Line) -> (i64, i64) {
        let group = self.rows.folding().starting_with(self.tree, line.span);
        match group.filter(|_| line.group) {
            Some(group) => {
                let running = group.running_from.map_or(group.end, |_| self.now);
                (group.start, group.end.max(running))
            }
            None => self.times(line.span),
        }
    }

    /// Left and right edge of a bar from `start` to `end`, px from the left of the time area, cut
    /// to it and not narrower than [`MIN_BAR`]; `None` when it lies outside the window of time.
    #[must_use]
    pub fn edges(&self, (start, end): (i64, i64)) -> Option<(f64, f64)> {
        if !self.view.meets(start, end) {
            return None;
        }
        let width = self.view.width();
        let x0 = self.view.x_of(start).clamp(0.0, (width - MIN_BAR).max(0.0));
        let x1 = self.view.x_of(end).min(width).max(x0 + MIN_BAR);
        Some((x0, x1))
    }

    /// Top edge of the bar of `line` on the surface, px.
    #[must_use]
    pub fn bar_y(&self, line: usize) -> f64 {
        RULER_HEIGHT + self.scroll.y_of(line) + (ROW_HEIGHT - BAR_HEIGHT) / 2.0
    }
}

/// Start and end of a span as drawn.
pub(crate) fn drawn_times(columns: &SpanColumns, span: usize, now: i64) -> (i64, i64) {
    let start = columns.start_time.get(span).copied().unwrap_or(0);
    let end = columns.end_time(span).max(start);
    if columns.has_flag(span, flag::IN_PROGRESS) {
        (start, end.max(now))
    } else {
        (start, end)
    }
}
