//! Prices that became known after the call: rows of the ledger get the cost they lacked, and on
//! purpose another one.

use super::append::Columns;
use super::read::{self, Filter};
use super::{engine_error, sums, write};
use crate::{PriceOf, StoreError};
use duckdb::Connection;
use duckdb::types::Value;
use hashbrown::HashMap;
use meshscope_api::prices::{Reprice, RepriceModel, RepriceReport, RepriceSum, UnpricedModel};
use meshscope_model::Usage;
use meshscope_model::usage::plus;

/// How many rows one transaction prices.
const STEP: usize = 50_000;

/// Models that have calls without a cost.
const MODELS: &str =
    "SELECT DISTINCT provider, model FROM usage WHERE cost IS NULL AND NOT claim AND model IS NOT NULL";

/// Prices at most [`STEP`] rows of the models that have a price, in one transaction; returns how many.
pub(super) fn price(connection: &Connection, price: &PriceOf<'_>) -> Result<u64, StoreError> {
    write::transaction(connection, SAVING, || {
        let priced = priced(connection, price)?;
        save(connection, &priced)?;
        Ok(priced.len() as u64)
    })
}

const SAVING: &str = "price calls";

/// A row of the ledger by its sequence number, its cost, and the version of the table it comes from.
type Priced = (i64, i64, String);

/// At most [`STEP`] rows that have a price by now.
fn priced(connection: &Connection, price: &PriceOf<'_>) -> Result<Vec<Priced>, StoreError> {
    let doing = "read calls without a price";
    let models = read::rows(connection, doing, MODELS, Vec::new(), |row| {
        Ok((row.get::<_, Option<String>>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut priced: Vec<Priced> = Vec::new();
    for (provider, model) in models {
        let sql = format!(
            "SELECT sequence, {}, characters, audio_ns, batch, time FROM usage
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
            let (sequence, usage, at) = call(row).map_err(engine_error(doing))?;
            if let Some((cost, version)) = price(provider.as_deref(), &model, &usage, at) {
                priced.push((sequence, cost, version));
            }
            if priced.len() >= STEP {
                return Ok(priced);
            }
        }
    }
    Ok(priced)
}

/// Gives rows their cost, within the connection's transaction.
fn save(connection: &Connection, priced: &[Priced]) -> Result<(), StoreError> {
    if priced.is_empty() {
        return Ok(());
    }
    let run = |sql: &str| connection.execute_batch(sql).map_err(engine_error(SAVING));
    run("CREATE OR REPLACE TEMP TABLE priced (sequence BIGINT, cost BIGINT, version VARCHAR)")?;
    let mut columns = Columns::default();
    columns.i64(priced.iter().map(|(sequence, ..)| Some(*sequence)));
    columns.i64(priced.iter().map(|(_, cost, _)| Some(*cost)));
    columns.text(priced.iter().map(|(.., version)| Some(version.as_str())));
    columns.append(connection, "priced")?;
    sums::forget_usage(connection, "sequence IN (SELECT sequence FROM priced)")?;
    run(
        "UPDATE usage SET cost = priced.cost, cost_source = priced.version FROM priced
        WHERE usage.sequence = priced.sequence; DROP TABLE priced",
    )
}

/// Models that calls without a cost name, those with the most calls first.
pub(super) fn unpriced(connection: &Connection) -> Result<Vec<UnpricedModel>, StoreError> {
    let sql = format!(
        "SELECT coalesce(model, ''), provider, count(*), min(time), max(time), {} FROM counted
        WHERE cost IS NULL AND NOT claim GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
        read::token_sums()
    );
    read::rows(
        connection,
        "read models without a price",
        &sql,
        Vec::new(),
        |row| {
            Ok(UnpricedModel {
                model: row.get(0)?,
                provider: row.get(1)?,
                calls: row.get(2)?,
                first_at: row.get(3)?,
                last_at: row.get(4)?,
                tokens: read::tokens(row, 5)?,
                priced_now: false,
            })
        },
    )
}

/// SQL of whether a row of the ledger is what counts of its call: a call may be told by several sources,
/// of which one does.
const COUNTS: &str = "(call IS NULL OR sequence IN (SELECT sequence FROM counted WHERE call IS NOT NULL))";

/// Prices rows anew, within the connection's transaction, or tells what that would change. All rows are
/// priced, and the report is of those that count.
pub(super) fn reprice(
    connection: &Connection,
    which: &Reprice,
    price: &PriceOf<'_>,
) -> Result<RepriceReport, StoreError> {
    let doing = "read calls to price anew";
    let mut filter = Filter::default();
    filter.equal("project", which.project.as_deref());
    filter.equal("model", which.model.as_deref());
    for (condition, moment) in [("time >= ?", which.from), ("time < ?", which.to)] {
        if let Some(moment) = moment {
            filter.add(condition, [Value::BigInt(moment)]);
        }
    }
    let chosen = format!("NOT claim AND model IS NOT NULL AND {}", filter.sql());
    let reported =
        format!("SELECT count(*) FROM usage WHERE cost_source = 'reported' AND {chosen} AND {COUNTS}");
    let reported = read::rows(connection, doing, &reported, filter.values.clone(), |row| {
        row.get(0)
    })?;
    let sql = format!(
        "SELECT sequence, {}, characters, audio_ns, batch, time, provider, model, cost, {COUNTS} FROM usage
        WHERE cost_source IS DISTINCT FROM 'reported' AND {chosen}",
        read::TOKEN_COLUMNS.join(", ")
    );
    let mut models: HashMap<(String, Option<String>), RepriceSum> = HashMap::new();
    let mut priced: Vec<Priced> = Vec::new();
    read::rows(connection, doing, &sql, filter.values, |row| {
        let (sequence, usage, at) = call(row)?;
        let (provider, model): (Option<String>, String) = (row.get(13)?, row.get(14)?);
        let before: Option<i64> = row.get(15)?;
        let found = price(provider.as_deref(), &model, &usage, at);
        if row.get(16)? {
            note(
                models.entry((model, provider)).or_default(),
                before,
                found.as_ref().map(|(cost, _)| *cost),
            );
        }
        if let Some((cost, version)) = found
            && before != Some(cost)
        {
            priced.push((sequence, cost, version));
        }
        Ok(())
    })?;
    if which.apply {
        save(connection, &priced)?;
    }
    let mut total = RepriceSum::default();
    models.values().for_each(|sum| add(&mut total, sum));
    let mut changed: Vec<RepriceModel> = models
        .into_iter()
        .filter(|(_, sum)| sum.changed > 0)
        .map(|((model, provider), sum)| RepriceModel { model, provider, sum })
        .collect();
    let change = |sum: &RepriceSum| {
        sum.after_pico_usd
            .unwrap_or(0)
            .abs_diff(sum.before_pico_usd.unwrap_or(0))
    };
    changed.sort_by(|a, b| {
        let names = || (&a.model, &a.provider).cmp(&(&b.model, &b.provider));
        change(&b.sum).cmp(&change(&a.sum)).then_with(names)
    });
    Ok(RepriceReport {
        applied: which.apply,
        total,
        models: changed,
        reported_calls: reported.into_iter().next().unwrap_or(0),
    })
}

/// Notes one row: its cost before, and what is known now.
fn note(sum: &mut RepriceSum, before: Option<i64>, found: Option<i64>) {
    let after = found.or(before);
    sum.calls += 1;
    sum.changed += u64::from(after != before);
    sum.newly_priced += u64::from(before.is_none() && after.is_some());
    sum.kept += u64::from(found.is_none() && before.is_some());
    sum.before_pico_usd = plus(sum.before_pico_usd, before);
    sum.after_pico_usd = plus(sum.after_pico_usd, after);
}

fn add(into: &mut RepriceSum, more: &RepriceSum) {
    into.calls += more.calls;
    into.changed += more.changed;
    into.newly_priced += more.newly_priced;
    into.kept += more.kept;
    into.before_pico_usd = plus(into.before_pico_usd, more.before_pico_usd);
    into.after_pico_usd = plus(into.after_pico_usd, more.after_pico_usd);
}

/// The sequence number of a row, with what was used, and when.
fn call(row: &duckdb::Row<'_>) -> duckdb::Result<(i64, Usage, i64)> {
    let usage = Usage {
        tokens: read::tokens(row, 1)?,
        characters: row.get(9)?,
        audio_ns: row.get(10)?,
        batch: row.get::<_, Option<bool>>(11)?.unwrap_or(false),
        ..Usage::default()
    };
    Ok((row.get(0)?, usage, row.get(12)?))
}
