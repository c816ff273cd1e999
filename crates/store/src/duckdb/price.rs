//! Prices that became known after the call: rows of the ledger get the cost they lacked.

use super::append::Columns;
use super::{engine_error, read};
use crate::{PriceOf, StoreError};
use duckdb::Connection;
use meshscope_model::Usage;

/// The rows without a cost; nearly always few, since calls are priced as they come.
const UNPRICED: &str = "
SELECT rowid, provider, model, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    audio_input_tokens, audio_output_tokens, total_tokens, characters, audio_ns, batch
FROM usage WHERE cost IS NULL AND NOT claim AND model IS NOT NULL";

/// Prices what can be priced, in one transaction.
pub(super) fn price(connection: &Connection, price: &PriceOf<'_>) -> Result<u64, StoreError> {
    let mut priced: Vec<(i64, i64, String)> = Vec::new();
    read::rows(
        connection,
        "read calls without a price",
        UNPRICED,
        Vec::new(),
        |row| {
            let provider: Option<String> = row.get(1)?;
            let model: String = row.get(2)?;
            let usage = Usage {
                tokens: read::tokens(row, 3)?,
                characters: row.get(11)?,
                audio_ns: row.get(12)?,
                batch: row.get::<_, Option<bool>>(13)?.unwrap_or(false),
                ..Usage::default()
            };
            if let Some((cost, version)) = price(provider.as_deref(), &model, &usage) {
                priced.push((row.get(0)?, cost, version));
            }
            Ok(())
        },
    )?;
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
    run("UPDATE usage SET cost = priced.cost, cost_source = priced.version FROM priced WHERE usage.rowid = priced.id;
         DROP TABLE priced")?;
    Ok(priced.len() as u64)
}
