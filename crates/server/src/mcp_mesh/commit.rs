//! Keeping a batch whatever the store says: a failing store is waited for, and a span that it
//! refuses while it keeps others does not stand before them for ever.

use meshscope_model::{Batch, SpanEntry};
use std::time::Duration;

/// How many spans the store may refuse one by one before it counts as failing.
const SUSPECTS: usize = 8;
/// How often a span must be refused again, after others were kept, before it is at fault.
const ATTEMPTS: usize = 3;

/// A span that the store refused while it kept others.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) entry: SpanEntry,
    pub(super) error: String,
}

/// Returns when all spans of the batch are durable but those at fault. `submit`'s inner error is
/// the store's; its outer one ends the attempt. While the store fails altogether, `pause` passes
/// between attempts.
pub(super) async fn commit<E, F>(
    mut batch: Batch,
    pause: Duration,
    submit: impl Fn(Batch) -> F,
) -> Result<Vec<Refused>, E>
where
    F: Future<Output = Result<Result<(), String>, E>>,
{
    while submit(batch.clone()).await?.is_err() {
        let mut one_by_one = batch.spans.into_iter();
        let (mut refused, mut kept) = (Vec::new(), false);
        while kept || refused.len() < SUSPECTS {
            let Some(entry) = one_by_one.next() else { break };
            match submit(batch_of(vec![entry.clone()])).await? {
                Ok(()) => kept = true,
                Err(error) => refused.push(Refused { entry, error }),
            }
        }
        if kept {
            return again(refused, pause, submit).await;
        }
        // It refuses everything. Those that were tried come last next time, so that a few that
        // are at fault do not hide that others are not.
        tokio::time::sleep(pause).await;
        let rest = one_by_one.chain(refused.into_iter().map(|refused| refused.entry));
        batch = batch_of(rest.collect());
    }
    Ok(Vec::new())
}

/// Tries the refused ones again: the store may have failed and recovered in between.
async fn again<E, F>(
    mut refused: Vec<Refused>,
    pause: Duration,
    submit: impl Fn(Batch) -> F,
) -> Result<Vec<Refused>, E>
where
    F: Future<Output = Result<Result<(), String>, E>>,
{
    for _ in 0..ATTEMPTS {
        let mut still = Vec::new();
        for Refused { entry, .. } in refused {
            if let Err(error) = submit(batch_of(vec![entry.clone()])).await? {
                still.push(Refused { entry, error });
            }
        }
        refused = still;
        if refused.is_empty() {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    Ok(refused)
}

fn batch_of(spans: Vec<SpanEntry>) -> Batch {
    Batch {
        spans,
        ..Batch::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_telemetry::mcp_mesh::decode;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    fn batch(spans: u64) -> Batch {
        let entry = |n: u64| {
            let fields = [("trace_id", "1".repeat(32)), ("span_id", format!("{n:016x}"))];
            decode("5-0", &fields.map(|(name, value)| (name.to_owned(), value))).unwrap()
        };
        batch_of((1..=spans).map(entry).collect())
    }

    /// Commits to a store that fails `failures` times and refuses what names any of `bad`.
    async fn run(spans: u64, bad: &[u64], failures: usize) -> (BTreeSet<u64>, BTreeSet<u64>, usize) {
        let kept = RefCell::new(BTreeSet::new());
        let calls = Cell::new(0);
        let submit = |batch: Batch| {
            calls.set(calls.get() + 1);
            let ids: Vec<u64> = batch
                .spans
                .iter()
                .map(|entry| entry.span.span_id.as_u64())
                .collect();
            let answer = if calls.get() <= failures || ids.iter().any(|id| bad.contains(id)) {
                Err("no".to_owned())
            } else {
                kept.borrow_mut().extend(ids);
                Ok(())
            };
            std::future::ready(Ok::<_, Infallible>(answer))
        };
        let refused = commit(batch(spans), Duration::ZERO, submit).await.unwrap();
        let refused = refused.iter().map(|refused| refused.entry.span.span_id.as_u64());
        (kept.take(), refused.collect(), calls.get())
    }

    #[tokio::test]
    async fn a_store_that_recovers_gets_everything() {
        let all: BTreeSet<u64> = (1..=20).collect();
        assert_eq!(run(20, &[], 0).await, (all.clone(), BTreeSet::new(), 1));
        for failures in 1..60 {
            let (kept, refused, _) = run(20, &[], failures).await;
            assert_eq!(
                (kept, refused),
                (all.clone(), BTreeSet::new()),
                "{failures} failures"
            );
        }
    }

    #[tokio::test]
    async fn spans_at_fault_are_left_out_wherever_they_stand() {
        for bad in [vec![1], vec![20], (1..=19).collect(), (5..=15).collect()] {
            let (kept, refused, _) = run(20, &bad, 0).await;
            let bad: BTreeSet<u64> = bad.into_iter().collect();
            assert_eq!(refused, bad);
            assert_eq!(kept, (1..=20).filter(|id| !bad.contains(id)).collect());
        }
    }
}
