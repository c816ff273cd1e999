//! Usage: sums over the ledger, in buckets, groups and totals, and the rows under them.

use super::read::{self, Filter};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::query::{BUCKETS, UsageGroupBy, UsageQuery};
use meshscope_api::usage::{
    RunLatencyBucket, UsageBucket, UsageGroup, UsageMeasures, UsageReport, UsageRow, UsageRowPage,
    UsageTotals,
};
use meshscope_model::{Operation, SpanId};

/// How many buckets a report has at the most when no width is asked for.
const BUCKET_GOAL: i64 = 90;

/// Filters on the ledger; every name is a column of the view.
fn filter(query: &UsageQuery, (from, to): (i64, i64)) -> Filter {
    let list = &query.list;
    let mut filter = Filter::default();
    filter.add(
        "time >= ? AND time <= ?",
        [Value::BigInt(from), Value::BigInt(to)],
    );
    for (column, text) in [
        ("project", &list.project),
        ("session_id", &list.session),
        ("room", &list.room),
        ("agent", &list.agent),
        ("model", &list.model),
        ("provider", &query.provider),
        ("tool", &query.tool),
        ("service", &query.service),
        ("role", &query.role),
    ] {
        filter.equal(column, text.as_deref());
    }
    if let Some(system) = list.system {
        filter.add("system = ?", [Value::UTinyInt(system as u8)]);
    }
    if let Some(cost) = list.min_cost_pico_usd {
        filter.add("cost >= ?", [Value::BigInt(cost)]);
    }
    if let Some(duration) = list.min_duration_ns {
        filter.add("duration >= ?", [Value::BigInt(duration)]);
    }
    if let Some(has) = list.has_error {
        filter.add(if has { "error" } else { "NOT error" }, []);
    }
    let any = "contains(lower(concat_ws(chr(10), session_id, room, agent, model, provider, tool, service, \
               replace(trace_id::VARCHAR, '-', ''))), lower(?))";
    filter.text(any, list.q.as_deref());
    filter
}

/// The same selection over spans, for what is counted by runs and sessions.
fn span_filter(query: &UsageQuery, (from, to): (i64, i64)) -> Filter {
    let list = &query.list;
    let mut filter = Filter::default();
    filter.add(
        "start_time >= ? AND start_time <= ?",
        [Value::BigInt(from), Value::BigInt(to)],
    );
    for (column, text) in [
        ("project", &list.project),
        ("session_id", &list.session),
        ("room", &list.room),
        ("agent", &list.agent),
        ("model", &list.model),
        ("provider", &query.provider),
        ("tool", &query.tool),
        ("service", &query.service),
        ("role", &query.role),
    ] {
        filter.equal(column, text.as_deref());
    }
    if let Some(system) = list.system {
        filter.add("system = ?", [Value::UTinyInt(system as u8)]);
    }
    filter
}

/// The same selection over logs and metric points.
fn record_filter(query: &UsageQuery, (from, to): (i64, i64)) -> Filter {
    let list = &query.list;
    let mut filter = Filter::default();
    filter.add("session_id IS NOT NULL", []);
    filter.add(
        "time >= ? AND time <= ?",
        [Value::BigInt(from), Value::BigInt(to)],
    );
    for (column, text) in [
        ("project", &list.project),
        ("session_id", &list.session),
        ("room", &list.room),
        ("agent", &list.agent),
        ("service", &query.service),
    ] {
        filter.equal(column, text.as_deref());
    }
    if let Some(system) = list.system {
        filter.add("system = ?", [Value::UTinyInt(system as u8)]);
    }
    filter
}

/// SQL of the measures, read by [`measures`].
fn measures_sql() -> String {
    format!(
        "{}, {}, count(*) FILTER (cost IS NULL), count(*), count(*) FILTER (error), {}, {}, {}",
        read::token_sums(),
        read::sum_of("cost"),
        read::sum_of("carbon"),
        read::quantiles_of("duration"),
        read::quantiles_of("time_to_first_token")
    )
}

fn measures(row: &Row<'_>, first: usize) -> duckdb::Result<UsageMeasures> {
    Ok(UsageMeasures {
        tokens: read::tokens(row, first)?,
        cost_pico_usd: row.get(first + 8)?,
        unpriced_calls: row.get(first + 9)?,
        calls: row.get(first + 10)?,
        errors: row.get(first + 11)?,
        carbon_ug: row.get(first + 12)?,
        latency_ns: read::quantiles(row.get(first + 13)?),
        time_to_first_token_ns: read::quantiles(row.get(first + 14)?),
    })
}

/// Column or expression of a grouping.
fn group_sql(by: UsageGroupBy) -> String {
    match by {
        UsageGroupBy::Session => "session_id".to_owned(),
        UsageGroupBy::System => {
            let names = meshscope_model::System::ALL.map(|system| format!("'{}'", system.as_str()));
            format!("[{}][system + 1]", names.join(", "))
        }
        other => other.as_str().to_owned(),
    }
}

/// The bounds that a report shows: those asked for, and for what is open those of the rows.
fn shown(
    connection: &Connection,
    query: &UsageQuery,
    bounds: (i64, i64),
    now: i64,
) -> Result<(i64, i64), StoreError> {
    let asked = query.list.range;
    if asked.from.is_some_and(|from| from != 0) || asked.from.is_none() {
        return Ok((bounds.0, asked.to.unwrap_or(now).max(bounds.0.saturating_add(1))));
    }
    let filter = span_filter(query, bounds);
    let sql = format!(
        "SELECT min(start_time), max(start_time) FROM session_spans WHERE {} AND start_time > 0",
        filter.sql()
    );
    let found = read::rows(
        connection,
        "read the range of usage",
        &sql,
        filter.values,
        |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)),
    )?;
    let (first, last) = found.into_iter().next().unwrap_or((None, None));
    let from = first.unwrap_or(now);
    let to = asked
        .to
        .unwrap_or_else(|| last.map_or(now, |last| last.saturating_add(1)));
    Ok((from, to.max(from.saturating_add(1))))
}

/// A width that gives at most [`BUCKET_GOAL`] buckets.
fn width(from: i64, to: i64) -> i64 {
    let span = to.saturating_sub(from);
    let fits = BUCKETS
        .iter()
        .map(|(_, ns)| *ns)
        .find(|ns| span / ns < BUCKET_GOAL);
    let day = meshscope_model::time::DAY;
    fits.unwrap_or_else(|| (span / BUCKET_GOAL / day + 1).saturating_mul(day))
}

/// The report of `GET /api/v1/usage`.
pub(super) fn report(
    connection: &Connection,
    query: &UsageQuery,
    now: i64,
) -> Result<UsageReport, StoreError> {
    let bounds = query.list.range.bounds(now);
    let (from, to) = shown(connection, query, bounds, now)?;
    let bucket_ns = query.bucket_ns.unwrap_or_else(|| width(from, to));
    let group = query.by.map(group_sql);
    let filter = filter(query, bounds);
    let key = group.as_deref().unwrap_or("NULL");
    let start = format!(
        "(CASE WHEN {{t}} >= 0 THEN {{t}} // {bucket_ns} ELSE -((-{{t}} + {bucket_ns} - 1) // {bucket_ns}) END * {bucket_ns})::BIGINT"
    );
    let bucket = start.replace("{t}", "time");
    let sql = format!(
        "SELECT {bucket}, coalesce({key}, ''), {} FROM ledger WHERE {} GROUP BY 1, 2 ORDER BY 1, 2",
        measures_sql(),
        filter.sql()
    );
    let buckets = read::rows(connection, "sum up usage", &sql, filter.values.clone(), |row| {
        let name: String = row.get(1)?;
        Ok(UsageBucket {
            start: row.get(0)?,
            group: query.by.map(|_| name),
            measures: measures(row, 2)?,
        })
    })?;
    let mut groups = Vec::new();
    if query.by.is_some() {
        let sql = format!(
            "SELECT coalesce({key}, ''), CASE WHEN count(DISTINCT provider) = 1 THEN min(provider) END, {}
            FROM ledger WHERE {} GROUP BY 1 ORDER BY sum(cost) DESC NULLS LAST, sum(total_tokens) DESC NULLS LAST, 1",
            measures_sql(),
            filter.sql()
        );
        let by_model = query.by == Some(UsageGroupBy::Model);
        groups = read::rows(connection, "group usage", &sql, filter.values.clone(), |row| {
            let provider: Option<String> = row.get(1)?;
            Ok(UsageGroup {
                group: row.get(0)?,
                provider: provider.filter(|_| by_model),
                measures: measures(row, 2)?,
            })
        })?;
    }
    let spans = span_filter(query, bounds);
    let runs = format!(
        "WITH hit AS (SELECT DISTINCT trace_id FROM session_spans WHERE {}),
        runs AS (SELECT min(start_time) AS start,
            least(max(last_time)::HUGEINT - min(start_time)::HUGEINT, 9223372036854775807)::BIGINT AS duration,
            bool_or(error IS NOT NULL AND NOT blocked) AS failed, bool_or(blocked) AS blocked
            FROM spans SEMI JOIN hit USING (trace_id) GROUP BY trace_id)",
        spans.sql()
    );
    let sql = format!(
        "{runs} SELECT {}, count(*), {} FROM runs GROUP BY 1 ORDER BY 1",
        start.replace("{t}", "start"),
        read::quantiles_of("duration")
    );
    let run_latency = read::rows(
        connection,
        "read the latency of runs",
        &sql,
        spans.values.clone(),
        |row| {
            let runs = u32::try_from(row.get::<_, i64>(1)?).unwrap_or(u32::MAX);
            Ok(RunLatencyBucket {
                start: row.get(0)?,
                runs,
                latency_ns: read::quantiles(row.get(2)?),
            })
        },
    )?;
    let mut totals = UsageTotals::default();
    let sql = format!("SELECT {} FROM ledger WHERE {}", measures_sql(), filter.sql());
    if let Some(all) = read::rows(connection, "sum up usage", &sql, filter.values.clone(), |row| {
        measures(row, 0)
    })?
    .pop()
    {
        totals.measures = all;
    }
    let sql = format!(
        "{runs} SELECT count(*), count(*) FILTER (failed), count(*) FILTER (blocked), {} FROM runs",
        read::quantiles_of("duration")
    );
    read::rows(connection, "count runs", &sql, spans.values.clone(), |row| {
        totals.runs = row.get(0)?;
        totals.failed_runs = row.get(1)?;
        totals.blocked_runs = row.get(2)?;
        totals.run_latency_ns = read::quantiles(row.get(3)?);
        Ok(())
    })?;
    let mut parts = vec![
        format!(
            "SELECT DISTINCT project, session_id FROM session_spans WHERE session_id IS NOT NULL AND {}",
            spans.sql()
        ),
        format!(
            "SELECT DISTINCT project, session_id FROM ledger WHERE session_id IS NOT NULL AND {}",
            filter.sql()
        ),
    ];
    let mut values: Vec<Value> = spans.values.into_iter().chain(filter.values.clone()).collect();
    // Logs and points know no model, tool or role: with such a filter they are not of the selection.
    let calls_only = [&query.list.model, &query.provider, &query.tool, &query.role]
        .into_iter()
        .any(Option::is_some);
    for view in ["session_logs", "session_points"]
        .into_iter()
        .filter(|_| !calls_only)
    {
        let mut records = record_filter(query, bounds);
        parts.push(format!(
            "SELECT DISTINCT project, session_id FROM {view} WHERE {}",
            records.sql()
        ));
        values.append(&mut records.values);
    }
    let sql = format!("SELECT count(*) FROM ({})", parts.join(" UNION "));
    read::rows(connection, "count sessions", &sql, values, |row| {
        totals.sessions = row.get(0)?;
        Ok(())
    })?;
    let sql = format!(
        "SELECT {}, {} FROM claims WHERE {}",
        read::sum_of("cost"),
        read::sum_of("total_tokens"),
        filter.sql()
    );
    read::rows(connection, "sum up claims", &sql, filter.values, |row| {
        totals.claimed_cost_pico_usd = row.get(0)?;
        totals.claimed_tokens = row.get(1)?;
        Ok(())
    })?;
    Ok(UsageReport {
        from,
        to,
        bucket_ns,
        buckets,
        groups,
        run_latency,
        totals,
    })
}

/// The ledger rows under a figure, newest first; claims that were not counted stand among them.
pub(super) fn rows(
    connection: &Connection,
    query: &UsageQuery,
    now: i64,
) -> Result<UsageRowPage, StoreError> {
    let mut filter = filter(query, query.list.range.bounds(now));
    if let Some((time, sequence)) = read::read_cursor::<(i64, i64)>(query.list.cursor.as_deref())? {
        let after = "time < ? OR (time = ? AND sequence < ?)";
        filter.add(
            after,
            [Value::BigInt(time), Value::BigInt(time), Value::BigInt(sequence)],
        );
    }
    let limit = query.list.limit as usize;
    let sql = format!(
        "WITH u AS (SELECT *, false AS uncounted FROM ledger UNION ALL SELECT *, true FROM claims)
        SELECT time, trace_id::VARCHAR, span_id, session_id, project, system, room, service, agent, operation, model,
            provider, duration, {}, cost, cost_source, uncounted, error, sequence
        FROM u WHERE {} ORDER BY time DESC, sequence DESC LIMIT {}",
        read::TOKEN_COLUMNS.join(", "),
        filter.sql(),
        limit + 1
    );
    let mut found = read::rows(connection, "read the ledger", &sql, filter.values, |row| {
        let uuid: Option<String> = row.get(1)?;
        let ledger = UsageRow {
            time: row.get(0)?,
            trace_id: uuid.map(|uuid| read::trace_id_of(&uuid)),
            span_id: row.get::<_, Option<u64>>(2)?.map(SpanId::from_u64),
            session_id: row.get(3)?,
            project: row.get(4)?,
            system: read::system(row.get(5)?),
            room: row.get(6)?,
            service: row.get(7)?,
            agent: row.get(8)?,
            operation: Operation::from_number(row.get(9)?),
            model: row.get(10)?,
            provider: row.get(11)?,
            duration_ns: row.get(12)?,
            tokens: read::tokens(row, 13)?,
            cost_pico_usd: row.get(21)?,
            cost_source: row.get::<_, Option<String>>(22)?.map(read::cost_source),
            claim: row.get(23)?,
            error: row.get(24)?,
        };
        Ok((ledger, row.get::<_, i64>(25)?))
    })?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|(last, sequence)| read::write_cursor(&(last.time, *sequence)));
    Ok(UsageRowPage {
        rows: found.into_iter().map(|(row, _)| row).collect(),
        next_cursor,
    })
}
