//! The top rate that `bench ingest` measured last, for benches that load a part of it.

use std::path::PathBuf;

/// Where benches keep what they made: `target/bench`.
pub(crate) fn dir() -> Result<PathBuf, String> {
    let dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    let dir = dir.join("bench");
    std::fs::create_dir_all(&dir).map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
    Ok(dir)
}

/// Keeps the rate, in spans/s.
pub(crate) fn remember(rate: u64) -> Result<(), String> {
    let file = dir()?.join("rate");
    std::fs::write(&file, rate.to_string())
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// The rate measured last, spans/s, if one was.
pub(crate) fn measured() -> Option<u64> {
    let text = std::fs::read_to_string(dir().ok()?.join("rate")).ok()?;
    text.trim().parse().ok().filter(|rate| *rate > 0)
}
