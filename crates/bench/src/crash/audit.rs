//! After a restart: what is there, against what was acknowledged.

use super::client::{BATCH, Client, Kind};
use crate::generate::{SESSION, TRACE, TRACE_LOGS, mix};
use crate::ledger::{Bookkeeper, Sums};
use crate::server::Server;
use meshscope_api::{LogPage, MetricDetail, SessionPage, TracePage, UsageReport, params::encode};
use meshscope_model::TraceId;
use std::collections::{HashMap, HashSet};

/// Acknowledged requests that are looked at one by one after each kill.
const SAMPLE: u64 = 4;
/// Entries of a page.
const PAGE: usize = 10_000;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) spans: u64,
    pub(super) logs: u64,
    pub(super) points: u64,
    /// Requests without an answer that were kept all the same.
    pub(super) survived: usize,
    /// True when everything was read back.
    pub(super) full: bool,
    pub(super) wrong: Vec<String>,
}

/// How many records of a request are there, asked one by one.
fn present(server: &Server, client: &Client, request: u64) -> Result<u64, String> {
    let (records, w) = (Client::records(request), &client.workload);
    match client.kind {
        Kind::Spans => {
            let mut found = 0;
            for trace in records.start / TRACE..=(records.end - 1) / TRACE {
                let ids = span_ids(server, w.trace_id(trace))?;
                let mine = records.clone().filter(|n| n / TRACE == trace);
                found += mine.filter(|n| ids.contains(&w.span_id(*n).to_string())).count();
            }
            Ok(found as u64)
        }
        Kind::Logs => {
            // A client's sessions come one after the other, so that few others are in this range.
            let times = records.clone().map(|n| w.log_time(n));
            let (from, to) = (times.clone().min().unwrap_or(0), times.max().unwrap_or(0) + 1);
            let page: LogPage = read(server, &format!("logs?from={from}&to={to}&limit={PAGE}"))?;
            let bodies: HashSet<String> = page.logs.iter().map(|log| log.body.to_text()).collect();
            Ok(records.filter(|n| bodies.contains(&w.log_body(*n))).count() as u64)
        }
        Kind::Points => {
            let emitters = crate::generate::Emitters::new();
            let time = |n| w.point(&emitters, n).time;
            let (from, to) = (time(records.start), time(records.end - 1) + 1);
            let mut found = 0;
            for name in ["app.queue.length", "app.requests"] {
                let times = times(server, name, Some((from, to)))?;
                let mine = records.clone().filter(|n| times.contains(&time(*n)));
                let own = if name == "app.requests" { 1 } else { 0 };
                found += mine.filter(|n| n % 2 == own).count() as u64;
            }
            Ok(found)
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(server: &Server, path: &str) -> Result<T, String> {
    serde_json::from_value(server.get(path)?).map_err(|error| format!("{path}: {error}"))
}

/// The ids of a trace's spans; none when there is no such trace.
fn span_ids(server: &Server, trace: TraceId) -> Result<Vec<String>, String> {
    let answer = match server.get(&format!("traces/{trace}")) {
        Err(error) if error.contains(": 404 ") => return Ok(Vec::new()),
        answer => answer?,
    };
    let spans = answer["spans"].as_array().cloned().unwrap_or_default();
    let id = |span: &serde_json::Value| span["span_id"].as_str().map(str::to_owned);
    Ok(spans.iter().filter_map(id).collect())
}

/// The times of a metric's points; of a metric without any, none.
fn times(server: &Server, name: &str, range: Option<(i64, i64)>) -> Result<HashSet<i64>, String> {
    let range = range.map_or("from=0".to_owned(), |(from, to)| format!("from={from}&to={to}"));
    let path = format!("metrics/{name}?{range}");
    let detail: MetricDetail = match server.get(&path) {
        Err(error) if error.contains(": 404 ") => return Ok(HashSet::new()),
        answer => serde_json::from_value(answer?).map_err(|error| format!("{path}: {error}"))?,
    };
    let points = detail.series.iter().flat_map(|series| &series.points);
    Ok(points.map(|point| point.time).collect())
}

/// Looks at what came back. What was open and is there stays open: its client sends it again,
/// and then it must not be there twice.
pub(super) fn audit(
    server: &Server,
    clients: &mut [Client],
    full: bool,
    dice: u64,
) -> Result<Report, String> {
    let mut report = Report {
        full,
        ..Report::default()
    };
    let mut kept = Vec::new();
    for client in clients.iter() {
        let mut requests = client.acknowledged.clone();
        for request in &client.open {
            match present(server, client, *request)? {
                0 => {}
                BATCH => {
                    report.survived += 1;
                    requests.push(*request);
                }
                some => {
                    requests.push(*request);
                    report.wrong.push(format!(
                        "torn: of a request of {BATCH} {:?} without an answer {some} are there",
                        client.kind
                    ));
                }
            }
        }
        for n in 0..SAMPLE.min(client.acknowledged.len() as u64) {
            // The last ones are the likeliest to be lost.
            let count = client.acknowledged.len() as u64;
            let at = if n < SAMPLE / 2 {
                count - 1 - n.min(count - 1)
            } else {
                mix(dice ^ n) % count
            };
            let request = client.acknowledged[at as usize];
            let found = present(server, client, request)?;
            if found != BATCH {
                report.wrong.push(format!(
                    "lost: of acknowledged request {request} of {BATCH} {:?} {found} are there",
                    client.kind
                ));
            }
        }
        kept.push(requests);
    }
    let expected = |kind: Kind| {
        let requests = clients
            .iter()
            .zip(&kept)
            .filter(|(client, _)| client.kind == kind);
        requests
            .map(|(_, requests)| requests.len() as u64 * BATCH)
            .sum::<u64>()
    };
    for (name, kind) in [
        ("spans", Kind::Spans),
        ("logs", Kind::Logs),
        ("metric_points", Kind::Points),
    ] {
        let (found, expected) = (server.counted(name)?, expected(kind));
        if found != expected {
            let what = if found < expected { "lost" } else { "doubled" };
            report
                .wrong
                .push(format!("{what}: {expected} {name} should be there, {found} are"));
        }
        match kind {
            Kind::Spans => report.spans = found,
            Kind::Logs => report.logs = found,
            Kind::Points => report.points = found,
        }
    }
    if full {
        read_back(server, clients, &kept, &mut report.wrong)?;
    }
    Ok(report)
}

/// Shows the audit of each kind of record a ledger with one request more than was sent, which is as if
/// that had been lost, and one with one less, which is as if that were there twice; returns what it
/// did not see.
pub(super) fn blind_spots(server: &Server, clients: &mut [Client], dice: u64) -> Result<Vec<String>, String> {
    let mut unseen = Vec::new();
    for kind in [Kind::Spans, Kind::Logs, Kind::Points] {
        let sent = |client: &Client| client.kind == kind && !client.acknowledged.is_empty();
        let Some(at) = clients.iter().position(sent) else {
            continue;
        };
        let honest = clients[at].acknowledged.clone();
        let more = honest.iter().copied().chain([clients[at].never_sent()]).collect();
        let less = honest[1..].to_vec();
        for (planted, ledger) in [("lost", more), ("doubled", less)] {
            clients[at].acknowledged = ledger;
            let wrong = audit(server, clients, false, dice)?.wrong;
            if !wrong.iter().any(|wrong| wrong.starts_with(planted)) {
                unseen.push(format!(
                    "blind: {kind:?} that were {planted} would not be seen: {wrong:?}"
                ));
            }
        }
        clients[at].acknowledged = honest;
    }
    Ok(unseen)
}

/// Reads everything back through the lists.
fn read_back(
    server: &Server,
    clients: &[Client],
    kept: &[Vec<u64>],
    wrong: &mut Vec<String>,
) -> Result<(), String> {
    let (mut traces, mut sessions) = (HashMap::<TraceId, u64>::new(), HashMap::<String, u64>::new());
    let (mut logs, mut points) = (HashMap::<String, u64>::new(), HashSet::new());
    let mut totals = Vec::new();
    let emitters = crate::generate::Emitters::new();
    for (client, requests) in clients.iter().zip(kept) {
        let (w, book) = (&client.workload, Bookkeeper::new(client.workload));
        for n in requests.iter().flat_map(|request| Client::records(*request)) {
            match client.kind {
                Kind::Spans => {
                    *traces.entry(w.trace_id(n / TRACE)).or_default() += 1;
                    *sessions.entry(w.session_id(n / SESSION)).or_default() += 1;
                }
                Kind::Logs => {
                    let trace = w.trace_id(n / TRACE_LOGS);
                    *logs.entry(format!("{trace} {}", w.log_body(n))).or_default() += 1;
                    // Nothing but its trace tells the session of such a record.
                    sessions.entry(trace.to_string()).or_default();
                }
                Kind::Points => _ = points.insert(w.point(&emitters, n).time),
            }
        }
        if client.kind == Kind::Spans {
            totals.push(book.sum(requests.iter().flat_map(|request| Client::records(*request))));
        }
    }
    let found = pages(server, "traces", |page: TracePage| {
        let traces = page.traces.iter();
        let entries = traces
            .map(|trace| (trace.trace_id, u64::from(trace.spans)))
            .collect();
        (entries, page.next_cursor)
    })?;
    compare("trace", &traces, found, wrong);
    let found = pages(server, "sessions", |page: SessionPage| {
        let sessions = page.sessions.into_iter();
        let entries = sessions
            .map(|session| (session.session_id, u64::from(session.spans)))
            .collect();
        (entries, page.next_cursor)
    })?;
    compare("session", &sessions, found, wrong);
    let found = pages(server, "logs", |page: LogPage| {
        let entry = |log: &meshscope_api::Log| {
            let trace = log.trace_id.unwrap_or_default();
            (format!("{trace} {}", log.body.to_text()), 1)
        };
        (page.logs.iter().map(entry).collect(), page.next_cursor)
    })?;
    compare("log record", &logs, found, wrong);
    let mut found = times(server, "app.queue.length", None)?;
    found.extend(times(server, "app.requests", None)?);
    let missing = points.difference(&found).count();
    let more = found.difference(&points).count();
    if missing + more > 0 {
        wrong.push(format!(
            "points: {missing} are missing, {more} should not be there"
        ));
    }
    usage(server, &totals, sessions.len() as u64, traces.len() as u64, wrong)
}

/// All entries of a list, page by page.
fn pages<T: serde::de::DeserializeOwned, E>(
    server: &Server,
    list: &str,
    entries: impl Fn(T) -> (Vec<E>, Option<String>),
) -> Result<Vec<E>, String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (mut page, next) = entries(read(server, &format!("{list}?from=0&limit={PAGE}{cursor}"))?);
        all.append(&mut page);
        match next {
            Some(next) => cursor = format!("&cursor={}", encode(&next)),
            None => return Ok(all),
        }
    }
}

/// Compares what a list says with what should be there.
fn compare<K: std::hash::Hash + Eq + std::fmt::Display>(
    what: &str,
    expected: &HashMap<K, u64>,
    found: Vec<(K, u64)>,
    wrong: &mut Vec<String>,
) {
    let mut seen = HashMap::new();
    for (key, count) in found {
        *seen.entry(key).or_insert(0) += count;
    }
    let mut complaints = Vec::new();
    for (key, count) in expected {
        let found = seen.get(key).copied();
        if found != Some(*count) {
            complaints.push(format!(
                "{what} {key} should have {count} records, it has {found:?}"
            ));
        }
    }
    let strangers = seen.keys().filter(|key| !expected.contains_key(*key));
    complaints.extend(strangers.map(|key| format!("{what} {key} should not be there")));
    if complaints.len() > 3 {
        let more = complaints.len() - 3;
        complaints.truncate(3);
        complaints.push(format!("and {more} more"));
    }
    wrong.append(&mut complaints);
}

/// The usage of all that is kept.
fn usage(
    server: &Server,
    parts: &[Sums],
    sessions: u64,
    runs: u64,
    wrong: &mut Vec<String>,
) -> Result<(), String> {
    let report: UsageReport = read(server, "usage?from=0")?;
    let sum = |of: fn(&Sums) -> i64| parts.iter().map(of).sum::<i64>();
    let (totals, m) = (&report.totals, &report.totals.measures);
    for (what, found, expected) in [
        ("calls", m.calls as i64, sum(|part| part.calls.calls as i64)),
        ("errors", m.errors as i64, sum(|part| part.calls.errors as i64)),
        (
            "input tokens",
            m.tokens.input.unwrap_or(0),
            sum(|part| part.calls.input),
        ),
        (
            "output tokens",
            m.tokens.output.unwrap_or(0),
            sum(|part| part.calls.output),
        ),
        (
            "cost",
            m.cost_pico_usd.unwrap_or(0),
            sum(|part| part.calls.cost.unwrap_or(0)),
        ),
        (
            "claimed tokens",
            totals.claimed_tokens.unwrap_or(0),
            sum(|part| part.claimed),
        ),
        ("sessions", totals.sessions as i64, sessions as i64),
        ("runs", totals.runs as i64, runs as i64),
    ] {
        if found != expected {
            wrong.push(format!("usage: {what} is {found}, the ledger has {expected}"));
        }
    }
    Ok(())
}
