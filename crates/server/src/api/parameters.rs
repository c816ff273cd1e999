//! Parameters that several paths take, for the OpenAPI document. `meshscope_api` reads them; a test holds
//! what is read and what is documented to each other.

#![expect(dead_code, reason = "the document is made of their names, types and comments")]

use super::params;
use meshscope_api::{Problem, query};
use utoipa::IntoParams;

/// The session of a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfSession {
    /// Identity of the session
    session_id: String,
}

/// The project of one thing that is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InProject {
    /// Its project, where several have a session of this name
    project: Option<String>,
}

/// Reads the query string of a path that takes [`InProject`] alone.
pub(crate) fn in_project(query: Option<String>) -> Result<Option<String>, Problem> {
    let params = params(query);
    params.only(&["project"])?;
    Ok(query::project(&params))
}

/// Project and time of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Within {
    /// Only this project; `*` or absent is all
    project: Option<String>,
    /// First moment; absent is 24 hours ago, 0 is all
    from: Option<String>,
    /// First moment after the range; absent is open
    to: Option<String>,
}

/// The part of a list that is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Entries of a page, 1 to 10,000, 100 by default
    limit: Option<u32>,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

/// Which sessions or traces, by what they are and hold.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListFilters {
    /// Text in titles or names, ids, rooms, agents, models, tools, errors; of traces in services too
    q: Option<String>,
    /// `active`, `ended` or `failed`
    status: Option<String>,
    /// With or without failed spans. Of what goes on beyond the time that is asked for, what lies in it decides:
    /// here, for `blocked`, `attr`, `q` and `agent`
    has_error: Option<bool>,
    /// With or without blocked spans
    blocked: Option<bool>,
    /// At least this cost
    min_cost_usd: Option<f64>,
    /// At least this duration
    min_duration_ms: Option<f64>,
    /// With a span of this attribute: `KEY=VALUE`, `KEY!=VALUE`, `KEY<N`, `KEY<=N`, `KEY>N`, `KEY>=N`,
    /// `KEY~TEXT` or `KEY`; given several times, one span that has all of them
    attr: Option<Vec<String>>,
}

/// Whose sessions or traces, and of what.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListOf {
    /// Only this agent system
    system: Option<String>,
    /// Only this room
    room: Option<String>,
    /// Only this session
    session: Option<String>,
    /// Where this agent took part
    agent: Option<String>,
    /// Where this model was called
    model: Option<String>,
}

/// What metrics are asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesOf {
    /// Names, or series of one, at the most, 1 to 10,000, 100 by default
    limit: Option<u32>,
    /// Only this session
    session: Option<String>,
    /// Only this room
    room: Option<String>,
    /// Only this service
    service: Option<String>,
    /// Text in the name
    q: Option<String>,
}

/// Which calls, and how they are shown. The paths of usage take the same parameters, so that the question of
/// a figure can be asked for its rows; what one of them does not show is without effect there.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageOf {
    /// Only this session
    session: Option<String>,
    /// Only this room
    room: Option<String>,
    /// Only this agent
    agent: Option<String>,
    /// Only this role
    role: Option<String>,
    /// Only this model
    model: Option<String>,
    /// Only this provider
    provider: Option<String>,
    /// Only this tool
    tool: Option<String>,
    /// Only this service
    service: Option<String>,
    /// Only this version of a service
    version: Option<String>,
    /// Only this operation: `chat`, `embeddings`, ...
    operation: Option<String>,
    /// Only this user
    user: Option<String>,
    /// Only this run (trace id)
    trace: Option<String>,
    /// Only this agent system
    system: Option<String>,
    /// Only calls without these, for example `model,tool`
    none: Option<Vec<String>>,
    /// Only calls whose span has an attribute, `KEY=VALUE`; an empty value is absence
    r#where: Option<Vec<String>>,
    /// IANA time zone in which days, weeks and months are cut; UTC by default
    tz: Option<String>,
    /// Width of a bucket: `1s 10s 1m 5m 15m 30m 1h 2h 3h 6h 12h 1d 1w 1mo 1y`; absent gives at most 90
    bucket: Option<String>,
    /// One or two, with a comma or twice: project session room agent role model provider tool service system
    /// version operation user trace attr:KEY
    by: Option<Vec<String>>,
    /// Groups at the most, 50 by default; the others are one entry with `other`
    top: Option<u32>,
    /// Of groups, which decides over the top: cost tokens calls errors latency carbon name. Of rows: `time`
    /// (newest first), or cost tokens latency carbon, the most first
    order: Option<String>,
    /// `previous`: the period before, too
    compare: Option<String>,
    /// Totals that ancestors claim, among the rows: `with` (the default), `without` or `only`
    claims: Option<String>,
}

/// How usage is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageFormat {
    /// `json`, `csv` or `parquet`
    format: Option<String>,
}
