//! How many log records there are over time. Pure.

use super::entry::Entry;
use meshscope_model::time::{DAY, HOUR, MINUTE, SECOND};

/// Widths of a bar, ns.
const STEPS: [i64; 22] = [
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
];

/// Records of a bar: errors, warnings, all others.
pub(crate) type Bar = [u32; 3];

/// Bars over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    /// Start of the first bar, ns since the epoch.
    pub start: i64,
    /// Width of a bar, ns.
    pub step: i64,
    /// The bars.
    pub bars: Vec<Bar>,
}

impl Volume {
    /// At most `most` bars of these records; nothing of none. A few records whose clocks are far off
    /// are left out, so that the others can be seen.
    pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a Entry>, most: usize) -> Option<Self> {
        let records: Vec<(i64, u8)> = entries.map(|e| (e.log.time, e.log.severity_number)).collect();
        let mut times: Vec<i64> = records.iter().map(|(time, _)| *time).collect();
        let (first, last) = bounds(&mut times)?;
        let most = i64::try_from(most.max(2)).unwrap_or(i64::MAX);
        let fits = |step: &&i64| last.div_euclid(**step) - first.div_euclid(**step) < most;
        let whole = (last.saturating_sub(first) / most).saturating_add(DAY) / DAY * DAY;
        let step = STEPS.iter().find(fits).copied().unwrap_or(whole);
        let start = first.div_euclid(step) * step;
        let count = usize::try_from((last - start) / step + 1).unwrap_or(1);
        let mut bars = vec![Bar::default(); count];
        for (time, severity) in records {
            let class = match severity {
                17.. => 0,
                13..=16 => 1,
                _ => 2,
            };
            let at = usize::try_from(time.saturating_sub(start).div_euclid(step));
            if let Some(bar) = at.ok().and_then(|at| bars.get_mut(at))
                && let Some(count) = bar.get_mut(class)
            {
                *count += 1;
            }
        }
        Some(Self { start, step, bars })
    }

    /// Records of the highest bar.
    pub(crate) fn top(&self) -> u32 {
        let sum = |bar: &Bar| bar.iter().sum();
        self.bars.iter().map(sum).max().unwrap_or(0)
    }

    /// The moment at a part of the width, 0 to 1.
    pub(crate) fn at(&self, part: f64) -> i64 {
        let length = self.step as f64 * self.bars.len() as f64;
        self.start + (length * part.clamp(0.0, 1.0)) as i64
    }

    /// The part of the width at which a moment stands, 0 to 1.
    pub(crate) fn part(&self, moment: i64) -> f64 {
        let length = self.step as f64 * self.bars.len().max(1) as f64;
        ((moment.saturating_sub(self.start)) as f64 / length).clamp(0.0, 1.0)
    }
}

/// First and last moment, without a hundredth at each end that lies far out.
fn bounds(times: &mut [i64]) -> Option<(i64, i64)> {
    times.sort_unstable();
    let (first, last) = (*times.first()?, *times.last()?);
    let cut = times.len() / 100;
    let low = times.get(cut).copied().unwrap_or(first);
    let high = times.get(times.len() - 1 - cut).copied().unwrap_or(last);
    let reach = high.saturating_sub(low).max(SECOND).saturating_mul(3);
    let first = if low.saturating_sub(first) > reach {
        low
    } else {
        first
    };
    let last = if last.saturating_sub(high) > reach {
        high
    } else {
        last
    };
    Some((first, last))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn entries(records: &[(i64, u8)]) -> Vec<Entry> {
        let entry = |(time, severity): &(i64, u8)| {
            let log = serde_json::from_value(serde_json::json!({
                "sequence": "1", "time": time.to_string(), "observed_time": "0", "severity_number": severity,
                "severity_text": "", "body": {}, "attributes": [], "service": "s", "system": "opentelemetry",
                "project": "p", "resource": {"attributes": []}, "scope": {},
            }));
            Entry::new(log.unwrap(), Rc::default())
        };
        records.iter().map(entry).collect()
    }

    #[test]
    fn every_record_is_in_the_bar_of_its_time_and_level() {
        let records = [(SECOND, 9), (SECOND + 1, 17), (3 * SECOND, 13), (9 * SECOND, 0)];
        let volume = Volume::of(entries(&records).iter(), 10).unwrap();
        assert_eq!(
            (volume.start, volume.step, volume.bars.len()),
            (SECOND, SECOND, 9)
        );
        assert_eq!(volume.bars[0], [1, 0, 1]);
        assert_eq!(
            (volume.bars[2], volume.bars[8], volume.top()),
            ([0, 1, 0], [0, 0, 1], 2)
        );
        assert_eq!(volume.part(volume.at(0.5)), 0.5);
        assert!(Volume::of(std::iter::empty(), 10).is_none());
    }

    #[test]
    fn a_wrong_clock_does_not_press_the_others_together() {
        let mut records: Vec<(i64, u8)> = (0..200).map(|n| (DAY * 20_000 + n * SECOND, 9)).collect();
        records.push((5, 9));
        let volume = Volume::of(entries(&records).iter(), 100).unwrap();
        assert_eq!(volume.step, 2 * SECOND);
        let far = entries(&[(5, 9), (DAY * 20_000, 9)]);
        assert!(Volume::of(far.iter(), 100).unwrap().bars.len() <= 101);
    }
}
