//! MeshFlow beside OTLP: what its cloud reporter and its SIEM stream post in JSON.
//!
//! `MESHFLOW_CLOUD_ENDPOINT` and `MeshFlowCloud(base_url=...)` post runs, steps, evaluations,
//! tool calls and jobs to `/api/ingest/...`; `MESHFLOW_SIEM_HTTP_URL` gets an event a step. Runs,
//! steps, evaluations and tool calls become spans in the run's trace, events and jobs become log
//! records. [`crate::semconv`] says what they mean, as it does for the spans of other paths.

mod event;
mod ingest;

pub use event::events;
pub use ingest::{Ingest, ingest};

use crate::json;
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::time::parse_rfc3339;
use meshscope_model::{Attributes, Resource, Scope, TraceId};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Scope of what the cloud reporter posts.
pub(crate) const CLOUD: &str = "meshflow.cloud";
/// Scope of what is streamed to a SIEM or webhook.
const SIEM: &str = "meshflow.siem";

/// The trace of a run. MeshFlow's own exporter makes it of the run's id in the same way, so that
/// all records of a run stand in one trace.
fn trace_of(run_id: &str) -> TraceId {
    let digits: String = run_id.chars().filter(|c| *c != '-').collect();
    let own = format!("{digits:0<32}").get(..32).and_then(|id| id.parse().ok());
    own.filter(TraceId::is_valid).unwrap_or_else(|| {
        let half = |salt: &[u8]| u128::from(fingerprint(&[salt, run_id.as_bytes()]));
        TraceId::from_u128((half(b"high") << 64) | half(b"low"))
    })
}

fn resource() -> Arc<Resource> {
    let mut attributes = Attributes::default();
    attributes.push("service.name", "meshflow");
    Arc::new(Resource {
        attributes,
        ..Resource::default()
    })
}

fn scope(name: &str) -> Arc<Scope> {
    Arc::new(Scope {
        name: name.to_owned(),
        ..Scope::default()
    })
}

/// A moment: seconds since the epoch as a number, or RFC 3339, in which a zone may be missing
/// for UTC.
fn moment(value: &Value) -> Option<i64> {
    if let Value::Number(seconds) = value {
        // By its digits: a double times a thousand million would not be the moment that was sent.
        let text = seconds.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
        let ns = whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?;
        return ns.checked_add(digits.parse().ok()?).filter(|ns| *ns >= 0);
    }
    let text = value.as_str()?;
    parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{text}Z")))
}

/// A field that must be a number when it is there.
fn number(fields: &Map<String, Value>, key: &str) -> Result<Option<f64>, String> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(x) => Ok(Some(x)),
            None => Err(format!("{key} must be a number, got {}", json::kind(value))),
        },
    }
}
