//! Random choices from a seed.

/// Bytes that copies make at the most: what is to be found is what grows faster than its input.
const MANY: usize = 256 << 10;

/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of case `n` of a seed.
    pub(crate) fn new(seed: u64, n: u64) -> Self {
        let mut dice = Self(seed);
        let start = dice.next();
        Self(start ^ n.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 when `n` is.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// How many copies of something so large: one, now and then many, of [`MANY`] bytes in all.
    pub(crate) fn copies(&mut self, bytes: usize) -> usize {
        if self.once_in(20) {
            self.size().clamp(1, (MANY / bytes.max(1)).max(1))
        } else {
            1
        }
    }

    /// A size: mostly small, now and then large.
    pub(crate) fn size(&mut self) -> usize {
        let bits = *self.pick(&[2, 4, 4, 7, 7, 10, 13]);
        self.below(1 << bits)
    }
}
