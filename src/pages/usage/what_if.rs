//! What the selection would have cost: other models, another part of the input from a cache, batches, new
//! prices. Computed here, by the code that prices calls on the server; the URL holds what is asked.

use super::measure::{difference, whole};
use super::prices::form::millionths;
use super::selection::selection;
use crate::client::{self, use_fetch_while};
use crate::components::fact::Fact;
use crate::components::figures::cost;
use crate::components::states::Fetched;
use crate::state::{param, use_replace};
use leptos::prelude::*;
use meshscope_analysis::Prices;
use meshscope_analysis::what_if::{Change, CostSum, Outcome, what_if};
use meshscope_api::prices::{PriceEntry, PriceList, TokenPrices};
use meshscope_api::usage_calls::{CalledModel, MEDIA_TYPE, UsageCalls};
use meshscope_api::{Params, Problem};
use meshscope_layout::format;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is computed with.
struct Loaded {
    calls: UsageCalls,
    prices: Prices,
    /// Models that have a price, as `provider/model`.
    priced: Vec<String>,
}

/// What the URL asks: each a query of models, in the words of [`key`].
#[derive(Debug, Clone, PartialEq, Default)]
struct Asked {
    /// Model to the one that makes its calls.
    swap: Params,
    /// Model to its new prices, `input:output` in dollars for a million.
    price: Params,
    /// Percent.
    cached: Option<u8>,
    /// Percent.
    batch: Option<u8>,
}

/// `provider/model`, or the model alone.
fn key(model: &CalledModel) -> String {
    match &model.provider {
        Some(provider) => format!("{provider}/{}", model.model),
        None => model.model.clone(),
    }
}

/// The model of a [`key`].
fn model_of(key: &str) -> CalledModel {
    match key.split_once('/') {
        Some((provider, model)) => CalledModel {
            model: model.to_owned(),
            provider: Some(provider.to_owned()),
        },
        None => CalledModel {
            model: key.to_owned(),
            provider: None,
        },
    }
}

/// New prices of a model, of `input:output`; what is no price is none.
fn entry(model: &CalledModel, text: &str) -> Option<PriceEntry> {
    let (input, output) = text.split_once(':')?;
    let tokens = TokenPrices {
        input: millionths(input.trim()),
        output: millionths(output.trim()),
        ..TokenPrices::default()
    };
    (tokens != TokenPrices::default()).then(|| PriceEntry {
        model: model.model.clone(),
        providers: model.provider.iter().cloned().collect(),
        tokens,
        ..PriceEntry::default()
    })
}

impl Asked {
    fn change(&self, models: &[CalledModel]) -> Change {
        let swap = |(index, model): (usize, &CalledModel)| {
            let to = self.swap.get(&key(model))?;
            Some((u32::try_from(index).ok()?, model_of(to)))
        };
        Change {
            models: models.iter().enumerate().filter_map(swap).collect(),
            prices: models
                .iter()
                .filter_map(|model| entry(model, self.price.get(&key(model))?))
                .collect(),
            cached_percent: self.cached,
            batch_percent: self.batch,
        }
    }
}

fn asked() -> Memo<Asked> {
    let [swap, price, cached, batch] = ["swap", "price", "cached", "batch"].map(param);
    let percent = |text: Option<String>| text.and_then(|text| text.parse().ok()).filter(|n| *n <= 100);
    Memo::new(move |_| Asked {
        swap: Params::parse(&swap.get().unwrap_or_default()),
        price: Params::parse(&price.get().unwrap_or_default()),
        cached: percent(cached.get()),
        batch: percent(batch.get()),
    })
}

/// The tab.
pub(super) fn page() -> AnyView {
    let (selection, origin) = (selection(), client::origin());
    let fetch = use_fetch_while(
        move || Some(selection.get()),
        || false,
        move |selection, abort| {
            let (params, origin) = (selection.params(), origin.clone());
            async move {
                let calls =
                    client::bytes(&origin, "usage/calls", &params, MEDIA_TYPE, abort.as_ref()).await?;
                let list: PriceList =
                    client::get(&origin, "prices", &Params::default(), abort.as_ref()).await?;
                let calls = UsageCalls::decode(&calls).map_err(Problem::internal)?;
                let names = list.tables.iter().flat_map(|table| &table.entries).map(|view| {
                    key(&CalledModel {
                        model: view.entry.model.trim_matches('*').to_owned(),
                        provider: view.entry.providers.first().cloned(),
                    })
                });
                let priced: BTreeSet<String> = names.collect();
                Ok(Arc::new(Loaded {
                    calls,
                    prices: Prices::of_list(&list),
                    priced: priced.into_iter().collect(),
                }))
            }
        },
    );
    let asked = asked();
    let content = move |loaded: &Arc<Loaded>| {
        let loaded = Arc::clone(loaded);
        (move || outcome(&loaded, &asked.get())).into_any()
    };
    view! {
        <p class="muted sub">"What the calls of the chosen project, time and filters would have cost. A cost that an agent reported stays where nothing is changed for its call."</p>
        {knobs(asked)}
        <Fetched fetch what="the calls" content=content />
    }
    .into_any()
}

/// What holds for all calls.
fn knobs(asked: Memo<Asked>) -> AnyView {
    let patch = use_replace();
    let reset = {
        let patch = patch.clone();
        move |_| patch(&[("swap", None), ("price", None), ("cached", None), ("batch", None)])
    };
    let knob = move |name: &'static str,
                     title: &'static str,
                     about: &'static str,
                     value: fn(&Asked) -> Option<u8>| {
        let (typed, turned) = (patch.clone(), patch.clone());
        let now = move || asked.with(value);
        let said = move || now().map_or_else(|| "as it was".to_owned(), |n| format!("{n} %"));
        let turn = move |_| turned(&[(name, now().is_none().then(|| "50".to_owned()))]);
        view! {
            <div class="knob">
                <label class="check" title=about>
                    <input type="checkbox" prop:checked=move || now().is_some() on:change=turn />{title}
                </label>
                <input type="range" min="0" max="100" id=name aria-label=title disabled=move || now().is_none()
                    prop:value=move || now().unwrap_or(0).to_string()
                    on:input=move |event| typed(&[(name, Some(event_target_value(&event)))]) />
                <b>{said}</b>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="panel card knobs">
            {knob("cached", "Input read from a cache", "This part of every call's input", |asked| asked.cached)}
            {knob("batch", "All in batches, at this part of the price", "Providers ask about half for a batch", |asked| asked.batch)}
            <button class="pill" on:click=reset>"Reset"</button>
        </section>
    }
    .into_any()
}

fn sum(sum: &CostSum) -> String {
    cost(sum.cost, sum.unpriced > 0)
}

fn outcome(loaded: &Loaded, asked: &Asked) -> AnyView {
    let Outcome {
        before,
        after,
        models,
    } = what_if(&loaded.calls, &loaded.prices, &asked.change(&loaded.calls.models));
    let change = after
        .cost
        .zip(before.cost)
        .and_then(|(now, then)| format::change(now, then))
        .unwrap_or_default();
    let mut rows: Vec<_> = loaded.calls.models.iter().zip(models).collect();
    rows.sort_by_key(|(_, (before, _))| std::cmp::Reverse((before.cost, before.calls)));
    let rows = rows
        .into_iter()
        .map(|(model, sums)| row(model, &sums, asked, &loaded.priced))
        .collect_view();
    let unpriced = (after.unpriced > 0).then(|| {
        let text = format!(
            "{} calls have no price with this: the cost is more.",
            format::integer(whole(after.unpriced))
        );
        view! { <p class="other sub">{text}</p> }
    });
    view! {
        <section class="panel card" id="what-if" role="status">
            <div class="facts">
                <Fact name="Calls" value=format::integer(whole(before.calls)) />
                <Fact name="Was" value=sum(&before) />
                <Fact name="Would be" value=sum(&after) />
                <Fact name="Difference" value=difference(before.cost, after.cost) />
                <Fact name="Change" value=change />
            </div>
            {unpriced}
        </section>
        <div class="panel scroll what-if">
            <table class="list">
                <thead><tr>
                    <th>"Model"</th><th class="num">"Calls"</th><th class="num">"Was"</th><th>"Made by"</th>
                    <th>"Input, $ a million"</th><th>"Output, $ a million"</th><th class="num">"Would be"</th><th class="num">"Difference"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The query with another value for `name`.
fn with(params: &Params, name: &str, value: &str) -> Option<String> {
    let mut params = params.clone();
    params.0.retain(|(known, _)| known != name);
    params.set(name, Some(value).filter(|value| !value.is_empty()));
    Some(params.to_query()).filter(|query| !query.is_empty())
}

fn row(
    model: &CalledModel,
    (before, after): &(CostSum, CostSum),
    asked: &Asked,
    priced: &[String],
) -> AnyView {
    let (name, patch) = (key(model), use_replace());
    let swapped = asked.swap.get(&name).unwrap_or_default().to_owned();
    let swap = {
        let (patch, name, params) = (patch.clone(), name.clone(), asked.swap.clone());
        move |event| patch(&[("swap", with(&params, &name, &event_target_value(&event)))])
    };
    let mut known: Vec<&String> = priced.iter().filter(|other| **other != name).collect();
    known.extend(Some(&swapped).filter(|other| !other.is_empty() && !priced.contains(other)));
    let option = |other: &&String| {
        let other = (*other).clone();
        view! { <option value=other.clone() selected=other == swapped>{other.clone()}</option> }.into_any()
    };
    let prices = asked.price.get(&name).unwrap_or_default();
    let (input, output) = prices.split_once(':').unwrap_or_default();
    let price = |at: usize, text: &str, other: &str, label: &'static str| {
        let (patch, name, params, other) =
            (patch.clone(), name.clone(), asked.price.clone(), other.to_owned());
        let wrong = !text.is_empty() && millionths(text).is_none();
        let set = move |event| {
            let text = event_target_value(&event);
            let text = text.trim();
            let both = if at == 0 {
                format!("{text}:{other}")
            } else {
                format!("{other}:{text}")
            };
            let both = if both == ":" { "" } else { both.as_str() };
            patch(&[("price", with(&params, &name, both))]);
        };
        view! {
            <input class="price" type="text" inputmode="decimal" placeholder="list" aria-label=label aria-invalid=wrong.to_string()
                title=if wrong { "Dollars for a million tokens, for example 2.50" } else { label } prop:value=text.to_owned() on:change=set />
        }
        .into_any()
    };
    let nothing = if model.model.is_empty() {
        "none".to_owned()
    } else {
        model.model.clone()
    };
    let changed = before.cost != after.cost || before.unpriced != after.unpriced;
    view! {
        <tr>
            <td class="title">{nothing}<span class="id">{model.provider.clone()}</span></td>
            <td class="num">{format::integer(whole(before.calls))}</td>
            <td class="num">{sum(before)}</td>
            <td><select class="swap" aria-label=format!("Instead of {name}") on:change=swap>
                <option value="">"itself"</option>{known.iter().map(option).collect_view()}
            </select></td>
            <td>{price(0, input, output, "Input, dollars for a million tokens")}</td>
            <td>{price(1, output, input, "Output, dollars for a million tokens")}</td>
            <td class="num">{sum(after)}</td>
            <td class="num" class:muted=!changed>{difference(before.cost, after.cost)}</td>
        </tr>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_what_is_asked() {
        let models = ["openai/gpt-4o", "ollama/qwen3:8b", "plain"].map(model_of);
        assert_eq!(
            models.each_ref().map(key),
            ["openai/gpt-4o", "ollama/qwen3:8b", "plain"]
        );
        let asked = Asked {
            swap: Params::parse("openai%2Fgpt-4o=anthropic%2Fclaude-haiku-4-5"),
            price: Params::parse(&with(&Params::default(), "ollama/qwen3:8b", "0.1:").unwrap_or_default()),
            cached: Some(30),
            batch: None,
        };
        let change = asked.change(&models);
        assert_eq!(change.models, [(0, model_of("anthropic/claude-haiku-4-5"))]);
        let prices: Vec<_> = change
            .prices
            .iter()
            .map(|price| (price.model.as_str(), price.tokens.input, price.tokens.output))
            .collect();
        assert_eq!(prices, [("qwen3:8b", Some(100_000), None)]);
        assert_eq!(with(&asked.swap, "openai/gpt-4o", ""), None);
    }
}
