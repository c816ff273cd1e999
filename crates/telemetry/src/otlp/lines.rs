//! Export requests as lines of OTLP/JSON, with what Meshscope knows and the records do not say.
//!
//! A record may have its project from a header, its session from a fallback and its identity
//! from the body it came in. All that stands beside the records under [`KEY`], so that a line
//! read back gives the same batch; readers of OTLP/JSON pass over a key that they do not know.

use super::write_json::{Record, Request};
use crate::decoded::Rejected;
use crate::semconv;
use meshscope_model::{Batch, CostSource, LogEntry, Origin, PointEntry, SpanEntry, SpanFacts};
use serde::{Deserialize, Serialize};

/// The key beside `resourceSpans`, `resourceLogs` or `resourceMetrics`.
pub(super) const KEY: &str = "meshscope";

/// What stands under [`KEY`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Extra {
    /// The project of all records.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    /// What is known of each record, in the order of the records; empty when of none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<Option<Known>>,
}

/// What is known of a record that does not follow from it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<SpanFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    #[serde(
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    identity: Option<u64>,
}

/// An `ExportTraceServiceRequest` in JSON on one line. All `spans` are of `project`.
#[must_use]
pub fn spans_line(project: &str, spans: &[SpanEntry]) -> String {
    line(project, spans, |entry| {
        let mut derived = semconv::span(&entry.span);
        derived.origin.project.get_or_insert_with(|| project.to_owned());
        semconv::last_resort(&entry.span, &mut derived);
        let kept = without_table_price(&entry.facts);
        Known {
            facts: (kept != derived).then_some(kept),
            ..Known::default()
        }
    })
}

/// An `ExportLogsServiceRequest` in JSON on one line. All `logs` are of `project`.
#[must_use]
pub fn logs_line(project: &str, logs: &[LogEntry]) -> String {
    line(project, logs, |entry| Known {
        origin: differing(project, &entry.origin, semconv::log(&entry.record)),
        identity: entry.identity,
        ..Known::default()
    })
}

/// An `ExportMetricsServiceRequest` in JSON on one line. All `points` are of `project`.
#[must_use]
pub fn points_line(project: &str, points: &[PointEntry]) -> String {
    line(project, points, |entry| Known {
        origin: differing(project, &entry.origin, semconv::point(&entry.point)),
        identity: entry.identity,
        ..Known::default()
    })
}

fn differing(project: &str, kept: &Origin, mut derived: Origin) -> Option<Origin> {
    derived.project.get_or_insert_with(|| project.to_owned());
    (*kept != derived).then(|| kept.clone())
}

/// The facts without a cost that the receiver computed, which it does again.
fn without_table_price(facts: &SpanFacts) -> SpanFacts {
    let mut facts = facts.clone();
    if let Some(usage) = &mut facts.usage
        && matches!(usage.cost_source, Some(CostSource::PriceTable(_)))
    {
        usage.cost_pico_usd = None;
        usage.cost_source = None;
    }
    facts
}

fn line<T: Record>(project: &str, records: &[T], known: impl Fn(&T) -> Known) -> String {
    let mut extra = Extra {
        project: (project != "default").then(|| project.to_owned()),
        records: records
            .iter()
            .map(known)
            .map(|known| (known != Known::default()).then_some(known))
            .collect(),
    };
    if extra.records.iter().all(Option::is_none) {
        extra.records.clear();
    }
    let says = extra.project.is_some() || !extra.records.is_empty();
    // Text keys and plain data: there is nothing in it that JSON cannot hold.
    serde_json::to_string(&Request(records, says.then_some((KEY, &extra)))).unwrap_or_default()
}

impl Extra {
    /// What stands under [`KEY`] of a request; what is not of that shape is reported and left out.
    pub(super) fn read(value: serde_json::Value, rejected: &mut Rejected) -> Self {
        serde_json::from_value(value).unwrap_or_else(|error| {
            rejected.note(format!("the key {KEY} was left out: {error}"));
            Self::default()
        })
    }

    /// Fills in identities, which tell what belongs together; before the records are understood.
    pub(super) fn identify(&mut self, batch: &mut Batch, rejected: &mut Rejected) {
        if !self.records.is_empty() && self.records.len() != batch.len() {
            rejected.note(format!(
                "{KEY}.records was left out: it must have an entry for each of the {} records, got {}",
                batch.len(),
                self.records.len()
            ));
            self.records.clear();
        }
        let identities = || self.records.iter().map(|known| known.as_ref()?.identity);
        for (entry, identity) in batch.logs.iter_mut().zip(identities()) {
            entry.identity = identity;
        }
        for (entry, identity) in batch.points.iter_mut().zip(identities()) {
            entry.identity = identity;
        }
    }

    /// Fills in all else; after the records are understood.
    pub(super) fn apply(self, batch: &mut Batch) {
        let facts = batch.spans.iter_mut().map(|entry| &mut entry.facts);
        for (facts, known) in facts.zip(&self.records) {
            if let Some(known) = known.as_ref().and_then(|known| known.facts.as_ref()) {
                facts.clone_from(known);
            }
        }
        let origins = batch
            .logs
            .iter_mut()
            .map(|entry| &mut entry.origin)
            .chain(batch.points.iter_mut().map(|entry| &mut entry.origin));
        for (origin, known) in origins.zip(&self.records) {
            if let Some(known) = known.as_ref().and_then(|known| known.origin.as_ref()) {
                origin.clone_from(known);
            }
        }
        let spans = batch.spans.iter_mut().map(|entry| &mut entry.facts.origin);
        let logs = batch.logs.iter_mut().map(|entry| &mut entry.origin);
        let points = batch.points.iter_mut().map(|entry| &mut entry.origin);
        for origin in spans.chain(logs).chain(points) {
            if origin.project.is_none() {
                origin.project.clone_from(&self.project);
            }
        }
    }
}
