//! The files of recordings.

use crate::kept;
use meshscope_model::TraceId;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the directory within the data directory.
const DIR: &str = "recordings";
const PART: &str = "part";

/// Where the files of one data directory are. Names are made of identities alone, never of what a
/// client sent.
#[derive(Debug, Clone)]
pub(crate) struct Files(PathBuf);

/// A file found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The recording that it is of; `None` where its name is not one of ours.
    pub(crate) id: TraceId,
    /// Whether all of the recording is there.
    pub(crate) whole: bool,
    pub(crate) path: PathBuf,
}

impl Files {
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(DIR))
    }

    /// All of a recording.
    pub(crate) fn whole(&self, id: TraceId) -> PathBuf {
        self.0.join(id.to_string())
    }

    /// What has come of a recording.
    pub(crate) fn part(&self, id: TraceId) -> PathBuf {
        self.0.join(format!("{id}.{PART}"))
    }

    /// Makes the directory.
    pub(crate) fn make(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)
    }

    /// How many bytes have come of a recording that is not noted as whole.
    pub(crate) fn received(&self, id: TraceId) -> u64 {
        let part = std::fs::metadata(self.part(id)).ok().map(|file| file.len());
        part.or_else(|| self.whole_size(id)).unwrap_or(0)
    }

    /// How many bytes a recording has when all of them are there.
    pub(crate) fn whole_size(&self, id: TraceId) -> Option<u64> {
        std::fs::metadata(self.whole(id)).ok().map(|file| file.len())
    }

    /// Makes what has come the whole, durably.
    pub(crate) fn finish(&self, id: TraceId) -> io::Result<()> {
        kept::rename(&self.part(id), &self.whole(id))
    }

    /// Removes what is there of a recording.
    pub(crate) fn remove(&self, id: TraceId) -> io::Result<()> {
        for path in [self.part(id), self.whole(id)] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The files that are there; others than ours are passed over.
    pub(crate) fn found(&self) -> io::Result<Vec<Found>> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let id = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            let whole = path.extension().is_none();
            if let Some(id) = id
                && (whole || path.extension().is_some_and(|extension| extension == PART))
            {
                found.push(Found { id, whole, path });
            }
        }
        Ok(found)
    }
}

/// Copies the whole recordings of a data directory into another, without writing their bytes again
/// where the file system can share them: these files never change.
pub(crate) fn copy(data_dir: &Path, destination: &Path) -> Result<(), String> {
    let (from, to) = (Files::of(data_dir), Files::of(destination));
    let copied = || {
        for found in from.found()?.iter().filter(|found| found.whole) {
            to.make()?;
            let target = to.whole(found.id);
            match std::fs::hard_link(&found.path, &target) {
                Ok(()) => {}
                // Removed since it was found.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => {
                    std::fs::copy(&found.path, &target)?;
                }
            }
        }
        io::Result::Ok(())
    };
    copied().map_err(|error| format!("the copy is whole but for its recordings: {error}"))
}
