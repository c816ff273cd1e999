//! What is measured: names, values and how they are written.

use crate::charts::Kind;
use meshscope_api::{UsageGroup, UsageMeasures};
use meshscope_layout::format;

/// What stands where there is nothing.
pub(super) const NOTHING: &str = "\u{2013}";

pub(super) fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// How the values of a chart are written: on its axis, and where one is read.
pub(super) struct Unit {
    /// In a few digits.
    pub short: fn(f64) -> String,
    /// To the last digit.
    pub exact: fn(f64) -> String,
}

/// Pico-dollars.
pub(super) const MONEY: Unit = Unit {
    short: |x| format::cost(x.round() as i64),
    exact: |x| dollars(x.round() as i64),
};
/// Tokens, calls.
pub(super) const COUNT: Unit = Unit {
    short: |x| format::count(x.round() as i64),
    exact: |x| format::integer(x.round() as i64),
};
/// Nanoseconds.
pub(super) const TIME: Unit = Unit {
    short: |x| match x.round() as i64 {
        0 => "0".to_owned(),
        ns => format::duration(ns),
    },
    exact: |x| format::duration_exact(x.round() as i64),
};
/// Micrograms.
pub(super) const CARBON: Unit = Unit {
    short: |x| format::carbon(x.round() as i64),
    exact: |x| format!("{} \u{b5}g", format::integer(x.round() as i64)),
};
/// A part of one.
pub(super) const RATE: Unit = Unit {
    short: |x| format::percent((x * 1e6).round() as i64, 1_000_000),
    exact: |x| format!("{:.3} %", x * 100.0),
};

/// Pico-dollars as dollars to the last digit that is not 0.
fn dollars(pico: i64) -> String {
    let (whole, rest) = (pico / format::DOLLAR, (pico % format::DOLLAR).unsigned_abs());
    let rest = format!("{rest:012}");
    let least = if whole == 0 { 4 } else { 2 };
    let digits = rest.trim_end_matches('0').len().max(least);
    let sign = if pico < 0 && whole == 0 { "\u{2212}" } else { "" };
    format!(
        "{sign}${}.{}",
        format::integer(whole),
        rest.get(..digits).unwrap_or_default()
    )
}

/// A figure that a chart shows over time.
pub(super) struct Measure {
    /// In the URL.
    pub word: &'static str,
    /// On the screen.
    pub title: &'static str,
    /// Of some calls.
    pub value: fn(&UsageMeasures) -> Option<f64>,
    /// How it is written.
    pub unit: Unit,
    /// Sums are stacked, quantiles are lines.
    pub kind: Kind,
}

fn float(n: Option<i64>) -> Option<f64> {
    n.map(|n| n as f64)
}

/// All of them; the first is the usual one.
pub(super) const MEASURES: [Measure; 7] = [
    Measure {
        word: "cost",
        title: "Cost",
        value: |m| float(m.cost_pico_usd),
        unit: MONEY,
        kind: Kind::Stacked,
    },
    Measure {
        word: "tokens",
        title: "Tokens",
        value: |m| float(m.tokens.total),
        unit: COUNT,
        kind: Kind::Stacked,
    },
    Measure {
        word: "calls",
        title: "Calls",
        value: |m| Some(m.calls as f64),
        unit: COUNT,
        kind: Kind::Stacked,
    },
    Measure {
        word: "errors",
        title: "Failed calls",
        value: |m| Some(m.errors as f64),
        unit: COUNT,
        kind: Kind::Stacked,
    },
    Measure {
        word: "latency",
        title: "Call latency p95",
        value: |m| float(m.latency_ns.p95),
        unit: TIME,
        kind: Kind::Lines,
    },
    Measure {
        word: "first",
        title: "First token p95",
        value: |m| float(m.time_to_first_token_ns.p95),
        unit: TIME,
        kind: Kind::Lines,
    },
    Measure {
        word: "carbon",
        title: "Carbon",
        value: |m| float(m.carbon_ug),
        unit: CARBON,
        kind: Kind::Stacked,
    },
];

/// The measure with this word, the first when there is none.
pub(super) fn measure(word: Option<&str>) -> &'static Measure {
    let found = MEASURES.iter().find(|measure| Some(measure.word) == word);
    found.unwrap_or(&MEASURES[0])
}

/// A column of the breakdown.
pub(super) struct Column {
    /// In the URL.
    pub word: &'static str,
    /// Its head.
    pub title: &'static str,
    /// What it is, where the title is short of it.
    pub about: &'static str,
    /// The figure of a group.
    pub value: fn(&UsageGroup) -> Option<i64>,
    /// As text.
    pub format: fn(i64) -> String,
    /// Word of the order in which the server chooses the top, when sorted by it.
    pub order: &'static str,
}

/// Columns that are shown when the URL names none.
pub(super) const USUAL: &str = "calls,input,cached,output,cost,p95,failed";

fn signed_cost(pico: i64) -> String {
    let sign = if pico > 0 { "+" } else { "" };
    format!("{sign}{}", format::cost(pico))
}

/// How much more a cost is than it was, with its sign; of an unknown one nothing can be said, but what had
/// none before is all new.
pub(super) fn difference(before: Option<i64>, after: Option<i64>) -> String {
    after.map_or_else(
        || NOTHING.to_owned(),
        |after| signed_cost(after.saturating_sub(before.unwrap_or(0))),
    )
}

/// Millionths as a percentage.
fn share(n: i64) -> String {
    format::percent(n, 1_000_000)
}

/// What part it is, in millionths.
fn part(part: Option<i64>, of: Option<i64>) -> Option<i64> {
    let (part, of) = (i128::from(part?), i128::from(of?));
    (of != 0).then(|| i64::try_from(part * 1_000_000 / of).unwrap_or(i64::MAX))
}

const fn column(
    word: &'static str,
    title: &'static str,
    about: &'static str,
    order: &'static str,
    format: fn(i64) -> String,
    value: fn(&UsageGroup) -> Option<i64>,
) -> Column {
    Column {
        word,
        title,
        about,
        value,
        format,
        order,
    }
}

/// All columns.
pub(super) const COLUMNS: [Column; 20] = [
    column("calls", "Calls", "", "calls", format::integer, |g| {
        Some(whole(g.measures.calls))
    }),
    column("tokens", "Tokens", "All of them", "tokens", format::count, |g| {
        g.measures.tokens.total
    }),
    column(
        "input",
        "Input",
        "Cached input and cache writes included",
        "tokens",
        format::count,
        |g| g.measures.tokens.input,
    ),
    column(
        "cached",
        "Cached",
        "Input read from a cache; within input",
        "tokens",
        format::count,
        |g| g.measures.tokens.cached_input,
    ),
    column(
        "hit",
        "Cache hits",
        "Cached input of all input",
        "tokens",
        share,
        |g| part(g.measures.tokens.cached_input, g.measures.tokens.input),
    ),
    column(
        "write",
        "Cache write",
        "Input written to a cache; within input",
        "tokens",
        format::count,
        |g| g.measures.tokens.cache_write,
    ),
    column(
        "output",
        "Output",
        "Reasoning included",
        "tokens",
        format::count,
        |g| g.measures.tokens.output,
    ),
    column(
        "reasoning",
        "Reasoning",
        "Within output",
        "tokens",
        format::count,
        |g| g.measures.tokens.reasoning,
    ),
    column(
        "characters",
        "Characters",
        "Of text to speech",
        "cost",
        format::count,
        |g| g.measures.characters,
    ),
    column(
        "audio",
        "Audio",
        "Seconds of speech to text",
        "cost",
        format::duration,
        |g| g.measures.audio_ns,
    ),
    column("cost", "Cost", "", "cost", format::cost, |g| {
        g.measures.cost_pico_usd
    }),
    column(
        "each",
        "Cost a call",
        "Of the calls that have a cost",
        "cost",
        format::cost,
        |g| {
            let priced = whole(g.measures.calls.saturating_sub(g.measures.unpriced_calls));
            g.measures.cost_pico_usd?.checked_div(priced)
        },
    ),
    column(
        "change",
        "Change",
        "Of the cost, against the period before",
        "cost",
        signed_cost,
        |g| {
            let before = g.previous.as_ref().and_then(|before| before.cost_pico_usd);
            Some(g.measures.cost_pico_usd? - before.unwrap_or(0))
        },
    ),
    column(
        "unpriced",
        "No price",
        "Calls without a known cost",
        "calls",
        format::integer,
        |g| Some(whole(g.measures.unpriced_calls)),
    ),
    column("carbon", "Carbon", "CO2e", "carbon", format::carbon, |g| {
        g.measures.carbon_ug
    }),
    column(
        "p50",
        "p50",
        "Median latency of the calls",
        "latency",
        format::duration,
        |g| g.measures.latency_ns.p50,
    ),
    column(
        "p95",
        "p95",
        "Latency of the calls",
        "latency",
        format::duration,
        |g| g.measures.latency_ns.p95,
    ),
    column(
        "p99",
        "p99",
        "Latency of the calls",
        "latency",
        format::duration,
        |g| g.measures.latency_ns.p99,
    ),
    column(
        "first",
        "First token",
        "95th percentile of the time to it",
        "latency",
        format::duration,
        |g| g.measures.time_to_first_token_ns.p95,
    ),
    column(
        "failed",
        "Failed",
        "Failed calls of all calls",
        "errors",
        share,
        |g| part(Some(whole(g.measures.errors)), Some(whole(g.measures.calls))),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_to_the_last_digit() {
        let money = [
            4_000_000_000_i64,
            1,
            2_990_000_000_000,
            1_234_567_000_000_000_001,
            0,
        ]
        .map(dollars);
        assert_eq!(
            money,
            [
                "$0.0040",
                "$0.000000000001",
                "$2.99",
                "$1,234,567.000000000001",
                "$0.0000"
            ]
        );
        assert_eq!((COUNT.exact)(61_400_001.0), "61,400,001");
        assert_eq!((RATE.exact)(0.0123), "1.230 %");
    }

    #[test]
    fn what_was_not_known_is_all_new_and_what_is_not_known_is_nothing() {
        assert_eq!(difference(None, Some(2 * format::DOLLAR)), "+$2.00");
        assert_eq!(difference(Some(2 * format::DOLLAR), None), NOTHING);
    }
}
