//! Percentiles of exact integers.

/// The `percent`-th percentile (1 to 100) of `values` by nearest rank: the smallest value that
/// at least so many percent of them do not exceed. `None` of nothing. Reorders `values`.
#[must_use]
pub fn nearest_rank(values: &mut [i64], percent: usize) -> Option<i64> {
    let last = values.len().checked_sub(1)?;
    let rank = (values.len() * percent).div_ceil(100).saturating_sub(1);
    let (_, found, _) = values.select_nth_unstable(rank.min(last));
    Some(*found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_values_that_were_there() {
        assert_eq!(nearest_rank(&mut [30, 10, 20, 40], 50), Some(20));
        assert_eq!(nearest_rank(&mut [30, 10, 20, 40], 95), Some(40));
        assert_eq!(nearest_rank(&mut [7], 1), Some(7));
        assert_eq!(nearest_rank(&mut [], 50), None);
        let mut hundred: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(nearest_rank(&mut hundred, 95), Some(95));
    }

    proptest! {
        #[test]
        fn at_least_so_many_percent_do_not_exceed_it(values in prop::collection::vec(-50..50_i64, 1..60), percent in 1..=100_usize) {
            let found = nearest_rank(&mut values.clone(), percent).unwrap();
            let within = |limit: i64| values.iter().filter(|value| **value <= limit).count() * 100;
            prop_assert!(values.contains(&found));
            prop_assert!(within(found) >= percent * values.len());
            prop_assert!(within(found - 1) < percent * values.len());
        }
    }
}
