//! The time range: `range=1h` follows the present, `from` and `to` (ns) stand still.

use super::param;
use leptos::prelude::*;
use meshscope_model::time::{DAY, HOUR, MINUTE};

/// Words of the moving ranges, with their lengths; 0 is everything.
pub(crate) const PRESETS: [(&str, &str, i64); 7] = [
    ("15m", "Last 15 minutes", 15 * MINUTE),
    ("1h", "Last hour", HOUR),
    ("6h", "Last 6 hours", 6 * HOUR),
    ("24h", "Last 24 hours", DAY),
    ("7d", "Last 7 days", 7 * DAY),
    ("30d", "Last 30 days", 30 * DAY),
    ("all", "All time", 0),
];

/// The range when the URL names none: an index of [`PRESETS`].
const DEFAULT: usize = 3;

/// What time a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// A moving range: an index of [`PRESETS`].
    Last(usize),
    /// From and to, ns since the epoch.
    Fixed(i64, i64),
}

impl Range {
    /// The bounds that a request is made with.
    pub(crate) fn bounds(self, now: i64) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Fixed(from, to) => (Some(from), Some(to)),
            Self::Last(index) => match PRESETS.get(index) {
                Some((_, _, 0)) | None => (Some(0), None),
                Some((_, _, length)) => (Some(now - length), None),
            },
        }
    }

    /// Length in ns; `None` for all time.
    pub(crate) fn length(self) -> Option<i64> {
        match self {
            Self::Fixed(from, to) => Some(to - from),
            Self::Last(index) => PRESETS
                .get(index)
                .map(|(.., length)| *length)
                .filter(|length| *length > 0),
        }
    }
}

/// The range in the URL.
pub(crate) fn use_range() -> Memo<Range> {
    let (range, from, to) = (param("range"), param("from"), param("to"));
    Memo::new(move |_| {
        let number = |text: Option<String>| text.and_then(|text| text.parse::<i64>().ok());
        if let (Some(from), Some(to)) = (number(from.get()), number(to.get()))
            && from < to
        {
            return Range::Fixed(from, to);
        }
        let word = range.get();
        Range::Last(
            PRESETS
                .iter()
                .position(|(known, ..)| word.as_deref() == Some(*known))
                .unwrap_or(DEFAULT),
        )
    })
}
