//! A group's bar: its members' bars on one line, merged where a px cannot tell them apart.

use crate::bars::Bar;
use crate::format;
use crate::waterfall::Waterfall;
use meshscope_analysis::Group;
use meshscope_model::columns::flag;

/// What there is to draw of a group besides what lines have in common.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupBar {
    /// How many siblings are in it.
    pub members: u32,
    /// They stand below on lines of their own.
    pub unfolded: bool,
    /// Where any member runs within the window, from edge to edge in px from the left of the
    /// time area: ascending, 1 px wide at least and more than 1 px apart.
    pub runs: Vec<(f64, f64)>,
}

impl Waterfall<'_> {
    /// What there is to say of a group wherever its line stands.
    pub(crate) fn group_bar(&self, group: &Group) -> Bar {
        let unfolded = self.rows.is_unfolded(group.first);
        let totals = &group.totals;
        let any = |count: u32, bit: u8| if count > 0 { bit } else { 0 };
        let flags = any(totals.errors, flag::ERROR)
            | any(totals.blocked, flag::BLOCKED)
            | any(totals.in_progress, flag::IN_PROGRESS);
        Bar {
            span: group.first,
            folded: if unfolded { 0 } else { totals.spans },
            folded_flags: if unfolded { 0 } else { flags },
            name: self.group_name(group),
            group: Some(GroupBar {
                members: group.members(),
                unfolded,
                runs: self.group_runs(group),
            }),
            ..Bar::default()
        }
    }

    /// `12 × search`, of a loop `3 × chat, search`.
    #[must_use]
    pub fn group_name(&self, group: &Group) -> String {
        let members = self.rows.folding().members(group).iter();
        let round = members.take(group.period as usize);
        let names: Vec<&str> = round.map(|row| self.columns.name(*row as usize)).collect();
        format!("{} × {}", format::count(group.rounds().into()), names.join(", "))
    }

    /// Where any member of `group` runs: takes time by the px of the window, not by the members.
    fn group_runs(&self, group: &Group) -> Vec<(f64, f64)> {
        let folding = self.rows.folding();
        let (members, latest) = (folding.members(group), folding.latest_ends(group));
        let start_of = |row: &u32| self.columns.start_time.get(*row as usize).copied().unwrap_or(0);
        // Until when the first `count` members run that have started by `time`.
        let busy_to = |count: usize, time: i64| {
            let ended = count.checked_sub(1).and_then(|last| latest.get(last).copied());
            let running = group.running_from.filter(|from| *from <= time).map(|_| self.now);
            ended.max(running).unwrap_or(i64::MIN)
        };
        let width = self.view.width();
        let mut runs: Vec<(f64, f64)> = Vec::new();
        // How many members are drawn, or have ended left of `x`.
        let mut done = 0;
        let mut x = 0.0;
        while x < width {
            let time = self.view.time_at(x);
            done = members.partition_point(|row| start_of(row) < time).max(done);
            let to = busy_to(done, time);
            let (x0, to) = match members.get(done).map(start_of) {
                _ if to > time => (x, to),
                Some(next) => {
                    done = members.partition_point(|row| start_of(row) <= next);
                    (self.view.x_of(next).max(x), busy_to(done, next))
                }
                None => break,
            };
            if x0 >= width {
                break;
            }
            let x1 = self.view.x_of(to).max(x0 + 1.0);
            match runs.last_mut().filter(|(_, end)| x0 - *end <= 1.0) {
                Some((_, end)) => *end = x1.min(width),
                None => runs.push((x0, x1.min(width))),
            }
            x = x1;
        }
        runs
    }
}

/// What stands at a group's bar: `● 2 errors · ◆ 2 blocked · 12.4 s, p50 1.2 s, p95 3.1 s`. Errors and
/// blocked steps are those of all spans in it.
#[must_use]
pub fn label_text(group: &Group) -> String {
    let mut parts = Vec::new();
    if group.totals.errors > 0 {
        let count = format::count(group.totals.errors.into());
        let word = if group.totals.errors == 1 {
            "error"
        } else {
            "errors"
        };
        parts.push(format!("● {count} {word}"));
    }
    if group.totals.blocked > 0 {
        parts.push(format!(
            "◆ {} blocked",
            format::count(group.totals.blocked.into())
        ));
    }
    if let (Some(p50), Some(p95)) = (group.p50, group.p95) {
        let [sum, p50, p95] = [group.sum, p50, p95].map(format::duration);
        parts.push(format!("{sum}, p50 {p50}, p95 {p95}"));
    }
    if group.running_from.is_some() {
        parts.push("…".to_owned());
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Stage, columns};
    use proptest::prelude::*;

    fn stage(spans: &[(i64, i64)], width: f64) -> Stage {
        let all: Vec<_> = (1..)
            .zip(spans)
            .map(|(id, (start, length))| (id, 0, *start, *length))
            .collect();
        let mut stage = Stage::new(columns(&all), width);
        stage.rows.set_grouping(&stage.tree, &stage.columns, true);
        stage.scroll.resize(stage.rows.len(), 260.0);
        stage
    }

    fn drawn(stage: &Stage) -> Vec<Bar> {
        let mut bars = Vec::new();
        let measure = |text: &str| text.chars().count() as f64 * 7.0;
        stage.waterfall().bars(&[], &measure, &mut bars);
        bars
    }

    #[test]
    fn members_that_touch_are_one_run() {
        // 1 px is 1 ns.
        let spans = [(0, 100), (100, 50), (300, 10), (305, 100), (1_000, 0)];
        let mut stage = stage(&spans, 1_050.0);
        stage.columns.flags[2] = flag::ERROR;
        stage.rows.set_grouping(&stage.tree, &stage.columns, true);
        let bars = drawn(&stage);
        let bar = &bars[0];
        assert_eq!((bars.len(), bar.folded, bar.name.as_str()), (1, 5, "5 × work"));
        assert_eq!(bar.folded_flags, flag::ERROR);
        let label = bar.label.as_ref().map(|label| label.text.as_str());
        assert_eq!(label, Some("● 1 error · 260 ns, p50 50 ns, p95 100 ns"));
        let group = bar.group.as_ref().unwrap();
        assert_eq!(group.runs, [(0.0, 150.0), (300.0, 405.0), (1_000.0, 1_001.0)]);
        stage.rows.toggle_group(&stage.tree, 0);
        stage.scroll.resize(stage.rows.len(), 260.0);
        let bars = drawn(&stage);
        assert_eq!((bars.len(), bars[0].folded, bars[0].folded_flags), (6, 0, 0));
        assert!(bars[0].group.as_ref().unwrap().unfolded && bars[1].group.is_none());
    }

    #[test]
    fn a_member_that_goes_on_is_drawn_up_to_now() {
        let mut stage = stage(&[(0, 50), (100, 50), (200, 50), (300, 0), (400, 50)], 600.0);
        stage.columns.flags[3] = flag::IN_PROGRESS;
        stage.rows.set_grouping(&stage.tree, &stage.columns, true);
        stage.now = 600;
        stage.view.set_bounds(0, 600);
        stage.view.set_window(0, 600);
        let bars = drawn(&stage);
        let runs = &bars[0].group.as_ref().unwrap().runs;
        assert_eq!(runs.last(), Some(&(300.0, 600.0)));
    }

    proptest! {
        #[test]
        fn runs_are_where_members_are(spans in prop::collection::vec((0..2_000_i64, 0..90_i64), 5..60), width in 20.0..400.0_f64, from in 0..2_000_i64, length in 100..2_000_i64) {
            let mut spans = spans;
            spans.sort_unstable();
            let mut stage = stage(&spans, width);
            stage.view.set_window(from, from + length);
            let view = stage.view.clone();
            let bars = drawn(&stage);
            let runs = &bars[0].group.as_ref().unwrap().runs;
            for pair in runs.windows(2) {
                prop_assert!(pair[1].0 - pair[0].1 > 1.0);
            }
            let inside = |x: f64| x >= 0.0 && x < width;
            for (start, length) in &spans {
                for x in [view.x_of(*start), view.x_of(start + length) - 1.0] {
                    let covered = runs.iter().any(|(x0, x1)| x0 - 1e-6 <= x + 1.0 && x <= x1 + 1e-6);
                    prop_assert!(!inside(x) || !inside(x + 1.0) || covered, "{} in {:?}", x, runs);
                }
            }
            for (x0, x1) in runs {
                prop_assert!(inside(*x0) && *x1 <= width && x1 > x0);
                for step in 0..=4 {
                    let x = x0 + (x1 - x0) * f64::from(step) / 4.0;
                    let near = spans.iter().any(|(start, length)| view.x_of(*start) - 1.5 <= x && x <= view.x_of(start + length) + 1.5);
                    prop_assert!(near, "nothing at {} of {:?}", x, runs);
                }
            }
        }
    }
}
