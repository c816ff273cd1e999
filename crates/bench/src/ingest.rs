//! Durable spans a second: the real server, real sockets, every answer waited for.

use crate::generate::{Emitters, Workload};
use crate::load::{self, BATCH, CONNECTIONS, Sent};
use crate::server::{Server, cpu, weigh};
use crate::{rate, raw};
use std::time::{Duration, Instant};

/// Requests whose bodies are in memory at once; the clock stands while the next are made.
const CHUNK: u64 = 250;

pub(crate) fn run(spans: usize) -> Result<(), String> {
    let workload = Workload::busy(spans);
    let (emitters, requests) = (Emitters::new(), load::requests(&workload));
    println!(
        "ingest: {} spans in requests of {BATCH} over {CONNECTIONS} connections",
        workload.spans()
    );
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let server = Server::start(dir.path(), &[])?;
    let idle = server.memory();
    let mut all = Sent::default();
    let (mut bytes, mut client, mut kept, mut written) = (0, 0.0, 0.0, Duration::ZERO);
    for first in (0..requests).step_by(CHUNK as usize) {
        let bodies: Vec<Vec<u8>> = (first..requests.min(first + CHUNK))
            .map(|n| load::body(&workload, &emitters, n))
            .collect();
        bytes += bodies.iter().map(Vec::len).sum::<usize>();
        let spans = workload.spans().min((first + CHUNK) * BATCH) - first * BATCH;
        let before = (cpu("self"), server.cpu());
        let sent = load::flat_out(&server.http, &bodies, spans);
        client += cpu("self") - before.0;
        all.spans += sent.spans;
        written += sent.took + wait(&server, all.spans)?;
        kept += server.cpu() - before.1;
        all.took += sent.took;
        all.refused += sent.refused;
        all.times.append(sent.times);
    }
    let (counted, memory) = (server.counted("spans")?, server.memory());
    let begin = Instant::now();
    server.stop()?;
    let (ended, size) = (begin.elapsed(), weigh(dir.path()));
    drop(dir);

    let spans = workload.spans() as f64;
    let (answered, durable) = (spans / all.took.as_secs_f64(), spans / written.as_secs_f64());
    println!(
        "  on the wire             {:>10.0} bytes a span",
        bytes as f64 / spans
    );
    println!("  durable over OTLP/HTTP  {durable:>10.0} spans/s, until the engine has them all");
    println!("    until all are answered {answered:>9.0} spans/s");
    if counted != all.spans {
        return Err(format!(
            "{} spans were acknowledged, {counted} are kept",
            all.spans
        ));
    }
    println!("  counted by the server   {counted:>10} spans, as acknowledged");
    let at = |percent| all.times.percentile(percent);
    println!(
        "  a request's answer      p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms; {} refused",
        at(50),
        at(95),
        at(99),
        all.refused
    );
    let a_million = |seconds: f64| seconds / spans * 1e6;
    println!(
        "  CPU a million spans     server {:.2} s, client {:.2} s",
        a_million(kept),
        a_million(client)
    );
    println!(
        "  server memory           idle {} MiB, peak {} MiB, at the end {} MiB",
        idle.now / 1024,
        memory.peak / 1024,
        memory.now / 1024
    );
    println!(
        "  on disk                 {:>10.1} bytes a span after a graceful end of {:.0} ms",
        size as f64 / spans,
        ended.as_secs_f64() * 1e3
    );
    raw::run(&workload, &emitters).print(durable);
    rate::remember(durable as u64)
}

/// Waits until the engine has so many spans: the journal may have answered for the last of them.
fn wait(server: &Server, spans: u64) -> Result<Duration, String> {
    let begin = Instant::now();
    while server.counted("spans")? < spans && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(begin.elapsed())
}
