//! Everything that is kept, a part at a time, as the batches it came in.

use super::read::{self, ANY_TIME, Wanted, quoted};
use super::schema;
use super::slots::Slots;
use super::{DuckDb, identity, value};
use crate::StoreError;
use duckdb::{Connection, Row};
use hashbrown::HashMap;
use meshscope_api::export::{ExportQuery, ExportSignal};
use meshscope_model::metric::PointValue;
use meshscope_model::{
    Batch, Call, LogEntry, LogRecord, Metric, MetricKind, MetricPoint, Origin, PointEntry, Resource, Scope,
    SpanId, Temporality,
};
use serde::de::DeserializeOwned;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many bytes a part should come to, and its bounds in records.
const PART_BYTES: usize = 8 * 1024 * 1024;
const FIRST_PART: usize = 2_000;
const SMALLEST_PART: usize = 200;
const LARGEST_PART: usize = 50_000;
/// Source number of a call as metric points tell it.
const TOLD_BY_POINT: u8 = 1;

impl DuckDb {
    pub(super) fn read_all(
        &self,
        query: &ExportQuery,
        take: &mut dyn FnMut(Batch) -> ControlFlow<(), usize>,
    ) -> Result<(), StoreError> {
        for signal in query.wanted() {
            // Points carry no trace of their own.
            if signal == ExportSignal::Metrics && query.trace_id.is_some() {
                continue;
            }
            if self.read_signal(signal, query, take)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Parts follow each other by sequence numbers, so that nothing is held between them and a slow
    /// reader holds up nothing.
    fn read_signal(
        &self,
        signal: ExportSignal,
        query: &ExportQuery,
        take: &mut dyn FnMut(Batch) -> ControlFlow<(), usize>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut emitters = Emitters::default();
        let (mut after, mut size) = (0, FIRST_PART);
        loop {
            let part = self.read_attributes(|connection, slots| {
                part(connection, slots, signal, query, after, size, &mut emitters)
            })?;
            let Some((batch, last)) = part else {
                return Ok(ControlFlow::Continue(()));
            };
            after = last;
            let records = batch.len();
            if records == 0 {
                continue;
            }
            match take(batch) {
                ControlFlow::Break(()) => return Ok(ControlFlow::Break(())),
                ControlFlow::Continue(bytes) => {
                    let fitting = records.saturating_mul(PART_BYTES) / bytes.max(1);
                    size = fitting.clamp(SMALLEST_PART, LARGEST_PART).min(size * 4);
                }
            }
        }
    }
}

/// The next `size` records after the sequence number `after`, with the number of the last.
fn part(
    connection: &Connection,
    slots: &Slots,
    signal: ExportSignal,
    query: &ExportQuery,
    after: i64,
    size: usize,
    emitters: &mut Emitters,
) -> Result<Option<(Batch, i64)>, StoreError> {
    let (table, first, last) = match signal {
        ExportSignal::Traces => ("spans", "start_time", "last_time"),
        ExportSignal::Logs => ("logs", "time", "time"),
        ExportSignal::Metrics => ("metric_points", "time", "time"),
    };
    let view = match signal {
        ExportSignal::Traces => schema::SESSION_SPANS,
        ExportSignal::Logs => "session_logs",
        ExportSignal::Metrics => "session_points",
    };
    let mut conditions = vec![format!("s.sequence > {after}")];
    if let Some(project) = &query.project {
        conditions.push(format!("s.project = {}", quoted(project)));
    }
    if let Some(session) = &query.session {
        conditions.push(format!("s.session_id = {}", quoted(session)));
    }
    if let Some(trace_id) = query.trace_id {
        conditions.push(format!("s.trace_id = '{trace_id}'::UUID"));
    }
    if let Some(from) = query.from {
        conditions.push(format!("s.{last} >= {from}"));
    }
    if let Some(to) = query.to {
        conditions.push(format!("s.{first} < {to}"));
    }
    let conditions = conditions.join(" AND ");
    let from = if query.session.is_some() { view } else { table };
    let sql = format!(
        "SELECT max(sequence) FROM (SELECT s.sequence FROM {from} s WHERE {conditions} ORDER BY s.sequence LIMIT {size})"
    );
    let end = read::rows(connection, "export records", &sql, Vec::new(), |row| {
        row.get::<_, Option<i64>>(0)
    })?;
    let Some(end) = end.into_iter().flatten().next() else {
        return Ok(None);
    };
    let conditions = format!("{conditions} AND s.sequence <= {end}");
    let mut batch = Batch::default();
    match signal {
        ExportSignal::Traces => {
            let wanted = Wanted {
                source: &format!("{from} s"),
                window: ANY_TIME,
                condition: &conditions,
            };
            let spans = read::spans(connection, slots, &wanted)?;
            batch.spans = spans.into_iter().map(|kept| kept.entry).collect();
        }
        ExportSignal::Logs => batch.logs = logs(connection, &conditions, emitters)?,
        ExportSignal::Metrics => {
            let (points, end) = points(connection, &conditions, end, size, emitters)?;
            batch.points = points;
            return Ok(Some((batch, end)));
        }
    }
    Ok(Some((batch, end)))
}

/// Resources and scopes that were read already.
#[derive(Default)]
struct Emitters {
    resources: HashMap<u64, Arc<Resource>>,
    scopes: HashMap<u64, Arc<Scope>>,
}

fn shared<T: DeserializeOwned + Default>(
    known: &mut HashMap<u64, Arc<T>>,
    row: &Row<'_>,
    id: usize,
    content: usize,
) -> duckdb::Result<(u64, Arc<T>)> {
    let id: u64 = row.get(id)?;
    if let Some(there) = known.get(&id) {
        return Ok((id, Arc::clone(there)));
    }
    let made = Arc::new(read::emitter(row.get::<_, Option<String>>(content)?.as_deref()));
    known.insert(id, Arc::clone(&made));
    Ok((id, made))
}

/// What all records begin with; read by [`origin`] and [`shared`].
const COMMON: &str = "s.project, s.system, s.room, s.session, s.fallback_session, s.agent, s.fingerprint, s.resource, \
                      s.scope, r.content, c.content, to_json(s.attributes)::VARCHAR";
const EMITTERS: &str = "LEFT JOIN emitters r ON r.id = s.resource LEFT JOIN emitters c ON c.id = s.scope";

fn origin(row: &Row<'_>) -> duckdb::Result<Origin> {
    Ok(Origin {
        project: row.get(0)?,
        system: read::system(row.get(1)?),
        room: row.get(2)?,
        session: row.get(3)?,
        fallback_session: row.get(4)?,
        agent: row.get(5)?,
    })
}

fn logs(
    connection: &Connection,
    conditions: &str,
    emitters: &mut Emitters,
) -> Result<Vec<LogEntry>, StoreError> {
    let sql = format!(
        "SELECT {COMMON}, s.own_time, s.observed_time, s.severity_number, s.severity_text, s.body,
            s.dropped_attributes, s.event_name, s.flags, s.trace_id::VARCHAR, s.span_id
        FROM session_logs s {EMITTERS} WHERE {conditions} ORDER BY s.sequence"
    );
    read::rows(connection, "export log records", &sql, Vec::new(), |row| {
        log(row, emitters)
    })
}

fn log(row: &Row<'_>, emitters: &mut Emitters) -> duckdb::Result<LogEntry> {
    let text = |index: usize| row.get::<_, Option<String>>(index);
    let (resource_id, resource) = shared(&mut emitters.resources, row, 7, 9)?;
    let (_, scope) = shared(&mut emitters.scopes, row, 8, 10)?;
    let mut entry = LogEntry {
        record: LogRecord {
            resource,
            scope,
            time: row.get(12)?,
            observed_time: row.get(13)?,
            severity_number: row.get(14)?,
            severity_text: text(15)?.unwrap_or_default(),
            body: value::read(&text(16)?.unwrap_or_default()),
            attributes: read::attributes(text(11)?.as_deref()),
            dropped_attributes_count: row.get(17)?,
            event_name: text(18)?.unwrap_or_default(),
            flags: row.get(19)?,
            trace_id: text(20)?.map(|id| read::trace_id_of(&id)),
            span_id: row.get::<_, Option<u64>>(21)?.map(SpanId::from_u64),
        },
        origin: origin(row)?,
        identity: None,
    };
    // What does not follow from the record was given to it.
    let fingerprint: u64 = row.get(6)?;
    if identity::log(&entry, resource_id) != fingerprint {
        entry.identity = Some(fingerprint);
    }
    Ok(entry)
}

/// The points, and the sequence number up to which they go: those of one body stay together.
fn points(
    connection: &Connection,
    conditions: &str,
    end: i64,
    size: usize,
    emitters: &mut Emitters,
) -> Result<(Vec<PointEntry>, i64), StoreError> {
    let sql = format!(
        "SELECT {COMMON}, s.name, s.description, s.unit, s.kind, s.temporality, s.monotonic, s.metadata, s.series,
            s.start_time, s.time, s.flags, s.number, s.value, s.exemplars, s.call, s.sequence
        FROM session_points s {EMITTERS} WHERE {conditions} ORDER BY s.sequence"
    );
    let mut metrics = HashMap::new();
    let mut points = read::rows(connection, "export metric points", &sql, Vec::new(), |row| {
        point(row, emitters, &mut metrics)
    })?;
    let body = points.last().and_then(|(_, entry)| entry.identity);
    let whole = points.iter().rposition(|(_, entry)| entry.identity != body);
    let end = match (body, whole) {
        (Some(_), Some(last)) if points.len() >= size => {
            points.truncate(last + 1);
            points.last().map_or(end, |(sequence, _)| *sequence)
        }
        _ => end,
    };
    Ok((points.into_iter().map(|(_, entry)| entry).collect(), end))
}

fn point(
    row: &Row<'_>,
    emitters: &mut Emitters,
    metrics: &mut HashMap<(String, u64, u64), Arc<Metric>>,
) -> duckdb::Result<(i64, PointEntry)> {
    let text = |index: usize| row.get::<_, Option<String>>(index);
    let (resource_id, resource) = shared(&mut emitters.resources, row, 7, 9)?;
    let (scope_id, scope) = shared(&mut emitters.scopes, row, 8, 10)?;
    let metric = Metric {
        name: text(12)?.unwrap_or_default(),
        description: text(13)?.unwrap_or_default(),
        unit: text(14)?.unwrap_or_default(),
        kind: MetricKind::ALL
            .get(usize::from(row.get::<_, u8>(15)?))
            .copied()
            .unwrap_or_default(),
        temporality: Temporality::from_number(i64::from(row.get::<_, u8>(16)?)),
        monotonic: row.get(17)?,
        metadata: read::list(text(18)?.as_deref()),
    };
    let key = (metric.name.clone(), resource_id, scope_id);
    let there = metrics
        .get(&key)
        .filter(|there| ***there == metric)
        .map(Arc::clone);
    let metric = there.unwrap_or_else(|| {
        let metric = Arc::new(metric);
        metrics.insert(key, Arc::clone(&metric));
        metric
    });
    let series: u64 = row.get(19)?;
    let number = row.get::<_, Option<f64>>(23)?;
    let other = text(24)?.and_then(|json| serde_json::from_str(&json).ok());
    let mut entry = PointEntry {
        point: MetricPoint {
            resource,
            scope,
            metric,
            attributes: read::attributes(text(11)?.as_deref()),
            start_time: row.get(20)?,
            time: row.get(21)?,
            flags: row.get(22)?,
            value: number
                .map(PointValue::Double)
                .or(other)
                .unwrap_or(PointValue::None),
            exemplars: read::list(text(25)?.as_deref()),
        },
        origin: origin(row)?,
        usage: None,
        identity: None,
        call: row.get::<_, Option<u64>>(26)?.map(|key| Call {
            key,
            source: TOLD_BY_POINT,
        }),
    };
    let fingerprint: u64 = row.get(6)?;
    if identity::point(&entry, series) != fingerprint {
        entry.identity = Some(fingerprint.wrapping_sub(series));
    }
    Ok((row.get(27)?, entry))
}
