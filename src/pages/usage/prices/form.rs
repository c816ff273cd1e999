//! A price as a form: dollars for a million, as price lists have them.

use meshscope_api::prices::{PriceEntry, PriceTier, TokenPrices};

/// Fields of prices, with their titles.
pub(super) const FIELDS: [&str; 9] = [
    "Input",
    "Cached input",
    "Cache write",
    "Output",
    "Reasoning",
    "Audio input",
    "Audio output",
    "Characters",
    "Audio seconds",
];

/// The prices of an entry in the order of [`FIELDS`].
pub(super) fn values(entry: &PriceEntry) -> [Option<i64>; 9] {
    let t = &entry.tokens;
    [
        t.input,
        t.cached_input,
        t.cache_write,
        t.output,
        t.reasoning,
        t.audio_input,
        t.audio_output,
        entry.character,
        entry.audio_second,
    ]
}

/// What is typed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Form {
    /// Identity of the own entry that is changed; absent for a new one.
    pub id: Option<String>,
    /// Name of the model.
    pub model: String,
    /// Providers, with commas.
    pub providers: String,
    /// First day.
    pub from: String,
    /// Prices, in the order of [`FIELDS`].
    pub prices: [String; 9],
    /// What a call in a batch pays, percent.
    pub batch: String,
    /// Prices for long inputs, kept as they are.
    pub tiers: Vec<PriceTier>,
}

impl Form {
    /// A form that says what the entry says.
    pub(super) fn of(entry: &PriceEntry, id: Option<String>) -> Self {
        Self {
            id,
            model: entry.model.clone(),
            providers: entry.providers.join(", "),
            from: entry.from.clone().unwrap_or_default(),
            prices: values(entry).map(|price| price.map(dollars).unwrap_or_default()),
            batch: entry
                .batch_percent
                .map(|percent| percent.to_string())
                .unwrap_or_default(),
            tiers: entry.tiers.clone(),
        }
    }

    /// The entry, or what is wrong and what would be right.
    pub(super) fn entry(&self) -> Result<PriceEntry, String> {
        let model = self.model.trim();
        if model.is_empty() {
            return Err("The model is missing; `*` at its start or end stands for anything.".to_owned());
        }
        let mut prices = [None; 9];
        for ((slot, text), name) in prices.iter_mut().zip(&self.prices).zip(FIELDS) {
            *slot = price(text).map_err(|why| format!("{name}: {why}"))?;
        }
        let [
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
            audio_input,
            audio_output,
            character,
            audio_second,
        ] = prices;
        if prices.iter().all(Option::is_none) {
            return Err("At least one price is needed; 0 is free.".to_owned());
        }
        let batch = self.batch.trim();
        let batch_percent = (!batch.is_empty()).then(|| batch.parse::<u8>().ok().filter(|n| *n <= 100));
        if batch_percent == Some(None) {
            return Err(format!("Batch: {batch:?} is no percentage from 0 to 100."));
        }
        let providers = self
            .providers
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Ok(PriceEntry {
            model: model.to_owned(),
            providers: providers.map(str::to_owned).collect(),
            from: Some(self.from.trim().to_owned()).filter(|day| !day.is_empty()),
            tokens: TokenPrices {
                input,
                cached_input,
                cache_write,
                output,
                reasoning,
                audio_input,
                audio_output,
            },
            tiers: self.tiers.clone(),
            batch_percent: batch_percent.flatten(),
            character,
            audio_second,
        })
    }
}

/// Pico-dollars for one as dollars for a million: `2.50`, with as many digits as it has.
pub(super) fn dollars(pico: i64) -> String {
    let (sign, n) = (if pico < 0 { "-" } else { "" }, pico.unsigned_abs());
    let fraction = format!("{:06}", n % 1_000_000);
    let digits = fraction.trim_end_matches('0').len().max(2);
    format!(
        "{sign}{}.{}",
        n / 1_000_000,
        fraction.get(..digits).unwrap_or_default()
    )
}

/// Dollars for a million as pico-dollars for one, to the last digit; nothing for nothing.
fn price(text: &str) -> Result<Option<i64>, String> {
    let text = text.trim().trim_start_matches('$');
    if text.is_empty() {
        return Ok(None);
    }
    millionths(text).map(Some).ok_or_else(|| {
        format!(
            "{text:?} is no price; write dollars for a million, with up to 6 digits behind the point: 2.50"
        )
    })
}

/// A decimal number without a sign in millionths; `None` for anything else.
pub(in super::super) fn millionths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    format!("{whole}{fraction:0<6}").parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prices_survive_the_form_to_the_last_digit() {
        let entry = PriceEntry {
            model: "gpt-4o*".to_owned(),
            providers: vec!["openai".to_owned(), "azure.ai.openai".to_owned()],
            from: Some("2026-01-01".to_owned()),
            tokens: TokenPrices {
                input: Some(2_500_000),
                cached_input: Some(1),
                output: Some(0),
                ..TokenPrices::default()
            },
            tiers: vec![PriceTier::default()],
            batch_percent: Some(50),
            character: Some(15_000_000),
            audio_second: None,
        };
        let form = Form::of(&entry, None);
        assert_eq!(
            (form.prices[0].as_str(), form.prices[1].as_str()),
            ("2.50", "0.000001")
        );
        assert_eq!(form.entry().unwrap(), entry);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let form = |input: &str, batch: &str| Form {
            model: "m".to_owned(),
            prices: [input, "", "", "", "", "", "", "", ""].map(str::to_owned),
            batch: batch.to_owned(),
            ..Form::default()
        };
        for input in ["-1", "1.2.3", "1e3", "0.0000001", "x", "."] {
            let error = form(input, "").entry().unwrap_err();
            assert!(error.starts_with("Input: "), "{error}");
        }
        assert!(form("1", "101").entry().unwrap_err().starts_with("Batch"));
        assert!(form("", "").entry().unwrap_err().contains("At least one price"));
        assert!(Form::default().entry().unwrap_err().contains("model"));
        assert_eq!(form(" $2.5 ", "").entry().unwrap().tokens.input, Some(2_500_000));
        assert_eq!(form(".5", "").entry().unwrap().tokens.input, Some(500_000));
    }
}
