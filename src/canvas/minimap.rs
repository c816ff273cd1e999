//! The whole trace in little, the critical path, what was found, and the window that is shown.

use super::painter::Painter;
use super::theme::Theme;
use meshscope_layout::{Minimap, TimeView, Waterfall};
use meshscope_model::columns::flag;

/// Height of the minimap, CSS pixels.
pub(crate) const MINIMAP_HEIGHT: f64 = 44.0;

/// What the minimap is drawn from.
pub(crate) struct Overview<'a> {
    /// What the waterfall below it shows.
    pub waterfall: Waterfall<'a>,
    /// All of the time over the width of the map.
    pub view: TimeView,
    /// The spans.
    pub map: &'a Minimap,
    /// How many lanes it has, and how high each is.
    pub lanes: (usize, f64),
    /// The critical path, from px to px; empty where it is not shown.
    pub critical: &'a [(f64, f64)],
    /// Where finds start, px.
    pub finds: &'a [f64],
    /// Colours.
    pub theme: &'a Theme,
    /// Number of the hue of a span.
    pub hue: &'a dyn Fn(u32) -> usize,
}

/// Draws the map without the window.
pub(crate) fn draw(p: &mut dyn Painter, o: &Overview<'_>) {
    let (theme, width) = (o.theme, o.view.width());
    let (lanes, lane_height) = o.lanes;
    p.rect(&theme.surface, 0.0, 0.0, width, MINIMAP_HEIGHT);
    for (_, x0, x1) in o.view.gaps() {
        p.rect(&theme.line_soft, x0, 0.0, x1 - x0, MINIMAP_HEIGHT);
    }
    for run in o.map.runs() {
        let y = 4.0 + run.lane as f64 * lane_height;
        let color = if o.waterfall.columns.has_flag(run.span as usize, flag::ERROR) {
            &theme.error
        } else {
            theme.hue((o.hue)(run.span))
        };
        let (x, w) = (run.from as f64, (run.to - run.from) as f64);
        p.rect(color, x, y, w, (lane_height - 0.5).max(1.0));
    }
    let y = 4.0 + lanes as f64 * lane_height + 3.0;
    for (x0, x1) in o.critical {
        p.rect(&theme.hues[2], *x0, y, x1 - x0, 2.0);
    }
    for x in o.finds {
        p.alpha(0.35);
        p.rect(&theme.warn, *x, 0.0, 1.5, MINIMAP_HEIGHT - 1.0);
        p.alpha(1.0);
        p.rect(&theme.warn, *x, MINIMAP_HEIGHT - 7.0, 1.5, 6.0);
    }
    p.rect(&theme.line, 0.0, MINIMAP_HEIGHT - 1.0, width, 1.0);
}

/// Draws the window over it.
pub(crate) fn draw_window(p: &mut dyn Painter, view: &TimeView, overview: &TimeView, theme: &Theme) {
    if view.is_fitted() {
        return;
    }
    let width = overview.width();
    let (x0, x1) = (overview.x_of(view.start()), overview.x_of(view.end()));
    p.alpha(0.55);
    p.rect(&theme.surface, 0.0, 0.0, x0, MINIMAP_HEIGHT);
    p.rect(&theme.surface, x1, 0.0, width - x1, MINIMAP_HEIGHT);
    p.alpha(1.0);
    p.rect(&theme.accent, x0, 0.0, 1.0, MINIMAP_HEIGHT);
    p.rect(&theme.accent, x1.max(x0 + 1.0), 0.0, 1.0, MINIMAP_HEIGHT);
}
