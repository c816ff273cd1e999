//! Bringing a file to the schema of this version.

use super::{counted, engine_error, parts, schema};
use crate::StoreError;
use duckdb::Connection;
use std::path::Path;

/// Brings the file's schema to [`schema::VERSION`].
pub(super) fn migrate(connection: &Connection, path: Option<&Path>) -> Result<(), StoreError> {
    let doing = "read the schema's version";
    let make = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(engine_error("make the tables"))
    };
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'meta'";
    let there: i64 = connection
        .query_row(tables, [], |row| row.get(0))
        .map_err(engine_error(doing))?;
    if there == 0 {
        let first = "INSERT INTO meta VALUES ('schema_version', '1');";
        make(&format!("BEGIN; {} {first} COMMIT;", schema::CREATE))?;
    }
    let version = "SELECT value::UINTEGER FROM meta WHERE key = 'schema_version'";
    let found: u32 = connection
        .query_row(version, [], |row| row.get(0))
        .map_err(engine_error(doing))?;
    if found > schema::VERSION {
        let path = path.map_or_else(String::new, |path| path.display().to_string());
        return Err(StoreError::Newer {
            path,
            found,
            known: schema::VERSION,
        });
    }
    // Views are code, not data: each start makes them as this version has them.
    if found == schema::VERSION {
        return make(&views());
    }
    // The engine alters a table once a transaction, so that each statement is one of its own. All
    // of them may run again: a version counts when its last is done.
    (found + 1..=schema::VERSION).try_for_each(|version| make(&schema::upgrade_to(version)))?;
    make(&views())?;
    if found < schema::FIRST_WITH_PARTS {
        parts::rebuild(connection)?;
    }
    make(&format!(
        "UPDATE meta SET value = '{}' WHERE key = 'schema_version'",
        schema::VERSION
    ))
}

fn views() -> String {
    format!("{} {}", schema::VIEWS, counted::views())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DuckDb, Options, Store};
    use meshscope_api::{Counts, ListQuery, TimeRange};
    use meshscope_model::{SpanId, TraceId};

    #[test]
    fn a_file_of_version_1_is_brought_up_and_keeps_what_it_holds() {
        let connection = Connection::open_in_memory().unwrap();
        let old = "INSERT INTO meta VALUES ('schema_version', '1');
            CREATE VIEW session_points AS SELECT p.*, p.session AS session_id FROM metric_points p;
            CREATE VIEW ledger AS SELECT u.*, u.session AS session_id FROM usage u;
            INSERT INTO spans BY NAME SELECT 1 AS sequence, 'f7e26af0-0000-0000-0000-000000000001'::UUID AS trace_id,
                1 AS span_id, 5 AS start_time, 9 AS end_time, 4 AS duration, 9 AS last_time, 'work' AS name, 'svc' AS service,
                0 AS kind, 0 AS status, 0 AS flags, 'default' AS project, 0 AS system, 0 AS operation, 's' AS session,
                false AS blocked, false AS noise, 0 AS dropped_attributes, 0 AS dropped_events, 0 AS dropped_links;
            INSERT INTO usage BY NAME SELECT 1 AS sequence, 0 AS source, 5 AS time, 1 AS span_id, 'default' AS project,
                'f7e26af0-0000-0000-0000-000000000001'::UUID AS trace_id, 's' AS session, 0 AS system, 'svc' AS service,
                1 AS operation, false AS error, 7 AS total_tokens, false AS claim;";
        connection
            .execute_batch(&format!("{}{old}", schema::CREATE))
            .unwrap();
        let store = DuckDb::with(connection, None, &Options::default()).unwrap();
        assert_eq!(store.status().unwrap().schema_version, schema::VERSION);
        let query = ListQuery {
            range: TimeRange::ALL,
            limit: 10,
            ..ListQuery::default()
        };
        let session = store.sessions(&query, 100).unwrap().sessions.remove(0);
        assert_eq!(
            (session.spans, session.tokens.total, session.interrupted),
            (1, Some(7), 0)
        );
        let trace: TraceId = "f7e26af0000000000000000000000001".parse().unwrap();
        let span = store.span(trace, SpanId::from_u64(1)).unwrap().unwrap();
        assert_eq!((span.name.as_str(), span.meaning.interrupted), ("work", false));
    }

    #[test]
    fn an_upgrade_that_was_cut_off_is_run_again() {
        let all: String = (2..=schema::VERSION).map(schema::upgrade_to).collect();
        let statements: Vec<&str> = all.split_inclusive(';').collect();
        for cut in 0..=statements.len() {
            let connection = Connection::open_in_memory().unwrap();
            let first = "INSERT INTO meta VALUES ('schema_version', '1');";
            let done: String = statements.iter().take(cut).copied().collect();
            for sql in [schema::CREATE, first, &done] {
                connection.execute_batch(sql).unwrap();
            }
            let store = DuckDb::with(connection, None, &Options::default()).unwrap();
            assert_eq!(
                store.counts().unwrap(),
                Counts::default(),
                "cut off after {cut} statements"
            );
            let version: String = store
                .read(|connection| {
                    let version = "SELECT value FROM meta WHERE key = 'schema_version'";
                    Ok(connection.query_row(version, [], |row| row.get(0)).unwrap())
                })
                .unwrap();
            assert_eq!(version, schema::VERSION.to_string());
        }
    }

    #[test]
    fn a_file_of_a_later_version_is_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        let later = "CREATE TABLE meta (key VARCHAR, value VARCHAR); INSERT INTO meta VALUES ('schema_version', '900');";
        connection.execute_batch(later).unwrap();
        let error = DuckDb::with(connection, None, &Options::default()).err().unwrap();
        assert!(matches!(error, StoreError::Newer { found: 900, .. }), "{error}");
    }
}
