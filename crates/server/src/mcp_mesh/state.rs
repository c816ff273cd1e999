//! How the consumer stands, for `/api/v1/status` and MCP Mesh's own `/trace/status`.

use super::Settings;
use meshscope_api::status::{McpMeshState, McpMeshStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How the consumer stands; absent when none is configured.
pub(crate) struct State(Option<Mutex<McpMeshStatus>>);

impl State {
    pub(crate) fn new(settings: Option<&Settings>) -> Self {
        Self(settings.map(|settings| {
            Mutex::new(McpMeshStatus {
                url: settings.shown_url(),
                streams: settings.streams.clone(),
                group: settings.group.clone(),
                consumer: settings.consumer.clone(),
                ..McpMeshStatus::default()
            })
        }))
    }

    pub(crate) fn get(&self) -> Option<McpMeshStatus> {
        self.lock().map(|state| state.clone())
    }

    fn lock(&self) -> Option<MutexGuard<'_, McpMeshStatus>> {
        let state = self.0.as_ref()?;
        // A panic while the lock was held leaves plain data; go on with it.
        Some(state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut McpMeshStatus)) {
        if let Some(mut state) = self.lock() {
            change(&mut state);
        }
    }

    /// Notes why the consumer stopped; true when that is news and not the next failed attempt.
    pub(super) fn failed(&self, error: &str, now: i64) -> bool {
        let mut news = false;
        self.update(|state| {
            news = state.last_error.as_deref() != Some(error) || state.state == McpMeshState::Consuming;
            state.state = McpMeshState::Waiting;
            state.reconnects += 1;
            state.last_error = Some(error.to_owned());
            state.last_error_at = Some(now);
        });
        news
    }
}
