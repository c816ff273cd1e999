//! `GET /metrics`: the server's own figures, in Prometheus' text format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use crate::api::Failure;
use crate::app::{App, now};
use crate::process;
use crate::stats::{COMMIT_BOUNDS, SIGNALS};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use std::fmt::Display;
use std::sync::Arc;

/// Media type of the format.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The text on its way.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    /// Begins a metric; its samples follow.
    fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.0
            .push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        self.0.push_str(&format!("{name}{labels} {value}\n"));
    }

    fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.sample(name, &[], value);
    }

    fn by_signal<T: Display>(&mut self, name: &str, kind: Kind, help: &str, values: [T; 3]) {
        self.metric(name, kind, help);
        for (signal, value) in SIGNALS.into_iter().zip(values) {
            self.sample(name, &[("signal", signal.as_str())], value);
        }
    }
}

/// A label's value between quotes.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// The server's own figures.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let store = app.ask(meshscope_store::Store::status).await?;
    let mut text = Exposition::default();
    text.metric("meshscope_build_info", Kind::Gauge, "What runs; always 1.");
    let build = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("engine", store.engine.as_str()),
        ("schema_version", &store.schema_version.to_string()),
    ];
    text.sample("meshscope_build_info", &build, 1);
    let up = now().saturating_sub(app.started_at) as f64 / 1.0e9;
    text.one(
        "meshscope_uptime_seconds",
        Kind::Gauge,
        "How long the server has run.",
        up,
    );
    let ready = u8::from(app.not_ready().is_none());
    text.one(
        "meshscope_ready",
        Kind::Gauge,
        "1 when it takes telemetry.",
        ready,
    );
    ingest(&app, &mut text);
    commits(&app, &mut text);
    queue(&app, &mut text);
    live(&app, &mut text);
    text.one(
        "meshscope_store_size_bytes",
        Kind::Gauge,
        "Bytes of the store on disk, write-ahead log included.",
        store.size_bytes,
    );
    text.one(
        "meshscope_recordings_bytes",
        Kind::Gauge,
        "Bytes of recordings that are kept beside the store.",
        store.recordings_bytes,
    );
    own(&app, &mut text);
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text.0).into_response())
}

fn ingest(app: &App, text: &mut Exposition) {
    let (received, rates) = (app.stats.received(), app.stats.rates());
    text.by_signal(
        "meshscope_records_total",
        Kind::Counter,
        "Records kept since the start: spans, log records, metric points.",
        [received.spans, received.logs, received.metric_points],
    );
    text.by_signal(
        "meshscope_records_per_second",
        Kind::Gauge,
        "Records kept a second over the last ten seconds.",
        [
            rates.spans_per_second,
            rates.logs_per_second,
            rates.metric_points_per_second,
        ],
    );
    text.one(
        "meshscope_repeated_spans_total",
        Kind::Counter,
        "Spans that were there already and stayed as they were.",
        received.repeated_spans,
    );
    text.one(
        "meshscope_merged_spans_total",
        Kind::Counter,
        "Spans that said more of one that was there.",
        received.merged_spans,
    );
    let signals = app.stats.by_signal();
    text.by_signal(
        "meshscope_ingest_problems_total",
        Kind::Counter,
        "How often something was wrong with what came in.",
        signals.map(|(seen, _)| seen),
    );
    text.by_signal(
        "meshscope_rejected_records_total",
        Kind::Counter,
        "Records left out because something was wrong with them.",
        signals.map(|(_, rejected)| rejected),
    );
    let name = "meshscope_ingest_problems";
    let help = "How often each kind of problem was seen, of the kinds seen latest.";
    text.metric(name, Kind::Gauge, help);
    for problem in app.stats.problems() {
        let labels = [
            ("signal", problem.signal.as_str()),
            ("kind", problem.kind.as_str()),
        ];
        text.sample(name, &labels, problem.seen);
    }
}

fn commits(app: &App, text: &mut Exposition) {
    let (name, times) = ("meshscope_commit_duration_seconds", app.stats.commit_times());
    text.metric(
        name,
        Kind::Histogram,
        "How long the store took to commit a group of requests.",
    );
    let bucket = format!("{name}_bucket");
    let mut count = 0;
    let bounds = COMMIT_BOUNDS.iter().map(ToString::to_string);
    for (bound, more) in bounds.chain(["+Inf".to_owned()]).zip(times.buckets) {
        count += more;
        text.sample(&bucket, &[("le", &bound)], count);
    }
    text.sample(&format!("{name}_sum"), &[], times.sum);
    text.sample(&format!("{name}_count"), &[], count);
}

fn queue(app: &App, text: &mut Exposition) {
    let queue = app.writer.queue();
    text.one(
        "meshscope_queue_records",
        Kind::Gauge,
        "Records that wait to be written.",
        queue.records,
    );
    text.one(
        "meshscope_queue_capacity_records",
        Kind::Gauge,
        "Records that may wait.",
        queue.capacity,
    );
    text.one(
        "meshscope_refused_requests_total",
        Kind::Counter,
        "Requests told to come back because the queue was full.",
        queue.refused,
    );
}

fn live(app: &App, text: &mut Exposition) {
    let live = app.hub.state();
    text.one(
        "meshscope_stream_subscribers",
        Kind::Gauge,
        "Who follows the live stream.",
        live.subscribers,
    );
    text.one(
        "meshscope_stream_deltas_total",
        Kind::Counter,
        "Deltas told to subscribers.",
        live.deltas,
    );
    text.one(
        "meshscope_stream_gaps_total",
        Kind::Counter,
        "Gaps told to subscribers.",
        live.gaps,
    );
    text.one(
        "meshscope_stream_buffer_bytes",
        Kind::Gauge,
        "Bytes of the latest commits in memory for subscribers, about.",
        live.buffer_bytes,
    );
}

/// The process itself, under the names that Prometheus' own clients use.
fn own(app: &App, text: &mut Exposition) {
    text.one(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the process started, seconds since the epoch.",
        app.started_at as f64 / 1.0e9,
    );
    if let Some(bytes) = process::memory_bytes() {
        let help = "Memory that the process holds.";
        text.one("process_resident_memory_bytes", Kind::Gauge, help, bytes);
    }
    if let Some(files) = process::open_files() {
        text.one("process_open_fds", Kind::Gauge, "Open files and sockets.", files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_help_are_escaped() {
        let mut text = Exposition::default();
        text.metric("m", Kind::Gauge, "a\nb\\");
        text.sample("m", &[("kind", "say \"x\"\n\\")], 1.5);
        let expected = "# HELP m a\\nb\\\\\n# TYPE m gauge\nm{kind=\"say \\\"x\\\"\\n\\\\\"} 1.5\n";
        assert_eq!(text.0, expected);
    }
}
