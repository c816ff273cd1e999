//! What a chart shows: series over steps of time. Pure.

use meshscope_analysis::distribution::Heat;

/// How series are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bars, one on top of the other.
    Stacked,
    /// Lines, each with a band around it where it has one; they break where there is no value.
    Lines,
    /// The same, but drawn on over what has no value: what holds until it is measured again.
    Levels,
    /// A row a series, the first at the bottom; the fuller a cell, the stronger its colour.
    Heat,
}

/// Hues beyond the six of services and series.
pub(crate) mod hue {
    /// What is summed up.
    pub(crate) const REST: usize = 6;
    /// Trouble.
    pub(crate) const ERROR: usize = 7;
    /// What a gate stopped.
    pub(crate) const BLOCKED: usize = 8;
}

/// One series.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Series {
    /// Name in the legend.
    pub name: String,
    /// A value a step; `None` where there is none.
    pub values: Vec<Option<f64>>,
    /// Least and greatest a step, of what the value stands for; empty where there is no band.
    pub band: Vec<Option<(f64, f64)>>,
    /// 0 to 5, or one of [`hue`].
    pub hue: usize,
    /// The filter that a click sets, as a query (`model=gpt-4o`); nothing where it stands for several.
    pub key: Option<String>,
}

impl Series {
    /// A series without band and key.
    pub(crate) fn new(name: &str, hue: usize, values: Vec<Option<f64>>) -> Self {
        Self {
            name: name.to_owned(),
            values,
            hue,
            ..Self::default()
        }
    }

    /// The value of a step.
    pub(crate) fn at(&self, step: usize) -> Option<f64> {
        self.values.get(step).copied().flatten()
    }

    /// Sum of the values.
    pub(crate) fn sum(&self) -> f64 {
        self.values.iter().flatten().sum()
    }
}

/// What a chart shows.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    /// How.
    pub kind: Kind,
    /// Where steps begin, ns since the epoch, and where the last one ends: days are not all equally long.
    pub edges: Vec<i64>,
    /// The series, a value a step.
    pub series: Vec<Series>,
    /// A value as text, on the axis.
    pub format: fn(f64) -> String,
    /// A value where it is read, to the last digit; as on the axis when there is none.
    pub exact: Option<fn(f64) -> String>,
    /// Behind the lines: how many values there were of which size. The value axis then has its rows.
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

impl Default for Data {
    /// Nothing.
    fn default() -> Self {
        Self {
            kind: Kind::Lines,
            edges: Vec::new(),
            series: Vec::new(),
            format: |x| x.to_string(),
            exact: None,
            heat: None,
            dots: Vec::new(),
        }
    }
}

impl PartialEq for Data {
    /// Two charts are the same when they show the same; the format goes with what is shown.
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.edges, &self.series) == (other.kind, &other.edges, &other.series)
            && (&self.heat, &self.dots) == (&other.heat, &other.dots)
    }
}

impl Data {
    /// A value as it is read.
    pub(crate) fn read(&self, value: f64) -> String {
        self.exact.unwrap_or(self.format)(value)
    }

    /// How many steps.
    pub(crate) fn steps(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// There is nothing to draw: no value at all, or of sums only nothings. A level of 0 is something.
    pub(crate) fn is_empty(&self) -> bool {
        let mut values = self
            .series
            .iter()
            .flat_map(|series| series.values.iter().flatten());
        match self.kind {
            Kind::Lines | Kind::Levels => values.next().is_none(),
            Kind::Stacked | Kind::Heat => values.all(|value| *value == 0.0),
        }
    }

    /// The lower and the upper end of the value axis, so that 0 and the series which `shown` says are shown fit.
    pub(crate) fn ends(&self, shown: impl Fn(usize) -> bool) -> (f64, f64) {
        if self.kind == Kind::Heat {
            return (0.0, self.series.len().max(1) as f64);
        }
        if let Some(heat) = &self.heat {
            return (0.0, heat.edges.len().saturating_sub(1).max(1) as f64);
        }
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for step in 0..self.steps() {
            // What is stacked stands on what is of its sign.
            let (mut below, mut above) = (0.0_f64, 0.0_f64);
            for (_, series) in self.series.iter().enumerate().filter(|(at, _)| shown(*at)) {
                let band = series.band.get(step).copied().flatten();
                let Some((least, most)) = band.or_else(|| series.at(step).map(|value| (value, value))) else {
                    continue;
                };
                match self.kind {
                    Kind::Stacked => (below, above) = (below + least.min(0.0), above + most.max(0.0)),
                    _ => (below, above) = (below.min(least), above.max(most)),
                }
            }
            (low, high) = (low.min(below), high.max(above));
        }
        let bottom = if low < 0.0 { -nice(-low) } else { 0.0 };
        let top = if high > 0.0 || bottom == 0.0 {
            nice(high)
        } else {
            0.0
        };
        (bottom, top)
    }

    /// How high a value stands: over a heat map in its rows.
    pub(crate) fn place(&self, value: f64) -> f64 {
        self.heat.as_ref().map_or(value, |heat| heat.place(value))
    }

    /// What is written beside a height.
    pub(crate) fn label(&self, height: f64) -> String {
        let row = height.round().max(0.0) as usize;
        match &self.heat {
            _ if self.kind == Kind::Heat => self.series.get(row).map_or_else(String::new, |s| s.name.clone()),
            None => (self.format)(height),
            Some(heat) => match heat.edges.get(row) {
                Some(edge) if edge.is_finite() => (self.format)(*edge),
                _ => String::new(),
            },
        }
    }

    /// The fullest cell of a heat map.
    pub(crate) fn fullest(&self) -> f64 {
        let values = self
            .series
            .iter()
            .flat_map(|series| series.values.iter().flatten());
        values.copied().fold(0.0, f64::max)
    }

    /// Moment at a place on the time axis: 1.5 is in the middle of the second step.
    pub(crate) fn moment(&self, place: f64) -> i64 {
        let step = (place.max(0.0) as usize).min(self.steps());
        let edge = |step: usize| self.edges.get(step).or(self.edges.last()).copied().unwrap_or(0);
        let width = edge(step + 1).saturating_sub(edge(step));
        edge(step).saturating_add(((place - step as f64) * width as f64) as i64)
    }

    /// The series at a height of a step, in values: what a click there means.
    pub(crate) fn series_at(&self, step: usize, height: f64, shown: impl Fn(usize) -> bool) -> Option<usize> {
        if self.kind == Kind::Heat {
            return (height >= 0.0 && (height as usize) < self.series.len()).then_some(height as usize);
        }
        let all = self.series.iter().enumerate().filter(|(i, _)| shown(*i));
        let mut values = all.filter_map(|(i, series)| Some((i, series.at(step)?)));
        if self.kind == Kind::Stacked {
            let mut base = 0.0;
            let hit = |(_, value): &(usize, f64)| {
                let side = (*value < 0.0) == (height < 0.0);
                base += if side { *value } else { 0.0 };
                side && height.abs() < base.abs()
            };
            return values.find(hit).map(|(i, _)| i);
        }
        let far = |value: f64| (self.place(value) - height).abs();
        values
            .min_by(|a, b| far(a.1).total_cmp(&far(b.1)))
            .map(|(i, _)| i)
    }

    /// As comma-separated values: the start of each step in RFC 3339, then a column a series, in full
    /// precision; what is not known stays empty.
    pub(crate) fn csv(&self) -> String {
        let head = self.series.iter().map(|series| quoted(&series.name));
        let mut text = std::iter::once("time".to_owned())
            .chain(head)
            .collect::<Vec<_>>()
            .join(",");
        for step in 0..self.steps() {
            text.push('\n');
            text.push_str(&meshscope_model::time::to_rfc3339(self.moment(step as f64)));
            for series in &self.series {
                text.push(',');
                if let Some(value) = series.at(step) {
                    text.push_str(&value.to_string());
                }
            }
        }
        text.push('\n');
        text
    }
}

/// A field of a CSV file (RFC 4180). One that a spreadsheet would take for a formula is kept from being one.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// The next round number.
fn nice(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= value * 0.999_999)
        .unwrap_or(value)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn data(kind: Kind, values: &[&[f64]]) -> Data {
        let series = |(at, values): (usize, &&[f64])| {
            Series::new(&format!("s{at}"), at, values.iter().map(|v| Some(*v)).collect())
        };
        Data {
            kind,
            edges: vec![0, 1_000_000_000, 3_000_000_000],
            series: values.iter().enumerate().map(series).collect(),
            ..Data::default()
        }
    }

    #[test]
    fn tops_are_round_and_hold_everything() {
        assert_eq!(nice(0.0), 1.0);
        assert_eq!(nice(17.0), 20.0);
        assert_eq!(nice(0.031), 0.04);
        assert_eq!(nice(2.4), 2.5);
        let mut data = data(Kind::Stacked, &[&[1.0, 2.0], &[3.0, 4.0]]);
        assert_eq!(data.ends(|_| true), (0.0, 6.0));
        assert_eq!(data.ends(|i| i == 0), (0.0, 2.0));
        data.kind = Kind::Lines;
        assert_eq!(data.ends(|_| true), (0.0, 4.0));
        data.series[0].band = vec![Some((0.5, 42.0)), None];
        assert_eq!(data.ends(|_| true), (0.0, 50.0));
    }

    #[test]
    fn what_is_below_zero_is_on_the_axis_and_stacked_downwards() {
        let mut data = data(Kind::Lines, &[&[-3.0, -17.0], &[-1.0, 0.0]]);
        assert_eq!(data.ends(|_| true), (-20.0, 0.0));
        data.series[1].values[1] = Some(4.0);
        assert_eq!(data.ends(|_| true), (-20.0, 4.0));
        data.series[1].values[1] = Some(-4.0);
        data.series[0].values[0] = Some(2.0);
        data.kind = Kind::Stacked;
        assert_eq!(data.ends(|_| true), (-25.0, 2.0));
        let all = |_| true;
        let hits = [1.9, 2.1, -0.9, -1.1].map(|height| data.series_at(0, height, all));
        assert_eq!(hits, [Some(0), None, Some(1), None]);
        assert_eq!(data.series_at(1, -18.0, all), Some(1));
    }

    #[test]
    fn a_level_of_zero_is_something_and_a_sum_of_nothings_is_not() {
        let mut data = data(Kind::Levels, &[&[0.0, 0.0]]);
        assert!(!data.is_empty());
        data.kind = Kind::Stacked;
        assert!(data.is_empty());
        data.series[0].values = vec![Some(5.0), Some(-5.0)];
        assert!(!data.is_empty(), "what cancels out was there");
        data.kind = Kind::Lines;
        data.series[0].values = vec![None, None];
        assert!(data.is_empty());
    }

    #[test]
    fn a_place_is_a_moment_where_steps_differ_in_length() {
        let data = data(Kind::Lines, &[&[1.0, 2.0]]);
        let moments = [0.0, 0.5, 1.0, 1.5, 2.0, 7.0].map(|place| data.moment(place));
        let second = 1_000_000_000;
        assert_eq!(
            moments,
            [0, second / 2, second, 2 * second, 3 * second, 3 * second]
        );
    }

    #[test]
    fn a_height_means_the_bar_the_line_or_the_row_there() {
        let mut data = data(Kind::Stacked, &[&[1.0, 2.0], &[3.0, 4.0]]);
        let all = |_| true;
        let hits = [0.5, 1.5, 3.9, 4.1].map(|height| data.series_at(0, height, all));
        assert_eq!(hits, [Some(0), Some(1), Some(1), None]);
        assert_eq!(data.series_at(0, 0.5, |i| i == 1), Some(1));
        data.kind = Kind::Lines;
        assert_eq!(
            [1.9, 2.1].map(|height| data.series_at(0, height, all)),
            [Some(0), Some(1)]
        );
        data.kind = Kind::Heat;
        assert_eq!(
            [1.9, 2.1].map(|height| data.series_at(0, height, all)),
            [Some(1), None]
        );
    }

    #[test]
    fn csv_keeps_names_gaps_and_digits() {
        let mut data = data(Kind::Lines, &[&[0.1, 2.0], &[3.0, 4.0]]);
        data.series[0].name = "a, \"b\"".to_owned();
        data.series[1].name = "=1+1".to_owned();
        data.series[1].values[1] = None;
        let text = data.csv();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "time,\"a, \"\"b\"\"\",'=1+1");
        assert!(
            lines[1].starts_with("1970-01-01T00:00:00") && lines[1].ends_with(",0.1,3"),
            "{text}"
        );
        assert!(
            lines[2].starts_with("1970-01-01T00:00:01") && lines[2].ends_with(",2,"),
            "{text}"
        );
    }
}
