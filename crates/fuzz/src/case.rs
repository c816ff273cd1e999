//! Which input a case is.

use super::bytes;
use super::corpus::Corpus;
use super::dice::Dice;
use super::targets::{Form, TARGETS, Target};
use super::{json, protobuf};

/// The cases of a seed.
pub(crate) struct Cases {
    pub(crate) corpus: Corpus,
    pub(crate) seed: u64,
}

impl Cases {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            corpus: Corpus::read(),
            seed,
        }
    }

    /// Case `n`: a decoder and what it is to decode.
    pub(crate) fn case(&self, n: u64) -> (&'static Target, Vec<u8>) {
        let mut dice = Dice::new(self.seed, n);
        let target = dice.pick(TARGETS);
        let seeds = self.corpus.of(target.seeds);
        let (one, other) = (dice.pick(seeds), dice.pick(seeds));
        let input = match target.form {
            Form::Protobuf => protobuf::mutate(one, other, &mut dice),
            Form::Json => json::mutate(one, other, &mut dice),
            Form::Bytes => {
                let mut input = one.clone();
                bytes::mutate(&mut input, &mut dice);
                input
            }
        };
        (target, input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_the_same_every_time() {
        let (one, two) = (Cases::new(5), Cases::new(5));
        let mut names = std::collections::HashSet::new();
        for n in 0..500 {
            let (a, b) = (one.case(n), two.case(n));
            assert_eq!((a.0.name, a.1), (b.0.name, b.1));
            names.insert(b.0.name);
        }
        assert_eq!(names.len(), TARGETS.len(), "every decoder gets its turn");
    }

    #[test]
    fn most_mutants_reach_past_the_frame() {
        let cases = Cases::new(1);
        let mut decoded = 0;
        for n in 0..2_000 {
            let (target, input) = cases.case(n);
            assert!(input.len() < 4 << 20, "case {n} has {} bytes", input.len());
            decoded += usize::from((target.run)(&input) > 0);
        }
        assert!(
            decoded > 600,
            "of 2000 mutants only {decoded} carry a record that is taken"
        );
    }
}
