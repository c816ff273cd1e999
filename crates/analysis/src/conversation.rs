//! The conversation of a trace, out of the messages that its spans carry.
//!
//! A model call carries its whole history and an agent repeats what its calls said, so that most
//! messages are there many times. Each stands once, where it was said first: a message is a
//! repetition when it stands in the same agent's conversation so far in the order in which the call gives
//! its history, or when it is handed down to a span from one above it, or up from one below.

mod pairing;

use hashbrown::HashMap;
use meshscope_api::conversation::{Answer, Conversation, Turn};
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::{Direction, Message, Operation, Part, SpanId, TraceId};

/// Above so many levels nobody is asked for.
const LEVELS: usize = 1_000;
/// Arguments of more bytes are compared as they are written.
const NORMALISED: usize = 64 * 1024;

/// A span with what it carries. Spans without messages tell whose the others are.
#[derive(Debug, Clone, Default)]
pub struct Spoken {
    /// Its trace; with `span_id` its identity.
    pub trace_id: TraceId,
    /// Its id within the trace.
    pub span_id: SpanId,
    /// The span above it.
    pub parent_span_id: Option<SpanId>,
    /// Start, ns since the epoch.
    pub start_time: i64,
    /// Duration, ns.
    pub duration: i64,
    /// What it does.
    pub operation: Operation,
    /// Who acts in it.
    pub agent: Option<String>,
    /// The model it calls.
    pub model: Option<String>,
    /// The tool it runs.
    pub tool: Option<String>,
    /// Time to first token, ns.
    pub time_to_first_token: Option<i64>,
    /// What went wrong; present when it failed.
    pub error: Option<String>,
    /// What it was given and what it made.
    pub messages: Vec<Message>,
}

/// The conversation that `spans` carry, which are in the order of (start, id): those of a trace, or of
/// all runs of a session.
#[must_use]
pub fn conversation(trace_id: Option<TraceId>, spans: &[Spoken], more: bool) -> Conversation {
    let mut talk = Talk::new(spans);
    for moment in moments(spans, &talk) {
        talk.hear(&moment);
    }
    let answers = spans.iter().filter_map(answer);
    Conversation {
        trace_id,
        answers: answers.collect(),
        turns: pairing::paired(talk.turns),
        more,
    }
}

/// What a span answered, as a hash; `None` when it made no message.
fn answer(span: &Spoken) -> Option<Answer> {
    let made = |message: &&Message| message.direction == Direction::Output;
    let hashes: Vec<[u8; 8]> = span
        .messages
        .iter()
        .filter(made)
        .map(|message| hash(message).to_le_bytes())
        .collect();
    let parts: Vec<&[u8]> = hashes.iter().map(<[u8; 8]>::as_slice).collect();
    (!parts.is_empty()).then(|| Answer {
        span_id: span.span_id,
        hash: fingerprint(&parts),
    })
}

/// What a span was given, at its start, or what it made, at its end.
#[derive(Debug, Clone, Copy)]
struct Moment {
    span: usize,
    direction: Direction,
}

/// All moments in the order of time. Of those at once what was made comes before what was given, as
/// an answer goes into the next call; who calls is given before whom it calls, and answers after.
fn moments(spans: &[Spoken], talk: &Talk<'_>) -> Vec<Moment> {
    let mut all = Vec::new();
    for (span, spoken) in spans.iter().enumerate() {
        let depth = i64::try_from(talk.above(span).count()).unwrap_or(i64::MAX);
        let end = spoken.start_time.saturating_add(spoken.duration);
        let after_input = if end == spoken.start_time { 2 } else { 0 };
        let given = Moment {
            span,
            direction: Direction::Input,
        };
        let made = Moment {
            span,
            direction: Direction::Output,
        };
        all.push(((spoken.start_time, 1, depth), given));
        all.push(((end, after_input, -depth), made));
    }
    all.sort_by_key(|(order, _)| *order);
    all.into_iter().map(|(_, moment)| moment).collect()
}

/// A turn, and what it takes to pair calls with results.
#[derive(Debug)]
struct Said {
    turn: Turn,
    /// It is a tool at work, rather than somebody speaking.
    tool: bool,
}

/// A message that an agent's conversation holds.
#[derive(Debug, Clone, Copy)]
struct Known {
    hash: u64,
    direction: Direction,
}

struct Talk<'a> {
    spans: &'a [Spoken],
    places: HashMap<(TraceId, SpanId), usize>,
    /// What each agent's conversation holds, in the order in which it came.
    threads: HashMap<&'a str, Vec<Known>>,
    /// Spans in which a message was seen, by its hash and direction.
    seen: HashMap<(u64, Direction), Vec<usize>>,
    turns: Vec<Said>,
}

impl<'a> Talk<'a> {
    fn new(spans: &'a [Spoken]) -> Self {
        Self {
            spans,
            places: spans
                .iter()
                .enumerate()
                .map(|(at, span)| ((span.trace_id, span.span_id), at))
                .collect(),
            threads: HashMap::new(),
            seen: HashMap::new(),
            turns: Vec::new(),
        }
    }

    /// The spans above one, the nearest first.
    fn above(&self, span: usize) -> impl Iterator<Item = usize> + '_ {
        let parent = |at: &usize| {
            let span = self.spans.get(*at)?;
            self.places.get(&(span.trace_id, span.parent_span_id?)).copied()
        };
        std::iter::successors(Some(span), parent).skip(1).take(LEVELS)
    }

    fn agent(&self, span: usize) -> Option<&'a str> {
        let spans = self.spans;
        let mut chain = std::iter::once(span).chain(self.above(span));
        chain.find_map(|at| spans.get(at)?.agent.as_deref())
    }

    /// Takes in what a span was given or made.
    fn hear(&mut self, moment: &Moment) {
        let Some(span) = self.spans.get(moment.span) else {
            return;
        };
        let of_moment = |message: &&Message| message.direction == moment.direction;
        let messages: Vec<&Message> = span.messages.iter().filter(of_moment).collect();
        if span.operation == Operation::ExecuteTool {
            if moment.direction == Direction::Input {
                self.tool(moment.span, span);
            }
            return;
        }
        let failed =
            moment.direction == Direction::Output && span.error.is_some() && span.operation.is_model_call();
        if messages.is_empty() {
            if failed {
                let nothing = Message {
                    role: "assistant".to_owned(),
                    direction: Direction::Output,
                    ..Message::default()
                };
                self.say(moment.span, &nothing);
            }
            return;
        }
        for new in self.unheard(moment, &messages) {
            self.say(moment.span, new);
        }
    }

    /// Which messages are no repetitions; all are known afterwards.
    fn unheard(&mut self, moment: &Moment, messages: &[&'a Message]) -> Vec<&'a Message> {
        let thread = self.agent(moment.span).unwrap_or_default();
        let known = self.threads.get(thread).map_or(&[][..], Vec::as_slice);
        // What was said last is said anew after an answer; only its history may reach behind that.
        let newest = match moment.direction {
            Direction::Input => known
                .iter()
                .rposition(|known| known.direction == Direction::Output),
            Direction::Output => known
                .iter()
                .rposition(|known| known.direction == Direction::Input),
        };
        let newest = newest.unwrap_or(0);
        let mut at = match moment.direction {
            Direction::Input => 0,
            Direction::Output => newest,
        };
        let mut new = Vec::new();
        let mut coming = Vec::new();
        for (place, message) in messages.iter().enumerate() {
            let hash = hash(message);
            let last = place + 1 == messages.len();
            let from = if last { at.max(newest) } else { at };
            let ahead = known.get(from..).unwrap_or_default();
            if let Some(found) = ahead.iter().position(|known| known.hash == hash) {
                at = from + found + 1;
                continue;
            }
            coming.push(Known {
                hash,
                direction: moment.direction,
            });
            if !self.handed(hash, moment) {
                new.push(*message);
            }
        }
        for known in &coming {
            let places = self.seen.entry((known.hash, known.direction)).or_default();
            places.push(moment.span);
        }
        self.threads.entry(thread).or_default().extend(coming);
        new
    }

    /// Whether a span above was given the same, or one below has made it.
    fn handed(&self, hash: u64, moment: &Moment) -> bool {
        let Some(places) = self.seen.get(&(hash, moment.direction)) else {
            return false;
        };
        let is_above = |upper: usize, lower: usize| self.above(lower).any(|at| at == upper);
        match moment.direction {
            Direction::Input => self.above(moment.span).any(|at| places.contains(&at)),
            Direction::Output => places.iter().rev().any(|lower| is_above(moment.span, *lower)),
        }
    }

    fn say(&mut self, at: usize, message: &Message) {
        let Some(span) = self.spans.get(at) else { return };
        let made = message.direction == Direction::Output;
        let turn = Turn {
            message: message.clone(),
            ..self.turn(at, span, made)
        };
        self.turns.push(Said { turn, tool: false });
    }

    /// A tool at work: its call, and its answer as a result.
    fn tool(&mut self, at: usize, span: &Spoken) {
        let parts = || span.messages.iter().flat_map(|message| &message.parts);
        let call = parts()
            .find(|part| matches!(part, Part::ToolCall { .. }))
            .cloned();
        let result = parts()
            .find(|part| matches!(part, Part::ToolResult { .. }))
            .cloned();
        if span.messages.is_empty() && span.tool.is_none() {
            return;
        }
        let call = call.unwrap_or_else(|| Part::ToolCall {
            id: None,
            name: span.tool.clone().unwrap_or_default(),
            arguments: given_text(span),
        });
        let result = result.or_else(|| {
            let made = span
                .messages
                .iter()
                .find(|message| message.direction == Direction::Output);
            made.map(Message::text)
                .filter(|text| !text.is_empty())
                .map(|content| Part::ToolResult {
                    id: None,
                    name: None,
                    content,
                })
        });
        let mut message = Message::new("assistant", Direction::Output, call);
        message.parts.extend(result);
        let turn = Turn {
            message,
            ..self.turn(at, span, true)
        };
        let at = span.start_time;
        self.turns.push(Said {
            turn: Turn { at, ..turn },
            tool: true,
        });
    }

    fn turn(&self, at: usize, span: &Spoken, made: bool) -> Turn {
        let end = span.start_time.saturating_add(span.duration);
        Turn {
            span_id: span.span_id,
            operation: span.operation,
            agent: self.agent(at).map(str::to_owned),
            model: span.model.clone(),
            at: if made { end } else { span.start_time },
            duration_ns: made.then_some(span.duration),
            time_to_first_token_ns: span.time_to_first_token.filter(|_| made),
            error: span.error.clone().filter(|_| made),
            message: Message::default(),
            calls: Vec::new(),
            cut: Vec::new(),
        }
    }
}

fn given_text(span: &Spoken) -> String {
    let given = span
        .messages
        .iter()
        .find(|message| message.direction == Direction::Input);
    given.map(Message::text).unwrap_or_default()
}

/// A hash of what a message says: its role and parts, whatever ids and white space they have.
fn hash(message: &Message) -> u64 {
    let role = message.role.to_lowercase();
    let mut texts: Vec<(u8, &str, String)> = Vec::with_capacity(message.parts.len());
    for part in &message.parts {
        texts.push(match part {
            Part::Text { content } => (1, "", content.trim().to_owned()),
            Part::Reasoning { .. } => continue,
            Part::ToolCall { name, arguments, .. } => (3, name, normalised(arguments)),
            Part::ToolResult { content, .. } => (4, "", normalised(content)),
            Part::Blob { data, .. } => (5, "", data.clone()),
            Part::Uri { uri, .. } => (6, "", uri.clone()),
            Part::Other { kind, content } => (7, kind, content.clone()),
        });
    }
    let mut parts: Vec<&[u8]> = vec![role.as_bytes()];
    for (kind, name, text) in &texts {
        parts.extend([std::slice::from_ref(kind), name.as_bytes(), text.as_bytes()]);
    }
    fingerprint(&parts)
}

/// JSON as one writer writes it; other text without white space around it.
fn normalised(text: &str) -> String {
    let text = text.trim();
    let json = text.len() <= NORMALISED && text.starts_with(['{', '[', '"']);
    let value = json
        .then(|| serde_json::from_str::<serde_json::Value>(text).ok())
        .flatten();
    value.map_or_else(|| text.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests;
