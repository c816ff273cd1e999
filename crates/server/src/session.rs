//! Sessions: their list, and everything that the viewer of one asks for.

mod list;

pub(crate) use list::{__path_session_totals, __path_sessions, session_totals, sessions};

use crate::api::parameters::{InProject, OfSession, in_project};
use crate::api::{Answer, found, json, params};
use crate::app::{App, now};
use crate::pour::columns::stream;
use crate::pour::pour_json;
use crate::trace::conversation::Heard;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use meshscope_analysis::conversation::conversation as told;
use meshscope_analysis::timeline::{Event, Source, text_of};
use meshscope_analysis::{Graph, NodeKind, Timeline, Tree};
use meshscope_api::conversation::ConversationQuery;
use meshscope_api::{
    Conversation, GraphEdge, GraphNode, Problem, SessionDetail, SessionEvent, SessionEvents, SessionGraph,
    SessionLogQuery, SessionLogs, query,
};
use meshscope_model::{SpanColumns, SpanId, TraceId};
use meshscope_store::{Store, StoreError};
use std::ops::ControlFlow;
use std::sync::Arc;

/// How much of a session is held for one answer.
struct Most {
    spans: usize,
    /// Of names, agents, models, tools and messages.
    bytes: usize,
}

const MOST: Most = Most {
    spans: 200_000,
    bytes: 64 << 20,
};

fn missing(id: &str) -> Problem {
    Problem::not_found(format!("there is no session {id:?}"))
}

/// One session with its runs.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}",
    params(OfSession, InProject),
    responses((status = 200, body = SessionDetail), (status = 404, body = Problem)))]
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let project = in_project(query)?;
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
    params(OfSession, InProject),
    responses(
        (status = 200, description = "Columns", content((Vec<u8> = "application/vnd.meshscope.columns"))),
        (status = 404, body = Problem)))]
pub(crate) async fn session_spans(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let project = in_project(query)?;
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
        OfSession, InProject,
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
    let query = SessionLogQuery::read(&params)?;
    let project = query::project(&params);
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
///
/// They are read from about 200,000 spans and as many log records; of a larger session come those of its beginning,
/// and `more` says that others follow.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/events",
    params(OfSession, InProject),
    responses((status = 200, body = SessionEvents), (status = 404, body = Problem)))]
pub(crate) async fn session_events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let project = in_project(query)?;
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
        let (columns, more) = columns_of(store, &project, &wanted, &MOST)?;
        Ok(Some(events_of(&columns, more, &logs)))
    });
    pour_json(events.await?.ok_or_else(|| missing(&id))?, &headers).await
}

/// The first spans of a session, as many as there is room for and a piece more at the most, and whether
/// others follow.
fn columns_of(
    store: &dyn Store,
    project: &str,
    id: &str,
    most: &Most,
) -> Result<(SpanColumns, bool), StoreError> {
    let (mut columns, mut bytes, mut more) = (SpanColumns::default(), 0, false);
    store.session_columns(project, id, &mut |piece| {
        bytes += piece.columns.strings.iter().map(String::len).sum::<usize>();
        columns.append(piece.columns);
        let full = columns.len() >= most.spans || bytes >= most.bytes;
        more = full && (columns.len() as u64) < piece.spans;
        if more {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok((columns, more))
}

/// The events that spans and log records tell of. Where there are more of either, those up to the moment
/// until which all are known.
fn events_of(columns: &SpanColumns, more: bool, logs: &SessionLogs) -> SessionEvents {
    let spans_until = columns.start_time.last().filter(|_| more);
    let logs_until = logs.logs.last().map(|log| &log.time).filter(|_| logs.more);
    let until = spans_until.into_iter().chain(logs_until).min();
    let timeline = Timeline::build(columns, &Tree::build(columns), logs);
    let known = timeline
        .events
        .iter()
        .filter(|event| until.is_none_or(|until| event.at <= *until));
    SessionEvents {
        events: known.map(|event| written(event, columns, logs)).collect(),
        more: until.is_some(),
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
        OfSession, InProject,
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
    params.only(&["project", "preview"])?;
    let project = query::project(&params);
    let preview: Option<usize> = params.number("preview", ConversationQuery::SHORTEST, usize::MAX)?;
    let wanted = id.clone();
    let conversation = app.ask(move |store| {
        let Some(project) = store.session_project(project.as_deref(), &wanted)? else {
            return Ok(None);
        };
        let mut heard = Heard::default();
        store.session_spoken(&project, &wanted, Heard::LIMIT, &mut |spoken| heard.hear(spoken))?;
        let mut conversation = told(None, &heard.spans, heard.more);
        if let Some(limit) = preview {
            conversation.cut(limit);
        }
        Ok(Some(conversation))
    });
    pour_json(conversation.await?.ok_or_else(|| missing(&id))?, &headers).await
}

/// Who called whom in a session, how often, and how it went; of a session of up to about 200,000 spans.
#[utoipa::path(get, path = "/api/v1/sessions/{session_id}/graph",
    params(OfSession, InProject),
    responses((status = 200, body = SessionGraph), (status = 404, body = Problem),
        (status = 422, description = "The session is too large", body = Problem)))]
pub(crate) async fn session_graph(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let project = in_project(query)?;
    let wanted = id.clone();
    let graph = app.ask(move |store| {
        let Some(project) = store.session_project(project.as_deref(), &wanted)? else {
            return Ok(None);
        };
        let (columns, more) = columns_of(store, &project, &wanted, &MOST)?;
        Ok(Some(
            (!more).then(|| Graph::build(&columns, &Tree::build(&columns))),
        ))
    });
    let graph = graph.await?.ok_or_else(|| missing(&id))?;
    // Of a part of the spans its figures would be wrong.
    let graph = graph.ok_or_else(|| {
        Problem::too_much(format!(
            "session {id:?} has more than {} spans, or {} MB of names and messages: ask for the graph's spans at /spans",
            MOST.spans,
            MOST.bytes >> 20
        ))
    })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_api::BriefLog;
    use meshscope_model::columns::{ColumnsBuilder, SpanRow};
    use meshscope_model::{Attributes, Batch, Origin, Span, SpanEntry, SpanFacts, SpanKind, Status};
    use meshscope_store::DuckDb;

    #[test]
    fn a_session_is_read_as_far_as_there_is_room() {
        // So many that they come in several pieces.
        let span = |n: u64| SpanEntry {
            span: Span {
                resource: Arc::default(),
                scope: Arc::default(),
                trace_id: TraceId::from_u128(1),
                span_id: SpanId::from_u64(n),
                parent_span_id: None,
                trace_state: String::new(),
                name: "x".repeat(100),
                kind: SpanKind::Internal,
                start_time: n as i64,
                end_time: Some(n as i64 + 1),
                attributes: Attributes::default(),
                dropped_attributes_count: 0,
                events: Vec::new(),
                dropped_events_count: 0,
                links: Vec::new(),
                dropped_links_count: 0,
                status: Status::default(),
                flags: 0,
            },
            facts: SpanFacts {
                origin: Origin {
                    project: Some("p".to_owned()),
                    session: Some("s".to_owned()),
                    ..Origin::default()
                },
                ..SpanFacts::default()
            },
        };
        let store = DuckDb::in_memory().unwrap();
        let batch = Batch {
            spans: (1..=7_000).map(span).collect(),
            ..Batch::default()
        };
        store.write(&[batch]).unwrap();
        let read = |spans, bytes| {
            let (columns, more) = columns_of(&store, "p", "s", &Most { spans, bytes }).unwrap();
            (columns.len(), columns.name(columns.len() - 1).len(), more)
        };
        assert_eq!(read(7_000, 1_000), (7_000, 100, false));
        let (spans, name, more) = read(10, 1_000);
        assert!((10..7_000).contains(&spans) && name == 100 && more, "{spans}");
        assert!(read(7_000, 100).2, "texts take room too");
    }

    #[test]
    fn events_come_up_to_the_moment_until_which_all_are_known() {
        let mut builder = ColumnsBuilder::of_runs(vec![TraceId::from_u128(1), TraceId::from_u128(2)]);
        for (run, start, duration) in [(0, 10, 20), (1, 40, 5)] {
            builder.push(&SpanRow {
                span_id: SpanId::from_u64(1),
                start_time: start,
                duration,
                name: "run",
                run,
                ..SpanRow::default()
            });
        }
        let columns = builder.finish();
        let mut logs = SessionLogs {
            strings: vec![String::new(), "participant.joined".to_owned()],
            ..SessionLogs::default()
        };
        logs.logs = [5, 35]
            .map(|time| BriefLog {
                time,
                event: 1,
                ..BriefLog::default()
            })
            .to_vec();
        let times = |events: &SessionEvents| events.events.iter().map(|event| event.at).collect::<Vec<_>>();
        let all = events_of(&columns, false, &logs);
        assert_eq!((times(&all), all.more), (vec![5, 10, 30, 35, 40, 45], false));
        let first = events_of(&columns, true, &logs);
        assert_eq!((times(&first), first.more), (vec![5, 10, 30, 35, 40], true));
        logs.more = true;
        let first = events_of(&columns, false, &logs);
        assert_eq!((times(&first), first.more), (vec![5, 10, 30, 35], true));
    }
}
