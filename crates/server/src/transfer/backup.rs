//! `meshscope backup`: a copy of the store while it runs.

use super::{Place, open_there};
use crate::client::{Post, read, refusal};
use crate::recordings;
use bytes::Bytes;
use meshscope_api::export::{BackupReport, BackupRequest};
use meshscope_store::Store as _;
use std::path::{Path, PathBuf};

/// What `meshscope backup` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BackupOptions {
    /// A directory that is empty or not there yet; with --endpoint on the server's machine. A server started with it as
    /// --data-dir goes on from there.
    destination: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
pub(crate) async fn backup(options: BackupOptions) -> Result<(), String> {
    let destination = std::path::absolute(&options.destination).map_err(|error| error.to_string())?;
    let report = match &options.place.endpoint {
        Some(endpoint) => by_server(&options.place, endpoint, &destination).await?,
        None => {
            let place = options.place.clone();
            let done = tokio::task::spawn_blocking(move || by_directory(&place, &destination)).await;
            done.map_err(|error| error.to_string())??
        }
    };
    println!(
        "{}: {} spans, {} log records, {} metric points, {} bytes",
        report.path, report.spans, report.logs, report.metric_points, report.size_bytes
    );
    Ok(())
}

async fn by_server(place: &Place, endpoint: &str, destination: &Path) -> Result<BackupReport, String> {
    let request = BackupRequest {
        destination: destination.to_string_lossy().into_owned(),
    };
    let post = Post {
        path: "/api/v1/backup".to_owned(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: Bytes::from(serde_json::to_vec(&request).map_err(|error| error.to_string())?),
    };
    let answer = place.client(endpoint)?.post(&post).await?;
    let status = answer.status().as_u16();
    let body = read(answer).await?;
    if status != 200 {
        return Err(refusal(status, &body));
    }
    serde_json::from_slice(&body)
        .map_err(|error| format!("the server's answer is no report of a backup: {error}"))
}

fn by_directory(place: &Place, destination: &Path) -> Result<BackupReport, String> {
    let config = place.config()?;
    let store = open_there(&config)?;
    let report = store.backup(destination).map_err(|error| error.to_string())?;
    copy_beside(&config.data_dir, destination)?;
    store.close().map_err(|error| error.to_string())?;
    Ok(report)
}

/// Copies what lies beside the store: recordings, and the user's price table and budgets where they are there.
pub(crate) fn copy_beside(data_dir: &Path, destination: &Path) -> Result<(), String> {
    recordings::copy(data_dir, destination)?;
    for name in ["prices.json", "budgets.json"] {
        let from = data_dir.join(name);
        if from.exists() {
            std::fs::copy(&from, destination.join(name))
                .map_err(|error| format!("the copy is whole but for {}: {error}", from.display()))?;
        }
    }
    Ok(())
}
