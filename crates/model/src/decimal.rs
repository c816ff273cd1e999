//! 64-bit integers as decimal strings in JSON, as OTLP/JSON writes them: JavaScript's numbers
//! are exact only to 2^53. Reading accepts a JSON number as well.
//!
//! Use with `#[serde(with = "meshscope_model::decimal")]`, and `decimal::option` for an
//! `Option` (together with `skip_serializing_if = "Option::is_none"` and `default`).

use serde::{Deserializer, Serializer, de};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// An integer that crosses JSON as a decimal string: `i64` or `u64`.
pub trait Decimal: Copy + fmt::Display + FromStr + TryFrom<i64> + TryFrom<u64> {}
impl Decimal for i64 {}
impl Decimal for u64 {}

struct Visitor<T>(PhantomData<T>);

impl<T: Decimal> de::Visitor<'_> for Visitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a 64-bit integer as a decimal string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse()
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<T, E> {
        T::try_from(n).map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<T, E> {
        T::try_from(n).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(n), &self))
    }
}

/// Writes `value` as a decimal string.
pub fn serialize<T: Decimal, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Reads a decimal string or a JSON integer.
pub fn deserialize<'de, T: Decimal, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Visitor(PhantomData))
}

/// The same for an optional value.
pub mod option {
    use super::{Decimal, Visitor};
    use serde::{Deserialize, Deserializer, Serializer};
    use std::marker::PhantomData;

    struct Wrapped<T>(T);

    impl<'de, T: Decimal> Deserialize<'de> for Wrapped<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Visitor(PhantomData)).map(Wrapped)
        }
    }

    /// Writes a decimal string, or null.
    pub fn serialize<T: Decimal, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a decimal string, a JSON integer or null.
    pub fn deserialize<'de, T: Decimal, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<Wrapped<T>>::deserialize(deserializer)?.map(|wrapped| wrapped.0))
    }
}

/// The same for a list.
pub mod list {
    use super::Decimal;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Wrapped<T: Decimal>(#[serde(with = "super")] T);

    /// Writes a list of decimal strings.
    pub fn serialize<T: Decimal, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }

    /// Reads a list of decimal strings or JSON integers.
    pub fn deserialize<'de, T: Decimal, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        let values = Vec::<Wrapped<T>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|wrapped| wrapped.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    fn read(text: &str) -> Option<i64> {
        #[derive(Deserialize)]
        struct Read(#[serde(with = "crate::decimal")] i64);
        serde_json::from_str::<Read>(text).ok().map(|read| read.0)
    }

    #[test]
    fn both_spellings_are_read_and_nothing_else() {
        assert_eq!(read("\"9223372036854775807\""), Some(i64::MAX));
        assert_eq!(read("-5"), Some(-5));
        assert_eq!(read("1.5"), None);
        assert_eq!(read("\"1e3\""), None);
        assert_eq!(read("18446744073709551615"), None);
    }
}
