//! One trace: its spans in JSON or as columns.

mod columns;

use crate::api::{Answer, found, json, trace_id};
use crate::app::App;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use meshscope_api::{COLUMNS_MEDIA_TYPE, Problem, TraceDetail};
use meshscope_model::TraceId;
use std::sync::Arc;

pub(crate) fn missing(id: TraceId) -> Problem {
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
        return columns::answer(&app, id, &headers).await;
    }
    let trace = app.ask(move |store| store.trace(id)).await?;
    json(&found(trace, || format!("there is no trace {id}"))?)
}
