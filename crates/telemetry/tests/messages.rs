//! The conversations in the captures of real clients, as a person would retell them.
#![allow(clippy::unwrap_used)]

use meshscope_model::{Message, Part, SpanEntry};
use meshscope_telemetry::{Decoded, Encoding, Signal, decode, messages};
use std::path::Path;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");

fn capture(signal: Signal, name: &str) -> Decoded {
    let encoding = if Path::new(name).extension().is_some_and(|end| end == "pb") {
        Encoding::Protobuf
    } else {
        Encoding::Json
    };
    decode(
        signal,
        encoding,
        &std::fs::read(format!("{CAPTURES}/{name}")).unwrap(),
    )
    .unwrap()
}

fn retold(messages: &[Message]) -> Vec<String> {
    let part = |part: &Part| match part {
        Part::Text { content } => content.trim().to_owned(),
        Part::ToolCall { name, arguments, .. } => format!("calls {name} {arguments}"),
        Part::ToolResult { content, .. } => format!("answers {content}"),
        other => format!("{other:?}"),
    };
    let line = |message: &Message| {
        let parts: Vec<String> = message.parts.iter().map(part).collect();
        format!("{:?} {}: {}", message.direction, message.role, parts.join(", "))
    };
    messages.iter().map(line).collect()
}

/// The messages of every span that carries some, in the order of time, under the span's name.
fn conversation(name: &str) -> Vec<(String, Vec<String>)> {
    let mut spans = capture(Signal::Traces, name).batch.spans;
    spans.sort_by_key(|entry| (entry.span.start_time, entry.span.span_id));
    let read = |entry: &SpanEntry| {
        let span = &entry.span;
        let system = entry.facts.origin.system;
        let found = messages::of_span(system, &span.name, &span.attributes, &span.events);
        (span.name.clone(), retold(&found))
    };
    spans
        .iter()
        .map(read)
        .filter(|(_, found)| !found.is_empty())
        .collect()
}

fn spans_named(conversation: &[(String, Vec<String>)], start: &str) -> Vec<Vec<String>> {
    let named = conversation.iter().filter(|(name, _)| name.starts_with(start));
    named.map(|(_, messages)| messages.clone()).collect()
}

#[test]
fn openinference_and_genai() {
    let calls = conversation("reference/0001-traces.pb");
    assert_eq!(
        calls[0].1,
        [
            "Input system: be brief",
            r#"Input user: TOOL get_weather ARGS={"city":"Paris"}END"#,
            r#"Output assistant: calls get_weather {"city":"Paris"}"#
        ]
    );
    assert_eq!(
        calls[1].1,
        [
            "Input user: hi",
            "Output assistant: Hello from the loopback stub."
        ]
    );
    assert_eq!(calls[2].1, ["Input user: PLEASE FAIL"]);

    let trip = conversation("reference/0006-traces.pb");
    let chat = [
        "Input system: be brief",
        "Input user: weather in Paris?",
        r#"Output assistant: calls get_weather {"city":"Paris"}"#,
    ];
    assert_eq!(spans_named(&trip, "chat"), [chat]);
    assert_eq!(
        spans_named(&trip, "execute_tool"),
        [[
            r#"Input assistant: calls get_weather {"city":"Paris"}"#,
            r#"Output tool: answers {"t":21}"#
        ]]
    );

    // The same call as a log event, with structured values in place of JSON text.
    let event = &capture(Signal::Logs, "reference/0008-logs.pb").batch.logs[0].record;
    let found = messages::of_log(&event.event_name, &event.body, &event.attributes);
    assert_eq!(retold(&found), chat);
}

#[test]
fn videosdk_calls() {
    let call = conversation("videosdk/0047-traces.pb");
    assert_eq!(
        spans_named(&call, "Session Configuration"),
        [["Input system: You are Haley."]]
    );
    assert_eq!(
        spans_named(&call, "OpenAILLM: LLM Processing"),
        [
            [
                "Input user: What is the weather in Paris?",
                "Output assistant: It is 21 degrees in Paris."
            ],
            ["Input user: Thanks, bye", "Output assistant: Goodbye!"]
        ]
    );
    assert_eq!(
        spans_named(&call, "Invoked Tool"),
        [["Output assistant: calls get_weather "]]
    );
    assert_eq!(
        spans_named(&call, "User Input Speech"),
        [
            ["Input user: What is the weather in Paris?"],
            ["Input user: Thanks, bye"]
        ]
    );
    assert_eq!(spans_named(&call, "Time to First"), Vec::<Vec<String>>::new());
}

#[test]
fn dexto_turns_in_json_and_over_grpc() {
    for name in ["dexto/0001-traces.raw.json", "dexto/0002-traces.pb"] {
        let run = conversation(name);
        let turns = spans_named(&run, "agent.generate");
        assert_eq!(
            turns[0],
            [
                r#"Input user: please TOOL get_weather ARGS={"city": "Paris"}END"#,
                r#"Output assistant: calls get_weather {"city":"Paris"}"#,
                r#"Output tool: answers {"city":"Paris","temperature":21}"#,
                "Output assistant: Hello from the loopback stub."
            ],
            "{name}"
        );
        assert!(
            turns[2].contains(&r#"Output tool: answers {"error":"tool exploded"}"#.to_owned()),
            "{name}"
        );
        assert_eq!(
            spans_named(&run, "mcp.tool.echo"),
            [[
                r#"Input assistant: calls echo {"text":"hi"}"#,
                "Output tool: answers echo hi"
            ]]
        );
        assert_eq!(spans_named(&run, "llm.vercel.stream").len(), 6, "{name}");
        assert!(spans_named(&run, "tool.").is_empty(), "{name}");
    }
}

#[test]
fn meshagent_turns() {
    let run = conversation("meshagent/0011-traces.pb");
    assert_eq!(
        spans_named(&run, "llm.handle_response"),
        [
            [r#"Output assistant: calls get_weather {"city": "Costa Mesa"}"#],
            ["Output assistant: Hello from the loopback stub."],
            ["Output assistant: Hello from the loopback stub."]
        ]
    );
    assert_eq!(
        spans_named(&run, "execute.weather-toolkit"),
        [[r#"Input assistant: calls get_weather {"city": "Costa Mesa"}"#]]
    );
    assert_eq!(
        spans_named(&run, "llm.handle_tool_call"),
        [[r#"Input assistant: calls get_weather {"city": "Costa Mesa"}"#]]
    );
    assert_eq!(
        spans_named(&run, "llm.tool_adapter"),
        [[r#"Output tool: answers {"t": 21}"#]]
    );
}

#[test]
fn meshflow_steps() {
    let failing = conversation("meshflow/m3-0005-traces.raw.json");
    assert_eq!(
        spans_named(&failing, "meshflow.step.failing"),
        [[
            "Input user: electric bikes",
            "Output assistant: [node_error: boom]"
        ]]
    );
}
