//! What the lists can be asked for.

use crate::attribute::AttributeFilter;
use crate::params::Params;
use crate::problem::Problem;
use crate::session_view::SessionOrder;
use meshscope_model::{System, TraceId};

/// How many entries a page has when `limit` is not given.
pub const DEFAULT_LIMIT: u32 = 100;
/// The largest `limit`.
pub const MAX_LIMIT: u32 = 10_000;

/// A half-open range of record time, `from <= time < to`, in ns since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// First moment; `None` means the 24 hours before `to` (before now), `Some(0)` everything.
    pub from: Option<i64>,
    /// First moment after it; `None` is open, so that what arrives is in it.
    pub to: Option<i64>,
}

impl TimeRange {
    /// Everything ever received.
    pub const ALL: Self = Self {
        from: Some(0),
        to: None,
    };

    /// The first and the last moment that are in, at the moment `now`. `from=0` reaches back to
    /// before the epoch, so that records of the wildest clocks are in "all".
    #[must_use]
    pub fn bounds(&self, now: i64) -> (i64, i64) {
        let last = self.to.map_or(i64::MAX, |to| to.saturating_sub(1));
        let from = match self.from {
            Some(0) => i64::MIN,
            Some(from) => from,
            None => self.to.unwrap_or(now).saturating_sub(meshscope_model::time::DAY),
        };
        (from, last)
    }

    pub(crate) fn read(params: &Params) -> Result<Self, Problem> {
        let range = Self {
            from: params.time("from")?,
            to: params.time("to")?,
        };
        if let (Some(from), Some(to)) = (range.from, range.to)
            && from >= to
        {
            return Err(Problem::invalid_parameter("to", "`to` must lie after `from`"));
        }
        Ok(range)
    }

    fn write(&self, params: &mut Params) {
        params.set("from", self.from);
        params.set("to", self.to);
    }
}

/// Filters of the lists of sessions and traces. `project: None` is every project (`project=*`
/// or absent).
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// Only this project.
    pub project: Option<String>,
    /// Record time; a session or trace is in when any of it is.
    pub range: TimeRange,
    /// How many entries at the most.
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Free text: in title, name, room, agent, model, session id, trace id, error text.
    pub q: Option<String>,
    /// Only this dialect.
    pub system: Option<System>,
    /// Only this room.
    pub room: Option<String>,
    /// Only this session (list of traces).
    pub session: Option<String>,
    /// Where this agent took part.
    pub agent: Option<String>,
    /// Where this model was called.
    pub model: Option<String>,
    /// `active`, `ended` or `failed`.
    pub status: Option<String>,
    /// At least this cost, pico-dollars (`min_cost_usd` in dollars in the URL).
    pub min_cost_pico_usd: Option<i64>,
    /// At least this duration, ns (`min_duration_ms` in the URL).
    pub min_duration_ns: Option<i64>,
    /// With or without errors.
    pub has_error: Option<bool>,
    /// With or without blocked steps.
    pub blocked: Option<bool>,
    /// Where one span has all of these (`attr` in the URL, once for each; see
    /// [`AttributeFilter::parse`]).
    pub attributes: Vec<AttributeFilter>,
    /// What sessions are ordered by (`order` in the URL of their list); traces have no other order than
    /// that of their start.
    pub order: SessionOrder,
    /// The least first, rather than the greatest (`direction=asc`).
    pub ascending: bool,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            project: None,
            range: TimeRange { from: None, to: None },
            limit: DEFAULT_LIMIT,
            cursor: None,
            q: None,
            system: None,
            room: None,
            session: None,
            agent: None,
            model: None,
            status: None,
            min_cost_pico_usd: None,
            min_duration_ns: None,
            has_error: None,
            blocked: None,
            attributes: Vec::new(),
            order: SessionOrder::Started,
            ascending: false,
        }
    }
}

const STATUSES: [&str; 3] = ["active", "ended", "failed"];

/// The parameter `project`: absent and `*` are every project.
#[must_use]
pub fn project(params: &Params) -> Option<String> {
    params
        .get("project")
        .filter(|project| *project != "*")
        .map(str::to_owned)
}

fn limit(params: &Params) -> Result<u32, Problem> {
    Ok(params.number("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT))
}

pub(crate) fn text(params: &Params, name: &str) -> Option<String> {
    params.get(name).map(str::to_owned)
}

pub(crate) fn system(params: &Params) -> Result<Option<System>, Problem> {
    let names = System::ALL.map(System::as_str);
    Ok(params.one_of("system", &names)?.and_then(System::parse))
}

/// The lowest number of the severity that `severity` names.
pub(crate) fn severity(params: &Params) -> Result<Option<u8>, Problem> {
    let word = params.one_of("severity", &SEVERITIES.map(|(word, _)| word))?;
    Ok(SEVERITIES
        .iter()
        .find(|(name, _)| Some(*name) == word)
        .map(|(_, n)| *n))
}

/// The word for the severity that begins at `min` or below.
pub(crate) fn severity_word(min: Option<u8>) -> Option<&'static str> {
    SEVERITIES
        .iter()
        .rev()
        .find(|(_, n)| min.is_some_and(|min| *n <= min))
        .map(|(word, _)| *word)
}

impl ListQuery {
    /// What the lists are filtered by, and figures over them.
    const FILTERS: [&str; 15] = [
        "project",
        "from",
        "to",
        "q",
        "system",
        "room",
        "session",
        "agent",
        "model",
        "status",
        "min_cost_usd",
        "min_duration_ms",
        "has_error",
        "blocked",
        "attr",
    ];
    const PAGING: [&str; 2] = ["limit", "cursor"];

    /// Reads the query string of a list.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        Self::read_beside(params, &Self::PAGING)
    }

    /// Reads the query string of figures over all that a list with the same filters shows.
    pub fn read_totals(params: &Params) -> Result<Self, Problem> {
        Self::read_beside(params, &[])
    }

    /// Reads the filters, beside which there may be the parameters `others`.
    pub(crate) fn read_beside(params: &Params, others: &[&str]) -> Result<Self, Problem> {
        params.only(&[&Self::FILTERS[..], others].concat())?;
        let dollars = params.number("min_cost_usd", 0.0, 1.0e6)?;
        let milliseconds = params.number("min_duration_ms", 0.0, 9.0e12)?;
        Ok(Self {
            project: project(params),
            range: TimeRange::read(params)?,
            limit: limit(params)?,
            cursor: text(params, "cursor"),
            q: text(params, "q"),
            system: system(params)?,
            room: text(params, "room"),
            session: text(params, "session"),
            agent: text(params, "agent"),
            model: text(params, "model"),
            status: params.one_of("status", &STATUSES)?.map(str::to_owned),
            min_cost_pico_usd: dollars.map(|x: f64| (x * 1.0e12).round() as i64),
            min_duration_ns: milliseconds.map(|x: f64| (x * 1.0e6).round() as i64),
            has_error: params.bool("has_error")?,
            blocked: params.bool("blocked")?,
            attributes: params
                .all("attr")
                .map(AttributeFilter::parse)
                .collect::<Result<_, _>>()?,
            order: SessionOrder::Started,
            ascending: false,
        })
    }

    /// Reads the query string of a list of sessions, which can be ordered.
    pub fn read_sessions(params: &Params) -> Result<Self, Problem> {
        let others = [&Self::PAGING[..], &["order", "direction"]].concat();
        let shared = Self::read_beside(params, &others)?;
        let order = params.one_of("order", &SessionOrder::ALL.map(SessionOrder::as_str))?;
        let direction = params.one_of("direction", &["asc", "desc"])?;
        Ok(Self {
            order: order.and_then(SessionOrder::parse).unwrap_or_default(),
            ascending: direction == Some("asc"),
            ..shared
        })
    }

    /// Writes the query string that reads back to the same.
    #[must_use]
    pub fn write(&self) -> Params {
        let mut params = Params::default();
        params.set("project", self.project.as_ref());
        self.range.write(&mut params);
        params.set("limit", Some(self.limit));
        params.set("cursor", self.cursor.as_ref());
        params.set("q", self.q.as_ref());
        params.set("system", self.system.map(System::as_str));
        params.set("room", self.room.as_ref());
        params.set("session", self.session.as_ref());
        params.set("agent", self.agent.as_ref());
        params.set("model", self.model.as_ref());
        params.set("status", self.status.as_ref());
        params.set(
            "min_cost_usd",
            self.min_cost_pico_usd.map(|pico| pico as f64 / 1.0e12),
        );
        params.set(
            "min_duration_ms",
            self.min_duration_ns.map(|ns| ns as f64 / 1.0e6),
        );
        params.set("has_error", self.has_error);
        params.set("blocked", self.blocked);
        for filter in &self.attributes {
            params.set("attr", Some(filter));
        }
        let ordered = (self.order, self.ascending) != (SessionOrder::Started, false);
        params.set("order", ordered.then(|| self.order.as_str()));
        params.set("direction", self.ascending.then_some("asc"));
        params
    }
}

/// Filters of the list of logs, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct LogQuery {
    /// Only this project.
    pub project: Option<String>,
    /// Record time.
    pub range: TimeRange,
    /// How many entries at the most.
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Text in the body, the event name or an attribute's value.
    pub q: Option<String>,
    /// At least this severity number (`severity=warn` in the URL).
    pub min_severity: Option<u8>,
    /// Only this session.
    pub session: Option<String>,
    /// Only this trace.
    pub trace_id: Option<TraceId>,
    /// Only this room.
    pub room: Option<String>,
    /// Only this service.
    pub service: Option<String>,
    /// Only this dialect.
    pub system: Option<System>,
}

impl Default for LogQuery {
    fn default() -> Self {
        Self {
            project: None,
            range: TimeRange { from: None, to: None },
            limit: DEFAULT_LIMIT,
            cursor: None,
            q: None,
            min_severity: None,
            session: None,
            trace_id: None,
            room: None,
            service: None,
            system: None,
        }
    }
}

/// Names of severities with the lowest number of each.
pub const SEVERITIES: [(&str, u8); 6] = [
    ("trace", 1),
    ("debug", 5),
    ("info", 9),
    ("warn", 13),
    ("error", 17),
    ("fatal", 21),
];

impl LogQuery {
    const KNOWN: [&str; 12] = [
        "project", "from", "to", "limit", "cursor", "q", "severity", "session", "trace_id", "room",
        "service", "system",
    ];

    /// Reads a query string.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&Self::KNOWN)?;
        let trace_id = match params.get("trace_id") {
            None => None,
            Some(id) => Some(
                id.parse()
                    .map_err(|e| Problem::invalid_parameter("trace_id", format!("{e}")))?,
            ),
        };
        Ok(Self {
            project: project(params),
            range: TimeRange::read(params)?,
            limit: limit(params)?,
            cursor: text(params, "cursor"),
            q: text(params, "q"),
            min_severity: severity(params)?,
            session: text(params, "session"),
            trace_id,
            room: text(params, "room"),
            service: text(params, "service"),
            system: system(params)?,
        })
    }

    /// Writes the query string that reads back to the same.
    #[must_use]
    pub fn write(&self) -> Params {
        let mut params = Params::default();
        params.set("project", self.project.as_ref());
        self.range.write(&mut params);
        params.set("limit", Some(self.limit));
        params.set("cursor", self.cursor.as_ref());
        params.set("q", self.q.as_ref());
        params.set("severity", severity_word(self.min_severity));
        params.set("session", self.session.as_ref());
        params.set("trace_id", self.trace_id);
        params.set("room", self.room.as_ref());
        params.set("service", self.service.as_ref());
        params.set("system", self.system.map(System::as_str));
        params
    }
}

/// Filters of the metrics: the list of names, and the series of one.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesQuery {
    /// Only this project.
    pub project: Option<String>,
    /// Record time.
    pub range: TimeRange,
    /// How many series (or names) at the most.
    pub limit: u32,
    /// Only this session.
    pub session: Option<String>,
    /// Only this room.
    pub room: Option<String>,
    /// Only this service.
    pub service: Option<String>,
    /// Text in the name.
    pub q: Option<String>,
}

impl Default for SeriesQuery {
    fn default() -> Self {
        Self {
            project: None,
            range: TimeRange { from: None, to: None },
            limit: DEFAULT_LIMIT,
            session: None,
            room: None,
            service: None,
            q: None,
        }
    }
}

impl SeriesQuery {
    const KNOWN: [&str; 8] = [
        "project", "from", "to", "limit", "session", "room", "service", "q",
    ];

    /// Reads a query string.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&Self::KNOWN)?;
        Ok(Self {
            project: project(params),
            range: TimeRange::read(params)?,
            limit: limit(params)?,
            session: text(params, "session"),
            room: text(params, "room"),
            service: text(params, "service"),
            q: text(params, "q"),
        })
    }

    /// Writes the query string that reads back to the same.
    #[must_use]
    pub fn write(&self) -> Params {
        let mut params = Params::default();
        params.set("project", self.project.as_ref());
        self.range.write(&mut params);
        params.set("limit", Some(self.limit));
        params.set("session", self.session.as_ref());
        params.set("room", self.room.as_ref());
        params.set("service", self.service.as_ref());
        params.set("q", self.q.as_ref());
        params
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_survive_the_url() {
        let text = "project=p&from=5&to=9&limit=7&q=a+b&system=mcp-mesh&status=failed&min_cost_usd=0.01&min_duration_ms=1.5&has_error=true";
        let query = ListQuery::read(&Params::parse(text)).unwrap();
        assert_eq!(query.min_cost_pico_usd, Some(10_000_000_000));
        assert_eq!(query.min_duration_ns, Some(1_500_000));
        assert_eq!(ListQuery::read(&query.write()).unwrap(), query);
        let sessions = ListQuery::read_sessions(&Params::parse("order=cost&direction=asc&q=a")).unwrap();
        assert_eq!((sessions.order, sessions.ascending), (SessionOrder::Cost, true));
        assert_eq!(ListQuery::read_sessions(&sessions.write()).unwrap(), sessions);
        for (query, parameter) in [("order=size", "order"), ("direction=up", "direction")] {
            let problem = ListQuery::read_sessions(&Params::parse(query)).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(parameter));
        }
        assert!(
            ListQuery::read(&Params::parse("order=cost")).is_err(),
            "only sessions are ordered"
        );
        let logs = LogQuery::read(&Params::parse("severity=warn&session=s")).unwrap();
        assert_eq!(logs.min_severity, Some(13));
        assert_eq!(LogQuery::read(&logs.write()).unwrap(), logs);
    }

    #[test]
    fn every_project_is_a_star_or_nothing() {
        assert_eq!(
            ListQuery::read(&Params::parse("project=*")).unwrap().project,
            None
        );
    }

    #[test]
    fn ranges_default_to_a_day_and_zero_is_all() {
        let day = meshscope_model::time::DAY;
        let none = TimeRange { from: None, to: None };
        assert_eq!(none.bounds(5 * day), (4 * day, i64::MAX));
        assert_eq!(TimeRange::ALL.bounds(5 * day).0, i64::MIN);
        assert!(ListQuery::read(&Params::parse("from=9&to=9")).is_err());
    }
}
