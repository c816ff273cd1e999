//! Rows and files of recordings brought together again: after a crash, and when rows have gone.

use super::files::Files;
use crate::app::{App, now};
use meshscope_api::{Recording, RecordingState};
use meshscope_model::TraceId;
use meshscope_model::time::DAY;
use meshscope_store::{RecordingsOf, Store, StoreError};
use std::collections::HashSet;
use std::path::Path;
use std::time::SystemTime;

/// How long an upload may stand still before it is given up, ns.
const GIVEN_UP: i64 = DAY;

/// At the start, before any request: uploads whose last step was cut off are finished, and rows whose
/// bytes are lost are told of.
pub(crate) fn reconcile(store: &dyn Store, data_dir: &Path) -> Result<(), StoreError> {
    let files = Files::of(data_dir);
    for recording in store.recordings(&RecordingsOf::default())? {
        let Some(id) = here(&recording) else { continue };
        match recording.state {
            RecordingState::Uploading => _ = made_up(store, &files, id)?,
            RecordingState::Ready if files.whole_size(id).is_none() => {
                tracing::error!(recording = %id, session = recording.session_id, "a recording's bytes are not there");
            }
            RecordingState::Ready => {}
        }
    }
    remove_orphans(store, &files)
}

/// Finishes uploads whose last step was cut off, and removes those that nobody goes on with and files
/// whose rows have gone.
pub(crate) fn sweep(app: &App) -> Result<(), StoreError> {
    let (store, files) = (&*app.store, Files::of(&app.config.data_dir));
    for recording in store.recordings(&RecordingsOf::default())? {
        if recording.state == RecordingState::Uploading
            && let Some(id) = here(&recording)
            && !made_up(store, &files, id)?
            && now().saturating_sub(touched(&files, id).unwrap_or(recording.created_at)) > GIVEN_UP
        {
            tracing::info!(recording = %id, session = recording.session_id, "an upload was given up");
            store.remove_recording(id)?;
        }
    }
    remove_orphans(store, &files)
}

/// Whether all bytes of an upload are there, though its row does not say so: its last step was cut off,
/// or the store failed in it. Then the row does.
pub(super) fn made_up(store: &dyn Store, files: &Files, id: TraceId) -> Result<bool, StoreError> {
    match files.whole_size(id) {
        None => Ok(false),
        Some(size) => store.finish_recording(id, size).map(|()| true),
    }
}

/// The identity of a recording whose bytes are here.
fn here(recording: &Recording) -> Option<TraceId> {
    recording
        .url
        .is_none()
        .then(|| recording.recording_id.parse().ok())
        .flatten()
}

/// When bytes of an upload came last, ns since the epoch.
fn touched(files: &Files, id: TraceId) -> Option<i64> {
    let modified = std::fs::metadata(files.part(id)).ok()?.modified().ok()?;
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}

fn remove_orphans(store: &dyn Store, files: &Files) -> Result<(), StoreError> {
    // First the files: a row comes before its file, so that each file found has its row by now.
    let found = match files.found() {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "the directory of recordings cannot be read");
            return Ok(());
        }
    };
    if found.is_empty() {
        return Ok(());
    }
    let known = store.recordings(&RecordingsOf::default())?;
    let known: HashSet<TraceId> = known.iter().filter_map(here).collect();
    for orphan in found.iter().filter(|found| !known.contains(&found.id)) {
        if let Err(error) = std::fs::remove_file(&orphan.path) {
            tracing::warn!(%error, path = %orphan.path.display(), "a file without a recording was not removed");
        }
    }
    Ok(())
}
