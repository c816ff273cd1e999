//! Trace and span ids: 16 and 8 bytes, lower-case hex on the wire.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} hexadecimal digits, got {got:?}")]
pub struct IdError {
    /// How many digits the id has.
    pub expected: usize,
    /// What was given, shortened to 64 characters.
    pub got: String,
}

impl IdError {
    fn new(expected: usize, got: &str) -> Self {
        Self {
            expected,
            got: got.chars().take(64).collect(),
        }
    }
}

/// Identity of a trace: 16 bytes, all zero is invalid
/// (<https://www.w3.org/TR/trace-context/#trace-id>).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(pub [u8; 16]);

/// Identity of a span within its trace: 8 bytes, all zero is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(pub [u8; 8]);

impl TraceId {
    /// False for the all-zero id, which OTLP forbids.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.0 != [0; 16]
    }

    /// The id as a big-endian number.
    #[must_use]
    pub fn as_u128(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The id whose big-endian number is `n`.
    #[must_use]
    pub fn from_u128(n: u128) -> Self {
        Self(n.to_be_bytes())
    }
}

impl SpanId {
    /// False for the all-zero id, which OTLP forbids.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.0 != [0; 8]
    }

    /// The id as a big-endian number.
    #[must_use]
    pub fn as_u64(&self) -> u64 {
        u64::from_be_bytes(self.0)
    }

    /// The id whose big-endian number is `n`.
    #[must_use]
    pub fn from_u64(n: u64) -> Self {
        Self(n.to_be_bytes())
    }
}

/// Writes at most 16 bytes at once: ids are most of what lists of spans are made of.
fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    let text = digits.get(..2 * bytes.len()).ok_or(fmt::Error)?;
    f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
}

/// Decodes exactly `N` bytes of hexadecimal digits of either case.
fn read_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(bytes)
}

macro_rules! hex_id {
    ($id:ident, $bytes:literal) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl FromStr for $id {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                read_hex(text)
                    .map(Self)
                    .ok_or_else(|| IdError::new($bytes * 2, text))
            }
        }

        impl TryFrom<&[u8]> for $id {
            type Error = IdError;

            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes
                    .try_into()
                    .map(Self)
                    .map_err(|_| IdError::new($bytes * 2, &format!("{} bytes", bytes.len())))
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id!(TraceId, 16);
hex_id!(SpanId, 8);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_number_lead_back_to_the_same_id(bytes: [u8; 16], span: [u8; 8]) {
            let id = TraceId(bytes);
            prop_assert_eq!(id.to_string().parse::<TraceId>().unwrap(), id);
            prop_assert_eq!(TraceId::from_u128(id.as_u128()), id);
            let span = SpanId(span);
            prop_assert_eq!(span.to_string().to_uppercase().parse::<SpanId>().unwrap(), span);
            prop_assert_eq!(SpanId::from_u64(span.as_u64()), span);
        }

        #[test]
        fn no_text_panics(text: String) {
            prop_assert_eq!(text.parse::<SpanId>().is_ok(), text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }

    #[test]
    fn an_error_says_what_would_be_right() {
        let error = "abc".parse::<TraceId>().unwrap_err().to_string();
        assert_eq!(error, "expected 32 hexadecimal digits, got \"abc\"");
    }
}
