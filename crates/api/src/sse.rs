//! Reads server-sent events out of the bytes of a stream
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).

/// An event that has come whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Its type; empty when the sender named none.
    pub name: String,
    /// The last id that was told, of this event or one before.
    pub id: String,
    /// Its data, lines joined.
    pub data: String,
}

/// Takes bytes in any cuts and gives the events in them.
#[derive(Debug, Default)]
pub struct EventReader {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The last line ended with a carriage return: a line feed after it belongs to that end.
    returned: bool,
    begun: bool,
    event: Event,
    /// A data line was there, if only an empty one.
    has_data: bool,
}

impl EventReader {
    /// Takes the next bytes; `take` is called for each event that they end.
    pub fn push(&mut self, bytes: &[u8], mut take: impl FnMut(Event)) {
        let mut rest = bytes;
        if self.returned && !rest.is_empty() {
            self.returned = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, after) = rest.split_at(end);
            let carriage = after.first() == Some(&b'\r');
            rest = after.get(1..).unwrap_or_default();
            if carriage {
                self.returned = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            if self.line.is_empty() {
                self.take_line(line, &mut take);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take_line(&whole, &mut take);
                // Its room is used again.
                whole.clear();
                self.line = whole;
            }
        }
        self.line.extend_from_slice(rest);
    }

    fn take_line(&mut self, line: &[u8], take: &mut impl FnMut(Event)) {
        let line = if self.begun {
            line
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        self.begun = true;
        if line.is_empty() {
            self.finish(take);
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(colon) => (line.get(..colon), line.get(colon + 1..)),
            None => (Some(line), None),
        };
        let value = value.unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field.unwrap_or_default() {
            b"data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(&String::from_utf8_lossy(value));
            }
            b"event" => self.event.name = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => self.event.id = String::from_utf8_lossy(value).into_owned(),
            // Comments begin with the colon; of `retry` and unknown fields nothing is used.
            _ => {}
        }
    }

    fn finish(&mut self, take: &mut impl FnMut(Event)) {
        let id = self.event.id.clone();
        let event = std::mem::take(&mut self.event);
        self.event.id = id;
        if std::mem::take(&mut self.has_data) {
            take(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(cuts: &[&[u8]]) -> Vec<Event> {
        let (mut reader, mut events) = (EventReader::default(), Vec::new());
        for cut in cuts {
            reader.push(cut, |event| events.push(event));
        }
        events
    }

    fn event(name: &str, id: &str, data: &str) -> Event {
        Event {
            name: name.to_owned(),
            id: id.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn fields_lines_and_comments_are_read_as_the_standard_has_them() {
        let text = "\u{feff}retry: 1000\n\n: quiet\nid: a.1\nevent: delta\ndata: one\ndata:two\ndata\n\nevent: lost\n\n\
                    data:  kept\r\n\r\nid\ndata: no id\r\rdata: unfinished\n";
        let expected = [
            event("delta", "a.1", "one\ntwo\n"),
            event("", "a.1", " kept"),
            event("", "", "no id"),
        ];
        assert_eq!(read(&[text.as_bytes()]), expected);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_end_the_stream() {
        let events = read(&[b"data: \xff\n\ndata: next\n\n"]);
        assert_eq!(events, [event("", "", "\u{fffd}"), event("", "", "next")]);
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            lines in prop::collection::vec(("(data|id|event|retry|other)", "[ -~\u{e4}\u{1f600}]{0,8}", "(\n|\r|\r\n|\n\n|\r\r|\r\n\r\n)"), 0..20),
            cuts in prop::collection::vec(0_usize..200, 0..12),
        ) {
            let text: String = lines.iter().map(|(field, value, end)| format!("{field}: {value}{end}")).collect();
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }
    }
}
