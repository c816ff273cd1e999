//! What came in, how long it took to keep it, and what was wrong with it.

use meshscope_api::{Commits, IngestProblem, Rates, Received};
use meshscope_store::Written;
use meshscope_telemetry::Signal;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Seconds over which rates are taken.
const WINDOW: u64 = 10;
/// How many kinds of problems are remembered.
const PROBLEMS: usize = 50;
/// How many messages of a kind.
const EXAMPLES: usize = 3;
/// How many commits the quantiles are of.
const COMMITS: usize = 500;

/// Upper bounds of the buckets of commit times, seconds.
pub(crate) const COMMIT_BOUNDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How long commits took since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CommitTimes {
    /// How many took as long as each bound or less, and more than the one before; those above
    /// all bounds come last.
    pub(crate) buckets: [u64; COMMIT_BOUNDS.len() + 1],
    /// Seconds of all together.
    pub(crate) sum: f64,
}

/// Figures of ingest.
#[derive(Default)]
pub(crate) struct Stats {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    start: Option<Instant>,
    /// Records a second: second since the start, spans, logs, points.
    seconds: VecDeque<(u64, [u64; 3])>,
    received: Received,
    commits: u64,
    times: CommitTimes,
    latest: VecDeque<Duration>,
    problems: VecDeque<IngestProblem>,
    /// Times that each signal had a problem, and records left out of it.
    signals: [(u64, u64); 3],
}

/// Signals in the order of the figures by signal.
pub(crate) const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

impl Stats {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a commit kept and how long it took.
    pub(crate) fn written(&self, written: &Written, took: Duration) {
        let mut inner = self.lock();
        let second = inner.start.get_or_insert_with(Instant::now).elapsed().as_secs();
        if inner.seconds.back().is_none_or(|(last, _)| *last != second) {
            inner.seconds.push_back((second, [0; 3]));
        }
        inner.seconds.retain(|(at, _)| at + WINDOW > second);
        if let Some((_, counts)) = inner.seconds.back_mut() {
            for (count, more) in counts
                .iter_mut()
                .zip([written.spans, written.logs, written.metric_points])
            {
                *count += more;
            }
        }
        let received = &mut inner.received;
        received.spans += written.spans;
        received.repeated_spans += written.repeated_spans;
        received.merged_spans += written.merged_spans;
        received.logs += written.logs;
        received.metric_points += written.metric_points;
        inner.commits += 1;
        let seconds = took.as_secs_f64();
        inner.times.sum += seconds;
        let bucket = COMMIT_BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = inner.times.buckets.get_mut(bucket) {
            *count += 1;
        }
        inner.latest.push_back(took);
        if inner.latest.len() > COMMITS {
            inner.latest.pop_front();
        }
    }

    /// Records a second over the last ten seconds.
    pub(crate) fn rates(&self) -> Rates {
        let inner = self.lock();
        let second = inner.start.map_or(0, |start| start.elapsed().as_secs());
        let sum = |index: usize| {
            let recent = inner.seconds.iter().filter(|(at, _)| at + WINDOW > second);
            recent
                .map(|(_, counts)| counts.get(index).copied().unwrap_or(0))
                .sum::<u64>() as f64
                / WINDOW as f64
        };
        Rates {
            spans_per_second: sum(0),
            logs_per_second: sum(1),
            metric_points_per_second: sum(2),
        }
    }

    /// What came in since the start.
    pub(crate) fn received(&self) -> Received {
        self.lock().received
    }

    /// How long commits take lately.
    pub(crate) fn commits(&self) -> Commits {
        let (count, mut latest) = {
            let inner = self.lock();
            (inner.commits, inner.latest.iter().copied().collect::<Vec<_>>())
        };
        latest.sort_unstable();
        let quantile = |of_hundred: usize| {
            let at = latest.len().saturating_sub(1) * of_hundred / 100;
            let took = latest.get(at).copied().unwrap_or_default();
            i64::try_from(took.as_nanos()).unwrap_or(i64::MAX)
        };
        Commits {
            count,
            p50_ns: quantile(50),
            p95_ns: quantile(95),
        }
    }

    /// How long commits took since the start.
    pub(crate) fn commit_times(&self) -> CommitTimes {
        self.lock().times
    }

    /// By signal, in the order of [`SIGNALS`]: how often there was a problem, and how many
    /// records were left out.
    pub(crate) fn by_signal(&self) -> [(u64, u64); 3] {
        self.lock().signals
    }

    /// Notes a problem. Messages that differ only in digits are one kind.
    pub(crate) fn problem(&self, signal: Signal, rejected: u64, message: &str, now: i64) {
        let mut inner = self.lock();
        inner.received.rejected += rejected;
        let index = SIGNALS.iter().position(|one| *one == signal);
        if let Some((seen, left_out)) = index.and_then(|index| inner.signals.get_mut(index)) {
            *seen += 1;
            *left_out += rejected;
        }
        let kind: String = message
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .take(120)
            .collect();
        let known = inner
            .problems
            .iter()
            .position(|p| p.signal == signal.as_str() && p.kind == kind);
        let mut problem = known
            .and_then(|index| inner.problems.remove(index))
            .unwrap_or_else(|| IngestProblem {
                last_at: now,
                signal: signal.as_str().to_owned(),
                rejected: 0,
                seen: 0,
                kind,
                message: String::new(),
                examples: Vec::new(),
            });
        problem.last_at = now;
        problem.rejected += rejected;
        problem.seen += 1;
        problem.message = message.chars().take(500).collect();
        problem.examples.retain(|example| *example != problem.message);
        problem.examples.insert(0, problem.message.clone());
        problem.examples.truncate(EXAMPLES);
        inner.problems.push_front(problem);
        inner.problems.truncate(PROBLEMS);
    }

    /// The problems, latest first.
    pub(crate) fn problems(&self) -> Vec<IngestProblem> {
        self.lock().problems.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_of_one_kind_are_counted_together_and_bounded() {
        let stats = Stats::default();
        for n in 0..200 {
            stats.problem(
                Signal::Traces,
                1,
                &format!("span {n} was left out: trace_id must be 16 bytes"),
                n,
            );
        }
        let problems = stats.problems();
        assert_eq!(
            (
                problems.len(),
                problems[0].seen,
                problems[0].rejected,
                problems[0].last_at
            ),
            (1, 200, 200, 199)
        );
        let examples: Vec<&str> = problems[0].examples.iter().map(|e| &e[..8]).collect();
        assert_eq!(examples, ["span 199", "span 198", "span 197"]);
        for n in 0..200_u8 {
            let word: String = std::iter::repeat_n('x', usize::from(n)).collect();
            stats.problem(Signal::Logs, 0, &word, 300);
        }
        assert_eq!(stats.problems().len(), PROBLEMS);
        assert_eq!(stats.by_signal(), [(200, 200), (200, 0), (0, 0)]);
    }

    #[test]
    fn commit_times_fall_into_the_bucket_whose_bound_holds_them() {
        let stats = Stats::default();
        for ms in [1, 2, 20_000] {
            stats.written(&Written::default(), Duration::from_millis(ms));
        }
        let times = stats.commit_times();
        assert_eq!((times.buckets[0], times.buckets[1], times.buckets[13]), (1, 1, 1));
        assert!((times.sum - 20.003).abs() < 1e-9);
        let commits = stats.commits();
        assert_eq!((commits.count, commits.p50_ns), (3, 2_000_000));
    }
}
