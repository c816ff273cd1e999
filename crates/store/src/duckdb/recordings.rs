//! Recordings: what is known of them. Their bytes are files of the server's.

use super::read::{self, Filter, trace_id_of};
use super::{engine_error, parts};
use crate::{AddedRecording, RecordingsOf, StoreError};
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::{Recording, RecordingKind, RecordingState};
use meshscope_model::TraceId;

/// The project of a session that is named alone and of which nothing is known yet.
const DEFAULT_PROJECT: &str = "default";

/// SQL of the recordings with the first moment of their session as known now (`first`, NULL while nothing is).
/// One that came without a project before anything of its session has the project of the session that
/// began first once that is known, and [`DEFAULT_PROJECT`] until then.
pub(super) fn placed() -> String {
    format!(
        "(WITH known AS MATERIALIZED (SELECT project, session_id, min(first) AS first FROM {}
            WHERE session_id IN (SELECT session_id FROM recordings) GROUP BY ALL),
        homes AS (SELECT session_id, arg_min(project, first) AS project FROM known GROUP BY session_id),
        housed AS (SELECT r.* REPLACE (coalesce(r.project, h.project, '{DEFAULT_PROJECT}') AS project)
            FROM recordings r LEFT JOIN homes h ON h.session_id = r.session_id)
        SELECT r.*, k.first FROM housed r
        LEFT JOIN known k ON k.project = r.project AND k.session_id = r.session_id)",
        parts::all()
    )
}

/// Recordings, the earliest first.
pub(super) fn list(connection: &Connection, of: &RecordingsOf) -> Result<Vec<Recording>, StoreError> {
    let any = "SELECT EXISTS (FROM recordings)";
    let any: bool = connection
        .query_row(any, [], |row| row.get(0))
        .map_err(engine_error("list recordings"))?;
    if !any {
        return Ok(Vec::new());
    }
    let mut filter = Filter::default();
    filter.equal("project", of.project.as_deref());
    filter.equal("session_id", of.session_id.as_deref());
    filter.equal("replace(id::VARCHAR, '-', '')", of.recording_id.as_deref());
    let sql = format!(
        "SELECT id::VARCHAR, project, session_id, kind, participant, name, content_type, started_at, start_offset,
            first, duration, size, complete, url, created_at FROM {} WHERE {}",
        placed(),
        filter.sql()
    );
    let mut recordings = read::rows(connection, "list recordings", &sql, filter.values, recording)?;
    let place = |one: &Recording| (one.started_at.is_none(), one.started_at, one.created_at);
    recordings.sort_by(|a, b| {
        place(a)
            .cmp(&place(b))
            .then_with(|| a.recording_id.cmp(&b.recording_id))
    });
    Ok(recordings)
}

fn recording(row: &Row<'_>) -> duckdb::Result<Recording> {
    let number = |index: usize| row.get::<_, Option<i64>>(index);
    let (kind, complete): (String, bool) = (row.get(3)?, row.get(12)?);
    let size = number(11)?.and_then(|size| u64::try_from(size).ok());
    // Here and not in SQL, where a clock that is far out would make the whole list fail.
    let (moment, offset, first) = (number(7)?, number(8)?, number(9)?);
    let started_at = moment.or_else(|| Some(first?.saturating_add(offset?)));
    Ok(Recording {
        recording_id: trace_id_of(&row.get::<_, String>(0)?).to_string(),
        project: row.get(1)?,
        session_id: row.get(2)?,
        kind: RecordingKind::parse(&kind).unwrap_or(RecordingKind::Video),
        participant: row.get(4)?,
        name: row.get(5)?,
        content_type: row.get(6)?,
        started_at,
        offset_ns: started_at
            .zip(first)
            .map(|(start, first)| start.saturating_sub(first)),
        duration_ns: number(10)?,
        size_bytes: size,
        received_bytes: size.filter(|_| complete),
        state: if complete {
            RecordingState::Ready
        } else {
            RecordingState::Uploading
        },
        url: row.get(13)?,
        created_at: row.get(14)?,
    })
}

/// Notes a recording; returns its identity.
pub(super) fn add(connection: &Connection, added: &AddedRecording) -> Result<String, StoreError> {
    let doing = "note a recording";
    let new = &added.recording;
    let project = match &added.project {
        Some(project) => Some(project.clone()),
        None => project_of(connection, &added.session_id)?,
    };
    let id: String = connection
        .query_row("SELECT uuid()::VARCHAR", [], |row| row.get(0))
        .map_err(engine_error(doing))?;
    let text = |text: Option<&String>| text.map_or(Value::Null, |text| Value::Text(text.clone()));
    let number = |number: Option<i64>| number.map_or(Value::Null, Value::BigInt);
    let started_at = added.started_at;
    let values = [
        Value::Text(id.clone()),
        text(project.as_ref()),
        Value::Text(added.session_id.clone()),
        Value::Text(new.kind.name().to_owned()),
        text(new.participant.as_ref()),
        text(new.name.as_ref()),
        text(new.content_type.as_ref()),
        number(started_at),
        number(started_at.is_none().then(|| new.offset_ns.unwrap_or(0))),
        number(new.duration_ns),
        number(new.size_bytes.map(|size| i64::try_from(size).unwrap_or(i64::MAX))),
        Value::Boolean(new.url.is_some()),
        text(new.url.as_ref()),
        Value::BigInt(added.now),
    ];
    let sql = "INSERT INTO recordings (id, project, session_id, kind, participant, name, content_type, started_at,
        start_offset, duration, size, complete, url, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    connection
        .execute(sql, duckdb::params_from_iter(values))
        .map_err(engine_error(doing))?;
    Ok(trace_id_of(&id).to_string())
}

/// The project of a session that is named alone; `None` while nothing of it is known.
fn project_of(connection: &Connection, session_id: &str) -> Result<Option<String>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT project FROM {} WHERE session_id = ? ORDER BY 1",
        parts::all()
    );
    let values = vec![Value::Text(session_id.to_owned())];
    let mut projects: Vec<String> =
        read::rows(connection, "find a session's project", &sql, values, |row| {
            row.get(0)
        })?;
    if projects.len() > 1 {
        return Err(StoreError::Project(format!(
            "several projects have a session {session_id:?}: give one of {}",
            projects.join(", ")
        )));
    }
    Ok(projects.pop())
}

/// Notes that all of a recording is there.
pub(super) fn finish(connection: &Connection, id: TraceId, size: u64) -> Result<(), StoreError> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let sql = format!("UPDATE recordings SET complete = true, size = {size} WHERE id = '{id}'::UUID");
    connection
        .execute_batch(&sql)
        .map_err(engine_error("note that a recording is there"))
}

/// Forgets a recording; false when there is none of that identity.
pub(super) fn remove(connection: &Connection, id: TraceId) -> Result<bool, StoreError> {
    let sql = format!("DELETE FROM recordings WHERE id = '{id}'::UUID");
    let gone = connection
        .execute(&sql, [])
        .map_err(engine_error("remove a recording"))?;
    Ok(gone > 0)
}

/// How many recordings are kept here, and their bytes: all of them, or those of a project. Uploads that
/// are not complete do not count, whatever size they announce.
pub(super) fn size(connection: &Connection, project: Option<&str>) -> Result<(u32, u64), StoreError> {
    let mut filter = Filter::default();
    filter.equal("project", project);
    let from = project.map_or_else(|| "recordings".to_owned(), |_| placed());
    let sql = format!(
        "SELECT count(*), coalesce(sum(size), 0)::UBIGINT FROM {from} WHERE url IS NULL AND complete AND {}",
        filter.sql()
    );
    connection
        .query_row(&sql, duckdb::params_from_iter(filter.values), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(engine_error("sum up the recordings"))
}

/// Notes which recordings belong to a session of which something is kept, before retention removes
/// of it, for [`remove_old`]. From here on these stay in the project that they have, so that none moves
/// to another one's session when its own goes.
pub(super) fn note_held(connection: &Connection) -> Result<(), StoreError> {
    let sql = format!(
        "CREATE OR REPLACE TEMP TABLE held_recordings AS SELECT id, project FROM {} WHERE first IS NOT NULL;
        UPDATE recordings SET project = h.project FROM held_recordings h
        WHERE h.id = recordings.id AND recordings.project IS NULL",
        placed()
    );
    connection
        .execute_batch(&sql)
        .map_err(engine_error("find recordings of sessions"))
}

/// Forgets the recordings whose session has gone since [`note_held`], and those without one that are
/// older than `cutoff`, SQL of a moment; returns how many.
pub(super) fn remove_old(connection: &Connection, cutoff: &str) -> Result<u64, StoreError> {
    let sql = format!(
        "DELETE FROM recordings WHERE id IN (SELECT id FROM {} WHERE first IS NULL
        AND (created_at < {cutoff} OR id IN (SELECT id FROM held_recordings)))",
        placed()
    );
    let gone = connection
        .execute(&sql, [])
        .map_err(engine_error("remove recordings"))?;
    Ok(gone as u64)
}
