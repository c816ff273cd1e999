//! Records as rows of their tables.

use super::append::{Columns, Slotted};
use super::identity;
use super::slots::Slots;
use crate::StoreError;
use duckdb::Connection;
use hashbrown::HashMap;
use meshscope_model::metric::PointValue;
use meshscope_model::{LogEntry, Origin, PointEntry, SpanEntry};
use std::borrow::Cow;
use std::sync::Arc;

fn origin<'a>(c: &mut Columns, origins: &(impl Iterator<Item = &'a Origin> + Clone)) {
    c.text(
        origins
            .clone()
            .map(|origin| Some(origin.project.as_deref().unwrap_or("default"))),
    );
    c.u8(origins.clone().map(|origin| origin.system as u8));
    c.text(origins.clone().map(|origin| origin.room.as_deref()));
    c.text(origins.clone().map(|origin| origin.session.as_deref()));
    c.text(origins.clone().map(|origin| origin.fallback_session.as_deref()));
    c.text(origins.clone().map(|origin| origin.agent.as_deref()));
}

/// JSON of a list, absent when it is empty.
fn json<T: serde::Serialize>(items: &[T]) -> Option<String> {
    if items.is_empty() {
        None
    } else {
        serde_json::to_string(items).ok()
    }
}

pub(super) fn append_spans(
    connection: &Connection,
    (slots, width): (&Slots, usize),
    rows: &[Cow<'_, SpanEntry>],
    sequence: i64,
    received: i64,
) -> Result<(), StoreError> {
    let mut resources: HashMap<usize, u64> = HashMap::new();
    let mut scopes: HashMap<usize, u64> = HashMap::new();
    let emitters: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| {
            let (resource, scope) = (&row.span.resource, &row.span.scope);
            let resource = *resources
                .entry(Arc::as_ptr(resource).addr())
                .or_insert_with(|| identity::resource(resource).0);
            let scope = *scopes
                .entry(Arc::as_ptr(scope).addr())
                .or_insert_with(|| identity::scope(scope).0);
            (resource, scope)
        })
        .collect();
    let spans = rows.iter().map(|row| &row.span);
    let facts = rows.iter().map(|row| &row.facts);
    let durations: Vec<i64> = rows
        .iter()
        .map(|row| row.facts.reported_duration.unwrap_or_else(|| row.span.duration()))
        .collect();
    let mut c = Columns::default();
    c.i64((sequence + 1..).take(rows.len()).map(Some));
    c.i64(rows.iter().map(|_| Some(received)));
    c.trace_ids(spans.clone().map(|span| Some(span.trace_id)));
    c.u64(spans.clone().map(|span| Some(span.span_id.as_u64())));
    c.u64(
        spans
            .clone()
            .map(|span| span.parent_span_id.map(|id| id.as_u64())),
    );
    c.i64(spans.clone().map(|span| Some(span.start_time)));
    c.i64(spans.clone().map(|span| span.end_time));
    c.i64(durations.iter().copied().map(Some));
    c.i64(
        spans
            .clone()
            .zip(&durations)
            .map(|(span, duration)| Some(span.start_time.saturating_add(*duration))),
    );
    c.text(spans.clone().map(|span| Some(span.name.as_str())));
    c.text(spans.clone().map(|span| Some(span.resource.service())));
    c.u8(spans.clone().map(|span| span.kind as u8));
    c.u8(spans.clone().map(|span| span.status.code as u8));
    c.text(spans.clone().map(|span| Some(span.status.message.as_str())));
    c.text(spans.clone().map(|span| Some(span.trace_state.as_str())));
    c.u32(spans.clone().map(|span| span.flags));
    c.u64(emitters.iter().map(|(resource, _)| Some(*resource)));
    c.u64(emitters.iter().map(|(_, scope)| Some(*scope)));
    origin(&mut c, &facts.clone().map(|facts| &facts.origin));
    c.u8(facts.clone().map(|facts| facts.operation as u8));
    c.text(facts.clone().map(|facts| facts.role.as_deref()));
    c.text(facts.clone().map(|facts| facts.tool.as_deref()));
    c.text(facts.clone().map(|facts| facts.model.as_deref()));
    c.text(facts.clone().map(|facts| facts.provider.as_deref()));
    c.text(facts.clone().map(|facts| facts.conversation.as_deref()));
    c.text(facts.clone().map(|facts| facts.user.as_deref()));
    c.text(facts.clone().map(|facts| facts.title.as_deref()));
    c.text(facts.clone().map(|facts| facts.verdict.as_deref()));
    c.bool(facts.clone().map(|facts| facts.blocked));
    c.text(facts.clone().map(|facts| facts.error.as_deref()));
    c.i64(facts.clone().map(|facts| facts.time_to_first_token));
    c.i64(facts.clone().map(|facts| facts.reported_duration));
    c.bool(facts.clone().map(|facts| facts.noise));
    let mut slotted = Slotted::new(slots, width, spans.clone().map(|span| &span.attributes));
    c.lists(std::mem::take(&mut slotted.rest));
    c.owned_text(spans.clone().map(|span| json(&span.events)));
    c.owned_text(spans.clone().map(|span| json(&span.links)));
    c.u32(spans.clone().map(|span| span.dropped_attributes_count));
    c.u32(spans.clone().map(|span| span.dropped_events_count));
    c.u32(spans.map(|span| span.dropped_links_count));
    c.bool(facts.clone().map(|facts| facts.interrupted));
    c.f64(facts.map(|facts| facts.uncertainty));
    slotted.append(&mut c);
    c.append(connection, "spans")
}

pub(super) fn append_logs(
    connection: &Connection,
    rows: &[(&LogEntry, u64)],
    sequence: i64,
    received: i64,
) -> Result<(), StoreError> {
    let records = rows.iter().map(|(entry, _)| &entry.record);
    let mut c = Columns::default();
    c.i64((sequence + 1..).take(rows.len()).map(Some));
    c.i64(rows.iter().map(|_| Some(received)));
    c.u64(rows.iter().map(|(_, fingerprint)| Some(*fingerprint)));
    // A record without any time is placed where it arrived.
    c.i64(records.clone().map(|record| {
        Some(record.placed_at())
            .filter(|time| *time != 0)
            .or(Some(received))
    }));
    c.i64(records.clone().map(|record| Some(record.time)));
    c.i64(records.clone().map(|record| Some(record.observed_time)));
    c.u8(records.clone().map(|record| record.severity_number));
    c.text(records.clone().map(|record| Some(record.severity_text.as_str())));
    c.owned_text(
        records
            .clone()
            .map(|record| Some(super::value::write(&record.body))),
    );
    c.attributes(records.clone().map(|record| &record.attributes));
    c.u32(records.clone().map(|record| record.dropped_attributes_count));
    c.text(records.clone().map(|record| Some(record.event_name.as_str())));
    c.u32(records.clone().map(|record| record.flags));
    c.trace_ids(records.clone().map(|record| record.trace_id));
    c.u64(records.clone().map(|record| record.span_id.map(|id| id.as_u64())));
    c.text(records.clone().map(|record| Some(record.resource.service())));
    c.u64(
        records
            .clone()
            .map(|record| Some(identity::resource(&record.resource).0)),
    );
    c.u64(records.map(|record| Some(identity::scope(&record.scope).0)));
    origin(&mut c, &rows.iter().map(|(entry, _)| &entry.origin));
    c.append(connection, "logs")
}

pub(super) fn append_points(
    connection: &Connection,
    rows: &[(&PointEntry, u64, u64)],
    sequence: i64,
    received: i64,
) -> Result<(), StoreError> {
    let points = rows.iter().map(|(entry, ..)| &entry.point);
    let mut c = Columns::default();
    c.i64((sequence + 1..).take(rows.len()).map(Some));
    c.i64(rows.iter().map(|_| Some(received)));
    c.u64(rows.iter().map(|(.., fingerprint)| Some(*fingerprint)));
    c.u64(rows.iter().map(|(_, series, _)| Some(*series)));
    c.text(points.clone().map(|point| Some(point.metric.name.as_str())));
    c.text(
        points
            .clone()
            .map(|point| Some(point.metric.description.as_str())),
    );
    c.text(points.clone().map(|point| Some(point.metric.unit.as_str())));
    c.u8(points.clone().map(|point| point.metric.kind as u8));
    c.u8(points.clone().map(|point| point.metric.temporality as u8));
    c.bool(points.clone().map(|point| point.metric.monotonic));
    c.owned_text(points.clone().map(|point| json(&point.metric.metadata)));
    c.text(points.clone().map(|point| Some(point.resource.service())));
    c.u64(
        points
            .clone()
            .map(|point| Some(identity::resource(&point.resource).0)),
    );
    c.u64(points.clone().map(|point| Some(identity::scope(&point.scope).0)));
    origin(&mut c, &rows.iter().map(|(entry, ..)| &entry.origin));
    c.attributes(points.clone().map(|point| &point.attributes));
    c.i64(points.clone().map(|point| Some(point.start_time)));
    c.i64(points.clone().map(|point| Some(point.time)));
    c.u32(points.clone().map(|point| point.flags));
    c.f64(points.clone().map(|point| match point.value {
        PointValue::Double(x) => Some(x),
        _ => None,
    }));
    c.owned_text(points.clone().map(|point| match &point.value {
        // JSON has no NaN; a double stands in its own column.
        PointValue::Double(_) => None,
        value => serde_json::to_string(value).ok(),
    }));
    c.owned_text(points.map(|point| json(&point.exemplars)));
    c.u64(rows.iter().map(|(entry, ..)| entry.call.map(|call| call.key)));
    c.append(connection, "metric_points")
}
