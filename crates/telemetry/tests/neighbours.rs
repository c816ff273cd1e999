//! What is wrong in one place costs only that place: a resource's attribute, a metric, a value
//! that nests too deep, an id; and what we write ourselves loses nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "any_request/dice.rs"]
#[allow(dead_code)]
mod dice;

use dice::Dice;
use meshscope_model::{Batch, LogRecord, MetricPoint, Span};
use meshscope_telemetry::otlp::{encode_logs, encode_metrics, encode_traces};
use meshscope_telemetry::{Body, sniff};
use meshscope_telemetry::{Decoded, Encoding, Signal, decode};
use prost::Message;
use serde_json::{Value, json};

fn read(signal: Signal, body: &Value) -> Decoded {
    decode(signal, Encoding::Json, body.to_string().as_bytes()).expect("the frame is whole")
}

fn span(more: &Value) -> Value {
    let mut span = json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "work",
        "startTimeUnixNano": "5", "endTimeUnixNano": "6",
    });
    for (key, value) in more.as_object().unwrap() {
        span[key] = value.clone();
    }
    span
}

fn traces(resource: &Value, spans: &[Value]) -> Value {
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
}

fn gauge(name: &Value) -> Value {
    json!({"name": name, "gauge": {"dataPoints": [{"timeUnixNano": "5", "asInt": "1"}, {"timeUnixNano": "6", "asInt": "2"}]}})
}

#[test]
fn a_bad_field_in_json_costs_its_span_and_names_it() {
    let deep = (0..80).fold(
        json!({"intValue": 1}),
        |v, _| json!({"arrayValue": {"values": [v]}}),
    );
    for (bad, word) in [
        (
            json!({"attributes": [{"key": "a", "value": {"intValue": "18446744073709551615"}}]}),
            "64 bits",
        ),
        (
            json!({"attributes": [{"key": "a", "value": deep}]}),
            "nested too deep",
        ),
        (json!({"spanId": "+1+2+3+4+5+6+7+8"}), "hexadecimal"),
        (json!({"startTimeUnixNano": "-5"}), "an integer from 0"),
        (json!({"droppedLinksCount": 4294967296_u64}), "4294967295"),
    ] {
        let decoded = read(
            Signal::Traces,
            &traces(&json!({}), &[span(&json!({})), span(&bad)]),
        );
        assert_eq!(
            (decoded.batch.spans.len(), decoded.rejected.records),
            (1, 1),
            "{word}"
        );
        let message = decoded.rejected.message();
        assert!(
            message.contains("span 2 \"work\"") && message.contains(word),
            "{message}"
        );
    }
}

#[test]
fn a_bad_attribute_of_the_resource_costs_only_itself() {
    let resource = json!({"attributes": [{"key": "a", "value": {"intValue": "x"}}, {"key": "b", "value": {"intValue": 1}}]});
    let decoded = read(Signal::Traces, &traces(&resource, &[span(&json!({}))]));
    let resource = &decoded.batch.spans[0].span.resource;
    assert_eq!(
        (resource.attributes.len(), resource.attributes.i64("b")),
        (1, Some(1))
    );
    assert!(decoded.rejected.message().contains("intValue"));
    assert_eq!(decoded.rejected.records, 0);
}

#[test]
fn a_bad_metric_costs_its_own_points() {
    let metrics = [gauge(&json!(7)), gauge(&json!("good"))];
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]});
    let decoded = read(Signal::Metrics, &body);
    assert_eq!((decoded.batch.points.len(), decoded.rejected.records), (2, 2));

    let framed = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let point = framed(1, &[0x19, 5, 0, 0, 0, 0, 0, 0, 0]);
    let good = [framed(1, b"good"), framed(5, &point)].concat();
    let cut = [
        framed(1, b"bad"),
        framed(5, &point),
        framed(5, &point),
        vec![0x12, 0x7f],
    ]
    .concat();
    let body = framed(1, &framed(2, &[framed(2, &cut), framed(2, &good)].concat()));
    let decoded = decode(Signal::Metrics, Encoding::Protobuf, &body).unwrap();
    assert_eq!((decoded.batch.points.len(), decoded.rejected.records), (1, 2));
    assert!(decoded.rejected.message().contains("metric \"bad\""));
}

#[test]
fn a_group_that_stands_alone_is_read() {
    let bare = json!({"resource": {"attributes": []}, "scopeMetrics": [{"metrics": [gauge(&json!("g"))]}]});
    for body in [
        bare.clone(),
        json!({"resource": bare}),
        json!({"resource_metrics": [bare]}),
    ] {
        assert_eq!(read(Signal::Metrics, &body).batch.points.len(), 2);
        assert_eq!(
            sniff(body.to_string().as_bytes()),
            Some(Body::Otlp(Signal::Metrics))
        );
    }
}

#[test]
fn a_record_that_points_nowhere_is_kept() {
    let record = json!({"timeUnixNano": "5", "body": {"stringValue": "x"}, "traceId": "abcd", "spanId": "00f067aa0ba902b7"});
    let decoded = read(
        Signal::Logs,
        &json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}),
    );
    let record = &decoded.batch.logs[0].record;
    assert_eq!((record.trace_id, record.span_id.is_some()), (None, true));
    assert!(decoded.rejected.message().contains("trace_id"));
}

#[test]
fn groups_are_stepped_over() {
    // Group 100 with a field and a group within, as its own writer would add it.
    let group = [0xa3, 0x06, 0x08, 0x01, 0x0b, 0x0c, 0xa4, 0x06];
    let request = |span: &[u8]| {
        let framed = |bytes: &[u8]| {
            let mut field = vec![0x12];
            prost::encoding::encode_varint(bytes.len() as u64, &mut field);
            [&field, bytes].concat()
        };
        let mut body = framed(&framed(&framed(span)));
        body[0] = 0x0a;
        body
    };
    let span = Dice::new(3).span().encode_to_vec();
    let read = |span: Vec<u8>| decode(Signal::Traces, Encoding::Protobuf, &request(&span)).unwrap();
    assert_eq!(read([span.clone(), group.to_vec()].concat()).batch.spans.len(), 1);
    let unended = read([span, group[..6].to_vec()].concat());
    assert_eq!((unended.batch.spans.len(), unended.rejected.records), (0, 1));
}

#[test]
fn what_we_write_loses_nothing() {
    let again = |signal, bytes: &[u8]| decode(signal, Encoding::Protobuf, bytes).unwrap().batch;
    let spans = |batch: &Batch| -> Vec<Span> { batch.spans.iter().map(|entry| entry.span.clone()).collect() };
    let logs =
        |batch: &Batch| -> Vec<LogRecord> { batch.logs.iter().map(|entry| entry.record.clone()).collect() };
    let points = |batch: &Batch| -> Vec<MetricPoint> {
        batch.points.iter().map(|entry| entry.point.clone()).collect()
    };
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        dice.finite = true;
        let sent = spans(&again(Signal::Traces, &dice.traces().encode_to_vec()));
        assert_eq!(spans(&again(Signal::Traces, &encode_traces(&sent))), sent);
        let sent = logs(&again(Signal::Logs, &dice.logs().encode_to_vec()));
        assert_eq!(logs(&again(Signal::Logs, &encode_logs(&sent))), sent);
        let sent = points(&again(Signal::Metrics, &dice.metrics().encode_to_vec()));
        assert_eq!(points(&again(Signal::Metrics, &encode_metrics(&sent))), sent);
    }
}
