//! Query strings: percent-decoding, typed reading with errors that name the parameter, and
//! writing.

use crate::problem::Problem;
use meshscope_model::time;
use std::fmt::Display;

/// The parameters of a query string, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(pub Vec<(String, String)>);

impl Params {
    /// Decodes a query string (without `?`), in `application/x-www-form-urlencoded` form.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key), decode(value))
                })
                .collect(),
        )
    }

    /// Encodes to a query string (without `?`).
    #[must_use]
    pub fn to_query(&self) -> String {
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
            .collect();
        pairs.join("&")
    }

    /// The first non-empty value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Every non-empty value of `name`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Adds a parameter when there is a value.
    pub fn set(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.0.push((name.to_owned(), value.to_string()));
        }
    }

    /// Fails on a parameter that is not among `known`, so that a misspelt filter is not
    /// silently without effect.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some((key, _)) => Err(Problem::invalid_parameter(
                key,
                format!(
                    "there is no parameter {key:?} here; there are {}",
                    known.join(", ")
                ),
            )),
        }
    }

    /// A time: ns since the epoch, or RFC 3339.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let time = text.parse().ok().or_else(|| time::parse_rfc3339(text));
        time.map(Some).ok_or_else(|| {
            Problem::invalid_parameter(
                name,
                format!("{text:?} is not a time: give nanoseconds since the epoch or RFC 3339, for example 2026-11-21T14:00:00Z"),
            )
        })
    }

    /// A boolean: `true` or `false`, `1` or `0`.
    pub fn bool(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(text) => Err(Problem::invalid_parameter(
                name,
                format!("{text:?} is not a boolean: give true or false"),
            )),
        }
    }

    /// A number between `min` and `max`.
    pub fn number<T>(&self, name: &str, min: T, max: T) -> Result<Option<T>, Problem>
    where
        T: std::str::FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse::<T>() {
            Ok(n) if n >= min && n <= max => Ok(Some(n)),
            _ => Err(Problem::invalid_parameter(
                name,
                format!("{text:?} is not a number between {min} and {max}"),
            )),
        }
    }

    /// One word of a fixed set.
    pub fn one_of<'a>(&'a self, name: &str, words: &[&str]) -> Result<Option<&'a str>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(word) if words.contains(&word) => Ok(Some(word)),
            Some(word) => Err(Problem::invalid_parameter(
                name,
                format!("{word:?} is not one of {}", words.join(", ")),
            )),
        }
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Decodes percent-encoding and `+`; a broken escape stands for itself, and bytes that are
/// not UTF-8 become U+FFFD.
#[must_use]
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        let escape = (byte == b'%').then(|| bytes.get(i + 1..i + 3)).flatten();
        let escaped = escape
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| {
                hex.bytes()
                    .all(|b| b.is_ascii_hexdigit())
                    .then(|| u8::from_str_radix(hex, 16).ok())
                    .flatten()
            });
        i += if escaped.is_some() { 3 } else { 1 };
        decoded.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_survives_the_query_string(pairs in prop::collection::vec((".*", ".*"), 0..5)) {
            let params = Params(pairs.into_iter().filter(|(key, value)| !key.is_empty() || !value.is_empty()).collect());
            prop_assert_eq!(Params::parse(&params.to_query()), params);
        }

        #[test]
        fn no_query_string_panics(query: String) {
            let params = Params::parse(&query);
            prop_assert!(params.time("from").is_ok() || params.get("from").is_some());
        }
    }

    #[test]
    fn errors_name_the_parameter_and_what_would_be_right() {
        let params = Params::parse("from=yesterday&limit=0&has_error=maybe&colour=red");
        let from = params.time("from").unwrap_err();
        assert_eq!(from.parameter.as_deref(), Some("from"));
        assert!(from.detail.contains("RFC 3339"), "{}", from.detail);
        assert!(
            params
                .number("limit", 1, 1000)
                .unwrap_err()
                .detail
                .contains("between 1 and 1000")
        );
        assert!(params.bool("has_error").is_err());
        let unknown = params.only(&["from", "limit", "has_error"]).unwrap_err();
        assert_eq!(unknown.parameter.as_deref(), Some("colour"));
    }

    #[test]
    fn times_are_ns_or_rfc3339() {
        let params = Params::parse("from=0&to=1970-01-01T00%3A00%3A01Z");
        assert_eq!(params.time("from").unwrap(), Some(0));
        assert_eq!(params.time("to").unwrap(), Some(1_000_000_000));
    }
}
