//! The same spans every time: agent spans with 11 attributes, about 350 bytes each on the wire.

use meshscope_model::{
    Attributes, KeyValue, Resource, Scope, Span, SpanId, SpanKind, Status, StatusCode, TraceId,
};
use std::sync::Arc;

/// Spans of one trace.
pub(crate) const TRACE: u64 = 20;
/// Start of the first span, ns since the epoch, and how much later each next one starts.
const START: (i64, i64) = (1_795_220_548_000_000_000, 10_000);

/// Spans `from..to` of the workload.
pub(crate) fn spans(from: u64, to: u64) -> Vec<Span> {
    let attributes = [
        KeyValue::new("service.name", "agent"),
        KeyValue::new("service.version", "1.0"),
    ];
    let resource = Arc::new(Resource {
        attributes: Attributes(attributes.to_vec()),
        ..Resource::default()
    });
    let scope = Arc::new(Scope {
        name: "bench".to_owned(),
        ..Scope::default()
    });
    (from..to).map(|n| span(n, &resource, &scope)).collect()
}

/// Which span starts then.
pub(crate) fn number_of(start_time: i64) -> u64 {
    ((start_time - START.0) / START.1) as u64
}

/// A number that looks random and is not.
fn mix(n: u64) -> u64 {
    let z = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

fn span(n: u64, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Span {
    let (trace, within) = (n / TRACE, n % TRACE);
    let start = START.0 + n as i64 * START.1;
    let chat = within % 3 == 1;
    let operation = if chat { "chat" } else { "execute_tool" };
    let models = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"];
    let model = models[(mix(n) % 3) as usize];
    let mut attributes = vec![
        KeyValue::new("gen_ai.operation.name", operation),
        KeyValue::new("gen_ai.conversation.id", format!("conv-{}", trace / 4)),
        KeyValue::new(
            "gen_ai.agent.name",
            ["planner", "researcher", "critic"][(trace % 3) as usize],
        ),
        KeyValue::new("app.step", within as i64),
        KeyValue::new("app.retry", false),
        KeyValue::new("app.score", (mix(n) % 1_000) as f64 / 1_000.0),
        KeyValue::new("http.route", "/v1/work"),
    ];
    if chat {
        attributes.extend([
            KeyValue::new(
                "gen_ai.provider.name",
                if model.starts_with('g') {
                    "openai"
                } else {
                    "anthropic"
                },
            ),
            KeyValue::new("gen_ai.request.model", model),
            KeyValue::new("gen_ai.usage.input_tokens", (mix(n) % 4_000) as i64),
            KeyValue::new("gen_ai.usage.output_tokens", (mix(n + 1) % 500) as i64),
        ]);
    } else {
        attributes.extend([
            KeyValue::new("gen_ai.tool.name", "search"),
            KeyValue::new("url.path", "/search"),
            KeyValue::new("http.response.status_code", 200_i64),
            KeyValue::new("server.address", "tools.internal"),
        ]);
    }
    Span {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        trace_id: TraceId::from_u128(u128::from(mix(trace)) << 64 | u128::from(trace + 1)),
        span_id: SpanId::from_u64(mix(n) | 1),
        parent_span_id: (within > 0).then(|| SpanId::from_u64(mix(n - within) | 1)),
        trace_state: String::new(),
        flags: 1,
        name: format!("{operation} {}", if chat { model } else { "search" }),
        kind: SpanKind::Client,
        start_time: start,
        end_time: Some(start + 1_000_000 + (mix(n) % 900_000_000) as i64),
        attributes: Attributes(attributes),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status: Status {
            code: StatusCode::Unset,
            message: String::new(),
        },
    }
}
