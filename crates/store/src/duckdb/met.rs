//! The traces of a commit, with what all records of each say of its session: what lists group by.
//! Which traces there are at all, and the sessions of those that came lately, are held in memory, so
//! that most commits ask the engine for nothing.

use super::filter::Filter;
use super::{read, stream};
use crate::StoreError;
use duckdb::Connection;
use hashbrown::{HashMap, HashSet};
use meshscope_analysis::TraceSession;
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::{Batch, Origin, TraceId};

/// How many traces each half of those that came lately holds; about 8 MB.
const HALF: usize = 7 << 13;

/// Traces that are kept.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// All of them; made with the first commit.
    all: Option<Filter>,
    young: HashMap<TraceId, Lately>,
    old: HashMap<TraceId, Lately>,
}

/// A trace that came lately.
#[derive(Debug, Clone)]
struct Lately {
    session: TraceSession,
    /// Sequence number before which it has no records; 0 when that is not known.
    began: i64,
}

/// A trace of a commit.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// Whether records of it may be kept already.
    pub(super) kept: bool,
    /// Sequence number before which those that are kept do not lie; 0 when that is not known.
    began: i64,
    /// What those that are kept say of its session.
    before: TraceSession,
    /// What they and those of the commit say.
    session: TraceSession,
}

impl Met {
    /// The session of its records that name none.
    pub(super) fn session(&self) -> Option<&str> {
        self.session.inherited()
    }

    /// What they all say of it; `None` when that is nothing.
    pub(super) fn said(&self) -> Option<TraceSession> {
        self.session().is_some().then(|| self.session.clone())
    }

    /// A name of its session, and one to fall back to, that the commit brought.
    pub(super) fn named(&self) -> Option<(Option<&str>, Option<&str>)> {
        let new = |now: &Option<String>, before: &Option<String>| now != before;
        let named = self.session.named.as_deref();
        let fallback = self.session.fallback.as_deref();
        let named = named.filter(|_| new(&self.session.named, &self.before.named));
        let fallback = fallback.filter(|_| new(&self.session.fallback, &self.before.fallback));
        (named.is_some() || fallback.is_some()).then_some((named, fallback))
    }

    /// Whether records that are kept belong to another session now.
    pub(super) fn moved(&self) -> bool {
        self.kept && self.session.inherited() != self.before.inherited()
    }

    /// Takes in what earlier records say.
    fn learn_kept(&mut self, before: TraceSession) {
        self.kept = true;
        self.session.merge(&before);
        self.before = before;
    }
}

impl Traces {
    /// The traces of the batches' records.
    pub(super) fn meet(
        &mut self,
        connection: &Connection,
        batches: &[Batch],
    ) -> Result<HashMap<TraceId, Met>, StoreError> {
        let mut met: HashMap<TraceId, Met> = HashMap::new();
        for (trace_id, origin) in said(batches) {
            met.entry(trace_id).or_default().session.learn(origin);
        }
        let all = match &mut self.all {
            Some(all) => all,
            all => all.insert(load(connection)?),
        };
        let mut unsure = Vec::new();
        for (trace_id, met) in &mut met {
            if let Some(known) = self.young.get(trace_id).or_else(|| self.old.get(trace_id)) {
                met.learn_kept(known.session.clone());
                met.began = known.began;
            } else if all.may_hold(hash(*trace_id)) {
                unsure.push(*trace_id);
            }
        }
        let mut kept = stream::trace_sessions(connection, &unsure)?;
        for trace_id in unsure {
            if let Some(met) = met.get_mut(&trace_id) {
                met.learn_kept(kept.remove(&trace_id).unwrap_or_default());
            }
        }
        Ok(met)
    }

    /// Remembers the traces of a commit that was kept, the first of whose records has the sequence number
    /// `first`. Returns the number before which none of the traces has records.
    pub(super) fn keep(&mut self, met: HashMap<TraceId, Met>, first: i64) -> i64 {
        let mut earliest = first;
        for (trace_id, met) in met {
            let began = if met.kept { met.began } else { first };
            earliest = earliest.min(began);
            if let Some(all) = &mut self.all
                && !met.kept
            {
                all.insert(hash(trace_id));
            }
            if self.young.len() >= HALF {
                std::mem::swap(&mut self.old, &mut self.young);
                self.young.clear();
            }
            let session = met.session;
            self.young.insert(trace_id, Lately { session, began });
        }
        earliest
    }

    /// Forgets what removed records said of traces.
    pub(super) fn forget(&mut self, traces: &HashSet<TraceId>) {
        for recent in [&mut self.young, &mut self.old] {
            recent.retain(|trace_id, _| !traces.contains(trace_id));
        }
    }
}

/// What the records of the batches that belong to a trace say of its session.
fn said(batches: &[Batch]) -> impl Iterator<Item = (TraceId, &Origin)> {
    batches.iter().flat_map(|batch| {
        let spans = batch.spans.iter();
        let logs = batch.logs.iter();
        let of_logs = logs.filter_map(|entry| Some((entry.record.trace_id?, &entry.origin)));
        spans
            .map(|entry| (entry.span.trace_id, &entry.facts.origin))
            .chain(of_logs)
    })
}

/// All traces of which something is kept.
fn load(connection: &Connection) -> Result<Filter, StoreError> {
    let sql = "SELECT DISTINCT trace_id::VARCHAR FROM parts WHERE trace_id IS NOT NULL";
    let ids = read::rows(connection, "read which traces are kept", sql, Vec::new(), |row| {
        row.get::<_, String>(0).map(|id| read::trace_id_of(&id))
    })?;
    let mut filter = Filter::default();
    ids.into_iter().for_each(|id| filter.insert(hash(id)));
    Ok(filter)
}

fn hash(trace_id: TraceId) -> u64 {
    fingerprint(&[&trace_id.0])
}
