//! `meshscope usage`: tokens and cost from the ledger, in groups and in all, over a period.

use super::ask::Server;
use super::line::{Line, Style};
use super::out::{Form, Out};
use super::table::{Column, Table, cell};
use super::when::{Zone, moment_in};
use super::{Ended, session};
use meshscope_api::{
    ListQuery, TimeRange, UsageGroup, UsageGroupBy, UsageKey, UsageMeasures, UsageQuery, UsageReport,
};
use meshscope_layout::format;
use meshscope_layout::text::one_line;

/// What `meshscope usage` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct UsageOptions {
    #[command(flatten)]
    server: Server,
    /// First moment: how long ago (30m, 7d), a date, RFC 3339, ns since the epoch; 0 is everything [default: 24h].
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// First moment after it [default: open].
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
    /// Groups, up to two: project, session, room, agent, role, model, provider, tool, service, system, version,
    /// operation, user, trace, attr:KEY.
    #[arg(long, default_value = "model", value_parser = key, value_delimiter = ',')]
    by: Vec<UsageKey>,
    /// How many groups; the others are summed up.
    #[arg(long, default_value_t = 100)]
    top: u32,
    /// Time zone in which dates begin, and in which times are told (Europe/Berlin).
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// table, markdown or json.
    #[arg(long, value_parser = ["table", "markdown", "json"], hide_possible_values = true, conflicts_with_all = ["markdown", "json"])]
    format: Option<String>,
    /// Only this project.
    #[arg(long)]
    project: Option<String>,
    /// Only this session.
    #[arg(long)]
    session: Option<String>,
    /// Only this room.
    #[arg(long)]
    room: Option<String>,
    /// Only this agent.
    #[arg(long)]
    agent: Option<String>,
    /// Only this model.
    #[arg(long)]
    model: Option<String>,
    /// Only this provider.
    #[arg(long)]
    provider: Option<String>,
    /// Only this user.
    #[arg(long)]
    user: Option<String>,
    /// The same as --format markdown.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    #[command(flatten)]
    form: Form,
}

fn key(word: &str) -> Result<UsageKey, String> {
    UsageKey::parse(word).ok_or_else(|| {
        let known = UsageGroupBy::ALL.map(UsageGroupBy::as_str).join(", ");
        format!("{word:?} is not one of {known}, attr:KEY")
    })
}

impl UsageOptions {
    fn query(&self, zone: &Zone) -> Result<UsageQuery, Ended> {
        if self.by.len() > 2 {
            return Err(Ended::Usage("--by takes one group or two".to_owned()));
        }
        let moment = |text: &Option<String>, option: &str| {
            let read = text.as_deref().map(|text| moment_in(text, zone)).transpose();
            read.map_err(|reason| Ended::Usage(format!("{option}: {reason}")))
        };
        let range = TimeRange {
            from: moment(&self.from, "--from")?,
            to: moment(&self.to, "--to")?,
        };
        if range.from.zip(range.to).is_some_and(|(from, to)| from >= to) {
            return Err(Ended::Usage("--to must lie after --from".to_owned()));
        }
        Ok(UsageQuery {
            list: ListQuery {
                project: self.project.clone(),
                range,
                session: self.session.clone(),
                room: self.room.clone(),
                agent: self.agent.clone(),
                model: self.model.clone(),
                ..ListQuery::default()
            },
            by: self.by.clone(),
            top: Some(self.top),
            tz: self.tz.clone(),
            provider: self.provider.clone(),
            user: self.user.clone(),
            ..UsageQuery::default()
        })
    }
}

/// Runs the command.
pub(super) async fn run(options: UsageOptions) -> Result<(), Ended> {
    let mut out = Out::new(&options.form);
    if let Some(name) = &options.tz {
        out.zone = Zone::named(name).map_err(|reason| Ended::Usage(format!("--tz: {reason}")))?;
    }
    let format = options.format.as_deref();
    let query = match &options.tz {
        Some(_) => options.query(&out.zone)?,
        None => options.query(&Zone::utc())?,
    };
    let path = format!("usage?{}", query.write().to_query());
    let report: UsageReport = options.server.ask()?.json(&path).await?;
    if report.totals.measures.calls == 0 {
        return Err(Ended::Nothing(
            "there are no calls in this range (--from 0 looks at all times)".to_owned(),
        ));
    }
    if out.json || format == Some("json") {
        for group in &report.groups {
            out.json(Some("group"), group)?;
        }
        out.json(Some("totals"), &report.totals)?;
        return out.flush();
    }
    let table = table(&options.by, &report);
    let range = format!(
        "{} to {} {}",
        out.zone.second(report.from),
        out.zone.second(report.to),
        out.zone.name(report.to)
    );
    if options.markdown || format == Some("markdown") {
        out.line(&cell(Style::Plain, format!("# Usage, {range}")))?;
        out.empty()?;
        table.write_markdown(&mut out)?;
    } else {
        out.row(&cell(Style::Dim, range))?;
        table.write(&mut out)?;
    }
    for note in notes(&report) {
        out.empty()?;
        out.line(&cell(Style::Yellow, note))?;
    }
    out.flush()
}

/// What is to be known of the figures.
fn notes(report: &UsageReport) -> Vec<String> {
    let claimed = report.totals.claimed_cost_pico_usd.map(|pico| {
        format!(
            "Ancestors claim {} over calls that are counted already; it is not added.",
            format::cost(pico)
        )
    });
    let error = report
        .quantile_error
        .map(|error| format!("P50 and P95 are approximate: at most {:.1} % off.", error * 100.0));
    unknown(&report.totals.measures)
        .into_iter()
        .chain(claimed)
        .chain(error)
        .collect()
}

/// What is to be known of costs that are not.
fn unknown(measures: &UsageMeasures) -> Option<String> {
    let (unpriced, calls) = (measures.unpriced_calls, measures.calls);
    (unpriced > 0)
        .then(|| format!("{unpriced} of {calls} calls have no known cost; the sums are without them."))
}

fn title(key: &UsageKey) -> &'static str {
    let UsageKey::By(by) = key else {
        return "ATTRIBUTE";
    };
    match by {
        UsageGroupBy::Project => "PROJECT",
        UsageGroupBy::Session => "SESSION",
        UsageGroupBy::Room => "ROOM",
        UsageGroupBy::Agent => "AGENT",
        UsageGroupBy::Role => "ROLE",
        UsageGroupBy::Model => "MODEL",
        UsageGroupBy::Provider => "PROVIDER",
        UsageGroupBy::Tool => "TOOL",
        UsageGroupBy::Service => "SERVICE",
        UsageGroupBy::System => "SYSTEM",
        UsageGroupBy::Version => "VERSION",
        UsageGroupBy::Operation => "OPERATION",
        UsageGroupBy::User => "USER",
        UsageGroupBy::Trace => "TRACE",
    }
}

fn table(by: &[UsageKey], report: &UsageReport) -> Table {
    // The provider beside a model; two groups stand for themselves.
    let second = by.get(1).map_or("PROVIDER", title);
    let mut table = Table::new(&[
        Column::long(by.first().map_or("", title)),
        if by.len() > 1 {
            Column::long(second)
        } else {
            Column::text(second).spare()
        },
        Column::figure("CALLS"),
        Column::figure("ERRORS"),
        Column::figure("INPUT").spare(),
        Column::figure("CACHED").spare(),
        Column::figure("OUTPUT").spare(),
        Column::figure("TOKENS"),
        Column::figure("COST"),
        Column::figure("P50").spare(),
        Column::figure("P95").spare(),
    ]);
    for group in &report.groups {
        let (name, beside) = names(group, report);
        table.push(row(cell(Style::Bold, name), &beside, &group.measures));
    }
    table.push(row(cell(Style::Bold, "total"), "", &report.totals.measures));
    table
}

/// What a group is called: its key, and its second key or its provider.
fn names(group: &UsageGroup, report: &UsageReport) -> (String, String) {
    if group.other {
        let shown = u32::try_from(report.groups.len()).unwrap_or(u32::MAX);
        let others = report.group_count.saturating_sub(shown.saturating_sub(1));
        return (format!("({others} others)"), String::new());
    }
    let name = |key: &str| {
        if key.is_empty() {
            "(none)".to_owned()
        } else {
            one_line(key).to_string()
        }
    };
    let beside = group.second.as_deref().map(name);
    let provider = || group.provider.clone().unwrap_or_default();
    (name(&group.group), beside.unwrap_or_else(provider))
}

fn row(name: Line, provider: &str, measures: &UsageMeasures) -> Vec<Line> {
    let count = |n: u64| format::count(i64::try_from(n).unwrap_or(i64::MAX));
    let figure =
        |n: Option<i64>, text: fn(i64) -> String| cell(Style::Plain, n.map_or_else(String::new, text));
    let errors = if measures.errors == 0 {
        String::new()
    } else {
        count(measures.errors)
    };
    vec![
        name,
        cell(Style::Plain, provider),
        cell(Style::Plain, count(measures.calls)),
        cell(Style::Red, errors),
        figure(measures.tokens.input, format::count),
        figure(measures.tokens.cached_input, format::count),
        figure(measures.tokens.output, format::count),
        figure(measures.tokens.total, format::count),
        cell(
            Style::Plain,
            session::cost(measures.cost_pico_usd, measures.unpriced_calls),
        ),
        figure(measures.latency_ns.p50, format::duration),
        figure(measures.latency_ns.p95, format::duration),
    ]
}
