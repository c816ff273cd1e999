//! Which signal the protobuf of an export request carries. On the wire the three requests look
//! alike down to their records; those differ in their first fields.

use super::Signal;
use crate::wire::{Reader, WireError};

/// The signal of an export request in protobuf, for files that do not say; `None` for what is no
/// request or has no record.
#[must_use]
pub fn signal_of(protobuf: &[u8]) -> Option<Signal> {
    groups(protobuf).unwrap_or_default()
}

fn groups(body: &[u8]) -> Result<Option<Signal>, WireError> {
    let mut requests = Reader(body);
    while let Some(of_resource) = requests.next()? {
        let mut resource = Reader(of_resource.bytes()?);
        while let Some(field) = resource.next()? {
            if field.number != 2 {
                continue;
            }
            let mut scope = Reader(field.bytes()?);
            while let Some(field) = scope.next()? {
                if field.number == 2
                    && let Some(signal) = record(field.bytes()?)?
                {
                    return Ok(Some(signal));
                }
            }
        }
    }
    Ok(None)
}

/// A log record has its times in fields 1 and 11, a span ids of 16 and 8 bytes in 1 and 2, a
/// metric a name in 1 and its points in 5, 7, 9, 10 or 11.
fn record(bytes: &[u8]) -> Result<Option<Signal>, WireError> {
    let (mut first, mut second, mut points) = (None, None, false);
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match (field.number, field.bytes()) {
            (1 | 11, Err(_)) => return Ok(Some(Signal::Logs)),
            (1, Ok(bytes)) => first = Some(bytes),
            (2, Ok(bytes)) => second = Some(bytes),
            (7 | 8, Err(_)) if second.is_some_and(|id| id.len() == 8) => return Ok(Some(Signal::Traces)),
            (5 | 7 | 9 | 10 | 11, Ok(_)) => points = true,
            // Only a log record has an enum here.
            (2, Err(_)) => return Ok(Some(Signal::Logs)),
            _ => {}
        }
    }
    let is_id = |bytes: &&[u8]| bytes.len() == 16 && std::str::from_utf8(bytes).is_err();
    Ok(match (first, points) {
        (Some(id), _) if is_id(&id) => Some(Signal::Traces),
        (Some(_), true) => Some(Signal::Metrics),
        // Of a log record without time and severity little but its body is left.
        (None, true) => Some(Signal::Logs),
        _ => None,
    })
}
