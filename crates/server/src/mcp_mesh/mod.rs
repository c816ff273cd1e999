//! MCP Mesh: its agents' trace streams in Redis, and the registry's own API over what is kept.
//!
//! We read with a consumer group of our own, so that MCP Mesh's registry loses nothing. An
//! entry is acknowledged when its span is committed and not before; an entry that is read twice
//! counts once by the span's identity. So nothing is lost or doubled, whatever ends when.

mod commit;
mod consumer;
mod live;
mod reply;
pub(crate) mod rest;
mod settings;
mod state;

pub(crate) use settings::Settings;
pub(crate) use state::State;

use crate::app::{App, now};
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The first pause before connecting again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Starts the consumer when one is configured. It ends with the server, and never before it.
pub(crate) fn start(app: &Arc<App>, stopped: watch::Receiver<bool>) -> Option<JoinHandle<()>> {
    let settings = app.config.mcp_mesh.clone()?;
    let app = Arc::clone(app);
    Some(tokio::spawn(async move { run(&app, &settings, stopped).await }))
}

async fn run(app: &App, settings: &Settings, mut stopped: watch::Receiver<bool>) {
    let mut pause = PAUSES.0;
    loop {
        let mut worked = false;
        let failure = tokio::select! {
            failure = consumer::consume(app, settings, &mut worked) => failure,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        if worked {
            pause = PAUSES.0;
        }
        if app.mesh.failed(&failure, now()) {
            tracing::warn!(error = %failure, url = settings.shown_url(), "MCP Mesh's Redis is not there; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(pause)) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Between half of `pause` and one and a half, so that many servers do not come back as one.
fn jittered(pause: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish();
    pause.mul_f64(0.5 + random as f64 / u64::MAX as f64)
}
