//! A set of row numbers, one bit each.

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BitSet(Vec<u64>);

impl BitSet {
    pub(crate) fn contains(&self, n: u32) -> bool {
        self.0
            .get(n as usize / 64)
            .is_some_and(|word| word >> (n % 64) & 1 == 1)
    }

    pub(crate) fn insert(&mut self, n: u32) {
        let word = n as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (n % 64);
    }

    pub(crate) fn remove(&mut self, n: u32) {
        if let Some(word) = self.0.get_mut(n as usize / 64) {
            *word &= !(1 << (n % 64));
        }
    }

    /// True when any number of `range` is in the set.
    pub(crate) fn any(&self, range: std::ops::Range<usize>) -> bool {
        if range.is_empty() {
            return false;
        }
        let (first, last) = (range.start / 64, (range.end - 1) / 64);
        let words = self.0.get(first..=last.min(self.0.len().wrapping_sub(1)));
        words.into_iter().flatten().zip(first..).any(|(word, at)| {
            let from = if at == first {
                u64::MAX << (range.start % 64)
            } else {
                u64::MAX
            };
            let to = if at == last {
                u64::MAX >> (63 - (range.end - 1) % 64)
            } else {
                u64::MAX
            };
            word & from & to != 0
        })
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let bits = std::iter::successors(Some(*word), |bits| Some(bits & bits.wrapping_sub(1)));
            bits.take_while(|bits| *bits != 0)
                .map(move |bits| at as u32 * 64 + bits.trailing_zeros())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_put_in() {
        let mut set = BitSet::default();
        for n in [3, 64, 127, 5_000] {
            set.insert(n);
        }
        set.remove(64);
        set.remove(1_000_000);
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 127, 5_000]);
        for from in 0..200 {
            for to in from..300 {
                assert_eq!(set.any(from..to), (from..to).any(|n| set.contains(n as u32)));
            }
        }
        assert!(!set.any(6_000..7_000) && set.any(0..usize::MAX) && !BitSet::default().any(0..9));
        assert!(set.contains(127) && !set.contains(64) && !set.contains(u32::MAX));
    }
}
