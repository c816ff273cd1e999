//! One trace as a file.

use super::missing;
use crate::api::{Answer, params, trace_id};
use crate::app::App;
use crate::pour::{Coding, Stopped, attached, pour};
use crate::transfer::lines;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use meshscope_api::Problem;
use meshscope_api::export::{ExportQuery, ExportSignal};
use meshscope_model::{Batch, TraceId};
use meshscope_store::stop::Stop;
use meshscope_store::{Store, StoreError};
use meshscope_telemetry::jaeger;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many letters of the trace's name are in the file's.
const NAME: usize = 48;

/// One trace as a file: OTLP/JSON lines with its log records, or Jaeger's JSON.
///
/// `otlp` is what `/api/v1/export` gives of the trace: an export request a line, which can be imported again
/// without loss. `jaeger` is what Jaeger's page saves and opens: its spans, in microseconds. An answer that breaks off is
/// not whole.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/export",
    params(
        ("trace_id" = String, Path, description = "32 hexadecimal digits"),
        ("format" = Option<String>, Query, description = "`otlp` (the default) or `jaeger`"),
    ),
    responses(
        (status = 200, content((String = "application/x-ndjson"), (String = "application/json"))),
        (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn export_trace(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let id = trace_id(&id)?;
    let params = params(query);
    params.only(&["format"])?;
    let jaeger = params.one_of("format", &["otlp", "jaeger"])? == Some("jaeger");
    let name = app.ask(move |store| name_of(store, id)).await?;
    let name = name.ok_or_else(|| missing(id))?;
    let store = Arc::clone(&app.store);
    let coding = Coding::of(&headers);
    let (end, answer) = if jaeger {
        let make = move |out: &mut dyn Write, stop: &Arc<Stop>| write_jaeger(&*store, id, out, stop);
        ("jaeger.json", pour("application/json", coding, make).await?)
    } else {
        let make = move |out: &mut dyn Write, stop: &Arc<Stop>| write_otlp(&*store, id, out, stop);
        ("otlp.jsonl", pour("application/x-ndjson", coding, make).await?)
    };
    Ok(attached(answer, &format!("{}{id}.{end}", file_name(&name))))
}

/// The name of the trace's first root, or of its first span; `None` when there is no such trace.
fn name_of(store: &dyn Store, id: TraceId) -> Result<Option<String>, StoreError> {
    let mut name = None;
    store.trace_columns(id, &mut |piece| {
        let c = piece.columns;
        let root = c.parent_span_id.iter().position(|parent| *parent == 0);
        // The strings of a first piece begin with index 1.
        let index = c.name.get(root.unwrap_or(0)).copied().unwrap_or(0) as usize;
        let text = index.checked_sub(1).and_then(|index| c.strings.get(index));
        name = Some(text.cloned().unwrap_or_default());
        ControlFlow::Break(())
    })?;
    Ok(name)
}

/// A name as part of a file's, with a hyphen after it: letters and digits that every system takes.
fn file_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
    let words: Vec<&str> = words
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
        .collect();
    let mut file = words.join("-");
    file.truncate(NAME);
    if !file.is_empty() {
        file.push('-');
    }
    file
}

fn write_otlp(store: &dyn Store, id: TraceId, out: &mut dyn Write, stop: &Arc<Stop>) -> Result<(), Stopped> {
    records(
        store,
        stop,
        id,
        &[ExportSignal::Traces, ExportSignal::Logs],
        |batch| {
            let mut bytes = 0;
            for line in lines(batch) {
                bytes += line.len();
                out.write_all(&line)?;
            }
            Ok(bytes)
        },
    )
}

fn write_jaeger(
    store: &dyn Store,
    id: TraceId,
    out: &mut dyn Write,
    stop: &Arc<Stop>,
) -> Result<(), Stopped> {
    let mut writer = jaeger::Writer::new(id);
    records(store, stop, id, &[ExportSignal::Traces], |batch| {
        let text = writer.spans(batch.spans.iter().map(|entry| &entry.span));
        out.write_all(text.as_bytes())?;
        Ok(text.len())
    })?;
    Ok(out.write_all(writer.end().as_bytes())?)
}

/// Gives the records of a trace to `write`, which answers with how many bytes it made of them.
fn records(
    store: &dyn Store,
    stop: &Arc<Stop>,
    id: TraceId,
    signals: &[ExportSignal],
    mut write: impl FnMut(&Batch) -> io::Result<usize>,
) -> Result<(), Stopped> {
    let query = ExportQuery {
        signals: signals.to_vec(),
        trace_id: Some(id),
        ..ExportQuery::default()
    };
    let mut gone = None;
    let mut take = |batch| match write(&batch) {
        Ok(bytes) => ControlFlow::Continue(bytes),
        Err(error) => {
            gone = Some(error);
            ControlFlow::Break(())
        }
    };
    let exported = stop.run(|| store.export(&query, &mut take));
    match (gone, exported) {
        (Some(error), _) => Err(error.into()),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(())) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_name_that_every_system_takes() {
        for (name, file) in [
            ("invoke_agent Research Bot", "invoke_agent-Research-Bot-"),
            ("POST /v1/chat?x=\"1\"", "POST-v1-chat-x-1-"),
            ("../../etc/passwd", "etc-passwd-"),
            ("été", "t-"),
            ("", ""),
            ("…", ""),
        ] {
            assert_eq!(file_name(name), file, "{name}");
        }
        assert_eq!(file_name(&"ab ".repeat(100)).len(), NAME + 1);
    }
}
