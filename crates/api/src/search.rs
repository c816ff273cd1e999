//! Searching within one trace.

use crate::attribute::{AttributeFilter, Comparison};
use crate::params::Params;
use crate::problem::Problem;
use meshscope_model::{SpanId, TraceId};
use serde::{Deserialize, Serialize};

/// Spans of an answer when the query names no limit, and at the most.
const SPANS: u32 = 10_000;
const MOST: u32 = 100_000;

/// What is looked for in a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanWanted {
    /// A text, in any case, anywhere in it.
    Text(String),
    /// An attribute, or one of [`FIELDS`].
    Attribute(AttributeFilter),
}

/// What can be asked for by name as if it were an attribute.
pub const FIELDS: [&str; 6] = ["name", "service", "agent", "model", "tool", "status_message"];

impl SpanWanted {
    /// Reads `q`: `KEY=VALUE` and the other forms of [`AttributeFilter`] ask for an attribute, all else
    /// is a text; so is what stands in double quotes.
    #[must_use]
    pub fn parse(q: &str) -> Self {
        let quoted = q.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
        if let Some(text) = quoted.filter(|text| !text.is_empty()) {
            return Self::Text(text.to_owned());
        }
        let is_key = |key: &str| key.chars().all(|c| c.is_alphanumeric() || "._-/:".contains(c));
        match AttributeFilter::parse(q) {
            Ok(filter) if filter.comparison != Comparison::Exists && is_key(&filter.key) => {
                Self::Attribute(filter)
            }
            _ => Self::Text(q.to_owned()),
        }
    }
}

/// Query of `GET /api/v1/traces/{trace_id}/search`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanSearch {
    /// What is looked for.
    pub wanted: SpanWanted,
    /// How many spans at the most.
    pub limit: u32,
}

impl SpanSearch {
    /// Reads a query string; the error names the parameter.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&["q", "limit"])?;
        let q = params.get("q").unwrap_or_default();
        if q.trim().is_empty() {
            let right = "give a text, or an attribute as KEY=VALUE, KEY!=VALUE, KEY<N, KEY<=N, KEY>N, KEY>=N or KEY~TEXT";
            return Err(Problem::invalid_parameter("q", right));
        }
        Ok(Self {
            wanted: SpanWanted::parse(q),
            limit: params.number("limit", 1, MOST)?.unwrap_or(SPANS),
        })
    }
}

/// Where in a span something was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Place {
    /// `span_id`, `name`, `service`, `agent`, `model`, `tool`, `status_message`, `error`, `attribute`,
    /// `event` (its name), `event_attribute` or `link_attribute`.
    pub field: String,
    /// Key of the attribute, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A span in which something was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanMatch {
    /// The span.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub span_id: SpanId,
    /// Where in it: indexes into `places` of the answer.
    pub places: Vec<u32>,
}

/// Answer of `GET /api/v1/traces/{trace_id}/search`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpanMatches {
    /// The trace.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub trace_id: TraceId,
    /// Spans in the order of (start, span id).
    pub spans: Vec<SpanMatch>,
    /// Every place that is named, once.
    pub places: Vec<Place>,
    /// True when the limit cut the answer: later spans were not looked at.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_text_or_an_attribute() {
        let text = |q: &str| SpanWanted::Text(q.to_owned());
        for (q, wanted) in [
            ("refund", text("refund")),
            ("\"a=b\"", text("a=b")),
            ("\"", text("\"")),
            ("\"\"", text("\"\"")),
            ("the answer = 42", text("the answer = 42")),
            ("{\"role\"=1}", text("{\"role\"=1}")),
            ("=x", text("=x")),
            ("a<b", text("a<b")),
        ] {
            assert_eq!(SpanWanted::parse(q), wanted, "{q}");
        }
        for (q, key, comparison, value) in [
            ("http.route=/v1", "http.route", Comparison::Equal, "/v1"),
            ("app.step>=3", "app.step", Comparison::AtLeast, "3"),
            ("name~sea rch", "name", Comparison::Contains, "sea rch"),
        ] {
            let SpanWanted::Attribute(filter) = SpanWanted::parse(q) else {
                panic!("{q} asks for an attribute")
            };
            assert_eq!(
                (filter.key.as_str(), filter.comparison, filter.value.as_str()),
                (key, comparison, value)
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, parameter) in [
            ("", "q"),
            ("q=+", "q"),
            ("q=a&limit=0", "limit"),
            ("q=a&from=0", "from"),
        ] {
            let problem = SpanSearch::read(&Params::parse(query)).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(parameter), "{query}");
        }
        let read = SpanSearch::read(&Params::parse("q=a%3Db&limit=5")).unwrap();
        assert_eq!(read.limit, 5);
        assert!(matches!(read.wanted, SpanWanted::Attribute(_)));
    }
}
