//! What a call used: tokens by class, characters, audio, cost.

use serde::{Deserialize, Serialize};

/// The sum of two figures of which either may be absent; absent plus present is present.
#[must_use]
pub fn plus(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

/// Tokens by class. A class that was not reported is absent, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// All input tokens, cached ones included.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub input: Option<i64>,
    /// Input tokens read from a cache; within `input`.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<i64>,
    /// Input tokens written to a cache; within `input`.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<i64>,
    /// All output tokens, reasoning included.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub output: Option<i64>,
    /// Reasoning tokens; within `output`.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<i64>,
    /// Audio tokens within `input`.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<i64>,
    /// Audio tokens within `output`.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<i64>,
    /// The total: as reported, else `input` + `output`.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

impl Tokens {
    /// Fills `total` from input and output when the sender did not report one.
    #[must_use]
    pub fn with_total(mut self) -> Self {
        if self.total.is_none() && (self.input.is_some() || self.output.is_some()) {
            self.total = Some(self.input.unwrap_or(0).saturating_add(self.output.unwrap_or(0)));
        }
        self
    }

    /// True when no class was reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The classes in the order of the struct's fields.
    #[must_use]
    pub fn classes(&self) -> [Option<i64>; 8] {
        [
            self.input,
            self.cached_input,
            self.cache_write,
            self.output,
            self.reasoning,
            self.audio_input,
            self.audio_output,
            self.total,
        ]
    }

    /// The inverse of [`Tokens::classes`].
    #[must_use]
    pub fn from_classes(c: [Option<i64>; 8]) -> Self {
        Self {
            input: c[0],
            cached_input: c[1],
            cache_write: c[2],
            output: c[3],
            reasoning: c[4],
            audio_input: c[5],
            audio_output: c[6],
            total: c[7],
        }
    }

    /// Adds class by class, as [`plus`] does.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = self.classes();
        for (class, more) in sum.iter_mut().zip(other.classes()) {
            *class = plus(*class, more);
        }
        Self::from_classes(sum)
    }
}

/// Where a cost comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostSource {
    /// The agent reported it.
    Reported,
    /// Computed from the price table of this version.
    PriceTable(String),
}

/// What one call used, or what an ancestor claims its calls used together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens by class.
    pub tokens: Tokens,
    /// Characters, where those are priced (text to speech).
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub characters: Option<i64>,
    /// Audio length in ns, where that is priced (speech to text).
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub audio_ns: Option<i64>,
    /// Cost in pico-dollars; `None` is unknown.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub cost_pico_usd: Option<i64>,
    /// Where the cost comes from, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_source: Option<CostSource>,
    /// Carbon in micrograms CO2e.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub carbon_ug: Option<i64>,
    /// True for a call in a batch or of a flexible tier, which providers sell for less.
    pub batch: bool,
    /// True for a total over other calls (`invoke_agent`, `invoke_workflow`, `meshflow.run`):
    /// it is compared with them and not added to them.
    pub claim: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_stays_absent_and_json_is_strings() {
        let tokens = Tokens {
            input: Some(123),
            output: Some(45),
            ..Tokens::default()
        }
        .with_total();
        assert_eq!(
            serde_json::to_string(&tokens).unwrap(),
            r#"{"input":"123","output":"45","total":"168"}"#
        );
        assert_eq!(
            serde_json::from_str::<Tokens>(r#"{"input":123,"output":"45","total":168}"#).unwrap(),
            tokens
        );
        let twice = tokens.plus(&tokens);
        assert_eq!((twice.total, twice.cached_input), (Some(336), None));
    }
}
