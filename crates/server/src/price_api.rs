//! `/api/v1/prices`: the tables, changes to the user's own, and pricing the past anew.

use crate::api::{Answer, json};
use crate::app::{App, now};
use crate::config::Config;
use crate::{kept, prices};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Path, State};
use meshscope_analysis::prices::identity;
use meshscope_analysis::{PriceTable, Prices};
use meshscope_api::Problem;
use meshscope_api::prices::{
    PriceEntry, PriceList, PriceTableView, PriceView, Reprice, RepriceReport, UnpricedModel,
};
use meshscope_model::time::SECOND;
use serde_json::Value;
use std::sync::Arc;

/// The price tables, and models without a price.
#[utoipa::path(get, path = "/api/v1/prices", responses((status = 200, body = PriceList)))]
pub(crate) async fn price_list(State(app): State<Arc<App>>) -> Answer {
    json(&list(&app).await?)
}

/// Adds a price to the user's own table.
///
/// It holds for calls that come from now on. Those of the past that have no cost get theirs with `/prices/reprice`,
/// or when the server starts next; a cost that a call has changes with `/prices/reprice` alone. The table's file may
/// be edited by hand as well: it is read when the server starts and before each change.
#[utoipa::path(post, path = "/api/v1/prices", request_body = PriceEntry,
    responses((status = 200, body = PriceList), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn add_price(
    State(app): State<Arc<App>>,
    entry: Result<Json<Value>, JsonRejection>,
) -> Answer {
    let entry = entry_of(entry)?;
    change(&app, move |entries| insert(entries, entry)).await
}

/// Changes a price of the user's own table.
#[utoipa::path(put, path = "/api/v1/prices/{id}", request_body = PriceEntry,
    params(("id" = String, Path, description = "Identity of the entry")),
    responses((status = 200, body = PriceList), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(crate) async fn change_price(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    entry: Result<Json<Value>, JsonRejection>,
) -> Answer {
    let entry = entry_of(entry)?;
    change(&app, move |entries| {
        remove(entries, &id)?;
        insert(entries, entry)
    })
    .await
}

/// Removes a price from the user's own table.
#[utoipa::path(delete, path = "/api/v1/prices/{id}",
    params(("id" = String, Path, description = "Identity of the entry")),
    responses((status = 200, body = PriceList), (status = 404, body = Problem),
        (status = 409, description = "The table's file was edited by hand and is not right", body = Problem)))]
pub(crate) async fn remove_price(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    change(&app, move |entries| remove(entries, &id)).await
}

/// Prices calls of the past anew, those with a cost too, or tells what that would change. Reported costs stay.
#[utoipa::path(post, path = "/api/v1/prices/reprice", request_body = Reprice,
    responses((status = 200, body = RepriceReport), (status = 400, body = Problem)))]
pub(crate) async fn reprice(
    State(app): State<Arc<App>>,
    which: Result<Json<Reprice>, JsonRejection>,
) -> Answer {
    let Json(which) = which.map_err(|error| Problem::invalid_body(error.body_text()))?;
    if which.from.zip(which.to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::invalid_parameter("to", "`to` must lie after `from`").into());
    }
    let prices = app.prices();
    let report = app
        .ask_long(move |store| {
            let price = prices::of(&prices);
            store.reprice(&which, &price)
        })
        .await?;
    json(&report)
}

fn entry_of(entry: Result<Json<Value>, JsonRejection>) -> Result<PriceEntry, Problem> {
    let Json(entry) = entry.map_err(|error| Problem::invalid_body(error.body_text()))?;
    PriceTable::parse_entry(entry).map_err(|(field, reason)| match field.as_str() {
        "" => Problem::invalid_body(format!("the body {reason}")),
        field => Problem::invalid_parameter(field, format!("`{field}` {reason}")),
    })
}

fn insert(entries: &mut Vec<PriceEntry>, entry: PriceEntry) -> Result<(), Problem> {
    let id = identity(&entry);
    if entries.iter().any(|known| identity(known) == id) {
        return Err(Problem {
            parameter: Some("model".to_owned()),
            ..Problem::conflict(format!(
                "there is a price of {:?} from the same day for the same providers: change that one ({id})",
                entry.model
            ))
        });
    }
    entries.push(entry);
    Ok(())
}

fn remove(entries: &mut Vec<PriceEntry>, id: &str) -> Result<(), Problem> {
    let before = entries.len();
    entries.retain(|entry| identity(entry) != id);
    if entries.len() == before {
        return Err(Problem::not_found(format!(
            "there is no price {id:?} in your own table; those of the built-in one cannot be changed: add one of your own"
        )));
    }
    Ok(())
}

/// Changes the user's own table, keeps it, and prices by it from now on.
async fn change(
    app: &Arc<App>,
    work: impl FnOnce(&mut Vec<PriceEntry>) -> Result<(), Problem> + Send + 'static,
) -> Answer {
    let changed = |config: &Config| {
        let own = prices::own(config).map_err(Problem::conflict)?;
        let mut own = own.unwrap_or_default();
        work(&mut own.prices)?;
        own.version = version(&own.version);
        own.date = None;
        Ok(own)
    };
    let put = |app: &App, own| app.set_prices(Prices::built_in().with_own(own));
    kept::change(app, prices::file(&app.config), changed, put).await?;
    json(&list(app).await?)
}

/// A new version: `own` and the moment, and a number where the moment is the same.
fn version(before: &str) -> String {
    let moment = meshscope_model::time::to_rfc3339(now() / SECOND * SECOND);
    let version = format!("own {moment}");
    match before.strip_prefix(&version) {
        None => version,
        Some("") => format!("{version} #2"),
        Some(rest) => {
            let n: u32 = rest.trim_start_matches(" #").parse().unwrap_or(1);
            format!("{version} #{}", n.saturating_add(1))
        }
    }
}

async fn list(app: &App) -> Result<PriceList, Problem> {
    let prices = app.prices();
    let mut unpriced = app.ask(meshscope_store::Store::unpriced).await?;
    for model in &mut unpriced {
        model.priced_now = has_price(&prices, model);
    }
    Ok(PriceList {
        file: prices::file(&app.config).display().to_string(),
        tables: tables(&prices),
        unpriced,
    })
}

fn has_price(prices: &Prices, model: &UnpricedModel) -> bool {
    let found = |at: i64| prices.find(model.provider.as_deref(), &model.model, at).is_some();
    !model.model.is_empty() && (found(model.first_at) || found(model.last_at))
}

fn tables(prices: &Prices) -> Vec<PriceTableView> {
    let view = |table: &PriceTable, own: bool| PriceTableView {
        version: table.version.clone(),
        date: table.date.clone(),
        own,
        entries: table
            .prices
            .iter()
            .map(|entry| PriceView {
                id: identity(entry),
                entry: entry.clone(),
            })
            .collect(),
    };
    let none = PriceTable::default();
    let own = view(prices.own().unwrap_or(&none), true);
    let built_in = prices.tables.last().map(|table| view(table, false));
    std::iter::once(own).chain(built_in).collect()
}
