//! Measurements; they print figures and ratios of one run. What they find kept is compared with
//! an exact ledger, and a difference is an error; how fast it was is judged by who reads it.
//!
//! ```text
//! cargo xtask bench ingest [SPANS]   durable spans/s over OTLP/HTTP, and the raw engine's rows/s
//! cargo xtask bench store [SPANS]    the store without sockets; cold start and idle memory
//! cargo xtask bench query [SPANS [TIMES]]  the API's answers: how fast, and right to the last digit
//! cargo xtask bench paint [RUNS]     first paint and first row of the studio from a cold cache
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod figures;
mod fill;
mod generate;
mod http;
mod ingest;
mod ledger;
mod load;
mod paint;
mod query;
mod rate;
mod raw;
mod server;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_else(|| "all".to_owned());
    let mut numbers = args.map_while(|text| text.replace('_', "").parse::<usize>().ok());
    let (number, second) = (numbers.next(), numbers.next());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let result = match what.as_str() {
        "ingest" => ingest::run(number.unwrap_or(1_000_000)),
        "store" => store::run(number.unwrap_or(1_000_000)),
        "query" => query::run(number.unwrap_or(1_000_000), second.unwrap_or(query::TIMES)),
        "paint" => {
            runtime.block_on(paint::run(number.unwrap_or(5)));
            Ok(())
        }
        "all" => ingest::run(number.unwrap_or(1_000_000)).map(|()| runtime.block_on(paint::run(5))),
        _ => {
            println!("bench ingest [SPANS] | store [SPANS] | query [SPANS [TIMES]] | paint [RUNS]");
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench {what}: {error}");
            ExitCode::FAILURE
        }
    }
}
