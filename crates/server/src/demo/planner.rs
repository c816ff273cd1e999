//! The trip planner: a workflow of agents in the newest GenAI conventions.

use super::rng::Rng;
use super::story::{Draft, Emitter, MS, Story, kv, trace, uuid};
use meshscope_model::{KeyValue, SpanId, TraceId};

const CITIES: [&str; 8] = [
    "Tokyo", "Lisbon", "Oslo", "Cusco", "Hanoi", "Porto", "Kyoto", "Split",
];
const NAMES: [&str; 8] = [
    "ada", "grace", "linus", "ken", "barbara", "edsger", "margaret", "tim",
];

/// The services that take part.
struct Cast {
    orchestrator: Emitter,
    planner: Emitter,
    researcher: Emitter,
    critic: Emitter,
    writer: Emitter,
    tools: Emitter,
    guardian: Emitter,
}

fn cast(project: &str) -> Cast {
    let emitter = |service: &str| {
        let resource = [
            ("service.name", service),
            ("service.version", "2.4.1"),
            ("service.namespace", "travel-desk"),
            ("meshscope.project", project),
            ("host.name", "agents-1"),
            ("telemetry.sdk.language", "python"),
        ];
        Emitter::new("trip-planner", "2.4.1", &resource)
    };
    Cast {
        orchestrator: emitter("orchestrator"),
        planner: emitter("planner"),
        researcher: emitter("researcher"),
        critic: emitter("critic"),
        writer: emitter("writer"),
        tools: emitter("tools-gateway"),
        guardian: emitter("guardian"),
    }
}

/// One conversation, a few requests long.
pub(super) fn session(rng: &mut Rng, start: i64) -> Story {
    let mut story = Story::default();
    let cast = cast(if rng.one_in(4) {
        "concierge"
    } else {
        "support-bots"
    });
    let conversation = format!("conv-{}", rng.range(10_000, 99_999));
    let user = rng.pick(&NAMES);
    let mut at = start;
    for _ in 0..rng.range(1, 4) {
        let mut run = Run {
            rng,
            story: &mut story,
            cast: &cast,
            trace: TraceId::default(),
            conversation: &conversation,
        };
        at += run.request(at, user) + run.rng.around_ms(9_000);
    }
    story
}

/// One request on its way through the agents.
struct Run<'a> {
    rng: &'a mut Rng,
    story: &'a mut Story,
    cast: &'a Cast,
    trace: TraceId,
    conversation: &'a str,
}

/// What a model call is asked and answers.
struct Call<'a> {
    agent: &'a str,
    provider: &'a str,
    model: &'a str,
    system: &'a str,
    user: String,
    answer: String,
    tool: Option<(&'a str, String)>,
    ms: i64,
    input: i64,
    failed: Option<&'a str>,
}

impl Run<'_> {
    /// Plays the whole request and returns how long it took, ns.
    fn request(&mut self, start: i64, user: &str) -> i64 {
        self.trace = trace(self.rng);
        let city = self.rng.pick(&CITIES);
        let cast = self.cast;
        // The root's id is needed before its end is known: it is added last and moved to the front.
        let root = SpanId::from_u64(self.rng.next() | 1);
        let mut at = start + 40 * MS;
        let blocked = self.rng.one_in(6);
        at += self.plan(at, root, user, city);
        at += self.research(at, root, city) + 12 * MS;
        at += self.review(at, root, city, blocked) + 8 * MS;
        if !blocked {
            at += self.write(at, root, user, city);
        }
        self.leaf(
            &cast.orchestrator,
            Some(root),
            "memory.write",
            at,
            14,
            vec![kv("memory.facts", 3_i64)],
        );
        at += 20 * MS;
        let mut attributes = self.operation("invoke_workflow");
        attributes.extend([
            kv("gen_ai.workflow.name", "trip-planner"),
            kv("user.id", user),
            kv("app.city", city),
            kv("app.budget.usd", 1_800.0),
            kv("app.priority", 2_i64),
        ]);
        let draft = Draft::new(
            &cast.orchestrator,
            None,
            "invoke_workflow trip-planner",
            start,
            at - start,
        );
        self.story.span(self.rng, self.trace, draft.with(attributes));
        if let Some(span) = self.story.spans.last_mut() {
            span.span_id = root;
        }
        let in_root = Some((self.trace, root));
        self.story.log(
            &cast.orchestrator,
            start + 5 * MS,
            "INFO",
            &format!("trip to {city} for {user}"),
            in_root,
        );
        let summary = format!("\u{1b}[32mdone\u{1b}[0m in {} ms", (at - start) / MS);
        self.story
            .log(&cast.orchestrator, at - 2 * MS, "INFO", &summary, in_root);
        let waiting = self.rng.range(0, 9);
        self.story
            .gauge(&cast.orchestrator, "app.queue.depth", "{request}", at, waiting);
        at - start
    }

    fn operation(&self, operation: &str) -> Vec<KeyValue> {
        vec![
            kv("gen_ai.operation.name", operation),
            kv("gen_ai.conversation.id", self.conversation),
        ]
    }

    /// A span that only takes time.
    fn leaf(
        &mut self,
        emitter: &Emitter,
        parent: Option<SpanId>,
        name: &str,
        at: i64,
        ms: i64,
        attributes: Vec<KeyValue>,
    ) -> (SpanId, i64) {
        let duration = self.rng.around_ms(ms);
        let draft = Draft::new(emitter, parent, name, at, duration).with(attributes);
        (self.story.span(self.rng, self.trace, draft), duration)
    }

    /// An agent's span around what `body` plays; `body` gets its id and start.
    fn agent(
        &mut self,
        emitter: &Emitter,
        root: SpanId,
        agent: &str,
        start: i64,
        body: impl FnOnce(&mut Self, SpanId, i64) -> i64,
    ) -> i64 {
        let id = SpanId::from_u64(self.rng.next() | 1);
        let duration = body(self, id, start + 6 * MS) + 10 * MS;
        let mut attributes = self.operation("invoke_agent");
        attributes.push(kv("gen_ai.agent.name", agent));
        let draft = Draft::new(
            emitter,
            Some(root),
            &format!("invoke_agent {agent}"),
            start,
            duration,
        );
        self.story.span(self.rng, self.trace, draft.with(attributes));
        if let Some(span) = self.story.spans.last_mut() {
            span.span_id = id;
        }
        duration
    }

    /// A model call; returns its duration.
    fn chat(&mut self, emitter: &Emitter, parent: SpanId, start: i64, call: &Call<'_>) -> i64 {
        let duration = self.rng.around_ms(call.ms);
        let cached = call.input * self.rng.range(40, 85) / 100;
        let output = self.rng.range(80, 460);
        let mut output_parts = vec![];
        if let Some((tool, arguments)) = &call.tool {
            let arguments: serde_json::Value = serde_json::from_str(arguments).unwrap_or_default();
            let id = format!("call_{:08x}", self.rng.next() as u32);
            output_parts.push(
                serde_json::json!({"type": "tool_call", "id": id, "name": tool, "arguments": arguments}),
            );
        } else {
            output_parts.push(serde_json::json!({"type": "text", "content": call.answer}));
        }
        let input = serde_json::json!([{"role": "user", "parts": [{"type": "text", "content": call.user}]}]);
        let finish = if call.tool.is_some() { "tool_calls" } else { "stop" };
        let mut attributes = self.operation("chat");
        attributes.extend([
            kv("gen_ai.agent.name", call.agent),
            kv("gen_ai.provider.name", call.provider),
            kv("gen_ai.request.model", call.model),
            kv("gen_ai.request.temperature", 0.2),
            kv(
                "gen_ai.system_instructions",
                serde_json::json!([{"type": "text", "content": call.system}]).to_string(),
            ),
            kv("gen_ai.input.messages", input.to_string()),
        ]);
        let mut draft = Draft::new(
            emitter,
            Some(parent),
            &format!("chat {}", call.model),
            start,
            duration,
        )
        .client();
        if let Some(message) = call.failed {
            attributes.push(kv("error.type", "RateLimitError"));
            draft = draft.failed(message);
        } else {
            let answer =
                serde_json::json!([{"role": "assistant", "parts": output_parts, "finish_reason": finish}]);
            attributes.extend([
                kv("gen_ai.response.model", call.model),
                kv(
                    "gen_ai.response.finish_reasons",
                    meshscope_model::AttributeValue::Array(vec![finish.into()]),
                ),
                kv(
                    "gen_ai.response.time_to_first_chunk",
                    duration as f64 * 0.28 / 1e9,
                ),
                kv("gen_ai.usage.input_tokens", call.input),
                kv("gen_ai.usage.cache_read.input_tokens", cached),
                kv("gen_ai.usage.output_tokens", output),
                kv("gen_ai.output.messages", answer.to_string()),
            ]);
        }
        let id = self.story.span(self.rng, self.trace, draft.with(attributes));
        let span = Some((self.trace, id));
        if let Some(message) = call.failed {
            self.story.log(
                emitter,
                start + duration,
                "ERROR",
                &format!("{}: {message}", call.model),
                span,
            );
        } else {
            let line = format!("{} answered {output} tokens", call.model);
            self.story.log(emitter, start + duration, "DEBUG", &line, span);
            let labels = vec![
                kv("gen_ai.request.model", call.model),
                kv("gen_ai.operation.name", "chat"),
            ];
            self.story.histogram(
                emitter,
                ("gen_ai.client.operation.duration", "s"),
                (start, start + duration),
                labels,
                (&[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0], &[duration as f64 / 1e9]),
            );
        }
        duration
    }

    /// A tool call with the request behind it; returns its duration.
    fn tool(
        &mut self,
        parent: SpanId,
        start: i64,
        tool: &str,
        arguments: &str,
        ms: i64,
        failed: Option<&str>,
    ) -> i64 {
        let cast = self.cast;
        let duration = self.rng.around_ms(ms);
        let mut attributes = self.operation("execute_tool");
        attributes.extend([
            kv("gen_ai.tool.name", tool),
            kv("gen_ai.tool.type", "function"),
            kv("gen_ai.tool.call.arguments", arguments),
        ]);
        let mut draft = Draft::new(
            &cast.tools,
            Some(parent),
            &format!("execute_tool {tool}"),
            start,
            duration,
        );
        if let Some(message) = failed {
            attributes.push(kv("error.type", "timeout"));
            draft = draft.failed(message).event(
                start + duration,
                "exception",
                vec![
                    kv("exception.type", "TimeoutError"),
                    kv("exception.message", message),
                ],
            );
        } else {
            let result = r#"{"results":12,"best":{"name":"Hotel Unizo","usd":172,"gym":true}}"#;
            attributes.push(kv("gen_ai.tool.call.result", result));
        }
        let id = self.story.span(self.rng, self.trace, draft.with(attributes));
        let request = vec![
            kv("http.request.method", "GET"),
            kv("url.full", format!("http://tools.internal/{tool}")),
            kv(
                "http.response.status_code",
                if failed.is_some() { 504_i64 } else { 200_i64 },
            ),
        ];
        let draft = Draft::new(
            &cast.tools,
            Some(id),
            &format!("GET /{tool}"),
            start + 3 * MS,
            duration - 8 * MS,
        );
        self.story
            .span(self.rng, self.trace, draft.client().with(request));
        let span = Some((self.trace, id));
        match failed {
            Some(message) => self.story.log(
                &cast.tools,
                start + duration,
                "ERROR",
                &format!("{tool}: {message}"),
                span,
            ),
            None => self.story.log(
                &cast.tools,
                start + 4 * MS,
                "DEBUG",
                &format!("{tool} {arguments}"),
                span,
            ),
        }
        duration
    }

    fn plan(&mut self, start: i64, root: SpanId, user: &str, city: &str) -> i64 {
        let cast = self.cast;
        self.agent(&cast.planner, root, "planner", start, |run, id, start| {
            let arguments = format!("{{\"from\":\"BER\",\"to\":\"{city}\"}}");
            let call = Call {
                agent: "planner",
                provider: "openai",
                model: "gpt-4o",
                system: "You plan trips step by step and call tools where they help.",
                user: format!("Plan four days in {city} for {user}, under $1,800."),
                answer: String::new(),
                tool: Some(("search_flights", arguments.clone())),
                ms: 1_700,
                input: 1_900,
                failed: None,
            };
            let mut spent = run.chat(&cast.planner, id, start, &call);
            spent += run.tool(id, start + spent, "search_flights", &arguments, 480, None);
            spent
        })
    }

    fn research(&mut self, start: i64, root: SpanId, city: &str) -> i64 {
        let cast = self.cast;
        let (failing, limited) = (self.rng.one_in(3), self.rng.one_in(12));
        self.agent(&cast.researcher, root, "researcher", start, |run, id, start| {
            let query = format!("{{\"q\":\"hotel {city} gym under 180 usd\"}}");
            let question = format!("Find three hotels in {city} under $180 with a gym.");
            let call = |tool, answer: &str, failed| Call {
                agent: "researcher",
                provider: "anthropic",
                model: "claude-sonnet-4-5",
                system: "You are a careful travel researcher. Cite sources.",
                user: question.clone(),
                answer: answer.to_owned(),
                tool,
                ms: 1_400,
                input: 4_700,
                failed,
            };
            let mut spent = run.chat(
                &cast.researcher,
                id,
                start,
                &call(Some(("web_search", query.clone())), "", None),
            );
            for _ in 0..run.rng.range(2, 13) {
                spent += run.tool(id, start + spent, "web_search", &query, 130, None);
            }
            let failed = failing.then_some("upstream timed out");
            spent += run.tool(
                id,
                start + spent,
                "read_page",
                "{\"url\":\"https://hotels.example/7\"}",
                640,
                failed,
            );
            let limited = limited.then_some("429 rate limited");
            let answer = format!(
                "Three hotels in {city}: Unizo ($172), Mimaru ($168), Felice ($149). All have a gym."
            );
            spent + run.chat(&cast.researcher, id, start + spent, &call(None, &answer, limited))
        })
    }

    fn review(&mut self, start: i64, root: SpanId, city: &str, blocked: bool) -> i64 {
        let cast = self.cast;
        self.agent(&cast.critic, root, "critic", start, |run, id, start| {
            let call = Call {
                agent: "critic",
                provider: "openai",
                model: "gpt-4o-mini",
                system: "Score the draft from 0 to 1 and say what is missing.",
                user: format!("Draft of the trip to {city}."),
                answer: "0.82: add the check-in times.".to_owned(),
                tool: None,
                ms: 680,
                input: 1_200,
                failed: None,
            };
            let spent = run.chat(&cast.critic, id, start, &call);
            let mut attributes = vec![
                kv("meshscope.verdict", if blocked { "blocked" } else { "allowed" }),
                kv("meshscope.blocked", blocked),
                kv("policy.name", "content_policy"),
            ];
            if blocked {
                attributes.push(kv("policy.reason", "contains a phone number"));
            }
            let (gate, took) = run.leaf(
                &cast.guardian,
                Some(id),
                "gate content_policy",
                start + spent,
                60,
                attributes,
            );
            if blocked {
                let line = "content_policy blocked: contains a phone number";
                run.story.log(
                    &cast.guardian,
                    start + spent + took,
                    "WARN",
                    line,
                    Some((run.trace, gate)),
                );
            }
            spent + took
        })
    }

    fn write(&mut self, start: i64, root: SpanId, user: &str, city: &str) -> i64 {
        let cast = self.cast;
        self.agent(&cast.writer, root, "writer", start, |run, id, start| {
            let gemini = run.rng.one_in(2);
            let call = Call {
                agent: "writer",
                provider: if gemini { "gcp.gemini" } else { "openai" },
                model: if gemini { "gemini-2.5-flash" } else { "gpt-4o" },
                system: "Write the itinerary, friendly and short.",
                user: format!("Write it for {user}."),
                answer: format!(
                    "# Four days in {city}\n\n**Day 1** Arrive, check in at 15:00, walk the old town."
                ),
                tool: None,
                ms: 880,
                input: 2_600,
                failed: None,
            };
            run.chat(&cast.writer, id, start, &call)
        })
    }
}

/// A request of a mesh of MCP agents, as their registry exports it.
pub(super) fn mesh_request(rng: &mut Rng, start: i64) -> Story {
    let mut story = Story::default();
    let trace = trace(rng);
    let agent = |name: &str| {
        let resource = [
            ("service.name", name),
            ("service.version", "1.0.0"),
            ("deployment.environment", "docker-compose"),
        ];
        Emitter::new(&format!("mcp-mesh/{name}"), "", &resource)
    };
    let (report, time) = (agent("dependent-service"), agent("fastmcp-service"));
    let instance = uuid(rng);
    let duration = rng.around_ms(150);
    let attributes = |operation: &str| {
        vec![
            kv("mcp.operation", operation),
            kv("mcp.agent.id", instance.as_str()),
        ]
    };
    let draft =
        Draft::new(&report, None, "generate_report", start, duration).with(attributes("generate_report"));
    let root = story.span(rng, trace, draft);
    let draft = Draft::new(
        &report,
        Some(root),
        "proxy_call_wrapper",
        start + 5 * MS,
        duration - 10 * MS,
    );
    let proxy = story.span(rng, trace, draft.with(attributes("proxy_call_wrapper")));
    let mut draft = Draft::new(
        &time,
        Some(proxy),
        "get_current_time",
        start + 12 * MS,
        duration / 3,
    )
    .with(attributes("get_current_time"));
    if rng.one_in(7) {
        draft = draft.failed("time source unreachable");
    }
    story.span(rng, trace, draft);
    story
}
