//! One trace, or the spans of a session, as columns in the order of (start, span id): a window of time after the other, each
//! asked for when the one before is on its way. So the first spans of a long trace come early, and
//! neither engine nor server holds all of it.

use super::arrow::Array;
use super::runs::{self, Run};
use super::{counted, engine_error, read};
use crate::{ColumnsPiece, StoreError};
use duckdb::Connection;
use duckdb::arrow::record_batch::RecordBatch;
use hashbrown::HashMap;
use meshscope_model::columns::{ColumnsBuilder, SpanRow, flag};
use meshscope_model::{Operation, SpanId, SpanKind, StatusCode, TraceId};
use std::ops::ControlFlow;

const DOING: &str = "read the columns of a trace";
/// Spans of the first piece of a long trace, and of the largest window.
const FIRST: usize = 2_000;
const LARGEST: usize = 65_536;
/// A trace of no more spans is one piece.
const SHORT: usize = 3 * FIRST;

/// Gives the trace to `take`, within the connection's transaction; false when it has no spans.
pub(super) fn read(
    connection: &Connection,
    trace_id: TraceId,
    take: &mut dyn FnMut(ColumnsPiece) -> ControlFlow<()>,
) -> Result<bool, StoreError> {
    let whole = Whole::of_trace(connection, trace_id)?;
    whole.map_or(Ok(false), |whole| {
        in_windows(connection, &whole, ColumnsBuilder::new(trace_id), take)
    })
}

/// Gives the spans of a session to `take`, each with its trace, within the connection's transaction; false
/// when it has none.
pub(super) fn read_session(
    connection: &Connection,
    project: &str,
    session_id: &str,
    take: &mut dyn FnMut(ColumnsPiece) -> ControlFlow<()>,
) -> Result<bool, StoreError> {
    let runs = runs::of(connection, project, session_id)?;
    let Some(whole) = Whole::of_session(&runs, session_id) else {
        return Ok(false);
    };
    let builder = ColumnsBuilder::of_runs(runs.into_iter().map(|run| run.trace_id).collect());
    in_windows(connection, &whole, builder, take)
}

fn in_windows(
    connection: &Connection,
    whole: &Whole,
    mut builder: ColumnsBuilder,
    take: &mut dyn FnMut(ColumnsPiece) -> ControlFlow<()>,
) -> Result<bool, StoreError> {
    let counted = ledger(connection, whole)?;
    let mut pass_on = |columns| {
        let spans = whole.spans;
        take(ColumnsPiece { spans, columns })
    };
    let mut after = None;
    for upto in window_ends(connection, whole)? {
        for batch in &spans(connection, whole, after, upto)? {
            rows(batch, &counted, &mut builder);
            // Many spans may start at one moment.
            if builder.waiting() >= LARGEST && pass_on(builder.take()).is_break() {
                return Ok(true);
            }
        }
        if builder.waiting() > 0 && pass_on(builder.take()).is_break() {
            return Ok(true);
        }
        after = Some(upto);
    }
    Ok(true)
}

/// What is read, how many spans it has, and the moments that they lie in.
struct Whole {
    /// SQL of a table `s` of spans, and of the number of a span's trace.
    table: String,
    run: &'static str,
    /// SQL that says which of them.
    condition: String,
    /// SQL of the traces with their numbers: `(trace, number), …`.
    traces: String,
    spans: u64,
    first: i64,
    last: i64,
}

impl Whole {
    /// The part of the runs that is of the session.
    fn of_session(runs: &[Run], session_id: &str) -> Option<Self> {
        let first = runs.iter().map(|run| run.first).min()?;
        let last = runs.iter().map(|run| run.last).max()?;
        let values: Vec<String> = runs
            .iter()
            .enumerate()
            .map(|(number, run)| format!("('{}'::UUID, {number}::UINTEGER)", run.trace_id))
            .collect();
        let traces = values.join(", ");
        Some(Self {
            table: runs::spans(&traces),
            run: "run",
            condition: format!("s.session_id = {}", read::quoted(session_id)),
            traces,
            spans: runs.iter().map(|run| run.spans).sum(),
            first,
            last,
        })
    }

    fn of_trace(connection: &Connection, trace_id: TraceId) -> Result<Option<Self>, StoreError> {
        let sql = format!(
            "SELECT min(first), max(last), sum(spans)::BIGINT FROM parts WHERE trace_id = '{trace_id}'::UUID"
        );
        let found = read::rows(connection, "find a trace", &sql, Vec::new(), |row| {
            let spans: Option<i64> = row.get(2)?;
            Ok((
                row.get::<_, Option<i64>>(0)?,
                row.get::<_, Option<i64>>(1)?,
                spans,
            ))
        })?;
        let Some((Some(first), Some(last), Some(spans))) = found.into_iter().next() else {
            return Ok(None);
        };
        let spans = u64::try_from(spans).unwrap_or(0);
        Ok((spans > 0).then_some(Self {
            table: "spans".to_owned(),
            run: "0::UINTEGER",
            condition: format!("s.trace_id = '{trace_id}'::UUID"),
            traces: format!("('{trace_id}'::UUID, 0::UINTEGER)"),
            spans,
            first,
            last,
        }))
    }
}

/// How many spans the windows of a trace have: few, then twice as many each time.
fn window_sizes(spans: usize) -> Vec<usize> {
    if spans <= SHORT {
        return vec![spans];
    }
    let sizes = std::iter::successors(Some(FIRST), |size| Some(LARGEST.min(size * 2)));
    let mut rest = spans;
    sizes
        .map_while(|size| {
            let size = size.min(rest);
            rest -= size;
            (size > 0).then_some(size)
        })
        .collect()
}

/// The start of the last span of each window.
fn window_ends(connection: &Connection, whole: &Whole) -> Result<Vec<i64>, StoreError> {
    let spans = usize::try_from(whole.spans).unwrap_or(usize::MAX);
    let mut before = 0;
    let mut places: Vec<String> = window_sizes(spans)
        .into_iter()
        .map(|size| {
            before += size;
            format!("{}", before as f64 / spans as f64)
        })
        .collect();
    places.pop();
    if places.is_empty() {
        return Ok(vec![whole.last]);
    }
    let sql = format!(
        "SELECT unnest(quantile_disc(start_time, [{}])) FROM {} s WHERE {}",
        places.join(", "),
        whole.table,
        condition(whole, None, whole.last)
    );
    let mut ends = read::rows(connection, "divide a trace", &sql, Vec::new(), |row| row.get(0))?;
    ends.push(whole.last);
    ends.dedup();
    Ok(ends)
}

/// SQL of the spans that start later than `after` and not later than `upto`.
fn condition(whole: &Whole, after: Option<i64>, upto: i64) -> String {
    let from = after.map_or(whole.first, |after| after.saturating_add(1));
    format!("{} AND s.start_time BETWEEN {from} AND {upto}", whole.condition)
}

/// What the ledger counts of a span.
#[derive(Debug, Clone, Copy)]
struct Counted {
    input: Option<i64>,
    output: Option<i64>,
    total: Option<i64>,
    cost: Option<i64>,
}

/// What the ledger counts, by the number of the trace and the span.
fn ledger(connection: &Connection, whole: &Whole) -> Result<HashMap<(u32, u64), Counted>, StoreError> {
    let sql = format!(
        "WITH runs(trace_id, run) AS (VALUES {}), page_traces AS (SELECT trace_id FROM runs),
        page_sessions AS (SELECT NULL::VARCHAR AS project, NULL::VARCHAR AS session_id WHERE false),
        {}
        SELECT run, span_id, {}, {}, {}, {} FROM page_ledger JOIN runs USING (trace_id)
        WHERE span_id IS NOT NULL GROUP BY run, span_id",
        whole.traces,
        counted::of_page((whole.first, whole.last)),
        read::sum_of("input_tokens"),
        read::sum_of("output_tokens"),
        read::sum_of("total_tokens"),
        read::sum_of("cost"),
    );
    let mut all = HashMap::new();
    for batch in batches(connection, &sql)? {
        let [input, output, total, cost] = [2, 3, 4, 5].map(|at| Array::i64(&batch, at));
        let (runs, ids) = (Array::u32(&batch, 0), Array::u64(&batch, 1));
        for row in 0..batch.num_rows() {
            let counted = Counted {
                input: input.get(row),
                output: output.get(row),
                total: total.get(row),
                cost: cost.get(row),
            };
            all.insert((runs.get(row).unwrap_or(0), ids.get(row).unwrap_or(0)), counted);
        }
    }
    Ok(all)
}

fn batches(connection: &Connection, sql: &str) -> Result<Vec<RecordBatch>, StoreError> {
    let mut statement = connection.prepare(sql).map_err(engine_error(DOING))?;
    Ok(statement.query_arrow([]).map_err(engine_error(DOING))?.collect())
}

/// The spans of a window. Bits are those of [`flag`]; the errors' texts can be long, and no screen
/// shows all of one among the bars. Of events only times and names are read.
fn spans(
    connection: &Connection,
    whole: &Whole,
    after: Option<i64>,
    upto: i64,
) -> Result<Vec<RecordBatch>, StoreError> {
    let sql = format!(
        "SELECT s.span_id, s.parent_span_id, s.start_time, s.duration, s.name, s.service, s.agent, s.model, s.tool,
            left(s.error, 512), s.kind, s.status, s.operation,
            (CASE WHEN s.error IS NOT NULL AND NOT s.blocked THEN {error} ELSE 0 END
            + CASE WHEN s.blocked THEN {blocked} ELSE 0 END
            + CASE WHEN s.end_time IS NULL THEN {in_progress} ELSE 0 END
            + CASE WHEN s.reported_duration IS NOT NULL THEN {reported} ELSE 0 END
            + CASE WHEN s.noise THEN {noise} ELSE 0 END
            + CASE WHEN s.end_time < s.start_time THEN {backwards} ELSE 0 END
            + CASE WHEN s.interrupted THEN {interrupted} ELSE 0 END)::UTINYINT,
            s.time_to_first_token,
            json_extract_string(s.events, '$[*].time'), json_extract_string(s.events, '$[*].name'),
            json_array_length(s.links)::UINTEGER, {run}
        FROM {table} s WHERE {condition} ORDER BY s.start_time, s.span_id",
        error = flag::ERROR,
        blocked = flag::BLOCKED,
        in_progress = flag::IN_PROGRESS,
        reported = flag::REPORTED_DURATION,
        noise = flag::NOISE,
        backwards = flag::ENDS_BEFORE_START,
        interrupted = flag::INTERRUPTED,
        run = whole.run,
        table = whole.table,
        condition = condition(whole, after, upto),
    );
    batches(connection, &sql)
}

/// Adds the spans of a batch.
fn rows(batch: &RecordBatch, counted: &HashMap<(u32, u64), Counted>, builder: &mut ColumnsBuilder) {
    let [ids, parents] = [0, 1].map(|at| Array::u64(batch, at));
    let [starts, durations, first_tokens] = [2, 3, 14].map(|at| Array::i64(batch, at));
    let texts = [4, 5, 6, 7, 8, 9].map(|at| Array::text(batch, at));
    let [kinds, statuses, operations, flags] = [10, 11, 12, 13].map(|at| Array::u8(batch, at));
    let [times, names] = [15, 16].map(|at| Array::lists(batch, at));
    let [links, runs] = [17, 18].map(|at| Array::u32(batch, at));
    for row in 0..batch.num_rows() {
        let id = ids.get(row).unwrap_or(0);
        let [name, service, agent, model, tool, message] =
            texts.each_ref().map(|texts| texts.get(row).unwrap_or_default());
        let run = runs.get(row).unwrap_or(0);
        let used = counted.get(&(run, id));
        builder.push(&SpanRow {
            span_id: SpanId::from_u64(id),
            parent_span_id: parents.get(row).map(SpanId::from_u64),
            start_time: starts.get(row).unwrap_or(0),
            duration: durations.get(row).unwrap_or(0),
            name,
            service,
            agent,
            model,
            tool,
            message,
            kind: SpanKind::from_number(i64::from(kinds.get(row).unwrap_or(0))),
            status: StatusCode::from_number(i64::from(statuses.get(row).unwrap_or(0))),
            operation: Operation::from_number(operations.get(row).unwrap_or(0)),
            flags: flags.get(row).unwrap_or(0),
            time_to_first_token: first_tokens.get(row),
            input_tokens: used.and_then(|used| used.input),
            output_tokens: used.and_then(|used| used.output),
            total_tokens: used.and_then(|used| used.total),
            cost: used.and_then(|used| used.cost),
            links: links.get(row).unwrap_or(0),
            run,
        });
        for (time, name) in times.get(row).zip(names.get(row)) {
            if let Ok(time) = time.parse() {
                builder.push_event(time, name);
            }
        }
    }
}
