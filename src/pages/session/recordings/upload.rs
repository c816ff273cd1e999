//! A file on its way to the server, in pieces, and on from where it was when the connection broke.

use crate::client;
use meshscope_api::params::encode;
use meshscope_api::{NewRecording, Params, Problem, Recording, RecordingList, RecordingState};
use web_sys::File;

/// Bytes of a request.
const PIECE: f64 = 8.0 * 1024.0 * 1024.0;
/// How often a piece is tried, and what is waited before it is tried again, ms.
const TRIES: i32 = 5;
const PAUSE: i32 = 1_000;

/// The session that recordings are of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub origin: String,
    pub session: String,
    pub project: String,
}

impl Place {
    fn path(&self, id: &str) -> String {
        let session = encode(&self.session);
        if id.is_empty() {
            format!("sessions/{session}/recordings")
        } else {
            format!("sessions/{session}/recordings/{id}")
        }
    }

    fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("project", Some(&self.project));
        params
    }

    /// The recordings of the session.
    pub(super) async fn list(&self, abort: Option<&web_sys::AbortSignal>) -> Result<Vec<Recording>, Problem> {
        let list: RecordingList = client::get(&self.origin, &self.path(""), &self.params(), abort).await?;
        Ok(list.recordings)
    }

    /// Removes a recording.
    pub(super) async fn remove(&self, id: &str) -> Result<(), Problem> {
        let call = client::Call {
            method: "DELETE",
            ..client::Call::default()
        };
        client::call(&self.origin, &self.path(id), &self.params(), call)
            .await
            .map(|_| ())
    }

    /// Sends a file; `told` hears how many bytes are there. One of the same name and size whose
    /// upload was cut off goes on where it was.
    pub(super) async fn send(
        &self,
        file: &File,
        new: &NewRecording,
        told: &dyn Fn(f64),
    ) -> Result<(), Problem> {
        let same = |known: &Recording| {
            known.state == RecordingState::Uploading
                && (&known.name, known.size_bytes) == (&new.name, new.size_bytes)
        };
        let known = self.list(None).await?.into_iter().find(same);
        let id = match known {
            Some(known) => known.recording_id,
            None => self.describe(new).await?,
        };
        let mut tries = 0;
        loop {
            match self.piece(file, &id).await {
                Ok(Some(there)) => {
                    tries = 0;
                    told(there);
                }
                Ok(None) => return Ok(()),
                // What a later try may do better: no connection, no room for the moment, another offset.
                Err(problem) if tries < TRIES && (problem.status >= 500 || problem.status == 409) => {
                    tries += 1;
                    client::sleep(PAUSE * tries).await;
                }
                Err(problem) => return Err(problem),
            }
        }
    }

    async fn describe(&self, new: &NewRecording) -> Result<String, Problem> {
        let body = serde_json::to_string(new).map_err(|error| Problem::internal(error.to_string()))?;
        let call = client::Call {
            method: "POST",
            header: Some(("content-type", "application/json")),
            body: Some(body.into()),
        };
        let answer = client::call(&self.origin, &self.path(""), &self.params(), call).await?;
        let added: Recording =
            serde_json::from_str(&answer).map_err(|error| Problem::internal(error.to_string()))?;
        Ok(added.recording_id)
    }

    /// Sends the piece that comes next; returns how many bytes are there, `None` when all are.
    async fn piece(&self, file: &File, id: &str) -> Result<Option<f64>, Problem> {
        let there = self
            .list(None)
            .await?
            .into_iter()
            .find(|known| known.recording_id == id);
        let there = there.ok_or_else(|| Problem::not_found("the recording was removed meanwhile"))?;
        if there.state == RecordingState::Ready {
            return Ok(None);
        }
        let offset = there.received_bytes.unwrap_or(0) as f64;
        let end = (offset + PIECE).min(file.size());
        let piece = file
            .slice_with_f64_and_f64(offset, end)
            .map_err(|_| Problem::invalid_body("the file cannot be read any more"))?;
        let at = offset.to_string();
        let call = client::Call {
            method: "PATCH",
            header: Some(("upload-offset", &at)),
            body: Some(piece.into()),
        };
        client::call(&self.origin, &self.path(id), &self.params(), call).await?;
        Ok(Some(end))
    }
}
