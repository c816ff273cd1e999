//! What the spans of a trace or session say.
//!
//! Of most spans a few columns are enough: whose they are, and how long they took. Attributes are read of
//! those alone in which messages may stand.

use super::read;
use super::slots::Slots;
use super::{parts, runs};
use crate::StoreError;
use duckdb::{Connection, Row};
use hashbrown::HashMap;
use meshscope_analysis::conversation::Spoken;
use meshscope_model::{Attributes, Operation, SpanEvent, SpanId, System, TraceId};
use meshscope_telemetry::messages;

/// Spans of which nothing is known that speaks: the framework's own, and those of any OpenTelemetry
/// sender that do nothing the conventions have a word for.
const MAY_SPEAK: &str = "NOT s.noise AND (s.operation <> 0 OR s.system <> 0)";

/// How many spans' messages are read at a time.
const PART: usize = 500;

/// A span that may say something; its messages are still to be read.
pub(super) struct Speaker {
    spoken: Spoken,
    system: System,
    name: String,
    /// Messages may stand in its attributes or events.
    carries: bool,
}

/// Which spans are looked at.
struct Asked<'a> {
    /// Tables, the spans as `s`.
    source: &'a str,
    /// First and last moment in which they start.
    window: (i64, i64),
    condition: &'a str,
    /// So many at the most.
    limit: usize,
}

/// The first `limit` spans of a trace that may say something, or only `span`, in the order of (start, id);
/// `None` when there is no such trace.
pub(super) fn of_trace(
    connection: &Connection,
    slots: &Slots,
    trace_id: TraceId,
    span: Option<SpanId>,
    limit: usize,
) -> Result<Option<Vec<Speaker>>, StoreError> {
    let Some(window) = parts::window_of(connection, trace_id)? else {
        return Ok(None);
    };
    let condition = span.map_or_else(
        || MAY_SPEAK.to_owned(),
        |span| format!("s.span_id = {}", span.as_u64()),
    );
    let asked = Asked {
        source: "spans s",
        window,
        condition: &format!("s.trace_id = '{trace_id}'::UUID AND {condition}"),
        limit,
    };
    speakers(connection, slots, &asked).map(Some)
}

/// The same of a session.
pub(super) fn of_session(
    connection: &Connection,
    slots: &Slots,
    project: &str,
    session_id: &str,
    limit: usize,
) -> Result<Vec<Speaker>, StoreError> {
    let runs = runs::of(connection, project, session_id)?;
    let (Some(first), Some(last)) = (runs.first(), runs.iter().map(|run| run.last).max()) else {
        return Ok(Vec::new());
    };
    let values: Vec<String> = runs
        .iter()
        .map(|run| format!("('{}'::UUID, 0)", run.trace_id))
        .collect();
    let asked = Asked {
        source: &format!("{} s", runs::spans(&values.join(", "))),
        window: (first.first, last),
        condition: &format!("s.session_id = {} AND {MAY_SPEAK}", read::quoted(session_id)),
        limit,
    };
    speakers(connection, slots, &asked)
}

fn speakers(connection: &Connection, slots: &Slots, asked: &Asked<'_>) -> Result<Vec<Speaker>, StoreError> {
    let Asked {
        source,
        window: (first, last),
        condition,
        limit,
    } = asked;
    let carries = carries(slots);
    let sql = format!(
        "SELECT s.trace_id::VARCHAR, s.span_id, s.parent_span_id, s.start_time, s.duration, s.system, s.name, s.operation,
        s.agent, s.model, s.tool, s.time_to_first_token, s.error, {carries}
        FROM {source} WHERE s.start_time BETWEEN {first} AND {last} AND {condition}
        ORDER BY s.start_time, s.span_id LIMIT {limit}"
    );
    read::rows(connection, "look for messages", &sql, Vec::new(), speaker)
}

fn speaker(row: &Row<'_>) -> duckdb::Result<Speaker> {
    let spoken = Spoken {
        trace_id: read::trace_id_of(&row.get::<_, String>(0)?),
        span_id: SpanId::from_u64(row.get(1)?),
        parent_span_id: row.get::<_, Option<u64>>(2)?.map(SpanId::from_u64),
        start_time: row.get(3)?,
        duration: row.get(4)?,
        operation: Operation::from_number(row.get(7)?),
        agent: row.get(8)?,
        model: row.get(9)?,
        tool: row.get(10)?,
        time_to_first_token: row.get(11)?,
        error: row.get(12)?,
        messages: Vec::new(),
    };
    Ok(Speaker {
        spoken,
        system: read::system(row.get(5)?),
        name: row.get(6)?,
        carries: row.get(13)?,
    })
}

/// SQL that says of a span `s` whether messages may stand in its attributes or events.
fn carries(slots: &Slots) -> String {
    let own = System::ALL
        .iter()
        .filter(|system| messages::has_own_words(**system));
    let own: Vec<String> = own.map(|system| (*system as u8).to_string()).collect();
    let slotted = slots.keys().iter().enumerate();
    let slotted = slotted
        .filter(|(_, key)| messages::may_hold(key))
        .map(|(index, _)| format!(" OR s.a{index} IS NOT NULL"));
    let listed = messages::HOLDERS.map(|start| format!("prefix(x.k, {})", read::quoted(start)));
    format!(
        "s.system IN ({}) OR s.events IS NOT NULL{} OR coalesce(len(list_filter(s.attributes, lambda x: {})), 0) > 0",
        own.join(", "),
        slotted.collect::<String>(),
        listed.join(" OR ")
    )
}

/// Reads the messages of speakers.
pub(super) fn said(
    connection: &Connection,
    slots: &Slots,
    speakers: &[Speaker],
) -> Result<Vec<Spoken>, StoreError> {
    let words = words(connection, slots, speakers)?;
    let spoken = speakers.iter().map(|speaker| {
        let id = (speaker.spoken.trace_id, speaker.spoken.span_id);
        let messages = words
            .get(&id)
            .map(|(attributes, events)| messages::of_span(speaker.system, &speaker.name, attributes, events));
        Spoken {
            messages: messages.unwrap_or_default(),
            ..speaker.spoken.clone()
        }
    });
    Ok(spoken.collect())
}

type Words = HashMap<(TraceId, SpanId), (Attributes, Vec<SpanEvent>)>;

/// Attributes and events of the speakers that may carry messages there.
fn words(connection: &Connection, slots: &Slots, speakers: &[Speaker]) -> Result<Words, StoreError> {
    let wanted = || {
        speakers
            .iter()
            .filter(|speaker| speaker.carries)
            .map(|speaker| &speaker.spoken)
    };
    let (Some(first), Some(last)) = (wanted().next(), wanted().next_back()) else {
        return Ok(HashMap::new());
    };
    let values: Vec<String> = wanted()
        .map(|span| format!("('{}'::UUID, {}::UBIGINT)", span.trace_id, span.span_id.as_u64()))
        .collect();
    // A list of conditions would be a join for each trace.
    let sql = format!(
        "SELECT s.trace_id::VARCHAR, s.span_id, to_json(s.attributes)::VARCHAR, s.events{}
        FROM spans s SEMI JOIN (VALUES {}) w(trace_id, span_id) ON w.trace_id = s.trace_id AND w.span_id = s.span_id
        WHERE s.start_time BETWEEN {} AND {}",
        slots.columns("s"),
        values.join(", "),
        first.start_time,
        last.start_time,
    );
    let found = read::rows(connection, "read messages", &sql, Vec::new(), |row| {
        let id = (
            read::trace_id_of(&row.get::<_, String>(0)?),
            SpanId::from_u64(row.get(1)?),
        );
        let events = read::list(row.get::<_, Option<String>>(3)?.as_deref());
        Ok((id, (read::span_attributes(row, slots, 2, 4)?, events)))
    });
    Ok(found?.into_iter().collect())
}

/// The speakers in pieces of which so many carry messages as are read at a time.
pub(super) fn pieces(speakers: &[Speaker]) -> impl Iterator<Item = &[Speaker]> {
    let mut carry = 0;
    speakers.chunk_by(move |speaker, _| {
        carry += usize::from(speaker.carries);
        !(speaker.carries && carry % PART == 0)
    })
}
