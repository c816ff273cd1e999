//! The calls of a selection as columns, for a "what if".

use super::super::read;
use super::super::slots::Slots;
use super::source::{self, Source};
use crate::StoreError;
use duckdb::Connection;
use hashbrown::HashMap;
use meshscope_api::usage_calls::{CalledModel, UsageCalls, flag};
use meshscope_api::usage_query::UsageQuery;
use meshscope_model::time::DAY;

/// How many rows there may be.
const MOST: usize = 1_000_000;

/// The answer of `GET /api/v1/usage/calls`.
pub(in super::super) fn calls(
    connection: &Connection,
    slots: &Slots,
    query: &UsageQuery,
    now: i64,
) -> Result<UsageCalls, StoreError> {
    let query = &UsageQuery {
        by: Vec::new(),
        ..query.clone()
    };
    let filter = source::call_filter(slots, query, query.list.range.bounds(now));
    let source = Source::of(connection, slots, query, now)?;
    let sql = format!(
        ", alike AS (SELECT CASE WHEN time >= 0 THEN time // {DAY} ELSE -((-time + {last}) // {DAY}) END AS day, model, provider,
            cost, coalesce(cost_source = 'reported', false) AS reported, coalesce(batch, false) AS batch, {tokens}, characters,
            audio_ns, count(*) AS n FROM chosen WHERE NOT claim GROUP BY ALL)
        SELECT day, coalesce(model, ''), provider, cost, reported, batch, {tokens}, characters, audio_ns, n FROM alike
        ORDER BY model, provider, day LIMIT {}",
        MOST + 1,
        last = DAY - 1,
        tokens = read::TOKEN_COLUMNS.join(", ")
    );
    let mut calls = UsageCalls::default();
    let (mut models, mut days) = (HashMap::new(), HashMap::new());
    source.read(connection, "read the calls", &filter, &sql, |row| {
        let model = CalledModel {
            model: row.get(1)?,
            provider: row.get(2)?,
        };
        let day = row.get::<_, i64>(0)?.saturating_mul(DAY);
        let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let known = place(calls.models.len());
        let index = *models.entry(model.clone()).or_insert(known);
        if index == known {
            calls.models.push(model);
        }
        let known = place(calls.days.len());
        let on = *days.entry(day).or_insert(known);
        if on == known {
            calls.days.push(day);
        }
        calls.model.push(index);
        calls.day.push(on);
        calls.cost.push(row.get(3)?);
        let (reported, batch): (bool, bool) = (row.get(4)?, row.get(5)?);
        calls
            .flags
            .push(if reported { flag::REPORTED } else { 0 } | if batch { flag::BATCH } else { 0 });
        calls.tokens.push(read::tokens(row, 6)?);
        calls.characters.push(row.get(14)?);
        calls.audio_ns.push(row.get(15)?);
        calls
            .count
            .push(u32::try_from(row.get::<_, i64>(16)?).unwrap_or(u32::MAX));
        Ok(())
    })?;
    if calls.len() > MOST {
        return Err(StoreError::Asked {
            parameter: "from",
            detail: format!(
                "more than {MOST} calls of this selection differ in what they used: ask for a shorter range or fewer of them"
            ),
        });
    }
    Ok(calls)
}
