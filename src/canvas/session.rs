//! The timeline of a session: lanes of what went on, marks of its events, the density of its log records and how
//! its tokens came together.

use super::painter::{Painter, Text};
use super::theme::Theme;
use meshscope_analysis::{Lane, LaneKind, Sums, Timeline};
use meshscope_api::{Lifecycle, SessionLogs};
use meshscope_layout::text::{Cut, fit};
use meshscope_layout::{TimeView, density, format, painted, ticks};
use meshscope_model::columns::flag;

/// Height of the axis, which is where the playhead is taken, CSS pixels.
pub(crate) const AXIS: f64 = 24.0;
/// Height of a lane.
pub(crate) const LANE: f64 = 18.0;
/// Height of what is drawn as bars or a line.
const TALL: f64 = 30.0;
/// Room between two labels of the axis.
const TICK_ROOM: f64 = 92.0;
/// Room of a mark of an event.
const MARK: f64 = 9.0;
/// Width of a bar of the density.
const BAR: f64 = 3.0;
/// Letters.
const SIZE: f64 = 11.0;

/// A row of the picture.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a> {
    /// Stretches.
    Lane(&'a Lane),
    /// Marks of events.
    Events,
    /// How many log records.
    Logs,
    /// Tokens so far.
    Tokens,
    /// A metric.
    Metric(&'a Measured),
}

/// A metric over time.
pub(crate) struct Measured {
    /// Its name.
    pub name: String,
    /// Its series: moments, ns since the epoch, and values.
    pub series: Vec<Vec<(i64, f64)>>,
    /// Which values stand at the bottom and at the top.
    pub extent: (f64, f64),
    /// The value at the top in words.
    pub most: String,
}

/// What is drawn.
pub(crate) struct Scene<'a> {
    /// Colours.
    pub theme: &'a Theme,
    /// Time over the width behind the names.
    pub view: &'a TimeView,
    /// Width of the names.
    pub names: f64,
    /// Lanes and events.
    pub timeline: &'a Timeline,
    /// Log records in the order of time.
    pub logs: &'a SessionLogs,
    /// Tokens of calls.
    pub tokens: &'a Sums,
    /// The metric that is shown, where there is one.
    pub metric: Option<&'a Measured>,
    /// Width of a text.
    pub measure: &'a dyn Fn(&str) -> f64,
}

/// Whether an event stands in the lane of marks: what has a lane of its own does not.
pub(crate) fn is_marked(kind: Lifecycle) -> bool {
    !matches!(
        kind,
        Lifecycle::Turn | Lifecycle::Tool | Lifecycle::Started | Lifecycle::Ended
    )
}

/// The rows of a session, each with its top edge and height; and the height of all.
pub(crate) fn rows<'a>(
    timeline: &'a Timeline,
    logs: &SessionLogs,
    tokens: &Sums,
    metric: Option<&'a Measured>,
) -> (Vec<(Row<'a>, f64, f64)>, f64) {
    let lanes = timeline.lanes.iter().map(|lane| (Row::Lane(lane), LANE));
    let marks = timeline.events.iter().any(|event| is_marked(event.kind));
    let more = [
        marks.then_some((Row::Events, LANE)),
        (!logs.logs.is_empty()).then_some((Row::Logs, TALL)),
        tokens.at(i64::MAX).map(|_| (Row::Tokens, TALL)),
        metric.map(|metric| (Row::Metric(metric), TALL)),
    ];
    let mut top = AXIS + 2.0;
    let mut rows = Vec::new();
    for (row, height) in lanes.chain(more.into_iter().flatten()) {
        rows.push((row, top, height));
        top += height;
    }
    (rows, top + 4.0)
}

/// What a row is called.
pub(crate) fn name(row: Row<'_>) -> String {
    match row {
        Row::Lane(lane) => match lane.kind {
            LaneKind::Runs => "runs",
            LaneKind::Turns => "turns",
            LaneKind::UserSpeech => "user speaks",
            LaneKind::AgentSpeech => "agent speaks",
            LaneKind::Agent if lane.name.is_empty() => "other agents",
            LaneKind::Agent => &lane.name,
            LaneKind::Models => "models",
            LaneKind::Tools => "tools",
        },
        Row::Events => "events",
        Row::Logs => "logs",
        Row::Tokens => "tokens",
        Row::Metric(metric) => &metric.name,
    }
    .to_owned()
}

fn hue(kind: LaneKind) -> usize {
    match kind {
        LaneKind::Runs | LaneKind::Agent => 0,
        LaneKind::Turns => 5,
        LaneKind::UserSpeech => 2,
        LaneKind::AgentSpeech | LaneKind::Models => 1,
        LaneKind::Tools => 3,
    }
}

/// Draws all of it.
pub(crate) fn draw(p: &mut dyn Painter, s: &Scene<'_>, size: (f64, f64)) {
    let (rows, height) = rows(s.timeline, s.logs, s.tokens, s.metric);
    p.rect(&s.theme.surface, 0.0, 0.0, size.0, size.1);
    axis(p, s, height);
    for (at, (row, top, tall)) in rows.iter().enumerate() {
        if at > 0 {
            p.rect(&s.theme.line_soft, 0.0, *top - 0.5, size.0, 1.0);
        }
        let title = name(*row);
        let title = fit(&title, s.names - 16.0, Cut::End, s.measure);
        p.text(
            &s.theme.muted,
            Text::at(&title, 10.0, top + tall / 2.0 + 0.5, SIZE),
        );
        p.clip(s.names, *top, s.view.width(), *tall);
        match row {
            Row::Lane(lane) => stretches(p, s, lane, *top),
            Row::Events => marks(p, s, *top),
            Row::Logs => logs(p, s, *top),
            Row::Tokens => tokens(p, s, *top),
            Row::Metric(metric) => measured(p, s, metric, *top),
        }
        p.unclip();
    }
    p.rect(&s.theme.line, 0.0, AXIS, size.0, 1.0);
    p.rect(&s.theme.line_soft, s.names - 1.0, 0.0, 1.0, size.1);
}

fn axis(p: &mut dyn Painter, s: &Scene<'_>, height: f64) {
    for (gap, x0, x1) in s.view.gaps() {
        p.rect(&s.theme.line_soft, s.names + x0, 0.0, x1 - x0, height);
        let label = format!("\u{2026} {}", format::duration(gap.length()));
        p.text(
            &s.theme.muted,
            Text::at(&label, s.names + x0 + 2.0, AXIS - 6.0, 9.0),
        );
    }
    for tick in ticks::ticks_in(s.view.bounds().0, s.view, TICK_ROOM) {
        let x = s.names + s.view.x_of(tick.time).round();
        if x < s.names {
            continue;
        }
        p.rect(&s.theme.line_soft, x, 0.0, 1.0, height);
        if x + 40.0 < s.names + s.view.width() {
            p.text(
                &s.theme.faint,
                Text::at(&tick.label, x + 5.0, AXIS / 2.0, SIZE - 0.5),
            );
        }
    }
}

fn stretches(p: &mut dyn Painter, s: &Scene<'_>, lane: &Lane, top: f64) {
    let theme = s.theme;
    let all = lane.stretches.iter().map(|one| (one.start, one.end, one.flags));
    for one in painted(all, s.view) {
        let (x, w) = (s.names + one.x0, one.x1 - one.x0);
        // A hairline between neighbours, where there is room for it.
        let w = if w > 4.0 { w - 1.0 } else { w };
        let open = one.flags & flag::IN_PROGRESS != 0;
        p.alpha(if open { 0.38 } else { 0.75 });
        p.rounded(theme.hue(hue(lane.kind)), x, top + 4.0, w, LANE - 8.0);
        p.alpha(1.0);
        let trouble = match (one.flags & flag::BLOCKED != 0, one.flags & flag::ERROR != 0) {
            (true, _) => Some(&theme.blocked),
            (false, true) => Some(&theme.error),
            (false, false) => None,
        };
        if let Some(color) = trouble {
            p.rect(color, x, top + LANE - 5.0, w, 2.5);
        }
        if open {
            p.rect(theme.hue(hue(lane.kind)), x + w - 2.0, top + 3.0, 2.0, LANE - 6.0);
        }
    }
}

/// Colour and mark of an event.
fn mark(theme: &Theme, kind: Lifecycle) -> (&str, &'static str) {
    match kind {
        Lifecycle::Failed => (&theme.error, "\u{25cf}"),
        Lifecycle::Blocked => (&theme.blocked, "\u{25c6}"),
        Lifecycle::Interrupted => (&theme.warn, "\u{25d0}"),
        Lifecycle::HandedOver => (&theme.accent, "\u{21c4}"),
        Lifecycle::Joined => (&theme.muted, "\u{2192}"),
        Lifecycle::Left => (&theme.muted, "\u{2190}"),
        _ => (&theme.faint, "\u{b7}"),
    }
}

fn marks(p: &mut dyn Painter, s: &Scene<'_>, top: f64) {
    // Where marks would lie on each other, lines stand for them; the graver are drawn over the others.
    let mut free = f64::NEG_INFINITY;
    let mut last = (f64::NEG_INFINITY, Lifecycle::Other);
    for event in s.timeline.events.iter().filter(|event| is_marked(event.kind)) {
        if !s.view.meets(event.at, event.at) {
            continue;
        }
        let x = s.names + s.view.x_of(event.at);
        let (color, sign) = mark(s.theme, event.kind);
        if x >= free {
            p.text(
                color,
                Text::at(sign, x - MARK / 2.0, top + LANE / 2.0 + 0.5, SIZE),
            );
            free = x + MARK;
        } else if x - last.0 >= 1.0 || last.1 != event.kind {
            p.rect(color, x - 0.5, top + 3.0, 1.5, LANE - 6.0);
        } else {
            continue;
        }
        last = (x, event.kind);
    }
}

fn logs(p: &mut dyn Painter, s: &Scene<'_>, top: f64) {
    let class = |severity: u8| match severity {
        17.. => 0,
        13..=16 => 1,
        _ => 2,
    };
    let bars = (s.view.width() / BAR) as usize;
    let all = s
        .logs
        .logs
        .iter()
        .map(|log| (log.time, class(log.severity_number)));
    let counts = density::<3>(all, s.view, bars.max(1));
    let most = counts
        .iter()
        .map(|bar| bar.iter().sum::<u32>())
        .max()
        .unwrap_or(0)
        .max(1);
    let colors = [&s.theme.error, &s.theme.warn, &s.theme.hues[0]];
    let width = s.view.width() / bars.max(1) as f64;
    for (at, bar) in counts.iter().enumerate() {
        let mut base = top + TALL - 3.0;
        for (count, color) in bar.iter().zip(colors) {
            if *count > 0 {
                // A few among many are still seen.
                let high = (f64::from(*count) / f64::from(most) * (TALL - 7.0)).max(2.0);
                base -= high;
                p.alpha(if std::ptr::eq(color, &raw const s.theme.hues[0]) {
                    0.55
                } else {
                    0.95
                });
                p.rect(
                    color,
                    s.names + at as f64 * width,
                    base,
                    (width - 0.5).max(1.0),
                    high,
                );
            }
        }
    }
    p.alpha(1.0);
}

fn tokens(p: &mut dyn Painter, s: &Scene<'_>, top: f64) {
    let all = s.tokens.at(i64::MAX).unwrap_or(0).max(1);
    let step = 2.0;
    let (base, high) = (top + TALL - 3.0, TALL - 8.0);
    p.alpha(0.4);
    let mut x = 0.0;
    while x < s.view.width() {
        let so_far = s.tokens.at(s.view.time_at(x + step)).unwrap_or(0);
        let part = so_far as f64 / all as f64 * high;
        if part > 0.0 {
            p.rect(&s.theme.hues[4], s.names + x, base - part, step, part);
        }
        x += step;
    }
    p.alpha(1.0);
    let text = format::count(all);
    let right = s.names + s.view.width() - 6.0;
    p.text(&s.theme.muted, Text::ending(&text, right, top + 9.0, SIZE - 0.5));
}

fn measured(p: &mut dyn Painter, s: &Scene<'_>, metric: &Measured, top: f64) {
    let (low, high) = metric.extent;
    let extent = (high - low).max(f64::MIN_POSITIVE);
    let (base, tall) = (top + TALL - 4.0, TALL - 8.0);
    for (hue, points) in metric.series.iter().enumerate() {
        for (time, value) in points {
            let y = base - (value - low) / extent * tall;
            p.rect(
                s.theme.hue(hue),
                s.names + s.view.x_of(*time) - 1.0,
                y - 1.0,
                3.0,
                3.0,
            );
        }
    }
    let right = s.names + s.view.width() - 6.0;
    p.text(
        &s.theme.muted,
        Text::ending(&metric.most, right, top + 9.0, SIZE - 0.5),
    );
}
