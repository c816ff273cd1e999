//! From bytes to durable records: the one way in for every receiver.

use crate::app::{App, now};
use axum::http::HeaderMap;
use bytes::Bytes;
use meshscope_analysis::Prices;
use meshscope_api::{Params, Problem};
use meshscope_model::batch::PointUsage;
use meshscope_model::{Batch, Origin};
use meshscope_store::writer::WriteError;
use meshscope_telemetry::{DecodeError, Decoded, Encoding, Rejected, Signal, decode, semconv};
use std::sync::Arc;

/// Where records belong that do not say so themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fallback {
    pub(crate) project: Option<String>,
    pub(crate) session: Option<String>,
}

impl Fallback {
    /// `X-Meshscope-Project` and `X-Meshscope-Session`, else `?project=` and `?session=`, else
    /// for the session the first of the headers that the configuration names.
    pub(crate) fn of(app: &App, headers: &HeaderMap, query: &str) -> Self {
        let params = Params::parse(query);
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let find = |name: &str| header(&format!("x-meshscope-{name}")).or(params.get(name));
        let named = || app.config.session_headers.iter().find_map(|name| header(name));
        let clean = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Self {
            project: find("project").and_then(clean),
            session: find("session").or_else(named).and_then(clean),
        }
    }
}

/// Decodes an OTLP request and keeps it; returns when it is durable.
pub(crate) async fn ingest(
    app: &Arc<App>,
    signal: Signal,
    encoding: Encoding,
    body: Bytes,
    fallback: Fallback,
) -> Result<Rejected, Problem> {
    let (_, rejected) = ingest_with(app, signal, fallback, move || decode(signal, encoding, &body)).await?;
    Ok(rejected)
}

/// Decodes a body by `read`, understands, prices and keeps its records; returns when they are
/// durable, with how many there are. `signal` is under which problems are counted.
pub(crate) async fn ingest_with(
    app: &Arc<App>,
    signal: Signal,
    fallback: Fallback,
    read: impl FnOnce() -> Result<Decoded, DecodeError> + Send + 'static,
) -> Result<(usize, Rejected), Problem> {
    let worker = Arc::clone(app);
    let decoded = tokio::task::spawn_blocking(move || -> Result<Decoded, Problem> {
        let mut decoded = read().map_err(|error| Problem::invalid_body(error.to_string()))?;
        complete(&worker.prices(), &mut decoded.batch, &fallback);
        Ok(decoded)
    });
    let decoded = decoded.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a decoder panicked");
        Err(Problem::internal(
            "the body could not be decoded; the server's log says more",
        ))
    });
    let Decoded { batch, rejected } = match decoded {
        Ok(decoded) => decoded,
        Err(problem) => {
            app.stats.problem(signal, 0, &problem.detail, now());
            return Err(problem);
        }
    };
    if !rejected.messages.is_empty() {
        app.stats
            .problem(signal, rejected.records, &rejected.message(), now());
    }
    let kept = batch.len();
    match app.writer.submit(batch).await {
        Ok(()) => Ok((kept, rejected)),
        Err(error @ (WriteError::Full { .. } | WriteError::Closed)) => {
            Err(Problem::unavailable(error.to_string()))
        }
        Err(error @ WriteError::Unavailable(_)) => {
            app.stats.problem(signal, 0, &error.to_string(), now());
            Err(Problem::unavailable(error.to_string()))
        }
        Err(error @ WriteError::Failed(_)) => {
            app.stats.problem(signal, 0, &error.to_string(), now());
            Err(Problem::internal(error.to_string()))
        }
    }
}

/// Fills in what the records leave to the receiver: project, session, cost.
pub(crate) fn complete(prices: &Prices, batch: &mut Batch, fallback: &Fallback) {
    let place = |origin: &mut Origin| {
        if origin.project.is_none() {
            origin.project = Some(fallback.project.clone().unwrap_or_else(|| "default".to_owned()));
        }
        // Other records of the trace may name a session, and then theirs holds.
        if origin.session.is_none() && origin.fallback_session.is_none() {
            origin.fallback_session.clone_from(&fallback.session);
        }
    };
    for entry in &mut batch.spans {
        place(&mut entry.facts.origin);
        semconv::last_resort(&entry.span, &mut entry.facts);
        prices.apply(&mut entry.facts, entry.span.start_time);
    }
    for entry in &mut batch.logs {
        place(&mut entry.origin);
    }
    for entry in &mut batch.points {
        place(&mut entry.origin);
        if let Some(PointUsage {
            usage,
            model,
            provider,
            ..
        }) = &mut entry.usage
        {
            prices.apply_usage(provider.as_deref(), model.as_deref(), usage, entry.point.time);
        }
    }
}
