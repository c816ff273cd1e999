//! What part of a trace is on the screen: time from left to right, lines from top to bottom.

use crate::gaps::{Gap, Gaps, Scale};
use std::sync::Arc;

/// Height of a line in px.
pub const ROW_HEIGHT: f64 = 26.0;

/// The shortest time that can fill the width, ns.
pub const MIN_WINDOW: i64 = 100;

/// The window of time [start, end) in ns over a width in px.
///
/// The window stays within the bounds: the extent of what is drawn, and a twentieth of it more
/// at the right, where labels of the last bars stand. Times are whole nanoseconds; a place in
/// px leads back to the same time within the ns that half a px covers. [`Gaps`] can be
/// compressed: all that maps times to px goes through here.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeView {
    first: i64,
    last: i64,
    /// Last moment of what is drawn; the margin behind it reaches to `last`.
    drawn_to: i64,
    gaps: Arc<Gaps>,
    start: i64,
    end: i64,
    width: f64,
}

impl TimeView {
    /// All of [`first`, `last`] over `width` px.
    #[must_use]
    pub fn new(first: i64, last: i64, width: f64) -> Self {
        let mut view = Self {
            first: 0,
            last: 0,
            drawn_to: 0,
            gaps: Arc::default(),
            start: 0,
            end: 0,
            width: 1.0,
        };
        view.set_width(width);
        view.set_bounds(first, last);
        view.fit();
        view
    }

    /// First ns in the window.
    #[must_use]
    pub fn start(&self) -> i64 {
        self.start
    }

    /// First ns behind the window.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.end
    }

    /// The bounds of the window, ns.
    #[must_use]
    pub fn bounds(&self) -> (i64, i64) {
        (self.first, self.last)
    }

    /// Width in px.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Sets the width in px, 1 at least; the window stays.
    pub fn set_width(&mut self, width: f64) {
        self.width = if width.is_finite() { width.max(1.0) } else { 1.0 };
    }

    /// Sets what is there to see. A view of everything goes on showing everything; another
    /// window stays where it is as far as the bounds allow.
    pub fn set_bounds(&mut self, first: i64, last: i64) {
        let fitted = self.is_fitted();
        let last = last.max(first);
        let idle = self.gaps.before(last).0 - self.gaps.before(first).0;
        let extent = i128::from(last) - i128::from(first) - idle;
        let margin = i64::try_from(extent / 20).unwrap_or(0);
        self.drawn_to = last;
        self.first = first.min(i64::MAX - MIN_WINDOW);
        self.last = last
            .saturating_add(margin)
            .max(self.first.saturating_add(MIN_WINDOW));
        if fitted {
            self.fit();
        } else {
            self.set_window(self.start, self.end);
        }
    }

    /// Compresses these gaps, none where they are empty. A view of everything goes on showing
    /// everything, another window stays.
    pub fn set_gaps(&mut self, gaps: Arc<Gaps>) {
        self.gaps = gaps;
        self.set_bounds(self.first, self.drawn_to);
    }

    /// The gaps within the window, with their left and right edge in px, cut to it. Each is to
    /// be marked: time does not run there as it does beside it.
    pub fn gaps(&self) -> impl Iterator<Item = (Gap, f64, f64)> + '_ {
        let met = self
            .gaps
            .gaps()
            .iter()
            .filter(|gap| gap.start < self.end && gap.end > self.start);
        met.map(|gap| {
            let (from, to) = (gap.start.max(self.start), gap.end.min(self.end));
            (*gap, self.x_of(from), self.x_of(to))
        })
    }

    /// All of the bounds over `width` px, as a minimap shows them.
    #[must_use]
    pub fn overview(&self, width: f64) -> Self {
        let mut all = self.clone();
        all.set_width(width);
        all.fit();
        all
    }

    /// Shows everything.
    pub fn fit(&mut self) {
        (self.start, self.end) = (self.first, self.last);
    }

    /// True when everything is shown.
    #[must_use]
    pub fn is_fitted(&self) -> bool {
        (self.start, self.end) == (self.first, self.last)
    }

    /// Shows [`start`, `end`), moved and cut to fit the bounds and not shorter than
    /// [`MIN_WINDOW`].
    pub fn set_window(&mut self, start: i64, end: i64) {
        let most = self.last.saturating_sub(self.first);
        let length = end.saturating_sub(start).clamp(MIN_WINDOW.min(most), most);
        self.start = start.clamp(self.first, self.last.saturating_sub(length));
        self.end = self.start.saturating_add(length);
    }

    /// Shows a span of time with a tenth of it free at either side.
    pub fn show(&mut self, start: i64, end: i64) {
        let margin = (end.saturating_sub(start) / 10).max(MIN_WINDOW / 2);
        self.set_window(start.saturating_sub(margin), end.saturating_add(margin));
    }

    /// Zooms so that the window is `factor` as long (below 1: closer) and the time under `x`
    /// stays under it.
    pub fn zoom(&mut self, x: f64, factor: f64) {
        if !(factor.is_finite() && factor > 0.0 && x.is_finite()) {
            return;
        }
        if !self.gaps.is_empty() {
            let scale = self.scale();
            let ns = (scale.ns * factor).max(MIN_WINDOW as f64 * scale.px / self.width);
            let origin = self.time_at(x);
            self.set_scale(Scale { origin, ns, ..scale }, -x);
            return;
        }
        let most = self.last.saturating_sub(self.first);
        let length = (self.length() as f64 * factor).round();
        let length = (length as i64).clamp(MIN_WINDOW.min(most), most);
        let before = (x / self.width * length as f64).round() as i64;
        let start = self.time_at(x).saturating_sub(before);
        self.set_window(start, start.saturating_add(length));
    }

    /// Moves the window by `px` to the right (below 0: to the left).
    pub fn pan(&mut self, px: f64) {
        if !self.gaps.is_empty() {
            self.set_scale(self.scale(), px);
            return;
        }
        let by = (px * self.ns_per_px()).round() as i64;
        let length = self.length();
        let start = self.start.saturating_add(by);
        let start = start.clamp(self.first, self.last.saturating_sub(length));
        self.set_window(start, start.saturating_add(length));
    }

    /// Shows as much as `scale` has room for from px `from` of it on, moved to fit the bounds.
    fn set_scale(&mut self, scale: Scale, from: f64) {
        if !from.is_finite() {
            return;
        }
        let at = |origin, x| Scale { origin, ..scale }.time_at(&self.gaps, x);
        let (mut start, mut end) = (at(scale.origin, from), at(scale.origin, from + self.width));
        if start < self.first {
            (start, end) = (self.first, at(self.first, self.width));
        }
        if end > self.last {
            (start, end) = (at(self.last, -self.width), self.last);
        }
        self.set_window(start, end);
    }

    fn scale(&self) -> Scale {
        Scale::fit(&self.gaps, self.start, self.end, self.width)
    }

    /// Length of the window in ns, gaps included.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    /// How many ns a px covers outside of gaps.
    #[must_use]
    pub fn ns_per_px(&self) -> f64 {
        let scale = self.scale();
        scale.ns / scale.px
    }

    /// How many ns a px covers at `x`.
    #[must_use]
    pub fn ns_per_px_at(&self, x: f64) -> f64 {
        self.scale().ns_per_px(&self.gaps, x)
    }

    /// Where `time` stands, in px from the left; outside [0, width] when outside the window.
    #[must_use]
    pub fn x_of(&self, time: i64) -> f64 {
        self.scale().x_of(&self.gaps, time)
    }

    /// The time at `x`, to the nearest ns.
    #[must_use]
    pub fn time_at(&self, x: f64) -> i64 {
        self.scale().time_at(&self.gaps, x)
    }

    /// True when any part of [`start`, `end`] is in the window.
    #[must_use]
    pub fn meets(&self, start: i64, end: i64) -> bool {
        start < self.end && end >= self.start
    }
}

/// Which lines are on the screen: all of [`ROW_HEIGHT`], scrolled by px.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scroll {
    top: f64,
    height: f64,
    lines: usize,
}

impl Scroll {
    /// At the top of `lines` lines, `height` px of which are seen.
    #[must_use]
    pub fn new(lines: usize, height: f64) -> Self {
        let mut scroll = Self::default();
        scroll.resize(lines, height);
        scroll
    }

    /// Sets how many lines there are and how many px are seen; the place is kept if possible.
    pub fn resize(&mut self, lines: usize, height: f64) {
        self.lines = lines;
        self.height = if height.is_finite() { height.max(0.0) } else { 0.0 };
        self.set_top(self.top);
    }

    /// How many px are scrolled away.
    #[must_use]
    pub fn top(&self) -> f64 {
        self.top
    }

    /// How many px are seen.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.height
    }

    /// Height of all lines in px.
    #[must_use]
    pub fn content_height(&self) -> f64 {
        self.lines as f64 * ROW_HEIGHT
    }

    /// Scrolls to `top` px, as far as there are lines.
    pub fn set_top(&mut self, top: f64) {
        let most = (self.content_height() - self.height).max(0.0);
        self.top = if top.is_finite() {
            top.clamp(0.0, most)
        } else {
            0.0
        };
    }

    /// Scrolls by `px` (above 0: down).
    pub fn by(&mut self, px: f64) {
        self.set_top(self.top + px);
    }

    /// The lines of which anything is seen.
    #[must_use]
    pub fn visible(&self) -> std::ops::Range<usize> {
        let from = (self.top / ROW_HEIGHT) as usize;
        let to = ((self.top + self.height) / ROW_HEIGHT).ceil() as usize;
        from.min(self.lines)..to.min(self.lines)
    }

    /// Where the top edge of `line` stands, in px from the top of what is seen.
    #[must_use]
    pub fn y_of(&self, line: usize) -> f64 {
        line as f64 * ROW_HEIGHT - self.top
    }

    /// The line at `y` px from the top of what is seen.
    #[must_use]
    pub fn line_at(&self, y: f64) -> Option<usize> {
        let place = (y + self.top) / ROW_HEIGHT;
        (place >= 0.0 && (place as usize) < self.lines).then_some(place as usize)
    }

    /// Scrolls as little as needed for `line` to be seen whole.
    pub fn show(&mut self, line: usize) {
        let top = line as f64 * ROW_HEIGHT;
        if top < self.top {
            self.set_top(top);
        } else if top + ROW_HEIGHT > self.top + self.height {
            self.set_top(top + ROW_HEIGHT - self.height);
        }
    }

    /// Scrolls so that `line` stands in the middle.
    pub fn center(&mut self, line: usize) {
        self.set_top(line as f64 * ROW_HEIGHT - (self.height - ROW_HEIGHT) / 2.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_000_000_123_456_789;

    fn views() -> impl Strategy<Value = TimeView> {
        let common = (
            NOW - 1_000..NOW + 1_000,
            0..200_000_000_000_000_i64,
            1.0..4_000.0_f64,
        );
        let wild = (any::<i64>(), any::<i64>(), 1.0..4_000.0_f64);
        prop_oneof![
            3 => common.prop_map(|(first, length, width)| TimeView::new(first, first + length, width)),
            1 => wild.prop_map(|(first, last, width)| TimeView::new(first, last, width)),
        ]
    }

    proptest! {
        #[test]
        fn time_and_px_lead_back_to_each_other(view in views(), part in 0.0..1.0_f64, zooms in prop::collection::vec((0.0..1.0_f64, 0.01..3.0_f64), 0..9)) {
            let mut view = view;
            for (at, factor) in zooms {
                view.zoom(at * view.width(), factor);
            }
            let time = view.start() + (view.length() as f64 * part) as i64;
            let back = view.time_at(view.x_of(time));
            // One ns, or what a double of this size can tell apart.
            let unit = 1 + (view.length() >> 50);
            prop_assert!((back - time).abs() <= unit, "{} is not {}", back, time);
            let x = part * view.width();
            let half = 0.5 / view.ns_per_px() + 1e-9 * view.width();
            prop_assert!((view.x_of(view.time_at(x)) - x).abs() <= half);
        }

        #[test]
        fn the_window_stays_within_its_bounds(view in views(), moves in prop::collection::vec((any::<bool>(), -9e3..9e3_f64, 1e-6..1e6_f64), 1..20)) {
            let mut view = view;
            for (pan, x, factor) in moves {
                if pan { view.pan(x) } else { view.zoom(x, factor) }
                let (first, last) = view.bounds();
                prop_assert!(first <= view.start() && view.start() < view.end() && view.end() <= last);
                prop_assert!(view.length() >= MIN_WINDOW);
            }
        }

        #[test]
        fn zoom_keeps_the_time_under_the_pointer(at in 0.3..0.7_f64, factor in 0.5..0.99_f64) {
            let mut view = TimeView::new(NOW, NOW + 10_000_000_000, 800.0);
            let x = at * view.width();
            let time = view.time_at(x);
            view.zoom(x, factor);
            prop_assert!((view.time_at(x) - time).abs() <= 2);
            prop_assert!(!view.is_fitted());
        }

        #[test]
        fn pan_keeps_the_length(px in -5e3..5e3_f64) {
            let mut view = TimeView::new(NOW, NOW + 10_000_000_000, 800.0);
            view.set_window(NOW + 2_000_000_000, NOW + 3_000_000_000);
            view.pan(px);
            prop_assert_eq!(view.length(), 1_000_000_000);
        }

        #[test]
        fn lines_and_px_lead_back_to_each_other(lines in 1..2_000_000_usize, height in 1.0..2e3_f64, top in 0.0..9e7_f64) {
            let mut scroll = Scroll::new(lines, height);
            scroll.set_top(top);
            let seen = scroll.visible();
            prop_assert!(!seen.is_empty() && seen.end <= lines);
            for line in seen {
                prop_assert_eq!(scroll.line_at(scroll.y_of(line) + ROW_HEIGHT / 2.0), Some(line));
                prop_assert!(scroll.y_of(line) < height && scroll.y_of(line) + ROW_HEIGHT > 0.0);
            }
        }
    }

    #[test]
    fn a_growing_trace_stays_fitted_and_a_zoomed_one_stays_put() {
        let mut view = TimeView::new(0, 1_000_000, 100.0);
        view.set_bounds(0, 2_000_000);
        assert_eq!((view.start(), view.end()), (0, 2_100_000));
        view.set_window(500_000, 600_000);
        view.set_bounds(0, 9_000_000);
        assert_eq!((view.start(), view.end()), (500_000, 600_000));
        view.show(1_000_000, 2_000_000);
        assert_eq!((view.start(), view.end()), (900_000, 2_100_000));
    }

    #[test]
    fn a_moment_has_a_window() {
        let view = TimeView::new(NOW, NOW, 500.0);
        assert_eq!((view.start(), view.length()), (NOW, MIN_WINDOW));
        let backwards = TimeView::new(NOW, NOW - 5, f64::NAN);
        assert_eq!((backwards.length(), backwards.width()), (MIN_WINDOW, 1.0));
    }

    #[test]
    fn scrolling_shows_a_line_with_the_least_move() {
        let mut scroll = Scroll::new(100, 260.0);
        scroll.show(5);
        assert_eq!(scroll.top(), 0.0);
        scroll.show(10);
        assert_eq!(scroll.top(), 26.0);
        scroll.show(0);
        assert_eq!(scroll.top(), 0.0);
        scroll.by(1e9);
        assert_eq!(scroll.visible(), 90..100);
        scroll.resize(3, 260.0);
        assert_eq!((scroll.top(), scroll.visible()), (0.0, 0..3));
        assert_eq!((scroll.line_at(-1.0), scroll.line_at(79.0)), (None, None));
    }
}
