//! A copy of the store while it runs: a snapshot, written by the engine into a file of its own.
//!
//! The file is not copied as it is: closing it a second time in this process would give up the lock
//! that keeps other processes out, and free room would be copied with it.

use super::open::{self, FILE, wal_of};
use super::read::quoted;
use super::{DuckDb, compact, engine_error, lock, schema, space};
use crate::{Options, StoreError};
use duckdb::Connection;
use meshscope_api::Counts;
use meshscope_api::export::BackupReport;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

impl DuckDb {
    pub(super) fn copy_to(&self, destination: &Path) -> Result<BackupReport, StoreError> {
        // One at a time: the copy has one name within the engine.
        let _copying = lock(&self.copying);
        check_place(destination)?;
        let partial = partial(destination)?;
        fs::create_dir_all(&partial).map_err(|error| cannot("create", &partial, &error))?;
        let file = partial.join(FILE);
        let copied = self.copy_into(&file).and_then(|counts| {
            verify(&file, &counts)?;
            if destination.exists() {
                fs::remove_dir(destination).map_err(|error| cannot("replace", destination, &error))?;
            }
            fs::rename(&partial, destination).map_err(|error| cannot("finish", destination, &error))?;
            Ok(counts)
        });
        let counts = copied.inspect_err(|_| {
            if let Err(error) = fs::remove_dir_all(&partial) {
                tracing::debug!(%error, path = %partial.display(), "an unfinished copy was not removed");
            }
        })?;
        let file = destination.join(FILE);
        Ok(BackupReport {
            path: destination.display().to_string(),
            size_bytes: space::size(&file) + space::size(&wal_of(&file)),
            spans: counts.spans,
            logs: counts.logs,
            metric_points: counts.metric_points,
        })
    }

    /// Writes the store into a new file at `file`; returns what it holds.
    fn copy_into(&self, file: &Path) -> Result<Counts, StoreError> {
        self.read(|connection| {
            let needed = compact::sizes(connection)?
                .used_bytes()
                .saturating_add(self.size());
            if let Some(free) = file.parent().and_then(space::free)
                && free < needed
            {
                let detail = format!(
                    "a copy at {} may need {needed} bytes and {free} are free",
                    file.display()
                );
                return Err(StoreError::Full { detail });
            }
            let execute = |sql: &str| {
                connection
                    .execute_batch(sql)
                    .map_err(engine_error("copy the store"))
            };
            execute(&format!(
                "ATTACH {} AS {COPY}",
                quoted(&file.display().to_string())
            ))?;
            let copied = execute("BEGIN").and_then(|()| {
                let copied = counts(connection).and_then(|counts| {
                    let name: String = connection
                        .query_row("SELECT current_database()", [], |row| row.get(0))
                        .map_err(engine_error("copy the store"))?;
                    execute(&format!("COPY FROM DATABASE \"{name}\" TO {COPY}"))?;
                    Ok(counts)
                });
                execute(if copied.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
                execute(&format!("CHECKPOINT {COPY}"))?;
                copied
            });
            let detached = execute(&format!("DETACH {COPY}"));
            copied.and_then(|counts| detached.map(|()| counts))
        })
    }
}

/// Name of the copy within the engine.
const COPY: &str = "meshscope_copy";

fn counts(connection: &Connection) -> Result<Counts, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM logs), (SELECT count(*) FROM metric_points)";
    let counts = connection.query_row(sql, [], |row| {
        Ok(Counts {
            spans: row.get(0)?,
            logs: row.get(1)?,
            metric_points: row.get(2)?,
            sessions: 0,
        })
    });
    counts.map_err(engine_error("count the records"))
}

/// Opens the copy and compares.
fn verify(file: &Path, expected: &Counts) -> Result<(), StoreError> {
    let options = Options {
        memory_mib: 512,
        ..Options::default()
    };
    let copy = open::connect(file, &options)?;
    let found = counts(&copy)?;
    let version = "SELECT value::UINTEGER FROM meta WHERE key = 'schema_version'";
    let version: u32 = copy
        .query_row(version, [], |row| row.get(0))
        .map_err(engine_error("read the copy's version"))?;
    if found != *expected || version != schema::VERSION {
        return Err(StoreError::Damaged {
            path: file.display().to_string(),
            detail: format!("the copy has {found:?} where the store has {expected:?}"),
        });
    }
    Ok(())
}

fn check_place(destination: &Path) -> Result<(), StoreError> {
    let taken = match fs::read_dir(destination) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if taken {
        return Err(StoreError::Place(format!(
            "{} is there already: give a directory that is empty or not there yet",
            destination.display()
        )));
    }
    Ok(())
}

/// The place beside the destination in which the copy is made.
fn partial(destination: &Path) -> Result<PathBuf, StoreError> {
    let name = destination.file_name().ok_or_else(|| {
        StoreError::Place(format!(
            "{} cannot be a backup: give the path of a directory",
            destination.display()
        ))
    })?;
    let name = format!(".{}.partial-{}", name.to_string_lossy(), std::process::id());
    Ok(destination.with_file_name(name))
}

fn cannot(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    StoreError::of(
        "make a backup",
        format!("cannot {doing} {}: {error}", path.display()),
    )
}
