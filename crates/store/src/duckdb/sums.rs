//! Sums of the ledger by the hour, runs summed up one a row, and who was there in which hour: what
//! reports of millions of calls are made of.
//!
//! They are made beside the writer, a step at a time, of what came since the step before: a sequence
//! number says how far they go, and what came after it is read from the rows. Rows are added, so that
//! a step costs what came in. When rows that are summed up change or go, their hours are noted as
//! stale: these are read from the rows too, until a step makes them anew. So every figure equals the
//! ledger's, and a crash leaves the step before.
//!
//! By the hour add up calls that one span tells alone ([`PLAIN`]), and claims that calls of their trace
//! cover (they stay covered). Claims that are open yet are kept aside. All other rows, which are
//! few, are read with every question.

use super::append::Columns;
use super::usage::classes::{self, Classes};
use super::{DuckDb, Writing, engine_error, lock, read, write};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_model::time::HOUR;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Rows of the ledger that add up.
pub(super) const PLAIN: &str = "source = 0 AND call IS NULL AND NOT claim";
/// At most so many sequence numbers a step.
const STEP: i64 = 400_000;
/// So many sequence numbers are summed up at once.
const ENOUGH: i64 = 100_000;
/// Fewer wait so long: they are read in milliseconds, and every step may add a row for each kind of call.
const PATIENCE: Duration = Duration::from_mins(15);
/// Stale hours wait so long: while a trace grows its hour may become stale again and again.
const STALE_PATIENCE: Duration = Duration::from_secs(20);
/// At most so many stale hours a step, the oldest first.
const STALE_HOURS: u32 = 24;
/// Rows of the roll-up of spans that last longer are read with every question.
const LONG: i64 = 24 * HOUR;

/// SQL of whether a row of the roll-up of spans is [`LONG`].
pub(super) fn is_long() -> String {
    format!("(last::DOUBLE - first::DOUBLE >= {LONG})")
}

/// When something was summed up last.
#[derive(Debug, Default)]
pub(super) struct Summing {
    step: Option<Instant>,
    stale: Option<Instant>,
    /// Sequence number before which no trace that got records since has any; not known of what came
    /// before the store was opened.
    earliest: Option<i64>,
}

impl Summing {
    /// Takes in a commit before whose `earliest` number none of its traces has records.
    pub(super) fn met(&mut self, earliest: i64) {
        self.earliest = self.earliest.map(|known| known.min(earliest));
    }
}

/// SQL of the hour that a moment lies in.
pub(super) fn hour_sql(moment: &str) -> String {
    format!(
        "(CASE WHEN {moment} >= 0 THEN {moment} // {HOUR} ELSE -((-{moment} + {last}) // {HOUR}) END * {HOUR})::BIGINT",
        last = HOUR - 1
    )
}

/// A sequence number that is noted beside the sums.
fn noted(connection: &Connection, key: &str) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT value::BIGINT FROM meta WHERE key = '{key}'");
    let found = read::rows(connection, "read the sums of usage", &sql, Vec::new(), |row| {
        row.get(0)
    })?;
    Ok(found.into_iter().next())
}

/// Sequence number of the last record that is summed up; `None` when nothing is yet.
pub(super) fn upto(connection: &Connection) -> Result<Option<i64>, StoreError> {
    noted(connection, "summed")
}

/// Whether a row of the roll-up of spans may be [`LONG`], of those up to `upto`.
pub(super) fn may_be_long(connection: &Connection, upto: i64) -> Result<bool, StoreError> {
    Ok(noted(connection, NONE_LONG)?.is_none_or(|known| known < upto))
}

/// Key of the sequence number up to which no row of the roll-up of spans is [`LONG`]: those that are made
/// anew with a number of the past are not.
const NONE_LONG: &str = "none_long";

/// Condition on a row with a sequence number: it is summed up.
pub(super) const SUMMED: &str =
    "sequence <= (SELECT coalesce(max(value::BIGINT), -1) FROM meta WHERE key = 'summed')";

/// SQL of the hours that a row of the roll-up of spans lies in, as a list.
fn hours_of_part() -> String {
    // The hour after the last one may lie beyond the numbers.
    format!("range({}, {} + 1, {HOUR})", hour_sql("first"), hour_sql("last"))
}

/// Notes that rows of the ledger which meet `condition` change or go, within the connection's
/// transaction.
pub(super) fn forget_usage(connection: &Connection, condition: &str) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO stale SELECT DISTINCT {} FROM usage WHERE ({condition}) AND {SUMMED}",
        hour_sql("time")
    );
    connection
        .execute_batch(&sql)
        .map_err(engine_error("note what changes of the ledger"))
}

/// The same for rows of the roll-up of spans.
pub(super) fn forget_parts(connection: &Connection, condition: &str) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO stale SELECT DISTINCT unnest({}) FROM parts
        WHERE ({condition}) AND {SUMMED} AND NOT {}",
        hours_of_part(),
        is_long()
    );
    connection
        .execute_batch(&sql)
        .map_err(engine_error("note what changes of the sessions"))
}

impl DuckDb {
    /// Sums up what came since, if it is time.
    pub(super) fn sum_up(&self) -> Result<(), StoreError> {
        loop {
            let started = Instant::now();
            let mut writing = lock(&self.writer);
            // Writers open a store anew that the engine gave up, and say why nothing can be written.
            if self.lost.load(Ordering::Acquire) {
                return Ok(());
            }
            let more = writing.sum_up().map_err(StoreError::told);
            drop(writing);
            if let Err(StoreError::Lost { .. }) = &more {
                self.lost.store(true, Ordering::Release);
            }
            let took = started.elapsed();
            if !more? {
                return Ok(());
            }
            tracing::debug!(?took, "a step of the sums was taken");
            std::thread::sleep(took);
        }
    }

    /// Sums up all that is there: for those who do not wait until it is time.
    pub fn sum_up_all(&self) -> Result<(), StoreError> {
        self.written(|writing| {
            (writing.summing.step, writing.summing.stale) = (None, None);
            while writing.sum_up()? {}
            Ok(())
        })
    }
}

impl Writing {
    /// One step, if it is time; true when there may be another.
    fn sum_up(&mut self) -> Result<bool, StoreError> {
        let connection = &self.connection;
        let since = upto(connection)?.unwrap_or(-1);
        let waited = |at: Option<Instant>, long: Duration| at.is_none_or(|at| at.elapsed() >= long);
        if waited(self.summing.stale, STALE_PATIENCE) && any_stale(connection)? {
            write::transaction(connection, DOING, || renew(connection, since))?;
            if !any_stale(connection)? {
                self.summing.stale = Some(Instant::now());
            }
            return Ok(true);
        }
        if since >= 0 && noted(connection, NONE_LONG)?.is_none() {
            // The sums are of a build that did not note it.
            write::transaction(connection, DOING, || note_none_long(connection, since))?;
        }
        let fresh = self.sequence - since;
        if fresh < ENOUGH && (fresh <= 0 || !waited(self.summing.step, PATIENCE)) {
            return Ok(false);
        }
        let upto = self.sequence.min(since + STEP);
        let step = Step {
            connection,
            since,
            upto,
            earliest: self.summing.earliest,
            renewed: None,
        };
        write::transaction(connection, DOING, || step.add())?;
        if upto == self.sequence {
            self.summing.step = Some(Instant::now());
            if !any_part_after(connection, upto)? {
                self.summing.earliest = Some(i64::MAX);
            }
        }
        Ok(upto < self.sequence)
    }
}

/// Whether there is more in the roll-up. What names the session of a trace and adds no record makes the rows of the
/// trace anew with the number of the next one.
fn any_part_after(connection: &Connection, upto: i64) -> Result<bool, StoreError> {
    let sql = format!("SELECT count(*) > 0 FROM parts WHERE sequence > {upto}");
    connection
        .query_row(&sql, [], |row| row.get(0))
        .map_err(engine_error("read the sums of usage"))
}

fn any_stale(connection: &Connection) -> Result<bool, StoreError> {
    connection
        .query_row("SELECT count(*) > 0 FROM stale", [], |row| row.get(0))
        .map_err(engine_error("read the sums of usage"))
}

const DOING: &str = "sum up usage";

/// Notes that no row of the roll-up of spans up to `upto` is [`LONG`]; once one is, the number stays.
fn note_none_long(connection: &Connection, upto: i64) -> Result<(), StoreError> {
    let known = noted(connection, NONE_LONG)?;
    let since = known.unwrap_or(-1);
    let sql = format!(
        "SELECT count(*) > 0 FROM parts WHERE sequence > {since} AND sequence <= {upto} AND {}",
        is_long()
    );
    let found = connection.query_row(&sql, [], |row| row.get(0));
    let upto = match (found.map_err(engine_error(DOING))?, known) {
        (true, Some(_)) => return Ok(()),
        (true, None) => since,
        (false, _) => upto,
    };
    let sql = format!(
        "DELETE FROM meta WHERE key = '{NONE_LONG}'; INSERT INTO meta VALUES ('{NONE_LONG}', '{upto}')"
    );
    connection.execute_batch(&sql).map_err(engine_error(DOING))
}

/// Makes the oldest stale hours (table `renewed`) anew, of records up to `upto`.
fn renew(connection: &Connection, upto: i64) -> Result<(), StoreError> {
    let run = |sql: &str| connection.execute_batch(sql).map_err(engine_error(DOING));
    run(&format!(
        "CREATE OR REPLACE TEMP TABLE renewed AS SELECT DISTINCT hour FROM stale ORDER BY hour LIMIT {STALE_HOURS};
        DELETE FROM usage_hours WHERE hour IN (SELECT hour FROM renewed);
        DELETE FROM presence WHERE hour IN (SELECT hour FROM renewed);
        DELETE FROM presence_agents WHERE hour IN (SELECT hour FROM renewed);
        DELETE FROM open_claims WHERE {} IN (SELECT hour FROM renewed)",
        hour_sql("time")
    ))?;
    let (first, last): (i64, i64) = connection
        .query_row("SELECT min(hour), max(hour) FROM renewed", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(engine_error(DOING))?;
    let step = Step {
        connection,
        since: upto,
        upto,
        earliest: None,
        renewed: Some((first, last.saturating_add(HOUR - 1))),
    };
    step.plain()?;
    step.claims()?;
    step.presence()?;
    run("DELETE FROM stale WHERE hour IN (SELECT hour FROM renewed); DROP TABLE renewed")
}

/// What one transaction sums up: records after `since` and up to `upto`, or else of all up to `upto` what
/// lies in the hours of the table `renewed`.
struct Step<'a> {
    connection: &'a Connection,
    since: i64,
    upto: i64,
    /// Sequence number before which none of the traces of those records has any, where it is known.
    earliest: Option<i64>,
    /// The moments that the hours of `renewed` lie in: the engine leaves out what lies outside.
    renewed: Option<(i64, i64)>,
}

impl Step<'_> {
    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(sql).map_err(engine_error(DOING))
    }

    fn add(&self) -> Result<(), StoreError> {
        self.plain()?;
        self.claims()?;
        self.presence()?;
        self.runs()?;
        note_none_long(self.connection, self.upto)?;
        self.execute(&format!(
            "DELETE FROM meta WHERE key = 'summed'; INSERT INTO meta VALUES ('summed', '{}')",
            self.upto
        ))
    }

    /// Sequence number before which the traces that are summed up have nothing.
    fn earliest(&self) -> i64 {
        self.earliest.unwrap_or(0).min(self.since + 1)
    }

    /// Condition on rows of the ledger: those that are to be summed up.
    fn which(&self, hour: &str) -> String {
        let Self { since, upto, .. } = self;
        match self.renewed {
            None => format!("sequence > {since} AND sequence <= {upto}"),
            Some((first, last)) => format!(
                "sequence <= {upto} AND time BETWEEN {first} AND {last} AND {hour} IN (SELECT hour FROM renewed)"
            ),
        }
    }

    fn plain(&self) -> Result<(), StoreError> {
        let hour = hour_sql("time");
        let sums = ["cost", "carbon", "characters", "audio_ns"].map(read::sum_of);
        let sql = format!(
            "SELECT {hour} AS hour, {DIMENSIONS}, {}, {}, count(*), count(*) FILTER (error), count(*) FILTER (cost IS NULL),
                count(*) FILTER (cost_source = 'reported'), min(time),
                histogram({}) FILTER (duration IS NOT NULL), histogram({}) FILTER (time_to_first_token IS NOT NULL)
            FROM usage WHERE {PLAIN} AND {} GROUP BY hour, {DIMENSIONS} ORDER BY hour",
            read::token_sums(),
            sums.join(", "),
            classes::sql("duration"),
            classes::sql("time_to_first_token"),
            self.which(&hour)
        );
        let rows = read::rows(self.connection, "sum up usage", &sql, Vec::new(), Hour::read)?;
        append(self.connection, &rows)
    }

    /// Claims: those that are covered are summed up, the others are kept aside until they are.
    fn claims(&self) -> Result<(), StoreError> {
        let hour = hour_sql("time");
        self.execute(&format!(
            "CREATE OR REPLACE TEMP TABLE claimed AS SELECT * FROM usage WHERE claim AND {};
            CREATE OR REPLACE TEMP TABLE covering AS
                SELECT DISTINCT trace_id FROM usage WHERE NOT claim AND sequence >= {}
                    AND trace_id IN (SELECT trace_id FROM claimed)
                UNION SELECT DISTINCT trace_id FROM usage WHERE NOT claim AND sequence > {} AND sequence <= {}
                    AND trace_id IN (SELECT trace_id FROM open_claims);
            INSERT INTO claimed BY NAME SELECT * FROM open_claims
                WHERE system <> 4 AND trace_id IN (SELECT trace_id FROM covering);
            DELETE FROM open_claims WHERE system <> 4 AND trace_id IN (SELECT trace_id FROM covering);
            INSERT INTO open_claims BY NAME SELECT * FROM claimed
                WHERE system = 4 OR trace_id IS NULL OR trace_id NOT IN (SELECT trace_id FROM covering);
            INSERT INTO usage_hours BY NAME SELECT {hour} AS hour, true AS claim, {DIMENSIONS},
                {} AS total_tokens, {} AS cost FROM claimed
                WHERE system <> 4 AND trace_id IN (SELECT trace_id FROM covering) GROUP BY ALL;
            DROP TABLE claimed; DROP TABLE covering",
            self.which(&hour),
            self.earliest(),
            self.since,
            self.upto,
            read::sum_of("total_tokens"),
            read::sum_of("cost")
        ))
    }

    fn presence(&self) -> Result<(), StoreError> {
        let Self { since, upto, .. } = self;
        let (which, hours) = match self.renewed {
            None => (format!("sequence > {since} AND sequence <= {upto}"), "true"),
            Some((first, last)) => (
                format!("sequence <= {upto} AND first <= {last} AND last >= {first}"),
                "hour IN (SELECT hour FROM renewed)",
            ),
        };
        self.execute(&format!(
            "CREATE OR REPLACE TEMP TABLE present AS SELECT * FROM (
                SELECT unnest({}) AS hour, project, session_id, system, room, agents
                FROM parts WHERE {which} AND NOT {}) WHERE {hours};
            INSERT INTO presence BY NAME SELECT DISTINCT hour, project, session_id, system, room FROM present;
            INSERT INTO presence_agents BY NAME SELECT DISTINCT hour, project, system, room, agent FROM (
                SELECT hour, project, system, room, unnest(agents) AS agent FROM present) WHERE agent IS NOT NULL;
            DROP TABLE present",
            hours_of_part(),
            is_long()
        ))
    }

    /// Runs that grew are summed up anew. Of all runs only those are read that may have begun before.
    fn runs(&self) -> Result<(), StoreError> {
        let Self { since, upto, .. } = self;
        let from = self.earliest();
        let forget = "DELETE FROM runs WHERE trace_id IN (SELECT trace_id FROM grown);";
        self.execute(&format!(
            "CREATE OR REPLACE TEMP TABLE grown AS SELECT DISTINCT trace_id FROM parts
                WHERE spans > 0 AND sequence > {since} AND sequence <= {upto};
            {}
            INSERT INTO runs BY NAME {RUNS} SEMI JOIN grown USING (trace_id)
                WHERE spans > 0 AND sequence >= {from} GROUP BY trace_id;
            DROP TABLE grown",
            if from <= *since { forget } else { "" },
        ))
    }
}

/// SQL that sums up runs from the roll-up of spans, up to where its rows are chosen.
pub(super) const RUNS: &str = "SELECT trace_id, min(project) AS project, min(session_id) AS session_id,
    max(system) AS system, min(room) AS room, min(first) AS start,
    least(max(last)::HUGEINT - min(first)::HUGEINT, 9223372036854775807)::BIGINT AS duration,
    sum(spans)::BIGINT AS spans, sum(errors)::BIGINT AS errors, sum(blocked)::BIGINT AS blocked FROM parts";

/// What sums are made for each of.
const DIMENSIONS: &str =
    "project, system, room, service, version, agent, role, operation, tool, model, provider";

/// A row of `usage_hours` on its way in.
struct Hour {
    hour: i64,
    system: u8,
    operation: u8,
    texts: [Option<String>; 9],
    sums: [Option<i64>; 12],
    counts: [u64; 4],
    first: Option<i64>,
    classes: [Vec<u8>; 2],
}

impl Hour {
    fn read(row: &Row<'_>) -> duckdb::Result<Self> {
        let mut texts: [Option<String>; 9] = Default::default();
        for (text, at) in texts.iter_mut().zip([1, 3, 4, 5, 6, 7, 9, 10, 11]) {
            *text = row.get(at)?;
        }
        let mut sums = [None; 12];
        for (n, sum) in sums.iter_mut().enumerate() {
            *sum = row.get(12 + n)?;
        }
        let mut counts = [0; 4];
        for (n, count) in counts.iter_mut().enumerate() {
            *count = row.get(24 + n)?;
        }
        Ok(Self {
            hour: row.get(0)?,
            system: row.get(2)?,
            operation: row.get(8)?,
            texts,
            sums,
            counts,
            first: row.get(28)?,
            classes: [of_map(&row.get(29)?), of_map(&row.get(30)?)],
        })
    }
}

/// The bytes of a histogram of the engine.
fn of_map(value: &Value) -> Vec<u8> {
    let mut classes = Classes::default();
    if let Value::Map(map) = value {
        for (class, count) in map.iter() {
            if let (Value::SmallInt(class), Value::UBigInt(count)) = (class, count) {
                classes.add(*class, *count);
            }
        }
    }
    classes.bytes()
}

fn append(connection: &Connection, rows: &[Hour]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut c = Columns::default();
    let text = |n: usize| {
        rows.iter()
            .map(move |row| row.texts.get(n).and_then(Option::as_deref))
    };
    c.i64(rows.iter().map(|row| Some(row.hour)));
    c.bool(rows.iter().map(|_| false));
    c.text(text(0));
    c.u8(rows.iter().map(|row| row.system));
    (1..6).for_each(|n| c.text(text(n)));
    c.u8(rows.iter().map(|row| row.operation));
    (6..9).for_each(|n| c.text(text(n)));
    for n in 0..12 {
        c.i64(rows.iter().map(|row| row.sums.get(n).copied().flatten()));
    }
    for n in 0..4 {
        c.u64(rows.iter().map(|row| row.counts.get(n).copied()));
    }
    c.i64(rows.iter().map(|row| row.first));
    for n in 0..2 {
        c.blobs(
            rows.iter()
                .map(|row| row.classes.get(n).cloned().unwrap_or_default()),
        );
    }
    c.append(connection, "usage_hours")
}
