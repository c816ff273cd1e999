//! Prices that became known after the call: rows of the ledger get the cost they lacked.

use super::append::Columns;
use super::{engine_error, read, sums};
use crate::{PriceOf, StoreError};
use duckdb::Connection;
use duckdb::types::Value;
use meshscope_model::Usage;

/// How many rows one transaction prices.
const STEP: usize = 50_000;

/// Models that have calls without a cost.
const MODELS: &str =
    "SELECT DISTINCT provider, model FROM usage WHERE cost IS NULL AND NOT claim AND model IS NOT NULL";

/// Prices at most [`STEP`] rows of the models that have a price, in one transaction; returns how many.
pub(super) fn price(connection: &Connection, price: &PriceOf<'_>) -> Result<u64, StoreError> {
    let doing = "read calls without a price";
    let models = read::rows(connection, doing, MODELS, Vec::new(), |row| {
        Ok((row.get::<_, Option<String>>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut priced: Vec<(i64, i64, String)> = Vec::new();
    for (provider, model) in models {
        let sql = format!(
            "SELECT rowid, {}, characters, audio_ns, batch FROM usage
            WHERE cost IS NULL AND NOT claim AND provider IS NOT DISTINCT FROM ? AND model = ?",
            read::TOKEN_COLUMNS.join(", ")
        );
        let provider_value = provider.clone().map_or(Value::Null, Value::Text);
        let values = vec![provider_value, Value::Text(model.clone())];
        let mut statement = connection.prepare(&sql).map_err(engine_error(doing))?;
        let mut rows = statement
            .query(duckdb::params_from_iter(values))
            .map_err(engine_error(doing))?;
        while let Some(row) = rows.next().map_err(engine_error(doing))? {
            let (id, usage) = call(row).map_err(engine_error(doing))?;
            if let Some((cost, version)) = price(provider.as_deref(), &model, &usage) {
                priced.push((id, cost, version));
            }
            if priced.len() >= STEP {
                break;
            }
        }
        if priced.len() >= STEP {
            break;
        }
    }
    if priced.is_empty() {
        return Ok(0);
    }
    let run = |sql: &str| connection.execute_batch(sql).map_err(engine_error("price calls"));
    run("CREATE OR REPLACE TEMP TABLE priced (id BIGINT, cost BIGINT, version VARCHAR)")?;
    let mut columns = Columns::default();
    columns.i64(priced.iter().map(|(id, ..)| Some(*id)));
    columns.i64(priced.iter().map(|(_, cost, _)| Some(*cost)));
    columns.text(priced.iter().map(|(.., version)| Some(version.as_str())));
    columns.append(connection, "priced")?;
    sums::forget_usage(connection, "rowid IN (SELECT id FROM priced)")?;
    run("UPDATE usage SET cost = priced.cost, cost_source = priced.version FROM priced WHERE usage.rowid = priced.id;
         DROP TABLE priced")?;
    Ok(priced.len() as u64)
}

/// A row with what was used.
fn call(row: &duckdb::Row<'_>) -> duckdb::Result<(i64, Usage)> {
    Ok((
        row.get(0)?,
        Usage {
            tokens: read::tokens(row, 1)?,
            characters: row.get(9)?,
            audio_ns: row.get(10)?,
            batch: row.get::<_, Option<bool>>(11)?.unwrap_or(false),
            ..Usage::default()
        },
    ))
}
