//! Classes of durations, 16 for each doubling: counts by class add up over any rows, and quantiles
//! read off them are at most 2.2 % off.

use duckdb::types::Value;
use meshscope_api::session::Quantiles;

/// Classes of durations for each doubling.
const PER_DOUBLING: f64 = 16.0;
/// How far the middle of a class may lie from what is in it, as a part of it.
pub(in super::super) const ERROR: f64 = 0.022;

/// SQL of the class of a duration; of one that is absent there is none.
pub(in super::super) fn sql(column: &str) -> String {
    // `greatest` passes over what is absent.
    format!(
        "(CASE WHEN {column} IS NOT NULL THEN floor(log2(greatest({column}, 1)) * {PER_DOUBLING})::SMALLINT END)"
    )
}

/// How many durations lie in each class, by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Classes(Vec<u64>);

impl Classes {
    pub(in super::super) fn add(&mut self, class: i16, count: u64) {
        // A duration is 1 ns at least, so that no class is negative.
        let class = usize::try_from(class).unwrap_or(0);
        if self.0.len() <= class {
            self.0.resize(class + 1, 0);
        }
        if let Some(slot) = self.0.get_mut(class) {
            *slot += count;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (slot, count) in self.0.iter_mut().zip(&other.0) {
            *slot += count;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i16, u64)> + '_ {
        (0_i16..)
            .zip(&self.0)
            .filter(|(_, count)| **count > 0)
            .map(|(class, count)| (class, *count))
    }

    /// The bytes that a roll-up keeps: class (little endian) and count (LEB128), by class.
    pub(in super::super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (class, mut count) in self.iter() {
            bytes.extend_from_slice(&class.to_le_bytes());
            while count >= 0x80 {
                bytes.push(count as u8 | 0x80);
                count >>= 7;
            }
            bytes.push(count as u8);
        }
        bytes
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        let mut rest = bytes.iter().copied();
        while let (Some(low), Some(high)) = (rest.next(), rest.next()) {
            let (mut count, mut shift) = (0_u64, 0);
            for byte in rest.by_ref() {
                count |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            self.add(i16::from_le_bytes([low, high]), count);
        }
    }

    /// The sum of what a list of blobs keeps.
    pub(super) fn of_blobs(list: &Value) -> Self {
        let mut all = Self::default();
        if let Value::List(items) | Value::Array(items) = list {
            for item in items {
                if let Value::Blob(bytes) = item {
                    all.add_bytes(bytes);
                }
            }
        }
        all
    }

    /// The quantiles, by the middle of their class.
    pub(super) fn quantiles(&self) -> Quantiles {
        let count: u64 = self.0.iter().sum();
        let at = |quantile: f64| {
            let rank = ((count as f64 * quantile).ceil() as u64).max(1);
            let mut below = 0;
            let class = self.iter().find(|(_, count)| {
                below += count;
                below >= rank
            });
            class.map(|(class, _)| ((f64::from(class) + 0.5) / PER_DOUBLING).exp2().round() as i64)
        };
        Quantiles {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
        }
    }
}

/// The shortest duration of a class of `per` for each doubling, ns.
pub(super) fn start(class: i32, per: f64) -> i64 {
    (f64::from(class) / per).exp2().ceil() as i64
}

/// Classes for each doubling, as a number.
pub(super) const fn per_doubling() -> i16 {
    PER_DOUBLING as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(duration: i64) -> i16 {
        ((duration.max(1) as f64).log2() * PER_DOUBLING).floor() as i16
    }

    #[test]
    fn quantiles_of_classes_are_as_near_as_they_say() {
        let durations: Vec<i64> = (1..=10_000).map(|n| n * n * 977).collect();
        let mut classes = Classes::default();
        durations
            .iter()
            .for_each(|duration| classes.add(class(*duration), 1));
        let found = classes.quantiles();
        for (found, rank) in [(found.p50, 5_000), (found.p95, 9_500), (found.p99, 9_900)] {
            let right = durations[rank - 1] as f64;
            let off = (found.unwrap() as f64 - right).abs() / right;
            assert!(off <= ERROR, "{found:?} for {right}: {off}");
        }
        assert_eq!(Classes::default().quantiles(), Quantiles::default());
    }

    proptest! {
        #[test]
        fn classes_survive_the_roll_up_and_add_up(a in prop::collection::vec((0..1_100_i16, 1..1_000_000_000_000_u64), 0..20),
                b in prop::collection::vec((0..1_000_i16, 1..300_u64), 0..20)) {
            let of = |entries: &[(i16, u64)]| {
                let mut classes = Classes::default();
                entries.iter().for_each(|(class, count)| classes.add(*class, *count));
                classes
            };
            let (a, b) = (of(&a), of(&b));
            let list = Value::List(vec![Value::Blob(a.bytes()), Value::Null, Value::Blob(b.bytes())]);
            let mut both = a;
            both.merge(&b);
            prop_assert_eq!(Classes::of_blobs(&list), both);
        }
    }
}
