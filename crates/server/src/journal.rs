//! OTLP requests in the store's journal: written when much waits, read with the next start after a
//! crash.

use crate::app::App;
use crate::ingest::{Fallback, complete};
use bytes::Bytes;
use meshscope_analysis::Prices;
use meshscope_model::Batch;
use meshscope_store::journal::{Journal, Ticket, records};
use meshscope_store::{Store, StoreError};
use meshscope_telemetry::{Encoding, Signal, decode};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// How many records are written at a time.
const GROUP: usize = 100_000;

/// A request as it came.
pub(crate) struct Kept {
    pub(crate) signal: Signal,
    pub(crate) encoding: Encoding,
    pub(crate) fallback: Fallback,
    pub(crate) body: Bytes,
}

/// What stands before a body, as JSON in a line.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    signal: Cow<'a, str>,
    json: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

impl App {
    /// Puts a request into the journal when so much waits that its sender had better not.
    pub(crate) fn journalled(&self, kept: &Kept) -> Option<Ticket> {
        let at = self.config.journal_at;
        if at == 0 || !self.writer.is_behind(at) {
            return None;
        }
        let head = Head {
            signal: kept.signal.as_str().into(),
            json: kept.encoding == Encoding::Json,
            project: kept.fallback.project.clone(),
            session: kept.fallback.session.clone(),
        };
        let appended = serde_json::to_vec(&head)
            .map_err(Into::into)
            .and_then(|head| self.journal.append(&[&head, b"\n", &kept.body]));
        // Its sender then waits for the engine.
        appended
            .inspect_err(|error| tracing::warn!(%error, "the journal cannot be written"))
            .ok()
    }
}

/// Opens the journal below the data directory, and writes what an earlier process left there.
pub(crate) fn open(data_dir: &Path, store: &dyn Store, prices: &Prices) -> Result<Arc<Journal>, String> {
    let dir = data_dir.join("journal");
    let failed = |error: std::io::Error| format!("cannot open the journal in {}: {error}", dir.display());
    let (journal, left) = Journal::open(&dir).map_err(failed)?;
    for path in left {
        match restore(&path, store, prices) {
            Ok(()) => journal.remove(&path),
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "this file of the journal is tried again with the next start");
            }
        }
    }
    Ok(Arc::new(journal))
}

fn restore(path: &Path, store: &dyn Store, prices: &Prices) -> Result<(), Box<dyn std::error::Error>> {
    let file = fs::read(path)?;
    let (records, rest) = records(&file);
    if rest > 0 {
        tracing::warn!(path = %path.display(), bytes = rest, "the end of the journal was cut off before it was answered");
    }
    tracing::info!(path = %path.display(), requests = records.len(), "writing what the journal has");
    let mut waiting: Vec<Batch> = Vec::new();
    for record in records {
        match read(record, prices) {
            Ok(batch) => waiting.push(batch),
            Err(error) => tracing::error!(%error, "a request of the journal cannot be read"),
        }
        if waiting.iter().map(Batch::len).sum::<usize>() >= GROUP {
            write(store, &mut waiting)?;
        }
    }
    Ok(write(store, &mut waiting)?)
}

fn write(store: &dyn Store, waiting: &mut Vec<Batch>) -> Result<(), StoreError> {
    store.write(&std::mem::take(waiting)).map(|_written| ())
}

fn read(record: &[u8], prices: &Prices) -> Result<Batch, String> {
    let end = record.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (head, body) = record.split_at(end);
    let head: Head<'_> = serde_json::from_slice(head).map_err(|error| error.to_string())?;
    let signal = Signal::ALL
        .into_iter()
        .find(|signal| signal.as_str() == head.signal)
        .ok_or_else(|| format!("there is no signal {:?}", head.signal))?;
    let encoding = if head.json {
        Encoding::Json
    } else {
        Encoding::Protobuf
    };
    let body = body.get(1..).unwrap_or_default();
    let mut decoded = decode(signal, encoding, body).map_err(|error| error.to_string())?;
    let fallback = Fallback {
        project: head.project,
        session: head.session,
    };
    complete(prices, &mut decoded.batch, &fallback);
    Ok(decoded.batch)
}
