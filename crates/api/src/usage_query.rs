//! What usage can be asked for: `/usage`, `/usage/latency`, `/usage/rows` and `/usage/calls`
//! take the same filters.
//!
//! Two kinds of filters: `project room session system agent role model provider tool service
//! version operation user none` choose **calls**; `q status has_error blocked min_cost_usd
//! min_duration_ms attr` choose **sessions**, as they do in the list of sessions, and with these
//! all their calls.

use crate::params::Params;
use crate::problem::Problem;
use crate::query::{ListQuery, text};
use meshscope_model::Operation;
use meshscope_model::time::{DAY, MINUTE, SECOND};
use std::fmt;

/// What usage can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageGroupBy {
    /// The tenant.
    Project,
    /// The session.
    Session,
    /// The room.
    Room,
    /// Who acted.
    Agent,
    /// Role of the agent.
    Role,
    /// The model.
    Model,
    /// Its provider.
    Provider,
    /// The tool.
    Tool,
    /// `service.name`.
    Service,
    /// The dialect.
    System,
    /// `service.version`.
    Version,
    /// What was done: `chat`, `embeddings`, `execute_tool` and so on.
    Operation,
    /// Who asked.
    User,
    /// The run: one trace.
    Trace,
}

impl UsageGroupBy {
    /// Every grouping, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::Project,
        Self::Session,
        Self::Room,
        Self::Agent,
        Self::Role,
        Self::Model,
        Self::Provider,
        Self::Tool,
        Self::Service,
        Self::System,
        Self::Version,
        Self::Operation,
        Self::User,
        Self::Trace,
    ];

    /// The word in the URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Session => "session",
            Self::Room => "room",
            Self::Agent => "agent",
            Self::Role => "role",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Tool => "tool",
            Self::Service => "service",
            Self::System => "system",
            Self::Version => "version",
            Self::Operation => "operation",
            Self::User => "user",
            Self::Trace => "trace",
        }
    }

    /// The grouping named `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }
}

/// A key that usage is grouped by: a known one, or an attribute of the call's span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageKey {
    /// One of the known.
    By(UsageGroupBy),
    /// The value of this attribute (`attr:KEY` in the URL); what was read from metrics has none.
    Attribute(String),
}

impl UsageKey {
    /// The key that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let attribute = word.strip_prefix("attr:").filter(|key| !key.is_empty());
        attribute
            .map(|key| Self::Attribute(key.to_owned()))
            .or_else(|| UsageGroupBy::parse(word).map(Self::By))
    }
}

impl From<UsageGroupBy> for UsageKey {
    fn from(by: UsageGroupBy) -> Self {
        Self::By(by)
    }
}

impl fmt::Display for UsageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(by) => f.write_str(by.as_str()),
            Self::Attribute(key) => write!(f, "attr:{key}"),
        }
    }
}

/// How wide a bucket is. Those of a day and more begin at midnight in the zone that is asked
/// for, so that one of a day may have 23 or 25 hours; those of up to 12 hours are cut from the
/// zone's midnight too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// So many seconds; one of [`Bucket::ALL`].
    Seconds(i64),
    /// A calendar day.
    Day,
    /// A calendar week, from Monday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl Bucket {
    /// Every width with its word, the narrowest first.
    pub const ALL: [(&'static str, Self); 15] = [
        ("1s", Self::Seconds(1)),
        ("10s", Self::Seconds(10)),
        ("1m", Self::Seconds(60)),
        ("5m", Self::Seconds(300)),
        ("15m", Self::Seconds(900)),
        ("30m", Self::Seconds(1_800)),
        ("1h", Self::Seconds(3_600)),
        ("2h", Self::Seconds(7_200)),
        ("3h", Self::Seconds(10_800)),
        ("6h", Self::Seconds(21_600)),
        ("12h", Self::Seconds(43_200)),
        ("1d", Self::Day),
        ("1w", Self::Week),
        ("1mo", Self::Month),
        ("1y", Self::Year),
    ];

    /// The word in the URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, bucket)| *bucket == self)
            .map_or("1d", |(word, _)| word)
    }

    /// The width named `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == word)
            .map(|(_, bucket)| bucket)
    }

    /// About how long it is, ns: a day has 24 hours, a month 30 days and a
    /// year 365.
    #[must_use]
    pub fn nominal_ns(self) -> i64 {
        match self {
            Self::Seconds(n) => n * SECOND,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
            Self::Year => 365 * DAY,
        }
    }
}

/// By what groups and rows are ordered, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsageOrder {
    /// Cost; what has none comes last, and of the same cost what has more tokens first.
    #[default]
    Cost,
    /// All tokens.
    Tokens,
    /// How many calls (groups only).
    Calls,
    /// How many failed (groups only).
    Errors,
    /// 95th percentile of latency (groups), duration (rows).
    Latency,
    /// Carbon.
    Carbon,
    /// By name, ascending (groups); by time, newest first (rows).
    Plain,
}

impl UsageOrder {
    const GROUPS: [(&'static str, Self); 7] = [
        ("cost", Self::Cost),
        ("tokens", Self::Tokens),
        ("calls", Self::Calls),
        ("errors", Self::Errors),
        ("latency", Self::Latency),
        ("carbon", Self::Carbon),
        ("name", Self::Plain),
    ];
    const ROWS: [(&'static str, Self); 5] = [
        ("time", Self::Plain),
        ("cost", Self::Cost),
        ("tokens", Self::Tokens),
        ("latency", Self::Latency),
        ("carbon", Self::Carbon),
    ];
}

/// Which claims stand among the rows: totals that ancestors report over calls that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Claims {
    /// Calls and claims.
    #[default]
    With,
    /// Calls only: what the figures are made of.
    Without,
    /// Claims only.
    Only,
}

impl Claims {
    const WORDS: [(&'static str, Self); 3] = [
        ("with", Self::With),
        ("without", Self::Without),
        ("only", Self::Only),
    ];
}

/// Which durations a heat map shows (`of` of `/usage/latency`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LatencyOf {
    /// Those of calls.
    #[default]
    Calls,
    /// Times to first token.
    FirstToken,
    /// Those of runs.
    Runs,
}

impl LatencyOf {
    const WORDS: [(&'static str, Self); 3] = [
        ("calls", Self::Calls),
        ("first_token", Self::FirstToken),
        ("runs", Self::Runs),
    ];

    /// Takes `of` out of the parameters.
    pub fn take(params: &mut Params) -> Result<Self, Problem> {
        let word = params.one_of("of", &Self::WORDS.map(|(word, _)| word))?;
        let of = named(&Self::WORDS, word).unwrap_or_default();
        params.0.retain(|(key, _)| key != "of");
        Ok(of)
    }

    /// The word in the URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word(&Self::WORDS, self).unwrap_or("calls")
    }
}

/// How many groups a report has at the most when `top` is not given; the others are one.
pub const DEFAULT_TOP: u32 = 50;
/// The largest `top`.
pub const MAX_TOP: u32 = 10_000;
/// How many buckets a report may have.
pub const MAX_BUCKETS: usize = 5_000;

/// What usage can be asked for; the filters also choose the rows of `/usage/rows`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UsageQuery {
    /// The filters shared with the lists.
    pub list: ListQuery,
    /// Width of a bucket; `None` chooses one that gives at most 90 buckets.
    pub bucket: Option<Bucket>,
    /// IANA time zone in which days, weeks and months are cut (`Europe/Berlin`); `None` is UTC.
    pub tz: Option<String>,
    /// Grouping by no key, one or two (`by=model`, `by=model,agent`, or `by` twice).
    pub by: Vec<UsageKey>,
    /// How many groups at the most; the others are summed up as one (see `UsageGroup::other`).
    pub top: Option<u32>,
    /// Order of the groups, which decides who is among the top; of rows where rows are asked for.
    pub order: Option<UsageOrder>,
    /// The period of equal length before, too (`compare=previous`).
    pub compare: bool,
    /// Only this provider.
    pub provider: Option<String>,
    /// Only this tool.
    pub tool: Option<String>,
    /// Only this service.
    pub service: Option<String>,
    /// Only this role.
    pub role: Option<String>,
    /// Only this `service.version`.
    pub version: Option<String>,
    /// Only this user.
    pub user: Option<String>,
    /// Only this operation.
    pub operation: Option<Operation>,
    /// Only this run (trace id, hex).
    pub trace: Option<meshscope_model::TraceId>,
    /// Only what has none of these (`none=model,tool`): the rows under the group without a name.
    pub none: Vec<UsageGroupBy>,
    /// Only calls whose span has this value of an attribute (`where=KEY=VALUE`, once for each): the
    /// rows under a group of an attribute. An empty value is absence.
    pub attributes: Vec<(String, String)>,
    /// Which claims stand among the rows.
    pub claims: Claims,
}

/// What the paths of usage take beside the filters of the lists.
const OWN: [&str; 19] = [
    "limit",
    "cursor",
    "bucket",
    "tz",
    "by",
    "top",
    "order",
    "compare",
    "provider",
    "tool",
    "service",
    "role",
    "version",
    "user",
    "operation",
    "trace",
    "none",
    "where",
    "claims",
];

impl UsageQuery {
    /// Reads the query string of `/usage`, `/usage/latency` and `/usage/calls`.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        Self::read_as(params, &UsageOrder::GROUPS)
    }

    /// Reads the query string of `/usage/rows`, whose `order` has other words.
    pub fn read_rows(params: &Params) -> Result<Self, Problem> {
        Self::read_as(params, &UsageOrder::ROWS)
    }

    fn read_as(params: &Params, orders: &[(&'static str, UsageOrder)]) -> Result<Self, Problem> {
        let list = ListQuery::read_beside(params, &OWN)?;
        let bucket = params.one_of("bucket", &Bucket::ALL.map(|(word, _)| word))?;
        let order = params.one_of("order", &orders.iter().map(|(word, _)| *word).collect::<Vec<_>>())?;
        let claims = params.one_of("claims", &Claims::WORDS.map(|(word, _)| word))?;
        let operations = Operation::ALL.map(Operation::as_str);
        let trace = params.get("trace").map(str::parse).transpose();
        Ok(Self {
            list,
            bucket: bucket.and_then(Bucket::parse),
            tz: text(params, "tz"),
            by: keys(params)?,
            top: params.number("top", 1, MAX_TOP)?,
            order: named(orders, order),
            compare: params.one_of("compare", &["previous"])?.is_some(),
            provider: text(params, "provider"),
            tool: text(params, "tool"),
            service: text(params, "service"),
            role: text(params, "role"),
            version: text(params, "version"),
            user: text(params, "user"),
            operation: params
                .one_of("operation", &operations)?
                .and_then(Operation::parse),
            trace: trace.map_err(|error| Problem::invalid_parameter("trace", format!("{error}")))?,
            none: none(params)?,
            attributes: params.all("where").map(attribute).collect::<Result<_, _>>()?,
            claims: named(&Claims::WORDS, claims).unwrap_or_default(),
        })
    }

    /// Writes the query string that [`UsageQuery::read`] reads back to the same.
    #[must_use]
    pub fn write(&self) -> Params {
        self.write_as(&UsageOrder::GROUPS)
    }

    /// Writes the query string that [`UsageQuery::read_rows`] reads back to the same.
    #[must_use]
    pub fn write_rows(&self) -> Params {
        self.write_as(&UsageOrder::ROWS)
    }

    fn write_as(&self, orders: &[(&'static str, UsageOrder)]) -> Params {
        let mut params = self.list.write();
        params.set("bucket", self.bucket.map(Bucket::as_str));
        params.set("tz", self.tz.as_ref());
        for key in &self.by {
            params.set("by", Some(key));
        }
        params.set("top", self.top);
        params.set("order", self.order.and_then(|order| word(orders, order)));
        params.set("compare", self.compare.then_some("previous"));
        params.set("provider", self.provider.as_ref());
        params.set("tool", self.tool.as_ref());
        params.set("service", self.service.as_ref());
        params.set("role", self.role.as_ref());
        params.set("version", self.version.as_ref());
        params.set("user", self.user.as_ref());
        params.set("operation", self.operation.map(Operation::as_str));
        params.set("trace", self.trace);
        for key in &self.none {
            params.set("none", Some(key.as_str()));
        }
        for (key, value) in &self.attributes {
            params.set("where", Some(format!("{key}={value}")));
        }
        let claims = Some(self.claims).filter(|claims| *claims != Claims::With);
        params.set("claims", claims.and_then(|claims| word(&Claims::WORDS, claims)));
        params
    }
}

fn named<T: Copy>(words: &[(&'static str, T)], word: Option<&str>) -> Option<T> {
    words
        .iter()
        .find(|(known, _)| Some(*known) == word)
        .map(|(_, value)| *value)
}

fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], value: T) -> Option<&'static str> {
    words
        .iter()
        .find(|(_, known)| *known == value)
        .map(|(word, _)| *word)
}

/// The words of a list parameter: given once with commas, or several times. An attribute's key may
/// hold a comma only when it is given alone.
fn words<'a>(params: &'a Params, name: &'a str) -> impl Iterator<Item = &'a str> {
    params.all(name).flat_map(|value| {
        let whole = value.starts_with("attr:");
        value.split(move |c| c == ',' && !whole).map(str::trim)
    })
}

fn keys(params: &Params) -> Result<Vec<UsageKey>, Problem> {
    let known = || UsageGroupBy::ALL.map(UsageGroupBy::as_str).join(", ");
    let keys: Vec<UsageKey> = words(params, "by")
        .map(|word| {
            UsageKey::parse(word).ok_or_else(|| {
                Problem::invalid_parameter("by", format!("{word:?} is not one of {}, attr:KEY", known()))
            })
        })
        .collect::<Result<_, _>>()?;
    match keys.as_slice() {
        [a, b] if a == b => Err(Problem::invalid_parameter("by", format!("{a} is given twice"))),
        [_, _, _, ..] => Err(Problem::invalid_parameter("by", "give one key or two")),
        _ => Ok(keys),
    }
}

fn none(params: &Params) -> Result<Vec<UsageGroupBy>, Problem> {
    let key = |word: &str| {
        UsageGroupBy::parse(word).ok_or_else(|| {
            let known = UsageGroupBy::ALL.map(UsageGroupBy::as_str).join(", ");
            Problem::invalid_parameter("none", format!("{word:?} is not one of {known}"))
        })
    };
    words(params, "none").map(key).collect()
}

fn attribute(text: &str) -> Result<(String, String), Problem> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Problem::invalid_parameter(
            "where",
            format!("{text:?} is not KEY=VALUE"),
        )),
    }
}

/// The narrowest bucket of which at most `most` lie in `span` ns; of seconds only where that is less
/// than ten minutes.
#[must_use]
pub fn fitting(span: i64, most: i64) -> Bucket {
    Bucket::ALL
        .into_iter()
        .map(|(_, bucket)| bucket)
        .filter(|bucket| *bucket >= Bucket::Seconds(MINUTE / SECOND) || span < 10 * MINUTE)
        .find(|bucket| span / bucket.nominal_ns() < most)
        .unwrap_or(Bucket::Year)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::time::HOUR;

    #[test]
    fn questions_survive_the_url() {
        let text = "bucket=1mo&tz=Europe%2FBerlin&by=model%2Cattr%3Aapp.tier&top=7&order=tokens&compare=previous&provider=openai\
                    &tool=t&service=s&role=r&version=1.2&user=u&operation=chat&none=room,tool&where=a%3Db%3Dc&room=x&status=failed";
        let query = UsageQuery::read(&Params::parse(text)).unwrap();
        assert_eq!(query.by.len(), 2);
        assert_eq!(query.by[1], UsageKey::Attribute("app.tier".to_owned()));
        assert_eq!(query.bucket, Some(Bucket::Month));
        assert_eq!(query.none, [UsageGroupBy::Room, UsageGroupBy::Tool]);
        assert_eq!(query.attributes, [("a".to_owned(), "b=c".to_owned())]);
        assert_eq!(UsageQuery::read(&query.write()).unwrap(), query);
        let rows = UsageQuery::read_rows(&Params::parse("order=time&claims=only&cursor=x")).unwrap();
        assert_eq!((rows.order, rows.claims), (Some(UsageOrder::Plain), Claims::Only));
        assert_eq!(UsageQuery::read_rows(&rows.write_rows()).unwrap(), rows);
    }

    #[test]
    fn what_cannot_be_asked_names_the_parameter() {
        for (text, parameter) in [
            ("by=colour", "by"),
            ("by=model,model", "by"),
            ("by=model,agent,room", "by"),
            ("by=attr:", "by"),
            ("none=x", "none"),
            ("where=x", "where"),
            ("trace=zz", "trace"),
            ("order=time", "order"),
            ("bucket=7m", "bucket"),
            ("top=0", "top"),
            ("operation=sing", "operation"),
        ] {
            let problem = UsageQuery::read(&Params::parse(text)).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(parameter), "{text}");
        }
    }

    #[test]
    fn a_bucket_that_fits_is_narrow_and_not_too_narrow() {
        assert_eq!(fitting(HOUR, 90), Bucket::Seconds(60));
        assert_eq!(fitting(DAY, 90), Bucket::Seconds(1_800));
        assert_eq!(fitting(30 * DAY, 90), Bucket::Seconds(43_200));
        assert_eq!(fitting(7 * 365 * DAY, 90), Bucket::Month);
        assert_eq!(fitting(i64::MAX, 90), Bucket::Year);
    }
}
