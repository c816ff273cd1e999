//! The small picture of a whole waterfall: its lines squeezed into a few px.

use crate::rows::Rows;
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
    /// Paints all lines of `rows`, of a folded group its members, into `lanes` lanes of `width` cells that stand for the time
    /// from `start` to `end`; spans in progress go on to `now`. All times ns since the epoch.
    #[must_use]
    pub fn paint(
        columns: &SpanColumns,
        tree: &Tree,
        rows: &Rows,
        (start, end): (i64, i64),
        now: i64,
        (width, lanes): (usize, usize),
    ) -> Self {
        let mut cells = vec![NONE; width * lanes];
        // For each cell a free one at or behind it in its lane, so that filled ones are skipped.
        let mut free: Vec<u32> = (0..lanes).flat_map(|_| 0..=width as u32).collect();
        let length = (i128::from(end) - i128::from(start)).max(1);
        let cell = |time: i64| {
            let place = (i128::from(time) - i128::from(start)) * width as i128 / length;
            place.clamp(0, width as i128) as usize
        };
        let shared = rows.len().max(lanes).max(1);
        for (line, found) in rows.lines().iter().enumerate().rev() {
            let lane = line * lanes / shared;
            let (Some(free), Some(cells)) = (
                free.get_mut(lane * (width + 1)..(lane + 1) * (width + 1)),
                cells.get_mut(lane * width..(lane + 1) * width),
            ) else {
                break;
            };
            let own = [found.span];
            for span in rows.drawn_spans(tree, found, &own).iter().rev() {
                let (from, to) = drawn_times(columns, *span as usize, now);
                if to < start || from >= end.max(start.saturating_add(1)) {
                    continue;
                }
                let (from, to) = (cell(from), cell(to));
                let mut at = next_free(free, from);
                while at < to.max(from + 1).min(width) {
                    cells[at] = *span;
                    free[at] = at as u32 + 1;
                    at = next_free(free, at);
                }
            }
        }
        Self { width, cells }
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

    fn runs(c: &SpanColumns, times: (i64, i64), size: (usize, usize)) -> Vec<(usize, usize, usize, u32)> {
        let tree = Tree::build(c);
        let rows = Rows::new(&tree, c, false);
        let map = Minimap::paint(c, &tree, &rows, times, 0, size);
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
        assert_eq!(runs(&c, (10, 30), (4, 3)), [(0, 0, 4, 0), (1, 0, 4, 1)]);
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
        assert_eq!(
            (runs(&c, (0, 9), (0, 2)), runs(&c, (0, 9), (2, 0))),
            (vec![], vec![])
        );
        assert_eq!(runs(&c, (i64::MIN, i64::MAX), (2, 1)).len(), 1);
    }

    #[test]
    fn a_folded_group_shows_its_members() {
        let all: Vec<_> = (1..=5).map(|id| (id, 0, id as i64 * 10, 5)).collect();
        let c = columns(&all);
        let tree = Tree::build(&c);
        let mut rows = Rows::new(&tree, &c, false);
        rows.set_grouping(&tree, &c, true);
        let map = Minimap::paint(&c, &tree, &rows, (0, 60), 0, (12, 1));
        let found: Vec<_> = map.runs().map(|run| (run.from, run.to, run.span)).collect();
        assert_eq!(found, [(2, 3, 0), (4, 5, 1), (6, 7, 2), (8, 9, 3), (10, 11, 4)]);
    }

    proptest! {
        #[test]
        fn a_cell_is_filled_exactly_where_a_span_is(spans in spans(25), width in 1..50_usize, lanes in 1..6_usize) {
            let c = columns(&spans);
            let tree = Tree::build(&c);
            let rows = Rows::new(&tree, &c, false);
            let map = Minimap::paint(&c, &tree, &rows, (0, 100), 0, (width, lanes));
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
        }
    }
}
