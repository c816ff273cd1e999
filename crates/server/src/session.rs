//! Sessions: their list, and everything that the viewer of one asks for.

mod list;

pub(crate) use list::{__path_session_totals, __path_sessions, session_totals, sessions};

use crate::api::{Answer, found, json, params};
use crate::app::{App, now};
use crate::trace::columns::stream;
use crate::trace::conversation::{Heard, pour_json};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use meshscope_analysis::conversation::conversation as told;
use meshscope_analysis::timeline::{Event, Source, text_of};
use meshscope_analysis::{Graph, NodeKind, Timeline, Tree};
use meshscope_api::columns::{self, Decoder};
use meshscope_api::conversation::ConversationQuery;
use meshscope_api::{
    Conversation, GraphEdge, GraphNode, Params, Problem, SessionDetail, SessionEvent, SessionEvents,
    SessionGraph, SessionLogQuery, SessionLogs,
};
use meshscope_model::{SpanColumns, SpanId, TraceId};
use meshscope_store::{Store, StoreError};
use std::ops::ControlFlow;
use std::sync::Arc;

fn missing(id: &str) -> Problem {
    Problem::not_found(format!("there is no session {id:?}"))
}

/// The project in a query string, which may name `others` as well.
fn project(params: &Params, others: &[&str]) -> Result<Option<String>, Problem> {
    let known: Vec<&str> = others.iter().copied().chain(["project"]).collect();
    params.only(&known)?;
    let project = params.get("project").filter(|project| *project != "*");
    Ok(project.map(str::to_owned))
}

/// One session with its runs.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("project" = Option<String>, Query, description = "Its project, where several have a session of this name"),
    ),
    responses((status = 200, body = SessionDetail), (status = 404, body = Problem)))]
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let project = project(&params(query), &[])?;
    let wanted = id.clone();
    let session = app
        .ask(move |store| store.session(project.as_deref(), &wanted, now()))
        .await?;
    json(&found(session, || format!("there is no session {id:?}"))?)
}

/// The spans of a session as columns.
///
/// They come as those of a trace do, all runs together in the order of (start, span id), each with its run.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/spans",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("project" = Option<String>, Query, description = "Its project, where several have a session of this name"),
    ),
    responses(
        (status = 200, description = "Columns", content((Vec<u8> = "application/vnd.meshscope.columns"))),
        (status = 404, body = Problem)))]
pub(crate) async fn session_spans(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let project = project(&params(query), &[])?;
    stream(&app, &headers, TraceId::default(), move |store, take| {
        let Some(project) = store.session_project(project.as_deref(), &id)? else {
            return Ok(Some(missing(&id)));
        };
        store.session_columns(&project, &id, take)?;
        Ok(None)
    })
    .await
}

/// Log records of a session in short, in the order of time.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/logs",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("project" = Option<String>, Query, description = "Its project, where several have a session of this name"),
        ("after" = Option<String>, Query, description = "Only records that arrived after the one with this sequence number"),
        ("limit" = Option<u32>, Query, description = "Records at the most, 1 to 200,000, as many by default"),
    ),
    responses((status = 200, body = SessionLogs), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn session_logs(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let params = params(query);
    let project = project(&params, &["after", "limit"])?;
    let query = SessionLogQuery::read(&params)?;
    let wanted = id.clone();
    let logs = app.ask(move |store| {
        let project = store.session_project(project.as_deref(), &wanted)?;
        project
            .map(|project| store.session_logs(&project, &wanted, &query))
            .transpose()
    });
    pour_json(logs.await?.ok_or_else(|| missing(&id))?, &headers).await
}

/// Lifecycle events of a session in the order of time: runs and turns that started and ended, tools called,
/// who joined, left, was interrupted, blocked or handed over, and what failed.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/events",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("project" = Option<String>, Query, description = "Its project, where several have a session of this name"),
    ),
    responses((status = 200, body = SessionEvents), (status = 404, body = Problem)))]
pub(crate) async fn session_events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let project = project(&params(query), &[])?;
    let wanted = id.clone();
    let events = app.ask(move |store| {
        let Some(project) = store.session_project(project.as_deref(), &wanted)? else {
            return Ok(None);
        };
        let everything = SessionLogQuery {
            after: 0,
            limit: SessionLogQuery::MOST,
        };
        let logs = store.session_logs(&project, &wanted, &everything)?;
        let columns = columns_of(store, &project, &wanted)?;
        let timeline = Timeline::build(&columns, &Tree::build(&columns), &logs);
        let events = timeline
            .events
            .iter()
            .map(|event| written(event, &columns, &logs));
        Ok(Some(SessionEvents {
            events: events.collect(),
        }))
    });
    pour_json(events.await?.ok_or_else(|| missing(&id))?, &headers).await
}

/// All spans of a session.
fn columns_of(store: &dyn Store, project: &str, id: &str) -> Result<SpanColumns, StoreError> {
    let mut decoder = Decoder::default();
    let mut broken = decoder.push(&columns::header(TraceId::default(), None)).err();
    store.session_columns(
        project,
        id,
        &mut |piece| match decoder.push(&columns::chunk(&piece.columns)) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
        },
    )?;
    match broken {
        None => Ok(decoder.into_partial()),
        Some(error) => Err(StoreError::Place(error.to_string())),
    }
}

fn written(event: &Event, columns: &SpanColumns, logs: &SessionLogs) -> SessionEvent {
    let row = match event.source {
        Source::Span(row) => Some(row as usize),
        Source::SpanEvent(place) => columns.event_row.get(place as usize).map(|row| *row as usize),
        Source::Log(_) => None,
    };
    let log = match event.source {
        Source::Log(place) => logs.logs.get(place as usize),
        _ => None,
    };
    let span = row.and_then(|row| columns.span_id.get(row).copied());
    let agent = row.and_then(|row| columns.agent.get(row));
    SessionEvent {
        at: event.at,
        kind: event.kind,
        text: text_of(event, columns, logs),
        agent: match (agent, log) {
            (Some(agent), _) => columns.string(*agent).to_owned(),
            (None, Some(log)) => logs.string(log.agent).to_owned(),
            (None, None) => String::new(),
        },
        trace_id: row
            .map(|row| columns.trace_of(row))
            .or_else(|| log.and_then(|log| log.trace_id)),
        span_id: span
            .map(SpanId::from_u64)
            .or_else(|| log.and_then(|log| log.span_id)),
        log: log.map(|log| log.sequence),
    }
}

/// What was said in a session, by whom, in the order of time.
///
/// As the conversation of a trace, over all runs: what a later run repeats as its history stands once.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/conversation",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("project" = Option<String>, Query, description = "Its project, where several have a session of this name"),
        ("preview" = Option<u32>, Query, description = "Cut texts of more bytes than this, at least 16; absent is none"),
    ),
    responses((status = 200, body = Conversation), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn session_conversation(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let params = params(query);
    let project = project(&params, &["preview"])?;
    let preview: Option<usize> = params.number("preview", ConversationQuery::SHORTEST, usize::MAX)?;
    let wanted = id.clone();
    let conversation = app.ask(move |store| {
        let Some(project) = store.session_project(project.as_deref(), &wanted)? else {
            return Ok(None);
        };
        let mut heard = Heard::default();
        store.session_spoken(&project, &wanted, &mut |entry| heard.hear(entry))?;
        let mut conversation = told(None, &heard.spans, heard.more);
        if let Some(limit) = preview {
            conversation.cut(limit);
        }
        Ok(Some(conversation))
    });
    pour_json(conversation.await?.ok_or_else(|| missing(&id))?, &headers).await
}

/// Who called whom in a session, how often, and how it went.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/graph",
    params(
        ("session_id" = String, Path, description = "Identity of the session"),
        ("project" = Option<String>, Query, description = "Its project, where several have a session of this name"),
    ),
    responses((status = 200, body = SessionGraph), (status = 404, body = Problem)))]
pub(crate) async fn session_graph(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let project = project(&params(query), &[])?;
    let wanted = id.clone();
    let graph = app.ask(move |store| {
        let Some(project) = store.session_project(project.as_deref(), &wanted)? else {
            return Ok(None);
        };
        let columns = columns_of(store, &project, &wanted)?;
        Ok(Some(Graph::build(&columns, &Tree::build(&columns))))
    });
    let graph = graph.await?.ok_or_else(|| missing(&id))?;
    let nodes = graph.nodes.iter().map(|node| GraphNode {
        kind: match node.kind {
            NodeKind::Agent => "agent",
            NodeKind::Service => "service",
            NodeKind::Tool => "tool",
            NodeKind::Model => "model",
        }
        .to_owned(),
        name: node.label.clone(),
        spans: node.totals.spans,
        errors: node.totals.errors,
        blocked: node.totals.blocked,
        self_ns: node.own,
    });
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let edges = graph.edges.iter().map(|edge| GraphEdge {
        from: place(edge.from),
        to: place(edge.to),
        calls: edge.calls,
        errors: edge.errors,
        blocked: edge.blocked,
        total_ns: edge.time,
    });
    json(&SessionGraph {
        nodes: nodes.collect(),
        edges: edges.collect(),
    })
}
