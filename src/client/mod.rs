//! Typed calls over the API.

pub(crate) mod columns;
mod fetch;

pub(crate) use columns::columns;
pub(crate) use fetch::{Fetch, use_fetch, use_fetch_while};

use gloo_net::http::{Request, Response};
use leptos::prelude::*;
use meshscope_api::{Params, Problem};
use serde::de::DeserializeOwned;
use web_sys::AbortSignal;

/// Where the API is.
#[derive(Debug, Clone)]
struct Origin(String);

/// Makes the API's origin known to the studio.
pub(crate) fn provide(origin: &str) {
    provide_context(Origin(origin.trim_end_matches('/').to_owned()));
}

/// Origin of the API; empty for the page's own.
pub(crate) fn origin() -> String {
    use_context::<Origin>().map(|origin| origin.0).unwrap_or_default()
}

/// `/api/v1/` + path + query.
pub(crate) fn url(origin: &str, path: &str, params: &Params) -> String {
    let query = params.to_query();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{origin}/api/v1/{path}{mark}{query}")
}

/// A problem for what never became an answer.
fn unreachable(error: &impl std::fmt::Display) -> Problem {
    Problem {
        title: "The server cannot be reached".to_owned(),
        detail: format!("{error}. Is `meshscope serve` running?"),
        ..Problem::unavailable("")
    }
}

/// A good answer, its body still to be read; any other is a problem.
async fn send(
    origin: &str,
    path: &str,
    params: &Params,
    accept: &str,
    abort: Option<&AbortSignal>,
) -> Result<Response, Problem> {
    let request = Request::get(&url(origin, path, params))
        .header("accept", accept)
        .abort_signal(abort);
    let response = request.send().await.map_err(|error| unreachable(&error))?;
    if response.ok() {
        return Ok(response);
    }
    let status = response.status();
    let body = response.binary().await.map_err(|error| unreachable(&error))?;
    Err(serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
        status,
        ..Problem::internal(format!("the server answered {status} to {path}"))
    }))
}

/// `GET /api/v1/{path}` as text.
pub(crate) async fn text(
    origin: &str,
    path: &str,
    params: &Params,
    abort: Option<&AbortSignal>,
) -> Result<String, Problem> {
    let response = send(origin, path, params, "*/*", abort).await?;
    response.text().await.map_err(|error| unreachable(&error))
}

/// `GET /api/v1/{path}` as JSON.
pub(crate) async fn get<T: DeserializeOwned>(
    origin: &str,
    path: &str,
    params: &Params,
    abort: Option<&AbortSignal>,
) -> Result<T, Problem> {
    let response = send(origin, path, params, "application/json", abort).await?;
    let body = response.binary().await.map_err(|error| unreachable(&error))?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::internal(format!("the answer to {path} cannot be read: {error}")))
}
