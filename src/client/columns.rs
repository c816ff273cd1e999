//! The columns of a trace, read as they come.

use super::{send, sleep, unreachable};
use js_sys::{Reflect, Uint8Array};
use meshscope_api::columns::Decoder;
use meshscope_api::{COLUMNS_MEDIA_TYPE, Params, Problem};
use meshscope_model::SpanColumns;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, ReadableStreamDefaultReader};

/// How far a trace has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Spans that are here.
    pub spans: u64,
    /// Spans that there will be, as far as the server knew when it began.
    pub expected: Option<u64>,
}

/// Why a trace is not whole, and what came of it.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Why.
    pub problem: Problem,
    /// The spans of the chunks that came: the first of the trace. Empty when none did.
    pub columns: SpanColumns,
}

impl From<Problem> for Interrupted {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            columns: SpanColumns::default(),
        }
    }
}

/// The columns of a trace, when all of them are here.
pub(crate) async fn trace_columns(
    origin: &str,
    trace_id: &str,
    abort: Option<&AbortSignal>,
) -> Result<SpanColumns, Problem> {
    columns(origin, &path_of(trace_id), &Params::default(), abort).await
}

fn path_of(trace_id: &str) -> String {
    format!("traces/{}", meshscope_api::params::encode(trace_id))
}

/// The columns at a path of the API, when all of them are here.
pub(crate) async fn columns(
    origin: &str,
    path: &str,
    params: &Params,
    abort: Option<&AbortSignal>,
) -> Result<SpanColumns, Problem> {
    let all = read(origin, path, params, abort, &mut |_, _| {}).await;
    all.map_err(|Interrupted { mut problem, columns }| {
        if !columns.is_empty() {
            problem.detail = format!("{} ({} spans had come)", problem.detail, columns.len());
        }
        problem
    })
}

/// The columns of a trace. `on_chunk` sees them each time when more of them are here, the first
/// time with the first few thousand spans, and the page can draw in between. `abort` ends it.
pub(crate) async fn columns_progressive(
    origin: &str,
    trace_id: &str,
    abort: Option<&AbortSignal>,
    mut on_chunk: impl FnMut(&SpanColumns, Progress),
) -> Result<SpanColumns, Interrupted> {
    read(
        origin,
        &path_of(trace_id),
        &Params::default(),
        abort,
        &mut on_chunk,
    )
    .await
}

/// What is told each time when more columns are here.
type OnChunk<'a> = &'a mut dyn FnMut(&SpanColumns, Progress);

async fn read(
    origin: &str,
    path: &str,
    params: &Params,
    abort: Option<&AbortSignal>,
    on_chunk: OnChunk<'_>,
) -> Result<SpanColumns, Interrupted> {
    let response = send(origin, path, params, COLUMNS_MEDIA_TYPE, abort).await?;
    let reader = response
        .body()
        .map(|body| body.get_reader().unchecked_into::<ReadableStreamDefaultReader>());
    let mut decoder = Decoder::default();
    let mut packet = Vec::new();
    while let Some(reader) = &reader {
        match next(reader, &mut packet).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(problem) => return Err(interrupted(problem, decoder)),
        }
        match decoder.push(&packet) {
            Ok(false) => {}
            Ok(true) => {
                let progress = Progress {
                    spans: decoder.columns().len() as u64,
                    expected: decoder.expected(),
                };
                on_chunk(decoder.columns(), progress);
                sleep(0).await;
            }
            // What it was comes again at the end.
            Err(_) => {
                drop(reader.cancel());
                break;
            }
        }
    }
    if let Some(problem) = decoder
        .check()
        .err()
        .map(|error| Problem::internal(format!("the trace cannot be read to its end: {error}")))
    {
        return Err(interrupted(problem, decoder));
    }
    Ok(decoder.into_partial())
}

fn interrupted(problem: Problem, decoder: Decoder) -> Interrupted {
    Interrupted {
        problem,
        columns: decoder.into_partial(),
    }
}

/// Reads the next packet into `packet`; false at the end.
pub(super) async fn next(
    reader: &ReadableStreamDefaultReader,
    packet: &mut Vec<u8>,
) -> Result<bool, Problem> {
    let failed = |error: JsValue| {
        let said = error.dyn_ref::<js_sys::Error>().map(js_sys::Error::message);
        unreachable(&said.map_or_else(|| "The answer broke off".to_owned(), String::from))
    };
    let read = JsFuture::from(reader.read()).await.map_err(failed)?;
    let field = |name: &str| Reflect::get(&read, &JsValue::from_str(name));
    if field("done").map_err(failed)?.is_truthy() {
        return Ok(false);
    }
    let bytes: Uint8Array = field("value").map_err(failed)?.unchecked_into();
    packet.resize(bytes.length() as usize, 0);
    bytes.copy_to(packet);
    Ok(true)
}
