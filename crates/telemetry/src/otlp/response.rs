//! The answers of the OTLP services: full and partial success.

use super::{Encoding, Rejected, Signal};
use crate::wire::Writer;

/// The body of a 200: empty when everything was kept as sent, else a partial success with how
/// many were left out and why (<https://opentelemetry.io/docs/specs/otlp/#partial-success>).
#[must_use]
pub fn response(signal: Signal, encoding: Encoding, rejected: &Rejected) -> Vec<u8> {
    let whole = rejected.records == 0 && rejected.messages.is_empty();
    match encoding {
        Encoding::Protobuf if whole => Vec::new(),
        Encoding::Json if whole => b"{}".to_vec(),
        Encoding::Protobuf => {
            let mut out = Writer::default();
            out.message(1, |partial| {
                partial.varint(1, rejected.records);
                partial.bytes(2, rejected.message().as_bytes());
            });
            out.0
        }
        Encoding::Json => {
            let field = match signal {
                Signal::Traces => "rejectedSpans",
                Signal::Logs => "rejectedLogRecords",
                Signal::Metrics => "rejectedDataPoints",
            };
            serde_json::json!({
                "partialSuccess": { field: rejected.records.to_string(), "errorMessage": rejected.message() }
            })
            .to_string()
            .into_bytes()
        }
    }
}
