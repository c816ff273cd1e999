//! Runs, sessions, agents and rooms: how many took part, in each bucket and in all.

use super::super::read::{self, Filter};
use super::super::slots::Slots;
use super::super::{parts, sums};
use super::calendar::Calendar;
use super::classes;
use super::rolled::Rolled;
use super::source::{Source, chooses_calls, chooses_sessions, part_filter};
use crate::StoreError;
use duckdb::Connection;
use duckdb::types::Value;
use meshscope_api::usage_query::UsageQuery;
use meshscope_api::{RunLatencyBucket, UsageTotals};

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) connection: &'a Connection,
    pub(super) slots: &'a Slots,
    pub(super) query: &'a UsageQuery,
    pub(super) calendar: &'a Calendar,
    pub(super) source: &'a Source,
    /// First and last moment.
    pub(super) bounds: (i64, i64),
    pub(super) now: i64,
}

fn bound((from, to): (i64, i64)) -> (i64, i64) {
    // The smallest integer has no literal of its own.
    (from.max(read::ANY_TIME.0), to)
}

/// Named query `chosen_runs` of the runs that started in the range, and its values.
fn runs_sql(asked: &Asked<'_>) -> Result<(String, Vec<Value>), StoreError> {
    let (with, mut values) = asked.source.sessions(asked.query, asked.slots, asked.now)?;
    let mut filter = part_filter(asked.slots, asked.query, asked.source);
    let query = asked.query;
    let plain = !chooses_calls(query) && !chooses_sessions(query);
    let (from, to) = bound(asked.bounds);
    let upto = sums::upto(asked.connection)?;
    let runs = match upto.filter(|_| plain) {
        Some(upto) => format!(
            "grown AS MATERIALIZED (SELECT DISTINCT trace_id FROM parts WHERE spans > 0 AND sequence > {upto}),
            all_runs AS (SELECT * FROM runs ANTI JOIN grown USING (trace_id)
                UNION ALL BY NAME {} SEMI JOIN grown USING (trace_id) WHERE spans > 0 GROUP BY trace_id)",
            sums::RUNS
        ),
        // What chooses a run is asked of its parts: any of them may say it.
        None => {
            let hit = format!(
                "hit AS (SELECT DISTINCT trace_id FROM parts WHERE spans > 0 AND {}),",
                filter.sql()
            );
            values.extend(std::mem::take(&mut filter).values);
            format!(
                "{hit} all_runs AS ({} SEMI JOIN hit USING (trace_id) WHERE spans > 0 GROUP BY trace_id)",
                sums::RUNS
            )
        }
    };
    filter.add(&format!("start BETWEEN {from} AND {to}"), []);
    values.extend(filter.values.iter().cloned());
    let sql = format!(
        "WITH {with} {runs}, chosen_runs AS (SELECT * FROM all_runs WHERE {})",
        filter.sql()
    );
    Ok((sql, values))
}

/// Counts the runs, and reads their latency, in each bucket and in all.
pub(super) fn runs(
    asked: &Asked<'_>,
    timeline: &mut [UsageTotals],
    totals: &mut UsageTotals,
) -> Result<Vec<RunLatencyBucket>, StoreError> {
    let (with, values) = runs_sql(asked)?;
    let sql = format!(
        "{with} SELECT bucket, count(*), {}, count(*) FILTER (errors > 0), count(*) FILTER (blocked > 0),
            coalesce(sum(spans), 0)::UBIGINT, coalesce(sum(errors), 0)::UBIGINT, coalesce(sum(blocked), 0)::UBIGINT
        FROM (SELECT {} AS bucket, * FROM chosen_runs) GROUP BY GROUPING SETS ((bucket), ()) ORDER BY 1 NULLS LAST",
        read::quantiles_of("duration"),
        asked.calendar.index_sql("start"),
    );
    let doing = "read the latency of runs";
    let found = read::rows(asked.connection, doing, &sql, values, |row| {
        let sums = UsageTotals {
            runs: row.get(1)?,
            run_latency_ns: read::quantiles(row.get(2)?),
            failed_runs: row.get(3)?,
            blocked_runs: row.get(4)?,
            spans: row.get(5)?,
            failed_spans: row.get(6)?,
            blocked_spans: row.get(7)?,
            ..UsageTotals::default()
        };
        Ok((row.get::<_, Option<usize>>(0)?, sums))
    })?;
    let copy = |into: &mut UsageTotals, from: &UsageTotals| {
        *into = UsageTotals {
            measures: std::mem::take(&mut into.measures),
            ..from.clone()
        };
    };
    let mut latency = Vec::new();
    for (bucket, sums) in &found {
        let Some(bucket) = *bucket else {
            copy(totals, sums);
            continue;
        };
        if let Some(slot) = timeline.get_mut(bucket) {
            copy(slot, sums);
        }
        latency.push(RunLatencyBucket {
            start: asked.calendar.bounds.get(bucket).copied().unwrap_or(0),
            runs: u32::try_from(sums.runs).unwrap_or(u32::MAX),
            latency_ns: sums.run_latency_ns,
        });
    }
    Ok(latency)
}

/// How many runs lie in each bucket and class of durations.
pub(super) fn run_classes(asked: &Asked<'_>) -> Result<Vec<(u32, i16, u64)>, StoreError> {
    let (with, values) = runs_sql(asked)?;
    let sql = format!(
        "{with} SELECT {}, {}, count(*) FROM chosen_runs GROUP BY ALL",
        asked.calendar.index_sql("start"),
        classes::sql("duration")
    );
    read::rows(
        asked.connection,
        "read the latency of runs",
        &sql,
        values,
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// Where sessions, agents and rooms are seen: named query `seen` with the bucket, and its values.
fn seen_sql(asked: &Asked<'_>, ledger: &Filter) -> Result<(String, Vec<Value>), StoreError> {
    let (query, calendar) = (asked.query, asked.calendar);
    let (with, mut values) = asked.source.sessions(query, asked.slots, asked.now)?;
    let filter = part_filter(asked.slots, query, asked.source);
    let (from, to) = bound(asked.bounds);
    let names = "project, session_id, room, agents";
    let spread = |parts: &str, condition: &str| {
        let (first, last) = (
            calendar.index_sql(&format!("greatest(first, {from})")),
            calendar.index_sql(&format!("least(last, {to})")),
        );
        format!(
            "SELECT unnest(range({first}, {last} + 1)) AS bucket, {names} FROM {parts}
            WHERE first <= {to} AND last >= {from} AND {condition} AND {}",
            filter.sql()
        )
    };
    let of_names = query.list.agent.is_some() && {
        let mut only = query.clone();
        only.list.agent = None;
        !chooses_calls(&only)
    };
    let simple = (!chooses_calls(query) || of_names) && query.trace.is_none();
    let rolled = if simple && !chooses_sessions(query) {
        Rolled::within(asked.connection, asked.bounds, calendar, Filter::default())?
    } else {
        None
    };
    let mut seen = match &rolled {
        None => {
            values.extend(filter.values.iter().cloned());
            spread(&parts::all(), "true")
        }
        Some(rolled) => {
            let edges: Vec<String> = rolled
                .unusable_ranges()
                .iter()
                .map(|(first, last)| format!("(first <= {last} AND last >= {first})"))
                .collect();
            let edges = if edges.is_empty() {
                "false".to_owned()
            } else {
                edges.join(" OR ")
            };
            let fresh = format!(
                "(sequence > {} OR last::HUGEINT - first::HUGEINT >= {} OR {edges})",
                rolled.upto,
                sums::LONG
            );
            for _ in 0..3 {
                values.extend(filter.values.iter().cloned());
            }
            format!(
                "SELECT {} AS bucket, {names} FROM presence WHERE {} AND {} UNION ALL {} UNION ALL {}",
                calendar.index_sql("hour"),
                rolled.usable(),
                filter.sql(),
                spread("parts", &fresh),
                spread(&format!("({})", parts::of_calls()), "true"),
            )
        }
    };
    // Calls that only counters tell are of no span.
    if chooses_calls(query) {
        seen += &format!(
            " UNION ALL SELECT {}, project, session_id, room, [agent] FROM ledger WHERE {}",
            calendar.index_sql("time"),
            ledger.sql()
        );
        values.extend(ledger.values.iter().cloned());
    }
    Ok((format!("WITH {with} seen AS ({seen})"), values))
}

/// Counts who took part, in each bucket and in all. `ledger` chooses the calls.
pub(super) fn present(
    asked: &Asked<'_>,
    ledger: &Filter,
    timeline: &mut [UsageTotals],
    totals: &mut UsageTotals,
) -> Result<(), StoreError> {
    let (with, values) = seen_sql(asked, ledger)?;
    let count = |names: &str| {
        format!(
            "SELECT bucket, count(*) AS n FROM {names} GROUP BY bucket
            UNION ALL SELECT NULL, count(*) FROM (SELECT DISTINCT * EXCLUDE (bucket) FROM {names})"
        )
    };
    let sql = format!(
        "{with}, seen_sessions AS MATERIALIZED (SELECT DISTINCT bucket, project, session_id FROM seen WHERE session_id IS NOT NULL),
        seen_rooms AS MATERIALIZED (SELECT DISTINCT bucket, project, room FROM seen WHERE room IS NOT NULL),
        seen_lists AS (SELECT DISTINCT bucket, project, agents FROM seen),
        seen_agents AS MATERIALIZED (SELECT DISTINCT bucket, project, agent FROM
            (SELECT bucket, project, unnest(agents) AS agent FROM seen_lists) WHERE agent IS NOT NULL)
        SELECT 0, * FROM ({}) UNION ALL SELECT 1, * FROM ({}) UNION ALL SELECT 2, * FROM ({})",
        count("seen_sessions"),
        count("seen_rooms"),
        count("seen_agents")
    );
    let found = read::rows(asked.connection, "count sessions", &sql, values, |row| {
        Ok((
            row.get::<_, i32>(0)?,
            row.get::<_, Option<usize>>(1)?,
            row.get::<_, u64>(2)?,
        ))
    })?;
    for (kind, bucket, count) in found {
        let slot = match bucket {
            Some(bucket) => timeline.get_mut(bucket),
            None => Some(&mut *totals),
        };
        if let Some(slot) = slot {
            match kind {
                0 => slot.sessions = count,
                1 => slot.rooms = count,
                _ => slot.agents = count,
            }
        }
    }
    Ok(())
}
