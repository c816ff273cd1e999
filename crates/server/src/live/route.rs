//! `GET /api/v1/stream`.

use super::subscriber::{Start, Subscriber, read_cursor};
use crate::api::Failure;
use crate::app::App;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use meshscope_api::stream::StreamQuery;
use meshscope_api::{Delta, Params, Problem};
use std::convert::Infallible;
use std::sync::Arc;

/// What each commit changes, as server-sent events, while the connection stands.
///
/// Events: `open` with a `Position` (where the stream starts), `delta` with a `Delta` (records that
/// were kept, in the order of their arrival), `gap` with a `Gap` (records were left out, and why),
/// `heartbeat` and `end` with a `Position`. The id of an event is its cursor: who comes back with it
/// as `cursor` or `Last-Event-ID` misses nothing and hears nothing twice. A span that changed comes
/// again; its identity is (trace_id, span_id). A stream that does not start at now says `heartbeat` when
/// it has caught up.
#[utoipa::path(get, path = "/api/v1/stream",
    params(
        ("cursor" = Option<String>, Query, description = "Go on after this event; absent starts at now"),
        ("since" = Option<String>, Query, description = "Without a cursor: start with what arrived at this moment or later"),
        ("last" = Option<u32>, Query, description = "Without either: start so many records back, wanted or not; up to 1,000,000"),
        ("until" = Option<String>, Query, description = "End at this cursor, for example at `to` of a gap"),
        ("Last-Event-ID" = Option<String>, Header, description = "As `cursor`, and before it: what a browser sends when it comes back"),
        ("project" = Option<String>, Query, description = "Only this project; `*` or absent is all"),
        ("room" = Option<String>, Query, description = "Only this room"),
        ("session" = Option<String>, Query, description = "Only this session, as known when the record was committed"),
        ("service" = Option<String>, Query, description = "Only this service"),
        ("system" = Option<String>, Query, description = "Only this agent system"),
        ("signal" = Option<String>, Query, description = "Only `traces`, `logs`, `metrics`, or several with commas"),
        ("severity" = Option<String>, Query, description = "Of log records at least `trace`, `debug`, `info`, `warn`, `error` or `fatal`"),
        ("q" = Option<String>, Query, description = "Text in names, services, agents, models, tools, errors, ids; in bodies and attributes of log records"),
    ),
    responses(
        (status = 200, description = "Events; the data of a `delta` is described here", content((Delta = "text/event-stream"))),
        (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let query = StreamQuery::read(&Params::parse(&query.unwrap_or_default()))?;
    let start = start(&app, &headers, &query).await?;
    let until = match query.until.as_deref().map(|text| read_cursor(&app.hub, text)) {
        None => None,
        Some(Some(Start::After(sequence))) => Some(sequence),
        Some(_) => return Err(not_a_cursor("until").into()),
    };
    if app.is_stopping() {
        return Err(Problem::unavailable("the server is shutting down").into());
    }
    let subscriber = Subscriber::new(Arc::clone(&app), query, start, until);
    let events = stream::unfold(subscriber, async |mut subscriber| {
        let event = subscriber.next().await?;
        Some((Ok::<_, Infallible>(event), subscriber))
    });
    let types = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that gather answers must not gather this one.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((types, Body::from_stream(events)).into_response())
}

fn not_a_cursor(parameter: &str) -> Problem {
    let detail = "this is no cursor of the stream: give the id of an event, or leave it out to start at now";
    Problem::invalid_parameter(parameter, detail)
}

/// Where the stream starts. What a browser sends by itself is never refused: it would come back
/// with the same again. The store may be a commit ahead of what the hub has heard of.
async fn start(app: &App, headers: &HeaderMap, query: &StreamQuery) -> Result<Start, Failure> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    if let Some(last) = last.filter(|last| !last.is_empty()) {
        return Ok(read_cursor(&app.hub, last).unwrap_or_else(|| Start::Unknown(last.to_owned())));
    }
    if let Some(cursor) = &query.cursor {
        return Ok(read_cursor(&app.hub, cursor).ok_or_else(|| not_a_cursor("cursor"))?);
    }
    if let Some(moment) = query.since {
        let before = app.ask(move |store| store.arrived_before(moment)).await?;
        return Ok(Start::After(before.min(app.hub.committed())));
    }
    let Some(last) = query.last else {
        return Ok(Start::Now);
    };
    // A place among what is removed would be told as a gap, though nobody asked for it by name.
    let position = app.ask(meshscope_store::Store::position).await?;
    let start = position.last.saturating_sub(i64::from(last));
    Ok(Start::After(start.max(position.removed).min(app.hub.committed())))
}
