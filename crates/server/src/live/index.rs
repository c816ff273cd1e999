//! Where the records of a commit belong: found once, when the first subscriber asks.

use super::chunk::{Chunk, Record};
use super::lock;
use meshscope_analysis::TraceSession;
use meshscope_api::live::project_of;
use meshscope_api::stream::Place;
use meshscope_model::{Origin, System, TraceId};
use meshscope_store::Store;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

/// How many traces are remembered with their sessions.
const TRACES: usize = 50_000;

/// The sessions of traces that were asked for lately, as known now. They stay right as long as
/// every commit is read after them; when one is not, they are forgotten.
#[derive(Default)]
pub(super) struct Sessions {
    traces: HashMap<TraceId, TraceSession>,
    /// How often they were forgotten: what was asked before must not be remembered after.
    forgotten: u64,
}

impl Sessions {
    pub(super) fn forget(&mut self) {
        self.traces.clear();
        self.forgotten += 1;
    }
}

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

    /// The number of its place.
    pub(super) fn place_number(&self, number: usize) -> usize {
        self.of.get(number).map_or(0, |place| *place as usize)
    }

    /// All places.
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.places.iter().map(shown)
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

/// Finds the places of a commit's records; asks the store for sessions that it does not know.
pub(super) fn index(chunk: &Chunk, store: &dyn Store, sessions: &Mutex<Sessions>) -> Index {
    let calls = calls(chunk);
    let traces = sessions_of(chunk, &calls, store, sessions);
    let mut index = Index {
        places: Vec::new(),
        of: Vec::with_capacity(chunk.len()),
    };
    let unknown = TraceSession::default();
    let mut numbers: HashMap<Key<'_>, u32> = HashMap::new();
    let mut latest: Option<(Key<'_>, u32)> = None;
    for number in 0..chunk.len() {
        let Some(record) = chunk.record(number) else {
            index.of.push(0);
            continue;
        };
        let (origin, service, trace, noise) = match record {
            Record::Span(entry) => {
                let (span, facts) = (&entry.span, &entry.facts);
                (
                    &facts.origin,
                    span.resource.service(),
                    Some(span.trace_id),
                    facts.noise,
                )
            }
            Record::Log(entry) => {
                let record = &entry.record;
                (&entry.origin, record.resource.service(), record.trace_id, false)
            }
            Record::Point(entry) => {
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
    index
}

/// The traces of the calls that spans of the commit describe.
fn calls(chunk: &Chunk) -> HashMap<u64, TraceId> {
    let spans = chunk.batches().iter().flat_map(|batch| &batch.spans);
    spans
        .filter_map(|entry| Some((entry.facts.call?.key, entry.span.trace_id)))
        .collect()
}

/// What the spans and log records of a commit say of their traces' sessions.
fn said(chunk: &Chunk) -> impl Iterator<Item = (TraceId, &Origin)> {
    chunk.batches().iter().flat_map(|batch| {
        let spans = batch.spans.iter().map(|e| (e.span.trace_id, &e.facts.origin));
        let logs = batch
            .logs
            .iter()
            .filter_map(|e| Some((e.record.trace_id?, &e.origin)));
        spans.chain(logs)
    })
}

/// The sessions of the traces whose records do not all name their own.
fn sessions_of(
    chunk: &Chunk,
    calls: &HashMap<u64, TraceId>,
    store: &dyn Store,
    sessions: &Mutex<Sessions>,
) -> HashMap<TraceId, TraceSession> {
    let points = chunk.batches().iter().flat_map(|batch| &batch.points);
    let of_points = points.filter(|entry| entry.origin.session.is_none());
    let of_points = of_points.filter_map(|entry| calls.get(&entry.call?.key).copied());
    let unnamed = said(chunk).filter(|(_, origin)| origin.session.is_none());
    let wanted: HashSet<TraceId> = unnamed.map(|(trace_id, _)| trace_id).chain(of_points).collect();
    let (mut found, unknown, forgotten) = {
        let mut known = lock(sessions);
        for (trace_id, origin) in said(chunk) {
            if let Some(session) = known.traces.get_mut(&trace_id) {
                session.learn(origin);
            }
        }
        let (remembered, unknown): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|id| known.traces.contains_key(id));
        let remembered = remembered.into_iter();
        let found: HashMap<_, _> = remembered
            .filter_map(|id| Some((id, known.traces.get(&id)?.clone())))
            .collect();
        (found, unknown, known.forgotten)
    };
    if unknown.is_empty() {
        return found;
    }
    let answer = match store.trace_sessions(&unknown) {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%error, "the sessions of live records are not known");
            return found;
        }
    };
    let asked = unknown
        .into_iter()
        .map(|id| (id, answer.get(&id).cloned().unwrap_or_default()));
    let asked: Vec<_> = asked.collect();
    let mut known = lock(sessions);
    if known.forgotten == forgotten {
        if known.traces.len() + asked.len() > TRACES {
            known.forget();
        }
        known.traces.extend(asked.iter().cloned());
    }
    found.extend(asked);
    found
}
