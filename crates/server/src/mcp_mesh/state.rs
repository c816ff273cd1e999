//! How the consumer stands, for `/api/v1/status` and MCP Mesh's own `/trace/status`.

use super::Settings;
use meshscope_api::status::{McpMeshState, McpMeshStatus};
use meshscope_model::TraceId;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Arrivals that a slow follower may be behind before it is told that it missed some.
const BEHIND: usize = 1_024;

/// How the consumer stands, and who follows what it reads; absent when none is configured.
pub(crate) struct State(Option<Inner>);

struct Inner {
    status: Mutex<McpMeshStatus>,
    /// Traces of which something was kept; `None` when the server ends.
    arrivals: Mutex<Option<broadcast::Sender<TraceId>>>,
}

// A panic while a lock was held leaves plain data; go on with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(crate) fn new(settings: Option<&Settings>) -> Self {
        Self(settings.map(|settings| {
            let status = McpMeshStatus {
                url: settings.shown_url(),
                streams: settings.streams.clone(),
                group: settings.group.clone(),
                consumer: settings.consumer.clone(),
                ..McpMeshStatus::default()
            };
            Inner {
                status: Mutex::new(status),
                arrivals: Mutex::new(Some(broadcast::Sender::new(BEHIND))),
            }
        }))
    }

    pub(crate) fn get(&self) -> Option<McpMeshStatus> {
        self.lock().map(|state| state.clone())
    }

    fn lock(&self) -> Option<MutexGuard<'_, McpMeshStatus>> {
        Some(lock(&self.0.as_ref()?.status))
    }

    /// Follows the traces that arrive; `None` when nothing is read.
    pub(super) fn follow(&self) -> Option<broadcast::Receiver<TraceId>> {
        let arrivals = lock(&self.0.as_ref()?.arrivals);
        Some(arrivals.as_ref()?.subscribe())
    }

    /// Tells the followers of traces of which something was kept.
    pub(super) fn arrived(&self, traces: impl IntoIterator<Item = TraceId>) {
        let Some(inner) = &self.0 else { return };
        if let Some(arrivals) = &*lock(&inner.arrivals) {
            for trace_id in traces {
                if arrivals.send(trace_id).is_err() {
                    // Nobody follows.
                    return;
                }
            }
        }
    }

    /// Ends what followers hear, so that their connections do not hold up the server's end.
    pub(crate) fn end(&self) {
        if let Some(inner) = &self.0 {
            lock(&inner.arrivals).take();
        }
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
