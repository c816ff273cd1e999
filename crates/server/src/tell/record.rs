//! Records as lines: log records, `[SPAN]` blocks, metric points.

use super::Ended;
use super::line::{Line, Style, uncoloured};
use super::out::Out;
use meshscope_api::query::SEVERITIES;
use meshscope_api::{LivePoint, LiveSpan, Log};
use meshscope_layout::format;
use meshscope_layout::text::one_line;
use meshscope_model::{Attributes, PointValue, StatusCode, Tokens};

/// Before what belongs to the line above.
const INDENT: &str = "    ";
/// How much of an attribute's value a line shows.
const VALUE: usize = 200;

/// Word and style of a severity number.
fn level(number: u8) -> (&'static str, Style) {
    let word = SEVERITIES.iter().rev().find(|(_, lowest)| number >= *lowest);
    match word.map(|(word, _)| *word) {
        Some("fatal") => ("FATAL", Style::Red),
        Some("error") => ("ERROR", Style::Red),
        Some("warn") => ("WARN ", Style::Yellow),
        Some("info") => ("INFO ", Style::Green),
        Some("debug") => ("DEBUG", Style::Blue),
        Some("trace") => ("TRACE", Style::Dim),
        _ => ("-    ", Style::Dim),
    }
}

/// ` key=value` for each; values with blanks in quotes.
fn attributes(line: &mut Line, attributes: &Attributes) {
    for kv in attributes.iter() {
        let value = kv.value.to_text();
        let end = value.char_indices().nth(VALUE).map_or(value.len(), |(at, _)| at);
        let cut = value.get(..end).unwrap_or_default();
        let more = if cut.len() < value.len() { "…" } else { "" };
        let quote = if cut.is_empty() || cut.contains(char::is_whitespace) {
            "\""
        } else {
            ""
        };
        line.add(Style::Dim, format!(" {}=", kv.key))
            .add(Style::Plain, format!("{quote}{cut}{more}{quote}"));
    }
}

/// A log record: one line, and one for each further line of its body.
pub(super) fn log(out: &mut Out, log: &Log) -> Result<(), Ended> {
    let (word, style) = level(log.severity_number);
    let mut line = Line::default().with(Style::Dim, out.zone.time(log.time));
    line.add(Style::Plain, " ")
        .add(style, word)
        .add(Style::Plain, " ");
    let who = log
        .agent
        .as_deref()
        .filter(|agent| !agent.is_empty())
        .unwrap_or(&log.service);
    if !who.is_empty() {
        line.add(Style::Cyan, who).add(Style::Plain, " ");
    }
    let text = log.body.to_text();
    let text = uncoloured(&text);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if !log.event_name.is_empty() && first != log.event_name {
        line.add(Style::Magenta, &log.event_name).add(Style::Plain, " ");
    }
    line.add(Style::Plain, first);
    attributes(&mut line, &log.attributes);
    out.line(&line)?;
    for more in lines {
        out.line(
            &Line::default()
                .with(Style::Plain, INDENT)
                .with(Style::Plain, more),
        )?;
    }
    Ok(())
}

/// `in 120 (80 cached) out 45 total 165`; empty when nothing is known.
pub(super) fn tokens(tokens: &Tokens) -> String {
    let mut words = Vec::new();
    if let Some(input) = tokens.input {
        let cached = tokens.cached_input.filter(|cached| *cached > 0);
        let cached = cached.map(|cached| format!(" ({} cached)", format::count(cached)));
        words.push(format!(
            "in {}{}",
            format::count(input),
            cached.unwrap_or_default()
        ));
    }
    if let Some(output) = tokens.output {
        words.push(format!("out {}", format::count(output)));
    }
    if let Some(total) = tokens.total.filter(|_| words.is_empty()) {
        words.push(format!("total {}", format::count(total)));
    }
    words.join(" ")
}

/// A span: what it is, and below it what is known of it.
pub(super) fn span(out: &mut Out, span: &LiveSpan) -> Result<(), Ended> {
    let quiet = if span.noise { Style::Dim } else { Style::Plain };
    let mut line = Line::default().with(Style::Dim, out.zone.time(span.start_time));
    line.add(Style::Plain, " ")
        .add(Style::Magenta, "[SPAN]")
        .add(Style::Plain, " ");
    line.add(
        if span.noise { Style::Dim } else { Style::Bold },
        one_line(&span.name),
    );
    line.add(Style::Plain, "  ");
    match span.duration_ns {
        Some(duration) => line.add(quiet, format::duration(duration)),
        None => line.add(Style::Blue, "running"),
    };
    if span.blocked {
        line.add(Style::Yellow, "  blocked");
    } else if span.error.is_some() || span.status == StatusCode::Error {
        line.add(Style::Red, "  failed");
    }
    out.line(&line)?;
    // What a framework does for itself is one line.
    if !span.noise {
        for line in span_facts(span) {
            out.line(&line)?;
        }
    }
    Ok(())
}

fn span_facts(span: &LiveSpan) -> Vec<Line> {
    let known = |name: &'static str, value: &Option<String>| {
        let value = value.clone().filter(|value| !value.is_empty())?;
        Some((name, one_line(&value).into_owned()))
    };
    let what = [
        Some(("operation", span.operation.as_str().to_owned())).filter(|(_, word)| !word.is_empty()),
        Some(("service", span.service.clone())).filter(|(_, service)| !service.is_empty()),
        known("agent", &span.agent),
        known("model", &span.model),
        known("tool", &span.tool),
        Some(("tokens", tokens(&span.tokens))).filter(|(_, text)| !text.is_empty()),
        span.cost_pico_usd.map(|cost| ("cost", format::cost(cost))),
    ];
    let place = [
        Some(("trace", span.trace_id.to_string())),
        Some(("span", span.span_id.to_string())),
        span.parent_span_id.map(|id| ("parent", id.to_string())),
        known("session", &span.session_id),
        known("room", &span.room),
    ];
    let facts = |facts: &[Option<(&'static str, String)>]| {
        let mut line = Line::default();
        for (name, value) in facts.iter().flatten() {
            let before = if line.width() == 0 { INDENT } else { "  " };
            line.add(Style::Plain, before)
                .add(Style::Dim, format!("{name} "))
                .add(Style::Plain, value);
        }
        line
    };
    let mut lines = vec![facts(&what), facts(&place)];
    lines.retain(|line| line.width() > 0);
    let error = span.error.as_deref().filter(|error| !error.is_empty());
    for text in error.into_iter().flat_map(str::lines) {
        let style = if span.blocked { Style::Yellow } else { Style::Red };
        lines.push(Line::default().with(Style::Plain, INDENT).with(style, text));
    }
    lines
}

/// A number as it is: whole numbers without a point.
pub(super) fn number(x: f64) -> String {
    format!("{x}")
}

/// A value with its unit: `5 {token}`, `12 values, sum 3.5 s`.
pub(super) fn value(value: &PointValue, unit: &str) -> String {
    let unit = if unit.is_empty() || unit == "1" {
        String::new()
    } else {
        format!(" {unit}")
    };
    let counted = |count: u64, sum: Option<f64>| {
        let values = if count == 1 { "value" } else { "values" };
        let sum = sum.map(|sum| format!(", sum {}{unit}", number(sum)));
        format!("{count} {values}{}", sum.unwrap_or_default())
    };
    match value {
        PointValue::None => "no value".to_owned(),
        PointValue::Int(n) => format!("{n}{unit}"),
        PointValue::Double(x) => format!("{}{unit}", number(*x)),
        PointValue::Histogram(h) => counted(h.count, h.sum),
        PointValue::ExponentialHistogram(h) => counted(h.count, h.sum),
        PointValue::Summary(s) => counted(s.count, Some(s.sum)),
    }
}

/// A metric point: one line.
pub(super) fn point(out: &mut Out, point: &LivePoint) -> Result<(), Ended> {
    let mut line = Line::default().with(Style::Dim, out.zone.time(point.time));
    line.add(Style::Plain, " ")
        .add(Style::Blue, "[METRIC]")
        .add(Style::Plain, " ");
    if !point.service.is_empty() {
        line.add(Style::Cyan, &point.service).add(Style::Plain, " ");
    }
    line.add(Style::Bold, &point.name);
    line.add(Style::Plain, format!(" {}", value(&point.value, &point.unit)));
    attributes(&mut line, &point.attributes);
    out.line(&line)
}
