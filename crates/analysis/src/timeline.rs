//! A session in time: who was at work when, in lanes, and its lifecycle events.
//!
//! Everything comes from the columns of its spans and from its log records, so that the server's answer and
//! the studio's picture are the same. A bar or event names the row or record that it stands for.

mod events;

pub use events::{Event, Source, events, text_of};

use crate::tree::{NONE, Tree};
use meshscope_api::SessionLogs;
use meshscope_model::columns::flag;
use meshscope_model::{Operation, SpanColumns};
use std::collections::BTreeMap;

/// So many agents have a lane of their own; the others share one.
const AGENTS: usize = 8;

/// What a lane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKind {
    /// Runs, from their first moment to their last.
    Runs,
    /// Turns of a conversation.
    Turns,
    /// A person speaking.
    UserSpeech,
    /// An agent speaking.
    AgentSpeech,
    /// An agent at work.
    Agent,
    /// Calls of models.
    Models,
    /// Calls of tools.
    Tools,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Start, ns since the epoch.
    pub start: i64,
    /// End, ns since the epoch; [`i64::MAX`] while it is in progress.
    pub end: i64,
    /// The span that it stands for: of a run its first.
    pub row: u32,
    /// Bits of [`flag`] of the span, of a run those of all its spans.
    pub flags: u8,
}

/// One lane, its stretches in the order of their start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// What it shows.
    pub kind: LaneKind,
    /// Of an agent its name; empty where several share a lane, and of other kinds.
    pub name: String,
    /// What stands in it.
    pub stretches: Vec<Stretch>,
}

/// A session in time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// First moment, ns since the epoch.
    pub first: i64,
    /// Last moment that is known, ns since the epoch.
    pub last: i64,
    /// The lanes that anything stands in, in the order in which they are drawn.
    pub lanes: Vec<Lane>,
    /// Lifecycle events in the order of time.
    pub events: Vec<Event>,
}

impl Timeline {
    /// The timeline of a session. `tree` is that of `columns`; `logs` are in the order of time.
    #[must_use]
    pub fn build(columns: &SpanColumns, tree: &Tree, logs: &SessionLogs) -> Self {
        let runs = runs(columns);
        let rows = 0..columns.len();
        let starts = columns
            .start_time
            .iter()
            .copied()
            .chain(logs.logs.iter().map(|log| log.time));
        let ends = rows
            .map(|row| columns.end_time(row))
            .chain(logs.logs.iter().map(|log| log.time));
        let events = events(columns, tree, &runs, logs);
        let mut lanes = vec![Lane {
            kind: LaneKind::Runs,
            name: String::new(),
            stretches: runs,
        }];
        lanes.extend(by_operation(columns));
        lanes.extend(agents(columns, tree));
        lanes.retain(|lane| !lane.stretches.is_empty());
        lanes.sort_by_key(|lane| lane.kind);
        Self {
            first: starts.min().unwrap_or(0),
            last: ends.max().unwrap_or(0),
            lanes,
            events,
        }
    }
}

fn stretch(columns: &SpanColumns, row: usize) -> Stretch {
    let open = columns.has_flag(row, flag::IN_PROGRESS);
    Stretch {
        start: columns.start_time.get(row).copied().unwrap_or(0),
        end: if open { i64::MAX } else { columns.end_time(row) },
        row: u32::try_from(row).unwrap_or(NONE),
        flags: columns.flags.get(row).copied().unwrap_or(0),
    }
}

/// The runs of a session in the order of their start. One is in progress while any span of it is.
fn runs(columns: &SpanColumns) -> Vec<Stretch> {
    let mut runs: BTreeMap<u32, Stretch> = BTreeMap::new();
    for row in 0..columns.len() {
        let one = stretch(columns, row);
        let run = columns.run.get(row).copied().unwrap_or(0);
        let all = runs.entry(run).or_insert(one);
        if one.start < all.start {
            (all.start, all.row) = (one.start, one.row);
        }
        all.end = all.end.max(one.end);
        all.flags |= one.flags;
    }
    let mut runs: Vec<Stretch> = runs.into_values().collect();
    runs.sort_by_key(|run| (run.start, run.row));
    runs
}

/// Who speaks in a span, by its name: senders that tell of speech itself have spans of their own for it.
fn speaker(columns: &SpanColumns, row: usize) -> Option<LaneKind> {
    let name = columns.name(row);
    let says = |words: [&str; 2]| {
        let lower = name.to_ascii_lowercase();
        words.iter().all(|word| lower.contains(word))
    };
    // Most names are looked at no further.
    if !name.ends_with("peech") && !name.ends_with("PEECH") {
        return None;
    }
    if says(["user", "speech"]) || says(["input", "speech"]) {
        Some(LaneKind::UserSpeech)
    } else if says(["agent", "speech"]) || says(["output", "speech"]) {
        Some(LaneKind::AgentSpeech)
    } else {
        None
    }
}

fn by_operation(columns: &SpanColumns) -> Vec<Lane> {
    let mut lanes: BTreeMap<LaneKind, Vec<Stretch>> = BTreeMap::new();
    let mut heard: BTreeMap<LaneKind, Vec<Stretch>> = BTreeMap::new();
    for row in 0..columns.len() {
        let operation = Operation::from_number(columns.operation.get(row).copied().unwrap_or(0));
        let kind = match operation {
            Operation::Turn => LaneKind::Turns,
            Operation::Chat | Operation::Embeddings => LaneKind::Models,
            Operation::ExecuteTool => LaneKind::Tools,
            Operation::SpeechToText | Operation::TextToSpeech => {
                let kind = match operation {
                    Operation::SpeechToText => LaneKind::UserSpeech,
                    _ => LaneKind::AgentSpeech,
                };
                heard.entry(kind).or_default().push(stretch(columns, row));
                continue;
            }
            _ => match speaker(columns, row) {
                Some(kind) => kind,
                None => continue,
            },
        };
        lanes.entry(kind).or_default().push(stretch(columns, row));
    }
    // Where nobody tells of speech itself, its recognition and synthesis stand for it.
    for (kind, stretches) in heard {
        lanes.entry(kind).or_insert(stretches);
    }
    let lane = |(kind, stretches)| Lane {
        kind,
        name: String::new(),
        stretches,
    };
    lanes.into_iter().map(lane).collect()
}

/// A lane an agent, with what it does from the outside: its spans that are below none of its own.
fn agents(columns: &SpanColumns, tree: &Tree) -> Vec<Lane> {
    let mut agents: BTreeMap<u32, Vec<Stretch>> = BTreeMap::new();
    for row in 0..columns.len() {
        let agent = columns.agent.get(row).copied().unwrap_or(0);
        let parent = u32::try_from(row).ok().and_then(|row| tree.parent(row));
        let above = parent.and_then(|parent| columns.agent.get(parent as usize));
        if agent != 0 && above != Some(&agent) {
            agents.entry(agent).or_default().push(stretch(columns, row));
        }
    }
    let mut lanes: Vec<Lane> = agents
        .into_iter()
        .map(|(name, stretches)| Lane {
            kind: LaneKind::Agent,
            name: columns.string(name).to_owned(),
            stretches,
        })
        .collect();
    // Who came first stands first.
    let first = |lane: &Lane| lane.stretches.first().map(|stretch| (stretch.start, stretch.row));
    lanes.sort_by_key(first);
    if lanes.len() > AGENTS {
        let mut rest: Vec<Stretch> = lanes
            .drain(AGENTS - 1..)
            .flat_map(|lane| lane.stretches)
            .collect();
        rest.sort_by_key(|stretch| (stretch.start, stretch.row));
        lanes.push(Lane {
            kind: LaneKind::Agent,
            name: String::new(),
            stretches: rest,
        });
    }
    lanes
}

#[cfg(test)]
mod tests;
