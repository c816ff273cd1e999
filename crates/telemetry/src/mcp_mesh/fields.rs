//! The fields of an entry: all of them strings, read by what the dialect means by each.

use super::EntryError;
use meshscope_model::{AttributeValue, Attributes, KeyValue, SpanId, TraceId};
use serde_json::Value;

/// Fields that describe the agent; they go to the resource.
const AGENT: [&str; 9] = [
    "agent_id",
    "agent_name",
    "agent_hostname",
    "agent_ip",
    "agent_port",
    "agent_namespace",
    "agent_endpoint",
    "ip_address",
    "runtime",
];
/// Fields that are numbers written as text.
const NUMBERS: [&str; 12] = [
    "duration_ms",
    "published_at",
    "args_count",
    "kwargs_count",
    "injected_dependencies",
    "request_bytes",
    "response_bytes",
    "call_attempts",
    "llm_input_tokens",
    "llm_output_tokens",
    "llm_total_tokens",
    "agent_port",
];
/// Fields that are lists written as JSON.
const LISTS: [&str; 2] = ["dependencies", "mesh_positions"];

/// Names and values of an entry, in the order sent.
pub(super) struct Fields<'a>(pub(super) &'a [(String, String)]);

/// False for the words by which the SDKs of three languages write that there is nothing.
pub(super) fn is_present(text: &str) -> bool {
    !matches!(text.trim(), "" | "null" | "None" | "nil" | "undefined")
}

impl Fields<'_> {
    /// The text of a field that says something.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, text) = self.0.iter().find(|(field, _)| field == name)?;
        Some(text.trim()).filter(|text| is_present(text))
    }

    pub(super) fn trace_id(&self) -> Result<TraceId, EntryError> {
        let wanted = "is missing: give the trace's id, 32 hexadecimal digits";
        let text = self
            .text("trace_id")
            .ok_or_else(|| EntryError::new("trace_id", wanted))?;
        Ok(trace_id(text))
    }

    pub(super) fn span_id(&self) -> Result<SpanId, EntryError> {
        let wanted = "is missing: give the span's id, 16 hexadecimal digits";
        let text = self
            .text("span_id")
            .ok_or_else(|| EntryError::new("span_id", wanted))?;
        Ok(span_id(text))
    }

    pub(super) fn parent_span_id(&self) -> Option<SpanId> {
        self.text("parent_span").map(span_id)
    }

    /// A time in seconds since the epoch, in ns.
    pub(super) fn seconds(&self, name: &'static str) -> Result<Option<i64>, EntryError> {
        let wanted = "give seconds since the Unix epoch, for example 1795220548.1685338";
        self.scaled(name, 9, wanted)
    }

    /// A length in milliseconds, in ns.
    pub(super) fn milliseconds(&self, name: &'static str) -> Result<Option<i64>, EntryError> {
        self.scaled(name, 6, "give milliseconds, for example 156.18")
    }

    fn scaled(&self, name: &'static str, digits: usize, wanted: &str) -> Result<Option<i64>, EntryError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let shown: String = text.chars().take(64).collect();
        decimal(text, digits)
            .map(Some)
            .ok_or_else(|| EntryError::new(name, format!("is {shown:?}: {wanted}")))
    }

    /// When the entry was published: as it says, else by its id.
    pub(super) fn published(&self, id: &str) -> Result<i64, EntryError> {
        if let Some(time) = self.seconds("published_at")? {
            return Ok(time);
        }
        let ms = id.split('-').next().unwrap_or_default();
        decimal(ms, 6).ok_or_else(|| {
            EntryError::new(
                "end_time",
                "is missing, as are start_time and timestamp: give one of them",
            )
        })
    }

    /// What describes the agent.
    pub(super) fn of_agent(&self) -> impl Iterator<Item = KeyValue> {
        let of_agent = self.0.iter().filter(|(name, _)| AGENT.contains(&name.as_str()));
        of_agent.map(|(name, text)| KeyValue::new(name.as_str(), typed(name, text)))
    }

    /// Everything that neither describes the agent nor stands in the span itself without loss:
    /// its ids, and the fields named by `but`.
    pub(super) fn attributes(&self, but: &[&str]) -> Attributes {
        let ids = ["trace_id", "span_id", "parent_span"];
        self.0
            .iter()
            .filter(|(name, text)| {
                let kept_elsewhere = AGENT.contains(&name.as_str())
                    || but.contains(&name.as_str())
                    || (ids.contains(&name.as_str()) && (is_canonical(name, text) || !is_present(text)));
                !kept_elsewhere
            })
            .map(|(name, text)| KeyValue::new(name.as_str(), typed(name, text)))
            .collect()
    }
}

fn is_canonical(name: &str, text: &str) -> bool {
    let hex = text
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    hex && text.len() == if name == "trace_id" { 32 } else { 16 }
}

/// The value of a field in its type; text where the type would not give the same text back.
fn typed(name: &str, text: &str) -> AttributeValue {
    let value = if name == "success" {
        flag(text).map(AttributeValue::Bool)
    } else if NUMBERS.contains(&name) {
        number(text)
    } else if LISTS.contains(&name) {
        list(text)
    } else {
        None
    };
    value.unwrap_or_else(|| text.into())
}

/// `True` of Python, `true` of the others.
fn flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<AttributeValue> {
    if let Ok(n) = text.parse::<i64>() {
        return (n.to_string() == text).then_some(AttributeValue::Int(n));
    }
    let x = text.parse::<f64>().ok().filter(|x| x.is_finite())?;
    (format!("{x:?}") == text).then_some(AttributeValue::Double(x))
}

fn list(text: &str) -> Option<AttributeValue> {
    let items: Vec<Value> = serde_json::from_str(text).ok()?;
    let item = |item: Value| match item {
        Value::String(text) => Some(text.into()),
        Value::Number(n) => n.as_i64().map(AttributeValue::Int),
        _ => None,
    };
    items
        .into_iter()
        .map(item)
        .collect::<Option<_>>()
        .map(AttributeValue::Array)
}

/// A decimal number times ten to the power of `digits`, exactly; what is finer is rounded.
/// None for what is negative, not a number, or beyond the year 2262 in ns.
fn decimal(text: &str, digits: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || (whole.is_empty() && fraction.is_empty()) {
        // A float may also be written with an exponent.
        let x = text.parse::<f64>().ok()? * 10_f64.powi(i32::try_from(digits).ok()?);
        return (0.0..9.2e18).contains(&x).then(|| x.round() as i64);
    }
    let padded: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(digits)
        .collect();
    let up = fraction
        .as_bytes()
        .get(digits)
        .is_some_and(|digit| *digit >= b'5');
    format!("{whole}{padded}")
        .parse::<i64>()
        .ok()?
        .checked_add(i64::from(up))
}

/// The id that `text` stands for. A caller may send any text as `X-Trace-ID`: UUIDs lose
/// their dashes, short ids get zeros before them, and other text gives an id by its hash.
#[must_use]
pub fn trace_id(text: &str) -> TraceId {
    hex(text, 32)
        .and_then(|hex| hex.parse().ok())
        .filter(TraceId::is_valid)
        .unwrap_or_else(|| TraceId::from_u128(hash(text)))
}

/// The same for a span.
#[must_use]
pub fn span_id(text: &str) -> SpanId {
    hex(text, 16)
        .and_then(|hex| hex.parse().ok())
        .filter(SpanId::is_valid)
        .unwrap_or_else(|| SpanId::from_u64(hash(text) as u64))
}

fn hex(text: &str, digits: usize) -> Option<String> {
    let plain: String = text.chars().filter(|c| *c != '-').collect();
    let fits = plain.len() <= digits && plain.len() >= 8 && plain.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| format!("{plain:0>digits$}"))
}

/// FNV-1a of 128 bits: the same in every process; never zero, which is no id.
fn hash(text: &str) -> u128 {
    let state = text
        .bytes()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |state: u128, byte| {
            (state ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        });
    state | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_to_the_nanosecond() {
        assert_eq!(decimal("1795220548.1685338", 9), Some(1_795_220_548_168_533_800));
        assert_eq!(decimal("1795220548", 9), Some(1_795_220_548_000_000_000));
        assert_eq!(decimal("156.18", 6), Some(156_180_000));
        assert_eq!(decimal("0.0000005", 6), Some(1));
        assert_eq!(decimal("1e3", 6), Some(1_000_000_000));
        assert_eq!(decimal("1.5E-2", 6), Some(15_000));
        for bad in ["", ".", "-1", "x", "NaN", "inf", "1.2.3", "99999999999999999999"] {
            assert_eq!(decimal(bad, 9), None, "{bad}");
        }
    }

    #[test]
    fn ids_in_other_spellings_stay_themselves() {
        let plain = trace_id("67c1cd2786cd4b85b5fc937f354476df");
        assert_eq!(trace_id("67C1CD27-86cd-4b85-b5fc-937f354476df"), plain);
        assert_eq!(
            trace_id("aa2c06fe989b47e6").to_string(),
            "0000000000000000aa2c06fe989b47e6"
        );
        assert_eq!(trace_id("order 17"), trace_id("order 17"));
        assert_ne!(trace_id("order 17"), trace_id("order 18"));
        assert!(trace_id("00000000000000000000000000000000").is_valid());
        assert!(span_id("x").is_valid());
    }

    #[test]
    fn numbers_are_typed_only_where_nothing_is_lost() {
        assert_eq!(typed("args_count", "2"), AttributeValue::Int(2));
        assert_eq!(typed("duration_ms", "156.18"), AttributeValue::Double(156.18));
        assert_eq!(typed("duration_ms", "0.10"), "0.10".into());
        assert_eq!(typed("llm_input_tokens", "007"), "007".into());
        assert_eq!(typed("function_name", "12"), "12".into());
        assert_eq!(typed("success", "False"), AttributeValue::Bool(false));
        assert_eq!(
            typed("mesh_positions", "[1]"),
            AttributeValue::Array(vec![AttributeValue::Int(1)])
        );
        assert_eq!(typed("dependencies", "[{}]"), "[{}]".into());
    }
}
