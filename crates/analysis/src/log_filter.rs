//! Which log records are shown: words and attributes, as a person types them.
//!
//! | written | finds records |
//! |---|---|
//! | `timed out` | with both words, in text, event name, service, agent or attribute values |
//! | `"timed out"` | with the phrase |
//! | `-retry` | without the word |
//! | `http.status=504` | whose attribute (or resource attribute) is this value, or with the text itself |
//! | `http.url~hotels` | whose attribute has this in it |
//! | `-agent=planner` | of which the same is not true |
//!
//! `service`, `agent`, `room`, `session`, `project`, `logger`, `event`, `trace_id` and `span_id` can
//! be asked for as attributes. Capitals and small letters are the same.

use meshscope_api::Log;
use meshscope_model::Resource;
use std::ops::Range;

/// What a record must have or lack.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    not: bool,
    /// Text, in lower case.
    text: String,
    /// A key with what its value must be.
    attribute: Option<Attribute>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    key: String,
    /// In lower case.
    value: String,
    whole: bool,
}

/// A filter that was typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFilter {
    terms: Vec<Term>,
}

impl LogFilter {
    /// Reads what was typed; any text is a filter.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self {
            terms: words(text).into_iter().filter_map(|word| term(&word)).collect(),
        }
    }

    /// True when it lets every record through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a record is let through. `text` is what is shown of it, `resource` who emitted it.
    #[must_use]
    pub fn matches(&self, log: &Log, resource: &Resource, text: &str) -> bool {
        self.terms.iter().all(|term| {
            let attribute = term.attribute.as_ref();
            let is = attribute.is_some_and(|attribute| attribute.is(log, resource));
            let has = || match attribute {
                Some(_) => contains(text, &term.text),
                None => finds(log, text, &term.text),
            };
            (is || has()) != term.not
        })
    }

    /// Where the words that are looked for stand in a text: ranges of bytes, in order and apart.
    #[must_use]
    pub fn highlights(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for term in self.terms.iter().filter(|term| !term.not) {
            let mut at = 0;
            while let Some(next) = text.get(at..).and_then(|rest| find(rest, &term.text)) {
                let start = at + next;
                at = start + term.text.len();
                found.push(start..at);
            }
        }
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut apart: Vec<Range<usize>> = Vec::new();
        for range in found {
            match apart.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        apart
    }
}

impl Attribute {
    fn is(&self, log: &Log, resource: &Resource) -> bool {
        let fits = |value: &str| {
            if self.whole {
                value.eq_ignore_ascii_case(&self.value) || value.to_lowercase() == self.value
            } else {
                contains(value, &self.value)
            }
        };
        let id = |id: Option<String>| id.is_some_and(|id| fits(&id));
        let known = |text: Option<&String>| text.is_some_and(|text| fits(text));
        let own = match self.key.as_str() {
            "service" => fits(&log.service),
            "project" => fits(&log.project),
            "logger" => fits(&log.scope.name),
            "event" => fits(&log.event_name),
            "agent" => known(log.agent.as_ref()),
            "room" => known(log.room.as_ref()),
            "session" => known(log.session_id.as_ref()),
            "trace_id" => id(log.trace_id.map(|id| id.to_string())),
            "span_id" => id(log.span_id.map(|id| id.to_string())),
            _ => false,
        };
        let pairs = log.attributes.iter().chain(resource.attributes.iter());
        own || pairs
            .filter(|pair| pair.key.eq_ignore_ascii_case(&self.key))
            .any(|pair| match pair.value.as_str() {
                Some(text) => fits(text),
                None => fits(&pair.value.to_text()),
            })
    }
}

fn finds(log: &Log, text: &str, word: &str) -> bool {
    contains(text, word)
        || contains(&log.service, word)
        || contains(&log.event_name, word)
        || log.agent.as_ref().is_some_and(|agent| contains(agent, word))
        || log.attributes.iter().any(|pair| match pair.value.as_str() {
            Some(text) => contains(text, word),
            None => contains(&pair.value.to_text(), word),
        })
}

/// Whether a text has a word in it, which is in lower case.
#[must_use]
pub fn contains(text: &str, word: &str) -> bool {
    if word.is_ascii() {
        find(text, word).is_some()
    } else {
        text.to_lowercase().contains(word)
    }
}

/// Where a word stands first. A word beyond ASCII is found as it is written.
fn find(text: &str, word: &str) -> Option<usize> {
    let first = word.as_bytes().first()?;
    if !word.is_ascii() {
        return text.find(word);
    }
    let (upper, lower) = (first.to_ascii_uppercase(), first.to_ascii_lowercase());
    let bytes = text.as_bytes();
    let last = bytes.len().checked_sub(word.len())?;
    let starts = bytes.iter().enumerate().take(last + 1);
    starts
        .filter(|(_, byte)| **byte == lower || **byte == upper)
        .map(|(at, _)| at)
        .find(|at| {
            bytes
                .get(*at..at + word.len())
                .is_some_and(|here| here.eq_ignore_ascii_case(word.as_bytes()))
        })
}

/// Words apart by spaces; quotes hold together, and an end that is missing is the end of the text.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

fn term(word: &str) -> Option<Term> {
    let rest = word.strip_prefix('-').filter(|rest| !rest.is_empty());
    let (not, text) = (rest.is_some(), rest.unwrap_or(word));
    if text.is_empty() {
        return None;
    }
    let is_key = |key: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        !key.is_empty() && key.chars().all(fits)
    };
    let attribute = text.find(['=', '~']).and_then(|at| {
        let (key, value) = (text.get(..at)?, text.get(at + 1..)?);
        (is_key(key) && !value.is_empty()).then(|| Attribute {
            key: key.to_owned(),
            value: value.to_lowercase(),
            whole: text.as_bytes().get(at) == Some(&b'='),
        })
    });
    Some(Term {
        not,
        text: text.to_lowercase(),
        attribute,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn log() -> Log {
        serde_json::from_value(serde_json::json!({
            "sequence": "1", "time": "1", "observed_time": "0", "severity_number": 17, "severity_text": "ERROR",
            "body": {"stringValue": ""}, "service": "tools-gateway", "system": "opentelemetry", "project": "p",
            "agent": "Researcher", "trace_id": "0000000000000000000000000000000a",
            "attributes": [
                {"key": "http.status", "value": {"intValue": "504"}},
                {"key": "url", "value": {"stringValue": "https://Hotels.example/x"}},
            ],
            "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "node-1"}}]},
            "scope": {"name": "app.tools"},
        }))
        .unwrap()
    }

    const TEXT: &str = "read_page: upstream timed out (504) host=hotels.example";

    fn finds(typed: &str) -> bool {
        let log = log();
        LogFilter::parse(typed).matches(&log, &log.resource, TEXT)
    }

    #[test]
    fn words_phrases_and_attributes_find_the_record_and_others_do_not() {
        for typed in [
            "",
            "  ",
            "OUT timed",
            "\"timed out\"",
            "\"timed out",
            "-retry",
            "http.status=504",
            "HTTP.Status=504",
            "url~hotels",
            "host.name=node-1",
            "host=hotels",
            "agent=researcher",
            "service=tools-gateway -agent=planner",
            "logger=app.tools",
            "trace_id~00a",
            "gateway",
            "hotels.example/x",
            "-",
        ] {
            assert!(finds(typed), "{typed}");
        }
        for typed in [
            "retry",
            "\"out timed\"",
            "-timed",
            "http.status=50",
            "url=hotels",
            "host.name=node",
            "-http.status=504",
            "-host=hotels.example",
            "timed retry",
        ] {
            assert!(!finds(typed), "{typed}");
        }
    }

    #[test]
    fn highlights_join_where_words_touch() {
        let of = |typed: &str, text: &str| {
            let ranges = LogFilter::parse(typed).highlights(text);
            ranges
                .into_iter()
                .map(|range| text[range].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("ti OUT med -up", TEXT), ["timed", "out"]);
        assert_eq!(of("\u{df}e", "Stra\u{df}e"), ["\u{df}e"]);
        assert_eq!(of("aa", "aaaa"), ["aaaa"]);
        assert!(of("x", "\u{e4}\u{1f600}").is_empty());
    }

    proptest! {
        #[test]
        fn a_word_of_the_text_finds_it_in_any_case(text in "[a-zA-Z\u{e4}\u{1f600} ]{1,20}", at in 0_usize..20) {
            let word: String = text.chars().skip(at).take(3).collect::<String>().trim().to_owned();
            prop_assert!(contains(&text, &word.to_lowercase()) || word.is_empty());
            for range in LogFilter::parse(&word.to_uppercase()).highlights(&text) {
                prop_assert!(text.get(range).is_some());
            }
        }
    }
}
