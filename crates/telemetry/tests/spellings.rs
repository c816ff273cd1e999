//! OTLP/JSON as it is spelled in the wild: every spelling means the same.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use meshscope_model::Batch;
use meshscope_telemetry::{Encoding, Signal, decode};
use serde_json::{Value, json};

fn read(signal: Signal, body: &Value) -> Batch {
    let decoded = decode(signal, Encoding::Json, body.to_string().as_bytes()).unwrap();
    assert_eq!(decoded.rejected.records, 0, "{body}: {:?}", decoded.rejected);
    decoded.batch
}

fn trace(span: Value) -> Value {
    json!({"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "s"}, "spans": [span]}]}]})
}

fn plain() -> Value {
    json!({"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "work", "kind": 3,
        "startTimeUnixNano": "1795220548168533800", "endTimeUnixNano": "1795220549168533800",
        "status": {"code": 2, "message": "no"}, "droppedAttributesCount": 1,
        "attributes": [{"key": "n", "value": {"intValue": "9007199254740993"}}, {"key": "x", "value": {"doubleValue": 2.0}}]})
}

/// The plain span with more fields over it.
fn with(more: Value) -> Value {
    let mut span = plain();
    for (key, value) in more.as_object().unwrap() {
        span[key] = value.clone();
    }
    span
}

#[test]
fn a_span_in_any_spelling_is_the_same_span() {
    let expected = read(Signal::Traces, &trace(plain()));
    for more in [
        json!({"kind": "SPAN_KIND_CLIENT", "status": {"code": "STATUS_CODE_ERROR", "message": "no"}}),
        json!({"traceId": "4BF92F3577B34DA6A3CE929D0E0E4736", "spanId": "00F067AA0BA902B7"}),
        json!({"traceId": "S/kvNXezTaajzpKdDg5HNg==", "spanId": "APBnqgupArc="}),
        json!({"traceId": "S_kvNXezTaajzpKdDg5HNg", "spanId": "APBnqgupArc"}),
        json!({"parentSpanId": ""}),
        json!({"parentSpanId": null, "events": null, "links": []}),
        json!({"parentSpanId": "0000000000000000"}),
        json!({"parentSpanId": "AAAAAAAAAAA="}),
        json!({"startTimeUnixNano": 1_795_220_548_168_533_800_i64, "endTimeUnixNano": 1_795_220_549_168_533_800_i64}),
        json!({"droppedAttributesCount": "1"}),
        json!({"attributes": [{"key": "n", "value": {"intValue": 9_007_199_254_740_993_i64}}, {"key": "x", "value": {"doubleValue": 2}}]}),
        json!({"aFieldOfTheFuture": {"deep": [1, 2]}}),
    ] {
        assert_eq!(
            read(Signal::Traces, &trace(with(more.clone()))),
            expected,
            "{more}"
        );
    }
    let snake: serde_json::Map<String, Value> = plain()
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| {
            let key = match key.as_str() {
                "traceId" => "trace_id",
                "spanId" => "span_id",
                "startTimeUnixNano" => "start_time_unix_nano",
                "endTimeUnixNano" => "end_time_unix_nano",
                "droppedAttributesCount" => "dropped_attributes_count",
                same => same,
            };
            (key.to_owned(), value.clone())
        })
        .collect();
    let body = json!({"resource_spans": [{"resource": {}, "scope_spans": [{"scope": {"name": "s"}, "spans": [snake]}]}]});
    assert_eq!(read(Signal::Traces, &body), expected);
    let group = trace(plain())["resourceSpans"][0].clone();
    assert_eq!(read(Signal::Traces, &group), expected);
}

#[test]
fn a_metric_in_any_spelling_is_the_same_metric() {
    let metric = |temporality: Value, value: Value, time: Value| {
        let exemplar = json!({"timeUnixNano": "5", "asInt": "3", "traceId": "S/kvNXezTaajzpKdDg5HNg==", "spanId": "00f067aa0ba902b7"});
        json!({"resource": {"attributes": []}, "scopeMetrics": [{"metrics": [{"name": "input_tokens", "unit": "tokens", "sum": {
            "aggregationTemporality": temporality, "isMonotonic": true,
            "dataPoints": [{"timeUnixNano": time, "asInt": value, "exemplars": [exemplar]}]}}]}]})
    };
    let plain = metric(json!(1), json!("100"), json!("7"));
    let expected = read(Signal::Metrics, &json!({"resourceMetrics": [plain]}));
    let named = metric(json!("AGGREGATION_TEMPORALITY_DELTA"), json!(100), json!(7));
    for body in [
        json!({"resourceMetrics": [named]}),
        // A request of one group, as the developer stream has it: the group itself, or under `resource`.
        named.clone(),
        json!({"resource": named}),
        json!({"resourceMetrics": named}),
    ] {
        assert_eq!(read(Signal::Metrics, &body), expected, "{body}");
    }
}

#[test]
fn a_log_record_in_any_spelling_is_the_same_record() {
    let body = |record: Value| json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    let record = |severity: Value, time: Value, trace: &str| {
        json!({"timeUnixNano": time, "severityNumber": severity, "severityText": "WARN", "traceId": trace,
            "body": {"kvlistValue": {"values": [{"key": "k", "value": {"bytesValue": "AQI="}}]}}})
    };
    let hex = "4bf92f3577b34da6a3ce929d0e0e4736";
    let expected = read(Signal::Logs, &body(record(json!(13), json!("5"), hex)));
    for other in [
        record(json!("SEVERITY_NUMBER_WARN"), json!(5), hex),
        record(json!("13"), json!("5"), "S/kvNXezTaajzpKdDg5HNg=="),
    ] {
        assert_eq!(read(Signal::Logs, &body(other.clone())), expected, "{other}");
    }
}

#[test]
fn what_is_no_spelling_of_an_id_names_the_field() {
    for (more, field) in [
        (json!({"traceId": "xyz"}), "traceId must be 32 hexadecimal digits"),
        (json!({"spanId": "00f067aa0ba902b7aa"}), "span_id must be 8 bytes"),
        (
            json!({"kind": "CLIENTELE"}),
            "kind must be an enum's number or name",
        ),
        (
            json!({"startTimeUnixNano": -5}),
            "startTimeUnixNano must be an integer from 0",
        ),
    ] {
        let body = trace(with(more)).to_string();
        let decoded = decode(Signal::Traces, Encoding::Json, body.as_bytes()).unwrap();
        assert_eq!(decoded.rejected.records, 1);
        let message = decoded.rejected.message();
        assert!(message.contains(field), "{message}");
    }
}
