//! A bad record costs only itself, and the message names it and says what would be right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

use meshscope_model::AttributeValue;
use meshscope_telemetry::otlp::{encode_traces, response};
use meshscope_telemetry::{Body, sniff};
use meshscope_telemetry::{Encoding, Signal, decode};
use proptest::prelude::*;
use serde_json::json;

fn span(id: &str, more: serde_json::Value) -> serde_json::Value {
    let mut span = json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": id, "name": "work",
        "startTimeUnixNano": "1795220548168533800", "endTimeUnixNano": "1795220549168533800",
    });
    for (key, value) in more.as_object().unwrap() {
        span[key] = value.clone();
    }
    span
}

fn body(spans: &[serde_json::Value]) -> Vec<u8> {
    json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": spans}]}]})
        .to_string()
        .into_bytes()
}

#[test]
fn one_bad_span_costs_only_itself() {
    for (bad, word) in [
        (json!({"traceId": ""}), "trace_id must be 16 bytes"),
        (
            json!({"traceId": "00000000000000000000000000000000"}),
            "16 zero bytes",
        ),
        (json!({"spanId": "abcd"}), "span_id must be 8 bytes"),
        (
            json!({"spanId": 7}),
            "spanId must be 16 hexadecimal digits, got 7",
        ),
        (
            json!({"startTimeUnixNano": "18446744073709551615"}),
            "after the year 2262",
        ),
        (
            json!({"startTimeUnixNano": "soon"}),
            "startTimeUnixNano must be an integer",
        ),
        (
            json!({"attributes": [{"key": "a", "value": {"intValue": "x"}}]}),
            "attributes.value.intValue",
        ),
        (json!({"name": {"a": 1}}), "name must be a string"),
    ] {
        let good = span("00f067aa0ba902b7", json!({}));
        let bytes = body(&[span("00f067aa0ba902b8", bad), good]);
        let decoded = decode(Signal::Traces, Encoding::Json, &bytes).unwrap();
        assert_eq!(decoded.batch.spans.len(), 1, "{word}");
        assert_eq!(decoded.rejected.records, 1);
        let message = decoded.rejected.message();
        assert!(
            message.starts_with("span 1") && message.contains(word),
            "{message}"
        );
        let answer = String::from_utf8(response(Signal::Traces, Encoding::Json, &decoded.rejected)).unwrap();
        assert!(answer.contains("\"rejectedSpans\":\"1\""), "{answer}");
    }
}

#[test]
fn odd_but_possible_spans_are_kept_as_they_are() {
    let deep = (0..20).fold(
        json!({"stringValue": "\u{0}<script>"}),
        |v, _| json!({"arrayValue": {"values": [v]}}),
    );
    let odd = json!({
        "endTimeUnixNano": "5", "kind": "SPAN_KIND_CLIENT", "status": {"code": "STATUS_CODE_ERROR"},
        "attributes": [
            {"key": "nan", "value": {"doubleValue": "NaN"}}, {"key": "inf", "value": {"doubleValue": "-Infinity"}},
            {"key": "same", "value": {"intValue": 1}}, {"key": "same", "value": {"intValue": "2"}},
            {"key": "deep", "value": deep}, {"key": "nothing", "value": {}}
        ]
    });
    let decoded = decode(
        Signal::Traces,
        Encoding::Json,
        &body(&[span("00f067aa0ba902b7", odd)]),
    )
    .unwrap();
    let span = &decoded.batch.spans[0].span;
    assert_eq!(
        (span.end_time, span.duration(), span.attributes.len()),
        (Some(5), 0, 6)
    );
    assert!(matches!(span.attributes.get("nan"), Some(AttributeValue::Double(x)) if x.is_nan()));
    assert_eq!(span.attributes.get("nothing"), Some(&AttributeValue::Empty));
    let protobuf = encode_traces(std::slice::from_ref(span));
    let again = decode(Signal::Traces, Encoding::Protobuf, &protobuf).unwrap();
    assert_eq!(format!("{:?}", again.batch.spans[0].span), format!("{span:?}"));
}

#[test]
fn values_that_nest_without_end_are_refused() {
    let deep = (0..80).fold(
        json!({"intValue": 1}),
        |v, _| json!({"arrayValue": {"values": [v]}}),
    );
    // serde_json itself stops at 128 levels, and that is the whole body's end.
    let kept = decode(
        Signal::Traces,
        Encoding::Json,
        &body(&[span(
            "00f067aa0ba902b7",
            json!({"attributes": [{"key": "deep", "value": deep}]}),
        )]),
    );
    assert!(kept.is_err() || kept.is_ok_and(|d| d.batch.spans.is_empty() && d.rejected.records == 1));
}

#[test]
fn text_that_is_not_utf8_is_repaired_and_said() {
    let kept = decode(
        Signal::Traces,
        Encoding::Json,
        &body(&[span("00f067aa0ba902b7", json!({}))]),
    )
    .unwrap();
    let mut span = kept.batch.spans[0].span.clone();
    span.name = "wXrk".to_owned();
    let mut bytes = encode_traces(&[span]);
    let at = bytes.windows(4).position(|w| w == b"wXrk").unwrap();
    bytes[at + 1] = 0xff;
    let decoded = decode(Signal::Traces, Encoding::Protobuf, &bytes).unwrap();
    assert_eq!(decoded.batch.spans[0].span.name, "w\u{fffd}rk");
    assert_eq!(decoded.rejected.records, 0);
    assert!(decoded.rejected.message().contains("UTF-8"));
}

#[test]
fn ids_come_in_hex_and_base64_and_enums_in_both_spellings() {
    let developer = span(
        "APBnqgupArc=",
        json!({"traceId": "S/kvNXezTaajzpKdDg5HNg==", "kind": 3}),
    );
    let decoded = decode(Signal::Traces, Encoding::Json, &body(&[developer])).unwrap();
    let span = &decoded.batch.spans[0].span;
    assert_eq!(span.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span.span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(span.kind.as_str(), "client");
}

#[test]
fn a_foreign_body_is_an_error_that_says_what_was_expected() {
    let error = decode(Signal::Traces, Encoding::Json, b"{\"data\":[]}")
        .unwrap_err()
        .to_string();
    assert!(error.contains("resourceSpans"), "{error}");
    assert!(decode(Signal::Logs, Encoding::Json, b"[]").is_err());
    assert_eq!(
        decode(Signal::Logs, Encoding::Protobuf, b"").unwrap().batch.len(),
        0
    );
    assert_eq!(sniff(br#"{"resource_logs":[]}"#), Some(Body::Otlp(Signal::Logs)));
    assert_eq!(sniff(br#"{"logs":"INFO"}"#), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
            for encoding in [Encoding::Protobuf, Encoding::Json] {
                if let Ok(decoded) = decode(signal, encoding, &bytes) {
                    prop_assert!(decoded.batch.len() <= bytes.len());
                }
            }
        }
    }
}
