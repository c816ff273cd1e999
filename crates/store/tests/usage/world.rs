//! Calls and runs over thirty days, made by rule, and the spans that tell of them.

use meshscope_model::time::{DAY, MINUTE, SECOND, parse_rfc3339};
use meshscope_model::{
    CostSource, KeyValue, Operation, Origin, Resource, Scope, Span, SpanEntry, SpanFacts, SpanId, SpanKind,
    Status, System, Tokens, TraceId, Usage,
};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) const RUNS: u64 = 3;
pub(crate) const STEPS: u64 = 8;
pub(crate) const DAYS: i64 = 30;

/// A midnight in New York; in between the clocks of Berlin and New York go back.
pub(crate) fn base() -> i64 {
    parse_rfc3339("2026-10-08T04:00:00Z").unwrap()
}

pub(crate) fn mix(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A call as the ledger has it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) time: i64,
    pub(crate) trace: u64,
    pub(crate) session: String,
    pub(crate) room: &'static str,
    pub(crate) agent: &'static str,
    pub(crate) model: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) version: &'static str,
    pub(crate) user: String,
    pub(crate) error: bool,
    pub(crate) duration: i64,
    pub(crate) first_token: Option<i64>,
    pub(crate) tokens: Tokens,
    pub(crate) cost: Option<i64>,
    pub(crate) reported: bool,
}

/// A run as the ledger has it.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) session: String,
    pub(crate) room: &'static str,
    /// Those that made its calls.
    pub(crate) agents: BTreeSet<&'static str>,
    pub(crate) failed: u64,
    pub(crate) claimed: Option<i64>,
}

pub(crate) struct World {
    pub(crate) calls: Vec<Call>,
    pub(crate) runs: Vec<Run>,
    pub(crate) spans: Vec<SpanEntry>,
}

pub(crate) const ROOMS: [&str; 3] = ["lobby", "lab", ""];
pub(crate) const AGENTS: [&str; 4] = ["planner", "writer", "critic", "scout"];
pub(crate) const MODELS: [(&str, &str); 3] =
    [("openai", "gpt-4o"), ("anthropic", "claude"), ("house", "own")];
pub(crate) const VERSIONS: [&str; 2] = ["1.0", "2.0"];

pub(crate) fn resource(version: &str) -> Arc<Resource> {
    Arc::new(Resource {
        attributes: vec![
            KeyValue::new("service.name", "svc"),
            KeyValue::new("service.version", version),
        ]
        .into_iter()
        .collect(),
        ..Resource::default()
    })
}

/// So many sessions spread over the days; half of the runs claim what their calls used.
pub(crate) fn world(sessions: u64) -> World {
    let resources = VERSIONS.map(resource);
    let mut world = World {
        calls: Vec::new(),
        runs: Vec::new(),
        spans: Vec::new(),
    };
    for trace in 0..sessions * RUNS {
        let (session, run) = (trace / RUNS, trace % RUNS);
        let spread = DAYS * DAY / sessions as i64;
        // Runs lie about whole hours too, so that some begin in one and end in the next.
        let start = base()
            + session as i64 * spread
            + run as i64 * 7 * MINUTE
            + (mix(trace) % 3_000) as i64 * 1_000_003;
        let id = format!("chat-{session}");
        let claims = trace.is_multiple_of(2);
        let version = (trace % 2) as usize;
        let mut claimed = 0;
        let mut spans = Vec::new();
        let mut failed = 0;
        let mut agents = BTreeSet::new();
        for step in 1..=STEPS {
            let dice = mix(trace * 100 + step);
            let time = start + step as i64 * 40 * SECOND + (dice % 1_000) as i64;
            let duration = 1_000_000 + (dice >> 9) as i64 % 30_000_000_000;
            let error = dice.is_multiple_of(17);
            failed += u64::from(error);
            let agent = AGENTS[(dice >> 3) as usize % 4];
            agents.insert(agent);
            let (provider, model) = MODELS[(dice >> 5) as usize % 3];
            let input = (dice >> 20) as i64 % 5_000;
            let cached = ((dice >> 7).is_multiple_of(3)).then_some(input / 3);
            let tokens = Tokens {
                input: Some(input),
                cached_input: cached,
                output: Some((dice >> 33) as i64 % 900),
                ..Tokens::default()
            }
            .with_total();
            let cost = (model != "own").then_some(((dice >> 11) % 1_000_000_000) as i64);
            let reported = model == "claude";
            let user = format!("user-{}", trace % 40);
            let call = Call {
                time,
                trace,
                session: id.clone(),
                room: ROOMS[(session % 3) as usize],
                agent,
                model,
                provider,
                version: VERSIONS[version],
                user: user.clone(),
                error,
                duration,
                first_token: dice.is_multiple_of(2).then_some(duration / 5),
                tokens,
                cost,
                reported,
            };
            claimed += tokens.total.unwrap();
            spans.push(entry(&call, step, &resources[version]));
            world.calls.push(call);
        }
        let end = start + 20 * MINUTE;
        spans.push(root(
            trace,
            &id,
            (start, end),
            claims.then_some(claimed),
            &resources[version],
        ));
        world.runs.push(Run {
            start,
            end,
            session: id,
            room: ROOMS[(session % 3) as usize],
            agents,
            failed,
            claimed: claims.then_some(claimed),
        });
        world.spans.append(&mut spans);
    }
    world
}

pub(crate) fn trace_id(trace: u64) -> TraceId {
    TraceId::from_u128(u128::from(mix(trace)) << 64 | u128::from(trace + 1))
}

pub(crate) fn plain(trace: u64, span: u64, (start, end): (i64, i64), resource: &Arc<Resource>) -> Span {
    Span {
        trace_id: trace_id(trace),
        span_id: SpanId::from_u64(trace * 100 + span + 1),
        parent_span_id: (span > 0).then(|| SpanId::from_u64(trace * 100 + 1)),
        start_time: start,
        end_time: Some(end),
        name: "work".to_owned(),
        kind: SpanKind::default(),
        status: Status::default(),
        trace_state: String::new(),
        flags: 0,
        attributes: vec![KeyValue::new(
            "app.tier",
            if trace.is_multiple_of(3) { "gold" } else { "tin" },
        )]
        .into_iter()
        .collect(),
        events: Vec::new(),
        links: Vec::new(),
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
        resource: Arc::clone(resource),
        scope: Arc::new(Scope::default()),
    }
}

pub(crate) fn origin(session: &str, room: &str, agent: Option<&str>) -> Origin {
    Origin {
        project: Some("p".to_owned()),
        system: System::default(),
        room: (!room.is_empty()).then(|| room.to_owned()),
        session: Some(session.to_owned()),
        fallback_session: None,
        agent: agent.map(str::to_owned),
    }
}

pub(crate) fn entry(call: &Call, step: u64, resource: &Arc<Resource>) -> SpanEntry {
    SpanEntry {
        span: plain(call.trace, step, (call.time, call.time + call.duration), resource),
        facts: SpanFacts {
            origin: origin(&call.session, call.room, Some(call.agent)),
            operation: Operation::Chat,
            model: Some(call.model.to_owned()),
            provider: Some(call.provider.to_owned()),
            user: Some(call.user.clone()),
            error: call.error.then(|| "it broke".to_owned()),
            time_to_first_token: call.first_token,
            usage: Some(Usage {
                tokens: call.tokens,
                cost_pico_usd: call.cost,
                cost_source: call.cost.map(|_| match call.reported {
                    true => CostSource::Reported,
                    false => CostSource::PriceTable("t".to_owned()),
                }),
                ..Usage::default()
            }),
            ..SpanFacts::default()
        },
    }
}

pub(crate) fn root(
    trace: u64,
    session: &str,
    range: (i64, i64),
    claimed: Option<i64>,
    resource: &Arc<Resource>,
) -> SpanEntry {
    SpanEntry {
        span: plain(trace, 0, range, resource),
        facts: SpanFacts {
            origin: origin(session, ROOMS[(trace / RUNS % 3) as usize], None),
            operation: Operation::InvokeAgent,
            usage: claimed.map(|total| Usage {
                tokens: Tokens {
                    total: Some(total),
                    ..Tokens::default()
                },
                claim: true,
                ..Usage::default()
            }),
            ..SpanFacts::default()
        },
    }
}
