//! The price tables of this server: the built-in one, and the user's own before it.

use crate::app::App;
use crate::config::Config;
use meshscope_analysis::{PriceTable, Prices, cost};
use meshscope_api::status::{PriceTableInfo, PricesStatus};
use meshscope_model::Usage;
use meshscope_store::{Store, StoreError};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where the user's own table is: the one named, else `prices.json` beside the data.
pub(crate) fn file(config: &Config) -> PathBuf {
    config
        .prices
        .clone()
        .unwrap_or_else(|| config.data_dir.join("prices.json"))
}

/// The tables by which calls are priced.
pub(crate) fn load(config: &Config) -> Result<Prices, String> {
    let own = own(config)?;
    Ok(own.map_or_else(Prices::built_in, |own| Prices::built_in().with_own(own)))
}

/// Reads the user's own table, where there is one. A file that is named must be there; any that is there
/// must be right.
pub(crate) fn own(config: &Config) -> Result<Option<PriceTable>, String> {
    let path = file(config);
    match std::fs::read_to_string(&path) {
        Ok(text) => PriceTable::parse(&text)
            .map(Some)
            .map_err(|error| format!("the price table {}: {error}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound && config.prices.is_none() => Ok(None),
        Err(error) => Err(format!("cannot read the price table {}: {error}", path.display())),
    }
}

/// Prices calls that came before their price was known, some at a time, until there are none or
/// it need not go on; returns how many.
pub(crate) fn price_past(
    prices: &Prices,
    store: &dyn Store,
    go_on: impl Fn() -> bool,
) -> Result<u64, StoreError> {
    let price = of(prices);
    let mut all = 0;
    while go_on() {
        match store.price(&price)? {
            0 => break,
            calls => all += calls,
        }
    }
    Ok(all)
}

/// What the store asks for: the cost of a call by these tables, and the version of the one it comes
/// from.
pub(crate) fn of(
    prices: &Prices,
) -> impl Fn(Option<&str>, &str, &Usage, i64) -> Option<(i64, String)> + Sync {
    |provider, model, usage, at| {
        let (version, price) = prices.find(provider, model, at)?;
        Some((cost::cost(price, usage)?, version.to_owned()))
    }
}

/// The same beside everything else, for a start that need not wait for it.
pub(crate) fn price_past_beside(app: &Arc<App>, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(
        move || match price_past(&app.prices(), &*app.store, || !*stopped.borrow()) {
            Ok(0) => {}
            Ok(calls) => tracing::info!(calls, "calls of the past have a price now"),
            Err(error) => tracing::error!(%error, "calls of the past could not be priced"),
        },
    )
}

/// What the studio says of them.
pub(crate) fn status(prices: &Prices, config: &Config) -> PricesStatus {
    let info = |table: &PriceTable| PriceTableInfo {
        version: table.version.clone(),
        date: table.date.clone(),
        prices: u32::try_from(table.prices.len()).unwrap_or(u32::MAX),
    };
    PricesStatus {
        file: file(config).display().to_string(),
        tables: prices.tables.iter().map(info).collect(),
    }
}
