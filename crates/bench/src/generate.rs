//! The same workload every time: sessions of agents, in traces of about 20 spans with 11
//! attributes each, about 400 bytes a span on the wire.
//!
//! Every figure of a span is a function of its number ([`Workload::step`]), so that the exact
//! ledger ([`crate::ledger`]) is computed beside the spans and not from them.

use meshscope_model::time::SECOND;
use meshscope_model::{SpanId, TraceId};

mod records;

pub(crate) use records::{Emitters, document_path, user_id};

/// Bump when the records change: what was filled with older ones is filled again.
pub(crate) const VERSION: u32 = 1;
/// Spans of one trace.
pub(crate) const TRACE: u64 = 20;
/// Traces of one session.
pub(crate) const RUNS: u64 = 4;
/// Spans of one session.
pub(crate) const SESSION: u64 = TRACE * RUNS;
/// Log records of one trace, where logs are asked for.
pub(crate) const TRACE_LOGS: u64 = 2;
/// The first moment after a workload that is spread over days: a midnight in the past.
pub(crate) const END: i64 = 1_795_219_200 * SECOND;
/// From one run of a session to the next.
const RUN_EVERY: i64 = 40 * SECOND;
/// No session lasts longer.
const LONGEST: i64 = RUNS as i64 * RUN_EVERY;
/// Documents that tools read; searching for one by part of its path finds few spans.
pub(crate) const DOCUMENTS: u64 = 50_000;
/// Users who ask.
pub(crate) const USERS: u64 = 1_000;

/// Agents; each has a service of its own.
pub(crate) const AGENTS: [&str; 3] = ["planner", "researcher", "critic"];
/// Models with their providers. The last has no price.
pub(crate) const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("ollama", "qwen3"),
];

/// Sessions of agents over a stretch of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    /// How many sessions.
    pub(crate) sessions: u64,
    /// Number of the first; another workload's sessions have other ids when theirs differ.
    first: u64,
    /// Start of the first session, ns since the epoch.
    pub(crate) base: i64,
    /// First moment at which none of its records starts.
    pub(crate) end: i64,
}

/// What a span does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The root; of every second trace it claims the tokens of its calls.
    Invoke { claim: Option<Tokens> },
    /// A model call.
    Chat(Call),
    /// A tool that reads a document.
    Tool { document: u64 },
}

/// A model call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    /// Index into [`MODELS`].
    pub(crate) model: usize,
    /// What it used.
    pub(crate) tokens: Tokens,
    /// Cost that the agent reports, millionths of a dollar.
    pub(crate) reported: Option<i64>,
}

/// Tokens by class; `cached` is within `input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tokens {
    pub(crate) input: i64,
    pub(crate) cached: Option<i64>,
    pub(crate) output: i64,
}

/// A span in figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Number of its trace within the workload.
    pub(crate) trace: u64,
    /// Its place in the trace; 0 is the root.
    pub(crate) within: u64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) act: Act,
    pub(crate) failed: bool,
    pub(crate) blocked: bool,
    /// Thousandths.
    pub(crate) score: u64,
}

/// A number that looks random and is not.
pub(crate) fn mix(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Workload {
    /// At least `spans` spans, in whole sessions, over `days` days before [`END`].
    pub(crate) fn over_days(spans: usize, days: i64) -> Self {
        let base = END - days * meshscope_model::time::DAY;
        Self {
            sessions: (spans as u64).div_ceil(SESSION),
            first: 0,
            base,
            end: END,
        }
    }

    /// At least `spans` spans as a busy server gets them, 100,000 a second.
    pub(crate) fn busy(spans: usize) -> Self {
        let sessions = (spans as u64).div_ceil(SESSION);
        let window = (sessions * SESSION) as i64 * 10_000;
        Self {
            sessions,
            first: 0,
            base: END,
            end: END + window + LONGEST,
        }
    }

    /// At least `spans` spans in sessions that come one after the other.
    pub(crate) fn apart(spans: usize) -> Self {
        let sessions = (spans as u64).div_ceil(SESSION);
        Self {
            sessions,
            first: 0,
            base: END,
            end: END + sessions as i64 * 2 * LONGEST + LONGEST,
        }
    }

    /// Another workload after this one, with other sessions.
    pub(crate) fn followed_by(&self, next: Self) -> Self {
        Self {
            first: self.first + self.sessions,
            base: self.end + SECOND,
            end: self.end + SECOND + (next.end - next.base),
            ..next
        }
    }

    /// How many spans.
    pub(crate) fn spans(&self) -> u64 {
        self.sessions * SESSION
    }

    /// How many traces.
    pub(crate) fn traces(&self) -> u64 {
        self.sessions * RUNS
    }

    /// Start of a session.
    fn session_start(&self, session: u64) -> i64 {
        let window = i128::from((self.end - self.base - LONGEST).max(1));
        self.base + (window * i128::from(session) / i128::from(self.sessions)) as i64
    }

    /// Start of a trace.
    pub(crate) fn trace_start(&self, trace: u64) -> i64 {
        self.session_start(trace / RUNS) + (trace % RUNS) as i64 * RUN_EVERY
    }

    /// Where the dice of a trace or span stand: different in every workload.
    fn salt(&self, n: u64, unit: u64) -> u64 {
        mix((self.first * SESSION / unit + n) ^ (unit << 56))
    }

    /// A trace's id.
    pub(crate) fn trace_id(&self, trace: u64) -> TraceId {
        let high = u128::from(self.salt(trace, TRACE));
        TraceId::from_u128(high << 64 | u128::from(self.first * RUNS + trace + 1))
    }

    /// A span's id.
    pub(crate) fn span_id(&self, n: u64) -> SpanId {
        SpanId::from_u64(self.salt(n, 1) | 1)
    }

    /// A session's id.
    pub(crate) fn session_id(&self, session: u64) -> String {
        format!("conv-{}", self.first + session)
    }

    /// Index of the agent of a trace, into [`AGENTS`].
    pub(crate) fn agent(&self, trace: u64) -> usize {
        (trace % AGENTS.len() as u64) as usize
    }

    /// The user who asked for a trace.
    pub(crate) fn user(&self, trace: u64) -> u64 {
        self.salt(trace, TRACE) % USERS
    }

    /// The call that a span is, if it is one.
    fn call(&self, n: u64) -> Option<Call> {
        if n % TRACE % 3 != 1 {
            return None;
        }
        let dice = self.salt(n, 1);
        let input = (dice >> 8) as i64 & 0xfff;
        let (model, more) = ((dice >> 40) as usize % MODELS.len(), (dice >> 44) % 4);
        let tokens = Tokens {
            input,
            cached: (more == 1).then_some(input / 2),
            output: (dice >> 20) as i64 & 0x1ff,
        };
        let reported = (more == 2).then_some((dice >> 29) as i64 & 0xffff);
        Some(Call {
            model,
            tokens,
            reported,
        })
    }

    /// What the root of a trace claims.
    fn claim(&self, trace: u64) -> Option<Tokens> {
        let calls = (trace * TRACE..(trace + 1) * TRACE).filter_map(|n| self.call(n));
        let claim = || {
            calls.fold(Tokens::default(), |sum, call| Tokens {
                input: sum.input + call.tokens.input,
                cached: None,
                output: sum.output + call.tokens.output,
            })
        };
        trace.is_multiple_of(2).then(claim)
    }

    /// Span `n` in figures.
    pub(crate) fn step(&self, n: u64) -> Step {
        let (trace, within, dice) = (n / TRACE, n % TRACE, self.salt(n, 1));
        let began = self.trace_start(trace);
        let (start, end, act) = match self.call(n) {
            _ if within == 0 => {
                let long = TRACE as i64 * SECOND + (dice % 5_000) as i64 * 1_000_000;
                let claim = self.claim(trace);
                (began, began + long, Act::Invoke { claim })
            }
            call => {
                let start = began + within as i64 * SECOND + (dice % 90) as i64 * 1_000_000;
                let end = start + 1_000_000 + (dice >> 12) as i64 % 900_000_000;
                let document = (dice >> 16) % DOCUMENTS;
                (start, end, call.map_or(Act::Tool { document }, Act::Chat))
            }
        };
        let tool = matches!(act, Act::Tool { .. });
        let blocked = tool && (dice >> 33).is_multiple_of(500);
        let often = if tool { 200 } else { 1_000 };
        Step {
            trace,
            within,
            start,
            end,
            act,
            failed: within > 0 && !blocked && (dice >> 23).is_multiple_of(often),
            blocked,
            score: (dice >> 3) % 1_000,
        }
    }
}
