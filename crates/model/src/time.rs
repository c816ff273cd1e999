//! Time as ns since the Unix epoch, UTC, and its RFC 3339 form.

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: i64 = 1_000_000;
/// Nanoseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Nanoseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Nanoseconds in a day of 24 hours.
pub const DAY: i64 = 24 * HOUR;

/// A moment in the proleptic Gregorian calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999,999,999.
    pub nanosecond: u32,
}

/// Days since the epoch of a civil date. The year is counted from March so that the leap day
/// is its last.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    } as u32;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The civil moment of `ns` in UTC. Any `i64` is in range (years 1677 to 2262).
#[must_use]
pub fn civil(ns: i64) -> Civil {
    let (year, month, day) = civil_from_days(ns.div_euclid(DAY));
    let in_day = ns.rem_euclid(DAY);
    Civil {
        year,
        month,
        day,
        hour: (in_day / HOUR) as u32,
        minute: (in_day / MINUTE % 60) as u32,
        second: (in_day / SECOND % 60) as u32,
        nanosecond: (in_day % SECOND) as u32,
    }
}

/// `2026-11-21T02:41:00.123456789Z`, without a fraction when it is zero.
#[must_use]
pub fn to_rfc3339(ns: i64) -> String {
    let c = civil(ns);
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    );
    if c.nanosecond != 0 {
        text.push_str(format!(".{:09}", c.nanosecond).trim_end_matches('0'));
    }
    text.push('Z');
    text
}

fn digits(text: &str, range: std::ops::Range<usize>) -> Option<i64> {
    let part = text.get(range)?;
    part.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| part.parse().ok())?
}

/// Reads an RFC 3339 date-time (`2026-11-21T02:41:00Z`, fraction and offset allowed); `None`
/// when it is not one or lies outside the range of `i64` ns.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separated = bytes.get(4) == Some(&b'-')
        && bytes.get(7) == Some(&b'-')
        && matches!(bytes.get(10), Some(b'T' | b't' | b' '))
        && bytes.get(13) == Some(&b':')
        && bytes.get(16) == Some(&b':');
    if !separated || !text.is_ascii() {
        return None;
    }
    let (year, month, day) = (digits(text, 0..4)?, digits(text, 5..7)?, digits(text, 8..10)?);
    let (hour, minute, second) = (
        digits(text, 11..13)?,
        digits(text, 14..16)?,
        digits(text, 17..19)?,
    );
    let mut rest = text.get(19..)?;
    let mut nanosecond = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(fraction.len());
        if end == 0 {
            return None;
        }
        nanosecond = format!("{:0<9}", &fraction[..end.min(9)]).parse().ok()?;
        rest = &fraction[end..];
    }
    let offset = match rest {
        "Z" | "z" => 0,
        _ => {
            let sign = match rest.as_bytes().first()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let colon = rest.len() == 6 && rest.as_bytes()[3] == b':';
            let (hours, minutes) = (digits(rest, 1..3)?, digits(rest, 4..6)?);
            if !colon || hours > 23 || minutes > 59 {
                return None;
            }
            sign * (hours * 60 + minutes) * 60
        }
    };
    let days = days_from_civil(year, month as u32, day as u32);
    let valid = (1..=12).contains(&month)
        && civil_from_days(days) == (year, month as u32, day as u32)
        && hour < 24
        && minute < 60
        && second < 61;
    if !valid {
        return None;
    }
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    seconds.checked_mul(SECOND)?.checked_add(nanosecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_moment_survives_its_text(ns: i64) {
            prop_assert_eq!(parse_rfc3339(&to_rfc3339(ns)), Some(ns));
        }

        #[test]
        fn no_text_panics(text: String) {
            prop_assert!(parse_rfc3339(&text).is_none() || text.len() >= 20);
        }
    }

    #[test]
    fn known_moments() {
        assert_eq!(to_rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(to_rfc3339(1_709_164_800_500_000_000), "2024-02-29T00:00:00.5Z");
        assert_eq!(
            parse_rfc3339("2024-02-29T01:30:00.5+01:30"),
            Some(1_709_164_800_500_000_000)
        );
        assert_eq!(parse_rfc3339("2023-02-29T00:00:00Z"), None);
        assert_eq!(parse_rfc3339("2023-02-28"), None);
        assert_eq!(parse_rfc3339("2023-02-28T00:00:00+0é:00"), None);
        assert_eq!(parse_rfc3339("9999-01-01T00:00:00Z"), None);
    }
}
