//! Lists that follow the live stream: traces and sessions with their counts, folded from deltas.
//!
//! A span is counted as its latest sequence number tells it and once, a log record once; so a
//! delta may be folded twice, and what was missed may be folded after what came later: the
//! figures are the same.

use meshscope_api::{Delta, LiveSpan, Log};
use meshscope_model::usage::plus;
use meshscope_model::{SpanId, Tokens, TraceId};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is known of a trace from its deltas.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveTrace {
    /// The session that it belongs to, as its latest record tells it.
    pub session_id: Option<String>,
    /// The tenant.
    pub project: String,
    /// Name of the root span, or of the earliest span while there is none.
    pub name: String,
    /// `service.name` of that span.
    pub service: String,
    /// First moment of a span, ns since the epoch; absent while only log records are known.
    pub started_at: Option<i64>,
    /// Last moment of a span, ns since the epoch.
    pub last_at: Option<i64>,
    /// Figures of its records.
    pub counts: LiveCounts,
}

/// Figures of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveCounts {
    /// Spans.
    pub spans: u64,
    /// Spans in progress.
    pub open: u64,
    /// Spans that failed and were not blocked.
    pub errors: u64,
    /// Spans that were blocked.
    pub blocked: u64,
    /// Log records.
    pub logs: u64,
    /// Tokens of calls.
    pub tokens: Tokens,
    /// Cost of calls in pico-dollars; absent when no cost is known.
    pub cost_pico_usd: Option<i64>,
}

impl LiveCounts {
    fn span(&mut self, span: &LiveSpan) {
        self.spans += 1;
        self.open += u64::from(span.duration_ns.is_none());
        self.errors += u64::from(span.error.is_some() && !span.blocked);
        self.blocked += u64::from(span.blocked);
        self.tokens = self.tokens.plus(&span.tokens);
        self.cost_pico_usd = plus(self.cost_pico_usd, span.cost_pico_usd);
    }

    fn add(&mut self, other: &Self) {
        self.spans += other.spans;
        self.open += other.open;
        self.errors += other.errors;
        self.blocked += other.blocked;
        self.logs += other.logs;
        self.tokens = self.tokens.plus(&other.tokens);
        self.cost_pico_usd = plus(self.cost_pico_usd, other.cost_pico_usd);
    }
}

/// The records of a trace that were told.
#[derive(Debug, Clone, Default)]
struct Records {
    spans: BTreeMap<SpanId, LiveSpan>,
    logs: HashSet<i64>,
    /// Sequence number of the latest record, and what it says of session and project.
    latest: i64,
    session_id: Option<String>,
    project: String,
}

impl Records {
    fn place(&mut self, sequence: i64, session_id: Option<&String>, project: &str) {
        if sequence >= self.latest {
            self.latest = sequence;
            self.session_id = session_id.cloned();
            project.clone_into(&mut self.project);
        }
    }

    fn summary(&self) -> LiveTrace {
        let mut counts = LiveCounts {
            logs: self.logs.len() as u64,
            ..LiveCounts::default()
        };
        self.spans.values().for_each(|span| counts.span(span));
        let end = |span: &LiveSpan| span.start_time.saturating_add(span.duration_ns.unwrap_or(0));
        let root = |span: &&LiveSpan| {
            let inner = span.parent_span_id.is_some();
            (inner, span.start_time, span.span_id)
        };
        let first = self.spans.values().min_by_key(root);
        LiveTrace {
            session_id: self.session_id.clone(),
            project: self.project.clone(),
            name: first.map(|span| span.name.clone()).unwrap_or_default(),
            service: first.map(|span| span.service.clone()).unwrap_or_default(),
            started_at: self.spans.values().map(|span| span.start_time).min(),
            last_at: self.spans.values().map(end).max(),
            counts,
        }
    }
}

/// Traces folded from deltas, at most as many as it was made for: the one whose latest record
/// came first gives way. So it does when there are too many spans, but for the last trace.
#[derive(Debug, Clone)]
pub struct LiveFold {
    traces: HashMap<TraceId, Records>,
    capacity: usize,
    /// Spans of all traces, and how many there may be.
    spans: usize,
    most_spans: usize,
}

impl LiveFold {
    /// An empty fold that holds `capacity` traces.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            traces: HashMap::new(),
            capacity,
            spans: 0,
            most_spans: usize::MAX,
        }
    }

    /// The same that holds at most `spans` spans.
    #[must_use]
    pub fn with_spans(self, spans: usize) -> Self {
        Self {
            most_spans: spans,
            ..self
        }
    }

    /// Takes in a delta.
    pub fn apply(&mut self, delta: &Delta) {
        for span in &delta.spans {
            self.span(span);
        }
        for log in &delta.logs {
            self.log(log);
        }
        if self.traces.len() > self.capacity || self.spans > self.most_spans {
            let mut by_age: Vec<(i64, TraceId)> = self
                .traces
                .iter()
                .map(|(id, records)| (records.latest, *id))
                .collect();
            by_age.sort_unstable();
            let last = by_age.len().saturating_sub(1);
            for (_, id) in by_age.into_iter().take(last) {
                if self.traces.len() <= self.capacity && self.spans <= self.most_spans {
                    break;
                }
                let gone = self.traces.remove(&id);
                self.spans -= gone.map_or(0, |records| records.spans.len());
            }
        }
    }

    /// How many traces have spans in progress.
    #[must_use]
    pub fn running(&self) -> usize {
        let open = |records: &&Records| records.spans.values().any(|span| span.duration_ns.is_none());
        self.traces.values().filter(open).count()
    }

    /// How many spans are held.
    #[must_use]
    pub fn spans_held(&self) -> usize {
        self.spans
    }

    /// The spans of a trace that are held, by their ids.
    pub fn spans(&self, trace_id: TraceId) -> impl Iterator<Item = &LiveSpan> {
        let records = self.traces.get(&trace_id).into_iter();
        records.flat_map(|records| records.spans.values())
    }

    fn span(&mut self, span: &LiveSpan) {
        let records = self.traces.entry(span.trace_id).or_default();
        records.place(span.sequence, span.session_id.as_ref(), &span.project);
        let there = records.spans.get(&span.span_id);
        if there.is_none_or(|there| there.sequence < span.sequence) {
            let before = records.spans.insert(span.span_id, span.clone());
            self.spans += usize::from(before.is_none());
        }
    }

    fn log(&mut self, log: &Log) {
        if let Some(trace_id) = log.trace_id {
            let records = self.traces.entry(trace_id).or_default();
            records.place(log.sequence, log.session_id.as_ref(), &log.project);
            records.logs.insert(log.sequence);
        }
    }

    /// One trace.
    #[must_use]
    pub fn trace(&self, trace_id: TraceId) -> Option<LiveTrace> {
        self.traces.get(&trace_id).map(Records::summary)
    }

    /// The traces, the one with the latest record first.
    #[must_use]
    pub fn traces(&self) -> Vec<(TraceId, LiveTrace)> {
        let mut traces: Vec<_> = self.traces.iter().collect();
        traces.sort_unstable_by_key(|(id, records)| (std::cmp::Reverse(records.latest), **id));
        traces
            .into_iter()
            .map(|(id, records)| (*id, records.summary()))
            .collect()
    }

    /// Figures by project and session, of the traces that are held.
    #[must_use]
    pub fn sessions(&self) -> BTreeMap<(String, String), LiveCounts> {
        let mut sessions: BTreeMap<_, LiveCounts> = BTreeMap::new();
        for trace in self.traces.values().map(Records::summary) {
            if let Some(session_id) = trace.session_id {
                sessions
                    .entry((trace.project, session_id))
                    .or_default()
                    .add(&trace.counts);
            }
        }
        sessions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A span of one of a few traces: in progress first, ended under a later number.
    fn span(sequence: i64, trace: u8, id: u64, ended: bool) -> LiveSpan {
        let json = serde_json::json!({
            "sequence": sequence.to_string(), "trace_id": format!("{:032x}", trace + 1), "span_id": format!("{:016x}", id + 1),
            "name": format!("work {id}"), "service": "svc", "operation": "chat", "start_time": (id * 10).to_string(),
            "status": "unset", "project": "p", "system": "opentelemetry",
            "session_id": if ended { "named".to_owned() } else { format!("{trace:032x}") },
            "tokens": {"total": "3"}, "cost_pico_usd": "7",
        });
        let mut span: LiveSpan = serde_json::from_value(json).unwrap();
        span.duration_ns = ended.then_some(5);
        span
    }

    fn deltas(spans: &[LiveSpan], size: usize) -> Vec<Delta> {
        let delta = |spans: &[LiveSpan]| Delta {
            spans: spans.to_vec(),
            ..Delta::default()
        };
        spans.chunks(size.max(1)).map(delta).collect()
    }

    type Folded = (Vec<(TraceId, LiveTrace)>, BTreeMap<(String, String), LiveCounts>);

    fn folded(deltas: &[Delta]) -> Folded {
        let mut fold = LiveFold::new(100);
        deltas.iter().for_each(|delta| fold.apply(delta));
        (fold.traces(), fold.sessions())
    }

    proptest! {
        #[test]
        fn replays_and_gaps_filled_late_change_nothing(
            records in prop::collection::vec((0_u8..4, 0_u64..6, any::<bool>()), 1..40),
            size in 1_usize..7,
            order in any::<u64>(),
        ) {
            let spans: Vec<LiveSpan> = (1..)
                .zip(&records)
                .map(|(sequence, (trace, id, ended))| span(sequence, *trace, *id, *ended))
                .collect();
            let once = deltas(&spans, size);
            let mut shuffled: Vec<Delta> = once.iter().chain(&once).cloned().collect();
            let length = shuffled.len();
            shuffled.rotate_left((order % length as u64) as usize);
            prop_assert_eq!(folded(&once), folded(&shuffled));
        }
    }

    #[test]
    fn a_span_counts_as_it_is_known_last_and_sessions_add_up() {
        let spans = [
            span(1, 0, 0, false),
            span(2, 0, 1, false),
            span(3, 0, 0, true),
            span(4, 1, 0, true),
        ];
        let mut fold = LiveFold::new(10);
        deltas(&spans[..2], 2).iter().for_each(|delta| fold.apply(delta));
        assert_eq!(fold.traces()[0].1.counts.open, 2);
        deltas(&spans[2..], 2).iter().for_each(|delta| fold.apply(delta));
        let trace = fold.trace(spans[0].trace_id).unwrap();
        assert_eq!(
            (trace.counts.spans, trace.counts.open, trace.counts.cost_pico_usd),
            (2, 1, Some(14))
        );
        assert_eq!(
            (trace.started_at, trace.last_at, trace.name.as_str()),
            (Some(0), Some(10), "work 0")
        );
        let session = fold.sessions()[&("p".to_owned(), "named".to_owned())];
        assert_eq!((session.spans, session.tokens.total), (3, Some(9)));
    }

    #[test]
    fn the_quietest_trace_gives_way() {
        let spans: Vec<LiveSpan> = (0..5).map(|n| span(i64::from(n) + 1, n, 0, true)).collect();
        let mut fold = LiveFold::new(2);
        deltas(&spans, 1).iter().for_each(|delta| fold.apply(delta));
        let ids: Vec<TraceId> = fold.traces().into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [spans[4].trace_id, spans[3].trace_id]);
        // So it does when there are too many spans; the last trace stays however long it is.
        let mut fold = LiveFold::new(9).with_spans(2);
        deltas(&spans, 1).iter().for_each(|delta| fold.apply(delta));
        assert_eq!((fold.traces().len(), fold.spans_held()), (2, 2));
        let long: Vec<LiveSpan> = (0..5).map(|n| span(n + 10, 0, n as u64, true)).collect();
        deltas(&long, 1).iter().for_each(|delta| fold.apply(delta));
        assert_eq!((fold.traces().len(), fold.spans_held()), (1, 5));
        assert_eq!(fold.spans(long[0].trace_id).count(), 5);
    }
}
