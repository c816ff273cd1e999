//! Price tables: what a token, a character or a second of audio costs, by provider and model.
//!
//! A table is a JSON file; the one that ships with Meshscope is `data/prices.json`, and a user's
//! own is asked before it. Prices are integers of pico-dollars (10^-12 USD): a list price of
//! $2.50 a million tokens is 2500000 a token.

pub use meshscope_api::prices::{PriceEntry, PriceTier, TokenPrices};
use meshscope_api::prices::{PriceList, PriceTableView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The table that ships with Meshscope.
const BUILT_IN: &str = include_str!("../data/prices.json");

/// Price tables, the one to ask first first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prices {
    /// The tables.
    pub tables: Vec<PriceTable>,
}

/// A price table.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PriceTable {
    /// Version, for example `2026-11`; it stands beside every cost computed from it.
    pub version: String,
    /// Day on which its prices were read, `YYYY-MM-DD`.
    pub date: Option<String>,
    /// The prices; of several that match, the longest name holds.
    pub prices: Vec<PriceEntry>,
}

/// Names that a price may have, besides those of tokens.
const PRICE_KEYS: [&str; 7] = [
    "providers",
    "model",
    "from",
    "tiers",
    "batch_percent",
    "character",
    "audio_second",
];
/// Names of the classes of tokens.
const TOKEN_KEYS: [&str; 7] = [
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
];

impl PriceTable {
    /// Reads a table. An error names the price and the field that is wrong.
    pub fn parse(json: &str) -> Result<Self, String> {
        /// A table whose entries are still to be read.
        #[derive(Deserialize)]
        struct Unread {
            version: String,
            date: Option<String>,
            prices: Vec<Value>,
        }
        let value: Value = serde_json::from_str(json).map_err(|error| format!("no JSON: {error}"))?;
        let Unread {
            version,
            date,
            prices,
        } = serde_json::from_value(value).map_err(|error| format!("no price table: {error}"))?;
        let read = |(index, price): (usize, Value)| {
            Self::parse_entry(price).map_err(|(field, reason)| {
                let dot = if field.is_empty() { "" } else { "." };
                format!("prices[{index}]{dot}{field} {reason}")
            })
        };
        let prices = prices.into_iter().enumerate().map(read);
        Ok(Self {
            version,
            date,
            prices: prices.collect::<Result<_, _>>()?,
        })
    }

    /// Reads an entry. An error has the field, empty for the entry itself, and what is wrong with it: a
    /// misspelt class would else be a class without a price.
    pub fn parse_entry(price: Value) -> Result<PriceEntry, (String, String)> {
        check(&price, "", &PRICE_KEYS)?;
        for (tier, prices) in price["tiers"].as_array().into_iter().flatten().enumerate() {
            check(prices, &format!("tiers[{tier}]"), &["above_input_tokens"])?;
        }
        let price = serde_json::from_value(price)
            .map_err(|error| (String::new(), format!("is no price: {error}")))?;
        validate(&price).map(|()| price)
    }

    fn find(&self, provider: Option<&str>, model: &str, at: i64) -> Option<&PriceEntry> {
        let fits = |price: &&PriceEntry| {
            let sold =
                |name: &str| price.providers.is_empty() || price.providers.iter().any(|known| known == name);
            // Each span of a model asks: what most entries fail at, and is quickly seen, comes first.
            provider.is_none_or(sold)
                && matches(&price.model, model)
                && price
                    .from
                    .as_deref()
                    .and_then(first_moment)
                    .is_none_or(|from| from <= at)
        };
        self.prices
            .iter()
            .filter(fits)
            .max_by_key(|price| (price.model.len(), price.from.as_deref()))
    }
}

/// Whether an entry can be: the error has the field and what is wrong with it.
fn validate(price: &PriceEntry) -> Result<(), (String, String)> {
    let wrong = |field: &str, reason: String| Err((field.to_owned(), reason));
    if price.model.trim_matches('*').trim().is_empty() {
        return wrong("model", "is missing: expected the name of a model".to_owned());
    }
    if let Some(day) = &price.from
        && (day.len() != 10 || first_moment(day).is_none())
    {
        return wrong("from", format!("is {day:?}: expected a day, YYYY-MM-DD"));
    }
    if price.batch_percent.is_some_and(|percent| percent > 100) {
        return wrong("batch_percent", "is more than 100: expected 0 to 100".to_owned());
    }
    for (field, amount) in [
        ("character", price.character),
        ("audio_second", price.audio_second),
    ] {
        if amount.is_some_and(|amount| amount < 0) {
            return wrong(field, "is negative: expected pico-dollars, 0 or more".to_owned());
        }
    }
    negative(&price.tokens).map_or(Ok(()), |field| {
        wrong(field, "is negative: expected pico-dollars, 0 or more".to_owned())
    })?;
    for (index, tier) in price.tiers.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| price.tiers.get(before));
        if tier.above_input_tokens < 0
            || before.is_some_and(|before| before.above_input_tokens >= tier.above_input_tokens)
        {
            let field = format!("tiers[{index}].above_input_tokens");
            return wrong(&field, "does not rise from tier to tier".to_owned());
        }
        if let Some(field) = negative(&tier.tokens) {
            let field = format!("tiers[{index}].{field}");
            return wrong(&field, "is negative: expected pico-dollars, 0 or more".to_owned());
        }
    }
    let priced = price.tokens != TokenPrices::default() || !price.tiers.is_empty();
    if !priced && price.character.is_none() && price.audio_second.is_none() {
        return wrong("input", "is missing: expected a price of anything".to_owned());
    }
    Ok(())
}

/// The first class with a negative price.
fn negative(prices: &TokenPrices) -> Option<&'static str> {
    let classes = [
        prices.input,
        prices.cached_input,
        prices.cache_write,
        prices.output,
        prices.reasoning,
        prices.audio_input,
        prices.audio_output,
    ];
    TOKEN_KEYS
        .into_iter()
        .zip(classes)
        .find(|(_, price)| price.is_some_and(|price| price < 0))
        .map(|(field, _)| field)
}

/// The first moment of a day `YYYY-MM-DD` (UTC), ns since the epoch.
#[must_use]
pub fn first_moment(day: &str) -> Option<i64> {
    meshscope_model::time::parse_rfc3339(&format!("{day}T00:00:00Z"))
}

/// Identity of an entry within its table, hex: no two may have the same.
#[must_use]
pub fn identity(price: &PriceEntry) -> String {
    let providers = price.providers.join("\n");
    let from = price.from.as_deref().unwrap_or_default();
    let parts = [price.model.as_bytes(), providers.as_bytes(), from.as_bytes()];
    format!("{:016x}", meshscope_model::fingerprint::fingerprint(&parts))
}

/// Whether the object at a place within an entry has only these keys and those of tokens, and only
/// prices that can be.
fn check(object: &Value, place: &str, keys: &[&str]) -> Result<(), (String, String)> {
    let Some(fields) = object.as_object() else {
        return Err((place.to_owned(), "is no object: expected a price".to_owned()));
    };
    for (key, value) in fields {
        let wrong = |reason: String| {
            let dot = if place.is_empty() { "" } else { "." };
            Err((format!("{place}{dot}{key}"), reason))
        };
        if !keys.contains(&key.as_str()) && !TOKEN_KEYS.contains(&key.as_str()) {
            return wrong(format!(
                "is not known: expected one of {}, {}",
                keys.join(", "),
                TOKEN_KEYS.join(", ")
            ));
        }
        if value.is_number() && value.as_i64().is_none_or(|n| n < 0) {
            return wrong(format!(
                "is {value}: expected a whole number of pico-dollars, 0 or more"
            ));
        }
    }
    Ok(())
}

impl Prices {
    /// The table that ships with Meshscope.
    #[must_use]
    pub fn built_in() -> Self {
        // The file is part of the source and a test reads it; were it broken, nothing had a price.
        Self {
            tables: PriceTable::parse(BUILT_IN).into_iter().collect(),
        }
    }

    /// The user's own table, when there is one.
    #[must_use]
    pub fn own(&self) -> Option<&PriceTable> {
        self.tables.first().filter(|_| self.tables.len() > 1)
    }

    /// These tables, with one that is asked before them.
    #[must_use]
    pub fn with_own(mut self, own: PriceTable) -> Self {
        self.tables.insert(0, own);
        self
    }

    /// The price of a model for a call at the moment `at` (ns since the epoch) and the version of the
    /// table it stands in, if there is one. Without a provider the model's name decides.
    #[must_use]
    pub fn find(&self, provider: Option<&str>, model: &str, at: i64) -> Option<(&str, &PriceEntry)> {
        self.tables.iter().find_map(|table| {
            let price = table.find(provider, model, at)?;
            Some((table.version.as_str(), price))
        })
    }

    /// The price as [`Prices::find`] finds it, in the table of one version alone.
    #[must_use]
    pub fn find_in(
        &self,
        version: &str,
        provider: Option<&str>,
        model: &str,
        at: i64,
    ) -> Option<&PriceEntry> {
        let table = self.tables.iter().find(|table| table.version == version)?;
        table.find(provider, model, at)
    }

    /// The tables that the API shows, for computing in the browser what the server does.
    #[must_use]
    pub fn of_list(list: &PriceList) -> Self {
        let table = |view: &PriceTableView| PriceTable {
            version: view.version.clone(),
            date: view.date.clone(),
            prices: view.entries.iter().map(|entry| entry.entry.clone()).collect(),
        };
        Self {
            tables: list.tables.iter().map(table).collect(),
        }
    }
}

/// Whether `name` fits a pattern: `*` at its start or end is anything, and without one at the
/// end the name may go on as the name of a snapshot does.
fn matches(pattern: &str, name: &str) -> bool {
    let (anywhere, pattern) = pattern
        .strip_prefix('*')
        .map_or((false, pattern), |rest| (true, rest));
    let (open, pattern) = pattern
        .strip_suffix('*')
        .map_or((false, pattern), |rest| (true, rest));
    let goes_on = |rest: &str| open || is_snapshot(rest);
    if anywhere {
        name.match_indices(pattern)
            .any(|(at, _)| name.get(at + pattern.len()..).is_some_and(goes_on))
    } else {
        name.strip_prefix(pattern).is_some_and(goes_on)
    }
}

/// Whether what follows a model's name says which snapshot of it: nothing, a date or number of
/// three digits or more, `latest`, `preview`, or a cloud's own version. A newer or smaller model
/// (`-mini`, `.1`) is another one and never priced as this one.
fn is_snapshot(rest: &str) -> bool {
    let dated = |rest: &str| {
        let Some(date) = rest.strip_prefix('-') else {
            return false;
        };
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        // Three digits or more, or month and year as in `-12-2024`.
        digits(date) >= 3
            || (digits(date) == 2
                && date
                    .get(2..)
                    .is_some_and(|year| digits(year.trim_start_matches('-')) == 4))
    };
    if rest.is_empty() || rest.starts_with(['@', ':']) || dated(rest) {
        return true;
    }
    for word in ["-latest", "-chat-latest", "-preview", "-exp"] {
        if let Some(more) = rest.strip_prefix(word) {
            return more.is_empty()
                || more
                    .strip_prefix('-')
                    .is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
        }
    }
    rest.strip_prefix("-v")
        .is_some_and(|more| more.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_read_and_every_pattern_finds_itself() {
        let table = PriceTable::parse(BUILT_IN).unwrap();
        assert!(
            table.prices.len() > 60 && table.date.is_some(),
            "{}",
            table.prices.len()
        );
        for price in &table.prices {
            let name = price.model.replace('*', "");
            for provider in &price.providers {
                let found = table.find(Some(provider), &name, 0).unwrap();
                assert!(found.model.len() >= price.model.len(), "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn a_name_stands_for_its_snapshots_and_for_no_other_model() {
        for snapshot in [
            "m",
            "m-2024-08-06",
            "m-20250929",
            "m-002",
            "m-12-2024",
            "m-latest",
            "m-preview",
            "m-preview-05-20",
            "m@20241022",
            "m-v1:0",
        ] {
            assert!(matches("m", snapshot), "{snapshot}");
        }
        for other in [
            "m-mini",
            "m.1",
            "m-5",
            "m5",
            "m-pro",
            "m-preview-tts",
            "n",
            "xm",
            "m-12",
        ] {
            assert!(!matches("m", other), "{other}");
        }
        assert!(matches("*m", "eu.vendor.m-20250929-v1:0") && !matches("*m", "eu.vendor.m-mini"));
        assert!(matches("m*", "m-whatever") && matches("*m*", "a-m-b") && !matches("m*", "n"));
    }

    #[test]
    fn the_users_own_table_is_asked_first() {
        let own = PriceTable::parse(
            r#"{"version": "ours", "prices": [{"model": "gpt-4o", "input": 1, "output": 2}, {"model": "in-house", "input": 3, "output": 3}]}"#,
        );
        let prices = Prices::built_in().with_own(own.unwrap());
        let (version, price) = prices.find(Some("openai"), "gpt-4o", 0).unwrap();
        assert_eq!((version, price.tokens.input), ("ours", Some(1)));
        assert_eq!(prices.find(None, "in-house", 0).unwrap().0, "ours");
        assert_ne!(prices.find(Some("openai"), "gpt-4o-mini", 0).unwrap().0, "ours");
        assert!(prices.find(Some("openai"), "gpt-99", 0).is_none());
    }

    #[test]
    fn of_several_prices_the_latest_that_holds_on_the_day_is_the_one() {
        let json = r#"{"version": "ours", "prices": [
            {"model": "m", "input": 1, "output": 1},
            {"model": "m", "from": "2026-03-01", "input": 3, "output": 3},
            {"model": "m", "from": "2026-02-01", "input": "2", "output": "2"}]}"#;
        let prices = Prices::default().with_own(PriceTable::parse(json).unwrap());
        let at = |moment: &str| {
            let at = meshscope_model::time::parse_rfc3339(moment).unwrap();
            prices.find(None, "m", at).unwrap().1.tokens.input
        };
        assert_eq!(at("2026-01-31T23:59:59.999999999Z"), Some(1));
        assert_eq!(at("2026-02-01T00:00:00Z"), Some(2));
        assert_eq!(at("2026-03-01T00:00:00Z"), Some(3));
        // One that does not hold yet leaves the question to the next table.
        let later = r#"{"version": "later", "prices": [{"model": "m", "from": "2026-04-01", "input": 4, "output": 4}]}"#;
        let both = prices.with_own(PriceTable::parse(later).unwrap());
        let march = first_moment("2026-03-31").unwrap();
        assert_eq!(both.find(None, "m", march).unwrap().0, "ours");
        assert_eq!(
            both.find(None, "m", first_moment("2026-04-01").unwrap())
                .unwrap()
                .0,
            "later"
        );
    }

    #[test]
    fn what_is_wrong_with_a_table_is_named() {
        for (json, expected) in [
            ("{", "no JSON"),
            ("{}", "version"),
            (
                r#"{"version": "x", "prices": [{"model": "m", "inptu": 1}]}"#,
                "prices[0].inptu is not known",
            ),
            (
                r#"{"version": "x", "prices": [{"input": 1}]}"#,
                "prices[0].model is missing",
            ),
            (
                r#"{"version": "x", "prices": [{"model": "m", "input": 0.5}]}"#,
                "prices[0].input is 0.5",
            ),
            (
                r#"{"version": "x", "prices": [{"model": "m", "output": -1}]}"#,
                "prices[0].output is -1",
            ),
            (
                r#"{"version": "x", "prices": [{"model": "m", "input": 1, "from": "March"}]}"#,
                "prices[0].from is \"March\"",
            ),
            (
                r#"{"version": "x", "prices": [{"model": "m"}]}"#,
                "prices[0].input is missing",
            ),
            (
                r#"{"version": "x", "prices": [{"model": "m", "tiers": [{"above_input_tokens": 9, "outpt": 1}]}]}"#,
                "prices[0].tiers[0].outpt",
            ),
        ] {
            let error = PriceTable::parse(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
