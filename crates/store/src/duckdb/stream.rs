//! What the live stream reads: records by the order of their arrival.

use super::read::{self, Filter};
use super::{engine_error, logs};
use crate::{LiveRecords, StoreError, StreamPosition};
use duckdb::types::Value;
use duckdb::{Connection, Row};
use hashbrown::HashMap;
use meshscope_analysis::TraceSession;
use meshscope_api::{LivePoint, LiveSpan, Log, StreamQuery};
use meshscope_model::{MetricKind, Operation, Origin, PointValue, SpanId, StatusCode, Temporality, TraceId};
use std::borrow::Cow;

/// Gives the file a name of its own, once.
pub(super) fn name(connection: &Connection) -> Result<(), StoreError> {
    let name = "INSERT INTO meta SELECT 'store', left(uuid()::VARCHAR, 8) \
                WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'store')";
    connection
        .execute_batch(name)
        .map_err(engine_error("name the store"))
}

/// Notes that records up to the sequence number `upto` are removed, within the transaction that
/// removes them: their numbers are not given again, and who reads on from before is told of a gap.
pub(super) fn note_removed(connection: &Connection, upto: i64) -> Result<(), StoreError> {
    let removed = removed(connection)?.max(upto);
    let note =
        format!("DELETE FROM meta WHERE key = 'removed'; INSERT INTO meta VALUES ('removed', '{removed}');");
    connection
        .execute_batch(&note)
        .map_err(engine_error("note what was removed"))
}

/// The highest sequence number that was removed.
pub(super) fn removed(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(value::BIGINT), 0) FROM meta WHERE key = 'removed'";
    connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(engine_error("read what was removed"))
}

/// The latest sequence number that was given.
pub(super) fn last(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT greatest((SELECT max(sequence) FROM spans), (SELECT max(sequence) FROM logs), \
               (SELECT max(sequence) FROM metric_points), 0)";
    let last: Option<i64> = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(engine_error("read the last sequence number"))?;
    Ok(last.unwrap_or(0).max(removed(connection)?))
}

/// Which store this is, and which sequence numbers it can tell of.
pub(super) fn position(connection: &Connection) -> Result<StreamPosition, StoreError> {
    let store = connection
        .query_row("SELECT value FROM meta WHERE key = 'store'", [], |row| row.get(0))
        .map_err(engine_error("read the store's name"))?;
    Ok(StreamPosition {
        store,
        removed: removed(connection)?,
        last: last(connection)?,
    })
}

/// The sequence number before the first record that arrived at `moment` or later.
pub(super) fn arrived_before(connection: &Connection, moment: i64) -> Result<i64, StoreError> {
    let first = |table: &str| format!("(SELECT min(sequence) FROM {table} WHERE received >= {moment})");
    let sql = format!(
        "SELECT least({}, {}, {})",
        first("spans"),
        first("logs"),
        first("metric_points")
    );
    let first: Option<i64> = connection
        .query_row(&sql, [], |row| row.get(0))
        .map_err(engine_error("find what arrived since"))?;
    match first {
        Some(first) => Ok((first - 1).max(removed(connection)?)),
        None => last(connection),
    }
}

/// What the records of these traces say of their session.
pub(super) fn trace_sessions(
    connection: &Connection,
    traces: &[TraceId],
) -> Result<HashMap<TraceId, TraceSession>, StoreError> {
    let mut found = HashMap::new();
    for chunk in traces.chunks(1_000) {
        let ids: Vec<String> = chunk.iter().map(|id| format!("'{id}'::UUID")).collect();
        let sql = format!(
            "SELECT trace_id::VARCHAR, min(session), min(fallback_session) FROM trace_sessions \
             WHERE trace_id IN ({}) GROUP BY trace_id",
            ids.join(", ")
        );
        let read = |row: &Row<'_>| {
            let session = TraceSession {
                named: row.get(1)?,
                fallback: row.get(2)?,
                ..TraceSession::default()
            };
            Ok((read::trace_id_of(&row.get::<_, String>(0)?), session))
        };
        found.extend(read::rows(
            connection,
            "read the sessions of traces",
            &sql,
            Vec::new(),
            read,
        )?);
    }
    Ok(found)
}

/// The records with sequence numbers above `after` and up to `upto`.
pub(super) fn since(
    connection: &Connection,
    query: &StreamQuery,
    after: i64,
    upto: i64,
) -> Result<LiveRecords, StoreError> {
    let filter = |table: &str| {
        let mut filter = Filter::default();
        let column = |name: &str| format!("{table}.{name}");
        filter.add(
            &format!("{table}.sequence > ? AND {table}.sequence <= ?"),
            [Value::BigInt(after), Value::BigInt(upto)],
        );
        filter.equal(&column("project"), query.project.as_deref());
        filter.equal(&column("room"), query.room.as_deref());
        filter.equal(&column("service"), query.service.as_deref());
        // One that names no session may belong to it by its trace.
        let session = format!("{table}.session = ? OR {table}.session IS NULL");
        filter.text(&session, query.session.as_deref());
        if let Some(system) = query.system {
            filter.add(&format!("{table}.system = ?"), [Value::UTinyInt(system as u8)]);
        }
        filter
    };
    let mut records = LiveRecords::default();
    if query.signals.traces {
        records.spans = spans(connection, filter("s"))?;
    }
    if query.signals.logs {
        let mut filter = filter("l");
        if let Some(min) = query.min_severity {
            filter.add("l.severity_number >= ?", [Value::UTinyInt(min)]);
        }
        records.logs = logs_of(connection, filter)?;
    }
    if query.signals.metrics {
        records.points = points(connection, filter("p"))?;
    }
    // Last, so that what is removed meanwhile is not taken for what never was.
    records.removed = removed(connection)?;
    Ok(records)
}

/// A record with its trace and what it says of its session itself.
type Placed<T> = (T, Option<TraceId>, Origin);

/// What a record says of its session, out of two columns from `first` on.
fn origin(row: &Row<'_>, first: usize) -> duckdb::Result<Origin> {
    Ok(Origin {
        session: row.get(first)?,
        fallback_session: row.get(first + 1)?,
        ..Origin::default()
    })
}

/// Gives each record its session. The views that know it are not asked: they go over all traces.
fn settle<T>(
    connection: &Connection,
    placed: Vec<Placed<T>>,
    set: impl Fn(&mut T, Option<TraceId>, &TraceSession, &Origin),
) -> Result<Vec<T>, StoreError> {
    let unnamed = placed.iter().filter(|(.., origin)| origin.session.is_none());
    let mut traces: Vec<TraceId> = unnamed.filter_map(|(_, trace_id, _)| *trace_id).collect();
    traces.sort_unstable();
    traces.dedup();
    let (sessions, unknown) = (trace_sessions(connection, &traces)?, TraceSession::default());
    let settled = placed.into_iter().map(|(mut record, trace_id, origin)| {
        let session = trace_id.and_then(|id| sessions.get(&id)).unwrap_or(&unknown);
        set(&mut record, trace_id, session, &origin);
        record
    });
    Ok(settled.collect())
}

/// The session of a log record or point.
fn session(trace_id: Option<TraceId>, session: &TraceSession, origin: &Origin) -> Option<String> {
    match trace_id {
        Some(id) => session.resolve(origin, id, false).map(Cow::into_owned),
        None => origin.session.clone().or_else(|| origin.fallback_session.clone()),
    }
}

fn spans(connection: &Connection, filter: Filter) -> Result<Vec<LiveSpan>, StoreError> {
    let sql = format!(
        "SELECT s.sequence, s.trace_id::VARCHAR, s.span_id, s.parent_span_id, s.name, s.service, s.operation,
            s.start_time, s.duration, s.end_time, s.status, s.error, s.blocked, s.noise, s.agent, s.model, s.provider,
            s.tool, s.title, s.project, s.room, s.system, s.session, s.fallback_session, u.cost, {}
        FROM spans s LEFT JOIN usage u ON u.source = 0 AND NOT u.claim AND u.time = s.start_time
            AND u.trace_id = s.trace_id AND u.span_id = s.span_id
        WHERE {} ORDER BY s.sequence",
        read::TOKEN_COLUMNS.map(|name| format!("u.{name}")).join(", "),
        filter.sql()
    );
    let rows = read::rows(connection, "read spans by arrival", &sql, filter.values, |row| {
        let span = span(row)?;
        let trace_id = Some(span.trace_id);
        Ok((span, trace_id, origin(row, 22)?))
    })?;
    settle(connection, rows, |span, _, session, origin| {
        let session = session.resolve(origin, span.trace_id, span.noise);
        span.session_id = session.map(Cow::into_owned);
    })
}

fn span(row: &Row<'_>) -> duckdb::Result<LiveSpan> {
    let ended: Option<i64> = row.get(9)?;
    Ok(LiveSpan {
        sequence: row.get(0)?,
        trace_id: read::trace_id_of(&row.get::<_, String>(1)?),
        span_id: SpanId::from_u64(row.get(2)?),
        parent_span_id: row.get::<_, Option<u64>>(3)?.map(SpanId::from_u64),
        name: row.get(4)?,
        service: row.get(5)?,
        operation: Operation::from_number(row.get(6)?),
        start_time: row.get(7)?,
        duration_ns: ended.and(row.get(8)?),
        status: StatusCode::from_number(i64::from(row.get::<_, u8>(10)?)),
        error: row.get(11)?,
        blocked: row.get(12)?,
        noise: row.get(13)?,
        agent: row.get(14)?,
        model: row.get(15)?,
        provider: row.get(16)?,
        tool: row.get(17)?,
        title: row.get(18)?,
        tokens: read::tokens(row, 25)?,
        cost_pico_usd: row.get(24)?,
        session_id: None,
        project: row.get(19)?,
        room: row.get(20)?,
        system: read::system(row.get(21)?),
    })
}

fn logs_of(connection: &Connection, filter: Filter) -> Result<Vec<Log>, StoreError> {
    let source = logs::Rows {
        with: String::new(),
        table: "(SELECT *, session AS session_id FROM logs)",
        condition: filter.sql(),
        order: "l.sequence",
    };
    let rows = logs::rows(connection, &source, filter.values, |row| {
        let log = logs::log(row)?;
        let origin = Origin {
            session: log.session_id.clone(),
            fallback_session: row.get(20)?,
            ..Origin::default()
        };
        let trace_id = log.trace_id;
        Ok((log, trace_id, origin))
    })?;
    settle(connection, rows, |log, trace_id, known, origin| {
        log.session_id = session(trace_id, known, origin);
    })
}

fn points(connection: &Connection, filter: Filter) -> Result<Vec<LivePoint>, StoreError> {
    let sql = format!(
        "SELECT p.sequence, p.name, p.unit, p.kind, p.temporality, p.monotonic, p.service,
            to_json(p.attributes)::VARCHAR, p.start_time, p.time, p.number, p.value, p.agent, p.project, p.room,
            p.system, p.session, p.fallback_session, k.trace_id::VARCHAR
        FROM metric_points p LEFT JOIN call_trace k ON k.call = p.call WHERE {} ORDER BY p.sequence",
        filter.sql()
    );
    let doing = "read metric points by arrival";
    let rows = read::rows(connection, doing, &sql, filter.values, |row| {
        let trace_id: Option<String> = row.get(18)?;
        let trace_id = trace_id.as_deref().map(read::trace_id_of);
        Ok((point(row)?, trace_id, origin(row, 16)?))
    })?;
    settle(connection, rows, |point, trace_id, known, origin| {
        point.session_id = session(trace_id, known, origin);
    })
}

fn point(row: &Row<'_>) -> duckdb::Result<LivePoint> {
    let value = match row.get::<_, Option<f64>>(10)? {
        Some(x) => PointValue::Double(x),
        None => row
            .get::<_, Option<String>>(11)?
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or(PointValue::None),
    };
    Ok(LivePoint {
        sequence: row.get(0)?,
        name: row.get(1)?,
        unit: row.get(2)?,
        kind: MetricKind::ALL
            .get(usize::from(row.get::<_, u8>(3)?))
            .copied()
            .unwrap_or_default(),
        temporality: Temporality::from_number(i64::from(row.get::<_, u8>(4)?)),
        monotonic: row.get(5)?,
        service: row.get(6)?,
        attributes: read::attributes(row.get::<_, Option<String>>(7)?.as_deref()),
        start_time: row.get(8)?,
        time: row.get(9)?,
        value,
        agent: row.get(12)?,
        session_id: None,
        project: row.get(13)?,
        room: row.get(14)?,
        system: read::system(row.get(15)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DuckDb, Store};
    use meshscope_telemetry::{Encoding, Signal, decode};

    #[test]
    fn what_was_removed_is_told_and_its_numbers_are_not_given_again() {
        let dir = tempfile::tempdir().unwrap();
        let open = || DuckDb::open(dir.path(), &crate::Options::default()).unwrap();
        let log = |n: u32| {
            let json = format!(
                r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"{n}","body":{{"stringValue":"{n}"}}}}]}}]}}]}}"#
            );
            decode(Signal::Logs, Encoding::Json, json.as_bytes())
                .unwrap()
                .batch
        };
        let store = open();
        for n in 1..=3 {
            assert_eq!(store.write(&[log(n)]).unwrap().changes.last(), i64::from(n));
        }
        let name = store.position().unwrap().store;
        store
            .read(|connection| {
                connection.execute_batch("DELETE FROM logs").unwrap();
                note_removed(connection, 3)
            })
            .unwrap();
        store.close().unwrap();
        drop(store);
        let store = open();
        let position = StreamPosition {
            store: name,
            removed: 3,
            last: 3,
        };
        assert_eq!(store.position().unwrap(), position);
        assert_eq!(store.write(&[log(4)]).unwrap().changes.after, 3);
        let records = store.since(&StreamQuery::default(), 0, 10).unwrap();
        assert_eq!(
            (records.removed, records.logs.len(), records.logs[0].sequence),
            (3, 1, 4)
        );
    }
}
