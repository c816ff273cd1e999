//! The exact ledger of a workload: what the API must answer, to the last digit.

use crate::generate::{Act, Call, MODELS, RUNS, TRACE, Workload};
use meshscope_analysis::Prices;
use meshscope_model::time::DAY;

/// Sums over calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Calls {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) unpriced: u64,
    pub(crate) input: i64,
    /// Absent when no call reports any.
    pub(crate) cached: Option<i64>,
    pub(crate) output: i64,
    /// Pico-dollars; absent when no call has a known cost.
    pub(crate) cost: Option<i64>,
}

/// Sums over spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) spans: u64,
    pub(crate) errors: u64,
    pub(crate) blocked: u64,
    /// Tokens that roots claim over their calls.
    pub(crate) claimed: i64,
    pub(crate) calls: Calls,
    /// The first start.
    pub(crate) start: i64,
    /// The last end.
    pub(crate) end: i64,
}

/// What is known of the whole workload.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) all: Sums,
    /// Traces with a failed span.
    pub(crate) failed_traces: u64,
    /// Traces with a blocked span.
    pub(crate) blocked_traces: u64,
    /// Calls by model, in the order of [`MODELS`].
    pub(crate) models: [Calls; MODELS.len()],
    /// Calls by day since the epoch of their start, the first day first.
    pub(crate) days: Vec<(i64, Calls)>,
}

/// Pico-dollars a token: input, cached input, output.
type PerToken = [i64; 3];

/// Computes figures of a workload.
pub(crate) struct Bookkeeper {
    pub(crate) workload: Workload,
    prices: [Option<PerToken>; MODELS.len()],
}

impl Calls {
    fn add(&mut self, other: &Self) {
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.calls += other.calls;
        self.errors += other.errors;
        self.unpriced += other.unpriced;
        self.input += other.input;
        self.cached = sum(self.cached, other.cached);
        self.output += other.output;
        self.cost = sum(self.cost, other.cost);
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.start = if self.spans == 0 {
            other.start
        } else {
            self.start.min(other.start)
        };
        self.end = if self.spans == 0 {
            other.end
        } else {
            self.end.max(other.end)
        };
        self.spans += other.spans;
        self.errors += other.errors;
        self.blocked += other.blocked;
        self.claimed += other.claimed;
        self.calls.add(&other.calls);
    }
}

impl Bookkeeper {
    pub(crate) fn new(workload: Workload) -> Self {
        let table = Prices::built_in();
        let price = |(provider, model): (&str, &str)| {
            let (_, price) = table.find(Some(provider), model, i64::MAX)?;
            let input = price.tokens.input?;
            Some([
                input,
                price.tokens.cached_input.unwrap_or(input),
                price.tokens.output?,
            ])
        };
        Self {
            workload,
            prices: MODELS.map(price),
        }
    }

    /// What a call costs: what the agent reports, else what the price table says.
    pub(crate) fn cost(&self, call: &Call) -> Option<i64> {
        if let Some(millionths) = call.reported {
            return Some(millionths * 1_000_000);
        }
        let [input, cached, output] = self.prices[call.model]?;
        let (t, from_cache) = (&call.tokens, call.tokens.cached.unwrap_or(0));
        Some((t.input - from_cache) * input + from_cache * cached + t.output * output)
    }

    /// The figures of one span, with its model when it is a call.
    fn span(&self, n: u64) -> (Sums, Option<usize>) {
        let step = self.workload.step(n);
        let mut sums = Sums {
            spans: 1,
            errors: u64::from(step.failed),
            blocked: u64::from(step.blocked),
            start: step.start,
            end: step.end,
            ..Sums::default()
        };
        match step.act {
            Act::Invoke { claim } => {
                sums.claimed = claim.map_or(0, |tokens| tokens.input + tokens.output);
                (sums, None)
            }
            Act::Tool { .. } => (sums, None),
            Act::Chat(call) => {
                let cost = self.cost(&call);
                sums.calls = Calls {
                    calls: 1,
                    errors: u64::from(step.failed),
                    unpriced: u64::from(cost.is_none()),
                    input: call.tokens.input,
                    cached: call.tokens.cached,
                    output: call.tokens.output,
                    cost,
                };
                (sums, Some(call.model))
            }
        }
    }

    /// The figures of one trace.
    pub(crate) fn trace(&self, trace: u64) -> Sums {
        self.sum(trace * TRACE..(trace + 1) * TRACE)
    }

    /// The figures of one session.
    pub(crate) fn session(&self, session: u64) -> Sums {
        let (first, last) = (session * RUNS * TRACE, (session + 1) * RUNS * TRACE);
        self.sum(first..last)
    }

    /// The figures of some spans.
    pub(crate) fn sum(&self, spans: impl Iterator<Item = u64>) -> Sums {
        let mut sums = Sums::default();
        spans.for_each(|n| sums.add(&self.span(n).0));
        sums
    }

    /// True when a span of the trace calls the model.
    pub(crate) fn calls_model(&self, trace: u64, model: usize) -> bool {
        (trace * TRACE..(trace + 1) * TRACE)
            .any(|n| matches!(self.workload.step(n).act, Act::Chat(call) if call.model == model))
    }

    /// The ledger of the whole workload.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        let first_day = self.workload.base / DAY;
        for trace in 0..self.workload.traces() {
            let mut sums = Sums::default();
            for n in trace * TRACE..(trace + 1) * TRACE {
                let (span, model) = self.span(n);
                if let Some(model) = model {
                    ledger.models[model].add(&span.calls);
                    let day = span.start / DAY;
                    let index = (day - first_day) as usize;
                    while ledger.days.len() <= index {
                        ledger
                            .days
                            .push((first_day + ledger.days.len() as i64, Calls::default()));
                    }
                    ledger.days[index].1.add(&span.calls);
                }
                sums.add(&span);
            }
            ledger.failed_traces += u64::from(sums.errors > 0);
            ledger.blocked_traces += u64::from(sums.blocked > 0);
            ledger.all.add(&sums);
        }
        ledger
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Emitters;
    use meshscope_telemetry::otlp::encode_traces;
    use meshscope_telemetry::{Encoding, Signal, decode};

    /// What the decoders and the price table make of the very bytes agrees with the ledger.
    #[test]
    fn the_ledger_is_what_the_bytes_say() {
        let workload = Workload::over_days(4_000, 30);
        let book = Bookkeeper::new(workload);
        let spans = workload.records(&Emitters::new(), 0, workload.spans());
        let body = encode_traces(&spans);
        assert!(
            (350..=410).contains(&(body.len() / spans.len())),
            "{}",
            body.len()
        );
        assert!(spans.iter().all(|span| span.attributes.len() == 11));
        let mut batch = decode(Signal::Traces, Encoding::Protobuf, &body).unwrap().batch;
        let (prices, mut found) = (Prices::built_in(), Calls::default());
        let mut claimed = 0;
        for entry in &mut batch.spans {
            prices.apply(&mut entry.facts, entry.span.start_time);
            let failed = entry.facts.error.is_some() && !entry.facts.blocked;
            let Some(usage) = &entry.facts.usage else { continue };
            if usage.claim {
                claimed += usage.tokens.total.unwrap();
                continue;
            }
            found.add(&Calls {
                calls: 1,
                errors: u64::from(failed),
                unpriced: u64::from(usage.cost_pico_usd.is_none()),
                input: usage.tokens.input.unwrap(),
                cached: usage.tokens.cached_input,
                output: usage.tokens.output.unwrap(),
                cost: usage.cost_pico_usd,
            });
        }
        let ledger = book.ledger();
        assert_eq!(found, ledger.all.calls);
        assert_eq!(claimed, ledger.all.claimed);
        let blocked = batch.spans.iter().filter(|entry| entry.facts.blocked).count();
        assert_eq!(blocked as u64, ledger.all.blocked);
        assert!(blocked > 0 && found.errors > 0 && found.unpriced > 0 && found.cached > Some(0));
        let mut sum = Calls::default();
        ledger.days.iter().for_each(|(_, day)| sum.add(day));
        assert_eq!(sum, ledger.all.calls);
        sum = Calls::default();
        ledger.models.iter().for_each(|model| sum.add(model));
        assert_eq!(sum, ledger.all.calls);
        let last = spans.iter().map(|span| span.start_time).max().unwrap();
        assert!(last < workload.end && ledger.days.len() <= 30);
    }

    #[test]
    fn the_next_workload_has_other_ids() {
        let one = Workload::over_days(800, 30);
        let two = one.followed_by(Workload::busy(800));
        assert!((0..one.traces()).all(|n| one.trace_id(n) != two.trace_id(n)));
        let ids: std::collections::HashSet<_> = (0..one.spans())
            .flat_map(|n| [one.span_id(n), two.span_id(n)])
            .collect();
        assert_eq!(ids.len() as u64, one.spans() + two.spans());
        assert_ne!(one.session_id(0), two.session_id(0));
    }
}
