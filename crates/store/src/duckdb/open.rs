//! Opening the file, and saying what is wrong with one that does not open.

use super::engine_error;
use crate::{Options, StoreError};
use duckdb::{Config, Connection};
use std::path::{Path, PathBuf};

/// Name of the file within the data directory.
pub(super) const FILE: &str = "meshscope.duckdb";

/// The write-ahead log beside `path`.
pub(super) fn wal_of(path: &Path) -> PathBuf {
    path.with_extension("duckdb.wal")
}

/// Opens the file at `path`, and makes it when it is not there.
pub(super) fn connect(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    let doing = "open the store";
    let config = Config::default()
        .max_memory(&format!("{}MiB", options.memory_mib))
        .and_then(|config| config.threads(i64::try_from(options.threads).unwrap_or(2)))
        .and_then(|config| config.enable_autoload_extension(false))
        // The newest compression, which older versions of the engine cannot read.
        .and_then(|config| config.with("storage_compatibility_version", "latest"))
        // Checkpoints are ours, and so is when they merge row groups: see `checkpoint`.
        .and_then(|config| config.with("wal_autocheckpoint", "1TB"))
        .and_then(|config| config.with("max_vacuum_tasks", "0"))
        .map_err(engine_error(doing))?;
    Connection::open_with_flags(path, config).map_err(|error| refused(path, error.to_string()))
}

/// Why the engine did not open the file. Opening a file that it does not understand leaves it as
/// it is.
fn refused(path: &Path, detail: String) -> StoreError {
    let says = |words: &[&str]| words.iter().any(|word| detail.contains(word));
    let path = path.display().to_string();
    if says(&["lock on file", "Conflicting lock"]) {
        StoreError::Locked { path, detail }
    } else if says(&["version number"]) {
        StoreError::NewerFormat { path, detail }
    } else if says(&[
        "not a valid DuckDB database file",
        "Corrupt",
        "corrupt",
        "checksum",
        "replaying WAL",
        "Serialization Error",
        "Failed to load metadata",
        "Could not read enough bytes",
        "INTERNAL Error",
    ]) {
        StoreError::Damaged { path, detail }
    } else {
        StoreError::of("open the store", detail)
    }
}

/// The same for what is found when an open file is read.
pub(super) fn unreadable(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Engine { doing, detail } => match refused(path, detail) {
            StoreError::Engine { detail, .. } => StoreError::of(doing, detail),
            known => known,
        },
        other => other,
    }
}
