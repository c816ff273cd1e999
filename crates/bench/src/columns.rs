//! One long trace: when its first spans are there as columns and when all of them, what a span
//! weighs on the wire in each coding, how long decoding takes, and searching.

use crate::fill::understood;
use crate::generate::{Emitters, TRACE, Workload};
use crate::http::Connection;
use crate::server::Server;
use meshscope_analysis::Prices;
use meshscope_api::COLUMNS_MEDIA_TYPE;
use meshscope_api::columns::Decoder;
use meshscope_model::{Batch, Span, SpanEvent, TraceId};
use meshscope_store::{DuckDb, Options, Store};
use std::path::Path;
use std::time::{Duration, Instant};

/// Spans of one write.
const GROUP: u64 = 20_000;
/// Of so many spans one has an event.
const EVENTFUL: u64 = 50;
/// How often each coding is asked for.
const TIMES: usize = 3;

/// Searches of the trace, with what each is.
const SEARCHES: [(&str, &str); 4] = [
    ("a text that is nowhere", "no%20such%20text"),
    ("a text of 10,000 spans and more", "search"),
    ("an attribute that is nowhere", "app.step%3Dnever"),
    ("an attribute of many spans", "app.tier%3Dgold"),
];

/// The workload's spans as one trace: the first is the root of all others.
fn span(workload: &Workload, emitters: &Emitters, n: u64) -> Span {
    let mut span = workload.span(emitters, n);
    span.trace_id = workload.trace_id(0);
    if n > 0 && n.is_multiple_of(TRACE) {
        span.parent_span_id = Some(workload.span_id(0));
    }
    if n.is_multiple_of(EVENTFUL) {
        span.events.push(SpanEvent {
            time: span.start_time + 1_000,
            name: "gen_ai.first_token".to_owned(),
            ..SpanEvent::default()
        });
    }
    span
}

fn fill(dir: &Path, workload: &Workload) -> Result<TraceId, String> {
    let store = DuckDb::open(dir, &Options::default()).map_err(|error| error.to_string())?;
    let (emitters, prices) = (Emitters::new(), Prices::built_in());
    for first in (0..workload.spans()).step_by(GROUP as usize) {
        let last = workload.spans().min(first + GROUP);
        let spans = (first..last).map(|n| understood(span(workload, &emitters, n), &prices));
        let batch = Batch {
            spans: spans.collect(),
            ..Batch::default()
        };
        store.write(&[batch]).map_err(|error| error.to_string())?;
    }
    store.close().map_err(|error| error.to_string())?;
    Ok(workload.trace_id(0))
}

/// How one answer went.
struct Answer {
    first: Duration,
    all: Duration,
    packets: Vec<Vec<u8>>,
}

fn ask(server: &Server, trace: TraceId, coding: &str) -> Result<Answer, String> {
    let failed = |error: std::io::Error| format!("the trace as columns: {error}");
    let mut connection = Connection::open(&server.api).map_err(failed)?;
    let (mut packets, mut first) = (Vec::new(), None);
    let begin = Instant::now();
    let head = format!("accept: {COLUMNS_MEDIA_TYPE}\r\naccept-encoding: {coding}");
    let path = format!("/api/v1/traces/{trace}");
    let status = connection.stream(&path, &head, |packet| {
        first.get_or_insert_with(|| begin.elapsed());
        packets.push(packet);
    });
    let all = begin.elapsed();
    match status.map_err(failed)? {
        200 => Ok(Answer {
            first: first.unwrap_or(all),
            all,
            packets,
        }),
        status => Err(format!("the trace as columns: {status}")),
    }
}

pub(crate) fn run(spans: usize) -> Result<(), String> {
    let workload = Workload::over_days(spans, 1);
    let dir = tempfile::tempdir_in(crate::rate::dir()?).map_err(|error| error.to_string())?;
    println!("columns: a trace of {} spans", workload.spans());
    let trace = fill(dir.path(), &workload)?;
    let server = Server::start(dir.path(), &[])?;
    let per_span = |bytes: usize| bytes as f64 / workload.spans() as f64;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "  {:<10} {:>10} {:>10} {:>12} {:>10}",
        "coding", "first ms", "all ms", "bytes/span", "CPU s"
    );
    let mut plain = Vec::new();
    for coding in ["identity", "zstd", "br", "gzip"] {
        for _ in 0..TIMES {
            let cpu = server.cpu();
            let answer = ask(&server, trace, coding)?;
            let bytes = answer.packets.iter().map(Vec::len).sum();
            println!(
                "  {coding:<10} {:>10.0} {:>10.0} {:>12.1} {:>10.2}",
                ms(answer.first),
                ms(answer.all),
                per_span(bytes),
                server.cpu() - cpu
            );
            if coding == "identity" {
                plain = answer.packets;
            }
        }
    }
    for (name, query) in SEARCHES {
        let begin = Instant::now();
        let found = server.get(&format!("traces/{trace}/search?q={query}"))?;
        let spans = found["spans"].as_array().map_or(0, Vec::len);
        println!(
            "  search for {name:<30} {:>7.0} ms, {spans} spans",
            ms(begin.elapsed())
        );
    }
    let memory = server.memory();
    println!(
        "  server memory {} MiB, peak {} MiB",
        memory.now / 1024,
        memory.peak / 1024
    );
    server.stop()?;
    for _ in 0..TIMES {
        let begin = Instant::now();
        let mut decoder = Decoder::default();
        for packet in &plain {
            decoder.push(packet).map_err(|error| error.to_string())?;
        }
        let columns = decoder.finish().map_err(|error| error.to_string())?;
        println!(
            "  decoded in {:.0} ms: {} spans, {} strings, {} events",
            ms(begin.elapsed()),
            columns.len(),
            columns.strings.len(),
            columns.event_row.len()
        );
        if columns.len() as u64 != workload.spans() {
            return Err(format!("{} of {} spans came", columns.len(), workload.spans()));
        }
    }
    Ok(())
}
