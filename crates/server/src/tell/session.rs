//! `meshscope session`: the list, and one with its runs, logs and metrics.

use super::ask::{Ask, Server};
use super::line::{Line, Style};
use super::out::{Form, Out};
use super::table::{Column, Table, cell};
use super::trace::counted;
use super::when::Range;
use super::{Ended, record};
use meshscope_api::params::encode;
use meshscope_api::query::{MAX_LIMIT, SEVERITIES};
use meshscope_api::{
    ListQuery, Log, LogPage, LogQuery, MetricDetail, MetricList, Params, SeriesQuery, Session, SessionDetail,
    SessionPage, SessionStatus, TimeRange, TracePage, TraceSummary,
};
use meshscope_layout::format;
use meshscope_layout::text::one_line;
use meshscope_model::Tokens;

/// What `meshscope session` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SessionOptions {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// Sessions, latest start first.
    List(Box<ListOptions>),
    /// One session: what ran, how it went, its runs.
    Get(One),
    /// Log records of a session, oldest first.
    Logs(LogsOptions),
    /// Metrics of a session; with a name the latest points of its series.
    Metrics(MetricsOptions),
    /// Runs (traces) of a session, latest start first.
    Traces(TracesOptions),
}

#[derive(Debug, Clone, clap::Args)]
struct ListOptions {
    #[command(flatten)]
    range: Range,
    /// Only this project.
    #[arg(long)]
    project: Option<String>,
    /// Only this room.
    #[arg(long)]
    room: Option<String>,
    /// Only this agent system, for example meshagent.
    #[arg(long)]
    system: Option<String>,
    /// Where this agent took part.
    #[arg(long)]
    agent: Option<String>,
    /// Where this model was called.
    #[arg(long)]
    model: Option<String>,
    /// active, ended or failed.
    #[arg(long, value_parser = ["active", "ended", "failed"], hide_possible_values = true)]
    status: Option<String>,
    /// Text in title, ids, room, agents, models, tools, errors.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only those with failed spans.
    #[arg(long)]
    errors: bool,
    /// Only those with blocked spans.
    #[arg(long)]
    blocked: bool,
    /// How many at the most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Clone, clap::Args)]
struct One {
    /// The session's id.
    session_id: String,
    /// Its project, where several have a session of this id.
    #[arg(long)]
    project: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
struct LogsOptions {
    #[command(flatten)]
    one: One,
    /// Only those of at least this level.
    #[arg(long, value_parser = SEVERITIES.map(|(word, _)| word))]
    level: Option<String>,
    /// Text in body, event name or attribute values.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How many at the most: the latest.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Clone, clap::Args)]
struct MetricsOptions {
    #[command(flatten)]
    one: One,
    /// A metric's name.
    name: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
struct TracesOptions {
    #[command(flatten)]
    one: One,
    /// How many at the most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// Runs the command.
pub(super) async fn run(options: SessionOptions) -> Result<(), Ended> {
    let mut ask = options.server.ask()?;
    let mut out = Out::new(&options.form);
    match options.what {
        What::List(options) => list(&mut ask, &mut out, &options).await,
        What::Get(one) => get(&mut ask, &mut out, &one).await,
        What::Logs(options) => logs(&mut ask, &mut out, &options).await,
        What::Metrics(options) => match &options.name {
            None => metrics(&mut ask, &mut out, &options.one).await,
            Some(name) => metric(&mut ask, &mut out, &options.one, name).await,
        },
        What::Traces(options) => traces(&mut ask, &mut out, &options).await,
    }?;
    out.flush()
}

/// How many to ask for when `limit` are wanted and some are there.
fn page(limit: u32, there: usize) -> u32 {
    limit
        .saturating_sub(u32::try_from(there).unwrap_or(u32::MAX))
        .min(MAX_LIMIT)
}

fn none_in_range() -> Ended {
    Ended::Nothing("there are no such sessions in this range (--from 0 looks at all times)".to_owned())
}

async fn list(ask: &mut Ask, out: &mut Out, options: &ListOptions) -> Result<(), Ended> {
    let mut params = Params::default();
    params.set("system", options.system.as_ref());
    let checked =
        ListQuery::read(&params).map_err(|problem| Ended::Usage(format!("--system: {}", problem.detail)))?;
    let mut query = ListQuery {
        project: options.project.clone(),
        range: options.range.read()?,
        q: options.filter.clone(),
        room: options.room.clone(),
        agent: options.agent.clone(),
        model: options.model.clone(),
        status: options.status.clone(),
        has_error: options.errors.then_some(true),
        blocked: options.blocked.then_some(true),
        ..checked
    };
    let mut sessions: Vec<Session> = Vec::new();
    loop {
        query.limit = page(options.limit, sessions.len());
        let found: SessionPage = ask
            .json(&format!("sessions?{}", query.write().to_query()))
            .await?;
        sessions.extend(found.sessions);
        query.cursor = found.next_cursor;
        if query.cursor.is_none() || page(options.limit, sessions.len()) == 0 {
            break;
        }
    }
    if sessions.is_empty() {
        return Err(none_in_range());
    }
    if out.json {
        return sessions.iter().try_for_each(|session| out.json(None, session));
    }
    sessions_table(out, &sessions)
}

fn status(status: SessionStatus) -> Line {
    match status {
        SessionStatus::Active => cell(Style::Green, "active"),
        SessionStatus::Ended => cell(Style::Plain, "ended"),
        SessionStatus::Failed => cell(Style::Red, "failed"),
    }
}

/// A count where zero says nothing.
fn some(count: u32, style: Style) -> Line {
    let text = if count == 0 {
        String::new()
    } else {
        format::count(i64::from(count))
    };
    cell(style, text)
}

fn total(tokens: &Tokens) -> String {
    tokens.total.map_or_else(String::new, format::count)
}

/// A cost, and whether it is all of it: `$0.12`, `≥ $0.12`, `unknown`; empty where nothing costs.
pub(super) fn cost(cost: Option<i64>, unpriced_calls: u64) -> String {
    match (cost, unpriced_calls) {
        (None, 0) => String::new(),
        (None, _) => format::UNKNOWN.to_owned(),
        (Some(cost), 0) => format::cost(cost),
        (Some(cost), _) => format!("≥ {}", format::cost(cost)),
    }
}

fn sessions_table(out: &mut Out, sessions: &[Session]) -> Result<(), Ended> {
    let mut table = Table::new(&[
        Column::text("STARTED"),
        Column::figure("TIME"),
        Column::text("STATUS"),
        Column::text("SYSTEM").spare(),
        Column::long("PROJECT"),
        Column::text("SESSION"),
        Column::long("TITLE"),
        Column::figure("RUNS").spare(),
        Column::figure("SPANS").spare(),
        Column::figure("LOGS").spare(),
        Column::figure("ERRORS"),
        Column::figure("BLOCKED").spare(),
        Column::figure("TOKENS").spare(),
        Column::figure("COST"),
    ]);
    // A column that says the same of all of them is of no use.
    let several = sessions
        .iter()
        .any(|session| Some(&session.project) != sessions.first().map(|s| &s.project));
    for session in sessions {
        let project = if several { session.project.as_str() } else { "" };
        table.push(vec![
            cell(Style::Dim, out.zone.second(session.started_at)),
            cell(Style::Plain, format::duration(session.duration_ns)),
            status(session.status),
            cell(Style::Plain, session.system.as_str()),
            cell(Style::Plain, one_line(project)),
            cell(Style::Bold, one_line(&session.session_id)),
            cell(Style::Plain, one_line(&session.title)),
            some(session.traces, Style::Plain),
            some(session.spans, Style::Plain),
            some(session.logs, Style::Plain),
            some(session.errors, Style::Red),
            some(session.blocked, Style::Yellow),
            cell(Style::Plain, total(&session.tokens)),
            cell(
                Style::Plain,
                cost(session.cost_pico_usd, u64::from(session.unpriced_calls)),
            ),
        ]);
    }
    table.write(out)
}

async fn get(ask: &mut Ask, out: &mut Out, one: &One) -> Result<(), Ended> {
    let mut params = Params::default();
    params.set("project", one.project.as_ref());
    let path = format!("sessions/{}?{}", encode(&one.session_id), params.to_query());
    let detail: SessionDetail = ask.json(&path).await?;
    if out.json {
        return out.json(None, &detail);
    }
    head(out, &detail.session)?;
    if !detail.runs.is_empty() {
        out.empty()?;
        runs_table(out, &detail.runs)?;
    }
    Ok(())
}

/// A session's facts, one a line.
fn head(out: &mut Out, session: &Session) -> Result<(), Ended> {
    let started = format!(
        "{} {}",
        out.zone.time(session.started_at),
        out.zone.name(session.started_at)
    );
    let ended = session
        .ended_at
        .map(|at| format!("{} {}", out.zone.time(at), out.zone.name(at)));
    let latency = |quantiles: &meshscope_api::Quantiles| {
        let of = |name: &str, ns: Option<i64>| ns.map(|ns| format!("{name} {}", format::duration(ns)));
        let known: Vec<String> = [of("p50", quantiles.p50), of("p95", quantiles.p95)]
            .into_iter()
            .flatten()
            .collect();
        known.join("  ")
    };
    let cost = match (
        cost(session.cost_pico_usd, u64::from(session.unpriced_calls)),
        session.unpriced_calls,
    ) {
        (text, 0) => text,
        (text, n) => format!("{text} ({} without a known cost)", counted(n, "call", "calls")),
    };
    let counts = [
        counted(session.traces, "run", "runs"),
        counted(session.spans, "span", "spans"),
        counted(session.logs, "log record", "log records"),
    ];
    let facts = [
        ("session", cell(Style::Bold, &session.session_id)),
        ("title", cell(Style::Plain, one_line(&session.title))),
        ("status", status(session.status)),
        ("project", cell(Style::Plain, &session.project)),
        (
            "room",
            cell(Style::Plain, session.room.as_deref().unwrap_or_default()),
        ),
        ("system", cell(Style::Plain, session.system.title())),
        ("started", cell(Style::Plain, started)),
        ("ended", cell(Style::Plain, ended.unwrap_or_default())),
        (
            "duration",
            cell(Style::Plain, format::duration(session.duration_ns)),
        ),
        ("agents", cell(Style::Plain, session.agents.join(", "))),
        ("models", cell(Style::Plain, session.models.join(", "))),
        ("records", cell(Style::Plain, counts.join(", "))),
        ("errors", some(session.errors, Style::Red)),
        ("blocked", some(session.blocked, Style::Yellow)),
        ("interrupted", some(session.interrupted, Style::Yellow)),
        ("tokens", cell(Style::Plain, record::tokens(&session.tokens))),
        ("cost", cell(Style::Plain, cost)),
        (
            "carbon",
            cell(
                Style::Plain,
                session.carbon_ug.map_or_else(String::new, format::carbon),
            ),
        ),
        (
            "first token",
            cell(Style::Plain, latency(&session.time_to_first_token_ns)),
        ),
        ("run latency", cell(Style::Plain, latency(&session.latency_ns))),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| value.width() > 0) {
        let mut line = cell(Style::Dim, format!("{name:<13}"));
        out.line(line.append(value))?;
    }
    Ok(())
}

fn runs_table(out: &mut Out, runs: &[TraceSummary]) -> Result<(), Ended> {
    let mut table = Table::new(&[
        Column::text("STARTED"),
        Column::figure("TIME"),
        Column::text("TRACE"),
        Column::long("NAME"),
        Column::figure("SPANS").spare(),
        Column::figure("ERRORS"),
        Column::figure("BLOCKED").spare(),
        Column::figure("TOKENS").spare(),
        Column::figure("COST"),
        Column::long("STATE"),
    ]);
    for run in runs {
        let state = match (&run.error, run.complete) {
            (Some(error), _) => cell(Style::Red, one_line(error)),
            (None, true) => Line::default(),
            (None, false) => cell(Style::Blue, "incomplete"),
        };
        table.push(vec![
            cell(Style::Dim, out.zone.time(run.started_at)),
            cell(Style::Plain, format::duration(run.duration_ns)),
            cell(Style::Bold, run.trace_id.to_string()),
            cell(Style::Plain, one_line(&run.name)),
            some(run.spans, Style::Plain),
            some(run.errors, Style::Red),
            some(run.blocked, Style::Yellow),
            cell(Style::Plain, total(&run.tokens)),
            cell(
                Style::Plain,
                run.cost_pico_usd.map_or_else(String::new, format::cost),
            ),
            state,
        ]);
    }
    table.write(out)
}

async fn traces(ask: &mut Ask, out: &mut Out, options: &TracesOptions) -> Result<(), Ended> {
    let mut query = ListQuery {
        project: options.one.project.clone(),
        session: Some(options.one.session_id.clone()),
        range: TimeRange::ALL,
        ..ListQuery::default()
    };
    let mut runs: Vec<TraceSummary> = Vec::new();
    loop {
        query.limit = page(options.limit, runs.len());
        let found: TracePage = ask.json(&format!("traces?{}", query.write().to_query())).await?;
        runs.extend(found.traces);
        query.cursor = found.next_cursor;
        if query.cursor.is_none() || page(options.limit, runs.len()) == 0 {
            break;
        }
    }
    if runs.is_empty() {
        return Err(Ended::Nothing(format!(
            "there are no traces of a session {:?}",
            options.one.session_id
        )));
    }
    if out.json {
        return runs.iter().try_for_each(|run| out.json(None, run));
    }
    runs_table(out, &runs)
}

async fn logs(ask: &mut Ask, out: &mut Out, options: &LogsOptions) -> Result<(), Ended> {
    let level = SEVERITIES
        .iter()
        .find(|(word, _)| Some(*word) == options.level.as_deref());
    let mut query = LogQuery {
        project: options.one.project.clone(),
        session: Some(options.one.session_id.clone()),
        range: TimeRange::ALL,
        q: options.filter.clone(),
        min_severity: level.map(|(_, number)| *number),
        ..LogQuery::default()
    };
    let mut logs: Vec<Log> = Vec::new();
    loop {
        query.limit = page(options.limit, logs.len());
        let found: LogPage = ask.json(&format!("logs?{}", query.write().to_query())).await?;
        logs.extend(found.logs);
        query.cursor = found.next_cursor;
        if query.cursor.is_none() || page(options.limit, logs.len()) == 0 {
            break;
        }
    }
    if logs.is_empty() {
        return Err(Ended::Nothing(format!(
            "there are no such log records of a session {:?}",
            options.one.session_id
        )));
    }
    // The list has the newest first; a log is read downwards.
    logs.iter().rev().try_for_each(|log| {
        if out.json {
            out.json(None, log)
        } else {
            record::log(out, log)
        }
    })
}

fn series_query(one: &One) -> SeriesQuery {
    SeriesQuery {
        project: one.project.clone(),
        session: Some(one.session_id.clone()),
        range: TimeRange::ALL,
        limit: MAX_LIMIT,
        ..SeriesQuery::default()
    }
}

async fn metrics(ask: &mut Ask, out: &mut Out, one: &One) -> Result<(), Ended> {
    let path = format!("metrics?{}", series_query(one).write().to_query());
    let MetricList { metrics } = ask.json(&path).await?;
    if metrics.is_empty() {
        return Err(Ended::Nothing(format!(
            "there are no metrics of a session {:?}",
            one.session_id
        )));
    }
    if out.json {
        return metrics.iter().try_for_each(|metric| out.json(None, metric));
    }
    let mut table = Table::new(&[
        Column::long("METRIC"),
        Column::text("KIND"),
        Column::text("UNIT"),
        Column::figure("SERIES").spare(),
        Column::figure("POINTS").spare(),
        Column::text("LATEST"),
        Column::long("SERVICES"),
    ]);
    for metric in &metrics {
        table.push(vec![
            cell(Style::Bold, one_line(&metric.name)),
            cell(Style::Plain, metric.kind.as_str()),
            cell(Style::Plain, one_line(&metric.unit)),
            some(metric.series, Style::Plain),
            cell(
                Style::Plain,
                format::count(i64::try_from(metric.points).unwrap_or(i64::MAX)),
            ),
            cell(Style::Dim, out.zone.time(metric.last_at)),
            cell(Style::Plain, metric.services.join(", ")),
        ]);
    }
    table.write(out)
}

async fn metric(ask: &mut Ask, out: &mut Out, one: &One, name: &str) -> Result<(), Ended> {
    let path = format!(
        "metrics/{}?{}",
        encode(name),
        series_query(one).write().to_query()
    );
    let detail: MetricDetail = ask.json(&path).await?;
    if out.json {
        return detail.series.iter().try_for_each(|series| out.json(None, series));
    }
    let mut table = Table::new(&[
        Column::text("LATEST"),
        Column::figure("POINTS"),
        Column::figure("VALUE"),
        Column::figure("ADDED"),
        Column::text("SERVICE"),
        Column::long("ATTRIBUTES"),
    ]);
    let unit = &detail.metric.unit;
    for series in &detail.series {
        let latest = series.points.last();
        let attributes: Vec<String> = series
            .attributes
            .iter()
            .map(|kv| format!("{}={}", kv.key, kv.value.to_text()))
            .collect();
        let added = series.increase.map(|increase| record::number(increase.sum));
        table.push(vec![
            cell(
                Style::Dim,
                latest.map_or_else(String::new, |point| out.zone.time(point.time)),
            ),
            cell(
                Style::Plain,
                format::count(i64::try_from(series.points.len()).unwrap_or(i64::MAX)),
            ),
            cell(
                Style::Bold,
                latest.map_or_else(String::new, |point| record::value(&point.value, unit)),
            ),
            cell(Style::Plain, added.unwrap_or_default()),
            cell(Style::Plain, one_line(&series.service)),
            cell(Style::Plain, one_line(&attributes.join(" "))),
        ]);
    }
    table.write(out)
}
