//! What the points of a metric count: increases, whatever way a sender tells them.

use meshscope_model::{MetricKind, PointValue, Temporality};

/// How the points of a metric are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Its type.
    pub kind: MetricKind,
    /// How consecutive points relate.
    pub temporality: Temporality,
    /// For a sum: true when it only grows.
    pub monotonic: bool,
}

/// Value and weight of one point, or of what it adds to the one before: of a sum the amount with
/// weight 1, of a histogram or summary the sum of the values with their count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Amount, or sum of values.
    pub value: f64,
    /// 1, or how many values.
    pub weight: f64,
}

/// Reads the points of one series in the order of time, and says of each what it adds.
#[derive(Debug)]
pub struct Increases {
    reading: Reading,
    from: i64,
    before: Option<(i64, Measured)>,
}

impl Increases {
    /// `from` is the start of the range that is looked at, ns since the epoch: of a cumulative
    /// series that began earlier, the first point only says where it stood.
    #[must_use]
    pub fn new(reading: Reading, from: i64) -> Self {
        Self {
            reading,
            from,
            before: None,
        }
    }

    /// True when points are levels, not amounts: gauges, and cumulative sums that go up and down.
    #[must_use]
    pub fn is_level(&self) -> bool {
        let Reading {
            kind, temporality, ..
        } = self.reading;
        kind == MetricKind::Gauge
            || (kind == MetricKind::Sum && !self.reading.monotonic && temporality != Temporality::Delta)
    }

    /// What the next point adds; a level is given as it is. `None` when it has no finite value.
    ///
    /// A cumulative point counts since its start time (OpenTelemetry metrics data model,
    /// "Temporality"): exported again it adds nothing; a new start time, or less than before, is
    /// a restart, of which all is new.
    pub fn next(&mut self, start_time: i64, value: &PointValue) -> Option<Measured> {
        let now = measured(value)?;
        let cumulative =
            self.reading.temporality == Temporality::Cumulative || self.reading.kind == MetricKind::Summary;
        if self.is_level() || !cumulative {
            return Some(now);
        }
        let sum = self.reading.kind == MetricKind::Sum;
        let before = self.before.replace((start_time, now));
        Some(match before {
            Some((start, before)) if start == start_time && !restarted(sum, before, now) => Measured {
                value: now.value - before.value,
                weight: if sum { 1.0 } else { now.weight - before.weight },
            },
            Some(_) => now,
            None if start_time < self.from => Measured::default(),
            None => now,
        })
    }
}

/// Less than before: the amount of a sum, the count of anything else (its sum may shrink).
fn restarted(sum: bool, before: Measured, now: Measured) -> bool {
    if sum {
        now.value < before.value
    } else {
        now.weight < before.weight
    }
}

/// A point's value and weight.
fn measured(value: &PointValue) -> Option<Measured> {
    let (value, weight) = match value {
        PointValue::Int(n) => (*n as f64, 1.0),
        PointValue::Double(x) => (*x, 1.0),
        PointValue::Histogram(h) => (h.sum?, h.count as f64),
        PointValue::ExponentialHistogram(h) => (h.sum?, h.count as f64),
        PointValue::Summary(s) => (s.sum, s.count as f64),
        PointValue::None => return None,
    };
    value.is_finite().then_some(Measured { value, weight })
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::metric::Histogram;

    fn read(kind: MetricKind, temporality: Temporality, from: i64, points: &[(i64, PointValue)]) -> Vec<f64> {
        let reading = Reading {
            kind,
            temporality,
            monotonic: true,
        };
        let mut increases = Increases::new(reading, from);
        points
            .iter()
            .filter_map(|(start, value)| increases.next(*start, value))
            .map(|measured| measured.value)
            .collect()
    }

    fn histogram(count: u64, sum: f64) -> PointValue {
        PointValue::Histogram(Histogram {
            count,
            sum: Some(sum),
            ..Histogram::default()
        })
    }

    #[test]
    fn a_cumulative_sum_exported_again_adds_nothing_and_a_restart_adds_all() {
        let int = PointValue::Int;
        let points = [(5, int(10)), (5, int(10)), (5, int(14)), (9, int(3)), (9, int(1))];
        let added = read(MetricKind::Sum, Temporality::Cumulative, 0, &points);
        assert_eq!(added, [10.0, 0.0, 4.0, 3.0, 1.0]);
    }

    #[test]
    fn a_series_that_began_before_the_range_starts_from_where_it_stood() {
        let points = [(5, PointValue::Int(10)), (5, PointValue::Int(14))];
        assert_eq!(
            read(MetricKind::Sum, Temporality::Cumulative, 6, &points),
            [0.0, 4.0]
        );
    }

    #[test]
    fn deltas_and_gauges_are_what_they_say() {
        let points = [
            (5, PointValue::Int(10)),
            (6, PointValue::Double(f64::NAN)),
            (6, PointValue::Int(4)),
        ];
        assert_eq!(read(MetricKind::Sum, Temporality::Delta, 0, &points), [10.0, 4.0]);
        assert_eq!(
            read(MetricKind::Gauge, Temporality::Unspecified, 0, &points),
            [10.0, 4.0]
        );
    }

    #[test]
    fn the_sum_of_a_histogram_may_shrink_without_a_restart() {
        let points = [
            (5, histogram(1, 8.0)),
            (5, histogram(2, 6.0)),
            (5, histogram(1, 1.0)),
        ];
        assert_eq!(
            read(MetricKind::Histogram, Temporality::Cumulative, 0, &points),
            [8.0, -2.0, 1.0]
        );
    }

    #[test]
    fn a_cumulative_sum_that_goes_both_ways_is_a_level() {
        let reading = Reading {
            kind: MetricKind::Sum,
            temporality: Temporality::Cumulative,
            monotonic: false,
        };
        let mut increases = Increases::new(reading, 0);
        assert!(increases.is_level());
        let levels = [7, 3].map(|n| increases.next(1, &PointValue::Int(n)).map(|m| m.value));
        assert_eq!(levels, [Some(7.0), Some(3.0)]);
    }
}
