//! Recordings of sessions: `/api/v1/sessions/{session_id}/recordings`.
//!
//! What is known of a recording is a row of the store, its bytes are a file of the data directory:
//! `recordings/ID.part` while they come, `recordings/ID` when all are there. The row comes first and
//! goes first, so that a file without one is left over and may be removed.

mod files;
mod range;
mod route;
mod serve;
mod sweep;
mod upload;

pub(crate) use files::copy;
pub(crate) use route::{
    __path_add_recording, __path_append_recording, __path_list_recordings, __path_recording_bytes,
    __path_recording_offset, __path_remove_recording, add_recording, append_recording, list_recordings,
    recording_bytes, recording_offset, remove_recording,
};
pub(crate) use sweep::{reconcile, sweep};
pub(crate) use upload::Uploads;
