//! Durable spans a second: the real server, real sockets, every answer waited for.

use crate::{generate, raw};
use meshscope_telemetry::otlp::encode_traces;
use meshscope_tests::Server;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Spans of one request.
const BATCH: usize = 2_000;
/// Connections at a time.
pub(crate) const CONNECTIONS: usize = 8;

pub(crate) fn run(spans: usize) {
    let spans = spans.div_ceil(BATCH) * BATCH;
    println!("ingest: {spans} spans in requests of {BATCH} over {CONNECTIONS} connections");
    let bodies: Vec<Vec<u8>> = (0..spans / BATCH)
        .map(|n| encode_traces(&generate::spans((n * BATCH) as u64, ((n + 1) * BATCH) as u64)))
        .collect();
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    println!("  {} bytes a span on the wire, 11 attributes", bytes / spans);

    let server = Server::start();
    let address = server.otlp_http.trim_start_matches("http://").to_owned();
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = TcpStream::connect(&address).unwrap();
                connection.set_nodelay(true).unwrap();
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    post(&mut connection, &address, body);
                }
            });
        }
    });
    let durable = spans as f64 / start.elapsed().as_secs_f64();
    let kept = server.counted();
    println!("  durable over OTLP/HTTP: {durable:>10.0} spans/s ({kept} counted by the server)");
    println!("  server memory: {} MiB", server.memory_kib() / 1024);
    println!(
        "  on disk: {:.1} bytes a span",
        server.stop_and_weigh() as f64 / spans as f64
    );
    let raw = raw::rows_per_second(spans);
    println!("  raw DuckDB appender, the same rows: {raw:>10.0} rows/s");
    println!("  ratio: {:.2}", durable / raw);
}

pub(crate) fn post(connection: &mut TcpStream, host: &str, body: &[u8]) {
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(body).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    // An answer without a body ends with the empty line.
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = connection.read(&mut buffer).unwrap();
        assert!(read > 0, "the server hung up");
        answer.extend_from_slice(&buffer[..read]);
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}
