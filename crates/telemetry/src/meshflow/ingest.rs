//! `POST /api/ingest/{run,spans,eval,mcp,worker}` of MeshFlow's cloud reporter.

use super::{CLOUD, moment, number, resource, scope, trace_of};
use crate::decoded::{DecodeError, Decoded};
use crate::{json, semconv};
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::{
    AttributeValue, Batch, LogEntry, LogRecord, Origin, Resource, Scope, Span, SpanEntry, SpanFacts, SpanId,
    SpanKind, Status, StatusCode,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What is posted, by the last part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingest {
    /// The record of a finished run.
    Run,
    /// `{"spans": [...]}`, or one of them.
    Spans,
    /// The result of an evaluation.
    Eval,
    /// A call of an MCP tool.
    Mcp,
    /// The state of a worker's job.
    Worker,
}

impl Ingest {
    const ALL: [(&'static str, Self); 5] = [
        ("run", Self::Run),
        ("spans", Self::Spans),
        ("eval", Self::Eval),
        ("mcp", Self::Mcp),
        ("worker", Self::Worker),
    ];

    /// The kind with this name in the path.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| kind)
    }

    fn as_str(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, kind)| *kind == self)
            .map_or("", |(name, _)| name)
    }
}

/// Decodes what was posted; `received` is the present in ns since the epoch, at which everything
/// ended that does not say when it was.
pub fn ingest(kind: Ingest, body: &[u8], received: i64) -> Result<Decoded, DecodeError> {
    let error = |detail: String| DecodeError::new(format!("a MeshFlow {} record", kind.as_str()), detail);
    let value: Value = serde_json::from_slice(body).map_err(|e| error(e.to_string()))?;
    let items = match (&value, value.get("spans")) {
        (Value::Object(_), Some(Value::Array(items))) if kind == Ingest::Spans => items.as_slice(),
        (Value::Object(_), Some(other)) if kind == Ingest::Spans => {
            return Err(error(format!(
                "spans must be an array, got {}",
                json::kind(other)
            )));
        }
        (Value::Array(items), _) => items.as_slice(),
        (Value::Object(_), _) => std::slice::from_ref(&value),
        (other, _) => return Err(error(format!("expected an object, got {}", json::kind(other)))),
    };
    let (resource, scope) = (resource(), scope(CLOUD));
    let mut decoded = Decoded::default();
    for (index, item) in items.iter().enumerate() {
        let post = Post {
            kind,
            item,
            resource: &resource,
            scope: &scope,
            received,
        };
        if let Err(reason) = post.read(&mut decoded.batch) {
            decoded
                .rejected
                .record(format!("{} {} was left out: {reason}", kind.as_str(), index + 1));
        }
    }
    if !items.is_empty() && decoded.batch.is_empty() {
        return Err(error(decoded.rejected.message()));
    }
    semconv::understand(&mut decoded.batch);
    Ok(decoded)
}

struct Post<'a> {
    kind: Ingest,
    item: &'a Value,
    resource: &'a Arc<Resource>,
    scope: &'a Arc<Scope>,
    received: i64,
}

impl Post<'_> {
    fn read(&self, into: &mut Batch) -> Result<(), String> {
        let Value::Object(fields) = self.item else {
            return Err(format!("it must be an object, got {}", json::kind(self.item)));
        };
        if self.kind == Ingest::Worker {
            into.logs.push(self.job(fields)?);
        } else {
            into.spans.push(SpanEntry {
                span: self.span(fields)?,
                facts: SpanFacts::default(),
            });
        }
        Ok(())
    }

    fn span(&self, fields: &Map<String, Value>) -> Result<Span, String> {
        let run = json::text(fields, "run_id");
        let content = self.item.to_string();
        let (name, identity) = match self.kind {
            Ingest::Run => {
                let run = run.ok_or("run_id must be the id of the run")?;
                ("meshflow.run", vec!["run".to_owned(), run.to_owned()])
            }
            Ingest::Eval => ("meshflow.eval", vec![content]),
            // Calls that look alike are different calls: they say neither when nor in which run.
            Ingest::Mcp => ("meshflow.mcp.call", vec![content, self.received.to_string()]),
            Ingest::Spans | Ingest::Worker => {
                let name = json::text(fields, "name").or_else(|| json::text(fields, "agent_name"));
                (name.ok_or("name must say what the span did")?, vec![content])
            }
        };
        let parts: Vec<&[u8]> = identity.iter().map(String::as_bytes).collect();
        let span_id = SpanId::from_u64(fingerprint(&parts).max(1));
        let (start_time, end_time) = self.times(fields)?;
        Ok(Span {
            resource: Arc::clone(self.resource),
            scope: Arc::clone(self.scope),
            trace_id: trace_of(run.unwrap_or(&span_id.to_string())),
            span_id,
            parent_span_id: None,
            trace_state: String::new(),
            flags: 0,
            name: name.to_owned(),
            kind: SpanKind::Internal,
            start_time,
            end_time: Some(end_time),
            attributes: json::attributes(fields, &[]),
            dropped_attributes_count: 0,
            events: Vec::new(),
            dropped_events_count: 0,
            links: Vec::new(),
            dropped_links_count: 0,
            status: status(fields),
        })
    }

    /// Start and end. Without a start of its own a record ended when it arrived.
    fn times(&self, fields: &Map<String, Value>) -> Result<(i64, i64), String> {
        let key = if fields.contains_key("duration_ms") {
            "duration_ms"
        } else {
            "latency_ms"
        };
        let ms = number(fields, key)?.unwrap_or(0.0);
        if !(0.0..9.0e12).contains(&ms) {
            return Err(format!("{key} must be milliseconds from 0, got {ms}"));
        }
        let duration = (ms * 1.0e6).round() as i64;
        match fields.get("started_at") {
            None | Some(Value::Null) => Ok((self.received.saturating_sub(duration), self.received)),
            Some(value) => {
                let start = moment(value).ok_or_else(|| {
                    format!(
                        "started_at must be a time like 2026-06-06T12:00:00Z, got {}",
                        json::kind(value)
                    )
                })?;
                Ok((start, start.saturating_add(duration)))
            }
        }
    }

    fn job(&self, fields: &Map<String, Value>) -> Result<LogEntry, String> {
        let job = json::text(fields, "job_id").ok_or("job_id must name the job")?;
        let state = json::text(fields, "status").unwrap_or("unknown");
        let workflow = json::text(fields, "workflow_name").unwrap_or("unknown");
        let mut text = format!("job {job} of {workflow}: {state}");
        if let Some(error) = json::text(fields, "error_msg") {
            text = format!("{text}: {error}");
        }
        let failed = is_failure(state);
        Ok(LogEntry {
            record: LogRecord {
                resource: Arc::clone(self.resource),
                scope: Arc::clone(self.scope),
                time: self.received,
                observed_time: self.received,
                severity_number: if failed { 17 } else { 9 },
                severity_text: if failed { "ERROR" } else { "INFO" }.to_owned(),
                body: AttributeValue::String(text),
                attributes: json::attributes(fields, &[]),
                dropped_attributes_count: 0,
                flags: 0,
                trace_id: None,
                span_id: None,
                event_name: "meshflow.worker".to_owned(),
            },
            origin: Origin::default(),
            identity: Some(fingerprint(&[self.item.to_string().as_bytes()])),
        })
    }
}

/// Whether a word for a state is one of failure.
pub(crate) fn is_failure(state: &str) -> bool {
    matches!(
        state.to_ascii_lowercase().as_str(),
        "failed" | "failure" | "error" | "blocked" | "rejected" | "timeout" | "cancelled" | "dead"
    )
}

/// `status` and `success` as the span's status.
fn status(fields: &Map<String, Value>) -> Status {
    let state = json::text(fields, "status").unwrap_or_default();
    let failed = is_failure(state) || fields.get("success") == Some(&Value::Bool(false));
    let said = !state.is_empty() || fields.contains_key("success");
    Status {
        code: match (failed, said) {
            (true, _) => StatusCode::Error,
            (false, true) => StatusCode::Ok,
            (false, false) => StatusCode::Unset,
        },
        message: json::text(fields, "error").unwrap_or_default().to_owned(),
    }
}
