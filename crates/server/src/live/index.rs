//! Where the records of a commit belong.

use meshscope_analysis::TraceSession;
use meshscope_api::live::project_of;
use meshscope_api::stream::Place;
use meshscope_model::{Batch, LogEntry, PointEntry, SpanEntry, System, TraceId};
use std::borrow::Cow;
use std::collections::HashMap;

struct OwnPlace {
    project: String,
    room: Option<String>,
    session_id: Option<String>,
    service: String,
    system: System,
}

/// The places of a commit's records.
pub(super) struct Index {
    places: Vec<OwnPlace>,
    /// Of each record.
    of: Vec<u32>,
    /// The records of each place, in order.
    records: Vec<Vec<u32>>,
}

impl Index {
    /// The place of the record with number `number`.
    pub(super) fn place(&self, number: usize) -> Place<'_> {
        let none = Place {
            project: "",
            room: None,
            session_id: None,
            service: "",
            system: System::default(),
        };
        self.places.get(self.place_number(number)).map_or(none, shown)
    }

    fn place_number(&self, number: usize) -> usize {
        self.of.get(number).map_or(0, |place| *place as usize)
    }

    /// The records of the places that are wanted, in order; `None` when all are.
    pub(super) fn wanted(&self, wants: impl Fn(&Place<'_>) -> bool) -> Option<Vec<u32>> {
        let places = self.places.iter().zip(&self.records);
        let wanted: Vec<&[u32]> = places
            .filter(|(place, _)| wants(&shown(place)))
            .map(|(_, records)| records.as_slice())
            .collect();
        if wanted.len() == self.places.len() {
            return None;
        }
        let mut numbers = wanted.concat();
        if wanted.len() > 1 {
            numbers.sort_unstable();
        }
        Some(numbers)
    }
}

fn shown(place: &OwnPlace) -> Place<'_> {
    Place {
        project: &place.project,
        room: place.room.as_deref(),
        session_id: place.session_id.as_deref(),
        service: &place.service,
        system: place.system,
    }
}

/// The place of a record while it is looked up.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Key<'a> {
    project: &'a str,
    room: Option<&'a str>,
    session_id: Option<Cow<'a, str>>,
    service: &'a str,
    system: System,
}

/// A record that was kept.
enum Entry<'a> {
    Span(&'a SpanEntry),
    Log(&'a LogEntry),
    Point(&'a PointEntry),
}

/// Finds the places of the records that a commit kept. `batches` have all its spans, of which those that are kept
/// already may tell the call of a point; `traces` is what the commit's traces say of their sessions.
pub(super) fn index(
    batches: &[Batch],
    (spans, logs, points): (&[&SpanEntry], &[LogEntry], &[PointEntry]),
    traces: &HashMap<TraceId, TraceSession>,
) -> Index {
    // Only points ask for calls, and most commits have none.
    let calls = if points.is_empty() {
        HashMap::new()
    } else {
        calls(batches)
    };
    let entries = spans.iter().map(|entry| Entry::Span(entry));
    let entries = entries.chain(logs.iter().map(Entry::Log));
    let entries = entries.chain(points.iter().map(Entry::Point));
    let mut index = Index {
        places: Vec::new(),
        of: Vec::with_capacity(spans.len() + logs.len() + points.len()),
        records: Vec::new(),
    };
    let unknown = TraceSession::default();
    let mut numbers: HashMap<Key<'_>, u32> = HashMap::new();
    let mut latest: Option<(Key<'_>, u32)> = None;
    for entry in entries {
        let (origin, service, trace, noise) = match entry {
            Entry::Span(entry) => {
                let (span, facts) = (&entry.span, &entry.facts);
                (
                    &facts.origin,
                    span.resource.service(),
                    Some(span.trace_id),
                    facts.noise,
                )
            }
            Entry::Log(entry) => {
                let record = &entry.record;
                (&entry.origin, record.resource.service(), record.trace_id, false)
            }
            Entry::Point(entry) => {
                let trace = entry.call.and_then(|call| calls.get(&call.key).copied());
                (&entry.origin, entry.point.resource.service(), trace, false)
            }
        };
        let session = match trace {
            Some(id) => traces.get(&id).unwrap_or(&unknown).resolve(origin, id, noise),
            None => origin
                .session
                .as_deref()
                .or(origin.fallback_session.as_deref())
                .map(Cow::Borrowed),
        };
        let key = Key {
            project: project_of(origin),
            room: origin.room.as_deref(),
            session_id: session,
            service,
            system: origin.system,
        };
        let number = match &latest {
            Some((last, number)) if *last == key => *number,
            _ => *numbers.entry(key.clone()).or_insert_with(|| {
                index.places.push(OwnPlace {
                    project: key.project.to_owned(),
                    room: key.room.map(str::to_owned),
                    session_id: key.session_id.as_deref().map(str::to_owned),
                    service: key.service.to_owned(),
                    system: key.system,
                });
                u32::try_from(index.places.len() - 1).unwrap_or(u32::MAX)
            }),
        };
        index.of.push(number);
        latest = Some((key, number));
    }
    index.records.resize_with(index.places.len(), Vec::new);
    for (number, place) in (0..).zip(&index.of) {
        if let Some(records) = index.records.get_mut(*place as usize) {
            records.push(number);
        }
    }
    index
}

/// The traces of the calls that spans of the commit describe.
fn calls(batches: &[Batch]) -> HashMap<u64, TraceId> {
    let spans = batches.iter().flat_map(|batch| &batch.spans);
    spans
        .filter_map(|entry| Some((entry.facts.call?.key, entry.span.trace_id)))
        .collect()
}
