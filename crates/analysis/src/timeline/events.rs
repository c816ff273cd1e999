//! Lifecycle events, read off spans and log records.

use super::{Stretch, stretch};
use crate::tree::Tree;
use meshscope_api::{Lifecycle, SessionLogs};
use meshscope_model::columns::{EventKind, flag};
use meshscope_model::{Operation, SpanColumns};

/// What an event is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A row of the columns.
    Span(u32),
    /// A span event, by its place among them.
    SpanEvent(u32),
    /// A log record, by its place.
    Log(u32),
}

/// A lifecycle event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When, ns since the epoch.
    pub at: i64,
    /// What.
    pub kind: Lifecycle,
    /// What it is read from.
    pub source: Source,
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The lifecycle events of a session in the order of time; those of one moment in the order in which
/// [`Lifecycle`] names them.
#[must_use]
pub fn events(columns: &SpanColumns, tree: &Tree, runs: &[Stretch], logs: &SessionLogs) -> Vec<Event> {
    let mut events = Vec::new();
    for run in runs {
        let source = Source::Span(run.row);
        let mut add = |at, kind| events.push(Event { at, kind, source });
        add(run.start, Lifecycle::Started);
        if run.end != i64::MAX {
            add(run.end, Lifecycle::Ended);
        }
    }
    (0..columns.len()).for_each(|row| of_span(columns, tree, row, &mut events));
    let kinds = columns.event_kind.iter().enumerate();
    for (place, kind) in kinds.filter(|(_, kind)| EventKind::from_number(**kind) != EventKind::FirstToken) {
        let row = columns.event_row.get(place).copied().unwrap_or(0) as usize;
        let name = columns
            .event_name
            .get(place)
            .map_or("", |name| columns.string(*name));
        // What failed with its span is told by the span.
        let told = columns.has_flag(row, flag::ERROR | flag::BLOCKED);
        let kind = match EventKind::from_number(*kind) {
            EventKind::Exception if told => continue,
            EventKind::Exception => Lifecycle::Failed,
            _ => match by_name(name) {
                Some(kind) => kind,
                None => continue,
            },
        };
        events.push(Event {
            at: columns.event_time.get(place).copied().unwrap_or(0),
            kind,
            source: Source::SpanEvent(number(place)),
        });
    }
    for (place, log) in logs.logs.iter().enumerate() {
        let name = logs.string(log.event);
        let kind = match (name, log.severity_number) {
            ("", 17..) => Lifecycle::Failed,
            ("", _) => continue,
            _ => by_name(name).unwrap_or(if log.severity_number >= 17 {
                Lifecycle::Failed
            } else {
                Lifecycle::Other
            }),
        };
        events.push(Event {
            at: log.time,
            kind,
            source: Source::Log(number(place)),
        });
    }
    events.sort_by_key(|event| (event.at, event.kind as u8, event.source));
    events
}

/// What a span tells by itself.
fn of_span(columns: &SpanColumns, tree: &Tree, row: usize, events: &mut Vec<Event>) {
    let Stretch { start, end, .. } = stretch(columns, row);
    let source = Source::Span(number(row));
    let mut add = |at, kind| events.push(Event { at, kind, source });
    match Operation::from_number(columns.operation.get(row).copied().unwrap_or(0)) {
        Operation::Turn => add(start, Lifecycle::Turn),
        Operation::ExecuteTool => add(start, Lifecycle::Tool),
        Operation::Handoff => add(start, Lifecycle::HandedOver),
        _ => {}
    }
    // It is known when the span ends, or of one in progress when it began.
    let known = if end == i64::MAX { start } else { end };
    if columns.has_flag(row, flag::INTERRUPTED) {
        add(start, Lifecycle::Interrupted);
    }
    if columns.has_flag(row, flag::BLOCKED) {
        add(known, Lifecycle::Blocked);
    } else if columns.has_flag(row, flag::ERROR) && !is_told_below(columns, tree, row) {
        add(known, Lifecycle::Failed);
    }
}

/// An error that came up from a span below is told there.
fn is_told_below(columns: &SpanColumns, tree: &Tree, row: usize) -> bool {
    let below = tree.children(number(row)).iter();
    let message = columns.message.get(row);
    below
        .filter(|child| columns.has_flag(**child as usize, flag::ERROR | flag::BLOCKED))
        .any(|child| columns.message.get(*child as usize) == message)
}

/// What an event's name says of it.
fn by_name(name: &str) -> Option<Lifecycle> {
    let words = |any: &[&str]| {
        let mut parts = name.split(|c: char| !c.is_ascii_alphanumeric());
        parts.any(|part| {
            let lower = part.to_ascii_lowercase();
            any.iter().any(|word| lower.starts_with(word))
        })
    };
    let kinds: [(&[&str], Lifecycle); 8] = [
        (&["interrupt", "barge"], Lifecycle::Interrupted),
        (
            &["handoff", "handover", "handed", "transfer"],
            Lifecycle::HandedOver,
        ),
        (&["block", "denied", "reject"], Lifecycle::Blocked),
        (&["fail", "error", "exception"], Lifecycle::Failed),
        (&["join"], Lifecycle::Joined),
        (&["left", "leave", "disconnect"], Lifecycle::Left),
        (&["start", "begin", "began", "open"], Lifecycle::Started),
        (&["end", "close", "complete", "finish", "stop"], Lifecycle::Ended),
    ];
    kinds
        .into_iter()
        .find(|(any, _)| words(any))
        .map(|(_, kind)| kind)
}

/// What an event is about, in the sender's words.
#[must_use]
pub fn text_of(event: &Event, columns: &SpanColumns, logs: &SessionLogs) -> String {
    match event.source {
        Source::Span(row) => {
            let row = row as usize;
            let text = |column: &[u32]| column.get(row).map_or("", |index| columns.string(*index));
            let (name, message, tool) = (columns.name(row), text(&columns.message), text(&columns.tool));
            match event.kind {
                Lifecycle::Tool if !tool.is_empty() => tool.to_owned(),
                Lifecycle::Failed | Lifecycle::Blocked if !message.is_empty() => format!("{name}: {message}"),
                _ => name.to_owned(),
            }
        }
        Source::SpanEvent(place) => {
            let place = place as usize;
            let name = columns
                .event_name
                .get(place)
                .map_or("", |name| columns.string(*name));
            let row = columns
                .event_row
                .get(place)
                .map_or("", |row| columns.name(*row as usize));
            format!("{name} in {row}")
        }
        Source::Log(place) => {
            let Some(log) = logs.logs.get(place as usize) else {
                return String::new();
            };
            match logs.string(log.event) {
                "" => log.text.clone(),
                name => format!("{name} {}", log.text).trim_end().to_owned(),
            }
        }
    }
}
