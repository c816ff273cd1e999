//! A metric as a chart: by its type, and for counters as asked. Pure.

use super::data::{Data, Dot, Kind, Series};
use meshscope_analysis::distribution::{Distribution, Growth};
use meshscope_analysis::metric::{Increases, Reading};
use meshscope_api::{MetricDetail, MetricSample, MetricSeries};
use meshscope_layout::reduce::{Column, reduce};
use meshscope_model::{Attributes, MetricKind, PointValue};

/// How many steps the chart of amounts and distributions has.
const STEPS: usize = 120;
/// Columns that the points of a level are reduced to: about what a chart has pixels.
const COLUMNS: usize = 720;
/// How many of its series are drawn, and how many exemplars.
const SERIES: usize = 6;
const DOTS: usize = 60;
/// What is shown of a histogram's values.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// What is shown of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// What it gained in a step.
    Increase,
    /// The same a second.
    Rate,
    /// What it has counted: since its start, or in the range where it only tells increases.
    Total,
}

impl Show {
    /// What a word of the URL asks for.
    pub(crate) fn read(word: Option<&str>) -> Self {
        match word {
            Some("rate") => Self::Rate,
            Some("total") => Self::Total,
            _ => Self::Increase,
        }
    }
}

/// The moments of a chart.
#[derive(Clone, Copy)]
struct Steps {
    first: i64,
    step: i64,
    steps: usize,
}

impl Steps {
    /// From the first moment to the last in at most so many.
    fn of(detail: &MetricDetail, most: usize) -> Option<Self> {
        let times = || {
            detail
                .series
                .iter()
                .flat_map(|series| &series.points)
                .map(|point| point.time)
        };
        let (first, last) = times().min().zip(times().max())?;
        let long = last.saturating_sub(first);
        // No narrower than from one point to the next: bars and cells stand side by side.
        let points = detail.series.iter().map(|series| series.points.len()).max()?;
        let step = (long / points.clamp(1, most) as i64 + 1).max(1_000_000);
        Some(Self {
            first,
            step,
            steps: (long / step) as usize + 1,
        })
    }

    fn edge(self, n: usize) -> i64 {
        self.first.saturating_add(self.step.saturating_mul(n as i64))
    }

    fn edges(self) -> Vec<i64> {
        (0..=self.steps).map(|n| self.edge(n)).collect()
    }

    fn at(self, time: i64) -> usize {
        (time.saturating_sub(self.first) / self.step).max(0) as usize
    }
}

/// What kind of chart a metric is, in words, for its title.
pub(crate) fn what(kind: MetricKind, show: Show) -> &'static str {
    match (kind, show) {
        (MetricKind::Sum, Show::Increase) => "increase",
        (MetricKind::Sum, Show::Rate) => "per second",
        (MetricKind::Sum, Show::Total) => "total",
        (MetricKind::Gauge, _) => "value",
        (MetricKind::Summary, _) => "mean",
        _ => "p50, p95, p99",
    }
}

/// A metric over time: of a gauge the median of each column of pixels in a band from its least to its
/// greatest, of a sum what is asked for, of a histogram its quantiles over a heat map, of a summary its mean.
pub(crate) fn metric(detail: &MetricDetail, show: Show, format: fn(f64) -> String) -> Option<Data> {
    let reading = Reading {
        kind: detail.metric.kind,
        temporality: detail.metric.temporality,
        monotonic: detail.metric.monotonic,
    };
    let level = Increases::new(reading, 0).is_level();
    let steps = Steps::of(detail, if level { COLUMNS } else { STEPS })?;
    let mut data = Data {
        kind: if level { Kind::Levels } else { Kind::Lines },
        edges: steps.edges(),
        format,
        dots: dots(detail, steps),
        ..Data::default()
    };
    if matches!(
        reading.kind,
        MetricKind::Histogram | MetricKind::ExponentialHistogram
    ) {
        let all = distribution(detail, steps);
        data.heat = all.heat();
        if data.heat.is_some() {
            let lines = QUANTILES.iter().enumerate();
            data.series = lines
                .map(|(hue, (name, q))| quantile(&all, name, hue, *q, steps.steps))
                .collect();
            return Some(data);
        }
    }
    let counts = reading.kind == MetricKind::Sum && !level;
    if counts && show == Show::Increase {
        data.kind = Kind::Stacked;
    }
    for series in detail.series.iter().take(SERIES) {
        let mut drawn = match level {
            true => levels(series, reading, steps),
            false => Series::new(
                "",
                0,
                values(series, reading, detail.from, counts.then_some(show), steps),
            ),
        };
        drawn.hue = data.series.len();
        drawn.name = unlike(&data.series, label(&series.service, &series.attributes));
        data.series.push(drawn);
    }
    Some(data)
}

/// What was measured, reduced to what the pixels can show.
fn levels(series: &MetricSeries, reading: Reading, steps: Steps) -> Series {
    let mut increases = Increases::new(reading, 0);
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for point in &series.points {
        if let Some(measured) = increases.next(point.start_time, &point.value) {
            times.push(point.time);
            values.push(measured.value);
        }
    }
    let columns = reduce(&times, &values, steps.first, steps.edge(steps.steps), steps.steps);
    let several = columns.iter().flatten().any(|column| column.min < column.max);
    let band = |column: &Option<Column>| column.map(|c| (c.min, c.max));
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

/// Service and attributes in a few words.
fn label(service: &str, attributes: &Attributes) -> String {
    let values: Vec<String> = attributes.iter().take(3).map(|kv| kv.value.to_text()).collect();
    if values.is_empty() {
        service.to_owned()
    } else {
        format!("{service} {}", values.join(" "))
    }
}

/// Instances of a service differ in their resource only.
fn unlike(known: &[Series], name: String) -> String {
    let free = |name: &String| known.iter().all(|known| known.name != *name);
    let numbered = (2..known.len() + 2).map(|n| format!("{name} {n}"));
    std::iter::once(name.clone())
        .chain(numbered)
        .find(free)
        .unwrap_or(name)
}

/// A value a step: of a counter what `show` says, of others the mean of what was measured.
fn values(
    series: &MetricSeries,
    reading: Reading,
    from: i64,
    show: Option<Show>,
    steps: Steps,
) -> Vec<Option<f64>> {
    let mut cells = vec![(0.0, 0.0); steps.steps];
    let mut increases = Increases::new(reading, from);
    let mut total = 0.0;
    for point in &series.points {
        let Some(measured) = increases.next(point.start_time, &point.value) else {
            continue;
        };
        total += measured.value;
        let Some(cell) = cells.get_mut(steps.at(point.time)) else {
            continue;
        };
        *cell = match show {
            Some(Show::Increase) => (cell.0 + measured.value, 1.0),
            Some(Show::Rate) => (cell.0 + measured.value / (steps.step as f64 / 1e9), 1.0),
            Some(Show::Total) => (counted(point).unwrap_or(total).max(total), 1.0),
            None => (cell.0 + measured.value, cell.1 + measured.weight),
        };
    }
    let mean = |(sum, weight): (f64, f64)| (weight > 0.0).then(|| sum / weight);
    cells.into_iter().map(mean).collect()
}

/// The number of a point as it was sent.
fn counted(point: &MetricSample) -> Option<f64> {
    match point.value {
        PointValue::Int(n) => Some(n as f64),
        PointValue::Double(x) => Some(x),
        _ => None,
    }
}

fn distribution(detail: &MetricDetail, steps: Steps) -> Distribution {
    let mut all = Distribution::new(steps.steps);
    for series in &detail.series {
        let mut growth = Growth::new(detail.metric.temporality, detail.from);
        for point in &series.points {
            all.add(steps.at(point.time), &growth.next(point.start_time, &point.value));
        }
    }
    all
}

fn quantile(all: &Distribution, name: &str, hue: usize, q: f64, steps: usize) -> Series {
    Series::new(name, hue, (0..steps).map(|step| all.quantile(step, q)).collect())
}

/// The latest exemplars that name a span.
fn dots(detail: &MetricDetail, steps: Steps) -> Vec<Dot> {
    let points = detail.series.iter().flat_map(|series| &series.points);
    let mut found: Vec<_> = points.flat_map(|point| &point.exemplars).collect();
    found.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.time));
    found.dedup();
    let dot = |exemplar: &meshscope_model::metric::Exemplar| {
        let value = match exemplar.value {
            PointValue::Int(n) => n as f64,
            PointValue::Double(x) => x,
            _ => return None,
        };
        let span = exemplar
            .span_id
            .map_or_else(String::new, |span| format!("?span={span}"));
        let at = exemplar.time.saturating_sub(steps.first) as f64 / steps.step as f64;
        Some(Dot {
            at: at.clamp(0.0, steps.steps as f64),
            value,
            link: format!("/traces/{}{span}", exemplar.trace_id?),
        })
    };
    found.into_iter().filter_map(dot).take(DOTS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_api::MetricInfo;
    use meshscope_model::metric::{Exemplar, Histogram};
    use meshscope_model::{Attributes, Temporality};

    const SECOND: i64 = 1_000_000_000;

    fn detail(kind: MetricKind, temporality: Temporality, values: &[PointValue]) -> MetricDetail {
        let sample = |(n, value): (usize, &PointValue)| MetricSample {
            start_time: 1,
            time: (n as i64 + 1) * 120 * SECOND,
            value: value.clone(),
            exemplars: Vec::new(),
        };
        MetricDetail {
            metric: MetricInfo {
                name: "m".to_owned(),
                description: String::new(),
                unit: String::new(),
                kind,
                temporality,
                monotonic: true,
                services: Vec::new(),
                series: 1,
                points: values.len() as u64,
                last_at: 0,
            },
            from: 0,
            series: vec![MetricSeries {
                service: "svc".to_owned(),
                attributes: Attributes::default(),
                increase: None,
                points: values.iter().enumerate().map(sample).collect(),
            }],
        }
    }

    fn shown(detail: &MetricDetail, show: Show) -> Vec<f64> {
        let data = metric(detail, show, |x| x.to_string()).unwrap();
        data.series[0].values.iter().flatten().copied().collect()
    }

    #[test]
    fn a_counter_is_shown_as_asked() {
        let cumulative = detail(
            MetricKind::Sum,
            Temporality::Cumulative,
            &[10, 10, 40].map(PointValue::Int),
        );
        assert_eq!(shown(&cumulative, Show::Increase), [10.0, 0.0, 30.0]);
        assert_eq!(shown(&cumulative, Show::Total), [10.0, 10.0, 40.0]);
        let rates = shown(&cumulative, Show::Rate);
        let edges = metric(&cumulative, Show::Rate, |x| x.to_string()).unwrap().edges;
        let step = (edges[1] - edges[0]) as f64 / 1e9;
        assert!((rates[2] - 30.0 / step).abs() < 1e-9);
        let delta = detail(
            MetricKind::Sum,
            Temporality::Delta,
            &[10, 10, 40].map(PointValue::Int),
        );
        assert_eq!(shown(&delta, Show::Total), [10.0, 20.0, 60.0]);
        let gauge = detail(
            MetricKind::Gauge,
            Temporality::Unspecified,
            &[7, 3].map(PointValue::Int),
        );
        assert_eq!(shown(&gauge, Show::Rate), [7.0, 3.0], "a level has no rate");
    }

    #[test]
    fn series_of_one_name_are_numbered_and_no_others() {
        let mut known = Vec::new();
        for name in ["api-gateway", "api", "api", "api"] {
            let name = unlike(&known, name.to_owned());
            known.push(Series::new(&name, 0, Vec::new()));
        }
        let names: Vec<_> = known.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["api-gateway", "api", "api 2", "api 3"]);
    }

    #[test]
    fn a_histogram_is_quantiles_over_a_heat_map_with_its_exemplars() {
        let histogram = PointValue::Histogram(Histogram {
            count: 10,
            explicit_bounds: vec![1.0, 2.0],
            bucket_counts: vec![0, 10, 0],
            ..Histogram::default()
        });
        let mut detail = detail(
            MetricKind::Histogram,
            Temporality::Delta,
            &[histogram.clone(), histogram],
        );
        let exemplar = |trace: Option<&str>| Exemplar {
            time: 120 * SECOND,
            value: PointValue::Double(1.5),
            trace_id: trace.and_then(|trace| trace.parse().ok()),
            span_id: "00f067aa0ba902b7".parse().ok(),
            filtered_attributes: Attributes::default(),
        };
        detail.series[0].points[0].exemplars =
            vec![exemplar(Some("4bf92f3577b34da6a3ce929d0e0e4736")), exemplar(None)];
        let data = metric(&detail, Show::Increase, |x| x.to_string()).unwrap();
        let names: Vec<_> = data.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["p50", "p95", "p99"]);
        assert_eq!(data.series[0].values[0], Some(1.5));
        assert_eq!(data.heat.as_ref().unwrap().edges, [1.0, 2.0]);
        assert_eq!(
            (data.ends(|_| true), data.place(1.5), data.label(1.0)),
            ((0.0, 1.0), 0.5, "2".to_owned())
        );
        assert_eq!(data.dots.len(), 1, "one without a trace leads nowhere");
        assert_eq!(
            data.dots[0].link,
            "/traces/4bf92f3577b34da6a3ce929d0e0e4736?span=00f067aa0ba902b7"
        );
    }
}
