//! Queries that can be stopped: because who asked has gone, or because they take too long.
//!
//! A query runs on one thread from its beginning to its end, so that the engine finds what may stop
//! it beside the thread; the many reading methods of [`crate::Store`] need not carry it.

use crate::StoreError;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Interrupt = Box<dyn Fn() + Send + Sync>;

/// Stops the one query that runs under it, from any thread.
#[derive(Default)]
pub struct Stop {
    stopped: AtomicBool,
    /// How to interrupt what the engine does for it now, innermost last.
    running: Mutex<Vec<Interrupt>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Stop>>> = const { RefCell::new(None) };
}

impl Stop {
    /// Runs `ask` so that it can be stopped: it then ends with [`StoreError::Stopped`].
    pub fn run<T>(self: &Arc<Self>, ask: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let before = CURRENT.replace(Some(Arc::clone(self)));
        let _after = After(before);
        if self.is_stopped() {
            return Err(StoreError::Stopped);
        }
        // What failed after it was stopped failed because of that.
        ask().map_err(|error| {
            if self.is_stopped() {
                StoreError::Stopped
            } else {
                error
            }
        })
    }

    /// Stops the query. An interrupt between two statements of the engine is lost, so that this is
    /// said again for as long as it answers true: something was running.
    pub fn stop(&self) -> bool {
        self.stopped.store(true, Ordering::SeqCst);
        let running = self.lock();
        running.iter().for_each(|interrupt| interrupt());
        !running.is_empty()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Interrupt>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts back what the thread ran under, also when a query panics.
struct After(Option<Arc<Stop>>);

impl Drop for After {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// For as long as it lives the engine can be interrupted.
pub(crate) struct Running(Option<Arc<Stop>>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            stop.lock().pop();
        }
    }
}

/// Notes how to interrupt what the engine begins now for this thread's query.
pub(crate) fn running(interrupt: impl Fn() + Send + Sync + 'static) -> Result<Running, StoreError> {
    let current = CURRENT.with_borrow(Clone::clone);
    if let Some(stop) = &current {
        stop.lock().push(Box::new(interrupt));
        if stop.is_stopped() {
            stop.lock().pop();
            return Err(StoreError::Stopped);
        }
    }
    Ok(Running(current))
}
