//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>) out of a body
//! that comes in pieces.

use super::Ended;
use crate::client::ClientError;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// Bytes on their way to events. An event that was cut off is none.
#[derive(Default)]
struct Reader {
    waiting: Vec<u8>,
    /// Where to look on for an end of line.
    looked: usize,
    event: Event,
}

impl Reader {
    fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next event that is whole.
    fn next(&mut self) -> Option<Event> {
        let mut taken = 0;
        let mut found = None;
        while found.is_none() {
            let from = taken.max(self.looked);
            let rest = self.waiting.get(from..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n').map(|at| from + at) else {
                break;
            };
            let line = String::from_utf8_lossy(self.waiting.get(taken..end).unwrap_or_default());
            found = take(&mut self.event, line.trim_end_matches('\r'));
            taken = end + 1;
        }
        self.waiting.drain(..taken);
        self.looked = if found.is_some() { 0 } else { self.waiting.len() };
        found
    }
}

/// Takes a line into an event; an empty one ends it.
fn take(event: &mut Event, line: &str) -> Option<Event> {
    let (field, value) = line.split_once(':').unwrap_or((line, ""));
    let value = value.strip_prefix(' ').unwrap_or(value);
    match field {
        "" if line.is_empty() => return Some(std::mem::take(event)).filter(|event| !event.data.is_empty()),
        "event" => value.clone_into(&mut event.name),
        "data" => {
            if !event.data.is_empty() {
                event.data.push('\n');
            }
            event.data.push_str(value);
        }
        // The cursor stands in the data of each event; `retry` is for browsers.
        _ => {}
    }
    None
}

/// The events of an answer.
pub(super) struct Events {
    body: Incoming,
    reader: Reader,
}

impl Events {
    pub(super) fn of(body: Incoming) -> Self {
        Self {
            body,
            reader: Reader::default(),
        }
    }

    /// The next event; `None` when the answer has ended.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Ended> {
        loop {
            if let Some(event) = self.reader.next() {
                return Ok(Some(event));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(ClientError::BrokeOff(error).into()),
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.reader.push(bytes);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 1000\n\nid: a.1\nevent: open\ndata: {\"cursor\":\"a.1\"}\n\n: comment\n\
                          id: a.2\r\nevent:delta\r\ndata: é\r\ndata: two\r\n\r\nevent: end\ndata: cut";

    #[test]
    fn events_are_the_same_in_pieces_of_any_size() {
        for size in 1..STREAM.len() {
            let mut reader = Reader::default();
            let mut events = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                reader.push(piece);
                events.extend(std::iter::from_fn(|| reader.next()));
            }
            let found: Vec<_> = events
                .iter()
                .map(|e| (e.name.as_str(), e.data.as_str()))
                .collect();
            assert_eq!(
                found,
                [("open", "{\"cursor\":\"a.1\"}"), ("delta", "é\ntwo")],
                "{size}"
            );
        }
    }
}
