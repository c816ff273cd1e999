//! The command line.

use crate::config::{Config, LogFormat, ServeArgs};
use crate::tell::{self, Tell};
use crate::transfer::{self, BackupOptions, ExportOptions, ImportOptions};
use crate::{demo, serve};
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// The studio for AI agents: receives what agents emit and shows what they did.
#[derive(Debug, Parser)]
#[command(name = "meshscope", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Those of the commands that ask a server are finer.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed; 2 wrong usage. Of tail, session, trace, usage and log: 0 found, or \
    done; 1 nothing found; 2 wrong usage; 3 the server cannot be reached, or does not answer as it should.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive telemetry, keep it, and serve the studio and its API.
    Serve(Box<ServeArgs>),
    /// Send a believable agent workload to a running server.
    Demo(demo::Options),
    #[command(flatten)]
    Tell(Tell),
    /// Take telemetry in from files; an import that was interrupted goes on where it was.
    Import(Box<ImportOptions>),
    /// Write what is kept as OTLP/JSON Lines or Parquet.
    Export(Box<ExportOptions>),
    /// Copy the store while it runs.
    Backup(Box<BackupOptions>),
}

/// Runs the program; errors go to standard error as one line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start the runtime: {error}")),
    };
    let result = match cli.command {
        Command::Tell(tell) => {
            let code = runtime.block_on(tell::run(tell));
            // A read of standard input may be under way that nobody waits for.
            runtime.shutdown_background();
            return code;
        }
        Command::Serve(args) => Config::resolve(*args).and_then(|config| {
            log(config.log_format);
            runtime.block_on(serve::run(config))
        }),
        Command::Demo(options) => {
            log(LogFormat::Text);
            runtime.block_on(demo::run(options))
        }
        Command::Import(options) => runtime.block_on(transfer::import(*options)),
        Command::Export(options) => runtime.block_on(transfer::export(*options)),
        Command::Backup(options) => runtime.block_on(transfer::backup(*options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Starts the log on standard error.
fn log(format: LogFormat) {
    let filter =
        EnvFilter::try_from_env("MESHSCOPE_LOG").unwrap_or_else(|_| EnvFilter::new("warn,meshscope=info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).init(),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("meshscope: {error}");
    ExitCode::FAILURE
}
