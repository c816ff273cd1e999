//! `/api/v1/usage`: figures, their rows, how long things took, and what a "what if" is computed from.

use crate::api::{Answer, Failure, json, params};
use crate::app::{App, now};
use crate::life::{Passing, send_file};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures_util::stream;
use meshscope_analysis::{Prices, cost};
use meshscope_api::usage_export::{Table, group_table, row_table};
use meshscope_api::usage_query::LatencyOf;
use meshscope_api::{
    AppliedPrice, Params, Problem, UsageHeatMap, UsageQuery, UsageReport, UsageRow, UsageRowPage,
};
use meshscope_model::{CostSource, Usage};
use std::sync::Arc;

/// Rows of one piece of an export.
const PIECE: u32 = 10_000;
/// The most groups of an export.
const GROUPS: u32 = meshscope_api::usage_query::MAX_TOP;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Parquet,
}

/// Takes `format` out of the parameters; without it `Accept` decides.
fn format(params: &mut Params, headers: &HeaderMap) -> Result<Format, Problem> {
    let named = params.one_of("format", &["json", "csv", "parquet"])?;
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    let format = match named {
        Some("csv") => Format::Csv,
        Some("parquet") => Format::Parquet,
        Some(_) => Format::Json,
        None if accepts.contains("application/vnd.apache.parquet") => Format::Parquet,
        None if accepts.contains("text/csv") => Format::Csv,
        None => Format::Json,
    };
    params.0.retain(|(key, _)| key != "format");
    Ok(format)
}

/// Usage in buckets, groups and totals, from the ledger.
///
/// `q status has_error blocked min_cost_usd min_duration_ms attr` choose sessions as the list of sessions does, and
/// with them all their calls; the other filters choose calls. With `format=csv` or `parquet` (or `Accept`) the groups
/// alone, as a table.
#[utoipa::path(get, path = "/api/v1/usage",
    params(
        ("project" = Option<String>, Query, description = "Only this project; `*` or absent is all"),
        ("from" = Option<String>, Query, description = "First moment; absent is 24 hours ago, 0 is all"),
        ("to" = Option<String>, Query, description = "First moment after the range; absent is open"),
        ("tz" = Option<String>, Query, description = "IANA time zone in which days, weeks and months are cut; UTC by default"),
        ("bucket" = Option<String>, Query, description = "`1s 10s 1m 5m 15m 30m 1h 2h 3h 6h 12h 1d 1w 1mo`; absent gives at most 90"),
        ("by" = Option<String>, Query, description = "One or two, with a comma or twice: project session room agent role model provider tool service system version operation user trace attr:KEY"),
        ("top" = Option<u32>, Query, description = "Groups at the most, 50 by default; the others are one entry with `other`"),
        ("order" = Option<String>, Query, description = "Order of groups, which decides over the top: cost tokens calls errors latency carbon name"),
        ("compare" = Option<String>, Query, description = "`previous`: the period before, too"),
        ("session" = Option<String>, Query, description = "Only this session"),
        ("room" = Option<String>, Query, description = "Only this room"),
        ("agent" = Option<String>, Query, description = "Only this agent"),
        ("role" = Option<String>, Query, description = "Only this role"),
        ("model" = Option<String>, Query, description = "Only this model"),
        ("provider" = Option<String>, Query, description = "Only this provider"),
        ("tool" = Option<String>, Query, description = "Only this tool"),
        ("service" = Option<String>, Query, description = "Only this service"),
        ("version" = Option<String>, Query, description = "Only this version of a service"),
        ("operation" = Option<String>, Query, description = "Only this operation: `chat`, `embeddings`, ..."),
        ("user" = Option<String>, Query, description = "Only this user"),
        ("trace" = Option<String>, Query, description = "Only this run (trace id)"),
        ("system" = Option<String>, Query, description = "Only this agent system"),
        ("none" = Option<String>, Query, description = "Only calls without these, for example `model,tool`"),
        ("where" = Option<String>, Query, description = "Only calls whose span has an attribute, `KEY=VALUE`; an empty value is absence"),
        ("q" = Option<String>, Query, description = "Sessions with this text"),
        ("status" = Option<String>, Query, description = "Sessions that are `active`, `ended` or `failed`"),
        ("has_error" = Option<bool>, Query, description = "Sessions with or without failed spans"),
        ("blocked" = Option<bool>, Query, description = "Sessions with or without blocked spans"),
        ("min_cost_usd" = Option<f64>, Query, description = "Sessions of at least this cost"),
        ("min_duration_ms" = Option<f64>, Query, description = "Sessions of at least this duration"),
        ("attr" = Option<String>, Query, description = "Sessions with a span of this attribute, as in the list of sessions"),
        ("format" = Option<String>, Query, description = "`json`, `csv` or `parquet`"),
    ),
    responses((status = 200, body = UsageReport), (status = 400, body = Problem)))]
pub(crate) async fn usage(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut params = params(query);
    let format = format(&mut params, &headers)?;
    let mut query = UsageQuery::read(&params)?;
    if format != Format::Json && query.top.is_none() {
        query.top = Some(GROUPS);
    }
    let by = query.by.clone();
    let report = app.ask(move |store| store.usage(&query, now())).await?;
    match format {
        Format::Json => json(&report),
        Format::Csv => Ok(csv("usage.csv", Body::from(group_table(&by, &report).csv(true)))),
        Format::Parquet => parquet(&app, vec![group_table(&by, &report)]).await,
    }
}

/// How long calls, or runs, took: counts by bucket of time and class of durations. Takes the filters of
/// `/usage`.
#[utoipa::path(get, path = "/api/v1/usage/latency",
    params(
        ("of" = Option<String>, Query, description = "`calls`, `first_token` or `runs`"),
        ("bucket" = Option<String>, Query, description = "Width of a bucket, as of `/usage`"),
        ("tz" = Option<String>, Query, description = "IANA time zone in which days are cut"),
        ("from" = Option<String>, Query, description = "First moment; absent is 24 hours ago, 0 is all"),
        ("to" = Option<String>, Query, description = "First moment after the range; absent is open"),
    ),
    responses((status = 200, body = UsageHeatMap), (status = 400, body = Problem)))]
pub(crate) async fn usage_latency(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let mut params = params(query);
    let of = LatencyOf::take(&mut params)?;
    let query = UsageQuery::read(&params)?;
    json(
        &app.ask(move |store| store.usage_latency(&query, of, now()))
            .await?,
    )
}

/// The calls of a selection as compact columns, for computing what they would have cost. Takes the
/// filters of `/usage`.
#[utoipa::path(get, path = "/api/v1/usage/calls",
    params(
        ("from" = Option<String>, Query, description = "First moment; absent is 24 hours ago, 0 is all"),
        ("to" = Option<String>, Query, description = "First moment after the range; absent is open"),
    ),
    responses((status = 200, content((Vec<u8> = "application/vnd.meshscope.calls"))), (status = 400, body = Problem)))]
pub(crate) async fn usage_calls(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = UsageQuery::read(&params(query))?;
    let calls = app
        .ask(move |store| store.usage_calls(&query, now()).map(|calls| calls.encode()))
        .await?;
    let types = [
        (header::CONTENT_TYPE, meshscope_api::usage_calls::MEDIA_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((types, calls).into_response())
}

/// The ledger rows under a figure of `/usage`; takes the same filters.
///
/// With `format=csv` or `parquet` (or `Accept`) all of them, as a table.
#[utoipa::path(get, path = "/api/v1/usage/rows",
    params(
        ("order" = Option<String>, Query, description = "`time` (newest first), `cost`, `tokens`, `latency` or `carbon` (the most first)"),
        ("claims" = Option<String>, Query, description = "Totals that ancestors claim: `with` (the default), `without` or `only`"),
        ("limit" = Option<u32>, Query, description = "Entries of a page, 1 to 10,000, 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("from" = Option<String>, Query, description = "First moment; absent is 24 hours ago, 0 is all"),
        ("to" = Option<String>, Query, description = "First moment after the range; absent is open"),
        ("none" = Option<String>, Query, description = "Only calls without these, for example `model,tool`"),
        ("format" = Option<String>, Query, description = "`json`, `csv` or `parquet`"),
    ),
    responses((status = 200, body = UsageRowPage), (status = 400, body = Problem)))]
pub(crate) async fn usage_rows(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut params = params(query);
    let format = format(&mut params, &headers)?;
    let mut query = UsageQuery::read_rows(&params)?;
    if format == Format::Json {
        return json(&page(&app, query).await?);
    }
    query.list.limit = PIECE;
    // The range stays as it is while pages are read.
    query.list.range = meshscope_api::TimeRange {
        from: Some(query.list.range.bounds(now()).0.max(0)),
        to: query.list.range.to,
    };
    if format == Format::Csv {
        return Ok(csv("usage-rows.csv", stream_csv(app, query).await?));
    }
    let mut tables = Vec::new();
    let mut next = Some(query);
    while let Some(query) = next.take() {
        let page = page(&app, query.clone()).await?;
        tables.push(row_table(&page.rows));
        next = after(query, page.next_cursor);
    }
    parquet(&app, tables).await
}

/// The question for the next page, if there is one.
fn after(mut query: UsageQuery, cursor: Option<String>) -> Option<UsageQuery> {
    query.list.cursor = Some(cursor?);
    Some(query)
}

/// A page of rows with the prices that their costs come from.
async fn page(app: &App, query: UsageQuery) -> Result<UsageRowPage, Problem> {
    let prices = app.prices();
    app.ask(move |store| {
        let mut page = store.usage_rows(&query, now())?;
        page.rows
            .iter_mut()
            .for_each(|row| row.price = applied(&prices, row));
        Ok(page)
    })
    .await
}

/// The price that a row's cost was computed by, as it is now.
fn applied(prices: &Prices, row: &UsageRow) -> Option<AppliedPrice> {
    let Some(CostSource::PriceTable(version)) = &row.cost_source else {
        return None;
    };
    let table = prices.tables.iter().find(|table| table.version == *version)?;
    let only = Prices {
        tables: vec![table.clone()],
    };
    let model = row.model.as_deref()?;
    let (_, entry) = only.find(row.provider.as_deref(), model, row.time)?;
    let usage = Usage {
        tokens: row.tokens,
        characters: row.characters,
        audio_ns: row.audio_ns,
        batch: row.batch,
        ..Usage::default()
    };
    Some(AppliedPrice {
        table: version.clone(),
        own: prices.own().is_some_and(|own| own.version == *version),
        above_input_tokens: cost::tier(entry, &usage).map(|tier| tier.above_input_tokens),
        gives_pico_usd: cost::cost(entry, &usage),
        entry: entry.clone(),
    })
}

/// Rows as lines, a page at a time, for as long as they are read. The first page comes with the answer, so
/// that what is wrong with the question is said.
async fn stream_csv(app: Arc<App>, query: UsageQuery) -> Result<Body, Failure> {
    let first = page(&app, query.clone()).await?;
    let head = Bytes::from(row_table(&first.rows).csv(true));
    let rest = stream::unfold((app, after(query, first.next_cursor)), |(app, next)| async move {
        let query = next?;
        match page(&app, query.clone()).await {
            Ok(page) => {
                let lines = Bytes::from(row_table(&page.rows).csv(false));
                Some((Ok(lines), (app, after(query, page.next_cursor))))
            }
            Err(problem) => {
                tracing::error!(%problem.detail, "an export broke off");
                Some((Err(std::io::Error::other(problem.detail)), (app, None)))
            }
        }
    });
    let all = futures_util::StreamExt::chain(stream::once(async { Ok(head) }), rest);
    Ok(Body::from_stream(all))
}

fn csv(name: &str, body: Body) -> axum::response::Response {
    let types = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (types, body).into_response()
}

async fn parquet(app: &App, tables: Vec<Table>) -> Answer {
    let file = Passing::new(&app.config.data_dir);
    let path = file.0.clone();
    app.ask_long(move |store| store.write_tables(&tables, &path))
        .await?;
    send_file(file).await
}
