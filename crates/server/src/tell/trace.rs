//! `meshscope trace`: a trace as a tree.

use super::ask::{Ask, Server};
use super::line::{Line, Style};
use super::out::{Form, Out};
use super::{Ended, session};
use meshscope_analysis::tree::mark;
use meshscope_analysis::{TraceFacts, Tree};
use meshscope_api::columns::Decoder;
use meshscope_api::{COLUMNS_MEDIA_TYPE, TraceDetail};
use meshscope_layout::format;
use meshscope_layout::text::one_line;
use meshscope_model::columns::{ABSENT, flag};
use meshscope_model::{SpanColumns, TraceId};
use std::collections::HashMap;

/// Columns have no verdicts: those of traces up to this size are read from the spans in full.
const VERDICTS: usize = 5_000;
/// Levels that are drawn; what lies deeper says how deep.
const LEVELS: usize = 40;

/// What `meshscope trace` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TraceOptions {
    /// The trace's id, 32 hexadecimal digits.
    #[arg(value_parser = id)]
    trace_id: TraceId,
    /// Leave out what frameworks do for themselves.
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    form: Form,
}

fn id(text: &str) -> Result<TraceId, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Runs the command.
pub(super) async fn run(options: TraceOptions) -> Result<(), Ended> {
    let mut ask = options.server.ask()?;
    let mut out = Out::new(&options.form);
    let id = options.trace_id;
    if out.json {
        let detail: TraceDetail = ask.json(&format!("traces/{id}")).await?;
        out.json(Some("trace"), &detail.trace)?;
        for span in &detail.spans {
            out.json(Some("span"), span)?;
        }
        return out.flush();
    }
    let columns = columns(&mut ask, id).await?;
    let verdicts = if columns.len() <= VERDICTS {
        verdicts(&mut ask, id).await?
    } else {
        HashMap::new()
    };
    let shown = Shown {
        tree: Tree::build(&columns),
        facts: TraceFacts::of(&columns),
        columns,
        verdicts,
        quiet: options.quiet,
    };
    shown.head(&mut out)?;
    out.empty()?;
    shown.rows(&mut out)?;
    out.flush()
}

async fn columns(ask: &mut Ask, id: TraceId) -> Result<SpanColumns, Ended> {
    let body = ask.bytes(&format!("traces/{id}"), COLUMNS_MEDIA_TYPE).await?;
    let mut decoder = Decoder::default();
    decoder
        .push(&body)
        .and_then(|_| decoder.finish())
        .map_err(|error| Ended::Server(format!("the trace cannot be read: {error}")))
}

/// The verdict of each span that has one.
async fn verdicts(ask: &mut Ask, id: TraceId) -> Result<HashMap<u64, String>, Ended> {
    let detail: TraceDetail = ask.json(&format!("traces/{id}")).await?;
    let spans = detail.spans.into_iter();
    Ok(spans
        .filter_map(|span| Some((span.span_id.as_u64(), span.meaning.verdict?)))
        .collect())
}

/// A trace that is shown.
struct Shown {
    columns: SpanColumns,
    tree: Tree,
    facts: TraceFacts,
    verdicts: HashMap<u64, String>,
    quiet: bool,
}

/// `1 error`, `2 errors`.
pub(super) fn counted(n: u32, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        format::count(i64::from(n)),
        if n == 1 { one } else { many }
    )
}

impl Shown {
    fn head(&self, out: &mut Out) -> Result<(), Ended> {
        let (facts, totals) = (&self.facts, &self.facts.totals);
        let name = self
            .tree
            .main_root()
            .map_or("", |root| self.columns.name(root as usize));
        let title = Line::default()
            .with(Style::Bold, one_line(name))
            .with(Style::Dim, format!("  {}", self.columns.trace_id));
        out.line(&title)?;
        let start = facts.start_time;
        let mut line = Line::default().with(
            Style::Plain,
            format!("{} {}", out.zone.time(start), out.zone.name(start)),
        );
        let mut add = |style: Style, text: String| {
            if !text.is_empty() {
                line.add(Style::Plain, "  ").add(style, text);
            }
        };
        add(Style::Plain, format::duration(facts.duration()));
        add(Style::Plain, counted(totals.spans, "span", "spans"));
        if totals.errors > 0 {
            add(Style::Red, counted(totals.errors, "error", "errors"));
        }
        if totals.blocked > 0 {
            add(Style::Yellow, counted(totals.blocked, "blocked", "blocked"));
        }
        if totals.in_progress > 0 {
            add(Style::Blue, counted(totals.in_progress, "running", "running"));
        }
        let tokens = [("in", totals.input_tokens), ("out", totals.output_tokens)];
        let tokens = tokens
            .into_iter()
            .filter_map(|(name, n)| Some(format!("{name} {}", format::count(n?))));
        let tokens: Vec<String> = tokens.collect();
        if !tokens.is_empty() {
            add(Style::Plain, format!("tokens {}", tokens.join(" ")));
        }
        let cost = session::cost(totals.cost, u64::from(totals.unpriced_calls));
        if !cost.is_empty() {
            add(Style::Plain, format!("cost {cost}"));
        }
        if totals.unpriced_calls > 0 {
            add(
                Style::Dim,
                format!(
                    "({} of {} without a known cost)",
                    totals.unpriced_calls,
                    counted(totals.calls, "call", "calls")
                ),
            );
        }
        out.line(&line)?;
        for (name, names) in [
            ("agents", &facts.agents),
            ("models", &facts.models),
            ("services", &facts.services),
        ] {
            if !names.is_empty() {
                out.line(
                    &Line::default()
                        .with(Style::Dim, format!("{name} "))
                        .with(Style::Plain, names.join(", ")),
                )?;
            }
        }
        Ok(())
    }

    /// The tree, with the figures of each span before it.
    fn rows(&self, out: &mut Out) -> Result<(), Ended> {
        let hidden =
            |row: u32| self.quiet && self.has(row, flag::NOISE) && self.tree.children(row).is_empty();
        let shown: Vec<u32> = self
            .tree
            .order()
            .iter()
            .copied()
            .filter(|row| !hidden(*row))
            .collect();
        let figures: Vec<[String; 4]> = shown.iter().map(|row| self.figures(*row)).collect();
        let titles = ["START", "TIME", "TOKENS", "COST"];
        let widths: Vec<usize> = (0..titles.len())
            .map(|at| {
                let cells = figures.iter().filter_map(|row| row.get(at));
                match cells.map(|text| text.chars().count()).max() {
                    None | Some(0) => 0,
                    Some(width) => width.max(titles.get(at).map_or(0, |title| title.len())),
                }
            })
            .collect();
        let left = |texts: &[String], style: Style| {
            let mut line = Line::default();
            for (text, width) in texts.iter().zip(&widths).filter(|(_, width)| **width > 0) {
                line.add(style, format!("{text:>width$}  "));
            }
            line
        };
        let head = left(&titles.map(str::to_owned), Style::Dim).with(Style::Dim, "SPAN");
        out.row(&head)?;
        // Whether the ancestor of each level is the last of its siblings.
        let mut lasts: Vec<bool> = Vec::new();
        let none = left(&[const { String::new() }; 4], Style::Plain);
        for (row, figures) in shown.iter().zip(&figures) {
            let depth = self.tree.depth(*row) as usize;
            lasts.truncate(depth);
            let siblings = self
                .tree
                .parent(*row)
                .map_or(&[][..], |parent| self.tree.children(parent));
            let last = siblings.iter().rev().find(|sibling| !hidden(**sibling)) == Some(row);
            lasts.push(last);
            let mut line = left(figures, Style::Plain);
            line.append(&branch(&lasts, depth));
            self.name(*row, &mut line);
            out.row(&line)?;
            if let Some(said) = self.said(*row) {
                let mut line = none.clone();
                let children = self.tree.size(*row) > 1;
                out.row(line.append(&below(&lasts, depth, children)).append(&said))?;
            }
        }
        Ok(())
    }

    fn has(&self, row: u32, bits: u8) -> bool {
        self.columns.has_flag(row as usize, bits)
    }

    /// Start after that of the trace, duration, tokens, cost.
    fn figures(&self, row: u32) -> [String; 4] {
        let at = row as usize;
        let known = |column: &[i64]| column.get(at).copied().filter(|n| *n != ABSENT);
        let start = known(&self.columns.start_time).unwrap_or(self.facts.start_time);
        let after = start.saturating_sub(self.facts.start_time);
        let time = if self.has(row, flag::IN_PROGRESS) {
            "running".to_owned()
        } else {
            format::duration(known(&self.columns.duration).unwrap_or(0))
        };
        let tokens = match (
            known(&self.columns.input_tokens),
            known(&self.columns.output_tokens),
        ) {
            (None, None) => known(&self.columns.total_tokens).map_or_else(String::new, format::count),
            (input, output) => {
                let figure = |n: Option<i64>| n.map_or_else(|| "–".to_owned(), format::count);
                format!("{} → {}", figure(input), figure(output))
            }
        };
        let cost = match known(&self.columns.cost) {
            Some(cost) => format::cost(cost),
            None if tokens.is_empty() => String::new(),
            None => format::UNKNOWN.to_owned(),
        };
        [format!("+{}", format::duration(after)), time, tokens, cost]
    }

    fn name(&self, row: u32, line: &mut Line) {
        let at = row as usize;
        let columns = &self.columns;
        let blocked = self.has(row, flag::BLOCKED);
        let style = match () {
            () if blocked => Style::Yellow,
            () if self.has(row, flag::ERROR) => Style::Red,
            () if self.has(row, flag::NOISE) => Style::Dim,
            () => Style::Bold,
        };
        let sign = match () {
            () if blocked => "⊘ ",
            () if self.has(row, flag::ERROR) => "✗ ",
            () => "",
        };
        let name = one_line(columns.name(at));
        line.add(style, sign).add(style, &name);
        let text = |column: &[u32]| column.get(at).map_or("", |index| columns.string(*index));
        // What the name or the parent says already is not said again.
        let above = |column: &[u32]| {
            let parent = self
                .tree
                .parent(row)
                .and_then(|parent| column.get(parent as usize));
            parent.map_or("", |index| columns.string(*index))
        };
        let tool = text(&columns.tool);
        let facts = [
            (Style::Cyan, text(&columns.agent), above(&columns.agent)),
            (Style::Magenta, text(&columns.model), ""),
            (Style::Blue, tool, ""),
            (Style::Dim, text(&columns.service), above(&columns.service)),
        ];
        let agent = text(&columns.agent);
        for (style, fact, above) in facts {
            let agent_again = style == Style::Dim && fact == agent;
            if !fact.is_empty() && fact != above && !name.contains(fact) && !agent_again {
                line.add(Style::Plain, "  ").add(style, one_line(fact));
            }
        }
        let id = columns.span_id.get(at).copied().unwrap_or(0);
        if let Some(verdict) = self.verdicts.get(&id) {
            let style = if blocked { Style::Yellow } else { Style::Green };
            line.add(Style::Plain, "  ")
                .add(style, format!("verdict {}", one_line(verdict)));
        }
        if self.tree.is_orphan(row) {
            line.add(Style::Dim, "  (its parent is missing)");
        } else if self.tree.marks(row) & mark::CYCLE != 0 {
            line.add(Style::Dim, "  (its own ancestor; cut here)");
        }
    }

    /// The error, or why it was blocked.
    fn said(&self, row: u32) -> Option<Line> {
        let message = self.columns.message.get(row as usize);
        let message = message.map_or("", |index| self.columns.string(*index));
        let style = if self.has(row, flag::BLOCKED) {
            Style::Yellow
        } else {
            Style::Red
        };
        (!message.is_empty()).then(|| Line::default().with(style, one_line(message)))
    }
}

/// The lines of the ancestors that go on.
fn trunk(levels: &[bool], line: &mut Line) {
    for last in levels {
        line.add(Style::Dim, if *last { "   " } else { "│  " });
    }
}

/// The branch that a span hangs on; a root has none.
fn branch(lasts: &[bool], depth: usize) -> Line {
    let mut line = Line::default();
    if depth == 0 {
        return line;
    }
    trunk(lasts.get(1..depth.min(LEVELS)).unwrap_or_default(), &mut line);
    if depth > LEVELS {
        return line.with(Style::Dim, format!("⋯ {depth} "));
    }
    let last = lasts.get(depth).copied().unwrap_or(true);
    line.with(Style::Dim, if last { "└─ " } else { "├─ " })
}

/// What stands before a text below a span.
fn below(lasts: &[bool], depth: usize, children: bool) -> Line {
    let mut line = Line::default();
    trunk(
        lasts.get(1..(depth + 1).min(LEVELS)).unwrap_or_default(),
        &mut line,
    );
    line.with(Style::Dim, if children { "│  " } else { "   " })
}
