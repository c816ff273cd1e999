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
    let mut room = Room::default();
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

/// Bins that a column's values are counted in, to find its quantiles.
const BINS: usize = 128;
/// Fewer values than this are sorted: that is as quick.
const FEW: usize = 48;

/// Scratch: one allocation serves all columns.
#[derive(Default)]
struct Room {
    /// The finite values of the column.
    values: Vec<f64>,
    /// The bin of each.
    bins: Vec<u8>,
    /// Those of one bin.
    some: Vec<f64>,
}

/// What `points` come to.
fn column(points: &[f64], room: &mut Room) -> Option<Column> {
    room.values.clear();
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in points.iter().filter(|value| value.is_finite()) {
        min = min.min(*value);
        max = max.max(*value);
        room.values.push(*value);
    }
    let (first, last) = (*room.values.first()?, *room.values.last()?);
    let count = room.values.len();
    let [p50, p95] = quantiles(room, min, max);
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

/// Median and 95th percentile of the values, which lie from `min` to `max` and are at least one. The values
/// are counted in bins, and only those of the bin that holds a quantile are put in order: a few passes
/// over all of them, where sorting takes many.
fn quantiles(room: &mut Room, min: f64, max: f64) -> [f64; 2] {
    let count = room.values.len();
    let ranks = [50, 95].map(|percent| rank(count, percent));
    let scale = (BINS as f64 - 0.5) / (max - min);
    if count < FEW || !scale.is_finite() || scale == 0.0 {
        room.values.sort_unstable_by(f64::total_cmp);
        return ranks.map(|rank| room.values.get(rank).copied().unwrap_or(max));
    }
    let mut counts = [0_usize; BINS];
    room.bins.clear();
    room.bins.extend(room.values.iter().map(|value| {
        let bin = ((value - min) * scale) as u8;
        if let Some(count) = counts.get_mut(usize::from(bin)) {
            *count += 1;
        }
        bin
    }));
    ranks.map(|rank| {
        let mut below = 0;
        let bin = counts.iter().position(|count| {
            below += count;
            rank < below
        });
        let bin = bin.unwrap_or(BINS - 1);
        below -= counts.get(bin).copied().unwrap_or(0);
        let within = room
            .bins
            .iter()
            .zip(&room.values)
            .filter(|(at, _)| usize::from(**at) == bin);
        room.some.clear();
        room.some.extend(within.map(|(_, value)| *value));
        let at = (rank - below).min(room.some.len().saturating_sub(1));
        if room.some.is_empty() {
            return max;
        }
        *room.some.select_nth_unstable_by(at, f64::total_cmp).1
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
        fn long_columns_of_wild_values_too(
            values in prop::collection::vec(
                prop_oneof![-1e3..1e3_f64, Just(0.0), Just(7.5), any::<f64>(), 1e300..1.7e308_f64, -1.7e308..-1e300_f64],
                0..600,
            ),
            columns in 1_usize..4,
        ) {
            let points: Vec<(i64, f64)> = values.into_iter().enumerate().map(|(n, v)| (n as i64, v)).collect();
            let (times, values) = split(&points);
            let end = points.len() as i64 + 1;
            // A zero has two signs and one place.
            let plain = |columns: Vec<Option<Column>>| -> Vec<_> {
                columns.into_iter().map(|c| c.map(|c| [c.min, c.max, c.p50, c.p95].map(|v| v + 0.0))).collect()
            };
            prop_assert_eq!(plain(reduce(&times, &values, 0, end, columns)), plain(slow(&points, 0, end, columns)));
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
