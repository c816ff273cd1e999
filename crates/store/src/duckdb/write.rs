//! One transaction: what is new is appended, what is there already counts once.

use super::append::Columns;
use super::identity::{self, Known};
use super::{Writing, engine_error, ledger, read};
use crate::{ChangedSpan, Changes, StoreError, Written};
use duckdb::Connection;
use hashbrown::HashMap;
use meshscope_model::metric::PointValue;
use meshscope_model::{
    Batch, KeyValue, LogEntry, Origin, PointEntry, Resource, Scope, SpanEntry, SpanId, TraceId, Usage,
};
use meshscope_telemetry::mcp_mesh;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where another name of a span stays searchable when two senders named it differently.
const ALSO_NAMED: &str = "meshscope.also_named";

/// What is to be appended.
#[derive(Default)]
struct Fresh<'a> {
    spans: Vec<Cow<'a, SpanEntry>>,
    logs: Vec<(&'a LogEntry, u64)>,
    points: Vec<(&'a PointEntry, u64, u64)>,
    emitters: Vec<(u64, String)>,
    trace_sessions: Vec<(TraceId, Option<&'a str>, Option<&'a str>)>,
    /// Spans whose kept row gives way to a merged one.
    replaced: Vec<(TraceId, SpanId)>,
    added: Added,
    places: Places,
}

/// Positions of the fresh records among those of their signal in all batches, for the live
/// stream; of a merged span the position is not asked.
#[derive(Default)]
struct Places {
    spans: Vec<u32>,
    logs: Vec<u32>,
    points: Vec<u32>,
}

/// Fingerprints that are known only once the transaction is committed.
#[derive(Default)]
struct Added {
    spans: Vec<u64>,
    logs: Vec<u64>,
    points: Vec<u64>,
    emitters: Vec<u64>,
    trace_sessions: Vec<u64>,
}

impl Fresh<'_> {
    /// What was kept, with sequence numbers from `after` + 1 on.
    fn changes(self, after: i64) -> Changes {
        let spans = self.spans.into_iter().zip(self.places.spans);
        Changes {
            after,
            spans: spans
                .map(|(entry, place)| match entry {
                    Cow::Borrowed(_) => ChangedSpan::Sent(place),
                    Cow::Owned(entry) => ChangedSpan::Merged(Box::new(entry)),
                })
                .collect(),
            logs: self.places.logs,
            points: self.places.points,
        }
    }
}

impl Writing {
    pub(super) fn write(&mut self, batches: &[Batch]) -> Result<Written, StoreError> {
        let after = self.sequence;
        let mut written = Written::default();
        let mut fresh = Fresh::default();
        let result = self
            .collect(batches, &mut fresh, &mut written)
            .and_then(|()| self.commit(&fresh));
        if result.is_err() {
            let Added {
                spans,
                logs,
                points,
                emitters,
                trace_sessions,
            } = std::mem::take(&mut fresh.added);
            let known = &mut self.known;
            for (set, added) in [
                (&mut known.spans, spans),
                (&mut known.logs, logs),
                (&mut known.points, points),
                (&mut known.emitters, emitters),
                (&mut known.trace_sessions, trace_sessions),
            ] {
                added.iter().for_each(|fingerprint| _ = set.remove(fingerprint));
            }
        }
        result.map(|()| {
            written.changes = fresh.changes(after);
            written
        })
    }

    fn collect<'a>(
        &mut self,
        batches: &'a [Batch],
        fresh: &mut Fresh<'a>,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let mut names = Names::default();
        self.spans(batches, fresh, written, &mut names)?;
        for (place, entry) in (0..).zip(batches.iter().flat_map(|batch| &batch.logs)) {
            let resource = names.resource(&entry.record.resource, &mut self.known, fresh);
            names.scope(&entry.record.scope, &mut self.known, fresh);
            let fingerprint = identity::log(entry, resource);
            if self.known.logs.insert(fingerprint) {
                fresh.added.logs.push(fingerprint);
                fresh.logs.push((entry, fingerprint));
                fresh.places.logs.push(place);
                written.logs += 1;
                if let Some(trace_id) = entry.record.trace_id {
                    note_session(trace_id, &entry.origin, &mut self.known, fresh);
                }
            }
        }
        for (place, entry) in (0..).zip(batches.iter().flat_map(|batch| &batch.points)) {
            let resource = names.resource(&entry.point.resource, &mut self.known, fresh);
            names.scope(&entry.point.scope, &mut self.known, fresh);
            let series = identity::series(&entry.point, resource);
            let fingerprint = identity::point(entry, series);
            if self.known.points.insert(fingerprint) {
                fresh.added.points.push(fingerprint);
                fresh.points.push((entry, series, fingerprint));
                fresh.places.points.push(place);
                written.metric_points += 1;
            }
        }
        Ok(())
    }

    /// Sorts spans into new ones, repeats, and ones that say more of a span that is there.
    fn spans<'a>(
        &mut self,
        batches: &'a [Batch],
        fresh: &mut Fresh<'a>,
        written: &mut Written,
        names: &mut Names,
    ) -> Result<(), StoreError> {
        let mut here: HashMap<u64, usize> = HashMap::new();
        let mut again: Vec<&'a SpanEntry> = Vec::new();
        let mut again_places: Vec<u32> = Vec::new();
        for (place, entry) in (0..).zip(batches.iter().flat_map(|batch| &batch.spans)) {
            names.resource(&entry.span.resource, &mut self.known, fresh);
            names.scope(&entry.span.scope, &mut self.known, fresh);
            note_session(entry.span.trace_id, &entry.facts.origin, &mut self.known, fresh);
            let fingerprint = identity::span(entry.span.trace_id, entry.span.span_id);
            if self.known.spans.insert(fingerprint) {
                fresh.added.spans.push(fingerprint);
                here.insert(fingerprint, fresh.spans.len());
                fresh.spans.push(Cow::Borrowed(entry));
                fresh.places.spans.push(place);
                written.spans += 1;
            } else if let Some(slot) = here
                .get(&fingerprint)
                .and_then(|index| fresh.spans.get_mut(*index))
            {
                match merge(slot, entry) {
                    None => written.repeated_spans += 1,
                    Some(merged) => {
                        *slot = Cow::Owned(merged);
                        written.merged_spans += 1;
                    }
                }
            } else {
                again.push(entry);
                again_places.push(place);
            }
        }
        let mut kept = read::spans_by_id(&self.connection, &again)?;
        for (place, entry) in again_places.into_iter().zip(again) {
            let id = (entry.span.trace_id, entry.span.span_id);
            let merged = match kept.get(&id) {
                // Another span with the same fingerprint: this one is new.
                None => {
                    kept.insert(id, entry.clone());
                    fresh.spans.push(Cow::Borrowed(entry));
                    fresh.places.spans.push(place);
                    written.spans += 1;
                    continue;
                }
                Some(there) => merge(there, entry),
            };
            let Some(merged) = merged else {
                written.repeated_spans += 1;
                continue;
            };
            written.merged_spans += 1;
            kept.insert(id, merged.clone());
            if let Some(slot) = fresh
                .spans
                .iter_mut()
                .find(|slot| (slot.span.trace_id, slot.span.span_id) == id)
            {
                *slot = Cow::Owned(merged);
            } else {
                fresh.replaced.push(id);
                fresh.spans.push(Cow::Owned(merged));
                fresh.places.spans.push(place);
            }
        }
        Ok(())
    }

    fn commit(&mut self, fresh: &Fresh<'_>) -> Result<(), StoreError> {
        let connection = &self.connection;
        connection
            .execute_batch("BEGIN TRANSACTION")
            .map_err(engine_error("begin a transaction"))?;
        let records = fresh.spans.len() + fresh.logs.len() + fresh.points.len();
        let appended = append(connection, fresh, self.sequence);
        let committed =
            appended.and_then(|()| connection.execute_batch("COMMIT").map_err(engine_error("commit")));
        match committed {
            Ok(()) => {
                self.sequence += i64::try_from(records).unwrap_or(i64::MAX);
                Ok(())
            }
            Err(error) => {
                if let Err(rollback) = connection.execute_batch("ROLLBACK") {
                    tracing::warn!(%rollback, "the failed transaction was gone already");
                }
                Err(error)
            }
        }
    }
}

/// Names of resources and scopes, by the pointers of this call's records: each is hashed once.
#[derive(Default)]
struct Names {
    resources: HashMap<usize, u64>,
    scopes: HashMap<usize, u64>,
}

impl Names {
    fn resource(&mut self, resource: &Arc<Resource>, known: &mut Known, fresh: &mut Fresh<'_>) -> u64 {
        *self
            .resources
            .entry(Arc::as_ptr(resource).addr())
            .or_insert_with(|| {
                let (id, content) = identity::resource(resource);
                note_emitter(id, content, known, fresh);
                id
            })
    }

    fn scope(&mut self, scope: &Arc<Scope>, known: &mut Known, fresh: &mut Fresh<'_>) -> u64 {
        *self.scopes.entry(Arc::as_ptr(scope).addr()).or_insert_with(|| {
            let (id, content) = identity::scope(scope);
            note_emitter(id, content, known, fresh);
            id
        })
    }
}

fn note_emitter(id: u64, content: String, known: &mut Known, fresh: &mut Fresh<'_>) {
    if known.emitters.insert(id) {
        fresh.added.emitters.push(id);
        fresh.emitters.push((id, content));
    }
}

fn note_session<'a>(trace_id: TraceId, origin: &'a Origin, known: &mut Known, fresh: &mut Fresh<'a>) {
    for (session, fallback) in [(&origin.session, false), (&origin.fallback_session, true)] {
        let Some(session) = session.as_deref() else {
            continue;
        };
        let fingerprint = identity::trace_session(trace_id, session, fallback);
        if known.trace_sessions.insert(fingerprint) {
            fresh.added.trace_sessions.push(fingerprint);
            let (strong, weak) = if fallback {
                (None, Some(session))
            } else {
                (Some(session), None)
            };
            fresh.trace_sessions.push((trace_id, strong, weak));
        }
    }
}

/// One span out of two that were sent under the same identity; `None` when `b` says nothing
/// that `a` does not. The result does not depend on which came first.
fn merge(a: &SpanEntry, b: &SpanEntry) -> Option<SpanEntry> {
    let (key_a, key_b) = (fingerprint(a), fingerprint(b));
    if key_a == key_b {
        return None;
    }
    // The one at first hand leads, then the ended one, then the one that says more, then the one
    // that sorts first.
    let rank = |entry: &SpanEntry, key: &str| {
        (
            mcp_mesh::standing(&entry.span),
            entry.span.end_time.is_some(),
            entry.span.attributes.len(),
            std::cmp::Reverse(key.to_owned()),
        )
    };
    let (lead, other) = if rank(a, &key_a) >= rank(b, &key_b) {
        (a, b)
    } else {
        (b, a)
    };
    let mut merged = lead.clone();
    let attributes = &mut merged.span.attributes;
    for kv in other.span.attributes.iter() {
        if attributes.get(&kv.key).is_none() {
            attributes.0.push(kv.clone());
        }
    }
    let named = KeyValue::new(ALSO_NAMED, other.span.name.as_str());
    if other.span.name != lead.span.name && !other.span.name.is_empty() && !attributes.0.contains(&named) {
        attributes.0.push(named);
    }
    for event in &other.span.events {
        if !merged.span.events.contains(event) {
            merged.span.events.push(event.clone());
        }
    }
    for link in &other.span.links {
        if !merged.span.links.contains(link) {
            merged.span.links.push(link.clone());
        }
    }
    merged.span.parent_span_id = lead.span.parent_span_id.or(other.span.parent_span_id);
    let (facts, more) = (&mut merged.facts, &other.facts);
    let fill = |into: &mut Option<String>, from: &Option<String>| {
        if into.is_none() {
            into.clone_from(from);
        }
    };
    for (into, from) in [
        (&mut facts.origin.project, &more.origin.project),
        (&mut facts.origin.room, &more.origin.room),
        (&mut facts.origin.session, &more.origin.session),
        (&mut facts.origin.agent, &more.origin.agent),
        (&mut facts.role, &more.role),
        (&mut facts.tool, &more.tool),
        (&mut facts.model, &more.model),
        (&mut facts.provider, &more.provider),
        (&mut facts.conversation, &more.conversation),
        (&mut facts.user, &more.user),
        (&mut facts.title, &more.title),
        (&mut facts.verdict, &more.verdict),
        (&mut facts.error, &more.error),
    ] {
        fill(into, from);
    }
    facts.blocked |= more.blocked;
    facts.time_to_first_token = facts.time_to_first_token.or(more.time_to_first_token);
    if lead.span.duration() == 0 {
        facts.reported_duration = facts.reported_duration.or(more.reported_duration);
    }
    facts.interrupted |= more.interrupted;
    facts.uncertainty = facts.uncertainty.or(more.uncertainty);
    facts.call = facts.call.or(more.call);
    facts.usage = merge_usage(facts.usage.take(), more.usage.as_ref());
    mcp_mesh::settle(&mut merged);
    (fingerprint(&merged) != key_a).then_some(merged)
}

/// Usage of one call as two senders report it: what one leaves out the other fills in.
fn merge_usage(lead: Option<Usage>, more: Option<&Usage>) -> Option<Usage> {
    let (Some(mut lead), Some(more)) = (lead.clone(), more) else {
        return lead.or_else(|| more.cloned());
    };
    let mut classes = lead.tokens.classes();
    for (class, other) in classes.iter_mut().zip(more.tokens.classes()) {
        *class = class.or(other);
    }
    lead.tokens = meshscope_model::Tokens::from_classes(classes);
    if lead.cost_pico_usd.is_none() {
        lead.cost_pico_usd = more.cost_pico_usd;
        lead.cost_source.clone_from(&more.cost_source);
    }
    lead.carbon_ug = lead.carbon_ug.or(more.carbon_ug);
    lead.characters = lead.characters.or(more.characters);
    lead.audio_ns = lead.audio_ns.or(more.audio_ns);
    lead.batch |= more.batch;
    Some(lead)
}

/// What a span says, as text to compare; order of attributes does not matter.
fn fingerprint(entry: &SpanEntry) -> String {
    let span = &entry.span;
    let mut attributes: Vec<String> = span.attributes.iter().map(|kv| format!("{kv:?}")).collect();
    attributes.sort_unstable();
    let mut events: Vec<String> = span.events.iter().map(|event| format!("{event:?}")).collect();
    events.sort_unstable();
    format!(
        "{}|{:?}|{}|{:?}|{:?}|{:?}|{attributes:?}|{events:?}|{:?}",
        span.name, span.parent_span_id, span.start_time, span.end_time, span.kind, span.status, span.links
    )
}

fn append(connection: &Connection, fresh: &Fresh<'_>, sequence: i64) -> Result<(), StoreError> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let received = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
    for (trace_id, span_id) in &fresh.replaced {
        for table in ["spans", "usage", "calls"] {
            let own = if table == "usage" { " AND source = 0" } else { "" };
            let delete = format!(
                "DELETE FROM {table} WHERE trace_id = '{trace_id}'::UUID AND span_id = {}{own}",
                span_id.as_u64()
            );
            connection
                .execute_batch(&delete)
                .map_err(engine_error("replace a span"))?;
        }
    }
    if !fresh.emitters.is_empty() {
        let mut c = Columns::default();
        c.u64(fresh.emitters.iter().map(|(id, _)| Some(*id)));
        c.text(fresh.emitters.iter().map(|(_, content)| Some(content.as_str())));
        c.append(connection, "emitters")?;
    }
    if !fresh.trace_sessions.is_empty() {
        let mut c = Columns::default();
        c.trace_ids(fresh.trace_sessions.iter().map(|(id, ..)| Some(*id)));
        c.text(fresh.trace_sessions.iter().map(|(_, session, _)| *session));
        c.text(fresh.trace_sessions.iter().map(|(.., fallback)| *fallback));
        c.append(connection, "trace_sessions")?;
    }
    let mut next = sequence;
    if !fresh.spans.is_empty() {
        append_spans(connection, &fresh.spans, next, received)?;
        next += i64::try_from(fresh.spans.len()).unwrap_or(0);
    }
    if !fresh.logs.is_empty() {
        append_logs(connection, &fresh.logs, next, received)?;
        next += i64::try_from(fresh.logs.len()).unwrap_or(0);
    }
    if !fresh.points.is_empty() {
        append_points(connection, &fresh.points, next, received)?;
    }
    ledger::append_calls(connection, &fresh.spans)?;
    ledger::append_usage(connection, &fresh.spans, &fresh.points, sequence)
}

fn origin<'a>(c: &mut Columns, origins: &(impl Iterator<Item = &'a Origin> + Clone)) {
    c.text(
        origins
            .clone()
            .map(|origin| Some(origin.project.as_deref().unwrap_or("default"))),
    );
    c.u8(origins.clone().map(|origin| origin.system as u8));
    c.text(origins.clone().map(|origin| origin.room.as_deref()));
    c.text(origins.clone().map(|origin| origin.session.as_deref()));
    c.text(origins.clone().map(|origin| origin.fallback_session.as_deref()));
    c.text(origins.clone().map(|origin| origin.agent.as_deref()));
}

/// JSON of a list, absent when it is empty.
fn json<T: serde::Serialize>(items: &[T]) -> Option<String> {
    if items.is_empty() {
        None
    } else {
        serde_json::to_string(items).ok()
    }
}

fn append_spans(
    connection: &Connection,
    rows: &[Cow<'_, SpanEntry>],
    sequence: i64,
    received: i64,
) -> Result<(), StoreError> {
    let mut resources: HashMap<usize, u64> = HashMap::new();
    let mut scopes: HashMap<usize, u64> = HashMap::new();
    let emitters: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| {
            let (resource, scope) = (&row.span.resource, &row.span.scope);
            let resource = *resources
                .entry(Arc::as_ptr(resource).addr())
                .or_insert_with(|| identity::resource(resource).0);
            let scope = *scopes
                .entry(Arc::as_ptr(scope).addr())
                .or_insert_with(|| identity::scope(scope).0);
            (resource, scope)
        })
        .collect();
    let spans = rows.iter().map(|row| &row.span);
    let facts = rows.iter().map(|row| &row.facts);
    let durations: Vec<i64> = rows
        .iter()
        .map(|row| row.facts.reported_duration.unwrap_or_else(|| row.span.duration()))
        .collect();
    let mut c = Columns::default();
    c.i64((sequence + 1..).take(rows.len()).map(Some));
    c.i64(rows.iter().map(|_| Some(received)));
    c.trace_ids(spans.clone().map(|span| Some(span.trace_id)));
    c.u64(spans.clone().map(|span| Some(span.span_id.as_u64())));
    c.u64(
        spans
            .clone()
            .map(|span| span.parent_span_id.map(|id| id.as_u64())),
    );
    c.i64(spans.clone().map(|span| Some(span.start_time)));
    c.i64(spans.clone().map(|span| span.end_time));
    c.i64(durations.iter().copied().map(Some));
    c.i64(
        spans
            .clone()
            .zip(&durations)
            .map(|(span, duration)| Some(span.start_time.saturating_add(*duration))),
    );
    c.text(spans.clone().map(|span| Some(span.name.as_str())));
    c.text(spans.clone().map(|span| Some(span.resource.service())));
    c.u8(spans.clone().map(|span| span.kind as u8));
    c.u8(spans.clone().map(|span| span.status.code as u8));
    c.text(spans.clone().map(|span| Some(span.status.message.as_str())));
    c.text(spans.clone().map(|span| Some(span.trace_state.as_str())));
    c.u32(spans.clone().map(|span| span.flags));
    c.u64(emitters.iter().map(|(resource, _)| Some(*resource)));
    c.u64(emitters.iter().map(|(_, scope)| Some(*scope)));
    origin(&mut c, &facts.clone().map(|facts| &facts.origin));
    c.u8(facts.clone().map(|facts| facts.operation as u8));
    c.text(facts.clone().map(|facts| facts.role.as_deref()));
    c.text(facts.clone().map(|facts| facts.tool.as_deref()));
    c.text(facts.clone().map(|facts| facts.model.as_deref()));
    c.text(facts.clone().map(|facts| facts.provider.as_deref()));
    c.text(facts.clone().map(|facts| facts.conversation.as_deref()));
    c.text(facts.clone().map(|facts| facts.user.as_deref()));
    c.text(facts.clone().map(|facts| facts.title.as_deref()));
    c.text(facts.clone().map(|facts| facts.verdict.as_deref()));
    c.bool(facts.clone().map(|facts| facts.blocked));
    c.text(facts.clone().map(|facts| facts.error.as_deref()));
    c.i64(facts.clone().map(|facts| facts.time_to_first_token));
    c.i64(facts.clone().map(|facts| facts.reported_duration));
    c.bool(facts.clone().map(|facts| facts.noise));
    c.attributes(spans.clone().map(|span| &span.attributes));
    c.owned_text(spans.clone().map(|span| json(&span.events)));
    c.owned_text(spans.clone().map(|span| json(&span.links)));
    c.u32(spans.clone().map(|span| span.dropped_attributes_count));
    c.u32(spans.clone().map(|span| span.dropped_events_count));
    c.u32(spans.map(|span| span.dropped_links_count));
    c.bool(facts.clone().map(|facts| facts.interrupted));
    c.f64(facts.map(|facts| facts.uncertainty));
    c.append(connection, "spans")
}

fn append_logs(
    connection: &Connection,
    rows: &[(&LogEntry, u64)],
    sequence: i64,
    received: i64,
) -> Result<(), StoreError> {
    let records = rows.iter().map(|(entry, _)| &entry.record);
    let mut c = Columns::default();
    c.i64((sequence + 1..).take(rows.len()).map(Some));
    c.i64(rows.iter().map(|_| Some(received)));
    c.u64(rows.iter().map(|(_, fingerprint)| Some(*fingerprint)));
    // A record without any time is placed where it arrived.
    c.i64(records.clone().map(|record| {
        Some(record.placed_at())
            .filter(|time| *time != 0)
            .or(Some(received))
    }));
    c.i64(records.clone().map(|record| Some(record.time)));
    c.i64(records.clone().map(|record| Some(record.observed_time)));
    c.u8(records.clone().map(|record| record.severity_number));
    c.text(records.clone().map(|record| Some(record.severity_text.as_str())));
    c.owned_text(
        records
            .clone()
            .map(|record| Some(super::value::write(&record.body))),
    );
    c.attributes(records.clone().map(|record| &record.attributes));
    c.u32(records.clone().map(|record| record.dropped_attributes_count));
    c.text(records.clone().map(|record| Some(record.event_name.as_str())));
    c.u32(records.clone().map(|record| record.flags));
    c.trace_ids(records.clone().map(|record| record.trace_id));
    c.u64(records.clone().map(|record| record.span_id.map(|id| id.as_u64())));
    c.text(records.clone().map(|record| Some(record.resource.service())));
    c.u64(
        records
            .clone()
            .map(|record| Some(identity::resource(&record.resource).0)),
    );
    c.u64(records.map(|record| Some(identity::scope(&record.scope).0)));
    origin(&mut c, &rows.iter().map(|(entry, _)| &entry.origin));
    c.append(connection, "logs")
}

fn append_points(
    connection: &Connection,
    rows: &[(&PointEntry, u64, u64)],
    sequence: i64,
    received: i64,
) -> Result<(), StoreError> {
    let points = rows.iter().map(|(entry, ..)| &entry.point);
    let mut c = Columns::default();
    c.i64((sequence + 1..).take(rows.len()).map(Some));
    c.i64(rows.iter().map(|_| Some(received)));
    c.u64(rows.iter().map(|(.., fingerprint)| Some(*fingerprint)));
    c.u64(rows.iter().map(|(_, series, _)| Some(*series)));
    c.text(points.clone().map(|point| Some(point.metric.name.as_str())));
    c.text(
        points
            .clone()
            .map(|point| Some(point.metric.description.as_str())),
    );
    c.text(points.clone().map(|point| Some(point.metric.unit.as_str())));
    c.u8(points.clone().map(|point| point.metric.kind as u8));
    c.u8(points.clone().map(|point| point.metric.temporality as u8));
    c.bool(points.clone().map(|point| point.metric.monotonic));
    c.owned_text(points.clone().map(|point| json(&point.metric.metadata)));
    c.text(points.clone().map(|point| Some(point.resource.service())));
    c.u64(
        points
            .clone()
            .map(|point| Some(identity::resource(&point.resource).0)),
    );
    c.u64(points.clone().map(|point| Some(identity::scope(&point.scope).0)));
    origin(&mut c, &rows.iter().map(|(entry, ..)| &entry.origin));
    c.attributes(points.clone().map(|point| &point.attributes));
    c.i64(points.clone().map(|point| Some(point.start_time)));
    c.i64(points.clone().map(|point| Some(point.time)));
    c.u32(points.clone().map(|point| point.flags));
    c.f64(points.clone().map(|point| match point.value {
        PointValue::Double(x) => Some(x),
        _ => None,
    }));
    c.owned_text(points.clone().map(|point| match &point.value {
        // JSON has no NaN; a double stands in its own column.
        PointValue::Double(_) => None,
        value => serde_json::to_string(value).ok(),
    }));
    c.owned_text(points.map(|point| json(&point.exemplars)));
    c.u64(rows.iter().map(|(entry, ..)| entry.call.map(|call| call.key)));
    c.append(connection, "metric_points")
}
