//! Numbers as the studio writes them: three significant digits, a space, a unit.
//!
//! One rule for each kind of figure, used on every page, so that a figure reads the same
//! wherever it stands. A minus is U+2212, as wide as a digit. Rounding is half away from zero.

use meshscope_model::time::{DAY, HOUR, MINUTE, SECOND};

/// What stands where a figure is not known.
pub const UNKNOWN: &str = "unknown";

/// Pico-dollars in a dollar.
pub const DOLLAR: i64 = 1_000_000_000_000;

const MINUS: char = '\u{2212}';

/// A duration in ns: `512 ns`, `12.3 µs`, `480 ms`, `8.42 s`, `3 m 12 s`, `2 h 5 m`, `3 d 4 h`.
/// Zero is `0 s`; a fraction of zeros is left out (`51 s`).
#[must_use]
pub fn duration(ns: i64) -> String {
    let n = ns.unsigned_abs();
    let text = match n {
        0 => "0 s".to_owned(),
        _ => small_duration(n)
            .or_else(|| two_units(n, MINUTE, SECOND, "m", "s", 60))
            .or_else(|| two_units(n, HOUR, MINUTE, "h", "m", 24))
            .or_else(|| two_units(n, DAY, HOUR, "d", "h", u64::MAX))
            .unwrap_or_default(),
    };
    signed(ns < 0, text)
}

/// Below a minute after rounding: one unit.
fn small_duration(n: u64) -> Option<String> {
    let units = [(1, "ns"), (1_000, "µs"), (1_000_000, "ms")];
    for (unit, name) in units {
        if let Some(digits) = three_digits(n, unit, 1_000) {
            return Some(format!("{digits} {name}"));
        }
    }
    three_digits(n, SECOND.unsigned_abs(), 60).map(|digits| format!("{digits} s"))
}

/// `3 m 12 s`; `None` when it rounds to `limit` of the large unit or more.
fn two_units(
    n: u64,
    large: i64,
    small: i64,
    large_name: &str,
    small_name: &str,
    limit: u64,
) -> Option<String> {
    let (large, small) = (large.unsigned_abs(), small.unsigned_abs());
    let smalls = n / small + u64::from(n % small >= small / 2);
    let (whole, rest) = (smalls / (large / small), smalls % (large / small));
    (whole < limit).then(|| match rest {
        0 => format!("{whole} {large_name}"),
        _ => format!("{whole} {large_name} {rest} {small_name}"),
    })
}

/// A duration to the last ns, for where the pointer rests: `1.480 000 123 s`.
#[must_use]
pub fn duration_exact(ns: i64) -> String {
    let n = ns.unsigned_abs();
    let (whole, rest) = (n / 1_000_000_000, n % 1_000_000_000);
    let text = match rest {
        0 => format!("{} s", group(whole)),
        _ => format!(
            "{}.{:03} {:03} {:03} s",
            group(whole),
            rest / 1_000_000,
            rest / 1_000 % 1_000,
            rest % 1_000
        ),
    };
    signed(ns < 0, text)
}

/// A whole number with its thousands apart: `18,212`.
#[must_use]
pub fn integer(n: i64) -> String {
    signed(n < 0, group(n.unsigned_abs()))
}

/// A count, of tokens for example: whole below a million (`18,212`), then `61.4 M`, `1.2 B`, `3.05 T`.
#[must_use]
pub fn count(n: i64) -> String {
    let magnitude = n.unsigned_abs();
    let units = [(1_000_000, "M"), (1_000_000_000, "B"), (1_000_000_000_000, "T")];
    let text = if magnitude < 1_000_000 {
        group(magnitude)
    } else {
        scaled(magnitude, &units)
    };
    signed(n < 0, text)
}

/// Bytes in powers of a thousand: `812 B`, `48 KB`, `1.25 MB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    let units = [
        (1, "B"),
        (1_000, "KB"),
        (1_000_000, "MB"),
        (1_000_000_000, "GB"),
        (1_000_000_000_000, "TB"),
    ];
    scaled(n, &units)
}

/// Carbon in micrograms CO2e: `12 µg`, `340 mg`, `1.25 g`, `3.1 kg`.
#[must_use]
pub fn carbon(ug: i64) -> String {
    let units = [(1, "µg"), (1_000, "mg"), (1_000_000, "g"), (1_000_000_000, "kg")];
    signed(ug < 0, scaled(ug.unsigned_abs(), &units))
}

/// Pico-dollars: cents from a dollar up (`$412.87`, `$1,204.50`), four digits behind the point
/// down to a tenth of a cent (`$0.0731`), two significant digits below (`$0.00042`), `$0`.
#[must_use]
pub fn cost(pico: i64) -> String {
    let n = pico.unsigned_abs();
    let dollar = DOLLAR.unsigned_abs();
    let text = if n == 0 {
        "$0".to_owned()
    } else if let Some(text) = fraction_of_dollar(n) {
        text
    } else {
        let cents = n / (dollar / 100) + u64::from(n % (dollar / 100) >= dollar / 200);
        format!("${}.{:02}", group(cents / 100), cents % 100)
    };
    signed(pico < 0, text)
}

/// Below a dollar after rounding.
fn fraction_of_dollar(n: u64) -> Option<String> {
    let digits = if n >= DOLLAR.unsigned_abs() / 1_000 {
        4
    } else {
        // Leading zeros behind the point, and two digits more.
        (12 - n.ilog10() as usize + 1).min(12)
    };
    let unit = 10_u64.pow(12 - digits as u32);
    let rounded = n / unit + u64::from(unit > 1 && n % unit >= unit / 2);
    let text = format!("{rounded:0digits$}");
    (text.len() == digits).then(|| {
        // Four digits stand however many are zeros, so that a column of costs lines up.
        let (four, more) = text.split_at_checked(4).unwrap_or((&text, ""));
        format!("$0.{four}{}", more.trim_end_matches('0'))
    })
}

/// A cost, or `unknown`: a cost that is not known is never `$0`.
#[must_use]
pub fn cost_or_unknown(pico: Option<i64>) -> String {
    pico.map_or_else(|| UNKNOWN.to_owned(), cost)
}

/// A part of a whole: `90 %`, `2.1 %`, `<0.1 %`, `0 %`; a whole of zero gives `–`.
#[must_use]
pub fn percent(part: i64, whole: i64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let negative = (part < 0) != (whole < 0) && part != 0;
    let per_mille = ratio_per_mille(part, whole).unsigned_abs();
    let text = match per_mille {
        0 if part == 0 => "0 %".to_owned(),
        0 => "<0.1 %".to_owned(),
        1..100 => format!("{}.{} %", per_mille / 10, per_mille % 10),
        _ => {
            let percent = rounded_ratio(i128::from(part) * 100, i128::from(whole)).unsigned_abs();
            format!("{} %", group(u64::try_from(percent).unwrap_or(u64::MAX)))
        }
    };
    signed(negative && per_mille > 0, text)
}

/// How much `now` differs from `before`: `+12.4 %`, `−3.1 %`, `±0 %`, and `×73` from a
/// tenfold on, where a percentage says nothing; `None` when there was nothing before.
#[must_use]
pub fn change(now: i64, before: i64) -> Option<String> {
    if before == 0 {
        return None;
    }
    let per_mille = rounded_ratio(
        (i128::from(now) - i128::from(before)) * 1_000,
        i128::from(before.unsigned_abs()),
    );
    let magnitude = u64::try_from(per_mille.unsigned_abs()).unwrap_or(u64::MAX);
    if per_mille >= 9_000 && before > 0 {
        return Some(format!(
            "\u{d7}{}",
            group(now.unsigned_abs() / before.unsigned_abs())
        ));
    }
    let text = format!("{}.{} %", group(magnitude / 10), magnitude % 10);
    Some(match per_mille {
        0 => "±0 %".to_owned(),
        1.. => format!("+{text}"),
        _ => signed(true, text),
    })
}

fn ratio_per_mille(part: i64, whole: i64) -> i128 {
    rounded_ratio(i128::from(part) * 1_000, i128::from(whole))
}

/// `n / d`, rounded half away from zero; `d` is not 0.
fn rounded_ratio(n: i128, d: i128) -> i128 {
    let magnitude = (n.unsigned_abs() + d.unsigned_abs() / 2) / d.unsigned_abs();
    let magnitude = i128::try_from(magnitude).unwrap_or(i128::MAX);
    if (n < 0) == (d < 0) { magnitude } else { -magnitude }
}

/// `n` in the largest unit it fills, the last when it is beyond all.
fn scaled(n: u64, units: &[(u64, &str)]) -> String {
    let fitting = units
        .iter()
        .find_map(|(unit, name)| three_digits(n, *unit, 1_000).map(|digits| format!("{digits} {name}")));
    fitting.unwrap_or_else(|| {
        let (unit, name) = units.last().copied().unwrap_or((1, ""));
        format!(
            "{} {name}",
            group(n / unit + u64::from(n % unit >= unit.div_ceil(2)))
        )
    })
}

/// `n / unit` to three significant digits, a fraction of zeros left out; `None` when it rounds
/// to `limit` (at most 1,000) or more.
fn three_digits(n: u64, unit: u64, limit: u64) -> Option<String> {
    let most_digits = [2_usize, 1, 0]
        .into_iter()
        .filter(|digits| unit >= 10_u64.pow(*digits as u32));
    for digits in most_digits {
        let power = 10_u64.pow(digits as u32);
        let rounded = (u128::from(n) * u128::from(power) + u128::from(unit) / 2) / u128::from(unit);
        if rounded >= u128::from(limit) * u128::from(power) {
            return None;
        }
        if rounded < 1_000 {
            let (whole, rest) = (rounded / u128::from(power), rounded % u128::from(power));
            return Some(match rest {
                0 => whole.to_string(),
                _ => format!("{whole}.{rest:0digits$}"),
            });
        }
    }
    None
}

/// Digits in groups of three.
fn group(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn signed(negative: bool, text: String) -> String {
    if negative { format!("{MINUS}{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let cases = [
            (0, "0 s"),
            (1, "1 ns"),
            (999, "999 ns"),
            (1_000, "1 µs"),
            (12_345, "12.3 µs"),
            (999_499, "999 µs"),
            (999_500, "1 ms"),
            (2_306_000, "2.31 ms"),
            (22_000_000, "22 ms"),
            (480_000_000, "480 ms"),
            (999_600_000, "1 s"),
            (8_420_000_000, "8.42 s"),
            (5_100_000_000, "5.10 s"),
            (51_000_000_000, "51 s"),
            (51_960_000_000, "52 s"),
            (59_960_000_000, "1 m"),
            (192_000_000_000, "3 m 12 s"),
            (3_599_700_000_000, "1 h"),
            (7_500_000_000_000, "2 h 5 m"),
            (86_399_000_000_000, "1 d"),
            (273_600_000_000_000, "3 d 4 h"),
            (-140_000_000, "\u{2212}140 ms"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
        assert_eq!(duration(i64::MAX), "106752 d");
        assert_eq!(duration_exact(1_480_000_123), "1.480 000 123 s");
        assert_eq!(duration_exact(2_000_000_000), "2 s");
    }

    #[test]
    fn counts_and_sizes() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (18_212, "18,212"),
            (999_999, "999,999"),
            (1_000_000, "1 M"),
        ];
        for (n, text) in cases {
            assert_eq!(count(n), text);
        }
        assert_eq!(count(61_400_000), "61.4 M");
        assert_eq!(count(999_950_000), "1 B");
        assert_eq!(count(1_204_000_000), "1.20 B");
        assert_eq!(count(9_223_372_036_854_775_807), "9,223,372 T");
        assert_eq!(integer(-1_234_567), "\u{2212}1,234,567");
        assert_eq!(
            (bytes(0), bytes(812), bytes(48_000)),
            ("0 B".into(), "812 B".into(), "48 KB".into())
        );
        assert_eq!(
            (bytes(1_250_000), bytes(999_999)),
            ("1.25 MB".into(), "1 MB".into())
        );
        assert_eq!((carbon(340_000), carbon(12)), ("340 mg".into(), "12 µg".into()));
    }

    #[test]
    fn costs() {
        let cases = [
            (0, "$0"),
            (73_100_000_000, "$0.0731"),
            (412_870_000_000_000, "$412.87"),
            (171_200_000_000_000, "$171.20"),
            (1_204_500_000_000_000, "$1,204.50"),
            (125_000_000_000, "$0.1250"),
            (999_960_000_000, "$1.00"),
            (1_000_000_000, "$0.0010"),
            (420_000_000, "$0.00042"),
            (900_000_000, "$0.0009"),
            (999_900_000, "$0.0010"),
            (1_234_567, "$0.0000012"),
            (1, "$0.000000000001"),
            (-50_000_000_000, "\u{2212}$0.0500"),
        ];
        for (pico, text) in cases {
            assert_eq!(cost(pico), text);
        }
        assert_eq!(cost_or_unknown(None), "unknown");
        assert_eq!(cost_or_unknown(Some(0)), "$0");
    }

    #[test]
    fn percentages() {
        assert_eq!(percent(7_600, 8_420), "90 %");
        assert_eq!(
            (percent(21, 1_000), percent(996, 10_000)),
            ("2.1 %".into(), "10 %".into())
        );
        assert_eq!(
            (percent(1, 1_000_000), percent(0, 5)),
            ("<0.1 %".into(), "0 %".into())
        );
        assert_eq!((percent(3, 0), percent(5, 2)), ("–".into(), "250 %".into()));
        assert_eq!(
            percent(i64::MIN, 1),
            "\u{2212}18,446,744,073,709,551,615 %",
            "what no screen shows stays within its type"
        );
        assert_eq!(change(1_124, 1_000).as_deref(), Some("+12.4 %"));
        assert_eq!(change(969, 1_000).as_deref(), Some("\u{2212}3.1 %"));
        assert_eq!(change(9_999, 1_000).as_deref(), Some("+899.9 %"));
        assert_eq!(change(10_000, 1_000).as_deref(), Some("\u{d7}10"));
        assert_eq!(change(7_300_000, 100).as_deref(), Some("\u{d7}73,000"));
        assert_eq!((change(5, 5).as_deref(), change(5, 0)), (Some("±0 %"), None));
    }

    proptest! {
        #[test]
        fn any_number_has_a_text(n: i64, d: i64) {
            for text in [duration(n), duration_exact(n), count(n), integer(n), cost(n), percent(n, d), carbon(n), bytes(n as u64)] {
                prop_assert!(!text.is_empty() && text.len() < 40, "{}", text);
            }
        }

        #[test]
        fn three_digits_are_within_half_a_unit_of_the_last(ns in 1..59_000_000_000_i64) {
            let text = duration(ns);
            let (digits, unit) = text.split_once(' ').unwrap();
            let unit = match unit { "ns" => 1.0, "µs" => 1e3, "ms" => 1e6, _ => 1e9 };
            let read = digits.parse::<f64>().unwrap() * unit;
            prop_assert!((read - ns as f64).abs() <= 0.0051 * ns as f64, "{} is not {}", text, ns);
            prop_assert!(digits.len() <= 4);
        }

        #[test]
        fn costs_keep_two_significant_digits(pico in 1..i64::MAX) {
            let text = cost(pico);
            let read: f64 = text.trim_start_matches('$').replace(',', "").parse().unwrap();
            prop_assert!((read * 1e12 - pico as f64).abs() <= 0.05 * pico as f64, "{} is not {}", text, pico);
        }
    }
}
