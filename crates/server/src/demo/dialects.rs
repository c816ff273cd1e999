//! Sessions in the dialects of the agent systems, with the names and quirks of the real ones.

use super::rng::Rng;
use super::story::{Draft, Emitter, MS, Story, kv, trace, uuid};
use meshscope_model::{KeyValue, SpanId};

/// A MeshAgent room: a session of a few turns, tokens on delta counters.
pub(super) fn room(rng: &mut Rng, start: i64) -> Story {
    let mut story = Story::default();
    let session = uuid(rng);
    let room = rng.pick(&["gettingstarted", "weather-room", "design-review"]);
    let service = rng.pick(&["assistant", "chatbot", "weather-agent"]);
    let resource = [
        ("service.name", service),
        ("project", "support-bots"),
        ("room", room),
        ("session", session.as_str()),
    ];
    let agents = Emitter::new("meshagent.agents", "0.56.0", &resource);
    let llm = Emitter::new("openai.llm.responses", "0.56.0", &resource);
    let tools = Emitter::new("meshagent.tools", "0.56.0", &resource);
    let usage = Emitter::new("meshagent.usage", "0.56.0", &resource);
    let mut at = start;
    for turn in 0..rng.range(2, 6) {
        let trace = trace(rng);
        let duration = rng.around_ms(2_600);
        let named = || {
            let turn_id = format!("turn-{turn}");
            vec![
                kv("thread_id", "/threads/t1.thread"),
                kv("turn_id", turn_id),
                kv("provider", "openai"),
                kv("model", "gpt-5.4"),
            ]
        };
        let draft = Draft::new(&agents, None, "agent.turn", at, duration)
            .with(named())
            .with([kv("error", false)]);
        let root = story.span(rng, trace, draft);
        let inner = (at + 8 * MS, duration - 20 * MS);
        let load = Draft::new(&agents, Some(root), "agent.turn.context.load", at + MS, MS).with(named());
        story.span(rng, trace, load);
        let draft = Draft::new(&agents, Some(root), "agent.turn.llm", inner.0, inner.1).with(named());
        let turn_llm = story.span(rng, trace, draft);
        let draft = Draft::new(
            &agents,
            Some(turn_llm),
            "agent.turn.llm.first_text_delta",
            inner.0,
            inner.1 / 3,
        );
        story.span(rng, trace, draft.with(named()));
        let invoke = story.span(
            rng,
            trace,
            Draft::new(&llm, Some(turn_llm), "llm.invoke", inner.0 + 2 * MS, inner.1 / 2),
        );
        for _ in 0..4 {
            let event = Draft::new(
                &llm,
                Some(invoke),
                "llm.stream.event",
                inner.0 + inner.1 / 2,
                MS / 4,
            );
            story.span(rng, trace, event.with([kv("type", "response.output_text.delta")]));
        }
        if rng.one_in(2) {
            let arguments = [
                kv("toolkit", "weather-toolkit"),
                kv("tool", "get_weather"),
                kv("arguments", "{\"city\":\"Costa Mesa\"}"),
            ];
            let name = "execute.weather-toolkit.get_weather";
            let draft =
                Draft::new(&tools, Some(invoke), name, inner.0 + inner.1 / 2, 52 * MS).with(arguments);
            story.span(rng, trace, draft);
        }
        let end = at + duration;
        let (input, cached, output) = (rng.range(180, 900), rng.range(60, 700), rng.range(40, 300));
        for (name, n) in [
            ("input_tokens", input),
            ("cached_tokens", cached),
            ("output_tokens", output),
            ("total_tokens", input + cached + output),
        ] {
            let labels = vec![kv("model", "gpt-5.4"), kv("provider", "openai")];
            story.count(&usage, name, end, n, labels, (trace, invoke));
        }
        story.log(&agents, at + 3 * MS, "INFO", "turn accepted", Some((trace, root)));
        story.log(&agents, end, "INFO", "turn finished", Some((trace, root)));
        at = end + rng.around_ms(6_000);
    }
    story
}

/// A MeshFlow run: each step is a root of its own trace, joined by the run's id.
pub(super) fn flow(rng: &mut Rng, start: i64) -> Story {
    let mut story = Story::default();
    let meshflow = Emitter::new(
        "meshflow",
        "1.14.0",
        &[
            ("service.name", "meshflow"),
            ("meshscope.project", "finance-flows"),
        ],
    );
    let run = uuid(rng);
    let blocked = rng.one_in(5);
    let mut at = start;
    for role in ["planner", "researcher", "executor", "critic"] {
        let ms = rng.range(90, 1_900);
        let tokens = rng.range(300, 4_200);
        let cost = tokens as f64 * 0.000_003;
        let fails = blocked && role == "executor";
        let mut attributes = vec![
            kv("meshflow.run_id", run.as_str()),
            kv("meshflow.agent_id", format!("{:08x}", rng.next() as u32)),
            kv("agent.role", role),
            kv("agent.tokens", tokens),
            kv("agent.cost_usd", cost),
            kv("agent.duration_ms", ms as f64),
            kv("agent.success", !fails),
            kv("meshflow.verdict", if fails { "escalate" } else { "commit" }),
            kv("meshflow.uncertainty", rng.unit()),
            kv("meshflow.carbon_gco2", tokens as f64 * 0.000_02),
        ];
        if fails {
            attributes.push(kv("meshflow.blocked", true));
            attributes.push(kv("meshflow.block_reason", "budget: run exceeds $0.01"));
        }
        // As the real client does: made after the step, so its own times say nothing.
        let draft = Draft::new(&meshflow, None, "meshflow.agent.step", at + ms * MS, 40_000).with(attributes);
        let trace = trace(rng);
        story.span(rng, trace, draft);
        at += ms * MS + rng.around_ms(20);
        if fails {
            break;
        }
    }
    story
}

/// A Dexto chat: one trace a turn, much of it the framework's own.
pub(super) fn chat(rng: &mut Rng, start: i64) -> Story {
    let mut story = Story::default();
    let dexto = Emitter::new(
        "dexto",
        "",
        &[
            ("service.name", "my-dexto-agent"),
            ("process.runtime.name", "nodejs"),
        ],
    );
    let session = uuid(rng);
    let mut at = start;
    for _ in 0..rng.range(1, 5) {
        let trace = trace(rng);
        let duration = rng.around_ms(1_900);
        let own = |component: &str| vec![kv("sessionId", session.as_str()), kv("componentName", component)];
        let failed = rng.one_in(6);
        let root = story.span(
            rng,
            trace,
            Draft::new(&dexto, None, "agent.generate", at, duration),
        );
        let prepare = Draft::new(
            &dexto,
            Some(root),
            "turn.prepare_model_step",
            at + 4 * MS,
            12 * MS,
        );
        story.span(rng, trace, prepare.with(own("turn")));
        let draft = Draft::new(
            &dexto,
            Some(root),
            "turn.run_model_step",
            at + 20 * MS,
            duration - 260 * MS,
        )
        .with(own("turn"))
        .with([kv("llm.model", "gpt-4o-mini"), kv("llm.provider", "openai")]);
        let step = story.span(rng, trace, draft);
        let first = duration / MS / 4;
        let model = || [kv("llm.model", "gpt-4o-mini"), kv("llm.provider", "openai")];
        let stream = Draft::new(
            &dexto,
            Some(step),
            "llm.stream",
            at + 24 * MS,
            duration - 280 * MS,
        )
        .with(own("llm"));
        let stream = stream
            .with(model())
            .with([kv("llm.stream.first_text_delta_received_ms", first)]);
        let stream = story.span(rng, trace, stream);
        let (uncached, cached, output) = (rng.range(90, 700), rng.range(10, 300), rng.range(30, 220));
        let vercel = Draft::new(
            &dexto,
            Some(stream),
            "llm.vercel.stream",
            at + 25 * MS,
            duration - 290 * MS,
        );
        let vercel = vercel.with(own("llm")).with(model()).with([
            kv("gen_ai.usage.input_tokens", uncached),
            kv("gen_ai.usage.output_tokens", output),
            kv("gen_ai.usage.total_tokens", uncached + cached + output),
        ]);
        story.span(rng, trace, vercel);
        let calls = Draft::new(
            &dexto,
            Some(root),
            "turn.execute_tool_calls",
            at + duration - 220 * MS,
            200 * MS,
        );
        let calls = story.span(rng, trace, calls.with(own("turn")));
        let tool = if failed { "bad_tool" } else { "get_weather" };
        let execute = Draft::new(
            &dexto,
            Some(calls),
            "tool.execute",
            at + duration - 210 * MS,
            180 * MS,
        )
        .with(own("tools"))
        .with([kv("tool.name", tool), kv("tool.success", !failed)]);
        let execute = story.span(rng, trace, execute);
        for name in [
            "tool.buildAllTools",
            "tool.filterToolsForSession",
            "tool.prepareToolCall",
        ] {
            let draft = Draft::new(&dexto, Some(execute), name, at + duration - 205 * MS, 2 * MS);
            story.span(rng, trace, draft.with(own("tools")));
        }
        at += duration + rng.around_ms(8_000);
    }
    story
}

/// A call with a VideoSDK agent: one trace, every attribute a string, the root last.
pub(super) fn call(rng: &mut Rng, start: i64) -> Story {
    let mut story = Story::default();
    let resource = [
        ("sdk.name", "AGENTS"),
        ("sdk.version", "1.0.30"),
        ("service.name", "videosdk-otel-telemetry-agents"),
    ];
    let voice = Emitter::new("agent-peer-1", "", &resource);
    let trace = trace(rng);
    let (session, room) = (
        format!("{:012x}-session", rng.next() >> 16),
        format!("abcd-{:04x}", rng.next() as u16),
    );
    let root = SpanId::from_u64(rng.next() | 1);
    let turns_id = SpanId::from_u64(rng.next() | 1);
    let mut at = start + 900 * MS;
    let class = |class: &str, model: &str| vec![kv("provider_class", class), kv("model_name", model)];
    let turns = rng.range(2, 7);
    for n in 1..=turns {
        let interrupted = n == turns && rng.one_in(4);
        let (stt, eou, llm, tts) = (
            rng.around_ms(90),
            rng.around_ms(30),
            rng.around_ms(480),
            rng.around_ms(900),
        );
        let turn = SpanId::from_u64(rng.next() | 1);
        let mut cursor = at;
        let mut add = |story: &mut Story, rng: &mut Rng, name: &str, took: i64, attributes: Vec<KeyValue>| {
            let attributes = attributes
                .into_iter()
                .chain([kv("duration_ms", format!("{:.2}", took as f64 / 1e6))]);
            let id = story.span(
                rng,
                trace,
                Draft::new(&voice, Some(turn), name, cursor, took).with(attributes),
            );
            cursor += took;
            (id, cursor - took)
        };
        let said = rng.pick(&[
            "Do you have a table for two?",
            "What is the weather in Porto?",
            "Thanks, bye",
        ]);
        let mut heard = class("DeepgramSTT", "nova-2");
        heard.extend([kv("input", "N/A"), kv("output", said)]);
        add(
            &mut story,
            rng,
            "DeepgramSTT: Speech to Text Processing",
            stt,
            heard,
        );
        let mut ended = class("TurnDetector", "turn-v2");
        ended.push(kv("eou_probability", format!("{:.2}", 0.8 + rng.unit() * 0.19)));
        add(
            &mut story,
            rng,
            "TurnDetector: End-Of-Utterance Detection",
            eou,
            ended,
        );
        let (input, output) = (rng.range(110, 900), rng.range(20, 140));
        let mut thought = class("OpenAILLM", "gpt-4o-mini");
        thought.extend([
            kv("input", said),
            kv("output", "Certainly, at seven o'clock."),
            kv("input_tokens", input.to_string()),
            kv("output_tokens", output.to_string()),
            kv("cached_input_tokens", (input / 3).to_string()),
            kv("total_tokens", (input + output).to_string()),
        ]);
        let (call, began) = add(&mut story, rng, "OpenAILLM: LLM Processing", llm, thought);
        let first = Draft::new(&voice, Some(call), "Time to First Token", began, llm / 3);
        story.span(
            rng,
            trace,
            first.with([kv("llm_ttft", format!("{:.2}", llm as f64 / 3e6))]),
        );
        if interrupted {
            let error = Draft::new(&voice, Some(call), "LLM Error", began + llm, 1_000);
            story.span(rng, trace, error.with([kv("message", "429 rate limited")]));
        }
        let mut spoken = class("ElevenLabsTTS", "eleven_flash_v2_5");
        spoken.extend([kv("characters", "28"), kv("output", "N/A")]);
        add(
            &mut story,
            rng,
            "ElevenLabsTTS: Text to Speech Processing",
            tts,
            spoken,
        );
        if interrupted {
            let draft = Draft::new(&voice, Some(turn), "Turn Interrupted", cursor - tts / 2, 1_000);
            story.span(rng, trace, draft);
        }
        let draft = Draft::new(&voice, Some(turns_id), &format!("Turn #{n}"), at, cursor - at);
        story.span(rng, trace, draft);
        if let Some(span) = story.spans.last_mut() {
            span.span_id = turn;
        }
        at = cursor + rng.around_ms(1_500);
    }
    let ids = [
        kv("sessionId", session),
        kv("roomId", room),
        kv("agent_name", "Haley"),
        kv("peerId", "agent-peer-1"),
    ];
    let all = Draft::new(
        &voice,
        Some(root),
        "User & Agent Turns",
        start + 800 * MS,
        at - start - 800 * MS,
    );
    story.span(rng, trace, all);
    if let Some(span) = story.spans.last_mut() {
        span.span_id = turns_id;
    }
    let name = "Agent Session: agentName_Haley_agentId_agent-peer-1";
    story.span(
        rng,
        trace,
        Draft::new(&voice, None, name, start, at - start).with(ids),
    );
    if let Some(span) = story.spans.last_mut() {
        span.span_id = root;
    }
    story
}
