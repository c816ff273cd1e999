//! Questions to the store: off the async threads, for a limited time, and only for as long as
//! somebody waits for the answer.

use crate::app::App;
use meshscope_api::Problem;
use meshscope_store::stop::Stop;
use meshscope_store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Time between attempts to stop a query that still runs.
const AGAIN: Duration = Duration::from_millis(10);

impl App {
    /// Asks the store. The query is stopped when it takes longer than the configuration allows, and
    /// when the answer is not waited for any more.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let limit = self.config.query_timeout;
        tokio::time::timeout(limit, self.ask_long(ask))
            .await
            .unwrap_or_else(|_elapsed| {
                Err(Problem::timeout(format!(
                    "it was given up after {limit:?}: ask for a shorter time range or fewer records, or start the \
                     server with a longer --query-timeout"
                )))
            })
    }

    /// The same for what takes as long as there is data, such as a backup.
    pub(crate) async fn ask_long<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        run(Arc::clone(&self.store), Arc::clone(&self.queries), ask).await
    }
}

/// Asks when one of the places is free.
async fn run<T: Send + 'static>(
    store: Arc<dyn Store>,
    places: Arc<Semaphore>,
    ask: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let Ok(place) = places.acquire_owned().await else {
        return Err(Problem::unavailable("the server is shutting down"));
    };
    let asked = Asked::default();
    let stop = Arc::clone(&asked.0);
    let answer = tokio::task::spawn_blocking(move || {
        let answer = stop.run(|| ask(&*store));
        drop(place);
        answer
    });
    match answer.await {
        Ok(answer) => answer.map_err(|error| refusal_of(&error)),
        Err(error) => {
            tracing::error!(%error, "a query panicked");
            Err(Problem::internal("the query failed; the server's log says more"))
        }
    }
}

/// Dropped when the answer is there or not waited for any more.
#[derive(Default)]
pub(crate) struct Asked(pub(crate) Arc<Stop>);

impl Drop for Asked {
    fn drop(&mut self) {
        let stop = Arc::clone(&self.0);
        if stop.stop()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                while stop.stop() {
                    tokio::time::sleep(AGAIN).await;
                }
            });
        }
    }
}

/// What the store refuses, as a client is told.
pub(crate) fn refusal_of(error: &StoreError) -> Problem {
    match error {
        StoreError::Cursor => Problem::invalid_parameter(
            "cursor",
            format!("{error}: give `next_cursor` of the page before, or leave it out for the first page"),
        ),
        StoreError::Asked { parameter, .. } => Problem::invalid_parameter(parameter, error.to_string()),
        StoreError::Full { .. } | StoreError::Lost { .. } => Problem::unavailable(error.to_string()),
        StoreError::Project(_) => Problem::invalid_parameter("project", error.to_string()),
        StoreError::Place(_) => Problem::invalid_parameter("destination", error.to_string()),
        _ => {
            tracing::error!(%error, "a query failed");
            Problem::internal(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_store::DuckDb;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_query_ends_when_nobody_waits_for_its_answer() {
        let store = Arc::new(DuckDb::in_memory().unwrap());
        let places = Arc::new(Semaphore::new(1));
        let (begun, has_begun) = mpsc::channel();
        let (ended, has_ended) = mpsc::channel();
        let endless = run(store.clone(), Arc::clone(&places), move |store| {
            loop {
                if let Err(error) = store.counts() {
                    ended.send(()).unwrap();
                    return Err::<(), _>(error);
                }
                begun.send(()).ok();
            }
        });
        let waiting = tokio::spawn(endless);
        tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
            .await
            .unwrap();
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        tokio::task::spawn_blocking(move || has_ended.recv().unwrap())
            .await
            .unwrap();
        // Its place is free and the store answers others.
        let counts = run(store, places, Store::counts).await.unwrap();
        assert_eq!(counts.spans, 0);
    }
}
