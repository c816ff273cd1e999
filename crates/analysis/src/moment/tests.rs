use super::*;
use crate::testing::{columns, spans};
use crate::timeline::LaneKind;
use crate::{Totals, Tree};
use meshscope_api::BriefLog;
use meshscope_model::Operation;
use proptest::prelude::*;

fn logs(times: &[i64]) -> SessionLogs {
    let mut times = times.to_vec();
    times.sort_unstable();
    let log = |(time, sequence): (&i64, i64)| BriefLog {
        time: *time,
        sequence,
        severity_number: if sequence % 3 == 0 { 17 } else { 9 },
        ..BriefLog::default()
    };
    SessionLogs {
        strings: vec![String::new()],
        logs: times.iter().zip(1..).map(log).collect(),
        more: false,
    }
}

/// Any session: spans with flags and operations of all kinds, and log records.
fn sessions() -> impl Strategy<Value = (SpanColumns, SessionLogs)> {
    let kinds = prop::collection::vec((0..128_u8, 0..15_u8), 40);
    let times = prop::collection::vec(0..120_i64, 0..30);
    (spans(40), kinds, times).prop_map(|(mut spans, kinds, times)| {
        spans.sort_by_key(|(id, _, start, _)| (*start, *id));
        let mut columns = columns(&spans);
        for (row, (flags, operation)) in (0..columns.len()).zip(kinds) {
            columns.flags[row] = flags;
            columns.operation[row] = operation;
            columns.run.push((row % 3) as u32);
        }
        columns.runs = (1..=3).map(meshscope_model::TraceId::from_u128).collect();
        (columns, logs(&times))
    })
}

fn made((columns, logs): &(SpanColumns, SessionLogs)) -> (Timeline, Moments) {
    let tree = Tree::build(columns);
    let timeline = Timeline::build(columns, &tree, logs);
    let moments = Moments::build(columns, &timeline, logs);
    (timeline, moments)
}

proptest! {
    #[test]
    fn at_the_end_the_state_is_the_whole(session in sessions()) {
        let (timeline, moments) = made(&session);
        let (columns, logs) = &session;
        let totals = Totals::of(columns, 0..columns.len() as u32);
        for end in [timeline.last, i64::MAX] {
            let state = moments.at(end);
            prop_assert_eq!(state.spans, columns.len());
            prop_assert_eq!(state.spans - state.spans_ended, totals.in_progress as usize);
            prop_assert_eq!((state.errors, state.blocked), (totals.errors, totals.blocked));
            prop_assert_eq!(state.logs, logs.logs.len());
            prop_assert_eq!(state.events, timeline.events.len());
            let runs = timeline.lanes.iter().find(|lane| lane.kind == LaneKind::Runs);
            prop_assert_eq!(state.runs, runs.map_or(0, |lane| lane.stretches.len()));
        }
        prop_assert_eq!(moments.at(timeline.first - 1), State::default());
    }

    #[test]
    fn what_is_shown_at_an_instant_is_shown_later_too(session in sessions(), a in -5..130_i64, b in -5..130_i64) {
        let (_, moments) = made(&session);
        let (earlier, later) = (moments.at(a.min(b)), moments.at(a.max(b)));
        let figures = |state: &State| [
            state.runs, state.runs_ended, state.spans, state.spans_ended, state.errors as usize,
            state.blocked as usize, state.events, state.logs,
        ];
        for (before, after) in figures(&earlier).into_iter().zip(figures(&later)) {
            prop_assert!(before <= after);
        }
        prop_assert!(later.spans_ended <= later.spans && later.runs_ended <= later.runs);
    }

    #[test]
    fn what_is_under_way_is_what_began_and_did_not_end(session in sessions(), at in -5..130_i64, most in 0..50_usize) {
        let (_, moments) = made(&session);
        let columns = &session.0;
        let open = |row: &u32| {
            let row = *row as usize;
            let over = columns.end_time(row) <= at && !columns.has_flag(row, flag::IN_PROGRESS);
            columns.start_time[row] <= at && !over
        };
        let mut expected: Vec<u32> = (0..columns.len() as u32).filter(open).collect();
        expected.sort_by_key(|row| std::cmp::Reverse((columns.start_time[*row as usize], *row)));
        prop_assert_eq!(moments.spans.open(at), expected.len());
        expected.truncate(most);
        prop_assert_eq!(moments.spans.open_at(at, most), expected);
    }

    #[test]
    fn sums_come_together(figures in prop::collection::vec((0..50_i64, prop::option::of(0..9_i64)), 0..20), at in -1..51_i64) {
        let known = figures.iter().filter(|(time, _)| *time <= at).filter_map(|(_, figure)| *figure);
        let expected = known.fold(None, |sum: Option<i64>, figure| Some(sum.unwrap_or(0) + figure));
        prop_assert_eq!(Sums::new(figures.iter().copied()).at(at), expected);
    }
}

#[test]
fn a_tool_is_at_work_from_its_start_until_its_end() {
    let mut columns = columns(&[(1, 0, 0, 100), (2, 1, 10, 20), (3, 1, 40, 5)]);
    for row in [1, 2] {
        columns.operation[row] = Operation::ExecuteTool as u8;
    }
    let (_, moments) = made(&(columns, logs(&[])));
    let working = [9, 10, 29, 30, 40, 45].map(|at| moments.at(at).tools);
    assert_eq!(working, [0, 1, 1, 0, 1, 0]);
    assert_eq!(moments.tools.open_at(41, 5), [1], "the second call");
}
