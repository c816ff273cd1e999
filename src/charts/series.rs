//! What a chart shows: series over equal steps of time. Pure.

use meshscope_analysis::distribution::Heat;
use meshscope_model::Attributes;
use std::collections::BTreeMap;

/// How series are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bars, one on top of the other.
    Stacked,
    /// Lines.
    Lines,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Name in the legend.
    pub name: String,
    /// A value a step; `None` where there is none.
    pub values: Vec<Option<f64>>,
}

/// What a chart shows.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    /// How.
    pub kind: Kind,
    /// Start of the first step, ns since the epoch.
    pub start: i64,
    /// Width of a step, ns.
    pub step: i64,
    /// How many steps.
    pub steps: usize,
    /// The series, all of `steps` values.
    pub series: Vec<Series>,
    /// A value as text.
    pub format: fn(f64) -> String,
    /// Behind the lines: how many values there were of which size.
    pub heat: Option<Heat>,
    /// Single values with the spans that they come from.
    pub dots: Vec<Dot>,
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dot {
    /// When, in steps from the start.
    pub at: f64,
    /// The value.
    pub value: f64,
    /// Where its span is: `/traces/ID?span=ID`.
    pub link: String,
}

/// How many groups are told apart; the others are summed up.
const GROUPS: usize = 5;

impl PartialEq for Data {
    /// Two charts are the same when they show the same; the format goes with what is shown.
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.start, self.step, self.steps) == (other.kind, other.start, other.step, other.steps)
            && self.series == other.series
            && self.heat == other.heat
            && self.dots == other.dots
    }
}

impl Data {
    /// The largest value that must fit, of the series that `shown` says are shown.
    pub(crate) fn top(&self, shown: impl Fn(usize) -> bool) -> f64 {
        let at = |step: usize| {
            let values = self.series.iter().enumerate().filter(|(i, _)| shown(*i));
            let values = values.filter_map(|(_, series)| series.values.get(step).copied().flatten());
            match self.kind {
                Kind::Stacked => values.sum::<f64>(),
                Kind::Lines => values.fold(0.0, f64::max),
            }
        };
        match &self.heat {
            Some(heat) => heat.edges.len().saturating_sub(1) as f64,
            None => nice((0..self.steps).map(at).fold(0.0, f64::max)),
        }
    }

    /// How high a value stands: over a heat map in its rows.
    pub(crate) fn place(&self, value: f64) -> f64 {
        self.heat.as_ref().map_or(value, |heat| heat.place(value))
    }

    /// What is written beside a height.
    pub(crate) fn label(&self, height: f64) -> String {
        let Some(heat) = &self.heat else {
            return (self.format)(height);
        };
        match heat.edges.get(height.round().max(0.0) as usize) {
            Some(edge) if edge.is_finite() => (self.format)(*edge),
            _ => String::new(),
        }
    }

    /// Moment at the start of a step.
    pub(crate) fn moment(&self, step: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(step as i64))
    }
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn nice(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= value * 0.999_999)
        .unwrap_or(value)
}

/// Series of the groups with the largest sums, the others summed up as "other".
/// `points` are (step, group, value).
pub(crate) fn top_groups(steps: usize, points: impl Iterator<Item = (usize, String, f64)>) -> Vec<Series> {
    let mut groups: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    for (step, group, value) in points {
        let values = groups.entry(group).or_insert_with(|| vec![None; steps]);
        if let Some(slot) = values.get_mut(step) {
            *slot = Some(slot.unwrap_or(0.0) + value);
        }
    }
    let mut series: Vec<Series> = groups
        .into_iter()
        .map(|(name, values)| Series { name, values })
        .collect();
    let sum = |series: &Series| series.values.iter().flatten().sum::<f64>();
    series.sort_by(|a, b| sum(b).total_cmp(&sum(a)));
    if series.len() > GROUPS + 1 {
        let rest = series.split_off(GROUPS);
        let mut other = Series {
            name: format!("{} others", rest.len()),
            values: vec![None; steps],
        };
        for (slot, step) in other.values.iter_mut().zip(0..) {
            let values = rest
                .iter()
                .filter_map(|series| series.values.get::<usize>(step).copied().flatten());
            *slot = values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value));
        }
        series.push(other);
    }
    series
}

/// Service and attributes in a few words.
pub(crate) fn label(service: &str, attributes: &Attributes) -> String {
    let values: Vec<String> = attributes.iter().take(3).map(|kv| kv.value.to_text()).collect();
    if values.is_empty() {
        service.to_owned()
    } else {
        format!("{service} {}", values.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_groups_become_five_and_the_rest() {
        let points = (0..9_usize).map(|n| (n % 2, format!("g{n}"), 10.0 - n as f64));
        let series = top_groups(2, points);
        let names: Vec<_> = series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["g0", "g1", "g2", "g3", "g4", "4 others"]);
        let total: f64 = series
            .iter()
            .flat_map(|series| series.values.iter().flatten())
            .sum();
        assert!((total - (2..=10).map(f64::from).sum::<f64>()).abs() < 1e-9);
    }

    #[test]
    fn tops_are_round_and_hold_everything() {
        assert_eq!(nice(0.0), 1.0);
        assert_eq!(nice(17.0), 20.0);
        assert_eq!(nice(0.031), 0.05);
        assert_eq!(nice(2.4), 2.5);
        let series = |values: [f64; 2]| Series {
            name: String::new(),
            values: values.map(Some).to_vec(),
        };
        let mut data = Data {
            kind: Kind::Stacked,
            start: 0,
            step: 1,
            steps: 2,
            series: vec![series([1.0, 2.0]), series([3.0, 4.0])],
            format: |x| x.to_string(),
            heat: None,
            dots: Vec::new(),
        };
        assert_eq!(data.top(|_| true), 10.0);
        assert_eq!(data.top(|i| i == 0), 2.0);
        data.kind = Kind::Lines;
        assert_eq!(data.top(|_| true), 5.0);
    }
}
