//! Asking for an attribute: `KEY=VALUE`, `KEY!=VALUE`, `KEY>5`, `KEY~text`, or `KEY` for its
//! presence.

use crate::problem::Problem;
use std::fmt;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// It is the same: as text, and where the value is a number or a boolean as one.
    Equal,
    /// It is there and not the same.
    NotEqual,
    /// It is a number below.
    Less,
    /// It is a number not above.
    AtMost,
    /// It is a number above.
    Greater,
    /// It is a number not below.
    AtLeast,
    /// Its text holds the text, in any case.
    Contains,
    /// It is there.
    Exists,
}

/// One question about an attribute of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeFilter {
    /// The attribute's key.
    pub key: String,
    /// How its value is compared.
    pub comparison: Comparison,
    /// With what; empty for [`Comparison::Exists`]. A decimal number for the four of numbers.
    pub value: String,
}

/// The signs, the longer before those that begin like them.
const SIGNS: [(&str, Comparison); 7] = [
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("~", Comparison::Contains),
];

impl AttributeFilter {
    /// Reads the text of the parameter `attr`. The first sign ends the key.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |why: String| {
            Err(Problem::invalid_parameter(
                "attr",
                format!("{why}: give KEY=VALUE, KEY!=VALUE, KEY<N, KEY<=N, KEY>N, KEY>=N, KEY~TEXT or KEY"),
            ))
        };
        let sign = text.char_indices().find_map(|(at, _)| {
            SIGNS
                .iter()
                .find(|(sign, _)| text[at..].starts_with(sign))
                .map(|found| (at, *found))
        });
        let (key, comparison, value) = match sign {
            None => (text, Comparison::Exists, ""),
            Some((at, (sign, comparison))) => (&text[..at], comparison, &text[at + sign.len()..]),
        };
        if key.is_empty() {
            return wrong(format!("{text:?} names no attribute"));
        }
        let numeric = matches!(
            comparison,
            Comparison::Less | Comparison::AtMost | Comparison::Greater | Comparison::AtLeast
        );
        if numeric && !value.parse::<f64>().is_ok_and(f64::is_finite) {
            return wrong(format!("{value:?} is not a number"));
        }
        Ok(Self {
            key: key.to_owned(),
            comparison,
            value: value.to_owned(),
        })
    }
}

impl fmt::Display for AttributeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = SIGNS
            .iter()
            .find(|(_, comparison)| *comparison == self.comparison)
            .map_or("", |(sign, _)| sign);
        write!(f, "{}{sign}{}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_and_writes() {
        for (text, comparison, value) in [
            ("http.route=/v1/work", Comparison::Equal, "/v1/work"),
            ("app.name=", Comparison::Equal, ""),
            ("app.name!=x=y", Comparison::NotEqual, "x=y"),
            ("app.score>0.5", Comparison::Greater, "0.5"),
            ("app.score<=-3", Comparison::AtMost, "-3"),
            ("url.path~sea", Comparison::Contains, "sea"),
            ("app.retry", Comparison::Exists, ""),
        ] {
            let filter = AttributeFilter::parse(text).unwrap();
            assert_eq!((filter.comparison, filter.value.as_str()), (comparison, value));
            assert_eq!(filter.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_asked_says_what_can() {
        for text in ["=x", "app.score>much", "app.score<inf", ">1"] {
            let problem = AttributeFilter::parse(text).unwrap_err();
            assert!(problem.detail.contains("KEY~TEXT"), "{problem:?}");
        }
    }
}
