//! The list of sessions, and figures over it.

use crate::api::parameters::{ListFilters, ListOf, Paging, Within};
use crate::api::{Answer, json, params};
use crate::app::{App, now};
use axum::extract::{RawQuery, State};
use meshscope_api::{ListQuery, Problem, SessionPage, SessionTotals};
use std::sync::Arc;

/// Sessions, latest start first or in another order; each page goes on where the one before ended.
#[utoipa::path(get, path = "/api/v1/sessions",
    params(Within, ListOf, ListFilters, Paging,
        ("order" = Option<String>, Query, description = "`started` (the default), `activity` (active ones first), `duration`, `runs`, `spans`, `logs`, `errors`, `tokens` or `cost`; what is not known comes last"),
        ("direction" = Option<String>, Query, description = "`desc`, the greatest or latest first (the default), or `asc`"),
    ),
    responses((status = 200, body = SessionPage), (status = 400, body = Problem)))]
pub(crate) async fn sessions(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read_sessions(&params(query))?;
    json(&app.ask(move |store| store.sessions(&query, now())).await?)
}

/// Figures over all sessions that a list with the same filters shows.
#[utoipa::path(get, path = "/api/v1/session-totals",
    params(Within, ListOf, ListFilters),
    responses((status = 200, body = SessionTotals), (status = 400, body = Problem)))]
pub(crate) async fn session_totals(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read_totals(&params(query))?;
    json(&app.ask(move |store| store.session_totals(&query, now())).await?)
}
