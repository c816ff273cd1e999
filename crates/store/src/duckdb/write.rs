//! One transaction: what is new is appended, what is there already counts once.

use super::append::Columns;
use super::changes::changes;
use super::merge::merge;
use super::met::Met;
use super::parts::{self, Brought};
use super::recent::Seen;
use super::slots::{self, Slots};
use super::{Writing, engine_error, identity, ledger, read, rows, sums};
use crate::{StoreError, Written};
use duckdb::Connection;
use hashbrown::{HashMap, HashSet};
use meshscope_model::{Batch, LogEntry, PointEntry, Resource, Scope, SpanEntry, SpanId, System, TraceId};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is to be appended.
#[derive(Default)]
struct Fresh<'a> {
    spans: Vec<Cow<'a, SpanEntry>>,
    logs: Vec<(&'a LogEntry, u64)>,
    points: Vec<(&'a PointEntry, u64, u64)>,
    emitters: Vec<(u64, String)>,
    /// The traces of all records, also of those that are kept already.
    traces: HashMap<TraceId, Met>,
    /// Spans whose kept row gives way to a merged one, with the start of the kept row.
    replaced: Vec<(TraceId, SpanId, i64)>,
    added: Added,
}

impl Fresh<'_> {
    /// Whether records of a trace may be kept already.
    fn may_keep(&self, trace_id: TraceId) -> bool {
        self.traces.get(&trace_id).is_none_or(|met| met.kept)
    }
}

/// Fingerprints that are known only once the transaction is committed.
#[derive(Default)]
struct Added {
    spans: Vec<u64>,
    logs: Vec<u64>,
    points: Vec<u64>,
    emitters: Vec<u64>,
}

/// The present, ns since the epoch.
pub(super) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

/// Does `work` in a transaction of its own.
pub(super) fn transaction<T>(
    connection: &Connection,
    doing: &'static str,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let run = |sql| connection.execute_batch(sql).map_err(engine_error(doing));
    run("BEGIN")?;
    let done = work().and_then(|done| run("COMMIT").map(|()| done));
    if done.is_err()
        && let Err(error) = run("ROLLBACK")
    {
        tracing::debug!(%error, "the failed transaction was gone already");
    }
    done
}

impl Writing {
    pub(super) fn write(&mut self, batches: &[Batch]) -> Result<Written, StoreError> {
        let after = self.sequence;
        let mut written = Written::default();
        let mut fresh = Fresh::default();
        let result = self
            .collect(batches, &mut fresh, &mut written)
            .and_then(|()| self.commit(&fresh));
        if let Err(error) = result {
            self.forget(fresh.added);
            return Err(error);
        }
        let logs = fresh.logs.iter().map(|(entry, _)| *entry);
        let points = fresh.points.iter().map(|(entry, ..)| *entry);
        written.changes = changes(batches, after, fresh.spans, logs, points, &fresh.traces);
        let earliest = self.known.traces.keep(fresh.traces, after + 1);
        self.summing.met(earliest);
        Ok(written)
    }

    /// Forgets what was not kept after all.
    fn forget(&mut self, added: Added) {
        let known = &mut self.known;
        for (recent, added) in [
            (&mut known.spans, added.spans),
            (&mut known.logs, added.logs),
            (&mut known.points, added.points),
        ] {
            added.iter().for_each(|fingerprint| recent.remove(*fingerprint));
        }
        for id in added.emitters {
            known.emitters.remove(&id);
        }
    }

    fn collect<'a>(
        &mut self,
        batches: &'a [Batch],
        fresh: &mut Fresh<'a>,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let now = now();
        let mut names = Names::default();
        fresh.traces = self.known.traces.meet(&self.connection, batches)?;
        self.spans(batches, fresh, written, &mut names, now)?;
        self.logs(batches, fresh, &mut names, now)?;
        self.points(batches, fresh, &mut names, now)?;
        written.logs = fresh.logs.len() as u64;
        written.metric_points = fresh.points.len() as u64;
        Ok(())
    }

    fn logs<'a>(
        &mut self,
        batches: &'a [Batch],
        fresh: &mut Fresh<'a>,
        names: &mut Names,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut unsure = Vec::new();
        for entry in batches.iter().flat_map(|batch| &batch.logs) {
            let resource = names.resource(&entry.record.resource, &mut self.known, fresh);
            names.scope(&entry.record.scope, &mut self.known, fresh);
            let (fingerprint, time) = (identity::log(entry, resource), entry.record.placed_at());
            let seen = self.known.logs.look(fingerprint, time, now);
            if seen == Seen::Known {
                continue;
            }
            self.known.logs.insert(fingerprint, time, now);
            fresh.added.logs.push(fingerprint);
            if seen == Seen::Unsure && entry.record.trace_id.is_none_or(|id| fresh.may_keep(id)) {
                unsure.push((fingerprint, time));
            }
            fresh.logs.push((entry, fingerprint));
        }
        let kept = kept(&self.connection, "logs", &unsure)?;
        fresh.logs.retain(|(_, fingerprint)| !kept.contains(fingerprint));
        Ok(())
    }

    fn points<'a>(
        &mut self,
        batches: &'a [Batch],
        fresh: &mut Fresh<'a>,
        names: &mut Names,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut unsure = Vec::new();
        for entry in batches.iter().flat_map(|batch| &batch.points) {
            let resource = names.resource(&entry.point.resource, &mut self.known, fresh);
            names.scope(&entry.point.scope, &mut self.known, fresh);
            let series = identity::series(&entry.point, resource);
            let (fingerprint, time) = (identity::point(entry, series), entry.point.time);
            let seen = self.known.points.look(fingerprint, time, now);
            if seen == Seen::Known {
                continue;
            }
            self.known.points.insert(fingerprint, time, now);
            fresh.added.points.push(fingerprint);
            if seen == Seen::Unsure {
                unsure.push((fingerprint, time));
            }
            fresh.points.push((entry, series, fingerprint));
        }
        let kept = kept(&self.connection, "metric_points", &unsure)?;
        fresh
            .points
            .retain(|(.., fingerprint)| !kept.contains(fingerprint));
        Ok(())
    }

    /// Sorts spans into new ones, repeats, and ones that say more of a span that is there.
    fn spans<'a>(
        &mut self,
        batches: &'a [Batch],
        fresh: &mut Fresh<'a>,
        written: &mut Written,
        names: &mut Names,
        now: i64,
    ) -> Result<(), StoreError> {
        // Where the spans of this call stand among the fresh ones.
        let mut here: HashMap<u64, usize> = HashMap::new();
        let mut again: Vec<(u64, &'a SpanEntry)> = Vec::new();
        for entry in batches.iter().flat_map(|batch| &batch.spans) {
            let span = &entry.span;
            names.resource(&span.resource, &mut self.known, fresh);
            names.scope(&span.scope, &mut self.known, fresh);
            let fingerprint = identity::span(span.trace_id, span.span_id);
            if let Some(slot) = here.get(&fingerprint).and_then(|at| fresh.spans.get_mut(*at)) {
                merge_into(slot, entry, written);
            } else if !fresh.may_keep(span.trace_id)
                || (!told_in_parts(entry)
                    && self.known.spans.look(fingerprint, span.start_time, now) == Seen::New)
            {
                self.add(fingerprint, Cow::Borrowed(entry), fresh, &mut here, now);
                written.spans += 1;
            } else {
                again.push((fingerprint, entry));
            }
        }
        let wanted: Vec<&SpanEntry> = again.iter().map(|(_, entry)| *entry).collect();
        let kept = read::spans_by_id(&self.connection, &self.slots, &wanted)?;
        for (fingerprint, entry) in again {
            let id = (entry.span.trace_id, entry.span.span_id);
            if let Some(slot) = here.get(&fingerprint).and_then(|at| fresh.spans.get_mut(*at)) {
                merge_into(slot, entry, written);
                continue;
            }
            let Some(there) = kept.get(&id) else {
                self.add(fingerprint, Cow::Borrowed(entry), fresh, &mut here, now);
                written.spans += 1;
                continue;
            };
            match merge(there, entry) {
                None => written.repeated_spans += 1,
                Some(merged) => {
                    written.merged_spans += 1;
                    fresh.replaced.push((id.0, id.1, there.span.start_time));
                    self.add(fingerprint, Cow::Owned(merged), fresh, &mut here, now);
                }
            }
        }
        Ok(())
    }

    fn add<'a>(
        &mut self,
        fingerprint: u64,
        entry: Cow<'a, SpanEntry>,
        fresh: &mut Fresh<'a>,
        here: &mut HashMap<u64, usize>,
        now: i64,
    ) {
        self.known.spans.insert(fingerprint, entry.span.start_time, now);
        fresh.added.spans.push(fingerprint);
        here.insert(fingerprint, fresh.spans.len());
        fresh.spans.push(entry);
    }

    fn commit(&mut self, fresh: &Fresh<'_>) -> Result<(), StoreError> {
        let records = fresh.spans.len() + fresh.logs.len() + fresh.points.len();
        // Repeats may still name a session or an emitter for the first time.
        let named = fresh.traces.values().any(|met| met.named().is_some());
        if records == 0 && !named && fresh.emitters.is_empty() {
            return Ok(());
        }
        let keys = fresh
            .spans
            .iter()
            .flat_map(|entry| entry.span.attributes.iter().map(|kv| kv.key.as_str()));
        let more = self.counter.count(&self.slots, keys, self.sequence).map(Arc::new);
        let slots = more.as_ref().unwrap_or(&self.slots);
        while self.width < slots.keys().len() {
            slots::widen(&self.connection, self.width)?;
            self.width += 1;
        }
        let begin = || {
            self.connection
                .execute_batch("BEGIN TRANSACTION")
                .map_err(engine_error("begin a transaction"))
        };
        begin()?;
        let appended = append(
            &self.connection,
            fresh,
            (slots, self.width),
            self.slots.keys().len(),
            self.sequence,
        );
        // Readers know a slot before the first row has it.
        if let (Ok(()), Some(more)) = (&appended, &more) {
            self.published.set(Arc::clone(more));
        }
        let commit = || {
            self.connection
                .execute_batch("COMMIT")
                .map_err(engine_error("commit"))
        };
        match appended.and_then(|()| commit()) {
            Ok(()) => {
                self.sequence += i64::try_from(records).unwrap_or(i64::MAX);
                if let Some(more) = more {
                    self.slots = more;
                }
                Ok(())
            }
            Err(error) => {
                self.published.set(Arc::clone(&self.slots));
                if let Err(rollback) = self.connection.execute_batch("ROLLBACK") {
                    tracing::warn!(%rollback, "the failed transaction was gone already");
                }
                Err(error)
            }
        }
    }
}

/// Whether a span may be told by several records that start it at different times: then its time
/// says nothing of whether it is kept already.
fn told_in_parts(entry: &SpanEntry) -> bool {
    matches!(entry.facts.origin.system, System::McpMesh | System::MeshFlow)
}

fn merge_into(slot: &mut Cow<'_, SpanEntry>, entry: &SpanEntry, written: &mut Written) {
    match merge(slot, entry) {
        None => written.repeated_spans += 1,
        Some(merged) => {
            *slot = Cow::Owned(merged);
            written.merged_spans += 1;
        }
    }
}

/// Which of the fingerprints with their times the engine has.
fn kept(
    connection: &Connection,
    table: &'static str,
    unsure: &[(u64, i64)],
) -> Result<HashSet<u64>, StoreError> {
    let times = || unsure.iter().map(|(_, time)| *time);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Ok(HashSet::new());
    };
    let fill = "CREATE TEMP TABLE IF NOT EXISTS wanted_fingerprints (fingerprint UBIGINT); DELETE FROM wanted_fingerprints";
    connection
        .execute_batch(fill)
        .map_err(engine_error("look for repeated records"))?;
    let mut c = Columns::default();
    c.u64(unsure.iter().map(|(fingerprint, _)| Some(*fingerprint)));
    c.append(connection, "wanted_fingerprints")?;
    // A record without any time was placed where it arrived.
    let window = if first == 0 {
        "true".to_owned()
    } else {
        format!("time BETWEEN {first} AND {last}")
    };
    let sql = format!(
        "SELECT DISTINCT fingerprint FROM {table} SEMI JOIN wanted_fingerprints USING (fingerprint) WHERE {window}"
    );
    let found = read::rows(connection, "look for repeated records", &sql, Vec::new(), |row| {
        row.get(0)
    })?;
    Ok(found.into_iter().collect())
}

/// Names of resources and scopes, by the pointers of this call's records: each is hashed once.
#[derive(Default)]
struct Names {
    resources: HashMap<usize, u64>,
    scopes: HashMap<usize, u64>,
}

impl Names {
    fn resource(
        &mut self,
        resource: &Arc<Resource>,
        known: &mut identity::Known,
        fresh: &mut Fresh<'_>,
    ) -> u64 {
        *self
            .resources
            .entry(Arc::as_ptr(resource).addr())
            .or_insert_with(|| {
                let (id, content) = identity::resource(resource);
                note_emitter(id, content, known, fresh);
                id
            })
    }

    fn scope(&mut self, scope: &Arc<Scope>, known: &mut identity::Known, fresh: &mut Fresh<'_>) -> u64 {
        *self.scopes.entry(Arc::as_ptr(scope).addr()).or_insert_with(|| {
            let (id, content) = identity::scope(scope);
            note_emitter(id, content, known, fresh);
            id
        })
    }
}

fn note_emitter(id: u64, content: String, known: &mut identity::Known, fresh: &mut Fresh<'_>) {
    if known.emitters.insert(id) {
        fresh.added.emitters.push(id);
        fresh.emitters.push((id, content));
    }
}

fn append(
    connection: &Connection,
    fresh: &Fresh<'_>,
    (slots, width): (&Slots, usize),
    known_slots: usize,
    sequence: i64,
) -> Result<(), StoreError> {
    let received = now();
    if slots.keys().len() > known_slots {
        slots::save(connection, slots, known_slots)?;
    }
    replace(connection, &fresh.replaced)?;
    if !fresh.emitters.is_empty() {
        let mut c = Columns::default();
        c.u64(fresh.emitters.iter().map(|(id, _)| Some(*id)));
        c.text(fresh.emitters.iter().map(|(_, content)| Some(content.as_str())));
        c.append(connection, "emitters")?;
    }
    let named = fresh.traces.iter();
    let named: Vec<_> = named.filter_map(|(id, met)| Some((*id, met.named()?))).collect();
    if !named.is_empty() {
        let mut c = Columns::default();
        c.trace_ids(named.iter().map(|(id, _)| Some(*id)));
        c.text(named.iter().map(|(_, (session, _))| *session));
        c.text(named.iter().map(|(_, (_, fallback))| *fallback));
        c.append(connection, "trace_sessions")?;
    }
    let mut next = sequence;
    if !fresh.spans.is_empty() {
        rows::append_spans(connection, (slots, width), &fresh.spans, next, received)?;
        next += i64::try_from(fresh.spans.len()).unwrap_or(0);
    }
    if !fresh.logs.is_empty() {
        rows::append_logs(connection, &fresh.logs, next, received)?;
        next += i64::try_from(fresh.logs.len()).unwrap_or(0);
    }
    if !fresh.points.is_empty() {
        rows::append_points(connection, &fresh.points, next, received)?;
    }
    ledger::append_calls(connection, &fresh.spans)?;
    ledger::append_usage(connection, &fresh.spans, &fresh.points, sequence)?;
    let moved = fresh.traces.iter().filter(|(_, met)| met.moved());
    let replaced = fresh.replaced.iter().map(|(id, ..)| *id);
    let changed: HashSet<TraceId> = moved.map(|(id, _)| *id).chain(replaced).collect();
    let brought = Brought {
        since: sequence,
        signals: [
            !fresh.spans.is_empty(),
            !fresh.logs.is_empty(),
            !fresh.points.is_empty(),
        ],
        traces: &fresh.traces,
        changed: &changed,
    };
    parts::add(connection, &brought)
}

/// Removes the rows of spans that give way to merged ones.
fn replace(connection: &Connection, replaced: &[(TraceId, SpanId, i64)]) -> Result<(), StoreError> {
    let starts = || replaced.iter().map(|(.., start)| *start);
    let (Some(first), Some(last)) = (starts().min(), starts().max()) else {
        return Ok(());
    };
    let run = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(engine_error("replace spans"))
    };
    run("CREATE TEMP TABLE IF NOT EXISTS replaced (trace_id UUID, span_id UBIGINT); DELETE FROM replaced")?;
    let mut c = Columns::default();
    c.trace_ids(replaced.iter().map(|(id, ..)| Some(*id)));
    c.u64(replaced.iter().map(|(_, id, _)| Some(id.as_u64())));
    c.append(connection, "replaced")?;
    // Most of these spans were in progress and have no row in the ledger.
    sums::forget_usage(
        connection,
        &format!(
            "source = 0 AND time BETWEEN {first} AND {last} AND (trace_id, span_id) IN (SELECT (trace_id, span_id) FROM replaced)"
        ),
    )?;
    for (table, own) in [
        ("spans", format!("AND start_time BETWEEN {first} AND {last}")),
        (
            "usage",
            format!("AND time BETWEEN {first} AND {last} AND source = 0"),
        ),
        ("calls", String::new()),
    ] {
        run(&format!(
            "DELETE FROM {table} USING replaced r WHERE {table}.trace_id = r.trace_id AND {table}.span_id = r.span_id {own}"
        ))?;
    }
    Ok(())
}
