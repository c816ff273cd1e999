//! Events on the wire (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use super::chunk::{Chunk, Record};
use bytes::Bytes;
use meshscope_api::live::{TouchedSession, TouchedTrace};
use meshscope_api::stream::StreamQuery;
use meshscope_model::TraceId;
use meshscope_store::LiveRecords;
use serde::Serialize;
use std::collections::HashSet;

/// An event whose data is `data` and whose id is `cursor`.
pub(super) fn event(name: &str, cursor: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("id: {cursor}\nevent: {name}\ndata: {data}\n\n"))
}

/// A `delta` on its way: records that are JSON already, and what they touch.
#[derive(Default)]
struct DeltaEvent<'a> {
    lists: [Vec<u8>; 3],
    traces: HashSet<(TraceId, Option<&'a str>)>,
    sessions: HashSet<(&'a str, &'a str)>,
}

const SPANS: usize = 0;
const LOGS: usize = 1;
const POINTS: usize = 2;

impl<'a> DeltaEvent<'a> {
    fn add(
        &mut self,
        list: usize,
        json: &[u8],
        trace: Option<TraceId>,
        project: &'a str,
        session: Option<&'a str>,
    ) {
        if let Some(list) = self.lists.get_mut(list) {
            if !list.is_empty() {
                list.push(b',');
            }
            list.extend_from_slice(json);
        }
        self.traces.extend(trace.map(|trace| (trace, session)));
        self.sessions.extend(session.map(|session| (project, session)));
    }

    /// The event; `None` when there is no record in it.
    fn finish(self, cursor: &str) -> Option<Bytes> {
        if self.lists.iter().all(Vec::is_empty) {
            return None;
        }
        let traces = self.traces.into_iter().map(|(trace_id, session)| TouchedTrace {
            trace_id,
            session_id: session.map(str::to_owned),
        });
        let sessions = self
            .sessions
            .into_iter()
            .map(|(project, session)| TouchedSession {
                project: project.to_owned(),
                session_id: session.to_owned(),
            });
        let mut traces: Vec<_> = traces.collect();
        let mut sessions: Vec<_> = sessions.collect();
        traces.sort_unstable();
        sessions.sort_unstable();
        let length = self.lists.iter().map(Vec::len).sum::<usize>() + 80 * traces.len() + 300;
        let mut event = Vec::with_capacity(length);
        event.extend_from_slice(
            format!("id: {cursor}\nevent: delta\ndata: {{\"cursor\":\"{cursor}\"").as_bytes(),
        );
        for (name, list) in ["spans", "logs", "metric_points"].into_iter().zip(&self.lists) {
            if !list.is_empty() {
                event.extend_from_slice(format!(",\"{name}\":[").as_bytes());
                event.extend_from_slice(list);
                event.push(b']');
            }
        }
        let traces = serde_json::to_string(&traces).unwrap_or_default();
        let sessions = serde_json::to_string(&sessions).unwrap_or_default();
        event.extend_from_slice(format!(",\"traces\":{traces},\"sessions\":{sessions}}}\n\n").as_bytes());
        Some(Bytes::from(event))
    }
}

/// The records of a commit with these numbers.
pub(super) fn of_chunk(chunk: &Chunk, numbers: impl Iterator<Item = usize>, cursor: &str) -> Option<Bytes> {
    let mut event = DeltaEvent::default();
    for number in numbers {
        let (list, trace) = match chunk.record(number) {
            Some(Record::Span(span)) => (SPANS, Some(span.trace_id)),
            Some(Record::Log(entry)) => (LOGS, entry.record.trace_id),
            Some(Record::Point(_)) => (POINTS, None),
            None => continue,
        };
        let place = chunk.index().place(number);
        let json = chunk.encoded(number);
        event.add(list, json, trace, place.project, place.session_id);
    }
    event.finish(cursor)
}

/// Those records out of the store that `query` wants.
pub(super) fn of_records(records: &LiveRecords, query: &StreamQuery, cursor: &str) -> Option<Bytes> {
    let mut event = DeltaEvent::default();
    for span in records.spans.iter().filter(|span| query.wants_span(span)) {
        let (json, session) = (json(span), span.session_id.as_deref());
        event.add(SPANS, &json, Some(span.trace_id), &span.project, session);
    }
    for log in records.logs.iter().filter(|log| query.wants_log(log)) {
        let (json, session) = (json(log), log.session_id.as_deref());
        event.add(LOGS, &json, log.trace_id, &log.project, session);
    }
    for point in records.points.iter().filter(|point| query.wants_point(point)) {
        let (json, session) = (json(point), point.session_id.as_deref());
        event.add(POINTS, &json, None, &point.project, session);
    }
    event.finish(cursor)
}

fn json(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}
