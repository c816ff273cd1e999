//! `meshscope log`: a developer's log records, from the command line or a pipe.

use super::Ended;
use super::ask::{Ask, Server, decode, refused};
use crate::app::now;
use bytes::Bytes;
use meshscope_api::Accepted;
use meshscope_api::query::SEVERITIES;
use meshscope_telemetry::developer;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin, stdin};

/// How many lines go together, and how long the first of them waits for others.
const TOGETHER: usize = 500;
const GATHER: Duration = Duration::from_millis(200);
/// How often lines are sent while the server is full or not there for a while.
const TRIES: u32 = 8;

/// What `meshscope log` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LogOptions {
    #[command(flatten)]
    server: Server,
    /// Level; of lines that name none themselves [default: info].
    #[arg(long, value_parser = SEVERITIES.map(|(word, _)| word))]
    level: Option<String>,
    /// The session that it belongs to.
    #[arg(long)]
    session: Option<String>,
    /// The room.
    #[arg(long)]
    room: Option<String>,
    /// The project [default: default].
    #[arg(long)]
    project: Option<String>,
    /// The agent that says it.
    #[arg(long)]
    agent: Option<String>,
    /// `service.name`.
    #[arg(long, default_value = "meshscope-log")]
    service: String,
    /// The trace in which it happened, 32 hexadecimal digits.
    #[arg(long)]
    trace: Option<String>,
    /// The span in which it happened, 16 hexadecimal digits.
    #[arg(long, requires = "trace")]
    span: Option<String>,
    /// Name of the event that it is.
    #[arg(long)]
    event: Option<String>,
    /// An attribute, any number of times. The value is text; KEY:=JSON gives a number, a boolean or a structure.
    #[arg(long = "attr", value_name = "KEY=VALUE", value_parser = attribute)]
    attributes: Vec<(String, Value)>,
    /// What it says; without it each line of standard input is a record (JSON objects are read as such).
    #[arg(value_name = "MESSAGE")]
    message: Vec<String>,
}

/// `key=value` or `key:=json`.
fn attribute(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    let (name, value) = match key.strip_suffix(':') {
        Some(name) => {
            let value = serde_json::from_str(value)
                .map_err(|error| format!("{value:?} is no JSON ({error}); KEY=VALUE gives a text"))?;
            (name, value)
        }
        None => (key, Value::from(value)),
    };
    if name.is_empty() || !text.contains('=') {
        return Err(format!("{text:?} is no attribute: give KEY=VALUE or KEY:=JSON"));
    }
    Ok((name.to_owned(), value))
}

impl LogOptions {
    /// A record with these fields: what it does not say itself the options say.
    fn record(&self, mut fields: Map<String, Value>) -> Value {
        let level = self.level.clone().unwrap_or_else(|| "info".to_owned());
        let own = [
            ("level", Some(level)),
            ("session", self.session.clone()),
            ("room", self.room.clone()),
            ("project", self.project.clone()),
            ("agent", self.agent.clone()),
            ("service", Some(self.service.clone())),
            ("trace_id", self.trace.clone()),
            ("span_id", self.span.clone()),
            ("event_name", self.event.clone()),
            // So that a line that is sent again is the same line.
            ("time", Some(now().to_string())),
        ];
        for (name, value) in own.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            if !developer::names(&fields, name) {
                fields.insert(name.to_owned(), Value::from(value));
            }
        }
        for (key, value) in &self.attributes {
            fields.entry(key).or_insert_with(|| value.clone());
        }
        Value::Object(fields)
    }

    /// A line of standard input.
    fn line(&self, line: &str) -> Value {
        match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => self.record(fields),
            _ => self.record(developer::line_fields(line)),
        }
    }
}

/// Runs the command.
pub(super) async fn run(options: LogOptions) -> Result<(), Ended> {
    let mut ask = options.server.ask()?;
    if !options.message.is_empty() {
        let message = Map::from_iter([("message".to_owned(), options.message.join(" ").into())]);
        return send(&mut ask, vec![options.record(message)]).await;
    }
    let mut lines = BufReader::new(stdin()).lines();
    let mut any = false;
    while let Some(records) = gather(&options, &mut lines).await? {
        any = true;
        send(&mut ask, records).await?;
    }
    if any {
        return Ok(());
    }
    Err(Ended::Nothing("there was no line to log".to_owned()))
}

/// The next line and what comes with it; `None` at the end.
async fn gather(
    options: &LogOptions,
    lines: &mut Lines<BufReader<Stdin>>,
) -> Result<Option<Vec<Value>>, Ended> {
    let unreadable = |error: std::io::Error| Ended::Usage(format!("standard input cannot be read: {error}"));
    let mut records = Vec::new();
    let mut deadline = None;
    while records.len() < TOGETHER {
        let next = lines.next_line();
        let line = match deadline {
            None => next.await,
            Some(deadline) => match tokio::time::timeout_at(deadline, next).await {
                Ok(line) => line,
                Err(_elapsed) => break,
            },
        };
        match line.map_err(unreadable)? {
            None if records.is_empty() => return Ok(None),
            None => break,
            Some(line) if line.trim().is_empty() => {}
            Some(line) => {
                deadline.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
                records.push(options.line(line.trim_end()));
            }
        }
    }
    Ok(Some(records))
}

/// Sends records; returns when they are durable.
async fn send(ask: &mut Ask, records: Vec<Value>) -> Result<(), Ended> {
    let body = Bytes::from(Value::Array(records).to_string());
    let mut tries = 0;
    let (status, answer) = loop {
        let wait = Duration::from_millis(100 << tries);
        match ask.post("developer/logs", body.clone()).await {
            Ok((503, _)) if tries < TRIES => {}
            Ok(answer) => break answer,
            // The server may have closed a connection over which nothing came for a while.
            Err(Ended::Server(_)) if tries == 0 => {}
            Err(ended) => return Err(ended),
        }
        tries += 1;
        tokio::time::sleep(wait).await;
    };
    if status != 200 {
        return Err(refused(status, &answer));
    }
    let accepted: Accepted = decode(&answer)?;
    match accepted.messages.is_empty() {
        true => Ok(()),
        false => Err(Ended::Usage(accepted.messages.join("; "))),
    }
}
