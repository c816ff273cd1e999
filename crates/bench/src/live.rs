//! The live stream under load: what subscribers cost the ingest, and whether they miss anything.

use crate::generate::{END, Emitters, TRACE, Workload};
use crate::http::Connection;
use crate::load::{CONNECTIONS, post};
use crate::server::{cpu, memory};
use meshscope_model::{KeyValue, Span};
use meshscope_telemetry::otlp::encode_traces;
use meshscope_tests::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

/// Subscribers that read, and those that do not.
const READING: u64 = 190;
const STALLED: u64 = 10;
/// Sessions that the spans are spread over; a reader follows one of them.
const SESSIONS: u64 = 1_000;
/// Half of them with subscribers: one alone says little, so much does the speed of a machine that others share sway.
const ROUNDS: u64 = 8;
/// Spans of one request at the top rate, and at the steady one.
const BATCH: u64 = 2_000;
const SMALL_BATCH: u64 = 100;
/// Spans a second while everyone follows everything, and for how long.
const STEADY: u64 = 1_000;
const SECONDS: u64 = 10;
/// From one span's start to the next one's, ns.
const EVERY: i64 = 10_000;
/// How long the last deltas are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(spans: u64) {
    let round = (spans / ROUNDS).div_ceil(BATCH) * BATCH;
    println!(
        "live: {round} spans a round at the top rate, {READING} subscribers that follow a session each, {STALLED} that follow everything and do not read"
    );
    let server = Server::start();
    let mut rates = [Vec::new(), Vec::new()];
    for n in 0..ROUNDS {
        let load = Arc::new(Load::new(n * round, (n + 1) * round, BATCH));
        // Each kind of round is as early and as late as the other.
        let with = matches!(n % 4, 1 | 2);
        let crowd = if with {
            Some(Crowd::start(&server, &load, true).await)
        } else {
            None
        };
        let used = || [cpu(&server.process()), cpu("self")];
        let before = used();
        let rate = load.send(&server, None).await;
        let after = used();
        let [served, here] = [0, 1].map(|n| (after[n] - before[n]) / round as f64 * 1e6);
        println!(
            "  round {}: {rate:>10.0} spans/s {}; CPU a million spans: server {served:.2} s, this process {here:.2} s",
            n + 1,
            if with { "with subscribers" } else { "without" }
        );
        rates[usize::from(with)].push(rate);
        if let Some(crowd) = crowd {
            crowd.finish(&load, true).await;
        }
    }
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    let [without, with] = rates.each_ref().map(|rates| mean(rates));
    println!(
        "  without {without:.0}, with {with:.0} spans/s: ratio {:.3}",
        with / without
    );

    println!("live: {STEADY} spans/s for {SECONDS} s, {READING} subscribers that follow everything");
    let first = ROUNDS * round;
    let load = Arc::new(Load::new(first, first + STEADY * SECONDS, SMALL_BATCH));
    let crowd = Crowd::start(&server, &load, false).await;
    let pause = Duration::from_secs_f64(SMALL_BATCH as f64 / STEADY as f64);
    load.send(&server, Some(pause)).await;
    crowd.finish(&load, false).await;
    println!(
        "  gaps told in all: {}; server memory: {} MiB",
        server.status()["live"]["gaps"],
        memory(&server.process()).now / 1024
    );
}

/// Spans on their way, with when each request was answered.
struct Load {
    from: u64,
    to: u64,
    batch: u64,
    begun: Instant,
    bodies: Vec<Vec<u8>>,
    /// ns after `begun`; 0 while there is no answer.
    answered: Vec<AtomicU64>,
}

impl Load {
    fn new(from: u64, to: u64, batch: u64) -> Self {
        let starts: Vec<u64> = (from..to).step_by(batch as usize).collect();
        let (workload, emitters) = (Workload::busy(to as usize), Emitters::new());
        let body = |start: &u64| {
            let mut spans = workload.records(&emitters, *start, (start + batch).min(to));
            for (n, span) in (*start..).zip(&mut spans) {
                place(span, n);
            }
            encode_traces(&spans)
        };
        Self {
            from,
            to,
            batch,
            begun: Instant::now(),
            bodies: starts.iter().map(body).collect(),
            answered: starts.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// Sends everything, as fast as it is taken or with a pause between requests; spans a second.
    async fn send(self: &Arc<Self>, server: &Server, pause: Option<Duration>) -> f64 {
        let address = server.otlp_http.trim_start_matches("http://").to_owned();
        let load = Arc::clone(self);
        let sent = tokio::task::spawn_blocking(move || load.post_all(&address, pause));
        sent.await.unwrap()
    }

    fn post_all(&self, address: &str, pause: Option<Duration>) -> f64 {
        let next = AtomicUsize::new(0);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..if pause.is_some() { 1 } else { CONNECTIONS } {
                scope.spawn(|| {
                    let mut connection = Connection::open(address).unwrap();
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        let Some(body) = self.bodies.get(n) else { break };
                        if let Some(pause) = pause {
                            let due = start + pause * n as u32;
                            std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        }
                        post(&mut connection, "/v1/traces", body);
                        self.answered[n].store(self.now(), Ordering::Relaxed);
                    }
                });
            }
        });
        (self.to - self.from) as f64 / start.elapsed().as_secs_f64()
    }

    /// How many spans a subscriber is to be told of: those of its session, or all.
    fn expected(&self, session: Option<u64>) -> u64 {
        (self.from..self.to)
            .filter(|n| session.is_none_or(|session| session_of(*n) == session))
            .count() as u64
    }
}

fn session_of(n: u64) -> u64 {
    n / TRACE % SESSIONS
}

/// Which span starts then.
fn number_of(start_time: i64) -> u64 {
    ((start_time - END) / EVERY) as u64
}

/// Puts a span into its session, and where its start tells its number.
fn place(span: &mut Span, n: u64) {
    let start = END + n as i64 * EVERY;
    span.end_time = Some(start + span.duration());
    span.start_time = start;
    let key = "gen_ai.conversation.id";
    span.attributes.0.retain(|kv| kv.key != key);
    span.attributes
        .0
        .push(KeyValue::new(key, format!("live-{}", session_of(n))));
}

/// What a subscriber was told.
struct Told {
    spans: u64,
    gaps: u64,
    /// Number of the span, and ns after the load began.
    at: Vec<(u64, u64)>,
}

/// The subscribers of a round.
struct Crowd {
    readers: Vec<(Option<u64>, JoinHandle<Told>)>,
    stalled: Vec<tokio::net::TcpStream>,
    enough: Arc<AtomicBool>,
}

impl Crowd {
    async fn start(server: &Server, load: &Arc<Load>, sessions: bool) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let mut stalled = Vec::new();
        for _ in 0..STALLED {
            stalled.push(subscribe(server, "", 4_096).await);
        }
        let mut readers = Vec::new();
        for n in 0..READING {
            let session = sessions.then_some(n * (SESSIONS / READING));
            let query = session.map_or_else(String::new, |session| format!("session=live-{session}"));
            let connection = subscribe(server, &query, 1 << 20).await;
            let expected = load.expected(session);
            let (load, enough) = (Arc::clone(load), Arc::clone(&enough));
            readers.push((session, tokio::spawn(read(connection, load, expected, enough))));
        }
        Self {
            readers,
            stalled,
            enough,
        }
    }

    /// Waits until everyone has been told everything, and prints what came of it.
    async fn finish(self, load: &Load, sessions: bool) {
        let enough = Arc::clone(&self.enough);
        let patience = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            enough.store(true, Ordering::Relaxed);
        });
        let (mut missed, mut gaps, mut told, mut delays) = (0_i64, 0, 0, Vec::new());
        for (session, reader) in self.readers {
            let heard = reader.await.unwrap();
            missed += load.expected(session) as i64 - heard.spans as i64;
            gaps += heard.gaps;
            told += heard.spans;
            delays.extend(heard.at.iter().map(|(n, at)| {
                let request = (n - load.from) / load.batch;
                at.saturating_sub(load.answered[request as usize].load(Ordering::Relaxed))
            }));
        }
        patience.abort();
        drop(self.stalled);
        delays.sort_unstable();
        let quantile = |q: usize| {
            delays
                .get(delays.len().saturating_sub(1) * q / 100)
                .map_or(0.0, |ns| *ns as f64 / 1.0e6)
        };
        println!(
            "    told {told} spans{}; missed {missed}, gaps {gaps}; from ack to delta p50 {:.1} ms, p95 {:.1} ms",
            if sessions { " of their sessions" } else { "" },
            quantile(50),
            quantile(95)
        );
    }
}

/// Opens a stream; returns when it stands.
async fn subscribe(server: &Server, query: &str, buffer: u32) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(buffer).unwrap();
    let address = server.studio.trim_start_matches("http://");
    let mut connection = socket.connect(address.parse().unwrap()).await.unwrap();
    let ask = format!("GET /api/v1/stream?signal=traces&{query} HTTP/1.0\r\nhost: {address}\r\n\r\n");
    connection.write_all(ask.as_bytes()).await.unwrap();
    // The first byte of the answer: from here on nothing may be missed.
    let mut first = [0; 1];
    connection.read_exact(&mut first).await.unwrap();
    connection
}

/// Reads until `expected` spans came, or it was enough.
async fn read(
    mut connection: tokio::net::TcpStream,
    load: Arc<Load>,
    expected: u64,
    enough: Arc<AtomicBool>,
) -> Told {
    let mut told = Told {
        spans: 0,
        gaps: 0,
        at: Vec::new(),
    };
    let (mut text, mut part) = (Vec::new(), vec![0; 256 << 10]);
    while told.spans < expected && !enough.load(Ordering::Relaxed) {
        let waited = tokio::time::timeout(Duration::from_millis(500), connection.read(&mut part)).await;
        let Ok(read) = waited else { continue };
        let read = read.unwrap();
        if read == 0 {
            break;
        }
        let now = load.now();
        text.extend_from_slice(&part[..read]);
        let Some(end) = text.windows(2).rposition(|pair| pair == b"\n\n") else {
            continue;
        };
        let events: Vec<u8> = text.drain(..end + 2).collect();
        let events = String::from_utf8_lossy(&events);
        told.gaps += events.matches("event: gap\n").count() as u64;
        for start in events.split("\"start_time\":\"").skip(1) {
            let digits = start.split('"').next().unwrap_or_default();
            told.at.push((number_of(digits.parse().unwrap()), now));
            told.spans += 1;
        }
    }
    told
}
