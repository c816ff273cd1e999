//! Measurements; they print figures and ratios of one run, and judge nothing.
//!
//! ```text
//! cargo xtask bench ingest [SPANS]   durable spans/s over OTLP/HTTP, and the raw engine's rows/s
//! cargo xtask bench live [SPANS]     what 200 subscribers of the stream cost, and whether they miss anything
//! cargo xtask bench paint [RUNS]     first paint and first row of the studio from a cold cache
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod generate;
mod ingest;
mod live;
mod paint;
mod raw;

fn main() {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_else(|| "all".to_owned());
    let number = args.next().and_then(|text| text.parse::<usize>().ok());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    match what.as_str() {
        "ingest" => ingest::run(number.unwrap_or(500_000)),
        "live" => runtime.block_on(live::run(number.unwrap_or(800_000) as u64)),
        "paint" => runtime.block_on(paint::run(number.unwrap_or(5))),
        "all" => {
            ingest::run(number.unwrap_or(500_000));
            runtime.block_on(paint::run(5));
        }
        _ => println!("bench ingest [SPANS] | live [SPANS] | paint [RUNS]"),
    }
}
