//! One trace: its spans in JSON or as columns.

pub(crate) mod conversation;
mod export;
mod span;

pub(crate) use conversation::{__path_conversation, conversation};
pub(crate) use export::{__path_export_trace, export_trace};
pub(crate) use span::{__path_span, __path_value, span, value};

use crate::api::{Answer, json, params, trace_id};
use crate::app::App;
use crate::pour::columns;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use meshscope_api::search::{SpanMatches, SpanSearch};
use meshscope_api::{COLUMNS_MEDIA_TYPE, Problem, TraceDetail};
use meshscope_model::TraceId;
use std::sync::Arc;

fn missing(id: TraceId) -> Problem {
    Problem::not_found(format!("there is no trace {id}"))
}

/// One trace: the summary with every span in full as JSON, or the spans as columns.
///
/// Columns come as a stream of chunks in the order of (start, span id), a small one first; a stream without its end
/// was cut. They are compressed by zstd, br or gzip as `Accept-Encoding` asks.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}",
    params(("trace_id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "JSON, or columns with `Accept: application/vnd.meshscope.columns`",
         content((TraceDetail = "application/json"), (Vec<u8> = "application/vnd.meshscope.columns"))),
        (status = 404, body = Problem)))]
pub(crate) async fn trace(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let id = trace_id(&id)?;
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if accept.contains(COLUMNS_MEDIA_TYPE) {
        return columns::stream(&app, &headers, id, move |store, take| {
            let found = store.trace_columns(id, take)?;
            Ok((!found).then(|| missing(id)))
        })
        .await;
    }
    let trace = app.ask(move |store| store.trace(id)).await?;
    json(&trace.ok_or_else(|| missing(id))?)
}

/// Spans of a trace that hold a text, and where in them it is.
///
/// Names, services, agents, models, tools, status messages, errors, events, links and attribute values (messages,
/// arguments and results among them) are looked through in any case. `KEY=VALUE`, `KEY!=VALUE`, `KEY<N`, `KEY<=N`, `KEY>N`,
/// `KEY>=N` and `KEY~TEXT` ask for an attribute instead, or for `name`, `service`, `agent`, `model`, `tool` or
/// `status_message`; in double quotes such a text is only a text.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/search",
    params(
        ("trace_id" = String, Path, description = "32 hexadecimal digits"),
        ("q" = String, Query, description = "What is looked for"),
        ("limit" = Option<u32>, Query, description = "Spans at the most, 1 to 100,000, 10,000 by default"),
    ),
    responses((status = 200, body = SpanMatches), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let id = trace_id(&id)?;
    let query = SpanSearch::read(&params(query))?;
    let matches = app.ask(move |store| store.search_trace(id, &query)).await?;
    json(&matches.ok_or_else(|| missing(id))?)
}
