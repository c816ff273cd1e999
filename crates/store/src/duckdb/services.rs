//! What is alive: services and their instances, by the arrival of their records.

use super::read::{self, Filter};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use hashbrown::HashMap;
use meshscope_api::{Service, ServiceList, ServiceQuery};
use meshscope_model::Resource;
use meshscope_model::time::MINUTE;

/// What tells one instance from another.
type Key = (String, String, [Option<String>; 6]);

/// The instances that sent something, the latest first.
pub(super) fn list(
    connection: &Connection,
    query: &ServiceQuery,
    now: i64,
) -> Result<ServiceList, StoreError> {
    let (from, last) = query.range.bounds(now);
    let table = |table: &str, columns: &str| {
        let mut filter = Filter::default();
        filter.add(
            "received >= ? AND received <= ?",
            [Value::BigInt(from), Value::BigInt(last)],
        );
        filter.equal("project", query.project.as_deref());
        filter.equal("room", query.room.as_deref());
        let sql = format!(
            "SELECT project, service, resource, received, {columns} FROM {table} WHERE {}",
            filter.sql()
        );
        (sql, filter.values)
    };
    let parts = [
        table(
            "spans",
            "0 AS signal, CASE WHEN end_time IS NOT NULL THEN duration END AS duration, \
             (error IS NOT NULL AND NOT blocked) AS failed",
        ),
        table("logs", "1, NULL, false"),
        table("metric_points", "2, NULL, false"),
    ];
    let records = parts.each_ref().map(|(sql, _)| sql.as_str()).join(" UNION ALL ");
    // Resources differ by more than what tells instances apart (by session, say), so that they are
    // gathered first: a percentile cannot be put together afterwards.
    let values: Vec<Value> = parts.iter().flat_map(|(_, values)| values.clone()).collect();
    let sql = format!(
        "SELECT DISTINCT r.project, r.service, r.resource, e.content \
         FROM ({records}) r LEFT JOIN emitters e ON e.id = r.resource ORDER BY ALL"
    );
    let resources = read::rows(connection, "list services", &sql, values.clone(), |row| {
        let content: Option<String> = row.get(3)?;
        let resource = read::emitter(content.as_deref());
        Ok((key(row.get(0)?, row.get(1)?, &resource), row.get::<_, u64>(2)?))
    })?;
    let mut numbers: HashMap<&Key, usize> = HashMap::new();
    let mut keys: Vec<&Key> = Vec::new();
    let mut instances = Vec::with_capacity(resources.len());
    let mut all = values;
    for (key, resource) in &resources {
        let number = *numbers.entry(key).or_insert_with(|| {
            keys.push(key);
            keys.len() - 1
        });
        instances.push(format!("(?, ?, {resource}::UBIGINT, {number})"));
        all.extend([&key.0, &key.1].map(|text| Value::Text(text.clone())));
    }
    if instances.is_empty() {
        return Ok(ServiceList {
            services: Vec::new(),
            now,
        });
    }
    let minute = now.min(last).saturating_sub(MINUTE);
    let sql = format!(
        "SELECT i.number::BIGINT, min(r.received), max(r.received), count(*) FILTER (r.signal = 0),
            count(*) FILTER (r.failed), count(*) FILTER (r.signal = 0 AND r.received > {minute}),
            quantile_disc(r.duration, 0.95), count(*) FILTER (r.signal = 1), count(*) FILTER (r.signal = 2)
         FROM ({records}) r JOIN (VALUES {}) i(project, service, resource, number)
            ON i.project = r.project AND i.service = r.service AND i.resource = r.resource
         GROUP BY i.number ORDER BY 3 DESC, 1",
        instances.join(", ")
    );
    let services = read::rows(connection, "count what services sent", &sql, all, |row| {
        let number = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
        service(row, keys.get(number).copied())
    })?;
    Ok(ServiceList { services, now })
}

fn service(row: &Row<'_>, key: Option<&Key>) -> duckdb::Result<Service> {
    let (project, service, told) = key.cloned().unwrap_or_default();
    let [instance, version, host, container, sdk, sdk_version] = told;
    Ok(Service {
        project,
        service,
        instance,
        version,
        host,
        container,
        sdk,
        sdk_version,
        first_at: row.get(1)?,
        last_at: row.get(2)?,
        spans: row.get(3)?,
        errors: row.get(4)?,
        spans_last_minute: row.get(5)?,
        p95_ns: row.get(6)?,
        logs: row.get(7)?,
        metric_points: row.get(8)?,
    })
}

/// What tells the instance that a resource describes.
fn key(project: String, service: String, resource: &Resource) -> Key {
    let told = |names: &[&str]| {
        names.iter().find_map(|name| {
            let text = resource.attributes.get(name)?.to_text();
            (!text.is_empty()).then_some(text)
        })
    };
    let sdk: Vec<String> = ["telemetry.sdk.language", "telemetry.sdk.name"]
        .iter()
        .filter_map(|name| told(&[name]))
        .collect();
    let told = [
        told(&["service.instance.id", "process.pid"]),
        told(&["service.version"]),
        told(&["host.name"]),
        told(&["k8s.pod.name", "container.name", "container.id"]),
        (!sdk.is_empty()).then(|| sdk.join(" ")),
        told(&["telemetry.sdk.version"]),
    ];
    (project, service, told)
}
