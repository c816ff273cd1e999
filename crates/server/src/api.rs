//! The query API under `/api/v1`, and its OpenAPI document.

pub(crate) mod parameters;

use crate::app::{App, now};
use crate::budgets::{
    __path_budgets, __path_remove_budget, __path_set_budget, budgets, remove_budget, set_budget,
};
use crate::doors::{__path_developer_frames, __path_developer_logs, developer_frames, developer_logs};
use crate::life::{__path_backup, __path_export, backup, export};
use crate::live::route::{__path_stream, stream};
use crate::price_api::{
    __path_add_price, __path_change_price, __path_price_list, __path_remove_price, __path_reprice, add_price,
    change_price, price_list, remove_price, reprice,
};
use crate::recordings::{
    __path_add_recording, __path_append_recording, __path_list_recordings, __path_recording_bytes,
    __path_recording_offset, __path_remove_recording, add_recording, append_recording, list_recordings,
    recording_bytes, recording_offset, remove_recording,
};
use crate::services::{__path_services, services};
use crate::session::{
    __path_session, __path_session_conversation, __path_session_events, __path_session_graph,
    __path_session_logs, __path_session_spans, __path_session_totals, __path_sessions, session,
    session_conversation, session_events, session_graph, session_logs, session_spans, session_totals,
    sessions,
};
use crate::trace::{
    __path_conversation, __path_export_trace, __path_search, __path_span, __path_trace, __path_value,
    conversation, export_trace, search, span, trace, value,
};
use crate::usage::{
    __path_usage, __path_usage_calls, __path_usage_latency, __path_usage_rows, usage, usage_calls,
    usage_latency, usage_rows,
};
use crate::{prices, process};
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use meshscope_api::{
    Gap, ListQuery, LiveStatus, LogPage, LogQuery, MetricDetail, MetricList, Params, Position, Problem,
    ProjectList, Queue, SeriesQuery, ServerStatus, TracePage,
};
use meshscope_model::TraceId;
use parameters::{ListFilters, ListOf, Paging, SeriesOf, Within};
use serde::Serialize;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Title and description of the OpenAPI document; the paths come from the routes themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Meshscope API",
        description = "Sessions, traces, logs, metrics and usage of AI agents. 64-bit integers (times in ns since the \
                   epoch, durations, tokens, pico-dollars) are decimal strings; ids are lower-case hex; what is not \
                   known is absent. Times in queries are ns since the epoch or RFC 3339. Lists without `from` cover \
                   the last 24 hours; `from=0` means all. Errors are RFC 9457 problem documents."
    ),
    components(schemas(Gap, Position))
)]
struct Document;

/// The API's routes, and the document that describes them.
pub(crate) fn router() -> (axum::Router<Arc<App>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(status))
        .routes(routes!(projects))
        .routes(routes!(sessions))
        .routes(routes!(session_totals))
        .routes(routes!(session))
        .routes(routes!(session_spans))
        .routes(routes!(session_logs))
        .routes(routes!(session_events))
        .routes(routes!(session_conversation))
        .routes(routes!(session_graph))
        .routes(routes!(list_recordings, add_recording))
        .routes(routes!(
            recording_bytes,
            recording_offset,
            append_recording,
            remove_recording
        ))
        .routes(routes!(traces))
        .routes(routes!(trace))
        .routes(routes!(search))
        .routes(routes!(conversation))
        .routes(routes!(export_trace))
        .routes(routes!(span))
        .routes(routes!(value))
        .routes(routes!(services))
        .routes(routes!(logs))
        .routes(routes!(metrics))
        .routes(routes!(metric))
        .routes(routes!(usage))
        .routes(routes!(usage_rows))
        .routes(routes!(usage_latency))
        .routes(routes!(usage_calls))
        .routes(routes!(price_list, add_price))
        .routes(routes!(change_price, remove_price))
        .routes(routes!(reprice))
        .routes(routes!(budgets, set_budget, remove_budget))
        .routes(routes!(stream))
        .routes(routes!(export))
        .routes(routes!(backup))
        .routes(routes!(developer_logs))
        .routes(routes!(developer_frames))
        .split_for_parts()
}

/// An error as `application/problem+json`.
pub(crate) fn problem(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(problem).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, Problem::MEDIA_TYPE)], body).into_response()
}

pub(crate) type Answer = Result<Response, Failure>;

/// A problem on its way out of a handler.
pub(crate) struct Failure(Problem);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        problem(&self.0)
    }
}

pub(crate) fn json(answer: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(answer).map_err(|error| Problem::internal(error.to_string()))?;
    Ok((
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        body,
    )
        .into_response())
}

pub(crate) fn params(query: Option<String>) -> Params {
    Params::parse(&query.unwrap_or_default())
}

pub(crate) fn found<T>(answer: Option<T>, what: impl FnOnce() -> String) -> Result<T, Problem> {
    answer.ok_or_else(|| Problem::not_found(what()))
}

pub(crate) fn trace_id(text: &str) -> Result<TraceId, Problem> {
    text.parse()
        .map_err(|error| Problem::invalid_parameter("trace_id", format!("{error}")))
}

/// How the server stands.
#[utoipa::path(get, path = "/api/v1/status", responses((status = 200, body = ServerStatus)))]
async fn status(State(app): State<Arc<App>>) -> Answer {
    let (counts, store) = app.ask(|store| Ok((store.counts()?, store.status()?))).await?;
    let (queue, live) = (app.writer.queue(), app.hub.state());
    json(&ServerStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: app.started_at,
        uptime_ns: now().saturating_sub(app.started_at),
        counts,
        rates: app.stats.rates(),
        received: app.stats.received(),
        commits: app.stats.commits(),
        live: LiveStatus {
            subscribers: u32::try_from(live.subscribers).unwrap_or(u32::MAX),
            deltas: live.deltas,
            gaps: live.gaps,
            buffer_bytes: live.buffer_bytes as u64,
        },
        memory_bytes: process::memory_bytes(),
        queue: Queue {
            records: queue.records as u64,
            capacity: queue.capacity as u64,
            refused: queue.refused,
        },
        store,
        listeners: app.listeners.clone(),
        mcp_mesh: app.mesh.get(),
        prices: prices::status(&app.prices(), &app.config),
        retention: app.config.retention.clone(),
        problems: app.stats.problems(),
    })
}

/// Projects, latest activity first.
#[utoipa::path(get, path = "/api/v1/projects", responses((status = 200, body = ProjectList)))]
async fn projects(State(app): State<Arc<App>>) -> Answer {
    json(&app.ask(meshscope_store::Store::projects).await?)
}

/// Traces, latest start first.
#[utoipa::path(get, path = "/api/v1/traces",
    params(Within, ListOf, ListFilters, Paging),
    responses((status = 200, body = TracePage), (status = 400, body = Problem)))]
async fn traces(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read(&params(query))?;
    json(&app.ask(move |store| store.traces(&query, now())).await?)
}

/// Log records, newest first.
#[utoipa::path(get, path = "/api/v1/logs",
    params(Within, Paging,
        ("q" = Option<String>, Query, description = "Text in body, event name or attribute values"),
        ("severity" = Option<String>, Query, description = "At least `trace`, `debug`, `info`, `warn`, `error` or `fatal`"),
        ("session" = Option<String>, Query, description = "Only this session"),
        ("trace_id" = Option<String>, Query, description = "Only this trace"),
        ("room" = Option<String>, Query, description = "Only this room"),
        ("service" = Option<String>, Query, description = "Only this service"),
        ("system" = Option<String>, Query, description = "Only this agent system"),
    ),
    responses((status = 200, body = LogPage), (status = 400, body = Problem)))]
async fn logs(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = LogQuery::read(&params(query))?;
    json(&app.ask(move |store| store.logs(&query, now())).await?)
}

/// Metrics by name.
#[utoipa::path(get, path = "/api/v1/metrics",
    params(Within, SeriesOf),
    responses((status = 200, body = MetricList), (status = 400, body = Problem)))]
async fn metrics(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = SeriesQuery::read(&params(query))?;
    json(&app.ask(move |store| store.metrics(&query, now())).await?)
}

/// The series of one metric.
#[utoipa::path(get, path = "/api/v1/metrics/{name}",
    params(
        ("name" = String, Path, description = "Name of the metric"),
        Within, SeriesOf,
    ),
    responses((status = 200, body = MetricDetail), (status = 404, body = Problem)))]
async fn metric(State(app): State<Arc<App>>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = SeriesQuery::read(&params(query))?;
    let wanted = name.clone();
    let metric = app.ask(move |store| store.metric(&wanted, &query, now())).await?;
    json(&found(metric, || {
        format!("there is no metric {name:?} in this range")
    })?)
}
