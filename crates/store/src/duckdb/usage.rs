//! Usage: sums over the ledger, in buckets, groups and totals, and the rows under them.

use super::read::{self, Filter};
use super::{counted, measures, parts};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::usage_query::{self, Bucket, UsageGroupBy, UsageKey, UsageQuery};
use meshscope_api::{RunLatencyBucket, UsageReport, UsageRow, UsageRowPage, UsageTotals};
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

/// The same selection over the roll-up, for what is counted by runs and sessions.
fn part_filter(query: &UsageQuery, (from, to): (i64, i64)) -> Filter {
    let list = &query.list;
    let mut filter = Filter::default();
    filter.add(
        "first <= ? AND last >= ?",
        [Value::BigInt(to), Value::BigInt(from)],
    );
    for (column, text) in [
        ("project", &list.project),
        ("session_id", &list.session),
        ("room", &list.room),
    ] {
        filter.equal(column, text.as_deref());
    }
    filter.text("list_contains(agents, ?)", list.agent.as_deref());
    if let Some(system) = list.system {
        filter.add("system = ?", [Value::UTinyInt(system as u8)]);
    }
    // What the roll-up does not know is asked of the spans.
    let mut spans = Filter::default();
    for (column, text) in [
        ("model", &list.model),
        ("provider", &query.provider),
        ("tool", &query.tool),
        ("service", &query.service),
        ("role", &query.role),
    ] {
        spans.equal(column, text.as_deref());
    }
    if !spans.values.is_empty() {
        spans.equal("agent", list.agent.as_deref());
        let within = format!("trace_id IN (SELECT trace_id FROM spans WHERE {})", spans.sql());
        filter.add(&within, spans.values);
    }
    filter
}

/// Where the ledger's rows come from.
pub(super) struct Rows {
    /// Named queries that must stand before a query, each with a comma after it.
    with: String,
    values: Vec<Value>,
    table: &'static str,
}

impl Rows {
    /// All rows, with their sessions only when these are asked for; for one session only what
    /// belongs to it.
    fn of(connection: &Connection, query: &UsageQuery) -> Result<Self, StoreError> {
        let list = &query.list;
        let Some(session) = &list.session else {
            let sessions = list.q.is_some() || by(query) == Some(UsageGroupBy::Session);
            return Ok(Self {
                with: String::new(),
                values: Vec::new(),
                table: if sessions { "ledger" } else { "counted" },
            });
        };
        let text = || vec![Value::Text(session.clone())];
        let sql = "SELECT min(first), max(last) FROM parts WHERE session_id = ?";
        let window = read::rows(connection, "find a session", sql, text(), |row| {
            Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
        })?;
        Ok(Self {
            with: format!(
                "page_sessions AS (SELECT DISTINCT project, session_id FROM {} WHERE session_id = ?),
                page_traces AS (SELECT DISTINCT trace_id FROM parts
                    WHERE spans > 0 AND (project, session_id) IN (SELECT (project, session_id) FROM page_sessions)),
                {},",
                parts::all(),
                counted::of_page(window.into_iter().next().flatten().unwrap_or((0, 0)))
            ),
            values: text(),
            table: "page_ledger",
        })
    }

    /// Claims over such rows that do not count.
    fn claims(&self) -> &'static str {
        match self.table {
            "counted" => "covered",
            "ledger" => "claims",
            _ => "page_claims",
        }
    }

    /// Every row of a query over `chosen`, the rows that `filter` chooses.
    pub(super) fn read<T>(
        &self,
        connection: &Connection,
        doing: &'static str,
        filter: &Filter,
        sql: &str,
        row: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let sql = format!(
            "WITH {} chosen AS (SELECT * FROM {} WHERE {}) {sql}",
            self.with,
            self.table,
            filter.sql()
        );
        let values = self.values.iter().chain(&filter.values).cloned().collect();
        read::rows(connection, doing, &sql, values, row)
    }
}

/// Column or expression of a grouping.
pub(super) fn group_sql(by: UsageGroupBy) -> String {
    match by {
        UsageGroupBy::Session => "session_id".to_owned(),
        UsageGroupBy::Trace => "replace(trace_id::VARCHAR, '-', '')".to_owned(),
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
    let mut filter = part_filter(query, bounds);
    filter.add("spans > 0 AND first > 0", []);
    let sql = format!("SELECT min(first), max(last) FROM parts WHERE {}", filter.sql());
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

/// The first known key of the grouping.
pub(super) fn by(query: &UsageQuery) -> Option<UsageGroupBy> {
    query.by.iter().find_map(|key| match key {
        UsageKey::By(by) => Some(*by),
        UsageKey::Attribute(_) => None,
    })
}

/// The report of `GET /api/v1/usage`.
pub(super) fn report(
    connection: &Connection,
    query: &UsageQuery,
    now: i64,
) -> Result<UsageReport, StoreError> {
    let bounds = query.list.range.bounds(now);
    let (from, to) = shown(connection, query, bounds, now)?;
    let bucket = query
        .bucket
        .unwrap_or_else(|| usage_query::fitting(to.saturating_sub(from), BUCKET_GOAL));
    let bucket_ns = bucket.nominal_ns();
    let filter = filter(query, bounds);
    let rows = Rows::of(connection, query)?;
    let measured = measures::measure(connection, query, &rows, &filter, bucket_ns)?;
    let mut totals = UsageTotals {
        measures: measured.total,
        ..UsageTotals::default()
    };
    let run_latency = runs(connection, query, bounds, bucket_ns, &mut totals)?;
    totals.sessions = sessions(connection, query, &filter, bounds)?;
    claims(connection, &rows, &filter, &mut totals)?;
    Ok(UsageReport {
        from,
        to,
        bucket: Bucket::as_str(bucket).to_owned(),
        bucket_ns,
        buckets: measured.buckets,
        groups: measured.groups,
        run_latency,
        totals,
        quantile_error: measured.quantile_error,
        ..UsageReport::default()
    })
}

/// SQL of the start of the bucket that a moment lies in.
pub(super) fn bucket_sql(moment: &str, ns: i64) -> String {
    format!(
        "(CASE WHEN {moment} >= 0 THEN {moment} // {ns} ELSE -((-{moment} + {ns} - 1) // {ns}) END * {ns})::BIGINT"
    )
}

/// Named query `runs` of the runs that are asked for.
fn runs_sql(parts: &Filter) -> String {
    format!(
        "WITH hit AS (SELECT DISTINCT trace_id FROM parts WHERE spans > 0 AND {}),
        runs AS (SELECT min(first) AS start,
            least(max(last)::HUGEINT - min(first)::HUGEINT, 9223372036854775807)::BIGINT AS duration,
            sum(errors) > 0 AS failed, sum(blocked) > 0 AS blocked
            FROM (SELECT * FROM parts WHERE spans > 0) SEMI JOIN hit USING (trace_id) GROUP BY trace_id)",
        parts.sql()
    )
}

/// Counts the runs, and reads their latency in each bucket and in all.
fn runs(
    connection: &Connection,
    query: &UsageQuery,
    bounds: (i64, i64),
    bucket_ns: i64,
    totals: &mut UsageTotals,
) -> Result<Vec<RunLatencyBucket>, StoreError> {
    let parts = part_filter(query, bounds);
    let sql = format!(
        "{} SELECT bucket, count(*), {}, count(*) FILTER (failed), count(*) FILTER (blocked)
        FROM (SELECT {} AS bucket, * FROM runs) GROUP BY GROUPING SETS ((bucket), ()) ORDER BY 1 NULLS LAST",
        runs_sql(&parts),
        read::quantiles_of("duration"),
        bucket_sql("start", bucket_ns),
    );
    let found = read::rows(
        connection,
        "read the latency of runs",
        &sql,
        parts.values,
        |row| {
            let latency = read::quantiles(row.get(2)?);
            let Some(start) = row.get(0)? else {
                totals.runs = row.get(1)?;
                totals.run_latency_ns = latency;
                totals.failed_runs = row.get(3)?;
                totals.blocked_runs = row.get(4)?;
                return Ok(None);
            };
            Ok(Some(RunLatencyBucket {
                start,
                runs: u32::try_from(row.get::<_, i64>(1)?).unwrap_or(u32::MAX),
                latency_ns: latency,
            }))
        },
    )?;
    Ok(found.into_iter().flatten().collect())
}

/// Sums up what ancestors claim over calls that count already.
fn claims(
    connection: &Connection,
    rows: &Rows,
    filter: &Filter,
    totals: &mut UsageTotals,
) -> Result<(), StoreError> {
    let sql = format!(
        "WITH {} sums AS (SELECT {}, {} FROM {} WHERE {}) SELECT * FROM sums",
        rows.with,
        read::sum_of("cost"),
        read::sum_of("total_tokens"),
        rows.claims(),
        filter.sql()
    );
    let values = rows.values.iter().chain(&filter.values).cloned().collect();
    read::rows(connection, "sum up claims", &sql, values, |row| {
        totals.claimed_cost_pico_usd = row.get(0)?;
        totals.claimed_tokens = row.get(1)?;
        Ok(())
    })?;
    Ok(())
}

/// How many sessions took part.
fn sessions(
    connection: &Connection,
    query: &UsageQuery,
    filter: &Filter,
    bounds: (i64, i64),
) -> Result<u64, StoreError> {
    let list = &query.list;
    let parts = part_filter(query, bounds);
    let mut sql = format!(
        "SELECT project, session_id FROM {} WHERE session_id IS NOT NULL AND {}",
        parts::all(),
        parts.sql()
    );
    let mut values = parts.values;
    // Calls that only counters tell are of no span.
    let of_calls = [
        &list.model,
        &list.agent,
        &query.provider,
        &query.tool,
        &query.role,
        &query.service,
        &list.q,
    ];
    if of_calls.into_iter().any(Option::is_some) {
        sql = format!(
            "{sql} UNION ALL SELECT project, session_id FROM ledger WHERE session_id IS NOT NULL AND {}",
            filter.sql()
        );
        values.extend(filter.values.clone());
    }
    let sql = format!("SELECT count(*) FROM (SELECT DISTINCT project, session_id FROM ({sql}))");
    let count = read::rows(connection, "count sessions", &sql, values, |row| row.get(0))?;
    Ok(count.into_iter().next().unwrap_or(0))
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
    let rows = Rows::of(connection, query)?;
    // Sessions are looked up for the page alone where the rows come without.
    let session = match rows.table {
        "counted" => "NULL::VARCHAR AS session_id",
        _ => "session_id",
    };
    let columns = format!(
        "time, trace_id, span_id, project, system, room, service, agent, operation, model, provider, duration, {},
        cost, cost_source, error, sequence, session, fallback_session, call, {session}",
        read::TOKEN_COLUMNS.join(", ")
    );
    let (chosen, claims) = (filter.sql(), rows.claims());
    let sql = format!(
        "WITH {} page AS MATERIALIZED (SELECT * FROM (
            SELECT {columns}, false AS uncounted FROM {} WHERE {chosen}
            UNION ALL SELECT {columns}, true FROM {claims} WHERE {chosen}) ORDER BY time DESC, sequence DESC LIMIT {}),
        k AS (SELECT call, min(trace_id) AS trace_id FROM calls WHERE call IN (SELECT call FROM page) GROUP BY call),
        t AS (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
            WHERE trace_id IN (SELECT trace_id FROM page UNION ALL SELECT trace_id FROM k) GROUP BY trace_id)
        SELECT page.time, page.trace_id::VARCHAR, page.span_id,
            coalesce(page.session_id, page.session, t.session, page.fallback_session,
                replace(coalesce(page.trace_id, k.trace_id)::VARCHAR, '-', '')),
            project, system, room, service, agent, operation, model, provider, duration, {}, cost, cost_source, uncounted,
            error, sequence
        FROM page LEFT JOIN k ON k.call = page.call LEFT JOIN t ON t.trace_id = coalesce(page.trace_id, k.trace_id)
        ORDER BY page.time DESC, sequence DESC",
        rows.with,
        rows.table,
        limit + 1,
        read::TOKEN_COLUMNS.join(", "),
    );
    let values = rows
        .values
        .iter()
        .chain(&filter.values)
        .chain(&filter.values)
        .cloned()
        .collect();
    let mut found = read::rows(connection, "read the ledger", &sql, values, |row| {
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
            ..UsageRow::default()
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
