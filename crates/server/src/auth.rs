//! Keys: asked for when any are configured.

use crate::app::App;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use meshscope_api::{Params, Problem};
use std::sync::Arc;

/// Name of the cookie that a browser shows instead of a header.
const COOKIE: &str = "meshscope_key";

/// Compares without telling by its time how much was right.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |differ, (a, b)| differ | (a ^ b))
            == 0
}

/// Whether a request shows one of the keys.
pub(crate) fn allowed(keys: &[String], headers: &HeaderMap) -> bool {
    if keys.is_empty() {
        return true;
    }
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer =
        text(header::AUTHORIZATION).map(|value| value.strip_prefix("Bearer ").unwrap_or(value).trim());
    // Ours, and those in which MeshFlow's cloud reporter and its Phoenix exporter show a key.
    let own = ["x-meshscope-key", "x-meshflow-key", "api_key"]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok());
    let cookie = text(header::COOKIE).and_then(|cookies| {
        cookies
            .split(';')
            .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
    });
    [bearer, cookie]
        .into_iter()
        .flatten()
        .chain(own)
        .any(|shown| keys.iter().any(|key| same(key, shown)))
}

/// Lets a request through that shows a key. A browser shows it once as `?key=` and keeps it.
pub(crate) async fn require(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let keys = &app.config.keys;
    if allowed(keys, request.headers()) {
        return next.run(request).await;
    }
    let params = Params::parse(request.uri().query().unwrap_or_default());
    if let Some(key) = params
        .get("key")
        .filter(|shown| keys.iter().any(|key| same(key, shown)))
    {
        let path = request.uri().path().to_owned();
        let cookie = format!("{COOKIE}={key}; Path=/; HttpOnly; SameSite=Strict");
        let to = [(header::SET_COOKIE, cookie), (header::LOCATION, path)];
        return (axum::http::StatusCode::SEE_OTHER, to).into_response();
    }
    let problem = Problem {
        kind: "urn:meshscope:problem:unauthorized".to_owned(),
        title: "A key is needed".to_owned(),
        status: 401,
        detail: "show a key as `Authorization: Bearer KEY` or `X-Meshscope-Key: KEY`; \
                 in a browser open the studio once with `?key=KEY`"
            .to_owned(),
        parameter: None,
    };
    crate::api::problem(&problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_in_a_header_or_a_cookie() {
        let keys = vec!["one".to_owned(), "two".to_owned()];
        let shown = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            allowed(&keys, &headers)
        };
        assert!(allowed(&[], &HeaderMap::new()));
        assert!(!allowed(&keys, &HeaderMap::new()));
        assert!(shown("authorization", "Bearer two"));
        assert!(shown("authorization", "one"));
        assert!(shown("x-meshscope-key", "one"));
        assert!(shown("x-meshflow-key", "two"));
        assert!(shown("api_key", "two"));
        assert!(shown("cookie", "a=b; meshscope_key=two"));
        assert!(!shown("cookie", "meshscope_keys=two"));
        assert!(!shown("authorization", "Bearer three"));
    }
}
