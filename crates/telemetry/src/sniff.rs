//! What a JSON body is, by its top-level keys.

use crate::Signal;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The kinds of bodies that JSON senders post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// An OTLP export request, or one group of it standing alone.
    Otlp(Signal),
    /// VideoSDK's turn metrics: `{"data": [...]}`.
    VideoSdkTurns,
    /// A log record of VideoSDK: `{"logType": ...}`.
    VideoSdkLog,
    /// An event that MeshFlow streams to a SIEM or webhook.
    MeshFlowEvent,
    /// Traces of Jaeger: `{"data": [{"traceID": ...}]}`, or one of them.
    Jaeger,
}

/// Tells what a JSON body is. Reads no further than the key that tells it; `None` when no key
/// does or the body is no JSON.
#[must_use]
pub fn sniff(body: &[u8]) -> Option<Body> {
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    // The visitor ends with an error as soon as it knows, so that the rest is not read.
    match json.deserialize_any(Keys(&mut found)) {
        Ok(()) | Err(_) => found.body(),
    }
}

#[derive(Default)]
struct Found {
    sure: Option<Body>,
    /// `{"event": ..., "payload": ...}`, the envelope of MeshFlow's webhooks.
    event: bool,
    payload: bool,
}

impl Found {
    fn body(&self) -> Option<Body> {
        let webhook = self.event && self.payload;
        self.sure.or(webhook.then_some(Body::MeshFlowEvent))
    }
}

/// The signal whose request or group has this key, in camel or snake case.
fn signal(key: &str) -> Option<Signal> {
    match key {
        "resourceSpans" | "resource_spans" | "scopeSpans" | "scope_spans" => Some(Signal::Traces),
        "resourceLogs" | "resource_logs" | "scopeLogs" | "scope_logs" => Some(Signal::Logs),
        "resourceMetrics" | "resource_metrics" | "scopeMetrics" | "scope_metrics" => Some(Signal::Metrics),
        _ => None,
    }
}

struct Keys<'a>(&'a mut Found);

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            self.0.sure = match key.as_ref() {
                "logType" => Some(Body::VideoSdkLog),
                "event_type" => Some(Body::MeshFlowEvent),
                "traceID" | "processes" => Some(Body::Jaeger),
                "data" => match map.next_value::<Shape>()? {
                    Shape::Array { traces: true } => Some(Body::Jaeger),
                    Shape::Array { .. } => Some(Body::VideoSdkTurns),
                    _ => None,
                },
                // A group that stands alone: its own resource, or a whole group under this key.
                "resource" => match map.next_value::<Shape>()? {
                    Shape::Object { signal, .. } => signal.map(Body::Otlp),
                    _ => None,
                },
                known => match signal(known) {
                    Some(signal) => Some(Body::Otlp(signal)),
                    None => {
                        self.0.event |= known == "event";
                        self.0.payload |= known == "payload";
                        map.next_value::<IgnoredAny>()?;
                        None
                    }
                },
            };
            if self.0.sure.is_some() {
                return Err(A::Error::custom("known"));
            }
        }
        Ok(())
    }
}

/// What a value is, with what an object's keys say: a signal's group, or a trace of Jaeger. Of an
/// array its first item counts.
#[derive(PartialEq)]
enum Shape {
    Object { signal: Option<Signal>, trace: bool },
    Array { traces: bool },
    Other,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let (mut found, mut trace) = (None, false);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            found = found.or(signal(&key));
            trace |= key == "traceID";
            map.next_value::<IgnoredAny>()?;
        }
        Ok(Shape::Object { signal: found, trace })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let traces = matches!(
            items.next_element::<Shape>()?,
            Some(Shape::Object { trace: true, .. })
        );
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::Array { traces })
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_what_a_body_is() {
        for (body, expected) in [
            (r#"{"resourceSpans":[]}"#, Some(Body::Otlp(Signal::Traces))),
            (r#"{"resource_logs":[]}"#, Some(Body::Otlp(Signal::Logs))),
            (
                r#"{"resource":{"attributes":[]},"scopeMetrics":[]}"#,
                Some(Body::Otlp(Signal::Metrics)),
            ),
            (
                r#"{"resource":{"resource":{},"scopeMetrics":[]}}"#,
                Some(Body::Otlp(Signal::Metrics)),
            ),
            (r#"{"agentId":"a","data":[{}]}"#, Some(Body::VideoSdkTurns)),
            (
                r#"{"data":[{"traceID":"1","spans":[]}],"total":0}"#,
                Some(Body::Jaeger),
            ),
            (r#"{"traceID":"1","spans":[]}"#, Some(Body::Jaeger)),
            (r#"{"data":[]}"#, Some(Body::VideoSdkTurns)),
            (r#"{"data":{},"type":"otel.log"}"#, None),
            (r#"{"logType":"INFO","data":[]}"#, Some(Body::VideoSdkLog)),
            (
                r#"{"source":"meshflow","event_type":"run_started"}"#,
                Some(Body::MeshFlowEvent),
            ),
            (
                r#"{"event":"run_failed","payload":{}}"#,
                Some(Body::MeshFlowEvent),
            ),
            (r#"{"event":"run_failed"}"#, None),
            (r#"{"b":[1,{"resourceSpans":1}],"x":null}"#, None),
            (r#"[{"resourceSpans":[]}]"#, None),
            ("", None),
            (
                r#"{"resourceSpans":[{"never ends"#,
                Some(Body::Otlp(Signal::Traces)),
            ),
        ] {
            assert_eq!(sniff(body.as_bytes()), expected, "{body}");
        }
    }
}
