//! What came in lately, and what was wrong with it.

use meshscope_api::{IngestProblem, Rates};
use meshscope_store::Written;
use meshscope_telemetry::Signal;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Seconds over which rates are taken.
const WINDOW: u64 = 10;
/// How many kinds of problems are remembered.
const PROBLEMS: usize = 50;

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
    problems: VecDeque<IngestProblem>,
}

impl Stats {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a commit kept.
    pub(crate) fn written(&self, written: Written) {
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

    /// Notes a problem. Messages that differ only in digits are one kind.
    pub(crate) fn problem(&self, signal: Signal, rejected: u64, message: &str, now: i64) {
        let shape = |text: &str| {
            text.chars()
                .filter(|c| !c.is_ascii_digit())
                .take(120)
                .collect::<String>()
        };
        let mut inner = self.lock();
        let kind = shape(message);
        let known = inner
            .problems
            .iter()
            .position(|p| p.signal == signal.as_str() && shape(&p.message) == kind);
        let mut problem = known
            .and_then(|index| inner.problems.remove(index))
            .unwrap_or_else(|| IngestProblem {
                last_at: now,
                signal: signal.as_str().to_owned(),
                rejected: 0,
                seen: 0,
                message: String::new(),
            });
        problem.last_at = now;
        problem.rejected += rejected;
        problem.seen += 1;
        problem.message = message.chars().take(500).collect();
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
        for n in 0..200_u8 {
            let word: String = std::iter::repeat_n('x', usize::from(n)).collect();
            stats.problem(Signal::Logs, 0, &word, 300);
        }
        assert_eq!(stats.problems().len(), PROBLEMS);
    }
}
