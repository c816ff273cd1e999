//! Typed calls over the API.

pub(crate) mod columns;
mod fetch;
pub(crate) mod stream;

pub(crate) use columns::{columns, trace_columns};
pub(crate) use fetch::{Fetch, ask, use_fetch, use_fetch_while};

use gloo_net::http::{Request, RequestBuilder, Response};
use leptos::prelude::*;
use meshscope_api::{Params, Problem};
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
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
    good(request.send().await, path).await
}

/// An answer that is good; any other is a problem.
async fn good(answer: Result<Response, gloo_net::Error>, path: &str) -> Result<Response, Problem> {
    let response = answer.map_err(|error| unreachable(&error))?;
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

/// `GET /api/v1/{path}` as bytes of a media type.
pub(crate) async fn bytes(
    origin: &str,
    path: &str,
    params: &Params,
    accept: &str,
    abort: Option<&AbortSignal>,
) -> Result<Vec<u8>, Problem> {
    let response = send(origin, path, params, accept, abort).await?;
    response.binary().await.map_err(|error| unreachable(&error))
}

/// Waits so many ms; with 0 it lets the page draw and answer before more is done.
pub(crate) async fn sleep(ms: i32) {
    let mut later = |resolve: js_sys::Function, _: js_sys::Function| {
        let window = web_sys::window();
        let set = |window: web_sys::Window| {
            window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms)
        };
        let waits = window.is_some_and(|window| set(window).is_ok());
        if !waits && resolve.call0(&JsValue::NULL).is_err() {
            leptos::logging::warn!("a timer could not be set");
        }
    };
    if JsFuture::from(js_sys::Promise::new(&mut later)).await.is_err() {
        leptos::logging::warn!("a timer failed");
    }
}

/// `GET /api/v1/{path}` as JSON.
pub(crate) async fn get<T: DeserializeOwned>(
    origin: &str,
    path: &str,
    params: &Params,
    abort: Option<&AbortSignal>,
) -> Result<T, Problem> {
    let response = send(origin, path, params, "application/json", abort).await?;
    read(response, path).await
}

/// What is sent other than to ask.
#[derive(Default)]
pub(crate) struct Call<'a> {
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'a str,
    /// A header.
    pub header: Option<(&'a str, &'a str)>,
    /// A text or a blob.
    pub body: Option<JsValue>,
}

/// Sends to `/api/v1/{path}`; the answer as text.
pub(crate) async fn call(
    origin: &str,
    path: &str,
    params: &Params,
    call: Call<'_>,
) -> Result<String, Problem> {
    let response = sent(origin, path, params, call).await?;
    response.text().await.map_err(|error| unreachable(&error))
}

/// `method` of `/api/v1/{path}` with a JSON body, where there is one; the answer is JSON.
pub(crate) async fn change<T: DeserializeOwned>(
    method: &str,
    origin: &str,
    path: &str,
    params: &Params,
    body: Option<String>,
) -> Result<T, Problem> {
    let call = Call {
        method,
        header: body.is_some().then_some(("content-type", "application/json")),
        body: body.map(|body| JsValue::from_str(&body)),
    };
    read(sent(origin, path, params, call).await?, path).await
}

async fn sent(origin: &str, path: &str, params: &Params, call: Call<'_>) -> Result<Response, Problem> {
    let method = call
        .method
        .parse()
        .map_err(|_| Problem::internal("no such method"))?;
    let mut request = RequestBuilder::new(&url(origin, path, params)).method(method);
    if let Some((name, value)) = call.header {
        request = request.header(name, value);
    }
    let request = match call.body {
        Some(body) => request.body(body),
        None => request.build(),
    };
    good(request.map_err(|error| unreachable(&error))?.send().await, path).await
}

async fn read<T: DeserializeOwned>(response: Response, path: &str) -> Result<T, Problem> {
    let body = response.binary().await.map_err(|error| unreachable(&error))?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::internal(format!("the answer to {path} cannot be read: {error}")))
}
