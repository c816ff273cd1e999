//! The records of the workload as OpenTelemetry clients send them.

use super::{AGENTS, Act, Call, MODELS, Step, TRACE, TRACE_LOGS, Workload};
use meshscope_model::{
    AttributeValue, Attributes, KeyValue, LogRecord, Metric, MetricKind, MetricPoint, PointValue, Resource,
    Scope, Span, SpanKind, Status, StatusCode, Temporality,
};
use std::sync::Arc;

/// Who emits: made once, shared by all records.
pub(crate) struct Emitters {
    resources: Vec<Arc<Resource>>,
    scope: Arc<Scope>,
    metrics: [Arc<Metric>; 2],
}

impl Emitters {
    pub(crate) fn new() -> Self {
        let resource = |agent: &&str| {
            let attributes = [
                KeyValue::new("service.name", format!("{agent}-agent")),
                KeyValue::new("service.version", "1.0"),
            ];
            Arc::new(Resource {
                attributes: Attributes(attributes.to_vec()),
                ..Resource::default()
            })
        };
        let metric = |name: &str, unit: &str, kind, temporality, monotonic| {
            Arc::new(Metric {
                name: name.to_owned(),
                unit: unit.to_owned(),
                kind,
                temporality,
                monotonic,
                ..Metric::default()
            })
        };
        Self {
            resources: AGENTS.iter().map(resource).collect(),
            scope: Arc::new(Scope {
                name: "bench".to_owned(),
                ..Scope::default()
            }),
            metrics: [
                metric(
                    "app.queue.length",
                    "{item}",
                    MetricKind::Gauge,
                    Temporality::Unspecified,
                    false,
                ),
                metric(
                    "app.requests",
                    "{request}",
                    MetricKind::Sum,
                    Temporality::Delta,
                    true,
                ),
            ],
        }
    }
}

/// Points of a metric that one worker reports.
pub(crate) const WORKERS: u64 = 8;

impl Workload {
    /// Spans `from..to`.
    pub(crate) fn records(&self, emitters: &Emitters, from: u64, to: u64) -> Vec<Span> {
        (from..to.min(self.spans()))
            .map(|n| self.span(emitters, n))
            .collect()
    }

    /// Span `n`.
    pub(crate) fn span(&self, emitters: &Emitters, n: u64) -> Span {
        let step = self.step(n);
        let (trace, within) = (step.trace, step.within);
        let (name, kind) = match step.act {
            Act::Invoke { .. } => (
                format!("invoke_agent {}", AGENTS[self.agent(trace)]),
                SpanKind::Server,
            ),
            Act::Chat(call) => (format!("chat {}", MODELS[call.model].1), SpanKind::Client),
            Act::Tool { .. } => ("execute_tool search".to_owned(), SpanKind::Internal),
        };
        let status = if step.failed {
            Status {
                code: StatusCode::Error,
                message: "upstream answered 503".to_owned(),
            }
        } else {
            Status::default()
        };
        Span {
            resource: Arc::clone(&emitters.resources[self.agent(trace)]),
            scope: Arc::clone(&emitters.scope),
            trace_id: self.trace_id(trace),
            span_id: self.span_id(n),
            parent_span_id: (within > 0).then(|| self.span_id(n - within)),
            trace_state: String::new(),
            flags: 1,
            name,
            kind,
            start_time: step.start,
            end_time: Some(step.end),
            attributes: Attributes(self.attributes(&step)),
            dropped_attributes_count: 0,
            events: Vec::new(),
            dropped_events_count: 0,
            links: Vec::new(),
            dropped_links_count: 0,
            status,
        }
    }

    fn attributes(&self, step: &Step) -> Vec<KeyValue> {
        let trace = step.trace;
        let operation = match step.act {
            Act::Invoke { .. } => "invoke_agent",
            Act::Chat(_) => "chat",
            Act::Tool { .. } => "execute_tool",
        };
        let mut attributes = vec![
            KeyValue::new("gen_ai.operation.name", operation),
            KeyValue::new("gen_ai.conversation.id", self.session_id(trace / super::RUNS)),
            KeyValue::new("gen_ai.agent.name", AGENTS[self.agent(trace)]),
            KeyValue::new("app.step", step.within as i64),
            KeyValue::new("app.retry", false),
            KeyValue::new("app.score", step.score as f64 / 1_000.0),
        ];
        attributes.extend(match step.act {
            Act::Invoke { claim } => {
                let claimed = match claim {
                    Some(tokens) => [
                        KeyValue::new("gen_ai.usage.input_tokens", tokens.input),
                        KeyValue::new("gen_ai.usage.output_tokens", tokens.output),
                    ],
                    None => [
                        KeyValue::new("app.channel", "chat"),
                        KeyValue::new("app.locale", "en-GB"),
                    ],
                };
                let [a, b] = claimed;
                [
                    KeyValue::new("user.id", user_id(self.user(trace))),
                    KeyValue::new("http.route", "/v1/messages"),
                    KeyValue::new("app.tier", "gold"),
                    a,
                    b,
                ]
            }
            Act::Chat(call) => chat(&call),
            Act::Tool { document } => [
                KeyValue::new("gen_ai.tool.name", "search"),
                KeyValue::new("url.path", document_path(document)),
                KeyValue::new(
                    "http.response.status_code",
                    if step.failed { 503_i64 } else { 200 },
                ),
                KeyValue::new("server.address", "tools"),
                if step.blocked {
                    KeyValue::new("meshscope.blocked", true)
                } else {
                    KeyValue::new("server.port", 443_i64)
                },
            ],
        });
        attributes
    }

    /// How many log records it has, where they are asked for.
    pub(crate) fn logs(&self) -> u64 {
        self.traces() * TRACE_LOGS
    }

    /// When log record `n` was written.
    pub(crate) fn log_time(&self, n: u64) -> i64 {
        let (trace, nth) = (n / TRACE_LOGS, n % TRACE_LOGS);
        self.trace_start(trace) + 2_500_000_000 + nth as i64 * 4_000_000_000
    }

    /// Severity number of log record `n`: every fiftieth is an error.
    pub(crate) fn log_severity(&self, n: u64) -> u8 {
        if n % 50 == 7 { 17 } else { 9 }
    }

    /// Body of log record `n`.
    pub(crate) fn log_body(&self, n: u64) -> String {
        format!("record {n}: the tool answered after a while")
    }

    /// Log record `n`.
    pub(crate) fn log(&self, emitters: &Emitters, n: u64) -> LogRecord {
        let trace = n / TRACE_LOGS;
        let severity = self.log_severity(n);
        LogRecord {
            resource: Arc::clone(&emitters.resources[self.agent(trace)]),
            scope: Arc::clone(&emitters.scope),
            time: self.log_time(n),
            observed_time: self.log_time(n),
            severity_number: severity,
            severity_text: if severity == 17 { "ERROR" } else { "INFO" }.to_owned(),
            body: AttributeValue::String(self.log_body(n)),
            attributes: Attributes(vec![KeyValue::new("app.worker", (n % WORKERS) as i64)]),
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: Some(self.trace_id(trace)),
            span_id: Some(self.span_id(trace * TRACE)),
            event_name: String::new(),
        }
    }

    /// Metric point `n`; ten a second over all series.
    pub(crate) fn point(&self, emitters: &Emitters, n: u64) -> MetricPoint {
        let metric = &emitters.metrics[(n % 2) as usize];
        let time = self.base + n as i64 * 100_000_000;
        MetricPoint {
            resource: Arc::clone(&emitters.resources[0]),
            scope: Arc::clone(&emitters.scope),
            metric: Arc::clone(metric),
            attributes: Attributes(vec![KeyValue::new("app.worker", (n / 2 % WORKERS) as i64)]),
            start_time: time - 100_000_000,
            time,
            flags: 0,
            value: PointValue::Int((super::mix(n) % 100) as i64),
            exemplars: Vec::new(),
        }
    }
}

/// The attributes of a call.
fn chat(call: &Call) -> [KeyValue; 5] {
    let (provider, model) = MODELS[call.model];
    let more = match (call.tokens.cached, call.reported) {
        (Some(cached), _) => KeyValue::new("gen_ai.usage.cache_read.input_tokens", cached),
        (None, Some(millionths)) => KeyValue::new("gen_ai.usage.cost", millionths as f64 / 1e6),
        (None, None) => KeyValue::new("server.address", "models"),
    };
    [
        KeyValue::new("gen_ai.provider.name", provider),
        KeyValue::new("gen_ai.request.model", model),
        KeyValue::new("gen_ai.usage.input_tokens", call.tokens.input),
        KeyValue::new("gen_ai.usage.output_tokens", call.tokens.output),
        more,
    ]
}

/// `user.id` of a user.
pub(crate) fn user_id(user: u64) -> String {
    format!("user-{user:04}")
}

/// `url.path` of a document.
pub(crate) fn document_path(document: u64) -> String {
    format!("/docs/{document:05}")
}
