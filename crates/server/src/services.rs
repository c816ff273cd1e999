//! `GET /api/v1/services`.

use crate::api::{Answer, json, params};
use crate::app::{App, now};
use axum::extract::{RawQuery, State};
use meshscope_api::{Problem, ServiceList, ServiceQuery};
use std::sync::Arc;

/// What is alive: services and their instances, what was heard of last first. The range is one of
/// arrival.
#[utoipa::path(get, path = "/api/v1/services",
    params(
        ("project" = Option<String>, Query, description = "Only this project; `*` or absent is all"),
        ("room" = Option<String>, Query, description = "Only what was sent from this room"),
        ("from" = Option<String>, Query, description = "First moment of arrival; absent is 24 hours ago, 0 is all"),
        ("to" = Option<String>, Query, description = "First moment after the range; absent is open"),
    ),
    responses((status = 200, body = ServiceList), (status = 400, body = Problem)))]
pub(crate) async fn services(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = ServiceQuery::read(&params(query))?;
    json(&app.ask(move |store| store.services(&query, now())).await?)
}
