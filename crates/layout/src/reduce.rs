//! A series of any length as columns of pixels: what a chart can show of it, and no more.
//!
//! A column keeps how many points fell into it, the least and the greatest (so that no spike is
//! lost however many points share a pixel), the first and the last (so that a line enters and
//! leaves it where the series does), and two quantiles. All are values of the series: nothing is
//! averaged or interpolated.

/// What the points of one column of pixels come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// How many points.
    pub count: u32,
    /// The first in time.
    pub first: f64,
    /// The last in time.
    pub last: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The median: the value of nearest rank.
    pub p50: f64,
    /// The 95th percentile: the value of nearest rank.
    pub p95: f64,
}

/// Reduces the points at `times` (ns, ascending) with their `values` to `columns` columns of equal width
/// over [`from`, `to`). `None` where no point falls. Values that are not finite are left out, and so is
/// what has a time without a value.
#[must_use]
pub fn reduce(times: &[i64], values: &[f64], from: i64, to: i64, columns: usize) -> Vec<Option<Column>> {
    let span = i128::from(to) - i128::from(from);
    if span <= 0 || columns == 0 {
        return vec![None; columns];
    }
    let edge = |column: usize| {
        let offset = span * column as i128 / columns as i128;
        i64::try_from(i128::from(from) + offset).unwrap_or(to)
    };
    let mut start = times.partition_point(|time| *time < from);
    let mut room = Vec::new();
    (0..columns)
        .map(|column| {
            let rest = times.get(start..).unwrap_or_default();
            let edge = edge(column + 1);
            let end = start + rest.partition_point(|time| *time < edge);
            let points = values.get(start..end.min(values.len())).unwrap_or_default();
            start = end;
            self::column(points, &mut room)
        })
        .collect()
}

/// What `points` come to. `room` is scratch: one allocation serves all columns.
fn column(points: &[f64], room: &mut Vec<f64>) -> Option<Column> {
    room.clear();
    room.extend(points.iter().filter(|value| value.is_finite()));
    let (first, last) = (*room.first()?, *room.last()?);
    let (mut min, mut max) = (first, first);
    for value in room.iter() {
        min = min.min(*value);
        max = max.max(*value);
    }
    let count = room.len();
    // The higher one first: what lies below it is then partitioned off, and less is left to search.
    let high = rank(count, 95);
    let (below, p95, _) = room.select_nth_unstable_by(high, f64::total_cmp);
    let p95 = *p95;
    let middle = rank(count, 50);
    let p50 = if middle < below.len() {
        *below.select_nth_unstable_by(middle, f64::total_cmp).1
    } else {
        p95
    };
    Some(Column {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        first,
        last,
        min,
        max,
        p50,
        p95,
    })
}

/// Place of the quantile of nearest rank among `count` sorted values, `count` not 0.
fn rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100).max(1) - 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, slowly: sorts what falls into each column.
    fn slow(points: &[(i64, f64)], from: i64, to: i64, columns: usize) -> Vec<Option<Column>> {
        let of = |column: usize| {
            let edge =
                |n: usize| from + i64::try_from(i128::from(to - from) * n as i128 / columns as i128).unwrap();
            let inside = points
                .iter()
                .filter(|(time, value)| (edge(column)..edge(column + 1)).contains(time) && value.is_finite());
            let values: Vec<f64> = inside.map(|(_, value)| *value).collect();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let quantile = |q: f64| sorted[((q * sorted.len() as f64).ceil() as usize).max(1) - 1];
            Some(Column {
                count: values.len() as u32,
                first: *values.first()?,
                last: *values.last()?,
                min: *sorted.first()?,
                max: *sorted.last()?,
                p50: quantile(0.5),
                p95: quantile(0.95),
            })
        };
        (0..columns).map(of).collect()
    }

    fn split(points: &[(i64, f64)]) -> (Vec<i64>, Vec<f64>) {
        points.iter().copied().unzip()
    }

    proptest! {
        #[test]
        fn each_column_says_what_sorting_its_points_says(
            mut points in prop::collection::vec((0_i64..2_000, -50_i32..50), 0..400),
            from in -100_i64..1_000,
            length in 1_i64..2_500,
            columns in 1_usize..60,
        ) {
            points.sort_by_key(|(time, _)| *time);
            let points: Vec<(i64, f64)> = points.into_iter().map(|(t, v)| (t, f64::from(v))).collect();
            let (times, values) = split(&points);
            let fast = reduce(&times, &values, from, from + length, columns);
            prop_assert_eq!(fast, slow(&points, from, from + length, columns));
        }

        #[test]
        fn nothing_within_is_lost_and_nothing_without_is_shown(
            mut times in prop::collection::vec(0_i64..1_000_000, 1..500),
            columns in 1_usize..2_000,
        ) {
            times.sort_unstable();
            let values: Vec<f64> = times.iter().map(|time| (time % 977) as f64).collect();
            let reduced = reduce(&times, &values, 0, 1_000_000, columns);
            prop_assert_eq!(reduced.len(), columns);
            let filled: Vec<Column> = reduced.into_iter().flatten().collect();
            prop_assert_eq!(filled.iter().map(|c| c.count as usize).sum::<usize>(), times.len());
            let most = values.iter().copied().fold(f64::MIN, f64::max);
            let least = values.iter().copied().fold(f64::MAX, f64::min);
            prop_assert_eq!(filled.iter().map(|c| c.max).fold(f64::MIN, f64::max), most);
            prop_assert_eq!(filled.iter().map(|c| c.min).fold(f64::MAX, f64::min), least);
        }
    }

    #[test]
    fn a_spike_of_one_point_in_a_million_is_kept() {
        let times: Vec<i64> = (0..1_000_000).collect();
        let mut values: Vec<f64> = vec![1.0; times.len()];
        values[765_432] = 99.0;
        let reduced = reduce(&times, &values, 0, 1_000_000, 1_000);
        let spikes: Vec<usize> = (0..1_000).filter(|at| reduced[*at].unwrap().max > 1.0).collect();
        assert_eq!(spikes, [765]);
        assert_eq!(reduced[765].unwrap().p95, 1.0);
    }

    #[test]
    fn what_is_no_number_no_range_or_no_pair_is_left_out() {
        let column = reduce(&[1, 2, 3], &[f64::NAN, 4.0, f64::INFINITY], 0, 10, 1)[0].unwrap();
        assert_eq!((column.count, column.min, column.max), (1, 4.0, 4.0));
        assert_eq!(reduce(&[1], &[f64::NAN], 0, 10, 1), [None]);
        assert_eq!(reduce(&[1], &[1.0], 10, 10, 2), [None, None]);
        assert!(reduce(&[1], &[1.0], 0, 10, 0).is_empty());
        assert_eq!(reduce(&[1, 2], &[7.0], 0, 4, 1)[0].unwrap().count, 1);
        let whole = reduce(
            &[i64::MIN, 0, i64::MAX - 1],
            &[1.0, 2.0, 3.0],
            i64::MIN,
            i64::MAX,
            3,
        );
        assert_eq!(whole.iter().flatten().count(), 3);
    }
}
