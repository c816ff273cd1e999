//! `/api/traces/live`: the traces that arrive, as server-sent events in MCP Mesh's shape.
//!
//! An event carries its trace whole, as it stands: who missed one has it again with the next.

use super::rest::Failure;
use crate::app::{App, now};
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use meshscope_api::Problem;
use meshscope_api::mcp_mesh::{CompletedTrace, TraceSpan};
use meshscope_model::TraceId;
use meshscope_model::time::to_rfc3339;
use meshscope_telemetry::mcp_mesh::is_hidden;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};

/// How long changes of a trace are gathered.
const GATHER: Duration = Duration::from_millis(250);
/// How long a trace must be quiet to be complete, when its root ended.
const GRACE: Duration = Duration::from_secs(3);
/// The same for a trace whose root does not come or does not end.
const FORGET: Duration = Duration::from_secs(300);
/// Traces that one client follows; the quietest gives way.
const FOLLOWED: usize = 200;

/// Streams until the client or the server goes.
pub(super) async fn live(State(app): State<Arc<App>>) -> Result<impl IntoResponse, Failure> {
    let Some(arrivals) = app.mesh.follow() else {
        return Err(Problem::unavailable("live traces need --mcp-mesh-redis").into());
    };
    let mut tick = tokio::time::interval(GATHER);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let connected = json!({"timestamp": to_rfc3339(now()), "message": "Connected to live trace stream"});
    let follower = Follower {
        app,
        arrivals,
        tick,
        traces: HashMap::new(),
        events: VecDeque::from([("connected", connected)]),
    };
    let events = stream::unfold(follower, async |mut follower| {
        let (name, data) = follower.next().await?;
        let event = Event::default().event(name).data(data.to_string());
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// What a client has been told of a trace.
struct Followed {
    started: bool,
    changed: bool,
    /// Its root ended, and so did all that is known of it.
    ended: bool,
    at: Instant,
}

struct Follower {
    app: Arc<App>,
    arrivals: Receiver<TraceId>,
    tick: Interval,
    traces: HashMap<TraceId, Followed>,
    events: VecDeque<(&'static str, Value)>,
}

impl Follower {
    /// The next event; `None` when the server ends.
    async fn next(&mut self) -> Option<(&'static str, Value)> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            tokio::select! {
                arrived = self.arrivals.recv() => match arrived {
                    Ok(trace_id) => self.arrived(trace_id),
                    // Told too slowly: what changed meanwhile may be any of them.
                    Err(RecvError::Lagged(_)) => self.traces.values_mut().for_each(|trace| trace.changed = true),
                    Err(RecvError::Closed) => return None,
                },
                _ = self.tick.tick() => self.tell().await,
            }
        }
    }

    fn arrived(&mut self, trace_id: TraceId) {
        if self.traces.len() >= FOLLOWED && !self.traces.contains_key(&trace_id) {
            let quietest = self
                .traces
                .iter()
                .min_by_key(|(_, trace)| trace.at)
                .map(|(id, _)| *id);
            quietest.map(|id| self.traces.remove(&id));
        }
        let trace = self.traces.entry(trace_id).or_insert(Followed {
            started: false,
            changed: false,
            ended: false,
            at: Instant::now(),
        });
        trace.changed = true;
        trace.at = Instant::now();
    }

    async fn tell(&mut self) {
        let (changed, quiet): (Vec<_>, Vec<_>) = self.traces.iter().partition(|(_, trace)| trace.changed);
        let complete = quiet.into_iter().filter(|(_, trace)| {
            let silence = trace.at.elapsed();
            silence >= FORGET || (trace.ended && silence >= GRACE)
        });
        let complete: Vec<TraceId> = complete.map(|(id, _)| *id).collect();
        let changed: Vec<TraceId> = changed.into_iter().map(|(id, _)| *id).collect();
        for id in changed {
            let found = self.look(id).await;
            let Some(trace) = self.traces.get_mut(&id) else {
                continue;
            };
            trace.changed = false;
            if let Some(found) = found {
                let event = if trace.started {
                    "trace_update"
                } else {
                    "trace_started"
                };
                (trace.started, trace.ended) = (true, has_ended(&found));
                self.events.push_back((event, snapshot(&found, false)));
            }
        }
        for id in complete {
            if let Some(found) = self.look(id).await {
                self.events.push_back(("trace_completed", snapshot(&found, true)));
            }
            self.traces.remove(&id);
        }
    }

    async fn look(&self, id: TraceId) -> Option<CompletedTrace> {
        match self.app.ask(move |store| store.mesh_trace(id)).await {
            Ok(found) => found,
            Err(problem) => {
                tracing::warn!(error = problem.detail, "a live trace could not be read");
                None
            }
        }
    }
}

fn has_ended(trace: &CompletedTrace) -> bool {
    trace.spans.iter().any(|span| span.parent_span.is_none())
        && trace.spans.iter().all(|span| span.end_time.is_some())
}

/// A trace as it stands, hidden spans left out and their children moved up.
fn snapshot(trace: &CompletedTrace, completed: bool) -> Value {
    let by_id: HashMap<&str, &TraceSpan> = trace
        .spans
        .iter()
        .map(|span| (span.span_id.as_str(), span))
        .collect();
    let spans: Vec<Value> = trace
        .spans
        .iter()
        .filter(|span| !is_hidden(&span.operation))
        .map(|span| {
            present([
                ("span_id", Some(span.span_id.as_str().into())),
                (
                    "effective_parent",
                    effective_parent(span, &by_id).map(Value::from),
                ),
                ("agent_name", Some(span.agent_name.as_str().into())),
                ("operation", Some(span.operation.as_str().into())),
                ("duration_ms", span.duration_ms.map(Value::from)),
                ("success", span.success.map(Value::from)),
                ("runtime", Some(span.runtime.as_str().into())),
            ])
        })
        .collect();
    let root = trace.spans.iter().find(|span| span.parent_span.is_none());
    present([
        ("trace_id", Some(trace.trace_id.as_str().into())),
        ("root_agent", root.map(|root| root.agent_name.as_str().into())),
        ("root_operation", root.map(|root| root.operation.as_str().into())),
        ("start_time", Some(json!(trace.start_time))),
        ("completed", Some(completed.into())),
        (
            "duration_ms",
            root.and_then(|root| root.duration_ms).map(Value::from),
        ),
        ("has_error", Some((!trace.success).into())),
        ("span_count", Some(spans.len().into())),
        ("agents", Some(json!(trace.agents))),
        ("spans", Some(spans.into())),
    ])
}

/// The nearest ancestor that is shown, or whose span is not here.
fn effective_parent<'a>(span: &'a TraceSpan, by_id: &HashMap<&str, &'a TraceSpan>) -> Option<&'a str> {
    let mut parent = span.parent_span.as_deref()?;
    // A chain of parents may go in a circle; it is not longer than the trace.
    for _ in 0..by_id.len() {
        match by_id.get(parent) {
            Some(hidden) if is_hidden(&hidden.operation) => parent = hidden.parent_span.as_deref()?,
            _ => return Some(parent),
        }
    }
    None
}

fn present<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect::<Map<_, _>>())
}
