//! What each dialect's way of writing a conversation reads as. A message is written
//! `role< part, part` when it was given and `role> ...` when it was made.

use super::{of_log, of_span};
use meshscope_model::{AttributeValue, Attributes, Direction, KeyValue, Message, Part, SpanEvent, System};
use proptest::prelude::*;

fn attributes(entries: &[(&str, &str)]) -> Attributes {
    entries
        .iter()
        .map(|(key, value)| KeyValue::new(*key, *value))
        .collect()
}

fn shown(messages: &[Message]) -> Vec<String> {
    let part = |part: &Part| {
        let named = |id: &Option<String>, name: &str| format!("{}#{name}", id.as_deref().unwrap_or("-"));
        match part {
            Part::Text { content } => content.clone(),
            Part::Reasoning { content } => format!("({content})"),
            Part::ToolCall { id, name, arguments } => format!("call {} {arguments}", named(id, name)),
            Part::ToolResult { id, name, content } => {
                format!("result {} {content}", named(id, name.as_deref().unwrap_or("-")))
            }
            Part::Blob { mime_type, data } => format!("blob {} {data}", mime_type.as_deref().unwrap_or("-")),
            Part::Uri { mime_type, uri } => format!("uri {} {uri}", mime_type.as_deref().unwrap_or("-")),
            Part::Other { kind, content } => format!("other {kind} {content}"),
        }
    };
    let line = |message: &Message| {
        let arrow = if message.direction == Direction::Input {
            '<'
        } else {
            '>'
        };
        let parts: Vec<String> = message.parts.iter().map(part).collect();
        let finish = message
            .finish_reason
            .as_deref()
            .map_or(String::new(), |word| format!(" [{word}]"));
        format!("{}{arrow} {}{finish}", message.role, parts.join(", "))
    };
    messages.iter().map(line).collect()
}

fn read(entries: &[(&str, &str)]) -> Vec<String> {
    shown(&of_span(System::OpenTelemetry, "chat", &attributes(entries), &[]))
}

/// The messages in a text under `input.value`, where any JSON may stand.
fn input(text: &str) -> Vec<String> {
    read(&[("input.value", text)])
}

#[test]
fn genai_messages_keep_every_kind_of_part() {
    let messages = read(&[
        (
            "gen_ai.system_instructions",
            r#"[{"type":"text","content":"be brief"}]"#,
        ),
        (
            "gen_ai.input.messages",
            r#"[{"role":"user","parts":[{"type":"text","content":"look"},{"type":"blob","mime_type":"image/png","modality":"image","content":"aGk="},
                {"type":"uri","mime_type":"audio/wav","uri":"https://x/a.wav"},{"type":"file","file_id":"f-1"},{"content":"?","type":"hologram"}]},
                {"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":{"t":21}}]}]"#,
        ),
        (
            "gen_ai.output.messages",
            r#"[{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"tool_call","id":"c2","name":"f","arguments":{"a":1}}],"finish_reason":"tool_call"}]"#,
        ),
    ]);
    assert_eq!(
        messages,
        [
            "system< be brief",
            "user< look, blob image/png aGk=, uri audio/wav https://x/a.wav, uri - f-1, other hologram {\"content\":\"?\",\"type\":\"hologram\"}",
            "tool< result c1#- {\"t\":21}",
            "assistant> (hm), call c2#f {\"a\":1} [tool_call]",
        ]
    );
}

#[test]
fn older_prompts_come_whole_or_flattened() {
    assert_eq!(
        read(&[
            ("gen_ai.prompt", "hi"),
            (
                "gen_ai.completion",
                r#"{"choices":[{"message":{"role":"assistant","content":"ho"},"finish_reason":"stop"}]}"#
            )
        ]),
        ["user< hi", "assistant> ho [stop]"]
    );
    let mut flattened: Vec<(String, &str)> = (0..12)
        .map(|n| (format!("gen_ai.prompt.{n}.content"), "x"))
        .collect();
    flattened.reverse();
    flattened.push(("gen_ai.prompt.10.role".into(), "system"));
    flattened.push(("gen_ai.completion.0.tool_calls.0.name".into(), "f"));
    flattened.push(("gen_ai.completion.0.tool_calls.0.arguments".into(), "{}"));
    flattened.push(("gen_ai.completion.0.finish_reason".into(), "tool_calls"));
    let entries: Vec<(&str, &str)> = flattened
        .iter()
        .map(|(key, value)| (key.as_str(), *value))
        .collect();
    let messages = read(&entries);
    assert_eq!(messages.len(), 13);
    assert_eq!(
        (messages[9].as_str(), messages[10].as_str(), messages[12].as_str()),
        ("user< x", "system< x", "assistant> call -#f {} [tool_calls]")
    );
}

#[test]
fn span_events_and_log_events_read_alike() {
    let event = |name: &str, entries: &[(&str, &str)]| SpanEvent {
        name: name.to_owned(),
        attributes: attributes(entries),
        ..SpanEvent::default()
    };
    let events = [
        event("gen_ai.system.message", &[("content", "be brief")]),
        event(
            "gen_ai.user.message",
            &[("gen_ai.event.content", r#"{"content":"hi"}"#)],
        ),
        event(
            "gen_ai.assistant.message",
            &[(
                "tool_calls",
                r#"[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]"#,
            )],
        ),
        event("gen_ai.tool.message", &[("id", "c1"), ("content", "21")]),
        event("exception", &[("exception.message", "no message")]),
        event(
            "gen_ai.choice",
            &[
                ("index", "0"),
                ("finish_reason", "stop"),
                ("message", r#"{"content":"ho"}"#),
            ],
        ),
    ];
    let messages = of_span(System::OpenTelemetry, "chat", &Attributes::default(), &events);
    let expected = [
        "system< be brief",
        "user< hi",
        "assistant< call c1#f {}",
        "tool< result c1#- 21",
        "assistant> ho [stop]",
    ];
    assert_eq!(shown(&messages), expected);

    let body = AttributeValue::Map(vec![
        KeyValue::new("finish_reason", "stop"),
        KeyValue::new(
            "message",
            AttributeValue::Map(vec![KeyValue::new("content", "ho")]),
        ),
    ]);
    assert_eq!(
        shown(&of_log("gen_ai.choice", &body, &Attributes::default())),
        [expected[4]]
    );
    let by_attribute = attributes(&[("event.name", "gen_ai.user.message")]);
    assert_eq!(shown(&of_log("", &"hi".into(), &by_attribute)), [expected[1]]);
    assert!(of_log("", &"plain log".into(), &Attributes::default()).is_empty());
}

#[test]
fn a_source_of_more_trust_silences_the_others_for_its_direction_only() {
    let messages = read(&[
        ("input.value", "whole request"),
        ("output.value", "the answer"),
        ("llm.input_messages.0.message.role", "user"),
        ("llm.input_messages.0.message.content", "hi"),
    ]);
    assert_eq!(messages, ["user< hi", "assistant> the answer"]);
}

#[test]
fn openinference_lists_and_tools() {
    let messages = read(&[
        ("llm.input_messages.0.message.role", "user"),
        (
            "llm.input_messages.0.message.contents.0.message_content.type",
            "text",
        ),
        (
            "llm.input_messages.0.message.contents.0.message_content.text",
            "see",
        ),
        (
            "llm.input_messages.0.message.contents.1.message_content.type",
            "image",
        ),
        (
            "llm.input_messages.0.message.contents.1.message_content.image.image.url",
            "data:image/png;base64,aGk=",
        ),
        ("llm.input_messages.1.message.role", "tool"),
        ("llm.input_messages.1.message.tool_call_id", "c1"),
        ("llm.input_messages.1.message.content", "21"),
        ("llm.output_messages.0.message.role", "assistant"),
        ("llm.output_messages.0.message.tool_calls.0.tool_call.id", "c2"),
        (
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name",
            "f",
        ),
        (
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
            "{}",
        ),
        ("llm.finish_reason", "tool_calls"),
    ]);
    assert_eq!(
        messages,
        [
            "user< see, blob image/png aGk=",
            "tool< result c1#- 21",
            "assistant> call c2#f {} [tool_calls]"
        ]
    );
    assert_eq!(
        read(&[
            ("openinference.span.kind", "TOOL"),
            ("tool.name", "f"),
            ("input.value", r#"{"a":1}"#),
            ("output.value", "21")
        ]),
        ["assistant< call -#f {\"a\":1}", "tool> result -#f 21"]
    );
    assert_eq!(
        read(&[
            ("llm.prompts.0.prompt.text", "once"),
            ("llm.choices.0.completion.text", "upon")
        ]),
        ["user< once", "assistant> upon"]
    );
}

#[test]
fn the_model_apis_own_requests_and_answers() {
    // OpenAI chat
    assert_eq!(
        input(
            r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x/p.png"}},{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"b\":2}"}}]},{"role":"tool","tool_call_id":"c","content":"3"}]}"#
        ),
        [
            "system< s",
            "user< a, uri - https://x/p.png, blob audio/wav aGk=",
            "assistant< call c#f {\"b\":2}",
            "tool< result c#- 3"
        ]
    );
    // OpenAI responses
    assert_eq!(
        input(
            r#"{"instructions":"s","input":[{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"3"},{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"t"}]}]}"#
        ),
        [
            "system< s",
            "assistant< call c#f {}",
            "tool< result c#- 3",
            "assistant< (hm)",
            "assistant< t"
        ]
    );
    // Anthropic
    assert_eq!(
        input(
            r#"{"system":"s","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"tool_use","id":"u","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"u","content":[{"type":"text","text":"4"}]},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]}]}"#
        ),
        [
            "system< s",
            "assistant< (hm), call u#f {\"a\":1}",
            "user< result u#- 4, blob image/png aGk="
        ]
    );
    // Gemini
    assert_eq!(
        input(
            r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"name":"f","args":{"a":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":5}}},{"inlineData":{"mimeType":"image/png","data":"aGk="}}]}]}"#
        ),
        [
            "system< s",
            "assistant< (hm), call -#f {\"a\":1}",
            "user< result -#f {\"r\":5}, blob image/png aGk="
        ]
    );
    assert_eq!(
        read(&[(
            "output.value",
            r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"t"}]},"finishReason":"STOP"}]}"#
        )]),
        ["assistant> t [STOP]"]
    );
    // Vercel AI SDK, LangChain
    assert_eq!(
        input(
            r#"[{"role":"tool","content":[{"type":"tool-result","toolCallId":"v","toolName":"f","result":6}]},{"type":"ai","kwargs":{"type":"ai","content":"t"}}]"#
        ),
        ["tool< result v#f 6", "assistant< t"]
    );
}

#[test]
fn an_item_that_is_no_message_stays_as_json() {
    assert_eq!(
        input(r#"[{"role":"user","content":"hi"},null,{"x":1},{"type":"system","content":"s"},7]"#),
        ["user< hi", "user< other  {\"x\":1}", "system< s", "user< 7"]
    );
}

#[test]
fn what_is_no_conversation_stays_text() {
    for text in [
        "hello",
        "[1, 2]",
        r#"{"city":"Paris"}"#,
        r#"{"messages":[{"x":1}]}"#,
        "{'city': <Paris>}",
        "[unfinished",
        "{}",
        r#"{"output":["a",1]}"#,
        "<script>alert(1)</script>",
        "\u{0}",
    ] {
        assert_eq!(input(text), [format!("user< {text}")]);
    }
    for nothing in ["", "None", " null ", "undefined"] {
        assert!(input(nothing).is_empty());
    }
}

#[test]
fn python_literals_are_read() {
    let repr = r#"[{'role': 'system', 'content': "it's \"so\"", 'x': (1, -2.5e3), 'y': {1, 2}, 'z': {}},
        {'role': 'user', 'content': ['a\n\u00e9\x41\\', None], 'ok': True, }]"#;
    let messages = shown(&of_span(
        System::VideoSdk,
        "OpenAILLM: LLM Processing",
        &attributes(&[("input", repr), ("output", "[sighs] fine")]),
        &[],
    ));
    assert_eq!(
        messages,
        ["system< it's \"so\"", "user< a\néA\\", "assistant> [sighs] fine"]
    );
}

#[test]
fn dexto_values_cut_at_their_limit_stay_text() {
    let cut = r#"[{"type":"text","text":"please rea"#;
    let messages = of_span(
        System::Dexto,
        "llm.vercel.stream",
        &attributes(&[
            ("llm.vercel.stream.argument.0", cut),
            ("llm.vercel.stream.result", "undefined"),
        ]),
        &[],
    );
    assert_eq!(shown(&messages), [format!("user< {cut}")]);
}

#[test]
fn meshagent_threads_speak() {
    let spoken = attributes(&[
        ("role", "agent"),
        ("text", "hello"),
        ("from_participant_name", "Haley"),
    ]);
    let messages = of_span(System::MeshAgent, "chatbot.thread.message", &spoken, &[]);
    assert_eq!(shown(&messages), ["assistant< hello"]);
    assert_eq!(messages[0].name.as_deref(), Some("Haley"));
}

/// Text that leads into every reader: keys and words of the shapes, brackets and quotes.
fn nasty() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        ",",
        ":",
        "'",
        "\"",
        "\\",
        "\\u12",
        "\\x",
        "'role'",
        "\"role\"",
        "\"type\"",
        "\"content\"",
        "\"parts\"",
        "\"message\"",
        "\"tool_calls\"",
        "\"text\"",
        "\"image\"",
        "None",
        "True",
        "1e999",
        "-",
        "é",
        "\u{0}",
        " ",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_panics_or_is_lost(text in prop_oneof![nasty(), any::<String>()], number: u64) {
        let entries = attributes(&[("input.value", &text), ("gen_ai.output.messages", &text), ("input", &text),
            ("agent.stream.argument.0", &text), ("message", &text)]);
        for (system, name) in [(System::OpenTelemetry, ""), (System::VideoSdk, "X: LLM Processing"),
            (System::Dexto, "agent.stream"), (System::MeshAgent, "llm.handle_response")] {
            let messages = of_span(system, name, &entries, &[]);
            prop_assert!(messages.is_sorted_by_key(|message| message.direction));
        }
        let plain = text.trim().chars().next().is_some_and(char::is_alphabetic);
        if plain && !super::shapes::is_nothing(&text) {
            prop_assert_eq!(input(&text), [format!("user< {text}")]);
        }
        let key = format!("llm.input_messages.{number}.{text}");
        let messages = of_span(System::OpenInference, "", &attributes(&[(&key, "x")]), &[]);
        prop_assert!(messages.len() <= 1);
    }
}

#[test]
fn nesting_without_end_is_text() {
    for open in ["[", "(", "{", "[{'a':", "{'a':(", "{{"] {
        let text = open.repeat(200_000);
        assert_eq!(input(&text).len(), 1);
    }
    let keys = format!("llm.input_messages.{}", "0.".repeat(100_000));
    assert!(read(&[(&keys, "x")]).is_empty());
}
