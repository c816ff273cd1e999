//! A set that takes four bytes an entry: it may say that it holds what it does not, of five in a
//! million, and never that it does not hold what it does (a Bloom filter in layers).

/// How many fingerprints the first layer takes; each further one takes twice as many.
const FIRST: usize = 1 << 16;
/// Bits of a layer for each fingerprint that it takes.
const BITS: usize = 32;
/// Bits that a fingerprint sets.
const SET: u64 = 8;

/// Fingerprints, none of which is forgotten.
#[derive(Debug, Default)]
pub(super) struct Filter {
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    bits: Vec<u64>,
    room: usize,
}

impl Filter {
    /// Whether a fingerprint may have been inserted; false is sure.
    pub(super) fn may_hold(&self, fingerprint: u64) -> bool {
        self.layers.iter().any(|layer| layer.holds(fingerprint))
    }

    pub(super) fn insert(&mut self, fingerprint: u64) {
        if self.may_hold(fingerprint) {
            return;
        }
        if self.layers.last().is_none_or(|layer| layer.room == 0) {
            let room = FIRST << self.layers.len();
            self.layers.push(Layer {
                bits: vec![0; room * BITS / 64],
                room,
            });
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(fingerprint);
        }
    }
}

impl Layer {
    /// Places of a fingerprint's bits: the word and the bit in it. The number of bits is a power of two.
    fn places(&self, fingerprint: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let last = self.bits.len() as u64 * 64 - 1;
        let step = fingerprint.rotate_left(32) | 1;
        (0..SET).map(move |n| {
            let bit = fingerprint.wrapping_add(n.wrapping_mul(step)) & last;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    fn holds(&self, fingerprint: u64) -> bool {
        self.places(fingerprint)
            .all(|(word, bit)| self.bits.get(word).is_some_and(|bits| bits & bit != 0))
    }

    fn insert(&mut self, fingerprint: u64) {
        for (word, bit) in self.places(fingerprint) {
            if let Some(bits) = self.bits.get_mut(word) {
                *bits |= bit;
            }
        }
        self.room -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::fingerprint::fingerprint;

    fn of(n: u64) -> u64 {
        fingerprint(&[&n.to_le_bytes()])
    }

    #[test]
    fn what_was_inserted_is_held_and_hardly_anything_else() {
        let mut filter = Filter::default();
        assert!(!filter.may_hold(of(1)));
        let many = FIRST as u64 * 5;
        (0..many).for_each(|n| filter.insert(of(n)));
        assert!((0..many).all(|n| filter.may_hold(of(n))));
        let wrong = (many..many + 1_000_000)
            .filter(|n| filter.may_hold(of(*n)))
            .count();
        assert!(wrong < 100, "{wrong} of a million");
        assert_eq!(filter.layers.len(), 3);
    }
}
