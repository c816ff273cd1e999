//! Bytes of the real clients decode without loss, by the count of an independent decoder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

use meshscope_model::{Attributes, PointValue, Tokens};
use meshscope_telemetry::{Decoded, Encoding, Signal, decode};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");

/// Files of the captures with this ending, with the signal that their name says.
fn files(ending: &str) -> Vec<(PathBuf, Signal)> {
    let mut found = Vec::new();
    for system in std::fs::read_dir(CAPTURES).expect("the captures stand beside the checkout") {
        for file in std::fs::read_dir(system.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let signals = [
                ("-traces", Signal::Traces),
                ("-logs", Signal::Logs),
                ("-metrics", Signal::Metrics),
            ];
            if let Some((_, signal)) = signals.into_iter().find(|(word, _)| name.contains(word))
                && name.ends_with(ending)
            {
                found.push((path, signal));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!found.is_empty());
    found
}

/// What is counted: records, attributes, events or exemplars, links.
#[derive(Debug, PartialEq, Default)]
struct Counts {
    records: usize,
    attributes: usize,
    events: usize,
    links: usize,
}

fn ours(decoded: &Decoded) -> Counts {
    let mut counts = Counts::default();
    let mut add = |attributes: &Attributes| counts.attributes += attributes.len();
    for entry in &decoded.batch.spans {
        add(&entry.span.attributes);
        entry.span.events.iter().for_each(|event| add(&event.attributes));
        entry.span.links.iter().for_each(|link| add(&link.attributes));
    }
    decoded
        .batch
        .logs
        .iter()
        .for_each(|entry| add(&entry.record.attributes));
    decoded
        .batch
        .points
        .iter()
        .for_each(|entry| add(&entry.point.attributes));
    counts.records = decoded.batch.len();
    counts.events = decoded
        .batch
        .spans
        .iter()
        .map(|entry| entry.span.events.len())
        .sum::<usize>()
        + decoded
            .batch
            .points
            .iter()
            .map(|entry| entry.point.exemplars.len())
            .sum::<usize>();
    counts.links = decoded
        .batch
        .spans
        .iter()
        .map(|entry| entry.span.links.len())
        .sum();
    counts
}

fn theirs(signal: Signal, bytes: &[u8]) -> Counts {
    let mut counts = Counts::default();
    match signal {
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(bytes).unwrap();
            for span in request
                .resource_spans
                .iter()
                .flat_map(|r| &r.scope_spans)
                .flat_map(|s| &s.spans)
            {
                counts.records += 1;
                counts.events += span.events.len();
                counts.links += span.links.len();
                counts.attributes += span.attributes.len()
                    + span
                        .events
                        .iter()
                        .map(|event| event.attributes.len())
                        .sum::<usize>()
                    + span.links.iter().map(|link| link.attributes.len()).sum::<usize>();
            }
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(bytes).unwrap();
            for record in request
                .resource_logs
                .iter()
                .flat_map(|r| &r.scope_logs)
                .flat_map(|s| &s.log_records)
            {
                counts.records += 1;
                counts.attributes += record.attributes.len();
            }
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(bytes).unwrap();
            let metrics = request
                .resource_metrics
                .iter()
                .flat_map(|r| &r.scope_metrics)
                .flat_map(|s| &s.metrics);
            for data in metrics.filter_map(|metric| metric.data.as_ref()) {
                let mut add = |attributes: usize, exemplars: usize| {
                    counts.records += 1;
                    counts.attributes += attributes;
                    counts.events += exemplars;
                };
                match data {
                    Data::Gauge(d) => d
                        .data_points
                        .iter()
                        .for_each(|p| add(p.attributes.len(), p.exemplars.len())),
                    Data::Sum(d) => d
                        .data_points
                        .iter()
                        .for_each(|p| add(p.attributes.len(), p.exemplars.len())),
                    Data::Histogram(d) => {
                        d.data_points
                            .iter()
                            .for_each(|p| add(p.attributes.len(), p.exemplars.len()));
                    }
                    Data::ExponentialHistogram(d) => {
                        d.data_points
                            .iter()
                            .for_each(|p| add(p.attributes.len(), p.exemplars.len()));
                    }
                    Data::Summary(d) => d.data_points.iter().for_each(|p| add(p.attributes.len(), 0)),
                }
            }
        }
    }
    counts
}

#[test]
fn protobuf_captures_decode_without_loss() {
    for (path, signal) in files(".pb") {
        let bytes = std::fs::read(&path).unwrap();
        let decoded = decode(signal, Encoding::Protobuf, &bytes).unwrap();
        assert_eq!(ours(&decoded), theirs(signal, &bytes), "{}", path.display());
        assert_eq!(
            decoded.rejected.records,
            0,
            "{}: {:?}",
            path.display(),
            decoded.rejected
        );
    }
}

/// Counts in OTLP/JSON by walking it: every object under the key of a signal's records.
fn in_json(value: &Value, counts: &mut Counts, within: bool) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let items = value.as_array().map_or(0, Vec::len);
                match key.as_str() {
                    "spans" | "logRecords" | "dataPoints" => counts.records += items,
                    "events" => counts.events += items,
                    "links" => counts.links += items,
                    "attributes" if within => counts.attributes += items,
                    _ => {}
                }
                in_json(
                    value,
                    counts,
                    within || matches!(key.as_str(), "spans" | "logRecords" | "dataPoints"),
                );
            }
        }
        Value::Array(items) => items.iter().for_each(|item| in_json(item, counts, within)),
        _ => {}
    }
}

#[test]
fn json_captures_decode_without_loss() {
    let mut seen = 0;
    for ending in [".raw.json", "-traces.json", "-logs.json", "-metrics.json"] {
        for (path, signal) in files(ending) {
            let bytes = std::fs::read(&path).unwrap();
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            let key = format!(
                "resource{}{}",
                &signal.as_str()[..1].to_uppercase(),
                &signal.as_str()[1..]
            );
            let key = key.replace("Traces", "Spans");
            if value.get(&key).is_none() {
                // VideoSDK's own JSON, which is not OTLP and says so.
                assert!(
                    decode(signal, Encoding::Json, &bytes).is_err(),
                    "{}",
                    path.display()
                );
                continue;
            }
            seen += 1;
            let mut expected = Counts::default();
            in_json(&value, &mut expected, false);
            let mut found = ours(&decode(signal, Encoding::Json, &bytes).unwrap());
            if signal == Signal::Metrics {
                found.events = 0;
            }
            assert_eq!(found, expected, "{}", path.display());
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn a_capture_cut_anywhere_neither_panics_nor_loses_silently() {
    for (path, signal) in files(".pb") {
        let bytes = std::fs::read(&path).unwrap();
        let whole = decode(signal, Encoding::Protobuf, &bytes).unwrap().batch.len();
        for end in (0..bytes.len()).step_by(1 + bytes.len() / 400) {
            if let Ok(decoded) = decode(signal, Encoding::Protobuf, &bytes[..end]) {
                assert!(
                    decoded.batch.len() < whole || end == bytes.len(),
                    "{} cut at {end}",
                    path.display()
                );
            }
        }
    }
}

fn read(name: &str) -> Decoded {
    let signal = if name.contains("-traces") {
        Signal::Traces
    } else if name.contains("-logs") {
        Signal::Logs
    } else {
        Signal::Metrics
    };
    let encoding = if name.ends_with(".pb") {
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

fn tokens(decoded: &[Decoded]) -> Tokens {
    let spans = decoded
        .iter()
        .flat_map(|d| &d.batch.spans)
        .filter_map(|entry| entry.facts.usage.as_ref());
    let points = decoded
        .iter()
        .flat_map(|d| &d.batch.points)
        .filter_map(|entry| entry.usage.as_ref());
    let usages = spans
        .filter(|usage| !usage.claim)
        .chain(points.map(|point| &point.usage));
    usages.fold(Tokens::default(), |sum, usage| sum.plus(&usage.tokens))
}

fn sessions(decoded: &[Decoded]) -> BTreeSet<String> {
    let spans = decoded.iter().flat_map(|d| &d.batch.spans);
    spans
        .filter_map(|entry| entry.facts.origin.session.clone())
        .collect()
}

#[test]
fn meshagent_is_one_session_with_three_calls() {
    let names = [
        "0006-logs",
        "0007-metrics",
        "0008-logs",
        "0009-logs",
        "0010-metrics",
        "0011-traces",
    ];
    let decoded: Vec<_> = names
        .iter()
        .map(|name| read(&format!("meshagent/{name}.pb")))
        .collect();
    assert_eq!(sessions(&decoded), BTreeSet::from(["sess-def".to_owned()]));
    let sum = tokens(&decoded);
    assert_eq!(
        (sum.input, sum.cached_input, sum.output, sum.total),
        (Some(369), Some(69), Some(135), Some(504))
    );
    let spans: Vec<_> = decoded.iter().flat_map(|d| &d.batch.spans).collect();
    assert_eq!(spans.len(), 77);
    assert!(
        spans
            .iter()
            .all(|entry| entry.facts.origin.room.as_deref() == Some("gettingstarted"))
    );
    assert!(
        spans
            .iter()
            .all(|entry| entry.facts.origin.project.as_deref() == Some("proj-123"))
    );
    assert!(spans.iter().all(|entry| entry.facts.error.is_none()));
    let tools: Vec<_> = spans
        .iter()
        .filter_map(|entry| entry.facts.tool.as_deref())
        .collect();
    assert_eq!(tools, ["weather-toolkit/get_weather"]);
    let mut first: Vec<_> = spans
        .iter()
        .filter_map(|entry| entry.facts.time_to_first_token)
        .collect();
    first.sort_unstable();
    let tenths: Vec<_> = first.iter().map(|ns| (*ns + 50_000) / 100_000).collect();
    assert_eq!(tenths, [1926, 21286]);
}

#[test]
fn videosdk_reads_numbers_in_strings_and_errors_behind_an_ok() {
    let decoded = [read("videosdk/0047-traces.pb")];
    assert_eq!(sessions(&decoded), BTreeSet::from(["65f0-session".to_owned()]));
    assert_eq!(tokens(&decoded).total, Some(300));
    let spans = &decoded[0].batch.spans;
    assert_eq!(spans.len(), 28);
    let llm = spans
        .iter()
        .filter(|entry| entry.span.name.ends_with("LLM Processing"));
    let errors: Vec<_> = llm.map(|entry| entry.facts.error.clone()).collect();
    assert_eq!(errors.iter().flatten().count(), 1, "{errors:?}");
    assert!(
        errors.iter().flatten().all(|error| error.contains("429")),
        "{errors:?}"
    );
    assert!(
        spans
            .iter()
            .any(|entry| entry.facts.tool.as_deref() == Some("get_weather"))
    );
    assert!(
        spans
            .iter()
            .any(|entry| entry.facts.provider.as_deref() == Some("openai"))
    );
    assert!(
        spans
            .iter()
            .any(|entry| entry.facts.origin.agent.as_deref() == Some("Haley"))
    );
}

#[test]
fn meshflow_steps_carry_their_real_duration_and_tokens() {
    let decoded = [read("meshflow/0008-traces.pb")];
    assert_eq!(tokens(&decoded).total, Some(265));
    let longest = decoded[0]
        .batch
        .spans
        .iter()
        .filter_map(|entry| entry.facts.reported_duration)
        .max();
    assert_eq!(longest.map(|ns| (ns + 50_000) / 100_000), Some(209));
    let failing = [
        read("meshflow/0007-traces.raw.json"),
        read("meshflow/0006-traces.raw.json"),
    ];
    let blocked: Vec<_> = failing
        .iter()
        .flat_map(|d| &d.batch.spans)
        .filter(|e| e.facts.blocked)
        .collect();
    assert_eq!(blocked.len(), 1);
    assert_eq!(blocked[0].facts.error.as_deref(), Some("node_exception:boom"));
    let cost: i64 = failing
        .iter()
        .flat_map(|d| &d.batch.spans)
        .filter_map(|entry| entry.facts.usage.as_ref()?.cost_pico_usd)
        .sum();
    assert_eq!(cost, 1_200_000_000);
}

#[test]
fn dexto_counts_all_input_and_finds_the_failed_tool() {
    let decoded = [read("dexto/0001-traces.raw.json")];
    assert_eq!(decoded[0].batch.spans.len(), 224);
    let sum = tokens(&decoded);
    assert_eq!(
        (sum.input, sum.cached_input, sum.output, sum.total),
        (Some(615), Some(115), Some(225), Some(840))
    );
    assert_eq!(sessions(&decoded).len(), 2);
    let failed: BTreeSet<_> = decoded[0]
        .batch
        .spans
        .iter()
        .filter(|entry| entry.facts.error.is_some())
        .filter_map(|entry| entry.facts.tool.clone())
        .collect();
    assert_eq!(failed, BTreeSet::from(["bad_tool".to_owned()]));
    let shown = decoded[0]
        .batch
        .spans
        .iter()
        .filter(|entry| !entry.facts.noise)
        .count();
    // The failed method of a tool is shown although such methods are folded.
    assert_eq!(shown, 70, "about a third of 224 is worth showing");
}

#[test]
fn the_conventions_name_agents_models_and_claims() {
    let genai = [read("reference/0006-traces.pb")];
    assert_eq!(sessions(&genai), BTreeSet::from(["conv-123".to_owned()]));
    let spans = &genai[0].batch.spans;
    assert!(
        spans
            .iter()
            .any(|entry| { entry.facts.error.as_deref().is_some() })
    );
    assert!(
        spans
            .iter()
            .any(|entry| entry.facts.tool.as_deref() == Some("get_weather"))
    );
    let openinference = [read("reference/0001-traces.pb")];
    assert_eq!(sessions(&openinference), BTreeSet::from(["sess-77".to_owned()]));
    assert_eq!(tokens(&openinference).total.map(|n| n % 168), Some(0));
}

#[test]
fn cumulative_series_carry_no_usage() {
    let decoded = [
        read("reference/0007-metrics.pb"),
        read("reference/0009-metrics.pb"),
    ];
    assert!(
        decoded
            .iter()
            .flat_map(|d| &d.batch.points)
            .all(|entry| entry.usage.is_none())
    );
    assert!(
        decoded
            .iter()
            .flat_map(|d| &d.batch.points)
            .any(|e| matches!(e.point.value, PointValue::Histogram(_)))
    );
}
