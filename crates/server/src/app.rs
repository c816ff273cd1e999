//! What all handlers share.

use crate::config::Config;
use crate::live::Hub;
use crate::mcp_mesh;
use crate::recordings::Uploads;
use crate::stats::Stats;
use meshscope_analysis::Prices;
use meshscope_api::Listener;
use meshscope_api::budgets::Budget;
use meshscope_store::Store;
use meshscope_store::writer::Writer;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;

/// How many queries run at a time; more wait.
const QUERIES: usize = 8;

/// The running server's parts.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) writer: Writer,
    prices: RwLock<Arc<Prices>>,
    budgets: RwLock<Vec<Budget>>,
    /// Held by who changes what the server keeps in files of its own.
    pub(crate) changing: Mutex<()>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) started_at: i64,
    pub(crate) mesh: mcp_mesh::State,
    pub(crate) hub: Arc<Hub>,
    pub(crate) uploads: Uploads,
    stopping: AtomicBool,
    pub(crate) queries: Arc<Semaphore>,
}

/// The present in ns since the epoch.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

impl App {
    pub(crate) fn new(
        config: Config,
        store: Arc<dyn Store>,
        writer: Writer,
        stats: Arc<Stats>,
        hub: Arc<Hub>,
        listeners: Vec<Listener>,
        prices: Prices,
        budgets: Vec<Budget>,
    ) -> Self {
        let queries = Arc::new(Semaphore::new(QUERIES));
        Self {
            mesh: mcp_mesh::State::new(config.mcp_mesh.as_ref()),
            config,
            store,
            writer,
            prices: RwLock::new(Arc::new(prices)),
            budgets: RwLock::new(budgets),
            changing: Mutex::default(),
            stats,
            listeners,
            started_at: now(),
            hub,
            uploads: Uploads::new(),
            stopping: AtomicBool::new(false),
            queries,
        }
    }

    /// The price tables as they are now.
    pub(crate) fn prices(&self) -> Arc<Prices> {
        Arc::clone(&self.prices.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Prices by these tables from now on.
    pub(crate) fn set_prices(&self, prices: Prices) {
        *self.prices.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(prices);
    }

    /// The budgets as they are now.
    pub(crate) fn budgets(&self) -> Vec<Budget> {
        self.budgets
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps these budgets from now on.
    pub(crate) fn set_budgets(&self, budgets: Vec<Budget>) {
        *self.budgets.write().unwrap_or_else(PoisonError::into_inner) = budgets;
    }

    /// Notes that the server takes nothing more, and ends what would otherwise go on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.mesh.end();
        self.hub.end();
        self.uploads.end();
    }

    /// Whether the server is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Why no telemetry is taken; `None` when it is. The store is open for as long as this lives.
    pub(crate) fn not_ready(&self) -> Option<&'static str> {
        if self.is_stopping() {
            return Some("the server is shutting down");
        }
        (!self.writer.is_running()).then_some("the writer has ended: restart the server")
    }
}
