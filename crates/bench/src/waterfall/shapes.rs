//! Traces of the shapes that are hard to show.

use crate::fill::understood;
use meshscope_analysis::Prices;
use meshscope_model::{
    Attributes, Batch, KeyValue, Resource, Scope, Span, SpanId, SpanKind, Status, StatusCode, TraceId,
};
use meshscope_store::{DuckDb, Options, Store};
use std::path::Path;
use std::sync::Arc;

/// Spans of one write.
const GROUP: u64 = 20_000;
/// Levels of a deep trace.
const LEVELS: u64 = 1_000;
/// Children of one span of a wide one.
const CHILDREN: u64 = 100_000;
/// Start of every trace, ns since the epoch.
const START: i64 = 1_795_200_000_000_000_000;
/// From one span to the next, ns.
const EVERY: i64 = 100_000;

/// How a trace is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Chains of 1,000 levels below one root.
    Deep,
    /// Up to 100,000 children of one span.
    Wide,
    /// An agent that calls a model and two tools, again and again.
    Loop,
}

impl Shape {
    pub(super) const ALL: [Self; 3] = [Self::Deep, Self::Wide, Self::Loop];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deep => "deep",
            Self::Wide => "wide",
            Self::Loop => "loop",
        }
    }

    /// Id of the trace of so many spans.
    pub(super) fn trace(self, spans: u64) -> TraceId {
        TraceId::from_u128(((self as u128 + 1) << 64) + u128::from(spans))
    }

    /// A text that some of the names have.
    pub(super) fn sought(self) -> &'static str {
        match self {
            Self::Deep => "level 77",
            Self::Wide => "part 3",
            Self::Loop => "search",
        }
    }

    /// Parent, name, service, start and duration in steps of span `n` of `spans`; span 0 is the root.
    fn span(self, n: u64, spans: u64) -> (u64, String, usize, u64, u64) {
        match self {
            _ if n == 0 => (0, "invoke_agent".to_owned(), 0, 0, spans + 10),
            Self::Deep => {
                let level = (n - 1) % LEVELS;
                let parent = if level == 0 { 0 } else { n - 1 };
                let left = LEVELS - level;
                (
                    parent,
                    format!("level {level}"),
                    (level / 100) as usize % 4,
                    n,
                    left.min(spans - n) + 1,
                )
            }
            Self::Wide => {
                let parent = (n - 1) / CHILDREN * CHILDREN;
                let last = (parent + CHILDREN).min(spans);
                let is_parent = n.is_multiple_of(CHILDREN);
                let parent = if is_parent { 0 } else { parent };
                let length = if is_parent { last - n } else { n % 7 * 3 + 1 };
                (parent, format!("part {}", n % 7), (n % 7) as usize % 4, n, length)
            }
            Self::Loop => {
                let (round, step) = ((n - 1) / 4, (n - 1) % 4);
                let first = round * 4 + 1;
                match step {
                    0 => (0, "chat gpt-4o".to_owned(), 1, n, 1),
                    1 => (0, "execute_tool search".to_owned(), 2, n, 2),
                    2 => (first + 1, "GET /search".to_owned(), 3, n, 1),
                    _ => (0, "execute_tool read_page".to_owned(), 2, n, 1),
                }
            }
        }
    }
}

fn resources() -> Vec<Arc<Resource>> {
    let names = ["orchestrator", "model-gateway", "tools-gateway", "search"];
    let resource = |name: &str| {
        let attributes = vec![KeyValue::new("service.name", name)];
        Arc::new(Resource {
            attributes: Attributes(attributes),
            ..Resource::default()
        })
    };
    names.map(resource).to_vec()
}

/// The attributes that make it an agent's span.
fn attributes(name: &str, n: u64) -> Vec<KeyValue> {
    let Some((operation, what)) = name.split_once(' ') else {
        return vec![KeyValue::new("gen_ai.operation.name", name)];
    };
    match operation {
        "chat" => vec![
            KeyValue::new("gen_ai.operation.name", operation),
            KeyValue::new("gen_ai.request.model", what),
            KeyValue::new("gen_ai.usage.input_tokens", 800 + (n % 900) as i64),
            KeyValue::new("gen_ai.usage.output_tokens", 100 + (n % 90) as i64),
        ],
        "execute_tool" => vec![
            KeyValue::new("gen_ai.operation.name", operation),
            KeyValue::new("gen_ai.tool.name", what),
        ],
        _ => Vec::new(),
    }
}

/// Writes a trace of each shape and size into a new store.
pub(super) fn fill(dir: &Path, sizes: &[u64]) -> Result<(), String> {
    let store = DuckDb::open(dir, &Options::default()).map_err(|error| error.to_string())?;
    let (prices, resources, scope) = (Prices::built_in(), resources(), Arc::new(Scope::default()));
    for (spans, shape) in sizes
        .iter()
        .flat_map(|spans| Shape::ALL.map(|shape| (*spans, shape)))
    {
        let id = |n: u64| SpanId::from_u64(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let made = |n: u64| {
            let (parent, name, service, start, length) = shape.span(n, spans);
            let start = START + start as i64 * EVERY;
            let failed = n % 997 == 500;
            Span {
                resource: Arc::clone(&resources[service]),
                scope: Arc::clone(&scope),
                trace_id: shape.trace(spans),
                span_id: id(n),
                parent_span_id: (n > 0).then(|| id(parent)),
                start_time: start,
                end_time: Some(start + length as i64 * EVERY),
                attributes: Attributes(attributes(&name, n)),
                name,
                status: Status {
                    code: if failed {
                        StatusCode::Error
                    } else {
                        StatusCode::Unset
                    },
                    ..Status::default()
                },
                trace_state: String::new(),
                flags: 1,
                kind: SpanKind::Internal,
                dropped_attributes_count: 0,
                events: Vec::new(),
                dropped_events_count: 0,
                links: Vec::new(),
                dropped_links_count: 0,
            }
        };
        for first in (0..spans).step_by(GROUP as usize) {
            let spans = (first..spans.min(first + GROUP)).map(|n| understood(made(n), &prices));
            let batch = Batch {
                spans: spans.collect(),
                ..Batch::default()
            };
            store.write(&[batch]).map_err(|error| error.to_string())?;
        }
    }
    store.close().map_err(|error| error.to_string())
}
