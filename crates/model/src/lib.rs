//! Ids, time, attribute values and the records of telemetry. No I/O.
//!
//! Everything here is plain data in OpenTelemetry's words. A record keeps what its sender
//! sent; what Meshscope concludes from it stands beside it, in [`facts`].

pub mod batch;
pub mod columns;
pub mod decimal;
pub mod facts;
pub mod fingerprint;
pub mod id;
pub mod log;
pub mod message;
pub mod metric;
pub mod resource;
pub mod span;
pub mod time;
pub mod usage;
pub mod value;

pub use batch::{Batch, LogEntry, PointEntry, SpanEntry};
pub use columns::SpanColumns;
pub use facts::{Call, Operation, Origin, SpanFacts, System};
pub use id::{SpanId, TraceId};
pub use log::LogRecord;
pub use message::{Direction, Message, Part};
pub use metric::{Metric, MetricKind, MetricPoint, PointValue, Temporality};
pub use resource::{Resource, Scope};
pub use span::{Link, Span, SpanEvent, SpanKind, Status, StatusCode};
pub use usage::{CostSource, Tokens, Usage};
pub use value::{AttributeValue, Attributes, KeyValue};
