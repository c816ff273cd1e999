//! Cost of calls from a price table, in exact integer arithmetic.
//!
//! Cached input, cache writes, reasoning and audio are classes *within* input (or output): each
//! token is priced once, in its own class. A call whose price or split is not known has no cost.

use crate::prices::{PriceEntry, PriceTier, Prices};
use meshscope_model::{CostSource, SpanFacts, Usage};

impl Prices {
    /// Cost of a call at the moment `at` (ns since the epoch) in pico-dollars; `None` when it is not
    /// known.
    #[must_use]
    pub fn cost(&self, provider: Option<&str>, model: &str, usage: &Usage, at: i64) -> Option<i64> {
        cost(self.find(provider, model, at)?.1, usage)
    }

    /// Fills in the cost of usage at the moment `at` that reports none. Claims get none: they are not
    /// calls.
    pub fn apply_usage(&self, provider: Option<&str>, model: Option<&str>, usage: &mut Usage, at: i64) {
        if usage.cost_pico_usd.is_some() || usage.claim {
            return;
        }
        let Some((version, price)) = model.and_then(|model| self.find(provider, model, at)) else {
            return;
        };
        usage.cost_pico_usd = cost(price, usage);
        usage.cost_source = usage
            .cost_pico_usd
            .map(|_| CostSource::PriceTable(version.to_owned()));
    }

    /// Fills in the cost of the usage of a span that started at `at`.
    pub fn apply(&self, facts: &mut SpanFacts, at: i64) {
        if let Some(usage) = &mut facts.usage {
            self.apply_usage(facts.provider.as_deref(), facts.model.as_deref(), usage, at);
        }
    }
}

/// Cost of a call at this price, pico-dollars; `None` when it is not known.
#[must_use]
pub fn cost(price: &PriceEntry, usage: &Usage) -> Option<i64> {
    let mut cost: Option<i128> = None;
    let mut add = |part: Option<i128>| {
        if let Some(part) = part {
            cost = Some(cost.unwrap_or(0) + part);
        }
    };
    if !usage.tokens.is_empty() {
        add(Some(token_cost(price, usage)?));
    }
    let priced = |price: Option<i64>, n: Option<i64>| Some(i128::from(price?) * i128::from(n?));
    add(priced(price.character, usage.characters));
    add(priced(price.audio_second, usage.audio_ns).map(|cost| cost / 1_000_000_000));
    let mut cost = cost?;
    if usage.batch {
        cost = cost * i128::from(price.batch_percent?) / 100;
    }
    i64::try_from(cost).ok()
}

/// The tier whose prices a call pays; `None` is those of short inputs.
#[must_use]
pub fn tier<'a>(price: &'a PriceEntry, usage: &Usage) -> Option<&'a PriceTier> {
    let input = usage.tokens.input.unwrap_or(0);
    price
        .tiers
        .iter()
        .rev()
        .find(|tier| input > tier.above_input_tokens)
}

/// Tokens priced each in its own class. Without a known input or output part of the usage
/// (only a total) there is no cost; a lone class, as counters report them, is priced by itself.
fn token_cost(price: &PriceEntry, usage: &Usage) -> Option<i128> {
    let t = &usage.tokens;
    if t.input.is_none() && t.output.is_none() {
        // Reasoning alone is within an output that is counted elsewhere.
        return t.reasoning.filter(|_| t.total.is_none()).map(|_| 0);
    }
    let input = t.input.unwrap_or(0);
    let tier = tier(price, usage);
    let p = tier.map_or(price.tokens, |tier| tier.tokens);
    let part = |n: Option<i64>, of: i64| n.unwrap_or(0).clamp(0, of);
    let cached = part(t.cached_input, input);
    let written = part(t.cache_write, input - cached);
    let audio_in = part(t.audio_input, input - cached - written);
    let plain_in = input - cached - written - audio_in;
    let output = t.output.unwrap_or(0);
    let audio_out = part(t.audio_output, output);
    let reasoning = part(t.reasoning, output - audio_out);
    let plain_out = output - audio_out - reasoning;
    let mut sum = 0_i128;
    for (n, price) in [
        (plain_in, p.input),
        (cached, p.cached_input.or(p.input)),
        (written, p.cache_write.or(p.input)),
        (audio_in, p.audio_input.or(p.input)),
        (plain_out, p.output),
        (reasoning, p.reasoning.or(p.output)),
        (audio_out, p.audio_output.or(p.output)),
    ] {
        if n != 0 {
            sum += i128::from(n) * i128::from(price?);
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::TokenPrices;
    use meshscope_model::Tokens;
    use proptest::prelude::*;

    fn tokens(input: i64, cached: i64, output: i64) -> Usage {
        let tokens = Tokens {
            input: Some(input),
            cached_input: Some(cached),
            output: Some(output),
            ..Tokens::default()
        };
        Usage {
            tokens: tokens.with_total(),
            ..Usage::default()
        }
    }

    fn cost(provider: &str, model: &str, usage: &Usage) -> Option<i64> {
        Prices::built_in().cost(Some(provider), model, usage, 0)
    }

    #[test]
    fn each_token_is_priced_once_in_its_own_class() {
        // 100 uncached at $2.50, 23 cached at $1.25, 45 out at $10 a million.
        assert_eq!(
            cost("openai", "gpt-4o-2024-08-06", &tokens(123, 23, 45)),
            Some(728_750_000)
        );
        // The published failure: 17,903 input tokens of which 17,817 were read from the cache,
        // shown as 35,720 and priced as plain input.
        let read = cost(
            "anthropic",
            "claude-sonnet-4-5-20250929",
            &tokens(17_903, 17_817, 0),
        )
        .unwrap();
        assert_eq!(read, 86 * 3_000_000 + 17_817 * 300_000);
        let written = Usage {
            tokens: Tokens {
                input: Some(1_000),
                cache_write: Some(900),
                output: Some(0),
                ..Tokens::default()
            },
            ..Usage::default()
        };
        assert_eq!(
            cost("anthropic", "claude-sonnet-4-5", &written),
            Some(100 * 3_000_000 + 900 * 3_750_000)
        );
    }

    #[test]
    fn the_longest_pattern_holds_and_long_inputs_pay_their_tier() {
        assert_eq!(cost("openai", "gpt-4o-mini", &tokens(1, 0, 0)), Some(150_000));
        assert_eq!(
            cost("gcp.gemini", "gemini-2.5-pro", &tokens(200_000, 0, 0)),
            Some(200_000 * 1_250_000)
        );
        assert_eq!(
            cost("gcp.gemini", "gemini-2.5-pro", &tokens(200_001, 0, 0)),
            Some(200_001 * 2_500_000)
        );
    }

    #[test]
    fn a_model_is_not_priced_as_its_elder_or_its_smaller_kin() {
        // Pico-dollars of one token in and one out.
        let cases = [
            ("anthropic", "claude-opus-4-20250514", 90_000_000),
            ("anthropic", "claude-opus-4-6", 30_000_000),
            ("aws.bedrock", "us.anthropic.claude-opus-4-7-v1:0", 30_000_000),
            ("anthropic", "claude-opus-5-5", 24_000_000),
            ("anthropic", "claude-sonnet-5", 12_000_000),
            ("openai", "gpt-5-2025-08-07", 11_250_000),
            ("openai", "gpt-5.2", 15_750_000),
            ("openai", "gpt-5.5-pro", 210_000_000),
            ("openai", "gpt-5.4-nano", 1_450_000),
            ("openai", "gpt-6.1-terra", 6_000_000),
            ("openai", "o1-pro", 750_000_000),
            ("google", "gemini-3.5-flash-lite", 2_800_000),
            ("xai", "grok-4.5", 8_000_000),
            ("mistral_ai", "mistral-large-2512", 2_000_000),
            ("cohere", "command-r7b-12-2024", 187_500),
        ];
        for (provider, model, pico) in cases {
            assert_eq!(cost(provider, model, &tokens(1, 0, 1)), Some(pico), "{model}");
        }
        let spoken = Usage {
            tokens: Tokens {
                input: Some(10),
                audio_input: Some(8),
                output: Some(5),
                audio_output: Some(4),
                ..Tokens::default()
            },
            ..Usage::default()
        };
        assert_eq!(
            cost("openai", "gpt-4o-audio-preview", &spoken),
            Some(2 * 2_500_000 + 8 * 40_000_000 + 10_000_000 + 4 * 80_000_000)
        );
    }

    #[test]
    fn a_batch_pays_its_part_and_reasoning_its_own_price() {
        let mut batch = tokens(1_000, 0, 100);
        batch.batch = true;
        assert_eq!(
            cost("openai", "gpt-4o", &batch).map(|half| half * 2),
            cost("openai", "gpt-4o", &tokens(1_000, 0, 100))
        );
        assert_eq!(
            cost("groq", "llama-3.3-70b-versatile", &batch),
            None,
            "no price of batches is known"
        );
        let price = PriceEntry {
            tokens: TokenPrices {
                input: Some(1),
                output: Some(10),
                reasoning: Some(100),
                ..TokenPrices::default()
            },
            ..PriceEntry::default()
        };
        let thought = Usage {
            tokens: Tokens {
                input: Some(1),
                output: Some(5),
                reasoning: Some(3),
                ..Tokens::default()
            },
            ..Usage::default()
        };
        assert_eq!(super::cost(&price, &thought), Some(1 + 2 * 10 + 3 * 100));
    }

    #[test]
    fn what_is_not_known_has_no_cost() {
        assert_eq!(cost("ollama", "qwen3", &tokens(1, 0, 1)), None);
        let total = Usage {
            tokens: Tokens {
                total: Some(265),
                ..Tokens::default()
            },
            ..Usage::default()
        };
        assert_eq!(cost("openai", "gpt-4o", &total), None);
        let mut claim = Usage {
            claim: true,
            ..tokens(10, 0, 10)
        };
        Prices::built_in().apply_usage(Some("openai"), Some("gpt-4o"), &mut claim, 0);
        assert_eq!(claim.cost_pico_usd, None);
        let mut reported = Usage {
            cost_pico_usd: Some(7),
            cost_source: Some(CostSource::Reported),
            ..tokens(1, 0, 1)
        };
        Prices::built_in().apply_usage(Some("openai"), Some("gpt-4o"), &mut reported, 0);
        assert_eq!(
            (reported.cost_pico_usd, reported.cost_source),
            (Some(7), Some(CostSource::Reported))
        );
        let speech = Usage {
            characters: Some(28),
            ..Usage::default()
        };
        assert_eq!(
            cost("elevenlabs", "eleven_flash_v2_5", &speech),
            Some(28 * 50_000_000)
        );
    }

    proptest! {
        #[test]
        fn no_usage_panics_and_parts_add_up(input in 0..200_000_i64, cached: i64, output in 0..1_000_000_i64) {
            let prices = Prices::built_in();
            let whole = prices.cost(Some("openai"), "gpt-4o", &tokens(input, cached, output), 0).unwrap();
            let (i, o) = (tokens(input, cached, 0), tokens(0, 0, output));
            let parts = [i, o].map(|part| prices.cost(Some("openai"), "gpt-4o", &part, 0).unwrap());
            prop_assert_eq!(whole, parts[0] + parts[1]);
        }
    }
}
