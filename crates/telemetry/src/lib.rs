//! Decodes OTLP and agent dialects into the model.
//!
//! [`otlp`] turns bytes into records as sent; [`semconv`] says what each record means. What is
//! not OTLP has a decoder of its own, and [`sniff`] tells which one a JSON body is for. A bad
//! record is counted, reported and left out, and its neighbours are kept.

mod decoded;
pub mod developer;
pub mod jaeger;
mod json;
pub mod mcp_mesh;
pub mod meshflow;
pub mod messages;
pub mod otlp;
pub mod semconv;
mod severity;
mod sniff;
pub mod videosdk;
mod wire;

pub use decoded::{DecodeError, Decoded, Rejected};
pub use otlp::{Encoding, Signal, decode};
pub use sniff::{Body, sniff};
