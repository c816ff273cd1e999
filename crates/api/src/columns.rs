//! The columnar form of a trace on the wire, media type [`crate::COLUMNS_MEDIA_TYPE`]: a stream of
//! chunks in the order of (start, span id), each of which can be drawn when it is there.
//!
//! ```text
//! "MSC2"  trace id (16 bytes, all zero of a session)  spans expected: varint of the number + 1, 0 when not known
//! frames: tag (1 byte)  length: varint  content
//!   1  a chunk of spans
//!   2  the end:   spans  strings  events  spans with links    varints, of the whole
//!   3  the server broke off: why, in UTF-8
//!   4  of a session alone, before each chunk: the traces of its spans. How many are new: varint; their
//!      ids, 16 bytes each; of each span of the chunk the index of its trace: varint
//!
//! a chunk:
//!   spans: varint
//!   strings: varint; their lengths: varints; their UTF-8, one after the other. These are the new
//!     ones, which go on from those of the chunks before; string 0 is the empty one
//!   span_id  parent_span_id                   8 bytes each, little-endian
//!   start_time                                zigzag varint of the difference to the one before
//!   then each of these as a column: 0 alone when all are 0, else 1 and its values
//!     duration                                varint
//!     name service agent model tool message   varint
//!     kind status operation flags             1 byte
//!     time_to_first_token input_tokens output_tokens total_tokens cost
//!                                             varint of value + 1, 0 when absent
//!   events: varint, then of each: span (difference to the one before, within the chunk) varint,
//!     time less the span's start zigzag varint, name varint, kind 1 byte
//!   spans with links: varint, then of each: span as above, how many varint
//! ```
//!
//! Varints are LEB128 as in protobuf. Numbers are not negative but for differences; a negative
//! optional value crosses as absent. A stream without its end was cut.

mod decode;
mod encode;

pub use decode::{Decoder, decode};
pub use encode::{chunk, encode, end, header, refusal};

/// The stream begins with this.
const MAGIC: &[u8; 4] = b"MSC2";

/// Tags of frames.
mod tag {
    pub(super) const CHUNK: u8 = 1;
    pub(super) const END: u8 = 2;
    pub(super) const REFUSAL: u8 = 3;
    pub(super) const RUNS: u8 = 4;
}

/// Why bytes are not columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// They do not start as columns do.
    #[error("not span columns of version 2")]
    Magic,
    /// They end too early, within the named part.
    #[error("the span columns end within {0}")]
    Truncated(&'static str),
    /// A value is not possible, in the named part.
    #[error("the span columns hold an impossible value in {0}")]
    Invalid(&'static str),
    /// The stream ended before its end, after this many spans.
    #[error("the trace was cut off after {0} spans")]
    Cut(usize),
    /// The server broke off and said why.
    #[error("the server broke off: {0}")]
    Refused(String),
}

/// How much a whole stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Spans.
    pub spans: u64,
    /// Strings, without the empty one.
    pub strings: u64,
    /// Span events.
    pub events: u64,
    /// Spans that have links.
    pub linked: u64,
}

impl Totals {
    /// Adds what a piece holds.
    pub fn add(&mut self, piece: &meshscope_model::SpanColumns) {
        self.spans += piece.len() as u64;
        self.strings += piece.strings.len() as u64;
        self.events += piece.event_row.len() as u64;
        self.linked += piece.link_row.len() as u64;
    }
}

#[cfg(test)]
mod tests;
