//! What a decoder gives back: the records that are kept, and what was wrong with the others.

use meshscope_model::Batch;

/// The body as a whole cannot be decoded; nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not {expected}: {detail}")]
pub struct DecodeError {
    expected: String,
    detail: String,
}

impl DecodeError {
    /// `expected` with its article, for example `an OTLP ExportTraceServiceRequest in JSON`.
    pub(crate) fn new(expected: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            detail: detail.into(),
        }
    }
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
    pub(crate) fn record(&mut self, message: String) {
        self.records += 1;
        self.note(message);
    }

    pub(crate) fn note(&mut self, message: String) {
        if self.messages.len() < MAX_MESSAGES && !self.messages.contains(&message) {
            self.messages.push(message);
        }
    }

    /// Adds what another part of the same body had wrong.
    pub(crate) fn append(&mut self, other: Self) {
        self.records += other.records;
        other.messages.into_iter().for_each(|message| self.note(message));
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
