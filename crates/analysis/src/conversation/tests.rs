use super::*;
use proptest::prelude::*;

fn text(role: &str, direction: Direction, content: &str) -> Message {
    let content = content.to_owned();
    Message::new(role, direction, Part::Text { content })
}

fn user(content: &str) -> Message {
    text("user", Direction::Input, content)
}

fn answer_of(content: &str) -> Message {
    text("assistant", Direction::Output, content)
}

fn given(message: Message) -> Message {
    Message {
        direction: Direction::Input,
        ..message
    }
}

fn call(id: Option<&str>, arguments: &str) -> Message {
    let part = Part::ToolCall {
        id: id.map(str::to_owned),
        name: "weather".to_owned(),
        arguments: arguments.to_owned(),
    };
    Message::new("assistant", Direction::Output, part)
}

fn result(id: Option<&str>, content: &str) -> Message {
    let part = Part::ToolResult {
        id: id.map(str::to_owned),
        name: None,
        content: content.to_owned(),
    };
    Message::new("tool", Direction::Input, part)
}

fn span(id: u64, parent: u64, times: (i64, i64), operation: Operation, messages: Vec<Message>) -> Spoken {
    Spoken {
        span_id: SpanId::from_u64(id),
        parent_span_id: (parent != 0).then(|| SpanId::from_u64(parent)),
        start_time: times.0,
        duration: times.1 - times.0,
        operation,
        messages,
        ..Spoken::default()
    }
}

fn chat(id: u64, parent: u64, times: (i64, i64), messages: Vec<Message>) -> Spoken {
    span(id, parent, times, Operation::Chat, messages)
}

/// The turns as lines: span, role, what is said, what came of calls.
fn retold(spans: &[Spoken]) -> Vec<String> {
    let told = conversation(Some(TraceId::from_u128(1)), spans, false);
    let line = |turn: &Turn| {
        let mut line = format!("{} {}:", turn.span_id.as_u64(), turn.message.role);
        for part in &turn.message.parts {
            line += &match part {
                Part::Text { content } => format!(" {content}"),
                Part::ToolCall { name, arguments, .. } => format!(" {name}({arguments})"),
                Part::ToolResult { content, .. } => format!(" ={content}"),
                other => format!(" {other:?}"),
            };
        }
        for outcome in &turn.calls {
            let by = outcome.span_id.map_or(0, |id| id.as_u64());
            line += &format!(
                " [{} {by} {:?}]",
                outcome.part,
                outcome.result.as_deref().unwrap_or("-")
            );
        }
        line
    };
    told.turns.iter().map(line).collect()
}

#[test]
fn history_stands_once_and_what_is_said_again_stands_again() {
    let first = vec![user("yes"), answer_of("ok")];
    let second = vec![user("yes"), given(answer_of("ok")), user("yes"), answer_of("ok")];
    let spans = [chat(1, 0, (0, 10), first), chat(2, 0, (20, 30), second)];
    let all = ["1 user: yes", "1 assistant: ok", "2 user: yes", "2 assistant: ok"];
    assert_eq!(retold(&spans), all);
    // The same of a sender that gives no history.
    let alone = [
        chat(1, 0, (0, 10), vec![user("yes"), answer_of("ok")]),
        chat(2, 0, (20, 30), vec![user("yes"), answer_of("ok")]),
    ];
    assert_eq!(retold(&alone), all);
    // Within one call a repeated message is no history.
    let twice = [chat(1, 0, (0, 10), vec![user("a"), user("a")])];
    assert_eq!(retold(&twice), ["1 user: a", "1 user: a"]);
}

#[test]
fn what_is_handed_down_and_up_stands_once() {
    let agent = |id, parent, times, name: &str, messages| Spoken {
        agent: Some(name.to_owned()),
        ..span(id, parent, times, Operation::InvokeAgent, messages)
    };
    let said = || vec![user("plan a trip"), answer_of("Paris")];
    let spans = [
        span(1, 0, (0, 100), Operation::InvokeWorkflow, said()),
        agent(2, 1, (0, 90), "planner", said()),
        chat(
            3,
            2,
            (10, 80),
            vec![
                text("system", Direction::Input, "be brief"),
                user("plan a trip"),
                answer_of("Paris"),
            ],
        ),
        agent(
            4,
            1,
            (92, 95),
            "critic",
            vec![user("plan a trip"), answer_of("Paris")],
        ),
    ];
    assert_eq!(
        retold(&spans),
        [
            "1 user: plan a trip",
            "3 system: be brief",
            "3 assistant: Paris",
            "4 assistant: Paris",
        ]
    );
    let told = conversation(Some(TraceId::from_u128(1)), &spans, false);
    assert_eq!(
        told.turns[1].agent.as_deref(),
        Some("planner"),
        "of the span above"
    );
    assert_eq!((told.turns[2].at, told.turns[2].duration_ns), (80, Some(70)));
    assert_eq!(told.turns[0].duration_ns, None);
}

#[test]
fn calls_are_paired_with_results_wherever_these_are() {
    let tool = |id, times, messages| Spoken {
        tool: Some("weather".to_owned()),
        ..span(id, 0, times, Operation::ExecuteTool, messages)
    };
    let made = |content: &str| Message {
        direction: Direction::Output,
        ..result(None, content)
    };
    let next = |marked: Option<&str>| {
        vec![
            user("?"),
            given(call(marked, r#"{"city": "Paris"}"#)),
            result(marked, "21"),
            answer_of("warm"),
        ]
    };
    for marked in [None, Some("c1")] {
        let calls = || {
            chat(
                1,
                0,
                (0, 10),
                vec![user("?"), call(marked, r#"{"city":"Paris"}"#)],
            )
        };
        let by_history = [calls(), chat(3, 0, (30, 40), next(marked))];
        assert_eq!(
            retold(&by_history),
            [
                "1 user: ?",
                r#"1 assistant: weather({"city":"Paris"}) [0 0 "21"]"#,
                "3 assistant: warm"
            ],
            "{marked:?}"
        );
        let by_span = [
            calls(),
            tool(
                2,
                (12, 20),
                vec![given(call(None, r#"{"city":"Paris"}"#)), made("21")],
            ),
        ];
        let paired = [
            "1 user: ?",
            r#"1 assistant: weather({"city":"Paris"}) [0 2 "21"]"#,
        ];
        assert_eq!(retold(&by_span), paired, "{marked:?}");
        let by_both = [&by_span[..], &[chat(3, 0, (30, 40), next(marked))]].concat();
        assert_eq!(
            retold(&by_both),
            [&paired[..], &["3 assistant: warm"]].concat(),
            "{marked:?}"
        );
    }
    let alone = [tool(2, (0, 8), vec![made("21")])];
    assert_eq!(retold(&alone), [r#"2 assistant: weather() [0 2 "21"]"#]);
    let lost = [chat(
        1,
        0,
        (0, 10),
        vec![result(Some("x"), "21"), answer_of("warm")],
    )];
    assert_eq!(retold(&lost), ["1 tool: =21", "1 assistant: warm"]);
}

#[test]
fn a_tool_stands_for_a_call_that_is_spoken_of_only_at_the_end() {
    let mut summary = call(None, r#"{"city":"Paris"}"#);
    summary.parts.extend(result(None, "21").parts);
    let tool = Spoken {
        tool: Some("weather".to_owned()),
        ..span(3, 1, (20, 25), Operation::ExecuteTool, Vec::new())
    };
    let spans = [
        span(1, 0, (0, 100), Operation::InvokeAgent, vec![user("?"), summary]),
        tool,
        chat(4, 1, (30, 40), vec![answer_of("warm")]),
    ];
    assert_eq!(
        retold(&spans),
        [
            "1 user: ?",
            r#"3 assistant: weather({"city":"Paris"}) [0 3 "21"]"#,
            "4 assistant: warm"
        ]
    );
}

#[test]
fn parallel_calls_of_one_tool_keep_their_own_results() {
    let mut both = call(Some("a"), "1");
    both.parts.extend(call(Some("b"), "2").parts);
    let spans = [
        chat(1, 0, (0, 10), vec![user("?"), both]),
        chat(
            2,
            0,
            (20, 30),
            vec![user("?"), result(Some("b"), "two"), result(Some("a"), "one")],
        ),
    ];
    assert_eq!(
        retold(&spans),
        [
            "1 user: ?",
            r#"1 assistant: weather(1) weather(2) [0 0 "one"] [1 0 "two"]"#
        ]
    );
}

#[test]
fn a_call_that_failed_is_not_silent() {
    let failed = Spoken {
        error: Some("rate limited".to_owned()),
        ..chat(1, 0, (0, 5), vec![user("?")])
    };
    let told = conversation(Some(TraceId::from_u128(1)), &[failed], true);
    let last = told.turns.last().unwrap();
    assert_eq!(
        (last.error.as_deref(), last.message.parts.len()),
        (Some("rate limited"), 0)
    );
    assert!(told.more && told.answers.is_empty());
}

#[test]
fn answers_are_told_apart_by_what_they_say() {
    let answers = |content: &str| {
        let spans = [chat(1, 0, (0, 5), vec![user("?"), answer_of(content)])];
        conversation(Some(TraceId::from_u128(1)), &spans, false).answers
    };
    assert_eq!(answers("yes"), answers(" yes\n"));
    assert_ne!(answers("yes"), answers("no"));
}

proptest! {
    /// A conversation of any texts, each call given all that was said before: every message
    /// stands once, in order.
    #[test]
    fn any_history_is_told_once(texts in prop::collection::vec(("[ab]", "[ab]"), 1..12)) {
        let mut history = Vec::new();
        let mut spans = Vec::new();
        for ((asked, answered), at) in texts.iter().zip(0_i64..) {
            history.push(user(asked));
            let mut messages = history.clone();
            messages.push(answer_of(answered));
            spans.push(chat(at as u64 + 1, 0, (at * 10, at * 10 + 5), messages));
            history.push(given(answer_of(answered)));
        }
        let expected: Vec<String> = texts.iter().zip(1..).flat_map(|((asked, answered), id)| {
            [format!("{id} user: {asked}"), format!("{id} assistant: {answered}")]
        }).collect();
        prop_assert_eq!(retold(&spans), expected);
    }
}

#[test]
fn runs_with_the_same_span_ids_keep_their_agents() {
    let run = |trace: u128, start: i64, name: &str, text: &str| {
        let root = Spoken {
            agent: Some(name.to_owned()),
            ..span(1, 0, (start, start + 10), Operation::InvokeAgent, Vec::new())
        };
        let call = chat(2, 1, (start + 1, start + 9), vec![user(text)]);
        [root, call].map(|span| Spoken {
            trace_id: TraceId::from_u128(trace),
            ..span
        })
    };
    let spans = [run(1, 0, "planner", "one"), run(2, 100, "critic", "two")].concat();
    let told = conversation(None, &spans, false);
    let agents: Vec<_> = told.turns.iter().map(|turn| turn.agent.as_deref()).collect();
    assert_eq!(agents, [Some("planner"), Some("critic")]);
}
