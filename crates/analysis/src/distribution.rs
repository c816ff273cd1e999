//! Histograms over time: what their points add, quantiles, and a heat map.

use meshscope_model::{PointValue, Temporality};

/// How many values lie above `lower` and up to `upper`; open ends are infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Exclusive.
    pub lower: f64,
    /// Inclusive.
    pub upper: f64,
    /// How many.
    pub count: f64,
}

/// Reads the points of one histogram series in the order of time, and says of each what it adds.
#[derive(Debug)]
pub struct Growth {
    temporality: Temporality,
    from: i64,
    before: Option<(i64, Vec<Part>)>,
}

impl Growth {
    /// `from` is the start of the range that is looked at, ns since the epoch, as in
    /// [`crate::metric::Increases::new`].
    #[must_use]
    pub fn new(temporality: Temporality, from: i64) -> Self {
        Self {
            temporality,
            from,
            before: None,
        }
    }

    /// What the next point adds; nothing where it has no buckets.
    pub fn next(&mut self, start_time: i64, value: &PointValue) -> Vec<Part> {
        let now = parts(value);
        if self.temporality != Temporality::Cumulative {
            return now;
        }
        match self.before.replace((start_time, now.clone())) {
            Some((start, before)) if start == start_time => less(&now, &before).unwrap_or(now),
            Some(_) => now,
            None if start_time < self.from => Vec::new(),
            None => now,
        }
    }
}

/// `now` without what was there `before`; `None` when it is not a growth of it, so after a restart.
/// Buckets of an exponential histogram grow wider with time: those from before are looked for within
/// those of now.
fn less(now: &[Part], before: &[Part]) -> Option<Vec<Part>> {
    let mut left = now.to_vec();
    for part in before.iter().filter(|part| part.count > 0.0) {
        let holds = |wide: &&mut Part| reaches(wide.upper, part.upper) && reaches(part.lower, wide.lower);
        let wide = left.iter_mut().find(holds)?;
        wide.count -= part.count;
        if wide.count < 0.0 {
            return None;
        }
    }
    Some(left)
}

/// Whether `a` is `b` or more, but for what powers of the base lose.
fn reaches(a: f64, b: f64) -> bool {
    a >= b || ((b - a).is_finite() && b - a <= 1e-9 * a.abs().max(b.abs()))
}

/// The buckets of a point, from the lowest up.
fn parts(value: &PointValue) -> Vec<Part> {
    match value {
        PointValue::Histogram(histogram) => {
            let bounds = &histogram.explicit_bounds;
            let part = |(n, count): (usize, &u64)| Part {
                lower: n
                    .checked_sub(1)
                    .and_then(|n| bounds.get(n).copied())
                    .unwrap_or(f64::NEG_INFINITY),
                upper: bounds.get(n).copied().unwrap_or(f64::INFINITY),
                count: *count as f64,
            };
            histogram.bucket_counts.iter().enumerate().map(part).collect()
        }
        PointValue::ExponentialHistogram(histogram) => {
            let base = 2_f64.powf(2_f64.powi(-histogram.scale));
            let edge = |offset: i32, n: usize| base.powf(f64::from(offset) + n as f64);
            let negative = histogram.negative_counts.iter().enumerate().rev();
            let zero = histogram.zero_threshold.abs();
            let middle = Part {
                lower: -zero,
                upper: zero,
                count: histogram.zero_count as f64,
            };
            let positive = histogram.positive_counts.iter().enumerate();
            negative
                .map(|(n, count)| Part {
                    lower: -edge(histogram.negative_offset, n + 1),
                    upper: -edge(histogram.negative_offset, n),
                    count: *count as f64,
                })
                .chain([middle])
                .chain(positive.map(|(n, count)| Part {
                    lower: edge(histogram.positive_offset, n),
                    upper: edge(histogram.positive_offset, n + 1),
                    count: *count as f64,
                }))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Rows of a heat map where the buckets of its points differ.
const ROWS: usize = 20;

/// What histograms added, step by step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    steps: Vec<Vec<Part>>,
}

/// A heat map: `counts` of `steps` times as many rows as there are pairs of neighbours in `edges`,
/// step by step and from the lowest row up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heat {
    /// Borders of the rows, ascending; the outer ones may be infinite.
    pub edges: Vec<f64>,
    /// How many values.
    pub counts: Vec<f64>,
}

impl Distribution {
    /// Nothing yet, over so many steps.
    #[must_use]
    pub fn new(steps: usize) -> Self {
        Self {
            steps: vec![Vec::new(); steps],
        }
    }

    /// Adds what a point adds to a step.
    pub fn add(&mut self, step: usize, parts: &[Part]) {
        if let Some(step) = self.steps.get_mut(step) {
            step.extend(parts.iter().filter(|part| part.count > 0.0));
        }
    }

    /// The value below which a part `q` of the values of a step lie, by a straight line within its
    /// bucket; `None` when there are none.
    #[must_use]
    pub fn quantile(&self, step: usize, q: f64) -> Option<f64> {
        let mut parts = self.steps.get(step)?.clone();
        parts.sort_by(|a, b| a.upper.total_cmp(&b.upper).then(a.lower.total_cmp(&b.lower)));
        let all: f64 = parts.iter().map(|part| part.count).sum();
        let mut left = q * all;
        for part in &parts {
            if left <= part.count {
                let (lower, upper) = closed(part);
                return Some(lower + (upper - lower) * (left / part.count).max(0.0));
            }
            left -= part.count;
        }
        parts.last().map(|part| closed(part).1)
    }

    /// All values by step and size; `None` when there are none.
    #[must_use]
    pub fn heat(&self) -> Option<Heat> {
        let edges = self.edges();
        let rows = edges.len().checked_sub(1).filter(|rows| *rows > 0)?;
        let mut counts = vec![0.0; rows * self.steps.len()];
        for (step, parts) in self.steps.iter().enumerate() {
            for part in parts {
                let row = row(&edges, middle(part));
                if let Some(cell) = counts.get_mut(step * rows + row) {
                    *cell += part.count;
                }
            }
        }
        Some(Heat { edges, counts })
    }

    /// The buckets' own borders where they are few, else equal parts of their range.
    fn edges(&self) -> Vec<f64> {
        let all = || self.steps.iter().flatten();
        let mut edges: Vec<f64> = all().flat_map(|part| [part.lower, part.upper]).collect();
        edges.sort_by(f64::total_cmp);
        edges.dedup_by(|a, b| reaches(*b, *a));
        if edges.len() <= ROWS + 1 {
            return edges;
        }
        let finite: Vec<(f64, f64)> = all().map(closed).collect();
        let low = finite.iter().map(|part| part.0).fold(f64::INFINITY, f64::min);
        let high = finite.iter().map(|part| part.1).fold(f64::NEG_INFINITY, f64::max);
        let smallest = finite.iter().map(|part| part.0).filter(|low| *low > 0.0);
        let floor = smallest.fold(f64::INFINITY, f64::min);
        let part = |n: usize| n as f64 / ROWS as f64;
        if low >= 0.0 && floor.is_finite() && high > floor {
            (0..=ROWS).map(|n| floor * (high / floor).powf(part(n))).collect()
        } else {
            (0..=ROWS).map(|n| low + (high - low) * part(n)).collect()
        }
    }
}

impl Heat {
    /// Where a value stands, in rows from the bottom.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let row = row(&self.edges, value);
        let edge = |n: usize| self.edges.get(n).copied().unwrap_or(0.0);
        let (lower, upper) = (edge(row), edge(row + 1));
        let width = upper - lower;
        let within = if width.is_finite() && width > 0.0 {
            ((value - lower) / width).clamp(0.0, 1.0)
        } else {
            0.5
        };
        row as f64 + within
    }
}

/// The row that a value is in, the outer ones for what lies beyond.
fn row(edges: &[f64], value: f64) -> usize {
    let rows = edges.len().saturating_sub(1);
    let above = edges.partition_point(|edge| *edge < value);
    above.saturating_sub(1).min(rows.saturating_sub(1))
}

/// A bucket with finite ends: one that is open begins at 0, or is as wide as nothing.
fn closed(part: &Part) -> (f64, f64) {
    match (part.lower.is_finite(), part.upper.is_finite()) {
        (false, true) => (part.upper.min(0.0), part.upper),
        (true, false) => (part.lower, part.lower),
        (false, false) => (0.0, 0.0),
        (true, true) => (part.lower, part.upper),
    }
}

fn middle(part: &Part) -> f64 {
    match (part.lower.is_finite(), part.upper.is_finite()) {
        (true, true) => f64::midpoint(part.lower, part.upper),
        (false, true) => part.upper,
        (true, false) => f64::INFINITY,
        (false, false) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::metric::{ExponentialHistogram, Histogram};
    use proptest::prelude::*;

    fn explicit(bounds: &[f64], counts: &[u64]) -> PointValue {
        PointValue::Histogram(Histogram {
            count: counts.iter().sum(),
            explicit_bounds: bounds.to_vec(),
            bucket_counts: counts.to_vec(),
            ..Histogram::default()
        })
    }

    fn exponential(scale: i32, offset: i32, counts: &[u64]) -> PointValue {
        PointValue::ExponentialHistogram(ExponentialHistogram {
            scale,
            positive_offset: offset,
            positive_counts: counts.to_vec(),
            ..ExponentialHistogram::default()
        })
    }

    fn counts(parts: &[Part]) -> Vec<f64> {
        parts.iter().map(|part| part.count).collect()
    }

    #[test]
    fn cumulative_buckets_add_their_growth_and_all_after_a_restart() {
        let mut growth = Growth::new(Temporality::Cumulative, 0);
        let mut next = |start, values: &[u64]| counts(&growth.next(start, &explicit(&[1.0, 5.0], values)));
        assert_eq!(next(1, &[1, 2, 0]), [1.0, 2.0, 0.0]);
        assert_eq!(next(1, &[1, 4, 1]), [0.0, 2.0, 1.0]);
        assert_eq!(
            next(1, &[0, 1, 0]),
            [0.0, 1.0, 0.0],
            "less than before is a restart"
        );
        assert_eq!(next(9, &[2, 1, 0]), [2.0, 1.0, 0.0], "a new start too");
        let mut late = Growth::new(Temporality::Cumulative, 5);
        assert!(
            late.next(1, &explicit(&[1.0], &[7, 7])).is_empty(),
            "it began before the range"
        );
        assert_eq!(counts(&late.next(1, &explicit(&[1.0], &[7, 9]))), [0.0, 2.0]);
        let mut delta = Growth::new(Temporality::Delta, 5);
        assert_eq!(counts(&delta.next(1, &explicit(&[1.0], &[7, 7]))), [7.0, 7.0]);
    }

    #[test]
    fn an_exponential_histogram_that_became_coarser_still_grows() {
        let mut growth = Growth::new(Temporality::Cumulative, 0);
        // At scale 1 the base is the root of 2, at scale 0 it is 2.
        growth.next(1, &exponential(1, 0, &[3, 2, 1]));
        let added = growth.next(1, &exponential(0, 0, &[6, 1, 4]));
        assert_eq!(
            counts(&added),
            [0.0, 1.0, 0.0, 4.0],
            "with the bucket around zero"
        );
        assert!((added[3].upper - 8.0).abs() < 1e-9);
    }

    #[test]
    fn quantiles_lie_on_a_line_within_their_bucket() {
        let mut all = Distribution::new(2);
        let mut growth = Growth::new(Temporality::Delta, 0);
        all.add(0, &growth.next(0, &explicit(&[10.0, 20.0, 40.0], &[5, 5, 10, 0])));
        assert_eq!(all.quantile(0, 0.5), Some(20.0));
        assert_eq!(all.quantile(0, 0.25), Some(10.0));
        assert_eq!(all.quantile(0, 0.75), Some(30.0));
        assert_eq!(all.quantile(1, 0.5), None);
        // Beyond the last border nothing more is known than that.
        all.add(1, &growth.next(0, &explicit(&[10.0], &[0, 3])));
        assert_eq!(all.quantile(1, 0.99), Some(10.0));
    }

    #[test]
    fn a_heat_map_has_the_buckets_as_rows() {
        let mut all = Distribution::new(2);
        let mut growth = Growth::new(Temporality::Delta, 0);
        all.add(0, &growth.next(0, &explicit(&[1.0, 2.0, 4.0], &[0, 3, 0, 0])));
        all.add(1, &growth.next(0, &explicit(&[1.0, 2.0, 4.0], &[0, 1, 2, 5])));
        let heat = all.heat().unwrap();
        assert_eq!(heat.edges, [1.0, 2.0, 4.0, f64::INFINITY]);
        assert_eq!(heat.counts, [3.0, 0.0, 0.0, 1.0, 2.0, 5.0]);
        assert_eq!(
            [0.0, 1.5, 3.0, 9.0].map(|value| heat.place(value)),
            [0.0, 0.5, 1.5, 2.5]
        );
        assert_eq!(Distribution::new(3).heat(), None);
    }

    proptest! {
        #[test]
        fn whatever_the_buckets_all_values_are_in_the_heat_map(
            points in proptest::collection::vec((-3..4_i32, -40..40_i32, proptest::collection::vec(0..9_u64, 0..30)), 1..6)
        ) {
            let mut all = Distribution::new(points.len());
            let mut sum = 0;
            for (step, (scale, offset, values)) in points.iter().enumerate() {
                sum += values.iter().sum::<u64>();
                all.add(step, &Growth::new(Temporality::Delta, 0).next(0, &exponential(*scale, *offset, values)));
            }
            let heat = all.heat().unwrap_or_default();
            prop_assert!(heat.edges.len() <= ROWS + 1);
            prop_assert_eq!(heat.counts.iter().sum::<f64>(), sum as f64);
            for step in 0..points.len() {
                let [low, high] = [0.1, 0.9].map(|q| all.quantile(step, q).unwrap_or(0.0));
                prop_assert!(low <= high);
            }
        }
    }
}
