//! The decoders, and what is done with what they make: all that happens to a request's bytes
//! before the store.

use super::corpus::Seeds;
use meshscope_analysis::{PriceTable, Prices};
use meshscope_api::{ListQuery, LogQuery, Params, SeriesQuery, UsageQuery, columns};
use meshscope_model::SpanEntry;
use meshscope_telemetry::meshflow::{self, Ingest};
use meshscope_telemetry::semconv::provenance::provenance;
use meshscope_telemetry::{
    DecodeError, Decoded, Encoding, Signal, decode, developer, jaeger, mcp_mesh, messages, semconv, sniff,
    videosdk,
};
use serde_json::Value;
use std::sync::LazyLock;

/// How an input is written, which says how it is mutated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Protobuf,
    Json,
    Bytes,
}

/// A decoder.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) seeds: Seeds,
    /// Decodes; how many records came of it, 0 when it was refused.
    pub(crate) run: fn(&[u8]) -> usize,
}

/// When a body came that says no time of its own.
const RECEIVED: i64 = 1_795_220_548_168_533_800;

static PRICES: LazyLock<Prices> = LazyLock::new(Prices::built_in);

const fn target(name: &'static str, form: Form, seeds: Seeds, run: fn(&[u8]) -> usize) -> Target {
    Target {
        name,
        form,
        seeds,
        run,
    }
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    target("otlp_traces", Form::Protobuf, Seeds::Traces, |b| {
        otlp(Signal::Traces, Encoding::Protobuf, b)
    }),
    target("otlp_logs", Form::Protobuf, Seeds::Logs, |b| {
        otlp(Signal::Logs, Encoding::Protobuf, b)
    }),
    target("otlp_metrics", Form::Protobuf, Seeds::Metrics, |b| {
        otlp(Signal::Metrics, Encoding::Protobuf, b)
    }),
    target("otlp_traces_json", Form::Json, Seeds::TracesJson, |b| {
        otlp(Signal::Traces, Encoding::Json, b)
    }),
    target("otlp_logs_json", Form::Json, Seeds::LogsJson, |b| {
        otlp(Signal::Logs, Encoding::Json, b)
    }),
    target("otlp_metrics_json", Form::Json, Seeds::MetricsJson, |b| {
        otlp(Signal::Metrics, Encoding::Json, b)
    }),
    target("videosdk_turns", Form::Json, Seeds::VideoSdkTurns, |b| {
        done(videosdk::turns(b, RECEIVED))
    }),
    target("videosdk_log", Form::Json, Seeds::VideoSdkLog, |b| {
        done(videosdk::log(b, RECEIVED))
    }),
    target("meshflow_run", Form::Json, Seeds::MeshFlow, |b| report("run", b)),
    target("meshflow_spans", Form::Json, Seeds::MeshFlow, |b| {
        report("spans", b)
    }),
    target("meshflow_eval", Form::Json, Seeds::MeshFlow, |b| {
        report("eval", b)
    }),
    target("meshflow_mcp", Form::Json, Seeds::MeshFlow, |b| report("mcp", b)),
    target("meshflow_worker", Form::Json, Seeds::MeshFlow, |b| {
        report("worker", b)
    }),
    target("meshflow_events", Form::Json, Seeds::MeshFlow, |b| {
        done(meshflow::events(b, RECEIVED))
    }),
    target("mcp_mesh", Form::Json, Seeds::McpMesh, mesh),
    target("developer_logs", Form::Json, Seeds::Developer, |b| {
        done(developer::logs(b, false, RECEIVED))
    }),
    target("developer_lines", Form::Json, Seeds::Developer, |b| {
        done(developer::logs(b, true, RECEIVED))
    }),
    target("developer_frames", Form::Json, Seeds::Frames, |b| {
        done(developer::frames(b, RECEIVED))
    }),
    target("jaeger", Form::Json, Seeds::Jaeger, |b| done(jaeger::decode(b))),
    target("sniff", Form::Json, Seeds::TracesJson, |b| {
        usize::from(sniff(b).is_some())
    }),
    target("prices", Form::Json, Seeds::Prices, prices),
    target("query", Form::Bytes, Seeds::Query, query),
    target("columns", Form::Bytes, Seeds::Columns, stream_of_columns),
];

/// The same bytes at once and in packets lead to the same columns.
fn stream_of_columns(bytes: &[u8]) -> usize {
    let whole = columns::decode(bytes);
    let mut decoder = columns::Decoder::default();
    let packet = 1 + bytes.len() % 61;
    for packet in bytes.chunks(packet) {
        if decoder.push(packet).is_err() {
            break;
        }
    }
    let decoded = decoder.columns().clone();
    assert_eq!(
        decoder.finish(),
        whole,
        "packets of {packet} bytes decode differently"
    );
    // Whatever came in whole chunks can be asked for its parts.
    let rows = 0..decoded.len();
    rows.map(|row| decoded.events(row).len() + decoded.name(row).len())
        .sum::<usize>()
        + usize::from(whole.is_ok())
}

fn otlp(signal: Signal, encoding: Encoding, body: &[u8]) -> usize {
    done(decode(signal, encoding, body))
}

fn report(kind: &str, body: &[u8]) -> usize {
    Ingest::parse(kind).map_or(0, |kind| done(meshflow::ingest(kind, body, RECEIVED)))
}

/// What the receiver does with records, and what is shown of them.
fn done(decoded: Result<Decoded, DecodeError>) -> usize {
    let Ok(Decoded { mut batch, rejected }) = decoded else {
        return 0;
    };
    batch.spans.iter_mut().for_each(span);
    // Only of a span that is opened.
    std::hint::black_box(batch.spans.first().map(|entry| provenance(&entry.span)));
    for entry in &batch.logs {
        let record = &entry.record;
        std::hint::black_box(messages::of_log(
            &record.event_name,
            &record.body,
            &record.attributes,
        ));
    }
    for used in batch.points.iter_mut().filter_map(|entry| entry.usage.as_mut()) {
        PRICES.apply_usage(
            used.provider.as_deref(),
            used.model.as_deref(),
            &mut used.usage,
            0,
        );
    }
    std::hint::black_box(rejected.message());
    batch.len()
}

fn span(entry: &mut SpanEntry) {
    semconv::last_resort(&entry.span, &mut entry.facts);
    PRICES.apply(&mut entry.facts, entry.span.start_time);
    let (span, system) = (&entry.span, entry.facts.origin.system);
    let messages = messages::of_span(system, &span.name, &span.attributes, &span.events);
    std::hint::black_box((messages, span.duration(), mcp_mesh::standing(span)));
}

/// An entry of a stream, as the captures have it: `{"id", "fields"}`.
fn mesh(body: &[u8]) -> usize {
    let Ok(Value::Object(entry)) = serde_json::from_slice(body) else {
        return 0;
    };
    let fields = entry
        .get("fields")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    // In Redis every value is a string.
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields: Vec<_> = fields.map(|(key, value)| (key.clone(), text(value))).collect();
    let id = entry.get("id").map(text).unwrap_or_default();
    let Ok(mut entry) = mcp_mesh::decode(&id, &fields) else {
        return 0;
    };
    mcp_mesh::settle(&mut entry);
    span(&mut entry);
    1
}

fn prices(body: &[u8]) -> usize {
    let Ok(table) = PriceTable::parse(&String::from_utf8_lossy(body)) else {
        return 0;
    };
    let prices = Prices::built_in().with_own(table);
    let usage = meshscope_model::Usage {
        tokens: meshscope_model::Tokens {
            input: Some(i64::MAX),
            cached_input: Some(5),
            output: Some(7),
            ..meshscope_model::Tokens::default()
        },
        characters: Some(i64::MAX),
        audio_ns: Some(i64::MAX),
        batch: true,
        ..meshscope_model::Usage::default()
    };
    for model in ["gpt-4o", "m1", "", "claude-opus-4-20250514"] {
        std::hint::black_box(prices.cost(Some("openai"), model, &usage, 0));
    }
    1
}

fn query(body: &[u8]) -> usize {
    let params = Params::parse(&String::from_utf8_lossy(body));
    let read = [
        ListQuery::read(&params).map(|query| query.write().to_query()),
        LogQuery::read(&params).map(|query| query.write().to_query()),
        SeriesQuery::read(&params).map(|query| query.write().to_query()),
        UsageQuery::read(&params).map(|query| query.write().to_query()),
    ];
    read.iter().filter(|query| query.is_ok()).count()
}
