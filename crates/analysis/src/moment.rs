//! A session at an instant: how much of it there was by then. Made once, asked at each frame: every answer
//! is a few binary searches.

use crate::timeline::Timeline;
use meshscope_api::SessionLogs;
use meshscope_model::SpanColumns;
use meshscope_model::columns::{ABSENT, flag};

/// Stretches of time, of which one asks how many had begun and ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretches {
    /// Starts in order, and whose they are.
    starts: Vec<i64>,
    items: Vec<u32>,
    /// Ends in order.
    ends: Vec<i64>,
    /// The ends of the items in the order of starts as a tree of maxima: node `n` is above nodes `2n` and
    /// `2n + 1`, the items begin at the middle.
    latest: Vec<i64>,
}

impl Stretches {
    /// Stretches from a start to an end, by their places; the end of what is in progress is [`i64::MAX`].
    #[must_use]
    pub fn new(stretches: impl Iterator<Item = (i64, i64)>) -> Self {
        let mut all: Vec<(i64, u32, i64)> = stretches
            .zip(0_u32..)
            .map(|((start, end), item)| (start, item, end.max(start)))
            .collect();
        all.sort_unstable();
        let mut ends: Vec<i64> = all.iter().map(|(.., end)| *end).collect();
        let leaves = all.len().next_power_of_two();
        let mut latest = vec![i64::MIN; leaves];
        latest.extend(&ends);
        latest.resize(2 * leaves, i64::MIN);
        for node in (1..leaves).rev() {
            latest[node] = latest[2 * node].max(latest[2 * node + 1]);
        }
        ends.sort_unstable();
        Self {
            starts: all.iter().map(|(start, ..)| *start).collect(),
            items: all.iter().map(|(_, item, _)| *item).collect(),
            ends,
            latest,
        }
    }

    /// How many had begun at `at`; those are the first so many by start.
    #[must_use]
    pub fn begun(&self, at: i64) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// How many had ended at `at`.
    #[must_use]
    pub fn ended(&self, at: i64) -> usize {
        self.ends.partition_point(|end| *end <= at && *end != i64::MAX)
    }

    /// How many were under way at `at`.
    #[must_use]
    pub fn open(&self, at: i64) -> usize {
        self.begun(at).saturating_sub(self.ended(at))
    }

    /// The places of what was under way at `at`, the latest start first, `most` of them at the most.
    #[must_use]
    pub fn open_at(&self, at: i64, most: usize) -> Vec<u32> {
        let leaves = self.latest.len() / 2;
        let mut found = Vec::new();
        let begun = self.begun(at);
        if begun == 0 || leaves == 0 {
            return found;
        }
        // Down from the root, the later half first; a node none of whose items lasts is left out.
        let mut waiting = vec![1_usize];
        while let Some(node) = waiting.pop() {
            if found.len() >= most {
                break;
            }
            let lasts = self
                .latest
                .get(node)
                .is_some_and(|end| *end > at || *end == i64::MAX);
            // The first item below the node.
            let first = (node << (leaves.ilog2() - node.ilog2())) - leaves;
            if !lasts || first >= begun {
                continue;
            }
            if node >= leaves {
                found.extend(self.items.get(first));
            } else {
                waiting.extend([2 * node, 2 * node + 1]);
            }
        }
        found
    }
}

/// What is known of a session at an instant. Everything but what is under way only grows with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// Runs that had begun, and those of them that had ended.
    pub runs: usize,
    /// See `runs`.
    pub runs_ended: usize,
    /// Spans that had begun, and those of them that had ended.
    pub spans: usize,
    /// See `spans`.
    pub spans_ended: usize,
    /// Tools at work.
    pub tools: usize,
    /// Failed spans that were known; blocked ones are not counted here.
    pub errors: u32,
    /// Blocked spans that were known.
    pub blocked: u32,
    /// Lifecycle events: the first so many of [`Timeline::events`].
    pub events: usize,
    /// Log records: the first so many of the session's.
    pub logs: usize,
}

/// The index that tells the [`State`] at any instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moments {
    /// The runs, by their places in the lane of runs.
    pub runs: Stretches,
    /// The spans, by their rows.
    pub spans: Stretches,
    /// Calls of tools, by their places in the lane of tools.
    pub tools: Stretches,
    /// When errors and blocks were known.
    errors: Vec<i64>,
    blocked: Vec<i64>,
    events: Vec<i64>,
    logs: Vec<i64>,
}

impl Moments {
    /// The index over a session.
    #[must_use]
    pub fn build(columns: &SpanColumns, timeline: &Timeline, logs: &SessionLogs) -> Self {
        use crate::timeline::LaneKind;
        let lane = |kind| {
            let lane = timeline.lanes.iter().find(|lane| lane.kind == kind);
            let stretches = lane.map_or(&[][..], |lane| lane.stretches.as_slice());
            Stretches::new(stretches.iter().map(|one| (one.start, one.end)))
        };
        let rows = 0..columns.len();
        let span = |row: usize| {
            let start = columns.start_time.get(row).copied().unwrap_or(0);
            let open = columns.has_flag(row, flag::IN_PROGRESS);
            (start, if open { i64::MAX } else { columns.end_time(row) })
        };
        let known = |wanted: &dyn Fn(usize) -> bool| {
            let rows = rows.clone().filter(|row| wanted(*row));
            sorted(rows.map(|row| columns.end_time(row)))
        };
        let blocked = |row: usize| columns.has_flag(row, flag::BLOCKED);
        Self {
            runs: lane(LaneKind::Runs),
            tools: lane(LaneKind::Tools),
            errors: known(&|row| columns.has_flag(row, flag::ERROR) && !blocked(row)),
            blocked: known(&blocked),
            spans: Stretches::new(rows.clone().map(span)),
            events: sorted(timeline.events.iter().map(|event| event.at)),
            logs: sorted(logs.logs.iter().map(|log| log.time)),
        }
    }

    /// How the session stood at `at`; at [`i64::MAX`] all of it.
    #[must_use]
    pub fn at(&self, at: i64) -> State {
        State {
            runs: self.runs.begun(at),
            runs_ended: self.runs.ended(at),
            spans: self.spans.begun(at),
            spans_ended: self.spans.ended(at),
            tools: self.tools.open(at),
            errors: count(&self.errors, at),
            blocked: count(&self.blocked, at),
            events: self.events.partition_point(|time| *time <= at),
            logs: self.logs.partition_point(|time| *time <= at),
        }
    }
}

fn sorted(times: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut times: Vec<i64> = times.collect();
    times.sort_unstable();
    times
}

fn count(times: &[i64], at: i64) -> u32 {
    u32::try_from(times.partition_point(|time| *time <= at)).unwrap_or(u32::MAX)
}

/// Sums that grow with time, such as tokens and cost: what had come together by an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    times: Vec<i64>,
    sums: Vec<i64>,
}

impl Sums {
    /// The sums of figures that were known from some moments on; absent figures add nothing.
    #[must_use]
    pub fn new(figures: impl Iterator<Item = (i64, Option<i64>)>) -> Self {
        let mut figures: Vec<(i64, i64)> = figures
            .filter_map(|(at, figure)| Some((at, figure.filter(|figure| *figure != ABSENT)?)))
            .collect();
        figures.sort_unstable_by_key(|(at, _)| *at);
        let mut sum = 0_i64;
        let sums = figures.iter().map(|(_, figure)| {
            sum = sum.saturating_add(*figure);
            sum
        });
        Self {
            sums: sums.collect(),
            times: figures.iter().map(|(at, _)| *at).collect(),
        }
    }

    /// What had come together at `at`; `None` when nothing had.
    #[must_use]
    pub fn at(&self, at: i64) -> Option<i64> {
        let count = self.times.partition_point(|time| *time <= at);
        count.checked_sub(1).and_then(|last| self.sums.get(last)).copied()
    }
}

#[cfg(test)]
mod tests;
