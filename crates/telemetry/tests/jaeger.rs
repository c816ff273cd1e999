//! Jaeger's JSON: what its API answers and its page saves.

#![allow(missing_docs, clippy::unwrap_used)]

use meshscope_model::{AttributeValue, Attributes, KeyValue, Link, Span, SpanKind, StatusCode};
use meshscope_telemetry::{Encoding, Signal, decode, jaeger, sniff};
use serde_json::{Value, json};

fn span(id: &str, more: &Value) -> Value {
    let mut span = json!({
        "traceID": "8f3c2a1b00000001", "spanID": id, "flags": 1, "operationName": "GET /cart", "references": [],
        "startTime": 1_795_220_548_168_533_i64, "duration": 1500, "tags": [], "logs": [], "processID": "p1",
        "warnings": null,
    });
    for (key, value) in more.as_object().unwrap() {
        span[key] = value.clone();
    }
    span
}

fn trace(spans: &[Value]) -> Vec<u8> {
    let processes =
        json!({"p1": {"serviceName": "cart", "tags": [{"key": "host", "type": "string", "value": "h1"}]}});
    json!({"data": [{"traceID": "8f3c2a1b00000001", "spans": spans, "processes": processes, "warnings": null}],
        "total": 0, "limit": 0, "offset": 0, "errors": null})
    .to_string()
    .into_bytes()
}

#[test]
fn a_trace_is_read_with_all_that_it_says() {
    let more = json!({
        "references": [
            {"refType": "CHILD_OF", "traceID": "8f3c2a1b00000001", "spanID": "a1"},
            {"refType": "FOLLOWS_FROM", "traceID": "00000000000000010000000000000002", "spanID": "b2"},
        ],
        "tags": [
            {"key": "span.kind", "type": "string", "value": "client"},
            {"key": "http.status_code", "type": "int64", "value": 503},
            {"key": "big", "type": "int64", "value": "9223372036854775807"},
            {"key": "ratio", "type": "float64", "value": 1},
            {"key": "cached", "type": "bool", "value": true},
            {"key": "raw", "type": "binary", "value": "AQI="},
            {"key": "error", "type": "bool", "value": true},
            {"key": "otel.status_code", "type": "string", "value": "ERROR"},
            {"key": "otel.status_description", "type": "string", "value": "no stock"},
            {"key": "otel.scope.name", "type": "string", "value": "shop"},
            {"key": "otel.scope.version", "type": "string", "value": "1.2"},
            {"key": "w3c.tracestate", "type": "string", "value": "a=b"},
        ],
        "logs": [{"timestamp": 1_795_220_548_168_600_i64, "fields": [
            {"key": "event", "type": "string", "value": "retry"}, {"key": "attempt", "type": "int64", "value": 2},
        ]}],
    });
    let body = trace(&[span("00000000000000c3", &more)]);
    assert_eq!(sniff(&body), Some(meshscope_telemetry::Body::Jaeger));
    let decoded = jaeger::decode(&body).unwrap();
    assert_eq!(decoded.rejected.records, 0);
    let read = &decoded.batch.spans[0].span;
    // Ids of 64 bits are ids of 128 bits with zeros before them.
    assert_eq!(read.trace_id.to_string(), "00000000000000008f3c2a1b00000001");
    assert_eq!(read.parent_span_id.unwrap().to_string(), "00000000000000a1");
    assert_eq!(read.links[0].span_id.to_string(), "00000000000000b2");
    assert_eq!(
        (read.start_time, read.duration()),
        (1_795_220_548_168_533_000, 1_500_000)
    );
    assert_eq!((read.kind, read.name.as_str()), (SpanKind::Client, "GET /cart"));
    assert_eq!(read.status.code, StatusCode::Error);
    assert_eq!(read.status.message, "no stock");
    assert_eq!(
        (read.scope.name.as_str(), read.scope.version.as_str()),
        ("shop", "1.2")
    );
    assert_eq!((read.trace_state.as_str(), read.flags), ("a=b", 1));
    assert_eq!(read.resource.service(), "cart");
    assert_eq!(read.resource.attributes.str("host"), Some("h1"));
    let value = |key: &str| read.attributes.get(key).cloned();
    assert_eq!(value("http.status_code"), Some(AttributeValue::Int(503)));
    assert_eq!(value("big"), Some(AttributeValue::Int(i64::MAX)));
    assert_eq!(value("ratio"), Some(AttributeValue::Double(1.0)));
    assert_eq!(value("cached"), Some(AttributeValue::Bool(true)));
    assert_eq!(value("raw"), Some(AttributeValue::Bytes(vec![1, 2])));
    assert_eq!(value("span.kind"), None);
    assert_eq!(
        (
            read.events[0].name.as_str(),
            read.events[0].attributes.i64("attempt")
        ),
        ("retry", Some(2))
    );
    assert_eq!(read.events[0].time, 1_795_220_548_168_600_000);
    assert_eq!(decoded.batch.spans[0].facts.error.as_deref(), Some("no stock"));
}

#[test]
fn what_is_wrong_is_named_by_field_and_costs_only_its_span() {
    for (more, named) in [
        (
            json!({"spanID": "xyz"}),
            "spanID must be up to 16 hexadecimal digits",
        ),
        (
            json!({"traceID": "0"}),
            "traceID must be up to 32 hexadecimal digits",
        ),
        (
            json!({"startTime": "noon"}),
            "startTime must be a whole number of microseconds",
        ),
        (json!({"duration": -1}), "duration must be"),
        (json!({"startTime": i64::MAX}), "startTime must be"),
        (
            json!({"processID": "p9"}),
            "processID must name one of the trace's processes, got \"p9\"",
        ),
        (json!({"tags": {}}), "tags must be an array"),
        (
            json!({"tags": [{"key": "n", "type": "int64", "value": "many"}]}),
            "tags[0].value (n) does not fit its type",
        ),
        (json!({"logs": [{"fields": []}]}), "logs[0].timestamp must be"),
        (
            json!({"references": [{"spanID": "1"}]}),
            "references[0].traceID must be",
        ),
    ] {
        let decoded = jaeger::decode(&trace(&[span("1", &more), span("2", &json!({}))])).unwrap();
        let said = decoded.rejected.message();
        assert_eq!(
            (decoded.rejected.records, decoded.batch.spans.len()),
            (1, 1),
            "{said}"
        );
        assert!(
            said.starts_with("span 1 of trace 8f3c2a1b00000001 was left out: "),
            "{said}"
        );
        assert!(said.contains(named), "{said}");
    }
    let body = br#"{"data":[{"traceID":"1"},{"traceID":"2","spans":[],"processes":{}}]}"#;
    let said = jaeger::decode(body).unwrap().rejected.message();
    assert_eq!(said, "trace 1 was left out: spans must be an array");
    assert!(
        jaeger::decode(b"[1]")
            .unwrap_err()
            .to_string()
            .contains("data or spans")
    );
    assert!(jaeger::decode(b"{").is_err());
}

#[test]
fn one_trace_alone_is_a_file_as_well() {
    let all: Value = serde_json::from_slice(&trace(&[span("1", &json!({}))])).unwrap();
    let one = all["data"][0].to_string();
    assert_eq!(jaeger::decode(one.as_bytes()).unwrap().batch.spans.len(), 1);
}

/// What Jaeger's JSON keeps of a span: microseconds, no lists, of links and scopes only some.
fn kept(span: &Span) -> Span {
    let micros = |ns: i64| ns / 1_000 * 1_000;
    let value = |value: &AttributeValue| match value {
        AttributeValue::Empty => AttributeValue::from(""),
        AttributeValue::Array(_) | AttributeValue::Map(_) => AttributeValue::from(value.to_text()),
        other => other.clone(),
    };
    let attributes = |all: &Attributes| -> Attributes {
        let entries = all.iter().map(|kv| KeyValue {
            key: kv.key.clone(),
            value: value(&kv.value),
        });
        entries.collect()
    };
    let mut span = span.clone();
    span.end_time = Some(micros(span.start_time + span.duration()));
    span.start_time = micros(span.start_time);
    span.attributes = attributes(&span.attributes);
    span.flags &= 0xff;
    for event in &mut span.events {
        event.time = micros(event.time);
        event.attributes = attributes(&event.attributes);
        event.dropped_attributes_count = 0;
    }
    for link in &mut span.links {
        let mut attributes = Attributes::default();
        attributes.push("opentracing.ref_type", "follows_from");
        *link = Link {
            trace_id: link.trace_id,
            span_id: link.span_id,
            attributes,
            ..Link::default()
        };
    }
    let (resource, scope) = (
        std::sync::Arc::make_mut(&mut span.resource),
        std::sync::Arc::make_mut(&mut span.scope),
    );
    resource.dropped_attributes_count = 0;
    resource.schema_url.clear();
    let service = resource.service().to_owned();
    resource.attributes = attributes(&resource.attributes);
    resource.attributes.0.retain(|kv| kv.key != "service.name");
    resource
        .attributes
        .0
        .insert(0, KeyValue::new("service.name", service));
    (scope.attributes, scope.dropped_attributes_count) = (Attributes::default(), 0);
    scope.schema_url.clear();
    span
}

#[test]
fn what_is_written_is_read_again() {
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");
    for name in [
        "meshagent/0011-traces.pb",
        "videosdk/0047-traces.pb",
        "meshflow/0008-traces.pb",
        "dexto/0001-traces.raw.json",
        "reference/0001-traces.pb",
        "reference/0006-traces.pb",
    ] {
        let encoding = if name.ends_with(".pb") {
            Encoding::Protobuf
        } else {
            Encoding::Json
        };
        let body = std::fs::read(format!("{captures}/{name}")).unwrap();
        let spans: Vec<Span> = decode(Signal::Traces, encoding, &body)
            .unwrap()
            .batch
            .spans
            .into_iter()
            .map(|entry| entry.span)
            .collect();
        for trace_id in spans.iter().map(|span| span.trace_id) {
            let of_trace: Vec<&Span> = spans.iter().filter(|span| span.trace_id == trace_id).collect();
            let mut writer = jaeger::Writer::new(trace_id);
            let runs = of_trace.chunks(3);
            let mut text: String = runs.map(|run| writer.spans(run.iter().copied())).collect();
            text.push_str(&writer.end());
            assert_eq!(sniff(text.as_bytes()), Some(meshscope_telemetry::Body::Jaeger));
            let read = jaeger::decode(text.as_bytes()).unwrap();
            assert_eq!(read.rejected.records, 0, "{name}: {}", read.rejected.message());
            assert_eq!(read.batch.spans.len(), of_trace.len());
            for (read, sent) in read.batch.spans.iter().zip(of_trace) {
                assert_eq!(read.span, kept(sent), "{name}");
            }
        }
    }
}

#[test]
fn every_type_and_field_crosses() {
    let sent = decode(
        Signal::Traces,
        Encoding::Json,
        br#"{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"x","version":"1"},"spans":[
        {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","parentSpanId":"00f067aa0ba902b6","name":"a",
        "kind":3,"traceState":"a=b","startTimeUnixNano":"1795220548168533","endTimeUnixNano":"1795220548169999","droppedEventsCount":2,
        "attributes":[{"key":"i","value":{"intValue":"9223372036854775807"}},{"key":"d","value":{"doubleValue":1.0}},
        {"key":"inf","value":{"doubleValue":"-Infinity"}},{"key":"b","value":{"bytesValue":"AQI="}},{"key":"t","value":{"boolValue":true}},
        {"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":"2"}]}}}],
        "events":[{"timeUnixNano":"1795220548168999","name":"exception","attributes":[{"key":"k","value":{"stringValue":"v"}}]}],
        "links":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b6"}],
        "status":{"code":2,"message":"no stock"}}]}]}]}"#,
    )
    .unwrap()
    .batch
    .spans
    .remove(0)
    .span;
    let mut writer = jaeger::Writer::new(sent.trace_id);
    let text = writer.spans([&sent]) + &writer.end();
    let json: Value = serde_json::from_str(&text).unwrap();
    let written = &json["data"][0]["spans"][0];
    assert_eq!(
        (&written["startTime"], &written["duration"]),
        (&json!(1_795_220_548_168_i64), &json!(1))
    );
    let tag = |key: &str| {
        let tags = written["tags"].as_array().unwrap();
        tags.iter().find(|tag| tag["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!((tag("error"), tag("l")), (json!(true), json!(r#"["x",2]"#)));
    assert_eq!(tag("i"), "9223372036854775807");
    assert_eq!(
        jaeger::decode(text.as_bytes()).unwrap().batch.spans[0].span,
        kept(&sent)
    );
    let none = jaeger::Writer::new(sent.trace_id).end();
    assert!(jaeger::decode(none.as_bytes()).unwrap().batch.spans.is_empty());
}
