//! `meshscope export`, and what the server answers to it.

use super::{Place, open_there};
use crate::client::{Client, read, refusal};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use meshscope_api::Params;
use meshscope_api::export::{ExportFormat, ExportQuery, ExportSignal};
use meshscope_model::{Batch, LogEntry, PointEntry, SpanEntry};
use meshscope_store::Store;
use meshscope_telemetry::otlp::{logs_line, points_line, spans_line};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// How many records a line holds at the most.
const LINE: usize = 500;

/// What `meshscope export` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ExportOptions {
    #[command(flatten)]
    place: Place,
    /// `otlp`: JSON Lines, one export request a line; `parquet`: a file a signal.
    #[arg(long, default_value = "otlp", value_parser = ["otlp", "parquet"])]
    format: String,
    /// Only these of traces, logs, metrics, comma separated.
    #[arg(long)]
    signal: Option<String>,
    /// Only this project.
    #[arg(long)]
    project: Option<String>,
    /// Only this session.
    #[arg(long)]
    session: Option<String>,
    /// Only this trace: its spans and log records.
    #[arg(long)]
    trace: Option<String>,
    /// From this moment on: RFC 3339, or ns since the epoch.
    #[arg(long)]
    from: Option<String>,
    /// Up to this moment.
    #[arg(long)]
    to: Option<String>,
    /// A file, or for Parquet of several signals a directory [default: standard output].
    #[arg(long, short)]
    output: Option<PathBuf>,
}

impl ExportOptions {
    fn query(&self) -> Result<ExportQuery, String> {
        let mut params = Params::default();
        params.set("signal", self.signal.as_deref());
        params.set("project", self.project.as_deref());
        params.set("session", self.session.as_deref());
        params.set("trace_id", self.trace.as_deref());
        params.set("from", self.from.as_deref());
        params.set("to", self.to.as_deref());
        let mut query = ExportQuery::read(&params).map_err(|problem| {
            let option = problem.parameter.unwrap_or_default().replace("trace_id", "trace");
            format!("--{option}: {}", problem.detail)
        })?;
        if self.format == ExportFormat::Parquet.as_str() {
            query.format = ExportFormat::Parquet;
        }
        Ok(query)
    }

    /// The Parquet files to write.
    fn parquet_files(&self, query: &ExportQuery) -> Result<Vec<(ExportSignal, PathBuf)>, String> {
        let output = self
            .output
            .clone()
            .ok_or("Parquet goes to a file: give --output")?;
        let signals = query.wanted();
        if let [signal] = signals.as_slice() {
            return Ok(vec![(*signal, output)]);
        }
        std::fs::create_dir_all(&output).map_err(|error| cannot(&output, &error))?;
        let file = |signal: ExportSignal| (signal, output.join(format!("{}.parquet", signal.as_str())));
        Ok(signals.into_iter().map(file).collect())
    }
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// Runs the command.
pub(crate) async fn export(options: ExportOptions) -> Result<(), String> {
    let query = options.query()?;
    match options.place.endpoint.clone() {
        Some(endpoint) => from_server(&options, &query, &endpoint).await,
        None => {
            let done = tokio::task::spawn_blocking(move || from_directory(&options, &query)).await;
            done.map_err(|error| error.to_string())?
        }
    }
}

fn from_directory(options: &ExportOptions, query: &ExportQuery) -> Result<(), String> {
    let store = open_there(&options.place.config()?)?;
    if query.format == ExportFormat::Parquet {
        for (signal, path) in options.parquet_files(query)? {
            let whole = Whole::beside(&path);
            let exported = store.export_parquet(query, signal, &whole.beside);
            exported.map_err(|error| error.to_string())?;
            whole.finish()?;
        }
        return store.close().map_err(|error| error.to_string());
    }
    let mut output = Output::open(options.output.as_deref())?;
    let mut failed = None;
    let exported = store.export(
        query,
        &mut |batch| match write_lines(&batch, &mut output.writer) {
            Ok(bytes) => ControlFlow::Continue(bytes),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        },
    );
    exported.map_err(|error| error.to_string())?;
    output.finish(failed)
}

async fn from_server(options: &ExportOptions, query: &ExportQuery, endpoint: &str) -> Result<(), String> {
    let mut client = options.place.client(endpoint)?;
    if query.format == ExportFormat::Otlp {
        let mut output = Output::open(options.output.as_deref())?;
        let failed = copy(&mut client, query, &mut output.writer).await?;
        return output.finish(failed);
    }
    for (signal, path) in options.parquet_files(query)? {
        let query = ExportQuery {
            signals: vec![signal],
            ..query.clone()
        };
        let whole = Whole::beside(&path);
        let mut file = File::create(&whole.beside).map_err(|error| cannot(&path, &error))?;
        if let Some(error) = copy(&mut client, &query, &mut file).await? {
            return Err(cannot(&path, &error));
        }
        whole.finish()?;
    }
    Ok(())
}

/// Copies the server's answer; the inner error is that of `into`.
async fn copy(
    client: &mut Client,
    query: &ExportQuery,
    into: &mut impl Write,
) -> Result<Option<io::Error>, String> {
    let path = format!("/api/v1/export?{}", query.to_params().to_query());
    let answer = client.get(&path).await?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(refusal(status, &read(answer).await?));
    }
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the export broke off: {error}"))?;
        if let Ok(bytes) = frame.into_data()
            && let Err(error) = into.write_all(&bytes)
        {
            return Ok(Some(error));
        }
    }
    Ok(None)
}

/// A file that gets its name when it is whole.
struct Whole {
    path: PathBuf,
    beside: PathBuf,
}

impl Whole {
    fn beside(path: &Path) -> Self {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".partial");
        Self {
            path: path.to_owned(),
            beside: PathBuf::from(beside),
        }
    }

    fn finish(&self) -> Result<(), String> {
        std::fs::rename(&self.beside, &self.path).map_err(|error| cannot(&self.path, &error))
    }
}

/// Standard output, or a file.
struct Output {
    writer: BufWriter<Box<dyn Write + Send>>,
    file: Option<Whole>,
}

impl Output {
    fn open(path: Option<&Path>) -> Result<Self, String> {
        let path = path.filter(|path| *path != Path::new("-"));
        let file = path.map(Whole::beside);
        let writer: Box<dyn Write + Send> = match &file {
            Some(file) => Box::new(File::create(&file.beside).map_err(|error| cannot(&file.path, &error))?),
            None => Box::new(io::stdout()),
        };
        Ok(Self {
            writer: BufWriter::with_capacity(256 * 1024, writer),
            file,
        })
    }

    fn finish(mut self, failed: Option<io::Error>) -> Result<(), String> {
        let written = failed.map_or(Ok(()), Err).and_then(|()| self.writer.flush());
        match (written, &self.file) {
            (Ok(()), Some(file)) => file.finish(),
            (Ok(()), None) => Ok(()),
            // Who reads may stop when it has enough.
            (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            (Err(error), None) => Err(format!("cannot write to standard output: {error}")),
            (Err(error), Some(file)) => Err(cannot(&file.path, &error)),
        }
    }
}

/// Writes a part as lines; returns how many bytes they are.
fn write_lines(batch: &Batch, into: &mut impl Write) -> io::Result<usize> {
    let mut bytes = 0;
    for line in lines(batch) {
        into.write_all(&line)?;
        bytes += line.len();
    }
    Ok(bytes)
}

/// The lines of a part: export requests in JSON, each of one project.
pub(crate) fn lines(batch: &Batch) -> impl Iterator<Item = Bytes> {
    let spans = of_projects(
        &batch.spans,
        |entry: &SpanEntry| entry.facts.origin.project.as_deref(),
        spans_line,
    );
    let logs = of_projects(
        &batch.logs,
        |entry: &LogEntry| entry.origin.project.as_deref(),
        logs_line,
    );
    let points = of_projects(
        &batch.points,
        |entry: &PointEntry| entry.origin.project.as_deref(),
        points_line,
    );
    spans.chain(logs).chain(points)
}

fn of_projects<'a, T>(
    entries: &'a [T],
    project: impl Fn(&T) -> Option<&str> + Copy + 'a,
    line: impl Fn(&str, &[T]) -> String + 'a,
) -> impl Iterator<Item = Bytes> + 'a {
    let runs = entries.chunk_by(move |a, b| project(a) == project(b));
    runs.flat_map(|run| run.chunks(LINE)).map(move |run| {
        let of = run.first().and_then(project).unwrap_or("default");
        let mut line = line(of, run);
        line.push('\n');
        Bytes::from(line)
    })
}
