//! The commands that tell of what a running server keeps: `tail`, `session`, `trace`, `usage`; and
//! `log`, which adds to it.

mod ask;
mod events;
mod line;
mod log;
mod out;
mod record;
mod session;
mod table;
mod tail;
mod trace;
mod usage;
mod when;

use crate::client::ClientError;
use std::io;
use std::process::ExitCode;

/// Said at the end of each command's help.
const EXIT_CODES: &str = "Exit codes: 0 found, or done; 1 nothing found; 2 wrong usage; \
    3 the server cannot be reached, or does not answer as it should.\n\
    Colours are for terminals: NO_COLOR or --color never turns them off. COLUMNS says how wide tables may be.";

/// The commands.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Tell {
    /// Print log records and spans as they come.
    #[command(after_help = EXIT_CODES)]
    Tail(Box<tail::TailOptions>),
    /// List sessions, or show one: its runs, logs, metrics.
    #[command(after_help = EXIT_CODES)]
    Session(Box<session::SessionOptions>),
    /// Show a trace as a tree, with times, tokens, cost, verdicts and errors.
    #[command(after_help = EXIT_CODES)]
    Trace(Box<trace::TraceOptions>),
    /// Sum up tokens and cost, in groups and in all.
    #[command(after_help = EXIT_CODES)]
    Usage(Box<usage::UsageOptions>),
    /// Add a log record, or each line of standard input as one.
    #[command(after_help = EXIT_CODES)]
    Log(Box<log::LogOptions>),
}

/// Why a command ends without having found or done what it was asked.
#[derive(Debug)]
enum Ended {
    /// There is nothing of the kind.
    Nothing(String),
    /// It was asked for in a way that cannot be.
    Usage(String),
    /// The server is not there, or does not answer as it should.
    Server(String),
    /// What is found cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Request(_) => Self::Usage(error.into()),
            ClientError::Unreachable { .. } | ClientError::BrokeOff(_) => Self::Server(error.into()),
        }
    }
}

/// Runs a command; what keeps it from being done is said on standard error.
pub(crate) async fn run(tell: Tell) -> ExitCode {
    let done = match tell {
        Tell::Tail(options) => tail::run(*options).await,
        Tell::Session(options) => session::run(*options).await,
        Tell::Trace(options) => trace::run(*options).await,
        Tell::Usage(options) => usage::run(*options).await,
        Tell::Log(options) => log::run(*options).await,
    };
    let (code, said) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        // Who reads may stop when it has enough.
        Err(Ended::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(Ended::Output(error)) => (3, format!("cannot write to standard output: {error}")),
        Err(Ended::Nothing(said)) => (1, said),
        Err(Ended::Usage(said)) => (2, said),
        Err(Ended::Server(said)) => (3, said),
    };
    eprintln!("meshscope: {}", line::clean(&said));
    ExitCode::from(code)
}
