//! Moments: as they are written on the command line, and as they are told.

use super::Ended;
use crate::app::now;
use crate::demo::parse_duration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use meshscope_model::time::parse_rfc3339;

/// A moment that an option names, ns since the epoch: RFC 3339, a date (its first moment in UTC), ns
/// since the epoch, or how long ago (`30m`, `7d`).
pub(super) fn moment(text: &str) -> Result<i64, String> {
    let date = || parse_rfc3339(&format!("{text}T00:00:00Z"));
    let ago = || Some(now().saturating_sub(parse_duration(text).ok()?));
    let nanoseconds = || text.parse().ok().filter(|ns| *ns >= 0);
    nanoseconds()
        .or_else(|| parse_rfc3339(text))
        .or_else(date)
        .or_else(ago)
        .ok_or_else(|| {
            format!(
                "{text:?} is not a moment: give how long ago it is (30m, 7d), a date, RFC 3339 (2026-11-21T14:00:00Z), or nanoseconds since the epoch"
            )
        })
}

/// The same with a date as its first moment in a zone.
pub(super) fn moment_in(text: &str, zone: &Zone) -> Result<i64, String> {
    let date = text.parse::<jiff::civil::Date>().ok();
    let first = date.and_then(|date| date.to_zoned(zone.0.clone()).ok());
    first
        .and_then(|first| i64::try_from(first.timestamp().as_nanosecond()).ok())
        .map_or_else(|| moment(text), Ok)
}

/// A range of time to look in.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Range {
    /// First moment: how long ago (30m, 7d), a date, RFC 3339, ns since the epoch; 0 is everything [default: 24h].
    #[arg(long, value_parser = moment, value_name = "MOMENT")]
    pub(super) from: Option<i64>,
    /// First moment after it [default: open].
    #[arg(long, value_parser = moment, value_name = "MOMENT")]
    pub(super) to: Option<i64>,
}

impl Range {
    pub(super) fn read(&self) -> Result<meshscope_api::TimeRange, Ended> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Ended::Usage("--to must lie after --from".to_owned()));
        }
        Ok(meshscope_api::TimeRange {
            from: self.from,
            to: self.to,
        })
    }
}

/// The zone that times are told in.
pub(super) struct Zone(TimeZone);

impl Zone {
    pub(super) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// That of an IANA name.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        TimeZone::get(name)
            .map(Self)
            .map_err(|_| format!("{name:?} is not a time zone: give an IANA name, for example Europe/Berlin"))
    }

    /// That of `TZ`, else of the machine, else UTC.
    pub(super) fn here() -> Self {
        Self(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }

    /// `2026-11-21 14:03:17.123`.
    pub(super) fn time(&self, ns: i64) -> String {
        self.write(ns, "%Y-%m-%d %H:%M:%S%.3f")
    }

    /// `2026-11-21 14:03:17`, for lists.
    pub(super) fn second(&self, ns: i64) -> String {
        self.write(ns, "%Y-%m-%d %H:%M:%S")
    }

    /// The zone's name and offset at a moment, for example `UTC` or `CET +01`.
    pub(super) fn name(&self, ns: i64) -> String {
        if self.0 == TimeZone::UTC {
            return "UTC".to_owned();
        }
        self.write(ns, "%Z %:z")
    }

    fn write(&self, ns: i64, format: &str) -> String {
        // Every i64 is within the range of timestamps.
        let at = Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default();
        at.to_zoned(self.0.clone()).strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::time::HOUR;

    #[test]
    fn moments_are_read_in_every_form() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(1_000_000_000));
        assert_eq!(moment("1970-01-02"), Ok(24 * HOUR));
        assert_eq!(moment("0"), Ok(0));
        let before = now();
        let ago = moment("1h").unwrap();
        assert!((before - HOUR..=now() - HOUR).contains(&ago));
        for wrong in ["", "yesterday", "-5", "1970-13-01"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_date_begins_where_the_user_lives() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(moment_in("1970-01-02", &berlin), Ok(23 * HOUR));
        assert_eq!(moment_in("1970-01-02T00:00:00Z", &berlin), Ok(24 * HOUR));
        assert!(moment_in("soon", &berlin).is_err() && Zone::named("Europe/Nowhere").is_err());
    }

    #[test]
    fn any_number_of_nanoseconds_is_a_time() {
        let zone = Zone::utc();
        assert_eq!(zone.time(1_795_220_548_168_533_800), "2026-11-21 00:22:28.168");
        assert_eq!(zone.time(-1), "1969-12-31 23:59:59.999");
        assert_eq!(zone.second(i64::MIN), "1677-09-21 00:12:43");
        assert_eq!(zone.second(i64::MAX), "2262-04-11 23:47:16");
    }
}
