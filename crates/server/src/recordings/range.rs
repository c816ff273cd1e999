//! Parts of a file: RFC 9110, section 14.

/// What is asked for of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of it: no range, one that is not understood, or several.
    Whole,
    /// The bytes from the first on up to and without the second.
    Part(u64, u64),
    /// Nothing that is there.
    Beyond,
}

/// Reads a `Range` header for a file of `size` bytes.
pub(crate) fn read(header: &str, size: u64) -> Asked {
    let Some((first, last)) = header
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Asked::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than fit mean the end, wherever it is.
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            None => Asked::Whole,
            Some(0) => Asked::Beyond,
            Some(_) if size == 0 => Asked::Beyond,
            Some(n) => Asked::Part(size.saturating_sub(n), size),
        },
        (first, last) => {
            let (Some(first), last) = (
                number(first),
                if last.is_empty() {
                    Some(u64::MAX)
                } else {
                    number(last)
                },
            ) else {
                return Asked::Whole;
            };
            match last {
                None => Asked::Whole,
                Some(last) if last < first => Asked::Whole,
                Some(_) if first >= size => Asked::Beyond,
                Some(last) => Asked::Part(first, last.saturating_add(1).min(size)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_what_is_not_understood_is_the_whole() {
        for (header, asked) in [
            ("bytes=0-0", Asked::Part(0, 1)),
            ("bytes=10-", Asked::Part(10, 100)),
            ("bytes=10-19", Asked::Part(10, 20)),
            ("bytes=90-1000", Asked::Part(90, 100)),
            ("bytes=90-99999999999999999999999", Asked::Part(90, 100)),
            ("bytes=-10", Asked::Part(90, 100)),
            ("bytes=-1000", Asked::Part(0, 100)),
            ("bytes=100-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=20-10", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=+1-5", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("lines=1-2", Asked::Whole),
        ] {
            assert_eq!(read(header, 100), asked, "{header}");
        }
        assert_eq!(read("bytes=0-", 0), Asked::Beyond);
    }
}
