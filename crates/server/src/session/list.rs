//! The list of sessions, and figures over it.

use crate::api::{Answer, json, params};
use crate::app::{App, now};
use axum::extract::{RawQuery, State};
use meshscope_api::{ListQuery, Problem, SessionPage, SessionTotals};
use std::sync::Arc;

/// Sessions, latest start first or in another order; each page goes on where the one before ended.
#[utoipa::path(get, path = "/api/v1/sessions",
    params(
        ("project" = Option<String>, Query, description = "Only this project; `*` or absent is all"),
        ("from" = Option<String>, Query, description = "First moment; absent is 24 hours ago, 0 is all"),
        ("to" = Option<String>, Query, description = "First moment after the range; absent is open"),
        ("limit" = Option<u32>, Query, description = "Entries of a page, 1 to 10,000, 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("q" = Option<String>, Query, description = "Text in title, ids, room, agents, models, tools, errors"),
        ("system" = Option<String>, Query, description = "Only this agent system"),
        ("room" = Option<String>, Query, description = "Only this room"),
        ("session" = Option<String>, Query, description = "Only this session"),
        ("agent" = Option<String>, Query, description = "Where this agent took part"),
        ("model" = Option<String>, Query, description = "Where this model was called"),
        ("status" = Option<String>, Query, description = "`active`, `ended` or `failed`"),
        ("min_cost_usd" = Option<f64>, Query, description = "At least this cost"),
        ("min_duration_ms" = Option<f64>, Query, description = "At least this duration"),
        ("has_error" = Option<bool>, Query, description = "With or without failed spans"),
        ("blocked" = Option<bool>, Query, description = "With or without blocked spans"),
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
    params(
        ("project" = Option<String>, Query, description = "Only this project; `*` or absent is all"),
        ("from" = Option<String>, Query, description = "First moment; absent is 24 hours ago, 0 is all"),
        ("to" = Option<String>, Query, description = "First moment after the range; absent is open"),
        ("q" = Option<String>, Query, description = "Text in title, ids, room, agents, models, tools, errors"),
        ("system" = Option<String>, Query, description = "Only this agent system"),
        ("room" = Option<String>, Query, description = "Only this room"),
        ("session" = Option<String>, Query, description = "Only this session"),
        ("agent" = Option<String>, Query, description = "Where this agent took part"),
        ("model" = Option<String>, Query, description = "Where this model was called"),
        ("status" = Option<String>, Query, description = "`active`, `ended` or `failed`"),
        ("min_cost_usd" = Option<f64>, Query, description = "At least this cost"),
        ("min_duration_ms" = Option<f64>, Query, description = "At least this duration"),
        ("has_error" = Option<bool>, Query, description = "With or without failed spans"),
        ("blocked" = Option<bool>, Query, description = "With or without blocked spans"),
    ),
    responses((status = 200, body = SessionTotals), (status = 400, body = Problem)))]
pub(crate) async fn session_totals(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = ListQuery::read(&params(query))?;
    json(&app.ask(move |store| store.session_totals(&query, now())).await?)
}
