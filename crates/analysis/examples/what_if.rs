//! How long a "what if" takes: `cargo run --release -p meshscope-analysis --example what_if [CALLS]`.

use meshscope_analysis::Prices;
use meshscope_analysis::what_if::{Change, what_if};
use meshscope_api::usage_calls::{CalledModel, UsageCalls};
use meshscope_model::Tokens;
use meshscope_model::time::DAY;
use std::time::Instant;

const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gcp.gemini", "gemini-2.5-pro"),
];

fn called((provider, model): (&str, &str)) -> CalledModel {
    CalledModel {
        model: model.to_owned(),
        provider: Some(provider.to_owned()),
    }
}

/// Calls of which no two are alike.
fn calls(count: u32) -> UsageCalls {
    let mut calls = UsageCalls {
        models: MODELS.map(called).to_vec(),
        days: (0..30).map(|day| day * DAY).collect(),
        ..UsageCalls::default()
    };
    for n in 0..count {
        let dice = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tokens = Tokens {
            input: Some((dice >> 40) as i64 % 20_000),
            cached_input: (n % 3 == 0).then_some((dice >> 30) as i64 % 5_000),
            output: Some((dice >> 20) as i64 % 2_000),
            ..Tokens::default()
        };
        calls.model.push(n % MODELS.len() as u32);
        calls.day.push(n / 7 % 30);
        calls.count.push(1);
        calls.cost.push(None);
        calls.flags.push(0);
        calls.tokens.push(tokens.with_total());
        calls.characters.push(None);
        calls.audio_ns.push(None);
    }
    calls
}

fn main() {
    let count = std::env::args()
        .nth(1)
        .and_then(|text| text.replace('_', "").parse().ok());
    let calls = calls(count.unwrap_or(1_000_000));
    let prices = Prices::built_in();
    let begin = Instant::now();
    let bytes = calls.encode();
    println!(
        "{} calls: {} bytes on the wire, {:?} to write",
        calls.len(),
        bytes.len(),
        begin.elapsed()
    );
    let begin = Instant::now();
    let read = UsageCalls::decode(&bytes);
    println!(
        "  {:?} to read, the same: {}",
        begin.elapsed(),
        read.as_ref() == Ok(&calls)
    );
    let change = Change {
        models: vec![(0, called(MODELS[2])), (1, called(MODELS[3]))],
        cached_percent: Some(40),
        batch_percent: Some(50),
        ..Change::default()
    };
    for (name, change) in [("as it was", Change::default()), ("with a change", change)] {
        let begin = Instant::now();
        let outcome = what_if(&calls, &prices, &change);
        println!(
            "  {:?} {name}: {:?} pico-dollars",
            begin.elapsed(),
            outcome.after.cost
        );
    }
}
