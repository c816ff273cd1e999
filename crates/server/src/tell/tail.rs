//! `meshscope tail`: follows the live stream. The cursor moves when what stands before it is written,
//! so that nothing is missed and nothing told twice however often the connection breaks.

use super::ask::{Ask, Server, decode};
use super::events::{Event, Events};
use super::line::{Line, Style};
use super::out::{Form, Out, reader_has_gone};
use super::{Ended, record, when};
use meshscope_api::query::SEVERITIES;
use meshscope_api::{Delta, Gap, GapReason, Params, Position, StreamQuery};
use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

/// The server is never silent as long as this.
const SILENCE: Duration = Duration::from_secs(45);
/// Between two tries to come back: first, and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How often it is looked whether anyone reads.
const LOOK: Duration = Duration::from_millis(500);

/// What `meshscope tail` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TailOptions {
    #[command(flatten)]
    server: Server,
    /// Only this project.
    #[arg(long)]
    project: Option<String>,
    /// Only this room.
    #[arg(long)]
    room: Option<String>,
    /// Only this session.
    #[arg(long)]
    session: Option<String>,
    /// Only this service.
    #[arg(long)]
    service: Option<String>,
    /// Only this agent system, for example meshagent.
    #[arg(long)]
    system: Option<String>,
    /// What is told: traces, logs, metrics, comma separated.
    #[arg(long, default_value = "traces,logs", value_name = "SIGNALS")]
    signal: String,
    /// Of log records only those of at least this level.
    #[arg(long, value_parser = SEVERITIES.map(|(word, _)| word))]
    level: Option<String>,
    /// Only what has this text: in names, services, agents, models, tools, errors, ids; in bodies and attributes of log
    /// records.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Start with what the server received from this moment on: how long ago (30m, 7d), a date, RFC 3339, ns since the
    /// epoch; 0 is everything.
    #[arg(long, value_parser = when::moment, value_name = "MOMENT")]
    since: Option<i64>,
    /// End when what is there now is told.
    #[arg(long, requires = "since")]
    no_follow: bool,
    #[command(flatten)]
    form: Form,
}

impl TailOptions {
    fn query(&self) -> Result<StreamQuery, Ended> {
        let mut params = Params::default();
        params.set("project", self.project.as_ref());
        params.set("room", self.room.as_ref());
        params.set("session", self.session.as_ref());
        params.set("service", self.service.as_ref());
        params.set("system", self.system.as_ref());
        params.set("signal", Some(&self.signal));
        params.set("severity", self.level.as_ref());
        params.set("q", self.filter.as_ref());
        params.set("since", self.since);
        StreamQuery::read(&params).map_err(|problem| {
            let option = problem.parameter.unwrap_or_default();
            Ended::Usage(format!("--{option}: {}", problem.detail))
        })
    }
}

/// Runs the command.
pub(super) async fn run(options: TailOptions) -> Result<(), Ended> {
    let mut tail = Tail {
        ask: options.server.ask()?,
        query: options.query()?,
        out: Out::new(&options.form),
        told: 0,
        met: false,
        moved: false,
    };
    if options.no_follow {
        tail.query.until = Some(tail.head().await?);
    }
    let done = tokio::select! {
        done = tail.run() => done,
        stop = tokio::signal::ctrl_c() => stop.map_err(|error| Ended::Server(format!("cannot wait for ctrl-c: {error}"))),
        () = nobody_reads() => Ok(()),
    };
    done?;
    tail.out.flush()?;
    if options.no_follow && tail.told == 0 {
        return Err(Ended::Nothing(
            "nothing of the kind was received since".to_owned(),
        ));
    }
    Ok(())
}

/// Returns when the reader of standard output has gone, which writing tells only when there is
/// something to write.
async fn nobody_reads() {
    while !reader_has_gone() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Says something that is no record: in dim letters on standard error.
fn say(text: &str) {
    let line = Line::default().with(Style::Dim, format!("-- {text}"));
    eprintln!("{}", line.render(stderr().is_terminal()));
}

/// Why a connection was left.
enum Left {
    /// It ended or broke.
    Lost,
    /// To come back at once at the cursor.
    Behind,
    /// All that was wanted is told.
    Done,
}

struct Tail {
    ask: Ask,
    query: StreamQuery,
    out: Out,
    told: u64,
    /// The server was there.
    met: bool,
    /// Something came over this connection.
    moved: bool,
}

impl Tail {
    /// The latest place of the stream.
    async fn head(&mut self) -> Result<String, Ended> {
        let answer = self.ask.another().open("stream", "text/event-stream").await?;
        let mut events = Events::of(answer.into_body());
        while let Some(event) = events.next().await? {
            if event.name == "open" {
                return Ok(decode::<Position>(event.data.as_bytes())?.cursor);
            }
        }
        Err(Ended::Server("the stream ended before it began".to_owned()))
    }

    async fn run(&mut self) -> Result<(), Ended> {
        let mut pause = PAUSES.0;
        let mut lost = false;
        loop {
            match self.connect().await {
                Ok(mut events) => {
                    if std::mem::take(&mut lost) {
                        say("connected again");
                    }
                    self.met = true;
                    pause = PAUSES.0;
                    match self.follow(&mut events).await? {
                        Left::Done => return Ok(()),
                        Left::Behind => continue,
                        Left::Lost => {}
                    }
                }
                // Who was never there is not waited for.
                Err(Ended::Server(_)) if self.met && self.query.until.is_none() => {}
                Err(ended) => return Err(ended),
            }
            if !std::mem::replace(&mut lost, true) {
                say("the connection is lost; trying again");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn connect(&mut self) -> Result<Events, Ended> {
        let path = format!("stream?{}", self.query.write().to_query());
        // A stream takes its connection with it.
        let answer = self.ask.another().open(&path, "text/event-stream").await?;
        Ok(Events::of(answer.into_body()))
    }

    /// Tells what comes until the connection is left.
    async fn follow(&mut self, events: &mut Events) -> Result<Left, Ended> {
        loop {
            let Ok(Ok(Some(event))) = tokio::time::timeout(SILENCE, events.next()).await else {
                return Ok(Left::Lost);
            };
            if let Some(left) = self.tell(&event)? {
                return Ok(left);
            }
        }
    }

    fn tell(&mut self, event: &Event) -> Result<Option<Left>, Ended> {
        let data = event.data.as_bytes();
        let cursor = match event.name.as_str() {
            "delta" => {
                let delta: Delta = decode(data)?;
                self.delta(&delta)?;
                self.out.flush()?;
                delta.cursor
            }
            "gap" => return self.gap(decode(data)?),
            "open" | "heartbeat" | "end" => decode::<Position>(data)?.cursor,
            _ => return Ok(None),
        };
        match event.name.as_str() {
            "open" => self.moved = false,
            "delta" => self.moved = true,
            _ => {}
        }
        let end = event.name == "end" && self.query.until.is_some();
        // After a gap that reaches behind it the end has another cursor than was asked for; a server
        // that shuts down ends as well, and is asked again.
        let reached = self.query.until.as_ref() == Some(&cursor) || !self.moved;
        self.query.cursor = Some(cursor);
        Ok((end && reached).then_some(Left::Done))
    }

    /// Records in the order in which they came.
    fn delta(&mut self, delta: &Delta) -> Result<(), Ended> {
        let (mut spans, mut logs) = (delta.spans.iter().peekable(), delta.logs.iter().peekable());
        let mut points = delta.metric_points.iter().peekable();
        let out = &mut self.out;
        loop {
            let next = [
                spans.peek().map(|span| span.sequence),
                logs.peek().map(|log| log.sequence),
                points.peek().map(|point| point.sequence),
            ];
            let Some(first) = next.into_iter().flatten().min() else {
                return Ok(());
            };
            let first = Some(&first);
            self.told += 1;
            if let Some(span) = spans.next_if(|span| Some(&span.sequence) == first) {
                if out.json {
                    out.json(Some("span"), span)
                } else {
                    record::span(out, span)
                }?;
            } else if let Some(log) = logs.next_if(|log| Some(&log.sequence) == first) {
                if out.json {
                    out.json(Some("log"), log)
                } else {
                    record::log(out, log)
                }?;
            } else if let Some(point) = points.next() {
                if out.json {
                    out.json(Some("metric"), point)
                } else {
                    record::point(out, point)
                }?;
            }
        }
    }

    fn gap(&mut self, gap: Gap) -> Result<Option<Left>, Ended> {
        let why = match gap.reason {
            // All of it is kept: it is read from the store, at this one's own pace.
            GapReason::Behind => {
                say("records come faster than they can be written; catching up");
                self.query.cursor = Some(gap.from);
                return Ok(Some(Left::Behind));
            }
            GapReason::Retention => "gap: records were removed before they could be told",
            GapReason::UnknownCursor => "gap: the server has another store now; going on with what comes",
        };
        if self.out.json {
            self.out.json(Some("gap"), &gap)?;
            self.out.flush()?;
        }
        say(why);
        self.query.cursor = Some(gap.to);
        Ok(None)
    }
}
