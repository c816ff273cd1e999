//! What is there already: fingerprints of the records and emitters that are kept.
//!
//! A fingerprint is 64 bits; among ten million records the chance that any two meet is about
//! one in 400,000. For spans a meeting only means a look into the engine.

use super::met::Traces;
use super::recent::{self, Recent};
use super::{engine_error, read};
use crate::StoreError;
use duckdb::Connection;
use hashbrown::HashSet;
use meshscope_model::fingerprint::fingerprint as hash;
use meshscope_model::{LogEntry, MetricPoint, PointEntry, Resource, Scope, SpanId, TraceId};
use std::hash::{BuildHasher, Hasher};

/// Fingerprint of a span's identity.
pub(super) fn span(trace_id: TraceId, span_id: SpanId) -> u64 {
    hash(&[&trace_id.0, &span_id.0])
}

/// Fingerprint of a log record: everything it says. The same record sent twice has the same
/// times to the ns; two that an application wrote have not.
/// An identity is a hash already, so that a record read back can be given the same one.
pub(super) fn log(entry: &LogEntry, resource: u64) -> u64 {
    let record = &entry.record;
    if let Some(identity) = entry.identity {
        return identity;
    }
    let json = serde_json::to_vec(&(&record.body, &record.attributes)).unwrap_or_default();
    hash(&[
        &record.time.to_le_bytes(),
        &record.observed_time.to_le_bytes(),
        &resource.to_le_bytes(),
        record.scope.name.as_bytes(),
        record.event_name.as_bytes(),
        record.severity_text.as_bytes(),
        &record.span_id.unwrap_or_default().0,
        &json,
    ])
}

/// Fingerprint of a series: what tells its points from those of others.
pub(super) fn series(point: &MetricPoint, resource: u64) -> u64 {
    let attributes = serde_json::to_vec(&point.attributes).unwrap_or_default();
    hash(&[
        &resource.to_le_bytes(),
        point.scope.name.as_bytes(),
        point.metric.name.as_bytes(),
        point.metric.unit.as_bytes(),
        &[point.metric.kind as u8],
        &attributes,
    ])
}

/// Fingerprint of a point: its series and times. A series has one point at a time. An identity is
/// that of all points of one body; what is left when the series is taken away.
pub(super) fn point(entry: &PointEntry, series: u64) -> u64 {
    if let Some(identity) = entry.identity {
        return identity.wrapping_add(series);
    }
    hash(&[
        &series.to_le_bytes(),
        &entry.point.start_time.to_le_bytes(),
        &entry.point.time.to_le_bytes(),
    ])
}

/// Name of a resource by its content, with the content.
pub(super) fn resource(resource: &Resource) -> (u64, String) {
    let content = serde_json::to_string(resource).unwrap_or_default();
    (hash(&[b"resource", content.as_bytes()]), content)
}

/// Name of a scope by its content, with the content.
pub(super) fn scope(scope: &Scope) -> (u64, String) {
    let content = serde_json::to_string(scope).unwrap_or_default();
    (hash(&[b"scope", content.as_bytes()]), content)
}

/// Fingerprints are hashes already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |state, byte| state.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BuildIdentity;

impl BuildHasher for BuildIdentity {
    type Hasher = Identity;

    fn build_hasher(&self) -> Identity {
        Identity::default()
    }
}

/// How many fingerprints of spans each half of what is remembered holds; of anything else half
/// as many. About 20 MB for each kind that is busy.
const HALF: usize = 1 << 19;

/// What is known of what is kept.
pub(super) struct Known {
    pub(super) spans: Recent,
    pub(super) logs: Recent,
    pub(super) points: Recent,
    pub(super) traces: Traces,
    pub(super) emitters: HashSet<u64, BuildIdentity>,
}

impl Known {
    /// Reads from the engine what must be known from the start, which is little.
    pub(super) fn load(connection: &Connection, now: i64) -> Result<Self, StoreError> {
        let doing = "read what is kept already";
        let last = |table: &str, column: &str| {
            let sql = format!(
                "SELECT max({column}) FROM {table} WHERE {column} <= {}",
                recent::horizon(now)
            );
            connection
                .query_row(&sql, [], |row| row.get::<_, Option<i64>>(0))
                .map_err(engine_error(doing))
        };
        let ids = read::rows(connection, doing, "SELECT id FROM emitters", Vec::new(), |row| {
            row.get(0)
        })?;
        Ok(Self {
            spans: Recent::new(HALF, last("spans", "start_time")?),
            logs: Recent::new(HALF / 2, last("logs", "time")?),
            points: Recent::new(HALF / 2, last("metric_points", "time")?),
            traces: Traces::default(),
            emitters: ids.into_iter().collect(),
        })
    }
}
