//! What calls would have cost: with other models, another part of the input read from a cache, in
//! batches, or at a new price. The cost of a call is computed by the code that prices calls as they
//! come in; a price is looked up once for a model and day, so that a million calls take some tens of
//! milliseconds.

use crate::cost;
use crate::prices::{PriceEntry, Prices};
use meshscope_api::usage_calls::{CalledModel, UsageCalls, flag};
use meshscope_model::{Tokens, Usage};

/// What is different.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    /// Calls of one model that another makes, by index into the calls' models.
    pub models: Vec<(u32, CalledModel)>,
    /// Entries that hold before all tables, whatever their day.
    pub prices: Vec<PriceEntry>,
    /// How much of the input is read from a cache, in percent.
    pub cached_percent: Option<u8>,
    /// All calls are part of a batch and pay this much of their price, in percent.
    pub batch_percent: Option<u8>,
}

/// Cost of some calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CostSum {
    /// How many.
    pub calls: u64,
    /// Pico-dollars; `None` when no cost is known.
    pub cost: Option<i64>,
    /// Calls without a known cost.
    pub unpriced: u64,
}

impl CostSum {
    fn add(&mut self, cost: Option<i64>, count: u32) {
        self.calls += u64::from(count);
        match cost {
            Some(cost) => {
                let cost = cost.saturating_mul(i64::from(count));
                self.cost = Some(self.cost.unwrap_or(0).saturating_add(cost));
            }
            None => self.unpriced += u64::from(count),
        }
    }
}

/// What a change comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Cost in the ledger.
    pub before: CostSum,
    /// Cost with the change.
    pub after: CostSum,
    /// Both for each of the calls' models.
    pub models: Vec<(CostSum, CostSum)>,
}

/// Computes the cost of `calls` with `change`. A cost that an agent reported stays where nothing changes
/// for the call; with a change the price decides over it too.
#[must_use]
pub fn what_if(calls: &UsageCalls, prices: &Prices, change: &Change) -> Outcome {
    let found = Found::of(calls, prices, change);
    let mut outcome = Outcome {
        models: vec![Default::default(); calls.models.len()],
        ..Outcome::default()
    };
    for row in 0..calls.len() {
        let Some(call) = Row::of(calls, row) else { continue };
        let same_for_all = change.cached_percent.is_none() && change.batch_percent.is_none();
        let reported = call.flags & flag::REPORTED != 0;
        let after = if reported && same_for_all && !found.is_changed(call.model) {
            call.cost
        } else {
            found
                .price(call.model, call.day)
                .and_then(|price| cost::cost(price, &call.usage(change)))
        };
        outcome.before.add(call.cost, call.count);
        outcome.after.add(after, call.count);
        if let Some((was, would)) = outcome.models.get_mut(call.model as usize) {
            was.add(call.cost, call.count);
            would.add(after, call.count);
        }
    }
    outcome
}

/// One row of the calls.
struct Row {
    model: u32,
    day: u32,
    count: u32,
    cost: Option<i64>,
    flags: u8,
    tokens: Tokens,
    characters: Option<i64>,
    audio_ns: Option<i64>,
}

impl Row {
    fn of(calls: &UsageCalls, row: usize) -> Option<Self> {
        Some(Self {
            model: *calls.model.get(row)?,
            day: *calls.day.get(row)?,
            count: *calls.count.get(row)?,
            cost: *calls.cost.get(row)?,
            flags: *calls.flags.get(row)?,
            tokens: *calls.tokens.get(row)?,
            characters: *calls.characters.get(row)?,
            audio_ns: *calls.audio_ns.get(row)?,
        })
    }

    fn usage(&self, change: &Change) -> Usage {
        let mut tokens = self.tokens;
        if let Some(percent) = change.cached_percent
            && let Some(input) = tokens.input
        {
            let cached = i128::from(input) * i128::from(percent.min(100)) / 100;
            tokens.cached_input = i64::try_from(cached).ok();
        }
        Usage {
            tokens,
            characters: self.characters,
            audio_ns: self.audio_ns,
            batch: change.batch_percent.is_some() || self.flags & flag::BATCH != 0,
            ..Usage::default()
        }
    }
}

/// The prices of all models on all days.
struct Found {
    prices: Vec<Option<PriceEntry>>,
    days: usize,
    changed: Vec<bool>,
}

impl Found {
    fn of(calls: &UsageCalls, prices: &Prices, change: &Change) -> Self {
        let own = Prices {
            tables: vec![crate::prices::PriceTable {
                prices: change.prices.iter().cloned().map(always).collect(),
                ..Default::default()
            }],
        };
        let mut found = Self {
            prices: Vec::with_capacity(calls.models.len() * calls.days.len()),
            days: calls.days.len(),
            changed: Vec::new(),
        };
        for (index, called) in (0_u32..).zip(&calls.models) {
            let other = change.models.iter().find(|(model, _)| *model == index);
            let model = other.map_or(called, |(_, model)| model);
            let provider = model.provider.as_deref();
            let given = own.find(provider, &model.model, 0).map(|(_, price)| price);
            found.changed.push(other.is_some() || given.is_some());
            for day in &calls.days {
                // A call that names no model has no price.
                let listed = || prices.find(provider, &model.model, *day).map(|(_, price)| price);
                let price = given.or_else(listed).filter(|_| !model.model.is_empty());
                let mut price = price.cloned();
                if let (Some(price), Some(percent)) = (&mut price, change.batch_percent) {
                    price.batch_percent = Some(percent);
                }
                found.prices.push(price);
            }
        }
        found
    }

    fn is_changed(&self, model: u32) -> bool {
        self.changed.get(model as usize).copied().unwrap_or(false)
    }

    fn price(&self, model: u32, day: u32) -> Option<&PriceEntry> {
        let at = (model as usize)
            .checked_mul(self.days)?
            .checked_add(day as usize)?;
        self.prices.get(at)?.as_ref()
    }
}

/// An entry without a first day.
fn always(price: PriceEntry) -> PriceEntry {
    PriceEntry { from: None, ..price }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::TokenPrices;
    use meshscope_model::CostSource;
    use meshscope_model::time::DAY;
    use proptest::prelude::*;

    /// A call as it comes in.
    type Call = (usize, i64, Usage, u32);

    const MODELS: [(&str, &str); 5] = [
        ("openai", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("gcp.gemini", "gemini-2.5-pro"),
        ("ollama", "qwen3"),
        ("elevenlabs", "eleven_flash_v2_5"),
    ];

    fn call() -> impl Strategy<Value = Call> {
        let n = || prop::option::of(0..300_000_i64);
        let tokens = (n(), n(), n(), n(), n(), n());
        (
            0..MODELS.len(),
            0..3_i64,
            tokens,
            n(),
            any::<bool>(),
            prop::option::of(0..1_000_000_i64),
            1..5_u32,
        )
            .prop_map(
                |(
                    model,
                    day,
                    (input, cached, written, output, reasoning, audio),
                    characters,
                    batch,
                    reported,
                    count,
                )| {
                    let tokens = Tokens {
                        input,
                        cached_input: cached,
                        cache_write: written,
                        output,
                        reasoning,
                        audio_input: audio,
                        ..Tokens::default()
                    };
                    let usage = Usage {
                        tokens: tokens.with_total(),
                        characters,
                        batch,
                        cost_pico_usd: reported,
                        cost_source: reported.map(|_| CostSource::Reported),
                        ..Usage::default()
                    };
                    (model, day * DAY, usage, count)
                },
            )
    }

    /// The calls as the server sends them, and what the server's pricing makes of them.
    fn priced(calls: &[Call], prices: &Prices) -> (UsageCalls, CostSum) {
        let called = |(provider, model): (&str, &str)| CalledModel {
            model: model.to_owned(),
            provider: Some(provider.to_owned()),
        };
        let mut columns = UsageCalls {
            models: MODELS.map(called).to_vec(),
            days: (0..3).map(|day| day * DAY).collect(),
            ..UsageCalls::default()
        };
        let mut sum = CostSum::default();
        for (model, day, usage, count) in calls {
            let mut usage = usage.clone();
            let (provider, name) = MODELS[*model];
            prices.apply_usage(Some(provider), Some(name), &mut usage, *day);
            sum.add(usage.cost_pico_usd, *count);
            columns.model.push(*model as u32);
            columns.day.push((day / DAY) as u32);
            columns.count.push(*count);
            columns.cost.push(usage.cost_pico_usd);
            let reported = usage.cost_source == Some(CostSource::Reported);
            let flags = if reported { flag::REPORTED } else { 0 } | if usage.batch { flag::BATCH } else { 0 };
            columns.flags.push(flags);
            columns.tokens.push(usage.tokens);
            columns.characters.push(usage.characters);
            columns.audio_ns.push(usage.audio_ns);
        }
        (columns, sum)
    }

    /// The built-in table with one of a user's, which has a price from the second day on.
    fn prices() -> Prices {
        let own = r#"{"version": "ours", "prices": [{"model": "qwen3", "from": "1970-01-02", "input": 7, "output": 9}]}"#;
        Prices::built_in().with_own(crate::prices::PriceTable::parse(own).unwrap())
    }

    proptest! {
        #[test]
        fn without_a_change_it_is_what_the_server_reckoned(calls in prop::collection::vec(call(), 0..40)) {
            let prices = prices();
            let (columns, sum) = priced(&calls, &prices);
            // As the studio has them: off the wire.
            let columns = UsageCalls::decode(&columns.encode()).unwrap();
            let outcome = what_if(&columns, &prices, &Change::default());
            prop_assert_eq!(outcome.after, sum);
            prop_assert_eq!(outcome.before, sum);
        }

        #[test]
        fn another_model_costs_what_its_own_calls_would(calls in prop::collection::vec(call(), 0..40)) {
            let prices = prices();
            let unreported: Vec<Call> = calls.into_iter().map(|(model, day, usage, count)| {
                (model, day, Usage { cost_pico_usd: None, cost_source: None, ..usage }, count)
            }).collect();
            let (columns, _) = priced(&unreported, &prices);
            let to = CalledModel { model: MODELS[1].1.to_owned(), provider: Some(MODELS[1].0.to_owned()) };
            let change = Change { models: (0..5).map(|model| (model, to.clone())).collect(), ..Change::default() };
            let as_other: Vec<Call> = unreported.iter().map(|(_, day, usage, count)| (1, *day, usage.clone(), *count)).collect();
            prop_assert_eq!(what_if(&columns, &prices, &change).after, priced(&as_other, &prices).1);
        }
    }

    #[test]
    fn cache_batch_and_price_change_the_cost_and_reported_ones_too() {
        let usage = |reported: Option<i64>| Usage {
            tokens: Tokens {
                input: Some(1_000),
                output: Some(100),
                ..Tokens::default()
            },
            cost_pico_usd: reported,
            cost_source: reported.map(|_| CostSource::Reported),
            ..Usage::default()
        };
        let prices = Prices::built_in();
        let calls = [(0, 0, usage(None), 2), (0, 0, usage(Some(5)), 1)];
        let (columns, sum) = priced(&calls, &prices);
        let full = 1_000 * 2_500_000 + 100 * 10_000_000;
        assert_eq!(sum.cost, Some(2 * full + 5));
        let after = |change: Change| what_if(&columns, &prices, &change).after.cost;
        let half_cached = Change {
            cached_percent: Some(50),
            ..Change::default()
        };
        assert_eq!(
            after(half_cached),
            Some(3 * (500 * 2_500_000 + 500 * 1_250_000 + 100 * 10_000_000))
        );
        let batch = Change {
            batch_percent: Some(50),
            ..Change::default()
        };
        assert_eq!(after(batch), Some(3 * full / 2));
        let price = PriceEntry {
            model: "gpt-4o".to_owned(),
            tokens: TokenPrices {
                input: Some(1),
                output: Some(2),
                ..TokenPrices::default()
            },
            ..PriceEntry::default()
        };
        let new = Change {
            prices: vec![price],
            ..Change::default()
        };
        assert_eq!(after(new), Some(3 * 1_200));
        let unknown = Change {
            models: vec![(
                0,
                CalledModel {
                    model: "nobody-knows".to_owned(),
                    provider: None,
                },
            )],
            ..Change::default()
        };
        let outcome = what_if(&columns, &prices, &unknown);
        assert_eq!((outcome.after.cost, outcome.after.unpriced), (None, 3));
        assert_eq!(outcome.models[0].0, sum);
    }
}
