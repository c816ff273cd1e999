//! How far an import has come, so that one that was interrupted goes on where it was.
//!
//! The note is written after what it speaks of is durable: at worst a part is imported again, and
//! every record of it is known already.

use super::files::Source;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// The notes of all imports into one place.
pub(super) struct State {
    path: PathBuf,
    files: BTreeMap<String, Progress>,
}

/// How far a file is imported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    size: u64,
    modified: i64,
    /// Bodies that are durable.
    pub(super) bodies: u64,
    /// All of them are.
    pub(super) done: bool,
}

impl State {
    /// Reads the notes at `path`, which need not be there.
    pub(super) fn read(path: PathBuf) -> Result<Self, String> {
        let files = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                format!(
                    "the note of earlier imports {} cannot be read: {error}; remove it to import anew, which doubles nothing",
                    path.display()
                )
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        Ok(Self { path, files })
    }

    /// How far `source` is imported; nothing of it when it was changed since.
    pub(super) fn of(&self, source: &Source) -> Progress {
        let there = self.files.get(&key(&source.path));
        let same = there.filter(|there| (there.size, there.modified) == (source.size, source.modified));
        same.cloned().unwrap_or(Progress {
            size: source.size,
            modified: source.modified,
            ..Progress::default()
        })
    }

    /// Notes how far `source` is imported.
    pub(super) fn note(&mut self, source: &Source, bodies: u64, done: bool) -> Result<(), String> {
        let progress = Progress {
            bodies,
            done,
            ..self.of(source)
        };
        self.files.insert(key(&source.path), progress);
        self.write()
            .map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }

    /// Writes beside the file and puts it in its place, so that there is always a whole one.
    fn write(&self) -> std::io::Result<()> {
        if let Some(dir) = self.path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let beside = self.path.with_extension("tmp");
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(&self.files)?)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)
    }
}

fn key(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
