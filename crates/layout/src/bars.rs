//! What is drawn of the lines on the screen: bars, first tokens, labels.

use crate::format;
use crate::group_bar::{self, GroupBar};
use crate::text::{self, Cut};
use crate::waterfall::Waterfall;
use meshscope_model::columns::{ABSENT, flag};

/// Free px between a bar and its label.
const GAP: f64 = 5.0;

/// A line as drawn. Places are px; x from the left of the time area, y on the surface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bar {
    /// The line.
    pub line: usize,
    /// Its span, of a group's line the first member.
    pub span: u32,
    /// What more there is to draw of a group.
    pub group: Option<GroupBar>,
    /// Its indent.
    pub depth: u32,
    /// Top edge of the bar.
    pub y: f64,
    /// Where it stands in the window of time.
    pub place: BarPlace,
    /// Where the first token came, if it did within the window.
    pub first_token: Option<f64>,
    /// Bits of [`flag`] of the span; none of a group.
    pub flags: u8,
    /// How many spans are folded away below or in the group; 0 when it is unfolded.
    pub folded: u32,
    /// Bits of [`flag`] of what is folded away: trouble shows through a folded line.
    pub folded_flags: u8,
    /// The name, as much as fits.
    pub name: String,
    /// The text at the bar.
    pub label: Option<Label>,
}

/// Where a bar stands.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum BarPlace {
    /// Within the window, from edge to edge.
    Within {
        /// Left edge.
        x0: f64,
        /// Right edge.
        x1: f64,
        /// The span starts left of the window.
        cut_left: bool,
        /// The span ends right of the window.
        cut_right: bool,
    },
    /// It ended before the window.
    #[default]
    Before,
    /// It starts after the window.
    After,
}

/// A text at a bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// What it says: the duration, or what went wrong.
    pub text: String,
    /// Left edge of the text.
    pub x: f64,
    /// Where it stands.
    pub side: Side,
}

/// Where a label stands to its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Right of it.
    Right,
    /// On it, at its right end.
    Inside,
    /// Left of it.
    Left,
}

impl Waterfall<'_> {
    /// Puts the lines on the screen into `out`, which is emptied first. `folded_flags` are those of
    /// [`meshscope_analysis::subtree_flags`] (empty: none are shown); `measure` gives the width of a text in px.
    pub fn bars(&self, folded_flags: &[u8], measure: &dyn Fn(&str) -> f64, out: &mut Vec<Bar>) {
        out.clear();
        let visible = self.scroll.visible();
        let lines = self.rows.lines().iter().enumerate();
        for (line, found) in lines.skip(visible.start).take(visible.len()) {
            let group = self.rows.group_at(self.tree, line);
            let mut bar = match group {
                Some(group) => self.group_bar(group),
                None => self.span_bar(found.span, folded_flags),
            };
            let times = self.line_times(*found);
            let text = group.map_or_else(|| self.label_text(found.span), group_bar::label_text);
            bar.line = line;
            bar.depth = found.depth;
            bar.y = self.bar_y(line);
            bar.place = self.place(times);
            bar.label = self.label(&text, bar.place, measure);
            let room = self.frame.name_room(found.depth);
            bar.name = text::fit(&bar.name, room, Cut::End, measure).into_owned();
            out.push(bar);
        }
    }

    /// What there is to say of a span wherever its line stands.
    fn span_bar(&self, span: u32, folded_flags: &[u8]) -> Bar {
        let row = span as usize;
        let collapsed = self.rows.is_collapsed(span);
        let below = || self.rows.below(self.tree, span);
        Bar {
            span,
            first_token: self.first_token(row),
            flags: self.columns.flags.get(row).copied().unwrap_or(0),
            folded: if collapsed { below() } else { 0 },
            folded_flags: folded_flags.get(row).copied().filter(|_| collapsed).unwrap_or(0),
            name: self.columns.name(row).to_owned(),
            ..Bar::default()
        }
    }

    fn place(&self, times: (i64, i64)) -> BarPlace {
        match self.edges(times) {
            Some((x0, x1)) => BarPlace::Within {
                x0,
                x1,
                cut_left: times.0 < self.view.start(),
                cut_right: times.1 > self.view.end(),
            },
            None if times.1 < self.view.start() => BarPlace::Before,
            None => BarPlace::After,
        }
    }

    fn first_token(&self, span: usize) -> Option<f64> {
        let after = self.columns.time_to_first_token.get(span).copied()?;
        let start = self.columns.start_time.get(span).copied()?;
        let x = self.view.x_of(start.saturating_add(after));
        (after != ABSENT && (0.0..=self.view.width()).contains(&x)).then_some(x)
    }

    fn label(&self, text: &str, place: BarPlace, measure: &dyn Fn(&str) -> f64) -> Option<Label> {
        let BarPlace::Within { x0, x1, .. } = place else {
            return None;
        };
        let full = text::one_line(text);
        let needed = measure(&full);
        let rooms = [
            (Side::Right, self.view.width() - x1 - GAP),
            (Side::Inside, x1 - x0 - 2.0 * GAP),
            (Side::Left, x0 - GAP),
        ];
        let enough = rooms.iter().find(|(_, room)| needed <= *room);
        let widest = || rooms.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let (side, room) = enough.or_else(widest).copied()?;
        let text = text::fit(&full, room, Cut::End, measure).into_owned();
        let x = match side {
            Side::Right => x1 + GAP,
            Side::Inside => x1 - GAP - measure(&text),
            Side::Left => x0 - GAP - measure(&text),
        };
        (!text.is_empty()).then_some(Label { text, x, side })
    }

    /// What stands at the bar of `span`: `● timed out`, `◆ blocked: no budget`, `8.42 s`, and
    /// `8.42 s …` while it runs.
    #[must_use]
    pub fn label_text(&self, span: u32) -> String {
        let row = span as usize;
        let message = self.columns.message.get(row).copied().unwrap_or(0);
        let message = self.columns.string(message);
        let (start, end) = self.times(span);
        let duration = format::duration(end.saturating_sub(start));
        if self.columns.has_flag(row, flag::BLOCKED) {
            match message {
                "" => "◆ blocked".to_owned(),
                reason => format!("◆ blocked: {reason}"),
            }
        } else if self.columns.has_flag(row, flag::ERROR) {
            format!("● {}", if message.is_empty() { "failed" } else { message })
        } else if self.columns.has_flag(row, flag::IN_PROGRESS) {
            format!("{duration} …")
        } else {
            duration
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Stage, columns, spans};
    use meshscope_analysis::subtree_flags;
    use proptest::prelude::*;

    fn monospace(text: &str) -> f64 {
        text.chars().count() as f64 * 7.0
    }

    fn drawn(stage: &Stage) -> Vec<Bar> {
        let mut bars = Vec::new();
        let flags = subtree_flags(&stage.tree, &stage.columns.flags);
        stage.waterfall().bars(&flags, &monospace, &mut bars);
        bars
    }

    fn label(bar: &Bar) -> (&str, Side) {
        bar.label
            .as_ref()
            .map(|label| (label.text.as_str(), label.side))
            .unwrap()
    }

    #[test]
    fn labels_stand_where_there_is_room() {
        const MS: i64 = 1_000_000;
        // The window is 0..1050 ms over 1050 px.
        let c = columns(&[
            (1, 0, 0, 1_000 * MS),
            (2, 1, 10 * MS, 100 * MS),
            (3, 1, 980 * MS, 20 * MS),
            (4, 1, 1_000 * MS, 0),
        ]);
        let bars = drawn(&Stage::new(c, 1_050.0));
        assert_eq!(label(&bars[0]), ("1 s", Side::Right));
        assert_eq!(label(&bars[1]), ("100 ms", Side::Right));
        assert_eq!(label(&bars[2]), ("20 ms", Side::Right));
        assert_eq!(
            (label(&bars[3]), bars[3].name.as_str()),
            (("0 s", Side::Right), "work")
        );
        assert_eq!(
            bars[1].place,
            BarPlace::Within {
                x0: 10.0,
                x1: 110.0,
                cut_left: false,
                cut_right: false
            }
        );
        let mut zoomed = Stage::new(
            columns(&[(1, 0, 0, 1_000 * MS), (2, 1, 960 * MS, 40 * MS)]),
            1_000.0,
        );
        zoomed.view.set_window(0, 1_000 * MS);
        let bars = drawn(&zoomed);
        assert_eq!(
            (label(&bars[0]), label(&bars[1])),
            (("1 s", Side::Inside), ("40 ms", Side::Left))
        );
        zoomed.view.set_window(0, 500 * MS);
        let bars = drawn(&zoomed);
        assert_eq!(
            bars[0].place,
            BarPlace::Within {
                x0: 0.0,
                x1: 1_000.0,
                cut_left: false,
                cut_right: true
            }
        );
        assert_eq!((bars[1].place, bars[1].label.clone()), (BarPlace::After, None));
    }

    #[test]
    fn trouble_is_said_and_shows_through_a_fold() {
        let mut c = columns(&[(1, 0, 0, 100), (2, 1, 10, 20), (3, 2, 11, 1), (4, 1, 50, 0)]);
        c.strings.extend(["work".to_owned(), "timed\nout".to_owned()]);
        c.flags = vec![0, flag::ERROR, flag::BLOCKED, flag::IN_PROGRESS];
        c.message[1] = c.strings.len() as u32 - 1;
        let mut stage = Stage::new(c, 800.0);
        stage.now = 90;
        let bars = drawn(&stage);
        let labels: Vec<_> = bars.iter().map(|bar| label(bar).0).collect();
        assert_eq!(labels, ["100 ns", "● timed out", "◆ blocked", "40 ns …"]);
        assert!(bars.iter().all(|bar| bar.folded_flags == 0 && bar.folded == 0));
        stage.fold(0);
        let bars = drawn(&stage);
        assert_eq!((bars.len(), bars[0].folded), (1, 3));
        assert_eq!(
            bars[0].folded_flags,
            flag::ERROR | flag::BLOCKED | flag::IN_PROGRESS
        );
    }

    #[test]
    fn the_first_token_is_a_tick() {
        let mut c = columns(&[(1, 0, 0, 1_000), (2, 1, 0, 1_000)]);
        c.time_to_first_token[1] = 210;
        let bars = drawn(&Stage::new(c, 1_050.0));
        assert_eq!((bars[0].first_token, bars[1].first_token), (None, Some(210.0)));
    }

    proptest! {
        #[test]
        fn bars_lead_back_to_their_times(spans in spans(30), width in 50.0..2_000.0_f64, from in 0..60_i64, length in 1..200_i64) {
            const UNIT: i64 = 1_000;
            let scaled: Vec<_> = spans.iter().map(|(id, parent, start, duration)| (*id, *parent, start * UNIT, duration * UNIT)).collect();
            let mut stage = Stage::new(columns(&scaled), width);
            stage.view.set_window(from * UNIT, (from + length) * UNIT);
            let half = stage.view.ns_per_px() / 2.0 + 1.0;
            for bar in drawn(&stage) {
                let (start, end) = stage.waterfall().times(bar.span);
                match bar.place {
                    BarPlace::Before => prop_assert!(end < stage.view.start()),
                    BarPlace::After => prop_assert!(start >= stage.view.end()),
                    BarPlace::Within { x0, x1, cut_left, cut_right } => {
                        prop_assert!(0.0 <= x0 && x1 <= width + 1e-9 && x1 - x0 >= 2.0 - 1e-9);
                        let wide = x1 - x0 > 2.0 + 1e-9;
                        if !cut_left && wide {
                            prop_assert!((stage.view.time_at(x0) - start).abs() as f64 <= half);
                        }
                        if !cut_right && wide {
                            prop_assert!((stage.view.time_at(x1) - end).abs() as f64 <= half);
                        }
                        if let Some(label) = &bar.label {
                            prop_assert!(label.x >= 0.0 && label.x + monospace(&label.text) <= width + 1e-9);
                        }
                    }
                }
            }
        }
    }
}
