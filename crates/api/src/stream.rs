//! What `GET /api/v1/stream` can be asked for.

use crate::live::{LivePoint, LiveSpan};
use crate::logs::Log;
use crate::params::Params;
use crate::problem::Problem;
use crate::query::{project, severity, severity_word, system, text};
use meshscope_model::System;

/// The largest `last`.
pub const MAX_LAST: u32 = 1_000_000;

/// What of the stream a subscriber wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamQuery {
    /// Go on after this place; absent starts at `since`.
    pub cursor: Option<String>,
    /// Without a cursor: start with what arrived at this moment or later, ns since the epoch.
    pub since: Option<i64>,
    /// Without either: start so many records back, wanted or not.
    pub last: Option<u32>,
    /// End at this place; absent goes on until the client or the server goes.
    pub until: Option<String>,
    /// Only this project.
    pub project: Option<String>,
    /// Only this room.
    pub room: Option<String>,
    /// Only this session.
    pub session: Option<String>,
    /// Only this service.
    pub service: Option<String>,
    /// Only this dialect.
    pub system: Option<System>,
    /// Only these signals.
    pub signals: Signals,
    /// Of log records only those of at least this severity number.
    pub min_severity: Option<u8>,
    /// Only records with this text, in lower case.
    pub q: Option<String>,
}

/// A set of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signals {
    /// Spans.
    pub traces: bool,
    /// Log records.
    pub logs: bool,
    /// Metric points.
    pub metrics: bool,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            traces: true,
            logs: true,
            metrics: true,
        }
    }
}

impl Signals {
    fn read(params: &Params) -> Result<Self, Problem> {
        let Some(words) = params.get("signal") else {
            return Ok(Self::default());
        };
        let mut signals = Self {
            traces: false,
            logs: false,
            metrics: false,
        };
        for word in words.split(',') {
            match word.trim() {
                "traces" => signals.traces = true,
                "logs" => signals.logs = true,
                "metrics" => signals.metrics = true,
                other => {
                    return Err(Problem::invalid_parameter(
                        "signal",
                        format!(
                            "{other:?} is not a signal: give traces, logs, metrics, or several with commas"
                        ),
                    ));
                }
            }
        }
        Ok(signals)
    }

    fn words(self) -> Option<String> {
        let words = [
            (self.traces, "traces"),
            (self.logs, "logs"),
            (self.metrics, "metrics"),
        ];
        let chosen: Vec<&str> = words
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| *word)
            .collect();
        (chosen.len() < words.len()).then(|| chosen.join(","))
    }
}

/// What the place of a record is told from: the same for many records of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place<'a> {
    /// The tenant.
    pub project: &'a str,
    /// The room.
    pub room: Option<&'a str>,
    /// The session, as known now.
    pub session_id: Option<&'a str>,
    /// `service.name`.
    pub service: &'a str,
    /// The dialect.
    pub system: System,
}

impl StreamQuery {
    const KNOWN: [&str; 12] = [
        "cursor", "since", "last", "until", "project", "room", "session", "service", "system", "signal",
        "severity", "q",
    ];

    /// Reads a query string.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&Self::KNOWN)?;
        Ok(Self {
            cursor: text(params, "cursor"),
            since: params.time("since")?,
            last: params.number("last", 0, MAX_LAST)?,
            until: text(params, "until"),
            project: project(params),
            room: text(params, "room"),
            session: text(params, "session"),
            service: text(params, "service"),
            system: system(params)?,
            signals: Signals::read(params)?,
            min_severity: severity(params)?,
            q: text(params, "q").map(|q| q.to_lowercase()),
        })
    }

    /// Writes the query string that reads back to the same.
    #[must_use]
    pub fn write(&self) -> Params {
        let mut params = Params::default();
        params.set("cursor", self.cursor.as_ref());
        params.set("since", self.since);
        params.set("last", self.last);
        params.set("until", self.until.as_ref());
        params.set("project", self.project.as_ref());
        params.set("room", self.room.as_ref());
        params.set("session", self.session.as_ref());
        params.set("service", self.service.as_ref());
        params.set("system", self.system.map(System::as_str));
        params.set("signal", self.signals.words());
        params.set("severity", severity_word(self.min_severity));
        params.set("q", self.q.as_ref());
        params
    }

    /// Whether records of this place are wanted.
    #[must_use]
    pub fn wants_place(&self, place: &Place<'_>) -> bool {
        let is = |wanted: &Option<String>, is: Option<&str>| wanted.as_deref().is_none_or(|w| is == Some(w));
        is(&self.project, Some(place.project))
            && is(&self.room, place.room)
            && is(&self.session, place.session_id)
            && is(&self.service, Some(place.service))
            && self.system.is_none_or(|system| system == place.system)
    }

    /// Whether every record of a wanted place is wanted.
    #[must_use]
    pub fn wants_whole_places(&self) -> bool {
        self.signals == Signals::default() && self.min_severity.is_none() && self.q.is_none()
    }

    /// Whether a log record of this severity is wanted.
    #[must_use]
    pub fn wants_severity(&self, number: u8) -> bool {
        self.min_severity.is_none_or(|min| number >= min)
    }

    fn finds<'a>(&self, mut texts: impl Iterator<Item = &'a str>) -> bool {
        let has = |q: &String| texts.any(|text| text.to_lowercase().contains(q.as_str()));
        self.q.as_ref().is_none_or(has)
    }

    /// Whether a span has the text that is looked for: in its name, service, agent, model, tool,
    /// error, title, session, room or ids.
    #[must_use]
    pub fn finds_span(&self, span: &LiveSpan) -> bool {
        if self.q.is_none() {
            return true;
        }
        let ids = [span.trace_id.to_string(), span.span_id.to_string()];
        let always = [
            span.name.as_str(),
            span.service.as_str(),
            ids[0].as_str(),
            ids[1].as_str(),
        ];
        let known = [
            &span.agent,
            &span.model,
            &span.tool,
            &span.error,
            &span.title,
            &span.session_id,
            &span.room,
        ];
        let known = known.into_iter().filter_map(|text| text.as_deref());
        self.finds(always.into_iter().chain(known))
    }

    /// Whether a log record has the text: in its body, event name or attribute values.
    #[must_use]
    pub fn finds_log(&self, log: &Log) -> bool {
        if self.q.is_none() {
            return true;
        }
        let values = log.attributes.iter().map(|kv| kv.value.to_text());
        let texts: Vec<String> = values.chain([log.body.to_text()]).collect();
        let event = std::iter::once(log.event_name.as_str());
        self.finds(event.chain(texts.iter().map(String::as_str)))
    }

    /// Whether a metric point has the text: in its name or service.
    #[must_use]
    pub fn finds_point(&self, point: &LivePoint) -> bool {
        self.finds([point.name.as_str(), point.service.as_str()].into_iter())
    }

    /// Whether a span is wanted.
    #[must_use]
    pub fn wants_span(&self, span: &LiveSpan) -> bool {
        let place = Place {
            project: &span.project,
            room: span.room.as_deref(),
            session_id: span.session_id.as_deref(),
            service: &span.service,
            system: span.system,
        };
        self.signals.traces && self.wants_place(&place) && self.finds_span(span)
    }

    /// Whether a log record is wanted.
    #[must_use]
    pub fn wants_log(&self, log: &Log) -> bool {
        let place = Place {
            project: &log.project,
            room: log.room.as_deref(),
            session_id: log.session_id.as_deref(),
            service: &log.service,
            system: log.system,
        };
        let wanted = self.signals.logs && self.wants_severity(log.severity_number);
        wanted && self.wants_place(&place) && self.finds_log(log)
    }

    /// Whether a metric point is wanted.
    #[must_use]
    pub fn wants_point(&self, point: &LivePoint) -> bool {
        let place = Place {
            project: &point.project,
            room: point.room.as_deref(),
            session_id: point.session_id.as_deref(),
            service: &point.service,
            system: point.system,
        };
        self.signals.metrics && self.wants_place(&place) && self.finds_point(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_survive_the_url_and_unknown_words_are_named() {
        let all = "cursor=a.5&since=1700000000000000000&last=500&until=a.9&project=p&room=r&session=s&service=v&system=mcp-mesh&signal=traces%2Clogs&severity=warn&q=Text";
        let query = StreamQuery::read(&Params::parse(all)).unwrap();
        assert_eq!((query.min_severity, query.q.as_deref()), (Some(13), Some("text")));
        assert!(query.signals.traces && query.signals.logs && !query.signals.metrics);
        assert_eq!(StreamQuery::read(&query.write()).unwrap(), query);
        assert_eq!(
            StreamQuery::read(&Params::default()).unwrap(),
            StreamQuery::default()
        );
        for (bad, parameter) in [
            ("signal=spans", "signal"),
            ("limit=1", "limit"),
            ("severity=loud", "severity"),
            ("since=yesterday", "since"),
        ] {
            let problem = StreamQuery::read(&Params::parse(bad)).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(parameter));
        }
    }
}
