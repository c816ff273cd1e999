//! OTLP (<https://opentelemetry.io/docs/specs/otlp/>), protobuf and JSON.
//!
//! JSON is first written as protobuf by [`json`], so that one decoder serves both.

mod common;
mod encode;
mod json;
mod logs;
mod metrics;
mod response;
mod traces;

use crate::semconv;
use meshscope_model::Batch;
use std::borrow::Cow;

pub use encode::{encode_logs, encode_metrics, encode_traces};
pub use json::sniff;
pub use response::response;

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

/// The body as a whole cannot be decoded; nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not an OTLP {request} in {format}: {detail}")]
pub struct DecodeError {
    request: &'static str,
    format: &'static str,
    detail: String,
}

/// How many messages a [`Rejected`] holds.
const MAX_MESSAGES: usize = 16;

/// What was left out, and what was repaired.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    /// Records that were left out.
    pub records: u64,
    /// What was wrong and what would be right; the first 16 that differ.
    pub messages: Vec<String>,
}

impl Rejected {
    fn record(&mut self, message: String) {
        self.records += 1;
        self.note(message);
    }

    fn note(&mut self, message: String) {
        if self.messages.len() < MAX_MESSAGES && !self.messages.contains(&message) {
            self.messages.push(message);
        }
    }

    /// The messages as one text; empty when nothing was wrong.
    #[must_use]
    pub fn message(&self) -> String {
        self.messages.join("; ")
    }
}

/// The records of a request, understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// The records that are kept.
    pub batch: Batch,
    /// What was left out.
    pub rejected: Rejected,
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
    let error = |detail: String| DecodeError {
        request,
        format,
        detail,
    };
    let protobuf = match encoding {
        Encoding::Protobuf => Cow::Borrowed(body),
        Encoding::Json => Cow::Owned(json::to_protobuf(signal, body).map_err(error)?),
    };
    let mut context = common::Context::default();
    let mut batch = Batch::default();
    let read = match signal {
        Signal::Traces => traces::decode(&protobuf, &mut context, &mut batch.spans),
        Signal::Logs => logs::decode(&protobuf, &mut context, &mut batch.logs),
        Signal::Metrics => metrics::decode(&protobuf, &mut context, &mut batch.points),
    };
    read.map_err(|wire| error(wire.to_string()))?;
    semconv::understand(&mut batch);
    Ok(Decoded {
        batch,
        rejected: context.finish(),
    })
}
