//! `ExportTraceServiceRequest`.

use super::common::{
    Context, Kept, REASON_FIELD, each, json_reason, key_value, name_of, optional, resource, scope, span_id,
    time, trace_id,
};
use crate::wire::{Reader, WireError};
use meshscope_model::{
    Attributes, Link, Resource, Scope, Span, SpanEntry, SpanEvent, SpanFacts, SpanKind, Status, StatusCode,
};
use std::sync::Arc;

pub(super) fn decode(body: &[u8], context: &mut Context, into: &mut Vec<SpanEntry>) -> Result<(), WireError> {
    each(body, 1, |resource_spans| {
        let resource = resource(resource_spans, context)?;
        each(resource_spans, 2, |scope_spans| {
            let scope = scope(scope_spans, context)?;
            each(scope_spans, 2, |bytes| {
                context.begin();
                match span(bytes, &resource, &scope, context) {
                    Ok(span) => into.push(SpanEntry {
                        span,
                        facts: SpanFacts::default(),
                    }),
                    Err(reason) => context.reject("span", &name_of(bytes, 5), &reason),
                }
                Ok(())
            })
        })
    })
}

fn span(bytes: &[u8], resource: &Arc<Resource>, scope: &Arc<Scope>, context: &mut Context) -> Kept<Span> {
    let mut ids: [&[u8]; 3] = [&[]; 3];
    let mut span = Span {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        trace_id: Default::default(),
        span_id: Default::default(),
        parent_span_id: None,
        trace_state: String::new(),
        flags: 0,
        name: String::new(),
        kind: SpanKind::Unspecified,
        start_time: 0,
        end_time: None,
        attributes: Attributes(Vec::with_capacity(12)),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status: Status::default(),
    };
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => ids[0] = field.bytes()?,
            2 => ids[1] = field.bytes()?,
            3 => span.trace_state = context.text(field.bytes()?),
            4 => ids[2] = field.bytes()?,
            5 => span.name = context.text(field.bytes()?),
            6 => span.kind = SpanKind::from_number(field.int64()?),
            7 => span.start_time = time(field, "start_time_unix_nano")?,
            8 => span.end_time = Some(time(field, "end_time_unix_nano")?).filter(|end| *end != 0),
            9 => span.attributes.0.push(key_value(field.bytes()?, context, 0)?),
            10 => span.dropped_attributes_count = field.uint32()?,
            11 => span.events.push(event(field.bytes()?, context)?),
            12 => span.dropped_events_count = field.uint32()?,
            13 => span.links.push(link(field.bytes()?, context)?),
            14 => span.dropped_links_count = field.uint32()?,
            15 => span.status = status(field.bytes()?, context)?,
            16 => span.flags = field.fixed32()?,
            REASON_FIELD => return json_reason(field),
            _ => {}
        }
    }
    span.trace_id = trace_id(ids[0])?;
    span.span_id = span_id(ids[1], "span_id")?;
    span.parent_span_id = optional(ids[2], |id| span_id(id, "parent_span_id"))?;
    Ok(span)
}

fn event(bytes: &[u8], context: &mut Context) -> Kept<SpanEvent> {
    let mut event = SpanEvent::default();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => event.time = time(field, "events.time_unix_nano")?,
            2 => event.name = context.text(field.bytes()?),
            3 => event.attributes.0.push(key_value(field.bytes()?, context, 0)?),
            4 => event.dropped_attributes_count = field.uint32()?,
            _ => {}
        }
    }
    Ok(event)
}

fn link(bytes: &[u8], context: &mut Context) -> Kept<Link> {
    let mut ids: [&[u8]; 2] = [&[]; 2];
    let mut link = Link::default();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => ids[0] = field.bytes()?,
            2 => ids[1] = field.bytes()?,
            3 => link.trace_state = context.text(field.bytes()?),
            4 => link.attributes.0.push(key_value(field.bytes()?, context, 0)?),
            5 => link.dropped_attributes_count = field.uint32()?,
            6 => link.flags = field.fixed32()?,
            _ => {}
        }
    }
    // A link to nowhere is kept as it was sent: it costs nothing and says something.
    link.trace_id = optional(ids[0], trace_id)?.unwrap_or_default();
    link.span_id = optional(ids[1], |id| span_id(id, "links.span_id"))?.unwrap_or_default();
    Ok(link)
}

fn status(bytes: &[u8], context: &mut Context) -> Kept<Status> {
    let mut status = Status::default();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            2 => status.message = context.text(field.bytes()?),
            3 => status.code = StatusCode::from_number(field.int64()?),
            _ => {}
        }
    }
    Ok(status)
}
