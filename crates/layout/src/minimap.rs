//! The small picture of a whole waterfall: its lines squeezed into a few px.

use crate::rows::Rows;
use crate::viewport::TimeView;
use crate::waterfall::drawn_times;
use meshscope_analysis::Tree;
use meshscope_analysis::tree::NONE;
use meshscope_model::SpanColumns;

/// A part of a lane that one span fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The lane, from the top.
    pub lane: usize,
    /// First cell.
    pub from: usize,
    /// The cell behind the last.
    pub to: usize,
    /// Row number of the span.
    pub span: u32,
}

/// A grid of lanes and cells, each of at most one span. Lines share lanes where there are more
/// lines than lanes; where several spans meet in a cell the lower line has it, so that children
/// show on their parents. Painting takes time by spans and cells together, drawing by cells alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Minimap {
    width: usize,
    cells: Vec<u32>,
}

impl Minimap {
    /// Paints all lines of a waterfall, of a folded group its members, into `lanes` lanes of as
    /// many cells as `view` (see [`TimeView::overview`]) has px; spans in progress go on to `now`,
    /// ns since the epoch.
    #[must_use]
    pub fn paint(
        columns: &SpanColumns,
        tree: &Tree,
        rows: &Rows,
        view: &TimeView,
        now: i64,
        lanes: usize,
    ) -> Self {
        let mut painting = Painting::start(rows, view.clone(), now, lanes);
        while !painting.advance(columns, tree, rows, usize::MAX) {}
        painting.finish()
    }

    /// What is to be drawn: neighbouring cells of one span as one.
    pub fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        let lanes = self.cells.chunks(self.width.max(1)).enumerate();
        lanes.flat_map(|(lane, cells)| {
            let mut at = 0;
            cells.chunk_by(|a, b| a == b).filter_map(move |same| {
                let from = at;
                at += same.len();
                let span = same.first().copied().filter(|span| *span != NONE)?;
                Some(Run {
                    lane,
                    from,
                    to: at,
                    span,
                })
            })
        })
    }
}

/// A minimap being painted, for traces of so many spans that it takes longer than a frame.
#[derive(Debug, Clone)]
pub struct Painting {
    view: TimeView,
    now: i64,
    lanes: usize,
    cells: Vec<u32>,
    /// For each cell a free one at or behind it in its lane, so that filled ones are skipped.
    free: Vec<u32>,
    /// How many lines are still to be painted: from the last one upwards.
    left: usize,
}

impl Painting {
    /// Begins what [`Minimap::paint`] does at once.
    #[must_use]
    pub fn start(rows: &Rows, view: TimeView, now: i64, lanes: usize) -> Self {
        let width = view.width() as usize;
        Self {
            cells: vec![NONE; width * lanes],
            free: (0..lanes).flat_map(|_| 0..=width as u32).collect(),
            left: rows.len(),
            view,
            now,
            lanes,
        }
    }

    /// Paints on until about `spans` more are painted; true when all are. Columns, tree and rows
    /// are the same from start to end: when these change, so must the painting.
    pub fn advance(&mut self, columns: &SpanColumns, tree: &Tree, rows: &Rows, spans: usize) -> bool {
        let shared = rows.len().max(self.lanes).max(1);
        let mut painted = 0;
        while self.left > 0 && painted < spans {
            self.left -= 1;
            let Some(line) = rows.lines().get(self.left) else {
                continue;
            };
            let lane = self.left * self.lanes / shared;
            let own = [line.span];
            let drawn = rows.drawn_spans(tree, line, &own);
            for span in drawn.iter().rev() {
                self.fill(lane, *span, drawn_times(columns, *span as usize, self.now));
            }
            painted += drawn.len().max(1);
        }
        self.left == 0
    }

    /// Fills what is free of the cells of a span.
    fn fill(&mut self, lane: usize, span: u32, (start, end): (i64, i64)) {
        let width = self.view.width() as usize;
        let lanes = (
            self.free.get_mut(lane * (width + 1)..(lane + 1) * (width + 1)),
            self.cells.get_mut(lane * width..(lane + 1) * width),
        );
        let (Some(free), Some(cells)) = lanes else { return };
        if !self.view.meets(start, end) {
            return;
        }
        let cell = |time: i64| self.view.x_of(time).clamp(0.0, width as f64) as usize;
        let (from, to) = (cell(start), cell(end));
        let mut at = next_free(free, from);
        while at < to.max(from + 1).min(width) {
            cells[at] = span;
            free[at] = at as u32 + 1;
            at = next_free(free, at);
        }
    }

    /// The minimap as far as it is painted.
    #[must_use]
    pub fn finish(self) -> Minimap {
        Minimap {
            width: self.view.width() as usize,
            cells: self.cells,
        }
    }
}

/// The first free cell at or behind `at`; shortens the way for the next to ask.
fn next_free(free: &mut [u32], at: usize) -> usize {
    let mut end = at;
    while free[end] as usize != end {
        end = free[end] as usize;
    }
    let mut step = at;
    while step != end {
        let next = free[step] as usize;
        free[step] = end as u32;
        step = next;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans};
    use proptest::prelude::*;

    fn view((start, end): (i64, i64), width: usize) -> TimeView {
        let mut view = TimeView::new(start, end, width as f64);
        view.set_window(start, end);
        view
    }

    fn runs(
        c: &SpanColumns,
        times: (i64, i64),
        (width, lanes): (usize, usize),
    ) -> Vec<(usize, usize, usize, u32)> {
        let tree = Tree::build(c);
        let rows = Rows::new(&tree, c, false);
        let map = Minimap::paint(c, &tree, &rows, &view(times, width), 0, lanes);
        map.runs()
            .map(|run| (run.lane, run.from, run.to, run.span))
            .collect()
    }

    #[test]
    fn a_lane_a_line_while_there_are_enough() {
        let c = columns(&[(1, 0, 0, 100), (2, 1, 10, 20), (3, 1, 95, 0)]);
        assert_eq!(
            runs(&c, (0, 100), (10, 24)),
            [(0, 0, 10, 0), (1, 1, 3, 1), (2, 9, 10, 2)]
        );
        let c = columns(&[(1, 0, 0, 1_000), (2, 1, 100, 200), (3, 1, 950, 0)]);
        assert_eq!(runs(&c, (100, 300), (4, 3)), [(0, 0, 4, 0), (1, 0, 4, 1)]);
    }

    #[test]
    fn lines_share_lanes_and_fill_what_is_free() {
        // A root with three calls; the second starts before the first has ended.
        let c = columns(&[(1, 0, 0, 100), (2, 1, 10, 20), (3, 1, 20, 40), (4, 1, 80, 10)]);
        assert_eq!(
            runs(&c, (0, 100), (10, 1)),
            [
                (0, 0, 1, 0),
                (0, 1, 2, 1),
                (0, 2, 6, 2),
                (0, 6, 8, 0),
                (0, 8, 9, 3),
                (0, 9, 10, 0)
            ]
        );
        assert_eq!(
            runs(&c, (0, 100), (5, 2)),
            [(0, 0, 1, 1), (0, 1, 5, 0), (1, 1, 3, 2), (1, 4, 5, 3)]
        );
    }

    #[test]
    fn no_room_and_no_time() {
        let c = columns(&[(1, 0, 5, 0)]);
        assert_eq!(runs(&c, (5, 5), (3, 2)), [(0, 0, 1, 0)]);
        assert_eq!(runs(&c, (0, 900), (2, 0)), []);
        let tree = Tree::build(&c);
        let all_of_time = TimeView::new(i64::MIN, i64::MAX, 2.0);
        let rows = Rows::new(&tree, &c, false);
        assert_eq!(
            Minimap::paint(&c, &tree, &rows, &all_of_time, 0, 1)
                .runs()
                .count(),
            1
        );
    }

    #[test]
    fn a_folded_group_shows_its_members() {
        let all: Vec<_> = (1..=5).map(|id| (id, 0, id as i64 * 10_000, 5_000)).collect();
        let c = columns(&all);
        let tree = Tree::build(&c);
        let mut rows = Rows::new(&tree, &c, false);
        rows.set_grouping(&tree, &c, true);
        let map = Minimap::paint(&c, &tree, &rows, &view((0, 60_000), 12), 0, 1);
        let found: Vec<_> = map.runs().map(|run| (run.from, run.to, run.span)).collect();
        assert_eq!(found, [(2, 3, 0), (4, 5, 1), (6, 7, 2), (8, 9, 3), (10, 11, 4)]);
    }

    proptest! {
        #[test]
        fn a_cell_is_filled_exactly_where_a_span_is(spans in spans(25), width in 1..50_usize, lanes in 1..6_usize) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            let rows = Rows::new(&tree, &c, false);
            let map = Minimap::paint(&c, &tree, &rows, &view((0, 100), width), 0, lanes);
            let shared = c.len().max(lanes);
            for lane in 0..lanes {
                for cell in 0..width {
                    let at = |time: i64| time as usize * width / 100;
                    let lower = rows.lines().iter().enumerate().rev().find(|(line, found)| {
                        let (from, to) = (at(c.start_time[found.span as usize]), at(c.end_time(found.span as usize)));
                        line * lanes / shared == lane && from <= cell && cell < to.max(from + 1)
                    });
                    prop_assert_eq!(map.cells[lane * width + cell], lower.map_or(NONE, |(_, found)| found.span));
                }
            }
            let mut painting = Painting::start(&rows, view((0, 100), width), 0, lanes);
            while !painting.advance(&c, &tree, &rows, 7) {}
            prop_assert_eq!(painting.finish(), map);
        }
    }
}
