//! Which models have no price, and how to give them one.

use crate::client::{self, use_fetch};
use crate::components::copy::Copy;
use crate::components::states::Fetched;
use leptos::prelude::*;
use meshscope_api::status::PricesStatus;
use meshscope_api::{Params, UsageReport};
use meshscope_layout::format;

/// The card of the settings page.
#[component]
pub(crate) fn Prices(prices: PricesStatus) -> impl IntoView {
    let origin = client::origin();
    let models = use_fetch(
        || Some(()),
        move |(), abort| {
            let mut params = Params::default();
            params.set("by", Some("model"));
            params.set("from", Some(0));
            let origin = origin.clone();
            async move { client::get::<UsageReport>(&origin, "usage", &params, abort.as_ref()).await }
        },
    );
    let tables: Vec<String> = prices
        .tables
        .iter()
        .map(|table| {
            let date = table
                .date
                .as_ref()
                .map_or_else(String::new, |date| format!(" of {date}"));
            format!("{}{date}, {} prices", table.version, table.prices)
        })
        .collect();
    let file = prices.file;
    view! {
        <section class="panel card">
            <h2>"Prices"</h2>
            <p class="muted">{format!("Price tables: {}. List prices; a cost names the table it was computed from.", tables.join("; "))}</p>
            <Fetched fetch=models what="the models" content=move |report: &UsageReport| unpriced(report, &file) />
        </section>
    }
}

/// The models without a price, and a table for them to fill in.
fn unpriced(report: &UsageReport, file: &str) -> AnyView {
    let missing: Vec<_> = report
        .groups
        .iter()
        .filter(|group| group.measures.unpriced_calls > 0 && !group.group.is_empty())
        .collect();
    if missing.is_empty() {
        return view! { <p class="muted">"Every model that was called has a price."</p> }.into_any();
    }
    let rows = missing.iter().map(|group| {
        let tokens = group.measures.tokens.total.map_or_else(|| "\u{2013}".to_owned(), format::count);
        view! {
            <tr>
                <td class="title">{group.group.clone()}</td><td class="muted">{group.provider.clone()}</td>
                <td class="num">{format::integer(i64::try_from(group.measures.unpriced_calls).unwrap_or(i64::MAX))}</td>
                <td class="num">{tokens}</td>
            </tr>
        }
    });
    let prices: Vec<serde_json::Value> = missing
        .iter()
        .map(|group| {
            let providers: Vec<_> = group.provider.iter().collect();
            serde_json::json!({"providers": providers, "model": group.group, "input": 2_500_000, "output": 10_000_000})
        })
        .collect();
    let table = serde_json::json!({"version": "mine", "prices": prices});
    let text = serde_json::to_string_pretty(&table).unwrap_or_default();
    view! {
        <table class="list">
            <thead><tr><th>"Model without a price"</th><th>"Provider"</th><th class="num">"Calls"</th><th class="num">"Tokens"</th></tr></thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
        <p class="muted">
            "To price them, put this into "<code>{file.to_owned()}</code>" with your own figures, in millionths of a dollar for a million tokens ($2.50 is 2500000), and restart the server. Calls of the past get their cost then."
        </p>
        <div class="send"><h3>"prices.json"<Copy text=text.clone() label="the price table" /></h3><pre>{text}</pre></div>
    }
    .into_any()
}
