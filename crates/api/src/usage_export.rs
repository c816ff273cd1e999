//! Usage as tables: what CSV and Parquet files of it hold.

use crate::usage::{UsageMeasures, UsageReport};
use crate::usage_query::UsageKey;
use crate::usage_rows::{UsageRow, UsageSource};
use meshscope_model::{CostSource, Tokens};

/// A value of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A whole number, or nothing.
    Number(Option<i64>),
    /// A text, or nothing.
    Text(Option<String>),
}

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// Whole numbers.
    Number,
    /// Texts.
    Text,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, with its unit.
    pub name: String,
    /// What its cells hold, in a table without rows too.
    pub kind: CellKind,
}

/// A table; every row has a cell of its kind for each column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// As RFC 4180 has it, with or without the line of names. A text that a spreadsheet would take for a
    /// formula has an apostrophe before it.
    #[must_use]
    pub fn csv(&self, names: bool) -> String {
        let mut text = String::new();
        if names {
            let names: Vec<String> = self.columns.iter().map(|column| field(&column.name)).collect();
            text.push_str(&names.join(","));
            text.push_str("\r\n");
        }
        for row in &self.rows {
            for (n, cell) in row.iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                match cell {
                    Cell::Number(Some(number)) => text.push_str(&number.to_string()),
                    Cell::Text(Some(value)) => text.push_str(&field(value)),
                    _ => {}
                }
            }
            text.push_str("\r\n");
        }
        text
    }
}

fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let safe = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if safe.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

const COUNTS: [&str; 4] = ["calls", "errors", "unpriced_calls", "reported_calls"];
const TOKENS: [&str; 8] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "total_tokens",
];

fn columns<'a>(kind: CellKind, names: &'a [&'a str]) -> impl Iterator<Item = Column> + 'a {
    names.iter().map(move |name| Column {
        name: (*name).to_owned(),
        kind,
    })
}

fn tokens(tokens: &Tokens) -> impl Iterator<Item = Cell> {
    tokens.classes().into_iter().map(Cell::Number)
}

fn text(text: &str) -> Cell {
    Cell::Text((!text.is_empty()).then(|| text.to_owned()))
}

fn count(n: u64) -> Cell {
    Cell::Number(i64::try_from(n).ok())
}

/// The groups of a report; what is not among the top is named `(other)`.
#[must_use]
pub fn group_table(by: &[UsageKey], report: &UsageReport) -> Table {
    let keys: Vec<String> = by.iter().map(ToString::to_string).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let figures = [
        "characters",
        "audio_ns",
        "cost_pico_usd",
        "carbon_ug",
        "latency_p50_ns",
        "latency_p95_ns",
        "latency_p99_ns",
        "first_token_p50_ns",
        "first_token_p95_ns",
        "first_token_p99_ns",
    ];
    let columns = columns(CellKind::Text, &keys)
        .chain(columns(CellKind::Number, &COUNTS))
        .chain(columns(CellKind::Number, &TOKENS))
        .chain(columns(CellKind::Number, &figures))
        .collect();
    let total = (report.groups.is_empty()).then(|| measures(&report.totals.measures));
    let groups = report.groups.iter().map(|group| {
        let name = |key: &str| if group.other { text("(other)") } else { text(key) };
        let keys = [Some(group.group.as_str()), group.second.as_deref()];
        let keys = keys.into_iter().flatten().map(name);
        keys.chain(measures(&group.measures)).collect()
    });
    Table {
        rows: groups.chain(total).collect(),
        columns,
    }
}

fn measures(m: &UsageMeasures) -> Vec<Cell> {
    let (latency, first) = (m.latency_ns, m.time_to_first_token_ns);
    let counts = [m.calls, m.errors, m.unpriced_calls, m.reported_calls].map(count);
    let figures = [
        m.characters,
        m.audio_ns,
        m.cost_pico_usd,
        m.carbon_ug,
        latency.p50,
        latency.p95,
        latency.p99,
        first.p50,
        first.p95,
        first.p99,
    ];
    counts
        .into_iter()
        .chain(tokens(&m.tokens))
        .chain(figures.map(Cell::Number))
        .collect()
}

/// Rows of the ledger.
#[must_use]
pub fn row_table(rows: &[UsageRow]) -> Table {
    Table {
        columns: row_columns(),
        rows: rows.iter().map(cells).collect(),
    }
}

fn row_columns() -> Vec<Column> {
    let texts = [
        "source",
        "trace_id",
        "span_id",
        "session_id",
        "project",
        "system",
        "room",
        "service",
        "version",
        "agent",
        "role",
        "user",
        "operation",
        "tool",
        "model",
        "provider",
    ];
    columns(CellKind::Number, &["time"])
        .chain(columns(CellKind::Text, &texts))
        .chain(columns(
            CellKind::Number,
            &["duration_ns", "time_to_first_token_ns"],
        ))
        .chain(columns(CellKind::Number, &TOKENS))
        .chain(columns(
            CellKind::Number,
            &["characters", "audio_ns", "cost_pico_usd"],
        ))
        .chain(columns(CellKind::Text, &["cost_source"]))
        .chain(columns(CellKind::Number, &["carbon_ug"]))
        .chain(columns(CellKind::Text, &["batch", "error", "claim"]))
        .collect()
}

fn cells(row: &UsageRow) -> Vec<Cell> {
    let optional = |text: &Option<String>| Cell::Text(text.clone());
    let flag = |flag: bool| text(if flag { "true" } else { "false" });
    let source = match row.source {
        UsageSource::Span => "span",
        UsageSource::Metric => "metric",
    };
    let cost_source = row.cost_source.as_ref().map(|source| match source {
        CostSource::Reported => "reported".to_owned(),
        CostSource::PriceTable(version) => version.clone(),
    });
    let mut cells = vec![
        Cell::Number(Some(row.time)),
        text(source),
        Cell::Text(row.trace_id.map(|id| id.to_string())),
        Cell::Text(row.span_id.map(|id| id.to_string())),
        optional(&row.session_id),
        text(&row.project),
        text(row.system.as_str()),
        optional(&row.room),
        text(&row.service),
        optional(&row.version),
        optional(&row.agent),
        optional(&row.role),
        optional(&row.user),
        text(row.operation.as_str()),
        optional(&row.tool),
        optional(&row.model),
        optional(&row.provider),
        Cell::Number(row.duration_ns),
        Cell::Number(row.time_to_first_token_ns),
    ];
    cells.extend(tokens(&row.tokens));
    cells.extend([
        Cell::Number(row.characters),
        Cell::Number(row.audio_ns),
        Cell::Number(row.cost_pico_usd),
        Cell::Text(cost_source),
        Cell::Number(row.carbon_ug),
        flag(row.batch),
        flag(row.error),
        flag(row.claim),
    ]);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::UsageGroup;
    use crate::usage_query::UsageGroupBy;

    #[test]
    fn a_table_is_read_back_by_a_spreadsheet_and_runs_no_formula() {
        let group = |name: &str, other: bool| UsageGroup {
            group: name.to_owned(),
            other,
            ..UsageGroup::default()
        };
        let report = UsageReport {
            groups: vec![group("a,\"b\"", false), group("=SUM(A1)", false), group("", true)],
            ..UsageReport::default()
        };
        let table = group_table(&[UsageGroupBy::Model.into()], &report);
        let csv = table.csv(true);
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert!(lines[0].starts_with("model,calls,errors,"), "{csv}");
        assert!(lines[1].starts_with("\"a,\"\"b\"\"\",0,0,"), "{csv}");
        assert!(lines[2].starts_with("'=SUM(A1),0,"), "{csv}");
        assert!(lines[3].starts_with("(other),0,") && lines[4].is_empty(), "{csv}");
    }

    #[test]
    fn every_cell_is_of_its_column() {
        let report = UsageReport {
            groups: vec![UsageGroup {
                second: Some(String::new()),
                ..UsageGroup::default()
            }],
            ..UsageReport::default()
        };
        let by = [UsageGroupBy::Model.into(), UsageKey::Attribute("tier".to_owned())];
        let total = UsageReport::default();
        for table in [
            group_table(&by, &report),
            group_table(&[], &total),
            row_table(&[UsageRow::default()]),
        ] {
            let kinds = |cells: &[Cell]| -> Vec<CellKind> {
                let kind = |cell: &Cell| match cell {
                    Cell::Number(_) => CellKind::Number,
                    Cell::Text(_) => CellKind::Text,
                };
                cells.iter().map(kind).collect()
            };
            let columns: Vec<CellKind> = table.columns.iter().map(|column| column.kind).collect();
            assert_eq!(table.rows.len(), 1);
            assert_eq!(kinds(&table.rows[0]), columns, "{:?}", table.columns);
        }
        assert_eq!(row_table(&[]).columns, row_table(&[UsageRow::default()]).columns);
    }
}
