//! What the mutants are made of: real clients' bytes, where the captures stand beside the
//! checkout, and records of every kind made here.

use meshscope_model::metric::{Exemplar, ExponentialHistogram, Histogram, Summary};
use meshscope_model::{
    AttributeValue, Attributes, KeyValue, Link, LogRecord, Metric, MetricKind, MetricPoint, PointValue,
    Resource, Scope, Span, SpanEvent, SpanId, SpanKind, Status, StatusCode, Temporality, TraceId,
};
use meshscope_telemetry::otlp::{encode_logs, encode_metrics, encode_traces};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");

/// Which seeds a decoder gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Seeds {
    Traces,
    Logs,
    Metrics,
    TracesJson,
    LogsJson,
    MetricsJson,
    VideoSdkTurns,
    VideoSdkLog,
    MeshFlow,
    McpMesh,
    Developer,
    Frames,
    Jaeger,
    Prices,
    Query,
    Columns,
}

/// The seeds of every decoder.
pub(crate) struct Corpus {
    seeds: HashMap<Seeds, Vec<Vec<u8>>>,
    /// How many come from real clients.
    pub(crate) captures: usize,
}

impl Corpus {
    pub(crate) fn read() -> Self {
        let mut corpus = Self {
            seeds: HashMap::new(),
            captures: 0,
        };
        corpus.captures(Path::new(CAPTURES));
        corpus.captures = corpus.len();
        corpus.made();
        corpus
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.seeds.values().map(Vec::len).sum()
    }

    /// The seeds of a kind; there is one at least.
    pub(crate) fn of(&self, kind: Seeds) -> &[Vec<u8>] {
        self.seeds.get(&kind).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, kind: Seeds, seed: impl Into<Vec<u8>>) {
        self.seeds.entry(kind).or_default().push(seed.into());
    }

    fn captures(&mut self, dir: &Path) {
        let mut files: Vec<_> = std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        // Every machine lists them in another order, and a case must be the same on all.
        files.sort();
        for path in files {
            if path.is_dir() {
                self.captures(&path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.capture(&path.to_string_lossy(), bytes);
            }
        }
    }

    fn capture(&mut self, path: &str, bytes: Vec<u8>) {
        if path.ends_with(".headers.json") {
            return;
        }
        if path.ends_with(".jsonl") {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            return lines.for_each(|line| self.add(Seeds::McpMesh, line));
        }
        let signal = ["-traces", "-logs", "-metrics"]
            .iter()
            .position(|signal| path.contains(signal));
        let kind = match (signal, path.ends_with(".pb")) {
            _ if path.contains("videosdk") && path.ends_with("-metrics.raw.json") => Seeds::VideoSdkTurns,
            _ if path.contains("videosdk") && path.ends_with("-logs.raw.json") => Seeds::VideoSdkLog,
            (None, _) => Seeds::MeshFlow,
            (Some(0), true) => Seeds::Traces,
            (Some(1), true) => Seeds::Logs,
            (Some(_), true) => Seeds::Metrics,
            (Some(0), false) => Seeds::TracesJson,
            (Some(1), false) => Seeds::LogsJson,
            (Some(_), false) => Seeds::MetricsJson,
        };
        self.add(kind, bytes);
    }

    /// Records of every kind.
    fn made(&mut self) {
        self.add(Seeds::Traces, encode_traces(&spans()));
        self.add(Seeds::Logs, encode_logs(&[log()]));
        self.add(Seeds::Metrics, encode_metrics(&points()));
        for (kind, seeds) in MADE {
            seeds.iter().for_each(|seed| self.add(*kind, *seed));
        }
        let columns = meshscope_model::SpanColumns::default();
        self.add(Seeds::Columns, meshscope_api::columns::encode(&columns));
        self.add(
            Seeds::Columns,
            meshscope_api::columns::encode(&columns_of(&spans())),
        );
    }
}

/// Seeds in text.
const MADE: &[(Seeds, &[&str])] = &[
    (
        Seeds::TracesJson,
        &[
            r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"scope":{"name":"x"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","parentSpanId":"","name":"chat m","kind":"SPAN_KIND_CLIENT","startTimeUnixNano":"1795220548168533800","endTimeUnixNano":1795220549168533800,"attributes":[{"key":"gen_ai.usage.input_tokens","value":{"intValue":"12"}},{"key":"a","value":{"arrayValue":{"values":[{"doubleValue":"NaN"},{"bytesValue":"AAEC"},{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}}]}}]}}}],"events":[{"timeUnixNano":"1","name":"exception","attributes":[]}],"links":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b8"}],"status":{"code":"STATUS_CODE_ERROR","message":"m"}}]}]}]}"#,
        ],
    ),
    (
        Seeds::LogsJson,
        &[
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","observedTimeUnixNano":"2","severityNumber":"SEVERITY_NUMBER_WARN","severityText":"warn","body":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}},"attributes":[],"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","flags":1,"eventName":"gen_ai.user.message"}]}]}]}"#,
        ],
    ),
    (
        Seeds::MetricsJson,
        &[
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","unit":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"5","timeUnixNano":"9","exemplars":[{"asDouble":1.5,"timeUnixNano":"8"}]}]}},{"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":"3","sum":4.5,"bucketCounts":["1","2"],"explicitBounds":[1],"timeUnixNano":"9"}]}},{"name":"e","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{"count":"3","scale":-2,"zeroCount":"1","positive":{"offset":3,"bucketCounts":["1","2"]},"timeUnixNano":"9"}]}},{"name":"q","summary":{"dataPoints":[{"count":"3","sum":4.5,"quantileValues":[{"quantile":0.5,"value":1}],"timeUnixNano":"9"}]}},{"name":"g","gauge":{"dataPoints":[{"asDouble":"Infinity","timeUnixNano":"9"}]}}]}]}]}"#,
        ],
    ),
    (
        Seeds::VideoSdkTurns,
        &[
            r#"{"agentId":"a","data":[{"turn_id":"t","e2e_latency":1200.5,"llm_input_tokens":3,"interrupted":true}]}"#,
        ],
    ),
    (
        Seeds::VideoSdkLog,
        &[r#"{"logType":"INFO","logText":"x","timestamp":1795220548,"attributes":{"roomId":"r"}}"#],
    ),
    (
        Seeds::MeshFlow,
        &[
            r#"{"run_id":"0f3c","workflow_name":"w","status":"completed","total_tokens":10,"total_cost_usd":0.25,"started_at":1795220548.5,"steps":[{"node_id":"n","tokens":3}]}"#,
            r#"{"event":"run_failed","payload":{"run_id":"r","timestamp":"2026-11-21T09:43:47Z"}}"#,
            r#"{"job_id":"j","workflow_name":"w","status":"dead","error_msg":"m"}"#,
            r#"{"spans":[{"name":"n","run_id":"r","latency_ms":12.5,"success":false,"tokens":{"input":3}},{"agent_name":"a","started_at":"2026-11-21T09:43:47Z","duration_ms":1}]}"#,
        ],
    ),
    (
        Seeds::McpMesh,
        &[
            r#"{"id":"1795220548289-0","fields":{"event_type":"span_start","trace_id":"t","span_id":"s","agent_name":"a","operation":"o","timestamp":"1795220548.2"}}"#,
            r#"{"id":"1-0","fields":{"event_type":"error","trace_id":"t","span_id":"s","error_message":"x","runtime":"python","timestamp":"1"}}"#,
        ],
    ),
    (
        Seeds::Developer,
        &[
            "{\"level\":\"warn\",\"message\":\"m\",\"time\":1795220548.25,\"session\":\"s\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}\n[1,2]\n{\"msg\":\"n\",\"level\":40}",
            "2026-11-21T09:43:47Z ERROR it failed\n\tat line two\nplain",
            r#"[{"text":"a"},"b",{"body":{"k":[1,null]},"severity":"TRACE"}]"#,
        ],
    ),
    (
        Seeds::Frames,
        &[
            r#"{"type":"otel.trace","data":{"resourceSpans":[]}}"#,
            "{\"type\":\"otel.log\",\"data\":{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"1\"}]}]}]}}\n{\"type\":\"agent.started\",\"data\":{\"message\":\"m\"}}",
        ],
    ),
    (
        Seeds::Jaeger,
        &[
            r#"{"data":[{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spans":[{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spanID":"00f067aa0ba902b7","operationName":"o","references":[{"refType":"CHILD_OF","traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spanID":"00f067aa0ba902b8"},{"refType":"FOLLOWS_FROM","traceID":"1","spanID":"2"}],"startTime":1795220548168533,"duration":1500,"tags":[{"key":"span.kind","type":"string","value":"client"},{"key":"error","type":"bool","value":true},{"key":"n","type":"int64","value":"5"},{"key":"x","type":"float64","value":1.5},{"key":"b","type":"binary","value":"AAEC"}],"logs":[{"timestamp":1795220548168600,"fields":[{"key":"event","type":"string","value":"exception"}]}],"processID":"p1","warnings":null}],"processes":{"p1":{"serviceName":"s","tags":[{"key":"host","type":"string","value":"h"}]}}}],"total":0,"limit":0,"offset":0,"errors":null}"#,
        ],
    ),
    (
        Seeds::Prices,
        &[
            include_str!("../../analysis/data/prices.json"),
            r#"{"version":"1","prices":[{"model":"m*","providers":["p"],"input":1,"tiers":[{"above_input_tokens":10,"input":2}],"batch_percent":50}]}"#,
        ],
    ),
    (
        Seeds::Query,
        &[
            "project=p&from=5&to=9&limit=7&q=a+b&system=mcp-mesh&status=failed&min_cost_usd=0.01&min_duration_ms=1.5&has_error=true&attr=a%3Db&attr=n>5",
            "bucket=1h&by=model&provider=openai&room=r&from=2026-11-21T09:43:47Z",
            "severity=warn&session=s&trace_id=4bf92f3577b34da6a3ce929d0e0e4736&q=%ff%zz&cursor=W10",
        ],
    ),
];

fn attributes() -> Attributes {
    Attributes(vec![
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.usage.input_tokens", 12_i64),
        KeyValue::new("gen_ai.usage.cost", 0.1),
        KeyValue::new("llm.input_messages.0.message.content", "hi"),
        KeyValue::new(
            "gen_ai.input.messages",
            r#"[{"role":"user","parts":[{"type":"text","content":"x"}]}]"#,
        ),
        KeyValue::new("messages", "[{'role': 'user', 'content': \"it's\"}]"),
        KeyValue::new(
            "nested",
            AttributeValue::Array(vec![
                AttributeValue::Empty,
                AttributeValue::Bytes(vec![0, 255]),
                AttributeValue::Map(vec![KeyValue::new("b", true)]),
            ]),
        ),
    ])
}

fn resource() -> Arc<Resource> {
    Arc::new(Resource {
        attributes: Attributes(vec![
            KeyValue::new("service.name", "s"),
            KeyValue::new("room", "r"),
        ]),
        dropped_attributes_count: 3,
        schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
    })
}

fn scope(name: &str) -> Arc<Scope> {
    Arc::new(Scope {
        name: name.to_owned(),
        version: "1".to_owned(),
        attributes: attributes(),
        ..Scope::default()
    })
}

/// A span of every dialect.
fn spans() -> Vec<Span> {
    let resource = resource();
    let scopes = [
        "x",
        "dexto",
        "openai.llm.responses",
        "meshflow",
        "meshflow.cloud",
        "mcp-mesh",
        "mcp-mesh.events",
        "mcp-mesh/registry",
    ];
    let span = |(n, name): (usize, &&str)| Span {
        resource: Arc::clone(&resource),
        scope: scope(name),
        trace_id: TraceId::from_u128(7),
        span_id: SpanId::from_u64(n as u64 + 1),
        parent_span_id: (n > 0).then(|| SpanId::from_u64(n as u64)),
        trace_state: "a=b".to_owned(),
        flags: 0x301,
        name: "chat m".to_owned(),
        kind: SpanKind::Client,
        start_time: 1_795_220_548_168_533_800,
        end_time: Some(1_795_220_549_168_533_800),
        attributes: attributes(),
        dropped_attributes_count: 1,
        events: vec![SpanEvent {
            time: 5,
            name: "exception".to_owned(),
            attributes: attributes(),
            dropped_attributes_count: 1,
        }],
        dropped_events_count: 1,
        links: vec![Link {
            trace_id: TraceId::from_u128(8),
            span_id: SpanId::from_u64(9),
            attributes: attributes(),
            ..Link::default()
        }],
        dropped_links_count: 1,
        status: Status {
            code: StatusCode::Error,
            message: "m".to_owned(),
        },
    };
    scopes.iter().enumerate().map(span).collect()
}

fn columns_of(spans: &[Span]) -> meshscope_model::SpanColumns {
    let n = spans.len();
    meshscope_model::SpanColumns {
        strings: vec![String::new(), "chat m".to_owned()],
        span_id: (1..=n as u64).collect(),
        parent_span_id: (0..n as u64).collect(),
        start_time: spans.iter().map(|span| span.start_time).collect(),
        duration: vec![5; n],
        name: vec![1; n],
        event_row: (0..n as u32).collect(),
        event_time: spans.iter().map(|span| span.start_time + 3).collect(),
        event_name: vec![1; n],
        event_kind: vec![1; n],
        link_row: vec![0],
        link_count: vec![2],
        ..meshscope_model::SpanColumns::default()
    }
}

fn log() -> LogRecord {
    LogRecord {
        resource: resource(),
        scope: scope("x"),
        time: 5,
        observed_time: 6,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: AttributeValue::Map(attributes().0),
        attributes: attributes(),
        dropped_attributes_count: 2,
        flags: 1,
        trace_id: Some(TraceId::from_u128(7)),
        span_id: Some(SpanId::from_u64(1)),
        event_name: "gen_ai.client.inference.operation.details".to_owned(),
    }
}

/// A point of every kind.
fn points() -> Vec<MetricPoint> {
    let values = [
        (MetricKind::Gauge, PointValue::Double(1.5)),
        (MetricKind::Sum, PointValue::Int(5)),
        (
            MetricKind::Histogram,
            PointValue::Histogram(Histogram {
                count: 3,
                sum: Some(4.5),
                min: Some(0.5),
                max: Some(3.0),
                explicit_bounds: vec![1.0, 2.0],
                bucket_counts: vec![1, 1, 1],
            }),
        ),
        (
            MetricKind::ExponentialHistogram,
            PointValue::ExponentialHistogram(ExponentialHistogram {
                count: 3,
                scale: -3,
                zero_count: 1,
                positive_offset: -4,
                positive_counts: vec![1, 0, 1],
                ..ExponentialHistogram::default()
            }),
        ),
        (
            MetricKind::Summary,
            PointValue::Summary(Summary {
                count: 3,
                sum: 4.5,
                quantiles: vec![(0.5, 1.0), (0.99, 2.0)],
            }),
        ),
    ];
    let (resource, scope) = (resource(), scope("meshagent.x"));
    let point = |(kind, value): (MetricKind, PointValue)| MetricPoint {
        resource: Arc::clone(&resource),
        scope: Arc::clone(&scope),
        metric: Arc::new(Metric {
            name: "gen_ai.client.token.usage".to_owned(),
            unit: "{token}".to_owned(),
            kind,
            temporality: Temporality::Cumulative,
            monotonic: true,
            ..Metric::default()
        }),
        attributes: attributes(),
        start_time: 1,
        time: 9,
        flags: 0,
        value,
        exemplars: vec![Exemplar {
            time: 8,
            value: PointValue::Double(1.0),
            trace_id: Some(TraceId::from_u128(7)),
            span_id: Some(SpanId::from_u64(1)),
            filtered_attributes: attributes(),
        }],
    };
    values.into_iter().map(point).collect()
}
