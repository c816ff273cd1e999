//! OTLP (<https://opentelemetry.io/docs/specs/otlp/>), protobuf and JSON.
//!
//! JSON is first written as protobuf by [`json`], so that one decoder serves both.

mod common;
mod encode;
mod json;
mod lines;
mod logs;
mod metrics;
mod response;
mod schema;
mod tell;
mod traces;
mod write_json;

use crate::decoded::{DecodeError, Decoded, Rejected};
use crate::semconv;
use meshscope_model::Batch;
use std::borrow::Cow;

pub use encode::{encode_logs, encode_metrics, encode_traces};
pub use lines::{logs_line, points_line, spans_line};
pub use response::response;
pub use tell::signal_of;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metric data points.
    Metrics,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// `traces`, `logs` or `metrics`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// Decodes the body of an export request. An empty protobuf body is an empty request.
pub fn decode(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Decoded, DecodeError> {
    let request = match signal {
        Signal::Traces => "ExportTraceServiceRequest",
        Signal::Logs => "ExportLogsServiceRequest",
        Signal::Metrics => "ExportMetricsServiceRequest",
    };
    let format = match encoding {
        Encoding::Protobuf => "protobuf",
        Encoding::Json => "JSON",
    };
    let error = |detail: String| DecodeError::new(format!("an OTLP {request} in {format}"), detail);
    let (protobuf, extra) = match encoding {
        Encoding::Protobuf => (Cow::Borrowed(body), None),
        Encoding::Json => {
            let (protobuf, extra) = json::to_protobuf(signal, body).map_err(error)?;
            (Cow::Owned(protobuf), extra)
        }
    };
    let mut context = common::Context::default();
    let mut batch = Batch::default();
    let read = match signal {
        Signal::Traces => traces::decode(&protobuf, &mut context, &mut batch.spans),
        Signal::Logs => logs::decode(&protobuf, &mut context, &mut batch.logs),
        Signal::Metrics => metrics::decode(&protobuf, &mut context, &mut batch.points),
    };
    read.map_err(|wire| error(wire.to_string()))?;
    let mut rejected = context.finish();
    let mut extra = extra.map(|value| lines::Extra::read(value, &mut rejected));
    if let Some(extra) = &mut extra {
        extra.identify(&mut batch, &mut rejected);
    }
    semconv::understand(&mut batch);
    if let Some(extra) = extra {
        extra.apply(&mut batch);
    }
    Ok(Decoded { batch, rejected })
}
