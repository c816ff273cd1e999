//! Answers against the ledger.

use super::world::World;
use crate::generate::TRACE_LOGS;
use crate::ledger::Calls;
use meshscope_api::{Session, TraceSummary, UsageMeasures};
use meshscope_model::Tokens;

/// An error that names the field when the two are not the same.
#[expect(
    clippy::needless_pass_by_value,
    reason = "numbers, mostly, and never used again"
)]
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        let short = |text: String| text.chars().take(600).collect::<String>();
        let (found, expected) = (short(format!("{found:?}")), short(format!("{expected:?}")));
        Err(format!("{what} is {found}, the ledger has {expected}"))
    }
}

/// Tokens as the API sums them up: what no call reports is absent.
fn tokens(calls: &Calls) -> Tokens {
    let sum = |n: i64| (calls.calls > 0).then_some(n);
    Tokens {
        input: sum(calls.input),
        cached_input: calls.cached,
        output: sum(calls.output),
        total: sum(calls.input + calls.output),
        ..Tokens::default()
    }
}

/// The figures of calls.
pub(super) fn measures(what: &str, found: &UsageMeasures, expected: &Calls) -> Result<(), String> {
    let of = |field: &str| format!("{what}: {field}");
    same(&of("calls"), found.calls, expected.calls)?;
    same(&of("errors"), found.errors, expected.errors)?;
    same(&of("unpriced_calls"), found.unpriced_calls, expected.unpriced)?;
    same(&of("tokens"), found.tokens, tokens(expected))?;
    same(&of("cost_pico_usd"), found.cost_pico_usd, expected.cost)
}

/// One session of a list.
pub(super) fn session(world: &World, found: &Session, number: u64) -> Result<(), String> {
    let (sums, id) = (world.book.session(number), world.workload().session_id(number));
    let of = |field: &str| format!("{id}: {field}");
    same("session_id", found.session_id.as_str(), &id)?;
    same(&of("spans"), u64::from(found.spans), sums.spans)?;
    same(&of("traces"), found.traces, crate::generate::RUNS as u32)?;
    let logs = crate::generate::RUNS * TRACE_LOGS;
    same(&of("logs"), u64::from(found.logs), logs)?;
    same(&of("errors"), u64::from(found.errors), sums.errors)?;
    same(&of("blocked"), u64::from(found.blocked), sums.blocked)?;
    same(&of("tokens"), found.tokens, tokens(&sums.calls))?;
    same(&of("cost_pico_usd"), found.cost_pico_usd, sums.calls.cost)?;
    same(
        &of("unpriced_calls"),
        u64::from(found.unpriced_calls),
        sums.calls.unpriced,
    )?;
    same(&of("started_at"), found.started_at, sums.start)?;
    same(&of("duration_ns"), found.duration_ns, sums.end - sums.start)
}

/// One trace of a list.
pub(super) fn trace(world: &World, found: &TraceSummary, number: u64) -> Result<(), String> {
    let (sums, id) = (world.book.trace(number), world.workload().trace_id(number));
    let of = |field: &str| format!("{id}: {field}");
    same("trace_id", found.trace_id, id)?;
    same(&of("spans"), u64::from(found.spans), sums.spans)?;
    same(&of("errors"), u64::from(found.errors), sums.errors)?;
    same(&of("blocked"), u64::from(found.blocked), sums.blocked)?;
    same(&of("complete"), found.complete, true)?;
    same(&of("tokens"), found.tokens, tokens(&sums.calls))?;
    same(&of("cost_pico_usd"), found.cost_pico_usd, sums.calls.cost)?;
    same(&of("started_at"), found.started_at, sums.start)?;
    same(&of("duration_ns"), found.duration_ns, sums.end - sums.start)?;
    let session = world.workload().session_id(number / crate::generate::RUNS);
    same(&of("session_id"), found.session_id.clone(), Some(session))
}
