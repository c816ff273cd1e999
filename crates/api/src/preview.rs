//! Long values of a span: cut for a first look, and asked for whole one by one.

use crate::params::Params;
use crate::problem::Problem;
use crate::span::SpanDetail;
use meshscope_model::{AttributeValue, Attributes};
use serde::{Deserialize, Serialize};

/// Which list of a span's a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ValueIn {
    /// The span's attributes.
    Attributes,
    /// The attributes of one of its events.
    Events,
    /// The attributes of one of its links.
    Links,
    /// The resource's attributes.
    Resource,
    /// The scope's attributes.
    Scope,
}

impl ValueIn {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Attributes,
        Self::Events,
        Self::Links,
        Self::Resource,
        Self::Scope,
    ];

    /// Its name in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Events => "events",
            Self::Links => "links",
            Self::Resource => "resource",
            Self::Scope => "scope",
        }
    }
}

/// Which value of a span; of a repeated key the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValuePlace {
    /// The list that it is in.
    #[serde(rename = "in")]
    pub list: ValueIn,
    /// Number of the event or link, from 0; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Its key.
    pub key: String,
}

impl ValuePlace {
    /// Reads a query string; the error names the parameter.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&["in", "index", "key"])?;
        let names = ValueIn::ALL.map(ValueIn::as_str);
        let list = params.one_of("in", &names)?;
        let list = ValueIn::ALL
            .into_iter()
            .find(|known| list.is_none_or(|list| known.as_str() == list))
            .unwrap_or(ValueIn::Attributes);
        let index = params.number("index", 0, u32::MAX)?;
        if index.is_none() && matches!(list, ValueIn::Events | ValueIn::Links) {
            let right = "give the number of the event or link, from 0";
            return Err(Problem::invalid_parameter("index", right));
        }
        let key = params.get("key").map(str::to_owned);
        let key = key.ok_or_else(|| Problem::invalid_parameter("key", "give the attribute's key"))?;
        Ok(Self { list, index, key })
    }

    /// The query string that [`ValuePlace::read`] reads.
    #[must_use]
    pub fn to_params(&self) -> Params {
        let mut params = Params::default();
        params.set("in", Some(self.list.as_str()));
        params.set("index", self.index);
        params.set("key", Some(&self.key));
        params
    }

    /// The value, where the span has it.
    #[must_use]
    pub fn find<'a>(&self, span: &'a SpanDetail) -> Option<&'a AttributeValue> {
        let index = self.index.map_or(0, |index| index as usize);
        let list = match self.list {
            ValueIn::Attributes => &span.attributes,
            ValueIn::Events => &span.events.get(index)?.attributes,
            ValueIn::Links => &span.links.get(index)?.attributes,
            ValueIn::Resource => &span.resource.attributes,
            ValueIn::Scope => &span.scope.attributes,
        };
        list.get(&self.key)
    }
}

/// A value that stands cut in an answer, as the text that it begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CutValue {
    /// Which value; its query string asks `/value` for the whole.
    #[serde(flatten)]
    pub place: ValuePlace,
    /// What it is: `string`, `bytes`, or `json` for lists and maps.
    pub kind: String,
    /// Bytes of the whole: of the text, of the raw bytes, or of the JSON.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub bytes: u64,
}

impl SpanDetail {
    /// Cuts every value of more than `limit` bytes to the text that it begins with, and notes what
    /// was cut in [`SpanDetail::cut`].
    pub fn cut_values(&mut self, limit: usize) {
        let mut cut = Vec::new();
        let mut list = |list: ValueIn, index: Option<usize>, attributes: &mut Attributes| {
            let index = index.and_then(|index| u32::try_from(index).ok());
            for kv in &mut attributes.0 {
                if let Some((kind, bytes)) = shorten(&mut kv.value, limit) {
                    let key = kv.key.clone();
                    cut.push(CutValue {
                        place: ValuePlace { list, index, key },
                        kind: kind.to_owned(),
                        bytes: bytes as u64,
                    });
                }
            }
        };
        list(ValueIn::Attributes, None, &mut self.attributes);
        for (index, event) in self.events.iter_mut().enumerate() {
            list(ValueIn::Events, Some(index), &mut event.attributes);
        }
        for (index, link) in self.links.iter_mut().enumerate() {
            list(ValueIn::Links, Some(index), &mut link.attributes);
        }
        list(ValueIn::Resource, None, &mut self.resource.attributes);
        list(ValueIn::Scope, None, &mut self.scope.attributes);
        self.cut = cut;
    }
}

/// Cuts a value that is longer than `limit`; returns what it was and how long.
fn shorten(value: &mut AttributeValue, limit: usize) -> Option<(&'static str, usize)> {
    let (kind, text, bytes) = match value {
        AttributeValue::String(text) if text.len() > limit => ("string", std::mem::take(text), None),
        AttributeValue::Bytes(raw) if raw.len() > limit => {
            let head = raw.get(..limit).unwrap_or_default().to_vec();
            ("bytes", AttributeValue::Bytes(head).to_text(), Some(raw.len()))
        }
        AttributeValue::Array(_) | AttributeValue::Map(_) => ("json", value.to_text(), None),
        _ => return None,
    };
    let bytes = bytes.unwrap_or(text.len());
    if bytes <= limit {
        return None;
    }
    let head = text.get(..text.floor_char_boundary(limit)).unwrap_or_default();
    *value = AttributeValue::String(head.to_owned());
    Some((kind, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::{KeyValue, SpanEvent, SpanFacts, SpanId, SpanKind, Status, TraceId};
    use std::sync::Arc;

    fn detail() -> SpanDetail {
        let long = "ü".repeat(600);
        let nested = AttributeValue::Array(vec![long.as_str().into(), 5_i64.into()]);
        let span = meshscope_model::Span {
            resource: Arc::default(),
            scope: Arc::default(),
            trace_id: TraceId::from_u128(1),
            span_id: SpanId::from_u64(2),
            parent_span_id: None,
            trace_state: String::new(),
            flags: 0,
            name: "a".to_owned(),
            kind: SpanKind::Internal,
            start_time: 1,
            end_time: None,
            attributes: [
                KeyValue::new("bytes", AttributeValue::Bytes(vec![7; 2_000])),
                KeyValue::new("long", long.as_str()),
                KeyValue::new("nested", nested),
                KeyValue::new("short", "x"),
                KeyValue::new("small", AttributeValue::Array(vec![1_i64.into()])),
            ]
            .into_iter()
            .collect(),
            dropped_attributes_count: 0,
            events: vec![
                SpanEvent::default(),
                SpanEvent {
                    attributes: [KeyValue::new("long", long.as_str())].into_iter().collect(),
                    ..SpanEvent::default()
                },
            ],
            dropped_events_count: 0,
            links: Vec::new(),
            dropped_links_count: 0,
            status: Status::default(),
        };
        SpanDetail::new(&span, &SpanFacts::default(), "default", None)
    }

    #[test]
    fn long_values_are_cut_between_letters_and_can_be_found_whole() {
        let whole = detail();
        let mut cut = whole.clone();
        cut.cut_values(1_001);
        let said: Vec<_> = cut
            .cut
            .iter()
            .map(|cut| {
                (
                    cut.place.list.as_str(),
                    cut.place.index,
                    cut.place.key.as_str(),
                    cut.kind.as_str(),
                    cut.bytes,
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                ("attributes", None, "bytes", "bytes", 2_000),
                ("attributes", None, "long", "string", 1_200),
                ("attributes", None, "nested", "json", 1_206),
                ("events", Some(1), "long", "string", 1_200),
            ]
        );
        assert_eq!(cut.attributes.str("long"), Some("ü".repeat(500).as_str()));
        assert!(cut.attributes.str("nested").unwrap().starts_with("[\"üü"));
        assert!(cut.attributes.str("bytes").unwrap().starts_with("BwcH"));
        assert_eq!(cut.attributes.get("small"), whole.attributes.get("small"));
        for cut in &cut.cut {
            let query = cut.place.to_params().to_query();
            let place = ValuePlace::read(&Params::parse(&query)).unwrap();
            assert_eq!(place, cut.place);
            let value = place.find(&whole).unwrap();
            let bytes = match value {
                AttributeValue::Bytes(raw) => raw.len(),
                other => other.to_text().len(),
            };
            assert_eq!(bytes as u64, cut.bytes, "{query}");
        }
        let json = serde_json::to_value(&cut).unwrap();
        assert_eq!(
            json["cut"][3],
            serde_json::json!({"in": "events", "index": 1, "key": "long", "kind": "string", "bytes": "1200"})
        );
        let mut all = whole.clone();
        all.cut_values(usize::MAX);
        assert_eq!(all, whole);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, parameter) in [
            ("", "key"),
            ("in=events&key=a", "index"),
            ("in=span&key=a", "in"),
            ("key=a&index=x", "index"),
            ("key=a&at=1", "at"),
        ] {
            let problem = ValuePlace::read(&Params::parse(query)).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(parameter), "{query}");
        }
    }
}
