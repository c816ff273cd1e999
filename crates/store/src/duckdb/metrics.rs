//! Metrics: names, and the series of one.

use super::read::{self, Filter};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_analysis::metric::{Increases, Measured, Reading};
use meshscope_api::{
    Increase, MetricDetail, MetricInfo, MetricList, MetricSample, MetricSeries, SeriesQuery,
};
use meshscope_model::{MetricKind, PointValue, Temporality};

/// How many points one answer carries over all series.
const MAX_POINTS: usize = 200_000;

fn filter(query: &SeriesQuery, now: i64) -> Filter {
    let (from, to) = query.range.bounds(now);
    let mut filter = Filter::default();
    filter.add(
        "time >= ? AND time <= ?",
        [Value::BigInt(from), Value::BigInt(to)],
    );
    filter.equal("project", query.project.as_deref());
    filter.equal("session_id", query.session.as_deref());
    filter.equal("room", query.room.as_deref());
    filter.equal("service", query.service.as_deref());
    filter.text("contains(lower(name), lower(?))", query.q.as_deref());
    filter
}

/// The points; with their sessions, which cost the most, only when one is asked for.
fn points(query: &SeriesQuery) -> &'static str {
    if query.session.is_some() {
        "session_points"
    } else {
        "metric_points"
    }
}

const INFO: &str = "SELECT name, arg_max(description, time), arg_max(unit, time), arg_max(kind, time),
    arg_max(temporality, time), arg_max(monotonic, time), list_sort(list(DISTINCT service)),
    count(DISTINCT series), count(*), max(time) FROM";

fn info(row: &Row<'_>) -> duckdb::Result<MetricInfo> {
    Ok(MetricInfo {
        name: row.get(0)?,
        description: row.get(1)?,
        unit: row.get(2)?,
        kind: MetricKind::ALL
            .get(usize::from(row.get::<_, u8>(3)?))
            .copied()
            .unwrap_or_default(),
        temporality: Temporality::from_number(i64::from(row.get::<_, u8>(4)?)),
        monotonic: row.get(5)?,
        services: read::texts(row.get(6)?),
        series: u32::try_from(row.get::<_, i64>(7)?).unwrap_or(u32::MAX),
        points: row.get(8)?,
        last_at: row.get(9)?,
    })
}

/// Metrics by name.
pub(super) fn list(connection: &Connection, query: &SeriesQuery, now: i64) -> Result<MetricList, StoreError> {
    let filter = filter(query, now);
    let sql = format!(
        "{INFO} {} WHERE {} GROUP BY name ORDER BY name LIMIT {}",
        points(query),
        filter.sql(),
        query.limit
    );
    Ok(MetricList {
        metrics: read::rows(connection, "list metrics", &sql, filter.values, info)?,
    })
}

/// The series of one metric, the one with the latest point first.
pub(super) fn one(
    connection: &Connection,
    name: &str,
    query: &SeriesQuery,
    now: i64,
) -> Result<Option<MetricDetail>, StoreError> {
    let mut filter = filter(query, now);
    filter.equal("name", Some(name));
    let sql = format!("{INFO} {} WHERE {} GROUP BY name", points(query), filter.sql());
    let Some(metric) = read::rows(connection, "read a metric", &sql, filter.values.clone(), info)?.pop()
    else {
        return Ok(None);
    };
    let sql = format!(
        "WITH p AS (SELECT * FROM {} WHERE {}),
        chosen AS (SELECT series, max(time) AS last FROM p GROUP BY series ORDER BY last DESC, series LIMIT {})
        SELECT p.series, p.service, to_json(p.attributes)::VARCHAR, p.start_time, p.time, p.number, p.value, p.exemplars
        FROM p JOIN chosen USING (series) ORDER BY chosen.last DESC, p.series, p.time, p.sequence LIMIT {MAX_POINTS}",
        points(query),
        filter.sql(),
        query.limit
    );
    let mut series: Vec<(u64, MetricSeries)> = Vec::new();
    read::rows(
        connection,
        "read the series of a metric",
        &sql,
        filter.values,
        |row| {
            let id: u64 = row.get(0)?;
            if series.last().is_none_or(|(last, _)| *last != id) {
                let attributes = read::attributes(row.get::<_, Option<String>>(2)?.as_deref());
                series.push((
                    id,
                    MetricSeries {
                        service: row.get(1)?,
                        attributes,
                        increase: None,
                        points: Vec::new(),
                    },
                ));
            }
            let value = match row.get::<_, Option<f64>>(5)? {
                Some(x) => PointValue::Double(x),
                None => row
                    .get::<_, Option<String>>(6)?
                    .and_then(|json| serde_json::from_str(&json).ok())
                    .unwrap_or(PointValue::None),
            };
            let exemplars = read::list(row.get::<_, Option<String>>(7)?.as_deref());
            if let Some((_, series)) = series.last_mut() {
                series.points.push(MetricSample {
                    start_time: row.get(3)?,
                    time: row.get(4)?,
                    value,
                    exemplars,
                });
            }
            Ok(())
        },
    )?;
    let (from, _) = query.range.bounds(now);
    let mut series: Vec<MetricSeries> = series.into_iter().map(|(_, series)| series).collect();
    for one in &mut series {
        one.increase = increase(&metric, &one.points, from);
    }
    Ok(Some(MetricDetail { metric, from, series }))
}

/// What the points of a series add.
fn increase(metric: &MetricInfo, points: &[MetricSample], from: i64) -> Option<Increase> {
    let mut increases = Increases::new(
        Reading {
            kind: metric.kind,
            temporality: metric.temporality,
            monotonic: metric.monotonic,
        },
        from,
    );
    if increases.is_level() {
        return None;
    }
    let added = points
        .iter()
        .filter_map(|point| increases.next(point.start_time, &point.value));
    let all = added.fold(Measured::default(), |sum, next| Measured {
        value: sum.value + next.value,
        weight: sum.weight + next.weight,
    });
    Some(Increase {
        sum: all.value,
        count: (metric.kind != MetricKind::Sum).then_some(all.weight as i64),
    })
}
