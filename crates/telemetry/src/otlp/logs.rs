//! `ExportLogsServiceRequest`.

use super::common::{
    Context, Kept, REASON_FIELD, any_value, each, json_reason, key_value, name_of, pointer, resource, scope,
    span_id, time, trace_id,
};
use crate::wire::{Reader, WireError};
use meshscope_model::{AttributeValue, Attributes, LogEntry, LogRecord, Origin, Resource, Scope};
use std::sync::Arc;

pub(super) fn decode(body: &[u8], context: &mut Context, into: &mut Vec<LogEntry>) -> Result<(), WireError> {
    each(body, 1, |resource_logs| {
        let resource = resource(resource_logs, context)?;
        each(resource_logs, 2, |scope_logs| {
            let scope = scope(scope_logs, context)?;
            each(scope_logs, 2, |bytes| {
                context.begin();
                match record(bytes, &resource, &scope, context) {
                    Ok(record) => into.push(LogEntry {
                        record,
                        origin: Origin::default(),
                        identity: None,
                    }),
                    Err(reason) => context.reject("log record", &name_of(bytes, 12), &reason),
                }
                Ok(())
            })
        })
    })
}

fn record(
    bytes: &[u8],
    resource: &Arc<Resource>,
    scope: &Arc<Scope>,
    context: &mut Context,
) -> Kept<LogRecord> {
    let mut record = LogRecord {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        time: 0,
        observed_time: 0,
        severity_number: 0,
        severity_text: String::new(),
        body: AttributeValue::Empty,
        attributes: Attributes::default(),
        dropped_attributes_count: 0,
        flags: 0,
        trace_id: None,
        span_id: None,
        event_name: String::new(),
    };
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => record.time = time(field, "time_unix_nano")?,
            2 => {
                record.severity_number = u8::try_from(field.varint()?)
                    .ok()
                    .filter(|n| *n <= 24)
                    .unwrap_or(0);
            }
            3 => record.severity_text = context.text(field.bytes()?),
            5 => record.body = any_value(field.bytes()?, context, 0)?,
            6 => record.attributes.0.push(key_value(field.bytes()?, context, 0)?),
            7 => record.dropped_attributes_count = field.uint32()?,
            8 => record.flags = field.fixed32()?,
            9 => record.trace_id = pointer(field.bytes()?, context, trace_id),
            10 => record.span_id = pointer(field.bytes()?, context, |id| span_id(id, "span_id")),
            11 => record.observed_time = time(field, "observed_time_unix_nano")?,
            12 => record.event_name = context.text(field.bytes()?),
            REASON_FIELD => return json_reason(field),
            _ => {}
        }
    }
    Ok(record)
}
