use super::*;
use crate::testing::{columns, intern, with_names};
use meshscope_api::{BriefLog, Lifecycle};
use meshscope_model::TraceId;

fn kinds(timeline: &Timeline) -> Vec<(i64, Lifecycle)> {
    timeline
        .events
        .iter()
        .map(|event| (event.at, event.kind))
        .collect()
}

fn build(columns: &SpanColumns, logs: &SessionLogs) -> Timeline {
    Timeline::build(columns, &Tree::build(columns), logs)
}

#[test]
fn a_voice_session_has_its_lanes_and_events() {
    let names = [
        "call",
        "Turn #1",
        "User Input Speech",
        "stt",
        "tts",
        "Agent Output Speech",
        "weather",
        "Turn Interrupted",
    ];
    let mut c = with_names(
        columns(&[
            (1, 0, 0, 100),
            (2, 1, 5, 60),
            (3, 2, 6, 10),
            (4, 2, 7, 9),
            (5, 2, 30, 10),
            (6, 2, 35, 20),
            (7, 2, 20, 5),
            (8, 2, 50, 1),
        ]),
        &names.map(str::to_owned),
    );
    let operations = [
        (1, Operation::Turn),
        (3, Operation::SpeechToText),
        (4, Operation::TextToSpeech),
        (6, Operation::ExecuteTool),
    ];
    for (row, operation) in operations {
        c.operation[row] = operation as u8;
    }
    c.tool[6] = intern(&mut c.strings, "get_weather");
    c.flags[6] = flag::ERROR;
    c.message[6] = intern(&mut c.strings, "no such town");
    c.flags[7] = flag::INTERRUPTED;
    let timeline = build(&c, &SessionLogs::default());
    let lanes: Vec<(LaneKind, usize)> = timeline
        .lanes
        .iter()
        .map(|lane| (lane.kind, lane.stretches.len()))
        .collect();
    // The spans of speech stand for it, not those of its recognition.
    assert_eq!(
        lanes,
        [
            (LaneKind::Runs, 1),
            (LaneKind::Turns, 1),
            (LaneKind::UserSpeech, 1),
            (LaneKind::AgentSpeech, 1),
            (LaneKind::Tools, 1)
        ]
    );
    assert_eq!(timeline.lanes[2].stretches[0].row, 2);
    assert_eq!(
        kinds(&timeline),
        [
            (0, Lifecycle::Started),
            (5, Lifecycle::Turn),
            (20, Lifecycle::Tool),
            (25, Lifecycle::Failed),
            (50, Lifecycle::Interrupted),
            (100, Lifecycle::Ended)
        ]
    );
    let said: Vec<String> = timeline
        .events
        .iter()
        .map(|event| text_of(event, &c, &SessionLogs::default()))
        .collect();
    assert_eq!(
        said[2..5],
        ["get_weather", "weather: no such town", "Turn Interrupted"]
    );
}

#[test]
fn recognition_stands_for_speech_where_nothing_else_does() {
    let mut c = columns(&[(1, 0, 0, 10), (2, 0, 20, 10)]);
    c.operation = vec![Operation::SpeechToText as u8, Operation::TextToSpeech as u8];
    let lanes = build(&c, &SessionLogs::default()).lanes;
    assert_eq!(
        lanes.iter().map(|lane| lane.kind).collect::<Vec<_>>()[1..],
        [LaneKind::UserSpeech, LaneKind::AgentSpeech]
    );
}

#[test]
fn an_agent_has_a_lane_and_its_inner_spans_are_not_in_it() {
    let mut c = columns(&[(1, 0, 0, 100), (2, 1, 5, 50), (3, 2, 6, 10), (4, 1, 60, 10)]);
    let (planner, critic) = (
        intern(&mut c.strings, "planner"),
        intern(&mut c.strings, "critic"),
    );
    c.agent = vec![planner, critic, critic, planner];
    let lanes = build(&c, &SessionLogs::default()).lanes;
    let agents: Vec<_> = lanes
        .iter()
        .filter(|lane| lane.kind == LaneKind::Agent)
        .map(|lane| {
            (
                lane.name.as_str(),
                lane.stretches.iter().map(|one| one.row).collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(agents, [("planner", vec![0]), ("critic", vec![1])]);
}

#[test]
fn many_agents_share_the_last_lane() {
    let spans: Vec<_> = (0..20).map(|n| (n + 1, 0, n as i64, 5)).collect();
    let mut c = columns(&spans);
    for row in 0..20 {
        c.agent[row] = intern(&mut c.strings, &format!("agent {row}"));
    }
    let lanes = build(&c, &SessionLogs::default()).lanes;
    let agents: Vec<_> = lanes.iter().filter(|lane| lane.kind == LaneKind::Agent).collect();
    assert_eq!(
        (agents.len(), agents[7].name.as_str(), agents[7].stretches.len()),
        (8, "", 13)
    );
}

#[test]
fn runs_reach_over_all_their_spans_and_errors_are_told_once() {
    let mut c = columns(&[(1, 0, 0, 10), (2, 1, 5, 40), (1, 0, 20, 5)]);
    c.runs = vec![TraceId::from_u128(1), TraceId::from_u128(2)];
    c.run = vec![0, 0, 1];
    let boom = intern(&mut c.strings, "boom");
    (c.flags, c.message) = (
        vec![flag::ERROR, flag::ERROR, flag::IN_PROGRESS],
        vec![boom, boom, 0],
    );
    let timeline = build(&c, &SessionLogs::default());
    let runs: Vec<_> = timeline.lanes[0]
        .stretches
        .iter()
        .map(|run| (run.start, run.end, run.flags))
        .collect();
    assert_eq!(runs, [(0, 45, flag::ERROR), (20, i64::MAX, flag::IN_PROGRESS)]);
    assert_eq!(
        kinds(&timeline),
        [
            (0, Lifecycle::Started),
            (20, Lifecycle::Started),
            (45, Lifecycle::Failed),
            (45, Lifecycle::Ended)
        ]
    );
}

#[test]
fn only_logs_make_a_timeline() {
    let log = |time, event, severity_number, text: &str| BriefLog {
        time,
        event,
        severity_number,
        text: text.to_owned(),
        ..BriefLog::default()
    };
    let names = [
        "",
        "participant.joined",
        "room.message",
        "participant_left",
        "call.transferred",
    ];
    let logs = SessionLogs {
        strings: names.map(str::to_owned).to_vec(),
        logs: vec![
            log(5, 1, 9, "ana"),
            log(6, 0, 9, "plain"),
            log(7, 2, 9, "hi"),
            log(8, 0, 17, "lost"),
            log(9, 4, 9, ""),
            log(10, 3, 9, "ana"),
        ],
        more: false,
    };
    let timeline = build(&SpanColumns::default(), &logs);
    assert_eq!((timeline.first, timeline.last, timeline.lanes.len()), (5, 10, 0));
    assert_eq!(
        kinds(&timeline),
        [
            (5, Lifecycle::Joined),
            (7, Lifecycle::Other),
            (8, Lifecycle::Failed),
            (9, Lifecycle::HandedOver),
            (10, Lifecycle::Left)
        ]
    );
    assert_eq!(
        text_of(&timeline.events[0], &SpanColumns::default(), &logs),
        "participant.joined ana"
    );
}
