//! Retention: what is older than the rules allow goes, the oldest first.
//!
//! A trace goes whole, with its log records, ledger rows and all else of it, when its last record
//! is old enough. Log records without a trace, metric points and ledger rows read from points go by
//! their own time. A rule about size becomes one about time: the moment before which as many
//! records lie as are too many.

use super::read::{self, trace_id_of};
use super::{DuckDb, Writing, engine_error, lock};
use super::{identity, parts, recordings, stream, sums, write};
use crate::StoreError;
use duckdb::Connection;
use meshscope_api::status::{Removed, Retention};
use meshscope_model::{SpanId, TraceId};
use std::collections::BTreeMap;

/// About how many records a transaction removes.
const STEP: i64 = 10_000;
/// How often a run looks again at whether the size is right.
const PASSES: usize = 4;
/// When a size is too large, down to which part of it records are removed.
const DOWN_TO: f64 = 0.9;
/// Where the last run is noted.
const NOTE: &str = "last_retention";

/// Records with a time before it go, by project.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cutoffs {
    others: i64,
    projects: BTreeMap<String, i64>,
}

impl Cutoffs {
    /// By age alone.
    fn by_age(rules: &Retention, now: i64) -> Self {
        let before = |age: Option<i64>| age.map_or(i64::MIN, |age| now.saturating_sub(age));
        let projects = rules.projects.iter();
        Self {
            others: before(rules.age_ns),
            projects: projects
                .map(|rule| (rule.project.clone(), before(rule.age_ns)))
                .collect(),
        }
    }

    /// Nothing that is younger than `moment` stays out of any project's rule.
    fn at_least(&mut self, moment: i64) {
        self.others = self.others.max(moment);
        self.projects
            .values_mut()
            .for_each(|cutoff| *cutoff = moment.max(*cutoff));
    }

    fn is_never(&self) -> bool {
        self.others == i64::MIN && self.projects.values().all(|cutoff| *cutoff == i64::MIN)
    }

    /// SQL of the cutoff of a row's project.
    fn sql(&self) -> String {
        let cases: Vec<String> = self
            .projects
            .iter()
            .map(|(project, cutoff)| format!("WHEN {} THEN {cutoff}", read::quoted(project)))
            .collect();
        if cases.is_empty() {
            // The smallest integer has no literal of its own.
            return format!("({})::BIGINT", self.others);
        }
        format!(
            "(CASE project {} ELSE {} END)::BIGINT",
            cases.join(" "),
            self.others
        )
    }
}

impl DuckDb {
    pub(super) fn remove_old(
        &self,
        rules: &Retention,
        now: i64,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Removed>, StoreError> {
        let before = self.size();
        let mut removed = Removed::default();
        for pass in 0..PASSES {
            let by_size =
                rules.size_bytes.is_some() || rules.projects.iter().any(|rule| rule.size_bytes.is_some());
            if pass > 0 && !by_size {
                break;
            }
            if by_size {
                // Only a checkpoint tells how much of the file is used.
                self.checkpoint()?;
            }
            let cutoffs = self.read(|connection| cutoffs(connection, rules, now))?;
            let passed = self.remove_before(&cutoffs, go_on)?;
            let counts =
                |removed: &Removed| removed.spans + removed.logs + removed.metric_points + removed.recordings;
            if counts(&passed) == 0 {
                break;
            }
            removed.spans += passed.spans;
            removed.logs += passed.logs;
            removed.metric_points += passed.metric_points;
            removed.recordings += passed.recordings;
        }
        if removed == Removed::default() {
            return Ok(None);
        }
        self.compact(go_on)?;
        removed.at = now;
        removed.freed_bytes = before.saturating_sub(self.size());
        self.note(&removed)?;
        Ok(Some(removed))
    }

    fn remove_before(&self, cutoffs: &Cutoffs, go_on: &dyn Fn() -> bool) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        if cutoffs.is_never() {
            return Ok(removed);
        }
        let _removing = lock(&self.removing);
        // Temporary tables belong to a connection, so that one does all of it.
        let open = self
            .gate
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let connection = self.connection()?;
        drop(open);
        let since = lock(&self.writer).sequence;
        let run = Run {
            connection: &connection,
            since,
            of_trace: tables_of_traces(&connection)?,
        };
        self.step(|_| recordings::note_held(&connection))?;
        let steps = run.find_traces(cutoffs)?;
        for (step, last) in steps {
            if !go_on() {
                return Ok(removed);
            }
            let (spans, logs) = self.step(|writing| run.remove_traces(writing, step, last))?;
            removed.spans += spans;
            removed.logs += logs;
            self.tend_file()?;
        }
        for part in &PARTS {
            for step in 0..run.find_rows(part, cutoffs)? {
                if !go_on() {
                    return Ok(removed);
                }
                let rows = self.step(|writing| run.remove_rows(writing, part, step))?;
                self.tend_file()?;
                match part.table {
                    "logs" => removed.logs += rows,
                    "metric_points" => removed.metric_points += rows,
                    _ => {}
                }
            }
        }
        if removed.logs + removed.metric_points > 0 {
            self.step(|writing| {
                let sequence = writing.sequence;
                run.transaction(|| parts::renew_traceless(&connection, sequence))
            })?;
        }
        removed.recordings = self.step(|_| recordings::remove_old(&connection, &cutoffs.sql()))?;
        run.find_emitters()?;
        self.step(|writing| run.remove_emitters(writing))?;
        Ok(removed)
    }

    fn note(&self, removed: &Removed) -> Result<(), StoreError> {
        let note = serde_json::to_string(removed).unwrap_or_default();
        let sql = format!(
            "BEGIN; DELETE FROM meta WHERE key = '{NOTE}'; INSERT INTO meta VALUES ('{NOTE}', {}); COMMIT;",
            read::quoted(&note)
        );
        self.written(|writing| {
            writing
                .connection
                .execute_batch(&sql)
                .map_err(engine_error("note what was removed"))
        })
    }
}

/// What the last run removed.
pub(super) fn last(connection: &Connection) -> Result<Option<Removed>, StoreError> {
    let sql = format!("SELECT value FROM meta WHERE key = '{NOTE}'");
    let notes = read::rows(
        connection,
        "read what was removed last",
        &sql,
        Vec::new(),
        |row| row.get::<_, String>(0),
    )?;
    Ok(notes.last().and_then(|note| serde_json::from_str(note).ok()))
}

/// SQL of the times of all records with their projects; a recording counts as one.
fn times() -> String {
    format!(
        "SELECT project, last_time AS time FROM spans UNION ALL SELECT project, time FROM logs
        UNION ALL SELECT project, time FROM metric_points UNION ALL SELECT project, created_at FROM {}",
        recordings::placed()
    )
}

/// The cutoffs by age and by size.
fn cutoffs(connection: &Connection, rules: &Retention, now: i64) -> Result<Cutoffs, StoreError> {
    let mut cutoffs = Cutoffs::by_age(rules, now);
    if !may_pass_a_limit(connection, rules)? {
        return Ok(cutoffs);
    }
    let used = super::compact::sizes_live(connection)?.live_bytes() as f64;
    for rule in &rules.projects {
        let Some(limit) = rule.size_bytes else { continue };
        let mine = format!("project = {}", read::quoted(&rule.project));
        let sql = format!(
            "SELECT coalesce(count(*) FILTER ({mine}) / nullif(count(*), 0), 0)::DOUBLE FROM ({})",
            times()
        );
        let share: f64 = connection
            .query_row(&sql, [], |row| row.get(0))
            .map_err(engine_error("reckon a project's size"))?;
        let media = recordings::size(connection, Some(&rule.project))?.1 as f64;
        if let Some(moment) = too_many(connection, used * share + media, limit, &mine)?
            && let Some(cutoff) = cutoffs.projects.get_mut(&rule.project)
        {
            *cutoff = moment.max(*cutoff);
        }
    }
    if let Some(limit) = rules.size_bytes
        && let Some(moment) = too_many(
            connection,
            used + recordings::size(connection, None)?.1 as f64,
            limit,
            "true",
        )?
    {
        cutoffs.at_least(moment);
    }
    Ok(cutoffs)
}

/// Whether all that the file and the recordings take, also what is removed and not yet free, is more than some limit by
/// size. What of it is there only the places of all row groups tell: much to read, and to hold, while much comes in.
fn may_pass_a_limit(connection: &Connection, rules: &Retention) -> Result<bool, StoreError> {
    let limits = rules.projects.iter().filter_map(|rule| rule.size_bytes);
    let Some(least) = limits.chain(rules.size_bytes).min() else {
        return Ok(false);
    };
    let used = super::compact::sizes(connection)?.used_bytes();
    Ok(used.saturating_add(recordings::size(connection, None)?.1) > least)
}

/// The moment before which as many records lie as are too many for `limit`.
fn too_many(connection: &Connection, used: f64, limit: u64, which: &str) -> Result<Option<i64>, StoreError> {
    let limit = limit as f64;
    if used <= limit {
        return Ok(None);
    }
    let part = (1.0 - limit * DOWN_TO / used).clamp(0.0, 1.0);
    let sql = format!(
        "SELECT approx_quantile(time, {part}) FROM ({}) WHERE {which}",
        times()
    );
    let moment = connection.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0));
    let moment = moment.map_err(engine_error("find the oldest records"))?;
    Ok(moment.map(|moment| moment.saturating_add(1)))
}

/// Tables beside spans, logs and trace_sessions whose rows belong to a trace.
fn tables_of_traces(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT c.table_name FROM duckdb_columns() c
        JOIN duckdb_tables() t ON t.database_oid = c.database_oid AND t.table_oid = c.table_oid
        WHERE c.column_name = 'trace_id' AND NOT t.temporary AND t.database_name = current_database()
        AND c.table_name NOT IN ('spans', 'logs', 'trace_sessions') ORDER BY 1";
    read::rows(connection, "list the tables", sql, Vec::new(), |row| row.get(0))
}

/// Rows that go by their own time.
struct Part {
    table: &'static str,
    /// Which of its rows.
    which: &'static str,
    /// Whether its rows have fingerprints, by which repeats are told.
    known: bool,
}

const PARTS: [Part; 3] = [
    Part {
        table: "logs",
        which: "trace_id IS NULL",
        known: true,
    },
    Part {
        table: "metric_points",
        which: "true",
        known: true,
    },
    Part {
        table: "usage",
        which: "source <> 0 AND (trace_id IS NULL OR trace_id NOT IN (SELECT trace_id FROM spans))",
        known: false,
    },
];

/// One pass with its temporary tables.
struct Run<'a> {
    connection: &'a Connection,
    /// Rows with a larger sequence number came after the pass began.
    since: i64,
    of_trace: Vec<String>,
}

impl Run<'_> {
    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection
            .execute_batch(sql)
            .map_err(engine_error("remove what is old"))
    }

    /// Does `work` in a transaction.
    fn transaction<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        write::transaction(self.connection, "remove what is old", work)
    }

    fn rows<T>(
        &self,
        sql: &str,
        read: impl FnMut(&duckdb::Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        read::rows(self.connection, "remove what is old", sql, Vec::new(), read)
    }

    /// Removes the rows of `table` that are `which`, and reads `columns` of them. The engine's own
    /// `RETURNING` fetches every column of every row, one row at a time.
    fn take<T>(
        &self,
        table: &str,
        columns: &str,
        which: &str,
        read: impl FnMut(&duckdb::Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let taken = self.rows(&format!("SELECT {columns} FROM {table} WHERE {which}"), read)?;
        if !taken.is_empty() {
            self.execute(&format!("DELETE FROM {table} WHERE {which}"))?;
        }
        Ok(taken)
    }

    /// Notes which traces go in which step, the oldest first; returns the steps with their latest
    /// time.
    fn find_traces(&self, cutoffs: &Cutoffs) -> Result<Vec<(i64, i64)>, StoreError> {
        let cutoff = cutoffs.sql();
        self.execute(&format!(
            "CREATE OR REPLACE TEMP TABLE old_traces AS
            SELECT trace_id, last, (sum(records) OVER (ORDER BY last, trace_id) // {STEP})::BIGINT AS step FROM (
                SELECT trace_id, max(last) AS last, sum(n) AS records FROM (
                    SELECT trace_id, max(last_time) AS last, bool_and(last_time < {cutoff}) AS old, count(*) AS n
                    FROM spans GROUP BY trace_id
                    UNION ALL
                    SELECT trace_id, max(time), bool_and(time < {cutoff}), count(*)
                    FROM logs WHERE trace_id IS NOT NULL GROUP BY trace_id)
                GROUP BY trace_id HAVING bool_and(old))"
        ))?;
        let sql = "SELECT step, max(last) FROM old_traces GROUP BY step ORDER BY step";
        self.rows(sql, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Removes the traces of a step; returns how many spans and log records.
    fn remove_traces(&self, writing: &mut Writing, step: i64, last: i64) -> Result<(u64, u64), StoreError> {
        let traces = format!("trace_id IN (SELECT trace_id FROM old_traces WHERE step = {step})");
        let (spans, logs, named) = self.transaction(|| {
            // A trace that gained a record meanwhile is not old.
            self.execute(&format!(
                "DELETE FROM old_traces WHERE step = {step} AND trace_id IN (
                    SELECT trace_id FROM spans WHERE sequence > {0}
                    UNION ALL SELECT trace_id FROM logs WHERE sequence > {0} AND trace_id IS NOT NULL)",
                self.since
            ))?;
            let id = |row: &duckdb::Row<'_>| row.get::<_, String>(0).map(|id| trace_id_of(&id));
            let mut upto = 0_i64;
            let spans: Vec<(TraceId, u64)> = self.take(
                "spans",
                "trace_id::VARCHAR, span_id, sequence",
                &format!("{traces} AND start_time <= {last}"),
                |row| {
                    upto = upto.max(row.get(2)?);
                    Ok((id(row)?, row.get(1)?))
                },
            )?;
            let logs: Vec<u64> = self.take("logs", "fingerprint, sequence", &traces, |row| {
                upto = upto.max(row.get(1)?);
                row.get(0)
            })?;
            stream::note_removed(self.connection, upto)?;
            let named: Vec<TraceId> = self.take("trace_sessions", "trace_id::VARCHAR", &traces, id)?;
            sums::forget_usage(self.connection, &traces)?;
            sums::forget_parts(self.connection, &traces)?;
            for table in &self.of_trace {
                self.execute(&format!("DELETE FROM \"{table}\" WHERE {traces}"))?;
            }
            Ok((spans, logs, named))
        })?;
        let known = &mut writing.known;
        for (trace_id, span_id) in &spans {
            known
                .spans
                .remove(identity::span(*trace_id, SpanId::from_u64(*span_id)));
        }
        logs.iter()
            .for_each(|fingerprint| known.logs.remove(*fingerprint));
        known.traces.forget(&named.into_iter().collect());
        Ok((spans.len() as u64, logs.len() as u64))
    }

    /// Notes which rows go by their own time, the oldest first; returns how many steps they take.
    fn find_rows(&self, part: &Part, cutoffs: &Cutoffs) -> Result<i64, StoreError> {
        self.execute(&format!(
            "CREATE OR REPLACE TEMP TABLE old_rows AS
            SELECT sequence, (row_number() OVER (ORDER BY time, sequence) - 1) // {STEP} AS step
            FROM {} WHERE {} AND time < {}",
            part.table,
            part.which,
            cutoffs.sql()
        ))?;
        let steps = self.rows("SELECT coalesce(max(step) + 1, 0)::BIGINT FROM old_rows", |row| {
            row.get(0)
        })?;
        Ok(steps.first().copied().unwrap_or(0))
    }

    /// Removes the rows of a step; returns how many.
    fn remove_rows(&self, writing: &mut Writing, part: &Part, step: i64) -> Result<u64, StoreError> {
        let table = part.table;
        let column = if part.known { "fingerprint" } else { "0::UBIGINT" };
        let bounds = format!("FROM old_rows WHERE step = {step}");
        let which = format!(
            "sequence >= (SELECT min(sequence) {bounds}) AND sequence <= (SELECT max(sequence) {bounds})
            AND sequence IN (SELECT sequence {bounds}) AND {}",
            part.which
        );
        let gone: Vec<u64> = self.transaction(|| {
            if table == "usage" {
                sums::forget_usage(self.connection, &which)?;
            }
            let mut upto = 0_i64;
            let gone = self.take(table, &format!("{column}, sequence"), &which, |row| {
                upto = upto.max(row.get(1)?);
                row.get(0)
            })?;
            // Rows of the ledger are not told to who follows.
            if part.known {
                stream::note_removed(self.connection, upto)?;
            }
            Ok(gone)
        })?;
        let known = match table {
            "logs" => Some(&mut writing.known.logs),
            "metric_points" => Some(&mut writing.known.points),
            _ => None,
        };
        if let Some(known) = known {
            gone.iter().for_each(|fingerprint| known.remove(*fingerprint));
        }
        Ok(gone.len() as u64)
    }

    /// Notes which resources and scopes no record names any more.
    fn find_emitters(&self) -> Result<(), StoreError> {
        self.execute(&format!(
            "CREATE OR REPLACE TEMP TABLE old_emitters AS SELECT id FROM emitters EXCEPT SELECT id FROM ({})",
            named("true")
        ))
    }

    fn remove_emitters(&self, writing: &mut Writing) -> Result<(), StoreError> {
        let which = format!(
            "id IN (SELECT id FROM old_emitters) AND id NOT IN (SELECT id FROM ({}))",
            named(&format!("sequence > {}", self.since))
        );
        let gone: Vec<u64> = self.transaction(|| self.take("emitters", "id", &which, |row| row.get(0)))?;
        gone.iter().for_each(|id| _ = writing.known.emitters.remove(id));
        Ok(())
    }
}

/// SQL of the resources and scopes that rows name.
fn named(which: &str) -> String {
    let of = |table: &str| {
        format!(
            "SELECT resource AS id FROM {table} WHERE {which} UNION ALL SELECT scope AS id FROM {table} WHERE {which}"
        )
    };
    ["spans", "logs", "metric_points"].map(of).join(" UNION ALL ")
}
