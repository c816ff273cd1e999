//! Buckets of time: cut where the user lives, without gaps, across changes of the clock.

use crate::StoreError;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use meshscope_api::usage_query::{Bucket, MAX_BUCKETS};
use meshscope_model::time::{DAY, SECOND};

/// How many buckets a report has at the most when no width is asked for.
const GOAL: i64 = 90;
/// Widths beyond this are cut from midnight, those up to it from the whole of the hour.
const HOUR_SECONDS: i64 = 3_600;

/// The zone of an IANA name; UTC without one.
pub(super) fn zone(name: Option<&str>) -> Result<TimeZone, StoreError> {
    let Some(name) = name else {
        return Ok(TimeZone::UTC);
    };
    TimeZone::get(name).map_err(|_| StoreError::Asked {
        parameter: "tz",
        detail: format!("{name:?} is not a time zone: give an IANA name, for example Europe/Berlin"),
    })
}

/// A range that is cut into buckets.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    pub(super) bucket: Bucket,
    pub(super) zone: TimeZone,
    /// First moments of the buckets, and the first after the last one.
    pub(super) bounds: Vec<i64>,
}

fn stamp(ns: i64) -> Timestamp {
    // Every i64 is within the range of timestamps.
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default()
}

fn ns(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(if time < Timestamp::UNIX_EPOCH {
        i64::MIN
    } else {
        i64::MAX
    })
}

/// The first moment of a civil time in a zone: of one that is skipped the moment of the change, of
/// one that is there twice the first.
fn first_of(civil: DateTime, zone: &TimeZone) -> i64 {
    zone.to_ambiguous_timestamp(civil)
        .compatible()
        .map_or(i64::MAX, ns)
}

impl Calendar {
    /// Cuts `from..to`; without a width into at most 90 buckets.
    pub(super) fn cut(
        from: i64,
        to: i64,
        bucket: Option<Bucket>,
        zone: &TimeZone,
    ) -> Result<Self, StoreError> {
        let span = to.saturating_sub(from);
        let bucket = bucket.unwrap_or_else(|| meshscope_api::usage_query::fitting(span, GOAL));
        let estimate = span / bucket.nominal_ns();
        let too_many = || StoreError::Asked {
            parameter: "bucket",
            detail: format!(
                "the range has about {estimate} buckets of {}: ask for at most {MAX_BUCKETS}, with a wider bucket or a shorter range",
                bucket.as_str()
            ),
        };
        if estimate > MAX_BUCKETS as i64 {
            return Err(too_many());
        }
        let mut bounds = vec![floor(from, bucket, zone)];
        while let Some(last) = bounds.last().copied()
            && last < to
        {
            let next = next(last, bucket, zone);
            // A whole day may be skipped where the date line moved.
            bounds.push(if next > last {
                next
            } else {
                last.saturating_add(bucket.nominal_ns())
            });
            if bounds.len() > MAX_BUCKETS + 2 {
                return Err(too_many());
            }
        }
        Ok(Self {
            bucket,
            zone: zone.clone(),
            bounds,
        })
    }

    /// How many buckets.
    pub(super) fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// SQL of the index of the bucket that a moment within the range lies in. Buckets of the same
    /// width next to each other are told by division.
    pub(super) fn index_sql(&self, moment: &str) -> String {
        // What lies beyond the range that is shown (wild clocks, clocks ahead) is in the nearest bucket.
        let first = self.bounds.first().copied().unwrap_or(0);
        let last = self.bounds.last().copied().unwrap_or(0).saturating_sub(1);
        let moment = format!("least(greatest({moment}, {}), {})", literal(first), literal(last));
        let mut cases = String::new();
        let pieces = self.pieces();
        for (n, piece) in pieces.iter().enumerate() {
            let index = format!(
                "{} + ({moment} - {}) // {}",
                piece.index,
                literal(piece.start),
                piece.width
            );
            match pieces.get(n + 1) {
                Some(next) => cases += &format!("WHEN {moment} < {} THEN {index} ", literal(next.start)),
                None if cases.is_empty() => return format!("({index})::INTEGER"),
                None => return format!("(CASE {cases}ELSE {index} END)::INTEGER"),
            }
        }
        "0".to_owned()
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for (index, pair) in self.bounds.windows(2).enumerate() {
            let [start, end] = pair else { continue };
            let width = end.saturating_sub(*start).max(1);
            if pieces.last().is_none_or(|piece| piece.width != width) {
                pieces.push(Piece {
                    index,
                    start: *start,
                    width,
                });
            }
        }
        pieces
    }

    /// The period before `from..to`: as many days or months when the range is whole ones of the zone,
    /// else of the same length.
    pub(super) fn before(&self, from: i64, to: i64) -> (i64, i64) {
        let civil = |moment: i64| self.zone.to_datetime(stamp(moment));
        let midnight = |moment: i64| {
            let date = civil(moment).date();
            (first_of(date.to_datetime(jiff::civil::Time::midnight()), &self.zone) == moment).then_some(date)
        };
        let same_length = || (from.saturating_sub(to.saturating_sub(from)), from);
        let Some((first, last)) = midnight(from).zip(midnight(to)) else {
            return same_length();
        };
        let earlier = whole_months(first, last)
            .and_then(|months| first.checked_sub(months.months()).ok())
            .or_else(|| first.checked_sub(first.until(last).ok()?).ok());
        earlier.map_or_else(same_length, |date| {
            (
                first_of(date.to_datetime(jiff::civil::Time::midnight()), &self.zone),
                from,
            )
        })
    }
}

/// Buckets of one width.
struct Piece {
    index: usize,
    start: i64,
    width: i64,
}

/// The smallest integer has no literal of its own.
fn literal(n: i64) -> String {
    format!("({n})::BIGINT").replace("(-9223372036854775808)", "(-9223372036854775807 - 1)")
}

fn whole_months(first: Date, last: Date) -> Option<i32> {
    let months = (i32::from(last.year()) - i32::from(first.year())) * 12 + i32::from(last.month())
        - i32::from(first.month());
    (first.day() == 1 && last.day() == 1 && months > 0).then_some(months)
}

fn seconds_of_day(civil: DateTime) -> i64 {
    i64::from(civil.hour()) * 3_600 + i64::from(civil.minute()) * 60 + i64::from(civil.second())
}

/// The offset of a zone at a moment, ns.
fn offset(moment: i64, zone: &TimeZone) -> i64 {
    i64::from(zone.to_offset(stamp(moment)).seconds()) * SECOND
}

/// The first moment of the bucket that `moment` lies in.
fn floor(moment: i64, bucket: Bucket, zone: &TimeZone) -> i64 {
    let civil = zone.to_datetime(stamp(moment));
    let midnight = civil.date().to_datetime(jiff::civil::Time::midnight());
    let start = match bucket {
        Bucket::Seconds(n) if n <= HOUR_SECONDS => return floor_by_offset(moment, n * SECOND, zone),
        Bucket::Seconds(n) => {
            let seconds = seconds_of_day(civil) / n * n;
            midnight.checked_add(seconds.seconds()).unwrap_or(midnight)
        }
        Bucket::Day => midnight,
        Bucket::Week => {
            let since = i64::from(civil.date().weekday().to_monday_zero_offset());
            midnight.checked_sub(since.days()).unwrap_or(midnight)
        }
        Bucket::Month => midnight.with().day(1).build().unwrap_or(midnight),
    };
    first_of(start, zone).min(moment)
}

fn floor_by_offset(moment: i64, width: i64, zone: &TimeZone) -> i64 {
    let offset = offset(moment, zone);
    let local = i128::from(moment) + i128::from(offset);
    let start = local.div_euclid(i128::from(width)) * i128::from(width) - i128::from(offset);
    i64::try_from(start).unwrap_or(moment)
}

/// The first moment after the bucket that begins at `start`.
fn next(start: i64, bucket: Bucket, zone: &TimeZone) -> i64 {
    let civil = zone.to_datetime(stamp(start));
    let midnight = civil.date().to_datetime(jiff::civil::Time::midnight());
    let after = match bucket {
        Bucket::Seconds(n) if n <= HOUR_SECONDS => {
            let next = start.saturating_add(n * SECOND);
            let aligned = floor_by_offset(next, n * SECOND, zone);
            return if aligned > start { aligned } else { next };
        }
        Bucket::Seconds(n) => {
            let seconds = (seconds_of_day(civil) / n + 1) * n;
            midnight.checked_add(seconds.seconds())
        }
        Bucket::Day => midnight.checked_add(1.days()),
        Bucket::Week => midnight.checked_add(7.days()),
        Bucket::Month => midnight.checked_add(1.months()),
    };
    let after = after.ok();
    let next = after.map_or(i64::MAX, |after| first_of(after, zone));
    if next > start {
        return next;
    }
    // Where a day was skipped, the next one begins at the same moment.
    let later = after.and_then(|after| after.checked_add(1.days()).ok());
    later.map_or(start.saturating_add(DAY), |later| first_of(later, zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::time::{MINUTE, parse_rfc3339};
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        parse_rfc3339(text).unwrap()
    }

    fn cut(from: &str, to: &str, bucket: Bucket, tz: &str) -> Vec<i64> {
        let zone = zone(Some(tz)).unwrap();
        Calendar::cut(at(from), at(to), Some(bucket), &zone)
            .unwrap()
            .bounds
    }

    fn widths(bounds: &[i64]) -> Vec<i64> {
        bounds
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) / MINUTE)
            .collect()
    }

    #[test]
    fn a_day_has_as_many_hours_as_the_clock_gives_it() {
        // In Berlin the clock goes back on 2026-10-25, in New York on 2026-11-01.
        let berlin = cut(
            "2026-10-24T12:00:00Z",
            "2026-10-27T00:00:00Z",
            Bucket::Day,
            "Europe/Berlin",
        );
        assert_eq!(berlin[0], at("2026-10-23T22:00:00Z"));
        assert_eq!(widths(&berlin), [24 * 60, 25 * 60, 24 * 60, 24 * 60]);
        let spring = cut(
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
            Bucket::Day,
            "Europe/Berlin",
        );
        assert_eq!(widths(&spring), [23 * 60]);
        let kolkata = cut(
            "2026-10-24T12:00:00Z",
            "2026-10-24T13:00:00Z",
            Bucket::Day,
            "Asia/Kolkata",
        );
        assert_eq!(kolkata, [at("2026-10-23T18:30:00Z"), at("2026-10-24T18:30:00Z")]);
        // Lord Howe's clock moves by half an hour.
        let howe = cut(
            "2026-04-04T13:00:00Z",
            "2026-04-04T18:00:00Z",
            Bucket::Seconds(3_600),
            "Australia/Lord_Howe",
        );
        assert!(
            widths(&howe).iter().all(|width| *width == 60 || *width == 30),
            "{howe:?}"
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_their_first() {
        let weeks = cut(
            "2026-11-21T00:00:00Z",
            "2026-11-24T00:00:00Z",
            Bucket::Week,
            "UTC",
        );
        assert_eq!(
            weeks,
            ["2026-11-16", "2026-11-23", "2026-11-30"].map(|day| at(&format!("{day}T00:00:00Z")))
        );
        let months = cut(
            "2026-01-31T00:00:00Z",
            "2026-03-02T00:00:00Z",
            Bucket::Month,
            "America/New_York",
        );
        assert_eq!(months[0], at("2026-01-01T05:00:00Z"));
        assert_eq!(
            widths(&months).iter().map(|m| m / 60 / 24).collect::<Vec<_>>(),
            [31, 28, 30]
        );
    }

    #[test]
    fn the_period_before_is_as_many_days_or_months() {
        let berlin = zone(Some("Europe/Berlin")).unwrap();
        let of = |from: &str, to: &str| {
            let (from, to) = (at(from), at(to));
            Calendar::cut(from, to, None, &berlin).unwrap().before(from, to).0
        };
        assert_eq!(
            of("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
            at("2026-09-30T22:00:00Z")
        );
        assert_eq!(
            of("2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"),
            at("2026-10-24T22:00:00Z")
        );
        assert_eq!(
            of("2026-10-25T10:00:00Z", "2026-10-25T12:00:00Z"),
            at("2026-10-25T08:00:00Z")
        );
    }

    #[test]
    fn what_cannot_be_cut_is_named() {
        assert!(zone(Some("Europe/Nowhere")).is_err());
        assert!(Calendar::cut(0, 365 * DAY, Some(Bucket::Seconds(60)), &TimeZone::UTC).is_err());
        assert!(Calendar::cut(0, i64::MAX, None, &TimeZone::UTC).unwrap().len() < MAX_BUCKETS);
    }

    proptest! {
        #[test]
        fn buckets_have_no_gaps_and_every_moment_has_one(
            from in 0..2_000_000_000_i64, span in 1..100_000_000_i64, which in 4..14_usize,
            tz in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo"]),
        ) {
            let zone = zone(Some(tz)).unwrap();
            let (from, to) = (from * SECOND, (from + span) * SECOND);
            if let Ok(calendar) = Calendar::cut(from, to, Some(Bucket::ALL[which].1), &zone) {
                let bounds = &calendar.bounds;
                prop_assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", bounds);
                prop_assert!(bounds[0] <= from && *bounds.last().unwrap() >= to);
                prop_assert!(bounds[bounds.len() - 2] < to && bounds[1] > from, "no empty ends");
                let longest = calendar.bucket.nominal_ns() + 2 * DAY;
                prop_assert!(bounds.windows(2).all(|pair| pair[1] - pair[0] <= longest), "{:?}", bounds);
            }
        }
    }
}
