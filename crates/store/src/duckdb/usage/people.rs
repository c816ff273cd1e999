//! Runs, sessions, agents and rooms: how many took part, in each bucket and in all.

use super::super::read::{self, Filter};
use super::super::slots::Slots;
use super::super::{engine_error, parts, sums};
use super::calendar::Calendar;
use super::classes::{self, Classes};
use super::rolled::Rolled;
use super::source::{Source, chooses_calls, chooses_sessions, of_chosen, part_filter};
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

/// Whether runs have grown since they were summed up.
fn any_grown(connection: &Connection, upto: i64) -> Result<bool, StoreError> {
    let sql = format!("SELECT count(*) > 0 FROM parts WHERE spans > 0 AND sequence > {upto}");
    connection
        .query_row(&sql, [], |row| row.get(0))
        .map_err(engine_error("count the runs"))
}

/// Named query `chosen_runs` of the runs that started in the range, and its values.
fn runs_sql(asked: &Asked<'_>) -> Result<(String, Vec<Value>), StoreError> {
    let (with, mut values) = asked.source.sessions(asked.query, asked.slots, asked.now);
    let mut filter = part_filter(asked.slots, asked.query, asked.source);
    let query = asked.query;
    // A run has one room and system in the sums; here any of its parts may have them.
    let of_part = query.list.room.is_some() || query.list.system.is_some();
    let plain = !of_part && !chooses_calls(query) && !chooses_sessions(query);
    let (from, to) = bound(asked.bounds);
    // What chooses a run is otherwise asked of its parts: any of them may say it.
    let (mut hit, mut of_hit) = (String::new(), "");
    if !plain {
        hit = format!(
            "hit AS (SELECT DISTINCT trace_id FROM parts WHERE spans > 0 AND {}),",
            filter.sql()
        );
        of_hit = "SEMI JOIN hit USING (trace_id)";
        values.extend(std::mem::take(&mut filter).values);
    }
    let runs = match sums::upto(asked.connection)? {
        Some(upto) if !any_grown(asked.connection, upto)? => format!("all_runs AS (SELECT * FROM runs {of_hit})"),
        // Few have grown since: `NOT IN` looks each run up among them, where a join may do it the other way.
        Some(upto) => format!(
            "grown AS MATERIALIZED (SELECT DISTINCT trace_id FROM parts WHERE spans > 0 AND sequence > {upto}),
            all_runs AS (SELECT * FROM runs {of_hit} WHERE trace_id NOT IN (SELECT trace_id FROM grown)
                UNION ALL BY NAME {} SEMI JOIN grown USING (trace_id) {of_hit} WHERE spans > 0 GROUP BY trace_id)",
            sums::RUNS
        ),
        None => format!(
            "all_runs AS ({} {of_hit} WHERE spans > 0 GROUP BY trace_id)",
            sums::RUNS
        ),
    };
    filter.add(&format!("start BETWEEN {from} AND {to}"), []);
    values.extend(filter.values.iter().cloned());
    let sql = format!(
        "WITH {with} {hit} {runs}, chosen_runs AS (SELECT * FROM all_runs WHERE {})",
        filter.sql()
    );
    Ok((sql, values))
}

/// Counts the runs, and reads their latency, in each bucket and in all: up to `exact` runs to the ns,
/// beyond off classes of durations.
pub(super) fn runs(
    asked: &Asked<'_>,
    exact: u64,
    timeline: &mut [UsageTotals],
    totals: &mut UsageTotals,
) -> Result<Vec<RunLatencyBucket>, StoreError> {
    let (with, values) = runs_sql(asked)?;
    let sql = format!(
        "{with} SELECT {}, {}, count(*), count(*) FILTER (errors > 0), count(*) FILTER (blocked > 0),
            sum(spans)::UBIGINT, sum(errors)::UBIGINT, sum(blocked)::UBIGINT FROM chosen_runs GROUP BY ALL",
        asked.calendar.index_sql("start"),
        classes::sql("duration"),
    );
    let mut in_all = Classes::default();
    let mut buckets = vec![Classes::default(); timeline.len()];
    read::rows(asked.connection, "count the runs", &sql, values, |row| {
        let (bucket, class): (usize, i16) = (row.get(0)?, row.get(1)?);
        let mut counts = [0_u64; 6];
        for (n, count) in counts.iter_mut().enumerate() {
            *count = row.get(2 + n)?;
        }
        let [runs, failed, blocked, spans, failed_spans, blocked_spans] = counts;
        in_all.add(class, runs);
        if let Some(classes) = buckets.get_mut(bucket) {
            classes.add(class, runs);
        }
        for sums in timeline.get_mut(bucket).into_iter().chain([&mut *totals]) {
            sums.runs += runs;
            sums.failed_runs += failed;
            sums.blocked_runs += blocked;
            sums.spans += spans;
            sums.failed_spans += failed_spans;
            sums.blocked_spans += blocked_spans;
        }
        Ok(())
    })?;
    if totals.runs <= exact {
        run_quantiles(asked, timeline, totals)?;
    } else {
        totals.run_latency_ns = in_all.quantiles();
        for (sums, classes) in timeline.iter_mut().zip(&buckets) {
            sums.run_latency_ns = classes.quantiles();
        }
    }
    let all = asked.calendar.bounds.iter().zip(timeline.iter());
    Ok(all
        .filter(|(_, sums)| sums.runs > 0)
        .map(|(start, sums)| RunLatencyBucket {
            start: *start,
            runs: u32::try_from(sums.runs).unwrap_or(u32::MAX),
            latency_ns: sums.run_latency_ns,
        })
        .collect())
}

/// Reads the latency of the runs to the ns.
fn run_quantiles(
    asked: &Asked<'_>,
    timeline: &mut [UsageTotals],
    totals: &mut UsageTotals,
) -> Result<(), StoreError> {
    let (with, values) = runs_sql(asked)?;
    let sql = format!(
        "{with} SELECT bucket, {} FROM (SELECT {} AS bucket, duration FROM chosen_runs)
        GROUP BY GROUPING SETS ((bucket), ())",
        read::quantiles_of("duration"),
        asked.calendar.index_sql("start"),
    );
    read::rows(
        asked.connection,
        "read the latency of runs",
        &sql,
        values,
        |row| {
            let slot = match row.get::<_, Option<usize>>(0)? {
                Some(bucket) => timeline.get_mut(bucket),
                None => Some(&mut *totals),
            };
            if let Some(slot) = slot {
                slot.run_latency_ns = read::quantiles(row.get(1)?);
            }
            Ok(())
        },
    )?;
    Ok(())
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

/// Hours beyond which one condition on all rows is cheaper than one on the rows of each.
const FEW: usize = 4;

/// Conditions on the rows of the roll-up that the sums do not have; a row may meet several. What is in order
/// of time and sequence is a condition of its own, by which the engine leaves out what it need not look at.
fn not_summed(connection: &Connection, rolled: &Rolled) -> Result<Vec<String>, StoreError> {
    let upto = rolled.upto;
    let mut all = vec![format!("sequence > {upto}")];
    let edges = rolled.unusable_ranges();
    let edges = edges
        .iter()
        .map(|(first, last)| format!("sequence <= {upto} AND first <= {last} AND last >= {first}"));
    all.extend(edges);
    let long = sums::may_be_long(connection, upto)?;
    if long {
        all.push(sums::is_long());
    }
    if long || all.len() > FEW {
        return Ok(vec![format!("({})", all.join(" OR "))]);
    }
    Ok(all)
}

/// Where sessions, agents and rooms are seen: named queries `seen` (bucket, project, session_id, room) and
/// `acted` (bucket, project, agent), and their values.
fn seen_sql(asked: &Asked<'_>, ledger: &Filter) -> Result<(String, Vec<Value>), StoreError> {
    let (query, calendar) = (asked.query, asked.calendar);
    let (with, mut values) = asked.source.sessions(query, asked.slots, asked.now);
    let filter = part_filter(asked.slots, query, asked.source);
    let (from, to) = bound(asked.bounds);
    let index = |moment: &str| calendar.index_sql(moment);
    // What one commit brought of a session may lie far apart, which says nothing of the time between:
    // such a row counts where it begins and ends, and in all.
    let spread = |parts: &str, condition: &str| {
        format!(
            "SELECT unnest(CASE WHEN {} THEN [NULL, CASE WHEN first >= {from} THEN {} END, CASE WHEN last <= {to} THEN {} END]::BIGINT[]
                ELSE range({}, {} + 1) END) AS bucket, project, session_id, room, agents
            FROM {parts} WHERE first <= {to} AND last >= {from} AND {condition} AND {}",
            sums::is_long(),
            index("first"),
            index("last"),
            index(&format!("greatest(first, {from})")),
            index(&format!("least(last, {to})")),
            filter.sql()
        )
    };
    let known = !chooses_calls(query) && !chooses_sessions(query) && query.trace.is_none();
    let rolled = match known {
        true => Rolled::within(asked.connection, asked.bounds, calendar, Filter::default())?,
        false => None,
    };
    let (pieces, sums) = match &rolled {
        None => {
            values.extend(filter.values.iter().cloned());
            (spread(&parts::all(), "true"), None)
        }
        Some(rolled) => {
            let mut parts: Vec<String> = not_summed(asked.connection, rolled)?
                .iter()
                .map(|condition| spread("parts", condition))
                .collect();
            parts.push(spread(&format!("({})", parts::of_calls()), "true"));
            for _ in 0..2 + parts.len() {
                values.extend(filter.values.iter().cloned());
            }
            let which = format!("WHERE {} AND {}", rolled.usable(), filter.sql());
            (
                parts.join(" UNION ALL "),
                Some((calendar.index_sql("hour"), which)),
            )
        }
    };
    // Calls that only counters tell are of no span, so that no run has them.
    let counted = match chooses_calls(query) {
        true => {
            values.extend(ledger.values.iter().cloned());
            let bucket = calendar.index_sql("time");
            format!(
                " UNION ALL SELECT {bucket}, project, session_id, room, [agent] FROM ledger WHERE source <> 0 AND {} AND {}",
                ledger.sql(),
                of_chosen(query)
            )
        }
        false => String::new(),
    };
    let of_sums = |columns: &str, table: &str| {
        sums.as_ref().map_or_else(String::new, |(hour, which)| {
            format!(" UNION ALL SELECT {hour} AS bucket, {columns} FROM {table} {which}")
        })
    };
    let sql = format!(
        "WITH {with} pieces AS MATERIALIZED ({pieces}{counted}),
        seen AS (SELECT bucket, project, session_id, room FROM pieces{}),
        acted AS (SELECT bucket, project, unnest(agents) AS agent
            FROM (SELECT DISTINCT bucket, project, agents FROM pieces){})",
        of_sums("project, session_id, room", "presence"),
        of_sums("project, agent", "presence_agents"),
    );
    Ok((sql, values))
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
            "SELECT bucket, count(*) AS n FROM {names} WHERE bucket IS NOT NULL GROUP BY bucket
            UNION ALL SELECT NULL, count(*) FROM (SELECT DISTINCT * EXCLUDE (bucket) FROM {names})"
        )
    };
    // Most sessions lie within one bucket, so that they need not be told apart for each again. A session's
    // room may come with its last record: it is the room of all of it.
    let sql = format!(
        "{with}, seen_sessions AS MATERIALIZED (SELECT project, session_id, min(room) AS room, min(bucket) AS lo, max(bucket) AS hi
            FROM seen WHERE session_id IS NOT NULL GROUP BY project, session_id),
        spread AS MATERIALIZED (SELECT DISTINCT s.bucket, s.project, s.session_id, g.room FROM seen s
            JOIN (SELECT * FROM seen_sessions WHERE lo < hi) g ON g.project = s.project AND g.session_id = s.session_id
            WHERE s.bucket IS NOT NULL),
        seen_rooms AS MATERIALIZED (SELECT DISTINCT bucket, project, room FROM (
            SELECT lo AS bucket, project, room FROM seen_sessions WHERE lo IS NOT DISTINCT FROM hi
            UNION ALL SELECT bucket, project, room FROM spread) WHERE room IS NOT NULL),
        seen_agents AS MATERIALIZED (SELECT DISTINCT bucket, project, agent FROM acted WHERE agent IS NOT NULL)
        SELECT 0, NULL, count(*) FROM seen_sessions
        UNION ALL SELECT 0, lo, count(*) FROM seen_sessions WHERE lo = hi GROUP BY lo
        UNION ALL SELECT 0, bucket, count(*) FROM spread GROUP BY bucket
        UNION ALL SELECT 1, * FROM ({}) UNION ALL SELECT 2, * FROM ({})",
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
                0 => slot.sessions += count,
                1 => slot.rooms += count,
                _ => slot.agents += count,
            }
        }
    }
    Ok(())
}
