//! Searching within one trace: the engine finds the spans, and where in them it is, is told by
//! the spans as they are read.

use super::attribute;
use super::parts;
use super::read::{self, KeptSpan, Wanted, quoted};
use super::slots::Slots;
use crate::StoreError;
use duckdb::Connection;
use duckdb::types::Value;
use hashbrown::HashMap;
use meshscope_api::AttributeFilter;
use meshscope_api::search::{FIELDS, Place, SpanMatch, SpanMatches, SpanSearch, SpanWanted};
use meshscope_model::{AttributeValue, Attributes, SpanEntry, SpanId, TraceId};

/// How many spans are read at a time.
pub(super) const PART: usize = 500;
/// A span's trace, id and start.
pub(super) type SpanPlace = (TraceId, u64, i64);

/// An id is looked for by no fewer digits.
const DIGITS: usize = 6;

/// A condition on a span `s` with its parameters.
type Condition = (String, Vec<Value>);

/// Spans of a trace in which what is wanted is found; `None` when there is no such trace.
pub(super) fn search(
    connection: &Connection,
    slots: &Slots,
    trace_id: TraceId,
    query: &SpanSearch,
) -> Result<Option<SpanMatches>, StoreError> {
    let Some(window) = parts::window_of(connection, trace_id)? else {
        return Ok(None);
    };
    let (condition, values) = match &query.wanted {
        SpanWanted::Text(text) => (anywhere(slots, text), Vec::new()),
        SpanWanted::Attribute(filter) => of_attribute(slots, filter),
    };
    let limit = query.limit as usize;
    let sql = format!(
        "SELECT s.span_id, s.start_time FROM spans s
        WHERE s.trace_id = '{trace_id}'::UUID AND s.start_time BETWEEN {} AND {} AND ({condition})
        ORDER BY s.start_time, s.span_id LIMIT {}",
        window.0,
        window.1,
        limit + 1
    );
    let mut found: Vec<(u64, i64)> = read::rows(connection, "search a trace", &sql, values, |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let more = found.len() > limit;
    found.truncate(limit);
    let mut places = Places::default();
    let mut spans = Vec::new();
    match &query.wanted {
        SpanWanted::Attribute(filter) => {
            let place = vec![places.index(&place_of(filter))];
            spans.extend(found.iter().map(|(id, _)| SpanMatch {
                span_id: SpanId::from_u64(*id),
                places: place.clone(),
            }));
        }
        SpanWanted::Text(text) => {
            let needle = text.to_lowercase();
            for part in found.chunks(PART) {
                for kept in part_of(connection, slots, trace_id, part)? {
                    let found = places_in(&kept.entry, &needle);
                    if !found.is_empty() {
                        spans.push(SpanMatch {
                            span_id: kept.entry.span.span_id,
                            places: found.iter().map(|place| places.index(place)).collect(),
                        });
                    }
                }
            }
        }
    }
    Ok(Some(SpanMatches {
        trace_id,
        spans,
        places: places.all,
        more,
    }))
}

/// Every place that was named, once.
#[derive(Default)]
struct Places {
    all: Vec<Place>,
    indexes: HashMap<Place, u32>,
}

impl Places {
    fn index(&mut self, place: &Place) -> u32 {
        if let Some(index) = self.indexes.get(place) {
            return *index;
        }
        let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(place.clone());
        self.indexes.insert(place.clone(), index);
        index
    }
}

/// SQL of a span that holds a text somewhere. What is written as JSON is asked for the text as JSON
/// writes it as well; it may hold it in a key of JSON's own, which [`places_in`] leaves out.
fn anywhere(slots: &Slots, text: &str) -> String {
    let plain = quoted(text);
    let escaped = serde_json::to_string(text).unwrap_or_default();
    let escaped = quoted(
        escaped
            .get(1..escaped.len().saturating_sub(1))
            .unwrap_or_default(),
    );
    let holds = |column: &str, text: &str| format!("contains(lower({column}), lower({text}))");
    let value = |column: &str| {
        let mut either = holds(&format!("substr({column}, 2)"), &plain);
        if plain != escaped {
            either = format!(
                "({either} OR (prefix({column}, 'j') AND {}))",
                holds(column, &escaped)
            );
        }
        either
    };
    let mut conditions: Vec<String> = [
        "name",
        "service",
        "agent",
        "model",
        "tool",
        "status_message",
        "error",
    ]
    .iter()
    .map(|column| holds(&format!("s.{column}"), &plain))
    .collect();
    let slotted = 0..slots.keys().len();
    conditions.extend(slotted.map(|index| value(&format!("s.a{index}"))));
    conditions.push(format!(
        "len(list_filter(s.attributes, lambda x: {})) > 0",
        value("x.v")
    ));
    conditions.extend(["s.events", "s.links"].map(|column| holds(column, &escaped)));
    if text.len() >= DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        conditions.push(holds("format('{:016x}', s.span_id)", &plain));
    }
    // A null is no match, and no reason to look no further.
    let conditions: Vec<String> = conditions
        .into_iter()
        .map(|condition| format!("coalesce({condition}, false)"))
        .collect();
    conditions.join(" OR ")
}

fn of_attribute(slots: &Slots, filter: &AttributeFilter) -> Condition {
    let mut sql = Vec::new();
    let mut values = Vec::new();
    if FIELDS.contains(&filter.key.as_str()) {
        let (condition, more) = attribute::compare(&format!("('s' || s.{})", filter.key), filter);
        sql.push(condition);
        values.extend(more);
    }
    for condition in attribute::spans(slots, std::slice::from_ref(filter)) {
        sql.push(condition.sql());
        values.extend(condition.values);
    }
    (sql.join(" OR "), values)
}

fn place_of(filter: &AttributeFilter) -> Place {
    if FIELDS.contains(&filter.key.as_str()) {
        place(&filter.key, None)
    } else {
        place("attribute", Some(&filter.key))
    }
}

fn place(field: &str, key: Option<&str>) -> Place {
    Place {
        field: field.to_owned(),
        key: key.map(str::to_owned),
    }
}

/// The spans of a part in full.
pub(super) fn part_of(
    connection: &Connection,
    slots: &Slots,
    trace_id: TraceId,
    part: &[(u64, i64)],
) -> Result<Vec<KeptSpan>, StoreError> {
    let places: Vec<SpanPlace> = part.iter().map(|(id, start)| (trace_id, *id, *start)).collect();
    spans_at(connection, slots, &places)
}

/// Spans in full, which are given in the order of their start.
pub(super) fn spans_at(
    connection: &Connection,
    slots: &Slots,
    places: &[SpanPlace],
) -> Result<Vec<KeptSpan>, StoreError> {
    let (Some((.., first)), Some((.., last))) = (places.first(), places.last()) else {
        return Ok(Vec::new());
    };
    let values: Vec<String> = places
        .iter()
        .map(|(trace_id, id, _)| format!("('{trace_id}'::UUID, {id}::UBIGINT)"))
        .collect();
    // A list of conditions would be a join for each trace.
    let source = format!(
        "spans s SEMI JOIN (VALUES {}) w(trace_id, span_id) ON w.trace_id = s.trace_id AND w.span_id = s.span_id",
        values.join(", ")
    );
    let wanted = Wanted {
        source: &source,
        window: (*first, *last),
        condition: "true",
    };
    read::spans(connection, slots, &wanted)
}

/// Where a span holds a text, which is in lower case.
fn places_in(entry: &SpanEntry, needle: &str) -> Vec<Place> {
    let (span, facts) = (&entry.span, &entry.facts);
    let holds = |text: &str| text.to_lowercase().contains(needle);
    let fields = [
        ("name", Some(span.name.as_str())),
        ("service", Some(span.resource.service())),
        ("agent", facts.origin.agent.as_deref()),
        ("model", facts.model.as_deref()),
        ("tool", facts.tool.as_deref()),
        ("status_message", Some(span.status.message.as_str())),
        (
            "error",
            facts
                .error
                .as_deref()
                .filter(|error| *error != span.status.message),
        ),
    ];
    let mut found: Vec<Place> = fields
        .iter()
        .filter(|(_, text)| text.is_some_and(holds))
        .map(|(field, _)| place(field, None))
        .collect();
    if needle.len() >= DIGITS && span.span_id.to_string().contains(needle) {
        found.push(place("span_id", None));
    }
    keys(&mut found, "attribute", &span.attributes, needle);
    for event in &span.events {
        if holds(&event.name) {
            found.push(place("event", None));
        }
        keys(&mut found, "event_attribute", &event.attributes, needle);
    }
    for link in &span.links {
        keys(&mut found, "link_attribute", &link.attributes, needle);
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn keys(found: &mut Vec<Place>, field: &str, attributes: &Attributes, needle: &str) {
    let matching = attributes.iter().filter(|kv| value_holds(&kv.value, needle));
    found.extend(matching.map(|kv| place(field, Some(&kv.key))));
}

/// Whether a value, or the keys and values within it, hold a text.
fn value_holds(value: &AttributeValue, needle: &str) -> bool {
    match value {
        AttributeValue::Array(items) => items.iter().any(|item| value_holds(item, needle)),
        AttributeValue::Map(entries) => entries
            .iter()
            .any(|kv| kv.key.to_lowercase().contains(needle) || value_holds(&kv.value, needle)),
        AttributeValue::Empty => false,
        other => other.to_text().to_lowercase().contains(needle),
    }
}
