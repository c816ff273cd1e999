//! One connection's life: groups, what was left over, what the dead left over, what is new.

use super::Settings;
use super::commit::{self, Refused};
use super::reply::{self, Entry, Read};
use crate::app::{App, now};
use crate::ingest::{Fallback, complete};
use meshscope_api::status::McpMeshState;
use meshscope_model::{Batch, TraceId};
use meshscope_store::writer::WriteError;
use meshscope_telemetry::{Signal, mcp_mesh};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError, Value, cmd};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Entries of a stream that are in memory at a time.
pub(super) const COUNT: usize = 500;
/// How long the server waits for something new before it answers that there is nothing, ms.
pub(super) const BLOCK_MS: u64 = 1_000;
/// How long an answer may take, that wait included.
const ANSWER: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(5);
/// How often consumers are looked after that died with entries of theirs.
const CLAIM_EVERY: Duration = Duration::from_secs(60);
/// How long an entry must lie with a consumer before that counts as dead, ms.
const CLAIM_IDLE_MS: u64 = 60_000;
/// How long a consumer without entries must be silent before its name is removed, ms.
const REAP_IDLE_MS: u64 = 3_600_000;
/// How often the figures of the status are read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pauses while the writer's queue is full, and while the store fails.
const FULL: Duration = Duration::from_millis(100);
const SICK: Duration = Duration::from_secs(2);

/// Consumes until something fails, and says what; sets `worked` once entries could be read.
pub(super) async fn consume(app: &App, settings: &Settings, worked: &mut bool) -> String {
    match connected(app, settings, worked).await {
        Ok(never) => match never {},
        Err(Stop(error)) => error,
    }
}

/// Why a connection is given up.
struct Stop(String);

impl From<RedisError> for Stop {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

async fn connected(
    app: &App,
    settings: &Settings,
    worked: &mut bool,
) -> Result<std::convert::Infallible, Stop> {
    app.mesh.update(|state| state.state = McpMeshState::Connecting);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER));
    let client = &settings.client;
    let connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let mut consumer = Consumer {
        app,
        settings,
        connection,
        can_claim: true,
    };
    consumer.make_groups().await?;
    consumer.left_over().await?;
    *worked = true;
    app.mesh.update(|state| state.state = McpMeshState::Consuming);
    tracing::info!(url = settings.shown_url(), "reading MCP Mesh's traces");
    let (mut claimed_at, mut looked_at): (Option<Instant>, Option<Instant>) = (None, None);
    let due = |last: Option<Instant>, every| last.is_none_or(|last| last.elapsed() >= every);
    loop {
        if due(claimed_at, CLAIM_EVERY) {
            consumer.claim().await?;
            consumer.reap().await?;
            claimed_at = Some(Instant::now());
        }
        if due(looked_at, LOOK_EVERY) {
            consumer.look().await?;
            looked_at = Some(Instant::now());
        }
        let read = consumer.read(">", Some(BLOCK_MS)).await?;
        if !read.is_empty() {
            consumer.keep_all(read).await?;
            looked_at = None;
        }
    }
}

struct Consumer<'a> {
    app: &'a App,
    settings: &'a Settings,
    connection: MultiplexedConnection,
    /// False with servers before 6.2, which have no `XAUTOCLAIM`.
    can_claim: bool,
}

impl Consumer<'_> {
    /// Makes our group in every stream, from the stream's first entry on.
    async fn make_groups(&mut self) -> Result<(), Stop> {
        for stream in &self.settings.streams {
            let made = cmd("XGROUP")
                .arg("CREATE")
                .arg(stream)
                .arg(&self.settings.group)
                .arg("0")
                .arg("MKSTREAM")
                .query_async::<Value>(&mut self.connection)
                .await;
            match made {
                Ok(_) => {}
                Err(error) if error.code() == Some("BUSYGROUP") => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Entries after `from` of all streams: `>` is what nobody of the group has read, an id is
    /// what this consumer has read and not acknowledged.
    async fn read(&mut self, from: &str, block_ms: Option<u64>) -> Result<Vec<Read>, Stop> {
        let mut command = cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(&self.settings.group)
            .arg(&self.settings.consumer)
            .arg("COUNT")
            .arg(COUNT);
        if let Some(ms) = block_ms {
            command.arg("BLOCK").arg(ms);
        }
        command.arg("STREAMS").arg(&self.settings.streams);
        for _ in &self.settings.streams {
            command.arg(from);
        }
        let reply: Value = command.query_async(&mut self.connection).await?;
        Ok(reply::read_group(reply)?)
    }

    /// What we read before and could not acknowledge: the server was killed, or the connection
    /// broke while the entries were under way.
    async fn left_over(&mut self) -> Result<(), Stop> {
        loop {
            let read = self.read("0", None).await?;
            if read.iter().all(|read| read.entries.is_empty()) {
                return Ok(());
            }
            self.keep_all(read).await?;
        }
    }

    /// Takes over what other consumers of our group read and did not acknowledge for long.
    async fn claim(&mut self) -> Result<(), Stop> {
        for stream in &self.settings.streams {
            let mut start = "0-0".to_owned();
            while self.can_claim {
                let reply = cmd("XAUTOCLAIM")
                    .arg(stream)
                    .arg(&self.settings.group)
                    .arg(&self.settings.consumer)
                    .arg(CLAIM_IDLE_MS)
                    .arg(&start)
                    .arg("COUNT")
                    .arg(COUNT)
                    .query_async::<Value>(&mut self.connection)
                    .await;
                let reply = match reply {
                    Err(error) if error.to_string().contains("unknown command") => {
                        tracing::warn!(
                            "this Redis has no XAUTOCLAIM (6.2): what dead consumers left stays there"
                        );
                        self.can_claim = false;
                        break;
                    }
                    reply => reply?,
                };
                let (next, entries) = reply::claimed(reply)?;
                self.keep(stream, entries).await?;
                if next == "0-0" {
                    break;
                }
                start = next;
            }
        }
        Ok(())
    }

    /// Removes names of consumers that are long gone and left nothing.
    async fn reap(&mut self) -> Result<(), Stop> {
        let Settings {
            streams,
            group,
            consumer: own,
            ..
        } = self.settings;
        for stream in streams {
            let reply: Value = cmd("XINFO")
                .arg("CONSUMERS")
                .arg(stream)
                .arg(group)
                .query_async(&mut self.connection)
                .await?;
            for consumer in reply::maps(reply)? {
                let empty = reply::number(&consumer, "pending") == Some(0);
                let silent = reply::number(&consumer, "idle").is_some_and(|ms| ms > REAP_IDLE_MS);
                let Some(name) = reply::word(&consumer, "name").filter(|name| name != own) else {
                    continue;
                };
                if empty && silent {
                    let _removed: Value = cmd("XGROUP")
                        .arg("DELCONSUMER")
                        .arg(stream)
                        .arg(group)
                        .arg(name)
                        .query_async(&mut self.connection)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Reads the figures of the status.
    async fn look(&mut self) -> Result<(), Stop> {
        let (mut length, mut pending, mut lag) = (0, 0, Some(0));
        let (mut last_entry, mut last_delivered) = (None, None);
        for stream in &self.settings.streams {
            let info: Value = cmd("XINFO")
                .arg("STREAM")
                .arg(stream)
                .query_async(&mut self.connection)
                .await?;
            let groups: Value = cmd("XINFO")
                .arg("GROUPS")
                .arg(stream)
                .query_async(&mut self.connection)
                .await?;
            let info = reply::map(info)?;
            length += reply::number(&info, "length").unwrap_or(0);
            last_entry = later(last_entry, reply::word(&info, "last-generated-id"));
            let ours = reply::maps(groups)?
                .into_iter()
                .find(|group| reply::word(group, "name").as_ref() == Some(&self.settings.group));
            if let Some(group) = ours {
                pending += reply::number(&group, "pending").unwrap_or(0);
                last_delivered = later(last_delivered, reply::word(&group, "last-delivered-id"));
                // Redis 7 knows it, and only while nothing was deleted from the middle.
                lag = lag.zip(reply::number(&group, "lag")).map(|(a, b)| a + b);
            }
        }
        self.app.mesh.update(|state| {
            state.stream_length = Some(length);
            state.pending = Some(pending);
            state.lag = lag;
            state.last_entry_id = last_entry;
            state.last_delivered_id = last_delivered;
        });
        Ok(())
    }

    async fn keep_all(&mut self, read: Vec<Read>) -> Result<(), Stop> {
        for Read { stream, entries } in read {
            self.keep(&stream, entries).await?;
        }
        Ok(())
    }

    /// Keeps entries and then acknowledges them. One that is no span is reported and
    /// acknowledged: read again, it would be none either.
    async fn keep(&mut self, stream: &str, entries: Vec<Entry>) -> Result<(), Stop> {
        if entries.is_empty() {
            return Ok(());
        }
        let app = self.app;
        let mut ids = Vec::with_capacity(entries.len());
        let mut batch = Batch::default();
        for Entry { id, fields } in entries {
            match fields.map(|fields| mcp_mesh::decode(&id, &fields)) {
                Some(Ok(entry)) => batch.spans.push(entry),
                Some(Err(error)) => report(app, &format!("entry {id} of {stream} was left out: {error}")),
                // Trimmed away; nothing is there to be kept.
                None => {}
            }
            ids.push(id);
        }
        complete(&app.prices(), &mut batch, &Fallback::default());
        let kept = batch.spans.len() as u64;
        let traces: HashSet<TraceId> = batch.spans.iter().map(|entry| entry.span.trace_id).collect();
        for Refused { entry, error } in commit::commit(batch, SICK, |batch| submit(app, batch)).await? {
            let id = entry.span.span_id;
            report(app, &format!("span {id} of {stream} was left out: {error}"));
        }
        let _acknowledged: Value = cmd("XACK")
            .arg(stream)
            .arg(&self.settings.group)
            .arg(&ids)
            .query_async(&mut self.connection)
            .await?;
        app.mesh.update(|state| state.entries += kept);
        app.mesh.arrived(traces);
        Ok(())
    }
}

/// The later of two ids (`1795220548289-0`).
fn later(a: Option<String>, b: Option<String>) -> Option<String> {
    let order = |id: &Option<String>| {
        let (ms, n) = id.as_deref()?.split_once('-')?;
        Some((ms.parse::<u64>().ok()?, n.parse::<u64>().ok()?))
    };
    if order(&a) >= order(&b) { a } else { b }
}

fn report(app: &App, message: &str) {
    app.stats
        .problem(Signal::Traces, 1, &format!("MCP Mesh: {message}"), now());
    app.mesh.update(|state| state.rejected += 1);
}

/// Submits when the queue has room; the inner error is the store's.
async fn submit(app: &App, batch: Batch) -> Result<Result<(), String>, Stop> {
    loop {
        match app.writer.submit(batch.clone()).await {
            Ok(()) => return Ok(Ok(())),
            Err(WriteError::Full { .. } | WriteError::Unavailable(_)) => tokio::time::sleep(FULL).await,
            Err(WriteError::Failed(error)) => {
                app.stats.problem(Signal::Traces, 0, &error, now());
                return Ok(Err(error));
            }
            Err(error @ WriteError::Closed) => return Err(Stop(error.to_string())),
        }
    }
}
