//! Small files beside the data that the server writes itself: whole or not at all.

use crate::app::App;
use crate::config::Config;
use meshscope_api::Problem;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// Changes a file, one change at a time: `work` reads it anew, for it may have been edited by hand, and
/// makes of it what is to stand there; `put` takes that when it is durable.
pub(crate) async fn change<T: Serialize>(
    app: &Arc<App>,
    path: PathBuf,
    work: impl FnOnce(&Config) -> Result<T, Problem> + Send + 'static,
    put: impl FnOnce(&App, T) + Send + 'static,
) -> Result<(), Problem> {
    let app = Arc::clone(app);
    let changed = tokio::task::spawn_blocking(move || {
        let _one_at_a_time = app.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let content = work(&app.config)?;
        let failed = |error: io::Error| Problem::internal(format!("{}: {error}", path.display()));
        let bytes = serde_json::to_vec_pretty(&content).map_err(|error| failed(error.into()))?;
        replace(&path, &bytes).map_err(failed)?;
        put(&app, content);
        Ok(())
    });
    changed
        .await
        .map_err(|error| Problem::internal(error.to_string()))?
}

/// Replaces a file: after a crash there is the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    let mut file = File::create(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    rename(new, path)
}

/// Gives a file another name within its directory, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    // The name is durable when its directory is.
    match to.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) if cfg!(unix) => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prices.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(replace(&dir.path().join("nowhere/prices.json"), b"").is_err());
    }
}
