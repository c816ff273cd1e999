//! `meshscope import`: telemetry out of files.

use super::files::{Bodies, Body, Source, list};
use super::progress::Progress;
use super::sink::{Directory, Outcome, Server, Sink};
use super::state::State;
use super::{Place, open};
use crate::ingest::Fallback;
use crate::prices;
use meshscope_model::fingerprint::fingerprint;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much goes into the store at a time.
const PART_BYTES: usize = 8 * 1024 * 1024;
const PART_BODIES: usize = 1_000;
/// How many messages of one file are told.
const TOLD: u64 = 10;
const MIB: usize = 1024 * 1024;

/// What `meshscope import` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ImportOptions {
    /// Files, and directories with files: OTLP in protobuf or JSON, JSON Lines as the Collector's file exporter and
    /// `meshscope export` write them, Jaeger's JSON; each as it is or in .gz or .zst.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// The project of records that name none [default: default].
    #[arg(long)]
    project: Option<String>,
    /// The session of records that name none.
    #[arg(long)]
    session: Option<String>,
    /// Import again what was imported already; records that are there count once.
    #[arg(long)]
    again: bool,
    /// Where it is noted how far an import has come [default: in the data directory, or with --endpoint in
    /// ~/.local/state/meshscope].
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Largest body within a file, in MiB.
    #[arg(long, default_value_t = 256)]
    max_body_mib: usize,
}

/// Runs the command.
pub(crate) async fn import(options: ImportOptions) -> Result<(), String> {
    // Files and the engine block; the server's answers are waited for from there.
    let done = tokio::task::spawn_blocking(move || run(&options)).await;
    done.map_err(|error| error.to_string())?
}

fn run(options: &ImportOptions) -> Result<(), String> {
    let sources = list(&options.paths)?;
    let (mut sink, state) = sink(options)?;
    let mut import = Import {
        state: State::read(state)?,
        progress: Progress::new(sources.iter().map(|source| source.size).sum()),
        read: Arc::default(),
        largest: options.max_body_mib.saturating_mul(MIB),
        records: 0,
        rejected: 0,
    };
    let mut failed = 0;
    for source in &sources {
        let before = import.read.load(Ordering::Relaxed);
        if import.state.of(source).done && !options.again {
            import
                .progress
                .say(&format!("{}: imported already", source.path.display()));
        } else if let Err(error) = import.file(source, &mut sink, options.again)? {
            failed += 1;
            import
                .progress
                .say(&format!("{}: {error}", source.path.display()));
        }
        import.read.store(before + source.size, Ordering::Relaxed);
    }
    sink.close()?;
    let counted = match &options.place.endpoint {
        Some(endpoint) => format!("sent to {endpoint}"),
        None => format!("{} records", import.records),
    };
    import.progress.say(&format!(
        "{} files, {counted}, {} left out",
        sources.len() - failed,
        import.rejected
    ));
    if failed > 0 {
        return Err(format!(
            "{failed} of {} files could not be read to their end",
            sources.len()
        ));
    }
    Ok(())
}

/// Where it goes, and where it is noted how far it is.
fn sink(options: &ImportOptions) -> Result<(Sink, PathBuf), String> {
    let fallback = Fallback {
        project: options.project.clone(),
        session: options.session.clone(),
    };
    if let Some(endpoint) = &options.place.endpoint {
        let client = options.place.client(endpoint)?;
        let named = options.state.clone();
        let state = named.map_or_else(|| state_of(endpoint), Ok)?;
        return Ok((Sink::Server(Box::new(Server::new(&client, &fallback))), state));
    }
    let config = options.place.config()?;
    let directory = Directory {
        store: open(&config)?,
        prices: prices::load(&config)?,
        fallback,
    };
    directory.price_past()?;
    let state = options
        .state
        .clone()
        .unwrap_or_else(|| config.data_dir.join("import.json"));
    Ok((Sink::Directory(Box::new(directory)), state))
}

/// The notes of imports into a server.
fn state_of(endpoint: &str) -> Result<PathBuf, String> {
    let base = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let base = base
        .or_else(home)
        .ok_or("neither XDG_STATE_HOME nor HOME is set: give --state")?;
    let name = format!("import-{:016x}.json", fingerprint(&[endpoint.as_bytes()]));
    Ok(base.join("meshscope").join(name))
}

/// An import under way.
struct Import {
    state: State,
    progress: Progress,
    /// Bytes of the files read so far.
    read: Arc<AtomicU64>,
    largest: usize,
    records: u64,
    rejected: u64,
}

impl Import {
    /// Imports what is left of a file. The inner error is the file's, the outer one ends all.
    fn file(&mut self, source: &Source, sink: &mut Sink, again: bool) -> Result<Result<(), String>, String> {
        let done = if again { 0 } else { self.state.of(source).bodies };
        let mut bodies = match Bodies::open(&source.path, Arc::clone(&self.read), self.largest) {
            Ok(bodies) => bodies,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut told = 0;
        loop {
            let (part, ended) = next_part(&mut bodies, done);
            let last = part.last().map(|body| body.number);
            if !part.is_empty() {
                let outcome = sink.keep(source, part)?;
                self.tell(source, &outcome, &mut told);
            }
            match ended {
                Some(Ok(())) => {
                    self.state.note(source, last.unwrap_or(done), true)?;
                    return Ok(Ok(()));
                }
                Some(Err(error)) => return Ok(Err(error)),
                None => self.state.note(source, last.unwrap_or(done), false)?,
            }
        }
    }

    fn tell(&mut self, source: &Source, outcome: &Outcome, told: &mut u64) {
        self.records += outcome.records;
        self.rejected += outcome.rejected;
        for (body, message) in &outcome.messages {
            *told += 1;
            if *told <= TOLD {
                self.progress
                    .say(&format!("{}:{body}: {message}", source.path.display()));
            } else if *told == TOLD + 1 {
                self.progress
                    .say(&format!("{}: more of the kind", source.path.display()));
            }
        }
        let name = source.path.file_name().unwrap_or_default().to_string_lossy();
        self.progress
            .tell(self.read.load(Ordering::Relaxed), self.records, &name);
    }
}

/// Bodies after the first `done`, as many as go into the store at a time; with how the file ended,
/// when it did.
fn next_part(bodies: &mut Bodies, done: u64) -> (Vec<Body>, Option<Result<(), String>>) {
    let (mut part, mut bytes) = (Vec::new(), 0);
    while bytes < PART_BYTES && part.len() < PART_BODIES {
        match bodies.next() {
            Ok(Some(body)) if body.number <= done => {}
            Ok(Some(body)) => {
                bytes += body.bytes.len();
                part.push(body);
            }
            Ok(None) => return (part, Some(Ok(()))),
            Err(error) => return (part, Some(Err(error.to_string()))),
        }
    }
    (part, None)
}
