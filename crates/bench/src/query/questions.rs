//! What the benches ask: each a request and what must come of it.

use super::Api;
use super::check::{measures, same, session, trace};
use super::world::{Dice, Range, World};
use crate::generate::{
    AGENTS, Act, DOCUMENTS, Emitters, MODELS, RUNS, TRACE, TRACE_LOGS, USERS, document_path, user_id,
};
use meshscope_api::{
    COLUMNS_MEDIA_TYPE, LogPage, MetricDetail, MetricList, ProjectList, ServerStatus, SessionDetail,
    SessionPage, SpanDetail, TraceDetail, TracePage, UsageReport, columns, params::encode,
};
use meshscope_model::Span;
use meshscope_model::time::DAY;

/// Entries of a page.
const LIMIT: usize = 100;

/// A question.
pub(super) struct Question {
    pub(super) name: &'static str,
    /// Asks at a random place and checks the answer; the last request is the one that is timed.
    pub(super) ask: fn(&World, &mut Api, &mut Dice) -> Result<(), String>,
}

pub(super) const fn question(
    name: &'static str,
    ask: fn(&World, &mut Api, &mut Dice) -> Result<(), String>,
) -> Question {
    Question { name, ask }
}

/// All of them, in the order of the table.
pub(super) const QUESTIONS: &[Question] = &[
    question("status", status),
    question("projects", projects),
    question("sessions, a day", |w, api, d| {
        sessions(w, api, w.any_day(d), "", |_| true)
    }),
    question("sessions, 30 days", |w, api, _| {
        sessions(w, api, w.all(), "", |_| true)
    }),
    question("sessions, until anywhere", |w, api, d| {
        sessions(w, api, w.until_anywhere(d), "", |_| true)
    }),
    question("sessions, second page", sessions_second_page),
    question("sessions with errors", |w, api, d| {
        let over = w.until_anywhere(d);
        // What lies in the range decides, of a session that goes on behind it too.
        let keep = |n| w.runs_in(n, over).any(|run| w.book.trace(run).errors > 0);
        sessions(w, api, over, "&has_error=true", keep)
    }),
    question("sessions with blocked steps", |w, api, d| {
        let over = w.until_anywhere(d);
        let keep = |n| w.runs_in(n, over).any(|run| w.book.trace(run).blocked > 0);
        sessions(w, api, over, "&blocked=true", keep)
    }),
    question("sessions of a cost", |w, api, d| {
        let millionths = 40_000 + d.below(400_000) as i64;
        let more = format!("&min_cost_usd={}", millionths as f64 / 1e6);
        let keep = |n| w.book.session(n).calls.cost >= Some(millionths * 1_000_000);
        sessions(w, api, w.until_anywhere(d), &more, keep)
    }),
    question("session by id", session_by_id),
    question("traces, a day", |w, api, d| {
        traces(w, api, w.any_day(d), "", |_| true)
    }),
    question("traces, 30 days", |w, api, _| {
        traces(w, api, w.all(), "", |_| true)
    }),
    question("traces, until anywhere", |w, api, d| {
        traces(w, api, w.until_anywhere(d), "", |_| true)
    }),
    question("traces, second page", traces_second_page),
    question("traces of a session", |w, api, d| {
        let number = d.below(w.workload().sessions);
        let more = format!("&session={}", w.workload().session_id(number));
        traces(w, api, w.all(), &more, |n| n / RUNS == number)
    }),
    question("traces of an agent", |w, api, d| {
        let agent = d.below(AGENTS.len() as u64) as usize;
        let more = format!("&agent={}", AGENTS[agent]);
        traces(w, api, w.until_anywhere(d), &more, |n| {
            w.workload().agent(n) == agent
        })
    }),
    question("traces of a model with errors", |w, api, d| {
        let model = d.below(MODELS.len() as u64) as usize;
        let more = format!("&has_error=true&model={}", MODELS[model].1);
        let keep = |n| w.book.trace(n).errors > 0 && w.book.calls_model(n, model);
        traces(w, api, w.until_anywhere(d), &more, keep)
    }),
    question("trace by id", trace_by_id),
    question("trace by id as columns", trace_columns),
    question("span by id", span_by_id),
    question("attribute equals (user.id)", |w, api, d| {
        let user = d.below(USERS);
        let more = attr(&format!("user.id={}", user_id(user)));
        traces(w, api, w.all(), &more, |n| w.workload().user(n) == user)
    }),
    question("attribute above (app.score)", |w, api, d| {
        let (score, over) = (985 + d.below(14), w.until_anywhere(d));
        let more = attr(&format!("app.score>{}", score as f64 / 1e3));
        let keep = |n| w.has_span(n, over, |step| step.score > score);
        traces(w, api, over, &more, keep)
    }),
    question("attribute holds text (url.path)", |w, api, d| {
        let (document, over) = (d.below(DOCUMENTS), w.all());
        let more = attr(&format!("url.path~{}", &document_path(document)[3..]));
        let keep = |n| w.has_span(n, over, |step| step.act == Act::Tool { document });
        traces(w, api, over, &more, keep)
    }),
    question("attribute is there (meshscope.blocked)", |w, api, d| {
        let over = w.until_anywhere(d);
        let keep = |n| w.has_span(n, over, |step| step.blocked);
        traces(w, api, over, &attr("meshscope.blocked"), keep)
    }),
    question("logs, a day", |w, api, d| logs(w, api, w.any_day(d))),
    question("logs, 30 days", |w, api, _| logs(w, api, w.all())),
    question("logs, errors", error_logs),
    question("logs of a trace", trace_logs),
    question("logs with a text", text_logs),
    question("metrics by name", metrics),
    question("series of a metric, an hour", series),
    question("usage, 30 days by day", usage_days),
    question("usage, 30 days by model", usage_models),
    question("usage of a day", usage_day),
];

fn range(range: Range) -> String {
    format!("from={}&to={}&limit={LIMIT}", range.from, range.to)
}

fn attr(filter: &str) -> String {
    format!("&attr={}", encode(filter))
}

fn status(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let status: ServerStatus = api.json("status")?;
    let spans = world.ledger.all.spans;
    // More come in meanwhile in the second round.
    if status.counts.spans < spans {
        return same("counts.spans", status.counts.spans, spans);
    }
    Ok(())
}

fn projects(_: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let list: ProjectList = api.json("projects")?;
    let names: Vec<_> = list
        .projects
        .iter()
        .map(|project| project.project.as_str())
        .collect();
    same("projects", names, vec!["default"])
}

fn sessions(
    world: &World,
    api: &mut Api,
    over: Range,
    more: &str,
    keep: impl Fn(u64) -> bool,
) -> Result<(), String> {
    let page: SessionPage = api.json(&format!("sessions?{}{more}", range(over)))?;
    check_sessions(world, &page, &world.sessions(over, 0, LIMIT, keep))
}

fn check_sessions(world: &World, page: &SessionPage, expected: &[u64]) -> Result<(), String> {
    same("sessions on the page", page.sessions.len(), expected.len())?;
    let mut pairs = page.sessions.iter().zip(expected);
    pairs.try_for_each(|(found, number)| session(world, found, *number))
}

fn sessions_second_page(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let over = world.until_anywhere(dice);
    let path = format!("sessions?{}", range(over));
    let first: SessionPage = api.json(&path)?;
    let expected = world.sessions(over, LIMIT, LIMIT, |_| true);
    let Some(cursor) = first.next_cursor else {
        return same("sessions on the second page", 0, expected.len());
    };
    let page = api.json(&format!("{path}&cursor={}", encode(&cursor)))?;
    check_sessions(world, &page, &expected)
}

fn session_by_id(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let number = dice.below(world.workload().sessions);
    let id = world.workload().session_id(number);
    let found: SessionDetail = api.json(&format!("sessions/{id}"))?;
    session(world, &found.session, number)?;
    let runs: Vec<u64> = (number * RUNS..(number + 1) * RUNS).collect();
    same("runs", found.runs.len(), runs.len())?;
    let mut pairs = found.runs.iter().zip(runs);
    pairs.try_for_each(|(run, number)| trace(world, run, number))
}

fn traces(
    world: &World,
    api: &mut Api,
    over: Range,
    more: &str,
    keep: impl Fn(u64) -> bool,
) -> Result<(), String> {
    let page: TracePage = api.json(&format!("traces?{}{more}", range(over)))?;
    check_traces(world, &page, &world.traces(over, 0, LIMIT, keep))
}

fn check_traces(world: &World, page: &TracePage, expected: &[u64]) -> Result<(), String> {
    same("traces on the page", page.traces.len(), expected.len())?;
    let mut pairs = page.traces.iter().zip(expected);
    pairs.try_for_each(|(found, number)| trace(world, found, *number))
}

fn traces_second_page(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let over = world.until_anywhere(dice);
    let path = format!("traces?{}", range(over));
    let first: TracePage = api.json(&path)?;
    let expected = world.traces(over, LIMIT, LIMIT, |_| true);
    let Some(cursor) = first.next_cursor else {
        return same("traces on the second page", 0, expected.len());
    };
    let page = api.json(&format!("{path}&cursor={}", encode(&cursor)))?;
    check_traces(world, &page, &expected)
}

fn trace_by_id(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let number = dice.below(world.workload().traces());
    let id = world.workload().trace_id(number);
    let found: TraceDetail = api.json(&format!("traces/{id}"))?;
    trace(world, &found.trace, number)?;
    let emitters = Emitters::new();
    let mut expected = world
        .workload()
        .records(&emitters, number * TRACE, (number + 1) * TRACE);
    expected.sort_by_key(|span| (span.start_time, span.span_id));
    same("spans of the trace", found.spans.len(), expected.len())?;
    let mut pairs = found.spans.iter().zip(expected);
    pairs.try_for_each(|(found, expected)| same("a span", by_key(found.to_span()), by_key(expected)))
}

fn trace_columns(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let number = dice.below(world.workload().traces());
    let id = world.workload().trace_id(number);
    let body = api.get(&format!("traces/{id}"), COLUMNS_MEDIA_TYPE)?;
    let found = columns::decode(&body).map_err(|error| error.to_string())?;
    let mut expected: Vec<_> = (number * TRACE..(number + 1) * TRACE)
        .map(|n| {
            let step = world.workload().step(n);
            let id = world.workload().span_id(n).as_u64();
            (step.start, id, step.end - step.start)
        })
        .collect();
    expected.sort_unstable();
    let rows = found.start_time.iter().zip(&found.span_id).zip(&found.duration);
    let rows: Vec<_> = rows
        .map(|((start, id), duration)| (*start, *id, *duration))
        .collect();
    same("the rows", rows, expected)
}

/// The span with its attributes in one order: theirs has no meaning.
fn by_key(mut span: Span) -> Span {
    span.attributes.0.sort_by(|a, b| a.key.cmp(&b.key));
    span
}

fn span_by_id(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let n = world.any_span(dice);
    let expected = world.workload().span(&Emitters::new(), n);
    let path = format!("traces/{}/spans/{}", expected.trace_id, expected.span_id);
    let found: SpanDetail = api.json(&path)?;
    let cost = match world.workload().step(n).act {
        Act::Chat(call) => world.book.cost(&call),
        _ => None,
    };
    same("cost_pico_usd", found.meaning.cost_pico_usd, cost)?;
    same("the span", by_key(found.to_span()), by_key(expected))
}

fn logs(world: &World, api: &mut Api, over: Range) -> Result<(), String> {
    let page: LogPage = api.json(&format!("logs?{}", range(over)))?;
    let first = world.logs.partition_point(|time| *time >= over.to);
    let expected: Vec<i64> = world.logs[first..]
        .iter()
        .take_while(|time| **time >= over.from)
        .take(LIMIT)
        .copied()
        .collect();
    same("times", page.logs.iter().map(|log| log.time).collect(), expected)
}

/// The numbers of the records of a page, told by their bodies.
fn numbers(page: &LogPage) -> Vec<u64> {
    let number = |body: &str| body.strip_prefix("record ")?.split(':').next()?.parse().ok();
    page.logs
        .iter()
        .filter_map(|log| log.body.as_str().and_then(number))
        .collect()
}

fn error_logs(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let (over, workload) = (world.until_anywhere(dice), world.workload());
    let page: LogPage = api.json(&format!("logs?{}&severity=error", range(over)))?;
    let mut expected: Vec<i64> = (0..workload.logs())
        .filter(|n| workload.log_severity(*n) >= 17)
        .map(|n| workload.log_time(n))
        .filter(|time| (over.from..over.to).contains(time))
        .collect();
    expected.sort_unstable_by_key(|time| std::cmp::Reverse(*time));
    expected.truncate(LIMIT);
    same("times", page.logs.iter().map(|log| log.time).collect(), expected)
}

fn trace_logs(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let number = dice.below(world.workload().traces());
    let id = world.workload().trace_id(number);
    let page: LogPage = api.json(&format!("logs?from=0&trace_id={id}"))?;
    let expected = (number * TRACE_LOGS..(number + 1) * TRACE_LOGS).rev().collect();
    same("records", numbers(&page), expected)
}

fn text_logs(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let number = dice.below(world.workload().logs());
    let text = encode(&format!("record {number}:"));
    let page: LogPage = api.json(&format!("logs?{}&q={text}", range(world.all())))?;
    same("records", numbers(&page), vec![number])
}

fn metrics(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let list: MetricList = api.json("metrics?from=0")?;
    let found: Vec<_> = list
        .metrics
        .iter()
        .map(|metric| (metric.name.as_str(), metric.points))
        .collect();
    let points = world.workload().logs() / 2;
    same(
        "metrics",
        found,
        vec![("app.queue.length", points), ("app.requests", points)],
    )
}

fn series(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let workload = world.workload();
    let emitters = Emitters::new();
    let first = dice.below(workload.logs());
    let (from, hour) = (workload.point(&emitters, first).time, 36_000);
    let to = from + meshscope_model::time::HOUR;
    let found: MetricDetail = api.json(&format!("metrics/app.requests?from={from}&to={to}"))?;
    let points = found.series.iter().map(|series| series.points.len()).sum();
    let expected = (first..workload.logs().min(first + hour)).filter(|n| n % 2 == 1);
    same("points", points, expected.count())
}

fn usage(api: &mut Api, over: Range, more: &str) -> Result<UsageReport, String> {
    api.json(&format!("usage?from={}&to={}{more}", over.from, over.to))
}

/// What a report says of the whole workload.
fn totals(world: &World, report: &UsageReport) -> Result<(), String> {
    let (totals, ledger) = (&report.totals, &world.ledger);
    measures("totals", &totals.measures, &ledger.all.calls)?;
    same("totals: sessions", totals.sessions, world.workload().sessions)?;
    same("totals: runs", totals.runs, world.workload().traces())?;
    same("totals: failed_runs", totals.failed_runs, ledger.failed_traces)?;
    same("totals: blocked_runs", totals.blocked_runs, ledger.blocked_traces)?;
    same(
        "totals: claimed_tokens",
        totals.claimed_tokens,
        Some(ledger.all.claimed),
    )
}

fn usage_days(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let report = usage(api, world.all(), "&bucket=1d")?;
    totals(world, &report)?;
    let days: Vec<_> = world
        .ledger
        .days
        .iter()
        .filter(|(_, calls)| calls.calls > 0)
        .collect();
    same("buckets", report.buckets.len(), days.len())?;
    let mut pairs = report.buckets.iter().zip(days);
    pairs.try_for_each(|(bucket, (day, calls))| {
        same("start of a bucket", bucket.start, day * DAY)?;
        measures(&format!("day {day}"), &bucket.measures, calls)
    })
}

fn usage_models(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let report = usage(api, world.all(), "&bucket=1d&by=model")?;
    totals(world, &report)?;
    same("groups", report.groups.len(), MODELS.len())?;
    report.groups.iter().try_for_each(|group| {
        let model = MODELS.iter().position(|(_, model)| *model == group.group);
        let model = model.ok_or_else(|| format!("there is no model {:?}", group.group))?;
        measures(&group.group, &group.measures, &world.ledger.models[model])
    })
}

fn usage_day(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let days = &world.ledger.days;
    let (day, calls) = days[dice.below(days.len() as u64) as usize];
    let over = Range {
        from: day * DAY,
        to: (day + 1) * DAY,
    };
    let report = usage(api, over, "&bucket=1h")?;
    measures(&format!("day {day}"), &report.totals.measures, &calls)
}
