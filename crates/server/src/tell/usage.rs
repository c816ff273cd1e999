//! `meshscope usage`: tokens and cost from the ledger, in groups and in all.

use super::ask::Server;
use super::line::{Line, Style};
use super::out::{Form, Out};
use super::table::{Column, Table, cell};
use super::when::Range;
use super::{Ended, session};
use meshscope_api::{ListQuery, UsageGroupBy, UsageMeasures, UsageQuery, UsageReport};
use meshscope_layout::format;
use meshscope_layout::text::one_line;

/// What `meshscope usage` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct UsageOptions {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    range: Range,
    /// Groups: project, session, room, agent, role, model, provider, tool, service, system.
    #[arg(long, default_value = "model", value_parser = UsageGroupBy::ALL.map(UsageGroupBy::as_str), hide_possible_values = true)]
    by: String,
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
    /// A table in Markdown.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    #[command(flatten)]
    form: Form,
}

/// Runs the command.
pub(super) async fn run(options: UsageOptions) -> Result<(), Ended> {
    let mut out = Out::new(&options.form);
    let query = UsageQuery {
        list: ListQuery {
            project: options.project.clone(),
            range: options.range.read()?,
            session: options.session.clone(),
            room: options.room.clone(),
            agent: options.agent.clone(),
            model: options.model.clone(),
            ..ListQuery::default()
        },
        by: UsageGroupBy::parse(&options.by),
        ..UsageQuery::default()
    };
    let path = format!("usage?{}", query.write().to_query());
    let report: UsageReport = options.server.ask()?.json(&path).await?;
    if report.totals.measures.calls == 0 {
        return Err(Ended::Nothing(
            "there are no calls in this range (--from 0 looks at all times)".to_owned(),
        ));
    }
    if out.json {
        for group in &report.groups {
            out.json(Some("group"), group)?;
        }
        out.json(Some("totals"), &report.totals)?;
        return out.flush();
    }
    let table = table(&options.by, &report);
    if options.markdown {
        table.write_markdown(&mut out)?;
    } else {
        let range = format!(
            "{} to {} {}",
            out.zone.second(report.from),
            out.zone.second(report.to),
            out.zone.name(report.to)
        );
        out.row(&cell(Style::Dim, range))?;
        table.write(&mut out)?;
    }
    if let Some(note) = unknown(&report.totals.measures) {
        out.empty()?;
        out.line(&cell(Style::Yellow, note))?;
    }
    out.flush()
}

/// What is to be known of costs that are not.
fn unknown(measures: &UsageMeasures) -> Option<String> {
    let (unpriced, calls) = (measures.unpriced_calls, measures.calls);
    (unpriced > 0)
        .then(|| format!("{unpriced} of {calls} calls have no known cost; the sums are without them."))
}

fn table(by: &str, report: &UsageReport) -> Table {
    let title = UsageGroupBy::ALL.into_iter().find(|known| known.as_str() == by);
    let title = match title {
        Some(UsageGroupBy::Project) => "PROJECT",
        Some(UsageGroupBy::Session) => "SESSION",
        Some(UsageGroupBy::Room) => "ROOM",
        Some(UsageGroupBy::Agent) => "AGENT",
        Some(UsageGroupBy::Role) => "ROLE",
        Some(UsageGroupBy::Provider) => "PROVIDER",
        Some(UsageGroupBy::Tool) => "TOOL",
        Some(UsageGroupBy::Service) => "SERVICE",
        Some(UsageGroupBy::System) => "SYSTEM",
        Some(UsageGroupBy::Model) | None => "MODEL",
    };
    let mut table = Table::new(&[
        Column::long(title),
        Column::text("PROVIDER").spare(),
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
        let name = if group.group.is_empty() {
            "(none)"
        } else {
            &group.group
        };
        let provider = group.provider.as_deref().unwrap_or_default();
        table.push(row(cell(Style::Bold, one_line(name)), provider, &group.measures));
    }
    table.push(row(cell(Style::Bold, "total"), "", &report.totals.measures));
    table
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
