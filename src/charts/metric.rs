//! A metric's series as a chart.

use super::data::{Data, Kind, Series};
use crate::canvas::surface::mark;
use meshscope_analysis::metric::{Increases, Measured, Reading};
use meshscope_api::{MetricDetail, MetricSeries};
use meshscope_layout::reduce::reduce;
use meshscope_model::{Attributes, MetricKind};

/// How many steps the chart of amounts and means has.
const STEPS: usize = 120;
/// Columns that the points of a level are reduced to: about what a chart has pixels.
const COLUMNS: usize = 720;
/// Series of one chart.
const MOST: usize = 6;

/// Over which time a chart is drawn.
#[derive(Clone, Copy)]
struct Axis {
    first: i64,
    step: i64,
    steps: usize,
}

impl Axis {
    /// From the first moment to the last in at most `steps` steps.
    fn of(first: i64, last: i64, steps: usize) -> Self {
        let length = last.saturating_sub(first);
        let step = (length / steps as i64 + 1).max(1_000_000);
        Self {
            first,
            step,
            steps: (length / step) as usize + 1,
        }
    }

    fn edges(self) -> Vec<i64> {
        let edge = |n: usize| self.first.saturating_add(self.step.saturating_mul(n as i64));
        (0..=self.steps).map(edge).collect()
    }
}

/// A metric's series over time: of a gauge the median of each column of pixels in a band from its
/// least to its greatest, of a sum the increase a step, of a histogram the mean.
pub(crate) fn metric(detail: &MetricDetail, format: fn(f64) -> String) -> Option<Data> {
    mark("chart reduce");
    let points = || detail.series.iter().flat_map(|series| &series.points);
    let first = points().map(|point| point.time).min()?;
    let last = points().map(|point| point.time).max()?;
    let reading = Reading {
        kind: detail.metric.kind,
        temporality: detail.metric.temporality,
        monotonic: detail.metric.monotonic,
    };
    let level = Increases::new(reading, 0).is_level();
    let kind = match (level, reading.kind) {
        (true, _) => Kind::Levels,
        (false, MetricKind::Sum) => Kind::Stacked,
        (false, _) => Kind::Lines,
    };
    let axis = Axis::of(first, last, if level { COLUMNS } else { STEPS });
    let mut all: Vec<Series> = Vec::new();
    for series in detail.series.iter().take(MOST) {
        let mut drawn = match kind {
            Kind::Levels => levels(series, reading, axis),
            _ => amounts(series, reading, detail.from, axis),
        };
        drawn.hue = all.len();
        drawn.name = label(&series.service, &series.attributes);
        // Instances of a service differ in their resource only.
        let alike = all
            .iter()
            .filter(|known| known.name.starts_with(&drawn.name))
            .count();
        if alike > 0 {
            drawn.name.push_str(&format!(" {}", alike + 1));
        }
        all.push(drawn);
    }
    Some(Data {
        kind,
        edges: axis.edges(),
        series: all,
        format,
    })
}

fn levels(series: &MetricSeries, reading: Reading, axis: Axis) -> Series {
    let mut increases = Increases::new(reading, 0);
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for point in &series.points {
        if let Some(measured) = increases.next(point.start_time, &point.value) {
            times.push(point.time);
            values.push(measured.value);
        }
    }
    let end = axis
        .first
        .saturating_add(axis.step.saturating_mul(axis.steps as i64));
    let columns = reduce(&times, &values, axis.first, end, axis.steps);
    let several = columns.iter().flatten().any(|column| column.min < column.max);
    let band = |column: &Option<meshscope_layout::reduce::Column>| column.map(|c| (c.min, c.max));
    Series {
        band: if several {
            columns.iter().map(band).collect()
        } else {
            Vec::new()
        },
        ..Series::new(
            "",
            0,
            columns.iter().map(|column| column.map(|c| c.p50)).collect(),
        )
    }
}

fn amounts(series: &MetricSeries, reading: Reading, from: i64, axis: Axis) -> Series {
    let sums = reading.kind == MetricKind::Sum;
    // (sum, weight) a step: an increase has weight 1 in total, a mean as many as were measured.
    let mut cells = vec![(0.0, 0.0); axis.steps];
    let mut increases = Increases::new(reading, from);
    for point in &series.points {
        let Some(Measured { value, weight }) = increases.next(point.start_time, &point.value) else {
            continue;
        };
        let at = (point.time.saturating_sub(axis.first) / axis.step) as usize;
        if let Some(cell) = cells.get_mut(at) {
            *cell = (cell.0 + value, if sums { 1.0 } else { cell.1 + weight });
        }
    }
    let mean = |(sum, weight): (f64, f64)| (weight > 0.0).then(|| sum / weight);
    Series::new("", 0, cells.into_iter().map(mean).collect())
}

/// Service and attributes in a few words.
fn label(service: &str, attributes: &Attributes) -> String {
    let values: Vec<String> = attributes.iter().take(3).map(|kv| kv.value.to_text()).collect();
    if values.is_empty() {
        service.to_owned()
    } else {
        format!("{service} {}", values.join(" "))
    }
}
