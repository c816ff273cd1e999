//! What lies under the pointer.

use crate::rows::Line;
use crate::viewport::ROW_HEIGHT;
use crate::waterfall::{BAR_HEIGHT, DIVIDER_REACH, RULER_HEIGHT, TOGGLE, Waterfall};

/// How far beside a bar the pointer still means it, px: bars may be 2 px wide.
const REACH: f64 = 3.0;

/// What is under the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// The time axis.
    Ruler {
        /// The time there, ns since the epoch.
        time: i64,
    },
    /// The line between names and time, for dragging.
    Divider,
    /// A line.
    Line {
        /// The line.
        line: usize,
        /// Its span, of a group's line the first member.
        span: u32,
        /// The line is a group's.
        group: bool,
        /// What of it.
        part: Part,
    },
    /// Below the last line, or left of the time axis.
    Empty,
}

/// A part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What folds and unfolds it; only where there is something to fold.
    Toggle,
    /// The name and all around it.
    Name,
    /// The bar.
    Bar,
    /// The time area beside the bar.
    Time,
}

impl Waterfall<'_> {
    /// What is at `x`, `y` px from the top left of the surface; `None` outside of it.
    #[must_use]
    pub fn hit(&self, x: f64, y: f64) -> Option<Hit> {
        let inside = |n: f64, size: f64| n >= 0.0 && n < size;
        if !inside(x, self.frame.width) || !inside(y, self.frame.height) {
            return None;
        }
        let in_time = x - self.frame.name_width;
        if in_time.abs() <= DIVIDER_REACH {
            return Some(Hit::Divider);
        }
        if y < RULER_HEIGHT {
            let time = self.view.time_at(in_time);
            return Some(if in_time > 0.0 {
                Hit::Ruler { time }
            } else {
                Hit::Empty
            });
        }
        let line = self.scroll.line_at(y - RULER_HEIGHT);
        let found = line.and_then(|line| Some((line, *self.rows.lines().get(line)?)));
        let Some((line, found)) = found else {
            return Some(Hit::Empty);
        };
        let part = if in_time > 0.0 {
            self.time_part(line, found, in_time, y)
        } else {
            self.name_part(found, x)
        };
        Some(Hit::Line {
            line,
            span: found.span,
            group: found.group,
            part,
        })
    }

    fn name_part(&self, line: Line, x: f64) -> Part {
        let left = self.frame.toggle_x(line.depth);
        let on_toggle = x >= left - REACH && x < left + TOGGLE + REACH;
        if on_toggle && (line.group || self.rows.below(self.tree, line.span) > 0) {
            Part::Toggle
        } else {
            Part::Name
        }
    }

    fn time_part(&self, line: usize, found: Line, x: f64, y: f64) -> Part {
        let top = self.bar_y(line);
        let slack = (ROW_HEIGHT - BAR_HEIGHT) / 4.0;
        let on_height = y >= top - slack && y < top + BAR_HEIGHT + slack;
        match self.edges(self.line_times(found)) {
            Some((x0, x1)) if on_height && x >= x0 - REACH && x <= x1 + REACH => Part::Bar,
            _ => Part::Time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Stage, columns, spans};
    use proptest::prelude::*;

    fn line(line: usize, span: u32, part: Part) -> Option<Hit> {
        Some(Hit::Line {
            line,
            span,
            group: false,
            part,
        })
    }

    #[test]
    fn every_part_is_found() {
        // Names are 300 px wide, 1 ns is 1 px.
        let c = columns(&[(1, 0, 0, 1_000), (2, 1, 500, 1)]);
        let stage = Stage::new(c, 1_050.0);
        let w = stage.waterfall();
        assert_eq!(w.hit(15.0, 30.0), line(0, 0, Part::Toggle));
        assert_eq!(
            w.hit(15.0 + 14.0, 56.0),
            line(1, 1, Part::Name),
            "nothing to fold"
        );
        assert_eq!(w.hit(120.0, 30.0), line(0, 0, Part::Name));
        assert_eq!(w.hit(301.0, 30.0), Some(Hit::Divider));
        assert_eq!(
            w.hit(798.0, 63.0),
            line(1, 1, Part::Bar),
            "a thin bar has some reach"
        );
        assert_eq!(w.hit(790.0, 63.0), line(1, 1, Part::Time));
        assert_eq!(w.hit(798.0, 51.0), line(1, 1, Part::Time), "above the bar");
        assert_eq!(w.hit(400.0, 10.0), Some(Hit::Ruler { time: 100 }));
        assert_eq!(
            (w.hit(100.0, 10.0), w.hit(400.0, 90.0)),
            (Some(Hit::Empty), Some(Hit::Empty))
        );
        assert_eq!(
            (w.hit(-1.0, 10.0), w.hit(400.0, 1e9), w.hit(f64::NAN, 30.0)),
            (None, None, None)
        );
    }

    #[test]
    fn a_groups_line_is_told_from_its_first_members() {
        let all: Vec<_> = (1..=5).map(|id| (id, 0, id as i64 * 100, 50)).collect();
        let mut stage = Stage::new(columns(&all), 550.0);
        stage.rows.set_grouping(&stage.tree, &stage.columns, true);
        stage.rows.toggle_group(&stage.tree, 0);
        let group = |part| {
            Some(Hit::Line {
                line: 0,
                span: 0,
                group: true,
                part,
            })
        };
        stage.scroll.resize(stage.rows.len(), 260.0);
        let w = stage.waterfall();
        assert_eq!(w.hit(15.0, 30.0), group(Part::Toggle));
        assert_eq!(w.hit(380.0, 37.0), group(Part::Bar), "between two of its members");
        assert_eq!(w.hit(200.0, 60.0), line(1, 0, Part::Name));
    }

    proptest! {
        #[test]
        fn what_is_drawn_is_what_is_hit(spans in spans(40), top in 0.0..2_000.0_f64) {
            let mut stage = Stage::new(columns(&spans), 700.0);
            stage.scroll.set_top(top);
            let w = stage.waterfall();
            let mut bars = Vec::new();
            w.bars(&[], &|text| text.len() as f64, &mut bars);
            for bar in bars {
                let (x0, x1) = w.edges(w.times(bar.span)).unwrap();
                let (x, y) = (300.0 + ((x0 + x1) / 2.0).max(6.0), bar.y + 7.0);
                if (24.0..w.frame.height).contains(&y) && x - 300.0 <= x1 + 3.0 {
                    prop_assert_eq!(w.hit(x, y), line(bar.line, bar.span, Part::Bar));
                }
            }
        }
    }
}
