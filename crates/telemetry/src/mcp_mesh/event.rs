//! The documented events: `span_start`, `span_end` and `error` of one span, joined.

use super::fields::Fields;
use super::{EVENT_SCOPE, EntryError, blank, error_text, kind, operation, status};
use meshscope_model::{Attributes, Span, SpanEntry, SpanEvent, Status, StatusCode};

/// How many events of one span are kept: a start, an end, and errors.
const MOST: usize = 64;

/// What an event says of its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifecycle {
    Start,
    End,
    Error,
}

impl Lifecycle {
    /// The kind of the event in an entry; `None` for an entry that is a finished span.
    pub(super) fn of(fields: &Fields<'_>) -> Result<Option<Self>, EntryError> {
        let Some(word) = fields.text("event_type") else {
            return Ok(None);
        };
        let shown: String = word.chars().take(64).collect();
        Self::parse(word).map(Some).ok_or_else(|| {
            EntryError::new(
                "event_type",
                format!(
                    "is {shown:?}: give span_start, span_end or error, or leave it out for a finished span"
                ),
            )
        })
    }

    fn parse(word: &str) -> Option<Self> {
        match word {
            "span_start" => Some(Self::Start),
            "span_end" => Some(Self::End),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "span_start",
            Self::End => "span_end",
            Self::Error => "error",
        }
    }
}

/// What one event tells of its span.
pub(super) fn span(lifecycle: Lifecycle, id: &str, fields: &Fields<'_>) -> Result<Span, EntryError> {
    let mut span = blank(fields, EVENT_SCOPE)?;
    let time = match fields.seconds("timestamp")? {
        Some(time) => time,
        None => fields.published(id)?,
    };
    fields.milliseconds("duration_ms")?;
    span.events.push(SpanEvent {
        time,
        name: lifecycle.as_str().to_owned(),
        attributes: fields.attributes(&["event_type", "timestamp"]),
        dropped_attributes_count: 0,
    });
    join(&mut span);
    Ok(span)
}

/// Makes a span out of the events that two copies of it brought together; leaves every span
/// alone that is not made of events. What it means is read anew.
pub fn settle(entry: &mut SpanEntry) {
    if entry.span.scope.name != EVENT_SCOPE {
        return;
    }
    join(&mut entry.span);
    let mut facts = crate::semconv::span(&entry.span);
    let kept = &mut entry.facts;
    facts.origin.project = kept.origin.project.take().or(facts.origin.project);
    facts.origin.session = facts.origin.session.or_else(|| kept.origin.session.take());
    // It has been priced when it came.
    facts.usage = kept.usage.take().or(facts.usage);
    *kept = facts;
}

/// The span that its events describe:
///
/// - it starts with `span_start`; without one it is as short as its `span_end` or first `error`,
/// - it ends with `span_end`; with neither start nor end it is an error by itself, and without
///   an end it is in progress,
/// - it failed when there is an `error` or its end says so.
fn join(span: &mut Span) {
    let mut events = std::mem::take(&mut span.events);
    events.sort_by_cached_key(|event| (event.time, event.name.clone(), format!("{:?}", event.attributes)));
    events.dedup();
    let first = |wanted: Lifecycle| {
        events
            .iter()
            .position(|event| Lifecycle::parse(&event.name) == Some(wanted))
    };
    let last_end = events
        .iter()
        .rposition(|event| Lifecycle::parse(&event.name) == Some(Lifecycle::End));
    let leading = [last_end, first(Lifecycle::Start), first(Lifecycle::Error)];
    let [end, start, error] = leading.map(|index| index.and_then(|index| events.get(index)));

    let mut attributes = Attributes::default();
    for event in [end, start, error].into_iter().flatten().chain(&events) {
        add_missing(&mut attributes, &event.attributes);
    }
    span.name = operation(&attributes);
    span.status = status(&attributes);
    if let Some(error) = error {
        span.status = Status {
            code: StatusCode::Error,
            message: error_text(&error.attributes)
                .or_else(|| error_text(&attributes))
                .unwrap_or_default(),
        };
    }
    let time = |event: Option<&SpanEvent>| event.map(|event| event.time);
    span.start_time = time(start)
        .or(time(end))
        .or(time(error))
        .unwrap_or(span.start_time);
    span.end_time = time(end).or(time(error).filter(|_| start.is_none()));
    add_missing(&mut attributes, &span.attributes);
    span.attributes = attributes;
    span.kind = kind(span);

    // An agent that reports errors without end must not make its span grow without end.
    if events.len() > MOST {
        let mut place = 0;
        events.retain(|_| {
            place += 1;
            place <= MOST - 2 || leading.contains(&Some(place - 1))
        });
    }
    span.events = events;
}

fn add_missing(attributes: &mut Attributes, more: &Attributes) {
    for kv in more.iter() {
        if attributes.get(&kv.key).is_none() {
            attributes.0.push(kv.clone());
        }
    }
}
