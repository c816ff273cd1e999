//! Measurements; they print figures and ratios of one run. What they find kept is compared with
//! an exact ledger, and a difference is an error; how fast it was is judged by who reads it.
//! `cargo xtask bench help` lists them, docs/benches.md says how to read them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod charts;
mod columns;
mod console;
mod crash;
mod figures;
mod fill;
mod generate;
mod http;
mod ingest;
mod ledger;
mod live;
mod load;
mod paint;
mod query;
mod rate;
mod raw;
mod server;
mod soak;
mod store;
mod viewer;
mod waterfall;

use std::process::ExitCode;

const HELP: &str = "cargo xtask bench WHAT

  ingest [SPANS]         durable spans/s over OTLP/HTTP, latency, CPU, memory, size, the raw engine's rows/s
  store [SPANS]          the store without sockets; cold start and idle memory on what it wrote
  query [SPANS [TIMES]]  every list and chart of the API at random places, idle and while spans come in
  usage [SPANS [TIMES]]  what the usage page asks: overview, breakdowns, heat maps, rows, a what-if's calls; the page; charts
  columns [SPANS]        a long trace as columns: first spans, all of them, bytes a span, decoding; searching it
  live [SPANS]           what 200 subscribers of the stream cost, and whether they miss anything; then console and session
  console [SECONDS]      the console in a browser: from a span's export to its row, and frames and memory at 10,000 records/s
  session                a session of 10,000 spans and logs, and one of 100,000 events, in the browser: from the click to use, scrubbing
  paint [RUNS]           first paint and first row of the studio from a cold cache
  waterfall [SPANS]      traces of up to so many spans in the browser: first rows, all rows, frames, search, memory
  charts [POINTS]        a series of up to so many points: reduced on the host, drawn in the browser
  all [SPANS]            all of them

cargo xtask crash [--kills N] [--seed N]        kill -9 under load; nothing lost, nothing doubled
cargo xtask soak [--minutes N] [--rate SPANS]   a steady rate for long; the slope of memory and latency
";

/// What is to be done, with its numbers and options.
struct Arguments {
    what: String,
    numbers: Vec<u64>,
    options: Vec<(String, u64)>,
}

impl Arguments {
    /// `WHAT [NUMBER]... [--OPTION NUMBER]...`; thousands may be set off by `_`.
    fn read(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let number = |text: &str| {
            let read = text.replace('_', "").parse();
            read.map_err(|_| format!("{text:?} should be a number"))
        };
        let mut args = args;
        let what = args.next().unwrap_or_else(|| "all".to_owned());
        let (mut numbers, mut options) = (Vec::new(), Vec::new());
        while let Some(arg) = args.next() {
            match arg.strip_prefix("--") {
                Some(name) => {
                    let value = args.next().unwrap_or_default();
                    options.push((name.to_owned(), number(&value)?));
                }
                None => numbers.push(number(&arg)?),
            }
        }
        Ok(Self {
            what,
            numbers,
            options,
        })
    }

    fn number(&self, nth: usize, default: usize) -> usize {
        self.numbers.get(nth).map_or(default, |n| *n as usize)
    }

    fn option(&self, name: &str) -> Option<u64> {
        let option = self.options.iter().find(|(option, _)| option == name);
        option.map(|(_, value)| *value)
    }
}

/// What a browser is driven in.
fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

fn dispatch(args: &Arguments) -> Result<(), String> {
    let spans = args.number(0, 1_000_000);
    match args.what.as_str() {
        "ingest" => ingest::run(spans),
        "store" => store::run(spans),
        "query" => query::run(spans, args.number(1, query::TIMES)),
        "usage" => {
            query::run_usage(spans, args.number(1, query::TIMES))?;
            runtime()?.block_on(charts::run(charts::MOST))
        }
        "columns" => columns::run(spans),
        "live" => {
            runtime()?.block_on(live::run(args.number(0, 1_600_000) as u64));
            runtime()?.block_on(console::run(60))?;
            runtime()?.block_on(viewer::run())
        }
        "console" => runtime()?.block_on(console::run(args.number(0, 60) as u64)),
        "session" => runtime()?.block_on(viewer::run()),
        "paint" => {
            runtime()?.block_on(paint::run(args.number(0, 5)));
            Ok(())
        }
        "waterfall" => runtime()?.block_on(waterfall::run(spans as u64)),
        "charts" => runtime()?.block_on(charts::run(spans as u64)),
        "crash" => crash::run(crash::Options {
            kills: args.option("kills").unwrap_or(50),
            seed: args.option("seed").unwrap_or_else(seed_of_now),
        }),
        "soak" => soak::run(args.option("minutes").unwrap_or(20), args.option("rate")),
        "all" => {
            ingest::run(spans)?;
            store::run(spans)?;
            query::run(spans, query::TIMES)?;
            query::run_usage(spans, query::TIMES)?;
            columns::run(spans)?;
            runtime()?.block_on(live::run(spans as u64));
            runtime()?.block_on(paint::run(5));
            runtime()?.block_on(console::run(60))?;
            runtime()?.block_on(viewer::run())?;
            runtime()?.block_on(waterfall::run(spans as u64))?;
            runtime()?.block_on(charts::run(spans as u64))
        }
        _ => {
            print!("{HELP}");
            Ok(())
        }
    }
}

/// A seed that is another one every time; it is printed, so that a run can be had again.
fn seed_of_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64 % 1_000_000_000)
}

fn main() -> ExitCode {
    let result = Arguments::read(std::env::args().skip(1)).and_then(|args| dispatch(&args));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
