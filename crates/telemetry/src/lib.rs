//! Decodes OTLP and agent dialects into the model.
//!
//! [`otlp`] turns bytes into records as sent; [`semconv`] says what each record means. A bad
//! record is counted, reported and left out, and its neighbours are kept.

pub mod mcp_mesh;
pub mod messages;
pub mod otlp;
pub mod semconv;
mod wire;

pub use otlp::{DecodeError, Decoded, Encoding, Rejected, Signal, decode};
