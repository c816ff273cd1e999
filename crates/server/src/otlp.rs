//! OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), and the bodies that
//! other senders post to the same paths.

use crate::app::App;
use crate::doors::Door;
use crate::ingest::{Fallback, ingest};
use crate::{api, auth, body, mcp_mesh};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use meshscope_api::Problem;
use meshscope_telemetry::otlp::response;
use meshscope_telemetry::{Body as Kind, Encoding, Rejected, Signal, sniff};
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
    /// JSON of a sender that does not speak OTLP.
    Door(Door),
}

fn path(path: &str) -> Option<Path> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Some(Path::Sniff);
    }
    let signals = [
        ("/v1/traces", Signal::Traces),
        ("/v1/logs", Signal::Logs),
        ("/v1/metrics", Signal::Metrics),
    ];
    let signal = signals.into_iter().find(|(suffix, _)| path.ends_with(suffix));
    signal
        .map(|(_, signal)| Path::Signal(signal))
        .or_else(|| Door::at(path).map(Path::Door))
}

pub(crate) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let Some(path) = path(request.uri().path()) else {
        let detail = format!(
            "there is no {:?} here: OTLP goes to /v1/traces, /v1/logs, /v1/metrics, MeshFlow's reports to \
             /api/ingest/run, spans, eval, mcp, worker, its events to /siem, log records of your own to /v1/developer/logs",
            request.uri().path()
        );
        return api::problem(&Problem::not_found(detail));
    };
    if request.method() != Method::POST {
        let problem = api::problem(&Problem::method_not_allowed("telemetry is sent by POST"));
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
    let encoding = match path {
        Path::Door(_) => Encoding::Json,
        Path::Signal(_) | Path::Sniff => encoding(&parts.headers)?,
    };
    let fallback = Fallback::of(app, &parts.headers, parts.uri.query().unwrap_or_default());
    let bytes = body::read(&parts.headers, body, app.config.max_body, app.config.max_decoded).await?;
    let signal = match path {
        Path::Door(door) => return door.enter(app, &parts.headers, bytes, fallback).await,
        Path::Signal(signal) if encoding == Encoding::Protobuf => signal,
        Path::Sniff if encoding == Encoding::Protobuf => Signal::Traces,
        Path::Signal(_) | Path::Sniff => match (sniff(&bytes), path) {
            (Some(Kind::VideoSdkTurns), _) => {
                return Door::VideoSdkTurns
                    .enter(app, &parts.headers, bytes, fallback)
                    .await;
            }
            (Some(Kind::VideoSdkLog), _) => {
                return Door::VideoSdkLog
                    .enter(app, &parts.headers, bytes, fallback)
                    .await;
            }
            (Some(Kind::MeshFlowEvent), _) => {
                return Door::MeshFlowEvents
                    .enter(app, &parts.headers, bytes, fallback)
                    .await;
            }
            (Some(Kind::Jaeger), _) => return Door::Jaeger.enter(app, &parts.headers, bytes, fallback).await,
            (_, Path::Signal(signal)) | (Some(Kind::Otlp(signal)), _) => signal,
            (None, _) => {
                return Err(Problem::invalid_body(
                    "expected one of the keys resourceSpans, resourceLogs, resourceMetrics, or what VideoSDK or \
                     MeshFlow post: data, logType, event_type",
                ));
            }
        },
    };
    let rejected = ingest(app, signal, encoding, bytes, fallback).await?;
    Ok(answer(signal, encoding, &rejected))
}

/// The answer of OTLP: 200, with what was left out.
pub(crate) fn answer(signal: Signal, encoding: Encoding, rejected: &Rejected) -> Response {
    let media_type = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let body = response(signal, encoding, rejected);
    (StatusCode::OK, [(header::CONTENT_TYPE, media_type)], body).into_response()
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
