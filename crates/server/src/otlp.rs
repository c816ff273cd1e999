//! OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use crate::app::App;
use crate::ingest::{Fallback, ingest};
use crate::{api, auth, body, mcp_mesh};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use meshscope_api::{Params, Problem};
use meshscope_telemetry::otlp::{response, sniff};
use meshscope_telemetry::{Encoding, Signal};
use std::sync::Arc;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

/// Seconds after which a sender may try again when the queue was full.
const RETRY_AFTER: &str = "1";

/// The receiver's routes.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let keys = middleware::from_fn_with_state(Arc::clone(app), auth::require);
    let router = mcp_mesh::rest::router()
        .fallback(receive)
        .with_state(Arc::clone(app))
        .layer(keys);
    match cors(&app.config.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new().allow_methods([Method::POST]).allow_headers(Any);
    if origins.iter().any(|origin| origin == "*") {
        return Some(layer.allow_origin(Any));
    }
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    Some(layer.allow_origin(AllowOrigin::list(origins)))
}

/// What a path takes. A suffix counts however often it stands there: some senders add it to
/// a URL that has it already.
enum Path {
    Signal(Signal),
    /// `/`: told by the body's top-level key.
    Sniff,
}

fn path(path: &str) -> Option<Path> {
    let path = path.trim_end_matches('/');
    let signals = [
        ("/v1/traces", Signal::Traces),
        ("/v1/logs", Signal::Logs),
        ("/v1/metrics", Signal::Metrics),
    ];
    match signals.into_iter().find(|(suffix, _)| path.ends_with(suffix)) {
        Some((_, signal)) => Some(Path::Signal(signal)),
        None => path.is_empty().then_some(Path::Sniff),
    }
}

async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let Some(path) = path(request.uri().path()) else {
        let detail = format!(
            "there is no {:?} here: OTLP goes to /v1/traces, /v1/logs, /v1/metrics",
            request.uri().path()
        );
        return api::problem(&Problem::not_found(detail));
    };
    if request.method() != Method::POST {
        let problem = api::problem(&Problem::method_not_allowed("OTLP is sent by POST"));
        return ([(header::ALLOW, "POST")], problem).into_response();
    }
    match export(&app, path, request).await {
        Ok(response) => response,
        Err(problem) => {
            let response = api::problem(&problem);
            if problem.status == 503 {
                return ([(header::RETRY_AFTER, RETRY_AFTER)], response).into_response();
            }
            response
        }
    }
}

async fn export(app: &Arc<App>, path: Path, request: Request) -> Result<Response, Problem> {
    let (parts, body): (_, Body) = request.into_parts();
    let encoding = encoding(&parts.headers)?;
    let fallback = fallback(&parts.headers, parts.uri.query().unwrap_or_default());
    let bytes = body::read(&parts.headers, body, app.config.max_body, app.config.max_decoded).await?;
    let signal = match path {
        Path::Signal(signal) => signal,
        Path::Sniff if encoding == Encoding::Json => sniff(&bytes).ok_or_else(|| {
            Problem::invalid_body("expected one of the keys resourceSpans, resourceLogs, resourceMetrics")
        })?,
        Path::Sniff => Signal::Traces,
    };
    let rejected = ingest(app, signal, encoding, bytes, fallback).await?;
    let media_type = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let answer = response(signal, encoding, &rejected);
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, media_type)], answer).into_response())
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "application/x-protobuf" | "application/protobuf" => Ok(Encoding::Protobuf),
        "application/json" => Ok(Encoding::Json),
        other => Err(Problem::unsupported_media_type(format!(
            "Content-Type {other:?} is not supported: send application/x-protobuf or application/json"
        ))),
    }
}

/// Project and session for records that name none: `X-Meshscope-Project`, `X-Meshscope-Session`
/// or `?project=`, `?session=`.
pub(crate) fn fallback(headers: &HeaderMap, query: &str) -> Fallback {
    let params = Params::parse(query);
    let find = |name: &str| {
        let header = headers
            .get(format!("x-meshscope-{name}"))
            .and_then(|value| value.to_str().ok());
        header
            .or(params.get(name))
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    Fallback {
        project: find("project"),
        session: find("session"),
    }
}
