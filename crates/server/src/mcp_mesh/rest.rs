//! The API of MCP Mesh's registry (`/trace/*`) and UI server (`/api/trace/*`) over what is
//! kept, so that what is written against those works here. Answers have MCP Mesh's shapes,
//! errors are `{"error": ...}` as there.

use crate::app::{App, now};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use meshscope_api::mcp_mesh::{ActiveTraces, RecentTrace, TraceSearch};
use meshscope_api::status::{McpMeshState, McpMeshStatus};
use meshscope_api::{Params, Problem};
use meshscope_model::time::{DAY, HOUR, MINUTE, SECOND, to_rfc3339};
use meshscope_telemetry::mcp_mesh::{span_id, trace_id};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Entries of an answer without `limit`, and the most of one.
const LIMIT: (u32, u32) = (20, 100);

/// The routes, for the API's port and for the one of OTLP over HTTP.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/trace/status", get(status))
        .route("/trace/info", get(status))
        .route("/trace/stats", get(stats))
        .route("/trace/list", get(list))
        .route("/trace/search", get(search))
        .route("/trace/{trace_id}", get(trace))
        .route("/api/trace/recent", get(recent))
        .route("/api/trace/list", get(list))
        .route("/api/trace/search", get(search))
        .route("/api/trace/edge-stats", get(edge_stats))
        .route("/api/trace/agent-stats", get(agent_stats))
        .route("/api/trace/model-stats", get(model_stats))
        .route("/api/trace/traffic", get(traffic))
        .route("/api/trace/{trace_id}", get(trace))
        .route("/api/traces/live", get(super::live::live))
}

type Answer = Result<Response, Failure>;

/// An error in MCP Mesh's shape.
pub(super) struct Failure(Problem);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Problem {
            status,
            detail,
            parameter,
            ..
        } = self.0;
        let error = match parameter {
            Some(parameter) if !detail.contains(&parameter) => format!("{parameter}: {detail}"),
            _ => detail,
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        with_status(status, &json!({ "error": error }))
    }
}

fn with_status(status: StatusCode, answer: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, answer.to_string()).into_response()
}

fn ok(answer: &Value) -> Answer {
    Ok(with_status(StatusCode::OK, answer))
}

fn params(query: Option<String>) -> Params {
    Params::parse(&query.unwrap_or_default())
}

/// `limit`; more than there may be is as much as there may be.
fn limit(params: &Params) -> Result<u32, Problem> {
    let asked = params.number("limit", 1, u32::MAX)?;
    Ok(asked.unwrap_or(LIMIT.0).min(LIMIT.1))
}

async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let params = params(query);
    let query = TraceSearch {
        limit: limit(&params)?,
        offset: params.number("offset", 0, u32::MAX)?.unwrap_or(0),
        ..TraceSearch::default()
    };
    let (limit, offset) = (query.limit, query.offset);
    let found = app.ask(move |store| store.mesh_search(&query, now())).await?;
    ok(&json!({
        "enabled": true, "count": found.traces.len(), "total": found.total,
        "limit": limit, "offset": offset, "traces": found.traces,
    }))
}

async fn search(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let params = params(query);
    let text = |name: &str| params.get(name).map(str::to_owned);
    let query = TraceSearch {
        parent_span_id: params.get("parent_span_id").map(|id| span_id(id).as_u64()),
        agent_name: text("agent_name"),
        operation: text("operation"),
        success: params.bool("success")?,
        start_time: params.time("start_time")?,
        end_time: params.time("end_time")?,
        min_duration_ms: params.number("min_duration_ms", 0, i64::MAX)?,
        max_duration_ms: params.number("max_duration_ms", 0, i64::MAX)?,
        limit: limit(&params)?,
        offset: 0,
    };
    let criteria = criteria(&params, &query);
    let found = app.ask(move |store| store.mesh_search(&query, now())).await?;
    ok(&json!({"enabled": true, "count": found.traces.len(), "criteria": criteria, "traces": found.traces}))
}

/// What was searched for, as it was understood.
fn criteria(params: &Params, query: &TraceSearch) -> Map<String, Value> {
    let criteria = [
        ("parent_span_id", params.get("parent_span_id").map(Value::from)),
        ("agent_name", query.agent_name.as_deref().map(Value::from)),
        ("operation", query.operation.as_deref().map(Value::from)),
        ("success", query.success.map(Value::from)),
        ("start_time", query.start_time.map(|time| to_rfc3339(time).into())),
        ("end_time", query.end_time.map(|time| to_rfc3339(time).into())),
        ("min_duration_ms", query.min_duration_ms.map(Value::from)),
        ("max_duration_ms", query.max_duration_ms.map(Value::from)),
        ("limit", Some(query.limit.into())),
    ];
    let given = criteria
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    given.collect()
}

async fn trace(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let wanted = trace_id(&id);
    match app.ask(move |store| store.mesh_trace(wanted)).await? {
        Some(trace) => ok(&json!(trace)),
        None => {
            let answer = json!({"error": "trace not found", "trace_id": id});
            Ok(with_status(StatusCode::NOT_FOUND, &answer))
        }
    }
}

/// MCP Mesh's registry says here that it has no figures; we have those that it documents.
async fn stats(State(app): State<Arc<App>>) -> Answer {
    let stats = app.ask(|store| store.mesh_stats(now())).await?;
    let mut answer = json!(stats);
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("enabled".to_owned(), true.into());
        fields.insert("stats_available".to_owned(), true.into());
    }
    ok(&answer)
}

async fn recent(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = TraceSearch {
        limit: limit(&params(query))?,
        ..TraceSearch::default()
    };
    let limit = query.limit;
    let found = app.ask(move |store| store.mesh_search(&query, now())).await?;
    let traces: Vec<RecentTrace> = found.traces.into_iter().map(RecentTrace::from).collect();
    ok(&json!({"enabled": true, "count": traces.len(), "limit": limit, "traces": traces}))
}

async fn edge_stats(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let params = params(query);
    let (limit, from) = (limit(&params)?, window(&params)?.1);
    let mut edges = app.ask(move |store| store.mesh_traffic(from)).await?.edges;
    edges.truncate(limit as usize);
    ok(&json!({"enabled": true, "count": edges.len(), "edge_count": edges.len(), "edges": edges}))
}

async fn agent_stats(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let from = window(&params(query))?.1;
    let agents = app.ask(move |store| store.mesh_traffic(from)).await?.agents;
    ok(&json!({"enabled": true, "count": agents.len(), "agents": agents}))
}

async fn model_stats(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let from = window(&params(query))?.1;
    let models = app.ask(move |store| store.mesh_traffic(from)).await?.models;
    ok(&json!({"enabled": true, "count": models.len(), "models": models}))
}

async fn traffic(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let params = params(query);
    let (limit, (window, from)) = (limit(&params)?, window(&params)?);
    let mut traffic = app.ask(move |store| store.mesh_traffic(from)).await?;
    traffic.edges.truncate(limit as usize);
    ok(&json!({
        "enabled": true, "window": window,
        "total_calls": traffic.total_calls, "total_errors": traffic.total_errors,
        "edge_stats": traffic.edges, "agent_stats": traffic.agents, "model_stats": traffic.models,
    }))
}

/// `window` and its first moment.
fn window(params: &Params) -> Result<(&'static str, i64), Problem> {
    Ok(match params.one_of("window", &["1h", "1d", "all"])? {
        Some("1h") => ("1h", now().saturating_sub(HOUR)),
        Some("1d") => ("1d", now().saturating_sub(DAY)),
        _ => ("all", i64::MIN),
    })
}

async fn status(State(app): State<Arc<App>>) -> Answer {
    let Some(reader) = app.mesh.get() else {
        return ok(&json!({"enabled": false, "reason": "tracing not initialized"}));
    };
    let active = app.ask(|store| store.mesh_active(now())).await?;
    let streams = reader.streams.join(",");
    ok(&json!({
        "enabled": true,
        "exporter_type": "meshscope",
        "config": {
            "enabled": true, "redis_url": reader.url, "stream_name": streams,
            "consumer_group": reader.group, "consumer_name": reader.consumer,
            "batch_size": super::consumer::COUNT, "block_timeout": super::consumer::BLOCK_MS * 1_000_000,
            // Traces are kept until they are deleted.
            "trace_timeout": 5 * MINUTE, "trace_retention": 0,
            "exporter_type": "meshscope", "pretty_console_output": false, "enable_stats": true,
        },
        "stream_through_mode": true,
        "consumer": consumer(&reader),
        "correlator": correlator(&active),
    }))
}

fn consumer(reader: &McpMeshStatus) -> Value {
    let consuming = reader.state == McpMeshState::Consuming;
    let mut consumer = json!({
        "enabled": true, "running": true, "consuming": consuming,
        "connection_state": match reader.state {
            McpMeshState::Connecting => "connecting",
            McpMeshState::Consuming => "connected",
            McpMeshState::Waiting => "disconnected",
        },
        "stream_name": reader.streams.join(","), "consumer_group": reader.group,
        "consumer_name": reader.consumer, "retry_count": reader.reconnects,
    });
    let known = [
        ("last_error", reader.last_error.as_deref().map(Value::from)),
        (
            "last_error_time",
            reader.last_error_at.map(|time| to_rfc3339(time).into()),
        ),
        ("stream_length", reader.stream_length.map(Value::from)),
        (
            "stream_last_entry_id",
            reader.last_entry_id.as_deref().map(Value::from),
        ),
        ("group_pending", reader.pending.map(Value::from)),
        (
            "group_last_delivered_id",
            reader.last_delivered_id.as_deref().map(Value::from),
        ),
    ];
    add(&mut consumer, known);
    consumer
}

fn correlator(active: &ActiveTraces) -> Value {
    let mut correlator = json!({"active_traces": active.traces, "trace_timeout": "5m0s"});
    if let Some(oldest) = active.oldest {
        let known = [
            (
                "oldest_trace_age",
                Some(go_duration(now().saturating_sub(oldest)).into()),
            ),
            ("total_spans", Some(active.spans.into())),
            (
                "avg_spans_per_trace",
                Some((active.spans as f64 / active.traces.max(1) as f64).into()),
            ),
        ];
        add(&mut correlator, known);
    }
    correlator
}

fn add<const N: usize>(to: &mut Value, known: [(&str, Option<Value>); N]) {
    if let Some(fields) = to.as_object_mut() {
        let known = known
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        fields.extend(known);
    }
}

/// A length as Go writes it: `1h2m3.5s`.
fn go_duration(ns: i64) -> String {
    let ns = ns.max(0);
    let (hours, minutes) = (ns / HOUR, ns % HOUR / MINUTE);
    let seconds = (ns % MINUTE) as f64 / SECOND as f64;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_go_does() {
        assert_eq!(go_duration(0), "0s");
        assert_eq!(go_duration(1_500_000_000), "1.5s");
        assert_eq!(go_duration(5 * MINUTE), "5m0s");
        assert_eq!(go_duration(HOUR + 2 * MINUTE + 3_500_000_000), "1h2m3.5s");
    }
}
