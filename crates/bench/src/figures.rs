//! Figures of many measurements.

use std::time::Duration;

/// Times of something that was done often.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The `percent`th percentile by nearest rank, in ms.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut times = self.0.clone();
        times.sort_unstable();
        let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
        times.get(rank).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// The slope of a line through points by least squares; 0 when they stand at one place.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let common: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    if spread > 0.0 { common / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut times = Times::default();
        (1..=200)
            .rev()
            .for_each(|ms| times.add(Duration::from_millis(ms)));
        let at = |percent| times.percentile(percent);
        assert_eq!((at(0), at(50), at(95), at(100)), (1.0, 100.0, 190.0, 200.0));
        assert!(Times::default().percentile(50).is_nan());
    }

    #[test]
    fn the_slope_of_a_line_is_its_own() {
        let line: Vec<_> = (0..10)
            .map(|x| (f64::from(x), 3.0 - 0.5 * f64::from(x)))
            .collect();
        assert!((slope(&line) + 0.5).abs() < 1e-9);
        assert!(slope(&[(1.0, 1.0)]).abs() < 1e-9);
    }
}
