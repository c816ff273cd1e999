//! Taking data in and out by the command line: `import`, `export`, `backup`. Each works on a running
//! server (`--endpoint`) or, when none runs, on its data directory.

mod backup;
mod export;
mod files;
mod import;
mod progress;
mod sink;
mod state;

pub(crate) use backup::BackupOptions;
pub(crate) use backup::{backup, copy_beside};
pub(crate) use export::ExportOptions;
pub(crate) use export::{export, lines};
pub(crate) use import::ImportOptions;
pub(crate) use import::import;

use crate::client::{Client, ClientError};
use crate::config::{Config, ServeArgs};
use meshscope_store::{DuckDb, Options, StoreError};
use std::path::PathBuf;

/// Where the data is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Place {
    /// A running server, for example http://127.0.0.1:4319 (for import its OTLP address, http://127.0.0.1:4318).
    #[arg(long, env = "MESHSCOPE_ENDPOINT")]
    endpoint: Option<String>,
    /// Key, for a server that asks for one.
    #[arg(long, env = "MESHSCOPE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The data directory, when no server runs [default: ~/.local/share/meshscope].
    #[arg(long, env = "MESHSCOPE_DATA_DIR", conflicts_with = "endpoint")]
    data_dir: Option<PathBuf>,
}

impl Place {
    fn config(&self) -> Result<Config, String> {
        Config::resolve(ServeArgs {
            data_dir: self.data_dir.clone(),
            ..ServeArgs::default()
        })
    }

    fn client(&self, endpoint: &str) -> Result<Client, ClientError> {
        Client::new(endpoint, self.key.clone())
    }
}

/// Opens the store of a data directory.
fn open(config: &Config) -> Result<DuckDb, String> {
    let options = Options {
        memory_mib: config.engine_memory_mib,
        ..Options::default()
    };
    DuckDb::open(&config.data_dir, &options).map_err(|error| match error {
        StoreError::Locked { .. } => {
            format!("{error}; if that is a server, name it: --endpoint http://127.0.0.1:PORT")
        }
        error => error.to_string(),
    })
}

/// The same of a data directory that must be there.
fn open_there(config: &Config) -> Result<DuckDb, String> {
    if !DuckDb::is_in(&config.data_dir) {
        return Err(format!(
            "there is no store in {}: give --data-dir, or --endpoint for a running server",
            config.data_dir.display()
        ));
    }
    open(config)
}
