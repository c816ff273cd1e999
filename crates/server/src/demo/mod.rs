//! `meshscope demo`: a believable agent workload, sent as real OTLP to a running server.
//!
//! Deterministic by seed: the same seed and the same starting time make the same records.

mod dialects;
mod planner;
mod rng;
mod send;
mod story;

use meshscope_model::time::{DAY, HOUR, MINUTE, SECOND};
use meshscope_model::{LogRecord, MetricPoint, Span};
use meshscope_telemetry::Signal;
use meshscope_telemetry::otlp::{encode_logs, encode_metrics, encode_traces};
use rng::Rng;
use send::Sender;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use story::Story;

/// What `meshscope demo` can be told.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// OTLP/HTTP base URL of the server (http only).
    #[arg(
        long,
        env = "MESHSCOPE_DEMO_ENDPOINT",
        default_value = "http://127.0.0.1:4318"
    )]
    pub endpoint: String,
    /// Key, for a server that asks for one.
    #[arg(long, env = "MESHSCOPE_KEY")]
    pub key: Option<String>,
    /// The same seed makes the same workload.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Past to fill first, for example 7d, 12h or 30m.
    #[arg(long, value_parser = parse_duration)]
    pub history: Option<i64>,
    /// Sessions an hour, averaged over a day.
    #[arg(long, default_value_t = 40.0)]
    pub rate: f64,
    /// How long to go on live, for example 60s; without it until interrupted.
    #[arg(long, value_parser = parse_duration)]
    pub duration: Option<i64>,
    /// Only the past (an hour of it unless --history says more), nothing live.
    #[arg(long)]
    pub once: bool,
    /// The moment taken for the present, ns since the epoch; for repeatable runs.
    #[arg(long)]
    pub now: Option<i64>,
}

/// `90s`, `30m`, `12h` or `7d` in ns.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a duration: give a number with s, m, h or d, for example 7d");
    let unit = match text.chars().last() {
        Some('s') => SECOND,
        Some('m') => MINUTE,
        Some('h') => HOUR,
        Some('d') => DAY,
        _ => return Err(wrong()),
    };
    let n: i64 = text
        .get(..text.len() - 1)
        .unwrap_or_default()
        .parse()
        .map_err(|_| wrong())?;
    n.checked_mul(unit).filter(|ns| *ns > 0).ok_or_else(wrong)
}

/// The record of any signal with the time at which it is sent.
enum Record {
    Span(Span),
    Log(LogRecord),
    Point(MetricPoint),
}

impl Record {
    fn sent_at(&self) -> i64 {
        match self {
            Self::Span(span) => span.end_time.unwrap_or(span.start_time),
            Self::Log(record) => record.time,
            Self::Point(point) => point.time,
        }
    }
}

fn records(story: Story) -> impl Iterator<Item = Record> {
    let spans = story.spans.into_iter().map(Record::Span);
    spans
        .chain(story.logs.into_iter().map(Record::Log))
        .chain(story.points.into_iter().map(Record::Point))
}

/// A session of some kind that starts at `start`.
fn tell(rng: &mut Rng, start: i64) -> Story {
    match rng.range(0, 10) {
        0..=3 => planner::session(rng, start),
        4 => planner::mesh_request(rng, start),
        5 => dialects::call(rng, start),
        6 => dialects::flow(rng, start),
        7 => dialects::chat(rng, start),
        _ => dialects::room(rng, start),
    }
}

/// Sends the workload; returns when it is done or interrupted.
pub async fn run(options: Options) -> Result<(), String> {
    let mut sender = Sender::new(&options.endpoint, options.key.clone())?;
    let now = options.now.unwrap_or_else(present);
    let history = options.history.or(options.once.then_some(HOUR));
    if let Some(history) = history {
        fill(&mut sender, &options, now, history).await?;
    }
    if !options.once {
        live(&mut sender, &options).await?;
    }
    println!(
        "sent {} spans, {} log records, {} metric points",
        sender.spans, sender.logs, sender.points
    );
    Ok(())
}

fn present() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

/// How busy the hour of day is: quiet at night, two peaks by day; 1 on average.
fn rhythm(at: i64) -> f64 {
    const HOURS: [f64; 24] = [
        0.3, 0.2, 0.15, 0.15, 0.2, 0.3, 0.5, 0.8, 1.2, 1.7, 1.9, 1.8, 1.5, 1.6, 1.8, 1.9, 1.7, 1.4, 1.2, 1.1,
        1.0, 0.8, 0.6, 0.4,
    ];
    let hour = at.rem_euclid(DAY) / HOUR;
    let weekend = matches!((at / DAY).rem_euclid(7), 2 | 3);
    HOURS.get(hour as usize).copied().unwrap_or(1.0) * if weekend { 0.4 } else { 1.0 }
}

/// Time to the next session when sessions come at `rate` an hour.
fn pause(rng: &mut Rng, rate: f64) -> i64 {
    let mean = HOUR as f64 / rate.max(0.01);
    ((-(1.0 - rng.unit()).ln() * mean) as i64).clamp(SECOND, 12 * HOUR)
}

async fn fill(sender: &mut Sender, options: &Options, now: i64, history: i64) -> Result<(), String> {
    let mut rng = Rng::new(options.seed);
    let mut at = now - history;
    let mut waiting = Vec::new();
    let mut said = 0;
    while at < now {
        // Sessions that would still run at the present end with it: nothing is sent from the future.
        waiting.extend(records(tell(&mut rng, at)).filter(|record| record.sent_at() <= now));
        if waiting.len() > 4_000 {
            send(sender, std::mem::take(&mut waiting)).await?;
        }
        let percent = (at - (now - history)) * 100 / history;
        if percent >= said + 10 {
            said = percent;
            println!("history {percent} %: {} spans", sender.spans);
        }
        let rate = options.rate * rhythm(at);
        at += pause(&mut rng, rate);
    }
    send(sender, waiting).await
}

/// Plays sessions in real time: each record leaves when its sender would send it.
async fn live(sender: &mut Sender, options: &Options) -> Result<(), String> {
    let mut rng = Rng::new(options.seed.wrapping_add(0x5eed));
    let start = present();
    let end = options
        .duration
        .map_or(i64::MAX, |duration| start.saturating_add(duration));
    println!("live: sending to {} (ctrl-c ends it)", options.endpoint);
    let mut next = start;
    let mut waiting: Vec<Record> = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            stop = tokio::signal::ctrl_c() => return stop.map_err(|error| format!("cannot wait for ctrl-c: {error}")),
        }
        let now = present();
        if now >= end {
            return Ok(());
        }
        while next <= now {
            waiting.extend(records(tell(&mut rng, next)));
            next += pause(&mut rng, options.rate * 12.0).min(30 * SECOND);
        }
        let (due, later) = waiting.into_iter().partition(|record| record.sent_at() <= now);
        waiting = later;
        send(sender, due).await?;
    }
}

async fn send(sender: &mut Sender, records: Vec<Record>) -> Result<(), String> {
    let (mut spans, mut logs, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        match record {
            Record::Span(span) => spans.push(span),
            Record::Log(record) => logs.push(record),
            Record::Point(point) => points.push(point),
        }
    }
    if !spans.is_empty() {
        sender.post(Signal::Traces, encode_traces(&spans)).await?;
        sender.spans += spans.len();
    }
    if !logs.is_empty() {
        sender.post(Signal::Logs, encode_logs(&logs)).await?;
        sender.logs += logs.len();
    }
    if !points.is_empty() {
        sender.post(Signal::Metrics, encode_metrics(&points)).await?;
        sender.points += points.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_telemetry::{Encoding, decode};

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let bytes = |seed| {
            let mut rng = Rng::new(seed);
            let stories: Vec<_> = (0..20)
                .map(|n| tell(&mut rng, 1_795_220_548_000_000_000 + n * HOUR))
                .collect();
            stories
                .iter()
                .flat_map(|story| encode_traces(&story.spans))
                .collect::<Vec<_>>()
        };
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }

    #[test]
    fn every_story_is_whole_and_of_many_kinds() {
        let mut rng = Rng::new(3);
        let mut systems = std::collections::BTreeSet::new();
        for n in 0..60 {
            let story = tell(&mut rng, 1_795_220_548_000_000_000 + n * HOUR);
            let decoded = decode(Signal::Traces, Encoding::Protobuf, &encode_traces(&story.spans)).unwrap();
            assert_eq!(decoded.rejected.records, 0, "{:?}", decoded.rejected);
            assert_eq!(decoded.batch.spans.len(), story.spans.len());
            let known: std::collections::HashSet<_> = story.spans.iter().map(|span| span.span_id).collect();
            assert_eq!(known.len(), story.spans.len());
            for entry in &decoded.batch.spans {
                assert!(
                    entry
                        .span
                        .parent_span_id
                        .is_none_or(|parent| known.contains(&parent)),
                    "{}",
                    entry.span.name
                );
                assert!(entry.span.end_time > Some(entry.span.start_time));
                systems.insert(entry.facts.origin.system);
            }
        }
        assert_eq!(systems.len(), 6, "{systems:?}");
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("90s"), Ok(90 * SECOND));
        assert_eq!(parse_duration("7d"), Ok(7 * DAY));
        for wrong in ["", "7", "d", "-1h", "0s", "9999999999999d", "1é"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
