//! One span, and one of its values.

use crate::api::{Answer, params, trace_id};
use crate::app::App;
use crate::pour::{Coding, pour};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use meshscope_api::preview::ValuePlace;
use meshscope_api::{Problem, SpanDetail};
use meshscope_model::{AttributeValue, SpanId, TraceId};
use meshscope_store::stop::Stop;
use meshscope_telemetry::semconv::provenance::provenance;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

/// Values are cut to no less than this many bytes.
const SHORTEST: usize = 16;

fn span_id(text: &str) -> Result<SpanId, Problem> {
    text.parse()
        .map_err(|error| Problem::invalid_parameter("span_id", format!("{error}")))
}

/// A span as kept; a problem says whether it is the trace or the span that is not there.
async fn kept(
    app: &App,
    trace: TraceId,
    span: SpanId,
    prepare: impl FnOnce(SpanDetail) -> SpanDetail + Send + 'static,
) -> Result<SpanDetail, Problem> {
    let kept = app.ask(move |store| Ok(store.span(trace, span)?.map(prepare)));
    let missing = || Problem::not_found(format!("there is no span {span} in trace {trace}"));
    kept.await?.ok_or_else(missing)
}

/// JSON in pieces that are worth compressing one by one.
fn write_json(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    let mut gathered = BufWriter::with_capacity(64 * 1024, out);
    serde_json::to_writer(&mut gathered, value)?;
    gathered.flush()
}

/// One span with everything it carries.
///
/// With `preview`, attribute values of more bytes stand as the text that they begin with, and `cut` says which, what they
/// are and how long; `/value` has each of them whole.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/spans/{span_id}",
    params(
        ("trace_id" = String, Path, description = "32 hexadecimal digits"),
        ("span_id" = String, Path, description = "16 hexadecimal digits"),
        ("preview" = Option<u32>, Query, description = "Cut values of more bytes than this, at least 16; absent is none"),
    ),
    responses((status = 200, body = SpanDetail), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn span(
    State(app): State<Arc<App>>,
    Path((trace, span)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let (trace, span) = (trace_id(&trace)?, span_id(&span)?);
    let params = params(query);
    params.only(&["preview"])?;
    let preview = params.number("preview", SHORTEST, usize::MAX)?;
    let detail = kept(&app, trace, span, move |mut detail| {
        detail.provenance = provenance(&detail.to_span())
            .into_iter()
            .map(|(fact, sources)| (fact.to_owned(), sources))
            .collect();
        if let Some(limit) = preview {
            detail.cut_values(limit);
        }
        detail
    });
    let detail = detail.await?;
    pour("application/json", Coding::of(&headers), move |out, _| {
        Ok(write_json(out, &detail)?)
    })
    .await
}

/// One attribute value of a span, whole: text as text, bytes as they are, lists and maps as JSON.
#[utoipa::path(get, path = "/api/v1/traces/{trace_id}/spans/{span_id}/value",
    params(
        ("trace_id" = String, Path, description = "32 hexadecimal digits"),
        ("span_id" = String, Path, description = "16 hexadecimal digits"),
        ("key" = String, Query, description = "Key of the attribute; of a repeated key the first"),
        ("in" = Option<String>, Query, description = "`attributes` (the default), `events`, `links`, `resource` or `scope`"),
        ("index" = Option<u32>, Query, description = "Number of the event or link, from 0"),
    ),
    responses(
        (status = 200, content((String = "text/plain"), (Vec<u8> = "application/octet-stream"),
            (String = "application/json"))),
        (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn value(
    State(app): State<Arc<App>>,
    Path((trace, span)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let (trace, span) = (trace_id(&trace)?, span_id(&span)?);
    let place = ValuePlace::read(&params(query))?;
    let detail = kept(&app, trace, span, |detail| detail).await?;
    let Some(value) = place.find(&detail).cloned() else {
        let (list, key) = (place.list.as_str(), &place.key);
        let missing = format!("there is no attribute {key:?} in the {list} of span {span}");
        return Err(Problem::not_found(missing).into());
    };
    drop(detail);
    let media_type = match value {
        AttributeValue::String(_) => "text/plain; charset=utf-8",
        AttributeValue::Bytes(_) => "application/octet-stream",
        _ => "application/json",
    };
    let written = move |out: &mut dyn Write, _: &Arc<Stop>| {
        match &value {
            AttributeValue::String(text) => out.write_all(text.as_bytes())?,
            AttributeValue::Bytes(raw) => out.write_all(raw)?,
            other => write_json(out, &other.to_json())?,
        }
        Ok(())
    };
    let mut answer = pour(media_type, Coding::of(&headers), written).await?;
    // What telemetry holds is never taken for markup.
    let nosniff = HeaderValue::from_static("nosniff");
    answer
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    Ok(answer)
}
