//! `GET /healthz` and `GET /readyz`, for who runs the server.

use crate::api;
use crate::app::App;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use meshscope_api::Problem;
use std::sync::Arc;

/// The process is there and answers.
pub(crate) async fn healthz() -> &'static str {
    "ok"
}

/// Telemetry is taken: the store is open, the writer runs, and the server is not about to end.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.not_ready() {
        None => "ready".into_response(),
        Some(why) => api::problem(&Problem::unavailable(why)),
    }
}
