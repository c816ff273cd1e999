//! What came lately, so that most records are known to be new, or known to be repeats, without
//! a look into the engine. Bounded: it forgets the oldest half when it is full.

use super::identity::BuildIdentity;
use hashbrown::HashSet;
use meshscope_model::time::HOUR;

type Fingerprints = HashSet<u64, BuildIdentity>;

/// What is known of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is not kept yet.
    New,
    /// It is kept already.
    Known,
    /// Only the engine can tell.
    Unsure,
}

/// The fingerprints of the latest records of a kind.
///
/// Of the records that were forgotten (or came before the start) only the latest time is held:
/// a record later than that is kept only if it is still remembered. Times that lie in the future
/// would spoil it, and are always looked up.
#[derive(Debug)]
pub(super) struct Recent {
    young: Fingerprints,
    old: Fingerprints,
    young_last: i64,
    old_last: i64,
    forgotten_last: i64,
    /// How many fingerprints each half holds.
    half: usize,
}

impl Recent {
    /// `last` is the time of the latest record that is kept already, ns since the epoch.
    pub(super) fn new(half: usize, last: Option<i64>) -> Self {
        Self {
            young: Fingerprints::default(),
            old: Fingerprints::default(),
            young_last: i64::MIN,
            old_last: i64::MIN,
            forgotten_last: last.unwrap_or(i64::MIN),
            half,
        }
    }

    /// Looks a record up.
    pub(super) fn look(&self, fingerprint: u64, time: i64, now: i64) -> Seen {
        if self.young.contains(&fingerprint) || self.old.contains(&fingerprint) {
            Seen::Known
        } else if time > self.forgotten_last && time <= horizon(now) {
            Seen::New
        } else {
            Seen::Unsure
        }
    }

    /// Remembers a record.
    pub(super) fn insert(&mut self, fingerprint: u64, time: i64, now: i64) {
        if self.young.len() >= self.half {
            self.forgotten_last = self.forgotten_last.max(self.old_last);
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
            self.old_last = std::mem::replace(&mut self.young_last, i64::MIN);
        }
        self.young.insert(fingerprint);
        if time <= horizon(now) {
            self.young_last = self.young_last.max(time);
        }
    }

    /// Forgets a record that was not kept after all.
    pub(super) fn remove(&mut self, fingerprint: u64) {
        self.young.remove(&fingerprint);
        self.old.remove(&fingerprint);
    }
}

/// The latest time that is taken for a true one.
pub(super) fn horizon(now: i64) -> i64 {
    now.saturating_add(HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * HOUR;

    #[test]
    fn what_is_remembered_is_known_and_what_is_later_than_all_forgotten_is_new() {
        let mut recent = Recent::new(2, Some(50));
        assert_eq!(recent.look(1, 40, NOW), Seen::Unsure);
        assert_eq!(recent.look(1, 60, NOW), Seen::New);
        for (fingerprint, time) in [(1, 60), (2, 70), (3, 80), (4, 75)] {
            recent.insert(fingerprint, time, NOW);
        }
        assert_eq!(recent.look(1, 60, NOW), Seen::Known);
        recent.insert(5, 90, NOW);
        // The first two are forgotten: up to their time nothing is sure.
        assert_eq!(recent.look(1, 60, NOW), Seen::Unsure);
        assert_eq!(recent.look(9, 71, NOW), Seen::New);
        assert_eq!(recent.look(3, 80, NOW), Seen::Known);
        recent.remove(3);
        assert_eq!(recent.look(3, 80, NOW), Seen::New);
    }

    #[test]
    fn a_clock_far_ahead_is_looked_up_and_spoils_nothing() {
        let mut recent = Recent::new(1, None);
        let far = NOW + 2 * HOUR;
        assert_eq!(recent.look(1, far, NOW), Seen::Unsure);
        recent.insert(1, far, NOW);
        recent.insert(2, 10, NOW);
        recent.insert(3, 11, NOW);
        assert_eq!(recent.look(4, 12, NOW), Seen::New);
    }
}
