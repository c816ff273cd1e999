//! The API's side of `export` and `backup`.

use crate::api::{Answer, json, params};
use crate::app::App;
use crate::file;
use crate::transfer::{copy_beside, lines};
use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use meshscope_api::Problem;
use meshscope_api::export::{BackupReport, BackupRequest, ExportFormat, ExportQuery};
use meshscope_store::StoreError;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Pieces of an answer that wait for a slow reader.
const WAITING: usize = 16;

/// Records as JSON Lines, one OTLP export request a line, or as Parquet.
///
/// Lines come in the order of arrival, traces before logs before metrics, and can be imported again without loss; the
/// key `meshscope` beside the records has what they do not say themselves, such as the project that a header named.
/// Parquet holds one signal. An answer that breaks off is not whole.
#[utoipa::path(get, path = "/api/v1/export",
    params(
        ("signal" = Option<String>, Query, description = "`traces`, `logs`, `metrics`, comma separated; absent is all"),
        ("format" = Option<String>, Query, description = "`otlp` (JSON Lines) or `parquet`"),
        ("project" = Option<String>, Query, description = "Only this project"),
        ("session" = Option<String>, Query, description = "Only this session"),
        ("trace_id" = Option<String>, Query, description = "Only this trace: its spans and log records"),
        ("from" = Option<String>, Query, description = "First moment; absent is all"),
        ("to" = Option<String>, Query, description = "First moment after the range; absent is open"),
    ),
    responses(
        (status = 200, content((String = "application/x-ndjson"), (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 400, body = Problem)))]
pub(crate) async fn export(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = ExportQuery::read(&params(query))?;
    match (query.format, query.signals.first()) {
        (ExportFormat::Parquet, Some(signal)) => {
            let signal = *signal;
            let file = Passing::new(&app.config.data_dir);
            let path = file.0.clone();
            app.ask_long(move |store| store.export_parquet(&query, signal, &path))
                .await?;
            send_file(file).await
        }
        _ => Ok(send_lines(&app, query)),
    }
}

fn send_lines(app: &Arc<App>, query: ExportQuery) -> Response {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, StoreError>>(WAITING);
    let store = Arc::clone(&app.store);
    // Who reads may take its time, so that it must not take a query's place.
    tokio::task::spawn_blocking(move || {
        let exported = store.export(&query, &mut |batch| {
            let mut bytes = 0;
            for line in lines(&batch) {
                bytes += line.len();
                if sender.blocking_send(Ok(line)).is_err() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(bytes)
        });
        if let Err(error) = exported {
            tracing::error!(%error, "an export broke off");
            if sender.blocking_send(Err(error)).is_err() {
                tracing::debug!("its reader had gone");
            }
        }
    });
    let lines = stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    let types = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (types, Body::from_stream(lines)).into_response()
}

/// A file on its way out, removed in the end.
pub(crate) struct Passing(pub(crate) PathBuf);

impl Passing {
    pub(crate) fn new(dir: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(dir.join(format!(".export-{}-{n}.parquet", std::process::id())))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "an export's file was not removed");
        }
    }
}

pub(crate) async fn send_file(passing: Passing) -> Answer {
    let opened = tokio::fs::File::open(&passing.0).await;
    let opened = opened.map_err(|error| Problem::internal(format!("the export cannot be read: {error}")))?;
    let types = [(header::CONTENT_TYPE, "application/vnd.apache.parquet")];
    Ok((types, file::body(opened, u64::MAX, passing)).into_response())
}

/// Copies the store as it is now into a directory on the server's machine.
///
/// Writing and reading go on meanwhile. A server started with the copy as its data directory goes on from there.
#[utoipa::path(post, path = "/api/v1/backup", request_body = BackupRequest,
    responses((status = 200, body = BackupReport), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn backup(
    State(app): State<Arc<App>>,
    request: Result<Json<BackupRequest>, JsonRejection>,
) -> Answer {
    let Json(request) = request.map_err(|error| Problem::invalid_body(error.body_text()))?;
    let destination = PathBuf::from(&request.destination);
    if !destination.is_absolute() {
        let detail = format!("{:?} is not an absolute path", request.destination);
        return Err(Problem::invalid_parameter("destination", detail).into());
    }
    let data_dir = app.config.data_dir.clone();
    let report = app
        .ask_long(move |store| {
            let report = store.backup(&destination)?;
            copy_beside(&data_dir, &destination).map_err(StoreError::Place)?;
            Ok(report)
        })
        .await?;
    json(&report)
}
