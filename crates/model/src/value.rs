//! Attribute values: OpenTelemetry's `AnyValue`, kept with its type.
//!
//! JSON is OTLP/JSON's: `{"key": "k", "value": {"intValue": "5"}}`
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>). Non-finite doubles
//! are the strings `NaN`, `Infinity` and `-Infinity`, as protobuf's JSON mapping has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One value: OTLP's `AnyValue`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AttributeValue {
    /// No value was set; OTLP keeps it apart from an empty string.
    #[default]
    Empty,
    /// Text.
    String(String),
    /// True or false.
    Bool(bool),
    /// A 64-bit signed integer.
    Int(i64),
    /// A double, NaN and infinities included.
    Double(f64),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list; its items may be of different types.
    Array(Vec<AttributeValue>),
    /// Nested keys and values, in the order sent.
    Map(Vec<KeyValue>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct KeyValue {
    /// Name, for example `gen_ai.request.model`.
    pub key: String,
    /// Value.
    #[serde(default)]
    pub value: AttributeValue,
}

impl KeyValue {
    /// A key with a value.
    pub fn new(key: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

impl AttributeValue {
    /// The text of a string value.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// An integer, or a double that is one exactly.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            Self::Double(x) if x.fract() == 0.0 && x.abs() < 9.0e15 => Some(*x as i64),
            _ => None,
        }
    }

    /// A double or an integer as a double.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Double(x) => Some(*x),
            Self::Int(n) => Some(*n as f64),
            _ => None,
        }
    }

    /// A boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// What a person reads: text as it is, numbers in decimal, bytes in base64, the rest as JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::String(text) => text.clone(),
            other => match other.to_json() {
                serde_json::Value::String(text) => text,
                json => json.to_string(),
            },
        }
    }

    /// Plain JSON without type tags: what a person reads and a browser folds. Bytes become
    /// base64 text and non-finite doubles text, so it does not lead back to the same value.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Empty => Value::Null,
            Self::String(text) => Value::String(text.clone()),
            Self::Bool(b) => Value::Bool(*b),
            Self::Int(n) => Value::from(*n),
            Self::Double(x) => serde_json::Number::from_f64(*x)
                .map_or_else(|| Value::String(non_finite(*x).to_owned()), Value::Number),
            Self::Bytes(bytes) => Value::String(BASE64.encode(bytes)),
            Self::Array(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|kv| (kv.key.clone(), kv.value.to_json()))
                    .collect(),
            ),
        }
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i64> for AttributeValue {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<f64> for AttributeValue {
    fn from(x: f64) -> Self {
        Self::Double(x)
    }
}

impl From<bool> for AttributeValue {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

/// The attributes of a record, in the order sent. OTLP wants keys to be unique; where a sender
/// repeats one, all are kept and the first is found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes(pub Vec<KeyValue>);

impl Attributes {
    /// The first value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&AttributeValue> {
        self.0.iter().find(|kv| kv.key == key).map(|kv| &kv.value)
    }

    /// The text under `key`, when it is a string.
    #[must_use]
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The non-empty text under `key`, when it is a string.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.str(key).filter(|text| !text.is_empty())
    }

    /// The integer under `key`.
    #[must_use]
    pub fn i64(&self, key: &str) -> Option<i64> {
        self.get(key)?.as_i64()
    }

    /// The number under `key`.
    #[must_use]
    pub fn f64(&self, key: &str) -> Option<f64> {
        self.get(key)?.as_f64()
    }

    /// The boolean under `key`.
    #[must_use]
    pub fn bool(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// True when any key starts with `prefix`.
    #[must_use]
    pub fn any_with_prefix(&self, prefix: &str) -> bool {
        self.0.iter().any(|kv| kv.key.starts_with(prefix))
    }

    /// Adds a key with its value.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<AttributeValue>) {
        self.0.push(KeyValue::new(key, value));
    }

    /// Keys and values in the order sent.
    pub fn iter(&self) -> std::slice::Iter<'_, KeyValue> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<KeyValue> for Attributes {
    fn from_iter<I: IntoIterator<Item = KeyValue>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// The name of a non-finite double in protobuf's JSON mapping.
fn non_finite(x: f64) -> &'static str {
    if x.is_nan() {
        "NaN"
    } else if x > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// `{"values": [...]}`, as OTLP/JSON wraps lists.
#[derive(Serialize, Deserialize)]
struct Values<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Borrowed<'a, T> {
            values: &'a [T],
        }
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Empty => {}
            Self::String(text) => map.serialize_entry("stringValue", text)?,
            Self::Bool(b) => map.serialize_entry("boolValue", b)?,
            Self::Int(n) => map.serialize_entry("intValue", &n.to_string())?,
            Self::Double(x) if x.is_finite() => map.serialize_entry("doubleValue", x)?,
            Self::Double(x) => map.serialize_entry("doubleValue", non_finite(*x))?,
            Self::Bytes(bytes) => map.serialize_entry("bytesValue", &BASE64.encode(bytes))?,
            Self::Array(values) => map.serialize_entry("arrayValue", &Borrowed { values })?,
            Self::Map(values) => map.serialize_entry("kvlistValue", &Borrowed { values })?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Double {
            Number(f64),
            Text(String),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            string_value: Option<String>,
            bool_value: Option<bool>,
            #[serde(default, with = "crate::decimal::option")]
            int_value: Option<i64>,
            double_value: Option<Double>,
            bytes_value: Option<String>,
            array_value: Option<Values<AttributeValue>>,
            kvlist_value: Option<Values<KeyValue>>,
        }
        let wire = Wire::deserialize(deserializer)?;
        Ok(match wire {
            Wire {
                string_value: Some(text),
                ..
            } => Self::String(text),
            Wire {
                bool_value: Some(b), ..
            } => Self::Bool(b),
            Wire {
                int_value: Some(n), ..
            } => Self::Int(n),
            Wire {
                double_value: Some(Double::Number(x)),
                ..
            } => Self::Double(x),
            // Rust's parser knows NaN, Infinity and -Infinity.
            Wire {
                double_value: Some(Double::Text(text)),
                ..
            } => Self::Double(text.parse().map_err(|_| {
                de::Error::invalid_value(
                    de::Unexpected::Str(&text),
                    &"a number, NaN, Infinity or -Infinity",
                )
            })?),
            Wire {
                bytes_value: Some(text),
                ..
            } => Self::Bytes(BASE64.decode(&text).map_err(de::Error::custom)?),
            Wire {
                array_value: Some(list),
                ..
            } => Self::Array(list.values),
            Wire {
                kvlist_value: Some(list),
                ..
            } => Self::Map(list.values),
            _ => Self::Empty,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = AttributeValue> {
        let leaf = prop_oneof![
            Just(AttributeValue::Empty),
            any::<String>().prop_map(AttributeValue::String),
            any::<bool>().prop_map(AttributeValue::Bool),
            any::<i64>().prop_map(AttributeValue::Int),
            any::<f64>()
                .prop_filter("NaN is not equal to itself", |x| !x.is_nan())
                .prop_map(AttributeValue::Double),
            any::<Vec<u8>>().prop_map(AttributeValue::Bytes),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::Array),
                prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|entries| {
                    AttributeValue::Map(
                        entries
                            .into_iter()
                            .map(|(key, value)| KeyValue { key, value })
                            .collect(),
                    )
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_keeps_value_and_type(value in any_value()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<AttributeValue>(&text).unwrap(), value);
        }
    }

    #[test]
    fn json_is_otlp_json() {
        let value = AttributeValue::Map(vec![KeyValue::new("n", 5_i64), KeyValue::new("x", f64::NAN)]);
        assert_eq!(
            serde_json::to_string(&value).unwrap(),
            r#"{"kvlistValue":{"values":[{"key":"n","value":{"intValue":"5"}},{"key":"x","value":{"doubleValue":"NaN"}}]}}"#
        );
        assert!(serde_json::from_str::<AttributeValue>(r#"{"doubleValue":"many"}"#).is_err());
    }
}
