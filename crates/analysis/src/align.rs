//! Two lists, and which entries of one go with which of the other: a longest common subsequence
//! where that is to be had at a bounded cost, else a long one.

use std::collections::HashMap;

/// Lists whose lengths multiply to more than this are not searched through.
const MOST_CELLS: usize = 250_000;

/// Pairs of places in `a` and `b` with equal entries, both ascending. The same pairs, turned
/// round, come of `b` and `a`. In time by the lengths (times their logarithm) and [`MOST_CELLS`].
pub(crate) fn align(a: &[u64], b: &[u64]) -> Vec<(usize, usize)> {
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (
        a.get(head..).unwrap_or_default(),
        b.get(head..).unwrap_or_default(),
    );
    let tail = a.iter().rev().zip(b.iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count();
    let (rest_a, rest_b) = (a.len() - tail, b.len() - tail);
    let (middle_a, middle_b) = (
        a.get(..rest_a).unwrap_or_default(),
        b.get(..rest_b).unwrap_or_default(),
    );
    // Which list is looked at as the first decides between equally long ways, so it must not
    // depend on the side it comes from.
    let middle: Vec<(usize, usize)> = if (middle_a.len(), middle_a) <= (middle_b.len(), middle_b) {
        search(middle_a, middle_b)
    } else {
        let turned = search(middle_b, middle_a).into_iter();
        turned.map(|(b, a)| (a, b)).collect()
    };
    let heads = (0..head).map(|at| (at, at));
    let middles = middle.into_iter().map(|(a, b)| (head + a, head + b));
    let tails = (0..tail).map(|at| (head + rest_a + at, head + rest_b + at));
    heads.chain(middles).chain(tails).collect()
}

fn search(a: &[u64], b: &[u64]) -> Vec<(usize, usize)> {
    if a.is_empty() || b.is_empty() {
        Vec::new()
    } else if a.len().saturating_mul(b.len()) <= MOST_CELLS {
        longest(a, b)
    } else {
        by_occurrence(a, b)
    }
}

/// A longest common subsequence.
fn longest(a: &[u64], b: &[u64]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    // How long it is from a place in `a` and one in `b` on.
    let mut lengths = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i * width + j] = if a[i] == b[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            pairs.push((i, j));
            i += 1;
            j += 1;
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Pairs the first of each kind with the first, the second with the second, and keeps the most
/// that are in the same order.
fn by_occurrence(a: &[u64], b: &[u64]) -> Vec<(usize, usize)> {
    let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, entry) in b.iter().enumerate().rev() {
        places.entry(*entry).or_default().push(place);
    }
    let found = a.iter().enumerate();
    let pairs: Vec<(usize, usize)> = found
        .filter_map(|(place, entry)| Some((place, places.get_mut(entry)?.pop()?)))
        .collect();
    // Patience: for each length the pair with the least end that ends a run so long.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![usize::MAX; pairs.len()];
    for (number, (_, place)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *place);
        if let Some(last) = length.checked_sub(1) {
            before[number] = ends[last];
        }
        if length == ends.len() {
            ends.push(number);
        } else {
            ends[length] = number;
        }
    }
    let last = ends.last().copied();
    let run = std::iter::successors(last, |number| Some(before[*number]).filter(|n| *n != usize::MAX));
    let mut kept: Vec<(usize, usize)> = run.map(|number| pairs[number]).collect();
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_both_have_in_the_same_order() {
        assert_eq!(align(&[1, 2, 3, 4], &[1, 3, 4]), [(0, 0), (2, 1), (3, 2)]);
        assert_eq!(align(&[1, 2, 1], &[2, 1, 2]), [(1, 0), (2, 1)]);
        assert_eq!(align(&[1, 2], &[3]), []);
        assert_eq!(align(&[], &[]), []);
    }

    #[test]
    fn long_lists_are_aligned_too() {
        let a: Vec<u64> = (0..100_000).map(|n| n % 7).collect();
        let mut b = a.clone();
        b.remove(50_000);
        b.insert(70_000, 99);
        b.insert(20, 98);
        let pairs = align(&a, &b);
        assert!(pairs.len() > 90_000, "{}", pairs.len());
        let unlike: Vec<u64> = (0..100_000).map(|n| n % 7 + 10).collect();
        assert_eq!(align(&a, &unlike), []);
    }

    fn lists() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        let list = || prop::collection::vec(0..4_u64, 0..12);
        (list(), list())
    }

    proptest! {
        #[test]
        fn pairs_are_equal_ascending_and_mirrored((a, b) in lists()) {
            for pairs in [align(&a, &b), by_occurrence(&a, &b)] {
                for pair in pairs.windows(2) {
                    prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1);
                }
                prop_assert!(pairs.iter().all(|(i, j)| a[*i] == b[*j]));
            }
            let turned: Vec<_> = align(&b, &a).into_iter().map(|(b, a)| (a, b)).collect();
            prop_assert_eq!(align(&a, &b), turned);
        }

        #[test]
        fn none_is_longer((a, b) in lists()) {
            let best = (0..1_u32 << a.len())
                .map(|chosen| (0..a.len()).filter(|at| chosen >> at & 1 == 1).map(|at| a[at]).collect::<Vec<_>>())
                .filter(|part| {
                    let mut rest = b.iter();
                    part.iter().all(|entry| rest.any(|other| other == entry))
                })
                .map(|part| part.len())
                .max();
            prop_assert_eq!(Some(align(&a, &b).len()), best);
        }
    }
}
